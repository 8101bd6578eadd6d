"""How large a model may become: what a file of few bytes could ask for is refused before anything is made of it."""

from collections import Counter
from collections.abc import Iterable

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

from gluonnx.errors import FormatError
from gluonnx.ops.foreign.table import MAX_OUTPUTS

MAX_FUNCTION_DEPTH = 64
"""Functions that call functions; exporters write about 10."""
MAX_EXPANDED_NODES = 1 << 18
"""Nodes of a model whose functions stand where they are called; networks of a thousand layers have about 20,000."""
EXPANDED_ROOM_BYTES = 128 << 20
"""Size of their nodes that is always justified."""
EXPANDED_FACTOR = 16
"""How many times as large as the functions their calls may be beyond that."""

MAX_FOLLOWED = 1 << 16
"""Longest vector of a model in which the elements of vectors are followed; those that shapes are made of have few."""

Key = tuple[str, str, str]


def check_functions(model: ModelProto, where: str) -> None:
    """Raise unless the functions of a model can be put where they are called.

    A function that calls two others, which call two others, is a file of a kilobyte and a graph of any size.

    Raises:
        FormatError: A function calls itself, at last; or the graph would be too large.

    Source: onnx docs/IR.md, "Functions" (recursion is not allowed).
    """
    if not model.functions:
        return
    functions = {(f.domain, f.name, f.overload): f for f in model.functions}
    calls = {key: _calls(function.node, functions) for key, function in functions.items()}
    sizes = {key: (len(function.node), function.ByteSize()) for key, function in functions.items()}
    expanded: dict[Key, tuple[int, int, int]] = {}
    for key in functions:
        _expand(key, calls, sizes, expanded, where)
    main = _calls(model.graph.node, functions)
    node_count = sum(count * expanded[key][0] for key, count in main.items())
    size_bytes = sum(count * expanded[key][1] for key, count in main.items())
    allowed_bytes = EXPANDED_ROOM_BYTES + EXPANDED_FACTOR * sum(size for _, size in sizes.values())
    if node_count > MAX_EXPANDED_NODES or size_bytes > allowed_bytes:
        raise FormatError(
            f"{where}: functions call too much: expected at most {MAX_EXPANDED_NODES} nodes and {allowed_bytes} bytes "
            f"where they are called, got {_shown(node_count)} nodes and {_shown(size_bytes)} bytes. The file is "
            "damaged, or was made to exhaust memory."
        )


def check_counts(model: ModelProto, where: str) -> None:
    """Raise where a node has more outputs than a graph keeps, or an attribute tells another number of them.

    Inference makes as many as are told, of a kilobyte each.

    Raises:
        FormatError: Names the node.
    """
    for nodes in (model.graph.node, *(f.node for f in model.functions)):
        for node in nodes_in(nodes):
            if len(node.output) >= MAX_OUTPUTS:
                raise FormatError(
                    f"{where}: {node.op_type} `{node.output[0]}`: too many outputs: expected fewer than {MAX_OUTPUTS}, "
                    f"got {len(node.output)}."
                )
            if node.op_type == "Split":
                for attribute in node.attribute:
                    if attribute.name == "num_outputs" and attribute.i != len(node.output):
                        raise FormatError(
                            f"{where}: Split `{next(iter(node.output), '')}`: expected num_outputs={len(node.output)}, "
                            f"as many as it has, got num_outputs={attribute.i}."
                        )


def is_followed(graph: GraphProto) -> bool:
    """Whether onnx's shape inference may follow the elements of vectors (`data_prop`) in a graph.

    It keeps a record for each element of each vector that arithmetic reads, of whatever length its type tells.

    Args:
        graph: Its shapes inferred without that.
    """
    for info in (*graph.input, *graph.value_info, *graph.output):
        dims = info.type.tensor_type.shape.dim
        if len(dims) == 1 and dims[0].dim_value > MAX_FOLLOWED:
            return False
    return True


def nodes_in(nodes: Iterable[NodeProto]) -> Iterable[NodeProto]:
    """Give nodes, and those of the graphs nested in them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes_of(attribute.g)
            for inner in attribute.graphs:
                yield from _nodes_of(inner)


def _nodes_of(graph: GraphProto) -> Iterable[NodeProto]:
    return nodes_in(graph.node)


def _calls(nodes: Iterable[NodeProto], functions: dict[Key, FunctionProto]) -> Counter[Key]:
    """Count the calls of functions."""
    keys = ((node.domain, node.op_type, node.overload) for node in nodes_in(nodes))
    return Counter(key for key in keys if key in functions)


def _expand(
    start: Key,
    calls: dict[Key, Counter[Key]],
    sizes: dict[Key, tuple[int, int]],
    expanded: dict[Key, tuple[int, int, int]],
    where: str,
) -> None:
    """Find the nodes, bytes and depth of a function and of all that it calls, with everything put in its place."""
    stack = [(start, iter(calls[start]))]
    path = {start}
    while stack:
        key, rest = stack[-1]
        called = next((k for k in rest if k not in expanded), None)
        if called is not None:
            if called in path:
                raise FormatError(
                    f"{where}: function `{called[1]}` calls itself: expected functions without recursion, got a call "
                    f"of it in `{key[1]}`. It is not valid ONNX."
                )
            stack.append((called, iter(calls[called])))
            path.add(called)
            continue
        stack.pop()
        path.remove(key)
        inner = [(count, expanded[k]) for k, count in calls[key].items()]
        depth = 1 + max((found[2] for _, found in inner), default=0)
        if depth > MAX_FUNCTION_DEPTH:
            raise FormatError(
                f"{where}: functions call functions too deeply: expected at most {MAX_FUNCTION_DEPTH} in each other, "
                f"got more below `{key[1]}`."
            )
        node_count, size_bytes = sizes[key]
        node_count += sum(count * found[0] for count, found in inner)
        size_bytes += sum(count * found[1] for count, found in inner)
        expanded[key] = node_count, size_bytes, depth


def _shown(number: int) -> str:
    """A number in a message; one that may have thousands of digits is told by its power of two."""
    return str(number) if number < 1 << 63 else f"2^{number.bit_length() - 1}"
