"""Boxes: overlaps, non-maximum suppression, and the code between boxes and what a net predicts."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import InputError, LoweringError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.derivative import once_differentiable
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.suppression import areas, lower_ranks, lower_rows, lower_suppress, overlaps, rounded, suppress_each
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/contrib/bounding_box-inl.h"

Format = Literal["center", "corner"]


def check_floats(name: str, **inputs: Tensor) -> None:
    """Raise InputError unless all inputs are of one floating-point dtype, as detection operators need."""
    for label, value in inputs.items():
        if not value.is_floating_point():
            raise InputError(
                f"{name}: wrong dtype of {label}: expected a floating-point dtype, got {label}={value.dtype}. Cast it."
            )
    if len({value.dtype for value in inputs.values()}) > 1:
        given = ", ".join(f"{label}={value.dtype}" for label, value in inputs.items())
        raise InputError(f"{name}: dtypes differ: expected one, got {given}. Cast one.")


def require_float32(g: GraphBuilder, name: str, value: Value) -> None:
    """Raise LoweringError for anything but float32, in which ONNX Runtime suppresses and compares."""
    if g.dtype(value) != "float32":
        raise LoweringError(
            f"{name}: has no ONNX form for this dtype: expected float32, got dtype={g.dtype(value)}. Cast the net."
        )


class _StraightThrough(torch.autograd.Function):
    """`values`, whose gradient goes to `source` unchanged."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    @once_differentiable("box_nms with converted coordinates")
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def to_corners(boxes: Tensor, form: str) -> Tensor:
    """Boxes (..., 4) of either form as left, top, right, bottom."""
    if form == "corner":
        return boxes
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([center - half, center + half], -1)


def _to_centers(boxes: Tensor) -> Tensor:
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def _lower_to_corners(g: GraphBuilder, boxes: Value) -> Value:
    center, size = g.op_outputs("Split", 2, boxes, axis=-1, num_outputs=2)
    half = g.op("Div", size, g.scalar(2, size))
    return g.op("Concat", g.op("Sub", center, half), g.op("Add", center, half), axis=-1)


def _lower_to_centers(g: GraphBuilder, boxes: Value) -> Value:
    low, high = g.op_outputs("Split", 2, boxes, axis=-1, num_outputs=2)
    middle = g.op("Div", g.op("Add", low, high), g.scalar(2, low))
    return g.op("Concat", middle, g.op("Sub", high, low), axis=-1)


def _area(boxes: Tensor, form: str) -> Tensor:
    if form == "corner":
        return areas(boxes)
    sides = boxes[..., 2:].clamp(min=0)
    return sides[..., 0] * sides[..., 1]


@operator("_contrib_box_iou", source=SOURCE, gradient="none")
def box_iou(lhs: Tensor, rhs: Tensor, *, format: Format = "corner") -> Tensor:
    """Intersection over union of each box of `lhs` (..., 4) with each of `rhs` (..., 4).

    The shape is `lhs.shape[:-1] + rhs.shape[:-1]`. Boxes are left, top, right, bottom, or x, y, width, height of the
    center `format`. Boxes that do not meet have 0. No gradient passes.

    Raises:
        InputError: An input has less than two dimensions, a last dimension other than 4, or holds integers.
    """
    check_floats("_contrib_box_iou", lhs=lhs, rhs=rhs)
    for label, value in (("lhs", lhs), ("rhs", rhs)):
        if value.dim() < 2 or value.shape[-1] != 4:
            raise InputError(
                f"_contrib_box_iou: wrong shape of {label}: expected boxes (..., 4) of at least 2 dimensions, "
                f"got {label}={tuple(value.shape)}."
            )
    shape = (*lhs.shape[:-1], *rhs.shape[:-1])
    a, b = lhs.detach().reshape(-1, 4), rhs.detach().reshape(-1, 4)
    rows_a, rows_b = (to_corners(boxes, format).T.contiguous() for boxes in (a, b))
    ratio = overlaps(rows_a, rows_b, _area(a, format), _area(b, format))
    return ratio.reshape(shape)


