"""Single-shot detection."""

import numpy as np

from .boxes import NONE, corners, given
from .sample import Array, Sample

A = Array


def _prior(id, shape=(2, 3, 4, 5), batch=(), **attrs):
    return Sample("_contrib_MultiBoxPrior", id, (A(shape),), attrs, batch=batch, derivative=NONE)


def _probabilities(seed, shape):
    scores = np.random.RandomState(seed).normal(size=shape) * 2
    scores = np.exp(scores)
    return scores / scores.sum(1, keepdims=True)


COUNT = 24
ANCHORS = np.clip(corners(31, (1, COUNT), side=0.6), 0, 1)
CHANCES = _probabilities(32, (2, 4, COUNT))
LOW = CHANCES * np.where(np.arange(COUNT) % 3 == 0, 0.01, 1.0)
TIED = np.round(CHANCES * 4) / 4


def _detect(id, chances=CHANCES, anchors=ANCHORS, scale=0.5, **attrs):
    chances = np.asarray(chances)
    batch, _, count = chances.shape
    moves = np.random.RandomState(33).normal(size=(batch, 4 * count)) * scale
    inputs = (given(chances), given(moves), given(anchors))
    return Sample("_contrib_MultiBoxDetection", id, inputs, attrs, batch=(0, 1), derivative=NONE)


LABELS = np.concatenate(
    [np.random.RandomState(34).randint(0, 4, size=(2, 3, 1)), np.clip(corners(35, (2, 3), side=0.7), 0, 1)], -1
)
LABELS[1, 2] = -1
EMPTY = np.concatenate([LABELS[:1], np.full((1, 3, 5), -1.0)])
WIDE = np.concatenate([LABELS, np.ones((2, 3, 2))], -1)
SAME = np.array([[[1, 0, 0, 0.5, 0.5], [2, 0, 0, 0.5, 0.5], [0, 0, 0, 0.5, 0.5]]] * 2)
FAR = np.array([[[1, 5, 5, 6, 6.0]]] * 2)
FOUR = np.repeat(np.array([[[0, 0, 0.5, 0.5]]]), 4, 1)


def _target(id, labels=LABELS, anchors=ANCHORS, **attrs):
    labels = np.asarray(labels)
    scores = np.random.RandomState(36).normal(size=(labels.shape[0], 5, np.shape(anchors)[1]))
    inputs = (given(anchors), given(labels), given(scores))
    return Sample(
        "_contrib_MultiBoxTarget",
        id,
        inputs,
        attrs,
        batch=(1, 2),
        derivative=NONE,
        rtol=1e-5,
        atol=1e-5,
        why="differences of close numbers are divided by small ones",
    )


SAMPLES = [
    _prior("default"),
    _prior("sizes", sizes=(0.75, 0.5, 0.25)),
    _prior("ratios", ratios=(1, 2, 0.5)),
    _prior("both", sizes=(0.5, 0.25), ratios=(2, 0.5)),
    _prior("clip", sizes=(0.9, 0.3), ratios=(1, 2), clip=True),
    _prior("steps", steps=(0.4, 0.3), offsets=(0.2, 0.7)),
    _prior("one", shape=(1, 1, 1, 1)),
    _prior("open_batch", batch=(0,), sizes=(0.2, 0.3), ratios=(1, 3)),
    _detect("default"),
    _detect("force", force_suppress=True),
    _detect("threshold", threshold=0.4),
    _detect("low", LOW, threshold=0.05),
    _detect("none", threshold=1.5),
    _detect("topk", nms_topk=6),
    _detect("topk_force", LOW, nms_topk=7, threshold=0.1, force_suppress=True, nms_threshold=0.2),
    _detect("topk_large", LOW, nms_topk=100, threshold=0.1),
    _detect("no_suppression", LOW, nms_threshold=0.0, threshold=0.1),
    _detect("beyond", nms_threshold=1.5),
    _detect("whole", nms_threshold=1.0, scale=0.0),
    _detect("no_clip", clip=False, nms_threshold=0.3),
    _detect("variances", variances=(0.2, 0.3, 0.4, 0.5), background_id=1, nms_threshold=0.3),
    _detect("ties", TIED, nms_threshold=0.3),
    _detect("negative", CHANCES - 1.2, threshold=-2.0, nms_threshold=0.3),
    _detect("two_classes", CHANCES[:, :2], nms_threshold=0.3),
    _detect("background_only", CHANCES[:, :1]),
    _detect("exact", [[[0.1, 0.2], [0.9, 0.8]]], [[[0, 0, 0.5, 0.5], [0, 0, 0.5, 1.0]]], 0.0),
    _target("default"),
    _target("low_threshold", overlap_threshold=0.2),
    _target("no_threshold", overlap_threshold=-1.0),
    _target("empty", EMPTY, overlap_threshold=0.3, ignore_label=-7.0),
    _target("wide", WIDE),
    _target("same", SAME, FOUR),
    _target("far", FAR, FOUR),
    _target("far_mining", FAR, FOUR, negative_mining_ratio=2.0, minimum_negative_samples=2),
    _target("mining", negative_mining_ratio=1.0),
    _target("mining_threshold", negative_mining_ratio=2.0, negative_mining_thresh=0.1, overlap_threshold=0.3),
    _target("mining_all", EMPTY, negative_mining_ratio=100.0),
    _target("mining_fraction", negative_mining_ratio=0.7, minimum_negative_samples=4, variances=(0.1, 0.2, 0.3, 0.4)),
]
