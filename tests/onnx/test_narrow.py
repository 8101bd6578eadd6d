"""Weights of 4 bits, 2 bits and in float8: their models give what ONNX Runtime gives, or one clear error."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from gluonnx_runtime import Session
from onnx import TensorProto, helper, numpy_helper, parser

from gluonnx.errors import FormatError
from gluonnx.onnx import lift
from gluonnx.onnx.arrays import as_array, as_tensor
from gluonnx.symbol.executor import GraphFunction


def model_of(text, opset=21, **initializers):
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]>\n{text}')
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in initializers.items())
    return model


def run(model, x):
    lifted = lift(model, "net")
    arrays = [x, *lifted.parameters.values()]
    function = GraphFunction(lifted.heads, [*lifted.input_names, *lifted.parameters])
    return as_array("y", function([as_tensor(as_array("x", a)) for a in arrays])[0][0])


X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
NUMBERS = np.arange(24).reshape(4, 6)


@pytest.mark.parametrize("dtype", ["int4", "uint4"])
@pytest.mark.parametrize("is_blocked", [False, True])
def test_weights_of_four_bits(dtype, is_blocked):
    kind = getattr(ml_dtypes, dtype)
    low = -8 if dtype == "int4" else 0
    weight = (NUMBERS % 16 + low).astype(kind)
    scale = np.linspace(0.1, 1, 6, dtype=np.float32)
    scale = np.stack([scale, scale * 2]) if is_blocked else scale
    zero = np.full(scale.shape, 3).astype(kind)
    attributes = "axis=0, block_size=2" if is_blocked else "axis=1"
    text = f"g (float[3,4] x) => (float[3,6] y) {{ v = DequantizeLinear<{attributes}>(w, s, z) y = MatMul(x, v) }}"
    model = model_of(text, w=weight, s=scale, z=zero)
    widths = [a.astype(np.float32).repeat(2 if is_blocked else 1, 0) for a in (zero, scale)]
    expected = X @ ((weight.astype(np.float32) - widths[0]) * widths[1])
    np.testing.assert_allclose(run(model, X), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"])
@pytest.mark.parametrize("is_per_axis", [False, True])
def test_weights_in_float8(dtype, is_per_axis):
    weight = np.linspace(-3, 3, 24).reshape(4, 6).astype(getattr(ml_dtypes, dtype))
    scale = np.linspace(0.5, 1, 6, dtype=np.float32) if is_per_axis else np.array(0.5, np.float32)
    text = "g (float[3,4] x) => (float[3,6] y) { v = DequantizeLinear<axis=1>(w, s) y = MatMul(x, v) }"
    model = model_of(text, w=weight, s=scale)
    expected = X @ (weight.astype(np.float32) * scale)
    np.testing.assert_allclose(run(model, X), expected, rtol=1e-5, atol=1e-5)


def test_blocks_of_float4():
    weight = np.array([0.5, -1.5, 6, -4, 3, 2, 1, 0] * 3).reshape(4, 6).astype(ml_dtypes.float4_e2m1fn)
    scale = np.array([[0.5] * 6, [2.0] * 6], np.float32)
    text = "g (float[3,4] x) => (float[3,6] y) { v = DequantizeLinear<axis=0, block_size=2>(w, s) y = MatMul(x, v) }"
    expected = X @ (weight.astype(np.float32) * scale.repeat(2, 0))
    np.testing.assert_allclose(run(model_of(text, 23, w=weight, s=scale), X), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dtype", "zero"), [("int4", -1), ("uint4", 7)])
def test_quantization_to_four_bits_keeps_their_range(dtype, zero):
    text = (
        "g (float[3,4] x) => (float[3,4] y) { s = Constant<value_float=0.1>() q = QuantizeLinear(x, s, z) "
        "y = DequantizeLinear(q, s, z) }"
    )
    model = model_of(text, z=np.array(zero).astype(getattr(ml_dtypes, dtype)))
    (expected,) = Session(model.SerializeToString(), device="cpu").run({"x": X}).values()
    assert len(np.unique(expected)) < len(np.unique(X)), "nothing is clipped"
    np.testing.assert_allclose(run(model, X), expected, rtol=1e-6)


def test_narrow_weights_are_moved_and_cast():
    weight = (NUMBERS % 16 - 8).astype(ml_dtypes.int4)
    text = "g (float[3,4] x) => (float[4,3] y) { t = Transpose(w) c = Cast<to=1>(t) m = MatMul(c, u) y = Transpose(x) }"
    model = model_of(text, w=weight, u=np.ones((4, 2), np.float32))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("m", TensorProto.FLOAT, [6, 2]))
    np.testing.assert_array_equal(run(model, X), np.asarray(weight).astype(np.float32).T @ np.ones((4, 2)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "g (float[3,4] x) => (float[3,4] y) { q = Cast<to=17>(x) y = Cast<to=1>(q) }",
            r"net: Cast `q` gives FLOAT8E4M3FN: expected such numbers as weights only",
        ),
        (
            "g (float[3,4] x) => (float[3,4] y) { s = Constant<value_float=0.1>() q = QuantizeLinear(x, s, f) "
            "y = DequantizeLinear(q, s) }",
            r"net: QuantizeLinear `q` gives FLOAT8E5M2: expected such numbers",
        ),
        (
            "g (float[3,4] x) => (float[3,4] y) { q = CastLike(x, i) y = Cast<to=1>(q) }",
            r"net: CastLike `q` gives INT4: expected such numbers",
        ),
        (
            "g (float[6] x) => (float[4,6] y) { y = DequantizeLinear<axis=1>(w, x) }",
            r"net: DequantizeLinear `y`: the scale of floats is computed: expected an initializer",
        ),
    ],
)
def test_what_no_array_holds_is_told(text, message):
    model = model_of(
        text,
        f=np.array(0).astype(ml_dtypes.float8_e5m2),
        i=np.array(0).astype(ml_dtypes.int4),
        w=NUMBERS.astype(ml_dtypes.float8_e4m3fn),
    )
    with pytest.raises(FormatError, match=message):
        lift(onnx.ModelProto.FromString(model.SerializeToString()), "net")
