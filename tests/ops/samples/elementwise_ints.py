"""Functions of one array of integers."""

from .sample import Array, Sample

# Integers give integers; the values avoid infinities, whose conversion no language defines.
INT_SAFE = [
    "relu",
    "sigmoid",
    "tanh",
    "softsign",
    "exp",
    "log",
    "log2",
    "log10",
    "log1p",
    "expm1",
    "sqrt",
    "rsqrt",
    "square",
    "abs",
    "sign",
    "negative",
    "reciprocal",
    "sin",
    "cos",
    "arctan",
    "sinh",
    "cosh",
    "arcsinh",
    "radians",
    "gammaln",
    "ceil",
    "floor",
    "trunc",
    "fix",
    "rint",
    "round",
    "_copy",
    "zeros_like",
    "ones_like",
    "logical_not",
    "degrees",
]


def _samples():
    for op in INT_SAFE:
        yield Sample(op, "int32", (Array((5,), "int32", kind="values", values=(1, 2, 3, 5, 7)),))
    for op in ("relu", "abs", "sign", "square", "negative", "arctan", "ceil", "exp", "logical_not", "zeros_like"):
        for dtype in ("int8", "int64"):
            yield Sample(op, dtype, (Array((4,), dtype, kind="values", values=(-3, -1, 0, 2)),))
        yield Sample(op, "uint8", (Array((4,), "uint8", kind="values", values=(0, 1, 3, 5)),))
    for op in ("_copy", "BlockGrad"):
        yield Sample(op, "bool", (Array((4,), "bool", kind="values", values=(0, 1, 1, 0)),))


SAMPLES = list(_samples())
