"""Operators on graphs that are held as csr matrices: an element is an edge, its value the edge's number."""

from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.storage import CsrStorage, Data
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/contrib/dgl_graph.cc"


@operator("_contrib_edge_id", source=SOURCE, gradient="none")
def edge_id(data: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Number of the edge from each vertex of `u` (N,) to the vertex beside it in `v` (N,), -1 where there is none.

    Differs: dense data are taken too, in which 0 means no edge; MXNet refuses them.

    Raises:
        InputError: `u` and `v` are not of one length, or a vertex lies outside.
    """
    _check_ends(u, v)
    try:
        found = data.detach()[u.long(), v.long()]
    except IndexError as err:
        raise InputError(
            f"_contrib_edge_id: vertex out of bounds: expected vertices within {tuple(data.shape)}, got {err}."
        ) from err
    return torch.where(found == 0, -1, found).to(data.dtype)


def _check_ends(u: Tensor, v: Tensor) -> None:
    if u.dim() != 1 or u.shape != v.shape:
        raise InputError(
            f"_contrib_edge_id: u and v do not fit: expected (N,) twice, got u={tuple(u.shape)}, v={tuple(v.shape)}."
        )


@edge_id.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@edge_id.onnx
def _(g: GraphBuilder, data: Value, u: Value, v: Value) -> Value:
    last = g.ints([1])
    ends = [g.op("Unsqueeze", g.cast(x, "int64"), last) for x in (u, v)]
    found = g.op("GatherND", data, g.op("Concat", *ends, axis=1))
    return g.op("Where", g.op("Equal", found, g.scalar(0, data)), g.scalar(-1, data), found)


@edge_id.sparse
def _(data: Data, u: Data, v: Data) -> Any:
    if not (isinstance(data, CsrStorage) and isinstance(u, Tensor) and isinstance(v, Tensor)):
        return NotImplemented
    _check_ends(u, v)
    columns = data.shape[1]
    held = data.rows() * columns + data.indices
    wanted = u.long() * columns + v.long()
    place = torch.searchsorted(held, wanted).clamp(max=max(held.numel() - 1, 0))
    if not held.numel():
        return torch.full_like(wanted, -1, dtype=data.values.dtype)
    return torch.where(held[place] == wanted, data.values[place], -1)


@operator("_contrib_dgl_adjacency", source=SOURCE, gradient="none")
def dgl_adjacency(data: Tensor) -> Tensor:
    """1 for each edge, as a float32 matrix of the storage type of `data`.

    Differs: dense data and other dtypes than int64 are taken too; MXNet refuses them.
    """
    return (data != 0).float()


@dgl_adjacency.dtypes
def _() -> dict[str, str | None]:
    return {"output": "float32"}


@dgl_adjacency.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.cast(g.op("Not", g.op("Equal", data, g.scalar(0, data))), "float32")


@dgl_adjacency.sparse
def _(data: Data) -> Any:
    if not isinstance(data, CsrStorage):
        return NotImplemented
    return data.map(torch.ones_like(data.values, dtype=torch.float32))
