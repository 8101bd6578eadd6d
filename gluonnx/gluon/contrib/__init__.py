"""Blocks that MXNet calls experimental."""

from gluonnx.gluon.contrib import nn, rnn

__all__ = ["nn", "rnn"]
