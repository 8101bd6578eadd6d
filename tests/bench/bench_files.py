"""Time and peak memory of export, import and calls of a large model, beside torch.onnx, onnx.save and onnx.load.

    python tests/bench/bench_files.py [MEGABYTES [ROW ...]]

The model is dense layers of 4096 units, 64 MiB each (500 MB without an argument). Each row runs in a process of its
own; rows may be chosen by words of their names. "two files" has the parameters beside the model (`external_data`).
`anonymous` is the largest memory of the process that no file backs, `resident` that with the pages of mapped files,
which the system may drop, `after` the anonymous memory that stays; all over what the process had before the parameters,
in multiples of the parameters in float32. An exporter holds them once itself, and so does a net that is called.
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
    def _read(process="self"):
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except ProcessLookupError:
            lines = []
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")}
        return {"anonymous": sizes.get("RssAnon", 0), "resident": sum(sizes.values())}


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


def gluonnx_export(folder, external, name="gluonnx.onnx", dtype=None):
    from gluonnx.onnx import export_model

    graph = symbol()
    peak = Peak()
    params = {f"fc{i}_weight": weight(i) for i in range(layers())}
    with peak:
        export_model(
            graph,
            params,
            [(1, UNITS)],
            onnx_file_path=folder / name,
            dynamic=True,
            external_data=external,
            dtype=dtype,
        )
    return peak


def export_one_file(folder):
    return gluonnx_export(folder, False)


def export_two_files(folder):
    return gluonnx_export(folder, True)


def export_halves(folder):
    return gluonnx_export(folder, False, "half.onnx", "float16")


def save_arrays(folder):
    import gluonnx as mx

    peak = Peak()
    params = {f"fc{i}_weight": mx.nd.from_numpy(weight(i), zero_copy=True) for i in range(layers())}
    with peak:
        mx.nd.save(folder / "w.params", params)
    mx.nd.save(folder / "w.safetensors", params)
    symbol().save(folder / "w-symbol.json")
    return peak


def load_arrays(folder):
    import gluonnx as mx

    peak = Peak()
    with peak:
        mx.nd.load(folder / "w.params")
    return peak


def import_params(folder):
    return _imported(folder / "w-symbol.json", ["data"], folder / "w.params")


def import_safetensors(folder):
    return _imported(folder / "w-symbol.json", ["data"], folder / "w.safetensors")


def _imported(*files, is_called=False, is_hybrid=False):
    import gluonnx as mx

    peak = Peak()
    with peak:
        net = mx.gluon.SymbolBlock.imports(*files)
        if is_hybrid:
            net.hybridize()
        if is_called:
            net(mx.nd.ones((1, UNITS))).asnumpy()
    peak.net = net  # so that `after` counts it
    return peak


def import_and_call(folder):
    return _imported(folder / "gluonnx.onnx", is_called=True)


def import_and_call_hybridized(folder):
    return _imported(folder / "gluonnx.onnx", is_called=True, is_hybrid=True)


def ten_hybridized_calls(folder):
    import gluonnx as mx

    before = Peak()
    net = mx.gluon.SymbolBlock.imports(folder / "gluonnx.onnx")
    net.hybridize()
    x = mx.nd.ones((1, UNITS))
    net(x).asnumpy()
    peak = Peak()
    peak.start = before.start
    with peak:
        for _ in range(10):
            net(x).asnumpy()
    return peak


def runtime_session(folder):
    from gluonnx_runtime import Session

    return _run(lambda: Session(folder / "gluonnx.onnx", device="cpu", intra_op_threads=1))


def plain_session(folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1

    def make():
        session = onnxruntime.InferenceSession(folder / "gluonnx.onnx", options, providers=["CPUExecutionProvider"])
        return lambda x: session.run(None, {"data": x})

    return _run(make)


def _run(make):
    peak = Peak()
    with peak:
        session = make()
        session(np.ones((1, UNITS), np.float32))
    peak.session = session
    return peak


def cpp_loader(folder):
    """The command line program of the C++ library; everything counts, it is a process of its own."""
    np.save(folder / "x.npy", np.ones((1, UNITS), np.float32))
    peak = Peak()
    command = [os.environ["GLUONNX_RUN"], folder / "gluonnx.onnx", "--input", f"data={folder / 'x.npy'}"]
    began = time.perf_counter()
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak.start = dict.fromkeys(peak.start, 0)
    peak.top = dict(peak.start)
    while program.poll() is None:
        for name, size in Peak._read(program.pid).items():
            peak.top[name] = max(peak.top[name], size)
        time.sleep(INTERVAL_S)
    peak.seconds = time.perf_counter() - began
    assert program.returncode == 0
    return peak


def verify_model(folder):
    from gluonnx.onnx import verify

    peak = Peak()
    with peak:
        verify(folder / "gluonnx.onnx")
    return peak


def import_model(folder):
    from gluonnx.gluon import SymbolBlock

    peak = Peak()
    with peak:
        net = SymbolBlock.imports(folder / "gluonnx.onnx")
    assert len(net.collect_params()) == layers()
    peak.net = net
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


SESSIONS = [
    ("onnxruntime session and run", plain_session),
    ("gluonnx_runtime session and run", runtime_session),
    ("gluonnx-run (C++)", cpp_loader),
    ("gluonnx verify", verify_model),
]
ROWS = [
    ("gluonnx export, one file", export_one_file),
    ("onnx.save, one file", onnx_save_one_file),
    ("torch.onnx.export, one file", torch_export),
    ("gluonnx export, one file, float16", export_halves),
    ("gluonnx import, one file", import_model),
    ("onnx.load, one file", onnx_load),
    ("import and call on torch, one file", import_and_call),
    ("import and call hybridized, one file", import_and_call_hybridized),
    ("ten more hybridized calls, one file", ten_hybridized_calls),
    *((f"{name}, one file", work) for name, work in SESSIONS),
    ("gluonnx export, two files", export_two_files),
    ("onnx.save, two files", onnx_save_two_files),
    ("gluonnx import, two files", import_model),
    ("onnx.load, two files", onnx_load),
    ("import and call hybridized, two files", import_and_call_hybridized),
    *((f"{name}, two files", work) for name, work in SESSIONS),
    ("nd.save", save_arrays),
    ("nd.load", load_arrays),
    ("import, symbol-json and .params", import_params),
    ("import, symbol-json and safetensors", import_safetensors),
]
WIDTH = 40


def main(megabytes, wanted):
    print(f"{'':<{WIDTH}}{'seconds':>9}{'anonymous':>11}{'resident':>10}{'after':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, work in ROWS:
            if wanted and not any(word in name for word in wanted):
                continue
            if work is cpp_loader and "GLUONNX_RUN" not in os.environ:
                print(f"{name:<{WIDTH}}left out: expected the program in GLUONNX_RUN")
                continue
            done = subprocess.run(
                [sys.executable, __file__, work.__name__, folder],
                env={**os.environ, "MEGABYTES": str(megabytes), "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(f"{name:<{WIDTH}}failed: {done.stderr.strip().splitlines()[-1][:90]}")
                continue
            row = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{name:<{WIDTH}}{row['seconds']:>9.2f}{row['anonymous']:>11.2f}{row['resident']:>10.2f}"
                f"{row['after']:>8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in {work.__name__ for _, work in ROWS}:
        found = {work.__name__: work for _, work in ROWS}[sys.argv[1]](Path(sys.argv[2]))
        size = layers() * LAYER_BYTES
        grown = {name: (found.top[name] - found.start[name]) / size for name in found.top}
        after = (Peak._read()["anonymous"] - found.start["anonymous"]) / size
        print(json.dumps({"seconds": found.seconds, "after": after, **grown}))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES, sys.argv[2:])
