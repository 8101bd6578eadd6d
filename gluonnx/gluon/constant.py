"""Constant: a parameter that training leaves alone."""

import warnings
from typing import Any

from gluonnx import initializer
from gluonnx.gluon.parameter_value import Parameter
from gluonnx.ndarray.creation import array as make_array
from gluonnx.ndarray.ndarray import NDArray

__all__ = ["Constant"]


class Constant(Parameter):
    """A parameter that training leaves alone; `set_data` still changes it.

    Args:
        name: Name of the parameter.
        value: Its value, an array or nested lists.

    Examples:
        >>> import gluonnx as mx
        >>> const = mx.gluon.Constant("const", [[1, 2], [3, 4]])
        >>> const.initialize()
        >>> const.data().asnumpy().tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """

    def __init__(self, name: str, value: Any) -> None:
        if not isinstance(value, NDArray):
            value = make_array(value)
        self.value = value
        super().__init__(name, grad_req="null", shape=value.shape, dtype=value.dtype, init=_ConstantInit(name, value))

    def __repr__(self) -> str:
        return f"Constant {self.name} (shape={self.shape}, dtype={self._dtype})"

    @property
    def grad_req(self) -> str:
        """Always `"null"`."""
        return "null"

    @grad_req.setter
    def grad_req(self, req: str) -> None:
        if req != "null":
            warnings.warn(
                f'Constant parameter "{self.name}" does not support grad_req other than "null", and new value "{req}" '
                "is ignored.",
                stacklevel=2,
            )


class _ConstantInit(initializer.Initializer):
    """Writes a given value; described by the constant's name, so that exported files are the same every time."""

    def __init__(self, name: str, value: NDArray) -> None:
        super().__init__()
        self._name = name
        self._value = value

    def dumps(self) -> str:
        return f"Constant_{self._name}"

    def _init_weight(self, _: Any, arr: NDArray) -> None:
        arr[:] = self._value
