"""Subgraphs of operators: what their shapes and dtypes tell of the operator's inputs, and the other way round."""

from collections.abc import Callable, Mapping, Sequence

from gluonnx.errors import GraphError, InputError
from gluonnx.ops.table import Wiring
from gluonnx.symbol.graph import Entry, Node, Subgraph, topological
from gluonnx.symbol.partial import UNKNOWN, Partial, show

FindShapes = Callable[[Subgraph, Wiring, Mapping[str, Partial]], Callable[[Entry], Partial | None]]
"""Infers a subgraph from the known shapes of its variables; gives what it found of an entry."""
FindDtypes = Callable[[Sequence[Entry], Mapping[str, str]], Callable[[Entry], str | None]]
"""Infers a graph from the known dtypes of its variables."""


def wired(node: Node) -> list[tuple[Subgraph, Wiring]]:
    """Return the subgraphs of a node with their wirings."""
    assert node.op is not None
    return list(zip(node.subgraphs, node.op.wirings(node.typed), strict=True))


def check_subgraphs(node: Node) -> None:
    """Raise unless a node has the subgraphs that its operator needs, and they fit its inputs and outputs.

    Raises:
        GraphError: The number of subgraphs, inputs or outputs is wrong, or two inputs of a subgraph share a name.
    """
    assert node.op is not None
    where, names = f"{node.op.name} `{node.name}`", node.op.subgraphs
    if len(node.subgraphs) != len(names):
        raise GraphError(
            f"{where}: wrong number of subgraphs: expected {len(names)} ({', '.join(names) or 'none'}), "
            f"got {len(node.subgraphs)}."
        )
    for name, (subgraph, wiring) in zip(names, wired(node), strict=True):
        inputs = subgraph.input_names
        if len(set(inputs)) != len(inputs):
            raise GraphError(
                f"{where}: inputs of the subgraph share a name: expected unique names, got {', '.join(inputs)}."
            )
        if len(inputs) != len(wiring.inputs) or len(subgraph.heads) != len(wiring.outputs):
            raise GraphError(
                f"{where}: subgraph `{name}` does not fit: expected {len(wiring.inputs)} inputs and "
                f"{len(wiring.outputs)} outputs, got {len(inputs)} and {len(subgraph.heads)}."
            )
        places = [*wiring.sliced, *(place for _, place in wiring.states)]
        if max(wiring.inputs, default=0) >= len(node.inputs) or not all(0 <= p < len(inputs) for p in places):
            raise GraphError(
                f"{where}: subgraph `{name}` reads inputs that are not there: expected {len(node.inputs)}, "
                f"got positions {list(wiring.inputs)}."
            )


def spread_shapes(
    node: Node, inputs: Sequence[Partial | None], outputs: Sequence[Partial | None], find: FindShapes
) -> tuple[list[Partial | None], list[Partial | None]]:
    """Return what is known of the shapes of a node's inputs and outputs once its subgraphs are asked.

    Args:
        node: A node with subgraphs.
        inputs: Shapes of its inputs, -1 for an unknown dimension, None for an unknown rank.
        outputs: Shapes of its outputs.
        find: Infers the shapes of a subgraph.

    Raises:
        InputError: Shapes that must be one differ.
    """
    ins, outs = list(inputs), list(outputs)
    for subgraph, wiring in wired(node):
        names, nodes = subgraph.input_names, _variables(subgraph)
        length = UNKNOWN if wiring.length is None else wiring.length
        if wiring.length is None:
            axes = [ins[wiring.inputs[p]] for p in wiring.sliced] + [outs[wiring.outputs[o]] for o in wiring.stacked]
            length = max((s[0] for s in axes if s), default=UNKNOWN)
        known: dict[str, Partial] = {}
        for place, name in enumerate(names):
            shape = ins[wiring.inputs[place]]
            if shape is not None:
                known[name] = wiring.inner_shape(place, shape)
        for output, place in wiring.states:
            last = outs[wiring.outputs[output]]
            if last is not None:
                known[names[place]] = _merged(node, known.get(names[place]), last)
        while True:
            found = find(subgraph, wiring, known)
            told = dict(known)
            for output, place in wiring.states:
                shape = found(subgraph.heads[output])
                if shape is not None:
                    told[names[place]] = _merged(node, told.get(names[place]), shape)
            if told == known:
                break
            known = told
        for place, variable in enumerate(nodes):
            shape, position = found(variable), wiring.inputs[place]
            if shape is None:
                continue
            before = ins[position]
            if place not in wiring.sliced:
                ins[position] = _merged(node, before, shape)
            elif before is not None and len(before) == 1:
                ins[position] = _merged(node, before, (length,))
            elif before is not None or shape != (1,):  # (1,) is the shape of an element of a vector and of a column
                ins[position] = _merged(node, before, (length, *shape))
        for output, head in enumerate(subgraph.heads):
            shape, position = found(head), wiring.outputs[output]
            if shape is not None and position >= 0:
                whole = (length, *shape) if output in wiring.stacked else shape
                outs[position] = _merged(node, outs[position], whole)
    return ins, outs


