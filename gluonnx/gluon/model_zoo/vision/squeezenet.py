"""SqueezeNet."""

import os
from typing import Any

from gluonnx.context import Context, cpu
from gluonnx.errors import ArgumentError
from gluonnx.gluon import nn
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.contrib.nn import HybridConcurrent
from gluonnx.gluon.model_zoo.model_store import ROOT, load_pretrained
from gluonnx.gluon.model_zoo.vision.classifier import Classifier

__all__ = ["SqueezeNet", "squeezenet1_0", "squeezenet1_1"]

CPU = cpu()

POOL = "pool"
VERSIONS: dict[str, tuple[tuple[int, int], tuple[int | str, ...]]] = {
    "1.0": ((96, 7), (POOL, 16, 16, 32, POOL, 32, 48, 48, 64, POOL, 64)),
    "1.1": ((64, 3), (POOL, 16, 16, POOL, 32, 32, POOL, 48, 48, 64, 64)),
}
"""First convolution (channels, kernel); then poolings, and fire modules by the channels they squeeze to."""


class SqueezeNet(Classifier):
    """SqueezeNet: (N, 3, 224, 224) to (N, classes).

    Source: Iandola et al., 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters".

    Args:
        version: `"1.0"` or `"1.1"`.
        classes: Number of classes.
        **kwargs: `prefix`, `params`.

    Raises:
        ArgumentError: There is no such version.
    """

    def __init__(self, version: str, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if version not in VERSIONS:
            raise ArgumentError(
                f"SqueezeNet: Unsupported SqueezeNet version {version}:1.0 or 1.1 expected: expected one of "
                f"{', '.join(VERSIONS)}, got version={version!r}."
            )
        (channels, kernel_size), rest = VERSIONS[version]
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.Conv2D(channels, kernel_size, strides=2), nn.Activation("relu"))
            for squeezed in rest:
                if isinstance(squeezed, int):
                    self.features.add(_fire(squeezed))
                else:
                    self.features.add(nn.MaxPool2D(3, 2, ceil_mode=True))
            self.features.add(nn.Dropout(0.5))
            self.output = nn.HybridSequential(prefix="")
            self.output.add(nn.Conv2D(classes, 1), nn.Activation("relu"), nn.AvgPool2D(13), nn.Flatten())


def _fire(squeezed: int) -> HybridBlock:
    """Squeeze the channels, then expand them four times by each of two convolutions."""
    fire = nn.HybridSequential(prefix="")
    fire.add(_conv(squeezed, 1))
    expanded = HybridConcurrent(axis=1, prefix="")
    expanded.add(_conv(4 * squeezed, 1), _conv(4 * squeezed, 3))
    fire.add(expanded)
    return fire


def _conv(channels: int, kernel_size: int) -> HybridBlock:
    conv = nn.HybridSequential(prefix="")
    conv.add(nn.Conv2D(channels, kernel_size, padding=kernel_size // 2), nn.Activation("relu"))
    return conv


def get_squeezenet(
    version: str,
    pretrained: bool = False,
    ctx: Context = CPU,
    root: str | os.PathLike[str] = ROOT,
    **kwargs: Any,
) -> SqueezeNet:
    """Return a SqueezeNet.

    Args:
        version: `"1.0"` or `"1.1"`.
        pretrained: Whether to load trained weights; see `model_store.get_model_file`.
        ctx: Where to load them.
        root: Folder of the file.
        **kwargs: `classes`, `prefix`, `params`.
    """
    net = SqueezeNet(version, **kwargs)
    if pretrained:
        load_pretrained(net, f"squeezenet{version}", root, ctx)
    return net


def squeezenet1_0(**kwargs: Any) -> SqueezeNet:
    """Return a SqueezeNet 1.0; see `get_squeezenet`."""
    return get_squeezenet("1.0", **kwargs)


def squeezenet1_1(**kwargs: Any) -> SqueezeNet:
    """Return a SqueezeNet 1.1, which needs less computation; see `get_squeezenet`."""
    return get_squeezenet("1.1", **kwargs)
