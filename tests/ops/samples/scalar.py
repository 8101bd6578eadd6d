"""Functions of an array and a number."""

from .sample import Array, Sample

OPS = [
    "_plus_scalar",
    "_minus_scalar",
    "_rminus_scalar",
    "_mul_scalar",
    "_div_scalar",
    "_rdiv_scalar",
    "_mod_scalar",
    "_rmod_scalar",
    "_power_scalar",
    "_rpower_scalar",
    "_maximum_scalar",
    "_minimum_scalar",
    "_hypot_scalar",
    "_equal_scalar",
    "_not_equal_scalar",
    "_greater_scalar",
    "_greater_equal_scalar",
    "_lesser_scalar",
    "_lesser_equal_scalar",
    "_logical_and_scalar",
    "_logical_or_scalar",
    "_logical_xor_scalar",
]

KINK = "a jump or a kink lies in the sample"


def _samples():
    for op in OPS:
        kind = "positive" if "mod" in op or "power" in op else "away"
        yield Sample(op, "float32", (Array((2, 3), kind=kind),), {"scalar": 2.5})
        yield Sample(op, "negative", (Array((2, 3), kind=kind),), {"scalar": -1.5}, grad="rpower" not in op)
        yield Sample(op, "default", (Array((1,), kind=kind),))
        yield Sample(op, "float64", (Array((2, 3), "float64", kind),), {"scalar": 0.1})
        yield Sample(op, "float16", (Array((2, 3), "float16", "positive"),), {"scalar": 2.0})
    ties = Array((5,), kind="values", values=(-2, 0, 1, 2, 3))
    for op in ("_maximum_scalar", "_minimum_scalar", "_equal_scalar", "_greater_equal_scalar", "_lesser_scalar"):
        yield Sample(op, "ties", (ties,), {"scalar": 2.0}, derivative=KINK)
    for op in ("_equal_scalar", "_logical_or_scalar", "_mul_scalar", "_plus_scalar"):
        yield Sample(op, "zero", (ties,), {"scalar": 0.0}, derivative=KINK if op == "_equal_scalar" else None)
    signs = Array((4,), kind="values", values=(7.5, -7.5, 1, -1))
    yield Sample("_mod_scalar", "signs", (signs,), {"scalar": 2.0})
    yield Sample("_mod_scalar", "signs_negative", (signs,), {"scalar": -2.0})
    yield Sample("_mod_scalar", "by_zero", (signs,), {"scalar": 0.0}, derivative="the gradient is 1 by definition")
    odd = Array((4,), kind="values", values=(7.5, -7.5, 1.5, -1.5))
    yield Sample("_rmod_scalar", "signs", (odd,), {"scalar": 4.0})
    yield Sample("_rmod_scalar", "by_zero", (Array((2,), kind="values", values=(0, 2)),), {"scalar": 5.0}, grad=False)
    base = Array((4,), kind="values", values=(2, -2, 0.5, -1.5))
    yield Sample("_power_scalar", "square", (base,), {"scalar": 2.0})
    yield Sample("_power_scalar", "inverse", (base,), {"scalar": -1.0})
    yield Sample("_power_scalar", "root", (Array((4,), kind="positive"),), {"scalar": 0.5})
    yield Sample("_div_scalar", "by_zero", (signs,), {"scalar": 0.0}, grad=False)
    half = Array((3,), "float16", "values", values=(1, -2, 0.5))
    for op in ("plus", "maximum", "minimum", "lesser", "rdiv", "hypot", "power"):
        for id, scalar in (("beyond", 1e9), ("beyond_negative", -1e9)):
            yield Sample("_%s_scalar" % op, id, (half,), {"scalar": scalar}, grad=False)


SAMPLES = list(_samples())
