"""Operators that select, place and count: what they refuse, and what samples cannot show."""

import numpy as np
import onnxruntime
import pytest
import torch
from ops import matrix

import gluonnx as mx
from gluonnx.errors import AttributeValueError, DTypeError, InputError, LoweringError
from gluonnx.gluon import nn
from gluonnx.ops import TABLE


def ones(*shape, dtype=torch.float32):
    return torch.ones(shape, dtype=dtype)


def index(*values):
    return torch.tensor(values)


REFUSED = [
    ("scatter_nd", (ones(2), index([5, 0])), {"shape": (3,)}, InputError, r"position out of bounds: .*\(3,\)"),
    (
        "scatter_nd",
        (ones(2, 3), index([1, 0])),
        {"shape": (3, 4)},
        InputError,
        r"shapes do not fit: .*indices=\(1, 2\)",
    ),
    ("scatter_nd", (ones(2), index([1, 0])), {}, AttributeValueError, "`shape` is missing"),
    (
        "_scatter_set_nd",
        (ones(2), ones(1), index([0])),
        {"shape": (3,)},
        InputError,
        r"wrong shape of lhs: .*lhs=\(2,\)",
    ),
    ("_contrib_index_copy", (ones(3), index(1, 9), ones(2)), {}, InputError, r"row out of bounds: .*\[1, 9\]"),
    ("_contrib_index_copy", (ones(3, 2), index(1), ones(1, 3)), {}, InputError, r"does not fit: .*new_tensor=\(1, 3\)"),
    (
        "_slice_assign",
        (ones(2, 3), ones(1, 1)),
        {"begin": (0, 1), "end": (1, 3)},
        InputError,
        r"rhs does not fit the slice: expected \(1, 2\) .* got rhs=\(1, 1\)",
    ),
    (
        "_slice_assign_scalar",
        (ones(2),),
        {"begin": (0, 1), "end": (1, 3)},
        AttributeValueError,
        r"at most 1 and no step 0, got begin=\(0, 1\)",
    ),
    ("fill_element_0index", (ones(2, 3), ones(2), index(0, 7)), {}, InputError, "position out of bounds: .* 0 to 2"),
    ("fill_element_0index", (ones(2, 3), ones(3), index(0, 1)), {}, InputError, r"shapes do not fit: .*mhs=\(3,\)"),
    ("_onehot_encode", (ones(2), ones(3, 4)), {}, InputError, r"shapes do not fit: .*lhs=\(2,\)"),
    (
        "_contrib_index_array",
        (ones(2, 3),),
        {"axes": (2,)},
        InputError,
        r"wrong axes: expected -2 to 1, got axes=\(2,\)",
    ),
    ("_ravel_multi_index", (ones(2, 3),), {}, AttributeValueError, "`shape` is missing"),
    ("_ravel_multi_index", (ones(3),), {"shape": (2, 3)}, InputError, r"expected \(2, N\), got data=\(3,\)"),
    ("_unravel_index", (ones(3, 1),), {"shape": (2, 3)}, InputError, r"expected data \(N,\), got data=\(3, 1\)"),
    (
        "_contrib_boolean_mask",
        (ones(2), ones(3)),
        {},
        InputError,
        r"index does not fit: expected \(2,\), got index=\(3,\)",
    ),
    ("_contrib_boolean_mask", (ones(2, 2), ones(2)), {"axis": 1}, AttributeValueError, "expected 0, got axis=1"),
    ("_np_cumsum", (ones(2, 3),), {"axis": 2}, InputError, "wrong axis: expected -2 to 1, got axis=2"),
    (
        "_split_v2",
        (ones(2, 5),),
        {"indices": (), "sections": 2},
        InputError,
        r"multiple of sections=2, got data=\(2, 5\)",
    ),
    ("_split_v2", (ones(2, 5),), {"indices": (0, 3, 1)}, InputError, r"wrong indices: .* got indices=\(0, 3, 1\)"),
    ("_split_v2", (ones(2, 5),), {"indices": (1,)}, InputError, r"expected 0 first, .* got indices=\(1,\)"),
    (
        "_split_v2",
        (ones(2, 5),),
        {"indices": (0,), "squeeze_axis": True},
        InputError,
        r"size 1 on axis 1, got sizes \[5\]",
    ),
    ("_split_v2", (ones(2),), {"indices": (0,)}, InputError, "wrong axis: expected -1 to 0, got axis=1"),
    ("_histogram", (ones(2),), {"bin_cnt": 3}, AttributeValueError, "got bin_cnt=3, range=None"),
    ("_histogram", (ones(2),), {"bin_cnt": 3, "range": (2, 1)}, AttributeValueError, r"range=\(2.0, 1.0\)"),
    ("_histogram", (ones(2), ones(1)), {}, InputError, r"at least 2 bounds of torch.float32, got bins=\(1,\)"),
    ("_contrib_allclose", (ones(2), ones(3)), {}, InputError, r"a and b differ: .* b=\(3,\)"),
    ("_contrib_arange_like", (ones(2),), {"axis": 1}, InputError, "wrong axis: expected -1 to 0, got axis=1"),
    ("_contrib_arange_like", (ones(2),), {"repeat": 0}, InputError, "expected at least 1, got repeat=0"),
    (
        "_contrib_interleaved_matmul_selfatt_qk",
        (ones(3, 2, 7),),
        {"heads": 2},
        InputError,
        r"heads=2, got queries_keys_values=\(3, 2, 7\)",
    ),
    (
        "_contrib_interleaved_matmul_encdec_qk",
        (ones(3, 2, 4), ones(3, 1, 8)),
        {"heads": 2},
        InputError,
        r"expected \(T, 2, 8\), got keys_values=\(3, 1, 8\)",
    ),
    (
        "_contrib_interleaved_matmul_selfatt_valatt",
        (ones(3, 2, 12), ones(4, 2, 2)),
        {"heads": 2},
        InputError,
        r"attention=\(4, 2, 2\)",
    ),
    ("_random_pdf_normal", (ones(2, 3), ones(3), ones(3)), {}, InputError, r"sample=\(2, 3\), got \[\(3,\), \(3,\)\]"),
    ("_random_pdf_poisson", (ones(2), ones(2, dtype=torch.float64)), {}, DTypeError, "one floating-point dtype"),
    ("_random_pdf_dirichlet", (ones(2, 3), ones(2)), {}, InputError, r"alpha does not fit the sample: .*alpha=\(2,\)"),
    ("_sample_unique_zipfian", (), {"range_max": 3, "shape": (1, 4)}, AttributeValueError, r"got shape=\(1, 4\)"),
    ("_random_negative_binomial_like", (ones(2),), {"p": 0}, AttributeValueError, "a probability above 0, got p=0"),
    ("SVMOutput", (ones(2, 3), ones(3)), {}, InputError, r"label does not fit: expected \(2,\) .*label=\(3,\)"),
    ("IdentityAttachKLSparseReg", (ones(2, 3), ones(2)), {}, InputError, r"got data=\(2, 3\), moving_avg=\(2,\)"),
    ("_contrib_edge_id", (ones(2, 2), index(5), index(0)), {}, InputError, r"vertex out of bounds: .*\(2, 2\)"),
    ("_contrib_edge_id", (ones(2, 2), index(0), index(0, 1)), {}, InputError, r"u=\(1,\), v=\(2,\)"),
]


