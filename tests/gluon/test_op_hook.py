"""Hooks on the operators of hybridized blocks; the names are what MXNet 1.9.1 gives."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.gluon import nn


def _net():
    net = nn.HybridSequential(prefix="m_")
    with net.name_scope():
        net.add(
            nn.Conv2D(2, 1),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.MaxPool2D(),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Dense(2),
            nn.PReLU(),
            nn.HybridLambda("softmax"),
            nn.HybridLambda(lambda F, x: F.split(F.concat(F.broadcast_add(x, x), x * 2, dim=1), num_outputs=2)),
        )
    net.initialize()
    return net


def _seen(net, *inputs, monitor_all, train=False):
    names = []
    net.register_op_hook(lambda name, op, array: names.append((name.decode(), op.decode())), monitor_all)
    if train:
        with mx.autograd.record():
            net(*inputs)
    else:
        net(*inputs)
    return names


OUTPUTS = [
    ("conv0_fwd_output", "Convolution"),
    ("batchnorm0_fwd_output", "BatchNorm"),
    ("relu0_fwd_output", "Activation"),
    ("pool0_fwd_output", "Pooling"),
    ("flatten0_flatten0_0", "Flatten"),
    ("dropout0_fwd_output", "Dropout"),
    ("dense0_fwd_output", "FullyConnected"),
    ("prelu0_fwd_output", "LeakyReLU"),
    ("hybridlambda0_softmax0_output", "softmax"),
    ("hybridlambda1_broadcast_add0_0", "broadcast_add"),
    ("hybridlambda1__mulscalar0_0", "_mul_scalar"),
    ("hybridlambda1_concat0_output", "Concat"),
    ("hybridlambda1_split0_output0", "SliceChannel"),
    ("hybridlambda1_split0_output1", "SliceChannel"),
]
INPUTS = {
    "conv0_fwd": ["data", "weight", "bias"],
    "batchnorm0_fwd": ["data", "gamma", "beta", "moving_mean", "moving_var"],
    "relu0_fwd": ["input0"],
    "pool0_fwd": ["data"],
    "flatten0_flatten0": ["input0"],
    "dropout0_fwd": ["data"],
    "dense0_fwd": ["data", "weight", "bias"],
    "prelu0_fwd": ["data", "gamma"],
    "hybridlambda0_softmax0": ["data"],
    "hybridlambda1_broadcast_add0": ["lhs", "rhs"],
    "hybridlambda1__mulscalar0": ["input0"],
    "hybridlambda1_concat0": ["arg0", "arg1"],
    "hybridlambda1_split0": ["data"],
}


def test_outputs():
    net = _net()
    net.hybridize()
    x = mx.nd.ones((2, 3, 4, 4))
    assert _seen(net, x, monitor_all=False) == [(f"m_{name}", op) for name, op in OUTPUTS]


def test_inputs_come_before_outputs():
    net = _net()
    net.hybridize()
    expected = []
    for name, op in OUTPUTS:
        node = name.rsplit("_", 1)[0]
        if name != "hybridlambda1_split0_output1":
            expected += [(f"m_{node}_{end}", op) for end in INPUTS[node]]
        expected.append((f"m_{name}", op))
    assert _seen(net, mx.nd.ones((2, 3, 4, 4)), monitor_all=True) == expected


def test_training_shows_hidden_outputs():
    net = _net()
    net.hybridize()
    names = [name for name, _ in _seen(net, mx.nd.ones((2, 3, 4, 4)), monitor_all=False, train=True)]
    assert names[1:4] == [f"m_batchnorm0_fwd_{end}" for end in ("output", "mean", "var")]
    assert [name for name in names if "batchnorm" not in name] == [
        f"m_{name}" for name, _ in OUTPUTS if "batchnorm" not in name
    ]


def test_values():
    net = nn.HybridSequential(prefix="v_")
    with net.name_scope():
        net.add(nn.Dense(2, activation="relu", in_units=3))
    net.initialize(mx.init.One())
    net.hybridize()
    seen = {}
    net.register_op_hook(lambda name, op, array: seen.update({name: array.asnumpy()}), monitor_all=True)
    x = mx.nd.array([[1, 2, 3], [-1, -2, -3]])
    out = net(x)
    assert sorted(seen) == [
        *(b"v_dense0_fwd_" + end for end in (b"bias", b"data", b"output", b"weight")),
        b"v_dense0_relu_fwd_input0",
        b"v_dense0_relu_fwd_output",
    ]
    np.testing.assert_array_equal(seen[b"v_dense0_fwd_data"], x.asnumpy())
    np.testing.assert_array_equal(seen[b"v_dense0_fwd_output"], [[6, 6], [-6, -6]])
    np.testing.assert_array_equal(seen[b"v_dense0_relu_fwd_output"], [[6, 6], [0, 0]])
    np.testing.assert_array_equal(out.asnumpy(), [[6, 6], [0, 0]])


def test_gradients_flow_past_a_hook():
    net = nn.Dense(2, in_units=3)
    net.initialize(mx.init.One())
    net.hybridize()
    net.register_op_hook(lambda name, op, array: None, True)
    with mx.autograd.record():
        net(mx.nd.ones((4, 3))).backward()
    np.testing.assert_array_equal(net.weight.grad().asnumpy(), np.full((2, 3), 4.0))


def test_a_hook_is_replaced_and_removed():
    net = _net()
    net.hybridize()
    x = mx.nd.ones((2, 3, 4, 4))
    before = [o.asnumpy() for o in net(x)]
    first, second = [], []
    net.register_op_hook(lambda *args: first.append(args))
    net.register_op_hook(lambda *args: second.append(args))
    during = [o.asnumpy() for o in net(x)]
    assert (len(first), len(second)) == (0, len(OUTPUTS))
    net.register_op_hook(None)
    after = [o.asnumpy() for o in net(x)]
    assert len(second) == len(OUTPUTS)
    for a, b, c in zip(before, during, after, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(a, c)


def test_an_imperative_block_shows_nothing():
    net = _net()
    assert _seen(net, mx.nd.ones((2, 3, 4, 4)), monitor_all=True) == []


def test_hooks_reach_the_hybrid_children_of_a_block():
    net = nn.Sequential(prefix="s_")
    with net.name_scope():
        net.add(nn.Dense(2), nn.Lambda(lambda x: x * 2), nn.Dense(3))
    net.initialize()
    net.apply(lambda block: block.hybridize() if isinstance(block, nn.Dense) else None)
    assert _seen(net, mx.nd.ones((1, 4)), monitor_all=False) == [
        ("s_dense0_fwd_output", "FullyConnected"),
        ("s_dense1_fwd_output", "FullyConnected"),
    ]


def test_a_symbol_block_is_always_watched():
    x = mx.sym.var("x")
    net = mx.gluon.SymbolBlock(mx.sym.exp(x, name="e"), x)
    assert _seen(net, mx.nd.ones((2,)), monitor_all=True) == [("e_input0", "exp"), ("e_0", "exp")]
    net.hybridize()
    assert _seen(net, mx.nd.ones((2,)), monitor_all=False) == [("e_0", "exp")]


def test_a_watched_block_can_be_exported(tmp_path):
    net = _net()
    net.hybridize()
    net.register_op_hook(lambda *args: None)
    x = mx.nd.ones((2, 3, 4, 4))
    expected = net(x)[0].asnumpy()
    net.export(tmp_path / "net")
    again = mx.gluon.SymbolBlock.imports(tmp_path / "net-symbol.json", ["data"], tmp_path / "net-0000.params")
    np.testing.assert_allclose(again(x)[0].asnumpy(), expected, rtol=1e-5)


def test_an_error_in_a_hook_is_told():
    net = nn.Dense(2, prefix="d_")
    net.initialize()
    net.hybridize()

    def fail(name, op, array):
        raise ValueError("no disk")

    net.register_op_hook(fail)
    with pytest.raises(mx.MXNetError, match="callback failed at FullyConnected `d_fwd`: ValueError: no disk"):
        net(mx.nd.ones((1, 3)))
