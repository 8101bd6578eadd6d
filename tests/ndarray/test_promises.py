"""What NDArray promises beyond MXNet: words of errors, torch and numpy beside it, files, threads."""

import threading

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gluonnx as mx
from gluonnx.errors import FormatError, MXNetError

nd = mx.nd


def values(array):
    return array.asnumpy().tolist()


@pytest.mark.parametrize(
    ("run", "kind", "message"),
    [
        (lambda: nd.relu(3), TypeError, r"relu: input `data` .* expected NDArray, got int\. Make one with `nd\.array"),
        (lambda: nd.relu(nd.ones(2), nonsense=1), ValueError, r"relu: unknown attribute: .* got 'nonsense'"),
        (lambda: nd.sum(nd.ones(2), 0, axis=0), TypeError, r"sum: argument `axis` was given twice"),
        (lambda: nd.relu(nd.ones(2), data=nd.ones(2)), TypeError, r"relu: argument `data` was given twice"),
        (lambda: nd.relu(nd.ones(2), 1), TypeError, r"relu: too many arguments: expected at most 1, got 2"),
        (lambda: nd.Activation(nd.ones(2)), ValueError, r"Activation: attribute `act_type` is missing"),
        (lambda: nd.ones(2) + nd.ones(3), ValueError, r"broadcast_add: .*got lhs=\(2,\).*rhs=\(3,\)"),
        (lambda: nd.ones(2) + "a", TypeError, r"type <class 'str'> not supported"),
        (lambda: nd.ones(2)[2], IndexError, r"index 2 is out of bounds for axis 0 with size 2"),
        (lambda: nd.ones(2)[0, 0], IndexError, r"too many indices: expected at most 1, got 2"),
        (lambda: nd.ones((2, 2))[[0, 2]], IndexError, r"index 2 is out of bounds for axis 0 with size 2"),
        (lambda: nd.ones(2)["a"], ValueError, r"not an index: .* got 'a'"),
        (lambda: nd.ones(2)[..., ...], IndexError, r"several ellipses"),
        (lambda: nd.ones(2)[::0], ValueError, r"step cannot be zero"),
        (
            lambda: nd.ones(2).__setitem__(slice(None), nd.ones(3)),
            ValueError,
            r"broadcasts to \(2,\), got shape=\(3,\)",
        ),
        (lambda: bool(nd.ones(2)), ValueError, r"ambiguous: expected one element, got shape=\(2,\)"),
        (lambda: nd.ones(2).asscalar(), ValueError, r"not a scalar: expected one element, got shape=\(2,\)"),
        (lambda: len(nd.array(1)), TypeError, r"len\(\) of an array without axes"),
        (lambda: nd.array([[1], [1, 2]]), TypeError, r"nd\.array: source is not an array: .* got list"),
        (lambda: nd.zeros(2, dtype="float31"), TypeError, r"unknown dtype: .* got 'float31'"),
        (lambda: nd.ones(2).astype("float31"), ValueError, r"unknown dtype: .* got 'float31'"),
        (lambda: nd.ones(2).reshape((3, 5)), ValueError, r"cannot reshape \(2,\) into \(3, 5\)"),
        (lambda: nd.ones(2).reshape(3, sideways=True), TypeError, r"unknown argument: .* got \['sideways'\]"),
        (
            lambda: nd.ones(2).copyto(nd.ones(3)),
            ValueError,
            r"copyto: shapes differ: expected \(2,\), got other=\(3,\)",
        ),
        (lambda: nd.ones(2).copyto("a"), TypeError, r"copyto: wrong target: .* got str"),
        (lambda: nd.ones(2).tostype("csr"), ValueError, r"not a matrix: expected 2 axes for csr, got shape=\(2,\)"),
        (lambda: nd.moveaxis(nd.ones((2, 2)), 2, 0), ValueError, r"moveaxis: no such axis: .* got axis=2"),
        (lambda: nd.moveaxis(nd.ones((2, 2)), [0, 0], [0, 1]), ValueError, r"axes do not pair up"),
        (lambda: nd.relu(nd.ones(2), out=nd.ones(3)), ValueError, r"expected shape \(2,\), got out=\(3,\)"),
        (lambda: nd.relu(nd.ones(2), out=3), TypeError, r"out: is not an array to fill: .* got int"),
        (lambda: nd.from_numpy(np.ones((2, 3)).T), ValueError, r"expected a C-contiguous array, got strides"),
        (lambda: nd.add("a", nd.ones(1)), TypeError, r"nd\.add: wrong types: .* got str and NDArray"),
        (lambda: nd.save("x", [3]), TypeError, r"nd\.save: wrong element: expected an NDArray, got int"),
        (lambda: nd.ones(2).__index__(), TypeError, r"not an index: expected an integer dtype, got dtype=float32"),
        (lambda: nd.ones(2).__array__(copy=False), ValueError, r"numpy gets a copy"),
        (lambda: mx.random.seed(1, "everything"), ValueError, r'expected a Context or "all"'),
        (
            lambda: mx.Context("tpu"),
            MXNetError,
            r"unknown device type: expected one of cpu, gpu, .* got device_type='tpu'",
        ),
        (lambda: mx.nd.FullyConnected(nd.ones((1, 2)), nd.ones((3, 2)), num_hidden=3), ValueError, r"got 2"),
    ],
)
def test_errors_say_what_to_do(run, kind, message):
    with pytest.raises(kind, match=message) as caught:
        run()
    assert caught.value.__cause__ is not caught.value


