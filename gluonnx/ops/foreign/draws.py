"""ONNX operators that draw random numbers, from gluonnx's generators; a seed in the file is not followed.

Differs: ONNX names no generator, so that no two runtimes draw the same numbers from a seed.
"""

import torch
from torch import Tensor

from gluonnx.ops.foreign.table import dtype_of, onnx_operator


def _on(device: torch.device, generator: torch.Generator | None) -> torch.Generator | None:
    return None if device.type == "meta" else generator


@onnx_operator("RandomNormal")
def random_normal(
    *,
    dtype: int = 1,
    mean: float = 0.0,
    scale: float = 1.0,
    seed: float | None = None,
    shape: list[int],
    generator: torch.Generator | None,
    device: torch.device,
) -> Tensor:
    """Normally distributed numbers."""
    drawn = torch.randn(shape, device=device, generator=_on(device, generator))
    return (drawn * scale + mean).to(dtype_of(dtype))


@onnx_operator("RandomUniform")
def random_uniform(
    *,
    dtype: int = 1,
    high: float = 1.0,
    low: float = 0.0,
    seed: float | None = None,
    shape: list[int],
    generator: torch.Generator | None,
    device: torch.device,
) -> Tensor:
    """Uniformly distributed numbers."""
    drawn = torch.rand(shape, device=device, generator=_on(device, generator))
    return (drawn * (high - low) + low).to(dtype_of(dtype))


@onnx_operator("RandomNormalLike")
def random_normal_like(
    data: Tensor,
    *,
    dtype: int | None = None,
    mean: float = 0.0,
    scale: float = 1.0,
    seed: float | None = None,
    generator: torch.Generator | None,
) -> Tensor:
    """Normally distributed numbers in the shape of the input."""
    drawn = torch.randn(data.shape, device=data.device, generator=_on(data.device, generator))
    return (drawn * scale + mean).to(data.dtype if dtype is None else dtype_of(dtype))


@onnx_operator("RandomUniformLike")
def random_uniform_like(
    data: Tensor,
    *,
    dtype: int | None = None,
    high: float = 1.0,
    low: float = 0.0,
    seed: float | None = None,
    generator: torch.Generator | None,
) -> Tensor:
    """Uniformly distributed numbers in the shape of the input."""
    drawn = torch.rand(data.shape, device=data.device, generator=_on(data.device, generator))
    return (drawn * (high - low) + low).to(data.dtype if dtype is None else dtype_of(dtype))


@onnx_operator("Bernoulli")
def bernoulli(
    data: Tensor, *, dtype: int | None = None, seed: float | None = None, generator: torch.Generator | None
) -> Tensor:
    """1 with the probability that the input tells, else 0."""
    drawn = torch.rand(data.shape, device=data.device, generator=_on(data.device, generator))
    return (drawn < data).to(data.dtype if dtype is None else dtype_of(dtype))


@onnx_operator("Multinomial")
def multinomial(
    data: Tensor,
    *,
    dtype: int = 6,
    sample_size: int = 1,
    seed: float | None = None,
    generator: torch.Generator | None,
) -> Tensor:
    """Classes drawn with the probabilities whose logarithms are given."""
    wanted = dtype_of(dtype)
    if data.device.type == "meta":
        return torch.empty((data.shape[0], sample_size), dtype=wanted, device="meta")
    return torch.multinomial(torch.softmax(data, 1), sample_size, True, generator=generator).to(wanted)
