"""Nested lists of arrays or symbols, flattened and put together again, as MXNet's control flow does."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from gluonnx.errors import InputTypeError

Handle = TypeVar("Handle")
Format: TypeAlias = int | list["Format"]
"""How one thing is nested: 0 is one handle, a number above it so many, a list what it holds."""


def flatten(
    data: Any, kind: type[Handle], where: str, outputs: Callable[[Handle], int] = lambda _: 1
) -> tuple[list[Handle], Format]:
    """Return the handles in a nested list, and how they were nested.

    Args:
        data: A handle, or a list or tuple of such data.
        kind: What a handle is: NDArray or Symbol.
        where: What the data is, for the message.
        outputs: The number of outputs of a handle.

    Raises:
        InputTypeError: Something in it is no handle.
    """
    if isinstance(data, kind):
        count = outputs(data)
        return [data], count if count > 1 else 0
    if not isinstance(data, (list, tuple)):
        raise InputTypeError(
            f"{where} must be (nested) list of {kind.__name__}, but got {data!r} of type {type(data).__name__}."
        )
    flat: list[Handle] = []
    formats: list[Format] = []
    for item in data:
        handles, form = flatten(item, kind, where, outputs)
        flat += handles
        formats.append(form)
    return flat, formats


def regroup(flat: Sequence[Any], form: Format) -> tuple[Any, Sequence[Any]]:
    """Nest handles as they were; return that and those left over."""
    if isinstance(form, int):
        return (flat[0], flat[1:]) if form == 0 else (list(flat[:form]), flat[form:])
    nested = []
    for part in form:
        item, flat = regroup(flat, part)
        nested.append(item)
    return nested, flat
