"""Which Python name an operator has in which namespace, from its registered names."""

import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from gluonnx.ops.table import TABLE, Operator

NAMESPACES: dict[str, str] = {
    "_contrib_": "contrib",
    "_linalg_": "linalg",
    "_image_": "image",
    "_sparse_": "sparse",
    "_random_": "random",
}
"""Namespace by the prefix of a registered name.

Source: MXNet 1.9.1, the operator modules that mxnet.nd has.
"""


def python_names(operators: Iterable[Operator]) -> dict[str, dict[str, str]]:
    """Return {namespace: {python name: registered name}}.

    `""` is the main namespace; `_internal` holds the names that begin with an underscore.
    """
    spaces: dict[str, dict[str, str]] = {"": {}, "_internal": {}, **{n: {} for n in NAMESPACES.values()}}
    for op in operators:
        for name in op.names:
            for prefix, space in NAMESPACES.items():
                if name.startswith(prefix):
                    spaces[space][name.removeprefix(prefix)] = name
            spaces["_internal" if name.startswith("_") else ""][name] = name
    return spaces


def fill(package: ModuleType, function: Callable[[str], Any], existing: Mapping[str, ModuleType]) -> None:
    """Fill a namespace package and its submodules with functions, where they have no attribute of the name yet.

    Args:
        package: `gluonnx.ndarray` or `gluonnx.symbol`.
        function: Makes the function of a registered name.
        existing: Submodules that are written by hand.
    """
    spaces = python_names(TABLE.operators())
    spaces["op"] = spaces[""]
    for space, names in spaces.items():
        module = package if space == "" else existing.get(space) or _submodule(package, space)
        for python_name, op_name in names.items():
            module.__dict__.setdefault(python_name, function(op_name))


def add(package: ModuleType, functions: Mapping[str, Mapping[str, Callable[..., Any]]]) -> None:
    """Add functions that are written by hand to a namespace package (`""`) and its submodules."""
    for space, members in functions.items():
        module = package if space == "" else getattr(package, space)
        module.__dict__.update(members)


def _submodule(package: ModuleType, name: str) -> ModuleType:
    full = f"{package.__name__}.{name}"
    module = ModuleType(full, f"Operators of MXNet's `{name}` namespace.")
    sys.modules[full] = module
    setattr(package, name, module)
    return module
