"""Initial values that MXNet 1.9.1 and gluonnx are compared on: exact ones, and bounds of random ones. Python 3.8."""

import numpy as np

# name -> (initializer, arguments, parameter name, shape): values are compared
EXACT = {
    "zero": ("Zero", {}, "a_weight", (2, 3)),
    "one": ("One", {}, "a_weight", (2, 3)),
    "constant": ("Constant", {"value": 0.25}, "a_weight", (2, 3)),
    "bilinear": ("Bilinear", {}, "up_weight", (2, 3, 4, 4)),
    "bilinear_odd": ("Bilinear", {}, "up_weight", (1, 2, 3, 5)),
    "lstm_bias": ("LSTMBias", {"forget_bias": 2.0}, "lstm_weight", (12,)),
    "xavier_bias": ("Xavier", {}, "a_bias", (4,)),
    "xavier_gamma": ("Xavier", {}, "a_gamma", (4,)),
    "xavier_beta": ("Xavier", {}, "a_beta", (4,)),
    "xavier_min": ("Xavier", {}, "a_min", (1,)),
    "xavier_max": ("Xavier", {}, "a_max", (1,)),
    "xavier_bias_quantize": ("Xavier", {}, "a_bias_quantize", (3,)),
}

# name -> (initializer, arguments, shape): standard deviation and largest absolute value are compared
RANDOM = {
    "uniform": ("Uniform", {"scale": 0.3}, (200, 100)),
    "uniform_default": ("Uniform", {}, (200, 100)),
    "normal": ("Normal", {"sigma": 0.2}, (200, 100)),
    "normal_default": ("Normal", {}, (200, 100)),
    "xavier": ("Xavier", {}, (200, 100)),
    "xavier_in": ("Xavier", {"factor_type": "in", "magnitude": 2.34}, (200, 100)),
    "xavier_out": ("Xavier", {"factor_type": "out"}, (200, 100)),
    "xavier_conv": ("Xavier", {"rnd_type": "gaussian"}, (40, 30, 3, 5)),
    "msra": ("MSRAPrelu", {}, (40, 30, 3, 5)),
    "msra_in": ("MSRAPrelu", {"factor_type": "in", "slope": 0.0}, (200, 100)),
    "orthogonal": ("Orthogonal", {}, (60, 30)),
    "orthogonal_normal": ("Orthogonal", {"scale": 2.0, "rand_type": "normal"}, (20, 5, 3, 3)),
}

# Initializers whose description is compared.
DUMPS = {
    "zero": ("Zero", {}),
    "one": ("One", {}),
    "constant": ("Constant", {"value": 3.5}),
    "uniform": ("Uniform", {}),
    "normal": ("Normal", {"sigma": 0.5}),
    "xavier": ("Xavier", {"factor_type": "in", "magnitude": 2.34}),
    "msra": ("MSRAPrelu", {}),
    "orthogonal": ("Orthogonal", {}),
    "bilinear": ("Bilinear", {}),
    "lstm": ("LSTMBias", {}),
}


def exact(mx, name):
    kind, arguments, parameter, shape = EXACT[name]
    array = mx.nd.full(shape, 7.0)
    getattr(mx.init, kind)(**arguments)(mx.init.InitDesc(parameter), array)
    return array.asnumpy()


def statistics(mx, name):
    """Return (standard deviation, largest absolute value)."""
    kind, arguments, shape = RANDOM[name]
    mx.random.seed(11)
    array = mx.nd.zeros(shape)
    getattr(mx.init, kind)(**arguments)(mx.init.InitDesc("a_weight"), array)
    values = array.asnumpy().astype(np.float64)
    return np.array([values.std(), np.abs(values).max()])


def dumps(mx, name):
    kind, arguments = DUMPS[name]
    return getattr(mx.init, kind)(**arguments).dumps()
