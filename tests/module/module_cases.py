"""Modules made of modules, and monitors: cases that MXNet 1.9.1 and gluonnx both run; Python 3.8 reads this."""

import pathlib
import tempfile

import numpy as np
from cases import Cases

CASES = Cases()
BATCHES = (6, 3, 4, 3, 6)
"""Lengths of the sequences of a training."""


def by_length(mx):
    """A symbol for each length: the mean of an embedding, and a linear layer."""

    def generate(length):
        embedded = mx.sym.Embedding(mx.sym.Variable("data"), input_dim=7, output_dim=4, name="emb")
        scores = mx.sym.FullyConnected(mx.sym.mean(embedded, axis=1), num_hidden=3, name="fc")
        out = mx.sym.SoftmaxOutput(scores, mx.sym.Variable("softmax_label"), name="softmax")
        return out, ("data",), ("softmax_label",)

    return generate


def batch(mx, draw, length):
    return mx.io.DataBatch(
        [mx.nd.array(draw.randint(0, 7, (2, length)))],
        [mx.nd.array(draw.randint(0, 3, (2,)))],
        bucket_key=length,
        provide_data=[("data", (2, length))],
        provide_label=[("softmax_label", (2,))],
    )


def bound(mx, **kwargs):
    mod = mx.mod.BucketingModule(by_length(mx), default_bucket_key=6, **kwargs)
    mod.bind([("data", (2, 6))], [("softmax_label", (2,))])
    draw = np.random.RandomState(1)
    shapes = {"emb_weight": (7, 4), "fc_bias": (3,), "fc_weight": (3, 4)}
    values = {name: mx.nd.array(draw.uniform(-1, 1, shape)) for name, shape in sorted(shapes.items())}
    mod.init_params(arg_params=values, aux_params={})
    return mod


def trained(mx, **kwargs):
    """A module after some batches, and their outputs."""
    mod = bound(mx, **kwargs)
    mod.init_optimizer(optimizer="sgd", optimizer_params={"learning_rate": 0.5, "momentum": 0.9})
    draw = np.random.RandomState(2)
    outputs = []
    for length in BATCHES:
        one = batch(mx, draw, length)
        mod.prepare(one)
        mod.forward(one, is_train=True)
        mod.backward()
        mod.update()
        outputs.append(mod.get_outputs()[0].copy())  # buckets share memory
    return mod, outputs


def arguments(mod):
    return [value for _, value in sorted(mod.get_params()[0].items())]


@CASES
def buckets_share_parameters(mx):
    mod, outputs = trained(mx)
    return outputs, arguments(mod)


@CASES
def buckets_with_a_fixed_parameter(mx):
    mod, outputs = trained(mx, fixed_param_names=["emb_weight"])
    return outputs, arguments(mod)


@CASES
def current_bucket(mx):
    mod, _ = trained(mx)
    before = [d[1] for d in mod.data_shapes]
    mod.switch_bucket(3, None, None)
    names = mod.symbol.list_arguments()
    return [list(s) for s in before], [list(d[1]) for d in mod.data_shapes], names, mod.data_names, mod.output_names


@CASES
def names_before_binding(mx):
    mod = mx.mod.BucketingModule(by_length(mx), default_bucket_key=6)
    return list(mod.data_names), mod.output_names


@CASES
def buckets_bound_again(mx):
    mod, _ = trained(mx)
    mod.bind([("data", (2, 4))], [("softmax_label", (2,))], force_rebind=True)
    return arguments(mod), [list(d[1]) for d in mod.data_shapes]


@CASES
def buckets_from_a_checkpoint(mx):
    mod, _ = trained(mx)
    with tempfile.TemporaryDirectory() as folder:
        prefix = folder + "/b"
        mod.save_checkpoint(prefix, 3)
        files = sorted(path.name for path in pathlib.Path(folder).iterdir())
        again = mx.mod.BucketingModule.load(prefix, 3, by_length(mx), default_bucket_key=6)
    before = again.params_initialized, again.binded
    again.bind([("data", (2, 6))], [("softmax_label", (2,))], for_training=False)
    one = batch(mx, np.random.RandomState(3), 4)
    again.forward(one, is_train=False)
    return files, before, again.get_outputs(), arguments(again)


@CASES
def buckets_from_symbols(mx):
    mod = bound(mx)
    symbols = {n: by_length(mx)(n)[0] for n in (3, 6)}
    given, states = mod.get_params()
    again = mx.mod.BucketingModule.load_dict(symbols, by_length(mx), 6, given, states)
    again.bind([("data", (2, 6))], [("softmax_label", (2,))], for_training=False)
    return arguments(again)


def softmax_gradient(mx):
    def gradient(scores, labels):
        share = np.exp(scores.asnumpy())
        share /= share.sum(1, keepdims=True)
        share[np.arange(len(share)), labels.asnumpy().astype(int)] -= 1
        return share

    return gradient


