"""ONNX branches and loops. A subgraph is called with its formal inputs; what else it reads it gets by itself."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import InputError, MXNetError
from gluonnx.ops.foreign.table import onnx_operator

Body = Callable[..., list[Any]]


@onnx_operator("If")
def if_(condition: Tensor, *, bodies: Sequence[Body]) -> tuple[Any, ...]:
    """The outputs of one of two subgraphs."""
    if condition.numel() != 1:
        raise InputError(f"If: the condition is no scalar: expected one element, got shape {tuple(condition.shape)}.")
    return tuple(bodies[0 if bool(condition) else 1]())


def _loop_inputs(g: Any, region: Any, inputs: Sequence[Any]) -> list[Any]:
    return [region.input("int64", ()), region.input("bool", ()), *(region.untyped_input() for _ in inputs[2:])]


@onnx_operator("Loop", formal=_loop_inputs)
def loop(
    most: Tensor | None = None,
    condition: Tensor | None = None,
    *states: Any,
    bodies: Sequence[Body],
    output_count: int,
) -> tuple[Any, ...]:
    """A subgraph run up to so many times while it gives a true condition: last states, then stacked outputs.

    Raises:
        InputError: A loop without steps, whose body does not run either, so that nothing tells the shapes of what its
            steps would give.
    """
    (body,) = bodies
    limit = None if most is None else int(most)
    goes_on = True if condition is None else bool(condition)
    held = list(states)
    steps: list[list[Tensor]] = []
    count = 0
    while goes_on and (limit is None or count < limit):
        going, *outputs = body(torch.tensor(count), torch.tensor(True), *held)
        goes_on = bool(going)
        held, rest = outputs[: len(states)], outputs[len(states) :]
        steps.append(rest)
        count += 1
    stacked = [torch.stack(items) for items in zip(*steps, strict=True)]
    if len(held) + len(stacked) < output_count:
        outputs = _tried("Loop", body, [torch.tensor(0), torch.tensor(True), *held])[1 + len(states) :]
        stacked = [o.new_empty((0, *o.shape)) for o in outputs]
    return (*held, *stacked)


def _tried(name: str, body: Body, formal: Sequence[Any]) -> list[Any]:
    """Return what a step would give, where there is none, for the shapes of it."""
    try:
        with torch.no_grad():
            return body(*formal)
    except (MXNetError, RuntimeError, ValueError, IndexError) as err:
        raise InputError(
            f"{name}: no steps: expected at least one, whose outputs can be stacked, or a body that runs on the first "
            f"states, got 0 steps and a body that fails: {err}"
        ) from err


def _scan_inputs(g: Any, region: Any, inputs: Sequence[Any]) -> list[Any]:
    return [region.untyped_input() for _ in inputs]


@onnx_operator("Scan", formal=_scan_inputs)
def scan(
    *data: Tensor,
    num_scan_inputs: int,
    scan_input_axes: list[int] | None = None,
    scan_input_directions: list[int] | None = None,
    scan_output_axes: list[int] | None = None,
    scan_output_directions: list[int] | None = None,
    bodies: Sequence[Body],
    output_count: int,
) -> tuple[Tensor, ...]:
    """A subgraph run on each slice of some inputs, with states: last states, then stacked outputs."""
    (body,) = bodies
    count = len(data) - num_scan_inputs
    states, scanned = list(data[:count]), data[count:]
    axes = scan_input_axes or [0] * num_scan_inputs
    backwards = scan_input_directions or [0] * num_scan_inputs
    slices = []
    for value, axis, is_backwards in zip(scanned, axes, backwards, strict=True):
        parts = value.unbind(axis)
        slices.append(parts[::-1] if is_backwards else parts)
    steps = []
    for parts in zip(*slices, strict=True):
        outputs = body(*states, *parts)
        states, rest = outputs[:count], outputs[count:]
        steps.append(rest)
    is_empty = not steps
    if is_empty:
        parts = tuple(
            v.new_zeros([n for a, n in enumerate(v.shape) if a != x % v.dim()])
            for v, x in zip(scanned, axes, strict=True)
        )
        steps.append(_tried("Scan", body, [*states, *parts])[count:])
    out_axes = scan_output_axes or [0] * (output_count - count)
    out_backwards = scan_output_directions or [0] * (output_count - count)
    stacked = [
        torch.stack(items[::-1] if is_backwards else items, axis)
        for items, axis, is_backwards in zip(zip(*steps, strict=True), out_axes, out_backwards, strict=True)
    ]
    if is_empty:
        stacked = [s.narrow(axis, 0, 0) for s, axis in zip(stacked, out_axes, strict=True)]
    return (*states, *stacked)
