"""Shapes of variables alone: operators that tell nothing of them are not run."""

import pytest

import gluonnx as mx
from gluonnx import operator
from gluonnx.symbol import inference


@pytest.fixture
def ran(monkeypatch):
    """The operators whose outputs were asked for."""
    asked = []
    outputs_of = inference._outputs_of

    def note(node, kinds):
        asked.append(node.name)
        return outputs_of(node, kinds)

    monkeypatch.setattr(inference, "_outputs_of", note)
    return asked


def _net():
    data = mx.sym.var("data")
    first = mx.sym.FullyConnected(mx.sym.relu(data, name="before"), num_hidden=3, name="fc0")
    second = mx.sym.FullyConnected(mx.sym.tanh(first, name="between"), num_hidden=2, name="fc1")
    return mx.sym.exp(second, name="after")


def _shapes(net, found):
    return {n.name: found.shape((n, 0)) for n in inference.topological(net._heads) if n.is_variable}


def test_what_comes_before_an_unknown_variable_is_run(ran):
    net = _net()
    found = inference.infer(net._heads, {"data": (5, 4)}, only_variables=True)
    assert _shapes(net, found) == {
        "data": (5, 4),
        "fc0_weight": (3, 4),
        "fc0_bias": (3,),
        "fc1_weight": (2, 3),
        "fc1_bias": (2,),
    }
    assert ran == ["before", "fc0", "between"]
    assert found.unknown == []


def test_nothing_is_run_when_every_variable_is_known(ran):
    net = _net()
    known = {"data": (5, 4), "fc0_weight": (3, 4), "fc0_bias": (3,), "fc1_weight": (2, 3), "fc1_bias": (2,)}
    assert _shapes(net, inference.infer(net._heads, known, only_variables=True)) == known
    assert ran == []


def test_a_shape_that_follows_backwards_is_found():
    a, b = mx.sym.var("a"), mx.sym.var("b")
    net = mx.sym.exp(mx.sym.elemwise_add(a, b))
    assert _shapes(net, inference.infer(net._heads, {"a": (2, 3)}, only_variables=True)) == {"a": (2, 3), "b": (2, 3)}


def test_a_layer_alone_runs_nothing(ran):
    net = mx.gluon.nn.Dense(3, activation="relu")
    net.initialize()
    assert net(mx.nd.ones((2, 4))).shape == (2, 3)
    assert ran == []


def test_an_operator_registered_again_is_asked_again():
    def register(factor):
        @operator.register("zoo_widened")
        class Widened(operator.CustomOpProp):
            def infer_shape(self, in_shape):
                return in_shape, [[in_shape[0][0], factor * in_shape[0][1]]], []

    for factor in (2, 3):
        register(factor)
        net = mx.sym.Custom(mx.sym.var("x"), op_type="zoo_widened")
        assert net.infer_shape(x=(4, 5))[1] == [(4, 5 * factor)]


def test_the_whole_graph_is_run_otherwise(ran):
    net = _net()
    found = inference.infer(net._heads, {"data": (5, 4)})
    assert found.shape(net._heads[0]) == (5, 2)
    assert ran == ["before", "fc0", "between", "fc1", "after"]
