"""Symbolic recurrent cells, under the name that MXNet's programs import them from."""

from gluonnx.rnn.base_cell import BaseRNNCell, RNNParams
from gluonnx.rnn.basic_cells import GRUCell, LSTMCell, RNNCell
from gluonnx.rnn.conv_cells import BaseConvRNNCell, ConvGRUCell, ConvLSTMCell, ConvRNNCell
from gluonnx.rnn.fused_cell import FusedRNNCell
from gluonnx.rnn.stacked_cells import (
    BidirectionalCell,
    DropoutCell,
    ModifierCell,
    ResidualCell,
    SequentialRNNCell,
    ZoneoutCell,
)

__all__ = [
    "BaseConvRNNCell",
    "BaseRNNCell",
    "BidirectionalCell",
    "ConvGRUCell",
    "ConvLSTMCell",
    "ConvRNNCell",
    "DropoutCell",
    "FusedRNNCell",
    "GRUCell",
    "LSTMCell",
    "ModifierCell",
    "RNNCell",
    "RNNParams",
    "ResidualCell",
    "SequentialRNNCell",
    "ZoneoutCell",
]
