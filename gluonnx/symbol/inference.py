"""Shapes and dtypes of a graph, found by running each operator's torch function on meta tensors."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from gluonnx.errors import InputError, MXNetError
from gluonnx.ops.dtypes import BY_TORCH, DTYPES, torch_dtype
from gluonnx.ops.table import Operator
from gluonnx.symbol.graph import Entry, Node, topological

Shape = tuple[int, ...]
Kind = tuple[Shape, str]
"""Shape and canonical dtype name."""

KEPT_ANSWERS = 4096
"""Calls of operators (attributes, shapes and dtypes of the inputs) whose outputs are remembered."""


@dataclass(slots=True)
class Inference:
    """What is known of a graph.

    Attributes:
        shapes: Shape of each (node id, output index) that could be found.
        dtypes: Canonical dtype name, likewise.
        unknown: Names of the variables whose shape could not be found.
    """

    shapes: dict[tuple[int, int], Shape]
    dtypes: dict[tuple[int, int], str]
    unknown: list[str]

    def shape(self, entry: Entry) -> Shape | None:
        """Shape of an entry, None if unknown."""
        return self.shapes.get((id(entry[0]), entry[1]))

    def dtype(self, entry: Entry) -> str | None:
        """Canonical dtype name of an entry, None if unknown."""
        return self.dtypes.get((id(entry[0]), entry[1]))


def is_known(shape: Sequence[int] | None) -> bool:
    """Whether every dimension is known (MXNet writes 0 or -1 for an unknown one)."""
    return shape is not None and all(d > 0 for d in shape)


def infer(
    heads: Sequence[Entry],
    shapes: Mapping[str, Shape],
    dtypes: Mapping[str, str] | None = None,
    *,
    default_dtype: str = "float32",
) -> Inference:
    """Infer shapes and dtypes of every entry from those of some variables.

    Shapes of parameters follow from the operators' parameter rules, the dtype of a parameter from the operator's first
    input.

    Args:
        heads: Outputs of the graph.
        shapes: Known shapes by variable name. A shape with unknown dimensions (0) is completed by a parameter rule.
        dtypes: Known canonical dtype names by variable name.
        default_dtype: Dtype of a variable that nothing determines.

    Raises:
        InputError: An operator does not take the shapes that reach it; names the node.
    """
    dtypes = dtypes or {}
    found = Inference({}, {}, [])
    for node in topological(heads):
        if node.op is None:
            shape = shapes.get(node.name)
            declared = node.annotations.get("__shape__")
            if shape is None and declared is not None:
                shape = _parse_declared_shape(declared)
            if shape is not None and is_known(shape):
                found.shapes[id(node), 0] = tuple(shape)
            elif shape == () and node.name in shapes:
                found.shapes[id(node), 0] = ()
            elif shape is not None and node.name in shapes and all(d >= 0 for d in shape) and 0 not in shape:
                found.shapes[id(node), 0] = tuple(shape)
            dtype = dtypes.get(node.name) or _declared_dtype(node)
            if dtype is not None:
                found.dtypes[id(node), 0] = dtype
            continue
        _infer_node(node, found, default_dtype)
    for node in topological(heads):
        if node.is_variable:
            if (id(node), 0) not in found.shapes:
                found.unknown.append(node.name)
            found.dtypes.setdefault((id(node), 0), default_dtype)
    return found


def infer_dtypes(
    heads: Sequence[Entry], dtypes: Mapping[str, str], *, default_dtype: str = "float32"
) -> dict[tuple[int, int], str]:
    """Infer the dtype of every entry without knowing shapes.

    A variable that nothing determines takes the dtype of the first known input of its operator, then `default_dtype`;
    an operator's outputs take the dtype of its `dtype` attribute if it has one, else of its first input.
    """
    found: dict[tuple[int, int], str] = {}
    nodes = topological(heads)
    for node in nodes:
        if node.op is None:
            dtype = dtypes.get(node.name) or _declared_dtype(node)
            if dtype is not None:
                found[id(node), 0] = dtype
            continue
        known = next((found[id(n), i] for n, i in node.inputs if (id(n), i) in found), default_dtype)
        for source, index in node.inputs:
            found.setdefault((id(source), index), known)
        first = found[id(node.inputs[0][0]), node.inputs[0][1]] if node.inputs else default_dtype
        declared = node.typed.get("dtype")
        for index in range(node.output_count):
            found[id(node), index] = declared or first
    for node in nodes:
        if node.is_variable:
            found.setdefault((id(node), 0), default_dtype)
    return found


def _infer_node(node: Node, found: Inference, default_dtype: str) -> None:
    op = node.op
    assert op is not None
    active = op.active_inputs(node.typed, len(node.inputs))
    first_dtype = next((d for e in node.inputs if (d := found.dtype(e)) is not None), default_dtype)
    if op.has_parameter_rule:
        known = {spec.name: found.shape(entry) for spec, entry in zip(active, node.inputs, strict=False)}
        if any(s is None for s in known.values()):
            rule = op.parameter_shapes(known, node.typed)
            for spec, (source, index) in zip(active, node.inputs, strict=False):
                if known[spec.name] is None and spec.name in rule and source.is_variable:
                    found.shapes[id(source), index] = tuple(rule[spec.name])
    for source, index in node.inputs:
        if source.is_variable:
            found.dtypes.setdefault((id(source), index), first_dtype)
    inputs = [found.shape(e) for e in node.inputs]
    if any(s is None for s in inputs):
        return
    kinds = tuple(
        (s, found.dtype(e) or default_dtype) for s, e in zip(inputs, node.inputs, strict=True) if s is not None
    )
    for index, (shape, dtype) in enumerate(_infer_outputs(node, op, kinds)):
        found.shapes[id(node), index] = shape
        found.dtypes[id(node), index] = dtype


def _infer_outputs(node: Node, op: Operator, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Return shape and dtype of each output, without auxiliary states, from those of the inputs.

    Raises:
        InputError: The operator does not take these shapes; names the node and the shapes.
    """
    try:
        return _run_on_meta(op, tuple(node.attrs.items()), kinds)[: node.output_count]
    except (RuntimeError, ValueError, IndexError, TypeError) as err:
        if isinstance(err, MXNetError) and not isinstance(err, InputError):
            raise
        given = ", ".join(str(shape) for shape, _ in kinds)
        raise InputError(f"{op.name} `{node.name}`: does not take inputs of shapes {given}: {err}") from err


@functools.lru_cache(maxsize=KEPT_ANSWERS)
def _run_on_meta(op: Operator, attrs: tuple[tuple[str, str], ...], kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Run an operator's torch function on meta tensors; a graph asks the same again and again, and it is slow."""
    tensors = [torch.empty(shape, dtype=torch_dtype(dtype), device="meta") for shape, dtype in kinds]
    runtime: dict[str, object] = {}
    if "training" in op.runtime:
        runtime["training"] = False
    if "generator" in op.runtime:
        runtime["generator"] = None
    if "device" in op.runtime:
        runtime["device"] = torch.device("meta")
    with torch.no_grad():
        result = op.forward(*tensors, **op.parse(dict(attrs)), **runtime)
    outputs = result if isinstance(result, (tuple, list)) else (result,)
    return tuple((tuple(t.shape), BY_TORCH[t.dtype].name) for t in outputs if t is not None)


def _parse_declared_shape(text: str) -> Shape:
    return tuple(int(part) for part in text.strip("()[] ").split(",") if part.strip())


def _declared_dtype(node: Node) -> str | None:
    flag = node.annotations.get("__dtype__")
    if flag is None:
        return None
    return next((d.name for d in DTYPES if str(d.flag) == flag), None)
