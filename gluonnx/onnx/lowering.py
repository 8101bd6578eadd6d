"""From a graph of operators to an ONNX model."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from onnx import GraphProto, ModelProto, helper

from gluonnx._version import __version__
from gluonnx.attribute import SUBGRAPH_MARK
from gluonnx.errors import FixedBatchError, GraphError, InputError, LoweringError, ParameterError
from gluonnx.onnx.arrays import Array, as_array, dtype_name
from gluonnx.onnx.axes import Axes, declared_axes, open_axes
from gluonnx.onnx.builder import IR_VERSION, Call, GraphValue, ModelBuilder, Shapes, live_calls
from gluonnx.onnx.model import LoweredModel
from gluonnx.ops.builder import Value
from gluonnx.ops.table import Wiring
from gluonnx.symbol.bodies import wired
from gluonnx.symbol.graph import Entry, Node, Subgraph, draws, topological
from gluonnx.symbol.inference import Inference, Shape, chosen_branch, infer, wanted_shape
from gluonnx.symbol.partial import UNKNOWN

PRODUCER = "gluonnx"
_PROBES = (11, 13, 17, 19, 23, 29, 31, 37)
"""Batch sizes to try; one that is no other dimension of the inputs."""
_FIXED_BATCH = "{}: the batch axis is fixed"


def lower(
    heads: Sequence[Entry],
    input_names: Sequence[str],
    input_shapes: Sequence[Shape],
    input_dtypes: Sequence[str],
    parameters: Mapping[str, Any],
    *,
    live_parameters: bool = False,
    dynamic_batch: bool = True,
    dynamic_axes: Axes | None = None,
    output_names: Sequence[str] | None = None,
    name: str = "net",
    draws_as_inputs: bool = False,
) -> LoweredModel:
    """Lower a graph to ONNX, at inference.

    The batch axis is axis 0 of the first input; `gluonnx.onnx.axes.open_axes` tells which axes of other inputs are. A
    graph whose first input is a scalar has none. Variables that are neither inputs nor parameters may be there as long
    as the outputs do not depend on them (labels of losses).

    Args:
        heads: Outputs of the graph.
        input_names: Variables that become graph inputs, in this order. One that the graph does not have or does not
            read stays an input all the same.
        input_shapes: Shape of each input, the batch size among it.
        input_dtypes: Canonical dtype name of each input.
        parameters: numpy arrays or torch tensors by variable name; they become initializers of that name. Names that
            the graph does not have are left aside.
        live_parameters: Make parameters graph inputs instead, after the others.
        dynamic_batch: Leave the batch size open. False fixes it as given.
        dynamic_axes: Other axes to leave open: their names by input and axis. Axes of one name have one size. Axis 0 of
            the first input gets its name here too.
        output_names: One for each head; MXNet's names without.
        name: Name of the graph, also for messages.
        draws_as_inputs: Make what operators that draw random numbers give inputs of the model, after the others.

    Raises:
        InputError: An operator does not take the shapes that reach it.
        FixedBatchError: The graph works for the batch size given and not for others; says at which node.
        LoweringError: ONNX cannot express some operators: every one, with its node and why. Or an axis of
            `dynamic_axes` cannot be open.
        ParameterError: Parameters are missing.
        GraphError: Names clash, or shapes cannot be found.
    """
    return _Lowering(
        heads,
        input_names,
        input_shapes,
        input_dtypes,
        parameters,
        live_parameters,
        dynamic_batch,
        dynamic_axes or {},
        output_names,
        name,
        draws_as_inputs,
    ).run()


_Known: TypeAlias = tuple[torch.Tensor | None, torch.Tensor | None]
"""The small array that a value is at each of the two probes, as far as it follows from shapes."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is known of the nodes of one graph: the model's, or a subgraph's.

    Attributes:
        inferences: Shapes and dtypes at each probe.
        values: The ONNX value of each (node id, output index).
    """

    inferences: tuple[Inference, Inference]
    values: dict[tuple[int, int], GraphValue] = field(default_factory=dict)

    def found(self, entry: Entry) -> tuple[str, Shapes] | None:
        """Dtype of an entry and its shape at each probe, None if unknown."""
        first, second = self.inferences
        a, b, dtype = first.shape(entry), second.shape(entry), first.dtype(entry)
        return None if a is None or b is None or dtype is None else (dtype, (a, b))

    def values_of(self, entry: Entry) -> _Known:
        """The array that an entry is known to be at each probe, None if unknown."""
        first, second = (inference.values.get((id(entry[0]), entry[1])) for inference in self.inferences)
        return first, second


class _Lowering:
    """One walk over a graph."""

    def __init__(
        self,
        heads: Sequence[Entry],
        input_names: Sequence[str],
        input_shapes: Sequence[Shape],
        input_dtypes: Sequence[str],
        parameters: Mapping[str, Any],
        live_parameters: bool,
        dynamic_batch: bool,
        dynamic_axes: Axes,
        output_names: Sequence[str] | None,
        name: str,
        draws_as_inputs: bool,
    ) -> None:
        self.name = name
        self.draws_as_inputs = draws_as_inputs
        self.heads = tuple(heads)
        self.nodes = topological(heads)
        self.live_parameters = live_parameters
        variables = _variables(name, self.nodes)
        self.shapes = {n: tuple(s) for n, s in zip(input_names, input_shapes, strict=True)}
        self.dtypes = dict(zip(input_names, input_dtypes, strict=True))
        self.parameters: dict[str, Array] = {
            n: as_array(f"parameter `{n}`", parameters[n]) for n in variables if n in parameters
        }
        _check_names(name, input_names, self.parameters, output_names, len(self.heads))
        self.output_names = output_names
        self.declared = declared_axes(heads)
        self.axes, self.batch_name = open_axes(name, self.shapes, dynamic_batch, dynamic_axes, self.declared)
        self.probes = _probes(self.shapes, self.parameters, self.axes, self.batch_name)
        self.batch = self.probes.get(self.batch_name)
        self.scope = _Scope(self._infer())
        self.builder = ModelBuilder(
            self.batch or (1, 1),
            [*variables, *self.shapes, *(output_names or ())],
            {sizes: axis for axis, sizes in self.probes.items()},
        )
        self.inputs: dict[str, GraphValue] = {}
        self.drawn: list[GraphValue] = []
        self.named: dict[tuple[int, int], str] = {}
        self.missing: dict[int, str] = {}
        self.errors: dict[int, str] = {}
        self.has_other_branches = False

    def run(self) -> LoweredModel:
        for name, shape in self.shapes.items():
            self.inputs[name] = self.builder.variable(name, self.dtypes[name], self._both(name, shape))
        parameters: dict[str, GraphValue] = {}
        for node in self.nodes:
            if self.draws_as_inputs and draws(node):
                self._give_draws(node)
            elif node.op is not None:
                self._lower_node(node, self.scope)
            elif node.name in self.shapes:
                self.scope.values[id(node), 0] = self.inputs[node.name]
            elif node.name in self.parameters:
                if node.name not in parameters:
                    array = self.parameters[node.name]
                    parameters[node.name] = self.builder.variable(
                        node.name,
                        dtype_name(array),
                        (array.shape, array.shape),
                        None if self.live_parameters else array,
                    )
                self.scope.values[id(node), 0] = parameters[node.name]
            else:
                self.scope.values[id(node), 0] = self._missing_variable(node)
        outputs = self._outputs()
        leaves = self._check_live(outputs)
        used = {n: v for n, v in parameters.items() if id(v) in leaves}
        live = used if self.live_parameters else {}
        graph = self.builder.graph(self.name, [*self.inputs.values(), *live.values(), *self.drawn], outputs)
        proto = ModelProto(ir_version=IR_VERSION, producer_name=PRODUCER, producer_version=__version__, graph=graph)
        proto.opset_import.append(helper.make_opsetid("", self.builder.needed_opset))
        if self.has_other_branches:
            self._forget_sizes(proto.graph)
        frozen = {} if self.live_parameters else self.parameters
        return LoweredModel(
            proto,
            weights={n: a for n, a in frozen.items() if n in used},
            unused={n: a for n, a in frozen.items() if n not in used},
            input_names=tuple(self.inputs),
            live_names=tuple(live),
            drawn_names=tuple(v.final_name for v in self.drawn),
            output_names=tuple(v.final_name for v in outputs),
            is_batch_dynamic=self.batch is not None,
            batch_axes={
                n: found
                for n, axes in self.axes.items()
                if self.batch and (found := tuple(a for a, axis in sorted(axes.items()) if axis == self.batch_name))
            },
            open_axes={
                n: opened
                for n, axes in self.axes.items()
                if (opened := tuple(a for a, axis in sorted(axes.items()) if axis != self.batch_name))
            },
        )

    def _forget_sizes(self, graph: GraphProto) -> None:
        """Leave the axes that a foreign file left open without a size in the file too.

        From a size, ONNX Runtime would infer shapes in a branch that is not for that size, and refuse the model.
        """
        for info in graph.input:
            for dim, said in zip(info.type.tensor_type.shape.dim, self.declared.get(info.name, ()), strict=False):
                if said is not None and dim.HasField("dim_value"):
                    dim.Clear()

    # Shapes -----------------------------------------------------------------------------------------------------------

    def _infer(self) -> tuple[Inference, Inference]:
        dtypes = {**self.dtypes, **{n: dtype_name(a) for n, a in self.parameters.items()}}
        fixed = {n: a.shape for n, a in self.parameters.items()}
        first = infer(self.heads, {**self.shapes, **fixed}, dtypes)
        if not self.probes:
            return first, first
        others = {axis: sizes for axis, sizes in self.probes.items() if axis != self.batch_name}
        try:
            if self.batch is not None and others:
                self._infer_second(dtypes, fixed, batch_only=True)
            second = self._infer_second(dtypes, fixed, batch_only=not others)
        except InputError as err:
            if self.batch is None or not str(err).startswith(_FIXED_BATCH.format(self.name)):
                refused = ", ".join(f"{axis}={sizes[1]}" for axis, sizes in others.items())
                raise LoweringError(
                    f"{self.name}: an axis is fixed: expected a graph for any size of {', '.join(others)}, got one "
                    f"that does not take {refused}: {err} Leave it out of `dynamic_axes`."
                ) from err
            raise
        for node in self.nodes:
            for index in range(node.output_count):
                a, b = first.shape((node, index)), second.shape((node, index))
                if a is not None and b is not None and len(a) != len(b):
                    raise FixedBatchError(
                        f"{self.name}: the batch axis is fixed: expected {_label(node)} to give the same rank for "
                        f"any batch size, got shapes {a} and {b} for {self.probes}. Name its axes, or fix the "
                        "batch size."
                    )
        return first, second

    def _infer_second(self, dtypes: Mapping[str, str], fixed: Mapping[str, Shape], *, batch_only: bool) -> Inference:
        shapes = {n: self._both(n, s, batch_only=batch_only)[1] for n, s in self.shapes.items()}
        try:
            return infer(self.heads, {**shapes, **fixed}, dtypes)
        except InputError as err:
            if not batch_only:
                raise
            assert self.batch is not None
            raise FixedBatchError(
                f"{_FIXED_BATCH.format(self.name)}: expected a graph for any batch size, got one that takes "
                f"{self.batch[0]} and not {self.batch[1]}: {err} Make the operator independent of the batch size, or "
                "fix the batch size."
            ) from err

    def _both(self, name: str, shape: Shape, *, batch_only: bool = False) -> tuple[Shape, Shape]:
        """Return an input's shape at the two probes."""
        second = list(shape)
        for axis, axis_name in self.axes.get(name, {}).items():
            if axis_name == self.batch_name or not batch_only:
                second[axis] = self.probes[axis_name][1]
        return shape, tuple(second)

    # Nodes ------------------------------------------------------------------------------------------------------------

    def _missing_variable(self, node: Node) -> GraphValue:
        found = self.scope.found((node, 0))
        if found is None:
            raise GraphError(
                f"{self.name}: shape of variable `{node.name}` unknown: expected an input, a parameter, or a shape "
                f"that follows from the inputs, got none. Name it among the inputs or pass its value."
            )
        value = self.builder.variable(node.name, *found)
        self.missing[id(value)] = node.name
        return value

    def _give_draws(self, node: Node) -> None:
        """Make the outputs of an operator that draws inputs of the model."""
        for index in range(node.output_count):
            found = self.scope.found((node, index))
            if found is None:
                raise LoweringError(f"{_label(node)}: what it draws has no shape: expected one that the inputs decide")
            value = self.builder.variable(self.builder.unique(f"{node.name}/draw{index}"), *found)
            self.scope.values[id(node), index] = value
            self.drawn.append(value)

    def _lower_node(self, node: Node, scope: _Scope) -> None:
        assert node.op is not None
        inputs = [scope.values[id(source), index] for source, index in node.inputs]
        with self.builder.scope(node.name):
            refused = self.builder.refuse(inputs, node.output_count)
            given: tuple[GraphValue, ...] = ()
            try:
                known = [scope.values_of(entry) for entry in node.inputs]
                bodies = [_Body(self, *pair, known) for pair in wired(node)]
                if bodies and (branch := self._only_branch(node, scope)) is not None:
                    given = bodies[branch]([inputs[p] for p in bodies[branch].wiring.inputs])
                else:
                    given = self._lower_open(node, scope) or node.op.lower(
                        self.builder, inputs, {**node.typed, "bodies": bodies}
                    )
                for index, value in enumerate(given):
                    self._bind(node, index, value, scope)
            except LoweringError as err:
                given = ()
                self._refuse(node, refused[0].call, str(err))
            except Exception as err:
                err.add_note(f"while lowering {_label(node)}")
                raise
        if given and len(given) < node.output_count:
            names = node.op.output_names(node.typed)[len(given) :]
            self._refuse(node, refused[0].call, f"has no ONNX form for its outputs {', '.join(names)}")
        for index in range(node.output_count):
            if index < len(given):
                scope.values[id(node), index] = given[index]
                continue
            value = scope.values[id(node), index] = refused[index]
            found = scope.found((node, index))
            if found is not None:
                value.settle(*found)

    def _only_branch(self, node: Node, scope: _Scope) -> int | None:
        """Return which subgraph of a branching operator runs whatever the open axes are, None if that is not known."""
        first, second = ((chosen_branch(node, v)) for v in scope.values_of(node.inputs[0]))
        return first if first == second else None

    def _lower_open(self, node: Node, scope: _Scope) -> tuple[GraphValue, ...]:
        """Lower an operator whose `shape` the operators after it decide; () if it is not one.

        Raises:
            LoweringError: The shape depends on the batch size, and not as a multiple of it.
        """
        if wanted_shape(node) is None:
            return ()
        assert node.op is not None
        found = scope.found((node, 0))
        if found is None:
            raise LoweringError("its shape is unknown: expected one that the inputs' shapes decide. Pass `shape=`.")
        first, second = (inference.shapes[id(node), 0] for inference in scope.inferences)

        def made(shape: Shape | Value) -> GraphValue:
            assert node.op is not None
            (value,) = node.op.lower(self.builder, (), {**node.typed, "shape": shape})
            return value  # type: ignore[no-any-return]

        if node.op.draws(node.typed):
            # One element, expanded, would be the same draw everywhere.
            return (made(first if first == second else self._sizes(first, second)),)
        if first == second:
            # One element, expanded: states of zeros would be large constants.
            return (self.builder.op("Expand", made((1,) * len(first)), self.builder.ints(first)),)
        fixed = tuple(a if a == b else 1 for a, b in zip(first, second, strict=True))
        return (self.builder.op("Expand", made(fixed), self._sizes(first, second)),)

    def _sizes(self, first: Shape, second: Shape) -> GraphValue:
        """Return the shape at run time from what it is at the two probes.

        Raises:
            LoweringError: A size is no multiple of an open axis.
        """
        lengths: list[Value] = []
        for a, b in zip(first, second, strict=True):
            lengths.append(self.builder.ints([a]) if a == b else self._length(a, b))
        return self.builder.op("Concat", *lengths, axis=0)

    def _length(self, first: int, second: int) -> Value:
        """Compute a size at run time that is these at the two probes: a multiple of an open axis."""
        for axis_name, (one, other) in self.probes.items():
            if first % one == 0 and first * other == second * one:
                name, axis = next(
                    (n, a) for n, axes in self.axes.items() for a, named in axes.items() if named == axis_name
                )
                size = self.builder.op("Gather", self.builder.shape(self.inputs[name]), self.builder.ints([axis]))
                return self.builder.op("Mul", size, self.builder.ints([first // one])) if first > one else size
        raise LoweringError(
            f"its shape is no multiple of the batch size or another open axis ({', '.join(self.probes)}): a size is "
            f"{first}, then {second}"
        )

    def _refuse(self, node: Node, call: Call | None, reason: str) -> None:
        self.errors[id(call)] = f"{_label(node)}: {reason}"

    def lower_subgraph(
        self, subgraph: Subgraph, inputs: Sequence[GraphValue], known: Sequence[_Known]
    ) -> tuple[GraphValue, ...]:
        """Add the nodes of a subgraph, which reads these values, and return its outputs.

        Args:
            subgraph: The graph.
            inputs: What its variables are.
            known: The arrays that they are known to be, at each probe.

        Raises:
            LoweringError: The outputs need operators that ONNX cannot express; names them.
        """
        given = dict(zip(subgraph.input_names, inputs, strict=True))
        told = {name: value for name, value in given.items() if _is_told(value)}
        dtypes = {name: value.dtype for name, value in told.items()}
        shapes = [
            {name: tuple(UNKNOWN if d is None else d for d in value.shapes[probe]) for name, value in told.items()}
            for probe in (0, 1)
        ]
        found: list[Inference] = []
        for probe in (0, 1):
            arrays = {n: k[probe] for n, k in zip(subgraph.input_names, known, strict=True)}
            values = {n: a for n, a in arrays.items() if a is not None}
            try:
                found.append(infer(subgraph.heads, shapes[probe], dtypes, values=values))
            except InputError:
                # A branch for other inputs than these, which does not run.
                self.has_other_branches = True
                found.append(infer(subgraph.heads, {}, dtypes))
        scope = _Scope((found[0], found[1]))
        for node in topological(subgraph.heads):
            if node.is_variable:
                scope.values[id(node), 0] = given[node.name]
            else:
                self._lower_node(node, scope)
        outputs = tuple(scope.values[id(node), index] for node, index in subgraph.heads)
        if faults := [self.errors[id(c)] for c in live_calls(outputs) if id(c) in self.errors]:
            raise LoweringError(f"in its subgraph, {'; '.join(faults)}")
        return outputs

    def _bind(self, node: Node, index: int, value: GraphValue, scope: _Scope) -> None:
        """Give a value that a lowering returned the shape, dtype and name of the node's output."""
        found = scope.found((node, index))
        if found is not None:
            if not value.is_inferred:
                value.settle(*found)
            elif (value.dtype, value.shapes) != found and not _is_open(value.shapes):
                raise LoweringError(
                    f"the lowering is wrong: expected output {index} of {found[0]} {found[1][0]}, "
                    f"got {value.dtype} {value.shapes[0]}"
                )
        if value.name is None:
            value.name = self.named[id(node), index] = self.builder.unique(node.output_name(index))

    # Outputs ----------------------------------------------------------------------------------------------------------

    def _outputs(self) -> list[GraphValue]:
        outputs: list[GraphValue] = []
        for position, (node, index) in enumerate(self.heads):
            value = self.scope.values[id(node), index]
            if value.call is None or any(value is o for o in outputs):
                # An output that is an input, a constant or another output needs a node of its own.
                source = value
                with self.builder.scope(node.name):
                    value = self.builder.op_outputs("Identity", 1, source)[0]
                if source.is_inferred:
                    value.settle(source.dtype, source.shapes)
            wanted = f"{node.name}_output" if node.is_variable else node.output_name(index)
            if self.output_names is not None:
                value.name = self.output_names[position]
            elif value.name is None or value.name != self.named.get((id(node), index)):
                value.name = self.builder.unique(wanted)
            outputs.append(value)
        return outputs

    def _check_live(self, outputs: Sequence[GraphValue]) -> set[int]:
        """Raise for what the outputs need and cannot have; return the ids of the values no node gives.

        Raises:
            LoweringError: Operators that cannot be lowered.
            ParameterError: Variables without a value.
        """
        calls = {id(c): c for c in live_calls(outputs)}
        faults = [message for key, message in self.errors.items() if key in calls]
        if faults:
            count = f"{len(faults)} operators have" if len(faults) > 1 else "1 operator has"
            listed = "".join(f"\n  {fault}" for fault in faults)
            raise LoweringError(f"{self.name}: {count} no ONNX form:{listed}")
        leaves = {id(v) for c in calls.values() for v in c.inputs if v is not None and v.call is None}
        missing = [n for key, n in self.missing.items() if key in leaves]
        if missing:
            raise ParameterError(
                f"{self.name}: parameters missing: expected a value for every variable that the outputs need, got none "
                f"for {', '.join(missing)}. Pass them, or name them among the inputs."
            )
        return leaves


class _Body:
    """A subgraph as its operator's lowering calls it (`gluonnx.ops.builder.LoweredBody`)."""

    def __init__(self, lowering: _Lowering, subgraph: Subgraph, wiring: Wiring, known: Sequence[_Known]) -> None:
        self.wiring = wiring
        self._lowering = lowering
        self._subgraph = subgraph
        self._known = [known[p] if p >= 0 else (None, None) for p in wiring.inputs]

    def __call__(self, values: Sequence[GraphValue]) -> tuple[GraphValue, ...]:
        return self._lowering.lower_subgraph(self._subgraph, values, self._known)


def _variables(where: str, nodes: Sequence[Node]) -> list[str]:
    # Control flow copies a variable that was made in its subgraph; copies are one variable.
    copied = {n.name for n in nodes if n.is_variable and SUBGRAPH_MARK in n.annotations}
    names = [n.name for n in nodes if n.is_variable and n.name not in copied] + sorted(copied)
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) != len(names) else []
    if twice:
        raise GraphError(f"{where}: variables share a name: expected unique names, got twice {', '.join(twice)}.")
    return names


def _check_names(
    where: str, inputs: Sequence[str], parameters: Mapping[str, Array], outputs: Sequence[str] | None, heads: int
) -> None:
    if both := [n for n in inputs if n in parameters]:
        raise GraphError(
            f"{where}: both input and parameter: expected each variable in one role, got {', '.join(both)}."
        )
    if len(set(inputs)) != len(inputs):
        raise GraphError(f"{where}: input names repeat: expected unique names, got {', '.join(inputs)}.")
    if outputs is None:
        return
    if len(outputs) != heads:
        raise GraphError(f"{where}: wrong number of output names: expected {heads}, got {len(outputs)}.")
    if clash := [n for n in outputs if n in inputs or n in parameters or list(outputs).count(n) > 1]:
        raise GraphError(f"{where}: output names clash: expected names of their own, got {', '.join(clash)}.")


def _probes(
    shapes: Mapping[str, Shape],
    parameters: Mapping[str, Array],
    axes: Mapping[str, Mapping[int, str]],
    batch_name: str,
) -> dict[str, tuple[int, int]]:
    """Choose two sizes for each open axis: the given one, and one that is no other dimension.

    The second batch size is a prime; that of another axis a multiple of the first, which more nets take.
    """
    dims = {d for s in shapes.values() for d in s} | {d for a in parameters.values() for d in a.shape}
    probes: dict[str, tuple[int, int]] = {}
    for name, named in axes.items():
        for axis, axis_name in named.items():
            if axis_name in probes:
                continue
            size = shapes[name][axis]
            second = next((p for p in _PROBES if p not in dims), max(dims) + 1)
            if axis_name != batch_name:
                second = next(k * size for k in itertools.count(2) if k * size not in dims) if size else second
            dims.add(second)
            probes[axis_name] = size, second
    return probes


def _label(node: Node) -> str:
    return f"{node.op.name if node.op else 'variable'} `{node.name}`"


def _is_told(value: GraphValue) -> bool:
    """Whether anything tells the shape of a value."""
    try:
        return bool(value.shapes) or True
    except LoweringError:
        return False


def _is_open(shapes: Shapes) -> bool:
    return any(d is None for s in shapes for d in s)
