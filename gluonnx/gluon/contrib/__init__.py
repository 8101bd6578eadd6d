"""Blocks that MXNet calls experimental."""

from gluonnx.gluon.contrib import cnn, nn

__all__ = ["cnn", "nn"]
