"""ResNet, V1 and V2."""

import os
from collections.abc import Sequence
from typing import Any

from gluonnx.context import Context, cpu
from gluonnx.errors import ArgumentError
from gluonnx.gluon import nn
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.model_zoo.model_store import ROOT, load_pretrained
from gluonnx.gluon.model_zoo.vision.classifier import Classifier

__all__ = [
    "BasicBlockV1",
    "BasicBlockV2",
    "BottleneckV1",
    "BottleneckV2",
    "ResNetV1",
    "ResNetV2",
    "get_resnet",
    "resnet18_v1",
    "resnet18_v2",
    "resnet34_v1",
    "resnet34_v2",
    "resnet50_v1",
    "resnet50_v2",
    "resnet101_v1",
    "resnet101_v2",
    "resnet152_v1",
    "resnet152_v2",
]

CPU = cpu()

BASIC = (64, 64, 128, 256, 512)
WIDE = (64, 256, 512, 1024, 2048)
SIZES = {
    18: (False, (2, 2, 2, 2), BASIC),
    34: (False, (3, 4, 6, 3), BASIC),
    50: (True, (3, 4, 6, 3), WIDE),
    101: (True, (3, 4, 23, 3), WIDE),
    152: (True, (3, 8, 36, 3), WIDE),
}
"""Layers: whether blocks are bottlenecks, blocks of each stage, channels of the first convolution and of each stage."""


def _conv3(channels: int, stride: int, in_channels: int) -> nn.Conv2D:
    return nn.Conv2D(channels, 3, stride, 1, use_bias=False, in_channels=in_channels)


def _shortcut(channels: int, stride: int, in_channels: int) -> nn.Conv2D:
    return nn.Conv2D(channels, 1, stride, use_bias=False, in_channels=in_channels)


class _BlockV1(HybridBlock):
    """What blocks of V1 share: the shortcut is normalized, and the sum goes through a relu.

    Attributes:
        body: The residual function.
        downsample: The shortcut, None for the data itself.
    """

    body: nn.HybridSequential

    def _add_shortcut(self, channels: int, stride: int, in_channels: int, is_projected: bool) -> None:
        self.downsample: nn.HybridSequential | None = None
        if is_projected:
            self.downsample = nn.HybridSequential(prefix="")
            self.downsample.add(_shortcut(channels, stride, in_channels), nn.BatchNorm())


class BasicBlockV1(_BlockV1):
    """Two convolutions of 3x3, for ResNet V1 of 18 and 34 layers.

    Source: He et al., 2015, "Deep Residual Learning for Image Recognition".

    Args:
        channels: Channels of the result.
        stride: Stride.
        downsample: Whether the shortcut is a convolution.
        in_channels: Channels of the data; 0 if they follow from it.
        **kwargs: `prefix`, `params`.
    """

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.body = nn.HybridSequential(prefix="")
        self.body.add(_conv3(channels, stride, in_channels), nn.BatchNorm(), nn.Activation("relu"))
        self.body.add(_conv3(channels, 1, channels), nn.BatchNorm())
        self._add_shortcut(channels, stride, in_channels, downsample)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, channels, H / stride, W / stride)."""
        body = self.body(x)
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.Activation(shortcut + body, act_type="relu")


class BottleneckV1(_BlockV1):
    """Convolutions of 1x1, 3x3 and 1x1, for ResNet V1 of 50 and more layers; see `BasicBlockV1`."""

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        narrow = channels // 4
        self.body = nn.HybridSequential(prefix="")
        self.body.add(nn.Conv2D(narrow, 1, stride), nn.BatchNorm(), nn.Activation("relu"))
        self.body.add(_conv3(narrow, 1, narrow), nn.BatchNorm(), nn.Activation("relu"))
        self.body.add(nn.Conv2D(channels, 1, 1), nn.BatchNorm())
        self._add_shortcut(channels, stride, in_channels, downsample)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, channels, H / stride, W / stride)."""
        body = self.body(x)
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.Activation(body + shortcut, act_type="relu")


