"""What operators refuse, and in which words; and what samples cannot show: random draws, layouts, large targets."""

import numpy as np
import pytest
import torch
from ops import matrix
from ops.samples.sample import Array, Sample

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops import TABLE


def run(name, *shapes, dtype=torch.float32, **attrs):
    op = TABLE[name]
    return matrix.call(
        op, [torch.ones(s, dtype=dtype) for s in shapes], op.parse(attrs), train=attrs.pop("train", False)
    )


CONV = {"kernel": (3, 3), "num_filter": 4}
REFUSED = [
    (
        "Convolution",
        [(2, 3, 8), (4, 3, 3, 3)],
        {**CONV, "no_bias": True},
        r"expected 4 dimensions .* got data=\(2, 3, 8\)",
    ),
    (
        "Convolution",
        [(2, 3, 8, 8), (4, 3, 2, 3)],
        {**CONV, "no_bias": True},
        r"expected 4 filters of kernel \(3, 3\), got weight=\(4, 3, 2, 3\)",
    ),
    (
        "Convolution",
        [(2, 5, 8, 8), (4, 3, 3, 3)],
        {**CONV, "no_bias": True},
        r"got data=\(2, 5, 8, 8\), weight=\(4, 3, 3, 3\)",
    ),
    ("Convolution", [(2, 3, 8, 8), (4, 3, 3, 3), (5,)], CONV, r"bias=\(5,\)"),
    ("Deconvolution", [(2, 3, 8), (3, 4, 3, 3)], CONV, r"expected 4 dimensions .* got data=\(2, 3, 8\)"),
    ("Deconvolution", [(2, 3, 8, 8), (3, 5, 3, 3)], CONV, r"expected 4 filters .* got weight=\(3, 5, 3, 3\)"),
    ("Deconvolution", [(2, 5, 8, 8), (3, 4, 3, 3)], CONV, r"got data=\(2, 5, 8, 8\), weight=\(3, 4, 3, 3\)"),
    ("Pooling", [(2, 3, 8)], {"kernel": (2, 2)}, r"expected 4 dimensions for kernel=\(2, 2\) of 1 to 3, got 3"),
    ("Pooling", [(2, 3, 2)], {"kernel": (5,), "pad": (1,)}, r"expected at most 4, got kernel=\(5,\)"),
    ("LeakyReLU", [(2, 3)], {"act_type": "prelu"}, r"expected gamma of shape \(C,\), got gamma=None"),
    ("softmax_cross_entropy", [(2, 3, 4), (2,)], {}, r"got data=\(2, 3, 4\), label=\(2,\)"),
    ("LinearRegressionOutput", [(2, 3), (2, 4)], {}, r"expected label=\(2, 3\), got label=\(2, 4\)"),
    ("BatchNorm", [(2, 3, 4), (5,), (5,), (5,), (5,)], {"train": True}, r"got data=\(2, 3, 4\), gamma=\(5,\)"),
    ("GroupNorm", [(2, 3, 4), (2,), (2,)], {"num_groups": 2}, r"a multiple of num_groups=2, got data=\(2, 3, 4\)"),
    ("Reshape", [(2, 3)], {"shape": (4, -1)}, r"expected 6 of data=\(2, 3\), got shape=\(4, -1\)"),
    ("Reshape", [(2, 3)], {"shape": (0, 0, 0)}, r"expected 2 dimensions, got shape=\(0, 0, 0\)"),
    ("Reshape", [(2, 3)], {"shape": (-4, -1, -1)}, r"at most one of them -1, got shape=\(-4, -1, -1\)"),
    ("Reshape", [(2, 3)], {"shape": (-5,)}, r"one of 0, -1, -2, -3, -4, got shape=\(-5,\)"),
    ("reshape_like", [(2, 3), (4,)], {}, r"expected 6, got lhs=\(2, 3\), rhs=\(4,\)"),
    ("transpose", [(2, 3)], {"axes": (0, 0)}, r"expected 2 different axes, got axes=\(0, 0\)"),
    ("squeeze", [(2, 1)], {"axis": (0,)}, r"expected 1, got data=\(2, 1\), axis=0"),
    ("Concat", [(2, 3), (3, 3)], {"dim": 1}, r"but for axis 1, got \[\(2, 3\), \(3, 3\)\]"),
    ("stack", [(2, 3), (2, 4)], {}, r"expected one shape, got \[\(2, 3\), \(2, 4\)\]"),
    ("SliceChannel", [(2, 3)], {"num_outputs": 2}, r"a multiple of num_outputs=2, got data=\(2, 3\)"),
    (
        "SliceChannel",
        [(2, 4)],
        {"num_outputs": 2, "squeeze_axis": True},
        r"equal under squeeze_axis\), got data=\(2, 4\)",
    ),
    ("slice", [(2,)], {"begin": (0, 0), "end": (1, 1)}, r"expected at most 1, got begin=\(0, 0\)"),
    ("slice_axis", [(2, 3)], {"axis": 1, "begin": 1, "end": 9}, r"end <= 3 on axis 1, got begin=1, end=9"),
    ("slice_like", [(2, 3), (2, 4)], {}, r"axis 1 is too short: expected at least 4, got data=\(2, 3\)"),
    (
        "Pad",
        [(2, 3, 4)],
        {"mode": "edge", "pad_width": (0, 0, 0, 0, 1, 1)},
        r"got 3 dimensions, pad_width=\(0, 0, 0, 0, 1, 1\)",
    ),
    ("broadcast_to", [(2, 3)], {"shape": (3,)}, r"expected 2 sizes, got shape=\(3,\)"),
    ("broadcast_to", [(2, 3)], {"shape": (4, 3)}, r"those of \(4, 3\), got data=\(2, 3\)"),
    ("depth_to_space", [(2, 3, 4, 4)], {"block_size": 2}, r"blocks of 2, got data=\(2, 3, 4, 4\)"),
    ("pick", [(2, 3), (5,)], {}, r"data=\(2, 3\) without axis -1, got index=\(5,\)"),
    ("take", [(2, 3), (4,)], {"mode": "raise", "axis": 0, "offset": 9}, r"expected indices of 0 to 1, got 9 to 9"),
    ("Embedding", [(2,), (5, 4)], {"input_dim": 5, "output_dim": 3}, r"expected \(5, 3\), got weight=\(5, 4\)"),
    ("gather_nd", [(1, 3), (1, 2)], {}, r"within data=\(1, 3\), got index 1 is out of bounds"),
    ("topk", [(2, 3)], {"k": 4}, r"expected at most 3, got k=4"),
    ("SequenceMask", [(2, 3, 4), (4,)], {"use_sequence_length": True, "axis": 2}, r"expected 0 or 1 .* got axis=2"),
    ("dot", [(2, 3), (4, 5)], {}, r"got lhs=\(2, 3\), rhs=\(4, 5\)"),
    ("batch_dot", [(2, 3), (3, 5)], {}, r"one rank of at least 3, got lhs=\(2, 3\), rhs=\(3, 5\)"),
    ("batch_dot", [(2, 3, 4), (2, 5, 4)], {}, r"got lhs=\(2, 3, 4\), rhs=\(2, 5, 4\)"),
    ("_linalg_gemm2", [(2, 3, 4), (2, 5, 4)], {}, r"got lhs=\(2, 3, 4\), rhs=\(2, 5, 4\)"),
]


