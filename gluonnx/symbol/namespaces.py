"""The modules `sym.contrib`, `sym.linalg`, ... and the population of `sym` itself, from the operator table."""

from types import ModuleType

from gluonnx.ops.names import add, fill
from gluonnx.symbol import contrib, internal, random, updates
from gluonnx.symbol.register import attach_methods, function
from gluonnx.symbol.symbol import Symbol, install_operators


def install(package: ModuleType) -> None:
    """Fill the symbolic namespace `package` and its submodules with the table's functions."""
    install_operators()
    attach_methods()
    fill(package, function, {"contrib": contrib, "random": random})
    for name in updates.__all__:
        setattr(package.contrib, name, getattr(updates, name))
    add(package, {"": internal.MAIN, "contrib": internal.CONTRIB})
    for name, method in internal.METHODS.items():
        setattr(Symbol, name, method)
