"""Resizing, upsampling, adaptive pooling, cropping."""

from .sample import Array as A
from .sample import Sample

NO_DOUBLE = "ONNX Runtime has no float64 kernel"
HALF = "MXNet adds up in float16"
BR, UP, AD = "_contrib_BilinearResize2D", "UpSampling", "_contrib_AdaptiveAvgPooling2D"


def resize(id, shape, dtype="float32", like=None, **options):
    attrs = {k: options.pop(k) for k in list(options) if k not in ("onnx", "rtol", "atol", "why", "batch")}
    inputs = (A(shape, dtype),) + ((A(like, dtype),) if like else ())
    if like:
        options.setdefault("batch", (0, 1))
    return Sample(BR, id, inputs, attrs, **options)


SAMPLES = [
    resize("up", (2, 3, 3, 4), height=5, width=7),
    resize("down", (1, 2, 6, 5), height=3, width=2),
    resize("same", (1, 2, 3, 4), height=3, width=4),
    resize("default", (1, 2, 3, 4)),
    resize("from_one", (2, 1, 1, 1), height=3, width=2),
    resize("half_up", (2, 3, 3, 4), height=5, width=7, align_corners=False),
    resize("half_down", (1, 2, 6, 5), height=3, width=2, align_corners=False),
    resize("half_one", (1, 2, 3, 4), height=1, width=1, align_corners=False),
    resize("scales", (1, 2, 3, 4), scale_height=2.0, scale_width=1.5),
    resize("scales_half", (1, 2, 5, 4), scale_height=0.5, scale_width=2.5, align_corners=False),
    resize("odd_scale", (1, 2, 3, 4), mode="odd_scale", scale_height=2.0, scale_width=2.0),
    resize("odd_scale_down", (1, 1, 3, 4), mode="odd_scale", scale_height=1.5, scale_width=0.5),
    resize("like", (2, 2, 3, 4), like=(2, 1, 5, 6), mode="like"),
    resize("like_half", (2, 2, 6, 5), like=(2, 3, 2, 3), mode="like", align_corners=False),
    resize("half_row", (2, 2, 3, 4), height=1, width=3, align_corners=False),
    resize("half_column_like", (2, 2, 3, 4), like=(2, 1, 2, 1), mode="like", align_corners=False),
    resize("half_scaled_column", (2, 2, 3, 4), scale_height=0.4, scale_width=1.5, align_corners=False),
    resize(
        "float64",
        (1, 2, 3, 4),
        "float64",
        height=5,
        width=6,
        onnx=NO_DOUBLE,
        rtol=1e-6,
        atol=1e-6,
        why="MXNet computes places in float32",
    ),
    resize("float16", (1, 2, 3, 4), "float16", height=5, width=6),
]
for mode in ("to_even_down", "to_even_up", "to_odd_down", "to_odd_up"):
    SAMPLES += [resize(mode + "_odd", (1, 1, 3, 5), mode=mode), resize(mode + "_even", (1, 1, 4, 2), mode=mode)]
NEAREST = {"sample_type": "nearest"}
SAMPLES += [
    Sample(UP, "nearest", (A((2, 3, 2, 3)),), dict(NEAREST, scale=2)),
    Sample(UP, "nearest_three", (A((1, 2, 1, 3)),), dict(NEAREST, scale=3)),
    Sample(UP, "nearest_many", (A((1, 1, 2, 1)),), dict(NEAREST, scale=41)),
    Sample(UP, "nearest_one", (A((1, 2, 1, 3)),), dict(NEAREST, scale=1)),
    Sample(
        UP,
        "nearest_concat",
        (A((2, 3, 2, 4)), A((2, 1, 4, 8)), A((2, 2, 1, 2))),
        dict(NEAREST, scale=2),
        batch=(0, 1, 2),
    ),
    Sample(
        UP,
        "nearest_sum",
        (A((2, 3, 2, 4)), A((2, 3, 1, 2))),
        dict(NEAREST, scale=2, multi_input_mode="sum", num_args=2),
        batch=(0, 1),
    ),
    Sample(UP, "nearest_float64", (A((1, 2, 2, 2), "float64"),), dict(NEAREST, scale=2), onnx=NO_DOUBLE),
    Sample(UP, "nearest_float16", (A((1, 2, 2, 2), "float16"),), dict(NEAREST, scale=2, workspace=64)),
]
for scale, kernel in ((1, 1), (2, 4), (3, 5), (4, 8)):
    attrs = {"sample_type": "bilinear", "scale": scale, "num_filter": 2}
    SAMPLES.append(
        Sample(
            UP,
            "bilinear%d" % scale,
            (A((2, 2, 3, 2)), A((2, 1, kernel, kernel))),
            attrs,
            rtol=2e-5,
            atol=2e-6,
            why="order of sums",
        )
    )
SAMPLES += [
    Sample(AD, "default", (A((2, 3, 4, 5)),)),
    Sample(AD, "one", (A((2, 3, 4, 5)),), {"output_size": 1}),
    Sample(AD, "overlapping", (A((2, 3, 5, 7)),), {"output_size": (3,)}),
    Sample(AD, "two_sizes", (A((2, 3, 5, 7)),), {"output_size": (2, 5)}),
    Sample(AD, "divides", (A((2, 3, 6, 4)),), {"output_size": (3, 2)}),
    Sample(AD, "enlarges", (A((1, 2, 3, 2)),), {"output_size": (5, 3)}),
    Sample(AD, "from_one", (A((1, 1, 1, 1)),), {"output_size": 2}),
    Sample(AD, "same", (A((1, 2, 3, 2)),), {"output_size": (3, 2)}),
    Sample(AD, "float64", (A((1, 2, 3, 5), "float64"),), {"output_size": 2}, onnx=NO_DOUBLE),
    Sample(AD, "float16", (A((1, 2, 3, 5), "float16"),), {"output_size": 2}),
]
SAMPLES += [
    Sample("Crop", "h_w", (A((2, 3, 4, 6)),), {"h_w": (2, 3), "num_args": 1}),
    Sample("Crop", "offset", (A((2, 3, 4, 6)),), {"h_w": (2, 3), "offset": (2, 1)}),
    Sample("Crop", "center", (A((1, 2, 4, 7)),), {"h_w": (3, 2), "center_crop": True}),
    Sample("Crop", "whole", (A((1, 2, 4, 7)),), {"h_w": (4, 7)}),
    Sample("Crop", "like", (A((2, 3, 4, 6)), A((2, 1, 3, 2))), {"offset": (1, 3), "num_args": 2}, batch=(0, 1)),
    Sample("Crop", "like_center", (A((2, 3, 4, 6)), A((2, 1, 3, 2))), {"center_crop": True}, batch=(0, 1)),
]
