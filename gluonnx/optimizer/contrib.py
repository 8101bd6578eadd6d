"""MXNet's name of the optimizers it keeps apart. Source: MXNet 1.9.1 python/mxnet/optimizer/contrib.py."""

from gluonnx.optimizer.adaptive import GroupAdaGrad

__all__ = ["GroupAdaGrad"]
