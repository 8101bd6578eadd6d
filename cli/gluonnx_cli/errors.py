"""Which errors are known, and so told in one line instead of a traceback."""

from collections.abc import Callable

__all__ = ["CommandError", "one_line"]


class CommandError(Exception):
    """A command cannot do what it was asked to; the message is for the user."""


def one_line(err: BaseException) -> str | None:
    """The one-line message of a known error, or None for one that nobody foresaw, which keeps its traceback."""
    for kind in type(err).__mro__:
        describe = KNOWN_ERRORS.get(f"{kind.__module__}.{kind.__qualname__}")
        if describe is not None:
            return " ".join(describe(err).split())
    return None


def _operating_system(err: BaseException) -> str:
    assert isinstance(err, OSError)
    if err.strerror is None:
        return str(err)
    paths = " -> ".join(str(path) for path in (err.filename, err.filename2) if path is not None)
    return f"{paths}: {err.strerror}" if paths else err.strerror


KNOWN_ERRORS: dict[str, Callable[[BaseException], str]] = {
    "gluonnx_cli.errors.CommandError": str,
    "gluonnx_runtime.errors.SessionError": str,
    "gluonnx.errors.MXNetError": str,
    "builtins.OSError": _operating_system,
}
"""By name, so that looking one up imports no library; the first class of the error's MRO that is here counts."""
