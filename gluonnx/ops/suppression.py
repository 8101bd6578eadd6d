"""Non-maximum suppression, which all detection operators share: on torch, and as ONNX NonMaxSuppression."""

import math

import numpy as np
import torch
from torch import Tensor

from gluonnx.ops.builder import GraphBuilder, Value

BLOCK = 256
"""Boxes that are decided together."""
CHUNK = 512
"""Boxes that a decided block is compared with at a time, neighbours from left to right: those of the block that lie
elsewhere are left out, and a comparison's intermediate results stay in the cache."""
GROUPED = 1024
"""Number of boxes above which groups are looked at one by one."""


def areas(corners: Tensor) -> Tensor:
    """Area (...,) of boxes (..., 4) given by corners; 0 for a box whose corners are the wrong way round."""
    sides = (corners[..., 2:] - corners[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def overlaps(a: Tensor, b: Tensor, area_a: Tensor, area_b: Tensor, gap: float = 0.0) -> Tensor:
    """Intersection over union (A, B) of boxes (4, A) and (4, B) given by corners; 0 where they do not meet.

    Args:
        a: Boxes, a row for each coordinate.
        b: Boxes, a row for each coordinate.
        area_a: Their areas (A,).
        area_b: Their areas (B,).
        gap: By how much a side is longer than the difference of its corners (1 for inclusive pixels).
    """
    a = a.unsqueeze(2)
    width = torch.minimum(a[2], b[2]).sub_(torch.maximum(a[0], b[0]))
    height = torch.minimum(a[3], b[3]).sub_(torch.maximum(a[1], b[1]))
    if gap:
        width += gap
        height += gap
    shared = width.clamp_(min=0).mul_(height.clamp_(min=0))
    union = (area_a.unsqueeze(1) + area_b).sub_(shared)
    # Where the union is 0, so is the intersection.
    return shared.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))


def rounded(number: float) -> float:
    """Return a threshold as MXNet holds it, in single precision."""
    return float(np.float32(number))


def suppress(
    corners: Tensor,
    area: Tensor,
    threshold: float,
    *,
    groups: Tensor | None = None,
    limit: int | None = None,
    gap: float = 0.0,
    is_inclusive: bool = False,
) -> Tensor:
    """Return the positions (int64, ascending) of the boxes that stay.

    A box goes if it overlaps an earlier one that stays. Takes memory in proportion to the number of boxes.

    Args:
        corners: Boxes (N, 4) in descending order of score.
        area: Their areas (N,).
        threshold: Intersection over union above which a box goes.
        groups: Group (N,) of each box; only boxes of one group compete.
        limit: How many to find.
        gap: See `overlaps`.
        is_inclusive: Whether a box goes at the threshold already.
    """
    if groups is not None and corners.shape[0] > GROUPED:
        return _suppress_groups(corners, area, threshold, groups, is_inclusive)
    bound = rounded(threshold)
    columns = corners.T.contiguous()

    def hits(first: Tensor, second: Tensor, *, is_any: bool) -> Tensor:
        ratio = overlaps(columns[:, first], columns[:, second], area[first], area[second], gap)
        if groups is not None:
            ratio.masked_fill_(groups[first].unsqueeze(1) != groups[second], -math.inf)
        ratio = ratio.amax(0) if is_any else ratio
        ratio = ratio.float() if ratio.dtype == torch.float16 else ratio
        return ratio >= bound if is_inclusive else ratio > bound

    left = columns[0]
    right = columns[2].nan_to_num(-math.inf, math.inf, -math.inf) + gap
    is_open = torch.ones(corners.shape[0], dtype=torch.bool, device=corners.device)
    by_side = torch.argsort(left)
    size = BLOCK if corners.shape[0] > 2 * BLOCK else 2 * BLOCK
    kept: list[Tensor] = []
    found = 0
    while limit is None or found < limit:
        block = torch.nonzero(is_open).squeeze(1)[:size]
        if not block.numel():
            break
        is_open[block] = False
        block = block[_settle(hits(block, block, is_any=False))]
        kept.append(block)
        found += block.numel()
        by_side = by_side[is_open[by_side]]
        for part in torch.split(by_side, CHUNK) if by_side.numel() else ():
            near = block
            if bound >= 0:
                near = block[(right[block] >= left[part[0]]) & (left[block] <= right[part].max())]
            if near.numel():
                is_open[part[hits(near, part, is_any=True)]] = False
    return torch.cat(kept)[:limit] if kept else by_side


