"""Symbol cases: see tests/cases.py."""

import copy
import json

from cases import Cases

CASES = Cases()


def mlp(mx):
    sym = mx.sym
    data = sym.var("data")
    hidden = sym.FullyConnected(data, num_hidden=8, name="fc1")
    hidden = sym.Activation(hidden, act_type="relu", name="relu1")
    return sym.FullyConnected(hidden, num_hidden=3, name="fc2")


def convnet(mx):
    sym = mx.sym
    x = sym.Convolution(sym.var("data"), kernel=(3, 3), num_filter=4, pad=(1, 1), name="conv0")
    x = sym.BatchNorm(x, fix_gamma=False, name="bn0")
    x = sym.Activation(x, act_type="relu", name="relu0")
    x = sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool0")
    x = sym.Flatten(x, name="flat")
    x = sym.FullyConnected(x, num_hidden=3, name="fc")
    return sym.SoftmaxOutput(x, name="softmax")


def branches(mx):
    sym = mx.sym
    a, b = sym.var("a"), sym.var("b")
    x = sym.concat(a + b, a * 2, dim=1)
    parts = sym.split(x, num_outputs=2, axis=1)
    return sym.Group([parts[0] - parts[1], sym.sum(x, axis=1)])


GRAPHS = {
    "variable": lambda mx: mx.sym.var("x"),
    "variable with everything": lambda mx: mx.sym.var(
        "x", shape=(2, 0), dtype="float16", lr_mult=2, wd_mult=0.5, stype="default", attr={"a": "b"}, __c__="d"
    ),
    "variable with init": lambda mx: mx.sym.var("x", init='["zero", {}]'),
    "mlp": mlp,
    "convnet": convnet,
    "branches": branches,
    "arithmetic": lambda mx: (mx.sym.var("a") + mx.sym.var("b") * 2 - 1) / (3 - mx.sym.var("c")) ** 2,
    "reversed": lambda mx: 1 / (2 * mx.sym.var("a") + 5) % 3 - 7 % mx.sym.var("b"),
    "comparisons": lambda mx: mx.sym.Group(
        [
            mx.sym.var("a") > mx.sym.var("b"),
            mx.sym.var("a") >= 1,
            mx.sym.var("a") == mx.sym.var("c"),
            mx.sym.var("a") != 2.5,
            mx.sym.var("a") < 3,
            mx.sym.var("a") <= mx.sym.var("b"),
        ]
    ),
    "negative and abs": lambda mx: abs(-mx.sym.var("a")),
    "powers": lambda mx: 2 ** mx.sym.var("a") + mx.sym.var("a") ** mx.sym.var("b"),
    "reductions": lambda mx: mx.sym.Group(
        [
            mx.sym.var("x").sum(axis=(0, 2), keepdims=True),
            mx.sym.mean(mx.sym.var("x"), axis=1),
            mx.sym.var("x").max(),
            mx.sym.norm(mx.sym.var("x")),
        ]
    ),
    "shapes": lambda mx: (
        mx.sym.var("x")
        .reshape((0, -1))
        .transpose((1, 0))
        .expand_dims(1)
        .slice_axis(axis=0, begin=0, end=None)
        .flatten()
    ),
    "leaky relu with slope": lambda mx: mx.sym.LeakyReLU(mx.sym.var("x"), act_type="prelu", name="pr"),
    "leaky relu": lambda mx: mx.sym.LeakyReLU(mx.sym.var("x"), act_type="leaky", slope=0.1),
    "dropout": lambda mx: mx.sym.Dropout(mx.sym.var("x"), p=0.3),
    "max pooling": lambda mx: mx.sym.Pooling(mx.sym.var("x"), kernel=(2, 2), pool_type="max"),
    "average pooling": lambda mx: mx.sym.Pooling(mx.sym.var("x"), kernel=(2, 2), pool_type="avg"),
    "global pooling": lambda mx: mx.sym.Pooling(mx.sym.var("x"), kernel=(1, 1), global_pool=True, pool_type="avg"),
    "batch norm with statistics": lambda mx: mx.sym.BatchNorm(mx.sym.var("x"), output_mean_var=True, name="bn"),
    "two batch norms": lambda mx: mx.sym.BatchNorm(mx.sym.BatchNorm(mx.sym.var("x"))),
    "layer norm": lambda mx: mx.sym.LayerNorm(mx.sym.var("x"), name="ln"),
    "embedding": lambda mx: mx.sym.Embedding(mx.sym.var("x"), input_dim=5, output_dim=3, name="emb"),
    "creation": lambda mx: mx.sym.zeros((2, 3)) + mx.sym.ones((2, 3), dtype="float32") * mx.sym.arange(3),
    "full": lambda mx: mx.sym.full((2,), 1.5),
    "random": lambda mx: mx.sym.random.uniform(shape=(2, 3)) + mx.sym.random.normal(0, 2, shape=(2, 3)),
    "maximum": lambda mx: mx.sym.maximum(mx.sym.minimum(mx.sym.var("a"), 6), mx.sym.var("b")),
    "cast": lambda mx: mx.sym.cast(mx.sym.var("a"), dtype="float16").astype("float32"),
    "add_n": lambda mx: mx.sym.add_n(mx.sym.var("a"), mx.sym.var("b"), mx.sym.var("c")),
    "stack": lambda mx: mx.sym.stack(mx.sym.var("a"), mx.sym.var("b"), axis=1),
    "internals group": lambda mx: mlp(mx).get_internals(),
    "one input used twice": lambda mx: mx.sym.broadcast_mul(mx.sym.var("a"), mx.sym.var("a")).square(),
    "elementwise": lambda mx: mx.sym.exp(mx.sym.tanh(mx.sym.sigmoid(mx.sym.relu(mx.sym.var("a"))))),
    "list attributes": lambda mx: mx.sym.Convolution(mx.sym.var("x"), kernel=[3, 3], num_filter=2, no_bias=True),
    "no bias": lambda mx: mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=2, no_bias=True),
    "attr": lambda mx: mx.sym.FullyConnected(
        mx.sym.var("x"), num_hidden=2, name="fc", attr={"__lr_mult__": "2", "__mood__": "good"}
    ),
    "dot": lambda mx: mx.sym.dot(mx.sym.var("a"), mx.sym.var("b"), transpose_b=True),
    "where": lambda mx: mx.sym.where(mx.sym.var("c") > 0, mx.sym.var("a"), mx.sym.var("b")),
    "pick": lambda mx: mx.sym.pick(mx.sym.var("a"), mx.sym.var("i"), axis=1),
    "block grad": lambda mx: mx.sym.BlockGrad(mx.sym.var("a")),
    "softmax": lambda mx: mx.sym.softmax(mx.sym.log_softmax(mx.sym.var("a"), axis=-1)),
    "special characters": lambda mx: mx.sym.var('a "quoted" \\ name\twith\nall'),
}
for _name, _graph in GRAPHS.items():
    CASES.add("text of " + _name, lambda mx, g=_graph: g(mx).tojson())
    CASES.add("lists of " + _name, lambda mx, g=_graph: lists(g(mx)))


