"""Attention with projections interleaved in one array, as GluonNLP's transformers have it, and its neighbours.

Sequences come first: (T, N, ...), and a batch of heads is (N * heads, ...). Each head's queries, keys and values lie
beside one another: a row of `heads * 3 * size` numbers holds q, k and v of head 0, then those of head 1.
"""

import math

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.attributes import DTypeName
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import NUMBERS, casting
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/contrib/transformer.cc"


def _heads_of(name: str, label: str, data: Tensor, heads: int, parts: int) -> Tensor:
    """Return `data` (T, N, heads * parts * size) as (N * heads, T, parts, size).

    Raises:
        InputError: The array is not of this form.
    """
    if data.dim() != 3 or heads < 1 or data.shape[2] % (heads * parts):
        raise InputError(
            f"{name}: {label} does not fit: expected (T, N, heads * {parts} * size) with heads={heads}, "
            f"got {label}={tuple(data.shape)}."
        )
    length, batch = data.shape[:2]
    return data.reshape(length, batch * heads, parts, -1).transpose(0, 1)


def _lower_heads(g: GraphBuilder, data: Value, heads: int, parts: int, part: int, perm: tuple[int, ...]) -> Value:
    """One part of `data`, (T, N * heads, size), permuted."""
    width = g.dims(data)[2]
    assert width is not None
    size = width // (heads * parts)
    split = g.op("Reshape", data, g.ints([0, -1, parts, size]))
    return g.op("Transpose", g.op("Gather", split, g.const(part, "int64"), axis=2), perm=perm)


def _scores(queries: Tensor, keys: Tensor) -> Tensor:
    return torch.bmm(queries * (1.0 / math.sqrt(queries.shape[-1])), keys.transpose(1, 2))


def _lower_scores(g: GraphBuilder, queries: Value, keys: Value) -> Value:
    size = g.dims(queries)[2]
    assert size is not None
    return g.op("MatMul", g.op("Mul", queries, g.scalar(1.0 / math.sqrt(size), queries)), keys)


def _weighted(name: str, attention: Tensor, values: Tensor, batch: int) -> Tensor:
    """Values weighted by `attention` (N * heads, Q, T), as (Q, N, heads * size).

    Raises:
        InputError: The weights do not fit the values.
    """
    if attention.dim() != 3 or attention.shape[0] != values.shape[0] or attention.shape[2] != values.shape[1]:
        raise InputError(
            f"{name}: attention does not fit: expected ({values.shape[0]}, Q, {values.shape[1]}), "
            f"got attention={tuple(attention.shape)}."
        )
    return torch.bmm(attention, values).transpose(0, 1).reshape(attention.shape[1], batch, -1)


def _lower_weighted(g: GraphBuilder, attention: Value, values: Value, heads: int) -> Value:
    size = g.dims(values)[2]
    assert size is not None
    rows = g.op("Transpose", g.op("MatMul", attention, values), perm=[1, 0, 2])
    return g.op("Reshape", rows, g.ints([0, -1, heads * size]))


@operator("_contrib_interleaved_matmul_selfatt_qk", source=SOURCE)
def selfatt_qk(queries_keys_values: Tensor, *, heads: int) -> Tensor:
    """Scaled dot products of queries and keys, (T, N, heads * 3 * size) to (N * heads, T, T).

    The scale is `1 / sqrt(size)`.

    Raises:
        InputError: The projections are not of this form.
    """
    parts = _heads_of("_contrib_interleaved_matmul_selfatt_qk", "queries_keys_values", queries_keys_values, heads, 3)
    return _scores(parts[:, :, 0], parts[:, :, 1])


@selfatt_qk.onnx
def _(g: GraphBuilder, queries_keys_values: Value, *, heads: int) -> Value:
    queries = _lower_heads(g, queries_keys_values, heads, 3, 0, (1, 0, 2))
    return _lower_scores(g, queries, _lower_heads(g, queries_keys_values, heads, 3, 1, (1, 2, 0)))


@operator("_contrib_interleaved_matmul_selfatt_valatt", source=SOURCE)
def selfatt_valatt(queries_keys_values: Tensor, attention: Tensor, *, heads: int) -> Tensor:
    """Values (T, N, heads * 3 * size) weighted by `attention` (N * heads, T, T), as (T, N, heads * size).

    Raises:
        InputError: The projections or the weights are not of this form.
    """
    name = "_contrib_interleaved_matmul_selfatt_valatt"
    parts = _heads_of(name, "queries_keys_values", queries_keys_values, heads, 3)
    return _weighted(name, attention, parts[:, :, 2], queries_keys_values.shape[1])


@selfatt_valatt.onnx
def _(g: GraphBuilder, queries_keys_values: Value, attention: Value, *, heads: int) -> Value:
    values = _lower_heads(g, queries_keys_values, heads, 3, 2, (1, 0, 2))
    return _lower_weighted(g, attention, values, heads)


