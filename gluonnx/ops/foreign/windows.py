"""ONNX operators that slide a window over the spatial axes: convolutions and pooling."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.foreign.images import gathered
from gluonnx.ops.foreign.table import integers, onnx_operator

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _spatial(name: str, data: Tensor) -> int:
    rank = data.dim() - 2
    if not 1 <= rank <= 3:
        raise InputError(f"{name}: wrong rank: expected 1 to 3 spatial axes, got shape {tuple(data.shape)}.")
    return rank


def pads_of(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int] | None,
    auto_pad: str,
) -> list[tuple[int, int]]:
    """Return how much an operator pads each spatial axis, before and after."""
    rank = len(sizes)
    if auto_pad in ("NOTSET", "") and pads is not None:
        return [(pads[i], pads[i + rank]) for i in range(rank)]
    if auto_pad in ("NOTSET", "", "VALID"):
        return [(0, 0)] * rank
    found = []
    for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        less = total // 2
        found.append((less, total - less) if auto_pad == "SAME_UPPER" else (total - less, less))
    return found


def _widths(pairs: Sequence[tuple[int, int]]) -> list[int]:
    return [w for pair in reversed(pairs) for w in pair]


@onnx_operator("Conv")
def conv(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Convolution."""
    rank = _spatial("Conv", data)
    step, spread = strides or [1] * rank, dilations or [1] * rank
    pairs = pads_of(data.shape[2:], weight.shape[2:], step, spread, pads, auto_pad)
    if all(a == b >= 0 for a, b in pairs):
        return _CONVOLUTIONS[rank](data, weight, bias, step, [a for a, _ in pairs], spread, group)
    return _CONVOLUTIONS[rank](F.pad(data, _widths(pairs)), weight, bias, step, 0, spread, group)


