"""MobileNet and MobileNetV2."""

import os
from collections.abc import Iterator
from typing import Any

from gluonnx.context import Context, cpu
from gluonnx.gluon import nn
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.model_zoo.model_store import ROOT, load_pretrained
from gluonnx.gluon.model_zoo.vision.classifier import Classifier

__all__ = [
    "MobileNet",
    "MobileNetV2",
    "get_mobilenet",
    "get_mobilenet_v2",
    "mobilenet0_5",
    "mobilenet0_25",
    "mobilenet0_75",
    "mobilenet1_0",
    "mobilenet_v2_0_5",
    "mobilenet_v2_0_25",
    "mobilenet_v2_0_75",
    "mobilenet_v2_1_0",
]

CPU = cpu()

SEPARABLE = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
"""MobileNet's layers: channels, stride."""

BOTTLENECKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""MobileNetV2's layers: expansion, channels, repetitions, stride of the first (table 2 of the paper)."""


class RELU6(HybridBlock):
    """min(max(x, 0), 6)."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the clipped data."""
        return F.clip(x, 0, 6, name="relu6")


def _conv(channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1) -> Iterator[HybridBlock]:
    yield nn.Conv2D(channels, kernel_size, stride, kernel_size // 2, groups=groups, use_bias=False)
    yield nn.BatchNorm(scale=True)


class LinearBottleneck(HybridBlock):
    """Expand, filter each channel, project; added to the data if the size stays.

    Args:
        in_channels: Channels of the data.
        channels: Channels of the result.
        t: Expansion.
        stride: Stride.
        **kwargs: `prefix`, `params`.
    """

    def __init__(self, in_channels: int, channels: int, t: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_shortcut = stride == 1 and in_channels == channels
        wide = in_channels * t
        with self.name_scope():
            self.out = nn.HybridSequential()
            self.out.add(*_conv(wide), RELU6())
            self.out.add(*_conv(wide, 3, stride, groups=wide), RELU6())
            self.out.add(*_conv(channels))

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the projection, with the data added if the size stays."""
        out = self.out(x)
        return F.elemwise_add(out, x) if self.use_shortcut else out


class MobileNet(Classifier):
    """MobileNet: (N, 3, H, W) to (N, classes).

    Source: Howard et al., 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications".

    Args:
        multiplier: Share of the channels.
        classes: Number of classes.
        **kwargs: `prefix`, `params`.
    """

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            before = int(32 * multiplier)
            self.features.add(*_conv(before, 3, 2), nn.Activation("relu"))
            for full, stride in SEPARABLE:
                channels = int(full * multiplier)
                self.features.add(*_conv(before, 3, stride, groups=before), nn.Activation("relu"))
                self.features.add(*_conv(channels), nn.Activation("relu"))
                before = channels
            self.features.add(nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes)


class MobileNetV2(Classifier):
    """MobileNetV2: (N, 3, H, W) to (N, classes).

    Source: Sandler et al., 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks".

    Args:
        multiplier: Share of the channels.
        classes: Number of classes.
        **kwargs: `prefix`, `params`.
    """

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="features_")
            with self.features.name_scope():
                before = int(32 * multiplier)
                self.features.add(*_conv(before, 3, 2), RELU6())
                for t, full, repetitions, first_stride in BOTTLENECKS:
                    channels = int(full * multiplier)
                    for repetition in range(repetitions):
                        stride = 1 if repetition else first_stride
                        self.features.add(LinearBottleneck(before, channels, t, stride))
                        before = channels
                self.features.add(*_conv(int(1280 * max(multiplier, 1.0))), RELU6(), nn.GlobalAvgPool2D())
            self.output = nn.HybridSequential(prefix="output_")
            with self.output.name_scope():
                self.output.add(nn.Conv2D(classes, 1, use_bias=False, prefix="pred_"), nn.Flatten())


def get_mobilenet(
    multiplier: float,
    pretrained: bool = False,
    ctx: Context = CPU,
    root: str | os.PathLike[str] = ROOT,
    **kwargs: Any,
) -> MobileNet:
    """Return a MobileNet.

    Args:
        multiplier: Share of the channels. Weights were published for 1.0, 0.75, 0.5 and 0.25.
        pretrained: Whether to load trained weights; see `model_store.get_model_file`.
        ctx: Where to load them.
        root: Folder of the file.
        **kwargs: `classes`, `prefix`, `params`.
    """
    net = MobileNet(multiplier, **kwargs)
    if pretrained:
        load_pretrained(net, f"mobilenet{float(multiplier)}", root, ctx)
    return net


def get_mobilenet_v2(
    multiplier: float,
    pretrained: bool = False,
    ctx: Context = CPU,
    root: str | os.PathLike[str] = ROOT,
    **kwargs: Any,
) -> MobileNetV2:
    """Return a MobileNetV2; see `get_mobilenet`."""
    net = MobileNetV2(multiplier, **kwargs)
    if pretrained:
        load_pretrained(net, f"mobilenetv2_{float(multiplier)}", root, ctx)
    return net


def mobilenet1_0(**kwargs: Any) -> MobileNet:
    """Return a MobileNet of full width; see `get_mobilenet`."""
    return get_mobilenet(1.0, **kwargs)


def mobilenet0_75(**kwargs: Any) -> MobileNet:
    """Return a MobileNet of three quarters of the width; see `get_mobilenet`."""
    return get_mobilenet(0.75, **kwargs)


def mobilenet0_5(**kwargs: Any) -> MobileNet:
    """Return a MobileNet of half the width; see `get_mobilenet`."""
    return get_mobilenet(0.5, **kwargs)


def mobilenet0_25(**kwargs: Any) -> MobileNet:
    """Return a MobileNet of a quarter of the width; see `get_mobilenet`."""
    return get_mobilenet(0.25, **kwargs)


def mobilenet_v2_1_0(**kwargs: Any) -> MobileNetV2:
    """Return a MobileNetV2 of full width; see `get_mobilenet_v2`."""
    return get_mobilenet_v2(1.0, **kwargs)


def mobilenet_v2_0_75(**kwargs: Any) -> MobileNetV2:
    """Return a MobileNetV2 of three quarters of the width; see `get_mobilenet_v2`."""
    return get_mobilenet_v2(0.75, **kwargs)


def mobilenet_v2_0_5(**kwargs: Any) -> MobileNetV2:
    """Return a MobileNetV2 of half the width; see `get_mobilenet_v2`."""
    return get_mobilenet_v2(0.5, **kwargs)


def mobilenet_v2_0_25(**kwargs: Any) -> MobileNetV2:
    """Return a MobileNetV2 of a quarter of the width; see `get_mobilenet_v2`."""
    return get_mobilenet_v2(0.25, **kwargs)
