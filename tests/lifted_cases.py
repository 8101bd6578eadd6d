"""ONNX models of operators that are MXNet operators: at least one for each rule of the lifting.

    PYTHONPATH=.:cli:runtime python tests/lifted_cases.py FOLDER

writes for each model what real MXNet 1.9.1 needs to run it: NAME-symbol.json, NAME-0000.params and NAME-call.npz, with
the inputs and the outputs that ONNX Runtime gives for the ONNX model. `tests/golden/make_lifting.py FOLDER`, run by a
Python that has MXNet, records MXNet's own outputs.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from gluonnx_runtime import Session
from onnx import helper, numpy_helper, parser

from gluonnx.formats import serialize_params
from gluonnx.onnx.lift import lift
from gluonnx.symbol.symbol import Symbol

OPSET = 20


def _unary(op, attributes="", shape="2,3,4", opset=OPSET):
    return opset, f"g (float[{shape}] x) => (float[{shape}] y) {{ y = {op}{attributes}(x) }}"


def _binary(op, a="2,3,4", b="2,3,4", dtype="float", opset=OPSET):
    return opset, f"g ({dtype}[{a}] x, {dtype}[{b}] z) => ({dtype}[a,b,c] y) {{ y = {op}(x, z) }}"


def _compared(op, a="2,3,4", b="1,3,1"):
    text = f"g (float[{a}] x, float[{b}] z) => (float[a,b,c] y) {{ m = {op}(x, z) y = Cast<to=1>(m) }}"
    return OPSET, text


def _reduced(op, axes="[1]", keep=1):
    return OPSET, (
        f"g (float[2,3,4] x) => (float[n,m,k] y) {{ a = Constant<value_ints={axes}>() "
        f"y = {op}<keepdims={keep}>(x, a) }}"
    )


def _windowed(op, attributes, shape="2,3,7,8"):
    return OPSET, f"g (float[{shape}] x) => (float[a,b,c,d] y) {{ y = {op}<{attributes}>(x) }}"


def _convolved(attributes, weight="4,3,3,3", bias="4", shape="2,3,7,8", op="Conv"):
    return OPSET, (
        f"g (float[{shape}] x, float[{weight}] w, float[{bias}] w_b) => (float[a,b,c,d] y) "
        f"{{ y = {op}<{attributes}>(x, w, w_b) }}"
    )


def _resized(attributes, scales="[1.0,1.0,2.0,2.0]"):
    return OPSET, (
        f"g (float[2,3,4,5] x) => (float[a,b,c,d] y) {{ s = Constant<value_floats={scales}>() "
        f"y = Resize<{attributes}>(x, , s) }}"
    )


def _recurrent(op, gates, attributes, directions=1, outputs="y", extra="", given=""):
    d, h = directions, 5
    heads = ", ".join(f"float[p{i},q{i},r{i}] {n}" for i, n in enumerate(outputs.split(", ")))
    return OPSET, (
        f"g (float[3,N,4] x, float[{d},{gates * h},4] w, float[{d},{gates * h},{h}] w_r, "
        f"float[{d},{2 * gates * h}] w_b{extra}) => ({heads}) "
        f"{{ {outputs} = {op}<hidden_size={h}{attributes}>(x, w, w_r, w_b{given}) }}"
    )


_PLAIN = (
    *("Abs", "Atan", "Asinh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "Neg", "Relu", "Sigmoid", "Sign", "Sin"),
    *("Sinh", "Softsign", "Softplus", "Tan", "Tanh", "HardSwish", "Mish", "Gelu", "Elu", "LeakyRelu", "Selu", "Celu"),
    *("HardSigmoid", "ThresholdedRelu", "Softmax", "LogSoftmax", "Identity"),
)
_STATES = ", float[2,2,5] h, float[2,2,5] c"
MODELS = {
    **{name.lower(): _unary(name) for name in _PLAIN},
    **{
        f"{name.lower()}_of_tanh": (OPSET, f"g (float[2,3] x) => (float[2,3] y) {{ t = Tanh(x) y = {name}(t) }}")
        for name in ("Acos", "Asin", "Atanh")
    },
    **{
        f"{name.lower()}_of_exp": (OPSET, f"g (float[2,3] x) => (float[2,3] y) {{ t = Exp(x) y = {name}(t) }}")
        for name in ("Log", "Sqrt", "Reciprocal")
    },
    "acosh_of_cosh": (OPSET, "g (float[2,3] x) => (float[2,3] y) { t = Cosh(x) y = Acosh(t) }"),
    "gelu_tanh": _unary("Gelu", '<approximate="tanh">'),
    "celu_scaled": _unary("Celu", "<alpha=2.0>"),
    "elu_scaled": _unary("Elu", "<alpha=0.5>"),
    "leaky_steep": _unary("LeakyRelu", "<alpha=0.3>"),
    "hard_sigmoid_steep": _unary("HardSigmoid", "<alpha=0.5, beta=0.25>"),
    "softmax_middle": _unary("Softmax", "<axis=1>"),
    "softmax_7": _unary("Softmax", opset=7),
    "softmax_7_middle": _unary("Softmax", "<axis=2>", opset=7, shape="2,3,4,5"),
    "log_softmax_11": _unary("LogSoftmax", "<axis=0>", opset=11),
    "swish_24": _unary("Swish", "<alpha=1.5>", opset=24),
    "prelu": (OPSET, "g (float[2,3,4] x, float[3,1] w) => (float[2,3,4] y) { y = PRelu(x, w) }"),
    "prelu_of_one": (OPSET, "g (float[2,3,4] x, float[1] w) => (float[2,3,4] y) { y = PRelu(x, w) }"),
    "clip": (
        OPSET,
        "g (float[2,3] x) => (float[2,3] y) { l = Constant<value_float=-0.5>() h = Constant<value_float=0.25>() "
        "y = Clip(x, l, h) }",
    ),
    "clip_below": (OPSET, "g (float[2,3] x) => (float[2,3] y) { l = Constant<value_float=-0.5>() y = Clip(x, l) }"),
    "clip_above": (OPSET, "g (float[2,3] x) => (float[2,3] y) { h = Constant<value_float=0.5>() y = Clip(x, , h) }"),
    "clip_7": _unary("Clip", "<min=-0.5, max=0.5>", opset=7),
    "cumsum": (OPSET, "g (float[2,3,4] x) => (float[2,3,4] y) { a = Constant<value_int=-2>() y = CumSum(x, a) }"),
    "cast_to_integers": (OPSET, "g (float[2,3] x) => (int64[2,3] y) { y = Cast<to=7>(x) }"),
    "cast_to_double": (OPSET, "g (float[2,3] x) => (double[2,3] y) { y = Cast<to=11>(x) }"),
    "cast_from_integers": (OPSET, "g (int32[2,3] x) => (float[2,3] y) { y = Cast<to=1>(x) }"),
    "cast_by_bool": (OPSET, "g (float[2,3] x) => (float[2,3] y) { b = Cast<to=9>(x) y = Cast<to=1>(b) }"),
    # Arithmetic
    **{name.lower(): _binary(name) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean")},
    **{f"{name.lower()}_spread": _binary(name, b="3,1") for name in ("Add", "Sub", "Mul", "Div", "Max", "Min")},
    "sum_spread": _binary("Sum", a="3,1", b="2,1,4"),
    "mean_spread": _binary("Mean", a="3,1", b="2,1,4"),
    "pow": (OPSET, "g (float[2,3] x, float[3] z) => (float[2,3] y) { e = Exp(x) y = Pow(e, z) }"),
    "pow_by_integer": (OPSET, "g (float[2,3] x) => (float[2,3] y) { k = Constant<value_int=3>() y = Pow(x, k) }"),
    "numbers": (
        OPSET,
        "g (float[2,3] x) => (float[2,3] y) { k = Constant<value_float=0.7>() a = Sub(k, x) b = Div(k, a) "
        "c = Mul(b, k) d = Add(k, c) e = Sub(d, k) f = Div(e, k) y = Max(f, k) }",
    ),
    "open_axes": (
        OPSET,
        "g (float[N,T,4] x, float[T,4] z, float[N,T,4] u) => (float[N,T,4] y) "
        "{ a = Add(x, z) b = Mul(a, u) y = Sub(b, x) }",
    ),
    **{n.lower(): _compared(n) for n in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")},
    "compared_with_number": (
        OPSET,
        "g (float[2,3] x) => (float[2,3] y) { k = Constant<value_float=0.1>() m = Greater(x, k) y = Cast<to=1>(m) }",
    ),
    "logic": (
        OPSET,
        "g (float[2,3] x, float[3] z) => (float[2,3] y) { a = Less(x, z) b = Greater(x, z) n = Not(a) "
        "o = Or(n, b) p = And(o, n) q = Xor(p, a) y = Cast<to=1>(q) }",
    ),
    "where": (
        OPSET,
        "g (float[2,3] x, float[3] z) => (float[2,3] y) { m = Greater(x, z) k = Constant<value_float=-2.5>() "
        "a = Where(m, x, z) n = Less(a, x) y = Where(n, k, a) }",
    ),
    "masked": (
        OPSET,
        "g (float[2,3,4] x, bool[2,1,4] m) => (float[2,3,4] y) { k = Constant<value=float {-1000000000}>() "
        "a = Where(m, x, k) y = Softmax(a) }",
    ),
    **{n.lower(): _reduced(n) for n in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd")},
    **{n.lower(): _reduced(n, "[0,-1]", 0) for n in ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp")},
    "reduce_log_sum": (
        OPSET,
        "g (float[2,3] x) => (float[2] y) { a = Constant<value_ints=[1]>() e = Exp(x) "
        "y = ReduceLogSum<keepdims=0>(e, a) }",
    ),
    "reduce_log_sum_exp_kept": _reduced("ReduceLogSumExp", "[1]"),
    "reduce_all": (OPSET, "g (float[2,3,4] x) => (float[1,1,1] y) { y = ReduceSum(x) }"),
    "reduce_11": (11, "g (float[2,3,4] x) => (float[2,1,4] y) { y = ReduceMean<axes=[1]>(x) }"),
    "argmax": (OPSET, "g (float[2,3,4] x) => (int64[2,4] y) { y = ArgMax<axis=1, keepdims=0>(x) }"),
    "argmin": (OPSET, "g (float[2,3,4] x) => (int64[2,3,1] y) { y = ArgMin<axis=-1>(x) }"),
    # Matrices
    "gemm": (OPSET, "g (float[4,3] x, float[5,3] w, float[5] w_b) => (float[4,5] y) { y = Gemm<transB=1>(x, w, w_b) }"),
    "gemm_scaled": (
        OPSET,
        "g (float[3,4] x, float[3,5] w, float[5] w_b) => (float[4,5] y) "
        "{ y = Gemm<transA=1, alpha=0.5, beta=2.0>(x, w, w_b) }",
    ),
    "gemm_alone": (OPSET, "g (float[4,3] x, float[3,5] w) => (float[4,5] y) { y = Gemm<alpha=0.5>(x, w) }"),
    "matmul": (OPSET, "g (float[4,3] x, float[3,5] w) => (float[4,5] y) { y = MatMul(x, w) }"),
    "matmul_of_batches": _binary("MatMul", a="2,3,4", b="2,4,5"),
    "matmul_of_layers": (OPSET, "g (float[N,2,3,4] x, float[4,5] w) => (float[N,2,3,5] y) { y = MatMul(x, w) }"),
    "matmul_of_heads": (OPSET, "g (float[N,2,3,4] x, float[N,2,4,5] z) => (float[N,2,3,5] y) { y = MatMul(x, z) }"),
    # Normalization
    "batch_norm": (
        OPSET,
        "g (float[2,3,4] x, float[3] w, float[3] w_b, float[3] w_m, float[3] w_var) => (float[2,3,4] y) "
        "{ y = BatchNormalization<epsilon=0.001>(x, w, w_b, w_m, w_var) }",
    ),
    "batch_norms_of_one_state": (
        OPSET,
        "g (float[2,3] x, float[3] w, float[3] w_m, float[3] w_var) => (float[2,3] y) "
        "{ a = BatchNormalization(x, w, w_m, w_m, w_var) y = BatchNormalization(a, w, w, w_m, w_var) }",
    ),
    "batch_norm_7": (
        7,
        "g (float[2,3,4] x, float[3] w, float[3] w_b, float[3] w_m, float[3] w_var) => (float[2,3,4] y) "
        "{ y = BatchNormalization<spatial=1>(x, w, w_b, w_m, w_var) }",
    ),
    "instance_norm": (
        OPSET,
        "g (float[2,3,4] x, float[3] w, float[3] w_b) => (float[2,3,4] y) { y = InstanceNormalization(x, w, w_b) }",
    ),
    "layer_norm": (
        OPSET,
        "g (float[2,3,4] x, float[4] w, float[4] w_b) => (float[2,3,4] y) { y = LayerNormalization(x, w, w_b) }",
    ),
    "layer_norm_without_bias": (
        OPSET,
        "g (float[2,3,4] x, float[4] w) => (float[2,3,4] y) { y = LayerNormalization<axis=2, epsilon=0.001>(x, w) }",
    ),
    "group_norm": (
        21,
        "g (float[2,6,4] x, float[6] w, float[6] w_b) => (float[2,6,4] y) "
        "{ y = GroupNormalization<num_groups=3>(x, w, w_b) }",
    ),
    "dropout": _unary("Dropout"),
    "dropout_7": _unary("Dropout", "<ratio=0.3>", opset=7),
    "lrn": _unary("LRN", "<size=3, alpha=0.1, beta=0.5, bias=2.0>", shape="2,5,3,4"),
    # Windows
    "conv": _convolved("pads=[1,1,1,1], strides=[2,1]"),
    "conv_uneven": _convolved("pads=[0,1,2,1]"),
    "conv_same_upper": _convolved('auto_pad="SAME_UPPER", strides=[2,2]'),
    "conv_same_lower": _convolved('auto_pad="SAME_LOWER"', weight="4,3,2,2"),
    "conv_grouped": _convolved("group=3, dilations=[2,1]", weight="6,1,2,3", bias="6"),
    "conv_1d": (
        OPSET,
        "g (float[2,3,7] x, float[4,3,3] w) => (float[a,b,c] y) { y = Conv<pads=[1,1]>(x, w) }",
    ),
    "conv_1d_uneven": (
        OPSET,
        "g (float[N,3,7] x, float[4,3,3] w) => (float[a,b,c] y) { y = Conv<pads=[2,0], dilations=[2]>(x, w) }",
    ),
    "conv_3d": (
        OPSET,
        "g (float[1,2,4,5,6] x, float[3,2,2,3,3] w) => (float[a,b,c,d,e] y) { y = Conv<pads=[0,1,1,1,1,0]>(x, w) }",
    ),
    "deconv": _convolved("strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]", weight="3,4,3,3", op="ConvTranspose"),
    "deconv_grouped": _convolved("group=3, strides=[2,1]", weight="3,2,2,3", bias="6", op="ConvTranspose"),
    "max_pool": _windowed("MaxPool", "kernel_shape=[3,2], strides=[2,2], pads=[1,0,1,0]"),
    "max_pool_uneven": _windowed("MaxPool", "kernel_shape=[3,2], strides=[2,2], pads=[0,0,2,1]"),
    "max_pool_ceil": _windowed("MaxPool", "kernel_shape=[3,3], strides=[2,2], ceil_mode=1"),
    "average_pool": _windowed("AveragePool", "kernel_shape=[3,2], strides=[2,1], pads=[1,0,1,0]"),
    "average_pool_of_padding": _windowed("AveragePool", "kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1"),
    "average_pool_ceil": _windowed("AveragePool", "kernel_shape=[2,2], strides=[2,2], ceil_mode=1"),
    "average_pool_1d": _windowed("AveragePool", "kernel_shape=[3]", shape="2,3,7"),
    "global_pools": (
        OPSET,
        "g (float[2,3,4,5] x) => (float[2,3,1,1] y, float[2,3,1,1] z) "
        "{ y = GlobalMaxPool(x) z = GlobalAveragePool(x) }",
    ),
    "resize_nearest": _resized('mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"'),
    "resize_nearest_half": _resized('mode="nearest"', "[1.0,1.0,3.0,2.0]"),
    "resize_linear": _resized('mode="linear"', "[1.0,1.0,2.0,3.0]"),
    "resize_linear_corners": _resized('mode="linear", coordinate_transformation_mode="align_corners"'),
    "upsample_7": (
        7,
        'g (float[1,2,3,4] x) => (float[1,2,6,8] y) { y = Upsample<mode="nearest", scales=[1.0,1.0,2.0,2.0]>(x) }',
    ),
    # Shapes
    "concat": (OPSET, "g (float[2,3] x, float[2,1] z) => (float[2,7] y) { y = Concat<axis=-1>(x, z, x) }"),
    "concat_of_integers": (OPSET, "g (int64[2,3] x, int64[1,3] z) => (int64[3,3] y) { y = Concat<axis=0>(x, z) }"),
    **{
        f"flatten_{axis}": (OPSET, f"g (float[2,3,4,5] x) => (float[a,b] y) {{ y = Flatten<axis={axis}>(x) }}")
        for axis in (0, 1, 2, 3, 4)
    },
    "reshape": (OPSET, "g (float[N,3,4] x) => (float[N,a] y) { s = Constant<value_ints=[0,-1]>() y = Reshape(x, s) }"),
    "reshape_as_computed": (
        OPSET,
        "g (float[N,T,8] x) => (float[N,2,T,4] y) { n = Shape<start=0, end=1>(x) t = Shape<start=1, end=2>(x) "
        "k = Constant<value_ints=[2,4]>() s = Concat<axis=0>(n, t, k) r = Reshape(x, s) "
        "y = Transpose<perm=[0,2,1,3]>(r) }",
    ),
    "reshape_as_another": (
        OPSET,
        "g (float[N,4,T] x) => (float[N,4,T] y) { k = Constant<value_ints=[0,2,-1]>() a = Reshape(x, k) "
        "b = Softmax<axis=1>(a) s = Shape(x) y = Reshape(b, s) }",
    ),
    "transpose": _unary("Transpose", "<perm=[1,2,0]>", shape="3,3,3"),
    "transpose_all": (OPSET, "g (float[2,3,4] x) => (float[4,3,2] y) { y = Transpose(x) }"),
    "squeeze": (OPSET, "g (float[1,3,1] x) => (float[3] y) { a = Constant<value_ints=[0,-1]>() y = Squeeze(x, a) }"),
    "squeeze_7": (7, "g (float[1,3,1] x) => (float[1,3] y) { y = Squeeze<axes=[2]>(x) }"),
    "squeeze_all": (OPSET, "g (float[1,3,1] x) => (float[3] y) { y = Squeeze(x) }"),
    "unsqueeze": (
        OPSET,
        "g (float[2,3] x) => (float[1,2,3,1] y) { a = Constant<value_ints=[-1,0]>() y = Unsqueeze(x, a) }",
    ),
    "unsqueeze_11": (11, "g (float[2,3] x) => (float[2,1,3] y) { y = Unsqueeze<axes=[1]>(x) }"),
    "depth_to_space": (OPSET, "g (float[1,8,2,3] x) => (float[1,2,4,6] y) { y = DepthToSpace<blocksize=2>(x) }"),
    "depth_to_space_crd": (
        OPSET,
        'g (float[2,8,2,3] x) => (float[2,2,4,6] y) { y = DepthToSpace<blocksize=2, mode="CRD">(x) }',
    ),
    "space_to_depth": (OPSET, "g (float[1,2,4,6] x) => (float[1,8,2,3] y) { y = SpaceToDepth<blocksize=2>(x) }"),
    "split": (
        OPSET,
        "g (float[2,6] x) => (float[2,2] y, float[2,2] z) { y, u, z = Split<axis=1, num_outputs=3>(x) }",
    ),
    "split_uneven": (
        13,
        "g (float[2,6] x) => (float[2,1] y, float[2,5] z) { s = Constant<value_ints=[1,5]>() y, z = Split<axis=1>(x, s) }",
    ),
    "slice": (
        OPSET,
        "g (float[4,5,6] x) => (float[a,b,c] y) { s = Constant<value_ints=[1,-4,-1]>() "
        "e = Constant<value_ints=[100,-1,-100]>() a = Constant<value_ints=[0,1,2]>() "
        "t = Constant<value_ints=[1,2,-2]>() y = Slice(x, s, e, a, t) }",
    ),
    "slice_7": (7, "g (float[4,5] x) => (float[a,b] y) { y = Slice<starts=[1], ends=[-1], axes=[1]>(x) }"),
    "slice_open": (
        OPSET,
        "g (float[N,T] x) => (float[N,U] y) { s = Constant<value_ints=[1]>() e = Constant<value_ints=[1000000]>() "
        "a = Constant<value_ints=[1]>() y = Slice(x, s, e, a) }",
    ),
    "slice_last": (
        OPSET,
        "g (float[N,T,3] x) => (float[N,1,3] y) { s = Constant<value_ints=[-1]>() "
        "e = Constant<value_ints=[9223372036854775807]>() a = Constant<value_ints=[1]>() y = Slice(x, s, e, a) }",
    ),
    "embedding": (OPSET, "g (int64[2,3] x, float[3,4] w) => (float[2,3,4] y) { y = Gather(w, x) }"),
    "gather_from_the_end": (
        OPSET,
        "g (float[2,3,4] x) => (float[2,2,4] y) { i = Constant<value_ints=[-1,1]>() y = Gather<axis=1>(x, i) }",
    ),
    "gather_one": (
        OPSET,
        "g (float[2,T,4] x) => (float[2,4] y) { i = Constant<value_int=-1>() y = Gather<axis=1>(x, i) }",
    ),
    "tile": (OPSET, "g (float[2,3] x) => (float[4,3] y) { r = Constant<value_ints=[2,1]>() y = Tile(x, r) }"),
    "expand": (OPSET, "g (float[3,1] x) => (float[2,3,4] y) { s = Constant<value_ints=[2,1,4]>() y = Expand(x, s) }"),
    "expand_as_another": (
        OPSET,
        "g (float[1,4] x, float[N,4] z) => (float[N,4] y) { s = Shape(z) e = Expand(x, s) y = Add(e, z) }",
    ),
    "filled": (
        OPSET,
        "g (float[2,3] x) => (float[2,3] y) { s = Shape(x) f = ConstantOfShape<value=float[1] {1.5}>(s) y = Add(x, f) }",
    ),
    **{
        f"pad_{mode}": (
            OPSET,
            "g (float[1,2,4,5] x) => (float[a,b,c,d] y) { p = Constant<value_ints=[0,0,1,2,0,0,0,1]>() "
            f'y = Pad<mode="{mode}">(x, p) }}',
        )
        for mode in ("constant", "edge", "reflect")
    },
    "pad_12_number": (
        12,
        "g (float[2,3,4] x) => (float[a,b,c] y) { p = Constant<value_ints=[0,0,2,0,0,1]>() "
        "v = Constant<value_float=1.5>() y = Pad(x, p, v) }",
    ),
    "pad_all_axes": (
        OPSET,
        "g (float[2,3,4] x) => (float[a,b,c] y) { p = Constant<value_ints=[1,0,2,0,1,1]>() y = Pad(x, p) }",
    ),
    "pad_7": (7, "g (float[2,3] x) => (float[a,b] y) { y = Pad<pads=[0,1,0,2], value=1.5>(x) }"),
    "branch_always_taken": (
        OPSET,
        "g (float[1,3] x) => (float[3] y) { s = Shape<start=0, end=1>(x) o = Constant<value_ints=[1]>() "
        "c = Equal(s, o) y = If (c) <then_branch = t () => (float[3] a) { n = Neg(x) z = Constant<value_ints=[0]>() "
        "a = Squeeze(n, z) }, else_branch = e () => (float[1,3] b) { b = Identity(x) }> }",
    ),
    # Recurrent networks
    "lstm": _recurrent("LSTM", 4, ""),
    "lstm_both_ways": _recurrent("LSTM", 4, ', direction="bidirectional"', 2, "y, h, c"),
    "lstm_reversed": _recurrent("LSTM", 4, ', direction="reverse"', 1, "y, h"),
    "lstm_given_states": _recurrent("LSTM", 4, ', direction="bidirectional"', 2, "y, hn, cn", _STATES, ", , h, c"),
    "gru": _recurrent("GRU", 3, ", linear_before_reset=1"),
    "gru_both_ways": _recurrent("GRU", 3, ', linear_before_reset=1, direction="bidirectional"', 2, "y, h"),
    "gru_without_reset": (
        OPSET,
        "g (float[3,2,4] x, float[1,15,4] w, float[1,15,5] w_r) => (float[a,b,c,d] y) "
        "{ y = GRU<hidden_size=5, linear_before_reset=1>(x, w, w_r) }",
    ),
    "rnn": _recurrent("RNN", 1, ""),
    "rnn_relu": _recurrent("RNN", 1, ', activations=["Relu", "Relu"], direction="bidirectional"', 2, "y, h"),
    "rnn_reversed": _recurrent("RNN", 1, ', direction="reverse"', 1, "y, h"),
}
"""Opset and text form by name. Inputs that begin with `w` are initializers."""


def model_of(name):
    """The ONNX model of a case, with seeded initializers."""
    opset, text = MODELS[name]
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')
    random = np.random.default_rng(len(name))
    for info in [i for i in model.graph.input if i.name.startswith("w")]:
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        array = random.uniform(0.5, 2, shape) if "var" in info.name else random.standard_normal(shape) / 2
        model.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), info.name))
        model.graph.input.remove(info)
    return model


def inputs_of(model):
    """Seeded numbers for each input, by name; an open dimension is 2."""
    random = np.random.default_rng(7)
    found = {}
    for info in model.graph.input:
        dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        shape = [d.dim_value or 2 for d in info.type.tensor_type.shape.dim]
        if dtype.kind == "f":
            found[info.name] = random.standard_normal(shape).astype(dtype)
        else:
            found[info.name] = random.integers(0, 2 if dtype == np.bool_ else 3, shape).astype(dtype)
    return found


def expected_of(model):
    """What ONNX Runtime gives for the model itself."""
    return list(Session(model.SerializeToString(), device="cpu").run(inputs_of(model)).values())


def write(name, folder):
    """Write a case as MXNet reads it; return the symbol-json."""
    model = model_of(name)
    outputs = expected_of(model)
    lifted = lift(onnx.ModelProto.FromString(model.SerializeToString()), name)
    symbol = Symbol(lifted.heads)
    auxiliary = set(symbol.list_auxiliary_states())
    arrays = {f"{'aux' if n in auxiliary else 'arg'}:{n}": a for n, a in lifted.parameters.items()}
    (folder / f"{name}-symbol.json").write_text(symbol.tojson(), encoding="utf-8", newline="")
    (folder / f"{name}-0000.params").write_bytes(b"".join(map(bytes, serialize_params(arrays))))
    np.savez(folder / f"{name}-call.npz", **inputs_of(model), **{f"output{i}": o for i, o in enumerate(outputs)})
    return symbol.tojson()


if __name__ == "__main__":
    for case in MODELS:
        write(case, Path(sys.argv[1]))
