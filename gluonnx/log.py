"""Loggers with MXNet's line format: `mx.log`."""

import logging
import sys
from logging import CRITICAL, DEBUG, ERROR, INFO, NOTSET, WARNING
from pathlib import Path

__all__ = ["CRITICAL", "DEBUG", "ERROR", "INFO", "NOTSET", "WARNING", "getLogger", "get_logger"]

LETTERS = {CRITICAL: "C", ERROR: "E", WARNING: "W", INFO: "I", DEBUG: "D"}
COLORS = {CRITICAL: 31, ERROR: 31, WARNING: 33, INFO: 32, DEBUG: 32}


class _Formatter(logging.Formatter):
    """Letter of the level, time, process, file and line, then the message; the head in color on a terminal."""

    def __init__(self, colored: bool) -> None:
        super().__init__(datefmt="%m%d %H:%M:%S")
        self._colored = colored

    def format(self, record: logging.LogRecord) -> str:
        letter = LETTERS.get(record.levelno, "U")
        when = self.formatTime(record, self.datefmt)
        head = f"[{letter}{when} {record.process} {record.pathname}:{record.lineno} {record.funcName}]"
        if self._colored:
            head = f"\x1b[{COLORS.get(record.levelno, 34)}m{head}\x1b[0m"
        text = f"{head} {record.getMessage()}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return text


def get_logger(
    name: str | None = None,
    filename: str | Path | None = None,
    filemode: str | None = None,
    level: int = WARNING,
) -> logging.Logger:
    """Return a logger that writes lines with level, time, process and place.

    A logger that was returned before under the name is returned as it is.

    Args:
        name: Its name; the root logger, without a handler of ours, if None.
        filename: Write to this file, else to stderr.
        filemode: Mode of the file, `"a"` if None.
        level: The lowest level that is written.
    """
    logger = logging.getLogger(name)
    if name is None or getattr(logger, "_init_done", False):
        return logger
    handler: logging.Handler
    if filename:
        handler = logging.FileHandler(filename, filemode or "a")
        handler.setFormatter(_Formatter(False))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter(sys.stderr.isatty()))
    logger.addHandler(handler)
    logger.setLevel(level)
    logger._init_done = True  # type: ignore[attr-defined]  # marks the logger as ours
    return logger


getLogger = get_logger  # noqa: N816 - MXNet's name
