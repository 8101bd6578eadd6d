"""Arrays that optimizers keep for each parameter."""

from typing import Any

import torch

from gluonnx.ndarray.ndarray import NDArray

__all__ = ["zeros_like", "zeros_of"]


def zeros_like(weight: NDArray) -> NDArray:
    """Return zeros of the weight's shape and dtype, contiguous, on its context."""
    return zeros_of(weight, weight.shape)


def zeros_of(weight: NDArray, shape: tuple[int, ...], dtype: Any = None) -> NDArray:
    """Return zeros of a shape on the weight's context, in its dtype if `dtype` is None."""
    t = weight._t
    return weight._like(torch.zeros(shape, dtype=dtype or t.dtype, device=t.device))
