"""Deformable convolution."""

from .sample import Array, Sample

A = Array
PLAIN, MODULATED = "_contrib_DeformableConvolution", "_contrib_ModulatedDeformableConvolution"


def _sample(op, id, data=(2, 4, 5, 6), filters=4, bias=True, dtype="float32", **attrs):
    kernel = attrs.setdefault("kernel", (3, 3))
    attrs["num_filter"] = filters
    if not bias:
        attrs["no_bias"] = True
    stride, dilate, pad = (attrs.get(k, d) for k, d in (("stride", (1, 1)), ("dilate", (1, 1)), ("pad", (0, 0))))
    out = tuple((data[2 + i] + 2 * pad[i] - dilate[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in (0, 1))
    taps = kernel[0] * kernel[1] * attrs.get("num_deformable_group", 1)
    inputs = [A(data, dtype), A((data[0], 2 * taps, *out), dtype)]
    if op == MODULATED:
        inputs.append(A((data[0], taps, *out), dtype, kind="positive"))
    inputs.append(A((filters, data[1] // attrs.get("num_group", 1), *kernel), dtype))
    if bias:
        inputs.append(A((filters,), dtype))
    batch = (0, 1, 2) if op == MODULATED else (0, 1)
    # MXNet has the gradient of the modulated form on GPUs only; tests/ops/test_detection.py checks ours.
    return Sample(
        op,
        id,
        tuple(inputs),
        attrs,
        grad=op == PLAIN,
        batch=batch,
        rtol=1e-5,
        atol=2e-5,
        why="sums of 36 products and more",
    )


SAMPLES = []
for op in (PLAIN, MODULATED):
    SAMPLES += [
        _sample(op, "default"),
        _sample(op, "pad", pad=(1, 1)),
        _sample(op, "no_bias", pad=(1, 0), bias=False),
        _sample(op, "stride", kernel=(2, 3), stride=(2, 1), pad=(1, 2), dilate=(1, 2)),
        _sample(op, "groups", num_group=2, pad=(1, 1)),
        _sample(op, "deformable_groups", num_deformable_group=2, pad=(1, 1), kernel=(3, 2), dilate=(2, 1)),
        _sample(op, "both_groups", num_group=4, num_deformable_group=2, pad=(1, 1), filters=8),
        _sample(op, "point", kernel=(1, 1), data=(1, 2, 3, 3), filters=1),
        _sample(op, "one_pixel", kernel=(1, 1), data=(1, 1, 1, 1), filters=1),
        _sample(op, "three", pad=(1, 1), data=(3, 2, 4, 4), filters=2, workspace=512, layout="NCHW"),
        _sample(op, "float64", pad=(1, 1), dtype="float64"),
    ]
