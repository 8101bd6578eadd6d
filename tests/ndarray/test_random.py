"""`nd.random`, `sym.random` and `mx.random`: MXNet's signatures, shapes and dtypes; moments are in tests/ops."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import ArgumentError, InputError

RANDOM = mx.nd.random


@pytest.fixture(autouse=True)
def _seed():
    mx.random.seed(7)


def pair():
    return mx.nd.array([1, 2.5])


@pytest.mark.parametrize(
    ("draw", "shape", "dtype"),
    [
        (lambda: RANDOM.poisson(3), (1,), "float32"),
        (lambda: RANDOM.poisson(3, dtype="float64"), (1,), "float64"),
        (lambda: RANDOM.poisson(pair()), (2,), "float32"),
        (lambda: RANDOM.poisson(pair(), shape=4), (2, 4), "float32"),
        (lambda: RANDOM.exponential(pair(), shape=(2, 3)), (2, 2, 3), "float32"),
        (lambda: RANDOM.gamma(pair(), pair(), shape=2), (2, 2), "float32"),
        (lambda: RANDOM.uniform(pair(), pair() + 1, shape=2), (2, 2), "float32"),
        (lambda: RANDOM.normal(pair(), pair()), (2,), "float32"),
        (lambda: RANDOM.negative_binomial(3, 0.4, shape=(2,)), (2,), "float32"),
        (lambda: RANDOM.generalized_negative_binomial(pair(), pair(), 5), (2, 5), "float32"),
        (lambda: RANDOM.randint(0, 5), (1,), "int32"),
        (lambda: RANDOM.randint(0, 5, 3, "int64"), (3,), "int64"),
        (lambda: RANDOM.multinomial(mx.nd.array([0.1, 0.9])), (1,), "int32"),
        (lambda: RANDOM.multinomial(mx.nd.array([[0.1, 0.9]] * 3)), (3,), "int32"),
        (lambda: RANDOM.multinomial(mx.nd.array([[0.1, 0.9]] * 3), (2, 4), dtype="uint8"), (3, 2, 4), "uint8"),
    ],
)
def test_shapes_and_dtypes_are_mxnets(draw, shape, dtype):
    drawn = draw()
    assert drawn.shape == shape
    assert np.dtype(drawn.dtype).name == dtype


def test_each_element_has_its_own_distribution():
    drawn = RANDOM.poisson(mx.nd.array([1, 100]), shape=2000).asnumpy()
    np.testing.assert_allclose(drawn.mean(1), [1, 100], rtol=0.1)
    drawn = RANDOM.exponential(mx.nd.array([1, 100]), shape=4000).asnumpy()
    np.testing.assert_allclose(drawn.mean(1), [1, 100], rtol=0.1)
    assert RANDOM.exponential(100, shape=4000).mean().asscalar() == pytest.approx(100, rel=0.1)


def test_out_is_filled():
    out = mx.nd.zeros((2, 3))
    assert RANDOM.poisson(40, out=out) is out
    assert out.asnumpy().min() > 0


def test_probabilities_of_classes_have_gradients():
    p = mx.nd.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0]])
    p.attach_grad()
    with mx.autograd.record():
        classes, logs = RANDOM.multinomial(p, shape=4, get_prob=True)
    logs.backward()
    drawn = classes.asnumpy()
    np.testing.assert_allclose(logs.asnumpy(), np.log(np.take_along_axis(p.asnumpy(), drawn, 1)), rtol=1e-6)
    counts = np.stack([np.bincount(row, minlength=3) for row in drawn])
    expected = np.divide(counts, p.asnumpy(), out=np.zeros((2, 3)), where=counts > 0)
    np.testing.assert_allclose(p.grad.asnumpy(), expected, rtol=1e-5)


def test_shuffle_keeps_rows():
    rows = RANDOM.shuffle(mx.nd.arange(20).reshape((10, 2))).asnumpy()
    assert sorted(rows.tolist()) == np.arange(20.0).reshape(10, 2).tolist()
    assert rows[:, 0].tolist() != sorted(rows[:, 0].tolist())


def test_the_seed_decides():
    def draw():
        mx.random.seed(3)
        return [mx.random.gamma(2, shape=4).asnumpy(), mx.random.randint(0, 99, 4).asnumpy()]

    for first, second in zip(draw(), draw(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_symbols_have_mxnets_names_and_attributes():
    x = mx.sym.var("x")
    with mx.name.NameManager():
        graphs = [
            mx.sym.random.poisson(x, shape=(2,)),
            mx.sym.random.multinomial(x, shape=3),
            mx.sym.random.exponential(2.0),
            mx.sym.random.negative_binomial(2, 0.5),
            mx.sym.random.shuffle(x),
        ]
    assert [g.list_outputs() for g in graphs] == [
        ["_sample_poisson0_output"],
        ["_sample_multinomial0_output0", "_sample_multinomial0_output1"],
        ["_random_exponential0_output"],
        ["_random_negative_binomial0_output"],
        ["_shuffle0_output"],
    ]
    assert graphs[2].attr_dict() == {"_random_exponential0": {"lam": "0.5"}}
    (drawn,) = graphs[0].eval(x=pair())
    assert drawn.shape == (2, 2)


@pytest.mark.parametrize(
    ("draw", "error", "match"),
    [
        (lambda: RANDOM.gamma(pair(), 2), AssertionError, "must all have the same type, but got NDArray, int"),
        (lambda: RANDOM.gamma("x"), ValueError, "must be either NDArray or numbers, but got str"),
        (lambda: mx.sym.random.gamma(mx.sym.var("a"), 2), ArgumentError, "must all have the same type.*Symbol, int"),
        (lambda: RANDOM.randint(0.5, 5), ArgumentError, "expected an int, got low=0.5"),
        (lambda: RANDOM.randint(0, 5, dtype="float32"), ArgumentError, "expected int32 or int64, got dtype=float32"),
        (lambda: RANDOM.multinomial(mx.nd.zeros(3)), InputError, "expected rows of numbers from 0 that sum to 1"),
        (lambda: RANDOM.negative_binomial(3, 0.0), ValueError, r"a probability above 0, got p=0.0"),
        (lambda: RANDOM.generalized_negative_binomial(-3.0, 0.0), ValueError, r"at least 0, got mu=-3.0"),
        (
            lambda: RANDOM.gamma(pair(), mx.nd.ones(3)),
            InputError,
            r"different shapes: expected one, got \[\(2,\), \(3,\)",
        ),
    ],
)
def test_refuses(draw, error, match):
    with pytest.raises(error, match=match):
        draw()
