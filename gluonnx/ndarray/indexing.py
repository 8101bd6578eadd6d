"""MXNet's indexing on torch tensors: basic, advanced and boolean, read and written."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def read(data: Tensor, key: Any) -> Tensor:
    """Return `data[key]`.

    A slice of leading axes is a view (writing to it writes to `data`), anything else a copy. An index that leaves no
    axis gives shape (1,).

    Raises:
        IndexError: An index is out of bounds or there are too many.

    Source: MXNet 1.9.1, NDArray.__getitem__ by experiment.
    """
    normal, flips = _normalize(data, key)
    try:
        out = data[normal]
    except RuntimeError as err:
        raise IndexError(f"NDArray: {err}") from None
    if flips:
        out = out.flip(flips)
    if out.dim() == 0 and data.dim() > 0:
        out = out.reshape(1)
    return out if out.is_contiguous() else out.contiguous()


def write(data: Tensor, key: Any, value: Any) -> None:
    """Assign `value` (a number, tensor, numpy array or nested list) to `data[key]`.

    Raises:
        ValueError: The value cannot be broadcast to the shape of `data[key]`.
        IndexError: An index is out of bounds or there are too many.
    """
    if not isinstance(value, Tensor):
        if not isinstance(value, (int, float, bool, np.generic)):
            value = torch.as_tensor(np.asarray(value))
        elif isinstance(value, np.generic):
            value = value.item()
    if isinstance(value, Tensor):
        value = value.to(data.device, data.dtype)
    normal, flips = _normalize(data, key)
    try:
        if flips:
            region = data[normal]
            shape = region.shape
            source = value if isinstance(value, Tensor) else torch.tensor(value, dtype=data.dtype, device=data.device)
            data[normal] = source.expand(shape).flip(flips)
            return
        if isinstance(value, Tensor):
            value = _drop_leading_ones(value, data, normal)
        data[normal] = value
    except RuntimeError as err:
        given = tuple(value.shape) if isinstance(value, Tensor) else ()
        raise ValueError(
            f"NDArray: value does not fit: expected a shape that broadcasts to {tuple(data[normal].shape)}, "
            f"got shape={given}."
        ) from err


def _drop_leading_ones(value: Tensor, data: Tensor, key: Any) -> Tensor:
    """MXNet takes a value with extra leading axes of size 1, or (1,) for an index that leaves no axis."""
    rank = data[key].dim()
    while value.dim() > rank and value.shape[0] == 1:
        value = value[0]
    return value


def _normalize(data: Tensor, key: Any) -> tuple[Any, list[int]]:
    """Return a key that torch takes, and the result axes to flip for slices with a negative step."""
    if isinstance(key, slice) and key.step is None and not _is_array(key.start) and not _is_array(key.stop):
        return key, []
    if isinstance(key, int) and not isinstance(key, bool):
        _check_bounds(key, 0, data)
        return key, []
    parts = key if isinstance(key, tuple) else (key,)
    consumed = sum(0 if p is None or p is Ellipsis else _consumes(p) for p in parts)
    if consumed > data.dim():
        raise IndexError(f"NDArray: too many indices: expected at most {data.dim()}, got {consumed}.")
    normal: list[Any] = []
    flips: list[int] = []
    axis = out_axis = 0
    for part in parts:
        if part is Ellipsis:
            skipped = data.dim() - consumed
            axis += skipped
            out_axis += skipped
            normal.append(part)
            continue
        if part is None:
            out_axis += 1
            normal.append(part)
            continue
        if isinstance(part, slice):
            part, flip = _positive_slice(part, data.shape[axis])
            if flip:
                flips.append(out_axis)
            out_axis += 1
            axis += 1
        elif isinstance(part, (bool, np.bool_)):
            part = torch.tensor(bool(part))
        elif isinstance(part, (int, np.integer)):
            _check_bounds(int(part), axis, data)
            part = int(part)
            axis += 1
        else:
            part = _index_tensor(part, data, axis)
            axis += part.dim() if part.dtype is torch.bool else 1
            out_axis += 1
        normal.append(part)
    return (tuple(normal) if isinstance(key, tuple) else normal[0]), flips


def _is_array(value: Any) -> bool:
    return value is not None and not isinstance(value, int)


def _consumes(part: Any) -> int:
    tensor = getattr(part, "_t", part)
    dtype = getattr(tensor, "dtype", None)
    if dtype is torch.bool or dtype == np.bool_:
        return int(getattr(tensor, "ndim", 0))
    return 0 if isinstance(part, bool) else 1


def _positive_slice(part: slice, size: int) -> tuple[slice, bool]:
    """Return an equivalent slice with a positive step, and whether its result is to be flipped."""
    step = 1 if part.step is None else int(part.step)
    if step == 0:
        raise ValueError("NDArray: slice step cannot be zero: expected another step, got step=0.")
    start, stop, step = slice(_int(part.start), _int(part.stop), step).indices(size)
    if step > 0:
        return slice(start, stop, step), False
    count = len(range(start, stop, step))
    if count == 0:
        return slice(0, 0, 1), False
    last = start + (count - 1) * step
    return slice(last, start + 1, -step), True


def _int(value: Any) -> int | None:
    return None if value is None else int(value)


def _check_bounds(index: int, axis: int, data: Tensor) -> None:
    if data.dim() <= axis:
        raise IndexError(f"NDArray: too many indices: expected at most {data.dim()}, got {axis + 1}.")
    size = data.shape[axis]
    if not -size <= index < size:
        raise IndexError(f"NDArray: index {index} is out of bounds for axis {axis} with size {size}.")


def _index_tensor(part: Any, data: Tensor, axis: int) -> Tensor:
    tensor = getattr(part, "_t", None)
    if tensor is None:
        tensor = torch.as_tensor(np.asarray(part))
    tensor = tensor.detach().to(data.device)
    if tensor.dtype is torch.bool:
        return tensor
    tensor = tensor.to(torch.int64)
    if data.device.type == "cpu" and tensor.numel():
        size = data.shape[axis]
        low, high = int(tensor.min()), int(tensor.max())
        if low < -size or high >= size:
            wrong = high if high >= size else low
            raise IndexError(f"NDArray: index {wrong} is out of bounds for axis {axis} with size {size}.")
    return tensor
