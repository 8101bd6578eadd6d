"""Functions of one array, element by element, and the few that only change its gradient or its dtype.

Integer arrays give integer arrays: the function is computed in floating point and truncated toward zero, as MXNet does.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import InputError
from gluonnx.ops import sparse_rules
from gluonnx.ops.attributes import DTypeName, Float32
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.derivative import arccosh, arcsinh
from gluonnx.ops.dtypes import in_range, torch_dtype
from gluonnx.ops.memory import own_copy
from gluonnx.ops.onnx_types import FLOATS, NUMBERS, casting, refuse_float64
from gluonnx.ops.special_functions import in_float64, lower_erfinv, lower_gamma, lower_gammaln
from gluonnx.ops.table import TABLE, Operator, operator

SOURCE = "MXNet 1.9.1 src/operator/mshadow_op.h"

Lowering = Callable[[GraphBuilder, Value], Value]


def unary(
    name: str,
    *aliases: str,
    fn: Callable[[Tensor], Tensor],
    onnx: str | Lowering,
    doc: str,
    ints: str | Lowering | None = None,
    has_float64: bool = True,
    keeps_dtype: bool = False,
    method: bool = True,
) -> Operator:
    """Declare a function of one array.

    Args:
        name: MXNet's registered name.
        aliases: Further registered names.
        fn: The torch function.
        onnx: Its ONNX operator, or a lowering from several, for floating point.
        doc: What it computes.
        ints: The same for integers, where it is not the floating-point one between two casts.
        has_float64: Whether ONNX Runtime has a float64 kernel.
        keeps_dtype: Whether `fn` gives integers for integers.
        method: Whether NDArray and Symbol have it as a method.
    """
    if keeps_dtype:

        def forward(data: Tensor) -> Tensor:
            return fn(data)

    else:

        def forward(data: Tensor) -> Tensor:
            result = fn(data)
            return result if result.dtype == data.dtype else result.to(data.dtype)

    forward.__doc__ = doc
    op = operator(name, *aliases, source=SOURCE, method=name if method else "", shapes="same")(forward)
    of_floats = _rule(onnx)
    of_ints = None if ints is None else _rule(ints)

    @op.onnx
    def _(g: GraphBuilder, data: Value) -> Value:
        if not has_float64:
            refuse_float64(g, name, data)
        if of_ints is not None and g.dtype(data) not in FLOATS:
            return of_ints(g, data)
        return casting(g, FLOATS, "float32", lambda x: of_floats(g, x), data)

    return op


def _rule(onnx: str | Lowering) -> Lowering:
    return (lambda g, x: g.op(onnx, x)) if isinstance(onnx, str) else onnx


def _scaled(op_type: str, factor: float) -> Lowering:
    return lambda g, x: g.op("Mul", g.op(op_type, x) if op_type else x, g.scalar(factor, x))


def _times(factor: float) -> Lowering:
    return _scaled("", factor)


def _erf(data: Tensor) -> Tensor:
    """`erf`; cut off for integers, so 0 up to a magnitude of 5 and 1 from 6, where float64 rounds to it."""
    if data.is_floating_point():
        return torch.erf(data)
    return data if data.dtype == torch.bool else torch.sign(data.double()) * (data.double().abs() > 5)


def _lower_erf_of_ints(g: GraphBuilder, x: Value) -> Value:
    if g.dtype(x) == "bool":
        return g.op("Identity", x)
    wide = g.cast(x, "float32")
    is_one = g.cast(g.op("Greater", g.op("Abs", wide), g.scalar(5, wide)), "float32")
    return g.cast(g.op("Mul", g.op("Sign", wide), is_one), g.dtype(x))


def _erfinv(data: Tensor) -> Tensor:
    """The inverse of `erf`; 0 for integers that have none."""
    if data.is_floating_point():
        return torch.erfinv(data)
    return torch.erfinv(data).nan_to_num(0.0, math.inf, -math.inf)


def _lower_erfinv_of_ints(g: GraphBuilder, x: Value) -> Value:
    wide = g.cast(x, "float32")
    found = in_float64(lower_erfinv)(g, wide)
    return g.cast(g.op("Where", g.op("IsNaN", found), g.scalar(0, found), found), g.dtype(x))


# Floating-point functions.

unary("sigmoid", "_sparse_sigmoid", fn=torch.sigmoid, onnx="Sigmoid", doc="`1 / (1 + exp(-data))`.")
unary("tanh", "_sparse_tanh", fn=torch.tanh, onnx="Tanh", doc="Hyperbolic tangent.")
unary("exp", "_sparse_exp", fn=torch.exp, onnx="Exp", doc="`e ** data`.")
unary("log", "_sparse_log", fn=torch.log, onnx="Log", doc="Natural logarithm.")
unary("log2", "_sparse_log2", fn=torch.log2, onnx=_scaled("Log", 1 / math.log(2)), doc="Logarithm to base 2.")
unary("log10", "_sparse_log10", fn=torch.log10, onnx=_scaled("Log", 1 / math.log(10)), doc="Logarithm to base 10.")
unary(
    "log1p",
    "_sparse_log1p",
    fn=torch.log1p,
    onnx=lambda g, x: g.op("Log", g.op("Add", x, g.scalar(1, x))),
    doc="`log(1 + data)`.",
)
unary(
    "expm1",
    "_sparse_expm1",
    fn=torch.expm1,
    onnx=lambda g, x: g.op("Sub", g.op("Exp", x), g.scalar(1, x)),
    doc="`exp(data) - 1`.",
)
unary("sqrt", "_sparse_sqrt", fn=torch.sqrt, onnx="Sqrt", doc="Square root.")
unary(
    "rsqrt",
    "_sparse_rsqrt",
    fn=torch.rsqrt,
    onnx=lambda g, x: g.op("Reciprocal", g.op("Sqrt", x)),
    doc="`1 / sqrt(data)`.",
)
unary("reciprocal", fn=torch.reciprocal, onnx="Reciprocal", doc="`1 / data`.")
unary("sin", "_sparse_sin", fn=torch.sin, onnx="Sin", doc="Sine of radians.")
unary("cos", "_sparse_cos", fn=torch.cos, onnx="Cos", doc="Cosine of radians.")
unary(
    "tan",
    "_sparse_tan",
    fn=torch.tan,
    onnx=lambda g, x: g.op("Div", g.op("Sin", x), g.op("Cos", x)),
    doc="Tangent of radians.",
)
unary("arcsin", "_sparse_arcsin", fn=torch.asin, onnx="Asin", has_float64=False, doc="Inverse sine, in radians.")
unary("arccos", "_sparse_arccos", fn=torch.acos, onnx="Acos", has_float64=False, doc="Inverse cosine, in radians.")
unary("arctan", "_sparse_arctan", fn=torch.atan, onnx="Atan", has_float64=False, doc="Inverse tangent, in radians.")
unary("sinh", "_sparse_sinh", fn=torch.sinh, onnx="Sinh", has_float64=False, doc="Hyperbolic sine.")
unary("cosh", "_sparse_cosh", fn=torch.cosh, onnx="Cosh", has_float64=False, doc="Hyperbolic cosine.")
unary("arcsinh", "_sparse_arcsinh", fn=arcsinh, onnx="Asinh", has_float64=False, doc="Inverse hyperbolic sine.")
unary("arccosh", "_sparse_arccosh", fn=arccosh, onnx="Acosh", has_float64=False, doc="Inverse hyperbolic cosine.")
unary("arctanh", "_sparse_arctanh", fn=torch.atanh, onnx="Atanh", has_float64=False, doc="Inverse hyperbolic tangent.")
unary("degrees", "_sparse_degrees", fn=torch.rad2deg, onnx=_times(180 / math.pi), doc="Radians to degrees.")
unary("radians", "_sparse_radians", fn=torch.deg2rad, onnx=_times(math.pi / 180), doc="Degrees to radians.")
unary("erf", fn=_erf, onnx="Erf", ints=_lower_erf_of_ints, has_float64=False, method=False, doc="Gauss error function.")
unary(
    "softsign",
    fn=F.softsign,
    onnx=lambda g, x: g.op("Div", x, g.op("Add", g.op("Abs", x), g.scalar(1, x))),
    method=False,
    doc="`data / (1 + abs(data))`.",
)


def _cbrt(data: Tensor) -> Tensor:
    return torch.sign(data) * torch.abs(data).pow(1 / 3)


def _onnx_cbrt(g: GraphBuilder, x: Value) -> Value:
    return g.op("Mul", g.op("Sign", x), g.op("Pow", g.op("Abs", x), g.scalar(1 / 3, x)))


def _gamma(data: Tensor) -> Tensor:
    # exp(lgamma) is the magnitude; between the negative integers the sign alternates.
    is_negative = (data < 0) & (torch.floor(data).remainder(2) != 0)
    magnitude = torch.exp(torch.lgamma(data))
    return torch.where(is_negative, -magnitude, magnitude)


unary("cbrt", "_sparse_cbrt", fn=_cbrt, onnx=_onnx_cbrt, doc="Cube root.")
unary(
    "rcbrt",
    fn=lambda x: torch.reciprocal(_cbrt(x)),
    onnx=lambda g, x: g.op("Reciprocal", _onnx_cbrt(g, x)),
    doc="`1 / cbrt(data)`.",
)
unary(
    "gamma",
    "_sparse_gamma",
    fn=_gamma,
    onnx=in_float64(lower_gamma),
    method=False,
    doc="The gamma function, `(data - 1)!` of whole numbers.",
)
unary(
    "gammaln",
    "_sparse_gammaln",
    fn=torch.lgamma,
    onnx=in_float64(lower_gammaln),
    method=False,
    doc="Logarithm of `abs(gamma(data))`.",
)
unary(
    "erfinv",
    fn=_erfinv,
    onnx=in_float64(lower_erfinv),
    ints=_lower_erfinv_of_ints,
    method=False,
    doc="Inverse of `erf`.",
)

# Functions that give integers for integers.


def _onnx_trunc(g: GraphBuilder, x: Value) -> Value:
    return g.op("Mul", g.op("Sign", x), g.op("Floor", g.op("Abs", x)))


def _rint(data: Tensor) -> Tensor:
    below = torch.floor(data)
    return below + (data - below > 0.5)


def _onnx_rint(g: GraphBuilder, x: Value) -> Value:
    below = g.op("Floor", x)
    is_above = g.op("Greater", g.op("Sub", x, below), g.scalar(0.5, x))
    return g.op("Add", below, g.cast(is_above, g.dtype(x)))


def _round(data: Tensor) -> Tensor:
    whole = torch.trunc(data)
    return whole + torch.sign(data) * ((data - whole).abs() >= 0.5)


def _onnx_round(g: GraphBuilder, x: Value) -> Value:
    size = g.op("Abs", x)
    below = g.op("Floor", size)
    is_above = g.op("GreaterOrEqual", g.op("Sub", size, below), g.scalar(0.5, x))
    return g.op("Mul", g.op("Sign", x), g.op("Add", below, g.cast(is_above, g.dtype(x))))


unary(
    "relu",
    "_sparse_relu",
    fn=torch.relu,
    onnx="Relu",
    ints=lambda g, x: g.op("Max", x, g.scalar(0, x)),
    keeps_dtype=True,
    doc="`max(data, 0)`.",
)
unary("abs", "_sparse_abs", fn=torch.abs, onnx="Abs", ints="Abs", keeps_dtype=True, doc="Magnitude.")
unary("sign", "_sparse_sign", fn=torch.sign, onnx="Sign", ints="Sign", keeps_dtype=True, doc="-1, 0 or 1.")
unary(
    "square",
    "_sparse_square",
    fn=torch.square,
    onnx=lambda g, x: g.op("Mul", x, x),
    ints=lambda g, x: g.op("Mul", x, x),
    keeps_dtype=True,
    doc="`data * data`.",
)
unary(
    "negative",
    "_sparse_negative",
    fn=torch.neg,
    onnx="Neg",
    ints=lambda g, x: g.op("Sub", g.scalar(0, x), x),
    keeps_dtype=True,
    method=False,
    doc="`-data`; unsigned integers wrap.",
)
unary("ceil", "_sparse_ceil", fn=torch.ceil, onnx="Ceil", ints="Identity", keeps_dtype=True, doc="Round up.")
unary("floor", "_sparse_floor", fn=torch.floor, onnx="Floor", ints="Identity", keeps_dtype=True, doc="Round down.")
unary(
    "trunc",
    "_sparse_trunc",
    fn=torch.trunc,
    onnx=_onnx_trunc,
    ints="Identity",
    keeps_dtype=True,
    doc="Round toward zero.",
)
unary(
    "fix",
    "_sparse_fix",
    fn=torch.trunc,
    onnx=_onnx_trunc,
    ints="Identity",
    keeps_dtype=True,
    doc="Round toward zero.",
)
unary(
    "rint", "_sparse_rint", fn=_rint, onnx=_onnx_rint, ints="Identity", doc="Round to the nearest integer, ties down."
)
unary(
    "round",
    "_sparse_round",
    fn=_round,
    onnx=_onnx_round,
    ints="Identity",
    doc="Round to the nearest integer, ties away from zero.",
)
unary(
    "logical_not",
    fn=torch.logical_not,
    onnx=lambda g, x: g.cast(g.op("Equal", x, g.scalar(0, x)), g.dtype(x)),
    ints=lambda g, x: g.cast(g.op("Equal", x, g.scalar(0, x)), g.dtype(x)),
    method=False,
    doc="1 where `data` is 0, else 0, in its dtype.",
)
unary(
    "zeros_like",
    "_sparse_zeros_like",
    fn=torch.zeros_like,
    onnx=lambda g, x: _filled_like(g, x, 0),
    ints=lambda g, x: _filled_like(g, x, 0),
    keeps_dtype=True,
    doc="Zeros of the shape and dtype of `data`.",
)
unary(
    "ones_like",
    fn=torch.ones_like,
    onnx=lambda g, x: _filled_like(g, x, 1),
    ints=lambda g, x: _filled_like(g, x, 1),
    keeps_dtype=True,
    doc="Ones of the shape and dtype of `data`.",
)
unary(
    "_copy",
    "identity",
    fn=torch.clone,
    onnx="Identity",
    ints="Identity",
    keeps_dtype=True,
    method=False,
    doc="A copy of `data`.",
)


@operator(
    "BlockGrad", "_sparse_stop_gradient", "stop_gradient", view=True, source=SOURCE, shapes="same", gradient="none"
)
def block_grad(data: Tensor) -> Tensor:
    """`data`, through which no gradient flows."""
    return data.detach()


@block_grad.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.op("Identity", data)


def _filled_like(g: GraphBuilder, x: Value, number: int) -> Value:
    return g.op("Expand", g.scalar(number, x), g.shape(x))


# Functions with attributes.


@operator(
    "_identity_with_attr_like_rhs", source="MXNet 1.9.1 src/operator/tensor/elemwise_unary_op_basic.cc", shapes="same"
)
def identity_like(lhs: Tensor, rhs: Tensor) -> Tensor:
    """A copy of `lhs`, which has the shape of `rhs`: it lets a shape that is known of one be found of the other."""
    if lhs.shape != rhs.shape:
        raise InputError(
            f"_identity_with_attr_like_rhs: shapes differ: expected lhs={tuple(rhs.shape)}, got lhs={tuple(lhs.shape)}."
        )
    return lhs.clone()


@identity_like.onnx
def _(g: GraphBuilder, lhs: Value, rhs: Value) -> Value:
    return g.op("Identity", lhs)


@operator("hard_sigmoid", source=SOURCE, shapes="same")
def hard_sigmoid(data: Tensor, *, alpha: Float32 = 0.2, beta: Float32 = 0.5) -> Tensor:
    """`alpha * data + beta`, held between 0 and 1; the gradient is 0 where it is held."""
    return F.hardtanh(data * alpha + beta, 0.0, 1.0)


@hard_sigmoid.onnx
def _(g: GraphBuilder, data: Value, *, alpha: float, beta: float) -> Value:
    line = g.op("Add", g.op("Mul", data, g.scalar(alpha, data)), g.scalar(beta, data))
    return g.op("Clip", line, g.scalar(0, data), g.scalar(1, data))


@operator(
    "clip", "_sparse_clip", source="MXNet 1.9.1 src/operator/tensor/matrix_op-inl.h", method="clip", shapes="same"
)
def clip(data: Tensor, *, a_min: float, a_max: float) -> Tensor:
    """`data` held between `a_min` and `a_max`; the bounds of integers are truncated."""
    if data.is_floating_point():
        try:
            return torch.clamp(data, a_min, a_max)
        except RuntimeError:
            # torch refuses bounds beyond the range of the dtype.
            return torch.clamp(data, in_range(a_min, data.dtype), in_range(a_max, data.dtype))
    low, high = _int_bounds(data.dtype, a_min, a_max)
    return torch.clamp(data, low, high)


@clip.quick
def _(*, a_min: float, a_max: float) -> Callable[[Tensor], Tensor]:
    clamp = torch.clamp

    def call(data: Tensor) -> Tensor:
        if data.is_floating_point():
            return clamp(data, a_min, a_max)
        return clip.forward(data, a_min=a_min, a_max=a_max)  # type: ignore[no-any-return]

    return call


@clip.onnx
def _(g: GraphBuilder, data: Value, *, a_min: float, a_max: float) -> Value:
    dtype = g.dtype(data)
    low, high = (a_min, a_max) if dtype in FLOATS else _int_bounds(torch_dtype(dtype), a_min, a_max)
    return g.op("Clip", data, g.scalar(low, data), g.scalar(high, data))


def _int_bounds(dtype: torch.dtype, low: float, high: float) -> tuple[int, int]:
    info = torch.iinfo(dtype)
    return int(max(info.min, low)), int(min(info.max, high))


@operator("smooth_l1", source="MXNet 1.9.1 src/operator/mshadow_op.h, smooth_l1_loss", shapes="same")
def smooth_l1(data: Tensor, *, scalar: float = 1.0) -> Tensor:
    """`0.5 * (scalar * data) ** 2` where `abs(data) < 1 / scalar ** 2`, else `abs(data) - 0.5 / scalar ** 2`."""
    if not data.is_floating_point():
        return _smooth_l1(data.to(torch.float32), scalar).to(data.dtype)
    return _smooth_l1(data, scalar)


def _smooth_l1(data: Tensor, scalar: float) -> Tensor:
    return F.smooth_l1_loss(data, torch.zeros_like(data), reduction="none", beta=1 / scalar**2)


@smooth_l1.onnx
def _(g: GraphBuilder, data: Value, *, scalar: float) -> Value:
    beta = 1 / scalar**2

    def rule(x: Value) -> Value:
        size = g.op("Abs", x)
        near = g.op("Mul", g.op("Mul", x, x), g.scalar(0.5 / beta, x))
        far = g.op("Sub", size, g.scalar(0.5 * beta, x))
        return g.op("Where", g.op("Less", size, g.scalar(beta, x)), near, far)

    return casting(g, FLOATS, "float32", rule, data)


@operator("Cast", "cast", view=True, source="MXNet 1.9.1 src/operator/tensor/elemwise_unary_op.h", shapes="same")
def cast(data: Tensor, *, dtype: DTypeName) -> Tensor:
    """`data` in another dtype; floats are truncated toward zero to become integers."""
    return data.to(torch_dtype(dtype))


@cast.quick
def _(*, dtype: DTypeName) -> Callable[[Tensor], Tensor]:
    kind = torch_dtype(dtype)

    def call(data: Tensor) -> Tensor:
        result = data.to(kind)
        return own_copy(data) if result is data else result

    return call


@cast.onnx
def _(g: GraphBuilder, data: Value, *, dtype: DTypeName) -> Value:
    return g.cast(data, dtype)


_ROUNDED = {"int8": (-128.0, 127.0), "uint8": (0.0, 255.0), "int32": (-(2.0**31), 2.0**31 - 128)}
"""Dtypes that `amp_cast` rounds to, and their least and largest float32."""


@operator("amp_cast", view=True, source="MXNet 1.9.1 src/operator/tensor/amp_cast.h", shapes="same")
def amp_cast(data: Tensor, *, dtype: DTypeName) -> Tensor:
    """Floating-point `data` in another dtype; anything else as it is.

    float32 and bfloat16 become int8, uint8 and int32 by rounding, halves to even, and stay within the dtype (NaN is its
    largest number); of float16 the fraction is cut off, as `Cast` does.
    """
    if not data.is_floating_point():
        return data
    kind = torch_dtype(dtype)
    bounds = _ROUNDED.get(dtype)
    if bounds is None or data.dtype not in (torch.float32, torch.bfloat16):
        return data.to(kind)
    return data.float().round().nan_to_num(bounds[1], bounds[1], bounds[0]).clamp(*bounds).to(kind)


@amp_cast.dtypes
def _(data: str | None, *, dtype: str) -> dict[str, str | None]:
    return {"output": dtype if data in FLOATS else data}


@amp_cast.onnx
def _(g: GraphBuilder, data: Value, *, dtype: DTypeName) -> Value:
    if g.dtype(data) not in FLOATS:
        return data
    bounds = _ROUNDED.get(dtype)
    if bounds is None or g.dtype(data) not in ("float32", "bfloat16"):
        return g.cast(data, dtype)
    whole = g.op("Round", g.cast(data, "float32"))
    whole = g.op("Where", g.op("IsNaN", whole), g.const(bounds[1]), whole)
    return g.cast(g.op("Clip", whole, g.const(bounds[0]), g.const(bounds[1])), dtype)


class _LossHead(torch.autograd.Function):
    """The identity, whose gradient is `scale` whatever gradient comes in: the start of back-propagation."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, scale: float | Tensor) -> Tensor:
        ctx.scale = scale
        return data.view_as(data)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return torch.ones_like(gradients[0]) * ctx.scale, None


