"""Automatic names: `mx.name`."""

import threading
from typing import Any

__all__ = ["NameManager", "Prefix"]


class _Current(threading.local):
    manager: "NameManager | None" = None


_current = _Current()


class _PerThread(type):
    """Makes `current` of a class an attribute of the thread."""

    @property
    def current(cls) -> "NameManager":
        """The manager of this thread."""
        return current()

    @current.setter
    def current(cls, manager: "NameManager") -> None:
        _current.manager = manager


class NameManager(metaclass=_PerThread):
    """Gives names to nodes that were given none: the operator's name in lower case and a counter.

    `NameManager.current` is the manager of this thread.

    A context manager: the names of the body come from this manager.

    Examples:
        >>> manager = NameManager()
        >>> manager.get(None, "conv"), manager.get(None, "conv"), manager.get("mine", "conv")
        ('conv0', 'conv1', 'mine')
    """

    def __init__(self) -> None:
        self._counter: dict[str, int] = {}
        self._previous: list[NameManager | None] = []

    def get(self, name: str | None, hint: str) -> str:
        """Return `name`, or a fresh name made from `hint` if it is None or empty."""
        if name:
            return name
        count = self._counter.get(hint, 0)
        self._counter[hint] = count + 1
        return f"{hint}{count}"

    def __enter__(self) -> "NameManager":
        self._previous.append(_current.manager)
        _current.manager = self
        return self

    def __exit__(self, *_: Any) -> None:
        _current.manager = self._previous.pop()


class Prefix(NameManager):
    """A name manager that puts a prefix before every name, given ones too.

    Examples:
        >>> with Prefix("net_"):
        ...     current().get(None, "conv")
        'net_conv0'
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def get(self, name: str | None, hint: str) -> str:
        """Return the prefixed name."""
        return self._prefix + super().get(name, hint)


def current() -> NameManager:
    """Return the manager of this thread."""
    manager = _current.manager
    if manager is None:
        manager = _current.manager = NameManager()
    return manager
