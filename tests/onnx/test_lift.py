"""Foreign ONNX models: as graphs they give what ONNX Runtime gives, on torch and exported again."""

import contextlib
import warnings

import numpy as np
import onnx
import pytest
import torch
from foreign_models import MODELS, inputs_of
from gluonnx_runtime import Session
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper, parser

import gluonnx as mx
from gluonnx import autograd
from gluonnx.errors import FormatError
from gluonnx.gluon import SymbolBlock, Trainer
from gluonnx.onnx import import_to_files, lift, lower
from gluonnx.onnx.arrays import as_array, as_tensor
from gluonnx.symbol.executor import GraphFunction
from gluonnx.symbol.graph import topological
from gluonnx.symbol.symbol import Symbol
from gluonnx.symbol.text import dumps, load_json


def model_of(text, opset=20, **initializers):
    """A model from ONNX's text form of a graph, with arrays as initializers."""
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in initializers.items())
    return model


def run_on_torch(lifted, inputs):
    function = GraphFunction(lifted.heads, [*lifted.input_names, *lifted.parameters])
    tensors = [as_tensor(as_array(n, inputs[n])) for n in lifted.input_names]
    tensors += [as_tensor(as_array(n, a)) for n, a in lifted.parameters.items()]
    return [as_array("output", t) for t in function(tensors)[0]]


def run_again(lifted, inputs):
    arrays = [as_array(n, inputs[n]) for n in lifted.input_names]
    model = lower(
        lifted.heads,
        lifted.input_names,
        [a.shape for a in arrays],
        [a.dtype.name for a in arrays],
        lifted.parameters,
        dynamic_batch=False,
    )
    results = Session(model.serialize(), device="cpu").run(dict(zip(model.input_names, arrays, strict=True)))
    return [results[n] for n in model.output_names]


def operators(lifted):
    return [n.op.name for n in topological(lifted.heads) if n.op is not None]


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("keep_all", [False, True], ids=["lifted", "kept"])
def test_a_model_gives_what_onnx_runtime_gives(name, keep_all):
    opset, text = MODELS[name]
    model = model_of(text, opset)
    inputs = inputs_of(model)
    outputs = Session(model.SerializeToString(), device="cpu").run(inputs)
    lifted = lift(model_of(text, opset), name, keep_all=keep_all)
    for run in (run_on_torch, run_again):
        for got, info in zip(run(lifted, inputs), model.graph.output, strict=True):
            assert got.dtype == outputs[info.name].dtype
            np.testing.assert_allclose(got, outputs[info.name], rtol=1e-5, atol=1e-6, err_msg=run.__name__)
    if keep_all:
        assert all(n.startswith("_onnx.") for n in operators(lifted))


@pytest.mark.parametrize("name", ["conv", "shapes", "loop", "if", "lstm", "quantized"])
def test_a_graph_survives_its_text(name):
    opset, text = MODELS[name]
    lifted = lift(model_of(text, opset), name, keep_all=True)
    again = load_json(dumps(lifted.heads))
    assert dumps(again._heads) == dumps(lifted.heads)
    inputs = inputs_of(model_of(text, opset))
    expected = run_on_torch(lifted, inputs)
    function = GraphFunction(again._heads, [*lifted.input_names, *lifted.parameters])
    results, _ = function([as_tensor(as_array(n, inputs[n])) for n in lifted.input_names])
    for got, want in zip(results, expected, strict=True):
        np.testing.assert_array_equal(got.numpy(), want)


def test_what_means_the_same_is_mxnets():
    model = model_of(
        "g (float[N,2,6,6] x) => (float[N,4] y) "
        "{ c = Conv<pads=[1,1,1,1]>(x, w, b) n = BatchNormalization(c, g, h, m, v) "
        "r = Relu(n) p = GlobalAveragePool(r) f = Flatten(p) y = Gemm<transB=1>(f, u, d) }",
        opset=13,
        w=np.ones((3, 2, 3, 3), np.float32),
        b=np.ones(3, np.float32),
        g=np.ones(3, np.float32),
        h=np.zeros(3, np.float32),
        m=np.zeros(3, np.float32),
        v=np.ones(3, np.float32),
        u=np.ones((4, 3), np.float32),
        d=np.zeros(4, np.float32),
    )
    lifted = lift(model)
    assert operators(lifted) == ["Convolution", "BatchNorm", "relu", "Pooling", "Flatten", "FullyConnected"]
    assert lifted.kept == {}
    assert Symbol(lifted.heads).list_auxiliary_states() == ["m", "v"]
    assert list(lifted.parameters) == ["w", "b", "g", "h", "m", "v", "u", "d"]


