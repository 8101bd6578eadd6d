"""Functions of two arrays of equal shape."""

from .sample import Array, Sample

SHAPE = (2, 3)
ARITHMETIC = ("add", "sub", "mul", "div")
NAMED = ("mod", "power", "maximum", "minimum", "hypot")
CLAIMS = (
    "equal",
    "not_equal",
    "greater",
    "greater_equal",
    "lesser",
    "lesser_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
)

OPS = ARITHMETIC + NAMED + CLAIMS
KINK = "a jump or a kink lies in the sample"


def _elemwise(op):
    return ("elemwise_" if op in ARITHMETIC else "_") + op


def kind_of(op):
    return {"power": "positive", "mod": "positive", "div": "away"}.get(op, "normal")


def _pairs():
    for op in OPS:
        kind = kind_of(op)
        for dtype in ("float32", "float64", "float16"):
            pair = (Array(SHAPE, dtype, kind), Array(SHAPE, dtype, kind))
            yield Sample(_elemwise(op), dtype, pair, batch=(0, 1))


def _ints():
    for op in OPS:
        left, right = (7, -7, 7, -7, 0, 3, 2, -2), (3, 3, -3, -3, 2, 1, 2, -3)
        for dtype in ("int32", "int64", "int8"):
            exponent = (2, 1, 0, 2, 1, 1, 3, 2)
            pair = tuple(Array((8,), dtype, "values", values=v) for v in (left, exponent if op == "power" else right))
            yield Sample(_elemwise(op), dtype, pair, batch=(0, 1))
        pair = tuple(Array((4,), "uint8", "values", values=v) for v in ((7, 3, 200, 0), (3, 7, 2, 1)))
        yield Sample(_elemwise(op), "uint8", pair, batch=(0, 1))


def _edges():
    left = Array((6,), kind="values", values=(1, 2, 2, -1, 0, 3))
    right = Array((6,), kind="values", values=(2, 2, 1, -1, 0, -3))
    for op in ("maximum", "minimum", *CLAIMS):
        yield Sample(_elemwise(op), "ties", (left, right), batch=(0, 1), derivative=KINK)
    signs = Array((5,), kind="values", values=(7.5, -7.5, 7.5, -7.5, 1))
    divisors = Array((5,), kind="values", values=(2, 2, -2, -2, 4))
    yield Sample("_mod", "signs", (signs, divisors), batch=(0, 1))
    zero = Array((5,), kind="values", values=(0, 2, 0, -2, 0))
    yield Sample("_mod", "zero", (signs, zero), grad=False, batch=(0, 1))
    whole = Array((3,), "int32", "values", values=(5, -5, 0))
    yield Sample("_mod", "int_zero", (whole, Array((3,), "int32", "values", values=(0, 0, 3))), batch=(0, 1))
    base = Array((4,), kind="values", values=(2, -2, 0.5, -1.5), grad=True)
    yield Sample(
        "_power", "negative_base", (base, Array((4,), kind="values", values=(3, 2, -2, -1), grad=False)), batch=(0, 1)
    )
    yield Sample(
        "_power",
        "int_fraction",
        (Array((4,), "int32", "values", values=(2, 1, 5, -3)), Array((4,), "int32", "values", values=(-1, -2, 0, -1))),
        batch=(0, 1),
    )
    yield Sample(
        "elemwise_div",
        "by_zero",
        (Array((3,), kind="values", values=(1, -1, 0)), Array((3,), kind="values", values=(0, 0, 0))),
        grad=False,
        batch=(0, 1),
    )


def _sums():
    for count in (1, 2, 4):
        arrays = tuple(Array(SHAPE) for _ in range(count))
        yield Sample("add_n", "of_%d" % count, arrays, batch=tuple(range(count)))
    for dtype in ("float64", "float16", "int32", "int64"):
        yield Sample("add_n", dtype, tuple(Array(SHAPE, dtype, "distinct") for _ in range(3)), batch=(0, 1, 2))


SAMPLES = [*_pairs(), *_ints(), *_edges(), *_sums()]
