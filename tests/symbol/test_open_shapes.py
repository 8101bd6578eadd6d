"""Shapes that `zeros`, `ones` and `full` leave open, for the operators after them to decide."""

import numpy as np
import onnxruntime
import pytest

import gluonnx as mx
from gluonnx.errors import InputError, LoweringError
from gluonnx.gluon import nn
from gluonnx.onnx.lowering import lower


def two_products():
    """A product of zeros of an open batch size, beside one of data."""
    state = mx.sym.FullyConnected(mx.sym.zeros(shape=(0, 5)), num_hidden=4, name="f")
    return state + mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=4, name="g")


def test_shapes_follow_from_the_users_as_in_mxnet():
    assert two_products().infer_shape(x=(3, 7)) == ([(4, 5), (4,), (3, 7), (4, 7), (4,)], [(3, 4)], [])


@pytest.mark.parametrize(("left", "right"), [((2, 3), (-1, -1)), ((2, -1), (3, -1)), ((0, 3), (0, 2))])
def test_dimensions_are_found_from_both_sides(left, right):
    total = mx.sym.ones(shape=left) + mx.sym.transpose(mx.sym.full(shape=right, val=2))
    (result,) = total.bind(mx.cpu(), args={}).forward()
    np.testing.assert_array_equal(result.asnumpy(), np.full((2, 3), 3.0))


def test_an_executor_follows_its_inputs():
    executor = two_products().simple_bind(mx.cpu(), x=(3, 7))
    executor.copy_params_from({name: mx.nd.ones(a.shape) for name, a in executor.arg_dict.items()})
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), np.full((3, 4), 9.0))


class WithState(mx.gluon.HybridBlock):
    """A layer over the data and over zeros of its batch size."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.data, self.state = nn.Dense(4), nn.Dense(4)

    def hybrid_forward(self, F, x):
        zeros = F.zeros((x.shape[0], 5)) if F is mx.nd else F.zeros(shape=(0, 5))
        return F.Concat(self.data(x) + self.state(zeros), self.state(zeros), dim=1)


def test_hybridized_trained_and_exported_for_any_batch(tmp_path):
    net = WithState()
    net.initialize(mx.init.Normal(1.0))
    samples = [mx.nd.random.normal(shape=(n, 3)) for n in (3, 1, 5)]
    expected = [net(x).asnumpy() for x in samples]
    net.hybridize()
    for x, answer in zip(samples, expected, strict=True):
        np.testing.assert_allclose(net(x).asnumpy(), answer, rtol=1e-5, atol=1e-6)
        with mx.autograd.record():
            trained = net(x)
        trained.backward()
        np.testing.assert_allclose(trained.asnumpy(), answer, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(net.state.bias.grad().asnumpy(), np.full(4, 2.0 * len(x)), rtol=1e-6)
    net.export(str(tmp_path / "net"))
    session = onnxruntime.InferenceSession(str(tmp_path / "net-0000.onnx"))
    imported = mx.gluon.SymbolBlock.imports(
        str(tmp_path / "net-symbol.json"), ["data"], str(tmp_path / "net-0000.params")
    )
    for x, answer in zip(samples, expected, strict=True):
        np.testing.assert_allclose(session.run(None, {"data": x.asnumpy()})[0], answer, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(imported(x).asnumpy(), answer, rtol=1e-5, atol=1e-6)


def test_nothing_decides():
    with pytest.raises(InputError, match=r"_zeros `lost`: shape is unknown: expected dimensions .* Pass `shape=`\."):
        mx.sym.zeros(shape=(0, 5), name="lost").bind(mx.cpu(), args={}).forward()


def test_a_shape_that_is_no_multiple_of_the_batch():
    x = mx.sym.var("x")
    grown = mx.sym.Concat(x, mx.sym.ones((1, 2)), dim=0) + mx.sym.zeros((0, 2))
    with pytest.raises(LoweringError, match="its shape is no multiple of the batch size"):
        lower(grown._heads, ["x"], [(3, 2)], ["float32"], {})
    lower(grown._heads, ["x"], [(3, 2)], ["float32"], {}, dynamic_batch=False)


@pytest.mark.parametrize(
    ("given", "wanted", "output"), [((0, 3, 5, 6), (6, 1, -2), (6, 1, 5, 6)), ((0,), (-4, 16, -1), (16, 4))]
)
def test_a_reshape_keeps_the_number_of_elements(given, wanted, output):
    total = mx.sym.elemwise_add(mx.sym.var("data").reshape(wanted), mx.sym.ones(shape=output))
    whole = (2, 3, 5, 6) if len(given) == 4 else (64,)
    assert total.infer_shape(data=given) == ([whole], [output], [])


def test_a_slice_of_an_unknown_axis_stays_unknown():
    data = mx.sym.var("data", shape=(0, 20))
    assert mx.sym.slice(data, begin=(None, 3), end=(5, 10)).infer_shape_partial()[1] == [(0, 7)]
