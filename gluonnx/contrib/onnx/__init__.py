"""`mx.contrib.onnx`: ONNX under the names and signatures of MXNet 1.9.1."""

from gluonnx.contrib.onnx import mx2onnx, onnx2mx
from gluonnx.contrib.onnx.onnx2mx.import_model import get_model_metadata, import_model
from gluonnx.contrib.onnx.onnx2mx.import_to_gluon import import_to_gluon
from gluonnx.onnx import export_model

__all__ = ["export_model", "get_model_metadata", "import_model", "import_to_gluon", "mx2onnx", "onnx2mx"]
