"""Every case of foreach, while_loop and cond against MXNet's answer, and what only gluonnx promises."""

import json

import numpy as np
import onnx
import pytest
from answers import check, recorded
from control_flow_cases import CASES
from gluonnx_runtime import Session

import gluonnx as mx
from gluonnx import autograd, gluon, nd, sym
from gluonnx.errors import FormatError, LoweringError, MXNetError
from gluonnx.onnx.lowering import lower
from gluonnx.symbol.executor import GraphFunction

ANSWERS = recorded("control_flow")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])


class Recurrent(gluon.HybridBlock):
    """A loop with parameters, a BatchNorm, a closure and nested outputs; sizes of parameters are found from inputs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.norm = gluon.nn.BatchNorm(axis=1)
            self.dense = gluon.nn.Dense(3, flatten=False)
            self.scale = self.params.get("scale", shape=(3,), init="ones")

    def hybrid_forward(self, F, x, state, scale):
        def step(row, s):
            y = F.tanh(self.dense(self.norm(row)) + F.broadcast_mul(s, scale))
            return [y, [row]], y

        (out, [rows]), last = F.contrib.foreach(step, x, state)
        return out, rows, self.dense(last)


class Branching(gluon.HybridBlock):
    """A loop with a loop and a branch in it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = gluon.nn.Dense(3, flatten=False)

    def hybrid_forward(self, F, x, limit):
        def func(i, h):
            outs, total = F.contrib.foreach(lambda v, acc: (F.broadcast_add(v * 2, limit), acc + v), h, F.zeros((3,)))
            h = F.contrib.cond(
                F.sum(total) > 0,
                lambda: self.dense(h) + outs * 0.1,
                lambda: F.broadcast_mul(h, F.expand_dims(total, 0)) * 0.5,
            )
            return [h, i], [i + 1, h]

        first = [F.zeros((1,)), x]
        (out, steps), (_, last) = F.contrib.while_loop(lambda i, h: i < limit, func, first, max_iterations=5)
        return out, steps, last


def numbers(*shape, seed=0):
    return nd.array(np.random.RandomState(seed).uniform(-0.5, 0.5, shape))


def both(cls, *inputs):
    """The same block twice, as Python runs it and hybridized."""
    pair = [cls(prefix="net_"), cls(prefix="net_")]
    for net in pair:
        net.initialize(mx.init.Constant(0.2))
        net(*inputs)
    pair[1].hybridize()
    return pair


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("cls", "inputs"),
    [(Recurrent, (numbers(4, 2, 3), numbers(2, 3))), (Branching, (numbers(2, 3), nd.array([3.0])))],
)
def test_hybridized_block_trains_to_the_same_values(cls, inputs):
    results = []
    for net in both(cls, *inputs):
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
        x = inputs[0].copy()
        x.attach_grad()
        for _ in range(3):
            with autograd.record():
                loss = sum((o * o).sum() for o in net(x, inputs[1]))
            loss.backward()
            trainer.step(1)
        results.append([loss, x.grad, *(p.data() for p in net.collect_params().values())])
    assert_equal(results[1], results[0])


def exported(net, path, *inputs):
    net(*inputs)  # an input of the same size of axis 0 as the first would be taken to have the batch axis
    net.export(path / "net")
    return path / "net-0000.onnx"


@pytest.mark.parametrize("length", [1, 2, 7])
def test_foreach_is_a_scan_over_any_length(length, tmp_path):
    state = numbers(2, 3)
    plain, net = both(Recurrent, numbers(4, 2, 3), state)
    x = numbers(length, 2, 3, seed=1)
    assert_equal(net(x, state), plain(x, state))
    path = exported(net, tmp_path, numbers(4, 2, 3), state)
    graph = onnx.load(path).graph
    assert [n.op_type for n in graph.node].count("Scan") == 1
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    outputs = Session(path).run({"data0": x.asnumpy(), "data1": state.asnumpy()})
    assert_equal(map(nd.array, outputs.values()), plain(x, state))


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("limit", [0.0, 2.0, 9.0])
def test_while_loop_and_cond_are_loop_and_if(limit, rows, tmp_path):
    plain, net = both(Branching, numbers(2, 3), nd.array([2.0]))
    x, bound = numbers(rows, 3, seed=2), nd.array([limit])
    found = net(x, bound)
    path = exported(net, tmp_path, numbers(2, 3), bound)
    types = {n.op_type for n in onnx.load(path).graph.node}
    assert "Loop" in types
    if limit:
        assert_equal(found, plain(x, bound))
    else:
        assert [o.shape for o in found] == [(5, rows, 3), (5, 1), (rows, 3)]
        assert not found[0].asnumpy().any()
        assert_equal(found[2:], [x])
    outputs = Session(path).run({"data0": x.asnumpy(), "data1": bound.asnumpy()})
    assert_equal(map(nd.array, outputs.values()), found)


