"""Write models and checkpoints with real MXNet 1.9.1: run it with the oracle's Python.

    python tests/golden/make_models.py

tests/golden/models/NAME-symbol.json, NAME-0000.params: `HybridBlock.export` (or `Module.save_checkpoint` for
`module`). NAME.params: `save_parameters`. NAME-call.npz: inputs by name, and the outputs `output0`, ... at inference.
"""

import os
import warnings

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, nn

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")


class Two(HybridBlock):
    """Two inputs, two outputs, a parameter and a constant of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(3)
            self.scale = self.params.get("scale", shape=(3,), init="ones")
            self.shift = self.params.get_constant("shift", mx.nd.array([1.0, 2.0, 3.0]))

    def hybrid_forward(self, F, x, y, scale, shift):
        out = F.broadcast_add(F.broadcast_mul(self.dense(x), scale), shift)
        return out, F.tanh(out + y)


def convnet():
    net = nn.HybridSequential(prefix="convnet_")
    with net.name_scope():
        net.add(
            nn.Conv2D(3, 3, padding=1, activation="relu"),
            nn.BatchNorm(),
            nn.BatchNorm(scale=False),
            nn.MaxPool2D(),
            nn.AvgPool2D(3, strides=1, padding=1),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Dense(6, activation="tanh"),
            nn.LeakyReLU(0.1),
            nn.Dense(4),
        )
    return net


def randomize(net, rng):
    for name, param in sorted(net.collect_params().items()):
        if name.endswith("shift"):
            continue
        low, high = (0.5, 2.0) if name.endswith(("var", "gamma")) else (-0.5, 0.5)
        param.set_data(mx.nd.array(rng.uniform(low, high, param.shape)))


def write_block(name, net, inputs, rng):
    net.initialize()
    arrays = [mx.nd.array(a) for a in inputs.values()]
    net(*arrays)
    randomize(net, rng)
    net.hybridize()
    outputs = net(*arrays)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    path = os.path.join(FOLDER, name)
    net.export(path)
    net.save_parameters(path + ".params")
    write_call(path, inputs, outputs)


def write_call(path, inputs, outputs):
    values = {"output%d" % i: o.asnumpy() for i, o in enumerate(outputs)}
    np.savez(path + "-call.npz", **{k: v.astype("float32") for k, v in inputs.items()}, **values)


def write_module(rng):
    """A checkpoint of the Module era: the graph ends in SoftmaxOutput, whose label is an argument."""
    data = mx.sym.var("data")
    net = mx.sym.FullyConnected(data, num_hidden=5, name="fc1")
    net = mx.sym.BatchNorm(net, name="bn1", fix_gamma=True)
    net = mx.sym.Activation(net, act_type="relu", name="relu1")
    net = mx.sym.FullyConnected(net, num_hidden=4, name="fc2")
    net = mx.sym.SoftmaxOutput(net, name="softmax")
    module = mx.mod.Module(net, ["data"], ["softmax_label"])
    module.bind([("data", (2, 3))], [("softmax_label", (2,))], for_training=False)
    module.init_params(mx.init.Uniform(0.7))
    inputs = {"data": rng.uniform(-1, 1, (2, 3)).astype("float32")}
    module.forward(mx.io.DataBatch([mx.nd.array(inputs["data"])], None), is_train=False)
    path = os.path.join(FOLDER, "module")
    module.save_checkpoint(path, 0)
    write_call(path, inputs, module.get_outputs())


def main():
    warnings.simplefilter("ignore")
    os.makedirs(FOLDER, exist_ok=True)
    mx.random.seed(1)
    rng = np.random.RandomState(1)
    write_block("convnet", convnet(), {"data": rng.uniform(-1, 1, (2, 1, 8, 8))}, rng)
    write_block(
        "two", Two(prefix="two_"), {"data0": rng.uniform(-1, 1, (2, 5)), "data1": rng.uniform(-1, 1, (2, 3))}, rng
    )
    write_module(rng)


if __name__ == "__main__":
    main()
