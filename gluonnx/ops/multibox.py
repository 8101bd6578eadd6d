"""Single-shot detection: default boxes, and detections from predictions.

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
from gluonnx.ops.boxes import check_floats, require_float32
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.suppression import areas, lower_ranks, lower_rows, lower_suppress, rounded, suppress_each
from gluonnx.ops.table import operator

VARIANCES = (0.1, 0.1, 0.2, 0.2)


def check_variances(name: str, variances: Floats) -> None:
    """Raise AttributeValueError unless there are four."""
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
    if 0 in shape[2:]:
        raise InputError(f"{name}: the map is empty: expected H and W of at least 1, got data={tuple(shape)}.")
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
    check_variances(name, variances)
    batch, classes, count = cls_prob.shape
    if classes < 2 or cls_prob.device.type == "meta":
        return cls_prob.new_full((batch, count, 6), -1)
    with torch.no_grad():
        score, best = _first_maximum(cls_prob[:, 1:])
        rows = score.new_empty((batch, count, 6))
        rows[..., 0], rows[..., 1] = best, score
        _decode(anchor, loc_pred.reshape(batch, count, 4), variances, rows[..., 2:])
        if clip:
            rows[..., 2:].clamp_(0, 1)
        rows = rows.view(-1, 6)
        valid = (score >= rounded(threshold)) & (score > -1)
        out = torch.full_like(rows, -1)
        images, places = torch.nonzero(valid, as_tuple=True)
        out.index_copy_(0, _in_a_row(images, batch) + images * count, rows.index_select(0, images * count + places))
        if 0 < nms_threshold <= 1:
            number = min(nms_topk, count) if nms_topk > 0 else count
            out.view(batch, count, 6)[:, number:, 0] = -1
            images, places = _best_first(score.masked_fill(~valid, -math.inf), number)
            first = rows.index_select(0, images * count + places)
            boxes, groups = first[:, 2:], None if force_suppress else first[:, 0]
            kept = suppress_each(boxes, areas(boxes), nms_threshold, images=images, groups=groups, is_inclusive=True)
            first[:, 0].masked_fill_(~kept, -1)
            out.index_copy_(0, _in_a_row(images, batch) + images * count, first)
    return out.view(batch, count, 6)


def _first_maximum(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima (B, N) of `scores` (B, classes, N) and the first class that has each; torch's own take 5 times as long."""
    best = scores.amax(1)
    count = scores.shape[1]
    left = torch.arange(count, 0, -1, device=scores.device, dtype=torch.uint8 if count < 256 else torch.int32)
    return best, count - ((scores == best.unsqueeze(1)) * left.view(1, -1, 1)).amax(1)


def _in_a_row(images: Tensor, batch: int) -> Tensor:
    """Number of each element within its image, for images (K,) that are ascending."""
    counts = torch.bincount(images, minlength=batch)
    return torch.arange(images.numel(), device=images.device) - (counts.cumsum(0) - counts)[images]


def _best_first(scores: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """The best `number` scores (B, N) of each image above -inf, in descending order; equal ones stay in theirs.

    Returns:
        Their images, ascending, and their places in them.
    """
    is_wanted = scores > -math.inf
    if number < scores.shape[1]:
        is_wanted &= scores >= scores.topk(number, 1, sorted=False).values.amin(1, keepdim=True)
    images, places = torch.nonzero(is_wanted, as_tuple=True)
    order = torch.sort(scores[images, places], descending=True, stable=True).indices
    order = order[torch.sort(images[order], stable=True).indices]
    images, places = images[order], places[order]
    is_first = _in_a_row(images, scores.shape[0]) < number
    return images[is_first], places[is_first]


def _decode(anchor: Tensor, moves: Tensor, variances: Floats, boxes: Tensor) -> None:
    """Write corners into `boxes` (B, N, 4)."""
    low, high = anchor[..., :2], anchor[..., 2:]
    size, center = high - low, (low + high) * 0.5
    scale = moves.new_tensor(variances)
    middle = (moves[..., :2] * scale[:2]).mul_(size).add_(center)
    half = (moves[..., 2:] * scale[2:]).exp_().mul_(size).div_(2)
    torch.sub(middle, half, out=boxes[..., :2])
    torch.add(middle, half, out=boxes[..., 2:])


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
    check_variances("_contrib_MultiBoxDetection", variances)
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
