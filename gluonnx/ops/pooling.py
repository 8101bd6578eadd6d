"""Pooling in one to three dimensions."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.convolution import (
    CHANNEL_LAST,
    evened,
    lower_to_channel_first,
    lower_to_channel_last,
    to_channel_first,
    to_channel_last,
)
from gluonnx.ops.dtypes import BY_NAME
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.table import DeclinedError, no_effect, operator

_MAX_POOLS: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_DIRECT_MAX: dict[int, Callable[..., Tensor]] = {1: torch.max_pool1d, 2: torch.max_pool2d, 3: torch.max_pool3d}
_AVERAGE_POOLS: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


@dataclass(frozen=True, slots=True)
class _Windows:
    """The windows along one axis: window i covers [i stride - pad, i stride - pad + kernel).

    Attributes:
        size: Extent of the axis.
        kernel, stride, pad: Of the axis.
        extra: By how much the last window reaches beyond the padding at the end (only in the `full` convention).
    """

    size: int
    kernel: int
    stride: int
    pad: int
    extra: int

    @property
    def starts(self) -> range:
        """First position of each window."""
        count = (self.size + 2 * self.pad + self.extra - self.kernel) // self.stride + 1
        return range(-self.pad, -self.pad + count * self.stride, self.stride)

    def counts(self, include_pad: bool) -> list[int]:
        """Divisor of the average in each window; 1 where a window holds nothing.

        Padding counts under `include_pad`, what lies beyond it never does.
        """
        low, high = (-self.pad, self.size + self.pad) if include_pad else (0, self.size)
        return [max(min(start + self.kernel, high) - max(start, low), 1) for start in self.starts]

    @property
    def is_last_empty(self) -> bool:
        """Whether the last window starts beyond the data. No other one does, since `pad` is less than `kernel`."""
        return self.starts[-1] >= self.size

    @property
    def end_pad(self) -> int:
        """Padding at the end that the windows need, without the last one where it is empty."""
        return max(self.pad + self.extra - self.is_last_empty * self.stride, 0)


@functools.lru_cache(maxsize=4096)
def _windows(sizes: Shape, kernel: Shape, stride: Shape, pad: Shape, convention: str) -> tuple[_Windows, ...]:
    rank = len(kernel)
    if convention == "same":
        # ceil(size / stride) windows, which start with the data.
        axis = zip(sizes, kernel, stride or (1,) * rank, strict=True)
        return tuple(_Windows(size, k, s, 0, max((size - 1) // s * s + k - size, 0)) for size, k, s in axis)
    axes = zip(sizes, kernel, stride or (1,) * rank, pad or (0,) * rank, strict=True)
    result = []
    for size, k, s, p in axes:
        if k > size + 2 * p:
            raise InputError(
                f"Pooling: kernel is larger than the padded data: expected at most {size + 2 * p}, got kernel={kernel}."
            )
        result.append(_Windows(size, k, s, p, -(size + 2 * p - k) % s if convention == "full" else 0))
    return tuple(result)


def _area_over_counts(windows: Sequence[_Windows], include_pad: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Factor from the mean over whole windows to MXNet's average, of the output's spatial shape."""
    factor = np.ones(())
    for axis in windows:
        factor = factor[..., None] * (axis.kernel / np.asarray(axis.counts(include_pad), dtype=np.float64))
    return factor


def _check(data_rank: int, kernel: Shape, convention: str, pool_type: str, pad: Shape) -> None:
    if data_rank != len(kernel) + 2 or not 1 <= len(kernel) <= 3:
        raise InputError(
            f"Pooling: wrong rank of data: expected {len(kernel) + 2} dimensions for kernel={kernel} of 1 to 3, "
            f"got {data_rank}."
        )
    if convention == "same" and (len(kernel) != 1 or pool_type != "max" or any(pad)):
        raise AttributeValueError(
            "Pooling: not possible with pooling_convention='same': expected pool_type='max', a kernel of one size and "
            f"no padding, got pool_type={pool_type!r}, kernel={kernel}, pad={pad}. Use 'valid' or 'full'."
        )


