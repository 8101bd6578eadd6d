"""Nested arguments and results: flat lists and the structure to put them back."""

from collections.abc import Sequence
from typing import Any

from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol.symbol import Symbol

Structure = Any
"""`LEAF` for an array, `NOTHING` for None, a count for a symbol with several outputs, a list of structures."""

LEAF = 0
NOTHING = -1


def flatten(value: Any, what: str) -> tuple[list[Any], Structure]:
    """Return the arrays (or symbols) in nested lists and their structure.

    Raises:
        TypeError: Something else is among them; `what` says where.
    """
    if isinstance(value, NDArray):
        return [value], LEAF
    if isinstance(value, Symbol):
        count = len(value)
        return [value], count if count > 1 else LEAF
    if value is None:
        return [None], NOTHING
    if isinstance(value, (list, tuple)):
        flat: list[Any] = []
        structure = []
        for item in value:
            values, inner = flatten(item, what)
            flat += values
            structure.append(inner)
        return flat, structure
    raise TypeError(
        f"{what}: wrong type: expected (nested lists of) NDArray, Symbol or None, got {type(value).__name__}."
    )


def regroup(flat: Sequence[Any], structure: Structure) -> tuple[Any, Sequence[Any]]:
    """Return (value of this structure, what is left of `flat`)."""
    if isinstance(structure, int):
        if structure in (LEAF, NOTHING):
            return flat[0], flat[1:]
        return list(flat[:structure]), flat[structure:]
    values = []
    for inner in structure:
        value, flat = regroup(flat, inner)
        values.append(value)
    return values, flat
