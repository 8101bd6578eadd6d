"""Which element types ONNX Runtime's CPU kernels take, and the casts around those they do not.

Source: ONNX Runtime 1.31, each operator and type tried; float16 runs on the CPU through casts that it inserts itself.
"""

from collections.abc import Callable

from gluonnx.errors import LoweringError
from gluonnx.ops.builder import GraphBuilder, Value

FLOATS = frozenset({"float16", "float32", "float64", "bfloat16"})
"""Taken by nearly every kernel."""
WIDE = FLOATS | {"int32", "int64"}
"""Taken by sums, means, products and powers."""
NUMBERS = WIDE | {"int8", "uint8"}
"""Taken by arithmetic, comparisons, maxima and selections."""


def casting(g: GraphBuilder, kernels: frozenset[str], via: str, rule: Callable[..., Value], *inputs: Value) -> Value:
    """Apply `rule` to inputs of one dtype, or between casts to the dtype `via` where no kernel takes theirs."""
    dtype = g.dtype(inputs[0])
    if dtype in kernels:
        return rule(*inputs)
    return g.cast(rule(*(g.cast(value, via) for value in inputs)), dtype)


def refuse_float64(g: GraphBuilder, name: str, value: Value) -> None:
    """Raise LoweringError for float64 input of an operator whose kernels are float32: a cast would lose digits."""
    if g.dtype(value) == "float64":
        raise LoweringError(
            f"{name}: has no ONNX form for this dtype: expected float32 or float16, got dtype=float64 "
            "(ONNX Runtime has no float64 kernel). Cast the net to float32."
        )
