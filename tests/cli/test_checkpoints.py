"""The commands on checkpoints that old MXNets wrote, and on files that are none."""

import gzip
import json
import shutil

import numpy as np
import onnxruntime
import pytest
from formats.eras import load_era


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """The working folder, with the files of MXNet 0.9.5 and 1.8.0 in `old` and `new`."""
    monkeypatch.chdir(tmp_path)
    load_era("0.9.5").unpack(tmp_path / "old")
    load_era("1.8.0").unpack(tmp_path / "new")
    return tmp_path


def test_info_of_parameters(gluonnx, unpacked):
    result = gluonnx("info", "old/module-0002.params")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert "array       arg:fc1_weight float32(6, 5)" in lines
    assert "array       aux:bn1_moving_var float32(6)" in lines
    assert lines[-4:] == [
        "arrays      8",
        "elements    81",
        "written by  export, save_checkpoint",
        "read by     SymbolBlock.imports, mx.model.load_checkpoint, mx.mod.Module.load, net.load_parameters",
    ]


@pytest.mark.parametrize(
    ("file", "writer", "reader"),
    [
        ("new/shared-save_parameters.params", "save_parameters", "net.load_parameters"),
        ("new/shared-save_params.params", "save_parameters", "net.load_parameters"),
        ("new/shared-dict.params", "collect_params().save", "net.load_parameters, SymbolBlock.imports"),
        ("old/unnamed.params", "nd.save of a list", "mx.nd.load"),
        ("old/none.params", "nd.save of a list", "mx.nd.load"),
    ],
)
def test_info_tells_which_call_reads_parameters(gluonnx, unpacked, file, writer, reader):
    report = json.loads(gluonnx("info", file, "--json").stdout)
    if file == "new/shared-save_params.params":  # an alias in 1.8
        assert report["written_by"] == "collect_params().save, save_params, nd.save"
        return
    assert report["written_by"].startswith(writer)
    assert report["read_by"] == reader


def test_info_of_storages(gluonnx, unpacked):
    lines = gluonnx("info", "new/sparse.params").stdout.splitlines()
    assert sorted(lines[:3]) == [
        "array       csr float32(3, 4) csr",
        "array       dense float32(2)",
        "array       rows float32(4, 2) row_sparse",
    ]
    assert lines[4] == "elements    9"


def test_info_of_graphs(gluonnx, unpacked):
    assert gluonnx("info", "new/custom-symbol.json").stdout.splitlines() == [
        "output      _mulscalar1",
        "variables   data, doubled_shift",
        "operators   Custom x1, _mul_scalar x1",
        "MXNet       1.8.0",
        "read by     SymbolBlock.imports, mx.sym.load, gluonnx export",
    ]
    report = json.loads(gluonnx("info", "new/loops-symbol.json", "--json").stdout)
    assert report["operators"]["FullyConnected"] == 1  # in the body of the loop
    assert report["outputs"] == ["_foreach0", "_cond0"]


def test_export(gluonnx, unpacked):
    for name in ("old", "new"):
        result = gluonnx("export", f"{name}/module-symbol.json", "-o", f"{name}.onnx", "--input", "data:8,5")
        assert (result.exit_code, result.stdout) == (0, f"{name}.onnx\n")
        era = load_era({"old": "0.9.5", "new": "1.8.0"}[name])
        session = onnxruntime.InferenceSession(f"{name}.onnx", providers=["CPUExecutionProvider"])
        (output,) = session.run(None, {"data": era.inputs("module")["data"]})
        np.testing.assert_allclose(output, era.outputs("module")[0], 1e-5, 1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["info", "html.params"],
            "html.params: not an MXNet .params file: expected list magic 0x112 at 0x0, got an HTML or XML page "
            "(a download that failed?). It is what a server answered instead of the file: download it again.",
        ),
        (
            ["info", "wrong.onnx"],
            "wrong.onnx: not an ONNX model: expected an .onnx file, got an MXNet .params file. It holds parameters, "
            "which mx.nd.load and net.load_parameters read; SymbolBlock.imports and `gluonnx export` take it with its "
            "`-symbol.json`.",
        ),
        (["info", "packed-symbol.json"], "got a gzip archive (byte 0x1 is 0x8b). Unpack it first."),
        (
            ["info", "none.params"],
            "none.params: cannot be read: expected a file none.params, got none. Check the path.",
        ),
        (
            ["import", "new/module-symbol.json", "-o", "x"],
            "new/module-symbol.json: not an ONNX model: expected one, got a JSON text. If it is a graph of MXNet, "
            "mx.sym.load and SymbolBlock.imports read it, and `gluonnx export` converts it to ONNX with the `.params` "
            "file beside it.",
        ),
        (
            [*("export", "new/module-symbol.json", "new/module-0002.states"), *("-o", "x.onnx", "--input", "data:8,5")],
            "got a Python pickle. An optimizer's `.states` file is one, and gluonnx reads none: a pickle can run any "
            "code. Pass the `.params` file beside it.",
        ),
        (
            [*("export", "new/module-0002.params", "new/module-symbol.json"), *("-o", "x.onnx", "--input", "data:8,5")],
            "new/module-0002.params: not JSON: expected UTF-8 text, got an MXNet .params file",
        ),
        (
            [
                *("export", "new/shared-export-symbol.json", "new/shared-save_parameters.params"),
                *("-o", "x.onnx", "--input", "data:2,3"),
            ],
            "new/shared-save_parameters.params: no parameter of the graph: expected names such as 'tied_dense2_bias', "
            "got '0.weight'. The file was written by `save_parameters`, whose names are paths in a network of blocks: "
            "build that network in Python and call net.load_parameters('new/shared-save_parameters.params'). Then "
            "net.export writes the ONNX file.",
        ),
        (
            [
                *("export", "new/shared-export-symbol.json", "new/module-0002.params"),
                *("-o", "x.onnx", "--input", "data:2,3"),
            ],
            "got 'arg:fc1_weight'. Pass the file of parameters that was written with the graph.",
        ),
    ],
)
def test_errors(gluonnx, unpacked, arguments, message):
    (unpacked / "html.params").write_bytes(b"<!DOCTYPE html><html>404</html>")
    shutil.copy("new/module-0002.params", "wrong.onnx")
    (unpacked / "packed-symbol.json").write_bytes(gzip.compress(b"{}"))
    result = gluonnx(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (unpacked / "x.onnx").exists()