def lists(net):
    return [
        net.name,
        repr(net),
        net.list_arguments(),
        net.list_outputs(),
        net.list_auxiliary_states(),
        net.list_inputs(),
        len(net),
        net.get_internals().list_outputs(),
        None if net.get_children() is None else net.get_children().list_outputs(),
        {k: sorted(v.items()) for k, v in sorted(net.attr_dict().items())},
    ]


def shapes(net, *args, **kwargs):
    return [None if part is None else [tuple(s) for s in part] for part in net.infer_shape(*args, **kwargs)]


def types(net, *args, **kwargs):
    return [[t.__name__ for t in part] for part in net.infer_type(*args, **kwargs)]


def pool(mx, *args, **kwargs):
    return mx.sym.Pooling(mx.sym.var("x"), *args, **kwargs)


CASES_OF_NAMES = {
    "automatic names": lambda mx: [mx.sym.relu(mx.sym.var("x")).name for _ in range(3)],
    "alias names": lambda mx: [
        mx.sym.concat(mx.sym.var("x"), dim=0).name,
        mx.sym.Concat(mx.sym.var("x"), dim=0).name,
        mx.sym.flatten(mx.sym.var("x")).name,
        mx.sym.Flatten(mx.sym.var("x")).name,
        mx.sym.var("x").reshape((1,)).name,
        mx.sym.var("x").flatten().name,
        mx.sym.stop_gradient(mx.sym.var("x")).name,
        mx.sym.var("x").astype("int32").name,
        mx.sym.max_axis(mx.sym.var("x")).name,
        mx.sym.broadcast_plus(mx.sym.var("x"), mx.sym.var("y")).name,
        mx.sym.elemwise_add(mx.sym.var("x"), mx.sym.var("y")).name,
        mx.sym.identity(mx.sym.var("x")).name,
        mx.sym.random.uniform(shape=(1,)).name,
        mx.sym.zeros((1,)).name,
        mx.sym.softmax(mx.sym.var("x")).name,
    ],
    "operator names": lambda mx: [
        (mx.sym.var("x") + mx.sym.var("y")).name,
        (mx.sym.var("x") + 1).name,
        (1 - mx.sym.var("x")).name,
        (mx.sym.var("x") / mx.sym.var("y")).name,
        (-mx.sym.var("x")).name,
        (mx.sym.var("x") > 1).name,
        (mx.sym.var("x") ** 2).name,
        (2 ** mx.sym.var("x")).name,
        (mx.sym.var("x") % 2).name,
        abs(mx.sym.var("x")).name,
        mx.sym.maximum(mx.sym.var("x"), 1).name,
    ],
    "missing inputs": lambda mx: mx.sym.FullyConnected(num_hidden=3, name="fc").list_arguments(),
    "missing inputs without a name": lambda mx: mx.sym.FullyConnected(num_hidden=3).list_arguments(),
    "given weight": lambda mx: mx.sym.FullyConnected(
        mx.sym.var("x"), weight=mx.sym.var("w"), num_hidden=3, name="fc"
    ).list_arguments(),
    "given by name": lambda mx: mx.sym.FullyConnected(
        bias=mx.sym.var("b"), data=mx.sym.var("x"), num_hidden=3, name="fc"
    ).list_arguments(),
}
for _name, _run in CASES_OF_NAMES.items():
    CASES.add(_name, _run)


