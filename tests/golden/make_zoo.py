"""Record what the networks of MXNet 1.9.1's model zoo are: run it with the oracle's Python.

    python tests/golden/make_zoo.py

Writes tests/golden/gluon/zoo.json: for each network of `get_model` digests of its symbol-json, of the names and shapes of
its arguments and auxiliary states, of the keys that `save_parameters` writes, and its number of weights; for some, outputs
for small images with 10 classes, whose parameters and images `tests/gluon/zoo_values.py` makes on both sides.
"""

import json
import pathlib
import sys
import tempfile

import mxnet as mx
from mxnet.gluon.model_zoo import vision

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "gluon"))

import zoo_values  # noqa: E402


def build(name, **kwargs):
    """The network, its first input, and its graph, in a fresh scope of names; parameters are initialized, shapes known."""
    with mx.name.NameManager():
        net = vision.get_model(name, prefix="net_", **kwargs)
        net.initialize(mx.init.Zero())
        x = mx.nd.zeros(zoo_values.shape_of(name))
        net.infer_shape(x)
        return net, net._cached_graph[1]


def exported(name):
    """The text that `export` writes."""
    with mx.name.NameManager(), tempfile.TemporaryDirectory() as folder:
        net = vision.get_model(name, prefix="net_")
        net.initialize(mx.init.Zero())
        net.hybridize()
        net(mx.nd.zeros(zoo_values.shape_of(name)))
        net.export(folder + "/net")
        return pathlib.Path(folder, "net-symbol.json").read_text()


def main():
    answers = {}
    for name in zoo_values.NAMES:
        net, graph = build(name)
        answers[name] = zoo_values.describe(net, graph)
        print(name, answers[name]["weights"], flush=True)
    for name in zoo_values.RUN:
        assert zoo_values.digest(exported(name)) == answers[name]["symbol"], name
        net, _ = build(name, classes=10)
        for param in net.collect_params().values():
            param._finish_deferred_init()
        for path, param in net._collect_params_with_prefix().items():
            param.set_data(mx.nd.array(zoo_values.parameter(path, param.shape)))
        net.hybridize()
        output = net(mx.nd.array(zoo_values.images(name))).asnumpy()
        answers[name]["output"] = [float("%.9g" % v) for v in output.ravel()]
        print(name, output.ravel()[:4], flush=True)
    (HERE / "gluon" / "zoo.json").write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")


main()
