"""Single-shot detection: training targets of default boxes.

Source: Liu et al. 2016, SSD: Single Shot MultiBox Detector.
"""

import math

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Floats
from gluonnx.ops.boxes import check_floats, require_float32
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.matching import UNROLLED_MATCHES, lower_best_pairs
from gluonnx.ops.multibox import VARIANCES, check_variances
from gluonnx.ops.suppression import areas, lower_rows, overlaps, rounded
from gluonnx.ops.table import no_effect, operator

LEAST_OVERLAP = 1e-6
"""Overlap that a box needs to get an anchor of its own."""


def _check_target(
    anchor: tuple[int | None, ...], label: tuple[int | None, ...], cls_pred: tuple[int | None, ...]
) -> None:
    fits = len(anchor) == 3 and len(label) == 3 and len(cls_pred) == 3
    if fits:
        fits = anchor[0] == 1 and anchor[2] == 4 and label[2] is not None and label[2] >= 5
        fits = fits and cls_pred[2] == anchor[1] and cls_pred[0] == label[0]
    if not fits:
        raise InputError(
            "_contrib_MultiBoxTarget: inputs do not fit each other: expected anchor (1, N, 4), label (B, M, 5 or "
            f"more), cls_pred (B, classes, N), got anchor={tuple(anchor)}, label={tuple(label)}, "
            f"cls_pred={tuple(cls_pred)}."
        )


def _check_mining(ratio: float, thresh: float, variances: Floats) -> None:
    check_variances("_contrib_MultiBoxTarget", variances)
    if ratio > 0 and thresh <= 0:
        raise AttributeValueError(
            "_contrib_MultiBoxTarget: wrong threshold for negative mining: expected a positive one, "
            f"got negative_mining_thresh={thresh}."
        )


@operator(
    "_contrib_MultiBoxTarget",
    "_npx_multibox_target",
    outputs="loc_target loc_mask cls_target",
    no_effect=(no_effect("minimum_negative_samples", int, 0),),
    source="MXNet 1.9.1 src/operator/contrib/multibox_target.cc",
    gradient="none",
)
def multibox_target(
    anchor: Tensor,
    label: Tensor,
    cls_pred: Tensor,
    *,
    overlap_threshold: float = 0.5,
    ignore_label: float = -1.0,
    negative_mining_ratio: float = -1.0,
    negative_mining_thresh: float = 0.5,
    variances: Floats = VARIANCES,
) -> tuple[Tensor, Tensor, Tensor]:
    """Training targets of anchors (1, N, 4) for the boxes of `label` (B, M, 5 or more): class, corners.

    A class of -1 ends the boxes of an image. Each box gets the anchor that it overlaps most, the best pair first, as
    long as the overlap is above 1e-6. Of the others, an anchor gets the box that it overlaps most if that is more than
    a positive `overlap_threshold`. These are positive. With a positive `negative_mining_ratio`, so many times their
    number are negative: of those with less overlap than `negative_mining_thresh` the ones to which `cls_pred` (B,
    classes, N), scores before softmax, gives the background, class 0, the lowest probability. Without, all others are.
    `minimum_negative_samples` is not read, by MXNet either.

    Returns:
        loc_target (B, 4 N): (x' - x) / w / v0, (y' - y) / h / v1, log(w' / w) / v2, log(h' / h) / v3 from the anchor to
        its box, 0 for other anchors; v are `variances`. loc_mask (B, 4 N): 1 for positive anchors. cls_target (B, N):
        class + 1 of positive anchors, 0 of negative ones, `ignore_label` of others and of images without boxes.

    Differs: takes every floating-point dtype, where MXNet takes float32 only.

    Raises:
        InputError: Shapes do not fit each other, dtypes differ or are integers, or too few anchors can be negative.
        AttributeValueError: `variances` are not four, or `negative_mining_thresh` is not positive.
    """
    name = "_contrib_MultiBoxTarget"
    _check_target(anchor.shape, label.shape, cls_pred.shape)
    check_floats(name, anchor=anchor, label=label, cls_pred=cls_pred)
    _check_mining(negative_mining_ratio, negative_mining_thresh, variances)
    batch, count = label.shape[0], anchor.shape[1]
    if anchor.device.type == "meta":
        return (
            anchor.new_empty((batch, 4 * count)),
            anchor.new_empty((batch, 4 * count)),
            anchor.new_empty((batch, count)),
        )
    if not count or not label.shape[1]:
        nothing = anchor.new_zeros((batch, 4 * count))
        return nothing, nothing.clone(), anchor.new_full((batch, count), ignore_label)
    with torch.no_grad():
        boxes, anchors = label[..., 1:5], anchor[0]
        is_box = (label[..., 0] != -1).to(torch.uint8).cumprod(1).bool()
        flat = boxes.reshape(-1, 4)
        shared = (
            overlaps(anchors.T.contiguous(), flat.T.contiguous(), areas(anchors), areas(flat))
            .view(count, batch, -1)
            .transpose(0, 1)
        )
        shared = shared.masked_fill(~is_box.unsqueeze(1), -1)
        own, match = _give_anchors(shared, int(is_box.sum(1).max()))
        most, nearest = shared.max(2)
        positive = own
        if overlap_threshold > 0:
            positive = own | (most > rounded(overlap_threshold))
        match = torch.where(own, match, nearest)
        has_boxes = is_box[:, :1]
        if negative_mining_ratio > 0:
            can_be = ~positive & (most < rounded(negative_mining_thresh)) & has_boxes
            negative = _mine(can_be, positive, cls_pred, negative_mining_ratio)
        else:
            negative = ~positive & has_boxes
        wanted = torch.gather(boxes, 1, match.unsqueeze(-1).expand(-1, -1, 4))
        mask = positive.unsqueeze(-1).expand_as(wanted)
        code = _encode(anchors, wanted, variances).masked_fill(~mask, 0)
        classes = torch.gather(label[..., 0], 1, match) + 1
        target = torch.where(positive, classes, torch.where(negative, 0.0, ignore_label))
    return code.reshape(batch, -1), mask.to(anchor.dtype).reshape(batch, -1), target


