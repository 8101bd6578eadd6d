"""What an imperative call adds to bare torch: the 40 operators used most, small and large. One thread, no asserts.

    python tests/bench/bench_eager.py [--repeat 40] [--only NAME]

Prints `operator | torch | gluonnx | difference`, in microseconds, the least of many repeats. With the environment
variable GLUONNX_MXNET_PYTHON (a Python that has MXNet 1.9.1), a column for MXNet, waiting for each result.
"""

from __future__ import annotations  # MXNet runs this file in Python 3.8

import argparse
import functools
import json
import os
import subprocess
import sys
import timeit
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

SIZES = {"small": 4, "large": 256}
LOOP_S = 2e-4
"""Seconds that one timed loop should take: many short loops find a quiet moment."""

CASES = (
    ("a + b", lambda torch, t: t.a + t.b, lambda nd, x: x.a + x.b),
    ("a - b", lambda torch, t: t.a - t.b, lambda nd, x: x.a - x.b),
    ("a * b", lambda torch, t: t.a * t.b, lambda nd, x: x.a * x.b),
    ("a / b", lambda torch, t: t.a / t.b, lambda nd, x: x.a / x.b),
    ("a + row", lambda torch, t: t.a + t.row, lambda nd, x: x.a + x.row),
    ("a + 1.0", lambda torch, t: t.a + 1.0, lambda nd, x: x.a + 1.0),
    ("1.0 - a", lambda torch, t: 1.0 - t.a, lambda nd, x: 1.0 - x.a),
    ("a ** 2", lambda torch, t: t.a**2, lambda nd, x: x.a**2),
    ("a > b", lambda torch, t: (t.a > t.b).to(torch.float32), lambda nd, x: x.a > x.b),
    ("a += b", lambda torch, t: t.c.add_(t.b), lambda nd, x: x.c.__iadd__(x.b)),
    ("-a", lambda torch, t: -t.a, lambda nd, x: -x.a),
    ("a[0]", lambda torch, t: t.a[0], lambda nd, x: x.a[0]),
    ("a[1:3]", lambda torch, t: t.a[1:3], lambda nd, x: x.a[1:3]),
    ("a[0, 1:2]", lambda torch, t: t.a[0, 1:2], lambda nd, x: x.a[0, 1:2]),
    ("relu", lambda torch, t: torch.relu(t.a), lambda nd, x: nd.relu(x.a)),
    ("sigmoid", lambda torch, t: torch.sigmoid(t.a), lambda nd, x: nd.sigmoid(x.a)),
    ("tanh", lambda torch, t: torch.tanh(t.a), lambda nd, x: nd.tanh(x.a)),
    ("exp", lambda torch, t: torch.exp(t.a), lambda nd, x: nd.exp(x.a)),
    ("square", lambda torch, t: torch.square(t.a), lambda nd, x: x.a.square()),
    ("clip", lambda torch, t: torch.clamp(t.a, 0, 1), lambda nd, x: x.a.clip(0, 1)),
    ("sum()", lambda torch, t: t.a.sum().reshape(1), lambda nd, x: x.a.sum()),
    ("sum(axis=1)", lambda torch, t: t.a.sum(1), lambda nd, x: x.a.sum(axis=1)),
    ("mean(axis=0)", lambda torch, t: t.a.mean(0), lambda nd, x: x.a.mean(axis=0)),
    ("max(axis=1)", lambda torch, t: t.a.amax(1), lambda nd, x: x.a.max(axis=1)),
    ("argmax(axis=1)", lambda torch, t: t.a.argmax(1).float(), lambda nd, x: x.a.argmax(axis=1)),
    ("reshape", lambda torch, t: t.a.reshape(-1), lambda nd, x: x.a.reshape((-1,))),
    ("nd.reshape", lambda torch, t: t.a.reshape(-1).clone(), lambda nd, x: nd.reshape(x.a, shape=(-1,))),
    ("transpose", lambda torch, t: t.a.t().contiguous(), lambda nd, x: nd.transpose(x.a)),
    ("expand_dims(a, 1)", lambda torch, t: t.a.unsqueeze(1).clone(), lambda nd, x: nd.expand_dims(x.a, 1)),
    ("Flatten", lambda torch, t: t.a.flatten(1).clone(), lambda nd, x: nd.Flatten(x.a)),
    ("concat", lambda torch, t: torch.cat((t.a, t.b), 1), lambda nd, x: nd.concat(x.a, x.b, dim=1)),
    ("cast", lambda torch, t: t.a.to(torch.float64), lambda nd, x: x.a.astype("float64")),
    ("dot", lambda torch, t: torch.mm(t.a, t.b), lambda nd, x: nd.dot(x.a, x.b)),
    (
        "FullyConnected",
        lambda torch, t: torch.nn.functional.linear(t.a, t.b, t.v),
        lambda nd, x: nd.FullyConnected(x.a, x.b, x.v, num_hidden=x.n),
    ),
    ("Activation", lambda torch, t: torch.relu(t.a), lambda nd, x: nd.Activation(x.a, act_type="relu")),
    (
        "Convolution",
        lambda torch, t: torch.nn.functional.conv2d(t.image, t.kernel, None, 1, 1),
        lambda nd, x: nd.Convolution(x.image, x.kernel, kernel=(3, 3), pad=(1, 1), num_filter=4, no_bias=True),
    ),
    (
        "Pooling",
        lambda torch, t: torch.nn.functional.max_pool2d(t.image, 2, 2),
        lambda nd, x: nd.Pooling(x.image, kernel=(2, 2), stride=(2, 2), pool_type="max"),
    ),
    (
        "BatchNorm",
        lambda torch, t: torch.nn.functional.batch_norm(t.image, t.mean, t.var, t.gamma, t.beta, False, 0.1, 1e-3),
        lambda nd, x: nd.BatchNorm(x.image, x.gamma, x.beta, x.mean, x.var, fix_gamma=False),
    ),
    ("Dropout", lambda torch, t: t.a.clone(), lambda nd, x: nd.Dropout(x.a, p=0.5)),
    ("softmax", lambda torch, t: torch.softmax(t.a, -1), lambda nd, x: nd.softmax(x.a)),
    ("log_softmax", lambda torch, t: torch.log_softmax(t.a, -1), lambda nd, x: nd.log_softmax(x.a)),
    ("SoftmaxOutput", lambda torch, t: torch.softmax(t.a, -1), lambda nd, x: nd.SoftmaxOutput(x.a, x.label)),
    ("pick", lambda torch, t: t.a.gather(1, t.index)[:, 0], lambda nd, x: nd.pick(x.a, x.label)),
)


