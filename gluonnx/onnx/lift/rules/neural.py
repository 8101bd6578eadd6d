"""Normalization and dropout."""

import numpy as np

from gluonnx.onnx.lift.rules.table import Call, Lifted, number, rule


@rule("BatchNormalization", stays="training mode, computed statistics")
def _batch_norm(c: Call) -> Lifted:
    shape, constants = c.shape(0), [c.constant(i) for i in range(1, 5)]
    if any(a is None for a in constants) or not c.is_plain() or c.attr("training_mode", 0):
        return None
    if shape is None or len(shape) < 2 or any(map(c.is_used, range(1, c.count))):
        return None
    entries = [c.entry(i) for i in range(5)]
    statistics = c.inputs[3:5]
    # Statistics are state of this node alone; where something else reads them too, it gets its own.
    if statistics[0] == statistics[1] or set(statistics) & set(c.inputs[1:3]) or not c.hold(statistics):
        entries[3:] = [c.parameter(n, np.array(c.constant(i))) for n, i in (("_moving_mean", 3), ("_moving_var", 4))]
    attrs = {"eps": c.attr("epsilon", 1e-5), "momentum": c.attr("momentum", 0.9), "fix_gamma": False}
    return c.make("BatchNorm", entries, attrs)


@rule("InstanceNormalization", stays="rank 2")
def _instance_norm(c: Call) -> Lifted:
    if not c.is_plain() or len(c.shape(0) or ()) < 3:
        return None
    return c.make("InstanceNorm", [c.entry(i) for i in range(3)], {"eps": c.attr("epsilon", 1e-5)})


@rule("LayerNormalization", stays="more axes than the last, statistics as outputs, float16")
def _layer_norm(c: Call) -> Lifted:
    shape = c.shape(0)
    axis = c.attr("axis", -1)
    if shape is None or not c.is_plain() or axis not in (-1, len(shape) - 1) or any(map(c.is_used, range(1, c.count))):
        return None
    if any(len(c.shape(i) or ()) != 1 for i in (1, *([2] if c.has(2) else []))) or c.dtype(0) != "float32":
        return None
    size = shape[-1]
    if c.has(2):
        beta = c.entry(2)
    elif size is not None:
        beta = c.full((size,), 0.0, "float32")
    else:
        return None
    return c.make("LayerNorm", [c.entry(0), c.entry(1), beta], {"axis": -1, "eps": c.attr("epsilon", 1e-5)})


@rule("GroupNormalization", stays="rank 2, float16")
def _group_norm(c: Call) -> Lifted:
    shape, groups = c.shape(0), c.attr("num_groups")
    if shape is None or len(shape) < 3 or not c.is_plain() or c.dtype(0) != "float32":
        return None
    ones = c.full((groups,), 1.0, "float32")
    zeros = c.full((groups,), 0.0, "float32")
    attrs = {"num_groups": groups, "eps": c.attr("epsilon", 1e-5)}
    out = c.make("GroupNorm", [c.entry(0), ones, zeros], attrs, "_normal")
    column = {"shape": (1, -1, *(1 for _ in shape[2:]))}  # ONNX scales each channel, MXNet each group
    gamma, beta = (c.make("Reshape", [c.entry(i)], column, f"_{n}") for i, n in ((1, "gamma"), (2, "beta")))
    return c.make("broadcast_add", [c.make("broadcast_mul", [out, gamma], {}, "_scaled"), beta], {})


@rule("Dropout", stays="training mode, a mask as output, a computed ratio")
def _dropout(c: Call) -> Lifted:
    ratio, training = c.constant(1), c.constant(2)
    if not c.is_plain(0) or (c.has(1) and ratio is None) or any(map(c.is_used, range(1, c.count))):
        return None
    if c.has(2) and (training is None or bool(training)):
        return None
    share = number(c, 1) if c.has(1) else 0.5
    return c.make("Dropout", [c.entry(0)], {"p": share}) if share is not None and 0 <= share < 1 else None
