"""Operators that put values into an array, at positions or into a slice; each returns a new array."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import OpenShape, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/indexing_op.h"
SLICE_SOURCE = "MXNet 1.9.1 src/operator/tensor/matrix_op-inl.h"
LEGACY_SOURCE = "MXNet 1.9.1 src/ndarray/ndarray.cc"


def _put(name: str, into: Tensor, values: Tensor, indices: Tensor) -> Tensor:
    """`into` with `values` at the coordinates `indices` (M, ...) on the first M axes.

    Raises:
        InputError: Shapes do not fit, or a position lies outside.
    """
    count = indices.shape[0] if indices.dim() else 0
    if not 0 < count <= into.dim() or values.shape != indices.shape[1:] + into.shape[count:]:
        raise InputError(
            f"{name}: shapes do not fit: expected indices (M, ...) with M from 1 to {into.dim()} and values of "
            f"(..., *{tuple(into.shape)}[M:]), got indices={tuple(indices.shape)}, values={tuple(values.shape)}."
        )
    try:
        return into.index_put(tuple(indices.long()), values)
    except IndexError as err:
        raise InputError(
            f"{name}: position out of bounds: expected positions within {tuple(into.shape)}, got {err}."
        ) from err


def _lower_put(g: GraphBuilder, into: Value, values: Value, indices: Value) -> Value:
    last = [*range(1, g.rank(indices)), 0]
    return g.op("ScatterND", into, g.op("Transpose", g.cast(indices, "int64"), perm=last), values)


@operator("scatter_nd", source=SOURCE)
def scatter_nd(data: Tensor, indices: Tensor, *, shape: Shape) -> Tensor:
    """Zeros of `shape` with `data` at the coordinates `indices` (M, ...), which are those of the first M axes.

    `data` has the shape `indices.shape[1:] + shape[M:]`. Of values for one position the last one stays; negative
    positions count back.

    Raises:
        InputError: Shapes do not fit, or a position lies outside.
    """
    return _put("scatter_nd", torch.zeros(shape, dtype=data.dtype, device=data.device), data, indices)


@scatter_nd.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@scatter_nd.onnx
def _(g: GraphBuilder, data: Value, indices: Value, *, shape: Shape) -> Value:
    return _lower_put(g, g.op("Expand", g.scalar(0.0, data), g.ints(shape)), data, indices)


@operator("_scatter_set_nd", source=SOURCE, gradient="refused")
def scatter_set_nd(lhs: Tensor, rhs: Tensor, indices: Tensor, *, shape: Shape) -> Tensor:
    """`lhs` with `rhs` at the coordinates `indices`, as `scatter_nd`; `shape` is that of `lhs`.

    Differs: `out` may be another array than `lhs`; MXNet takes no other. An imperative call has a
    gradient.

    Raises:
        InputError: Shapes do not fit, or a position lies outside.
    """
    if tuple(lhs.shape) != tuple(shape):
        raise InputError(f"_scatter_set_nd: wrong shape of lhs: expected {shape}, got lhs={tuple(lhs.shape)}.")
    return _put("_scatter_set_nd", lhs, rhs, indices)


@scatter_set_nd.dtypes
def _(lhs: str | None, rhs: str | None, output: str | None) -> dict[str, str | None]:
    common = lhs or rhs or output
    return {"lhs": common, "rhs": common, "output": common}


@scatter_set_nd.onnx
def _(g: GraphBuilder, lhs: Value, rhs: Value, indices: Value) -> Value:
    return _lower_put(g, lhs, rhs, indices)


@operator("_contrib_index_copy", source="MXNet 1.9.1 src/operator/contrib/index_copy-inl.h")
def index_copy(old_tensor: Tensor, index_vector: Tensor, new_tensor: Tensor) -> Tensor:
    """`old_tensor` (R, ...) with the rows that `index_vector` (N,) names replaced by those of `new_tensor` (N, ...).

    Raises:
        InputError: Shapes or dtypes do not fit, or a row lies outside.
    """
    wanted = (index_vector.numel(), *old_tensor.shape[1:])
    if index_vector.dim() != 1 or tuple(new_tensor.shape) != wanted or new_tensor.dtype != old_tensor.dtype:
        raise InputError(
            f"_contrib_index_copy: new_tensor does not fit: expected index_vector (N,) and new_tensor "
            f"(N, *{tuple(old_tensor.shape[1:])}) of {old_tensor.dtype}, got index_vector={tuple(index_vector.shape)}, "
            f"new_tensor={tuple(new_tensor.shape)} {new_tensor.dtype}."
        )
    try:
        return old_tensor.index_copy(0, index_vector.long(), new_tensor)
    except (RuntimeError, IndexError) as err:
        raise InputError(
            f"_contrib_index_copy: row out of bounds: expected rows of 0 to {old_tensor.shape[0] - 1}, "
            f"got index_vector={index_vector.tolist()}."
        ) from err


@index_copy.dtypes
def _(old_tensor: str | None, new_tensor: str | None, output: str | None) -> dict[str, str | None]:
    common = old_tensor or new_tensor or output
    return {"old_tensor": common, "new_tensor": common, "output": common}


@index_copy.onnx
def _(g: GraphBuilder, old_tensor: Value, index_vector: Value, new_tensor: Value) -> Value:
    rows = g.op("Unsqueeze", g.cast(index_vector, "int64"), g.ints([1]))
    return g.op("ScatterND", old_tensor, rows, new_tensor)


def _places(name: str, sizes: Sequence[int], begin: OpenShape, end: OpenShape, step: OpenShape) -> list[range]:
    """The positions that a slice takes on each of the leading axes.

    Raises:
        AttributeValueError: begin, end and step do not fit the array or each other.
    """
    steps = step or (None,) * len(begin)
    if not len(begin) == len(end) == len(steps) <= len(sizes) or 0 in steps:
        raise AttributeValueError(
            f"{name}: begin, end and step do not fit: expected one length of at most {len(sizes)} and no step 0, "
            f"got begin={begin}, end={end}, step={step}."
        )
    return [range(*slice(b, e, s).indices(size)) for size, b, e, s in zip(sizes, begin, end, steps, strict=False)]


def _view_of(data: Tensor, places: Sequence[range]) -> tuple[Tensor, list[int]]:
    """The part of `data` at ascending places, and the axes on which they descend."""
    backward = []
    for axis, at in enumerate(places):
        if at.step < 0:
            backward.append(axis)
            at = at[::-1]
        if len(at):
            data = data[(slice(None),) * axis + (slice(at.start, at[-1] + 1, at.step),)]
        else:
            data = data.narrow(axis, 0, 0)
    return data, backward


@operator("_slice_assign", "_crop_assign", source=SLICE_SOURCE + ", SliceAssignOpForward", gradient="refused")
def slice_assign(lhs: Tensor, rhs: Tensor, *, begin: OpenShape, end: OpenShape, step: OpenShape = ()) -> Tensor:
    """`lhs` with `lhs[begin:end:step]` replaced by `rhs`, which has the shape of that slice.

    Differs: an imperative call has a gradient; MXNet refuses to differentiate it.

    Raises:
        InputError: `rhs` has another shape or dtype.
        AttributeValueError: begin, end and step do not fit.
    """
    places = _places("_slice_assign", lhs.shape, begin, end, step)
    result = lhs.clone()
    part, backward = _view_of(result, places)
    if part.shape != rhs.shape or lhs.dtype != rhs.dtype:
        raise InputError(
            f"_slice_assign: rhs does not fit the slice: expected {tuple(part.shape)} {lhs.dtype}, "
            f"got rhs={tuple(rhs.shape)} {rhs.dtype}."
        )
    part.copy_(rhs.flip(backward) if backward else rhs)
    return result


@operator(
    "_slice_assign_scalar",
    "_crop_assign_scalar",
    source=SLICE_SOURCE + ", SliceAssignScalarOpForward",
    gradient="refused",
)
def slice_assign_scalar(
    data: Tensor, *, scalar: float = 0.0, begin: OpenShape, end: OpenShape, step: OpenShape = ()
) -> Tensor:
    """`data` with every element of `data[begin:end:step]` replaced by `scalar`, which is truncated for integers.

    Differs: an imperative call has a gradient; MXNet refuses to differentiate it.

    Raises:
        AttributeValueError: begin, end and step do not fit.
    """
    places = _places("_slice_assign_scalar", data.shape, begin, end, step)
    result = data.clone()
    _view_of(result, places)[0].fill_(scalar if data.is_floating_point() else int(scalar))
    return result


def _cut_axes(
    g: GraphBuilder, name: str, data: Value, begin: OpenShape, end: OpenShape, step: OpenShape
) -> dict[int, range]:
    """The positions on each axis that a slice does not take whole.

    Raises:
        LoweringError: Such an axis has no fixed size.
    """
    sizes = g.dims(data)
    steps = step or (None,) * len(begin)
    cut: dict[int, range] = {}
    for axis, bounds in enumerate(zip(begin, end, steps, strict=True)):
        if bounds in ((None, None, None), (None, None, 1)):
            continue
        size = sizes[axis]
        if size is None:
            raise LoweringError(
                f"{name}: a slice of the batch axis depends on the batch size: expected None for begin and end of "
                f"axis {axis}, got begin={begin}, end={end}."
            )
        cut[axis] = range(*slice(*bounds).indices(size))
    return cut


@slice_assign.onnx
def _(g: GraphBuilder, lhs: Value, rhs: Value, *, begin: OpenShape, end: OpenShape, step: OpenShape) -> Value:
    cut = _cut_axes(g, "_slice_assign", lhs, begin, end, step)
    if not cut:
        return g.op("Identity", rhs)
    if not all(map(len, cut.values())):
        return g.op("Identity", lhs)
    # ScatterND places along the leading axes.
    order = [*cut, *(axis for axis in range(g.rank(lhs)) if axis not in cut)]
    back = [order.index(axis) for axis in range(len(order))]
    grid = np.stack(np.meshgrid(*map(np.array, cut.values()), indexing="ij"), axis=-1).astype(np.int64)
    values = g.op("Transpose", rhs, perm=order)
    return g.op("Transpose", g.op("ScatterND", g.op("Transpose", lhs, perm=order), g.const(grid), values), perm=back)


@slice_assign_scalar.onnx
def _(g: GraphBuilder, data: Value, *, scalar: float, begin: OpenShape, end: OpenShape, step: OpenShape) -> Value:
    cut = _cut_axes(g, "_slice_assign_scalar", data, begin, end, step)
    rank, sizes = g.rank(data), g.dims(data)
    mask = np.ones((1,) * rank, dtype=np.bool_)
    for axis, at in cut.items():
        along = np.isin(np.arange(sizes[axis] or 0), np.array(at, dtype=np.int64))
        mask = mask & along.reshape([-1 if a == axis else 1 for a in range(rank)])
    return g.op("Where", g.const(mask), g.scalar(scalar, data), data)


@operator("fill_element_0index", source=LEGACY_SOURCE)
def fill_element_0index(lhs: Tensor, mhs: Tensor, rhs: Tensor) -> Tensor:
    """`lhs` (N, C) with element `rhs[i]` of each row i replaced by `mhs[i]`; fractions of `rhs` (N,) are cut off.

    Differs: every dtype is taken; MXNet takes float32.

    Raises:
        InputError: Shapes do not fit, or a position lies outside.
    """
    if lhs.dim() != 2 or not mhs.shape == rhs.shape == lhs.shape[:1]:
        raise InputError(
            f"fill_element_0index: shapes do not fit: expected lhs (N, C), mhs (N,) and rhs (N,), "
            f"got lhs={tuple(lhs.shape)}, mhs={tuple(mhs.shape)}, rhs={tuple(rhs.shape)}."
        )
    try:
        return lhs.scatter(1, rhs.long().unsqueeze(1), mhs.unsqueeze(1))
    except (RuntimeError, IndexError) as err:
        raise InputError(
            f"fill_element_0index: position out of bounds: expected positions of 0 to {lhs.shape[1] - 1}, got {err}."
        ) from err


@fill_element_0index.dtypes
def _(lhs: str | None, mhs: str | None, output: str | None) -> dict[str, str | None]:
    common = lhs or mhs or output
    return {"lhs": common, "mhs": common, "output": common}


@fill_element_0index.onnx
def _(g: GraphBuilder, lhs: Value, mhs: Value, rhs: Value) -> Value:
    positions = g.op("Unsqueeze", g.cast(rhs, "int64"), g.ints([1]))
    return g.op("ScatterElements", lhs, positions, g.op("Unsqueeze", mhs, g.ints([1])), axis=1)


@operator("_onehot_encode", source=LEGACY_SOURCE, gradient="none")
def onehot_encode(lhs: Tensor, rhs: Tensor) -> Tensor:
    """One-hot rows in the shape of `rhs` (N, C): 1 at the class `lhs[i]` of row i, 0 elsewhere.

    Differs: every dtype is taken; MXNet takes float32.

    Raises:
        InputError: Shapes do not fit.
    """
    if rhs.dim() != 2 or lhs.shape != rhs.shape[:1]:
        raise InputError(
            f"_onehot_encode: shapes do not fit: expected lhs (N,) and rhs (N, C), got lhs={tuple(lhs.shape)}, "
            f"rhs={tuple(rhs.shape)}."
        )
    return (lhs.long().unsqueeze(1) == torch.arange(rhs.shape[1], device=lhs.device)).to(rhs.dtype)


@onehot_encode.dtypes
def _(rhs: str | None, output: str | None) -> dict[str, str | None]:
    return {"rhs": output, "output": rhs}


@onehot_encode.onnx
def _(g: GraphBuilder, lhs: Value, rhs: Value) -> Value:
    classes = g.dims(rhs)[1]
    if classes is None:
        count = g.op("Gather", g.shape(rhs), g.const(1, "int64"))
        places = g.op("Range", g.const(0, "int64"), count, g.const(1, "int64"))
    else:
        places = g.ints(range(classes))
    column = g.op("Unsqueeze", g.cast(lhs, "int64"), g.ints([1]))
    return g.cast(g.op("Equal", column, places), g.dtype(rhs))
