import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gluonnx as mx
from gluonnx.errors import ArgumentError, FormatError, RegistryError
from gluonnx.optimizer.states_file import pack_states, unpack_states


def test_create_by_name_in_any_case():
    assert type(mx.optimizer.create("AdaGrad")) is mx.optimizer.AdaGrad
    assert mx.optimizer.create("adam").learning_rate == 0.001


def test_unknown_name():
    with pytest.raises(
        RegistryError, match=r"Cannot find optimizer nosuch: expected one of .*adam.*, got name='nosuch'"
    ):
        mx.optimizer.create("nosuch")
    with pytest.raises(ValueError, match="Cannot find optimizer"):
        mx.optimizer.Optimizer.create_optimizer("nosuch")


def test_registering_again_warns(monkeypatch):
    monkeypatch.setattr(mx.optimizer.Optimizer, "opt_registry", dict(mx.optimizer.Optimizer.opt_registry))

    class Mine(mx.optimizer.Optimizer):
        pass

    mx.optimizer.register(Mine)
    with pytest.warns(UserWarning, match=r"New optimizer .*Mine is overriding existing optimizer .*Mine"):
        mx.optimizer.register(Mine)
    assert type(mx.optimizer.create("mine")) is Mine
    with pytest.raises(RegistryError, match="expected a class, got 3"):
        mx.optimizer.register(3)


def test_own_optimizer_gets_one_parameter_at_a_time():
    calls = []

    class Own(mx.optimizer.Optimizer):
        def create_state(self, index, weight):
            return mx.nd.zeros(weight.shape)

        def update(self, index, weight, grad, state):
            self._update_count(index)
            calls.append(index)
            state[:] = state + grad
            weight[:] = weight - self._get_lr(index) * state

    updater = mx.optimizer.get_updater(Own(learning_rate=0.5))
    weights = [mx.nd.ones((2,)), mx.nd.ones((3,))]
    for _ in range(2):
        updater([0, 1], [mx.nd.ones((2,)), mx.nd.ones((3,))], weights)
    assert calls == [0, 1, 0, 1]
    np.testing.assert_array_equal(weights[1].asnumpy(), [-0.5, -0.5, -0.5])


def test_subclass_of_a_built_in_that_overrides_update():
    calls = []

    for base in (mx.optimizer.Adam, mx.optimizer.SGD):

        class Loud(base):
            def update(self, index, weight, grad, state):
                calls.append(weight.dtype)
                super().update(index, weight, grad, state)

        updater = mx.optimizer.get_updater(Loud(learning_rate=0.5, multi_precision=True))
        weights = [mx.nd.ones((2,)), mx.nd.ones((2,), dtype="float16")]
        updater([0, 1], [mx.nd.ones((2,)), mx.nd.ones((2,), dtype="float16")], weights)
        np.testing.assert_allclose(weights[1].asnumpy(), 0.5, rtol=1e-6)
    assert calls == [np.float32] * 4


def test_learning_rate():
    optimizer = mx.optimizer.Optimizer(learning_rate=0.01)
    optimizer.set_learning_rate(0.2)
    assert optimizer.learning_rate == 0.2
    scheduler = mx.lr_scheduler.FactorScheduler(step=1)
    optimizer = mx.optimizer.Optimizer(lr_scheduler=scheduler, learning_rate=0.3)
    assert optimizer.learning_rate == scheduler.base_lr == 0.3
    with pytest.raises(UserWarning, match="LRScheduler of the optimizer has already been defined"):
        optimizer.set_learning_rate(0.5)
    with pytest.raises(DeprecationWarning, match="set_lr_mult"):
        optimizer.set_lr_scale({})


