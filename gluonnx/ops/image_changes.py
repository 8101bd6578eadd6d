"""Images (H, W, C) flipped and with their colours changed, as chance has it.

The caller passes the random generator of the device. For ONNX see `gluonnx.ops.random`.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops import draws
from gluonnx.ops.attributes import Floats
from gluonnx.ops.builder import GraphBuilder, Region, Value
from gluonnx.ops.dtypes import as_dtype
from gluonnx.ops.image import SOURCE, check_rank
from gluonnx.ops.random import Generator
from gluonnx.ops.table import Operator, operator

GRAY = (0.299, 0.587, 0.114)
"""Share of red, green and blue in brightness. Source: ITU-R BT.601."""
EIGENVALUES = (55.46, 4.794, 1.148)
EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
"""Principal components of ImageNet's colours. Source: Krizhevsky et al. 2012, as MXNet's image iterators have them."""


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
    check_rank(name, data.shape, (3,), "(H, W, C)")
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
    check_rank(name, data.shape, (3,), "(H, W, C)")
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


# ONNX. A Change takes the graph, an image in floats and one number drawn.

_Change = Callable[[GraphBuilder, Value, Value], Value]


def _lower_random_flip(g: GraphBuilder, data: Value, axis: int) -> Value:
    regions: list[Region] = []
    for is_flipped in (True, False):
        with g.region() as region:
            region.give([_lower_flip(g, data, axis) if is_flipped else data])
        regions.append(region)
    drawn = g.op("Less", draws.uniform(g, (1,), "float32"), g.const(0.5, "float32"))
    test = g.op("Reshape", drawn, g.ints([]))
    return g.op("If", test, then_branch=regions[0], else_branch=regions[1])


@random_flip_left_right.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return _lower_random_flip(g, data, 1)


@random_flip_top_bottom.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    return _lower_random_flip(g, data, 0)


def _lower_coloured(g: GraphBuilder, data: Value, change: _Change, drawn: Value) -> Value:
    """Change an image in floats; the result has its dtype again, as `saturated` makes it."""
    dtype = g.dtype(data)
    image = g.cast(data, "float64" if dtype == "float64" else "float32")
    out = change(g, image, g.cast(drawn, g.dtype(image)))
    if dtype == "uint8":
        out = g.op("Clip", out, g.scalar(0, out), g.scalar(255, out))
    elif not as_dtype(dtype).is_float:
        out = g.cast(out, "int64")
    return g.cast(out, dtype)


def _channels(g: GraphBuilder, image: Value) -> tuple[Value, ...]:
    """Return red, green and blue (H, W, 1), or the one channel there is."""
    count = g.dims(image)[2]
    return g.op_outputs("Split", 3, image, axis=2, num_outputs=3) if count == 3 else (image,)


def _lower_mix(g: GraphBuilder, image: Value, factor: Value, gray: Value) -> Value:
    rest = g.op("Sub", g.scalar(1, factor), factor)
    return g.op("Add", g.op("Mul", image, factor), g.op("Mul", rest, gray))


def _lower_brightness(g: GraphBuilder, image: Value, factor: Value) -> Value:
    return g.op("Mul", image, factor)


def _lower_contrast(g: GraphBuilder, image: Value, factor: Value) -> Value:
    channels = _channels(g, image)
    gray = image
    if len(channels) == 3:
        shares = [g.op("Mul", c, g.scalar(share, image)) for c, share in zip(channels, GRAY, strict=True)]
        gray = g.op("Add", g.op("Add", shares[0], shares[1]), shares[2])
    return _lower_mix(g, image, factor, g.op("ReduceMean", gray, keepdims=1))


def _lower_saturation(g: GraphBuilder, image: Value, factor: Value) -> Value:
    channels = _channels(g, image)
    if len(channels) == 1:
        return g.op("Identity", image)
    return _lower_mix(g, image, factor, g.op("Mul", channels[2], g.scalar(GRAY[2], image)))


def _lower_hue(g: GraphBuilder, image: Value, turn: Value) -> Value:
    """As `_with_hue`."""

    def const(number: float) -> Value:
        return g.scalar(number, image)

    channels = _channels(g, g.op("Div", image, const(255)))
    if len(channels) == 1:
        return g.op("Identity", image)
    red, green, blue = channels
    high, low = g.op("Max", *channels), g.op("Min", *channels)
    spread, total = g.op("Sub", high, low), g.op("Add", high, low)
    light = g.op("Mul", total, const(0.5))
    is_coloured = g.op("Greater", spread, const(torch.finfo(torch.float32).eps))
    safe = g.op("Where", is_coloured, spread, const(1))
    range_ = g.op("Where", g.op("Less", light, const(0.5)), total, g.op("Sub", g.op("Sub", const(2), high), low))
    saturation = g.op("Where", is_coloured, g.op("Div", safe, range_), const(0))
    step = g.op("Div", const(60), safe)

    def hue_from(first: Value, second: Value, start: float) -> Value:
        return g.op("Add", g.op("Mul", g.op("Sub", first, second), step), const(start))

    is_red, is_green = g.op("Equal", high, red), g.op("Equal", high, green)
    hue = g.op("Where", is_green, hue_from(blue, red, 120), hue_from(red, green, 240))
    hue = g.op("Where", is_red, hue_from(green, blue, 0), hue)
    hue = g.op("Where", g.op("Less", hue, const(0)), g.op("Add", hue, const(360)), hue)
    hue = g.op("Where", is_coloured, hue, const(0))
    turned = g.op("Mul", g.op("Add", hue, g.op("Mul", turn, const(360))), const(1 / 60))
    sixth = g.op("Sub", turned, g.op("Mul", const(6), g.op("Floor", g.op("Div", turned, const(6)))))
    sector = g.op("Clip", g.op("Floor", sixth), const(0), const(5))
    part = g.op("Sub", sixth, sector)
    strong = g.op("Mul", light, saturation)
    rest = g.op("Sub", g.op("Add", light, saturation), strong)
    upper = g.op("Where", g.op("LessOrEqual", light, const(0.5)), g.op("Add", light, strong), rest)
    lower = g.op("Sub", g.op("Mul", const(2), light), upper)
    width = g.op("Sub", upper, lower)
    falling = g.op("Add", lower, g.op("Mul", width, g.op("Sub", const(1), part)))
    rising = g.op("Add", lower, g.op("Mul", width, part))
    table = g.op("Concat", upper, lower, falling, rising, axis=2)
    sectors = g.op("Squeeze", g.cast(sector, "int64"), g.ints([2]))
    order = g.op("Gather", g.const(np.array(_SECTORS)), sectors)
    return g.op("Mul", g.op("GatherElements", table, order, axis=2), const(255))


def _declare_change(op: Operator, change: _Change) -> None:
    @op.onnx
    def _(g: GraphBuilder, data: Value, *, min_factor: float, max_factor: float) -> Value:
        return _lower_coloured(g, data, change, draws.uniform(g, (1,), "float32", min_factor, max_factor))


_declare_change(random_brightness, _lower_brightness)
_declare_change(random_contrast, _lower_contrast)
_declare_change(random_saturation, _lower_saturation)
_declare_change(random_hue, _lower_hue)


@random_color_jitter.onnx
def _(g: GraphBuilder, data: Value, *, brightness: float, contrast: float, saturation: float, hue: float) -> Value:
    kinds = (
        (_lower_brightness, brightness, 1.0),
        (_lower_contrast, contrast, 1.0),
        (_lower_saturation, saturation, 1.0),
        (_lower_hue, hue, 0.0),
    )
    changes = [(change, width, middle) for change, width, middle in kinds if width > 0]
    count = len(changes)
    if not count:
        return g.op("Identity", data)
    drawn = draws.uniform(g, (2 * count,), "float32")
    keys, numbers = g.op_outputs("Split", 2, drawn, g.ints([count, count]), axis=0)
    order = g.op_outputs("TopK", 2, keys, g.ints([count]))[1]
    factors = []
    for place, (_, width, middle) in enumerate(changes):
        number = g.op("Slice", numbers, g.ints([place]), g.ints([place + 1]))
        scaled = g.op("Mul", number, g.const(2 * width, "float32"))
        factors.append(g.op("Add", scaled, g.const(middle - width, "float32")))

    def changed(image: Value, which: Value, place: int) -> Value:
        """The change that `which` names, `place` or a later one."""
        change = changes[place][0]
        if place == count - 1:
            return _lower_coloured(g, image, change, factors[place])
        with g.region() as this:
            this.give([_lower_coloured(g, image, change, factors[place])])
        with g.region() as other:
            other.give([changed(image, which, place + 1)])
        return g.op("If", g.op("Equal", which, g.const(place, "int64")), then_branch=this, else_branch=other)

    with g.region() as region:
        step = region.input("int64", ())
        go_on = region.input("bool", ())
        image = region.input_like(data)
        region.give([go_on, changed(image, g.op("Gather", order, step), 0)])
    return g.op("Loop", g.const(count, "int64"), g.const(True), data, body=region)


def _lower_lit(g: GraphBuilder, image: Value, alpha: Value) -> Value:
    if g.dims(image)[2] == 1:
        return g.op("Identity", image)
    return g.op("Add", image, g.op("MatMul", g.const(np.array(_COMPONENTS), g.dtype(image)), alpha))


@random_lighting.onnx
def _(g: GraphBuilder, data: Value, *, alpha_std: float) -> Value:
    return _lower_coloured(g, data, _lower_lit, draws.normal(g, (3,), "float32", 0.0, abs(alpha_std)))


@adjust_lighting.onnx
def _(g: GraphBuilder, data: Value, *, alpha: Floats) -> Value:
    _check_alpha(alpha)
    return _lower_coloured(g, data, _lower_lit, g.const(alpha, "float32"))
