"""What older opsets wrote differently, rewritten to the newest opset.

Each rule takes a node of an older opset and makes the nodes that mean the same now. Attributes that have become
inputs become constants.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper, numpy_helper

from gluonnx.errors import FormatError

Shape = tuple[int | None, ...]


class _Rewriter:
    """A node that is being rewritten.

    Attributes:
        node: The node.
        opset: The opset it was written in.
        shapes: Shapes of values by name.
        made: What stands in its place.
    """

    def __init__(self, node: NodeProto, opset: int, shapes: Mapping[str, Shape], where: str) -> None:
        self.node = node
        self.opset = opset
        self.shapes = shapes
        self.where = where
        self.made: list[NodeProto] = []
        self.attributes: dict[str, AttributeProto] = {a.name: a for a in node.attribute}

    def take(self, name: str, default: Any = None) -> Any:
        """Return an attribute and take it away from the node."""
        found = self.attributes.pop(name, None)
        if found is None:
            return default
        value = helper.get_attribute_value(found)
        return value.decode() if isinstance(value, bytes) else value

    def set(self, name: str, value: Any) -> None:
        """Give the node an attribute."""
        self.attributes[name] = helper.make_attribute(name, value)

    def constant(self, label: str, array: "np.ndarray[Any, Any]") -> str:
        """Add a constant and return its name."""
        name = f"{self.node.output[0]}/{label}"
        self.made.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        return name

    def ints(self, label: str, values: Sequence[int]) -> str:
        """Add a constant of int64 and return its name."""
        return self.constant(label, np.array(list(values), dtype=np.int64))

    def typed(self, label: str, value: float) -> str:
        """Add a scalar of the dtype of the first input and return its name."""
        raw, cast = self.constant(f"{label}_float", np.array(value, dtype=np.float32)), f"{self.node.output[0]}/{label}"
        self.made.append(helper.make_node("CastLike", [raw, self.node.input[0]], [cast]))
        return cast

    def inputs(self, *names: str) -> None:
        """Give the node these inputs."""
        del self.node.input[:]
        self.node.input.extend(names)

    def done(self) -> list[NodeProto]:
        """Return what stands in the node's place."""
        del self.node.attribute[:]
        self.node.attribute.extend(self.attributes.values())
        return [*self.made, self.node]

    def refuse(self, problem: str) -> FormatError:
        """Return the error for a form that has no meaning now."""
        return FormatError(f"{self.where}: {self.node.op_type} `{self.node.output[0]}`: {problem}.")


Rule = Callable[[_Rewriter], None]
_RULES: dict[str, list[tuple[int, Rule]]] = {}


def _before(opset: int, *op_types: str) -> Callable[[Rule], Rule]:
    """Decorator: a rule for nodes of opsets before this one."""

    def declare(rule: Rule) -> Rule:
        for op_type in op_types:
            _RULES.setdefault(op_type, []).append((opset, rule))
        return rule

    return declare


def modernize(model: ModelProto, opset: int, shapes: Mapping[str, Shape], where: str) -> None:
    """Rewrite a model of an older opset to the newest one, in place.

    Raises:
        FormatError: A node has a form that nothing means now.
    """
    _modernize(model.graph, opset, shapes, where)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", onnx.defs.onnx_opset_version()))
    model.ir_version = max(model.ir_version, 10)


def _modernize(graph: GraphProto, opset: int, shapes: Mapping[str, Shape], where: str) -> None:
    nodes: list[NodeProto] = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _modernize(attribute.g, opset, shapes, where)
        node.domain = ""
        rewriter = _Rewriter(node, opset, shapes, where)
        for before, rule in _RULES.get(node.op_type, ()):
            if opset < before:
                rule(rewriter)
        nodes += rewriter.done()
    del graph.node[:]
    graph.node.extend(nodes)


