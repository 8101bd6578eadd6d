"""Patches of feature maps: their columns, and the correlation of patches of two maps."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.resize import check_maps, fixed_sizes
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/nn/im2col-inl.h"


def _pair(name: str, argument: str, value: Shape, default: int) -> tuple[int, int]:
    if not value and argument != "kernel":
        return default, default
    if len(value) != 2 or min(value) < (0 if argument == "pad" else 1):
        raise AttributeValueError(
            f"{name}: attribute `{argument}` has a wrong value: expected two sizes (height, width), "
            f"got {argument}={value}."
        )
    return value[0], value[1]


def _windows(
    name: str, size: Sequence[int], kernel: Shape, stride: Shape, dilate: Shape, pad: Shape
) -> tuple[tuple[int, int], ...]:
    """Return kernel, stride, dilation and padding as pairs, and the number of windows along each axis."""
    k, s = _pair(name, "kernel", kernel, 1), _pair(name, "stride", stride, 1)
    d, p = _pair(name, "dilate", dilate, 1), _pair(name, "pad", pad, 0)
    counts = [(size[i] + 2 * p[i] - d[i] * (k[i] - 1) - 1) // s[i] + 1 for i in range(2)]
    if min(counts) < 1:
        padded = (size[0] + 2 * p[0], size[1] + 2 * p[1])
        raise InputError(
            f"{name}: kernel is larger than the padded maps: expected at most {padded}, got {kernel=}, dilate={d}."
        )
    return k, s, d, p, (counts[0], counts[1])


@operator("im2col", source=SOURCE)
def im2col(data: Tensor, *, kernel: Shape, stride: Shape = (), dilate: Shape = (), pad: Shape = ()) -> Tensor:
    """The patches of `data` (N, C, H, W) that a convolution would see, as columns (N, C kernel elements, windows).

    Raises:
        InputError: `data` has other than 4 dimensions, or the kernel is larger than the padded maps.
        AttributeValueError: An attribute does not hold two sizes.
    """
    check_maps("im2col", "data", data.shape)
    k, s, d, p, _ = _windows("im2col", data.shape[2:], kernel, stride, dilate, pad)
    return F.unfold(data, k, d, p, s)


@im2col.onnx
def _(g: GraphBuilder, data: Value, *, kernel: Shape, stride: Shape, dilate: Shape, pad: Shape) -> Value:
    size = fixed_sizes(g, "im2col", data)
    k, s, d, p, counts = _windows("im2col", size, kernel, stride, dilate, pad)
    x = data
    if any(p):
        x = g.op("Pad", data, g.ints([0, 0, *p, 0, 0, *p]), g.scalar(0.0, data))
    taps = []
    for row in range(0, k[0] * d[0], d[0]):
        for column in range(0, k[1] * d[1], d[1]):
            end = [row + (counts[0] - 1) * s[0] + 1, column + (counts[1] - 1) * s[1] + 1]
            tap = g.op("Slice", x, g.ints([row, column]), g.ints(end), g.ints([2, 3]), g.ints(s))
            taps.append(g.op("Reshape", tap, g.ints([0, 0, 1, counts[0] * counts[1]])))
    columns = g.op("Concat", *taps, axis=2)
    channels = g.dims(data)[1]
    assert channels is not None
    return g.op("Reshape", columns, g.ints([0, channels * len(taps), counts[0] * counts[1]]))


@operator("col2im", source=SOURCE)
def col2im(
    data: Tensor, *, output_size: Shape, kernel: Shape, stride: Shape = (), dilate: Shape = (), pad: Shape = ()
) -> Tensor:
    """Sum of the columns `data` (N, C kernel elements, windows) at their places in maps (N, C, *output_size).

    Raises:
        InputError: `data` does not have the columns and windows that follow from the attributes.
        AttributeValueError: An attribute does not hold two sizes.
    """
    size = _pair("col2im", "output_size", output_size, 1)
    k, s, d, p, counts = _windows("col2im", size, kernel, stride, dilate, pad)
    if data.dim() != 3 or data.shape[1] % (k[0] * k[1]) or data.shape[2] != counts[0] * counts[1]:
        raise InputError(
            f"col2im: wrong shape of data: expected (N, C * {k[0] * k[1]}, {counts[0] * counts[1]}), "
            f"got data={tuple(data.shape)}."
        )
    return F.fold(data, size, k, d, p, s)


@col2im.onnx
def _(
    g: GraphBuilder, data: Value, *, output_size: Shape, kernel: Shape, stride: Shape, dilate: Shape, pad: Shape
) -> Value:
    refuse_float64(g, "col2im", data)
    size = _pair("col2im", "output_size", output_size, 1)
    k, s, d, p, _ = _windows("col2im", size, kernel, stride, dilate, pad)
    dtype = g.dtype(data)
    x = g.cast(data, "float32") if dtype == "float16" else data
    out = g.op("Col2Im", x, g.ints(size), g.ints(k), dilations=list(d), pads=[*p, *p], strides=list(s))
    return g.cast(out, dtype)


@operator("Correlation", unread=2, source="MXNet 1.9.1 src/operator/correlation-inl.h")
def correlation(
    data1: Tensor,
    data2: Tensor,
    *,
    kernel_size: int = 1,
    max_displacement: int = 1,
    stride1: int = 1,
    stride2: int = 1,
    pad_size: int = 0,
    is_multiply: bool = True,
) -> Tensor:
    """Mean product, or absolute difference, of patches of two maps (N, C, H, W) at every displacement: (N, D D, h, w).

    Both are padded with `pad_size` zeros. A patch of `kernel_size` of `data1` at every `stride1`-th place meets those
    of `data2` that lie up to `max_displacement` away in steps of `stride2`: D = 2 floor(max_displacement / stride2) + 1
    along each axis, rows first.

    Raises:
        InputError: The inputs are no maps of one shape, or no patch with its neighbourhood fits into them.
        AttributeValueError: `kernel_size` is even, or a stride is 0.
    """
    check_maps("Correlation", "data1", data1.shape)
    if data1.shape != data2.shape:
        raise InputError(
            f"Correlation: shapes differ: expected one, got data1={tuple(data1.shape)}, data2={tuple(data2.shape)}."
        )
    height, width = _correlation_size(data1.shape[2:], kernel_size, max_displacement, stride1, stride2, pad_size)
    rows, columns = (height - 1) * stride1 + kernel_size, (width - 1) * stride1 + kernel_size
    first, second = (F.pad(x, [pad_size] * 4) if pad_size else x for x in (data1, data2))
    start = max_displacement
    first = first[:, :, start : start + rows, start : start + columns]
    maps = []
    for dy, dx in _displacements(max_displacement, stride2):
        moved = second[:, :, start + dy : start + dy + rows, start + dx : start + dx + columns]
        maps.append((first * moved if is_multiply else _distance(first, moved)).sum(1))
    stacked = torch.stack(maps, 1)
    if kernel_size == stride1 == 1:
        return stacked / data1.shape[1]
    return F.avg_pool2d(stacked, kernel_size, stride1) / data1.shape[1]


def _distance(first: Tensor, second: Tensor) -> Tensor:
    """|first - second|, with the gradient 1 where they are equal, as MXNet's has it."""
    difference = first - second
    return torch.where(difference >= 0, difference, -difference)


