"""Recurrent networks: layers that run whole sequences, and cells that run one step.

`rnn_layer` owns the layers. Of the cells, `base_cell` owns states and unrolling, `basic_cells` those with parameters,
`stacked_cells` those made of several, `modifier_cells` those around another one; `sequences` owns the two forms of a
sequence. `rnn_cell` gives them under MXNet's name.
"""

from gluonnx.gluon.rnn import rnn_cell, rnn_layer
from gluonnx.gluon.rnn.rnn_cell import (
    BidirectionalCell,
    DropoutCell,
    GRUCell,
    HybridRecurrentCell,
    HybridSequentialRNNCell,
    LSTMCell,
    ModifierCell,
    RecurrentCell,
    ResidualCell,
    RNNCell,
    SequentialRNNCell,
    ZoneoutCell,
)
from gluonnx.gluon.rnn.rnn_layer import GRU, LSTM, RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "BidirectionalCell",
    "DropoutCell",
    "GRUCell",
    "HybridRecurrentCell",
    "HybridSequentialRNNCell",
    "LSTMCell",
    "ModifierCell",
    "RNNCell",
    "RecurrentCell",
    "ResidualCell",
    "SequentialRNNCell",
    "ZoneoutCell",
    "rnn_cell",
    "rnn_layer",
]
