"""Cases of foreach, while_loop and cond: see tests/cases.py."""

import numpy as np
from cases import Cases

CASES = Cases()


def values(*shape):
    """Numbers that differ, of both signs."""
    count = int(np.prod(shape))
    return (np.arange(count) % 7 - 3.0).reshape(shape) / 4 + 0.125


def flat(data):
    return [x for d in data for x in flat(d)] if isinstance(data, (list, tuple)) else [data]


# Graphs: `(F, *inputs)` -> nested outputs. F is `nd` or `sym`; the shapes of the inputs follow.

GRAPHS = {}


def graph(*shapes, dtype="float32"):
    def add(function):
        GRAPHS[function.__name__] = (function, shapes, dtype)
        return function

    return add


@graph((4, 3), (3,))
def total(F, data, start):
    return F.contrib.foreach(lambda x, s: (x + s, x * s), data, start)


@graph((4, 3), (3,), (3,))
def free_variable(F, data, start, w):
    return F.contrib.foreach(lambda x, s: (x * w + s[0], [s[0] * 2 - x]), data, [start])


@graph((4, 3), (4, 2), (3,), (2,))
def several(F, a, b, s, t):
    def body(xs, states):
        x, y = xs
        p, (q,) = states
        return [x + p, [y * q, F.concat(x, y, dim=0)]], [p * x, [q + y]]

    return F.contrib.foreach(body, [a, b], [s, [t]])


@graph((4, 3))
def without_states(F, data):
    return F.contrib.foreach(lambda x, s: (x * x, []), data, [])


@graph((4, 3), (3,))
def without_outputs(F, data, start):
    return F.contrib.foreach(lambda x, s: ([], s + x * x), data, start)


@graph((1, 3), (3,))
def one_step(F, data, start):
    return F.contrib.foreach(lambda x, s: (x + s, s * 3), data, start)


@graph((5,), (1,))
def scalars(F, data, start):
    return F.contrib.foreach(lambda x, s: (x * 2, F.broadcast_add(s, x)), data, start)


@graph((4, 3), (3,), dtype="float64")
def doubles(F, data, start):
    return F.contrib.foreach(lambda x, s: (x / (s * s + 1), x - s), data, start)


@graph((4, 3), (3,))
def input_as_output(F, data, start):
    return F.contrib.foreach(lambda x, s: ([x, x + s, s], s), data, start)


@graph((3, 4), (3,), (3,))
def closure_of_operators(F, data, start, w):
    parts = F.split(data, num_outputs=2, axis=1)
    outside = w * 3

    def body(x, s):
        return x * s + outside + F.sum(parts[0], axis=1) + w, s + x

    return F.contrib.foreach(body, F.transpose(parts[1]), start + outside)


@graph((2, 3, 2), (2,), (2,))
def nested_loops(F, data, start, w):
    def inner(x, s):
        return x * w + s, s + x * x

    def outer(rows, s):
        out, last = F.contrib.foreach(inner, rows, s)
        return [out * 2, last], last - w

    return F.contrib.foreach(outer, data, start)


@graph((3, 2, 4), (2, 5), (5, 4), (5, 5), (5,))
def recurrent_cell(F, data, start, wx, wh, bias):
    def body(x, h):
        pre = F.FullyConnected(x, wx, no_bias=True, num_hidden=5)
        h = F.Activation(pre + F.FullyConnected(h, wh, bias, num_hidden=5), act_type="tanh")
        return h, h

    return F.contrib.foreach(body, data, start)


@graph((1,), (1,), (1,))
def count_up(F, i, s, step):
    return F.contrib.while_loop(
        lambda i, s: i < 3, lambda i, s: ([i + s * step, s], [i + step * 0 + 1, s + i]), [i, s], max_iterations=6
    )


@graph((1,), (2, 2))
def bounded(F, i, s):
    return F.contrib.while_loop(
        lambda i, s: i < 100, lambda i, s: (F.broadcast_mul(s, i), [i + 1, s * 2]), [i, s], max_iterations=3
    )


@graph((2, 2), (1,))
def condition_of_a_free_variable(F, s, limit):
    return F.contrib.while_loop(lambda s: F.sum(s) < limit + 4, lambda s: (None, [s + 1]), [s], max_iterations=10)


@graph((3,))
def single_variable(F, s):
    return F.contrib.while_loop(lambda s: F.max(s) < 8, lambda s: (s, s * 2 + 1), s, max_iterations=7)


@graph((1,), (3, 2))
def loop_in_a_loop(F, i, s):
    def func(i, s):
        out, last = F.contrib.foreach(lambda x, t: (x + t, t * x), s, F.sum(s, axis=0))
        return [last], [i + 1, out * 0.5]

    return F.contrib.while_loop(lambda i, s: i < 3, func, [i, s], max_iterations=4)


