"""Write tests/golden/files/ with real MXNet 1.9.1: run it with the oracle's Python.

    python tests/golden/make_files.py

`*.params` and `*-symbol.json` are MXNet's own bytes. `params.npz` holds the arrays of each file under
`FILE/NUMBER/PART` (bfloat16 as its uint16 bits), `params.json` their names, kinds and dtypes. `old/` holds graphs of
older versions, made by hand in their spelling, with what MXNet makes of them in `upgraded/`. `shared.json` holds
digests of what MXNet loads from the real checkpoints, if they are beside the checkout.

Made with MXNet 1.9.1, numpy 1.23.5, Python 3.8.
"""

import hashlib
import json
import os
import struct
import sys

import mxnet as mx
import numpy as np
from mxnet.gluon import nn

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "files")
SHARED = os.path.join(HERE, "..", "..", "..", "shared", "checkpoints")
BFLOAT16 = np.dtype([("bfloat16", np.uint16)])


def parts_of(array):
    """The stored numpy arrays of an NDArray, by name."""
    if array.stype == "csr":
        return {"indptr": array.indptr.asnumpy(), "indices": array.indices.asnumpy(), "data": array.data.asnumpy()}
    if array.stype == "row_sparse":
        return {"indices": array.indices.asnumpy(), "data": array.data.asnumpy()}
    values = array.asnumpy()
    return {"data": values.view(np.uint16).reshape(values.shape) if values.dtype == BFLOAT16 else values}


def describe(array):
    dtype = "bfloat16" if np.dtype(array.dtype) == BFLOAT16 else np.dtype(array.dtype).name
    return {"stype": array.stype, "shape": list(array.shape), "dtype": dtype}


class Params:
    def __init__(self):
        self.arrays = {}
        self.about = {}

    def save(self, name, content, save=mx.nd.save):
        path = os.path.join(OUT, name + ".params")
        save(path, content)
        values = list(content.values()) if isinstance(content, dict) else list(content)
        self.about[name] = {
            "names": list(content) if isinstance(content, dict) else [],
            "arrays": [describe(value) for value in values],
            "np_shape": bool(mx.util.is_np_shape()),
        }
        for i, value in enumerate(values):
            for part, stored in parts_of(value).items():
                self.arrays["%s/%d/%s" % (name, i, part)] = stored


def bfloat16(values):
    """An NDArray of bfloat16: only a file can bring one into 1.9.1, so widen a float16 one's header."""
    values = np.asarray(values, np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    path = os.path.join(OUT, "tmp.params")
    mx.nd.save(path, [mx.nd.array(bits.view(np.float16), dtype="float16")])
    data = bytearray(open(path, "rb").read())
    at = len(data) - 8 - bits.nbytes
    data[at - 4 : at] = (12).to_bytes(4, "little")
    data[at : at + bits.nbytes] = bits.tobytes()
    open(path, "wb").write(bytes(data))
    loaded = mx.nd.load(path)[0]
    os.remove(path)
    return loaded


def make_params():
    out = Params()
    rng = np.random.RandomState(7)
    for dtype in ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool"]:
        values = rng.randint(0, 2, (2, 3)) if dtype == "bool" else rng.randint(-100, 100, (2, 3)) * 1.5
        values = np.abs(values) if dtype == "uint8" else values
        out.save("dtype_" + dtype, {"arg:w": mx.nd.array(values.astype(dtype), dtype=dtype)})
    out.save("dtype_bfloat16", {"arg:w": bfloat16([[1.0, -2.5, 3.0]])})
    out.save("special_values", {"x": mx.nd.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38])})
    dense = {
        "arg:conv0_weight": mx.nd.array(rng.randn(2, 1, 3, 3)),
        "arg:conv0_bias": mx.nd.array(rng.randn(2)),
        "aux:batchnorm0_running_mean": mx.nd.array(rng.randn(2)),
        "arg:\u00e9\u4e2d": mx.nd.array([1.0]),
    }
    out.save("named", dense)
    out.save("unnamed", list(dense.values()))
    out.save("ranks", [mx.nd.ones((1,) * rank) * rank for rank in range(1, 7)])
    out.save("no_arrays", [])
    csr = mx.nd.sparse.csr_matrix(([1.0, 2.0, 3.0], [0, 2, 1], [0, 2, 2, 3]), shape=(3, 4))
    rows = mx.nd.sparse.row_sparse_array(([[1.0, 2.0], [3.0, 4.0]], [0, 2]), shape=(4, 2))
    out.save("sparse", {"csr": csr, "rows": rows, "dense": mx.nd.ones((2,)), "half": rows.astype("float16")})
    zeros = [mx.nd.sparse.zeros("csr", (3, 4)), mx.nd.sparse.zeros("row_sparse", (4, 2))]
    zeros.append(mx.nd.sparse.csr_matrix(([], [], [0, 0, 0]), shape=(2, 3)))
    out.save("sparse_zeros", zeros)
    mx.npx.set_np()
    content = {"a": mx.np.array(rng.randn(2, 3)), "scalar": mx.np.array(1.5), "none": mx.np.zeros((0, 3))}
    content["bool"] = mx.np.array([True, False], dtype="bool")
    out.save("np_shape", content, mx.npx.save)
    out.save("np_shape_list", list(content.values()), mx.npx.save)
    mx.npx.reset_np()
    np.savez_compressed(os.path.join(OUT, "params.npz"), **out.arrays)
    write_json("params.json", out.about)


