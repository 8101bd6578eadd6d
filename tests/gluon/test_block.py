"""Blocks: names, children, parameters, hooks, files, summary, as MXNet 1.9.1 has them."""

import numpy as np
import pytest
from gluon.nets import convnet, images, near, rows

import gluonnx as mx
from gluonnx import gluon, nd
from gluonnx.gluon import nn


class Net(gluon.Block):
    """Two dense layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.a = nn.Dense(3, in_units=3)
            self.b = nn.Dense(2, in_units=3)

    def forward(self, x):
        return self.b(self.a(x))


class Scaled(gluon.HybridBlock):
    """A layer, a parameter and a constant."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.a = nn.Dense(3, in_units=3)
            self.w = self.params.get("w", shape=(3,), init="ones")
            self.c = self.params.get_constant("c", nd.array([1.0, 2.0, 3.0]))

    def hybrid_forward(self, F, x, w, c):
        return F.broadcast_add(F.broadcast_mul(self.a(x), w), c)


NAMES = ["dense0_weight", "dense0_bias", "dense1_weight", "dense1_bias"]


@pytest.fixture(autouse=True)
def fresh_names():
    with mx.name.NameManager():
        yield


# Names ----------------------------------------------------------------------------------------------------------------


def test_names_count_up_in_their_scope():
    for prefix in ("net0_", "net1_"):
        net = Net()
        assert (net.name, net.prefix) == (prefix[:-1], prefix)
        assert list(net.collect_params()) == [prefix + n for n in NAMES]
    assert nn.Dense(1).name == "dense0"
    assert nn.Dense(1).name == "dense1"


def test_prefixes_given_by_the_maker():
    assert list(Net(prefix="foo_").collect_params()) == [f"foo_{n}" for n in NAMES]
    net = Net(prefix="")
    assert (net.name, net.prefix, list(net.collect_params())) == ("", "", NAMES)


def test_nested_scopes_join_their_prefixes():
    class Outer(gluon.Block):
        def __init__(self):
            super().__init__(prefix="outer_")
            with self.name_scope():
                self.inner = Net()
                self.own = self.params.get("own", shape=(1,))

    assert list(Outer().collect_params()) == ["outer_own", *(f"outer_net0_{n}" for n in NAMES)]


def test_shared_parameters():
    net = Net(prefix="net_")
    other = Net(prefix="other_", params=net.collect_params())
    assert [p is q for p, q in zip(net.collect_params().values(), other.collect_params().values(), strict=True)] == [
        True
    ] * 4
    layer = nn.Dense(3, in_units=3, params=net.a.params)
    assert layer.prefix == "dense0_"
    assert layer.weight is net.a.weight


def test_parameters_by_pattern():
    net = Scaled(prefix="s_")
    assert list(net.collect_params()) == ["s_w", "s_c", "s_dense0_weight", "s_dense0_bias"]
    assert list(net.collect_params(".*weight|s_w")) == ["s_w", "s_dense0_weight"]
    assert list(net.collect_params("weight")) == []
    assert list(net.params) == ["s_w", "s_c"]
    assert sorted(net._collect_params_with_prefix()) == ["a.bias", "a.weight", "c", "w"]


def test_repr():
    assert repr(Net(prefix="net_")) == "Net(\n  (a): Dense(3 -> 3, linear)\n  (b): Dense(3 -> 2, linear)\n)"
    outer = nn.HybridSequential(prefix="")
    outer.add(nn.HybridSequential(prefix=""))
    outer[0].add(nn.Flatten())
    assert repr(outer) == "HybridSequential(\n  (0): HybridSequential(\n    (0): Flatten\n  )\n)"


# Attributes and children ----------------------------------------------------------------------------------------------


def test_attributes_keep_their_type():
    net = Net()
    for value in (3, nn.Flatten()):
        with pytest.raises(TypeError, match=r"Net `a`: Changing attribute type for a from <class '.*Dense'>"):
            net.a = value
    layer = nn.Dense(3, in_units=3, prefix="new_")
    net.a = layer
    assert list(net.collect_params())[:2] == ["new_weight", "new_bias"]
    scaled = Scaled()
    with pytest.raises(AssertionError, match="Scaled `w`: Overriding Parameter attribute w is not allowed"):
        scaled.w = gluon.Parameter("other", shape=(1,))
    with pytest.raises(TypeError, match="Changing attribute type for w"):
        scaled.w = 3


