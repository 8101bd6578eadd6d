"""Memory for the arrays that readers fill."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["empty_array"]

ALIGNMENT_BYTES = 64
"""Of an array's first byte, as torch and ONNX Runtime allocate: a line of a processor's cache."""
LARGE_BYTES = 1 << 12
"""Smaller arrays are where malloc puts them."""


def empty_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a writable C-contiguous array whose values are not set, aligned if it is large.

    A library that takes over its memory then computes as fast with it as with memory of its own.
    """
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE_BYTES:
        return np.empty(shape, dtype)
    raw = np.empty(size + ALIGNMENT_BYTES, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT_BYTES
    return raw[start : start + size].view(dtype).reshape(shape)