def write_json(name, content):
    with open(os.path.join(OUT, name), "w", encoding="utf-8") as file:
        json.dump(content, file, sort_keys=True, ensure_ascii=False)
        file.write("\n")


def save_symbol(name, symbol):
    with open(os.path.join(OUT, name + "-symbol.json"), "w", encoding="utf-8", newline="") as file:
        file.write(symbol.tojson())


def make_symbols():
    mx.random.seed(0)
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Conv2D(2, 3, in_channels=1), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(), nn.Dense(3))
    net.initialize()
    net.hybridize()
    net(mx.nd.ones((1, 1, 8, 8)))
    net.export(os.path.join(OUT, "convnet"))
    data = mx.sym.var("data", shape=(1, 6), lr_mult=2.0)
    parts = mx.sym.SliceChannel(data, num_outputs=3, name="parts")
    save_symbol("slices", mx.sym.Group([parts[0], parts[2], data]))
    save_symbol("variable", mx.sym.var("x"))
    save_symbol("empty", mx.sym.load_json('{"nodes": [], "arg_nodes": [], "heads": []}'))
    many = [mx.sym.var("v%d" % i) for i in range(12)]
    save_symbol("ten_heads", mx.sym.Group(many[:10]))
    save_symbol("eleven_heads", mx.sym.Group(many[:11]))
    save_symbol("many_inputs", mx.sym.concat(*many, dim=1, name="joined"))
    text = 'quote " backslash \\ slash / line \n tab \t return \r bell \x07 \x7f \u00e9 \u2028 \U0001f600'
    save_symbol("escapes", mx.sym.var("x", attr={"text": text, "Z": "", "\u00e9": "2", "~": "3"}))
    with mx.AttrScope(ctx_group="dev1", __force_mirroring__="1"):
        hidden = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
        with mx.name.Prefix("p_"):
            save_symbol("attributes", mx.sym.SoftmaxOutput(hidden, name="softmax"))

    def step(item, states):
        return mx.sym.FullyConnected(item, num_hidden=2, name="fc") + states[0], [states[0] * 2]

    output, states = mx.sym.contrib.foreach(step, mx.sym.var("data"), [mx.sym.var("state")])
    save_symbol("foreach", mx.sym.Group([output] + states))
    x = mx.sym.var("x")
    save_symbol("cond", mx.sym.contrib.cond(x.sum() < 3, lambda: x * 2, lambda: x + 1))
    deps = '{"nodes": [{"op": "null", "name": "x", "inputs": []}, {"op": "null", "name": "y", "inputs": []}, {"op": '
    deps += '"relu", "name": "r", "inputs": [[0, 0, 0]], "control_deps": [1]}], "arg_nodes": [0, 1], "heads": [[2, 0]]}'
    save_symbol("control_deps", mx.sym.load_json(deps))


def variable(name, **attr):
    return {"op": "null", "name": name, "inputs": [], "attr": attr}


def operator(op, name, inputs, attr=None, **fields):
    return dict({"op": op, "name": name, "inputs": [[i, 0] for i in inputs], "attr": attr or {}}, **fields)


