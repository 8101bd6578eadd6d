"""Blocks that MXNet calls experimental."""

from gluonnx.gluon.contrib import nn

__all__ = ["nn"]
