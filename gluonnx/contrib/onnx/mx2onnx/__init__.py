"""To ONNX, where MXNet had it before 1.9."""

from gluonnx.contrib.onnx.mx2onnx import export_model

__all__ = ["export_model"]
