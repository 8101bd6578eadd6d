"""Calls of operators by the names they have had, for make_eras.py.

Each group gives one graph with an output for each call. The arrays that the calls read are parameters of the graph,
named `CALL_x0`, `CALL_x1`, ... unless the operator names them itself.
"""

import numpy as np

PLAIN = {}
"""Values of the variables of all calls made so far, by name."""


IMAGE = (1, 2, 6, 5)
INDEX = np.array([2.0, 0.0], np.float32)
BOXES = np.array([[0, 0, 0, 3, 3], [0, 1, 1, 4, 5]], np.float32)

LAYERS = [
    # operator, attributes, shapes or values of its inputs
    ("Convolution", dict(kernel=(3, 2), stride=(2, 1), pad=(1, 0), num_filter=2), [IMAGE]),
    ("Convolution", dict(kernel=(3, 3), num_filter=2, num_group=2, dilate=(1, 2), no_bias=True), [IMAGE]),
    ("Convolution", dict(kernel=(2,), num_filter=2), [(1, 2, 5)]),
    ("Convolution_v1", dict(kernel=(3, 3), num_filter=2, pad=(1, 1)), [IMAGE]),
    ("Deconvolution", dict(kernel=(3, 3), num_filter=2, stride=(2, 2), adj=(1, 1), pad=(1, 1)), [IMAGE]),
    (
        "Deconvolution",
        dict(kernel=(4, 4), num_filter=2, stride=(2, 2), pad=(1, 1), target_shape=(12, 10), no_bias=True),
        [IMAGE],
    ),
    ("Pooling", dict(kernel=(2, 2), pool_type="max", stride=(2, 2), pooling_convention="full"), [IMAGE]),
    ("Pooling", dict(kernel=(3, 3), pool_type="avg", pad=(1, 1)), [IMAGE]),
    ("Pooling", dict(kernel=(3, 3), pool_type="sum", stride=(2, 2)), [IMAGE]),
    ("Pooling", dict(kernel=(1, 1), pool_type="avg", global_pool=True), [IMAGE]),
    ("Pooling_v1", dict(kernel=(3, 3), pool_type="avg", stride=(2, 2), pad=(1, 1), pooling_convention="full"), [IMAGE]),
    ("Pooling_v1", dict(kernel=(2, 2), pool_type="max", stride=(2, 2)), [IMAGE]),
    ("BatchNorm", dict(), [IMAGE]),
    ("BatchNorm", dict(axis=-1, fix_gamma=False), [IMAGE]),
    ("BatchNorm_v1", dict(fix_gamma=False, eps=0.01), [IMAGE]),
    ("CuDNNBatchNorm", dict(), [IMAGE]),
    ("InstanceNorm", dict(eps=0.01), [IMAGE]),
    ("LayerNorm", dict(), [(2, 5)]),
    ("GroupNorm", dict(num_groups=2), [(2, 4, 3)]),
    ("L2Normalization", dict(), [IMAGE]),
    ("L2Normalization", dict(mode="channel"), [IMAGE]),
    ("L2Normalization", dict(mode="spatial", eps=0.1), [IMAGE]),
    ("LRN", dict(nsize=3, alpha=0.1, beta=0.5, knorm=1.5), [(1, 4, 3, 3)]),
    ("FullyConnected", dict(num_hidden=3), [IMAGE]),
    ("FullyConnected", dict(num_hidden=3, no_bias=True, flatten=False), [(2, 3, 4)]),
    ("Activation", dict(act_type="sigmoid"), [(2, 3)]),
    ("Activation", dict(act_type="tanh"), [(2, 3)]),
    ("Activation", dict(act_type="softrelu"), [(2, 3)]),
    ("Activation", dict(act_type="softsign"), [(2, 3)]),
    ("LeakyReLU", dict(), [(2, 3)]),
    ("LeakyReLU", dict(act_type="elu", slope=0.5), [(2, 3)]),
    ("LeakyReLU", dict(act_type="prelu"), [IMAGE]),
    ("LeakyReLU", dict(act_type="rrelu", lower_bound=0.1, upper_bound=0.3), [(2, 3)]),
    ("LeakyReLU", dict(act_type="gelu"), [(2, 3)]),
    ("Dropout", dict(p=0.3), [(2, 3)]),
    ("Embedding", dict(input_dim=4, output_dim=3), [INDEX]),
    ("SoftmaxActivation", dict(), [(2, 3)]),
    ("SoftmaxActivation", dict(mode="channel"), [IMAGE]),
    ("SoftmaxOutput", dict(), [(2, 3)]),
    ("Softmax", dict(), [(2, 3)]),
    ("SoftmaxOutput", dict(multi_output=True, use_ignore=True, ignore_label=255, preserve_shape=False), [IMAGE]),
    ("LinearRegressionOutput", dict(grad_scale=2.0), [(2, 3)]),
    ("LogisticRegressionOutput", dict(), [(2, 3)]),
    ("MAERegressionOutput", dict(), [(2, 3)]),
    ("SVMOutput", dict(margin=0.5, use_linear=True), [(2, 3)]),
    ("MakeLoss", dict(grad_scale=0.5, normalization="batch"), [(2, 3)]),
    ("make_loss", dict(), [(2, 3)]),
    ("IdentityAttachKLSparseReg", dict(penalty=0.01), [(2, 3)]),
    ("UpSampling", dict(scale=2, sample_type="nearest", num_args=1), [IMAGE]),
    ("UpSampling", dict(scale=2, sample_type="bilinear", num_filter=2, num_args=1), [IMAGE, (2, 1, 4, 4)]),
    ("BilinearSampler", dict(), [IMAGE, (1, 2, 3, 3)]),
    ("GridGenerator", dict(transform_type="affine", target_shape=(3, 4)), [(1, 6)]),
    (
        "SpatialTransformer",
        dict(transform_type="affine", sampler_type="bilinear", target_shape=(3, 4)),
        [IMAGE, (1, 6)],
    ),
    ("ROIPooling", dict(pooled_size=(2, 2), spatial_scale=1.0), [IMAGE, BOXES]),
    ("Correlation", dict(kernel_size=1, max_displacement=2, stride1=1, stride2=1, pad_size=2), [IMAGE, IMAGE]),
    ("Crop", dict(num_args=1, h_w=(3, 3), offset=(1, 1)), [IMAGE]),
    ("Crop", dict(num_args=2, center_crop=True), [IMAGE, (1, 2, 4, 3)]),
    ("Pad", dict(mode="constant", pad_width=(0, 0, 0, 0, 1, 2, 0, 1), constant_value=0.5), [IMAGE]),
    ("Pad", dict(mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 0, 1)), [IMAGE]),
    ("SequenceLast", dict(use_sequence_length=True), [(3, 2, 2), np.array([1.0, 3.0], np.float32)]),
    ("SequenceMask", dict(use_sequence_length=True, value=-1.0), [(3, 2, 2), np.array([1.0, 3.0], np.float32)]),
    ("SequenceReverse", dict(use_sequence_length=True), [(3, 2, 2), np.array([1.0, 3.0], np.float32)]),
    ("softmax_cross_entropy", dict(), [(2, 3), INDEX]),
    ("smooth_l1", dict(scalar=2.0), [(2, 3)]),
    ("CTCLoss", dict(), [(5, 2, 4), np.array([[1, 2], [3, 0]], np.float32)]),
    ("ctc_loss", dict(), [(5, 2, 4), np.array([[1, 2], [3, 0]], np.float32)]),
]