@graph((1,), (2, 2), (2, 2))
def branch(F, a, b, c):
    return F.contrib.cond(a < 5, lambda: (b + b) * c, lambda: b - c)


@graph((1,), (2, 2), (2, 2))
def other_branch(F, a, b, c):
    return F.contrib.cond(a > 5, lambda: [b, [c]], lambda: [c * b, [b + 1]])


@graph((4, 3), (3,))
def branch_in_a_loop(F, data, start):
    def body(x, s):
        out = F.contrib.cond(F.sum(x) > 0, lambda: x * s, lambda: x - s)
        return out, out + s

    return F.contrib.foreach(body, data, start)


NAMES = ["a0", "a1", "a2", "a3", "a4"]


def arrays(mx, name):
    _, shapes, dtype = GRAPHS[name]
    return [mx.nd.array(values(*shape) + 0.25 * k, dtype=dtype) for k, shape in enumerate(shapes)]


def symbol(mx, name):
    mx.attribute.AttrScope._subgraph_names.clear()
    function, shapes, _ = GRAPHS[name]
    with mx.name.NameManager():
        return mx.sym.Group(flat(function(mx.sym, *[mx.sym.var(n) for n in NAMES[: len(shapes)]])))


def head_gradients(mx, outputs):
    return [mx.nd.array(values(*o.shape) * 2 + k, dtype=o.dtype) for k, o in enumerate(outputs)]


def text(mx, name):
    return symbol(mx, name).tojson()


def names(mx, name):
    net = symbol(mx, name)
    children = net.get_children()
    return [
        net.list_arguments(),
        net.list_auxiliary_states(),
        net.list_outputs(),
        net.get_internals().list_outputs(),
        None if children is None else children.list_outputs(),
        sorted(net.list_attr().items()),
    ]


STEPS = {"count_up": (2, 4), "single_variable": (1, 4)}
"""Number of stacked outputs and of steps, where there are fewer than allowed: MXNet leaves undefined what follows."""


def made(name, outputs):
    count, steps = STEPS.get(name, (0, 0))
    return [o[:steps] for o in outputs[:count]] + list(outputs[count:])


def bound(mx, name):
    """Outputs and gradients of a bound symbol."""
    net = mx.sym.load_json(text(mx, name))
    args = arrays(mx, name)
    given = dict(zip(NAMES, args))  # noqa: B905
    grads = {n: mx.nd.zeros(a.shape, dtype=a.dtype) for n, a in given.items()}
    order = net.list_arguments()
    executor = net.bind(mx.cpu(), [given[n] for n in order], [grads[n] for n in order])
    outputs = executor.forward(is_train=True)
    executor.backward(head_gradients(mx, outputs))
    return made(name, outputs), [grads[n] for n in sorted(grads)]


def recorded(mx, name):
    """Outputs and gradients of the same function on arrays."""
    function = GRAPHS[name][0]
    args = arrays(mx, name)
    for a in args:
        a.attach_grad()
    with mx.autograd.record():
        outputs = flat(function(mx.nd, *args))
    mx.autograd.backward(outputs, head_gradients(mx, outputs))
    return made(name, outputs), [a.grad for a in args]


def inferred(mx, name):
    shapes = GRAPHS[name][1]
    return symbol(mx, name).infer_shape_partial(**dict(zip(NAMES, shapes)))  # noqa: B905


LOOPS = ("count_up", "bounded", "condition_of_a_free_variable", "single_variable", "loop_in_a_loop")
BRANCHES = ("branch", "other_branch", "branch_in_a_loop")
DIFFERS = {
    "inferred": dict.fromkeys(LOOPS + BRANCHES, "MXNet finds these shapes only by running the graph"),
    "bound": {
        "branch_in_a_loop": "MXNet finds no shapes and does not bind it",
        "closure_of_operators": "MXNet fails in the gradient, with inconsistent dispatch modes",
        "condition_of_a_free_variable": "MXNet fails in the gradient, with a wrong number of outputs",
    },
}
# Their texts hold nothing that others do not.
WITHOUT_TEXT = (
    "without_states",
    "without_outputs",
    "input_as_output",
    "one_step",
    "scalars",
    "doubles",
    "bounded",
    "other_branch",
    "recurrent_cell",
    "single_variable",
    "total",
)
KINDS = {"text": text, "names": names, "bound": bound, "recorded": recorded, "inferred": inferred}

