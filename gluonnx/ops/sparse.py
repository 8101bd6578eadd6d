"""Operators that are there for sparse storage; `sparse_rules` has what all others do with it.

Their torch functions are what they mean where every array is dense: inside symbols and in ONNX.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import InputError
from gluonnx.ops import sparse_rules
from gluonnx.ops.attributes import DTypeName
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import no_effect, operator


@operator(
    "cast_storage", "_sparse_cast_storage", view=True, source="MXNet 1.9.1 src/operator/tensor/cast_storage-inl.h"
)
def cast_storage(data: Tensor, *, stype: Literal["csr", "default", "row_sparse"]) -> Tensor:
    """`data` in another storage type. Values that are 0 (csr), and rows of zeros (row_sparse), are then not held."""
    return data


@cast_storage.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.op("Identity", data)


cast_storage.sparse(sparse_rules.cast_storage, is_recorded=True, takes_dense=True)


@operator("_sparse_retain", source="MXNet 1.9.1 src/operator/tensor/sparse_retain-inl.h")
def retain(data: Tensor, indices: Tensor) -> Tensor:
    """`data` (N, ...) with every row 0 that `indices` does not name.

    Differs: dense data are taken too; MXNet refuses them.

    Raises:
        InputError: A row lies outside.
    """
    rows = indices.reshape(-1).long()
    if rows.device.type != "meta" and rows.numel() and (int(rows.min()) < 0 or int(rows.max()) >= data.shape[0]):
        raise InputError(
            f"_sparse_retain: row out of bounds: expected rows of 0 to {data.shape[0] - 1}, "
            f"got {int(rows.min())} to {int(rows.max())}."
        )
    return torch.zeros_like(data).index_copy(0, rows, data.index_select(0, rows))


@retain.onnx
def _(g: GraphBuilder, data: Value, indices: Value) -> Value:
    rows = g.op("Reshape", g.cast(indices, "int64"), g.ints([-1]))
    zeros = g.op("Expand", g.scalar(0, data), g.shape(data))
    return g.op("ScatterND", zeros, g.op("Unsqueeze", rows, g.ints([1])), g.op("Gather", data, rows, axis=0))


retain.sparse(sparse_rules.retain)


@operator("_contrib_getnnz", source="MXNet 1.9.1 src/operator/contrib/nnz.cc", gradient="refused")
def getnnz(data: Tensor, *, axis: int | None = None) -> Tensor:
    """How many elements a csr matrix holds: in all (1,), in each column (`axis=0`) or in each row (`axis=1`), int64.

    Differs: the elements of dense data that are not 0 are counted; MXNet refuses dense data.
    """
    counts = torch.count_nonzero(data, dim=axis)
    return counts.reshape(1) if axis is None else counts


@getnnz.onnx
def _(g: GraphBuilder, data: Value, *, axis: int | None) -> Value:
    held = g.cast(g.op("Not", g.op("Equal", data, g.scalar(0, data))), "int64")
    if axis is None:
        return g.op("ReduceSum", g.op("Reshape", held, g.ints([-1])), g.ints([0]), keepdims=1)
    return g.op("ReduceSum", held, g.ints([axis]), keepdims=0)


getnnz.sparse(sparse_rules.count_held)


@operator(
    "_contrib_SparseEmbedding",
    no_effect=(no_effect("dtype", DTypeName, DTypeName("float32")), no_effect("deterministic", bool, False)),
    source="MXNet 1.9.1 src/operator/tensor/indexing_op.cc",
)
def sparse_embedding(data: Tensor, weight: Tensor, *, input_dim: int, output_dim: int) -> Tensor:
    """Embedding whose `weight` has a row_sparse gradient.

    Raises:
        InputError: `weight` has another shape.
    """
    if weight.shape != (input_dim, output_dim):
        raise InputError(
            "_contrib_SparseEmbedding: wrong shape of weight: expected "
            f"{(input_dim, output_dim)}, got weight={tuple(weight.shape)}."
        )
    return F.embedding(data.long().clamp(0, input_dim - 1), weight, sparse=weight.is_leaf)


@sparse_embedding.onnx
def _(g: GraphBuilder, data: Value, weight: Value, *, input_dim: int) -> Value:
    last = g.const(input_dim - 1, "int64")
    return g.op("Gather", weight, g.op("Clip", g.cast(data, "int64"), g.const(0, "int64"), last), axis=0)


@sparse_embedding.parameters
def _(*, input_dim: int, output_dim: int) -> dict[str, tuple[int, ...]]:
    return {"weight": (input_dim, output_dim)}


sparse_embedding.sparse(sparse_rules.embedding, is_recorded=True)
