"""Any ONNX model as a graph of operators.

`reading` checks a model and brings it to one form: no local functions, no sparse initializers, the newest opset
(`modern` knows what older opsets wrote differently, `narrow` the weights of fewer than 8 bits); `folding` finds out
what it computes from its shapes and constants alone, with `sizes` for what is open; `graph` walks it and makes the
nodes; `rules` says which ONNX operators are MXNet operators, the others stay as `_onnx.<OpType>`
(`gluonnx.ops.foreign`).
"""

from gluonnx.onnx.lift.graph import LiftedModel, lift
from gluonnx.onnx.lift.reading import prepare

__all__ = ["LiftedModel", "lift", "prepare"]
