"""Contexts: where an array lives."""

import threading
from typing import Any, ClassVar

import torch

from gluonnx.errors import DeviceError

__all__ = ["Context", "cpu", "cpu_pinned", "cpu_shared", "current_context", "gpu", "gpu_memory_info", "num_gpus"]


class _PerThread(type):
    """Makes `default_ctx` of a class an attribute of the thread."""

    @property
    def default_ctx(cls) -> "Context":
        """The default context of this thread."""
        return current_context()

    @default_ctx.setter
    def default_ctx(cls, ctx: "Context") -> None:
        _default.context = ctx


class Context(metaclass=_PerThread):
    """A device: `cpu(i)`, `gpu(i)`, `cpu_pinned(i)` or `cpu_shared(i)`.

    Every cpu context is the same memory; the index only keeps arrays apart, as programs for several devices expect.
    A context is a context manager that sets the default one of its thread, `Context.default_ctx`.

    Args:
        device_type: `"cpu"`, `"gpu"`, `"cpu_pinned"`, `"cpu_shared"`, or a context to copy.
        device_id: Index of the device.

    Examples:
        >>> with cpu(1):
        ...     current_context()
        cpu(1)
        >>> cpu() == Context("cpu", 0)
        True
    """

    __slots__ = ("_previous", "device_id", "device_typeid")

    devtype2str: ClassVar[dict[int, str]] = {1: "cpu", 2: "gpu", 3: "cpu_pinned", 5: "cpu_shared"}
    devstr2type: ClassVar[dict[str, int]] = {name: code for code, name in devtype2str.items()}

    def __init__(self, device_type: "str | Context", device_id: int = 0) -> None:
        if isinstance(device_type, Context):
            self.device_typeid: int = device_type.device_typeid
            self.device_id: int = device_type.device_id
        else:
            if device_type not in self.devstr2type:
                raise DeviceError(
                    f"Context: unknown device type: expected one of {', '.join(self.devstr2type)}, "
                    f"got device_type={device_type!r}."
                )
            self.device_typeid = self.devstr2type[device_type]
            self.device_id = int(device_id)
        self._previous: list[Context] = []

    @property
    def device_type(self) -> str:
        """Name of the kind of device."""
        return self.devtype2str[self.device_typeid]

    @property
    def torch_device(self) -> torch.device:
        """The torch device that holds arrays of this context."""
        if self.device_typeid == 2:
            return torch.device("cuda", self.device_id)
        return torch.device("cpu")

    def check_available(self) -> None:
        """Raise DeviceError if this machine does not have the device."""
        if self.device_typeid == 2 and self.device_id >= num_gpus():
            raise DeviceError(
                f"{self}: no such device: expected one of {num_gpus()} CUDA devices that torch sees, got {self}. "
                "Use mx.cpu(), or install a torch build for your CUDA driver."
            )

    def empty_cache(self) -> None:
        """Give unused memory of torch's allocator back to the device (nothing to do on a cpu)."""
        if self.device_typeid == 2:
            torch.cuda.empty_cache()

    def __hash__(self) -> int:
        return hash((self.device_typeid, self.device_id))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Context)
            and self.device_typeid == other.device_typeid
            and self.device_id == other.device_id
        )

    def __repr__(self) -> str:
        return f"{self.device_type}({self.device_id})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Context, (self.device_type, self.device_id)

    def __enter__(self) -> "Context":
        self._previous.append(_default.context)
        _default.context = self
        return self

    def __exit__(self, *_: object) -> None:
        _default.context = self._previous.pop()


CPU = Context("cpu", 0)
"""The default context."""


class _Default(threading.local):
    context: Context = CPU


_default = _Default()


def current_context() -> Context:
    """Return the context in which arrays are created when none is named."""
    return _default.context


def cpu(device_id: int = 0) -> Context:
    """Return a cpu context."""
    return Context("cpu", device_id)


def cpu_pinned(device_id: int = 0) -> Context:
    """Return the context of page-locked host memory."""
    return Context("cpu_pinned", device_id)


def cpu_shared(device_id: int = 0) -> Context:
    """Return the context of host memory that processes share."""
    return Context("cpu_shared", device_id)


def gpu(device_id: int = 0) -> Context:
    """Return a CUDA context."""
    return Context("gpu", device_id)


def num_gpus() -> int:
    """Return the number of CUDA devices that torch sees."""
    return torch.cuda.device_count()


def gpu_memory_info(device_id: int = 0) -> tuple[int, int]:
    """Return (free, total) memory of a CUDA device in bytes.

    Raises:
        DeviceError: There is no such device.
    """
    gpu(device_id).check_available()
    free, total = torch.cuda.mem_get_info(device_id)
    return free, total


def of_device(device: torch.device) -> Context:
    """Return the context that arrays on a torch device report by default."""
    return CPU if device.type == "cpu" else Context("gpu", device.index or 0)