def test_multipliers_from_a_symbol():
    weights = {
        "fc1_weight": mx.sym.var("fc1_weight", lr_mult=0),
        "fc1_bias": mx.sym.var("fc1_bias", lr_mult=1.0),
        "fc2_weight": mx.sym.var("fc2_weight", wd_mult=0.5),
    }
    data = mx.sym.var("data")
    fc1 = mx.sym.FullyConnected(data, weights["fc1_weight"], weights["fc1_bias"], name="fc1", num_hidden=10)
    fc2 = mx.sym.FullyConnected(fc1, weights["fc2_weight"], name="fc2", num_hidden=10)
    names = dict(enumerate(["fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"]))
    optimizer = mx.optimizer.SGD(sym=fc2, param_idx2name=names, learning_rate=2.0, wd=3.0)
    assert optimizer._get_lr(1) == 2.0
    assert optimizer._get_lr(0) == 0.0
    assert optimizer._get_wd(2) == 1.5
    optimizer.set_lr_mult({"fc2_weight": 0.25, 3: 5.0})
    optimizer.set_wd_mult({"fc2_weight": 2.0})
    assert optimizer._get_lrs([2, 3]) == [0.5, 10.0]
    assert optimizer._get_wds([1, 2]) == [0.0, 6.0]


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="SGD: param_idx2name should be a dict of param indexes to names: got list"):
        mx.optimizer.SGD(param_idx2name=["a"])
    with pytest.raises(TypeError, match="nosuch"):
        mx.optimizer.create("sgd", nosuch=1)
    with pytest.raises(NotImplementedError, match=r"Optimizer: an optimizer must define update"):
        mx.optimizer.Optimizer().update(0, mx.nd.ones((1,)), mx.nd.ones((1,)), None)
    with pytest.raises(ArgumentError, match="LBSGD: expected at least 1, got batch_scale=0"):
        mx.optimizer.LBSGD(batch_scale=0)
    updater = mx.optimizer.get_updater(mx.optimizer.GroupAdaGrad())
    with pytest.raises(ArgumentError, match=r"GroupAdaGrad: expected a weight of 2 axes, got shape=\(3,\)"):
        updater(0, mx.nd.ones((3,)), mx.nd.ones((3,)))
    updater = mx.optimizer.get_updater(mx.optimizer.GroupAdaGrad(wd=0.5))
    with pytest.raises(ArgumentError, match=r"Weight decay is not supported for GroupAdaGrad: expected 0, got wd=0.5"):
        updater(0, mx.nd.ones((3, 2)), mx.nd.ones((3, 2)))


def test_float16_without_a_copy_warns():
    updater = mx.optimizer.get_updater(mx.optimizer.SGD(momentum=0.9))
    with pytest.warns(UserWarning, match="Accumulating with float16 in optimizer"):
        updater(0, mx.nd.ones((3,), dtype="float16"), mx.nd.ones((3,), dtype="float16"))


def test_states_have_mxnets_form():
    weight = mx.nd.ones((2, 3), dtype="float16")
    assert mx.optimizer.SGD().create_state(0, weight) is None
    momentum, copy = mx.optimizer.SGD(momentum=0.9, multi_precision=True).create_state_multi_precision(0, weight)
    assert (momentum.dtype, copy.dtype, copy.shape) == (np.float32, np.float32, (2, 3))
    copy, (mean, var) = mx.optimizer.Adam(multi_precision=True).create_state_multi_precision(0, weight)
    assert (copy.dtype, mean.dtype, var.shape) == (np.float32, np.float32, (2, 3))
    assert len(mx.optimizer.RMSProp().create_state(0, weight)) == 1
    assert len(mx.optimizer.RMSProp(centered=True).create_state(0, weight)) == 3


def updated(kind="adam", steps=3, **arguments):
    updater = mx.optimizer.get_updater(mx.optimizer.create(kind, **arguments))
    weights = [mx.nd.ones((2,)), mx.nd.ones((3,))]
    for _ in range(steps):
        updater([0, "name"], [mx.nd.ones((2,)), mx.nd.ones((3,))], weights)
    return updater, weights


