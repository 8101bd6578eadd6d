"""`export_model` under the path that it had before MXNet 1.9."""

from gluonnx.onnx import export_model

__all__ = ["export_model"]
