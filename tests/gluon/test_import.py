"""Imports: models of MXNet 1.9.1 and our own, and every file that is not what it should be."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from gluon.nets import convnet, images, initialized, mlp, near, rows

import gluonnx as mx
from gluonnx import autograd, gluon, nd
from gluonnx.errors import FileAccessError, FormatError, GraphError, ParameterFileError
from gluonnx.gluon import SymbolBlock, nn

MODELS = Path(__file__).parents[1] / "golden" / "models"
INPUTS = {"convnet": ["data"], "two": ["data0", "data1"], "module": ["data"]}
LABELS = {"module": ["softmax_label"]}


def golden(name):
    """(inputs, outputs) of a model of MXNet's."""
    with np.load(MODELS / f"{name}-call.npz") as call:
        inputs = [nd.array(call[n]) for n in INPUTS[name]]
        outputs = [call[n] for n in sorted(call.files) if n.startswith("output")]
    inputs += [nd.zeros((len(inputs[0]),)) for _ in LABELS.get(name, ())]
    return inputs, outputs


def mxnet_model(name):
    names = INPUTS[name] + LABELS.get(name, [])
    return SymbolBlock.imports(MODELS / f"{name}-symbol.json", names, MODELS / f"{name}-0000.params")


def listed(outputs):
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


@pytest.mark.parametrize("name", list(INPUTS))
def test_models_of_mxnet_give_its_outputs_in_every_way(name, tmp_path):
    net = mxnet_model(name)
    inputs, expected = golden(name)
    for is_active in (False, True):
        net.hybridize(is_active)
        for got, want in zip(listed(net(*inputs)), expected, strict=True):
            near(got, want)
    again = SymbolBlock.imports(net.export(tmp_path / name)[2])
    for got, want in zip(listed(again(*inputs)), expected, strict=True):
        near(got, want)


def test_a_net_of_the_same_layers_reads_the_parameters_that_mxnet_saved(tmp_path):
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(3, 3, padding=1, activation="relu"),
        nn.BatchNorm(),
        nn.BatchNorm(scale=False),
        nn.MaxPool2D(),
        nn.AvgPool2D(3, strides=1, padding=1),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Dense(6, activation="tanh"),
        nn.LeakyReLU(0.1),
        nn.Dense(4),
    )
    net.load_parameters(MODELS / "convnet.params")
    (x,), (expected,) = golden("convnet")
    near(net(x), expected)
    net.save_parameters(tmp_path / "net.params")
    assert (tmp_path / "net.params").read_bytes() == (MODELS / "convnet.params").read_bytes()


def test_an_exported_model_has_the_bytes_of_mxnets_parameters(tmp_path):
    net = mxnet_model("convnet")
    net.hybridize()
    net(*golden("convnet")[0])
    params = net.export(tmp_path / "net")[1]
    assert Path(params).read_bytes() == (MODELS / "convnet-0000.params").read_bytes()


def test_an_imported_model_trains():
    net = mxnet_model("convnet")
    (x,), _ = golden("convnet")
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    losses = []
    for _ in range(4):
        with autograd.record():
            loss = (net(x) ** 2).sum()
        loss.backward()
        trainer.step(1)
        losses.append(loss.asscalar())
    assert losses[-1] < losses[0]
    assert net.collect_params()["convnet_batchnorm0_running_mean"].grad_req == "null"


def test_contexts_are_those_asked_for():
    path = MODELS / "convnet"
    net = SymbolBlock.imports(f"{path}-symbol.json", "data", f"{path}-0000.params", ctx=[mx.cpu(0), mx.cpu(1)])
    assert all(p.list_ctx() == [mx.cpu(0), mx.cpu(1)] for p in net.collect_params().values())
    (x,), (expected,) = golden("convnet")
    near(net(x.as_in_context(mx.cpu(1))), expected)


def test_without_parameters_the_block_is_initialized_by_its_user():
    net = SymbolBlock.imports(MODELS / "convnet-symbol.json", ["data"])
    initialized(net)
    assert net(images()).shape == (2, 4)


def test_labels_of_losses_are_inputs_or_the_error_says_so():
    with pytest.raises(ParameterFileError, match=r"reads softmax_label: .*input_names=\['data', 'softmax_label'\]"):
        SymbolBlock.imports(MODELS / "module-symbol.json", ["data"], MODELS / "module-0000.params")
    with pytest.raises(AssertionError, match="softmax_label"):  # what MXNet raises
        SymbolBlock.imports(MODELS / "module-symbol.json", ["data"], MODELS / "module-0000.params")


