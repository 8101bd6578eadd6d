"""One training step of the demo's network: gluonnx against plain torch, and against MXNet where there is one.

    python tests/bench/bench_training.py [ROUNDS]

The ways take turns, a block of steps each, on one thread; the table gives the median of the blocks' means, and the
median over the rounds of the ratio to torch. With GLUONNX_MXNET_PYTHON naming a Python that has MXNet 1.9.1, MXNet runs
in a process of its own, in turn with the others.
"""

from __future__ import annotations  # MXNet runs this file in Python 3.8

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH = 64
STEPS = 20
LEARNING_RATE = 1e-3


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return a batch that looks like digits: (64, 1, 8, 8) and labels (64,)."""
    rng = np.random.RandomState(0)
    return rng.rand(BATCH, 1, 8, 8).astype("float32"), rng.randint(0, 10, BATCH).astype("float32")


def gluon_step(mx, hybridize: bool) -> Callable[[], object]:
    """Return a step of the net in Gluon; `mx` is gluonnx or MXNet."""
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(
            nn.Conv2D(20, kernel_size=3, padding=1),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Conv2D(50, kernel_size=3, padding=1),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Flatten(),
            nn.Dense(128, activation="relu"),
            nn.Dense(10),
        )
    net.initialize(mx.init.Xavier())
    images, labels = digits()
    data, label = mx.nd.array(images), mx.nd.array(labels)
    loss_function = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    if hybridize:
        net.hybridize()
        loss_function.hybridize()
    trainer = None

    def step():
        nonlocal trainer
        with mx.autograd.record():
            loss = loss_function(net(data), label)
        loss.backward()
        if trainer is None:
            trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": LEARNING_RATE})
        trainer.step(BATCH)
        mx.nd.waitall()

    return step


def torch_step() -> Callable[[], object]:
    """Return the same step in plain torch."""
    import torch
    from torch import nn

    net = nn.Sequential(
        nn.Conv2d(1, 20, 3, padding=1),
        nn.BatchNorm2d(20),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 3, padding=1),
        nn.BatchNorm2d(50),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(200, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    images, labels = digits()
    data, label = torch.from_numpy(images), torch.from_numpy(labels).long()
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, foreach=True)

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data), label).backward()
        optimizer.step()

    return step


def block(step: Callable[[], object]) -> float:
    """Return the mean time of a block of steps, in milliseconds."""
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return 1e3 * (time.perf_counter() - start) / STEPS


class MXNet:
    """MXNet in a process of its own; each call runs a block there."""

    def __init__(self, python: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        self._process = subprocess.Popen(
            [python, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def block(self, way: str) -> float:
        """Return the mean time of a block of steps, in milliseconds."""
        self._process.stdin.write(way + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def serve() -> None:
    """Run blocks in MXNet for `MXNet`."""
    import mxnet

    steps = {"imperative": gluon_step(mxnet, False), "hybridized": gluon_step(mxnet, True)}
    for line in sys.stdin:
        print(block(steps[line.strip()]), flush=True)


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    import torch

    torch.set_num_threads(1)
    import gluonnx

    ways: dict[str, Callable[[], float]] = {}
    for name, step in (
        ("torch", torch_step()),
        ("gluonnx imperative", gluon_step(gluonnx, False)),
        ("gluonnx hybridized", gluon_step(gluonnx, True)),
    ):
        ways[name] = lambda step=step: block(step)
    other = None
    if os.environ.get("GLUONNX_MXNET_PYTHON"):
        other = MXNet(os.environ["GLUONNX_MXNET_PYTHON"])
        ways["MXNet imperative"] = lambda: other.block("imperative")
        ways["MXNet hybridized"] = lambda: other.block("hybridized")
    else:
        print("MXNet: not measured, GLUONNX_MXNET_PYTHON names no Python that has it")
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, run in ways.items():
            value = run()
            if turn:  # the first is the warm-up
                times[name].append(value)
    if other is not None:
        other.close()
    print(f"training step of the demo's network, batch {BATCH}, Adam, one thread, {rounds} rounds of {STEPS} steps")
    print(f"{'way':22} {'ms':>8} {'ratio to torch':>15}")
    for name, values in times.items():
        ratio = statistics.median(v / t for v, t in zip(values, times["torch"], strict=True))
        print(f"{name:22} {statistics.median(values):8.3f} {ratio:15.3f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        sys.path[:0] = [str(Path(__file__).resolve().parents[2] / p) for p in ("runtime", ".")]
        main()