class Words(gluon.HybridBlock):
    """Words are looked up inside the loop; its inputs are indices, though nothing outside says so."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.embedding = gluon.nn.Embedding(4, 3)

    def hybrid_forward(self, F, words, state):
        return F.contrib.foreach(lambda w, s: (self.embedding(w) + s,) * 2, words, state)


def test_export_is_proven_with_indices_for_what_the_loop_looks_up(tmp_path):
    words, state = nd.array([[0, 1], [3, 2], [1, 1]]), numbers(2, 3)
    plain, net = both(Words, words, state)
    path = exported(net, tmp_path, words, state)
    outputs = Session(path).run({"data0": words.asnumpy(), "data1": state.asnumpy()})
    assert_equal(map(nd.array, outputs.values()), plain(words, state))
    proof = json.loads({p.key: p.value for p in onnx.load(path).metadata_props}["gluonnx.proof"])
    assert [i["values"] for i in proof["inputs"]] == [[0, 4], None]


def test_imported_files_compute_the_same(tmp_path):
    inputs = numbers(4, 2, 3), numbers(2, 3)
    _, net = both(Recurrent, *inputs)
    expected = net(*inputs)
    path = exported(net, tmp_path, *inputs)
    names = ["data0", "data1"]
    from_text = gluon.SymbolBlock.imports(str(tmp_path / "net-symbol.json"), names, str(tmp_path / "net-0000.params"))
    from_onnx = gluon.SymbolBlock.imports(str(path), names)
    for block in (from_text, from_onnx):
        assert_equal(block(*inputs), expected)


def test_operator_without_onnx_form_is_named_with_its_loop():
    data, start = sym.var("data"), sym.var("start")
    out, _ = sym.contrib.foreach(lambda x, s: (sym.linalg.syevd(x)[0], x + s), data, start)
    with pytest.raises(
        LoweringError, match=r"_foreach `_foreach\d+`: in its subgraph, _linalg_syevd `\w+`: _linalg_syevd: has no"
    ):
        lower(out._heads, ["data", "start"], [(4, 2, 2), (2, 2)], ["float32"] * 2, {})


def test_loop_over_nothing_gives_nothing():
    out, last = sym.contrib.foreach(lambda x, s: (x * s, s + 1), sym.var("data"), sym.var("start"))
    with mx.util.np_shape():
        found = sym.Group([out, last]).eval(data=nd.zeros((0, 3)), start=nd.ones((3,)))
    assert [f.shape for f in found] == [(0, 3), (3,)]
    assert found[1].asnumpy().tolist() == [1, 1, 1]


def test_body_runs_compiled_once(monkeypatch):
    compiled = []
    original = GraphFunction.__init__
    monkeypatch.setattr(GraphFunction, "__init__", lambda self, *a: (compiled.append(a), original(self, *a))[1])
    out, _ = sym.contrib.foreach(lambda x, s: (x * s, s + x), sym.var("data"), sym.var("start"))
    executor = out.bind(mx.cpu(), {"data": nd.ones((50, 3)), "start": nd.ones((3,))})
    for _ in range(3):
        executor.forward()
    assert len(compiled) == 2  # the graph and the body


A, B = sym.var("a"), sym.var("b")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sym.contrib.foreach(lambda x, s: (x, s), A, [3]),
            r"foreach states must be \(nested\) list of Symbol, but got 3 of",
        ),
        (lambda: sym.contrib.foreach(lambda x, s: (s, s), A, B), r"the data arrays have to be used .* got `a` unused"),
        (lambda: sym.contrib.foreach(lambda x, s: (x, x), A, B), r"the state arrays have to be used .* got `b` unused"),
        (lambda: sym.contrib.foreach(lambda x, s: (x, [s]), A, B), r"states nested as 0, got \[0\]"),
        (
            lambda: sym.contrib.foreach(lambda x, s: (x, s), sym.split(A, num_outputs=2), B),
            r"foreach input: a symbol has several outputs",
        ),
        (lambda: sym.contrib.foreach(lambda x, s: ([], []), A, []), r"subgraph: nothing to compute"),
        (lambda: sym.contrib.while_loop(lambda a: a < 1, lambda a: (a, a), [A]), r"max_iterations should be specified"),
        (lambda: sym.contrib.while_loop(lambda a: a < 1, lambda a: (a, a), [A], max_iterations="x"), r"got 'x'"),
        (
            lambda: sym.contrib.while_loop(lambda a: a < 1, lambda a: (a, a), [A], max_iterations=-1),
            r"got max_iterations=-1",
        ),
        (
            lambda: sym.contrib.while_loop(lambda a: a < 1, lambda a: (a, a), [], max_iterations=1),
            r"at least one element",
        ),
        (
            lambda: sym.contrib.while_loop(lambda a: 1, lambda a: (a, a), [A], max_iterations=1),
            r"Return of cond must be a Symbol: .* got int",
        ),
        (
            lambda: sym.contrib.while_loop(lambda a: a, lambda a: (a, [a, a]), [A], max_iterations=1),
            r"expected 1, got 2",
        ),
        (
            lambda: sym.contrib.while_loop(lambda a, b: a, lambda a, b: (a, [a, a]), [A, B], max_iterations=1),
            r"2-th loop_var .* got `b` unused",
        ),
        (lambda: sym.contrib.cond(A, lambda: [A, B], lambda: B), r"expected the same, got 2 and 1"),
        (lambda: sym.contrib.cond(sym.split(A, num_outputs=2), lambda: A, lambda: B), r"expected one, got 2"),
        (lambda: A.gradient(["a"]), r"Symbol.gradient: gradients are no symbols: .* got wrt=\['a'\]"),
        (lambda: sym._internal._foreach(3), r"_foreach: subgraphs missing: expected the symbols body first, got int"),
        (lambda: nd._internal._cond(nd.ones(1)), r"_cond: runs subgraphs: expected a call of `sym`"),
        (
            lambda: nd.contrib.foreach(lambda x, s: (x, s), [], []),
            r"foreach: no steps: .* got \[\]",
        ),
        (
            lambda: nd.contrib.while_loop(
                lambda a: a < 9, lambda a: (nd.ones(int(a.asscalar())), a + 1), nd.ones(1), 3
            ),
            r"1-th elements .*:\n  Step 0, shape is \(1,\)\n  Step 1, shape is \(2,\)",
        ),
        (lambda: nd.contrib.cond(nd.ones(2), lambda: 1, lambda: 2), r"pred: .* got shape \(2,\)"),
        (
            lambda: nd.contrib.while_loop(lambda a: a < 9, lambda a: (a, a), nd.ones(1), []),
            r"Cannot convert max_iteration to python int: got \[\]",
        ),
    ],
)
def test_wrong_call(call, message):
    with pytest.raises(MXNetError, match=message):
        call()


def evaluated(result, **arrays):
    return sym.Group([s for s in result if isinstance(s, sym.Symbol)]).eval(
        **{k: nd.array(v) for k, v in arrays.items()}
    )


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (
            lambda: evaluated(
                sym.contrib.foreach(lambda x, s: (x, sym.concat(s, s, dim=0)), A, B), a=np.ones((3, 2)), b=np.ones(2)
            ),
            r"_foreach.*state 0 changes its shape: expected \(2,\), got \(4,\) after a step",
        ),
        (
            lambda: evaluated(
                sym.contrib.foreach(lambda x, s: (x[0] + x[1], []), [A, B], []), a=np.ones((3, 2)), b=np.ones((4, 2))
            ),
            r"data differs in length: .* got \(3, 2\), \(4, 2\)",
        ),
        (
            lambda: evaluated([sym.contrib.cond(A, lambda: B, lambda: B * 2)], a=np.ones(2), b=np.ones(2)),
            r"_cond: the condition is no scalar: .* got shape \(2,\)",
        ),
        (
            lambda: sym.contrib.cond(A, lambda: B * 1, lambda: sym.concat(B, B, dim=0)).infer_shape(a=(1,), b=(2,)),
            r"output 0 of \(2,\) torch.float32 and \(4,\)",
        ),
    ],
)
def test_what_does_not_fit_is_found_when_it_runs(run, message):
    with pytest.raises(MXNetError, match=message):
        run()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"remain_locs": "[1]"', '"remain_locs": "[7]"', r"inputs of the body are not all told"),
        (
            '"num_outputs": "2"',
            '"num_outputs": "3"',
            r"subgraph `body` does not fit: expected 3 inputs and 3 outputs, got 3 and 2",
        ),
        ('"name": "w", \n              "inputs"', '"name": "data-0", \n              "inputs"', r"share a name"),
        ('"subgraphs"', '"control_deps": [], "subgraphs"', None),
    ],
)
def test_damaged_text_is_refused(old, new, message):
    data, start, w = (sym.var(n) for n in ("data", "start", "w"))
    out, _ = sym.contrib.foreach(lambda x, s: (x * w + s, s * 2), data, start)
    text = out.tojson()
    assert old in text
    if message is None:
        assert sym.load_json(text.replace(old, new)).tojson() == text
        return
    with pytest.raises(FormatError, match=message):
        sym.load_json(text.replace(old, new))
