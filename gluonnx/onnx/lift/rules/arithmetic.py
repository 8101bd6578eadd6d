"""Arithmetic and comparisons of two arrays and more, and reductions."""

import numpy as np

from gluonnx.onnx.lift.rules.table import (
    Call,
    Lifted,
    broadcast,
    is_operand,
    is_same,
    number,
    of_rank,
    rank_of,
    rule,
)
from gluonnx.symbol.graph import Entry

_ARITHMETIC = {
    "Add": ("elemwise_add", "broadcast_add", "_plus_scalar", "_plus_scalar"),
    "Sub": ("elemwise_sub", "broadcast_sub", "_minus_scalar", "_rminus_scalar"),
    "Mul": ("elemwise_mul", "broadcast_mul", "_mul_scalar", "_mul_scalar"),
    "Div": ("elemwise_div", "broadcast_div", "_div_scalar", "_rdiv_scalar"),
    "Pow": (None, "broadcast_power", "_power_scalar", "_rpower_scalar"),
}
_COMPARISONS = {
    "Equal": ("broadcast_equal", "_equal_scalar"),
    "Greater": ("broadcast_greater", "_greater_scalar"),
    "GreaterOrEqual": ("broadcast_greater_equal", "_greater_equal_scalar"),
    "Less": ("broadcast_lesser", "_lesser_scalar"),
    "LessOrEqual": ("broadcast_lesser_equal", "_lesser_equal_scalar"),
}


def _beside(c: Call, index: int) -> float | None:
    """The value of an input that is one constant number and does not add axes to the other."""
    array, other = c.constant(index), c.shape(1 - index)
    if array is None or other is None or array.ndim > len(other):
        return None
    return number(c, index)


@rule(*_ARITHMETIC, stays="dtypes other than float32 and float16")
def _arithmetic(c: Call) -> Lifted:
    same, spread, scalar, reversed_scalar = _ARITHMETIC[c.op_type]
    for index, op in ((1, scalar), (0, reversed_scalar)):
        # Of a power, the exponent may be of any dtype.
        if c.dtype(0) == c.dtype(1) or (c.op_type == "Pow" and index == 1):
            value = _beside(c, index)
            if value is not None and np.isfinite(value) and c.is_plain(1 - index):
                return c.make(op, [c.entry(1 - index)], {"scalar": value})
    if c.dtype(0) != c.dtype(1) or not c.is_plain():
        return None
    return broadcast(c, spread, same)


@rule("Max", "Min", "Sum", "Mean", stays="dtypes other than float32 and float16")
def _many(c: Call) -> Lifted:
    op = {"Max": "broadcast_maximum", "Min": "broadcast_minimum"}.get(c.op_type, "broadcast_add")
    count = len(c.inputs)
    ranks = [rank_of(c, i) for i in range(count)]
    known = [r for r in ranks if r is not None]
    output = c.output_shape()
    if len(known) != count or not output or 0 in output or not all(is_operand(c, i) for i in range(count)):
        return None
    if op == "broadcast_add" and all(is_same(c.sizes(0), c.sizes(i)) for i in range(count)):
        total = c.make("add_n", [c.entry(i) for i in range(count)], {"num_args": count}, "_sum" * (c.op_type == "Mean"))
    else:
        total, *rest = (of_rank(c, i, max(known)) for i in range(count))
        for entry in rest:
            total = c.make(op, [total, entry], {})
    return c.make("_div_scalar", [total], {"scalar": float(count)}) if c.op_type == "Mean" else total


@rule(*_COMPARISONS)
def _comparison(c: Call) -> Lifted:
    spread, scalar = _COMPARISONS[c.op_type]
    value = _beside(c, 1)
    if value is not None and c.is_plain(0) and np.isfinite(value):
        found: Entry | None = c.make(scalar, [c.entry(0)], {"scalar": value}, "_number")
    else:
        found = broadcast(c, spread) if c.is_array() else None
    return None if found is None else c.make("Cast", [found], {"dtype": "bool"})


@rule("Not")
def _not(c: Call) -> Lifted:
    if not c.is_array(0, dtypes=("bool",)):
        return None
    plain = c.make("Cast", [c.entry(0)], {"dtype": "float32"}, "_number")
    return c.make("Cast", [c.make("logical_not", [plain], {}, "_not")], {"dtype": "bool"})


