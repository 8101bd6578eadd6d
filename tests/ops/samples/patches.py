"""Columns of patches, correlation of patches."""

from .sample import Array as A
from .sample import Sample

NO_DOUBLE = "ONNX Runtime has no float64 kernel"
CO = "Correlation"


def correlation(id, dtype="float32", kind="normal", shape=(2, 3, 6, 7), **options):
    attrs = {k: options.pop(k) for k in list(options) if k not in ("onnx", "rtol", "atol", "why", "derivative")}
    return Sample(
        CO, id, (A(shape, dtype, kind, high=3), A(shape, dtype, kind, high=3)), attrs, batch=(0, 1), **options
    )


SUMS = {"rtol": 2e-5, "atol": 2e-6, "why": "order of sums"}
SAMPLES = [
    Sample("im2col", "plain", (A((2, 3, 5, 6)),), {"kernel": (3, 3)}),
    Sample("im2col", "all", (A((2, 2, 5, 6)),), {"kernel": (3, 2), "stride": (2, 1), "dilate": (1, 2), "pad": (1, 1)}),
    Sample("im2col", "one", (A((1, 1, 1, 1)),), {"kernel": (1, 1)}),
    Sample("im2col", "float64", (A((1, 2, 4, 3), "float64"),), {"kernel": (2, 2)}),
    Sample("im2col", "float16", (A((1, 2, 4, 3), "float16"),), {"kernel": (2, 2), "pad": (1, 0)}),
    Sample("col2im", "plain", (A((2, 27, 12)),), {"output_size": (5, 6), "kernel": (3, 3)}, **SUMS),
    Sample(
        "col2im",
        "all",
        (A((2, 12, 18)),),
        {"output_size": (5, 6), "kernel": (3, 2), "stride": (2, 1), "dilate": (1, 2), "pad": (1, 1)},
    ),
    Sample("col2im", "gaps", (A((1, 4, 4)),), {"output_size": (5, 5), "kernel": (2, 2), "stride": (3, 3)}),
    Sample("col2im", "float64", (A((1, 8, 6), "float64"),), {"output_size": (4, 3), "kernel": (2, 2)}, onnx=NO_DOUBLE),
    Sample("col2im", "float16", (A((1, 8, 6), "float16"),), {"output_size": (4, 3), "kernel": (2, 2)}),
    correlation("default", **SUMS),
    correlation("small", shape=(1, 1, 3, 3), pad_size=1),
    correlation("kernel", kernel_size=3, max_displacement=2, pad_size=1, **SUMS),
    correlation("strides", max_displacement=4, stride1=2, stride2=2, pad_size=4, **SUMS),
    correlation(
        "distance", kernel_size=3, max_displacement=3, stride1=2, stride2=2, pad_size=3, is_multiply=False, **SUMS
    ),
    correlation("distance_ties", kind="ints", is_multiply=False, derivative="equal elements"),
    correlation("no_displacement", max_displacement=0),
    correlation("stride_beyond", max_displacement=1, stride2=2, pad_size=1),
    correlation("float64", "float64", pad_size=1),
    correlation("float16", "float16", pad_size=1),
]
