"""Recurrent cells, under the name that MXNet's programs import them from."""

from gluonnx.gluon.rnn.base_cell import HybridRecurrentCell, RecurrentCell
from gluonnx.gluon.rnn.basic_cells import GRUCell, LSTMCell, RNNCell
from gluonnx.gluon.rnn.modifier_cells import DropoutCell, ModifierCell, ResidualCell, ZoneoutCell
from gluonnx.gluon.rnn.sequences import format_sequence as _format_sequence
from gluonnx.gluon.rnn.sequences import mask_sequence as _mask_sequence_variable_length
from gluonnx.gluon.rnn.sequences import reverse_sequence as _reverse_sequences
from gluonnx.gluon.rnn.sequences import starting_states as _get_begin_state
from gluonnx.gluon.rnn.stacked_cells import BidirectionalCell, HybridSequentialRNNCell, SequentialRNNCell

__all__ = [
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
    "_format_sequence",
    "_get_begin_state",
    "_mask_sequence_variable_length",
    "_reverse_sequences",
]
