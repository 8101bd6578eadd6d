"""Boxes: overlaps, suppression, matching, encoding."""

import numpy as np

from .sample import Array, Sample

A = Array
NONE = "MXNet passes no gradient"
NO_DOUBLE = "ONNX Runtime suppresses in float32"


def given(array, dtype="float32", grad=True):
    """An input with these values."""
    array = np.asarray(array, dtype=np.float64)
    return A(array.shape, dtype, kind="values", values=tuple(array.ravel().tolist()), grad=grad)


def corners(seed, shape, extent=1.0, side=0.5):
    """Boxes by corners, some of them outside of [0, extent]."""
    rng = np.random.RandomState(seed)
    low = rng.uniform(-0.2, 0.9, size=(*shape, 2))
    return np.concatenate([low, low + rng.uniform(0.02, side, size=(*shape, 2))], -1).astype(np.float32) * extent


def scored(seed, shape, classes=3, ties=False):
    """Rows of class, score, corners."""
    rng = np.random.RandomState(seed)
    score = rng.randint(0, 4, size=(*shape, 1)) / 4.0 if ties else rng.uniform(0, 1, size=(*shape, 1))
    ids = rng.randint(-1, classes, size=(*shape, 1))
    return np.concatenate([ids, score.astype(np.float32), corners(seed + 1, shape)], -1)


def _iou(id, left, right, **options):
    attrs = options.pop("attrs", {})
    return Sample("_contrib_box_iou", id, (left, right), attrs, derivative=NONE, **options)


def _nms(id, rows, dtype="float32", batch=(0,), **attrs):
    onnx = NO_DOUBLE if dtype == "float64" and attrs.get("topk") != 0 else None
    onnx = "ONNX has no negative thresholds" if attrs.get("overlap_thresh", 0) < 0 else onnx
    convert = attrs.get("in_format", "corner") != attrs.get("out_format", "corner")
    derivative = "coordinates are converted, gradients are not" if convert else None
    derivative = "a small change moves an overlap across the threshold" if id == "exact" else derivative
    if rows.ndim == 2:
        batch = ()
    return Sample("_contrib_box_nms", id, (given(rows, dtype),), attrs, batch=batch, onnx=onnx, derivative=derivative)


BOXES = scored(1, (2, 20))
TIES = scored(3, (2, 20), ties=True)
TURNED = np.array([[0, 0.9, 3, 3, 1, 1], [0, 0.8, 0, 0, 4, 4], [0, 0.7, 2, 2, 2, 2], [0, 0.6, 0, 0, 4, 4.0]])
EXACT = np.array([[0, 0.9, 0, 0, 0.5, 0.5], [0, 0.8, 0, 0, 0.5, 1.0], [1, 0.7, 0, 0, 0.5, 0.5]])
SHUFFLED = BOXES[:, :, [2, 3, 4, 5, 0, 1]]

_SCORES = np.random.RandomState(5).uniform(size=(2, 4, 5))
_TIED = np.random.RandomState(6).randint(0, 3, size=(2, 6, 4)) / 4.0


def _match(id, scores, dtype="float32", **attrs):
    return Sample(
        "_contrib_bipartite_matching",
        id,
        (given(scores, dtype),),
        attrs,
        batch=(0,) if np.ndim(scores) > 2 else (),
        derivative=NONE,
    )


def _encode(id, samples, matches, dtype="float32", count=3):
    rows = np.asarray(samples).shape[0]
    anchors, refs = corners(7, (rows, count)), corners(8, (rows, 2))
    arrays = (samples, matches, anchors, refs, [0.1, 0.2, 0.3, 0.4], [0.1, 0.1, 0.2, 0.2])
    return Sample(
        "_contrib_box_encode",
        id,
        tuple(given(a, dtype) for a in arrays),
        batch=(0, 1, 2, 3),
        derivative=NONE,
        atol=2e-2 if dtype == "float16" else 1e-5,
        rtol=2e-2 if dtype == "float16" else 1e-5,
        why="differences of close numbers are divided by small ones",
    )


def _decode(id, dtype="float32", batch=2, **attrs):
    anchors = corners(9, (1, 3)) if attrs.get("format") == "corner" else np.abs(corners(9, (1, 3)))
    inputs = (A((batch, 3, 4), dtype), given(anchors, dtype))
    half = dtype == "float16"
    return Sample(
        "_contrib_box_decode",
        id,
        inputs,
        attrs,
        derivative=NONE,
        rtol=4e-3 if half else None,
        atol=4e-3 if half else None,
        why="each step rounds to half precision" if half else "",
    )


