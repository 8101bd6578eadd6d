"""Names that MXNet keeps in one module and gluonnx in several of the same package."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["names_of"]


def names_of(module: str, package: str) -> Callable[[str], Any]:
    """Return a `__getattr__` by which a module has the public names of its package too.

    Programs import `mxnet.optimizer.optimizer.Adam`, or unpickle by such a path; here each family of optimizers has a
    module of its own.

    Args:
        module: Name of the module.
        package: Name of the package whose names it takes, all but its modules.

    Examples:
        >>> from gluonnx.optimizer import Adam
        >>> from gluonnx.optimizer.optimizer import Adam as AdamOfMXNetsPath
        >>> AdamOfMXNetsPath is Adam
        True
    """

    def find(name: str) -> Any:
        found = None if name.startswith("_") else getattr(importlib.import_module(package), name, None)
        if found is None or isinstance(found, ModuleType):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return found

    return find