class BasicBlockV2(HybridBlock):
    """Two convolutions of 3x3, each normalized before, for ResNet V2 of 18 and 34 layers.

    Source: He et al., 2016, "Identity Mappings in Deep Residual Networks".

    Args:
        channels: Channels of the result.
        stride: Stride.
        downsample: Whether the shortcut is a convolution.
        in_channels: Channels of the data; 0 if they follow from it.
        **kwargs: `prefix`, `params`.
    """

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.bn1 = nn.BatchNorm()
        self.conv1 = _conv3(channels, stride, in_channels)
        self.bn2 = nn.BatchNorm()
        self.conv2 = _conv3(channels, 1, channels)
        self.downsample = _shortcut(channels, stride, in_channels) if downsample else None

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, channels, H / stride, W / stride)."""
        active = F.Activation(self.bn1(x), act_type="relu")
        shortcut = x if self.downsample is None else self.downsample(active)
        active = F.Activation(self.bn2(self.conv1(active)), act_type="relu")
        return self.conv2(active) + shortcut


class BottleneckV2(HybridBlock):
    """Convolutions of 1x1, 3x3 and 1x1, for ResNet V2 of 50 and more layers; see `BasicBlockV2`."""

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        narrow = channels // 4
        self.bn1 = nn.BatchNorm()
        self.conv1 = nn.Conv2D(narrow, 1, 1, use_bias=False)
        self.bn2 = nn.BatchNorm()
        self.conv2 = _conv3(narrow, stride, narrow)
        self.bn3 = nn.BatchNorm()
        self.conv3 = nn.Conv2D(channels, 1, 1, use_bias=False)
        self.downsample = _shortcut(channels, stride, in_channels) if downsample else None

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, channels, H / stride, W / stride)."""
        active = F.Activation(self.bn1(x), act_type="relu")
        shortcut = x if self.downsample is None else self.downsample(active)
        active = F.Activation(self.bn2(self.conv1(active)), act_type="relu")
        active = F.Activation(self.bn3(self.conv2(active)), act_type="relu")
        return self.conv3(active) + shortcut


class _ResNet(Classifier):
    """What both versions share: stages of blocks."""

    def _add_stem(self, channels: int, thumbnail: bool) -> None:
        if thumbnail:
            self.features.add(_conv3(channels, 1, 0))
        else:
            self.features.add(nn.Conv2D(channels, 7, 2, 3, use_bias=False))
            self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(3, 2, 1))

    def _add_stages(self, block: type[HybridBlock], layers: Sequence[int], channels: Sequence[int]) -> None:
        if len(layers) != len(channels) - 1:
            raise ArgumentError(
                f"{type(self).__name__}: layers and channels do not go together: expected one number of channels more "
                f"than stages, got {len(layers)} stages and {len(channels)} numbers."
            )
        for number, count in enumerate(layers, start=1):
            before, after = channels[number - 1], channels[number]
            stage = nn.HybridSequential(prefix=f"stage{number}_")
            with stage.name_scope():
                stage.add(_residual(block, after, 1 if number == 1 else 2, after != before, before))
                for _ in range(count - 1):
                    stage.add(_residual(block, after, 1, False, after))
            self.features.add(stage)


def _residual(block: Any, channels: int, stride: int, is_projected: bool, in_channels: int) -> HybridBlock:
    made: HybridBlock = block(channels, stride, is_projected, in_channels=in_channels, prefix="")
    return made


