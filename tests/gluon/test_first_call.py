"""The first call of a hybridized block loads nothing of torch's compiler, which takes a second of CPU time.

Torch's own `backward` loads `symbolic_shapes` (0.3 s) when it is given gradients.
"""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import gluonnx as mx
from gluonnx.gluon import nn
net = {net}
net.initialize()
net.hybridize()
x = mx.nd.ones((2, 3, 32, 32))
net(x).wait_to_read()
with mx.autograd.record():
    net(x).wait_to_read()
print(sorted({{"torch._dynamo", "torch.fx.experimental.symbolic_shapes", "sympy"}} & sys.modules.keys()))
"""

NETS = {
    "convolutions": (
        "nn.HybridSequential()\nnet.add(nn.Conv2D(8, 3, strides=2, activation='relu'), nn.BatchNorm(), "
        "nn.LeakyReLU(0.1), nn.MaxPool2D(), nn.Dense(9), nn.Dropout(0.5), nn.Dense(4, activation='tanh'))"
    ),
    "a residual network": "mx.gluon.model_zoo.vision.resnet18_v2(classes=4)",
    "branches that are joined": (
        "nn.HybridSequential()\nnet.add(mx.gluon.contrib.nn.HybridConcurrent(axis=1))\n"
        "net[0].add(nn.Conv2D(2, 1), nn.AvgPool2D(1))\n"
        "net.add(nn.GlobalAvgPool2D(), nn.Flatten(), nn.Dense(4), nn.HybridLambda('log_softmax'))"
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_loads_no_compiler(name):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    script = SCRIPT.format(net=NETS[name])
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
