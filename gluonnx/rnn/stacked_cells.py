"""Symbolic cells made of cells, and cells around another one."""

import numbers
from collections.abc import Sequence
from typing import Any

from gluonnx import symbol
from gluonnx.errors import ArgumentError, NotSupportedError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.rnn.base_cell import Arrays, BaseRNNCell, RNNParams, StateInfo, normalize_sequence
from gluonnx.symbol.symbol import Symbol

__all__ = ["BidirectionalCell", "DropoutCell", "ModifierCell", "ResidualCell", "SequentialRNNCell", "ZoneoutCell"]


class _Cells(BaseRNNCell):
    """What cells made of cells share."""

    _override_cell_params: bool

    def _adopt(self, cells: Sequence[BaseRNNCell]) -> None:
        if self._override_cell_params:
            if not all(cell._own_params for cell in cells):
                raise ArgumentError(
                    f"{type(self).__name__}: params given twice: Either specify params for {type(self).__name__} or "
                    "child cells, not both."
                )
            for cell in cells:
                cell.params._params.update(self.params._params)
        for cell in cells:
            self.params._params.update(cell.params._params)

    @property
    def state_info(self) -> list[StateInfo]:
        """Shape and layout of the states of all cells."""
        return [info for cell in self._cells for info in cell.state_info]

    def begin_state(self, **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """Return states to start from for all cells; see `BaseRNNCell.begin_state`."""
        self._check_unmodified()
        return [state for cell in self._cells for state in cell.begin_state(**kwargs)]

    def unpack_weights(self, args: Arrays) -> dict[str, NDArray]:
        """Return arrays by name with the weights of all cells cut gate by gate."""
        found = dict(args)
        for cell in self._cells:
            found = cell.unpack_weights(found)
        return found

    def pack_weights(self, args: Arrays) -> dict[str, NDArray]:
        """Return arrays by name with what `unpack_weights` cut joined again."""
        found = dict(args)
        for cell in self._cells:
            found = cell.pack_weights(found)
        return found


class SequentialRNNCell(_Cells):
    """Cells on top of each other.

    Args:
        params: Variables of all cells together.
    """

    def __init__(self, params: RNNParams | None = None) -> None:
        super().__init__(prefix="", params=params)
        self._override_cell_params = params is not None
        self._cells = []

    def add(self, cell: BaseRNNCell) -> None:
        """Put a cell on top.

        Raises:
            ArgumentError: Both the stack and the cell were given variables.
        """
        self._cells.append(cell)
        self._adopt([cell])

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        self._counter += 1
        found: list[Any] = []
        start = 0
        for cell in self._cells:
            end = start + len(cell.state_info)
            inputs, state = cell(inputs, states[start:end])
            found += state
            start = end
        return inputs, found

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Add a sequence to a graph, one cell after another; see `BaseRNNCell.unroll`."""
        self.reset()
        states = self.begin_state() if begin_state is None else begin_state
        found: list[Any] = []
        start = 0
        for i, cell in enumerate(self._cells):
            end = start + len(cell.state_info)
            inputs, state = cell.unroll(
                length,
                inputs=inputs,
                begin_state=states[start:end],
                layout=layout,
                merge_outputs=None if i < len(self._cells) - 1 else merge_outputs,
            )
            found.extend(state)
            start = end
        return inputs, found


class BidirectionalCell(_Cells):
    """One cell that reads a sequence forward and one that reads it backward; outputs side by side.

    Args:
        l_cell: Reads forward.
        r_cell: Reads backward.
        params: Variables of both cells together.
        output_prefix: Put before the names of the outputs.
    """

    def __init__(
        self, l_cell: BaseRNNCell, r_cell: BaseRNNCell, params: RNNParams | None = None, output_prefix: str = "bi_"
    ) -> None:
        super().__init__("", params=params)
        self._output_prefix = output_prefix
        self._override_cell_params = params is not None
        self._adopt([l_cell, r_cell])
        self._cells = [l_cell, r_cell]

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Raise: there is no single step.

        Raises:
            NotImplementedError: Always.
        """
        raise NotSupportedError("BidirectionalCell: Bidirectional cannot be stepped. Please use unroll.")

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Add a sequence to a graph, read both ways; see `BaseRNNCell.unroll`."""
        self.reset()
        steps, axis = normalize_sequence(length, inputs, layout, False)
        states = self.begin_state() if begin_state is None else begin_state
        l_cell, r_cell = self._cells
        count = len(l_cell.state_info)
        rest = {"layout": layout, "merge_outputs": merge_outputs}
        left: Any
        right: Any
        left, l_states = l_cell.unroll(length, inputs=steps, begin_state=states[:count], **rest)  # type: ignore[arg-type]
        right, r_states = r_cell.unroll(length, inputs=steps[::-1], begin_state=states[count:], **rest)  # type: ignore[arg-type]
        if merge_outputs is None:
            merge_outputs = isinstance(left, Symbol) and isinstance(right, Symbol)
            if not merge_outputs:
                left, _ = normalize_sequence(length, left, layout, False)
                right, _ = normalize_sequence(length, right, layout, False)
        outputs: Any
        if merge_outputs:
            right = symbol.reverse(right, axis=axis)
            outputs = symbol.Concat(left, right, dim=2, name=f"{self._output_prefix}out")
        else:
            outputs = [
                symbol.Concat(l_o, r_o, dim=1, name=f"{self._output_prefix}t{i}")
                for i, (l_o, r_o) in enumerate(zip(left, reversed(right), strict=True))
            ]
        return outputs, [l_states, r_states]


class DropoutCell(BaseRNNCell):
    """Dropout on the input of each step; no states.

    Args:
        dropout: Share of the elements that become 0.
        prefix: Accepted.
        params: Accepted.

    Raises:
        ArgumentError: `dropout` is no number.
    """

    def __init__(self, dropout: float, prefix: str = "dropout_", params: RNNParams | None = None) -> None:
        super().__init__(prefix, params)
        if not isinstance(dropout, numbers.Number):
            raise ArgumentError(
                f"DropoutCell: dropout probability must be a number: expected a float, got dropout={dropout!r}."
            )
        self.dropout = dropout

    @property
    def state_info(self) -> list[StateInfo]:
        """No states."""
        return []

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        return symbol.Dropout(data=inputs, p=self.dropout) if self.dropout > 0 else inputs, list(states)

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Apply dropout to a whole sequence at once, or step by step; see `BaseRNNCell.unroll`."""
        self.reset()
        inputs, _ = normalize_sequence(length, inputs, layout, merge_outputs)
        if isinstance(inputs, Symbol):
            return self(inputs, [])
        return super().unroll(length, inputs, begin_state=begin_state, layout=layout, merge_outputs=merge_outputs)


class ModifierCell(BaseRNNCell):
    """A cell around another one, which from then on is called through it alone.

    Args:
        base_cell: The cell to change.
    """

    def __init__(self, base_cell: BaseRNNCell) -> None:
        super().__init__()
        base_cell._modified = True
        self.base_cell = base_cell

    @property
    def params(self) -> RNNParams:
        """The variables of the cell within."""
        self._own_params = False
        return self.base_cell.params

    @property
    def state_info(self) -> list[StateInfo]:
        """Shape and layout of the states of the cell within."""
        return self.base_cell.state_info

    def begin_state(self, init_sym: Any = symbol.zeros, **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """Return states to start from; see `BaseRNNCell.begin_state`."""
        self._check_unmodified()
        self.base_cell._modified = False
        try:
            return self.base_cell.begin_state(func=init_sym, **kwargs)
        finally:
            self.base_cell._modified = True

    def unpack_weights(self, args: Arrays) -> dict[str, NDArray]:
        """As the cell within."""
        return self.base_cell.unpack_weights(args)

    def pack_weights(self, args: Arrays) -> dict[str, NDArray]:
        """As the cell within."""
        return self.base_cell.pack_weights(args)


class ZoneoutCell(ModifierCell):
    """Zoneout: while training, units keep their value of the step before.

    Args:
        base_cell: The cell to change.
        zoneout_outputs: Share of the outputs that stay.
        zoneout_states: Share of the states that stay.

    Raises:
        ArgumentError: The cell cannot take single steps.
    """

    def __init__(self, base_cell: BaseRNNCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0) -> None:
        from gluonnx.rnn.fused_cell import FusedRNNCell

        for cell in (base_cell, *getattr(base_cell, "_cells", ())):
            if isinstance(cell, (FusedRNNCell, BidirectionalCell)):
                raise ArgumentError(
                    f"{type(cell).__name__} doesn't support zoneout: expected a cell that steps. Please unfuse first, "
                    "or add ZoneoutCell to the cells underneath instead."
                )
        super().__init__(base_cell)
        self.zoneout_outputs = zoneout_outputs
        self.zoneout_states = zoneout_states
        self.prev_output: Symbol | None = None

    def reset(self) -> None:
        """Forget the steps that were taken, before another graph."""
        super().reset()
        self.prev_output = None

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        output, next_states = self.base_cell(inputs, states)

        def keep(rate: float, new: Symbol, old: Symbol) -> Any:
            """Choose between new and old; the mask is 0 where a unit stays."""
            return symbol.where(symbol.Dropout(symbol.ones_like(new), p=rate), new, old)

        if self.zoneout_outputs != 0.0:
            before = symbol.zeros((0, 0)) if self.prev_output is None else self.prev_output
            output = keep(self.zoneout_outputs, output, before)
        if self.zoneout_states != 0.0:
            next_states = [keep(self.zoneout_states, n, o) for n, o in zip(next_states, states, strict=True)]
        self.prev_output = output
        return output, next_states


class ResidualCell(ModifierCell):
    """Adds the input of the cell to its output.

    Args:
        base_cell: The cell to change; its output has the size of its input.
    """

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        output, next_states = self.base_cell(inputs, states)
        return _with_residual(output, inputs), next_states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Add a sequence to a graph, and its inputs to the outputs; see `BaseRNNCell.unroll`."""
        self.reset()
        self.base_cell._modified = False
        try:
            outputs, states = self.base_cell.unroll(
                length, inputs=inputs, begin_state=begin_state, layout=layout, merge_outputs=merge_outputs
            )
        finally:
            self.base_cell._modified = True
        is_merged = isinstance(outputs, Symbol)
        inputs, _ = normalize_sequence(length, inputs, layout, is_merged)
        if is_merged:
            return _with_residual(outputs, inputs), states
        return [_with_residual(o, i) for o, i in zip(outputs, inputs, strict=True)], states


def _with_residual(output: Symbol, inputs: Symbol) -> Any:
    return symbol.elemwise_add(output, inputs, name=f"{output.name}_plus_residual")
