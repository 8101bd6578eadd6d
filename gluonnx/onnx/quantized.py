"""Graphs that round to integers on the way, and by how much ONNX Runtime may differ from torch there."""

from collections.abc import Sequence

from gluonnx.symbol.graph import Entry, all_nodes

QUANTIZED_TOLERANCE = 0.1
"""Largest difference of a quantized net in integer kernels, relative to the largest magnitude of the output. One step
of 8 bits is 0.004, and layers add up. ONNX Runtime without those kernels is held to the plain tolerance."""


def is_quantized(heads: Sequence[Entry]) -> bool:
    """Whether a graph has operators of ONNX that round to a few bits."""
    names = {n.op.name for n in all_nodes(heads) if n.op is not None}
    return any(n.startswith("_onnx.") and ("Quantize" in n or "QLinear" in n) for n in names)