def _give_anchors(shared: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Give each box the anchor that it overlaps most, the best pair first.

    Args:
        shared: Overlaps (B, N, M), -1 where there is no box.
        most: Largest number of boxes in an image.

    Returns:
        Whether an anchor is given (B, N), and to which box (B, N).
    """
    batch, count, boxes = shared.shape
    left = shared.contiguous().clone()
    own = torch.zeros((batch, count), dtype=torch.bool, device=shared.device)
    match = torch.zeros((batch, count), dtype=torch.int64, device=shared.device)
    images = torch.arange(batch, device=shared.device)
    for _ in range(most):
        best, place = left.flatten(1).max(1)
        row, column = place // boxes, place % boxes
        is_found = best > LEAST_OVERLAP
        own[images, row] |= is_found
        match[images, row] = torch.where(is_found, column, match[images, row])
        left[images, row] = -1
        left[images, :, column] = -1
    return own, match


def _mine(can_be: Tensor, positive: Tensor, cls_pred: Tensor, ratio: float) -> Tensor:
    found = positive.sum(1)
    wanted = torch.minimum((found * rounded(ratio)).long(), positive.shape[1] - found)
    if bool((can_be.sum(1) < wanted.where(positive.any(1), torch.zeros_like(wanted))).any()):
        raise InputError(
            "_contrib_MultiBoxTarget: too few anchors can be negative: expected at least "
            f"{int(wanted.max())} below negative_mining_thresh, got {int(can_be.sum(1).min())}. "
            "Raise negative_mining_thresh or lower negative_mining_ratio."
        )
    background = torch.softmax(cls_pred, 1)[:, 0].masked_fill(~can_be, math.inf)
    order = torch.sort(background, dim=1, stable=True).indices
    places = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return can_be & (torch.empty_like(order).scatter_(1, order, places) < wanted.unsqueeze(1))


def _encode(anchors: Tensor, boxes: Tensor, variances: Floats) -> Tensor:
    size, wanted = anchors[..., 2:] - anchors[..., :2], boxes[..., 2:] - boxes[..., :2]
    center, goal = (anchors[..., :2] + anchors[..., 2:]) * 0.5, (boxes[..., :2] + boxes[..., 2:]) * 0.5
    code = torch.cat([(goal - center) / size, torch.log(wanted / size)], -1)
    return code / anchors.new_tensor(variances)


@multibox_target.onnx
def _(
    g: GraphBuilder,
    anchor: Value,
    label: Value,
    cls_pred: Value,
    *,
    overlap_threshold: float,
    ignore_label: float,
    negative_mining_ratio: float,
    negative_mining_thresh: float,
    variances: Floats,
) -> tuple[Value, Value, Value]:
    require_float32(g, "_contrib_MultiBoxTarget", anchor)
    _check_target(g.dims(anchor), g.dims(label), g.dims(cls_pred))
    _check_mining(negative_mining_ratio, negative_mining_thresh, variances)
    count, boxes = g.dims(anchor)[1], g.dims(label)[1]
    if count is None or boxes is None or not 0 < boxes <= UNROLLED_MATCHES:
        raise LoweringError(
            "_contrib_MultiBoxTarget: needs fixed numbers of anchors and boxes, at most "
            f"{UNROLLED_MATCHES} boxes: expected ints, got anchor={g.dims(anchor)}, label={g.dims(label)}."
        )
    classes = g.op("Gather", label, g.const(0, "int64"), axis=2)
    corners = g.op("Slice", label, g.ints([1]), g.ints([5]), g.ints([2]))
    ended = g.op("CumSum", g.cast(g.op("Equal", classes, g.const(-1.0)), "int32"), g.const(1, "int64"))
    is_box = g.op("Equal", ended, g.const(0, "int32"))
    met = _lower_overlaps(g, anchor, corners)
    shared = g.op("Where", g.op("Unsqueeze", is_box, g.ints([1])), met, g.const(-1.0))
    enough = g.op("Greater", shared, g.const(LEAST_OVERLAP))
    column, _ = lower_best_pairs(g, g.op("Where", enough, shared, g.const(-math.inf)), min(boxes, count))
    own = positive = g.op("GreaterOrEqual", column, g.const(0, "int64"))
    most = g.op("ReduceMax", shared, g.ints([2]), keepdims=0)
    if overlap_threshold > 0:
        positive = g.op("Or", own, g.op("Greater", most, g.const(overlap_threshold)))
    match = g.op("Where", own, column, g.op("ArgMax", shared, axis=2, keepdims=0))
    has_boxes = g.op("Slice", is_box, g.ints([0]), g.ints([1]), g.ints([1]))
    negative = g.op("And", g.op("Not", positive), has_boxes)
    if negative_mining_ratio > 0:
        can_be = g.op("And", negative, g.op("Less", most, g.const(negative_mining_thresh)))
        negative = _lower_mine(g, can_be, positive, cls_pred, negative_mining_ratio, count)
    code = _lower_encode(g, anchor, lower_rows(g, corners, match), variances)
    wide = g.op("And", g.op("Unsqueeze", positive, g.ints([2])), g.const(np.ones(4, dtype=np.bool_)))
    flat = g.ints([-1, 4 * count])
    moves = g.op("Reshape", g.op("Where", wide, code, g.const(0.0)), flat)
    mask = g.op("Reshape", g.cast(wide, "float32"), flat)
    chosen = g.op("Add", g.op("GatherElements", classes, match, axis=1), g.const(1.0))
    others = g.op("Where", negative, g.const(0.0), g.const(ignore_label))
    return moves, mask, g.op("Where", positive, chosen, others)


def _lower_overlaps(g: GraphBuilder, anchor: Value, boxes: Value) -> Value:
    """Intersection over union (B, N, M) of anchors (1, N, 4) and boxes (B, M, 4)."""

    def split(value: Value, axis: int) -> tuple[Value, Value, Value]:
        low, high = g.op_outputs("Split", 2, g.op("Unsqueeze", value, g.ints([axis])), axis=3, num_outputs=2)
        sides = g.op("Sub", high, low)
        return low, high, g.op("ReduceProd", g.op("Max", sides, g.const(0.0)), g.ints([3]), keepdims=0)

    low_a, high_a, area_a = split(anchor, 2)
    low_b, high_b, area_b = split(boxes, 1)
    sides = g.op("Max", g.op("Sub", g.op("Min", high_a, high_b), g.op("Max", low_a, low_b)), g.const(0.0))
    shared = g.op("ReduceProd", sides, g.ints([3]), keepdims=0)
    union = g.op("Sub", g.op("Add", area_a, area_b), shared)
    return g.op("Div", shared, g.op("Where", g.op("Greater", shared, g.const(0.0)), union, g.const(1.0)))


def _lower_mine(g: GraphBuilder, can_be: Value, positive: Value, cls_pred: Value, ratio: float, count: int) -> Value:
    found = g.op("ReduceSum", g.cast(positive, "float32"), g.ints([1]))
    wanted = g.op("Min", g.op("Floor", g.op("Mul", found, g.const(ratio))), g.op("Sub", g.const(float(count)), found))
    background = g.op("Gather", g.op("Softmax", cls_pred, axis=1), g.const(0, "int64"), axis=1)
    key = g.op("Where", can_be, background, g.const(math.inf))
    _, order = g.op_outputs("TopK", 2, key, g.ints([count]), axis=1, largest=0)
    places = g.op("Expand", g.const(np.arange(count, dtype=np.float32)[None, :]), g.op("Shape", key))
    rank = g.op("ScatterElements", places, order, places, axis=1)
    return g.op("And", can_be, g.op("Less", rank, wanted))


def _lower_encode(g: GraphBuilder, anchor: Value, boxes: Value, variances: Floats) -> Value:
    (low, high), (start, end) = (g.op_outputs("Split", 2, v, axis=2, num_outputs=2) for v in (anchor, boxes))
    size, wanted = g.op("Sub", high, low), g.op("Sub", end, start)
    center = g.op("Mul", g.op("Add", low, high), g.const(0.5))
    goal = g.op("Mul", g.op("Add", start, end), g.const(0.5))
    shift = g.op("Div", g.op("Sub", goal, center), size)
    code = g.op("Concat", shift, g.op("Log", g.op("Div", wanted, size)), axis=2)
    return g.op("Div", code, g.const(np.array(variances), "float32"))
