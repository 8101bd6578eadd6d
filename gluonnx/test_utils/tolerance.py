"""What counts as equal, by element type.

Source: MXNet 1.9.1, the values of mxnet.test_utils.default_rtols(), default_atols() and default_numeric_eps().
"""

from typing import Any

import numpy as np

__all__ = [
    "default_atols",
    "default_dtype",
    "default_numeric_eps",
    "default_rtols",
    "effective_dtype",
    "get_atol",
    "get_etol",
    "get_rtol",
    "get_tolerance",
    "get_tols",
]

EXACT = ("bool", "int8", "uint8", "int32", "uint32", "int64", "uint64")

Tolerances = dict["np.dtype[Any]", float]


def default_dtype() -> type[np.generic]:
    """Return the element type of arrays that are made without one."""
    return np.float32


def default_rtols() -> Tolerances:
    """Return the relative tolerance of each element type."""
    return _by_type(float16=1e-2, float32=1e-4, float64=1e-5, **dict.fromkeys(EXACT, 0.0))


def default_atols() -> Tolerances:
    """Return the absolute tolerance of each element type."""
    return _by_type(float16=1e-1, float32=1e-3, float64=1e-20, **dict.fromkeys(EXACT, 0.0))


def default_numeric_eps() -> Tolerances:
    """Return the step of finite differences of each element type: a power of two, so that adding it is exact."""
    return _by_type(float16=2.0**-6, float32=2.0**-9, float64=2.0**-14)


def effective_dtype(dat: Any) -> "np.dtype[Any]":
    """Return the element type whose precision an array has.

    That is its own: torch computes float32 in float32 unless a program asks it for TF32.
    """
    return np.dtype(dat.dtype) if hasattr(dat, "dtype") else np.asarray(dat).dtype


def get_tolerance(dat: Any, tol: float | Tolerances | None, default_tol: Tolerances) -> float:
    """Return the tolerance for an array: `tol` itself, or that of its element type from `tol` or `default_tol`."""
    if isinstance(tol, (int, float)):
        return tol
    table = default_tol if tol is None else {np.dtype(key): value for key, value in tol.items()}
    return table.get(effective_dtype(dat), 0)


def get_tols(x: Any, y: Any, rtol: float | Tolerances | None, atol: float | Tolerances | None) -> tuple[float, float]:
    """Return (relative, absolute) tolerance for comparing two arrays: that of the less precise one."""
    rtols, atols = default_rtols(), default_atols()
    return (
        max(get_tolerance(x, rtol, rtols), get_tolerance(y, rtol, rtols)),
        max(get_tolerance(x, atol, atols), get_tolerance(y, atol, atols)),
    )


def get_rtol(rtol: float | Tolerances | None = None, dtype: Any = np.float64) -> float:
    """Return `rtol`, or the relative tolerance of an element type if it is None."""
    return get_tolerance(np.empty(0, dtype), rtol, default_rtols())


def get_atol(atol: float | Tolerances | None = None, dtype: Any = np.float64) -> float:
    """Return `atol`, or the absolute tolerance of an element type if it is None."""
    return get_tolerance(np.empty(0, dtype), atol, default_atols())


def get_etol(etol: float | None = None) -> float:
    """Return the share of elements that may differ: none if `etol` is None."""
    return 0 if etol is None else etol


def _by_type(**values: float) -> Tolerances:
    return {np.dtype(name): value for name, value in values.items()}
