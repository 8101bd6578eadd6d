"""Iterators give MXNet's batches, and say what they do not take."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import ArgumentError, InputTypeError

HERE = Path(__file__).resolve().parent
GOLDEN = json.loads((HERE.parent / "golden" / "module" / "batches.json").read_text())
SPEC = importlib.util.spec_from_file_location("iter_cases", HERE / "iter_cases.py")
cases = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(cases)


@pytest.mark.parametrize("case", cases.CASES)
def test_batches_are_mxnets(case):
    assert json.loads(json.dumps(cases.answer(mx, case))) == GOLDEN[case]


class TestDescriptions:
    def test_equals_its_name_and_shape(self):
        desc = mx.io.DataDesc("data", (2, 3), np.int32, "NC")
        assert desc == ("data", (2, 3))
        assert repr(desc) == "DataDesc[data,(2, 3),<class 'numpy.int32'>,NC]"

    def test_list(self):
        found = mx.io.DataDesc.get_list([("a", (2,)), ("b", (3,))], [("a", "int32"), ("b", "float16")])
        assert [(d.name, d.shape, d.dtype) for d in found] == [("a", (2,), "int32"), ("b", (3,), "float16")]
        assert mx.io.DataDesc.get_list([("a", (2,))], None)[0].dtype is np.float32


class TestMemory:
    def test_a_batch_is_a_copy(self):
        source = mx.nd.arange(4)
        batch = mx.io.NDArrayIter(source, batch_size=2).next()
        batch.data[0][:] = 9
        assert source.asnumpy().tolist() == [0, 1, 2, 3]

    def test_reading_a_batch_twice_gives_the_same(self):
        batches = mx.io.NDArrayIter(np.arange(5), None, 3, last_batch_handle="roll_over")
        assert len(list(batches)) == 1
        batches.reset()
        assert batches.iter_next()
        first = batches.getdata()[0].asnumpy().tolist()
        assert first == batches.getdata()[0].asnumpy().tolist() == [3, 4, 0]

    def test_hard_reset_forgets_the_rest(self):
        batches = mx.io.NDArrayIter(np.arange(5), None, 3, last_batch_handle="roll_over")
        assert len(list(batches)) == 1
        batches.hard_reset()
        assert batches.next().data[0].asnumpy().tolist() == [0, 1, 2]


class TestPrefetching:
    def test_joins_and_renames(self):
        first = mx.io.NDArrayIter(np.arange(4), np.arange(4), 2)
        second = mx.io.NDArrayIter(np.arange(4, 8), None, 2)
        both = mx.io.PrefetchingIter([first, second], rename_data=[{"data": "a"}, {"data": "b"}])
        assert [d.name for d in both.provide_data] == ["a", "b"]
        assert both.batch_size == 2
        for _ in range(2):
            found = [[a.asnumpy().tolist() for a in batch.data] for batch in both]
            assert found == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
            both.reset()

    def test_iterators_of_different_length(self):
        both = mx.io.PrefetchingIter(
            [mx.io.NDArrayIter(np.arange(4), None, 2), mx.io.NDArrayIter(np.arange(2), None, 2)]
        )
        both.next()
        with pytest.raises(ArgumentError, match="got 1 of 2 at their end"):
            both.next()

    def test_errors_of_the_thread_arrive(self):
        class Broken(mx.io.NDArrayIter):
            def next(self):
                raise OSError("the disk")

        with pytest.raises(OSError, match="the disk"):
            mx.io.PrefetchingIter(Broken(np.arange(4), None, 2)).next()


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: mx.io.NDArrayIter(None), ArgumentError, "got data=None"),
        (lambda: mx.io.NDArrayIter([]), ArgumentError, r"got data=\[\]"),
        (lambda: mx.io.NDArrayIter("x"), TypeError, "got str"),
        (lambda: mx.io.NDArrayIter({"a": object()}), InputTypeError, "`a`: expected NDArray .* got object"),
        (lambda: mx.io.NDArrayIter(np.arange(3), last_batch_handle="drop"), ArgumentError, "last_batch_handle='drop'"),
        (
            lambda: mx.io.NDArrayIter(np.arange(3), np.arange(2)),
            ArgumentError,
            r"expected at least 3 in every array, got \{'softmax_label': 2\}",
        ),
        (lambda: mx.io.NDArrayIter(np.arange(3), batch_size=0), ArgumentError, "got batch_size=0"),
        (lambda: mx.io.DataBatch(mx.nd.ones(3)), AssertionError, "Data must be list of NDArrays.*got NDArray"),
        (lambda: mx.io.DataBatch([], mx.nd.ones(3)), AssertionError, "Label must be list of NDArrays.*got NDArray"),
        (lambda: mx.io.PrefetchingIter([]), ArgumentError, r"got iters=\[\]"),
        (lambda: mx.io.DataIter().next(), NotImplementedError, "DataIter: an iterator must define iter_next"),
        (lambda: mx.io.ResizeIter(mx.io.NDArrayIter(np.arange(3)), 2).getdata(), ArgumentError, "ResizeIter: no batch"),
    ],
)
def test_refuses(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_reading_past_the_end():
    batches = mx.io.NDArrayIter(np.arange(3), None, 3)
    batches.next()
    assert not batches.iter_next()
    with pytest.raises(ArgumentError, match=r"DataIter needs reset.*below 3, got cursor=3"):
        batches.getdata()


def test_shuffle_gives_every_sample_once():
    it = mx.io.NDArrayIter(np.arange(8.0), batch_size=4, shuffle=True)
    assert sorted(np.concatenate([b.data[0].asnumpy() for b in it]).tolist()) == list(range(8))
