"""Tensors at the edge of a session: what the model declares, what the caller passes, what comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from .backend import ort
from .devices import CPU, Device
from .dlpack import DLPACK_CPU, DLPACK_CUDA, DLPACK_CUDA_DEVICES, DLPACK_HOST_DEVICES, mark_bool, read_capsule
from .errors import SessionInputError

__all__ = [
    "ArrayLike",
    "Memory",
    "OutputTensor",
    "SupportsDLPack",
    "TensorInfo",
    "host_array",
    "initializer_value",
    "memory_of",
]


@runtime_checkable
class SupportsDLPack(Protocol):
    """Any library's array that speaks DLPack: torch, CuPy, JAX, numpy, gluonnx."""

    def __dlpack__(self, *, stream: Any = None) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


ArrayLike: TypeAlias = npt.NDArray[Any] | SupportsDLPack | Any
"""A numpy array, anything with `__dlpack__`, or anything with `__array__`."""

# ONNX element type -> (TensorProto.DataType code, numpy name or None where numpy has no such type).
# Source: onnx.proto3, TensorProto.DataType; names as ONNX Runtime spells them in `tensor(float)`.
ELEMENT_TYPES: dict[str, tuple[int, str | None]] = {
    "float": (1, "float32"),
    "uint8": (2, "uint8"),
    "int8": (3, "int8"),
    "uint16": (4, "uint16"),
    "int16": (5, "int16"),
    "int32": (6, "int32"),
    "int64": (7, "int64"),
    "bool": (9, "bool"),
    "float16": (10, "float16"),
    "double": (11, "float64"),
    "uint32": (12, "uint32"),
    "uint64": (13, "uint64"),
    "bfloat16": (16, None),
}
NAMES_BY_CODE = {code: name for name, (code, _) in ELEMENT_TYPES.items()}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output as the model declares it.

    Attributes:
        name: The graph's name for it.
        dtype: The numpy dtype; None for bfloat16, which numpy does not have.
        shape: One entry per axis: a size, or the name of a dynamic axis, or None for a dynamic axis without a name.
            () stands for a scalar and also for a tensor whose rank the model leaves open (ONNX Runtime reports both
            alike), so the rank of such an input is checked by ONNX Runtime.
        element_type: The ONNX name of the element type (`float`, `int64`, `bfloat16`, ...).
    """

    name: str
    dtype: np.dtype[Any] | None
    shape: tuple[int | str | None, ...]
    element_type: str

    @property
    def type_code(self) -> int:
        """The ONNX code of the element type (TensorProto.DataType)."""
        return ELEMENT_TYPES[self.element_type][0]

    def __str__(self) -> str:
        return f"{self.name} {self.element_type}{_shape_text(self.shape)}"

    def check(self, where: str, element_type: str, shape: tuple[int, ...]) -> None:
        """Refuse memory whose element type, rank or fixed sizes are not the declared ones.

        Raises:
            SessionInputError: With `where`, the name and what was expected.
        """
        if element_type != self.element_type:
            raise SessionInputError(
                f"{where} `{self.name}`: wrong dtype: expected {_dtype_text(self.element_type)}, "
                f"got dtype={_dtype_text(element_type)}. Cast it before the call; the runtime never casts."
            )
        if not self.shape:
            return
        if len(shape) != len(self.shape):
            raise SessionInputError(
                f"{where} `{self.name}`: wrong rank: expected {len(self.shape)} axes {_shape_text(self.shape)}, "
                f"got shape={_shape_text(shape)}. Reshape it before the call."
            )
        for axis, (size, declared) in enumerate(zip(shape, self.shape, strict=True)):
            if isinstance(declared, int) and size != declared:
                raise SessionInputError(
                    f"{where} `{self.name}`: wrong size of axis {axis}: expected {declared} in "
                    f"{_shape_text(self.shape)}, got shape={_shape_text(shape)}. Pass the size that the model has."
                )


def tensor_info(node: Any) -> TensorInfo | str:
    """The declaration behind ONNX Runtime's `NodeArg`, or its type text if it is not a tensor of numbers."""
    text: str = node.type
    element_type = text.removeprefix("tensor(").removesuffix(")")
    if not text.startswith("tensor(") or element_type not in ELEMENT_TYPES:
        return text
    numpy_name = ELEMENT_TYPES[element_type][1]
    shape = tuple(None if isinstance(size, int) and size < 0 else size for size in node.shape)
    return TensorInfo(node.name, None if numpy_name is None else np.dtype(numpy_name), shape, element_type)


