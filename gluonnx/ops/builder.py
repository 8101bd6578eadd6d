"""What a lowering may ask of the ONNX graph that is being built."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Value(Protocol):
    """A tensor in the ONNX graph under construction; opaque to lowerings."""


class GraphBuilder(Protocol):
    """Adds ONNX operators of one pinned opset to a graph; `gluonnx.onnx` implements it.

    Dimensions are ints where they are fixed and None where they depend on the batch size.
    """

    opset: int

    def op(self, op_type: str, *inputs: "Value | None", **attributes: Any) -> "Value":
        """Add a node with one output and return it. A None input is an omitted optional one."""
        ...

    def op_outputs(self, op_type: str, outputs: int, *inputs: "Value | None", **attributes: Any) -> "tuple[Value, ...]":
        """Add a node with several outputs."""
        ...

    def const(self, array: npt.ArrayLike, dtype: str | None = None) -> "Value":
        """A constant tensor (same values share one). `dtype` is a canonical dtype name."""
        ...

    def ints(self, values: Sequence[int]) -> "Value":
        """A constant 1-D int64 tensor."""
        ...

    def scalar(self, number: float, like: "Value") -> "Value":
        """A constant 0-D tensor of the dtype of `like`."""
        ...

    def dims(self, value: "Value") -> tuple[int | None, ...]:
        """Shape with None for the dimensions that vary with the batch size."""
        ...

    def rank(self, value: "Value") -> int:
        """Number of dimensions."""
        ...

    def dtype(self, value: "Value") -> str:
        """Canonical dtype name."""
        ...

    def cast(self, value: "Value", dtype: str) -> "Value":
        """Cast to a canonical dtype name; the value itself where it has that dtype."""
        ...

    def shape(self, value: "Value") -> "Value":
        """The shape at run time, a 1-D int64 tensor."""
        ...

    def constant_value(self, value: "Value") -> "np.ndarray[Any, Any] | None":
        """The array of a constant or frozen parameter, None for anything computed at run time."""
        ...
