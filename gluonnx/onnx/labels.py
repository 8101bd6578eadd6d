"""Labels of loss heads: at inference no output depends on them."""

import dataclasses
from collections.abc import Sequence

from onnx import ModelProto

from gluonnx.onnx.model import LoweredModel
from gluonnx.symbol.graph import Entry, topological

LABEL = "label"
"""What loss operators call that input."""


def label_names(heads: Sequence[Entry]) -> list[str]:
    """Return the variables that nothing but losses reads, as their `label`, in the order of the graph."""
    nodes = topological(heads)
    labels: dict[int, str] = {}
    others: set[int] = {id(node) for node, _ in heads}
    for node in nodes:
        specs = () if node.op is None else node.op.active_inputs(node.typed, len(node.inputs))
        for position, (source, _) in enumerate(node.inputs):
            if source.is_variable and position < len(specs) and specs[position].name == LABEL:
                labels[id(source)] = source.name
            else:
                others.add(id(source))
    return [n.name for n in nodes if id(n) in labels and id(n) not in others]


def without_labels(model: LoweredModel, heads: Sequence[Entry]) -> LoweredModel:
    """Return the model without the inputs that are labels of losses and that no node of it reads."""
    read = {name for node in model.proto.graph.node for name in node.input}
    dropped = [n for n in label_names(heads) if n in model.input_names and n not in read]
    if not dropped:
        return model
    proto = ModelProto()
    proto.CopyFrom(model.proto)
    kept = [i for i in model.proto.graph.input if i.name not in dropped]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    return dataclasses.replace(
        model,
        proto=proto,
        input_names=tuple(n for n in model.input_names if n not in dropped),
        batch_axes={n: axes for n, axes in model.batch_axes.items() if n not in dropped},
        open_axes={n: axes for n, axes in model.open_axes.items() if n not in dropped},
    )
