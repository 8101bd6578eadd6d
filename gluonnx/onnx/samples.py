"""Input arrays made from a seed, the same on every machine and in every language.

Number i of an array comes from the 64-bit state `seed + (position << 32) + (i + 1) * 0x9E3779B97F4A7C15`, mixed. A
float in [-1, 1) is its top 24 bits, so float32 holds it exactly; an integer in [low, high) its top 32 bits modulo the
range.

Source: Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (2014), the generator SplitMix64.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gluonnx.errors import InputError
from gluonnx.onnx.arrays import Array, as_array
from gluonnx.ops.dtypes import BY_NAME
from gluonnx.ops.table import Wiring
from gluonnx.symbol.bodies import wired
from gluonnx.symbol.graph import Entry, Node, Subgraph, topological
from gluonnx.symbol.inference import Inference, Shape, infer

_GAMMA, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = (1 << 64) - 1

Range = tuple[int, int]

DEFAULT_RANGE = {"uint8": (0, 256), "bool": (0, 2)}
"""Integers in [low, high) where no operator asks for indices; 0 to 9 for the other dtypes."""
_INTEGERS = (0, 10)

# Operators with an input of indices: its position, and the number of things it counts among.
_INDEXED: Mapping[str, tuple[int, Callable[[Mapping[str, Any], Sequence[Shape]], int]]] = {
    "Embedding": (0, lambda attrs, shapes: int(attrs["input_dim"])),
    "one_hot": (0, lambda attrs, shapes: int(attrs["depth"])),
    "take": (1, lambda attrs, shapes: shapes[0][attrs["axis"]]),
    "pick": (1, lambda attrs, shapes: shapes[0][-1 if attrs["axis"] is None else attrs["axis"]]),
    "batch_take": (1, lambda attrs, shapes: shapes[0][1]),
    "gather_nd": (1, lambda attrs, shapes: min(shapes[0][: shapes[1][0]])),
    "scatter_nd": (1, lambda attrs, shapes: min(attrs["shape"][: shapes[1][0]])),
    "_contrib_index_copy": (1, lambda attrs, shapes: shapes[0][0]),
    "_contrib_hawkesll": (5, lambda attrs, shapes: shapes[0][1]),
    "_sparse_retain": (1, lambda attrs, shapes: shapes[0][0]),
    "CTCLoss": (1, lambda attrs, shapes: shapes[0][2] - (attrs["blank_label"] == "last")),
}
# Operators with inputs of which they take whole numbers above 0, though not every number: positions and ranges.
_POSITIVE: Mapping[str, Mapping[int, Range]] = {
    "_sample_uniform": {0: (0, 2), 1: (2, 10)},
    "_sample_normal": {1: (1, 10)},
    "_sample_exponential": {0: (1, 10)},
    "_sample_gamma": {0: (1, 10), 1: (1, 10)},
    "_sample_poisson": {0: (1, 20)},
    "_sample_negative_binomial": {0: (1, 10), 1: (1, 2)},
    "_sample_generalized_negative_binomial": {0: (1, 10), 1: (0, 3)},
    "_sample_multinomial": {0: (1, 10)},
}
# Operators with inputs of lengths, whole numbers from 1 to a size: the input's name, whose size (the position of an
# input) and along which axis.
_COUNTED: Mapping[str, Callable[[Mapping[str, Any]], Sequence[tuple[str, int, int]]]] = {
    "CTCLoss": lambda attrs: [("data_lengths", 0, 0), ("label_lengths", 1, 1)],
    "RNN": lambda attrs: [("sequence_length", 0, 0)],
    "SequenceLast": lambda attrs: [("sequence_length", 0, int(attrs["axis"]))],
    "SequenceMask": lambda attrs: [("sequence_length", 0, int(attrs["axis"]))],
    "SequenceReverse": lambda attrs: [("sequence_length", 0, int(attrs["axis"]))],
}
# Operators whose output holds the values of their first input.
_VALUE_PRESERVING = frozenset(
    {"Cast", "Reshape", "Flatten", "expand_dims", "squeeze", "transpose", "SwapAxis", "slice", "slice_axis", "_copy"}
    | {"BlockGrad"}
)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What an input takes.

    Attributes:
        name: The variable.
        dtype: Canonical dtype name.
        shape: With the batch size that the graph was lowered for.
        batch_axes: The axes that are the batch axis.
        values: Range [low, high) of whole numbers; None for floats in [-1, 1).
        open_axes: Other axes of any size.
    """

    name: str
    dtype: str
    shape: Shape
    batch_axes: tuple[int, ...] = ()
    values: Range | None = None
    open_axes: tuple[int, ...] = ()

    def shape_at(self, batch: int, scale: int = 1) -> Shape:
        """Return the shape at a batch size, the other open axes `scale` times as long."""
        return tuple(
            batch if axis in self.batch_axes else d * scale if axis in self.open_axes else d
            for axis, d in enumerate(self.shape)
        )


