"""What every network for images is: features, then a classifier."""

from typing import Any

from gluonnx.gluon import nn
from gluonnx.gluon.block import HybridBlock

__all__ = ["Classifier"]


class Classifier(HybridBlock):
    """A network whose `output` reads what `features` finds in an image.

    Attributes:
        features: (N, 3, H, W) images to what distinguishes them.
        output: Features to (N, classes).
    """

    features: nn.HybridSequential
    output: HybridBlock

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return (N, classes)."""
        return self.output(self.features(x))
