"""Every case of sparse storage against MXNet's recorded answer, and what only gluonnx promises."""

import sys

import numpy as np
import pytest
from answers import check, recorded
from ndarray.sparse_cases import CASES

import gluonnx as mx
from gluonnx import nd

ANSWERS = recorded("sparse")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])


def rows(*indices, shape=(5, 2)):
    return nd.sparse.row_sparse_array((np.ones((len(indices), *shape[1:]), "float32"), indices), shape=shape)


def test_dense_calls_pay_nothing_for_sparse_storage():
    x = nd.ones((2, 2))
    assert type(x + x) is nd.NDArray
    assert type(nd.relu(x)) is nd.NDArray


def test_a_row_sparse_array_of_every_row_shares_memory_with_its_dense_form():
    x = nd.ones((3, 2)).tostype("row_sparse")
    assert x._plain().data_ptr() == x._s.values.data_ptr()
    assert x.tostype("default")._t.data_ptr() != x._s.values.data_ptr()


def test_gradients_add_up_in_row_sparse_storage():
    weight = nd.ones((5, 2))
    weight.attach_grad("add", stype="row_sparse")
    for row in (1, 3):
        with mx.autograd.record():
            out = nd.Embedding(nd.array([row, 1]), weight, input_dim=5, output_dim=2, sparse_grad=True)
        out.backward()
    assert weight.grad.indices.asnumpy().tolist() == [1, 3]
    assert weight.grad.data.asnumpy().tolist() == [[3, 3], [1, 1]]


def test_gradients_of_recorded_sparse_results():
    x = rows(1, 3)
    x.attach_grad()
    with mx.autograd.record():
        squared = nd.square(x * 3)
        loss = squared.sum()
    assert squared.stype == "row_sparse"
    loss.backward()
    assert x.grad.stype == "row_sparse"
    np.testing.assert_array_equal(x.grad.asnumpy(), 18 * x.asnumpy())


def test_autograd_grad_of_an_embedding_is_row_sparse():
    weight = nd.ones((5, 2))
    weight.attach_grad()
    with mx.autograd.record():
        out = nd.Embedding(nd.array([3, 3]), weight, input_dim=5, output_dim=2, sparse_grad=True)
    (gradient,) = mx.autograd.grad(out, weight)
    assert gradient.stype == "row_sparse"
    assert gradient.asnumpy()[3].tolist() == [2, 2]


def test_a_sparse_gradient_of_a_dense_buffer_is_dense():
    weight = nd.ones((3, 2))
    weight.attach_grad()
    with mx.autograd.record():
        out = nd.Embedding(nd.array([1]), weight, input_dim=3, output_dim=2, sparse_grad=True)
    out.backward()
    assert type(weight.grad) is nd.NDArray
    assert weight.grad.asnumpy().tolist() == [[0, 0], [1, 1], [0, 0]]


def test_files_hold_sparse_arrays(tmp_path):
    path = tmp_path / "x.params"
    arrays = {"rows": rows(1, 4), "csr": nd.array([[0, 2], [0, 0]]).tostype("csr"), "dense": nd.ones((2,))}
    nd.save(path, arrays)
    found = nd.load(path)
    assert {k: v.stype for k, v in found.items()} == {"rows": "row_sparse", "csr": "csr", "dense": "default"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name].asnumpy(), array.asnumpy())


def test_hybridized_embedding_trains_as_the_imperative_one():
    results = []
    for hybridize in (False, True):
        net = mx.gluon.nn.Embedding(6, 3, sparse_grad=True)
        net.initialize(mx.init.Constant(0.5))
        if hybridize:
            net.hybridize()
        trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.1})
        for _ in range(3):
            with mx.autograd.record():
                loss = (net(nd.array([1, 4, 1])) ** 2).sum()
            loss.backward()
            trainer.step(1)
        assert net.weight.grad().stype == "row_sparse"
        results.append(net.weight.data().asnumpy())
    np.testing.assert_array_equal(*results)
    assert results[0][0].tolist() == [0.5] * 3
    assert not (results[0][[1, 4]] == 0.5).any()


