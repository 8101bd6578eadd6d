"""A network of several layers as one operator, with its weights in one flat vector."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from gluonnx import initializer, ndarray, symbol
from gluonnx.errors import ArgumentError, InputError, NotSupportedError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.rnn.base_cell import Arrays, BaseRNNCell, RNNParams, StateInfo, normalize_sequence
from gluonnx.rnn.basic_cells import GRUCell, LSTMCell, RNNCell
from gluonnx.rnn.stacked_cells import BidirectionalCell, DropoutCell, SequentialRNNCell
from gluonnx.symbol.symbol import Symbol

__all__ = ["FusedRNNCell"]

GATE_NAMES: dict[str, Sequence[str]] = {
    "rnn_relu": ("",),
    "rnn_tanh": ("",),
    "lstm": ("_i", "_f", "_c", "_o"),
    "gru": ("_r", "_z", "_o"),
}


class FusedRNNCell(BaseRNNCell):
    """All layers and steps of a network in the operator `RNN`.

    Args:
        num_hidden: Units of a cell.
        num_layers: Number of layers.
        mode: `"rnn_relu"`, `"rnn_tanh"`, `"lstm"` or `"gru"`.
        bidirectional: Whether a second network reads the sequence backward.
        dropout: Share of the outputs of each layer but the last that become 0 while training.
        get_next_state: Whether `unroll` gives the last states; an empty list otherwise.
        forget_bias: Initial value of the bias of the forget gate (lstm).
        prefix: Put before the names; the mode if None.
        params: Variables to share with another cell.

    Raises:
        ArgumentError: `mode` is none of these.
    """

    def __init__(
        self,
        num_hidden: int,
        num_layers: int = 1,
        mode: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        get_next_state: bool = False,
        forget_bias: float = 1.0,
        prefix: str | None = None,
        params: RNNParams | None = None,
    ) -> None:
        if mode not in GATE_NAMES:
            raise ArgumentError(
                f"FusedRNNCell: unknown mode: expected one of {', '.join(GATE_NAMES)}, got mode={mode!r}."
            )
        super().__init__(prefix=f"{mode}_" if prefix is None else prefix, params=params)
        self._num_hidden = num_hidden
        self._num_layers = num_layers
        self._mode = mode
        self._bidirectional = bidirectional
        self._dropout = dropout
        self._get_next_state = get_next_state
        self._directions = ["l", "r"] if bidirectional else ["l"]
        first = initializer.FusedRNN(None, num_hidden, num_layers, mode, bidirectional, forget_bias)
        self._parameter = self.params.get("parameters", init=first)

    @property
    def state_info(self) -> list[StateInfo]:
        """Shape and layout of each state."""
        shape = (len(self._directions) * self._num_layers, 0, self._num_hidden)
        return [{"shape": shape, "__layout__": "LNC"} for _ in range(2 if self._mode == "lstm" else 1)]

    @property
    def _gate_names(self) -> Sequence[str]:
        return GATE_NAMES[self._mode]

    def _pieces(self, features: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Give name and shape of every gate's weights and biases, in the order of the flat vector."""
        units, count = self._num_hidden, len(self._directions)
        for kind in ("weight", "bias"):
            for layer in range(self._num_layers):
                for direction in self._directions:
                    for group in ("i2h", "h2h"):
                        columns = (features if layer == 0 else count * units) if group == "i2h" else units
                        shape = (units, columns) if kind == "weight" else (units,)
                        for gate in self._gate_names:
                            yield f"{self._prefix}{direction}{layer}_{group}{gate}_{kind}", shape

    def unpack_weights(self, args: Arrays) -> dict[str, NDArray]:
        """Return arrays by name with the flat vector cut into every gate's weights and biases.

        Raises:
            InputError: The vector has a length that no input size gives.
        """
        found = dict(args)
        flat = found.pop(str(self._parameter.name))
        gates, units, count = len(self._gate_names), self._num_hidden, len(self._directions)
        rest = (self._num_layers - 1) * (units + count * units + 2) + units + 2
        features = flat.size // (count * units * gates) - rest
        start = 0
        for name, shape in self._pieces(features):
            size = shape[0] * (shape[1] if len(shape) == 2 else 1)
            found[name] = flat[start : start + size].reshape(shape).copy()
            start += size
        if start != flat.size:
            raise InputError(
                f"FusedRNNCell `{self._prefix}`: Invalid parameters size for FusedRNNCell: expected {start} values, "
                f"got {flat.size}."
            )
        return found

    def pack_weights(self, args: Arrays) -> dict[str, NDArray]:
        """Return arrays by name with what `unpack_weights` cut joined again."""
        found = dict(args)
        features = found[f"{self._prefix}l0_i2h{self._gate_names[0]}_weight"].shape[1]
        parts = [found.pop(name).reshape((-1,)) for name, _ in self._pieces(features)]
        found[str(self._parameter.name)] = ndarray.concatenate(parts)
        return found

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Raise: there is no single step.

        Raises:
            NotImplementedError: Always.
        """
        raise NotSupportedError("FusedRNNCell: FusedRNNCell cannot be stepped. Please use unroll.")

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Add a sequence to a graph; see `BaseRNNCell.unroll`.

        Raises:
            ArgumentError: `layout` is neither `"NTC"` nor `"TNC"`.
        """
        self.reset()
        inputs, axis = normalize_sequence(length, inputs, layout, True)
        if axis == 1:
            warnings.warn("NTC layout detected. Consider using TNC for FusedRNNCell for faster speed", stacklevel=2)
            inputs = symbol.swapaxes(inputs, dim1=0, dim2=1)
        elif axis != 0:
            raise ArgumentError(f"FusedRNNCell: Unsupported layout {layout}: expected NTC or TNC, got {layout!r}.")
        states = self.begin_state() if begin_state is None else begin_state
        network = symbol.RNN(
            data=inputs,
            parameters=self._parameter,
            **dict(zip(("state", "state_cell"), states, strict=False)),
            state_size=self._num_hidden,
            num_layers=self._num_layers,
            bidirectional=self._bidirectional,
            p=self._dropout,
            state_outputs=self._get_next_state,
            mode=self._mode,
            name=f"{self._prefix}rnn",
        )
        last: list[Symbol] = []
        if self._get_next_state:
            last = [network[i + 1] for i in range(len(states))]
            for state in last:
                state._set_attr(__layout__="LNC")
        outputs: Any = network[0]
        if axis == 1:
            outputs = symbol.swapaxes(outputs, dim1=0, dim2=1)
        outputs, _ = normalize_sequence(length, outputs, layout, merge_outputs)
        return outputs, last

    def unfuse(self) -> SequentialRNNCell:
        """Return cells that do what this one does, with the weights that `unpack_weights` gives."""
        stack = SequentialRNNCell()
        for layer in range(self._num_layers):
            cells = [self._cell(f"{self._prefix}{direction}{layer}_") for direction in self._directions]
            if self._bidirectional:
                stack.add(BidirectionalCell(cells[0], cells[1], output_prefix=f"{self._prefix}bi_l{layer}_"))
            else:
                stack.add(cells[0])
            if self._dropout > 0 and layer != self._num_layers - 1:
                stack.add(DropoutCell(self._dropout, prefix=f"{self._prefix}_dropout{layer}_"))
        return stack

    def _cell(self, prefix: str) -> BaseRNNCell:
        if self._mode == "lstm":
            return LSTMCell(self._num_hidden, prefix=prefix)
        if self._mode == "gru":
            return GRUCell(self._num_hidden, prefix=prefix)
        return RNNCell(self._num_hidden, activation=self._mode.removeprefix("rnn_"), prefix=prefix)
