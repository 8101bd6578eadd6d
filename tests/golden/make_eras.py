"""Write tests/golden/eras/VERSION.zip with a real MXNet of that version: run it with a Python that has one.

    python tests/golden/make_eras.py            # the files of this MXNet, any from 0.9.5 to 1.9
    python tests/golden/make_eras.py --reread   # with MXNet 1.9.1: what it makes of the files of all versions

The files are what programs of the time left behind: `nd.save` of every dtype and storage, checkpoints of symbols
(`model.save_checkpoint`, `FeedForward.save`, `Module.save_checkpoint`, `save_rnn_checkpoint`) and of blocks
(`save_params`, `save_parameters`, `export`, `ParameterDict.save`). With them are

    about.json    what each file is: kinds, dtypes and digests of arrays, inputs and outputs of a graph
    answers.npz   `NAME/in/INPUT` of a graph or block, and `NAME/out/DTYPE`: its outputs of that dtype, one after another

and in VERSION-reread.zip, by 1.9.1,

    FILE          `sym.load(FILE).tojson()` of each graph
    reread.json   the SHA-256 of `nd.save` after `nd.load` of each file of arrays, the numbers of outputs that it computes
                  otherwise, and the first line of its error where it does not load or run a file
    reread.npz    the values of those outputs, as `NAME/out/NUMBER`

Made with the wheels of 0.9.5.post2, 0.10.0, 0.11.0, 0.12.1, 1.0.0, 1.1.0, 1.2.1, 1.3.1, 1.4.1, 1.5.1, 1.6.0,
1.7.0.post2 and 1.8.0, numpy 1.16.6, Python 3.6; reread by 1.9.1, numpy 1.23.5, Python 3.8.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import sys
import tempfile
import zipfile

os.environ["MXNET_ENGINE_TYPE"] = "NaiveEngine"  # what an operator cannot do is an error, not the end of the process

import mxnet as mx
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from era_nets import BLOCKS, block_input, classifier, sentence
from era_operators import PLAIN, groups, short

HERE = os.path.dirname(os.path.abspath(__file__))
ERAS = os.path.join(HERE, "eras")
BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
TOLERANCE = 1e-5
LONG = 400


class Era:
    """The files of one version while they are made, what is in them and the values."""

    def __init__(self, version):
        self.version = version
        self.folder = tempfile.mkdtemp()
        self.about = {"version": mx.__version__, "arrays": {}, "graphs": {}, "blocks": {}, "left_out": {}}
        self.answers = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def attempt(self, name, function, *given):
        """Run `function`; what this version cannot do is written down, not hidden."""
        try:
            return function(*given)
        except Exception as error:
            self.about["left_out"][name] = first_line(error)
            return None

    def save(self, name, content):
        """Write arrays, and what they are."""
        mx.nd.save(self.path(name), content)
        named = isinstance(content, dict)
        self.describe(name, sorted(content.items()) if named else [("", value) for value in content], named)

    def describe(self, name, items, named):
        self.about["arrays"][name] = {"named": named, "arrays": [[key] + described(value) for key, value in items]}

    def describe_saved(self, name):
        """Describe a file of parameters by what this MXNet itself reads from it."""
        loaded = mx.nd.load(self.path(name))
        named = isinstance(loaded, dict)
        self.describe(name, sorted(loaded.items()) if named else [("", value) for value in loaded], named)

    def graph(self, name, inputs, params, outputs, **facts):
        """Note a graph in `NAME-symbol.json`, with its inputs, its file of parameters and its outputs at inference."""
        self.about["graphs"][name] = dict(facts, inputs=sorted(inputs), params=params, outputs=None)
        self.answer(self.about["graphs"][name], name, inputs, outputs)

    def answer(self, entry, name, inputs, outputs):
        for key, value in inputs.items():
            self.answers["%s/in/%s" % (name, key)] = value
        if outputs is None:
            return
        entry["outputs"] = [[value.dtype.name, list(value.shape)] for value in outputs]
        for dtype in set(value.dtype.name for value in outputs):
            flat = [value.ravel() for value in outputs if value.dtype.name == dtype]
            self.answers["%s/out/%s" % (name, dtype)] = np.concatenate(flat)

    def checkpoint(self, name, symbol, inputs, runs=True):
        """Save a graph with random parameters by `model.save_checkpoint`."""
        arguments, states = random_params(symbol, inputs, len(name))
        mx.model.save_checkpoint(self.path(name), 0, symbol, arguments, states)
        self.saved(name, symbol, inputs, name + "-0000.params", runs)

    def saved(self, name, symbol, inputs, params, runs=True):
        self.describe_saved(params)
        outputs = run(symbol, *params_of(self.path(params)), inputs=inputs) if runs else None
        self.graph(name, inputs, params, outputs)

    def write_symbol(self, name, symbol):
        with open(self.path(name + "-symbol.json"), "w", newline="") as file:
            file.write(symbol.tojson())

    def close(self):
        np.savez(self.path("answers.npz"), **self.answers)
        write_json(self.path("about.json"), self.about)
        names = sorted(os.listdir(self.folder))
        contents = {}
        for name in names:
            with open(self.path(name), "rb") as file:
                contents[name] = file.read()
        shutil.rmtree(self.folder)
        write_zip(os.path.join(ERAS, self.version + ".zip"), contents)


def write_zip(path, contents):
    """Write a zip archive whose bytes follow from the contents alone."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted(contents.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def first_line(error):
    text = str(error).strip().split("\n")
    told = [line for line in text if "Error" in line or "Check failed" in line] or text
    name = type(error).__name__
    line = told[0].strip()[:LONG]
    return line if line.startswith(name) else "%s: %s" % (name, line)


