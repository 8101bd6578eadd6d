"""Symbols that need no input, and elementwise functions that also take plain numbers."""

import math
import numbers
import operator
from collections.abc import Callable
from typing import Any

from gluonnx.ops.dtypes import as_dtype
from gluonnx.symbol.register import function
from gluonnx.symbol.symbol import Symbol

__all__ = ["arange", "eye", "full", "hypot", "linspace", "maximum", "minimum", "ones", "pow", "power", "zeros"]


def zeros(shape: Any, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol of zeros."""
    return function("_zeros")(shape=shape, dtype=as_dtype(dtype or "float32").name, **kwargs)


def ones(shape: Any, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol of ones."""
    return function("_ones")(shape=shape, dtype=as_dtype(dtype or "float32").name, **kwargs)


def full(shape: Any, val: float, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol filled with one value."""
    return function("_full")(shape=shape, dtype=as_dtype(dtype or "float32").name, value=float(val), **kwargs)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    name: str | None = None,
    dtype: Any = None,
) -> Symbol:
    """Return a symbol of evenly spaced values in [start, stop), each `repeat` times."""
    return function("_arange")(
        start=start,
        stop=stop,
        step=step,
        repeat=repeat,
        infer_range=infer_range,
        name=name,
        dtype=as_dtype(dtype or "float32").name,
    )


def linspace(
    start: float, stop: float, num: int, endpoint: bool = True, name: str | None = None, dtype: Any = None
) -> Symbol:
    """Return a symbol of `num` evenly spaced values from start to stop, that included if `endpoint`."""
    dtype = as_dtype(dtype or "float32").name
    return function("_linspace")(start=start, stop=stop, num=num, endpoint=endpoint, name=name, dtype=dtype)


def eye(N: int, M: int = 0, k: int = 0, dtype: Any = None, **kwargs: Any) -> Symbol:  # noqa: N803
    """Return a symbol (N, M), M the same as N if 0, of ones on the k-th diagonal and zeros elsewhere."""
    return function("_eye")(N=N, M=M, k=k, dtype=as_dtype(dtype or "float32").name, **kwargs)


def _with_numbers(
    name: str, pair_op: str, scalar_op: str, rscalar_op: str, on_numbers: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], Any]:
    def fn(left: Any, right: Any) -> Any:
        if isinstance(left, Symbol):
            if isinstance(right, Symbol):
                return function(pair_op)(left, right)
            if isinstance(right, numbers.Number):
                return function(scalar_op)(left, scalar=right)
        elif isinstance(left, numbers.Number):
            if isinstance(right, Symbol):
                return function(rscalar_op)(right, scalar=left)
            if isinstance(right, numbers.Number):
                return on_numbers(left, right)
        raise TypeError(
            f"sym.{name}: wrong types: expected Symbols or numbers, got {type(left).__name__} and "
            f"{type(right).__name__}."
        )

    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = f"Elementwise `{name}`; each side is a symbol or a number."
    return fn


maximum = _with_numbers("maximum", "_Maximum", "_MaximumScalar", "_MaximumScalar", max)
minimum = _with_numbers("minimum", "_Minimum", "_MinimumScalar", "_MinimumScalar", min)
hypot = _with_numbers("hypot", "_Hypot", "_HypotScalar", "_HypotScalar", math.hypot)
_power = _with_numbers("power", "_Power", "_PowerScalar", "_RPowerScalar", operator.pow)


def power(base: Any, exp: Any) -> Any:
    """Return `base` to the power of `exp`, of symbols and numbers."""
    return _power(base, exp)


pow = power
