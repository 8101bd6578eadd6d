"""`gluonnx verify`: files as they were written, changed ones, and those of others."""

import json
from pathlib import Path

import onnx
import pytest
from gluon.nets import convnet, images

from gluonnx.onnx import verify


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """The working folder with net-0000.onnx and big-0000.onnx, whose parameters are in a file beside it."""
    monkeypatch.chdir(tmp_path)
    net = convnet(prefix="net_")
    net.hybridize()
    net(images())
    net.export("net")
    net.export("big", external_data=True)
    return tmp_path


def test_a_file_as_it_was_written(gluonnx, exported):
    result = gluonnx("verify", "net-0000.onnx")
    assert (result.exit_code, result.stderr) == (0, "")
    first, graph, initializers, metadata, proof, bound = result.stdout.splitlines()
    assert first.startswith("net-0000.onnx: as gluonnx ")
    for line, part in ((graph, "graph"), (initializers, "initializers"), (metadata, "metadata")):
        assert line.startswith(f"{part:<14} ok, sha256 ")
        assert len(line.split()[-1]) == 64
    assert proof.startswith("proof          ok, data float32(2, 1, 8, 8) -> ")
    assert proof.endswith(" on cpu")
    name, _, allowed = bound.strip().partition(" within ")
    assert name in proof
    assert 0 < float(allowed) < 1e-3


def test_external_data_and_json(gluonnx, exported):
    result = gluonnx("verify", "big-0000.onnx", "--json")
    found = json.loads(result.stdout)
    assert found["ok"] is True
    assert list(found["digests"]) == ["graph", "initializers", "metadata", data_file().name]
    assert found["inputs"] == [["data", "float32", [2, 1, 8, 8]]]
    assert list(found["bounds"]) == [found["outputs"][0][0]]


def data_file():
    (path,) = Path().glob("big-0000.onnx.*.data")
    return path


def change_weights():
    data = bytearray(data_file().read_bytes())
    data[-1] ^= 1
    data_file().write_bytes(data)


def edit(change):
    def run():
        model = onnx.load("net-0000.onnx")
        change(model)
        onnx.save(model, "net-0000.onnx")

    return run


def change_proof(model):
    for entry in model.metadata_props:
        if entry.key == "gluonnx.proof":
            entry.value = entry.value.replace('"seed":0', '"seed":1')


@pytest.mark.parametrize(
    ("change", "file", "message"),
    [
        (change_weights, "big-0000.onnx", ".data: changed since gluonnx wrote it: expected SHA-256"),
        (lambda: data_file().write_bytes(b""), "big-0000.onnx", "got size_bytes=0. Copy it again"),
        (lambda: data_file().unlink(), "big-0000.onnx", ".data: cannot be read"),
        (edit(lambda m: m.graph.node.pop()), "net-0000.onnx", "edited since gluonnx"),
        (edit(change_proof), "net-0000.onnx", "(changed: metadata)"),
        (edit(lambda m: setattr(m, "ir_version", 120)), "net-0000.onnx", "expected a model that ONNX Runtime takes"),
        (edit(lambda m: m.ClearField("metadata_props")), "net-0000.onnx", "not written by gluonnx"),
        (lambda: Path("net-0000.onnx").write_bytes(b"x"), "net-0000.onnx", "not an ONNX model"),
        (lambda: Path("net-0000.onnx").unlink(), "net-0000.onnx", "net-0000.onnx: cannot be read"),
    ],
)
def test_what_is_not_as_it_was_written(gluonnx, exported, change, file, message):
    change()
    result = gluonnx("verify", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr


def test_parameters_that_another_tool_moved(gluonnx, exported):
    model = onnx.load("big-0000.onnx")
    onnx.save(model, "inside.onnx")
    onnx.save(model, "moved.onnx", save_as_external_data=True, location="other.data", size_threshold=0)
    Path("big-0000.onnx.data").unlink()
    assert gluonnx("verify", "inside.onnx").exit_code == 0
    result = gluonnx("verify", "moved.onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "expected its parameters in big-0000.onnx.data, got them in other.data" in result.stderr


def test_a_model_without_a_proof(gluonnx, exported):
    net = convnet(prefix="net_")
    net.hybridize()
    net(images())
    net.export("sampled", sample_inputs=[images()])
    result = gluonnx("verify", "sampled-0000.onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "no proof in the model: expected metadata `gluonnx.proof`, got none. Models that were checked" in result.stderr
    )


def test_the_library_function(exported):
    found = verify("net-0000.onnx")
    assert found.device == "cpu"
    assert [name for name, _, _ in found.inputs] == ["data"]
    assert len(found.outputs) == 1