def write_json(path, content):
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(json.dumps(content, sort_keys=True, indent=1) + "\n")


def stype_of(array):
    return getattr(array, "stype", "default")


def parts_of(array):
    if stype_of(array) == "csr":
        return {"indptr": array.indptr.asnumpy(), "indices": array.indices.asnumpy(), "data": array.data.asnumpy()}
    if stype_of(array) == "row_sparse":
        return {"indices": array.indices.asnumpy(), "data": array.data.asnumpy()}
    values = array.asnumpy()
    return {"data": values.view(np.uint16).reshape(values.shape) if values.dtype == BFLOAT16 else values}


def described(value):
    """Storage, shape, dtype and the SHA-256 of the stored arrays one after another."""
    dtype = "bfloat16" if np.dtype(value.dtype) == BFLOAT16 else np.dtype(value.dtype).name
    parts = [part.tobytes() for _, part in sorted(parts_of(value).items())]
    return [stype_of(value), list(value.shape), dtype, hashlib.sha256(b"".join(parts)).hexdigest()]


def array(values):
    return mx.nd.array(values, dtype=values.dtype)


def params_of(path):
    """Arguments and auxiliary states of a file."""
    loaded = mx.nd.load(path) if path else {}
    loaded = loaded if isinstance(loaded, dict) else {}
    return tuple({n[4:]: v for n, v in loaded.items() if n.startswith(kind)} for kind in ("arg:", "aux:"))


def random_params(symbol, inputs, seed):
    rng = np.random.RandomState(seed)
    known = {n: PLAIN[n].shape for n in symbol.list_arguments() if n in PLAIN}
    known.update({n: v.shape for n, v in inputs.items()})
    shapes, _, aux_shapes = symbol.infer_shape(**known)
    arguments = {}
    for name, shape in zip(symbol.list_arguments(), shapes):
        if name in PLAIN:
            arguments[name] = array(PLAIN[name])
        elif name not in inputs and not name.endswith("label"):
            arguments[name] = mx.nd.array(short(rng.uniform(-0.8, 0.8, shape)))
    states = {}
    for name, shape in zip(symbol.list_auxiliary_states(), aux_shapes):
        states[name] = mx.nd.array(short(rng.uniform(0.5, 1.5, shape)))
    return arguments, states


def run(symbol, arguments, states, inputs):
    """Outputs at inference, as numpy arrays."""
    known = dict(arguments)
    known.update({n: array(v) for n, v in inputs.items()})
    shapes, _, _ = symbol.infer_shape_partial(**{n: v.shape for n, v in known.items()})
    for name, shape in zip(symbol.list_arguments(), shapes):
        if name not in known:  # labels, which no output depends on, and states that begin as zeros
            known[name] = mx.nd.zeros(shape)
    executor = symbol.bind(mx.cpu(), known, grad_req="null", aux_states=states)
    return [output.asnumpy() for output in executor.forward(is_train=False)]


