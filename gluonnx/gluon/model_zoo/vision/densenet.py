"""DenseNet."""

import os
from collections.abc import Sequence
from typing import Any

from gluonnx.context import Context, cpu
from gluonnx.errors import ArgumentError
from gluonnx.gluon import nn
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.contrib.nn import HybridConcurrent, Identity
from gluonnx.gluon.model_zoo.model_store import ROOT, load_pretrained
from gluonnx.gluon.model_zoo.vision.classifier import Classifier

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201"]

CPU = cpu()

SIZES = {
    121: (64, 32, (6, 12, 24, 16)),
    161: (96, 48, (6, 12, 36, 24)),
    169: (64, 32, (6, 12, 32, 32)),
    201: (64, 32, (6, 12, 48, 32)),
}
"""Layers: channels of the first convolution, channels each layer adds, layers of each stage."""


class DenseNet(Classifier):
    """DenseNet-BC: (N, 3, H, W) with H, W of at least 221 to (N, classes).

    Source: Huang et al., 2017, "Densely Connected Convolutional Networks".

    Args:
        num_init_features: Channels of the first convolution.
        growth_rate: Channels that each layer adds.
        block_config: Layers of each stage.
        bn_size: Width of a bottleneck, in growth rates.
        dropout: Rate of dropout after each layer.
        classes: Number of classes.
        **kwargs: `prefix`, `params`.
    """

    def __init__(
        self,
        num_init_features: int,
        growth_rate: int,
        block_config: Sequence[int],
        bn_size: int = 4,
        dropout: float = 0,
        classes: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.Conv2D(num_init_features, 7, strides=2, padding=3, use_bias=False))
            self.features.add(*_normalized_relu(), nn.MaxPool2D(3, 2, 1))
            channels = num_init_features
            for stage, layers in enumerate(block_config, start=1):
                if stage > 1:
                    channels //= 2
                    self.features.add(_transition(channels))
                self.features.add(_stage(stage, layers, growth_rate, bn_size, dropout))
                channels += layers * growth_rate
            self.features.add(*_normalized_relu(), nn.AvgPool2D(7), nn.Flatten())
            self.output = nn.Dense(classes)


def _normalized_relu() -> tuple[HybridBlock, HybridBlock]:
    return nn.BatchNorm(), nn.Activation("relu")


def _stage(number: int, layers: int, growth_rate: int, bn_size: int, dropout: float) -> HybridBlock:
    stage = nn.HybridSequential(prefix=f"stage{number}_")
    with stage.name_scope():
        for _ in range(layers):
            stage.add(_layer(growth_rate, bn_size, dropout))
    return stage


def _layer(growth_rate: int, bn_size: int, dropout: float) -> HybridBlock:
    """Join the data with what a bottleneck makes of it."""
    added = nn.HybridSequential(prefix="")
    added.add(*_normalized_relu(), nn.Conv2D(bn_size * growth_rate, 1, use_bias=False))
    added.add(*_normalized_relu(), nn.Conv2D(growth_rate, 3, padding=1, use_bias=False))
    if dropout:
        added.add(nn.Dropout(dropout))
    layer = HybridConcurrent(axis=1, prefix="")
    layer.add(Identity(), added)
    return layer


def _transition(channels: int) -> HybridBlock:
    """Halve the image's size."""
    transition = nn.HybridSequential(prefix="")
    transition.add(*_normalized_relu(), nn.Conv2D(channels, 1, use_bias=False), nn.AvgPool2D(2, 2))
    return transition


def get_densenet(
    num_layers: int,
    pretrained: bool = False,
    ctx: Context = CPU,
    root: str | os.PathLike[str] = ROOT,
    **kwargs: Any,
) -> DenseNet:
    """Return a DenseNet.

    Args:
        num_layers: 121, 161, 169 or 201.
        pretrained: Whether to load trained weights; see `model_store.get_model_file`.
        ctx: Where to load them.
        root: Folder of the file.
        **kwargs: `bn_size`, `dropout`, `classes`, `prefix`, `params`.

    Raises:
        ArgumentError: There is none of so many layers.
    """
    if num_layers not in SIZES:
        raise ArgumentError(
            f"get_densenet: Invalid number of layers: {num_layers}: expected one of {', '.join(map(str, SIZES))}, got "
            f"num_layers={num_layers}."
        )
    net = DenseNet(*SIZES[num_layers], **kwargs)
    if pretrained:
        load_pretrained(net, f"densenet{num_layers}", root, ctx)
    return net


def densenet121(**kwargs: Any) -> DenseNet:
    """Return a DenseNet of 121 layers; see `get_densenet`."""
    return get_densenet(121, **kwargs)


def densenet161(**kwargs: Any) -> DenseNet:
    """Return a DenseNet of 161 layers; see `get_densenet`."""
    return get_densenet(161, **kwargs)


def densenet169(**kwargs: Any) -> DenseNet:
    """Return a DenseNet of 169 layers; see `get_densenet`."""
    return get_densenet(169, **kwargs)


def densenet201(**kwargs: Any) -> DenseNet:
    """Return a DenseNet of 201 layers; see `get_densenet`."""
    return get_densenet(201, **kwargs)
