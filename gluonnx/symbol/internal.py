"""Functions of `sym` and `sym.contrib` around operators."""

import math
from collections.abc import Callable
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.symbol import random
from gluonnx.symbol.register import function
from gluonnx.symbol.symbol import Symbol


def split_v2(
    ary: Symbol, indices_or_sections: int | tuple[int, ...], axis: int = 0, squeeze_axis: bool = False
) -> Symbol:
    """Cut into equal parts, or at positions; see `nd.split_v2`.

    Raises:
        ValueError: `indices_or_sections` is neither an int nor a tuple.
    """
    if isinstance(indices_or_sections, int):
        attrs: dict[str, Any] = {"indices": (), "sections": indices_or_sections}
    elif isinstance(indices_or_sections, tuple):
        attrs = {"indices": (0, *indices_or_sections)}
    else:
        raise ArgumentError(
            f"split_v2: indices_or_sections must either int or tuple of ints, got {type(indices_or_sections).__name__}."
        )
    return function("_split_v2")(ary, axis=axis, squeeze_axis=squeeze_axis, **attrs)


def histogram(
    a: Symbol,
    bins: int | Symbol = 10,
    range: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Symbol:
    """Count the elements in even bins over `range`, or between the bounds in a symbol; see `nd.histogram`.

    Raises:
        ValueError: `bins` is neither, or there is no `range`.
    """
    if isinstance(bins, Symbol):
        return function("_histogram")(a, bins, **kwargs)
    if not isinstance(bins, int):
        raise ArgumentError(
            f"histogram: bins argument should be either an integer or a Symbol, got {type(bins).__name__}."
        )
    if range is None:
        raise ArgumentError("histogram: null range is not supported in symbol mode. Pass `range=`.")
    return function("_histogram")(a, bin_cnt=bins, range=tuple(range), **kwargs)


def rand_zipfian(true_classes: Symbol, num_sampled: int, range_max: int) -> tuple[Symbol, Symbol, Symbol]:
    """Draw classes by Zipf's law; see `nd.contrib.rand_zipfian`.

    Raises:
        ArgumentError: `true_classes` is no symbol.
    """
    if not isinstance(true_classes, Symbol):
        raise ArgumentError(f"rand_zipfian: unexpected type: expected Symbol, got {type(true_classes).__name__}.")
    log_range = math.log(range_max + 1)
    drawn = random.uniform(0, log_range, shape=(num_sampled,), dtype="float64")
    powers: Any = function("exp")(drawn)
    sampled: Any = (powers - 1).astype("int64") % range_max

    def expected(classes: Any) -> Symbol:
        wide = classes.astype("float64")
        logarithm: Any = function("log")((wide + 2.0) / (wide + 1.0))
        count: Symbol = logarithm / log_range * num_sampled
        return count

    return sampled, expected(true_classes), expected(sampled)


MAIN: dict[str, Callable[..., Any]] = {"histogram": histogram, "split_v2": split_v2}
CONTRIB: dict[str, Callable[..., Any]] = {"rand_zipfian": rand_zipfian}
"""What `sym` and `sym.contrib` have beside the operators of the table."""
METHODS: dict[str, Callable[..., Any]] = {"split_v2": split_v2}
"""Methods of Symbol beside those of the table."""
