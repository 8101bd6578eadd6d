"""Pooling over regions of interest.

Source: Girshick 2015, Fast R-CNN; He et al. 2017, Mask R-CNN; Ma et al. 2018, rotated region proposals.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.boxes import check_floats
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.table import operator
from gluonnx.ops.weighted_rows import (
    LARGEST_BAGS,
    as_table,
    corners,
    lower_corners,
    lower_sum_rows,
    lower_table,
    sum_rows,
)

PIXEL_BITS = (1 << 32) - 1
"""Lower half of a key: the number of a pixel."""


def check_regions(
    name: str,
    data: tuple[int | None, ...],
    rois: tuple[int | None, ...],
    pooled_size: Shape,
    scale: float,
    width: int = 5,
) -> None:
    """Raise for wrong ranks or widths (InputError), or a wrong pooled size or scale (AttributeValueError)."""
    if len(data) != 4:
        raise InputError(f"{name}: wrong rank of data: expected (N, C, H, W), got data={tuple(data)}.")
    if len(rois) != 2 or rois[1] != width:
        raise InputError(f"{name}: wrong shape of rois: expected (R, {width}), got rois={tuple(rois)}.")
    if len(pooled_size) != 2 or min(pooled_size) < 1:
        raise AttributeValueError(
            f"{name}: wrong pooled_size: expected two positive sizes, got pooled_size={pooled_size}."
        )
    if not 0 <= scale <= 1:
        raise AttributeValueError(f"{name}: wrong scale: expected 0 to 1, got spatial_scale={scale}.")


def round_away(values: Tensor) -> Tensor:
    """Round halves away from zero, as C does."""
    whole = values.trunc()
    return whole + torch.sign(values) * ((values - whole).abs() >= 0.5)


def image_of(rois: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The image (R,) of each region, and whether there is such an image among `count`."""
    image = rois[:, 0].detach().long()
    is_there = (image >= 0) & (image < count)
    return image.clamp(0, max(count - 1, 0)), is_there


