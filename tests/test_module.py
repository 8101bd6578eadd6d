"""`mx.io` and `mx.mod`: batches, and training of symbols."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import ArgumentError, InputError, NotSupportedError, ParameterError


def labels(iterator):
    return [(batch.label[0].asnumpy().tolist(), batch.pad) for batch in iterator]


@pytest.mark.parametrize(
    ("handle", "first", "second"),
    [
        ("pad", [([0, 1], 0), ([2, 3], 0), ([4, 0], 1)], [([0, 1], 0), ([2, 3], 0), ([4, 0], 1)]),
        ("discard", [([0, 1], 0), ([2, 3], 0)], [([0, 1], 0), ([2, 3], 0)]),
        ("roll_over", [([0, 1], 0), ([2, 3], 0)], [([4, 0], 0), ([1, 2], 0), ([3, 4], 0)]),
    ],
)
def test_last_batch(handle, first, second):
    it = mx.io.NDArrayIter(np.arange(10).reshape(5, 2), {"l": np.arange(5)}, batch_size=2, last_batch_handle=handle)
    assert labels(it) == first
    it.reset()
    assert labels(it) == second
    it.hard_reset()
    assert labels(it) == first


def test_descriptions_and_names():
    it = mx.io.NDArrayIter([np.zeros((4, 3)), np.zeros((4, 1))], np.zeros(4, dtype="int32"), batch_size=2)
    assert it.provide_data == [("_0_data", (2, 3)), ("_1_data", (2, 1))]
    assert repr(it.provide_label) == "[DataDesc[softmax_label,(2,),<class 'numpy.float32'>,NCHW]]"
    assert it.provide_data[0].name == "_0_data"
    assert mx.io.DataDesc.get_batch_axis("TNC") == 1
    assert str(next(it)) == "DataBatch: data shapes: [(2, 3), (2, 1)] label shapes: [(2,)]"


def test_shuffle_gives_every_sample_once():
    it = mx.io.NDArrayIter(np.arange(8.0), batch_size=4, shuffle=True)
    assert sorted(np.concatenate([b.data[0].asnumpy() for b in it]).tolist()) == list(range(8))


def test_resize_iter():
    it = mx.io.ResizeIter(mx.io.NDArrayIter(np.arange(4.0), batch_size=2), 3)
    assert [b.data[0].asnumpy().tolist() for b in it] == [[0, 1], [2, 3], [0, 1]]
    it.reset()
    assert len(list(it)) == 3


def test_wrong_arguments_of_iterators():
    with pytest.raises(ArgumentError, match=r"expected 3 in every array, got \{'data': 3, 'softmax_label': 2\}"):
        mx.io.NDArrayIter(np.zeros(3), np.zeros(2))
    with pytest.raises(ArgumentError, match=r"expected at most 3, got batch_size=4"):
        mx.io.NDArrayIter(np.zeros(3), batch_size=4)
    with pytest.raises(ArgumentError, match="got last_batch_handle='keep'"):
        mx.io.NDArrayIter(np.zeros(3), last_batch_handle="keep")
    with pytest.raises(ArgumentError, match="no data"):
        mx.io.NDArrayIter([])
    with pytest.raises(ArgumentError, match="Data must be list of NDArrays"):
        mx.io.DataBatch(mx.nd.ones(2))


def regression(seed=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 4)).astype("float32")
    y = x @ np.array([1, -2, 3, 0.5], dtype="float32")[:, None] + 1
    data, label = mx.sym.Variable("data"), mx.sym.Variable("label")
    net = mx.sym.FullyConnected(data, num_hidden=1, name="fc")
    loss = mx.sym.make_loss(mx.sym.square(net - label))
    return x, y, loss


def test_fit_score_predict(tmp_path):
    x, y, loss = regression()
    it = mx.io.NDArrayIter(x, y, batch_size=10, label_name="label")
    module = mx.mod.Module(loss, label_names=("label",))
    epochs = []
    module.fit(
        it,
        num_epoch=60,
        eval_metric=mx.metric.Loss(),
        optimizer_params={"learning_rate": 0.1},
        epoch_end_callback=lambda epoch, symbol, arguments, states: epochs.append((epoch, sorted(arguments))),
    )
    assert epochs[-1] == (59, ["fc_bias", "fc_weight"])
    assert module.score(it, mx.metric.Loss())[0][1] < 1e-6
    arguments, states = module.get_params()
    np.testing.assert_allclose(arguments["fc_weight"].asnumpy(), [[1, -2, 3, 0.5]], atol=1e-3)
    assert states == {}
    module.save_checkpoint(str(tmp_path / "m"), 3, save_optimizer_states=True)
    again = mx.mod.Module.load(str(tmp_path / "m"), 3, load_optimizer_states=True, label_names=("label",))
    again.bind(it.provide_data, it.provide_label)
    again.init_optimizer()
    assert again.score(it, mx.metric.Loss()) == module.score(it, mx.metric.Loss())
    module.save_params(str(tmp_path / "p.params"))
    again.load_params(str(tmp_path / "p.params"))


def test_predict_drops_padding_and_takes_other_batch_sizes():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
    module = mx.mod.Module(net, label_names=None)
    module.bind([("data", (2, 3))], for_training=False)
    module.init_params(mx.init.One())
    x = np.arange(15.0).reshape(5, 3)
    found = module.predict(mx.io.NDArrayIter(x, batch_size=2))
    np.testing.assert_array_equal(found.asnumpy(), np.repeat(x.sum(1, keepdims=True), 2, axis=1))
    assert module.predict(x).shape == (5, 2)
    assert module.output_shapes == [("fc_output", (5, 2))]


def test_gradients_of_inputs_and_fixed_parameters():
    x, y, loss = regression()
    module = mx.mod.Module(loss, label_names=("label",), fixed_param_names=["fc_bias"])
    module.bind([("data", (20, 4))], [("label", (20, 1))], inputs_need_grad=True)
    module.init_params(mx.init.One())
    module.init_optimizer(optimizer_params={"learning_rate": 0.1})
    before = module.get_params()[0]
    module.forward_backward(mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)]))
    module.update()
    after = module.get_params()[0]
    np.testing.assert_array_equal(before["fc_bias"].asnumpy(), after["fc_bias"].asnumpy())
    error = 2 * (x.sum(1, keepdims=True) + before["fc_bias"].asnumpy() - y)
    np.testing.assert_allclose(module.get_input_grads()[0].asnumpy(), error * np.ones((1, 4)), rtol=1e-5)
    np.testing.assert_allclose(after["fc_weight"].asnumpy(), 1 - 0.1 / 20 * (error * x).sum(0)[None], rtol=1e-5)


def test_wrong_use_of_modules():
    x, _, loss = regression()
    module = mx.mod.Module(loss, label_names=("label",))
    with pytest.raises(ArgumentError, match="init_params: module is not bound"):
        module.init_params()
    with pytest.raises(ArgumentError, match="forward: module is not ready"):
        module.forward(mx.io.DataBatch([mx.nd.array(x)]))
    with pytest.raises(InputError, match=r"data_shapes name other inputs: expected \['data'\], got \['x'\]"):
        module.bind([("x", (20, 4))])
    module.bind([("data", (20, 4))], [("label", (20, 1))])
    with pytest.raises(ParameterError, match=r"shape of `fc_weight`: expected \(1, 4\), got shape=\(2,\)"):
        module.init_params(arg_params={"fc_weight": mx.nd.ones(2)})
    with pytest.raises(ParameterError, match="fc_bias is not presented"):
        module.init_params(None, arg_params={"fc_weight": mx.nd.ones((1, 4))})
    with pytest.raises(ParameterError, match=r"unknown parameters: expected fc_weight, fc_bias, got \['w'\]"):
        module.init_params(arg_params={"w": mx.nd.ones(2)})
    module.init_params()
    with pytest.raises(ArgumentError, match=r"Module\.update: no optimizer"):
        module.update()
    with pytest.raises(ArgumentError, match="inputs_need_grad=True"):
        module.get_input_grads()
    with pytest.raises(NotSupportedError, match="one context only"):
        mx.mod.Module(loss, context=[mx.cpu(0), mx.cpu(1)])
    with pytest.raises(ArgumentError, match=r"expected data_names among data, .*got \['x'\]"):
        mx.mod.Module(loss, data_names=["x"])
    with pytest.raises(ArgumentError, match="number of epochs"):
        module.fit(None)
