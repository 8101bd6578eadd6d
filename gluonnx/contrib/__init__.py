"""The operators that MXNet calls experimental, under the short names `mx.contrib.nd` and `mx.contrib.sym`, and ONNX."""

from gluonnx.contrib import onnx
from gluonnx.ndarray import contrib as ndarray
from gluonnx.symbol import contrib as symbol

nd, sym = ndarray, symbol

__all__ = ["nd", "ndarray", "onnx", "sym", "symbol"]