def test_children_of_hybrid_blocks_are_hybrid():
    for add in (
        lambda: Scaled().register_child(Net()),
        lambda: setattr(Scaled(), "q", Net()),
        lambda: nn.HybridSequential().add(Net()),
    ):
        with pytest.raises(ValueError, match=r"Children of HybridBlock must also be HybridBlock, but Net\("):
            add()


def test_registered_children_take_part():
    net = gluon.Block(prefix="b_")
    net.register_child(nn.Dense(2, in_units=2, prefix="x_"))
    net.register_child(nn.Dense(2, in_units=2, prefix="y_"), "named")
    assert list(net._collect_params_with_prefix()) == ["0.weight", "0.bias", "named.weight", "named.bias"]


def test_apply_visits_children_first():
    net, seen = Net(prefix="n_"), []
    assert net.apply(lambda block: seen.append(block.name)) is net
    assert seen == ["n_dense0", "n_dense1", "n"]


def test_hooks_run_in_order_until_they_are_detached():
    net, seen = Net(), []
    net.initialize()
    handle = net.register_forward_pre_hook(lambda block, inputs: seen.append(("pre", len(inputs))))
    with net.register_forward_hook(lambda block, inputs, output: seen.append(("post", output.shape))):
        net(rows())
    net(rows())
    handle.detach()
    handle.detach()
    net(rows())
    assert seen == [("pre", 1), ("post", (2, 2)), ("pre", 1)]


def test_hybridizing_with_hooks_warns():
    net = Scaled()
    net.register_forward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match="is being hybridized while still having forward hook/pre-hook"):
        net.hybridize()


def test_cast_reaches_every_parameter():
    net = Scaled()
    net.initialize()
    net.cast("float16")
    assert {p.data().dtype for p in net.collect_params().values()} == {np.float16}
    assert net(rows().astype("float16")).dtype == np.float16


# Calls ----------------------------------------------------------------------------------------------------------------


def test_a_call_before_initialization_is_told():
    for net in (Net(), Scaled()):
        with pytest.raises(RuntimeError, match="has not been initialized: expected a call of `initialize"):
            net(rows())


def test_a_block_without_forward_is_told():
    with pytest.raises(NotImplementedError, match="Block: no forward"):
        gluon.Block()(rows())
    with pytest.raises(NotImplementedError, match="HybridBlock: no hybrid_forward"):
        gluon.HybridBlock()(rows())


def test_a_second_initialization_warns_for_each_parameter():
    net = Net()
    net.initialize()
    with pytest.warns(UserWarning, match="already initialized, ignoring") as caught:
        net.initialize()
    assert len(caught) == 4


def test_shapes_follow_from_the_first_call():
    net = nn.HybridSequential(prefix="n_")
    net.add(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Flatten(), nn.Dense(2))
    net.initialize()
    with pytest.raises(gluon.parameter.DeferredInitializationError, match="initialization was deferred"):
        net[0].weight.data()
    assert net(images()).shape == (2, 2)
    assert [p.shape for p in net.collect_params().values()] == [
        (4, 1, 3, 3),
        (4,),
        (4,),
        (4,),
        (4,),
        (4,),
        (2, 144),
        (2,),
    ]


def test_shapes_that_do_not_follow_are_told():
    layer = nn.Conv2D(3, 3)
    layer.initialize()
    with pytest.raises(
        ValueError, match=r"Deferred initialization failed because shape cannot be inferred.*wrong rank"
    ):
        layer(rows())
    assert layer.weight.shape == (3, 0, 3, 3)
    grouped = nn.Conv2D(4, 3, groups=2)
    grouped.initialize()
    with pytest.raises(ValueError, match=r"shape cannot be inferred.*multiple of num_group=2, got 3 channels"):
        grouped(nd.ones((1, 3, 5, 5)))
    assert grouped(nd.ones((1, 4, 5, 5))).shape == (1, 4, 3, 3)


def test_infer_shape_does_not_initialize():
    layer = nn.Dense(3)
    layer.infer_shape(nd.ones((4, 7)))
    assert layer.weight.shape == (3, 7)
    with pytest.raises(RuntimeError, match="has not been initialized"):
        layer.weight.data()