class ResNetV1(_ResNet):
    """ResNet V1: (N, 3, H, W) to (N, classes).

    Source: He et al., 2015, "Deep Residual Learning for Image Recognition".

    Args:
        block: Class of the blocks, such as `BasicBlockV1`.
        layers: Number of blocks of each stage.
        channels: Channels of the first convolution, then of each stage.
        classes: Number of classes.
        thumbnail: Whether images are small: the first convolution is 3x3 then and nothing is pooled.
        **kwargs: `prefix`, `params`.

    Raises:
        ArgumentError: `channels` does not have one entry more than `layers`.
    """

    def __init__(
        self,
        block: type[HybridBlock],
        layers: Sequence[int],
        channels: Sequence[int],
        classes: int = 1000,
        thumbnail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self._add_stem(channels[0], thumbnail)
            self._add_stages(block, layers, channels)
            self.features.add(nn.GlobalAvgPool2D())
            self.output = nn.Dense(classes, in_units=channels[-1])


class ResNetV2(_ResNet):
    """ResNet V2: (N, 3, H, W) to (N, classes); the images are normalized first. See `ResNetV1` for the arguments.

    Source: He et al., 2016, "Identity Mappings in Deep Residual Networks".
    """

    def __init__(
        self,
        block: type[HybridBlock],
        layers: Sequence[int],
        channels: Sequence[int],
        classes: int = 1000,
        thumbnail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.BatchNorm(scale=False, center=False))
            self._add_stem(channels[0], thumbnail)
            self._add_stages(block, layers, channels)
            self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes, in_units=channels[-1])


def get_resnet(
    version: int,
    num_layers: int,
    pretrained: bool = False,
    ctx: Context = CPU,
    root: str | os.PathLike[str] = ROOT,
    **kwargs: Any,
) -> ResNetV1 | ResNetV2:
    """Return a ResNet.

    Args:
        version: 1 or 2.
        num_layers: 18, 34, 50, 101 or 152.
        pretrained: Whether to load trained weights; see `model_store.get_model_file`.
        ctx: Where to load them.
        root: Folder of the file.
        **kwargs: `classes`, `thumbnail`, `prefix`, `params`.

    Raises:
        ArgumentError: There is no such version, or none of so many layers.
    """
    if num_layers not in SIZES:
        raise ArgumentError(
            f"get_resnet: Invalid number of layers: {num_layers}: expected one of {', '.join(map(str, SIZES))}, got "
            f"num_layers={num_layers}."
        )
    if version not in (1, 2):
        raise ArgumentError(
            f"get_resnet: Invalid resnet version: {version}. Options are 1 and 2: expected one of them, got "
            f"version={version}."
        )
    is_bottleneck, layers, channels = SIZES[num_layers]
    net: ResNetV1 | ResNetV2
    if version == 1:
        net = ResNetV1(BottleneckV1 if is_bottleneck else BasicBlockV1, layers, channels, **kwargs)
    else:
        net = ResNetV2(BottleneckV2 if is_bottleneck else BasicBlockV2, layers, channels, **kwargs)
    if pretrained:
        load_pretrained(net, f"resnet{num_layers}_v{version}", root, ctx)
    return net


def resnet18_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V1 of 18 layers; see `get_resnet`."""
    return get_resnet(1, 18, **kwargs)


def resnet34_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V1 of 34 layers; see `get_resnet`."""
    return get_resnet(1, 34, **kwargs)


def resnet50_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V1 of 50 layers; see `get_resnet`."""
    return get_resnet(1, 50, **kwargs)


def resnet101_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V1 of 101 layers; see `get_resnet`."""
    return get_resnet(1, 101, **kwargs)


def resnet152_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V1 of 152 layers; see `get_resnet`."""
    return get_resnet(1, 152, **kwargs)


def resnet18_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V2 of 18 layers; see `get_resnet`."""
    return get_resnet(2, 18, **kwargs)


def resnet34_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V2 of 34 layers; see `get_resnet`."""
    return get_resnet(2, 34, **kwargs)


def resnet50_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V2 of 50 layers; see `get_resnet`."""
    return get_resnet(2, 50, **kwargs)


def resnet101_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V2 of 101 layers; see `get_resnet`."""
    return get_resnet(2, 101, **kwargs)


def resnet152_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """Return a ResNet V2 of 152 layers; see `get_resnet`."""
    return get_resnet(2, 152, **kwargs)
