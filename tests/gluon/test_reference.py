"""The Gluon API reference: each of its examples, and that everything it names is there with that signature.

Where an example has a placeholder (a data set, trained weights, a GPU) something small stands in.
"""

import hashlib
import inspect
import weakref

import numpy as np
import pytest

import gluonnx as mx
from gluonnx import autograd, gluon
from gluonnx import ndarray as F
from gluonnx.gluon import Block, HybridBlock, nn


def _data(rows=24, columns=5, seed=3):
    return np.random.RandomState(seed).uniform(-1, 1, (rows, columns)).astype("float32")


# Overview -------------------------------------------------------------------------------------------------------------


def _predefined(num_outputs=3):
    net = gluon.nn.Sequential()
    # When instantiated, Sequential stores a chain of neural network layers.
    # Once presented with data, Sequential executes each layer in turn, using
    # the output of one layer as the input for the next
    with net.name_scope():
        net.add(gluon.nn.Dense(256, activation="relu"))  # 1st layer (256 nodes)
        net.add(gluon.nn.Dense(256, activation="relu"))  # 2nd hidden layer
        net.add(gluon.nn.Dense(num_outputs))
    return net


def test_simple_easy_to_understand_code():
    net = _predefined()
    net.initialize(mx.init.Xavier())
    x = _data()
    out = net(mx.nd.array(x)).asnumpy()
    for i, layer in enumerate(net):
        assert layer.name.endswith(f"dense{i}")
        x = x @ layer.weight.data().asnumpy().T + layer.bias.data().asnumpy()
        x = np.maximum(x, 0) if i < 2 else x
    np.testing.assert_allclose(out, x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("hybrid", [False, True])
def test_flexible_imperative_structure(hybrid):
    mx.random.seed(7)
    net = _predefined()
    net.initialize(mx.init.Xavier())
    if hybrid:
        with pytest.warns(UserWarning, match="Consider using HybridSequential"):
            net.hybridize()
    labels = np.arange(24) % 3
    inputs = _data()
    inputs[:, 0] += 2 * labels
    train_data = [(mx.nd.array(inputs[i : i + 8]), mx.nd.array(labels[i : i + 8])) for i in (0, 8, 16)]
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    softmax_cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    epochs = 10
    means = []

    for _ in range(epochs):
        total = 0.0
        for data, label in train_data:
            with autograd.record():
                output = net(data)  # the forward iteration
                loss = softmax_cross_entropy(output, label)
                loss.backward()
            trainer.step(data.shape[0])
            total += loss.mean().asscalar()
        means.append(total / len(train_data))

    assert means[0] > 0.8
    assert means[-1] < 0.5 * means[0]
    assert means == sorted(means, reverse=True)


class Tree:
    def __init__(self, value, *children):
        self.value = value
        self.children = children


class Recursive(Block):
    """Walks a tree with Python's own control flow."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.leaf = nn.Dense(2, use_bias=False, in_units=3)
            self.join = nn.Dense(2, use_bias=False, in_units=2)

    def forward(self, inputs, tree):
        children_outputs = [self.forward(inputs, child) for child in tree.children]
        # Recursively builds the neural network based on each input sentence's
        # syntactic structure during the model definition and training process
        out = self.leaf(inputs[tree.value].expand_dims(0))
        for child in children_outputs:
            out = out + self.join(child)
        return out


def test_dynamic_graphs():
    net = Recursive()
    net.initialize(mx.init.Normal(0.5))
    words = _data(4, 3)
    leaf, join = net.leaf.weight.data().asnumpy(), net.join.weight.data().asnumpy()

    def expected(tree):
        return leaf @ words[tree.value] + sum(join @ expected(child) for child in tree.children)

    for tree in (Tree(0), Tree(0, Tree(1), Tree(2)), Tree(3, Tree(2, Tree(1, Tree(0))))):
        with autograd.record():
            out = net(mx.nd.array(words), tree)
            out.sum().backward()
        np.testing.assert_allclose(out.asnumpy()[0], expected(tree), rtol=1e-5, atol=1e-6)
        assert (net.join.weight.grad().asnumpy() != 0).any() == bool(tree.children)
        assert (net.leaf.weight.grad().asnumpy() != 0).any()


def test_high_performance():
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.Dense(256, activation="relu"))
        net.add(nn.Dense(128, activation="relu"))
        net.add(nn.Dense(2))

    net.initialize(mx.init.Xavier())
    x = mx.nd.array(_data())
    imperative = net(x).asnumpy()
    net.hybridize()
    np.testing.assert_allclose(net(x).asnumpy(), imperative, rtol=1e-5, atol=1e-6)
    with autograd.record():
        out = net(x)
    np.testing.assert_allclose(out.asnumpy(), imperative, rtol=1e-5, atol=1e-6)


# Block and HybridBlock ------------------------------------------------------------------------------------------------


class Model(Block):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # use name_scope to give child Blocks appropriate names.
        with self.name_scope():
            self.dense0 = nn.Dense(20)
            self.dense1 = nn.Dense(20)

    def forward(self, x):
        x = F.relu(self.dense0(x))
        return F.relu(self.dense1(x))


class HybridModel(HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # use name_scope to give child Blocks appropriate names.
        with self.name_scope():
            self.dense0 = nn.Dense(20)
            self.dense1 = nn.Dense(20)

    def hybrid_forward(self, F, x):
        x = F.relu(self.dense0(x))
        return F.relu(self.dense1(x))


def test_block():
    model = Model()
    model.initialize(ctx=mx.cpu(0))
    out = model(F.zeros((10, 10), ctx=mx.cpu(0)))
    np.testing.assert_array_equal(out.asnumpy(), np.zeros((10, 20)))
    names = list(model.collect_params())
    assert [n.removeprefix(model.prefix) for n in names] == [
        "dense0_weight",
        "dense0_bias",
        "dense1_weight",
        "dense1_bias",
    ]
    assert model.dense0.weight.shape == (20, 10)


def test_hybrid_block():
    model = HybridModel()
    model.initialize(ctx=mx.cpu(0))
    model.hybridize()
    out = model(mx.nd.zeros((10, 10), ctx=mx.cpu(0)))
    np.testing.assert_array_equal(out.asnumpy(), np.zeros((10, 20)))
    x = mx.nd.array(_data(10, 10))
    hybridized = model(x).asnumpy()
    model.hybridize(False)
    np.testing.assert_allclose(hybridized, model(x).asnumpy(), rtol=1e-5, atol=1e-6)


def test_shared_parameters():
    dense0 = nn.Dense(20)
    dense1 = nn.Dense(20, params=dense0.collect_params())
    dense0.initialize()
    x = mx.nd.array(_data())
    np.testing.assert_array_equal(dense0(x).asnumpy(), dense1(x).asnumpy())
    assert dense1.weight is dense0.weight


def test_collect_params_by_regular_expression():
    model = nn.Sequential(prefix="")
    model.add(nn.Conv2D(4, 3, in_channels=2, prefix="conv1_"), nn.Dense(5, in_units=7, prefix="fc_"))
    model.add(nn.BatchNorm(in_channels=5, prefix="bn_"))
    assert list(model.collect_params("conv1_weight|conv1_bias|fc_weight|fc_bias")) == [
        "conv1_weight",
        "conv1_bias",
        "fc_weight",
        "fc_bias",
    ]
    assert list(model.collect_params(".*weight|.*bias")) == ["conv1_weight", "conv1_bias", "fc_weight", "fc_bias"]
    assert len(model.collect_params()) == 8


def test_name_scope():
    class Named(Block):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.dense = nn.Dense(20)

    block = Named(prefix="named_")
    assert (block.prefix, block.name, block.dense.name) == ("named_", "named", "named_dense0")
    assert list(block.params) == []


def test_hooks():
    net = nn.Dense(2, in_units=3)
    net.initialize()
    calls = []
    before = net.register_forward_pre_hook(lambda block, inputs: calls.append(("before", block, len(inputs))))
    after = net.register_forward_hook(lambda block, inputs, output: calls.append(("after", block, output.shape)))
    assert isinstance(before, gluon.utils.HookHandle)
    net(mx.nd.ones((4, 3)))
    assert calls == [("before", net, 1), ("after", net, (4, 2))]
    after.detach()
    with before:
        net(mx.nd.ones((4, 3)))
    net(mx.nd.ones((4, 3)))
    assert len(calls) == 3


def test_summary_save_load_cast_apply(tmp_path, capsys):
    model = Model()
    model.initialize()
    model(mx.nd.zeros((1, 10)))
    model.summary(mx.nd.zeros((1, 10)))
    printed = capsys.readouterr().out
    assert "Total params: 640" in printed
    model.save_parameters(str(tmp_path / "model.params"))
    again = Model()
    again.load_parameters(str(tmp_path / "model.params"), ctx=mx.cpu(), allow_missing=False, ignore_extra=False)
    x = mx.nd.array(_data(2, 10))
    np.testing.assert_array_equal(again(x).asnumpy(), model(x).asnumpy())
    with pytest.warns(DeprecationWarning, match="save_parameters"):
        model.save_params(str(tmp_path / "old.params"))
    with pytest.warns(DeprecationWarning, match="load_parameters"):
        again.load_params(str(tmp_path / "old.params"), ctx=mx.cpu())
    visited = []
    assert again.apply(visited.append) is again
    assert visited == [again.dense0, again.dense1, again]
    again.cast("float64")
    assert again(x.astype("float64")).dtype == np.float64


# Parameter, Constant, ParameterDict -----------------------------------------------------------------------------------


def test_constant():
    const = mx.gluon.Constant("const", [[1, 2], [3, 4]])
    const.initialize()
    np.testing.assert_array_equal(const.data().asnumpy(), [[1, 2], [3, 4]])
    assert const.grad_req == "null"

    class WithConstant(gluon.Block):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.const = self.params.get_constant("const", [[1, 2], [3, 4]])

        def forward(self, x):
            return x * self.const.data()

    block = WithConstant()
    block.initialize()
    trainer = gluon.Trainer(block.collect_params(), "sgd", {"learning_rate": 1.0})
    x = mx.nd.ones((2, 2))
    x.attach_grad()
    with autograd.record():
        block(x).backward()
    trainer.step(1)
    np.testing.assert_array_equal(x.grad.asnumpy(), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(block.const.data().asnumpy(), [[1, 2], [3, 4]])
    block.const.set_data(mx.nd.zeros((2, 2)))
    np.testing.assert_array_equal(block(x).asnumpy(), np.zeros((2, 2)))


def test_parameter_with_fully_connected():
    ctx = mx.cpu(0)
    x = mx.nd.ones((16, 100), ctx=ctx)
    w = mx.gluon.Parameter("fc_weight", shape=(64, 100), init=mx.init.Xavier())
    b = mx.gluon.Parameter("fc_bias", shape=(64,), init=mx.init.Zero())
    w.initialize(ctx=ctx)
    b.initialize(ctx=ctx)
    out = mx.nd.FullyConnected(x, w.data(ctx), b.data(ctx), num_hidden=64)
    expected = np.broadcast_to(w.data().asnumpy().sum(1), (16, 64))
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-5, atol=1e-5)
    assert np.abs(w.data().asnumpy()).max() <= np.sqrt(3 / 82)


def test_parameter_initialize():
    weight = mx.gluon.Parameter("weight", shape=(2, 2))
    weight.initialize(ctx=mx.cpu(0))
    assert weight.data().shape == (2, 2)
    assert 0 < np.abs(weight.data().asnumpy()).max() <= 0.07
    np.testing.assert_array_equal(weight.grad().asnumpy(), np.zeros((2, 2)))

    with pytest.warns(UserWarning, match="already initialized"):
        weight.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    weight.initialize(ctx=[mx.cpu(0), mx.cpu(1)], force_reinit=True)
    assert weight.list_ctx() == [mx.cpu(0), mx.cpu(1)]
    np.testing.assert_array_equal(weight.data(mx.cpu(0)).asnumpy(), weight.data(mx.cpu(1)).asnumpy())
    assert [d.context for d in weight.list_data()] == [mx.cpu(0), mx.cpu(1)]
    assert [g.shape for g in weight.list_grad()] == [(2, 2), (2, 2)]
    weight.reset_ctx(mx.cpu(1))
    assert weight.list_ctx() == [mx.cpu(1)]


def test_parameter_attributes():
    weight = mx.gluon.Parameter("weight", shape=(2, 2))
    weight.initialize(init=mx.init.One())
    weight.lr_mult = 2.0
    weight.wd_mult = 0.5
    trainer = gluon.Trainer([weight], "sgd", {"learning_rate": 0.1, "wd": 1.0})
    with autograd.record():
        weight.data().sum().backward()
    trainer.step(1)
    # w -= 0.1 * 2 * (gradient + 1 * 0.5 * w)
    np.testing.assert_allclose(weight.data().asnumpy(), np.full((2, 2), 1 - 0.2 * (1 + 0.5)), rtol=1e-6)
    weight.zero_grad()
    np.testing.assert_array_equal(weight.grad().asnumpy(), np.zeros((2, 2)))
    weight.grad_req = "null"
    with pytest.raises(RuntimeError, match="grad_req='null'"):
        weight.grad()
    weight.dtype = "float64"
    assert weight.data().dtype == np.float64
    assert weight.var().name == "weight"


def test_parameter_dict_setattr():
    model = nn.Dense(3, in_units=2)
    model.initialize()
    model.collect_params().setattr("grad_req", "null")
    assert {p.grad_req for p in model.collect_params().values()} == {"null"}
    model.collect_params().setattr("lr_mult", 0.5)
    assert {p.lr_mult for p in model.collect_params().values()} == {0.5}


def test_parameter_dict(tmp_path):
    params = gluon.ParameterDict("net_")
    weight = params.get("weight", shape=(2, 3))
    constant = params.get_constant("scale", [2.0])
    assert params.get("weight") is weight
    assert params.get_constant("scale") is constant
    assert (list(params), params.prefix) == (["net_weight", "net_scale"], "net_")
    params.initialize(mx.init.One(), ctx=mx.cpu())
    params.save(str(tmp_path / "p"), strip_prefix="net_")
    other = gluon.ParameterDict("net_", shared=params)
    assert other.get("weight") is weight
    third = gluon.ParameterDict("net_")
    third.get("weight", shape=(2, 3))
    third.load(str(tmp_path / "p"), ctx=mx.cpu(), ignore_extra=True, restore_prefix="net_")
    np.testing.assert_array_equal(third.get("weight").data().asnumpy(), np.ones((2, 3)))
    merged = gluon.ParameterDict()
    merged.update(params)
    assert list(merged) == list(params)
    params.zero_grad()
    params.reset_ctx(mx.cpu(1))
    assert weight.list_ctx() == [mx.cpu(1)]


# SymbolBlock ----------------------------------------------------------------------------------------------------------


def test_features_of_alexnet(tmp_path):
    # Weights of one's own stand in for the published ones.
    first = gluon.model_zoo.vision.alexnet()
    first.initialize(mx.init.Xavier())
    first.infer_shape(mx.nd.zeros((1, 3, 63, 63)))
    for param in first.collect_params().values():
        param._finish_deferred_init()
    first.save_parameters(tmp_path / "alexnet-mine.params")

    # To extract the feature from fc1 and fc2 layers of AlexNet:
    alexnet = gluon.model_zoo.vision.alexnet(pretrained=True, ctx=mx.cpu(), prefix="model_", root=tmp_path)
    inputs = mx.sym.var("data")
    out = alexnet(inputs)
    internals = out.get_internals()
    names = internals.list_outputs()
    assert names[0] == "data"
    assert {"model_dense0_relu_fwd_output", "model_dense1_relu_fwd_output"} <= set(names)
    outputs = [internals["model_dense0_relu_fwd_output"], internals["model_dense1_relu_fwd_output"]]
    # Create SymbolBlock that shares parameters with alexnet
    feat_model = gluon.SymbolBlock(outputs, inputs, params=alexnet.collect_params())
    x = mx.nd.random.normal(shape=(16, 3, 63, 63))
    features = feat_model(x)
    assert [f.shape for f in features] == [(16, 4096), (16, 4096)]
    fc1 = alexnet.features[:10](x).asnumpy()
    np.testing.assert_allclose(features[0].asnumpy(), fc1, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(alexnet.output(features[1]).asnumpy(), alexnet(x).asnumpy(), rtol=1e-5, atol=1e-6)
    feat_model.hybridize()
    np.testing.assert_allclose(feat_model(x)[0].asnumpy(), fc1, rtol=1e-5, atol=1e-6)
    alexnet.features[9].bias.set_data(mx.nd.full((4096,), -1e3))
    np.testing.assert_array_equal(feat_model(x)[0].asnumpy(), np.zeros((16, 4096)))


def test_imports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net1 = gluon.model_zoo.vision.resnet18_v1(prefix="resnet")
    net1.initialize(mx.init.Xavier())
    net1.hybridize()
    x = mx.nd.random.normal(shape=(1, 3, 32, 32))
    out1 = net1(x)
    net1.export("net1", epoch=1)

    net2 = gluon.SymbolBlock.imports("net1-symbol.json", ["data"], "net1-0001.params")
    out2 = net2(x)
    np.testing.assert_allclose(out2.asnumpy(), out1.asnumpy(), rtol=1e-5, atol=1e-6)
    net3 = gluon.SymbolBlock.imports("net1-0001.onnx", ["data"])
    np.testing.assert_allclose(net3(x).asnumpy(), out1.asnumpy(), rtol=1e-5, atol=1e-6)


# Containers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nn.Sequential, nn.HybridSequential])
def test_sequential(kind):
    net = kind()
    # use net's name_scope to give child Blocks appropriate names.
    with net.name_scope():
        net.add(nn.Dense(10, activation="relu"))
        net.add(nn.Dense(20))
    net.initialize()
    if kind is nn.HybridSequential:
        net.hybridize()
    assert net(mx.nd.ones((3, 4))).shape == (3, 20)
    assert [p.removeprefix(net.prefix) for p in net.collect_params()] == [
        "dense0_weight",
        "dense0_bias",
        "dense1_weight",
        "dense1_bias",
    ]


# Trainer --------------------------------------------------------------------------------------------------------------


def test_trainer_with_gradients_clipped_between(tmp_path):
    net = nn.Dense(1, in_units=2, use_bias=False)
    net.initialize(mx.init.One())
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5}, update_on_kvstore=False)
    with autograd.record():
        net(mx.nd.array([[3, 4]])).backward()
    trainer.allreduce_grads()
    norm = gluon.utils.clip_global_norm([p.grad() for p in net.collect_params().values()], 1.0)
    trainer.update(1)
    assert norm == pytest.approx(5)
    np.testing.assert_allclose(net.weight.data().asnumpy(), [[1 - 0.5 * 0.6, 1 - 0.5 * 0.8]], rtol=1e-5)
    assert trainer.learning_rate == 0.5
    trainer.set_learning_rate(0.25)
    assert trainer.learning_rate == 0.25


def test_trainer_states(tmp_path):
    def make():
        net = nn.Dense(1, in_units=2, use_bias=False)
        net.initialize(mx.init.One())
        return net, gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.1})

    def step(net, trainer):
        with autograd.record():
            net(mx.nd.array([[1, -2]])).backward()
        trainer.step(1)

    first, trainer = make()
    step(first, trainer)
    trainer.save_states(str(tmp_path / "states"))
    second, other = make()
    second.weight.set_data(first.weight.data())
    other.load_states(str(tmp_path / "states"))
    step(first, trainer)
    step(second, other)
    np.testing.assert_array_equal(first.weight.data().asnumpy(), second.weight.data().asnumpy())


def test_trainer_with_a_stale_gradient():
    net = nn.Dense(1, in_units=2)
    net.initialize(mx.init.One())
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1.0})
    with pytest.raises(UserWarning, match="stale"):
        trainer.step(1)
    trainer.step(1, ignore_stale_grad=True)
    np.testing.assert_array_equal(net.weight.data().asnumpy(), [[1, 1]])


def test_update_on_kvstore_with_a_schedule():
    net = nn.Dense(1, in_units=2)
    net.initialize()
    schedule = mx.lr_scheduler.FactorScheduler(step=1, factor=0.5, base_lr=1.0)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"lr_scheduler": schedule})
    with autograd.record():
        net(mx.nd.ones((1, 2))).backward()
    trainer.step(1)
    assert trainer.learning_rate == 1.0
    with pytest.raises(UserWarning, match="LRScheduler"):
        trainer.set_learning_rate(0.1)


# Utilities ------------------------------------------------------------------------------------------------------------


def test_split_data():
    data = mx.nd.arange(12).reshape((6, 2))
    parts = gluon.utils.split_data(data, num_slice=3, batch_axis=0, even_split=True)
    assert [p.asnumpy().tolist() for p in parts] == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [10, 11]]]
    only = gluon.utils.split_data(data, 1)
    assert isinstance(only, list)
    assert len(only) == 1
    with pytest.raises(ValueError, match="cannot be evenly split into 4 slices"):
        gluon.utils.split_data(data, 4)
    uneven = gluon.utils.split_data(data, 4, even_split=False)
    assert sum(p.shape[0] for p in uneven) == 6
    assert [p.shape for p in gluon.utils.split_data(data, 2, batch_axis=1)] == [(6, 1), (6, 1)]


def test_split_and_load():
    parts = gluon.utils.split_and_load(_data(4, 2), ctx_list=[mx.cpu(0), mx.cpu(1)], batch_axis=0, even_split=True)
    assert [p.context for p in parts] == [mx.cpu(0), mx.cpu(1)]
    np.testing.assert_array_equal(np.concatenate([p.asnumpy() for p in parts]), _data(4, 2))


def test_clip_global_norm():
    arrays = [mx.nd.array([3.0]), mx.nd.array([[4.0]])]
    total = gluon.utils.clip_global_norm(arrays, max_norm=1.0)
    assert isinstance(total, (float, np.floating))
    assert total == pytest.approx(5)
    np.testing.assert_allclose([a.asnumpy().ravel()[0] for a in arrays], [0.6, 0.8], rtol=1e-5)
    lazy = gluon.utils.clip_global_norm(arrays, max_norm=10.0, check_isfinite=False)
    assert lazy.shape == (1,)
    np.testing.assert_allclose(lazy.asnumpy(), [1.0], rtol=1e-5)
    with pytest.warns(UserWarning, match="nan or inf"):
        gluon.utils.clip_global_norm([mx.nd.array([np.inf])], 1.0)


def test_check_sha1_and_download(tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(b"weights")
    digest = hashlib.sha1(b"weights").hexdigest()
    assert gluon.utils.check_sha1(str(source), digest) is True
    assert gluon.utils.check_sha1(str(source), "0" * 40) is False
    target = tmp_path / "to" / "copy.bin"
    path = gluon.utils.download(source.as_uri(), path=str(target), overwrite=False, sha1_hash=digest, retries=1)
    assert path == str(target)
    assert target.read_bytes() == b"weights"


# Signatures -----------------------------------------------------------------------------------------------------------

ANY = object()
"""A default that the reference leaves out."""

REFERENCE = {
    "Block": "prefix=None, params=None",
    "Block.__call__": "*args",
    "Block.__setattr__": "name, value",
    "Block.apply": "fn",
    "Block.cast": "dtype",
    "Block.collect_params": "select=None",
    "Block.forward": "*args",
    "Block.hybridize": "active=True, **kwargs",
    "Block.initialize": "init=?, ctx=None, verbose=False, force_reinit=False",
    "Block.load_parameters": (
        "filename, ctx=None, allow_missing=False, ignore_extra=False, cast_dtype=False, dtype_source='current'"
    ),
    "Block.load_params": "filename, ctx=None, allow_missing=False, ignore_extra=False",
    "Block.name_scope": "",
    "Block.register_child": "block, name=None",
    "Block.register_forward_hook": "hook",
    "Block.register_forward_pre_hook": "hook",
    "Block.save_parameters": "filename",
    "Block.save_params": "filename",
    "Block.summary": "*inputs",
    "Constant": "name, value",
    "HybridBlock": "prefix=None, params=None",
    "HybridBlock.__setattr__": "name, value",
    "HybridBlock.export": "path, epoch=0, remove_amp_cast=True",
    "HybridBlock.forward": "x, *args",
    "HybridBlock.hybrid_forward": "F, x, *args, **kwargs",
    "HybridBlock.infer_shape": "*args",
    "HybridBlock.infer_type": "*args",
    "Parameter": (
        "name, grad_req='write', shape=None, dtype=?, lr_mult=1.0, wd_mult=1.0, init=None, "
        "allow_deferred_init=False, differentiable=True, stype='default', grad_stype='default'"
    ),
    "Parameter.cast": "dtype",
    "Parameter.data": "ctx=None",
    "Parameter.grad": "ctx=None",
    "Parameter.initialize": "init=None, ctx=None, default_init=?, force_reinit=False",
    "Parameter.list_ctx": "",
    "Parameter.list_data": "",
    "Parameter.list_grad": "",
    "Parameter.list_row_sparse_data": "row_id",
    "Parameter.reset_ctx": "ctx",
    "Parameter.row_sparse_data": "row_id",
    "Parameter.set_data": "data",
    "Parameter.var": "",
    "Parameter.zero_grad": "",
    "ParameterDict": "prefix='', shared=None",
    "ParameterDict.get": "name, **kwargs",
    "ParameterDict.get_constant": "name, value=None",
    "ParameterDict.initialize": "init=?, ctx=None, verbose=False, force_reinit=False",
    "ParameterDict.load": (
        "filename, ctx=None, allow_missing=False, ignore_extra=False, restore_prefix='', cast_dtype=False, "
        "dtype_source='current'"
    ),
    "ParameterDict.reset_ctx": "ctx",
    "ParameterDict.save": "filename, strip_prefix=''",
    "ParameterDict.setattr": "name, value",
    "ParameterDict.update": "other",
    "ParameterDict.zero_grad": "",
    "SymbolBlock": "outputs, inputs, params=None",
    "SymbolBlock.imports": "symbol_file, input_names, param_file=None, ctx=None",
    "Trainer": (
        "params, optimizer, optimizer_params=None, kvstore='device', compression_params=None, update_on_kvstore=None"
    ),
    "Trainer.allreduce_grads": "",
    "Trainer.load_states": "fname",
    "Trainer.save_states": "fname",
    "Trainer.set_learning_rate": "lr",
    "Trainer.step": "batch_size, ignore_stale_grad=False",
    "Trainer.update": "batch_size, ignore_stale_grad=False",
    "nn.HybridSequential": "prefix=None, params=None",
    "nn.HybridSequential.add": "*blocks",
    "nn.Sequential": "prefix=None, params=None",
    "nn.Sequential.add": "*blocks",
    "nn.Sequential.hybridize": "active=True, **kwargs",
    "utils.check_sha1": "filename, sha1_hash",
    "utils.clip_global_norm": "arrays, max_norm, check_isfinite=True",
    "utils.download": "url, path=None, overwrite=False, sha1_hash=None, retries=5, verify_ssl=True",
    "utils.split_and_load": "data, ctx_list, batch_axis=0, even_split=True",
    "utils.split_data": "data, num_slice, batch_axis=0, even_split=True",
}
"""Members of `gluon` with their arguments as the reference prints them; `?` where it leaves a default out."""

PROPERTIES = [
    "Block.name",
    "Block.params",
    "Block.prefix",
    "Parameter.dtype",
    "Parameter.grad_req",
    "Parameter.shape",
    "ParameterDict.prefix",
    "Trainer.learning_rate",
]

DEFAULTS = {
    "": inspect.Parameter.empty,
    "?": ANY,
    "None": None,
    "True": True,
    "False": False,
    "''": "",
    "'current'": "current",
    "'default'": "default",
    "'device'": "device",
    "'write'": "write",
    "0": 0,
    "1.0": 1.0,
    "5": 5,
}


def _find(path):
    found = gluon
    for name in path.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("path", REFERENCE)
def test_signature(path):
    parameters = [p for p in inspect.signature(_find(path)).parameters.values() if p.name != "self"]
    wanted = [a.strip() for a in REFERENCE[path].split(",") if a.strip()]
    for text, parameter in zip(wanted, parameters, strict=False):
        if text.startswith("*"):
            assert str(parameter).split(":")[0] == text, path
            continue
        name, _, default = text.partition("=")
        assert parameter.name == name, path
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD, (path, name)
        if default == "?":
            assert parameter.default is not parameter.empty, (path, name)
        elif not (path == "SymbolBlock.imports" and name == "input_names"):  # an ONNX file names its inputs itself
            assert parameter.default == DEFAULTS[default], (path, name)
    assert len(parameters) >= len(wanted), path
    for parameter in parameters[len(wanted) :]:
        assert parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ), f"{path}: {parameter.name} has no default"


@pytest.mark.parametrize("path", PROPERTIES)
def test_property(path):
    assert isinstance(_find(path), property)


def test_multipliers_are_attributes():
    parameter = gluon.Parameter("p", lr_mult=0.5, wd_mult=0.25)
    assert (parameter.lr_mult, parameter.wd_mult) == (0.5, 0.25)


def test_weak_references():
    param = gluon.Parameter("p", shape=(1,))
    param.initialize()
    for thing in (nn.Dense(1), param, gluon.ParameterDict(), gluon.Trainer([param], "sgd")):
        assert weakref.ref(thing)() is thing


def test_families():
    assert issubclass(gluon.HybridBlock, gluon.Block)
    assert issubclass(gluon.SymbolBlock, gluon.HybridBlock)
    assert issubclass(gluon.Constant, gluon.Parameter)
    assert issubclass(nn.HybridSequential, gluon.HybridBlock)
    assert issubclass(gluon.DeferredInitializationError, mx.MXNetError)


def test_deferred_initialization_error():
    net = nn.Dense(3)
    net.initialize()
    with pytest.raises(gluon.DeferredInitializationError, match=r"dense.*weight"):
        net.weight.data()