def test_symbols_give_a_symbol():
    net = Scaled(prefix="s_")
    out = net(mx.sym.var("x"))
    assert out.list_arguments() == ["x", "s_dense0_weight", "s_dense0_bias", "s_w", "s_c"]


# Files ----------------------------------------------------------------------------------------------------------------


def test_parameters_are_saved_by_structure_and_read_under_other_names(tmp_path):
    net, other = Net(prefix="a_"), Net(prefix="b_")
    net.initialize(mx.init.Normal(1))
    net.save_parameters(tmp_path / "p.params")
    assert list(nd.load(str(tmp_path / "p.params"))) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    other.load_parameters(tmp_path / "p.params", ctx=[mx.cpu(0), mx.cpu(1)])
    assert other.a.weight.list_ctx() == [mx.cpu(0), mx.cpu(1)]
    near(other(rows()), net(rows()))
    with pytest.raises(AssertionError, match=r"on \[cpu\(2\)\] because it was previously initialized"):
        other.load_parameters(tmp_path / "p.params", ctx=mx.cpu(2))


def test_shared_parameters_are_saved_once_if_asked(tmp_path):
    net = nn.HybridSequential()
    net.add(nn.Dense(3, in_units=3))
    net.add(nn.Dense(3, in_units=3, params=net[0].params))
    net.initialize(mx.init.Normal(1))
    expected = net(rows())
    for deduplicate, count in ((False, 4), (True, 2)):
        net.save_parameters(tmp_path / "p.params", deduplicate=deduplicate)
        assert len(nd.load(str(tmp_path / "p.params"))) == count
        net.initialize(mx.init.Zero(), force_reinit=True)
        net.load_parameters(tmp_path / "p.params")
        near(net(rows()), expected)


def test_missing_and_extra_parameters(tmp_path):
    net, other = Net(), Scaled()
    net.initialize()
    path = tmp_path / "p.params"
    net.save_parameters(path)
    with pytest.raises(AssertionError, match=r"Parameter 'w', 'c' is missing in file .*p\.params"):
        other.load_parameters(path)
    with pytest.raises(ValueError, match=r"Parameter 'b.weight', 'b.bias' loaded from file"):
        other.load_parameters(path, allow_missing=True)
    with pytest.raises(RuntimeError, match="has not been initialized"):
        other.a.weight.data()
    other.load_parameters(path, allow_missing=True, ignore_extra=True)
    near(other.a.weight.data(), net.a.weight.data())
    with pytest.raises(RuntimeError, match="_w' has not been initialized"):
        other(rows())


def test_dtypes_are_cast_if_asked(tmp_path):
    net, other = Net(), Net()
    path = tmp_path / "p.params"
    net.initialize()
    net.cast("float16")
    net.save_parameters(path)
    with pytest.raises(
        AssertionError, match=r"dtype incompatible expected float32 vs saved float16. Set cast_dtype=True"
    ):
        other.load_parameters(path)
    other.load_parameters(path, cast_dtype=True)
    assert other.a.weight.data().dtype == np.float32
    other.load_parameters(path, cast_dtype=True, dtype_source="saved")
    assert other.a.weight.data().dtype == np.float16
    with pytest.raises(AssertionError, match="dtype_source 'current' or 'saved', got 'guess'"):
        other.load_parameters(path, cast_dtype=True, dtype_source="guess")


def test_files_by_full_names_are_read_too(tmp_path):
    net = Net(prefix="net_")
    net.initialize(mx.init.Normal(1))
    net.collect_params().save(tmp_path / "p.params", strip_prefix="net_")
    other = Net(prefix="net_")
    other.load_parameters(tmp_path / "p.params")
    near(other(rows()), net(rows()))


def test_deprecated_names_still_work(tmp_path):
    net = Net(prefix="net_")
    net.initialize(mx.init.Normal(1))
    with pytest.warns(DeprecationWarning, match="Please use save_parameters"):
        net.save_params(tmp_path / "p.params")
    other = Net(prefix="net_")
    with pytest.warns(DeprecationWarning, match="Please use load_parameters"):
        other.load_params(tmp_path / "p.params")
    near(other(rows()), net(rows()))


def test_saving_before_initialization_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="has not been initialized"):
        Net().save_parameters(tmp_path / "p.params")
    assert not list(tmp_path.iterdir())


# Summary --------------------------------------------------------------------------------------------------------------

