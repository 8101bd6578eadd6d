"""ONNX operators on sequences of arrays and optional values, which a graph may have inside; they are Python lists."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.foreign.table import integers, onnx_operator

Items = list[Any]


@onnx_operator("SequenceConstruct", is_open=True)
def sequence_construct(*data: Tensor) -> tuple[Items]:
    """A sequence of the inputs."""
    return (list(data),)


@onnx_operator("SequenceEmpty", is_open=True)
def sequence_empty(*, dtype: int = 1) -> tuple[Items]:
    """A sequence of nothing."""
    return ([],)


def _place(sequence: Items, position: Tensor | None, most: int) -> int:
    place = most if position is None else int(position)
    if not -len(sequence) <= place <= most:
        raise InputError(f"sequence: no such position: expected -{len(sequence)} to {most}, got {place}.")
    return place


@onnx_operator("SequenceAt", is_open=True)
def sequence_at(sequence: Items, position: Tensor) -> Tensor:
    """One of a sequence."""
    item: Tensor = sequence[_place(sequence, position, len(sequence) - 1)]
    return item


@onnx_operator("SequenceInsert", is_open=True)
def sequence_insert(sequence: Items, data: Tensor, position: Tensor | None = None) -> tuple[Items]:
    """The sequence with one more at a position, or at its end."""
    place = _place(sequence, position, len(sequence))
    return ([*sequence[:place], data, *sequence[place:]],)


@onnx_operator("SequenceErase", is_open=True)
def sequence_erase(sequence: Items, position: Tensor | None = None) -> tuple[Items]:
    """The sequence without one, or without the last."""
    place = _place(sequence, position, len(sequence) - 1) % max(len(sequence), 1)
    return (sequence[:place] + sequence[place + 1 :],)


@onnx_operator("SequenceLength", is_open=True)
def sequence_length(sequence: Items) -> Tensor:
    """How many there are."""
    return torch.tensor(len(sequence), dtype=torch.int64)


@onnx_operator("SplitToSequence", values="split", is_open=True)
def split_to_sequence(data: Tensor, split: Tensor | None = None, *, axis: int = 0, keepdims: int = 1) -> tuple[Items]:
    """Parts along an axis: of the sizes given, of one size, or of size 1."""
    if split is None:
        return ([data.narrow(axis, i, 1) if keepdims else data.select(axis, i) for i in range(data.shape[axis])],)
    sizes = integers(split)
    if not split.dim():
        size, length = sizes[0], data.shape[axis]
        sizes = [min(size, length - start) for start in range(0, length, size)]
    return (list(torch.split_with_sizes(data, sizes, axis)),)


@onnx_operator("ConcatFromSequence", is_open=True)
def concat_from_sequence(sequence: Items, *, axis: int, new_axis: int = 0) -> Tensor:
    """The sequence joined along an axis, or along a new one."""
    return torch.stack(sequence, axis) if new_axis else torch.cat(sequence, axis)


def _map_inputs(g: Any, region: Any, inputs: Sequence[Any]) -> list[Any]:
    return [region.untyped_input() for _ in inputs]


@onnx_operator("SequenceMap", is_open=True, formal=_map_inputs)
def sequence_map(sequence: Items, *others: Any, bodies: Sequence[Callable[..., list[Any]]]) -> tuple[Items, ...]:
    """A subgraph applied to each of a sequence; other sequences are read along with it."""
    (body,) = bodies
    results = [
        body(item, *(other[i] if isinstance(other, list) else other for other in others))
        for i, item in enumerate(sequence)
    ]
    return tuple([list(items) for items in zip(*results, strict=True)])


@onnx_operator("Optional", is_open=True)
def optional(data: Any = None) -> tuple[Any]:
    """A value, or none."""
    return (data,)


@onnx_operator("OptionalHasElement", is_open=True)
def optional_has_element(data: Any = None) -> Tensor:
    """Whether there is a value."""
    return torch.tensor(data is not None)


@onnx_operator("OptionalGetElement", is_open=True)
def optional_get_element(data: Any) -> tuple[Any]:
    """The value.

    Raises:
        InputError: There is none.
    """
    if data is None:
        raise InputError("OptionalGetElement: no value: expected one, got none.")
    return (data,)
