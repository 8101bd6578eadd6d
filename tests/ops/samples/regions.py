"""Pooling over regions."""

import numpy as np

from .boxes import given
from .sample import Array, Sample

A = Array
NO_DOUBLE = "ONNX Runtime has no float64 kernel"
DATA = (2, 3, 9, 11)


def regions(seed, count=7, images=2, extent=160, turned=True):
    """Regions (count, 5), some of them partly outside, one of them one pixel, the first with its corners turned."""
    rng = np.random.RandomState(seed)
    low = rng.uniform(-20, extent, size=(count, 2))
    rows = np.concatenate(
        [rng.randint(0, images, size=(count, 1)), low, low + rng.uniform(1, extent, size=(count, 2))], 1
    )
    rows[1, 3:] = rows[1, 1:3]
    if turned:
        rows[0, 3:] = rows[0, 1:3] - 30
    return rows.astype(np.float32)


ROIS = regions(51)
TIGHT = np.array([[0, 0.5, 1.5, 4.5, 6.5], [1, 2.5, 0, 9, 9], [1, 3, 3, 3, 3.0]])
MISSING = np.array([[-1, 0, 0, 5, 5], [1, 0, 0, 5, 5], [2, 0, 0, 5, 5.0]])


def _pool(id, rois=ROIS, size=(3, 4), scale=1 / 16, dtype="float32", data=None, batch=(1,), onnx=None):
    return Sample(
        "ROIPooling",
        id,
        (data or A(DATA, dtype), given(rois, dtype, grad=False)),
        {"pooled_size": size, "spatial_scale": scale},
        batch=batch,
        onnx=NO_DOUBLE if dtype == "float64" else onnx,
    )


def _align(id, rois=ROIS, size=(3, 4), scale=1 / 16, dtype="float32", data=DATA, op="_contrib_ROIAlign", **options):
    attrs = dict({"pooled_size": size, "spatial_scale": scale}, **options.pop("attrs", {}))
    half = dtype == "float16"
    return Sample(
        op,
        id,
        (A(data, dtype), given(rois, dtype, grad=False)),
        attrs,
        batch=(1,),
        rtol=1e-2 if half else 1e-5,
        atol=1e-2 if half else 2e-6,
        why="positions in half precision" if half else "positions differ in the last digit",
        **options,
    )


def _rotated(id, seed=52, ratio=None, dtype="float32", onnx=None, scale=1 / 16):
    rng = np.random.RandomState(seed)
    place = rng.uniform(0, 160, size=(6, 2))
    extent, angle = rng.uniform(1, 100, size=(6, 2)), rng.uniform(-180, 180, size=(6, 1))
    rois = np.concatenate([rng.randint(0, 2, size=(6, 1)), place, extent, angle], 1).astype(np.float32)
    attrs = {} if ratio is None else {"sampling_ratio": ratio}
    return _align(id, rois, dtype=dtype, op="_contrib_RROIAlign", attrs=attrs, scale=scale, grad=False, onnx=onnx)


SAMPLES = [
    _pool("default"),
    _pool("one_bin", size=(1, 1)),
    _pool("many_bins", size=(7, 7)),
    _pool("halves", TIGHT, (2, 2), 1.0),
    _pool("scale", regions(53, extent=12), (2, 3), 0.9),
    _pool("missing", MISSING, (2, 2), 1.0),
    _pool("ties", size=(2, 3), data=A(DATA, kind="ints", high=3)),
    _pool("one_pixel", np.zeros((1, 5)), (2, 2), 1.0, data=A((1, 1, 1, 1))),
    _pool("float64", dtype="float64"),
    _pool("float16", regions(51, extent=120), dtype="float16"),
    _align("default"),
    _align("zero_ratio", attrs={"sample_ratio": 0}),
    _align("two", attrs={"sample_ratio": 2}),
    _align("three", size=(1, 2), attrs={"sample_ratio": 3}),
    _align("aligned", regions(54, turned=False)[2:], attrs={"aligned": True, "sample_ratio": 2}),
    _align("aligned_pixels", regions(54, turned=False)[2:], attrs={"aligned": True}),
    _align("sensitive", size=(2, 3), data=(2, 12, 5, 6), attrs={"position_sensitive": True}),
    _align("sensitive_two", size=(2, 2), data=(2, 8, 5, 6), attrs={"position_sensitive": True, "sample_ratio": 2}),
    _align("tight", TIGHT, (2, 2), 1.0),
    _align("one_pixel", np.zeros((1, 5)), (2, 2), 1.0, data=(1, 1, 1, 1)),
    _align("float64", dtype="float64"),
    _align("float16", regions(51, extent=100), dtype="float16", attrs={"sample_ratio": 2}),
    _rotated("default"),
    _rotated("two", ratio=2),
    _rotated("scale", ratio=1, scale=0.1),
    _rotated("float64", dtype="float64", onnx=NO_DOUBLE),
    _rotated("float16", ratio=2, dtype="float16"),
]
