"""Shapes that are known in part: dimensions found from outputs to inputs and between inputs, until nothing changes.

A dimension is -1 while it is unknown, a shape None while its rank is. An operator tells by `Operator.shapes` how its
shapes depend on each other; where it says `derived`, its torch function is run on meta tensors with three probe values
in place of each unknown dimension: an output dimension that does not change is known, one that changes by a whole
multiple of what an unknown dimension changes by is that multiple and a constant, one in proportion is a part of it.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from gluonnx.errors import InputError, MXNetError
from gluonnx.symbol.graph import Node

Partial = tuple[int, ...]
Key = tuple[int, int]
Run = Callable[[Node, Sequence[Partial]], Sequence[Partial]]
Shapes = Sequence[Partial | None]
Spread = Callable[[Node, Shapes, Shapes], tuple[Shapes, Shapes]]

UNKNOWN = -1
PROBES = 3
PROBE_UNIT = 60
"""Probe values are multiples of it, so that dimensions may be split into 2 to 6 parts."""


class PartialShapes:
    """What is known of every shape of a graph.

    Args:
        nodes: The graph, inputs before users.
        known: What is known at the start, by (node id, output index).
        run: Gives the output shapes of a node from known input shapes; raises what the operator raises.
        spread: Gives what a node's subgraphs tell of its input and output shapes.
    """

    def __init__(self, nodes: Sequence[Node], known: Mapping[Key, Partial], run: Run, spread: Spread) -> None:
        self.shapes: dict[Key, Partial] = dict(known)
        self._nodes = [n for n in nodes if n.op is not None]
        self._run = run
        self._spread = spread
        self._changed = False

    def solve(self) -> None:
        """Find every dimension that follows from the known ones.

        Raises:
            InputError: Two shapes that must be one differ, or an operator does not take the shapes that reach it.
        """
        while True:
            self._changed = False
            for node in self._nodes:
                self._visit(node)
            for node in reversed(self._nodes):
                self._visit(node)
            if not self._changed:
                return

    def _visit(self, node: Node) -> None:
        assert node.op is not None
        inputs = [self.shapes.get((id(n), i)) for n, i in node.inputs]
        outputs = [self.shapes.get((id(node), i)) for i in range(node.output_count)]
        if all(map(is_complete, inputs)) and all(map(is_complete, outputs)):
            return
        if node.op.shapes == "values":
            return
        if node.op.shapes == "same":
            self._unify_all(node)
            return
        if node.subgraphs:
            ins, outs = self._spread(node, inputs, outputs)
            keys = [*((id(n), i) for n, i in node.inputs), *((id(node), i) for i in range(node.output_count))]
            for key, shape in zip(keys, (*ins, *outs), strict=True):
                if shape is not None:
                    self._learn(key, shape, node)
            return
        if node.op.has_parameter_rule:
            self._apply_rule(node)
            inputs = [self.shapes.get((id(n), i)) for n, i in node.inputs]
        if node.op.shapes == "elements":
            self._count_elements(node, inputs[0], outputs[0])
            inputs = [self.shapes.get((id(n), i)) for n, i in node.inputs]
        known = [s for s in inputs if s is not None]
        if len(known) != len(inputs):
            return
        if all(map(is_complete, known)):
            for index, shape in enumerate(self._run(node, known)):
                self._learn((id(node), index), shape, node)
        elif node.op.shapes != "known":
            self._probe(node, known)

    def _unify_all(self, node: Node) -> None:
        keys = [*((id(n), i) for n, i in node.inputs), *((id(node), i) for i in range(node.output_count))]
        merged: Partial | None = None
        for key in keys:
            shape = self.shapes.get(key)
            if shape is not None:
                merged = shape if merged is None else self._merge(merged, shape, node)
        if merged is not None:
            for key in keys:
                self._learn(key, merged, node)

    def _count_elements(self, node: Node, taken: Partial | None, given: Partial | None) -> None:
        """Find the one unknown dimension of the input from the number of elements of the output."""
        if taken is None or given is None or UNKNOWN in given or taken.count(UNKNOWN) != 1:
            return
        others = math.prod(d for d in taken if d != UNKNOWN)
        if others and not math.prod(given) % others:
            found = math.prod(given) // others
            self._learn((id(node.inputs[0][0]), node.inputs[0][1]), _with(taken, found), node)

    def _apply_rule(self, node: Node) -> None:
        """Take shapes of parameters from the operator's rule, as far as they do not depend on unknown dimensions."""
        assert node.op is not None
        active = node.op.active_inputs(node.typed, len(node.inputs))
        shapes = {s.name: self.shapes.get((id(n), i)) for s, (n, i) in zip(active, node.inputs, strict=False)}
        found = []
        for probe in range(PROBES):
            filled = {name: None if shape is None else _fill(shape, probe) for name, shape in shapes.items()}
            try:
                found.append(node.op.parameter_shapes(filled, node.typed))
            except (RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError):
                return
        for spec, (source, index) in zip(active, node.inputs, strict=False):
            if all(spec.name in told for told in found) and not is_complete(shapes[spec.name]):
                self._learn((id(source), index), _agreed([told[spec.name] for told in found]), node)

    def _probe(self, node: Node, inputs: Sequence[Partial]) -> None:
        assert node.op is not None
        for groups in _groupings(inputs, node.op.shapes == "even"):
            results = []
            for probe in range(PROBES):
                values = {place: _value(group, probe) for place, group in groups.items()}
                filled = [
                    tuple(values.get((i, axis), d) for axis, d in enumerate(shape)) for i, shape in enumerate(inputs)
                ]
                try:
                    results.append(self._run(node, filled))
                except (MXNetError, RuntimeError, ValueError, IndexError, TypeError):
                    break
            if len(results) == PROBES:
                self._learn_from_probes(node, groups, results, self._smallest(node, inputs))
                return

    def _smallest(self, node: Node, inputs: Sequence[Partial]) -> Sequence[Partial] | None:
        """Outputs where unknown dimensions are 1: what large values hide, as a slice does that ends before them."""
        try:
            return self._run(node, [tuple(1 if d == UNKNOWN else d for d in shape) for shape in inputs])
        except (MXNetError, RuntimeError, ValueError, IndexError, TypeError):
            return None

    def _learn_from_probes(
        self,
        node: Node,
        groups: Mapping[tuple[int, int], int],
        results: Sequence[Sequence[Partial]],
        smallest: Sequence[Partial] | None,
    ) -> None:
        assert node.op is not None
        for index, shapes in enumerate(zip(*results, strict=True)):
            if len({len(s) for s in shapes}) != 1:
                continue
            agreed = _agreed(shapes)
            if smallest is not None and len(smallest[index]) == len(agreed):
                pairs = zip(agreed, smallest[index], strict=True)
                agreed = tuple(d if d in (UNKNOWN, least) else UNKNOWN for d, least in pairs)
            self._learn((id(node), index), agreed, node)
            told = self.shapes.get((id(node), index))
            if told is None or node.op.shapes == "broadcast" or len(told) != len(agreed):
                continue
            for axis, dimension in enumerate(told):
                if agreed[axis] != UNKNOWN or dimension == UNKNOWN:
                    continue
                for group in dict.fromkeys(groups.values()):
                    line = _line(group, [shape[axis] for shape in shapes])
                    if line is not None and not (dimension - line[1]) % line[0]:
                        self._assign(node, groups, group, int((dimension - line[1]) / line[0]))
                        break

    def _assign(self, node: Node, groups: Mapping[tuple[int, int], int], group: int, dimension: int) -> None:
        for (position, axis), owner in groups.items():
            if owner == group and dimension >= 0:
                source, index = node.inputs[position]
                shape = list(self.shapes[id(source), index])
                shape[axis] = dimension
                self._learn((id(source), index), tuple(shape), node)

    def _learn(self, key: Key, shape: Partial, node: Node) -> None:
        before = self.shapes.get(key)
        after = shape if before is None else self._merge(before, shape, node)
        if after != before:
            self.shapes[key] = after
            self._changed = True

    def _merge(self, first: Partial, second: Partial, node: Node) -> Partial:
        if len(first) == len(second) and all(a == b or UNKNOWN in (a, b) for a, b in zip(first, second, strict=True)):
            return tuple(b if a == UNKNOWN else a for a, b in zip(first, second, strict=True))
        assert node.op is not None
        raise InputError(
            f"{node.op.name} `{node.name}`: shapes are inconsistent: expected {show(first)}, got {show(second)}."
        )