def spread_dtypes(
    node: Node, inputs: Sequence[str | None], outputs: Sequence[str | None], find: FindDtypes
) -> tuple[list[str | None], list[str | None]]:
    """Return what is known of the dtypes of a node's inputs and outputs once its subgraphs are asked.

    Args:
        node: A node with subgraphs.
        inputs: Canonical dtype names of its inputs, None where unknown.
        outputs: The same of its outputs.
        find: Infers the dtypes of a subgraph.
    """
    ins, outs = list(inputs), list(outputs)
    for subgraph, wiring in wired(node):
        names, nodes = subgraph.input_names, _variables(subgraph)
        known = {name: dtype for name, i in zip(names, wiring.inputs, strict=True) if (dtype := ins[i]) is not None}
        for output, place in wiring.states:
            last = outs[wiring.outputs[output]]
            if last is not None:
                known.setdefault(names[place], last)
        found = find(subgraph.heads, known)
        for output, place in wiring.states:
            dtype = found(subgraph.heads[output])
            if dtype is not None and names[place] not in known:
                known[names[place]] = dtype
                found = find(subgraph.heads, known)
        for variable, i in zip(nodes, wiring.inputs, strict=True):
            ins[i] = ins[i] or found(variable)
        for head, i in zip(subgraph.heads, wiring.outputs, strict=True):
            if i >= 0:
                outs[i] = outs[i] or found(head)
    return ins, outs


def input_versions(nodes: Sequence[Node]) -> list[Sequence[int]]:
    """Return, for each node of a graph, how often its inputs have been written to when it has read them."""
    writes: dict[int, int] = {}
    found: list[Sequence[int]] = []
    for node in nodes:
        for place in () if node.op is None else node.op.auxiliary_positions(node.typed):
            source = node.inputs[place][0]
            writes[id(source)] = writes.get(id(source), 0) + 1
        if node.versions is not None:
            found.append(node.versions)
        else:
            found.append(_writes_inside(node) or [writes.get(id(n), 0) for n, _ in node.inputs])
    return found


def _writes_inside(node: Node) -> list[int]:
    """How often the subgraphs of a node write to each of its inputs; empty for a node without subgraphs."""
    if not node.subgraphs:
        return []
    writes = [0] * len(node.inputs)
    for subgraph, wiring in wired(node):
        readers = dict(zip(subgraph.input_names, wiring.inputs, strict=True))
        for inner in topological(subgraph.heads):
            for place in () if inner.op is None else inner.op.auxiliary_positions(inner.typed):
                source = inner.inputs[place][0]
                if source.is_variable:
                    writes[readers[source.name]] += 1
    return writes


def _variables(subgraph: Subgraph) -> list[Entry]:
    return [(n, 0) for n in topological(subgraph.heads) if n.is_variable]


def _merged(node: Node, first: Partial | None, second: Partial) -> Partial:
    if first is None:
        return second
    if len(first) == len(second) and all(a == b or UNKNOWN in (a, b) for a, b in zip(first, second, strict=True)):
        return tuple(b if a == UNKNOWN else a for a, b in zip(first, second, strict=True))
    assert node.op is not None
    raise InputError(
        f"{node.op.name} `{node.name}`: shapes are inconsistent: expected {show(first)}, got {show(second)}."
    )
