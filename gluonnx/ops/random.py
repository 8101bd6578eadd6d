"""Random draws from a distribution with fixed parameters.

The caller passes the random generator of the device. ONNX has random operators too, but a model that draws cannot be
shown to compute what the net computes, so none of these is lowered.
"""

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError
from gluonnx.ops.attributes import DTypeName, Shape
from gluonnx.ops.dtypes import as_dtype, torch_dtype
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/random/sample_op.h"
UNCHECKABLE = "it draws new numbers at each call, so an exported model could not be compared with the net"

Device = torch.device | str | None
Generator = torch.Generator | None


def _empty(name: str, shape: Shape | None, dtype: DTypeName | None, device: Device) -> Tensor:
    """An array to fill, of shape (1,) where none is given."""
    kind = as_dtype(dtype or "float32")
    if not kind.is_float:
        raise AttributeValueError(
            f"{name}: attribute `dtype` has a wrong value: expected float16, float32 or float64, got dtype={dtype}. "
            "Cast the result instead."
        )
    return torch.empty(shape or (1,), dtype=kind.torch, device=device)


def _check(name: str, claim: bool, attribute: str, expected: str, value: object) -> None:
    if not claim:
        raise AttributeValueError(
            f"{name}: attribute `{attribute}` has a wrong value: expected {expected}, got {attribute}={value}."
        )


@operator("_random_uniform", "random_uniform", "uniform", source=SOURCE, shapes="wanted")
def random_uniform(
    *,
    low: float = 0.0,
    high: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DTypeName | None = None,
    generator: Generator = None,
    device: Device = None,
) -> Tensor:
    """Draws from the uniform distribution on [low, high)."""
    _check("_random_uniform", low <= high, "high", f"at least low={low}", high)
    return _empty("_random_uniform", shape, dtype, device).uniform_(low, high, generator=generator)


@operator("_random_normal", "normal", "random_normal", source=SOURCE, shapes="wanted")
def random_normal(
    *,
    loc: float = 0.0,
    scale: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DTypeName | None = None,
    generator: Generator = None,
    device: Device = None,
) -> Tensor:
    """Draws from the normal distribution with mean `loc` and standard deviation `scale`."""
    _check("_random_normal", scale > 0, "scale", "a positive number", scale)
    return _empty("_random_normal", shape, dtype, device).normal_(loc, scale, generator=generator)


@operator("_random_exponential", "random_exponential", source=SOURCE, shapes="wanted")
def random_exponential(
    *,
    lam: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DTypeName | None = None,
    generator: Generator = None,
    device: Device = None,
) -> Tensor:
    """Draws from the exponential distribution with rate `lam` (mean `1 / lam`)."""
    _check("_random_exponential", lam > 0, "lam", "a positive number", lam)
    return _empty("_random_exponential", shape, dtype, device).exponential_(lam, generator=generator)


@operator("_random_gamma", "random_gamma", source=SOURCE, shapes="wanted")
def random_gamma(
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DTypeName | None = None,
    generator: Generator = None,
    device: Device = None,
) -> Tensor:
    """Draws from the gamma distribution with shape `alpha` and scale `beta` (mean `alpha * beta`)."""
    _check("_random_gamma", alpha > 0, "alpha", "a positive number", alpha)
    _check("_random_gamma", beta > 0, "beta", "a positive number", beta)
    result = _empty("_random_gamma", shape, dtype, device)
    # torch draws no float16.
    shapes = torch.full_like(result, alpha, dtype=torch.promote_types(result.dtype, torch.float32))
    return torch._standard_gamma(shapes, generator).mul_(beta).to(result.dtype)


@operator("_random_poisson", "random_poisson", source=SOURCE, shapes="wanted")
def random_poisson(
    *,
    lam: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DTypeName | None = None,
    generator: Generator = None,
    device: Device = None,
) -> Tensor:
    """Draws from the Poisson distribution with mean `lam`."""
    _check("_random_poisson", lam >= 0, "lam", "a number of at least 0", lam)
    rates = _empty("_random_poisson", shape, dtype, device).fill_(lam)
    return torch.poisson(rates, generator)