@pytest.mark.parametrize("kind", ["sgd", "adam", "rmsprop", "nadam", "dcasgd"])
def test_states_come_back(kind):
    scheduler = mx.lr_scheduler.FactorScheduler(step=2, factor=0.5, base_lr=0.25)
    updater, weights = updated(kind, lr_scheduler=scheduler)
    data = updater.get_states(dump_optimizer=True)
    other = mx.optimizer.get_updater(mx.optimizer.create(kind, lr_scheduler=mx.lr_scheduler.FactorScheduler(step=9)))
    other.set_states(data)
    assert other.optimizer.num_update == 3
    assert other.optimizer.lr_scheduler.step == 2
    copies = [w.copy() for w in weights]
    for u, ws in ((updater, weights), (other, copies)):
        u([0, "name"], [mx.nd.ones((2,)), mx.nd.ones((3,))], ws)
    for own, theirs in zip(weights, copies, strict=True):
        np.testing.assert_array_equal(own.asnumpy(), theirs.asnumpy())


def test_states_without_the_optimizer():
    updater, _ = updated()
    other = mx.optimizer.get_updater(mx.optimizer.Adam(learning_rate=0.5))
    other.set_states(updater.get_states())
    assert other.optimizer.learning_rate == 0.5
    np.testing.assert_array_equal(other.states["name"][0].asnumpy(), updater.states["name"][0].asnumpy())


def test_a_header_whose_length_looks_like_a_pickle():
    from safetensors.numpy import save

    for extra in range(1200):
        data = save({}, metadata={"gluonnx": '{"version": 7}', "rest": "x" * extra})
        if data.startswith(b"\x80\x02"):
            with pytest.raises(FormatError, match="got version=7"):
                unpack_states(data, mx.optimizer.SGD(), "f")
            return
    raise AssertionError("no header of 0x280 bytes was made")


@pytest.mark.parametrize("pickled", [b"\x80\x04\x95rest", b"\x80\x02}q\x00", b"(dp0\nI0\n"])
def test_a_pickle_is_refused(pickled):
    with pytest.raises(FormatError, match=r"states\.bin: a pickled states file of MXNet: .* can run any code"):
        mx.optimizer.get_updater(mx.optimizer.SGD()).set_states(pickled, "states.bin")


def test_states_of_another_optimizer_bring_it_with_them():
    schedule = mx.lr_scheduler.PolyScheduler(max_update=30, base_lr=0.5, pwr=3, warmup_steps=2)
    adam = mx.optimizer.Adam(beta1=0.75, wd=0.125, lr_scheduler=schedule, param_idx2name={0: "w_weight"})
    first = mx.optimizer.get_updater(adam)
    weight = mx.nd.array([1.0, -2.0])
    for _ in range(3):
        first(0, mx.nd.array([0.5, 0.25]), weight)
    second = mx.optimizer.get_updater(mx.optimizer.SGD(param_idx2name={0: "w_weight"}))
    second.set_states(first.get_states(dump_optimizer=True))
    assert type(second.optimizer) is mx.optimizer.Adam
    assert (second.optimizer.beta1, second.optimizer.wd, second.optimizer.num_update) == (0.75, 0.125, 3)
    assert type(second.optimizer.lr_scheduler) is mx.lr_scheduler.PolyScheduler
    assert vars(second.optimizer.lr_scheduler) == vars(schedule)
    again = weight.copy()
    for updater, array in ((first, weight), (second, again)):
        updater(0, mx.nd.array([0.5, 0.25]), array)
    np.testing.assert_array_equal(again.asnumpy(), weight.asnumpy())
    without = mx.optimizer.get_updater(mx.optimizer.Adam(beta1=0.75, wd=0.125))
    second.set_states(without.get_states(dump_optimizer=True))
    assert second.optimizer.lr_scheduler is None


