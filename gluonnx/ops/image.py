"""Images (H, W, C) on their way into a net: scaling, normalizing, cropping."""

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Floats, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.opencv import resize
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/image/image_random-inl.h"


def check_rank(name: str, shape: "tuple[int | None, ...] | torch.Size", ranks: tuple[int, ...], form: str) -> None:
    """Raise unless the rank is one of those."""
    if len(shape) not in ranks:
        raise InputError(f"{name}: wrong rank of data: expected {form}, got data={tuple(shape)}.")


@operator("_image_to_tensor", "_npx__image_to_tensor", source=SOURCE)
def to_tensor(data: Tensor) -> Tensor:
    """Images (H, W, C) or (N, H, W, C) with values from 0 to 255 as float32 (C, H, W) or (N, C, H, W) from 0 to 1.

    Raises:
        InputError: `data` has other than 3 or 4 dimensions.
    """
    check_rank("_image_to_tensor", data.shape, (3, 4), "(H, W, C) or (N, H, W, C)")
    return (data.float() / 255.0).movedim(-1, -3).contiguous()


@to_tensor.dtypes
def _(data: str | None) -> dict[str, str | None]:
    return {"output": "float32"}


@to_tensor.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    perm = [2, 0, 1] if g.rank(data) == 3 else [0, 3, 1, 2]
    x = g.cast(data, "float32")
    return g.op("Transpose", g.op("Div", x, g.scalar(255.0, x)), perm=perm)


