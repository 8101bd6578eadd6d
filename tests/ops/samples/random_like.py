"""Random draws in the shape of an array, and unique draws."""

import math

from .random import DRAWN, ROOT12
from .sample import Array, RandomSample

SHAPE = (50, 200)


def _like(kind, id, attrs, mean, std, dtype="float32", **bounds):
    inputs = (Array(SHAPE, dtype, "ints"),)
    return RandomSample(
        "_random_%s_like" % kind, id, attrs, mean, std, onnx=DRAWN, inputs=inputs, shape=SHAPE, dtype=dtype, **bounds
    )


CHANCES = [math.log((k + 2) / (k + 1)) / math.log(11) for k in range(10)]
ZIPF_MEAN = sum(k * p for k, p in enumerate(CHANCES))
ZIPF_STD = math.sqrt(sum(k * k * p for k, p in enumerate(CHANCES)) - ZIPF_MEAN**2)

SAMPLES = [
    _like("uniform", "default", {}, 0.5, 1 / ROOT12, low=0, high=1),
    _like("uniform", "range", {"low": -2.0, "high": 4.0}, 1.0, 6 / ROOT12, low=-2, high=4),
    _like("uniform", "float64", {}, 0.5, 1 / ROOT12, dtype="float64", low=0, high=1),
    _like("uniform", "int32", {"low": 0.0, "high": 6.0}, 2.5, math.sqrt(35 / 12), dtype="int32", low=0, high=5),
    _like("normal", "default", {}, 0.0, 1.0),
    _like("normal", "moved", {"loc": 3.0, "scale": 0.5}, 3.0, 0.5),
    _like("normal", "float16", {"loc": 3.0, "scale": 0.5}, 3.0, 0.5, dtype="float16"),
    _like("exponential", "rate", {"lam": 4.0}, 0.25, 0.25, low=0),
    _like("exponential", "float64", {}, 1.0, 1.0, dtype="float64", low=0),
    _like("gamma", "scaled", {"alpha": 3.0, "beta": 2.0}, 6.0, 2 * math.sqrt(3), low=0),
    _like("gamma", "float64", {"alpha": 0.5}, 0.5, math.sqrt(0.5), dtype="float64", low=0),
    _like("poisson", "mean", {"lam": 4.0}, 4.0, 2.0, low=0),
    _like("poisson", "int32", {"lam": 4.0}, 4.0, 2.0, dtype="int32", low=0),
    _like("negative_binomial", "three", {"k": 3, "p": 0.4}, 4.5, math.sqrt(11.25), low=0),
    _like("negative_binomial", "int32", {"k": 3, "p": 0.4}, 4.5, math.sqrt(11.25), dtype="int32", low=0),
    _like("generalized_negative_binomial", "wide", {"mu": 3.0, "alpha": 0.4}, 3.0, math.sqrt(6.6), low=0),
    _like("generalized_negative_binomial", "poisson", {"mu": 3.0, "alpha": 0.0}, 3.0, math.sqrt(3), low=0),
    RandomSample(
        "_sample_unique_zipfian",
        "first",
        {"range_max": 10, "shape": (10000, 1)},
        ZIPF_MEAN,
        ZIPF_STD,
        0,
        9,
        onnx=DRAWN,
        dtype="int64",
    ),
    RandomSample(
        "_sample_unique_zipfian",
        "all",
        {"range_max": 5, "shape": (3000, 5)},
        2.0,
        math.sqrt(2),
        0,
        4,
        onnx=DRAWN,
        dtype="int64",
    ),
]
