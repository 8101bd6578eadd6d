"""Where an ONNX operator is lifted, real MXNet 1.9.1 gives what ONNX Runtime gives; so do both of our executors."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from gluonnx_runtime import Session
from lifted_cases import MODELS, expected_of, inputs_of, model_of, write
from onnx import parser

import gluonnx as mx
from gluonnx import autograd
from gluonnx.gluon import SymbolBlock, Trainer
from gluonnx.onnx import lift
from gluonnx.onnx.lift.folding import fold
from gluonnx.onnx.lift.reading import prepare
from gluonnx.onnx.lift.rules import RULES
from gluonnx.onnx.lift.sizes import Size, differ, divide
from gluonnx.symbol.symbol import Symbol

MXNET = os.environ.get("GLUONNX_MXNET_PYTHON")
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def recorded():
    with np.load(GOLDEN / "lifting.npz") as file:
        found = {name: file[name] for name in file.files}
    return found | {f"{n}/graph": g for n, g in zip(found["names"].tolist(), found["graphs"], strict=True)}


@pytest.mark.parametrize("name", list(MODELS))
def test_mxnet_gives_what_onnx_runtime_gives(name, recorded, tmp_path):
    model = model_of(name)
    expected = expected_of(model)
    lifted = lift(onnx.ModelProto.FromString(model.SerializeToString()), name)
    assert lifted.kept == {}
    digest = hashlib.sha256(Symbol(lifted.heads).tojson().encode()).digest()
    assert recorded[f"{name}/graph"].tobytes() == digest, "another graph: record MXNet's answers again"
    onnx.save(model, tmp_path / "net.onnx")
    net = SymbolBlock.imports(tmp_path / "net.onnx")
    data = [mx.nd.array(a, dtype=a.dtype) for a in inputs_of(model).values()]
    for is_hybrid in (False, True):
        if is_hybrid:
            net.hybridize()
        outputs = net(*data)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        for i, (got, want) in enumerate(zip(outputs, expected, strict=True)):
            for answer in (got.asnumpy(), recorded[f"{name}/{i}"]):
                assert answer.dtype == want.dtype
                np.testing.assert_allclose(answer, want, rtol=1e-5, atol=1e-5)


def test_every_rule_has_a_case():
    used = set()
    for opset, text in MODELS.values():
        graph = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}').graph
        used |= {n.op_type for n in graph.node}
    assert set(RULES) - used == {"CastLike"}  # it becomes a Cast where the dtype is known


@pytest.mark.mxnet
@pytest.mark.skipif(not MXNET, reason="GLUONNX_MXNET_PYTHON names no Python with MXNet 1.9.1")
def test_real_mxnet_runs_what_is_lifted(tmp_path):
    for name in MODELS:
        write(name, tmp_path)
    result = subprocess.run(
        [MXNET, GOLDEN / "check_with_mxnet.py", tmp_path], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


# Recurrent networks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lstm_both_ways", "gru_both_ways", "rnn_relu", "lstm_given_states"])
def test_recurrent_networks_train_and_are_exported_again(name, tmp_path):
    model = model_of(name)
    onnx.save(model, tmp_path / "net.onnx")
    net = SymbolBlock.imports(tmp_path / "net.onnx")
    data = [mx.nd.array(a) for a in inputs_of(model).values()]
    trainer = Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
    losses = []
    for _ in range(3):
        with autograd.record():
            loss = sum(((y - 0.5) ** 2).mean() for y in net(*data))
        loss.backward()
        trainer.step(1)
        losses.append(float(loss.asscalar()))
    assert losses[0] > losses[1] > losses[2]
    net.hybridize()
    expected = [y.asnumpy() for y in net(*data)]
    path = net.export(tmp_path / "again", dynamic_batch=False)[2]
    assert "RNN" in {n["op"] for n in _nodes(tmp_path / "again-symbol.json")}
    feeds = dict(zip([i.name for i in onnx.load(path).graph.input], (d.asnumpy() for d in data), strict=True))
    for got, want in zip(Session(path, device="cpu").run(feeds).values(), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def _nodes(path):
    return json.loads(path.read_text())["nodes"]


@pytest.mark.parametrize(
    ("op", "gates", "attributes", "inputs"),
    [
        ("LSTM", 4, ', activations=["Tanh", "Tanh", "Tanh"]', ""),
        ("LSTM", 4, ", clip=0.5", ""),
        ("LSTM", 4, ", input_forget=1", ""),
        ("LSTM", 4, "", ", , n"),
        ("GRU", 3, "", ""),
        ("GRU", 3, ", linear_before_reset=0", ""),
        ("RNN", 1, ', activations=["Affine"]', ""),
    ],
)
def test_recurrent_networks_that_mxnet_has_not_stay(op, gates, attributes, inputs, tmp_path):
    text = (
        f"g (float[3,2,4] x, int32[2] n, float[1,{gates * 5},4] w, float[1,{gates * 5},5] r) => (float[a,b,c,d] y) "
        f"{{ y = {op}<hidden_size=5{attributes}>(x, w, r{', ' if inputs else ''}{inputs.removeprefix(', ')}) }}"
    )
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 20]>\n{text}')
    random = np.random.default_rng(0)
    for name in "wr":
        info = next(i for i in model.graph.input if i.name == name)
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        array = (random.standard_normal(shape) / 2).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        model.graph.input.remove(info)
    assert lift(onnx.ModelProto.FromString(model.SerializeToString())).kept == {op: 1}


# What a graph computes from its shapes --------------------------------------------------------------------------------


def folded(text, opset=20):
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')
    return fold(prepare(model, "net"))


def test_shapes_of_open_axes_are_followed():
    found = folded(
        "g (float[N,T,8] x) => (float[a,b] y) { s = Shape(x) i = Constant<value_int=1>() t = Gather(s, i) "
        "k = Constant<value_int=2>() two = Mul(t, k) z = Constant<value_ints=[0]>() u = Unsqueeze(two, z) "
        "m = Constant<value_ints=[-1]>() r = Concat<axis=0>(m, u) y = Reshape(x, r) h = Div(two, k) e = Equal(h, t) }"
    )
    n, t = Size.named("N"), Size.named("T")
    assert found.shapes["x"] == (n, t, 8)
    assert found.values["two"].tolist() == 2 * t
    assert found.shapes["y"] == (n * 4, 2 * t)
    assert found.values["e"].tolist() is True


def test_sizes_are_polynomials():
    n, t = Size.named("N"), Size.named("T")
    assert (n + t) * (n - t) == n * n - t * t
    assert repr(2 * n * t + 3) == "3+2*N*T"
    assert n - n == 0
    assert divide(6 * n * t, 2 * t) == 3 * n
    assert divide(n + 1, 2) is None
    assert (divide(-7, 2), divide(7, 0)) == (-3, None)
    assert differ(n, -1)
    assert differ(-1, n)
    assert not differ(n, 1)
    assert not differ(n, t)


def test_what_depends_on_values_stays_open():
    found = folded(
        "g (float[N,3] x) => (float[a,3] y) { z = NonZero(x) s = Shape(z) one = Constant<value_ints=[1]>() "
        "n = Gather(s, one) t = Constant<value_ints=[3]>() c = Concat<axis=0>(n, t) q = ConstantOfShape(c) "
        "y = Concat<axis=0>(x, q) k = Constant<value_ints=[0]>() e = Equal(n, k) }"
    )
    assert "e" not in found.values  # nothing may be found, so no branch is chosen
    assert found.shapes["y"][1] == 3
    assert isinstance(found.shapes["y"][0], Size)


def test_a_branch_is_chosen_only_where_its_condition_is_known():
    text = (
        "g (float[{n},3] x) => (float[a,b] y) {{ s = Shape<start=0, end=1>(x) o = Constant<value_ints=[1]>() "
        "c = Equal(s, o) y = If (c) <then_branch = t () => (float[p,q] a) {{ a = Neg(x) }}, "
        "else_branch = e () => (float[p,q] b) {{ b = Identity(x) }}> }}"
    )
    header = '<ir_version: 8, opset_import: ["" : 20]>\n'
    kept = [lift(parser.parse_model(header + text.format(n=n))).kept for n in "1N"]
    assert kept == [{}, {"Identity": 1, "If": 1, "Neg": 1, "Shape": 1}]


def test_weights_keep_their_names_and_stay_tied():
    text = (
        "g (int64[N,2] x, float[7,4] w, float[4] b) => (float[N,2,7] y) { e = Gather(w, x) t = Transpose(w) "
        "z = Constant<value_ints=[0]>() u = Unsqueeze(b, z) s = Add(e, u) y = MatMul(s, t) }"
    )
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 20]>\n{text}')
    del model.graph.input[1:]
    for name, shape in (("w", (7, 4)), ("b", (4,))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(shape, np.float32), name))
    lifted = lift(model)
    assert (lifted.kept, set(lifted.parameters)) == ({}, {"w", "b"})
