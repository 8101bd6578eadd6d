"""A small model and its arrays, and the command in this process or in a fresh one."""

import contextlib
import io
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from gluonnx_cli.main import app
from onnx import TensorProto, helper, numpy_helper

WEIGHT = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]], np.float32)
DATA = np.arange(8, dtype=np.float32).reshape(2, 4)
ANSWER = DATA @ WEIGHT


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder: net.onnx (data (batch, 4) -> output (batch, 3)), two.onnx (two outputs), x.npy, y.npy."""
    monkeypatch.chdir(tmp_path)
    _write_model("net.onnx", [helper.make_node("MatMul", ["data", "weight"], ["output"])], {"output": 3})
    nodes = [
        helper.make_node("MatMul", ["data", "weight"], ["output"]),
        helper.make_node("Neg", ["data"], ["negative"]),
    ]
    _write_model("two.onnx", nodes, {"output": 3, "negative": 4})
    np.save("x.npy", DATA)
    np.save("y.npy", ANSWER)
    return tmp_path


def _write_model(name, nodes, outputs):
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ("batch", 4))],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, ("batch", size)) for key, size in outputs.items()],
        [numpy_helper.from_array(WEIGHT, "weight"), numpy_helper.from_array(np.int64([1, 2]), "shape")],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="a test", producer_version="7"
    )
    helper.set_model_props(model, {"gluonnx.symbol": "{}", "note": "größer"})
    Path(name).write_bytes(model.SerializeToString())


@pytest.fixture
def gluonnx():
    """Call the command in this process; the result has exit_code, stdout and stderr. What it raises comes through."""

    def call(*arguments):
        stdout, stderr = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
            pytest.raises(SystemExit) as caught,
        ):
            app([str(argument) for argument in arguments], prog_name="gluonnx")
        return types.SimpleNamespace(exit_code=caught.value.code, stdout=stdout.getvalue(), stderr=stderr.getvalue())

    return call


@pytest.fixture
def fresh_python():
    """Run a fresh Python on this session's import path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}

    def call(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return call
