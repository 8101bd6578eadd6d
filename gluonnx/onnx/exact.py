"""A graph computed in double precision: its answers, and how far rounding in its own precision may move them.

Both are the same on every machine up to the last digits of a double.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from gluonnx.errors import InputError, InputTypeError
from gluonnx.onnx.arrays import Array
from gluonnx.onnx.samples import signs_of
from gluonnx.ops.dtypes import BY_TORCH, torch_dtype
from gluonnx.ops.table import Wiring
from gluonnx.symbol.bodies import wired
from gluonnx.symbol.executor import compiled, complete_shapes
from gluonnx.symbol.graph import Entry, Node, Subgraph, topological
from gluonnx.symbol.inference import Inference, infer

BLOCK_NUMBERS = 3 << 21
"""Elements of a weight that are widened at a time: 48 MiB of doubles, which malloc gives back to the system at once."""

_DIVISIBLE = {"FullyConnected": ("num_hidden", 0), "Embedding": ("output_dim", 1)}
"""Operators whose output units do not depend on each other: the attribute that counts them, and their axis of the
weight."""
ROUNDINGS = 4
"""How many rounding errors an operator's result may be off: it is a sum of many, each rounded, in another order."""
_UNITS = {
    name: (float(torch.finfo(dtype).eps) / 2, float(torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps) / 2)
    for name, dtype in (
        ("float64", torch.float64),
        ("float32", torch.float32),
        ("float16", torch.float16),
        ("bfloat16", torch.bfloat16),
    )
}
"""A rounding error of each dtype: relative to a number, and the least."""
_LOGISTIC = frozenset({"sigmoid", "hard_sigmoid", "LogisticRegressionOutput", "_onnx.Sigmoid", "_onnx.HardSigmoid"})
"""Functions that are computed to a part of their range, 1, however small the value; and `Activation` with sigmoid."""
_MOVES = frozenset({"Concat", "stack", "Embedding", "take", "gather_nd", "where", "SliceChannel", "Pad"})
"""Operators, beside views, that only move values."""


def compute_exactly(heads: Sequence[Entry], values: Mapping[str, Any]) -> list[Array]:
    """Return the outputs of a graph, every operator computed in float64 whatever the dtype of its inputs.

    An operator that has no such form (quantization takes float32 alone) is computed in its own dtypes.

    One operator's inputs are widened at a time, so the parameters are never held twice.

    Args:
        heads: Outputs of the graph.
        values: Arrays or tensors by variable name.

    Returns:
        One float64 array for each head of a float dtype, the others in their own dtype.
    """
    return [np.asarray(t.numpy()) for t in _compute(heads, values)]


def measure_rounding(heads: Sequence[Entry], values: Mapping[str, Any], exact: Sequence[Array]) -> list[float]:
    """Return how far the outputs move when every operator's result is off by a few units in the last place.

    The graph is computed as `compute_exactly` does, and every element of what an operator gives is moved by
    `ROUNDINGS` rounding errors of the dtype that it has in the graph, up or down by the bits of a fixed sequence. A
    rounding error is relative to the largest magnitude of the operator's result, for sums cancel; to 1 where the
    operator is a logistic function, which is computed to a part of its range. What only moves values is exact, and so
    is what does not follow from the values of inputs and parameters, but from their shapes.

    Args:
        heads: Outputs of the graph.
        values: Arrays or tensors by variable name.
        exact: What `compute_exactly` gives for them.

    Returns:
        For each head the largest distance from `exact` where that is finite; 0 for heads that are no floats, infinity
        where the moved output is not finite.

    Source: Parker: Monte Carlo Arithmetic (1997), for rounding that is measured by random perturbation.
    """
    moved = _compute(heads, values, _Rounding())
    found = []
    for tensor, wanted in zip(moved, exact, strict=True):
        if wanted.dtype != np.float64:
            found.append(0.0)
            continue
        finite = np.isfinite(wanted)
        largest = float(np.abs(tensor.numpy()[finite] - wanted[finite]).max(initial=0))
        found.append(largest if np.isfinite(largest) else np.inf)
    return found


class _Rounding:
    """Moves what operators give; see `measure_rounding`.

    Args:
        dtype: What float64 is in the graph, inside of loops, whose inputs are widened already.
    """

    def __init__(self, dtype: str | None = None) -> None:
        self.dtype = dtype
        self._position = 0

    def inside(self, node: Node, inferred: Inference) -> "_Rounding":
        """Return one for the subgraphs of an operator: what it reads or gives tells their dtype."""
        entries = [*node.inputs, *((node, index) for index in range(node.output_count))]
        return _Rounding(self.dtype or next((d for e in entries if (d := inferred.dtype(e)) in _UNITS), None))

    def __call__(self, node: Node, value: torch.Tensor, dtype: str | None) -> torch.Tensor:
        assert node.op is not None
        if dtype not in _UNITS or not value.numel() or node.op.view or node.op.name in _MOVES:
            return value
        unit, least = _UNITS[dtype]
        finite = value[value.isfinite()] if not value.isfinite().all() else value
        largest = float(finite.abs().max()) if finite.numel() else 0.0
        is_logistic = node.op.name in _LOGISTIC or node.typed.get("act_type") == "sigmoid"
        step = ROUNDINGS * (unit * (max(largest, 1.0) if is_logistic else largest) + least)
        self._position += 1
        signs = torch.from_numpy(signs_of(self._position, value.numel())).reshape(value.shape)
        return value.double() + step * signs


