"""Python's operators on NDArrays: between two arrays, with a number, in place."""

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from gluonnx.errors import InputError, MXNetError
from gluonnx.modes import MODES
from gluonnx.ndarray.ndarray import IN_GRAPH, NDArray
from gluonnx.ops.blocking import blocked
from gluonnx.ops.table import TABLE

InPlace = Callable[[NDArray, Any], NDArray]


def _arithmetic(
    array_op: str, scalar_op: str, *, swap: bool = False, has_gradient: bool = True
) -> Callable[[NDArray, Any], NDArray]:
    """Make a binary Python operator from the operator for two arrays and the one for an array and a number."""

    def method(self: NDArray, other: Any) -> NDArray:
        kind = type(other)
        if kind is NDArray and type(self) is NDArray:
            a, b = self._t, other._t
            if a.requires_grad or b.requires_grad:
                if MODES.recording:
                    try:
                        t = binary(b, a) if swap else binary(a, b)
                        result = NDArray(t if has_gradient else blocked(t, (a, b)))
                        result._made = (row, other._made, self._made) if swap else (row, self._made, other._made)
                        return result
                    except RuntimeError as err:
                        raise broadcast_error(array_op, self, other, err) from None
                    except AttributeError:  # an array that is in no graph, for the first time
                        pair = (other, self) if swap else (self, other)
                        result._made = (row, *(x._origin() for x in pair))
                        return result
                a, b = self._active(), other._active()
            try:
                return NDArray(binary(b, a) if swap else binary(a, b))
            except RuntimeError as err:
                raise broadcast_error(array_op, self, other, err) from None
        if kind is float or kind is int or isinstance(other, (numbers.Number, np.generic)):
            t = self._t
            if t.requires_grad:
                if MODES.recording:
                    number = float(other)
                    source = t
                    t = with_scalar(t, scalar=number)
                    result = self._like(t if has_gradient else blocked(t, (source,)))
                    result._made = (scalar_row, self._origin(), number)
                    return result
                t = self._active()
            return self._like(with_scalar(t, scalar=float(other)))
        if isinstance(other, NDArray):
            check_same_context(array_op, self, other)
            a, b = self._active(), other._active()
            try:
                t = binary(b, a) if swap else binary(a, b)
                result = self._like(t if has_gradient else blocked(t, (a, b)))
            except RuntimeError as err:
                raise broadcast_error(array_op, self, other, err) from None
            if result._t.requires_grad:
                pair = (other, self) if swap else (self, other)
                result._made = (row, *(x._origin() for x in pair))
            return result
        raise TypeError(f"NDArray: type {type(other)} not supported: expected an NDArray or a number.")

    row, scalar_row = TABLE[array_op], TABLE[scalar_op]
    binary, with_scalar = row.forward, scalar_row.forward
    return method


def _in_place(array_op: str, scalar_op: str, quick: Callable[[torch.Tensor, Any], Any] | None) -> InPlace:
    apply = _arithmetic(array_op, scalar_op)

    def method(self: NDArray, other: Any) -> NDArray:
        target = self._t
        kind = type(other)
        if quick is not None and not target.requires_grad and target.is_floating_point():
            if kind is float or kind is int:
                quick(target, other)
                return self
            if kind is NDArray:
                t = other._t
                if t.dtype is target.dtype and t.shape == target.shape and not t.requires_grad:
                    try:
                        quick(target, t)
                    except RuntimeError as err:
                        raise broadcast_error(array_op, self, other, err) from None
                    return self
        target = self._writable()
        result = apply(self, other)
        if result.shape != self.shape:
            raise InputError(f"NDArray: in-place result does not fit: expected {self.shape}, got {result.shape}.")
        if result._t.requires_grad:
            raise MXNetError(IN_GRAPH)
        target.copy_(result._t)
        return self

    return method


def broadcast_error(op: str, lhs: NDArray, rhs: NDArray, err: Exception) -> MXNetError:
    """Return the error for two arrays that an operator cannot take together."""
    if isinstance(err, MXNetError):
        return err
    check_same_context(op, lhs, rhs)
    return InputError(f"{op}: operands could not be broadcast together with shapes {lhs.shape} {rhs.shape}.")


def check_same_context(op: str, lhs: NDArray, rhs: NDArray) -> None:
    """Raise MXNetError if two arrays are on different devices. `cpu(0)` and `cpu(1)` are one device, as in MXNet."""
    if lhs._t.device != rhs._t.device:
        raise MXNetError(
            f"{op}: inputs live on different devices: expected one, got {lhs.context} and {rhs.context}. "
            "Move one with `.as_in_context()`."
        )


def install_operators() -> None:
    """Give NDArray Python's operators, from the table."""
    table: Sequence[tuple[str, str, str]] = (
        ("add", "broadcast_add", "_plus_scalar"),
        ("sub", "broadcast_sub", "_minus_scalar"),
        ("mul", "broadcast_mul", "_mul_scalar"),
        ("truediv", "broadcast_div", "_div_scalar"),
        ("mod", "broadcast_mod", "_mod_scalar"),
        ("pow", "broadcast_power", "_power_scalar"),
    )
    swapped = {
        "sub": "_rminus_scalar",
        "truediv": "_rdiv_scalar",
        "mod": "_rmod_scalar",
        "pow": "_rpower_scalar",
    }
    quick: dict[str, Callable[[torch.Tensor, Any], Any]] = {
        "add": torch.Tensor.add_,
        "sub": torch.Tensor.sub_,
        "mul": torch.Tensor.mul_,
        "truediv": torch.Tensor.div_,
    }
    for name, array_op, scalar_op in table:
        setattr(NDArray, f"__{name}__", _arithmetic(array_op, scalar_op))
        setattr(NDArray, f"__r{name}__", _arithmetic(array_op, swapped.get(name, scalar_op), swap=True))
        if name != "pow":
            setattr(NDArray, f"__i{name}__", _in_place(array_op, scalar_op, quick.get(name)))
    for name, array_op, scalar_op in (
        ("eq", "broadcast_equal", "_equal_scalar"),
        ("ne", "broadcast_not_equal", "_not_equal_scalar"),
        ("gt", "broadcast_greater", "_greater_scalar"),
        ("ge", "broadcast_greater_equal", "_greater_equal_scalar"),
        ("lt", "broadcast_lesser", "_lesser_scalar"),
        ("le", "broadcast_lesser_equal", "_lesser_equal_scalar"),
    ):
        setattr(NDArray, f"__{name}__", _arithmetic(array_op, scalar_op, has_gradient=False))
