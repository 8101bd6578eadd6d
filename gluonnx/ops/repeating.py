"""Operators that repeat, reverse, pad or broadcast elements."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import INT64_MAX, INT64_MIN, GraphBuilder, Value
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/matrix_op-inl.h"


@operator("tile", method="tile", source=SOURCE)
def tile(data: Tensor, *, reps: Shape) -> Tensor:
    """Repeat the whole array `reps` times along each axis, aligned to the last axis, as `numpy.tile`."""
    if any(r < 1 for r in reps):
        raise AttributeValueError(f"tile: nothing is left: expected repetitions of 1 or more, got {reps=}.")
    return data.tile(reps)


@tile.onnx
def _(g: GraphBuilder, data: Value, *, reps: Shape) -> Value:
    rank = g.rank(data)
    if len(reps) > rank:
        data = g.op("Unsqueeze", data, g.ints(range(len(reps) - rank)))
    return g.op("Tile", data, g.ints([*(1,) * (rank - len(reps)), *reps]))


@operator("repeat", method="repeat", source=SOURCE)
def repeat(data: Tensor, *, repeats: int, axis: int | None = None) -> Tensor:
    """Repeat each element `repeats` times along `axis`, or in the flattened array."""
    return data.repeat_interleave(repeats, axis)


@repeat.onnx
def _(g: GraphBuilder, data: Value, *, repeats: int, axis: int | None) -> Value:
    flat = g.op("Reshape", data, g.ints([-1])) if axis is None else data
    axis = axis or 0
    count = g.op("Mul", g.op("Gather", g.shape(flat), g.const(axis, "int64")), g.const(repeats, "int64"))
    steps = g.op("Range", g.const(0, "int64"), count, g.const(1, "int64"))
    return g.op("Gather", flat, g.op("Div", steps, g.const(repeats, "int64")), axis=axis)


@operator("reverse", "flip", method="flip", source=SOURCE)
def reverse(data: Tensor, *, axis: Shape) -> Tensor:
    """Reverse the order of elements along the axes."""
    return data.flip(axis)


@reverse.onnx
def _(g: GraphBuilder, data: Value, *, axis: Shape) -> Value:
    count = len(axis)
    return g.op(
        "Slice", data, g.ints([INT64_MAX] * count), g.ints([INT64_MIN] * count), g.ints(axis), g.ints([-1] * count)
    )


_PAD_MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}


def _check_pad(rank: int, pad_width: Shape) -> None:
    if rank not in (4, 5) or len(pad_width) != 2 * rank or any(pad_width[:4]):
        raise InputError(
            "Pad: cannot pad this: expected data of 4 or 5 dimensions and 2 widths for each, 0 for the first two axes, "
            f"got {rank} dimensions, pad_width={pad_width}."
        )


@operator("Pad", "pad", method="pad", source="MXNet 1.9.1 src/operator/pad-inl.h")
def pad(
    data: Tensor,
    *,
    mode: Literal["constant", "edge", "reflect"],
    pad_width: Shape,
    constant_value: float = 0.0,
) -> Tensor:
    """Pad the spatial axes of (N, C, H, W) or (N, C, D, H, W).

    `pad_width` has (before, after) for each axis, 0 for the first two.

    Raises:
        InputError: Another rank, or a width for the first two axes.
    """
    _check_pad(data.dim(), pad_width)
    widths = [w for axis in range(data.dim() - 1, 1, -1) for w in pad_width[2 * axis : 2 * axis + 2]]
    if mode == "constant":
        return F.pad(data, widths, value=constant_value)
    return F.pad(data, widths, _PAD_MODES[mode])


@pad.onnx
def _(g: GraphBuilder, data: Value, *, mode: str, pad_width: Shape, constant_value: float) -> Value:
    _check_pad(g.rank(data), pad_width)
    widths = g.ints([*pad_width[::2], *pad_width[1::2]])
    if mode == "constant":
        return g.op("Pad", data, widths, g.scalar(constant_value, data))
    return g.op("Pad", data, widths, mode=mode)


def _expand(name: str, data: Tensor, sizes: Sequence[int]) -> Tensor:
    """Broadcast into memory of its own, so that the result can be written to."""
    try:
        return data.expand(sizes).contiguous()
    except RuntimeError as err:
        raise InputError(
            f"{name}: cannot broadcast: expected sizes of 1 or those of {tuple(sizes)}, got data={tuple(data.shape)}."
        ) from err


BROADCAST = "MXNet 1.9.1 src/operator/tensor/broadcast_reduce_op.h"


@operator("broadcast_to", method="broadcast_to", source=BROADCAST)
def broadcast_to(data: Tensor, *, shape: Shape = ()) -> Tensor:
    """Repeat axes of size 1 to `shape`, of the rank of `data`; 0 keeps a size."""
    if len(shape) != data.dim():
        raise InputError(f"broadcast_to: ranks differ: expected {data.dim()} sizes, got shape={shape}.")
    return _expand("broadcast_to", data, [size or have for size, have in zip(shape, data.shape, strict=True)])


@broadcast_to.onnx
def _(g: GraphBuilder, data: Value, *, shape: Shape) -> Value:
    return g.op("Expand", data, g.ints([size or 1 for size in shape]))


@operator("broadcast_axis", "broadcast_axes", method="broadcast_axes", source=BROADCAST)
def broadcast_axis(data: Tensor, *, axis: Shape = (), size: Shape = ()) -> Tensor:
    """Repeat each axis in `axis`, of size 1, to the size beside it in `size`."""
    return _expand("broadcast_axis", data, _broadcast_sizes(tuple(data.shape), axis, size))


def _broadcast_sizes(sizes: tuple[int, ...], axis: Shape, size: Shape) -> list[int]:
    if len(axis) != len(size):
        raise AttributeValueError(f"broadcast_axis: lengths differ: expected one size an axis, got {axis=}, {size=}.")
    result = list(sizes)
    for a, s in zip(axis, size, strict=True):
        result[a] = s
    return result


@broadcast_axis.onnx
def _(g: GraphBuilder, data: Value, *, axis: Shape, size: Shape) -> Value:
    return g.op("Expand", data, g.ints(_broadcast_sizes((1,) * g.rank(data), axis, size)))


@operator("broadcast_like", method="broadcast_like", source=BROADCAST)
def broadcast_like(lhs: Tensor, rhs: Tensor, *, lhs_axes: Shape | None = None, rhs_axes: Shape | None = None) -> Tensor:
    """Repeat axes of size 1 of `lhs` to the sizes of `rhs`: all, or each of `lhs_axes` to that of `rhs_axes`."""
    if lhs_axes is None or rhs_axes is None:
        return _expand("broadcast_like", lhs, rhs.shape)
    if not lhs_axes or len(lhs_axes) != len(rhs_axes):
        raise AttributeValueError(
            f"broadcast_like: axes do not pair up: expected as many of each, at least one, got {lhs_axes=}, "
            f"{rhs_axes=}."
        )
    sizes = list(lhs.shape)
    for left, right in zip(lhs_axes, rhs_axes, strict=True):
        sizes[left] = rhs.shape[right]
    return _expand("broadcast_like", lhs, sizes)


@broadcast_like.dtypes
def _(lhs: str | None, output: str | None) -> dict[str, str | None]:
    return {"lhs": output, "output": lhs}


@broadcast_like.onnx
def _(g: GraphBuilder, lhs: Value, rhs: Value, *, lhs_axes: Shape | None, rhs_axes: Shape | None) -> Value:
    lengths = g.shape(rhs)
    if lhs_axes is None or rhs_axes is None:
        return g.op("Expand", lhs, lengths)
    parts = [g.ints([1])] * g.rank(lhs)
    for left, right in zip(lhs_axes, rhs_axes, strict=True):
        parts[left] = g.op("Gather", lengths, g.ints([right % g.rank(rhs)]))
    return g.op("Expand", lhs, g.op("Concat", *parts, axis=0))