@operator("_contrib_interleaved_matmul_encdec_qk", source=SOURCE)
def encdec_qk(queries: Tensor, keys_values: Tensor, *, heads: int) -> Tensor:
    """Scaled dot products of queries (Q, N, heads * size) and keys (T, N, heads * 2 * size), as (N * heads, Q, T).

    The scale is `1 / sqrt(size)`.

    Raises:
        InputError: The projections are not of this form, or do not fit each other.
    """
    name = "_contrib_interleaved_matmul_encdec_qk"
    if queries.dim() == keys_values.dim() == 3 and (
        queries.shape[1] != keys_values.shape[1] or queries.shape[2] * 2 != keys_values.shape[2]
    ):
        raise InputError(
            f"{name}: keys_values does not fit queries: expected (T, {queries.shape[1]}, {queries.shape[2] * 2}), "
            f"got keys_values={tuple(keys_values.shape)}."
        )
    ask = _heads_of(name, "queries", queries, heads, 1)
    return _scores(ask[:, :, 0], _heads_of(name, "keys_values", keys_values, heads, 2)[:, :, 0])


@encdec_qk.onnx
def _(g: GraphBuilder, queries: Value, keys_values: Value, *, heads: int) -> Value:
    ask = _lower_heads(g, queries, heads, 1, 0, (1, 0, 2))
    return _lower_scores(g, ask, _lower_heads(g, keys_values, heads, 2, 0, (1, 2, 0)))


@operator("_contrib_interleaved_matmul_encdec_valatt", source=SOURCE)
def encdec_valatt(keys_values: Tensor, attention: Tensor, *, heads: int) -> Tensor:
    """Values (T, N, heads * 2 * size) weighted by `attention` (N * heads, Q, T), as (Q, N, heads * size).

    Raises:
        InputError: The projections or the weights are not of this form.
    """
    name = "_contrib_interleaved_matmul_encdec_valatt"
    parts = _heads_of(name, "keys_values", keys_values, heads, 2)
    return _weighted(name, attention, parts[:, :, 1], keys_values.shape[1])


@encdec_valatt.onnx
def _(g: GraphBuilder, keys_values: Value, attention: Value, *, heads: int) -> Value:
    return _lower_weighted(g, attention, _lower_heads(g, keys_values, heads, 2, 1, (1, 0, 2)), heads)


@operator("_contrib_div_sqrt_dim", source=SOURCE, shapes="same")
def div_sqrt_dim(data: Tensor) -> Tensor:
    """`data / sqrt(size of the last axis)`; integers are divided by the truncated root, toward zero."""
    root = math.sqrt(data.shape[-1])
    if data.is_floating_point():
        return data / root
    return torch.div(data, int(root), rounding_mode="trunc")


@div_sqrt_dim.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    size = g.dims(data)[-1]
    if size is None:
        last = g.op("Gather", g.shape(data), g.const(-1, "int64"))
        kind = "float64" if g.dtype(data) == "float64" else "float32"
        return g.op("Div", data, g.cast(g.op("Sqrt", g.cast(last, kind)), g.dtype(data)))
    return casting(g, NUMBERS, "int64", lambda x: g.op("Div", x, g.scalar(math.sqrt(size), x)), data)


@operator("_contrib_arange_like", source="MXNet 1.9.1 src/operator/tensor/init_op.h, RangeLikeParam", gradient="none")
def arange_like(
    data: Tensor, *, start: float = 0.0, step: float = 1.0, repeat: int = 1, ctx: str = "", axis: int | None = None
) -> Tensor:
    """`start`, `start + step`, ..., each `repeat` times, in the shape of `data`, or as long as its `axis`.

    The dtype is that of `data`; for integers and, as in MXNet, for float16, `start` and `step` are truncated.

    Raises:
        InputError: There is no such axis, or `repeat` is less than 1.
    """
    if repeat < 1:
        raise InputError(f"_contrib_arange_like: wrong repeat: expected at least 1, got repeat={repeat}.")
    if axis is not None and not -data.dim() <= axis < data.dim():
        raise InputError(
            f"_contrib_arange_like: wrong axis: expected -{data.dim()} to {data.dim() - 1}, got axis={axis}."
        )
    count = data.numel() if axis is None else data.shape[axis]
    steps = torch.arange(count, device=data.device)
    if repeat > 1:
        steps = steps // repeat
    if data.dtype in (torch.float32, torch.float64):
        values = steps.to(data.dtype).mul_(step).add_(start)
    else:
        values = steps.mul_(int(step)).add_(int(start)).to(data.dtype)
    return values.view(data.shape) if axis is None else values


@arange_like.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@arange_like.onnx
def _(g: GraphBuilder, data: Value, *, start: float, step: float, repeat: int, axis: int | None) -> Value:
    count = g.op("Size", data) if axis is None else g.op("Gather", g.shape(data), g.const(axis % g.rank(data), "int64"))
    steps = g.op("Range", g.const(0, "int64"), count, g.const(1, "int64"))
    if repeat > 1:
        steps = g.op("Div", steps, g.const(repeat, "int64"))
    kind = DTypeName(g.dtype(data))
    if kind in ("float32", "float64"):
        steps = g.cast(steps, kind)
    else:
        start, step = int(start), int(step)
    values = g.op("Add", g.op("Mul", steps, g.scalar(step, steps)), g.scalar(start, steps))
    values = g.cast(values, kind)
    return g.op("Reshape", values, g.shape(data)) if axis is None else values
