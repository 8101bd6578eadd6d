"""Time and peak memory of export and import of a large model, beside torch.onnx and onnx.save / onnx.load.

    python tests/bench/bench_files.py [MEGABYTES]

The model is dense layers of 4096 units, 64 MiB each (500 MB without an argument). Each row runs in a process of its
own. "two files" has the parameters beside the model (`external_data`). `anonymous` is the largest memory of the process
that no file backs, `resident` that with the pages of mapped files, which the system may drop; both over what the
process had before the parameters, in multiples of the parameters. An exporter holds them once itself; gluonnx's import
gives parameters with their gradients.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

UNITS = 4096
LAYER_BYTES = UNITS * UNITS * 4
MEGABYTES = 500
INTERVAL_S = 0.003


class Peak:
    """The largest memory of this process while the block runs, over what it was at `start`."""

    def __init__(self):
        self.start = self._read()
        self.top = dict(self.start)
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *error):
        self.seconds = time.perf_counter() - self._began
        self._is_done.set()
        self._thread.join()

    def _watch(self):
        while not self._is_done.wait(INTERVAL_S):
            for name, size in self._read().items():
                self.top[name] = max(self.top[name], size)

    @staticmethod
    def _read():
        lines = Path("/proc/self/status").read_text().splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")}
        return {"anonymous": sizes["RssAnon"], "resident": sum(sizes.values())}


def layers():
    return max(1, round(int(os.environ["MEGABYTES"]) * 1e6 / LAYER_BYTES))


def weight(layer):
    rng = np.random.default_rng(layer)
    return rng.standard_normal((UNITS, UNITS), np.float32) * np.float32(UNITS**-0.5)


def symbol():
    import gluonnx as mx

    out = mx.sym.var("data")
    for i in range(layers()):
        out = mx.sym.FullyConnected(out, num_hidden=UNITS, no_bias=True, name=f"fc{i}")
    return out


def gluonnx_export(folder, external):
    from gluonnx.onnx import export_model

    graph = symbol()
    peak = Peak()
    params = {f"fc{i}_weight": weight(i) for i in range(layers())}
    with peak:
        export_model(
            graph, params, [(1, UNITS)], onnx_file_path=folder / "gluonnx.onnx", dynamic=True, external_data=external
        )
    return peak


def export_one_file(folder):
    return gluonnx_export(folder, False)


def export_two_files(folder):
    return gluonnx_export(folder, True)


def import_model(folder):
    from gluonnx.gluon import SymbolBlock

    peak = Peak()
    with peak:
        net = SymbolBlock.imports(folder / "gluonnx.onnx")
    assert len(net.collect_params()) == layers()
    return peak


def torch_export(folder):
    import torch

    peak = Peak()
    net = torch.nn.Sequential(*(torch.nn.Linear(UNITS, UNITS, bias=False) for _ in range(layers())))
    for i, layer in enumerate(net):
        layer.weight.data = torch.from_numpy(weight(i))
    with peak, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(1, UNITS),),
            str(folder / "torch.onnx"),
            dynamo=False,
            dynamic_axes={"x": {0: "batch"}},
            input_names=["x"],
        )
    return peak


def onnx_save(folder, **options):
    import onnx

    peak = Peak()
    model = onnx.load(folder / "gluonnx.onnx")
    with peak:
        onnx.save(model, folder / "saved.onnx", **options)
    return peak


def onnx_save_one_file(folder):
    return onnx_save(folder)


def onnx_save_two_files(folder):
    return onnx_save(folder, save_as_external_data=True, location="saved.data")


def onnx_load(folder):
    import onnx

    peak = Peak()
    with peak:
        onnx.load(folder / "gluonnx.onnx")
    return peak


ROWS = [
    ("gluonnx export, one file", export_one_file),
    ("gluonnx import, one file", import_model),
    ("onnx.load, one file", onnx_load),
    ("onnx.save, one file", onnx_save_one_file),
    ("torch.onnx.export, one file", torch_export),
    ("gluonnx export, two files", export_two_files),
    ("gluonnx import, two files", import_model),
    ("onnx.load, two files", onnx_load),
    ("onnx.save, two files", onnx_save_two_files),
]


def main(megabytes):
    print(f"{'':<30}{'seconds':>9}{'anonymous':>11}{'resident':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, work in ROWS:
            done = subprocess.run(
                [sys.executable, __file__, work.__name__, folder],
                env={**os.environ, "MEGABYTES": str(megabytes), "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(f"{name:<30}failed: {done.stderr.strip().splitlines()[-1][:90]}")
                continue
            row = json.loads(done.stdout.splitlines()[-1])
            print(f"{name:<30}{row['seconds']:>9.2f}{row['anonymous']:>11.2f}{row['resident']:>10.2f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        found = {work.__name__: work for _, work in ROWS}[sys.argv[1]](Path(sys.argv[2]))
        size = layers() * LAYER_BYTES
        grown = {name: (found.top[name] - found.start[name]) / size for name in found.top}
        print(json.dumps({"seconds": found.seconds, **grown}))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else MEGABYTES)
