"""Attributes attached to nodes by scope: `mx.attribute.AttrScope`."""

import threading
from collections.abc import Mapping
from typing import Any

__all__ = ["AttrScope"]

HIDDEN_KEYS = frozenset({"ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage"})
"""Keys that MXNet stores between double underscores.

Source: MXNet 1.9.1 src/c_api/c_api_symbolic.cc, kHiddenKeys.
"""


class _Current(threading.local):
    attributes: Mapping[str, str] = {}


_current = _Current()


class AttrScope:
    """Attaches string attributes to every symbol made in the body of a `with`.

    Raises:
        ValueError: A value is not a string.

    Examples:
        >>> from gluonnx import sym
        >>> with AttrScope(ctx_group="dev1"):
        ...     x = sym.var("x")
        >>> x.attr("ctx_group")
        'dev1'
    """

    def __init__(self, **kwargs: str) -> None:
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"AttrScope: values are strings: expected a str, got {key}={value!r}.")
        self._own = dict(kwargs)
        self._previous: list[Mapping[str, str]] = []

    def get(self, attr: Mapping[str, str] | None) -> dict[str, str]:
        """Return the scope's attributes with those of `attr`, which win."""
        return {**self._own, **(attr or {})}

    def __enter__(self) -> "AttrScope":
        self._previous.append(_current.attributes)
        _current.attributes = {**_current.attributes, **self._own}
        return self

    def __exit__(self, *_: Any) -> None:
        _current.attributes = self._previous.pop()


def annotations(attr: Mapping[str, str] | None) -> dict[str, str]:
    """Return what is attached to a node made now: the scope's attributes and `attr`, under the keys that are stored.

    Raises:
        ValueError: A value is not a string.
    """
    merged = {**_current.attributes, **(attr or {})}
    for key, value in merged.items():
        if not isinstance(value, str):
            raise ValueError(f"attr: values are strings: expected a str, got {key}={value!r}.")
    return {f"__{k}__" if k in HIDDEN_KEYS else k: v for k, v in merged.items()}
