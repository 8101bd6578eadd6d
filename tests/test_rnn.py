"""`mx.rnn`: symbolic cells against those of `gluon.rnn`, packed weights, checkpoints, sentences."""

import random

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import ArgumentError, InputError, RegistryError

MODES = ["rnn_relu", "rnn_tanh", "lstm", "gru"]
STEPS, BATCH, FEATURES, UNITS = 4, 2, 3, 5


def run(outputs, arrays):
    executor = mx.sym.Group(outputs).bind(mx.cpu(), arrays)
    return [o.asnumpy() for o in executor.forward()]


def values(symbols, seed=1):
    """Random arrays for every argument of symbols, by name, but the data."""
    names = mx.sym.Group(symbols).list_arguments()
    shapes, _, _ = mx.sym.Group(symbols).infer_shape(data=(STEPS, BATCH, FEATURES))
    rng = np.random.RandomState(seed)
    return {n: mx.nd.array(rng.uniform(-1, 1, s)) for n, s in zip(names, shapes, strict=True)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_unfused_cells_with_unpacked_weights_do_the_same(mode, bidirectional):
    data = mx.sym.var("data")
    fused = mx.rnn.FusedRNNCell(UNITS, 2, mode, bidirectional, get_next_state=True, dropout=0.5, prefix="net_")
    output, states = fused.unroll(STEPS, data, layout="TNC", merge_outputs=True)
    arrays = values([output])
    stack = fused.unfuse()
    unfused, unfused_states = stack.unroll(STEPS, data, layout="TNC", merge_outputs=True)
    pieces = fused.unpack_weights({k: v for k, v in arrays.items() if k != "data"})
    joined = stack.pack_weights(pieces)
    assert sorted(joined) == sorted(n for n in unfused.list_arguments() if n != "data")
    expected = run([output, *states], arrays)
    found = run([unfused], {**joined, "data": arrays["data"]})
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-6)
    assert len(states) == (2 if mode == "lstm" else 1)
    assert len(unfused_states) == (4 if bidirectional or mode == "lstm" else 2)
    again = fused.pack_weights(stack.unpack_weights(joined))
    np.testing.assert_array_equal(again["net_parameters"].asnumpy(), arrays["net_parameters"].asnumpy())


@pytest.mark.parametrize("layout", ["NTC", "TNC"])
def test_cells_are_those_of_gluon(layout):
    data = mx.sym.var("data")
    for old, new in (
        (mx.rnn.RNNCell(UNITS, "relu"), mx.gluon.rnn.RNNCell(UNITS, "relu", prefix="rnn_")),
        (mx.rnn.LSTMCell(UNITS), mx.gluon.rnn.LSTMCell(UNITS, prefix="lstm_")),
        (mx.rnn.GRUCell(UNITS), mx.gluon.rnn.GRUCell(UNITS, prefix="gru_")),
    ):
        length = STEPS if layout == "TNC" else BATCH
        symbols, _ = old.unroll(length, data, layout=layout, merge_outputs=True)
        arrays = values([symbols])
        new.initialize()
        new.unroll(length, arrays["data"], layout=layout)
        for name, param in new.collect_params().items():
            param.set_data(arrays[name])
        expected, _ = new.unroll(length, arrays["data"], layout=layout, merge_outputs=True)
        np.testing.assert_allclose(run([symbols], arrays)[0], expected.asnumpy(), rtol=1e-5, atol=1e-6)


def test_weights_gate_by_gate():
    cell = mx.rnn.LSTMCell(2, prefix="cell_")
    packed = {
        "cell_i2h_weight": mx.nd.arange(24).reshape((8, 3)),
        "cell_i2h_bias": mx.nd.arange(8),
        "cell_h2h_weight": mx.nd.arange(16).reshape((8, 2)),
        "cell_h2h_bias": mx.nd.arange(8),
        "other": mx.nd.ones((1,)),
    }
    pieces = cell.unpack_weights(packed)
    np.testing.assert_array_equal(pieces["cell_i2h_f_weight"].asnumpy(), packed["cell_i2h_weight"].asnumpy()[2:4])
    assert pieces["cell_h2h_o_bias"].asnumpy().tolist() == [6, 7]
    assert "other" in pieces
    for name, value in cell.pack_weights(pieces).items():
        np.testing.assert_array_equal(value.asnumpy(), packed[name].asnumpy())


