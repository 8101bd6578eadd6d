"""What a caller may choose about an exported file."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from gluon.nets import convnet, images, initialized, near
from gluonnx_runtime import Session
from handmade import numbers

import gluonnx as mx
from gluonnx import nd
from gluonnx.errors import ExportError, FormatError, GraphError, LoweringError
from gluonnx.gluon import SymbolBlock, nn
from gluonnx.onnx import export_graph, export_model, read_model, replay
from gluonnx.onnx.options import ExportOptions

GIVEN = (["data"], [(2, 4)], ["float32"])


def run(path, **feeds):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, feeds)


def fully_convolutional():
    net = nn.HybridSequential(prefix="fc_")
    with net.name_scope():
        net.add(nn.Conv2D(3, 3, padding=1, strides=2), nn.BatchNorm(), nn.Activation("relu"), nn.Conv2D(2, 1))
    net = initialized(net)
    net.hybridize()
    return net


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 21, 22])
def test_opsets(opset, tmp_path):
    net = convnet()
    net.hybridize()
    answer = net(images()).asnumpy()
    path = net.export(tmp_path / "net", opset=opset)[2]
    model = onnx.load(path)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", opset)]
    onnx.checker.check_model(model, full_check=True)
    assert [i.name for i in model.graph.input] == ["data"]
    near(run(path, data=images().asnumpy())[0], answer)
    replay(path)
    again = SymbolBlock.imports(path)
    again.hybridize()
    near(again(images()), answer)
    assert Path(again.export(tmp_path / "again", opset=opset)[2]).read_bytes() == Path(path).read_bytes()


def test_opsets_that_there_are_not(mlp, tmp_path):
    heads, params = mlp
    with pytest.raises(ExportError, match=r"net: unknown opset: expected 9 to \d+, got opset=99"):
        export_graph(tmp_path / "n.onnx", heads, *GIVEN, params, options=ExportOptions(opset=99))
    with pytest.raises(ExportError, match=r"not expressible in opset 9: .* Choose an opset nearer to 20\."):
        _layer_norm().export(tmp_path / "n", opset=9)
    assert list(tmp_path.iterdir()) == []


def _layer_norm():
    net = nn.LayerNorm(in_channels=4)
    net.initialize()
    net.hybridize()
    net(nd.ones((2, 4)))
    return net


@pytest.mark.parametrize("axes", [{"data": {2: "height", 3: "width"}}, {"data": [2, -1]}])
def test_open_axes(axes, tmp_path):
    net = fully_convolutional()
    x = nd.array(numbers(0, x=(2, 1, 8, 8))["x"])
    net(x)
    path = net.export(tmp_path / "net", dynamic_axes=axes)[2]
    (given,) = onnx.load(path).graph.input
    names = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
    assert names == (
        ["batch", 1, "height", "width"]
        if 2 in axes["data"] and isinstance(axes["data"], dict)
        else ["batch", 1, "data_2", "data_3"]
    )
    other = numbers(1, x=(5, 1, 13, 30))["x"]
    near(run(path, data=other)[0], net(nd.array(other)).asnumpy())
    replay(path)


def test_names_of_the_batch_axis_and_of_axes_of_several_inputs(tmp_path):
    a, b = mx.sym.var("a"), mx.sym.var("b")
    total = mx.sym.broadcast_add(a, b) * 2
    path = tmp_path / "n.onnx"
    given = (["a", "b"], [(2, 6), (1, 6)], ["float32"] * 2)
    options = ExportOptions(dynamic_axes={"a": {0: "rows", 1: "columns"}, "b": {1: "columns"}})
    export_graph(path, total._heads, *given, {}, options=options)
    shapes = [[d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in onnx.load(path).graph.input]
    assert shapes == [["rows", "columns"], [1, "columns"]]
    (out,) = onnx.load(path).graph.output
    assert [d.dim_param for d in out.type.tensor_type.shape.dim] == ["rows", "columns"]
    fixed = ExportOptions(dynamic_batch=False, dynamic_axes={"a": {1: "n"}, "b": {1: "n"}})
    export_graph(path, total._heads, *given, {}, options=fixed)
    assert run(path, a=np.ones((2, 9), "f4"), b=np.ones((1, 9), "f4"))[0].shape == (2, 9)


@pytest.mark.parametrize(
    ("axes", "error", "message"),
    [
        ({"other": {2: "h"}}, GraphError, "dynamic_axes of another input: expected one of data, got 'other'"),
        ({"data": {4: "h"}}, GraphError, r"dynamic_axes of `data`: expected an axis of \(2, 1, 8, 9\), got axis=4"),
        ({"data": {2: "h", 3: "h"}}, GraphError, "`h` has two sizes: expected one, got 8 in `data` and 9 in `data`"),
        ({"data": {2: 3}}, ExportError, "expected names by axis, as .*, got 2: 3"),
        ({"data": {1: "c"}}, LoweringError, "net: an axis is fixed: expected .* any size of c, .*fc_conv"),
    ],
)
def test_axes_that_cannot_be_open(axes, error, message, tmp_path):
    net = fully_convolutional()
    net(nd.ones((2, 1, 8, 9)))
    with pytest.raises(error, match=message):
        net.export(tmp_path / "net", dynamic_axes=axes)
    assert list(tmp_path.iterdir()) == []


def test_float16(tmp_path):
    net = convnet()
    net.hybridize()
    answer = net(images()).asnumpy()
    path = net.export(tmp_path / "net", dtype="float16")[2]
    model = onnx.load(path)
    kinds = {i.data_type for i in model.graph.initializer if len(i.dims) > 1}
    assert kinds == {onnx.TensorProto.FLOAT16}
    (got,) = run(path, data=images().asnumpy().astype(np.float16))
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, answer, atol=2e-2)
    replay(path)
    assert {np.dtype(p.dtype).name for p in net.collect_params().values()} == {"float32"}
    again = SymbolBlock.imports(path)
    assert again(images().astype("float16")).dtype == np.float16


def test_float16_has_a_range(mlp, tmp_path):
    heads, params = mlp
    params = {**params, "fc1_bias": np.full_like(params["fc1_bias"], 1e6)}
    with pytest.raises(ExportError, match=r"beyond the range of float16: .* got fc1_bias \(largest magnitude 1e\+06\)"):
        export_graph(tmp_path / "n.onnx", heads, *GIVEN, params, options=ExportOptions(dtype="float16"))
    with pytest.raises(ExportError, match="no conversion to this dtype: expected float16, or none, got dtype='int8'"):
        ExportOptions(dtype="int8")


def test_names(tmp_path):
    net = convnet()
    net.hybridize()
    answer = net(images()).asnumpy()
    files = net.export(tmp_path / "net", input_names=["image"], output_names=["scores"], metadata={"license": "MIT"})
    session = Session(files[2], device="cpu")
    near(session.run({"image": images().asnumpy()})["scores"], answer)
    assert session.metadata["license"] == "MIT"
    assert "data" in mx.sym.load(files[0]).list_inputs()
    near(SymbolBlock.imports(files[2], ["image"])(images()), answer)
    again = net.export(tmp_path / "more", input_names={"data": "x"})[2]
    assert [i.name for i in Session(again, device="cpu").inputs] == ["x"]
    with pytest.raises(
        ExportError, match=r"wrong number of input names: expected 1, for data, got input_names=\['a', 'b'\]"
    ):
        net.export(tmp_path / "bad", input_names=["a", "b"])
    with pytest.raises(ExportError, match="no such input: expected some of data, got other"):
        net.export(tmp_path / "bad", input_names={"other": "b"})
    with pytest.raises(ExportError, match=r"wrong metadata: .* got 'gluonnx.x': 'y'"):
        net.export(tmp_path / "bad", metadata={"gluonnx.x": "y"})


def test_external_data(tmp_path):
    net = nn.HybridSequential(prefix="big_")
    with net.name_scope():
        net.add(nn.Dense(600, in_units=500, activation="relu"), nn.Dense(3, in_units=600))
    initialized(net)
    net.hybridize()
    x = nd.array(numbers(0, x=(2, 500))["x"])
    answer = net(x).asnumpy()
    path = Path(net.export(tmp_path / "net", external_data=True)[2])
    (data,) = tmp_path.glob("*.data")
    assert data.name == f"net-0000.onnx.{hashlib.sha256(data.read_bytes()).hexdigest()[:16]}.data"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "net-0000.onnx",
        data.name,
        "net-0000.params",
        "net-symbol.json",
    ]
    assert path.stat().st_size < 20_000
    near(run(path, data=x.asnumpy())[0], answer)
    onnx.checker.check_model(str(path), full_check=True)
    metadata = Session(path, device="cpu").metadata
    about = json.loads(metadata["gluonnx.external"])
    content = data.read_bytes()
    assert about == {"location": data.name, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    offsets = [
        int(e.value)
        for t in onnx.load(path, load_external_data=False).graph.initializer
        for e in t.external_data
        if e.key == "offset"
    ]
    assert offsets
    assert all(o % 64 == 0 for o in offsets)
    replay(path)
    again = SymbolBlock.imports(path)
    near(again(x), answer)
    again.hybridize()
    again(x)
    first = path.read_bytes()
    second = Path(again.export(tmp_path / "net", external_data=True)[2])
    assert second.read_bytes() == first
    assert data.read_bytes() == content
    again.collect_params()["big_dense0_bias"].set_data(nd.ones(600))
    again.export(tmp_path / "net", external_data=True)
    (other,) = tmp_path.glob("*.data")
    assert other != data  # the earlier weights are gone
    again.export(tmp_path / "net")
    assert list(tmp_path.glob("*.data")) == []
    path.write_bytes(first)
    data.write_bytes(content)

    data.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.warns(
        UserWarning, match=r"net-0000\.onnx: edited since .* \(changed: initializers\).* read as any other"
    ):
        SymbolBlock.imports(path)
    data.write_bytes(content[:-1])
    with pytest.raises(FormatError, match="external data truncated"):
        SymbolBlock.imports(path)
    data.unlink()
    with pytest.raises(OSError, match=r"net-0000\.onnx\.\w+\.data: cannot be read"):
        SymbolBlock.imports(path)


def test_a_model_of_small_weights_stays_one_file(mlp, tmp_path):
    heads, params = mlp
    export_graph(tmp_path / "n.onnx", heads, *GIVEN, params, options=ExportOptions(external_data=True))
    assert [p.name for p in tmp_path.iterdir()] == ["n.onnx"]
    replay(tmp_path / "n.onnx")


def test_external_data_that_does_not_fit_the_shape(tmp_path):
    tensor = onnx.helper.make_tensor("w", 1, [4], b"\0" * 16, raw=True)
    onnx.external_data_helper.set_external_data(tensor, "w.bin", 0, 16)
    tensor.ClearField("raw_data")
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    (tmp_path / "m.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    (tmp_path / "w.bin").write_bytes(bytes(16))
    assert read_model(tmp_path / "m.onnx").graph.initializer[0].raw_data == bytes(16)
    for location, message in [
        ("../w.bin", "outside of the model's folder"),
        ("/etc/passwd", "outside of the model"),
        ("a\0b", "outside of"),
    ]:
        tensor.external_data[0].value = location
        graph = onnx.helper.make_graph([], "g", [], [], [tensor])
        (tmp_path / "m.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
        with pytest.raises(FormatError, match=message):
            read_model(tmp_path / "m.onnx")


def loss_head(name):
    data = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    return mx.sym.MakeLoss(data, name="head") if name == "MakeLoss" else getattr(mx.sym, name)(data, name="head")


@pytest.mark.parametrize(
    "name",
    ["SoftmaxOutput", "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput", "MakeLoss"]
    + (["SVMOutput"] if hasattr(mx.sym, "SVMOutput") else []),
)
def test_labels_of_losses_are_no_inputs_of_the_file(name, tmp_path):
    graph = loss_head(name)
    params = {n: nd.array(a) for n, a in numbers(0, fc_weight=(3, 4), fc_bias=(3,)).items()}
    labels = [n for n in graph.list_arguments() if n.endswith("label")]
    assert labels == ([] if name == "MakeLoss" else ["head_label"])
    x = nd.array(numbers(1, x=(2, 4))["x"])
    mx.model.save_checkpoint(str(tmp_path / "net"), 0, graph, params, {})
    net = SymbolBlock.imports(tmp_path / "net-symbol.json", ["data", *labels], tmp_path / "net-0000.params")
    label = [nd.zeros((2,) if name in ("SoftmaxOutput", "SVMOutput") else (2, 3)) for _ in labels]
    net.hybridize()
    answer = net(x, *label).asnumpy()
    symbol, _, path = net.export(tmp_path / "again")
    assert Path(symbol).read_bytes() == (tmp_path / "net-symbol.json").read_bytes()
    assert [i.name for i in Session(path, device="cpu").inputs] == ["data"]
    near(run(path, data=x.asnumpy())[0], answer)
    direct = export_model(graph, params, [(2, 4)], onnx_file_path=tmp_path / "direct.onnx", dynamic=True)
    assert [i.name for i in Session(direct, device="cpu").inputs] == ["data"]
    for file in (path, direct):
        back = SymbolBlock.imports(file)
        near(back(x, *label), answer)
        back.hybridize()
        back(x, *label)
        assert Path(back.export(tmp_path / "back")[2]).read_bytes() == Path(path).read_bytes()


def test_contrib_onnx(tmp_path):
    net = convnet(prefix="net_")
    net.hybridize()
    answer = net(images()).asnumpy()
    path = net.export(tmp_path / "net")[2]
    graph, arg, aux = mx.contrib.onnx.import_model(path)
    assert graph.list_arguments() == ["data", *arg]
    assert sorted(graph.list_auxiliary_states()) == sorted(aux)
    assert len(aux) > 1
    near(mx.contrib.onnx.import_to_gluon(path, mx.cpu())(images()), answer)
    about = mx.contrib.onnx.get_model_metadata(path)
    assert about == {
        "input_tensor_data": [("data", (0, 1, 8, 8), 1)],
        "output_tensor_data": [(onnx.load(path).graph.output[0].name, (0, answer.shape[1]))],
    }
    named = export_model(
        net.export(tmp_path / "n")[0],
        tmp_path / "n-0000.params",
        [(2, 1, 8, 8)],
        np.float32,
        tmp_path / "d.onnx",
        dynamic=True,
        dynamic_input_shapes=[(None, 1, 8, 8)],
        large_model=True,
    )
    near(run(named, data=images().asnumpy())[0], answer)
