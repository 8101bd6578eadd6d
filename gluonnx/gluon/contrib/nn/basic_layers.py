"""Parallel containers, the identity, and layers that turn channels into space."""

from collections.abc import Sequence
from typing import Any

from gluonnx import ndarray
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.nn import HybridSequential, Sequential
from gluonnx.gluon.nn.sizes import check_rank

__all__ = ["Concurrent", "HybridConcurrent", "Identity", "PixelShuffle1D", "PixelShuffle2D", "PixelShuffle3D"]


class Concurrent(Sequential):
    """Call blocks on the same data and join what they give along `axis`."""

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """Return the joined outputs."""
        return ndarray.concat(*[block(x) for block in self._children.values()], dim=self.axis)


class HybridConcurrent(HybridSequential):
    """Call hybrid blocks on the same data and join what they give along `axis`."""

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the joined outputs."""
        return F.concat(*[block(x) for block in self._children.values()], dim=self.axis)


class Identity(HybridBlock):
    """Give back the data; for a shortcut in a `HybridConcurrent`."""

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return `x`."""
        return x


def _factors(layer: str, factor: int | Sequence[int], rank: int) -> tuple[int, ...]:
    return tuple(int(f) for f in check_rank(layer, "factor", factor, rank))


class PixelShuffle1D(HybridBlock):
    """Turn channels into length: (N, f C, W) gives (N, C, f W).

    Source: Shi et al., 2016, "Real-Time Single Image and Video Super-Resolution".
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self._factor = int(factor)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, C, f W)."""
        x = F.reshape(x, (0, -4, -1, self._factor, 0))
        x = F.transpose(x, (0, 1, 3, 2))
        return F.reshape(x, (0, 0, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factor})"


class PixelShuffle2D(HybridBlock):
    """Turn channels into an image's size: (N, f1 f2 C, H, W) gives (N, C, f1 H, f2 W). See `PixelShuffle1D`.

    Raises:
        ArgumentError: `factor` is neither one number nor two.
    """

    def __init__(self, factor: int | Sequence[int]) -> None:
        super().__init__()
        self._factors = _factors("PixelShuffle2D", factor, 2)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, C, f1 H, f2 W)."""
        f1, f2 = self._factors
        x = F.reshape(x, (0, -4, -1, f1 * f2, 0, 0))
        x = F.reshape(x, (0, 0, -4, f1, f2, 0, 0))
        x = F.transpose(x, (0, 1, 4, 2, 5, 3))
        return F.reshape(x, (0, 0, -3, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factors})"


class PixelShuffle3D(HybridBlock):
    """Turn channels into a volume's size: (N, f1 f2 f3 C, D, H, W) gives (N, C, f1 D, f2 H, f3 W).

    See `PixelShuffle1D`. Each factor moves behind its axis and is joined with it, in turn.

    Raises:
        ArgumentError: `factor` is neither one number nor three.
    """

    def __init__(self, factor: int | Sequence[int]) -> None:
        super().__init__()
        self._factors = _factors("PixelShuffle3D", factor, 3)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, C, f1 D, f2 H, f3 W)."""
        f1, f2, f3 = self._factors
        x = F.reshape(x, (0, -4, -1, f1 * f2 * f3, 0, 0, 0))
        x = F.swapaxes(x, 2, 3)
        x = F.reshape(x, (0, 0, 0, -4, f1, f2 * f3, 0, 0))
        x = F.reshape(x, (0, 0, -3, 0, 0, 0))
        x = F.swapaxes(x, 3, 4)
        x = F.reshape(x, (0, 0, 0, 0, -4, f2, f3, 0))
        x = F.reshape(x, (0, 0, 0, -3, 0, 0))
        x = F.swapaxes(x, 4, 5)
        return F.reshape(x, (0, 0, 0, 0, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factors})"
