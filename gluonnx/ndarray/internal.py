"""Functions of `nd`, `nd.contrib` and `nd._internal` around operators, and MXNet's old functions that fill arrays."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from gluonnx.context import Context, current_context
from gluonnx.errors import ArgumentError
from gluonnx.ndarray import random
from gluonnx.ndarray.creation import array
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import function


def split_v2(
    ary: NDArray, indices_or_sections: int | tuple[int, ...], axis: int = 0, squeeze_axis: bool = False
) -> Any:
    """Cut an array into equal parts, or at positions.

    Args:
        ary: The array.
        indices_or_sections: The number of parts, or a tuple of the positions at which all parts but the first begin.
        axis: The axis that is cut.
        squeeze_axis: Whether the axis, which then has size 1 in every part, is removed.

    Returns:
        A list of the parts; the only part itself.

    Raises:
        ValueError: `indices_or_sections` is neither, or the parts would not be equal.
        InputError: The positions descend or lie outside.
    """
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or ary.shape[axis] % indices_or_sections:
            raise ArgumentError(
                "split_v2: array split does not result in an equal division: expected a divisor of "
                f"{ary.shape[axis]}, got indices_or_sections={indices_or_sections}."
            )
        attrs: dict[str, Any] = {"indices": (), "sections": indices_or_sections}
    elif isinstance(indices_or_sections, tuple):
        attrs = {"indices": (0, *indices_or_sections)}
    else:
        raise ArgumentError(
            f"split_v2: indices_or_sections must either int or tuple of ints, got {type(indices_or_sections).__name__}."
        )
    parts = function("_split_v2")(ary, axis=axis, squeeze_axis=squeeze_axis, **attrs)
    return parts[0] if isinstance(parts, list) and len(parts) == 1 else parts


def histogram(a: NDArray, bins: int | NDArray = 10, range: tuple[float, float] | None = None) -> list[NDArray]:
    """Count the elements in bins.

    Args:
        a: The array.
        bins: The number of even bins, or an array of their ascending bounds.
        range: Lower and upper bound of even bins. Without, they span the elements; as in MXNet numpy computes that,
            and the counts are float32.

    Returns:
        Counts, int64, and bounds, of the dtype of the array.

    Raises:
        ValueError: `bins` is neither.
    """
    if isinstance(bins, NDArray):
        found: list[NDArray] = function("_histogram")(a, bins)
        return found
    if not isinstance(bins, int):
        raise ArgumentError(
            f"histogram: bins argument should be either an integer or an NDArray, got {type(bins).__name__}."
        )
    if range is None:
        warnings.warn("range is not specified, using numpy's result to ensure consistency with numpy", stacklevel=2)
        counts, bounds = np.histogram(a.asnumpy(), bins=bins)
        return [array(counts.astype(np.float32), a.context), array(bounds, a.context)]
    found = function("_histogram")(a, bin_cnt=bins, range=tuple(range))
    return found


def onehot_encode(indices: NDArray, out: NDArray) -> NDArray:
    """Fill `out` (N, C) with one-hot rows for the classes in `indices` (N,), and return it."""
    filled: NDArray = function("_onehot_encode")(indices, out, out=out)
    return filled


def set_value(src: float, out: NDArray) -> NDArray:
    """Fill `out` with a number, and return it."""
    if not isinstance(out, NDArray):
        raise ArgumentError(f"_set_value: nothing to fill: expected an NDArray, got out={out!r}. Pass `out=`.")
    out[:] = src
    return out


def isinf(data: NDArray) -> NDArray:
    """1 where an element is infinite, else 0, in the dtype of the array."""
    result: NDArray = function("abs")(data) == np.inf
    return result


def isfinite(data: NDArray) -> NDArray:
    """1 where an element is neither infinite nor NaN, else 0, in the dtype of the array."""
    result: NDArray = (function("abs")(data) != np.inf) * function("_equal")(data, data)
    return result


def isnan(data: NDArray) -> NDArray:
    """1 where an element is NaN, else 0, in the dtype of the array."""
    result: NDArray = function("_not_equal")(data, data)
    return result


def rand_zipfian(
    true_classes: NDArray, num_sampled: int, range_max: int, ctx: Context | None = None
) -> tuple[NDArray, NDArray, NDArray]:
    """Draw classes by Zipf's law, for a sampled softmax.

    The probability of class k is `log((k + 2) / (k + 1)) / log(range_max + 1)`.

    Args:
        true_classes: Classes whose expected counts are wanted too.
        num_sampled: How many to draw.
        range_max: The number of classes.
        ctx: Where the draws are made; the current context if None.

    Returns:
        The classes drawn (num_sampled,) int64, and how often each of `true_classes` and each of the drawn is expected
        among them, float64.
    """
    log_range = math.log(range_max + 1)
    drawn = random.uniform(0, log_range, shape=(num_sampled,), dtype="float64", ctx=ctx or current_context())
    sampled = (function("exp")(drawn) - 1).astype("int64") % range_max

    def expected(classes: NDArray) -> NDArray:
        wide = classes.as_in_context(sampled.context).astype("float64")
        count: NDArray = function("log")((wide + 2.0) / (wide + 1.0)) / log_range * num_sampled
        return count

    return sampled, expected(true_classes), expected(sampled)


def slice_assign(self: NDArray, rhs: NDArray, begin: Any, end: Any, step: Any) -> NDArray:
    """Write `rhs` into `self[begin:end:step]`, and return the array."""
    function("_slice_assign")(self, rhs, begin=begin, end=end, step=step, out=self)
    return self


def slice_assign_scalar(self: NDArray, value: float, begin: Any, end: Any, step: Any) -> NDArray:
    """Write a number into `self[begin:end:step]`, and return the array."""
    function("_slice_assign_scalar")(self, scalar=value, begin=begin, end=end, step=step, out=self)
    return self


MAIN: dict[str, Callable[..., Any]] = {"histogram": histogram, "onehot_encode": onehot_encode, "split_v2": split_v2}
CONTRIB: dict[str, Callable[..., Any]] = {
    "isfinite": isfinite,
    "isinf": isinf,
    "isnan": isnan,
    "rand_zipfian": rand_zipfian,
}
INTERNAL: dict[str, Callable[..., Any]] = {"_set_value": set_value}
"""What `nd`, `nd.contrib` and `nd._internal` have beside the operators of the table."""
METHODS: dict[str, Callable[..., Any]] = {
    "slice_assign": slice_assign,
    "slice_assign_scalar": slice_assign_scalar,
    "split_v2": split_v2,
}
"""Methods of NDArray beside those of the table."""
