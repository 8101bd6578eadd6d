"""The ONNX graph under construction: what lowerings speak to, and how it becomes a `GraphProto`.

Every value knows its shape at two batch sizes ("probes"; equal ones if the batch is fixed). Where the two shapes
differ, the dimension depends on the batch, and a lowering sees None. Values inside a lowering are inferred only when
somebody asks for them.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, TypeProto, ValueInfoProto, helper
from onnx.defs import OpSchema
from onnx.shape_inference import infer_node_outputs

from gluonnx.errors import LoweringError
from gluonnx.onnx.arrays import Array, as_array, dtype_name
from gluonnx.ops.builder import Value
from gluonnx.ops.dtypes import BY_NAME, BY_ONNX

OPSET = 20
"""The opset that lowerings target; another one is a pass over the finished graph."""
IR_VERSION = 10
"""ONNX file version; the newest that ONNX Runtime 1.23 reads without question."""

BATCH = "batch"
"""Name of the dynamic axis in inputs and outputs."""

Dims = tuple[int | None, ...]
Shapes = tuple[Dims, Dims]
"""The shape at each of the two probes; None for a dimension that depends on values."""

_EVALUATED_SIZE_LIMIT = 64
"""Largest integer tensor (a shape, an axes list) that shape inference follows by value."""

_ATTRIBUTE_TYPES = {
    OpSchema.AttrType.INT: AttributeProto.INT,
    OpSchema.AttrType.FLOAT: AttributeProto.FLOAT,
    OpSchema.AttrType.STRING: AttributeProto.STRING,
    OpSchema.AttrType.TENSOR: AttributeProto.TENSOR,
    OpSchema.AttrType.GRAPH: AttributeProto.GRAPH,
    OpSchema.AttrType.INTS: AttributeProto.INTS,
    OpSchema.AttrType.FLOATS: AttributeProto.FLOATS,
    OpSchema.AttrType.STRINGS: AttributeProto.STRINGS,
}


_TYPE_NAMES = {"float32": "float", "float64": "double"}
"""What ONNX's schemas call dtypes that have other names here."""


class GraphValue:
    """One tensor of the graph.

    Attributes:
        name: Its name in the graph; None until somebody needs it.
        call: The node that gives it, None for inputs, parameters and constants.
        index: Which output of `call` it is.
        array: Its value, if it is a constant or a frozen parameter.
    """

    __slots__ = ("_dtype", "_shapes", "_suggested", "array", "call", "index", "name")

    def __init__(
        self,
        name: str | None,
        *,
        dtype: str | None = None,
        shapes: Shapes | None = None,
        array: Array | None = None,
        call: "Call | None" = None,
        index: int = 0,
    ) -> None:
        self.name = name
        self.array = array
        self.call = call
        self.index = index
        self._dtype = dtype
        self._shapes = shapes
        self._suggested: tuple[str, int] | None = None

    def __repr__(self) -> str:
        return f"<GraphValue {self.final_name}>"

    @property
    def final_name(self) -> str:
        """The name in the finished graph."""
        if self.name is not None:
            return self.name
        assert self.call is not None
        return self.call.name if len(self.call.outputs) == 1 else f"{self.call.name}:{self.index}"

    @property
    def dtype(self) -> str:
        """Canonical dtype name."""
        if self._dtype is None:
            self._find()
        assert self._dtype is not None
        return self._dtype

    @property
    def shapes(self) -> Shapes:
        """The shape at each probe."""
        if self._shapes is None:
            self._find()
        assert self._shapes is not None
        return self._shapes

    def _find(self) -> None:
        if self.call is None:
            raise LoweringError(f"`{self.name}`: shape unknown: it may change from one step to the next.")
        if self._suggested is None:
            self.call.infer()
            return
        try:
            if not self.call.regions:
                self.call.infer()
        except LoweringError:
            pass
        if not self.is_inferred:
            dtype, rank = self._suggested
            self.settle(dtype, ((None,) * rank, (None,) * rank))

    def suggest(self, dtype: str, rank: int) -> None:
        """Store what holds if the node itself does not tell."""
        self._suggested = (dtype, rank)

    @property
    def is_inferred(self) -> bool:
        """Whether shape and dtype are known by now."""
        return self._shapes is not None

    def settle(self, dtype: str, shapes: Shapes) -> None:
        """Store what was found out."""
        self._dtype = dtype
        self._shapes = shapes

    def known(self, probe: int) -> Array | None:
        """The value at a probe, if it is constant there (a shape is, once the batch size is fixed)."""
        if self.array is not None:
            return self.array
        return None if self.call is None else self.call.known(self.index, probe)


