"""Sizes along the spatial axes and the layouts that order them."""

from collections.abc import Sequence
from numbers import Number

from gluonnx.errors import ArgumentError

Size = int | Sequence[int]

CONVOLUTION_LAYOUTS = {1: ("NCW",), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
POOLING_LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def per_axis(size: Size, rank: int) -> Sequence[int]:
    """Return a number `rank` times; a sequence as it is."""
    return (size,) * rank if isinstance(size, Number) else size  # type: ignore[return-value]


def check_rank(layer: str, name: str, size: Size, rank: int) -> Sequence[int]:
    """Return `size` with one entry for each of `rank` axes.

    Raises:
        ArgumentError: A sequence has another length; names `layer` and the argument.
    """
    sizes = per_axis(size, rank)
    if len(sizes) != rank:
        raise ArgumentError(
            f"{layer}: wrong number of sizes: expected a number or {rank} of them, got {name}={size}. "
            "Give one size for each spatial axis."
        )
    return sizes


def check_layout(layer: str, layout: str, allowed: Sequence[str]) -> str:
    """Return `layout`.

    Raises:
        ArgumentError: It is not among `allowed`; names `layer`.
    """
    if layout not in allowed:
        raise ArgumentError(
            f"{layer}: unsupported layout: expected {' or '.join(allowed)}, got layout={layout!r}. "
            "Transpose the data to a layout that the layer takes."
        )
    return layout
