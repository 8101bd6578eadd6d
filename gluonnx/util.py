"""NumPy semantics of shapes and arrays, and environment variables: `mx.util`.

MXNet 1.6 and later have two interfaces: the classic one (`mx.nd`, `mx.sym`), which gluonnx is, and a NumPy one
(`mx.np`, `mx.npx`), which it does not have. Shape semantics can be switched: inside `np_shape()` an unknown dimension
is -1, and 0 and () are sizes; outside, 0 and () mean unknown.
"""

import functools
import inspect
import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import torch

from gluonnx.context import Context, gpu_memory_info, num_gpus
from gluonnx.errors import ArgumentError, NotSupportedError

__all__ = [
    "get_cuda_compute_capability",
    "get_gpu_count",
    "get_gpu_memory",
    "getenv",
    "is_np_array",
    "is_np_shape",
    "np_array",
    "np_shape",
    "reset_np",
    "set_module",
    "set_np",
    "set_np_shape",
    "setenv",
    "use_np",
    "use_np_array",
    "use_np_shape",
]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class _ThreadState(threading.local):
    is_np_shape: bool = False
    array_scope: "_NumpyArrayScope | None" = None


class _ProcessState:
    is_np_shape: bool = False


_thread = _ThreadState()
_process = _ProcessState()


def is_np_shape() -> bool:
    """Whether shapes have NumPy semantics: an unknown dimension is -1; 0 and () are sizes."""
    return _thread.is_np_shape or _process.is_np_shape


def set_np_shape(active: int | bool) -> bool:
    """Switch NumPy semantics of shapes.

    Args:
        active: True or 1 for this thread, 2 for every thread, False or 0 for none.

    Returns:
        Whether they were on.

    Raises:
        ValueError: `active` is something else.
    """
    if active not in (0, 1, 2):
        raise ValueError(
            f"set_np_shape: unknown scope: expected 0 (off), 1 (this thread) or 2 (all threads), got active={active!r}."
        )
    before = is_np_shape()
    _thread.is_np_shape = active != 0
    _process.is_np_shape = active == 2
    return before


class _NumpyShapeScope:
    """Semantics of shapes in the body of a `with`; those of before come back after it."""

    def __init__(self, is_np_shape: bool) -> None:
        self._active = is_np_shape
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(_thread.is_np_shape)
        _thread.is_np_shape = bool(self._active)

    def __exit__(self, *_: object) -> None:
        _thread.is_np_shape = self._before.pop()


def np_shape(active: bool = True) -> _NumpyShapeScope:
    """Return a context manager that switches NumPy semantics of shapes in this thread.

    Examples:
        >>> with np_shape():
        ...     is_np_shape()
        True
        >>> is_np_shape()
        False
    """
    return _NumpyShapeScope(active)


def use_np_shape(func: Decorated) -> Decorated:
    """Decorate a function, or every method of a class, to run with NumPy semantics of shapes."""
    if inspect.isclass(func):
        for name, method in inspect.getmembers(func, inspect.isfunction):
            setattr(func, name, use_np_shape(method))
        return func

    @functools.wraps(func)
    def with_np_shape(*args: Any, **kwargs: Any) -> Any:
        with np_shape(True):
            return func(*args, **kwargs)

    return with_np_shape  # type: ignore[return-value]  # functools.wraps keeps the signature


class _PerThread(type):
    """Makes `_current` of a class an attribute of the thread."""

    @property
    def _current(cls) -> "_NumpyArrayScope":
        scope = _thread.array_scope
        if scope is None:
            scope = _thread.array_scope = _NumpyArrayScope(False)
        return scope

    @_current.setter
    def _current(cls, scope: "_NumpyArrayScope") -> None:
        _thread.array_scope = scope


