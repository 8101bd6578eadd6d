"""Functions and methods that write into their arrays or share memory with them."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx import nd
from gluonnx.errors import MXNetError


def test_reset_arrays():
    arrays = [nd.ones((2, 3)), nd.ones((2,), dtype="float16"), nd.ones((1,), ctx=mx.cpu(1))]
    assert nd.reset_arrays(*arrays, num_arrays=3) == []
    assert [a.asnumpy().tolist() for a in arrays] == [[[0, 0, 0], [0, 0, 0]], [0, 0], [0]]
    assert arrays[1].dtype == np.float16
    with pytest.raises(MXNetError, match=r"nd\.reset_arrays: wrong number of arrays: expected num_arrays=2, got 3"):
        nd.reset_arrays(*arrays, num_arrays=2)


def test_operators_that_only_write_are_none_of_graphs():
    with pytest.raises(MXNetError, match=r"sym\.reset_arrays: no operator of a graph.*Call `nd\.reset_arrays`"):
        mx.sym.reset_arrays(mx.sym.var("a"), num_arrays=1)
    with pytest.raises(MXNetError, match=r"_set_value: no operator of a graph: .*got src=3\.5 alone"):
        mx.sym._internal._set_value(src=3.5)
    with pytest.raises(MXNetError, match=r"_set_value: nothing to fill: expected an NDArray, got out=None"):
        nd._internal._set_value(src=3.5)


@pytest.mark.parametrize(
    ("method", "args", "shape"),
    [("squeeze", (), (3,)), ("squeeze", (0,), (3,)), ("expand_dims", (1,), (1, 1, 3)), ("flatten", (), (1, 3))],
)
def test_methods_with_inplace(method, args, shape):
    for inplace, by_position in ((False, False), (True, False), (True, True)):
        x = nd.ones((1, 3))
        call = getattr(x, method)
        y = call(*args, inplace) if by_position and args else call(*args, inplace=inplace)
        assert y.shape == shape
        x[:] = 2
        assert y.asnumpy().ravel().tolist() == [2.0 if inplace else 1.0] * 3
        assert getattr(mx.sym.var("x", shape=(1, 3)), method)(*args, inplace=inplace).infer_shape()[1] == [shape]
    with pytest.raises(MXNetError, match="squeeze"):
        nd.ones((2, 3)).squeeze(0, inplace=True)


def test_the_whole_array_takes_a_recorded_value_and_a_part_does_not():
    x, y = nd.zeros((2, 3)), nd.ones(3)
    y.attach_grad()
    with mx.autograd.record():
        x[:] = y * 3
        total = (x * 2).sum()
    total.backward()
    np.testing.assert_array_equal(y.grad.asnumpy(), [12, 12, 12])
    for key in (0, slice(0, 1), nd.array([0])):
        with mx.autograd.record(), pytest.raises(MXNetError, match="whose gradient would be lost"):
            nd.zeros((2, 3))[key] = y * 1
    with mx.autograd.record(), pytest.raises(ValueError, match=r"broadcasts to \(2, 2\), got \(3,\)"):
        nd.zeros((2, 2))[:] = y * 1
