"""Memory over 10,000 training steps and over 10,000 hybridized calls with changing shapes: it stays flat.

    python tests/bench/bench_memory.py [COUNT]

A table for each case: resident memory, and what Python holds as tracemalloc sees it, after every tenth of the calls.
Each case runs in a process of its own. Exit 1 if memory grows after the first third, in which caches fill.
"""

import gc
import random
import resource
import statistics
import subprocess
import sys
import tracemalloc
from pathlib import Path

import torch

import gluonnx as mx
from gluonnx.gluon import nn

ALLOWED_PYTHON_KB = 64
"""Growth of Python's objects, from the fourth to sixth tenth to the last three, that still counts as flat."""

ALLOWED_RESIDENT_MB = 8
"""Growth of resident memory likewise; the allocator's fragments come and go."""

LENGTHS = range(8, 48)
"""Widths of the input in `call shapes`: more than the sessions that are kept."""


def _net():
    net = nn.HybridSequential()
    net.add(nn.Dense(64, activation="relu", flatten=False), nn.BatchNorm(axis=-1), nn.Dropout(0.1))
    net.add(nn.HybridLambda(lambda F, x: F.mean(x, axis=1)))
    net.add(nn.Dense(10))
    net.initialize(mx.init.Xavier())
    return net


def _trainer(net, kind):
    arguments = {"sgd": {"learning_rate": 0.01, "momentum": 0.9}, "adam": {"learning_rate": 0.001}}[kind]
    return mx.gluon.Trainer(net.collect_params(), kind, arguments)


def training(hybrid, kind, changing):
    """One step of training after the other; with `changing`, of batches of other sizes and lengths."""
    net = _net()
    if hybrid:
        net.hybridize()
    trainer = _trainer(net, kind)
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    metric = mx.metric.Accuracy()
    draws = random.Random(1)

    def step(_):
        size, length = (draws.randrange(1, 33), draws.choice(LENGTHS)) if changing else (16, 12)
        x = mx.nd.random.normal(shape=(size, length, 20))
        labels = mx.nd.array([i % 10 for i in range(size)])
        with mx.autograd.record():
            out = net(x)
            loss = loss_of(out, labels)
        loss.backward()
        trainer.step(size)
        metric.update([labels], [out])
        loss.asnumpy()

    return step


def evaluating():
    """A step of training and a call of the same hybridized block: the weights change between calls."""
    net = _net()
    net.hybridize()
    trainer = _trainer(net, "sgd")

    def step(_):
        x = mx.nd.random.normal(shape=(8, 12, 20))
        with mx.autograd.record():
            loss = net(x).sum()
        loss.backward()
        trainer.step(8)
        net(x).asnumpy()

    return step


def calling(lengths):
    """Hybridized calls: another batch size each time, and every 20th time another of `lengths`."""
    net = _net()
    net.hybridize()
    draws = random.Random(1)

    def step(number):
        length = lengths[number // 20 * 7 % len(lengths)]
        net(mx.nd.ones((draws.randrange(1, 257), length, 20))).asnumpy()

    return step


CASES = {
    "train, sgd": lambda: training(False, "sgd", False),
    "train, adam, hybridized": lambda: training(True, "adam", False),
    "train, hybridized, changing shapes": lambda: training(True, "sgd", True),
    "train and call, hybridized": lambda: evaluating(),
    "call, changing batch size": lambda: calling([12]),
    "call, changing batch size and length": lambda: calling(LENGTHS),
}


def _resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def run(name, count):
    """Run one case; return whether its memory is flat."""
    torch.set_num_threads(1)
    step = CASES[name]()
    every = count // 10
    tracemalloc.start(1)
    rows = []
    for number in range(count):
        step(number)
        if (number + 1) % every == 0:
            gc.collect()
            rows.append((number + 1, _resident_mb(), tracemalloc.get_traced_memory()[0] / 1e3))
    print(f"{name:38s} calls  " + " ".join(f"{n:8d}" for n, _, _ in rows))
    print(f"{'':38s} RSS MB " + " ".join(f"{mb:8.1f}" for _, mb, _ in rows))
    print(f"{'':38s} py kB  " + " ".join(f"{kb:8.1f}" for _, _, kb in rows), flush=True)
    resident, python = (
        statistics.median(r[column] for r in rows[7:]) - statistics.median(r[column] for r in rows[3:6])
        for column in (1, 2)
    )
    is_flat = resident <= ALLOWED_RESIDENT_MB and python <= ALLOWED_PYTHON_KB
    if not is_flat:
        print(f"{'':38s} grows by {resident:.1f} MB, Python by {python:.1f} kB", flush=True)
        if "--blame" in sys.argv:
            for line in tracemalloc.take_snapshot().statistics("lineno")[:12]:
                print("   ", line)
    return is_flat


def main():
    given = [a for a in sys.argv[1:] if not a.startswith("--")]
    count = int(given[0]) if given else 10_000
    if len(given) == 2:
        sys.exit(0 if run(given[1], count) else 1)
    failed = [
        name for name in CASES if subprocess.run([sys.executable, __file__, str(count), name], check=False).returncode
    ]
    sys.exit(f"not flat: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
