"""Train a digit classifier in Gluon, deploy it in six ways, and show that all of them agree.

    python samples/digits/demo.py [--epochs 20] [--out samples/digits/out]

Ends with an error unless every way has the accuracy of the imperative network and outputs within 1e-5 of its.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import model as digits
import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

import gluonnx as mx
from gluonnx.gluon import SymbolBlock

HERE = Path(__file__).resolve().parent
LOADER = HERE.parents[1] / "cpp_loader" / "build" / "gluonnx-run"
TOLERANCE = 1e-5
MIN_ACCURACY = 0.97
REPEAT = 200


@dataclass(frozen=True)
class Result:
    """What one way of running the network gave."""

    way: str
    outputs: np.ndarray
    latency_ms: float


def latency_ms(call: Callable[[], object]) -> float:
    """Return the median time of a call, in milliseconds."""
    times = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def run_block(way: str, block: Callable[[mx.nd.NDArray], mx.nd.NDArray], images: np.ndarray) -> Result:
    """Run a block in this process."""
    everything, first = mx.nd.array(images), mx.nd.array(images[:1])
    outputs = block(everything).asnumpy()
    return Result(way, outputs, latency_ms(lambda: block(first).asnumpy()))


def run_runtime(onnx_file: Path, source: Path, out: Path) -> Result:
    """Run the exported model in a process in which torch cannot be imported."""
    target = out / "runtime-output.npy"
    command = [sys.executable, HERE / "deploy.py", onnx_file, source, target, str(REPEAT)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Result("gluonnx_runtime, no torch", np.load(target), json.loads(done.stdout)["latency_ms"])


def run_cpp(onnx_file: Path, source: Path, out: Path) -> Result:
    """Run the exported model in C++."""
    if not LOADER.exists():
        raise SystemExit(f"{LOADER}: the C++ loader is not built. Run `make cpp`.")
    target, first = out / "cpp-output.npy", out / "first.npy"
    np.save(first, np.load(source)[:1])
    command = [LOADER, onnx_file, "--threads", "1"]
    subprocess.run([*command, "--input", f"data={source}", "--output", target], check=True, capture_output=True)
    timed = [*command, "--input", f"data={first}", "--output", out / "first.out.npy", "--repeat", str(REPEAT), "--json"]
    report = json.loads(subprocess.run(timed, check=True, capture_output=True, text=True).stdout)
    return Result("gluonnx-run, C++", np.load(target), report["latency_ms"]["median"])


def draw(images: np.ndarray, labels: np.ndarray, outputs: np.ndarray, target: Path) -> None:
    """Save a picture of test digits with their predictions; wrong ones in red, first."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    predicted = outputs.argmax(axis=1)
    order = np.argsort(predicted == labels, kind="stable")[:32]
    figure, axes = pyplot.subplots(4, 8, figsize=(8, 4.6))
    for axis, i in zip(axes.flat, order, strict=True):
        is_right = predicted[i] == labels[i]
        axis.imshow(images[i, 0], cmap="gray_r", vmin=0, vmax=1)
        axis.set_title(
            f"{predicted[i]}" if is_right else f"{predicted[i]}, is {labels[i]:.0f}",
            color="black" if is_right else "red",
            fontsize=9,
        )
        axis.axis("off")
    figure.suptitle("Test digits and what the exported network sees")
    figure.tight_layout()
    figure.savefig(target, dpi=110)
    pyplot.close(figure)


def main(
    epochs: Annotated[int, typer.Option(help="Passes over the training digits.", min=1)] = digits.EPOCHS,
    out: Annotated[Path, typer.Option(help="Folder for the model files and the picture.")] = HERE / "out",
) -> None:
    """Train, deploy in six ways, compare."""
    console = Console()
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    (train_images, train_labels), (test_images, test_labels) = digits.load()
    net = digits.lenet()
    start = time.perf_counter()
    digits.train(net, train_images, train_labels, epochs)
    console.print(f"trained on {len(train_images)} digits in {time.perf_counter() - start:.1f} s")

    net = digits.with_probabilities(net)
    results = [run_block("imperative", net, test_images)]
    net.hybridize()
    results.append(run_block("hybridized (ONNX Runtime)", net, test_images))
    symbol_file, params_file, onnx_file = (Path(p) for p in net.export(out / "digits"))
    console.print(f"exported {symbol_file.name}, {params_file.name}, {onnx_file.name} to {out}")
    imported = SymbolBlock.imports(symbol_file, ["data"], params_file)
    results.append(run_block("symbol-json + params, imported", imported, test_images))
    imported = SymbolBlock.imports(onnx_file)
    results.append(run_block(".onnx, imported", imported, test_images))
    source = out / "digits-input.npy"
    np.save(source, test_images)
    np.save(out / "digits-expected.npy", results[0].outputs)
    results.append(run_runtime(onnx_file, source, out))
    results.append(run_cpp(onnx_file, source, out))

    expected = results[0].outputs
    table = Table("way", "accuracy", "difference", "latency")
    failures = []
    for result in results:
        accuracy = digits.accuracy(result.outputs, test_labels)
        difference = float(np.abs(result.outputs - expected).max())
        table.add_row(result.way, f"{accuracy:.2%}", f"{difference:.1e}", f"{result.latency_ms:.3f} ms")
        if accuracy != digits.accuracy(expected, test_labels) or not difference <= TOLERANCE:
            failures.append(f"{result.way}: accuracy {accuracy:.4f}, largest difference {difference:.2e}")
    console.print(table)
    console.print("accuracy on the test digits, largest absolute difference from the imperative network, batch 1")
    picture = out / "predictions.png"
    draw(test_images, test_labels, results[-1].outputs, picture)
    console.print(f"picture of predictions: {picture}")
    if digits.accuracy(expected, test_labels) < MIN_ACCURACY:
        failures.append(f"test accuracy below {MIN_ACCURACY:.0%}")
    if failures:
        raise SystemExit("the ways do not agree with the imperative network:\n  " + "\n  ".join(failures))


if __name__ == "__main__":
    typer.run(main)
