"""Gradient compression: what a device sends is one of three values, and what is lost is sent later."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import ArgumentError

__all__ = ["TwoBit"]

DEFAULT_THRESHOLD = 0.5


class TwoBit:
    """Two-bit compression: `threshold`, `-threshold` or 0 for each element; the rest is added to the next gradient.

    Args:
        params: `{"type": "2bit", "threshold": positive number}`.

    Raises:
        ArgumentError: Another type, another key, or a threshold that is not positive.

    Source: MXNet 1.9.1 src/kvstore/gradient_compression-inl.h, quantize_2bit.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        unknown = set(params) - {"type", "threshold"}
        if params.get("type") != "2bit" or unknown:
            raise ArgumentError(
                f"compression_params: Unknown type for gradient compression: expected type='2bit' and a threshold, "
                f"got {dict(params)}."
            )
        self.threshold = float(params.get("threshold", DEFAULT_THRESHOLD))
        if not self.threshold > 0:
            raise ArgumentError(f"compression_params: expected a positive number, got threshold={self.threshold}.")
        self._rests: dict[tuple[Any, int], Tensor] = {}

    def __call__(self, key: Any, device: int, gradient: Tensor) -> Tensor:
        """Return what a device sends for a gradient, and keep the rest for the next."""
        rest = self._rests.get((key, device))
        rest = gradient.clone() if rest is None else rest.add_(gradient)
        sent = torch.zeros_like(rest)
        sent[rest >= self.threshold] = self.threshold
        sent[rest <= -self.threshold] = -self.threshold
        self._rests[key, device] = rest.sub_(sent)
        return sent
