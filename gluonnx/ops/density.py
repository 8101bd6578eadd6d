"""Densities of the random distributions: `random_pdf_*`, values of `sample` under the parameters beside them.

The parameters of one shape name a distribution for each of their elements; `sample` has that shape and further axes,
over which the parameters are repeated. `is_log` gives the logarithm.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gluonnx.errors import DTypeError, InputError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.special_functions import in_float64, lower_gammaln
from gluonnx.ops.table import Operator, operator

SOURCE = "MXNet 1.9.1 src/operator/random/pdf_op.h"


def _aligned(name: str, sample: Tensor, *parameters: Tensor) -> list[Tensor]:
    """Sample and parameters in float32 or wider, the parameters with as many axes as the sample.

    Raises:
        InputError: Shapes do not fit.
        DTypeError: The arrays are not of one floating-point dtype.
    """
    shape, first = parameters[0].shape, sample.dtype
    if sample.shape[: len(shape)] != shape or any(p.shape != shape for p in parameters):
        raise InputError(
            f"{name}: parameters do not fit the sample: expected the leading axes of sample={tuple(sample.shape)}, "
            f"got {[tuple(p.shape) for p in parameters]}."
        )
    if not first.is_floating_point or any(p.dtype != first for p in parameters):
        raise DTypeError(
            f"{name}: wrong dtypes: expected one floating-point dtype, got {[first, *(p.dtype for p in parameters)]}. "
            "Cast the arrays."
        )
    wide = torch.promote_types(first, torch.float32)
    rest = (1,) * (sample.dim() - len(shape))
    return [sample.to(wide), *(p.reshape(*shape, *rest).to(wide) for p in parameters)]


def _lower_aligned(g: GraphBuilder, sample: Value, *parameters: Value) -> list[Value]:
    after = range(g.rank(parameters[0]), g.rank(sample))
    return [sample, *(g.op("Unsqueeze", p, g.ints([*after])) if len(after) else p for p in parameters)]


def _gammaln(g: GraphBuilder, x: Value) -> Value:
    return in_float64(lower_gammaln)(g, x)


def _finish(log_density: Tensor, is_log: bool, dtype: torch.dtype) -> Tensor:
    return (log_density if is_log else log_density.exp()).to(dtype)


def _lower_finish(g: GraphBuilder, log_density: Value, is_log: bool) -> Value:
    return log_density if is_log else g.op("Exp", log_density)


Lowering = Callable[..., Value]


def _declare(kind: str, forward: Callable[..., Tensor], lowering: Lowering) -> Operator:
    op = operator(f"_random_pdf_{kind}", f"random_pdf_{kind}", source=SOURCE)(forward)
    if len(op.inputs) == 2:

        @op.onnx
        def _(g: GraphBuilder, sample: Value, first: Value, *, is_log: bool) -> Value:
            return _lower_finish(g, lowering(g, *_lower_aligned(g, sample, first)), is_log)

    else:

        @op.onnx
        def _(g: GraphBuilder, sample: Value, first: Value, second: Value, *, is_log: bool) -> Value:
            return _lower_finish(g, lowering(g, *_lower_aligned(g, sample, first, second)), is_log)

    return op


def _uniform(sample: Tensor, low: Tensor, high: Tensor, *, is_log: bool = False) -> Tensor:
    """Density of the uniform distribution on [`low`, `high`]: `1 / (high - low)`, wherever the sample lies."""
    x, low, high = _aligned("_random_pdf_uniform", sample, low, high)
    log_density = -(high - low).log() if is_log else 1 / (high - low)
    return log_density.expand(x.shape).to(sample.dtype, copy=True)


uniform = operator("_random_pdf_uniform", "random_pdf_uniform", source=SOURCE)(_uniform)


@uniform.onnx
def _(g: GraphBuilder, sample: Value, low: Value, high: Value, *, is_log: bool) -> Value:
    x, low, high = _lower_aligned(g, sample, low, high)
    width = g.op("Sub", high, low)
    return g.op("Expand", g.op("Neg", g.op("Log", width)) if is_log else g.op("Reciprocal", width), g.shape(x))


def _normal(sample: Tensor, mu: Tensor, sigma: Tensor, *, is_log: bool = False) -> Tensor:
    """Density of the normal distribution with mean `mu` and standard deviation `sigma`."""
    x, mu, sigma = _aligned("_random_pdf_normal", sample, mu, sigma)
    log_density = -0.5 * ((x - mu) / sigma).square() - (sigma * math.sqrt(2 * math.pi)).log()
    return _finish(log_density, is_log, sample.dtype)


def _lower_normal(g: GraphBuilder, x: Value, mu: Value, sigma: Value) -> Value:
    z = g.op("Div", g.op("Sub", x, mu), sigma)
    exponent = g.op("Mul", g.op("Mul", z, z), g.scalar(-0.5, x))
    return g.op("Sub", exponent, g.op("Log", g.op("Mul", sigma, g.scalar(math.sqrt(2 * math.pi), x))))


normal = _declare("normal", _normal, _lower_normal)


def _gamma(sample: Tensor, alpha: Tensor, beta: Tensor, *, is_log: bool = False) -> Tensor:
    """Density of the gamma distribution with shape `alpha` and rate `beta`.

    `beta` is the inverse of the scale that `random.gamma` takes.
    """
    x, alpha, beta = _aligned("_random_pdf_gamma", sample, alpha, beta)
    log_density = alpha * beta.log() + (alpha - 1) * x.log() - beta * x - torch.lgamma(alpha)
    return _finish(log_density, is_log, sample.dtype)


def _lower_gamma(g: GraphBuilder, x: Value, alpha: Value, beta: Value) -> Value:
    power = g.op("Mul", g.op("Sub", alpha, g.scalar(1.0, x)), g.op("Log", x))
    total = g.op("Add", g.op("Mul", alpha, g.op("Log", beta)), power)
    return g.op("Sub", g.op("Sub", total, g.op("Mul", beta, x)), _gammaln(g, alpha))


gamma = _declare("gamma", _gamma, _lower_gamma)


def _exponential(sample: Tensor, lam: Tensor, *, is_log: bool = False) -> Tensor:
    """Density of the exponential distribution with rate `lam`: `lam * exp(-lam * sample)`."""
    x, lam = _aligned("_random_pdf_exponential", sample, lam)
    return _finish(lam.log() - lam * x, is_log, sample.dtype)


exponential = _declare(
    "exponential",
    _exponential,
    lambda g, x, lam: g.op("Sub", g.op("Log", lam), g.op("Mul", lam, x)),
)


def _poisson(sample: Tensor, lam: Tensor, *, is_log: bool = False) -> Tensor:
    """Probability of `sample` under the Poisson distribution with mean `lam`; the sample has no gradient."""
    x, lam = _aligned("_random_pdf_poisson", sample.detach(), lam)
    return _finish(x * lam.log() - torch.lgamma(x + 1) - lam, is_log, sample.dtype)


def _lower_poisson(g: GraphBuilder, x: Value, lam: Value) -> Value:
    power = g.op("Sub", g.op("Mul", x, g.op("Log", lam)), _gammaln(g, g.op("Add", x, g.scalar(1.0, x))))
    return g.op("Sub", power, lam)


poisson = _declare("poisson", _poisson, _lower_poisson)


def _successes(x: Tensor, limit: Tensor, p: Tensor) -> Tensor:
    ways = torch.lgamma(x + limit) - torch.lgamma(x + 1) - torch.lgamma(limit)
    return ways + limit * p.log() + x * torch.log1p(-p)


def _lower_successes(g: GraphBuilder, x: Value, limit: Value, p: Value) -> Value:
    one = g.scalar(1.0, x)
    ways = g.op("Sub", _gammaln(g, g.op("Add", x, limit)), _gammaln(g, g.op("Add", x, one)))
    ways = g.op("Sub", ways, _gammaln(g, limit))
    rest = g.op("Mul", x, g.op("Log", g.op("Sub", one, p)))
    return g.op("Add", ways, g.op("Add", g.op("Mul", limit, g.op("Log", p)), rest))


def _negative_binomial(sample: Tensor, k: Tensor, p: Tensor, *, is_log: bool = False) -> Tensor:
    """Probability of `sample` successes before `k` failures of probability `p`; the sample has no gradient."""
    x, k, p = _aligned("_random_pdf_negative_binomial", sample.detach(), k, p)
    return _finish(_successes(x, k, p), is_log, sample.dtype)


negative_binomial = _declare("negative_binomial", _negative_binomial, _lower_successes)


def _generalized_negative_binomial(sample: Tensor, mu: Tensor, alpha: Tensor, *, is_log: bool = False) -> Tensor:
    """Probability of `sample` under the negative binomial distribution with mean `mu` and dispersion `alpha`.

    The sample has no gradient.
    """
    x, mu, alpha = _aligned("_random_pdf_generalized_negative_binomial", sample.detach(), mu, alpha)
    return _finish(_successes(x, 1 / alpha, 1 / (1 + mu * alpha)), is_log, sample.dtype)


def _lower_generalized(g: GraphBuilder, x: Value, mu: Value, alpha: Value) -> Value:
    p = g.op("Reciprocal", g.op("Add", g.op("Mul", mu, alpha), g.scalar(1.0, x)))
    return _lower_successes(g, x, g.op("Reciprocal", alpha), p)


generalized_negative_binomial = _declare(
    "generalized_negative_binomial", _generalized_negative_binomial, _lower_generalized
)


@operator("_random_pdf_dirichlet", "random_pdf_dirichlet", source=SOURCE)
def dirichlet(sample: Tensor, alpha: Tensor, *, is_log: bool = False) -> Tensor:
    """Density of the Dirichlet distribution with concentrations `alpha` (..., K) at `sample` (..., *, K), as (..., *).

    Raises:
        InputError: Shapes do not fit.
        DTypeError: The arrays are not of one floating-point dtype.
    """
    lead = alpha.shape[:-1]
    if not alpha.dim() or sample.dim() < alpha.dim() or (*sample.shape[: len(lead)], sample.shape[-1]) != alpha.shape:
        raise InputError(
            f"_random_pdf_dirichlet: alpha does not fit the sample: expected (..., K) of sample (..., *, K), "
            f"got sample={tuple(sample.shape)}, alpha={tuple(alpha.shape)}."
        )
    if not sample.is_floating_point() or sample.dtype != alpha.dtype:
        raise DTypeError(
            f"_random_pdf_dirichlet: wrong dtypes: expected one floating-point dtype, got {sample.dtype}, "
            f"{alpha.dtype}. Cast the arrays."
        )
    wide = torch.promote_types(sample.dtype, torch.float32)
    x = sample.to(wide)
    a = alpha.reshape(*lead, *(1,) * (sample.dim() - alpha.dim()), alpha.shape[-1]).to(wide)
    norm = torch.lgamma(a.sum(-1)) - torch.lgamma(a).sum(-1)
    return _finish(((a - 1) * x.log()).sum(-1) + norm, is_log, sample.dtype)


@dirichlet.onnx
def _(g: GraphBuilder, sample: Value, alpha: Value, *, is_log: bool) -> Value:
    between = range(g.rank(alpha) - 1, g.rank(sample) - 1)
    a = g.op("Unsqueeze", alpha, g.ints([*between])) if len(between) else alpha
    last = g.ints([-1])
    norm = g.op("Sub", _gammaln(g, g.op("ReduceSum", a, last, keepdims=0)), _sum(g, _gammaln(g, a)))
    powers = g.op("Mul", g.op("Sub", a, g.scalar(1.0, a)), g.op("Log", sample))
    return _lower_finish(g, g.op("Add", _sum(g, powers), norm), is_log)


def _sum(g: GraphBuilder, x: Value) -> Value:
    return g.op("ReduceSum", x, g.ints([-1]), keepdims=0)
