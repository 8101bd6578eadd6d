"""Operators that select by index, sort or mask."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError, PositionError
from gluonnx.ops import sparse_rules
from gluonnx.ops.attributes import DTypeName
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.dtypes import torch_dtype
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/indexing_op.h"

FLOAT32 = DTypeName("float32")

SORTED_DTYPES = frozenset({"float16", "float32", "float64", "int32", "int64"})
"""What ONNX Runtime's TopK takes; float16 through casts that it inserts itself."""


def _place(index: Tensor, size: int, mode: str) -> Tensor:
    """Turn indices of any dtype into int64 positions below `size`; fractions are cut off."""
    positions = index.long()
    return positions.remainder(size) if mode == "wrap" else positions.clamp(0, size - 1)


def _lower_place(g: GraphBuilder, index: Value, data: Value, axis: int, mode: str) -> Value:
    positions = g.cast(index, "int64")
    fixed = g.dims(data)[axis]
    if fixed is None:
        size = g.op("Gather", g.shape(data), g.const(axis % g.rank(data), "int64"))
        last = g.op("Sub", size, g.const(1, "int64"))
    else:
        size, last = g.const(fixed, "int64"), g.const(fixed - 1, "int64")
    return g.op("Mod", positions, size) if mode == "wrap" else g.op("Clip", positions, g.const(0, "int64"), last)


@operator("batch_take", source="MXNet 1.9.1 src/operator/tensor/indexing_op.h", gradient="refused")
def batch_take(a: Tensor, indices: Tensor) -> Tensor:
    """Select one element of each row: `a` (N, C) and `indices` of N elements give `a[i, indices[i]]`.

    Indices outside go to the nearest end.

    Raises:
        InputError: There are not as many indices as rows.
    """
    if a.dim() != 2 or indices.numel() != a.shape[0]:
        raise InputError(
            f"batch_take: indices do not fit: expected a=(N, C) and N indices, got a={tuple(a.shape)}, "
            f"indices={tuple(indices.shape)}."
        )
    places = _place(indices.reshape(-1, 1), a.shape[1], "clip")
    return torch.gather(a, 1, places).reshape(indices.shape)


@batch_take.onnx
def _(g: GraphBuilder, a: Value, indices: Value) -> Value:
    places = _lower_place(g, indices, a, 1, "clip")
    column = g.op("Unsqueeze", places, g.ints([1]))
    return g.op("Squeeze", g.op("GatherElements", a, column, axis=1), g.ints([1]))


@operator(
    "pick", "choose_element_0index", method="pick", source="MXNet 1.9.1 src/operator/tensor/broadcast_reduce_op.h"
)
def pick(
    data: Tensor,
    index: Tensor,
    *,
    axis: int | None = -1,
    keepdims: bool = False,
    mode: Literal["clip", "wrap"] = "clip",
) -> Tensor:
    """Select one element along `axis` for each position of the others.

    `index` has the shape of `data` without `axis`, or with size 1 there. Indices outside go to the nearest end (`clip`)
    or around (`wrap`).

    Raises:
        InputError: `index` has another shape.
        AttributeValueError: `axis` is None, which MXNet refuses too.
    """
    axis = _check_axis(axis)
    positions = _place(index, data.shape[axis], mode)
    if positions.dim() < data.dim():
        positions = positions.unsqueeze(axis)
    try:
        out = torch.gather(data, axis, positions)
    except RuntimeError as err:
        raise InputError(
            f"pick: index does not fit: expected the shape of data={tuple(data.shape)} without axis {axis}, "
            f"got index={tuple(index.shape)}."
        ) from err
    return out if keepdims or data.dim() == 1 else out.squeeze(axis)


def _check_axis(axis: int | None) -> int:
    if axis is None:
        raise AttributeValueError("pick: axis is missing: expected an int, got axis=None. Pass `axis=`.")
    return axis


@pick.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@pick.onnx
def _(g: GraphBuilder, data: Value, index: Value, *, axis: int | None, keepdims: bool, mode: str) -> Value:
    axis = _check_axis(axis)
    positions = _lower_place(g, index, data, axis, mode)
    if g.rank(index) < g.rank(data):
        positions = g.op("Unsqueeze", positions, g.ints([axis]))
    out = g.op("GatherElements", data, positions, axis=axis)
    return out if keepdims or g.rank(data) == 1 else g.op("Squeeze", out, g.ints([axis]))


