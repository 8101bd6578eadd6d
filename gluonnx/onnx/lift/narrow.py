"""Weights in fewer than 8 bits and in float8, in the nearest dtype that arrays have.

No array holds ONNX's 4-bit and 2-bit integers and its 8-bit and 4-bit floats. As weights they are numbers that a wider
dtype holds exactly: int8, uint8, float16. What reads them means the same with these; quantization to a narrow integer
type is one to 8 bits, clipped to the range of the narrow one.
"""

from collections.abc import Mapping

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from gluonnx.errors import FormatError

_RANGES: dict[int, tuple[int, int, int]] = {
    TensorProto.INT4: (-8, 7, TensorProto.INT8),
    TensorProto.UINT4: (0, 15, TensorProto.UINT8),
    TensorProto.INT2: (-2, 1, TensorProto.INT8),
    TensorProto.UINT2: (0, 3, TensorProto.UINT8),
}
_FLOATS = (
    TensorProto.FLOAT8E4M3FN,
    TensorProto.FLOAT8E4M3FNUZ,
    TensorProto.FLOAT8E5M2,
    TensorProto.FLOAT8E5M2FNUZ,
    TensorProto.FLOAT4E2M1,
)
_MOVES = frozenset({"Identity", "Reshape", "Transpose", "Gather", "Slice", "Squeeze", "Unsqueeze", "Flatten", "Expand"})


def widen(model: ModelProto, where: str) -> None:
    """Bring the narrow weights of a model of the newest opset, and what reads them, to wider dtypes, in place.

    Raises:
        FormatError: An operator would give a narrow type that nothing wider stands for.
    """
    types = _types(model.graph, {})
    if types:
        _widen(model.graph, {}, where)


def _types(graph: GraphProto, found: dict[str, int]) -> dict[str, int]:
    """Narrow element types by name: of weights, and of what nodes say that they give."""
    for tensor in graph.initializer:
        if tensor.data_type in _RANGES or tensor.data_type in _FLOATS:
            found[tensor.name] = tensor.data_type
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "output_dtype") and (attribute.i in _RANGES or attribute.i in _FLOATS):
                found[node.output[0]] = attribute.i
            if attribute.HasField("t") and (attribute.t.data_type in _RANGES or attribute.t.data_type in _FLOATS):
                found[node.output[0]] = attribute.t.data_type
            if attribute.HasField("g"):
                _types(attribute.g, found)
    return found


def _widen(graph: GraphProto, outer: Mapping[str, int], where: str) -> None:
    narrow = dict(outer)
    arrays: dict[str, TensorProto] = {t.name: t for t in graph.initializer}
    for tensor in graph.initializer:
        _widen_tensor(tensor, tensor.name, narrow)
    nodes: list[NodeProto] = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                _widen(attribute.g, narrow, where)
            elif attribute.type == AttributeProto.TENSOR and node.op_type == "Constant":
                _widen_tensor(attribute.t, node.output[0], narrow)
                arrays[node.output[0]] = attribute.t
        nodes += _rewritten(node, narrow, arrays, where)
    del graph.node[:]
    graph.node.extend(nodes)
    for infos in (graph.value_info, graph.output):
        for info in [i for i in infos if i.name in narrow]:
            if infos is graph.value_info or narrow[info.name] in _RANGES:
                info.type.tensor_type.elem_type = _wide(narrow[info.name])


def _wide(dtype: int) -> int:
    return int(_RANGES[dtype][2] if dtype in _RANGES else TensorProto.FLOAT16)


def _widen_tensor(tensor: TensorProto, name: str, narrow: dict[str, int]) -> None:
    dtype = tensor.data_type
    if (dtype in _RANGES or dtype in _FLOATS) and tensor.data_location != TensorProto.EXTERNAL:
        narrow[name] = dtype
        wide = helper.tensor_dtype_to_np_dtype(_wide(dtype))
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(wide), tensor.name))


