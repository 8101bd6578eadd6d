"""What an imperative call adds to bare torch: the 40 operators used most, small and large. One thread, no asserts.

    python tests/bench/bench_eager.py [--rounds 25] [--only NAME] [--all] [--recorded]

The operators are the first 40 of `docs/operator_usage.tsv`; `--all` adds Python's operators, indexing and some more.
Rounds of a torch call and of the same call through gluonnx take turns; printed, in microseconds, are medians over the
rounds: `operator | torch | gluonnx | difference | ratio`, the last two medians of what each round shows. Torch makes
the copy that MXNet's semantics wants (an operator never shares memory with its input). `--recorded` measures inside
`record`, against torch with gradients. With the environment variable GLUONNX_MXNET_PYTHON (a Python that has MXNet
1.9.1), a column for MXNet, waiting for each result.
"""

from __future__ import annotations  # MXNet runs this file in Python 3.8

import argparse
import contextlib
import csv
import functools
import json
import os
import statistics
import subprocess
import sys
import timeit
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[2]
MOST_USED = 40
SIZES = {"small": 4, "large": 1024}
LOOP_S = 4e-4
"""Seconds that one timed loop should take: many short loops find a quiet moment."""

Case = tuple  # (torch call, nd call); MXNet's Python has no `type`

CASES: dict[str, Case] = {
    "Activation": (lambda torch, t: torch.relu(t.a), lambda nd, x: nd.Activation(x.a, act_type="relu")),
    "Convolution": (
        lambda torch, t: torch.nn.functional.conv2d(t.image, t.kernel, None, 1, 1),
        lambda nd, x: nd.Convolution(x.image, x.kernel, kernel=(3, 3), pad=(1, 1), num_filter=8, no_bias=True),
    ),
    "_zeros": (lambda torch, t: torch.zeros((t.n, t.n)), lambda nd, x: nd.zeros((x.n, x.n))),
    "Concat": (lambda torch, t: torch.cat((t.a, t.b), 1), lambda nd, x: nd.concat(x.a, x.b, dim=1)),
    "BatchNorm": (
        lambda torch, t: torch.nn.functional.batch_norm(t.image, t.mean, t.var, t.gamma, t.beta, False, 0.1, 1e-3),
        lambda nd, x: nd.BatchNorm(x.image, x.gamma, x.beta, x.mean, x.var, fix_gamma=False),
    ),
    "Reshape": (lambda torch, t: t.a.reshape(-1), lambda nd, x: x.a.reshape((-1,))),
    "sum": (lambda torch, t: t.a.sum(1), lambda nd, x: x.a.sum(axis=1)),
    "_random_normal": (
        lambda torch, t: torch.empty((t.n, t.n)).normal_(0.0, 1.0, generator=t.generator),
        lambda nd, x: nd.random.normal(0, 1, shape=(x.n, x.n)),
    ),
    "FullyConnected": (
        lambda torch, t: torch.nn.functional.linear(t.a, t.b, t.v),
        lambda nd, x: nd.FullyConnected(x.a, x.b, x.v, num_hidden=x.n),
    ),
    "broadcast_add": (lambda torch, t: t.a + t.row, lambda nd, x: nd.broadcast_add(x.a, x.row)),
    "broadcast_mul": (lambda torch, t: t.a * t.row, lambda nd, x: nd.broadcast_mul(x.a, x.row)),
    "slice_axis": (
        lambda torch, t: t.a.narrow(1, 0, 2).contiguous(),
        lambda nd, x: nd.slice_axis(x.a, axis=1, begin=0, end=2),
    ),
    "_ones": (lambda torch, t: torch.ones((t.n, t.n)), lambda nd, x: nd.ones((x.n, x.n))),
    "dot": (lambda torch, t: torch.mm(t.a, t.b), lambda nd, x: nd.dot(x.a, x.b)),
    "ones_like": (lambda torch, t: torch.ones_like(t.a), lambda nd, x: nd.ones_like(x.a)),
    "log": (lambda torch, t: torch.log(t.a), lambda nd, x: nd.log(x.a)),
    "zeros_like": (lambda torch, t: torch.zeros_like(t.a), lambda nd, x: nd.zeros_like(x.a)),
    "where": (lambda torch, t: torch.where(t.c.to(torch.bool), t.a, t.b), lambda nd, x: nd.where(x.c, x.a, x.b)),
    "Pooling": (
        lambda torch, t: torch.nn.functional.max_pool2d(t.image, 2, 2),
        lambda nd, x: nd.Pooling(x.image, kernel=(2, 2), stride=(2, 2), pool_type="max"),
    ),
    "stack": (lambda torch, t: torch.stack((t.a, t.b), 0), lambda nd, x: nd.stack(x.a, x.b, axis=0)),
    "expand_dims": (lambda torch, t: t.a.unsqueeze(1).clone(), lambda nd, x: nd.expand_dims(x.a, 1)),
    "_arange": (
        lambda torch, t: torch.arange(0, t.n * t.n, 1, dtype=torch.float32),
        lambda nd, x: nd.arange(0, x.n * x.n),
    ),
    "_random_uniform": (
        lambda torch, t: torch.empty((t.n, t.n)).uniform_(0.0, 1.0, generator=t.generator),
        lambda nd, x: nd.random.uniform(0, 1, shape=(x.n, x.n)),
    ),
    "mean": (lambda torch, t: t.a.mean(0), lambda nd, x: x.a.mean(axis=0)),
    "transpose": (lambda torch, t: t.a.t().contiguous(), lambda nd, x: nd.transpose(x.a)),
    "SliceChannel": (
        lambda torch, t: [part.contiguous() for part in t.a.split(t.n // 2, 1)],
        lambda nd, x: nd.split(x.a, num_outputs=2, axis=1),
    ),
    "batch_dot": (lambda torch, t: torch.bmm(t.batch, t.batch), lambda nd, x: nd.batch_dot(x.batch, x.batch)),
    "softmax": (lambda torch, t: torch.softmax(t.a, -1), lambda nd, x: nd.softmax(x.a)),
    "broadcast_div": (lambda torch, t: t.a / t.row, lambda nd, x: nd.broadcast_div(x.a, x.row)),
    "exp": (lambda torch, t: torch.exp(t.a), lambda nd, x: nd.exp(x.a)),
    "SoftmaxOutput": (lambda torch, t: torch.softmax(t.a, -1), lambda nd, x: nd.SoftmaxOutput(x.a, x.label)),
    "_linalg_gemm2": (
        lambda torch, t: torch.mm(t.a, t.b.t()),
        lambda nd, x: nd.linalg.gemm2(x.a, x.b, transpose_b=True),
    ),
    "argmax": (lambda torch, t: t.a.argmax(1).float(), lambda nd, x: x.a.argmax(axis=1)),
    "clip": (lambda torch, t: torch.clamp(t.a, 0, 1), lambda nd, x: x.a.clip(0, 1)),
    "Dropout": (lambda torch, t: t.a.clone(), lambda nd, x: nd.Dropout(x.a, p=0.5)),
    "relu": (lambda torch, t: torch.relu(t.a), lambda nd, x: nd.relu(x.a)),
    "_maximum": (lambda torch, t: torch.maximum(t.a, t.b), lambda nd, x: nd.maximum(x.a, x.b)),
    "squeeze": (lambda torch, t: t.row.squeeze(0).clone(), lambda nd, x: nd.squeeze(x.row, axis=0)),
    "_contrib_BilinearResize2D": (
        lambda torch, t: torch.nn.functional.interpolate(
            t.image, (2 * t.side, 2 * t.side), mode="bilinear", align_corners=True
        ),
        lambda nd, x: nd.contrib.BilinearResize2D(x.image, height=2 * x.side, width=2 * x.side),
    ),
    "sqrt": (lambda torch, t: torch.sqrt(t.a), lambda nd, x: nd.sqrt(x.a)),
}
MORE: dict[str, Case] = {
    "a + b": (lambda torch, t: t.a + t.b, lambda nd, x: x.a + x.b),
    "a - b": (lambda torch, t: t.a - t.b, lambda nd, x: x.a - x.b),
    "a * b": (lambda torch, t: t.a * t.b, lambda nd, x: x.a * x.b),
    "a / b": (lambda torch, t: t.a / t.b, lambda nd, x: x.a / x.b),
    "a + row": (lambda torch, t: t.a + t.row, lambda nd, x: x.a + x.row),
    "a + 1.0": (lambda torch, t: t.a + 1.0, lambda nd, x: x.a + 1.0),
    "1.0 - a": (lambda torch, t: 1.0 - t.a, lambda nd, x: 1.0 - x.a),
    "a ** 2": (lambda torch, t: t.a**2, lambda nd, x: x.a**2),
    "a > b": (lambda torch, t: (t.a > t.b).to(torch.float32), lambda nd, x: x.a > x.b),
    "a += b": (lambda torch, t: t.c.add_(t.b), lambda nd, x: x.c.__iadd__(x.b)),
    "-a": (lambda torch, t: -t.a, lambda nd, x: -x.a),
    "a[0]": (lambda torch, t: t.a[0], lambda nd, x: x.a[0]),
    "a[1:3]": (lambda torch, t: t.a[1:3], lambda nd, x: x.a[1:3]),
    "a[0, 1:2]": (lambda torch, t: t.a[0, 1:2], lambda nd, x: x.a[0, 1:2]),
    "sum()": (lambda torch, t: t.a.sum().reshape(1), lambda nd, x: x.a.sum()),
    "max(axis=1)": (lambda torch, t: t.a.amax(1), lambda nd, x: x.a.max(axis=1)),
    "nd.reshape": (lambda torch, t: t.a.reshape(-1).clone(), lambda nd, x: nd.reshape(x.a, shape=(-1,))),
    "Flatten": (lambda torch, t: t.a.flatten(1).clone(), lambda nd, x: nd.Flatten(x.a)),
    "astype": (lambda torch, t: t.a.to(torch.float64), lambda nd, x: x.a.astype("float64")),
    "log_softmax": (lambda torch, t: torch.log_softmax(t.a, -1), lambda nd, x: nd.log_softmax(x.a)),
    "pick": (lambda torch, t: t.a.gather(1, t.index)[:, 0], lambda nd, x: nd.pick(x.a, x.label)),
    "take": (lambda torch, t: t.a.index_select(0, t.index[:, 0]), lambda nd, x: nd.take(x.a, x.label)),
    "Embedding": (
        lambda torch, t: torch.nn.functional.embedding(t.index[:, 0], t.a),
        lambda nd, x: nd.Embedding(x.label, x.a, input_dim=x.n, output_dim=x.n),
    ),
    "one_hot": (
        lambda torch, t: torch.nn.functional.one_hot(t.index[:, 0], t.n).float(),
        lambda nd, x: nd.one_hot(x.label, x.n),
    ),
    "topk": (lambda torch, t: t.a.topk(2)[1].float(), lambda nd, x: nd.topk(x.a, k=2)),
}


class Arrays:
    """The arrays of one size, made by `ones` and `zeros` of either library."""

    def __init__(self, n: int, ones: Callable[..., Any], zeros: Callable[..., Any]) -> None:
        self.n = n
        self.side = max(n // 8, 4)
        self.index: Any = None
        self.generator: Any = None
        self.a, self.b, self.c = ones((n, n)), ones((n, n)), ones((n, n))
        self.row, self.v, self.label = ones((1, n)), ones((n,)), zeros((n,))
        self.image, self.kernel = ones((8, 8, self.side, self.side)), ones((8, 8, 3, 3))
        self.gamma, self.beta, self.mean, self.var = ones((8,)), zeros((8,)), zeros((8,)), ones((8,))
        self.batch = ones((16, n // 4, n // 4))


def most_used() -> list[str]:
    """Return the operators that real programs call most, in order."""
    with (ROOT / "docs" / "operator_usage.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return [row["operator"] for row in rows[:MOST_USED]]


def times_to_call(call: Callable[[], Any]) -> int:
    """Return how often a timed loop calls."""
    call()
    once = max(timeit.timeit(call, number=3) / 3, 1e-8)
    return max(int(LOOP_S / once), 1)


def side_by_side(calls: list[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Return the times of each call, in microseconds, of rounds that take turns."""
    numbers = [times_to_call(call) for call in calls]
    timers = [timeit.Timer(call) for call in calls]
    found: list[list[float]] = [[] for _ in calls]
    order = list(zip(timers, numbers, found))  # noqa: B905 - Python 3.8
    for _ in range(rounds):
        for timer, number, taken in order:
            taken.append(timer.timeit(number) / number * 1e6)
        order.reverse()
    return found


def of_mxnet(rounds: int) -> None:
    """Print MXNet's times by `size/operator` as JSON; runs in MXNet's Python."""
    from mxnet import nd

    found = {}
    for size, n in SIZES.items():
        x = Arrays(n, nd.ones, nd.zeros)
        for name, (_, call) in {**CASES, **MORE}.items():
            times = side_by_side([functools.partial(_waiting, call, nd, x)], rounds)[0]
            found[f"{size}/{name}"] = statistics.median(times)
    print(json.dumps(found))


def _waiting(call: Callable[..., Any], nd: Any, x: Arrays) -> None:
    result = call(nd, x)
    for array in result if isinstance(result, list) else [result]:
        array.wait_to_read()


def ask_mxnet(python: str, rounds: int) -> dict[str, float]:
    """Run this file in MXNet's Python."""
    command = [python, "-W", "ignore", __file__, "--mxnet", "--rounds", str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--only", default="", help="operators whose name has this in it")
    parser.add_argument("--all", action="store_true", help="more than the operators used most")
    parser.add_argument("--size", choices=list(SIZES), help="one size only")
    parser.add_argument("--recorded", action="store_true", help="inside `record`, from variables")
    parser.add_argument("--mxnet", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mxnet:
        of_mxnet(options.rounds)
        return
    sys.path.insert(0, str(ROOT))
    import torch

    from gluonnx import autograd, nd

    torch.set_num_threads(1)
    python = os.environ.get("GLUONNX_MXNET_PYTHON")
    mxnet = ask_mxnet(python, options.rounds) if python else {}
    cases = {name: CASES[name] for name in most_used()}
    if options.all:
        cases.update(MORE)
    for size, n in SIZES.items():
        if options.size not in (None, size):
            continue
        x = Arrays(n, nd.ones, nd.zeros)
        t = Arrays(n, torch.ones, torch.zeros)
        t.index = torch.zeros((n, 1), dtype=torch.int64)
        t.generator = torch.Generator()
        if options.recorded:
            for name in ("a", "b", "image", "kernel", "batch", "row"):
                getattr(x, name).attach_grad()
                getattr(t, name).requires_grad_()
        print(f"\n{size}: {n} x {n}, microseconds a call; load {os.getloadavg()[0]:.1f}")
        print(f"{'operator':26s}{'torch':>10s}{'gluonnx':>10s}{'difference':>12s}{'ratio':>8s}", end="")
        print(f"{'MXNet' if mxnet else '':>10s}")
        added, ratios = [], []
        for name, (bare, call) in cases.items():
            if options.only not in name:
                continue
            if options.recorded and name == "a += b":
                continue
            pair = [functools.partial(bare, torch, t), functools.partial(call, nd, x)]
            with autograd.record() if options.recorded else contextlib.nullcontext():
                rounds = side_by_side(pair, options.rounds)
            theirs, through = (statistics.median(times) for times in rounds)
            added.append(statistics.median(ours - bare for bare, ours in zip(*rounds, strict=True)))
            ratios.append(statistics.median(ours / bare for bare, ours in zip(*rounds, strict=True)))
            other = f"{mxnet[f'{size}/{name}']:10.2f}" if mxnet else ""
            print(f"{name:26s}{theirs:10.2f}{through:10.2f}{added[-1]:12.2f}{ratios[-1]:8.3f}{other}")
        if added:
            print(
                f"median difference {statistics.median(added):.2f}, {sum(d < 1.0 for d in added)} of {len(added)} "
                f"under 1 us; median ratio {statistics.median(ratios):.3f}, {sum(r <= 1.05 for r in ratios)} of "
                f"{len(ratios)} up to 1.05"
            )


if __name__ == "__main__":
    main()