def make_arrays(era):
    rng = np.random.RandomState(7)
    for dtype in ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool"]:
        values = rng.randint(0, 2, (2, 3)) if dtype == "bool" else rng.randint(-100, 100, (2, 3)) * 1.5
        values = np.abs(values) if dtype == "uint8" else values
        array = era.attempt("dtype " + dtype, lambda v=values, d=dtype: mx.nd.array(v.astype(d), dtype=d))
        if array is not None:
            era.save("dtype_%s.params" % dtype, {"arg:w": array})
    half = era.attempt("dtype bfloat16", lambda: mx.nd.array([1.0, -2.5, 3.0]).astype(BFLOAT16))
    if half is not None:
        era.save("dtype_bfloat16.params", {"arg:w": half})
    dense = [("arg:conv0_weight", rng.randn(2, 1, 3, 3)), ("arg:conv0_bias", rng.randn(2)), ("aux:mean", rng.randn(2))]
    dense = [(name, mx.nd.array(values)) for name, values in dense]
    era.save("named.params", dict(dense))
    era.save("unnamed.params", [value for _, value in dense])
    era.save("one.params", [mx.nd.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38])])
    era.save("ranks.params", [mx.nd.ones((1,) * rank) * rank for rank in range(1, 7)])
    era.save("none.params", [])
    era.attempt("sparse", lambda: make_sparse(era))
    era.attempt("np_shape", lambda: make_np_shape(era))
    if not era.version.startswith(("0.9", "0.10")):  # these two crash
        # What such a file holds is not what the array said it was: `about` tells the shapes, not the values.
        era.attempt(
            "sizes of 0", lambda: mx.nd.save(era.path("unallocated.params"), [mx.nd.ones((2,)), mx.nd.empty((0,))])
        )


def make_sparse(era):
    csr = mx.nd.sparse.csr_matrix(
        (mx.nd.array([1.0, 2.0, 3.0]), mx.nd.array([0, 2, 1], dtype="int64"), mx.nd.array([0, 2, 2, 3], dtype="int64")),
        shape=(3, 4),
    )
    rows = mx.nd.sparse.row_sparse_array(
        (mx.nd.array([[1.0, 2.0], [3.0, 4.0]]), mx.nd.array([0, 2], dtype="int64")), shape=(4, 2)
    )
    era.save("sparse.params", {"csr": csr, "rows": rows, "dense": mx.nd.ones((2,))})
    era.save("sparse_zeros.params", [mx.nd.sparse.zeros("csr", (3, 4)), mx.nd.sparse.zeros("row_sparse", (4, 2))])


def make_np_shape(era):
    with mx.util.np_shape():
        era.save(
            "np_shape.params", {"scalar": mx.nd.zeros(()) + 2.5, "none": mx.nd.zeros((0, 3)), "a": mx.nd.ones((2, 2))}
        )


def make_graphs(era):
    value = np.random.RandomState(3).uniform(-1, 1, (2, 3, 6, 6)).astype(np.float32)
    for make in (make_attributes, make_states, make_outputs, make_custom, make_loops, make_fused, make_operators):
        era.attempt(make.__name__, make, era, value)


def make_attributes(era, value):
    """Attributes that are hidden, in their spellings, given and from a scope, on operators and variables."""
    net = mx.sym.Variable("data")
    with mx.AttrScope(ctx_group="dev1", __force_mirroring__="True", mirror_stage="2"):
        init = mx.init.Xavier(magnitude=2)
        weight = mx.sym.Variable("own_weight", lr_mult=2.0, wd_mult=0.0, shape=(4, 108), init=init)
        net = mx.sym.Flatten(net, name="flat")
        own = {"lr_mult": "0.5", "__mood__": "good"}
        net = mx.sym.FullyConnected(data=net, weight=weight, num_hidden=4, name="fc1", attr=own)
    with mx.AttrScope(ctx_group="dev2"):
        own = {"lr_mult": "3", "wd_mult": "0.1", "mirror_stage": "1"}
        bias = mx.sym.Variable("fc2_bias", attr=own, dtype="float32")
        net = mx.sym.FullyConnected(data=net, bias=bias, num_hidden=3, name="fc2", lr_mult=4, wd_mult=0.25)
        net = mx.sym.LeakyReLU(data=net, act_type="prelu", name="slope", lr_mult=0.1)
    era.checkpoint("attributes", net, {"data": value})


