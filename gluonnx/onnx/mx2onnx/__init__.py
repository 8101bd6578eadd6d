"""The path under which MXNet 1.9 keeps what it exports with."""

from gluonnx.onnx.convert import export_model, get_operator_support

__all__ = ["export_model", "get_operator_support"]