def old_graphs():
    """Hand-made graphs in the spelling of older versions, one for each rule, by name."""
    hidden = {"lr_mult": "1", "wd_mult": "2", "ctx_group": "g", "force_mirroring": "1", "mirror_stage": "s"}
    not_hidden = {"foo": "z", "profiler_scope": "p", "weight_lr_mult": "5", "lr_mult_foo": "6", "__wd_mult__": "0"}
    dense = {"num_hidden": "3", "weight_lr_mult": "2", "bias_wd_mult": "3", "data_ctx_group": "c", "lr_mult": "4"}
    norm = {"eps": "0.001"}
    slope = {"act_type": "prelu"}
    x, w, b = variable("x"), variable("w", lr_mult="1"), variable("b")
    plain = operator("Activation", "a", [0], {"act_type": "tanh", "lr_mult": "3"}, param={"act_type": "relu"})
    two_labels = [x, operator("SoftmaxOutput", "s", [0]), operator("SoftmaxOutput", "t", [1])]
    return {
        "hidden_variable": ([variable("x", **dict(hidden, **not_hidden))], [[0, 0]]),
        "hidden_operator": ([x, w, b, operator("FullyConnected", "fc", [0, 1, 2], dense)], [[3, 0]]),
        "param_and_attr": ([x, plain], [[1, 0]]),
        "norm_without_states": ([x, variable("g"), b, operator("BatchNorm", "bn", [0, 1, 2], norm)], [[3, 0]]),
        "norm_hidden": (
            [x, variable("g"), b, operator("BatchNorm", "bn", [0, 1, 2], dict(norm, lr_mult="3", gamma_lr_mult="4"))],
            [[3, 0]],
        ),
        "norm_full": (
            [x, variable("g"), b, variable("m"), variable("v", __init__="mine"), operator("BatchNorm", "bn", range(5))],
            [[5, 0]],
        ),
        "only_data": ([x, operator("FullyConnected", "fc", [0], {"num_hidden": "3", "lr_mult": "3"})], [[1, 0]]),
        "no_bias": (
            [x, operator("FullyConnected", "", [0], {"num_hidden": "3", "no_bias": "True", "data_lr_mult": "2"})],
            [[1, 0]],
        ),
        "slope": ([x, operator("LeakyReLU", "p", [0], slope)], [[1, 0]]),
        "slope_given": ([x, variable("g"), operator("LeakyReLU", "p", [0, 1], slope)], [[2, 0]]),
        "labels": (two_labels, [[2, 0], [1, 0]]),
        "argmax": (
            [x, operator("argmax", "a", [0], {"axis": "-1"}), operator("argmin", "b", [1], {"axis": "-1"})],
            [[2, 0]],
        ),
        "argmax_0": (
            [x, operator("argmax", "a", [0], {"axis": "0"}), operator("sum", "b", [1], {"axis": "-1"})],
            [[2, 0]],
        ),
    }


def make_upgrades():
    for folder in ["old", "upgraded"]:
        os.makedirs(os.path.join(OUT, folder), exist_ok=True)
    for name, (nodes, heads) in sorted(old_graphs().items()):
        for version in [None, 800, 900, 903, 904, 905, 10300]:
            graph = {
                "nodes": nodes,
                "arg_nodes": [i for i, node in enumerate(nodes) if node["op"] == "null"],
                "heads": heads,
            }
            if version is not None:
                graph["attrs"] = {"mxnet_version": ["int", version]}
            file = "%s-%s.json" % (name, "none" if version is None else version)
            text = json.dumps(graph)
            with open(os.path.join(OUT, "old", file), "w") as out:
                out.write(text)
            with open(os.path.join(OUT, "upgraded", file), "w") as out:
                out.write(mx.sym.load_json(text).tojson())


def spellings():
    """One graph as each era spells it: attributes under `param` and `attr`, under `attr`, under `attrs`."""
    rows = {
        "spelling_0_8": ([0, 0], lambda own, hidden: {"param": own, "attr": hidden, "backward_source_id": -1}),
        "spelling_0_9": ([0, 0, 0], lambda own, hidden: {"attr": dict(own, **hidden)}),
        "spelling_1_3": ([0, 0, 0], lambda own, hidden: {"attrs": dict(own, **hidden)}),
    }
    versions = {"spelling_0_8": None, "spelling_0_9": 905, "spelling_1_3": 10300}
    for name, (entry, attributes) in sorted(rows.items()):
        nodes = []
        for op, own, hidden, inputs in [
            ("null", {}, {"lr_mult": "2", "ctx_group": "g"}, []),
            ("null", {}, {}, []),
            ("null", {}, {}, []),
            ("FullyConnected", {"num_hidden": "3", "no_bias": "False"}, {"weight_lr_mult": "1.5"}, [0, 1, 2]),
            ("Activation", {"act_type": "relu"}, {}, [3]),
        ]:
            fields = attributes(own, hidden)
            inputs = [[i] + entry[1:] for i in inputs]
            nodes.append(dict({"op": op, "name": "n%d" % len(nodes), "inputs": inputs}, **fields))
        graph = {"nodes": nodes, "arg_nodes": [0, 1, 2], "heads": [[4] + entry[1:]]}
        if versions[name] is not None:
            graph["attrs"] = {"mxnet_version": ["int", versions[name]]}
        yield "%s-%s.json" % (name, versions[name] or "none"), json.dumps(graph)


