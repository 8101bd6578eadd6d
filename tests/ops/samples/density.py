"""Densities of random distributions."""

from .sample import Array, Sample

A = Array
LOOSE = {"rtol": 1e-6, "atol": 1e-6, "why": "MXNet has digamma and the root of 2 pi in float32"}
COARSE = (("gamma", "float64"), ("normal", "float64"))


def count(shape, dtype="float32"):
    return A(shape, dtype, "ints", high=6)


def positive(shape, dtype="float32"):
    return A(shape, dtype, "positive")


def chance(shape, dtype="float32"):
    return A(shape, dtype, "values", values=(0.3, 0.6, 0.45, 0.8)[: _size(shape)])


def _size(shape):
    size = 1
    for n in shape:
        size *= n
    return size


def normal(shape, dtype="float32"):
    return A(shape, dtype)


def unit(shape, dtype="float32"):
    return A(shape, dtype, "unit")


def above(shape, dtype="float32"):
    return A(shape, dtype, "values", values=(2.5, 3.0, 4.0, 5.5)[: _size(shape)])


KINDS = {
    "uniform": (positive, unit, above),
    "normal": (normal, normal, positive),
    "gamma": (positive, positive, positive),
    "exponential": (positive, positive),
    "poisson": (count, positive),
    "negative_binomial": (count, positive, chance),
    "generalized_negative_binomial": (count, positive, positive),
}


def _samples():
    for kind, makers in sorted(KINDS.items()):
        op = "_random_pdf_" + kind
        reason = "MXNet gives the sample no gradient" if makers[0] is count else None
        batch = tuple(range(len(makers)))
        for is_log in (False, True):
            for name, lead, rest in (("rows", (2,), (3,)), ("one", (1,), ()), ("block", (2, 2), (1, 2))):
                arrays = (makers[0](lead + rest), *(m(lead) for m in makers[1:]))
                ident = name + "_log" * is_log
                yield Sample(op, ident, arrays, {"is_log": is_log}, batch=batch, derivative=reason)
        for dtype in ("float64", "float16"):
            arrays = (makers[0]((2, 3), dtype), *(m((2,), dtype) for m in makers[1:]))
            loose = LOOSE if (kind, dtype) in COARSE else {}
            yield Sample(op, dtype, arrays, batch=batch, derivative=reason, **loose)
    op = "_random_pdf_dirichlet"
    shares = (0.2, 0.3, 0.5, 0.1, 0.1, 0.8)
    for is_log in (False, True):
        attrs, log = {"is_log": is_log}, "_log" * is_log
        sample = A((2, 3), kind="values", values=shares)
        yield Sample(op, "one" + log, (sample, positive((3,))), attrs, batch=(0,))
        yield Sample(op, "each" + log, (sample, positive((2, 3))), attrs, batch=(0, 1))
        block = A((1, 2, 3), kind="values", values=shares)
        yield Sample(op, "rows" + log, (block, positive((1, 3))), attrs, batch=(0, 1))
    wide = A((2, 3), "float64", "values", values=shares)
    yield Sample(op, "float64", (wide, positive((3,), "float64")), batch=(0,), **LOOSE)


SAMPLES = list(_samples())
