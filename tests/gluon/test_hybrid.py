"""Hybridized calls: the same as imperative ones, in every mode, and never with a stale weight."""

import threading
import time

import numpy as np
import pytest
import torch
from gluon.nets import convnet, eager, images, initialized, mlp, near, rows

import gluonnx as mx
from gluonnx import autograd, gluon, nd
from gluonnx.gluon import nn
from gluonnx.gluon import plan as planning


def clone(net, make):
    """Another net with the same parameters."""
    other = make()
    for a, b in zip(other.collect_params().values(), net.collect_params().values(), strict=True):
        a.set_data(b.data())
    return other


def plans(net):
    return list(net._compiled._plans.values())


class Function(gluon.HybridBlock):
    """A block without parameters."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def hybrid_forward(self, F, *args):
        return self.function(F, *args)


# The same answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 7])
def test_prediction_is_that_of_the_imperative_net(count):
    net, x = convnet(), images(count)
    expected = net(x)
    net.hybridize()
    for _ in range(3):
        near(net(x), expected)
    assert net._fast is not None


def test_recorded_outputs_gradients_and_statistics_are_those_of_the_imperative_net():
    plain, x = convnet(), images(5)
    hybrid = clone(plain, convnet)
    hybrid.hybridize()
    answers = []
    for net in (plain, hybrid):
        mx.random.seed(11)
        y = x.copy()
        y.attach_grad()
        with autograd.record():
            out = net(y)
            loss = (out * out).sum()
        loss.backward()
        answers.append([out, y.grad, *(p.grad() for p in net.collect_params().values() if p.grad_req != "null")])
    for expected, got in zip(*answers, strict=True):
        near(got, expected)
    for a, b in zip(plain.collect_params().values(), hybrid.collect_params().values(), strict=True):
        near(b.data(), a.data())
    near(hybrid(x), plain(x))


def test_statistics_change_in_train_mode_and_stay_in_predict_mode():
    net, x = convnet(), images(4)
    net.hybridize()
    mean = next(p for n, p in net.collect_params().items() if n.endswith("running_mean"))
    before = mean.data().asnumpy()
    net(x)
    with autograd.record(train_mode=False):
        net(x)
    np.testing.assert_array_equal(mean.data().asnumpy(), before)
    with autograd.train_mode():
        net(x)
    assert np.abs(mean.data().asnumpy() - before).max() > 1e-3
    near(net(x), eager(net, x))


def test_dropout_drops_in_train_mode_only_and_repeats_under_a_seed():
    net = initialized(nn.HybridSequential())
    net.add(nn.Dropout(0.5))
    net.hybridize()
    x = nd.ones((50, 40))
    np.testing.assert_array_equal(net(x).asnumpy(), 1)
    draws = []
    for _ in range(2):
        mx.random.seed(5)
        with autograd.train_mode():
            draws.append(net(x).asnumpy())
    np.testing.assert_array_equal(draws[0], draws[1])
    assert set(np.unique(draws[0])) == {0.0, 2.0}
    assert 0.4 < (draws[0] == 0).mean() < 0.6


def test_random_operators_repeat_under_a_seed_and_differ_without():
    net = Function(lambda F, x: x + F.random.normal(shape=(2, 3)))
    net.hybridize()
    mx.random.seed(3)
    first, second = net(nd.zeros((2, 3))).asnumpy(), net(nd.zeros((2, 3))).asnumpy()
    mx.random.seed(3)
    np.testing.assert_array_equal(net(nd.zeros((2, 3))).asnumpy(), first)
    assert np.abs(first - second).max() > 1e-3


def test_nested_inputs_and_outputs_keep_their_structure():
    net = Function(lambda F, x, ys: [x + ys[0], [ys[0] * 2, ys[1] * 3]])
    x, a, b = rows(), rows(seed=2), rows(seed=3)
    expected = net(x, [a, b])
    net.hybridize()
    for _ in range(3):
        first, (second, third) = net(x, [a, b])
        near(first, expected[0])
        near(second, expected[1][0])
        near(third, expected[1][1])


def test_several_outputs_come_as_a_list_and_one_in_a_list_too():
    net = Function(lambda F, x: (x * 2, x * 3))
    net.hybridize()
    assert [type(net(rows())), len(net(rows()))] == [list, 2]
    single = Function(lambda F, x: [x * 2])
    single.hybridize()
    assert [type(single(rows())), len(single(rows()))] == [list, 1]


def test_none_is_an_input_that_may_be_left_out_at_the_end():
    net = Function(lambda F, x, y=None: x * 2 if y is None else x + y)
    net.hybridize()
    near(net(rows(), None), rows() * 2)
    near(net(rows()), rows() * 2)
    with pytest.raises(ValueError, match=r"does not match the cached version.*got \[0, 0\]"):
        net(rows(), rows())


def test_an_output_never_shares_memory_with_an_input_or_another_output():
    net = Function(lambda F, x: [x, F.reshape(x, shape=(-1,)), x])
    net.hybridize()
    x = rows()
    for _ in range(2):
        outputs = net(x)
        x_before = x.asnumpy()
        for out in outputs:
            out[:] = 9
        np.testing.assert_array_equal(x.asnumpy(), x_before)
    with autograd.train_mode():
        outputs = net(x)
    outputs[0][:] = 9
    near(outputs[2], x)


def test_results_stay_what_they_were_after_later_calls():
    net, x = mlp(), rows()
    net.hybridize()
    first = net(x)
    kept = first.asnumpy()
    others = [net(rows(seed=s)) for s in range(5)]
    np.testing.assert_array_equal(first.asnumpy(), kept)
    assert len({o._t.data_ptr() for o in [first, *others]}) == 6


def test_views_and_transposed_inputs_are_read_right():
    net = mlp()
    net.hybridize()
    wide = rows(3, 4)
    net(rows(3))
    tall = nd.NDArray(wide._t.t()[:, :3])  # strides (1, 4)
    near(net(tall), eager(net, nd.array(tall.asnumpy())))
    tracked = rows(3)
    tracked.attach_grad()
    near(net(tracked), eager(net, rows(3)))


@pytest.mark.parametrize("shape", [(0, 3), (1, 3)])
def test_batches_of_none_and_one(shape):
    net = mlp()
    net.hybridize()
    net(rows(2))
    x = nd.array(np.zeros(shape))
    near(net(x), eager(net, x))


def test_float16_and_float64_nets():
    for dtype, tolerance in (("float16", 1e-3), ("float64", 1e-12)):
        net = mlp()
        net.cast(dtype)
        x = rows().astype(dtype)
        expected = net(x)
        net.hybridize()
        near(net(x), expected, tolerance, tolerance)


# Sessions -------------------------------------------------------------------------------------------------------------


def test_batch_sizes_share_a_session_and_other_shapes_make_their_own():
    net = initialized(nn.HybridSequential())
    net.add(nn.Conv2D(2, 3, in_channels=1), nn.GlobalAvgPool2D(), nn.Flatten())
    initialized(net)
    net.hybridize()
    for count in (1, 2, 7, 64):
        near(net(images(count)), eager_of(net, images(count)))
    assert len(plans(net)) == 1
    net(nd.ones((2, 1, 9, 9)))
    assert len(plans(net)) == 2


def eager_of(net, x):
    """As `eager`, without making the net trace anew."""
    with autograd.record(train_mode=False):
        return net(x)


def test_a_net_for_one_batch_size_makes_a_session_for_each():
    net = Function(lambda F, x: F.reshape(F.broadcast_add(x, F.ones(shape=(4, 3))), shape=(2, 6)))
    net.hybridize()
    x = rows(4)
    near(net(x), eager(net, x))


def test_sessions_are_bounded_and_the_newest_are_kept(monkeypatch):
    monkeypatch.setattr("gluonnx.gluon.hybrid.MAX_PLANS", 3)
    net = Function(lambda F, x: F.relu(x))
    net.hybridize()
    for width in (1, 2, 3, 1, 4, 1):
        near(net(rows(2, width)), nd.relu(rows(2, width)))
    widths = [key[1][0][1] for key in net._compiled._plans]
    assert widths == [3, 4, 1]


def test_shapes_are_bounded_and_the_newest_are_kept(monkeypatch):
    monkeypatch.setattr(planning, "MAX_SHAPES", 3)
    net = mlp()
    net.hybridize()
    for count in (1, 2, 3, 1, 4, 1):
        near(net(rows(count)), eager_of(net, rows(count)))
    (plan,) = plans(net)
    assert [key[0][0] for key in plan._shapes] == [3, 4, 1]
    assert len(plan._frozen.bound._idle) == 3


def test_an_operator_that_onnx_cannot_express_falls_back_with_one_warning(monkeypatch):
    from gluonnx.errors import LoweringError

    def refuse(*_, **__):
        raise LoweringError("net: ONNX cannot express: `Weird` (node `weird0`).")

    monkeypatch.setattr(planning, "lower", refuse)
    net, x = mlp(), rows()
    expected = net(x)
    net.hybridize()
    with pytest.warns(UserWarning, match="runs on torch instead of ONNX Runtime.*`Weird`") as caught:
        near(net(x), expected)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    near(net(x), expected)
    near(net(rows(5)), clone(net, mlp)(rows(5)))


# Never a stale weight -------------------------------------------------------------------------------------------------


def by_set_data(net, param):
    param.set_data(param.data() * 2)


def by_slice(net, param):
    param.data()[:] = param.data() * 2


def by_element(net, param):
    param.data()[0] = 5


def in_place(net, param):
    data = param.data()
    data += 1


def by_foreach(net, param):
    torch._foreach_mul_([param.data()._plain()], 3.0)


def by_plain_tensor(net, param):
    param.data().as_torch().add_(1)


def by_reinitialization(net, param):
    net.initialize(mx.init.Constant(0.25), force_reinit=True)


def by_reset_ctx(net, param):
    param.reset_ctx(mx.cpu(0))
    param.data()[:] = 2


def by_attach_grad(net, param):
    param.data().attach_grad()
    param.data()[:] = param.data() - 3


def by_grad_req(net, param):
    param.grad_req = "null"
    param.set_data(param.data() * 2)
    param.grad_req = "add"
    param.set_data(param.data() + 2)


def by_trainer(net, param):
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
    with autograd.record():
        loss = (net(rows(4)) ** 2).sum()
    loss.backward()
    trainer.step(1)


def by_copyto(net, param):
    nd.ones(param.shape).copyto(param.data())


CHANGES = [
    by_set_data,
    by_slice,
    by_element,
    in_place,
    by_foreach,
    by_plain_tensor,
    by_reinitialization,
    by_reset_ctx,
    by_attach_grad,
    by_grad_req,
    by_trainer,
    by_copyto,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_weight_is_seen_at_once(change):
    net, x = mlp(), rows()
    net.hybridize()
    before = net(x).asnumpy()
    param = next(iter(net.collect_params().values()))
    for _ in range(3):  # frozen, then live, then live
        change(net, param)
        got = net(x)
        near(got, clone(net, mlp)(x))
        before = got.asnumpy()
    (plan,) = plans(net)
    plan._stable_s = 1e9  # now a frozen session is due
    near(net(x), before)
    # Memory that torch code was given may be written through `.data`, which nothing counts: it is never frozen again.
    assert (plan._frozen is None) == (change is by_plain_tensor)
    change(net, param)
    near(net(x), clone(net, mlp)(x))


def test_loaded_parameters_are_seen_at_once(tmp_path):
    net, x = mlp(), rows()
    other = initialized(mlp(), seed=99)
    other.save_parameters(tmp_path / "other.params")
    net.hybridize()
    net(x)
    net.load_parameters(tmp_path / "other.params")
    near(net(x), other(x))


def test_a_cast_of_the_net_or_of_its_parameters_is_seen_at_once():
    net, x = mlp(), rows()
    net.hybridize()
    net(x)
    net.cast("float64")
    near(net(x.astype("float64")), eager(net, x.astype("float64")))
    for param in net.collect_params().values():
        param.cast("float32")
    near(net(x), eager_of(net, x))
    net.collect_params().setattr("dtype", "float64")
    near(net(x.astype("float64")), eager_of(net, x.astype("float64")))


def test_running_statistics_are_seen_at_once():
    net, x = convnet(), images()
    net.hybridize()
    for _ in range(3):
        with autograd.record():
            net(images(6))
        near(net(x), eager_of(net, x))


def test_another_net_leaves_a_frozen_session_alone():
    net = mlp()
    net.hybridize()
    net(rows())
    frozen = plans(net)[0]._frozen
    mlp()(rows())
    net(rows())
    assert plans(net)[0]._frozen is frozen


def test_weights_are_frozen_again_when_they_stay():
    net, x = mlp(), rows()
    net.hybridize()
    net(x)
    (plan,) = plans(net)
    first = plan._frozen
    next(iter(net.collect_params().values())).data()[:] = 1
    net(x)
    assert plan._frozen is None
    assert plan._live is not None
    deadline = time.monotonic() + 60
    while plan._frozen is None and time.monotonic() < deadline:
        net(x)
    assert plan._frozen is not None
    assert plan._frozen is not first
    near(net(x), eager_of(net, x))


def test_moving_to_another_context_is_seen_at_once():
    net, x = mlp(), rows()
    net.hybridize()
    expected = net(x)
    net.collect_params().reset_ctx(mx.cpu(1))
    with pytest.raises(RuntimeError, match=r"was not initialized on context cpu\(0\)"):
        net(x)
    there = net(x.as_in_context(mx.cpu(1)))
    assert there.context == mx.cpu(1)
    near(there, expected)


def test_several_contexts_have_their_own_weights():
    net = mlp()
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1)], force_reinit=True)
    net.hybridize()
    x = rows()
    near(net(x.as_in_context(mx.cpu(1))), net(x))
    for param in net.collect_params().values():
        param.data(mx.cpu(1))[:] = 0
    np.testing.assert_array_equal(net(x.as_in_context(mx.cpu(1))).asnumpy(), 0)
    assert np.abs(net(x).asnumpy()).max() > 0


def test_threads_share_a_net():
    net = mlp()
    net.hybridize()
    inputs = [rows(1 + i % 3, seed=i) for i in range(8)]
    expected = [eager(net, x).asnumpy() for x in inputs]
    net(inputs[0])
    faults = []

    def work(i):
        try:
            for _ in range(200):
                np.testing.assert_allclose(net(inputs[i]).asnumpy(), expected[i], rtol=1e-5, atol=1e-5)
        except AssertionError as err:
            faults.append(err)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_threads_share_a_net_whose_weights_change():
    net, x = mlp(), rows(1)
    net.hybridize()
    params = list(net.collect_params().values())
    stop = threading.Event()
    faults = []

    def read():
        try:
            while not stop.is_set():
                assert np.isfinite(net(x).asnumpy()).all()
        except Exception as err:  # the main thread reports it
            faults.append(err)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(60):
        for param in params:
            param.set_data(nd.full(param.shape, number / 100))
            if number % 10 == 0:
                param.reset_ctx(mx.cpu(0))
        near(net(x), eager_of(net, x))
    stop.set()
    for thread in threads:
        thread.join()
    assert not faults


# Wrong inputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_hybrid", [False, True])
@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda: (nd.ones((2, 4)),), r"\(2, 4\)"),
        (lambda: (nd.ones((2, 3), dtype="float64"),), "dtype"),
        (lambda: (np.ones((2, 3), "float32"),), "there must be one NDArray or one Symbol.*ndarray"),
        (lambda: (3,), "there must be one NDArray or one Symbol.*int"),
        (lambda: (mx.sym.var("x"), nd.ones((2, 3))), "mixed NDArrays and Symbols"),
    ],
)
def test_wrong_inputs_are_told(is_hybrid, wrong, match):
    net = nn.Dense(2, in_units=3)
    initialized(net)
    if is_hybrid:
        net.hybridize()
        net(nd.ones((2, 3)))
    with pytest.raises(ValueError, match=match):
        net(*wrong())
    near(net(nd.ones((2, 3))), eager(net, nd.ones((2, 3))))


def test_wrong_number_of_inputs_is_told():
    net = nn.Dense(2, in_units=3)
    initialized(net)
    net.hybridize()
    net(rows())
    with pytest.raises(ValueError, match=r"does not match the cached version: expected \[0\], got \[0, 0\]"):
        net(rows(), rows())


def test_inputs_on_other_contexts_are_told():
    net = Function(lambda F, x, y: x + y)
    net.hybridize()
    with pytest.raises(mx.MXNetError, match=r"cpu\(1\)"):
        net(rows(), rows().as_in_context(mx.cpu(1)))


def test_an_input_that_is_not_used_is_told_once():
    net = Function(lambda F, x, y: x * 2)
    net.hybridize()
    with pytest.warns(UserWarning, match="The 1-th input to HybridBlock is not used by any computation") as caught:
        near(net(rows(), rows()), rows() * 2)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    near(net(rows(), rows()), rows() * 2)


def test_flags_are_checked():
    net = mlp()
    with pytest.raises(TypeError, match=r"hybridize: unknown flag: expected some of .*static_shape.*, got fast"):
        net.hybridize(fast=True)
    with pytest.raises(ValueError, match="static_shape needs static_alloc: expected static_alloc=True"):
        net.hybridize(static_shape=True)
    net.hybridize(static_alloc=True, static_shape=True)
    near(net(rows()), eager(net, rows()))


# What is around the graph ---------------------------------------------------------------------------------------------


def test_hooks_run_around_a_hybridized_call():
    net, x = mlp(), rows()
    net.hybridize()
    net(x)
    seen = []
    with (
        net.register_forward_hook(lambda block, inputs, output: seen.append((len(inputs), output.shape))),
        net.register_forward_pre_hook(lambda block, inputs: seen.append(len(inputs))),
    ):
        net(x)
    net(x)
    assert seen == [1, (1, (2, 2))]


def test_an_overridden_forward_is_always_asked():
    class Scaled(gluon.HybridBlock):
        scale = 1

        def forward(self, x):
            return super().forward(x * self.scale)

        def hybrid_forward(self, F, x):
            return F.relu(x)

    net = Scaled()
    net.hybridize()
    x = nd.ones((1, 2))
    for scale in (1, 2, 3):
        net.scale = scale
        np.testing.assert_array_equal(net(x).asnumpy(), scale)
    other = Function(lambda F, x: F.relu(x))
    other.hybridize()
    other(x)
    other.forward = lambda x: x * 7
    np.testing.assert_array_equal(other(x).asnumpy(), 7)


def test_a_changed_child_is_traced_anew():
    net = mlp()
    net.hybridize()
    net(rows())

    class Holder(gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            self.child = nn.Activation("relu")

        def hybrid_forward(self, F, x):
            return self.child(x)

    holder = Holder()
    holder.hybridize()
    x = rows()
    near(holder(x), nd.relu(x))
    holder.child = nn.Activation("tanh")
    with pytest.raises(TypeError, match="Changing attribute type"):
        holder.child = nn.Dense(2)
    holder.hybridize()
    near(holder(x), nd.tanh(x))


def test_a_graph_without_parameters_or_operators():
    net = Function(lambda F, x: x)
    net.hybridize()
    x = rows()
    out = net(x)
    near(out, x)
    out[:] = 0
    assert np.abs(x.asnumpy()).max() > 0


def test_deferred_parameters_are_created_by_a_hybridized_call():
    net = nn.HybridSequential()
    net.add(nn.Dense(4), nn.Dense(2))
    net.initialize()
    net.hybridize()
    assert net(rows()).shape == (2, 2)
    assert net[0].weight.shape == (4, 3)


def test_symbol_block_hybridizes():
    data = mx.sym.var("data")
    net = gluon.SymbolBlock(mx.sym.FullyConnected(data, num_hidden=3, name="fc"), data)
    initialized(net)
    expected = net(rows())
    net.hybridize()
    near(net(rows()), expected)
    net.params["fc_weight"].set_data(nd.ones((3, 3)))
    near(net(rows()), eager(net, rows()))


def test_torch_global_state_is_left_alone():
    net = mlp()
    net.hybridize()
    threads, enabled = torch.get_num_threads(), torch.is_grad_enabled()
    net(rows())
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, enabled)


@pytest.mark.parametrize("export_first", [True, False])
def test_a_write_through_another_library_is_seen(export_first):
    net = mx.gluon.nn.Dense(2, in_units=3, use_bias=False)
    net.initialize(mx.init.One())
    net.hybridize()
    x = mx.nd.ones((1, 3))
    if not export_first:
        assert net(x).asnumpy().tolist() == [[3, 3]]
    # numpy 1 hands DLPack memory out for reading only; torch's view of it is numpy's to write through.
    for view in (torch.from_dlpack(net.weight.data()).numpy(), torch.from_dlpack(net.weight.data()[0:1]).numpy()):
        for value in (2.0, 5.0):
            for _ in range(50):  # long enough for weights that stay to be frozen
                net(x)
            view[...] = value
            assert net(x).asnumpy()[0, 0] == 3 * value
    weight = net.weight.data().as_torch()
    for _ in range(50):
        net(x)
    weight.data.fill_(7)
    assert net(x).asnumpy().tolist() == [[21, 21]]


class Branching(gluon.HybridBlock):
    def hybrid_forward(self, F, x):
        return x if x.sum() > 1 else x * 2


class AskingShape(gluon.HybridBlock):
    def hybrid_forward(self, F, x):
        return x.reshape((x.shape[0], -1))


class TakingValues(gluon.HybridBlock):
    def hybrid_forward(self, F, x):
        return F.relu(nd.array(x.asnumpy()))


@pytest.mark.parametrize(
    ("block", "line", "cause"),
    [
        (Branching, "return x if x.sum", "truth value"),
        (AskingShape, "return x.reshape", "no attribute 'shape'"),
        (TakingValues, "return F.relu", "`asnumpy` needs values"),
    ],
)
def test_what_cannot_be_traced_is_told_with_its_line(block, line, cause):
    net = gluon.nn.HybridSequential()
    net.add(block())
    net(nd.ones((2, 3)))
    net.hybridize()
    with pytest.raises(AttributeError, match=rf"cannot be traced: .*test_hybrid.py:\d+: `{line}.*{cause}") as caught:
        net(nd.ones((2, 3)))
    assert isinstance(caught.value, mx.MXNetError)


def test_weights_that_no_model_can_hold_are_never_frozen(monkeypatch):
    net = mlp()
    monkeypatch.setattr("gluonnx.gluon.plan.LARGEST_FROZEN_BYTES", 8)
    monkeypatch.setattr("gluonnx.gluon.plan.RuntimePlan._freeze", lambda plan: pytest.fail("frozen"))
    expected = eager(net, rows(3))
    net.hybridize()
    for _ in range(20):
        near(net(rows(3)), expected)