def is_complete(shape: Partial | None) -> bool:
    """Whether the rank and every dimension is known."""
    return shape is not None and UNKNOWN not in shape


def _line(group: int, found: Sequence[int]) -> tuple[Fraction, int] | None:
    """Return (slope, offset) with which a dimension follows a group's probe values.

    A slope that is no whole number counts only without an offset: a stride has one too, and hides what it rounds away.
    """
    values = [_value(group, probe) for probe in range(PROBES)]
    slope = Fraction(found[1] - found[0], values[1] - values[0])
    offsets = {size - slope * value for size, value in zip(found, values, strict=True)}
    if slope <= 0 or len(offsets) != 1:
        return None
    offset = offsets.pop()
    return None if offset and slope.denominator != 1 else (slope, int(offset))


def _with(shape: Partial, dimension: int) -> Partial:
    return tuple(dimension if d == UNKNOWN else d for d in shape)


def show(shape: Partial) -> str:
    """Write a shape with question marks for unknown dimensions."""
    return f"({', '.join('?' if d == UNKNOWN else str(d) for d in shape)}{',' if len(shape) == 1 else ''})"


def _value(group: int, probe: int) -> int:
    """The probe value of a group: no two groups grow alike from one probe to the next."""
    return PROBE_UNIT * (2 + group + probe * (3 + 2 * group) + probe * probe)


def _fill(shape: Partial, probe: int) -> Partial:
    return tuple(_value(axis, probe) if d == UNKNOWN else d for axis, d in enumerate(shape))


def _agreed(shapes: Sequence[Partial]) -> Partial:
    return tuple(dims[0] if len(set(dims)) == 1 else UNKNOWN for dims in zip(*shapes, strict=True))


def _groupings(inputs: Sequence[Partial], are_equal: bool) -> Iterator[dict[tuple[int, int], int]]:
    """Ways in which unknown dimensions may be equal: none, those on one axis, all."""
    places = [(i, axis) for i, shape in enumerate(inputs) for axis, d in enumerate(shape) if d == UNKNOWN]
    if are_equal:
        yield dict.fromkeys(places, 0)
        return
    yield {place: group for group, place in enumerate(places)}
    if len(places) > 1:
        yield {place: place[1] for place in places}
        yield dict.fromkeys(places, 0)