def test_labels_are_known_by_what_reads_them(tmp_path):
    data, target = mx.sym.var("data"), mx.sym.var("target")
    heads = mx.sym.Group([mx.sym.SoftmaxOutput(data, mx.sym.var("y")), mx.sym.LinearRegressionOutput(data, target)])
    mx.sym.Group([heads]).save(str(tmp_path / "net-symbol.json"))
    nd.save(str(tmp_path / "net.params"), {"arg:unused": nd.ones(1)})
    with pytest.raises(
        ParameterFileError, match=r"a loss that reads y, target: .*input_names=\['data', 'y', 'target'\]"
    ):
        SymbolBlock.imports(tmp_path / "net-symbol.json", ["data"], tmp_path / "net.params", ignore_extra=True)


# Files that are not what they should be -------------------------------------------------------------------------------


def files_of(tmp_path):
    net = convnet(prefix="net_")
    net.hybridize()
    net(images())
    net.save_parameters(tmp_path / "saved.params")
    return [Path(p) for p in net.export(tmp_path / "net")]


def rewrite(path, arrays):
    nd.save(str(path), arrays)
    return path


def test_missing_and_wrong_parameters_are_all_listed(tmp_path):
    symbol, params, _ = files_of(tmp_path)
    arrays = nd.load(str(params))
    del arrays["arg:net_conv0_weight"]
    arrays["arg:net_dense0_weight"] = nd.zeros((2, 2))
    arrays["arg:net_dense1_bias"] = nd.zeros((7,))
    arrays["arg:other"] = nd.zeros((1,))
    broken = rewrite(tmp_path / "broken.params", arrays)
    with pytest.raises(ParameterFileError) as caught:
        SymbolBlock.imports(symbol, "data", broken)
    text = str(caught.value)
    assert "'net_conv0_weight' is missing in file" in text
    assert "'net_dense0_weight' from saved params: shape incompatible expected (6, 64) vs saved (2, 2)" in text
    assert "'net_dense1_bias' from saved params: shape incompatible expected (3,) vs saved (7,)" in text
    assert "'other' loaded from file" in text


def test_missing_and_extra_parameters_may_be_allowed(tmp_path):
    symbol, params, _ = files_of(tmp_path)
    arrays = nd.load(str(params))
    del arrays["arg:net_conv0_weight"]
    arrays["arg:other"] = nd.zeros((1,))
    broken = rewrite(tmp_path / "broken.params", arrays)
    net = SymbolBlock.imports(symbol, "data", broken, allow_missing=True, ignore_extra=True)
    near(net.collect_params()["net_conv0_bias"].data(), arrays["arg:net_conv0_bias"])
    with pytest.raises(RuntimeError, match="'net_conv0_weight' has not been initialized"):
        net(images())


@pytest.mark.parametrize("kept", [0, 7, 30, 200, -1])
def test_truncated_parameters_are_told(tmp_path, kept):
    symbol, params, _ = files_of(tmp_path)
    params.write_bytes(params.read_bytes()[:kept])
    with pytest.raises(FormatError, match=r"net-0000\.params"):
        SymbolBlock.imports(symbol, "data", params)


def test_a_file_of_another_kind_is_told(tmp_path):
    symbol, params, onnx_path = files_of(tmp_path)
    with pytest.raises(FormatError, match=r"net-0000\.params: not JSON: .*got an MXNet \.params file"):
        SymbolBlock.imports(params, "data", params)
    with pytest.raises(FormatError, match=r"net-symbol\.json: not an MXNet \.params file: .*got a JSON text"):
        SymbolBlock.imports(symbol, "data", symbol)
    text = tmp_path / "text.onnx"
    text.write_text("hello")
    with pytest.raises(FormatError, match=r"text\.onnx: not an ONNX model: expected one, got a text file"):
        SymbolBlock.imports(text)
    with pytest.raises(FileAccessError, match=r"none-symbol\.json: cannot be read"):
        SymbolBlock.imports(tmp_path / "none-symbol.json", "data", params)
    with pytest.raises(FileAccessError, match=r"none\.params"):
        SymbolBlock.imports(symbol, "data", tmp_path / "none.params")
    with pytest.raises(
        ParameterFileError, match=r"holds its parameters: expected no param_file, got '.*net-0000.params'"
    ):
        SymbolBlock.imports(onnx_path, None, str(params))


