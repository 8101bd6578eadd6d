"""Random arrays: MXNet's `nd.random`, drawn from gluonnx's own generators."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.context import CPU, Context, current_context
from gluonnx.errors import ArgumentError
from gluonnx.ndarray.generators import generator, seed
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import function
from gluonnx.ops.dtypes import as_dtype
from gluonnx.ops.table import TABLE

__all__ = [
    "exponential",
    "gamma",
    "generalized_negative_binomial",
    "multinomial",
    "negative_binomial",
    "normal",
    "poisson",
    "randint",
    "randn",
    "seed",
    "shuffle",
    "uniform",
]

ShapeLike = int | tuple[int, ...] | list[int] | None

PLAIN = (int, float)
CPU_DEVICE = CPU.torch_device
_RANDOM_UNIFORM, _RANDOM_NORMAL = TABLE["_random_uniform"].forward, TABLE["_random_normal"].forward


def _uniform(low: float, high: float, shape: tuple[int, ...], source: torch.Generator | None) -> Tensor:
    return _RANDOM_UNIFORM(low=low, high=high, shape=shape, generator=source, device=CPU_DEVICE)  # type: ignore[no-any-return]


def _normal(loc: float, scale: float, shape: tuple[int, ...], source: torch.Generator | None) -> Tensor:
    return _RANDOM_NORMAL(loc=loc, scale=scale, shape=shape, generator=source, device=CPU_DEVICE)  # type: ignore[no-any-return]


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
    if (
        out is None
        and ctx is None
        and dtype is None
        and type(shape) is tuple
        and type(low) in PLAIN
        and type(high) in PLAIN
    ):
        found = _drawn(_uniform, low, high, shape)
        if found is not None:
            return found
    return _draw("uniform", {"low": low, "high": high}, shape, dtype, ctx, out)


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
    if (
        out is None
        and ctx is None
        and dtype is None
        and type(shape) is tuple
        and type(loc) in PLAIN
        and type(scale) in PLAIN
    ):
        found = _drawn(_normal, loc, scale, shape)
        if found is not None:
            return found
    return _draw("normal", {"loc": loc, "scale": scale}, shape, dtype, ctx, out)


def randn(*shape: int, **kwargs: Any) -> NDArray:
    """Draw from the normal distribution; the shape is given as positional ints."""
    return normal(kwargs.pop("loc", 0), kwargs.pop("scale", 1), shape=shape or None, **kwargs)


def exponential(
    scale: Any = 1,
    shape: ShapeLike = None,
    dtype: Any = None,
    ctx: Context | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """Draw from the exponential distribution with mean `scale`; see `uniform` for the rest."""
    return _draw("exponential", {"lam": 1.0 / scale}, shape, dtype, ctx, out)


def gamma(
    alpha: Any = 1,
    beta: Any = 1,
    shape: ShapeLike = None,
    dtype: Any = None,
    ctx: Context | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """Draw from the gamma distribution with shape `alpha` and scale `beta`; see `uniform` for the rest."""
    return _draw("gamma", {"alpha": alpha, "beta": beta}, shape, dtype, ctx, out)


def poisson(
    lam: Any = 1,
    shape: ShapeLike = None,
    dtype: Any = None,
    ctx: Context | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """Draw from the Poisson distribution with mean `lam`, as floats; see `uniform` for the rest."""
    return _draw("poisson", {"lam": lam}, shape, dtype, ctx, out)


def negative_binomial(
    k: Any = 1,
    p: Any = 1,
    shape: ShapeLike = None,
    dtype: Any = None,
    ctx: Context | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """Draw successes before `k` failures of probability `p`, as floats; see `uniform` for the rest."""
    return _draw("negative_binomial", {"k": k, "p": p}, shape, dtype, ctx, out)


def generalized_negative_binomial(
    mu: Any = 1,
    alpha: Any = 1,
    shape: ShapeLike = None,
    dtype: Any = None,
    ctx: Context | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """Draw from the distribution with mean `mu` and variance `mu + alpha * mu^2`; see `uniform` for the rest."""
    return _draw("generalized_negative_binomial", {"mu": mu, "alpha": alpha}, shape, dtype, ctx, out)


def randint(
    low: Any,
    high: Any,
    shape: ShapeLike = None,
    dtype: Any = None,
    ctx: Context | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """Draw integers from [low, high), int32 or int64; see `uniform` for the rest. The bounds are ints, not arrays."""
    for name, bound in (("low", low), ("high", high)):
        if not isinstance(bound, (int, np.integer)):
            raise ArgumentError(f"random.randint: expected an int, got {name}={bound!r}.")
    if shape is None:
        shape = (1,) if out is None else out.shape
    if dtype is None:
        dtype = "int32" if out is None else out.dtype
    name = as_dtype(dtype).name
    if name not in ("int32", "int64"):
        raise ArgumentError(f"random.randint: expected int32 or int64, got dtype={name}. Cast the result instead.")
    attrs = {"low": int(low), "high": int(high), "shape": shape, "dtype": name, "ctx": ctx}
    result: NDArray = function("_random_randint")(**attrs, out=out)
    return result


def multinomial(
    data: NDArray,
    shape: ShapeLike = None,
    get_prob: bool = False,
    out: NDArray | None = None,
    dtype: Any = "int32",
    **kwargs: Any,
) -> Any:
    """Draw classes by their probabilities.

    Args:
        data: Probabilities (..., K), each row with the sum 1.
        shape: What to draw for each row; one class if None.
        get_prob: Whether the logarithms of the drawn classes' probabilities come too; they have gradients.
        out: Array to fill instead.
        dtype: Of the classes.
        **kwargs: Ignored arguments of the signature shared with Symbol (`name`).

    Returns:
        Classes (..., *shape), with `get_prob` a list of them and the logarithms.

    Raises:
        InputError: A row is negative somewhere or sums to 0.
    """
    attrs = {"shape": _sizes(shape), "get_prob": bool(get_prob), "dtype": as_dtype(dtype).name}
    return function("_sample_multinomial")(data, **attrs, out=out)


def shuffle(data: NDArray, out: NDArray | None = None, **kwargs: Any) -> NDArray:
    """Return the array with its first axis in random order.

    Args:
        data: The array, of at least one axis.
        out: Array to fill instead.
        **kwargs: Ignored arguments of the signature shared with Symbol (`name`).
    """
    result: NDArray = function("_shuffle")(data, out=out)
    return result


def _sizes(shape: ShapeLike) -> tuple[int, ...]:
    return () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)


def _drawn(draw: Callable[..., Tensor], first: float, second: float, shape: tuple[int, ...]) -> NDArray | None:
    """The quick way for plain numbers, float32 and the CPU; None if it is not for these."""
    if current_context() is not CPU:
        return None
    try:
        return NDArray(draw(first, second, shape, generator(CPU_DEVICE)))
    except (RuntimeError, TypeError):  # the shape is none, or there is no memory: the operator says which
        return None


def _draw(
    kind: str,
    parameters: dict[str, Any],
    shape: ShapeLike,
    dtype: Any,
    ctx: Context | None,
    out: NDArray | None,
) -> NDArray:
    """Draw with fixed parameters, or with those of each element of arrays.

    Raises:
        ArgumentError: Parameters are neither numbers nor arrays, or some are numbers and some arrays.
    """
    values = list(parameters.values())
    are_arrays = [isinstance(value, NDArray) for value in values]
    for value, is_array in zip(values, are_arrays, strict=True):
        if not is_array and not isinstance(value, (int, float, np.number)):
            raise ArgumentError(
                f"random.{kind}: Distribution parameters must be either NDArray or numbers, "
                f"but got {type(value).__name__}."
            )
    if any(are_arrays) and not all(are_arrays):
        raise ArgumentError(
            f"random.{kind}: Distribution parameters must all have the same type, but got "
            f"{', '.join(type(value).__name__ for value in values)}."
        )
    name = None if dtype is None else as_dtype(dtype).name
    if name is None and out is not None:
        name = np.dtype(out.dtype).name
    result: NDArray
    if all(are_arrays):
        result = function(f"_sample_{kind}")(*values, shape=_sizes(shape), dtype=name or "float32", out=out)
        return result
    if shape is None:
        shape = (1,) if out is None else out.shape
    result = function(f"_random_{kind}")(**parameters, shape=shape, dtype=name or "float32", ctx=ctx, out=out)
    return result
