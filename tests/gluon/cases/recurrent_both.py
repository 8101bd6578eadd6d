"""Cells that read both ways, over whole sequences."""

from .case import Array, Case
from .recurrent_cells import unrolled

_BATCH = (Array((2, 2, 3)),)
_LENGTHS = (Array((2, 2, 3)), Array((2,), kind="values", values=(2, 1), grad=False))


def _both(rnn):
    return rnn.BidirectionalCell(rnn.GRUCell(2, prefix="l_"), rnn.LSTMCell(3, prefix="r_"))


CASES = (
    Case("both-ways", lambda mx: unrolled(mx, _both, length=2), _BATCH),
    Case("both-ways-list", lambda mx: unrolled(mx, _both, length=2, merge=False), _BATCH),
    Case("both-ways-lengths", lambda mx: unrolled(mx, _both, length=2), _LENGTHS),
)
