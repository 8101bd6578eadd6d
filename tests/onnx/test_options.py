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
from handmade import call, declare, numbers, var

import gluonnx as mx
from gluonnx import nd
from gluonnx.errors import ArgumentError, ExportError, FormatError, GraphError, InputError, LoweringError
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
    np.testing.assert_allclose(got, answer, atol=4e-3)
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": "13"}, "wrong opset: expected a whole number, got opset='13'"),
        ({"opset": True}, "wrong opset: expected a whole number, got opset=True"),
        ({"dynamic_axes": ["data"]}, r"wrong dynamic_axes: expected axes by input, .* got dynamic_axes=\['data'\]"),
        ({"dynamic_axes": {"data": 2}}, "wrong dynamic_axes of `data`: expected names by axis, .* got 2"),
        ({"dynamic_axes": {"data": {2: ""}}}, "wrong dynamic_axes of `data`: .* got 2: ''"),
        ({"dynamic_axes": {"data": {3: "w", -1: "v"}}}, "expected each axis once, got 3 and -1, which are the same"),
        ({"dtype": "int8"}, r"no conversion to this dtype: expected float16, or none, got dtype='int8'\.$"),
        ({"dtype": "float64"}, r"got dtype='float64'\. Cast the block with `cast\('float64'\)` instead"),
        ({"dtype": 16}, "no conversion to this dtype: .* got dtype=16"),
        ({"input_names": []}, r"wrong number of input names: expected 1, for data, got input_names=\[\]"),
        ({"input_names": [""]}, r"wrong input_names: expected names, got input_names=\[''\]"),
        ({"input_names": {"data": 1}}, "wrong input_names: expected names, got input_names={'data': 1}"),
        ({"output_names": [None]}, r"wrong output_names: expected names, got output_names=\[None\]"),
        ({"output_names": {"a": "b"}}, "wrong output_names: expected them in order, got {'a': 'b'}"),
        ({"metadata": [("a", "b")]}, r"wrong metadata: expected texts by key, got metadata=\[\('a', 'b'\)\]"),
        ({"metadata": {"a": "\ud800"}}, r"wrong metadata: expected texts under keys .* got 'a': '\\ud800'"),
        ({"external_data": 1024}, "wrong external_data: expected True, False or None, got external_data=1024"),
        ({"epoch": 1.5}, "wrong epoch: expected a whole number, got epoch=1.5"),
    ],
)
def test_values_that_are_no_options(options, message, tmp_path):
    net = convnet()
    net.hybridize()
    net(images())
    with pytest.raises((ExportError, ArgumentError), match=message):
        net.export(tmp_path / "net", **options)
    assert list(tmp_path.iterdir()) == []


def test_one_name_alone_and_numpys_dtype(tmp_path):
    net = convnet()
    net.hybridize()
    net(images())
    path = net.export(tmp_path / "net", input_names="picture", output_names="score", dtype=np.float16)[2]
    session = Session(path, device="cpu")
    assert [(i.name, i.dtype) for i in session.inputs] == [("picture", "float16")]
    assert [(o.name, o.dtype) for o in session.outputs] == [("score", "float16")]


def test_a_path_that_ends_in_a_slash_is_a_folder(tmp_path):
    net = convnet()
    net.hybridize()
    net(images())
    (tmp_path / "models").mkdir()
    files = net.export(f"{tmp_path}/models/", epoch=np.int64(3))
    assert [Path(f).name for f in files] == ["-symbol.json", "-0003.params", "-0003.onnx"]  # as MXNet names them
    assert {Path(f).parent for f in files} == {tmp_path / "models"}


def test_samples_by_name_alone_and_at_every_size_of_open_axes(scratch, tmp_path):
    data = mx.sym.var("data")
    net = SymbolBlock(mx.sym.log(data, name="log"), data)
    net.hybridize()
    x = np.full((2, 3), 2.0, np.float32)
    net(nd.array(x))
    for samples in (x, nd.array(x), {"data": x}, [nd.array(x)]):
        path = net.export(tmp_path / "net", dynamic_axes={"data": [1]}, sample_inputs=samples)[2]
    near(run(path, data=np.full((1, 7), 3.0, np.float32))[0], np.full((1, 7), np.log(3.0), np.float32))
    with pytest.raises(InputError, match=r"wrong names: expected 1 \(data\), got other"):
        net.export(tmp_path / "net", sample_inputs={"other": x})
    with pytest.raises(InputError, match=r"sample input `data`: not an array: .* got str"):
        net.export(tmp_path / "net", sample_inputs=["x"])
    declare("_test_first", lambda x: x - x[:, 3:4] if x.shape[1] > 3 else x * 1, lambda g, x: g.op("Identity", x))
    wrong = [(call("_test_first", "first", var("data")), 0)]
    options = ExportOptions(dynamic_axes={"data": {1: "n"}})
    with pytest.raises(ExportError, match="something else: output `first_output` at batch size 2"):
        export_graph(tmp_path / "w.onnx", wrong, ["data"], [(2, 3)], ["float32"], {}, options=options, sample_inputs=x)


def test_inputs_that_the_net_does_not_take_are_told(tmp_path):
    a, b = mx.sym.var("a"), mx.sym.var("b")
    net = SymbolBlock(mx.sym.elemwise_div(a, b, name="quotient"), [a, b])
    net.hybridize()
    ones = nd.ones((2, 3), dtype="int32")
    net(ones, ones)
    with pytest.raises(ExportError, match=r"does not take the inputs of the check: .*Zero.* Pass `sample_inputs`"):
        net.export(tmp_path / "net")
    path = net.export(tmp_path / "net", sample_inputs=[ones * 7, ones * 2])[2]
    assert run(path, a=np.full((1, 3), 9, np.int32), b=np.full((1, 3), 2, np.int32))[0].tolist() == [[4, 4, 4]]


