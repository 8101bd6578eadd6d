"""Record MXNet 1.9.1's answer to every case of tests/gluon/cases.

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_gluon.py [GROUP ...]

Writes for each group
    tests/golden/gluon/GROUP.npz    outputs, gradients, new running statistics, parameters after training steps:
                                    `<case>/predict0`, `/train0`, `/train-grad-<parameter>`, `/train-grad-input0`,
                                    `/predict-grad-...`, `/state-<parameter>`, `/step-loss`, `/step-<parameter>`
    tests/golden/gluon/GROUP.json   texts by case: repr before and after the first call, parameters (name, shape, dtype,
                                    grad_req), files' keys, and the exported symbol-json
and tests/golden/gluon/signatures.json with the arguments of every layer, loss and utility.
"""

import inspect
import json
import pathlib
import sys
import tempfile

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from gluon.cases import GROUPS, digest  # noqa: E402

LEARNING = {"learning_rate": 0.02, "momentum": 0.9, "wd": 0.01}


def set_parameters(net, case):
    for name, param in net.collect_params().items():
        param.set_data(mx.nd.array(case.parameter(name, param.shape, param.dtype), dtype=param.dtype))


def inputs_of(case):
    return [mx.nd.array(a, dtype=a.dtype) for a in case.arrays()]


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def record_mode(net, case, train):
    """Outputs, gradients and new states of one recorded call."""
    mode = "train" if train else "predict"
    set_parameters(net, case)
    inputs = inputs_of(case)
    for array, spec in zip(inputs, case.inputs):
        if spec.has_grad:
            array.attach_grad()
    with mx.autograd.record(train_mode=train):
        outputs = as_list(net(*inputs))
    answer = {"%s%d" % (mode, i): o.asnumpy() for i, o in enumerate(outputs)}
    params = {n: p for n, p in net.collect_params().items() if p.grad_req != "null"}
    if params or any(s.has_grad for s in case.inputs):
        heads = [case.head_gradient(i, o.shape, o.dtype) for i, o in enumerate(outputs)]
        mx.autograd.backward(outputs, [mx.nd.array(h, dtype=h.dtype) for h in heads], train_mode=train)
        for name, param in params.items():
            answer["%s-grad-%s" % (mode, name)] = param.grad().asnumpy()
        for i, (array, spec) in enumerate(zip(inputs, case.inputs)):
            if spec.has_grad:
                answer["%s-grad-input%d" % (mode, i)] = array.grad.asnumpy()
    if train:
        for name, param in net.collect_params().items():
            if "running" in name:
                answer["state-" + name] = param.data().asnumpy()
    return answer


def record_steps(net, case):
    set_parameters(net, case)
    data = inputs_of(case)[0]
    label = mx.nd.array(case.labels(10, data.shape[0]))
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", dict(LEARNING))
    losses = []
    for _ in range(case.steps):
        with mx.autograd.record():
            value = loss(net(data), label)
        value.backward()
        trainer.step(data.shape[0])
        losses.append(value.asnumpy())
    answer = {"step-" + n: p.data().asnumpy() for n, p in net.collect_params().items()}
    answer["step-loss"] = np.array(losses)
    return answer


def export(case, folder):
    """Export a block that was hybridized before its first call, as programs do."""
    with mx.name.NameManager():
        net = case.build(mx)
        net.initialize()
        net.hybridize()
        net(*inputs_of(case))
        set_parameters(net, case)
        net.export(str(folder / "net"))
    keys = list(mx.nd.load(str(folder / "net-0000.params")))
    return (folder / "net-symbol.json").read_text(), keys


def record(case, folder):
    with mx.name.NameManager():
        net = case.build(mx)
        texts = {"repr": [repr(net)]}
        net.initialize()
        net(*inputs_of(case))
        texts["repr"].append(repr(net))
        texts["params"] = [
            [n, list(p.shape), np.dtype(p.dtype).name, p.grad_req] for n, p in net.collect_params().items()
        ]
        set_parameters(net, case)
        arrays = {"predict%d" % i: o.asnumpy() for i, o in enumerate(as_list(net(*inputs_of(case))))}
        if case.recorded is None:
            if case.predict_gradient is None:
                arrays.update(record_mode(net, case, train=False))
            if not case.is_random:
                arrays.update(record_mode(net, case, train=True))
        set_parameters(net, case)
        net.save_parameters(str(folder / "saved.params"))
        texts["saved"] = list(mx.nd.load(str(folder / "saved.params")))
        if case.traced is None and case.recorded is None:
            texts["symbol"], texts["exported"] = export(case, folder)
        if case.steps:
            arrays.update(record_steps(net, case))
    return texts, {case.id + "/" + k: digest(v) for k, v in arrays.items()}


def default_text(value):
    plain = value is None or isinstance(value, (bool, int, float, str, tuple))
    return repr(value) if plain else type(value).__name__


def signatures():
    """Arguments of every public layer, loss and utility: [[name, kind, default as text or None], ...]."""
    found = {}
    modules = (mx.gluon.nn, mx.gluon.nn), (mx.gluon.loss, mx.gluon.loss), (mx.gluon.utils, mx.gluon.utils)
    modules += ((mx.gluon.contrib.nn, mx.gluon.contrib.nn.basic_layers),)
    modules += ((mx.gluon.contrib.cnn, mx.gluon.contrib.cnn.conv_layers),)
    modules += tuple((mx.gluon.rnn, m) for m in (mx.gluon.rnn.rnn_cell, mx.gluon.rnn.rnn_layer))
    cells = mx.gluon.contrib.rnn
    modules += tuple((cells, m) for m in (cells.rnn_cell, cells.conv_rnn_cell))
    for namespace, module in modules:
        names = getattr(module, "__all__", None) or [n for n in dir(module) if n[0].isupper()]
        for name in names:
            thing = getattr(namespace, name)
            parameters = inspect.signature(thing.__init__ if inspect.isclass(thing) else thing).parameters.values()
            found[namespace.__name__.replace("mxnet.", "") + "." + name] = [
                [p.name, p.kind.name, None if p.default is p.empty else default_text(p.default)]
                for p in parameters
                if p.name != "self"
            ]
    return found


def main():
    out = HERE / "gluon"
    out.mkdir(exist_ok=True)
    (out / "signatures.json").write_text(json.dumps(signatures(), indent=0) + "\n")
    for group in sys.argv[1:] or sorted(GROUPS):
        texts, arrays = {}, {}
        with tempfile.TemporaryDirectory() as folder:
            for case in GROUPS[group]:
                texts[case.id], answer = record(case, pathlib.Path(folder))
                arrays.update(answer)
        np.savez_compressed(str(out / (group + ".npz")), **arrays)
        (out / (group + ".json")).write_text(json.dumps(texts, indent=0) + "\n")
        for path in (out / (group + ".npz"), out / (group + ".json")):
            size = path.stat().st_size
            print("%s: %d bytes, MXNet %s, numpy %s" % (path.name, size, mx.__version__, np.__version__))
            assert size < 100000, "a golden file stays under 100 KB: split the group"


main()
