"""Save a model with `Block.save` of real MXNet 1.9.1: run it with the oracle's Python.

    python tests/golden/make_saved_block.py

Writes tests/golden/saved_block/net-model.json, net-model.params, and net-call.npz with `data` and `output0`.
"""

import os

import mxnet as mx
import numpy as np
from mxnet.gluon import nn

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "saved_block")


class Net(nn.Block):
    """A hybridized child and one that is not; tests/gluon/test_saved_block.py has the same."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.body = nn.HybridSequential()
            with self.body.name_scope():
                self.body.add(nn.Dense(3, activation="tanh", in_units=2), nn.BatchNorm(in_channels=3))
            self.head = nn.Dense(2, in_units=3)

    def forward(self, x):
        return self.head(self.body(x))


def main():
    Net()  # so that the names of the saved model are not those that a new one gets
    net = Net()
    net.initialize()
    rng = np.random.RandomState(5)
    for name, param in sorted(net.collect_params().items()):
        low, high = (0.5, 2.0) if name.endswith(("var", "gamma")) else (-0.5, 0.5)
        param.set_data(mx.nd.array(rng.uniform(low, high, param.shape)))
    net.body.hybridize()
    data = mx.nd.array(rng.uniform(-1, 1, (4, 2)))
    output = net(data)
    net.save(os.path.join(FOLDER, "net"))
    np.savez(os.path.join(FOLDER, "net-call.npz"), data=data.asnumpy(), output0=output.asnumpy())


if __name__ == "__main__":
    main()
