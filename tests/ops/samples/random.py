"""Random draws."""

import math

from .sample import RandomSample

ROOT12 = math.sqrt(12)


def _sample(op, id, attrs, mean, std, **bounds):
    return RandomSample(op, id, dict(attrs, shape=(50, 200)), mean, std, **bounds)


SAMPLES = [
    _sample("_random_uniform", "default", {}, 0.5, 1 / ROOT12, low=0, high=1),
    _sample("_random_uniform", "range", {"low": -2.0, "high": 4.0}, 1.0, 6 / ROOT12, low=-2, high=4),
    _sample("_random_uniform", "float64", {"dtype": "float64"}, 0.5, 1 / ROOT12, low=0, high=1),
    _sample("_random_uniform", "float16", {"dtype": "float16"}, 0.5, 1 / ROOT12, low=0, high=1),
    _sample("_random_normal", "default", {}, 0.0, 1.0),
    _sample("_random_normal", "moved", {"loc": 3.0, "scale": 0.5}, 3.0, 0.5),
    _sample("_random_normal", "float64", {"dtype": "float64"}, 0.0, 1.0),
    _sample("_random_exponential", "rate", {"lam": 4.0}, 0.25, 0.25, low=0),
    _sample("_random_gamma", "scaled", {"alpha": 3.0, "beta": 2.0}, 6.0, 2 * math.sqrt(3), low=0),
    _sample("_random_gamma", "float16", {"alpha": 2.0, "dtype": "float16"}, 2.0, math.sqrt(2), low=0),
    _sample("_random_gamma", "float64", {"alpha": 0.5, "dtype": "float64"}, 0.5, math.sqrt(0.5), low=0),
    _sample("_random_exponential", "float16", {"lam": 1.0, "dtype": "float16"}, 1.0, 1.0, low=0),
    _sample("_random_poisson", "float16", {"lam": 3.0, "dtype": "float16"}, 3.0, math.sqrt(3), low=0),
    _sample("_random_poisson", "mean", {"lam": 4.0}, 4.0, 2.0, low=0),
    _sample("_random_negative_binomial", "three", {"k": 3, "p": 0.4}, 4.5, math.sqrt(11.25), low=0),
    _sample(
        "_random_negative_binomial", "float16", {"k": 3, "p": 0.4, "dtype": "float16"}, 4.5, math.sqrt(11.25), low=0
    ),
    _sample("_random_generalized_negative_binomial", "wide", {"mu": 3.0, "alpha": 0.4}, 3.0, math.sqrt(6.6), low=0),
    _sample("_random_generalized_negative_binomial", "poisson", {"mu": 3.0, "alpha": 0.0}, 3.0, math.sqrt(3), low=0),
    _sample("_random_randint", "range", {"low": 1, "high": 7}, 3.5, math.sqrt(35 / 12), low=1, high=6),
    _sample("_random_randint", "int64", {"low": -3, "high": 4, "dtype": "int64"}, 0.0, 2.0, low=-3, high=3),
]
