"""Operators of MXNet 0.x."""

from .sample import Array as A
from .sample import Sample

CV, PV, BV = "Convolution_v1", "Pooling_v1", "BatchNorm_v1"
NO_DOUBLE = "ONNX Runtime has no float64 kernel"
SUMS = {"rtol": 1e-4, "atol": 1e-5, "why": "order of sums"}


def convolution(id, shape, kernel, dtype="float32", filters=4, group=1, bias=True, onnx=None, **attrs):
    attrs = dict(attrs, kernel=kernel, num_filter=filters)
    if group != 1:
        attrs["num_group"] = group
    inputs = (A(shape, dtype), A((filters, shape[1] // group, *kernel), dtype))
    if bias:
        inputs += (A((filters,), dtype),)
    else:
        attrs["no_bias"] = True
    return Sample(CV, id, inputs, attrs, onnx=onnx, **SUMS)


def pool(id, shape, dtype="float32", kind="normal", onnx=None, derivative=None, **attrs):
    return Sample(PV, id, (A(shape, dtype, kind, high=3),), attrs, train=True, onnx=onnx, derivative=derivative)


SAMPLES = [
    convolution("plain", (2, 3, 5, 6), (3, 3)),
    convolution("all", (2, 4, 6, 5), (3, 2), stride=(2, 1), pad=(1, 1), dilate=(1, 2), group=2, workspace=64),
    convolution("no_bias", (1, 2, 3, 3), (1, 1), bias=False),
    convolution("float64", (1, 2, 3, 3), (2, 2), "float64", onnx=NO_DOUBLE),
]
EQUAL = "every equal maximum has the gradient"
for kind in ("max", "avg", "sum"):
    for convention in ("valid", "full"):
        more = {"pool_type": kind, "pooling_convention": convention}
        name = kind + "_" + convention
        SAMPLES += [
            pool(name, (2, 2, 6, 7), kernel=(3, 2), stride=(2, 2), **more),
            pool(name + "_pad", (1, 2, 6, 7), kernel=(3, 3), stride=(2, 2), pad=(1, 2), **more),
            pool(
                name + "_beyond",
                (1, 1, 7, 8),
                kernel=(2, 1),
                stride=(3, 3),
                pad=(1, 0),
                derivative="infinite" if name == "max_full" else None,
                **more,
            ),
        ]
    SAMPLES.append(pool(kind + "_global", (2, 3, 4, 3), pool_type=kind, global_pool=True))
SAMPLES += [
    pool("max_ties", (1, 2, 4, 4), kind="ints", kernel=(2, 2), derivative=EQUAL),
    pool("max_ties_global", (1, 2, 4, 4), kind="ints", kernel=(2, 2), global_pool=True, derivative=EQUAL),
    pool("one", (1, 1, 1, 1), kernel=(1, 1)),
    pool("float64", (1, 2, 4, 4), "float64", kernel=(2, 2), onnx=None),
    pool("avg_float64", (1, 2, 4, 4), "float64", kernel=(2, 2), pool_type="avg", onnx=NO_DOUBLE),
    pool("float16", (1, 2, 4, 4), "float16", kernel=(2, 2)),
]
STATISTICS = (A((3,), kind="positive"), A((3,)), A((3,), grad=False), A((3,), kind="positive", grad=False))
for train in (False, True):
    for attrs in (
        {"fix_gamma": False},
        {},
        {"use_global_stats": True, "fix_gamma": False, "eps": 1e-2, "momentum": 0.5},
    ):
        # MXNet's gradient in prediction uses statistics of the batch, which its forward did not compute.
        grad = train or "use_global_stats" in attrs
        id = ("train" if train else "predict") + "".join("_" + k for k in sorted(attrs))
        SAMPLES.append(
            Sample(
                BV,
                id,
                (A((4, 3, 2, 3)), *STATISTICS),
                attrs,
                train=train,
                grad=grad,
                derivative=None if attrs else "gamma is fixed",
                **SUMS,
            )
        )
