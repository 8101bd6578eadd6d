"""Functions of one array."""

from .sample import Array, Sample

SHAPE = (2, 3)

# Where a function is recorded: the kind of array on which it is smooth.
SMOOTH = {
    "relu": "away",
    "sigmoid": "normal",
    "tanh": "normal",
    "softsign": "normal",
    "exp": "normal",
    "log": "positive",
    "log2": "positive",
    "log10": "positive",
    "log1p": "positive",
    "expm1": "normal",
    "sqrt": "positive",
    "rsqrt": "positive",
    "cbrt": "away",
    "rcbrt": "away",
    "square": "normal",
    "abs": "away",
    "sign": "away",
    "negative": "normal",
    "reciprocal": "away",
    "sin": "normal",
    "cos": "normal",
    "tan": "unit",
    "arcsin": "unit",
    "arccos": "unit",
    "arctan": "normal",
    "sinh": "normal",
    "cosh": "normal",
    "arcsinh": "normal",
    "arctanh": "unit",
    "degrees": "normal",
    "radians": "normal",
    "erf": "normal",
    "erfinv": "unit",
    "gamma": "positive",
    "gammaln": "positive",
    "_copy": "normal",
    "zeros_like": "normal",
    "ones_like": "normal",
    "logical_not": "away",
}

ROUNDING = ("ceil", "floor", "trunc", "fix", "rint", "round")

NO_FLOAT64 = "ONNX Runtime has no float64 kernel"
FLOAT32_ONLY = frozenset(("arcsin", "arccos", "arctan", "sinh", "cosh", "arcsinh", "arccosh", "arctanh", "erf"))

# MXNet computes these from float32 constants or approximations, in float64 too.
LOOSE = {
    "erf": "MXNet holds 2 / sqrt(pi) as a float32 number",
    "gamma": "MXNet computes digamma in float32",
    "gammaln": "MXNet computes digamma in float32",
    "degrees": "MXNet holds 180 / pi as a float32 number",
    "radians": "MXNet holds pi / 180 as a float32 number",
    "erfinv": "MXNet approximates the inverse error function",
}

EDGES = (-2.5, -1.5, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 1.5, 2.5, 3.5)


def _smooth():
    for op, kind in sorted(SMOOTH.items()):
        yield Sample(op, "float32", (Array(SHAPE, kind=kind),))
        yield Sample(op, "size_one", (Array((1,), kind=kind),))
        onnx64 = NO_FLOAT64 if op in FLOAT32_ONLY else None
        loose = {"rtol": 1e-5, "atol": 1e-6, "why": LOOSE[op]} if op in LOOSE else {}
        yield Sample(op, "float64", (Array(SHAPE, "float64", kind=kind),), onnx=onnx64, **loose)
    yield Sample("arccosh", "float32", (Array(SHAPE, kind="values", values=(1.1, 1.5, 2, 3, 4, 5)),))
    yield Sample("arccosh", "int32", (Array((3,), "int32", kind="values", values=(1, 2, 9)),))
    for op in ("sigmoid", "exp", "relu", "tan", "sqrt", "softsign", "erf", "round"):
        yield Sample(op, "float16", (Array(SHAPE, "float16", kind="positive"),))


