"""Random draws in the shape and dtype of an array, and unique draws of classes by Zipf's law.

The caller passes the random generator of the device. None of these is lowered, for the reason given in `random`.
"""

import math

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.random import UNCHECKABLE, Generator, gamma_poisson, standard_gamma
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/random/sample_op.h"

Device = torch.device | str | None


def _wide(data: Tensor) -> Tensor:
    """An array to fill, of the shape of `data`, in float32 or its own wider dtype."""
    kind = torch.promote_types(data.dtype, torch.float32) if data.is_floating_point() else torch.float32
    return torch.empty(data.shape, dtype=kind, device=data.device)


@operator("_random_uniform_like", source=SOURCE, gradient="none")
def uniform_like(data: Tensor, *, low: float = 0.0, high: float = 1.0, generator: Generator = None) -> Tensor:
    """Draws from the uniform distribution on [low, high)."""
    drawn = torch.rand(data.shape, generator=generator, dtype=_wide(data).dtype, device=data.device)
    return drawn.mul_(high - low).add_(low).to(data.dtype)


@operator("_random_normal_like", source=SOURCE, gradient="none")
def normal_like(data: Tensor, *, loc: float = 0.0, scale: float = 1.0, generator: Generator = None) -> Tensor:
    """Draws from the normal distribution with mean `loc` and standard deviation `scale`."""
    return _wide(data).normal_(0, 1, generator=generator).mul_(scale).add_(loc).to(data.dtype)


@operator("_random_exponential_like", source=SOURCE, gradient="none")
def exponential_like(data: Tensor, *, lam: float = 1.0, generator: Generator = None) -> Tensor:
    """Draws from the exponential distribution with rate `lam` (mean `1 / lam`)."""
    return _wide(data).exponential_(1, generator=generator).div_(lam).to(data.dtype)


@operator("_random_gamma_like", source=SOURCE, gradient="none")
def gamma_like(data: Tensor, *, alpha: float = 1.0, beta: float = 1.0, generator: Generator = None) -> Tensor:
    """Draws from the gamma distribution with shape `alpha` and scale `beta` (mean `alpha * beta`)."""
    return standard_gamma(_wide(data).fill_(alpha), generator).mul_(beta).to(data.dtype)


@operator("_random_poisson_like", source=SOURCE, gradient="none")
def poisson_like(data: Tensor, *, lam: float = 1.0, generator: Generator = None) -> Tensor:
    """Draws from the Poisson distribution with mean `lam`."""
    return torch.poisson(_wide(data).fill_(lam), generator).to(data.dtype)


@operator("_random_negative_binomial_like", source=SOURCE, gradient="none")
def negative_binomial_like(data: Tensor, *, k: int = 1, p: float = 1.0, generator: Generator = None) -> Tensor:
    """Draws of successes before `k` failures of probability `p`; the mean is `k * (1 - p) / p`."""
    if not 0 < p <= 1:
        raise AttributeValueError(
            "_random_negative_binomial_like: attribute `p` has a wrong value: expected a probability above 0, "
            f"got p={p}."
        )
    return gamma_poisson(_wide(data).fill_(k), (1 - p) / p, generator).to(data.dtype)


@operator("_random_generalized_negative_binomial_like", source=SOURCE, gradient="none")
def generalized_negative_binomial_like(
    data: Tensor, *, mu: float = 1.0, alpha: float = 1.0, generator: Generator = None
) -> Tensor:
    """Draws from the negative binomial distribution with mean `mu` and variance `mu + alpha * mu^2`."""
    if alpha == 0:
        return torch.poisson(_wide(data).fill_(mu), generator).to(data.dtype)
    return gamma_poisson(_wide(data).fill_(1 / alpha), alpha * mu, generator).to(data.dtype)


@operator(
    "_sample_unique_zipfian",
    outputs="output0 output1",
    source="MXNet 1.9.1 src/operator/random/unique_sample_op.h",
    gradient="none",
)
def sample_unique_zipfian(
    *, range_max: int, shape: Shape | None = None, generator: Generator = None, device: Device = None
) -> tuple[Tensor, Tensor]:
    """Draws of classes from 0 to `range_max - 1` without repetition, and how many draws they took.

    The probability of class k at each draw is `log((k + 2) / (k + 1)) / log(range_max + 1)`.

    Returns:
        Classes (N, M) of the shape given, no one twice in a row, and the number of draws of each row (N,), all int64.

    Raises:
        AttributeValueError: `shape` is not (N, M), or M is more than there are classes.
    """
    if shape is None or len(shape) != 2 or min(shape) < 1 or shape[1] > range_max:
        raise AttributeValueError(
            "_sample_unique_zipfian: attribute `shape` has a wrong value: expected (N, M) with M from 1 to "
            f"range_max={range_max}, got shape={shape}."
        )
    rows, count = shape
    if device is not None and torch.device(device).type == "meta":
        return (
            torch.empty(shape, dtype=torch.int64, device=device),
            torch.empty((rows,), dtype=torch.int64, device=device),
        )
    drawn = _zipfian(rows, 2 * count, range_max, generator, device)
    while True:
        found = _first_times(drawn).cumsum(1)
        if bool((found[:, -1] >= count).all()):
            break
        drawn = torch.cat([drawn, _zipfian(rows, drawn.shape[1], range_max, generator, device)], 1)
    wanted = torch.arange(1, count + 1, device=drawn.device).expand(rows, count).contiguous()
    places = torch.searchsorted(found, wanted)
    return drawn.gather(1, places), places[:, -1] + 1


def _zipfian(rows: int, count: int, range_max: int, generator: Generator, device: Device) -> Tensor:
    uniform = torch.rand((rows, count), generator=generator, dtype=torch.float64, device=device)
    return uniform.mul_(math.log(range_max + 1)).exp_().sub_(1).long().remainder_(range_max)


def _first_times(drawn: Tensor) -> Tensor:
    """1 where a value was not seen before in its row, else 0."""
    ordered, places = drawn.sort(dim=1, stable=True)
    is_first = torch.ones_like(ordered)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return torch.empty_like(is_first).scatter_(1, places, is_first)


for _op in (
    uniform_like,
    normal_like,
    exponential_like,
    gamma_like,
    poisson_like,
    negative_binomial_like,
    generalized_negative_binomial_like,
    sample_unique_zipfian,
):
    _op.no_onnx(UNCHECKABLE)