def test_files_of_save_parameters_and_of_export_are_told_apart(tmp_path):
    symbol, params, _ = files_of(tmp_path)
    saved = tmp_path / "saved.params"
    with pytest.raises(
        ParameterFileError,
        match=r"saved\.params: written by `save_parameters`: .*call net\.load_parameters\('.*saved\.params'\)",
    ):
        SymbolBlock.imports(symbol, "data", saved)
    with pytest.raises(ParameterFileError, match=r"written by `export` for another network: .*SymbolBlock\.imports"):
        mlp().load_parameters(params)
    near(_loaded(saved)(images()), SymbolBlock.imports(symbol, "data", params)(images()))


def _loaded(path):
    net = convnet()
    net.load_parameters(path)
    return net


def test_a_graph_that_is_not_one_is_told(tmp_path):
    symbol, params, _ = files_of(tmp_path)
    text = symbol.read_text()
    symbol.write_text("{ not json")
    with pytest.raises(FormatError, match=r"net-symbol\.json: not JSON"):
        SymbolBlock.imports(symbol, "data", params)
    symbol.write_text(text.replace('"Pooling"', '"Poooling"'))
    with pytest.raises(mx.MXNetError, match="Poooling"):
        SymbolBlock.imports(symbol, "data", params)


def test_input_names_are_checked(tmp_path):
    symbol, params, onnx_path = files_of(tmp_path)
    with pytest.raises(GraphError, match="no such input: expected some of data, got image"):
        SymbolBlock.imports(symbol, ["image"], params)
    with pytest.raises(GraphError, match=r"input names are missing: .*input_names=\['data'\]"):
        SymbolBlock.imports(symbol, None, params)
    with pytest.raises(GraphError, match="other inputs: expected data, got image"):
        SymbolBlock.imports(onnx_path, ["image"])


def test_an_edited_onnx_model_is_told_and_lifted(tmp_path):
    onnx_path = files_of(tmp_path)[2]
    expected = SymbolBlock.imports(onnx_path)(images()).asnumpy()
    model = onnx.load(onnx_path)
    model.graph.node[0].name = "edited"
    onnx.save(model, onnx_path)
    with pytest.warns(UserWarning, match=r"net-0000\.onnx: edited since gluonnx .* read as any other ONNX file"):
        net = SymbolBlock.imports(onnx_path)
    near(net(images()), expected)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_onnx_model_is_told(tmp_path, kept):
    onnx_path = files_of(tmp_path)[2]
    data = onnx_path.read_bytes()
    onnx_path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(FormatError, match=r"net-0000\.onnx"):
        SymbolBlock.imports(onnx_path)


# Symbol blocks --------------------------------------------------------------------------------------------------------


def test_symbol_block_of_a_part_of_a_graph():
    data = mx.sym.var("data")
    hidden = mx.sym.FullyConnected(data, num_hidden=3, name="fc1")
    net = gluon.SymbolBlock(mx.sym.FullyConnected(mx.sym.relu(hidden, name="act"), num_hidden=2, name="fc2"), data)
    initialized(net)
    net(rows())
    part = gluon.SymbolBlock(net._graph.get_internals()["act_output"], data, params=net.collect_params())
    x = rows()
    expected = nd.relu(nd.FullyConnected(x, *(net.params[f"fc1_{n}"].data() for n in ("weight", "bias")), num_hidden=3))
    near(part(x), expected)
    assert part.collect_params()["fc1_weight"] is net.collect_params()["fc1_weight"]
    assert sorted(part._collect_params_with_prefix()) == ["bias", "weight"]


def test_symbol_block_says_what_is_wrong():
    data = mx.sym.var("data")
    hidden = mx.sym.FullyConnected(data, num_hidden=3, name="fc1")
    with pytest.raises(
        AssertionError, match=r"Input symbols must be variable: .*<Symbol fc1>, an output of an operator"
    ):
        gluon.SymbolBlock(mx.sym.relu(hidden), hidden)
    net = gluon.SymbolBlock(hidden, data)
    with pytest.raises(RuntimeError, match="'fc1_weight' has not been initialized"):
        net(rows())
    initialized(net)
    with pytest.raises(ValueError, match=r"wrong number of inputs: expected 1 \(data\), got 2"):
        net(rows(), rows())
    with pytest.raises(AssertionError, match=r"one NDArray or one Symbol.*ndarray"):
        net(np.ones((1, 3), "float32"))
    with pytest.raises(NotImplementedError, match="runs a graph"):
        net.hybrid_forward(nd, rows())
    assert repr(net) == "SymbolBlock(\n<Symbol fc1> : 1 -> 1\n)"
    assert net(mx.sym.var("q")).list_arguments() == ["q", "fc1_weight", "fc1_bias"]
