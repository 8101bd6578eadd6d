"""What an imperative call adds to bare torch: the 40 operators used most, small and large. One thread, no asserts.

    python tests/bench/bench_eager.py [--repeat 40] [--only NAME]

Prints `operator | torch | gluonnx | difference`, in microseconds, the least of many repeats. With the environment
variable GLUONNX_MXNET_PYTHON (a Python that has MXNet 1.9.1), a column for MXNet, waiting for each result.
"""

import argparse
import json
import os
import subprocess
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.nn import functional as F

SIZES = {"small": 4, "large": 256}
LOOP_S = 2e-4
"""Seconds that one timed loop should take: many short loops find a quiet moment."""

Case = tuple[str, Callable[..., Any], str]
CASES: tuple[Case, ...] = (
    ("a + b", lambda t: t.a + t.b, "x.a + x.b"),
    ("a - b", lambda t: t.a - t.b, "x.a - x.b"),
    ("a * b", lambda t: t.a * t.b, "x.a * x.b"),
    ("a / b", lambda t: t.a / t.b, "x.a / x.b"),
    ("a + row", lambda t: t.a + t.row, "x.a + x.row"),
    ("a + 1.0", lambda t: t.a + 1.0, "x.a + 1.0"),
    ("1.0 - a", lambda t: 1.0 - t.a, "1.0 - x.a"),
    ("a ** 2", lambda t: t.a**2, "x.a ** 2"),
    ("a > b", lambda t: (t.a > t.b).to(torch.float32), "x.a > x.b"),
    ("a += b", lambda t: t.c.add_(t.b), "x.c.__iadd__(x.b)"),
    ("-a", lambda t: -t.a, "-x.a"),
    ("a[0]", lambda t: t.a[0], "x.a[0]"),
    ("a[1:3]", lambda t: t.a[1:3], "x.a[1:3]"),
    ("a[0, 1:2]", lambda t: t.a[0, 1:2], "x.a[0, 1:2]"),
    ("relu", lambda t: torch.relu(t.a), "nd.relu(x.a)"),
    ("sigmoid", lambda t: torch.sigmoid(t.a), "nd.sigmoid(x.a)"),
    ("tanh", lambda t: torch.tanh(t.a), "nd.tanh(x.a)"),
    ("exp", lambda t: torch.exp(t.a), "nd.exp(x.a)"),
    ("square", lambda t: torch.square(t.a), "x.a.square()"),
    ("clip", lambda t: torch.clamp(t.a, 0, 1), "x.a.clip(0, 1)"),
    ("sum()", lambda t: t.a.sum().reshape(1), "x.a.sum()"),
    ("sum(axis=1)", lambda t: t.a.sum(1), "x.a.sum(axis=1)"),
    ("mean(axis=0)", lambda t: t.a.mean(0), "x.a.mean(axis=0)"),
    ("max(axis=1)", lambda t: t.a.amax(1), "x.a.max(axis=1)"),
    ("argmax(axis=1)", lambda t: t.a.argmax(1).float(), "x.a.argmax(axis=1)"),
    ("reshape", lambda t: t.a.reshape(-1), "x.a.reshape((-1,))"),
    ("nd.reshape", lambda t: t.a.reshape(-1).clone(), "nd.reshape(x.a, shape=(-1,))"),
    ("transpose", lambda t: t.a.t().contiguous(), "nd.transpose(x.a)"),
    ("expand_dims(a, 1)", lambda t: t.a.unsqueeze(1).clone(), "nd.expand_dims(x.a, 1)"),
    ("Flatten", lambda t: t.a.flatten(1).clone(), "nd.Flatten(x.a)"),
    ("concat", lambda t: torch.cat((t.a, t.b), 1), "nd.concat(x.a, x.b, dim=1)"),
    ("cast", lambda t: t.a.to(torch.float64), "x.a.astype('float64')"),
    ("dot", lambda t: torch.mm(t.a, t.b), "nd.dot(x.a, x.b)"),
    ("FullyConnected", lambda t: F.linear(t.a, t.b, t.v), "nd.FullyConnected(x.a, x.b, x.v, num_hidden=x.n)"),
    ("Activation", lambda t: torch.relu(t.a), "nd.Activation(x.a, act_type='relu')"),
    (
        "Convolution",
        lambda t: F.conv2d(t.image, t.kernel, None, 1, 1),
        "nd.Convolution(x.image, x.kernel, kernel=(3, 3), pad=(1, 1), num_filter=4, no_bias=True)",
    ),
    (
        "Pooling",
        lambda t: F.max_pool2d(t.image, 2, 2),
        "nd.Pooling(x.image, kernel=(2, 2), stride=(2, 2), pool_type='max')",
    ),
    (
        "BatchNorm",
        lambda t: F.batch_norm(t.image, t.mean, t.var, t.gamma, t.beta, False, 0.1, 1e-3),
        "nd.BatchNorm(x.image, x.gamma, x.beta, x.mean, x.var, fix_gamma=False)",
    ),
    ("Dropout", lambda t: t.a.clone(), "nd.Dropout(x.a, p=0.5)"),
    ("softmax", lambda t: torch.softmax(t.a, -1), "nd.softmax(x.a)"),
    ("log_softmax", lambda t: torch.log_softmax(t.a, -1), "nd.log_softmax(x.a)"),
    ("SoftmaxOutput", lambda t: torch.softmax(t.a, -1), "nd.SoftmaxOutput(x.a, x.label)"),
    ("pick", lambda t: t.a.gather(1, t.index)[:, 0], "nd.pick(x.a, x.label)"),
)


