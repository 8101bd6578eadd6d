"""The one place that imports onnxruntime, without what its import prints on machines that have no GPU.

While it is imported, onnxruntime lists the display adapters of the machine, and writes a warning to the standard error
stream for each one that is not a PCI device (WSL 2, a Raspberry Pi, most containers with a virtual adapter). No option
and no environment variable reaches that logger, so on such a machine the stream is read back and the line dropped.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

__all__ = ["C", "ort", "reason", "without_stderr_lines"]

ADAPTERS = Path("/sys/class/drm")
DISCOVERY_WARNING = b"device_discovery.cc"
COLOR_RESET = b"\x1b[m"
"""What onnxruntime writes on a line of its own after a colored one."""


def prints_on_import(adapters: Path) -> bool:
    """Whether a display adapter lacks the vendor file that onnxruntime reads (Source: onnxruntime issue 26763)."""
    return any(
        not (card / "device" / "vendor").is_file()
        for card in adapters.glob("card*")
        if card.name.removeprefix("card").isdigit()
    )


@contextmanager
def without_stderr_lines(marker: bytes) -> Iterator[None]:
    """Drop the lines that contain `marker` from what is written to file descriptor 2; pass the others on at the end."""
    sys.stderr.flush()
    stderr_fd = os.dup(2)
    with tempfile.TemporaryFile() as capture:
        os.dup2(capture.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr_fd, 2)
            os.close(stderr_fd)
            capture.seek(0)
            kept = b"".join(line for line in capture if marker not in line and line.strip() != COLOR_RESET)
            if kept:
                os.write(2, kept)


def reason(err: Exception) -> str:
    """The first line of ONNX Runtime's message, without error codes, source paths and C++ signatures."""
    line = str(err).strip().partition("\n")[0].removeprefix("Error in execution: ")
    line = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", line)
    return re.sub(r"/\S+\.(?:cc|h):\d+ (?:[^()]*\([^()]*\)(?: const)? )?", "", line).strip().rstrip(".")


def load_onnxruntime(adapters: Path) -> tuple[Any, Any]:
    """Import onnxruntime and its C-level module, in silence where `adapters` would make it print."""
    is_noisy = "onnxruntime" not in sys.modules and prints_on_import(adapters)
    with without_stderr_lines(DISCOVERY_WARNING) if is_noisy else nullcontext():
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state

        return onnxruntime, onnxruntime_pybind11_state


ort, C = load_onnxruntime(ADAPTERS)
