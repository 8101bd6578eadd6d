"""Which ONNX operators are MXNet operators: one rule for each, None where the meaning is not exactly equal.

A rule sees the node in its newest form. MXNet's classic operators have no arrays without axes and no axes of size 0,
and their integer arithmetic is their own, so arithmetic is lifted for float32 and float16 (`Call.is_plain`) and the
moving of values for a few more dtypes (`Call.is_array`).

`table` holds the rules; `elementwise`, `arithmetic`, `neural`, `windows`, `matrices`, `shaping` and `recurrent` declare
them.
"""

from gluonnx.onnx.lift.rules import arithmetic, elementwise, matrices, neural, recurrent, shaping, windows
from gluonnx.onnx.lift.rules.table import RULES

__all__ = ["RULES", "arithmetic", "elementwise", "matrices", "neural", "recurrent", "shaping", "windows"]
