"""Normalization layers."""

from typing import Any

import numpy as np

from gluonnx.gluon.block import HybridBlock

__all__ = ["BatchNorm", "BatchNormReLU", "GroupNorm", "InstanceNorm", "LayerNorm"]


class _Normalization(HybridBlock):
    """What the layers share: `gamma` and `beta`, and a repr that lists `_kwargs`.

    Args of the layers:
        epsilon: Added to the variance.
        center: Whether `beta` is learned; otherwise it keeps its initial value.
        scale: Whether `gamma` is learned; otherwise it keeps its initial value.
        beta_initializer: Initializer of `beta`.
        gamma_initializer: Initializer of `gamma`.
        in_channels: Size of the normalized axis; 0 to learn it from the first data.
    """

    gamma: Any
    _kwargs: dict[str, Any]

    def _add_gamma_and_beta(
        self, size: int, center: bool, scale: bool, beta: Any, gamma: Any, *, fixed: bool = False
    ) -> None:
        """Add both parameters, of shape (size,); `fixed`: one that is not learned can never be."""
        for name, init, is_learned in (("gamma", gamma, scale), ("beta", beta, center)):
            parameter = self.params.get(
                name,
                grad_req="write" if is_learned else "null",
                shape=(size,),
                init=init,
                allow_deferred_init=True,
                differentiable=is_learned or not fixed,
            )
            setattr(self, name, parameter)

    def _size_text(self) -> str:
        return f", in_channels={self.gamma.shape[0]}"

    def __repr__(self) -> str:
        content = ", ".join(f"{key}={value!r}" for key, value in self._kwargs.items())
        return f"{type(self).__name__}({content}{self._size_text()})"


class _BatchNorm(_Normalization):
    """Normalize each channel over the batch and the other axes, and keep running statistics for prediction.

    Data of any shape; the parameters `gamma`, `beta` and the states `running_mean`, `running_var` have the size of
    `axis`. While training, the batch's own statistics are used and
    `running = momentum * running + (1 - momentum) * batch`; in prediction the running ones.

    Args:
        axis: Axis of the channels.
        momentum: Weight of the past in the running statistics.
        epsilon: See `_Normalization`, as for `center`, `beta_initializer`, `gamma_initializer`, `in_channels`.
        center: Whether `beta` is learned.
        scale: Whether `gamma` is learned; otherwise it counts as 1 (`fix_gamma`), whatever its value.
        use_global_stats: Whether training too uses the running statistics.
        fuse_relu: Whether a ReLU follows, in the same operator.
        beta_initializer: Initializer of `beta`.
        gamma_initializer: Initializer of `gamma`.
        running_mean_initializer: Initializer of `running_mean`.
        running_variance_initializer: Initializer of `running_var`.
        in_channels: Size of `axis`.

    Source: Ioffe and Szegedy, 2015, "Batch Normalization".
    """

    def __init__(
        self,
        axis: int = 1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        fuse_relu: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {
            "axis": axis,
            "eps": epsilon,
            "momentum": momentum,
            "fix_gamma": not scale,
            "use_global_stats": use_global_stats,
        }
        self.fuse_relu = fuse_relu
        if in_channels != 0:
            self.in_channels = in_channels
        self._add_gamma_and_beta(in_channels, center, scale, beta_initializer, gamma_initializer, fixed=True)
        for name, init in (("running_mean", running_mean_initializer), ("running_var", running_variance_initializer)):
            state = self.params.get(
                name,
                grad_req="null",
                shape=(in_channels,),
                init=init,
                allow_deferred_init=True,
                differentiable=False,
            )
            setattr(self, name, state)

    def cast(self, dtype: Any) -> None:
        """Cast the parameters; to float16 they stay float32, in which the statistics are computed."""
        super().cast("float32" if np.dtype(dtype) == np.float16 else dtype)

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any) -> Any:
        """Return an array of the shape of `x`."""
        normalize = F.contrib.BatchNormWithReLU if self.fuse_relu else F.BatchNorm
        return normalize(x, gamma, beta, running_mean, running_var, name="fwd", **self._kwargs)

    def _size_text(self) -> str:
        return f", in_channels={self.gamma.shape[0] or None}"


class BatchNorm(_BatchNorm):
    """Batch normalization; see `_BatchNorm`."""

    def __init__(
        self,
        axis: int = 1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis,
            momentum,
            epsilon,
            center,
            scale,
            use_global_stats,
            False,
            beta_initializer,
            gamma_initializer,
            running_mean_initializer,
            running_variance_initializer,
            in_channels,
            **kwargs,
        )


class BatchNormReLU(_BatchNorm):
    """Batch normalization and ReLU in one operator; see `_BatchNorm`."""

    def __init__(
        self,
        axis: int = 1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis,
            momentum,
            epsilon,
            center,
            scale,
            use_global_stats,
            True,
            beta_initializer,
            gamma_initializer,
            running_mean_initializer,
            running_variance_initializer,
            in_channels,
            **kwargs,
        )


class InstanceNorm(_Normalization):
    """Normalize each channel of each sample over the other axes.

    Data (N, C, ...) with the channels at `axis`. Not learned by default: `scale` is False. See `_Normalization`.

    Source: Ulyanov et al., 2016, "Instance Normalization".
    """

    def __init__(
        self,
        axis: int = 1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {"eps": epsilon, "axis": axis, "center": center, "scale": scale}
        self._axis = axis
        self._epsilon = epsilon
        self._add_gamma_and_beta(in_channels, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any) -> Any:
        """Return an array of the shape of `x`."""
        if self._axis == 1:
            return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon)
        x = x.swapaxes(1, self._axis)
        return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon).swapaxes(1, self._axis)


class LayerNorm(_Normalization):
    """Normalize along `axis`. See `_Normalization`.

    Source: Ba et al., 2016, "Layer Normalization".
    """

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        in_channels: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._kwargs = {"eps": epsilon, "axis": axis, "center": center, "scale": scale}
        self._axis = axis
        self._epsilon = epsilon
        self._center = center
        self._scale = scale
        self._add_gamma_and_beta(in_channels, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, data: Any, gamma: Any, beta: Any) -> Any:
        """Return an array of the shape of `data`."""
        return F.LayerNorm(data, gamma=gamma, beta=beta, axis=self._axis, eps=self._epsilon)


class GroupNorm(_Normalization):
    """Normalize each of `num_groups` groups of channels of each sample; data (N, C, ...). See `_Normalization`.

    `gamma` and `beta` have one value for each group, as MXNet's have (not one for each channel).

    Source: Wu and He, 2018, "Group Normalization".
    """

    def __init__(
        self,
        num_groups: int = 1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._kwargs = {"eps": epsilon, "num_groups": num_groups, "center": center, "scale": scale}
        self._num_groups = num_groups
        self._epsilon = epsilon
        self._center = center
        self._scale = scale
        self._add_gamma_and_beta(num_groups, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, data: Any, gamma: Any, beta: Any) -> Any:
        """Return an array of the shape of `data`."""
        return F.GroupNorm(data, gamma=gamma, beta=beta, num_groups=self._num_groups, eps=self._epsilon)

    def _size_text(self) -> str:
        return ""