def make_states(era, value):
    net = mx.sym.Convolution(mx.sym.Variable("data"), kernel=(3, 3), num_filter=4, name="conv")
    net = mx.sym.BatchNorm(net, name="defaults")
    net = mx.sym.BatchNorm(net, fix_gamma=False, momentum=0.8, eps=0.01, name="free")
    net = mx.sym.BatchNorm(net, use_global_stats=True, fix_gamma=True, output_mean_var=False, name="fixed")
    net = mx.sym.Pooling(net, kernel=(2, 2), pool_type="avg", stride=(2, 2), name="pool")
    era.checkpoint("states", net, {"data": value})


def make_outputs(era, value):
    parts = mx.sym.SliceChannel(mx.sym.Variable("data"), num_outputs=3, squeeze_axis=True, axis=1, name="parts")
    stop = mx.sym.BlockGrad(parts[2], name="stop")
    total = mx.sym.ElementWiseSum(parts[0], parts[1], stop, name="total")
    group = mx.sym.Group([parts[0], total, stop, (parts[0] * 2 + 1 - parts[1] / 3) ** 2])
    era.checkpoint("outputs", group, {"data": value})
    era.checkpoint("internals", group.get_internals()["parts_output1"], {"data": value})


def make_operators(era, value):
    """Graphs of many calls, of those that this version has and can do alone."""
    for name, make in groups(mx):
        heads = [mx.sym.identity(mx.sym.Variable("data"), name="anchor")]
        for label, head, arrays in make():
            PLAIN.update(arrays)
            if era.attempt("operator " + label, run_alone, head, arrays) is not None:
                heads.append(head)
        era.attempt("graph " + name, era.checkpoint, name, mx.sym.Group(heads), {"data": value[0, 0]})


def run_alone(head, arrays):
    arguments = {n: array(v) for n, v in arrays.items() if n in head.list_arguments()}
    states = {n: array(PLAIN[n]) for n in head.list_auxiliary_states()}
    outputs = run(head, arguments, states, {})
    if not all(np.isfinite(o).all() for o in outputs):
        raise ValueError("outputs are not finite")
    return outputs


class Doubled(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0] * 2 + in_data[1])

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], out_grad[0] * 2)
        self.assign(in_grad[1], req[1], out_grad[0])


@mx.operator.register("era_doubled")
class DoubledProp(mx.operator.CustomOpProp):
    def __init__(self, scale="1"):
        super().__init__(need_top_grad=True)
        self.scale = float(scale)

    def list_arguments(self):
        return ["data", "shift"]

    def infer_shape(self, in_shape):
        return [in_shape[0], in_shape[0]], [in_shape[0]], []

    def create_operator(self, ctx, shapes, dtypes):
        return Doubled()


def make_custom(era, value):
    net = mx.sym.Custom(mx.sym.Variable("data"), op_type="era_doubled", scale="2", name="doubled")
    era.checkpoint("custom", net * 3, {"data": value[0]})


def make_loops(era, value):
    data, init = mx.sym.Variable("data"), mx.sym.Variable("init")
    weight = mx.sym.Variable("weight")

    def body(item, states):
        new = mx.sym.FullyConnected(item, weight=weight, num_hidden=2, no_bias=True, name="step") + states[0]
        return new * 2, [new]

    outs, states = mx.sym.contrib.foreach(body, data, [init])
    loop = (lambda i, s: i < 4, lambda i, s: ([s], [i + 1, s * 2]), [mx.sym.Variable("i"), states[0]])
    _, last = mx.sym.contrib.while_loop(*loop, max_iterations=5)
    chosen = mx.sym.contrib.cond(mx.sym.sum(last[1]) > 0, lambda: last[1] + 1, lambda: last[1] - 1)
    net = mx.sym.Group([outs, chosen])
    rng = np.random.RandomState(4)
    inputs = {"data": rng.randn(3, 2, 3), "init": rng.randn(2, 2), "i": np.array([1.0]), "weight": rng.randn(2, 3)}
    inputs = {n: v.astype(np.float32) for n, v in inputs.items()}
    era.write_symbol("loops", net)
    era.graph("loops", inputs, None, run(net, {}, {}, inputs))


def make_fused(era, value):
    """RNN, which early versions do not run on a cpu; the files are there in any case."""
    cell = mx.rnn.FusedRNNCell(3, num_layers=2, mode="lstm", bidirectional=True, prefix="fused_", get_next_state=True)
    outputs, states = cell.unroll(4, inputs=mx.sym.Variable("data"), layout="NTC", merge_outputs=True)
    net = mx.sym.Group([outputs] + list(states))
    inputs = {"data": np.random.RandomState(9).uniform(-1, 1, (2, 4, 2)).astype(np.float32)}
    era.checkpoint("fused", net, inputs, runs=False)
    era.attempt("run fused", era.checkpoint, "fused", net, inputs)


