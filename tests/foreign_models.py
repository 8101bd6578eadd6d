"""Small ONNX models that other tools could have written: opset and text form of each."""

import numpy as np
from onnx import helper

MODELS = {
    "conv": (
        13,
        "g (float[N,2,5,5] x, float[3,2,3,3] w, float[3] b) => (float[N,3,5,5] y) "
        "{ c = Conv<pads=[1,1,1,1]>(x, w, b) y = Relu(c) }",
    ),
    "conv_same": (
        13,
        'g (float[1,2,5,5] x, float[3,2,2,2] w) => (float[a,b,c,d] y) { y = Conv<auto_pad="SAME_UPPER">(x, w) }',
    ),
    "deconv": (
        13,
        "g (float[1,2,4,4] x, float[2,3,3,3] w) => (float[a,b,c,d] y) "
        "{ y = ConvTranspose<strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]>(x, w) }",
    ),
    "pools": (
        19,
        "g (float[1,2,7,7] x) => (float[a,b,c,d] y, float[e,f,g,h] z) "
        "{ y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(x) "
        "z = AveragePool<kernel_shape=[2,2], ceil_mode=1, strides=[2,2]>(x) }",
    ),
    "gemm": (13, "g (float[4,3] x, float[5,3] w, float[5] b) => (float[4,5] y) { y = Gemm<transB=1>(x, w, b) }"),
    "gemm_scaled": (
        13,
        "g (float[4,3] x, float[3,5] w, float[5] b) => (float[4,5] y) { y = Gemm<alpha=0.5, beta=2.0>(x, w, b) }",
    ),
    "softmax_7": (7, "g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax(x) }"),
    "softmax_13": (13, "g (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax<axis=1>(x) }"),
    "slice_7": (7, "g (float[4,5] x) => (float[a,b] y) { y = Slice<starts=[1], ends=[-1], axes=[1]>(x) }"),
    "clip_7": (7, "g (float[4,5] x) => (float[4,5] y) { y = Clip<min=-0.5, max=0.5>(x) }"),
    "pad_7": (7, "g (float[2,3] x) => (float[a,b] y) { y = Pad<pads=[0,1,0,2], value=1.5>(x) }"),
    "upsample_7": (
        7,
        'g (float[1,1,2,2] x) => (float[a,b,c,d] y) { y = Upsample<mode="nearest", scales=[1.0,1.0,2.0,3.0]>(x) }',
    ),
    "reduce_11": (11, "g (float[2,3,4] x) => (float[a,b] y) { y = ReduceMean<axes=[1], keepdims=0>(x) }"),
    "topk": (
        12,
        "g (float[3,5] x) => (float[a,b] y, int64[c,d] i) { k = Constant<value_ints=[2]>() y, i = TopK(x, k) }",
    ),
    "shapes": (
        13,
        "g (float[N,3,4] x) => (float[N,M] y) { s = Shape(x) z = Constant<value_ints=[0]>() "
        "m = Constant<value_ints=[-1]>() n = Gather<axis=0>(s, z) t = Concat<axis=0>(n, m) y = Reshape(x, t) }",
    ),
    "integers": (13, "g (int64[2,3] x, int64[2,3] y) => (int64[2,3] z) { s = Add(x, y) z = Mul(s, s) }"),
    "scalar": (13, "g (float[2,3] x) => (float s) { s = ReduceSum<keepdims=0>(x) }"),
    "where": (13, "g (float[2,3] x, float[1,3] y) => (float[2,3] z) { c = Greater(x, y) z = Where(c, x, y) }"),
    "resize": (
        13,
        "g (float[1,1,3,4] x) => (float[a,b,c,d] y) { s = Constant<value_floats=[1.0,1.0,2.0,1.5]>() "
        'y = Resize<mode="linear">(x, , s) }',
    ),
    "lstm": (
        14,
        "g (float[3,2,4] x, float[2,20,4] w, float[2,20,5] r, float[2,40] b) => (float[a,c,d,e] y, float[f,g,h] l) "
        '{ y, l = LSTM<hidden_size=5, direction="bidirectional">(x, w, r, b) }',
    ),
    "gru": (
        14,
        "g (float[3,2,4] x, float[1,15,4] w, float[1,15,5] r) => (float[a,c,d,e] y) "
        "{ y = GRU<hidden_size=5>(x, w, r) }",
    ),
    "quantized": (
        13,
        "g (float[2,3] x) => (float[2,3] y) { s = Constant<value_float=0.05>() z = Constant<value=uint8 {128}>() "
        "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }",
    ),
    "if": (
        13,
        "g (bool c, float[2,3] x) => (float[2,3] y) { y = If (c) <"
        "then_branch = t () => (float[2,3] a) { a = Relu(x) }, "
        "else_branch = e () => (float[2,3] b) { one = Constant<value_float=1.0>() b = Add(x, one) }> }",
    ),
    "loop": (
        13,
        "g (float[3] x) => (float[3] y, float[n,3] s) { m = Constant<value_int=4>() t = Constant<value=bool {1}>() "
        "y, s = Loop (m, t, x) <body = b (int64 i, bool c, float[3] v) => (bool d, float[3] w, float[3] o) "
        "{ d = Identity(c) w = Add(v, x) o = Mul(w, w) }> }",
    ),
    "sequence": (
        13,
        "g (float[2,3] x, float[1,3] y) => (float[a,3] z) "
        "{ q = SequenceConstruct(x, y) z = ConcatFromSequence<axis=0>(q) }",
    ),
    "values_decide": (13, "g (float[3,4] x) => (int64[2,n] y) { r = Relu(x) y = NonZero(r) }"),
}


def inputs_of(model, seed=0):
    """Numbers for every input of a model; an open dimension is 2."""
    random = np.random.default_rng(seed)
    found = {}
    for info in model.graph.input:
        if info.name in {t.name for t in model.graph.initializer}:
            continue
        dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        shape = [d.dim_value or 2 for d in info.type.tensor_type.shape.dim]
        if dtype == np.bool_:
            found[info.name] = random.random(shape) < 0.5
        elif dtype.kind == "f":
            found[info.name] = np.asarray(random.standard_normal(shape), dtype=dtype)
        else:
            found[info.name] = np.asarray(random.integers(0, 3, shape), dtype=dtype)
    return found
