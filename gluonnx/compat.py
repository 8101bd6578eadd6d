"""The name `mxnet` for gluonnx: programs written for MXNet run unchanged."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from gluonnx.errors import NamespaceError

__all__ = ["install_as_mxnet"]

OURS = "gluonnx"
THEIRS = "mxnet"


def install_as_mxnet() -> None:
    """Make `import mxnet`, and every `mxnet.x.y`, give gluonnx's own modules.

    No module is loaded twice: `mxnet.gluon.nn is gluonnx.gluon.nn`. A real MXNet that is installed, but was not
    imported, is hidden from this process. Calling it again changes nothing.

    Raises:
        NamespaceError: Real MXNet (or another module of that name) is already imported.

    Examples:
        >>> install_as_mxnet()
        >>> import mxnet as mx
        >>> from mxnet.gluon import nn
        >>> mx.__name__, nn.Dense.__module__
        ('gluonnx', 'gluonnx.gluon.nn.basic_layers')
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    ours = importlib.import_module(OURS)
    for name, module in sys.modules.items():
        if (name == THEIRS or name.startswith(f"{THEIRS}.")) and module is not ours:
            origin = getattr(module, "__file__", None)
            raise NamespaceError(
                f"install_as_mxnet: the name `{THEIRS}` is taken: expected that nothing has imported it, got "
                f"{name}={origin or module!r}. Call gluonnx.install_as_mxnet() before the first `import {THEIRS}`, in "
                "a process that does not use real MXNet.",
                name=name,
            )
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds `mxnet` and `mxnet.x.y` as the module of that place in gluonnx."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != THEIRS and not fullname.startswith(f"{THEIRS}."):
            return None
        module = _resolve(OURS + fullname.removeprefix(THEIRS))
        if module is None:
            raise NamespaceError(
                f"No module named {fullname!r}: gluonnx has no such part of MXNet: expected a module of gluonnx, got "
                f"{fullname}. The modules that exist are those of `import gluonnx`.",
                name=fullname,
            )
        return ModuleSpec(fullname, _Loader(module), is_package=hasattr(module, "__path__"))


class _Loader(Loader):
    """Puts the module that exists in the place of the one that was to be loaded."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system: what it makes is replaced at once."""

    def exec_module(self, module: ModuleType) -> None:
        """Replace the new module, as the import system allows a module to do."""
        assert module.__spec__ is not None
        sys.modules[module.__spec__.name] = self._module


def _resolve(name: str) -> ModuleType | None:
    """Return gluonnx's module of a dotted name, which may be another name of it (`gluonnx.nd`), None if there is none.

    An ImportError inside a module that exists is passed on.
    """
    if name in sys.modules:
        return sys.modules[name]
    parent_name, _, last = name.rpartition(".")
    if not parent_name:
        return importlib.import_module(name)
    parent = _resolve(parent_name)
    if parent is None:
        return None
    child_name = f"{parent.__name__}.{last}"
    if child_name in sys.modules:
        return sys.modules[child_name]
    if hasattr(parent, "__path__") and importlib.util.find_spec(child_name) is not None:
        return importlib.import_module(child_name)
    alias = vars(parent).get(last)
    return alias if isinstance(alias, ModuleType) and alias.__name__.startswith(f"{OURS}.") else None