TENSORS = [
    ("Concat", dict(dim=1, num_args=2), [(2, 3), (2, 1)]),
    ("concat", dict(dim=0, num_args=2), [(2, 3), (1, 3)]),
    ("ElementWiseSum", dict(num_args=3), [(2, 3), (2, 3), (2, 3)]),
    ("add_n", dict(num_args=2), [(2, 3), (2, 3)]),
    ("SliceChannel", dict(num_outputs=2, axis=-1), [(2, 4)]),
    ("split", dict(num_outputs=2, axis=0, squeeze_axis=True), [(2, 4)]),
    ("SwapAxis", dict(dim1=0, dim2=2), [(2, 3, 4)]),
    ("SwapAxis", dict(), [(2, 3)]),
    ("swapaxes", dict(dim1=1, dim2=2), [(2, 3, 4)]),
    ("Flatten", dict(), [IMAGE]),
    ("Reshape", dict(shape=(0, -1)), [IMAGE]),
    ("Reshape", dict(shape=(-2, 1, -1), reverse=True), [IMAGE]),
    ("Reshape", dict(target_shape=(0, 10)), [(2, 10)]),
    ("reshape", dict(shape=(-3, -4, 2, -1, 0)), [(2, 3, 4, 5)]),
    ("reshape_like", dict(), [(2, 6), (3, 4)]),
    ("Cast", dict(dtype="float64"), [(2, 3)]),
    ("cast", dict(dtype="int32"), [(2, 3)]),
    ("BlockGrad", dict(), [(2, 3)]),
    ("stop_gradient", dict(), [(2, 3)]),
    ("_copy", dict(), [(2, 3)]),
    ("identity", dict(), [(2, 3)]),
    ("_Plus", dict(), [(2, 3), (2, 3)]),
    ("_Minus", dict(), [(2, 3), (2, 3)]),
    ("_Mul", dict(), [(2, 3), (2, 3)]),
    ("_Div", dict(), [(2, 3), (2, 3)]),
    ("_plus", dict(), [(2, 3), (2, 3)]),
    ("_minus", dict(), [(2, 3), (2, 3)]),
    ("_mul", dict(), [(2, 3), (2, 3)]),
    ("_div", dict(), [(2, 3), (2, 3)]),
    ("_add", dict(), [(2, 3), (2, 3)]),
    ("_sub", dict(), [(2, 3), (2, 3)]),
    ("elemwise_add", dict(), [(2, 3), (2, 3)]),
    ("_Power", dict(), [(2, 3), (2, 3)]),
    ("_Maximum", dict(), [(2, 3), (2, 3)]),
    ("_Minimum", dict(), [(2, 3), (2, 3)]),
    ("_maximum", dict(), [(2, 3), (2, 3)]),
    ("_Hypot", dict(), [(2, 3), (2, 3)]),
    ("_grad_add", dict(), [(2, 3), (2, 3)]),
    ("_equal", dict(), [(2, 3), (2, 3)]),
    ("_greater", dict(), [(2, 3), (2, 3)]),
    ("_PlusScalar", dict(scalar=2.0), [(2, 3)]),
    ("_MinusScalar", dict(scalar=2.0), [(2, 3)]),
    ("_RMinusScalar", dict(scalar=2.0), [(2, 3)]),
    ("_MulScalar", dict(scalar=2.0), [(2, 3)]),
    ("_DivScalar", dict(scalar=2.0), [(2, 3)]),
    ("_RDivScalar", dict(scalar=2.0), [(2, 3)]),
    ("_PowerScalar", dict(scalar=2.0), [(2, 3)]),
    ("_RPowerScalar", dict(scalar=2.0), [(2, 3)]),
    ("_MaximumScalar", dict(scalar=0.5), [(2, 3)]),
    ("_MinimumScalar", dict(scalar=0.5), [(2, 3)]),
    ("_plus_scalar", dict(scalar=2.0), [(2, 3)]),
    ("_rminus_scalar", dict(scalar=2.0), [(2, 3)]),
    ("_greater_scalar", dict(scalar=0.5), [(2, 3)]),
    ("_mod_scalar", dict(scalar=0.3), [(2, 3)]),
    ("_EqualScalar", dict(scalar=0.5), [(2, 3)]),
    ("broadcast_plus", dict(), [(2, 3), (1, 3)]),
    ("broadcast_add", dict(), [(2, 3), (2, 1)]),
    ("broadcast_minus", dict(), [(2, 3), (1, 3)]),
    ("broadcast_mul", dict(), [(2, 3), (1, 3)]),
    ("broadcast_div", dict(), [(2, 3), (1, 3)]),
    ("broadcast_power", dict(), [(2, 3), (1, 3)]),
    ("broadcast_mod", dict(), [(2, 3), (1, 3)]),
    ("broadcast_maximum", dict(), [(2, 3), (1, 3)]),
    ("broadcast_hypot", dict(), [(2, 3), (1, 3)]),
    ("broadcast_lesser_equal", dict(), [(2, 3), (1, 3)]),
    ("broadcast_axis", dict(axis=(0, 2), size=(2, 3)), [(1, 2, 1)]),
    ("broadcast_axes", dict(axis=1, size=2), [(2, 1)]),
    ("broadcast_to", dict(shape=(0, 4)), [(2, 1)]),
    ("sum", dict(axis=1), [(2, 3, 2)]),
    ("sum", dict(), [(2, 3, 2)]),
    ("sum", dict(axis=(0, 2), keepdims=True), [(2, 3, 2)]),
    ("sum", dict(axis=1, exclude=True), [(2, 3, 2)]),
    ("sum_axis", dict(axis=1), [(2, 3, 2)]),
    ("mean", dict(axis=(0, 1)), [(2, 3, 2)]),
    ("max", dict(axis=1, keepdims=1), [(2, 3, 2)]),
    ("max_axis", dict(axis=1), [(2, 3, 2)]),
    ("min", dict(), [(2, 3, 2)]),
    ("min_axis", dict(axis=0), [(2, 3, 2)]),
    ("prod", dict(axis=2), [(2, 3, 2)]),
    ("nansum", dict(axis=0), [(2, 3, 2)]),
    ("nanprod", dict(axis=0), [(2, 3, 2)]),
    ("norm", dict(), [(2, 3)]),
    ("argmax", dict(axis=1), [(2, 3)]),
    ("argmax", dict(axis=-1), [(2, 3)]),
    ("argmax", dict(), [(2, 3)]),
    ("argmin", dict(axis=0, keepdims=True), [(2, 3)]),
    ("argmax_channel", dict(), [(2, 3)]),
    ("pick", dict(axis=1), [(2, 3), INDEX]),
    ("choose_element_0index", dict(), [(2, 3), INDEX]),
    ("fill_element_0index", dict(), [(2, 3), (2,), INDEX]),
    ("dot", dict(transpose_a=True), [(2, 3), (2, 4)]),
    ("batch_dot", dict(transpose_b=True), [(2, 3, 4), (2, 2, 4)]),
    ("transpose", dict(), [(2, 3, 4)]),
    ("transpose", dict(axes=(1, 0, 2)), [(2, 3, 4)]),
    ("expand_dims", dict(axis=1), [(2, 3)]),
    ("slice", dict(begin=(0, 1), end=(2, 3)), [(2, 4)]),
    ("crop", dict(begin=(0, 1), end=(2, 3)), [(2, 4)]),
    ("slice_axis", dict(axis=-1, begin=1, end=None), [(2, 4)]),
    ("flip", dict(axis=1), [(2, 3)]),
    ("reverse", dict(axis=0), [(2, 3)]),
    ("repeat", dict(repeats=2, axis=1), [(2, 3)]),
    ("tile", dict(reps=(2, 1)), [(2, 3)]),
    ("stack", dict(axis=1, num_args=2), [(2, 3), (2, 3)]),
    ("clip", dict(a_min=0.4, a_max=0.6), [(2, 3)]),
    ("take", dict(), [(3, 2), INDEX]),
    ("take", dict(mode="wrap"), [(3, 2), np.array([[4, -1]], np.float32)]),
    ("batch_take", dict(), [(2, 3), INDEX.astype(np.int32)]),
    ("one_hot", dict(depth=4, on_value=2.0), [INDEX]),
    ("gather_nd", dict(), [(3, 2), np.array([[0, 2], [1, 1]], np.float32)]),
    ("where", dict(), [np.array([[0, 1], [1, 0]], np.float32), (2, 2), (2, 2)]),
    ("sort", dict(axis=0, is_ascend=False), [(4, 2)]),
    ("argsort", dict(), [(2, 4)]),
    ("topk", dict(k=2, ret_typ="value"), [(2, 4)]),
    ("topk", dict(), [(2, 4)]),
    ("softmax", dict(axis=1), [(2, 3)]),
    ("log_softmax", dict(), [(2, 3)]),
    ("relu", dict(), [(2, 3)]),
    ("sigmoid", dict(), [(2, 3)]),
    ("rsqrt", dict(), [(2, 3)]),
    ("gamma", dict(), [(2, 3)]),
    ("gammaln", dict(), [(2, 3)]),
    ("round", dict(), [(2, 3)]),
    ("fix", dict(), [(2, 3)]),
    ("sign", dict(), [(2, 3)]),
    ("_arange", dict(start=1, stop=7, step=2, repeat=2), []),
    ("_zeros", dict(shape=(2, 2)), []),
    ("_ones", dict(shape=(2, 2), dtype="int32"), []),
    ("_full", dict(shape=(2, 2), value=1.5), []),
    ("zeros_like", dict(), [(2, 3)]),
    ("ones_like", dict(), [(2, 3)]),
    ("space_to_depth", dict(block_size=2), [(1, 1, 4, 4)]),
    ("diag", dict(k=1), [(3, 3)]),
    ("square_sum", dict(), [(2, 3)]),
    ("linalg_gemm2", dict(alpha=2.0), [(2, 3), (3, 2)]),
    ("linalg_potrf", dict(), [np.array([[4, 1], [1, 3]], np.float32)]),
    ("squeeze", dict(), [(2, 1, 3)]),
    ("khatri_rao", dict(num_args=2), [(2, 3), (4, 3)]),
    ("shape_array", dict(), [(2, 3)]),
    ("unravel_index", dict(shape=(2, 3)), [np.array([1.0, 5.0], np.float32)]),
    ("cumsum", dict(axis=0), [(2, 3)]),
    ("broadcast_like", dict(), [(1, 3), (2, 3)]),
    ("_scatter_plus_scalar", dict(scalar=2.0), [(2, 3)]),
    ("SliceChannel", dict(num_outputs=1), [(2, 1)]),
]

