"""AlexNet."""

import os
from typing import Any

from gluonnx.context import Context, cpu
from gluonnx.gluon import nn
from gluonnx.gluon.model_zoo.model_store import ROOT, load_pretrained
from gluonnx.gluon.model_zoo.vision.classifier import Classifier

__all__ = ["AlexNet", "alexnet"]

CPU = cpu()


class AlexNet(Classifier):
    """AlexNet: (N, 3, H, W) with H, W of at least 63 to (N, classes).

    Source: Krizhevsky, 2014, "One weird trick for parallelizing convolutional neural networks".
    """

    def __init__(self, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(
                nn.Conv2D(64, 11, strides=4, padding=2, activation="relu"),
                nn.MaxPool2D(3, 2),
                nn.Conv2D(192, 5, padding=2, activation="relu"),
                nn.MaxPool2D(3, 2),
                nn.Conv2D(384, 3, padding=1, activation="relu"),
                nn.Conv2D(256, 3, padding=1, activation="relu"),
                nn.Conv2D(256, 3, padding=1, activation="relu"),
                nn.MaxPool2D(3, 2),
                nn.Flatten(),
                nn.Dense(4096, activation="relu"),
                nn.Dropout(0.5),
                nn.Dense(4096, activation="relu"),
                nn.Dropout(0.5),
            )
            self.output = nn.Dense(classes)


def alexnet(
    pretrained: bool = False, ctx: Context = CPU, root: str | os.PathLike[str] = ROOT, **kwargs: Any
) -> AlexNet:
    """Return an AlexNet.

    Args:
        pretrained: Whether to load trained weights; see `model_store.get_model_file`.
        ctx: Where to load them.
        root: Folder of the file.
        **kwargs: `classes`, `prefix`, `params`.
    """
    net = AlexNet(**kwargs)
    if pretrained:
        load_pretrained(net, "alexnet", root, ctx)
    return net
