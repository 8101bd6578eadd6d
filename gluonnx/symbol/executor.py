"""The torch executor: a graph compiled to a list of torch calls."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from gluonnx.errors import GraphError, InputError, MXNetError, PositionError
from gluonnx.ops.blocking import blocked
from gluonnx.ops.dtypes import BY_TORCH
from gluonnx.ops.table import Wiring
from gluonnx.symbol.graph import Entry, Node, Subgraph, topological
from gluonnx.symbol.inference import infer, wanted_shape

Generator = Callable[[torch.device], torch.Generator | None]
KEPT_SHAPES = 64
"""Input shapes for which a graph with open shapes remembers what they are."""


class Watcher(Protocol):
    """Sees what operators read and give."""

    def before(self, node: Node, inputs: Sequence[torch.Tensor | None]) -> None:
        """See the inputs of an operator that is about to run."""

    def after(self, node: Node, outputs: Sequence[torch.Tensor]) -> None:
        """See the outputs of an operator that has run, and after them its auxiliary states."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator call.

    Attributes:
        call: The torch function with its attributes bound.
        node: For error messages.
        inputs: Slots to read.
        outputs: Slots to write; the first alone for an operator with one output.
        is_single: Whether the call returns one tensor.
        runtime: Which runtime keywords the call takes.
        updates: (position in what follows the outputs, variable name) of auxiliary states.
        dead: Slots that nothing reads after this step.
        bodies: The operator's subgraphs, and how they are joined to it.
    """

    call: Callable[..., object]
    node: Node
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_single: bool
    runtime: frozenset[str]
    updates: tuple[tuple[int, str], ...]
    dead: tuple[int, ...]
    bodies: "tuple[tuple[GraphFunction, Wiring], ...]"


class GraphFunction:
    """A graph as a function from tensors to tensors; torch records its gradients if the caller lets it.

    Args:
        heads: Outputs of the graph.
        names: Variable names in the order in which tensors will be given; every variable of the graph is among them.

    Raises:
        GraphError: A variable of the graph is not among `names`, or two have the same name.
    """

    def __init__(self, heads: Sequence[Entry], names: Sequence[str]) -> None:
        self.names = tuple(names)
        position = {name: i for i, name in enumerate(names)}
        nodes = topological(heads)
        slots: dict[tuple[int, int], int] = {}
        count = len(self.names)
        for node in nodes:
            if node.is_variable:
                if node.name not in position:
                    raise GraphError(
                        f"graph: variable `{node.name}` has no value: expected it among the inputs and parameters, "
                        f"got {', '.join(names) or 'none'}."
                    )
                slots[id(node), 0] = position[node.name]
            else:
                for index in range(node.output_count):
                    slots[id(node), index] = count
                    count += 1
        self._slot_count = count
        self._heads = tuple(slots[id(n), i] for n, i in heads)
        last_use = dict.fromkeys(self._heads)
        steps: list[_Step] = []
        kept: set[int] = set(last_use) | set(range(len(self.names)))
        for node in reversed(nodes):
            if node.is_variable:
                continue
            steps.append(_step(node, slots, kept))
        self._steps = tuple(reversed(steps))
        self._entries = tuple(heads)
        self._watcher: Watcher | None = None
        self._open = tuple(i for i, s in enumerate(self._steps) if wanted_shape(s.node) is not None)
        self._completed: dict[tuple[object, ...], tuple[_Step, ...]] = {}

    @property
    def updated(self) -> tuple[int, ...]:
        """Positions among `names` of the auxiliary states that operators update."""
        names = {name for step in self._steps for _, name in step.updates}
        return tuple(i for i, name in enumerate(self.names) if name in names)

    def watched(self, watcher: Watcher) -> "GraphFunction":
        """Return the same function, which shows each operator's inputs and outputs to a watcher."""
        other = copy.copy(self)
        other._steps = tuple(_shown(s, watcher) for s in self._steps)
        other._watcher = watcher
        other._completed = {}
        return other

    def _complete(self, tensors: Sequence[torch.Tensor]) -> tuple[_Step, ...]:
        """Return the steps with the shapes that the graph leaves open filled in, as the inputs' shapes decide them."""
        key = tuple((t.shape, t.dtype) for t in tensors)
        steps = self._completed.get(key)
        if steps is None:
            found = complete_shapes(self._entries, dict(zip(self.names, tensors, strict=True)))
            changed = list(self._steps)
            for i in self._open:
                step = changed[i]
                assert step.node.op is not None
                typed = {**step.node.typed, "shape": found[id(step.node)]}
                changed[i] = replace(step, call=functools.partial(step.node.op.forward, **typed))
                if self._watcher is not None:
                    changed[i] = _shown(changed[i], self._watcher)
            while len(self._completed) >= KEPT_SHAPES:
                self._completed.pop(next(iter(self._completed)), None)
            steps = self._completed[key] = tuple(changed)
        return steps

    def __call__(
        self,
        tensors: Sequence[torch.Tensor],
        *,
        training: bool = False,
        generator: Generator | None = None,
        device: torch.device | None = None,
        keeps_blocked: bool = False,
    ) -> tuple[list[torch.Tensor], Mapping[str, torch.Tensor]]:
        """Compute the outputs.

        Args:
            tensors: One for each of `names`.
            training: Whether operators behave as in training.
            generator: Gives the random generator of a device.
            device: Where operators without inputs create arrays; the device of the first tensor if None.
            keeps_blocked: Whether results that no gradient goes through are part of torch's graph, as in `record`.

        Returns:
            The outputs, and the new values of auxiliary states by variable name.

        Raises:
            InputError: An operator does not take what reaches it; names the node.
        """
        values: list[torch.Tensor | None] = [None] * self._slot_count
        values[: len(self.names)] = tensors
        if device is None:
            device = tensors[0].device if tensors else torch.device("cpu")
        updates: dict[str, torch.Tensor] = {}
        for step in self._complete(tensors) if self._open else self._steps:
            arguments = [values[i] for i in step.inputs]
            try:
                if step.runtime:
                    result = step.call(*arguments, **_runtime(step, training, generator, device))
                else:
                    result = step.call(*arguments)
            except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError, StopIteration) as err:
                raise _explain(step.node, arguments, err) from err
            if keeps_blocked and not (step.is_single and result.requires_grad):  # type: ignore[attr-defined]
                result = _kept(step.node, arguments, result)
            if step.is_single or isinstance(result, torch.Tensor):
                values[step.outputs[0]] = result  # type: ignore[call-overload]
            else:
                for slot, value in zip(step.outputs, result, strict=False):  # type: ignore[call-overload]
                    values[slot] = value
                for place, name in step.updates:
                    update = result[place]  # type: ignore[index]
                    if update is not None:
                        updates[name] = update
            for slot in step.dead:
                values[slot] = None
        return [values[i] for i in self._heads], updates  # type: ignore[misc]


