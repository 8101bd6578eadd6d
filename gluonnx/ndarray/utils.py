"""Making, saving and loading arrays of any storage: `mx.nd.utils`, the functions that `mx.nd` has under these names."""

from gluonnx.ndarray.creation import array, empty, zeros
from gluonnx.ndarray.files import load, load_frombuffer, save

__all__ = ["array", "empty", "load", "load_frombuffer", "save", "zeros"]
