"""Cells with parameters of their own: RNNCell, LSTMCell, GRUCell."""

from typing import Any

from gluonnx.gluon.parameter import ParameterDict
from gluonnx.gluon.rnn.base_cell import HybridRecurrentCell, StateInfo

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class GatedCell(HybridRecurrentCell):
    """What the cells share: weights and biases from input to gates and from state to gates.

    Args of the cells:
        hidden_size: Units of the cell, H.
        i2h_weight_initializer: Initializer of `i2h_weight` (G*H, C), G the number of gates.
        h2h_weight_initializer: Initializer of `h2h_weight` (G*H, H).
        i2h_bias_initializer: Initializer of `i2h_bias` (G*H,).
        h2h_bias_initializer: Initializer of `h2h_bias` (G*H,).
        input_size: Features of the input, C; 0 to learn it from the first step.
        prefix: See `Block`.
        params: Parameters to share with another cell.
    """

    i2h_weight: Any
    h2h_weight: Any
    i2h_bias: Any
    h2h_bias: Any

    def __init__(
        self,
        hidden_size: int,
        input_size: int,
        parameters: dict[str, tuple[tuple[int, ...], Any]],
        prefix: str | None,
        params: ParameterDict | None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._hidden_size = hidden_size
        self._input_size = input_size
        for name, (shape, init) in parameters.items():
            setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def _states(self, batch_size: int, count: int) -> list[StateInfo]:
        return [{"shape": (batch_size, self._hidden_size), "__layout__": "NC"} for _ in range(count)]

    def _sizes(self) -> str:
        rows, columns = self.i2h_weight.shape
        return f"{columns or None} -> {rows}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sizes()})"

    def _projections(
        self,
        F: Any,
        inputs: Any,
        state: Any,
        weights: tuple[Any, Any, Any, Any],
        rows: int,
    ) -> tuple[Any, Any]:
        """Return what goes from the input and from the state to the gates."""
        i2h_weight, h2h_weight, i2h_bias, h2h_bias = weights
        step = f"t{self._counter}_"
        i2h = F.FullyConnected(data=inputs, weight=i2h_weight, bias=i2h_bias, num_hidden=rows, name=step + "i2h")
        h2h = F.FullyConnected(data=state, weight=h2h_weight, bias=h2h_bias, num_hidden=rows, name=step + "h2h")
        return i2h, h2h


class RNNCell(GatedCell):
    """Elman's cell: `h' = act(W_i x + b_i + W_h h + b_h)`; one state (N, H). See `GatedCell` for the arguments.

    Args:
        hidden_size: Units.
        activation: Name of the activation, or a function.
        i2h_weight_initializer: Initializer.
        h2h_weight_initializer: Initializer.
        i2h_bias_initializer: Initializer.
        h2h_bias_initializer: Initializer.
        input_size: Features of the input.
        prefix: See `Block`.
        params: Parameters to share.

    Examples:
        >>> import gluonnx as mx
        >>> cell = mx.gluon.rnn.RNNCell(4)
        >>> cell.initialize()
        >>> output, states = cell(mx.nd.ones((2, 3)), cell.begin_state(batch_size=2))
        >>> output.shape
        (2, 4)
    """

    def __init__(
        self,
        hidden_size: int,
        activation: Any = "tanh",
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: ParameterDict | None = None,
    ) -> None:
        rows = hidden_size
        parameters = {
            "i2h_weight": ((rows, input_size), i2h_weight_initializer),
            "h2h_weight": ((rows, hidden_size), h2h_weight_initializer),
            "i2h_bias": ((rows,), i2h_bias_initializer),
            "h2h_bias": ((rows,), h2h_bias_initializer),
        }
        super().__init__(hidden_size, input_size, parameters, prefix, params)
        self._activation = activation

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of the state."""
        return self._states(batch_size, 1)

    def _alias(self) -> str:
        return "rnn"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sizes()}, {self._activation})"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> tuple[Any, list[Any]]:
        """Take one step."""
        step = f"t{self._counter}_"
        weights = (i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h, h2h = self._projections(F, inputs, states[0], weights, self._hidden_size)
        total = F.elemwise_add(i2h, h2h, name=step + "plus0")
        output = self._get_activation(F, total, self._activation, name=step + "out")
        return output, [output]


class LSTMCell(GatedCell):
    """Long short-term memory; states h and c, (N, H) each. See `GatedCell` for the arguments.

    With the rows of the weights in the order i, f, g, o:
    `c' = f * c + i * g`, `h' = o * act(c')`, where i, f, o pass through `recurrent_activation` and g through
    `activation`.

    Args:
        hidden_size: Units.
        i2h_weight_initializer: Initializer.
        h2h_weight_initializer: Initializer.
        i2h_bias_initializer: Initializer.
        h2h_bias_initializer: Initializer.
        input_size: Features of the input.
        prefix: See `Block`.
        params: Parameters to share.
        activation: Name of the activation of the new content and of the cell's state.
        recurrent_activation: Name of the activation of the gates.

    Source: Hochreiter and Schmidhuber, 1997, "Long Short-Term Memory".
    """

    def __init__(
        self,
        hidden_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: ParameterDict | None = None,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
    ) -> None:
        rows = 4 * hidden_size
        parameters = {
            "i2h_weight": ((rows, input_size), i2h_weight_initializer),
            "h2h_weight": ((rows, hidden_size), h2h_weight_initializer),
            "i2h_bias": ((rows,), i2h_bias_initializer),
            "h2h_bias": ((rows,), h2h_bias_initializer),
        }
        super().__init__(hidden_size, input_size, parameters, prefix, params)
        self._activation = activation
        self._recurrent_activation = recurrent_activation

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of the states h and c."""
        return self._states(batch_size, 2)

    def _alias(self) -> str:
        return "lstm"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> tuple[Any, list[Any]]:
        """Take one step."""
        step = f"t{self._counter}_"
        weights = (i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h, h2h = self._projections(F, inputs, states[0], weights, 4 * self._hidden_size)
        gates = F.elemwise_add(i2h, h2h, name=step + "plus0")
        entry, forget, new, leave = F.SliceChannel(gates, num_outputs=4, name=step + "slice")
        entry = self._get_activation(F, entry, self._recurrent_activation, name=step + "i")
        forget = self._get_activation(F, forget, self._recurrent_activation, name=step + "f")
        new = self._get_activation(F, new, self._activation, name=step + "c")
        leave = self._get_activation(F, leave, self._recurrent_activation, name=step + "o")
        next_c = F.elemwise_add(
            F.elemwise_mul(forget, states[1], name=step + "mul0"),
            F.elemwise_mul(entry, new, name=step + "mul1"),
            name=step + "state",
        )
        shown = F.Activation(next_c, act_type=self._activation, name=step + "activation0")
        next_h = F.elemwise_mul(leave, shown, name=step + "out")
        return next_h, [next_h, next_c]


class GRUCell(GatedCell):
    """Gated recurrent unit; one state (N, H). See `GatedCell` for the arguments.

    With the rows of the weights in the order r, z, n: `n = tanh(W_n x + b_n + r * (U_n h + c_n))`,
    `h' = (1 - z) * n + z * h`, where r and z pass through a sigmoid. The reset gate r applies after the product, as in
    cuDNN.

    Args:
        hidden_size: Units.
        i2h_weight_initializer: Initializer.
        h2h_weight_initializer: Initializer.
        i2h_bias_initializer: Initializer.
        h2h_bias_initializer: Initializer.
        input_size: Features of the input.
        prefix: See `Block`.
        params: Parameters to share.

    Source: Cho et al., 2014, "Learning Phrase Representations using RNN Encoder-Decoder".
    """

    def __init__(
        self,
        hidden_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: ParameterDict | None = None,
    ) -> None:
        rows = 3 * hidden_size
        parameters = {
            "i2h_weight": ((rows, input_size), i2h_weight_initializer),
            "h2h_weight": ((rows, hidden_size), h2h_weight_initializer),
            "i2h_bias": ((rows,), i2h_bias_initializer),
            "h2h_bias": ((rows,), h2h_bias_initializer),
        }
        super().__init__(hidden_size, input_size, parameters, prefix, params)

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of the state."""
        return self._states(batch_size, 1)

    def _alias(self) -> str:
        return "gru"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> tuple[Any, list[Any]]:
        """Take one step."""
        step = f"t{self._counter}_"
        h = states[0]
        weights = (i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h, h2h = self._projections(F, inputs, h, weights, 3 * self._hidden_size)
        i2h_r, i2h_z, i2h_n = F.SliceChannel(i2h, num_outputs=3, name=step + "i2h_slice")
        h2h_r, h2h_z, h2h_n = F.SliceChannel(h2h, num_outputs=3, name=step + "h2h_slice")
        reset = F.Activation(F.elemwise_add(i2h_r, h2h_r, name=step + "plus0"), act_type="sigmoid", name=step + "r_act")
        update = F.Activation(
            F.elemwise_add(i2h_z, h2h_z, name=step + "plus1"), act_type="sigmoid", name=step + "z_act"
        )
        new = F.Activation(
            F.elemwise_add(i2h_n, F.elemwise_mul(reset, h2h_n, name=step + "mul0"), name=step + "plus2"),
            act_type="tanh",
            name=step + "h_act",
        )
        ones = F.ones_like(update, name=step + "ones_like0")
        next_h = F.elemwise_add(
            F.elemwise_mul(F.elemwise_sub(ones, update, name=step + "minus0"), new, name=step + "mul1"),
            F.elemwise_mul(update, h, name=step + "mul20"),
            name=step + "out",
        )
        return next_h, [next_h]
