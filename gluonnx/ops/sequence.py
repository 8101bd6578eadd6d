"""Sequences padded to one length: the last step of each, reversal. (`SequenceMask` is in `indexing`.)"""

from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import Operator, operator

_WHEN = {"sequence_length": lambda attrs: attrs["use_sequence_length"]}


def _check(name: str, data: Tensor, lengths: Tensor | None, axis: int, axes: tuple[int, ...], is_used: bool) -> None:
    if axis not in axes:
        raise AttributeValueError(
            f"{name}: wrong axis of time: expected {' or '.join(map(str, axes))}, got axis={axis}. Swap axes first."
        )
    if data.dim() < 2:
        raise InputError(f"{name}: wrong rank: expected data (T, N, ...) or (N, T, ...), got data={tuple(data.shape)}.")
    if is_used and lengths is None:
        raise InputError(f"{name}: lengths are missing: expected sequence_length (N,) under use_sequence_length=True.")
    if lengths is not None and is_used and lengths.shape != data.shape[1 - axis : 2 - axis]:
        raise InputError(
            f"{name}: wrong shape of sequence_length: expected {tuple(data.shape[1 - axis : 2 - axis])}, "
            f"got sequence_length={tuple(lengths.shape)}."
        )


def _steps(data: Tensor, axis: int) -> Tensor:
    """Numbers of the steps, (T, 1) or (1, T)."""
    return torch.arange(data.shape[axis], device=data.device).unsqueeze(1 - axis)


def _dtypes(op: Operator) -> None:
    def rule(data: str | None, output: str | None) -> dict[str, str | None]:
        return {"data": output, "output": data, "sequence_length": data or output}

    op.dtypes(rule)


def _lengths_rule(op: Operator) -> None:
    def rule(data: tuple[int, ...], *, axis: int) -> dict[str, tuple[int, ...]]:
        return {"sequence_length": (data[1 - axis],)}

    op.parameters(rule)


@operator("SequenceLast", view=True, when=_WHEN, source="MXNet 1.9.1 src/operator/sequence_last-inl.h")
def sequence_last(
    data: Tensor, sequence_length: Tensor | None = None, *, use_sequence_length: bool = False, axis: int = 0
) -> Tensor:
    """Take the last step of each sequence: (T, N, ...) gives (N, ...).

    `data` is (N, T, ...) with `axis=1`; `sequence_length` (N,) of any dtype, counted as integers of at least 1. Without
    `use_sequence_length` it is the last step of all.

    Raises:
        AttributeValueError: `axis` is neither 0 nor 1.
        InputError: `data` has fewer than two axes, or lengths are missing or of another shape.
    """
    _check("SequenceLast", data, sequence_length, axis, (0, 1), use_sequence_length)
    if not use_sequence_length or sequence_length is None:
        return data.select(axis, data.shape[axis] - 1)
    last = sequence_length.to(torch.int64) - 1
    rows = torch.arange(data.shape[1 - axis], device=data.device)
    return data[last, rows] if axis == 0 else data[rows, last]


@sequence_last.onnx
def _(
    g: GraphBuilder, data: Value, sequence_length: Value | None = None, *, use_sequence_length: bool, axis: int
) -> Value:
    if not use_sequence_length or sequence_length is None:
        return g.op("Gather", data, g.const(-1, "int64"), axis=axis)
    if axis == 0:
        data = g.op("Transpose", data, perm=[1, 0, *range(2, g.rank(data))])
    last = g.op("Sub", g.cast(sequence_length, "int64"), g.const(1, "int64"))
    return g.op("GatherND", data, g.op("Unsqueeze", last, g.ints([1])), batch_dims=1)


@operator("SequenceReverse", when=_WHEN, source="MXNet 1.9.1 src/operator/sequence_reverse-inl.h")
def sequence_reverse(
    data: Tensor, sequence_length: Tensor | None = None, *, use_sequence_length: bool = False, axis: int = 0
) -> Tensor:
    """Reverse the order of the steps of each sequence of `data` (T, N, ...); steps after its end stay.

    `sequence_length` (N,) of any dtype, counted as integers. Without `use_sequence_length` every step counts.

    Raises:
        AttributeValueError: `axis` is not 0.
        InputError: `data` has fewer than two axes, or lengths are missing or of another shape.
    """
    _check("SequenceReverse", data, sequence_length, axis, (0,), use_sequence_length)
    if not use_sequence_length or sequence_length is None:
        return data.flip(0)
    steps, ends = _steps(data, 0), sequence_length.to(torch.int64)
    source = torch.where(steps < ends, ends - 1 - steps, steps)
    return data[source, torch.arange(data.shape[1], device=data.device)]


@sequence_reverse.onnx
def _(g: GraphBuilder, data: Value, sequence_length: Value | None = None, *, use_sequence_length: bool) -> Value:
    if use_sequence_length and sequence_length is not None:
        return g.op("ReverseSequence", data, g.cast(sequence_length, "int64"), batch_axis=1, time_axis=0)
    lowest: Any = torch.iinfo(torch.int64).min
    return g.op("Slice", data, g.ints([-1]), g.ints([lowest]), g.ints([0]), g.ints([-1]))


for _op in (sequence_last, sequence_reverse):
    _dtypes(_op)
    _lengths_rule(_op)
