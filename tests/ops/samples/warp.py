"""Grids, bilinear sampling, spatial transformers."""

from .sample import Array as A
from .sample import Sample

NO_DOUBLE = "ONNX Runtime has no float64 kernel"
GG, BS, ST = "GridGenerator", "BilinearSampler", "SpatialTransformer"
AFFINE = {"transform_type": "affine"}
SAMPLER = {"transform_type": "affine", "sampler_type": "bilinear"}
SUMS = {"rtol": 1e-4, "atol": 1e-5, "why": "a place between pixels has few digits less than the pixels"}
THETA = A((2, 6), kind="values", values=(1.0, 0.2, 0.1, -0.3, 0.9, 0.05, 0.7, 0.0, -0.2, 0.1, 1.3, 0.4))

SAMPLES = [
    Sample(GG, "affine", (THETA,), dict(AFFINE, target_shape=(3, 4))),
    Sample(
        GG, "affine_random", (A((3, 6)),), dict(AFFINE, target_shape=(2, 5)), rtol=1e-5, atol=2e-6, why="order of sums"
    ),
    Sample(GG, "affine_one", (A((1, 6)),), dict(AFFINE, target_shape=(1, 3)), grad=False),
    Sample(GG, "warp", (A((2, 2, 3, 4)),), {"transform_type": "warp"}),
    Sample(GG, "warp_one", (A((1, 2, 1, 4), kind="positive"),), {"transform_type": "warp"}, grad=False),
    Sample(BS, "inside", (A((2, 3, 4, 5)), A((2, 2, 3, 2), kind="unit")), batch=(0, 1), **SUMS),
    Sample(BS, "beyond", (A((2, 3, 4, 5)), A((2, 2, 3, 4))), {"cudnn_off": True}, batch=(0, 1), **SUMS),
    Sample(BS, "one", (A((1, 2, 1, 1)), A((1, 2, 2, 3))), batch=(0, 1)),
    Sample(BS, "float64", (A((1, 2, 3, 4), "float64"), A((1, 2, 3, 2), "float64")), onnx=NO_DOUBLE),
    Sample(ST, "affine", (A((2, 3, 4, 5)), THETA), dict(SAMPLER, target_shape=(3, 4)), batch=(0, 1), **SUMS),
    Sample(
        ST,
        "larger",
        (A((2, 1, 3, 3)), A((2, 6), kind="unit")),
        dict(SAMPLER, target_shape=(6, 5)),
        batch=(0, 1),
        **SUMS,
    ),
]
