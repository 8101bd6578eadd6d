"""What a hybridized call costs over the bare ONNX Runtime session that it ends in. One thread.

    python tests/bench/bench_hybrid.py [--memory]

Prints microseconds per call, the best of several rounds: `bare` is run_with_iobinding on memory bound once, `binding`
gluonnx_runtime.Binding.run on the same, `hybridized` the call of the block with fresh outputs, `changing` the same with
a weight written before each call (less the write), `imperative` the block as Python, `torch` the same net in torch.
`--memory` tells instead how the resident memory grows over 3,000 calls with changing shapes.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from gluonnx_runtime import Session

import gluonnx as mx
from gluonnx import autograd, gluon, nd
from gluonnx.gluon import nn
from gluonnx.onnx import lower

ROUNDS = 12
ROUND_S = 0.04
PAGE_BYTES = resource.getpagesize()


def microseconds(*calls: Callable[[], object]) -> list[float]:
    """The best round of each call, rounds taken in turn so that a busy machine is unfair to none."""
    counts = []
    for call in calls:
        start = time.perf_counter()
        for _ in range(20):
            call()
        counts.append(max(20, int(ROUND_S * 20 / (time.perf_counter() - start))))
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            for _ in range(counts[i]):
                call()
            best[i] = min(best[i], (time.perf_counter() - start) / counts[i])
    return [1e6 * b for b in best]


def mlp() -> tuple[gluon.HybridBlock, torch.nn.Module, tuple[int, ...]]:
    net = nn.HybridSequential()
    net.add(nn.Dense(16, activation="relu"), nn.Dense(4))
    return net, torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)), (8,)


def lenet() -> tuple[gluon.HybridBlock, torch.nn.Module, tuple[int, ...]]:
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(16, 3, padding=1, activation="relu"),
        nn.MaxPool2D(),
        nn.Conv2D(32, 3, padding=1, activation="relu"),
        nn.MaxPool2D(),
        nn.Flatten(),
        nn.Dense(64, activation="relu"),
        nn.Dense(32, activation="relu"),
        nn.Dense(10),
    )
    other = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(128, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 10),
    )
    return net, other, (1, 8, 8)


def bind(net: gluon.HybridBlock, x: np.ndarray, outputs: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """(bare run, Binding.run) of the net's graph on memory bound once."""
    graph = net(mx.sym.var("data"))
    params = {n: p.data().asnumpy() for n, p in net.collect_params().items()}
    model = lower(graph._heads, ["data"], [x.shape], ["float32"], params)
    session = Session(model.serialize(), device="cpu", intra_op_threads=1)
    binding = session.bind()
    out = np.empty((len(x), outputs), "float32")
    binding.bind_input("data", x)
    binding.bind_output(session.outputs[0].name, out)
    run, io, options = binding._run, binding._io, binding._run_options
    return lambda: (run(io, options), out)[0], binding.run


def times() -> None:
    torch.set_num_threads(1)
    names = ("bare", "binding", "hybridized", "changing", "imperative", "torch")
    print(f"{'net':8} {'batch':>5} " + " ".join(f"{n:>10}" for n in names) + f" {'overhead':>10}")
    for name, make in (("mlp", mlp), ("lenet", lenet)):
        for batch in (1, 64):
            plain, other, shape = make()
            live, _, _ = make()
            values = np.random.default_rng(0).normal(size=(batch, *shape)).astype("float32")
            x, t = nd.array(values), torch.from_numpy(values)
            for net in (plain, live):
                net.initialize()
                net(x)
            hybrid = gluon.SymbolBlock(plain(mx.sym.var("data")), mx.sym.var("data"), params=plain.collect_params())
            hybrid.hybridize()
            live.hybridize()
            hybrid(x)
            live(x)
            weight = next(p for n, p in live.collect_params().items() if n.endswith("bias")).data()._plain()

            def change(weight: torch.Tensor = weight) -> None:
                weight.add_(0.0)

            def change_and_call(
                live: gluon.HybridBlock = live, x: nd.NDArray = x, weight: torch.Tensor = weight
            ) -> None:
                weight.add_(0.0)
                live(x)

            def in_torch(other: torch.nn.Module = other, t: torch.Tensor = t) -> torch.Tensor:
                with torch.no_grad():
                    return other(t)

            bare, bound = bind(plain, values, plain(x).shape[1])
            found = microseconds(
                bare,
                bound,
                lambda hybrid=hybrid, x=x: hybrid(x),
                change_and_call,
                lambda plain=plain, x=x: plain(x),
                in_torch,
                change,
            )
            found[3] -= found.pop()
            print(f"{name:8} {batch:5} " + " ".join(f"{f:10.2f}" for f in found) + f" {found[2] - found[0]:10.2f}")


def evaluation() -> None:
    """Training steps with evaluation calls in between: what the calls cost, hybridized and not."""
    print(
        f"\n{'lenet, evaluation calls of batch 64 after each training step':60} {'hybridized':>10} {'imperative':>10}"
    )
    for calls in (1, 10, 100, 1000):
        spent = []
        for is_hybrid in (True, False):
            net, _, shape = lenet()
            x = nd.array(np.random.default_rng(0).normal(size=(64, *shape)))
            net.initialize()
            net(x)
            net.hybridize(is_hybrid)
            trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01})
            total, steps = 0.0, max(3, 200 // calls)
            for _ in range(steps):
                with autograd.record():
                    loss = (net(x) ** 2).sum()
                loss.backward()
                trainer.step(64)
                start = time.perf_counter()
                for _ in range(calls):
                    net(x)
                total += time.perf_counter() - start
            spent.append(1e6 * total / steps / calls)
        print(f"{calls:60} {spent[0]:10.1f} {spent[1]:10.1f}")


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def memory() -> None:
    torch.set_num_threads(1)
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3, in_channels=1), nn.GlobalAvgPool2D(), nn.Flatten())
    net.initialize()
    net.hybridize()
    rng = np.random.default_rng(0)
    print(f"{'calls':>8} {'resident MiB':>14}")
    for call in range(3001):
        batch, size = int(rng.integers(1, 65)), int(rng.integers(8, 48))
        net(nd.zeros((batch, 1, size, size)))
        if call % 500 == 0:
            print(f"{call:8} {resident_bytes() / 2**20:14.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", action="store_true")
    if parser.parse_args().memory:
        memory()
    else:
        times()
        evaluation()
