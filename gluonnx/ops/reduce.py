"""Reductions over axes.

`axis` is an int, a tuple of ints or None (all axes; the empty tuple too); `exclude=True` reduces every other axis.
A full reduction without `keepdims` has shape (1,): MXNet 1.x has no 0-D arrays. Integers stay integers.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops import sparse_rules
from gluonnx.ops.attributes import DTypeName, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.dtypes import torch_dtype
from gluonnx.ops.onnx_types import FLOATS, NUMBERS, WIDE, casting
from gluonnx.ops.table import TABLE, Operator, operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/broadcast_reduce_op.h"

Reduce = Callable[[Tensor, Shape, bool], Tensor]


def reduction(
    name: str,
    *aliases: str,
    fn: Reduce,
    onnx: Callable[[GraphBuilder, Value], Value] | None,
    onnx_op: str,
    kernels: frozenset[str],
    doc: str,
) -> Operator:
    """Declare a reduction.

    Args:
        name: MXNet's registered name, which is also the method.
        aliases: Further registered names.
        fn: The torch function of the array, the axes (at least one) and `keepdims`.
        onnx: What is done to the array before it is reduced, if anything.
        onnx_op: The ONNX reduction.
        kernels: Dtypes that it takes.
        doc: What it computes.
    """

    def forward(data: Tensor, *, axis: Shape | None = None, keepdims: bool = False, exclude: bool = False) -> Tensor:
        return _reduced(name, fn, data, axis, keepdims, exclude)

    forward.__doc__ = doc
    op = operator(name, *aliases, source=SOURCE, method=name)(forward)

    @op.output_shapes
    def _(data: Shape, *, axis: Shape | None, keepdims: bool, exclude: bool) -> tuple[Shape] | None:
        if not data or 0 in data:
            return None
        axes = _axes(name, len(data), axis, exclude)
        if keepdims:
            return (tuple(1 if i in axes else size for i, size in enumerate(data)),)
        return (tuple(size for i, size in enumerate(data) if i not in axes) or (1,),)

    @op.onnx
    def _(g: GraphBuilder, data: Value, *, axis: Shape | None, keepdims: bool, exclude: bool) -> Value:
        axes = _axes(name, g.rank(data), axis, exclude)
        if not axes:
            return g.op("Identity", data)

        def rule(x: Value) -> Value:
            return _onnx_reduced(g, onnx_op, x if onnx is None else onnx(g, x), axes, keepdims)

        return casting(g, kernels, "int32", rule, data)

    return op


def _axes(name: str, rank: int, axis: Shape | None, exclude: bool) -> Shape:
    """The axes that operator `name` reduces, sorted and not negative."""
    if not axis:
        return tuple(range(rank))
    axes = {a + rank if a < 0 else a for a in axis}
    if len(axes) < len(axis) or not all(0 <= a < rank for a in axes):
        raise InputError(
            f"{name}: wrong axes: expected different ones from {-rank} to {rank - 1}, got axis={axis}. "
            "Pass axes that the array has."
        )
    return tuple(a for a in range(rank) if (a in axes) != exclude)


def _reduced(name: str, fn: Reduce, data: Tensor, axis: Shape | None, keepdims: bool, exclude: bool) -> Tensor:
    if axis and not exclude:
        # The ordinary case: torch checks the axes.
        try:
            result = fn(data, axis, keepdims)
        except (IndexError, RuntimeError):
            _axes(name, data.dim(), axis, exclude)
            raise
    else:
        axes = _axes(name, data.dim(), axis, exclude)
        if not axes:
            return data.clone()
        result = fn(data, axes, keepdims)
    return result if result.dim() else result.reshape(1)


def _onnx_reduced(g: GraphBuilder, onnx_op: str, data: Value, axes: Shape, keepdims: bool) -> Value:
    is_full = len(axes) == g.rank(data)
    result = g.op(onnx_op, data, g.ints(axes), keepdims=int(keepdims))
    return g.op("Reshape", result, g.ints([1])) if is_full and not keepdims else result


def _sum(data: Tensor, axes: Shape, keepdims: bool) -> Tensor:
    if data.is_floating_point():
        return torch.sum(data, axes, keepdims)
    return torch.sum(data, axes, keepdims, dtype=data.dtype)


def _nansum(data: Tensor, axes: Shape, keepdims: bool) -> Tensor:
    return torch.nansum(data, axes, keepdims, dtype=data.dtype)


def _mean(data: Tensor, axes: Shape, keepdims: bool) -> Tensor:
    if data.is_floating_point():
        return torch.mean(data, axes, keepdims)
    count = 1
    for a in axes:
        count *= data.shape[a]
    return torch.div(torch.sum(data, axes, keepdims), count, rounding_mode="trunc").to(data.dtype)


def _prod(data: Tensor, axes: Shape, keepdims: bool) -> Tensor:
    # torch multiplies along one axis at a time: the last first, so that the others keep their numbers.
    for a in axes if len(axes) == 1 else reversed(_axes("prod", data.dim(), axes, exclude=False)):
        data = torch.prod(data, a, keepdims, dtype=data.dtype)
    return data


def _nanprod(data: Tensor, axes: Shape, keepdims: bool) -> Tensor:
    return _prod(torch.where(data.isnan(), 1, data), axes, keepdims)


class _Extremum(torch.autograd.Function):
    """The largest or smallest element; every element equal to it receives the whole gradient (torch would share it)."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, axes: Shape, keepdims: bool, fn: Callable[..., Tensor]) -> Tensor:
        result = fn(data, axes, True)
        ctx.save_for_backward(data == result)
        ctx.shape = result.shape
        return result if keepdims else result.squeeze(axes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (is_extreme,) = ctx.saved_tensors
        return gradients[0].reshape(ctx.shape) * is_extreme, None, None, None


def _extremum(fn: Callable[..., Tensor]) -> Reduce:
    def reduce(data: Tensor, axes: Shape, keepdims: bool) -> Tensor:
        if data.requires_grad and torch.is_grad_enabled():
            result: Tensor = _Extremum.apply(data, axes, keepdims, fn)  # type: ignore[no-untyped-call]
            return result
        return fn(data, axes, keepdims)

    return reduce


def _nan_as(number: int) -> Callable[[GraphBuilder, Value], Value]:
    def lowering(g: GraphBuilder, x: Value) -> Value:
        if g.dtype(x) not in FLOATS:
            return x
        return g.op("Where", g.op("IsNaN", x), g.scalar(number, x), x)

    return lowering


reduction(
    "sum",
    "_sparse_sum",
    "sum_axis",
    fn=_sum,
    onnx=None,
    onnx_op="ReduceSum",
    kernels=WIDE,
    doc="Sum over axes.",
)
reduction("mean", "_sparse_mean", fn=_mean, onnx=None, onnx_op="ReduceMean", kernels=WIDE, doc="Mean over axes.")
reduction(
    "prod",
    fn=_prod,
    onnx=None,
    onnx_op="ReduceProd",
    kernels=WIDE,
    doc="Product over axes.\n\nDiffers: beside a 0 the gradient is the derivative; MXNet's is NaN.",
)
reduction(
    "nansum",
    fn=_nansum,
    onnx=_nan_as(0),
    onnx_op="ReduceSum",
    kernels=WIDE,
    doc="Sum over axes, NaN counted as 0.",
)
reduction(
    "nanprod",
    fn=_nanprod,
    onnx=_nan_as(1),
    onnx_op="ReduceProd",
    kernels=WIDE,
    doc="Product over axes, NaN counted as 1.",
)
reduction(
    "max",
    "max_axis",
    fn=_extremum(torch.amax),
    onnx=None,
    onnx_op="ReduceMax",
    kernels=NUMBERS,
    doc="Largest element over axes; each of several equal ones receives the gradient.",
)
reduction(
    "min",
    "min_axis",
    fn=_extremum(torch.amin),
    onnx=None,
    onnx_op="ReduceMin",
    kernels=NUMBERS,
    doc="Smallest element over axes; each of several equal ones receives the gradient.",
)


@operator("norm", "_sparse_norm", source=SOURCE + ", LpNormCompute", method="norm")
def norm(
    data: Tensor,
    *,
    ord: int = 2,
    axis: Shape | None = None,
    out_dtype: DTypeName | None = None,
    keepdims: bool = False,
) -> Tensor:
    """`sum(abs(data) ** ord) ** (1 / ord)` over axes, for `ord` 1 or 2, in the dtype `out_dtype` or that of `data`.

    Differs: norms of integers are computed in floating point and truncated; MXNet loses digits on the way. The gradient
    where the norm is 0 is 0, MXNet's is NaN.
    """
    _check_ord(ord)
    wide = data if data.is_floating_point() else data.to(torch.float64)

    def fn(x: Tensor, axes: Shape, keep: bool) -> Tensor:
        result: Tensor = torch.linalg.vector_norm(x, ord, axes, keep)
        return result

    result = _reduced("norm", fn, wide, axis, keepdims, exclude=False)
    return result.to(data.dtype if out_dtype is None else torch_dtype(out_dtype))


@norm.dtypes
def _(data: str | None, *, out_dtype: str | None) -> dict[str, str | None]:
    return {"output": out_dtype or data}


@norm.onnx
def _(
    g: GraphBuilder, data: Value, *, ord: int, axis: Shape | None, out_dtype: DTypeName | None, keepdims: bool
) -> Value:
    _check_ord(ord)
    axes = _axes("norm", g.rank(data), axis, exclude=False)

    def rule(x: Value) -> Value:
        return _onnx_reduced(g, f"ReduceL{ord}", x, axes, keepdims)

    result = casting(g, FLOATS, "float64", rule, data)
    return result if out_dtype is None else g.cast(result, out_dtype)


def _check_ord(ord: int) -> None:
    if ord not in (1, 2):
        raise AttributeValueError(f"norm: attribute `ord` has a wrong value: expected 1 or 2, got ord={ord}.")


def position(name: str, fn: Callable[..., Tensor], onnx_op: str, doc: str) -> None:
    """Declare the position of an extremum: a number in the dtype of `data`, the first of equal ones."""

    def forward(data: Tensor, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
        if axis is None:
            result = fn(data.reshape(-1), 0, True)
            return (result.reshape((1,) * data.dim()) if keepdims else result).to(data.dtype)
        try:
            result = fn(data, axis, keepdims)
        except IndexError:
            rank = data.dim()
            raise InputError(
                f"{name}: wrong axis: expected {-rank} to {rank - 1}, got axis={axis}. Pass an axis that the array has."
            ) from None
        return (result if result.dim() else result.reshape(1)).to(data.dtype)

    forward.__doc__ = doc
    op = operator(name, source=SOURCE, method=name)(forward)

    @op.onnx
    def _(g: GraphBuilder, data: Value, *, axis: int | None, keepdims: bool) -> Value:
        rank = g.rank(data)
        if axis is None:
            flat = g.op("Reshape", data, g.ints([-1]))
            result = g.op(onnx_op, flat, axis=0, keepdims=1)
            result = g.op("Reshape", result, g.ints([1] * rank)) if keepdims else result
        else:
            result = g.op(onnx_op, data, axis=axis, keepdims=int(keepdims or rank == 1))
        return g.cast(result, g.dtype(data))


position("argmax", torch.argmax, "ArgMax", "Index of the largest element along `axis`, or in the flat array.")
position("argmin", torch.argmin, "ArgMin", "Index of the smallest element along `axis`, or in the flat array.")


@operator("argmax_channel", source=SOURCE, method="argmax_channel", gradient="refused")
def argmax_channel(data: Tensor) -> Tensor:
    """Index of the largest element along axis 1, in the dtype of `data`: (N, C, ...) gives (N, ...)."""
    if data.dim() < 2:
        raise InputError(
            f"argmax_channel: wrong rank: expected 2 or more axes, got shape={tuple(data.shape)}. Use argmax."
        )
    return torch.argmax(data, 1).to(data.dtype)


@argmax_channel.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.cast(g.op("ArgMax", data, axis=1, keepdims=0), g.dtype(data))


TABLE["sum"].sparse(sparse_rules.total)
TABLE["mean"].sparse(sparse_rules.mean)
norm.sparse(sparse_rules.norm)
