"""Cells made of cells, over whole sequences."""

from .case import Array, Case
from .recurrent_cells import unrolled

_BATCH = (Array((2, 2, 3)),)
_LENGTHS = (Array((2, 2, 3)), Array((2,), kind="values", values=(2, 1), grad=False))


def _stack(rnn):
    stack = rnn.HybridSequentialRNNCell(prefix="stack_")
    with stack.name_scope():
        stack.add(rnn.LSTMCell(3))
        stack.add(rnn.ResidualCell(rnn.GRUCell(3)))
        stack.add(rnn.DropoutCell(0.0))
    return stack


def _dropped(rate):
    def build(mx):
        cell = mx.gluon.contrib.rnn.VariationalDropoutCell
        return unrolled(mx, lambda rnn: cell(rnn.LSTMCell(3), drop_inputs=rate, drop_states=rate, drop_outputs=rate))

    return build


CASES = (
    Case("stack", lambda mx: unrolled(mx, _stack, length=2), _BATCH),
    Case("stack-lengths", lambda mx: unrolled(mx, _stack, length=2), _LENGTHS),
    Case(
        "zoneout",
        lambda mx: unrolled(mx, lambda rnn: rnn.ZoneoutCell(rnn.RNNCell(3), 0.5, 0.25), length=2),
        _BATCH,
        is_random=True,
    ),
    Case("residual", lambda mx: unrolled(mx, lambda rnn: rnn.ResidualCell(rnn.RNNCell(3)), length=2), _BATCH),
    Case(
        "residual-lengths", lambda mx: unrolled(mx, lambda rnn: rnn.ResidualCell(rnn.LSTMCell(3)), length=2), _LENGTHS
    ),
    Case("dropout-cell", lambda mx: unrolled(mx, lambda rnn: rnn.DropoutCell(0.5), length=2), _BATCH, is_random=True),
    Case(
        "lstmp-cell",
        lambda mx: unrolled(mx, lambda rnn: mx.gluon.contrib.rnn.LSTMPCell(4, 2)),
        (Array((2, 4, 3)),),
    ),
    Case("variational-dropout", _dropped(0.5), (Array((2, 4, 3)),), is_random=True),
    Case("variational-dropout-none", _dropped(0.0), (Array((2, 4, 3)),)),
)
