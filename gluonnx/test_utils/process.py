"""The process around a test: default context, environment variables, retries, files from the network."""

import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from gluonnx.context import Context, current_context, num_gpus

__all__ = [
    "default_context",
    "discard_stderr",
    "download",
    "environment",
    "has_tvm_ops",
    "is_aarch64_run",
    "is_cd_run",
    "is_op_runnable",
    "list_gpus",
    "retry",
    "set_default_context",
]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def default_context() -> Context:
    """Return the context that tests run on: the current one."""
    return current_context()


def set_default_context(ctx: Context) -> None:
    """Make a context the default of this thread."""
    Context.default_ctx = ctx


def list_gpus() -> range:
    """Return the indices of the CUDA devices."""
    return range(num_gpus())


def is_cd_run() -> bool:
    """Whether MXNet's own release pipeline runs this: the environment variable CD_JOB is 1."""
    return os.environ.get("CD_JOB") == "1"


def is_aarch64_run() -> bool:
    """Whether MXNet's own ARM pipeline runs this: the environment variable IS_AARCH64_RUN is 1."""
    return os.environ.get("IS_AARCH64_RUN") == "1"


def is_op_runnable() -> bool:
    """Whether MXNet's TVM operators, where they exist, run on the current context: nothing stands against it."""
    return True


def has_tvm_ops() -> bool:
    """Whether MXNet was built with TVM operators: gluonnx has none."""
    return False


def retry(n: int) -> Callable[[Decorated], Decorated]:
    """Return a decorator that runs a function up to `n` times, until no assertion in it fails.

    Raises:
        ValueError: `n` is not positive.
    """
    if n <= 0:
        raise ValueError(f"retry: wrong count: expected at least 1, got n={n}.")

    def decorate(func: Decorated) -> Decorated:
        @functools.wraps(func)
        def attempts(*args: Any, **kwargs: Any) -> Any:
            for _ in range(n - 1):
                try:
                    return func(*args, **kwargs)
                except AssertionError:
                    continue
            return func(*args, **kwargs)

        return attempts  # type: ignore[return-value]  # functools.wraps keeps the signature

    return decorate


@contextmanager
def environment(*args: Any) -> Iterator[None]:
    """Set environment variables in the body of a `with`.

    Args:
        *args: A name and a value, or one dictionary of them. None removes a variable.
    """
    wanted: Mapping[str, str | None] = args[0] if len(args) == 1 else {args[0]: args[1]}
    before = {name: os.environ.get(name) for name in wanted}
    try:
        _set_variables(wanted)
        yield
    finally:
        _set_variables(before)


@contextmanager
def discard_stderr() -> Iterator[None]:
    """Drop what is written to stderr, by C++ too, in the body of a `with`."""
    sys.stderr.flush()
    number = 2
    kept = os.dup(number)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), number)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, number)
            os.close(kept)


def download(
    url: str, fname: str | None = None, dirname: str | None = None, overwrite: bool = False, retries: int = 5
) -> str:
    """Download a file, unless it is there already.

    Args:
        url: Where from.
        fname: Its name; the last part of the address if None.
        dirname: Its folder, made if it is not there; that of `fname` if None.
        overwrite: Whether to download even if the file is there.
        retries: How often to try.

    Returns:
        Path of the file.
    """
    from gluonnx.gluon.utils import download as fetch

    target = Path(fname or url.split("/")[-1])
    if dirname is not None:
        target = Path(dirname) / target
    return fetch(url, str(target), overwrite=overwrite, retries=retries)


def _set_variables(wanted: Mapping[str, str | None]) -> None:
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
