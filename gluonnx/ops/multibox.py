"""Single-shot detection: default boxes, their training targets, and detections from predictions.

Source: Liu et al. 2016, SSD: Single Shot MultiBox Detector.
"""

import functools
import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Floats
from gluonnx.ops.boxes import UNROLLED_MATCHES, check_floats, lower_best_pairs, require_float32
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.suppression import areas, lower_ranks, lower_rows, lower_suppress, overlaps, rounded, suppress
from gluonnx.ops.table import no_effect, operator

LEAST_OVERLAP = 1e-6
"""Overlap that a box needs to get an anchor of its own."""
VARIANCES = (0.1, 0.1, 0.2, 0.2)


def _check_variances(name: str, variances: Floats) -> None:
    if len(variances) != 4:
        raise AttributeValueError(f"{name}: wrong number of variances: expected 4, got variances={variances}.")


@functools.lru_cache(maxsize=64)
def _default_boxes(
    height: int, width: int, sizes: Floats, ratios: Floats, clip: bool, steps: Floats, offsets: Floats
) -> npt.NDArray[np.float32]:
    """Boxes (1, H W (sizes + ratios - 1), 4) in units of the image, in single precision throughout."""
    single = np.float32
    step_y, step_x = (single(step) for step in steps)
    if steps[0] <= 0 or steps[1] <= 0:
        step_y, step_x = single(1) / single(height), single(1) / single(width)
    y = (np.arange(height, dtype=single) + single(offsets[0])) * step_y
    x = (np.arange(width, dtype=single) + single(offsets[1])) * step_x
    first, *others = (np.sqrt(single(r)) for r in ratios)
    roots = [first] * len(sizes) + others
    scales = [single(s) for s in sizes] + [single(sizes[0])] * (len(ratios) - 1)
    half_x = np.array([s * height / width * r / 2 for s, r in zip(scales, roots, strict=True)], dtype=single)
    half_y = np.array([s / r / 2 for s, r in zip(scales, roots, strict=True)], dtype=single)
    center = np.broadcast_arrays(x[None, :, None], y[:, None, None], half_x)
    cx, cy = center[:2]
    boxes = np.stack([cx - half_x, cy - half_y, cx + half_x, cy + half_y], -1).reshape(1, -1, 4)
    return np.asarray(boxes.clip(0, 1) if clip else boxes, dtype=single)


def _check_prior(shape: tuple[int | None, ...], sizes: Floats, ratios: Floats, steps: Floats, offsets: Floats) -> None:
    name = "_contrib_MultiBoxPrior"
    if len(shape) != 4:
        raise InputError(f"{name}: wrong rank of data: expected (N, C, H, W), got data={tuple(shape)}.")
    if not sizes or not ratios or min(ratios) <= 0:
        raise AttributeValueError(
            f"{name}: no boxes follow: expected at least one size and positive ratios, got sizes={sizes}, "
            f"ratios={ratios}."
        )
    if len(steps) != 2 or steps[0] * steps[1] < 0:
        raise AttributeValueError(
            f"{name}: wrong steps: expected (step_y, step_x), both positive or both negative, got steps={steps}."
        )
    if len(offsets) != 2:
        raise AttributeValueError(f"{name}: wrong offsets: expected (offset_y, offset_x), got offsets={offsets}.")


