"""Pooling layers."""

from collections.abc import Sequence
from typing import Any

from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.nn.sizes import POOLING_LAYOUTS, Size, check_layout, check_rank

__all__ = [
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
]


class _Pooling(HybridBlock):
    """What all poolings share.

    Data (N, C, spatial...) in `layout` gives (N, C, ...) of which each spatial size is
    `floor((size + 2 * padding - pool_size) / strides) + 1`, with `ceil_mode` the ceiling.

    Args:
        pool_size: Size of the window along each spatial axis.
        strides: Step of the window; a number stands for every axis, None for `pool_size`.
        padding: Added at both ends; a number stands for every axis.
        ceil_mode: Whether a window that passes the end counts.
        global_pool: Whether one window covers everything.
        pool_type: `max` or `avg`.
        layout: Order of the data's axes.
        count_include_pad: Whether an average counts the padding; None to leave it to the operator.
        kwargs: `prefix` and `params` of `Block`.

    Raises:
        ArgumentError: A size has the wrong number of entries.
    """

    def __init__(
        self,
        pool_size: Sequence[int],
        strides: Size | None,
        padding: Size,
        ceil_mode: bool,
        global_pool: bool,
        pool_type: str,
        layout: str,
        count_include_pad: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        layer, rank = type(self).__name__, len(pool_size)
        self._kwargs: dict[str, Any] = {
            "kernel": pool_size,
            "stride": check_rank(layer, "strides", pool_size if strides is None else strides, rank),
            "pad": check_rank(layer, "padding", padding, rank),
            "global_pool": global_pool,
            "pool_type": pool_type,
            "layout": layout,
            "pooling_convention": "full" if ceil_mode else "valid",
        }
        if count_include_pad is not None:
            self._kwargs["count_include_pad"] = count_include_pad

    def _alias(self) -> str:
        return "pool"

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the pooled data."""
        return F.Pooling(x, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        return (
            "{name}(size={kernel}, stride={stride}, padding={pad}, ceil_mode={ceil_mode}, global_pool={global_pool}, "
            "pool_type={pool_type}, layout={layout})"
        ).format(name=type(self).__name__, ceil_mode=self._kwargs["pooling_convention"] == "full", **self._kwargs)


class MaxPool1D(_Pooling):
    """Largest value of each window of 1-D data, `layout` NCW or NWC; arguments as of `_Pooling`."""

    def __init__(
        self,
        pool_size: Size = 2,
        strides: Size | None = None,
        padding: Size = 0,
        layout: str = "NCW",
        ceil_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            check_rank("MaxPool1D", "pool_size", pool_size, 1),
            strides,
            padding,
            ceil_mode,
            False,
            "max",
            check_layout("MaxPool1D", layout, POOLING_LAYOUTS[1]),
            **kwargs,
        )


class MaxPool2D(_Pooling):
    """Largest value of each window of 2-D data, `layout` NCHW or NHWC; arguments as of `_Pooling`."""

    def __init__(
        self,
        pool_size: Size = (2, 2),
        strides: Size | None = None,
        padding: Size = 0,
        layout: str = "NCHW",
        ceil_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            check_rank("MaxPool2D", "pool_size", pool_size, 2),
            strides,
            padding,
            ceil_mode,
            False,
            "max",
            check_layout("MaxPool2D", layout, POOLING_LAYOUTS[2]),
            **kwargs,
        )


class MaxPool3D(_Pooling):
    """Largest value of each window of 3-D data, `layout` NCDHW or NDHWC; arguments as of `_Pooling`."""

    def __init__(
        self,
        pool_size: Size = (2, 2, 2),
        strides: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        layout: str = "NCDHW",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            check_rank("MaxPool3D", "pool_size", pool_size, 3),
            strides,
            padding,
            ceil_mode,
            False,
            "max",
            check_layout("MaxPool3D", layout, POOLING_LAYOUTS[3]),
            **kwargs,
        )


class AvgPool1D(_Pooling):
    """Mean of each window of 1-D data, `layout` NCW or NWC; arguments as of `_Pooling`."""

    def __init__(
        self,
        pool_size: Size = 2,
        strides: Size | None = None,
        padding: Size = 0,
        layout: str = "NCW",
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            check_rank("AvgPool1D", "pool_size", pool_size, 1),
            strides,
            padding,
            ceil_mode,
            False,
            "avg",
            check_layout("AvgPool1D", layout, POOLING_LAYOUTS[1]),
            count_include_pad,
            **kwargs,
        )


class AvgPool2D(_Pooling):
    """Mean of each window of 2-D data, `layout` NCHW or NHWC; arguments as of `_Pooling`."""

    def __init__(
        self,
        pool_size: Size = (2, 2),
        strides: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        layout: str = "NCHW",
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            check_rank("AvgPool2D", "pool_size", pool_size, 2),
            strides,
            padding,
            ceil_mode,
            False,
            "avg",
            check_layout("AvgPool2D", layout, POOLING_LAYOUTS[2]),
            count_include_pad,
            **kwargs,
        )


class AvgPool3D(_Pooling):
    """Mean of each window of 3-D data, `layout` NCDHW or NDHWC; arguments as of `_Pooling`."""

    def __init__(
        self,
        pool_size: Size = (2, 2, 2),
        strides: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        layout: str = "NCDHW",
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            check_rank("AvgPool3D", "pool_size", pool_size, 3),
            strides,
            padding,
            ceil_mode,
            False,
            "avg",
            check_layout("AvgPool3D", layout, POOLING_LAYOUTS[3]),
            count_include_pad,
            **kwargs,
        )


class GlobalMaxPool1D(_Pooling):
    """Largest value of each channel of 1-D data, `layout` NCW or NWC: every spatial size becomes 1."""

    def __init__(self, layout: str = "NCW", **kwargs: Any) -> None:
        layout = check_layout("GlobalMaxPool1D", layout, POOLING_LAYOUTS[1])
        super().__init__((1,), None, 0, True, True, "max", layout, **kwargs)


class GlobalMaxPool2D(_Pooling):
    """Largest value of each channel of 2-D data, `layout` NCHW or NHWC: every spatial size becomes 1."""

    def __init__(self, layout: str = "NCHW", **kwargs: Any) -> None:
        layout = check_layout("GlobalMaxPool2D", layout, POOLING_LAYOUTS[2])
        super().__init__((1, 1), None, 0, True, True, "max", layout, **kwargs)


class GlobalMaxPool3D(_Pooling):
    """Largest value of each channel of 3-D data, `layout` NCDHW or NDHWC: every spatial size becomes 1."""

    def __init__(self, layout: str = "NCDHW", **kwargs: Any) -> None:
        layout = check_layout("GlobalMaxPool3D", layout, POOLING_LAYOUTS[3])
        super().__init__((1, 1, 1), None, 0, True, True, "max", layout, **kwargs)


class GlobalAvgPool1D(_Pooling):
    """Mean of each channel of 1-D data, `layout` NCW or NWC: every spatial size becomes 1."""

    def __init__(self, layout: str = "NCW", **kwargs: Any) -> None:
        layout = check_layout("GlobalAvgPool1D", layout, POOLING_LAYOUTS[1])
        super().__init__((1,), None, 0, True, True, "avg", layout, **kwargs)


class GlobalAvgPool2D(_Pooling):
    """Mean of each channel of 2-D data, `layout` NCHW or NHWC: every spatial size becomes 1."""

    def __init__(self, layout: str = "NCHW", **kwargs: Any) -> None:
        layout = check_layout("GlobalAvgPool2D", layout, POOLING_LAYOUTS[2])
        super().__init__((1, 1), None, 0, True, True, "avg", layout, **kwargs)


class GlobalAvgPool3D(_Pooling):
    """Mean of each channel of 3-D data, `layout` NCDHW or NDHWC: every spatial size becomes 1."""

    def __init__(self, layout: str = "NCDHW", **kwargs: Any) -> None:
        layout = check_layout("GlobalAvgPool3D", layout, POOLING_LAYOUTS[3])
        super().__init__((1, 1, 1), None, 0, True, True, "avg", layout, **kwargs)