def make_spellings():
    for file, text in spellings():
        for folder, content in [("old", text), ("upgraded", mx.sym.load_json(text).tojson())]:
            with open(os.path.join(OUT, folder, file), "w") as out:
                out.write(content)


def make_old_params():
    """`old/*.params`: every dtype in the layouts before 1.0, put together by hand, as MXNet loads and rewrites them.

    `old/FILE.params` is the old file, `upgraded/FILE.params` what MXNet 1.9.1 saves of it.
    """
    values = [np.arange(6), np.arange(6).reshape(2, 3), np.ones((1, 2, 1, 2))]
    flags = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64"]
    heads = {
        "v0": lambda shape: struct.pack("<%dI" % (1 + len(shape)), len(shape), *shape),
        "v1": lambda shape: struct.pack("<Ii%dq" % len(shape), 0xF993FAC8, len(shape), *shape),
        "v2": lambda shape: struct.pack("<Iii%dq" % len(shape), 0xF993FAC9, 0, len(shape), *shape),
    }
    for era, head in sorted(heads.items()):
        arrays, names = [], []
        for flag, dtype in enumerate(flags):
            for i, value in enumerate(values):
                arrays.append(head(value.shape) + struct.pack("<iii", 1, 0, flag) + value.astype(dtype).tobytes())
                names.append(("arg:%s_%d" if i else "aux:%s_%d") % (dtype, i))
        for kind, listed in [("named", names), ("unnamed", [])]:
            data = struct.pack("<QQQ", 0x112, 0, len(arrays)) + b"".join(arrays) + struct.pack("<Q", len(listed))
            data += b"".join(struct.pack("<Q", len(name)) + name.encode() for name in listed)
            file = "%s_%s.params" % (era, kind)
            with open(os.path.join(OUT, "old", file), "wb") as out:
                out.write(data)
            mx.nd.save(os.path.join(OUT, "upgraded", file), mx.nd.load(os.path.join(OUT, "old", file)))


def make_styles():
    """Files of each call that saves parameters: structural names, full names, stripped names, a module's."""
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Dense(2, in_units=3), nn.BatchNorm(in_channels=2))
    net.initialize(mx.init.One())
    net.save_parameters(os.path.join(OUT, "style_structural.params"))
    net.collect_params().save(os.path.join(OUT, "style_full.params"))
    net.collect_params().save(os.path.join(OUT, "style_stripped.params"), strip_prefix="net_")
    arrays = {name: param.data() for name, param in net.collect_params().items()}
    symbol = net(mx.sym.var("data"))
    auxiliary = symbol.list_auxiliary_states()
    arg = {name: array for name, array in arrays.items() if name not in auxiliary}
    mx.model.save_checkpoint(os.path.join(OUT, "style_model"), 3, symbol, arg, {n: arrays[n] for n in auxiliary})


def digest(array):
    values = np.ascontiguousarray(array.asnumpy())
    return hashlib.sha256(("%s %s " % (values.dtype.name, values.shape)).encode() + values.tobytes()).hexdigest()[:16]


def make_shared():
    """Digests of what MXNet loads from the real checkpoints."""
    if not os.path.isdir(SHARED):
        print("no real checkpoints beside the checkout: shared.json is kept")
        return
    result = {"params": {}, "symbols": {}}
    for folder in sorted(os.listdir(SHARED)):
        for file in sorted(os.listdir(os.path.join(SHARED, folder))):
            path = os.path.join(SHARED, folder, file)
            if file.endswith(".json"):
                text = mx.sym.load(path).tojson()
                outputs = np.diff(json.loads(text)["node_row_ptr"]).tolist()
                about = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "outputs": outputs}
                result["symbols"][folder + "/" + file] = about
            else:
                loaded = mx.nd.load(path)
                names = list(loaded) if isinstance(loaded, dict) else []
                arrays = list(loaded.values()) if isinstance(loaded, dict) else loaded
                result["params"][folder + "/" + file] = {"names": names, "digests": [digest(array) for array in arrays]}
    write_json("shared.json", result)


if __name__ == "__main__":
    assert mx.__version__ == "1.9.1", mx.__version__
    os.makedirs(OUT, exist_ok=True)
    make_params()
    make_symbols()
    make_upgrades()
    make_spellings()
    make_old_params()
    make_styles()
    make_shared()
    print("wrote", OUT, "with MXNet", mx.__version__, "Python", sys.version.split()[0])
