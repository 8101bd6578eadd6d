"""Damaged files: every reader gives a FormatError or a valid result, and its memory stays bounded.

    python tests/bench/fuzz_files.py [SECONDS]

For each kind of file a small one is written, and every truncation of it and flips of every byte (one bit, all bits, 0,
255) are read, in a random order until all are done or the seconds (default 20) of that kind are over. A row counts the
reads, the valid results and the errors. `memory` is the largest that Python held during a read beyond what it held
before, in kilobytes. Exit 1 after any other error, a crash, or a read of more than 32 MB or 5 seconds.
"""

import base64
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import gluonnx as mx
from gluonnx.errors import FileAccessError, FormatError, MXNetError
from gluonnx.gluon import SymbolBlock, nn
from gluonnx.onnx import export_model, verify

SECONDS = 20
LIMIT_BYTES = 32 << 20
LIMIT_S = 5


def symbol():
    with mx.AttrScope(ctx_group="a"):
        return mx.sym.softmax(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc"), name="out")


def arrays():
    return {
        "arg:fc_weight": mx.nd.array(np.arange(6).reshape(2, 3)),
        "arg:fc_bias": mx.nd.ones((2,)),
        "aux:half": mx.nd.ones((3,), dtype="float16"),
        "bools": mx.nd.array([True, False], dtype="bool"),
    }


def write_params(path):
    sparse = {"rows": mx.nd.ones((4, 2)).tostype("row_sparse"), "csr": mx.nd.ones((2, 3)).tostype("csr")}
    mx.nd.save(str(path), {**arrays(), **sparse})


def write_safetensors(path):
    mx.nd.save(str(path), arrays())


def write_symbol(path):
    symbol().save(str(path))


def write_onnx(path):
    params = {n: a for n, a in arrays().items() if n.startswith("arg")}
    export_model(symbol(), params, [(2, 3)], onnx_file_path=path, dynamic=True)


def write_external(path):
    params = {"fc_weight": mx.nd.ones((2, 300)), "fc_bias": mx.nd.ones((2,))}
    export_model(symbol(), params, [(2, 300)], onnx_file_path=path, external_data=True)


def write_states(path):
    net = nn.Dense(1, in_units=2)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "adam")
    with mx.autograd.record():
        loss = net(mx.nd.ones((1, 2)))
    loss.backward()
    trainer.step(1)
    trainer.save_states(str(path))


def read_states(path):
    net = nn.Dense(1, in_units=2)
    net.initialize()
    mx.gluon.Trainer(net.collect_params(), "adam").load_states(str(path))


KINDS = {
    ".params": ("x.params", write_params, lambda path: mx.nd.load(str(path))),
    "safetensors": ("x.safetensors", write_safetensors, lambda path: mx.nd.load(str(path))),
    "symbol-json": ("x-symbol.json", write_symbol, lambda path: mx.sym.load(str(path))),
    "ONNX import": ("x.onnx", write_onnx, SymbolBlock.imports),
    "ONNX, external data": ("x.onnx", write_external, SymbolBlock.imports),
    "ONNX verify": ("x.onnx", write_onnx, verify),
    "trainer states": ("x.states", write_states, read_states),
}


def damaged(data, draws):
    """Every truncation, and four changes of every byte, in a random order."""
    cases = [(i, None) for i in range(len(data))]
    for i, byte in enumerate(data):
        cases += [(i, value) for value in {byte ^ (1 << draws.randrange(8)), byte ^ 0xFF, 0, 255} - {byte}]
    draws.shuffle(cases)
    for i, value in cases:
        yield data[:i] if value is None else data[:i] + bytes([value]) + data[i + 1 :]


def fuzz(kind, seconds):
    name, write, read = KINDS[kind]
    found = Counter()
    worst_bytes = worst_s = 0
    draws = random.Random(kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        read(path)
        data = path.read_bytes()
        end = time.monotonic() + seconds
        tracemalloc.start()
        for changed in damaged(data, draws):
            if time.monotonic() > end:
                break
            path.write_bytes(changed)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            began = time.monotonic()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read(path)
                found["valid"] += 1
            except FormatError:
                found["FormatError"] += 1
            except (MXNetError, FileAccessError) as err:
                found[type(err).__name__] += 1
            except Exception as err:
                found["other"] += 1
                print(
                    f"{kind}: {type(err).__name__}: {err}: {base64.b64encode(changed).decode()[:3000]}", file=sys.stderr
                )
            worst_s = max(worst_s, time.monotonic() - began)
            worst_bytes = max(worst_bytes, tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(found.items()))
    print(
        f"{kind:<22}{sum(found.values()):>7} reads  {worst_bytes / 1e3:>8.0f} kB {worst_s:>6.2f} s  {kinds}", flush=True
    )
    return not found["other"] and worst_bytes < LIMIT_BYTES and worst_s < LIMIT_S


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(0 if fuzz(sys.argv[1], float(sys.argv[2])) else 1)
    chosen = sys.argv[1] if len(sys.argv) == 2 else str(SECONDS)
    print(f"{'':<22}{'':>13}  {'memory':>11} {'longest':>8}  results")
    # A process for each, so that a crash is told and does not hide the others.
    codes = {kind: subprocess.run([sys.executable, __file__, kind, chosen], check=False).returncode for kind in KINDS}
    failed = [f"{kind} (exit {code})" for kind, code in codes.items() if code]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