def _edges():
    for op in (*ROUNDING, "relu", "abs", "sign", "logical_not"):
        yield Sample(
            op,
            "edges",
            (Array((12,), kind="values", values=EDGES),),
            derivative="a jump or a kink lies in the sample",
        )
    for op in ROUNDING:
        large = Array((4,), kind="values", values=(8388609.0, -8388609.0, 0.49999997, 1e20))
        yield Sample(op, "large", (large,), derivative="a jump lies in the sample")
        yield Sample(op, "float64", (Array(SHAPE, "float64", kind="normal"),))
    yield Sample("gamma", "negative", (Array((4,), kind="values", values=(-0.5, -1.5, -2.5, -3.25)),))
    yield Sample("gammaln", "negative", (Array((4,), kind="values", values=(-0.5, -1.5, -2.5, 4)),))
    wide = (1e-3, 0.4, 0.5, 1, 2, 3.5, 12, 30)
    for op in ("gamma", "gammaln"):
        loose = {"rtol": 1e-4, "atol": 1e-5, "why": LOOSE[op]}
        yield Sample(op, "wide", (Array((8,), kind="values", values=wide),), derivative="values up to 1e30", **loose)
    yield Sample("gammaln", "huge", (Array((3,), kind="values", values=(1e4, 1e8, 1e20)),), grad=False)
    tails = (-0.999999, -0.99, -0.85, -0.5, 0, 1e-6, 0.86, 0.9999)
    yield Sample("erfinv", "tails", (Array((8,), kind="values", values=tails),), grad=False)
    yield Sample("erfinv", "ends", (Array((2,), kind="values", values=(-1, 1)),), grad=False)


def _attributes():
    line = Array((6,), kind="values", values=(-3, -2.5, -1, 0.25, 2.5, 3))
    yield Sample("hard_sigmoid", "default", (line,), derivative="a kink lies in the sample")
    yield Sample("hard_sigmoid", "smooth", (Array(SHAPE, kind="unit"),), {"alpha": 0.5, "beta": 0.4999})
    yield Sample("hard_sigmoid", "falling", (Array(SHAPE, kind="unit"),), {"alpha": -0.25})
    yield Sample("hard_sigmoid", "float64", (Array(SHAPE, "float64", kind="unit"),), {"alpha": 0.5})
    ties = Array((5,), kind="values", values=(-2, -1, 0, 2, 3))
    yield Sample("clip", "at_bounds", (ties,), {"a_min": -1, "a_max": 2}, derivative="a kink lies in the sample")
    yield Sample("clip", "float32", (Array((3, 4)),), {"a_min": -0.5, "a_max": 0.75})
    yield Sample("clip", "float64", (Array((3, 4), "float64"),), {"a_min": -0.5, "a_max": 0.75})
    yield Sample("clip", "float16", (Array((3, 4), "float16"),), {"a_min": -0.5, "a_max": 0.75})
    yield Sample("clip", "beyond", (Array((3,), "float16"),), {"a_min": -1e9, "a_max": 1e9})
    yield Sample("clip", "int32", (Array((8,), "int32", kind="ints", low=-9),), {"a_min": 0.5, "a_max": 5.7})
    yield Sample("clip", "uint8", (Array((3,), "uint8", kind="values", values=(1, 5, 254)),), {"a_min": 0, "a_max": 5})
    for scalar in (1.0, 2.0, 0.5):
        yield Sample("smooth_l1", "scalar_%g" % scalar, (Array((2, 5), kind="distinct"),), {"scalar": scalar})
    yield Sample("smooth_l1", "float64", (Array((2, 5), "float64", kind="distinct"),), {"scalar": 3.0})
    yield Sample("smooth_l1", "default", (Array((2, 5)),))
    kinks = Array((5,), kind="values", values=(-2, -1, 0, 1, 2))
    yield Sample("smooth_l1", "kinks", (kinks,), {"scalar": 1.0})
    yield Sample(
        "smooth_l1", "int32", (Array((5,), "int32", kind="values", values=(-3, -1, 0, 2, 5)),), {"scalar": 1.0}
    )


COARSE = "the target dtype is too coarse for differences"


