"""Region proposals.

Source: Ren et al. 2015, Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks.
"""

import functools

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Floats
from gluonnx.ops.boxes import check_floats, require_float32
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.suppression import lower_ranks, lower_rows, lower_suppress, suppress
from gluonnx.ops.table import Attrs, operator

INCLUSIVE = 1.0
"""A box of pixels contains its last column and row."""


@functools.lru_cache(maxsize=64)
def _anchors(height: int, width: int, stride: int, scales: Floats, ratios: Floats) -> npt.NDArray[np.float32]:
    """Anchors (H, W, A, 4) in pixels of the image: for each ratio, whose sides are whole, each scale."""
    single = np.float32
    middle = single(0.5) * single(stride - 1)
    base = []
    for ratio in ratios:
        area = np.floor(single(stride * stride) / single(ratio))
        side = np.floor(np.sqrt(area) + single(0.5))
        for scale in scales:
            wide = side * single(scale)
            high = np.floor(side * single(ratio) + single(0.5)) * single(scale)
            half_x, half_y = single(0.5) * (wide - 1), single(0.5) * (high - 1)
            base.append([middle - half_x, middle - half_y, middle + half_x, middle + half_y])
    y, x = np.meshgrid(np.arange(height) * stride, np.arange(width) * stride, indexing="ij")
    shift = np.stack([x, y, x, y], -1).astype(single)
    return np.asarray(shift[:, :, None] + np.array(base, dtype=single), dtype=single)


def _check(
    name: str,
    scores: tuple[int | None, ...],
    moves: tuple[int | None, ...],
    info: tuple[int | None, ...],
    scales: Floats,
    ratios: Floats,
) -> None:
    kinds = len(scales) * len(ratios)
    fits = len(scores) == 4 and scores[1] == 2 * kinds
    fits = fits and tuple(moves) == (scores[0], 4 * kinds, *scores[2:]) and tuple(info) == (scores[0], 3)
    if not fits:
        raise InputError(
            f"{name}: inputs do not fit each other: expected cls_prob (N, 2 A, H, W), bbox_pred (N, 4 A, H, W), "
            f"im_info (N, 3) with A={kinds} scales times ratios, got cls_prob={tuple(scores)}, "
            f"bbox_pred={tuple(moves)}, im_info={tuple(info)}."
        )


def _check_attributes(name: str, post_nms: int, stride: int) -> None:
    if post_nms < 0 or stride < 1:
        raise AttributeValueError(
            f"{name}: wrong sizes: expected rpn_post_nms_top_n of at least 0 and feature_stride of at least 1, "
            f"got rpn_post_nms_top_n={post_nms}, feature_stride={stride}."
        )


def _visible(attrs: Attrs) -> int:
    return 2 if attrs["output_score"] else 1


