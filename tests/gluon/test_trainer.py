import numpy as np
import pytest
from optimizer import training
from optimizer.golden import recorded

import gluonnx as mx
from gluonnx.errors import (
    ArgumentError,
    DeferredInitializationError,
    FileAccessError,
    FormatError,
    MXNetError,
    ParameterError,
    RegistryError,
    StaleGradientError,
)

TWO = [mx.cpu(0), mx.cpu(1)]


def parameter(name="x_weight", ctx=None, shape=(4,)):
    param = mx.gluon.Parameter(name, shape=shape)
    param.initialize(mx.init.Zero(), ctx=ctx)
    return param


def backward(*params):
    with mx.autograd.record():
        losses = [(array + 1).sum() for p in params for array in p.list_data()]
    mx.autograd.backward(losses)


def first(param):
    return [float(a[0].asscalar()) for a in param.list_data()]


@pytest.mark.parametrize("name", training.TRAININGS)
def test_training_is_mxnets(name):
    np.testing.assert_allclose(training.train(mx, name), recorded("training")[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("on_kvstore", [True, False])
def test_two_contexts(on_kvstore):
    x = parameter(ctx=TWO)
    trainer = mx.gluon.Trainer([x], "sgd", {"learning_rate": 1.0, "momentum": 0.5}, update_on_kvstore=on_kvstore)
    backward(x)
    trainer.step(1)
    assert first(x) == [-2, -2]
    x.lr_mult = 0.5
    backward(x)
    trainer.step(1)
    assert first(x) == [-4, -4]


def test_update_apart_from_allreduce():
    x = parameter(ctx=TWO)
    trainer = mx.gluon.Trainer({"x": x}, "sgd", {"learning_rate": 1.0}, update_on_kvstore=False)
    backward(x)
    trainer.allreduce_grads()
    assert [float(g[0].asscalar()) for g in x.list_grad()] == [2, 2]
    trainer.update(2)
    assert first(x) == [-1, -1]


def test_update_on_kvstore_has_no_parts():
    x = parameter(ctx=TWO)
    trainer = mx.gluon.Trainer([x], "sgd")
    backward(x)
    with pytest.raises(AssertionError, match=r"allreduce_grads\(\) when parameters are updated on kvstore is not supp"):
        trainer.allreduce_grads()
    with pytest.raises(ArgumentError, match=r"update\(\) when parameters are updated on kvstore is not supported"):
        trainer.update(1)


def test_kvstore_sees_values_that_are_set():
    x = parameter(ctx=TWO)
    trainer = mx.gluon.Trainer([x], "sgd", {"learning_rate": 1.0})
    backward(x)
    trainer.step(1)
    x.set_data(mx.nd.full((4,), 10))
    backward(x)
    trainer.step(1)
    assert first(x) == [8, 8]


def test_compressed_gradients():
    x = parameter(ctx=TWO)
    trainer = mx.gluon.Trainer(
        [x],
        "sgd",
        {"learning_rate": 1.0},
        compression_params={"type": "2bit", "threshold": 0.75},
        update_on_kvstore=False,
    )
    values = []
    for _ in range(3):
        backward(x)
        trainer.step(1)
        values.append(first(x)[0])
    # Each context sends 0.75 of its gradient 1, and the rests of 0.25 add up to one more only after the third step.
    assert values == [-1.5, -3.0, -4.5]


def test_a_kvstore_without_optimizer():
    x = parameter(ctx=TWO)
    trainer = mx.gluon.Trainer([x], "sgd", {"learning_rate": 1.0}, kvstore=mx.kv.create("teststore"))
    backward(x)
    trainer.step(1)
    assert first(x) == [-2, -2]
    trainer = mx.gluon.Trainer([x], "sgd", kvstore="teststore", update_on_kvstore=True)
    with pytest.raises(ValueError, match=r"Please set update_on_kvstore=False when training with .*TestStore"):
        trainer.step(1)


def test_one_context_needs_no_kvstore():
    x = parameter()
    trainer = mx.gluon.Trainer([x], "sgd", kvstore="device")
    backward(x)
    trainer.step(1)
    assert trainer._kvstore is None
    trainer = mx.gluon.Trainer([x], "sgd", kvstore="dist_sync")
    with pytest.raises(MXNetError, match=r"not built yet: .* got name='dist_sync'"):
        trainer.step(1)
    with pytest.raises(TypeError, match="kvstore must be KVStore, str or None: got kvstore=3"):
        mx.gluon.Trainer([x], "sgd", kvstore=3).step(1)


def test_stale_gradients():
    x, y = parameter("x"), parameter("y")
    trainer = mx.gluon.Trainer([x, y], "sgd", {"learning_rate": 1.0})
    backward(x, y)
    trainer.step(1)
    backward(x)
    with pytest.raises(
        UserWarning,
        match=r"^Gradient of Parameter `y` on context cpu\(0\) has not been updated by backward since last `step`",
    ):
        trainer.step(1)
    assert first(x) == [-1]
    trainer.step(1, ignore_stale_grad=True)
    assert (first(x), first(y)) == ([-2], [-1])
    with pytest.raises(StaleGradientError, match=r"Parameter `x` on context cpu\(0\)"):
        trainer.step(1)


def test_a_refused_step_leaves_everything_as_it_was():
    x, y = parameter("x"), parameter("y")
    trainer = mx.gluon.Trainer([x, y], "adam")
    backward(x)
    with pytest.raises(StaleGradientError, match="Parameter `y`"):
        trainer.step(1)
    assert trainer.optimizer.num_update == 0
    backward(x, y)
    trainer.step(1)
    assert trainer.optimizer.num_update == 1


def test_parameters_without_gradients_are_left_alone():
    x, y = parameter("x"), parameter("y")
    y.grad_req = "null"
    trainer = mx.gluon.Trainer([x, y], "sgd", {"learning_rate": 1.0})
    backward(x)
    trainer.step(1)
    assert (first(x), first(y)) == ([-1], [0])


def test_gradients_that_add_up():
    x = parameter()
    x.grad_req = "add"
    trainer = mx.gluon.Trainer([x], "sgd", {"learning_rate": 1.0})
    backward(x)
    backward(x)
    trainer.step(1)
    assert first(x) == [-2]
    backward(x)
    trainer.step(1)
    assert first(x) == [-5]


def test_parameters_that_are_cast_or_moved():
    x = parameter()
    trainer = mx.gluon.Trainer([x], "sgd", {"learning_rate": 1.0})
    for change in (lambda: x.cast("float64"), lambda: x.set_data(mx.nd.zeros((4,), dtype="float64"))):
        backward(x)
        trainer.step(1)
        change()
    backward(x)
    trainer.step(1)
    assert first(x) == [-1]
    assert x.data().dtype == np.float64


def test_parameters_moved_to_more_contexts():
    x = parameter("x")
    trainer = mx.gluon.Trainer([x], "sgd")
    x.reset_ctx(TWO)
    backward(x)
    with pytest.raises(
        ArgumentError, match=r"Parameter x was moved .*: expected \[cpu\(0\)\], got \[cpu\(0\), cpu\(1\)\]"
    ):
        trainer.step(1)


def test_scale_of_an_optimizer_is_kept():
    x = parameter()
    optimizer = mx.optimizer.SGD(learning_rate=1.0, rescale_grad=0.5)
    trainer = mx.gluon.Trainer([x], optimizer)
    assert trainer.optimizer is optimizer
    backward(x)
    trainer.step(2)
    assert first(x) == [-0.25]


def test_learning_rate():
    x = parameter()
    trainer = mx.gluon.Trainer([x], "sgd", {"learning_rate": 0.25})
    assert trainer.learning_rate == 0.25
    trainer.set_learning_rate(0.5)
    backward(x)
    trainer.step(1)
    assert first(x) == [-0.5]
    scheduler = mx.lr_scheduler.FactorScheduler(step=2, factor=0.5, base_lr=1.0)
    trainer = mx.gluon.Trainer([x], "sgd", {"lr_scheduler": scheduler})
    rates = []
    for _ in range(5):
        backward(x)
        trainer.step(1)
        rates.append(trainer.learning_rate)
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25]
    with pytest.raises(UserWarning, match="LRScheduler of the optimizer has already been defined"):
        trainer.set_learning_rate(1)


@pytest.mark.parametrize("on_kvstore", [True, False])
def test_states(tmp_path, on_kvstore):
    path = tmp_path / "trainer.states"
    x = parameter(ctx=TWO)
    x.lr_mult = 0.5
    make = {"optimizer": "adam", "optimizer_params": {"learning_rate": 0.1}, "update_on_kvstore": on_kvstore}
    trainer = mx.gluon.Trainer([x], **make)
    for _ in range(3):
        backward(x)
        trainer.step(1)
    trainer.save_states(path)
    kept = x.data(TWO[0]).copy()
    trainer.set_learning_rate(0.7)
    backward(x)
    trainer.set_learning_rate(0.1)
    trainer.step(1)
    expected = first(x)

    y = parameter("x_weight", ctx=TWO)
    y.lr_mult = 0.5
    y.set_data(kept)
    other = mx.gluon.Trainer([y], **{**make, "optimizer_params": {"learning_rate": 5.0}})
    other.load_states(str(path))
    assert other.learning_rate == 0.1
    assert other.optimizer.num_update == 3
    backward(y)
    other.step(1)
    assert first(y) == expected


def test_states_files_that_are_wrong(tmp_path):
    trainer = mx.gluon.Trainer([parameter()], "sgd")
    with pytest.raises(FileAccessError, match="nosuch"):
        trainer.load_states(tmp_path / "nosuch")
    path = tmp_path / "mxnet.states"
    path.write_bytes(b"\x80\x03}q\x00.")
    with pytest.raises(FormatError, match=r"mxnet\.states: a pickled states file of MXNet"):
        trainer.load_states(path)
    with pytest.raises(FileAccessError, match="nofolder"):
        trainer.save_states(tmp_path / "nofolder" / "x")


def test_wrong_arguments():
    x = parameter()
    with pytest.raises(ValueError, match=r"First argument must be a list or dict of Parameters, got <class 'gluonnx"):
        mx.gluon.Trainer(x, "sgd")
    with pytest.raises(
        ValueError, match=r"First argument must be a list or dict of Parameters, got list of <class 'int'>"
    ):
        mx.gluon.Trainer([3], "sgd")
    for empty in ([], {}, mx.gluon.ParameterDict()):
        with pytest.raises(ArgumentError, match="no parameters to train"):
            mx.gluon.Trainer(empty, "sgd")
    with pytest.raises(RegistryError, match=r"Cannot find optimizer nosuch: .*, got name='nosuch'"):
        mx.gluon.Trainer([x], "nosuch")
    with pytest.raises(AssertionError, match=r"optimizer_params must be None if optimizer is an instance .*'wd': 1"):
        mx.gluon.Trainer([x], mx.optimizer.SGD(), {"wd": 1})
    with pytest.raises(ParameterError, match="Parameter 'y' has not been initialized"):
        mx.gluon.Trainer([mx.gluon.Parameter("y", shape=(1,))], "sgd")
    with pytest.raises(
        ArgumentError, match=r"same set of contexts: expected \[cpu\(0\)\] of Parameter x.* got \[cpu\(0\), "
    ):
        mx.gluon.Trainer([x, parameter("z", ctx=TWO)], "sgd")


def test_step_before_the_shape_is_known():
    net = mx.gluon.nn.Dense(3)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    with pytest.raises(DeferredInitializationError, match="weight"):
        trainer.step(1)


def test_parameters_of_a_dict_are_taken_in_the_order_of_their_names():
    params = {name: parameter(name) for name in ("b", "a", "c")}
    trainer = mx.gluon.Trainer(params, "sgd")
    assert [p.name for p in trainer._params] == ["a", "b", "c"]


@pytest.mark.parametrize(("text", "expected"), [(None, True), ("1", True), ("0", False)])
def test_the_environment_decides_where_parameters_are_updated(monkeypatch, text, expected):
    if text is None:
        monkeypatch.delenv("MXNET_UPDATE_ON_KVSTORE", raising=False)
    else:
        monkeypatch.setenv("MXNET_UPDATE_ON_KVSTORE", text)
    net = mx.gluon.nn.Dense(1, in_units=2)
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    for given in (None, True, False):
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", update_on_kvstore=given)
        trainer._prepare()
        assert trainer._update_on_kvstore is (expected if given is None else given)


def test_states_of_another_optimizer_replace_it(tmp_path):
    def make(name, settings):
        net = mx.gluon.nn.Dense(1, in_units=2, use_bias=False)
        net.initialize(mx.init.One())
        return net, mx.gluon.Trainer(net.collect_params(), name, settings)

    def step(net, trainer):
        with mx.autograd.record():
            net(mx.nd.array([[1, -2]])).backward()
        trainer.step(1)

    first, trainer = make("adam", {"learning_rate": 0.25})
    step(first, trainer)
    trainer.save_states(tmp_path / "states")
    second, other = make("sgd", {"learning_rate": 0.5})
    second.weight.set_data(first.weight.data())
    second.weight.lr_mult = 2.0
    other.load_states(tmp_path / "states")
    assert type(other.optimizer) is mx.optimizer.Adam
    assert other.learning_rate == 0.25
    assert other.optimizer.param_dict == {0: second.weight}
    first.weight.lr_mult = 2.0
    step(first, trainer)
    step(second, other)
    np.testing.assert_array_equal(first.weight.data().asnumpy(), second.weight.data().asnumpy())
