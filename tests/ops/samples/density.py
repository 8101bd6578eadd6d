"""Densities of random distributions."""

from .sample import Array, Sample

A = Array
PRECISION = "MXNet evaluates gamma functions in float32"
COARSE = "MXNet computes in float16"


def count(shape, dtype="float32"):
    return A(shape, dtype, "ints", high=6)


def positive(shape, dtype="float32"):
    return A(shape, dtype, "positive")


def chance(shape, dtype="float32"):
    values = (0.3, 0.6, 0.45, 0.8, 0.15, 0.5)
    size = 1
    for n in shape:
        size *= n
    return A(shape, dtype, "values", values=values[:size])


KINDS = {
    "uniform": (positive, lambda s, d: A(s, d, "unit"), lambda s, d: A(s, d, "values", values=(2.5, 3.0, 4.0, 5.5)[: _size(s)])),
    "normal": (lambda s, d: A(s, d), lambda s, d: A(s, d), positive),
    "gamma": (positive, positive, positive),
    "exponential": (positive, positive),
    "poisson": (count, positive),
    "negative_binomial": (count, positive, chance),
    "generalized_negative_binomial": (count, positive, positive),
}


def _size(shape):
    size = 1
    for n in shape:
        size *= n
    return size


def _samples():
    for kind, makers in sorted(KINDS.items()):
        op = "_random_pdf_" + kind
        reason = "MXNet gives the sample no gradient" if makers[0] is count else None
        batch = tuple(range(len(makers)))
        for is_log in (False, True):
            for name, lead, rest in (("rows", (2,), (3,)), ("one", (1,), ()), ("block", (2, 2), (1, 2))):
                arrays = (makers[0](lead + rest, "float32"),) + tuple(m(lead, "float32") for m in makers[1:])
                loose = {"rtol": 2e-5, "atol": 2e-6, "why": PRECISION}
                ident = name + "_log" * is_log
                yield Sample(op, ident, arrays, {"is_log": is_log}, batch=batch, derivative=reason, **loose)
        for dtype, rtol, why in (("float64", 1e-5, PRECISION), ("float16", 1e-2, COARSE)):
            arrays = (makers[0]((2, 3), dtype),) + tuple(m((2,), dtype) for m in makers[1:])
            loose = {"rtol": rtol, "atol": rtol, "why": why}
            yield Sample(op, dtype, arrays, batch=batch, derivative=reason, **loose)
    op = "_random_pdf_dirichlet"
    shares = (0.2, 0.3, 0.5, 0.1, 0.1, 0.8)
    loose = {"rtol": 2e-5, "atol": 2e-6, "why": PRECISION}
    for is_log in (False, True):
        attrs, log = {"is_log": is_log}, "_log" * is_log
        sample = A((2, 3), kind="values", values=shares)
        yield Sample(op, "one" + log, (sample, positive((3,))), attrs, batch=(0,), **loose)
        yield Sample(op, "each" + log, (sample, positive((2, 3))), attrs, batch=(0, 1), **loose)
        block = A((1, 2, 3), kind="values", values=shares)
        yield Sample(op, "rows" + log, (block, positive((1, 3))), attrs, batch=(0, 1), **loose)
    wide = A((2, 3), "float64", "values", values=shares)
    yield Sample(op, "float64", (wide, positive((3,), "float64")), batch=(0,), rtol=1e-5, atol=1e-5, why=PRECISION)


SAMPLES = list(_samples())
