"""Recurrent cells run over sequences by one loop, of any length."""

from collections.abc import Callable
from typing import Any

from gluonnx import ndarray, symbol
from gluonnx.errors import InputTypeError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol.symbol import Symbol

__all__ = ["dynamic_unroll"]

Cell = Callable[[Any, list[Any]], tuple[Any, list[Any]]]


def dynamic_unroll(
    cell: Cell,
    inputs: Any,
    begin_state: Any,
    drop_inputs: float = 0,
    drop_outputs: float = 0,
    layout: str = "TNC",
    valid_length: Any = None,
) -> tuple[Any, Any]:
    """Run a cell over the steps of a sequence with `F.contrib.foreach`; in a graph the length stays open.

    Args:
        cell: `cell(input, states)` returns (output, new states).
        inputs: An array or symbol (T, N, C) or, by the layout, (N, T, C); or a list of the steps, each (N, C).
        begin_state: The states to start from, a list of (N, ...).
        drop_inputs: Share of the inputs that Dropout sets to 0.
        drop_outputs: Share of the outputs.
        layout: Where time and batch are: `"TNC"` (which copies least) or `"NTC"`.
        valid_length: Length of each sequence (N,). Outputs beyond it are 0, and the states are those at its end.

    Returns:
        The outputs in the layout of the inputs, and the last states.

    Raises:
        InputTypeError: The inputs are neither arrays nor symbols.

    Source: MXNet 1.9.1 python/mxnet/gluon/contrib/rnn/rnn_cell.py, `dynamic_unroll`.
    """
    axis = layout.find("T")
    first = inputs[0] if isinstance(inputs, (list, tuple)) and inputs else inputs
    if not isinstance(first, (NDArray, Symbol)):
        raise InputTypeError(f"dynamic_unroll: wrong inputs: expected NDArrays or Symbols, got {type(first).__name__}.")
    F = symbol if isinstance(first, Symbol) else ndarray  # noqa: N806 - as in hybrid_forward
    if first is not inputs:
        inputs = F.stack(*inputs, axis=axis)
    axes = list(range(len(layout)))
    axes[0], axes[axis] = axes[axis], axes[0]
    if axis:
        inputs = F.transpose(inputs, axes=axes)
    if drop_inputs:
        inputs = F.Dropout(inputs, p=drop_inputs, axes=(axis,))
    if valid_length is None:
        outputs, states = F.contrib.foreach(cell, inputs, begin_state)
    else:
        outputs, states = _masked_loop(F, cell, inputs, begin_state, valid_length)
    if drop_outputs:
        outputs = F.Dropout(outputs, p=drop_outputs, axes=(axis,))
    if axis:
        outputs = F.transpose(outputs, axes=axes)
    if valid_length is not None:
        outputs = F.SequenceMask(outputs, sequence_length=valid_length, use_sequence_length=True, axis=axis)
    return outputs, states


def _masked_loop(F: Any, cell: Cell, inputs: Any, begin_state: Any, valid_length: Any) -> tuple[Any, list[Any]]:
    """Run the loop, in which a sequence that has ended keeps its states. A further state counts the steps."""

    def body(step: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        *before, number = states
        output, after = cell(step, before)
        is_running = F.broadcast_greater(valid_length, number)
        kept = [F.where(is_running, new, old) for new, old in zip(after, before, strict=True)]
        return output, [*kept, number + 1]

    states = list(begin_state) if isinstance(begin_state, (list, tuple)) else [begin_state]
    outputs, last = F.contrib.foreach(body, inputs, [*states, F.zeros((1,))])
    return outputs, last[:-1]
