"""Random symbols: MXNet's `sym.random`."""

from typing import Any

from gluonnx.ops.dtypes import as_dtype
from gluonnx.symbol.register import function
from gluonnx.symbol.symbol import Symbol

__all__ = ["normal", "randn", "uniform"]


def uniform(low: float = 0, high: float = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the uniform distribution on [low, high)."""
    return _draw("_random_uniform", {"low": low, "high": high}, shape, dtype, kwargs)


def normal(loc: float = 0, scale: float = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the normal distribution."""
    return _draw("_random_normal", {"loc": loc, "scale": scale}, shape, dtype, kwargs)


def randn(*shape: int, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the normal distribution; the shape is given as positional ints."""
    return normal(kwargs.pop("loc", 0), kwargs.pop("scale", 1), shape=shape or None, **kwargs)


def _draw(op: str, bounds: dict[str, Any], shape: Any, dtype: Any, kwargs: dict[str, Any]) -> Symbol:
    attrs = dict(bounds)
    if shape is not None:
        attrs["shape"] = shape
    if dtype is not None:
        attrs["dtype"] = as_dtype(dtype).name
    return function(op)(**attrs, **kwargs)
