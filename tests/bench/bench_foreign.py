"""Foreign ONNX models: import, agreement with plain ONNX Runtime on both executors, a gradient step, export again.

pip download --no-deps rapidocr-onnxruntime==1.4.4 && unzip rapidocr_onnxruntime-*.whl
PYTHONPATH=.:cli:runtime python tests/bench/bench_foreign.py rapidocr_onnxruntime/models/*.onnx [--size 48x192]
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from gluonnx_runtime import Session

import gluonnx as mx
from gluonnx import autograd
from gluonnx.gluon import SymbolBlock, Trainer
from gluonnx.onnx import import_to_files
from gluonnx.symbol.graph import topological

TOLERANCE = 1e-4
RATE = 1e-4


def measure(path: Path, height: int, width: int) -> bool:
    """Print what becomes of one model that takes images; return whether all of it holds."""
    start = time.perf_counter()
    net = SymbolBlock.imports(path)
    seconds = time.perf_counter() - start
    ops = [n.op.name for n in topological(net._graph._heads) if n.op is not None and n.op.name != "_onnx.Constant"]
    kept = [name for name in ops if name.startswith("_onnx.")]
    print(f"{path.name}: imported in {seconds:.2f} s, {len(ops)} operators, {len(kept)} kept as ONNX")
    images = _strokes(height, width)
    (name,) = (s.name for s in net._graph_inputs)
    (expected,) = Session(path, device="cpu").run({name: images}).values()
    data = mx.nd.array(images)
    on_torch = net(data).asnumpy()
    net.hybridize()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_runtime = net(data).asnumpy()
    errors = [float(np.abs(out - expected).max()) for out in (on_torch, in_runtime)]
    print(f"    largest difference from ONNX Runtime: torch {errors[0]:.1e}, hybridized {errors[1]:.1e}")
    with tempfile.TemporaryDirectory() as folder:
        target = f"{folder}/again"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            symbol_file, params_file = import_to_files(path, target)
        mx.onnx.export_model(
            str(symbol_file),
            str(params_file),
            [images.shape],
            onnx_file_path=f"{target}.onnx",
            dynamic=True,
            sample_inputs=[images],
        )
        (again,) = Session(f"{target}.onnx", device="cpu").run({name: images}).values()
        graph, arrays = mx.sym.load(str(symbol_file)), mx.nd.load(str(params_file))
        reloaded = SymbolBlock.imports(symbol_file, [name], params_file)
        back = SymbolBlock.imports(f"{target}.onnx")
        same = graph.tojson() == back._graph.tojson()
        errors += [float(np.abs(out - expected).max()) for out in (again, reloaded(data).asnumpy())]
    print(f"    exported again: ONNX {errors[2]:.1e}, symbol-json and params {errors[3]:.1e} ({len(arrays)} arrays)")
    losses = _train(net, data, expected)
    print(f"    loss before and after a gradient step: {losses[0]:.6f} {losses[1]:.6f}")
    return max(errors) <= TOLERANCE and losses[1] < losses[0] and same


def _strokes(height: int, width: int) -> np.ndarray:
    """Two images of lines of black strokes on white, which a text detector finds."""
    random = np.random.default_rng(0)
    image = np.ones((height, width), dtype=np.float32)
    for top in range(8, height - 16, 24):
        for left in range(8, width - 10, 9):
            for _ in range(3):
                if random.random() < 0.5:
                    x = left + int(random.integers(0, 6))
                    image[top : top + 12, x : x + 2] = -1
                else:
                    y = top + int(random.integers(0, 10))
                    image[y : y + 2, left : left + 7] = -1
    return np.stack([np.stack([image] * 3), np.stack([image[:, ::-1]] * 3)])


def _train(net: SymbolBlock, data: mx.nd.NDArray, expected: np.ndarray) -> tuple[float, float]:
    """Take one step toward other outputs; return the loss before it and after it."""
    target = mx.nd.array(expected[::-1].copy() * 0.5)
    trainer = Trainer(net.collect_params(), "sgd", {"learning_rate": RATE})
    losses = []
    for is_step in (True, False):
        with autograd.record(train_mode=False):
            loss = ((net(data) - target) ** 2).sum()
        losses.append(float(loss.asscalar()))
        if is_step:
            loss.backward()
            trainer.step(data.shape[0])
    return losses[0], losses[1]


def main() -> int:
    """Measure every model that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--size", default="48x192", help="height and width of the images")
    options = parser.parse_args()
    height, width = map(int, options.size.split("x"))
    results = [measure(path, height, width) for path in options.models]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
