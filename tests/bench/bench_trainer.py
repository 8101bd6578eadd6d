"""Trainer.step against torch.optim on the parameters of a LeNet, without the backward: microseconds for a step.

    python tests/bench/bench_trainer.py

One thread; the least of several rounds, ours and torch's taken in turn.
"""

import time

import torch

import gluonnx as mx

SHAPES = [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 256), (120,), (84, 120), (84,), (10, 84), (10,)]
ROUNDS = 30
STEPS = 50
CASES = [
    ("sgd", {"learning_rate": 0.01, "momentum": 0.9, "wd": 1e-4}, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    ("adam", {"learning_rate": 0.001}, torch.optim.Adam, {"lr": 0.001}),
]


def ours(kind, arguments):
    params = []
    for i, shape in enumerate(SHAPES):
        param = mx.gluon.Parameter(f"p{i}_weight", shape=shape)
        param.initialize(mx.init.Uniform(0.1))
        param.grad()[:] = 0.01
        params.append(param)
    trainer = mx.gluon.Trainer(params, kind, arguments)
    leaves = [param.data()._leaf for param in params]

    def step():
        for leaf in leaves:
            leaf.is_fresh = True
        trainer.step(64)

    return step


def theirs(make, arguments):
    params = [torch.nn.Parameter(torch.rand(s) * 0.1) for s in SHAPES]
    for param in params:
        param.grad = torch.full_like(param, 0.01)
    return make(params, **arguments).step


def main():
    torch.set_num_threads(1)
    for kind, arguments, make, torch_arguments in CASES:
        runs = {"gluonnx": ours(kind, arguments)}
        for way in ("foreach", "fused"):
            runs[f"torch {way}"] = theirs(make, {**torch_arguments, way: True})
        best = dict.fromkeys(runs, float("inf"))
        for _ in range(ROUNDS):
            for name, step in runs.items():
                start = time.perf_counter()
                for _ in range(STEPS):
                    step()
                best[name] = min(best[name], (time.perf_counter() - start) / STEPS)
        print(kind, "  ".join(f"{name} {seconds * 1e6:.1f} us" for name, seconds in best.items()))


main()
