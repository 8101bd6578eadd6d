"""How far long work on files has come, for whoever wants to show it.

Work tells `Steps`; `reporting` says who hears of it. Without a listener a step costs a comparison.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import BinaryIO, TypeAlias

__all__ = ["Listener", "Steps", "reporting", "write_chunks"]

Listener: TypeAlias = Callable[[str, int, int], None]
"""Hears what is done, how many bytes of it are done, and how many there are."""

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)
PART_BYTES = 16 << 20
"""Largest part that is written at once: after each, the listener hears."""


@contextmanager
def reporting(listener: Listener) -> Iterator[None]:
    """Let a listener hear what is done inside the block, in this thread."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class Steps:
    """Work of a known size.

    Args:
        what: What is done, as `writing net.onnx`.
        total_bytes: How much there is to do.
    """

    __slots__ = ("_done", "_listener", "_total", "_what")

    def __init__(self, what: str, total_bytes: int) -> None:
        self._listener = _LISTENER.get()
        self._what, self._total, self._done = what, total_bytes, 0
        self.add(0)

    def add(self, size_bytes: int) -> None:
        """Tell that so many bytes more are done."""
        if self._listener is not None:
            self._done += size_bytes
            self._listener(self._what, self._done, self._total)


def write_chunks(
    file: BinaryIO, chunks: Iterable[bytes | memoryview], steps: Steps, seen: Callable[[memoryview], None] | None = None
) -> None:
    """Write chunks in parts, telling each.

    Args:
        file: Where to.
        chunks: What.
        steps: Whom to tell.
        seen: Gets every part too, for a digest.
    """
    for chunk in chunks:
        view = memoryview(chunk)
        for begin in range(0, len(view), PART_BYTES):
            part = view[begin : begin + PART_BYTES]
            file.write(part)
            if seen is not None:
                seen(part)
            steps.add(len(part))