def _loss_head(data: Tensor, scale: float | Tensor) -> Tensor:
    result: Tensor = _LossHead.apply(data, scale)  # type: ignore[no-untyped-call]
    return result


@operator("MakeLoss", view=True, source="MXNet 1.9.1 src/operator/make_loss-inl.h", shapes="same", gradient="loss")
def make_loss_layer(
    data: Tensor,
    *,
    grad_scale: float = 1.0,
    valid_thresh: float = 0.0,
    normalization: Literal["batch", "null", "valid"] = "null",
) -> Tensor:
    """The identity as the head of a graph: its gradient is `grad_scale`, whatever comes in.

    `normalization="batch"` divides it by the size of axis 0, `"valid"` by how many elements exceed `valid_thresh`.
    """
    if normalization == "null":
        return _loss_head(data, grad_scale)
    if normalization == "batch":
        return _loss_head(data, grad_scale / data.shape[0])
    return _loss_head(data, grad_scale / (data > valid_thresh).sum().clamp_min(1).to(data.dtype))


@make_loss_layer.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.op("Identity", data)


@operator(
    "make_loss",
    "_sparse_make_loss",
    view=True,
    source="MXNet 1.9.1 src/operator/tensor/elemwise_unary_op_basic.cc",
    shapes="same",
    gradient="loss",
)
def make_loss(data: Tensor) -> Tensor:
    """The identity as the head of a graph: its gradient is 1, whatever comes in."""
    return _loss_head(data, 1.0)


