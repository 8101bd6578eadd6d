"""Optimizers that MXNet calls contributed: `mx.optimizer.contrib`."""

from gluonnx.optimizer.adaptive import GroupAdaGrad

__all__ = ["GroupAdaGrad"]