@operator("one_hot", method="one_hot", source=SOURCE)
def one_hot(
    indices: Tensor,
    *,
    depth: int,
    on_value: float = 1.0,
    off_value: float = 0.0,
    dtype: DTypeName = FLOAT32,
) -> Tensor:
    """A new last axis of `depth`: `on_value` at the index, `off_value` elsewhere, and everywhere for one outside."""
    hit = indices.long().unsqueeze(-1) == torch.arange(depth, device=indices.device)
    if (on_value, off_value) == (1.0, 0.0):
        return hit.to(torch_dtype(dtype))
    return torch.where(hit, on_value, off_value).to(torch_dtype(dtype))


@one_hot.onnx
def _(g: GraphBuilder, indices: Value, *, depth: int, on_value: float, off_value: float, dtype: str) -> Value:
    positions = g.op("Unsqueeze", g.cast(indices, "int64"), g.ints([-1]))
    hit = g.op("Equal", positions, g.ints(range(depth)))
    return g.cast(g.op("Where", hit, g.const(on_value, "float32"), g.const(off_value, "float32")), dtype)


@operator("take", method="take", source=SOURCE)
def take(a: Tensor, indices: Tensor, *, axis: int = 0, mode: Literal["clip", "raise", "wrap"] = "clip") -> Tensor:
    """Select slices along `axis`: the axis is replaced by the axes of `indices`.

    Indices outside go to the nearest end (`clip`), around (`wrap`), or raise.

    Raises:
        PositionError: An index lies outside, under `mode="raise"`.
    """
    axis %= a.dim()
    size = a.shape[axis]
    if mode == "raise":
        positions = indices.long()
        if positions.device.type != "meta" and positions.numel() and (positions.min() < 0 or positions.max() >= size):
            raise PositionError(
                f"take: index out of bounds: expected indices of 0 to {size - 1}, "
                f"got {int(positions.min())} to {int(positions.max())}."
            )
    else:
        positions = _place(indices, size, mode)
    if axis == 0 and a.dim() == 2:
        return F.embedding(positions, a)
    out = a.index_select(axis, positions.flatten())
    return out.reshape(*a.shape[:axis], *indices.shape, *a.shape[axis + 1 :])


@take.dtypes
def _(a: str | None, output: str | None) -> dict[str, str | None]:
    return {"a": output, "output": a}


take.sparse(sparse_rules.take)


@take.onnx
def _(g: GraphBuilder, a: Value, indices: Value, *, axis: int, mode: str) -> Value:
    positions = g.cast(indices, "int64") if mode == "raise" else _lower_place(g, indices, a, axis, mode)
    return g.op("Gather", a, positions, axis=axis)


@operator(
    "Embedding",
    "_sparse_Embedding",
    source=SOURCE,
)
def embedding(
    data: Tensor,
    weight: Tensor,
    *,
    input_dim: int,
    output_dim: int,
    dtype: DTypeName = FLOAT32,
    sparse_grad: bool = False,
) -> Tensor:
    """Row of `weight` (input_dim, output_dim) for each index in `data`; an index outside goes to the nearest row.

    `dtype` is that of a weight that nothing else determines.

    Raises:
        InputError: `weight` has another shape.
    """
    if weight.shape != (input_dim, output_dim):
        raise InputError(
            f"Embedding: wrong shape of weight: expected {(input_dim, output_dim)}, got weight={tuple(weight.shape)}."
        )
    return F.embedding(data.long().clamp(0, input_dim - 1), weight, sparse=sparse_grad and weight.is_leaf)


embedding.sparse(sparse_rules.embedding, is_recorded=True)


@embedding.dtypes
def _(weight: str | None, *, dtype: str) -> dict[str, str | None]:
    return {"weight": dtype, "output": weight or dtype}


@embedding.onnx
def _(g: GraphBuilder, data: Value, weight: Value, *, input_dim: int) -> Value:
    last = g.const(input_dim - 1, "int64")
    return g.op("Gather", weight, g.op("Clip", g.cast(data, "int64"), g.const(0, "int64"), last), axis=0)


