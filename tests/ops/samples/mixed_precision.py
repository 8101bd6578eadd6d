"""Finite arrays, and one dtype for several.

MXNet is to record these with MXNET_MKLDNN_ENABLED=0: its oneDNN does not know the dtypes of amp_multicast.
"""

from .sample import Array, Sample

_BAD = Array((3,), "float32", "values", values=(1.0, float("inf"), 2.0))
_NAN = Array((3,), "float64", "values", values=(1.0, float("nan"), 2.0))


def _cast(id_, dtypes, grad=True, **attrs):
    inputs = tuple(Array((2, 3), dtype, "ints" if dtype == "int32" else "normal") for dtype in dtypes)
    return Sample(
        "amp_multicast", id_, inputs, {"num_outputs": len(dtypes), **attrs}, grad=grad, batch=tuple(range(len(dtypes)))
    )


SAMPLES = [
    Sample("all_finite", "yes", (Array((2, 3)),), grad=False),
    Sample("all_finite", "inf", (_BAD,), grad=False),
    Sample("all_finite", "nan", (_NAN,), grad=False),
    Sample("all_finite", "float16", (Array((2, 3), "float16"),), grad=False),
    Sample("multi_all_finite", "yes", (Array((2, 3)), Array((1,))), {"num_arrays": 2}, grad=False),
    Sample("multi_all_finite", "no", (Array((2, 3)), _BAD), {"num_arrays": 2}, grad=False),
    _cast("wide", ("float16", "float32")),
    _cast("narrow", ("float32", "float16"), cast_narrow=True),
    _cast("three", ("float16", "float32", "float64")),
    _cast("same", ("float16", "float16")),
    _cast("first", ("float64", "float16")),
    _cast("narrow_first", ("float64", "float32"), cast_narrow=True),
    _cast("wide_later", ("float64", "float32", "float16")),
    _cast("ints", ("int32", "float32"), grad=False),
    _cast("ints_narrow", ("int32", "float32"), grad=False, cast_narrow=True),
    _cast("one", ("float16",), cast_narrow=True),
]
