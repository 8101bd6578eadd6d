"""Random arrays: MXNet's `nd.random`, drawn from gluonnx's own generators."""

from typing import Any

import numpy as np
import torch

from gluonnx.context import Context
from gluonnx.errors import UnknownOperatorError
from gluonnx.ndarray.generators import generator, seed
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import function
from gluonnx.ops.dtypes import as_dtype
from gluonnx.ops.table import TABLE

__all__ = ["normal", "randn", "seed", "shuffle", "uniform"]

ShapeLike = int | tuple[int, ...] | list[int] | None


def uniform(
    low: Any = 0,
    high: Any = 1,
    shape: ShapeLike = None,
    dtype: Any = None,
    ctx: Context | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """Draw from the uniform distribution on [low, high).

    Args:
        low: Lower bound, a number or an array (then each element has its own bounds).
        high: Upper bound, likewise.
        shape: Shape of the result; (1,) if None. With array bounds, the shape drawn for each element.
        dtype: float16, float32 or float64; float32 if None.
        ctx: Where the result lives.
        out: Array to fill instead.
        **kwargs: Ignored arguments of the signature shared with Symbol (`name`).
    """
    return _draw("_random_uniform", "_sample_uniform", {"low": low, "high": high}, shape, dtype, ctx, out)


def normal(
    loc: Any = 0,
    scale: Any = 1,
    shape: ShapeLike = None,
    dtype: Any = None,
    ctx: Context | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """Draw from the normal distribution with mean `loc` and standard deviation `scale`; see `uniform` for the rest."""
    return _draw("_random_normal", "_sample_normal", {"loc": loc, "scale": scale}, shape, dtype, ctx, out)


def randn(*shape: int, **kwargs: Any) -> NDArray:
    """Draw from the normal distribution; the shape is given as positional ints."""
    return normal(kwargs.pop("loc", 0), kwargs.pop("scale", 1), shape=shape or None, **kwargs)


def shuffle(data: NDArray, out: NDArray | None = None) -> NDArray:
    """Return the array with its first axis in random order.

    Args:
        data: The array, of at least one axis.
        out: Array to fill instead.
    """
    tensor = data._active()
    order = torch.randperm(len(data), generator=generator(tensor.device), device=tensor.device)
    result = data._like(tensor[order])
    if out is None:
        return result
    out._write(result._t)
    return out


def _draw(
    op: str,
    array_op: str,
    bounds: dict[str, Any],
    shape: ShapeLike,
    dtype: Any,
    ctx: Context | None,
    out: NDArray | None,
) -> NDArray:
    name = None if dtype is None else as_dtype(dtype).name
    if any(isinstance(b, NDArray) for b in bounds.values()):
        if array_op not in TABLE:
            raise UnknownOperatorError(f"nd.random: array bounds need the operator {array_op!r}, which is not built.")
        result: NDArray = function(array_op)(*bounds.values(), shape=shape or (), dtype=name or "None", out=out)
        return result
    if shape is None:
        shape = (1,) if out is None else out.shape
    if name is None and out is not None:
        name = np.dtype(out.dtype).name
    result = function(op)(**bounds, shape=shape, dtype=name or "float32", ctx=ctx, out=out)
    return result