@embedding.parameters
def _(*, input_dim: int, output_dim: int) -> dict[str, tuple[int, ...]]:
    return {"weight": (input_dim, output_dim)}


@operator("gather_nd", source=SOURCE)
def gather_nd(data: Tensor, indices: Tensor) -> Tensor:
    """Select by coordinates: `indices` (M, ...) holds the positions on the first M axes; negative ones count back.

    Raises:
        PositionError: A position lies outside, or there are more than `data` has axes.
    """
    try:
        return data[tuple(indices.long())]
    except IndexError as err:
        raise PositionError(
            f"gather_nd: position out of bounds: expected positions within data={tuple(data.shape)}, got {err}."
        ) from err


@gather_nd.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@gather_nd.onnx
def _(g: GraphBuilder, data: Value, indices: Value) -> Value:
    last = [*range(1, g.rank(indices)), 0]
    return g.op("GatherND", data, g.op("Transpose", g.cast(indices, "int64"), perm=last))


def _ordered(data: Tensor, axis: int, count: int, is_ascending: bool) -> tuple[Tensor, Tensor]:
    """The first `count` values in order, and their positions; equal values stay in order where all are asked for."""
    if 8 * count < data.shape[axis]:
        return torch.topk(data, count, axis, largest=not is_ascending)
    values, positions = torch.sort(data, dim=axis, descending=not is_ascending, stable=True)
    return values.narrow(axis, 0, count), positions.narrow(axis, 0, count)


def _lower_ordered(
    g: GraphBuilder, data: Value, axis: int, count: int | None, is_ascending: bool
) -> tuple[Value, Value]:
    if g.dtype(data) not in SORTED_DTYPES:
        wide = g.cast(data, "int64")
        values, positions = _lower_ordered(g, wide, axis, count, is_ascending)
        return g.cast(values, g.dtype(data)), positions
    whole = g.ints([axis % g.rank(data)])
    size = g.op("Gather", g.shape(data), whole) if count is None else g.ints([count])
    values, positions = g.op_outputs("TopK", 2, data, size, axis=axis, largest=int(not is_ascending), sorted=1)
    return values, positions


ReturnType = Literal["both", "indices", "mask", "value"]


@operator(
    "topk",
    outputs=lambda attrs: ("output0", "output1") if attrs["ret_typ"] == "both" else ("output",),
    unread=lambda attrs: int(attrs["ret_typ"] == "value"),
    method="topk",
    source="MXNet 1.9.1 src/operator/tensor/ordering_op-inl.h",
)
def topk(
    data: Tensor,
    *,
    axis: int | None = -1,
    k: int = 1,
    ret_typ: ReturnType = "indices",
    is_ascend: bool = False,
    dtype: DTypeName = FLOAT32,
) -> Tensor | tuple[Tensor, Tensor]:
    """The `k` largest elements along `axis` (smallest under `is_ascend`; all for k < 1; of all elements for None).

    Returns:
        Their values, their positions as `dtype`, both, or a mask of the shape of `data`.
    """
    flat, along = (data.reshape(-1), 0) if axis is None else (data, axis)
    size = flat.shape[along]
    if k > size:
        raise InputError(f"topk: k is too large: expected at most {size}, got k={k}.")
    values, positions = _ordered(flat, along, k if k > 0 else size, is_ascend)
    if ret_typ == "value":
        return values
    if ret_typ == "mask":
        return torch.zeros_like(flat).scatter_(along, positions, 1).view(data.shape)
    return (values, positions.to(torch_dtype(dtype))) if ret_typ == "both" else positions.to(torch_dtype(dtype))


@topk.dtypes
def _(data: str | None, *, ret_typ: ReturnType, dtype: str) -> dict[str, str | None]:
    if ret_typ == "both":
        return {"output0": data, "output1": dtype}
    return {"output": data if ret_typ in ("value", "mask") else dtype}


