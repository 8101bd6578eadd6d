"""Shapes and dtypes of a graph, found by running each operator's torch function on meta tensors."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from gluonnx.errors import InputError, MXNetError
from gluonnx.ops.dtypes import BY_TORCH, DTYPES, torch_dtype
from gluonnx.ops.table import Operator, Wiring
from gluonnx.symbol.bodies import spread_dtypes, spread_shapes, wired
from gluonnx.symbol.graph import Entry, Node, Subgraph, topological
from gluonnx.symbol.partial import UNKNOWN, PartialShapes, is_complete
from gluonnx.util import is_np_shape

Shape = tuple[int, ...]
Kind = tuple[Shape, str]
"""Shape and canonical dtype name."""
Spreading = tuple[list[Shape | None], list[Shape | None]]
"""Shapes of an operator's inputs and outputs."""

PLAIN_DTYPES = {"float32", "float64"}
"""Dtypes that operators without a `dtype` attribute give where all their inputs have them."""

KEPT_ANSWERS = 4096
"""Calls of operators (attributes, shapes and dtypes of the inputs) whose outputs are remembered."""


@dataclass(slots=True)
class Inference:
    """What is known of a graph.

    Attributes:
        shapes: Shape of each (node id, output index) that could be found.
        dtypes: Canonical dtype name, likewise.
        unknown: Names of the variables whose shape could not be found.
        partial: Shapes of which only some dimensions could be found, -1 for the others.
        values: Small arrays that follow from shapes and constants, on the CPU.
    """

    shapes: dict[tuple[int, int], Shape]
    dtypes: dict[tuple[int, int], str]
    unknown: list[str]
    partial: dict[tuple[int, int], Shape] = field(default_factory=dict)
    values: dict[tuple[int, int], torch.Tensor] = field(default_factory=dict)

    def shape(self, entry: Entry) -> Shape | None:
        """Shape of an entry, None if unknown."""
        return self.shapes.get((id(entry[0]), entry[1]))

    def dtype(self, entry: Entry) -> str | None:
        """Canonical dtype name of an entry, None if unknown."""
        return self.dtypes.get((id(entry[0]), entry[1]))


def is_known(shape: Sequence[int] | None) -> bool:
    """Whether every dimension is known (MXNet writes 0 or -1 for an unknown one, under `np_shape` only -1)."""
    least = 0 if is_np_shape() else 1
    return shape is not None and all(d >= least for d in shape)


