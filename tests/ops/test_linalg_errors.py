"""What operators on matrices and on integers of 8 bits refuse, and in which words."""

import pytest

import gluonnx as mx
from gluonnx import nd
from gluonnx.errors import AttributeValueError, InputError, InputTypeError, LoweringError

ONES = nd.ones((2, 3))
REFUSED = [
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
    (nd.contrib.quantize_v2, (ONES.astype("int32"),), {}, InputTypeError, "expected float32, got int32"),
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


def test_large_matrices_have_no_onnx_form(tmp_path):
    inverse = mx.sym.linalg.inverse(mx.sym.var("data"))
    with pytest.raises(LoweringError, match=r"at most 32 rows .* got \(33, 33\)"):
        mx.onnx.export_model(inverse, {}, [(33, 33)], onnx_file_path=str(tmp_path / "x.onnx"), dynamic=False)