class _NumpyArrayScope(metaclass=_PerThread):
    """Which of MXNet's two interfaces blocks compute with in the body of a `with`."""

    def __init__(self, is_np_array: bool) -> None:
        self._is_np_array = is_np_array
        self._before: list[_NumpyArrayScope] = []

    def __enter__(self) -> "_NumpyArrayScope":
        self._before.append(_NumpyArrayScope._current)
        _NumpyArrayScope._current = self
        return self

    def __exit__(self, *_: object) -> None:
        _NumpyArrayScope._current = self._before.pop()


def is_np_array() -> bool:
    """Whether blocks compute with MXNet's NumPy interface: they do not."""
    return _NumpyArrayScope._current._is_np_array


def np_array(active: bool = True) -> _NumpyArrayScope:
    """Return a context manager that keeps the classic interface.

    Raises:
        NotSupportedError: `active` is true.
    """
    if active:
        refuse_np("np_array")
    return _NumpyArrayScope(False)


def use_np_array(func: Decorated) -> Decorated:
    """Decorate a function or class that needs the NumPy interface: using it raises NotSupportedError."""
    if inspect.isclass(func):
        func.__init__ = use_np_array(func.__init__)  # type: ignore[method-assign]  # the caller's class
        return func

    @functools.wraps(func)
    def refused(*args: Any, **kwargs: Any) -> NoReturn:
        refuse_np(f"use_np_array: {func.__qualname__}")

    return refused  # type: ignore[return-value]  # functools.wraps keeps the signature


use_np = use_np_array


def set_np(shape: bool = True, array: bool = True) -> None:
    """Switch semantics of shapes; the NumPy interface of arrays cannot be switched on.

    Raises:
        NotSupportedError: `array` is true.
        ValueError: `array` is true and `shape` is not.
    """
    if array and not shape:
        raise ValueError("NumPy Shape semantics is required in using NumPy array semantics.")
    if array:
        refuse_np("set_np")
    set_np_shape(shape)


def reset_np() -> None:
    """Go back to the classic semantics."""
    set_np(shape=False, array=False)


def refuse_np(where: str) -> NoReturn:
    """Raise the error of a program that asks for MXNet's NumPy interface.

    Raises:
        NotSupportedError: Always.
    """
    raise NotSupportedError(
        f"{where}: gluonnx has MXNet's classic interface only: expected mx.nd, mx.sym and F, got the NumPy interface "
        "(mx.np, mx.npx). Use np_shape for NumPy semantics of shapes."
    )


def set_module(module: str) -> Callable[[Decorated], Decorated]:
    """Return a decorator that names the module that an object shows as its own."""

    def decorate(func: Decorated) -> Decorated:
        func.__module__ = module
        return func

    return decorate


def get_cuda_compute_capability(ctx: Context) -> int:
    """Return the compute capability of a GPU, such as 90 for sm_90.

    Raises:
        ArgumentError: The context is no GPU.
        DeviceError: This machine has no such GPU.
    """
    if ctx.device_type != "gpu":
        raise ArgumentError(
            f"get_cuda_compute_capability: Expecting a gpu context to get cuda compute capability: got ctx={ctx}."
        )
    ctx.check_available()
    major, minor = torch.cuda.get_device_capability(ctx.torch_device)
    return 10 * major + minor


def getenv_int(name: str, default: int) -> int:
    """Return the whole number in an environment variable, `default` if it is not set.

    Raises:
        ArgumentError: It is no whole number.
    """
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(f"environment: expected a whole number, got {name}={text!r}. Change or unset it.") from None


def getenv(name: str) -> str | None:
    """Return an environment variable, None if it is not set."""
    return os.environ.get(name)


def setenv(name: str, value: str | None) -> None:
    """Set an environment variable; None removes it."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def get_gpu_count() -> int:
    """Return the number of CUDA devices."""
    return num_gpus()


def get_gpu_memory(gpu_dev_id: int) -> tuple[int, int]:
    """Return (free, total) memory of a CUDA device in bytes."""
    return gpu_memory_info(gpu_dev_id)
