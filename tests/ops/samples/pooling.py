"""Pooling."""

from .sample import Array
from .sample import Sample as _Sample

A = Array


def Sample(op, id, inputs, attrs, **options):
    # MXNet keeps the positions of the maxima only in training mode; its gradient is wrong without them.
    ties = "equal maxima" if "ties" in id else None
    return _Sample(op, id, inputs, attrs, train=True, derivative=ties, **options)


NO_DOUBLE = "ONNX Runtime has no float64 kernel"
SHAPES = {
    "even": ((2, 2, 6, 4), {"kernel": (2, 2), "stride": (2, 2)}),
    "odd": ((2, 2, 7, 8), {"kernel": (3, 3), "stride": (2, 2)}),
    "odd_pad": ((1, 2, 8, 7), {"kernel": (3, 2), "stride": (2, 2), "pad": (1, 1)}),
    "wide_pad": ((1, 2, 8, 7), {"kernel": (3, 3), "stride": (2, 2), "pad": (2, 2)}),
    "beyond": ((1, 1, 7, 8), {"kernel": (2, 1), "stride": (3, 3), "pad": (1, 0)}),
    "overlap": ((1, 2, 5, 5), {"kernel": (3, 3), "pad": (1, 1)}),
    "width": ((2, 2, 8), {"kernel": (3,), "stride": (2,), "pad": (1,)}),
    "volume": ((1, 1, 6, 4, 7), {"kernel": (2, 3, 2), "stride": (2, 2, 2), "pad": (1, 1, 0)}),
    "one": ((1, 1, 1, 1), {"kernel": (1, 1)}),
}
KINDS = {
    "max": {"pool_type": "max"},
    "avg": {"pool_type": "avg"},
    "avg_without_pad": {"pool_type": "avg", "count_include_pad": False},
    "sum": {"pool_type": "sum"},
}
SAMPLES = []
for convention in ("valid", "full"):
    for shape, (size, window) in SHAPES.items():
        for kind, attrs in KINDS.items():
            attrs = dict(window, pooling_convention=convention, **attrs)
            # MXNet's gradient of a 1-D or 3-D average divides by the whole last window, its forward by the clipped one.
            grad = not (convention == "full" and shape in ("width", "volume") and kind == "avg")
            SAMPLES.append(Sample("Pooling", "_".join((convention, shape, kind)), (A(size),), attrs, grad=grad))
for kind, attrs in KINDS.items():
    SAMPLES += [
        Sample("Pooling", "global_" + kind, (A((2, 3, 4, 3)),), dict(attrs, global_pool=True)),
        Sample("Pooling", "global_width_" + kind, (A((2, 3, 4)),), dict(attrs, global_pool=True, kernel=(2,))),
        Sample("Pooling", "nhwc_" + kind, (A((2, 5, 4, 2)),), dict(attrs, kernel=(2, 2), layout="NHWC")),
    ]
for p in (1, 2, 3):
    attrs = {"pool_type": "lp", "p_value": p}
    SAMPLES += [
        Sample("Pooling", "lp%d" % p, (A((1, 2, 5, 4), kind="away"),), dict(attrs, kernel=(2, 2), stride=(2, 1))),
        Sample(
            "Pooling",
            "lp%d_full" % p,
            (A((1, 2, 5, 4), kind="away"),),
            dict(attrs, kernel=(2, 2), stride=(2, 2), pooling_convention="full"),
        ),
        Sample("Pooling", "lp%d_global" % p, (A((1, 2, 3, 2), kind="away"),), dict(attrs, global_pool=True)),
    ]
SAMPLES += [
    Sample("Pooling", "max_ties", (A((1, 1, 4, 4), kind="ints", high=2),), {"kernel": (2, 2)}),
    Sample(
        "Pooling",
        "max_ties_full",
        (A((1, 1, 5, 5), kind="ints", high=2),),
        {"kernel": (2, 2), "stride": (2, 2), "pooling_convention": "full"},
    ),
    Sample("Pooling", "max_ties_global", (A((1, 2, 4, 4), kind="ints", high=3),), {"global_pool": True}),
    Sample("Pooling", "max_float64", (A((1, 2, 5, 4), "float64"),), {"kernel": (2, 2), "stride": (2, 2)}),
    Sample(
        "Pooling",
        "avg_float64",
        (A((1, 2, 5, 4), "float64"),),
        {"kernel": (2, 2), "pool_type": "avg", "pooling_convention": "full", "stride": (2, 2)},
        onnx=NO_DOUBLE,
    ),
    Sample("Pooling", "max_float16", (A((1, 2, 5, 4), "float16"),), {"kernel": (2, 2), "stride": (2, 2)}),
    Sample("Pooling", "avg_float16", (A((1, 2, 5, 4), "float16"),), {"kernel": (2, 2), "pool_type": "avg"}),
    # Recorded under MXNET_MKLDNN_ENABLED=0: with its MKL library MXNet 1.9.1 fails at most of these.
    *(
        Sample(
            "Pooling",
            "same_%d_%d" % (kernel, stride),
            (A((2, 3, 9)),),
            {"kernel": (kernel,), "stride": (stride,), "pad": (0, 0, 0), "pooling_convention": "same"},
        )
        for kernel, stride in ((1, 4), (2, 1), (3, 1), (3, 2), (4, 3), (5, 1))
    ),
    Sample("Pooling", "no_effect", (A((1, 1, 4, 4)),), {"kernel": (2, 2), "cudnn_off": True, "layout": "NCHW"}),
]
