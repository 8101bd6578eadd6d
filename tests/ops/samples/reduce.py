"""Reductions."""

from .sample import Array, Sample

PLAIN = ("sum", "mean", "prod", "nansum", "nanprod", "max", "min")
SHAPE = (2, 3, 4)

AXES = {
    "all": {},
    "empty": {"axis": ()},
    "keepdims": {"keepdims": True},
    "axis": {"axis": 1},
    "negative": {"axis": -1},
    "first": {"axis": 0},
    "tuple": {"axis": (0, 2)},
    "tuple_keepdims": {"axis": (1, -1), "keepdims": True},
    "every": {"axis": (0, 1, 2)},
}
EXCLUDE = {
    "exclude": {"axis": 1, "exclude": True},
    "exclude_keepdims": {"axis": (0, -1), "exclude": True, "keepdims": True},
    "exclude_every": {"axis": (0, 1, 2), "exclude": True},
    "exclude_none": {"exclude": True},
}

HALF = {"rtol": 5e-3, "atol": 5e-3, "why": "MXNet accumulates float16 in float16"}


def _kind(op):
    return "positive" if "prod" in op else "distinct"


def _plain():
    for op in PLAIN:
        for id, attrs in list(AXES.items()) + list(EXCLUDE.items()):
            yield Sample(op, id, (Array(SHAPE, kind=_kind(op)),), attrs)
        yield Sample(op, "float64", (Array(SHAPE, "float64", _kind(op)),), {"axis": 1})
        yield Sample(op, "float16", (Array(SHAPE, "float16", _kind(op)),), {"axis": 1}, **HALF)
        yield Sample(op, "size_one", (Array((1,), kind=_kind(op)),), {"axis": 0})
        yield Sample(op, "vector", (Array((5,), kind=_kind(op)),), {"axis": -1})
        for dtype in ("int32", "int64", "int8"):
            yield Sample(op, dtype, (Array((2, 3), dtype, "ints", low=-4, high=5),), {"axis": 1})
        yield Sample(op, "uint8", (Array((2, 3), "uint8", "ints", low=0, high=7),), {"axis": 1})
    ties = Array((2, 3), kind="values", values=(1, 5, 5, 2, 2, 2))
    for op in ("max", "min"):
        yield Sample(op, "ties", (ties,), {"axis": 1}, derivative="every one of equal elements receives the gradient")
        yield Sample(op, "bool", (Array((2, 2), "bool", "values", values=(0, 1, 0, 0)),), {"axis": 1})
    nans = Array((2, 3), kind="values", values=(1, float("nan"), 2, 4, 3, float("nan")))
    for op in ("nansum", "nanprod"):
        yield Sample(op, "nan", (nans,), {"axis": 1}, derivative="NaN has no derivative")
        yield Sample(op, "nan_all", (nans,), derivative="NaN has no derivative")
    for op in ("sum", "mean"):
        yield Sample(op, "nan", (nans,), {"axis": 0}, grad=False)


def _norm():
    for ord in (1, 2):
        for id, attrs in AXES.items():
            # MXNet reduces three axes with a norm only through axis=None.
            yield Sample("norm", "ord%d_%s" % (ord, id), (Array(SHAPE, kind="away"),), dict(attrs, ord=ord))
    yield Sample("norm", "default", (Array((5,), kind="away"),))
    yield Sample("norm", "float64", (Array((2, 3), "float64", "away"),), {"axis": 1})
    yield Sample("norm", "float16", (Array((2, 3), "float16", "away"),), {"axis": 1}, **HALF)
    yield Sample(
        "norm",
        "out_dtype",
        (Array((2, 3), kind="away"),),
        {"axis": 1, "out_dtype": "float32"},
        derivative="float32 is too coarse for differences",
    )


def _positions():
    distinct = Array(SHAPE, kind="distinct")
    ties = Array((2, 3), kind="values", values=(1, 5, 5, 2, 2, 2))
    for op in ("argmax", "argmin"):
        for id in ("all", "keepdims", "axis", "negative", "first"):
            yield Sample(op, id, (distinct,), AXES[id])
        yield Sample(op, "axis_keepdims", (distinct,), {"axis": -2, "keepdims": True})
        yield Sample(op, "vector", (Array((4,), kind="distinct"),), {"axis": 0})
        yield Sample(op, "ties", (ties,), {"axis": 1}, derivative="a jump lies in the sample")
        for dtype in ("float64", "float16", "int32", "int64", "int8"):
            yield Sample(
                op, dtype, (Array((2, 5), dtype, "values", values=(3, 1, 4, 2, 5, 9, 2, 6, 5, 3)),), {"axis": 1}
            )
    yield Sample("argmax_channel", "matrix", (Array((3, 4), kind="distinct"),), grad=False)
    yield Sample("argmax_channel", "image", (distinct,), grad=False)
    yield Sample("argmax_channel", "ties", (ties,), grad=False)
    yield Sample("argmax_channel", "int32", (Array((3, 4), "int32", "ints"),))


SAMPLES = [*_plain(), *_norm(), *_positions()]
