"""gluonnx."""
