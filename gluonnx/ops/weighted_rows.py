"""Weighted sums of table rows: how regions and deformed kernels sample images, on torch and in ONNX.

An image (N, C, H, W) becomes a table of pixels (N H W, C). A sample is a bag of rows with weights, so that only what is
sampled is read, whatever the shape of the region.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.ops.builder import GraphBuilder, Value

LARGEST_BAGS = 1 << 21
"""Rows that are summed at a time; bounds the memory for their numbers and weights."""
LEAST_SPARSE = 16
"""Size of a bag from which on rows of weight 0 are left out: they fill up bags of regions of different sizes."""
LARGEST_SHARE = 0.75
"""Share of rows with a weight above which none is left out: to sum them all costs less than to pick them."""


def sum_rows(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums (..., C) of rows of `table` (R, C): numbers and weights are (..., K).

    Differentiable in the table and in the weights.
    """
    count = rows.shape[-1]
    if not rows.numel() or not table.numel():
        return table.new_zeros((*rows.shape[:-1], table.shape[1]))
    wide = table.float() if table.dtype in (torch.float16, torch.bfloat16) else table
    weights = weights.to(wide.dtype)
    is_sparse = count >= LEAST_SPARSE and not weights.requires_grad
    held = weights != 0 if is_sparse else None
    if held is None or int(held.sum()) > LARGEST_SHARE * held.numel():
        bags = F.embedding_bag(rows.reshape(-1, count), wide, mode="sum", per_sample_weights=weights.reshape(-1, count))
    else:
        sizes = held.reshape(-1, count).sum(1)
        bags = F.embedding_bag(rows[held], wide, sizes.cumsum(0) - sizes, mode="sum", per_sample_weights=weights[held])
    return bags.to(table.dtype).view(*rows.shape[:-1], table.shape[1])


def as_table(data: Tensor) -> Tensor:
    """Pixels (N H W, C) of `data` (N, C, H, W), each in one piece: sums of other rows are ten times as slow."""
    return data.permute(0, 2, 3, 1).reshape(-1, data.shape[1]).contiguous()


def corners(y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The four pixels around points, and their bilinear weights; points beyond the outer pixels move onto them.

    Returns:
        Numbers y W + x (..., 4) of the pixels, and weights (..., 4), differentiable in the points.
    """
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.detach().floor(), x.detach().floor()
    low_y, low_x = y - top, x - left
    top, left = top.long(), left.long()
    bottom, right = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)
    pixels = torch.stack([top * width + left, top * width + right, bottom * width + left, bottom * width + right], -1)
    high_y, high_x = 1 - low_y, 1 - low_x
    return pixels, torch.stack([high_y * high_x, high_y * low_x, low_y * high_x, low_y * low_x], -1)


def padded_corners(y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """As `corners`, for an image with zeros around it."""
    top, left = y.detach().floor(), x.detach().floor()
    low_y, low_x = y - top, x - left
    pixels, weights = [], []
    for row, part_y in ((top, 1 - low_y), (top + 1, low_y)):
        for column, part_x in ((left, 1 - low_x), (left + 1, low_x)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            pixels.append((row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long())
            weights.append(part_y * part_x * inside)
    return torch.stack(pixels, -1), torch.stack(weights, -1)


def lower_table(g: GraphBuilder, data: Value) -> Value:
    """Pixels (N H W, C) of `data` (N, C, H, W)."""
    channels = g.op("Shape", data, start=1, end=2)
    last = g.op("Transpose", data, perm=[0, 2, 3, 1])
    return g.op("Reshape", last, g.op("Concat", g.ints([-1]), channels, axis=0))


def lower_sum_rows(g: GraphBuilder, table: Value, rows: Value, weights: Value, axes: int) -> Value:
    """Weighted sums of rows of `table` (R, C) over the last `axes` axes of `rows` and `weights`, C at the end."""
    rank = g.rank(rows)
    picked = g.op("Gather", table, rows, axis=0)
    weighted = g.op("Mul", picked, g.op("Unsqueeze", weights, g.ints([rank])))
    return g.op("ReduceSum", weighted, g.ints(range(rank - axes, rank)), keepdims=0)


def lower_corners(g: GraphBuilder, y: Value, x: Value, height: int, width: int) -> tuple[Value, Value]:
    """The form of `corners`: numbers (..., 4) as int64 and weights (..., 4) of float32 points."""
    zero, one = g.const(0.0), g.const(1.0)
    parts = []
    for point, size in ((y, height), (x, width)):
        inside = g.op("Clip", point, zero, g.const(float(size - 1)))
        first = g.op("Floor", inside)
        low = g.op("Sub", inside, first)
        second = g.op("Min", g.op("Add", first, one), g.const(float(size - 1)))
        parts.append(((g.cast(first, "int64"), g.op("Sub", one, low)), (g.cast(second, "int64"), low)))
    pixels, weights = [], []
    last = g.ints([-1])
    for row, part_y in parts[0]:
        for column, part_x in parts[1]:
            number = g.op("Add", g.op("Mul", row, g.const(width, "int64")), column)
            pixels.append(g.op("Unsqueeze", number, last))
            weights.append(g.op("Unsqueeze", g.op("Mul", part_y, part_x), last))
    return g.op("Concat", *pixels, axis=-1), g.op("Concat", *weights, axis=-1)
