"""Cells that change what another cell does: Dropout, Zoneout, residual connections."""

import numbers
from typing import Any

from gluonnx import symbol
from gluonnx.errors import ArgumentError
from gluonnx.gluon.parameter import ParameterDict
from gluonnx.gluon.rnn.base_cell import HybridRecurrentCell, RecurrentCell, StateInfo
from gluonnx.gluon.rnn.sequences import ARRAYS, format_sequence, mask_sequence
from gluonnx.gluon.rnn.stacked_cells import BidirectionalCell

__all__ = ["DropoutCell", "ModifierCell", "ResidualCell", "ZoneoutCell"]


class DropoutCell(HybridRecurrentCell):
    """Dropout on the input of each step; no states.

    Args:
        rate: Share of the elements that become 0.
        axes: Axes along which one draw serves all.
        prefix: See `Block`.
        params: Accepted.

    Raises:
        ArgumentError: `rate` is no number.
    """

    def __init__(
        self, rate: float, axes: tuple[int, ...] = (), prefix: str | None = None, params: ParameterDict | None = None
    ) -> None:
        super().__init__(prefix, params)
        if not isinstance(rate, numbers.Number):
            raise ArgumentError(f"DropoutCell: rate must be a number: expected a float, got rate={rate!r}.")
        self._rate = rate
        self._axes = axes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rate={self._rate}, axes={self._axes})"

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return that there are no states."""
        return []

    def _alias(self) -> str:
        return "dropout"

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> tuple[Any, Any]:
        """Take one step."""
        if self._rate > 0:
            inputs = F.Dropout(data=inputs, p=self._rate, axes=self._axes, name=f"t{self._counter}_fwd")
        return inputs, states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Apply dropout to a whole sequence at once, or step by step; see `RecurrentCell.unroll`."""
        self.reset()
        inputs, _, space, _ = format_sequence(length, inputs, layout, merge_outputs)
        if isinstance(inputs, ARRAYS):
            return self.hybrid_forward(space, inputs, begin_state or [])
        return super().unroll(
            length, inputs, begin_state=begin_state, layout=layout, merge_outputs=merge_outputs, valid_length=None
        )


class ModifierCell(HybridRecurrentCell):
    """A cell around another one, which from then on is called through it alone.

    Args:
        base_cell: The cell to change.

    Raises:
        ArgumentError: The cell has been wrapped already.
    """

    def __init__(self, base_cell: RecurrentCell) -> None:
        if base_cell._modified:
            raise ArgumentError(
                f"Cell {base_cell.name} is already modified. One cell cannot be modified twice: expected a cell of its "
                "own."
            )
        base_cell._modified = True
        super().__init__(prefix=base_cell.prefix + self._alias(), params=None)
        self.base_cell = base_cell

    @property
    def params(self) -> ParameterDict:
        """The parameters of the cell within."""
        return self.base_cell.params

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of the states of the cell within."""
        return self.base_cell.state_info(batch_size)

    def begin_state(self, func: Any = symbol.zeros, **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """Return states to start from; see `RecurrentCell.begin_state`, but for symbols unless `func` is given."""
        self._check_unmodified()
        self.base_cell._modified = False
        try:
            return self.base_cell.begin_state(func=func, **kwargs)
        finally:
            self.base_cell._modified = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_cell})"


def refuse_bidirectional(what: str, base_cell: RecurrentCell) -> None:
    """Raise for cells that cannot take single steps.

    Raises:
        ArgumentError: The cell is bidirectional, or a stack with such a cell.
    """
    cells = [base_cell, *base_cell._children.values()]
    if any(isinstance(cell, BidirectionalCell) for cell in cells):
        raise ArgumentError(
            f"BidirectionalCell doesn't support {what} since it doesn't support step: expected a cell that steps, got "
            f"{base_cell!r}. Wrap the cells underneath instead."
        )


class ZoneoutCell(ModifierCell):
    """Zoneout: while training, units keep their value of the step before.

    Args:
        base_cell: The cell to change.
        zoneout_outputs: Share of the outputs that stay.
        zoneout_states: Share of the states that stay.

    Raises:
        ArgumentError: The cell cannot take single steps, or has been wrapped already.

    Source: Krueger et al., 2016, "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations".
    """

    def __init__(self, base_cell: RecurrentCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0) -> None:
        refuse_bidirectional("zoneout", base_cell)
        super().__init__(base_cell)
        self.zoneout_outputs = zoneout_outputs
        self.zoneout_states = zoneout_states
        self._prev_output: Any = None

    def __repr__(self) -> str:
        rates = f"p_out={self.zoneout_outputs}, p_state={self.zoneout_states}"
        return f"{type(self).__name__}({rates}, {self.base_cell})"

    def _alias(self) -> str:
        return "zoneout"

    def reset(self) -> None:
        """Forget the steps that were taken, before another sequence."""
        super().reset()
        self._prev_output = None

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> tuple[Any, Any]:
        """Take one step."""
        output, next_states = self.base_cell(inputs, states)

        def keep(rate: float, new: Any, old: Any) -> Any:
            """Choose between new and old; the mask is 0 where a unit stays."""
            return F.where(F.Dropout(F.ones_like(new), p=rate), new, old)

        before = F.zeros_like(output) if self._prev_output is None else self._prev_output
        if self.zoneout_outputs != 0.0:
            output = keep(self.zoneout_outputs, output, before)
        if self.zoneout_states != 0.0:
            next_states = [keep(self.zoneout_states, new, old) for new, old in zip(next_states, states, strict=True)]
        self._prev_output = output
        return output, next_states


class ResidualCell(ModifierCell):
    """Adds the input of the cell to its output.

    Args:
        base_cell: The cell to change; its output has the size of its input.

    Source: Wu et al., 2016, "Google's Neural Machine Translation System".
    """

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> tuple[Any, Any]:
        """Take one step."""
        output, states = self.base_cell(inputs, states)
        return F.elemwise_add(output, inputs, name=f"t{self._counter}_fwd"), states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Run the cell within over a sequence and add the inputs; see `RecurrentCell.unroll`."""
        self.reset()
        self.base_cell._modified = False
        try:
            outputs, states = self.base_cell.unroll(
                length,
                inputs=inputs,
                begin_state=begin_state,
                layout=layout,
                merge_outputs=merge_outputs,
                valid_length=valid_length,
            )
        finally:
            self.base_cell._modified = True
        if merge_outputs is None:
            merge_outputs = isinstance(outputs, ARRAYS)
        inputs, axis, space, _ = format_sequence(length, inputs, layout, merge_outputs)
        if valid_length is not None:
            inputs = mask_sequence(space, inputs, length, valid_length, axis, merge_outputs)
        if merge_outputs:
            return space.elemwise_add(outputs, inputs), states
        return [space.elemwise_add(o, i) for o, i in zip(outputs, inputs, strict=True)], states
