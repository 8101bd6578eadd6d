"""From names of operators to operators; the torch functions of ONNX operators are imported when one is asked for."""

import functools
import importlib

from gluonnx.ops.foreign.table import PREFIX, ROWS, ForeignOperator
from gluonnx.ops.table import TABLE, Operator

_FAMILIES = (
    "elementwise",
    "reduction",
    "shaping",
    "indexing",
    "windows",
    "neural",
    "images",
    "quantized",
    "recurrent",
    "control",
    "sequences",
    "signals",
    "draws",
    "ngrams",
    "decoding",
)


@functools.cache
def foreign_operator(op_type: str) -> ForeignOperator | None:
    """Return an ONNX operator by its ONNX name, None if graphs cannot keep it."""
    for family in _FAMILIES:
        importlib.import_module(f"gluonnx.ops.foreign.{family}")
    row = ROWS.get(op_type)
    return None if row is None else ForeignOperator(row)


def find_operator(name: str) -> Operator | None:
    """Return an operator by the name it has in a graph, MXNet's or `_onnx.` and ONNX's; None if there is none."""
    if name.startswith(PREFIX):
        return foreign_operator(name.removeprefix(PREFIX))
    return TABLE.get(name)
