"""Random arrays and the seed: `mx.random` has what `mx.nd.random` has."""

from typing import Any

from gluonnx.ndarray import random as _arrays
from gluonnx.ndarray.random import normal, randn, seed, shuffle, uniform

__all__ = ["normal", "randn", "seed", "shuffle", "uniform"]


def __getattr__(name: str) -> Any:
    return getattr(_arrays, name)
