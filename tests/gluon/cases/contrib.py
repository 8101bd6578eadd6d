"""Layers of `gluon.contrib.nn`."""

from .case import Array, Case


def _parallel(mx, kind):
    contrib, nn = mx.gluon.contrib.nn, mx.gluon.nn
    net = getattr(contrib, kind)(axis=1, prefix="p_")
    with net.name_scope():
        net.add(nn.Dense(3), contrib.Identity(), nn.Dense(2, activation="tanh"))
    return net


CASES = (
    Case("concurrent", lambda mx: _parallel(mx, "Concurrent"), (Array((2, 4)),), traced="not a HybridBlock"),
    Case("hybrid-concurrent", lambda mx: _parallel(mx, "HybridConcurrent"), (Array((2, 4)),)),
    Case(
        "sync-batch-norm",
        lambda mx: mx.gluon.contrib.nn.SyncBatchNorm(num_devices=1, scale=False, prefix="sync_"),
        (Array((4, 3, 2)),),
    ),
    Case("pixel-shuffle1d", lambda mx: mx.gluon.contrib.nn.PixelShuffle1D(2), (Array((2, 6, 3)),)),
    Case("pixel-shuffle2d", lambda mx: mx.gluon.contrib.nn.PixelShuffle2D((2, 3)), (Array((2, 12, 3, 2)),)),
    Case("pixel-shuffle2d-one", lambda mx: mx.gluon.contrib.nn.PixelShuffle2D(2), (Array((1, 8, 3, 2)),)),
    Case("pixel-shuffle3d", lambda mx: mx.gluon.contrib.nn.PixelShuffle3D((2, 1, 3)), (Array((1, 12, 2, 3, 2)),)),
)
