"""onnx's own backend node tests through the import: which operators agree, on torch and after export in ONNX Runtime.

    PYTHONPATH=.:cli:runtime python tests/onnx/backend_cases.py [--only TEXT] [--no-export] [--verbose]

Each case is a model with inputs and expected outputs. It is imported and run by the torch executor ("import"), then
exported again and run in ONNX Runtime ("round trip"). Cases whose inputs or outputs are no arrays of MXNet's dtypes
(strings, sequences, optionals, complex, float8, 4-bit and 2-bit numbers) cannot enter a graph and are counted apart.
"""

import argparse
import collections
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from gluonnx.errors import MXNetError
from gluonnx.onnx.arrays import Array, as_array, as_tensor, dtype_name
from gluonnx.onnx.lift import lift
from gluonnx.onnx.lowering import lower
from gluonnx.ops.dtypes import BY_ONNX
from gluonnx.symbol.executor import GraphFunction

UNSEEDED = frozenset(
    {"Bernoulli", "RandomNormalLike", "RandomUniformLike", "RandomNormal", "RandomUniform", "Multinomial"}
)
"""Operators whose results are random: shape and dtype are compared."""


@dataclass
class Outcome:
    """What became of the cases of one operator."""

    passed: int = 0
    survived: int = 0
    failures: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """One test: a model, inputs and expected outputs by data set."""

    name: str
    model: onnx.ModelProto
    sets: list[tuple[list[Any], list[Any]]]
    rtol: float
    atol: float

    @property
    def op_type(self) -> str:
        """The operator under test."""
        nodes = [n for n in self.model.graph.node if n.op_type != "Constant"] or list(self.model.graph.node)
        return nodes[-1].op_type if len(nodes) > 1 and nodes[0].op_type.startswith("Sequence") else nodes[0].op_type

    def unsupported(self) -> str | None:
        """Why no graph can hold this case, None if one can."""
        for info in (*self.model.graph.input, *self.model.graph.output):
            kind = info.type.WhichOneof("value")
            if kind != "tensor_type":
                return kind or "no type"
            if info.type.tensor_type.elem_type not in BY_ONNX:
                return onnx.TensorProto.DataType.Name(info.type.tensor_type.elem_type)
        if any(n.domain not in ("", "ai.onnx") for n in self.model.graph.node):
            return "another domain"
        return None


def cases(only: str = "") -> Iterator[Case]:
    """Give the node tests whose name contains a text."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = load_model_tests(kind="node")
    for test in found:
        if only in test.name:
            if test.model is not None:
                sets = [([_plain(a) for a in i], [_plain(a) for a in o]) for i, o in test.data_sets]
                model = onnx.ModelProto.FromString(test.model.SerializeToString())
            else:
                model, sets = _read(Path(test.model_dir))
            yield Case(test.name, model, sets, test.rtol, test.atol)


def _read(folder: Path) -> tuple[onnx.ModelProto, list[tuple[list[Any], list[Any]]]]:
    model = onnx.load(folder / "model.onnx")
    sets = []
    for data in sorted(folder.glob("test_data_set_*")):
        parts: list[list[Any]] = []
        for kind in ("input", "output"):
            files = sorted(data.glob(f"{kind}_*.pb"), key=lambda p: int(p.stem.split("_")[1]))
            parts.append([_tensor(p) for p in files])
        sets.append((parts[0], parts[1]))
    return model, sets


def _plain(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _tensor(path: Path) -> Any:
    tensor = onnx.TensorProto.FromString(path.read_bytes())
    return numpy_helper.to_array(tensor) if tensor.data_type in BY_ONNX else None


def difference(got: Array, expected: Array, rtol: float, atol: float) -> str | None:
    """Return in words how two arrays differ, None if they agree."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return f"expected {expected.dtype} {expected.shape}, got {got.dtype} {got.shape}"
    if expected.dtype == BY_ONNX[16].numpy:
        got, expected, rtol, atol = (
            got.astype(np.float32),
            expected.astype(np.float32),
            max(rtol, 1e-2),
            max(atol, 1e-2),
        )
    if expected.dtype == np.float16:
        rtol, atol = max(rtol, 1e-3), max(atol, 1e-3)
    if np.allclose(got, expected, rtol=rtol, atol=atol, equal_nan=True):
        return None
    with np.errstate(all="ignore"):
        worst = np.nanmax(np.abs(got.astype(np.float64) - expected.astype(np.float64)))
    return f"largest difference {worst:.3g}"


