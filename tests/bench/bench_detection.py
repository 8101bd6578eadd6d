"""Detection operators: forward, and the gradient where there is one, at the sizes of real detectors. One thread.

    python tests/bench/bench_detection.py [--rounds 5] [--only NAME]

Prints milliseconds, the least of the rounds: `operator | gluonnx | MXNet`, the last one with the environment variable
GLUONNX_MXNET_PYTHON (a Python that has MXNet 1.9.1). The inputs are drawn from one seed, the same for both: an SSD-300
(8 images, 8,732 anchors, 21 classes), 300 regions on a map of 256 channels and 50 x 50.
"""

from __future__ import annotations  # MXNet runs this file in Python 3.8

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES, ANCHORS, CLASSES = 8, 8732, 21
REGIONS, CHANNELS, SIDE, STRIDE = 300, 256, 50, 16


def boxes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Boxes (..., 4) by corners, within 0 to 1."""
    center, size = rng.uniform(0, 1, (*shape, 2)), rng.uniform(0.05, 0.4, (*shape, 2))
    return np.concatenate([center - size / 2, center + size / 2], -1).clip(0, 1).astype("float32")


def inputs() -> dict[str, np.ndarray]:
    """Arrays by name."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(IMAGES, CLASSES, ANCHORS))
    scores[:, 0] += 4.0  # most anchors show nothing
    odds = np.exp(scores)
    labels = np.full((IMAGES, 10, 5), -1.0, "float32")
    labels[:, :4, 0] = rng.integers(0, CLASSES - 1, (IMAGES, 4))
    labels[:, :4, 1:] = boxes(rng, IMAGES, 4)
    regions = boxes(rng, REGIONS) * SIDE * STRIDE
    rows = [rng.integers(0, 20, (32, 400, 1)), rng.uniform(0, 1, (32, 400, 1)), boxes(rng, 32, 400)]
    return {
        "probability": (odds / odds.sum(1, keepdims=True)).astype("float32"),
        "moves": rng.normal(0, 0.5, (IMAGES, ANCHORS * 4)).astype("float32"),
        "anchors": boxes(rng, 1, ANCHORS),
        "labels": labels,
        "rows": np.concatenate(rows, -1).astype("float32"),
        "map": rng.normal(size=(1, CHANNELS, SIDE, SIDE)).astype("float32"),
        "regions": np.concatenate([np.zeros((REGIONS, 1)), regions], 1).astype("float32"),
        "class_odds": rng.uniform(0, 1, (1, 18, SIDE, SIDE)).astype("float32"),
        "box_moves": rng.normal(0, 0.2, (1, 36, SIDE, SIDE)).astype("float32"),
        "size": np.array([[SIDE * STRIDE, SIDE * STRIDE, 1.0]], "float32"),
    }


def cases(nd: Any, x: Any) -> dict[str, tuple[Callable[[], Any], Any]]:
    """What is called, and the array that its gradient is asked for."""
    scale = 1.0 / STRIDE
    return {
        "MultiBoxPrior": (lambda: nd.contrib.MultiBoxPrior(x["map"], sizes=(0.2, 0.3), ratios=(1, 2, 0.5)), None),
        "MultiBoxTarget": (
            lambda: nd.contrib.MultiBoxTarget(x["anchors"], x["labels"], x["probability"], negative_mining_ratio=3.0),
            None,
        ),
        "MultiBoxDetection": (
            lambda: nd.contrib.MultiBoxDetection(x["probability"], x["moves"], x["anchors"], nms_topk=400),
            None,
        ),
        "MultiBoxDetection, no topk": (
            lambda: nd.contrib.MultiBoxDetection(x["probability"], x["moves"], x["anchors"]),
            None,
        ),
        "box_nms 32 x 400": (
            lambda: nd.contrib.box_nms(x["rows"], overlap_thresh=0.5, coord_start=2, score_index=1, id_index=0),
            None,
        ),
        "box_iou": (lambda: nd.contrib.box_iou(x["anchors"][0], x["rows"][0, :, 2:]), None),
        "Proposal": (
            lambda: nd.contrib.Proposal(
                x["class_odds"],
                x["box_moves"],
                x["size"],
                scales=(8, 16, 32),
                ratios=(0.5, 1, 2),
                feature_stride=STRIDE,
            ),
            None,
        ),
        "ROIPooling": (
            lambda: nd.ROIPooling(x["map"], x["regions"], pooled_size=(7, 7), spatial_scale=scale),
            x["map"],
        ),
        "ROIAlign": (
            lambda: nd.contrib.ROIAlign(
                x["map"], x["regions"], pooled_size=(7, 7), spatial_scale=scale, sample_ratio=2
            ),
            x["map"],
        ),
    }


def milliseconds(mx: Any, rounds: int, only: str) -> dict[str, float]:
    """The least time of each case."""
    x = {name: mx.nd.array(values) for name, values in inputs().items()}
    found = {}
    for name, (call, variable) in cases(mx.nd, x).items():
        if only not in name:
            continue
        found[name] = _least(call, mx, rounds)
        if variable is not None:
            variable.attach_grad()

            def both(call: Callable[[], Any] = call) -> Any:
                with mx.autograd.record():
                    result = call()
                result.backward()
                mx.nd.waitall()
                return result

            found[f"{name}, with gradient"] = _least(both, mx, rounds)
    return found


def _least(call: Callable[[], Any], mx: Any, rounds: int) -> float:
    taken = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        call()
        mx.nd.waitall()
        taken.append(time.perf_counter() - start)
    return min(taken[1:]) * 1e3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="operators whose name has this in it")
    parser.add_argument("--mxnet", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mxnet:
        import mxnet

        print(json.dumps(milliseconds(mxnet, options.rounds, options.only)))
        return
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import torch

    import gluonnx

    torch.set_num_threads(1)
    python = os.environ.get("GLUONNX_MXNET_PYTHON")
    other: dict[str, float] = {}
    if python:
        command = [python, "-W", "ignore", __file__, "--mxnet", "--rounds", str(options.rounds), "--only", options.only]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        other = json.loads(done.stdout.splitlines()[-1])
    print(f"milliseconds a call; load {os.getloadavg()[0]:.1f}")
    print(f"{'operator':28s}{'gluonnx':>10s}{'MXNet' if other else '':>10s}")
    for name, ours in milliseconds(gluonnx, options.rounds, options.only).items():
        print(f"{name:28s}{ours:10.2f}" + (f"{other[name]:10.2f}" if other else ""))


if __name__ == "__main__":
    main()
