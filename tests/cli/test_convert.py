"""`gluonnx export` and `gluonnx import`: what they pass on. The conversion itself is tested where it is made."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from gluonnx_cli.arguments import InputSpec, parse_input_spec
from hypothesis import given
from hypothesis import strategies as st

from gluonnx.errors import ExportError, FormatError

SYMBOL = {
    "nodes": [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "fc_weight", "inputs": []},
        {"op": "null", "name": "mask", "inputs": []},
        {"op": "FullyConnected", "name": "fc", "inputs": [[0, 0, 0], [1, 0, 0]]},
    ]
}


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A stand-in for gluonnx.onnx that records how it is called, beside net-symbol.json and net-0000.params."""
    monkeypatch.chdir(tmp_path)
    Path("net-symbol.json").write_text(json.dumps(SYMBOL))
    Path("net-0000.params").write_bytes(b"")
    recorded = []

    def export_model(sym, params, **options):
        recorded.append((sym, params, options))
        return options["onnx_file_path"]

    def import_to_files(onnx_path, prefix, epoch=0):
        recorded.append((onnx_path, prefix, epoch))
        return Path(f"{prefix}-symbol.json"), Path(f"{prefix}-{epoch:04d}.params")

    fake = types.ModuleType("gluonnx.onnx")
    fake.export_model = export_model
    fake.import_to_files = import_to_files
    monkeypatch.setitem(sys.modules, "gluonnx.onnx", fake)
    return recorded


def test_export(gluonnx, calls):
    result = gluonnx("export", "net-symbol.json", "net-0000.params", "-o", "net.onnx", "--input", "data:1,1,28,28")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "net.onnx\n", "")
    expected = {"in_shapes": [(1, 1, 28, 28)], "in_types": [np.float32], "onnx_file_path": "net.onnx", "dynamic": True}
    assert calls == [("net-symbol.json", "net-0000.params", expected)]


def test_export_options(gluonnx, calls):
    result = gluonnx(
        *("export", "net-symbol.json", "-o", "out/net.onnx", "--opset", "17", "--fixed-batch"),
        *("--input", "mask:8:int64", "--input", "data:8,4:float16"),
    )
    assert (result.stdout, result.stderr) == ("out/net.onnx\n", "parameters: net-0000.params\n")
    expected = {
        "in_shapes": [(8, 4), (8,)],
        "in_types": [np.float16, np.int64],
        "onnx_file_path": "out/net.onnx",
        "dynamic": False,
        "opset": 17,
    }
    assert calls == [("net-symbol.json", "net-0000.params", expected)]


def test_export_names_axes_and_the_rest(gluonnx, calls):
    result = gluonnx(
        *("export", "net-symbol.json", "net-0000.params", "-o", "net.onnx", "--input", "data:2,3,8,8"),
        *("--input", "mask:2,5", "--dynamic", "data:2=height", "--dynamic", "mask:1=length", "--dtype", "float16"),
        *("--input-name", "data=image", "--output-name", "y", "--metadata", "note=a=b", "--external-data"),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    (_, _, options) = calls[0]
    assert options["dynamic"] is True
    assert options["dynamic_input_shapes"] == [(None, 3, "height", 8), (None, "length")]
    assert options["dtype"] == "float16"
    assert options["input_names"] == {"data": "image"}
    assert options["output_names"] == ["y"]
    assert options["metadata"] == {"note": "a=b"}
    assert options["external_data"] is True
    gluonnx(
        *("export", "net-symbol.json", "net-0000.params", "-o", "net.onnx", "--input", "data:2,3"),
        *("--dynamic", "data:1=n", "--fixed-batch"),
    )
    assert calls[1][2]["dynamic_input_shapes"] == [(2, "n")]


@pytest.mark.parametrize("content", ["not json", "[]", '{"nodes": [1]}', '{"nodes": null}'])
def test_export_leaves_a_bad_symbol_to_the_library(gluonnx, calls, content):
    Path("net-symbol.json").write_text(content)
    gluonnx("export", "net-symbol.json", "-o", "net.onnx", "--input", "b:1", "--input", "a:2")
    assert calls[0][2]["in_shapes"] == [(1,), (2,)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["net-symbol.json", "--input", "x:1,4"],
            "--input: no such variable in net-symbol.json: expected one of data, fc_weight, mask, got name='x'",
        ),
        (["no.json", "--input", "data:1,4"], "no.json: No such file or directory"),
    ],
)
def test_export_errors(gluonnx, calls, arguments, message):
    result = gluonnx("export", *arguments, "-o", "net.onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {message}")
    assert calls == []


