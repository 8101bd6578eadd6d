"""Real checkpoints of the 0.8 era, in four ways, against what MXNet 1.9.1 answered (tests/golden/make_shared.py)."""

import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from formats.golden import SHARED, needs_shared

import gluonnx as mx
from gluonnx import nd
from gluonnx.gluon import SymbolBlock
from gluonnx.onnx import export_model

ANSWERS = Path(__file__).parents[1] / "golden" / "shared"
LOADER = Path(__file__).parents[2] / "cpp_loader" / "build" / "gluonnx-run"
TOLERANCE = 1e-5
NAMES = ["det1", "det2", "det3", "det4", "save_000800"]
LABELS = {"det2": "prob1_label", "det3": "prob1_label", "save_000800": "softmax_label"}

pytestmark = [pytest.mark.shared, needs_shared]


def answer(name):
    """Input, outputs and (for a graph without a file of them) parameters."""
    with np.load(ANSWERS / f"{name}.npz") as file:
        arrays = dict(file)
    outputs = [arrays[f"output{i}"] for i in range(sum(n.startswith("output") for n in arrays))]
    return arrays["data"], outputs, {n: nd.array(a) for n, a in arrays.items() if ":" in n}


def files_of(name, folder):
    if name == "save_000800":
        nd.save(str(folder / "legacy.params"), answer(name)[2])
        return SHARED / "legacy" / "save_000800.json", folder / "legacy.params"
    return SHARED / "mtcnn" / f"{name}-symbol.json", SHARED / "mtcnn" / f"{name}-0001.params"


def imported(name, folder):
    """The block and what to call it with."""
    symbol, params = files_of(name, folder)
    inputs = [nd.array(answer(name)[0])]
    names = ["data"]
    if name in LABELS:
        names.append(LABELS[name])
        inputs.append(nd.zeros((len(inputs[0]),)))
    return SymbolBlock.imports(symbol, names, params), inputs


def assert_near(outputs, name):
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    expected = answer(name)[1]
    assert len(outputs) == len(expected)
    for got, want in zip(outputs, expected, strict=True):
        got = got if isinstance(got, np.ndarray) else got.asnumpy()
        np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_imported_eager_and_hybridized(name, tmp_path):
    net, inputs = imported(name, tmp_path)
    assert_near(net(*inputs), name)
    net.hybridize()
    assert_near(net(*inputs), name)


@pytest.mark.parametrize("name", NAMES)
def test_exported_to_plain_onnx_runtime_and_back(name, tmp_path):
    net, inputs = imported(name, tmp_path)
    net.hybridize()
    net(*inputs)
    path = net.export(tmp_path / "net")[2]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["data"]
    assert_near(session.run(None, {"data": answer(name)[0]}), name)
    again = SymbolBlock.imports(path)
    assert_near(again(*inputs), name)


@pytest.mark.cpp
@pytest.mark.parametrize("name", NAMES)
def test_exported_to_the_cpp_loader(name, tmp_path):
    if not LOADER.is_file():
        pytest.skip("the C++ loader is not built")
    symbol, params = files_of(name, tmp_path)
    data, expected, _ = answer(name)
    path = export_model(symbol, params, [data.shape], np.float32, tmp_path / "net.onnx", dynamic=True)
    np.save(tmp_path / "data.npy", data)
    names = [o.name for o in onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_outputs()]
    command = [LOADER, path, "--input", f"data={tmp_path / 'data.npy'}", "--json"]
    for output, want in zip(names, expected, strict=True):
        np.save(tmp_path / f"{output}.npy", want)
        command += ["--expect", f"{output}={tmp_path / output}.npy"]
    command += ["--tolerance", str(TOLERANCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


@pytest.mark.parametrize("name", ["det1", "det3"])
def test_the_symbol_json_keeps_mxnets_form(name, tmp_path):
    net, inputs = imported(name, tmp_path)
    net.hybridize()
    net(*inputs)
    symbol, params, _ = net.export(tmp_path / "net")
    graph, arg, aux = mx.model.load_checkpoint(str(SHARED / "mtcnn" / name), 1)
    assert mx.sym.load(symbol).list_arguments() == graph.list_arguments()
    assert nd.load(params).keys() == {f"arg:{n}" for n in arg} | {f"aux:{n}" for n in aux}


def test_arrays_of_the_first_era():
    arrays = nd.load(str(SHARED / "legacy" / "legacy_ndarray.v0"))
    assert len(arrays) == 6
    for array in arrays:
        np.testing.assert_array_equal(array.asnumpy(), np.arange(128))
