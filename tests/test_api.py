"""MXNet's public Python interface, as tests/golden/make_api.py recorded it, is ours.

Every module, class, function, argument with its default, member and attribute of MXNet 1.9.1 is at the same path here,
or stands in tests/api_differences.tsv with the reason.
"""

import ast
import fnmatch
import functools
import importlib
import inspect
import json
import pathlib
import re
import textwrap

import pytest

import gluonnx as mx

HERE = pathlib.Path(__file__).parent
API = {
    module: entries
    for path in sorted((HERE / "golden" / "api").glob("*.json"))
    for module, entries in json.loads(path.read_text()).items()
}
REASONS = dict(
    line.split("\t", 1)
    for line in (HERE / "api_differences.tsv").read_text().splitlines()
    if line and not line.startswith("#")
)
"""Path (with `*`) of what is absent or otherwise here -> why."""

UNWRITTEN = {"handle", "__del__"}
"""A pointer to MXNet's C++ object and the method that frees it: there is no such object here."""


def _module(name):
    return importlib.import_module(f"gluonnx.{name}") if name else mx


def _find(path):
    """What stands at a path below `gluonnx`: modules before members, since a function may hide its module."""
    parts = path.split(".")
    for count in range(len(parts) - 1, -1, -1):
        try:
            found = _module(".".join(parts[:count]))
        except ImportError:
            continue
        return functools.reduce(getattr, parts[count:], found)
    raise AssertionError


def _default(value):
    if isinstance(value, type):
        return value.__name__
    plain = value is None or isinstance(value, bool | int | float | str | tuple | list | dict)
    if isinstance(value, str):
        value = value.replace(str(pathlib.Path.home()), "~")
    return repr(value) if plain else type(value).__name__


def _arguments(function, bound):
    found = list(inspect.signature(function).parameters.values())
    return found[1:] if bound else found


def _same_default(theirs, ours):
    """Whether defaults are the same.

    An object (`Uniform()`, {}) is made at each call here, which None says; a list is a tuple; a dtype is written in one
    of several ways.
    """
    is_object = (theirs.isidentifier() and theirs not in ("None", "True", "False")) or theirs == "{}"
    return (is_object and ours == "None") or _plain(ours) == _plain(theirs)


def _plain(text):
    named = re.fullmatch(r"'?(?:dtype\[)?(float\d\d)\]?'?", text)
    return named[1] if named else text.translate(str.maketrans("[]", "()"))


def _arguments_differ(theirs, function, bound=False):
    """How calls that MXNet takes would fail: None if every one of them works."""
    ours = _arguments(function, bound)
    if theirs == ["*args", "**kwargs"]:
        return None
    kinds = {p.kind for p in ours}
    for i, text in enumerate(theirs):
        if text.startswith("**"):
            if inspect.Parameter.VAR_KEYWORD not in kinds and text != "**kwargs":
                return f"no {text}"
            continue
        if text.startswith("*"):
            if inspect.Parameter.VAR_POSITIONAL not in kinds:
                return f"no {text}"
            continue
        name, _, default = text.partition("=")
        found = next((p for p in ours if p.name == name), None)
        if found is None:
            return f"no argument {name}"
        after_star = any(t.startswith("*") for t in theirs[:i])
        if not after_star and (found.kind is not found.POSITIONAL_OR_KEYWORD or ours.index(found) != i):
            return f"argument {name} is not number {i}"
        if default and (found.default is found.empty or not _same_default(default, _default(found.default))):
            return f"{name}={_default(found.default)}, not {default}"
    names = {t.partition("=")[0] for t in theirs}
    for p in ours:
        if p.name not in names and p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            return f"needs {p.name}"
    return None


@functools.cache
def _assigned(cls):
    """Names that instances of `cls` get: annotated, slotted or assigned to `self` in its source."""
    names = set()
    for base in cls.__mro__:
        if not base.__module__.startswith("gluonnx"):
            continue
        names |= {*getattr(base, "__annotations__", ()), *getattr(base, "__slots__", ())}
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names |= {node.attr} if isinstance(node.value, ast.Name) and node.value.id == "self" else set()
    return names


def _members_differ(path, entry, cls):
    for base in entry["bases"]:
        try:
            ours = _find(base)
        except AttributeError:
            continue  # a base that is not public
        if not issubclass(cls, ours):
            yield f"{path}.__bases__", f"not a {base}"
    for name in entry["attributes"]:
        if not hasattr(cls, name) and name not in _assigned(cls) | UNWRITTEN:
            yield f"{path}.{name}", "no such attribute"
    for name in entry["special"]:
        if not hasattr(cls, name) and name not in UNWRITTEN:
            yield f"{path}.{name}", "no such method"
    members = dict(entry["members"])
    if entry["arguments"] is not None:
        members["__init__"] = entry["arguments"]
    for name, member in members.items():
        if not hasattr(cls, name):
            yield f"{path}.{name}", "no such member"
            continue
        value = inspect.getattr_static(cls, name)
        if isinstance(member, list):
            is_static = isinstance(value, staticmethod)
            function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
            difference = _arguments_differ(member, function, not is_static) if callable(function) else "not callable"
            if difference:
                yield f"{path}.{name}", difference
        elif member == "property" and inspect.isroutine(value):
            yield f"{path}.{name}", "a method, not a property"


def _differences(module):
    """What is otherwise than in MXNet: (path, how)."""
    try:
        ours = _module(module)
    except ImportError:
        yield module, "no such module"
        return
    for name, entry in API[module].items():
        path = f"{module}.{name}".lstrip(".")
        if not hasattr(ours, name):
            yield path, "absent"
            continue
        thing = getattr(ours, name)
        if isinstance(entry, str) and entry != "value":
            try:
                canonical = _find(entry)
            except AttributeError:
                continue  # which is told where it stands
            if canonical is not thing:
                yield path, f"not {entry}"
        elif isinstance(entry, list):
            difference = _arguments_differ(entry, thing)
            if difference:
                yield path, difference
        elif isinstance(entry, dict):
            if inspect.isclass(thing):
                yield from _members_differ(path, entry, thing)
            else:
                yield path, "not a class"


FOUND = {module: list(_differences(module)) for module in API}


@pytest.mark.parametrize("module", API)
def test_interface_is_mxnets(module):
    unexplained = [
        f"{path}: {how}" for path, how in FOUND[module] if not any(fnmatch.fnmatchcase(path, p) for p in REASONS)
    ]
    assert unexplained == []


@pytest.mark.parametrize("pattern", REASONS)
def test_every_reason_is_needed(pattern):
    assert REASONS[pattern].strip()
    assert any(fnmatch.fnmatchcase(path, pattern) for found in FOUND.values() for path, _ in found)
