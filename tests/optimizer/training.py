"""Small trainings through gluon.Trainer that MXNet 1.9.1 and gluonnx are compared on. Must run under Python 3.8."""

import numpy as np

STEPS = 10

# name -> (contexts, optimizer, optimizer_params, Trainer arguments)
TRAININGS = {
    "sgd": (1, "sgd", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01}, {}),
    "adam": (1, "adam", {"learning_rate": 0.02, "wd": 0.01}, {}),
    "sgd_two": (2, "sgd", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01}, {}),
    "sgd_two_apart": (2, "sgd", {"learning_rate": 0.1, "momentum": 0.9}, {"update_on_kvstore": False}),
    "adam_two_local": (2, "adam", {"learning_rate": 0.02}, {"kvstore": "local"}),
    "sgd_two_alone": (2, "sgd", {"learning_rate": 0.1}, {"kvstore": None}),
    "nadam": (1, "nadam", {"learning_rate": 0.02, "clip_gradient": 0.05}, {}),
}


def train(mx, name):
    """Return the parameters on the first context after each step, (STEPS, all elements)."""
    count, optimizer, arguments, others = TRAININGS[name]
    contexts = [mx.cpu(i) for i in range(count)]
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(5, activation="tanh", in_units=4), mx.gluon.nn.Dense(2, in_units=5))
    net.initialize(mx.init.Zero(), ctx=contexts)
    rng = np.random.RandomState(5)
    params = list(net.collect_params().values())
    for param in params:
        param.set_data(mx.nd.array(rng.uniform(-1, 1, param.shape)))
    params[0].lr_mult = 0.5
    params[1].wd_mult = 0.0
    trainer = mx.gluon.Trainer(params, optimizer, dict(arguments), **others)
    loss = mx.gluon.loss.L2Loss()
    rows = []
    for _ in range(STEPS):
        data = rng.uniform(-1, 1, (6, 4)).astype("float32")
        label = rng.uniform(-1, 1, (6, 2)).astype("float32")
        losses = []
        with mx.autograd.record():
            for i, ctx in enumerate(contexts):
                part = slice(i * 6 // count, (i + 1) * 6 // count)
                x, y = mx.nd.array(data[part], ctx=ctx), mx.nd.array(label[part], ctx=ctx)
                losses.append(loss(net(x), y))
        for value in losses:
            value.backward()
        trainer.step(6)
        rows.append(np.concatenate([p.data(contexts[0]).asnumpy().ravel() for p in params]))
    return np.stack(rows)
