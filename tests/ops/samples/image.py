"""Images. The random operators are sampled where nothing is left to chance."""

from .sample import Array
from .sample import Sample as _Sample

OPENCV = "OpenCV's arithmetic"
DRAWN = "it draws new numbers"
COPIED = "MXNet passes the gradient on as it is"
PLACES = {"rtol": 1e-5, "atol": 2e-5, "why": "places between pixels in float32, values of some 100"}
HUES = {"rtol": 1e-5, "atol": 1e-3, "why": "360 degrees and values of some 100 in float32"}


def image(shape=(4, 6, 3), dtype="uint8", high=256):
    return Array(shape, dtype, "ints", high=high)


def Sample(op, id, inputs, attrs=None, batch=(), **options):
    return _Sample("_image_" + op if not op.startswith("_cv") else op, id, inputs, attrs or {}, batch=batch, **options)


SAMPLES = [
    Sample("to_tensor", "uint8", (image(),)),
    Sample("to_tensor", "batch", (image((2, 4, 3, 3)),), batch=(0,)),
    Sample("to_tensor", "channels", (image((3, 2, 4)),)),
    Sample("to_tensor", "one", (image((1, 1, 1)),)),
    Sample("normalize", "three", (Array((3, 4, 2)),), {"mean": (1.0, 2.0, 3.0), "std": (2.0, 3.0, 4.0)}),
    Sample("normalize", "batch", (Array((2, 3, 4, 2)),), {"mean": (1.0, 2.0, 3.0), "std": (2.0,)}, batch=(0,)),
    Sample("normalize", "number", (Array((3, 4, 2)),), {"mean": 0.5, "std": 0.25}),
    Sample("normalize", "mixed", (Array((3, 4, 2)),), {"mean": 0.5, "std": (0.25, 1.0, 2.0)}),
    Sample("normalize", "gray", (Array((1, 4, 2)),), {"mean": (0.5,), "std": (0.25,)}),
    Sample("normalize", "float64", (Array((3, 2, 2), "float64"),), {"mean": (1.0, 2.0, 3.0), "std": (2.0, 3.0, 4.0)}),
    Sample("normalize", "float16", (Array((3, 2, 2), "float16"),), {"mean": (1.0, 2.0, 3.0), "std": (2.0, 4.0, 4.0)}),
    Sample("normalize", "int32", (image((3, 4, 5), "int32"),), {"mean": (90.0, 120.0, 60.0), "std": (3.0, 2.0, 1.0)}),
    Sample("crop", "image", (image((4, 6, 3), "float32"),), {"x": 1, "y": 2, "width": 3, "height": 2}),
    Sample("crop", "batch", (image((2, 4, 6, 3)),), {"x": 0, "y": 1, "width": 6, "height": 1}, batch=(0,)),
    Sample("crop", "whole", (image((2, 3, 1), "float16"),), {"x": 0, "y": 0, "width": 3, "height": 2}),
    Sample("adjust_lighting", "uint8", (image(),), {"alpha": (0.1, -0.2, 0.3)}),
    Sample("adjust_lighting", "ends", (image(),), {"alpha": (4.0, 2.0, 3.0)}),
    Sample("adjust_lighting", "float32", (image(dtype="float32"),), {"alpha": (0.1, 0.2, 0.3)}, derivative=COPIED),
    Sample("adjust_lighting", "int32", (image(dtype="int32"),), {"alpha": (0.1, 0.2, 0.3)}),
    Sample("random_lighting", "none", (image(),), {"alpha_std": 0.0}, onnx=DRAWN),
]
for flip in ("flip_left_right", "flip_top_bottom"):
    SAMPLES += [
        Sample(flip, "uint8", (image(),)),
        Sample(flip, "float32", (Array((2, 4, 3)),), derivative=COPIED),
        Sample(
            "random_" + flip, "same", (Array((2, 4, 3), kind="ints", low=7, high=8),), onnx=DRAWN, derivative=COPIED
        ),
    ]
