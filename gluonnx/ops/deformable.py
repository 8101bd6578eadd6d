"""Deformable convolution: each tap of the kernel is moved by an offset of its own.

Source: Dai et al. 2017, Deformable Convolutional Networks; Zhu et al. 2018, Deformable ConvNets v2.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.boxes import check_floats
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import no_effect, operator
from gluonnx.ops.weighted_rows import as_table, corners, padded_corners, sum_rows

Layout = Literal["NCDHW", "NCHW", "NCW"]

_WORKSPACE = no_effect("workspace", int, 1024)


@dataclass(frozen=True, slots=True)
class _Settings:
    """The attributes that both operators have, under their names."""

    kernel: Shape
    stride: Shape
    dilate: Shape
    pad: Shape
    num_filter: int
    num_group: int
    num_deformable_group: int
    no_bias: bool

    def check(self, name: str) -> None:
        """Raise AttributeValueError unless there are two positive sizes for everything."""
        sizes = f"kernel={self.kernel}, stride={self.stride}, dilate={self.dilate}, pad={self.pad}"
        if len(self.kernel) != 2 or any(len(v) not in (0, 2) for v in (self.stride, self.dilate, self.pad)):
            raise AttributeValueError(f"{name}: wrong number of axes: expected two sizes, got {sizes}.")
        positive = (*self.kernel, *self.stride, *self.dilate, self.num_group, self.num_deformable_group)
        if min(positive) < 1 or min(self.pad or (0,)) < 0:
            raise AttributeValueError(
                f"{name}: wrong sizes: expected positive ones, got {sizes}, num_group={self.num_group}, "
                f"num_deformable_group={self.num_deformable_group}."
            )


class _Kernel:
    """Where the taps of a kernel lie.

    Attributes:
        size, stride, dilate, pad: Of the two axes.
        out: Output size.
    """

    __slots__ = ("dilate", "out", "pad", "size", "stride")

    def __init__(self, name: str, image: tuple[int, int], settings: _Settings) -> None:
        self.size = settings.kernel
        self.stride, self.dilate, self.pad = (
            settings.stride or (1, 1),
            settings.dilate or (1, 1),
            settings.pad or (0, 0),
        )
        axes = zip(image, self.size, self.stride, self.dilate, self.pad, strict=True)
        self.out = tuple((extent + 2 * p - d * (k - 1) - 1) // s + 1 for extent, k, s, d, p in axes)
        if min(self.out) < 1:
            raise InputError(
                f"{name}: kernel is larger than the padded data: expected a positive output size, got {self.out} for "
                f"kernel={self.size}."
            )

    @property
    def taps(self) -> int:
        """Number of taps."""
        return math.prod(self.size)

    def places(self, axis: int) -> npt.NDArray[np.float32]:
        """Where taps lie on an axis: (kernel, output size)."""
        tap = np.arange(self.size[axis])[:, None] * self.dilate[axis]
        return (np.arange(self.out[axis]) * self.stride[axis] - self.pad[axis] + tap).astype(np.float32)

    def rows(self) -> npt.NDArray[np.float32]:
        """Row of each tap: (taps, output height, 1)."""
        return np.repeat(self.places(0), self.size[1], 0)[:, :, None]

    def columns(self) -> npt.NDArray[np.float32]:
        """Column of each tap: (taps, 1, output width)."""
        return np.tile(self.places(1), (self.size[0], 1))[:, None, :]


def _check(
    name: str,
    data: tuple[int | None, ...],
    offset: tuple[int | None, ...],
    mask: tuple[int | None, ...] | None,
    weight: tuple[int | None, ...],
    bias: tuple[int | None, ...] | None,
    settings: _Settings,
) -> _Kernel:
    settings.check(name)
    num_filter, num_group, groups = settings.num_filter, settings.num_group, settings.num_deformable_group
    if len(data) != 4:
        raise InputError(f"{name}: wrong rank of data: expected (N, C, H, W), got data={tuple(data)}.")
    count, channels, height, width = data
    if channels is None or height is None or width is None:
        raise LoweringError(f"{name}: needs a fixed size of data: expected ints, got data={tuple(data)}.")
    taps = _Kernel(name, (height, width), settings)
    wanted = {
        "offset": (offset, (count, 2 * groups * taps.taps, *taps.out)),
        "mask": (mask, (count, groups * taps.taps, *taps.out)),
        "weight": (weight, (num_filter, channels // num_group, *settings.kernel)),
        "bias": (bias, (num_filter,)),
    }
    divides = channels % num_group == 0 and channels % groups == 0 and num_filter % num_group == 0
    wrong = {k: (v, w) for k, (v, w) in wanted.items() if v is not None and tuple(v) != w}
    if wrong or not divides:
        expected = ", ".join(f"{k} {w}" for k, (_, w) in wrong.items()) or "channels that divide into groups"
        given = "".join(f", {k}={tuple(v)}" for k, (v, _) in wrong.items())
        raise InputError(
            f"{name}: inputs do not fit each other: expected {expected} for num_group={num_group}, "
            f"num_deformable_group={groups}, num_filter={num_filter}, got data={tuple(data)}{given}."
        )
    return taps


def _convolve(
    name: str,
    data: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    settings: _Settings,
) -> Tensor:
    """Convolve the samples that moved taps take; a `mask` goes with zeros around the image, none with its edge."""
    check_floats(name, data=data, offset=offset, weight=weight, **({} if mask is None else {"mask": mask}))
    shapes = [None if x is None else tuple(x.shape) for x in (mask, bias)]
    taps = _check(name, data.shape, offset.shape, shapes[0], weight.shape, shapes[1], settings)
    if data.device.type == "meta":
        return data.new_empty((data.shape[0], settings.num_filter, *taps.out))
    num_group, groups = settings.num_group, settings.num_deformable_group
    count, channels, height, width = data.shape
    moves = offset.reshape(count, groups, taps.taps, 2, *taps.out)
    if moves.dtype == torch.float16:
        moves = moves.float()
    y = moves[:, :, :, 0] + torch.as_tensor(taps.rows(), device=data.device)
    x = moves[:, :, :, 1] + torch.as_tensor(taps.columns(), device=data.device)
    if mask is None:
        pixels, weights = corners(y, x, height, width)
        inside = (y >= 0) & (x >= 0) & (y < height) & (x < width)
        weights = weights * inside.unsqueeze(-1)
    else:
        pixels, weights = padded_corners(y, x, height, width)
        weights = weights * mask.reshape(count, groups, taps.taps, *taps.out, 1)
    first = torch.arange(count * groups, device=data.device).view(count, groups, 1, 1, 1, 1) * (height * width)
    table = as_table(data.reshape(count * groups, channels // groups, height, width))
    samples = sum_rows(table, pixels + first, weights)
    # (N, groups, taps, H, W, C) to (N, num_group, C taps, H W), channels before taps as in the weight.
    columns = samples.permute(0, 1, 5, 2, 3, 4).reshape(
        count, num_group, channels // num_group * taps.taps, math.prod(taps.out)
    )
    out = torch.matmul(weight.view(num_group, weight.shape[0] // num_group, -1), columns)
    out = out.view(count, weight.shape[0], *taps.out)
    return out if bias is None else out + bias.view(1, -1, 1, 1)


def _parameters(name: str, data: tuple[int, ...], has_mask: bool, settings: _Settings) -> dict[str, tuple[int, ...]]:
    settings.check(name)
    if len(data) != 4:
        raise InputError(f"{name}: wrong rank of data: expected (N, C, H, W), got data={tuple(data)}.")
    shapes: dict[str, tuple[int, ...]] = {
        "weight": (settings.num_filter, data[1] // settings.num_group, *settings.kernel),
        "bias": (settings.num_filter,),
    }
    if all(data[2:]):
        taps = _Kernel(name, (data[2], data[3]), settings)
        groups = settings.num_deformable_group
        shapes["offset"] = (data[0], 2 * groups * taps.taps, *taps.out)
        if has_mask:
            shapes["mask"] = (data[0], groups * taps.taps, *taps.out)
    return shapes


@operator(
    "_contrib_DeformableConvolution",
    when={"bias": lambda attrs: not attrs["no_bias"]},
    no_effect=(_WORKSPACE, no_effect("layout", Layout | None, None)),
    source="MXNet 1.9.1 src/operator/contrib/deformable_convolution.cc",
)
def deformable_convolution(
    data: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    num_deformable_group: int = 1,
    no_bias: bool = False,
) -> Tensor:
    """Convolution of `data` (N, C, H, W) whose taps move, as `Convolution` otherwise.

    `offset` (N, 2 groups taps, out height, out width) holds row and column by which each tap moves at each place, for
    each of `num_deformable_group` groups of channels. A tap reads by bilinear interpolation; beyond the centers of the
    first row and column and the far edges of the last ones it reads 0, and between the last centers and their edges
    the last pixel.

    Raises:
        InputError: Shapes or dtypes do not fit each other.
        AttributeValueError: A size does not have two axes, or is not positive.
    """
    settings = _Settings(kernel, stride, dilate, pad, num_filter, num_group, num_deformable_group, no_bias)
    return _convolve("_contrib_DeformableConvolution", data, offset, None, weight, bias, settings)


@deformable_convolution.parameters
def _(data: tuple[int, ...], **attrs: Any) -> dict[str, tuple[int, ...]]:
    return _parameters("_contrib_DeformableConvolution", data, False, _Settings(**attrs))


@deformable_convolution.onnx
def _(
    g: GraphBuilder,
    data: Value,
    offset: Value,
    weight: Value,
    bias: Value | None = None,
    **attrs: Any,
) -> Value:
    settings = _Settings(**attrs)
    taps = _check(
        "_contrib_DeformableConvolution",
        g.dims(data),
        g.dims(offset),
        None,
        g.dims(weight),
        None if bias is None else g.dims(bias),
        settings,
    )
    num_deformable_group = settings.num_deformable_group
    # ONNX has zeros around the image: taps beyond are masked, those past the last center put onto it.
    height, width = g.dims(data)[2:]
    dtype = g.dtype(offset)
    split = g.op("Reshape", offset, g.ints([-1, num_deformable_group, taps.taps, 2, *taps.out]))
    moved, inside = [], None
    for axis, (size, place) in enumerate(((height, taps.rows()), (width, taps.columns()))):
        assert size is not None
        move = g.op("Gather", split, g.const(axis, "int64"), axis=3)
        base = g.const(place, dtype)
        position = g.op("Add", move, base)
        held = g.op(
            "And",
            g.op("GreaterOrEqual", position, g.scalar(0, position)),
            g.op("Less", position, g.scalar(size, position)),
        )
        inside = held if inside is None else g.op("And", inside, held)
        last = g.scalar(size - 1, position)
        kept = g.op("Where", g.op("Greater", position, last), g.op("Sub", last, base), move)
        moved.append(g.op("Unsqueeze", kept, g.ints([3])))
    assert inside is not None
    flat = g.ints([-1, 2 * num_deformable_group * taps.taps, *taps.out])
    new_offset = g.op("Reshape", g.op("Concat", *moved, axis=3), flat)
    mask = g.op("Reshape", g.cast(inside, dtype), g.ints([-1, num_deformable_group * taps.taps, *taps.out]))
    return _lower(g, data, weight, new_offset, bias, mask, taps, settings)


def _lower(
    g: GraphBuilder,
    data: Value,
    weight: Value,
    offset: Value,
    bias: Value | None,
    mask: Value,
    taps: _Kernel,
    settings: _Settings,
) -> Value:
    return g.op(
        "DeformConv",
        data,
        weight,
        offset,
        bias,
        mask,
        kernel_shape=taps.size,
        strides=taps.stride,
        dilations=taps.dilate,
        pads=[*taps.pad, *taps.pad],
        group=settings.num_group,
        offset_group=settings.num_deformable_group,
    )


@operator(
    "_contrib_ModulatedDeformableConvolution",
    when={"bias": lambda attrs: not attrs["no_bias"]},
    no_effect=(_WORKSPACE, no_effect("im2col_step", int, 64), no_effect("layout", Layout | None, None)),
    source="MXNet 1.9.1 src/operator/contrib/modulated_deformable_convolution.cc",
)
def modulated_deformable_convolution(
    data: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    num_deformable_group: int = 1,
    no_bias: bool = False,
) -> Tensor:
    """`_contrib_DeformableConvolution` whose taps are also weighted, with zeros around the image.

    `mask` (N, groups taps, out height, out width) is the weight of each tap at each place. A tap less than one pixel
    outside still reads part of the outermost pixel.

    Raises:
        InputError: Shapes or dtypes do not fit each other.
        AttributeValueError: A size does not have two axes, or is not positive.
    """
    settings = _Settings(kernel, stride, dilate, pad, num_filter, num_group, num_deformable_group, no_bias)
    return _convolve("_contrib_ModulatedDeformableConvolution", data, offset, mask, weight, bias, settings)


@modulated_deformable_convolution.parameters
def _(data: tuple[int, ...], **attrs: Any) -> dict[str, tuple[int, ...]]:
    return _parameters("_contrib_ModulatedDeformableConvolution", data, True, _Settings(**attrs))


@modulated_deformable_convolution.onnx
def _(
    g: GraphBuilder,
    data: Value,
    offset: Value,
    mask: Value,
    weight: Value,
    bias: Value | None = None,
    **attrs: Any,
) -> Value:
    settings = _Settings(**attrs)
    taps = _check(
        "_contrib_ModulatedDeformableConvolution",
        g.dims(data),
        g.dims(offset),
        g.dims(mask),
        g.dims(weight),
        None if bias is None else g.dims(bias),
        settings,
    )
    return _lower(g, data, weight, offset, bias, mask, taps, settings)