@_before(13, "Softmax", "LogSoftmax", "Hardmax")
def _flat_softmax(r: _Rewriter) -> None:
    axis = r.take("axis", 1)
    shape = r.shapes.get(r.node.input[0])
    if shape is not None and axis % max(len(shape), 1) == len(shape) - 1:
        r.set("axis", -1)
        return
    data, result = r.node.input[0], r.node.output[0]
    flat, soft, dims = f"{result}/flat", f"{result}/soft", f"{result}/shape"
    r.made.append(helper.make_node("Flatten", [data], [flat], axis=axis))
    r.made.append(helper.make_node(r.node.op_type, [flat], [soft], axis=-1))
    r.made.append(helper.make_node("Shape", [data], [dims]))
    r.node.op_type = "Reshape"
    r.inputs(soft, dims)


@_before(13, "Squeeze", "Unsqueeze", "ReduceSum")
@_before(18, *(f"Reduce{n}" for n in ("Max", "Min", "Mean", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")))
def _axes_as_input(r: _Rewriter) -> None:
    axes = r.take("axes")
    if axes is not None:
        r.inputs(r.node.input[0], r.ints("axes", axes))


@_before(13, "Split")
def _split_sizes(r: _Rewriter) -> None:
    sizes = r.take("split")
    if sizes is not None:
        r.inputs(r.node.input[0], r.ints("split", sizes))


@_before(18, "Split")
def _split_count(r: _Rewriter) -> None:
    if len(r.node.input) < 2 or not r.node.input[1]:
        r.set("num_outputs", len(r.node.output))


@_before(10, "Slice")
def _slice_bounds(r: _Rewriter) -> None:
    starts, ends, axes = r.take("starts"), r.take("ends"), r.take("axes")
    names = [r.node.input[0], r.ints("starts", starts), r.ints("ends", ends)]
    r.inputs(*names, *([r.ints("axes", axes)] if axes is not None else []))


@_before(10, "TopK")
def _topk_count(r: _Rewriter) -> None:
    r.inputs(r.node.input[0], r.ints("k", [r.take("k")]))


@_before(11, "Pad")
def _pad_amounts(r: _Rewriter) -> None:
    pads, value = r.take("pads"), r.take("value", 0.0)
    r.inputs(r.node.input[0], r.ints("pads", pads), r.typed("value", value))


@_before(11, "Clip")
def _clip_bounds(r: _Rewriter) -> None:
    low, high = r.take("min"), r.take("max")
    names = [r.node.input[0], "" if low is None else r.typed("min", low)]
    r.inputs(*names, *([] if high is None else [r.typed("max", high)]))


@_before(11, "Scatter")
def _scatter(r: _Rewriter) -> None:
    r.node.op_type = "ScatterElements"


@_before(12, "Dropout")
def _dropout_ratio(r: _Rewriter) -> None:
    r.inputs(r.node.input[0], r.constant("ratio", np.array(r.take("ratio", 0.5), dtype=np.float32)))


@_before(10, "Upsample")
def _upsample(r: _Rewriter) -> None:
    scales = r.take("scales")
    if scales is not None:
        r.inputs(r.node.input[0], r.constant("scales", np.array(scales, dtype=np.float32)))
    _resize_by_corner(r)


@_before(11, "Resize")
def _resize_by_corner(r: _Rewriter) -> None:
    r.node.op_type = "Resize"
    r.inputs(r.node.input[0], "", r.node.input[1])
    r.set("coordinate_transformation_mode", "asymmetric")
    r.set("nearest_mode", "floor")
    if r.take("mode", "nearest") in ("linear", "bilinear"):
        r.set("mode", "linear")


@_before(9, "BatchNormalization")
def _batch_norm_spatial(r: _Rewriter) -> None:
    """Without `spatial`, each element of a sample is normalized by statistics of its own."""
    if r.take("spatial", 1):
        return
    label, (data, gamma, beta, mean, variance) = r.node.output[0], r.node.input
    epsilon = r.typed("epsilon", r.take("epsilon", 1e-5))
    r.take("momentum")
    for op, given, name in (
        ("Sub", [data, mean], "centered"),
        ("Add", [variance, epsilon], "variance"),
        ("Sqrt", [f"{label}/variance"], "deviation"),
        ("Div", [f"{label}/centered", f"{label}/deviation"], "normal"),
        ("Mul", [f"{label}/normal", gamma], "scaled"),
    ):
        r.made.append(helper.make_node(op, given, [f"{label}/{name}"]))
    r.node.op_type = "Add"
    r.inputs(f"{label}/scaled", beta)


@_before(14, "BatchNormalization")
def _batch_norm_outputs(r: _Rewriter) -> None:
    if len([o for o in r.node.output if o]) > 1:
        raise r.refuse("in training mode of an older opset: expected one output, got more. Export it for inference")
    del r.node.output[1:]


@_before(16, "RoiAlign")
def _roi_align(r: _Rewriter) -> None:
    r.set("coordinate_transformation_mode", "output_half_pixel")


@_before(20, "GridSample")
def _grid_sample(r: _Rewriter) -> None:
    mode = r.take("mode", "bilinear")
    r.set("mode", {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode))


@_before(20, "DFT")
def _dft_axis(r: _Rewriter) -> None:
    axis = r.constant("axis", np.array(r.take("axis", 1), dtype=np.int64))
    r.inputs(r.node.input[0], r.node.input[1] if len(r.node.input) > 1 else "", axis)


@_before(21, "GroupNormalization")
def _group_norm(r: _Rewriter) -> None:
    """Scale and bias were one a group; they are one a channel now."""
    groups = helper.get_attribute_value(r.attributes["num_groups"])
    shape = r.shapes.get(r.node.input[0], (None, None))
    channels = shape[1] if len(shape) > 1 else None
    if channels is None:
        raise r.refuse("the number of channels is unknown: expected an input whose axis 1 is fixed")
    column, table, flat = (
        r.ints("column", [groups, 1]),
        r.ints("table", [groups, channels // groups]),
        r.ints("flat", [-1]),
    )
    names = [r.node.input[0]]
    for name in r.node.input[1:]:
        label = f"{r.node.output[0]}/{name}"
        r.made.append(helper.make_node("Reshape", [name, column], [f"{label}/column"]))
        r.made.append(helper.make_node("Expand", [f"{label}/column", table], [f"{label}/table"]))
        r.made.append(helper.make_node("Reshape", [f"{label}/table", flat], [f"{label}/flat"]))
        names.append(f"{label}/flat")
    r.inputs(*names)


@_before(9, "Scan")
def _scan_of_batches(r: _Rewriter) -> None:
    """It scanned each element of a batch, along axis 1: a scan over the batch of scans."""
    if r.node.input[0]:
        raise r.refuse("has sequences of different lengths: expected none, got sequence_lens. Convert it to opset 9")
    body, count, directions = r.take("body"), r.take("num_scan_inputs"), r.take("directions")
    names = list(r.node.input[1:])
    outer = GraphProto(name=f"{r.node.output[0]}/batch")
    label = f"{r.node.output[0]}/sample"
    inner = helper.make_node(
        "Scan",
        [f"{label}/{i}" for i in range(len(names))],
        [f"{label}/output{i}" for i in range(len(body.output))],
        body=body,
        num_scan_inputs=count,
        scan_input_directions=list(directions or [0] * count),
    )
    outer.node.append(inner)
    for values, infos, made in ((inner.input, body.input, outer.input), (inner.output, body.output, outer.output)):
        for name, info in zip(values, infos, strict=True):
            made.append(helper.make_tensor_value_info(name, info.type.tensor_type.elem_type, None))
    r.inputs(*names)
    r.set("body", outer)
    r.set("num_scan_inputs", len(names))