def _compute(
    heads: Sequence[Entry], values: Mapping[str, Any], rounding: _Rounding | None = None
) -> list[torch.Tensor]:
    done: dict[tuple[int, int], torch.Tensor] = {}
    nodes = topological(heads)
    readers = _reader_counts(nodes, heads)
    tensors = {n: torch.as_tensor(v).detach().cpu() for n, v in values.items()}
    shapes = complete_shapes(heads, tensors)
    own = None if rounding is None else _infer(heads, tensors, rounding.dtype)
    valued = {(id(n), 0) for n in nodes if n.op is None and tensors[n.name].is_floating_point()}
    with torch.no_grad():
        for node in nodes:
            if node.op is None:
                done[id(node), 0] = tensors[node.name]
                continue
            given = [done[id(source), index] for source, index in node.inputs]
            within = None if rounding is None or own is None else rounding.inside(node, own)
            try:
                outputs = _run_exactly(node, given, shapes.get(id(node)), within)
            except (InputError, InputTypeError):
                own = own or _infer(heads, tensors, None)
                dtypes = [own.dtype(e) for e in node.inputs]
                outputs = _run(node, [_narrow(v, d) for v, d in zip(given, dtypes, strict=True)], rounding=within)
            is_valued = any((id(source), index) in valued for source, index in node.inputs)
            for index, value in enumerate(outputs):
                done[id(node), index] = value
                if rounding is not None and own is not None and is_valued and _is_float(value):
                    valued.add((id(node), index))
                    done[id(node), index] = rounding(node, value, own.dtype((node, index)))
            for source, index in node.inputs:
                readers[id(source), index] -= 1
                if not readers[id(source), index] and not source.is_variable:
                    del done[id(source), index]
        return [_wide(done[id(node), index]) for node, index in heads]


def _run_exactly(
    node: Node, inputs: Sequence[torch.Tensor], shape: tuple[int, ...] | None, rounding: _Rounding | None
) -> tuple[torch.Tensor, ...]:
    """Widen the inputs and run an operator; where its weight is large, on a block of output units at a time."""
    assert node.op is not None
    divided = _DIVISIBLE.get(node.op.name)
    if divided is None or inputs[1].numel() <= BLOCK_NUMBERS:
        typed = node.typed if shape is None else {**node.typed, "shape": shape}
        return _run(node, [_wide(value) for value in inputs], typed, rounding)
    attribute, axis = divided
    data, weight, *bias = inputs
    data = _wide(data)
    count = max(1, weight.shape[axis] * BLOCK_NUMBERS // weight.numel())
    parts = []
    for begin in range(0, weight.shape[axis], count):
        end = min(begin + count, weight.shape[axis])
        block = [_wide(weight.narrow(axis, begin, end - begin)), *(_wide(b[begin:end]) for b in bias)]
        parts.append(_run(node, [data, *block], {**node.typed, attribute: end - begin})[0])
        del block
    return (torch.cat(parts, dim=-1),)


def _run(
    node: Node,
    inputs: Sequence[torch.Tensor],
    typed: Mapping[str, Any] | None = None,
    rounding: _Rounding | None = None,
) -> tuple[torch.Tensor, ...]:
    op = node.op
    assert op is not None
    attributes = node.typed if typed is None else typed
    available = {
        "training": False,
        "generator": torch.Generator().manual_seed(0),  # torch's own is left alone
        "device": torch.device("cpu"),
        "bodies": [_ExactBody(subgraph, wiring, rounding) for subgraph, wiring in wired(node)],
    }
    result = op.forward(*inputs, **attributes, **{k: v for k, v in available.items() if k in op.runtime})
    return tuple(result[: node.output_count]) if isinstance(result, (tuple, list)) else (result,)


class _ExactBody:
    """A subgraph as a function (`gluonnx.ops.table.Body`)."""

    updated: tuple[int, ...] = ()

    def __init__(self, subgraph: Subgraph, wiring: Wiring, rounding: _Rounding | None) -> None:
        self.wiring = wiring
        self._subgraph = subgraph
        self._rounding = rounding

    def __call__(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        if tensors and tensors[0].device.type == "meta":
            return compiled(self._subgraph)(tensors)[0]
        values = dict(zip(self._subgraph.input_names, tensors, strict=True))
        return _compute(self._subgraph.heads, values, self._rounding)


def _is_float(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor):
        return tensor  # a sequence inside an imported graph
    return tensor.double() if tensor.is_floating_point() else tensor


def _narrow(tensor: torch.Tensor, dtype: str | None) -> torch.Tensor:
    """Give back the dtype that a value has in the graph."""
    is_wide = isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64
    return tensor.to(torch_dtype(dtype)) if is_wide and dtype is not None else tensor


def _infer(heads: Sequence[Entry], tensors: Mapping[str, torch.Tensor], widened: str | None) -> Inference:
    """Infer in the graph's dtypes: `widened` is what doubles among the values have there, None for their own."""
    shapes = {n: tuple(t.shape) for n, t in tensors.items()}
    dtypes = {n: BY_TORCH[t.dtype].name for n, t in tensors.items()}
    return infer(heads, shapes, {n: widened or d if d == "float64" else d for n, d in dtypes.items()})


def _reader_counts(nodes: Sequence[Node], heads: Sequence[Entry]) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = {}
    for source, index in [*heads, *(e for n in nodes for e in n.inputs)]:
        counts[id(source), index] = counts.get((id(source), index), 0) + 1
    return counts
