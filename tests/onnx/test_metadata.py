"""Models that come back as the graph they were, and files that are no models."""

import numpy as np
import onnx
import pytest
from handmade import call, declare, evaluate, numbers, var
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from gluonnx.errors import EditedModelError, ExportError, FileAccessError, FormatError
from gluonnx.formats import read_params
from gluonnx.onnx import export_graph, import_to_files, lower, read_model, read_restored, restore, write_model
from gluonnx.onnx import model as model_module
from gluonnx.onnx.metadata import FORMAT_KEY, SYMBOL_KEY
from gluonnx.symbol.text import dumps, load, load_json


@pytest.fixture
def exported(mlp, tmp_path):
    heads, params = mlp
    path = tmp_path / "net.onnx"
    export_graph(path, heads, ["data"], [(2, 4)], ["float32"], params)
    return path


def test_a_model_comes_back_exactly(mlp, exported):
    heads, params = mlp
    restored = restore(read_model(exported))
    assert restored.symbol_json == dumps(heads)
    assert restored.input_names == ("data",)
    assert list(restored.parameters) == list(params)
    for name, array in restored.parameters.items():
        np.testing.assert_array_equal(array, params[name])
    x = numbers(0, data=(2, 4))
    again = load_json(restored.symbol_json)._heads
    np.testing.assert_array_equal(evaluate(again, {**restored.parameters, **x})[0], evaluate(heads, {**params, **x})[0])


def test_it_survives_tools_that_keep_the_computation(exported):
    model = read_model(exported)
    model.producer_name = "optimizer"
    model.graph.doc_string = "hello"
    model.graph.name = "other"
    helper.set_model_props(model, {**{p.key: p.value for p in model.metadata_props}, "author": "me"})
    assert restore(onnx.shape_inference.infer_shapes(model)) is not None
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(
        helper.make_tensor(tensor.name, TensorProto.FLOAT, tensor.dims, onnx.numpy_helper.to_array(tensor).reshape(-1))
    )
    assert not tensor.HasField("raw_data")
    assert restore(model) is not None


def _rename(model):
    model.graph.node[0].op_type = "Relu"


def _weight(model):
    raw = bytearray(model.graph.initializer[0].raw_data)
    raw[5] ^= 1
    model.graph.initializer[0].raw_data = bytes(raw)


def _symbol(model):
    next(p for p in model.metadata_props if p.key == SYMBOL_KEY).value += " "


def _digest(model):
    next(p for p in model.metadata_props if p.key == "gluonnx.digest").value = "[]"


def _opset(model):
    model.opset_import[0].version = 21


@pytest.mark.parametrize(
    ("edit", "part"),
    [(_rename, "graph"), (_opset, "graph"), (_weight, "initializers"), (_symbol, "metadata"), (_digest, "graph")],
)
def test_edits_are_told_apart(edit, part, exported):
    model = read_model(exported)
    edit(model)
    with pytest.raises(EditedModelError, match=rf"net: edited since gluonnx .* wrote it: .* of its {part}, got"):
        restore(model, "net")


def test_foreign_models_and_later_formats(exported):
    model = read_model(exported)
    format_entry = next(p for p in model.metadata_props if p.key == FORMAT_KEY)
    format_entry.value = "2"
    with pytest.raises(FormatError, match=r"unknown metadata format: expected gluonnx\.format=1, got '2' from gluonnx"):
        restore(model)
    del model.metadata_props[:]
    assert restore(model) is None


def test_unused_parameters_come_back(scratch, tmp_path):
    op = declare("_test_gamma", lambda x, gamma: x + 1, lambda g, x, gamma: g.op("Add", x, g.scalar(1, x)))
    op.parameters(lambda x: {"gamma": x[1:]})
    heads = [(call("_test_gamma", "bn0", var("data"), var("bn0_gamma")), 0)]
    params = numbers(0, bn0_gamma=(3,))
    export_graph(tmp_path / "net.onnx", heads, ["data"], [(2, 3)], ["float32"], params)
    model = read_model(tmp_path / "net.onnx")
    assert [t.name for t in model.graph.initializer] == ["constant"]
    np.testing.assert_array_equal(restore(model).parameters["bn0_gamma"], params["bn0_gamma"])


def test_batch_norm_comes_back_with_its_fixed_gamma(tmp_path):
    names = [f"bn0_{n}" for n in ("gamma", "beta", "moving_mean", "moving_var")]
    heads = [(call("BatchNorm", "bn0", var("data"), *map(var, names), fix_gamma=True), 0)]
    params = {n: np.abs(a) + 0.5 for n, a in numbers(0, **dict.fromkeys(names, (3,))).items()}
    export_graph(tmp_path / "net.onnx", heads, ["data"], [(2, 3, 4, 5)], ["float32"], params)
    symbol_path, params_path = import_to_files(tmp_path / "net.onnx", tmp_path / "back")
    assert load(symbol_path).list_auxiliary_states() == names[2:]
    arrays = read_params(params_path).as_dict()
    assert list(arrays) == [f"arg:{n}" for n in names[:2]] + [f"aux:{n}" for n in names[2:]]
    for name, array in params.items():
        np.testing.assert_array_equal(arrays.get(f"arg:{name}", arrays.get(f"aux:{name}")), array)


