"""Foreign ONNX models, as a user meets them: import, agreement with ONNX Runtime, a gradient step, export again, times.

Each model is imported and compared with plain ONNX Runtime imperatively, hybridized, at another batch size and cut in
the middle; trained for one step; exported, run, and read back. Each runs in a process of its own, with one thread.

    PYTHONPATH=.:cli:runtime python tests/bench/bench_foreign.py rapidocr-onnxruntime==1.4.4 folder net.onnx wheel.whl
    PYTHONPATH=.:cli:runtime python tests/bench/bench_foreign.py --write docs/foreign_onnx.md PACKAGE ...

A source is an .onnx file, a folder or a wheel with some, or the name of a PyPI package that carries some. Inputs are
seeded numbers; a file `NAME.npz` beside `NAME.onnx` holds others, and `foreign_inputs.py` knows those of some models.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from foreign_inputs import inputs_of, repeated

Arrays = dict[str, np.ndarray]

TOLERANCE = 1e-4
"""Largest difference from ONNX Runtime, relative to the largest magnitude of an output."""
HALF_TOLERANCE = 1e-2
HALVES = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
STEP = 0.02
"""Part of the loss that a gradient step would take off a straight line."""
MOST_HALVINGS = 16
"""How often a step that does not lower the loss is halved, two at a time."""
TIMEOUT_S = 900
MIB = 1 << 20
HEADER = (
    "model",
    "opset",
    "operators",
    "kept",
    "eager",
    "hybridized",
    "other batch",
    "cut",
    "loss",
    "again",
    "same bytes",
    "import s",
    "plain s",
    "MiB",
    "plain MiB",
    "call ms",
    "plain ms",
)


@dataclass
class Result:
    """What became of one model; None where there was nothing to measure.

    Attributes:
        model: Where it comes from and its name.
        opset: The opset it was written in.
        operators: Operators of the graph, constants aside, and of those how many stay ONNX operators (`kept`).
        eager: Largest difference from ONNX Runtime, relative; likewise `hybridized`, at another batch size
            (`other_batch`), `cut` in the middle (hybridized against imperative), and of the export (`again`).
        loss: The loss after a gradient step as a part of the loss before it.
        is_same: Whether the export, read and exported once more, gives the same bytes.
        import_s: Seconds of `SymbolBlock.imports`; `plain_s` of `onnx.load` and making a session.
        import_mib: Growth of the peak of memory of import and one hybridized call; `plain_mib` of load, session, call.
        call_ms: Milliseconds of a hybridized call; `plain_ms` of `InferenceSession.run`.
        has_halves: Whether weights are of half precision; the tolerance is HALF_TOLERANCE then.
        notes: What did not work.
    """

    model: str
    opset: int = 0
    operators: int | None = None
    kept: int | None = None
    eager: float | None = None
    hybridized: float | None = None
    other_batch: float | None = None
    cut: float | None = None
    loss: float | None = None
    again: float | None = None
    is_same: bool | None = None
    import_s: float | None = None
    plain_s: float | None = None
    import_mib: float | None = None
    plain_mib: float | None = None
    call_ms: float | None = None
    plain_ms: float | None = None
    has_halves: bool = False
    notes: list[str] = field(default_factory=list)

    def row(self) -> str:
        """Return the line of the table."""
        loss = "" if self.loss is None else f"{100 * (self.loss - 1):+.2g}%"
        cells = [self.model, str(self.opset), _text(self.operators), _text(self.kept)]
        cells += [_text(v, ".0e") for v in (self.eager, self.hybridized, self.other_batch, self.cut)]
        cells += [loss, _text(self.again, ".0e"), _text(self.is_same)]
        cells += [_text(v, ".2f") for v in (self.import_s, self.plain_s)]
        cells += [_text(v, ".0f") for v in (self.import_mib, self.plain_mib)]
        cells += [_text(v, ".3g") for v in (self.call_ms, self.plain_ms)]
        return f"| {' | '.join(cells)} |"


def _text(value: Any, form: str = "") -> str:
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else format(value, form)


def measure(path: Path) -> Result:
    """Take one model through everything."""
    import gluonnx as mx
    from gluonnx.gluon import SymbolBlock

    before = _peak_mib()
    start = time.perf_counter()
    net = SymbolBlock.imports(path)
    result = Result(path.stem, opset=_opset(path), import_s=time.perf_counter() - start)
    feeds = inputs_of(path)
    ops = _operators(net)
    result.operators, result.kept = len(ops), sum(name.startswith("_onnx.") for name in ops)
    names = [s.name for s in net._graph_inputs]
    data = [mx.nd.array(feeds[n], dtype=feeds[n].dtype) for n in names]
    net.hybridize()

    def attempt(label: str, work: Callable[[], Any]) -> Any:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                return work()
        except Exception as err:
            if os.environ.get("FOREIGN_TRACE"):
                traceback.print_exc()
            result.notes.append(f"{label}: {type(err).__name__}: {err}")
            return None
        finally:
            result.notes += sorted({f"{label}: warned: {w.message}" for w in caught})

    attempt("first call", lambda: _arrays(net(*data)))
    result.import_mib = _peak_mib() - before
    imperative = SymbolBlock.imports(path, names)
    session = _session(path)
    expected = session.run(None, feeds)
    result.hybridized = attempt("hybridized", lambda: _difference(_arrays(net(*data)), expected))
    plain_session = _session(path, is_plain=True) if any("Quantize" in name for name in ops) else session
    defined = plain_session.run(None, feeds)
    result.eager = attempt("eager", lambda: _difference(_arrays(imperative(*data)), defined))
    sessions = {net: session, imperative: plain_session}
    result.other_batch = attempt("other batch", lambda: _other_batch(path, sessions, feeds, names))
    result.has_halves = any(t.data_type in HALVES for t in onnx.load(path).graph.initializer)
    result.cut = attempt("cut", lambda: _cut(imperative, data))
    result.call_ms, result.plain_ms = attempt("times", lambda: _times(net, data, session, feeds)) or (None, None)
    attempt("export", lambda: _again(result, net, data, feeds, expected))
    result.loss = attempt("gradient step", lambda: _step(imperative, data, expected))
    return result


def _operators(net: Any) -> list[str]:
    from gluonnx.symbol.graph import topological

    return [n.op.name for n in topological(net._graph._heads) if n.op is not None and n.op.name != "_onnx.Constant"]


def _opset(path: Path) -> int:
    model = onnx.load(path, load_external_data=False)
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)


def _session(path: Path | str, *, is_plain: bool = False) -> onnxruntime.InferenceSession:
    """Return a session with one thread; a plain one runs quantized operators as ONNX defines them."""
    options = onnxruntime.SessionOptions()
    if is_plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _arrays(outputs: Any) -> list[np.ndarray]:
    return [out.asnumpy() for out in (outputs if isinstance(outputs, list) else [outputs])]


def _difference(outputs: list[np.ndarray], expected: list[Any]) -> float:
    """Largest difference relative to each output's largest magnitude.

    Raises:
        ValueError: A shape or a dtype differs.
    """
    largest = 0.0
    for k, (ours, theirs) in enumerate(zip(outputs, expected, strict=True)):
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            raise ValueError(f"output {k}: {theirs.dtype}{theirs.shape} expected, got {ours.dtype}{ours.shape}")
        if not theirs.size:
            continue
        same = (ours == theirs) | ((ours != ours) & (theirs != theirs))
        wide, other = ours.astype(np.float64), theirs.astype(np.float64)
        with np.errstate(invalid="ignore"):
            gap = np.where(same, 0.0, np.abs(wide - other))
        scale = np.abs(other[np.isfinite(other)]).max(initial=0.0) or 1.0
        largest = max(largest, float(np.nan_to_num(gap, nan=np.inf).max()) / scale)
    return largest


def _other_batch(path: Path, sessions: Mapping[Any, Any], feeds: Arrays, names: list[str]) -> float | None:
    """Largest difference of blocks from their sessions at another batch size, None if the model takes only one."""
    import gluonnx as mx

    more = repeated(path, feeds)
    if more is None:
        return None
    largest = 0.0
    data = [mx.nd.array(more[n], dtype=more[n].dtype) for n in names]
    for net, session in sessions.items():
        try:
            expected = session.run(None, more)
        except Exception:
            return None  # whatever its file says
        largest = max(largest, _difference(_arrays(net(*data)), expected))
    return largest


def _cut(net: Any, data: list[Any]) -> float:
    """Cut the graph in the middle; return how far the hybridized part is from the imperative one."""
    import gluonnx as mx

    internals = net._graph.get_internals()
    candidates = [
        k for k, (node, _) in enumerate(internals._heads) if node.op is not None and node.op.name != "_onnx.Constant"
    ]
    head = internals[candidates[len(candidates) // 2]]
    read = set(head.list_inputs())
    kept = [k for k, s in enumerate(net._graph_inputs) if s.name in read]
    if not kept:
        return 0.0  # of constants alone
    part = mx.gluon.SymbolBlock(head, [net._graph_inputs[k] for k in kept], net.collect_params())
    data = [data[k] for k in kept]
    plain = _arrays(part(*data))
    part.hybridize()
    return _difference(_arrays(part(*data)), plain)


def _times(net: Any, data: list[Any], session: Any, feeds: Arrays) -> tuple[float, float]:
    """Least milliseconds of a hybridized call and of one in plain ONNX Runtime, in turns."""
    best = [float("inf"), float("inf")]
    end, turns = time.perf_counter() + 2.0, 0
    while time.perf_counter() < end or turns < 5:
        for k, call in enumerate((lambda: net(*data), lambda: session.run(None, feeds))):
            start = time.perf_counter()
            call()
            best[k] = min(best[k], time.perf_counter() - start)
        turns += 1
    return best[0] * 1e3, best[1] * 1e3


def _again(result: Result, net: Any, data: list[Any], feeds: Arrays, expected: list[Any]) -> None:
    """Export, compare, read the export, export that."""
    from gluonnx.gluon import SymbolBlock

    samples = list(data)
    with tempfile.TemporaryDirectory() as folder:
        try:
            _, _, written = net.export(f"{folder}/one", sample_inputs=samples)
            is_dynamic = True
        except Exception as err:
            if "dynamic_batch=False" not in str(err):
                raise
            _, _, written = net.export(f"{folder}/one", sample_inputs=samples, dynamic_batch=False)
            is_dynamic = False
        session = _session(written)
        given = [feeds[s.name] for s in net._graph_inputs]
        renamed = dict(zip([i.name for i in session.get_inputs()], given, strict=True))
        result.again = _difference(session.run(None, renamed), expected)
        back = SymbolBlock.imports(written)
        back.hybridize()
        back(*data)
        _, _, twice = back.export(f"{folder}/two", sample_inputs=samples, dynamic_batch=is_dynamic)
        result.is_same = Path(written).read_bytes() == Path(twice).read_bytes()


def _step(net: Any, data: list[Any], expected: list[Any]) -> float | None:
    """Take one gradient step toward other outputs; return the loss after it as a part of the loss before it."""
    import gluonnx as mx
    from gluonnx import autograd

    trained = [p for p in net.collect_params().values() if p.grad_req != "null" and p.data().dtype in _FLOATS]
    if not trained:
        return None
    for p in net.collect_params().values():
        if p not in trained:
            p.grad_req = "null"
    targets = {k: mx.nd.array(0.5 * e, dtype=e.dtype) for k, e in enumerate(expected) if e.dtype.type in _FLOATS}

    def loss_of() -> Any:
        with autograd.record(train_mode=False):
            outputs = net(*data)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            return sum(((outputs[k].astype("float32") - t.astype("float32")) ** 2).mean() for k, t in targets.items())

    loss = loss_of()
    before = float(loss.asscalar())
    try:
        loss.backward()
    except mx.MXNetError as err:
        if any("Quantize" in name for name in _operators(net)) and "not in a recorded graph" in str(err):
            return None  # ends in quantized numbers, which no gradient goes through
        raise err
    norm = sum(float((p.grad().astype("float64") ** 2).sum().asscalar()) for p in trained)
    if not norm > 0:
        raise ValueError(f"no gradient: the squared norm over {len(trained)} parameters is {norm}")
    start = [(p, p.data().copy(), p.grad() * (STEP * before / norm)) for p in trained]
    for halvings in range(0, MOST_HALVINGS, 2):
        for p, value, step in start:
            p.set_data(value - step * 0.5**halvings)
        after = float(loss_of().asscalar())
        if after < before:
            break
    return after / before


_FLOATS = (np.float32, np.float64, np.float16)


def plain(path: Path) -> dict[str, float]:
    """Return what reading a model and making a session costs without gluonnx."""
    before = _peak_mib()
    start = time.perf_counter()
    onnx.load(path)
    session = _session(path)
    seconds = time.perf_counter() - start
    session.run(None, inputs_of(path))
    return {"plain_s": seconds, "plain_mib": _peak_mib() - before}


def _peak_mib() -> float:
    """Return the peak of this process's memory since it began; `getrusage` would count what its parent had."""
    line = next(t for t in Path("/proc/self/status").read_text().splitlines() if t.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / MIB


def found_in(source: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Give the models of a source: where each comes from, and its file."""
    path = Path(source)
    if path.is_dir():
        yield from ((path.name, p) for p in sorted(path.rglob("*.onnx")))
    elif path.suffix == ".onnx":
        yield path.parent.name, path
    elif path.suffix in (".whl", ".zip"):
        label = "-".join(path.stem.split("-")[:2])
        with zipfile.ZipFile(path) as archive:
            members = [n for n in archive.namelist() if n.endswith((".onnx", ".onnx.data"))]
            archive.extractall(folder / label, members)
        yield from ((label, folder / label / n) for n in sorted(members) if n.endswith(".onnx"))
    else:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), source]
        have = set(folder.iterdir())
        subprocess.run(command, check=True)
        for new in sorted(set(folder.iterdir()) - have):
            yield from found_in(str(new), folder)


def _child(mode: str, path: Path) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--child", mode, str(path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment)
    except subprocess.TimeoutExpired:
        return {"notes": [f"{mode}: took more than {TIMEOUT_S} s"]}
    if os.environ.get("FOREIGN_TRACE"):
        print(done.stderr, file=sys.stderr)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [str(done.returncode)])[-1]
        return {"notes": [f"{mode}: {said.replace(str(path), path.name)}"]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def is_good(found: Mapping[str, Any]) -> bool:
    """Whether all of a model that could be measured holds."""
    errors = [found[k] for k in ("eager", "hybridized", "other_batch", "cut", "again") if found[k] is not None]
    has_all = None not in (found["eager"], found["hybridized"], found["again"])
    tolerance = HALF_TOLERANCE if found["has_halves"] else TOLERANCE
    lowers = found["loss"] is None or found["loss"] < 1
    return has_all and max(errors) <= tolerance and lowers and found["is_same"] is True and not found["notes"]


def main() -> int:
    """Measure every model of the sources and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--write", type=Path, help="write the table as this document")
    parser.add_argument("--json", type=Path, help="keep the figures in this file; models that it has are not run")
    parser.add_argument("--child", choices=["measure", "plain"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        path = Path(options.sources[0])
        found = asdict(measure(path)) if options.child == "measure" else plain(path)
        print(json.dumps(found))
        return 0
    kept: dict[str, Any] = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    results: list[dict[str, Any]] = []
    used: set[str] = set()
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for source in options.sources:
            for label, path in found_in(source, Path(folder)):
                name = f"{label}: {path.stem}"
                name = name if name not in used else f"{label}: {path.parent.name}/{path.stem}"
                used.add(name)
                found = kept.get(name)
                if found is None:
                    blank = asdict(Result(name, opset=_opset(path)))
                    found = {**blank, **_child("measure", path), **_child("plain", path), "model": name}
                kept[name] = found
                results.append(found)
                print(Result(**found).row(), *(f"    {note[:600]}" for note in found["notes"]), sep="\n", flush=True)
                if options.json:
                    options.json.write_text(json.dumps(kept, indent=1))
    if options.write:
        options.write.write_text(document(results))
    return 0 if all(map(is_good, results)) else 1


def document(results: list[dict[str, Any]]) -> str:
    """Return the table with what was measured and with what."""
    import gluonnx

    versions = f"gluonnx {gluonnx.__version__}, onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}"
    good = sum(map(is_good, results))
    lines = [
        "# Foreign ONNX models",
        "",
        f"Written by `tests/bench/bench_foreign.py` on {date.today().isoformat()}: {versions}, Python "
        f"{platform.python_version()}, one thread. {good} of {len(results)} models hold in every column.",
        "",
        "`operators` are the nodes of the imported graph, constants aside; `kept` those that stay ONNX operators. The",
        "columns from `eager` to `cut`, and `again` (export, run in plain ONNX Runtime), are the largest difference",
        "relative to an output's largest magnitude: imported and called, hybridized, both at another batch size, the",
        "graph cut in the middle. Quantized nets are compared imperatively with ONNX Runtime without its integer",
        "kernels. `loss` is how a gradient step changes a squared loss; empty where there is nothing to train.",
        "`same bytes`: the export, read and exported once more. `import s` is `SymbolBlock.imports`, `plain s` is",
        "`onnx.load` and making a session; `MiB` what each, with a first call, adds to the peak of memory; `call ms` a",
        "hybridized call, `plain ms` one of `InferenceSession.run`.",
        "",
        f"| {' | '.join(HEADER)} |",
        "|" + "---|" * len(HEADER),
        *(Result(**r).row() for r in results),
        "",
    ]
    noted = [r for r in results if r["notes"]]
    if noted:
        lines += ["What does not hold:", ""]
        lines += [f"- {r['model']}: {note[:600]}" for r in noted for note in r["notes"]]
        lines += [""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
