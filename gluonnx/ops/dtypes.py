"""The dtypes of MXNet 1.9.1, each with its torch, numpy and ONNX form and its code in MXNet's files."""

import math
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import torch

from gluonnx.errors import DTypeError


@dataclass(frozen=True, slots=True)
class DType:
    """One element type.

    Attributes:
        name: MXNet's (and numpy's) name.
        torch: The torch dtype.
        numpy: The numpy dtype (bfloat16 through ml_dtypes).
        onnx: `onnx.TensorProto.DataType` value.
        flag: Type flag in `.params` files. Source: MXNet 1.9.1 3rdparty/mshadow/mshadow/base.h, TypeFlag.
    """

    name: str
    torch: torch.dtype
    numpy: np.dtype[Any]
    onnx: int
    flag: int

    @property
    def is_float(self) -> bool:
        """Whether values are floating point."""
        return self.torch.is_floating_point


DTYPES: tuple[DType, ...] = (
    DType("float32", torch.float32, np.dtype(np.float32), 1, 0),
    DType("float64", torch.float64, np.dtype(np.float64), 11, 1),
    DType("float16", torch.float16, np.dtype(np.float16), 10, 2),
    DType("uint8", torch.uint8, np.dtype(np.uint8), 2, 3),
    DType("int32", torch.int32, np.dtype(np.int32), 6, 4),
    DType("int8", torch.int8, np.dtype(np.int8), 3, 5),
    DType("int64", torch.int64, np.dtype(np.int64), 7, 6),
    DType("bool", torch.bool, np.dtype(np.bool_), 9, 7),
    DType("int16", torch.int16, np.dtype(np.int16), 5, 8),
    DType("uint16", torch.uint16, np.dtype(np.uint16), 4, 9),
    DType("uint32", torch.uint32, np.dtype(np.uint32), 12, 10),
    DType("uint64", torch.uint64, np.dtype(np.uint64), 13, 11),
    DType("bfloat16", torch.bfloat16, np.dtype(ml_dtypes.bfloat16), 16, 12),
)

BY_NAME: dict[str, DType] = {d.name: d for d in DTYPES}
BY_TORCH: dict[torch.dtype, DType] = {d.torch: d for d in DTYPES}
BY_NUMPY: dict[np.dtype[Any], DType] = {d.numpy: d for d in DTYPES}
BY_ONNX: dict[int, DType] = {d.onnx: d for d in DTYPES}
_BY_NUMPY_NAME = {
    **{d.numpy.str[1:]: d for d in BY_NUMPY.values() if d.numpy.kind in "biuf"},
    **{name: BY_NUMPY[np.dtype(name)] for name in ("half", "single", "double", "float", "int")},
}
"""Dtypes by numpy's other names for them: `f4`, `half`, `double`."""


def as_dtype(value: Any) -> DType:
    """Return the dtype that `value` names: a name, a numpy or Python type, a torch dtype or a `DType`.

    Raises:
        DTypeError: Nothing in the table has this name.
    """
    if isinstance(value, str):
        found = BY_NAME.get(value) or _BY_NUMPY_NAME.get(value)
    elif isinstance(value, DType):
        return value
    elif isinstance(value, torch.dtype):
        found = BY_TORCH.get(value)
    else:
        try:
            found = BY_NUMPY.get(np.dtype(value))
        except TypeError:
            found = None
    if found is None:
        raise DTypeError(f"dtype: unknown dtype: expected one of {', '.join(BY_NAME)}, got {value!r}.")
    return found


def in_range(number: float, dtype: torch.dtype) -> float:
    """Return `number`, or infinity of its sign where the floating-point `dtype` does not reach so far."""
    return math.copysign(math.inf, number) if abs(number) > torch.finfo(dtype).max else number


def torch_dtype(name: str) -> torch.dtype:
    """Return the torch dtype of a canonical dtype name."""
    return BY_NAME[name].torch