@operator("_random_randint", "random_randint", source=SOURCE, shapes="wanted")
def random_randint(
    *,
    low: int,
    high: int,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DTypeName | None = None,
    generator: Generator = None,
    device: Device = None,
) -> Tensor:
    """Draws integers from [low, high), int32 unless `dtype` says otherwise."""
    _check("_random_randint", low < high, "high", f"more than low={low}", high)
    kind = torch_dtype(dtype or "int32")
    return torch.randint(low, high, shape or (1,), generator=generator, dtype=kind, device=device)


@operator("_random_negative_binomial", "random_negative_binomial", source=SOURCE, shapes="wanted")
def random_negative_binomial(
    *,
    k: int = 1,
    p: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DTypeName | None = None,
    generator: Generator = None,
    device: Device = None,
) -> Tensor:
    """Draws from the negative binomial distribution: successes before `k` failures of probability `p`.

    The mean is `k * (1 - p) / p`.

    Differs: a `p` of 0, for which there is no distribution, is an error; MXNet gives -2147483648.
    """
    _check("_random_negative_binomial", k >= 0, "k", "a number of at least 0", k)
    _check("_random_negative_binomial", 0 < p <= 1, "p", "a probability above 0", p)
    result = _empty("_random_negative_binomial", shape, dtype, device)
    limits = torch.full_like(result, k, dtype=torch.promote_types(result.dtype, torch.float32))
    return gamma_poisson(limits, (1 - p) / p, generator).to(result.dtype)


@operator(
    "_random_generalized_negative_binomial", "random_generalized_negative_binomial", source=SOURCE, shapes="wanted"
)
def random_generalized_negative_binomial(
    *,
    mu: float = 1.0,
    alpha: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DTypeName | None = None,
    generator: Generator = None,
    device: Device = None,
) -> Tensor:
    """Draws from the negative binomial distribution with mean `mu` and variance `mu + alpha * mu^2`."""
    _check("_random_generalized_negative_binomial", mu >= 0, "mu", "a number of at least 0", mu)
    _check("_random_generalized_negative_binomial", alpha >= 0, "alpha", "a number of at least 0", alpha)
    result = _empty("_random_generalized_negative_binomial", shape, dtype, device)
    wide = torch.promote_types(result.dtype, torch.float32)
    if alpha == 0:
        return torch.poisson(torch.full_like(result, mu, dtype=wide), generator).to(result.dtype)
    return gamma_poisson(torch.full_like(result, 1 / alpha, dtype=wide), alpha * mu, generator).to(result.dtype)


def standard_gamma(shapes: Tensor, generator: Generator) -> Tensor:
    """Draw from the gamma distribution of scale 1 with each element's shape, 0 where that is 0."""
    positive = shapes > 0
    drawn = torch._standard_gamma(torch.where(positive, shapes, torch.ones_like(shapes)), generator)
    return torch.where(positive, drawn, torch.zeros_like(drawn))


def gamma_poisson(shapes: Tensor, scales: Tensor | float, generator: Generator) -> Tensor:
    """Draw from the Poisson distribution with means drawn from the gamma distribution."""
    return torch.poisson(standard_gamma(shapes, generator) * scales, generator)


def _float(*, dtype: str | None) -> dict[str, str | None]:
    return {"output": dtype or "float32"}


def _integer(*, dtype: str | None) -> dict[str, str | None]:
    return {"output": dtype or "int32"}


for _op in (
    random_uniform,
    random_normal,
    random_exponential,
    random_gamma,
    random_poisson,
    random_randint,
    random_negative_binomial,
    random_generalized_negative_binomial,
):
    _op.no_onnx(UNCHECKABLE)
    _op.dtypes(_integer if _op is random_randint else _float)
