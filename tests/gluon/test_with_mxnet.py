"""Models that we export, real MXNet 1.9.1 loads and runs with the same outputs (GLUONNX_MXNET_PYTHON names it)."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from gluon.nets import convnet, images, initialized, rows
from gluon.test_export import Two

from gluonnx import nd
from gluonnx.gluon import SymbolBlock, nn

MXNET = os.environ.get("GLUONNX_MXNET_PYTHON")
GOLDEN = Path(__file__).parents[1] / "golden"

pytestmark = [
    pytest.mark.mxnet,
    pytest.mark.skipif(not MXNET, reason="GLUONNX_MXNET_PYTHON names no Python with MXNet 1.9.1"),
]


def check(folder):
    script = GOLDEN / "check_with_mxnet.py"
    return subprocess.run([MXNET, script, folder], capture_output=True, text=True, check=False)


def write(folder, name, net, *inputs):
    net.hybridize()
    outputs = net(*inputs)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    net.export(folder / name)
    names = ["data"] if len(inputs) == 1 else [f"data{i}" for i in range(len(inputs))]
    values = {**dict(zip(names, inputs, strict=True)), **{f"output{i}": o for i, o in enumerate(outputs)}}
    np.savez(folder / f"{name}-call.npz", **{k: v.asnumpy() for k, v in values.items()})


def test_mxnet_runs_what_we_export(tmp_path):
    write(tmp_path, "convnet", convnet(), images())
    write(tmp_path, "two", initialized(Two()), rows(), rows(seed=2))
    deferred = nn.HybridSequential()
    deferred.add(nn.Dense(4, activation="tanh"), nn.BatchNorm(scale=False), nn.Dense(2))
    deferred.initialize()
    write(tmp_path, "deferred", deferred, rows())
    path = GOLDEN / "models" / "module"
    module = SymbolBlock.imports(f"{path}-symbol.json", ["data", "softmax_label"], f"{path}-0000.params")
    module.hybridize()
    x = rows()
    output = module(x, nd.zeros((2,)))
    module.export(tmp_path / "module")
    np.savez(tmp_path / "module-call.npz", data=x.asnumpy(), output0=output.asnumpy())
    result = check(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "12 of 12 files agree with MXNet 1.9.1" in result.stdout


def test_mxnet_agrees_with_its_own_models():
    result = check(GOLDEN / "models")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_check_can_fail(tmp_path):
    write(tmp_path, "convnet", convnet(), images())
    call = tmp_path / "convnet-call.npz"
    with np.load(call) as values:
        arrays = dict(values)
    np.savez(call, **{**arrays, "output0": arrays["output0"] + 1e-3})
    result = check(tmp_path)
    assert result.returncode == 1
    assert "convnet-call.npz: output0: differs by 0.001" in result.stdout
