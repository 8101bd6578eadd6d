"""Operators written in Python in MXNet's oldest way: `mx.operator.NumpyOp` and `NDArrayOp`.

Each object is one operator of its own; `CustomOp` is the way to write a new one.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluonnx import operator, symbol
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol.symbol import Symbol

__all__ = ["NDArrayOp", "NumpyOp", "PythonOp"]

Shape = Sequence[int]
_numbers = itertools.count()


class PythonOp:
    """Base of operators written in Python; calling one gives a symbol.

    Args:
        need_top_grad: Whether `backward` reads gradients of the outputs; False for a loss.
    """

    def __init__(self, need_top_grad: bool = True) -> None:
        self.need_top_grad_ = need_top_grad
        self._name = f"{type(self).__name__}{next(_numbers)}"

    def __call__(self, *args: Any, **kwargs: Any) -> Symbol:
        return self.get_symbol(*args, **kwargs)

    def get_symbol(self, *args: Any, **kwargs: Any) -> Symbol:
        """Return a symbol of the operator over input symbols, given by position or by name.

        Args:
            *args: Inputs in the order of `list_arguments()`.
            **kwargs: Inputs by name, and `name`.
        """
        operator.register(self._name)(_property_of(self))
        result: Symbol = symbol.Custom(*args, op_type=self._name, **kwargs)
        return result

    def forward(self, in_data: list[Any], out_data: list[Any]) -> None:
        """Fill `out_data`; without an override, with the first input."""
        out_data[0][:] = in_data[0]

    def backward(self, out_grad: list[Any], in_data: list[Any], out_data: list[Any], in_grad: list[Any]) -> None:
        """Fill `in_grad`; without an override, with 1."""
        in_grad[0][:] = 1.0

    def infer_shape(self, in_shape: list[Shape]) -> tuple[list[Shape], list[Shape]]:
        """Return the shapes of all inputs and outputs; without an override, those given and the first of them."""
        return in_shape, [in_shape[0]]

    def list_outputs(self) -> list[str]:
        """Names of the outputs."""
        return ["output"]

    def list_arguments(self) -> list[str]:
        """Names of the inputs."""
        return ["data"]

    def need_top_grad(self) -> bool:
        """Whether `backward` reads gradients of the outputs."""
        return self.need_top_grad_

    def _run(self, method: str, *groups: list[NDArray]) -> None:
        raise NotImplementedError("PythonOp: not an operator by itself: expected a NumpyOp or an NDArrayOp.")


class NumpyOp(PythonOp):
    """An operator that sees numpy arrays.

    Examples:
        >>> import numpy as np
        >>> from gluonnx import cpu, nd, operator, sym
        >>> class Square(operator.NumpyOp):
        ...     def forward(self, in_data, out_data):
        ...         out_data[0][:] = np.square(in_data[0])
        >>> net = Square()(sym.var("x"), name="square")
        >>> net.eval(ctx=cpu(), x=nd.array([1, 2, 3]))[0].asnumpy()
        array([1., 4., 9.], dtype=float32)
    """

    def _run(self, method: str, *groups: list[NDArray]) -> None:
        arrays = [[a.asnumpy() for a in group] for group in groups]
        getattr(self, method)(*arrays)
        for target, value in zip(groups[-1], arrays[-1], strict=True):
            target[:] = np.asarray(value)


class NDArrayOp(PythonOp):
    """An operator that sees NDArrays."""

    def _run(self, method: str, *groups: list[NDArray]) -> None:
        getattr(self, method)(*groups)

    def declare_backward_dependency(
        self, out_grad: Sequence[int], in_data: Sequence[int], out_data: Sequence[int]
    ) -> list[int]:
        """Which arrays `backward` reads; all are kept, whatever is returned."""
        return [*(out_grad if self.need_top_grad() else ()), *in_data, *out_data]


class _Computation(operator.CustomOp):
    def __init__(self, owner: PythonOp) -> None:
        self._owner = owner

    def forward(
        self, is_train: bool, req: list[str], in_data: list[NDArray], out_data: list[NDArray], aux: list[NDArray]
    ) -> None:
        self._owner._run("forward", in_data, out_data)

    def backward(
        self,
        req: list[str],
        out_grad: list[NDArray],
        in_data: list[NDArray],
        out_data: list[NDArray],
        in_grad: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        self._owner._run("backward", out_grad, in_data, out_data, in_grad)


def _property_of(owner: PythonOp) -> type[operator.CustomOpProp]:
    class Property(operator.CustomOpProp):
        def __init__(self) -> None:
            super().__init__(need_top_grad=owner.need_top_grad())

        def list_arguments(self) -> list[str]:
            return owner.list_arguments()

        def list_outputs(self) -> list[str]:
            return owner.list_outputs()

        def infer_shape(self, in_shape: Any) -> Any:
            inputs, outputs = owner.infer_shape(in_shape)
            return inputs, outputs, []

        def create_operator(self, ctx: Any, in_shapes: Any, in_dtypes: Any) -> operator.CustomOp:
            return _Computation(owner)

    return Property