@box_iou.onnx
def _(g: GraphBuilder, lhs: Value, rhs: Value, *, format: str) -> Value:
    middle = g.rank(rhs) - 1

    def sides(boxes: Value) -> tuple[Value, Value, Value]:
        corners = boxes if format == "corner" else _lower_to_corners(g, boxes)
        low, high = g.op_outputs("Split", 2, corners, axis=-1, num_outputs=2)
        if format == "corner":
            size = g.op("Sub", high, low)
        else:
            _, size = g.op_outputs("Split", 2, boxes, axis=-1, num_outputs=2)
        return low, high, _lower_product(g, g.op("Max", size, g.scalar(0, size)))

    low_a, high_a, area_a = sides(lhs)
    low_b, high_b, area_b = sides(rhs)
    if middle:
        axes = list(range(g.rank(lhs) - 1, g.rank(lhs) - 1 + middle))
        low_a, high_a = (g.op("Unsqueeze", v, g.ints(axes)) for v in (low_a, high_a))
        area_a = g.op("Unsqueeze", area_a, g.ints(axes))
    meet = g.op("Sub", g.op("Min", high_a, high_b), g.op("Max", low_a, low_b))
    shared = _lower_product(g, g.op("Max", meet, g.scalar(0, meet)))
    union = g.op("Sub", g.op("Add", area_a, area_b), shared)
    is_met = g.op("Greater", shared, g.scalar(0, shared))
    return g.op("Div", shared, g.op("Where", is_met, union, g.scalar(1, union)))


def _lower_product(g: GraphBuilder, sides: Value) -> Value:
    """Product of the two sides on the last axis."""
    width, height = g.op_outputs("Split", 2, sides, axis=-1, num_outputs=2)
    return g.op("Squeeze", g.op("Mul", width, height), g.ints([-1]))


def _check_columns(shape: Sequence[int | None], coord_start: int, score_index: int, id_index: int) -> None:
    name = "_contrib_box_nms"
    if len(shape) < 2:
        raise InputError(f"{name}: wrong rank of data: expected (..., boxes, width), got data={tuple(shape)}.")
    width = shape[-1]
    assert width is not None
    coordinates = range(coord_start, coord_start + 4)
    if not (coord_start >= 0 and coordinates[-1] < width):
        raise InputError(
            f"{name}: coordinates are not in the box: expected four columns below {width} of data={tuple(shape)}, "
            f"got coord_start={coord_start}."
        )
    taken = {"score_index": score_index, **({"id_index": id_index} if id_index >= 0 else {})}
    for label, column in taken.items():
        if not 0 <= column < width or column in coordinates:
            raise InputError(
                f"{name}: {label} is no column of its own: expected one below {width} of data={tuple(shape)} outside "
                f"coordinates {coord_start} to {coord_start + 3}, got {label}={column}."
            )
    if score_index == id_index:
        raise InputError(
            f"{name}: score and class share a column: expected two, got score_index={score_index}, id_index={id_index}."
        )


@operator("_contrib_box_nms", "_contrib_box_non_maximum_suppression", unread=1, source=SOURCE, shapes="same")
def box_nms(
    data: Tensor,
    *,
    overlap_thresh: float = 0.5,
    valid_thresh: float = 0.0,
    topk: int = -1,
    coord_start: int = 2,
    score_index: int = 1,
    id_index: int = -1,
    background_id: int = -1,
    force_suppress: bool = False,
    in_format: Format = "corner",
    out_format: Format = "corner",
) -> Tensor:
    """Non-maximum suppression of boxes `data` (..., boxes, width).

    A box holds its score, four coordinates and, for `id_index` >= 0, its class. Boxes with a score above
    `valid_thresh` and not of the class `background_id` are taken in descending order of score (equal ones in their
    order), the first `topk` of each batch entry; one goes if its overlap with an earlier one that stays is above
    `overlap_thresh`, where the classes are the same or `force_suppress` holds. Those that stay come first, all other
    rows are -1. `topk=0` returns the data. With `in_format` other than `out_format`, coordinates are converted, except
    in rows whose first coordinate is negative. The gradient of a row goes to the box that it shows, unconverted.

    Raises:
        InputError: `data` has less than two dimensions or integers, or a column lies outside or is used twice.
    """
    check_floats("_contrib_box_nms", data=data)
    _check_columns(data.shape, coord_start, score_index, id_index)
    if topk == 0:
        return data.clone()
    if data.device.type == "meta":
        return torch.empty_like(data)
    count = data.shape[-2]
    batch = data.reshape(-1, count, data.shape[-1])
    rows = torch.full(batch.shape[:2], -1, device=data.device)
    with torch.no_grad():
        score = batch[..., score_index]
        valid = (score.float() if score.dtype == torch.float16 else score) > rounded(valid_thresh)
        if id_index >= 0:
            valid &= batch[..., id_index] != background_id
        order = torch.sort(score.masked_fill(~valid, -math.inf), dim=1, descending=True, stable=True).indices
        taken = valid.sum(1, keepdim=True).clamp(max=topk if topk > 0 else count)
        images, places = torch.nonzero(torch.arange(count, device=data.device) < taken, as_tuple=True)
        positions = order[images, places]
        chosen = batch[images, positions]
        boxes = chosen[:, coord_start : coord_start + 4]
        groups = chosen[:, id_index] if id_index >= 0 and not force_suppress else None
        corners = to_corners(boxes, in_format)
        is_kept = suppress_each(corners, _area(boxes, in_format), overlap_thresh, images=images, groups=groups)
        kept = images[is_kept]
        ends = torch.searchsorted(kept, torch.arange(len(batch), device=data.device))
        rows[kept, torch.arange(len(kept), device=data.device) - ends[kept]] = positions[is_kept]
    rows = rows.unsqueeze(-1)
    out = torch.gather(batch, 1, rows.clamp(min=0).expand_as(batch)).masked_fill(rows < 0, -1)
    if in_format != out_format:
        out = _StraightThrough.apply(out, _convert(out.detach(), coord_start, out_format))  # type: ignore[no-untyped-call]
    return out.reshape(data.shape)


