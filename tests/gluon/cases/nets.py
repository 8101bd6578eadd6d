"""Whole networks: the digit classifier, and one with batch normalization and dropout."""

from .case import FORGETS, Array, Case


def lenet(mx):
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(
            nn.Conv2D(20, kernel_size=3, padding=1, activation="relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Conv2D(50, kernel_size=3, padding=1, activation="relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Flatten(),
            nn.Dense(128, activation="relu"),
            nn.Dense(10),
        )
    return net


def digits(mx):
    """The network of samples/digits."""
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(
            nn.Conv2D(20, kernel_size=3, padding=1),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Conv2D(50, kernel_size=3, padding=1),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.MaxPool2D(pool_size=2, strides=2),
            nn.Flatten(),
            nn.Dense(128, activation="relu"),
            nn.Dense(10),
        )
    return net


def normalized(mx, rate=0.5):
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(
            nn.Conv2D(8, kernel_size=3, padding=1, use_bias=False),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.AvgPool2D(),
            nn.Conv2D(12, kernel_size=3, groups=4),
            nn.BatchNorm(scale=False),
            nn.LeakyReLU(0.1),
            nn.GlobalAvgPool2D(),
            nn.Flatten(),
        )
        if rate:
            net.add(nn.Dropout(rate))
        net.add(nn.Dense(10))
    return net


_DIGITS = (Array((8, 1, 8, 8), kind="unit"),)

_FIXED = {"batchnorm1_gamma": "ones"}  # MXNet's operator writes 1 into a fixed gamma
_SUMS = {"rtol": 1e-4, "atol": 3e-5, "why": "sums of thousands of products, through several layers and steps"}

CASES = (
    Case("lenet", lenet, _DIGITS, steps=5, predict_gradient=FORGETS, **_SUMS),
    Case("digits", digits, _DIGITS, steps=5, predict_gradient=FORGETS, **_SUMS),
    Case("normalized-dropout", normalized, _DIGITS, is_random=True),
    Case("normalized", lambda mx: normalized(mx, rate=0), _DIGITS, values=_FIXED, steps=5, **_SUMS),
)
