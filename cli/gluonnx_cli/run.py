"""`gluonnx run`: run a model on arrays from files. Uses gluonnx_runtime alone; torch is never imported."""

import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .arguments import AsJson, ModelArgument, named_path, unique_names
from .errors import CommandError

if TYPE_CHECKING:
    import numpy.typing as npt
    from gluonnx_runtime import Session

__all__ = ["register"]

EPILOG = """\b
Examples:
  gluonnx run net.onnx --input data=x.npy --output y.npy
  gluonnx run net.onnx --input data=x.npy --expect output=y.npy --tolerance 1e-5 --repeat 100 --threads 1
"""
MILLISECONDS = 1e3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", epilog=EPILOG)(run)


def run(
    model: ModelArgument,
    inputs: Annotated[list[str], typer.Option("--input", metavar="NAME=FILE.npy", help="An input; one for each.")] = [],  # noqa: B006
    outputs: Annotated[
        list[str],
        typer.Option(
            "--output", metavar="[NAME=]FILE.npy", help="Where to write an output; no name if there is only one."
        ),
    ] = [],  # noqa: B006
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads within an operator; one per core if left out.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Timed runs; more than one print their latency.")] = 1,
    warmup: Annotated[int, typer.Option(min=0, help="Runs before the timed ones.")] = 0,
    expect: Annotated[
        list[str],
        typer.Option("--expect", metavar="NAME=FILE.npy", help="What an output must be; else nothing is written."),
    ] = [],  # noqa: B006
    tolerance: Annotated[float, typer.Option(min=0.0, help="Largest absolute difference from --expect.")] = 1e-5,
    as_json: AsJson = False,
) -> None:
    """Run a model on .npy files, write its outputs to .npy files."""
    feeds = unique_names("--input", [named_path("--input", text) for text in inputs])
    expected = unique_names("--expect", [named_path("--expect", text) for text in expect])

    from gluonnx_runtime import Session

    from .npy import read_array, write_arrays

    session = Session(model, device=device, intra_op_threads=threads)
    targets = _targets(session, outputs)
    _check_names(session, "--expect", expected)
    arrays = {name: read_array(path) for name, path in feeds.items()}
    references = {name: read_array(path) for name, path in expected.items()}
    results, latencies = _timed_runs(session, arrays, warmup, repeat)
    differences = {
        name: _difference(name, results[name], reference, tolerance) for name, reference in references.items()
    }
    write_arrays({path: results[name] for name, path in targets.items()})

    latency = _latency(latencies) if repeat > 1 else None
    if as_json:
        typer.echo(json.dumps(_report(model, session, results, targets, differences, latency), indent=2))
    else:
        _print(results, targets, differences, tolerance, latency)


def _targets(session: "Session", texts: list[str]) -> dict[str, Path]:
    """Output name -> file, for `FILE` (the only output) and `NAME=FILE`."""
    names = [info.name for info in session.outputs]
    pairs = []
    for text in texts:
        if "=" in text:
            pairs.append(named_path("--output", text))
        elif len(names) == 1:
            pairs.append((names[0], Path(text)))
        else:
            raise CommandError(
                f"--output: model has several outputs: expected NAME=FILE.npy with a name of {', '.join(names)}, "
                f"got {text!r}. Say which output goes to the file."
            )
    targets = unique_names("--output", pairs)
    _check_names(session, "--output", targets)
    if len(set(targets.values())) != len(targets):
        raise CommandError(
            f"--output: one file for two outputs: expected a file for each, got {', '.join(texts)}. Name another file."
        )
    return targets


def _check_names(session: "Session", option: str, names: Mapping[str, Path]) -> None:
    known = [info.name for info in session.outputs]
    for name in names:
        if name not in known:
            raise CommandError(
                f"{option}: unknown output: expected one of {', '.join(known)}, got {name!r}. "
                "Use the model's name for it."
            )


def _timed_runs(
    session: "Session", arrays: "dict[str, npt.NDArray[Any]]", warmup: int, repeat: int
) -> "tuple[dict[str, npt.NDArray[Any]], list[float]]":
    """Results of the last run, and the seconds of each timed one."""
    results: dict[str, npt.NDArray[Any]] = {}
    latencies = []
    for _ in range(warmup):
        session.run(arrays)
    for _ in range(repeat):
        start = time.perf_counter()
        results = session.run(arrays)
        latencies.append(time.perf_counter() - start)
    return results, latencies


def _difference(name: str, result: "npt.NDArray[Any]", reference: "npt.NDArray[Any]", tolerance: float) -> float:
    """Largest absolute difference; equal infinities and NaN at the same place count as equal.

    Raises:
        CommandError: It is larger than `tolerance`, or the shapes differ.
    """
    import numpy as np

    if result.shape != reference.shape:
        raise CommandError(
            f"--expect: output `{name}` has another shape: expected {reference.shape}, got shape={result.shape}. "
            "Check that the inputs are the ones of the expected output."
        )
    wide: type[np.number[Any]] = np.complex128 if "c" in (result.dtype.kind, reference.dtype.kind) else np.float64
    ours, theirs = result.astype(wide), reference.astype(wide)
    is_same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        differences = np.where(is_same, 0.0, np.abs(ours - theirs))
    largest = float(np.nan_to_num(differences, nan=np.inf, posinf=np.inf).max(initial=0.0))
    if not largest <= tolerance:
        raise CommandError(
            f"--expect: output `{name}` differs: expected at most {tolerance:g}, got difference={largest:g}. "
            "Nothing was written."
        )
    return largest


def _latency(seconds: list[float]) -> dict[str, float]:
    return {
        "min": min(seconds) * MILLISECONDS,
        "median": statistics.median(seconds) * MILLISECONDS,
        "mean": statistics.fmean(seconds) * MILLISECONDS,
    }


def _report(
    model: Path,
    session: "Session",
    results: "dict[str, npt.NDArray[Any]]",
    targets: dict[str, Path],
    differences: dict[str, float],
    latency: dict[str, float] | None,
) -> dict[str, Any]:
    described: dict[str, dict[str, Any]] = {}
    for name, result in results.items():
        described[name] = {"dtype": str(result.dtype), "shape": list(result.shape)}
        if name in targets:
            described[name]["file"] = str(targets[name])
        if name in differences:
            described[name]["difference"] = differences[name]
    report: dict[str, Any] = {"model": str(model), "device": str(session.device), "outputs": described}
    if latency is not None:
        report["latency_ms"] = latency
    return report


def _print(
    results: "dict[str, npt.NDArray[Any]]",
    targets: dict[str, Path],
    differences: dict[str, float],
    tolerance: float,
    latency: dict[str, float] | None,
) -> None:
    for name, result in results.items():
        line = f"{name} {result.dtype} {result.shape}"
        if name in targets:
            line += f" -> {targets[name]}"
        if name in differences:
            line += f", differs by {differences[name]:.3g} (tolerance {tolerance:g})"
        typer.echo(line)
    if latency is not None:
        typer.echo("latency ms: " + ", ".join(f"{name} {value:.4f}" for name, value in latency.items()))