class Arrays:
    """The arrays of one size, made by `ones` and `zeros` of either library."""

    def __init__(self, n: int, ones: Callable[..., Any], zeros: Callable[..., Any]) -> None:
        side = max(n // 8, 4)
        self.n = n
        self.a, self.b, self.c = ones((n, n)), ones((n, n)), ones((n, n))
        self.row, self.v, self.label = ones((1, n)), ones((n,)), zeros((n,))
        self.image, self.kernel = ones((2, 4, side, side)), ones((4, 4, 3, 3))
        self.gamma, self.beta, self.mean, self.var = ones((4,)), zeros((4,)), zeros((4,)), ones((4,))


def microseconds(call: Callable[[], Any], repeat: int) -> float:
    """Least time of one call."""
    timer = timeit.Timer(call)
    call()
    once = max(timer.timeit(3) / 3, 1e-8)
    number = max(int(LOOP_S / once), 1)
    return min(timer.repeat(repeat, number)) / number * 1e6


def compiled(source: str, nd: Any, x: Arrays, wait: str = "") -> Callable[[], Any]:
    """The expression as a function of no arguments."""
    call: Callable[[], Any] = eval(f"lambda: ({source}){wait}", {"nd": nd, "x": x})  # our own text
    return call


def of_mxnet(python: str, repeat: int) -> dict[str, float]:
    """MXNet's times by `size/operator`, from its own Python: it runs this file's text of expressions."""
    script = (
        "import json, sys, timeit, mxnet as mx\n"
        "nd = mx.nd\n"
        "class X: pass\n"
        "found = {}\n"
        "for size, n in json.loads(sys.argv[1]).items():\n"
        "    x = X(); side = max(n // 8, 4); x.n = n\n"
        "    x.a, x.b, x.c = nd.ones((n, n)), nd.ones((n, n)), nd.ones((n, n))\n"
        "    x.row, x.v, x.label = nd.ones((1, n)), nd.ones((n,)), nd.zeros((n,))\n"
        "    x.image, x.kernel = nd.ones((2, 4, side, side)), nd.ones((4, 4, 3, 3))\n"
        "    x.gamma, x.beta, x.mean, x.var = nd.ones((4,)), nd.zeros((4,)), nd.zeros((4,)), nd.ones((4,))\n"
        "    for name, source in json.loads(sys.argv[2]):\n"
        "        call = eval('lambda: (' + source + ').wait_to_read()', {'nd': nd, 'x': x})\n"
        "        call(); timer = timeit.Timer(call); once = timer.timeit(3) / 3; number = max(int(2e-4 / once), 1)\n"
        "        found[size + '/' + name] = min(timer.repeat(int(sys.argv[3]), number)) / number * 1e6\n"
        "print(json.dumps(found))\n"
    )
    arguments = [json.dumps(SIZES), json.dumps([(name, source) for name, _, source in CASES]), str(repeat)]
    done = subprocess.run(
        [python, "-W", "ignore", "-c", script, *arguments], capture_output=True, text=True, check=True, env=os.environ
    )
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=40)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from gluonnx import nd

    torch.set_num_threads(1)
    python = os.environ.get("GLUONNX_MXNET_PYTHON")
    mxnet = of_mxnet(python, options.repeat) if python else {}
    for size, n in SIZES.items():
        ours = Arrays(n, nd.ones, nd.zeros)
        bare = Arrays(n, torch.ones, torch.zeros)
        bare.index = torch.zeros((n, 1), dtype=torch.int64)  # type: ignore[attr-defined]
        print(f"\n{size}: {n} x {n}, microseconds a call")
        print(f"{'operator':20s}{'torch':>10s}{'gluonnx':>10s}{'difference':>12s}{'MXNet' if mxnet else '':>10s}")
        added = []
        for name, of_torch, source in CASES:
            if options.only not in name:
                continue
            theirs = microseconds(lambda call=of_torch: call(bare), options.repeat)
            through = microseconds(compiled(source, nd, ours), options.repeat)
            added.append(through - theirs)
            other = f"{mxnet[f'{size}/{name}']:10.2f}" if mxnet else ""
            print(f"{name:20s}{theirs:10.2f}{through:10.2f}{through - theirs:12.2f}{other}")
        print(f"median difference {sorted(added)[len(added) // 2]:.2f}")


if __name__ == "__main__":
    main()