NET = (
    "g (float[N,3,8,8] x) => (float[N,4] y) "
    "{ c = Conv<pads=[1,1,1,1]>(x, w) a = Shrink(c) s = Shape<start=0, end=1>(a) "
    "m = Constant<value_ints=[-1]>() t = Concat<axis=0>(s, m) f = Reshape(a, t) y = MatMul(f, u) }"
)


def saved_net(folder):
    random = np.random.default_rng(1)
    model = model_of(
        NET,
        w=random.standard_normal((2, 3, 3, 3)).astype(np.float32) / 5,
        u=random.standard_normal((128, 4)).astype(np.float32) / 10,
    )
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def test_an_imported_net_runs_trains_is_cut_and_exported(tmp_path):
    path = saved_net(tmp_path)
    net = SymbolBlock.imports(path, ["x"])
    data = mx.nd.array(np.random.default_rng(0).standard_normal((3, 3, 8, 8)))
    (expected,) = Session(path, device="cpu").run({"x": data.asnumpy()}).values()
    np.testing.assert_allclose(net(data).asnumpy(), expected, atol=1e-6)
    net.hybridize()
    np.testing.assert_allclose(net(data).asnumpy(), expected, atol=1e-6)
    (again,) = Session(net.export(tmp_path / "again")[2], device="cpu").run({"x": data.asnumpy()}).values()
    np.testing.assert_allclose(again, expected, atol=1e-6)
    internals = net._graph.get_internals()
    assert internals.list_outputs()[:4] == ["x", "w", "c_output", "a_output"]
    cut = SymbolBlock(internals["a_output"], mx.sym.var("x"), params=net.collect_params())
    assert cut(data).shape == (3, 2, 8, 8)
    trainer = Trainer(net.collect_params(), "sgd", {"learning_rate": 0.05})
    losses = []
    for _ in range(3):
        with autograd.record():
            loss = (net(data) ** 2).mean()
        loss.backward()
        trainer.step(1)
        losses.append(float(loss.asscalar()))
    assert losses[0] > losses[1] > losses[2]


def test_files_of_mxnets_kind_are_written_with_a_warning(tmp_path):
    told = r"MXNet cannot read .*net-symbol\.json: .* got .*Shrink \(1\).* kept from ONNX"
    with pytest.warns(UserWarning, match=told):
        symbol_path, params_path = import_to_files(saved_net(tmp_path), tmp_path / "net")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = SymbolBlock.imports(symbol_path, ["x"], params_path)
    data = mx.nd.ones((2, 3, 8, 8))
    np.testing.assert_array_equal(net(data).asnumpy(), SymbolBlock.imports(tmp_path / "net.onnx")(data).asnumpy())


def test_local_functions_and_sparse_initializers_are_read():
    model = parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18, "local" : 1]>\n'
        "g (float[2,3] x) => (float[2,3] y) { y = local.twice(x) }\n"
        '<domain: "local", opset_import: ["" : 18]> twice (a) => (b) { c = Relu(a) b = Add(c, c) }'
    )
    x = np.array([[-1, 0, 2], [3, -4, 5]], np.float32)
    np.testing.assert_array_equal(run_on_torch(lift(model), {"x": x})[0], 2 * np.maximum(x, 0))
    sparse = model_of("g (float[2,3] x) => (float[2,3] y) { y = Add(x, w) }", 13)
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [5.0, 7.0])
    indices = helper.make_tensor("", TensorProto.INT64, [2], [1, 5])
    sparse.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2, 3]))
    np.testing.assert_array_equal(run_on_torch(lift(sparse), {"x": x})[0], np.add(x, [[0, 5, 0], [0, 0, 7]]))


