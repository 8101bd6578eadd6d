"""Operators that update arrays in place against MXNet's answers, and what they refuse."""

import numpy as np
import pytest
from answers import check, recorded
from update_cases import CASES

import gluonnx as mx
from gluonnx import nd
from gluonnx.errors import ArgumentError, AttributeValueError, InputError, InputTypeError, LoweringError

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
    (nd.linalg.potrf, (ONES,), {}, InputError, r"expected square matrices, got A=\(2, 3\)"),
    (nd.linalg.potrf, (nd.ones((3,)),), {}, InputError, r"expected at least 2, got A=\(3,\)"),
    (nd.linalg.potrf, (-nd.ones((2, 2)),), {}, InputError, "_linalg_potrf: does not take these inputs"),
    (nd.linalg.inverse, (nd.ones((2, 2)),), {}, InputError, "_linalg_inverse: .*singular"),
    (nd.linalg.det, (nd.ones((2, 2), dtype="float16"),), {}, InputTypeError, "float32 or float64, got float16"),
    (nd.linalg.trsm, (nd.ones((1, 2, 2)), nd.ones((3, 2, 2))), {}, InputError, r"got A=\(1, 2, 2\), B=\(3, 2, 2\)"),
    (nd.linalg.gemm, (ONES, ONES, ONES), {}, InputError, r"expected .*\(\.\.\., M, K\).*got A=\(2, 3\)"),
    (nd.linalg.gemm, (ONES, ONES, nd.ones((1, 2, 3))), {}, InputError, "ranks differ"),
    (nd.linalg.gemm, (ONES, ONES, ONES), {"axis": -1}, InputError, "an axis before the last of 2, got axis=-1"),
    (nd.linalg.gelqf, (nd.ones((3, 2)),), {}, InputError, r"no more rows than columns, got A=\(3, 2\)"),
    (nd.linalg.extractdiag, (nd.ones((2, 2)),), {"offset": 2}, InputError, "matrices of 2 rows, got offset=2"),
    (nd.linalg.maketrian, (nd.ones((4,)),), {}, InputError, r"1, 3, 6, 10, ... elements, got 4"),
    (nd.contrib.quantize, (ONES, nd.ones((2,)), nd.ones((1,))), {}, InputError, r"one float32, got min_range=\(2,\)"),
    (nd.contrib.quantize, (ONES, nd.ones((1,)), nd.ones((1,))), {"out_type": "int4"}, AttributeValueError, "'int4'"),
    (nd.contrib.quantize_v2, (ONES,), {"min_calib_range": 1.0}, AttributeValueError, "expected both or neither"),
    (nd.contrib.quantize_v2, (ONES.astype("int8"),), {}, InputTypeError, "expected float32, got int8"),
    (nd.contrib.dequantize, (ONES, nd.ones((1,)), nd.ones((1,))), {}, InputTypeError, "int8 or uint8, got float32"),
    (nd.contrib.requantize, (ONES, nd.ones((1,)), nd.ones((1,))), {}, InputTypeError, "expected int32, got float32"),
    (
        nd.contrib.quantized_pooling,
        (nd.ones((1, 1, 2, 2), dtype="int8"), nd.ones((1,)), nd.ones((1,))),
        {"kernel": (2, 2), "pool_type": "sum"},
        AttributeValueError,
        "expected 'avg' or 'max', got pool_type='sum'",
    ),
    (
        nd.contrib.quantized_act,
        (ONES.astype("int8"), nd.ones((1,)), nd.ones((1,))),
        {"act_type": "tanh"},
        AttributeValueError,
        "expected 'relu', got act_type='tanh'",
    ),
    (
        nd.contrib.quantized_fully_connected,
        (ONES.astype("int8"),) * 2 + (nd.ones((1,)),) * 4,
        {"num_hidden": 3, "no_bias": True},
        InputError,
        r"expected weight \(3, C\) and C features, got data=\(2, 3\)",
    ),
    (
        nd.contrib.quantized_fully_connected,
        (ONES.astype("int8"),) * 2,
        {"num_hidden": 2, "no_bias": True},
        InputError,
        "expected 6 with no_bias=True, got 2",
    ),
    (
        nd.contrib.quantized_embedding,
        (nd.zeros((1,)), ONES.astype("int8"), nd.ones((1,)), nd.ones((1,))),
        {"input_dim": 3, "output_dim": 3},
        InputError,
        r"expected \(3, 3\), got weight=\(2, 3\)",
    ),
    (nd.khatri_rao, (ONES, nd.ones((2, 2))), {}, InputError, r"equal columns, got \[\(2, 3\), \(2, 2\)\]"),
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


def test_large_matrices_have_no_onnx_form(tmp_path):
    inverse = mx.sym.linalg.inverse(mx.sym.var("data"))
    with pytest.raises(LoweringError, match=r"at most 32 rows .* got \(33, 33\)"):
        mx.onnx.export_model(inverse, {}, [(33, 33)], onnx_file_path=str(tmp_path / "x.onnx"), dynamic=False)
