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
        yield Sample(op, "negative", (Array((2, 3), kind=kind),), {"scalar": -1.5}, onnx=None, grad="rpower" not in op)
        yield Sample(op, "default", (Array((1,), kind=kind),))
        yield Sample(op, "float64", (Array((2, 3), "float64", kind),), {"scalar": 0.1})
        yield Sample(op, "float16", (Array((2, 3), "float16", "positive"),), {"scalar": 2.0})
        ints = (7, -7, 1, -1, 3, 2, -2)
        for dtype in ("int32", "int64", "int8"):
            values = Array((7,), dtype, "values", values=ints)
            yield Sample(op, dtype, (values,), {"scalar": 2.0})
        yield Sample(op, "truncated", (Array((7,), "int32", "values", values=ints),), {"scalar": 2.7})
        yield Sample(op, "is_float", (Array((7,), "int32", "values", values=ints),), {"scalar": 2.5, "is_int": False})
        yield Sample(
            op,
            "uint8",
            (Array((4,), "uint8", "values", values=(1, 7, 200, 2) if "rpower" not in op else (1, 2, 4, 5)),),
            {"scalar": 3.0},
        )
        if "rdiv" not in op and "power" not in op:
            yield Sample(op, "bool", (Array((3,), "bool", "values", values=(0, 1, 1)),), {"scalar": 2.0})
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
    yield Sample("_power_scalar", "int_inverse", (Array((3,), "int32", "values", values=(2, 1, -5)),), {"scalar": -1.0})
    yield Sample("_power_scalar", "root", (Array((4,), kind="positive"),), {"scalar": 0.5})
    yield Sample("_plus_scalar", "wraps", (Array((3,), "uint8", "values", values=(1, 7, 200)),), {"scalar": -3.0})
    yield Sample("_div_scalar", "by_zero", (signs,), {"scalar": 0.0}, grad=False)


SAMPLES = list(_samples())