def make_modules(era):
    rng = np.random.RandomState(11)
    data, label = rng.uniform(-1, 1, (8, 5)).astype(np.float32), rng.randint(0, 3, (8,)).astype(np.float32)
    symbol = classifier(mx)
    module = mx.mod.Module(symbol, context=mx.cpu())
    rows = mx.io.NDArrayIter(data, label, batch_size=4)
    settings = {"learning_rate": 0.1, "momentum": 0.9}
    module.fit(rows, num_epoch=2, optimizer="sgd", optimizer_params=settings, initializer=mx.init.Xavier())
    module.save_checkpoint(era.path("module"), 2, save_optimizer_states=True)
    era.saved("module", symbol, {"data": data}, "module-0002.params")

    settings = {"learning_rate": 0.1, "initializer": mx.init.Uniform(0.5)}
    model = mx.model.FeedForward(symbol, num_epoch=1, optimizer="sgd", **settings)
    model.fit(mx.io.NDArrayIter(data, label, batch_size=4))
    model.save(era.path("feedforward"), 1)
    era.saved("feedforward", symbol, {"data": data}, "feedforward-0001.params")

    stack, symbol = sentence(mx, 3)
    words = np.array([[1, 2, 6], [0, 3, 5]], np.float32)
    inputs = {"data": words, "softmax_label": np.zeros((2, 3), np.float32)}
    arguments, states = random_params(symbol, inputs, 12)
    mx.rnn.save_rnn_checkpoint(stack, era.path("bucket"), 3, symbol, arguments, states)
    era.describe_saved("bucket-0003.params")
    packed = stack.pack_weights(params_of(era.path("bucket-0003.params"))[0])
    era.graph("bucket", inputs, None, run(symbol, packed, states, inputs), unpacked="bucket-0003.params")


def make_blocks(era):
    for name in sorted(BLOCKS):
        era.attempt("block " + name, make_block, era, name)


def make_block(era, name):
    mx.random.seed(5)
    net = BLOCKS[name](mx)
    net.initialize(mx.init.Uniform(0.7))
    value = block_input(name)
    if name == "convolutional":
        for _ in range(2):  # running statistics that differ from their start
            with mx.autograd.record():
                net(mx.nd.array(value))
    files = {}
    entry = {"files": files, "graph": None}
    if hasattr(net, "save_params"):
        files["save_params"] = name + "-save_params.params"
        net.save_params(era.path(files["save_params"]))
    if hasattr(net, "save_parameters"):
        files["save_parameters"] = name + "-save_parameters.params"
        net.save_parameters(era.path(files["save_parameters"]))
    files["ParameterDict.save"] = name + "-dict.params"
    net.collect_params().save(era.path(files["ParameterDict.save"]))
    output = net(mx.nd.array(value))
    era.answer(entry, name, {"data": value}, [output.asnumpy()])
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.0, "momentum": 0.9})
    if name == "shared":
        with mx.autograd.record():
            loss = mx.nd.sum(net(mx.nd.array(value)))
        loss.backward()
        trainer.step(1)
        if hasattr(trainer, "save_states"):
            trainer.save_states(era.path("shared.states"))
    if hasattr(net, "export"):
        net.hybridize()
        net(mx.nd.array(value))
        net.export(era.path(name + "-export"))
        entry["graph"] = name + "-export"
        files["export"] = name + "-export-0000.params"
    for kept in sorted(files.values()):
        era.describe_saved(kept)
    era.about["blocks"][name] = entry


def make_symbol_block(era):
    """A block around a graph, saved each way there is."""
    name = "block"
    data = mx.sym.Variable("data")
    hidden = mx.sym.FullyConnected(data, num_hidden=3, name="pre_fc1")
    net = mx.sym.FullyConnected(mx.sym.BatchNorm(hidden, name="pre_bn"), num_hidden=2, name="pre_fc2")
    block = mx.gluon.SymbolBlock(net, data)
    block.initialize()
    rng = np.random.RandomState(13)
    value = rng.uniform(-1, 1, (2, 4)).astype(np.float32)
    block(mx.nd.array(value))
    for _, param in sorted(block.collect_params().items()):
        param.set_data(mx.nd.array(short(rng.uniform(0.2, 1, param.shape))))
    output = block(mx.nd.array(value))
    output = (output[0] if isinstance(output, list) else output).asnumpy()
    era.write_symbol(name, net)
    files = []
    for call in ("save_params", "save_parameters"):
        if hasattr(block, call):
            file = "%s-%s.params" % (name, call)
            getattr(block, call)(era.path(file))
            era.describe_saved(file)
            files.append(file)
    era.graph(name, {"data": value}, None, [output], files=files)


