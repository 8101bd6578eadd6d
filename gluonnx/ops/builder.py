"""What a lowering may ask of the ONNX graph that is being built."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

INT64_MAX = 2**63 - 1
"""As the end of an ONNX Slice: all that there is."""
INT64_MIN = -(2**63)
"""As its end under a negative step, likewise."""


class Value(Protocol):
    """A tensor in the ONNX graph under construction; opaque to lowerings."""


class Region(Protocol):
    """A nested ONNX graph under construction (the body of a loop); it may also read values of the graphs around it."""

    def input(self, dtype: str, dims: Sequence[int]) -> "Value":
        """Add an input."""
        ...

    def input_like(self, value: "Value", *, is_element: bool = False) -> "Value":
        """Add an input of the dtype and shape of a value, or of its elements along axis 0."""
        ...

    def give(self, values: "Sequence[Value]") -> None:
        """Make these its outputs."""
        ...


class LoweredBody(Protocol):
    """A subgraph of the operator that is being lowered.

    Attributes:
        wiring: How it is joined to the operator.
    """

    wiring: Any

    def __call__(self, values: "Sequence[Value]") -> "tuple[Value, ...]":
        """Add the subgraph's operators to the graph, reading these inputs, and return its outputs."""
        ...


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

    def region(self) -> AbstractContextManager[Region]:
        """Begin a nested graph: nodes that are added in the `with` belong to it. It is the value of an attribute."""
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

    def is_same_size(self, first: "Value", axis: int, second: "Value", other_axis: int) -> bool:
        """Whether two dimensions are equal at every batch size."""
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
