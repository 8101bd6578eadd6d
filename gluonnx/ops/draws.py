"""Random draws in ONNX: the distributions that MXNet draws from, out of ONNX's uniform and normal numbers.

What is not uniform or normal is computed in float64, because float32 has no uniform numbers beyond 1 - 2^-24, and cast
at the end. Rejection methods are a `Loop` that draws again for the elements that have none yet, so that they follow
their distribution exactly.

ONNX Runtime seeds its generators one after the other, from the time at which a session is made: the first numbers that
two nodes give lie at a fixed distance from each other. A method that needs several independent numbers for each result
therefore takes them from one node.
"""

from typing import Any

import numpy as np

from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.dtypes import BY_NAME, as_dtype
from gluonnx.ops.special_functions import lower_gammaln

Size = Shape | Value
"""A shape: fixed, or computed (a 1-D int64 tensor)."""

POISSON_SWITCH = 10.0
"""Mean from which Poisson numbers come from rejection instead of inversion, whose steps grow with the mean."""
_TERM_LIMIT = 2.0**-60
"""Probability below which inversion stops: uniform numbers are multiples of 2^-53."""


def size_of(g: GraphBuilder, value: Value) -> Size:
    """Return the shape of a value."""
    dims = g.dims(value)
    fixed = tuple(d for d in dims if d is not None)
    return fixed if len(fixed) == len(dims) else g.op("Shape", value)


def _shape_value(g: GraphBuilder, size: Size) -> Value:
    return g.ints(size) if isinstance(size, tuple) else size


def uniform(g: GraphBuilder, size: Size, dtype: str = "float64", low: float = 0.0, high: float = 1.0) -> Value:
    """Draw from the uniform distribution on [low, high), in float32 or float64."""
    width = high - low
    if _is_attribute(dtype, low, high, width):
        return _draw(g, "RandomUniform", size, dtype, low=low, high=high)
    return _moved(g, _draw(g, "RandomUniform", size, dtype), low, width)


def normal(g: GraphBuilder, size: Size, dtype: str = "float64", mean: float = 0.0, scale: float = 1.0) -> Value:
    """Draw from the normal distribution, in float32 or float64."""
    if _is_attribute(dtype, mean, scale):
        return _draw(g, "RandomNormal", size, dtype, mean=mean, scale=scale)
    return _moved(g, _draw(g, "RandomNormal", size, dtype), mean, scale)


def _is_attribute(dtype: str, *numbers: float) -> bool:
    """Whether ONNX's attributes, which are float32, say what is meant.

    The last number is a width; ONNX Runtime ends the process where it is not positive.
    """
    with np.errstate(over="ignore"):
        narrow = np.array(numbers, np.float32)
    is_exact = dtype == "float32" or bool((narrow == np.array(numbers)).all())
    return is_exact and bool(np.isfinite(narrow).all()) and narrow[-1] > 0


def _moved(g: GraphBuilder, drawn: Value, start: float, width: float) -> Value:
    return g.op("Add", g.op("Mul", drawn, g.scalar(width, drawn)), g.scalar(start, drawn))


def _draw(g: GraphBuilder, op_type: str, size: Size, dtype: str, **attributes: float) -> Value:
    code = BY_NAME[dtype].onnx
    if isinstance(size, tuple):
        return g.op(op_type, shape=size, dtype=code, **attributes)
    like: Value = g.op("ConstantOfShape", size, value=np.zeros(1, bool))
    return g.op(op_type + "Like", like, dtype=code, **attributes)


def drawn_dtype(dtype: str) -> str:
    """Return in which dtype ONNX Runtime draws what becomes `dtype`."""
    return "float64" if dtype == "float64" else "float32"


def full(g: GraphBuilder, number: float, size: Size) -> Value:
    """Return a float64 tensor of one number."""
    return g.op("Expand", g.const(number, "float64"), _shape_value(g, size))


def spread(g: GraphBuilder, shape: Shape, *parameters: Value) -> list[Value]:
    """Return parameters in float64, each element repeated over `shape`, which follows the axes there are."""
    found = []
    for parameter in parameters:
        value = g.cast(parameter, "float64")
        if shape:
            rank = g.rank(value)
            size = g.op("Concat", g.shape(value), g.ints(shape), axis=0)
            value = g.op("Unsqueeze", value, g.ints(range(rank, rank + len(shape))))
            value = g.op("Expand", value, size)
        found.append(value)
    return found


def exponential(g: GraphBuilder, size: Size) -> Value:
    """Draw from the exponential distribution of rate 1, by inversion."""
    return g.op("Neg", g.op("Log", _positive(g, size)))


def _positive(g: GraphBuilder, size: Size) -> Value:
    """Draw from the uniform distribution on (0, 1], whose logarithm is finite."""
    return g.op("Sub", g.const(1.0, "float64"), uniform(g, size))