class Arrays:
    """The arrays of one size, made by `ones` and `zeros` of either library."""

    def __init__(self, n: int, ones: Callable[..., Any], zeros: Callable[..., Any]) -> None:
        side = max(n // 8, 4)
        self.n = n
        self.index: Any = None
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


def of_mxnet(repeat: int) -> None:
    """Print MXNet's times by `size/operator` as JSON; runs in MXNet's Python."""
    from mxnet import nd

    found = {}
    for size, n in SIZES.items():
        x = Arrays(n, nd.ones, nd.zeros)
        for name, _, call in CASES:
            found[f"{size}/{name}"] = microseconds(functools.partial(_waiting, call, nd, x), repeat)
    print(json.dumps(found))


def _waiting(call: Callable[..., Any], nd: Any, x: Arrays) -> None:
    call(nd, x).wait_to_read()


def ask_mxnet(python: str, repeat: int) -> dict[str, float]:
    """Run this file in MXNet's Python."""
    command = [python, "-W", "ignore", __file__, "--mxnet", "--repeat", str(repeat)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=40)
    parser.add_argument("--only", default="", help="operators whose name has this in it")
    parser.add_argument("--mxnet", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mxnet:
        of_mxnet(options.repeat)
        return
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import torch

    from gluonnx import nd

    torch.set_num_threads(1)
    python = os.environ.get("GLUONNX_MXNET_PYTHON")
    mxnet = ask_mxnet(python, options.repeat) if python else {}
    for size, n in SIZES.items():
        x = Arrays(n, nd.ones, nd.zeros)
        t = Arrays(n, torch.ones, torch.zeros)
        t.index = torch.zeros((n, 1), dtype=torch.int64)
        print(f"\n{size}: {n} x {n}, microseconds a call")
        print(f"{'operator':20s}{'torch':>10s}{'gluonnx':>10s}{'difference':>12s}{'MXNet' if mxnet else '':>10s}")
        added = []
        for name, bare, call in CASES:
            if options.only not in name:
                continue
            theirs = microseconds(functools.partial(bare, torch, t), options.repeat)
            through = microseconds(functools.partial(call, nd, x), options.repeat)
            added.append(through - theirs)
            other = f"{mxnet[f'{size}/{name}']:10.2f}" if mxnet else ""
            print(f"{name:20s}{theirs:10.2f}{through:10.2f}{through - theirs:12.2f}{other}")
        if added:
            print(f"median difference {sorted(added)[len(added) // 2]:.2f}")


if __name__ == "__main__":
    main()
