"""Parallel containers, the identity, layers that turn channels into space, and an embedding of sparse weight."""

from collections.abc import Sequence
from typing import Any

from gluonnx import ndarray
from gluonnx.gluon.block import Block, HybridBlock
from gluonnx.gluon.nn import HybridSequential, Sequential
from gluonnx.gluon.nn.sizes import check_rank
from gluonnx.moved import names_of

__all__ = [
    "Concurrent",
    "HybridConcurrent",
    "Identity",
    "PixelShuffle1D",
    "PixelShuffle2D",
    "PixelShuffle3D",
    "SparseEmbedding",
]


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


class SparseEmbedding(Block):
    """Turn indices into rows of a weight of which only the rows that are used come from the Trainer.

    Args:
        input_dim: Number of rows.
        output_dim: Size of a row.
        dtype: Dtype of `weight` and of the output.
        weight_initializer: Initializer of `weight`.
        kwargs: `prefix` and `params` of `Block`.
    """

    def __init__(
        self, input_dim: int, output_dim: int, dtype: Any = "float32", weight_initializer: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {"input_dim": input_dim, "output_dim": output_dim, "dtype": dtype, "sparse_grad": True}
        self.weight = self.params.get(
            "weight",
            shape=(input_dim, output_dim),
            init=weight_initializer,
            dtype=dtype,
            grad_stype="row_sparse",
            stype="row_sparse",
        )

    def forward(self, x: Any) -> Any:
        """Return (..., output_dim)."""
        return ndarray.Embedding(x, self.weight.row_sparse_data(x), name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        return "{name}({input_dim} -> {output_dim}, {dtype})".format(name=type(self).__name__, **self._kwargs)


__getattr__ = names_of(__name__, "gluonnx.gluon.contrib.nn")
