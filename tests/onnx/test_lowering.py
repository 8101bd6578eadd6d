"""Graphs of operators to ONNX models."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from handmade import call, declare, dense, evaluate, numbers, var

from gluonnx.errors import FixedBatchError, GraphError, InputError, LoweringError, ParameterError
from gluonnx.onnx.lowering import lower


def run(model, feeds):
    onnx.checker.check_model(model.serialize(), full_check=True)
    session = onnxruntime.InferenceSession(model.serialize(), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == [*model.input_names, *model.live_names]
    assert [o.name for o in session.get_outputs()] == list(model.output_names)
    return session.run(None, feeds)


def test_mlp_computes_the_same_at_every_batch_size(mlp):
    heads, params = mlp
    model = lower(heads, ["data"], [(2, 4)], ["float32"], params)
    assert model.is_batch_dynamic
    assert model.output_names == ("fc2_output",)
    assert [n.name for n in model.proto.graph.node] == ["fc1/Gemm", "fc2/Gemm"]
    assert [n.output[0] for n in model.proto.graph.node] == ["fc1_output", "fc2_output"]
    dims = model.proto.graph.input[0].type.tensor_type.shape.dim
    assert (dims[0].dim_param, dims[1].dim_value) == ("batch", 4)
    for batch in (1, 2, 7):
        x = numbers(batch, data=(batch, 4))
        (expected,) = evaluate(heads, {**params, **x})
        (got,) = run(model, x)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_dtypes(mlp, dtype):
    heads, params = mlp
    params = {k: v.astype(dtype) for k, v in params.items()}
    x = numbers(3, data=(2, 4))["data"].astype(dtype)
    model = lower(heads, ["data"], [(2, 4)], [dtype], params)
    (expected,) = evaluate(heads, {**params, "data": x})
    (got,) = run(model, {"data": x})
    assert got.dtype == expected.dtype == np.dtype(dtype)
    np.testing.assert_allclose(got, expected, rtol={"float16": 1e-2}.get(dtype, 1e-5))


def test_torch_parameters_are_borrowed_not_copied(mlp):
    heads, params = mlp
    tensors = {k: torch.from_numpy(v.copy()).requires_grad_() for k, v in params.items()}
    model = lower(heads, ["data"], [(2, 4)], ["float32"], tensors)
    assert set(model.weights) == set(params)
    for name, array in model.weights.items():
        assert array.ctypes.data == tensors[name].data_ptr()
    x = numbers(1, data=(3, 4))
    np.testing.assert_allclose(run(model, x)[0], evaluate(heads, {**params, **x})[0], rtol=1e-5, atol=1e-6)


def test_bytes_are_what_protobuf_serializes(mlp):
    heads, params = mlp
    model = lower(heads, ["data"], [(2, 4)], ["float32"], params).with_metadata({"b": "2", "a": "1" * 300})
    data = model.serialize()
    parsed = onnx.load_model_from_string(data)
    assert parsed.SerializeToString(deterministic=True) == data
    assert [i.name for i in parsed.graph.initializer] == list(params)
    for tensor in parsed.graph.initializer:
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), params[tensor.name])
    assert [(p.key, p.value) for p in parsed.metadata_props] == [("a", "1" * 300), ("b", "2")]


def test_live_parameters_are_inputs(mlp):
    heads, params = mlp
    model = lower(heads, ["data"], [(2, 4)], ["float32"], params, live_parameters=True)
    assert model.input_names == ("data",)
    assert model.live_names == ("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias")
    assert not model.weights
    x = numbers(1, data=(3, 4))
    np.testing.assert_allclose(
        run(model, {**x, **params})[0], evaluate(heads, {**params, **x})[0], rtol=1e-5, atol=1e-6
    )


def test_fixed_batch(mlp):
    heads, params = mlp
    model = lower(heads, ["data"], [(2, 4)], ["float32"], params, dynamic_batch=False)
    assert not model.is_batch_dynamic
    assert [d.dim_value for d in model.proto.graph.input[0].type.tensor_type.shape.dim] == [2, 4]
    assert [d.dim_value for d in model.proto.graph.output[0].type.tensor_type.shape.dim] == [2, 3]


def test_output_names_and_heads_that_need_a_node(mlp):
    heads, params = mlp
    fc1 = heads[0][0].inputs[0][0]
    data = fc1.inputs[0][0]
    bias = fc1.inputs[2][0]
    all_heads = [heads[0], (fc1, 0), heads[0], (data, 0), (bias, 0)]
    model = lower(all_heads, ["data"], [(2, 4)], ["float32"], params)
    assert model.output_names == ("fc2_output", "fc1_output", "fc2_output_1", "data_output", "fc1_bias_output")
    x = numbers(1, data=(3, 4))
    got = run(model, x)
    for a, b in zip(got, evaluate(all_heads, {**params, **x}), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    named = lower(heads, ["data"], [(2, 4)], ["float32"], params, output_names=["y"])
    assert named.output_names == ("y",)
    run(named, x)


def test_inputs_that_nobody_reads_stay_inputs(mlp):
    heads, params = mlp
    model = lower(heads, ["data", "extra"], [(2, 4), (2, 9)], ["float32", "int32"], params)
    assert model.input_names == ("data", "extra")
    run(model, {**numbers(1, data=(5, 4)), "extra": np.zeros((5, 9), np.int32)})


def test_duplicate_node_names_get_numbers():
    first = dense("fc", var("data"), 4, no_bias=True)
    second = call("FullyConnected", "fc", first, var("w2"), num_hidden=2, no_bias=True)
    model = lower([(second, 0)], ["data"], [(2, 3)], ["float32"], numbers(0, fc_weight=(4, 3), w2=(2, 4)))
    assert [n.name for n in model.proto.graph.node] == ["fc/Gemm", "fc/Gemm_1"]
    assert [n.output[0] for n in model.proto.graph.node] == ["fc_output", "fc_output_1"]
    assert model.output_names == ("fc_output_1",)
    onnx.checker.check_model(model.serialize(), full_check=True)


def test_every_operator_that_cannot_be_lowered_is_named(scratch):
    def identity(data):
        return data.clone()

    declare("_test_one", identity).no_onnx("it reads minds")
    declare("_test_two", identity, source="x")
    a = call("_test_one", "one0", var("data"))
    b = call("_test_two", "two0", a)
    c = dense("fc", b, 2, no_bias=True)
    dead = call("_test_one", "dead0", var("data"))
    with pytest.raises(LoweringError) as info:
        lower([(c, 0)], ["data"], [(2, 3)], ["float32"], numbers(0, fc_weight=(2, 3)), name="mynet")
    assert str(info.value).splitlines() == [
        "mynet: 2 operators have no ONNX form:",
        "  _test_one `one0`: _test_one: has no ONNX form: it reads minds.",
        "  _test_two `two0`: _test_two: has no ONNX form: no lowering is declared.",
    ]
    assert dead.name not in str(info.value)
    with pytest.raises(LoweringError, match="_test_one `one0`"):
        lower([(a, 0), (a, 0)], ["data"], [(2, 3)], ["float32"], {})


def test_what_outputs_do_not_need_need_not_be_lowered_nor_given(scratch):
    declare("_test_no", lambda data: data.clone()).no_onnx("no")

    def loss(data, label):
        return data * 2

    op = declare("_test_loss", loss, lambda g, data, label: g.op("Mul", data, g.scalar(2, data)))
    op.parameters(lambda data: {"label": data[:1]})
    net = call("_test_loss", "loss0", var("data"), var("label"))
    model = lower([(net, 0)], ["data"], [(2, 3)], ["float32"], {})
    assert model.input_names == ("data",)
    x = numbers(0, data=(7, 3))
    np.testing.assert_allclose(run(model, x)[0], x["data"] * 2)
    behind = call("_test_loss", "loss0", var("data"), call("_test_no", "no0", var("data2")))
    model = lower([(behind, 0)], ["data", "data2"], [(2, 3), (2, 3)], ["float32"] * 2, {})
    run(model, {**x, "data2": x["data"]})


def test_outputs_that_a_lowering_leaves_out(scratch):
    def two(data):
        return data + 1, data + 2

    declare("_test_hidden", two, lambda g, data: g.op("Add", data, g.scalar(1, data)), outputs="output mean", visible=1)
    node = call("_test_hidden", "bn0", var("data"))
    model = lower([(node, 0)], ["data"], [(2, 3)], ["float32"], {})
    assert run(model, {"data": np.zeros((4, 3), np.float32)})[0].max() == 1
    with pytest.raises(LoweringError, match=r"_test_hidden `bn0`: has no ONNX form for its outputs mean"):
        lower([(node, 0), (node, 1)], ["data"], [(2, 3)], ["float32"], {})


def test_a_lowering_that_passes_its_input_through_keeps_names(scratch):
    declare("_test_pass", lambda data: data.clone(), lambda g, data: data)
    fc = dense("fc", var("data"), 2, no_bias=True)
    out = call("_test_pass", "drop0", fc)
    model = lower([(out, 0)], ["data"], [(2, 3)], ["float32"], numbers(0, fc_weight=(2, 3)))
    assert model.output_names == ("drop0_output",)
    assert [n.op_type for n in model.proto.graph.node] == ["Gemm"]
    straight = call("_test_pass", "drop0", var("data"))
    model = lower([(straight, 0)], ["data"], [(2, 3)], ["float32"], {})
    assert [n.op_type for n in model.proto.graph.node] == ["Identity"]


def test_a_lowering_with_the_wrong_shape_is_refused(scratch):
    declare("_test_sum", lambda data: data.sum(1), lambda g, data: data)
    with pytest.raises(
        LoweringError, match=r"_test_sum `s0`: the lowering is wrong: expected output 0 of float32 \(2,\)"
    ):
        lower([(call("_test_sum", "s0", var("data")), 0)], ["data"], [(2, 3)], ["float32"], {})


def test_a_bug_in_a_lowering_names_the_node(scratch):
    declare("_test_bug", lambda data: data + 1, lambda g, data: g.op("Relu", data, alpha=1))
    with pytest.raises(TypeError) as info:
        lower([(call("_test_bug", "b0", var("data")), 0)], ["data"], [(2, 3)], ["float32"], {})
    assert info.value.__notes__ == ["while lowering _test_bug `b0`"]


def test_a_fixed_batch_axis_is_reported_with_the_node(scratch):
    declare("_test_fixed", lambda data: data.reshape(2, 3), lambda g, data: data)
    net = [(call("_test_fixed", "reshape0", var("data")), 0)]
    with pytest.raises(
        FixedBatchError, match=r"net: the batch axis is fixed: .* takes 2 and not 11: _test_fixed `reshape0`"
    ):
        lower(net, ["data"], [(2, 3)], ["float32"], {})
    assert not lower(net, ["data"], [(2, 3)], ["float32"], {}, dynamic_batch=False).is_batch_dynamic
    declare("_test_squeeze", lambda data: data.squeeze(), lambda g, data: data)
    net = [(call("_test_squeeze", "squeeze0", var("data")), 0)]
    with pytest.raises(
        FixedBatchError, match=r"_test_squeeze `squeeze0` to give the same rank .* \(3,\) and \(11, 3\)"
    ):
        lower(net, ["data"], [(1, 3)], ["float32"], {})


def test_dims_inside_a_lowering(scratch):
    seen = []

    def lowering(g, data):
        seen.append((g.dims(data), g.constant_value(data)))
        return g.op("Relu", data)

    declare("_test_see", lambda data: data.relu(), lowering)
    net = [(call("_test_see", "s0", var("data")), 0)]
    lower(net, ["data"], [(2, 11)], ["float32"], {})
    lower(net, ["data"], [(2, 11)], ["float32"], {}, dynamic_batch=False)
    lower(net, ["x"], [(2,)], ["float32"], {"data": np.ones((2, 11), np.float32)})
    lower(net, ["x"], [(2,)], ["float32"], {"data": np.ones((2, 11), np.float32)}, live_parameters=True)
    assert [s[0] for s in seen] == [(None, 11), (2, 11), (2, 11), (2, 11)]
    assert [s[1] is None for s in seen] == [True, True, False, True]


def test_unused_parameters_are_kept_aside(scratch):
    op = declare(
        "_test_gamma", lambda data, gamma: data + 1, lambda g, data, gamma: g.op("Add", data, g.scalar(1, data))
    )
    op.parameters(lambda data: {"gamma": data[1:]})
    net = [(call("_test_gamma", "bn0", var("data"), var("bn0_gamma")), 0)]
    gamma = np.full((3,), 5, np.float32)
    model = lower(net, ["data"], [(2, 3)], ["float32"], {"bn0_gamma": gamma})
    assert (list(model.weights), list(model.unused)) == ([], ["bn0_gamma"])
    assert [i.name for i in onnx.load_model_from_string(model.serialize()).graph.initializer] == ["constant"]


def test_errors(mlp):
    heads, params = mlp
    given = (["data"], [(2, 4)], ["float32"])
    with pytest.raises(
        ParameterError, match=r"net: parameters missing: .* got none for fc2_weight, fc2_bias\. Pass them"
    ):
        lower(heads, *given, {k: v for k, v in params.items() if k.startswith("fc1")})
    with pytest.raises(GraphError, match=r"both input and parameter: .* got fc1_bias"):
        lower(heads, ["data", "fc1_bias"], [(2, 4), (5,)], ["float32"] * 2, params)
    with pytest.raises(GraphError, match=r"wrong number of output names: expected 1, got 2"):
        lower(heads, *given, params, output_names=["a", "b"])
    with pytest.raises(GraphError, match=r"output names clash: .* got data"):
        lower(heads, *given, params, output_names=["data"])
    with pytest.raises(GraphError, match=r"input names repeat: .* got data, data"):
        lower(heads, ["data", "data"], [(2, 4)] * 2, ["float32"] * 2, params)
    with pytest.raises(InputError, match=r"FullyConnected `fc1`: does not take inputs of shapes \(2, 7\), \(5, 4\)"):
        lower(heads, ["data"], [(2, 7)], ["float32"], params)
    with pytest.raises(InputError, match=r"parameter `fc1_bias`: not an array: .* got list"):
        lower(heads, *given, {**params, "fc1_bias": [1.0] * 5})
    with pytest.raises(InputError, match=r"parameter `fc1_bias`: unknown dtype: .* got dtype=complex64"):
        lower(heads, *given, {**params, "fc1_bias": np.ones(5, np.complex64)})
    twice = call("FullyConnected", "fc", var("data"), var("data"), num_hidden=2, no_bias=True)
    with pytest.raises(GraphError, match=r"variables share a name: expected unique names, got twice data"):
        lower([(twice, 0)], *given, {})
    with pytest.raises(GraphError, match=r"shape of variable `data` unknown"):
        lower(heads, ["other"], [(2, 4)], ["float32"], {})


DETERMINISM = """
import hashlib, sys
sys.path[:0] = {paths!r}
import handmade
from gluonnx.onnx.lowering import lower
heads, params = handmade.mlp()
model = lower(heads, ["data"], [(2, 4)], ["float32"], params).with_metadata({{"b": "1", "a": "2"}})
print(hashlib.sha256(model.serialize()).hexdigest())
"""


def test_bytes_do_not_depend_on_the_process():
    root = Path(__file__).parents[2]
    code = DETERMINISM.format(paths=[str(root), str(root / "runtime"), str(root / "tests")])
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64