@CASES
def prefix(mx):
    with mx.name.Prefix("net_"):
        data = mx.sym.var("data")
        a = mx.sym.FullyConnected(data, num_hidden=2, name="fc")
        b = mx.sym.relu(a)
        with mx.name.NameManager():
            c = mx.sym.relu(b)
    return [data.name, a.list_arguments(), b.name, c.name, mx.sym.relu(c).name]


@CASES
def attribute_scope(mx):
    with mx.AttrScope(ctx_group="dev1", __mood__="good"):
        data = mx.sym.var("data")
        with mx.AttrScope(__mood__="bad"):
            a = mx.sym.FullyConnected(data, num_hidden=2, name="fc")
    b = mx.sym.relu(a, name="out")
    return [
        data.attr("ctx_group"),
        data.attr("__ctx_group__"),
        a.attr("__mood__"),
        a.attr("ctx_group"),
        b.attr("__mood__"),
        a.attr("num_hidden"),
        a.attr("nothing"),
        sorted(a.list_attr().items()),
        {k: sorted(v.items()) for k, v in sorted(b.attr_dict().items())},
    ]


@CASES
def attribute_of_an_unknown_kind(mx):
    return mx.sym.relu(mx.sym.var("x", attr={"mood": "good"}), attr={"mood": "good"})


@CASES
def attribute_scope_of_numbers(mx):
    return mx.AttrScope(lr_mult=2)


@CASES
def set_attributes(mx):
    x = mx.sym.var("x")
    x._set_attr(mood="good", lr_mult="3")
    return [x.attr("mood"), x.attr("lr_mult"), sorted(x.list_attr().items())]


@CASES
def group_name(mx):
    net = branches(mx)
    return [net.name, repr(net), net[0].name, net[1].name, len(net)]


CASES.expressions(
    "group",
    {
        "sym.Group([]).name": lambda e: e.sym.Group([]).name,
        "sym.Group([1]).name": lambda e: e.sym.Group([1]).name,
        "sym.Group([sym.var('a'), sym.var('b')]).list_outputs()": lambda e: e.sym.Group(
            [e.sym.var("a"), e.sym.var("b")]
        ).list_outputs(),
        "sym.Group([sym.Group([sym.var('a'), sym.var('b')]), sym.var('c')]).list_outputs()": lambda e: e.sym.Group(
            [e.sym.Group([e.sym.var("a"), e.sym.var("b")]), e.sym.var("c")]
        ).list_outputs(),
        "sym.Group(sym.var('a')).list_outputs()": lambda e: e.sym.Group(e.sym.var("a")).list_outputs(),
    },
    {
        "sym.Group(sym.var('a')).list_outputs()": "MXNet's group of one symbol that is no list is its outputs too, by chance",
    },
)


def _indexing(key):
    def case(mx):
        found = mlp(mx).get_internals()[key]
        return [found.name, found.list_outputs(), found.list_arguments()]

    return case


for _key in (0, 3, -1, 100, "fc1_output", "fc1", "relu1_output", "nothing", "data", slice(0, 2), slice(None), 1.5):
    CASES.add(
        "internals[{!r}]".format(_key), _indexing(_key), "MXNet takes no negative positions" if _key == -1 else None
    )