def test_checkpoints_are_read_by_other_cells(tmp_path):
    data = mx.sym.var("data")
    fused = mx.rnn.FusedRNNCell(UNITS, 1, "lstm", prefix="net_")
    output, states = fused.unroll(STEPS, data, layout="TNC", merge_outputs=True)
    assert states == []
    arrays = values([output])
    weights = {k: v for k, v in arrays.items() if k != "data"}
    prefix = str(tmp_path / "net")
    callback = mx.rnn.do_rnn_checkpoint(fused, prefix, period=2)
    callback(0, output, weights, {})
    assert not list(tmp_path.iterdir())
    callback(1, output, weights, {})
    _, again, aux = mx.rnn.load_rnn_checkpoint(fused, prefix, 2)
    np.testing.assert_array_equal(again["net_parameters"].asnumpy(), weights["net_parameters"].asnumpy())
    assert aux == {}
    stack = fused.unfuse()
    _, joined, _ = mx.rnn.load_rnn_checkpoint([stack], prefix, 2)
    symbols, _ = stack.unroll(STEPS, data, layout="TNC", merge_outputs=True)
    found = run([symbols], {**joined, "data": arrays["data"]})[0]
    np.testing.assert_allclose(found, run([output], arrays)[0], rtol=1e-5, atol=1e-6)


def test_initial_values_of_the_flat_vector():
    cell = mx.rnn.FusedRNNCell(UNITS, 2, "lstm", prefix="", forget_bias=3.0)
    output, _ = cell.unroll(STEPS, mx.sym.var("data"), layout="TNC", merge_outputs=True)
    module = mx.mod.Module(output, label_names=None)
    module.bind(data_shapes=[("data", (STEPS, BATCH, FEATURES))])
    module.init_params(mx.init.One())
    pieces = cell.unpack_weights(module.get_params()[0])
    assert set(pieces["l0_i2h_f_bias"].asnumpy()) == {3.0}
    assert set(pieces["l1_h2h_i_bias"].asnumpy()) == {0.0}
    assert set(pieces["l1_i2h_c_weight"].asnumpy().flat) == {1.0}
    again = mx.init.create(mx.init.FusedRNN(mx.init.Zero(), 2, 1, "gru").dumps())
    flat = mx.nd.ones((2 * 3 * (4 + 2 + 2),))
    again(mx.init.InitDesc("parameters_weight"), flat)
    assert not flat.asnumpy().any()
    with pytest.raises(RegistryError, match="FusedRNN `p_weight`: no initializer for its pieces"):
        mx.init.FusedRNN(None, 2, 1, "gru")._init_weight("p_weight", flat)


def test_cells_share_variables():
    params = mx.rnn.RNNParams("shared_")
    first, second = mx.rnn.RNNCell(3, params=params), mx.rnn.RNNCell(3, params=params)
    assert first._iW is second._iW
    stack = mx.rnn.SequentialRNNCell(params=params)
    with pytest.raises(ArgumentError, match="Either specify params for SequentialRNNCell or child cells"):
        stack.add(first)


