"""Recurrent cells over whole sequences."""

from .case import Array, Case

_BATCH = (Array((2, 4, 3)),)
_LENGTHS = (Array((2, 4, 3)), Array((2,), kind="values", values=(3, 2), grad=False))


def unrolled(mx, make, layout="NTC", merge=True, length=4):
    """A block that runs a cell over a sequence."""

    class Unrolled(mx.gluon.HybridBlock):
        def __init__(self):
            super(Unrolled, self).__init__(prefix="net_")
            with self.name_scope():
                self.cell = make(mx.gluon.rnn)

        def hybrid_forward(self, F, x, valid=None):
            outputs, states = self.cell.unroll(length, x, layout=layout, merge_outputs=merge, valid_length=valid)
            # MXNet adds up no gradients of a state that is an output too.
            return [outputs, *states] if merge else outputs

    return Unrolled()


CASES = (
    Case("rnn-cell", lambda mx: unrolled(mx, lambda rnn: rnn.RNNCell(4)), _BATCH),
    Case("rnn-cell-list", lambda mx: unrolled(mx, lambda rnn: rnn.RNNCell(4, "relu"), merge=False), _BATCH),
    Case("lstm-cell", lambda mx: unrolled(mx, lambda rnn: rnn.LSTMCell(4)), _BATCH),
    Case(
        "lstm-cell-activations",
        lambda mx: unrolled(mx, lambda rnn: rnn.LSTMCell(3, activation="softrelu", recurrent_activation="softsign")),
        _BATCH,
    ),
    Case("gru-cell", lambda mx: unrolled(mx, lambda rnn: rnn.GRUCell(4)), _BATCH),
    Case("lstm-cell-lengths", lambda mx: unrolled(mx, lambda rnn: rnn.LSTMCell(4)), _LENGTHS),
    Case("gru-cell-lengths-list", lambda mx: unrolled(mx, lambda rnn: rnn.GRUCell(2), merge=False), _LENGTHS),
)