def _convert(rows: Tensor, start: int, out_format: str) -> Tensor:
    boxes = rows[..., start : start + 4]
    converted = to_corners(boxes, "center") if out_format == "corner" else _to_centers(boxes)
    converted = torch.where(boxes[..., :1] < 0, boxes, converted)
    return torch.cat([rows[..., :start], converted, rows[..., start + 4 :]], -1)


@box_nms.onnx
def _(
    g: GraphBuilder,
    data: Value,
    *,
    overlap_thresh: float,
    valid_thresh: float,
    topk: int,
    coord_start: int,
    score_index: int,
    id_index: int,
    background_id: int,
    force_suppress: bool,
    in_format: str,
    out_format: str,
) -> Value:
    shape = g.dims(data)
    _check_columns(shape, coord_start, score_index, id_index)
    if topk == 0:
        return g.op("Identity", data)
    refuse_float64(g, "_contrib_box_nms", data)
    count, width = shape[-2:]
    if count is None or width is None:
        raise LoweringError(
            f"_contrib_box_nms: needs a fixed number of boxes: expected ints as last two dimensions, got data={shape}."
        )
    if overlap_thresh < 0:
        raise LoweringError(
            "_contrib_box_nms: ONNX has no negative thresholds: expected at least 0, "
            f"got overlap_thresh={overlap_thresh}."
        )
    batch = data if len(shape) == 3 else g.op("Reshape", data, g.ints([-1, count, width]))
    score = g.op("Gather", batch, g.const(score_index, "int64"), axis=2)
    valid = g.op("Greater", score, g.scalar(valid_thresh, score))
    if id_index >= 0:
        ids = g.op("Gather", batch, g.const(id_index, "int64"), axis=2)
        valid = g.op("And", valid, g.op("Not", g.op("Equal", ids, g.scalar(background_id, ids))))
    number = min(topk, count) if topk > 0 else count
    key = g.op("Where", valid, score, g.scalar(-math.inf, score))
    _, order = g.op_outputs("TopK", 2, key, g.ints([number]), axis=1)
    rows = lower_rows(g, batch, order)
    is_valid = g.op("GatherElements", valid, order, axis=1)
    ranks = lower_ranks(g, number)
    scores = g.op("Unsqueeze", g.op("Where", is_valid, ranks, g.const(0.0)), g.ints([1]))
    if id_index >= 0 and not force_suppress:
        mine = g.cast(g.op("Gather", rows, g.const(id_index, "int64"), axis=2), "float32")
        (classes,) = g.op_outputs("Unique", 1, mine)
        same = g.op("Equal", g.op("Unsqueeze", mine, g.ints([1])), g.op("Unsqueeze", classes, g.ints([0, 2])))
        scores = g.op("Where", same, scores, g.const(0.0))
    coordinates = g.ints(range(coord_start, coord_start + 4))
    boxes = g.cast(g.op("Gather", rows, coordinates, axis=2), "float32")
    keep = lower_suppress(g, boxes, scores, overlap_thresh, is_center=in_format == "center")
    first, place = g.op_outputs("TopK", 2, g.op("Where", keep, ranks, g.const(0.0)), g.ints([number]), axis=1)
    is_kept = g.op("Unsqueeze", g.op("Greater", first, g.const(0.0)), g.ints([2]))
    out = g.op("Where", is_kept, lower_rows(g, rows, place), g.scalar(-1, rows))
    if number < count:
        out = g.op("Pad", out, g.ints([0, 0, 0, 0, count - number, 0]), g.scalar(-1, out))
    if in_format != out_format:
        out = _lower_convert(g, out, coord_start, width, out_format)
    return out if len(shape) == 3 else g.op("Reshape", out, g.shape(data))