def run_case(case: Case, *, export: bool) -> tuple[str | None, str | None]:
    """Return why a case fails on torch, and why in ONNX Runtime after export; None where it does not."""
    try:
        lifted = lift(onnx.ModelProto.FromString(case.model.SerializeToString()), case.name)
        function = GraphFunction(lifted.heads, [*lifted.input_names, *lifted.parameters])
        parameters = [as_tensor(as_array(n, a)) for n, a in lifted.parameters.items()]
        for inputs, outputs in case.sets:
            arrays = [as_array(n, np.asarray(a)) for n, a in zip(lifted.input_names, inputs, strict=False)]
            generator = torch.Generator().manual_seed(0)
            results, _ = function([*map(as_tensor, arrays), *parameters], generator=lambda _d, g=generator: g)
            fault = _compare(case, [as_array("output", r) for r in results], outputs)
            if fault:
                return fault, None
    except (MXNetError, NotImplementedError) as err:
        return f"{type(err).__name__}: {err}"[:300], None
    return None, _round_trip(case, lifted, arrays, outputs) if export else None


def _compare(case: Case, results: list[Array], outputs: list[Any]) -> str | None:
    for got, expected in zip(results, outputs, strict=True):
        wanted = np.asarray(expected)
        is_drawn = "training_dropout" in case.name and "zero_ratio" not in case.name
        if case.op_type in UNSEEDED or is_drawn:
            wanted = got if (got.shape, got.dtype) == (wanted.shape, wanted.dtype) else wanted
        fault = difference(got, wanted, case.rtol, case.atol)
        if fault:
            return fault
    return None


def _round_trip(case: Case, lifted: Any, arrays: list[Array], outputs: list[Any]) -> str | None:
    from gluonnx_runtime import Session, SessionError

    try:
        names = lifted.input_names[: len(arrays)]
        model = lower(
            lifted.heads,
            names,
            [a.shape for a in arrays],
            [dtype_name(a) for a in arrays],
            lifted.parameters,
            dynamic_batch=False,
        )
        results = Session(model.serialize(), device="cpu").run(dict(zip(names, arrays, strict=True)))
    except (MXNetError, SessionError) as err:
        return f"{type(err).__name__}: {err}"[:300]
    return _compare(case, [results[n] for n in model.output_names], outputs)


def plain_runtime(case: Case) -> str | None:
    """Return why ONNX Runtime fails on the case itself, None if it does not."""
    from gluonnx_runtime import Session, SessionError

    inputs, outputs = case.sets[0]
    try:
        session = Session(case.model.SerializeToString(), device="cpu")
        names = [i.name for i in case.model.graph.input]
        results = session.run({n: np.asarray(a) for n, a in zip(names, inputs, strict=False)})
    except (SessionError, MXNetError) as err:
        return f"{type(err).__name__}: {err}"[:200]
    return _compare(case, [results[o.name] for o in case.model.graph.output], outputs)


def main() -> int:
    """Run the cases and print a table by operator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--no-export", action="store_true", help="only the import")
    parser.add_argument("--verbose", action="store_true", help="print every failure")
    options = parser.parse_args()
    torch.manual_seed(0)
    outcomes: dict[str, Outcome] = collections.defaultdict(Outcome)
    skipped: collections.Counter[str] = collections.Counter()
    refused_by_runtime = 0
    for case in cases(options.only):
        reason = case.unsupported()
        if reason is not None:
            skipped[reason] += 1
            continue
        outcome = outcomes[case.op_type]
        try:
            fault, loss = run_case(case, export=not options.no_export)
        except Exception as err:  # a crash is a failure to list, not the end of the run
            fault, loss = f"CRASH {type(err).__name__}: {err}"[:300], None
        if fault is not None:
            outcome.failures.append(f"{case.name}: {fault}")
            continue
        outcome.passed += 1
        if loss is None:
            outcome.survived += 1
        else:
            alone = plain_runtime(case)
            refused_by_runtime += alone is not None
            outcome.lost.append(f"{case.name}: {loss}{' [ONNX Runtime fails on the case itself]' if alone else ''}")
    _report(outcomes, skipped, refused_by_runtime, options)
    return 0


def _report(
    outcomes: dict[str, Outcome], skipped: collections.Counter[str], refused: int, options: argparse.Namespace
) -> None:
    total = sum(o.passed + len(o.failures) for o in outcomes.values())
    passed = sum(o.passed for o in outcomes.values())
    survived = sum(o.survived for o in outcomes.values())
    for op_type, outcome in sorted(outcomes.items()):
        if outcome.failures or (outcome.lost and not options.no_export):
            count = outcome.passed + len(outcome.failures)
            print(f"{op_type}: import {outcome.passed}/{count}, round trip {outcome.survived}/{count}")
            for line in [*outcome.failures, *(f"(round trip) {x}" for x in outcome.lost)] if options.verbose else []:
                print(f"    {line}")
    print(f"no graph can hold {skipped.total()} cases: {dict(skipped)}")
    print(f"import: {passed} of {total} cases ({passed / max(total, 1):.1%})")
    if not options.no_export:
        print(f"round trip: {survived} of {total} cases ({survived / max(total, 1):.1%})")
        able = total - refused
        print(f"    of {able} that ONNX Runtime itself passes or that fail before it: {survived / max(able, 1):.1%}")


if __name__ == "__main__":
    sys.exit(main())