def _has_workspace(attrs: Mapping[str, Any]) -> bool:
    """Whether MXNet's node has a workspace that says where each maximum was."""
    return attrs["pool_type"] == "max" and bool(attrs["kernel"]) and attrs["layout"] not in CHANNEL_LAST


@operator(
    "Pooling",
    unread=lambda attrs: int(_has_workspace(attrs)),
    no_effect=(no_effect("cudnn_off", bool, False),),
    source="MXNet 1.9.1 src/operator/nn/pooling-inl.h, src/operator/nn/pool.h",
)
def pooling(
    data: Tensor,
    *,
    kernel: Shape = (),
    pool_type: Literal["avg", "lp", "max", "sum"] = "max",
    global_pool: bool = False,
    pooling_convention: Literal["full", "same", "valid"] = "valid",
    stride: Shape = (),
    pad: Shape = (),
    p_value: int | None = None,
    count_include_pad: bool | None = None,
    layout: Literal["NCDHW", "NCHW", "NCW", "NDHWC", "NHWC", "NWC"] | None = None,
) -> Tensor:
    """Maximum, average, sum or p-norm over windows of `data` (N, C, spatial...).

    There are floor((size + 2 pad - kernel) / stride) + 1 windows along an axis; ceil under the `full` convention, whose
    last window ends with the padding; ceil(size / stride) under `same`, of which the first starts with the data (`max`
    along one axis without padding only; `pad` may be (0, 0, 0), which MXNet 1.9.1 insists on). A window beyond all data
    has average and sum 0 and the lowest number as maximum. The average divides by the elements of the window, without
    the padding under `count_include_pad=False`. The p-norm (`lp`) is the signed root of the sum of x ** p_value.
    `global_pool` takes all of each channel and reads neither `kernel`, `stride` nor `pad`. Channel-last layouts are
    (N, spatial..., C).

    Differs: the average of a 3-D window beyond all data is 0, where MXNet gives NaN. The gradient of a 1-D or 3-D
    average in the `full` convention divides as the average does, where MXNet divides by the whole kernel.

    Raises:
        InputError: The rank does not fit `kernel`, or `kernel` is larger than the padded data.
        AttributeValueError: `lp` without `p_value`, or the convention `same` where it does not apply.
    """
    is_channel_last = layout in CHANNEL_LAST
    x = to_channel_first(data) if is_channel_last else data
    if global_pool:
        out = _pool_all(x, pool_type, p_value)
    else:
        _check(x.dim(), kernel, pooling_convention, pool_type, pad)
        windows = _windows(x.shape[2:], kernel, stride, pad, pooling_convention)
        if pool_type == "max":
            out = _max_pool(x, windows)
        elif pool_type == "avg":
            out = _average_pool(x, windows, count_include_pad is not False)
        elif pool_type == "sum":
            out = _sum_pool(x, windows)
        else:
            p = _check_p(p_value)
            out = _root(_sum_pool(x**p, windows), p)
    return to_channel_last(out) if is_channel_last else out


@pooling.quick
def _(
    *,
    kernel: Shape,
    pool_type: str,
    global_pool: bool,
    pooling_convention: str,
    stride: Shape,
    pad: Shape,
    count_include_pad: bool | None,
    layout: str | None,
) -> Callable[[Tensor], Tensor] | None:
    if layout in CHANNEL_LAST or pool_type not in ("max", "avg") or (len(kernel) not in _MAX_POOLS and not global_pool):
        return None
    if global_pool:
        return functools.partial(_pool_all, pool_type=pool_type, p_value=None)
    pads = pad or (0,) * len(kernel)
    if pooling_convention != "valid" or any(2 * p > k for p, k in zip(pads, kernel, strict=False)):
        return None
    if any(len(sizes) not in (0, len(kernel)) for sizes in (stride, pad)):
        return None
    rank = len(kernel) + 2
    steps = stride or (1,) * len(kernel)
    if pool_type == "max":
        pool, arguments = (
            _DIRECT_MAX[rank - 2],
            tuple(map(evened, (kernel, steps, pads) if any(pads) else (kernel, steps))),
        )
    else:
        pool, arguments = _AVERAGE_POOLS[rank - 2], (kernel, steps, pads, False, count_include_pad is not False)

    def call(data: Tensor) -> Tensor:
        if data.dim() != rank:
            raise DeclinedError
        return pool(data, *arguments)

    return call


