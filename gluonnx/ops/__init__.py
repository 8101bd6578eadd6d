"""The operator table: one module a family, each operator declared once.

`table` owns what an operator is, `attributes` the codec between MXNet's text and typed values, `dtypes` the element
types, `builder` what a lowering may ask of the ONNX graph. The other modules declare operators.
"""

from gluonnx.ops import activation, convolution, linear, normalization, pooling
from gluonnx.ops.table import TABLE, Operator, Unsupported

__all__ = ["TABLE", "Operator", "Unsupported", "activation", "convolution", "linear", "normalization", "pooling"]