def test_positions_are_drawn_within_their_arrays(tmp_path):
    data, at = mx.sym.var("data"), mx.sym.var("at")
    for name, symbol, shapes in (
        ("gather", mx.sym.gather_nd(data, at), [(3, 2, 4), (2, 5)]),
        ("scatter", mx.sym.scatter_nd(data, at, shape=(3, 2)), [(5,), (2, 5)]),
    ):
        net = SymbolBlock(symbol, [data, at])
        net.hybridize()
        net(nd.ones(shapes[0]), nd.zeros(shapes[1], dtype="int64"))
        replay(net.export(tmp_path / name, dynamic_batch=False)[2])


def test_quantized_nets_need_no_samples(tmp_path):
    data = mx.sym.var("data")
    small, low, high = mx.sym.contrib.quantize_v2(data, min_calib_range=-1.0, max_calib_range=1.0, out_type="int8")
    net = SymbolBlock(mx.sym.contrib.dequantize(small, low, high, out_type="float32"), data)
    net.hybridize()
    net(nd.ones((2, 5)))
    path = net.export(tmp_path / "net")[2]
    replay(path)
    x = np.linspace(-1, 1, 5, dtype=np.float32)[None]
    np.testing.assert_allclose(run(path, data=x)[0], x, rtol=0, atol=1 / 127)


def test_float64_normalizations_keep_their_epsilon(tmp_path):
    net = nn.HybridSequential()
    net.add(nn.Dense(4), nn.LayerNorm(), nn.BatchNorm(), nn.Dense(3))
    net = initialized(net)
    net(nd.ones((2, 5)))
    for name, param in net.collect_params().items():
        if "running_var" in name:
            param.set_data(nd.full(param.shape, 1e-4))
    net.cast("float64")
    net.hybridize()
    net(nd.ones((2, 5), dtype="float64"))
    replay(net.export(tmp_path / "net")[2])


@pytest.mark.parametrize(
    ("call_it", "kind", "message"),
    [
        (
            lambda s, p, f: export_model(s, p, (2, 4), np.float32, f),
            InputError,
            r"expected a list .* got in_shapes=\(2, 4\)",
        ),
        (lambda s, p, f: export_model(s, 5, [(2, 4)], np.float32, f), InputError, "wrong params: .* got int"),
        (lambda s, p, f: export_model(s, [p, 5], [(2, 4)], np.float32, f), InputError, "wrong params: .* got list"),
    ],
)
def test_export_model_says_what_it_takes(call_it, kind, message, tmp_path):
    graph = loss_head("SoftmaxOutput")
    params = {n: nd.array(a) for n, a in numbers(0, fc_weight=(3, 4), fc_bias=(3,)).items()}
    with pytest.raises(kind, match=message):
        call_it(graph, params, tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_calls_as_programs_for_mxnet_write_them(tmp_path):
    data = mx.sym.BatchNorm(mx.sym.var("data"), name="bn", fix_gamma=False)
    graph = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(data, num_hidden=3, name="fc"), name="softmax")
    arg = {n: nd.array(a) for n, a in numbers(0, fc_weight=(3, 4), fc_bias=(3,), bn_gamma=(4,), bn_beta=(4,)).items()}
    aux = {"bn_moving_mean": nd.ones(4) * 0.5, "bn_moving_var": nd.ones(4) * 2}
    mx.model.save_checkpoint(str(tmp_path / "m"), 3, graph, arg, aux)
    x = numbers(1, x=(2, 4))["x"]
    module = mx.mod.Module.load(str(tmp_path / "m"), 3, label_names=None)
    module.bind([("data", (2, 4))], for_training=False)
    expected = module.predict(mx.io.NDArrayIter(x, batch_size=2)).asnumpy()
    files = str(tmp_path / "m-symbol.json"), str(tmp_path / "m-0003.params")
    out = str(tmp_path / "net.onnx")
    both = {**{f"arg:{n}": a for n, a in arg.items()}, **{f"aux:{n}": a for n, a in aux.items()}}
    written = set()
    for call_it in (
        lambda: mx.onnx.export_model(*files, [(2, 4)], np.float32, out),
        lambda: mx.onnx.export_model(graph, [arg, aux], [(2, 4)], [np.float32], out),
        lambda: mx.onnx.mx2onnx.export_model(
            graph, {**arg, **aux}, [(2, 4)], np.float32, out, run_shape_inference=True
        ),
        lambda: mx.onnx.export_model(graph, both, input_shape=[(2, 4)], input_type=np.float32, onnx_file_path=out),
        lambda: mx.contrib.onnx.export_model(*files, [(2, 4)], np.float32, out, False),
        lambda: mx.contrib.onnx.mx2onnx.export_model.export_model(graph, both, [(2, 4), (2,)], np.float32, out, True),
    ):
        assert call_it() == out
        near(run(out, data=x)[0], expected)
        written.add(Path(out).read_bytes())
    assert len(written) == 1
    symbol, found, states = mx.contrib.onnx.onnx2mx.import_model.import_model(out)
    assert (symbol.tojson(), sorted(found), sorted(states)) == (graph.tojson(), sorted(arg), sorted(aux))
    assert mx.contrib.onnx.onnx2mx.import_to_gluon.import_to_gluon(out, mx.cpu())(nd.array(x), nd.zeros(2)).shape == (
        2,
        3,
    )
    assert {"Convolution", "FullyConnected", "SoftmaxOutput"} <= set(mx.onnx.get_operator_support())
    assert "Custom" not in mx.onnx.get_operator_support(13)
