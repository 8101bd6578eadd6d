"""Symbolic graphs: `mx.sym`.

`graph` owns nodes and their order, `symbol` the handle users compose, `register` the functions that the operator table
gives, `inference` shapes and dtypes, `executor` running a graph on torch, `text` symbol-json.
"""

import sys
from typing import TYPE_CHECKING, Any

from gluonnx.symbol import creation, namespaces, random
from gluonnx.symbol.creation import *  # noqa: F403
from gluonnx.symbol.symbol import Group, Symbol, Variable, var
from gluonnx.symbol.text import load, load_json

namespaces.install(sys.modules[__name__])

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


__all__ = ["Group", "Symbol", "Variable", "load", "load_json", "random", "var", *creation.__all__]