def _per_channel(name: str, values: Floats, channels: int | None) -> list[float]:
    if channels not in (1, 3):
        raise InputError(f"_image_normalize: wrong number of channels: expected 1 or 3, got {channels}.")
    if len(values) not in (1, channels):
        raise AttributeValueError(
            f"_image_normalize: attribute `{name}` has a wrong length: expected 1 or {channels} numbers for {channels} "
            f"channels, got {name}={values}."
        )
    return list(values) * (channels // len(values))


@operator("_image_normalize", "_npx__image_normalize", source=SOURCE)
def normalize(data: Tensor, *, mean: Floats = (0.0, 0.0, 0.0, 0.0), std: Floats = (1.0, 1.0, 1.0, 1.0)) -> Tensor:
    """(data - mean) / std of images (C, H, W) or (N, C, H, W) of 1 or 3 channels, a number for all or for each channel.

    Integers are cut off towards 0 and go around beyond their range. The defaults, of length 4, fit no image; that is
    MXNet's own error.

    Raises:
        InputError: `data` has another rank or number of channels.
        AttributeValueError: `mean` or `std` has another length.
    """
    check_rank("_image_normalize", data.shape, (3, 4), "(C, H, W) or (N, C, H, W)")
    channels = data.shape[-3]
    kind = data.dtype if data.is_floating_point() else torch.float32
    means = torch.tensor(_per_channel("mean", mean, channels), dtype=kind, device=data.device)
    stds = torch.tensor(_per_channel("std", std, channels), dtype=kind, device=data.device)
    out = (data - means[:, None, None]) / stds[:, None, None]
    return out if data.is_floating_point() else out.long().to(data.dtype)


@normalize.onnx
def _(g: GraphBuilder, data: Value, *, mean: Floats, std: Floats) -> Value:
    channels, dtype = g.dims(data)[-3], g.dtype(data)
    is_float = dtype.startswith("float")
    kind = dtype if is_float else "float32"
    means = g.const(np.array(_per_channel("mean", mean, channels)).reshape(-1, 1, 1), kind)
    stds = g.const(np.array(_per_channel("std", std, channels)).reshape(-1, 1, 1), kind)
    out = g.op("Div", g.op("Sub", g.cast(data, kind), means), stds)
    return out if is_float else g.cast(g.cast(out, "int64"), dtype)


def _resized(data: "tuple[int | None, ...] | torch.Size", size: Shape, keep_ratio: bool) -> tuple[int, int]:
    """Return the (height, width) that images get."""
    if len(size) not in (1, 2) or min(size) < 1:
        raise AttributeValueError(
            "_image_resize: attribute `size` has a wrong value: expected one size, or width and height, of at least 1, "
            f"got {size=}."
        )
    height, width = data[-3], data[-2]
    if len(size) == 2 or not keep_ratio:
        return size[-1], size[0]
    if height is None or width is None:
        raise LoweringError(f"_image_resize: keep_ratio needs a fixed size: expected ints, got data={tuple(data)}.")
    return (size[0] * height // width, size[0]) if height > width else (size[0], size[0] * width // height)


@operator("_image_resize", "_npx__image_resize", gradient="none", source="MXNet 1.9.1 src/operator/image/resize-inl.h")
def image_resize(data: Tensor, *, size: Shape = (), keep_ratio: bool = False, interp: int = 1) -> Tensor:
    """Images (H, W, C) or (N, H, W, C) of another `size`: one for both sides, or width and height.

    One size and `keep_ratio` make the shorter side that long. `interp` is a code of OpenCV's: see `mx.image.imresize`.
    There is no gradient.

    Raises:
        InputError: `data` is not an image of uint8, float32 or float64.
        AttributeValueError: A wrong `size` or `interp`.
    """
    check_rank("_image_resize", data.shape, (3, 4), "(H, W, C) or (N, H, W, C)")
    height, width = _resized(data.shape, size, keep_ratio)
    return resize("_image_resize", data, height, width, interp)


@image_resize.onnx
def _(g: GraphBuilder, data: Value, *, size: Shape, keep_ratio: bool, interp: int) -> Value:
    if g.dtype(data) != "float32" or interp != 1:
        raise LoweringError(
            "_image_resize: has no ONNX form for this: expected float32 and interp 1, got "
            f"dtype={g.dtype(data)}, {interp=} (OpenCV's fixed-point arithmetic has no ONNX operator). Cast to float32."
        )
    height, width = _resized(g.dims(data), size, keep_ratio)
    rank = g.rank(data)
    first = list(range(rank - 3))
    planes = g.op("Transpose", data, perm=[*first, rank - 1, rank - 3, rank - 2])
    leading = g.op("Shape", planes, start=0, end=rank - 2)
    x = planes if rank == 4 else g.op("Unsqueeze", planes, g.ints([0]))
    if rank == 3:
        leading = g.op("Concat", g.ints([1]), leading, axis=0)
    sizes = g.op("Concat", leading, g.ints([height, width]), axis=0)
    # The cubic mode takes maps too, but ONNX Runtime moves the transposes past it and then refuses what it made.
    out = g.op("Resize", x, None, None, sizes, mode="linear", coordinate_transformation_mode="half_pixel")
    out = out if rank == 4 else g.op("Squeeze", out, g.ints([0]))
    return g.op("Transpose", out, perm=[*first, rank - 2, rank - 1, rank - 3])


def _check_crop(size: "tuple[int | None, ...] | torch.Size", x: int, y: int, width: int, height: int) -> None:
    wide, high = size[-2], size[-3]
    fits = (wide is None or x + width <= wide) and (high is None or y + height <= high)
    if min(x, y) < 0 or min(width, height) < 1 or not fits:
        raise InputError(
            f"_image_crop: window is not inside the image: expected one within width {wide} and height {high}, "
            f"got {x=}, {y=}, {width=}, {height=}."
        )


@operator("_image_crop", "_npx__image_crop", view=True, source="MXNet 1.9.1 src/operator/image/crop-inl.h")
def image_crop(data: Tensor, *, x: int, y: int, width: int, height: int) -> Tensor:
    """The window of images (H, W, C) or (N, H, W, C) with its upper left corner at column `x`, row `y`.

    Differs: a negative `x` or `y` is an error, where MXNet reads other memory.

    Raises:
        InputError: `data` has another rank, or the window is not inside the image.
    """
    check_rank("_image_crop", data.shape, (3, 4), "(H, W, C) or (N, H, W, C)")
    _check_crop(data.shape, x, y, width, height)
    return data[..., y : y + height, x : x + width, :]


@image_crop.onnx
def _(g: GraphBuilder, data: Value, *, x: int, y: int, width: int, height: int) -> Value:
    _check_crop(g.dims(data), x, y, width, height)
    return g.op("Slice", data, g.ints([y, x]), g.ints([y + height, x + width]), g.ints([-3, -2]))