@pytest.mark.parametrize(("name", "shapes", "attrs", "message"), REFUSED)
def test_wrong_inputs_are_named(name, shapes, attrs, message):
    attrs = dict(attrs)
    train, offset = attrs.pop("train", False), attrs.pop("offset", 1)
    op = TABLE[name]
    inputs = [torch.full(s, float(offset)) for s in shapes]
    with pytest.raises(InputError, match=f"^{name}: .*{message}"):
        matrix.call(op, inputs, op.parse(attrs), train=train)


REFUSED_ATTRIBUTES = [
    ("Pooling", [(2, 3, 8)], {"kernel": (2,), "pooling_convention": "same", "pool_type": "avg"}, "got pool_type='avg'"),
    ("Pooling", [(2, 3, 8)], {"kernel": (2,), "pool_type": "lp"}, "expected 1, 2 or 3, got p_value=None"),
    (
        "Deconvolution",
        [(1, 3, 4, 4), (3, 4, 3, 3)],
        {**CONV, "target_shape": (7, 7)},
        r"expected at most 6, got target_shape=\(7, 7\)",
    ),
    ("log_softmax", [(2, 3)], {"use_length": True}, "expected use_length=False, got use_length=True"),
    ("softmin", [(2, 3)], {"use_length": True}, "expected use_length=False, got use_length=True"),
    ("Reshape", [(2, 3)], {}, r"got shape=\(\)"),
    (
        "slice",
        [(2, 3)],
        {"begin": (0,), "end": (1,), "step": (0,)},
        r"no step 0, got begin=\(0,\), end=\(1,\), step=\(0,\)",
    ),
    ("broadcast_axis", [(2, 1)], {"axis": (1,), "size": (2, 3)}, r"got axis=\(1,\), size=\(2, 3\)"),
    ("pick", [(2, 3), (2,)], {"axis": None}, "got axis=None"),
]