def _positives(g: GraphBuilder, count: int, size: Size) -> tuple[Value, ...]:
    """Draw several independent tensors from the uniform distribution on (0, 1]."""
    whole = (count, *size) if isinstance(size, tuple) else g.op("Concat", g.ints([count]), size, axis=0)
    parts = g.op_outputs("Split", count, _positive(g, whole), axis=0, num_outputs=count)
    return tuple(g.op("Squeeze", part, g.ints([0])) for part in parts)


def standard_gamma(g: GraphBuilder, shapes: Value) -> Value:
    """Draw from the gamma distribution of scale 1 with each element's shape, 0 where that is 0 or less.

    Source: Marsaglia, Tsang: A Simple Method for Generating Gamma Variables (2000); the normal numbers that it takes by
    Box, Muller: A Note on the Generation of Random Normal Deviates (1958).
    """
    one, third = g.const(1.0, "float64"), g.const(1 / 3, "float64")
    size = size_of(g, shapes)
    is_small = g.op("Less", shapes, one)
    d = g.op("Sub", g.op("Where", is_small, g.op("Add", g.op("Max", shapes, _zero(g)), one), shapes), third)
    c = g.op("Div", third, g.op("Sqrt", d))
    divisor = g.op("Where", is_small, shapes, one)
    with _Rejection(g, size) as loop:
        radius, angle, number, boost = _positives(g, 4, size)
        radius = g.op("Sqrt", g.op("Mul", g.const(-2.0, "float64"), g.op("Log", radius)))
        x = g.op("Mul", radius, g.op("Cos", g.op("Mul", g.const(2 * np.pi, "float64"), angle)))
        root = g.op("Add", one, g.op("Mul", c, x))
        v = g.op("Mul", root, g.op("Mul", root, root))
        is_negative = g.op("LessOrEqual", v, _zero(g))
        log_v = g.op("Log", g.op("Where", is_negative, one, v))
        half_square = g.op("Mul", g.const(0.5, "float64"), g.op("Mul", x, x))
        bound = g.op("Add", half_square, g.op("Mul", d, g.op("Add", g.op("Sub", one, v), log_v)))
        is_above = g.op("Greater", g.op("Log", number), bound)
        power = g.op("Where", is_small, g.op("Div", g.op("Log", boost), divisor), _zero(g))
        loop.give(g.op("Mul", g.op("Mul", d, v), g.op("Exp", power)), g.op("Or", is_negative, is_above))
    return g.op("Where", g.op("LessOrEqual", shapes, _zero(g)), _zero(g), loop.result)


def poisson(g: GraphBuilder, means: Value, *, least: float = 0.0, most: float = np.inf) -> Value:
    """Draw from the Poisson distribution with each element's mean, known to lie between `least` and `most`."""
    switch = g.const(POISSON_SWITCH, "float64")
    if most < POISSON_SWITCH:
        return _few(g, means)
    if least >= POISSON_SWITCH:
        return _many(g, means)
    is_large = g.op("GreaterOrEqual", means, switch)
    few = _few(g, g.op("Where", is_large, _zero(g), means))
    return g.op("Where", is_large, _many(g, g.op("Where", is_large, means, switch)), few)


def _few(g: GraphBuilder, means: Value) -> Value:
    """Draw from the Poisson distribution by inversion: the first count whose cumulative probability is not passed."""
    number = uniform(g, size_of(g, means))
    first = g.op("Exp", g.op("Neg", means))
    count = g.op("Sub", means, means)
    with g.region() as region:
        region.input("int64", ())
        region.input("bool", ())
        k, term, total = (region.input_like(v) for v in (count, first, first))
        pending = _is_passed(g, number, term, total)
        next_k = g.op("Add", k, g.cast(pending, "float64"))
        next_term = g.op("Where", pending, g.op("Div", g.op("Mul", term, means), next_k), term)
        next_total = g.op("Where", pending, g.op("Add", total, next_term), total)
        region.give([_any(g, _is_passed(g, number, next_term, next_total)), next_k, next_term, next_total])
    return g.op_outputs("Loop", 3, None, g.const(True), count, first, first, body=region)[0]


def _is_passed(g: GraphBuilder, number: Value, term: Value, total: Value) -> Value:
    return g.op("And", g.op("Greater", number, total), g.op("Greater", term, g.const(_TERM_LIMIT, "float64")))


