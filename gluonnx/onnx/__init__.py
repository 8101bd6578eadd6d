"""ONNX: a graph of operators becomes an ONNX model, and the model is shown to compute the same.

`builder` owns the ONNX graph under construction, which lowerings speak to.
"""

from gluonnx.onnx.builder import IR_VERSION, OPSET, ModelBuilder

__all__ = ["IR_VERSION", "OPSET", "ModelBuilder"]
