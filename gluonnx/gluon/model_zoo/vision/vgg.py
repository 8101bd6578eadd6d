"""VGG."""

import os
from collections.abc import Sequence
from typing import Any

from gluonnx.context import Context, cpu
from gluonnx.errors import ArgumentError
from gluonnx.gluon import nn
from gluonnx.gluon.model_zoo.model_store import ROOT, load_pretrained
from gluonnx.gluon.model_zoo.vision.classifier import Classifier
from gluonnx.initializer import Xavier

__all__ = ["VGG", "get_vgg", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]

CPU = cpu()

FILTERS = (64, 128, 256, 512, 512)
LAYERS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions before each pooling, by the number of layers."""


class VGG(Classifier):
    """VGG: (N, 3, H, W) with H, W of at least 32 to (N, classes).

    Source: Simonyan and Zisserman, 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".

    Args:
        layers: Number of convolutions before each pooling.
        filters: Their channels.
        classes: Number of classes.
        batch_norm: Whether to normalize after each convolution.
        **kwargs: `prefix`, `params`.

    Raises:
        ArgumentError: `layers` and `filters` differ in length.
    """

    def __init__(
        self,
        layers: Sequence[int],
        filters: Sequence[int],
        classes: int = 1000,
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(layers) != len(filters):
            raise ArgumentError(
                f"VGG: layers and filters do not go together: expected as many of one as of the other, got "
                f"{len(layers)} and {len(filters)}."
            )
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            for count, channels in zip(layers, filters, strict=True):
                for _ in range(count):
                    self.features.add(_conv(channels))
                    if batch_norm:
                        self.features.add(nn.BatchNorm())
                    self.features.add(nn.Activation("relu"))
                self.features.add(nn.MaxPool2D(strides=2))
            for _ in range(2):
                self.features.add(_dense(4096, "relu"), nn.Dropout(0.5))
            self.output = _dense(classes)


def _conv(channels: int) -> nn.Conv2D:
    initializer = Xavier(rnd_type="gaussian", factor_type="out", magnitude=2)
    return nn.Conv2D(channels, 3, padding=1, weight_initializer=initializer, bias_initializer="zeros")


def _dense(units: int, activation: str | None = None) -> nn.Dense:
    return nn.Dense(units, activation, weight_initializer="normal", bias_initializer="zeros")


def get_vgg(
    num_layers: int,
    pretrained: bool = False,
    ctx: Context = CPU,
    root: str | os.PathLike[str] = ROOT,
    **kwargs: Any,
) -> VGG:
    """Return a VGG.

    Args:
        num_layers: 11, 13, 16 or 19.
        pretrained: Whether to load trained weights; see `model_store.get_model_file`.
        ctx: Where to load them.
        root: Folder of the file.
        **kwargs: `batch_norm`, `classes`, `prefix`, `params`.

    Raises:
        ArgumentError: There is none of so many layers.
    """
    if num_layers not in LAYERS:
        raise ArgumentError(
            f"get_vgg: Invalid number of layers: {num_layers}: expected one of {', '.join(map(str, LAYERS))}, got "
            f"num_layers={num_layers}."
        )
    net = VGG(LAYERS[num_layers], FILTERS, **kwargs)
    if pretrained:
        suffix = "_bn" if kwargs.get("batch_norm") else ""
        load_pretrained(net, f"vgg{num_layers}{suffix}", root, ctx)
    return net


def vgg11(**kwargs: Any) -> VGG:
    """Return a VGG of 11 layers; see `get_vgg`."""
    return get_vgg(11, **kwargs)


def vgg13(**kwargs: Any) -> VGG:
    """Return a VGG of 13 layers; see `get_vgg`."""
    return get_vgg(13, **kwargs)


def vgg16(**kwargs: Any) -> VGG:
    """Return a VGG of 16 layers; see `get_vgg`."""
    return get_vgg(16, **kwargs)


def vgg19(**kwargs: Any) -> VGG:
    """Return a VGG of 19 layers; see `get_vgg`."""
    return get_vgg(19, **kwargs)


def vgg11_bn(**kwargs: Any) -> VGG:
    """Return a VGG of 11 layers with batch normalization; see `get_vgg`."""
    return get_vgg(11, **{**kwargs, "batch_norm": True})


def vgg13_bn(**kwargs: Any) -> VGG:
    """Return a VGG of 13 layers with batch normalization; see `get_vgg`."""
    return get_vgg(13, **{**kwargs, "batch_norm": True})


def vgg16_bn(**kwargs: Any) -> VGG:
    """Return a VGG of 16 layers with batch normalization; see `get_vgg`."""
    return get_vgg(16, **{**kwargs, "batch_norm": True})


def vgg19_bn(**kwargs: Any) -> VGG:
    """Return a VGG of 19 layers with batch normalization; see `get_vgg`."""
    return get_vgg(19, **{**kwargs, "batch_norm": True})
