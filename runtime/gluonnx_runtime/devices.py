"""Devices a session can run on, and whether this machine really has a CUDA device that can be used."""

import ctypes
import functools
import re
import sys
from dataclasses import dataclass
from typing import Any, Literal

from .backend import ort
from .errors import SessionDeviceError, SessionInputError

__all__ = ["CPU", "Device", "cuda_problem", "missing_cuda_libraries", "resolve_device", "synchronize_cuda"]

CUDA_PROVIDER = "CUDAExecutionProvider"
CUDA_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
CUDA_SUCCESS = 0
"""Source: CUDA driver API, `CUresult`."""
OPTIONAL_CUDA_LIBRARIES = ("libcudnn.so.9",)


@dataclass(frozen=True, slots=True)
class Device:
    """Where a session computes and where bound memory lies, written `cpu` or `cuda:1`."""

    kind: Literal["cpu", "cuda"]
    index: int = 0

    def __str__(self) -> str:
        return "cpu" if self.kind == "cpu" else f"cuda:{self.index}"

    def ort_device(self) -> Any:
        """The same place as ONNX Runtime's C-level `OrtDevice`."""
        return ort.OrtDevice.make(self.kind, self.index)._get_c_device()


CPU = Device("cpu")


def parse_device(text: str) -> Device | None:
    """Read `cpu`, `cuda`, `cuda:N`, or `auto` (which is None: to be decided).

    Raises:
        SessionInputError: `text` is none of these.
    """
    if text == "auto":
        return None
    match = re.fullmatch(r"(cpu)|cuda(?::(\d{1,3}))?", text)
    if match is None:
        raise SessionInputError(
            f"Session: unknown device: expected `auto`, `cpu`, `cuda` or `cuda:N`, got device={text!r}. "
            "Pass one of these."
        )
    return CPU if match[1] else Device("cuda", int(match[2] or 0))


def resolve_device(text: str) -> Device:
    """The device that `text` names; `auto` is the first CUDA device if there is a usable one, else the CPU.

    Raises:
        SessionInputError: `text` is no device.
        SessionDeviceError: `text` names a CUDA device that is not there.
    """
    wanted = parse_device(text)
    if wanted is None:
        return Device("cuda", 0) if cuda_problem(0) is None else CPU
    if wanted.kind == "cuda" and (problem := cuda_problem(wanted.index)) is not None:
        raise SessionDeviceError(
            f"Session: no usable CUDA device: expected device `{wanted}`, got {problem}. "
            'Pass device="cpu" or device="auto".'
        )
    return wanted


def cuda_problem(index: int) -> str | None:
    """Why CUDA device `index` cannot be used, or None if nothing speaks against it.

    Asks the CUDA driver, not ONNX Runtime: the onnxruntime-gpu package lists its CUDA provider on every machine, and
    asking it for one where there is no device writes errors to the standard error stream.
    """
    if CUDA_PROVIDER not in ort.get_available_providers():
        return f"an onnxruntime {ort.__version__} that was built without CUDA (the package is onnxruntime-gpu)"
    count = cuda_device_count()
    if count == 0:
        return "a machine without CUDA devices (no driver, or none visible)"
    if index >= count:
        return f"a machine with {count} CUDA device(s), numbered from 0"
    return None


@functools.cache
def cuda_device_count() -> int:
    """How many CUDA devices the driver shows to this process; 0 where there is no driver.

    Source: CUDA driver API, `cuInit` and `cuDeviceGetCount`. CUDA_VISIBLE_DEVICES is obeyed by the driver.
    """
    driver = _cuda_driver()
    count = ctypes.c_int(0)
    if driver is None or driver.cuInit(0) != CUDA_SUCCESS or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def synchronize_cuda(index: int) -> None:
    """Wait for all work queued on CUDA device `index`, whichever stream it is on, without changing the thread's state.

    Raises:
        SessionDeviceError: The driver reports an error, which may come from earlier work on the device.

    Source: CUDA driver API, primary context management and `cuCtxSynchronize`.
    """
    driver = _cuda_driver()
    if driver is None:
        raise SessionDeviceError(
            f"cuda:{index}: no CUDA driver: expected {CUDA_DRIVER}, got none. Run on a machine with a CUDA device."
        )
    device, context, popped = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
    status = driver.cuDeviceGet(ctypes.byref(device), index) or driver.cuDevicePrimaryCtxRetain(
        ctypes.byref(context), device
    )
    if status == CUDA_SUCCESS:
        status = driver.cuCtxPushCurrent_v2(context)
        if status == CUDA_SUCCESS:
            status = driver.cuCtxSynchronize()
            driver.cuCtxPopCurrent_v2(ctypes.byref(popped))
        driver.cuDevicePrimaryCtxRelease_v2(device)
    if status != CUDA_SUCCESS:
        raise SessionDeviceError(
            f"cuda:{index}: synchronizing failed: expected CUresult 0, got status={status}. "
            "Look for an earlier error of a CUDA kernel in this process."
        )


def missing_cuda_libraries() -> tuple[str, ...]:
    """Names of the CUDA libraries of this onnxruntime-gpu build that the loader cannot find; () where unknown."""
    major = str(getattr(ort, "cuda_version", "") or "").partition(".")[0]
    if not major or not sys.platform.startswith("linux"):
        return ()
    names = (f"libcudart.so.{major}", f"libcublas.so.{major}", f"libcublasLt.so.{major}", *OPTIONAL_CUDA_LIBRARIES)
    return tuple(name for name in names if _load_library(name) is None)


@functools.cache
def _cuda_driver() -> ctypes.CDLL | None:
    return _load_library(CUDA_DRIVER)


def _load_library(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None
