"""Sequences as cells take and give them: one array with an axis of time, or a list with an array a step."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from gluonnx import ndarray, symbol
from gluonnx.errors import ArgumentError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol.symbol import Symbol

ARRAYS = (NDArray, Symbol)
"""What one array or symbol is."""


def space_of(inputs: Any) -> ModuleType:
    """Return the namespace of operators for an array, a symbol, or a list of them: `nd` or `sym`."""
    first = inputs if isinstance(inputs, ARRAYS) else inputs[0]
    return symbol if isinstance(first, Symbol) else ndarray


def as_list(value: Any) -> list[Any]:
    """Return what an operator gave as a list of its outputs, also where it was one array."""
    return list(value) if isinstance(value, (list, tuple, Symbol)) else [value]


def format_sequence(
    length: int | None, inputs: Any, layout: str, merge: bool | None, in_layout: str | None = None
) -> tuple[Any, int, ModuleType, int]:
    """Merge or split a sequence.

    Args:
        length: Number of steps; None: as many as there are.
        inputs: An array of `in_layout`, or a list of arrays (N, ...).
        layout: Wanted layout of a merged sequence, such as `"NTC"`.
        merge: True: to one array; False: to a list; None: as it is.
        in_layout: Layout of `inputs`; `layout` if None.

    Returns:
        (the sequence, axis of time, namespace of operators, batch size or 0 for symbols).

    Raises:
        ArgumentError: No inputs, another number of steps than `length`, or a symbol of several outputs.
    """
    if inputs is None:
        raise ArgumentError(
            "unroll: no inputs: expected arrays or symbols, got inputs=None. Please create input variables outside "
            "unroll."
        )
    axis, batch_axis = layout.find("T"), layout.find("N")
    in_axis = axis if in_layout is None else in_layout.find("T")
    space = space_of(inputs)
    batch_size = 0
    if isinstance(inputs, Symbol):
        if merge is False:
            if len(inputs) != 1:
                raise ArgumentError(
                    f"unroll: a group of symbols: expected one symbol, or a list of them, got {len(inputs)} outputs. "
                    "Pass list(inputs)."
                )
            inputs = as_list(symbol.split(inputs, axis=in_axis, num_outputs=length, squeeze_axis=1))
    elif isinstance(inputs, NDArray):
        batch_size = inputs.shape[batch_axis]
        if merge is False:
            _check_length(length, inputs.shape[in_axis])
            inputs = as_list(ndarray.split(inputs, axis=in_axis, num_outputs=inputs.shape[in_axis], squeeze_axis=True))
    else:
        _check_length(length, len(inputs))
        if space is ndarray:
            batch_size = inputs[0].shape[0]
        if merge is True:
            inputs = space.stack(*inputs, axis=axis)
            in_axis = axis
    if isinstance(inputs, ARRAYS) and axis != in_axis:
        inputs = space.swapaxes(inputs, dim1=axis, dim2=in_axis)
    return inputs, axis, space, batch_size


def _check_length(length: int | None, given: int) -> None:
    if length is not None and length != given:
        raise ArgumentError(f"unroll: wrong number of steps: expected length={length}, got {given} in inputs.")


def starting_states(cell: Any, space: ModuleType, states: Any, inputs: Any, batch_size: int) -> Any:
    """Return the states to start from: those given, or the cell's own on the context of the inputs."""
    if states is not None:
        return states
    if space is symbol:
        return cell.begin_state(func=symbol.zeros, batch_size=batch_size)
    first = inputs if isinstance(inputs, NDArray) else inputs[0]
    with first.context:
        return cell.begin_state(func=ndarray.zeros, batch_size=batch_size)


def mask_sequence(
    space: ModuleType, data: Any, length: int, valid_length: Any, time_axis: int, merge: bool | None
) -> Any:
    """Set the steps beyond the end of each sequence to 0, and give a list of steps unless `merge`."""
    if not isinstance(data, ARRAYS):
        data = space.stack(*data, axis=time_axis)
    masked = space.SequenceMask(data, sequence_length=valid_length, use_sequence_length=True, axis=time_axis)
    if merge:
        return masked
    return as_list(space.split(masked, num_outputs=length, axis=time_axis, squeeze_axis=True))


def reverse_sequence(steps: Sequence[Any], length: int, valid_length: Any = None) -> list[Any]:
    """Return the steps in reverse order; of sequences that end earlier, their own steps reversed."""
    if valid_length is None:
        return list(reversed(steps))
    space = space_of(steps)
    merged = space.SequenceReverse(space.stack(*steps, axis=0), sequence_length=valid_length, use_sequence_length=True)
    if length > 1 or space is symbol:
        return as_list(space.split(merged, axis=0, num_outputs=length, squeeze_axis=True))
    return [merged[0]]
