"""Parameters from one style of saving into the other, and in safetensors."""

import numpy as np
import pytest
import torch
from gluon.nets import convnet, images, initialized, near
from safetensors.torch import load_file, save_file

import gluonnx as mx
from gluonnx import nd
from gluonnx.errors import ArgumentError, FormatError, InputError, ParameterFileError
from gluonnx.gluon import SymbolBlock, nn


@pytest.fixture
def exported(tmp_path):
    """(net, its answer, symbol-json, parameters of `export`)."""
    net = convnet(prefix="net_")
    net.hybridize()
    answer = net(images()).asnumpy()
    return net, answer, *net.export(tmp_path / "net")[:2]


@pytest.mark.parametrize("prefix", ["net_", "other_", None])
def test_files_of_export_load_into_the_network(exported, prefix):
    _, answer, _, params = exported
    net = convnet(prefix=prefix)
    initialized(net, seed=99)
    net.load_parameters(params)
    near(net(images()), answer)


def test_files_of_export_that_fit_in_part(exported, tmp_path):
    _, _, _, params = exported
    arrays = nd.load(params)
    del arrays["arg:net_conv0_weight"]
    nd.save(str(tmp_path / "part.params"), arrays)
    with pytest.raises(ParameterFileError, match="'net_conv0_weight' is missing in file"):
        convnet(prefix="net_").load_parameters(tmp_path / "part.params")
    convnet(prefix="net_").load_parameters(tmp_path / "part.params", allow_missing=True)


def test_files_of_save_parameters_of_a_symbol_block_load_into_one(exported, tmp_path):
    _, answer, symbol, params = exported
    block = SymbolBlock.imports(symbol, "data", params)
    block.save_parameters(tmp_path / "block.params")
    near(SymbolBlock.imports(symbol, "data", tmp_path / "block.params")(images()), answer)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_safetensors(exported, tmp_path, dtype):
    net, _, _, _ = exported
    net.cast(dtype)
    path = tmp_path / "net.safetensors"
    net.save_parameters(path)
    other = load_file(path)
    again = convnet(prefix="again_")
    again.cast(dtype)
    again.load_parameters(path)
    for name, param in net._collect_params_with_prefix().items():
        assert torch.equal(other[name], param.data()._t)
        assert torch.equal(again._collect_params_with_prefix()[name].data()._t, param.data()._t)
    assert other.keys() == net._collect_params_with_prefix().keys()


def test_safetensors_of_others(exported, tmp_path):
    net, answer, symbol, params = exported
    save_file(
        {n: p.data()._t.detach().clone() for n, p in net._collect_params_with_prefix().items()},
        tmp_path / "x.safetensors",
        {"format": "pt"},
    )
    again = convnet()
    again.load_parameters(tmp_path / "x.safetensors")
    near(again(images()), answer)
    nd.save(str(tmp_path / "export.safetensors"), nd.load(params))
    near(SymbolBlock.imports(symbol, "data", tmp_path / "export.safetensors")(images()), answer)
    net.collect_params().save(tmp_path / "names.SafeTensors")
    named = convnet(prefix="net_")
    named.collect_params().load(tmp_path / "names.SafeTensors")
    near(named(images()), answer)


def test_errors_of_safetensors(exported, tmp_path):
    net, *_ = exported
    path = str(tmp_path / "x.safetensors")
    with pytest.raises(ArgumentError, match=r"x\.safetensors: safetensors names its arrays: .* got a list of 1"):
        nd.save(path, [nd.zeros((1,))])
    with pytest.raises(InputError, match="`rows`: expected a dense array, got RowSparse"):
        nd.save(path, {"rows": nd.zeros((2, 2)).tostype("row_sparse")})
    assert not (tmp_path / "x.safetensors").exists()
    net.save_parameters(tmp_path / "net.params")
    (tmp_path / "x.safetensors").write_bytes((tmp_path / "net.params").read_bytes())
    with pytest.raises(FormatError, match=r"not a safetensors file: .* got an MXNet \.params file"):
        net.load_parameters(path)
    nd.save(path, {"w": nd.array([1.0])})
    (tmp_path / "x.params").write_bytes((tmp_path / "x.safetensors").read_bytes())
    with pytest.raises(FormatError, match=r"not an MXNet \.params file: .* got a safetensors file"):
        nd.load(str(tmp_path / "x.params"))
    dense = nn.Dense(1, in_units=1)
    with pytest.raises(ParameterFileError, match=r"'bias'|'weight', 'bias' is missing in file"):
        dense.load_parameters(path)


def test_checkpoints_of_a_module(tmp_path):
    data = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    arg = {"fc_weight": nd.array(np.arange(6).reshape(3, 2)), "fc_bias": nd.ones((3,))}
    mx.model.save_checkpoint(str(tmp_path / "net"), 7, data, arg, {})
    graph, loaded, aux = mx.model.load_checkpoint(str(tmp_path / "net"), 7)
    assert graph.tojson() == data.tojson()
    assert aux == {}
    assert {n: a.asnumpy().tolist() for n, a in loaded.items()} == {n: a.asnumpy().tolist() for n, a in arg.items()}
    net = SymbolBlock.imports(tmp_path / "net-symbol.json", "data", tmp_path / "net-0007.params")
    assert net(nd.ones((1, 2))).asnumpy().tolist() == [[2, 6, 10]]


@pytest.mark.parametrize(
    ("layers", "saved"),
    [
        (["pre_fc1", "pre_fc2"], ["1_weight", "1_bias", "2_weight", "2_bias"]),
        (["fc1", "out"], ["fc1_weight", "fc1_bias", "out_weight", "out_bias"]),
        (["net_fc"], ["weight", "bias"]),
    ],
)
def test_names_of_a_symbol_block_are_mxnets(layers, saved, tmp_path):
    """MXNet 1.9.1 leaves out what all names begin with, also within a word."""
    data = out = mx.sym.var("data")
    for name in layers:
        out = mx.sym.FullyConnected(out, num_hidden=2, name=name)
    block = initialized(SymbolBlock(out, data))
    answer = block(nd.ones((1, 2))).asnumpy()
    block.save_parameters(tmp_path / "block.params")
    assert list(nd.load(tmp_path / "block.params")) == saved
    again = SymbolBlock(out, data)
    again.load_parameters(tmp_path / "block.params")
    near(again(nd.ones((1, 2))), answer)
    # As part of a network, as programs have it that train on from a part of a model.
    net = nn.HybridSequential()
    net.add(SymbolBlock(out, data), nn.Dense(1, in_units=2))
    net.initialize()
    net(nd.ones((1, 2)))
    net.save_parameters(tmp_path / "net.params")
    assert list(nd.load(tmp_path / "net.params")) == [f"0.{name}" for name in saved] + ["1.weight", "1.bias"]
