"""The proof that travels with a model: a seeded input, and what the model must answer.

The answers are those of the graph in double precision, rounded to a millionth of the largest: machines that differ in
the last digits of a double write the same record. Anyone who can run the model can replay it.

A record is JSON: `seed`; `inputs` (name, dtype, shape, range of whole numbers or null; made as `gluonnx.onnx.samples`
tells, and SHA-256 of the bytes that this gives); `outputs` (name, dtype, shape, the values at the flat positions `at`;
for floats also the `largest` magnitude and the `mean`, values and mean then in millionths of `largest`, null for NaN
and infinity, and the `bound`: how far an answer may lie from them; see `gluonnx.onnx.check.allowed_difference`). An
output that depends on random draws has neither values nor measures, but `drawn`: whether all of it is finite.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gluonnx_runtime import Session, SessionError

from gluonnx.errors import ExportError, FormatError
from gluonnx.onnx.arrays import Array, as_array
from gluonnx.onnx.check import TOLERANCE, Exactly, Reference, allowed_difference, distance
from gluonnx.onnx.quantized import QUANTIZED_TOLERANCE
from gluonnx.onnx.samples import InputSpec, seeded_arrays
from gluonnx.ops.dtypes import BY_NAME

PROOF_KEY = "gluonnx.proof"
STEPS = 1_000_000
"""Values are kept in this fraction of the largest."""
VALUE_COUNT = 16
"""How many values of each output are kept, evenly spread."""
MAX_INPUT_BYTES = 1 << 30
"""Largest inputs that a record may ask for."""
MAX_RANK = 32
_WIDEST_BYTES = 8
_BATCH = 2
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError)
"""What reading a record may meet where it is not what `make_record` writes."""
_SEEDS = range(8)


def make_record(
    specs: Sequence[InputSpec],
    output_names: Sequence[str],
    reference: Reference,
    exact: Exactly,
    drawn: Sequence[bool],
    is_quantized: bool,
) -> tuple[str, int] | None:
    """Return a record and its seed.

    A graph that jumps (argmax, floor, a comparison) may answer otherwise in double precision; then other seeds are
    tried, and None means that none will do.

    Args:
        specs: The inputs, in the model's order.
        output_names: Names of the outputs.
        reference: The graph in its own precision; what the model is proven against.
        exact: The graph in double precision, and how far rounding moves its outputs.
        drawn: Which outputs depend on random draws.
        is_quantized: Whether the graph rounds to integers on the way: every bound is `QUANTIZED_TOLERANCE` then, and
            integer outputs have no record.
    """
    for seed in _SEEDS:
        inputs = seeded_arrays(specs, seed, _BATCH)
        expected, (wide, rounding) = reference(inputs), exact(inputs)
        if is_quantized and any(e.dtype.name not in TOLERANCE for e in expected):
            return None
        bounds = [_bound(e.dtype.name, w, r, is_quantized) for e, w, r in zip(expected, wide, rounding, strict=True)]
        if all(d or _agrees(e, w, b) for e, w, b, d in zip(expected, wide, bounds, drawn, strict=True)):
            record = {
                "inputs": [
                    {
                        "dtype": s.dtype,
                        "name": s.name,
                        "sha256": _sha256(array),
                        "shape": list(s.shape_at(_BATCH)),
                        "values": s.values,
                    }
                    for s, array in zip(specs, inputs, strict=True)
                ],
                "outputs": [
                    {"dtype": e.dtype.name, "name": name, **(_form(e) if is_drawn else _summary(w, bound))}
                    for name, e, w, bound, is_drawn in zip(output_names, expected, wide, bounds, drawn, strict=True)
                ],
                "seed": seed,
            }
            return json.dumps(record, sort_keys=True, separators=(",", ":")), seed
    return None


def _bound(dtype: str, exact: Array, rounding: float, is_quantized: bool) -> float:
    """Return `allowed_difference`, or what integer kernels may differ by if that is more, as three digits."""
    if dtype not in TOLERANCE:
        return 0.0
    bound = allowed_difference(dtype, exact, rounding)
    if is_quantized:
        bound = max(bound, QUANTIZED_TOLERANCE * _measures(exact)[0])
    return float(f"{bound * (1 + 5e-3):.2e}")


def _agrees(own: Array, exact: Array, bound: float) -> bool:
    """Whether an output in the graph's own precision is the exact one, up to rounding."""
    return np.array_equal(own, exact) if own.dtype.name not in TOLERANCE else distance(own, exact, bound) is None


def replay(model: str | os.PathLike[str] | bytes, *, device: str = "cpu") -> None:
    """Run the proof that a model carries, here.

    Args:
        model: A file, or its bytes.
        device: Where to run, as `gluonnx_runtime.Session` takes it.

    Raises:
        ExportError: The model does not answer what its record says; names the output.
        FormatError: The model carries no record, or one that cannot be read.
        ModelFileError: The model cannot be run at all.
    """
    where = f"model of {len(model)} bytes" if isinstance(model, bytes) else str(Path(model))
    session = Session(model, device=device)
    text = session.metadata.get(PROOF_KEY)
    if text is None:
        raise FormatError(
            f"{where}: no proof in the model: expected metadata `{PROOF_KEY}`, got none. Models that were checked on "
            "`sample_inputs`, or that jump for every seeded input, carry none; compare their outputs by hand."
        )
    check_record(text, session.run, where)


