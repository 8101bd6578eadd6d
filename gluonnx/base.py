"""What MXNet programs take from `mx.base`: errors, types, the default element type."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from gluonnx.errors import MXNetError, NotImplementedForSymbol, NotSupportedForSparseNDArray

__all__ = [
    "MXNetError",
    "NotImplementedForSymbol",
    "NotSupportedForSparseNDArray",
    "classproperty",
    "data_dir",
    "data_dir_default",
    "integer_types",
    "mx_real_t",
    "numeric_types",
    "py_str",
    "string_types",
]

Value = TypeVar("Value")

string_types = (str,)
integer_types = (int, np.int32, np.int64)
numeric_types = (float, int, np.generic)
mx_real_t = np.float32
"""The default element type."""


def py_str(x: bytes | str) -> str:
    """Decode UTF-8; what is text already stays as it is (names that MXNet gives as bytes are text here)."""
    return x.decode("utf-8") if isinstance(x, bytes) else x


def data_dir_default() -> str:
    """Return the folder of downloaded data sets and models where nothing says otherwise: `~/.mxnet`."""
    return str(Path("~/.mxnet").expanduser())


def data_dir() -> str:
    """Return the folder of downloaded data sets and models: `MXNET_HOME`, else `~/.mxnet`."""
    return os.environ.get("MXNET_HOME") or data_dir_default()


class classproperty(Generic[Value]):  # noqa: N801 - MXNet's name
    """A property of a class: read through the class as through an instance.

    Examples:
        >>> class Lamp:
        ...     @classproperty
        ...     def kind(cls):
        ...         return cls.__name__.lower()
        >>> Lamp.kind, Lamp().kind
        ('lamp', 'lamp')
    """

    def __init__(self, func: Callable[[Any], Value]) -> None:
        self._getter = func
        self.__doc__ = func.__doc__

    def __get__(self, instance: object, owner: type) -> Value:
        return self._getter(owner)


def _as_list(obj: Any) -> list[Any] | tuple[Any, ...]:
    """Return a list or tuple as it is, anything else as the only element of a list."""
    return obj if isinstance(obj, (list, tuple)) else [obj]