@pytest.mark.parametrize(
    ("text", "opset", "message"),
    [
        (
            "g (float[2] x) => (float[2] y) { y = Add(x, x) }",
            6,
            r"net: opset not supported: expected 7 to \d+, got opset=6",
        ),
        ("g (float[2] x) => (float[2] y) { y = Add(x, nowhere) }", 13, "net: not valid ONNX: .*nowhere"),
        ("g (string[2] x) => (string[2] y) { y = Identity(x) }", 13, "`x` is no array of numbers: .* got STRING"),
        (
            "g (string[2] x, float[2] z) => (float[2] y) { y = Relu(z) s = StringNormalizer(x) }",
            13,
            r"operators without a torch function: .* got StringNormalizer \(`s`\)",
        ),
    ],
)
def test_what_cannot_be_read_is_one_error(text, opset, message):
    with pytest.raises(FormatError, match=message):
        lift(model_of(text, opset), "net")


def test_operators_of_other_domains_are_all_named():
    model = model_of("g (float[2] x) => (float[2] y) { a = my.Thing(x) y = my.Other(a) }")
    model.opset_import.append(helper.make_opsetid("my", 1))
    with pytest.raises(
        FormatError, match=r"net: operators without a torch function: .* my\.Other \(`y`\), my\.Thing \(`a`\)"
    ):
        lift(model, "net")


@pytest.mark.parametrize("value", ["{}", '"12"', "-7", "[1]", "nonsense"])
@pytest.mark.parametrize("attribute", ["_present", "_types", "_wiring", "_outputs"])
def test_damaged_text_of_a_kept_operator_is_told(attribute, value):
    heads = lift(model_of(MODELS["topk"][1], 12)).heads
    node = heads[0][0]
    node.attrs[attribute] = value
    with pytest.raises(FormatError, match=r"_onnx\.TopK: .*wrong (inputs or outputs|value|number of inputs)"):
        load_json(dumps(heads))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_changed_byte_is_an_error_or_a_valid_model(data):
    arrays = {"w": np.ones((2, 3, 3, 3), np.float32), "u": np.ones((128, 4), np.float32)}
    content = bytearray(model_of(NET, **arrays).SerializeToString())
    place = data.draw(st.integers(0, min(len(content), 700) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        model = onnx.load_model_from_string(bytes(content))
    except DecodeError:
        return
    with contextlib.suppress(FormatError):
        lift(model, "net")


@pytest.mark.parametrize("name", ["values_decide", "loop"])
def test_outputs_whose_shapes_depend_on_values_run_on_torch_when_hybridized(name, tmp_path):
    opset, text = MODELS[name]
    model = model_of(text, opset)
    onnx.save(model, tmp_path / "net.onnx")
    inputs = inputs_of(model)
    net = SymbolBlock.imports(tmp_path / "net.onnx")
    net.hybridize()
    with pytest.warns(UserWarning, match=r"runs on torch .*output `y_output\d?` has a shape that depends on values"):
        outputs = net(*(mx.nd.array(a) for a in inputs.values()))
    expected = Session(tmp_path / "net.onnx", device="cpu").run(inputs)
    for got, want in zip(outputs if isinstance(outputs, list) else [outputs], expected.values(), strict=True):
        np.testing.assert_allclose(got.asnumpy(), want, rtol=1e-6)


def test_gradients_go_through_kept_operators():
    lifted = lift(model_of(MODELS["resize"][1], 13), keep_all=True)
    data = torch.ones(1, 1, 3, 4, requires_grad=True)
    (output,), _ = GraphFunction(lifted.heads, ["x"])([data])
    output.sum().backward()
    assert float(data.grad.sum()) == pytest.approx(output.numel())


def test_external_data_in_a_local_function_stays_in_the_folder(tmp_path):
    model = parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18, "local" : 1]> g (float[2] x) => (float[2] y) { y = local.f(x) }\n'
        '<domain: "local", opset_import: ["" : 18]>\n'
        "f (a) => (b) { c = Constant<value=float[2] {1, 2}>() b = Add(a, c) }"
    )
    tensor = model.functions[0].node[0].attribute[0].t
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FormatError, match="data outside of the model's folder"):
        SymbolBlock.imports(tmp_path / "models" / "net.onnx")
    with pytest.raises(FormatError, match=r"lies in another file|not valid ONNX"):
        lift(model, "net")
