"""Damaged and hostile files: every reader gives an error of gluonnx or a valid result, and its memory stays bounded.

    python tests/bench/fuzz_files.py [SECONDS [KIND]]

Each row is a kind of file and a way to change it:

    bytes     every truncation of a small file and flips of every byte (one bit, all bits, 0, 255)
    grammar   fields of messages and values of JSON: taken away, doubled, exchanged, of another type, negative, huge;
              ONNX models are onnx's own backend tests and what other tools write. `forged`: with digests made new
    hostile   tests/hostile_files.py and tests/hostile_onnx.py: what an attacker would try

in a random order until all are done or the seconds (default 20) of that row are over. The reads happen in child
processes, so that a crash or a hang is an outcome. A row counts the reads and what came of them, and tells the largest
resident memory that a read took beyond what the process had, and the longest read. Exit 1 after an unforeseen error, a
crash, a hang (10 s), or a read of more memory than 64 MB and 12 times its file. ONNX Runtime itself (`session`) has
crashes of its own; those of its rows are told, and not counted as failures.
"""

import base64
import json
import random
import struct
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import gluonnx as mx
from gluonnx import recordio
from gluonnx.gluon import SymbolBlock, nn
from gluonnx.onnx import export_model, verify

sys.path.insert(0, str(Path(__file__).parents[1]))
import hostile_files
import hostile_onnx
from foreign_models import MODELS
from isolation import isolated
from mutations import mutated_json, mutated_message

SECONDS = 20
LIMIT_S = 10
ROOM_BYTES = 64 << 20
FACTOR = 12
BATCH = 200
"""Files that are written at a time."""


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


def write_large(path):
    """A model so large that its values are read one by one."""
    graph = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=200, name="fc")
    params = {"fc_weight": mx.nd.ones((200, 1500)), "fc_bias": mx.nd.ones((200,))}
    export_model(graph, params, [(1, 1500)], onnx_file_path=path)


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


def write_records(path):
    with recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "w") as file:
        for i in range(3):
            file.write_idx(i, recordio.pack(recordio.IRHeader(0, i, i, 0), b"image" * i))


def write_index(path):
    write_records(path.with_suffix(".rec"))


def read_records(path):
    with recordio.MXRecordIO(str(path), "r") as file:
        while (record := file.read()) is not None:
            recordio.unpack_img(record)


def read_index(path):
    with recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path.with_suffix(".rec")), "r") as file:
        for key in file.keys:
            file.read_idx(key)


def read_arrays(path):
    mx.nd.load(str(path))


def read_symbol(path):
    graph = mx.sym.load(str(path))
    graph.list_arguments()
    graph.tojson()


def write_foreign(path):
    path.write_bytes(hostile_onnx.ONNX["2^300 paths"].SerializeToString())


def infer_and_run(path):
    """Import a model, and run it on ones."""
    import onnx

    block = SymbolBlock.imports(path)
    if not block._graph_inputs:
        return
    model = onnx.load(path, load_external_data=False)
    inside = {t.name for t in model.graph.initializer}
    arrays = []
    for info in model.graph.input:
        if info.name not in inside:
            tensor = info.type.tensor_type
            dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
            arrays.append(mx.nd.ones([min(max(d.dim_value, 1), 8) for d in tensor.shape.dim], dtype=dtype))
    found = block(*arrays)
    for array in found if isinstance(found, (list, tuple)) else [found]:
        array.asnumpy()


def open_session(path):
    from gluonnx_runtime import Session

    Session(path, device="cpu")


def describe(path):
    """`gluonnx info`, without its process."""
    from gluonnx_cli.info import info

    info(path, as_json=True)


def command_line_export(path):
    """`gluonnx export`, as far as it reads its files by itself."""
    from gluonnx_cli.main import app
    from typer.testing import CliRunner

    params = path.with_name("x-0000.params")
    mx.nd.save(str(params), {k: v for k, v in arrays().items() if k.startswith("arg")})
    result = CliRunner().invoke(app, ["export", str(path), str(params), "-o", str(path.with_suffix(".onnx"))])
    if result.exception is not None:
        raise result.exception


Changes = Callable[[bytes, random.Random], Iterator[bytes]]


def damaged(data, draws):
    """Every truncation, and four changes of every byte, in a random order."""
    cases = [(i, None) for i in range(len(data))]
    for i, byte in enumerate(data):
        cases += [(i, value) for value in {byte ^ (1 << draws.randrange(8)), byte ^ 0xFF, 0, 255} - {byte}]
    draws.shuffle(cases)
    for i, value in cases:
        yield data[:i] if value is None else data[:i] + bytes([value]) + data[i + 1 :]


def damaged_ends(data, draws):
    """Changes of the first and last bytes of a large file, and cuts anywhere."""
    places = [*range(400), *range(len(data) - 400, len(data))]
    while True:
        choice = draws.random()
        if choice < 0.1:
            yield data[: draws.randrange(len(data))]
            continue
        changed = bytearray(data)
        for _ in range(draws.randint(1, 3)):
            changed[draws.choice(places)] = draws.choice((0, 1, 8, 0x7F, 0x80, 0xFF, draws.randrange(256)))
        yield bytes(changed)


