"""The walk over an ONNX model that makes the nodes of a graph."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, helper, numpy_helper

from gluonnx.errors import FormatError, MXNetError
from gluonnx.onnx.arrays import Array
from gluonnx.onnx.lift.folding import Folded, fold
from gluonnx.onnx.lift.reading import graphs_of, prepare
from gluonnx.onnx.lift.rules import RULES
from gluonnx.onnx.lift.sizes import Dim
from gluonnx.ops.dtypes import BY_NAME, BY_NUMPY, BY_ONNX
from gluonnx.ops.foreign import foreign_operator
from gluonnx.ops.foreign.table import COUNT_KEY, MASK_KEY, PREFIX, SUBGRAPHS, TYPES_KEY, WIRING_KEY, encode
from gluonnx.ops.table import TABLE
from gluonnx.symbol.bodies import check_subgraphs
from gluonnx.symbol.graph import Entry, Node, Subgraph, topological

SMALL = 256
"""Integer arrays up to this many elements are part of the graph, not parameters."""
MAX_CONSTANT = 1 << 16
"""Largest array of values (a list of axes, the sizes of a split) that may be part of the graph."""

PLAIN = ("float32", "float16")
"""Dtypes that MXNet's operators and ONNX's compute alike."""
MOVABLE = (*PLAIN, "float64", "int8", "uint8", "int32", "int64")
"""Dtypes whose values MXNet's operators move."""

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class LiftedModel:
    """A foreign ONNX model as a graph.

    Attributes:
        heads: Outputs.
        input_names: Inputs, in the model's order.
        output_names: Names that the model has for its outputs.
        parameters: Arrays of the other variables, by name.
        kept: ONNX operators that the graph keeps, with how many nodes there are of each.
    """

    heads: tuple[Entry, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    parameters: dict[str, Array]
    kept: dict[str, int]


def lift(
    model: ModelProto, where: str = "model", *, keep_all: bool = False, arrays: Mapping[str, Array] | None = None
) -> LiftedModel:
    """Make a graph of a foreign ONNX model.

    Args:
        model: The model; it is changed.
        where: Names the model in messages.
        arrays: Values of initializers that are not inside, by name; in the model they are inputs.
        keep_all: Keep every operator as ONNX's, also where an MXNet operator means the same.

    Raises:
        FormatError: Not valid ONNX, or with operators or types that there is nothing for.
    """
    model = prepare(model, where)
    lifter = _Lifter(where, keep_all, arrays or {})
    try:
        return lifter.run(model.graph, Folded() if keep_all else fold(model, arrays or {}))
    except MXNetError as err:
        if isinstance(err, FormatError):
            raise
        raise FormatError(f"{where}: cannot be imported: {err}") from err
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as err:
        raise FormatError(f"{where}: damaged: expected a sound ONNX graph, got {err!r}.") from err


class Scope:
    """What is known inside one graph: the model's, or a nested one.

    Attributes:
        entries: The graph's outputs and variables by the name of the ONNX value.
        constants: Arrays by the name of the ONNX value.
        shapes: Shapes by name, None for a dimension that is open.
        dtypes: Canonical dtype names by name.
        sizes: Shapes by name, with what is known of open dimensions.
        outer: The scope around it.
        lifted: What MXNet operators read of constants, by name.
        captured: Variables that stand for values of the scope around it, by name.
    """

    def __init__(self, outer: "Scope | None" = None) -> None:
        self.entries: dict[str, Entry] = {}
        self.constants: dict[str, Array] = dict(outer.constants) if outer else {}
        self.shapes: dict[str, Shape] = dict(outer.shapes) if outer else {}
        self.dtypes: dict[str, str] = dict(outer.dtypes) if outer else {}
        self.sizes: dict[str, tuple[Dim, ...]] = {}
        self.outer = outer
        self.lifted: dict[str, Entry] = {}
        self.captured: dict[str, Node] = {}


class _Lifter:
    def __init__(self, where: str, keep_all: bool, arrays: Mapping[str, Array]) -> None:
        self.where = where
        self.keep_all = keep_all
        self.arrays = arrays
        self.parameters: dict[str, Array] = {}
        self.folded = Folded()
        self.names: set[str] = set()
        self.used: set[str] = set()
        self.outputs: set[str] = set()
        self.held: set[str] = set()

    def run(self, graph: GraphProto, folded: Folded) -> LiftedModel:
        scope = Scope()
        self.folded = folded
        self.used = {n for g in graphs_of(graph) for node in g.node for n in node.input}
        self.used |= {o.name for g in graphs_of(graph) for o in g.output}
        self.outputs = {o.name for o in graph.output}
        self._describe(graph, scope)
        for name, array in self.arrays.items():
            self._constant(scope, name, array)
        for name, sizes in folded.shapes.items():
            scope.sizes[name] = sizes
            scope.shapes[name] = tuple(d if isinstance(d, int) else None for d in sizes)
        for name, number in folded.types.items():
            if number in BY_ONNX:
                scope.dtypes.setdefault(name, BY_ONNX[number].name)
        inputs = [i for i in graph.input if i.name not in scope.constants]
        for info in inputs:
            self._check_type(info.name, info.type)
            dtype = scope.dtypes[info.name]
            node = Node(None, info.name, annotations={"__dtype__": str(BY_NAME[dtype].flag)})
            self.names.add(info.name)
            scope.entries[info.name] = (node, 0)
        for output in graph.output:
            self._check_type(output.name, output.type)
        self._walk(graph, scope)
        heads = tuple(self.entry(scope, o.name) for o in graph.output)
        reached = {n.name for n in topological(heads) if n.op is None}
        return LiftedModel(
            heads,
            tuple(i.name for i in inputs),
            tuple(o.name for o in graph.output),
            {n: a for n, a in self.parameters.items() if n in reached},
            _kept(heads),
        )

    def _check_type(self, name: str, value_type: TypeProto) -> None:
        if not value_type.HasField("tensor_type") or value_type.tensor_type.elem_type not in BY_ONNX:
            kind = value_type.WhichOneof("value") or "no type"
            if kind == "tensor_type":
                kind = TensorProto.DataType.Name(value_type.tensor_type.elem_type)
            raise FormatError(
                f"{self.where}: `{name}` is no array of numbers: expected one of {', '.join(BY_NAME)}, got {kind}."
            )

    def _describe(self, graph: GraphProto, scope: Scope) -> None:
        for info in (*graph.value_info, *graph.input, *graph.output):
            tensor = info.type.tensor_type
            if info.type.HasField("tensor_type"):
                if tensor.elem_type in BY_ONNX:
                    scope.dtypes[info.name] = BY_ONNX[tensor.elem_type].name
                if tensor.HasField("shape"):
                    scope.shapes[info.name] = tuple(
                        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in tensor.shape.dim
                    )
        for tensor in graph.initializer:
            self._constant(scope, tensor.name, self._array(tensor, tensor.name))

    def _array(self, tensor: TensorProto, name: str) -> Array:
        if tensor.data_type not in BY_ONNX:
            kind = (
                TensorProto.DataType.Name(tensor.data_type)
                if tensor.data_type in TensorProto.DataType.values()
                else "?"
            )
            raise FormatError(
                f"{self.where}: `{name}` is no array of numbers: expected one of {', '.join(BY_NAME)}, got {kind}."
            )
        if tensor.data_location == TensorProto.EXTERNAL:
            raise FormatError(
                f"{self.where}: `{name}` lies in another file: expected its values in the model, got external data. "
                "Read the model with gluonnx.onnx.read_model."
            )
        return np.asarray(numpy_helper.to_array(tensor))

    def _constant(self, scope: Scope, name: str, array: Array) -> None:
        scope.constants[name] = array
        scope.shapes[name] = array.shape
        scope.dtypes[name] = BY_NUMPY[array.dtype.newbyteorder("=")].name

    def _walk(self, graph: GraphProto, scope: Scope) -> None:
        for node in graph.node:
            if node.op_type == "Constant":
                self._constant(scope, node.output[0], self._constant_of(node))
            elif node.op_type == "Identity" and node.input[0] in scope.constants:
                self._constant(scope, node.output[0], scope.constants[node.input[0]])
            else:
                call = Call(self, scope, node)
                found = None if self.keep_all or scope.outer is not None else self._rule(call)
                if found is None:
                    self._keep(call)
                else:
                    scope.entries.update((o, e) for o, e in zip(node.output, found, strict=False) if o)

    def _constant_of(self, node: NodeProto) -> Array:
        attribute = node.attribute[0]
        value = helper.get_attribute_value(attribute)
        match attribute.name:
            case "value":
                return self._array(value, node.output[0])
            case "value_float" | "value_floats":
                return np.array(value, dtype=np.float32)
            case "value_int" | "value_ints":
                return np.array(value, dtype=np.int64)
        raise FormatError(f"{self.where}: constant `{node.output[0]}` is no array of numbers: got {attribute.name}.")

    def _rule(self, call: "Call") -> Sequence[Entry] | None:
        rule = RULES.get(call.op_type)
        found = None if rule is None else rule(call)
        made = [found] if isinstance(found, tuple) else found
        return made if made is not None and not any(map(call.is_used, range(len(made), call.count))) else None

    # Values -----------------------------------------------------------------------------------------------------------

    def entry(self, scope: Scope, name: str, *, as_value: bool = False) -> Entry:
        """Return the graph's entry for an ONNX value; one is made for a constant.

        Args:
            scope: Where it is read.
            name: The ONNX value.
            as_value: Whether its values decide shapes, so that it is part of the graph.
        """
        found = scope.entries.get(name)
        if found is not None:
            return found
        if name in scope.constants:
            array = scope.constants[name]
            if as_value or self._belongs_to_graph(array):
                if array.size > MAX_CONSTANT:
                    raise FormatError(
                        f"{self.where}: `{name}` decides shapes and is large: expected at most {MAX_CONSTANT} "
                        f"elements, got {array.size}."
                    )
                entry = (self._constant_node(name, array), 0)
            elif scope.outer is not None:
                entry = (self._captured(scope, self._outermost(scope, name)), 0)
            else:
                entry = (self.parameter(name, array), 0)
            scope.entries[name] = entry
            return entry
        if scope.outer is not None:
            entry = (self._captured(scope, name), 0)
            scope.entries[name] = entry
            return entry
        raise FormatError(f"{self.where}: value `{name}` comes from nowhere: expected a node or an initializer.")

    def _belongs_to_graph(self, array: Array) -> bool:
        if array.ndim == 0 or array.size == 0:
            return True
        return array.dtype.kind != "f" and array.dtype != BY_NAME["bfloat16"].numpy and array.size <= SMALL

    def lifted(self, scope: Scope, name: str) -> Entry:
        """Return the entry for what an MXNet operator reads: MXNet's own nodes and parameters for constants."""
        if name not in scope.constants or name in scope.entries:
            found = self.entry(scope, name)
            if found[0].op is None or found[0].op.name != PREFIX + "Constant":
                return found
        if name not in scope.lifted:
            array = scope.constants[name]
            if array.size == 1 and array.dtype.kind == "f":
                attrs = {
                    "shape": array.shape or (1,),
                    "value": float(array.reshape(-1)[0]),
                    "dtype": scope.dtypes[name],
                }
                operator = TABLE["_full"]
                node = Node(operator, self.unique(name), [], operator.to_text(attrs))
            else:
                node = self.parameter(name if name not in self.names else self.unique(name), array)
            scope.lifted[name] = (node, 0)
        return scope.lifted[name]

    def _constant_node(self, name: str, array: Array) -> Node:
        operator = foreign_operator("Constant")
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
        return Node(operator, self.unique(name), attrs={"value": encode(little)})

    def parameter(self, name: str, array: Array) -> Node:
        """Return the variable of an array that trains."""
        self.parameters[name] = array
        dtype = BY_NUMPY[array.dtype.newbyteorder("=")]
        notes = {"__shape__": str(tuple(array.shape)), "__dtype__": str(dtype.flag)}
        self.names.add(name)
        return Node(None, name, annotations=notes)

    def _captured(self, scope: Scope, name: str) -> Node:
        """A variable of a nested graph that stands for a value of the graph around it."""
        node = scope.captured[name] = Node(None, f"captured:{name}")
        return node

    def _outermost(self, scope: Scope, name: str) -> str:
        """Make a constant of a nested graph one of the model's, where it is a parameter; return its name there."""
        array, root = scope.constants[name], scope
        while root.outer is not None:
            root = root.outer
        if root.constants.get(name) is array:
            return name
        new = self.unique(name)
        self._constant(root, new, array)
        return new

    def unique(self, name: str) -> str:
        """Return a name that no node of the graph has."""
        candidate, count = name, 0
        while candidate in self.names:
            count += 1
            candidate = f"{name}_{count}"
        self.names.add(candidate)
        return candidate

    # Kept operators ---------------------------------------------------------------------------------------------------

    def _keep(self, call: "Call") -> None:
        node, scope = call.proto, call.scope
        operator = foreign_operator(node.op_type)
        assert operator is not None
        row = operator.row
        outputs = list(node.output)
        while len(outputs) > 1 and not outputs[-1]:
            outputs.pop()
        inputs = [self.entry(scope, n, as_value=i in row.values) if n else None for i, n in enumerate(node.input)]
        mask = "".join("1" if e is not None else "0" for e in inputs).rstrip("0")
        given = [e for e in inputs if e is not None]
        attrs: dict[str, str] = {MASK_KEY: encode(mask), COUNT_KEY: encode(len(outputs))}
        types = [[scope.dtypes.get(o), len(scope.shapes[o]) if o in scope.shapes else None] for o in outputs]
        if any(t != [None, None] for t in types):
            attrs[TYPES_KEY] = encode(types)
        for attribute in node.attribute:
            if attribute.type not in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
                attrs[attribute.name] = self._attribute(node, attribute)
        subgraphs: list[Subgraph] = []
        wirings = []
        for name in SUBGRAPHS.get(node.op_type, ()):
            body = next(a.g for a in node.attribute if a.name == name)
            subgraph, places = self._nested(body, scope, given)
            subgraphs.append(subgraph)
            wirings.append([places, len(subgraph.heads)])
        if wirings:
            attrs[WIRING_KEY] = encode(wirings)
        name = self.unique(next(o for o in outputs if o))
        made = Node(operator, name, given, attrs, subgraphs=subgraphs)
        operator.check_count(len(given), made.typed)
        check_subgraphs(made)
        for index, output in enumerate(outputs):
            if output:
                scope.entries[output] = (made, index)

    def _attribute(self, node: NodeProto, attribute: AttributeProto) -> str:
        value = helper.get_attribute_value(attribute)
        match attribute.type:
            case AttributeProto.TENSOR:
                return encode(self._array(value, node.output[0]))
            case AttributeProto.STRING:
                return encode(value.decode())
            case AttributeProto.STRINGS:
                return encode([v.decode() for v in value])
            case AttributeProto.INT | AttributeProto.FLOAT:
                return encode(value)
            case AttributeProto.INTS | AttributeProto.FLOATS:
                return encode(list(value))
        raise FormatError(
            f"{self.where}: {node.op_type} `{node.output[0]}`: attribute {attribute.name} is of no known type."
        )

    def _nested(self, graph: GraphProto, outer: Scope, given: list[Entry]) -> tuple[Subgraph, list[int]]:
        """Return a nested graph and what each of its variables reads; `given` grows by the values it captures."""
        scope = Scope(outer)
        self._describe(graph, scope)
        formal: dict[str, int] = {}
        for k, info in enumerate(graph.input):
            formal[info.name] = k
            scope.constants.pop(info.name, None)
            scope.entries[info.name] = (Node(None, self.unique(info.name)), 0)
        self._walk(graph, scope)
        subgraph = Subgraph([self.entry(scope, o.name) for o in graph.output])
        places = {scope.entries[name][0].name: -1 - k for name, k in formal.items()}
        for name, node in scope.captured.items():
            if node.name in subgraph.input_names:
                source = self.entry(outer, name)
                if source not in given:
                    given.append(source)
                places[node.name] = given.index(source)
        return subgraph, [places[name] for name in subgraph.input_names]


def _kept(heads: Sequence[Entry]) -> dict[str, int]:
    """Return the ONNX operators of a graph, with how many nodes there are of each."""
    counts: dict[str, int] = {}
    graphs = [heads]
    while graphs:
        for node in topological(graphs.pop()):
            graphs += [s.heads for s in node.subgraphs]
            if node.op is not None and node.op.name.startswith(PREFIX):
                name = node.op.name.removeprefix(PREFIX)
                counts[name] = counts.get(name, 0) + 1
    constants = counts.pop("Constant", 0)  # they belong to the operators that read them
    return dict(sorted(counts.items())) or ({"Constant": constants} if constants else {})


class Call:
    """An ONNX node that is being lifted: what a rule may ask.

    Attributes:
        op_type: The ONNX operator.
        proto: The node.
        scope: Where it stands.
    """

    def __init__(self, lifter: _Lifter, scope: Scope, proto: NodeProto) -> None:
        self._lifter = lifter
        self.scope = scope
        self.proto = proto
        self.op_type = proto.op_type
        self._attributes = {a.name: a for a in proto.attribute}

    def attr(self, name: str, default: Any = None) -> Any:
        """Return an attribute; strings as text, lists as tuples, tensors as arrays."""
        found = self._attributes.get(name)
        if found is None:
            return default
        value = helper.get_attribute_value(found)
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, TensorProto):
            return numpy_helper.to_array(value)
        return (
            value
            if isinstance(value, (int, float))
            else tuple(v.decode() if isinstance(v, bytes) else v for v in value)
        )

    @property
    def inputs(self) -> list[str]:
        """Names of its inputs, "" where one is left out."""
        return list(self.proto.input)

    def has(self, index: int) -> bool:
        """Whether it has this input."""
        return index < len(self.proto.input) and bool(self.proto.input[index])

    def entry(self, index: int) -> Entry:
        """Return an input as an entry that an MXNet operator reads."""
        return self._lifter.lifted(self.scope, self.proto.input[index])

    def constant(self, index: int) -> Array | None:
        """Return the array of an input that is constant."""
        return self.scope.constants.get(self.proto.input[index]) if self.has(index) else None

    def shape(self, index: int) -> Shape | None:
        """Return the shape of an input, None where its rank is not known."""
        return self.scope.shapes.get(self.proto.input[index])

    def sizes(self, index: int) -> tuple[Dim, ...] | None:
        """Return the shape of an input with what is known of open dimensions."""
        return self.scope.sizes.get(self.proto.input[index])

    def value(self, index: int) -> "np.ndarray[Any, Any] | None":
        """Return the elements of an input that follows from shapes: numbers, or sizes."""
        return self._lifter.folded.values.get(self.proto.input[index]) if self.has(index) else None

    def alike(self, index: int) -> Entry | None:
        """Return an array whose shape an input lists, where one is known."""
        name = self._lifter.folded.sources.get(self.proto.input[index])
        return None if name is None else self._lifter.lifted(self.scope, name)

    def fill(self, index: int) -> float | None:
        """Return the number that all elements of an input are, None where nothing says so."""
        return self._lifter.folded.fills.get(self.proto.input[index]) if self.has(index) else None

    @property
    def count(self) -> int:
        """How many outputs the node has."""
        return len(self.proto.output)

    def is_used(self, index: int) -> bool:
        """Whether anything reads an output."""
        return bool(self.proto.output[index]) and self.proto.output[index] in self._lifter.used

    def output_shape(self, index: int = 0) -> Shape | None:
        """Return the shape of an output, None where its rank is not known."""
        return self.scope.shapes.get(self.proto.output[index])

    def output_sizes(self) -> tuple[Dim, ...] | None:
        """Return the shape of the output with what is known of open dimensions."""
        return self.scope.sizes.get(self.proto.output[0])

    def output_dtype(self) -> str | None:
        """Return the dtype name of the output."""
        return self.scope.dtypes.get(self.proto.output[0])

    def dtype(self, index: int) -> str | None:
        """Return the dtype name of an input."""
        return self.scope.dtypes.get(self.proto.input[index])

    def is_plain(self, *positions: int) -> bool:
        """Whether these inputs (all, if none are named) are float32 or float16 arrays such as MXNet's classic ones."""
        return self.is_array(*positions, dtypes=PLAIN)

    def is_array(self, *positions: int, dtypes: Collection[str] = MOVABLE) -> bool:
        """Whether these inputs (all, if none are named) have axes, none of them empty, and one of some dtypes."""
        for i in positions or range(len(self.proto.input)):
            shape = self.shape(i)
            if self.dtype(i) not in dtypes or not shape or 0 in shape:
                return False
        shape = self.output_shape()
        return bool(shape) and 0 not in (shape or ())

    def hold(self, names: Sequence[str]) -> bool:
        """Take constants as the state of this node; False if another node holds one of them."""
        if self._lifter.held & set(names):
            return False
        self._lifter.held.update(names)
        return True

    def parameter(self, label: str, array: Array) -> Entry:
        """Add a parameter that the node needs in a form of its own, named after the output."""
        name = self._lifter.unique(self.proto.output[0] + label)
        return self._lifter.parameter(name, array), 0

    def full(self, shape: Sequence[int], value: float, dtype: str) -> Entry:
        """Add an array of one number."""
        return self.make("_full", [], {"shape": tuple(shape), "value": value, "dtype": dtype}, "_full")

    def make_many(self, op: str, inputs: Sequence[Entry], attrs: Mapping[str, Any], count: int) -> list[Entry]:
        """Add an MXNet operator of several outputs."""
        node, _ = self.make(op, inputs, attrs)
        return [(node, i) for i in range(count)]

    def same(self, entry: Entry) -> Entry:
        """Return an array as it is; what the model gives has a node of its own."""
        return self.make("_copy", [entry], {}) if self.proto.output[0] in self._lifter.outputs else entry

    def make(self, op: str, inputs: Sequence[Entry], attrs: Mapping[str, Any], label: str = "") -> Entry:
        """Add an MXNet operator, named after the output."""
        operator = TABLE[op]
        name = self._lifter.unique(self.proto.output[0] + label)
        return Node(operator, name, inputs, operator.to_text(attrs)), 0
