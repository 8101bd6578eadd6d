"""Another opset: a pass over the finished graph, by onnx's own version converter."""

import dataclasses
import re
from collections.abc import Collection

import onnx
from onnx import ModelProto, helper, version_converter

from gluonnx.errors import ExportError
from gluonnx.onnx.builder import IR_VERSION, OPSET
from gluonnx.onnx.model import LoweredModel

SMALLEST_OPSET = 9
"""Older ones have initializers among the inputs, and no shape inference that could confirm the result."""
_ASIDE = "gluonnx.kept"
_NO_ADAPTER = re.compile(r"No Adapter.* for (\w+)")


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
    kept: set[str] = set()
    while True:
        skeleton = model.typed_skeleton()
        _set_domain(skeleton, kept, "", _ASIDE)
        if kept:
            skeleton.opset_import.append(helper.make_opsetid(_ASIDE, 1))
        try:
            converted = version_converter.convert_version(skeleton, opset)
        except Exception as err:  # the converter is C++; what it throws has no common class
            missing = _NO_ADAPTER.search(str(err))
            if missing and missing[1] not in kept and _is_same(model.proto, missing[1], opset):
                kept.add(missing[1])
                continue
            raise ExportError(
                f"{where}: not expressible in opset {opset}: expected operators that onnx converts from {OPSET}, got "
                f"{str(err).strip()}. Choose an opset nearer to {OPSET}."
            ) from err
        _set_domain(converted, kept, _ASIDE, "")
        return dataclasses.replace(model, proto=_cleaned(converted, model))


def _set_domain(model: ModelProto, op_types: Collection[str], old: str, new: str) -> None:
    """Move operators to another domain; the converter passes over domains that it does not know."""
    for node in model.graph.node:
        if node.op_type in op_types and node.domain == old:
            node.domain = new


def _is_same(model: ModelProto, op_type: str, opset: int) -> bool:
    """Whether an operator, for which the converter has no rule, is written in the opset as it is now.

    The proof of the export shows whether it means the same too.
    """
    try:
        schema = onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        return False
    nodes = [n for n in model.graph.node if n.op_type == op_type]
    return all(
        all(a.name in schema.attributes for a in n.attribute)
        and schema.min_input <= len(n.input) <= schema.max_input
        and len(n.output) <= schema.max_output
        for n in nodes
    )


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
    proto.opset_import.extend(o for o in converted.opset_import if o.domain != _ASIDE)
    proto.ir_version = max(IR_VERSION, helper.find_min_ir_version_for(list(proto.opset_import)))
    return proto
