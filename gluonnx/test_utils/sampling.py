"""Tests of random numbers against their distribution. They need scipy."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["chi_square_check", "gen_buckets_probs_with_ppf", "mean_check", "var_check", "verify_generator"]

Bucket = tuple[float, float]


def gen_buckets_probs_with_ppf(ppf: Callable[[float], float], nbuckets: int) -> tuple[list[Bucket], list[float]]:
    """Return intervals of equal probability, and those probabilities.

    Args:
        ppf: The inverse of the cumulative distribution function.
        nbuckets: Number of intervals.
    """
    edges = [ppf(i / nbuckets) for i in range(nbuckets + 1)]
    return list(itertools.pairwise(edges)), [1.0 / nbuckets] * nbuckets


def mean_check(generator: Callable[[int], Any], mu: float, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the mean of samples is within three standard errors of `mu`."""
    samples = np.array(generator(nsamples))
    return bool(abs(samples.mean() - mu) < 3 * sigma / math.sqrt(nsamples))


def var_check(generator: Callable[[int], Any], sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the variance of samples is within three standard errors of that of a normal distribution."""
    samples = np.array(generator(nsamples))
    error = math.sqrt(2.0 * sigma**4 / (nsamples - 1))
    return bool(abs(samples.var(ddof=1) - sigma**2) < 3 * error)


def chi_square_check(
    generator: Callable[[int], Any],
    buckets: Sequence[Any],
    probs: Sequence[float],
    nsamples: int = 1000000,
) -> tuple[float, Any, Any]:
    """Run a chi-square test of samples.

    Args:
        generator: Returns that many samples.
        buckets: Intervals [low, high) of a continuous variable, or the values of a discrete one.
        probs: Their probabilities.
        nsamples: Number of samples.

    Returns:
        The p-value, the counts found, the counts expected.
    """
    from scipy import stats

    samples = np.array(generator(nsamples)).ravel()
    if isinstance(buckets[0], (list, tuple)):
        found = np.array([np.count_nonzero((samples >= low) & (samples < high)) for low, high in buckets])
    else:
        found = np.array([np.count_nonzero(samples == value) for value in buckets])
    expected = np.asarray(probs, dtype=np.float64) * nsamples
    expected *= found.sum() / expected.sum()
    _, p = stats.chisquare(found, expected)
    return float(p), found, expected


def verify_generator(
    generator: Callable[[int], Any],
    buckets: Sequence[Any],
    probs: Sequence[float],
    nsamples: int = 1000000,
    nrepeat: int = 5,
    success_rate: float = 0.2,
    alpha: float = 0.05,
) -> list[float]:
    """Assert that enough of several chi-square tests succeed.

    Args:
        generator: Returns that many samples.
        buckets: Intervals [low, high) of a continuous variable, or the values of a discrete one.
        probs: Their probabilities.
        nsamples: Number of samples of each test.
        nrepeat: Number of tests.
        success_rate: Share of tests that must have a p-value above `alpha`.
        alpha: Level of significance.

    Returns:
        The p-values.

    Raises:
        AssertionError: Too few tests succeed.
    """
    results = [chi_square_check(generator, buckets, probs, nsamples) for _ in range(nrepeat)]
    p_values = [p for p, _, _ in results]
    if sum(p > alpha for p in p_values) < nrepeat * success_rate:
        raise AssertionError(
            f"Generator test fails: expected p-values above alpha={alpha:f} in {success_rate:%} of {nrepeat} tests, "
            f"got {p_values}.\nFound: {[list(f) for _, f, _ in results]}\nExpected: {[list(e) for _, _, e in results]}"
        )
    return p_values
