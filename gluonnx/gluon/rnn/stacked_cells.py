"""Cells made of cells: one after another, or one in each direction."""

from typing import Any

from gluonnx.errors import ArgumentError, NotSupportedError
from gluonnx.gluon.rnn.base_cell import (
    HybridRecurrentCell,
    RecurrentCell,
    StateInfo,
    begin_states_of,
    states_of,
)
from gluonnx.gluon.rnn.sequences import (
    ARRAYS,
    format_sequence,
    mask_sequence,
    reverse_sequence,
    starting_states,
)

__all__ = ["BidirectionalCell", "HybridSequentialRNNCell", "SequentialRNNCell"]


class _Stack(RecurrentCell):
    """What both stacks do: each cell reads what the one before gives; states are those of all cells in order."""

    def add(self, cell: RecurrentCell) -> None:
        """Put a cell on top."""
        self.register_child(cell)

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of the states of all cells."""
        return states_of(self._children.values(), batch_size)

    def begin_state(self, **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """Return states to start from for all cells; see `RecurrentCell.begin_state`."""
        self._check_unmodified()
        return begin_states_of(self._children.values(), **kwargs)

    def __call__(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        """Take one step.

        Raises:
            ArgumentError: A cell is bidirectional and has no single steps.
        """
        self._counter += 1
        if any(isinstance(cell, BidirectionalCell) for cell in self._children.values()):
            raise ArgumentError(
                f"{type(self).__name__} `{self.name}`: cannot take a step: expected cells that step, got a "
                "BidirectionalCell. Call `unroll`."
            )
        found: list[Any] = []
        start = 0
        for cell in self._children.values():
            assert isinstance(cell, RecurrentCell)
            end = start + len(cell.state_info())
            inputs, state = cell(inputs, states[start:end])
            found += state
            start = end
        return inputs, found

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Run the cells over a sequence, one cell after another; see `RecurrentCell.unroll`."""
        self.reset()
        inputs, _, space, batch_size = format_sequence(length, inputs, layout, None)
        states = starting_states(self, space, begin_state, inputs, batch_size)
        found: list[Any] = []
        start = 0
        for i, cell in enumerate(self._children.values()):
            assert isinstance(cell, RecurrentCell)
            end = start + len(cell.state_info())
            inputs, state = cell.unroll(
                length,
                inputs=inputs,
                begin_state=states[start:end],
                layout=layout,
                merge_outputs=None if i < len(self._children) - 1 else merge_outputs,
                valid_length=valid_length,
            )
            found.extend(state)
            start = end
        return inputs, found

    def __repr__(self) -> str:
        lines = [f"({i}): " + repr(cell).replace("\n", "\n  ") for i, cell in self._children.items()]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"

    def __getitem__(self, i: int) -> Any:
        return self._children[str(i)]

    def __len__(self) -> int:
        return len(self._children)


class SequentialRNNCell(_Stack):
    """Cells on top of each other.

    Examples:
        >>> import gluonnx as mx
        >>> stack = mx.gluon.rnn.SequentialRNNCell()
        >>> stack.add(mx.gluon.rnn.LSTMCell(4))
        >>> stack.add(mx.gluon.rnn.GRUCell(5))
        >>> stack.initialize()
        >>> outputs, states = stack.unroll(3, mx.nd.ones((2, 3, 6)), merge_outputs=True)
        >>> outputs.shape, [s.shape for s in states]
        ((2, 3, 5), [(2, 4), (2, 4), (2, 5)])
    """

    def hybrid_forward(self, *args: Any, **kwargs: Any) -> Any:
        """Raise: the stack's cells need not be hybrid.

        Raises:
            NotImplementedError: Always.
        """
        raise NotSupportedError(
            f"{type(self).__name__}: has no hybrid_forward: expected hybrid cells. Use HybridSequentialRNNCell."
        )


class HybridSequentialRNNCell(_Stack, HybridRecurrentCell):
    """Hybrid cells on top of each other."""

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """Take one step."""
        return self(inputs, states)


class BidirectionalCell(HybridRecurrentCell):
    """One cell that reads a sequence forward and one that reads it backward; outputs side by side.

    Args:
        l_cell: Reads forward.
        r_cell: Reads backward.
        output_prefix: Put before the names of the outputs of symbols.
    """

    def __init__(self, l_cell: RecurrentCell, r_cell: RecurrentCell, output_prefix: str = "bi_") -> None:
        super().__init__(prefix="", params=None)
        self.register_child(l_cell, "l_cell")
        self.register_child(r_cell, "r_cell")
        self._output_prefix = output_prefix

    def __call__(self, inputs: Any, states: Any) -> Any:
        """Raise: there is no single step.

        Raises:
            NotImplementedError: Always.
        """
        raise NotSupportedError(
            f"{type(self).__name__} `{self.name}`: Bidirectional cannot be stepped. Please use unroll."
        )

    def __repr__(self) -> str:
        forward, backward = self._children["l_cell"], self._children["r_cell"]
        return f"{type(self).__name__}(forward={forward}, backward={backward})"

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of the states of both cells."""
        return states_of(self._children.values(), batch_size)

    def begin_state(self, **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """Return states to start from for both cells; see `RecurrentCell.begin_state`."""
        self._check_unmodified()
        return begin_states_of(self._children.values(), **kwargs)

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Run both cells over a sequence; see `RecurrentCell.unroll`."""
        self.reset()
        steps, axis, space, batch_size = format_sequence(length, inputs, layout, False)
        backward = reverse_sequence(steps, length, valid_length)
        states = starting_states(self, space, begin_state, steps, batch_size)
        l_cell, r_cell = self._children.values()
        assert isinstance(l_cell, RecurrentCell)
        assert isinstance(r_cell, RecurrentCell)
        count = len(l_cell.state_info(batch_size))
        l_outputs, l_states = l_cell.unroll(
            length,
            inputs=steps,
            begin_state=states[:count],
            layout=layout,
            merge_outputs=merge_outputs,
            valid_length=valid_length,
        )
        r_outputs, r_states = r_cell.unroll(
            length,
            inputs=backward,
            begin_state=states[count:],
            layout=layout,
            merge_outputs=False,
            valid_length=valid_length,
        )
        r_steps: Any = reverse_sequence(r_outputs, length, valid_length)
        if merge_outputs is None:
            merge_outputs = isinstance(l_outputs, ARRAYS)
            l_outputs, *_ = format_sequence(None, l_outputs, layout, merge_outputs)
            r_steps, *_ = format_sequence(None, r_steps, layout, merge_outputs)
        outputs: Any
        if merge_outputs:
            r_merged = r_steps if isinstance(r_steps, ARRAYS) else space.stack(*r_steps, axis=axis)
            outputs = space.concat(l_outputs, r_merged, dim=2, name=f"{self._output_prefix}out")
        else:
            outputs = [
                space.concat(left, right, dim=1, name=f"{self._output_prefix}t{i}")
                for i, (left, right) in enumerate(zip(l_outputs, r_steps, strict=True))
            ]
        if valid_length is not None:
            outputs = mask_sequence(space, outputs, length, valid_length, axis, merge_outputs)
        return outputs, l_states + r_states
