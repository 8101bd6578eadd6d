"""Inference of ResNet-18, ResNet-50 and MobileNet V2 at 224 x 224, batch 1 and 8, one thread, the same weights.

    python tests/bench/bench_inference.py [ROUNDS] [NETWORK ...]

The ways take turns, one call each; the table gives the median time and the median over the rounds of the ratio to a raw
ONNX Runtime session on the exported file. `executor` is the block's graph on torch. The first call of a hybridized
block, which traces, lowers and builds the session, is given apart. With GLUONNX_MXNET_PYTHON naming a Python that has
MXNet 1.9.1, MXNet runs the exported files, hybridized, in a process of its own, in turn with the others.
"""

from __future__ import annotations  # MXNet runs this file in Python 3.8

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

NETWORKS = ("resnet18_v1", "resnet50_v1", "mobilenetv2_1.0")
BATCHES = (1, 8)
SIZE = 224
REFERENCE = "ONNX Runtime"


def images(batch: int) -> np.ndarray:
    """Return (batch, 3, 224, 224)."""
    return np.random.RandomState(batch).uniform(-1, 1, (batch, 3, SIZE, SIZE)).astype("float32")


def timed(call: Callable[[], object]) -> float:
    """Return how long a call takes, in milliseconds."""
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


class MXNet:
    """MXNet in a process of its own, running the exported files of a folder."""

    def __init__(self, python: str, folder: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        self._process = subprocess.Popen(
            [python, __file__, "--serve", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def time_ms(self, network: str, batch: int) -> float:
        """Return how long one call takes."""
        self._process.stdin.write(f"{network} {batch}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def serve(folder: str) -> None:
    """Run calls in MXNet for `MXNet`."""
    import mxnet as mx

    nets = {}
    for line in sys.stdin:
        network, batch = line.split()
        if network not in nets:
            path = f"{folder}/{network}"
            nets[network] = mx.gluon.SymbolBlock.imports(path + "-symbol.json", ["data"], path + "-0000.params")
            nets[network].hybridize(static_alloc=True, static_shape=True)
        x = mx.nd.array(images(int(batch)))
        x.wait_to_read()
        print(timed(lambda net=nets[network], x=x: net(x).wait_to_read()), flush=True)


def prepare(network: str, folder: str):
    """Return the network imperative and hybridized, sharing weights, exported to the folder; tell the first calls."""
    import gluonnx as mx

    net = mx.gluon.model_zoo.vision.get_model(network)
    net.initialize(mx.init.Xavier())
    x = mx.nd.array(images(1))
    first = timed(lambda: net(x))
    twin = mx.gluon.model_zoo.vision.get_model(network, prefix=net.prefix, params=net.collect_params())
    twin.hybridize()
    hybridized = timed(lambda: twin(x))
    twin.export(f"{folder}/{network}")
    print(f"{network}: first call imperative {first:.0f} ms, hybridized {hybridized:.0f} ms")
    return net, twin


def ways_of(network: str, batch: int, nets, folder: str) -> dict[str, Callable[[], float]]:
    """Return what is measured: by name a function that runs once and returns milliseconds."""
    import onnxruntime
    import torch

    import gluonnx as mx
    from gluonnx.symbol.executor import GraphFunction

    net, twin = nets
    x = mx.nd.array(images(batch))
    params = dict(net.collect_params().items())
    function = GraphFunction(twin._trace.output._heads, ["data", *params])
    tensors = [x._t, *(p.data()._t.detach() for p in params.values())]

    def execute() -> object:
        with torch.no_grad():
            return function(tensors)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{folder}/{network}-0000.onnx", options, providers=["CPUExecutionProvider"])
    feeds = {"data": images(batch)}
    expected = session.run(None, feeds)[0]
    for out in (net(x).asnumpy(), twin(x).asnumpy(), execute()[0][0].numpy()):
        np.testing.assert_allclose(out, expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max())
    return {
        REFERENCE: lambda: timed(lambda: session.run(None, feeds)),
        "gluonnx hybridized": lambda: timed(lambda: twin(x)),
        "gluonnx imperative": lambda: timed(lambda: net(x)),
        "executor": lambda: timed(execute),
    }


def main() -> None:
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    networks = sys.argv[2:] or NETWORKS
    python = os.environ.get("GLUONNX_MXNET_PYTHON")
    if not python:
        print("MXNet: not measured, GLUONNX_MXNET_PYTHON names no Python that has it")
    with tempfile.TemporaryDirectory() as folder:
        other = MXNet(python, folder) if python else None
        for network in networks:
            nets = prepare(network, folder)
            for batch in BATCHES:
                ways = ways_of(network, batch, nets, folder)
                if other is not None:
                    ways["MXNet hybridized"] = lambda network=network, batch=batch: other.time_ms(network, batch)
                times: dict[str, list[float]] = {name: [] for name in ways}
                for turn in range(rounds + 2):
                    for name, run in ways.items():
                        value = run()
                        if turn > 1:  # the first two warm up
                            times[name].append(value)
                print(f"{network}, batch {batch}: {rounds} rounds")
                for name, values in times.items():
                    ratio = statistics.median(v / r for v, r in zip(values, times[REFERENCE], strict=True))
                    print(f"  {name:22} {statistics.median(values):9.2f} ms {ratio:7.3f}", flush=True)
        if other is not None:
            other.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        sys.path[:0] = [str(Path(__file__).resolve().parents[2] / p) for p in ("runtime", ".")]
        main()
