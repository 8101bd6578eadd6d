"""The networks of the model zoo, and the parameters and images with which they are compared.

Runs under Python 3.8 too, where MXNet 1.9.1 makes the same (tests/golden/make_zoo.py).
"""

import hashlib
import math
import zlib

import numpy as np

NAMES = (
    [f"resnet{n}_v{v}" for v in (1, 2) for n in (18, 34, 50, 101, 152)]
    + [f"vgg{n}{end}" for end in ("", "_bn") for n in (11, 13, 16, 19)]
    + ["alexnet", "inceptionv3", "squeezenet1.0", "squeezenet1.1"]
    + [f"densenet{n}" for n in (121, 161, 169, 201)]
    + [f"mobilenet{v}{m}" for v in ("", "v2_") for m in ("1.0", "0.75", "0.5", "0.25")]
)

RUN = {"alexnet": 63, "resnet18_v1": 32, "mobilenetv2_0.25": 32, "squeezenet1.1": 209, "densenet121": 221}
"""Networks that are run, and the size of the image, the smallest that each takes or next to it."""


def shape_of(name):
    """Shape of the images with which the shapes of parameters are found."""
    size = RUN.get(name, 299 if name == "inceptionv3" else 224)
    return (1, 3, size, size)


def images(name):
    return _rng(name).uniform(-1, 1, shape_of(name)).astype("float32")


def parameter(path, shape):
    """The value of a parameter, by its key in `save_parameters`: signals keep their size from layer to layer."""
    draws = _rng(path).uniform(-1, 1, shape)
    kind = path.rsplit(".", 1)[-1]
    if kind in ("gamma", "running_var"):
        return (1 + 0.3 * draws).astype("float32")
    if kind == "weight":
        return (draws * math.sqrt(6 / np.prod(shape[1:]))).astype("float32")
    return (0.1 * draws).astype("float32")


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def describe(net, graph):
    """What is recorded of a network and its graph, on either side."""
    params = dict(net.collect_params().items())
    shapes = {n: tuple(params[n].shape) for n in params}
    return {
        "symbol": digest(graph.tojson()),
        "arguments": digest(_lines(graph.list_arguments(), shapes)),
        "auxiliary": digest(_lines(graph.list_auxiliary_states(), shapes)),
        "keys": digest("\n".join(net._collect_params_with_prefix())),
        "weights": int(sum(np.prod(s) for s in shapes.values())),
    }


def _lines(names, shapes):
    return "\n".join("%s %s" % (n, shapes.get(n, "")) for n in names)  # noqa: UP031 - Python 3.8 runs this too


def _rng(name):
    return np.random.RandomState(zlib.crc32(name.encode()))
