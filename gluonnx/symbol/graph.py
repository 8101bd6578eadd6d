"""The graph behind every Symbol: nodes, the order to walk them in, and the names of what they give."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gluonnx.ops.table import Operator


class Node:
    """A variable (`op` is None) or one call of an operator.

    Attributes:
        op: The operator, None for a variable.
        name: Unique in a graph where possible (MXNet does not enforce it).
        inputs: What it reads: (node, output index) in the operator's order.
        attrs: The operator's attributes as MXNet's text, in the order given, without defaults.
        typed: The same as typed values, defaults included; empty for a variable.
        versions: The write counts that a text gives for the inputs, None where they follow from the graph.
        annotations: What `AttrScope` and `attr=` attach (`__lr_mult__`, `ctx_group`, ...).
        subgraphs: What the operator runs (the body of a loop), in its order.
    """

    __slots__ = ("annotations", "attrs", "inputs", "name", "op", "subgraphs", "typed", "versions")

    def __init__(
        self,
        op: Operator | None,
        name: str,
        inputs: Sequence["Entry"] = (),
        attrs: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        versions: Sequence[int] | None = None,
        subgraphs: Sequence["Subgraph"] = (),
    ) -> None:
        self.op = op
        self.name = name
        self.inputs: tuple[Entry, ...] = tuple(inputs)
        self.attrs: dict[str, str] = attrs or {}
        self.annotations: dict[str, str] = annotations or {}
        self.versions = versions
        self.subgraphs = tuple(subgraphs)
        self.typed: dict[str, Any] = op.parse(self.attrs) if op is not None else {}

    def __repr__(self) -> str:
        return f"<Node {self.op.name if self.op else 'variable'} {self.name}>"

    @property
    def is_variable(self) -> bool:
        """Whether the node is an argument or auxiliary state of the graph."""
        return self.op is None

    @property
    def output_count(self) -> int:
        """Number of outputs, hidden ones included."""
        return 1 if self.op is None else len(self.op.output_names(self.typed))

    @property
    def visible_count(self) -> int:
        """Number of outputs that a caller sees."""
        return 1 if self.op is None else self.op.visible_outputs(self.typed)

    def output_name(self, index: int) -> str:
        """Return MXNet's name of an output: the variable's own, else `<node>_<output>`."""
        if self.op is None:
            return self.name
        return f"{self.name}_{self.op.output_names(self.typed)[index]}"


Entry = tuple[Node, int]
"""One output of a node."""


class Subgraph:
    """A graph that an operator runs. It shares no node with the graph around it.

    Attributes:
        heads: Its outputs.
        input_names: Its variables in the order of use; the operator's wiring counts them.
        function: It, compiled; the executor's.
    """

    __slots__ = ("function", "heads", "input_names")

    def __init__(self, heads: Sequence[Entry]) -> None:
        self.heads = tuple(heads)
        self.input_names = tuple(n.name for n in topological(heads) if n.is_variable)
        self.function: Any = None


def topological(heads: Iterable[Entry]) -> list[Node]:
    """Return every node that `heads` need, inputs before users, in the order of MXNet's depth-first walk."""
    order: list[Node] = []
    done: set[int] = set()
    for head, _ in heads:
        stack: list[tuple[Node, int]] = [(head, 0)]
        while stack:
            node, position = stack.pop()
            if id(node) in done:
                continue
            if position < len(node.inputs):
                stack.append((node, position + 1))
                child = node.inputs[position][0]
                if id(child) not in done:
                    stack.append((child, 0))
            else:
                done.add(id(node))
                order.append(node)
    return order


def all_nodes(heads: Iterable[Entry]) -> Iterator[Node]:
    """Give every node that `heads` need, those of subgraphs too."""
    for node in topological(heads):
        yield node
        for subgraph in node.subgraphs:
            yield from all_nodes(subgraph.heads)


def auxiliary_variables(nodes: Iterable[Node]) -> set[int]:
    """Return the ids of the variables that some operator holds as auxiliary state."""
    found: set[int] = set()
    for node in nodes:
        if node.op is not None:
            for position in node.op.auxiliary_positions(node.typed):
                if position < len(node.inputs) and node.inputs[position][0].is_variable:
                    found.add(id(node.inputs[position][0]))
    return found