SAMPLES = [
    _iou("pairs", given(corners(11, (3,))), given(corners(12, (4,)))),
    _iou("many_axes", given(corners(13, (2, 3))), given(corners(14, (1, 2, 2)))),
    _iou("center", given(np.abs(corners(15, (2, 3)))), given(np.abs(corners(16, (2,)))), attrs={"format": "center"}),
    _iou("one", given(corners(17, (1,))), given(corners(17, (1,)))),
    _iou("turned", given(TURNED[:, 2:]), given(TURNED[:, 2:]), batch=()),
    _iou("float64", given(corners(18, (3,)), "float64"), given(corners(19, (4,)), "float64")),
    _iou("float16", given(corners(18, (3,)), "float16"), given(corners(19, (4,)), "float16")),
    _nms("default", BOXES),
    _nms("classes", BOXES, id_index=0),
    _nms("force", BOXES, id_index=0, force_suppress=True, overlap_thresh=0.3),
    _nms("background", BOXES, id_index=0, background_id=1, overlap_thresh=0.2),
    _nms("ties", TIES, id_index=0, valid_thresh=-1.0, overlap_thresh=0.3),
    _nms("ties_without_classes", TIES, overlap_thresh=0.1),
    _nms("valid", BOXES, valid_thresh=0.5, overlap_thresh=0.4),
    _nms("none_valid", BOXES, valid_thresh=2.0),
    _nms("topk", BOXES, topk=5, overlap_thresh=0.2),
    _nms("topk_classes", BOXES, topk=7, id_index=0, overlap_thresh=0.1, valid_thresh=0.2),
    _nms("topk_large", BOXES, topk=50, overlap_thresh=0.2),
    _nms("topk_none", BOXES, topk=0, out_format="center"),
    _nms("to_center", BOXES, out_format="center", overlap_thresh=0.3),
    _nms("to_corner", BOXES, in_format="center", overlap_thresh=0.3),
    _nms("center", BOXES, in_format="center", out_format="center", id_index=0, overlap_thresh=0.3),
    _nms("columns", SHUFFLED, coord_start=0, score_index=5, id_index=4, overlap_thresh=0.3, out_format="center"),
    _nms("rows", BOXES[0], overlap_thresh=0.3),
    _nms("axes", BOXES.reshape(2, 2, 10, 6), id_index=0, overlap_thresh=0.3),
    _nms("one", BOXES[:, :1]),
    _nms("turned", TURNED),
    _nms("turned_zero", TURNED, overlap_thresh=0.0),
    _nms("exact", EXACT),
    _nms("never", BOXES, overlap_thresh=1.5),
    _nms("always", BOXES, overlap_thresh=-0.5),
    _nms("large", scored(21, (1, 600), classes=5), id_index=0, overlap_thresh=0.4),
    _nms("float64", BOXES, "float64", id_index=0),
    _nms("float64_topk_none", BOXES, "float64", topk=0),
    _nms("float16", BOXES, "float16", overlap_thresh=0.3),
    Sample("_contrib_box_non_maximum_suppression", "alias", (given(BOXES),), {"overlap_thresh": 0.3, "id_index": 0}),
    _match("default", _SCORES, threshold=0.1),
    _match("ascending", _SCORES, threshold=0.6, is_ascend=True),
    _match("threshold", _SCORES, threshold=0.7),
    _match("none", _SCORES, threshold=2.0),
    _match("topk", _SCORES, threshold=0.1, topk=1),
    _match("topk_large", _SCORES, threshold=0.1, topk=9),
    _match("topk_zero", _SCORES, threshold=0.1, topk=0),
    _match("ties", _TIED, threshold=0.1),
    _match("ties_ascending", _TIED, threshold=0.4, is_ascend=True),
    _match("ties_topk", _TIED, threshold=0.1, topk=2),
    _match("exact", _TIED, threshold=0.5),
    _match("matrix", _SCORES[0], threshold=0.1),
    _match("axes", _SCORES[:, None], threshold=0.3),
    _match("column", _SCORES[:, :, :1], threshold=0.1),
    _match("float64", _SCORES, "float64", threshold=0.1),
    _match("float16", _SCORES, "float16", threshold=0.1),
    _encode("default", [[1, 0, -1], [1, 0.6, 0.5]], [[0, 1, 0], [1, 1, 0]]),
    _encode("float64", [[1, 0, -1], [1, 0.6, 0.5]], [[0, 1, 0], [1, 1, 0]], "float64"),
    _encode("float16", [[1, 0, -1], [1, 0.6, 0.5]], [[0, 1, 0], [1, 1, 0]], "float16"),
    _encode("one", [[1]], [[1]], count=1),
    _decode("default"),
    _decode("stds", std0=0.1, std1=0.1, std2=0.2, std3=0.3),
    _decode("corner", std2=0.5, format="corner"),
    _decode("clip", clip=0.3),
    _decode("one", batch=1),
    _decode("float64", "float64", clip=0.3, format="corner"),
    _decode("float16", "float16"),
]