@rule("And", "Or", "Xor")
def _logical(c: Call) -> Lifted:
    a, b = rank_of(c, 0), rank_of(c, 1)
    if not c.is_array(dtypes=("bool",)) or a is None or b is None:
        return None
    given = [c.make("Cast", [of_rank(c, i, max(a, b))], {"dtype": "float32"}, "_number") for i in (0, 1)]
    found = c.make(f"broadcast_logical_{c.op_type.lower()}", given, {}, "_found")
    return c.make("Cast", [found], {"dtype": "bool"})


@rule("Where", stays="no input of the shape of the output; dtypes other than float32 and float16")
def _where(c: Call) -> Lifted:
    sizes, ranks = c.output_sizes(), [rank_of(c, i) for i in range(3)]
    known = [r for r in ranks if r is not None]
    if sizes is None or len(known) != 3 or not c.is_array(0, dtypes=("bool",)):
        return None
    if not is_operand(c, 1) or not is_operand(c, 2):
        return None
    whole = [i for i in range(3) if is_same(c.sizes(i), sizes)]
    if not whole:
        return None
    model = c.entry(whole[0])
    if whole[0] == 0:
        model = c.make("Cast", [model], {"dtype": "float32"}, "_model")
    given = []
    for i in range(3):
        entry = of_rank(c, i, max(known)) if i not in whole else c.entry(i)
        if i == 0:
            entry = c.make("Cast", [entry], {"dtype": "float32"}, "_condition")
        given.append(entry if i in whole else c.make("broadcast_like", [entry, model], {}, "_whole"))
    return c.make("where", given, {})


# Reductions -----------------------------------------------------------------------------------------------------------

_REDUCTIONS = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod"}


@rule(
    *_REDUCTIONS,
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSum",
    "ReduceLogSumExp",
    stays="computed axes; a result without axes; dtypes other than float32 and float16",
)
def _reduce(c: Call) -> Lifted:
    axes, shape = c.constant(1), c.shape(0)
    if shape is None or (c.has(1) and axes is None) or not c.is_plain(0):
        return None
    if axes is None or not axes.size:
        if c.attr("noop_with_empty_axes", 0):
            return None
        axes = np.arange(len(shape))
    attrs = {"axis": tuple(int(a) % len(shape) for a in axes.reshape(-1)), "keepdims": bool(c.attr("keepdims", 1))}
    data = c.entry(0)
    match c.op_type:
        case "ReduceL1":
            return c.make("sum", [c.make("abs", [data], {}, "_abs")], attrs)
        case "ReduceL2":
            return c.make("sqrt", [c.make("sum", [c.make("square", [data], {}, "_square")], attrs, "_sum")], {})
        case "ReduceSumSquare":
            return c.make("sum", [c.make("square", [data], {}, "_square")], attrs)
        case "ReduceLogSum":
            return c.make("log", [c.make("sum", [data], attrs, "_sum")], {})
        case "ReduceLogSumExp":
            # The greatest is taken out, so that nothing overflows.
            most = c.make("max", [data], {**attrs, "keepdims": True}, "_most")
            exp = c.make("exp", [c.make("broadcast_sub", [data, most], {}, "_rest")], {}, "_exp")
            log = c.make("log", [c.make("sum", [exp], attrs, "_sum")], {}, "_log")
            top = most if attrs["keepdims"] else c.make("max", [data], attrs, "_top")
            return c.make("elemwise_add", [log, top], {})
    return c.make(_REDUCTIONS[c.op_type], [data], attrs)


@rule("ArgMax", "ArgMin", stays="the last of equal ones; an axis of open size")
def _extreme_index(c: Call) -> Lifted:
    shape = c.shape(0)
    axis = c.attr("axis", 0)
    if shape is None or not c.is_plain(0) or c.attr("select_last_index", 0):
        return None
    size = shape[axis]
    if c.dtype(0) != "float32" or size is None or size > 1 << 24:
        return None  # MXNet gives the index as a number of the data's dtype
    op = "argmax" if c.op_type == "ArgMax" else "argmin"
    attrs = {"axis": axis % len(shape), "keepdims": bool(c.attr("keepdims", 1))}
    return c.make("Cast", [c.make(op, [c.entry(0)], attrs, "_number")], {"dtype": "int64"})