def test_missing_bias_is_noticed_after_a_call_with_one():
    x, w = nd.ones((1, 2)), nd.ones((3, 2))
    nd.FullyConnected(x, w, nd.ones(3), num_hidden=3)
    with pytest.raises(MXNetError, match=r"FullyConnected: wrong number of inputs: expected 3 .*got 2"):
        nd.FullyConnected(x, w, num_hidden=3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_one_message():
    for run in (
        lambda: nd.zeros(2, ctx=mx.gpu()),
        lambda: nd.ones(2).as_in_context(mx.gpu(1)),
        lambda: nd.ones(2).copyto(mx.gpu()),
        lambda: nd.random.uniform(shape=2, ctx=mx.gpu()),
        lambda: mx.gpu_memory_info(),
    ):
        with pytest.raises(
            MXNetError, match=r"gpu\(\d\): no such device: expected one of 0 CUDA devices .* Use mx\.cpu"
        ):
            run()


def test_attributes_by_keyword_text_and_position_agree():
    x = nd.array(np.arange(24.0).reshape(2, 3, 4))
    for _ in range(3):  # the first call is arranged, the next ones are remembered
        for found in (
            nd.sum(x, axis=(0, 2), keepdims=True),
            nd.sum(x, axis="(0, 2)", keepdims="True"),
            nd.sum(x, (0, 2), True),
            nd.sum(x, [0, 2], keepdims=1),
            nd.sum(x, axis=np.array([0, 2]), keepdims=True),
            nd.sum(data=x, axis=(0, 2), keepdims=True),
            x.sum(axis=(0, 2), keepdims=True),
            x.sum((0, 2), True),
        ):
            assert values(found) == [[[60.0], [92.0], [124.0]]]


def test_remembered_calls_keep_contexts_apart():
    here, there = nd.ones((2, 2)), nd.ones((2, 2), ctx=mx.cpu(1))
    for _ in range(2):
        assert nd.sum(here, axis=0).context == mx.cpu(0)
        assert nd.sum(there, axis=0).context == mx.cpu(1)
        assert nd.split(there, num_outputs=2)[1].context == mx.cpu(1)
        assert nd.expand_dims(there, 1).context == mx.cpu(1)


def test_functions_outside_record_own_their_memory():
    x = nd.ones((2, 3))
    for _ in range(2):
        for fn in (
            lambda: nd.expand_dims(x, 0),
            lambda: nd.Dropout(x, p=0.5),
            lambda: nd.transpose(x),
            lambda: nd.split(x, num_outputs=3)[1],
            lambda: nd.Cast(x, dtype="float32"),
            lambda: x.T,
            lambda: x.slice_axis(axis=1, begin=1, end=3),
        ):
            result = fn()
            assert result._t.is_contiguous()
            result[:] = 7
    assert values(x) == [[1.0] * 3] * 2


def test_torch_and_numpy_share_by_dlpack():
    x = nd.array([1.0, 2.0])
    t = torch.from_dlpack(x)
    t[0] = 5
    n = np.from_dlpack(x)
    assert n.tolist() == [5.0, 2.0]
    back = nd.from_dlpack(torch.arange(3))
    assert (back.dtype, values(back)) == (np.int64, [0, 1, 2])
    assert values(nd.from_dlpack(np.arange(2.0))) == [0.0, 1.0]
    assert values(nd.from_dlpack(x.to_dlpack_for_read())) == [5.0, 2.0]
    assert values(nd.array(torch.ones(2, requires_grad=True))) == [1.0, 1.0]


def test_dlpack_of_a_variable_is_outside_the_graph():
    x = nd.array([1.0])
    x.attach_grad()
    assert not torch.from_dlpack(x).requires_grad


def test_from_numpy_shares_memory_that_the_array_alone_may_write():
    source = np.zeros(3, "float32")
    x = nd.from_numpy(source)
    x[1] = 2
    assert values(x) == source.tolist() == [0.0, 2.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        source[0] = 1
    nd.from_numpy(source)[0] = 1
    assert values(x) == [1.0, 2.0, 0.0]
    copy = nd.from_numpy(source, zero_copy=False)
    copy[:] = 9
    assert source.tolist() == [1.0, 2.0, 0.0]


@pytest.mark.parametrize(("given", "kept"), [(300, 44), (-100, 156), (300.7, 44), (255, 255)])
def test_a_number_beyond_an_integer_dtype_goes_around(given, kept):
    x = nd.zeros(2, dtype="uint8")
    x[0] = given
    assert values(x) == [kept, 0]


def test_a_value_with_more_axes_goes_backwards_too():
    x = nd.zeros((3, 2))
    x[::-2] = np.array([1, 2]).reshape(1, 1, 1, 2)
    assert values(x) == [[1, 2], [0, 0], [1, 2]]


def test_a_reversed_numpy_array_can_be_assigned():
    x = nd.zeros(3)
    x[:] = np.arange(3.0)[::-1]
    assert values(x) == [2.0, 1.0, 0.0]


def test_scalars_and_sizes_of_zero_exist_under_np_shape_only():
    for shape in ((), (0,), (2, 0)):
        with pytest.raises(mx.MXNetError, match=r"nd\.ones: shape is unknown: .* exist under `np_shape\(\)`"):
            nd.ones(shape)
        with mx.np_shape():
            assert nd.ones(shape).shape == shape


def test_a_pickle_that_mxnet_wrote():
    # nd.arange(1, ctx=gpu(0)).__getstate__() of MXNet.
    handle = "c9fa93f90000000001000000010000000000000002000000000000000000000000000000"
    x = nd.NDArray.__new__(nd.NDArray)
    x.__setstate__({"handle": bytearray.fromhex(handle)})
    assert values(x) == [0.0]
    assert x.context == mx.cpu()
    with pytest.raises(FormatError, match="pickle holds no values"):
        x.__setstate__({})


def test_dtypes_by_numpys_names():
    assert nd.zeros(1, dtype="half").dtype == nd.zeros(1, dtype="f2").dtype == np.float16
    assert nd.cast(nd.zeros(1), dtype="double").dtype == np.float64


def test_bfloat16_comes_as_float32():
    x = nd.array([1.5, 2.0], dtype="bfloat16")
    assert x.dtype == ml_dtypes.bfloat16
    assert x.asnumpy().dtype == np.float32
    assert values(x) == [1.5, 2.0]


def test_arrays_come_back_from_files(tmp_path):
    dtypes = ["float32", "float64", "float16", "uint8", "int8", "int32", "int64", "bfloat16"]
    arrays = {d: nd.array([[1, 2, 3]], dtype=d) for d in dtypes}
    nd.save(tmp_path / "a.params", arrays)
    loaded = nd.load(str(tmp_path / "a.params"))
    assert list(loaded) == dtypes
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        assert values(loaded[name]) == [[1, 2, 3]]
        loaded[name][:] = 4  # what is loaded is writable
    nd.save(tmp_path / "b.params", [arrays["int32"], arrays["float32"]])
    assert [values(a) for a in nd.load(tmp_path / "b.params")] == [[[1, 2, 3]]] * 2
    nd.save(tmp_path / "c.params", arrays["int32"])
    assert len(nd.load(tmp_path / "c.params")) == 1
    assert values(nd.load_frombuffer((tmp_path / "c.params").read_bytes())[0]) == [[1, 2, 3]]
    (tmp_path / "a.params").write_bytes((tmp_path / "a.params").read_bytes()[:-3])
    with pytest.raises(FormatError, match=r"a\.params"):
        nd.load(tmp_path / "a.params")


def test_views_of_a_tracked_result_are_copies_for_the_file(tmp_path):
    x = nd.array(np.arange(6.0).reshape(2, 3))
    x.attach_grad()
    with mx.autograd.record():
        y = nd.transpose(x)
    nd.save(tmp_path / "y.params", [y])
    assert values(nd.load(tmp_path / "y.params")[0]) == values(y)


def test_default_context_is_of_a_thread():
    found = []
    with mx.cpu(3):
        thread = threading.Thread(target=lambda: found.append(mx.current_context()))
        thread.start()
        thread.join()
        found.append(mx.current_context())
    assert found == [mx.cpu(0), mx.cpu(3)]


def test_names_are_of_a_thread():
    found = []
    with mx.name.Prefix("net_"):
        thread = threading.Thread(target=lambda: found.append(mx.sym.relu(mx.sym.var("x")).name))
        thread.start()
        thread.join()
    assert found == ["relu0"]


def test_own_random_state_leaves_torchs_alone():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    mx.random.seed(5)
    nd.random.uniform(shape=(10,))
    nd.random.shuffle(nd.arange(4))
    assert torch.equal(torch.rand(2), expected)


def test_shuffle_keeps_rows_and_fills_out():
    mx.random.seed(3)
    x = nd.array(np.arange(20).reshape(10, 2))
    out = nd.zeros((10, 2))
    assert mx.random.shuffle(x, out=out) is out
    assert sorted(values(out)) == values(x)
    assert values(out) != values(x)


def test_copy_to_itself_warns():
    x = nd.ones(2)
    with pytest.warns(UserWarning, match="source and target are the same array"):
        assert x.copyto(x) is False


@settings(deadline=None, max_examples=200)
@given(
    shape=hnp.array_shapes(min_dims=1, max_dims=4, max_side=4),
    data=st.data(),
)
def test_basic_and_advanced_reads_are_numpys(shape, data):
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    array = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    expected = array[key]
    if expected.size:
        found = nd.array(array)[key].asnumpy()
        assert found.shape == (expected.shape or (1,))
        assert found.ravel().tolist() == expected.ravel().tolist()


@settings(deadline=None, max_examples=200)
@given(shape=hnp.array_shapes(min_dims=1, max_dims=4, max_side=4), data=st.data())
def test_writes_are_numpys(shape, data):
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=False, allow_ellipsis=True))
    array = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    ours = nd.array(array)
    array[key] = -1
    ours[key] = -1
    assert ours.asnumpy().tolist() == array.tolist()
    region = np.arange(array[key].size, dtype="float32").reshape(array[key].shape)
    array[key] = region
    ours[key] = region
    assert ours.asnumpy().tolist() == array.tolist()
