"""What we write, real MXNet 1.9.1 loads and writes again byte for byte (needs it; GLUONNX_MXNET_PYTHON names it)."""

import os
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from formats.golden import FILES, parts_of

from gluonnx.formats.params import Csr, RowSparse, write_params
from gluonnx.formats.symbol_json import EntryRecord, GraphRecord, NodeRecord, write_symbol_json

MXNET = os.environ.get("GLUONNX_MXNET_PYTHON")
SCRIPT = Path(__file__).parents[1] / "golden" / "check_with_mxnet.py"

pytestmark = [
    pytest.mark.mxnet,
    pytest.mark.skipif(not MXNET, reason="GLUONNX_MXNET_PYTHON names no Python with MXNet 1.9.1"),
]


def check(folder):
    return subprocess.run([MXNET, SCRIPT, folder], capture_output=True, text=True, check=False)


def write_files(folder):
    rng = np.random.default_rng(11)
    dtypes = ["f4", "f8", "f2", "u1", "i4", "i1", "i8", "?", ml_dtypes.bfloat16]
    sets = {
        "dtypes": {f"arg:{np.dtype(dtype).name}": rng.integers(0, 2, (3, 2)).astype(dtype) for dtype in dtypes},
        "list": [rng.standard_normal((1, 2, 3, 4)).astype("f4"), np.asfortranarray(rng.standard_normal((3, 4)))],
        "sparse": {
            "rows": RowSparse((5, 2), np.array([1, 4]), rng.standard_normal((2, 2)).astype("f4")),
            "csr": Csr((2, 3), np.array([0, 1, 3]), np.array([2, 0, 1]), rng.standard_normal(3)),
        },
        "np_shape": {"scalar": np.array(2.5, "f4"), "none": np.zeros((0, 3), "f4"), "x": np.ones((2, 2), "i8")},
        "nothing": {},
    }
    for name, arrays in sets.items():
        write_params(folder / f"{name}.params", arrays, np_shape=name == "np_shape")
        parts = {}
        for i, array in enumerate(arrays.values() if isinstance(arrays, dict) else arrays):
            for part, values in parts_of(array).items():
                parts[f"{i}/{part}"] = values.view("u2") if values.dtype == ml_dtypes.bfloat16 else values
        np.savez(folder / f"{name}.npz", **parts)
    text = 'quote " backslash \\ line \n tab \t bell \x07 é 中 \U0001f600'
    variables = tuple(NodeRecord("null", f"v{i}", {"text": text} if i == 3 else {}) for i in range(12))
    inputs = tuple(EntryRecord(i) for i in range(12))
    concat = NodeRecord("Concat", "joined", {"num_args": "12", "dim": "1"}, inputs)
    graph = GraphRecord(
        (*variables, concat), (EntryRecord(12),), tuple(range(12)), tuple(range(14)), {"mxnet_version": ("int", 10901)}
    )
    (folder / "concat-symbol.json").write_text(write_symbol_json(graph), encoding="utf-8", newline="")


def test_mxnet_reads_what_we_write(tmp_path):
    write_files(tmp_path)
    result = check(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 of 6 files agree with MXNet 1.9.1" in result.stdout


def test_mxnet_agrees_with_its_own_files():
    result = check(FILES)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_check_can_fail(tmp_path):
    write_params(tmp_path / "a.params", [np.ones(2, "f4")])
    np.savez(tmp_path / "a.npz", **{"0/data": np.zeros(2, "f4")})
    (tmp_path / "b-symbol.json").write_text("{}", encoding="utf-8")
    result = check(tmp_path)
    assert result.returncode == 1
    assert "a.params: 0/data: other values" in result.stdout
    assert "b-symbol.json: MXNet refuses it" in result.stdout
