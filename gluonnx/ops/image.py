"""Images (H, W, C) on their way into a net: scaling, normalizing, cropping, flipping, colours."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Floats, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.opencv import resize
from gluonnx.ops.random import UNCHECKABLE, Generator
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/image/image_random-inl.h"

GRAY = (0.299, 0.587, 0.114)
"""Share of red, green and blue in brightness. Source: ITU-R BT.601."""
EIGENVALUES = (55.46, 4.794, 1.148)
EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
"""Principal components of ImageNet's colours. Source: Krizhevsky et al. 2012, as MXNet's image iterators have them."""


def _check_rank(name: str, shape: "tuple[int | None, ...] | torch.Size", ranks: tuple[int, ...], form: str) -> None:
    if len(shape) not in ranks:
        raise InputError(f"{name}: wrong rank of data: expected {form}, got data={tuple(shape)}.")


@operator("_image_to_tensor", "_npx__image_to_tensor", source=SOURCE)
def to_tensor(data: Tensor) -> Tensor:
    """Images (H, W, C) or (N, H, W, C) with values from 0 to 255 as float32 (C, H, W) or (N, C, H, W) from 0 to 1.

    Raises:
        InputError: `data` has other than 3 or 4 dimensions.
    """
    _check_rank("_image_to_tensor", data.shape, (3, 4), "(H, W, C) or (N, H, W, C)")
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
    _check_rank("_image_normalize", data.shape, (3, 4), "(C, H, W) or (N, C, H, W)")
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
    _check_rank("_image_resize", data.shape, (3, 4), "(H, W, C) or (N, H, W, C)")
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
    fits = wide is not None and high is not None and x + width <= wide and y + height <= high
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
    _check_rank("_image_crop", data.shape, (3, 4), "(H, W, C) or (N, H, W, C)")
    _check_crop(data.shape, x, y, width, height)
    return data[..., y : y + height, x : x + width, :]


@image_crop.onnx
def _(g: GraphBuilder, data: Value, *, x: int, y: int, width: int, height: int) -> Value:
    _check_crop(g.dims(data), x, y, width, height)
    return g.op("Slice", data, g.ints([y, x]), g.ints([y + height, x + width]), g.ints([-3, -2]))


class _PassOn(torch.autograd.Function):
    """The second input; its gradient goes to the first one as it is."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, result: Tensor) -> Tensor:
        return result.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def _changed(name: str, data: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change an image, which has MXNet's gradient: the one that comes in, unchanged."""
    _check_rank(name, data.shape, (3,), "(H, W, C)")
    result = change(data.detach())
    return _PassOn.apply(data, result) if data.requires_grad else result  # type: ignore[no-untyped-call]


def _flipped(name: str, data: Tensor, axis: int, generator: Generator, *, is_random: bool) -> Tensor:
    def flip(image: Tensor) -> Tensor:
        turned = image.flip(axis)
        return torch.where(_draw(image, 0.0, 1.0, generator) < 0.5, turned, image) if is_random else turned

    return _changed(name, data, flip)


def _draw(like: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    """Draw one float32 number where `like` lives."""
    return torch.empty((), dtype=torch.float32, device=like.device).uniform_(low, high, generator=generator)


@operator("_image_flip_left_right", "_npx__image_flip_left_right", source=SOURCE)
def flip_left_right(data: Tensor) -> Tensor:
    """An image (H, W, C) with its columns in reverse order. The gradient is passed on as it is, as MXNet's.

    Differs: the middle column of an odd number stays, where MXNet leaves it unwritten.
    """
    return _flipped("_image_flip_left_right", data, 1, None, is_random=False)


@operator("_image_flip_top_bottom", "_npx__image_flip_top_bottom", source=SOURCE)
def flip_top_bottom(data: Tensor) -> Tensor:
    """An image (H, W, C) with its rows in reverse order. The gradient is passed on as it is, as MXNet's.

    Differs: the middle row of an odd number stays, where MXNet leaves it unwritten.
    """
    return _flipped("_image_flip_top_bottom", data, 0, None, is_random=False)


def _lower_flip(g: GraphBuilder, data: Value, axis: int) -> Value:
    limit = np.iinfo(np.int64)
    return g.op("Slice", data, g.ints([-1]), g.ints([limit.min]), g.ints([axis]), g.ints([-1]))


@flip_left_right.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return _lower_flip(g, data, 1)


@flip_top_bottom.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return _lower_flip(g, data, 0)


@operator("_image_random_flip_left_right", "_npx__image_random_flip_left_right", source=SOURCE)
def random_flip_left_right(data: Tensor, *, generator: Generator = None) -> Tensor:
    """`_image_flip_left_right` or, as often, the image as it is."""
    return _flipped("_image_random_flip_left_right", data, 1, generator, is_random=True)


@operator("_image_random_flip_top_bottom", "_npx__image_random_flip_top_bottom", source=SOURCE)
def random_flip_top_bottom(data: Tensor, *, generator: Generator = None) -> Tensor:
    """`_image_flip_top_bottom` or, as often, the image as it is."""
    return _flipped("_image_random_flip_top_bottom", data, 0, generator, is_random=True)


def _coloured(name: str, data: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change the colours of an image of 1 or 3 channels in floats; the result has the image's dtype again."""
    _check_rank(name, data.shape, (3,), "(H, W, C)")
    if data.shape[2] not in (1, 3):
        raise InputError(f"{name}: wrong number of channels: expected 1 or 3, got data={tuple(data.shape)}.")
    wide = data.dtype if data.dtype == torch.float64 else torch.float32
    return _changed(name, data, lambda image: saturated(change(image.to(wide)), image.dtype))


def saturated(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Cast floats; to uint8, what lies beyond its range becomes its end. Other integers go around, as MXNet's do."""
    if dtype.is_floating_point:
        return values.to(dtype)
    return values.clamp(0, 255).to(dtype) if dtype == torch.uint8 else values.long().to(dtype)


def _luminance(image: Tensor) -> Tensor:
    """Brightness of every pixel: (H, W, 1)."""
    if image.shape[2] == 1:
        return image
    return image[..., :1] * GRAY[0] + image[..., 1:2] * GRAY[1] + image[..., 2:] * GRAY[2]


def _with_brightness(image: Tensor, factor: Tensor) -> Tensor:
    return image * factor


def _with_contrast(image: Tensor, factor: Tensor) -> Tensor:
    return image * factor + (1.0 - factor) * _luminance(image).mean()


def _with_saturation(image: Tensor, factor: Tensor) -> Tensor:
    # MXNet's gray image is blue's share alone, not the sum of all three.
    return image if image.shape[2] == 1 else image * factor + (1.0 - factor) * (image[..., 2:] * GRAY[2])


def _with_hue(image: Tensor, turn: Tensor) -> Tensor:
    """Turn the hues of an image by a share of the circle.

    Source: conversion between RGB and HLS (hue, lightness, saturation) with hue from 0 to 360.
    """
    if image.shape[2] == 1:
        return image
    red, green, blue = (image / 255.0).unbind(2)
    high = torch.maximum(torch.maximum(red, green), blue)
    low = torch.minimum(torch.minimum(red, green), blue)
    spread = high - low
    light = (high + low) * 0.5
    is_coloured = spread > torch.finfo(torch.float32).eps
    safe = torch.where(is_coloured, spread, 1.0)
    saturation = torch.where(is_coloured, safe / torch.where(light < 0.5, high + low, 2.0 - high - low), 0.0)
    step = 60.0 / safe
    hue = torch.where(
        high == red,
        (green - blue) * step,
        torch.where(high == green, (blue - red) * step + 120.0, (red - green) * step + 240.0),
    )
    hue = torch.where(is_coloured, torch.where(hue < 0.0, hue + 360.0, hue), 0.0)
    sixth = torch.remainder((hue + turn * 360.0) * (1.0 / 60.0), 6.0)
    sector = sixth.floor().clamp(max=5.0)
    part = sixth - sector
    upper = torch.where(light <= 0.5, light * (1.0 + saturation), light + saturation - light * saturation)
    lower = 2.0 * light - upper
    falling = lower + (upper - lower) * (1.0 - part)
    rising = lower + (upper - lower) * part
    table = torch.stack([upper, lower, falling, rising], -1)
    order = torch.tensor(_SECTORS, device=image.device)[sector.long()]
    return torch.gather(table, -1, order) * 255.0


_SECTORS = ((0, 3, 1), (2, 0, 1), (1, 0, 3), (1, 2, 0), (3, 1, 0), (0, 1, 2))
"""Which of (upper, lower, falling, rising) red, green and blue are in each sixth of the circle."""


def _check_factors(name: str, low: float, high: float) -> None:
    if not 0 <= low <= high:
        raise AttributeValueError(
            f"{name}: factors do not make a range: expected 0 <= min_factor <= max_factor, "
            f"got min_factor={low}, max_factor={high}."
        )


@operator("_image_random_brightness", "_npx__image_random_brightness", source=SOURCE)
def random_brightness(data: Tensor, *, min_factor: float, max_factor: float, generator: Generator = None) -> Tensor:
    """An image (H, W, C) times a factor drawn from [min_factor, max_factor).

    uint8 stays in its range, fractions are cut off. The gradient is passed on as it is, as MXNet's. So it is for all
    random changes.

    Differs: a range the wrong way around is an error.

    Raises:
        InputError: `data` is not an image of 1 or 3 channels.
        AttributeValueError: The factors are negative or no range.
    """
    _check_factors("_image_random_brightness", min_factor, max_factor)
    return _coloured(
        "_image_random_brightness",
        data,
        lambda image: _with_brightness(image, _draw(image, min_factor, max_factor, generator)),
    )


@operator("_image_random_contrast", "_npx__image_random_contrast", source=SOURCE)
def random_contrast(data: Tensor, *, min_factor: float, max_factor: float, generator: Generator = None) -> Tensor:
    """An image (H, W, C) moved towards (factors below 1) or away from its mean brightness; see `random_brightness`."""
    _check_factors("_image_random_contrast", min_factor, max_factor)
    return _coloured(
        "_image_random_contrast",
        data,
        lambda image: _with_contrast(image, _draw(image, min_factor, max_factor, generator)),
    )


@operator("_image_random_saturation", "_npx__image_random_saturation", source=SOURCE)
def random_saturation(data: Tensor, *, min_factor: float, max_factor: float, generator: Generator = None) -> Tensor:
    """An image (H, W, C) times a factor, plus (1 - factor) times 0.114 of its blue; see `random_brightness`.

    The formula wants the gray image where MXNet has blue's share of it alone; nets trained with MXNet saw the latter.
    """
    _check_factors("_image_random_saturation", min_factor, max_factor)
    return _coloured(
        "_image_random_saturation",
        data,
        lambda image: _with_saturation(image, _draw(image, min_factor, max_factor, generator)),
    )


@operator("_image_random_hue", "_npx__image_random_hue", source=SOURCE)
def random_hue(data: Tensor, *, min_factor: float, max_factor: float, generator: Generator = None) -> Tensor:
    """An image (H, W, C) with its hues turned by a share of the circle from [min_factor, max_factor).

    Differs: an image of one channel has no hue and stays as it is, where MXNet leaves its result unwritten.
    """
    _check_factors("_image_random_hue", min_factor, max_factor)
    return _coloured(
        "_image_random_hue", data, lambda image: _with_hue(image, _draw(image, min_factor, max_factor, generator))
    )


@operator("_image_random_color_jitter", "_npx__image_random_color_jitter", source=SOURCE)
def random_color_jitter(
    data: Tensor, *, brightness: float, contrast: float, saturation: float, hue: float, generator: Generator = None
) -> Tensor:
    """Random brightness, contrast, saturation and hue in random order; 0 leaves one out.

    Factors are drawn from [1 - x, 1 + x), turns of the hue from [-hue, hue).

    Differs: where all are 0 the result is the image, where MXNet leaves its result unwritten.

    Raises:
        InputError: `data` is not an image of 1 or 3 channels.
        AttributeValueError: An attribute is negative.
    """
    name = "_image_random_color_jitter"
    widths = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
    for label, width in widths.items():
        if width < 0:
            raise AttributeValueError(
                f"{name}: attribute `{label}` has a wrong value: expected a number of at least 0, got {label}={width}."
            )
    changes = (_with_brightness, _with_contrast, _with_saturation, _with_hue)
    middles = (1.0, 1.0, 1.0, 0.0)
    order = range(4) if data.device.type == "meta" else _shuffled(4, generator)
    result = data.clone()
    for i in order:
        change, width, middle = changes[i], tuple(widths.values())[i], middles[i]
        if width > 0:
            factor = _draw(data, middle - width, middle + width, generator)
            result = _coloured(name, result, lambda image, c=change, f=factor: c(image, f))  # type: ignore[misc]
    return _coloured(name, result, lambda image: image)


def _shuffled(count: int, generator: Generator) -> list[int]:
    device = generator.device if generator is not None else None
    order: list[int] = torch.randperm(count, generator=generator, device=device).tolist()
    return order


def _lit(image: Tensor, alpha: Tensor) -> Tensor:
    if image.shape[2] == 1:
        return image
    weights = torch.tensor(_COMPONENTS, dtype=torch.float32, device=image.device)
    return image + (weights * alpha).sum(1)


_COMPONENTS = tuple(tuple(v * e for v, e in zip(row, EIGENVALUES, strict=True)) for row in EIGENVECTORS)


@operator("_image_random_lighting", "_npx__image_random_lighting", source=SOURCE)
def random_lighting(data: Tensor, *, alpha_std: float = 0.0500000007, generator: Generator = None) -> Tensor:
    """`_image_adjust_lighting` with three numbers from the normal distribution of deviation `alpha_std`."""

    def change(image: Tensor) -> Tensor:
        alpha = torch.empty(3, dtype=torch.float32, device=image.device)
        return _lit(image, alpha.normal_(0.0, abs(alpha_std), generator=generator))

    if not math.isfinite(alpha_std) or alpha_std < 0:
        raise AttributeValueError(
            "_image_random_lighting: attribute `alpha_std` has a wrong value: expected a number of at least 0, "
            f"got {alpha_std=}."
        )
    return _coloured("_image_random_lighting", data, change)


@operator("_image_adjust_lighting", "_npx__image_adjust_lighting", source=SOURCE)
def adjust_lighting(data: Tensor, *, alpha: Floats) -> Tensor:
    """An image (H, W, 3) plus `alpha` times the principal components of ImageNet's colours.

    Differs: an image of one channel stays as it is, where MXNet leaves its result unwritten.

    Raises:
        InputError: `data` is not an image of 1 or 3 channels.
        AttributeValueError: `alpha` is not three numbers.
    """
    _check_alpha(alpha)
    return _coloured(
        "_image_adjust_lighting",
        data,
        lambda image: _lit(image, torch.tensor(alpha, dtype=torch.float32, device=image.device)),
    )


def _check_alpha(alpha: Floats) -> None:
    if len(alpha) != 3:
        raise AttributeValueError(
            f"_image_adjust_lighting: attribute `alpha` has a wrong length: expected three numbers, got {alpha=}."
        )


@adjust_lighting.onnx
def _(g: GraphBuilder, data: Value, *, alpha: Floats) -> Value:
    _check_alpha(alpha)
    if g.dims(data)[2] == 1:
        return g.op("Identity", data)
    dtype = g.dtype(data)
    kind = dtype if dtype == "float64" else "float32"
    shift = (np.array(_COMPONENTS, np.float32) * np.array(alpha, np.float32)).sum(1)
    out = g.op("Add", g.cast(data, kind), g.const(shift, kind))
    if dtype == "uint8":
        out = g.op("Clip", out, g.scalar(0, out), g.scalar(255, out))
    elif not dtype.startswith("float"):
        out = g.cast(out, "int64")
    return g.cast(out, dtype)


for _op in (
    random_flip_left_right,
    random_flip_top_bottom,
    random_brightness,
    random_contrast,
    random_saturation,
    random_hue,
    random_color_jitter,
    random_lighting,
):
    _op.no_onnx(UNCHECKABLE)