class Call:
    """One ONNX node under construction, or (without `op_type`) an operator that could not be lowered."""

    __slots__ = ("attributes", "inputs", "name", "op_type", "opset", "outputs", "regions")

    def __init__(
        self,
        op_type: str | None,
        name: str,
        inputs: Sequence[GraphValue | None],
        attributes: Sequence[AttributeProto] = (),
        outputs: int = 1,
        regions: "Mapping[str, GraphRegion] | None" = None,
        opset: int = OPSET,
    ) -> None:
        self.op_type = op_type
        self.opset = opset
        self.name = name
        self.inputs = tuple(inputs)
        self.attributes = tuple(attributes)
        self.regions = dict(regions or {})
        self.outputs = tuple(GraphValue(None, call=self, index=i) for i in range(outputs))

    def proto(self, input_names: Sequence[str], output_names: Sequence[str]) -> NodeProto:
        """Return the node with the given names on its edges."""
        assert self.op_type is not None
        node = NodeProto(op_type=self.op_type, name=self.name, input=input_names, output=output_names)
        node.attribute.extend(self.attributes)
        node.attribute.extend(helper.make_attribute(n, region.proto(n)) for n, region in sorted(self.regions.items()))
        return node

    def named_proto(self) -> NodeProto:
        """Return the node with the final names on its edges."""
        return self.proto(
            ["" if v is None else v.final_name for v in self.inputs], [v.final_name for v in self.outputs]
        )

    def infer(self) -> None:
        """Find shape and dtype of every output at both probes.

        Raises:
            LoweringError: ONNX does not define the node for these inputs, or leaves the rank of an output open.
        """
        if self.op_type is None:
            raise LoweringError(f"`{self.name}`: shape unknown: expected it to follow from the inputs' shapes.")
        infer = self._infer_from_regions if self.regions else self._infer_probe
        for value, (dtype, first), (_, second) in zip(self.outputs, infer(0), infer(1), strict=True):
            if not value.is_inferred:
                value.settle(dtype, (first, second))

    def _infer_probe(self, probe: int) -> list[tuple[str, Dims]]:
        assert self.op_type is not None
        names = [f"i{k}" if v is not None else "" for k, v in enumerate(self.inputs)]
        types: dict[str, TypeProto] = {}
        data: dict[str, TensorProto] = {}
        for name, value in zip(names, self.inputs, strict=True):
            if value is None:
                continue
            dims = value.shapes[probe]
            types[name] = helper.make_tensor_type_proto(BY_NAME[value.dtype].onnx, dims)
            # Only small integers (shapes, axes, sizes, indices) take part in shape inference by value.
            if len(dims) <= 1 and value.dtype in ("int64", "int32") and (dims or (1,))[0] is not None:
                array = value.known(probe)
                if array is not None and array.size <= _EVALUATED_SIZE_LIMIT:
                    data[name] = tensor_proto(name, array)
        outputs = [f"o{k}" for k in range(len(self.outputs))]
        try:
            inferred = infer_node_outputs(
                schema_of(self.op_type, self.opset),
                self.proto(names, outputs),
                types,
                data,
                opset_imports=[helper.make_opsetid("", self.opset)],
                ir_version=IR_VERSION,
            )
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError) as err:
            given = ", ".join(str(v.shapes[probe]) for v in self.inputs if v is not None)
            raise LoweringError(
                f"ONNX {self.op_type} `{self.name}`: does not take inputs of shapes {given}: {err}"
            ) from err
        return [self._read(name, inferred.get(name)) for name in outputs]

    def _infer_from_regions(self, probe: int) -> list[tuple[str, Dims]]:
        """Shape and dtype of what a loop or branch gives, from the outputs of its nested graphs.

        Raises:
            LoweringError: Nothing tells them, or two branches give different ranks.
        """
        given = [(v.dtype, v.shapes[probe]) for v in next(iter(self.regions.values())).outputs]
        for region in list(self.regions.values())[1:]:
            for position, other in enumerate(region.outputs):
                dtype, dims = given[position]
                if len(dims) != len(other.shapes[probe]):
                    raise LoweringError(
                        f"ONNX {self.op_type} `{self.name}`: its branches give different shapes: expected one rank for "
                        f"output {position}, got {dims} and {other.shapes[probe]}."
                    )
                same = zip(dims, other.shapes[probe], strict=True)
                given[position] = dtype, tuple(a if a == b else None for a, b in same)
        match self.op_type:
            case "Scan":
                states = len(self.inputs) - next(a.i for a in self.attributes if a.name == "num_scan_inputs")
                scanned = self.inputs[states]
                assert scanned is not None
                length = scanned.shapes[probe][0]
            case "Loop":
                given, states, length = given[1:], len(self.inputs) - 2, None
            case _:
                return given
        return given[:states] + [(dtype, (length, *dims)) for dtype, dims in given[states:]]

    def _read(self, output: str, found: TypeProto | None) -> tuple[str, Dims]:
        tensor = found.tensor_type if found is not None else None
        if tensor is None or tensor.elem_type not in BY_ONNX or not tensor.HasField("shape"):
            raise LoweringError(
                f"ONNX {self.op_type} `{self.name}`: shape inference leaves output `{output}` open: expected its dtype "
                "and rank."
            )
        dims = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
        return BY_ONNX[tensor.elem_type].name, dims

    def known(self, index: int, probe: int) -> Array | None:
        """The value of an output at a probe, where it follows from shapes alone (shape arithmetic)."""
        if self.op_type is None or self.regions:
            return None
        if self.op_type == "Shape":
            source = self.inputs[0]
            assert source is not None
            dims = source.shapes[probe]
            if any(d is None for d in dims):
                return None
            bounds = {a.name: a.i for a in self.attributes}
            return np.array(dims[bounds.get("start", 0) : bounds.get("end", len(dims))], dtype=np.int64)
        feeds: dict[str, Array] = {}
        for position, value in enumerate(self.inputs):
            if value is None:
                continue
            array = value.known(probe)
            if array is None or array.size > _EVALUATED_SIZE_LIMIT:
                return None
            feeds[f"i{position}"] = array
        if not feeds:
            return None
        return self._evaluate(feeds)[index]

    def _evaluate(self, feeds: dict[str, Array]) -> list[Array]:
        from onnx.reference import ReferenceEvaluator

        names = [f"i{k}" if v is not None else "" for k, v in enumerate(self.inputs)]
        outputs = [f"o{k}" for k in range(len(self.outputs))]
        graph = helper.make_graph(
            [self.proto(names, outputs)],
            "node",
            [helper.make_value_info(n, TypeProto()) for n in feeds],
            [helper.make_value_info(n, TypeProto()) for n in outputs],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return [np.asarray(a) for a in ReferenceEvaluator(model).run(None, feeds)]


class GraphRegion:
    """A nested graph under construction; implements `gluonnx.ops.builder.Region`.

    Attributes:
        calls: Its nodes, in the order they were added.
        inputs: What its node feeds it.
        outputs: What it gives to its node.
    """

    __slots__ = ("_builder", "_scope", "calls", "inputs", "outputs")

    def __init__(self, builder: "ModelBuilder", scope: str) -> None:
        self._builder = builder
        self._scope = scope
        self.calls: list[Call] = []
        self.inputs: list[GraphValue] = []
        self.outputs: list[GraphValue] = []

    def input(self, dtype: str, dims: Sequence[int]) -> GraphValue:
        """Add an input."""
        return self._add(dtype, (tuple(dims), tuple(dims)))

    def input_like(self, value: Value, *, is_element: bool = False) -> GraphValue:
        """Add an input of the dtype and shape of a value, or of its elements along axis 0."""
        first, second = _own(value).shapes
        return self._add(_own(value).dtype, (first[1:], second[1:]) if is_element else (first, second))

    def untyped_input(self) -> GraphValue:
        """Add an input whose shape may change from one run of the graph to the next."""
        value = GraphValue(self._builder.unique(f"{self._scope}/input"))
        self.inputs.append(value)
        return value

    def _add(self, dtype: str, shapes: Shapes) -> GraphValue:
        value = GraphValue(self._builder.unique(f"{self._scope}/input"), dtype=dtype, shapes=shapes)
        self.inputs.append(value)
        return value

    def give(self, values: Sequence[Value]) -> None:
        """Make these its outputs; one that is not of this graph, or comes twice, is copied into it."""
        own = {id(c) for c in self.calls}
        for given in values:
            value = _own(given)
            if id(value.call) not in own or any(value is o for o in self.outputs):
                copied = self._builder.op("Identity", value)
                if value.is_inferred:
                    copied.settle(value.dtype, value.shapes)
                value = copied
            self.outputs.append(value)

    def proto(self, name: str) -> GraphProto:
        """Return the finished graph."""
        live = {id(c) for c in live_calls(self.outputs)}
        graph = GraphProto(name=f"{self._scope}/{name}")
        graph.node.extend(c.named_proto() for c in self.calls if id(c) in live)
        graph.input.extend(self._builder.value_info(v) for v in self.inputs)
        graph.output.extend(self._builder.value_info(v) for v in self.outputs)
        return graph


class ModelBuilder:
    """Adds ONNX operators to a graph; implements `gluonnx.ops.builder.GraphBuilder`.

    Names are deterministic: outputs of a node carry MXNet's names, values inside its lowering `<node>/<op_type>`.

    Args:
        batch: The batch size at each probe; equal where the graph's shapes are fixed.
        reserved: Names that the graph's variables and outputs will take.
        axes: Names of open axes, the batch axis among them, by their sizes at the two probes.
    """

    opset = OPSET
    needed_opset = OPSET
    """The least opset that has every node that was added."""

    def __init__(
        self,
        batch: tuple[int, int] = (1, 1),
        reserved: Sequence[str] = (),
        axes: Mapping[tuple[int, int], str] | None = None,
    ) -> None:
        self._axes = ({batch: BATCH} if batch[0] != batch[1] else {}) if axes is None else dict(axes)
        self._used: set[str] = set(reserved)
        self._next: dict[str, int] = {}
        self._calls: list[Call] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], GraphValue] = {}
        self._scope = "graph"

    # What lowerings ask -----------------------------------------------------------------------------------------------

    def op(self, op_type: str, *inputs: Value | None, **attributes: Any) -> GraphValue:
        """Add a node with one output and return it. A None input is an omitted optional one."""
        return self.op_outputs(op_type, 1, *inputs, **attributes)[0]

    def op_outputs(
        self, op_type: str, outputs: int, *inputs: Value | None, **attributes: Any
    ) -> "tuple[GraphValue, ...]":
        """Add a node with several outputs.

        Attributes are coerced to the type that the ONNX schema gives them; a None attribute is left out.

        Raises:
            TypeError: The opset has no such operator or attribute, or an input is no value of the graph.
        """
        schema = schema_of(op_type)
        given: list[GraphValue | None] = []
        for value in inputs:
            if value is not None and not isinstance(value, GraphValue):
                raise TypeError(f"ONNX {op_type}: expected values of the graph as inputs, got {value!r}")
            given.append(value)
        while given and given[-1] is None:
            given.pop()
        regions = {name: attributes.pop(name) for name in list(attributes) if isinstance(attributes[name], GraphRegion)}
        protos = [_attribute(schema, name, value) for name, value in sorted(attributes.items()) if value is not None]
        call = Call(op_type, self.unique(f"{self._scope}/{op_type}"), given, protos, outputs, regions)
        self._calls.append(call)
        return call.outputs

    def foreign(
        self,
        op_type: str,
        inputs: Sequence[Value | None],
        attributes: Mapping[str, Any],
        least_opset: int,
        outputs: int,
        types: Sequence[tuple[str | None, int | None]],
    ) -> "tuple[GraphValue, ...]":
        """Add a node that an imported graph has kept, in the least opset that has its form.

        Args:
            op_type: The ONNX operator.
            inputs: Its inputs, None for one that is left out.
            attributes: ONNX attributes, and nested graphs by the name of their attribute.
            least_opset: The least opset to look at.
            outputs: How many outputs it has.
            types: Dtype name and rank of each output, as far as they are known.
        """
        regions = {n: v for n, v in attributes.items() if isinstance(v, GraphRegion)}
        plain = {n: v for n, v in attributes.items() if n not in regions and v is not None}
        given = [None if v is None else _own(v) for v in inputs]
        while given and given[-1] is None:
            given.pop()
        opset = least_opset
        while not _fits(schema_of(op_type, opset), given, attributes):
            opset += 1  # an opset that does not exist ends it with an error
        schema = schema_of(op_type, opset)
        protos = [_attribute(schema, n, v) for n, v in sorted(plain.items())]
        call = Call(op_type, self.unique(f"{self._scope}/{op_type}"), given, protos, outputs, regions, opset)
        self._calls.append(call)
        self.needed_opset = max(self.needed_opset, opset)
        for value, (dtype, rank) in zip(call.outputs, types, strict=False):
            if dtype is not None and rank is not None:
                value.suggest(dtype, rank)
        return call.outputs

    @contextmanager
    def region(self) -> Iterator[GraphRegion]:
        """Add what is added in the block to a nested graph, the value of an attribute of a later node."""
        region = GraphRegion(self, self._scope)
        before, self._calls = self._calls, region.calls
        try:
            yield region
        finally:
            self._calls = before

    def const(self, array: npt.ArrayLike, dtype: str | None = None) -> GraphValue:
        """A constant tensor (same values share one).

        Without `dtype`, an array keeps its own; Python floats become float32, ints int64 and bools bool.
        """
        value = np.asarray(array)
        if dtype is not None:
            value = value.astype(BY_NAME[dtype].numpy)
        elif not isinstance(array, (np.ndarray, np.generic)) and value.dtype == np.float64:
            value = value.astype(np.float32)
        value = as_array("constant", value)
        key = (dtype_name(value), value.shape, value.tobytes())
        if key not in self._constants:
            self._constants[key] = GraphValue(
                self.unique("constant"), dtype=key[0], shapes=(value.shape, value.shape), array=value
            )
        return self._constants[key]

    def ints(self, values: Sequence[int]) -> Value:
        """A constant 1-D int64 tensor."""
        return self.const(np.array(values, dtype=np.int64).reshape(-1))

    def scalar(self, number: float, like: Value) -> Value:
        """A constant 0-D tensor of the dtype of `like`; a number beyond its range is infinite."""
        with np.errstate(over="ignore"):
            return self.const(np.array(number), self.dtype(like))

    def dims(self, value: Value) -> tuple[int | None, ...]:
        """Shape with None for the dimensions that vary with the batch size.

        Raises:
            LoweringError: The rank varies with the batch size.
        """
        shapes = _own(value).shapes
        if len({len(s) for s in shapes}) > 1:
            raise LoweringError(f"{value!r}: its rank depends on the batch size: {' and '.join(map(str, shapes))}.")
        return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))

    def is_same_size(self, first: Value, axis: int, second: Value, other_axis: int) -> bool:
        """Whether two dimensions are equal at both probes."""
        pairs = zip(_own(first).shapes, _own(second).shapes, strict=True)
        return all(a[axis] is not None and a[axis] == b[other_axis] for a, b in pairs)

    def rank(self, value: Value) -> int:
        """Number of dimensions."""
        return len(self.dims(value))

    def dtype(self, value: Value) -> str:
        """Canonical dtype name."""
        return _own(value).dtype

    def cast(self, value: Value, dtype: str) -> Value:
        """Cast to a canonical dtype name; the value itself where it has that dtype."""
        return value if self.dtype(value) == dtype else self.op("Cast", value, to=BY_NAME[dtype].onnx)

    def shape(self, value: Value) -> Value:
        """The shape at run time, a 1-D int64 tensor; a constant where no dimension varies."""
        dims = self.dims(value)
        fixed = [d for d in dims if d is not None]
        return self.ints(fixed) if len(fixed) == len(dims) else self.op("Shape", value)

    def constant_value(self, value: Value) -> "np.ndarray[Any, Any] | None":
        """The array of a constant or frozen parameter, None for anything computed at run time."""
        return _own(value).array

    # What the walk over the graph asks --------------------------------------------------------------------------------

    def unique(self, name: str) -> str:
        """Return `name`, or `name_1`, `name_2`, ... where it is taken, and take it."""
        candidate = name
        while candidate in self._used:
            self._next[name] = self._next.get(name, 0) + 1
            candidate = f"{name}_{self._next[name]}"
        self._used.add(candidate)
        return candidate

    @contextmanager
    def scope(self, node_name: str) -> Iterator[None]:
        """Name what is added in the block after a node."""
        before, self._scope = self._scope, node_name
        try:
            yield
        finally:
            self._scope = before

    def variable(self, name: str, dtype: str, shapes: Shapes, array: Array | None = None) -> GraphValue:
        """Return a value that no node gives: a graph input, or with `array` a frozen parameter."""
        return GraphValue(name, dtype=dtype, shapes=shapes, array=array)

    def refuse(self, inputs: Sequence[GraphValue], outputs: int) -> tuple[GraphValue, ...]:
        """Return values that stand in for the outputs of an operator that cannot be lowered."""
        return Call(None, self._scope, inputs, outputs=outputs).outputs

    def graph(self, name: str, inputs: Sequence[GraphValue], outputs: Sequence[GraphValue]) -> GraphProto:
        """Return the graph that computes `outputs`: nodes and constants they need, in the order they were added.

        Parameters among the leaves are left for the caller to add as initializers.
        """
        calls = live_calls(outputs)
        live = {id(c) for c in calls}
        needed = {id(v) for c in calls for v in c.inputs if v is not None}
        graph = GraphProto(name=name)
        for call in self._calls:
            if id(call) in live:
                graph.node.append(call.named_proto())
        for value in self._constants.values():
            if id(value) in needed and value.array is not None:
                graph.initializer.append(tensor_proto(value.final_name, value.array))
        graph.input.extend(self.value_info(v) for v in inputs)
        graph.output.extend(self.value_info(v) for v in outputs)
        return graph

    def value_info(self, value: GraphValue) -> ValueInfoProto:
        """Describe a graph input or output. A dimension that is the batch size is called `batch`, one that is another
        open axis of an input is called as that; others that vary are left open.
        """
        try:
            value.shapes  # noqa: B018 (asks whether they can be found)
        except LoweringError:
            return ValueInfoProto(name=value.final_name)
        dims: list[int | str | None] = []
        for (first, second), size in zip(zip(*value.shapes, strict=True), self.dims(value), strict=True):
            dims.append(size if first is None or second is None else self._axes.get((first, second), size))
        return helper.make_tensor_value_info(value.final_name, BY_NAME[value.dtype].onnx, dims)