def _propose(
    name: str,
    cls_prob: Tensor,
    bbox_pred: Tensor,
    im_info: Tensor,
    pre_nms: int,
    post_nms: int,
    threshold: float,
    min_size: int,
    scales: Floats,
    ratios: Floats,
    stride: int,
    iou_loss: bool,
) -> tuple[Tensor, Tensor]:
    _check(name, cls_prob.shape, bbox_pred.shape, im_info.shape, scales, ratios)
    check_floats(name, cls_prob=cls_prob, bbox_pred=bbox_pred, im_info=im_info)
    _check_attributes(name, post_nms, stride)
    batch, _, height, width = cls_prob.shape
    if cls_prob.device.type == "meta":
        return cls_prob.new_empty((batch * post_nms, 5)), cls_prob.new_empty((batch * post_nms, 1))
    with torch.no_grad():
        sizes = im_info[:, :2].cpu()
        real = (sizes / stride).long()
        if bool((real > torch.tensor([height, width])).any()):
            raise InputError(
                f"{name}: an image is larger than its scores: expected at most {(height * stride, width * stride)} "
                f"at feature_stride={stride}, got im_info={sizes.tolist()}."
            )
        kinds = len(scales) * len(ratios)
        score = cls_prob[:, kinds:].permute(0, 2, 3, 1).clone()
        moves = bbox_pred.view(batch, kinds, 4, height, width).permute(0, 3, 4, 1, 2)
        anchors = torch.tensor(
            _anchors(height, width, stride, scales, ratios), device=cls_prob.device, dtype=cls_prob.dtype
        )
        boxes = _clip(anchors + moves if iou_loss else _move(anchors, moves), im_info)
        for place, (rows, columns) in enumerate(real.tolist()):
            score[place, rows:] = -1
            score[place, :, columns:] = -1
        smallest = (min_size * im_info[:, 2]).view(batch, 1, 1, 1, 1)
        is_small = (boxes[..., 2:] - boxes[..., :2] + 1 < smallest).any(-1)
        grown = boxes + smallest / 2 * boxes.new_tensor([-1.0, -1.0, 1.0, 1.0])
        boxes = torch.where(is_small.unsqueeze(-1), grown, boxes).view(batch, -1, 4)
        score = score.masked_fill(is_small, -1).view(batch, -1)
        count = score.shape[1] if pre_nms <= 0 else min(pre_nms, score.shape[1])
        score, order = torch.sort(score, dim=1, descending=True, stable=True)
        rois, scores = cls_prob.new_zeros((batch, post_nms, 5)), cls_prob.new_zeros((batch, post_nms, 1))
        for place in range(batch if post_nms else 0):
            first = boxes[place][order[place, :count]]
            sides = first[:, 2:] - first[:, :2] + 1
            kept = suppress(first, sides[:, 0] * sides[:, 1], threshold, limit=post_nms, gap=INCLUSIVE)
            # What is missing is filled up with the same boxes again.
            kept = kept[torch.arange(post_nms, device=kept.device) % kept.shape[0]]
            rois[place, :, 0] = place
            rois[place, :, 1:] = first[kept]
            scores[place, :, 0] = score[place][kept]
    return rois.view(-1, 5), scores.view(-1, 1)


def _move(anchors: Tensor, moves: Tensor) -> Tensor:
    size = anchors[..., 2:] - anchors[..., :2] + 1
    center = anchors[..., :2] + 0.5 * (size - 1)
    middle = moves[..., :2] * size + center
    half = 0.5 * (torch.exp(moves[..., 2:]) * size - 1)
    return torch.cat([middle - half, middle + half], -1)


def _clip(boxes: Tensor, im_info: Tensor) -> Tensor:
    last = (im_info[:, [1, 0, 1, 0]] - 1).view(-1, 1, 1, 1, 4)
    return torch.minimum(boxes, last).clamp(min=0)


SOURCE = "MXNet 1.9.1 src/operator/contrib/proposal.cc"


@operator("_contrib_Proposal", outputs="output score", visible=_visible, source=SOURCE, gradient="none")
def proposal(
    cls_prob: Tensor,
    bbox_pred: Tensor,
    im_info: Tensor,
    *,
    rpn_pre_nms_top_n: int = 6000,
    rpn_post_nms_top_n: int = 300,
    threshold: float = 0.7,
    rpn_min_size: int = 16,
    scales: Floats = (4.0, 8.0, 16.0, 32.0),
    ratios: Floats = (0.5, 1.0, 2.0),
    feature_stride: int = 16,
    output_score: bool = False,
    iou_loss: bool = False,
) -> tuple[Tensor, Tensor]:
    """`_contrib_MultiProposal` for a single image.

    Raises:
        InputError: There is more than one image; and as `_contrib_MultiProposal`.
        AttributeValueError: As `_contrib_MultiProposal`.
    """
    if cls_prob.dim() and cls_prob.shape[0] != 1:
        raise InputError(
            f"_contrib_Proposal: more than one image: expected cls_prob (1, 2 A, H, W), "
            f"got cls_prob={tuple(cls_prob.shape)}. Use `contrib.MultiProposal`."
        )
    return _propose(
        "_contrib_Proposal",
        cls_prob,
        bbox_pred,
        im_info,
        rpn_pre_nms_top_n,
        rpn_post_nms_top_n,
        threshold,
        rpn_min_size,
        scales,
        ratios,
        feature_stride,
        iou_loss,
    )