# What MXNet 1.9.1 prints for this net.
SUMMARY = """\
--------------------------------------------------------------------------------
        Layer (type)                                Output Shape         Param #
================================================================================
               Input                                (2, 1, 8, 8)               0
        Activation-1                                (2, 4, 6, 6)               0
            Conv2D-2                                (2, 4, 6, 6)              40
         BatchNorm-3                                (2, 4, 6, 6)              16
         MaxPool2D-4                                (2, 4, 3, 3)               0
           Flatten-5                                     (2, 36)               0
             Dense-6                                     (2, 10)             370
           Dropout-7                                     (2, 10)               0
================================================================================
Parameters in forward computation graph, duplicate included
   Total params: 426
   Trainable params: 418
   Non-trainable params: 8
Shared params in forward computation graph: 0
Unique parameters in model: 426
--------------------------------------------------------------------------------
"""


def test_summary_is_that_of_mxnet(capsys):
    net = nn.HybridSequential(prefix="m_")
    with net.name_scope():
        net.add(
            nn.Conv2D(4, 3, activation="relu"),
            nn.BatchNorm(),
            nn.MaxPool2D(),
            nn.Flatten(),
            nn.Dense(10),
            nn.Dropout(0.5),
        )
    net.initialize()
    for _ in range(2):
        net.summary(images())
        assert capsys.readouterr().out == SUMMARY
    assert not any(block._forward_hooks for block in net._children.values())


def test_summary_of_nested_inputs_and_outputs(capsys):
    class Nested(gluon.HybridBlock):
        def hybrid_forward(self, F, x, ys):
            return [x + ys[0], [ys[0] * 2, ys[1] * 3]], x

    x = nd.ones((1, 2))
    Nested().summary(x, [x, x])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == "               Input                    (1, 2), [(1, 2), (1, 2)]               0"
    assert lines[4] == "            Nested-1          [(1, 2), [(1, 2), (1, 2)]], (1, 2)               0"


def test_summary_counts_shared_parameters_once(capsys):
    net = nn.HybridSequential()
    net.add(nn.Dense(3, in_units=3))
    net.add(nn.Dense(3, in_units=3, params=net[0].params))
    net.initialize()
    net.summary(rows())
    out = capsys.readouterr().out
    assert "   Total params: 24" in out
    assert "Shared params in forward computation graph: 12" in out
    assert "Unique parameters in model: 12" in out


def test_summary_needs_an_imperative_initialized_net(capsys):
    net = convnet()
    net.hybridize()
    with pytest.raises(AssertionError, match="must not be hybridized to print summary"):
        net.summary(images())
    with pytest.raises(RuntimeError, match="has not been initialized"):
        Net().summary(rows())
    assert capsys.readouterr().out == ""


def test_blocks_in_containers_are_not_children():
    class Hidden(nn.Block):
        def __init__(self, layers, **kwargs):
            super().__init__(**kwargs)
            self.layers = layers

    for layers in ([nn.Dense(2)], {"a": (nn.Dense(2), 1)}):
        net = Hidden(layers, prefix="net_")
        with pytest.warns(UserWarning, match=r'Hidden: "net.layers" is an unregistered container with Blocks'):
            assert len(net.collect_params()) == 0
        block = layers[0] if isinstance(layers, list) else layers["a"][0]
        net.register_child(block)
        assert len(net.collect_params()) == 2
    assert len(Hidden({"a": "4", "b": [123]}).collect_params()) == 0


def test_arguments_of_a_hybrid_block():
    class Add(nn.HybridBlock):
        def hybrid_forward(self, F, a, b):
            return sum(a) + b if isinstance(a, (list, tuple)) else a + b

    one = nd.ones((2,))
    assert Add()(one, 1).asnumpy().tolist() == [2, 2]
    assert Add()([one, one], 3).asnumpy().tolist() == [5, 5]
    hybridized = Add()
    hybridized.hybridize()
    with pytest.raises(ValueError, match=r"Add input: wrong type: expected \(nested lists of\) NDArray.* got int"):
        hybridized(one, 1)
    for block in (Add(), hybridized):
        for args in ((one, mx.sym.var("a")), (mx.sym.var("a"), one)):
            with pytest.raises(ValueError, match="Add: In HybridBlock, we do not support mixed NDArrays and Symbols"):
                block(*args)
