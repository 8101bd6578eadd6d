"""Operators that move, join, cut, repeat or pad elements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops import sparse_rules
from gluonnx.ops.attributes import OpenShape, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import no_effect, operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/matrix_op-inl.h"
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


@operator("Flatten", "flatten", method="flatten", view=True, source=SOURCE)
def flatten(data: Tensor) -> Tensor:
    """View (N, ...) as (N, elements of a sample)."""
    return data.flatten(1) if data.dim() > 1 else data.unsqueeze(1)


@flatten.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.op("Flatten", data, axis=1)


@dataclass(frozen=True, slots=True)
class _Size:
    """The product of some sizes of the input, by a divisor."""

    axes: tuple[int, ...]
    divisor: int = 1

    def of(self, sizes: Sequence[int | None]) -> int | None:
        """Its value for an input of these sizes, None where a size is not known."""
        total = 1
        for axis in self.axes:
            size = sizes[axis]
            if size is None:
                return None
            total *= size
        return total // self.divisor


INFERRED = -1

_Target = list[int | _Size]
"""The sizes of an output: fixed, taken from the input, or `INFERRED` (one of them)."""


def _reshape_target(rank: int, codes: Shape, reverse: bool) -> _Target:
    """Resolve the codes of `Reshape` against an input of `rank` dimensions.

    Raises:
        InputError: The codes name more dimensions than the input has.
    """
    if reverse:
        mirrored = _reshape_target(rank, codes[::-1], False)
        return [
            _Size(tuple(rank - 1 - a for a in size.axes), size.divisor) if isinstance(size, _Size) else size
            for size in reversed(mirrored)
        ]
    target: _Target = []
    axis = 0
    rest = iter(codes)
    for code in rest:
        taken = 2 if code == -3 else 1
        if code in (0, -3, -4) and axis + taken > rank:
            raise InputError(f"Reshape: the shape has too many codes: expected {rank} dimensions, got shape={codes}.")
        if code == -2:
            target += [_Size((a,)) for a in range(axis, rank)]
            axis = rank
            continue
        if code == -4:
            first, second = next(rest, 0), next(rest, 0)
            if min(first, second) < -1 or 0 in (first, second) or first == second == -1:
                raise InputError(
                    f"Reshape: -4 wants two sizes after it: expected at most one of them -1, got shape={codes}."
                )
            target += [
                _Size((axis,), second) if first == -1 else first,
                _Size((axis,), first) if second == -1 else second,
            ]
        elif code == 0:
            target.append(_Size((axis,)))
        elif code == -3:
            target.append(_Size((axis, axis + 1)))
        elif code >= -1:
            target.append(code)
        else:
            raise InputError(f"Reshape: unknown code: expected a size or one of 0, -1, -2, -3, -4, got shape={codes}.")
        axis += taken
    return target


def _legacy_codes(target_shape: Shape, keep_highest: bool) -> Shape:
    """Turn `target_shape`, whose 0 is the inferred size, into codes; `keep_highest` keeps the first size."""
    codes = tuple(INFERRED if size == 0 else size for size in target_shape)
    return (0, *codes[1:]) if keep_highest else codes


def _codes(shape: Shape, target_shape: Shape, keep_highest: bool) -> Shape:
    if shape:
        return shape
    if not target_shape:
        raise AttributeValueError("Reshape: has no shape: expected sizes or codes, got shape=(). Pass `shape=`.")
    return _legacy_codes(target_shape, keep_highest)


@operator(
    "Reshape",
    "reshape",
    method="reshape",
    view=True,
    shapes="elements",
    source=SOURCE + ", InferReshapeShape",
)
def reshape(
    data: Tensor,
    *,
    shape: Shape = (),
    reverse: bool = False,
    target_shape: Shape = (),
    keep_highest: bool = False,
) -> Tensor:
    """View `data` in another shape.

    Codes, read from the left (from the right under `reverse`): a positive size; 0 copies a size; -1 is inferred; -2
    copies all remaining sizes; -3 multiplies two; -4 splits one into the two that follow, one of which may be -1.
    `target_shape` is the old form, in which 0 is inferred and `keep_highest` keeps the first size.

    Raises:
        InputError: The codes do not fit the input, or the number of elements differs.
    """
    codes = _codes(shape, target_shape, keep_highest)
    if reverse or 0 in codes or min(codes) < -1:
        sizes = tuple(data.shape)
        target = _reshape_target(len(sizes), codes, reverse)
        resolved: Sequence[int] = [t if isinstance(t, int) else t.of(sizes) or 0 for t in target]
    else:
        resolved = codes
    try:
        return data.reshape(resolved)
    except RuntimeError as err:
        raise InputError(
            f"Reshape: the number of elements differs: expected {data.numel()} of data={tuple(data.shape)}, "
            f"got shape={codes}."
        ) from err


@reshape.onnx
def _(g: GraphBuilder, data: Value, *, shape: Shape, reverse: bool, target_shape: Shape, keep_highest: bool) -> Value:
    sizes = g.dims(data)
    target = _reshape_target(len(sizes), _codes(shape, target_shape, keep_highest), reverse)
    known = [t if isinstance(t, int) else t.of(sizes) for t in target]
    # ONNX's 0 copies the size at the same place; its -1 infers one size.
    copied = [0 if size is None and target[i] == _Size((i,)) else size for i, size in enumerate(known)]
    if None in copied and INFERRED not in copied and copied.count(None) == 1:
        copied[copied.index(None)] = INFERRED
    if None not in copied:
        return g.op("Reshape", data, g.ints([size for size in copied if size is not None]))
    lengths = g.shape(data)
    parts = [
        g.ints([size]) if size is not None else _lower_size(g, lengths, t)
        for size, t in zip(known, target, strict=True)
    ]
    return g.op("Reshape", data, g.op("Concat", *parts, axis=0))


def _lower_size(g: GraphBuilder, lengths: Value, size: int | _Size) -> Value:
    assert isinstance(size, _Size)
    total = g.op("Gather", lengths, g.ints([size.axes[0]]))
    for axis in size.axes[1:]:
        total = g.op("Mul", total, g.op("Gather", lengths, g.ints([axis])))
    return total if size.divisor == 1 else g.op("Div", total, g.ints([size.divisor]))


def _span(rank: int, begin: int | None, end: int | None) -> tuple[int, int]:
    """Resolve optional, possibly negative bounds."""
    low = 0 if begin is None else begin + rank * (begin < 0)
    high = rank if end is None else end + rank * (end < 0)
    return low, high


@operator(
    "reshape_like",
    method="reshape_like",
    view=True,
    source="MXNet 1.9.1 src/operator/tensor/elemwise_unary_op_basic.cc",
)
def reshape_like(
    lhs: Tensor,
    rhs: Tensor,
    *,
    lhs_begin: int | None = None,
    lhs_end: int | None = None,
    rhs_begin: int | None = None,
    rhs_end: int | None = None,
) -> Tensor:
    """View `lhs` with its sizes [lhs_begin, lhs_end) replaced by the sizes [rhs_begin, rhs_end) of `rhs`."""
    left, right = _span(lhs.dim(), lhs_begin, lhs_end), _span(rhs.dim(), rhs_begin, rhs_end)
    target = (*lhs.shape[: left[0]], *rhs.shape[right[0] : right[1]], *lhs.shape[left[1] :])
    try:
        return lhs.reshape(target)
    except RuntimeError as err:
        raise InputError(
            f"reshape_like: the number of elements differs: expected {lhs.numel()}, got lhs={tuple(lhs.shape)}, "
            f"rhs={tuple(rhs.shape)}."
        ) from err


@reshape_like.dtypes
def _(lhs: str | None, output: str | None) -> dict[str, str | None]:
    return {"lhs": output, "output": lhs}


@reshape_like.onnx
def _(
    g: GraphBuilder,
    lhs: Value,
    rhs: Value,
    *,
    lhs_begin: int | None,
    lhs_end: int | None,
    rhs_begin: int | None,
    rhs_end: int | None,
) -> Value:
    left, right = _span(g.rank(lhs), lhs_begin, lhs_end), _span(g.rank(rhs), rhs_begin, rhs_end)
    spans = ((lhs, 0, left[0]), (rhs, *right), (lhs, left[1], g.rank(lhs)))
    parts = [g.op("Slice", g.shape(value), g.ints([low]), g.ints([high])) for value, low, high in spans if low < high]
    return g.op("Reshape", lhs, g.op("Concat", *parts, axis=0) if len(parts) > 1 else parts[0])


@operator("shape_array", method="shape_array", source=SOURCE)
def shape_array(data: Tensor) -> Tensor:
    """The shape, as an int64 array of one dimension."""
    return torch.tensor(data.shape, dtype=torch.int64, device=data.device)


@shape_array.dtypes
def _() -> dict[str, str | None]:
    return {"output": "int64"}


@shape_array.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.shape(data)


@operator("size_array", method="size_array", source=SOURCE)
def size_array(data: Tensor) -> Tensor:
    """The number of elements, as an int64 array of shape (1,)."""
    return torch.tensor([data.numel()], dtype=torch.int64, device=data.device)


@size_array.dtypes
def _() -> dict[str, str | None]:
    return {"output": "int64"}


@size_array.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.op("Reshape", g.op("Size", data), g.ints([1]))


@operator("transpose", method="transpose", view=True, source=SOURCE)
def transpose(data: Tensor, *, axes: Shape = ()) -> Tensor:
    """Permute the axes; reverse them without `axes`."""
    if not axes:
        axes = tuple(range(data.dim() - 1, -1, -1))
    try:
        return data.permute(axes)
    except (RuntimeError, IndexError) as err:
        raise InputError(
            f"transpose: axes are not a permutation: expected {data.dim()} different axes, got axes={axes}."
        ) from err


@transpose.onnx
def _(g: GraphBuilder, data: Value, *, axes: Shape) -> Value:
    return g.op("Transpose", data, perm=list(axes or range(g.rank(data) - 1, -1, -1)))


@operator("expand_dims", method="expand_dims", view=True, source=SOURCE)
def expand_dims(data: Tensor, *, axis: int) -> Tensor:
    """Insert an axis of size 1 at `axis` of the result."""
    return data.unsqueeze(axis)


@expand_dims.onnx
def _(g: GraphBuilder, data: Value, *, axis: int) -> Value:
    return g.op("Unsqueeze", data, g.ints([axis]))


@operator("squeeze", method="squeeze", view=True, source=SOURCE, no_effect=(no_effect("inplace", bool, False),))
def squeeze(data: Tensor, *, axis: Shape | None = None) -> Tensor:
    """Remove axes of size 1, all of them without `axis`. One axis always stays: (1, 1) gives (1,).

    Raises:
        InputError: An axis in `axis` is not of size 1.
    """
    if axis is None:
        out = data.squeeze()
    else:
        for a in axis:
            if data.shape[a] != 1:
                raise InputError(f"squeeze: axis is not of size 1: expected 1, got data={tuple(data.shape)}, axis={a}.")
        out = data.squeeze(axis)
    return out if out.dim() or not data.dim() else out.view(1)


@squeeze.onnx
def _(g: GraphBuilder, data: Value, *, axis: Shape | None) -> Value:
    rank = g.rank(data)
    axes = [i for i, size in enumerate(g.dims(data)) if size == 1] if axis is None else [a % rank for a in axis]
    if len(axes) == rank:
        return g.op("Reshape", data, g.ints([1]))
    return g.op("Squeeze", data, g.ints(axes)) if axes else data


@operator("SwapAxis", "swapaxes", method="swapaxes", view=True, source="MXNet 1.9.1 src/operator/swapaxis-inl.h")
def swap_axis(data: Tensor, *, dim1: int = 0, dim2: int = 0) -> Tensor:
    """Exchange two axes."""
    return data.transpose(dim1, dim2)


@swap_axis.onnx
def _(g: GraphBuilder, data: Value, *, dim1: int, dim2: int) -> Value:
    perm = list(range(g.rank(data)))
    perm[dim1], perm[dim2] = perm[dim2], perm[dim1]
    return g.op("Transpose", data, perm=perm)


@operator(
    "Concat", "_sparse_concat", "concat", count_attribute="num_args", source="MXNet 1.9.1 src/operator/nn/concat.cc"
)
def concat(*data: Tensor, dim: int = 1) -> Tensor:
    """Join arrays along axis `dim`.

    Raises:
        InputError: Shapes differ along another axis, or dtypes differ.
    """
    if any(d.dtype != data[0].dtype for d in data):
        raise InputError(f"Concat: dtypes differ: expected one dtype, got {[str(d.dtype) for d in data]}.")
    try:
        return torch.cat(data, dim)
    except (RuntimeError, IndexError) as err:
        raise InputError(
            f"Concat: shapes do not fit: expected them equal but for axis {dim}, got {[tuple(d.shape) for d in data]}."
        ) from err


concat.sparse(sparse_rules.concat)


@concat.output_shapes
def _(*data: Shape, dim: int) -> tuple[Shape] | None:
    first = data[0]
    if not -len(first) <= dim < len(first):
        return None
    axis = dim % len(first)
    around = {(shape[:axis], shape[axis + 1 :]) for shape in data}
    return ((*first[:axis], sum(shape[axis] for shape in data), *first[axis + 1 :]),) if len(around) == 1 else None


@concat.onnx
def _(g: GraphBuilder, *data: Value, dim: int) -> Value:
    return g.op("Concat", *data, axis=dim)


@operator("stack", count_attribute="num_args", source=SOURCE)
def stack(*data: Tensor, axis: int = 0) -> Tensor:
    """Join arrays of one shape along a new axis."""
    try:
        return torch.stack(data, axis)
    except RuntimeError as err:
        raise InputError(f"stack: shapes differ: expected one shape, got {[tuple(d.shape) for d in data]}.") from err


@stack.onnx
def _(g: GraphBuilder, *data: Value, axis: int) -> Value:
    return g.op("Concat", *(g.op("Unsqueeze", d, g.ints([axis])) for d in data), axis=axis)


@operator(
    "SliceChannel",
    "split",
    view=True,
    outputs=lambda attrs: [f"output{i}" for i in range(attrs["num_outputs"])],
    method="split",
    source="MXNet 1.9.1 src/operator/slice_channel-inl.h",
)
def slice_channel(data: Tensor, *, num_outputs: int, axis: int = 1, squeeze_axis: bool = False) -> tuple[Tensor, ...]:
    """Cut `data` into `num_outputs` equal parts along `axis`; `squeeze_axis` removes the axis where parts have size 1.

    Raises:
        InputError: The size of `axis` is no multiple of `num_outputs`.
    """
    size = data.shape[axis]
    if size % num_outputs or (squeeze_axis and size != num_outputs):
        raise InputError(
            f"SliceChannel: cannot cut axis {axis} evenly: expected a multiple of num_outputs={num_outputs}"
            f"{' (equal under squeeze_axis)' if squeeze_axis else ''}, got data={tuple(data.shape)}."
        )
    return data.unbind(axis) if squeeze_axis else torch.split(data, size // num_outputs, axis)


@slice_channel.onnx
def _(g: GraphBuilder, data: Value, *, num_outputs: int, axis: int, squeeze_axis: bool) -> tuple[Value, ...]:
    if num_outputs == 1:
        parts: tuple[Value, ...] = (g.op("Identity", data),)
    else:
        parts = g.op_outputs("Split", num_outputs, data, axis=axis, num_outputs=num_outputs)
    return tuple(g.op("Squeeze", part, g.ints([axis])) for part in parts) if squeeze_axis else parts


def _slices(begin: OpenShape, end: OpenShape, step: OpenShape) -> list[slice]:
    steps = step or (None,) * len(begin)
    if not len(begin) == len(end) == len(steps) or 0 in steps:
        raise AttributeValueError(
            "slice: begin, end and step do not fit: expected one length and no step 0, "
            f"got begin={begin}, end={end}, step={step}."
        )
    return [slice(b, e, s) for b, e, s in zip(begin, end, steps, strict=True)]


@operator("slice", "_sparse_slice", "crop", method="slice", view=True, source=SOURCE + ", SliceParam")
def slice_(data: Tensor, *, begin: OpenShape, end: OpenShape, step: OpenShape = ()) -> Tensor:
    """`data[begin:end:step]` along the leading axes; None stands for an open end, steps may be negative."""
    slices = _slices(begin, end, step)
    if len(slices) > data.dim():
        raise InputError(f"slice: too many bounds: expected at most {data.dim()}, got begin={begin}.")
    for axis, bounds in enumerate(slices):
        if bounds.step is not None and bounds.step < 0:
            at = range(*bounds.indices(data.shape[axis]))
            positions = torch.arange(at.start, at.start + len(at) * at.step, at.step, device=data.device)
            data = data.index_select(axis, positions)
            slices[axis] = slice(None)
    return data[tuple(slices)]


slice_.sparse(sparse_rules.cut)


@slice_.onnx
def _(g: GraphBuilder, data: Value, *, begin: OpenShape, end: OpenShape, step: OpenShape) -> Value:
    axes, starts, ends, steps = [], [], [], []
    for axis, bounds in enumerate(_slices(begin, end, step)):
        if bounds == slice(None):
            continue
        stride = 1 if bounds.step is None else bounds.step
        axes.append(axis)
        steps.append(stride)
        starts.append(bounds.start if bounds.start is not None else 0 if stride > 0 else INT64_MAX)
        ends.append(bounds.stop if bounds.stop is not None else INT64_MAX if stride > 0 else INT64_MIN)
    return g.op("Slice", data, g.ints(starts), g.ints(ends), g.ints(axes), g.ints(steps)) if axes else data


@operator("slice_axis", method="slice_axis", view=True, source=SOURCE + ", SliceAxisParam")
def slice_axis(data: Tensor, *, axis: int, begin: int, end: int | None) -> Tensor:
    """`data[begin:end]` along `axis`; negative bounds count from the end, None is the end.

    Raises:
        InputError: The bounds lie outside of the axis, or nothing lies between them.
    """
    size = data.shape[axis]
    low = begin + size * (begin < 0)
    high = size if end is None else end + size * (end < 0)
    if not 0 <= low < high <= size:
        raise InputError(
            f"slice_axis: wrong bounds: expected 0 <= begin < end <= {size} on axis {axis}, "
            f"got begin={begin}, end={end}."
        )
    return data.narrow(axis, low, high - low)


@slice_axis.onnx
def _(g: GraphBuilder, data: Value, *, axis: int, begin: int, end: int | None) -> Value:
    return g.op("Slice", data, g.ints([begin]), g.ints([INT64_MAX if end is None else end]), g.ints([axis]))


@operator("slice_like", method="slice_like", view=True, source=SOURCE + ", SliceLikeParam")
def slice_like(data: Tensor, shape_like: Tensor, *, axes: Shape = ()) -> Tensor:
    """Cut `data` to the sizes of `shape_like` along `axes` (all without `axes`)."""
    for axis in axes or range(data.dim()):
        if shape_like.shape[axis] > data.shape[axis]:
            raise InputError(
                f"slice_like: axis {axis} is too short: expected at least {shape_like.shape[axis]}, "
                f"got data={tuple(data.shape)}."
            )
        data = data.narrow(axis, 0, shape_like.shape[axis])
    return data


@slice_like.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@slice_like.onnx
def _(g: GraphBuilder, data: Value, shape_like: Value, *, axes: Shape) -> Value:
    rank = g.rank(data)
    cut = [a % rank for a in axes] if axes else list(range(rank))
    ends = g.op("Gather", g.shape(shape_like), g.ints([a % g.rank(shape_like) for a in axes] if axes else cut))
    return g.op("Slice", data, g.ints([0] * len(cut)), ends, g.ints(cut))


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


def _check_blocks(name: str, data: Tensor, split: Shape, block_size: int) -> None:
    """Raise unless each axis divides by the number beside it."""
    if block_size < 1:
        raise AttributeValueError(f"{name}: no block: expected a block_size of 1 or more, got {block_size=}.")
    shape = tuple(data.shape)
    if len(shape) != 4 or 0 in shape or any(size % by for size, by in zip(shape, split, strict=True)):
        raise InputError(
            f"{name}: wrong shape of data: expected (N, C, H, W), without sizes of 0, that divides into blocks of "
            f"{block_size}, got data={shape}."
        )


@operator("depth_to_space", method="depth_to_space", source=SOURCE)
def depth_to_space(data: Tensor, *, block_size: int) -> Tensor:
    """Move blocks of channels into space: (N, b b C, H, W) gives (N, C, b H, b W), the channel fastest."""
    b = block_size
    _check_blocks("depth_to_space", data, (1, b * b, 1, 1), b)
    n, c, h, w = data.shape
    blocks = data.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c // (b * b), h * b, w * b)


@depth_to_space.onnx
def _(g: GraphBuilder, data: Value, *, block_size: int) -> Value:
    return g.op("DepthToSpace", data, blocksize=block_size, mode="DCR")


@operator("space_to_depth", method="space_to_depth", source=SOURCE)
def space_to_depth(data: Tensor, *, block_size: int) -> Tensor:
    """Move blocks of space into channels: (N, C, b H, b W) gives (N, b b C, H, W), the channel fastest."""
    b = block_size
    _check_blocks("space_to_depth", data, (1, 1, b, b), b)
    n, c, h, w = data.shape
    blocks = data.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, c * b * b, h // b, w // b)


@space_to_depth.onnx
def _(g: GraphBuilder, data: Value, *, block_size: int) -> Value:
    return g.op("SpaceToDepth", data, blocksize=block_size)


@operator("diag", method="diag", view=True, source="MXNet 1.9.1 src/operator/tensor/diag_op-inl.h")
def diag(data: Tensor, *, k: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal `k` of the matrices along two axes, as the last axis; for a vector, the matrix that has it."""
    if data.dim() == 1:
        return torch.diag(data, k)
    result = data.diagonal(k, axis1, axis2)
    if 0 in result.shape:
        raise AttributeValueError(
            f"diag: there is no such diagonal: expected one that crosses matrices along axes {axis1} and {axis2} of "
            f"data={tuple(data.shape)}, got {k=}."
        )
    return result


@diag.onnx
def _(g: GraphBuilder, data: Value, *, k: int, axis1: int, axis2: int) -> Value:
    sizes = g.dims(data)
    rank = len(sizes)
    rows, columns = (sizes[0], sizes[0]) if rank == 1 else (sizes[axis1], sizes[axis2])
    if rows is None or columns is None:
        raise LoweringError(f"diag: the matrix must have fixed sizes: expected ints, got data={sizes}.")
    if rank == 1:
        places = np.diag(np.arange(1, rows + 1), k)
        zero = g.op("Reshape", g.scalar(0.0, data), g.ints([1]))
        return g.op("Gather", g.op("Concat", zero, data, axis=0), g.const(places, "int64"), axis=0)
    others = [a for a in range(rank) if a not in (axis1 % rank, axis2 % rank)]
    last = g.op("Transpose", data, perm=[*others, axis1 % rank, axis2 % rank])
    flat = g.op("Reshape", last, g.ints([0] * len(others) + [rows * columns]))
    places = np.diagonal(np.arange(rows * columns).reshape(rows, columns), k)
    return g.op("Gather", flat, g.const(places, "int64"), axis=len(others))
