"""ONNX operators that read and write elements by index."""

import torch
from torch import Tensor

from gluonnx.ops.foreign.table import onnx_operator

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _positive(indices: Tensor, size: int) -> Tensor:
    wide = indices.to(torch.int64)
    return torch.where(wide < 0, wide + size, wide)


@onnx_operator("Gather")
def gather(data: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """Slices of an axis, one for each index."""
    place = axis % data.dim()
    index = _positive(indices, data.shape[place])
    shape = (*data.shape[:place], *index.shape, *data.shape[place + 1 :])
    return data.index_select(place, index.reshape(-1)).reshape(shape)


@onnx_operator("GatherElements")
def gather_elements(data: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """One element for each index, which replaces the position on one axis."""
    return data.gather(axis, _positive(indices, data.shape[axis]))


@onnx_operator("GatherND")
def gather_nd(data: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    """Slices at positions that the last axis of the indices tells, after some axes of the batch."""
    depth = indices.shape[-1]
    wide = indices.to(torch.int64)
    index = [_positive(wide[..., k], data.shape[batch_dims + k]) for k in range(depth)]
    batch = []
    for axis in range(batch_dims):
        shape = [1] * (indices.dim() - 1)
        shape[axis] = data.shape[axis]
        batch.append(torch.arange(data.shape[axis], device=data.device).reshape(shape))
    return data[(*batch, *index)]


@onnx_operator("ScatterElements")
def scatter_elements(
    data: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, reduction: str = "none"
) -> Tensor:
    """The data with one element replaced, or combined with, for each index."""
    index = _positive(indices, data.shape[axis])
    if reduction == "none":
        return data.scatter(axis, index, updates)
    return data.scatter_reduce(axis, index, updates, _REDUCTIONS[reduction], include_self=True)


@onnx_operator("ScatterND")
def scatter_nd(data: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    """The data with slices replaced, or combined with, at positions that the last axis of the indices tells."""
    depth = indices.shape[-1]
    wide = indices.to(torch.int64)
    flat = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=data.device)
    for k in range(depth):
        flat = flat * data.shape[k] + _positive(wide[..., k], data.shape[k])
    rows = data.reshape(-1, *data.shape[depth:]) if depth else data.reshape(1, *data.shape)
    count = flat.numel()
    new = updates.reshape(count, *data.shape[depth:])
    index = flat.reshape(count, *[1] * (data.dim() - depth)).expand(new.shape)
    if reduction == "none":
        return rows.scatter(0, index, new).reshape(data.shape)
    return rows.scatter_reduce(0, index, new, _REDUCTIONS[reduction], include_self=True).reshape(data.shape)


@onnx_operator("TensorScatter", opset=24)
def tensor_scatter(
    past: Tensor, update: Tensor, write_indices: Tensor | None = None, *, axis: int = -2, mode: str = "linear"
) -> Tensor:
    """The cache with new entries written at a position of each element of the batch."""
    place = axis % past.dim()
    length = update.shape[place]
    start = past.new_zeros(past.shape[0], dtype=torch.int64) if write_indices is None else write_indices
    index = start.to(past.device)[:, None] + torch.arange(length, device=past.device)
    if mode == "circular":
        index = index % past.shape[place]
    shape = [1] * past.dim()
    shape[0], shape[place] = index.shape
    return past.scatter(place, index.reshape(shape).expand(update.shape), update)


@onnx_operator("OneHot", values="depth")
def one_hot(indices: Tensor, depth: Tensor, values: Tensor, *, axis: int = -1) -> Tensor:
    """The second of `values` at each index along a new axis, the first elsewhere."""
    count = int(depth.reshape(-1)[0])
    wide = indices.to(torch.int64)
    wide = torch.where(wide < 0, wide + count, wide)
    place = axis if axis >= 0 else axis + indices.dim() + 1
    shape = [1] * (indices.dim() + 1)
    shape[place] = count
    hit = wide.unsqueeze(place) == torch.arange(count, device=indices.device).reshape(shape)
    return torch.where(hit, values[1], values[0])


@onnx_operator("NonMaxSuppression", is_open=True)
def non_max_suppression(
    boxes: Tensor,
    scores: Tensor,
    max_output_boxes_per_class: Tensor | None = None,
    iou_threshold: Tensor | None = None,
    score_threshold: Tensor | None = None,
    *,
    center_point_box: int = 0,
) -> Tensor:
    """Boxes of high score that overlap no better one: rows of batch, class and box."""
    most = 0 if max_output_boxes_per_class is None else int(max_output_boxes_per_class)
    overlap = 0.0 if iou_threshold is None else float(iou_threshold)
    if center_point_box:
        x, y, w, h = boxes.unbind(-1)
        corners = torch.stack([y - h / 2, x - w / 2, y + h / 2, x + w / 2], -1)
    else:
        a, b = boxes[..., :2], boxes[..., 2:]
        corners = torch.cat([torch.minimum(a, b), torch.maximum(a, b)], -1)
    low, high = corners[..., :2], corners[..., 2:]
    rows: list[Tensor] = []
    for batch in range(scores.shape[0] if most else 0):
        size = (high[batch] - low[batch]).prod(-1)
        for kind in range(scores.shape[1]):
            value = scores[batch, kind]
            order = value.argsort(descending=True, stable=True)
            if score_threshold is not None:
                order = order[value[order] > float(score_threshold)]
            kept: list[Tensor] = []
            while order.numel() and len(kept) < most:
                best = order[0]
                kept.append(best)
                rest = order[1:]
                shared = torch.minimum(high[batch, best], high[batch, rest]) - torch.maximum(
                    low[batch, best], low[batch, rest]
                )
                area = shared.clamp(min=0).prod(-1)
                order = rest[area / (size[best] + size[rest] - area) <= overlap]
            for box in kept:
                rows.append(torch.stack([box.new_tensor(batch), box.new_tensor(kind), box]))
    return torch.stack(rows) if rows else torch.zeros((0, 3), dtype=torch.int64, device=boxes.device)