def _suppress_groups(corners: Tensor, area: Tensor, threshold: float, groups: Tensor, is_inclusive: bool) -> Tensor:
    """The same for each group by itself."""
    order = torch.sort(groups, stable=True).indices
    counts = torch.unique_consecutive(groups[order], return_counts=True)[1].tolist()
    kept = [
        part[suppress(corners[part], area[part], threshold, is_inclusive=is_inclusive)] if len(part) > 1 else part
        for part in torch.split(order, counts)
    ]
    return torch.cat(kept).sort().values if kept else order


def _settle(hits: Tensor) -> Tensor:
    """Which of N boxes (bool) stay, if an earlier box i that stays removes the boxes j with `hits[i, j]`.

    What is known to stay in round k is right for the first k boxes at least, so the rounds end; mostly after a few.
    """
    removes = hits.float().triu_(1).T
    keep = torch.ones(hits.shape[0], device=hits.device)
    while True:
        settled = (torch.mv(removes, keep) == 0).float()
        if torch.equal(settled, keep):
            return keep.bool()
        keep = settled


def lower_ranks(g: GraphBuilder, count: int) -> Value:
    """Scores (count,) of boxes that are in order: count, ..., 1."""
    return g.const(np.arange(count, 0, -1), "float32")


def lower_rows(g: GraphBuilder, rows: Value, positions: Value) -> Value:
    """Select rows (B, K, W) of `rows` (B, N, W) by positions (B, K)."""
    wanted = g.op("Unsqueeze", positions, g.ints([2]))
    wide = g.op("Expand", wanted, g.op("Concat", g.ints([1, 1]), g.op("Shape", rows, start=2), axis=0))
    return g.op("GatherElements", rows, wide, axis=1)


def lower_suppress(
    g: GraphBuilder,
    boxes: Value,
    scores: Value,
    threshold: float,
    *,
    is_center: bool = False,
    is_inclusive: bool = False,
) -> Value:
    """Which boxes stay, (B, N) of bool.

    Args:
        g: The graph.
        boxes: (B, N, 4) of float32, corners, or centers and sizes under `is_center`.
        scores: (B, groups, N) of float32; a box competes in a group where its score is positive.
        threshold: Intersection over union above which a box goes.
        is_center: How boxes are given.
        is_inclusive: Whether a box goes at the threshold already.
    """
    bound = np.float32(threshold)
    if is_inclusive:
        bound = np.nextafter(bound, np.float32(-math.inf))
    if not is_center:
        # ONNX turns corners that are the wrong way round; such a box overlaps nothing in MXNet.
        low, high = g.op_outputs("Split", 2, boxes, axis=2, num_outputs=2)
        boxes = g.op("Concat", low, g.op("Max", low, high), axis=2)
    count = g.dims(scores)[-1]
    most = g.op("Shape", scores, start=2) if count is None else g.ints([count])
    limit, floor = g.const(np.array([min(bound, 1.0)]), "float32"), g.const([0.0], "float32")
    chosen = g.op("NonMaxSuppression", boxes, scores, most, limit, floor, center_point_box=int(is_center))
    where = g.op("Gather", chosen, g.ints([0, 2]), axis=1)
    shape = g.op("Gather", g.op("Shape", scores), g.ints([0, 2]))
    ones = g.op("Expand", g.const(True), g.op("Shape", where, end=1))
    return g.op("ScatterND", g.op("Expand", g.const(False), shape), where, ones)
