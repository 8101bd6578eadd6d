"""ONNX: a graph of operators becomes an ONNX model, and the model is shown to compute the same.

`builder` owns the ONNX graph under construction, which lowerings speak to; `lowering` the walk over the graph; `model`
the result and its bytes; `check` the proof against torch (`samples` its inputs, `exact` the graph in double precision,
`proof` the record that travels with the file); `metadata` what makes a file come back as the graph it was; `files`
reading and writing; `options` what a caller may choose, `opset` and `labels` passes over the finished graph; `export`
all of that in order; `verify` a file against its digests and its proof; `lift` any ONNX model as a graph; `convert`
MXNet's `export_model` and the way back.
"""

from gluonnx.onnx import mx2onnx
from gluonnx.onnx.check import prove
from gluonnx.onnx.convert import (
    ReadGraph,
    export_model,
    get_operator_support,
    import_to_files,
    read_graph,
    read_restored,
)
from gluonnx.onnx.export import export_graph
from gluonnx.onnx.files import write_model
from gluonnx.onnx.lift import LiftedModel, lift
from gluonnx.onnx.lowering import lower
from gluonnx.onnx.metadata import Restored, restore
from gluonnx.onnx.model import LoweredModel
from gluonnx.onnx.options import ExportOptions
from gluonnx.onnx.proof import replay
from gluonnx.onnx.reading import read_model
from gluonnx.onnx.verify import Verified, verify

__all__ = [
    "ExportOptions",
    "LiftedModel",
    "LoweredModel",
    "ReadGraph",
    "Restored",
    "Verified",
    "export_graph",
    "export_model",
    "get_operator_support",
    "import_to_files",
    "lift",
    "lower",
    "mx2onnx",
    "prove",
    "read_graph",
    "read_model",
    "read_restored",
    "replay",
    "restore",
    "verify",
    "write_model",
]
