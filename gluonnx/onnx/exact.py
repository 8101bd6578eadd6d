"""A graph computed in double precision, so that its rounded answers are the same on every machine."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from gluonnx.errors import InputError, InputTypeError
from gluonnx.onnx.arrays import Array
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


def _compute(heads: Sequence[Entry], values: Mapping[str, Any]) -> list[torch.Tensor]:
    done: dict[tuple[int, int], torch.Tensor] = {}
    nodes = topological(heads)
    readers = _reader_counts(nodes, heads)
    tensors = {n: torch.as_tensor(v).detach().cpu() for n, v in values.items()}
    shapes = complete_shapes(heads, tensors)
    own: Inference | None = None
    with torch.no_grad():
        for node in nodes:
            if node.op is None:
                done[id(node), 0] = tensors[node.name]
                continue
            given = [done[id(source), index] for source, index in node.inputs]
            try:
                outputs = _run_exactly(node, given, shapes.get(id(node)))
            except (InputError, InputTypeError):
                own = own or _infer(heads, tensors)
                outputs = _run(node, [_narrow(v, own.dtype(e)) for v, e in zip(given, node.inputs, strict=True)])
            for index, value in enumerate(outputs):
                done[id(node), index] = value
            for source, index in node.inputs:
                readers[id(source), index] -= 1
                if not readers[id(source), index] and not source.is_variable:
                    del done[id(source), index]
        return [_wide(done[id(node), index]) for node, index in heads]


def _run_exactly(node: Node, inputs: Sequence[torch.Tensor], shape: tuple[int, ...] | None) -> tuple[torch.Tensor, ...]:
    """Widen the inputs and run an operator; where its weight is large, on a block of output units at a time."""
    assert node.op is not None
    divided = _DIVISIBLE.get(node.op.name)
    if divided is None or inputs[1].numel() <= BLOCK_NUMBERS:
        return _run(
            node, [_wide(value) for value in inputs], node.typed if shape is None else {**node.typed, "shape": shape}
        )
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
    node: Node, inputs: Sequence[torch.Tensor], typed: Mapping[str, Any] | None = None
) -> tuple[torch.Tensor, ...]:
    op = node.op
    assert op is not None
    attributes = node.typed if typed is None else typed
    available = {
        "training": False,
        "generator": torch.Generator().manual_seed(0),  # torch's own is left alone
        "device": torch.device("cpu"),
        "bodies": [_ExactBody(subgraph, wiring) for subgraph, wiring in wired(node)],
    }
    result = op.forward(*inputs, **attributes, **{k: v for k, v in available.items() if k in op.runtime})
    return tuple(result[: node.output_count]) if isinstance(result, (tuple, list)) else (result,)


class _ExactBody:
    """A subgraph as a function (`gluonnx.ops.table.Body`)."""

    updated: tuple[int, ...] = ()

    def __init__(self, subgraph: Subgraph, wiring: Wiring) -> None:
        self.wiring = wiring
        self._subgraph = subgraph

    def __call__(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        if tensors and tensors[0].device.type == "meta":
            return compiled(self._subgraph)(tensors)[0]
        return _compute(self._subgraph.heads, dict(zip(self._subgraph.input_names, tensors, strict=True)))


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor):
        return tensor  # a sequence inside an imported graph
    return tensor.double() if tensor.is_floating_point() else tensor


def _narrow(tensor: torch.Tensor, dtype: str | None) -> torch.Tensor:
    """Give back the dtype that a value has in the graph."""
    is_wide = isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64
    return tensor.to(torch_dtype(dtype)) if is_wide and dtype is not None else tensor


def _infer(heads: Sequence[Entry], tensors: Mapping[str, torch.Tensor]) -> Inference:
    shapes = {n: tuple(t.shape) for n, t in tensors.items()}
    return infer(heads, shapes, {n: BY_TORCH[t.dtype].name for n, t in tensors.items()})


def _reader_counts(nodes: Sequence[Node], heads: Sequence[Entry]) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = {}
    for source, index in [*heads, *(e for n in nodes for e in n.inputs)]:
        counts[id(source), index] = counts.get((id(source), index), 0) + 1
    return counts
