"""Layers that run a recurrent network over whole sequences: RNN, LSTM, GRU."""

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from gluonnx import ndarray, symbol
from gluonnx.errors import ArgumentError, InputError, NotSupportedError
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.parameter import Parameter
from gluonnx.gluon.rnn.base_cell import StateInfo
from gluonnx.gluon.rnn.basic_cells import GRUCell, LSTMCell, RNNCell
from gluonnx.gluon.rnn.modifier_cells import DropoutCell
from gluonnx.gluon.rnn.sequences import ARRAYS
from gluonnx.gluon.rnn.stacked_cells import BidirectionalCell, HybridSequentialRNNCell
from gluonnx.ndarray.ndarray import NDArray, on_context
from gluonnx.ops.recurrent import GATES

__all__ = ["GRU", "LSTM", "RNN"]

LAYOUTS = ("TNC", "NTC")
_PARAMETER = re.compile(r"(l|r)(\d+)_(i2h|h2h|h2r)_(weight|bias)\Z")


class _RNNLayer(HybridBlock):
    """What the layers share.

    `layer(inputs)` gives the outputs; `layer(inputs, states)` gives outputs and the last states. `inputs` are
    (T, N, C), outputs (T, N, H), or (T, N, 2 * H) of both directions; (N, T, ...) with `layout="NTC"`. States are
    (L * D, N, H) each, L layers and D directions. Parameters are those of the cells: `l0_i2h_weight`, ...

    Args of the layers:
        hidden_size: Units of a cell, H.
        num_layers: Number of layers.
        layout: `"TNC"` or `"NTC"`.
        dropout: Share of the outputs of each layer but the last that become 0 while training.
        bidirectional: Whether a second network reads the sequence backward; outputs are side by side.
        input_size: Features of the input, C; 0 to learn it from the first call.
        i2h_weight_initializer: Initializer of the weights from input to gates.
        h2h_weight_initializer: Initializer of the weights from state to gates.
        i2h_bias_initializer: Initializer of the biases of the first.
        h2h_bias_initializer: Initializer of the biases of the second.
        dtype: Element type of parameters and states.
        use_sequence_length: Whether a call has a third argument `sequence_length` (N,): steps beyond do not count,
            their outputs are 0.
        prefix: See `Block`.
        params: Parameters to share with another layer.

    Raises:
        ArgumentError: `layout` is none of these.
    """

    _dropout: float
    _cells: ClassVar[dict[str, Callable[..., Any]]] = {
        "rnn_relu": lambda size, **kwargs: RNNCell(size, activation="relu", **kwargs),
        "rnn_tanh": lambda size, **kwargs: RNNCell(size, activation="tanh", **kwargs),
        "lstm": LSTMCell,
        "gru": GRUCell,
    }

    def __init__(
        self,
        hidden_size: int,
        num_layers: int,
        layout: str,
        dropout: float,
        bidirectional: bool,
        input_size: int,
        i2h_weight_initializer: Any,
        h2h_weight_initializer: Any,
        i2h_bias_initializer: Any,
        h2h_bias_initializer: Any,
        mode: str,
        dtype: Any,
        *,
        projection_size: int | None = None,
        h2r_weight_initializer: Any = None,
        lstm_state_clip_min: float | None = None,
        lstm_state_clip_max: float | None = None,
        lstm_state_clip_nan: bool = False,
        use_sequence_length: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if layout not in LAYOUTS:
            raise ArgumentError(
                f"{type(self).__name__}: Invalid layout {layout}; must be one of ['TNC' or 'NTC']: expected one of "
                f"these, got layout={layout!r}."
            )
        self._hidden_size = hidden_size
        self._projection_size = projection_size or None
        self._num_layers = num_layers
        self._mode = mode
        self._layout = layout
        self._dropout = dropout
        self._dir = 2 if bidirectional else 1
        self._input_size = input_size
        self._initializers = {
            "i2h_weight": i2h_weight_initializer,
            "h2h_weight": h2h_weight_initializer,
            "h2r_weight": h2r_weight_initializer,
            "i2h_bias": i2h_bias_initializer,
            "h2h_bias": h2h_bias_initializer,
        }
        self._clip = {
            "lstm_state_clip_min": lstm_state_clip_min,
            "lstm_state_clip_max": lstm_state_clip_max,
            "lstm_state_clip_nan": lstm_state_clip_nan,
        }
        self._dtype = dtype
        self._use_sequence_length = use_sequence_length
        self.skip_states: bool | None = None
        self._traced_skip: bool | None = None
        self._gates = GATES[mode]
        self._add_parameters()

    def _add_parameters(self) -> None:
        rows, output = self._gates * self._hidden_size, self._projection_size or self._hidden_size
        columns = self._input_size
        for layer, direction in self._places():
            if layer and direction == "l":
                columns = output * self._dir
            shapes: dict[str, tuple[int, ...]] = {
                "i2h_weight": (rows, columns),
                "h2h_weight": (rows, output),
                "i2h_bias": (rows,),
                "h2h_bias": (rows,),
            }
            if self._projection_size:
                shapes["h2r_weight"] = (self._projection_size, self._hidden_size)
            for kind, shape in shapes.items():
                self._register_param(f"{direction}{layer}_{kind}", shape, self._initializers[kind], self._dtype)

    def _places(self) -> Iterator[tuple[int, str]]:
        for layer in range(self._num_layers):
            for direction in ("l", "r")[: self._dir]:
                yield layer, direction

    def _register_param(self, name: str, shape: tuple[int, ...], init: Any, dtype: Any) -> Parameter:
        param = self.params.get(name, shape=shape, init=init, allow_deferred_init=True, dtype=dtype)
        setattr(self, name, param)
        return param

    def __repr__(self) -> str:
        rows, columns = self._reg_params["l0_i2h_weight"].shape or (0, 0)
        text = f"{type(self).__name__}({columns or None} -> {rows // self._gates}, {self._layout}"
        if self._num_layers != 1:
            text += f", num_layers={self._num_layers}"
        if self._dropout != 0:
            text += f", dropout={self._dropout}"
        return text + (", bidirectional" if self._dir == 2 else "") + ")"

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Parameter]:
        """The parameters by the paths that files have: those of the cells that the layer stands for."""
        if prefix:
            prefix += "."
        found = {}
        for name, param in self._reg_params.items():
            match = _PARAMETER.match(name)
            assert match is not None
            direction, layer, gate, kind = match.groups()
            cell = f".{direction}_cell." if self._dir == 2 else "."
            found[f"{prefix}_unfused.{layer}{cell}{gate}_{kind}"] = param
        return found

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape, layout and dtype of each state."""
        return [self._state(batch_size, self._hidden_size)]

    def _state(self, batch_size: int, size: int) -> StateInfo:
        shape = (self._num_layers * self._dir, batch_size, size)
        return {"shape": shape, "__layout__": "LNC", "dtype": self._dtype}

    def _unfuse(self) -> HybridSequentialRNNCell:
        """Return cells that do what the layer does, with the same parameters.

        Raises:
            NotSupportedError: There are no such cells for projection and clipping.
        """
        if self._projection_size or self._clip["lstm_state_clip_min"] or self._clip["lstm_state_clip_max"]:
            raise NotSupportedError(
                f"{type(self).__name__} `{self.name}`: _unfuse does not support projection or state clipping: expected "
                "a layer without. Unroll it with `layer(inputs, states)` instead."
            )
        stack = HybridSequentialRNNCell(prefix=self.prefix, params=self.params)
        initializers = {f"{k}_initializer": v for k, v in self._initializers.items() if k != "h2r_weight"}
        size = self._input_size
        with stack.name_scope():
            for layer in range(self._num_layers):
                cells = [
                    self._cells[self._mode](
                        self._hidden_size, input_size=size, prefix=f"{direction}{layer}_", **initializers
                    )
                    for direction in ("l", "r")[: self._dir]
                ]
                stack.add(cells[0] if self._dir == 1 else BidirectionalCell(*cells))
                if self._dropout > 0 and layer != self._num_layers - 1:
                    stack.add(DropoutCell(self._dropout))
                size = self._hidden_size * self._dir
        return stack

    def cast(self, dtype: Any) -> None:
        """Change the element type of parameters and states."""
        super().cast(dtype)
        self._dtype = dtype

    def begin_state(self, batch_size: int = 0, func: Callable[..., Any] = ndarray.zeros, **kwargs: Any) -> list[Any]:
        """Return states to start from; see `RecurrentCell.begin_state`."""
        return [
            func(name=f"{self.prefix}h0_{i}", **{**info, **kwargs})
            for i, info in enumerate(self.state_info(batch_size))
        ]

    def _zeros_like(self, inputs: NDArray) -> list[NDArray]:
        """Return states of zeros for a batch; `begin_state` the short way, for it is called at every step."""
        tensor, ctx = inputs._t, inputs.context
        batch_size = tensor.shape[self._layout.find("N")]
        return [on_context(tensor.new_zeros(info["shape"]), ctx) for info in self.state_info(batch_size)]

    def __call__(self, inputs: Any, states: Any = None, sequence_length: Any = None) -> Any:
        """Run the network over a sequence.

        Args:
            inputs: (T, N, C), or (N, T, C) with `layout="NTC"`.
            states: States to start from, one or a list; zeros if None.
            sequence_length: (N,), under `use_sequence_length`.

        Returns:
            The outputs; with `states`, outputs and last states.

        Raises:
            InputError: A state has another shape.
        """
        if isinstance(inputs, NDArray) and inputs.ndim != 3:
            raise InputError(
                f"{type(self).__name__} `{self.name}`: wrong rank of input: expected 3 axes, {self._layout}, got "
                f"{inputs.shape}."
            )
        self.skip_states = states is None
        if states is None:
            is_array = isinstance(inputs, NDArray)
            states = self._zeros_like(inputs) if is_array else self.begin_state(0, func=symbol.zeros)
        if isinstance(states, ARRAYS):
            states = [states]
        if self._trace is not None and self._traced_skip != self.skip_states:
            self._clear()  # what was traced gives states where none are wanted, or the reverse
        self._traced_skip = self.skip_states
        if self._use_sequence_length:
            return super().__call__(inputs, states, sequence_length)
        return super().__call__(inputs, states)

    def hybrid_forward(  # type: ignore[override]
        self,
        F: Any,
        inputs: Any,
        states: Any,
        sequence_length: Any = None,
        **params: Any,
    ) -> Any:
        """Run the network over a sequence."""
        if F is ndarray:
            batch_size = inputs.shape[self._layout.find("N")]
            for state, info in zip(states, self.state_info(batch_size), strict=False):
                if state.shape != info["shape"]:
                    raise InputError(
                        f"{type(self).__name__} `{self.name}`: Invalid recurrent state shape. Expecting "
                        f"{info['shape']}, got {state.shape}."
                    )
        outputs, states = self._run(F, inputs, states, sequence_length, params)
        return outputs if self.skip_states else (outputs, states)

    def _run(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        sequence_length: Any,
        params: dict[str, Any],
    ) -> tuple[Any, list[Any]]:
        if self._layout == "NTC":
            inputs = F.swapaxes(inputs, 0, 1)
        gates = ("i2h", "h2h", "h2r") if self._projection_size else ("i2h", "h2h")
        pieces = [
            params[f"{direction}{layer}_{gate}_{kind}"].reshape(-1)
            for kind in ("weight", "bias")
            for layer, direction in self._places()
            for gate in gates
            if (gate, kind) != ("h2r", "bias")
        ]
        flat = F._internal._rnn_param_concat(*pieces, dim=0)
        named = {"sequence_length": sequence_length} if self._use_sequence_length else {}
        outputs, *last = F.RNN(
            inputs,
            flat,
            *states,
            **named,
            use_sequence_length=self._use_sequence_length,
            state_size=self._hidden_size,
            projection_size=self._projection_size,
            num_layers=self._num_layers,
            bidirectional=self._dir == 2,
            p=self._dropout,
            state_outputs=True,
            mode=self._mode,
            **self._clip,
        )
        return F.swapaxes(outputs, 0, 1) if self._layout == "NTC" else outputs, last


class RNN(_RNNLayer):
    """Elman's network of several layers: `h' = act(W_i x + b_i + W_h h + b_h)`. See `_RNNLayer` for the rest.

    Args:
        hidden_size: Units of a cell.
        num_layers: Number of layers.
        activation: `"relu"` or `"tanh"`.
        layout: `"TNC"` or `"NTC"`.
        dropout: Dropout between layers.
        bidirectional: Whether there are two directions.
        i2h_weight_initializer: Initializer.
        h2h_weight_initializer: Initializer.
        i2h_bias_initializer: Initializer.
        h2h_bias_initializer: Initializer.
        input_size: Features of the input.
        dtype: Element type.
        **kwargs: `use_sequence_length`, `prefix`, `params`.

    Examples:
        >>> import gluonnx as mx
        >>> layer = mx.gluon.rnn.RNN(100, 3)
        >>> layer.initialize()
        >>> input = mx.nd.random.uniform(shape=(5, 3, 10))
        >>> output = layer(input)
        >>> h0 = mx.nd.random.uniform(shape=(3, 3, 100))
        >>> output, hn = layer(input, h0)
        >>> output.shape, hn[0].shape
        ((5, 3, 100), (3, 3, 100))
    """

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        activation: str = "relu",
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            _rnn_mode(activation),
            dtype,
            **kwargs,
        )


def _rnn_mode(activation: str) -> str:
    if activation not in ("relu", "tanh"):
        raise ArgumentError(
            f"RNN: unknown activation: expected 'relu' or 'tanh', got activation={activation!r}. RNNCell has others."
        )
    return "rnn_" + activation


class LSTM(_RNNLayer):
    """Long short-term memory of several layers; states h and c. See `LSTMCell` and `_RNNLayer`.

    Args:
        hidden_size: Units of a cell.
        num_layers: Number of layers.
        layout: `"TNC"` or `"NTC"`.
        dropout: Dropout between layers.
        bidirectional: Whether there are two directions.
        input_size: Features of the input.
        i2h_weight_initializer: Initializer.
        h2h_weight_initializer: Initializer.
        i2h_bias_initializer: Initializer.
        h2h_bias_initializer: Initializer.
        projection_size: Features P to which `h2r_weight` (P, H) reduces what a cell gives; then outputs and h have P.
        h2r_weight_initializer: Initializer.
        state_clip_min: Lower bound of c, if there is an upper one too.
        state_clip_max: Upper bound of c, if there is a lower one too.
        state_clip_nan: Whether NaN in c becomes the lower bound.
        dtype: Element type.
        **kwargs: `use_sequence_length`, `prefix`, `params`.

    Examples:
        >>> import gluonnx as mx
        >>> layer = mx.gluon.rnn.LSTM(100, 3)
        >>> layer.initialize()
        >>> input = mx.nd.random.uniform(shape=(5, 3, 10))
        >>> output = layer(input)
        >>> h0 = mx.nd.random.uniform(shape=(3, 3, 100))
        >>> c0 = mx.nd.random.uniform(shape=(3, 3, 100))
        >>> output, hn = layer(input, [h0, c0])
        >>> output.shape, hn[1].shape
        ((5, 3, 100), (3, 3, 100))
    """

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        input_size: int = 0,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        projection_size: int | None = None,
        h2r_weight_initializer: Any = None,
        state_clip_min: float | None = None,
        state_clip_max: float | None = None,
        state_clip_nan: bool = False,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            "lstm",
            dtype,
            projection_size=projection_size,
            h2r_weight_initializer=h2r_weight_initializer,
            lstm_state_clip_min=state_clip_min,
            lstm_state_clip_max=state_clip_max,
            lstm_state_clip_nan=state_clip_nan,
            **kwargs,
        )

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape, layout and dtype of the states h and c."""
        sizes = (self._projection_size or self._hidden_size, self._hidden_size)
        return [self._state(batch_size, size) for size in sizes]


class GRU(_RNNLayer):
    """Gated recurrent units of several layers. See `GRUCell` for the formula, `_RNNLayer` for the rest.

    Args:
        hidden_size: Units of a cell.
        num_layers: Number of layers.
        layout: `"TNC"` or `"NTC"`.
        dropout: Dropout between layers.
        bidirectional: Whether there are two directions.
        input_size: Features of the input.
        i2h_weight_initializer: Initializer.
        h2h_weight_initializer: Initializer.
        i2h_bias_initializer: Initializer.
        h2h_bias_initializer: Initializer.
        dtype: Element type.
        **kwargs: `use_sequence_length`, `prefix`, `params`.

    Examples:
        >>> import gluonnx as mx
        >>> layer = mx.gluon.rnn.GRU(100, 3)
        >>> layer.initialize()
        >>> input = mx.nd.random.uniform(shape=(5, 3, 10))
        >>> output = layer(input)
        >>> h0 = mx.nd.random.uniform(shape=(3, 3, 100))
        >>> output, hn = layer(input, h0)
        >>> output.shape, hn[0].shape
        ((5, 3, 100), (3, 3, 100))
    """

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        input_size: int = 0,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            "gru",
            dtype,
            **kwargs,
        )
