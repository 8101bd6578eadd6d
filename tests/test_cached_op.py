"""`nd.CachedOp`: a symbol as a function of arrays."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import InputError, InputTypeError


def test_called_recorded_and_written_out():
    op = mx.nd.CachedOp(mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=2, name="f") * 3)
    x, weight, bias = mx.nd.array([[1, 2]]), mx.nd.array([[1, 0], [0, 1]]), mx.nd.array([1, 1])
    np.testing.assert_array_equal(op(x, weight, bias).asnumpy(), [[6, 9]])
    out = mx.nd.zeros((1, 2))
    assert op(x, weight, bias, out=out) is out
    np.testing.assert_array_equal(out.asnumpy(), [[6, 9]])
    weight.attach_grad()
    with mx.autograd.record():
        y = op(x, weight, bias)
    y.backward()
    np.testing.assert_array_equal(weight.grad.asnumpy(), [[3, 6], [3, 6]])


def test_states_are_updated_in_training_only():
    op = mx.nd.CachedOp(mx.sym.BatchNorm(mx.sym.var("x"), momentum=0.5, name="b"))
    arrays = [mx.nd.array([[2], [4]]), mx.nd.ones(1), mx.nd.zeros(1), mx.nd.zeros(1), mx.nd.ones(1)]
    op(*arrays)
    assert arrays[3].asscalar() == 0
    with mx.autograd.record():
        op(*arrays)
    assert arrays[3].asscalar() == 1.5


def test_several_outputs_share_no_memory_with_inputs():
    x = mx.nd.array([[1, 2]])
    first, second = mx.nd.CachedOp(mx.sym.Group([(shared := mx.sym.var("x")).reshape((2,)), shared]))(x)
    x[:] = 0
    np.testing.assert_array_equal(first.asnumpy(), [1, 2])
    np.testing.assert_array_equal(second.asnumpy(), [[1, 2]])


def test_wrong_calls():
    op = mx.nd.CachedOp(mx.sym.var("a") + mx.sym.var("b"))
    with pytest.raises(InputError, match=r"CachedOp: wrong number of inputs: expected 2 \(a, b\), got 1"):
        op(mx.nd.ones(1))
    with pytest.raises(InputTypeError, match="CachedOp: wrong input `b`: expected an NDArray, got int"):
        op(mx.nd.ones(1), 1)
    with pytest.raises(InputError, match="CachedOp: wrong `out`: expected 1 arrays, got 2"):
        op(mx.nd.ones(1), mx.nd.ones(1), out=[mx.nd.ones(1)] * 2)
