"""MXNet's indexing on torch tensors: basic, advanced and boolean, read and written."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import InputError


def read(data: Tensor, key: Any) -> Tensor:
    """Return `data[key]`.

    A slice of leading axes is a view (writing to it writes to `data`), anything else a copy. An index that leaves no
    axis gives shape (1,).

    Raises:
        IndexError: An index is out of bounds or there are too many.
        InputError: Something is not an index.

    Differs: an array of booleans selects where it is True, as in numpy; MXNet reads numpy's as the positions 0
    and 1 and refuses its own. Positions
    that are out of bounds are an error when written to, too; MXNet drops them.

    Source: MXNet 1.9.1, NDArray.__getitem__ by experiment.
    """
    if type(key) is int or is_basic(key):
        try:
            out = data[key]
        except (IndexError, ValueError):  # torch's words; the way below says it in ours
            out = _read(data, key)
    else:
        out = _read(data, key)
    if not out.is_contiguous():
        return out.contiguous()
    return out.reshape(1) if out.dim() == 0 and data.dim() > 0 else out


def _read(data: Tensor, key: Any) -> Tensor:
    normal, flips = _normalize(data, key)
    try:
        out = data[normal]
    except RuntimeError as err:
        raise IndexError(f"NDArray: {err}") from None
    return out.flip(flips) if flips else out


def is_basic(key: Any) -> bool:
    """Whether torch reads the key as MXNet does: ints and slices with a positive step."""
    kind = type(key)
    if kind is int:
        return True
    if kind is slice:
        step = key.step
        return (
            (step is None or (type(step) is int and step > 0)) and not _is_array(key.start) and not _is_array(key.stop)
        )
    return kind is tuple and key != () and all(type(part) in (int, slice) and is_basic(part) for part in key)


def write(data: Tensor, key: Any, value: Any) -> None:
    """Assign `value` (a number, tensor, numpy array or nested list) to `data[key]`.

    Raises:
        ValueError: The value cannot be broadcast to the shape of `data[key]`.
        IndexError: An index is out of bounds or there are too many.
    """
    if not isinstance(value, Tensor):
        if not isinstance(value, (int, float, bool, np.generic)):
            array = np.asarray(value)
            value = torch.as_tensor(array.copy() if any(step < 0 for step in array.strides) else array)
        else:
            value = value.item() if isinstance(value, np.generic) else value
            value = value if data.is_floating_point() else _wrapped(value, data.dtype)
    if isinstance(value, Tensor):
        value = value.to(data.device, data.dtype)
    normal, flips = _normalize(data, key)
    try:
        if flips:
            region = data[normal]
            shape = region.shape
            source = value if isinstance(value, Tensor) else torch.tensor(value, dtype=data.dtype, device=data.device)
            data[normal] = _drop_leading_ones(source, data, normal).expand(shape).flip(flips)
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


def _wrapped(number: float, dtype: torch.dtype) -> float:
    """The number that an integer dtype keeps, as C casts it: without its fraction, around at the ends."""
    if dtype is torch.bool or not math.isfinite(number):
        return number
    limits = torch.iinfo(dtype)
    whole = int(number)
    if limits.min <= whole <= limits.max:
        return whole
    return (whole - limits.min) % (limits.max - limits.min + 1) + limits.min


def _drop_leading_ones(value: Tensor, data: Tensor, key: Any) -> Tensor:
    """MXNet takes a value with extra leading axes of size 1, or (1,) for an index that leaves no axis."""
    rank = data[key].dim()
    while value.dim() > rank and value.shape[0] == 1:
        value = value[0]
    return value


def _normalize(data: Tensor, key: Any) -> tuple[Any, list[int]]:
    """Return a key that torch takes, and the result axes to flip for slices with a negative step."""
    if isinstance(key, slice) and is_basic(key):
        return key, []
    if isinstance(key, int):
        _check_bounds(key, 0, data)
        return int(key), []
    parts = key if isinstance(key, tuple) else (key,)
    if sum(part is Ellipsis for part in parts) > 1:
        raise IndexError("NDArray: several ellipses: expected at most one `...`, got more.")
    consumed = sum(0 if p is None or p is Ellipsis else _consumes(p) for p in parts)
    if consumed > data.dim():
        raise IndexError(f"NDArray: too many indices: expected at most {data.dim()}, got {consumed}.")
    has_arrays = any(not isinstance(p, (int, np.integer, np.bool_, slice, type(None), type(...))) for p in parts)
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
        elif isinstance(part, (int, np.integer, np.bool_)):
            _check_bounds(int(part), axis, data)
            # Beside an index array an int is one too, which decides where the result's axes go.
            part = torch.tensor([int(part)], device=data.device) if has_arrays else int(part)
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
    return 1


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
        values = np.asarray(part)
        if values.ndim == 0 or values.dtype.kind not in "biuf":
            raise InputError(
                "NDArray: not an index: expected ints, slices, `...`, None or arrays of ints or booleans, "
                f"got {part!r}."
            )
        tensor = torch.as_tensor(values)
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
