"""Modules made of modules, and monitors: every case against MXNet's answer, and the messages of wrong calls."""

import logging

import numpy as np
import pytest
from answers import check, recorded
from module.module_cases import CASES, batch, bound, by_length, chain, chain_values, iterator, trained

import gluonnx as mx
from gluonnx.errors import ArgumentError, InputTypeError, ModuleStateError

ANSWERS = recorded("module")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])


def test_module_checkpoint(tmp_path):
    mod, _ = trained(mx)
    save = mx.callback.module_checkpoint(mod._buckets[6], str(tmp_path / "m"), period=2, save_optimizer_states=True)
    for epoch in range(3):
        save(epoch, None, {}, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m-0002.params", "m-0002.states", "m-symbol.json"]


def test_toc_print(caplog):
    caplog.set_level(logging.INFO)
    monitor = mx.mon.Monitor(1, pattern="x")
    exe = (mx.sym.Variable("x") * 2).bind(mx.cpu(), {"x": mx.nd.ones(4)})
    monitor.install(exe)
    monitor.tic()
    exe.forward()
    monitor.toc_print()
    assert "Batch:       1                              x 1.0" in caplog.text


class TestRefuses:
    def test_buckets(self, tmp_path):
        with pytest.raises(ArgumentError, match=r"BucketingModule: no default key: .* got default_bucket_key=None"):
            mx.mod.BucketingModule(by_length(mx))
        with pytest.raises(ModuleStateError, match=r"BucketingModule: not ready: expected binded=True.* Call bind\(\)"):
            mx.mod.BucketingModule(by_length(mx), 6).forward(batch(mx, np.random.RandomState(0), 6))
        mod = bound(mx)
        other = mx.mod.BucketingModule(by_length(mx), 6)
        with pytest.raises(ArgumentError, match=r"shared_module .* not supported: expected None, got BucketingModule"):
            other.bind([("data", (2, 6))], [("softmax_label", (2,))], shared_module=mod)
        mod.switch_bucket("four", [("data", (2, 4))], [("softmax_label", (2,))])
        with pytest.raises(ArgumentError, match=r"save_checkpoint: keys .* expected whole numbers, got \['four'\]"):
            mod.save_checkpoint(str(tmp_path / "b"), 0)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ArgumentError, match=r"needs to be provided for loading: .* got sym_gen, arg_params, aux_p"):
            mx.mod.BucketingModule.load_dict({}, default_bucket_key=6)
        with pytest.raises(ArgumentError, match=r"load: sym_gen is required: .* got sym_gen=None"):
            mx.mod.BucketingModule.load("b", 0, default_bucket_key=6)

    def test_chains(self):
        with pytest.raises(ArgumentError, match=r'Unknown meta "take_label", a typo.* take_labels, auto_wiring'):
            mx.mod.SequentialModule().add(chain(mx), take_label=True)
        with pytest.raises(ArgumentError, match=r"Attempting to bind an empty SequentialModule: .* Call `add` first"):
            mx.mod.SequentialModule().bind([("data", (2, 3))])
        mod, batches = chain(mx), iterator(mx)
        with pytest.raises(ArgumentError, match=r"gradients of the data need training"):
            mod.bind(batches.provide_data, for_training=False, inputs_need_grad=True)
        with pytest.raises(ArgumentError, match=r"Shared module is not supported: expected None, got SequentialModule"):
            mod.bind(batches.provide_data, shared_module=mod)
        mod.bind(batches.provide_data, batches.provide_label)
        with pytest.raises(ArgumentError, match=r"values of no parameter: expected some of fc1_.*, got fc9_weight\."):
            mod.init_params(arg_params={**chain_values(mx), "fc9_weight": mx.nd.ones(1)}, aux_params={})
        data = mx.sym.Variable("data")
        two = mx.sym.Group([data * 1, data * 2])
        wide = mx.mod.SequentialModule().add(mx.mod.Module(two, label_names=None)).add(chain(mx), auto_wiring=True)
        with pytest.raises(ArgumentError, match=r"layer 1: expected 1 inputs \(data\), got 2 outputs before it"):
            wide.bind([("data", (2, 4))])

    def test_losses(self):
        with pytest.raises(ArgumentError, match=r"expected one name of data .* got data_names=\['a', 'b'\]"):
            mx.mod.PythonLossModule(data_names=("a", "b"))
        with pytest.raises(ArgumentError, match=r"expected a function, got grad_func=3"):
            mx.mod.PythonLossModule(grad_func=3)
        loss = mx.mod.PythonLossModule()
        with pytest.raises(ArgumentError, match=r"wrong data_shapes: expected \['data'\], got \['x'\]"):
            loss.bind([("x", (2, 3))])
        with pytest.raises(ArgumentError, match=r"only support write gradient: expected 'write', got 'add'"):
            loss.bind([("data", (2, 3))], grad_req="add")
        loss.bind([("data", (2, 3))], [("softmax_label", (2,))])
        with pytest.raises(ArgumentError, match=r"out_grads should be None"):
            loss.backward([mx.nd.ones((2, 3))])
        with pytest.raises(NotImplementedError, match=r"expected grad_func, or a subclass with _backward_impl"):
            loss.backward()
        with pytest.raises(ArgumentError, match=r"expected merge_multi_context=True, got False"):
            loss.get_outputs(merge_multi_context=False)
        with pytest.raises(ArgumentError, match=r"does not support presliced labels"):
            loss.update_metric(mx.metric.Accuracy(), [], pre_sliced=True)
        with pytest.raises(NotImplementedError, match=r"PythonLossModule: a module must define `install_monitor`"):
            loss.install_monitor(mx.mon.Monitor(1))

    def test_statistics(self):
        exe = (mx.sym.Variable("x") * 2).bind(mx.cpu(), {"x": mx.nd.ones(4)})
        monitor = mx.mon.Monitor(1, stat_func=lambda x: 1.5)
        monitor.install(exe)
        monitor.tic()
        exe.forward()
        with pytest.raises(InputTypeError, match=r"the statistic of `.*`: expected an NDArray .*, got float"):
            monitor.toc()
