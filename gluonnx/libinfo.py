"""The version: `mx.libinfo`."""

from gluonnx._version import __version__

__all__ = ["__version__"]
