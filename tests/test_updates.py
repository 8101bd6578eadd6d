"""Operators that update arrays in place against MXNet's answers, and what they refuse."""

import numpy as np
import pytest
from answers import check, recorded
from update_cases import CASES

import gluonnx as mx
from gluonnx import nd
from gluonnx.errors import ArgumentError, AttributeValueError, InputError, InputTypeError

ANSWERS = recorded("updates")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])


ONES = nd.ones((2, 3))
REFUSED = [
    (nd.sgd_update, (ONES, nd.ones((3,))), {"lr": 0.1}, InputError, r"shape of weight, \(2, 3\), got grad=\(3,\)"),
    (nd.sgd_update, (ONES, ONES), {}, AttributeValueError, "attribute `lr` is missing"),
    (nd.sgd_update, (ONES,), {"lr": 0.1}, InputError, r"expected 2 \(weight, grad\), got 1"),
    (
        nd.sgd_update,
        (ONES.astype("int32"), ONES),
        {"lr": 0.1},
        InputTypeError,
        "input `weight` has a wrong dtype.*int32",
    ),
    (nd.sgd_update, (ONES, ONES.astype("float16")), {"lr": 0.1}, InputTypeError, "got float32, float16"),
    (nd.sgd_mom_update, (ONES, ONES, nd.ones((2,))), {"lr": 0.1}, InputError, r"got mom=\(2,\)"),
    (nd.mp_sgd_update, (ONES, ONES, nd.ones((2,))), {"lr": 0.1}, InputError, r"got weight32=\(2,\)"),
    (
        nd.multi_sgd_update,
        (ONES,) * 3,
        {"lrs": (0.1,), "wds": (0.0,)},
        InputError,
        "expected 2 .2 for each of 1.*got 3",
    ),
    (
        nd.multi_sgd_update,
        (ONES,) * 2,
        {"lrs": (0.1, 1), "wds": (0.0,)},
        AttributeValueError,
        "learning rates: expected 1",
    ),
    (
        nd.multi_sgd_update,
        (ONES,) * 2,
        {"lrs": "x", "wds": (0.0,)},
        AttributeValueError,
        "a tuple of floats, got lrs='x'",
    ),
    (
        nd._internal._multi_lamb_update,
        (ONES,) * 4,
        {"learning_rates": (0.1,), "wds": (0.0,), "step_count": (1, 2)},
        AttributeValueError,
        r"expected 1, got step_count=\(1, 2\)",
    ),
    (
        nd._internal._multi_adamw_update,
        (ONES,) * 4 + (nd.ones((1,)),),
        {"lrs": (0.1,), "wds": (0.0,), "etas": (1.0, 2.0)},
        AttributeValueError,
        r"expected 1, got etas=\(1.0, 2.0\)",
    ),
    (
        nd._internal._adamw_update,
        (ONES,) * 5,
        {"lr": 0.1, "eta": 1.0},
        InputError,
        r"expected one element, got rescale_grad=\(2, 3\)",
    ),
    (nd.lamb_update_phase2, (ONES,) * 4, {"lr": 0.1}, InputError, r"expected \(1,\), got r1=\(2, 3\)"),
    (
        nd.contrib.group_adagrad_update,
        (ONES,) * 3,
        {"lr": 0.1},
        InputError,
        r"history \(N, 1\), got .* history=\(2, 3\)",
    ),
    (
        nd.contrib.multi_lamb_update,
        ([ONES], [ONES], [], [ONES], [1]),
        {"lrs": (0.1,), "wds": (0.0,)},
        ArgumentError,
        r"expected equal lengths, got \[1, 1, 0, 1\]",
    ),
    (nd.multi_sum_sq, (ONES,), {"num_arrays": 2}, InputError, "expected num_arrays=2, got 1"),
    (nd.multi_all_finite, (ONES,), {"num_arrays": 2}, InputError, "expected num_arrays=2, got 1"),
    (nd.all_finite, (ONES.astype("int32"),), {}, InputTypeError, "expected floats, got int32"),
    (nd.amp_multicast, (ONES,), {"num_outputs": 2}, InputError, "expected num_outputs=2, got 1"),
    (nd.moments, (ONES,), {}, AttributeValueError, "Empty axes is not supported"),
    (nd.moments, (ONES,), {"axes": (2,)}, AttributeValueError, r"expected different axes of 2, got axes=\(2,\)"),
]


@pytest.mark.parametrize(("function", "inputs", "attrs", "error", "message"), REFUSED)
def test_wrong_calls(function, inputs, attrs, error, message):
    with pytest.raises(error, match=message):
        function(*inputs, **attrs)


def test_no_gradient_goes_through_an_update():
    weight, grad = nd.ones((2,)), nd.ones((2,))
    weight.attach_grad()
    with mx.autograd.record():
        new = nd.sgd_update(weight, grad, lr=0.1) * weight
    new.backward()
    np.testing.assert_allclose(weight.grad.asnumpy(), [0.9, 0.9], rtol=1e-6)


def test_adamw_leaves_the_gradient_as_it_was():
    weight, grad = nd.ones((2,)), nd.ones((2,))
    nd.contrib.adamw_update(weight, grad, nd.zeros((2,)), nd.zeros((2,)), 0.5, lr=0.1, eta=1.0, out=weight)
    assert grad.asnumpy().tolist() == [1.0, 1.0]


def test_sparse_updates_into_another_array():
    weight, out = nd.ones((3, 2)), nd.zeros((3, 2))
    grad = nd.sparse.row_sparse_array((nd.ones((1, 2)), [1]), shape=(3, 2))
    nd.sgd_update(weight, grad, lr=0.5, out=out)
    assert out.asnumpy().tolist() == [[1, 1], [0.5, 0.5], [1, 1]]
    assert weight.asnumpy().tolist() == [[1, 1]] * 3
    assert nd.sgd_update(weight, grad, lr=0.5).asnumpy().tolist() == out.asnumpy().tolist()
    wrong = nd.sparse.row_sparse_array((nd.ones((1, 2)), [1]), shape=(4, 2))
    with pytest.raises(InputError, match=r"shape of weight, \(3, 2\), got grad=\(4, 2\)"):
        nd.sgd_update(weight, wrong, lr=0.5)


def test_symbols_of_contrib_take_a_number_for_the_scale():
    names = ["weight", "grad", "mean", "var"]
    step = mx.sym.contrib.adamw_update(*(mx.sym.var(n) for n in names), 1.0, lr=0.1, eta=1.0)
    assert step.list_arguments() == ["weight", "grad"]
    assert step.list_auxiliary_states() == ["mean", "var"]
    half = mx.sym.contrib.mp_adamw_update(
        *(mx.sym.var(n) for n in [*names, "weight32"]), mx.sym.var("scale"), lr=0.1, eta=1.0
    )
    assert half.list_arguments() == ["weight", "grad", "scale"]