@pytest.mark.parametrize(("name", "inputs", "attrs", "error", "message"), REFUSED)
def test_what_is_refused(name, inputs, attrs, error, message):
    op = TABLE[name]
    with pytest.raises(error, match=rf"^{name}: .*{message}"):
        matrix.call(op, inputs, op.parse(attrs))


def test_hawkes_names_the_input_that_does_not_fit():
    inputs = [ones(2, 3), ones(2), ones(3), ones(2, 3), ones(2, 4), index([0] * 4, [0] * 4), ones(2), ones(2)]
    with pytest.raises(InputError, match=r"_contrib_hawkesll: alpha does not fit: expected \(3,\) .* alpha=\(2,\)"):
        TABLE["_contrib_hawkesll"].forward(*inputs)


class Masked(mx.gluon.HybridBlock):
    """A layer over the rows that a mask keeps."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.dense = nn.Dense(2, in_units=3)

    def hybrid_forward(self, F, x, mask):
        return self.dense(F.contrib.boolean_mask(x, mask)) * 2


def test_a_mask_in_a_net_that_is_hybridized_trained_and_exported(tmp_path):
    net = Masked()
    net.initialize(mx.init.Normal(1.0))
    x = mx.nd.random.normal(shape=(4, 3))
    masks = [mx.nd.array(m) for m in ([1, 0, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1])]
    expected = [net(x, m).asnumpy() for m in masks]
    assert [e.shape for e in expected] == [(3, 2), (1, 2), (4, 2)]
    net.hybridize()
    for mask, answer in zip(masks, expected, strict=True):
        np.testing.assert_allclose(net(x, mask).asnumpy(), answer, rtol=1e-5, atol=1e-6)
    with mx.autograd.record():
        loss = net(x, masks[0]).sum()
    loss.backward()
    np.testing.assert_allclose(net.dense.bias.grad().asnumpy(), [6.0, 6.0])
    net.export(str(tmp_path / "net"))
    session = onnxruntime.InferenceSession(str(tmp_path / "net-0000.onnx"))
    for mask, answer in zip(masks, expected, strict=True):
        (got,) = session.run(None, {"data0": x.asnumpy(), "data1": mask.asnumpy()})
        np.testing.assert_allclose(got, answer, rtol=1e-5, atol=1e-6)


def test_shapes_after_a_mask_are_unknown():
    masked = mx.sym.contrib.boolean_mask(mx.sym.var("x"), mx.sym.var("m"))
    assert mx.sym.relu(masked).infer_shape_partial(x=(4, 3), m=(4,))[1] == [()]


def test_a_slice_of_the_batch_axis_has_no_lowering():
    sample = matrix.Sample("_slice_assign_scalar", "x", (matrix.SAMPLES[0].inputs[0],), {"begin": (0,), "end": (1,)})
    with pytest.raises(LoweringError, match=r"_slice_assign_scalar: a slice of the batch axis .* begin=\(0,\)"):
        matrix.onnx_model(TABLE[sample.op], sample, sample.arrays())


class TestFunctions:
    """The functions around operators, with MXNet's answers."""

    x = np.arange(12, dtype=np.float32).reshape(3, 4)

    def test_split_v2(self):
        x = mx.nd.array(self.x)
        halves = mx.nd.split_v2(x, 2, axis=1)
        assert [h.shape for h in halves] == [(3, 2), (3, 2)]
        np.testing.assert_array_equal(x.split_v2((1,))[1].asnumpy(), self.x[1:])
        assert mx.nd.split_v2(x, 1).shape == (3, 4)
        assert [p.shape for p in mx.nd.split_v2(x, 3, squeeze_axis=True)] == [(4,)] * 3
        symbol = mx.sym.split_v2(mx.sym.var("a"), (1, 3), axis=1)
        assert symbol.infer_shape(a=(3, 4))[1] == [(3, 1), (3, 2), (3, 1)]
        with pytest.raises(ValueError, match=r"array split does not result in an equal division: .* got .*=2"):
            mx.nd.split_v2(x, 2)
        for split in (mx.nd.split_v2, mx.sym.split_v2):
            with pytest.raises(ValueError, match="must either int or tuple of ints, got list"):
                split(x, [1])

    def test_histogram(self):
        x = mx.nd.array(self.x)
        counts, bounds = mx.nd.histogram(x, bins=3, range=(0, 12))
        assert (counts.asnumpy().tolist(), bounds.asnumpy().tolist()) == ([4, 4, 4], [0, 4, 8, 12])
        counts, _ = mx.nd.histogram(x, mx.nd.array([0, 1, 11]))
        assert counts.asnumpy().tolist() == [1, 11]
        with pytest.warns(UserWarning, match="range is not specified, using numpy's result"):
            counts, bounds = mx.nd.histogram(x, bins=2)
        assert counts.dtype == np.float32
        assert counts.asnumpy().tolist() == [6, 6]
        assert mx.sym.histogram(mx.sym.var("a"), 3, (0, 3)).infer_shape(a=(5,))[1] == [(3,), (4,)]
        with pytest.raises(ValueError, match="null range is not supported in symbol mode"):
            mx.sym.histogram(mx.sym.var("a"))
        with pytest.raises(ValueError, match="either an integer or an NDArray, got list"):
            mx.nd.histogram(x, bins=[0, 1])
        with pytest.raises(ValueError, match="either an integer or a Symbol, got list"):
            mx.sym.histogram(mx.sym.var("a"), bins=[0, 1])

    def test_filling(self):
        rows = mx.nd.ones((2, 3))
        assert mx.nd.onehot_encode(mx.nd.array([1, 0]), rows) is rows
        assert rows.asnumpy().tolist() == [[0, 1, 0], [1, 0, 0]]
        mx.nd._internal._set_value(2.5, out=rows)
        assert rows.asnumpy().tolist() == [[2.5] * 3] * 2
        whole = mx.nd.zeros((2, 3), dtype="int32")
        mx.nd._internal._copyto(rows, out=whole)
        assert whole.asnumpy().tolist() == [[2] * 3] * 2
        assert rows.slice_assign(mx.nd.ones((1, 2)), (0, 1), (1, 3), (None, None)) is rows
        assert rows.slice_assign_scalar(9, (1, 0), (2, 1), (None, None)) is rows
        assert rows.asnumpy().tolist() == [[2.5, 1, 1], [9, 2.5, 2.5]]
        with pytest.raises(ValueError, match=r"_set_value: nothing to fill: .* got out=None"):
            mx.nd._internal._set_value(2.5, out=None)

    def test_kinds_of_numbers(self):
        x = mx.nd.array([1, np.inf, -np.inf, np.nan])
        assert mx.nd.contrib.isinf(x).asnumpy().tolist() == [0, 1, 1, 0]
        assert mx.nd.contrib.isnan(x).asnumpy().tolist() == [0, 0, 0, 1]
        assert mx.nd.contrib.isfinite(x).asnumpy().tolist() == [1, 0, 0, 0]

    def test_zipfian(self):
        mx.random.seed(1)
        drawn, true, sampled = mx.nd.contrib.rand_zipfian(mx.nd.array([3]), 4000, 100)
        assert (drawn.shape, drawn.dtype) == ((4000,), np.int64)
        assert 0 <= drawn.asnumpy().min() <= drawn.asnumpy().max() < 100
        expected = np.log((drawn.asnumpy() + 2) / (drawn.asnumpy() + 1)) / np.log(101) * 4000
        np.testing.assert_allclose(sampled.asnumpy(), expected)
        assert true.asnumpy()[0] == pytest.approx((drawn.asnumpy() == 3).sum(), rel=0.2)
        symbols = mx.sym.contrib.rand_zipfian(mx.sym.var("a"), 4, 100)
        (count,) = symbols[1].eval(a=mx.nd.array([3]))
        assert count.asnumpy()[0] == pytest.approx(0.19340214)
        with pytest.raises(AssertionError, match="rand_zipfian: unexpected type: expected Symbol, got int"):
            mx.sym.contrib.rand_zipfian(3, 4, 100)

    def test_symbols_without_inputs(self):
        (eye,) = mx.sym.eye(2, M=3, k=1).eval()
        assert eye.asnumpy().tolist() == [[0, 1, 0], [0, 0, 1]]
        (line,) = mx.sym.linspace(0, 1, 5, endpoint=False).eval()
        np.testing.assert_allclose(line.asnumpy(), [0, 0.2, 0.4, 0.6, 0.8], rtol=1e-6)
        assert (mx.sym.hypot(3, 4), mx.sym.pow(2, 3)) == (5.0, 8)

    def test_sparse_storage(self):
        rows = mx.nd.sparse.row_sparse_array((mx.nd.array([[1, 2], [3, 4]]), [0, 2]), shape=(4, 2))
        plus = mx.nd._internal._scatter_plus_scalar(rows, scalar=2.0)
        assert (plus.stype, plus.asnumpy().tolist()) == ("row_sparse", [[3, 4], [0, 0], [5, 6], [0, 0]])
        half = mx.nd._internal._scatter_elemwise_div(rows, mx.nd.full((4, 2), 2))
        assert (half.stype, half.asnumpy().tolist()) == ("row_sparse", [[0.5, 1], [0, 0], [1.5, 2], [0, 0]])
        assert mx.nd._internal._scatter_elemwise_div(rows, rows).asnumpy().tolist() == [[1, 1], [0, 0], [1, 1], [0, 0]]
        matrix_ = mx.nd.array([[0, -1.5], [2.5, 0]]).tostype("csr")
        assert mx.nd.contrib.round_ste(matrix_).stype == "csr"
        assert mx.nd.contrib.quadratic(matrix_, a=1, b=2).stype == "csr"
        assert mx.nd.contrib.quadratic(matrix_, a=1, c=2).asnumpy().tolist() == [[2, 4.25], [8.25, 2]]
        edges = mx.nd.contrib.edge_id(matrix_, mx.nd.array([0, 1, 1]), mx.nd.array([1, 1, 0]))
        assert edges.asnumpy().tolist() == [-1.5, -1, 2.5]
        empty = mx.nd.sparse.zeros("csr", (2, 2))
        assert mx.nd.contrib.edge_id(empty, mx.nd.array([0]), mx.nd.array([1])).asnumpy().tolist() == [-1]
        linked = mx.nd.contrib.dgl_adjacency(matrix_.astype("int64"))
        assert (linked.stype, linked.dtype, linked.asnumpy().tolist()) == ("csr", np.float32, [[0, 1], [1, 0]])


def test_unique_draws_are_unique_and_counted():
    drawn, tries = mx.nd._internal._sample_unique_zipfian(range_max=50, shape=(20, 40))
    rows = drawn.asnumpy()
    assert all(len(set(row)) == 40 for row in rows)
    assert rows.min() >= 0
    assert rows.max() < 50
    assert (tries.asnumpy() >= 40).all()


def test_reshape_finds_one_unknown_dimension():
    joined = mx.sym.var("x").reshape((-4, 16, -1)) + mx.sym.ones(shape=(16, 4))
    assert joined.infer_shape(x=(0,))[0] == [(64,)]
    unclear = mx.sym.var("x").reshape((6, 1, -2)) + mx.sym.ones(shape=(6, 1, 5, 6))
    assert unclear.infer_shape_partial(x=(0, 0, 5, 6))[0] == [(0, 0, 5, 6)]
