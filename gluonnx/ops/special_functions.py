"""The gamma function, its logarithm and the inverse error function in ONNX, which has none of them.

They are computed in float64 from approximations that are good to about 1e-14, and cast back.
"""

import math
from collections.abc import Callable, Sequence

from gluonnx.ops.builder import GraphBuilder, Value

LANCZOS_SHIFT = 7.0
LANCZOS = (
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)
"""Coefficients of the series for the shift above. Source: C. Lanczos, SIAM J. Numer. Anal. B 1 (1964) 86-96."""

QUANTILE_CENTRE = (
    (
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ),
    (
        5226.495278852854561,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ),
)
QUANTILE_MIDDLE = (
    (
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ),
)
QUANTILE_TAIL = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ),
    (
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ),
)
"""Numerators and denominators for the normal quantile, highest power first. Source: M. Wichura, algorithm AS 241."""

Lowering = Callable[[GraphBuilder, Value], Value]


def in_float64(rule: Lowering) -> Lowering:
    """Return a lowering that casts to float64 and back."""
    return lambda g, x: g.cast(rule(g, g.cast(x, "float64")), g.dtype(x))


def lower_gammaln(g: GraphBuilder, x: Value) -> Value:
    """`log(abs(gamma(x)))` of float64: Lanczos' series, and Euler's reflection below 1/2."""
    is_low = g.op("Less", x, g.scalar(0.5, x))
    z = g.op("Sub", g.op("Where", is_low, g.op("Sub", g.scalar(1.0, x), x), x), g.scalar(1.0, x))
    series = g.scalar(LANCZOS[0], x)
    for place, coefficient in enumerate(LANCZOS[1:], start=1):
        series = g.op("Add", series, g.op("Div", g.scalar(coefficient, x), g.op("Add", z, g.scalar(place, x))))
    shifted = g.op("Log", g.op("Add", z, g.scalar(LANCZOS_SHIFT + 0.5, x)))
    power = g.op("Mul", g.op("Add", z, g.scalar(0.5, x)), g.op("Sub", shifted, g.scalar(1.0, x)))
    constant = g.scalar(0.5 * math.log(2 * math.pi) - LANCZOS_SHIFT, x)
    above = g.op("Add", g.op("Add", power, g.op("Log", series)), constant)
    # The sine of the distance to the nearest integer is exactly 0 at the poles.
    distance = g.op("Abs", g.op("Sub", x, g.op("Round", x)))
    sine = g.op("Sin", g.op("Mul", distance, g.scalar(math.pi, x)))
    below = g.op("Sub", g.op("Sub", g.scalar(math.log(math.pi), x), g.op("Log", sine)), above)
    return g.op("Where", is_low, below, above)


def lower_gamma(g: GraphBuilder, x: Value) -> Value:
    """`gamma(x)` of float64; between the negative integers the sign alternates."""
    magnitude = g.op("Exp", lower_gammaln(g, x))
    half = g.op("Mul", g.op("Floor", x), g.scalar(0.5, x))
    is_odd = g.op("Not", g.op("Equal", half, g.op("Floor", half)))
    is_negative = g.op("And", is_odd, g.op("Less", x, g.scalar(0.0, x)))
    return g.op("Where", is_negative, g.op("Neg", magnitude), magnitude)


def lower_erfinv(g: GraphBuilder, x: Value) -> Value:
    """The inverse of `erf` of float64: the normal quantile of `(x + 1) / 2` over the root of 2."""
    q = g.op("Mul", x, g.scalar(0.5, x))
    squared = g.op("Sub", g.scalar(0.180625, x), g.op("Mul", q, q))
    centre = g.op("Mul", q, _ratio(g, squared, QUANTILE_CENTRE))
    tail = g.op("Sub", g.scalar(0.5, x), g.op("Abs", q))
    root = g.op("Sqrt", g.op("Neg", g.op("Log", tail)))
    middle = _ratio(g, g.op("Sub", root, g.scalar(1.6, x)), QUANTILE_MIDDLE)
    far = _ratio(g, g.op("Sub", root, g.scalar(5.0, x)), QUANTILE_TAIL)
    outer = g.op("Where", g.op("LessOrEqual", root, g.scalar(5.0, x)), middle, far)
    outer = g.op("Where", g.op("Equal", tail, g.scalar(0.0, x)), g.scalar(math.inf, x), outer)
    is_central = g.op("LessOrEqual", g.op("Abs", q), g.scalar(0.425, x))
    quantile = g.op("Where", is_central, centre, g.op("Mul", g.op("Sign", x), outer))
    return g.op("Mul", quantile, g.scalar(math.sqrt(0.5), x))


def _ratio(g: GraphBuilder, x: Value, parts: tuple[Sequence[float], Sequence[float]]) -> Value:
    return g.op("Div", _polynomial(g, x, parts[0]), _polynomial(g, x, parts[1]))


def _polynomial(g: GraphBuilder, x: Value, coefficients: Sequence[float]) -> Value:
    value = g.scalar(coefficients[0], x)
    for coefficient in coefficients[1:]:
        value = g.op("Add", g.op("Mul", value, x), g.scalar(coefficient, x))
    return value
