"""A cell with one dropout mask for a whole sequence, and LSTM with projection."""

from typing import Any

from gluonnx.gluon.contrib.rnn.unrolling import dynamic_unroll
from gluonnx.gluon.parameter import ParameterDict
from gluonnx.gluon.rnn.base_cell import RecurrentCell, StateInfo
from gluonnx.gluon.rnn.basic_cells import GatedCell
from gluonnx.gluon.rnn.modifier_cells import ModifierCell, refuse_bidirectional
from gluonnx.gluon.rnn.sequences import ARRAYS, format_sequence, mask_sequence, starting_states

__all__ = ["LSTMPCell", "VariationalDropoutCell", "dynamic_unroll"]


class VariationalDropoutCell(ModifierCell):
    """Variational dropout: the same units are dropped at every step until `reset()`.

    Args:
        base_cell: The cell to change.
        drop_inputs: Share of the inputs that become 0.
        drop_states: Share of the first state.
        drop_outputs: Share of the outputs.

    Raises:
        ArgumentError: `drop_states` for a cell that cannot take single steps, or a cell that has been wrapped already.

    Source: Gal and Ghahramani, 2015, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks".
    """

    def __init__(
        self, base_cell: RecurrentCell, drop_inputs: float = 0.0, drop_states: float = 0.0, drop_outputs: float = 0.0
    ) -> None:
        if drop_states:
            refuse_bidirectional("variational state dropout", base_cell)
        super().__init__(base_cell)
        self.drop_inputs = drop_inputs
        self.drop_states = drop_states
        self.drop_outputs = drop_outputs
        self.reset()

    def _alias(self) -> str:
        return "vardrop"

    def reset(self) -> None:
        """Forget the masks, before another sequence."""
        super().reset()
        self.drop_inputs_mask: Any = None
        self.drop_states_mask: Any = None
        self.drop_outputs_mask: Any = None

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> tuple[Any, Any]:
        """Take one step; the first one draws the masks."""
        if self.drop_states:
            if self.drop_states_mask is None:
                self.drop_states_mask = F.Dropout(F.ones_like(states[0]), p=self.drop_states)
            states = [states[0] * self.drop_states_mask, *states[1:]]
        if self.drop_inputs:
            if self.drop_inputs_mask is None:
                self.drop_inputs_mask = F.Dropout(F.ones_like(inputs), p=self.drop_inputs)
            inputs = inputs * self.drop_inputs_mask
        output, next_states = self.base_cell(inputs, states)
        if self.drop_outputs:
            if self.drop_outputs_mask is None:
                self.drop_outputs_mask = F.Dropout(F.ones_like(output), p=self.drop_outputs)
            output = output * self.drop_outputs_mask
        return output, next_states

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p_out = {self.drop_outputs}, p_state = {self.drop_states})"

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Run the cell over a sequence, with dropout on all of it at once where states are not dropped.

        See `RecurrentCell.unroll`.
        """
        if self.drop_states:
            return super().unroll(length, inputs, begin_state, layout, merge_outputs, valid_length=valid_length)
        self.reset()
        inputs, axis, space, batch_size = format_sequence(length, inputs, layout, True)
        states = starting_states(self, space, begin_state, inputs, batch_size)
        if self.drop_inputs:
            inputs = space.Dropout(inputs, p=self.drop_inputs, axes=(axis,))
        outputs, states = self.base_cell.unroll(
            length, inputs, states, layout, merge_outputs=True, valid_length=valid_length
        )
        if self.drop_outputs:
            outputs = space.Dropout(outputs, p=self.drop_outputs, axes=(axis,))
        if merge_outputs is None:
            merge_outputs = isinstance(outputs, ARRAYS)
        outputs, *_ = format_sequence(length, outputs, layout, merge_outputs)
        if valid_length is not None:
            outputs = mask_sequence(space, outputs, length, valid_length, axis, merge_outputs)
        return outputs, states


class LSTMPCell(GatedCell):
    """LSTM whose output is projected: `r = W_r h`; states r (N, P) and c (N, H). See `LSTMCell` for the rest.

    Args:
        hidden_size: Units, H.
        projection_size: Features of the output, P.
        i2h_weight_initializer: Initializer of `i2h_weight` (4 * H, C).
        h2h_weight_initializer: Initializer of `h2h_weight` (4 * H, P).
        h2r_weight_initializer: Initializer of `h2r_weight` (P, H).
        i2h_bias_initializer: Initializer of `i2h_bias` (4 * H,).
        h2h_bias_initializer: Initializer of `h2h_bias` (4 * H,).
        input_size: Features of the input, C; 0 to learn it from the first step.
        prefix: See `Block`.
        params: Parameters to share with another cell.

    Source: Sak et al., 2014, "Long Short-Term Memory Based Recurrent Neural Network Architectures for Large Vocabulary
    Speech Recognition".
    """

    h2r_weight: Any

    def __init__(
        self,
        hidden_size: int,
        projection_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        h2r_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: ParameterDict | None = None,
    ) -> None:
        parameters = {
            "i2h_weight": ((4 * hidden_size, input_size), i2h_weight_initializer),
            "h2h_weight": ((4 * hidden_size, projection_size), h2h_weight_initializer),
            "h2r_weight": ((projection_size, hidden_size), h2r_weight_initializer),
            "i2h_bias": ((4 * hidden_size,), i2h_bias_initializer),
            "h2h_bias": ((4 * hidden_size,), h2h_bias_initializer),
        }
        super().__init__(hidden_size, input_size, parameters, prefix, params)
        self._projection_size = projection_size

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of the states r and c."""
        sizes = (self._projection_size, self._hidden_size)
        return [{"shape": (batch_size, size), "__layout__": "NC"} for size in sizes]

    def _alias(self) -> str:
        return "lstmp"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sizes()} -> {self._projection_size})"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        h2r_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> tuple[Any, list[Any]]:
        """Take one step."""
        step = f"t{self._counter}_"
        weights = (i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h, h2h = self._projections(F, inputs, states[0], weights, 4 * self._hidden_size)
        entry, forget, new, leave = F.SliceChannel(i2h + h2h, num_outputs=4, name=step + "slice")
        entry = F.Activation(entry, act_type="sigmoid", name=step + "i")
        forget = F.Activation(forget, act_type="sigmoid", name=step + "f")
        new = F.Activation(new, act_type="tanh", name=step + "c")
        leave = F.Activation(leave, act_type="sigmoid", name=step + "o")
        next_c = F.elemwise_add(forget * states[1], entry * new, name=step + "state")
        hidden = F.elemwise_mul(leave, F.Activation(next_c, act_type="tanh"), name=step + "hidden")
        next_r = F.FullyConnected(
            data=hidden, num_hidden=self._projection_size, weight=h2r_weight, no_bias=True, name=step + "out"
        )
        return next_r, [next_r, next_c]
