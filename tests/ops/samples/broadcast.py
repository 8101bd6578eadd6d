"""Functions of two arrays that broadcast."""

from .binary import CLAIMS, KINK, OPS, kind_of
from .sample import Array, Sample

SHAPES = {
    "row": ((4, 3), (1, 3)),
    "column": ((4, 3), (4, 1)),
    "both": ((1, 3, 1), (2, 1, 4)),
    "rank": ((2, 3, 4), (3, 1)),
    "one": ((1,), (1,)),
}
BATCH = {"row": (0,), "column": (0, 1), "both": (1,), "rank": (0,), "one": (0,)}


def _samples():
    for op in OPS:
        kind = kind_of(op)
        for id, shapes in SHAPES.items():
            if op in CLAIMS and id in ("one", "column"):
                continue
            pair = tuple(Array(s, kind=kind) for s in shapes)
            yield Sample("broadcast_" + op, id, pair, batch=BATCH[id])
        left = Array((2, 4), "int32", "values", values=(7, -7, 3, 2, -2, 9, 0, 1))
        yield Sample("broadcast_" + op, "int32", (left, Array((1, 4), "int32", "values", values=(2, 3, 1, 2))))
        pair = (Array((2, 3), "float64", kind), Array((3,), "float64", kind))
        yield Sample("broadcast_" + op, "float64", pair)
    left = Array((6,), kind="values", values=(1, 2, 2, -1, 0, 3))
    for op in ("maximum", "minimum"):
        yield Sample("broadcast_" + op, "ties", (left, Array((1,), kind="values", values=(2,))), derivative=KINK)
    signs = Array((5,), kind="values", values=(7.5, -7.5, 7.5, -7.5, 1))
    yield Sample("broadcast_mod", "zero", (signs, Array((1,), kind="values", values=(0,))), grad=False)


SAMPLES = list(_samples())
