"""Another opset: a pass over the finished graph, by onnx's own version converter."""

import dataclasses

import onnx
from onnx import ModelProto, helper, version_converter

from gluonnx.errors import ExportError
from gluonnx.onnx.builder import IR_VERSION, OPSET
from gluonnx.onnx.model import LoweredModel

SMALLEST_OPSET = 9
"""Older ones have initializers among the inputs, and no shape inference that could confirm the result."""


def at_opset(model: LoweredModel, opset: int | None) -> LoweredModel:
    """Return the model in another opset.

    Args:
        model: In the opset that lowerings target.
        opset: The wanted one; None keeps it.

    Raises:
        ExportError: onnx does not know the opset, or cannot convert an operator to it.
    """
    if opset in (None, OPSET):
        return model
    assert opset is not None
    newest = onnx.defs.onnx_opset_version()
    where = model.proto.graph.name
    if not SMALLEST_OPSET <= opset <= newest:
        raise ExportError(f"{where}: unknown opset: expected {SMALLEST_OPSET} to {newest}, got opset={opset}.")
    try:
        converted = version_converter.convert_version(model.typed_skeleton(), opset)
    except Exception as err:  # the converter is C++; what it throws has no common class
        raise ExportError(
            f"{where}: not expressible in opset {opset}: expected operators that onnx converts from {OPSET}, got "
            f"{str(err).strip()}. Choose an opset nearer to {OPSET}."
        ) from err
    return dataclasses.replace(model, proto=_cleaned(converted, model))


def _cleaned(converted: ModelProto, model: LoweredModel) -> ModelProto:
    """Take out what the converter adds: inputs for weights, and descriptions of inner values."""
    proto = ModelProto()
    proto.CopyFrom(model.proto)
    graph = proto.graph
    graph.CopyFrom(converted.graph)
    names = {*model.input_names, *model.live_names}
    inputs = {i.name: i for i in converted.graph.input}
    del graph.input[:]
    graph.input.extend(inputs[i.name] for i in model.proto.graph.input if i.name in names)
    del graph.value_info[:]
    graph.name = model.proto.graph.name
    del proto.opset_import[:]
    proto.opset_import.extend(converted.opset_import)
    proto.ir_version = max(IR_VERSION, helper.find_min_ir_version_for(list(proto.opset_import)))
    return proto