@dataclass(frozen=True, slots=True)
class Memory:
    """Contiguous memory that ONNX Runtime may read or write in place.

    Attributes:
        owner: Whatever must stay alive for the pointer to stay valid.
    """

    pointer: int
    shape: tuple[int, ...]
    element_type: str
    device: Device
    owner: object


def host_array(where: str, array: ArrayLike) -> npt.NDArray[Any] | None:
    """`array` as a numpy array over the same memory, or None if it lies on a device or has a dtype numpy lacks.

    Raises:
        SessionInputError: It is no array, or its library does not hand it out.
    """
    if isinstance(array, np.ndarray):
        return array
    if isinstance(array, SupportsDLPack):
        device_type, _ = _handed_out(where, array, array.__dlpack_device__)
        if device_type not in DLPACK_HOST_DEVICES:
            return None
        capsule = _handed_out(where, array, array.__dlpack__)
        name = read_capsule(capsule).element_type
        if ELEMENT_TYPES.get(name, (0, None))[1] is None:
            return None
        return np.from_dlpack(_HostCapsule(capsule))
    if hasattr(array, "__array__"):
        return np.asarray(_handed_out(where, array, array.__array__))
    raise SessionInputError(
        f"{where}: not an array: expected a numpy array or an object with __dlpack__ or __array__, "
        f"got type={type(array).__name__}. Wrap it in numpy.asarray with the dtype that the model has."
    )


def memory_of(where: str, array: ArrayLike, *, writable: bool = False) -> Memory:
    """Where the elements of `array` lie, for in-place use.

    Args:
        where: What to call the array in an error.
        array: On any device, C-contiguous.
        writable: Refuse read-only memory.

    Raises:
        SessionInputError: It is no array, is not contiguous, or is read-only though `writable` is asked for.
    """
    if isinstance(array, np.ndarray) or not isinstance(array, SupportsDLPack):
        host = host_array(where, array)
        assert host is not None, "an object without __dlpack__ is host memory"
        if writable and not (host.flags.writeable and np.shares_memory(host, np.asarray(array))):
            raise SessionInputError(
                f"{where}: memory cannot be written: expected a writable array, got writeable=False. Pass a copy."
            )
        _require_contiguous(where, host.flags.c_contiguous, host.shape)
        return Memory(host.ctypes.data, host.shape, element_type_of(host.dtype), CPU, host)
    capsule = _handed_out(where, array, array.__dlpack__)
    tensor = read_capsule(capsule)
    _require_contiguous(where, tensor.is_contiguous, tensor.shape)
    if tensor.device_type in DLPACK_HOST_DEVICES:
        device = CPU
    elif tensor.device_type in DLPACK_CUDA_DEVICES:
        device = Device("cuda", tensor.device_index)
    else:
        raise SessionInputError(
            f"{where}: unknown kind of device: expected memory of the CPU or of a CUDA device, "
            f"got DLPack device_type={tensor.device_type}. Copy it to the CPU first."
        )
    return Memory(tensor.pointer, tensor.shape, tensor.element_type, device, (array, capsule))


def initializer_value(where: str, array: npt.NDArray[Any]) -> Any:
    """Return ONNX Runtime's value over the memory of a numpy array; ml_dtypes' bfloat16 is one of its dtypes.

    Raises:
        SessionInputError: The array is not contiguous, or of a dtype that ONNX Runtime lacks.
    """
    name = "bfloat16" if array.dtype.name == "bfloat16" else element_type_of(array.dtype)
    code, numpy_name = ELEMENT_TYPES.get(name, (0, None))
    if not code or not array.flags.c_contiguous or not array.dtype.isnative:
        raise SessionInputError(
            f"{where}: memory cannot be read in place: expected a contiguous array of {', '.join(ELEMENT_TYPES)}, got "
            f"dtype={array.dtype}, strides={array.strides}. Make it so with `np.ascontiguousarray`."
        )
    plain = array if numpy_name is not None else array.view(np.uint16)
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(plain, code)


