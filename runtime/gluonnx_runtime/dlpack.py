"""DLPack capsules read in place: pointer, shape, dtype and device of any library's array, without a copy.

ONNX Runtime's own reader refuses DLPack's bool and its writer calls bool uint8, hence this one.

Source: DLPack 0.8 `include/dlpack/dlpack.h` (`DLManagedTensor` and what it holds).
"""

import ctypes
from dataclasses import dataclass
from typing import Any

__all__ = ["DLPACK_CPU", "DLPACK_CUDA", "DLPACK_HOST_DEVICES", "CapsuleTensor", "mark_bool", "read_capsule"]

DLPACK_CPU = 1
DLPACK_CUDA = 2
DLPACK_CUDA_HOST = 3
DLPACK_CUDA_MANAGED = 13
DLPACK_HOST_DEVICES = frozenset({DLPACK_CPU, DLPACK_CUDA_HOST})
DLPACK_CUDA_DEVICES = frozenset({DLPACK_CUDA, DLPACK_CUDA_MANAGED})
DLPACK_BOOL_CODE = 6
CAPSULE_NAME = b"dltensor"

# (type code, bits) -> element type by ONNX name. Source: DLPack `DLDataTypeCode`.
ELEMENT_TYPES = {
    (0, 8): "int8",
    (0, 16): "int16",
    (0, 32): "int32",
    (0, 64): "int64",
    (1, 8): "uint8",
    (1, 16): "uint16",
    (1, 32): "uint32",
    (1, 64): "uint64",
    (2, 16): "float16",
    (2, 32): "float",
    (2, 64): "double",
    (4, 16): "bfloat16",
    (DLPACK_BOOL_CODE, 8): "bool",
}


class _Device(ctypes.Structure):
    _fields_ = (("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32))


class _DataType(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Tensor(ctypes.Structure):
    """The head of `DLManagedTensor`; its manager context and deleter follow, and stay the producer's business."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("ndim", ctypes.c_int32),
        ("dtype", _DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


@dataclass(frozen=True, slots=True)
class CapsuleTensor:
    """What a capsule says about its tensor. The memory lives as long as the capsule does."""

    pointer: int
    shape: tuple[int, ...]
    element_type: str
    device_type: int
    device_index: int
    is_contiguous: bool


def read_capsule(capsule: Any) -> CapsuleTensor:
    """Read a capsule that nobody has consumed, and leave it so.

    Raises:
        ValueError: It is no unconsumed DLPack capsule (of the unversioned kind).
    """
    tensor = _tensor(capsule)
    shape = tuple(tensor.shape[axis] for axis in range(tensor.ndim))
    dtype = tensor.dtype
    name = ELEMENT_TYPES.get((dtype.code, dtype.bits)) if dtype.lanes == 1 else None
    return CapsuleTensor(
        pointer=(tensor.data or 0) + tensor.byte_offset,
        shape=shape,
        element_type=name or f"DLPack type (code {dtype.code}, bits {dtype.bits}, lanes {dtype.lanes})",
        device_type=tensor.device.device_type,
        device_index=tensor.device.device_id,
        is_contiguous=_is_contiguous(tensor, shape),
    )


def mark_bool(capsule: Any) -> None:
    """Change the type code of a fresh capsule of one-byte elements to DLPack's bool."""
    _tensor(capsule).dtype.code = DLPACK_BOOL_CODE


def _tensor(capsule: Any) -> _Tensor:
    return _Tensor.from_address(_get_pointer(capsule, CAPSULE_NAME))


def _is_contiguous(tensor: _Tensor, shape: tuple[int, ...]) -> bool:
    if not tensor.strides or 0 in shape:
        return True
    expected = 1
    for axis in reversed(range(len(shape))):
        if shape[axis] != 1 and tensor.strides[axis] != expected:
            return False
        expected *= shape[axis]
    return True
