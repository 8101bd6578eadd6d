"""Attributes attached to nodes by scope: `mx.attribute.AttrScope`."""

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = ["AttrScope"]

HIDDEN_KEYS = frozenset({"ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage"})
"""Keys that MXNet stores between double underscores.

Source: MXNet 1.9.1 src/c_api/c_api_symbolic.cc, kHiddenKeys.
"""

SUBGRAPH_MARK = "__subgraph_name__"
"""Key under which the nodes of a subgraph carry its name."""


class _Current(threading.local):
    scope: "AttrScope | None" = None


_current = _Current()


class _PerThread(type):
    """Makes `current` of a class an attribute of the thread."""

    @property
    def current(cls) -> "AttrScope":
        """The scope of this thread."""
        scope = _current.scope
        if scope is None:
            scope = _current.scope = AttrScope()
        return scope

    @current.setter
    def current(cls, scope: "AttrScope") -> None:
        _current.scope = scope


class AttrScope(metaclass=_PerThread):
    """Attaches string attributes to every symbol made in the body of a `with`.

    `AttrScope.current` is the scope of this thread.

    Raises:
        ValueError: A value is not a string.

    Examples:
        >>> from gluonnx import sym
        >>> with AttrScope(ctx_group="dev1"):
        ...     x = sym.var("x")
        >>> x.attr("ctx_group")
        'dev1'
    """

    _subgraph_names: ClassVar[defaultdict[str, int]] = defaultdict(int)
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, **kwargs: str) -> None:
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"AttrScope: values are strings: expected a str, got {key}={value!r}.")
        self._own = dict(kwargs)
        self._attr = self._own
        self._previous: list[AttrScope] = []

    def get(self, attr: Mapping[str, str] | None) -> dict[str, str]:
        """Return the scope's attributes with those of `attr`, which win."""
        return {**self._attr, **(attr or {})}

    def __enter__(self) -> "AttrScope":
        outer = AttrScope.current
        self._previous.append(outer)
        self._attr = {**outer._attr, **self._own}
        _current.scope = self
        return self

    def __exit__(self, *_: Any) -> None:
        _current.scope = self._previous.pop()


def subgraph_name(name: str) -> str:
    """Return a name that no subgraph of this process has; it begins with that of the subgraph that is being made."""
    outer = AttrScope.current.get(None).get(SUBGRAPH_MARK, "")
    if outer:
        name = f"{outer}${name}"
    with AttrScope._lock:
        count = AttrScope._subgraph_names[name]
        AttrScope._subgraph_names[name] = count + 1
    return f"{name}{count}"


def annotations(attr: Mapping[str, str] | None) -> dict[str, str]:
    """Return what is attached to a node made now: the scope's attributes and `attr`, under the keys that are stored.

    Raises:
        ValueError: A value is not a string.
    """
    merged = AttrScope.current.get(attr)
    for key, value in merged.items():
        if not isinstance(value, str):
            raise ValueError(f"attr: values are strings: expected a str, got {key}={value!r}.")
    return {f"__{k}__" if k in HIDDEN_KEYS else k: v for k, v in merged.items()}
