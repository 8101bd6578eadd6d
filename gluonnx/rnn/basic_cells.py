"""Symbolic cells with weights of their own: RNNCell, LSTMCell, GRUCell."""

from collections.abc import Sequence
from typing import Any

from gluonnx import initializer, symbol
from gluonnx.rnn.base_cell import BaseRNNCell, RNNParams, StateInfo
from gluonnx.symbol.symbol import Symbol

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _GatedCell(BaseRNNCell):
    """What the cells share: the products of weights with input and state."""

    _state_count = 1

    def __init__(self, num_hidden: int, prefix: str, params: RNNParams | None, bias_init: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self._num_hidden = num_hidden
        self._iW = self.params.get("i2h_weight")
        self._iB = self.params.get("i2h_bias", **({} if bias_init is None else {"init": bias_init}))
        self._hW = self.params.get("h2h_weight")
        self._hB = self.params.get("h2h_bias")

    @property
    def state_info(self) -> list[StateInfo]:
        """Shape and layout of each state."""
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"} for _ in range(self._state_count)]

    def _products(self, inputs: Symbol, state: Symbol, name: str) -> tuple[Any, Any]:
        rows = self._num_hidden * len(self._gate_names)
        i2h = symbol.FullyConnected(data=inputs, weight=self._iW, bias=self._iB, num_hidden=rows, name=name + "i2h")
        h2h = symbol.FullyConnected(data=state, weight=self._hW, bias=self._hB, num_hidden=rows, name=name + "h2h")
        return i2h, h2h


class RNNCell(_GatedCell):
    """Elman's cell: `h' = act(W_i x + b_i + W_h h + b_h)`.

    Args:
        num_hidden: Units.
        activation: Name of the activation, or a function of symbols.
        prefix: Put before the names.
        params: Variables to share with another cell.
    """

    def __init__(
        self, num_hidden: int, activation: Any = "tanh", prefix: str = "rnn_", params: RNNParams | None = None
    ) -> None:
        super().__init__(num_hidden, prefix, params)
        self._activation = activation

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = self._products(inputs, states[0], name)
        output = self._get_activation(i2h + h2h, self._activation, name=name + "out")
        return output, [output]


class LSTMCell(_GatedCell):
    """Long short-term memory; see `gluon.rnn.LSTMCell`.

    Args:
        num_hidden: Units.
        prefix: Put before the names.
        params: Variables to share with another cell.
        forget_bias: Initial value of the bias of the forget gate.
    """

    _state_count = 2

    def __init__(
        self, num_hidden: int, prefix: str = "lstm_", params: RNNParams | None = None, forget_bias: float = 1.0
    ) -> None:
        super().__init__(num_hidden, prefix, params, initializer.LSTMBias(forget_bias=forget_bias))

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_i", "_f", "_c", "_o")

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = self._products(inputs, states[0], name)
        return lstm_step(i2h + h2h, states[1], name, _tanh)


class GRUCell(_GatedCell):
    """Gated recurrent unit; see `gluon.rnn.GRUCell`.

    Args:
        num_hidden: Units.
        prefix: Put before the names.
        params: Variables to share with another cell.
    """

    def __init__(self, num_hidden: int, prefix: str = "gru_", params: RNNParams | None = None) -> None:
        super().__init__(num_hidden, prefix, params)

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_r", "_z", "_o")

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = self._products(inputs, states[0], name + "_")  # MXNet writes two underscores
        return gru_step(i2h, h2h, states[0], name, _tanh)


def _tanh(inputs: Symbol, **kwargs: Any) -> Any:
    return symbol.Activation(inputs, act_type="tanh", **kwargs)


def lstm_step(gates: Symbol, cell: Symbol, name: str, activation: Any, axis: int = 1) -> tuple[Symbol, list[Symbol]]:
    """Return what a step of LSTM gives: output, and the states h and c.

    Args:
        gates: Sums for input, forget, new content and output gate, along `axis`.
        cell: The state c.
        name: Put before the names.
        activation: Of the new content and of the state.
        axis: Of the gates.
    """
    entry, forget, new, leave = symbol.SliceChannel(gates, num_outputs=4, name=name + "slice", axis=axis)
    entry = symbol.Activation(entry, act_type="sigmoid", name=name + "i")
    forget = symbol.Activation(forget, act_type="sigmoid", name=name + "f")
    new = activation(new, name=name + "c")
    leave = symbol.Activation(leave, act_type="sigmoid", name=name + "o")
    next_c = symbol._internal._plus(forget * cell, entry * new, name=name + "state")
    next_h = symbol._internal._mul(leave, activation(next_c), name=name + "out")
    return next_h, [next_h, next_c]


def gru_step(i2h: Symbol, h2h: Symbol, state: Symbol, name: str, activation: Any) -> tuple[Symbol, list[Symbol]]:
    """Return what a step of GRU gives: output, and the state."""
    i2h_r, i2h_z, i2h_n = symbol.SliceChannel(i2h, num_outputs=3, name=name + "_i2h_slice")
    h2h_r, h2h_z, h2h_n = symbol.SliceChannel(h2h, num_outputs=3, name=name + "_h2h_slice")
    reset = symbol.Activation(i2h_r + h2h_r, act_type="sigmoid", name=name + "_r_act")
    update = symbol.Activation(i2h_z + h2h_z, act_type="sigmoid", name=name + "_z_act")
    new = activation(i2h_n + reset * h2h_n, name=name + "_h_act")
    next_h = symbol._internal._plus((1.0 - update) * new, update * state, name=name + "out")
    return next_h, [next_h]