CONTRIB = [
    ("MultiBoxPrior", dict(sizes=(0.5, 0.2), ratios=(1.0, 2.0), clip=True), [IMAGE]),
    (
        "MultiBoxDetection",
        dict(),
        [
            (1, 2, 3),
            (1, 12),
            np.array([[[0.1, 0.1, 0.4, 0.5], [0.2, 0.2, 0.9, 0.8], [0.15, 0.1, 0.45, 0.5]]], np.float32),
        ],
    ),
    ("fft", dict(compute_size=128), [(2, 4)]),
    (
        "count_sketch",
        dict(out_dim=3),
        [(2, 4), np.array([[0, 2, 1, 0]], np.float32), np.array([[1, -1, 1, 1]], np.float32)],
    ),
    ("quantize", dict(), [(2, 3), np.array([0.0], np.float32), np.array([1.0], np.float32)]),
    ("CTCLoss", dict(), [(5, 2, 4), np.array([[1, 2], [3, 0]], np.float32)]),
    ("ctc_loss", dict(), [(5, 2, 4), np.array([[1, 2], [3, 0]], np.float32)]),
    ("AdaptiveAvgPooling2D", dict(output_size=2), [IMAGE]),
    ("BilinearResize2D", dict(height=4, width=7), [IMAGE]),
    ("box_iou", dict(), [(2, 4), (3, 4)]),
    ("box_nms", dict(overlap_thresh=0.3), [(1, 4, 6)]),
    ("bipartite_matching", dict(threshold=0.1), [(2, 3)]),
    ("quadratic", dict(a=1.0, b=2.0, c=3.0), [(2, 3)]),
    ("div_sqrt_dim", dict(), [(2, 4)]),
    ("arange_like", dict(axis=0), [(3, 2)]),
    ("index_copy", dict(), [(3, 2), np.array([0.0, 2.0], np.float32), (2, 2)]),
    ("gradientmultiplier", dict(scalar=0.5), [(2, 3)]),
    ("DeformableConvolution", dict(kernel=(3, 3), num_filter=2), [IMAGE, (1, 18, 4, 3)]),
    ("ROIAlign", dict(pooled_size=(2, 2), spatial_scale=1.0), [IMAGE, BOXES]),
]


