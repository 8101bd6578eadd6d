"""Matrix products."""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import InputError
from gluonnx.ops import sparse_rules
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.storage import StorageType
from gluonnx.ops.table import no_effect, operator


@operator(
    "FullyConnected",
    "_sparse_FullyConnected",
    when={"bias": lambda attrs: not attrs["no_bias"]},
    source="MXNet 1.9.1 src/operator/nn/fully_connected-inl.h",
)
def fully_connected(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    num_hidden: int,
    no_bias: bool = False,
    flatten: bool = True,
) -> Tensor:
    """Affine map `data @ weight.T + bias`.

    `data` (N, ...) gives (N, num_hidden); with `flatten=False`, (..., C) gives (..., num_hidden).
    `weight` (num_hidden, C), `bias` (num_hidden,) or with further axes of size 1.

    Raises:
        InputError: `weight` does not have `num_hidden` rows.
    """
    if weight.shape[0] != num_hidden:
        raise InputError(
            f"FullyConnected: wrong shape of weight: expected {num_hidden} rows, got weight={tuple(weight.shape)}."
        )
    if flatten and data.dim() != 2:  # (N,) is N rows of one feature
        data = data.flatten(1) if data.dim() > 2 else data.reshape(-1, 1)
    return F.linear(data, weight, bias if bias is None or bias.dim() == 1 else bias.flatten())


@fully_connected.output_shapes
def _(data: Shape, weight: Shape, bias: Shape | None = None, *, num_hidden: int, flatten: bool) -> tuple[Shape] | None:
    if len(data) < 2 or bias not in (None, (num_hidden,)):
        return None
    units = math.prod(data[1:]) if flatten else data[-1]
    if weight != (num_hidden, units):
        return None
    return ((data[0], num_hidden),) if flatten else ((*data[:-1], num_hidden),)


@fully_connected.onnx
def _(g: GraphBuilder, data: Value, weight: Value, bias: Value | None = None, *, flatten: bool) -> Value:
    rank = g.rank(data)
    if bias is not None and g.rank(bias) != 1:
        bias = g.op("Reshape", bias, g.ints([-1]))
    if flatten or rank == 2:
        flat = data if rank == 2 else g.op("Flatten", data, axis=1)
        return g.op("Gemm", flat, weight, bias, transB=1)
    product = g.op("MatMul", data, g.op("Transpose", weight, perm=[1, 0]))
    return product if bias is None else g.op("Add", product, bias)


@fully_connected.parameters
def _(data: tuple[int, ...], *, num_hidden: int, flatten: bool) -> dict[str, tuple[int, ...]]:
    units = math.prod(data[1:]) if flatten else data[-1]
    return {"weight": (num_hidden, units), "bias": (num_hidden,)}


def _mismatch(name: str, lhs: Tensor, rhs: Tensor, err: Exception) -> InputError:
    return InputError(
        f"{name}: shapes do not fit: expected equal sizes on the summed axis, "
        f"got lhs={tuple(lhs.shape)}, rhs={tuple(rhs.shape)}: {err}"
    )


_STORAGE = no_effect("forward_stype", Literal["csr", "default", "row_sparse"] | None, None)


@operator("dot", "_sparse_dot", source="MXNet 1.9.1 src/operator/tensor/dot-inl.h")
def dot(
    lhs: Tensor,
    rhs: Tensor,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    forward_stype: StorageType | None = None,
) -> Tensor:
    """Sum over the last axis of `lhs` (the first under `transpose_a`) and the first of `rhs` (the last: `transpose_b`).

    The other axes stay in order, those of `lhs` first; two vectors give shape (1,).
    `forward_stype` is the storage type of the result where an input is sparse.
    """
    try:
        if lhs.dim() == rhs.dim() == 2:
            return torch.matmul(lhs.t() if transpose_a else lhs, rhs.t() if transpose_b else rhs)
        if lhs.dim() == rhs.dim() == 1:
            return torch.dot(lhs, rhs).view(1)
        axes = ([0 if transpose_a else lhs.dim() - 1], [rhs.dim() - 1 if transpose_b else 0])
        product: Tensor = torch.tensordot(lhs, rhs, dims=axes)
        return product
    except RuntimeError as err:
        raise _mismatch("dot", lhs, rhs, err) from err


dot.sparse(sparse_rules.dot, is_recorded=True)


