"""Which inputs of a symbol are data and labels, and whether what is given fits them."""

import warnings
from collections.abc import Sequence
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.io import DataDesc
from gluonnx.symbol import Symbol

PARAMETER_ENDS = ("_weight", "_bias", "_gamma", "_beta")


def check_input_names(symbol: Symbol, names: Sequence[str], kind: str, *, must_exist: bool) -> None:
    """Check that names are arguments of a symbol.

    Args:
        symbol: The symbol.
        names: The names.
        kind: What they are (`"data"`, `"label"`, `"state"`, `"fixed_param"`).
        must_exist: Whether an unknown name is an error, else a warning.

    Raises:
        ArgumentError: A name is not among the arguments, and `must_exist`.
    """
    arguments = symbol.list_arguments()
    likely = [name for name in arguments if not name.endswith(PARAMETER_ENDS)]
    for name in names:
        if name in arguments:
            continue
        message = (
            f"Module: You created Module with Module(..., {kind}_names={list(names)}) but input with name '{name}' is "
            f"not found in symbol.list_arguments(): expected some of {', '.join(likely) or 'none'}, got {name!r}."
        )
        if must_exist:
            raise ArgumentError(message)
        warnings.warn(message, UserWarning, stacklevel=4)


def describe(names: Sequence[str], shapes: Any, kind: str, *, must_match: bool) -> list[DataDesc] | None:
    """Return descriptions from (name, shape) pairs or descriptions.

    Args:
        names: The names that the module has for them.
        shapes: The pairs or descriptions; None where there are none.
        kind: `"data"` or `"label"`.
        must_match: Whether other names are an error, else a warning.

    Raises:
        ArgumentError: The names differ, and `must_match`.
    """
    found = None if shapes is None else [x if isinstance(x, DataDesc) else DataDesc(*x) for x in shapes]
    if sorted(names) != sorted(desc.name for desc in found or ()):
        message = (
            f"Module: Data provided by {kind}_shapes don't match names specified by {kind}_names: expected "
            f"{list(names)}, got {kind}_shapes={found}."
        )
        if must_match:
            raise ArgumentError(message)
        warnings.warn(message, UserWarning, stacklevel=4)
    return found