@pooling.output_shapes
def _(
    data: Shape,
    *,
    kernel: Shape,
    pool_type: str,
    global_pool: bool,
    pooling_convention: str,
    stride: Shape,
    pad: Shape,
    layout: str | None,
) -> tuple[Shape] | None:
    if layout in CHANNEL_LAST or pool_type == "lp" or len(data) < 3 or min(data) < 1:
        return None
    if global_pool:
        return ((*data[:2], *(1 for _ in data[2:])),)
    _check(len(data), kernel, pooling_convention, pool_type, pad)
    windows = _windows(data[2:], kernel, stride, pad, pooling_convention)
    return ((*data[:2], *(len(axis.starts) for axis in windows)),)


def _check_p(p_value: int | None) -> int:
    if p_value not in (1, 2, 3):
        raise AttributeValueError(f"Pooling: wrong p_value for pool_type='lp': expected 1, 2 or 3, got {p_value=}.")
    return p_value


def _root(total: Tensor, p: int) -> Tensor:
    return total if p == 1 else total.sqrt() if p == 2 else total.sign() * total.abs() ** (1.0 / p)


def _pool_all(x: Tensor, pool_type: str, p_value: int | None) -> Tensor:
    axes = tuple(range(2, x.dim()))
    if pool_type == "avg":
        return x.mean(axes, keepdim=True)
    if pool_type == "sum":
        return x.sum(axes, keepdim=True)
    if pool_type == "max":
        return _MAX_POOLS[x.dim() - 2](x, x.shape[2:])
    p = _check_p(p_value)
    return _root((x**p).sum(axes, keepdim=True), p)


@functools.lru_cache(maxsize=4096)
def _fits_torch(windows: tuple[_Windows, ...]) -> bool:
    """Whether torch takes the padding and counts the windows as MXNet does."""
    return all(2 * axis.pad <= axis.kernel and not axis.is_last_empty and axis.extra < axis.stride for axis in windows)


def _padding(windows: Sequence[_Windows]) -> list[int]:
    return [width for axis in reversed(windows) for width in (axis.pad, axis.pad + axis.extra)]


def _shape(windows: Sequence[_Windows]) -> tuple[list[int], list[int], list[int]]:
    return [a.kernel for a in windows], [a.stride for a in windows], [a.pad for a in windows]


def _max_pool(x: Tensor, windows: tuple[_Windows, ...]) -> Tensor:
    kernel, stride, pad = _shape(windows)
    pool = _MAX_POOLS[len(windows)]
    if _fits_torch(windows):
        return pool(x, kernel, stride, pad, ceil_mode=any(axis.extra for axis in windows))
    return pool(F.pad(x, _padding(windows), value=torch.finfo(x.dtype).min), kernel, stride)


def _average_pool(x: Tensor, windows: tuple[_Windows, ...], include_pad: bool) -> Tensor:
    kernel, stride, pad = _shape(windows)
    pool = _AVERAGE_POOLS[len(windows)]
    if _fits_torch(windows):
        return pool(x, kernel, stride, pad, any(axis.extra for axis in windows), include_pad)
    factor = torch.as_tensor(_area_over_counts(windows, include_pad), dtype=x.dtype, device=x.device)
    return pool(F.pad(x, _padding(windows)), kernel, stride) * factor


def _sum_pool(x: Tensor, windows: Sequence[_Windows]) -> Tensor:
    kernel, stride, _ = _shape(windows)
    padded = F.pad(x, _padding(windows)) if any(_padding(windows)) else x
    return _AVERAGE_POOLS[len(windows)](padded, kernel, stride) * math.prod(kernel)


