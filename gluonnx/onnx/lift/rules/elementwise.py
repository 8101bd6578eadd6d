"""Functions of one number, activations among them."""

import math
from typing import Any

from gluonnx.onnx.lift.rules.table import RULES, Call, Lifted, number, rank_of, rule

_UNARY = {
    "Abs": "abs",
    "Acos": "arccos",
    "Acosh": "arccosh",
    "Asin": "arcsin",
    "Asinh": "arcsinh",
    "Atan": "arctan",
    "Atanh": "arctanh",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Log": "log",
    "Neg": "negative",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}
_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_SELU = (1.67326319217681884765625, 1.05070102214813232421875)
"""ONNX's default alpha and gamma, which MXNet's selu has. Source: ONNX Selu-22, MXNet 1.9.1 leaky_relu-inl.h."""


def _simple(op_type: str, op: str, **attrs: Any) -> None:
    def lift(c: Call) -> Lifted:
        return c.make(op, [c.entry(0)], attrs) if c.is_plain(0) else None

    RULES[op_type] = lift


for _onnx, _mxnet in _UNARY.items():
    _simple(_onnx, _mxnet)
_simple("Softplus", "Activation", act_type="softrelu")


@rule("Identity")
def _identity(c: Call) -> Lifted:
    return c.same(c.entry(0)) if c.is_array(0) else None


@rule("LeakyRelu", "Elu")
def _leaky(c: Call) -> Lifted:
    if not c.is_plain(0):
        return None
    kind, default = ("leaky", 0.01) if c.op_type == "LeakyRelu" else ("elu", 1.0)
    return c.make("LeakyReLU", [c.entry(0)], {"act_type": kind, "slope": c.attr("alpha", default)})


@rule("Selu", stays="other constants than the usual")
def _selu(c: Call) -> Lifted:
    given = (c.attr("alpha", _SELU[0]), c.attr("gamma", _SELU[1]))
    if not c.is_plain(0) or not all(math.isclose(a, b, rel_tol=1e-7) for a, b in zip(given, _SELU, strict=True)):
        return None
    return c.make("LeakyReLU", [c.entry(0)], {"act_type": "selu"})


@rule("Celu")
def _celu(c: Call) -> Lifted:
    alpha = c.attr("alpha", 1.0)
    if not c.is_plain(0) or alpha <= 0:
        return None
    if alpha == 1:
        return c.make("LeakyReLU", [c.entry(0)], {"act_type": "elu", "slope": 1.0})
    scaled = c.make("_div_scalar", [c.entry(0)], {"scalar": alpha}, "_scaled")
    bent = c.make("LeakyReLU", [scaled], {"act_type": "elu", "slope": 1.0}, "_elu")
    return c.make("_mul_scalar", [bent], {"scalar": alpha})


@rule("PRelu", stays="slopes that are no number and not one for each channel")
def _prelu(c: Call) -> Lifted:
    data, slope = c.shape(0), c.shape(1)
    if not c.is_plain() or data is None or slope is None or None in slope or len(data) < 2:
        return None
    channel = len(slope) - len(data) + 1  # where axis 1 of the data lies among the slope's
    wide = [i for i, d in enumerate(slope) if d != 1]
    if wide and (wide != [channel] or slope[channel] != data[1]):
        return None
    gamma = c.entry(1)
    if len(slope) != 1:
        gamma = c.make("Reshape", [gamma], {"shape": (-1,)}, "_gamma")
    return c.make("LeakyReLU", [c.entry(0), gamma], {"act_type": "prelu"})


@rule("Gelu")
def _gelu(c: Call) -> Lifted:
    if not c.is_plain(0):
        return None
    if c.attr("approximate", "none") == "none":
        return c.make("LeakyReLU", [c.entry(0)], {"act_type": "gelu"})
    data = c.entry(0)
    cube = c.make("_power_scalar", [data], {"scalar": 3.0}, "_cube")
    part = c.make("_mul_scalar", [cube], {"scalar": 0.044715}, "_part")
    inner = c.make("elemwise_add", [data, part], {}, "_inner")
    scaled = c.make("_mul_scalar", [inner], {"scalar": _SQRT_2_OVER_PI}, "_scaled")
    gate = c.make("_plus_scalar", [c.make("tanh", [scaled], {}, "_tanh")], {"scalar": 1.0}, "_gate")
    half = c.make("_mul_scalar", [data], {"scalar": 0.5}, "_half")
    return c.make("elemwise_mul", [half, gate], {})


