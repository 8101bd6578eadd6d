import json
from pathlib import Path

import pytest
from onnx import ModelProto, TensorProto, helper


def test_table(gluonnx, folder):
    result = gluonnx("info", "two.onnx")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "input       data float(batch, 4)",
        "output      output float(batch, 3)",
        "output      negative float(batch, 4)",
        "opset       ai.onnx 17",
        "producer    a test 7",
        "parameters  12",
        "operators   MatMul x1, Neg x1",
        "metadata    gluonnx.symbol, note",
    ]


def test_json(gluonnx, folder):
    result = gluonnx("info", "net.onnx", "--json")
    assert json.loads(result.stdout) == {
        "producer": "a test 7",
        "opsets": {"ai.onnx": 17},
        "inputs": [{"name": "data", "dtype": "float", "shape": ["batch", 4]}],
        "outputs": [{"name": "output", "dtype": "float", "shape": ["batch", 3]}],
        "parameters": 12,
        "operators": {"MatMul": 1},
        "metadata": {"gluonnx.symbol": "{}", "note": "größer"},
    }


def test_weights_among_the_inputs_and_open_shapes(gluonnx, folder):
    """MXNet's exporter lists weights as inputs; other files leave ranks and types open."""
    data = helper.make_tensor_value_info("data", TensorProto.INT64, (None, "n", 2))
    weight = helper.make_tensor_value_info("weight", TensorProto.FLOAT, (2,))
    free = helper.make_tensor_value_info("free", TensorProto.FLOAT, None)
    many = helper.make_tensor_sequence_value_info("many", TensorProto.FLOAT, None)
    initializer = helper.make_tensor("weight", TensorProto.FLOAT, (2,), [1, 2])
    graph = helper.make_graph([], "test", [data, weight, free, many], [data], [initializer])
    Path("old.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    report = json.loads(gluonnx("info", "old.onnx", "--json").stdout)
    assert report["inputs"] == [
        {"name": "data", "dtype": "int64", "shape": ["?", "n", 2]},
        {"name": "free", "dtype": "float", "shape": None},
        {"name": "many", "dtype": "sequence", "shape": None},
    ]
    assert "input       many sequence\n" in gluonnx("info", "old.onnx").stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no model", "got a text file. Check that it is complete"),
        (b"\xff\x01", "got bytes that are no protobuf message, or are cut short. Check that it is complete"),
        (b"", "got an empty file. Copy or download it again"),
        (
            ModelProto(ir_version=9).SerializeToString(),
            "got a file without IR version or opset. Check that it is complete",
        ),
    ],
)
def test_not_onnx(gluonnx, folder, content, message):
    Path("bad.onnx").write_bytes(content)
    result = gluonnx("info", "bad.onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: bad.onnx: not an ONNX model: expected an .onnx file, {message}.\n"


def test_missing(gluonnx, folder):
    result = gluonnx("info", "no.onnx")
    assert (result.exit_code, result.stderr) == (1, "error: no.onnx: No such file or directory\n")