@operator(
    "_contrib_MultiBoxPrior",
    "_npx_multibox_prior",
    source="MXNet 1.9.1 src/operator/contrib/multibox_prior-inl.h",
    gradient="none",
)
def multibox_prior(
    data: Tensor,
    *,
    sizes: Floats = (1.0,),
    ratios: Floats = (1.0,),
    clip: bool = False,
    steps: Floats = (-1.0, -1.0),
    offsets: Floats = (0.5, 0.5),
) -> Tensor:
    """Default boxes (1, H W K, 4) of the positions of `data` (N, C, H, W), K = sizes + ratios - 1 at each.

    Corners are in units of the image. The centers are (row + offset_y) step_y, (column + offset_x) step_x; without
    positive `steps` they are 1 / H and 1 / W. A box has the height s / sqrt(r) and the width s sqrt(r) H / W, for each
    size with the first ratio, then for the first size with each other ratio. `clip` cuts off what leaves the image.

    Differs: takes every floating-point dtype, where MXNet takes float32 only. A ratio that is not positive is refused,
    where MXNet's boxes are NaN.

    Raises:
        InputError: `data` does not have four dimensions or holds integers.
        AttributeValueError: There is no size or positive ratio, or steps or offsets are not two.
    """
    _check_prior(data.shape, sizes, ratios, steps, offsets)
    check_floats("_contrib_MultiBoxPrior", data=data)
    if data.device.type == "meta":
        return data.new_empty((1, data.shape[2] * data.shape[3] * (len(sizes) + len(ratios) - 1), 4))
    boxes = _default_boxes(data.shape[2], data.shape[3], sizes, ratios, clip, steps, offsets)
    return torch.tensor(boxes, device=data.device, dtype=data.dtype)


@multibox_prior.onnx
def _(
    g: GraphBuilder, data: Value, *, sizes: Floats, ratios: Floats, clip: bool, steps: Floats, offsets: Floats
) -> Value:
    require_float32(g, "_contrib_MultiBoxPrior", data)
    shape = g.dims(data)
    _check_prior(shape, sizes, ratios, steps, offsets)
    height, width = shape[2:]
    if height is None or width is None:
        raise LoweringError(
            f"_contrib_MultiBoxPrior: needs a fixed size of data: expected ints as last two dimensions, got {shape}."
        )
    return g.const(_default_boxes(height, width, sizes, ratios, clip, steps, offsets))


def _check_detection(
    scores: tuple[int | None, ...], moves: tuple[int | None, ...], anchors: tuple[int | None, ...]
) -> None:
    fits = len(scores) == 3 and len(moves) == 2 and len(anchors) == 3
    if fits and scores[2] is not None and anchors[1] is not None:
        fits = anchors == (1, scores[2], 4) and moves == (scores[0], 4 * scores[2])
    if not fits:
        raise InputError(
            "_contrib_MultiBoxDetection: inputs do not fit each other: expected cls_prob (B, classes, N), loc_pred "
            f"(B, 4 N), anchor (1, N, 4), got cls_prob={tuple(scores)}, loc_pred={tuple(moves)}, "
            f"anchor={tuple(anchors)}."
        )


@operator(
    "_contrib_MultiBoxDetection",
    "_npx_multibox_detection",
    source="MXNet 1.9.1 src/operator/contrib/multibox_detection.cc",
    gradient="none",
)
def multibox_detection(
    cls_prob: Tensor,
    loc_pred: Tensor,
    anchor: Tensor,
    *,
    clip: bool = True,
    threshold: float = 0.01,
    background_id: int = 0,
    nms_threshold: float = 0.5,
    force_suppress: bool = False,
    variances: Floats = VARIANCES,
    nms_topk: int = -1,
) -> Tensor:
    """Detections (B, N, 6) from class probabilities (B, classes, N) and predicted moves (B, 4 N) of anchors (1, N, 4).

    A row is class, score, left, top, right, bottom. Class 0 of `cls_prob` is the background, whatever `background_id`
    says, and the classes after it count from 0. An anchor shows its most probable class if that has at least
    `threshold`. With its center (x, y) and size (w, h), the box has the center (x + m0 v0 w, y + m1 v1 h) and the size
    (w exp(m2 v2), h exp(m3 v3)), v being `variances`, and is cut to the image under `clip`.

    For `nms_threshold` in (0, 1], rows are in descending order of score, and those that overlap an earlier one of
    their class (of any class under `force_suppress`) by at least that much have class -1, as have all after the first
    `nms_topk`, if that is positive. Anchors that show nothing are rows of -1 at the end.

    Differs: takes every floating-point dtype, where MXNet takes float32 only.

    Raises:
        InputError: Shapes do not fit each other, or dtypes differ or are integers.
        AttributeValueError: `variances` are not four.
    """
    name = "_contrib_MultiBoxDetection"
    _check_detection(cls_prob.shape, loc_pred.shape, anchor.shape)
    check_floats(name, cls_prob=cls_prob, loc_pred=loc_pred, anchor=anchor)
    _check_variances(name, variances)
    batch, classes, count = cls_prob.shape
    if classes < 2 or cls_prob.device.type == "meta":
        return cls_prob.new_full((batch, count, 6), -1)
    with torch.no_grad():
        score, best = cls_prob[:, 1:].max(1)
        boxes = _decode(anchor, loc_pred.reshape(batch, count, 4), variances)
        if clip:
            boxes = boxes.clamp(0, 1)
        valid = (score >= rounded(threshold)) & (score > -1)
        rows = torch.cat([best.to(score.dtype).unsqueeze(-1), score.unsqueeze(-1), boxes], -1)
        out = torch.full_like(rows, -1)
        for place in range(batch):
            shown = rows[place][valid[place]]
            if 0 < nms_threshold <= 1:
                shown = _mark(shown, nms_threshold, force_suppress, nms_topk)
            out[place, : shown.shape[0]] = shown
    return out


