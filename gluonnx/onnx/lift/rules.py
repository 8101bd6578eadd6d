"""Which ONNX operators are MXNet operators: one rule for each, None where the meaning is not exactly equal.

A rule sees the node in its newest form. MXNet's classic operators have no arrays without axes and no axes of size 0,
and their integer arithmetic is their own, so only float32 and float16 are lifted (`Call.is_plain`).
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from gluonnx.onnx.arrays import Array
from gluonnx.symbol.graph import Entry

Shape = tuple[int | None, ...]


class Call(Protocol):
    """What a rule asks of the node; see `gluonnx.onnx.lift.graph.Call`."""

    op_type: str

    def attr(self, name: str, default: Any = None) -> Any: ...
    @property
    def inputs(self) -> list[str]: ...
    def has(self, index: int) -> bool: ...
    def entry(self, index: int) -> Entry: ...
    def constant(self, index: int) -> Array | None: ...
    def shape(self, index: int) -> Shape | None: ...
    def output_shape(self) -> Shape | None: ...
    def dtype(self, index: int) -> str | None: ...
    def is_plain(self, *positions: int) -> bool: ...
    def hold(self, names: Sequence[str]) -> bool: ...
    def make(self, op: str, inputs: Sequence[Entry], attrs: dict[str, Any], label: str = "") -> Entry: ...


Rule = Callable[[Call], Entry | None]
RULES: dict[str, Rule] = {}
"""By ONNX operator."""


def _rule(*op_types: str) -> Callable[[Rule], Rule]:
    def declare(rule: Rule) -> Rule:
        for op_type in op_types:
            RULES[op_type] = rule
        return rule

    return declare


def _simple(op_type: str, op: str, **attrs: Any) -> None:
    def rule(c: Call) -> Entry | None:
        return c.make(op, [c.entry(0)], attrs) if c.is_plain(0) else None

    RULES[op_type] = rule


for _onnx, _mxnet in {
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
    "Sin": "sin",
    "Sinh": "sinh",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}.items():
    _simple(_onnx, _mxnet)


# Windows --------------------------------------------------------------------------------------------------------------


def _symmetric(c: Call, rank: int) -> tuple[int, ...] | None:
    """Padding that is the same on both sides, None for any other."""
    if c.attr("auto_pad", "NOTSET") not in ("NOTSET", "VALID", ""):
        return None
    pads = c.attr("pads", (0,) * (2 * rank))
    if c.attr("auto_pad") == "VALID":
        pads = (0,) * (2 * rank)
    return tuple(pads[:rank]) if pads[:rank] == pads[rank:] and min(pads, default=0) >= 0 else None


@_rule("Conv", "ConvTranspose")
def _convolution(c: Call) -> Entry | None:
    weight = c.shape(1)
    if weight is None or None in weight or len(weight) not in (3, 4, 5) or not c.is_plain():
        return None
    rank = len(weight) - 2
    pad = _symmetric(c, rank)
    is_transposed = c.op_type == "ConvTranspose"
    if pad is None or c.attr("output_shape") is not None:
        return None
    group = c.attr("group", 1)
    filters = weight[1] * group if is_transposed else weight[0]
    attrs: dict[str, Any] = {
        "kernel": weight[2:],
        "stride": c.attr("strides", (1,) * rank),
        "dilate": c.attr("dilations", (1,) * rank),
        "pad": pad,
        "num_filter": filters,
        "num_group": group,
        "no_bias": not c.has(2),
    }
    if is_transposed:
        extra = c.attr("output_padding", (0,) * rank)
        if any(e >= s for e, s in zip(extra, attrs["stride"], strict=True)):
            return None
        attrs["adj"] = extra
    inputs = [c.entry(0), c.entry(1), *([c.entry(2)] if c.has(2) else [])]
    return c.make("Deconvolution" if is_transposed else "Convolution", inputs, attrs)


@_rule("MaxPool", "AveragePool")
def _pooling(c: Call) -> Entry | None:
    kernel = c.attr("kernel_shape")
    rank = len(kernel)
    pad = _symmetric(c, rank)
    if pad is None or rank > 3 or not c.is_plain(0) or c.attr("ceil_mode", 0) or c.attr("storage_order", 0):
        return None
    if any(d != 1 for d in c.attr("dilations", (1,))) or any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
        return None
    attrs: dict[str, Any] = {
        "kernel": kernel,
        "stride": c.attr("strides", (1,) * rank),
        "pad": pad,
        "pool_type": "max" if c.op_type == "MaxPool" else "avg",
        "pooling_convention": "valid",
    }
    if c.op_type == "AveragePool":
        attrs["count_include_pad"] = bool(c.attr("count_include_pad", 0))
    return c.make("Pooling", [c.entry(0)], attrs)


@_rule("GlobalMaxPool", "GlobalAveragePool")
def _global_pooling(c: Call) -> Entry | None:
    shape = c.shape(0)
    if shape is None or not 3 <= len(shape) <= 5 or not c.is_plain(0):
        return None
    attrs = {
        "kernel": (1,) * (len(shape) - 2),
        "global_pool": True,
        "pool_type": "max" if c.op_type == "GlobalMaxPool" else "avg",
    }
    return c.make("Pooling", [c.entry(0)], attrs)


# Normalization --------------------------------------------------------------------------------------------------------


@_rule("BatchNormalization")
def _batch_norm(c: Call) -> Entry | None:
    constants = [c.constant(i) for i in range(1, 5)]
    if any(a is None for a in constants) or not c.is_plain() or c.attr("training_mode", 0):
        return None
    entries = [c.entry(i) for i in range(5)]
    # Statistics are state of this node alone.
    if len({id(n) for n, _ in entries[1:]}) != 4 or not c.hold(c.inputs[1:5]):
        return None
    attrs = {"eps": c.attr("epsilon", 1e-5), "momentum": c.attr("momentum", 0.9), "fix_gamma": False}
    return c.make("BatchNorm", entries, attrs)


@_rule("InstanceNormalization")
def _instance_norm(c: Call) -> Entry | None:
    if not c.is_plain() or len(c.shape(0) or ()) < 3:
        return None
    return c.make("InstanceNorm", [c.entry(i) for i in range(3)], {"eps": c.attr("epsilon", 1e-5)})


@_rule("LayerNormalization")
def _layer_norm(c: Call) -> Entry | None:
    shape = c.shape(0)
    axis = c.attr("axis", -1)
    if shape is None or not c.has(2) or not c.is_plain() or axis not in (-1, len(shape) - 1):
        return None
    if any(len(c.shape(i) or ()) != 1 for i in (1, 2)) or c.dtype(0) != "float32":
        return None
    return c.make("LayerNorm", [c.entry(i) for i in range(3)], {"axis": -1, "eps": c.attr("epsilon", 1e-5)})


@_rule("Dropout")
def _dropout(c: Call) -> Entry | None:
    ratio = c.constant(1)
    if not c.is_plain(0) or c.has(2) or (c.has(1) and ratio is None):
        return None
    share = 0.5 if ratio is None else float(ratio)
    return c.make("Dropout", [c.entry(0)], {"p": share}) if 0 <= share < 1 else None


# Linear algebra -------------------------------------------------------------------------------------------------------


@_rule("Gemm")
def _gemm(c: Call) -> Entry | None:
    weight, bias = c.shape(1), c.shape(2) if c.has(2) else None
    if not c.is_plain() or weight is None or c.attr("transA", 0) or not c.attr("transB", 0):
        return None
    if c.attr("alpha", 1.0) != 1 or (c.has(2) and (c.attr("beta", 1.0) != 1 or bias != (weight[0],))):
        return None
    if weight[0] is None:
        return None
    inputs = [c.entry(i) for i in range(3 if c.has(2) else 2)]
    return c.make("FullyConnected", inputs, {"num_hidden": weight[0], "no_bias": not c.has(2), "flatten": False})


@_rule("MatMul")
def _matmul(c: Call) -> Entry | None:
    a, b = c.shape(0), c.shape(1)
    if a is None or b is None or not c.is_plain():
        return None
    if len(b) == 2 and len(a) >= 2:
        return c.make("dot", [c.entry(0), c.entry(1)], {})
    if len(a) == len(b) == 3 and a[0] is not None and a[0] == b[0]:
        return c.make("batch_dot", [c.entry(0), c.entry(1)], {})
    return None


# Arithmetic -----------------------------------------------------------------------------------------------------------

_ARITHMETIC = {
    "Add": ("elemwise_add", "broadcast_add", "_plus_scalar", "_plus_scalar"),
    "Sub": ("elemwise_sub", "broadcast_sub", "_minus_scalar", "_rminus_scalar"),
    "Mul": ("elemwise_mul", "broadcast_mul", "_mul_scalar", "_mul_scalar"),
    "Div": ("elemwise_div", "broadcast_div", "_div_scalar", "_rdiv_scalar"),
    "Pow": ("broadcast_power", "broadcast_power", "_power_scalar", "_rpower_scalar"),
}


def _number(c: Call, index: int) -> float | None:
    """The value of an input that is one constant number and does not add axes to the other."""
    array, other = c.constant(index), c.shape(1 - index)
    if array is None or array.size != 1 or other is None or array.ndim > len(other):
        return None
    return float(array.reshape(-1)[0])


@_rule(*_ARITHMETIC)
def _arithmetic(c: Call) -> Entry | None:
    same, broadcast, scalar, reversed_scalar = _ARITHMETIC[c.op_type]
    if c.dtype(0) != c.dtype(1):
        return None
    for index, op in ((1, scalar), (0, reversed_scalar)):
        number = _number(c, index)
        if number is not None and np.isfinite(number) and c.is_plain(1 - index):
            return c.make(op, [c.entry(1 - index)], {"scalar": number})
    if not c.is_plain():
        return None
    a, b = c.shape(0), c.shape(1)
    if a is None or b is None or len(a) != len(b):
        return None
    op = same if a == b and None not in a else broadcast
    return c.make(op, [c.entry(0), c.entry(1)], {})


@_rule("Max", "Min")
def _extremes(c: Call) -> Entry | None:
    if len(c.inputs) != 2 or not c.is_plain() or len(c.shape(0) or ()) != len(c.shape(1) or ()):
        return None
    return c.make("broadcast_maximum" if c.op_type == "Max" else "broadcast_minimum", [c.entry(0), c.entry(1)], {})


@_rule("Clip")
def _clip(c: Call) -> Entry | None:
    low, high = c.constant(1), c.constant(2)
    if low is None or high is None or not c.is_plain(0) or low.size != 1 or high.size != 1 or low > high:
        return None
    return c.make("clip", [c.entry(0)], {"a_min": float(low), "a_max": float(high)})


@_rule("LeakyRelu", "Elu")
def _leaky(c: Call) -> Entry | None:
    if not c.is_plain(0):
        return None
    kind, default = ("leaky", 0.01) if c.op_type == "LeakyRelu" else ("elu", 1.0)
    return c.make("LeakyReLU", [c.entry(0)], {"act_type": kind, "slope": c.attr("alpha", default)})


@_rule("Gelu")
def _gelu(c: Call) -> Entry | None:
    if not c.is_plain(0) or c.attr("approximate", "none") != "none":
        return None
    return c.make("LeakyReLU", [c.entry(0)], {"act_type": "gelu"})


@_rule("HardSigmoid")
def _hard_sigmoid(c: Call) -> Entry | None:
    if not c.is_plain(0):
        return None
    return c.make("hard_sigmoid", [c.entry(0)], {"alpha": c.attr("alpha", 0.2), "beta": c.attr("beta", 0.5)})


@_rule("Softmax", "LogSoftmax")
def _softmax(c: Call) -> Entry | None:
    if not c.is_plain(0):
        return None
    return c.make("softmax" if c.op_type == "Softmax" else "log_softmax", [c.entry(0)], {"axis": c.attr("axis", -1)})


# Shapes ---------------------------------------------------------------------------------------------------------------


@_rule("Concat")
def _concat(c: Call) -> Entry | None:
    if not c.is_plain():
        return None
    count = len(c.inputs)
    attrs = {"dim": c.attr("axis"), "num_args": count}
    return c.make("Concat", [c.entry(i) for i in range(count)], attrs)


@_rule("Flatten")
def _flatten(c: Call) -> Entry | None:
    shape = c.shape(0)
    if not c.is_plain(0) or c.attr("axis", 1) != 1 or shape is None or len(shape) < 2:
        return None
    return c.make("Flatten", [c.entry(0)], {})


@_rule("Reshape")
def _reshape(c: Call) -> Entry | None:
    wanted = c.constant(1)
    if wanted is None or not wanted.size or not c.is_plain(0) or c.attr("allowzero", 0):
        return None
    return c.make("Reshape", [c.entry(0)], {"shape": tuple(int(d) for d in wanted)})


@_rule("Transpose")
def _transpose(c: Call) -> Entry | None:
    shape = c.shape(0)
    if not c.is_plain(0) or shape is None:
        return None
    return c.make("transpose", [c.entry(0)], {"axes": c.attr("perm", tuple(range(len(shape)))[::-1])})


@_rule("Squeeze")
def _squeeze(c: Call) -> Entry | None:
    axes = c.constant(1)
    if axes is None or not c.is_plain(0):
        return None
    return c.make("squeeze", [c.entry(0)], {"axis": tuple(int(a) for a in axes.reshape(-1))})


@_rule("Unsqueeze")
def _unsqueeze(c: Call) -> Entry | None:
    axes = c.constant(1)
    if axes is None or axes.size != 1 or not c.is_plain(0):
        return None
    return c.make("expand_dims", [c.entry(0)], {"axis": int(axes.reshape(-1)[0])})


_REDUCTIONS = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod"}


@_rule(*_REDUCTIONS)
def _reduce(c: Call) -> Entry | None:
    axes = c.constant(1)
    if axes is None or not axes.size or not c.is_plain(0):
        return None
    attrs = {"axis": tuple(int(a) for a in axes.reshape(-1)), "keepdims": bool(c.attr("keepdims", 1))}
    return c.make(_REDUCTIONS[c.op_type], [c.entry(0)], attrs)


@_rule("Identity")
def _identity(c: Call) -> Entry | None:
    return c.make("_copy", [c.entry(0)], {}) if c.is_plain(0) else None


@_rule("DepthToSpace", "SpaceToDepth")
def _depth_to_space(c: Call) -> Entry | None:
    if not c.is_plain(0) or c.attr("mode", "DCR") != "DCR":
        return None
    op = "depth_to_space" if c.op_type == "DepthToSpace" else "space_to_depth"
    return c.make(op, [c.entry(0)], {"block_size": c.attr("blocksize")})
