"""Assertions on arrays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gluonnx.test_utils.tolerance import Tolerances, get_etol, get_tols

__all__ = [
    "almost_equal",
    "assert_allclose",
    "assert_almost_equal",
    "assert_almost_equal_ignore_nan",
    "assert_almost_equal_with_err",
    "assert_exception",
    "checkShapes",
    "compare_ndarray_tuple",
    "same",
    "same_array",
    "same_symbol_structure",
]

Array = npt.NDArray[Any]


def same(a: Any, b: Any) -> bool:
    """Whether two arrays have the same shape and values."""
    return np.array_equal(_numpy(a), _numpy(b))


def checkShapes(a: Any, b: Any) -> None:  # noqa: N802 - MXNet's name
    """Assert that two arrays have the same shape.

    Raises:
        AssertionError: They have not.
    """
    if a.shape != b.shape:
        raise AssertionError(f"shapes differ: expected b.shape={b.shape}, got a.shape={a.shape}.")


def almost_equal(
    a: Any,
    b: Any,
    rtol: float | Tolerances | None = None,
    atol: float | Tolerances | None = None,
    equal_nan: bool = False,
    use_broadcast: bool = True,
) -> bool:
    """Whether |a - b| <= atol + rtol * |b| everywhere.

    Args:
        a: What was computed; an NDArray, a numpy array or numbers.
        b: What was expected.
        rtol: Relative tolerance, as a number or by element type; the defaults of the element types if None.
        atol: Absolute tolerance, likewise.
        equal_nan: Whether NaN equals NaN.
        use_broadcast: Whether shapes may differ where one broadcasts to the other.
    """
    rtol, atol = get_tols(a, b, rtol, atol)
    a, b = _numpy(a), _numpy(b)
    if not use_broadcast:
        checkShapes(a, b)
    return bool(np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan))


def assert_almost_equal(
    a: Any,
    b: Any,
    rtol: float | Tolerances | None = None,
    atol: float | Tolerances | None = None,
    names: Sequence[str] = ("a", "b"),
    equal_nan: bool = False,
    use_broadcast: bool = True,
    mismatches: tuple[int, int] = (10, 10),
) -> None:
    """Assert that |a - b| <= atol + rtol * |b| everywhere.

    Differs: the largest errors are part of the message; MXNet prints them.

    Args:
        a: What was computed; an NDArray, a numpy array or numbers.
        b: What was expected.
        rtol: Relative tolerance, as a number or by element type; the defaults of the element types if None.
        atol: Absolute tolerance, likewise.
        names: What the message calls them.
        equal_nan: Whether NaN equals NaN.
        use_broadcast: Whether shapes may differ where one broadcasts to the other.
        mismatches: How many of the largest errors the message lists; the second number is that of MXNet's printing.

    Raises:
        AssertionError: They are not equal; the message has the largest error, in tolerances, and its place.
    """
    rtol, atol = get_tols(a, b, rtol, atol)
    a, b = _numpy(a), _numpy(b)
    if not use_broadcast:
        checkShapes(a, b)
    if np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan):
        return
    raise AssertionError(_message(a, b, rtol, atol, names, equal_nan, mismatches[0]))


def assert_almost_equal_with_err(
    a: Any,
    b: Any,
    rtol: float | Tolerances | None = None,
    atol: float | Tolerances | None = None,
    etol: float | None = None,
    names: Sequence[str] = ("a", "b"),
    equal_nan: bool = False,
    mismatches: tuple[int, int] = (10, 10),
) -> None:
    """Assert that |a - b| <= atol + rtol * |b|, but for a share `etol` of the elements.

    Raises:
        AssertionError: More elements differ.
    """
    rtol, atol = get_tols(a, b, rtol, atol)
    a, b = _numpy(a), _numpy(b)
    wrong = ~np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if wrong.size and wrong.mean() > get_etol(etol):
        raise AssertionError(_message(a, b, rtol, atol, names, equal_nan, mismatches[0]))


def assert_almost_equal_ignore_nan(
    a: Any,
    b: Any,
    rtol: float | Tolerances | None = None,
    atol: float | Tolerances | None = None,
    names: Sequence[str] = ("a", "b"),
) -> None:
    """Assert that two arrays are almost equal where neither is NaN."""
    a, b = np.array(_numpy(a)), np.array(_numpy(b))
    missing = np.isnan(a) | np.isnan(b)
    a[missing] = 0
    b[missing] = 0
    assert_almost_equal(a, b, rtol, atol, names)


def assert_allclose(a: Any, b: Any, rtol: float = 1e-7, atol: float = 0, equal_nan: bool = True) -> None:
    """Assert that two arrays are almost equal, with numpy's defaults."""
    assert_almost_equal(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


def assert_exception(f: Callable[..., Any], exception_type: type[BaseException], *args: Any, **kwargs: Any) -> None:
    """Assert that a call raises an exception of a type.

    Raises:
        AssertionError: It does not raise.
    """
    try:
        f(*args, **kwargs)
    except exception_type:
        return
    raise AssertionError(f"assert_exception: nothing raised: expected {exception_type.__name__} from {f!r}.")


def compare_ndarray_tuple(t1: Any, t2: Any, rtol: float | None = None, atol: float | None = None) -> None:
    """Assert that two arrays, or two equally nested tuples of arrays, are almost equal; None equals anything."""
    if t1 is None or t2 is None:
        return
    if isinstance(t1, tuple):
        for first, second in zip(t1, t2, strict=True):
            compare_ndarray_tuple(first, second, rtol, atol)
    else:
        assert_almost_equal(t1, t2, rtol=rtol, atol=atol)


def same_array(array1: Any, array2: Any) -> bool:
    """Whether two NDArrays share memory: what is written to one is seen in the other."""
    array1[:] += 1
    if not same(array1, array2):
        array1[:] -= 1
        return False
    array1[:] -= 1
    return same(array1, array2)


def same_symbol_structure(sym1: Any, sym2: Any) -> bool:
    """Whether two symbols have the same operators, connected in the same way; names may differ."""
    return _structure(sym1) == _structure(sym2)


def _structure(symbol: Any) -> list[Any]:
    from gluonnx.symbol.graph import topological

    nodes = topological(symbol._heads)
    place = {id(node): i for i, node in enumerate(nodes)}
    return [(n.op.name if n.op else None, [(place[id(s)], k) for s, k in n.inputs]) for n in nodes]


def _numpy(value: Any) -> Array:
    """The values as numpy; dtypes that numpy cannot compute with as float32."""
    values = value.asnumpy() if hasattr(value, "asnumpy") else np.asarray(value)
    return values if values.dtype.kind in "biufcO" else values.astype(np.float32)


def _message(a: Array, b: Array, rtol: float, atol: float, names: Sequence[str], equal_nan: bool, limit: int) -> str:
    a, b = np.broadcast_arrays(a, b)
    wide = np.result_type(a.dtype, b.dtype, np.float32)
    x, y = a.astype(wide), b.astype(wide)
    with np.errstate(all="ignore"):
        error = np.abs(x - y) / (atol + rtol * np.abs(y) + np.finfo(wide).tiny)
    wrong = ~np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)
    error = np.where(wrong, np.where(np.isnan(error), np.inf, error), 0)
    order = np.argsort(error, axis=None)[::-1][: min(max(limit, 1), int(wrong.sum()))]
    places = [tuple(int(i) for i in np.unravel_index(flat, error.shape)) for flat in order]
    rows = [f"{names[0]}={x[p]:.8f}, {names[1]}={y[p]:.8f}" for p in places]
    lines = [
        "",
        "Items are not equal:",
        f"Error {error[places[0]]:f} exceeds tolerance rtol={rtol:e}, atol={atol:e} (mismatch {wrong.mean():%}).",
        f"Location of maximum error: {places[0]}, {rows[0]}",
        *(
            f"  {i}: Error {error[p]:f}  Location: {p}, {row}"
            for i, (p, row) in enumerate(zip(places, rows, strict=True), 1)
        ),
        f" ACTUAL: {a!r}",
        f" DESIRED: {b!r}",
    ]
    return "\n".join(lines)