@topk.onnx
def _(
    g: GraphBuilder, data: Value, *, axis: int | None, k: int, ret_typ: str, is_ascend: bool, dtype: str
) -> Value | tuple[Value, ...]:
    flat, along = (g.op("Reshape", data, g.ints([-1])), 0) if axis is None else (data, axis)
    values, positions = _lower_ordered(g, flat, along, k if k > 0 else None, is_ascend)
    if ret_typ == "value":
        return values
    if ret_typ == "mask":
        one = g.op("Expand", g.scalar(1.0, data), g.shape(positions))
        zero = g.op("Expand", g.scalar(0.0, data), g.shape(flat))
        mask = g.op("ScatterElements", zero, positions, one, axis=along)
        return mask if axis is not None else g.op("Reshape", mask, g.shape(data))
    return (values, g.cast(positions, dtype)) if ret_typ == "both" else g.cast(positions, dtype)


@operator(
    "sort", outputs="output0", unread=1, method="sort", source="MXNet 1.9.1 src/operator/tensor/ordering_op-inl.h"
)
def sort(data: Tensor, *, axis: int | None = -1, is_ascend: bool = True) -> Tensor:
    """The elements in order along `axis`, or all of them in one axis for None."""
    flat, along = (data.reshape(-1), 0) if axis is None else (data, axis)
    return torch.sort(flat, dim=along, descending=not is_ascend, stable=True).values


@sort.onnx
def _(g: GraphBuilder, data: Value, *, axis: int | None, is_ascend: bool) -> Value:
    flat, along = (g.op("Reshape", data, g.ints([-1])), 0) if axis is None else (data, axis)
    return _lower_ordered(g, flat, along, None, is_ascend)[0]


@operator("argsort", method="argsort", source="MXNet 1.9.1 src/operator/tensor/ordering_op-inl.h")
def argsort(data: Tensor, *, axis: int | None = -1, is_ascend: bool = True, dtype: DTypeName = FLOAT32) -> Tensor:
    """The positions, as `dtype`, that put the elements along `axis` in order; equal elements stay in order."""
    flat, along = (data.reshape(-1), 0) if axis is None else (data, axis)
    positions = torch.sort(flat, dim=along, descending=not is_ascend, stable=True).indices
    return positions.to(torch_dtype(dtype))


@argsort.onnx
def _(g: GraphBuilder, data: Value, *, axis: int | None, is_ascend: bool, dtype: str) -> Value:
    flat, along = (g.op("Reshape", data, g.ints([-1])), 0) if axis is None else (data, axis)
    return g.cast(_lower_ordered(g, flat, along, None, is_ascend)[1], dtype)


@operator(
    "SequenceMask",
    when={"sequence_length": lambda attrs: attrs["use_sequence_length"]},
    source="MXNet 1.9.1 src/operator/sequence_mask-inl.h",
)
def sequence_mask(
    data: Tensor,
    sequence_length: Tensor | None = None,
    *,
    use_sequence_length: bool = False,
    value: float = 0.0,
    axis: int = 0,
) -> Tensor:
    """Set the steps of each sequence at and after its length to `value`.

    `data` (T, N, ...) with `axis=0` or (N, T, ...) with `axis=1`, `sequence_length` (N,) of whole numbers.
    """
    if sequence_length is None:
        return data.clone()
    if axis not in (0, 1) or data.dim() < 2:
        raise InputError(
            f"SequenceMask: wrong axis: expected 0 or 1 and data of two dimensions, got {axis=}, {tuple(data.shape)}."
        )
    steps = torch.arange(data.shape[axis], device=data.device)
    lengths = sequence_length.to(torch.int64).view(*((1, -1) if axis == 0 else (-1, 1)))
    beyond = (steps.view(-1, 1) if axis == 0 else steps.view(1, -1)) >= lengths
    return data.masked_fill(beyond.view(*beyond.shape, *(1,) * (data.dim() - 2)), value)


@sequence_mask.onnx
def _(g: GraphBuilder, data: Value, sequence_length: Value | None = None, *, value: float, axis: int) -> Value:
    if sequence_length is None:
        return g.op("Identity", data)
    rank = g.rank(data)
    size = g.op("Gather", g.shape(data), g.const(axis, "int64"))
    steps = g.op("Range", g.const(0, "int64"), size, g.const(1, "int64"))
    rest = [*range(2, rank)]
    steps = g.op("Unsqueeze", steps, g.ints([1 - axis, *rest]))
    lengths = g.op("Unsqueeze", g.cast(sequence_length, "int64"), g.ints([axis, *rest]))
    return g.op("Where", g.op("GreaterOrEqual", steps, lengths), g.scalar(value, data), data)
