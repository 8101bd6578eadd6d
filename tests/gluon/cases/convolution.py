"""Convolutions."""

from .case import Array, Case

_LINE, _IMAGE, _VOLUME = Array((2, 4, 7)), Array((2, 4, 6, 5)), Array((1, 2, 4, 3, 5))

CASES = (
    Case("conv1d", lambda mx: mx.gluon.nn.Conv1D(3, 3), (_LINE,)),
    Case("conv1d-all", lambda mx: mx.gluon.nn.Conv1D(6, 3, 2, 1, 2, 2, activation="relu"), (_LINE,)),
    Case("conv2d", lambda mx: mx.gluon.nn.Conv2D(3, 3), (_IMAGE,)),
    Case("conv2d-known", lambda mx: mx.gluon.nn.Conv2D(3, (3, 2), in_channels=4, prefix="c_"), (_IMAGE,)),
    Case("conv2d-lists", lambda mx: mx.gluon.nn.Conv2D(3, [3, 2], strides=[1, 2], padding=[1, 1]), (_IMAGE,)),
    Case("conv2d-strides", lambda mx: mx.gluon.nn.Conv2D(3, 3, strides=2, padding=1), (_IMAGE,)),
    Case("conv2d-dilation", lambda mx: mx.gluon.nn.Conv2D(3, 2, dilation=(2, 1), padding=(0, 2)), (_IMAGE,)),
    Case("conv2d-groups", lambda mx: mx.gluon.nn.Conv2D(6, 3, groups=2, use_bias=False), (_IMAGE,)),
    Case("conv2d-depthwise", lambda mx: mx.gluon.nn.Conv2D(4, 3, groups=4, in_channels=4), (_IMAGE,)),
    Case("conv2d-relu", lambda mx: mx.gluon.nn.Conv2D(3, 1, activation="relu", bias_initializer="ones"), (_IMAGE,)),
    Case("conv3d", lambda mx: mx.gluon.nn.Conv3D(3, 2), (_VOLUME,)),
    Case("conv3d-all", lambda mx: mx.gluon.nn.Conv3D(4, (1, 2, 3), 2, 1, 1, 2, activation="tanh"), (_VOLUME,)),
)
