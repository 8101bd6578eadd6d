"""Random symbols: MXNet's `sym.random`. Parameters are numbers, or symbols with a distribution for each element."""

from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.ops.dtypes import as_dtype
from gluonnx.symbol.register import function
from gluonnx.symbol.symbol import Symbol

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
    "shuffle",
    "uniform",
]


def uniform(low: Any = 0, high: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the uniform distribution on [low, high)."""
    return _draw("uniform", {"low": low, "high": high}, shape, dtype, kwargs)


def normal(loc: Any = 0, scale: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the normal distribution."""
    return _draw("normal", {"loc": loc, "scale": scale}, shape, dtype, kwargs)


def randn(*shape: int, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the normal distribution; the shape is given as positional ints.

    A symbol `data` is taken and not read, as by MXNet.
    """
    kwargs.pop("data", None)
    return normal(kwargs.pop("loc", 0), kwargs.pop("scale", 1), shape=shape or None, **kwargs)


def exponential(scale: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the exponential distribution with mean `scale`."""
    return _draw("exponential", {"lam": 1.0 / scale}, shape, dtype, kwargs)


def gamma(alpha: Any = 1, beta: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the gamma distribution with shape `alpha` and scale `beta`."""
    return _draw("gamma", {"alpha": alpha, "beta": beta}, shape, dtype, kwargs)


def poisson(lam: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol drawn from the Poisson distribution with mean `lam`."""
    return _draw("poisson", {"lam": lam}, shape, dtype, kwargs)


def negative_binomial(k: Any = 1, p: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol of successes before `k` failures of probability `p`."""
    return _draw("negative_binomial", {"k": k, "p": p}, shape, dtype, kwargs)


def generalized_negative_binomial(
    mu: Any = 1, alpha: Any = 1, shape: Any = None, dtype: Any = None, **kwargs: Any
) -> Symbol:
    """Return a symbol drawn from the distribution with mean `mu` and variance `mu + alpha * mu^2`."""
    return _draw("generalized_negative_binomial", {"mu": mu, "alpha": alpha}, shape, dtype, kwargs)


def randint(low: int, high: int, shape: Any = None, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Return a symbol of integers drawn from [low, high)."""
    return function("_random_randint")(low=low, high=high, **_attributes(shape, dtype), **kwargs)


def multinomial(data: Symbol, shape: Any = None, get_prob: bool = True, dtype: Any = "int32", **kwargs: Any) -> Symbol:
    """Return a symbol of classes drawn by the probabilities of each row, and of their logarithms if `get_prob`."""
    return function("_sample_multinomial")(data, get_prob=get_prob, **_attributes(shape, dtype), **kwargs)


def shuffle(data: Symbol, **kwargs: Any) -> Symbol:
    """Return a symbol of `data` with its first axis in random order."""
    return function("_shuffle")(data, **kwargs)


def _draw(kind: str, parameters: dict[str, Any], shape: Any, dtype: Any, kwargs: dict[str, Any]) -> Symbol:
    are_symbols = [isinstance(value, Symbol) for value in parameters.values()]
    if any(are_symbols) and not all(are_symbols):
        raise ArgumentError(
            f"random.{kind}: Distribution parameters must all have the same type, but got "
            f"{', '.join(type(value).__name__ for value in parameters.values())}."
        )
    attrs = _attributes(shape, dtype)
    if all(are_symbols):
        return function(f"_sample_{kind}")(*parameters.values(), **attrs, **kwargs)
    return function(f"_random_{kind}")(**parameters, **attrs, **kwargs)


def _attributes(shape: Any, dtype: Any) -> dict[str, Any]:
    attrs = {} if shape is None else {"shape": shape}
    return attrs if dtype is None else {**attrs, "dtype": as_dtype(dtype).name}
