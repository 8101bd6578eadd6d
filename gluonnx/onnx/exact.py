"""A graph computed in double precision, so that its rounded answers are the same on every machine."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from gluonnx.onnx.arrays import Array
from gluonnx.symbol.executor import complete_shapes
from gluonnx.symbol.graph import Entry, Node, topological


def compute_exactly(heads: Sequence[Entry], values: Mapping[str, Any]) -> list[Array]:
    """Return the outputs of a graph, every operator computed in float64 whatever the dtype of its inputs.

    One operator's inputs are widened at a time, so the parameters are never held twice.

    Args:
        heads: Outputs of the graph.
        values: Arrays or tensors by variable name.

    Returns:
        One float64 array for each head of a float dtype, the others in their own dtype.
    """
    done: dict[tuple[int, int], torch.Tensor] = {}
    nodes = topological(heads)
    readers = _reader_counts(nodes, heads)
    shapes = complete_shapes(heads, {n: torch.as_tensor(v) for n, v in values.items()})
    with torch.no_grad():
        for node in nodes:
            if node.op is None:
                done[id(node), 0] = torch.as_tensor(values[node.name]).detach().cpu()
                continue
            inputs = [_wide(done[id(source), index]) for source, index in node.inputs]
            for index, value in enumerate(_run(node, inputs, shapes.get(id(node)))):
                done[id(node), index] = value
            for source, index in node.inputs:
                readers[id(source), index] -= 1
                if not readers[id(source), index] and not source.is_variable:
                    del done[id(source), index]
        return [np.asarray(_wide(done[id(node), index]).numpy()) for node, index in heads]


def _run(node: Node, inputs: Sequence[torch.Tensor], shape: tuple[int, ...] | None = None) -> tuple[torch.Tensor, ...]:
    op = node.op
    assert op is not None
    typed = node.typed if shape is None else {**node.typed, "shape": shape}
    available = {"training": False, "generator": None, "device": torch.device("cpu")}
    result = op.forward(*inputs, **typed, **{k: v for k, v in available.items() if k in op.runtime})
    return tuple(result[: node.output_count]) if isinstance(result, (tuple, list)) else (result,)


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _reader_counts(nodes: Sequence[Node], heads: Sequence[Entry]) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = {}
    for source, index in [*heads, *(e for n in nodes for e in n.inputs)]:
        counts[id(source), index] = counts.get((id(source), index), 0) + 1
    return counts