def check_record(text: str, run: Callable[[Mapping[str, Array]], Mapping[str, Array]], where: str) -> None:
    """Raise unless `run` answers what a record says; see `replay`."""
    try:
        record = json.loads(text)
        specs = [
            InputSpec(i["name"], BY_NAME[i["dtype"]].name, tuple(i["shape"]), (), i["values"] and tuple(i["values"]))
            for i in record["inputs"]
        ]
        _check_sizes(specs)
        feeds = {s.name: a for s, a in zip(specs, seeded_arrays(specs, int(record["seed"]), 1), strict=True)}
        digests = {i["name"]: i["sha256"] for i in record["inputs"]}
        outputs = [_complete(output) for output in record["outputs"]]
    except _DAMAGED as err:
        raise FormatError(
            f"{where}: proof in the model is damaged: expected a record, got {str(err)[:200]} ({type(err).__name__})."
        ) from err
    for name, array in feeds.items():
        if _sha256(array) != digests[name]:
            raise FormatError(
                f"{where}: input `{name}` of the proof cannot be made again: expected SHA-256 {digests[name]}, "
                f"got {_sha256(array)}. The record is damaged."
            )
    try:
        got = run(feeds)
    except SessionError as err:
        raise ExportError(f"{where}: the proof cannot be replayed: expected outputs, got {err}") from err
    for output in outputs:
        try:
            fault = _compare(got.get(output["name"]), output)
        except _DAMAGED as err:
            raise FormatError(
                f"{where}: proof in the model is damaged: expected answers of output `{output['name']}`, got "
                f"{str(err)[:200]} ({type(err).__name__})."
            ) from err
        if fault is not None:
            raise ExportError(f"{where}: the proof fails: output `{output['name']}`: {fault}.")


def _check_sizes(specs: Sequence[InputSpec]) -> None:
    """Raise ValueError unless inputs of these shapes can be made."""
    for spec in specs:
        if not all(type(d) is int and d >= 0 for d in spec.shape):
            raise ValueError(f"shape {spec.shape[:8]} of input {spec.name!r}")
    size_bytes = sum(math.prod(s.shape) for s in specs if len(s.shape) <= MAX_RANK) * _WIDEST_BYTES
    if size_bytes > MAX_INPUT_BYTES or any(len(s.shape) > MAX_RANK for s in specs):
        raise ValueError(f"inputs of more than {MAX_INPUT_BYTES} bytes or {MAX_RANK} axes")


def _complete(output: dict[str, Any]) -> dict[str, Any]:
    """Return what a record says of an output; raise KeyError or TypeError if it does not say all."""
    wanted = ["name", "dtype", "shape"]
    if "drawn" not in output:
        wanted += ["at", "values"]
        wanted += ["bound", "largest", "mean"] if output["dtype"] in TOLERANCE else []
    return {**output, **{key: output[key] for key in wanted}}


def _sha256(array: Array) -> str:
    return hashlib.sha256(as_array("sample", array).tobytes()).hexdigest()


def _summary(wide: Array, bound: float) -> dict[str, Any]:
    flat = wide.reshape(-1)
    at = np.unique(np.linspace(0, max(flat.size - 1, 0), min(VALUE_COUNT, flat.size)).astype(np.int64))
    if wide.dtype != np.float64:
        return {"at": at.tolist(), "shape": list(wide.shape), "values": [int(v) for v in flat[at]]}
    largest, mean = _measures(wide)
    return {
        "at": at.tolist(),
        "bound": bound,
        "largest": largest,
        "mean": _steps(mean, largest),
        "shape": list(wide.shape),
        "values": [_steps(float(v), largest) for v in flat[at]],
    }


def _form(array: Array) -> dict[str, Any]:
    return {"drawn": _is_finite(array), "shape": list(array.shape)}


def _is_finite(array: Array) -> bool:
    return bool(np.isfinite(array.astype(np.float64)).all())


def _steps(value: float, largest: float) -> int | None:
    if not np.isfinite(value):
        return None
    return round(value / largest * STEPS) if largest else 0


def _measures(array: Array) -> tuple[float, float]:
    """Largest magnitude (to 6 digits) and mean of what is finite."""
    numbers = array.astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        return 0.0, 0.0
    return float(f"{np.abs(numbers).max():.6g}"), float(numbers.mean())


def _compare(got: Array | None, output: dict[str, Any]) -> str | None:
    if got is None:
        return "expected it among the outputs, got none of this name"
    if got.dtype.name != output["dtype"] or list(got.shape) != output["shape"]:
        return f"expected {output['dtype']} {output['shape']}, got {got.dtype} {list(got.shape)}"
    if "drawn" in output:
        return "expected finite numbers, got NaN or infinity" if output["drawn"] and not _is_finite(got) else None
    flat = got.reshape(-1)[np.array(output["at"], dtype=np.int64)]
    if output["dtype"] not in TOLERANCE:
        expected = [int(v) for v in output["values"]]
        return None if [int(v) for v in flat] == expected else f"expected {expected}, got {flat.tolist()}"
    largest = float(output["largest"])
    step = largest / STEPS
    allowed = float(output["bound"]) + step  # recorded values are rounded to steps
    values = [*(float(v) for v in flat), _measures(got)[1]]
    for value, steps in zip(values, [*output["values"], output["mean"]], strict=True):
        if steps is None or not np.isfinite(value):
            if steps is not None or np.isfinite(value):
                return f"expected {'NaN or infinity' if steps is None else steps * step}, got {value}"
        elif not abs(value - steps * step) <= allowed:
            return f"expected {steps * step:.6g}, got {value:.6g} (tolerance {allowed:.3g})"
    return None
