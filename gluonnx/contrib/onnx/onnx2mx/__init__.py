"""From ONNX; a function of MXNet's is in the module of its name."""

from gluonnx.contrib.onnx.onnx2mx import import_model, import_to_gluon

__all__ = ["import_model", "import_to_gluon"]