@onnx_operator("ConvTranspose")
def conv_transpose(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    output_padding: list[int] | None = None,
    output_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """The transpose of a convolution."""
    rank = _spatial("ConvTranspose", data)
    step, spread, extra = strides or [1] * rank, dilations or [1] * rank, output_padding or [0] * rank
    full = [
        (size - 1) * s + (k - 1) * d + 1
        for size, k, s, d in zip(data.shape[2:], weight.shape[2:], step, spread, strict=True)
    ]
    wanted = output_shape[-rank:] if output_shape else None
    if wanted is None and auto_pad.startswith("SAME"):
        wanted = [size * s for size, s in zip(data.shape[2:], step, strict=True)]
    if wanted is not None:
        pairs = []
        for length, more, out in zip(full, extra, wanted, strict=True):
            total = max(length + more - out, 0) if output_shape is None else length + more - out
            less = total // 2
            pairs.append((less, total - less) if auto_pad == "SAME_UPPER" else (total - less, less))
    else:
        pairs = pads_of(data.shape[2:], weight.shape[2:], step, spread, pads, auto_pad)
    result = _TRANSPOSED[rank](data, weight, None, step, 0, 0, group, spread)
    cut = [(-a, more - b) for (a, b), more in zip(pairs, extra, strict=True)]
    if any(w for pair in cut for w in pair):
        result = F.pad(result, _widths(cut))
    return result if bias is None else result + bias.reshape(-1, *[1] * rank)


@onnx_operator("DeformConv")
def deform_conv(
    data: Tensor,
    weight: Tensor,
    offset: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    offset_group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Convolution of two spatial axes whose taps lie at positions that `offset` moves, times `mask`."""
    n, c, h, w = data.shape
    out_channels, per_group, kh, kw = weight.shape
    step, spread, around = strides or [1, 1], dilations or [1, 1], pads or [0, 0, 0, 0]
    out_h, out_w = offset.shape[2:]
    taps = kh * kw
    moved = offset.reshape(n, offset_group, taps, 2, out_h, out_w)
    device, dtype = data.device, data.dtype
    ky, kx = torch.arange(kh, device=device) * spread[0], torch.arange(kw, device=device) * spread[1]
    base_y = ky.repeat_interleave(kw)[:, None, None] + torch.arange(out_h, device=device)[:, None] * step[0] - around[0]
    base_x = kx.repeat(kh)[:, None, None] + torch.arange(out_w, device=device)[None, :] * step[1] - around[1]
    y, x = moved[:, :, :, 0] + base_y, moved[:, :, :, 1] + base_x
    images = data.reshape(n * offset_group, c // offset_group, h, w)
    y, x = (p.reshape(n * offset_group, taps * out_h, out_w).to(dtype) for p in (y, x))
    low_y, low_x = y.floor(), x.floor()
    sampled = data.new_zeros((n * offset_group, c // offset_group, taps * out_h, out_w))
    for dy, dx in itertools.product((0, 1), (0, 1)):
        weights = (1 - (y - low_y - dy).abs()) * (1 - (x - low_x - dx).abs())
        sampled = sampled + gathered(images, [low_y + dy, low_x + dx]) * weights.unsqueeze(1)
    sampled = sampled.reshape(n, offset_group, c // offset_group, taps, out_h, out_w)
    if mask is not None:
        sampled = sampled * mask.reshape(n, offset_group, 1, taps, out_h, out_w)
    columns = sampled.reshape(n, group, per_group * taps, out_h * out_w)
    result = weight.reshape(1, group, out_channels // group, per_group * taps) @ columns
    result = result.reshape(n, out_channels, out_h, out_w)
    return result if bias is None else result + bias[:, None, None]


class _Window:
    """Where the windows of a pooling operator lie."""

    def __init__(
        self,
        name: str,
        data: Tensor,
        kernel: Sequence[int],
        strides: Sequence[int] | None,
        dilations: Sequence[int] | None,
        pads: Sequence[int] | None,
        auto_pad: str,
        ceil_mode: int,
    ) -> None:
        self.rank = rank = _spatial(name, data)
        self.kernel = list(kernel)
        self.strides = list(strides or [1] * rank)
        self.dilations = list(dilations or [1] * rank)
        self.pads = pads_of(data.shape[2:], kernel, self.strides, self.dilations, pads, auto_pad)
        self.extra: list[tuple[int, int]] = []
        for size, k, s, d, (a, b) in zip(
            data.shape[2:], self.kernel, self.strides, self.dilations, self.pads, strict=True
        ):
            reach = (k - 1) * d + 1
            room = size + a + b - reach
            count = (-(-room // s) if ceil_mode else room // s) + 1
            if ceil_mode and (count - 1) * s >= size + a:
                count -= 1
            self.extra.append((0, max((count - 1) * s + reach - (size + a + b), 0)))

    @property
    def is_simple(self) -> bool:
        """Whether torch pads as much on both sides, and at most half a window."""
        return all(e == (0, 0) for e in self.extra) and all(
            a == b and 2 * a <= k for (a, b), k in zip(self.pads, self.kernel, strict=True)
        )

    def padded(self, data: Tensor, value: float) -> Tensor:
        """Return the data with everything that windows reach."""
        pairs = [(a, b + more) for (a, b), (_, more) in zip(self.pads, self.extra, strict=True)]
        return F.pad(data, _widths(pairs), value=value) if any(w for p in pairs for w in p) else data

    def sums(self, data: Tensor) -> Tensor:
        """Return the sum over each window of data that is padded."""
        if all(d == 1 for d in self.dilations):
            return _AVERAGE_POOLS[self.rank](data, self.kernel, self.strides) * math.prod(self.kernel)
        n, c = data.shape[:2]
        ones = data.new_ones((1, 1, *self.kernel))
        flat = data.reshape(n * c, 1, *data.shape[2:])
        result = _CONVOLUTIONS[self.rank](flat, ones, None, self.strides, 0, self.dilations)
        return result.reshape(n, c, *result.shape[2:])


@onnx_operator("MaxPool")
def max_pool(
    data: Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    storage_order: int = 0,
    strides: list[int] | None = None,
    output_count: int,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest of each window, and its index in the flat input."""
    window = _Window("MaxPool", data, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    pool = _MAX_POOLS[window.rank]
    is_float = data.is_floating_point()
    given = data if is_float else data.to(torch.float64 if data.dtype is torch.int64 else torch.float32)
    if output_count == 1:
        if window.is_simple:
            result = pool(given, window.kernel, window.strides, [a for a, _ in window.pads], window.dilations)
        else:
            result = pool(window.padded(given, -torch.inf), window.kernel, window.strides, 0, window.dilations)
        return result if is_float else result.to(data.dtype)
    wide = window.padded(given, -torch.inf)
    values, places = pool(wide, window.kernel, window.strides, 0, window.dilations, return_indices=True)
    position: list[Tensor] = []
    for axis in reversed(range(window.rank)):
        size = wide.shape[2 + axis]
        position.insert(0, places % size - window.pads[axis][0])
        places = places // size
    order = range(window.rank) if not storage_order else reversed(range(window.rank))
    flat = torch.zeros_like(position[0])
    for axis in order:
        flat = flat * data.shape[2 + axis] + position[axis]
    n, c = data.shape[:2]
    image = torch.arange(n * c, device=data.device).reshape(n, c, *[1] * window.rank)
    indices = flat + image * math.prod(data.shape[2:])
    return (values if is_float else values.to(data.dtype)), indices


@onnx_operator("AveragePool")
def average_pool(
    data: Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """The mean of each window, of what is padding too if asked for."""
    window = _Window("AveragePool", data, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    if window.is_simple and all(d == 1 for d in window.dilations):
        around = [a for a, _ in window.pads]
        return _AVERAGE_POOLS[window.rank](
            data, window.kernel, window.strides, around, count_include_pad=bool(count_include_pad)
        )
    ones = data.new_ones((1, 1, *data.shape[2:]))
    if count_include_pad:
        ones = F.pad(ones, _widths(window.pads), value=1.0)
        ones = F.pad(ones, _widths(window.extra))
    else:
        ones = window.padded(ones, 0.0)
    return window.sums(window.padded(data, 0.0)) / window.sums(ones)


@onnx_operator("LpPool")
def lp_pool(
    data: Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    p: int = 2,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """The p-norm of each window."""
    window = _Window("LpPool", data, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    return window.sums(window.padded(data.abs() ** p, 0.0)) ** (1 / p)


@onnx_operator("GlobalAveragePool")
def global_average_pool(data: Tensor) -> Tensor:
    """The mean over the spatial axes."""
    return data.mean(list(range(2, data.dim())), keepdim=True)


@onnx_operator("GlobalMaxPool")
def global_max_pool(data: Tensor) -> Tensor:
    """The maximum over the spatial axes."""
    return data.amax(list(range(2, data.dim())), keepdim=True)


@onnx_operator("GlobalLpPool")
def global_lp_pool(data: Tensor, *, p: int = 2) -> Tensor:
    """The p-norm over the spatial axes."""
    norm: Tensor = torch.linalg.vector_norm(data, p, list(range(2, data.dim())), keepdim=True)
    return norm


@onnx_operator("MaxUnpool", values="output_shape")
def max_unpool(
    data: Tensor,
    indices: Tensor,
    output_shape: Tensor | None = None,
    *,
    kernel_shape: list[int],
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Elements at the places where a MaxPool found them, zeros elsewhere."""
    rank = _spatial("MaxUnpool", data)
    step, around = strides or [1] * rank, pads or [0] * (2 * rank)
    inferred = [
        (size - 1) * s + k - around[i] - around[i + rank]
        for i, (size, s, k) in enumerate(zip(data.shape[2:], step, kernel_shape, strict=True))
    ]
    small = (*data.shape[:2], *inferred)
    shape = small if output_shape is None else tuple(integers(output_shape))
    count = math.prod(small)
    flat = data.new_zeros(count).scatter(0, indices.reshape(-1), data.reshape(-1)).reshape(small)
    return F.pad(flat, _widths([(0, b - a) for a, b in zip(small[2:], shape[2:], strict=True)]))


@onnx_operator("Col2Im", values="image_shape block_shape")
def col2im(
    data: Tensor,
    image_shape: Tensor,
    block_shape: Tensor,
    *,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Overlapping blocks summed into an image."""
    image, block = integers(image_shape), integers(block_shape)
    rank = len(image)
    step, spread, around = strides or [1] * rank, dilations or [1] * rank, pads or [0] * (2 * rank)
    full = [size + around[i] + around[i + rank] for i, size in enumerate(image)]
    counts = [(size - (k - 1) * d - 1) // s + 1 for size, k, d, s in zip(full, block, spread, step, strict=True)]
    n, c = data.shape[0], data.shape[1] // math.prod(block)
    columns = data.reshape(n, c, *block, *counts)
    result = data.new_zeros((n, c, *full))
    for tap in itertools.product(*(range(k) for k in block)):
        places: Any = tuple(
            slice(t * d, t * d + (m - 1) * s + 1, s) for t, d, m, s in zip(tap, spread, counts, step, strict=True)
        )
        source: Any = (slice(None), slice(None), *tap)
        moved = torch.zeros_like(result)
        moved[(slice(None), slice(None), *places)] = columns[source]
        result = result + moved
    inside = tuple(slice(around[i], around[i] + size) for i, size in enumerate(image))
    return result[(slice(None), slice(None), *inside)]