def live_calls(outputs: Sequence[GraphValue]) -> list[Call]:
    """Return every call that `outputs` depend on, those in nested graphs too."""
    found: dict[int, Call] = {}
    stack = [v.call for v in outputs if v.call is not None]
    while stack:
        call = stack.pop()
        if id(call) not in found:
            found[id(call)] = call
            stack.extend(v.call for v in call.inputs if v is not None and v.call is not None)
            for region in call.regions.values():
                stack.extend(v.call for v in region.outputs if v.call is not None)
    return list(found.values())


@functools.cache
def schema_of(op_type: str, opset: int = OPSET) -> OpSchema:
    """Return the ONNX schema of an operator in an opset, the pinned one unless told.

    Raises:
        TypeError: The opset has no such operator (an error in a lowering).
    """
    try:
        if opset <= onnx.defs.onnx_opset_version():
            return onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        pass
    raise TypeError(f"ONNX opset {opset} has no operator {op_type!r}")


def tensor_proto(name: str, array: Array) -> TensorProto:
    """Return an array as an ONNX tensor with raw data."""
    dtype = BY_NAME[dtype_name(array)]
    return TensorProto(name=name, data_type=dtype.onnx, dims=array.shape, raw_data=array.tobytes())


def _fits(schema: OpSchema, inputs: Sequence[GraphValue | None], attributes: Mapping[str, Any]) -> bool:
    """Whether an operator, as one opset has it, takes these inputs and attributes."""
    if len(inputs) > schema.max_input or any(name not in schema.attributes for name in attributes):
        return False
    for position, value in enumerate(inputs):
        if value is not None and value.is_inferred:
            declared = schema.inputs[min(position, len(schema.inputs) - 1)].types
            if f"tensor({_TYPE_NAMES.get(value.dtype, value.dtype)})" not in declared:
                # A type that no opset has is for the runtime to refuse.
                return schema.since_version == schema_of(schema.name, onnx.defs.onnx_opset_version()).since_version
    return True


def _own(value: Value) -> GraphValue:
    if not isinstance(value, GraphValue):
        raise TypeError(f"expected a value of the graph, got {value!r}")
    return value


def _attribute(schema: OpSchema, name: str, value: Any) -> AttributeProto:
    declared = schema.attributes.get(name)
    if declared is None:
        raise TypeError(f"ONNX {schema.name}: has no attribute {name!r} in opset {OPSET}")
    attribute_type = _ATTRIBUTE_TYPES[declared.type]
    match attribute_type:
        case AttributeProto.INT:
            value = int(value)
        case AttributeProto.FLOAT:
            value = float(value)
        case AttributeProto.INTS:
            value = [int(v) for v in value]
        case AttributeProto.FLOATS:
            value = [float(v) for v in value]
        case AttributeProto.TENSOR if not isinstance(value, TensorProto):
            value = tensor_proto("", as_array(name, np.asarray(value)))
    return helper.make_attribute(name, value, attr_type=attribute_type)