@pytest.mark.parametrize(("name", "shapes", "attrs", "message"), REFUSED_ATTRIBUTES)
def test_wrong_attributes_are_named(name, shapes, attrs, message):
    with pytest.raises(AttributeValueError, match=f"^{name}: .*{message}"):
        run(name, *shapes, **attrs)


def test_concat_refuses_two_dtypes():
    with pytest.raises(InputError, match=r"^Concat: dtypes differ: .* got \['torch.float32', 'torch.float64'\]"):
        TABLE["Concat"].forward(torch.ones(2, 3), torch.ones(2, 3).double(), dim=1)


@pytest.mark.parametrize(
    ("name", "shapes", "attrs"),
    [
        ("Pooling", [(3, 2, 4)], {"kernel": (3,), "pooling_convention": "full"}),
        ("Deconvolution", [(3, 2, 4), (2, 4, 3)], {"kernel": (3,), "num_filter": 4, "target_shape": (5,)}),
        ("diag", [(3, 4)], {}),
    ],
)
def test_lowerings_that_need_fixed_sizes_say_so(name, shapes, attrs):
    # The batch stands in for a size that varies, where the operator reads it.
    op = TABLE[name]
    builder = matrix.ModelBuilder((1, 7))
    first, second = shapes[0], (9, *shapes[0][1:-1], shapes[0][-1] + (name != "diag"))
    data = builder.variable("x0", "float32", (first, second))
    others = [builder.variable(f"x{i}", "float32", (s, s)) for i, s in enumerate(shapes[1:], 1)]
    with pytest.raises(LoweringError, match=f"^{name}: .*expected ints, got data="):
        op.lower(builder, [data, *others], op.parse(attrs))


@pytest.mark.parametrize("layout", ["NHWC", "NDHWC"])
@pytest.mark.parametrize("name", ["Convolution", "Deconvolution"])
def test_channel_last_is_the_channel_first_answer(name, layout):
    rank = len(layout) - 2
    op, rng = TABLE[name], torch.Generator().manual_seed(1)
    data = torch.randn((2, 3, *(5,) * rank), generator=rng)
    weight = torch.randn((3, 3, *(2,) * rank), generator=rng)
    attrs = {"kernel": (2,) * rank, "num_filter": 3, "stride": (2,) * rank, "no_bias": True}
    expected = op.forward(data, weight, **op.parse(attrs))
    attrs["layout"] = layout
    last = [x.movedim(1, -1).contiguous() for x in (data, weight)]
    actual = op.forward(*last, **op.parse(attrs))
    torch.testing.assert_close(actual, expected.movedim(1, -1))
    arrays = tuple(x.numpy() for x in last)
    sample = Sample(name, "layout", tuple(Array(a.shape) for a in arrays), attrs)
    (answer,) = matrix.run(matrix.session(matrix.onnx_model(op, sample, arrays)), arrays)
    np.testing.assert_allclose(answer, actual.numpy(), rtol=1e-5, atol=1e-5)
    names = [i.name for i in op.active_inputs(op.parse(attrs))]
    assert op.parameter_shapes({names[0]: arrays[0].shape}, op.parse(attrs))["weight"] == arrays[1].shape


@pytest.mark.parametrize("target", [(7, 8), (9, 9), (10, 6)])
def test_deconvolution_to_a_target_in_onnx(target):
    op = TABLE["Deconvolution"]
    attrs = {"kernel": (4, 4), "num_filter": 2, "stride": (2, 2), "target_shape": target}
    sample = Sample("Deconvolution", "target", (Array((2, 3, 4, 4)), Array((3, 2, 4, 4))), attrs)
    arrays = sample.arrays()
    (expected,) = matrix.call(op, matrix.tensors(arrays), op.parse(attrs)).outputs
    assert expected.shape == (2, 2, *target)
    (answer,) = matrix.run(matrix.session(matrix.onnx_model(op, sample, arrays)), arrays)
    np.testing.assert_allclose(answer, expected.numpy(), rtol=1e-5, atol=1e-5)


