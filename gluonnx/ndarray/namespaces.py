"""The modules `nd.contrib`, `nd.linalg`, ... and the population of `nd` itself, from the operator table."""

from types import ModuleType

from gluonnx.ndarray import contrib, random, sparse
from gluonnx.ndarray.ndarray import install_operators
from gluonnx.ndarray.register import attach_methods, function
from gluonnx.ops.names import fill


def install(package: ModuleType) -> None:
    """Fill the imperative namespace `package` and its submodules with the table's functions."""
    install_operators()
    attach_methods()
    fill(package, function, {"contrib": contrib, "random": random, "sparse": sparse})
