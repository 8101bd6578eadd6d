"""Graphs built by hand, and a torch executor of a few lines to compare with."""

import numpy as np
import torch

from gluonnx.ops import TABLE
from gluonnx.ops.table import operator
from gluonnx.symbol.graph import Node, topological


def var(name):
    return Node(None, name)


def call(op, name, *inputs, **attrs):
    entries = [i if isinstance(i, tuple) else (i, 0) for i in inputs]
    return Node(TABLE[op], name, entries, {k: str(v) for k, v in attrs.items()})


def dense(name, data, units, **attrs):
    inputs = [data, var(f"{name}_weight")] + ([] if attrs.get("no_bias") else [var(f"{name}_bias")])
    return call("FullyConnected", name, *inputs, num_hidden=units, **attrs)


def evaluate(heads, values):
    """Run the torch functions over the graph."""
    done = {}
    for node in topological(heads):
        if node.is_variable:
            if node.name in values:
                done[id(node), 0] = torch.as_tensor(np.array(values[node.name]))
            continue
        runtime = {k: v for k, v in {"training": False, "device": torch.device("cpu")}.items() if k in node.op.runtime}
        result = node.op.forward(*(done.get((id(n), i)) for n, i in node.inputs), **node.typed, **runtime)
        for i, value in enumerate(result if isinstance(result, tuple) else (result,)):
            done[id(node), i] = value
    return [done[id(n), i].numpy() for n, i in heads]


def numbers(seed, **shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def mlp():
    """Two dense layers: heads, parameters."""
    out = dense("fc2", dense("fc1", var("data"), 5), 3)
    params = numbers(0, fc1_weight=(5, 4), fc1_bias=(5,), fc2_weight=(3, 5), fc2_bias=(3,))
    return [(out, 0)], params


def declare(name, forward, lowering=None, **options):
    """Declare an operator for one test (with the fixture `scratch`)."""
    op = operator(name, **options)(forward)
    if lowering is not None:
        op.onnx(lowering)
    return op
