"""Which axes of the inputs are open: what a foreign file said, what a caller asks, and what is taken for the batch."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from gluonnx.errors import GraphError
from gluonnx.onnx.builder import BATCH
from gluonnx.symbol.graph import Entry, topological
from gluonnx.symbol.inference import Shape

KEY = "__axes__"
"""Annotation of an input that a foreign file had: a JSON list with null for an axis of fixed size, the name of an open
one, or "" where it has none."""

Axes: TypeAlias = Mapping[str, Mapping[int, str]]
"""Names of axes, by input and axis."""
Declared: TypeAlias = Mapping[str, Sequence[str | None]]
"""What the file said of each input: as in the annotation."""


def encode_axes(dims: Sequence[str | None]) -> str:
    """Return the text of the annotation."""
    return json.dumps(list(dims))


def declared_axes(heads: Sequence[Entry]) -> dict[str, list[str | None]]:
    """Return what foreign files said of the inputs of a graph; nothing of an input whose annotation is no such list."""
    found: dict[str, list[str | None]] = {}
    for node in topological(heads):
        if node.is_variable and KEY in node.annotations:
            try:
                dims = json.loads(node.annotations[KEY])
            except (ValueError, RecursionError):
                continue
            if isinstance(dims, list) and all(d is None or isinstance(d, str) for d in dims):
                found[node.name] = dims
    return found


def is_batch_open(declared: Declared, first: str) -> bool:
    """Whether axis 0 of the first input is open, as far as a file said."""
    dims = declared.get(first)
    return not dims or dims[0] is not None


def open_axes(
    where: str, shapes: Mapping[str, Shape], dynamic_batch: bool, requested: Axes, declared: Declared | None = None
) -> tuple[dict[str, dict[int, str]], str]:
    """Return the names of the open axes by input and axis, and the name of the batch axis.

    The batch axis is axis 0 of the first input, unless a foreign file said that its size is fixed. Other inputs have it
    where the file gave an axis the same name; where it gave no names, on the first open axis of the same size; and
    where there was no file, on axis 0 if that has the same size.

    Args:
        where: Names the graph in messages.
        shapes: Shapes of the inputs, in order.
        dynamic_batch: Whether to leave the batch axis open.
        requested: Axes that a caller wants open.
        declared: What foreign files said of the inputs.

    Raises:
        GraphError: A requested axis is none of an input, or axes of one name have several sizes.
    """
    told = {n: d for n, d in (declared or {}).items() if n in shapes and len(d) == len(shapes[n])}
    first = next(iter(shapes), "")
    said = (told.get(first) or [""])[0]
    batch_name = requested.get(first, {}).get(0, said or BATCH)
    axes: dict[str, dict[int, str]] = {n: {} for n in shapes}
    if dynamic_batch and shapes.get(first) and is_batch_open(told, first):
        for name, shape in shapes.items():
            for axis in _batch_axes(shape, shapes[first][0], said, told.get(name), is_first=name == first):
                axes[name][axis] = batch_name
    sizes: dict[str, tuple[str, int]] = {}
    for name, wanted in requested.items():
        if name not in shapes:
            raise GraphError(
                f"{where}: dynamic_axes of another input: expected one of {', '.join(shapes)}, got {name!r}."
            )
        for axis, axis_name in wanted.items():
            if not -len(shapes[name]) <= axis < len(shapes[name]):
                raise GraphError(
                    f"{where}: dynamic_axes of `{name}`: expected an axis of {shapes[name]}, got axis={axis}."
                )
            axes[name][axis % len(shapes[name])] = axis_name
    for name, named in axes.items():
        for axis, axis_name in named.items():
            other, size = sizes.setdefault(axis_name, (name, shapes[name][axis]))
            if size != shapes[name][axis]:
                raise GraphError(
                    f"{where}: dynamic axis `{axis_name}` has two sizes: expected one, got {size} in `{other}` and "
                    f"{shapes[name][axis]} in `{name}`. Give them different names."
                )
    return axes, batch_name


def _batch_axes(
    shape: Shape, batch: int, said: str | None, dims: Sequence[str | None] | None, *, is_first: bool
) -> list[int]:
    """Return which axes of an input are the batch axis."""
    if is_first or dims is None:
        return [0] if shape and shape[0] == batch else []
    same = [k for k, (size, dim) in enumerate(zip(shape, dims, strict=True)) if dim == said and size == batch]
    return same if said else same[:1]