def complete_shapes(heads: Sequence[Entry], values: Mapping[str, torch.Tensor]) -> dict[int, tuple[int, ...]]:
    """Return the shape of each operator that leaves it open, by node id, as the values of the variables decide it.

    Raises:
        InputError: They do not decide it; names the node.
    """
    nodes = [n for n in topological(heads) if wanted_shape(n) is not None]
    if not nodes:
        return {}
    shapes = {name: tuple(t.shape) for name, t in values.items()}
    inference = infer(heads, shapes, {name: BY_TORCH[t.dtype].name for name, t in values.items()})
    found = {}
    for node in nodes:
        shape = inference.shape((node, 0))
        if shape is None:
            raise InputError(
                f"{node.op.name if node.op else None} `{node.name}`: shape is unknown: expected dimensions that the "
                f"inputs' shapes decide, got shape={node.typed['shape']}. Pass `shape=`."
            )
        found[id(node)] = shape
    return found


def _step(node: Node, slots: Mapping[tuple[int, int], int], kept: set[int]) -> _Step:
    """Make a node's step; called from the last node to the first, so that `kept` tells what is still read later."""
    op = node.op
    assert op is not None
    inputs = tuple(slots[id(n), i] for n, i in node.inputs)
    outputs = tuple(slots[id(node), i] for i in range(node.output_count))
    dead = tuple({s for s in (*inputs, *outputs) if s not in kept})
    kept.update(inputs)
    updates = []
    bodies: tuple[tuple[GraphFunction, Wiring], ...] = ()
    positions = op.auxiliary_positions(node.typed)
    if node.subgraphs:
        bodies = tuple(zip(map(compiled, node.subgraphs), op.wirings(node.typed), strict=True))
        positions = tuple(sorted({wiring.inputs[place] for body, wiring in bodies for place in body.updated}))
    for offset, position in enumerate(positions):
        source = node.inputs[position][0]
        if source.is_variable:
            updates.append((len(outputs) + offset, source.name))
    return _Step(
        functools.partial(op.forward, **node.typed),
        node,
        inputs,
        outputs,
        op.is_single_output and not op.has_state,
        op.runtime,
        tuple(updates),
        dead,
        bodies,
    )


