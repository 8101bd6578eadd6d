"""Every layer and loss, every configuration: MXNet's answers, hybridized, exported, imported, trained."""

from pathlib import Path

import numpy as np
import pytest
from gluon import road
from gluon.cases import digest
from gluonnx_runtime import Session
from ops.tolerance import assert_same

import gluonnx as mx

LEARNING = {"learning_rate": 0.02, "momentum": 0.9, "wd": 0.01}


def over(*conditions):
    cases = [c for c in road.CASES if all(condition(c) for condition in conditions)]
    return pytest.mark.parametrize("case", cases, ids=lambda c: c.id)


def is_traced(case):
    return case.traced is None


def is_recorded(case):
    return case.recorded is None


def has_predict_gradient(case):
    return is_recorded(case) and case.predict_gradient is None


def is_exported(case):
    return "symbol" in road.texts(case)


def has_onnx(case):
    return case.onnx is None and is_exported(case)


def is_deterministic(case):
    return not case.is_random


def has_parameters(case):
    return any(req != "null" for *_, req in road.texts(case)["params"])


@over()
def test_names_shapes_and_reprs_are_mxnets(case):
    texts = road.texts(case)
    net = road.build(case)
    assert repr(net) == texts["repr"][0]
    net.initialize()
    net(*road.inputs_of(case))
    assert repr(net) == texts["repr"][1]
    params = [[n, list(p.shape), np.dtype(p.dtype).name, p.grad_req] for n, p in net.collect_params().items()]
    assert params == texts["params"]


@over()
def test_eager_prediction_is_mxnets(case):
    road.assert_outputs(case, road.prepared(case)(*road.inputs_of(case)), what="eager")


@over(has_predict_gradient)
def test_eager_gradients_are_mxnets(case):
    road.assert_recorded(case, road.prepared(case), train=False, what="eager")


@over(is_recorded, is_deterministic)
def test_eager_training_is_mxnets(case):
    road.assert_recorded(case, road.prepared(case), train=True, what="eager")


@over(is_traced)
def test_hybridized_prediction_is_mxnets(case):
    road.assert_outputs(case, road.traced(case)(*road.inputs_of(case)), what="hybridized")


@over(is_traced, has_predict_gradient)
def test_hybridized_gradients_are_mxnets(case):
    road.assert_recorded(case, road.traced(case), train=False, what="hybridized")


@over(is_traced, is_recorded, is_deterministic)
def test_hybridized_training_is_mxnets(case):
    road.assert_recorded(case, road.hybridized(case), train=True, what="hybridized")


@over(is_exported)
def test_the_traced_graph_is_mxnets_export(case):
    net = road.traced(case)
    assert net._trace.output.tojson() == road.symbol_text(case)


@over(has_onnx)
def test_exported_files_give_the_same_answer(case, tmp_path):
    net = road.traced(case)
    symbol_file, params_file, onnx_file = net.export(tmp_path / "net")
    assert Path(symbol_file).read_text() == road.symbol_text(case)
    assert sorted(mx.nd.load(params_file)) == sorted(road.texts(case)["exported"])
    names = ["data"] if len(case.inputs) == 1 else [f"data{i}" for i in range(len(case.inputs))]
    imported = mx.gluon.SymbolBlock.imports(symbol_file, names, params_file)
    road.assert_outputs(case, imported(*road.inputs_of(case)), what="imported")
    feeds = dict(zip(names, case.arrays(), strict=True))
    road.assert_outputs(case, list(Session(onnx_file).run(feeds).values()), what="ONNX Runtime")


@over()
def test_saved_parameters_load_into_a_new_block(case, tmp_path):
    net = road.prepared(case)
    net.save_parameters(tmp_path / "net.params")
    assert sorted(mx.nd.load(tmp_path / "net.params")) == sorted(road.texts(case)["saved"])
    other = road.build(case)
    other.load_parameters(tmp_path / "net.params")
    road.assert_outputs(case, other(*road.inputs_of(case)), what="loaded")


@over(has_predict_gradient, has_parameters)
def test_a_training_step_moves_every_parameter(case):
    net = road.prepared(case)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
    before = {n: p.data().asnumpy() for n, p in net.collect_params().items() if p.grad_req != "null"}
    with mx.autograd.record(train_mode=False):
        outputs = road.as_list(net(*road.inputs_of(case)))
    heads = [case.head_gradient(i, o.shape, o.dtype) for i, o in enumerate(outputs)]
    mx.autograd.backward(outputs, [mx.nd.array(h, dtype=h.dtype) for h in heads], train_mode=False)
    trainer.step(2)
    expected = road.answer(case)
    for name, value in before.items():
        grad = net.collect_params()[name].grad().asnumpy()
        assert_same(digest(grad), expected[f"predict-grad-{name}"], case, name)
        assert_same(net.collect_params()[name].data().asnumpy(), value - grad * np.float32(0.25), case, name)


@over(lambda c: c.steps > 0)
@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
def test_training_follows_mxnets_trajectory(case, hybridize):
    net = road.prepared(case)
    if hybridize:
        net.hybridize()
    (data,) = road.inputs_of(case)
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
    expected = road.answer(case)
    assert_same(np.array(losses), expected["step-loss"], case, "losses")
    for name, param in net.collect_params().items():
        assert_same(digest(param.data().asnumpy()), expected[f"step-{name}"], case, name)