@pooling.onnx
def _(
    g: GraphBuilder,
    data: Value,
    *,
    kernel: Shape,
    pool_type: str,
    global_pool: bool,
    pooling_convention: str,
    stride: Shape,
    pad: Shape,
    p_value: int | None,
    count_include_pad: bool | None,
    layout: str | None,
) -> Value:
    if pool_type != "max":
        refuse_float64(g, "Pooling", data)
    is_channel_last = layout in CHANNEL_LAST
    x = lower_to_channel_first(g, data) if is_channel_last else data
    if global_pool:
        out = _lower_all(g, x, pool_type, p_value)
    else:
        _check(g.rank(x), kernel, pooling_convention, pool_type, pad)
        sizes = g.dims(x)[2:]
        if pooling_convention != "valid" and None in sizes:
            raise LoweringError(
                f"Pooling: the `{pooling_convention}` convention needs fixed spatial sizes: expected ints, "
                f"got data={g.dims(x)}."
            )
        # Where sizes vary, only sizes that do not matter are made up: `valid` windows need no more than the attributes.
        pads = pad or (0,) * len(kernel)
        known = tuple(k if size is None else size for size, k in zip(sizes, kernel, strict=True))
        windows = _windows(known, kernel, stride, pads, pooling_convention)
        out = _lower_windows(g, x, windows, pool_type, p_value, count_include_pad is not False)
    return lower_to_channel_last(g, out) if is_channel_last else out


def _lower_all(g: GraphBuilder, x: Value, pool_type: str, p_value: int | None) -> Value:
    if pool_type == "avg":
        return g.op("GlobalAveragePool", x)
    if pool_type == "max":
        return g.op("GlobalMaxPool", x)
    axes = g.ints(range(2, g.rank(x)))
    if pool_type == "sum":
        return g.op("ReduceSum", x, axes, keepdims=1)
    p = _check_p(p_value)
    return _lower_root(g, g.op("ReduceSum", _lower_power(g, x, p), axes, keepdims=1), p)


def _lower_power(g: GraphBuilder, x: Value, p: int) -> Value:
    return x if p == 1 else g.op("Pow", x, g.scalar(p, x))


def _lower_root(g: GraphBuilder, total: Value, p: int) -> Value:
    if p == 1:
        return total
    if p == 2:
        return g.op("Sqrt", total)
    return g.op("Mul", g.op("Sign", total), g.op("Pow", g.op("Abs", total), g.scalar(1 / p, total)))


def _lower_windows(
    g: GraphBuilder,
    x: Value,
    windows: Sequence[_Windows],
    pool_type: str,
    p_value: int | None,
    include_pad: bool,
) -> Value:
    kernel, stride, pad = _shape(windows)
    whole: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": [*pad, *(axis.end_pad for axis in windows)],
    }
    if pool_type == "max":
        lowest = float(np.finfo(BY_NAME[g.dtype(x)].numpy).min)
        return _lower_empty(g, g.op("MaxPool", x, **whole), windows, lowest)
    if pool_type == "avg" and not any(axis.extra for axis in windows):
        return g.op("AveragePool", x, count_include_pad=int(include_pad), **whole)
    p = _check_p(p_value) if pool_type == "lp" else 1
    mean = g.op("AveragePool", _lower_power(g, x, p), count_include_pad=1, **whole)
    if pool_type == "avg":
        held = tuple(slice(len(axis.starts) - axis.is_last_empty) for axis in windows)
        factor = _area_over_counts(windows, include_pad)[held]
        out = g.op("Mul", mean, g.const(factor, g.dtype(mean)))
    else:
        out = _lower_root(g, g.op("Mul", mean, g.scalar(math.prod(kernel), mean)), p)
    return _lower_empty(g, out, windows, 0.0)


def _lower_empty(g: GraphBuilder, out: Value, windows: Sequence[_Windows], value: float) -> Value:
    """Append the result of empty windows, which ONNX Runtime does not take (a padding as large as the kernel)."""
    if not any(axis.is_last_empty for axis in windows):
        return out
    ends = [0, 0, *(int(axis.is_last_empty) for axis in windows)]
    return g.op("Pad", out, g.ints([*(0 for _ in ends), *ends]), g.scalar(value, out))
