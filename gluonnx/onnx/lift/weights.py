"""The large arrays of a foreign model, taken out before anything copies it.

onnx's checker and shape inference serialize a model; each would copy every weight twice.
"""

import math

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from gluonnx.errors import FormatError
from gluonnx.onnx.arrays import Array
from gluonnx.ops.dtypes import BY_NAME, BY_ONNX

LARGE = 1024
"""Elements from which on an array is taken out; smaller ones may tell shapes."""


def take_large(graph: GraphProto, where: str) -> dict[str, Array]:
    """Make the large initializers and constants of a graph inputs of it; return their arrays by name.

    Args:
        graph: The model's graph; it is changed.
        where: Names the model in messages.

    Raises:
        FormatError: A tensor is damaged, of no dtype that there is, or lies in another file.
    """
    taken: dict[str, Array] = {}
    listed = {info.name for info in graph.input}
    for index in reversed(range(len(graph.initializer))):
        tensor = graph.initializer[index]
        if _is_large(tensor) and tensor.name not in taken:
            taken[tensor.name] = to_array(tensor, where)
            if tensor.name not in listed:
                graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
            del graph.initializer[index]
    for index in reversed(range(len(graph.node))):
        node = graph.node[index]
        if not _is_plain_constant(node) or not _is_large(node.attribute[0].t):
            continue
        tensor, name = node.attribute[0].t, node.output[0]
        if name not in taken and name not in listed:
            taken[name] = to_array(tensor, where, name)
            graph.input.append(helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))
            del graph.node[index]
    return taken


def _is_plain_constant(node: NodeProto) -> bool:
    is_constant = node.op_type == "Constant" and node.domain in ("", "ai.onnx") and len(node.output) == 1
    return is_constant and len(node.attribute) == 1 and node.attribute[0].name == "value"


def _is_large(tensor: TensorProto) -> bool:
    """Whether an array is taken out: a large one, or one in another file, of a dtype that there is."""
    if tensor.data_type not in BY_ONNX or any(d < 0 for d in tensor.dims):
        return False
    return tensor.data_location == TensorProto.EXTERNAL or math.prod(tensor.dims) >= LARGE


def to_array(tensor: TensorProto, where: str, name: str = "") -> Array:
    """Return the values of a tensor.

    Raises:
        FormatError: It is damaged, of no dtype that there is, or lies in another file.
    """
    name = name or tensor.name
    if tensor.data_type not in BY_ONNX:
        kind = TensorProto.DataType.Name(tensor.data_type) if tensor.data_type in TensorProto.DataType.values() else "?"
        raise FormatError(
            f"{where}: `{name}` is no array of numbers: expected one of {', '.join(BY_NAME)}, got {kind}."
        )
    if tensor.data_location == TensorProto.EXTERNAL:
        raise FormatError(
            f"{where}: `{name}` lies in another file: expected its values in the model, got external data. "
            "Read the model with gluonnx.onnx.read_model."
        )
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, MemoryError) as err:
        raise FormatError(
            f"{where}: `{name}` is damaged: expected values for a shape of {tuple(tensor.dims)}, got {err}."
        ) from err


def share(graph: GraphProto, names: set[str]) -> None:
    """Let nodes that read a weight under a second name, which an Identity gives it, read it under its own.

    Args:
        graph: The model's graph; it is changed.
        names: Weights that are not among its initializers.
    """
    weights = names | {t.name for t in graph.initializer}
    outputs = {o.name for o in graph.output}
    sources: dict[str, str] = {}
    for index in reversed(range(len(graph.node))):
        node = graph.node[index]
        is_copy = node.op_type == "Identity" and node.domain in ("", "ai.onnx") and len(node.input) == 1
        if is_copy and node.input[0] in weights and not outputs.intersection(node.output):
            sources[node.output[0]] = node.input[0]
            del graph.node[index]
    if sources:
        _rename(graph, sources)


def _rename(graph: GraphProto, sources: dict[str, str]) -> None:
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name in sources:
                node.input[position] = sources[name]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") or attribute.graphs else ():
                _rename(inner, sources)