def _rewritten(
    node: NodeProto, narrow: dict[str, int], arrays: Mapping[str, TensorProto], where: str
) -> list[NodeProto]:
    """Return what stands in a node's place; tells in `narrow` what it gives."""
    given = [narrow.get(i) for i in node.input]
    says = next((a.i for a in node.attribute if a.name in ("output_dtype", "to")), 0)
    if node.op_type == "DequantizeLinear" and given[0] in _FLOATS:
        return _scaled(node, arrays, where)
    if node.op_type == "QuantizeLinear" and (says in _RANGES or says in _FLOATS or any(given[2:])):
        dtype = says or given[2]
        if dtype in _RANGES:
            return _clipped(node, dtype, narrow)
    elif node.op_type in _MOVES and given and given[0]:
        narrow[node.output[0]] = given[0]
        return [node]
    elif not any(given[1:]) or node.op_type not in ("CastLike", "QuantizeLinear"):
        dtype = says if node.op_type == "Cast" else 0
        if dtype not in _RANGES and dtype not in _FLOATS:
            return [node]
    name = TensorProto.DataType.Name(says or given[-1] or 0)
    raise FormatError(
        f"{where}: {node.op_type} `{node.output[0]}` gives {name}: expected such numbers as weights only. "
        "Run the model with gluonnx_runtime.Session."
    )


def _scaled(node: NodeProto, arrays: Mapping[str, TensorProto], where: str) -> list[NodeProto]:
    """A product of floats and their scales."""
    scale = arrays.get(node.input[1])
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    block = next((a.i for a in node.attribute if a.name == "block_size"), 0)
    output = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
    data = arrays.get(node.input[0])
    rank = len(data.dims) if data is not None else None
    if scale is None or (len(scale.dims) and rank is None):
        raise FormatError(
            f"{where}: DequantizeLinear `{node.output[0]}`: the scale of floats is computed: expected an initializer."
        )
    array = numpy_helper.to_array(scale)
    if array.ndim == 1 and array.size > 1 and rank is not None:
        array = array.reshape([-1 if a == axis % rank else 1 for a in range(rank)])
    elif array.ndim == 1:
        array = array.reshape(())
    elif array.ndim > 1 and data is not None:
        length = data.dims[axis]
        array = array.repeat(block or -(-length // array.shape[axis]), axis).take(range(length), axis)
    label = node.output[0]
    made = [
        helper.make_node("Cast", [node.input[0]], [f"{label}/wide"], to=scale.data_type),
        helper.make_node(
            "Constant", [], [f"{label}/scale"], value=numpy_helper.from_array(np.ascontiguousarray(array))
        ),
    ]
    product = f"{label}/product" if output else label
    made.append(helper.make_node("Mul", [f"{label}/wide", f"{label}/scale"], [product]))
    if output:
        made.append(helper.make_node("Cast", [product], [label], to=output))
    return made


def _clipped(node: NodeProto, dtype: int, narrow: dict[str, int]) -> list[NodeProto]:
    """Quantization to 8 bits, clipped to the range of fewer."""
    low, high, wide = _RANGES[dtype]
    label = node.output[0]
    kept = [a for a in node.attribute if a.name != "output_dtype"]
    if len(node.input) < 3 or not node.input[2]:
        kept.append(helper.make_attribute("output_dtype", int(wide)))
    del node.attribute[:]
    node.attribute.extend(kept)
    node.output[0] = f"{label}/wide"
    narrow[label] = dtype
    kind = helper.tensor_dtype_to_np_dtype(wide)
    bounds = [
        helper.make_node("Constant", [], [f"{label}/{n}"], value=numpy_helper.from_array(np.array(v, kind)))
        for n, v in (("low", low), ("high", high))
    ]
    return [node, *bounds, helper.make_node("Clip", [f"{label}/wide", f"{label}/low", f"{label}/high"], [label])]
