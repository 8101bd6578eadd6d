"""`mx.test_utils`: a helper of tests must fail when it should."""

import os
import subprocess
import sys

import numpy as np
import pytest

import gluonnx as mx
from gluonnx import test_utils as tu


def test_tolerances_are_those_of_the_less_precise_array():
    a = np.array([1.0, 2.0])
    tu.assert_almost_equal(a, a.astype("float32") * (1 + 5e-5))
    with pytest.raises(AssertionError, match=r"rtol=1\.000000e-05, atol=1\.000000e-20"):
        tu.assert_almost_equal(a, a * (1 + 5e-5))
    tu.assert_almost_equal(a, a * (1 + 5e-5), rtol={np.float64: 1e-4})
    assert tu.get_tols(a.astype("float16"), a, None, None) == (1e-2, 1e-1)
    assert tu.get_rtol(None, np.float16) == 1e-2
    assert tu.get_atol(3.0) == 3.0


def test_message_names_the_largest_error():
    with pytest.raises(AssertionError) as failed:
        tu.assert_almost_equal(mx.nd.array([1, 2, 3]), np.array([1, 2.1, 3.01]), names=("x", "y"))
    message = str(failed.value)
    assert "mismatch 66.666667%" in message
    assert "Location of maximum error: (1,), x=2.00000000, y=2.10000000" in message
    assert "2: Error 7" in message


def test_nan_shapes_and_shares():
    nan = np.array([1.0, np.nan])
    tu.assert_almost_equal(nan, nan, equal_nan=True)
    with pytest.raises(AssertionError, match="x=nan"):
        tu.assert_almost_equal(nan, nan, names=("x", "y"))
    tu.assert_almost_equal_ignore_nan(nan, np.array([1.0, 5.0]))
    with pytest.raises(AssertionError, match="shapes differ"):
        tu.assert_almost_equal(np.ones((2, 1)), np.ones(2), use_broadcast=False)
    tu.assert_almost_equal_with_err(np.ones(4), np.array([1, 1, 1, 2.0]), etol=0.25)
    with pytest.raises(AssertionError, match="mismatch 25"):
        tu.assert_almost_equal_with_err(np.ones(4), np.array([1, 1, 1, 2.0]), etol=0.2)
    assert tu.same(np.ones(2), mx.nd.ones(2))
    assert not tu.same(np.ones(2), np.ones((1, 2)))


def test_exceptions_and_retries():
    tu.assert_exception(int, ValueError, "x")
    with pytest.raises(AssertionError, match="nothing raised: expected ValueError"):
        tu.assert_exception(int, ValueError, "1")
    calls = []

    @tu.retry(3)
    def flaky():
        calls.append(1)
        assert len(calls) == 3

    flaky()
    calls.clear()
    with pytest.raises(AssertionError):
        tu.retry(2)(flaky.__wrapped__)()
    with pytest.raises(ValueError, match="got n=0"):
        tu.retry(0)


def test_symbolic_checks_accept_what_is_right_and_refuse_what_is_not():
    x, y = mx.sym.Variable("x"), mx.sym.Variable("y")
    a, b = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    tu.check_symbolic_forward(x * y, [a, b], [a * b])
    product = x * y
    tu.check_symbolic_forward(product, {"x": a, "y": b}, {product.list_outputs()[0]: a * b})
    with pytest.raises(AssertionError, match="EXPECTED_"):
        tu.check_symbolic_forward(x * y, [a, b], [a])
    with pytest.raises(ValueError, match="do not match"):
        tu.check_symbolic_forward(x * y, {"x": a, "z": b}, [a])
    found = tu.check_symbolic_backward(x * y, [a, b], [a], {"x": a * b, "y": a * a})
    np.testing.assert_array_equal(found["x"].asnumpy(), a * b)
    tu.check_symbolic_backward(x * y, [a, b], [a], [a * b, a * a], grad_req={"x": "add", "y": "null"})
    with pytest.raises(AssertionError, match="BACKWARD_x"):
        tu.check_symbolic_backward(x * y, [a, b], [a], {"x": a})
    tu.check_numeric_gradient(mx.sym.tanh(x) * y, [a / 3, b])
    with pytest.raises(AssertionError, match="NUMERICAL_x"):
        tu.check_numeric_gradient(mx.sym.BlockGrad(x) * y, [a, b])
    np.testing.assert_array_equal(tu.simple_forward(x + y, x=a, y=b), a + b)


def test_consistency_of_element_types():
    x = mx.sym.Variable("x")
    runs = [{"ctx": mx.cpu(), "x": (2, 3), "type_dict": {"x": dtype}} for dtype in ("float64", "float32")]
    truth = tu.check_consistency(mx.sym.tanh(x), runs)
    assert truth["x"].dtype == np.float64
    with pytest.raises(AssertionError, match="of run 1"):
        tu.check_consistency([mx.sym.tanh(x, name="t"), mx.sym.sigmoid(x, name="t")], runs)


