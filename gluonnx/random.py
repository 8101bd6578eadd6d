"""Random arrays and the seed: `mx.random`."""

from gluonnx.ndarray.random import normal, randn, seed, shuffle, uniform

__all__ = ["normal", "randn", "seed", "shuffle", "uniform"]