@make_loss.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return g.op("Identity", data)


@operator("where", "_sparse_where", source="MXNet 1.9.1 src/operator/tensor/control_flow_op.h", shapes="known")
def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """`x` where `condition` is not 0, else `y`.

    `x` and `y` have one shape and dtype; `condition` has that shape, or is 1-D and chooses whole rows (axis 0).
    """
    if x.shape != y.shape or x.dtype != y.dtype:
        raise InputError(
            f"where: x and y differ: expected one shape and dtype, got x={tuple(x.shape)} {x.dtype}, "
            f"y={tuple(y.shape)} {y.dtype}. Broadcast or cast one of them first."
        )
    if condition.shape != x.shape:
        if condition.dim() != 1 or condition.shape[0] != x.shape[0]:
            raise InputError(
                f"where: wrong shape of condition: expected {tuple(x.shape)} or ({x.shape[0]},), "
                f"got condition={tuple(condition.shape)}. Reshape or broadcast it first."
            )
        condition = condition.reshape(-1, *(1,) * (x.dim() - 1))
    return torch.where(condition.to(torch.bool), x, y)


@where.quick
def _() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    choose = torch.where

    def call(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        if condition.shape == x.shape == y.shape and x.dtype is y.dtype:
            return choose(condition.bool(), x, y)
        return where.forward(condition, x, y)  # type: ignore[no-any-return]

    return call


@where.parameters
def _(x: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"y": x}


@where.dtypes
def _(x: str | None, y: str | None) -> dict[str, str | None]:
    return {"x": x or y, "y": x or y, "output": x or y}


@where.onnx
def _(g: GraphBuilder, condition: Value, x: Value, y: Value) -> Value:
    chosen = g.cast(condition, "bool")
    rank = g.rank(x)
    if g.rank(condition) < rank:
        chosen = g.op("Unsqueeze", chosen, g.ints(range(1, rank)))
    return casting(g, NUMBERS, "uint8", lambda a, b: g.op("Where", chosen, a, b), x, y)


_KEEP_STORAGE = """
    relu round rint ceil floor trunc fix sign abs negative square sqrt cbrt sin tan arcsin arctan degrees radians sinh
    tanh arcsinh arctanh expm1 log1p _copy BlockGrad make_loss
"""

for _name in _KEEP_STORAGE.split():
    sparse_rules.on_values(TABLE[_name])
sparse_rules.on_values(clip, only_if=lambda a_min, a_max: a_min <= 0 <= a_max)
TABLE["zeros_like"].sparse(sparse_rules.zeros_like)