@operator(
    "_contrib_MultiProposal",
    outputs="output score",
    visible=_visible,
    source="MXNet 1.9.1 src/operator/contrib/multi_proposal.cc",
    gradient="none",
)
def multi_proposal(
    cls_prob: Tensor,
    bbox_pred: Tensor,
    im_info: Tensor,
    *,
    rpn_pre_nms_top_n: int = 6000,
    rpn_post_nms_top_n: int = 300,
    threshold: float = 0.7,
    rpn_min_size: int = 16,
    scales: Floats = (4.0, 8.0, 16.0, 32.0),
    ratios: Floats = (0.5, 1.0, 2.0),
    feature_stride: int = 16,
    output_score: bool = False,
    iou_loss: bool = False,
) -> tuple[Tensor, Tensor]:
    """Regions (N rpn_post_nms_top_n, 5) that a region proposal network gives, and their scores (.., 1).

    There are A = scales times ratios anchors at each position: squares of `feature_stride`, scaled. `cls_prob` (N, 2 A,
    H, W) holds the probability of the foreground in its second half, `bbox_pred` (N, 4 A, H, W) how the center moves in
    units of the anchor and the logarithm by which sides grow (under `iou_loss` what is added to the corners), `im_info`
    (N, 3) height, width and scale of the images.

    Boxes are cut to the image. Those at positions beyond it, and those with a side below `rpn_min_size` times the
    scale, have score -1. The best `rpn_pre_nms_top_n` (all if not positive) go through non-maximum suppression: a box
    goes if it overlaps a better one by more than `threshold`; equal scores stay in their order. The first
    `rpn_post_nms_top_n` are the result, repeated where there are less. A region is image, left, top, right, bottom;
    scores are shown under `output_score`. No gradient passes.

    Differs: takes every floating-point dtype, where MXNet takes float32 only.

    Raises:
        InputError: Shapes do not fit each other, dtypes differ or are integers, or an image is larger than its scores.
        AttributeValueError: `rpn_post_nms_top_n` is negative, or `feature_stride` is not positive.
    """
    return _propose(
        "_contrib_MultiProposal",
        cls_prob,
        bbox_pred,
        im_info,
        rpn_pre_nms_top_n,
        rpn_post_nms_top_n,
        threshold,
        rpn_min_size,
        scales,
        ratios,
        feature_stride,
        iou_loss,
    )


def _lower(
    name: str,
    g: GraphBuilder,
    cls_prob: Value,
    bbox_pred: Value,
    im_info: Value,
    *,
    rpn_pre_nms_top_n: int,
    rpn_post_nms_top_n: int,
    threshold: float,
    rpn_min_size: int,
    scales: Floats,
    ratios: Floats,
    feature_stride: int,
    iou_loss: bool,
) -> tuple[Value, Value]:
    require_float32(g, name, cls_prob)
    _check(name, g.dims(cls_prob), g.dims(bbox_pred), g.dims(im_info), scales, ratios)
    _check_attributes(name, rpn_post_nms_top_n, feature_stride)
    height, width = g.dims(cls_prob)[2:]
    if height is None or width is None or not rpn_post_nms_top_n or threshold < 0:
        raise LoweringError(
            f"{name}: needs a fixed size of scores, at least one region, and a threshold of at least 0: expected ints, "
            f"got cls_prob={g.dims(cls_prob)}, rpn_post_nms_top_n={rpn_post_nms_top_n}, threshold={threshold}."
        )
    kinds = len(scales) * len(ratios)
    total = height * width * kinds
    _, front = g.op_outputs("Split", 2, cls_prob, axis=1, num_outputs=2)
    score = g.op("Reshape", g.op("Transpose", front, perm=[0, 2, 3, 1]), g.ints([-1, total]))
    moves = g.op("Reshape", bbox_pred, g.ints([-1, kinds, 4, height, width]))
    moves = g.op("Reshape", g.op("Transpose", moves, perm=[0, 3, 4, 1, 2]), g.ints([-1, total, 4]))
    anchors = _anchors(height, width, feature_stride, scales, ratios).reshape(1, total, 4)
    boxes = g.op("Add", moves, g.const(anchors)) if iou_loss else _lower_move(g, anchors, moves)
    ends = g.op("Sub", g.op("Gather", im_info, g.ints([1, 0, 1, 0]), axis=1), g.const(1.0))
    boxes = g.op("Max", g.op("Min", boxes, g.op("Unsqueeze", ends, g.ints([1]))), g.const(0.0))
    real = g.op("Floor", g.op("Div", g.op("Gather", im_info, g.ints([0, 1]), axis=1), g.const(float(feature_stride))))
    place = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)
    place = np.repeat(place.reshape(1, -1, 2), kinds, 1).astype(np.float32)
    is_beyond = g.op("GreaterOrEqual", g.const(place), g.op("Unsqueeze", real, g.ints([1])))
    smallest = g.op("Mul", g.op("Gather", im_info, g.ints([2]), axis=1), g.const(float(rpn_min_size)))
    smallest = g.op("Unsqueeze", smallest, g.ints([1]))
    low, high = g.op_outputs("Split", 2, boxes, axis=2, num_outputs=2)
    sides = g.op("Add", g.op("Sub", high, low), g.const(1.0))
    is_small = _lower_any(g, g.op("Less", sides, smallest))
    half = g.op("Div", smallest, g.const(2.0))
    grown = g.op("Concat", g.op("Sub", low, half), g.op("Add", high, half), axis=2)
    boxes = g.op("Where", is_small, grown, boxes)
    is_out = g.op("Squeeze", g.op("Or", is_small, _lower_any(g, is_beyond)), g.ints([2]))
    score = g.op("Where", is_out, g.const(-1.0), score)
    count = total if rpn_pre_nms_top_n <= 0 else min(rpn_pre_nms_top_n, total)
    best, order = g.op_outputs("TopK", 2, score, g.ints([count]), axis=1)
    first = lower_rows(g, boxes, order)
    extended = g.op("Add", first, g.const(np.array([0, 0, 1, 1]), "float32"))
    ranks = lower_ranks(g, count)
    scores = g.op("Expand", ranks, g.op("Shape", g.op("Unsqueeze", best, g.ints([1]))))
    keep = lower_suppress(g, extended, scores, threshold)
    return _lower_fill(g, first, best, keep, ranks, count, rpn_post_nms_top_n)


