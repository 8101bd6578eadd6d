"""Activation layers."""

from .case import Array, Case

_X = (Array((2, 3, 4), kind="away"),)

CASES = (
    *(
        Case("activation-" + name, lambda mx, name=name: mx.gluon.nn.Activation(name), _X)
        for name in ("relu", "sigmoid", "tanh", "softrelu", "softsign")
    ),
    Case("leaky", lambda mx: mx.gluon.nn.LeakyReLU(0.2), _X),
    Case("leaky-zero", lambda mx: mx.gluon.nn.LeakyReLU(0), _X),
    Case("prelu", lambda mx: mx.gluon.nn.PReLU(), _X),
    Case("prelu-channels", lambda mx: mx.gluon.nn.PReLU(mx.init.Constant(0.1), in_channels=3), _X),
    Case("elu", lambda mx: mx.gluon.nn.ELU(), _X),
    Case("elu-alpha", lambda mx: mx.gluon.nn.ELU(alpha=0.5), _X),
    Case("selu", lambda mx: mx.gluon.nn.SELU(), _X),
    Case("gelu", lambda mx: mx.gluon.nn.GELU(), _X),
    Case("swish", lambda mx: mx.gluon.nn.Swish(), _X),
    Case("swish-beta", lambda mx: mx.gluon.nn.Swish(beta=2), _X),
)
