"""Padding layers."""

from collections.abc import Sequence
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.gluon.block import HybridBlock

__all__ = ["ReflectionPad2D"]


class ReflectionPad2D(HybridBlock):
    """Pad an image (N, C, H, W) with its reflection.

    Args:
        padding: One number for all four sides, or eight: before and after each of N, C, H, W (those of N and C are 0).
        kwargs: `prefix` and `params` of `Block`.

    Raises:
        ArgumentError: `padding` is neither one number nor eight.
    """

    def __init__(self, padding: int | Sequence[int] = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(padding, int):
            padding = (0,) * 4 + (padding,) * 4
        if len(padding) != 8:
            raise ArgumentError(
                f"ReflectionPad2D: wrong number of sizes: expected one number or 8 of them, got padding={padding}. "
                "Give before and after for each of N, C, H, W."
            )
        self._padding = padding

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, C, before + H + after, before + W + after)."""
        return F.pad(x, mode="reflect", pad_width=self._padding)