def chain(mx):
    first = mx.mod.Module(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=5, name="fc1"), label_names=None)
    second = mx.sym.FullyConnected(mx.sym.tanh(mx.sym.Variable("x")), num_hidden=3, name="fc2")
    second = mx.mod.Module(second, data_names=["x"], label_names=None)
    loss = mx.mod.PythonLossModule(grad_func=softmax_gradient(mx))
    made = mx.mod.SequentialModule()
    made.add(first).add(second, auto_wiring=True).add(loss, take_labels=True, auto_wiring=True)
    return made


def iterator(mx):
    draw = np.random.RandomState(4)
    return mx.io.NDArrayIter(draw.uniform(-1, 1, (8, 4)), draw.randint(0, 3, (8,)), 4)


def chain_values(mx):
    draw = np.random.RandomState(5)
    shapes = {"fc1_weight": (5, 4), "fc1_bias": (5,), "fc2_weight": (3, 5), "fc2_bias": (3,)}
    return {name: mx.nd.array(draw.uniform(-1, 1, shape)) for name, shape in sorted(shapes.items())}


@CASES
def chain_in_training(mx):
    mod, batches = chain(mx), iterator(mx)
    mod.fit(batches, num_epoch=3, optimizer_params={"learning_rate": 0.5}, arg_params=chain_values(mx), aux_params={})
    return arguments(mod), [[name, float(value)] for name, value in mod.score(batches, "acc")], mod.predict(batches)


@CASES
def chain_described(mx):
    mod, batches = chain(mx), iterator(mx)
    empty = mx.mod.SequentialModule()
    mod.bind(batches.provide_data, batches.provide_label, inputs_need_grad=True)
    mod.init_params(arg_params=chain_values(mx), aux_params={})
    one = next(iter(batches))
    mod.forward(one)
    mod.backward()
    shapes = [list(s[1]) for s in (*mod.data_shapes, *mod.label_shapes, *mod.output_shapes)]
    return (
        mod.data_names,
        mod.output_names,
        shapes,
        mod._modules[0].get_input_grads(),
        empty.data_names,
        empty.output_names,
    )


@CASES
def chain_without_modules(mx):
    mx.mod.SequentialModule().bind([("data", (2, 3))])


@CASES
def chain_with_unknown_meta(mx):
    mx.mod.SequentialModule().add(chain(mx), take_label=True)


@CASES
def chain_with_a_name_twice(mx):
    def linear():
        return mx.mod.Module(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="fc"), label_names=None)

    mod = mx.mod.SequentialModule().add(linear()).add(linear(), auto_wiring=True)
    mod.bind([("data", (2, 4))])
    mod.init_params()


@CASES
def chain_with_gradients_but_no_training(mx):
    batches = iterator(mx)
    chain(mx).bind(batches.provide_data, batches.provide_label, for_training=False, inputs_need_grad=True)


@CASES
def buckets_without_a_default(mx):
    mx.mod.BucketingModule(by_length(mx))


@CASES
def buckets_loaded_without_symbols(mx):
    mx.mod.BucketingModule.load("nowhere", 0)


@CASES
def loss_with_a_gradient_that_comes_in(mx):
    mod = mx.mod.PythonLossModule(grad_func=softmax_gradient(mx))
    mod.bind([("data", (2, 3))], [("softmax_label", (2,))])
    mod.init_params()
    mod.backward([mx.nd.ones((2, 3))])


@CASES
def loss_with_other_names(mx):
    mx.mod.PythonLossModule().bind([("x", (2, 3))], [("softmax_label", (2,))])


def monitored(mx, **kwargs):
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    net = mx.sym.BatchNorm(net, name="bn", fix_gamma=False, momentum=1.0)
    exe = net.simple_bind(mx.cpu(), data=(2, 4))
    draw = np.random.RandomState(6)
    for _, array in sorted(exe.arg_dict.items()):
        array[:] = draw.uniform(-1, 1, array.shape)
    monitor = mx.mon.Monitor(kwargs.pop("interval", 1), **kwargs)
    monitor.install(exe)
    rows = []
    for _ in range(3):
        monitor.tic()
        exe.forward(is_train=True)
        rows.append([(step, name, ["%.4g" % float(v) for v in text.split()]) for step, name, text in monitor.toc()])
    return rows


@CASES
def monitor_of_every_second_batch(mx):
    return monitored(mx, interval=2)


@CASES
def monitor_by_name_in_order(mx):
    return monitored(mx, pattern="fc_|bn_m", sort=True)


@CASES
def monitor_of_inputs_too(mx):
    return monitored(mx, pattern=".*fc.*|data", monitor_all=True)


@CASES
def monitor_with_two_statistics(mx):
    return monitored(mx, pattern="fc_w", stat_func=lambda x: [x.max(), x.min()])


@CASES
def monitor_with_no_array(mx):
    return monitored(mx, pattern="fc_w", stat_func=lambda x: 1.5)
