"""Layers of `gluon.contrib.cnn`."""

from .case import Array, Case

GPU_ONLY = "MXNet has its gradient on GPUs only"
SUMS = {"rtol": 1e-4, "atol": 1e-5, "why": "sums of 36 products and more"}


def _plain(id, *args, data=(2, 4, 6, 5), **kwargs):
    kwargs.setdefault("prefix", "d_")
    return Case(
        "deformable-" + id,
        lambda mx: mx.gluon.contrib.cnn.DeformableConvolution(*args, **kwargs),
        (Array(data),),
        **SUMS,
    )


def _modulated(id, *args, **kwargs):
    kwargs.setdefault("prefix", "m_")
    return Case(
        "modulated-" + id,
        lambda mx: mx.gluon.contrib.cnn.ModulatedDeformableConvolution(*args, **kwargs),
        (Array((2, 4, 6, 5)),),
        recorded=GPU_ONLY,
        **SUMS,
    )


CASES = (
    _plain("default", 3),
    _plain("kernel", 3, (3, 2), padding=1, in_channels=4),
    _plain("strides", 4, 3, (2, 1), (2, 1), (1, 2), activation="relu"),
    _plain("groups", 4, 3, padding=1, groups=2, num_deformable_group=2),
    _plain("no-bias", 3, 2, use_bias=False, offset_use_bias=False),
    _plain("no-offset-bias", 3, 2, offset_use_bias=False, activation="tanh"),
    _plain("named", 3, 2, prefix=None, use_bias=False),
    _modulated("default", 3),
    _modulated("kernel", 4, 3, padding=1, num_deformable_group=2, activation="relu"),
    _modulated("no-bias", 3, 2, use_bias=False, offset_use_bias=False),
    _modulated("named", 3, 2, prefix=None),
)
