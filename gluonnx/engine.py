"""Grouping of operators for MXNet's engine: `mx.engine`. torch needs none, so the settings change nothing."""

import threading

__all__ = ["bulk", "set_bulk_size"]


class _Size(threading.local):
    limit: int = 0


_size = _Size()


def set_bulk_size(size: int) -> int:
    """Set how many operators are grouped, without effect; return what was set before."""
    before = _size.limit
    _size.limit = size
    return before


class _BulkScope:
    """Sets the bulk size in the body of a `with`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._before: list[int] = []

    def __enter__(self) -> "_BulkScope":
        self._before.append(set_bulk_size(self._size))
        return self

    def __exit__(self, *_: object) -> None:
        set_bulk_size(self._before.pop())


def bulk(size: int) -> _BulkScope:
    """Return a context manager that sets the bulk size, without effect on what is computed.

    Examples:
        >>> with bulk(10):
        ...     set_bulk_size(10)
        10
    """
    return _BulkScope(size)
