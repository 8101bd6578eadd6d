"""Inception V3."""

import os
from typing import Any

from gluonnx.context import Context, cpu
from gluonnx.gluon import nn
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.contrib.nn import HybridConcurrent
from gluonnx.gluon.model_zoo.model_store import ROOT, load_pretrained
from gluonnx.gluon.model_zoo.vision.classifier import Classifier

__all__ = ["Inception3", "inception_v3"]

CPU = cpu()


class Inception3(Classifier):
    """Inception V3: (N, 3, 299, 299) to (N, classes).

    Source: Szegedy et al., 2015, "Rethinking the Inception Architecture for Computer Vision".
    """

    def __init__(self, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(_conv(32, 3, strides=2), _conv(32, 3), _conv(64, 3, padding=1), nn.MaxPool2D(3, 2))
            self.features.add(_conv(80, 1), _conv(192, 3), nn.MaxPool2D(3, 2))
            for name, pooled in (("A1_", 32), ("A2_", 64), ("A3_", 64)):
                self.features.add(_mixed_35(name, pooled))
            self.features.add(_reduce_to_17("B_"))
            for name, narrow in (("C1_", 128), ("C2_", 160), ("C3_", 160), ("C4_", 192)):
                self.features.add(_mixed_17(name, narrow))
            self.features.add(_reduce_to_8("D_"), _mixed_8("E1_"), _mixed_8("E2_"))
            self.features.add(nn.AvgPool2D(8), nn.Dropout(0.5))
            self.output = nn.Dense(classes)


def _conv(channels: int, kernel_size: Any, *, strides: Any = 1, padding: Any = 0) -> HybridBlock:
    return _chain(
        nn.Conv2D(channels, kernel_size, strides=strides, padding=padding, use_bias=False),
        nn.BatchNorm(epsilon=0.001),
        nn.Activation("relu"),
    )


def _row(channels: int, size: int) -> HybridBlock:
    """A convolution of one row, which keeps the image's size."""
    return _conv(channels, (1, size), padding=(0, size // 2))


def _column(channels: int, size: int) -> HybridBlock:
    """A convolution of one column, which keeps the image's size."""
    return _conv(channels, (size, 1), padding=(size // 2, 0))


def _chain(*blocks: HybridBlock) -> HybridBlock:
    chain = nn.HybridSequential(prefix="")
    chain.add(*blocks)
    return chain


def _side_by_side(*branches: HybridBlock) -> HybridBlock:
    joined = HybridConcurrent(axis=1, prefix="")
    joined.add(*branches)
    return joined


def _averaged(channels: int) -> HybridBlock:
    return _chain(nn.AvgPool2D(3, 1, 1), _conv(channels, 1))


def _mixed_35(prefix: str, pooled: int) -> HybridBlock:
    mixed = HybridConcurrent(axis=1, prefix=prefix)
    with mixed.name_scope():
        mixed.add(_chain(_conv(64, 1)))
        mixed.add(_chain(_conv(48, 1), _conv(64, 5, padding=2)))
        mixed.add(_chain(_conv(64, 1), _conv(96, 3, padding=1), _conv(96, 3, padding=1)))
        mixed.add(_averaged(pooled))
    return mixed


def _reduce_to_17(prefix: str) -> HybridBlock:
    mixed = HybridConcurrent(axis=1, prefix=prefix)
    with mixed.name_scope():
        mixed.add(_chain(_conv(384, 3, strides=2)))
        mixed.add(_chain(_conv(64, 1), _conv(96, 3, padding=1), _conv(96, 3, strides=2)))
        mixed.add(_chain(nn.MaxPool2D(3, 2)))
    return mixed


def _mixed_17(prefix: str, narrow: int) -> HybridBlock:
    mixed = HybridConcurrent(axis=1, prefix=prefix)
    with mixed.name_scope():
        mixed.add(_chain(_conv(192, 1)))
        mixed.add(_chain(_conv(narrow, 1), _row(narrow, 7), _column(192, 7)))
        mixed.add(_chain(_conv(narrow, 1), _column(narrow, 7), _row(narrow, 7), _column(narrow, 7), _row(192, 7)))
        mixed.add(_averaged(192))
    return mixed


def _reduce_to_8(prefix: str) -> HybridBlock:
    mixed = HybridConcurrent(axis=1, prefix=prefix)
    with mixed.name_scope():
        mixed.add(_chain(_conv(192, 1), _conv(320, 3, strides=2)))
        mixed.add(_chain(_conv(192, 1), _row(192, 7), _column(192, 7), _conv(192, 3, strides=2)))
        mixed.add(_chain(nn.MaxPool2D(3, 2)))
    return mixed


def _mixed_8(prefix: str) -> HybridBlock:
    mixed = HybridConcurrent(axis=1, prefix=prefix)
    with mixed.name_scope():
        mixed.add(_chain(_conv(320, 1)))
        mixed.add(_chain(_chain(_conv(384, 1)), _side_by_side(_chain(_row(384, 3)), _chain(_column(384, 3)))))
        mixed.add(
            _chain(
                _chain(_conv(448, 1), _conv(384, 3, padding=1)),
                _side_by_side(_chain(_row(384, 3)), _chain(_column(384, 3))),
            )
        )
        mixed.add(_averaged(192))
    return mixed


def inception_v3(
    pretrained: bool = False, ctx: Context = CPU, root: str | os.PathLike[str] = ROOT, **kwargs: Any
) -> Inception3:
    """Return an Inception V3.

    Args:
        pretrained: Whether to load trained weights; see `model_store.get_model_file`.
        ctx: Where to load them.
        root: Folder of the file.
        **kwargs: `classes`, `prefix`, `params`.
    """
    net = Inception3(**kwargs)
    if pretrained:
        load_pretrained(net, "inceptionv3", root, ctx)
    return net