def _calls(mx, namespace, table, kind):
    for number, (op, attributes, inputs) in enumerate(table):
        function = getattr(namespace, op, None) or getattr(getattr(mx.sym, "_internal", None), op, None)
        if function is None:
            continue
        name = "%s%d_%s" % (kind, number, op.strip("_").lower())
        variables = [mx.sym.Variable("%s_x%d" % (name, i)) for i in range(len(inputs))]
        try:
            head = function(*variables, name=name, **attributes)
        except Exception:  # an attribute or operator of a later version
            continue
        if attributes.get("act_type") == "rrelu":
            head = head[0]  # the other is a mask that nothing fills at inference
        values = [v if isinstance(v, np.ndarray) else _value(name, i, v) for i, v in enumerate(inputs)]
        arrays = {"%s_x%d" % (name, i): v for i, v in enumerate(values)}
        shapes, _, states = head.infer_shape(**{n: v.shape for n, v in arrays.items()})
        for own, shape in zip(head.list_arguments(), shapes or []):
            if own not in arrays:
                arrays[own] = _value(own, 0, shape)
        for own, shape in zip(head.list_auxiliary_states(), states or []):
            arrays[own] = _value(own, 1, shape)
        yield name, head, arrays


def _value(name, number, shape):
    """Values that depend on the name alone, so that every version gets the same."""
    seed = sum(ord(c) * (i + 1) for i, c in enumerate(name)) + number
    return short(np.random.RandomState(seed).uniform(0.2, 1.0, shape)).astype(np.float32)


def short(values):
    """Values of a few bits, which compress."""
    return np.round(values * 1024) / 1024


def groups(mx):
    """Yield the name of each group and a function that makes its calls: (name, symbol, arrays) of each."""
    yield "layers", lambda: list(_calls(mx, mx.sym, LAYERS, "l"))
    yield "tensors", lambda: list(_calls(mx, mx.sym, TENSORS, "t"))
    yield "contrib", lambda: list(_calls(mx, getattr(mx.sym, "contrib", None) or mx.contrib.sym, CONTRIB, "c"))
