"""`autograd.get_symbol`: the recorded graph of an array as a Symbol."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from gluonnx.errors import InputTypeError, MXNetError, NotSupportedError
from gluonnx.ndarray import indexing
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.origin import OPAQUE, OUTPUT, VARIABLE, Origin
from gluonnx.ndarray.register import Bound
from gluonnx.ndarray.sparse_array import BaseSparseNDArray
from gluonnx.ops.attributes import to_text
from gluonnx.ops.table import TABLE, Operator
from gluonnx.symbol.graph import Entry, Node, topological
from gluonnx.symbol.symbol import Symbol

__all__ = ["get_symbol"]

_count_variables = itertools.count()
_count_nodes = itertools.count()


def get_symbol(x: NDArray) -> Symbol:
    """Return the graph that an array was computed by inside `record`.

    Its arguments are named `var<n>` for variables (`attach_grad`) and `null<n>` for other arrays, its nodes
    `node_<n>`; an array has the same argument in every symbol.

    Differs: a call of a hybridized block gives the operators inside it, where MXNet gives one node `_CachedOp` that
        nothing can run. Indexing gives `slice` and `squeeze` (MXNet: `slice` and `Reshape`). Gradients, calls of
        Functions and indexing with arrays are no operators here: a graph with one is an error.

    Args:
        x: An array that `record` has tracked and no `backward` has gone through.

    Raises:
        MXNetError: The array is in no recorded graph.
        NotSupportedError: Something that is no operator is part of the graph.

    Examples:
        >>> from gluonnx import autograd, nd
        >>> x = nd.ones(2)
        >>> x.attach_grad()
        >>> with autograd.record():
        ...     y = nd.FullyConnected(x.reshape((1, 2)), nd.ones((3, 2)), no_bias=True, num_hidden=3) * 2
        >>> graph = autograd.get_symbol(y)
        >>> len(graph.list_arguments()), [s.name[:3] for s in graph.get_internals()]
        (2, ['var', 'nod', 'nul', 'nod', 'nod'])
    """
    if not isinstance(x, NDArray):
        raise InputTypeError(f"autograd.get_symbol: wrong type: expected an NDArray, got {type(x).__name__}.")
    tensor = x._s.graph if isinstance(x, BaseSparseNDArray) else x._t
    made = x._origin()
    is_variable = isinstance(made, Origin) and made.kind == VARIABLE
    if not is_variable and (tensor is None or not tensor.requires_grad):
        raise MXNetError(
            "autograd.get_symbol: the array is not part of a recorded graph: expected an array computed inside "
            "`with autograd.record():` from a variable, which no backward has gone through, got another."
        )
    return Symbol([_entries(made)])


def _entries(made: Any) -> Entry:
    """Return the output of a graph that stands for a record; walks without recursion, since graphs are deep."""
    done: dict[int, list[Entry]] = {}
    stack = [made]
    while stack:
        record = stack[-1]
        if id(record) in done:
            stack.pop()
            continue
        if isinstance(record, Origin):
            done[id(record)] = [(_variable(record), 0)]
            stack.pop()
            continue
        parents = _parents(record)
        missing = [p for p in reversed(parents) if id(p) not in done]
        if missing:
            stack.extend(missing)
            continue
        if record[0] is OUTPUT:
            done[id(record)] = [done[id(record[1])][record[2]]]
        else:
            done[id(record)] = _outputs(record, [done[id(p)][0] for p in parents])
        stack.pop()
    return done[id(made)][0]


def _parents(record: tuple[Any, ...]) -> list[Any]:
    return [p for p in record[1:] if isinstance(p, Origin) or (isinstance(p, tuple) and _is_record(p))]


def _is_record(value: tuple[Any, ...]) -> bool:
    return bool(value) and not isinstance(value[0], (int, slice))  # the key of an index is a tuple too


def _variable(origin: Origin) -> Node:
    if origin.kind == OPAQUE:
        raise _no_operator("an array that no operator has made (a gradient, or a tensor of torch)")
    if origin.node is None:
        origin.node = Node(None, f"{origin.kind}{next(_count_variables)}")
    node: Node = origin.node
    return node


def _outputs(record: tuple[Any, ...], inputs: list[Entry]) -> list[Entry]:
    """Return the outputs of the node that stands for a record, or of the nodes."""
    maker = record[0]
    if isinstance(maker, Operator):
        scalar = record[-1] if isinstance(record[-1], float) else None
        return _node(maker, inputs, {} if scalar is None else {"scalar": scalar})
    if isinstance(maker, Bound):
        attrs = {name: maker.parsed[name] for name in maker.given if name in maker.parsed}
        if maker.op.is_open:
            attrs = dict(maker.parsed)
        return _node(maker.op, inputs, attrs)
    if isinstance(maker, functools.partial):
        attrs = {name: value for name, value in maker.keywords.items() if name == "shape" or value}
        return _node(TABLE["Reshape"], inputs, attrs)
    if maker is indexing.read:
        return _indexed(record[2], record[3], inputs)
    if isinstance(maker, type):
        raise _no_operator(f"a call of the Function {maker.__name__}")
    return _inlined(maker.heads, [*maker.input_names, *maker.parameters], inputs)


def _node(op: Operator, inputs: Sequence[Entry], attrs: Mapping[str, Any]) -> list[Entry]:
    texts = {name: to_text(value) for name, value in attrs.items()}
    if op.count_attribute is not None:
        texts[op.count_attribute] = str(len(inputs))
    node = Node(op, f"node_{next(_count_nodes)}", inputs, texts)
    return [(node, i) for i in range(node.output_count)]


def _indexed(key: Any, rank: int, inputs: list[Entry]) -> list[Entry]:
    if key is None:
        raise _no_operator("indexing with arrays, negative steps, `...` or None")
    parts = key if isinstance(key, tuple) else (key,)
    begin, end, step = [], [], []
    for part in parts:
        if isinstance(part, slice):
            begin.append(part.start)
            end.append(part.stop)
            step.append(part.step)
        else:
            begin.append(part)
            end.append(None if part == -1 else part + 1)
            step.append(None)
    attrs = {"begin": tuple(begin), "end": tuple(end)}
    if any(s is not None for s in step):
        attrs["step"] = tuple(step)
    result = _node(TABLE["slice"], inputs, attrs)
    gone = tuple(axis for axis, part in enumerate(parts) if isinstance(part, int))
    if gone and len(gone) == rank:  # an index that leaves no axis gives shape (1,)
        return _node(TABLE["Reshape"], result, {"shape": (1,)}) if rank > 1 else result
    return _node(TABLE["squeeze"], result, {"axis": gone}) if gone else result


def _inlined(heads: Sequence[Entry], names: Sequence[str], inputs: Sequence[Entry]) -> list[Entry]:
    """Return the outputs of a graph whose variables are given."""
    given = dict(zip(names, inputs, strict=True))
    made: dict[int, Node] = {}

    def entry(old: Entry) -> Entry:
        node, index = old
        return given[node.name] if node.is_variable else (made[id(node)], index)

    for node in topological(heads):
        if not node.is_variable:
            made[id(node)] = Node(node.op, node.name, [entry(e) for e in node.inputs], node.attrs, node.annotations)
    return [entry(head) for head in heads]


def _no_operator(what: str) -> NotSupportedError:
    return NotSupportedError(
        f"autograd.get_symbol: the recorded graph has a part that is no operator: expected operators, got {what}."
    )
