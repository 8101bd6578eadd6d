"""Matching rows and columns of a matrix of scores, the best pair first."""

import math

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import InputError, LoweringError
from gluonnx.ops.boxes import SOURCE, check_floats
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.suppression import rounded
from gluonnx.ops.table import operator

UNROLLED_MATCHES = 512
"""Largest number of pairs that the lowering of a matching, one step a pair, is written out for."""


@operator("_contrib_bipartite_matching", outputs="output0 output1", source=SOURCE, gradient="none")
def bipartite_matching(
    data: Tensor, *, is_ascend: bool = False, threshold: float, topk: int = -1
) -> tuple[Tensor, Tensor]:
    """Match rows and columns of the scores `data` (..., R, C), the best pair first.

    Pairs are taken in descending order of score (ascending under `is_ascend`; equal ones in their order), as long as
    it is above `threshold` (below it), where neither row nor column is taken yet; a positive `topk` ends the matching
    after topk + 1 pairs.

    Returns:
        The column of each row (..., R) and the row of each column (..., C), -1 where there is none.

    Raises:
        InputError: `data` has less than two dimensions or integers.
    """
    check_floats("_contrib_bipartite_matching", data=data)
    if data.dim() < 2:
        raise InputError(
            f"_contrib_bipartite_matching: wrong rank of data: expected (..., R, C), got data={tuple(data.shape)}."
        )
    lead, (height, width) = data.shape[:-2], data.shape[-2:]
    if data.device.type == "meta":
        return data.new_empty((*lead, height)), data.new_empty((*lead, width))
    score = data.detach().reshape(-1, height * width)
    order = torch.sort(score, dim=1, descending=not is_ascend, stable=True).indices
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1], device=data.device).expand_as(order))
    wide = score.float() if score.dtype == torch.float16 else score
    bound = rounded(threshold)
    open_pairs = (wide < bound if is_ascend else wide > bound).view(-1, height, width)
    taken = _best_pairs(rank.view(-1, height, width), open_pairs)
    if topk > 0:
        order_taken = torch.sort(torch.where(taken, rank.view_as(taken), rank.shape[1]).flatten(1), dim=1).values
        last = order_taken[:, min(topk, order_taken.shape[1] - 1)].view(-1, 1, 1)
        taken &= rank.view_as(taken) <= last
    columns = torch.where(taken.any(2), taken.to(torch.uint8).argmax(2), -1)
    rows = torch.where(taken.any(1), taken.to(torch.uint8).argmax(1), -1)
    return columns.to(data.dtype).reshape(*lead, height), rows.to(data.dtype).reshape(*lead, width)


def _best_pairs(rank: Tensor, open_pairs: Tensor) -> Tensor:
    """Pairs (B, R, C) that a greedy matching in order of `rank` takes.

    In each round it takes all open pairs that come first in both their row and their column: nothing before them
    shares either, so their turn would come.
    """
    taken = torch.zeros_like(open_pairs)
    none = rank.shape[1] * rank.shape[2]
    while none and bool(open_pairs.any()):
        left = torch.where(open_pairs, rank, none)
        found = open_pairs & (left == left.amin(2, keepdim=True)) & (left == left.amin(1, keepdim=True))
        taken |= found
        open_pairs = open_pairs & ~found.any(2, keepdim=True) & ~found.any(1, keepdim=True)
    return taken


@bipartite_matching.onnx
def _(g: GraphBuilder, data: Value, *, is_ascend: bool, threshold: float, topk: int) -> tuple[Value, Value]:
    shape = g.dims(data)
    height, width = shape[-2:]
    if height is None or width is None:
        raise LoweringError(
            f"_contrib_bipartite_matching: needs fixed numbers: expected ints as last two dimensions, got data={shape}."
        )
    steps = min(height, width, topk + 1 if topk > 0 else height)
    if steps > UNROLLED_MATCHES:
        raise LoweringError(
            "_contrib_bipartite_matching: too many pairs to write out step by step: expected at most "
            f"{UNROLLED_MATCHES}, got data={shape}. Pass `topk=`."
        )
    flat = g.op("Reshape", data, g.ints([-1, height, width]))
    score = g.op("Neg", flat) if is_ascend else flat
    bound = g.scalar(-threshold if is_ascend else threshold, score)
    lowest = g.scalar(-math.inf, score)
    left = g.op("Where", g.op("Greater", score, bound), score, lowest)
    columns, rows = lower_best_pairs(g, left, steps)
    dtype, lead = g.dtype(data), g.op("Shape", data, end=len(shape) - 2)
    outputs = []
    for value, size in ((columns, height), (rows, width)):
        shape_out = g.op("Concat", lead, g.ints([size]), axis=0)
        outputs.append(g.op("Reshape", g.cast(value, dtype), shape_out))
    return outputs[0], outputs[1]


def lower_best_pairs(g: GraphBuilder, score: Value, steps: int) -> tuple[Value, Value]:
    """Greedy matching of rows and columns of `score` (B, R, C), -inf where a pair is not open; one pair a step.

    Returns:
        The column (B, R) of each row and the row (B, C) of each column as int64, -1 where there is none.
    """
    height, width = g.dims(score)[1:]
    assert height is not None
    assert width is not None
    lowest = g.scalar(-math.inf, score)
    row_numbers, column_numbers = g.const(np.arange(height)[None, :]), g.const(np.arange(width)[None, :])
    none = g.const(-1, "int64")
    columns = rows = none
    left = score
    for _ in range(steps):
        best, place = g.op_outputs("TopK", 2, g.op("Reshape", left, g.ints([-1, height * width])), g.ints([1]), axis=1)
        is_open = g.op("Greater", best, lowest)
        place = g.op("Where", is_open, place, none)
        row = g.op("Div", place, g.const(width, "int64"))
        column = g.op("Mod", place, g.const(width, "int64"))
        in_row = g.op("And", g.op("Equal", row_numbers, row), is_open)
        in_column = g.op("And", g.op("Equal", column_numbers, column), is_open)
        columns = g.op("Where", in_row, column, columns)
        rows = g.op("Where", in_column, row, rows)
        closed = g.op("Or", g.op("Unsqueeze", in_row, g.ints([2])), g.op("Unsqueeze", in_column, g.ints([1])))
        left = g.op("Where", closed, lowest, left)
    return columns, rows
