"""By how much ONNX Runtime may differ from torch where that is no error: what the operators of a graph tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from gluonnx.symbol.graph import Entry, all_nodes
from gluonnx.symbol.inference import Inference

ROUNDING_AT_ONE = 2.4e-7
"""Two rounding steps of float32 at 1. ONNX Runtime's sigmoid, tanh and softmax are as exact as that, whatever the
magnitude of the result; below 0.02 it shows."""
QUANTIZED_TOLERANCE = 0.1
"""Largest difference of a quantized net in integer kernels, relative to the largest magnitude of the output. One step
of 8 bits is 0.004, and layers add up. ONNX Runtime without those kernels is held to the plain tolerance."""

_COARSE = ("bfloat16", "float16")
_BOUNDED = frozenset(
    {"Activation", "sigmoid", "log_sigmoid", "hard_sigmoid", "tanh", "erf", "softmax", "SoftmaxOutput"}
    | {f"_onnx.{name}" for name in ("Sigmoid", "Tanh", "Erf", "Softmax")}
)
_MOVES = frozenset(
    {"Cast", "Reshape", "Flatten", "expand_dims", "squeeze", "transpose", "SwapAxis", "slice", "slice_axis", "_copy"}
    | {f"_onnx.{name}" for name in ("Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice")}
    | {"_onnx.Identity", "_onnx.Gather", "BlockGrad"}
)
"""Operators whose output holds values of their first input."""


@dataclass(frozen=True, slots=True)
class Leeway:
    """What holds for one output.

    Attributes:
        precision: The coarsest dtype that the graph computes floats in; None where that is the output's own.
        absolute: Difference that is rounding whatever the magnitude.
        is_quantized: Whether the graph rounds to integers on the way.
    """

    precision: str | None = None
    absolute: float = 0.0
    is_quantized: bool = False


NONE = Leeway()


def leeways(heads: Sequence[Entry], inference: Inference) -> list[Leeway]:
    """Return what holds for each output of a graph."""
    kinds = set(inference.dtypes.values())
    precision = next((d for d in _COARSE if d in kinds), None)
    names = {n.op.name for n in all_nodes(heads) if n.op is not None}
    is_quantized = any(n.startswith("_onnx.") and ("Quantize" in n or "QLinear" in n) for n in names)
    return [Leeway(precision, ROUNDING_AT_ONE if _is_bounded(head) else 0.0, is_quantized) for head in heads]


def _is_bounded(head: Entry) -> bool:
    """Whether an output holds what an operator gives whose results are at most 1."""
    node, _ = head
    while node.op is not None and node.op.name in _MOVES and node.inputs:
        node, _ = node.inputs[0]
    return node.op is not None and node.op.name in _BOUNDED