def compiled(subgraph: Subgraph) -> GraphFunction:
    """Return a subgraph as a function of its inputs; compiled once."""
    if subgraph.function is None:
        subgraph.function = GraphFunction(subgraph.heads, subgraph.input_names)
    return subgraph.function  # type: ignore[no-any-return]


class BoundBody:
    """A subgraph in a mode: what an operator that runs subgraphs calls (`gluonnx.ops.table.Body`)."""

    __slots__ = ("_function", "_runtime", "updated", "wiring")

    def __init__(
        self,
        function: GraphFunction,
        wiring: Wiring,
        training: bool,
        generator: Generator | None,
        device: torch.device,
    ) -> None:
        self.wiring = wiring
        self._function = function
        self._runtime: dict[str, Any] = {"training": training, "generator": generator, "device": device}
        self.updated = function.updated

    def __call__(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the outputs; the new values of auxiliary states are put into `tensors`."""
        outputs, updates = self._function(tensors, **self._runtime)
        for place in self.updated:
            tensors[place] = updates.get(self._function.names[place], tensors[place])
        return outputs


def _shown(step: _Step, watcher: Watcher) -> _Step:
    return replace(step, call=functools.partial(_watched_call, step, watcher))


def _watched_call(
    step: _Step, watcher: Watcher, *arguments: torch.Tensor | None, **runtime: object
) -> torch.Tensor | Sequence[torch.Tensor]:
    watcher.before(step.node, arguments)
    result: Any = step.call(*arguments, **runtime)
    watcher.after(step.node, [result] if isinstance(result, torch.Tensor) else result)
    return result  # type: ignore[no-any-return]


def _kept(node: Node, arguments: Sequence[torch.Tensor | None], result: Any) -> Any:
    """Return an operator's result, in the graph of its inputs even where no gradient goes through the operator."""
    is_single = isinstance(result, torch.Tensor)
    count = node.output_count
    if (result.requires_grad if is_single else any(_is_tracked(r) for r in result[:count])) or not any(
        _is_tracked(t) for t in arguments
    ):
        return result
    assert node.op is not None
    if node.op.refuses_gradient(node.typed):
        return result
    given = [t for t in arguments if t is None or isinstance(t, torch.Tensor)]
    if is_single:
        return blocked(result, given)
    return (*(blocked(r, given) if isinstance(r, torch.Tensor) else r for r in result[:count]), *result[count:])


def _is_tracked(value: Any) -> bool:
    """Whether a gradient goes through a value: an array, or a sequence of arrays."""
    if isinstance(value, torch.Tensor):
        return value.requires_grad
    return isinstance(value, list) and any(map(_is_tracked, value))


def _runtime(step: _Step, training: bool, generator: Generator | None, device: torch.device) -> dict[str, object]:
    wanted = step.runtime
    given: dict[str, object] = {}
    if "bodies" in wanted:
        given["bodies"] = [BoundBody(*body, training, generator, device) for body in step.bodies]
    if "training" in wanted:
        given["training"] = training
    if "generator" in wanted:
        given["generator"] = None if generator is None else generator(device)
    if "device" in wanted:
        given["device"] = device
    return given


def _explain(node: Node, arguments: Sequence[torch.Tensor | None], err: Exception) -> Exception:
    if isinstance(err, MXNetError) and not isinstance(err, InputError):
        return err
    op = node.op
    assert op is not None
    given = ", ".join(
        str(tuple(t.shape)) if isinstance(t, torch.Tensor) else "a sequence" for t in arguments if t is not None
    )
    kind = PositionError if isinstance(err, IndexError) else InputError
    return kind(f"{op.name} `{node.name}`: does not take inputs of shapes {given}: {err}")


def apart(results: Sequence[torch.Tensor], inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Copy the results that share memory with inputs, or with each other."""
    seen = {t.untyped_storage().data_ptr() for t in inputs}
    apart = []
    for result in results:
        storage = result.untyped_storage().data_ptr()
        apart.append(result.clone() if storage in seen else result)
        seen.add(storage)
    return apart
