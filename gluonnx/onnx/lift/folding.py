"""What a graph computes from its shapes and constants alone, found out before the graph is made.

Exporters write shapes as arithmetic: Shape, Gather, Concat, Reshape. `fold` follows such values through the model, with
dimensions that are open as symbols, puts constants where a value does not depend on them, and tells the shapes that
follow. Nothing is guessed: a value that could depend on anything else stays open.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from gluonnx.errors import MXNetError
from gluonnx.onnx.arrays import Array, as_array, as_tensor
from gluonnx.onnx.lift.sizes import Dim, Size, differ, divide
from gluonnx.ops.dtypes import BY_ONNX
from gluonnx.ops.foreign.table import ROWS, SUBGRAPHS

MAX_VALUE = 1024
"""Largest integer array that is followed element by element."""
MAX_FOLDED = 1 << 16
"""Largest constant, in elements, that is computed from smaller ones."""
ROUNDS = 6
"""How often shapes are inferred anew from what was found; each time shows what follows from the last."""

Sizes = tuple[Dim, ...]
_MOVES = frozenset({"Expand", "Slice", "Reshape", "Unsqueeze", "Squeeze", "Transpose", "Identity", "Tile"})
"""Operators that give nothing but elements of their input."""
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
_NOT_FOLDED = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Constant", *SUBGRAPHS})
"""Quantized weights stay as small as they are; subgraphs and random operators are not run."""


@dataclass
class Folded:
    """What is known of the values of the model's graph.

    Attributes:
        shapes: Shapes whose rank is known, by name.
        values: Elements of small integer arrays that follow from shapes, by name.
        sources: What has exactly the shape that such an array lists, by the array's name.
        fills: The one number of arrays all of whose elements are the same, by name.
        types: ONNX element types, by name.
    """

    shapes: dict[str, Sizes] = field(default_factory=dict)
    values: dict[str, "np.ndarray[Any, Any]"] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    fills: dict[str, float] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)


def fold(model: ModelProto, arrays: Mapping[str, Array] | None = None) -> Folded:
    """Put constants in place of the nodes of a model's graph that only shapes and constants decide.

    Args:
        model: A prepared model; nodes that are constants become Constant nodes.
        arrays: Values of initializers that are not inside, by name; in the model they are inputs.
    """
    symbols: dict[str, Dim] = {}
    told: dict[str, Sizes] = {}
    types = {i.name: i.type.tensor_type.elem_type for i in (*model.graph.value_info, *model.graph.output)}
    for _ in range(ROUNDS):
        inferred = onnx.shape_inference.infer_shapes(_skeleton(model, told, types, symbols), data_prop=True)
        types |= {i.name: i.type.tensor_type.elem_type for i in inferred.graph.value_info}
        work = _Fold(model, _shapes(inferred.graph, symbols), types, arrays or {})
        work.run()
        new = work.learnt()
        if all(told.get(n) == s for n, s in new.items()) and not work.has_inlined:
            break
        told = new
    work.found.types = work.types
    return work.found


def _skeleton(model: ModelProto, told: dict[str, Sizes], types: dict[str, int], symbols: dict[str, Dim]) -> ModelProto:
    """The model with what shape inference reads: large arrays are inputs, and only known shapes are told."""
    light = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = light.graph
    graph.name = model.graph.name or "graph"
    given = {t.name for t in model.graph.initializer}
    graph.input.extend(i for i in model.graph.input if i.name not in given)
    for tensor in model.graph.initializer:
        if int(np.prod(tensor.dims)) <= MAX_VALUE:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for node in model.graph.node:
        large = next((a.t for a in node.attribute if a.name == "value" and node.op_type == "Constant"), None)
        if large is not None and int(np.prod(large.dims)) > MAX_VALUE:
            graph.input.append(helper.make_tensor_value_info(node.output[0], large.data_type, large.dims))
        else:
            graph.node.append(node)
    for info in model.graph.output:
        made = graph.output.add(name=info.name)
        made.type.CopyFrom(info.type)
        if info.type.HasField("tensor_type"):
            made.type.tensor_type.ClearField("shape")
    outputs = {o.name: o for o in graph.output}
    for name, sizes in told.items():
        shape = [_text(d, symbols) for d in sizes]
        if name in outputs:
            outputs[name].CopyFrom(helper.make_tensor_value_info(name, types[name], shape))
        elif types.get(name):
            graph.value_info.append(helper.make_tensor_value_info(name, types[name], shape))
    return light


def _text(size: Dim, symbols: dict[str, Dim]) -> int | str:
    if isinstance(size, Size):
        text = repr(size) if size == Size.named(repr(size)) else f"={size!r}"  # apart from names that models have
        symbols[text] = size
        return text
    return size


def _shapes(graph: GraphProto, symbols: dict[str, Dim]) -> dict[str, Sizes]:
    """Shapes of known rank; a dimension without a name is a symbol of its own."""
    found: dict[str, Sizes] = {}
    for info in (*graph.value_info, *graph.input, *graph.output):
        kind = info.type.tensor_type
        if info.type.HasField("tensor_type") and kind.HasField("shape"):
            found[info.name] = tuple(
                d.dim_value
                if d.HasField("dim_value") and d.dim_value >= 0
                else symbols.setdefault(d.dim_param, Size.named(d.dim_param))
                if d.dim_param
                else Size.named(f"{info.name}@{axis}")
                for axis, d in enumerate(kind.shape.dim)
            )
    return found


class _Fold:
    """One walk over the graph.

    Attributes:
        found: What is known so far.
        constants: Arrays by name; large ones as they are in the model.
        weights: Names of what trains; it stays a parameter of its own name.
        packed: Names of what the lifting reads as arrays, weights or not.
        derived: Names of shapes that follow from values, which shape inference does not know.
        has_inlined: Whether nodes of a branch have taken the place of an If, of which shape inference is to tell.
    """

    def __init__(
        self, model: ModelProto, shapes: dict[str, Sizes], types: Mapping[str, int], arrays: Mapping[str, Array]
    ) -> None:
        self.graph = model.graph
        self.found = Folded(shapes)
        self.constants: dict[str, Array | TensorProto] = dict(arrays)
        self.weights: set[str] = {n for n, a in arrays.items() if a.dtype.kind not in "iub"}
        self.packed = _packed(model.graph)
        self.derived: dict[str, None] = {}
        self.has_inlined = False
        self.types = dict(types)
        for info in self.graph.input:
            self.types[info.name] = info.type.tensor_type.elem_type

    def learnt(self) -> dict[str, Sizes]:
        """Return what shape inference is to be told: shapes of values, and where their sizes come from."""
        shapes = self.found.shapes
        told = {n: shapes[n] for n in self.derived}
        wanted = {d for s in told.values() for d in s if isinstance(d, Size)}
        names = {name for size in wanted for monomial in size.terms for name in monomial}
        for node in self.graph.node:
            for output in node.output:
                own = {n for d in shapes.get(output, ()) if isinstance(d, Size) for m in d.terms for n in m}
                if own & names:
                    told.setdefault(output, shapes[output])
                    names -= own
        return told

    def run(self) -> None:
        for tensor in self.graph.initializer:
            self._constant(tensor.name, tensor)
        nodes: list[NodeProto] = []
        pending = deque(self.graph.node)
        while pending:
            node = pending.popleft()
            chosen = self._chosen(node) if node.op_type == "If" else None
            if chosen is not None:
                self.has_inlined = True
                pending.extendleft(reversed(_inlined(node, chosen)))
                continue
            if node.op_type == "Constant":
                value = next((a.t for a in node.attribute if a.name == "value"), None)
                if value is not None:
                    self._constant(node.output[0], value)
                else:
                    self._listed(node)
                nodes.append(node)
                continue
            if node.op_type == "Range":
                nodes += self._scalars(node)
            self._follow(node)
            node = self._cast(node)
            nodes += self._folded(node) or [node]
        del self.graph.node[:]
        self.graph.node.extend(nodes)

    def _chosen(self, node: NodeProto) -> GraphProto | None:
        """The branch that an If always takes."""
        condition = self.found.values.get(node.input[0])
        if condition is None or condition.size != 1 or not isinstance(condition.reshape(-1)[0], (int, bool)):
            return None
        wanted = "then_branch" if condition.reshape(-1)[0] else "else_branch"
        branch: GraphProto = next(a.g for a in node.attribute if a.name == wanted)
        return branch

    def _cast(self, node: NodeProto) -> NodeProto:
        """The same node; a cast to the dtype of another value, where that is known, names the dtype."""
        dtype = self.types.get(node.input[1], 0) if node.op_type == "CastLike" else 0
        return helper.make_node("Cast", node.input[:1], node.output, to=dtype) if dtype else node

    def _scalars(self, node: NodeProto) -> list[NodeProto]:
        """Nodes that make scalars of the bounds of a Range that are lists of one, which runtimes refuse."""
        made = []
        for i, name in enumerate(node.input):
            if self.found.shapes.get(name) == (1,):
                scalar = f"{node.output[0]}/bound{i}"
                made.append(helper.make_node("Squeeze", [name], [scalar]))
                node.input[i] = scalar
                self._follow(made[-1])
        return made

    def _constant(self, name: str, tensor: TensorProto) -> None:
        self.found.shapes[name] = tuple(tensor.dims)
        if tensor.data_type not in BY_ONNX or tensor.data_location == TensorProto.EXTERNAL:
            return
        size = int(np.prod(tensor.dims))
        if tensor.data_type in _FLOATS and size > 1:
            self.weights.add(name)
        if size > MAX_FOLDED:
            self.constants[name] = tensor
        else:
            self._know(name, numpy_helper.to_array(tensor))

    def _know(self, name: str, array: Array) -> None:
        self.constants[name] = array
        self.found.shapes[name] = array.shape
        if array.dtype.kind in "iub" and array.size <= MAX_VALUE:
            self.found.values[name] = array.astype(object)
        elif array.dtype.kind == "f" and array.size and (array == array.flat[0]).all():
            self.found.fills[name] = float(array.flat[0])

    def _listed(self, node: NodeProto) -> None:
        """A Constant whose value is a number or a list of numbers."""
        attribute = node.attribute[0]
        dtype = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
        if attribute.name in dtype:
            array = np.array(helper.get_attribute_value(attribute), dtype=dtype[attribute.name])
            self._know(node.output[0], array)

    # Values that follow from shapes -----------------------------------------------------------------------------------

    def _follow(self, node: NodeProto) -> None:
        name = node.output[0]
        rule = _VALUES.get(node.op_type)
        if rule is not None and name:
            try:
                value = rule(self, node)
            except (IndexError, ValueError, TypeError, KeyError, ZeroDivisionError):
                value = None  # the checker has passed the model, so this is a form that is not followed
            if value is not None and value.size <= MAX_VALUE:
                self.found.values[name] = value
                self.found.shapes[name] = value.shape
        if node.op_type == "Split":
            self._follow_split(node)
        self._follow_shape(node)
        self._follow_fill(node)

    def _follow_split(self, node: NodeProto) -> None:
        """The parts of a list."""
        data, parts = self.value(node, 0), self.value(node, 1)
        count = len(node.output)
        if data is None or data.ndim != 1 or (parts is None and (len(node.input) > 1 or data.size % count)):
            return
        sizes = [data.size // count] * count if parts is None else [int(p) for p in parts]
        for output, end, size in zip(node.output, np.cumsum(sizes).tolist(), sizes, strict=False):
            self.found.values[output] = data[end - size : end]
            self.found.shapes[output] = (size,)

    def _follow_fill(self, node: NodeProto) -> None:
        """The one number that an array of open shape is full of."""
        if node.op_type == "ConstantOfShape":
            value = next((numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"), np.zeros(1))
            self.found.fills[node.output[0]] = float(value.reshape(-1)[0])
        elif node.op_type in _MOVES and node.input[0] in self.found.fills:
            self.found.fills[node.output[0]] = self.found.fills[node.input[0]]

    def _follow_shape(self, node: NodeProto) -> None:
        """The shape of the output where a value that is known lists it."""
        if len(node.input) < 2 or node.input[1] not in self.found.values:
            return
        listed = self.found.values[node.input[1]].reshape(-1).tolist()
        data = self.found.shapes.get(node.input[0])
        shape: Sizes | None = None
        if node.op_type == "Reshape" and data is not None and not _integer(node, "allowzero", 0):
            shape = _reshaped(data, listed)
        elif node.op_type == "Expand" and data is not None:
            shape = _expanded(data, listed)
        if shape is not None:
            self.found.shapes[node.output[0]] = shape
            self.derived[node.output[0]] = None

    def value(self, node: NodeProto, index: int) -> "np.ndarray[Any, Any] | None":
        """The elements of an input."""
        return self.found.values.get(node.input[index]) if index < len(node.input) else None

    def shape(self, node: NodeProto, index: int) -> Sizes | None:
        """The shape of an input."""
        return self.found.shapes.get(node.input[index])

    # Constants --------------------------------------------------------------------------------------------------------

    def _folded(self, node: NodeProto) -> list[NodeProto] | None:
        """Constants that stand for a node, None if it is not constant."""
        values = [(o, self.found.values.get(o), self.types.get(o, 0)) for o in node.output if o]
        known = [(o, v, d) for o, v, d in values if v is not None and d in BY_ONNX]
        if known and len(known) == len(values):
            if all(isinstance(x, (int, bool)) for _, v, _ in known for x in v.reshape(-1).tolist()):
                return [self._constant_node(o, v.astype(BY_ONNX[d].numpy)) for o, v, d in known]
            return None
        row = ROWS.get(node.op_type)
        given = [self.constants.get(n) if n else None for n in node.input]
        if self.weights & set(node.input) and not self.packed & set(node.output):
            return None
        if row is None or node.op_type in _NOT_FOLDED or "generator" in row.asks or not any(node.input):
            return None
        if any(n and a is None for n, a in zip(node.input, given, strict=True)):
            return None
        arrays = [numpy_helper.to_array(a) if isinstance(a, TensorProto) else a for a in given]
        largest = 2 * sum(a.size for a in arrays if a is not None)
        shapes = [self.found.shapes.get(o) for o in node.output if o]
        for shape in shapes:
            if shape is None or any(isinstance(d, Size) for d in shape):
                if node.op_type in ("ConstantOfShape", "Expand", "Tile", "Range", "OneHot"):
                    return None
            elif math.prod(d for d in shape if isinstance(d, int)) > max(MAX_FOLDED, largest):
                return None
        results = self._run(node, arrays)
        if results is None:
            return None
        return [self._constant_node(o, r) for o, r in zip(node.output, results, strict=False) if o]

    def _run(self, node: NodeProto, given: Sequence[Array | None]) -> list[Array] | None:
        row = ROWS[node.op_type]
        attrs: dict[str, Any] = {}
        for attribute in node.attribute:
            value = helper.get_attribute_value(attribute)
            if attribute.type == AttributeProto.TENSOR:
                value = numpy_helper.to_array(value)
            attrs[attribute.name] = value.decode() if isinstance(value, bytes) else value
        if "output_count" in row.asks:
            attrs["output_count"] = len(node.output)
        if "training" in row.asks:
            attrs["training"] = False
        if "device" in row.asks:
            attrs["device"] = torch.device("cpu")
        try:
            with torch.no_grad():
                tensors = [None if a is None else as_tensor(as_array("constant", a)) for a in given]
                results = row.forward(*tensors, **attrs)
            listed = results if isinstance(results, tuple) else (results,)
            if not all(isinstance(r, torch.Tensor) for r in listed):
                return None
            return [as_array("constant", r) for r in listed]
        except (MXNetError, RuntimeError, ValueError, TypeError, IndexError, NotImplementedError):
            return None  # it stays a node, which says what is wrong when it runs

    def _constant_node(self, name: str, array: Array) -> NodeProto:
        self._know(name, array)
        return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array), name))


def _packed(graph: GraphProto) -> set[str]:
    """Names of the weights that recurrent networks pack into one, and of what they are computed from."""
    found: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in ("LSTM", "GRU", "RNN"):
            found.update(node.input[1:4])
        elif node.op_type == "BatchNormalization":
            found.update(node.input[1:5])
        elif found & set(node.output):
            found.update(node.input)
    return found


def _inlined(node: NodeProto, branch: GraphProto) -> list[NodeProto]:
    """Return the nodes of a branch with names of their own, and what gives the outputs of the If."""
    made = [t.name for t in branch.initializer] + [o for n in branch.node for o in n.output if o]
    names = {name: f"{node.output[0]}/{name}" for name in made}
    nodes = [helper.make_node("Constant", [], [names[t.name]], value=t) for t in branch.initializer]
    for inner in branch.node:
        copy = NodeProto()
        copy.CopyFrom(inner)
        copy.output[:] = [names.get(o, o) for o in inner.output]
        _renamed(copy, names)
        nodes.append(copy)
    for output, given in zip(node.output, branch.output, strict=False):
        if output:
            nodes.append(helper.make_node("Identity", [names.get(given.name, given.name)], [output]))
    return nodes


def _renamed(node: NodeProto, names: Mapping[str, str]) -> None:
    """Change the names that a node, and the graphs nested in it, read."""
    node.input[:] = [names.get(i, i) for i in node.input]
    for attribute in node.attribute:
        if attribute.HasField("g"):
            own = {i.name for i in attribute.g.input} | {t.name for t in attribute.g.initializer}
            own |= {o for n in attribute.g.node for o in n.output}
            rest = {a: b for a, b in names.items() if a not in own}
            for inner in attribute.g.node:
                _renamed(inner, rest)
            for given in attribute.g.output:
                given.name = rest.get(given.name, given.name)


def _reshaped(data: Sizes, listed: Sequence[Dim]) -> Sizes | None:
    shape: list[Dim] = [data[i] if d == 0 else d for i, d in enumerate(listed) if d != 0 or i < len(data)]
    if len(shape) != len(listed):
        return None
    if -1 in listed:
        total: Dim = 1
        rest: Dim = 1
        for size in data:
            total = total * size
        for size in shape:
            if size != -1:
                rest = rest * size
        quotient = divide(total, rest)
        if quotient is None:
            return None
        shape[shape.index(-1)] = quotient
    return tuple(shape)


def _expanded(data: Sizes, listed: Sequence[Dim]) -> Sizes | None:
    rank = max(len(data), len(listed))
    left, right = (1,) * (rank - len(data)) + data, (1,) * (rank - len(listed)) + tuple(listed)
    shape: list[Dim] = []
    for a, b in zip(left, right, strict=True):
        if a == b or b == 1:
            shape.append(a)
        elif a == 1:
            shape.append(b)
        else:
            return None
    return tuple(shape)


# Rules of values ------------------------------------------------------------------------------------------------------

_Value = Callable[[_Fold, NodeProto], "np.ndarray[Any, Any] | None"]
_VALUES: dict[str, _Value] = {}


def _value(*op_types: str) -> Callable[[_Value], _Value]:
    def declare(rule: _Value) -> _Value:
        for op_type in op_types:
            _VALUES[op_type] = rule
        return rule

    return declare


def _integer(node: NodeProto, name: str, default: int) -> int:
    return next((a.i for a in node.attribute if a.name == name), default)


def _objects(values: Sequence[Any]) -> "np.ndarray[Any, Any]":
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _scalar(value: Any) -> "np.ndarray[Any, Any]":
    array = np.empty((), dtype=object)
    array[()] = value
    return array


@_value("Shape")
def _shape(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    shape = f.shape(node, 0)
    if shape is None:
        return None
    start = _integer(node, "start", 0)
    end = next((a.i for a in node.attribute if a.name == "end"), None)
    if slice(start, end).indices(len(shape))[:2] == (0, len(shape)):
        f.found.sources[node.output[0]] = node.input[0]
    return _objects(shape[start:end])


@_value("Size")
def _size(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    shape = f.shape(node, 0)
    if shape is None:
        return None
    total: Dim = 1
    for size in shape:
        total = total * size
    return _scalar(total)


@_value("Identity", "Cast")
def _same(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    value = f.value(node, 0)
    if value is None:
        return None
    if node.op_type == "Cast":
        to, source = _integer(node, "to", 0), f.types.get(node.input[0], 0)
        if to not in (6, 7) or source not in (6, 7, 0):
            return None
    if node.input[0] in f.found.sources:
        f.found.sources[node.output[0]] = f.found.sources[node.input[0]]
    return value


@_value("Gather")
def _gather(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    data, index = f.value(node, 0), f.value(node, 1)
    if data is None or index is None:
        return None
    return np.asarray(np.take(data, index.astype(np.int64), axis=_integer(node, "axis", 0)), dtype=object)


@_value("Slice")
def _slice(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    data, starts, ends = (f.value(node, i) for i in range(3))
    if data is None or starts is None or ends is None or data.ndim != 1 or starts.size != 1:
        return None
    step = f.value(node, 4)
    by = 1 if step is None else int(step[0])
    start, end = int(starts.reshape(-1)[0]), int(ends.reshape(-1)[0])
    if by < 0 and end < -data.size:
        return data[start::by]
    return data[start:end:by]


@_value("Concat")
def _concat(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    parts = [f.value(node, i) for i in range(len(node.input))]
    if any(p is None for p in parts):
        return None
    return np.concatenate([p for p in parts if p is not None], axis=_integer(node, "axis", 0))


@_value("Unsqueeze", "Squeeze")
def _axes(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    data, axes = f.value(node, 0), f.value(node, 1)
    if data is None or (axes is None and len(node.input) > 1):
        return None
    listed = None if axes is None else tuple(int(a) for a in axes.reshape(-1))
    if node.op_type == "Squeeze":
        return data.squeeze(listed)
    return np.expand_dims(data, listed or ())


@_value("Reshape")
def _reshape(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    data, shape = f.value(node, 0), f.value(node, 1)
    if data is None or shape is None or 0 in shape.tolist():
        return None
    return data.reshape([int(d) for d in shape])


_ARITHMETIC: dict[str, Callable[[Dim, Dim], Dim | None]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": divide,
    "Mod": lambda a, b: a % b if isinstance(a, int) and isinstance(b, int) else 0 if divide(a, b) is not None else None,
    "Max": lambda a, b: max(a, b) if isinstance(a, int) and isinstance(b, int) else a if a == b else None,
    "Min": lambda a, b: min(a, b) if isinstance(a, int) and isinstance(b, int) else a if a == b else None,
    "Equal": lambda a, b: True if a == b else False if differ(a, b) else None,
    "And": lambda a, b: bool(a and b),
    "Or": lambda a, b: bool(a or b),
}


@_value(*_ARITHMETIC)
def _arithmetic(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    a, b = f.value(node, 0), f.value(node, 1) if len(node.input) == 2 else None
    if a is None or b is None or (node.op_type == "Mod" and _integer(node, "fmod", 0)):
        return None
    left, right = np.broadcast_arrays(a, b)
    rule = _ARITHMETIC[node.op_type]
    values = [rule(x, y) for x, y in zip(left.reshape(-1).tolist(), right.reshape(-1).tolist(), strict=True)]
    return None if any(v is None for v in values) else _objects(values).reshape(left.shape)


@_value("Neg")
def _negative(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    value = f.value(node, 0)
    return None if value is None else np.asarray(-value, dtype=object)


@_value("Not")
def _not(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    value = f.value(node, 0)
    return None if value is None else _objects([not v for v in value.reshape(-1).tolist()]).reshape(value.shape)


@_value("Where")
def _where(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    condition, a, b = (f.value(node, i) for i in range(3))
    if condition is None or a is None or b is None:
        return None
    return np.asarray(np.where(condition.astype(bool), a, b), dtype=object)


@_value("Expand")
def _expand(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    data, shape = f.value(node, 0), f.value(node, 1)
    if data is None or shape is None:
        return None
    target = np.broadcast_shapes(data.shape, tuple(int(d) for d in shape))
    return np.broadcast_to(data, target) if int(np.prod(target)) <= MAX_VALUE else None


@_value("ConstantOfShape")
def _filled(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    shape = f.value(node, 0)
    value = next((numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"), np.zeros(1, np.float32))
    if shape is None or value.dtype.kind not in "iu":
        return None
    sizes = [int(d) for d in shape]
    return np.full(sizes, int(value.reshape(-1)[0]), dtype=object) if int(np.prod(sizes)) <= MAX_VALUE else None


@_value("ReduceProd")
def _product(f: _Fold, node: NodeProto) -> "np.ndarray[Any, Any] | None":
    value = f.value(node, 0)
    if value is None or value.ndim != 1:
        return None
    total: Dim = 1
    for size in value.tolist():
        total = total * size
    return _objects([total]) if _integer(node, "keepdims", 1) else _scalar(total)
