"""MXNet's NumPy interface, `mx.np`, which gluonnx does not have: every name in it raises NotSupportedError."""

from typing import Any

from gluonnx.util import refuse_np


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    refuse_np(f"mx.np.{name}")