def test_dropout_keeps_the_mean_and_scales():
    op = TABLE["Dropout"]
    data = torch.ones(100, 200, requires_grad=True)
    (out,) = matrix.call(op, [data], op.parse({"p": 0.3}), train=True).outputs
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.7).item()}
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    out.sum().backward()
    assert torch.equal(data.grad, out)
    (again,) = matrix.call(op, [data], op.parse({"p": 0.3}), train=True).outputs
    assert torch.equal(out, again)
    (other,) = matrix.call(op, [data], op.parse({"p": 0.3}), train=True, seed=1).outputs
    assert not torch.equal(out, other)


def test_dropout_axes_share_one_draw_and_inference_is_the_identity():
    op = TABLE["Dropout"]
    data = torch.ones(50, 4, 3)
    (out,) = matrix.call(op, [data], op.parse({"axes": (1,)}), train=True).outputs
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert 0 < (out[:, 0] == 0).float().mean() < 1
    assert matrix.call(op, [data], op.parse({})).outputs[0] is data
    (always,) = matrix.call(op, [data], op.parse({"mode": "always"})).outputs
    assert (always == 0).any()


def test_dropout_that_always_draws_does_so_in_onnx():
    op = TABLE["Dropout"]
    attrs = {"mode": "always", "p": 0.25, "axes": (1,)}
    sample = Sample("Dropout", "always", (Array((400, 4, 3)),), attrs)
    session = matrix.session(matrix.onnx_model(op, sample, sample.arrays()))
    for rows in (400, 1000):
        (out,) = matrix.run(session, [np.ones((rows, 4, 3), np.float32)])
        np.testing.assert_array_equal(out, np.broadcast_to(out[:, :1], out.shape))
        assert set(np.unique(out)) == {0.0, np.float32(1 / 0.75)}
        assert (out == 0).mean() == pytest.approx(0.25, abs=0.06)


def test_rrelu_draws_slopes_while_training_and_takes_their_mean_otherwise():
    op = TABLE["LeakyReLU"]
    attrs = op.parse({"act_type": "rrelu", "lower_bound": 0.1, "upper_bound": 0.3})
    data = torch.cat([-torch.ones(1000), torch.ones(10)]).requires_grad_()
    out, mask = matrix.call(op, [data], attrs, train=True).outputs
    assert torch.equal(out, data * mask)
    slopes = mask[:1000]
    assert slopes.min() >= 0.1
    assert slopes.max() < 0.3
    assert slopes.mean().item() == pytest.approx(0.2, abs=0.01)
    assert (mask[1000:] == 1).all()
    out.sum().backward()
    assert torch.equal(data.grad, mask)
    fixed, _ = matrix.call(op, [data], attrs).outputs
    torch.testing.assert_close(fixed[:1000], torch.full((1000,), -0.2))


def test_rrelu_in_onnx_takes_the_mean_slope():
    op = TABLE["LeakyReLU"]
    attrs = {"act_type": "rrelu"}
    sample = Sample("LeakyReLU", "rrelu", (Array((3, 4)),), attrs)
    expected = matrix.call(op, matrix.tensors(sample.arrays()), op.parse(attrs)).outputs
    answers = matrix.run(matrix.session(matrix.onnx_model(op, sample, sample.arrays())), sample.arrays())
    assert len(answers) == len(expected) == 2
    for answer, output in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, output.numpy(), rtol=1e-6)


def test_sync_batch_norm_of_several_devices():
    op = TABLE["_contrib_SyncBatchNorm"]
    attrs = op.parse({"ndev": 2, "key": "net"})
    inputs = [torch.ones(2, 3), *(torch.ones(3) for _ in range(4))]
    with pytest.raises(
        InputError, match=r"SyncBatchNorm: statistics over several devices .* expected ndev=1, got ndev=2"
    ):
        op.forward(*inputs, **attrs, training=True)
    assert torch.allclose(op.forward(*inputs, **attrs, training=False)[0], torch.ones(2, 3), atol=1e-3)
