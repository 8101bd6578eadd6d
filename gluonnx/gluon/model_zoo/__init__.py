"""Networks that are defined already: `vision` owns the networks, `model_store` the files of their weights."""

from gluonnx.gluon.model_zoo import model_store, vision

__all__ = ["model_store", "vision"]
