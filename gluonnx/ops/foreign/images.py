"""ONNX operators that resample images."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.foreign.table import integers, onnx_operator


@onnx_operator("Resize", values="roi scales sizes")
def resize(
    data: Tensor,
    roi: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
    *,
    antialias: int = 0,
    axes: list[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Tensor:
    """Each axis resampled: the nearest element, or a linear or cubic mean of the nearest ones."""
    over = [a % data.dim() for a in axes] if axes is not None else list(range(data.dim()))
    lengths = [data.shape[a] for a in over]
    if scales is not None and scales.numel():
        factors = [np.float32(s) for s in scales.reshape(-1).tolist()]
        outputs = [math.floor(np.float32(n) * s) for n, s in zip(lengths, factors, strict=True)]
    elif sizes is not None:
        outputs = integers(sizes)
        factors = [np.float32(o) / np.float32(n) for o, n in zip(outputs, lengths, strict=True)]
        if keep_aspect_ratio_policy != "stretch":
            factor = min(factors) if keep_aspect_ratio_policy == "not_larger" else max(factors)
            factors = [factor] * len(factors)
            outputs = [math.floor(n * float(factor) + 0.5) for n in lengths]
    else:
        raise InputError("Resize: no size: expected scales or sizes, got neither.")
    bounds = [0.0] * len(over) + [1.0] * len(over)
    if roi is not None and roi.numel():
        bounds = [float(v) for v in roi.reshape(-1).tolist()]
    is_integer = not data.is_floating_point()
    result = data.to(torch.float32) if is_integer and mode != "nearest" else data
    is_outside: Tensor | None = None
    for place, axis in enumerate(over):
        size, out, factor = lengths[place], outputs[place], factors[place]
        if out == size and factor == 1 and coordinate_transformation_mode != "tf_crop_and_resize":
            continue
        x = _coordinates(
            out, size, factor, coordinate_transformation_mode, bounds[place], bounds[place + len(over)]
        ).to(data.device)
        if coordinate_transformation_mode == "tf_crop_and_resize":
            beyond = (x < 0) | (x > size - 1)
            shape = [1] * data.dim()
            shape[axis] = out
            beyond = beyond.reshape(shape)
            is_outside = beyond if is_outside is None else is_outside | beyond
        if mode == "nearest":
            result = result.index_select(axis, _nearest(x, nearest_mode).clamp(0, size - 1))
            continue
        shrink = min(float(factor), 1.0) if antialias else 1.0
        index, weight = _taps(x, size, mode, shrink, cubic_coeff_a, exclude_outside)
        result = _weighted(result, axis, index, weight)
    if is_outside is not None:
        result = torch.where(is_outside, torch.full_like(result, extrapolation_value), result)
    if is_integer and mode != "nearest":
        info = torch.iinfo(data.dtype)
        result = result.round().clamp(info.min, info.max).to(data.dtype)
    return result


def _coordinates(out: int, size: int, factor: np.float32, mode: str, start: float, end: float) -> Tensor:
    """Where each output element lies in the input.

    In float32, step by step as ONNX Runtime computes it: rounding decides which of two elements is the nearest.
    """
    return torch.from_numpy(_positions(out, size, factor, mode, start, end).astype(np.float64))


def _positions(
    out: int, size: int, factor: np.float32, mode: str, start: float, end: float
) -> "np.ndarray[Any, np.dtype[np.floating[Any]]]":
    i, half, one = np.arange(out, dtype=np.float32), np.float32(0.5), np.float32(1)
    match mode:
        case "half_pixel":
            return (i + half) / factor - half
        case "half_pixel_symmetric":
            adjustment = np.float32(out) / (factor * np.float32(size))
            return np.float32(size) / 2 * (one - adjustment) + (i + half) / factor - half
        case "pytorch_half_pixel":
            return (i + half) / factor - half if out > 1 else i * 0
        case "align_corners":
            length = factor * np.float32(size)
            return i * 0 if length == 1 else i * np.float32(size - 1) / (length - one)
        case "asymmetric":
            return i / factor
        case "tf_crop_and_resize":
            if out == 1:
                return i * 0 + np.float64(0.5 * (start + end) * (size - 1))
            return start * (size - 1) + i.astype(np.float64) * (end - start) * (size - 1) / (out - 1)
    raise InputError(f"Resize: unknown coordinate_transformation_mode: got {mode!r}.")


def _nearest(x: Tensor, mode: str) -> Tensor:
    rules: dict[str, Callable[[Tensor], Tensor]] = {
        "round_prefer_floor": lambda v: torch.ceil(v - 0.5),
        "round_prefer_ceil": lambda v: torch.floor(v + 0.5),
        "floor": torch.floor,
        "ceil": torch.ceil,
    }
    if mode not in rules:
        raise InputError(f"Resize: unknown nearest_mode: expected one of {', '.join(rules)}, got {mode!r}.")
    return rules[mode](x).to(torch.int64)


def _taps(
    x: Tensor, size: int, mode: str, shrink: float, coefficient: float, exclude_outside: int
) -> tuple[Tensor, Tensor]:
    """Input elements (out, taps) that each output element is a mean of, and their weights."""
    reach = 1 if mode == "linear" else 2
    low = torch.floor(x)
    width = math.ceil(reach / shrink)
    offsets = torch.arange(1 - width, width + 1, dtype=torch.float64, device=x.device)
    positions = low[:, None] + offsets
    distance = ((x[:, None] - positions) * shrink).abs()
    if mode == "linear":
        weight = (1 - distance).clamp(min=0)
    elif mode == "cubic":
        a = coefficient
        near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
        far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
        weight = torch.where(distance <= 1, near, torch.where(distance < 2, far, torch.zeros_like(far)))
    else:
        raise InputError(f"Resize: unknown mode: expected nearest, linear or cubic, got {mode!r}.")
    if exclude_outside:
        weight = torch.where((positions < 0) | (positions > size - 1), torch.zeros_like(weight), weight)
    weight = weight / weight.sum(1, keepdim=True)
    return positions.clamp(0, size - 1).to(torch.int64), weight


def _weighted(data: Tensor, axis: int, index: Tensor, weight: Tensor) -> Tensor:
    shape = [1] * data.dim()
    shape[axis] = index.shape[0]
    total: Tensor | None = None
    for tap in range(index.shape[1]):
        part = data.index_select(axis, index[:, tap]) * weight[:, tap].to(data.dtype).reshape(shape)
        total = part if total is None else total + part
    assert total is not None
    return total


@onnx_operator("AffineGrid", values="size")
def affine_grid(theta: Tensor, size: Tensor, *, align_corners: int = 0) -> Tensor:
    """Positions in [-1, 1] of the elements of an image, moved by an affine map for each sample."""
    spatial = integers(size)[2:]
    lines = []
    for length in spatial:
        i = torch.arange(length, dtype=theta.dtype, device=theta.device)
        if align_corners:
            lines.append(i * (2 / (length - 1)) - 1 if length > 1 else i * 0 - 1)
        else:
            lines.append((2 * i + 1) / length - 1)
    grids = torch.meshgrid(*lines, indexing="ij")
    points = torch.stack([*reversed(grids), torch.ones_like(grids[0])], -1)
    flat = points.reshape(-1, len(spatial) + 1)
    return (flat @ theta.transpose(1, 2)).reshape(theta.shape[0], *spatial, len(spatial))


@onnx_operator("GridSample")
def grid_sample(
    data: Tensor, grid: Tensor, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros"
) -> Tensor:
    """Elements at positions in [-1, 1], interpolated."""
    sizes = data.shape[2:]
    positions = []
    for k, size in enumerate(reversed(sizes)):
        g = grid[..., k]
        positions.append((g + 1) / 2 * (size - 1) if align_corners else ((g + 1) * size - 1) / 2)
    places = list(reversed(positions))
    bounds = [(0.0, n - 1.0) if align_corners else (-0.5, n - 0.5) for n in sizes]
    if mode == "nearest":
        return gathered(data, [_inside(torch.round(p), b, padding_mode) for p, b in zip(places, bounds, strict=True)])
    if mode != "cubic":
        places = [_inside(p, b, padding_mode) for p, b in zip(places, bounds, strict=True)]
    lows = [torch.floor(p) for p in places]
    taps = [(0, 1) if mode == "linear" else (-1, 0, 1, 2)] * len(sizes)
    total: Tensor | None = None
    for tap in itertools.product(*taps):
        weight: Tensor | None = None
        at = []
        for place, low, t, bound in zip(places, lows, tap, bounds, strict=True):
            factor = _kernel(place - low - t, mode)
            weight = factor if weight is None else weight * factor
            at.append(_inside(low + t, bound, padding_mode) if mode == "cubic" else low + t)
        assert weight is not None
        part = gathered(data, at) * weight.unsqueeze(1)
        total = part if total is None else total + part
    assert total is not None
    return total


def _kernel(distance: Tensor, mode: str) -> Tensor:
    d = distance.abs()
    if mode == "linear":
        return 1 - d
    a = -0.75
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, far)


def _inside(position: Tensor, bounds: tuple[float, float], padding_mode: str) -> Tensor:
    """Positions moved inside, for the padding modes that move them."""
    low, high = bounds
    if padding_mode == "border":
        return position.clamp(math.ceil(low), math.floor(high))
    if padding_mode == "reflection":
        span = high - low
        if span == 0:
            return torch.zeros_like(position)
        offset = (position - low) % (2 * span)
        return (torch.minimum(offset, 2 * span - offset) + low).clamp(math.ceil(low), math.floor(high))
    return position


def gathered(data: Tensor, positions: Sequence[Tensor]) -> Tensor:
    """Elements (N, C, ...) at integer positions (N, ...) of each spatial axis; 0 outside."""
    n, c = data.shape[:2]
    sizes = data.shape[2:]
    flat: Tensor | None = None
    is_inside: Tensor | None = None
    for position, size in zip(positions, sizes, strict=True):
        there = (position >= 0) & (position <= size - 1)
        is_inside = there if is_inside is None else is_inside & there
        index = position.clamp(0, size - 1).nan_to_num(0).to(torch.int64)
        flat = index if flat is None else flat * size + index
    assert flat is not None
    assert is_inside is not None
    shape = flat.shape[1:]
    picked = data.reshape(n, c, -1).gather(2, flat.reshape(n, 1, -1).expand(n, c, -1)).reshape(n, c, *shape)
    return torch.where(is_inside.unsqueeze(1), picked, torch.zeros_like(picked))


@onnx_operator("RoiAlign")
def roi_align(
    data: Tensor,
    rois: Tensor,
    batch_indices: Tensor,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Tensor:
    """Regions of images as small images: the mean or maximum of interpolated samples in each cell."""
    is_half = coordinate_transformation_mode == "half_pixel"
    boxes = rois * spatial_scale - (0.5 if is_half else 0.0)
    x1, y1, x2, y2 = boxes.unbind(1)
    width, height = x2 - x1, y2 - y1
    if not is_half:
        width, height = width.clamp(min=1.0), height.clamp(min=1.0)
    rows = []
    for r in range(rois.shape[0]):
        image = data[int(batch_indices[r])]
        ny = sampling_ratio or max(math.ceil(float(height[r]) / output_height), 1)
        nx = sampling_ratio or max(math.ceil(float(width[r]) / output_width), 1)
        ys = y1[r] + (torch.arange(output_height * ny, device=data.device) + 0.5) * (height[r] / (output_height * ny))
        xs = x1[r] + (torch.arange(output_width * nx, device=data.device) + 0.5) * (width[r] / (output_width * nx))
        parts = _bilinear(image, ys.to(data.dtype), xs.to(data.dtype))
        cells = [p.reshape(-1, output_height, ny, output_width, nx) for p in parts]
        if mode == "avg":
            rows.append(sum(cells[1:], cells[0]).mean((2, 4)))
        else:
            rows.append(torch.stack(cells).amax(0).amax((2, 4)))
    return torch.stack(rows) if rows else data.new_zeros((0, data.shape[1], output_height, output_width))


def _bilinear(image: Tensor, ys: Tensor, xs: Tensor) -> list[Tensor]:
    """The four weighted neighbours (C, H, W) of each point of a grid; zeros more than one beyond the image."""
    h, w = image.shape[1:]
    is_inside = ((ys >= -1) & (ys <= h))[:, None] & ((xs >= -1) & (xs <= w))[None, :]
    y, x = ys.clamp(0, h - 1), xs.clamp(0, w - 1)
    y0, x0 = y.floor().to(torch.int64), x.floor().to(torch.int64)
    y_next, x_next = (y0 + 1).clamp(max=h - 1), (x0 + 1).clamp(max=w - 1)
    fy, fx = (y - y0)[:, None], (x - x0)[None, :]
    corners = [
        (y0, x0, (1 - fy) * (1 - fx)),
        (y0, x_next, (1 - fy) * fx),
        (y_next, x0, fy * (1 - fx)),
        (y_next, x_next, fy * fx),
    ]
    return [image[:, a[:, None], b[None, :]] * weight * is_inside for a, b, weight in corners]