def _displacements(max_displacement: int, stride: int) -> list[tuple[int, int]]:
    steps = [i * stride for i in range(-(max_displacement // stride), max_displacement // stride + 1)]
    return [(dy, dx) for dy in steps for dx in steps]


def _correlation_size(
    size: Sequence[int], kernel_size: int, max_displacement: int, stride1: int, stride2: int, pad_size: int
) -> tuple[int, int]:
    if kernel_size % 2 == 0:
        raise AttributeValueError(
            f"Correlation: attribute `kernel_size` has a wrong value: expected an odd number, got {kernel_size=}."
        )
    for name, stride in (("stride1", stride1), ("stride2", stride2)):
        if stride < 1:
            raise AttributeValueError(
                f"Correlation: attribute `{name}` has a wrong value: expected 1 or more, got {name}={stride}."
            )
    border = max_displacement + kernel_size // 2
    height, width = (-(-(extent + 2 * pad_size - 2 * border) // stride1) for extent in size)
    if min(height, width) < 1:
        raise InputError(
            f"Correlation: no patch with its neighbourhood fits: expected padded maps larger than {2 * border}, "
            f"got {tuple(size)} with pad_size={pad_size}."
        )
    return height, width


@correlation.onnx
def _(
    g: GraphBuilder,
    data1: Value,
    data2: Value,
    *,
    kernel_size: int,
    max_displacement: int,
    stride1: int,
    stride2: int,
    pad_size: int,
    is_multiply: bool,
) -> Value:
    size = fixed_sizes(g, "Correlation", data1)
    height, width = _correlation_size(size, kernel_size, max_displacement, stride1, stride2, pad_size)
    rows, columns = (height - 1) * stride1 + kernel_size, (width - 1) * stride1 + kernel_size
    pads = g.ints([0, 0, pad_size, pad_size] * 2)
    first, second = (g.op("Pad", x, pads, g.scalar(0.0, x)) if pad_size else x for x in (data1, data2))

    def part(x: Value, top: int, left: int) -> Value:
        return g.op("Slice", x, g.ints([top, left]), g.ints([top + rows, left + columns]), g.ints([2, 3]))

    start = max_displacement
    centre, axis = part(first, start, start), g.ints([1])
    maps = []
    for dy, dx in _displacements(max_displacement, stride2):
        moved = part(second, start + dy, start + dx)
        met = g.op("Mul", centre, moved) if is_multiply else g.op("Abs", g.op("Sub", centre, moved))
        maps.append(g.op("ReduceMean", met, axis, keepdims=1))
    stacked = g.op("Concat", *maps, axis=1)
    if kernel_size == stride1 == 1:
        return stacked
    return g.op("AveragePool", stacked, kernel_shape=[kernel_size] * 2, strides=[stride1] * 2)
