"""Random arrays and the seed: `mx.random` has what `mx.nd.random` has."""

from typing import Any

from gluonnx.ndarray import random as _arrays
from gluonnx.ndarray.random import (
    exponential,
    gamma,
    generalized_negative_binomial,
    multinomial,
    negative_binomial,
    normal,
    poisson,
    randint,
    randn,
    seed,
    shuffle,
    uniform,
)

__all__ = [
    "exponential",
    "gamma",
    "generalized_negative_binomial",
    "multinomial",
    "negative_binomial",
    "normal",
    "poisson",
    "randint",
    "randn",
    "seed",
    "shuffle",
    "uniform",
]


def __getattr__(name: str) -> Any:
    return getattr(_arrays, name)
