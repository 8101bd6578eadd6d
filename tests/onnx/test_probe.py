"""The proof of a large model: read back, its weights where they are in memory."""

import numpy as np
import pytest
from gluonnx_runtime import Session
from handmade import evaluate, numbers

from gluonnx.errors import ExportError
from gluonnx.formats import FileSet
from gluonnx.onnx import ExportOptions, export_graph, files, probe, read_model, reading, wire

GIVEN = (["data"], [(2, 4)], ["float32"])


@pytest.fixture(autouse=True)
def all_is_large(monkeypatch):
    for module, name, size in (
        (probe, "LARGE_MODEL_BYTES", 0),
        (probe, "LARGE_BYTES", 16),
        (reading, "LARGE_BYTES", 16),
        (reading, "_SMALLEST_SPLIT_BYTES", 0),
        (wire, "LARGE_BYTES", 16),
        (files, "SMALLEST_EXTERNAL_BYTES", 16),
    ):
        monkeypatch.setattr(module, name, size)


@pytest.fixture
def sessions(monkeypatch):
    """The sources of sessions, and the initializers that they were given."""
    opened = []
    real = probe.open_session

    def note(model, source, *, initializers):
        opened.append((source.suffix, sorted(initializers)))
        return real(model, source, initializers=initializers)

    monkeypatch.setattr(probe, "open_session", note)
    return opened


@pytest.mark.parametrize("external", [False, True])
def test_a_large_model(mlp, tmp_path, sessions, external):
    heads, params = mlp
    path = tmp_path / "net.onnx"
    model = export_graph(path, heads, *GIVEN, params, options=ExportOptions(external_data=external))
    assert sessions == [(".probe", sorted(n for n, a in params.items() if a.nbytes >= 16))]
    assert len(list(tmp_path.iterdir())) == 1 + external
    if not external:
        assert path.read_bytes() == model.serialize() == read_model(path).SerializeToString(deterministic=True)
    x = numbers(0, data=(2, 4))
    np.testing.assert_allclose(Session(path, device="cpu")(x["data"]), evaluate(heads, {**params, **x})[0], rtol=1e-5)


@pytest.mark.parametrize("external", [False, True])
def test_a_disk_that_keeps_other_bytes(mlp, tmp_path, monkeypatch, external):
    heads, params = mlp
    real = FileSet.staged_path

    def spoil(self, path):
        """Change a byte of a weight behind the writer's back."""
        staged = real(self, path)
        data = bytearray(staged.read_bytes())
        first = next(a for a in params.values() if a.nbytes >= 16).tobytes()
        if first in data:
            data[data.index(first)] ^= 1
            staged.write_bytes(data)
        return staged

    monkeypatch.setattr(FileSet, "staged_path", spoil)
    with pytest.raises(
        ExportError, match=r"net\.onnx: written wrongly: expected the values of `\w+` at \d+ of the file"
    ):
        export_graph(tmp_path / "net.onnx", heads, *GIVEN, params, options=ExportOptions(external_data=external))
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_a_parameter(mlp, tmp_path, monkeypatch):
    heads, params = mlp

    class Forgetful(reading.ModelFile):
        def as_external(self, location):
            proto, places = super().as_external(location)
            del proto.graph.initializer[0]
            return proto, places

    monkeypatch.setattr(probe, "ModelFile", Forgetful)
    with pytest.raises(ExportError, match="expected every parameter in the file, got none of"):
        export_graph(tmp_path / "net.onnx", heads, *GIVEN, params)
    assert list(tmp_path.iterdir()) == []
