"""Convolution and Deconvolution."""

from .sample import Array, Sample

A = Array
ATOL = {"float32": 1e-5, "float64": 1e-10}
ORDER = "sums of products near zero, in another order"
NO_DOUBLE = "ONNX Runtime has no float64 kernel"


def conv(id, data, weight, bias=True, dtype="float32", onnx=None, **attrs):
    inputs = (A(data, dtype), A(weight, dtype)) + ((A((weight[0],), dtype),) if bias else ())
    attrs = dict({"num_filter": weight[0], "kernel": weight[2:]}, **attrs)
    if not bias:
        attrs["no_bias"] = True
    return Sample("Convolution", id, inputs, attrs, onnx=onnx, atol=ATOL[dtype], why=ORDER)


def deconv(id, data, weight, bias=False, dtype="float32", onnx=None, **attrs):
    filters = weight[1] * attrs.get("num_group", 1)
    inputs = (A(data, dtype), A(weight, dtype)) + ((A((filters,), dtype),) if bias else ())
    attrs = dict({"num_filter": filters, "kernel": weight[2:]}, **attrs)
    if bias:
        attrs["no_bias"] = False
    return Sample("Deconvolution", id, inputs, attrs, onnx=onnx, atol=ATOL[dtype], why=ORDER)


SAMPLES = [
    conv("plain", (2, 3, 5, 6), (4, 3, 3, 2)),
    conv("no_bias", (2, 3, 5, 6), (4, 3, 3, 3), bias=False),
    conv("stride", (2, 3, 7, 6), (4, 3, 3, 3), stride=(2, 3)),
    conv("pad", (2, 3, 5, 6), (4, 3, 3, 3), pad=(1, 2)),
    conv("dilate", (2, 2, 7, 8), (3, 2, 3, 3), dilate=(2, 2), pad=(1, 1)),
    conv("group", (2, 4, 5, 5), (6, 2, 3, 3), num_group=2),
    conv("depthwise", (2, 4, 5, 5), (4, 1, 3, 3), num_group=4, stride=(2, 2), pad=(1, 1)),
    conv("pointwise", (2, 3, 2, 2), (4, 3, 1, 1)),
    conv("one", (1, 1, 1, 1), (1, 1, 1, 1)),
    conv("no_effect", (1, 1, 4, 4), (1, 1, 3, 3), workspace=512, cudnn_tune="off", cudnn_off=True, layout="NCHW"),
    conv("width", (2, 3, 7), (4, 3, 3), stride=(2,), pad=(1,), layout="NCW"),
    conv("volume", (2, 2, 4, 3, 4), (3, 2, 2, 2, 3), pad=(1, 0, 1), stride=(2, 1, 1), layout="NCDHW"),
    conv("float64", (2, 3, 5, 6), (4, 3, 3, 3), dtype="float64", onnx=NO_DOUBLE),
    deconv("plain", (2, 3, 4, 3), (3, 4, 3, 2)),
    deconv("bias", (2, 3, 4, 3), (3, 4, 3, 3), bias=True),
    deconv("stride", (2, 3, 4, 3), (3, 2, 3, 3), stride=(2, 3)),
    deconv("pad_adj", (2, 3, 4, 3), (3, 2, 3, 3), stride=(2, 2), pad=(1, 1), adj=(1, 0)),
    deconv("dilate", (2, 2, 4, 3), (2, 2, 3, 3), dilate=(2, 2), pad=(1, 1)),
    deconv("group", (2, 4, 4, 3), (4, 3, 3, 3), num_group=2),
    deconv(
        "target_even", (2, 3, 4, 4), (3, 2, 3, 3), dtype="float64", onnx=NO_DOUBLE, stride=(2, 2), target_shape=(7, 7)
    ),
    deconv(
        "target_odd",
        (2, 3, 4, 4),
        (3, 2, 4, 4),
        dtype="float64",
        onnx=NO_DOUBLE,
        stride=(2, 2),
        target_shape=(7, 8),
        pad=(1, 1),
    ),
    deconv("one", (1, 1, 1, 1), (1, 1, 1, 1)),
    deconv("width", (2, 3, 5), (3, 4, 3), stride=(2,), pad=(1,), adj=(1,)),
    deconv("volume", (2, 2, 3, 2, 2), (2, 2, 2, 2, 3), stride=(2, 1, 1)),
]
