"""What the proof of an export tells from rounding, and what it does not let pass."""

import json

import numpy as np
import onnx
import pytest
from gluonnx_runtime import Session
from onnx import numpy_helper

import gluonnx as mx
from gluonnx.errors import ExportError
from gluonnx.gluon import nn
from gluonnx.onnx import replay
from gluonnx.onnx.check import LARGEST_BOUND, TOLERANCE, allowed_difference, difference, distance, prove
from gluonnx.onnx.exact import compute_exactly, measure_rounding
from gluonnx.onnx.export import ReferenceGraph
from gluonnx.onnx.lowering import lower
from gluonnx.onnx.proof import PROOF_KEY

DEPTH = 24


class Deep(mx.gluon.HybridBlock):
    """Convolutions with normalizations, one after the other; `rare` makes a score that is nearly 0 everywhere."""

    def __init__(self, *, rare, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.body = nn.HybridSequential(prefix="body_")
            with self.body.name_scope():
                for _ in range(DEPTH):
                    self.body.add(nn.Conv2D(8, 3, padding=1, in_channels=8, use_bias=False))
                    self.body.add(nn.BatchNorm(in_channels=8, epsilon=1e-5), nn.Activation("relu"))
            self.head = nn.Conv2D(1, 1, in_channels=8)
        self.rare = rare

    def hybrid_forward(self, F, x):
        x = self.head(self.body(x))
        return F.sigmoid(x * 20 - 12) if self.rare else x


@pytest.fixture(scope="module", params=[False, True], ids=["scores", "rare"])
def deep(request):
    """Heads, parameters and lowered model of a deep net."""
    random = np.random.default_rng(5)
    with mx.name.NameManager():
        net = Deep(rare=request.param, prefix="deep_")
    net.initialize()
    for name, param in net.collect_params().items():
        if "running_var" in name or "gamma" in name:
            values = random.uniform(0.5, 1.5, param.shape)
        else:
            values = random.standard_normal(param.shape) * (np.sqrt(2 / 72) if "conv" in name else 0.1)
        param.set_data(mx.nd.array(values))
    symbol = net(mx.sym.var("data"))
    params = {n: p.data().asnumpy() for n, p in net.collect_params().items()}
    model = lower(symbol._heads, ["data"], [(1, 8, 10, 10)], ["float32"], params)
    return symbol._heads, model, request.param


def graph_of(deep, model=None):
    heads, lowered, _ = deep
    return ReferenceGraph(heads, model or lowered, [(1, 8, 10, 10)], ["float32"])


def proven(deep, model=None, session=None):
    graph = graph_of(deep)
    prove(model or deep[1], graph.reference, graph.specs, exact=graph.exact, session=session)


def changed(deep, edit):
    """A session on the model after an edit of it."""
    model = onnx.load_model_from_string(deep[1].serialize())
    edit(model)
    return Session(model.SerializeToString(), device="cpu")


def nodes(model, op_type):
    return [n for n in model.graph.node if n.op_type == op_type]


def attribute(node, name):
    return next(a for a in node.attribute if a.name == name)


def epsilon(model):
    for node in nodes(model, "BatchNormalization"):
        attribute(node, "epsilon").f = 1e-3


def epsilon_of_one(model):
    attribute(nodes(model, "BatchNormalization")[DEPTH // 2], "epsilon").f = 1e-3


def padding(model):
    attribute(nodes(model, "Conv")[DEPTH // 2], "pads").ints[:] = [0, 1, 2, 1]


def dilation(model):
    node = nodes(model, "Conv")[DEPTH // 2]
    attribute(node, "pads").ints[:] = [2, 2, 2, 2]
    attribute(node, "dilations").ints[:] = [2, 2]


def swapped(model):
    first, second = nodes(model, "Conv")[3:5]
    first.input[1], second.input[1] = second.input[1], first.input[1]


def statistics(model):
    node = nodes(model, "BatchNormalization")[7]
    node.input[3], node.input[2] = node.input[2], node.input[3]


def activation(model):
    node = nodes(model, "Relu")[-1]
    node.op_type = "LeakyRelu"


def weight(model):
    tensor = next(t for t in model.graph.initializer if "conv5_weight" in t.name)
    values = numpy_helper.to_array(tensor).copy()
    values[0, 0] = np.roll(values[0, 0], 1, axis=0)
    tensor.raw_data = values.tobytes()


def test_a_deep_net_passes(deep):
    proven(deep)


def test_rounding_beyond_the_tolerance_is_measured(deep):
    graph = graph_of(deep)
    inputs = [np.random.default_rng(0).uniform(-1, 1, (2, 8, 10, 10)).astype(np.float32)]
    exact, rounding = graph.exact(inputs)
    (wanted,), got = graph.reference(inputs), Session(deep[1].serialize(), device="cpu").run({"data": inputs[0]})
    scale = np.abs(exact[0]).max()
    allowed = allowed_difference("float32", exact[0], rounding[0])
    for output in (wanted, next(iter(got.values()))):
        assert np.abs(output - exact[0]).max() <= allowed <= LARGEST_BOUND * scale
    if deep[2]:  # a logistic function of a large negative number: half of a rounding error of 1
        assert difference(next(iter(got.values())), wanted).startswith("largest difference")
        assert allowed > 100 * TOLERANCE["float32"] * scale
    else:
        assert TOLERANCE["float32"] * scale < allowed < 3 * TOLERANCE["float32"] * scale


@pytest.mark.parametrize("defect", [epsilon, padding, dilation, swapped, statistics, activation, weight])
def test_a_defect_in_a_deep_net_is_no_rounding(defect, deep):
    with pytest.raises(ExportError, match=r"the ONNX model computes something else: output `deep_\w+` at batch size 1"):
        proven(deep, session=changed(deep, defect))


@pytest.mark.parametrize("deep", [False], indirect=True)
def test_one_wrong_epsilon_among_many_is_no_rounding(deep):
    with pytest.raises(ExportError, match=r"largest difference .*, tolerance"):
        proven(deep, session=changed(deep, epsilon_of_one))


def test_the_record_tells_the_bound_and_a_replay_holds_to_it(deep, tmp_path):
    from gluonnx.onnx import export_graph

    path = tmp_path / "deep.onnx"
    heads, lowered, is_rare = deep
    params = {**lowered.weights, **lowered.unused}
    export_graph(path, heads, ["data"], [(1, 8, 10, 10)], ["float32"], params)
    (output,) = json.loads(Session(path, device="cpu").metadata[PROOF_KEY])["outputs"]
    assert output["bound"] > TOLERANCE["float32"] * output["largest"]
    assert (output["bound"] > 5e-4 * output["largest"]) is is_rare
    replay(path)
    for defect in (padding, swapped, weight):
        model = onnx.load(path)
        defect(model)
        with pytest.raises(ExportError, match=r"the proof fails: output `deep_\w+`: expected .*, got .* \(tolerance"):
            replay(model.SerializeToString())


def test_small_outputs_are_compared_by_their_own_size():
    data, weight = mx.sym.var("data"), mx.sym.var("weight")
    symbol = mx.sym.FullyConnected(data, weight, num_hidden=3, no_bias=True, name="fc")
    params = {"weight": np.full((3, 4), 1e-9, np.float32) * np.arange(1, 5, dtype=np.float32)}
    model = lower(symbol._heads, ["data"], [(2, 4)], ["float32"], params)
    graph = ReferenceGraph(symbol._heads, model, [(2, 4)], ["float32"])
    wrong = lower(symbol._heads, ["data"], [(2, 4)], ["float32"], {"weight": params["weight"] * np.float32(1.001)})
    prove(model, graph.reference, graph.specs, exact=graph.exact)
    with pytest.raises(ExportError, match=r"largest difference \S+e-1\d, tolerance \S+e-1\d"):
        prove(wrong, graph.reference, graph.specs, exact=graph.exact)


def test_an_output_that_rounding_hides_is_refused_and_one_of_nothing_is_not():
    data = mx.sym.var("data")
    params = {"weight": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)}
    scores = mx.sym.FullyConnected(data, mx.sym.var("weight"), num_hidden=3, no_bias=True, name="fc")
    flat = mx.sym.sigmoid(scores * 0.01 - 12, name="flat")
    model = lower(flat._heads, ["data"], [(2, 4)], ["float32"], params)
    graph = ReferenceGraph(flat._heads, model, [(2, 4)], ["float32"])
    with pytest.raises(
        ExportError, match=r"rounding alone moves it by 2.\d+e-07, which is more .*: pass `sample_inputs`"
    ):
        prove(model, graph.reference, graph.specs, exact=graph.exact)
    nothing = mx.sym.broadcast_sub(mx.sym.sum(mx.sym.softmax(scores), axis=1, keepdims=True), mx.sym.ones((1, 1)))
    model = lower(nothing._heads, ["data"], [(2, 4)], ["float32"], params)
    graph = ReferenceGraph(nothing._heads, model, [(2, 4)], ["float32"])
    prove(model, graph.reference, graph.specs, exact=graph.exact)


def test_half_floats_inside_a_net_of_float32(tmp_path):
    class Mixed(mx.gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.inner = nn.HybridSequential()
                for _ in range(4):
                    self.inner.add(nn.Dense(16, in_units=16, activation="tanh"))

        def hybrid_forward(self, F, x):
            return F.cast(self.inner(F.cast(x, dtype="float16")), dtype="float32")

    net = Mixed()
    mx.random.seed(2)
    net.initialize(mx.init.Xavier())
    net.inner.cast("float16")
    net.hybridize()
    net(mx.nd.ones((2, 16)))
    path = net.export(tmp_path / "net")[2]
    (output,) = json.loads(Session(path, device="cpu").metadata[PROOF_KEY])["outputs"]
    assert output["dtype"] == "float32"
    assert 1e-4 < output["bound"] / output["largest"] < LARGEST_BOUND  # float16's rounding, not float32's
    replay(path)


def test_rounding_of_a_known_graph():
    x = mx.sym.var("x")
    values = {"x": np.array([1.0, -2.0, 3.0], np.float32)}
    for symbol, expected in (
        (x * 3, 4 * 9 * 2.0**-24),
        ((x * 3).reshape((3, 1)), 4 * 9 * 2.0**-24),  # only moves values
        (mx.sym.sigmoid(x - 20), 4 * 2.0**-24),  # relative to 1, not to the largest
    ):
        exact = compute_exactly(symbol._heads, values)
        assert measure_rounding(symbol._heads, values, exact) == pytest.approx([expected], rel=1e-3)
    assert measure_rounding(x._heads, values, [np.array([1.0, -2.0, 3.0])]) == [0]


def test_rounding_of_loops_and_of_jumps():
    data, state = mx.sym.var("data"), mx.sym.var("state")
    out, _ = mx.sym.contrib.foreach(lambda d, s: (d + s * 2, d + s * 2), data, state)
    values = {"data": np.ones((6, 2), np.float32), "state": np.zeros(2, np.float32)}
    exact = compute_exactly(out._heads, values)
    (found,) = measure_rounding(out._heads, values, exact)
    assert 4 * 63 * 2.0**-24 < found < 30 * 63 * 2.0**-24  # every step's, doubled by the next ones
    jump = mx.sym.broadcast_mul(mx.sym.floor(data * 1.0), data)
    exact = compute_exactly(jump._heads, {"data": values["data"]})
    (found,) = measure_rounding(jump._heads, {"data": values["data"]}, exact)
    assert found >= 1 - 1e-6
    assert allowed_difference("float32", exact[0], found) == TOLERANCE["float32"]  # no excuse


@pytest.mark.parametrize(
    ("got", "allowed", "fault"),
    [
        ([1.0, 2.0], 0.0, None),
        ([1.5, 2.0], 0.4, "largest difference 0.5, tolerance 0.4"),
        ([np.nan, 2.0], 0.4, "largest difference nan, tolerance 0.4"),
        ([1.0], 1.0, r"expected (2,), got (1,)"),
    ],
)
def test_distances(got, allowed, fault):
    assert distance(np.array(got, np.float32), np.array([1.0, 2.0]), allowed) == fault


def test_distances_of_infinity():
    exact = np.array([np.inf, 2.0])
    assert distance(np.array([np.inf, 2.0], np.float32), exact, 0.0) is None
    assert "NaN and infinity in the same places" in distance(np.array([1.0, 2.0], np.float32), exact, 1.0)
    assert allowed_difference("float32", np.array([np.nan]), np.inf) < 1e-40
