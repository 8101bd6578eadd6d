"""Record the public Python interface of MXNet 1.9.1: names, arguments with defaults, members, attributes of instances.

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_api.py

Writes tests/golden/api/PACKAGE.json, by module below `mxnet`:

    {"gluon.block": {"Block": {"arguments": ["prefix=None", ...], "bases": [...], "members": {...},
                               "special": [...], "attributes": [...]}},
     "gluon": {"Block": "gluon.block.Block"}}

A class stands where it is defined; the other paths under which it is public point there. A member is the list of its
arguments (without `self`), "property" or "value". An argument is its name ("*" or "**" in front where it takes any
number) and, where it has one, "=" and its default: the value of plain ones, else the name of its type. `special` are
methods such as `__len__`; `attributes` are the public names that methods of the class assign to `self`, as far as its source says so by `self.name = ...`.
Operators (generated functions of `nd` and `sym`) are not here: tests/ops has them.
"""

import ast
import enum
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import textwrap

import mxnet

HERE = pathlib.Path(__file__).resolve().parent

ROOTS = """
attribute base callback context engine executor gluon initializer io kvstore lr_scheduler metric model module monitor
name operator optimizer profiler random recordio runtime symbol.symbol ndarray.ndarray ndarray.sparse ndarray.utils
autograd test_utils util visualization
""".split()

TOGETHER = ("mxnet.random",)
"""Modules, other than packages, that are public for what they import."""


def modules():
    """`mxnet` and the modules below ROOTS."""
    yield mxnet
    for root in ROOTS:
        module = importlib.import_module("mxnet." + root)
        yield module
        if hasattr(module, "__path__"):
            for found in pkgutil.walk_packages(module.__path__, module.__name__ + "."):
                if not found.name.rpartition(".")[2].startswith("_"):
                    yield importlib.import_module(found.name)


def default_text(value):
    plain = value is None or isinstance(value, (bool, int, float, str, tuple, list, dict))
    if isinstance(value, type):
        return "=" + value.__name__
    if isinstance(value, str):
        value = value.replace(os.path.expanduser("~"), "~")
    return "=" + (repr(value) if plain and not isinstance(value, enum.Enum) else type(value).__name__)


def arguments(function):
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    found = []
    for p in parameters:
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        found.append(stars + p.name + ("" if p.default is p.empty else default_text(p.default)))
    return found


def member(value):
    if isinstance(value, (staticmethod, classmethod)):
        found = arguments(value.__func__)
        return found[1:] if isinstance(value, classmethod) else found
    if inspect.isfunction(value):
        return arguments(value)[1:]
    return "property" if isinstance(value, property) else "value"


def assigned(cls):
    """Public names that the methods of `cls` assign to `self`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):
        return []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self" and not node.attr.startswith("_"):
                names.add(node.attr)
    return sorted(names - set(vars(cls)))


def path_of(thing):
    return "%s.%s" % (thing.__module__[len("mxnet.") :], thing.__qualname__)


def generated(function):
    """Whether MXNet made the function from the table of operators."""
    return function.__code__.co_filename == "<string>" if inspect.isfunction(function) else False


def of_mxnet(thing):
    return (getattr(thing, "__module__", None) or "").startswith("mxnet.")


def describe(cls):
    members = {n: member(v) for n, v in sorted(vars(cls).items()) if not n.startswith("_")}
    special = [n for n, v in vars(cls).items() if n.startswith("__") and inspect.isfunction(v)]
    return {
        "arguments": arguments(cls.__init__)[1:] if "__init__" in vars(cls) else None,
        "bases": [path_of(b) for b in cls.__bases__ if of_mxnet(b) and path_of(b) != path_of(cls)],
        "members": members,
        "special": sorted(set(special) - {"__init__", "__reduce__", "__getstate__", "__setstate__"}),
        "attributes": assigned(cls),
    }


def main():
    found = {}
    for module in modules():
        name = module.__name__[len("mxnet.") :]
        together = module.__name__ in TOGETHER or hasattr(module, "__path__")
        listed = getattr(module, "__all__", None)
        entries = {}
        for key, value in sorted(vars(module).items()):
            if key.startswith("_") or inspect.ismodule(value):
                continue
            if not of_mxnet(value):
                if listed and key in listed:
                    entries[key] = "value"
                continue
            own = value.__module__ == module.__name__
            if not (own or together or (listed and key in listed)):
                continue
            if not hasattr(value, "__qualname__"):
                entries[key] = "value"
            elif not own or value.__qualname__ != key:
                if not generated(value):
                    entries[key] = path_of(value)
            elif inspect.isclass(value):
                entries[key] = describe(value)
            elif callable(value):
                if not generated(value):
                    entries[key] = arguments(value)
            else:
                entries[key] = "value"
        if entries:
            found[name] = entries
    groups = {}
    for name in found:
        groups.setdefault(name.partition(".")[0] or "mxnet", []).append(name)
    for group, names in groups.items():
        compact = {"sort_keys": True, "separators": (",", ":")}
        rows = ['"%s":%s' % (name, json.dumps(found[name], **compact)) for name in sorted(names)]
        (HERE / "api" / (group + ".json")).write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
