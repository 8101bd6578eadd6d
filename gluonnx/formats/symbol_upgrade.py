"""What MXNet 1.9.1 changes in a graph that an older version wrote, as a transform of plain records.

    before 1.9.1   `lr_mult` and its kind become `__lr_mult__`; on an operator, `weight_lr_mult` moves to the variable
                   that is its input `weight`
    before 0.9.5   `axis` -1 of argmax and argmin meant all axes: dropped
    before 0.9.4   running statistics and PReLU slopes get their `__init__`
    before 0.9.0   inputs that the text leaves out (auxiliary states, mostly) become variables, with the attributes of
                   their operator

Only the graph itself is upgraded, not its subgraphs: what has subgraphs is too new to need it.

Source: what MXNet 1.9.1 gives for graphs of each version (tests/golden/make_files.py); its src/nnvm/legacy_json_util.cc
defines it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TypeAlias

from gluonnx.formats.symbol_json import MXNET_VERSION, VARIABLE, EntryRecord, GraphRecord, NodeRecord

__all__ = ["InputNames", "upgrade_graph"]

InputNames: TypeAlias = Callable[[str, Mapping[str, str]], Sequence[str] | None]
"""Names of all inputs of an operator with these attributes, parameters and auxiliary states too, as MXNet spells them
(`data`, `gamma`, `beta`, `moving_mean`, `moving_var`); None for an operator that is not known."""

HIDDEN_KEYS = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage")

_ZERO, _ONE, _QUARTER = '["zero", {}]', '["one", {}]', '["Constant", {"value": 0.25}]'
_BATCH_NORM = {"moving_mean": _ZERO, "moving_var": _ONE}
_INIT_OF_INPUT = {
    "BatchNorm": _BATCH_NORM,
    "BatchNorm_v1": _BATCH_NORM,
    "IdentityAttachKLSparseReg": {"moving_avg": _ZERO},
    "LeakyReLU": {"gamma": _QUARTER},
}


def upgrade_graph(graph: GraphRecord, input_names: InputNames) -> GraphRecord:
    """Give the graph MXNet 1.9.1 would have after loading this one, with its version; one of that version is kept.

    Args:
        graph: As parsed. It is not changed.
        input_names: What the operator table knows of an operator.
    """
    version = graph.version
    if version >= MXNET_VERSION:
        return graph
    attrs = [dict(node.attrs) for node in graph.nodes]
    _rename_hidden_keys(graph.nodes, attrs, input_names)
    if version < 905:
        _drop_argmax_axis(graph.nodes, attrs)
    nodes = [replace(node, attrs=new) for node, new in zip(graph.nodes, attrs, strict=True)]
    graph = replace(graph, nodes=tuple(nodes), attrs={"mxnet_version": ("int", MXNET_VERSION)})
    if version < 900:
        graph = _add_missing_inputs(graph, input_names)
    if version < 904:
        graph = _set_initializers(graph, input_names)
    return graph


def _rename_hidden_keys(nodes: Sequence[NodeRecord], attrs: list[dict[str, str]], input_names: InputNames) -> None:
    for node, own in zip(nodes, attrs, strict=True):
        # The names are asked for with the attributes that are the operator's own.
        moving = {name: own.pop(name) for name in list(own) if name.endswith(HIDDEN_KEYS)}
        names: Sequence[str] | None = None
        for name, text in moving.items():
            key = next(key for key in HIDDEN_KEYS if name.endswith(key))
            if name == key:
                own[f"__{key}__"] = text
                continue
            if names is None and not node.is_variable:
                names = input_names(node.op, dict(own)) or ()
            owner = _variable_input(node, names or (), name.removesuffix(key), nodes)
            if owner is None:
                own[name] = text
            else:
                attrs[owner][f"__{key}__"] = text


def _variable_input(node: NodeRecord, names: Sequence[str], prefix: str, nodes: Sequence[NodeRecord]) -> int | None:
    """The id of the variable that is the input called `prefix` (which ends in an underscore), if it is one."""
    if not prefix.endswith("_") or prefix[:-1] not in names:
        return None
    place = list(names).index(prefix[:-1])
    if place >= len(node.inputs) or not nodes[node.inputs[place].node].is_variable:
        return None
    return node.inputs[place].node


def _drop_argmax_axis(nodes: Sequence[NodeRecord], attrs: list[dict[str, str]]) -> None:
    for node, own in zip(nodes, attrs, strict=True):
        if node.op in {"argmax", "argmin"} and own.get("axis") == "-1":
            del own["axis"]


def _add_missing_inputs(graph: GraphRecord, input_names: InputNames) -> GraphRecord:
    """Put a variable for each missing input right before its user, and renumber."""
    nodes: list[NodeRecord] = []
    number: list[int] = []  # the new id of each old node
    for node in graph.nodes:
        inputs = [entry._replace(node=number[entry.node]) for entry in node.inputs]
        names = () if node.is_variable else input_names(node.op, node.attrs) or ()
        for name in names[len(inputs) :]:
            inputs.append(EntryRecord(len(nodes)))
            nodes.append(NodeRecord(VARIABLE, f"{node.name}_{name}" if node.name else name, dict(node.attrs)))
        number.append(len(nodes))
        control_deps = tuple(number[dep] for dep in node.control_deps)
        nodes.append(replace(node, inputs=tuple(inputs), control_deps=control_deps))
    heads = tuple(entry._replace(node=number[entry.node]) for entry in graph.heads)
    return _numbered(replace(graph, heads=heads), nodes, number)


def _numbered(graph: GraphRecord, nodes: list[NodeRecord], number: Sequence[int]) -> GraphRecord:
    """Give `graph` these nodes, with the ids of variables and outputs that follow from them."""
    row_ptr = graph.node_row_ptr
    if row_ptr is not None and len(row_ptr) == len(number) + 1:
        counts = [1] * len(nodes)  # an added variable has one output
        for old, new in enumerate(number):
            counts[new] = row_ptr[old + 1] - row_ptr[old]
        row_ptr = (0, *accumulate(counts))
    elif len(nodes) != len(number):
        row_ptr = None
    arg_nodes = tuple(i for i, node in enumerate(nodes) if node.is_variable)
    return replace(graph, nodes=tuple(nodes), arg_nodes=arg_nodes, node_row_ptr=row_ptr)


def _set_initializers(graph: GraphRecord, input_names: InputNames) -> GraphRecord:
    nodes = list(graph.nodes)
    for node in graph.nodes:
        inits = _INIT_OF_INPUT.get(node.op)
        names = (input_names(node.op, node.attrs) or ()) if inits else ()
        for name, entry in zip(names, node.inputs, strict=False):
            owner = nodes[entry.node]
            if inits and name in inits and owner.is_variable and "__init__" not in owner.attrs:
                nodes[entry.node] = replace(owner, attrs={**owner.attrs, "__init__": inits[name]})
    return replace(graph, nodes=tuple(nodes))