def test_random_arrays():
    assert all(1 <= n <= 3 for n in tu.rand_shape_nd(50, dim=3))
    assert 0 in tu.rand_shape_nd(200, dim=2, allow_zero_size=True)
    assert tu.rand_ndarray((2, 3), dtype="float16").dtype == np.float16
    uniform = tu.random_uniform_arrays((50,), low=2, high=3)[0]
    assert uniform.dtype == np.float32
    assert 2 <= uniform.min() <= uniform.max() < 3
    assert tu.random_sample([1, 2, 3], 3) == [1, 2, 3]
    eigenvalues = np.linalg.eigvals(tu.new_matrix_with_real_eigvals_nd((2, 4, 4)))
    assert np.abs(np.imag(eigenvalues)).max() < 1e-6
    symmetric = tu.new_sym_matrix_with_real_eigvals_nd((3, 3))
    np.testing.assert_allclose(symmetric, symmetric.T)


def test_small_helpers():
    dat = np.arange(6.0).reshape(2, 3)
    assert tu.np_reduce(dat, (0, -1), True, np.sum).tolist() == [[15]]
    assert tu.collapse_sum_like(np.ones((2, 3, 4)), (3, 1)).tolist() == [[8], [8], [8]]
    with pytest.raises(ValueError, match="does not broadcast"):
        tu.collapse_sum_like(np.ones((2, 3)), (2,))
    assert tu.assign_each2(dat, dat, lambda v, w: v + w).tolist() == (2 * dat).tolist()
    a = mx.nd.ones(3)
    assert not tu.same_array(a, a.copy())
    assert tu.same_array(a, a)
    x, y = mx.sym.Variable("x"), mx.sym.Variable("y")
    assert tu.same_symbol_structure(x + y, y + x)
    assert not tu.same_symbol_structure(x + y, x * y)


def test_environment_and_context():
    before = os.environ.get("GLUONNX_TEST")
    with tu.environment("GLUONNX_TEST", "1"):
        assert os.environ["GLUONNX_TEST"] == "1"
        with tu.environment({"GLUONNX_TEST": None}):
            assert "GLUONNX_TEST" not in os.environ
    assert os.environ.get("GLUONNX_TEST") == before
    assert tu.default_context() == mx.cpu()
    try:
        tu.set_default_context(mx.cpu(3))
        assert mx.current_context() == mx.cpu(3)
    finally:
        tu.set_default_context(mx.cpu())


def test_discarded_stderr():
    code = (
        "import os\nfrom gluonnx.test_utils import discard_stderr\n"
        "with discard_stderr():\n    os.write(2, b'lost')\nos.write(2, b'kept')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr == b"kept"


def test_generators():
    buckets, probs = tu.gen_buckets_probs_with_ppf(lambda p: p, 5)
    assert buckets[0] == (0, 0.2)
    assert probs == [0.2] * 5
    rng = np.random.default_rng(0)
    tu.verify_generator(rng.random, buckets, probs, nsamples=10000)
    with pytest.raises(AssertionError, match="Generator test fails"):
        tu.verify_generator(lambda n: rng.random(n) ** 2, buckets, probs, nsamples=10000)
    assert tu.mean_check(rng.random, 0.5, 12**-0.5, nsamples=10000)
    assert not tu.mean_check(rng.random, 0.6, 12**-0.5, nsamples=10000)
    assert tu.var_check(rng.standard_normal, 1.0, nsamples=10000)


def test_star_import_gives_what_mxnets_gives():
    names: dict = {}
    module = __import__("gluonnx.test_utils", fromlist=["*"])
    for name in module.__all__:
        names[name] = getattr(module, name)
    assert names["mx"] is mx
    assert names["np"] is np
    assert names["array"] is mx.nd.array


def test_the_same_batch_again_and_again_for_a_monitored_module():
    conv = mx.sym.Convolution(mx.sym.var("data"), kernel=(1, 1), num_filter=1, name="conv")
    module = mx.module.Module(conv, label_names=None)
    module.bind(for_training=False, data_shapes=[("data", (1, 3, 10, 10))])
    module.init_params()
    seen = {}
    module._exec_group.execs[0].set_monitor_callback(lambda name, a: seen.update({name: a.shape}), monitor_all=True)
    data = np.arange(2 * 3 * 10 * 14.0).reshape(2, 3, 10, 14)
    batches = tu.DummyIter(mx.io.NDArrayIter(data, batch_size=1))
    assert batches.batch_size == 1
    for _ in range(3):
        batch = next(batches)
        assert batch is batches.the_batch
        np.testing.assert_array_equal(batch.data[0].asnumpy(), data[:1])
    module.forward(batch, is_train=False)
    image = (1, 3, 10, 14)
    assert seen == {
        "data": image,
        "conv_data": image,
        "conv_weight": (1, 3, 1, 1),
        "conv_bias": (1,),
        "conv_output": (1, 1, 10, 14),
    }
