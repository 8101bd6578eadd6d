"""The operator table: one module a family, each operator declared once.

`table` owns what an operator is, `attributes` the codec between MXNet's text and typed values, `dtypes` the element
types, `builder` what a lowering may ask of the ONNX graph, `onnx_types` which element types ONNX Runtime computes in,
`names` and `signature` what Python calls an operator and how, `storage` what a sparse array holds and `sparse_rules`
what operators do with it. The other modules declare operators.
"""

from gluonnx.ops import (
    activation,
    binary,
    convolution,
    creation,
    custom,
    elementwise,
    indexing,
    linear,
    normalization,
    pooling,
    random,
    recurrent,
    reduce,
    sampling,
    scalar,
    sequence,
    sequence_loss,
    shaping,
    sparse,
)
from gluonnx.ops.table import TABLE, Operator, Unsupported

__all__ = [
    "TABLE",
    "Operator",
    "Unsupported",
    "activation",
    "binary",
    "convolution",
    "creation",
    "custom",
    "elementwise",
    "indexing",
    "linear",
    "normalization",
    "pooling",
    "random",
    "recurrent",
    "reduce",
    "sampling",
    "scalar",
    "sequence",
    "sequence_loss",
    "shaping",
    "sparse",
]
