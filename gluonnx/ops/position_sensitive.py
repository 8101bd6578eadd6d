"""Position-sensitive pooling: each bin of a region reads channels of its own.

Source: Dai et al. 2016, R-FCN; Dai et al. 2017, Deformable Convolutional Networks.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.boxes import check_floats
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.regions import bins, check_regions, image_of, lower_image_of, round_away
from gluonnx.ops.table import operator
from gluonnx.ops.weighted_rows import LARGEST_BAGS, corners, lower_corners, lower_sum_rows, sum_rows

LEAST_EXTENT = 0.1
"""Least width and height of a region, in pixels of the data."""


def _check(
    name: str,
    data: tuple[int | None, ...],
    rois: tuple[int | None, ...],
    scale: float,
    output_dim: int,
    pooled: int,
    group: int,
) -> None:
    check_regions(name, data, rois, (pooled, pooled), scale)
    if output_dim < 1 or group < 1:
        raise AttributeValueError(
            f"{name}: wrong sizes: expected positive ones, got output_dim={output_dim}, group_size={group}."
        )
    needed = output_dim * group * group
    if data[1] is None or data[1] < needed:
        raise InputError(
            f"{name}: too few channels: expected output_dim group_size^2 = {needed}, got data={tuple(data)}."
        )


def _group_of_bin(pooled: int, group: int) -> npt.NDArray[np.int64]:
    return np.arange(pooled) * group // pooled


def _table(data: Tensor, output_dim: int, group: int, classes: int = 1) -> Tensor:
    """Pixels (N classes group group H W, output_dim / classes) of the channels that are read."""
    count, _, height, width = data.shape
    used = data[:, : output_dim * group * group]
    split = used.reshape(count, classes, output_dim // classes, group, group, height, width)
    return split.permute(0, 1, 3, 4, 5, 6, 2).reshape(-1, output_dim // classes)


def _first_rows(image: Tensor, classes: int, pooled: int, group: int, size: int) -> Tensor:
    """Number of the first pixel (R, classes, pooled, pooled) that a bin reads."""
    place = torch.as_tensor(_group_of_bin(pooled, group), device=image.device)
    in_image = torch.arange(classes, device=image.device).view(-1, 1, 1) * group * group
    plane = in_image + place.view(-1, 1) * group + place
    return (image.view(-1, 1, 1, 1) * classes * group * group + plane) * size


@operator("_contrib_PSROIPooling", source="MXNet 1.9.1 src/operator/contrib/psroi_pooling.cc")
def psroi_pooling(
    data: Tensor, rois: Tensor, *, spatial_scale: float, output_dim: int, pooled_size: int, group_size: int = 0
) -> Tensor:
    """Means (R, output_dim, pooled_size, pooled_size) over bins of regions of `data` (N, C, H, W).

    A region of `rois` (R, 5) is image, left, top, right, bottom; corners are rounded, the last pixel is inside, and
    `spatial_scale` is applied. It is at least 0.1 wide and high. A bin reaches from the floor to the ceil of its ends.
    With G = `group_size` (`pooled_size` if 0), channel c of bin (i, j) reads channel (c G + i G / pooled_size) G + j G
    / pooled_size of `data`, rounded down. A bin that holds nothing, or an image that there is not, gives 0. `rois` have
    no gradient.

    Differs: too few channels are refused, where MXNet reads memory that is not its own.

    Raises:
        InputError: Ranks or dtypes do not fit, or channels are too few.
        AttributeValueError: A size is not positive, or `spatial_scale` is not in [0, 1].
    """
    name, group = "_contrib_PSROIPooling", group_size or pooled_size
    _check(name, data.shape, rois.shape, spatial_scale, output_dim, pooled_size, group)
    check_floats(name, data=data, rois=rois)
    if data.device.type == "meta":
        return data.new_empty((rois.shape[0], output_dim, pooled_size, pooled_size))
    height, width = data.shape[2:]
    scale = np.float32(spatial_scale).item()
    rounded = round_away(rois.detach()[:, 1:])
    start, end = rounded[:, :2] * scale, (rounded[:, 2:] + 1) * scale
    step = (end - start).clamp(min=LEAST_EXTENT) / pooled_size
    image, is_there = image_of(rois, data.shape[0])
    top, bottom = bins(start[:, 1:], step[:, 1:], pooled_size, height)
    left, right = bins(start[:, :1], step[:, :1], pooled_size, width)
    first = _first_rows(image, 1, pooled_size, group, height * width)[:, 0]
    table = _table(data, output_dim, group)
    parts = []
    tall, wide = ((int(v.max()) if v.numel() else 0) for v in (bottom - top, right - left))
    size = max(LARGEST_BAGS // max(tall * wide * pooled_size**2, 1), 1)
    for part in torch.split(torch.arange(len(rois), device=data.device), size):
        y = top[part].unsqueeze(2) + torch.arange(max(tall, 0), device=data.device)
        x = left[part].unsqueeze(2) + torch.arange(max(wide, 0), device=data.device)
        on_y, on_x = y < bottom[part].unsqueeze(2), x < right[part].unsqueeze(2)
        held = (on_y[:, :, None, :, None] & on_x[:, None, :, None, :]) & is_there[part].view(-1, 1, 1, 1, 1)
        area = (bottom - top)[part].unsqueeze(2) * (right - left)[part].unsqueeze(1)
        weight = held / area.clamp(min=1)[..., None, None].to(start.dtype)
        pixels = y.clamp(max=height - 1)[:, :, None, :, None] * width + x.clamp(max=width - 1)[:, None, :, None, :]
        rows = first[part][..., None, None] + pixels
        parts.append(sum_rows(table, rows.flatten(3), weight.flatten(3)))
    if not parts:
        return data.new_zeros((0, output_dim, pooled_size, pooled_size))
    return torch.cat(parts).permute(0, 3, 1, 2).contiguous()


@psroi_pooling.onnx
def _(
    g: GraphBuilder,
    data: Value,
    rois: Value,
    *,
    spatial_scale: float,
    output_dim: int,
    pooled_size: int,
    group_size: int,
) -> Value:
    name, group = "_contrib_PSROIPooling", group_size or pooled_size
    _check(name, g.dims(data), g.dims(rois), spatial_scale, output_dim, pooled_size, group)
    height, width, table = _lower_table(g, name, data, output_dim, group, 1)
    image, is_there, low, high = _lower_corners_of(g, data, rois, spatial_scale, 0.0)
    step = g.op("Div", g.op("Max", g.op("Sub", high, low), g.const(LEAST_EXTENT)), g.const(float(pooled_size)))
    number = g.const(np.arange(pooled_size)[None, :], "float32")
    axes = []
    # Axes: region, bin row, bin column, row in the bin, column in the bin.
    for axis, (column, size) in enumerate(((1, height), (0, width))):
        start, extent = (g.op("Gather", v, g.ints([column]), axis=1) for v in (low, step))
        limit = g.const(0.0), g.const(float(size))
        first = g.op("Clip", g.op("Floor", g.op("Add", g.op("Mul", number, extent), start)), *limit)
        after = g.op("Add", number, g.const(1.0))
        end = g.op("Clip", g.op("Ceil", g.op("Add", g.op("Mul", after, extent), start)), *limit)
        most = g.op("ReduceMax", g.op("Max", g.op("Sub", end, first), g.const(0.0)), keepdims=0)
        steps = g.op("Range", g.const(0.0), most, g.const(1.0))
        apart = g.ints([2 - axis, 3, 4])
        first, end = (g.op("Unsqueeze", v, apart) for v in (first, end))
        offset = g.op("Unsqueeze", steps, g.ints([0, 1, 2, 4 if axis == 0 else 3]))
        place = g.op("Add", first, offset)
        held = g.op("Less", place, end)
        axes.append((g.op("Min", place, g.const(float(size - 1))), held, g.op("Sub", end, first)))
    (y, on_y, tall), (x, on_x, wide) = axes
    area = g.op("Max", g.op("Mul", tall, wide), g.const(1.0))
    held = g.op("And", g.op("And", on_y, on_x), g.op("Unsqueeze", is_there, g.ints([2, 3, 4])))
    weight = g.op("Div", g.cast(held, "float32"), area)
    pixels = g.op("Add", g.op("Mul", g.cast(y, "int64"), g.const(width, "int64")), g.cast(x, "int64"))
    first_row = _lower_first_rows(g, image, 1, pooled_size, group, height * width)
    rows = g.op("Add", pixels, g.op("Reshape", first_row, g.ints([-1, pooled_size, pooled_size, 1, 1])))
    out = lower_sum_rows(g, table, rows, weight, 2)
    return g.cast(g.op("Transpose", out, perm=[0, 3, 1, 2]), g.dtype(data))


def _lower_table(
    g: GraphBuilder, name: str, data: Value, output_dim: int, group: int, classes: int
) -> tuple[int, int, Value]:
    """Height and width of `data`, and the form of `_table` as float32."""
    refuse_float64(g, name, data)
    height, width = g.dims(data)[2:]
    if height is None or width is None:
        raise LoweringError(f"{name}: needs a fixed size of data: expected ints, got data={g.dims(data)}.")
    used = g.op("Slice", data, g.ints([0]), g.ints([output_dim * group * group]), g.ints([1]))
    split = g.op("Reshape", used, g.ints([-1, classes, output_dim // classes, group, group, height, width]))
    last = g.op("Transpose", split, perm=[0, 1, 3, 4, 5, 6, 2])
    return height, width, g.cast(g.op("Reshape", last, g.ints([-1, output_dim // classes])), "float32")


def _lower_corners_of(
    g: GraphBuilder, data: Value, rois: Value, scale: float, shift: float
) -> tuple[Value, Value, Value, Value]:
    """Image (R, 1) as int64 and whether there is such an image, first and last corner (R, 2) in pixels of the data."""
    image, corner = g.op_outputs("Split", 2, g.cast(rois, "float32"), g.ints([1, 4]), axis=1)
    size = g.op("Abs", corner)
    whole = g.op("Floor", size)
    up = g.op("Add", whole, g.cast(g.op("GreaterOrEqual", g.op("Sub", size, whole), g.const(0.5)), "float32"))
    rounded = g.op("Mul", g.op("Sign", corner), up)
    low, high = g.op_outputs("Split", 2, rounded, axis=1, num_outputs=2)
    low, high = (g.op("Mul", v, g.const(scale)) for v in (low, g.op("Add", high, g.const(1.0))))
    if shift:
        low, high = (g.op("Sub", v, g.const(shift)) for v in (low, high))
    image, is_there = lower_image_of(g, data, image)
    return g.cast(image, "int64"), is_there, low, high


def _lower_first_rows(g: GraphBuilder, image: Value, classes: int, pooled: int, group: int, size: int) -> Value:
    """Number of the first pixel (R, classes, pooled, pooled) that a bin reads."""
    place = _group_of_bin(pooled, group)
    plane = np.arange(classes)[:, None, None] * group * group + place[:, None] * group + place
    start = g.op("Mul", g.op("Reshape", image, g.ints([-1, 1, 1, 1])), g.const(classes * group * group * size, "int64"))
    return g.op("Add", start, g.const(plane[None] * size, "int64"))


def _check_parts(data: tuple[int | None, ...], trans: tuple[int | None, ...], output_dim: int, part: int) -> int:
    """Return the number of classes that regions move for."""
    fits = len(trans) == 4 and trans[1] is not None and trans[1] >= 2 and trans[1] % 2 == 0
    classes = trans[1] // 2 if fits and trans[1] is not None else 1
    if not fits or output_dim % classes or trans[2:] != (part, part):
        raise InputError(
            "_contrib_DeformablePSROIPooling: wrong shape of trans: expected (R, 2 classes, part_size, part_size) with "
            f"part_size={part} and classes that divide output_dim={output_dim}, got trans={tuple(trans)}."
        )
    return classes


def _part_of_bin(pooled: int, part: int) -> npt.NDArray[np.int64]:
    """Which part of the region a bin belongs to, rounded down in single precision."""
    share = np.arange(pooled, dtype=np.float32) / np.float32(pooled) * np.float32(part)
    part_of: npt.NDArray[np.int64] = np.floor(share).astype(np.int64)
    return part_of


@operator(
    "_contrib_DeformablePSROIPooling",
    when={"trans": lambda attrs: not attrs["no_trans"]},
    unread=1,
    source="MXNet 1.9.1 src/operator/contrib/deformable_psroi_pooling.cc",
)
def deformable_psroi_pooling(
    data: Tensor,
    rois: Tensor,
    trans: Tensor | None = None,
    *,
    spatial_scale: float,
    output_dim: int,
    group_size: int,
    pooled_size: int,
    part_size: int = 0,
    sample_per_part: int = 1,
    trans_std: float = 0.0,
    no_trans: bool = False,
) -> Tensor:
    """Means (R, output_dim, pooled_size, pooled_size) of bilinear samples in bins that move.

    Regions and channels are those of `_contrib_PSROIPooling`, the regions moved by half a pixel. Bin (i, j) of class k
    moves by `trans` (R, 2 classes, part_size, part_size), x in channel 2 k and y in channel 2 k + 1 of part (i
    part_size / pooled_size, j part_size / pooled_size), rounded down, times `trans_std` and the region's extent;
    `part_size` 0 is `pooled_size`. Classes divide `output_dim` evenly; under `no_trans` there is one, which does not
    move. A bin has sample_per_part squared samples, from its first corner on; those more than half a pixel outside do
    not count. `rois` have no gradient.

    Raises:
        InputError: Ranks, shapes or dtypes do not fit, or channels are too few.
        AttributeValueError: A size is not positive, or `spatial_scale` is not in [0, 1].
    """
    name = "_contrib_DeformablePSROIPooling"
    _check(name, data.shape, rois.shape, spatial_scale, output_dim, pooled_size, group_size)
    check_floats(name, data=data, rois=rois, **({} if no_trans or trans is None else {"trans": trans}))
    _check_samples(sample_per_part, part_size)
    part = part_size or pooled_size
    classes = 1 if no_trans or trans is None else _check_parts(data.shape, trans.shape, output_dim, part)
    if data.device.type == "meta":
        return data.new_empty((rois.shape[0], output_dim, pooled_size, pooled_size))
    height, width = data.shape[2:]
    rounded = round_away(rois.detach()[:, 1:])
    scale = np.float32(spatial_scale).item()
    start, end = rounded[:, :2] * scale - 0.5, (rounded[:, 2:] + 1) * scale - 0.5
    extent = (end - start).clamp(min=LEAST_EXTENT)
    step = extent / pooled_size
    number = torch.arange(pooled_size, device=data.device, dtype=start.dtype)
    place = number.view(1, -1, 1) * step.unsqueeze(1) + start.unsqueeze(1)  # region, bin, (x, y)
    x, y = place[:, None, None, :, 0], place[:, None, :, None, 1]
    if not no_trans and trans is not None:
        parts = torch.as_tensor(_part_of_bin(pooled_size, part), device=data.device)
        moves = trans[:, :, parts][..., parts] * np.float32(trans_std).item()
        moves = moves.view(-1, classes, 2, pooled_size, pooled_size)
        x = x + moves[:, :, 0] * extent[:, 0].view(-1, 1, 1, 1)
        y = y + moves[:, :, 1] * extent[:, 1].view(-1, 1, 1, 1)
    sample = torch.arange(sample_per_part, device=data.device, dtype=start.dtype)
    within = sample * (step / sample_per_part).unsqueeze(2)  # region, (x, y), sample
    shape = (rois.shape[0], classes, pooled_size, pooled_size, sample_per_part, sample_per_part)
    x = (x[..., None, None] + within[:, 0].view(-1, 1, 1, 1, 1, sample_per_part)).expand(shape)
    y = (y[..., None, None] + within[:, 1].view(-1, 1, 1, 1, sample_per_part, 1)).expand(shape)
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    image, is_there = image_of(rois, data.shape[0])
    inside &= is_there.view(-1, 1, 1, 1, 1, 1)
    pixels, weights = corners(y, x, height, width)
    found = inside.sum((4, 5), keepdim=True).clamp(min=1)
    weights = weights * (inside / found.to(start.dtype)).unsqueeze(-1)
    rows = pixels + _first_rows(image, classes, pooled_size, group_size, height * width)[..., None, None, None]
    out = sum_rows(_table(data, output_dim, group_size, classes), rows.flatten(4), weights.flatten(4))
    return out.permute(0, 1, 4, 2, 3).reshape(-1, output_dim, pooled_size, pooled_size)


def _check_samples(sample_per_part: int, part_size: int) -> None:
    if sample_per_part < 1 or part_size < 0:
        raise AttributeValueError(
            "_contrib_DeformablePSROIPooling: wrong sizes: expected sample_per_part of at least 1 and part_size of at "
            f"least 0, got sample_per_part={sample_per_part}, part_size={part_size}."
        )


@deformable_psroi_pooling.onnx
def _(
    g: GraphBuilder,
    data: Value,
    rois: Value,
    trans: Value | None = None,
    *,
    spatial_scale: float,
    output_dim: int,
    group_size: int,
    pooled_size: int,
    part_size: int,
    sample_per_part: int,
    trans_std: float,
    no_trans: bool,
) -> Value:
    name = "_contrib_DeformablePSROIPooling"
    _check(name, g.dims(data), g.dims(rois), spatial_scale, output_dim, pooled_size, group_size)
    _check_samples(sample_per_part, part_size)
    part = part_size or pooled_size
    classes = 1 if no_trans or trans is None else _check_parts(g.dims(data), g.dims(trans), output_dim, part)
    height, width, table = _lower_table(g, name, data, output_dim, group_size, classes)
    image, is_there, low, high = _lower_corners_of(g, data, rois, spatial_scale, 0.5)
    extent = g.op("Max", g.op("Sub", high, low), g.const(LEAST_EXTENT))
    step = g.op("Div", extent, g.const(float(pooled_size)))
    within = g.op("Div", step, g.const(float(sample_per_part)))
    moves: list[Value | None] = [None, None]
    if not no_trans and trans is not None:
        parts = g.ints(_part_of_bin(pooled_size, part).tolist())
        chosen = g.op("Gather", g.op("Gather", trans, parts, axis=2), parts, axis=3)
        scaled = g.op("Mul", g.cast(chosen, "float32"), g.const(trans_std))
        split = g.op("Reshape", scaled, g.ints([-1, classes, 2, pooled_size, pooled_size, 1, 1]))
        moves = [g.op("Gather", split, g.const(axis, "int64"), axis=2) for axis in (0, 1)]
    points = []
    # Axes: region, class, bin row, bin column, sample row, sample column.
    for axis, move in enumerate(moves):
        whole = g.ints([-1, 1, 1, 1, 1, 1])
        start, reach, bin_step, sample_step = (
            g.op("Reshape", g.op("Gather", v, g.ints([axis]), axis=1), whole) for v in (low, extent, step, within)
        )
        shape = [1, 1, 1, 1, 1, 1]
        shape[3 - axis] = pooled_size
        point = g.op("Add", g.op("Mul", g.const(np.arange(pooled_size).reshape(shape), "float32"), bin_step), start)
        if move is not None:
            point = g.op("Add", point, g.op("Mul", move, reach))
        shape = [1, 1, 1, 1, 1, 1]
        shape[5 - axis] = sample_per_part
        offset = g.op("Mul", g.const(np.arange(sample_per_part).reshape(shape), "float32"), sample_step)
        points.append(g.op("Add", point, offset))
    inside = g.op("Unsqueeze", is_there, g.ints([2, 3, 4, 5]))
    for point, size in zip(points, (width, height), strict=True):
        held = g.op("GreaterOrEqual", point, g.const(-0.5))
        held = g.op("And", held, g.op("LessOrEqual", point, g.const(size - 0.5)))
        inside = g.op("And", inside, held)
    counted = g.cast(inside, "float32")
    found = g.op("Max", g.op("ReduceSum", counted, g.ints([4, 5]), keepdims=1), g.const(1.0))
    pixels, shares = lower_corners(g, points[1], points[0], height, width)
    shares = g.op("Mul", shares, g.op("Unsqueeze", g.op("Div", counted, found), g.ints([6])))
    first = _lower_first_rows(g, image, classes, pooled_size, group_size, height * width)
    rows = g.op("Add", pixels, g.op("Unsqueeze", first, g.ints([4, 5, 6])))
    out = g.op("Transpose", lower_sum_rows(g, table, rows, shares, 3), perm=[0, 1, 4, 2, 3])
    return g.cast(g.op("Reshape", out, g.ints([-1, output_dim, pooled_size, pooled_size])), g.dtype(data))