def test_export_without_parameters_beside(gluonnx, calls):
    Path("net-0001.params").write_bytes(b"")
    Path("net-best.params").write_bytes(b"")
    result = gluonnx("export", "net-symbol.json", "-o", "net.onnx", "--input", "data:1")
    assert result.stderr == (
        "error: net-symbol.json: which parameters: expected one net-0000.params beside it, "
        "got net-0000.params, net-0001.params. Name the file as the second argument.\n"
    )
    Path("net-0000.params").unlink()
    Path("net-0001.params").unlink()
    result = gluonnx("export", "net-symbol.json", "-o", "net.onnx", "--input", "data:1")
    assert "expected one net-0000.params beside it, got none" in result.stderr
    assert calls == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "data"], "expected NAME:SIZE,SIZE,...[:DTYPE], got 'data'"),
        (["--input", "data:1,x"], "expected NAME:SIZE,SIZE,...[:DTYPE], got 'data:1,x'"),
        (["--input", "data:1:float33"], "expected a numpy dtype such as float32, got 'float33' for 'data'"),
        (["--input", "data:1", "--input", "data:2"], "expected each name once, got one twice"),
        ([], "Missing option '--input'"),
        (["--input", "data:1", "--opset", "0"], "Invalid value for '--opset'"),
        (["--input", "data:1", "--dynamic", "data"], "expected NAME:AXIS=LABEL, got 'data'"),
        (["--input", "data:1", "--dynamic", "data:1=n"], "expected an axis of one of data(1,), got 'data:1=n'"),
        (["--input", "data:1", "--dynamic", "x:0=n"], "expected an axis of one of data(1,), got 'x:0=n'"),
        (["--input", "data:1", "--metadata", "x"], "expected KEY=TEXT, got 'x'"),
        (["--input", "data:1", "--input-name", "x"], "expected NAME=NEW, got 'x'"),
    ],
)
def test_export_usage(gluonnx, calls, arguments, message):
    result = gluonnx("export", "net-symbol.json", "-o", "net.onnx", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert calls == []


def test_library_errors_are_one_line(gluonnx, calls, monkeypatch):
    def refuse(*args, **kwargs):
        raise ExportError("net: two operators:\n  a\n  b")

    monkeypatch.setattr(sys.modules["gluonnx.onnx"], "export_model", refuse)
    result = gluonnx("export", "net-symbol.json", "-o", "net.onnx", "--input", "data:1")
    assert result.exit_code == 1
    assert result.stderr.endswith("error: net: two operators: a b\n")


def test_import(gluonnx, calls):
    result = gluonnx("import", "net.onnx", "-o", "copies/net", "--epoch", "7")
    assert (result.exit_code, result.stdout) == (0, "copies/net-symbol.json\ncopies/net-0007.params\n")
    gluonnx("import", "net.onnx", "--output", "net")
    assert calls == [(Path("net.onnx"), Path("copies/net"), 7), (Path("net.onnx"), Path("net"), 0)]


def test_import_errors(gluonnx, calls, monkeypatch):
    def refuse(*args):
        raise FormatError("net.onnx: not an ONNX model")

    monkeypatch.setattr(sys.modules["gluonnx.onnx"], "import_to_files", refuse)
    result = gluonnx("import", "net.onnx", "-o", "net")
    assert (result.exit_code, result.stderr) == (1, "error: net.onnx: not an ONNX model\n")
    assert gluonnx("import", "net.onnx").exit_code == 2
    assert gluonnx("import", "net.onnx", "-o", "net", "--epoch", "10000").exit_code == 2


@given(
    st.text("abcdefgh_0123456789", min_size=1),
    st.lists(st.integers(0, 10**6), max_size=5).map(tuple),
    st.sampled_from(["float32", "int64", "bool"]),
)
def test_input_spec_round_trip(name, shape, dtype):
    sizes = ",".join(map(str, shape))
    assert parse_input_spec(f"{name}:{sizes}:{dtype}") == InputSpec(name, shape, dtype)
    assert parse_input_spec(f"{name}:{sizes}") == InputSpec(name, shape, "float32")
