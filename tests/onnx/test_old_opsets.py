"""Models of opsets 7 to 12, in the forms that operators had then, give what ONNX Runtime gives."""

import numpy as np
import onnx
import pytest
from foreign_models import inputs_of
from gluonnx_runtime import Session
from onnx import parser

from gluonnx.onnx import lift
from gluonnx.onnx.arrays import as_array, as_tensor
from gluonnx.onnx.lift import prepare
from gluonnx.symbol.executor import GraphFunction

X = "g (float[2,3,4] x) =>"
IMAGE = "g (float[1,2,4,5] x) =>"
CASES = {
    "softmax of two axes": (7, f"{X} (float[2,3,4] y) {{ y = Softmax<axis=1>(x) }}"),
    "softmax of all axes": (11, f"{X} (float[2,3,4] y) {{ y = Softmax<axis=0>(x) }}"),
    "softmax by default": (12, f"{X} (float[2,3,4] y) {{ y = Softmax(x) }}"),
    "log softmax": (9, f"{X} (float[2,3,4] y) {{ y = LogSoftmax<axis=-2>(x) }}"),
    "hardmax": (11, f"{X} (float[2,3,4] y) {{ y = Hardmax<axis=1>(x) }}"),
    "softmax of open axes": (9, "g (float[N,M,4] x) => (float[N,M,4] y) { y = Softmax<axis=1>(x) }"),
    "clip": (7, f"{X} (float[2,3,4] y) {{ y = Clip<min=-0.3>(x) }}"),
    "clip of integers": (12, "g (int64[2,3] x) => (int64[2,3] y) { h = Constant<value=int64 {1}>() y = Clip(x, , h) }"),
    "pad": (9, f'{IMAGE} (float[a,b,c,d] y) {{ y = Pad<mode="reflect", pads=[0,0,1,2,0,0,2,1]>(x) }}'),
    "pad with a number": (7, f"{X} (float[a,b,c] y) {{ y = Pad<pads=[1,0,0,0,2,1], value=-1.5>(x) }}"),
    "pad away": (10, f"{X} (float[a,b,c] y) {{ y = Pad<pads=[0,-1,0,0,0,-2]>(x) }}"),
    "slice": (8, f"{X} (float[a,b,c] y) {{ y = Slice<starts=[-2,1], ends=[9,3], axes=[1,2]>(x) }}"),
    "slice without axes": (9, f"{X} (float[a,b,c] y) {{ y = Slice<starts=[0,1], ends=[1,-1]>(x) }}"),
    "squeeze": (11, "g (float[1,3,1] x) => (float[1,3] y) { y = Squeeze<axes=[-1]>(x) }"),
    "unsqueeze": (7, f"{X} (float[a,b,c,d,e] y) {{ y = Unsqueeze<axes=[0,4]>(x) }}"),
    "split": (11, f"{X} (float[2,3,1] y, float[2,3,3] z) {{ y, z = Split<axis=2, split=[1,3]>(x) }}"),
    "split in two": (7, f"{X} (float[1,3,4] y, float[1,3,4] z) {{ y, z = Split(x) }}"),
    "reduce": (7, f"{X} (float[3] y) {{ y = ReduceSum<axes=[0,2], keepdims=0>(x) }}"),
    "reduce all": (11, f"{X} (float[1,1,1] y) {{ y = ReduceL2(x) }}"),
    "top": (8, f"{X} (float[a,b,c] y, int64[d,e,f] z) {{ y, z = TopK<k=2, axis=1>(x) }}"),
    "upsample": (7, f'{IMAGE} (float[a,b,c,d] y) {{ y = Upsample<mode="nearest", scales=[1.0,1.0,2.0,1.0]>(x) }}'),
    "upsample linear": (
        9,
        f"{IMAGE} (float[a,b,c,d] y) {{ s = Constant<value=float[4] {{1.0,1.0,2.0,2.0}}>() "
        'y = Upsample<mode="linear">(x, s) }',
    ),
    "resize": (
        10,
        f"{IMAGE} (float[a,b,c,d] y) {{ s = Constant<value=float[4] {{1.0,1.0,0.5,2.0}}>() y = Resize(x, s) }}",
    ),
    "dropout": (7, f"{X} (float[2,3,4] y) {{ y = Dropout<ratio=0.3>(x) }}"),
    "dropout with an unread mask": (10, f"{X} (float[2,3,4] y) {{ y, m = Dropout(x) }}"),
    "batch norm": (
        7,
        "g (float[2,3,4] x, float[3] s, float[3] b, float[3] m, float[3] v) => (float[2,3,4] y) "
        "{ a = Abs(v) y = BatchNormalization<epsilon=0.01>(x, s, b, m, a) }",
    ),
    "scatter": (9, "g (float[3,3] x, int64[1,3] i, float[1,3] u) => (float[3,3] y) { y = Scatter(x, i, u) }"),
    "cast": (7, f"{X} (int32[2,3,4] y) {{ y = Cast<to=6>(x) }}"),
    "gemm": (
        7,
        "g (float[2,3] x, float[3,4] z, float[4] b) => (float[2,4] y) { y = Gemm<alpha=0.5, beta=0.5>(x, z, b) }",
    ),
    "constant of shape": (
        9,
        f"{X} (float[2,3,4] y) {{ s = Shape(x) f = ConstantOfShape<value=float[1] {{2.0}}>(s) y = Mul(x, f) }}",
    ),
    "flatten": (9, f"{X} (float[6,4] y) {{ y = Flatten<axis=2>(x) }}"),
    "pools": (
        8,
        f"{IMAGE} (float[a,b,c,d] y, float[e,f,g,h] z) {{ y = MaxPool<kernel_shape=[2,2], pads=[0,0,1,1]>(x) "
        "z = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(x) }",
    ),
    "quantized": (
        10,
        f"{X} (float[2,3,4] y) {{ s = Constant<value=float {{0.1}}>() z = Constant<value=uint8 {{100}}>() "
        "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }",
    ),
    "argmax": (7, f"{X} (int64[2,1,4] y) {{ y = ArgMax<axis=1>(x) }}"),
    "one hot": (
        9,
        "g (int64[2,3] x) => (float[2,3,4] y) { d = Constant<value=int64[1] {4}>() "
        "v = Constant<value=float[2] {0.5,2.0}>() y = OneHot(x, d, v) }",
    ),
}