def _lower_any(g: GraphBuilder, flags: Value) -> Value:
    return g.cast(g.op("ReduceMax", g.cast(flags, "float32"), g.ints([2]), keepdims=1), "bool")


def _lower_move(g: GraphBuilder, anchors: npt.NDArray[np.float32], moves: Value) -> Value:
    size = anchors[..., 2:] - anchors[..., :2] + np.float32(1)
    center = anchors[..., :2] + np.float32(0.5) * (size - np.float32(1))
    move, grow = g.op_outputs("Split", 2, moves, axis=2, num_outputs=2)
    middle = g.op("Add", g.op("Mul", move, g.const(size)), g.const(center))
    sides = g.op("Sub", g.op("Mul", g.op("Exp", grow), g.const(size)), g.const(1.0))
    half = g.op("Mul", sides, g.const(0.5))
    return g.op("Concat", g.op("Sub", middle, half), g.op("Add", middle, half), axis=2)


def _lower_fill(
    g: GraphBuilder, boxes: Value, score: Value, keep: Value, ranks: Value, count: int, post_nms: int
) -> tuple[Value, Value]:
    """The first `post_nms` boxes (B, count, 4) that stay, over and over, with their image; and their scores."""
    _, places = g.op_outputs("TopK", 2, g.op("Where", keep, ranks, g.const(0.0)), g.ints([count]), axis=1)
    found = g.op("ReduceSum", g.cast(keep, "int64"), g.ints([1]))
    turn = g.op("Mod", g.const(np.arange(post_nms)[None, :]), found)
    chosen = g.op("GatherElements", places, turn, axis=1)
    image = g.op("Sub", g.op("CumSum", g.op("Sign", found), g.const(0, "int64")), g.const(1, "int64"))
    image = g.op("Expand", g.op("Unsqueeze", g.cast(image, "float32"), g.ints([2])), g.ints([1, post_nms, 1]))
    rois = g.op("Concat", image, lower_rows(g, boxes, chosen), axis=2)
    shown = g.op("GatherElements", score, chosen, axis=1)
    return g.op("Reshape", rois, g.ints([-1, 5])), g.op("Reshape", shown, g.ints([-1, 1]))


proposal.onnx(functools.partial(_lower, "_contrib_Proposal"))
multi_proposal.onnx(functools.partial(_lower, "_contrib_MultiProposal"))
