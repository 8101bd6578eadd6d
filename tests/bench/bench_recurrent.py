"""Recurrent layers against torch's own: milliseconds for a call and for a step with gradients.

    python tests/bench/bench_recurrent.py

One thread; the least of several rounds, the ways taken in turn. The layers are those of a small language model (2 x 200
units, 35 steps, batch 32) and, in microseconds, a tiny one whose time is that of calling it.
"""

import time

import torch

import gluonnx as mx

ROUNDS = 12
SIZES = {"2x200": (35, 32, 200, 2), "tiny": (3, 2, 8, 1)}
KINDS = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}


def ways(kind, size):
    """Return functions by name: call, and step, of torch, gluonnx and gluonnx hybridized."""
    steps, batch, units, layers = SIZES[size]
    data = torch.randn(steps, batch, units)
    theirs = KINDS[kind](units, units, layers)
    array = mx.nd.array(data.numpy())
    ours = getattr(mx.gluon.rnn, kind)(units, layers, input_size=units)
    hybrid = mx.gluon.nn.HybridSequential()
    hybrid.add(getattr(mx.gluon.rnn, kind)(units, layers, input_size=units))
    for net in (ours, hybrid):
        net.initialize()
        net(array)
    hybrid.hybridize()

    def torch_call():
        with torch.no_grad():
            theirs(data)

    def torch_step():
        theirs.zero_grad()
        theirs(data)[0].sum().backward()

    def step_of(net):
        def step():
            with mx.autograd.record():
                out = net(array).sum()
            out.backward()

        return step

    calls = {"torch": torch_call, "gluonnx": lambda: ours(array), "hybridized": lambda: hybrid(array)}
    return calls, {"torch": torch_step, "gluonnx": step_of(ours), "hybridized": step_of(hybrid)}


def main():
    torch.set_num_threads(1)
    for size in SIZES:
        repeat, unit = (1, "ms") if size == "2x200" else (50, "us")
        for kind in KINDS:
            for what, runs in zip(("call", "step"), ways(kind, size), strict=True):
                best = dict.fromkeys(runs, float("inf"))
                for _ in range(ROUNDS):
                    for name, run in runs.items():
                        start = time.perf_counter()
                        for _ in range(repeat):
                            run()
                        best[name] = min(best[name], (time.perf_counter() - start) / repeat)
                scale = 1e3 if unit == "ms" else 1e6
                print(f"{kind} {size} {what}: " + ", ".join(f"{n} {t * scale:.1f} {unit}" for n, t in best.items()))


if __name__ == "__main__":
    main()
