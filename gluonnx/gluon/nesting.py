"""Nested arguments and results: flat lists and the structure to put them back."""

from collections.abc import Iterator, Sequence
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol.symbol import Symbol

Structure = Any
"""`LEAF` for an array, `NOTHING` for None, a count for a symbol with several outputs, a list of structures."""

LEAF = 0
NOTHING = -1


def flatten(value: Any, what: str) -> tuple[list[Any], Structure]:
    """Return the arrays (or symbols) in nested lists and their structure.

    Raises:
        ArgumentError: Something else is among them; `what` says where.
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
    raise ArgumentError(
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


def fits(structure: Any, expected: Any) -> bool:
    """Whether arguments have the structure of the trace; None at the end may be left out or added."""
    shorter, longer = sorted((structure, expected), key=len)
    return bool(longer[: len(shorter)] == shorter and all(s == NOTHING for s in longer[len(shorter) :]))


def present(args: Sequence[Any]) -> list[Any]:
    """Return the arrays (or symbols) in nested arguments, without the Nones."""
    return [a for a in flatten(list(args), "input")[0] if a is not None]


def kind_of(name: str, args: Sequence[Any]) -> type[NDArray] | type[Symbol]:
    """Whether a block is called with arrays or symbols.

    Raises:
        ArgumentError: With neither, or with both.
    """
    kinds = {Symbol if isinstance(v, Symbol) else NDArray for v in walk(args) if isinstance(v, (NDArray, Symbol))}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds:
        raise ArgumentError(
            f"{name}: In HybridBlock, we do not support mixed NDArrays and Symbols types for the input."
        )
    given = ", ".join(type(a).__name__ for a in args)
    raise ArgumentError(
        f"{name}: In HybridBlock, there must be one NDArray or one Symbol in the input. Please check the type of the "
        f"args: expected an NDArray or Symbol, got {given}. Make one with `nd.array()`."
    )


def walk(value: Any) -> Iterator[Any]:
    """Give what nested lists hold."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from walk(item)
    else:
        yield value


def first_array(args: Sequence[Any]) -> NDArray:
    """Return the first array in nested arguments."""
    return next(v for v in walk(args) if isinstance(v, NDArray))
