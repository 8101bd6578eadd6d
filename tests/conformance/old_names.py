"""Names that MXNet's tests of 2022 use and that are gone: `nose`, what numpy 2 removed, the `requests` package.

They exist inside the test process only, so that what is measured is gluonnx.
"""

import functools
import importlib.util
import io
import sys
import types
import unittest
import urllib.error
import urllib.request
from email.message import Message

import numpy as np

REMOVED_FROM_NUMPY = {
    "Inf": np.inf,
    "NAN": np.nan,
    "NaN": np.nan,
    "alltrue": np.all,
    "asscalar": lambda a: a.item(),
    "bool8": np.bool_,
    "complex": complex,
    "cumproduct": np.cumprod,
    "float": float,
    "float_": np.float64,
    "infty": np.inf,
    "int": int,
    "object": object,
    "product": np.prod,
    "round_": np.round,
    "sometrue": np.any,
    "str": str,
    "string_": np.bytes_,
    "unicode_": np.str_,
}


def restore() -> None:
    """Put all of them back."""
    restore_numpy()
    restore_nose()
    restore_requests()


def restore_numpy() -> None:
    """Put back aliases that numpy 2 removed, where they are missing."""
    for name, value in REMOVED_FROM_NUMPY.items():
        if name not in np.__dict__:
            setattr(np, name, value)


def restore_nose() -> None:
    """Supply `nose.tools`, as far as the tests use it."""
    nose, tools = types.ModuleType("nose"), types.ModuleType("nose.tools")
    case = unittest.TestCase()
    for method, name in (
        ("assertRaises", "assert_raises"),
        ("assertEqual", "assert_equal"),
        ("assertEqual", "eq_"),
        ("assertNotEqual", "assert_not_equal"),
        ("assertTrue", "assert_true"),
        ("assertTrue", "ok_"),
        ("assertFalse", "assert_false"),
        ("assertAlmostEqual", "assert_almost_equals"),
    ):
        setattr(tools, name, getattr(case, method))
    tools.raises = raises
    tools.make_decorator = make_decorator
    tools.nottest = nottest
    nose.tools = tools
    nose.SkipTest = unittest.SkipTest
    nose.runmodule = lambda *args, **kwargs: None
    sys.modules |= {"nose": nose, "nose.tools": tools}


def make_decorator(original):
    """Return a decorator that gives a function the name of another one."""

    def decorate(function):
        function.__dict__.update(original.__dict__)
        for name in ("__name__", "__doc__", "__module__"):
            setattr(function, name, getattr(original, name))
        return function

    return decorate


def raises(*exceptions):
    """Return a decorator: the test passes if one of the exceptions comes out of it."""

    def decorate(test):
        @functools.wraps(test)
        def checked(*args, **kwargs):
            try:
                test(*args, **kwargs)
            except exceptions:
                return
            names = " or ".join(e.__name__ for e in exceptions)
            raise AssertionError(f"{test.__name__}() did not raise {names}")

        return checked

    return decorate


def nottest(function):
    """Mark a function as no test."""
    function.__test__ = False
    return function


def restore_requests() -> None:
    """Let the tests put their answers under our downloads.

    The tests replace `requests.get`, MXNet's HTTP client. Ours is `urllib.request.urlopen`: it asks whatever stands at
    `requests.get`, which without a replacement refuses, so no test reaches the network.
    """
    if importlib.util.find_spec("requests") is None:
        sys.modules |= _requests()
    import requests

    refused = requests.get if hasattr(requests.get, "refuses") else _refuse
    requests.get = refused

    def urlopen(url, *args, **kwargs):
        address = url.full_url if isinstance(url, urllib.request.Request) else url
        try:
            answer = requests.get(address, stream=True)
        except requests.exceptions.ConnectionError as err:
            raise urllib.error.URLError(f"no network in the tests: {err}") from err
        body = answer.raw.read()
        if answer.status_code != 200:
            raise urllib.error.HTTPError(address, answer.status_code, "not found", Message(), io.BytesIO(body))
        found = urllib.request.addinfourl(io.BytesIO(body), Message(), address, answer.status_code)
        return found

    urllib.request.urlopen = urlopen


def _refuse(url, *args, **kwargs):
    import requests

    raise requests.exceptions.ConnectionError(url)


_refuse.refuses = True


def _requests() -> dict[str, types.ModuleType]:
    requests, exceptions = types.ModuleType("requests"), types.ModuleType("requests.exceptions")

    class Response:
        def __init__(self):
            self.status_code = None
            self.raw = None

    class ConnectionError(OSError):
        pass

    exceptions.ConnectionError = ConnectionError
    exceptions.RequestException = OSError
    requests.Response = Response
    requests.ConnectionError = ConnectionError
    requests.exceptions = exceptions
    requests.get = _refuse
    return {"requests": requests, "requests.exceptions": exceptions}