def infer(
    heads: Sequence[Entry],
    shapes: Mapping[str, Shape],
    dtypes: Mapping[str, str] | None = None,
    *,
    default_dtype: str = "float32",
    only_variables: bool = False,
    values: Mapping[str, torch.Tensor] | None = None,
) -> Inference:
    """Infer shapes and dtypes of every entry from those of some variables.

    Shapes of parameters follow from the operators' parameter rules, the dtype of a parameter from the operator's
    inputs. Where that leaves something open, dimensions are also found from outputs to inputs and between inputs.

    Args:
        heads: Outputs of the graph.
        shapes: Known shapes by variable name; a dimension of 0 or -1 is unknown.
        dtypes: Known canonical dtype names by variable name.
        default_dtype: Dtype of a variable that nothing determines.
        only_variables: Whether only the variables are asked for: operators that tell nothing of them are left out, and
            so are the errors they would raise.
        values: Small arrays that variables are known to be, on the CPU; only operators that carry values see them.

    Raises:
        InputError: An operator does not take the shapes that reach it; names the node.
    """
    dtypes = dtypes or {}
    found = Inference({}, {}, [])
    nodes = topological(heads)
    wanted = _telling(nodes, shapes) if only_variables else {id(n) for n in nodes}
    incomplete: dict[tuple[int, int], Shape] = {}
    for node in nodes:
        if node.op is None:
            shape = shapes.get(node.name)
            declared = node.annotations.get("__shape__")
            if shape is None and declared is not None:
                shape = _parse_declared_shape(declared)
                shape = shape if shape or is_np_shape() else None
            if is_known(shape):
                assert shape is not None
                found.shapes[id(node), 0] = tuple(shape)
            elif shape is not None:
                incomplete[id(node), 0] = tuple(d if is_known((d,)) else UNKNOWN for d in shape)
            dtype = dtypes.get(node.name) or _declared_dtype(node)
            if dtype is not None:
                found.dtypes[id(node), 0] = dtype
            if values is not None and node.name in values:
                found.values[id(node), 0] = values[node.name]
            continue
        if node.op.carries_values:
            _infer_by_values(node, found, default_dtype)
            continue
        open_shape = wanted_shape(node)
        if open_shape is not None:
            told = node.op.infer_dtypes({"output": None}, node.typed)["output"]
            if told is not None:
                found.dtypes[id(node), 0] = told
            if open_shape:
                incomplete[id(node), 0] = open_shape
            continue
        _infer_variables(node, found, default_dtype, incomplete)
        if id(node) in wanted:
            _infer_outputs(node, found, default_dtype)
    if any((id(n), i) not in found.shapes for n in nodes if id(n) in wanted for i in range(n.output_count)):
        _infer_partly(nodes, found, incomplete, default_dtype)
    for node in nodes:
        if node.is_variable:
            if (id(node), 0) not in found.shapes:
                found.unknown.append(node.name)
            found.dtypes.setdefault((id(node), 0), default_dtype)
    return found


def wanted_shape(node: Node) -> Shape | None:
    """The shape of an operator's output that the operators after it have to complete, -1 where it is open.

    Returns:
        The shape; () if not even the rank is known; None if nothing is open.
    """
    if node.op is None or node.op.shapes != "wanted":
        return None
    shape: Shape = node.typed["shape"] or ()
    if is_known(shape) and (shape or is_np_shape()):
        return None
    return tuple(d if is_known((d,)) else UNKNOWN for d in shape)


def infer_dtypes(
    heads: Sequence[Entry], dtypes: Mapping[str, str], *, default_dtype: str | None = "float32"
) -> dict[tuple[int, int], str]:
    """Infer the dtype of every entry without knowing shapes, by the operators' dtype rules, both ways.

    Args:
        heads: Outputs of the graph.
        dtypes: Known canonical dtype names by variable name.
        default_dtype: Dtype of a variable that nothing determines; None leaves it out.

    Raises:
        InputError: Arrays that an operator takes in one dtype have two.
    """
    found: dict[tuple[int, int], str] = {}
    nodes = topological(heads)
    for node in nodes:
        if node.op is None:
            dtype = dtypes.get(node.name) or _declared_dtype(node)
            if dtype is not None:
                found[id(node), 0] = dtype
    _spread_dtypes(nodes, found)
    if default_dtype is not None:
        for node in nodes:
            if node.is_variable and (id(node), 0) not in found:
                found[id(node), 0] = default_dtype
                _spread_dtypes(nodes, found)
        for node in nodes:
            for index in range(node.output_count):
                found.setdefault((id(node), index), default_dtype)
    return found


def _spread_dtypes(nodes: Sequence[Node], found: dict[tuple[int, int], str]) -> None:
    while True:
        before = len(found)
        for node in (*nodes, *reversed(nodes)):
            if node.op is not None:
                _spread_at(node, found)
        if len(found) == before:
            return


