"""A linear regression and small nets, trained and predicted with a Module, against the formulas."""

import numpy as np

import gluonnx as mx


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
    np.testing.assert_allclose(arguments["fc_weight"].asnumpy(), [[1, -2, 3, 0.5]], atol=3e-4)
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