def _lower_convert(g: GraphBuilder, rows: Value, start: int, width: int, out_format: str) -> Value:
    sizes = [start, 4, width - start - 4]
    parts = list(g.op_outputs("Split", 3, rows, g.ints(sizes), axis=2))
    boxes = parts[1]
    converted = _lower_to_corners(g, boxes) if out_format == "corner" else _lower_to_centers(g, boxes)
    is_negative = g.op("Less", g.op("Gather", boxes, g.ints([0]), axis=2), g.scalar(0, boxes))
    parts[1] = g.op("Where", is_negative, boxes, converted)
    return g.op("Concat", *(p for p, size in zip(parts, sizes, strict=True) if size), axis=2)


@operator("_contrib_box_encode", outputs="output0 output1", source=SOURCE, gradient="none")
def box_encode(
    samples: Tensor, matches: Tensor, anchors: Tensor, refs: Tensor, means: Tensor, stds: Tensor
) -> tuple[Tensor, Tensor]:
    """What a net should predict for anchors that are matched with boxes, and where.

    For `samples` (B, N) above 0.5, anchor n of `anchors` (B, N, 4) is matched with box `matches` (B, N) of `refs`
    (B, M, 4), both given by corners. With centers (x, y) and sizes (w, h), the targets (B, N, 4) are
    ((x' - x) / w, (y' - y) / h, log(w' / w), log(h' / h)), less `means` (4,), divided by `stds` (4,). The second
    output is 1 for them; both are 0 for other anchors. No gradient passes.

    Differs: a match outside goes to the nearest box, where MXNet reads memory that is not its own.

    Raises:
        InputError: Shapes do not fit each other.
    """
    check_floats(
        "_contrib_box_encode",
        samples=samples,
        matches=matches,
        anchors=anchors,
        refs=refs,
        means=means,
        stds=stds,
    )
    if (
        samples.dim() != 2
        or matches.shape != samples.shape
        or anchors.shape != (*samples.shape, 4)
        or refs.dim() != 3
        or (refs.shape[0], refs.shape[2]) != (samples.shape[0], 4)
        or means.shape != (4,)
        or stds.shape != (4,)
    ):
        raise InputError(
            "_contrib_box_encode: inputs do not fit each other: expected samples (B, N), matches (B, N), anchors "
            f"(B, N, 4), refs (B, M, 4), means (4,), stds (4,), got samples={tuple(samples.shape)}, "
            f"matches={tuple(matches.shape)}, anchors={tuple(anchors.shape)}, refs={tuple(refs.shape)}, "
            f"means={tuple(means.shape)}, stds={tuple(stds.shape)}."
        )
    with torch.no_grad():
        match = matches.long().clamp(0, refs.shape[1] - 1).unsqueeze(-1).expand_as(anchors)
        mine, wanted = _measures(anchors), _measures(torch.gather(refs, 1, match))
        shift = (wanted[..., :2] - mine[..., :2]) / mine[..., 2:]
        code = torch.cat([shift, torch.log(wanted[..., 2:] / mine[..., 2:])], -1)
        is_sample = (samples > 0.5).unsqueeze(-1).expand_as(anchors)
        return ((code - means) / stds).masked_fill(~is_sample, 0), is_sample.to(anchors.dtype)


def _measures(corners: Tensor) -> Tensor:
    """Center and size of boxes, the center from the corner and half the size."""
    size = corners[..., 2:] - corners[..., :2]
    return torch.cat([corners[..., :2] + size * 0.5, size], -1)