def _spread_at(node: Node, found: dict[tuple[int, int], str]) -> None:
    op = node.op
    assert op is not None
    if node.subgraphs and not op.carries_values:
        _spread_in_subgraphs(node, found)
        return
    active = op.active_inputs(node.typed, len(node.inputs))
    keys = {spec.name: (id(n), i) for spec, (n, i) in zip(active, node.inputs, strict=False)}
    keys |= {name: (id(node), i) for i, name in enumerate(op.output_names(node.typed))}
    told = op.infer_dtypes({name: found.get(key) for name, key in keys.items()}, node.typed)
    for name, key in keys.items():
        dtype = told.get(name)
        if dtype is not None:
            found.setdefault(key, dtype)
    if op.shapes == "same" and not op.has_dtype_rule and "dtype" not in op.attributes:
        given = {name: found[key] for name, key in keys.items() if key in found}
        if len(set(given.values())) > 1:
            listed = ", ".join(f"{name}={dtype}" for name, dtype in given.items())
            raise InputError(
                f"{op.name} `{node.name}`: dtypes differ: expected one dtype, got {listed}. Cast one of them."
            )


def _spread_in_subgraphs(node: Node, found: dict[tuple[int, int], str]) -> None:
    ins = [(id(n), i) for n, i in node.inputs]
    outs = [(id(node), i) for i in range(node.output_count)]
    told = spread_dtypes(node, [found.get(k) for k in ins], [found.get(k) for k in outs], _find_dtypes)
    for key, dtype in zip((*ins, *outs), (*told[0], *told[1]), strict=True):
        if dtype is not None:
            found.setdefault(key, dtype)


def _find_dtypes(heads: Sequence[Entry], known: Mapping[str, str]) -> Callable[[Entry], str | None]:
    dtypes = infer_dtypes(heads, known, default_dtype=None)
    return lambda entry: dtypes.get((id(entry[0]), entry[1]))


def _ask_subgraphs(
    node: Node, inputs: Sequence[Shape | None], outputs: Sequence[Shape | None], found: Inference, default_dtype: str
) -> tuple[list[Shape | None], list[Shape | None]]:
    """Return what a node's subgraphs tell of the shapes of its inputs and outputs."""

    def find(subgraph: Subgraph, wiring: Wiring, known: Mapping[str, Shape]) -> Callable[[Entry], Shape | None]:
        readers = zip(subgraph.input_names, wiring.inputs, strict=True)
        dtypes = {name: dtype for name, i in readers if (dtype := found.dtype(node.inputs[i])) is not None}
        inner = infer(subgraph.heads, known, dtypes, default_dtype=default_dtype)

        def of(entry: Entry) -> Shape | None:
            shape = inner.shape(entry)
            return inner.partial.get((id(entry[0]), entry[1])) if shape is None else shape

        return of

    return spread_shapes(node, inputs, outputs, find)


def _telling(nodes: Sequence[Node], shapes: Mapping[str, Shape]) -> set[int]:
    """Return the ids of the variables, and of the operators whose outputs tell the shapes of unknown ones."""
    wanted = {id(n) for n in nodes if n.is_variable}
    for node in reversed(nodes):
        if node.is_variable:
            continue
        if id(node) in wanted or any(s.is_variable and not is_known(shapes.get(s.name)) for s, _ in node.inputs):
            wanted.update(id(source) for source, _ in node.inputs)
    return wanted


def _infer_variables(
    node: Node, found: Inference, default_dtype: str, incomplete: Mapping[tuple[int, int], Shape]
) -> None:
    """Find shapes and dtypes of the variables that an operator reads."""
    op = node.op
    assert op is not None
    active = op.active_inputs(node.typed, len(node.inputs))
    if node.subgraphs:
        inputs = [found.shape(e) for e in node.inputs]
        if None in inputs:
            given_shapes = [
                incomplete.get((id(n), i)) if s is None else s for s, (n, i) in zip(inputs, node.inputs, strict=True)
            ]
            told_shapes, _ = _ask_subgraphs(node, given_shapes, [None] * node.output_count, found, default_dtype)
            for shape, (source, index), before in zip(told_shapes, node.inputs, inputs, strict=True):
                if before is None and source.is_variable and shape is not None and is_complete(shape):
                    found.shapes[id(source), index] = shape
    elif op.has_parameter_rule:
        known = {spec.name: found.shape(entry) for spec, entry in zip(active, node.inputs, strict=False)}
        if any(s is None for s in known.values()):
            rule = op.parameter_shapes(known, node.typed)
            for spec, (source, index) in zip(active, node.inputs, strict=False):
                if known[spec.name] is None and spec.name in rule and source.is_variable:
                    told = tuple(rule[spec.name])
                    given = incomplete.get((id(source), index))
                    if given is None or _fits(given, told):
                        found.shapes[id(source), index] = told
    if all(found.shape(e) is not None for e in node.inputs):
        _settle_dtypes(node, found, default_dtype)