def bins(start: Tensor, step: Tensor, count: int, size: int, offset: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
    """First and end position (R, count) of bins along an axis: floor and ceil of where they lie, cut to the axis.

    Args:
        start: Where the region starts (R, 1), added before rounding.
        step: Extent of a bin (R, 1).
        count: Number of bins.
        size: Extent of the axis.
        offset: What is added after rounding.
    """
    number = torch.arange(count, device=step.device, dtype=step.dtype)
    first = (number * step + start).floor() + offset
    end = ((number + 1) * step + start).ceil() + offset
    return first.clamp(0, size).long(), end.clamp(0, size).long()


@operator("ROIPooling", "_npx_roi_pooling", unread=1, source="MXNet 1.9.1 src/operator/roi_pooling.cc")
def roi_pooling(data: Tensor, rois: Tensor, *, pooled_size: Shape, spatial_scale: float) -> Tensor:
    """Maxima (R, C, height, width) over the bins of regions of `data` (N, C, H, W).

    A region of `rois` (R, 5) is image, left, top, right, bottom, inclusive, in pixels that `spatial_scale` turns into
    rounded positions of `data`. Bins of `pooled_size` divide it, each from the floor to the ceil of its ends; one that
    holds nothing, or an image that there is not, gives 0. The gradient goes to the first maximum; `rois` have none.

    Raises:
        InputError: Ranks or dtypes do not fit.
        AttributeValueError: `pooled_size` is not two positive sizes, or `spatial_scale` is not in [0, 1].
    """
    check_regions("ROIPooling", data.shape, rois.shape, pooled_size, spatial_scale)
    check_floats("ROIPooling", data=data, rois=rois)
    count, channels, height, width = data.shape
    out_shape = (rois.shape[0], channels, *pooled_size)
    if data.device.type == "meta":
        return data.new_empty(out_shape)
    place = round_away(rois.detach()[:, 1:] * np.float32(spatial_scale).item())
    extent = (place[:, 2:] - place[:, :2] + 1).clamp(min=1)
    image, is_there = image_of(rois, count)
    steps = extent / extent.new_tensor([pooled_size[1], pooled_size[0]])
    top, bottom = bins(steps.new_zeros(()), steps[:, 1:], pooled_size[0], height, place[:, 1:2])
    left, right = bins(steps.new_zeros(()), steps[:, :1], pooled_size[1], width, place[:, :1])
    windows = _Windows.of(image, top, bottom, left, right, is_there)
    if not (torch.is_grad_enabled() and data.requires_grad):
        out = _maxima(data.permute(0, 2, 3, 1), windows)
        return out.view(rois.shape[0], *pooled_size, channels).permute(0, 3, 1, 2).contiguous()
    with torch.no_grad():
        found = PIXEL_BITS - (_maxima(_keys(data), windows) & PIXEL_BITS)
        plane = windows.image.unsqueeze(1) * channels + torch.arange(channels, device=data.device)
        flat = found.add_(plane * (height * width)).masked_fill_(~windows.is_held.unsqueeze(1), 0)
        flat = flat.view(rois.shape[0], *pooled_size, channels).permute(0, 3, 1, 2)
        is_held = windows.is_held.view(rois.shape[0], 1, *pooled_size)
    out = data.reshape(-1).index_select(0, flat.reshape(-1)).view(out_shape)
    return out if bool(is_held.all()) else out.masked_fill(~is_held, 0)


def _keys(data: Tensor) -> Tensor:
    """Whole numbers (N, H, W, C) in the order of the values of `data` (N, C, H, W), the first of equal pixels highest.

    The upper half tells the value, the lower one `PIXEL_BITS` less the number of the pixel.
    """
    if data.dtype == torch.float64:
        order = torch.unique(data, return_inverse=True)[1]
    else:
        bits = (data.float() + 0.0).view(torch.int32)  # -0 is 0
        order = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    pixels = torch.arange(math.prod(data.shape[2:]), device=data.device).view(data.shape[2:])
    keys: Tensor = (order << 32) | (PIXEL_BITS - pixels)
    return keys.permute(0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class _Windows:
    """B rectangles of images: `image`, `top`, `bottom`, `left`, `right` (B,) as int64, whether each holds anything."""

    image: Tensor
    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor
    is_held: Tensor

    @classmethod
    def of(
        cls, image: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor, is_there: Tensor
    ) -> "_Windows":
        """All bins of R regions from (R, height) rows and (R, width) columns."""
        shape = (image.shape[0], top.shape[1], left.shape[1])
        rows = [v.unsqueeze(2).expand(shape).reshape(-1) for v in (top, bottom)]
        columns = [v.unsqueeze(1).expand(shape).reshape(-1) for v in (left, right)]
        images, there = (v.view(-1, 1, 1).expand(shape).reshape(-1) for v in (image, is_there))
        is_held = there & (rows[1] > rows[0]) & (columns[1] > columns[0])
        return cls(images, rows[0], rows[1], columns[0], columns[1], is_held)


def _maxima(data: Tensor, windows: _Windows) -> Tensor:
    """Maxima (B, C) of `data` (N, H, W, C) in windows, 0 where one holds nothing.

    A window is the union of four windows whose sides are powers of two, so the maxima of all windows of such a size
    are found once, from those of half the size, for each size that occurs.
    """
    out = data.new_zeros((windows.image.shape[0], data.shape[3]))
    levels = [
        torch.frexp((end - first).clamp(min=1).double())[1] - 1
        for first, end in ((windows.top, windows.bottom), (windows.left, windows.right))
    ]
    tall = data.contiguous()
    for level_y in range(_highest(levels[0], windows.is_held)):
        in_level = windows.is_held & (levels[0] == level_y)
        wide = tall
        for level_x in range(_highest(levels[1], in_level)):
            chosen = torch.nonzero(in_level & (levels[1] == level_x)).squeeze(1)
            if chosen.numel():
                out[chosen] = _best(wide, windows, chosen, 1 << level_y, 1 << level_x)
            wide = _doubled(wide, 2, 1 << level_x)
        tall = _doubled(tall, 1, 1 << level_y)
    return out


def _highest(levels: Tensor, chosen: Tensor) -> int:
    """One more than the highest level among those chosen, 0 if there are none."""
    return int(torch.where(chosen, levels + 1, 0).max()) if levels.numel() else 0


def _doubled(maxima: Tensor, axis: int, side: int) -> Tensor:
    """Maxima of windows of twice the `side` along `axis`; none if the axis is too short."""
    size = maxima.shape[axis]
    count = max(size - side, 0)
    return torch.maximum(maxima.narrow(axis, 0, count), maxima.narrow(axis, min(side, size - count), count))


def _best(maxima: Tensor, windows: _Windows, chosen: Tensor, tall: int, wide: int) -> Tensor:
    """Maxima (B, C) of the chosen windows, each covered by four of the size that `maxima` (N, H, W, C) are of."""
    _, height, width, channels = maxima.shape
    flat = maxima.reshape(-1, channels)
    image = windows.image[chosen] * height
    rows = [(image + top) * width for top in (windows.top[chosen], windows.bottom[chosen] - tall)]
    columns = (windows.left[chosen], windows.right[chosen] - wide)
    first, *others = (flat.index_select(0, row + column) for row in rows for column in columns)
    return functools.reduce(lambda best, other: torch.maximum(best, other, out=best), others, first)


def lower_image_of(g: GraphBuilder, data: Value, image: Value) -> tuple[Value, Value]:
    """The form of `image_of` for floats: an image that there is, and whether it is the one that was asked for."""
    last = g.op("Sub", g.cast(g.op("Squeeze", g.op("Shape", data, end=1)), g.dtype(image)), g.scalar(1, image))
    whole = g.cast(g.cast(image, "int64"), g.dtype(image))  # towards zero
    kept = g.op("Clip", whole, g.scalar(0, image), last)
    return kept, g.op("Equal", kept, whole)


def _lower_images(g: GraphBuilder, data: Value, rois: Value) -> tuple[Value, Value]:
    """The image (R, 1) of each region, and whether there is such an image (R, 1, 1, 1)."""
    image, is_there = lower_image_of(g, data, g.op("Slice", rois, g.ints([0]), g.ints([1]), g.ints([1])))
    return image, g.op("Unsqueeze", is_there, g.ints([2, 3]))


@roi_pooling.onnx
def _(g: GraphBuilder, data: Value, rois: Value, *, pooled_size: Shape, spatial_scale: float) -> Value:
    check_regions("ROIPooling", g.dims(data), g.dims(rois), pooled_size, spatial_scale)
    refuse_float64(g, "ROIPooling", data)
    image, is_there = _lower_images(g, data, rois)
    place = g.op("Slice", rois, g.ints([1]), g.ints([5]), g.ints([1]))
    there = g.op("Concat", image, place, axis=1)
    out = g.op("MaxRoiPool", data, there, pooled_shape=pooled_size, spatial_scale=spatial_scale)
    return g.op("Where", is_there, out, g.scalar(0, out))


def _grid(start: Tensor, extent: Tensor, count: int, ratio: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where samples lie along an axis: points and whether they count (R, count, samples), number of samples (R,).

    Args:
        start: Where regions start (R,).
        extent: How long they are (R,).
        count: Number of bins.
        ratio: Samples in a bin; as many as it has pixels if not positive.
    """
    step = extent / count
    number = torch.full_like(step, ratio) if ratio > 0 else step.ceil().clamp(min=0)
    most = ratio if ratio > 0 else int(number.max().item()) if number.numel() else 0
    sample = torch.arange(most, device=step.device, dtype=step.dtype)
    bin_start = start.unsqueeze(1) + torch.arange(count, device=step.device, dtype=step.dtype) * step.unsqueeze(1)
    within = (sample + 0.5) * step.unsqueeze(1) / number.clamp(min=1).unsqueeze(1)
    return bin_start.unsqueeze(2) + within.unsqueeze(1), sample < number.unsqueeze(1), number


def _average(data: Tensor, image: Tensor, y: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums (R, PH, PW, C) of bilinear samples of `data` at points (R, PH, PW, samples).

    A point more than one pixel outside is 0.
    """
    height, width = data.shape[2:]
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    pixels, parts = corners(y, x, height, width)
    rows = pixels + (image * (height * width)).view(-1, 1, 1, 1, 1)
    parts = parts * (weight * inside).unsqueeze(-1)
    return sum_rows(as_table(data), rows.flatten(3), parts.flatten(3))


def _joined(parts: list[Tensor], data: Tensor, pooled_size: Shape) -> Tensor:
    """Parts (R, PH, PW, C) as one (R, C, PH, PW)."""
    if not parts:
        return data.new_zeros((0, data.shape[1], *pooled_size))
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).permute(0, 3, 1, 2)


def _widened(values: Tensor) -> Tensor:
    return values.detach().float() if values.dtype == torch.float16 else values.detach()


def _largest_ratio(extents: Tensor, pooled_size: Shape, ratio: int) -> int:
    """An upper bound of the samples in a bin."""
    if ratio > 0:
        return ratio * ratio
    return math.prod(int(e.max().item()) // p + 2 for e, p in zip(extents.T.clamp(min=0), pooled_size, strict=True))


@operator("_contrib_ROIAlign", source="MXNet 1.9.1 src/operator/contrib/roi_align.cc")
def roi_align(
    data: Tensor,
    rois: Tensor,
    *,
    pooled_size: Shape,
    spatial_scale: float,
    sample_ratio: int = -1,
    position_sensitive: bool = False,
    aligned: bool = False,
) -> Tensor:
    """Averages (R, C, height, width) of bilinear samples in the bins of regions of `data` (N, C, H, W).

    A region of `rois` (R, 5) is image, left, top, right, bottom, scaled by `spatial_scale` and not rounded; it is at
    least one pixel wide and high, or, `aligned`, moved by half a pixel. `pooled_size` bins of it have sample_ratio
    squared samples each, or one a pixel. Under `position_sensitive`, bin (i, j) of channel c reads channel (c height
    + i) width + j, and there are as many channels less. `rois` have no gradient.

    Differs: an `aligned` region with the corners the wrong way round is 0, where MXNet ends the process. An image that
    there is not gives 0, where MXNet reads memory that is not its own.

    Raises:
        InputError: Ranks or dtypes do not fit, or channels do not divide under `position_sensitive`.
        AttributeValueError: `pooled_size` is not two positive sizes, or `spatial_scale` is not in [0, 1].
    """
    name = "_contrib_ROIAlign"
    check_regions(name, data.shape, rois.shape, pooled_size, spatial_scale)
    check_floats(name, data=data, rois=rois)
    _check_sensitive(data.shape, pooled_size, position_sensitive)
    area = math.prod(pooled_size)
    channels = data.shape[1] // area if position_sensitive else data.shape[1]
    if data.device.type == "meta":
        return data.new_empty((rois.shape[0], channels, *pooled_size))
    place = _widened(rois)[:, 1:] * np.float32(spatial_scale).item() - (0.5 if aligned else 0.0)
    extent = place[:, 2:] - place[:, :2]
    if not aligned:
        extent = extent.clamp(min=1)
    image, is_there = image_of(rois, data.shape[0])
    parts = []
    size = (
        max(LARGEST_BAGS // (4 * area * _largest_ratio(extent.flip(1), pooled_size, sample_ratio)), 1)
        if len(rois)
        else 1
    )
    for part in torch.split(torch.arange(len(rois), device=data.device), size):
        y, on_y, count_y = _grid(place[part, 1], extent[part, 1], pooled_size[0], sample_ratio)
        x, on_x, count_x = _grid(place[part, 0], extent[part, 0], pooled_size[1], sample_ratio)
        shape = (len(part), *pooled_size, y.shape[2], x.shape[2])
        counted = on_y[:, None, None, :, None] & on_x[:, None, None, None, :] & is_there[part].view(-1, 1, 1, 1, 1)
        weight = counted / (count_y * count_x).clamp(min=1).view(-1, 1, 1, 1, 1)
        points = (y[:, :, None, :, None].expand(shape), x[:, None, :, None, :].expand(shape), weight.expand(shape))
        parts.append(_average(data, image[part], *(v.flatten(3) for v in points)))
    out = _joined(parts, data, pooled_size)
    if position_sensitive:
        return out.reshape(len(rois), channels, area, area).diagonal(dim1=2, dim2=3).reshape(-1, channels, *pooled_size)
    return out.contiguous()


def _check_sensitive(data: tuple[int | None, ...], pooled_size: Shape, position_sensitive: bool) -> None:
    if position_sensitive and (data[1] is None or data[1] % math.prod(pooled_size)):
        raise InputError(
            "_contrib_ROIAlign: channels do not divide: expected a multiple of "
            f"{math.prod(pooled_size)} under position_sensitive, got data={tuple(data)}."
        )


@roi_align.onnx
def _(
    g: GraphBuilder,
    data: Value,
    rois: Value,
    *,
    pooled_size: Shape,
    spatial_scale: float,
    sample_ratio: int,
    position_sensitive: bool,
    aligned: bool,
) -> Value:
    check_regions("_contrib_ROIAlign", g.dims(data), g.dims(rois), pooled_size, spatial_scale)
    _check_sensitive(g.dims(data), pooled_size, position_sensitive)
    image, is_there = _lower_images(g, data, rois)
    place = g.op("Slice", rois, g.ints([1]), g.ints([5]), g.ints([1]))
    out = g.op(
        "RoiAlign",
        data,
        place,
        g.cast(g.op("Squeeze", image, g.ints([1])), "int64"),
        output_height=pooled_size[0],
        output_width=pooled_size[1],
        sampling_ratio=max(sample_ratio, 0),
        spatial_scale=spatial_scale,
        coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel",
        mode="avg",
    )
    out = g.op("Where", is_there, out, g.scalar(0, out))
    if not position_sensitive:
        return out
    channels = g.dims(data)[1]
    assert channels is not None
    area = math.prod(pooled_size)
    flat = g.op("Reshape", out, g.ints([-1, channels // area, area * area]))
    own = g.op("Gather", flat, g.ints(range(0, area * area, area + 1)), axis=2)
    return g.op("Reshape", own, g.ints([-1, channels // area, *pooled_size]))


@operator("_contrib_RROIAlign", source="MXNet 1.9.1 src/operator/contrib/rroi_align.cc")
def rotated_roi_align(
    data: Tensor, rois: Tensor, *, pooled_size: Shape, spatial_scale: float, sampling_ratio: int = -1
) -> Tensor:
    """Averages (R, C, height, width) of bilinear samples in the bins of rotated regions of `data` (N, C, H, W).

    A region of `rois` (R, 6) is image, x and y of the center, width, height, angle in degrees, all but the angle scaled
    by `spatial_scale`; it is at least one pixel wide and high. Samples are as in `_contrib_ROIAlign`, turned about the
    center.

    Differs: `data` has a gradient, where MXNet's operator has none. An image that there is not gives 0, where MXNet
    reads memory that is not its own.

    Raises:
        InputError: Ranks or dtypes do not fit.
        AttributeValueError: `pooled_size` is not two positive sizes, or `spatial_scale` is not in [0, 1].
    """
    name = "_contrib_RROIAlign"
    check_regions(name, data.shape, rois.shape, pooled_size, spatial_scale, width=6)
    check_floats(name, data=data, rois=rois)
    if data.device.type == "meta":
        return data.new_empty((rois.shape[0], data.shape[1], *pooled_size))
    place = _widened(rois)
    scaled = place[:, 1:5] * np.float32(spatial_scale).item()
    center, extent = scaled[:, :2], scaled[:, 2:].clamp(min=1)
    angle = place[:, 5] * math.pi / 180
    image, is_there = image_of(rois, data.shape[0])
    area = math.prod(pooled_size)
    size = (
        max(LARGEST_BAGS // (4 * area * _largest_ratio(extent.flip(1), pooled_size, sampling_ratio)), 1)
        if len(rois)
        else 1
    )
    parts = []
    for part in torch.split(torch.arange(len(rois), device=data.device), size):
        y, on_y, count_y = _grid(-extent[part, 1] / 2, extent[part, 1], pooled_size[0], sampling_ratio)
        x, on_x, count_x = _grid(-extent[part, 0] / 2, extent[part, 0], pooled_size[1], sampling_ratio)
        shape = (len(part), *pooled_size, y.shape[2], x.shape[2])
        counted = on_y[:, None, None, :, None] & on_x[:, None, None, None, :] & is_there[part].view(-1, 1, 1, 1, 1)
        weight = (counted / (count_y * count_x).view(-1, 1, 1, 1, 1)).expand(shape)
        up, across = y[:, :, None, :, None], x[:, None, :, None, :]
        cosine, sine = (f(angle[part]).view(-1, 1, 1, 1, 1) for f in (torch.cos, torch.sin))
        middle = center[part].view(-1, 1, 1, 1, 1, 2)
        points = (up * cosine - across * sine + middle[..., 1], across * cosine + up * sine + middle[..., 0], weight)
        parts.append(_average(data, image[part], *(v.flatten(3) for v in points)))
    out = _joined(parts, data, pooled_size)
    return out.contiguous()


@rotated_roi_align.onnx
def _(
    g: GraphBuilder, data: Value, rois: Value, *, pooled_size: Shape, spatial_scale: float, sampling_ratio: int
) -> Value:
    name = "_contrib_RROIAlign"
    check_regions(name, g.dims(data), g.dims(rois), pooled_size, spatial_scale, width=6)
    refuse_float64(g, name, data)
    height, width = g.dims(data)[2:]
    if height is None or width is None:
        raise LoweringError(f"{name}: needs a fixed size of data: expected ints, got data={g.dims(data)}.")
    dtype = g.dtype(data)
    # Axes: region, bin row, bin column, sample row, sample column.
    image, *parts = (
        g.op("Reshape", v, g.ints([-1, 1, 1, 1, 1]))
        for v in g.op_outputs("Split", 6, g.cast(rois, "float32"), axis=1, num_outputs=6)
    )
    scale, one = g.const(spatial_scale), g.const(1.0)
    x, y, wide, high = (g.op("Mul", v, scale) for v in parts[:4])
    angle = g.op("Mul", parts[4], g.const(math.pi / 180))
    cosine, sine = g.op("Cos", angle), g.op("Sin", angle)
    up, on_y, count_y = _lower_grid(g, g.op("Max", high, one), pooled_size[0], sampling_ratio, 0)
    across, on_x, count_x = _lower_grid(g, g.op("Max", wide, one), pooled_size[1], sampling_ratio, 1)
    point_y = g.op("Add", g.op("Sub", g.op("Mul", up, cosine), g.op("Mul", across, sine)), y)
    point_x = g.op("Add", g.op("Add", g.op("Mul", across, cosine), g.op("Mul", up, sine)), x)
    image, is_there = lower_image_of(g, data, image)
    counted = g.op("And", is_there, g.op("And", on_y, on_x))
    for point, size in ((point_y, height), (point_x, width)):
        counted = g.op("And", counted, g.op("GreaterOrEqual", point, g.const(-1.0)))
        counted = g.op("And", counted, g.op("LessOrEqual", point, g.const(float(size))))
    weight = g.op("Div", g.cast(counted, "float32"), g.op("Mul", count_y, count_x))
    pixels, shares = lower_corners(g, point_y, point_x, height, width)
    first = g.op("Mul", g.cast(image, "int64"), g.const(height * width, "int64"))
    rows = g.op("Add", pixels, g.op("Unsqueeze", first, g.ints([5])))
    shares = g.op("Mul", shares, g.op("Unsqueeze", weight, g.ints([5])))
    out = lower_sum_rows(g, g.cast(lower_table(g, data), "float32"), rows, shares, 3)
    return g.cast(g.op("Transpose", out, perm=[0, 3, 1, 2]), dtype)


def _lower_grid(g: GraphBuilder, extent: Value, count: int, ratio: int, axis: int) -> tuple[Value, Value, Value]:
    """Points about the middle of regions along an axis, whether they count, and how many do in a bin.

    All have the axes of a region's samples: region, bin row, bin column, sample row, sample column.
    """
    step = g.op("Div", extent, g.const(float(count)))
    if ratio > 0:
        number, sample = g.const(float(ratio)), g.const(np.arange(ratio), "float32")
    else:
        number = g.op("Ceil", step)
        most = g.op("ReduceMax", number, keepdims=0)
        sample = g.op("Range", g.const(0.0), most, g.const(1.0))
    shape = [1, 1, 1, 1, 1]
    shape[3 + axis] = -1
    sample = g.op("Reshape", sample, g.ints(shape))
    shape = [1, 1, 1, 1, 1]
    shape[1 + axis] = count
    bin_number = g.const(np.arange(count).reshape(shape), "float32")
    within = g.op("Div", g.op("Mul", g.op("Add", sample, g.const(0.5)), step), number)
    start = g.op("Sub", g.op("Mul", bin_number, step), g.op("Mul", extent, g.const(0.5)))
    return g.op("Add", start, within), g.op("Less", sample, number), number