def lower_measures(g: GraphBuilder, corners: Value) -> tuple[Value, Value]:
    """Centers (..., 2) and sizes (..., 2) of boxes (..., 4), the center from the corner and half the size."""
    low, high = g.op_outputs("Split", 2, corners, axis=-1, num_outputs=2)
    size = g.op("Sub", high, low)
    return g.op("Add", low, g.op("Mul", size, g.scalar(0.5, size))), size


@box_encode.onnx
def _(
    g: GraphBuilder, samples: Value, matches: Value, anchors: Value, refs: Value, means: Value, stds: Value
) -> tuple[Value, Value]:
    last = g.op("Sub", g.op("Gather", g.shape(refs), g.const(1, "int64")), g.const(1, "int64"))
    match = g.op("Clip", g.cast(matches, "int64"), g.const(0, "int64"), last)
    (center, size), (x, s) = lower_measures(g, anchors), lower_measures(g, lower_rows(g, refs, match))
    shift = g.op("Div", g.op("Sub", x, center), size)
    code = g.op("Concat", shift, g.op("Log", g.op("Div", s, size)), axis=-1)
    is_sample = g.op("Unsqueeze", g.op("Greater", samples, g.scalar(0.5, samples)), g.ints([2]))
    scaled = g.op("Div", g.op("Sub", code, means), stds)
    mask = g.op("Where", is_sample, g.const(np.ones(4), g.dtype(anchors)), g.scalar(0, anchors))
    return g.op("Where", is_sample, scaled, g.scalar(0, scaled)), mask


@operator("_contrib_box_decode", source=SOURCE, gradient="none")
def box_decode(
    data: Tensor,
    anchors: Tensor,
    *,
    std0: float = 1.0,
    std1: float = 1.0,
    std2: float = 1.0,
    std3: float = 1.0,
    clip: float = -1.0,
    format: Format = "center",
) -> Tensor:
    """Boxes (B, N, 4), given by corners, that predictions `data` (B, N, 4) stand for at `anchors` (1, N, 4).

    With an anchor's center (x, y) and size (w, h), the box has the center (x + d0 std0 w, y + d1 std1 h) and the size
    (w exp(d2 std2), h exp(d3 std3)), whose exponents are at most `clip` if that is positive. `format` is that of the
    anchors. No gradient passes.

    Raises:
        InputError: Shapes do not fit each other.
    """
    check_floats("_contrib_box_decode", data=data, anchors=anchors)
    if data.dim() != 3 or data.shape[2] != 4 or anchors.shape != (1, *data.shape[1:]):
        raise InputError(
            "_contrib_box_decode: inputs do not fit each other: expected data (B, N, 4) and anchors (1, N, 4), "
            f"got data={tuple(data.shape)}, anchors={tuple(anchors.shape)}."
        )
    with torch.no_grad():
        anchor = _measures(anchors) if format == "corner" else anchors
        center, size = anchor[..., :2], anchor[..., 2:]
        shift = data[..., :2] * data.new_tensor([rounded(std0), rounded(std1)]) * size + center
        growth = data[..., 2:] * data.new_tensor([rounded(std2), rounded(std3)])
        if clip > 0:
            growth = growth.clamp(max=rounded(clip))
        half = growth.exp() * size / 2
        return torch.cat([shift - half, shift + half], -1)


@box_decode.onnx
def _(
    g: GraphBuilder,
    data: Value,
    anchors: Value,
    *,
    std0: float,
    std1: float,
    std2: float,
    std3: float,
    clip: float,
    format: str,
) -> Value:
    if format == "corner":
        center, size = lower_measures(g, anchors)
    else:
        center, size = g.op_outputs("Split", 2, anchors, axis=-1, num_outputs=2)
    move, grow = g.op_outputs("Split", 2, data, axis=-1, num_outputs=2)
    dtype = g.dtype(data)
    shift = g.op("Add", g.op("Mul", g.op("Mul", move, g.const([rounded(std0), rounded(std1)], dtype)), size), center)
    growth = g.op("Mul", grow, g.const([rounded(std2), rounded(std3)], dtype))
    if clip > 0:
        growth = g.op("Min", growth, g.scalar(rounded(clip), growth))
    half = g.op("Div", g.op("Mul", g.op("Exp", growth), size), g.scalar(2, size))
    return g.op("Concat", g.op("Sub", shift, half), g.op("Add", shift, half), axis=-1)