def element_type_of(dtype: np.dtype[Any]) -> str:
    """The ONNX name of a numpy dtype; numpy's own text for one that ONNX or this machine's byte order does not have."""
    return _ELEMENT_TYPES_BY_DTYPE.get(dtype) or str(dtype)


class OutputTensor:
    """A result that stays where ONNX Runtime put it; numpy, torch or CuPy take it without a copy through DLPack.

    The memory lives as long as this object or anything made from it. Work that produced it is complete, except after
    a binding with `synchronize=False`: then it is ordered behind the session's CUDA stream.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        """`value` is ONNX Runtime's C-level OrtValue."""
        self._value = value

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return tuple(self._value.shape())

    @property
    def element_type(self) -> str:
        """The ONNX name of the element type."""
        return NAMES_BY_CODE[self._value.element_type()]

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The numpy dtype; None for bfloat16."""
        name = ELEMENT_TYPES[self.element_type][1]
        return None if name is None else np.dtype(name)

    @property
    def device(self) -> Device:
        """Where the memory lies."""
        device_type, index = self.__dlpack_device__()
        return Device("cuda", index) if device_type == DLPACK_CUDA else CPU

    @property
    def pointer(self) -> int:
        """Address of the first element."""
        pointer: int = self._value.data_ptr()
        return pointer

    def numpy(self) -> npt.NDArray[Any]:
        """The values as a numpy array; a copy if they lie on a CUDA device.

        Raises:
            SessionInputError: numpy has no such dtype.
        """
        if self.dtype is None:
            raise SessionInputError(
                f"OutputTensor: no numpy dtype: expected a dtype that numpy has, got dtype={self.element_type}. "
                "Take it through DLPack (`torch.from_dlpack`)."
            )
        values: npt.NDArray[Any] = self._value.numpy()
        return values

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        values = self.numpy()
        return np.array(values, dtype=dtype) if copy else np.asarray(values, dtype=dtype)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        if copy or (dl_device is not None and tuple(dl_device) != self.__dlpack_device__()):
            raise BufferError(
                f"OutputTensor: DLPack hands out memory in place: expected no copy on device "
                f"{self.__dlpack_device__()}, got copy={copy}, dl_device={dl_device}. Copy on the consumer's side."
            )
        capsule = self._value.to_dlpack()
        if self.element_type == "bool":
            mark_bool(capsule)
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        device_type, index = self._value.__dlpack_device__()
        return int(device_type), int(index)

    def __repr__(self) -> str:
        return f"OutputTensor({self.element_type}{_shape_text(self.shape)} on {self.device})"


class _HostCapsule:
    """A capsule in the hands of numpy, which asks for an object with the two methods."""

    __slots__ = ("_capsule",)

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return DLPACK_CPU, 0


def _handed_out(where: str, array: object, method: Callable[[], Any]) -> Any:
    try:
        return method()
    except Exception as err:
        raise SessionInputError(
            f"{where}: memory not handed out: expected an array that shares its memory, "
            f"got type={type(array).__name__} ({err}). Detach it from its graph, or copy it to numpy."
        ) from err


def _require_contiguous(where: str, is_contiguous: bool, shape: tuple[int, ...]) -> None:
    if not is_contiguous:
        raise SessionInputError(
            f"{where}: memory is not contiguous: expected C order without gaps, got a strided view of "
            f"shape={_shape_text(shape)}. Make it contiguous first (`numpy.ascontiguousarray`, `Tensor.contiguous`)."
        )


def _dtype_text(element_type: str) -> str:
    return ELEMENT_TYPES.get(element_type, (0, None))[1] or element_type


def _shape_text(shape: tuple[int | str | None, ...]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"


_ELEMENT_TYPES_BY_DTYPE = {np.dtype(name): key for key, (_, name) in ELEMENT_TYPES.items() if name is not None}
