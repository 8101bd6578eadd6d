"""Operators that give an array another shape or order of axes, or tell its shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.memory import own_copy
from gluonnx.ops.table import DeclinedError, no_effect, operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/matrix_op-inl.h"
SWAPS = ((), (1, 0), (-1, 0), (1, -2), (-1, -2))
"""Axes that swap the two of a matrix."""


@operator("Flatten", "flatten", method="flatten", view=True, source=SOURCE)
def flatten(data: Tensor) -> Tensor:
    """View (N, ...) as (N, elements of a sample)."""
    return data.flatten(1) if data.dim() > 1 else data.unsqueeze(1)


@flatten.quick
def _() -> Callable[[Tensor], Tensor]:
    return lambda data: own_copy(data).flatten(1) if data.dim() > 1 else own_copy(data).unsqueeze(1)


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


def plain_codes(*, shape: Shape, reverse: bool, target_shape: Shape, keep_highest: bool) -> Shape | None:
    """Return the sizes that `Reshape` gives, one of them maybe -1; None where they depend on the input's."""
    codes = shape or (_legacy_codes(target_shape, keep_highest) if target_shape else (0,))
    return None if reverse or 0 in codes or min(codes) < INFERRED else codes


@reshape.quick
def _(**attrs: Any) -> Callable[[Tensor], Tensor] | None:
    codes = plain_codes(**attrs)
    return None if codes is None else lambda data: own_copy(data).view(codes)


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


@transpose.quick
def _(*, axes: Shape) -> Callable[[Tensor], Tensor]:
    swap = torch.t_copy

    def call(data: Tensor) -> Tensor:
        if axes in SWAPS and data.dim() == 2 and data.is_contiguous():
            return swap(data)
        return own_copy(data.permute(axes or tuple(range(data.dim() - 1, -1, -1))))

    return call


@transpose.onnx
def _(g: GraphBuilder, data: Value, *, axes: Shape) -> Value:
    return g.op("Transpose", data, perm=list(axes or range(g.rank(data) - 1, -1, -1)))


@operator("expand_dims", method="expand_dims", view=True, source=SOURCE)
def expand_dims(data: Tensor, *, axis: int) -> Tensor:
    """Insert an axis of size 1 at `axis` of the result."""
    return data.unsqueeze(axis)


@expand_dims.quick
def _(*, axis: int) -> Callable[[Tensor], Tensor]:
    copy = torch.unsqueeze_copy
    return lambda data: copy(data, axis) if data.is_contiguous() else own_copy(data).unsqueeze(axis)


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


@squeeze.quick
def _(*, axis: Shape | None) -> Callable[[Tensor], Tensor] | None:
    if not axis:
        return None
    copy = torch.squeeze_copy
    place = axis[0] if len(axis) == 1 else axis
    count = len(axis)

    def call(data: Tensor) -> Tensor:
        if not data.is_contiguous():
            raise DeclinedError
        result = copy(data, place)
        if result.dim() != data.dim() - count or not result.dim():
            raise DeclinedError
        return result

    return call


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
    if not result.shape[-1]:
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