def changed_json(data, draws):
    while True:
        yield mutated_json(data, draws).encode()


def changed_header(data, draws):
    """Safetensors: the header as JSON, the values as they are."""
    (size,) = struct.unpack_from("<Q", data)
    while True:
        header = mutated_json(data[8 : 8 + size], draws, extra=(4, 8, 1 << 61)).encode()
        yield struct.pack("<Q", len(header)) + header + data[8 + size :]


def changed_states(data, draws):
    """Trainer states: the description in the header."""
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    description = header["__metadata__"]["gluonnx"]
    while True:
        header["__metadata__"]["gluonnx"] = mutated_json(description, draws)
        text = json.dumps(header).encode()
        yield struct.pack("<Q", len(text)) + text + data[8 + size :]


def changed_models(data, draws):
    """Models of other tools, changed as messages."""
    models = foreign_models()
    while True:
        yield mutated_message(draws.choice(models), draws)


def changed_model(data, draws):
    import onnx

    model = onnx.load_model_from_string(data)
    while True:
        yield mutated_message(model, draws)


def forged(data, draws):
    """A model of ours: its metadata or graph changed, and the digests made new, so that they agree."""
    import onnx

    from gluonnx.onnx.metadata import DIGEST_KEY, _digest

    while True:
        model = onnx.load_model_from_string(data)
        if draws.random() < 0.3:
            try:
                model = onnx.load_model_from_string(mutated_message(model, draws, 1))
            except Exception:  # bytes that are no message: nothing to forge
                continue
        else:
            entry = draws.choice([p for p in model.metadata_props if p.value.startswith(("{", "["))])
            entry.value = mutated_json(entry.value, draws)
        metadata = {p.key: p.value for p in model.metadata_props if str(p.key).startswith("gluonnx.")}
        metadata.pop(DIGEST_KEY, None)
        try:
            digest = _digest(model, model.graph.initializer, metadata)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        for entry in model.metadata_props:
            if entry.key == DIGEST_KEY:
                entry.value = digest
        yield model.SerializeToString()


def foreign_models():
    from onnx import parser
    from onnx.backend.test.loader import load_model_tests

    models = [
        parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}') for opset, text in MODELS.values()
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models += [case.model for case in load_model_tests(kind="node") if case.model is not None]
    return [model for model in models if model.ByteSize() < 4000]


@dataclass(frozen=True)
class Kind:
    """A row: a sound file and how it is changed, or cases; and how it is read."""

    name: str
    read: Callable[[Path], object]
    write: Callable[[Path], object] | None = None
    changes: Changes = damaged
    cases: dict[str, Any] | None = None
    make: Callable[[Any], hostile_files.Case] | None = None


def plain(name):
    return lambda content: hostile_files.bytes_case(name, content)


KINDS = {
    "bytes: .params": Kind("x.params", read_arrays, write_params),
    "bytes: safetensors": Kind("x.safetensors", read_arrays, write_safetensors),
    "bytes: symbol-json": Kind("x-symbol.json", read_symbol, write_symbol),
    "bytes: ONNX import": Kind("x.onnx", SymbolBlock.imports, write_onnx),
    "bytes: ONNX, external data": Kind("x.onnx", SymbolBlock.imports, write_external),
    "bytes: ONNX verify": Kind("x.onnx", verify, write_onnx),
    "bytes: ONNX of 1.2 MB": Kind("x.onnx", SymbolBlock.imports, write_large, damaged_ends),
    "bytes: trainer states": Kind("x.states", read_states, write_states),
    "bytes: record file": Kind("x.rec", read_records, write_records),
    "bytes: record index": Kind("x.idx", read_index, write_index),
    "grammar: symbol-json": Kind("x-symbol.json", read_symbol, write_symbol, changed_json),
    "grammar: symbol-json, CLI export": Kind("x-symbol.json", command_line_export, write_symbol, changed_json),
    "grammar: safetensors": Kind("x.safetensors", read_arrays, write_safetensors, changed_header),
    "grammar: trainer states": Kind("x.states", read_states, write_states, changed_states),
    "grammar: ONNX import": Kind("x.onnx", SymbolBlock.imports, write_foreign, changed_models),
    "grammar: ONNX import and run": Kind("x.onnx", infer_and_run, write_foreign, changed_models),
    "grammar: ONNX, external data": Kind("x.onnx", SymbolBlock.imports, write_external, changed_model),
    "grammar: ONNX, forged import": Kind("x.onnx", SymbolBlock.imports, write_onnx, forged),
    "grammar: ONNX, forged verify": Kind("x.onnx", verify, write_onnx, forged),
    "grammar: ONNX, CLI info": Kind("x.onnx", describe, write_foreign, changed_models),
    "grammar: ONNX, session": Kind("x.onnx", open_session, write_foreign, changed_models),
    "hostile: .params": Kind("x.params", read_arrays, cases=hostile_files.PARAMS, make=plain("x.params")),
    "hostile: safetensors": Kind(
        "x.safetensors", read_arrays, cases=hostile_files.SAFETENSORS, make=plain("x.safetensors")
    ),
    "hostile: symbol-json": Kind("x-symbol.json", read_symbol, cases=hostile_files.SYMBOL, make=plain("x-symbol.json")),
    "hostile: trainer states": Kind("x.states", read_states, cases=hostile_files.STATES, make=plain("x.states")),
    "hostile: record file": Kind("x.rec", read_records, cases=hostile_files.RECORDS, make=plain("x.rec")),
    "hostile: record index": Kind("x.rec", read_index, cases=hostile_files.INDICES, make=hostile_files.index_case),
    "hostile: ONNX import": Kind("m.onnx", SymbolBlock.imports, cases=hostile_onnx.ONNX, make=hostile_onnx.onnx_case),
    "hostile: ONNX import and run": Kind(
        "m.onnx",
        infer_and_run,
        # A sound program that never ends.
        cases={name: model for name, model in hostile_onnx.ONNX.items() if name != "Loop of 2^62 steps"},
        make=hostile_onnx.onnx_case,
    ),
    "hostile: ONNX, external data": Kind(
        "m.onnx", SymbolBlock.imports, cases=hostile_onnx.EXTERNAL, make=lambda case: case
    ),
    "hostile: ONNX, CLI info": Kind("m.onnx", describe, cases=hostile_onnx.ONNX, make=hostile_onnx.onnx_case),
    "hostile: ONNX, session": Kind("m.onnx", open_session, cases=hostile_onnx.ONNX, make=hostile_onnx.onnx_case),
}
KNOWN = {"MXNetError", "SessionError", "CommandError", "SystemExit", "Exit"}
"""Bases of the errors that are foreseen."""