def _decode(anchor: Tensor, moves: Tensor, variances: Floats) -> Tensor:
    low, high = anchor[..., :2], anchor[..., 2:]
    size, center = high - low, (low + high) * 0.5
    scale = moves.new_tensor(variances)
    middle = moves[..., :2] * scale[:2] * size + center
    half = torch.exp(moves[..., 2:] * scale[2:]) * size / 2
    return torch.cat([middle - half, middle + half], -1)


def _mark(rows: Tensor, threshold: float, force: bool, topk: int) -> Tensor:
    """Put the first `topk` of rows (N, 6) in order of score, and mark with -1 the rest and what they suppress."""
    count = rows.shape[0]
    number = min(topk, count) if topk > 0 else count
    order = torch.sort(rows[:, 1], descending=True, stable=True).indices[:number]
    first = rows[order]
    boxes, groups = first[:, 2:], None if force else first[:, 0]
    kept = suppress(boxes, areas(boxes), threshold, groups=groups, is_inclusive=True)
    out = torch.cat([first, rows[number:]])
    marked = torch.full((count,), -1.0, dtype=rows.dtype, device=rows.device)
    marked[kept] = out[kept, 0]
    out[:, 0] = marked
    return out


@multibox_detection.onnx
def _(
    g: GraphBuilder,
    cls_prob: Value,
    loc_pred: Value,
    anchor: Value,
    *,
    clip: bool,
    threshold: float,
    nms_threshold: float,
    force_suppress: bool,
    variances: Floats,
    nms_topk: int,
) -> Value:
    require_float32(g, "_contrib_MultiBoxDetection", cls_prob)
    _check_detection(g.dims(cls_prob), g.dims(loc_pred), g.dims(anchor))
    _check_variances("_contrib_MultiBoxDetection", variances)
    classes, count = g.dims(cls_prob)[1:]
    if classes is None or count is None:
        raise LoweringError(
            "_contrib_MultiBoxDetection: needs fixed numbers of classes and anchors: expected ints, "
            f"got cls_prob={g.dims(cls_prob)}."
        )
    moves = g.op("Reshape", loc_pred, g.ints([-1, count, 4]))
    if classes < 2:
        rows = g.op("Concat", moves, moves, axis=2)
        return g.op("Expand", g.const(-1.0), g.op("Shape", g.op("Slice", rows, g.ints([0]), g.ints([6]), g.ints([2]))))
    _, shown = g.op_outputs("Split", 2, cls_prob, g.ints([1, classes - 1]), axis=1)
    score = g.op("ReduceMax", shown, g.ints([1]), keepdims=0)
    best = g.op("ArgMax", shown, axis=1, keepdims=0)
    boxes = _lower_decode(g, anchor, moves, variances)
    if clip:
        boxes = g.op("Clip", boxes, g.const(0.0), g.const(1.0))
    is_low = g.op("Or", g.op("Less", score, g.const(threshold)), g.op("LessOrEqual", score, g.const(-1.0)))
    valid = g.op("Not", is_low)
    last = g.ints([2])
    columns = [g.op("Unsqueeze", g.cast(best, "float32"), last), g.op("Unsqueeze", score, last), boxes]
    rows = g.op("Concat", *columns, axis=2)
    # First the rows that show something, in order; then, with suppression, those of the best score first.
    ranks = lower_ranks(g, count)
    whole = g.ints([count])
    found, order = g.op_outputs("TopK", 2, g.op("Where", valid, ranks, g.const(0.0)), whole, axis=1)
    shown_rows = lower_rows(g, rows, order)
    is_shown = g.op("Greater", found, g.const(0.0))
    if 0 < nms_threshold <= 1:
        number = min(nms_topk, count) if nms_topk > 0 else count
        key = g.op("Where", valid, score, g.const(-math.inf))
        values, order = g.op_outputs("TopK", 2, key, g.ints([number]), axis=1)
        is_first = g.op("Greater", values, g.const(-math.inf))
        first = lower_rows(g, rows, order)
        parts = g.op_outputs("Split", 3, first, g.ints([1, 1, 4]), axis=2)
        label = g.op("Squeeze", parts[0], last)
        rank = g.op("Where", is_first, lower_ranks(g, number), g.const(0.0))
        competing = g.op("Unsqueeze", rank, g.ints([1]))
        if not force_suppress:
            numbers = g.const(np.arange(classes - 1)[None, :, None], "float32")
            is_of_class = g.op("Equal", g.op("Unsqueeze", label, g.ints([1])), numbers)
            competing = g.op("Where", is_of_class, competing, g.const(0.0))
        keep = lower_suppress(g, parts[2], competing, nms_threshold, is_inclusive=True)
        kept = g.op("Unsqueeze", g.op("Where", keep, label, g.const(-1.0)), last)
        first = g.op("Concat", kept, *parts[1:], axis=2)
        if number < count:
            rest = g.op("Slice", shown_rows, g.ints([number]), g.ints([count]), g.ints([1]))
            _, tail = g.op_outputs("Split", 2, rest, g.ints([1, 5]), axis=2)
            unmarked = g.op("Pad", tail, g.ints([0, 0, 1, 0, 0, 0]), g.const(-1.0))
            first = g.op("Concat", first, unmarked, axis=1)
        shown_rows = first
    return g.op("Where", g.op("Unsqueeze", is_shown, last), shown_rows, g.const(-1.0))


def _lower_decode(g: GraphBuilder, anchor: Value, moves: Value, variances: Floats) -> Value:
    low, high = g.op_outputs("Split", 2, anchor, axis=2, num_outputs=2)
    size = g.op("Sub", high, low)
    center = g.op("Mul", g.op("Add", low, high), g.const(0.5))
    move, grow = g.op_outputs("Split", 2, moves, axis=2, num_outputs=2)
    shift = g.op("Mul", move, g.const(np.array(variances[:2]), "float32"))
    middle = g.op("Add", g.op("Mul", shift, size), center)
    growth = g.op("Exp", g.op("Mul", grow, g.const(np.array(variances[2:]), "float32")))
    half = g.op("Div", g.op("Mul", growth, size), g.const(2.0))
    return g.op("Concat", g.op("Sub", middle, half), g.op("Add", middle, half), axis=2)


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
            f"more), cls_pred (B, classes, N), got anchor={tuple(anchor)}, label={tuple(label)}, cls_pred={tuple(cls_pred)}."
        )


def _check_mining(ratio: float, thresh: float, variances: Floats) -> None:
    _check_variances("_contrib_MultiBoxTarget", variances)
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
