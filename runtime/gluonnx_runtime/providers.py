"""ONNX Runtime's execution providers: which ones a device asks for, with which options, and what really came of it."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .backend import C, ort
from .devices import CPU, CUDA_PROVIDER, Device, missing_cuda_libraries
from .errors import SessionDeviceError

__all__ = ["create_session"]

CPU_PROVIDER = "CPUExecutionProvider"
DEFAULT_SEVERITY = 2
"""Severity at which ONNX Runtime's process-wide logger starts: warnings (Source: `set_default_logger_severity`)."""
FATAL_SEVERITY = 4


def create_session(
    model: Path | bytes,
    options: Any,
    device: Device,
    *,
    falls_back: bool,
    cuda_stream: int | None,
    cuda_graph: bool,
) -> tuple[Any, Device]:
    """Make ONNX Runtime's session on `device`. TensorRT is never asked for.

    Args:
        model: A file, or the bytes of one.
        options: ONNX Runtime's SessionOptions.
        device: Where to run.
        falls_back: If CUDA's provider does not load although there is a device, warn and run on the CPU.
        cuda_stream: Handle of the CUDA stream to run on.
        cuda_graph: Capture the first run of a binding and replay it after that.

    Returns:
        The session and the device that it runs on.

    Raises:
        SessionDeviceError: The CUDA provider did not load, and `falls_back` is off.
    """
    source: Any = model if isinstance(model, bytes) else str(model)
    if device.kind == "cpu":
        session = ort.InferenceSession(source, options, providers=[CPU_PROVIDER], enable_fallback=0)
        return _without_model_bytes(session), CPU
    if missing_cuda_libraries():
        _preload_cuda_libraries()
    cuda = (CUDA_PROVIDER, cuda_options(device, cuda_stream=cuda_stream, cuda_graph=cuda_graph))
    with _silent_default_logger():
        session = ort.InferenceSession(source, options, providers=[cuda, CPU_PROVIDER], enable_fallback=0)
    if CUDA_PROVIDER in session.get_providers():
        return _without_model_bytes(session), device
    missing = ", ".join(missing_cuda_libraries()) or "a library it needs, or a newer driver"
    problem = (
        f"Session: the CUDA provider did not load: expected CUDA {getattr(ort, 'cuda_version', None) or 'libraries'} "
        f"for onnxruntime {ort.__version__}, got missing={missing}."
    )
    if not falls_back:
        raise SessionDeviceError(f'{problem} Install them, or pass device="cpu".')
    warnings.warn(f'{problem} Running on the CPU. Install them, or pass device="cpu".', RuntimeWarning, stacklevel=4)
    return _without_model_bytes(session), CPU


def cuda_options(device: Device, *, cuda_stream: int | None, cuda_graph: bool) -> dict[str, str]:
    """Options of the CUDA provider. TF32, its default, keeps 10 bits of a float32's 23: too few for equal answers.

    Source: ONNX Runtime, CUDA execution provider, configuration options.
    """
    options = {"device_id": str(device.index), "use_tf32": "0"}
    if cuda_stream is not None:
        options["user_compute_stream"] = str(cuda_stream)
    if cuda_graph:
        options["enable_cuda_graph"] = "1"
    return options


def _preload_cuda_libraries() -> None:
    """Load the CUDA libraries of the `nvidia-*` packages, which are not on the loader's path; prints nothing."""
    with contextlib.redirect_stdout(io.StringIO()):
        ort.preload_dlls()


@contextmanager
def _silent_default_logger() -> Iterator[None]:
    """Keep the provider's loader quiet: whether it worked is read from the session, and told as an error."""
    C.set_default_logger_severity(FATAL_SEVERITY)
    try:
        yield
    finally:
        C.set_default_logger_severity(DEFAULT_SEVERITY)


def _without_model_bytes(session: Any) -> Any:
    """Drop the copy of the model that the session keeps to start itself again, which fallback would need."""
    session._model_bytes = None
    return session
