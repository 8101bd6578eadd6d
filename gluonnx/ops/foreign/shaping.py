"""ONNX operators that give, change and read shapes."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.foreign.table import dtype_of, integers, onnx_operator


@onnx_operator("Constant")
def constant(*, value: "np.ndarray[Any, Any]") -> Tensor:
    """A constant array, on the CPU."""
    return as_tensor(value)


def as_tensor(value: "np.ndarray[Any, Any]") -> Tensor:
    """Return a copy of an array as a tensor."""
    if value.dtype.name == "bfloat16":
        return torch.from_numpy(value.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(np.ascontiguousarray(value).copy()).reshape(value.shape)


@onnx_operator("ConstantOfShape", values="shape")
def constant_of_shape(shape: Tensor, *, value: "np.ndarray[Any, Any] | None" = None) -> Tensor:
    """An array of one value; float32 0 without `value`."""
    single = torch.zeros(1) if value is None else as_tensor(value)
    return single.reshape(()).expand(integers(shape)).clone()


@onnx_operator("Shape")
def shape_of(data: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    """The shape, from axis `start` to before `end`, on the CPU."""
    return torch.tensor(data.shape[start:end], dtype=torch.int64)


@onnx_operator("Size")
def size_of(data: Tensor) -> Tensor:
    """The number of elements, on the CPU."""
    return torch.tensor(data.numel(), dtype=torch.int64)


@onnx_operator("Reshape", values="shape")
def reshape(data: Tensor, shape: Tensor, *, allowzero: int = 0) -> Tensor:
    """To a shape; -1 is what is left, 0 the same dimension of the input (without `allowzero`)."""
    wanted = integers(shape)
    if not allowzero:
        wanted = [data.shape[i] if d == 0 else d for i, d in enumerate(wanted)]
    if -1 in wanted and 0 in wanted:
        raise InputError(f"Reshape: -1 beside 0: expected one that follows, got shape={wanted}.")
    return data.reshape(wanted)


@onnx_operator("Flatten")
def flatten(data: Tensor, *, axis: int = 1) -> Tensor:
    """To a matrix: the axes before `axis`, and the others."""
    place = axis if axis >= 0 else axis + data.dim()
    return data.reshape(math.prod(data.shape[:place]), math.prod(data.shape[place:]))


@onnx_operator("Squeeze", values="axes")
def squeeze(data: Tensor, axes: Tensor | None = None) -> Tensor:
    """Without axes of size 1: those named, or all."""
    if axes is None:
        return data.squeeze()
    gone = {a % data.dim() for a in integers(axes)}
    if any(data.shape[a] != 1 for a in gone):
        raise InputError(f"Squeeze: axes are not of size 1: expected such, got axes={sorted(gone)}.")
    return data.reshape([d for i, d in enumerate(data.shape) if i not in gone])


@onnx_operator("Unsqueeze", values="axes")
def unsqueeze(data: Tensor, axes: Tensor) -> Tensor:
    """With new axes of size 1, counted in the output."""
    given = integers(axes)
    rank = data.dim() + len(given)
    new = {a % rank for a in given}
    rest = iter(data.shape)
    return data.reshape([1 if i in new else next(rest) for i in range(rank)])


@onnx_operator("Transpose")
def transpose(data: Tensor, *, perm: list[int] | None = None) -> Tensor:
    """Axes in another order; reversed without `perm`."""
    return data.permute(perm if perm is not None else list(range(data.dim()))[::-1])


@onnx_operator("Expand", values="shape")
def expand(data: Tensor, shape: Tensor) -> Tensor:
    """Broadcast with a shape."""
    return data.expand(np.broadcast_shapes(tuple(data.shape), tuple(integers(shape))))


@onnx_operator("Tile", values="repeats")
def tile(data: Tensor, repeats: Tensor) -> Tensor:
    """Repeated along each axis."""
    return data.repeat(integers(repeats)) if data.dim() else data


@onnx_operator("Concat")
def concat(*data: Tensor, axis: int) -> Tensor:
    """Joined along an axis."""
    return torch.cat(data, axis)


@onnx_operator("Split", values="split")
def split(
    data: Tensor, split: Tensor | None = None, *, axis: int = 0, num_outputs: int | None = None, output_count: int
) -> tuple[Tensor, ...]:
    """Parts along an axis: of the sizes given, or equal ones, the last smaller."""
    if split is not None:
        return torch.split(data, integers(split), axis)
    count = num_outputs or output_count
    length = -(-data.shape[axis] // count)
    sizes = [min(length, max(0, data.shape[axis] - i * length)) for i in range(count)]
    return torch.split(data, sizes, axis)


@onnx_operator("Slice", values="starts ends axes steps")
def slice_(
    data: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
) -> Tensor:
    """From start to before end in steps, along axes; negative positions count from the end, steps may be negative."""
    first, last = integers(starts), integers(ends)
    over = list(range(len(first))) if axes is None else integers(axes)
    by = [1] * len(first) if steps is None else integers(steps)
    for axis, start, end, step in zip(over, first, last, by, strict=True):
        size = data.shape[axis]
        chosen = range(size)[slice(start, end, step)]
        if step == 1:
            data = data.narrow(axis, chosen.start if len(chosen) else 0, len(chosen))
        elif step > 0:
            index: list[Any] = [slice(None)] * data.dim()
            index[axis] = slice(chosen.start, chosen.stop, step)
            data = data[tuple(index)]
        else:
            data = data.index_select(axis, torch.tensor(list(chosen), dtype=torch.int64, device=data.device))
    return data


@onnx_operator("Pad", values="pads axes")
def pad(
    data: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None, *, mode: str = "constant"
) -> Tensor:
    """More at the ends of axes: a constant, the edge, mirrored or from the other end; less where negative."""
    amounts = integers(pads)
    over = list(range(data.dim())) if axes is None else [a % data.dim() for a in integers(axes)]
    count = len(over)
    for place, axis in enumerate(over):
        before, after = amounts[place], amounts[place + count]
        if mode == "constant":
            continue
        size = data.shape[axis]
        index = torch.arange(-before, size + after, device=data.device)
        if mode == "edge":
            index = index.clamp(0, size - 1)
        elif mode == "wrap":
            index = index % size
        elif size == 1:
            index = torch.zeros_like(index)
        else:
            index = index % (2 * size - 2)
            index = torch.minimum(index, 2 * size - 2 - index)
        data = data.index_select(axis, index)
    if mode != "constant":
        return data
    pairs = [(0, 0)] * data.dim()
    for place, axis in enumerate(over):
        pairs[axis] = (amounts[place], amounts[place + count])
    widths = [w for pair in reversed(pairs) for w in pair]
    if value is None or value.device.type == "meta":
        return F.pad(data, widths)
    number: Any = value.reshape(-1)[0].item()
    if data.dtype is torch.bool:
        return F.pad(data.to(torch.uint8), widths, value=int(number)).to(torch.bool)
    return F.pad(data, widths, value=number)


@onnx_operator("Range", values="start limit delta")
def range_(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """From start to before limit by delta."""
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


@onnx_operator("EyeLike")
def eye_like(data: Tensor, *, dtype: int | None = None, k: int = 0) -> Tensor:
    """Ones on a diagonal of a matrix of this shape."""
    rows = torch.arange(data.shape[0], device=data.device)[:, None]
    columns = torch.arange(data.shape[1], device=data.device)[None, :]
    return (columns - rows == k).to(data.dtype if dtype is None else dtype_of(dtype))


@onnx_operator("Trilu", values="k")
def trilu(data: Tensor, k: Tensor | None = None, *, upper: int = 1) -> Tensor:
    """The upper or lower triangle of each matrix, zeros elsewhere."""
    offset = 0 if k is None else int(k)
    return torch.triu(data, offset) if upper else torch.tril(data, offset)


@onnx_operator("DepthToSpace")
def depth_to_space(data: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """Channels to blocks of the image."""
    n, c, h, w = data.shape
    b = blocksize
    if mode == "DCR":
        parts = data.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        parts = data.reshape(n, c // (b * b), b, b, h, w).permute(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // (b * b), h * b, w * b)


@onnx_operator("SpaceToDepth")
def space_to_depth(data: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """Blocks of the image to channels."""
    n, c, h, w = data.shape
    b = blocksize
    if mode == "CRD":
        parts = data.reshape(n, c, h // b, b, w // b, b).permute(0, 1, 3, 5, 2, 4)
        return parts.reshape(n, c * b * b, h // b, w // b)
    return data.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


@onnx_operator("ReverseSequence")
def reverse_sequence(data: Tensor, lengths: Tensor, *, batch_axis: int = 1, time_axis: int = 0) -> Tensor:
    """The first so many elements along the time axis reversed, for each element of the batch."""
    steps = torch.arange(data.shape[time_axis], device=data.device)
    count = lengths.to(data.device)[:, None]
    index = torch.where(steps < count, count - 1 - steps, steps)
    shape = [1] * data.dim()
    shape[batch_axis], shape[time_axis] = index.shape
    if batch_axis > time_axis:
        index = index.T
    return data.gather(time_axis, index.reshape(shape).expand(data.shape))


@onnx_operator("CenterCropPad", values="shape")
def center_crop_pad(data: Tensor, shape: Tensor, *, axes: list[int] | None = None) -> Tensor:
    """Cropped or padded with zeros to a size, around the centre."""
    over = list(range(data.dim())) if axes is None else [a % data.dim() for a in axes]
    widths = [0] * (2 * data.dim())
    for axis, wanted in zip(over, integers(shape), strict=True):
        size = data.shape[axis]
        if wanted <= size:
            data = data.narrow(axis, (size - wanted) // 2, wanted)
        else:
            before = (wanted - size) // 2
            place = 2 * (data.dim() - 1 - axis)
            widths[place], widths[place + 1] = before, wanted - size - before
    return F.pad(data, widths)
