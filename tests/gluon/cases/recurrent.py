"""Recurrent layers."""

from .case import Array, Case

_STEPS = (Array((5, 2, 3)),)
_BATCH = (Array((2, 4, 3)),)
_STATES = "the check: the states of a layer alone are inputs of its graph"


def _with_states(mx, make):
    """A block that gives the layer states and returns its own."""

    class WithStates(mx.gluon.HybridBlock):
        def __init__(self):
            super(WithStates, self).__init__(prefix="net_")
            with self.name_scope():
                self.layer = make(mx.gluon.rnn)

        def hybrid_forward(self, F, x, *states):
            outputs, last = self.layer(x, list(states))
            return [outputs, *last]

    return WithStates()


def _within(mx, layer):
    """A network of the layer alone, whose states are no inputs then."""
    net = mx.gluon.nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(layer(mx.gluon.rnn))
    return net


def _language_model(mx):
    """Words in, scores of the next words out: (N, T) gives (N, T, words)."""
    net = mx.gluon.nn.HybridSequential(prefix="model_")
    with net.name_scope():
        net.add(mx.gluon.nn.Embedding(10, 4))
        net.add(mx.gluon.rnn.LSTM(5, 2, layout="NTC"))
        net.add(mx.gluon.nn.Dense(10, flatten=False))
    return net


_WORDS = (Array((2, 4), kind="ints", grad=False),)

CASES = (
    Case("rnn", lambda mx: _within(mx, lambda rnn: rnn.RNN(4)), _STEPS),
    Case("rnn-tanh-ntc", lambda mx: _within(mx, lambda rnn: rnn.RNN(4, 2, "tanh", layout="NTC", input_size=3)), _BATCH),
    Case("lstm", lambda mx: mx.gluon.rnn.LSTM(4), _STEPS, onnx=_STATES),
    Case("lstm-within", lambda mx: _within(mx, lambda rnn: rnn.LSTM(4)), _STEPS),
    Case(
        "lstm-both-ways", lambda mx: _within(mx, lambda rnn: rnn.LSTM(3, 2, bidirectional=True, layout="NTC")), _BATCH
    ),
    Case("lstm-dropout", lambda mx: _within(mx, lambda rnn: rnn.LSTM(4, 2, dropout=0.5)), _STEPS, is_random=True),
    Case("gru", lambda mx: mx.gluon.rnn.GRU(4, prefix="gru_"), _STEPS, onnx=_STATES),
    Case("gru-both-ways", lambda mx: _within(mx, lambda rnn: rnn.GRU(3, 2, bidirectional=True)), _STEPS),
    Case(
        "lstm-states",
        lambda mx: _with_states(mx, lambda rnn: rnn.LSTM(3, 2, layout="TNC")),
        (Array((5, 2, 3)), Array((2, 2, 3)), Array((2, 2, 3))),
    ),
    Case(
        "gru-states",
        lambda mx: _with_states(mx, lambda rnn: rnn.GRU(3, bidirectional=True, layout="NTC")),
        (Array((5, 2, 3)), Array((2, 5, 3))),
        onnx="the check: the batch axis of a state is its second",
    ),
    Case("language-model", _language_model, _WORDS),
)
