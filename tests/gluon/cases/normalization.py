"""Normalization layers."""

from .case import FORGETS, Array, Case

_IMAGE = Array((4, 3, 5, 2))

CASES = (
    Case("batch-norm", lambda mx: mx.gluon.nn.BatchNorm(), (_IMAGE,)),
    Case("batch-norm-known", lambda mx: mx.gluon.nn.BatchNorm(in_channels=3, momentum=0.7, prefix="bn_"), (_IMAGE,)),
    Case("batch-norm-last", lambda mx: mx.gluon.nn.BatchNorm(axis=3, epsilon=1e-3), (_IMAGE,)),
    Case("batch-norm-features", lambda mx: mx.gluon.nn.BatchNorm(), (Array((6, 4)),)),
    Case("batch-norm-no-scale", lambda mx: mx.gluon.nn.BatchNorm(scale=False), (_IMAGE,)),
    Case("batch-norm-no-center", lambda mx: mx.gluon.nn.BatchNorm(center=False), (_IMAGE,)),
    Case("batch-norm-global", lambda mx: mx.gluon.nn.BatchNorm(use_global_stats=True), (_IMAGE,)),
    Case("batch-norm-relu", lambda mx: mx.gluon.nn.BatchNormReLU(), (_IMAGE,), predict_gradient=FORGETS),
    Case("instance-norm", lambda mx: mx.gluon.nn.InstanceNorm(), (Array((2, 3, 5)),)),
    Case("instance-norm-scale", lambda mx: mx.gluon.nn.InstanceNorm(scale=True, epsilon=1e-3), (_IMAGE,)),
    Case("instance-norm-axis", lambda mx: mx.gluon.nn.InstanceNorm(axis=2, center=False), (_IMAGE,)),
    Case("layer-norm", lambda mx: mx.gluon.nn.LayerNorm(), (Array((4, 5)),)),
    Case("layer-norm-axis", lambda mx: mx.gluon.nn.LayerNorm(axis=1, epsilon=1e-3, in_channels=3), (_IMAGE,)),
    Case("layer-norm-fixed", lambda mx: mx.gluon.nn.LayerNorm(center=False, scale=False), (Array((4, 5)),)),
    Case("group-norm", lambda mx: mx.gluon.nn.GroupNorm(), (_IMAGE,)),
    Case("group-norm-groups", lambda mx: mx.gluon.nn.GroupNorm(num_groups=2, epsilon=1e-3), (Array((2, 4, 3, 3)),)),
)