def _casts():
    numbers = (-3.7, -1.2, 0, 0.9, 2.5, 100.0)
    for dtype in ("float16", "float64", "float32", "int32", "int64", "int8", "bool"):
        yield Sample(
            "Cast",
            "to_" + dtype,
            (Array((6,), kind="values", values=numbers),),
            {"dtype": dtype},
            grad="float" in dtype,
            derivative=None if dtype == "float64" else COARSE,
        )
    yield Sample(
        "Cast", "to_uint8", (Array((3,), kind="values", values=(0.5, 1.9, 200.2)),), {"dtype": "uint8"}, grad=False
    )
    yield Sample("Cast", "wraps", (Array((3,), "int32", kind="values", values=(-3, 255, 300)),), {"dtype": "uint8"})
    yield Sample("Cast", "from_bool", (Array((3,), "bool", kind="values", values=(0, 1, 1)),), {"dtype": "float32"})
    yield Sample("amp_cast", "float", (Array(SHAPE),), {"dtype": "float16"}, derivative=COARSE)
    yield Sample("amp_cast", "int", (Array((3,), "int32", kind="ints"),), {"dtype": "float16"})
    yield Sample("amp_cast", "to_int", (Array(SHAPE),), {"dtype": "int32"}, grad=False)
    yield Sample("amp_cast", "to_uint8", (Array(SHAPE),), {"dtype": "uint8"}, grad=False)


def _heads():
    head = "the head of a graph: its gradient does not depend on what comes in"
    for id, attrs in (
        ("null", {}),
        ("scaled", {"grad_scale": 2.5}),
        ("batch", {"grad_scale": 2.0, "normalization": "batch"}),
        ("valid", {"grad_scale": 2.0, "normalization": "valid"}),
        ("threshold", {"grad_scale": 2.0, "normalization": "valid", "valid_thresh": 0.5}),
    ):
        yield Sample("MakeLoss", id, (Array((3, 4)),), attrs, derivative=head)
    yield Sample(
        "MakeLoss",
        "none_valid",
        (Array((2,), kind="values", values=(-1, -2)),),
        {"normalization": "valid"},
        derivative=head,
    )
    yield Sample("make_loss", "float32", (Array(SHAPE),), derivative=head)
    yield Sample("make_loss", "float64", (Array(SHAPE, "float64"),), derivative=head)
    like = Array(SHAPE, grad=False)
    yield Sample("_identity_with_attr_like_rhs", "float32", (Array(SHAPE), like), batch=(0, 1))
    yield Sample("BlockGrad", "float32", (Array(SHAPE),), derivative="the operator stops the gradient")
    yield Sample("BlockGrad", "float64", (Array(SHAPE, "float64"),), derivative="the operator stops the gradient")


def _where():
    chosen = (1, 0, 0, 1, 2, -1)
    for dtype in ("float32", "int32", "uint8"):
        values = tuple(abs(c) for c in chosen) if dtype == "uint8" else chosen
        condition = Array((2, 3), dtype, kind="values", values=values, grad=False)
        yield Sample("where", "condition_" + dtype, (condition, Array((2, 3)), Array((2, 3))), batch=(0, 1, 2))
    rows = Array((2,), kind="values", values=(1, 0), grad=False)
    yield Sample("where", "rows", (rows, Array((2, 3, 2)), Array((2, 3, 2))), batch=(0, 1, 2))
    fraction = Array((3,), kind="values", values=(0.5, 0, -0.5), grad=False)
    yield Sample("where", "fraction", (fraction, Array((3,)), Array((3,))), batch=(0, 1, 2))
    for dtype in ("float64", "float16"):
        condition = Array((2, 3), kind="values", values=chosen, grad=False)
        yield Sample("where", dtype, (condition, Array((2, 3), dtype), Array((2, 3), dtype)), batch=(0, 1, 2))
    for dtype in ("int32", "int64", "uint8", "int8"):
        condition = Array((2, 3), kind="values", values=chosen)
        array = Array((2, 3), dtype, kind="ints", high=2)
        yield Sample("where", "values_" + dtype, (condition, array, array), batch=(0, 1, 2))


SAMPLES = [
    *_smooth(),
    *_edges(),
    *_attributes(),
    *_casts(),
    *_heads(),
    *_where(),
]