for change, factor in (
    ("brightness", 1.5),
    ("brightness", 0.3),
    ("contrast", 0.4),
    ("contrast", 2.0),
    ("saturation", 0.25),
):
    attrs = {"min_factor": factor, "max_factor": factor}
    for dtype in ("uint8", "float32", "int32", "int8"):
        picture = image(dtype=dtype, high=128 if dtype == "int8" else 256)
        name = "%s_%g" % (dtype, factor)
        SAMPLES.append(Sample("random_" + change, name, (picture,), attrs, onnx=DRAWN, derivative=COPIED, **PLACES))
    SAMPLES.append(Sample("random_" + change, "gray_%g" % factor, (image((3, 2, 1)),), attrs, onnx=DRAWN))
for turn in (0.0, 0.2, 0.5, 0.9):
    attrs = {"min_factor": turn, "max_factor": turn}
    SAMPLES += [
        Sample(
            "random_hue",
            "float32_%g" % turn,
            (image((8, 9, 3), "float32"),),
            attrs,
            onnx=DRAWN,
            derivative=COPIED,
            **HUES,
        ),
        Sample(
            "random_hue",
            "few_%g" % turn,
            (image((4, 5, 3), "float32", 3),),
            attrs,
            onnx=DRAWN,
            derivative=COPIED,
            **HUES,
        ),
    ]
BLACK = Array((2, 3, 3), kind="values", values=(0.0,) * 18)
JITTER = {"brightness": 0.1, "contrast": 0.2, "saturation": 0.3, "hue": 0.4}
SAMPLES.append(Sample("random_color_jitter", "black", (BLACK,), JITTER, onnx=DRAWN, derivative=COPIED))
for interp in range(5):
    attrs = {"size": (5, 3), "interp": interp}
    SAMPLES += [
        Sample("resize", "uint8_%d" % interp, (image(),), attrs, onnx=OPENCV),
        Sample(
            "resize",
            "float32_%d" % interp,
            (image(dtype="float32"),),
            attrs,
            grad=False,
            onnx=None if interp == 1 else OPENCV,
            **PLACES,
        ),
        Sample("_cvimresize", "up_%d" % interp, (image(),), {"w": 9, "h": 7, "interp": interp}, onnx=OPENCV),
    ]
SAMPLES += [
    Sample("resize", "batch", (image((2, 4, 6, 3)),), {"size": 3}, onnx=OPENCV, batch=(0,)),
    Sample("resize", "batch_float32", (image((2, 4, 6, 3), "float32"),), {"size": 3}, grad=False, batch=(0,), **PLACES),
    Sample("resize", "ratio", (image(),), {"size": 3, "keep_ratio": True}, onnx=OPENCV),
    Sample(
        "resize", "ratio_high", (image((7, 5, 1), "float32"),), {"size": (3,), "keep_ratio": True}, grad=False, **PLACES
    ),
    Sample("resize", "two_and_ratio", (image(),), {"size": (3, 2), "keep_ratio": True}, onnx=OPENCV),
    Sample("resize", "float64", (image(dtype="float64"),), {"size": (3, 2)}, grad=False, onnx=OPENCV),
    Sample("_cvimresize", "gray", (image((4, 6, 1)),), {"w": 3, "h": 2}, onnx=OPENCV),
    Sample("_cvimresize", "float32", (image((4, 6, 3), "float32"),), {"w": 3, "h": 2}, grad=False, onnx=OPENCV),
]
BORDER = {"top": 1, "bot": 2, "left": 2, "right": 1}
for kind in range(5):
    SAMPLES.append(Sample("_cvcopyMakeBorder", "type_%d" % kind, (image(),), dict(BORDER, type=kind), onnx=OPENCV))
SAMPLES += [
    Sample("_cvcopyMakeBorder", "value", (image(),), dict(BORDER, value=7.0), onnx=OPENCV),
    Sample("_cvcopyMakeBorder", "values", (image(),), dict(BORDER, type=16, values=(7.0, 8.0, 9.0)), onnx=OPENCV),
    Sample("_cvcopyMakeBorder", "one_value", (image(),), dict(BORDER, values=(7.0,)), onnx=OPENCV),
    Sample("_cvcopyMakeBorder", "gray", (image((2, 3, 1)),), dict(BORDER, values=(7.0,)), onnx=OPENCV),
    Sample("_cvcopyMakeBorder", "float32", (image(dtype="float32"),), BORDER, grad=False, onnx=OPENCV),
]