def _infer_outputs(node: Node, found: Inference, default_dtype: str) -> None:
    """Find shapes and dtypes of an operator's outputs, if those of its inputs are known."""
    inputs = [found.shape(e) for e in node.inputs]
    if any(s is None for s in inputs) or (node.op is not None and node.op.shapes == "values"):
        return
    kinds = tuple(
        (s, found.dtype(e) or default_dtype) for s, e in zip(inputs, node.inputs, strict=True) if s is not None
    )
    for index, (shape, dtype) in enumerate(_outputs_of(node, kinds)):
        found.shapes[id(node), index] = shape
        found.dtypes[id(node), index] = dtype


def chosen_branch(node: Node, condition: torch.Tensor | None) -> int | None:
    """Return which subgraph of a branching operator runs, None if the condition is not known."""
    if node.op is None or not node.op.is_branch or condition is None or condition.device.type == "meta":
        return None
    return None if condition.numel() != 1 else 0 if bool(condition) else 1


def _outputs_of_branches(
    node: Node, inputs: Sequence[torch.Tensor | None], default_dtype: str
) -> list[torch.Tensor | None]:
    """Return the outputs of a branching operator: of the branch that runs, or what both branches give alike.

    Returns:
        Meta tensors, arrays where values are known, None where unknown; nothing for other operators.
    """
    if node.op is None or not node.op.is_branch:
        return []
    chosen = chosen_branch(node, inputs[0])
    found: list[list[torch.Tensor | None]] = []
    for position, (subgraph, wiring) in enumerate(wired(node)):
        if chosen in (None, position):
            given = [inputs[p] for p in wiring.inputs]
            known = {n: t for n, t in zip(subgraph.input_names, given, strict=True) if t is not None}
            try:
                inner = infer(
                    subgraph.heads,
                    {n: tuple(t.shape) for n, t in known.items()},
                    {n: BY_TORCH[t.dtype].name for n, t in known.items()},
                    default_dtype=default_dtype,
                    values={n: t for n, t in known.items() if t.device.type != "meta"},
                )
            except InputError:
                if chosen is not None:
                    raise
                return [None] * node.output_count  # the branch that does not run may not take such shapes
            found.append([_told(inner, head) for head in subgraph.heads])
    if len(found) == 1:
        return found[0]
    return [
        a.to("meta") if a is not None and b is not None and a.shape == b.shape and a.dtype == b.dtype else None
        for a, b in zip(*found, strict=True)
    ]


def _told(inference: Inference, entry: Entry) -> torch.Tensor | None:
    """Return an entry as a meta tensor, or as the array that it is known to be; None if its shape is not known."""
    shape, dtype = inference.shape(entry), inference.dtype(entry)
    value = inference.values.get((id(entry[0]), entry[1]))
    if value is not None or shape is None or dtype is None:
        return value
    return torch.empty(shape, dtype=torch_dtype(dtype), device="meta")


