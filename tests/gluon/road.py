"""The way of one case through the library: built, called, recorded, hybridized, exported, imported.

Every step is compared with MXNet 1.9.1's recorded answer (tests/golden/make_gluon.py does the same steps).
"""

import contextlib
import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from gluon.cases import GROUPS, digest
from ops.tolerance import assert_same

import gluonnx as mx

GOLDEN = Path(__file__).parent.parent / "golden" / "gluon"

CASES = [case for cases in GROUPS.values() for case in cases]
_GROUP_OF = {case.id: group for group, cases in GROUPS.items() for case in cases}


@functools.cache
def _arrays(group):
    with np.load(GOLDEN / f"{group}.npz") as file:
        return dict(file)


@functools.cache
def _texts(group):
    return json.loads((GOLDEN / f"{group}.json").read_text())


def answer(case):
    """Return MXNet's arrays for a case by key."""
    start = case.id + "/"
    return {k.removeprefix(start): v for k, v in _arrays(_GROUP_OF[case.id]).items() if k.startswith(start)}


def texts(case):
    """Return MXNet's texts for a case."""
    return _texts(_GROUP_OF[case.id])[case.id]


def symbol_text(case):
    """MXNet's symbol-json; a shape that its layer declares as a list stands as a tuple, as ours all do."""
    return re.sub(r'("__shape__": ")\[([\d, ]+)\]"', r'\1(\2)"', texts(case)["symbol"])


def inputs_of(case):
    return [mx.nd.array(a, dtype=a.dtype) for a in case.arrays()]


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def build(case):
    """Build the block, in a fresh name scope as MXNet's recorder does."""
    with mx.name.NameManager():
        return case.build(mx)


def set_parameters(net, case):
    for name, param in net.collect_params().items():
        param.set_data(mx.nd.array(case.parameter(name, param.shape, param.dtype), dtype=param.dtype))


def prepared(case):
    """Build the block, call it once, give its parameters their values."""
    net = build(case)
    net.initialize()
    net(*inputs_of(case))
    set_parameters(net, case)
    return net


def hybridized(case):
    """Return the prepared block, hybridized after it was called."""
    net = prepared(case)
    net.hybridize()
    return net


def expected_fallback(case):
    """Return the context of a first hybridized prediction: it warns where ONNX cannot express the block."""
    if case.onnx is None or case.onnx.startswith("the check"):
        return contextlib.nullcontext()
    return pytest.warns(UserWarning, match="ONNX")


def traced(case):
    """Return the block hybridized before its first call, with the parameters' values."""
    with mx.name.NameManager():
        net = case.build(mx)
        net.initialize()
        net.hybridize()
        with expected_fallback(case):
            net(*inputs_of(case))
    set_parameters(net, case)
    return net


def assert_outputs(case, outputs, mode="predict", what=""):
    expected = answer(case)
    for i, output in enumerate(as_list(outputs)):
        array = output if isinstance(output, np.ndarray) else output.asnumpy()
        assert_same(digest(array), expected[f"{mode}{i}"], case, f"{what} {mode}{i}")


def assert_recorded(case, net, *, train, what):
    """Record one call, take gradients, and compare outputs, gradients and new running statistics."""
    mode = "train" if train else "predict"
    expected = answer(case)
    inputs = inputs_of(case)
    for array, spec in zip(inputs, case.inputs, strict=True):
        if spec.has_grad:
            array.attach_grad()
    with mx.autograd.record(train_mode=train):
        outputs = as_list(net(*inputs))
    assert_outputs(case, outputs, mode, what)
    grads = [k for k in expected if k.startswith(f"{mode}-grad-") and case.derivative is None]
    if grads:
        heads = [case.head_gradient(i, o.shape, o.dtype) for i, o in enumerate(outputs)]
        mx.autograd.backward(outputs, [mx.nd.array(h, dtype=h.dtype) for h in heads], train_mode=train)
    params = net.collect_params()
    for key in grads:
        name = key.removeprefix(f"{mode}-grad-")
        grad = inputs[int(name.removeprefix("input"))].grad if name.startswith("input") else params[name].grad()
        assert_same(digest(grad.asnumpy()), expected[key], case, f"{what} {key}")
    for key in expected:
        if train and key.startswith("state-"):
            state = params[key.removeprefix("state-")].data().asnumpy()
            assert_same(digest(state), expected[key], case, f"{what} {key}")