for _kind, _function in KINDS.items():
    for _name in GRAPHS:
        if _kind != "text" or _name not in WITHOUT_TEXT:
            _reason = DIFFERS.get(_kind, {}).get(_name)
            CASES.add(_kind + ": " + _name, lambda mx, f=_function, n=_name: f(mx, n), _reason)


CASES.expressions(
    "wrong symbols",
    {
        "state is a number": lambda e: _sym(e, lambda a, b, F: F.foreach(lambda x, s: (x, s), a, [3])),
        "data is a number": lambda e: _sym(e, lambda a, b, F: F.foreach(lambda x, s: (x, s), 3, [b])),
        "data not used": lambda e: _sym(e, lambda a, b, F: F.foreach(lambda x, s: (s, s), a, b)),
        "state not used": lambda e: _sym(e, lambda a, b, F: F.foreach(lambda x, s: (x, x), a, b)),
        "states of another format": lambda e: _sym(e, lambda a, b, F: F.foreach(lambda x, s: (x, [s, s]), a, b)),
        "output is a number": lambda e: _sym(e, lambda a, b, F: F.foreach(lambda x, s: (3, s + x), a, b)),
        "no bound": lambda e: _sym(e, lambda a, b, F: F.while_loop(lambda a: a < 3, lambda a: (a, a), [a])),
        "bound is text": lambda e: _sym(
            e, lambda a, b, F: F.while_loop(lambda a: a < 3, lambda a: (a, a), [a], max_iterations="x")
        ),
        "bound below zero": lambda e: _sym(
            e, lambda a, b, F: F.while_loop(lambda a: a < 3, lambda a: (a, [a + 1]), [a], max_iterations=-1)
        ),
        "no variables": lambda e: _sym(
            e, lambda a, b, F: F.while_loop(lambda: a < 3, lambda: (a, a), [], max_iterations=3)
        ),
        "condition is a bool": lambda e: _sym(
            e, lambda a, b, F: F.while_loop(lambda a: True, lambda a: (a, [a + 1]), [a], max_iterations=3)
        ),
        "more variables": lambda e: _sym(
            e, lambda a, b, F: F.while_loop(lambda a: a < 3, lambda a: (a, [a, a]), [a], max_iterations=3)
        ),
        "variable not used": lambda e: _sym(
            e, lambda a, b, F: F.while_loop(lambda a, b: a < 3, lambda a, b: (a, [a + 1, a]), [a, b], max_iterations=3)
        ),
        "numbers of outputs": lambda e: _sym(e, lambda a, b, F: F.cond(a < 1, lambda: [a, b], lambda: [b])),
        "branch gives a number": lambda e: _sym(e, lambda a, b, F: F.cond(a < 1, lambda: 3, lambda: b)),
        "condition is a number": lambda e: _sym(e, lambda a, b, F: F.cond(3, lambda: a, lambda: b)),
        "condition of two elements": lambda e: _evaluated(
            e, lambda a, b, F: F.cond(a < 5, lambda: b * 1, lambda: b * 2), (2,), (1,)
        ),
        "state grows": lambda e: _evaluated(
            e, lambda a, b, F: F.foreach(lambda x, s: (x, e.sym.concat(s, s, dim=0)), a, b)[0], (3, 2), (2,)
        ),
        "lengths differ": lambda e: _evaluated(
            e, lambda a, b, F: F.foreach(lambda x, s: (x[0] * x[1], s), [a, b], [])[0], (3, 2), (4, 2)
        ),
    },
)


def _sym(example, use):
    return type(use(example.sym.var("a"), example.sym.var("b"), example.sym.contrib)).__name__


def _evaluated(example, use, *shapes):
    mx = example.mx
    net = use(mx.sym.var("a"), mx.sym.var("b"), mx.sym.contrib)
    given = {n: mx.nd.array(values(*s)) for n, s in zip("ab", shapes)}  # noqa: B905
    return [o.asnumpy() for o in net.eval(**given)]


CASES.expressions(
    "wrong arrays",
    {
        "data is a number": lambda e: e.nd.contrib.foreach(lambda x, s: (x, s), 3, e.v),
        "state is a number": lambda e: e.nd.contrib.foreach(lambda x, s: (x, s), e.m, [3]),
        "output is a number": lambda e: e.nd.contrib.foreach(lambda x, s: (3, s), e.m, e.v),
        "no bound": lambda e: e.nd.contrib.while_loop(lambda a: a < 3, lambda a: (a, a + 1), e.s),
        "more variables": lambda e: e.nd.contrib.while_loop(lambda a: a < 9, lambda a: (a, [a, a]), e.s, 3),
        "condition of several elements": lambda e: e.nd.contrib.while_loop(lambda a: a, lambda a: (a, a), e.v, 3),
        "no variables": lambda e: e.nd.contrib.while_loop(lambda: e.s, lambda: (e.s, []), [], 3),
        "bound is text": lambda e: e.nd.contrib.while_loop(lambda a: a < 9, lambda a: (a, a), e.s, "x"),
        "pred of several elements": lambda e: e.nd.contrib.cond(e.v, lambda: 1, lambda: 2),
    },
)