def test_wrong_use_of_cells():
    data = mx.sym.var("data")
    fused = mx.rnn.FusedRNNCell(2)
    with pytest.raises(NotImplementedError, match="FusedRNNCell cannot be stepped"):
        fused(data, [])
    with pytest.raises(ArgumentError, match=r"unknown mode: expected one of rnn_relu, .*got mode='elman'"):
        mx.rnn.FusedRNNCell(2, mode="elman")
    with pytest.warns(UserWarning, match="NTC layout detected"):
        fused.unroll(2, data)
    with pytest.raises(ArgumentError, match="FusedRNNCell doesn't support zoneout"):
        mx.rnn.ZoneoutCell(fused)
    with pytest.raises(InputError, match=r"Invalid parameters size for FusedRNNCell: expected .*, got 51"):
        fused.unpack_weights({"lstm_parameters": mx.nd.ones((51,))})
    cell = mx.rnn.GRUCell(2)
    mx.rnn.ResidualCell(cell)
    with pytest.raises(ArgumentError, match="GRUCell `gru_`: wrapped by a modifier"):
        cell.begin_state()
    with pytest.raises(ArgumentError, match="expected length=3, got 1 in inputs"):
        mx.rnn.RNNCell(2).unroll(3, [data])
    with pytest.raises(ArgumentError, match="unroll: no inputs"):
        mx.rnn.RNNCell(2).unroll(3, None)
    with pytest.raises(NotImplementedError, match="Bidirectional cannot be stepped"):
        mx.rnn.BidirectionalCell(mx.rnn.RNNCell(2), mx.rnn.RNNCell(2))(data, [])
    with pytest.raises(ArgumentError, match="dropout probability must be a number"):
        mx.rnn.DropoutCell("half")
    with pytest.raises(ArgumentError, match="Only support odd number, get h2h_kernel"):
        mx.rnn.ConvRNNCell((1, 3, 8, 8), 2, h2h_kernel=(2, 3))
    with pytest.raises(NotImplementedError, match="BaseRNNCell: no state_info"):
        mx.rnn.BaseRNNCell().begin_state()
    with pytest.warns(DeprecationWarning, match="rnn_unroll is deprecated"):
        mx.rnn.rnn_unroll(mx.rnn.RNNCell(2), 2, data)


def test_words_become_numbers():
    numbers, vocab = mx.rnn.encode_sentences([["a", "b", "a"], ["c"]], start_label=1, invalid_label=2)
    assert numbers == [[1, 3, 1], [4]]
    assert vocab == {"\n": 2, "a": 1, "b": 3, "c": 4}
    assert mx.rnn.encode_sentences([["z"]], vocab=dict(vocab), start_label=9, unknown_token="?")[0] == [[9]]
    with pytest.raises(ArgumentError, match="Unknown token z"):
        mx.rnn.encode_sentences([["z"]], vocab=vocab)


@pytest.mark.parametrize("layout", ["NT", "TN"])
def test_sentences_in_buckets(layout, caplog):
    random.seed(1)
    np.random.seed(1)
    sentences = [[i, i + 1, i + 2] for i in range(5)] + [[7] * 6] * 4 + [[1] * 9]
    batches = mx.rnn.BucketSentenceIter(sentences, 2, buckets=[4, 6], invalid_label=0, layout=layout)
    assert "discarded 1 sentences" in caplog.text
    assert batches.default_bucket_key == 6
    assert batches.provide_data[0].shape == ((2, 6) if layout == "NT" else (6, 2))
    found = list(batches)
    assert sorted(b.bucket_key for b in found) == [4, 4, 6, 6]
    for batch in found:
        data, label = batch.data[0].asnumpy(), batch.label[0].asnumpy()
        if layout == "TN":
            data, label = data.T, label.T
        assert data.shape == (2, batch.bucket_key)
        np.testing.assert_array_equal(label[:, :-1], data[:, 1:])
        assert not label[:, -1].any()
    batches.reset()
    assert len(list(batches)) == 4
    with pytest.raises(ArgumentError, match="BucketSentenceIter: Invalid layout CT"):
        mx.rnn.BucketSentenceIter(sentences, 2, layout="CT")


def test_shapes_of_states():
    assert mx.rnn.LSTMCell(4).state_shape == [(0, 4), (0, 4)]
    assert mx.rnn.GRUCell(3).state_shape == [(0, 3)]
