"""Splitting, clipping, hooks."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import ArgumentError
from gluonnx.gluon import utils

CPUS = [mx.cpu(0), mx.cpu(1), mx.cpu(2)]


def parts(size, count, **kwargs):
    data = mx.nd.array(np.arange(size * 2).reshape(size, 2))
    return [p.asnumpy() for p in utils.split_data(data, count, **kwargs)], data.asnumpy()


@pytest.mark.parametrize(("size", "count", "sizes"), [(6, 3, [2, 2, 2]), (4, 1, [4]), (3, 3, [1, 1, 1])])
def test_split_data_evenly(size, count, sizes):
    found, data = parts(size, count)
    assert [len(p) for p in found] == sizes
    np.testing.assert_array_equal(np.concatenate(found), data)


@pytest.mark.parametrize(("size", "count", "sizes"), [(7, 3, [3, 2, 2]), (5, 4, [2, 1, 1, 1]), (8, 3, [3, 3, 2])])
def test_split_data_unevenly_gives_the_first_parts_more(size, count, sizes):
    found, data = parts(size, count, even_split=False)
    assert [len(p) for p in found] == sizes
    np.testing.assert_array_equal(np.concatenate(found), data)


@pytest.mark.parametrize("axis", [1, -1])
def test_split_data_along_another_axis(axis):
    data = mx.nd.array(np.arange(12).reshape(2, 6))
    found = [p.asnumpy() for p in utils.split_data(data, 3, batch_axis=axis)]
    for part, expected in zip(found, np.split(data.asnumpy(), 3, axis=1), strict=True):
        np.testing.assert_array_equal(part, expected)


def test_split_data_of_numpy_arrays():
    found = utils.split_data(np.arange(4), 2)
    assert [p.tolist() for p in found] == [[0, 1], [2, 3]]


def test_split_data_refuses_an_uneven_batch():
    with pytest.raises(ValueError, match=r"shape \(7, 2\) cannot be evenly split into 3 slices along axis 0.*size=7"):
        parts(7, 3)


def test_split_data_refuses_no_slices():
    with pytest.raises(ArgumentError, match="num_slice=0"):
        parts(4, 0)


@pytest.mark.parametrize("source", [mx.nd.array, np.asarray, lambda a: a.tolist()], ids=["nd", "numpy", "list"])
def test_split_and_load_puts_each_part_on_its_context(source):
    values = np.arange(12, dtype="float32").reshape(6, 2)
    found = utils.split_and_load(source(values), CPUS)
    assert [p.context for p in found] == CPUS
    np.testing.assert_array_equal(np.concatenate([p.asnumpy() for p in found]), values)


def test_split_and_load_on_one_context_does_not_split():
    (found,) = utils.split_and_load(mx.nd.ones((5, 2)), [mx.cpu(1)])
    assert found.shape == (5, 2)
    assert found.context == mx.cpu(1)


def test_clip_global_norm_scales_what_is_too_long():
    arrays = [mx.nd.array([3.0, 0.0]), mx.nd.array([[0.0], [4.0]], ctx=mx.cpu(1))]
    assert utils.clip_global_norm(arrays, 1.0) == pytest.approx(5.0)
    np.testing.assert_allclose(arrays[0].asnumpy(), [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(arrays[1].asnumpy(), [[0.0], [0.8]], rtol=1e-6)
    assert arrays[1].context == mx.cpu(1)


def test_clip_global_norm_leaves_what_is_short_enough():
    arrays = [mx.nd.array([3.0, 4.0])]
    assert utils.clip_global_norm(arrays, 10.0) == pytest.approx(5.0)
    np.testing.assert_array_equal(arrays[0].asnumpy(), [3.0, 4.0])


def test_clip_global_norm_without_a_check_gives_an_array():
    norm = utils.clip_global_norm([mx.nd.array([3.0, 4.0])], 1.0, check_isfinite=False)
    assert isinstance(norm, mx.nd.NDArray)
    assert norm.shape == (1,)
    assert norm.asscalar() == pytest.approx(5.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_clip_global_norm_warns_of_what_is_not_finite(value):
    with pytest.warns(UserWarning, match="nan or inf is detected"):
        norm = utils.clip_global_norm([mx.nd.array([1.0, value])], 1.0)
    assert not np.isfinite(norm)


def test_clip_global_norm_refuses_nothing():
    with pytest.raises(AssertionError, match=r"arrays=\[\]"):
        utils.clip_global_norm([], 1.0)


@pytest.mark.parametrize(
    ("shape", "is_known"), [(None, False), ((), False), ((2, 3), True), ((2, 0), False), ([0], False), ([4], True)]
)
def test_shape_is_known(shape, is_known):
    assert utils.shape_is_known(shape) is is_known


def test_shape_is_known_refuses_negative_sizes():
    with pytest.raises(AssertionError, match=r"shape=\(2, -1\)"):
        utils.shape_is_known((2, -1))


def test_indent_leaves_the_first_line():
    assert utils.indent("a\nb\n\nc", 2) == "a\n  b\n  \n  c"
    assert utils.indent("a", 2) == "a"


def test_a_hook_is_gone_after_its_with_block():
    net, calls = mx.gluon.nn.Flatten(), []
    data = mx.nd.ones((2, 3, 4))
    with net.register_forward_hook(lambda block, inputs, output: calls.append(output.shape)):
        net(data)
    net(data)
    assert calls == [(2, 12)]


def test_a_hook_handle_detaches_once():
    net, calls = mx.gluon.nn.Flatten(), []
    handle = net.register_forward_pre_hook(lambda block, inputs: calls.append(inputs[0].shape))
    assert isinstance(handle, utils.HookHandle)
    net(mx.nd.ones((2, 3)))
    handle.detach()
    handle.detach()
    net(mx.nd.ones((2, 3)))
    assert calls == [(2, 3)]


def test_a_hook_handle_attaches_once():
    handle, hooks = utils.HookHandle(), {}
    handle.attach(hooks, print)
    assert list(hooks.values()) == [print]
    with pytest.raises(AssertionError, match=r"cannot be attached twice.*hook=<built-in function print>"):
        handle.attach(hooks, print)
    handle.detach()
    assert hooks == {}
