"""A line on a terminal that says how far long work has come; nothing where standard error is no terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["shown_progress"]

PATIENCE_S = 0.5
"""Work that is done sooner shows nothing."""
INTERVAL_S = 0.1
WIDTH = 24
ERASE = "\r\x1b[K"


class ProgressLine:
    """The line: what is done, a bar, percent.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next_s = time.monotonic() + PATIENCE_S
        self._is_shown = False

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how many of `total` bytes are done."""
        now = time.monotonic()
        if now < self._next_s or not total:
            return
        self._next_s = now + INTERVAL_S
        share = min(done / total, 1.0)
        filled = round(share * WIDTH)
        bar = "#" * filled + "-" * (WIDTH - filled)
        self._stream.write(f"{ERASE}[{bar}] {share:4.0%} of {total / 1e6:.0f} MB, {what}")
        self._stream.flush()
        self._is_shown = True

    def erase(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._stream.write(ERASE)
            self._stream.flush()


@contextmanager
def shown_progress() -> Iterator[None]:
    """Show how far the work inside the block has come, if somebody sits at a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from gluonnx.formats.progress import reporting

    line = ProgressLine(sys.stderr)
    try:
        with reporting(line):
            yield
    finally:
        line.erase()