def input_specs(heads: Sequence[Entry], specs: Sequence[InputSpec], inference: Inference) -> list[InputSpec]:
    """Fill in the range of every input that the graph uses as indices, or whose dtype is an integer.

    Args:
        heads: Outputs of the graph.
        specs: The inputs, without ranges.
        inference: Shapes of the graph.
    """
    ranges: dict[int, Range] = {}
    for node in reversed(topological(heads)):
        if node.op is None:
            continue
        if node.op.name in _COUNTED:
            _count_steps(node, [inference.shape(e) for e in node.inputs], ranges)
        if node.op.name in _INDEXED:
            position, count = _INDEXED[node.op.name]
            shapes = [inference.shape(e) or () for e in node.inputs]
            if position < len(node.inputs) and all(shapes[:1]):
                _narrow(ranges, node.inputs[position][0], (0, count(node.typed, shapes)))
        for position, values in _POSITIVE.get(node.op.name, {}).items():
            _narrow(ranges, node.inputs[position][0], values)
        if node.op.name in _VALUE_PRESERVING and id(node) in ranges:
            _narrow(ranges, node.inputs[0][0], ranges[id(node)])
        for subgraph, wiring in wired(node):
            for spec, position in zip(_inner_specs(node, subgraph, wiring, inference), wiring.inputs, strict=True):
                if spec.values is not None:
                    _narrow(ranges, node.inputs[position][0], spec.values)
    by_name = {n.name: ranges.get(id(n)) for n in topological(heads) if n.is_variable}
    return [replace(s, values=by_name.get(s.name) or _default_range(s.dtype)) for s in specs]


def _inner_specs(node: Node, subgraph: Subgraph, wiring: Wiring, inference: Inference) -> list[InputSpec]:
    """Return what the inputs of a subgraph take, floats where it does not use them as indices."""
    shapes: dict[str, Shape] = {}
    dtypes: dict[str, str] = {}
    for place, (name, position) in enumerate(zip(subgraph.input_names, wiring.inputs, strict=True)):
        shape, dtype = inference.shape(node.inputs[position]), inference.dtype(node.inputs[position])
        if shape is not None and dtype is not None:
            shapes[name], dtypes[name] = wiring.inner_shape(place, shape), dtype
    specs = [InputSpec(name, "float32", shapes.get(name, ())) for name in subgraph.input_names]
    try:
        inner = infer(subgraph.heads, shapes, dtypes)
    except InputError:
        inner = infer(subgraph.heads, {}, dtypes)  # a branch for other inputs than these, which does not run
    return input_specs(subgraph.heads, specs, inner)


def _narrow(ranges: dict[int, Range], node: Node, found: Range) -> None:
    low, high = ranges.get(id(node), found)
    ranges[id(node)] = (max(low, found[0]), min(high, found[1]))


def _default_range(dtype: str) -> Range | None:
    return None if BY_NAME[dtype].is_float else DEFAULT_RANGE.get(dtype, _INTEGERS)


