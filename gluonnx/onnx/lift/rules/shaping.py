"""Operators that move values: shapes, order, parts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gluonnx.onnx.lift.rules.table import Call, Lifted, is_same, of_rank, rank_of, rule
from gluonnx.onnx.lift.sizes import Dim, Size
from gluonnx.symbol.graph import Entry

_END = 1 << 30
"""Bounds of a slice from here on mean the end of the axis, whatever its size."""


@rule("Concat", stays="dtypes that MXNet has not")
def _concat(c: Call) -> Lifted:
    if not c.is_array():
        return None
    count = len(c.inputs)
    if count == 1:
        return c.same(c.entry(0))
    attrs = {"dim": c.attr("axis"), "num_args": count}
    return c.make("Concat", [c.entry(i) for i in range(count)], attrs)


@rule("Flatten")
def _flatten(c: Call) -> Lifted:
    sizes = c.sizes(0)
    if not c.is_array(0) or sizes is None:
        return None
    axis = c.attr("axis", 1)
    axis += len(sizes) if axis < 0 else 0
    if axis == 1 and len(sizes) > 1:
        return c.make("Flatten", [c.entry(0)], {})
    if axis in (0, len(sizes)):
        return c.make("Reshape", [c.entry(0)], {"shape": (1, -1) if axis == 0 else (-1, 1)})
    entry = c.entry(0)
    steps = [(-3, -2)] * (axis - 1) + [(0, -3, -2)] * (len(sizes) - axis - 1)  # -3 joins two axes, -2 takes the rest
    for i, shape in enumerate(steps):
        entry = c.make("Reshape", [entry], {"shape": shape}, "" if i == len(steps) - 1 else "_joined")
    return entry if steps else c.same(entry)


@rule("Reshape", stays="a shape that follows from values; `allowzero`; several sizes that nothing in the graph has")
def _reshape(c: Call) -> Lifted:
    wanted, sizes = c.value(1), c.sizes(0)
    if wanted is None or not wanted.size or not c.is_array(0) or c.attr("allowzero", 0):
        return None
    listed = wanted.tolist()
    if all(isinstance(d, int) for d in listed):
        return c.make("Reshape", [c.entry(0)], {"shape": tuple(listed)})
    output = c.output_sizes()
    if sizes is not None and output is not None:
        shape = [d if isinstance(d, int) else 0 if sizes[i : i + 1] == (d,) else None for i, d in enumerate(output)]
        if shape.count(None) <= 1:
            return c.make("Reshape", [c.entry(0)], {"shape": tuple(-1 if d is None else d for d in shape)})
    model = c.alike(1)
    return None if model is None else c.make("reshape_like", [c.entry(0), model], {})


@rule("Transpose")
def _transpose(c: Call) -> Lifted:
    shape = c.shape(0)
    if not c.is_array(0) or shape is None:
        return None
    return c.make("transpose", [c.entry(0)], {"axes": c.attr("perm", tuple(range(len(shape)))[::-1])})


@rule("Squeeze", stays="computed axes")
def _squeeze(c: Call) -> Lifted:
    axes, shape = c.constant(1), c.shape(0)
    if not c.is_array(0) or shape is None or (c.has(1) and axes is None):
        return None
    if axes is None:
        if None in shape:
            return None
        axes = np.flatnonzero(np.array(shape) == 1)
    if not axes.size:
        return c.same(c.entry(0))
    return c.make("squeeze", [c.entry(0)], {"axis": tuple(int(a) for a in axes.reshape(-1))})


@rule("Unsqueeze", stays="computed axes")
def _unsqueeze(c: Call) -> Lifted:
    axes, rank = c.constant(1), rank_of(c, 0)
    if axes is None or rank is None or not axes.size or not c.is_array(0):
        return None
    rank += axes.size
    entry = c.entry(0)
    for axis in sorted(int(a) % rank for a in axes.reshape(-1)):
        entry = c.make("expand_dims", [entry], {"axis": axis})
    return entry


@rule("DepthToSpace", "SpaceToDepth", stays="SpaceToDepth in mode CRD")
def _depth_to_space(c: Call) -> Lifted:
    shape, block = c.shape(0), c.attr("blocksize")
    if not c.is_plain(0) or shape is None or len(shape) != 4:
        return None
    if c.attr("mode", "DCR") == "DCR":
        op = "depth_to_space" if c.op_type == "DepthToSpace" else "space_to_depth"
        return c.make(op, [c.entry(0)], {"block_size": block})
    if c.op_type != "DepthToSpace":
        return None
    split = c.make("Reshape", [c.entry(0)], {"shape": (0, -4, -1, block * block, -2)}, "_split")
    parts = c.make("Reshape", [split], {"shape": (0, 0, -4, block, block, -2)}, "_parts")
    turned = c.make("transpose", [parts], {"axes": (0, 1, 4, 2, 5, 3)}, "_turned")
    return c.make("Reshape", [turned], {"shape": (0, 0, -3, -3)})


# Parts ----------------------------------------------------------------------------------------------------------------


@rule("Split", stays="computed sizes, parts of size 0")
def _split(c: Call) -> Lifted:
    sizes, shape = c.value(1), c.shape(0)
    if shape is None or not c.is_array(0):
        return None
    axis = c.attr("axis", 0) % len(shape)
    if c.has(1):
        if sizes is None or not all(isinstance(d, int) and d > 0 for d in sizes.tolist()):
            return None
        parts = [int(d) for d in sizes]
    else:
        size = shape[axis]
        if size is None or size % c.count:
            return None
        parts = [size // c.count] * c.count
    if len(parts) > 1 and len(set(parts)) == 1:
        return c.make_many("SliceChannel", [c.entry(0)], {"num_outputs": len(parts), "axis": axis}, len(parts))
    ends = np.cumsum(parts).tolist()
    return [
        c.make("slice_axis", [c.entry(0)], {"axis": axis, "begin": e - p, "end": e}, f"_part{i}")
        for i, (e, p) in enumerate(zip(ends, parts, strict=True))
    ]


@rule("Slice", stays="computed bounds; a begin before the array's where its size is open")
def _slice(c: Call) -> Lifted:
    shape, sizes = c.shape(0), c.sizes(0)
    starts, ends, axes, steps = (c.value(i) for i in range(1, 5))
    if shape is None or sizes is None or starts is None or ends is None or not c.is_array(0):
        return None
    if (c.has(3) and axes is None) or (c.has(4) and steps is None):
        return None
    count = starts.size
    listed = list(range(count)) if axes is None else [int(a) % len(shape) for a in axes]
    by = [1] * count if steps is None else steps.tolist()
    attrs: dict[str, list[int | None]] = {k: [None] * len(shape) for k in ("begin", "end", "step")}
    for axis, start, end, step in zip(listed, starts.tolist(), ends.tolist(), by, strict=True):
        bounds = _bounds(sizes[axis], start, end, step)
        if bounds is None:
            return None
        attrs["begin"][axis], attrs["end"][axis], attrs["step"][axis] = *bounds, None if step == 1 else step
    is_stepped = any(s is not None for s in attrs["step"])
    if not is_stepped:
        del attrs["step"]
    return c.make("slice", [c.entry(0)], {k: tuple(v) for k, v in attrs.items()})


def _bounds(size: Dim, start: Dim, end: Dim, step: Any) -> tuple[int | None, int | None] | None:
    """The bounds of a slice as MXNet has them, None where nothing says that they mean the same."""
    if not isinstance(step, int) or not step:
        return None
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int):
        first, last, _ = slice(start, end if step > 0 or end >= -size else None, step).indices(size)
        if len(range(first, last, step)) == 0:
            return None
        return (first, last) if last >= 0 else (first, None)
    if step < 0:
        return (None, None) if start == -1 and isinstance(end, int) and end <= -_END else None
    if end == size or (isinstance(end, int) and end >= _END):
        last_: int | None = None
    elif isinstance(end, int):
        last_ = end
    else:
        return None
    # A start before the array is the start of the array to ONNX and an error to MXNet; -1 is never before it.
    return (start or None, last_) if isinstance(start, int) and start >= -1 else None


@rule("Gather", stays="computed indices without axes; a negative one where the size is open")
def _gather(c: Call) -> Lifted:
    shape, index = c.shape(0), c.constant(1)
    if shape is None or not c.is_array(0) or c.dtype(1) not in ("int32", "int64"):
        return None
    axis = c.attr("axis", 0) % len(shape)
    size = shape[axis]
    if index is not None and index.ndim == 0:
        at = int(index)
        if at < 0 and size is None and at != -1:
            return None
        end = None if at == -1 else at + 1
        part = c.make("slice_axis", [c.entry(0)], {"axis": axis, "begin": at, "end": end}, "_part")
        return c.make("squeeze", [part], {"axis": (axis,)})
    if not c.is_array(1):
        return None
    # An index counts from the end where it is negative, as it does when indices go round.
    return c.make("take", [c.entry(0), c.entry(1)], {"axis": axis, "mode": "wrap"})


@rule("Tile", stays="computed repeats")
def _tile(c: Call) -> Lifted:
    repeats, rank = c.constant(1), rank_of(c, 0)
    if repeats is None or rank is None or not c.is_array(0) or min(repeats, default=0) < 1:
        return None
    return c.make("tile", [c.entry(0)], {"reps": tuple(int(r) for r in repeats)})


@rule("Expand", stays="a shape that follows from values")
def _expand(c: Call) -> Lifted:
    listed, shape = c.value(1), c.shape(0)
    if listed is None or shape is None or not c.is_array(0):
        return None
    rank = max(len(shape), listed.size)
    target: list[Dim] = [1] * (rank - listed.size) + listed.tolist()
    sizes: list[Dim] = [*(1 for _ in range(rank - len(shape))), *(c.sizes(0) or ())]
    wanted = [0 if t in (1, s) else t for t, s in zip(target, sizes, strict=True)]
    if any(s != 1 and w != 0 for s, w in zip(sizes, wanted, strict=True)) or len(sizes) != rank:
        return None
    entry = of_rank(c, 0, rank)
    if not any(isinstance(w, Size) or w for w in wanted):
        return c.same(entry)
    if not any(isinstance(w, Size) for w in wanted):
        return c.make("broadcast_to", [entry], {"shape": tuple(wanted)})
    model = c.alike(1)
    if model is None or not is_same(tuple(target), c.output_sizes()):
        return None
    return c.make("broadcast_like", [entry, model], {})


@rule("ConstantOfShape", stays="an open shape, unless it is the first state of a recurrent network")
def _filled(c: Call) -> Lifted:
    shape, dtype = c.output_shape(), c.output_dtype()
    value = c.attr("value")
    if not shape or None in shape or 0 in shape or dtype not in ("float32", "float16", "int32", "int64"):
        return None
    number = 0.0 if value is None else float(value.reshape(-1)[0])
    return c.make("_full", [], {"shape": shape, "value": number, "dtype": dtype})


@rule("Pad", stays="negative, computed or cyclic padding; the first two axes of arrays of four and more")
def _pad(c: Call) -> Lifted:
    mode, shape = c.attr("mode", "constant"), c.shape(0)
    pads, axes, value = c.constant(1), c.constant(3), c.constant(2)
    if pads is None or shape is None or not c.is_plain(0) or mode not in ("constant", "edge", "reflect"):
        return None
    if (c.has(3) and axes is None) or (c.has(2) and value is None):
        return None
    rank = len(shape)
    before, after = [0] * rank, [0] * rank
    half = pads.size // 2
    for k, axis in enumerate(range(rank) if axes is None else axes.tolist()):
        before[axis], after[axis] = int(pads[k]), int(pads[half + k])
    if min(*before, *after) < 0:
        return None
    number = 0.0 if value is None else float(value.reshape(-1)[0])
    return padded(c, c.entry(0), before, after, mode, number)


def padded(
    c: Call, entry: Entry, before: Sequence[int], after: Sequence[int], mode: str = "constant", value: float = 0.0
) -> Entry | None:
    """Return an array with more on the sides of its axes; None where MXNet's operator does not reach.

    MXNet pads the last two or three axes of arrays of four or five; others get axes of size 1 for it.
    """
    rank = len(before)
    if rank > 5 or (rank > 3 and any((*before[:2], *after[:2]))):
        return None
    place = 1 if rank == 3 and not before[0] and not after[0] and before[1] == after[1] == 0 else 0
    # Axes of size 1 in front; for (N, C, W) one in the middle, so that a batch stays a batch.
    missing = 4 - rank if place == 0 else 1
    place = 2 if place else 0
    if rank < 4:
        if rank == 3 and place == 0:
            before, after, missing = [0, 0, *before], [0, 0, *after], 2
        else:
            before = [*before[:place], *[0] * missing, *before[place:]]
            after = [*after[:place], *[0] * missing, *after[place:]]
        for _ in range(missing):
            entry = c.make("expand_dims", [entry], {"axis": place}, "_wide")
    widths = tuple(w for pair in zip(before, after, strict=True) for w in pair)
    if any(widths[:4]):
        return None
    attrs = {"mode": mode, "pad_width": widths, "constant_value": value}
    entry = c.make("Pad", [entry], attrs, "_pad" if rank < 4 else "")
    if rank < 4:
        return c.make("squeeze", [entry], {"axis": tuple(range(place, place + missing))})
    return entry
