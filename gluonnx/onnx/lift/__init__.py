"""Any ONNX model as a graph of operators.

`reading` checks a model and brings it to one form: no local functions, no sparse initializers, the newest opset
(`modern` knows what older opsets wrote differently); `graph` walks it and makes the nodes; `rules` says which ONNX
operators are MXNet operators, the others stay as `_onnx.<OpType>` (`gluonnx.ops.foreign`).
"""

from gluonnx.onnx.lift.graph import LiftedModel, lift
from gluonnx.onnx.lift.reading import prepare

__all__ = ["LiftedModel", "lift", "prepare"]
