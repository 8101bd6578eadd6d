"""Blocks that MXNet calls experimental."""

from gluonnx.gluon.contrib import cnn, nn, rnn

__all__ = ["cnn", "nn", "rnn"]