def test_import_to_files(mlp, exported, tmp_path):
    heads, params = mlp
    symbol_path, params_path = import_to_files(exported, tmp_path / "back", 3)
    assert (symbol_path.name, params_path.name) == ("back-symbol.json", "back-0003.params")
    assert dumps(load(symbol_path)._heads) == dumps(heads)
    arrays = read_params(params_path).as_dict()
    assert list(arrays) == [f"arg:{k}" for k in params]
    for name, array in params.items():
        np.testing.assert_array_equal(arrays[f"arg:{name}"], array)


def test_import_of_other_files(mlp, exported, tmp_path):
    _, params = mlp
    model = read_model(exported)
    _weight(model)
    onnx.save(model, tmp_path / "edited.onnx")
    with pytest.warns(UserWarning, match=r"edited\.onnx: edited since gluonnx .* read as any other ONNX file"):
        import_to_files(tmp_path / "edited.onnx", tmp_path / "back")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(FormatError, match=r"foreign\.onnx: not written by gluonnx"):
        read_restored(tmp_path / "foreign.onnx")
    _, params_path = import_to_files(tmp_path / "foreign.onnx", tmp_path / "foreign")
    assert sorted(read_params(params_path).as_dict()) == sorted(f"arg:{k}" for k in params)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html></html>", "an HTML or XML page"),
        (b'{"nodes": []}', "a JSON text"),
        (b"\x12\x01\x00\x00\x00\x00\x00\x00" + b"\0" * 20, r"an MXNet \.params file"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x08\x0a", "one without a graph|unknown kind"),
        (b"\x00\x01\x02\x03", "an unknown kind of file|one without a graph"),
    ],
)
def test_files_that_are_no_models(content, kind, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"net\.onnx: not an ONNX model: expected one, got ({kind})"):
        read_model(path)


def test_truncated_and_missing_files(exported, tmp_path):
    data = exported.read_bytes()
    exported.write_bytes(data[:-7])
    with pytest.raises(
        FormatError, match=r"net\.onnx: not an ONNX model: expected one, got a damaged or truncated one"
    ):
        read_model(exported)
    with pytest.raises(FileAccessError, match=r"missing\.onnx: cannot be read"):
        read_model(tmp_path / "missing.onnx")


@pytest.fixture(scope="module")
def some_bytes(tmp_path_factory):
    import handmade

    heads, params = handmade.mlp()
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    export_graph(path, heads, ["data"], [(2, 4)], ["float32"], params)
    return path, path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_changes_nothing(some_bytes, data):
    path, content = some_bytes
    if data.draw(st.booleans()):
        damaged = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        damaged = bytearray(content)
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    path = path.with_name("damaged.onnx")
    path.write_bytes(damaged)
    try:
        restored = restore(read_model(path))
    except FormatError:
        return
    # What is left: the graph was not ours any more, or the byte belonged to a name or number outside of the digest.
    if restored is not None:
        assert list(restored.parameters) == ["fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"]


def test_text_that_is_no_text(exported):
    data = exported.read_bytes()
    exported.write_bytes(data.replace(b"fc1/Gemm", b"fc1/\xffemm"))
    with pytest.raises(FormatError, match=r"net\.onnx: damaged: expected UTF-8 text in field `onnx\.NodeProto\.name`"):
        read_model(exported)


def test_external_data(mlp, tmp_path):
    heads, params = mlp
    model = lower(heads, ["data"], [(2, 4)], ["float32"], params)
    proto = onnx.load_model_from_string(model.serialize())
    onnx.save(proto, tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    read = read_model(tmp_path / "net.onnx")
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(read.graph.initializer[0]), params["fc1_weight"])
    data = (tmp_path / "net.data").read_bytes()
    (tmp_path / "net.data").write_bytes(data[:10])
    with pytest.raises(FormatError, match=r"tensor `fc1_weight`: external data truncated: .* got size_bytes=10"):
        read_model(tmp_path / "net.onnx")
    outside = tmp_path / "secret"
    outside.write_bytes(data)
    inner = tmp_path / "inner"
    inner.mkdir()
    for location in ("../secret", str(outside), ""):
        stored = onnx.load(tmp_path / "net.onnx", load_external_data=False)
        for entry in stored.graph.initializer[0].external_data:
            if entry.key == "location":
                entry.value = location
        (inner / "net.onnx").write_bytes(stored.SerializeToString())
        with pytest.raises(FormatError, match="data outside of the model's folder"):
            read_model(inner / "net.onnx")
    (inner / "link").symlink_to(outside)
    for entry in stored.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "link"
    (inner / "net.onnx").write_bytes(stored.SerializeToString())
    with pytest.raises(FormatError, match="data outside of the model's folder"):
        read_model(inner / "net.onnx")


def test_models_that_are_too_large(mlp, tmp_path, monkeypatch):
    heads, params = mlp
    model = lower(heads, ["data"], [(2, 4)], ["float32"], params)
    monkeypatch.setattr(model_module, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ExportError, match=r"net: model too large for one file: expected at most 100 bytes, got size_"):
        write_model(tmp_path / "net.onnx", model)
    assert not list(tmp_path.iterdir())


def test_every_flipped_bit_of_the_graph_is_an_error_or_changes_nothing(some_bytes):
    path, content = some_bytes
    end = content.index(b"gluonnx.digest")
    path = path.with_name("flipped.onnx")
    for place in range(end):
        for bit in (1, 16, 128):
            damaged = bytearray(content)
            damaged[place] ^= bit
            path.write_bytes(damaged)
            try:
                restored = restore(read_model(path))
            except FormatError:
                continue
            assert restored is None or len(restored.parameters) == 4
