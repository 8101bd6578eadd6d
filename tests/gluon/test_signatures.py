"""Arguments of layers, losses and utilities: names, order and defaults are MXNet's."""

import inspect
import json

import pytest
from gluon import road

import gluonnx as mx

SIGNATURES = json.loads((road.GOLDEN / "signatures.json").read_text())


def _find(path):
    found = mx
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _text(value):
    plain = value is None or isinstance(value, (bool, int, float, str, tuple))
    return repr(value) if plain else type(value).__name__


def _arguments(thing):
    parameters = inspect.signature(thing.__init__ if inspect.isclass(thing) else thing).parameters.values()
    return [
        [p.name, p.kind.name, None if p.default is p.empty else _text(p.default)]
        for p in parameters
        if p.name != "self"
    ]


def _normal(arguments):
    """`prefix` and `params` of Block may be spelled out or forwarded."""
    return [a for a in arguments if a[0] not in ("prefix", "params", "kwargs")]


@pytest.mark.parametrize("path", sorted(SIGNATURES))
def test_arguments_are_mxnets(path):
    assert _normal(_arguments(_find(path))) == _normal(SIGNATURES[path])