@dot.onnx
def _(g: GraphBuilder, lhs: Value, rhs: Value, *, transpose_a: bool, transpose_b: bool) -> Value:
    left, right = g.rank(lhs), g.rank(rhs)
    if transpose_a and left > 1:
        lhs = g.op("Transpose", lhs, perm=[*range(1, left), 0])
    if transpose_b and right > 1:
        rhs = g.op("Transpose", rhs, perm=[right - 1, *range(right - 1)])
    if right <= 2:
        product = g.op("MatMul", lhs, rhs)
        return g.op("Reshape", product, g.ints([1])) if left == right == 1 else product
    matrix = g.op("Reshape", rhs, g.ints([0, -1]))
    product = g.op("MatMul", lhs, matrix)
    kept = [g.op("Slice", g.shape(rhs), g.ints([1]), g.ints([right]))]
    if left > 1:
        kept.insert(0, g.op("Slice", g.shape(lhs), g.ints([0]), g.ints([left - 1])))
    return g.op("Reshape", product, g.op("Concat", *kept, axis=0))


@operator("batch_dot", no_effect=(_STORAGE,), source="MXNet 1.9.1 src/operator/tensor/dot-inl.h")
def batch_dot(lhs: Tensor, rhs: Tensor, *, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Matrix products of the last two axes, (..., M, K) by (..., K, N), each transposed first where asked."""
    if lhs.dim() != rhs.dim() or lhs.dim() < 3:
        raise InputError(
            "batch_dot: wrong ranks: expected one rank of at least 3, "
            f"got lhs={tuple(lhs.shape)}, rhs={tuple(rhs.shape)}."
        )
    try:
        return torch.matmul(lhs.mT if transpose_a else lhs, rhs.mT if transpose_b else rhs)
    except RuntimeError as err:
        raise _mismatch("batch_dot", lhs, rhs, err) from err


def _lower_product(g: GraphBuilder, lhs: Value, rhs: Value, transpose_a: bool, transpose_b: bool) -> Value:
    sides = [_lower_transpose(g, v) if flip else v for v, flip in ((lhs, transpose_a), (rhs, transpose_b))]
    return g.op("MatMul", *sides)


def _lower_transpose(g: GraphBuilder, value: Value) -> Value:
    rank = g.rank(value)
    return g.op("Transpose", value, perm=[*range(rank - 2), rank - 1, rank - 2])


@batch_dot.onnx
def _(g: GraphBuilder, lhs: Value, rhs: Value, *, transpose_a: bool, transpose_b: bool) -> Value:
    return _lower_product(g, lhs, rhs, transpose_a, transpose_b)


@operator("_linalg_gemm2", "linalg_gemm2", source="MXNet 1.9.1 src/operator/tensor/la_op.h, LaMatrixMultParam")
def linalg_gemm2(
    A: Tensor,  # noqa: N803 - MXNet's name
    B: Tensor,  # noqa: N803
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    axis: int = -2,
) -> Tensor:
    """`alpha` times the products of the matrices whose rows lie along `axis` and whose columns are the last axis."""
    lhs, rhs = A.movedim(axis, -2), B.movedim(axis, -2)
    try:
        product = torch.matmul(lhs.mT if transpose_a else lhs, rhs.mT if transpose_b else rhs)
    except RuntimeError as err:
        raise _mismatch("_linalg_gemm2", A, B, err) from err
    return (product if alpha == 1.0 else product * alpha).movedim(-2, axis)


@linalg_gemm2.onnx
def _(
    g: GraphBuilder,
    A: Value,  # noqa: N803
    B: Value,  # noqa: N803
    *,
    transpose_a: bool,
    transpose_b: bool,
    alpha: float,
    axis: int,
) -> Value:
    rank = g.rank(A)
    rows = axis % rank
    to_matrix = [*(i for i in range(rank - 1) if i != rows), rows, rank - 1]
    back = [to_matrix.index(i) for i in range(rank)]
    lhs, rhs = (v if rows == rank - 2 else g.op("Transpose", v, perm=to_matrix) for v in (A, B))
    product = _lower_product(g, lhs, rhs, transpose_a, transpose_b)
    if alpha != 1.0:
        product = g.op("Mul", product, g.scalar(alpha, product))
    return product if rows == rank - 2 else g.op("Transpose", product, perm=back)