def model_of(name):
    opset, text = CASES[name]
    return parser.parse_model(f'<ir_version: 6, opset_import: ["" : {opset}]>\n{text}')


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("keep_all", [False, True], ids=["lifted", "kept"])
def test_the_old_form_means_the_same(name, keep_all):
    model = model_of(name)
    inputs = inputs_of(model)
    expected = Session(model.SerializeToString(), device="cpu").run(inputs)
    lifted = lift(model_of(name), name, keep_all=keep_all)
    function = GraphFunction(lifted.heads, [*lifted.input_names, *lifted.parameters])
    given = [inputs[n] for n in lifted.input_names] + list(lifted.parameters.values())
    results, _ = function([as_tensor(as_array("x", a)) for a in given])
    for got, want in zip(results, expected.values(), strict=True):
        answer = as_array("y", got)
        assert answer.dtype == want.dtype
        np.testing.assert_allclose(answer, want, rtol=1e-5, atol=1e-6)


def run(model, *arrays):
    lifted = lift(model)
    results, _ = GraphFunction(lifted.heads, lifted.input_names)([as_tensor(as_array("x", a)) for a in arrays])
    return [as_array("y", r) for r in results]


def test_batch_norm_of_each_element():
    text = (
        "g (float[2,3,2] x, float[3,2] s, float[3,2] b, float[3,2] m, float[3,2] v) => (float[2,3,2] y) "
        "{ y = BatchNormalization<spatial=0, epsilon=0.5, momentum=0.8>(x, s, b, m, v) }"
    )
    x, s, b, m, v = (np.random.default_rng(i).random(n, np.float32) for i, n in enumerate([(2, 3, 2)] + [(3, 2)] * 4))
    (got,) = run(parser.parse_model(f'<ir_version: 6, opset_import: ["" : 7]>\n{text}'), x, s, b, m, v)
    np.testing.assert_allclose(got, (x - m) / np.sqrt(v + 0.5) * s + b, rtol=1e-5)


SCAN = (
    "g (float[2,1] s, float[2,3,1] x) => (float[2,1] t, float[2,3,1] y) {{ t, y = Scan<num_scan_inputs=1{more}, "
    "body = b (float[1] a, float[1] v) => (float[1] c, float[1] d) {{ c = Add(a, v) d = Mul(c, v) }}>"
    "({lengths}, s, x) }}"
)


def scan_model(more="", lengths=""):
    return parser.parse_model(f'<ir_version: 6, opset_import: ["" : 8]>\n{SCAN.format(more=more, lengths=lengths)}')


@pytest.mark.parametrize("is_backwards", [False, True])
def test_scan_of_opset_8_goes_over_the_batch(is_backwards):
    state = np.array([[1], [2]], np.float32)
    data = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    turned = data[:, ::-1] if is_backwards else data
    sums = state[:, None] + np.cumsum(turned, 1)
    last, stacked = run(scan_model(", directions=[1]" if is_backwards else ""), state, data)
    np.testing.assert_array_equal(last, sums[:, -1])
    np.testing.assert_array_equal(stacked, sums * turned)


def test_prepared_models_are_valid_and_of_the_newest_opset():
    for name in CASES:
        model = prepare(model_of(name), name)
        onnx.checker.check_model(model, full_check=True)
        assert [o.version for o in model.opset_import] == [onnx.defs.onnx_opset_version()]
