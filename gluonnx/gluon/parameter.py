"""Parameters under MXNet's module name: `Parameter` and `Constant`, `ParameterDict`, each in a module of its own."""

from gluonnx.errors import DeferredInitializationError
from gluonnx.gluon.constant import Constant
from gluonnx.gluon.parameter_dict import ParameterDict, load_all, misfit, select
from gluonnx.gluon.parameter_value import REPLACEMENTS, Parameter
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol.symbol import Symbol

__all__ = [
    "REPLACEMENTS",
    "Constant",
    "DeferredInitializationError",
    "Parameter",
    "ParameterDict",
    "load_all",
    "misfit",
    "select",
    "tensor_types",
]

tensor_types = (Symbol, NDArray)
"""What blocks compute with."""
