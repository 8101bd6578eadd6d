"""Transposed convolutions."""

from .case import Array, Case

_LINE, _IMAGE, _VOLUME = Array((2, 4, 7)), Array((2, 4, 6, 5)), Array((1, 2, 4, 3, 5))

CASES = (
    Case("conv1d-transpose", lambda mx: mx.gluon.nn.Conv1DTranspose(3, 3), (_LINE,)),
    Case("conv1d-transpose-all", lambda mx: mx.gluon.nn.Conv1DTranspose(3, 3, 2, 1, 1), (_LINE,)),
    Case("conv2d-transpose", lambda mx: mx.gluon.nn.Conv2DTranspose(3, 3), (_IMAGE,)),
    Case("conv2d-transpose-no-bias", lambda mx: mx.gluon.nn.Conv2DTranspose(3, 2, 2, use_bias=False), (_IMAGE,)),
    Case(
        "conv2d-transpose-all",
        lambda mx: mx.gluon.nn.Conv2DTranspose(
            4, 3, (2, 3), 1, (1, 0), groups=2, in_channels=4, activation="relu", prefix="up_"
        ),
        (_IMAGE,),
    ),
    Case("conv3d-transpose", lambda mx: mx.gluon.nn.Conv3DTranspose(3, 2, strides=2), (_VOLUME,)),
)
