"""Graphs as symbol-json text, and back."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluonnx.errors import FormatError, MXNetError
from gluonnx.formats.symbol_json import (
    MXNET_VERSION,
    EntryRecord,
    GraphAttr,
    GraphRecord,
    NodeRecord,
    parse_symbol_json,
    read_symbol_json,
    write_symbol_json,
)
from gluonnx.formats.symbol_upgrade import upgrade_graph
from gluonnx.ops.foreign import find_operator
from gluonnx.symbol.bodies import check_subgraphs, input_versions
from gluonnx.symbol.graph import Entry, Node, Subgraph, topological
from gluonnx.symbol.symbol import Symbol
from gluonnx.util import is_np_shape


def dumps(heads: Sequence[Entry]) -> str:
    """Return a graph as the text that MXNet 1.9.1 writes for it."""
    attrs: dict[str, GraphAttr] = {"mxnet_version": ("int", MXNET_VERSION)}
    if is_np_shape():
        attrs["is_np_shape"] = ("int", 1)
    return write_symbol_json(_record(heads, attrs))


def _record(heads: Sequence[Entry], attrs: dict[str, GraphAttr]) -> GraphRecord:
    nodes = topological(heads)
    position = {id(n): i for i, n in enumerate(nodes)}
    records = []
    row_ptr = [0]
    for node, versions in zip(nodes, input_versions(nodes), strict=True):
        records.append(
            NodeRecord(
                op="null" if node.op is None else node.op.name,
                name=node.name,
                attrs={**node.attrs, **node.annotations},
                inputs=tuple(
                    EntryRecord(position[id(n)], i, version)
                    for (n, i), version in zip(node.inputs, versions, strict=True)
                ),
                subgraphs=tuple(_record(subgraph.heads, {}) for subgraph in node.subgraphs),
            )
        )
        unread = 0 if node.op is None else node.op.unread_outputs(node.typed)
        row_ptr.append(row_ptr[-1] + node.output_count + unread)
    return GraphRecord(
        nodes=tuple(records),
        heads=tuple(EntryRecord(position[id(n)], i, 0) for n, i in heads),
        arg_nodes=tuple(i for i, n in enumerate(nodes) if n.is_variable),
        node_row_ptr=tuple(row_ptr),
        attrs=attrs,
    )


def load(fname: str | os.PathLike[str]) -> Symbol:
    """Read a symbol-json file of any era.

    Raises:
        FormatError: Not symbol-json, or it names an operator or attribute that does not exist.
    """
    return _build(read_symbol_json(fname), str(Path(fname)))


def load_json(json_str: str) -> Symbol:
    """Read symbol-json text of any era; see `load`.

    Raises:
        TypeError: `json_str` is not a string.
    """
    if not isinstance(json_str, str):
        raise TypeError(f"sym.load_json: wrong argument: expected a str, got {type(json_str).__name__}.")
    return _build(parse_symbol_json(json_str, "symbol-json"), "symbol-json")


def _input_names(name: str, attrs: Mapping[str, str]) -> list[str] | None:
    """Names of all inputs of an operator with these attributes, None if it is not known or they are not its own."""
    op = find_operator(name)
    if op is None:
        return None
    try:
        typed = op.parse(
            {k: v for k, v in attrs.items() if k in op.attributes or (op.is_open and not _is_annotation(k))}
        )
        if op.is_open:
            return [spec.name for spec in op.active_inputs(typed)]
        count = op.input_count(attrs)
    except MXNetError:
        return None
    return [spec.name for spec in op.active_inputs(typed, count)]


def _build(record: GraphRecord, where: str) -> Symbol:
    record = upgrade_graph(record, _input_names)
    is_old_text = is_np_shape() and "is_np_shape" not in record.attrs
    return Symbol(_heads(record, where, is_old_text))


def _heads(record: GraphRecord, where: str, is_old_text: bool) -> list[Entry]:
    nodes: list[Node] = []
    for index, node in enumerate(record.nodes):
        if node.is_variable:
            notes = dict(node.attrs)
            if is_old_text and "__shape__" in notes:
                notes["__shape__"] = _with_unknown_as_minus_one(notes["__shape__"])
            nodes.append(Node(None, node.name, annotations=notes))
            continue
        op = find_operator(node.op)
        if op is None:
            raise FormatError(
                f"{where}: unknown operator: got op={node.op!r} at nodes[{index}] `{node.name}`. "
                "docs/operators.md lists the operators there are."
            )
        attrs = {k: v for k, v in node.attrs.items() if k in op.attributes or not _is_annotation(k)}
        notes = {k: v for k, v in node.attrs.items() if k not in attrs}
        inputs = [(nodes[e.node], e.output) for e in node.inputs]
        subgraphs = [
            Subgraph(_heads(inner, f"{where}: nodes[{index}] `{node.name}`: subgraphs[{k}]", is_old_text))
            for k, inner in enumerate(node.subgraphs)
        ]
        try:
            built = Node(op, node.name, inputs, attrs, notes, [e.version for e in node.inputs], subgraphs)
            op.check_count(len(inputs), built.typed)
            check_subgraphs(built)
        except MXNetError as err:
            raise FormatError(f"{where}: nodes[{index}] `{node.name}`: {err}") from err
        for source, output in inputs:
            if output >= source.output_count:
                raise FormatError(
                    f"{where}: nodes[{index}] `{node.name}`: no such output: `{source.name}` has "
                    f"{source.output_count}, got output index {output}."
                )
        nodes.append(built)
    for entry in record.heads:
        if entry.output >= nodes[entry.node].output_count:
            raise FormatError(
                f"{where}: heads: no such output: `{nodes[entry.node].name}` has {nodes[entry.node].output_count}, "
                f"got output index {entry.output}."
            )
    return [(nodes[e.node], e.output) for e in record.heads]


def _with_unknown_as_minus_one(shape: str) -> str:
    """Rewrite a shape of a text without NumPy semantics, in which 0 is unknown."""
    return re.sub(r"\b0\b", "-1", shape)


def _is_annotation(key: str) -> bool:
    return key.startswith("__") and key.endswith("__")
