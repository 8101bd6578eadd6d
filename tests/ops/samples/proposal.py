"""Region proposals."""

import numpy as np

from .boxes import NONE, given
from .sample import Sample

HEIGHT, WIDTH = 5, 6


def _sample(op, id, info, count=1, ties=False, **attrs):
    kinds = len(attrs.get("scales", (4, 8, 16, 32))) * len(attrs.get("ratios", (0.5, 1, 2)))
    rng = np.random.RandomState(41)
    chances = rng.uniform(size=(count, 2 * kinds, HEIGHT, WIDTH))
    if ties:
        chances = np.round(chances * 8) / 8
    moves = rng.normal(size=(count, 4 * kinds, HEIGHT, WIDTH)) * (4.0 if attrs.get("iou_loss") else 0.3)
    attrs.setdefault("rpn_post_nms_top_n", 12)
    batch = (0, 1, 2) if op == "_contrib_MultiProposal" else ()
    inputs = tuple(given(np.asarray(a, dtype=np.float32)) for a in (chances, moves, info))
    return Sample(
        op,
        id,
        inputs,
        attrs,
        batch=batch,
        derivative=NONE,
        rtol=1e-5,
        atol=5e-5,
        why="pixels of up to 100, from differences",
    )


ONE, TWO = [[80, 96, 1]], [[80, 96, 1], [60.5, 70.2, 0.8]]


def _one(id, info=ONE, **attrs):
    return _sample("_contrib_Proposal", id, info, **attrs)


def _two(id, info=TWO, **attrs):
    return _sample("_contrib_MultiProposal", id, info, count=2, **attrs)


SAMPLES = [
    _one("default", output_score=True),
    _one("hidden_score"),
    _one("padded", [[50.5, 60.2, 0.7]], output_score=True),
    _one("few", rpn_pre_nms_top_n=15, rpn_post_nms_top_n=20, threshold=0.3, output_score=True),
    _one("all", rpn_pre_nms_top_n=-1, rpn_post_nms_top_n=30, output_score=True, scales=(1, 2), ratios=(0.3, 0.7, 1.7)),
    _one("small", rpn_min_size=40, output_score=True, scales=(1, 2, 3)),
    _one("sum", iou_loss=True, output_score=True, scales=(2, 4)),
    _one("stride", [[40, 48, 1]], feature_stride=8, scales=(2, 3.5), ratios=(1.5,), rpn_min_size=3, output_score=True),
    _one("ties", ties=True, output_score=True, scales=(1, 2)),
    _two("default", output_score=True),
    _two("hidden_score", threshold=0.5, scales=(1, 3)),
    _two("few", rpn_pre_nms_top_n=20, rpn_post_nms_top_n=25, threshold=0.4, output_score=True, scales=(1, 2)),
    _two("sum", iou_loss=True, scales=(2,), rpn_min_size=0, output_score=True),
]
