"""Random draws whose distribution depends on arrays."""

import math

from .random import ROOT12
from .sample import Array, RandomSample


def _sample(op, id, parameters, mean, std, **bounds):
    """Draws for the same parameters in each of two elements."""
    attrs = dict(bounds.pop("attrs", {}), shape=(50, 200))
    inputs = tuple(Array((2,), kind="values", values=(p, p)) for p in parameters)
    return RandomSample(op, id, attrs, mean, std, inputs=inputs, shape=(2, 50, 200), **bounds)


def _classes(id, shape, values, wanted, **attrs):
    """Draws of class 0, 1 or 2 with the probabilities 0.1, 0.2 and 0.7."""
    inputs = (Array(shape, kind="values", values=values),)
    attrs = dict(attrs, shape=(50, 200))
    return RandomSample("_sample_multinomial", id, attrs, 1.6, math.sqrt(0.44), 0, 2, inputs=inputs, shape=wanted)


SAMPLES = [
    _sample("_sample_uniform", "range", (-2.0, 4.0), 1.0, 6 / ROOT12, low=-2, high=4),
    _sample("_sample_uniform", "float64", (0.0, 1.0), 0.5, 1 / ROOT12, attrs={"dtype": "float64"}, low=0, high=1),
    _sample("_sample_normal", "moved", (3.0, 0.5), 3.0, 0.5),
    _sample("_sample_exponential", "rate", (4.0,), 0.25, 0.25, low=0),
    _sample("_sample_gamma", "scaled", (3.0, 2.0), 6.0, 2 * math.sqrt(3), low=0),
    _sample("_sample_poisson", "mean", (4.0,), 4.0, 2.0, low=0),
    _sample("_sample_poisson", "float16", (3.0,), 3.0, math.sqrt(3), attrs={"dtype": "float16"}, low=0),
    _sample("_sample_negative_binomial", "three", (3.0, 0.4), 4.5, math.sqrt(11.25), low=0),
    _sample("_sample_generalized_negative_binomial", "wide", (3.0, 0.4), 3.0, math.sqrt(6.6), low=0),
    _sample("_sample_generalized_negative_binomial", "poisson", (3.0, 0.0), 3.0, math.sqrt(3), low=0),
    _classes("row", (3,), (0.1, 0.2, 0.7), (50, 200)),
    _classes("rows", (2, 3), (0.1, 0.2, 0.7, 0.1, 0.2, 0.7), (2, 50, 200), dtype="float32"),
    RandomSample(
        "_shuffle",
        "thousand",
        {},
        499.5,
        math.sqrt(999999 / 12),
        0,
        999,
        inputs=(Array((1000,), kind="values", values=tuple(float(i) for i in range(1000))),),
        shape=(1000,),
    ),
]
