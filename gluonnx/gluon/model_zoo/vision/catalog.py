"""The networks by name."""

from collections.abc import Callable
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.model_zoo.vision.alexnet import alexnet
from gluonnx.gluon.model_zoo.vision.densenet import densenet121, densenet161, densenet169, densenet201
from gluonnx.gluon.model_zoo.vision.inception import inception_v3
from gluonnx.gluon.model_zoo.vision.mobilenet import (
    mobilenet0_5,
    mobilenet0_25,
    mobilenet0_75,
    mobilenet1_0,
    mobilenet_v2_0_5,
    mobilenet_v2_0_25,
    mobilenet_v2_0_75,
    mobilenet_v2_1_0,
)
from gluonnx.gluon.model_zoo.vision.resnet import (
    resnet18_v1,
    resnet18_v2,
    resnet34_v1,
    resnet34_v2,
    resnet50_v1,
    resnet50_v2,
    resnet101_v1,
    resnet101_v2,
    resnet152_v1,
    resnet152_v2,
)
from gluonnx.gluon.model_zoo.vision.squeezenet import squeezenet1_0, squeezenet1_1
from gluonnx.gluon.model_zoo.vision.vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn

__all__ = ["get_model"]

MODELS: dict[str, Callable[..., HybridBlock]] = {
    "alexnet": alexnet,
    "densenet121": densenet121,
    "densenet161": densenet161,
    "densenet169": densenet169,
    "densenet201": densenet201,
    "inceptionv3": inception_v3,
    "mobilenet0.25": mobilenet0_25,
    "mobilenet0.5": mobilenet0_5,
    "mobilenet0.75": mobilenet0_75,
    "mobilenet1.0": mobilenet1_0,
    "mobilenetv2_0.25": mobilenet_v2_0_25,
    "mobilenetv2_0.5": mobilenet_v2_0_5,
    "mobilenetv2_0.75": mobilenet_v2_0_75,
    "mobilenetv2_1.0": mobilenet_v2_1_0,
    "resnet101_v1": resnet101_v1,
    "resnet101_v2": resnet101_v2,
    "resnet152_v1": resnet152_v1,
    "resnet152_v2": resnet152_v2,
    "resnet18_v1": resnet18_v1,
    "resnet18_v2": resnet18_v2,
    "resnet34_v1": resnet34_v1,
    "resnet34_v2": resnet34_v2,
    "resnet50_v1": resnet50_v1,
    "resnet50_v2": resnet50_v2,
    "squeezenet1.0": squeezenet1_0,
    "squeezenet1.1": squeezenet1_1,
    "vgg11": vgg11,
    "vgg11_bn": vgg11_bn,
    "vgg13": vgg13,
    "vgg13_bn": vgg13_bn,
    "vgg16": vgg16,
    "vgg16_bn": vgg16_bn,
    "vgg19": vgg19,
    "vgg19_bn": vgg19_bn,
}


def get_model(name: str, **kwargs: Any) -> HybridBlock:
    """Return a network by its name, in upper or lower case.

    Args:
        name: Such as `"resnet18_v1"`.
        **kwargs: What its function takes: `pretrained`, `classes`, `ctx`, `root`, `prefix`, `params`.

    Raises:
        ArgumentError: There is no such network.

    Examples:
        >>> from gluonnx.gluon.model_zoo import vision
        >>> vision.get_model("mobilenetv2_0.25", classes=10).output[0]
        Conv2D(None -> 10, kernel_size=(1, 1), stride=(1, 1), bias=False)
    """
    name = name.lower()
    if name not in MODELS:
        raise ArgumentError(
            f"get_model: Model {name} is not supported. Available options are {', '.join(sorted(MODELS))}: expected "
            f"one of them, got name={name!r}."
        )
    return MODELS[name](**kwargs)
