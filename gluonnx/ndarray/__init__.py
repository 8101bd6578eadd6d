"""Imperative arrays: `mx.nd`.

`ndarray` owns the array, `arithmetic` Python's operators on it, `leaf` gradients, `indexing` reads and writes of
parts, `register` the functions that the operator table gives, `creation` and `random` new arrays, `sparse_array` and
`sparse` those in sparse storage, `files` saving and loading, `generators` random state.
"""

import sys
from typing import TYPE_CHECKING, Any

from gluonnx.context import Context, cpu, cpu_pinned, current_context, gpu
from gluonnx.ndarray import creation, namespaces, random, sparse
from gluonnx.ndarray.creation import *  # noqa: F403
from gluonnx.ndarray.files import load, load_frombuffer, save
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sparse_array import BaseSparseNDArray, CSRNDArray, RowSparseNDArray

namespaces.install(sys.modules[__name__])

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


__all__ = [
    "BaseSparseNDArray",
    "CSRNDArray",
    "Context",
    "NDArray",
    "RowSparseNDArray",
    "cpu",
    "cpu_pinned",
    "current_context",
    "gpu",
    "load",
    "load_frombuffer",
    "random",
    "save",
    "sparse",
    *creation.__all__,
]