@rule("HardSigmoid")
def _hard_sigmoid(c: Call) -> Lifted:
    if not c.is_plain(0):
        return None
    return c.make("hard_sigmoid", [c.entry(0)], {"alpha": c.attr("alpha", 0.2), "beta": c.attr("beta", 0.5)})


@rule("HardSwish")
def _hard_swish(c: Call) -> Lifted:
    if not c.is_plain(0):
        return None
    gate = c.make("hard_sigmoid", [c.entry(0)], {"alpha": 1 / 6, "beta": 0.5}, "_gate")
    return c.make("elemwise_mul", [c.entry(0), gate], {})


@rule("Swish")
def _swish(c: Call) -> Lifted:
    alpha = c.attr("alpha", 1.0)
    if not c.is_plain(0):
        return None
    data = c.entry(0)
    scaled = data if alpha == 1 else c.make("_mul_scalar", [data], {"scalar": alpha}, "_scaled")
    return c.make("elemwise_mul", [data, c.make("sigmoid", [scaled], {}, "_gate")], {})


@rule("Mish")
def _mish(c: Call) -> Lifted:
    if not c.is_plain(0):
        return None
    soft = c.make("Activation", [c.entry(0)], {"act_type": "softrelu"}, "_softplus")
    return c.make("elemwise_mul", [c.entry(0), c.make("tanh", [soft], {}, "_gate")], {})


@rule("ThresholdedRelu")
def _thresholded(c: Call) -> Lifted:
    if not c.is_plain(0):
        return None
    above = c.make("_greater_scalar", [c.entry(0)], {"scalar": c.attr("alpha", 1.0)}, "_above")
    zero = c.make("zeros_like", [c.entry(0)], {}, "_zero")
    return c.make("where", [above, c.entry(0), zero], {})


@rule("Clip", stays="computed bounds")
def _clip(c: Call) -> Lifted:
    low, high = number(c, 1), number(c, 2)
    if not c.is_plain(0) or (c.has(1) and low is None) or (c.has(2) and high is None):
        return None
    if low is not None and high is not None:
        return c.make("clip", [c.entry(0)], {"a_min": low, "a_max": high}) if low <= high else None
    if low is not None:
        return c.make("_maximum_scalar", [c.entry(0)], {"scalar": low})
    if high is not None:
        return c.make("_minimum_scalar", [c.entry(0)], {"scalar": high})
    return c.same(c.entry(0))


@rule("Softmax", "LogSoftmax")
def _softmax(c: Call) -> Lifted:
    if not c.is_plain(0):
        return None
    return c.make("softmax" if c.op_type == "Softmax" else "log_softmax", [c.entry(0)], {"axis": c.attr("axis", -1)})


@rule("CumSum", stays="exclusive, in reverse")
def _cumulated(c: Call) -> Lifted:
    axis, rank = number(c, 1), rank_of(c, 0)
    if not c.is_plain(0) or axis is None or rank is None or c.attr("exclusive", 0) or c.attr("reverse", 0):
        return None
    return c.make("_np_cumsum", [c.entry(0)], {"axis": int(axis) % rank})


@rule("Cast", "CastLike", stays="dtypes that MXNet has not")
def _cast(c: Call) -> Lifted:
    dtype = c.output_dtype()
    if not c.is_array(0, dtypes=_CAST) or dtype not in _CAST:
        return None
    if dtype == c.dtype(0):
        return c.same(c.entry(0))
    return c.make("Cast", [c.entry(0)], {"dtype": dtype})


_CAST = ("float32", "float16", "float64", "int32", "int64", "uint8", "int8", "bool")
