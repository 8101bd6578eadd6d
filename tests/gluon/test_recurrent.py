"""Recurrent networks as programs use them: trained, hybridized, exported; and wrong calls of cells."""

import numpy as np
import onnxruntime
import pytest
from gluonnx_runtime import Session

import gluonnx as mx
from gluonnx.errors import ArgumentError, InputError, NotSupportedError

rnn = mx.gluon.rnn
WORDS, STEPS, BATCH = 11, 6, 4


class LanguageModel(mx.gluon.HybridBlock):
    """Scores of the next word after each word."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.words = mx.gluon.nn.Embedding(WORDS, 8)
            self.network = rnn.LSTM(10, 2, layout="NTC")
            self.scores = mx.gluon.nn.Dense(WORDS, flatten=False)

    def hybrid_forward(self, F, x):
        return self.scores(self.network(self.words(x)))


def sentences():
    return mx.nd.array(np.random.RandomState(5).randint(0, WORDS, (BATCH, STEPS + 1)))


def trained(net, *, hybridize, steps=6):
    """Initialize from one seed, train, and return the losses."""
    mx.random.seed(7)
    net.initialize(mx.init.Xavier(), force_reinit=True)
    net(sentences()[:, :-1])
    if hybridize:
        net.hybridize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 2.0})
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    words = sentences()
    losses = []
    for _ in range(steps):
        with mx.autograd.record():
            value = loss(net(words[:, :-1]), words[:, 1:]).mean()
        value.backward()
        trainer.step(1)
        losses.append(value.asscalar())
    return losses


def test_a_language_model_trains_alike_and_exports(tmp_path):
    imperative, net = LanguageModel(), LanguageModel()
    losses = trained(imperative, hybridize=False)
    np.testing.assert_allclose(trained(net, hybridize=True), losses, rtol=1e-6)
    assert losses[-1] < losses[0] - 0.1
    words = sentences()[:, :-1]
    expected = imperative(words).asnumpy()
    np.testing.assert_allclose(net(words).asnumpy(), expected, rtol=1e-6, atol=5e-7)
    symbol, params, model = net.export(tmp_path / "words")
    feeds = {"data": words.asnumpy()}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, feeds)[0], expected, rtol=1e-6, atol=5e-7)
    (answer,) = Session(model).run(feeds).values()
    np.testing.assert_allclose(answer, expected, rtol=1e-6, atol=5e-7)
    for files in ((symbol, params), (model, None)):
        again = mx.gluon.SymbolBlock.imports(files[0], ["data"], files[1])
        np.testing.assert_allclose(again(words).asnumpy(), expected, rtol=1e-6, atol=5e-7)
    more = np.tile(words.asnumpy(), (3, 1))
    np.testing.assert_allclose(session.run(None, {"data": more})[0], np.tile(expected, (3, 1, 1)), rtol=1e-6, atol=5e-7)


def test_exported_parameters_keep_their_names_and_order(tmp_path):
    net = LanguageModel()
    trained(net, hybridize=True, steps=1)
    net(sentences()[:, :-1])
    *_, model = net.export(tmp_path / "words")
    again = mx.gluon.SymbolBlock.imports(model, ["data"], None)
    before, after = net.collect_params(), again.collect_params()
    assert sorted(before) == sorted(after)
    for name, param in before.items():
        np.testing.assert_array_equal(after[name].data().asnumpy(), param.data().asnumpy())


def prepared(layer, *inputs):
    mx.random.seed(3)
    layer.initialize()
    layer(*inputs)
    return layer


def test_a_hybridized_layer_gives_states_where_they_are_wanted():
    x, h = mx.nd.random.uniform(shape=(5, 2, 3)), mx.nd.ones((1, 2, 4))
    layer = prepared(rnn.GRU(4), x)
    plain, (outputs, states) = layer(x), layer(x, h)
    layer.hybridize()
    for _ in range(2):
        np.testing.assert_allclose(layer(x).asnumpy(), plain.asnumpy(), rtol=1e-6, atol=5e-7)
        again, last = layer(x, h)
        np.testing.assert_allclose(again.asnumpy(), outputs.asnumpy(), rtol=1e-6, atol=5e-7)
        np.testing.assert_allclose(last[0].asnumpy(), states[0].asnumpy(), rtol=1e-6, atol=5e-7)


@pytest.mark.parametrize("kind", [rnn.RNN, rnn.LSTM, rnn.GRU])
@pytest.mark.parametrize("hybridize", [False, True])
def test_a_layer_that_knows_lengths(kind, hybridize):
    x = mx.nd.random.uniform(shape=(3, 5, 2))
    layer = prepared(kind(4, layout="NTC", bidirectional=True, use_sequence_length=True), x, None, mx.nd.ones((3,)))
    if hybridize:
        layer.hybridize()
    outputs = layer(x, None, mx.nd.array([2, 5, 1])).asnumpy()
    assert not outputs[0, 2:].any()
    assert not outputs[2, 1:].any()
    alone = layer(x[0:1, 0:2], None, mx.nd.array([2])).asnumpy()
    np.testing.assert_allclose(outputs[0:1, 0:2], alone, rtol=1e-6, atol=5e-7)


def test_a_network_with_lengths_exports(tmp_path):
    class Encoder(mx.gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            with self.name_scope():
                self.network = rnn.GRU(4, layout="NTC", use_sequence_length=True)

        def hybrid_forward(self, F, x, lengths):
            outputs = self.network(x, None, lengths)
            return F.SequenceLast(outputs, lengths, use_sequence_length=True, axis=1)

    x, lengths = mx.nd.random.uniform(shape=(3, 5, 2)), mx.nd.array([2, 5, 1])
    net = prepared(Encoder(), x, lengths)
    expected = net(x, lengths).asnumpy()
    net.hybridize()
    np.testing.assert_allclose(net(x, lengths).asnumpy(), expected, rtol=1e-6, atol=5e-7)
    model = net.export(tmp_path / "encoder")[2]
    feeds = {"data0": x.asnumpy(), "data1": lengths.asnumpy()}
    np.testing.assert_allclose(*Session(model).run(feeds).values(), expected, rtol=1e-6, atol=5e-7)


@pytest.mark.parametrize("kind", [rnn.RNN, rnn.LSTM, rnn.GRU])
def test_the_cells_of_a_layer_do_the_same(kind):
    x = mx.nd.random.uniform(shape=(5, 2, 3))
    layer = prepared(kind(4, 2, bidirectional=True, input_size=3), x)
    outputs, _ = layer._unfuse().unroll(5, x, layout="TNC", merge_outputs=True)
    np.testing.assert_allclose(outputs.asnumpy(), layer(x).asnumpy(), rtol=1e-6, atol=5e-7)


def test_files_of_a_layer_have_the_names_of_its_cells(tmp_path):
    x = mx.nd.random.uniform(shape=(5, 2, 3))
    layer = prepared(rnn.LSTM(2, 12, bidirectional=True), x)
    layer.save_parameters(tmp_path / "layer.params")
    names = mx.nd.load(tmp_path / "layer.params").keys()
    assert {"_unfused.0.l_cell.i2h_weight", "_unfused.11.r_cell.h2h_bias"} <= set(names)
    other = rnn.LSTM(2, 12, bidirectional=True)
    other.load_parameters(tmp_path / "layer.params")
    np.testing.assert_array_equal(other(x).asnumpy(), layer(x).asnumpy())


def test_a_state_of_another_shape():
    layer = rnn.LSTM(4, input_size=3, prefix="lstm_")
    layer.initialize()
    with pytest.raises(
        InputError, match=r"LSTM `lstm`: Invalid recurrent state shape. Expecting \(1, 2, 4\), got \(1, 3, 4"
    ):
        layer(mx.nd.ones((5, 2, 3)), [mx.nd.ones((1, 3, 4)), mx.nd.ones((1, 2, 4))])


def test_wrong_arguments_of_layers():
    with pytest.raises(ArgumentError, match=r"RNN: Invalid layout NCT"):
        rnn.RNN(4, layout="NCT")
    with pytest.raises(ArgumentError, match=r"RNN: unknown activation: .*got activation='elu'"):
        rnn.RNN(4, activation="elu")
    with pytest.raises(NotSupportedError, match="LSTM `lstm`: _unfuse does not support projection"):
        rnn.LSTM(4, projection_size=2, prefix="lstm_")._unfuse()


def test_wrong_sequences():
    cell = rnn.RNNCell(4)
    with pytest.raises(ArgumentError, match="expected length=3, got 2 in inputs"):
        cell.unroll(3, mx.nd.ones((1, 2, 5)))
    with pytest.raises(ArgumentError, match="expected length=3, got 1 in inputs"):
        cell.unroll(3, [mx.nd.ones((1, 5))])
    with pytest.raises(ArgumentError, match="unroll: no inputs"):
        cell.unroll(3, None)
    with pytest.raises(ArgumentError, match="expected one symbol, or a list of them, got 2 outputs"):
        cell.unroll(2, mx.sym.Group([mx.sym.var("a"), mx.sym.var("b")]))


def test_wrapped_cells_are_called_through_their_wrapper():
    cell = rnn.GRUCell(4, prefix="gru_")
    rnn.ResidualCell(cell)
    with pytest.raises(ArgumentError, match="GRUCell `gru`: wrapped by a modifier"):
        cell.begin_state(batch_size=2)
    with pytest.raises(ArgumentError, match="Cell gru is already modified"):
        rnn.ZoneoutCell(cell)


def test_cells_that_cannot_step():
    both = rnn.BidirectionalCell(rnn.RNNCell(2), rnn.RNNCell(2))
    with pytest.raises(NotImplementedError, match="Bidirectional cannot be stepped"):
        both(mx.nd.ones((1, 2)), both.begin_state(batch_size=1))
    stack = rnn.SequentialRNNCell(prefix="stack_")
    stack.add(both)
    with pytest.raises(ArgumentError, match="SequentialRNNCell `stack`: cannot take a step"):
        stack(mx.nd.ones((1, 2)), both.begin_state(batch_size=1))
    with pytest.raises(ArgumentError, match="doesn't support zoneout"):
        rnn.ZoneoutCell(stack)
    with pytest.raises(ArgumentError, match="doesn't support variational state dropout"):
        mx.gluon.contrib.rnn.VariationalDropoutCell(both, drop_states=0.5)
    with pytest.raises(NotImplementedError, match="Use HybridSequentialRNNCell"):
        stack.hybrid_forward(mx.nd, mx.nd.ones((1, 2)), [])


def test_cells_must_say_what_they_are():
    with pytest.raises(NotImplementedError, match="RecurrentCell: no state_info"):
        rnn.RecurrentCell().state_info()
    with pytest.raises(NotImplementedError, match=r"HybridRecurrentCell: no hybrid_forward"):
        rnn.HybridRecurrentCell().hybrid_forward(mx.nd, mx.nd.ones((1,)))
    with pytest.raises(ArgumentError, match=r"rate must be a number: .*got rate='half'"):
        rnn.DropoutCell("half")
    with pytest.raises(ArgumentError, match="Only support odd number, get h2h_kernel= 2"):
        mx.gluon.contrib.rnn.Conv1DRNNCell((2, 5), 3, 3, 2)
    with pytest.raises(ArgumentError, match=r"For 2D convolution.*got i2h_kernel=\(3,\)"):
        mx.gluon.contrib.rnn.Conv2DRNNCell((2, 5, 5), 3, (3,), 3)


def test_states_are_made_by_any_function():
    cell = rnn.LSTMCell(3, prefix="lstm_")
    states = cell.begin_state(batch_size=2, func=mx.nd.ones)
    assert [s.asnumpy().sum() for s in states] == [6, 6]
    names = [s.name for s in cell.begin_state(func=mx.sym.var)]
    assert names == ["lstm_begin_state_2", "lstm_begin_state_3"]
    assert [s.shape for s in rnn.LSTM(3, 2, bidirectional=True).begin_state(5)] == [(4, 5, 3), (4, 5, 3)]


def test_zoneout_keeps_units_while_training():
    cell = rnn.ZoneoutCell(rnn.RNNCell(400), 0.5, 0.25)
    cell.initialize()
    start = [mx.nd.full((1, 400), 9.0)]
    with mx.autograd.train_mode():
        outputs, (state,) = cell(mx.nd.ones((1, 3)), start)
    assert 0.35 < (outputs.asnumpy() == 0).mean() < 0.65
    assert 0.15 < (state.asnumpy() == 9).mean() < 0.35
    cell.reset()
    _, (state,) = cell(mx.nd.ones((1, 3)), start)
    assert not (state.asnumpy() == 9).any()


def test_one_mask_for_a_whole_sequence():
    cell = mx.gluon.contrib.rnn.VariationalDropoutCell(rnn.RNNCell(50), drop_outputs=0.5)
    cell.initialize()
    with mx.autograd.train_mode():
        outputs, _ = cell.unroll(3, mx.nd.ones((1, 3, 2)), merge_outputs=True)
    dropped = outputs.asnumpy() == 0
    assert (dropped == dropped[:, :1]).all()
    assert 0 < dropped.mean() < 1


def test_a_shape_that_nothing_tells():
    symbol = mx.sym.zeros((0, 3)) * 2
    with pytest.raises(InputError, match=r"_zeros `.*`: shape is unknown: .*got shape=\(0, 3\)"):
        symbol.bind(mx.cpu(), {}).forward()