CASES.expressions(
    "arrays",
    {
        "nothing to stack": lambda e: e.nd.contrib.while_loop(lambda a: a < 0, lambda a: (a, a + 1), e.s, 3),
        "no outputs": lambda e: e.nd.contrib.while_loop(lambda a: a < 6, lambda a: (None, a + 1), e.s, 3),
        "as many steps as allowed": lambda e: e.nd.contrib.while_loop(lambda a: a < 99, lambda a: (a, a + 1), e.s, 3),
        "pred is a number": lambda e: e.nd.contrib.cond(1, lambda: e.v, lambda: e.m),
        "branches of any kind": lambda e: e.nd.contrib.cond(e.s < 0, lambda: e.v, lambda: [e.m, [e.v]]),
    },
)


@CASES
def text_of_a_hybrid_block(mx):
    mx.attribute.AttrScope._subgraph_names.clear()

    class Net(mx.gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.dense = mx.gluon.nn.Dense(3, flatten=False)
                self.norm = mx.gluon.nn.BatchNorm(axis=1)
                self.scale = self.params.get("scale", shape=(1,), init="ones")

        def hybrid_forward(self, F, x, state, scale):
            def step(row, s):
                y = F.broadcast_mul(self.norm(self.dense(row)) + s, scale)
                return y, y

            out, last = F.contrib.foreach(step, x, state)
            return out, self.dense(last)

    net = Net(prefix="net_")
    net.initialize()
    data, state = mx.sym.var("data0"), mx.sym.var("data1")
    out = mx.sym.Group(list(net(data, state)))
    return [out.tojson(), out.list_arguments(), out.list_auxiliary_states()]


@CASES
def names_of_subgraphs(mx):
    mx.attribute.AttrScope._subgraph_names.clear()
    a, b = mx.sym.var("a"), mx.sym.var("b")
    for _ in range(2):
        mx.sym.contrib.cond(
            a < b,
            lambda: a + b,
            lambda: mx.sym.contrib.foreach(lambda x, s: (x, s), a, b, name="inner")[1],
            name="outer",
        )
    return sorted(mx.attribute.AttrScope._subgraph_names.items())


@CASES
def composed(mx):
    """A loop in a larger graph, its inputs replaced, the whole renamed, and copied."""
    import copy

    net = symbol(mx, "free_variable")
    with mx.name.NameManager():
        y = net[0](a0=mx.sym.exp(mx.sym.var("x"), name="e"), a2=mx.sym.var("weight"))
        z = copy.deepcopy(y * 2)
    return [y.list_arguments(), z.tojson(), sorted((k, sorted(v.items())) for k, v in z.attr_dict().items())]


@CASES
def listing(mx):
    net = symbol(mx, "free_variable")
    with mx.name.NameManager():
        both = mx.sym.Group([net[0], mx.sym.BatchNorm(net[1], name="bn")])
    return [both.debug_str(), sorted(both.list_attr().items()), both.optimize_for("nothing").list_outputs()]


@CASES
def gradient(mx):
    return symbol(mx, "total").gradient(["a0"])


@CASES
def unknown_dimension(mx):
    data = mx.sym.var("data", shape=(0, 3, 8, 8))
    out, _ = mx.sym.contrib.foreach(lambda x, s: (x + s[0], [s[0] * 2]), data, [mx.sym.var("state")])
    return out.infer_shape_partial()


@CASES
def types(mx):
    net = symbol(mx, "free_variable")
    return [net.infer_type(a0="float64"), net.infer_type(a1="float16")]


@CASES
def hybrid_loop(mx):
    """Trained and run as a hybridized block."""

    class Net(mx.gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.dense = mx.gluon.nn.Dense(3, flatten=False)

        def hybrid_forward(self, F, x, state):
            return F.contrib.foreach(lambda row, s: (F.tanh(self.dense(row) + s),) * 2, x, state)

    net = Net()
    net.initialize(mx.init.Constant(0.25))
    net.hybridize()
    x, state = mx.nd.array(values(4, 2, 5)), mx.nd.array(values(2, 3))
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    for _ in range(3):
        with mx.autograd.record():
            out, last = net(x, state)
            loss = (out * out).sum() - last.sum()
        loss.backward()
        trainer.step(1)
    return [loss, *net(x, state), net.dense.weight.data(), net.dense.weight.grad(), net.dense.bias.data()]
