"""Wrong calls of recurrent layers, cells and loops."""

import pytest

from gluonnx import gluon, nd, sym
from gluonnx.errors import ArgumentError, InputError


def test_a_layer_takes_three_axes():
    layer = gluon.rnn.LSTM(4)
    layer.initialize()
    with pytest.raises(InputError, match=r"LSTM `lstm\d+`: wrong rank of input: expected 3 axes, TNC, got \(2, 3\)"):
        layer(nd.ones((2, 3)))


def test_a_layout_has_time_and_batch():
    with pytest.raises(ArgumentError, match="unroll: wrong layout: expected TNC, NTC or the like, got layout='XYZ'"):
        gluon.rnn.LSTMCell(3).unroll(3, nd.ones((2, 4, 3)), layout="XYZ")


@pytest.mark.parametrize("body", [lambda x, s: x, lambda x, s: (x, s, s)])
def test_a_step_returns_a_pair(body):
    message = r"foreach: the function of a step returned something else: expected a pair \(outputs, next states\), got"
    with pytest.raises(ArgumentError, match=message):
        nd.contrib.foreach(body, nd.ones(3), nd.ones(1))
    with pytest.raises(ArgumentError, match=message):
        sym.contrib.foreach(body, sym.var("x"), sym.var("s"))
    with pytest.raises(ArgumentError, match="while_loop: the function of a step returned something else"):
        nd.contrib.while_loop(lambda x: x < 2, lambda x: x, [nd.ones(1)], max_iterations=2)
    with pytest.raises(ArgumentError, match="while_loop: the function of a step returned something else"):
        sym.contrib.while_loop(lambda x: x < 2, lambda x: x, [sym.var("x")], max_iterations=2)


def test_an_operator_whose_parameters_need_more_axes():
    with pytest.raises(InputError, match=r"RNN: wrong rank: expected inputs with more axes, got data=\(2, 3\)"):
        sym.RNN(sym.var("data"), state_size=2, num_layers=1, mode="rnn_tanh").infer_shape(data=(2, 3))
