"""Operator attributes: one codec between MXNet's text (`"(3, 3)"`, `"True"`, `"None"`) and typed Python values.

The annotation of a torch function's keyword is the attribute's type. The types are `int`, `float`, `bool`, `str`,
`Float32` (rounded to it), `Shape` (a tuple of ints), `Floats` (a tuple of floats), `Floats32` (the same, rounded),
`OpenShape` (a tuple of ints and Nones), `DTypeName` (a canonical dtype name), a `Literal` of strings, and any of these
`| None`.
"""

import operator as _operator
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NewType, Union

import numpy as np

from gluonnx.errors import AttributeValueError
from gluonnx.ops.dtypes import as_dtype

Shape = tuple[int, ...]
"""A tuple of ints; a lone int means a tuple of one."""
Floats = tuple[float, ...]
"""A tuple of floats; a lone number means a tuple of one."""
OpenShape = tuple[int | None, ...]
"""A tuple whose items may be None, as the bounds of a slice."""
Float32 = Annotated[float, "float32"]
"""A float that MXNet keeps in single precision: arithmetic in float64 shows the rounding."""
Floats32 = tuple[Float32, ...]
"""A tuple of such floats; a lone one means a tuple of one."""
DTypeName = NewType("DTypeName", str)
"""The canonical name of a dtype, such as `"float32"`."""

REQUIRED: Any = object()
"""Default of an attribute that has none."""

LONGEST_SHOWN = 200
"""Characters of a value in a message."""

_TRUE = frozenset({"True", "true", "1"})
_FALSE = frozenset({"False", "false", "0"})
_INT = re.compile(r"[+-]?\d+L?")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One typed attribute of an operator.

    Attributes:
        name: Its keyword.
        describe: What it accepts, in words, for messages and documentation.
        parse: Text or Python value to typed value; raises `ValueError` or `TypeError`.
        default: Value when absent, or `REQUIRED`.
        has_effect: Whether the operator reads it (`workspace` and the cuDNN switches are accepted and not read).
    """

    name: str
    describe: str
    parse: Callable[[Any], Any]
    default: Any = REQUIRED
    has_effect: bool = True

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is REQUIRED


def attribute(name: str, annotation: Any, default: Any = REQUIRED, *, has_effect: bool = True) -> Attribute:
    """Make an attribute from a keyword's annotation.

    Raises:
        TypeError: The annotation is none of the attribute types (an error in a declaration).
    """
    describe, parse = _codec(annotation)
    if annotation == Float32 and default is not REQUIRED:
        default = parse(default)
    return Attribute(name, describe, parse, default, has_effect)


def shortened(value: Any) -> str:
    """Return a value as a message shows it: no more than a line or two of it, however long it is."""
    if isinstance(value, (str, list)) and len(value) > LONGEST_SHOWN:
        return f"{repr(value[:LONGEST_SHOWN])[: 2 * LONGEST_SHOWN]}..."
    text = repr(value)
    return text if len(text) <= 2 * LONGEST_SHOWN else f"{text[: 2 * LONGEST_SHOWN]}..."


def to_text(value: Any) -> str:
    """Return the text MXNet stores for an attribute given as `value` (`str`, numpy scalars as plain numbers)."""
    return value if isinstance(value, str) else str(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, type) and issubclass(value, np.generic):
        return np.dtype(value).name
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    if isinstance(value, (list, np.ndarray)):
        return [_plain(v) for v in value]
    return value


def _codec(annotation: Any) -> tuple[str, Callable[[Any], Any]]:
    origin = typing.get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [a for a in typing.get_args(annotation) if a is not type(None)]
        if len(inner) == 1:
            describe, parse = _codec(inner[0])
            return f"{describe} or None", _optional(parse)
    if origin is Literal:
        choices = typing.get_args(annotation)
        return "one of " + ", ".join(repr(c) for c in choices), _choice(choices)
    if annotation == Shape:
        return "a tuple of ints", _parse_shape
    if annotation == Floats:
        return "a tuple of floats", _parse_floats
    if annotation == OpenShape:
        return "a tuple of ints and Nones", _parse_open_shape
    if annotation == Floats32:
        return "a tuple of floats", _parse_floats32
    if annotation == Float32:
        return "a float", _parse_float32
    if annotation is DTypeName:
        return "a dtype", _parse_dtype
    simple: dict[Any, tuple[str, Callable[[Any], Any]]] = {
        int: ("an int", _parse_int),
        float: ("a float", _parse_float),
        bool: ("a bool", _parse_bool),
        str: ("a str", _parse_str),
    }
    if annotation not in simple:
        raise TypeError(f"not an attribute type: {annotation!r}")
    return simple[annotation]


def _optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def parse_optional(value: Any) -> Any:
        return None if value is None or (isinstance(value, str) and value == "None") else parse(value)

    return parse_optional


def _choice(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def parse_choice(value: Any) -> str:
        text = str(value)
        if text not in choices:
            raise ValueError(text)
        return text

    return parse_choice


def _parse_int(value: Any) -> int:
    if isinstance(value, str):
        text = value.strip()
        if not _INT.fullmatch(text):
            # MXNet writes some whole numbers as floats, and booleans as words.
            if text in _TRUE or text in _FALSE:
                return int(text in _TRUE)
            number = float(text)
            if number != int(number):
                raise ValueError(value)
            return int(number)
        return int(text.rstrip("L"))
    if isinstance(value, (float, np.floating)):
        if value != int(value):
            raise ValueError(value)
        return int(value)
    return _operator.index(value)


def _parse_float(value: Any) -> float:
    if isinstance(value, str):
        text = value.strip()
        if text in ("True", "False"):
            return float(text == "True")
        return float(text.rstrip("fF") if text.lower() not in ("inf", "-inf", "+inf") else text)
    return float(value)


def _parse_float32(value: Any) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(_parse_float(value)))


def _parse_floats32(value: Any) -> tuple[float, ...]:
    return tuple(_parse_float32(item) for item in _items(value))


def _parse_bool(value: Any) -> bool:
    if isinstance(value, str):
        text = value.strip()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise ValueError(value)
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return bool(value)
    raise TypeError(value)


def _parse_str(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _parse_shape(value: Any) -> Shape:
    return tuple(_parse_int(item) for item in _items(value))


def _parse_floats(value: Any) -> Floats:
    return tuple(_parse_float(item) for item in _items(value))


def _parse_open_shape(value: Any) -> OpenShape:
    parse = _optional(_parse_int)
    return tuple(parse(item) for item in _items(value))


def _items(value: Any) -> list[Any]:
    """The items of a tuple, or of its text; anything else is a tuple of one."""
    if isinstance(value, str):
        text = value.strip()
        if (text[:1], text[-1:]) in (("(", ")"), ("[", "]")):
            return [part.strip() for part in text[1:-1].split(",") if part.strip()]
        return [text]
    return list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]


def _parse_dtype(value: Any) -> DTypeName:
    try:
        return DTypeName(as_dtype(value).name)
    except AttributeValueError:
        raise ValueError(value) from None
