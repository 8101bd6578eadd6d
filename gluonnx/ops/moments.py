"""Mean and variance in one operator, and sums of squares of row_sparse arrays."""

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.storage import Data, RowStorage
from gluonnx.ops.table import operator


def _axes(name: str, axes: Shape, rank: int) -> list[int]:
    """Return the axes counted from the front, ascending."""
    positive = sorted({a + rank if a < 0 else a for a in axes})
    if not positive or positive[0] < 0 or positive[-1] >= rank or len(positive) != len(axes):
        raise AttributeValueError(f"{name}: wrong attribute: expected different axes of {rank}, got axes={axes}.")
    return positive


@operator("moments", outputs="mean var", source="MXNet 1.9.1 src/operator/nn/moments-inl.h")
def moments(data: Tensor, *, axes: Shape | None = None, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance over `axes`, which must be given; over all axes without `keepdims` they are (1,).

    Raises:
        AttributeValueError: `axes` are none, or not axes of `data`.
    """
    if not axes:
        raise AttributeValueError(
            "moments: Empty axes is not supported: expected a tuple of axes, got axes=None. Give all axes for the "
            "moments of the whole array."
        )
    reduced = _axes("moments", axes, data.dim())
    if data.dtype.is_floating_point:
        var, mean = torch.var_mean(data, dim=reduced, correction=0, keepdim=keepdims)
    else:
        count = torch.tensor(data.shape)[reduced].prod().item()
        kept = torch.div(data.sum(reduced, keepdim=True), count, rounding_mode="trunc").to(data.dtype)
        square = (data - kept).square().sum(reduced, keepdim=keepdims)
        var = torch.div(square, count, rounding_mode="trunc").to(data.dtype)
        mean = kept if keepdims else kept.reshape(var.shape)
    return (mean, var) if mean.dim() else (mean.reshape(1), var.reshape(1))


@moments.onnx
def _(g: GraphBuilder, data: Value, *, axes: Shape | None, keepdims: bool) -> tuple[Value, Value]:
    rank = g.rank(data)
    reduced = _axes("moments", axes or (), rank)
    dtype = g.dtype(data)
    is_float = dtype in ("float16", "bfloat16", "float32", "float64")
    wide = data if is_float else g.cast(data, "float64")
    mean = g.op("ReduceMean", wide, g.ints(reduced), keepdims=1)
    if not is_float:
        mean = g.cast(g.cast(mean, "int64"), "float64")
    centered = g.op("Sub", wide, mean)
    var = g.op("ReduceMean", g.op("Mul", centered, centered), g.ints(reduced), keepdims=1)
    found = [v if is_float else g.cast(v, dtype) for v in (mean, var)]
    if not keepdims:
        if len(reduced) == rank:
            found = [g.op("Reshape", v, g.ints([1])) for v in found]
        else:
            found = [g.op("Squeeze", v, g.ints(reduced)) for v in found]
    return found[0], found[1]


@operator("_square_sum", source="MXNet 1.9.1 src/operator/tensor/square_sum-inl.h")
def square_sum(data: Tensor, *, axis: Shape | None = None, keepdims: bool = False, exclude: bool = False) -> Tensor:
    """Sum of squares over an axis; over axis 1 of row_sparse with `keepdims` it is row_sparse.

    Differs: takes dense arrays and several axes too; MXNet has it for row_sparse matrices and one axis,
    and with `exclude` sums over the wrong one.
    """
    rank = data.dim()
    reduced = _axes("_square_sum", axis, rank) if axis else list(range(rank))
    if exclude:
        reduced = [i for i in range(rank) if i not in reduced]
    result = data.square().sum(reduced, keepdim=keepdims)
    return result if result.dim() else result.reshape(1)


@square_sum.onnx
def _(g: GraphBuilder, data: Value, *, axis: Shape | None, keepdims: bool, exclude: bool) -> Value:
    rank = g.rank(data)
    reduced = _axes("_square_sum", axis, rank) if axis else list(range(rank))
    if exclude:
        reduced = [i for i in range(rank) if i not in reduced]
    result = g.op("ReduceSum", g.op("Mul", data, data), g.ints(reduced), keepdims=int(keepdims))
    return result if keepdims or len(reduced) < rank else g.op("Reshape", result, g.ints([1]))


@square_sum.sparse
def _(data: Data, *, axis: Shape | None, keepdims: bool, exclude: bool) -> Data:
    if isinstance(data, RowStorage) and len(data.shape) == 2 and axis in ((1,), (-1,)) and not exclude:
        rows = data.values.square().sum(1, keepdim=True)
        if keepdims:
            return data.map(rows)
        return rows.new_zeros(data.shape[0]).index_copy_(0, data.indices, rows[:, 0])
    result: Data = NotImplemented
    return result
