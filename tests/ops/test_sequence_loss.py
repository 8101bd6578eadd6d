"""CTC loss where some lengths are left out, and what it refuses."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import InputError
from gluonnx.onnx import export_graph, replay

LABEL = [[2, 1, 2, 2], [3, 2, 2, 2]]
ANSWER = [18.82820702, 16.50581741]
"""MXNet 1.9.1's answer for labels of 2 and 3 classes over 20 steps of equal scores."""


class TestLabelLengthsWithoutDataLengths:
    @pytest.mark.parametrize("hybridize", [False, True])
    def test_in_the_block(self, hybridize):
        loss = mx.gluon.loss.CTCLoss()
        loss.hybridize(hybridize)
        with mx.autograd.record():
            result = loss(mx.nd.ones((2, 20, 4)), mx.nd.array(LABEL), None, mx.nd.array([2, 3]))
        np.testing.assert_allclose(result.asnumpy(), ANSWER, rtol=1e-5)

    def test_by_name(self):
        data, label, lengths = mx.nd.ones((20, 2, 4)), mx.nd.array(LABEL), mx.nd.array([2, 3])
        settings = {"use_label_lengths": True, "blank_label": "last"}
        eager = mx.nd.CTCLoss(data, label, label_lengths=lengths, **settings)
        graph = mx.sym.CTCLoss(mx.sym.var("d"), mx.sym.var("l"), label_lengths=mx.sym.var("n"), **settings)
        (bound,) = graph.eval(d=data, l=label, n=lengths)
        np.testing.assert_allclose(eager.asnumpy(), ANSWER, rtol=1e-5)
        np.testing.assert_allclose(bound.asnumpy(), ANSWER, rtol=1e-5)


def test_a_label_longer_than_the_data_is_refused():
    with pytest.raises(InputError, match=r"at most 2 places in label, got label=\(1, 3\)"):
        mx.nd.CTCLoss(mx.nd.ones((2, 1, 4)), mx.nd.array([[1, 1, 2]]))


def test_steps_beyond_a_sequence_may_be_anything():
    scores = np.random.RandomState(0).normal(size=(6, 2, 4)).astype("float32")
    lengths, label = mx.nd.array([4, 3]), mx.nd.array([[1, 2], [3, 0]])
    results = []
    for filler in (0.0, np.nan):
        given = scores.copy()
        given[4:, 0] = given[3:, 1] = filler
        x = mx.nd.array(given)
        x.attach_grad()
        with mx.autograd.record():
            loss = mx.nd.CTCLoss(x, label, lengths, use_data_lengths=True)
        loss.backward()
        results.append((loss.asnumpy(), x.grad.asnumpy()))
    for plain, filled in zip(*results, strict=True):
        np.testing.assert_array_equal(filled, plain)
    assert not results[0][1][4:, 0].any()
    assert not results[0][1][3:, 1].any()


INPUTS = {"data": (3, 6, 5), "label": (3, 3), "data_lengths": (3,), "label_lengths": (3,)}


@pytest.mark.parametrize("blank", ["first", "last"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lengths", [(), ("data_lengths",), ("label_lengths",), ("data_lengths", "label_lengths")])
def test_in_onnx_at_every_batch_size(blank, dtype, lengths, tmp_path):
    names = ["data", "label", *lengths]
    data, label = (mx.sym.var(n) for n in names[:2])
    given = {n: mx.sym.var(n) for n in lengths} | {f"use_{n}": True for n in lengths}
    loss = mx.sym.CTCLoss(mx.sym.transpose(data * 4, axes=(1, 0, 2)), label, **given, blank_label=blank)
    path = tmp_path / "loss.onnx"
    export_graph(path, loss._heads, names, [INPUTS[n] for n in names], [dtype] * len(names), {}, name="loss")
    replay(path)


def test_the_hybridized_loss_runs_in_onnx_runtime():
    loss = mx.gluon.loss.CTCLoss(layout="NTC", label_layout="NT")
    random = np.random.RandomState(2)
    for batch in (3, 8):
        data = mx.nd.array(random.normal(size=(batch, 9, 4)) * 3)
        label = mx.nd.array(random.randint(-1, 3, size=(batch, 4)))
        loss.hybridize(False)
        expected = loss(data, label).asnumpy()
        loss.hybridize()
        np.testing.assert_allclose(loss(data, label).asnumpy(), expected, rtol=1e-5, atol=1e-5)


def test_scores_without_a_chance_cost_nothing_in_onnx(tmp_path):
    data, label = mx.sym.var("data"), mx.sym.var("label")
    loss = mx.sym.CTCLoss(data, label)
    x = np.zeros((4, 2, 3), np.float32)
    x[:, 0, 1] = -np.inf  # class 1 cannot be
    y = np.array([[1, 2], [1, 2]], np.float32)
    export_graph(
        tmp_path / "x.onnx",
        loss._heads,
        ["data", "label"],
        [x.shape, y.shape],
        ["float32"] * 2,
        {},
        dynamic_batch=False,
        sample_inputs=[x, y],
    )
    assert loss.eval(data=mx.nd.array(x), label=mx.nd.array(y))[0].asnumpy()[0] == 0