def _infer_by_values(node: Node, found: Inference, default_dtype: str) -> None:
    """Find outputs of an operator whose shapes may follow from values, and the values that follow from shapes."""
    op = node.op
    assert op is not None
    inputs: list[torch.Tensor | None] = []
    for source, index in node.inputs:
        key = (id(source), index)
        if key in found.values:
            inputs.append(found.values[key])
        elif key in found.shapes:
            dtype = torch_dtype(found.dtypes.get(key, default_dtype))
            inputs.append(torch.empty(found.shapes[key], dtype=dtype, device="meta"))
        else:
            inputs.append(None)
    try:
        outputs = _outputs_of_branches(node, inputs, default_dtype) or op.infer_outputs(inputs, node.typed)
    except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError, StopIteration) as err:
        if isinstance(err, MXNetError) and not isinstance(err, InputError):
            raise
        given = ", ".join("unknown" if t is None else str(tuple(t.shape)) for t in inputs)
        raise InputError(f"{op.name} `{node.name}`: does not take inputs of shapes {given}: {err}") from err
    told = op.infer_dtypes(dict.fromkeys(op.output_names(node.typed)), node.typed)
    for index, (name, output) in enumerate(zip(told, outputs, strict=False)):
        key, expected = (id(node), index), told[name]
        if isinstance(output, torch.Tensor):
            found.shapes[key], found.dtypes[key] = tuple(output.shape), BY_TORCH[output.dtype].name
            if output.device.type != "meta":
                found.values[key] = output
        elif expected is not None:
            found.dtypes.setdefault(key, expected)


def _settle_dtypes(node: Node, found: Inference, default_dtype: str) -> None:
    """Give variables that an operator reads the dtype that follows from its other inputs."""
    op = node.op
    assert op is not None
    if all((id(n), i) in found.dtypes for n, i in node.inputs):
        return
    if node.subgraphs:
        given = [found.dtypes.get((id(n), i)) for n, i in node.inputs]
        for dtype, (n, i) in zip(
            spread_dtypes(node, given, [None] * node.output_count, _find_dtypes)[0], node.inputs, strict=True
        ):
            if dtype is not None and n.is_variable:
                found.dtypes.setdefault((id(n), i), dtype)
        return
    active = op.active_inputs(node.typed, len(node.inputs))
    entries = [(spec.name, (id(n), i), n) for spec, (n, i) in zip(active, node.inputs, strict=False)]
    known: dict[str, str | None] = {name: found.dtypes.get(key) for name, key, _ in entries}
    told = op.infer_dtypes(known, node.typed)
    if not any(told.values()):
        told = op.infer_dtypes({**told, entries[0][0]: default_dtype}, node.typed)
    for name, key, source in entries:
        dtype = told.get(name)
        if dtype is not None and source.is_variable:
            found.dtypes.setdefault(key, dtype)


def _infer_partly(
    nodes: Sequence[Node], found: Inference, incomplete: Mapping[tuple[int, int], Shape], default_dtype: str
) -> None:
    """Find what does not follow from inputs to outputs in one walk, and keep what is known in part."""

    def run(node: Node, shapes: Sequence[Shape]) -> list[Shape]:
        open_shape = wanted_shape(node)
        if open_shape is not None:
            return [open_shape] if open_shape else []
        kinds = tuple((s, found.dtype(e) or default_dtype) for s, e in zip(shapes, node.inputs, strict=True))
        return [shape for shape, _ in _outputs_of(node, kinds)]

    def spread(node: Node, inputs: Sequence[Shape | None], outputs: Sequence[Shape | None]) -> Spreading:
        return _ask_subgraphs(node, inputs, outputs, found, default_dtype)

    told = infer_dtypes_of(nodes, found.dtypes, default_dtype)
    found.dtypes.update({key: dtype for key, dtype in told.items() if key not in found.dtypes})
    solver = PartialShapes(nodes, {**incomplete, **found.shapes}, run, spread)
    solver.solve()
    for key, shape in solver.shapes.items():
        if is_complete(shape):
            found.shapes[key] = shape
        else:
            found.partial[key] = shape
    for node in nodes:
        if node.op is not None and node.op.carries_values:
            _infer_by_values(node, found, default_dtype)
            continue
        is_open = wanted_shape(node) is not None
        if node.op is not None and not is_open and all(found.shape(e) is not None for e in node.inputs):
            _infer_variables(node, found, default_dtype, incomplete)
            _infer_outputs(node, found, default_dtype)


