"""The modules `nd.contrib`, `nd.linalg`, ... and the population of `nd` itself, from the operator table."""

from types import ModuleType

from gluonnx.ndarray import contrib, decoding, internal, random, sparse, updates
from gluonnx.ndarray.arithmetic import install_operators
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import attach_methods, function
from gluonnx.ops.names import add, fill


def install(package: ModuleType) -> None:
    """Fill the imperative namespace `package` and its submodules with the table's functions."""
    install_operators()
    attach_methods()
    fill(package, function, {"contrib": contrib, "random": random, "sparse": sparse})
    for name in updates.__all__:
        setattr(package.contrib, name, getattr(updates, name))
    package.__dict__["imdecode"] = decoding.imdecode
    for name in ("_cvimdecode", "_cvimread"):
        setattr(package.__dict__["_internal"], name, getattr(decoding, name))
    add(package, {"": internal.MAIN, "contrib": internal.CONTRIB, "_internal": internal.INTERNAL})
    for name, method in internal.METHODS.items():
        setattr(NDArray, name, method)
