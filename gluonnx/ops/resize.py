"""Changing the size of feature maps (N, C, H, W): interpolation, upsampling, adaptive pooling, cropping."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.table import Attrs, no_effect, operator

ResizeMode = Literal["like", "odd_scale", "size", "to_even_down", "to_even_up", "to_odd_down", "to_odd_up"]

MAX_EXACT_FACTOR = 40
"""Up to this factor torch's nearest interpolation, which computes places in float32, takes the right pixel.

Source: all places of maps of up to 20,000 pixels tried; 41 is the first factor that fails.
"""


def check_maps(name: str, argument: str, shape: Sequence[int | None]) -> None:
    """Raise InputError unless the shape is that of feature maps, (N, C, H, W)."""
    if len(shape) != 4:
        raise InputError(
            f"{name}: wrong rank of {argument}: expected 4 dimensions (N, C, H, W), got {argument}={tuple(shape)}."
        )


def fixed_sizes(g: GraphBuilder, name: str, data: Value) -> tuple[int, int]:
    """Return height and width of feature maps whose lowering needs them.

    Raises:
        LoweringError: They vary.
    """
    height, width = g.dims(data)[2:]
    if height is None or width is None:
        raise LoweringError(f"{name}: needs fixed spatial sizes: expected ints, got data={g.dims(data)}.")
    return height, width


def _resized(
    size: tuple[int, int],
    mode: str,
    height: int,
    width: int,
    scale_height: float | None,
    scale_width: float | None,
) -> tuple[int, int]:
    """Return the height and width that a mode other than `like` gives maps of this size."""
    name = "_contrib_BilinearResize2D"
    if (scale_height is None) != (scale_width is None) or (mode == "odd_scale" and scale_height is None):
        raise AttributeValueError(
            f"{name}: scales do not come alone: expected `scale_height` and `scale_width`, got {scale_height=}, "
            f"{scale_width=}."
        )
    scaled = scale_height is not None and scale_width is not None and mode in ("size", "odd_scale")
    result = []
    for extent, target, scale in zip(size, (height, width), (scale_height, scale_width), strict=True):
        is_even = extent % 2 == 0
        if scaled:
            assert scale is not None
            is_odd_scale = mode == "odd_scale" and not is_even
            result.append(int((extent - 1) * scale) + 1 if is_odd_scale else int(extent * scale))
        elif mode == "size":
            result.append(target)
        else:
            step = 1 if mode.endswith("up") else -1
            result.append(extent + (step if is_even == ("odd" in mode) else 0))
    if min(result) < 1:
        raise InputError(
            f"{name}: nothing is left: expected a height and width of at least 1, got {tuple(result)} from maps of "
            f"{size} with mode={mode!r}."
        )
    return result[0], result[1]


@operator(
    "_contrib_BilinearResize2D",
    when={"like": lambda attrs: attrs["mode"] == "like"},
    source="MXNet 1.9.1 src/operator/contrib/bilinear_resize-inl.h",
)
def bilinear_resize(
    data: Tensor,
    like: Tensor | None = None,
    *,
    height: int = 1,
    width: int = 1,
    scale_height: float | None = None,
    scale_width: float | None = None,
    mode: ResizeMode = "size",
    align_corners: bool = True,
) -> Tensor:
    """Bilinear interpolation of `data` (N, C, H, W) to another height and width.

    The mode `size` takes `height` and `width`, or the truncated products with both scales where they are given; `like`
    the size of the second input; `odd_scale` scales even sizes so and odd ones to `int((size - 1) scale) + 1`; the
    others go to the next even or odd size, up or down, from sizes that are not such. With `align_corners` the centres
    of corner pixels stay where they are, otherwise the outer edges. A single row or column is the first one. No
    gradient goes to `like`.

    Raises:
        InputError: An input has other than 4 dimensions, or nothing would be left.
        AttributeValueError: One scale without the other.
    """
    check_maps("_contrib_BilinearResize2D", "data", data.shape)
    if like is not None:
        check_maps("_contrib_BilinearResize2D", "like", like.shape)
        size = (like.shape[2], like.shape[3])
    else:
        _check_target(height, width)
        size = _resized((data.shape[2], data.shape[3]), mode, height, width, scale_height, scale_width)
    if 1 in size and not align_corners:
        data = data[:, :, : 1 if size[0] == 1 else None, : 1 if size[1] == 1 else None]
    return F.interpolate(data, size, mode="bilinear", align_corners=align_corners)


def _check_target(height: int, width: int) -> None:
    for name, value in (("height", height), ("width", width)):
        if value < 1:
            raise AttributeValueError(
                f"_contrib_BilinearResize2D: attribute `{name}` has a wrong value: expected at least 1, "
                f"got {name}={value}."
            )


@bilinear_resize.onnx
def _(
    g: GraphBuilder,
    data: Value,
    like: Value | None = None,
    *,
    height: int,
    width: int,
    scale_height: float | None,
    scale_width: float | None,
    mode: str,
    align_corners: bool,
) -> Value:
    name = "_contrib_BilinearResize2D"
    refuse_float64(g, name, data)
    leading = g.op("Shape", data, start=0, end=2)
    if like is not None:
        spatial = g.op("Shape", like, start=2, end=4)
        size: Sequence[int | None] = g.dims(like)[2:]
    else:
        if mode == "size" and scale_height is None and scale_width is None:
            size = height, width
        else:
            size = _resized(fixed_sizes(g, name, data), mode, height, width, scale_height, scale_width)
        spatial = g.ints([extent for extent in size if extent is not None])
    single = [axis for axis, extent in zip((2, 3), size, strict=True) if extent == 1]
    first = data
    if single and not align_corners:
        first = g.op("Slice", data, g.ints([0] * len(single)), g.ints([1] * len(single)), g.ints(single))
    return g.op(
        "Resize",
        first,
        None,
        None,
        g.op("Concat", leading, spatial, axis=0),
        mode="linear",
        coordinate_transformation_mode="align_corners" if align_corners else "half_pixel",
    )


def _kernel(scale: int) -> tuple[int, int]:
    """Return kernel size and padding of the transposed convolution that enlarges by `scale`."""
    return 2 * scale - scale % 2, scale // 2


def _named(attrs: Attrs) -> tuple[str, ...]:
    return ("data", "weight") if attrs.get("sample_type") == "bilinear" else ()


@operator(
    "UpSampling",
    view=True,
    count_attribute="num_args",
    named=_named,
    variable_init={"weight": '["bilinear", {}]'},
    no_effect=(no_effect("workspace", int, 512),),
    source="MXNet 1.9.1 src/operator/nn/upsampling-inl.h",
)
def up_sampling(
    *arg: Tensor,
    scale: int,
    num_filter: int = 0,
    sample_type: Literal["bilinear", "nearest"],
    multi_input_mode: Literal["concat", "sum"] = "concat",
) -> Tensor:
    """Enlarges maps (N, C, H, W) `scale` times.

    `nearest` repeats elements; any number of inputs is brought to the size of the first one, enlarged, and then joined
    along the channels or, with `multi_input_mode="sum"`, added. `bilinear` has the inputs `data` and `weight` (C, 1, K,
    K) with K = 2 scale - scale % 2 and is a transposed convolution of each of the `num_filter` = C channels; the
    initializer of `weight` is `Bilinear`.

    Raises:
        InputError: Ranks or shapes do not fit each other and the attributes.
    """
    if scale < 1:
        raise AttributeValueError(f"UpSampling: attribute `scale` has a wrong value: expected 1 or more, got {scale=}.")
    for index, data in enumerate(arg):
        check_maps("UpSampling", f"arg{index}", data.shape)
    if sample_type == "bilinear":
        data, weight = arg
        kernel, pad = _kernel(scale)
        channels = data.shape[1]
        if num_filter != channels or weight.shape != (channels, 1, kernel, kernel):
            raise InputError(
                f"UpSampling: inputs do not fit each other: expected num_filter={channels} and weight of shape "
                f"{(channels, 1, kernel, kernel)}, got num_filter={num_filter}, weight={tuple(weight.shape)}."
            )
        # An odd scale leaves scale // 2 at each end, an even one too; no output padding is needed.
        return F.conv_transpose2d(data, weight, stride=scale, padding=pad, groups=channels)
    factors = _factors([tuple(x.shape) for x in arg], scale)
    return _joined([_repeated(x, f) for x, f in zip(arg, factors, strict=True)], multi_input_mode)


def _repeated(data: Tensor, factor: int) -> Tensor:
    """Repeat every row and column."""
    if factor == 1:
        return data
    if factor <= MAX_EXACT_FACTOR:
        return F.interpolate(data, scale_factor=float(factor), mode="nearest")
    n, c, h, w = data.shape
    return data[:, :, :, None, :, None].expand(n, c, h, factor, w, factor).reshape(n, c, h * factor, w * factor)


def _factors(shapes: Sequence[tuple[int, ...]], scale: int) -> list[int]:
    """Return by how much each of the inputs is enlarged."""
    height, width = shapes[0][2] * scale, shapes[0][3] * scale
    factors = []
    for index, shape in enumerate(shapes):
        factor = height // shape[2] if shape[2] else scale
        if shape[2] * factor != height or shape[3] * factor != width:
            raise InputError(
                f"UpSampling: input is no whole fraction of the result: expected a size that goes into "
                f"{(height, width)} alike on both axes, got arg{index}={shape}."
            )
        factors.append(factor)
    return factors


def _joined(parts: Sequence[Tensor], multi_input_mode: str) -> Tensor:
    shapes = [tuple(p.shape) for p in parts]
    axes = (0,) if multi_input_mode == "concat" else (0, 1)
    if any(s[a] != shapes[0][a] for s in shapes for a in axes):
        raise InputError(
            f"UpSampling: inputs do not fit each other with multi_input_mode={multi_input_mode!r}: expected one "
            f"{'batch size' if multi_input_mode == 'concat' else 'batch size and number of channels'}, got {shapes}."
        )
    if len(parts) == 1:
        return parts[0]
    return torch.cat(list(parts), 1) if multi_input_mode == "concat" else torch.stack(list(parts)).sum(0)


@up_sampling.onnx
def _(g: GraphBuilder, *arg: Value, scale: int, sample_type: str, multi_input_mode: str) -> Value:
    refuse_float64(g, "UpSampling", arg[0])
    if sample_type == "bilinear":
        kernel, pad = _kernel(scale)
        return g.op(
            "ConvTranspose",
            arg[0],
            arg[1],
            kernel_shape=[kernel, kernel],
            strides=[scale, scale],
            pads=[pad] * 4,
            group=g.dims(arg[0])[1],
        )
    factors = [scale]
    if len(arg) > 1:
        factors = _factors([(0, 0, *fixed_sizes(g, "UpSampling", x)) for x in arg], scale)
    parts = [
        x
        if f == 1
        else g.op(
            "Resize",
            x,
            None,
            g.const(np.array([1, 1, f, f], np.float32)),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        for x, f in zip(arg, factors, strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    return g.op("Concat", *parts, axis=1) if multi_input_mode == "concat" else g.op("Sum", *parts)


@up_sampling.parameters
def _(data: tuple[int, ...], *, scale: int) -> dict[str, tuple[int, ...]]:
    kernel, _ = _kernel(scale)
    return {"weight": (data[1], 1, kernel, kernel)}


def _output_size(output_size: Shape) -> tuple[int, int]:
    if len(output_size) > 2 or min(output_size, default=1) < 0:
        raise AttributeValueError(
            "_contrib_AdaptiveAvgPooling2D: attribute `output_size` has a wrong value: expected one or two sizes from "
            f"0, got output_size={output_size}."
        )
    size = output_size or (1,)
    return size[0], size[-1]


@operator("_contrib_AdaptiveAvgPooling2D", source="MXNet 1.9.1 src/operator/contrib/adaptive_avg_pooling-inl.h")
def adaptive_average_pooling(data: Tensor, *, output_size: Shape = ()) -> Tensor:
    """Means of `data` (N, C, H, W) over a grid of `output_size` cells, one size for both axes or (height, width).

    Cell i of n covers floor(i size / n) to ceil((i + 1) size / n) of an axis; cells may overlap. No size means 1.

    Raises:
        InputError: `data` has other than 4 dimensions.
        AttributeValueError: More than two sizes.
    """
    check_maps("_contrib_AdaptiveAvgPooling2D", "data", data.shape)
    return F.adaptive_avg_pool2d(data, _output_size(output_size))


@adaptive_average_pooling.onnx
def _(g: GraphBuilder, data: Value, *, output_size: Shape) -> Value:
    name = "_contrib_AdaptiveAvgPooling2D"
    refuse_float64(g, name, data)
    target = _output_size(output_size)
    if target == (1, 1):
        return g.op("GlobalAveragePool", data)
    size = fixed_sizes(g, name, data)
    if all(n and extent % n == 0 for extent, n in zip(size, target, strict=True)):
        window = [extent // n for extent, n in zip(size, target, strict=True)]
        return g.op("AveragePool", data, kernel_shape=window, strides=window)
    # Rows, then columns: each a product with the matrix whose rows hold 1 / width of the cell over the cell.
    rows, columns = (_averages(extent, n) for extent, n in zip(size, target, strict=True))
    dtype = g.dtype(data)
    return g.op("MatMul", g.op("MatMul", g.const(rows, dtype), data), g.const(columns.T, dtype))


def _averages(size: int, cells: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    start = np.arange(cells) * size // max(cells, 1)
    end = -(-(np.arange(cells) + 1) * size // max(cells, 1))
    position = np.arange(size)
    inside = (position >= start[:, None]) & (position < end[:, None])
    return inside / (end - start)[:, None]


@operator("Crop", count_attribute="num_args", view=True, source="MXNet 1.9.1 src/operator/crop-inl.h")
def crop(*arg: Tensor, offset: Shape = (0, 0), h_w: Shape = (0, 0), center_crop: bool = False) -> Tensor:
    """A window of the maps `arg0` (N, C, H, W): of the size of `arg1`, a second input, or else `h_w`.

    It begins at `offset` or, with `center_crop`, lies in the middle. No gradient goes to `arg1`.

    Raises:
        InputError: More than two inputs, wrong ranks, or the window does not lie inside the maps.
    """
    if len(arg) > 2:
        raise InputError(f"Crop: too many inputs: expected 1 or 2, got {len(arg)}.")
    for index, data in enumerate(arg):
        check_maps("Crop", f"arg{index}", data.shape)
    data = arg[0]
    like = arg[1].shape[2:] if len(arg) == 2 else None
    top, left, height, width = _window(data.shape[2:], like, offset, h_w, center_crop)
    return data[:, :, top : top + height, left : left + width]


def _window(
    size: Sequence[int], like: Sequence[int] | None, offset: Shape, h_w: Shape, center_crop: bool
) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the window."""
    wanted = tuple(h_w if like is None else like)
    if len(wanted) != 2 or any(not 1 <= w <= s for w, s in zip(wanted, size, strict=True)):
        label = "h_w" if like is None else "the size of arg1"
        raise InputError(
            f"Crop: window is not inside the maps: expected a height and width from 1 to {tuple(size)}, "
            f"got {label}={wanted}."
        )
    room = tuple(s - w for s, w in zip(size, wanted, strict=True))
    start = tuple(r // 2 for r in room) if center_crop else tuple(offset)
    if len(start) != 2 or any(not 0 <= o <= r for o, r in zip(start, room, strict=True)):
        raise InputError(f"Crop: window is not inside the maps: expected an offset of 0 to {room}, got {offset=}.")
    return start[0], start[1], wanted[0], wanted[1]


@crop.onnx
def _(g: GraphBuilder, *arg: Value, offset: Shape, h_w: Shape, center_crop: bool) -> Value:
    size = fixed_sizes(g, "Crop", arg[0])
    like = fixed_sizes(g, "Crop", arg[1]) if len(arg) == 2 else None
    top, left, height, width = _window(size, like, offset, h_w, center_crop)
    return g.op("Slice", arg[0], g.ints([top, left]), g.ints([top + height, left + width]), g.ints([2, 3]))