@CASES
def outputs_by_position(mx):
    parts = mx.sym.split(mx.sym.var("x"), num_outputs=3, name="sp")
    return [parts[1].list_outputs(), parts["sp_output2"].list_outputs(), [p.name for p in parts], parts[2].tojson()]


@CASES
def output_out_of_range(mx):
    return mx.sym.split(mx.sym.var("x"), num_outputs=3, name="sp")[3]


@CASES
def children(mx):
    net = mlp(mx)
    return [
        net.get_children().list_outputs(),
        net.get_children()[0].get_children().list_outputs(),
        mx.sym.var("x").get_children(),
    ]


@CASES
def composition(mx):
    net = mlp(mx)
    other = mx.sym.Flatten(mx.sym.var("image"), name="flat")
    joined = net(data=other)
    return [joined.list_arguments(), net.list_arguments(), joined.list_outputs()]


@CASES(differs="MXNet wants a symbol for every argument")
def composition_by_position(mx):
    return mlp(mx)(mx.sym.var("other")).list_arguments()


@CASES
def composition_with_name(mx):
    net = mlp(mx)(data=mx.sym.var("other"), name="joined")
    return [net.name, net.list_arguments(), net.list_outputs()]


@CASES(differs="MXNet takes a name that nothing has without a word")
def composition_with_unknown_name(mx):
    return mlp(mx)(nothing=mx.sym.var("other")).list_arguments()


@CASES
def composition_with_a_number(mx):
    return mlp(mx)(data=3)


@CASES
def copies(mx):
    net = mlp(mx)
    other = copy.copy(net)
    deep = copy.deepcopy(net)
    deep._set_attr(__mood__="good")
    return [other.list_arguments(), deep.attr("__mood__"), net.attr("__mood__")]


CASES.add("shapes by name", lambda mx: shapes(mlp(mx), data=(5, 7)))
BY_POSITION = "MXNet 1.9.1 fails on anything given by position"
CASES.add("shapes by position", lambda mx: shapes(mlp(mx), (5, 7)), BY_POSITION)
CASES.add("shapes unknown", lambda mx: shapes(mlp(mx)))
CASES.add("shapes of a wrong name", lambda mx: shapes(mlp(mx), nothing=(1, 2)))
CASES.add("shapes that do not fit", lambda mx: shapes(mlp(mx), data=(5, 7), fc1_weight=(8, 6)))
CASES.add("shapes of both kinds", lambda mx: shapes(mlp(mx), (5, 7), data=(5, 7)))
CASES.add("shapes of a convnet", lambda mx: shapes(convnet(mx), data=(2, 3, 8, 8)))
CASES.add("shapes of a convnet of wrong rank", lambda mx: shapes(convnet(mx), data=(2, 3)))
CASES.add("shapes declared", lambda mx: shapes(mx.sym.relu(mx.sym.var("x", shape=(2, 3)))))
CASES.add("shapes declared in part", lambda mx: shapes(mx.sym.relu(mx.sym.var("x", shape=(0, 3)))))
CASES.add("shapes of sums", lambda mx: shapes(mx.sym.var("a") + mx.sym.var("b"), a=(2, 3), b=(2, 3)))
CASES.add("shapes of sums that differ", lambda mx: shapes(mx.sym.var("a") + mx.sym.var("b"), a=(2, 3), b=(3, 2)))
CASES.add("shapes of both from one", lambda mx: shapes(mx.sym.var("a") + mx.sym.var("b"), a=(2, 3)))
CASES.add("shapes of branches", lambda mx: shapes(branches(mx), a=(2, 4), b=(2, 4)))
CASES.add("shapes of the label", lambda mx: shapes(mx.sym.SoftmaxOutput(mx.sym.var("x"), name="s"), x=(4, 3)))
CASES.add(
    "shapes backwards",
    lambda mx: shapes(mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=2, name="f"), f_weight=(2, 5)),
)
CASES.add("types", lambda mx: types(mlp(mx), data="float32"))
CASES.add("types of nothing", lambda mx: types(mlp(mx)))
CASES.add(
    "types of float16",
    lambda mx: types(convnet(mx), data="float16"),
)
CASES.add("types of float64", lambda mx: types(mlp(mx), data="float64"))
CASES.add("types after a cast", lambda mx: types(mx.sym.cast(mx.sym.var("x"), dtype="int32"), x="float32"))
CASES.add("types by position", lambda mx: types(mlp(mx), "float64"), BY_POSITION)
CASES.add("types declared", lambda mx: types(mx.sym.relu(mx.sym.var("x", dtype="float16"))))
CASES.add(
    "types that differ",
    lambda mx: types(mx.sym.var("a") + mx.sym.var("b"), a="float32", b="float16"),
)
CASES.add("types backwards", lambda mx: types(mlp(mx), fc1_weight="float64"))
CASES.add(
    "partial shapes",
    lambda mx: [
        [tuple(s) for s in p] for p in mx.sym.concat(mlp(mx), mx.sym.var("z")).infer_shape_partial(data=(5, 7))
    ],
    "MXNet gives the output the size of the inputs that it knows",
)