def make():
    version = ".".join(mx.__version__.replace("-", ".").split(".")[:3])
    os.makedirs(ERAS, exist_ok=True)
    era = Era(version)
    mx.random.seed(1)
    np.random.seed(1)
    make_arrays(era)
    make_graphs(era)
    era.attempt("modules", lambda: make_modules(era))
    if hasattr(mx, "gluon"):
        make_blocks(era)
        era.attempt("symbol block", lambda: make_symbol_block(era))
    era.close()
    size = os.path.getsize(os.path.join(ERAS, version + ".zip"))
    print("%s: %d graphs, %d bytes" % (version, len(era.about["graphs"]), size))
    for name, reason in sorted(era.about["left_out"].items()):
        print("  %s: %s" % (name, reason))


def reread():
    """Record what this MXNet makes of the files of every version."""
    for archive in sorted(name for name in os.listdir(ERAS) if name.endswith(".zip") and "reread" not in name):
        folder = tempfile.mkdtemp()
        try:
            with zipfile.ZipFile(os.path.join(ERAS, archive)) as file:
                file.extractall(folder)
            contents, told = reread_folder(folder)
        finally:
            shutil.rmtree(folder)
        write_zip(os.path.join(ERAS, archive.replace(".zip", "-reread.zip")), contents)
        print(archive, len(contents) - 2, "graphs,", len(told["params"]), "files of arrays; other:", told["other"])
        for name, reason in sorted(told["errors"].items()):
            print("  %s: %s" % (name, reason))


def reread_folder(folder):
    with open(os.path.join(folder, "about.json"), encoding="utf-8") as file:
        about = json.load(file)
    told = {"errors": {}, "params": {}, "other": {}}
    contents, values = {}, {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        try:
            if name.endswith("-symbol.json"):
                contents[name] = mx.sym.load(path).tojson().encode("utf-8")
            elif name.endswith(".params"):
                told["params"][name] = digest_again(path, np_shape="np_shape" in name)
        except Exception as error:
            told["errors"][name] = first_line(error)
    with np.load(os.path.join(folder, "answers.npz")) as answers:
        for name, entry in sorted(about["graphs"].items()):
            if name + "-symbol.json" in contents and "files" not in entry and "unpacked" not in entry:
                try:
                    check_graph(folder, name, entry, answers, told, values)
                except Exception as error:
                    told["errors"][name] = first_line(error)
    stream = io.BytesIO()
    np.savez(stream, **values)
    contents["reread.npz"] = stream.getvalue()
    contents["reread.json"] = json.dumps(told, sort_keys=True, indent=1).encode("utf-8")
    return contents, told


def digest_again(path, np_shape):
    with mx.util.np_shape(np_shape):
        mx.nd.save(path + ".again", mx.nd.load(path))
    with open(path + ".again", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_graph(folder, name, entry, answers, told, values):
    symbol = mx.sym.load(os.path.join(folder, name + "-symbol.json"))
    inputs = {key: answers["%s/in/%s" % (name, key)] for key in entry["inputs"]}
    params = params_of(os.path.join(folder, entry["params"]) if entry["params"] else None)
    outputs = run(symbol, params[0], params[1], inputs)
    expected = unpacked(entry["outputs"], answers, name) if entry["outputs"] else [None] * len(outputs)
    for i, (value, known) in enumerate(zip(outputs, expected)):
        if known is None or value.shape != known.shape or not np.allclose(value, known, TOLERANCE, TOLERANCE):
            told["other"].setdefault(name, []).append(i)
            values["%s/out/%d" % (name, i)] = value


def unpacked(outputs, answers, name):
    """The outputs of a graph, from the arrays that `Era.answer` packed."""
    at = {}
    for dtype, shape in outputs:
        size = int(np.prod(shape))
        start = at.get(dtype, 0)
        yield answers["%s/out/%s" % (name, dtype)][start : start + size].reshape(shape)
        at[dtype] = start + size


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    if sys.argv[1:] == ["--reread"]:
        assert mx.__version__ == "1.9.1", mx.__version__
        reread()
    else:
        make()
