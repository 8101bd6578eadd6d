"""Modules train as MXNet's do, and say what comes first."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import ArgumentError, InputError, ModuleStateError, ParameterError

HERE = Path(__file__).resolve().parent
GOLDEN = json.loads((HERE.parent / "golden" / "module" / "training.json").read_text())
SPEC = importlib.util.spec_from_file_location("training_cases", HERE / "training_cases.py")
cases = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(cases)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)


def bound(case="sgd", **kwargs):
    params, states, batches = cases.start(mx)
    mod = cases.module(mx, case)
    mod.bind(batches.provide_data, batches.provide_label, **kwargs)
    mod.init_params(arg_params=params, aux_params=states)
    return mod, batches


@pytest.mark.parametrize("case", cases.CASES)
def test_training_is_mxnets(case):
    ours, theirs = cases.answer(mx, case), GOLDEN["fit"][case]
    assert [m[:2] for m in ours["metrics"]] == [m[:2] for m in theirs["metrics"]]
    close([m[2] for m in ours["metrics"]], [m[2] for m in theirs["metrics"]])
    assert [n for n, _ in ours["score"]] == [n for n, _ in theirs["score"]]
    close([v for _, v in ours["score"]], [v for _, v in theirs["score"]])
    close(ours["predict"], theirs["predict"])
    assert ours["outputs"] == theirs["outputs"]
    for kind in ("params", "states"):
        assert ours[kind].keys() == theirs[kind].keys()
        for name, value in theirs[kind].items():
            close(ours[kind][name], value)


def test_gradients_of_the_data_are_mxnets():
    assert cases.input_gradients(mx) == GOLDEN["input_gradients"]


class TestParameters:
    def test_each_variable_has_its_own_initializer(self):
        weight = mx.sym.Variable("fc_weight", init=mx.init.Constant(3))
        mod = mx.mod.Module(
            mx.sym.FullyConnected(mx.sym.var("data"), weight, num_hidden=2, name="fc"), label_names=None
        )
        mod.bind([("data", (4, 3))])
        mod.init_params(mx.init.One())
        arguments, states = mod.get_params()
        assert arguments["fc_weight"].asnumpy().tolist() == [[3] * 3] * 2
        assert arguments["fc_bias"].asnumpy().tolist() == [0, 0]
        assert states == {}

    def test_missing_values_are_named(self):
        mod = cases.module(mx, "sgd")
        params, states, batches = cases.start(mx)
        mod.bind(batches.provide_data, batches.provide_label)
        del params["fc1_bias"]
        with pytest.raises(ParameterError, match="fc1_bias is not presented"):
            mod.init_params(arg_params=params, aux_params=states)
        mod.init_params(mx.init.One(), arg_params=params, aux_params=states, allow_missing=True)
        assert mod.get_params()[0]["fc1_bias"].asnumpy().tolist() == [0] * 5

    def test_values_of_another_shape_or_of_nothing_are_refused(self):
        mod = cases.module(mx, "sgd")
        params, states, batches = cases.start(mx)
        mod.bind(batches.provide_data, batches.provide_label)
        with pytest.raises(ParameterError, match=r"fc1_bias: expected shape \(5,\), got \(2,\)"):
            mod.init_params(arg_params=params | {"fc1_bias": mx.nd.ones(2)}, aux_params=states)
        with pytest.raises(ArgumentError, match=r"got extra\. Pass allow_extra"):
            mod.init_params(arg_params=params | {"extra": mx.nd.ones(2)}, aux_params=states)

    def test_initializing_twice_is_told(self):
        mod, _ = bound()
        with pytest.warns(UserWarning, match="Parameters already initialized and force_init=False. init_params"):
            mod.init_params()

    def test_set_params_may_leave_some_out(self):
        mod, _ = bound()
        before = mod.get_params()[0]["fc2_bias"].asnumpy().tolist()
        mod.set_params({"fc1_bias": mx.nd.ones(5)}, {}, allow_missing=True)
        assert mod.get_params()[0]["fc1_bias"].asnumpy().tolist() == [1] * 5
        assert mod.get_params()[0]["fc2_bias"].asnumpy().tolist() == before


class TestShapes:
    def test_a_batch_of_another_size(self):
        mod, batches = bound()
        whole = mod.predict(batches).asnumpy()
        data = batches.data[0][1]
        for size in (10, 3, 4):
            mod.forward(mx.io.DataBatch([data[:size]]), is_train=False)
            assert mod.output_shapes == [("softmax_output", (size, 3))]
            close(mod.get_outputs()[0].asnumpy(), whole[:size])

    def test_an_array_can_be_predicted(self):
        mod, batches = bound(for_training=False)
        whole = mod.predict(batches).asnumpy()
        close(mod.predict(batches.data[0][1].asnumpy()).asnumpy(), whole)

    def test_training_goes_on_after_a_reshape(self):
        mod, batches = bound()
        mod.init_optimizer(optimizer_params={"learning_rate": 0.5})
        mod.reshape([("data", (10, 4))], [("softmax_label", (10,))])
        before = mod.get_params()[0]["fc1_weight"].asnumpy()
        mod.forward_backward(mx.io.DataBatch([batches.data[0][1]], [batches.label[0][1]]))
        mod.update()
        assert np.abs(mod.get_params()[0]["fc1_weight"].asnumpy() - before).max() > 1e-3

    def test_a_parameter_keeps_its_shape(self):
        mod, _ = bound()
        with pytest.raises(InputError, match=r"`fc1_weight` would change its shape: expected \(5, 4\), got \(5, 6\)"):
            mod.reshape([("data", (10, 6))], [("softmax_label", (10,))])

    def test_rebinding_keeps_what_was_trained(self):
        mod, batches = bound()
        mod.init_optimizer()
        mod.forward_backward(batches.next())
        mod.update()
        trained = mod._group().param_arrays[0][0].asnumpy()
        mod.bind([("data", (2, 4))], [("softmax_label", (2,))], for_training=False, force_rebind=True)
        np.testing.assert_array_equal(mod.get_params()[0]["fc1_weight"].asnumpy(), trained)

    def test_shared_parameters(self):
        mod, batches = bound()
        other = cases.module(mx, "sgd")
        other.bind([("data", (2, 4))], [("softmax_label", (2,))], shared_module=mod)
        mod.init_optimizer(optimizer_params={"learning_rate": 0.5})
        mod.forward_backward(batches.next())
        mod.update()
        close(mod._group().param_arrays[0][0].asnumpy(), other._group().param_arrays[0][0].asnumpy())


class TestCheckpoints:
    @pytest.mark.parametrize("case", ["adam", "two contexts"])
    def test_training_goes_on_where_it_stopped(self, case, tmp_path):
        settings = cases.CASES[case]
        mod, batches = bound(case)
        mod.init_optimizer(optimizer=settings["optimizer"], optimizer_params=settings["optimizer_params"])
        batch = batches.next()
        mod.forward_backward(batch)
        mod.update()
        mod.save_checkpoint(str(tmp_path / "net"), 3, save_optimizer_states=True)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["net-0003.params", "net-0003.states", "net-symbol.json"]
        again = mx.mod.Module.load(str(tmp_path / "net"), 3, True, context=mod._context)
        again.bind(batches.provide_data, batches.provide_label)
        again.init_optimizer(optimizer=settings["optimizer"], optimizer_params=settings["optimizer_params"])
        for one in (mod, again):
            one.forward_backward(batch)
            one.update()
        assert again._updater is None or again._updater.states.keys() == mod._updater.states.keys()
        if case == "two contexts":  # momentum has no step count
            for name, value in mod.get_params()[0].items():
                close(again.get_params()[0][name].asnumpy(), value.asnumpy())

    def test_params_files(self, tmp_path):
        mod, _ = bound()
        mod.save_params(str(tmp_path / "a.params"))
        other = cases.module(mx, "sgd")
        other.bind([("data", (4, 4))], [("softmax_label", (4,))])
        other.load_params(str(tmp_path / "a.params"))
        for name, value in mod.get_params()[0].items():
            np.testing.assert_array_equal(other.get_params()[0][name].asnumpy(), value.asnumpy())


class TestStates:
    def test_they_stay_from_batch_to_batch(self):
        out = mx.sym.broadcast_add(mx.sym.var("data"), mx.sym.var("memory", shape=(2, 3)))
        mod = mx.mod.Module(out, label_names=None, state_names=["memory"])
        mod.bind([("data", (2, 3))], for_training=False)
        mod.init_params()
        with pytest.raises(ArgumentError, match="got both or neither"):
            mod.set_states()
        mod.set_states(value=2)
        mod.forward(mx.io.DataBatch([mx.nd.ones((2, 3))]))
        assert mod.get_outputs()[0].asnumpy().tolist() == [[3] * 3] * 2
        mod.set_states(states=[mod.get_outputs(merge_multi_context=False)[0]])
        assert mod.get_states()[0].asnumpy().tolist() == [[3] * 3] * 2


class TestWhatComesFirst:
    @pytest.mark.parametrize(
        ("call", "match"),
        [
            (lambda mod: mod.init_params(), r"expected binded=True, got False. Call bind\(\) first"),
            (lambda mod: mod.data_shapes, "expected binded=True"),
            (lambda mod: mod.get_params(), r"expected params_initialized=True, got False. Call init_params\(\)"),
            (lambda mod: mod.predict(None), "expected binded=True"),
        ],
    )
    def test_before_bind(self, call, match):
        with pytest.raises(ModuleStateError, match=match):
            call(cases.module(mx, "sgd"))

    def test_update_before_the_optimizer(self):
        mod, batches = bound()
        mod.forward_backward(batches.next())
        with pytest.raises(AssertionError, match="expected optimizer_initialized=True"):
            mod.update()
        with pytest.raises(ModuleStateError, match=r"inputs_need_grad=True, got False. Call bind\(..., inputs"):
            mod.get_input_grads()

    def test_binding_twice_is_logged(self, caplog):
        mod, batches = bound()
        mod.bind(batches.provide_data, batches.provide_label)
        mod.init_optimizer()
        mod.init_optimizer()
        assert [r.message for r in caplog.records] == [
            "Already bound, ignoring bind()",
            "optimizer already initialized, ignoring...",
        ]


class TestRefuses:
    def test_names(self):
        net = cases._net(mx)
        with pytest.raises(
            ValueError, match=r"data_names=\['image'\].*expected some of data, softmax_label, got 'image'"
        ):
            mx.mod.Module(net, data_names=["image"])
        with pytest.warns(UserWarning, match=r"label_names=\['y'\]\) but input with name 'y' is not found"):
            mx.mod.Module(net, label_names=["y"])
        with pytest.raises(ArgumentError, match=r"workload for each of 1 contexts, got work_load_list=\[1, 2\]"):
            mx.mod.Module(net, work_load_list=[1, 2])
        with pytest.raises(ArgumentError, match="expected group2ctxs=None, got"):
            mx.mod.Module(net, group2ctxs={"dev": mx.cpu()})

    def test_shapes(self):
        mod = cases.module(mx, "two contexts")
        label = [("softmax_label", (4,))]
        with pytest.raises(ArgumentError, match=r"Data provided by data_shapes don't match.*expected \['data'\]"):
            mod.bind([("image", (4, 4))], label)
        with pytest.raises(ArgumentError, match=r"same batch size: expected one, got {'data': 3, 'softmax_label': 4}"):
            mod.bind([("data", (3, 4))], label)
        with pytest.raises(ArgumentError, match=r"Too many slices.*each of 2 contexts, got batch_size=1"):
            mod.bind([("data", (1, 4))], [("softmax_label", (1,))])
        with pytest.raises(ArgumentError, match="expected for_training=True, got for_training=False"):
            mod.bind([("data", (4, 4))], label, for_training=False, inputs_need_grad=True)
        with pytest.warns(UserWarning, match="Data provided by label_shapes don't match"):
            mod.bind([("data", (4, 4))])

    def test_arguments_of_training(self):
        mod, batches = bound()
        with pytest.raises(ArgumentError, match="please specify number of epochs"):
            mod.fit(batches)
        with pytest.raises(TypeError, match="kvstore must be KVStore, str or None: got kvstore=3"):
            mod.init_optimizer(kvstore=3)
        with pytest.raises(TypeError, match="expected the name of an optimizer or an Optimizer, got optimizer=3"):
            mod.init_optimizer(optimizer=3)
        with pytest.raises(ValueError, match="eval_data must be of type NDArray or DataIter: got list"):
            mod.predict([1])
        with pytest.warns(UserWarning, match=r"rescale_grad is not normalized.*\(1.0 vs. 0.25\)"):
            mod.init_optimizer(optimizer=mx.optimizer.SGD())
        assert mod._optimizer.idx2name[0] == "fc1_weight"

    def test_backward_without_gradients(self):
        mod, batches = bound(for_training=False)
        mod.forward(batches.next())
        with pytest.raises(ArgumentError, match="re-bind with for_training=True"):
            mod.backward()
