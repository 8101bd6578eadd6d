"""Trainings whose course is recorded from MXNet 1.9.1 and compared with ours; Python 3.8 reads this."""

import numpy as np


def _net(mx):
    data = mx.sym.Variable("data")
    hidden = mx.sym.FullyConnected(data, name="fc1", num_hidden=5)
    hidden = mx.sym.BatchNorm(hidden, name="bn", fix_gamma=False)
    hidden = mx.sym.Activation(hidden, name="act", act_type="tanh")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, name="fc2", num_hidden=3), name="softmax")


SHAPES = {
    "fc1_weight": (5, 4),
    "fc1_bias": (5,),
    "bn_gamma": (5,),
    "bn_beta": (5,),
    "fc2_weight": (3, 5),
    "fc2_bias": (3,),
}

# The gradient of fc1_bias, which bn takes away again, is rounding noise: epsilon keeps Adam from following it.
CASES = {
    "sgd": {"optimizer": "sgd", "optimizer_params": {"learning_rate": 0.5, "momentum": 0.9, "wd": 0.01}},
    "adam": {"optimizer": "adam", "optimizer_params": (("learning_rate", 0.05), ("epsilon", 1e-3))},
    "fixed": {"optimizer": "sgd", "fixed_param_names": ["fc1_weight", "bn_gamma"]},
    "two contexts": {"optimizer": "sgd", "contexts": 2, "optimizer_params": {"learning_rate": 0.5, "momentum": 0.9}},
    "two contexts, no kvstore update": {
        "optimizer": "adam",
        "contexts": 2,
        "kvstore": "device",
        "optimizer_params": {"epsilon": 1e-3},
    },
}


def start(mx, seed=7):
    """Return initial parameters, and an iterator over 10 samples in batches of 4."""
    draw = np.random.RandomState(seed)
    params = {name: mx.nd.array(draw.uniform(-0.5, 0.5, shape)) for name, shape in sorted(SHAPES.items())}
    states = {"bn_moving_mean": mx.nd.zeros(5), "bn_moving_var": mx.nd.ones(5)}
    data = draw.uniform(-1, 1, (10, 4)).astype("float32")
    label = (data.sum(1) > 0).astype("float32") + (data[:, 0] > 0.3)
    return params, states, mx.io.NDArrayIter(data, label, 4)


def module(mx, case):
    """Return the module of a case, not bound."""
    given = CASES[case]
    contexts = [mx.cpu(i) for i in range(given.get("contexts", 1))]
    return mx.mod.Module(_net(mx), context=contexts, fixed_param_names=given.get("fixed_param_names"))


def answer(mx, case):
    """Train for two epochs and return what was seen on the way."""
    given = CASES[case]
    params, states, batches = start(mx)
    mod = module(mx, case)
    metrics = []
    mod.fit(
        batches,
        eval_data=batches,
        eval_metric=["acc", "ce"],
        kvstore=given.get("kvstore", "local"),
        optimizer=given["optimizer"],
        optimizer_params=given.get("optimizer_params", (("learning_rate", 0.1),)),
        arg_params=params,
        aux_params=states,
        batch_end_callback=lambda p: metrics.append([p.epoch, p.nbatch, [float(v) for v in p.eval_metric.get()[1]]]),
        num_epoch=2,
    )
    arguments, auxiliary = mod.get_params()
    return {
        "metrics": metrics,
        "score": [[n, float(v)] for n, v in mod.score(batches, ["acc", "ce"])],
        "predict": mod.predict(batches).asnumpy().tolist(),
        "params": {n: a.asnumpy().tolist() for n, a in arguments.items()},
        "states": {n: a.asnumpy().tolist() for n, a in auxiliary.items()},
        "outputs": [[n, list(s)] for n, s in mod.output_shapes],
    }


def input_gradients(mx):
    """Return outputs and gradients of the data for given gradients of a graph without a loss, on two contexts."""
    out = mx.sym.FullyConnected(mx.sym.Variable("data"), name="fc", num_hidden=2)
    mod = mx.mod.Module(out, label_names=None, context=[mx.cpu(0), mx.cpu(1)])
    mod.bind([("data", (5, 3))], inputs_need_grad=True)
    mod.init_params(arg_params={"fc_weight": mx.nd.array([[1, 2, 3], [4, 5, 6]]), "fc_bias": mx.nd.array([1, -1])})
    mod.forward(mx.io.DataBatch([mx.nd.arange(15).reshape((5, 3))]))
    mod.backward([mx.nd.arange(10).reshape((5, 2))])
    return {
        "outputs": mod.get_outputs()[0].asnumpy().tolist(),
        "apart": [[list(a.shape) for a in row] for row in mod.get_outputs(merge_multi_context=False)],
        "gradients": mod.get_input_grads()[0].asnumpy().tolist(),
    }


def answers(mx):
    """Return the answers to all cases."""
    return {"fit": {case: answer(mx, case) for case in CASES}, "input_gradients": input_gradients(mx)}