def infer_dtypes_of(
    nodes: Sequence[Node], known: Mapping[tuple[int, int], str], default_dtype: str
) -> dict[tuple[int, int], str]:
    """Infer dtypes of a graph from those of some entries."""
    found = dict(known)
    _spread_dtypes(nodes, found)
    for node in nodes:
        for index in range(node.output_count):
            found.setdefault((id(node), index), default_dtype)
    return found


def _fits(given: Shape, told: Shape) -> bool:
    return len(given) == len(told) and all(a in (b, UNKNOWN) for a, b in zip(given, told, strict=True))


def _outputs_of(node: Node, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Return shape and dtype of each output, without auxiliary states, from those of the inputs.

    Raises:
        InputError: The operator does not take these shapes; names the node and the shapes.
    """
    op = node.op
    assert op is not None
    # What a user's own operator gives may change when it is registered again.
    run = _run_on_meta.__wrapped__ if op.is_open else _run_on_meta
    try:
        if node.subgraphs:
            return _run_subgraphs_on_meta(node, kinds)
        return run(op, tuple(node.attrs.items()), kinds)[: node.output_count]
    except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError, StopIteration) as err:
        if isinstance(err, MXNetError) and not isinstance(err, InputError):
            raise
        given = ", ".join(str(shape) for shape, _ in kinds)
        raise InputError(f"{op.name} `{node.name}`: does not take inputs of shapes {given}: {err}") from err


@functools.lru_cache(maxsize=KEPT_ANSWERS)
def _run_on_meta(op: Operator, attrs: tuple[tuple[str, str], ...], kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Run an operator's torch function on meta tensors; a graph asks the same again and again, and it is slow.

    Where the table tells the shapes, and there is one dtype of floating point, nothing is run.
    """
    typed = op.parse(dict(attrs))
    dtypes = {dtype for _, dtype in kinds}
    if len(dtypes) == 1 and dtypes <= PLAIN_DTYPES and typed.get("dtype") is None:
        told = op.told_shapes([shape for shape, _ in kinds], typed)
        if told is not None:
            dtype = dtypes.pop()
            return tuple((shape, dtype) for shape in told)
    tensors = [torch.empty(shape, dtype=torch_dtype(dtype), device="meta") for shape, dtype in kinds]
    runtime: dict[str, object] = {}
    if "training" in op.runtime:
        runtime["training"] = False
    if "generator" in op.runtime:
        runtime["generator"] = None
    if "device" in op.runtime:
        runtime["device"] = torch.device("meta")
    with torch.no_grad():
        result = op.forward(*tensors, **typed, **runtime)
    outputs = result if isinstance(result, (tuple, list)) else (result,)
    return tuple((tuple(t.shape), BY_TORCH[t.dtype].name) for t in outputs if t is not None)


def _run_subgraphs_on_meta(node: Node, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    from gluonnx.symbol.executor import BoundBody, compiled

    assert node.op is not None
    meta = torch.device("meta")
    tensors = [torch.empty(shape, dtype=torch_dtype(dtype), device=meta) for shape, dtype in kinds]
    bodies = [BoundBody(compiled(subgraph), wiring, False, None, meta) for subgraph, wiring in wired(node)]
    with torch.no_grad():
        outputs = node.op.forward(*tensors, **node.typed, bodies=bodies)[: node.output_count]
    return tuple((tuple(t.shape), BY_TORCH[t.dtype].name) for t in outputs)


def _parse_declared_shape(text: str) -> Shape:
    return tuple(int(part) for part in text.strip("()[] ").split(",") if part.strip())


def _declared_dtype(node: Node) -> str | None:
    flag = node.annotations.get("__dtype__")
    if flag is None:
        return None
    return next((d.name for d in DTYPES if str(d.flag) == flag), None)