def _many(g: GraphBuilder, means: Value) -> Value:
    """Draw from the Poisson distribution of means of at least `POISSON_SWITCH`.

    Source: Hörmann: The transformed rejection method for generating Poisson random variables (1993), algorithm PTRS.
    """

    def const(number: float) -> Value:
        return g.const(number, "float64")

    means = g.op("Min", means, const(1e15))  # beyond, the logarithms below cancel
    size = size_of(g, means)
    log_mean = g.op("Log", means)
    b = g.op("Add", const(0.931), g.op("Mul", const(2.53), g.op("Sqrt", means)))
    a = g.op("Add", const(-0.059), g.op("Mul", const(0.02483), b))
    inverse_alpha = g.op("Add", const(1.1239), g.op("Div", const(1.1328), g.op("Sub", b, const(3.4))))
    squeeze = g.op("Sub", const(0.9277), g.op("Div", const(3.6224), g.op("Sub", b, const(2.0))))
    with _Rejection(g, size) as loop:
        u, v = _positives(g, 2, size)
        u = g.op("Sub", u, const(0.5))
        side = g.op("Max", g.op("Sub", const(0.5), g.op("Abs", u)), const(2.0**-54))
        slope = g.op("Add", g.op("Div", g.op("Mul", const(2.0), a), side), b)
        k = g.op("Floor", g.op("Add", g.op("Add", g.op("Mul", slope, u), means), const(0.43)))
        is_negative = g.op("Less", k, _zero(g))
        safe = g.op("Max", k, _zero(g))
        tall = g.op("Add", g.op("Div", a, g.op("Mul", side, side)), b)
        left = g.op("Log", g.op("Div", g.op("Mul", v, inverse_alpha), tall))
        right = g.op("Sub", g.op("Mul", safe, log_mean), means)
        right = g.op("Sub", right, lower_gammaln(g, g.op("Add", safe, const(1.0))))
        is_inside = g.op("And", g.op("GreaterOrEqual", side, const(0.07)), g.op("LessOrEqual", v, squeeze))
        is_corner = g.op("And", g.op("Less", side, const(0.013)), g.op("Greater", v, side))
        is_outside = g.op("Or", g.op("Or", is_negative, is_corner), g.op("Greater", left, right))
        loop.give(safe, g.op("And", is_outside, g.op("Not", is_inside)))
    return loop.result


def gamma_poisson(g: GraphBuilder, shapes: Value, scales: Value) -> Value:
    """Draw from the Poisson distribution with means drawn from the gamma distribution."""
    return poisson(g, g.op("Mul", standard_gamma(g, shapes), scales))


def dispersed(g: GraphBuilder, mu: float, alpha: float, size: Size) -> Value:
    """Draw from the negative binomial distribution with mean `mu` and variance `mu + alpha * mu^2`."""
    if alpha == 0:
        return poisson(g, full(g, mu, size), least=mu, most=mu)
    return gamma_poisson(g, full(g, 1 / alpha, size), g.const(alpha * mu, "float64"))


def order(g: GraphBuilder, count: Value) -> Value:
    """Draw a random order of the numbers from 0 to `count` - 1; `count` is an int64 tensor of shape (1,)."""
    return g.op_outputs("TopK", 2, uniform(g, count), count)[1]


def finish(g: GraphBuilder, drawn: Value, dtype: str | None) -> Value:
    """Cast draws to the dtype that is asked for."""
    return g.cast(drawn, as_dtype(dtype or "float32").name)


class _Rejection:
    """A `Loop` that draws until every element has been accepted.

    What is added in the `with` belongs to its body, which tells `give` the candidates and which of them are refused.

    Attributes:
        result: What was accepted, float64 of the shape given.
    """

    result: Value

    def __init__(self, g: GraphBuilder, size: Size) -> None:
        self._g = g
        self._start = full(g, 0.0, size)
        self._pending = g.op("Expand", g.const(True), _shape_value(g, size))
        self._context = g.region()

    def __enter__(self) -> "_Rejection":
        self._region = self._context.__enter__()
        self._region.input("int64", ())
        self._region.input("bool", ())
        self._states = (self._region.input_like(self._start), self._region.input_like(self._pending))
        return self

    def give(self, candidates: Value, is_refused: Value) -> None:
        """Keep the candidates of the elements that have none yet, where they are not refused."""
        value, pending = self._states
        still = self._g.op("And", pending, is_refused)
        self._region.give([_any(self._g, still), self._g.op("Where", pending, candidates, value), still])

    def __exit__(self, *exception: Any) -> None:
        self._context.__exit__(*exception)
        if exception[0] is None:
            given = (None, self._g.const(True), self._start, self._pending)
            self.result = self._g.op_outputs("Loop", 2, *given, body=self._region)[0]


def _zero(g: GraphBuilder) -> Value:
    return g.const(0.0, "float64")


def _any(g: GraphBuilder, claims: Value) -> Value:
    total = g.op("ReduceSum", g.cast(claims, "int64"), keepdims=0)
    return g.op("Greater", total, g.const(0, "int64"))
