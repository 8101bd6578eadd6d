import numpy as np
import pytest
import torch
from optimizer import trajectories
from optimizer.golden import recorded

import gluonnx as mx

TOLERANCES = {"float32": 1e-5, "float64": 1e-6, "float16": 1e-3}
"""Absolute; MXNet takes learning rates as float32, and a float16 weight near 1 may round to its neighbour."""


OURS = {n for n, c in mx.optimizer.Optimizer.opt_registry.items() if c.__name__ in mx.optimizer.__all__}


def tolerance(name):
    return TOLERANCES[trajectories.RUNS[name][2].get("dtype", "float32")]


@pytest.mark.parametrize("name", trajectories.RUNS)
def test_trajectory_is_mxnets(name):
    values = trajectories.run(mx, name)
    np.testing.assert_allclose(values, recorded("trajectories")[name], rtol=0, atol=tolerance(name))


@pytest.mark.parametrize("name", trajectories.RUNS)
def test_one_at_a_time_is_the_same(name, monkeypatch):
    create = mx.optimizer.create

    def single(kind, **arguments):
        optimizer = create(kind, **arguments)
        optimizer.aggregate_num = 0
        return optimizer

    monkeypatch.setattr(mx.optimizer, "create", single)
    values = trajectories.run(mx, name)
    if name == "lars_factor":
        # The momentum correction sees the change of the learning rate at the first parameter only, as MXNet's.
        values, expected = values[:3], recorded("trajectories")[name][:3]
    else:
        expected = recorded("trajectories")[name]
    np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance(name))


@pytest.mark.parametrize("name", [n for n, r in trajectories.RUNS.items() if r[2].get("dtype") != "float16"])
def test_transposed_arrays_are_the_same(name, monkeypatch):
    """Fused kernels walk memory in order: arrays of another layout must take another way."""
    array = mx.nd.array

    def transposed(values, dtype):
        made = array(values, dtype=dtype)
        made._t = made._t.permute(*reversed(range(made.ndim))).contiguous().permute(*reversed(range(made.ndim)))
        return made

    monkeypatch.setattr(mx.nd, "array", transposed)
    values = trajectories.run(mx, name)
    np.testing.assert_allclose(values, recorded("trajectories")[name], rtol=0, atol=tolerance(name))


def test_there_is_a_trajectory_of_every_optimizer():
    recorded_kinds = {run[0] for run in trajectories.RUNS.values()}
    assert OURS - recorded_kinds == {"sgld"}


def test_dcasgd_with_momentum():
    """MXNet 1.9.1 fails here (it asks for the truth of an array): the formula stands in for it."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=5)
    weight = mx.nd.array(w, dtype="float64")
    previous, mom = w.copy(), np.zeros(5)
    updater = mx.optimizer.get_updater(
        mx.optimizer.create("dcasgd", learning_rate=0.1, momentum=0.5, lamda=0.2, wd=0.1)
    )
    for _ in range(4):
        g = rng.normal(size=5)
        updater(0, mx.nd.array(g, dtype="float64"), weight)
        mom = 0.5 * mom - 0.1 * (g + 0.1 * w + 0.2 * g * g * (w - previous))
        previous = w
        w = w + mom
        np.testing.assert_allclose(weight.asnumpy(), w, atol=1e-9)


def test_sgld_adds_noise_of_variance_lr():
    mx.random.seed(3)
    weight = mx.nd.ones((20000,))
    mx.optimizer.get_updater(mx.optimizer.create("sgld", learning_rate=0.04, wd=0.5))(
        0, mx.nd.ones((20000,)) * 2, weight
    )
    values = weight.asnumpy()
    assert values.mean() == pytest.approx(1 - 0.02 * (2 + 0.5), abs=0.01)
    assert values.std() == pytest.approx(0.2, rel=0.03)


def test_gradients_stay_as_they_were():
    for kind in sorted(OURS):
        grad = mx.nd.array([[1.0, -2.0], [3.0, 4.0]])
        optimizer = mx.optimizer.create(kind, rescale_grad=0.5, clip_gradient=1.0)
        mx.optimizer.get_updater(optimizer)(0, grad, mx.nd.ones((2, 2)))
        np.testing.assert_array_equal(grad.asnumpy(), [[1.0, -2.0], [3.0, 4.0]], err_msg=kind)


@pytest.mark.parametrize("kind", ["sgd", "adam", "nag", "rmsprop"])
def test_versions_of_changed_arrays_move(kind):
    """Sessions notice changed weights by their version, and torch notices them in graphs."""
    weight = mx.nd.ones((3,))
    weight.attach_grad()
    before = weight._t._version
    mx.optimizer.get_updater(mx.optimizer.create(kind))(0, mx.nd.ones((3,)), weight)
    assert weight._t._version > before
    assert weight._t.requires_grad


def test_momentum_folded_into_a_tiny_rate_is_exact():
    """1 - (1 + lr * rescale) must not lose the rate: loss scaling makes it as small as this."""
    grad = torch.linspace(1, 2, 64) * 2.0**20
    weight = mx.nd.zeros((64,))
    optimizer = mx.optimizer.create("sgd", learning_rate=0.1, momentum=0.9, rescale_grad=2.0**-20)
    mx.optimizer.get_updater(optimizer)(0, mx.nd.NDArray(grad), weight)
    np.testing.assert_allclose(weight.asnumpy(), -0.1 * np.linspace(1, 2, 64), rtol=1e-6)


@pytest.mark.parametrize("rescale", [0.0, -0.5])
def test_sgd_with_any_rescaling(rescale):
    weight = mx.nd.ones((3,))
    optimizer = mx.optimizer.create("sgd", learning_rate=0.1, momentum=0.9, wd=0.5, rescale_grad=rescale)
    mx.optimizer.get_updater(optimizer)(0, mx.nd.ones((3,)), weight)
    np.testing.assert_allclose(weight.asnumpy(), 1 - 0.1 * (rescale + 0.5), rtol=1e-6)
