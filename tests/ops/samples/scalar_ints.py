"""Functions of integers and a number."""

from .sample import Array, Sample
from .scalar import OPS


def _samples():
    ints = (7, -7, 1, -1, 3, 2, -2)
    for op in OPS:
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
    yield Sample("_power_scalar", "int_inverse", (Array((3,), "int32", "values", values=(2, 1, -5)),), {"scalar": -1.0})
    yield Sample("_plus_scalar", "wraps", (Array((3,), "uint8", "values", values=(1, 7, 200)),), {"scalar": -3.0})


SAMPLES = list(_samples())
