"""Batch normalization with MXNet's arguments for statistics over several devices."""

import warnings
from typing import Any

from gluonnx.context import num_gpus
from gluonnx.gluon.nn import BatchNorm

__all__ = ["SyncBatchNorm"]


class SyncBatchNorm(BatchNorm):
    """Batch normalization of axis 1, with statistics over the whole batch.

    Differs: one device only, `num_devices=1`; a training step with another number is an error.

    Args:
        in_channels: Size C of axis 1; from the first call if 0.
        num_devices: Number of devices that share a batch; the number of GPUs, or 1 without one, if None.
        momentum: Weight of the old moving statistics.
        epsilon: Added to the variance.
        center: Whether beta is learned.
        scale: Whether gamma is learned.
        use_global_stats: Whether the moving statistics are used while training too.
        beta_initializer: Of beta.
        gamma_initializer: Of gamma.
        running_mean_initializer: Of the moving mean.
        running_variance_initializer: Of the moving variance.
        **kwargs: `prefix` and `params`.

    Source: Zhang et al., 2018, "Context Encoding for Semantic Segmentation".
    """

    def __init__(
        self,
        in_channels: int = 0,
        num_devices: int | None = None,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            1,
            momentum,
            epsilon,
            center,
            scale,
            use_global_stats,
            beta_initializer,
            gamma_initializer,
            running_mean_initializer,
            running_variance_initializer,
            in_channels,
            **kwargs,
        )
        if num_devices is None:
            warnings.warn(
                "Caution using SyncBatchNorm: if not using all the GPUs, please manually set num_devices", stacklevel=2
            )
            num_devices = max(num_gpus(), 1)
        self._kwargs = {
            "eps": epsilon,
            "momentum": momentum,
            "fix_gamma": not scale,
            "use_global_stats": use_global_stats,
            "ndev": num_devices,
            "key": self.prefix,
        }

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any) -> Any:
        """Return an array of the shape of `x`."""
        return F.contrib.SyncBatchNorm(x, gamma, beta, running_mean, running_var, name="fwd", **self._kwargs)
