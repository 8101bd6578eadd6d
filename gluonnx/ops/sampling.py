"""Random draws whose distribution depends on arrays: one distribution for each element, or for each row.

The caller passes the random generator of the device. None of these is lowered, for the reason given in `random`.
"""

import math

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.attributes import DTypeName, Shape
from gluonnx.ops.dtypes import torch_dtype
from gluonnx.ops.random import UNCHECKABLE, Generator, gamma_poisson, standard_gamma
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/random/multisample_op.h"
MULTINOMIAL_SOURCE = "MXNet 1.9.1 src/operator/random/sample_multinomial_op.h"


def _spread(shape: Shape, *parameters: Tensor) -> list[Tensor]:
    """Return parameters in float32 or wider, each element repeated over `shape`, which follows the axes there are.

    Raises:
        InputError: The parameters have different shapes.
    """
    if len({p.shape for p in parameters}) > 1:
        raise InputError(
            f"random draw: parameters of different shapes: expected one, got {[tuple(p.shape) for p in parameters]}."
        )
    found = []
    for parameter in parameters:
        wide = parameter.to(torch.promote_types(parameter.dtype, torch.float32))
        found.append(wide.reshape(*wide.shape, *[1] * len(shape)).expand(*wide.shape, *shape))
    return found


def _cast(drawn: Tensor, dtype: DTypeName | None) -> Tensor:
    return drawn.to(torch_dtype(dtype or "float32"))


def _rand(like: Tensor, generator: Generator) -> Tensor:
    return torch.empty_like(like, memory_format=torch.contiguous_format).uniform_(0, 1, generator=generator)


@operator("_sample_uniform", "sample_uniform", source=SOURCE)
def sample_uniform(
    low: Tensor, high: Tensor, *, shape: Shape = (), dtype: DTypeName | None = None, generator: Generator = None
) -> Tensor:
    """Draws `shape` values from the uniform distribution on [low, high) of each element."""
    low, high = _spread(shape, low, high)
    return _cast(low + (high - low) * _rand(low, generator), dtype)


@operator("_sample_normal", "sample_normal", source=SOURCE)
def sample_normal(
    mu: Tensor, sigma: Tensor, *, shape: Shape = (), dtype: DTypeName | None = None, generator: Generator = None
) -> Tensor:
    """Draws `shape` values from the normal distribution with each element's mean and standard deviation."""
    mu, sigma = _spread(shape, mu, sigma)
    drawn = torch.empty_like(mu, memory_format=torch.contiguous_format).normal_(0, 1, generator=generator)
    return _cast(mu + sigma * drawn, dtype)


@operator("_sample_exponential", "sample_exponential", source=SOURCE)
def sample_exponential(
    lam: Tensor, *, shape: Shape = (), dtype: DTypeName | None = None, generator: Generator = None
) -> Tensor:
    """Draws `shape` values from the exponential distribution with each element's rate."""
    (lam,) = _spread(shape, lam)
    drawn = torch.empty_like(lam, memory_format=torch.contiguous_format).exponential_(1, generator=generator)
    return _cast(drawn / lam, dtype)


@operator("_sample_gamma", "sample_gamma", source=SOURCE)
def sample_gamma(
    alpha: Tensor, beta: Tensor, *, shape: Shape = (), dtype: DTypeName | None = None, generator: Generator = None
) -> Tensor:
    """Draws `shape` values from the gamma distribution with each element's shape `alpha` and scale `beta`."""
    alpha, beta = _spread(shape, alpha, beta)
    return _cast(standard_gamma(alpha, generator) * beta, dtype)


@operator("_sample_poisson", "sample_poisson", source=SOURCE)
def sample_poisson(
    lam: Tensor, *, shape: Shape = (), dtype: DTypeName | None = None, generator: Generator = None
) -> Tensor:
    """Draws `shape` values from the Poisson distribution with each element's mean."""
    (lam,) = _spread(shape, lam)
    return _cast(torch.poisson(lam.contiguous(), generator), dtype)


@operator("_sample_negative_binomial", "sample_negative_binomial", source=SOURCE)
def sample_negative_binomial(
    k: Tensor, p: Tensor, *, shape: Shape = (), dtype: DTypeName | None = None, generator: Generator = None
) -> Tensor:
    """Draws `shape` values from the negative binomial distribution with each element's `k` and `p`.

    `k` is the number of failures that end the experiment and `p` their probability: the mean is `k * (1 - p) / p`.

    Differs: where `p` is 0 there is no distribution, and the number has no meaning, as MXNet's -2147483648 has none.
    """
    k, p = _spread(shape, k, p)
    return _cast(gamma_poisson(k, (1 - p) / p, generator), dtype)


@operator("_sample_generalized_negative_binomial", "sample_generalized_negative_binomial", source=SOURCE)
def sample_generalized_negative_binomial(
    mu: Tensor, alpha: Tensor, *, shape: Shape = (), dtype: DTypeName | None = None, generator: Generator = None
) -> Tensor:
    """Draws `shape` values from the negative binomial distribution with each element's mean and dispersion.

    The variance is `mu + alpha * mu^2`; with `alpha` 0 it is the Poisson distribution.
    """
    mu, alpha = _spread(shape, mu, alpha)
    is_poisson = alpha == 0
    safe = torch.where(is_poisson, torch.ones_like(alpha), alpha)
    rates = torch.where(is_poisson, mu, standard_gamma(1 / safe, generator) * safe * mu)
    return _cast(torch.poisson(rates, generator), dtype)


@operator(
    "_sample_multinomial",
    "sample_multinomial",
    outputs=lambda attrs: ("output0", "output1") if attrs["get_prob"] else ("output",),
    source=MULTINOMIAL_SOURCE,
)
def sample_multinomial(
    data: Tensor,
    *,
    shape: Shape = (),
    get_prob: bool = False,
    dtype: DTypeName = "int32",  # type: ignore[assignment]
    generator: Generator = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Draws classes from the probabilities (..., K) of each row, `shape` of them, as (..., *shape) integers.

    With `get_prob` the logarithms of their probabilities come too, and have gradients. One draw from a single row has
    the shape (1,).

    Raises:
        InputError: A row is negative somewhere or sums to 0.
    """
    rows = data.reshape(-1, data.shape[-1])
    wanted = (*data.shape[:-1], *shape) or (1,)
    count = math.prod(shape)
    if data.device.type == "meta":
        drawn = torch.empty((len(rows), count), dtype=torch.int64, device=data.device)
    else:
        weights = rows.detach().to(torch.promote_types(rows.dtype, torch.float32))
        try:
            drawn = torch.multinomial(weights, count, replacement=True, generator=generator)
        except RuntimeError as err:
            raise InputError(
                f"_sample_multinomial: not probabilities: expected rows of numbers from 0 that sum to 1, got {err}."
            ) from err
    classes = drawn.reshape(wanted).to(torch_dtype(dtype))
    return (classes, rows.gather(1, drawn).log().reshape(wanted)) if get_prob else classes


@operator("_shuffle", "shuffle", source="MXNet 1.9.1 src/operator/random/shuffle_op.cc")
def shuffle(data: Tensor, *, generator: Generator = None) -> Tensor:
    """Puts the first axis in random order."""
    order = torch.randperm(data.shape[0], generator=generator, device=data.device)
    return data.index_select(0, order)


for _op in (
    sample_uniform,
    sample_normal,
    sample_exponential,
    sample_gamma,
    sample_poisson,
    sample_negative_binomial,
    sample_generalized_negative_binomial,
    sample_multinomial,
    shuffle,
):
    _op.no_onnx(UNCHECKABLE)