def test_states_of_an_optimizer_that_is_not_known():
    class Unregistered(mx.optimizer.SGD):
        pass

    data = mx.optimizer.get_updater(Unregistered()).get_states(dump_optimizer=True)
    with pytest.raises(FormatError, match=r"expected states of SGD or of a registered .*, got name='Unregistered'"):
        mx.optimizer.get_updater(mx.optimizer.SGD()).set_states(data)

    class OwnSchedule(mx.lr_scheduler.LRScheduler):
        def __call__(self, num_update):
            return self.base_lr

    own = mx.optimizer.get_updater(mx.optimizer.SGD(lr_scheduler=OwnSchedule()))
    data = own.get_states(dump_optimizer=True)
    own.set_states(data)
    plain = mx.optimizer.get_updater(mx.optimizer.SGD())
    with pytest.raises(FormatError, match=r"scheduler: expected none as the optimizer has, .*, got 'OwnSchedule'"):
        plain.set_states(data)
    assert plain.optimizer.lr_scheduler is None


def test_states_of_an_optimizer_that_needs_arguments():
    name = "Needy"
    needy = type(name, (mx.optimizer.SGD,), {"__init__": lambda self, x: mx.optimizer.SGD.__init__(self)})
    mx.optimizer.register(needy)
    try:
        data = mx.optimizer.get_updater(needy(1)).get_states(dump_optimizer=True)
        with pytest.raises(FormatError, match=r"optimizer: Needy needs arguments: .*'x'"):
            mx.optimizer.get_updater(mx.optimizer.SGD()).set_states(data)
    finally:
        del mx.optimizer.Optimizer.opt_registry[name.lower()]


@pytest.mark.parametrize("count", ["0", "1", "2", "4"])
def test_how_many_parameters_are_updated_at_once(monkeypatch, count):
    monkeypatch.setenv("MXNET_OPTIMIZER_AGGREGATION_SIZE", count)
    optimizer = mx.optimizer.SGD(learning_rate=0.5, momentum=0.9)
    assert optimizer.aggregate_num == int(count)
    weights = [mx.nd.ones(2) * i for i in range(5)]
    updater = mx.optimizer.get_updater(optimizer)
    updater(list(range(5)), [mx.nd.ones(2) for _ in weights], weights)
    assert [w.asnumpy().tolist() for w in weights] == [[i - 0.5] * 2 for i in range(5)]


def test_a_wrong_number_in_the_environment(monkeypatch):
    monkeypatch.setenv("MXNET_OPTIMIZER_AGGREGATION_SIZE", "many")
    with pytest.raises(ArgumentError, match="expected a whole number, got MXNET_OPTIMIZER_AGGREGATION_SIZE='many'"):
        mx.optimizer.SGD()


def test_states_that_cannot_be_saved():
    with pytest.raises(ArgumentError, match=r"state 0\.1: expected None, an NDArray or a tuple of them, got str"):
        pack_states({0: (None, "text")}, None)


def test_files_that_are_no_states():
    from safetensors.numpy import save

    optimizer = mx.optimizer.SGD()
    with pytest.raises(FormatError, match="got 3 bytes"):
        unpack_states(b"abc", optimizer, "f")
    with pytest.raises(FormatError, match=r"got a header of \d+ bytes in a file of 16"):
        unpack_states(b"\xff" * 16, optimizer, "f")
    with pytest.raises(FormatError, match="got a header without our metadata"):
        unpack_states(save({"a": np.ones(3)}), optimizer, "f")
    with pytest.raises(FormatError, match="of version 1, got version=7"):
        unpack_states(save({"a": np.ones(3)}, metadata={"gluonnx": '{"version": 7}'}), optimizer, "f")


@given(st.data())
def test_a_damaged_file_is_an_error_or_states(data):
    updater, _ = updated("sgd", momentum=0.9, steps=1)
    whole = updater.get_states(True)
    position = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    broken = whole[:position] if cut else whole[:position] + bytes([whole[position] ^ 0x15]) + whole[position + 1 :]
    optimizer = mx.optimizer.SGD(momentum=0.9)
    try:
        states, _ = unpack_states(broken, optimizer, "f")
    except FormatError:
        assert optimizer.num_update == 0
    else:
        assert not cut
        assert all(isinstance(s, mx.nd.NDArray) for s in states.values())
