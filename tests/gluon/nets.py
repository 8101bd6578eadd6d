"""Small nets and comparisons that the tests of blocks share."""

import numpy as np

import gluonnx as mx
from gluonnx.gluon import nn


def initialized(net, *, seed=7):
    """Initialize from a seed, with running statistics and gammas that are not their defaults."""
    mx.random.seed(seed)
    net.initialize(mx.init.Uniform(0.5), force_reinit=True)
    return net


def mlp(**kwargs):
    net = nn.HybridSequential(**kwargs)
    with net.name_scope():
        net.add(nn.Dense(5, activation="relu", in_units=3), nn.Dense(2, in_units=5))
    return initialized(net)


def convnet(**kwargs):
    """Convolution, batch normalization (also with fixed gamma), pooling, dense; for inputs (N, 1, 8, 8)."""
    net = nn.HybridSequential(**kwargs)
    with net.name_scope():
        net.add(
            nn.Conv2D(4, 3, padding=1, in_channels=1),
            nn.BatchNorm(in_channels=4),
            nn.Activation("relu"),
            nn.MaxPool2D(),
            nn.Flatten(),
            nn.Dense(6, in_units=64),
            nn.BatchNorm(in_channels=6, scale=False),
            nn.Dropout(0.5),
            nn.Dense(3, in_units=6),
        )
    initialized(net)
    rng = np.random.default_rng(3)
    for name, param in net.collect_params().items():
        if name.endswith(("running_mean", "beta")):
            param.set_data(mx.nd.array(rng.normal(size=param.shape)))
        elif name.endswith(("running_var", "gamma")):
            param.set_data(mx.nd.array(rng.uniform(0.5, 2, param.shape)))
    return net


def images(count=2, seed=1):
    return mx.nd.array(np.random.default_rng(seed).normal(size=(count, 1, 8, 8)))


def rows(count=2, width=3, seed=1):
    return mx.nd.array(np.random.default_rng(seed).normal(size=(count, width)))


def near(got, expected, rtol=1e-5, atol=1e-6):
    got, expected = (np.asarray(v.asnumpy() if hasattr(v, "asnumpy") else v) for v in (got, expected))
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol)


def eager(net, *inputs):
    """What the net gives without its graph; hybridized again with the flags it had."""
    active, flags = net._active, dict(net._flags)
    net.hybridize(False)
    outputs = net(*inputs)
    if active:
        net.hybridize(True, **flags)
    return outputs