CASES.expressions(
    "errors",
    {
        "sym.var(3)": lambda e: e.sym.var(3),
        "sym.var('x', nonsense='1')": lambda e: e.sym.var("x", nonsense="1"),
        "sym.var('x', shape='a')": lambda e: e.sym.var("x", shape="a"),
        "sym.relu(3)": lambda e: e.sym.relu(3),
        "sym.relu(sym.var('x'), sym.var('y'))": lambda e: e.sym.relu(e.sym.var("x"), e.sym.var("y")),
        "sym.FullyConnected(sym.var('x'))": lambda e: e.sym.FullyConnected(e.sym.var("x")),
        "sym.FullyConnected(sym.var('x'), num_hidden='many')": lambda e: e.sym.FullyConnected(
            e.sym.var("x"), num_hidden="many"
        ),
        "sym.FullyConnected(sym.var('x'), num_hidden=2, nonsense=3)": lambda e: e.sym.FullyConnected(
            e.sym.var("x"), num_hidden=2, nonsense=3
        ),
        "sym.Activation(sym.var('x'), act_type='nonsense')": lambda e: e.sym.Activation(
            e.sym.var("x"), act_type="nonsense"
        ),
        "sym.nonsense(sym.var('x'))": lambda e: e.sym.nonsense(e.sym.var("x")),
        "sym.load_json('')": lambda e: e.sym.load_json(""),
        "sym.load_json('{}')": lambda e: e.sym.load_json("{}"),
        "sym.load_json(3)": lambda e: e.sym.load_json(3),
        "sym.load('/nonexistent/file.json')": lambda e: e.sym.load("/nonexistent/file.json"),
        "bool(sym.var('x'))": lambda e: bool(e.sym.var("x")),
        "sym.var('x') + 'a'": lambda e: e.sym.var("x") + "a",
        "sym.var('x') + None": lambda e: e.sym.var("x") + None,
        "sym.var('x') + nd.ones((1,))": lambda e: e.sym.var("x") + e.nd.ones((1,)),
        "sym.var('x').asnumpy()": lambda e: e.sym.var("x").asnumpy(),
        "sym.var('x').asscalar()": lambda e: e.sym.var("x").asscalar(),
        "sym.var('x').wait_to_read()": lambda e: e.sym.var("x").wait_to_read(),
        "sym.var('x').backward()": lambda e: e.sym.var("x").backward(),
        "sym.var('x').detach()": lambda e: e.sym.var("x").detach(),
        "sym.var('x').list_attr(recursive=True)": lambda e: e.sym.var("x").list_attr(recursive=True),
        "len(sym.var('x'))": lambda e: len(e.sym.var("x")),
        "[s.name for s in sym.var('x')]": lambda e: [s.name for s in e.sym.var("x")],
        "sym.Activation(sym.split(sym.var('x'), num_outputs=2), act_type='relu')": lambda e: e.sym.Activation(
            e.sym.split(e.sym.var("x"), num_outputs=2), act_type="relu"
        ),
        "sym.maximum(1, 2)": lambda e: e.sym.maximum(1, 2),
        "sym.maximum('a', 2)": lambda e: e.sym.maximum("a", 2),
        "sym.power(sym.var('x'), 2).name": lambda e: e.sym.power(e.sym.var("x"), 2).name,
        "sym.var('x') == None": lambda e: e.sym.var("x") == None,
    },
)


@CASES
def loaded_unknown_operator(mx):
    text = json.loads(mx.sym.relu(mx.sym.var("x")).tojson())
    text["nodes"][1]["op"] = "NoSuchOperator"
    return mx.sym.load_json(json.dumps(text))


@CASES
def loaded_alias(mx):
    text = json.loads(mx.sym.Flatten(mx.sym.var("x"), name="f").tojson())
    text["nodes"][1]["op"] = "flatten"
    return mx.sym.load_json(json.dumps(text)).tojson()


@CASES
def loaded_without_an_attribute(mx):
    text = json.loads(mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=2, name="f").tojson())
    del text["nodes"][-1]["attrs"]["num_hidden"]
    return mx.sym.load_json(json.dumps(text))
