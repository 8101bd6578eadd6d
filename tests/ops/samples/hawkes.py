"""The Hawkes process."""

from .sample import Array, Sample


def _values(shape, values, dtype="float32", grad=True):
    return Array(shape, dtype, "values", values=values, grad=grad)


def _inputs(dtype="float32", valid=(4, 2)):
    return (
        _values((2, 3), (1.5, 2.0, 3.0, 1.2, 0.7, 2.5), dtype),
        _values((3,), (0.2, 0.3, 0.4), dtype),
        _values((3,), (1.0, 2.0, 3.0), dtype),
        _values((2, 3), (0.1, 0.0, 0.5, 1.0, 0.2, 0.3), dtype),
        _values((2, 4), (0.5, 0.1, 0.2, 0.3, 1.0, 0.2, 0.3, 0.4), dtype, grad=False),
        _values((2, 4), (0, 1, 0, 2, 2, 1, 1, 0), "int32"),
        _values((2,), valid, dtype, grad=False),
        _values((2,), (5.0, 4.0), dtype, grad=False),
    )


NO_STATE = "MXNet's final state gives no gradient"
LOOSE = {"rtol": 1e-6, "atol": 1e-6, "why": "MXNet takes exponentials in float32"}
ROWS = (0, 3, 4, 5, 6, 7)
SAMPLES = [
    Sample("_contrib_hawkesll", "plain", _inputs(), batch=ROWS, derivative=NO_STATE),
    Sample("_contrib_hawkesll", "empty", _inputs(valid=(0, 1)), batch=ROWS, derivative=NO_STATE),
    Sample("_contrib_hawkesll", "float64", _inputs("float64"), batch=ROWS, derivative=NO_STATE, **LOOSE),
    Sample(
        "_contrib_hawkesll",
        "one",
        (
            _values((1, 1), (1.5,)),
            _values((1,), (0.2,)),
            _values((1,), (2.0,)),
            _values((1, 1), (0.0,)),
            _values((1, 1), (0.5,), grad=False),
            _values((1, 1), (0,), "int32"),
            _values((1,), (1,), grad=False),
            _values((1,), (3.0,), grad=False),
        ),
        batch=ROWS,
        derivative=NO_STATE,
    ),
]
