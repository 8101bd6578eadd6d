"""Operators whose gradient is not their derivative, small functions beside them, and copies by MXNet's own names."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.ops import (
    elementwise,  # noqa: F401 - declares round and sign
    sparse_rules,
)
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.dtypes import in_range
from gluonnx.ops.onnx_types import FLOATS
from gluonnx.ops.storage import CsrStorage, Data
from gluonnx.ops.table import TABLE, Operator, operator


class _StraightThrough(torch.autograd.Function):
    """A function whose gradient is the one that comes in."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
        return fn(data)

    @staticmethod
    def backward(ctx: Any, head: Tensor) -> tuple[Tensor, None]:
        return head, None


def _straight_through(name: str, of: str, doc: str) -> Operator:
    """Declare an operator that computes what `of`, an operator of one array, does and passes the gradient on."""
    fn = TABLE[of].forward

    def straight_through(data: Tensor) -> Tensor:
        if not (data.requires_grad and torch.is_grad_enabled()):
            result: Tensor = fn(data)
        else:
            result = _StraightThrough.apply(data, fn)  # type: ignore[no-untyped-call]
        return result

    straight_through.__name__ = name
    straight_through.__doc__ = doc
    source = "MXNet 1.9.1 src/operator/contrib/stes_op.cc"
    op = operator(f"_contrib_{name}", f"_sparse__contrib_{name}", source=source, shapes="same")(straight_through)

    @op.onnx
    def _(g: GraphBuilder, data: Value) -> Value:
        value: Value = TABLE[of].lower(g, [data], {})[0]
        return value

    sparse_rules.on_values(op)
    return op


round_ste = _straight_through("round_ste", "round", "`round(data)`, with the gradient of `data`.")
sign_ste = _straight_through("sign_ste", "sign", "`sign(data)`, with the gradient of `data`.")


class _GradientMultiplier(torch.autograd.Function):
    """The array itself, with a multiple of its gradient."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, scalar: float) -> Tensor:
        ctx.scalar = scalar
        return data.view_as(data)

    @staticmethod
    def backward(ctx: Any, head: Tensor) -> tuple[Tensor, None]:
        return head * ctx.scalar, None


@operator(
    "_contrib_gradientmultiplier",
    view=True,
    source="MXNet 1.9.1 src/operator/contrib/gradient_multiplier_op.cc",
    shapes="same",
)
def gradientmultiplier(data: Tensor, *, scalar: float = 1.0, is_int: bool = True) -> Tensor:
    """`data`, with `scalar` times its gradient; a negative number reverses it. `is_int` changes nothing."""
    if not (data.requires_grad and torch.is_grad_enabled()):
        return data
    result: Tensor = _GradientMultiplier.apply(data, scalar)  # type: ignore[no-untyped-call]
    return result


@gradientmultiplier.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.op("Identity", data)


def _single(number: float) -> float:
    """The number in MXNet's precision of the attribute."""
    return float(np.float32(number))


def _quadratic(data: Data, *, a: float, b: float, c: float) -> Any:
    """Rule for sparse storage: a csr matrix stays one without a constant term."""
    if not isinstance(data, CsrStorage) or c != 0:
        return NotImplemented
    return data.map(quadratic.forward(data.values, a=a, b=b, c=c))


@operator("_contrib_quadratic", source="MXNet 1.9.1 src/operator/contrib/quadratic_op-inl.h", shapes="same")
def quadratic(data: Tensor, *, a: float = 0.0, b: float = 0.0, c: float = 0.0) -> Tensor:
    """`a * data^2 + b * data + c`, truncated for integers."""
    if data.is_floating_point():
        a, b, c = (in_range(_single(number), data.dtype) for number in (a, b, c))
        return (data * a + b) * data + c
    wide = data.float()
    return (_single(a) * wide * wide + _single(b) * wide + _single(c)).to(data.dtype)


@quadratic.onnx
def _(g: GraphBuilder, data: Value, *, a: float, b: float, c: float) -> Value:
    x = data if g.dtype(data) in FLOATS else g.cast(data, "float32")
    factors = [g.scalar(_single(number), x) for number in (a, b, c)]
    slope = g.op("Add", g.op("Mul", x, factors[0]), factors[1])
    return g.cast(g.op("Add", g.op("Mul", slope, x), factors[2]), g.dtype(data))


quadratic.sparse(_quadratic)


@operator("_copyto", view=True, source="MXNet 1.9.1 src/ndarray/ndarray.cc", shapes="same")
def copyto(data: Tensor) -> Tensor:
    """A copy of `data`, also into an array of another dtype with `out=`.

    Differs: `out` may be left out, and it has a gradient; MXNet refuses both.
    """
    return data


@copyto.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.op("Identity", data)
