"""Cases that real MXNet and gluonnx both run: small functions of the package, and how their results are written down.

Read by Python 3.8 with MXNet 1.9.1 too (tests/golden/make_answers.py), so it imports neither package.
"""

import json

import numpy as np


class Cases:
    """Functions `case(mx)` by name. What a case returns, or the error it raises, is its answer."""

    def __init__(self):
        self.functions = {}
        self.differs = {}

    def __call__(self, function=None, *, differs=None):
        """Decorator. `differs` says why our answer is not MXNet's; it is then recorded and not compared."""
        if function is None:
            return lambda f: self(f, differs=differs)
        self.add(function.__name__, function, differs)
        return function

    def add(self, name, function, differs=None):
        if name in self.functions:
            raise ValueError("there twice: " + name)
        self.functions[name] = function
        if differs is not None:
            self.differs[name] = differs

    def expressions(self, group, functions, differs=None):
        """Add cases `{text: function of an Example}`; `differs` says of which, and why, our answer differs."""
        for source, function in functions.items():
            self.add(group + ": " + source, lambda mx, f=function: f(Example(mx)), (differs or {}).get(source))


class Example:
    """A package and small arrays of it, fresh for each case."""

    def __init__(self, mx):
        self.mx, self.nd, self.sym = mx, mx.nd, mx.sym
        nd = mx.nd
        self.v = nd.array([1.0, -2.0, 3.0, 0.5])
        self.m = nd.array(np.arange(12.0).reshape(3, 4))
        self.t = nd.array(np.arange(24.0).reshape(2, 3, 4))
        self.r = nd.array([[1.0, 2.0, 3.0, 4.0]])
        self.c = nd.array([[1.0], [2.0], [3.0]])
        self.i = nd.array([7, -7, 3, 0], dtype="int32")
        self.j = nd.array([2, 3, -2, 5], dtype="int32")
        self.l = nd.array([7, 2, 3], dtype="int64")
        self.b = nd.array([250, 3, 0], dtype="uint8")
        self.d = nd.array([1.5, 2.5], dtype="float64")
        self.h = nd.array([1.5, 2.5], dtype="float16")
        self.s = nd.array([3.5])


ERRORS = (
    "MXNetError",
    "IndexError",
    "ValueError",
    "TypeError",
    "AttributeError",
    "NotImplementedError",
    "AssertionError",
)


def answer(function, mx):
    """The result of a case as plain JSON: arrays with dtype, shape, values and context; an error by its kinds."""
    try:
        return encode(function(mx))
    except Exception as err:  # which errors there are is what we record
        kinds = [k.__name__ for k in type(err).__mro__ if k.__name__ in ERRORS]
        return {"error": kinds or [type(err).__name__]}


def encode(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (list, tuple)):
        return {"list" if isinstance(value, list) else "tuple": [encode(v) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[str(k), encode(v)] for k, v in value.items()]}
    if hasattr(value, "asnumpy"):
        found = encode(value.asnumpy())
        found["ctx"] = str(value.context)
        found["dtype"] = np.dtype(value.dtype).name
        return found
    if isinstance(value, np.ndarray):
        values = value.astype(np.float64).ravel().tolist()
        return {"shape": list(value.shape), "dtype": value.dtype.name, "values": [_number(v) for v in values]}
    if isinstance(value, type):
        return {"type": value.__name__}
    if isinstance(value, np.generic):
        return {"scalar": _number(float(value)), "dtype": value.dtype.name}
    if isinstance(value, (int, float)):
        return {"number": _number(value), "python": type(value).__name__}
    return {"repr": type(value).__name__ + " " + str(value)}


def _number(value):
    return value if np.isfinite(value) else str(value)


def dumps(answers):
    """The text of an answers file: one case a line."""
    lines = [json.dumps(k) + ": " + json.dumps(v, sort_keys=True) for k, v in sorted(answers.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"