class TestRowSparseParameter:
    @pytest.fixture
    def parameter(self):
        parameter = mx.gluon.Parameter("w", shape=(4, 2), stype="row_sparse", grad_stype="row_sparse")
        parameter.initialize(mx.init.One(), ctx=[mx.cpu(0), mx.cpu(1)])
        return parameter

    def test_rows_come_from_the_trainer(self, parameter):
        trainer = mx.gluon.Trainer([parameter], "sgd", {"learning_rate": 1})
        for ctx, row in ((mx.cpu(0), 1), (mx.cpu(1), 2)):
            ids = nd.array([row], ctx=ctx)
            with mx.autograd.record():
                weight = parameter.row_sparse_data(ids)
                loss = nd.Embedding(ids, weight, input_dim=4, output_dim=2, sparse_grad=True)
            assert weight.context == ctx
            loss.backward()
        trainer.step(1)
        found = parameter.row_sparse_data(nd.arange(4)).asnumpy()
        assert found[:, 0].tolist() == [1, 0, 0, 1]

    def test_other_parameters_that_are_set_do_not_lose_rows(self, parameter):
        other = mx.gluon.Parameter("v", shape=(1,))
        other.initialize(mx.init.One(), ctx=[mx.cpu(0), mx.cpu(1)])
        mx.gluon.Trainer([parameter, other], "sgd")
        parameter.row_sparse_data(nd.array([1]))
        other.set_data(nd.zeros(1))
        assert parameter.row_sparse_data(nd.arange(4)).asnumpy().tolist() == [[1, 1]] * 4

    def test_sparse_embedding_trains_the_rows_that_are_used(self):
        net = mx.gluon.contrib.nn.SparseEmbedding(6, 3)
        net.initialize(mx.init.One())
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1})
        for _ in range(2):
            with mx.autograd.record():
                loss = net(nd.array([1, 4, 1]))
            loss.backward()
            trainer.step(1)
        assert net.weight.row_sparse_data(nd.arange(6)).asnumpy()[:, 0].tolist() == [1, -3, 1, 1, -1, 1]

    def test_wrong_calls(self, parameter):
        ids = nd.array([0])
        with pytest.raises(RuntimeError, match=r"'w' via data\(\) because its storage type is row_sparse"):
            parameter.data()
        with pytest.raises(RuntimeError, match=r"'w' via list_data\(\) because its storage type is row_sparse"):
            parameter.list_data()
        with pytest.raises(RuntimeError, match="'w' when no Trainer is created"):
            parameter.row_sparse_data(ids)
        trainer = mx.gluon.Trainer([parameter], "sgd", update_on_kvstore=False)
        with pytest.raises(ValueError, match="Cannot set update_on_kvstore=False when sparse weights"):
            trainer.step(1)
        with pytest.raises(RuntimeError, match="Failed to set the trainer for Parameter 'w'"):
            mx.gluon.Trainer([parameter], "sgd")
        with pytest.raises(TypeError, match="expected an NDArray, got row_id=int"):
            parameter.row_sparse_data(3)
        x = mx.sym.var("x")
        product = mx.sym.dot(x, mx.sym.var("w", stype="row_sparse"))
        with pytest.raises(AssertionError, match="SymbolBlock: doesn't support Parameter 'w'"):
            mx.gluon.SymbolBlock(product, x)


@pytest.mark.parametrize(
    ("run", "kind", "message"),
    [
        (lambda: rows(1)[0], ValueError, r"RowSparseNDArray: only the whole array can be read: .* got key=0"),
        (lambda: rows(1).size, NotImplementedError, r"RowSparseNDArray\.size: .* got stype='row_sparse'"),
        (lambda: rows(1).retain(nd.array([5])), ValueError, r"row out of bounds: expected rows of 0 to 4, got 5 to 5"),
        (lambda: rows(3, 1).check_format(), mx.base.MXNetError, r"expected ascending rows, got some out of order"),
        (lambda: nd.ones((2, 2)).tostype("csr")[2], IndexError, r"index 2 is out of bounds for axis 0 with size 2"),
        (lambda: nd.ones((2, 2)).tostype("x"), ValueError, r"cast_storage: attribute `stype` .* got stype='x'"),
        (lambda: nd.sparse.array([1]), ValueError, r"source is not sparse: expected a RowSparse.* got list"),
        (lambda: nd.sparse.csr_matrix(rows(1)), ValueError, r"csr_matrix: source is row_sparse: expected csr"),
        (lambda: nd.sparse.csr_matrix((1, 2, 3, 4)), ValueError, r"expected a tuple of 2 or 3, got one of 4"),
        (lambda: nd.sparse.csr_matrix(([1], ([5], [0])), shape=(2, 2)), ValueError, r"coordinates out of bounds"),
        (lambda: nd.sparse.csr_matrix(([1], [0], [0, 1]), shape=(2, 2)), ValueError, r"expected 1 rows as indptr has"),
        (lambda: nd.sparse.csr_matrix(([], [], [0])), ValueError, r"expected indices, got none to tell it from"),
        (lambda: nd.sparse.row_sparse_array(([[1]], [0, 1]), shape=(2, 1)), ValueError, r"data does not fit"),
        (lambda: nd.sparse.zeros("row_sparse", ()), ValueError, r"expected at least 1 axis, got shape=\(\)"),
        (lambda: nd.sparse.zeros("csr", (2,)), ValueError, r"csr: not a matrix: expected 2 axes, got shape=\(2,\)"),
        (lambda: rows(1).copyto(nd.zeros((1,))), ValueError, r"shapes differ: expected \(5, 2\), got other=\(1,\)"),
        (lambda: rows(1).copyto(3), TypeError, r"wrong target: expected an NDArray or Context, got int"),
        (lambda: rows(1) + "a", TypeError, r"type <class 'str'> not supported"),
    ],
)
def test_errors_say_what_to_do(run, kind, message):
    with pytest.raises(kind, match=message) as caught:
        run()
    assert isinstance(caught.value, (mx.base.MXNetError, TypeError, IndexError))


def test_csr_as_scipy_has_memory_of_its_own():
    array = nd.array([[0, 1, 0], [2, 0, 3]]).tostype("csr")
    matrix = array.asscipy()
    assert matrix.format == "csr"
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == [[0, 1, 0], [2, 0, 3]]
    matrix.data[:] = 7
    assert array.asnumpy().tolist() == [[0, 1, 0], [2, 0, 3]]


def test_csr_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"CSRNDArray.asscipy: scipy could not .*`pip install scipy`"):
        nd.ones((2, 3)).tostype("csr").asscipy()