def batches(kind, folder, draws):
    """Give files to read, many at a time: label, path, size."""
    if kind.cases is not None:
        for start in range(0, len(kind.cases), 40):
            batch = []
            for i, (label, content) in enumerate(list(kind.cases.items())[start : start + 40]):
                place = folder / str(start + i)
                place.mkdir()
                path = kind.make(content)(place)
                batch.append((label, path, sum(f.stat().st_size for f in place.iterdir() if f.is_file())))
            yield batch
        return
    sound = folder / kind.name
    kind.write(sound)
    beside = {p.name: p.read_bytes() for p in folder.iterdir() if p != sound}
    changes = kind.changes(sound.read_bytes(), draws)
    number = 0
    while True:
        batch = []
        for data in changes:
            place = folder / str(number)
            number += 1
            place.mkdir()
            for name, content in beside.items():
                (place / name).write_bytes(content)
            (place / kind.name).write_bytes(data)
            batch.append((base64.b64encode(data).decode()[:6000], place / kind.name, len(data)))
            if len(batch) == BATCH:
                break
        if not batch:
            return
        yield batch


def fuzz(name, seconds, seed=0):
    import time

    kind = KINDS[name]
    found = Counter()
    worst_bytes = worst_s = 0
    slowest = ""
    failed = False
    end = 0.0
    is_told = name.endswith("session")
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        for batch in batches(kind, folder, random.Random(f"{name}{seed}")):
            end = end or time.monotonic() + seconds  # not before the first files are made
            calls = [lambda path=path: kind.read(path) for _, path, _ in batch]
            for (label, _, size), outcome in zip(batch, isolated(calls, limit_s=LIMIT_S), strict=False):
                is_known = outcome.result == "valid" or KNOWN & set(outcome.kinds)
                is_large = outcome.peak_bytes > ROOM_BYTES + FACTOR * size
                found[outcome.result] += 1
                if not is_known or is_large:
                    failed = failed or not is_told
                    print(f"{name}: {outcome}: {label}", file=sys.stderr, flush=True)
                if outcome.seconds > worst_s:
                    slowest = label if kind.cases is not None else f"{size} bytes"
                worst_s = max(worst_s, outcome.seconds)
                worst_bytes = max(worst_bytes, outcome.peak_bytes)
                if kind.cases is None and time.monotonic() > end:
                    break
            if kind.cases is None and time.monotonic() > end:
                break
    kinds = ", ".join(f"{result} {count}" for result, count in sorted(found.items()))
    print(
        f"{name:<34}{sum(found.values()):>7} reads {worst_bytes / 1e6:>6.0f} MB {worst_s:>6.2f} s ({slowest})  {kinds}",
        flush=True,
    )
    return not failed


if __name__ == "__main__":
    chosen = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    if len(sys.argv) > 2:
        sys.exit(0 if fuzz(sys.argv[2], chosen, int(sys.argv[3]) if len(sys.argv) > 3 else 0) else 1)
    # A process for each, so that one row's memory is not the next one's.
    codes = {
        kind: subprocess.run([sys.executable, __file__, str(chosen), kind], check=False).returncode for kind in KINDS
    }
    failed = [f"{kind} (exit {code})" for kind, code in codes.items() if code]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