def _count_steps(node: Node, shapes: Sequence[Shape | None], ranges: dict[int, Range]) -> None:
    """Narrow the ranges of the inputs of lengths that the operator has."""
    assert node.op is not None
    names = [i.name for i in node.op.active_inputs(node.typed, len(node.inputs))]
    for name, position, axis in _COUNTED[node.op.name](node.typed):
        shape = shapes[position]
        if shape and name in names:
            _narrow(ranges, node.inputs[names.index(name)][0], (1, shape[axis] + 1))


def seeded_array(spec: InputSpec, position: int, seed: int, batch: int, scale: int = 1) -> Array:
    """Return the sample of an input: the same array for the same arguments, anywhere."""
    shape = spec.shape_at(batch, scale)
    bits = _bits(seed + (position << 32), int(np.prod(shape, dtype=np.int64)))
    dtype = BY_NAME[spec.dtype].numpy
    if spec.values is None:
        numbers: npt.NDArray[Any] = (bits >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0
    else:
        low, high = spec.values
        numbers = (bits >> np.uint64(32)) % np.uint64(max(high - low, 1)) + np.uint64(low)
    return numbers.astype(dtype).reshape(shape)


def seeded_arrays(specs: Sequence[InputSpec], seed: int, batch: int, scale: int = 1) -> list[Array]:
    """Return a sample of every input."""
    return [seeded_array(spec, position, seed, batch, scale) for position, spec in enumerate(specs)]


Samples: TypeAlias = Mapping[str, Any] | Sequence[Any]
"""A caller's arrays, in the inputs' order or by their names; or one array for the one input."""


def listed_samples(names: Sequence[str], samples: Samples) -> list[Array]:
    """Return a caller's samples as arrays, in the order of the inputs.

    Raises:
        InputError: There are more or fewer than inputs, some of no input, or something that is no array.
    """
    wanted = f"expected {len(names)} ({', '.join(names)})"
    if isinstance(samples, Mapping):
        if sorted(samples) != sorted(names):
            raise InputError(
                f"sample inputs: wrong names: {wanted}, got {', '.join(map(str, samples))}. Pass one array for each "
                "input."
            )
        listed = [samples[n] for n in names]
    elif isinstance(samples, (list, tuple)):
        listed = list(samples)
    else:
        listed = [samples]
    if len(listed) != len(names):
        raise InputError(f"sample inputs: wrong number: {wanted}, got {len(listed)}. Pass one array for each input.")
    return [as_array(f"sample input `{n}`", a) for n, a in zip(names, listed, strict=True)]


def resized_samples(specs: Sequence[InputSpec], samples: Sequence[Array], batch: int, scale: int = 1) -> list[Array]:
    """Return a caller's samples with their rows repeated, or cut, to a batch size, and repeated along other open axes.

    Raises:
        InputError: A sample has the wrong dtype or shape, or no rows.
    """
    resized = []
    for spec, array in zip(specs, samples, strict=True):
        count = array.shape[spec.batch_axes[0]] if spec.batch_axes and array.ndim == len(spec.shape) else 1
        wanted = spec.shape_at(count)
        if array.dtype != BY_NAME[spec.dtype].numpy or array.shape != wanted or not count:
            raise InputError(
                f"sample input `{spec.name}`: wrong array: expected {spec.dtype} {wanted} with at least one row, "
                f"got {array.dtype} {array.shape}."
            )
        rows = array
        for axis in spec.batch_axes:
            rows = rows.take(np.arange(batch) % count, axis=axis)
        times = [scale if axis in spec.open_axes else 1 for axis in range(rows.ndim)]
        resized.append(rows if set(times) <= {1} else np.tile(rows, times))
    return resized


def signs_of(state: int, count: int) -> npt.NDArray[np.float64]:
    """Return a fixed sequence of -1 and 1."""
    return 1.0 - 2.0 * (_bits(state << 32, count) >> np.uint64(63)).astype(np.float64)


def _bits(state: int, count: int) -> npt.NDArray[np.uint64]:
    steps = np.arange(1, count + 1, dtype=np.uint64)
    z = steps * np.uint64(_GAMMA) + np.array(state & _WORD, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    return z ^ (z >> np.uint64(31))
