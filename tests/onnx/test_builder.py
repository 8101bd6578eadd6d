"""The graph builder that lowerings speak to."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from gluonnx.errors import LoweringError
from gluonnx.onnx.builder import IR_VERSION, OPSET, GraphValue, ModelBuilder
from gluonnx.ops.dtypes import DTYPES


def batched(g, name="x", tail=(6,), dtype="float32"):
    return g.variable(name, dtype, ((3, *tail), (5, *tail)))


def run(g, inputs, outputs, feeds):
    graph = g.graph("test", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return model, session.run(None, feeds)


@pytest.fixture
def g():
    return ModelBuilder((3, 5), ["x", "y"])


def test_dims_are_none_where_they_vary_with_the_batch(g):
    x = batched(g, tail=(2, 3))
    flat = g.op("Flatten", x, axis=1)
    assert g.dims(flat) == (None, 6)
    assert g.dims(g.op("Flatten", x, axis=0)) == (1, None)
    assert g.dims(g.op("Transpose", x, perm=[1, 0, 2])) == (2, None, 3)
    assert g.rank(flat) == 2


def test_inner_values_are_inferred_through_shape_arithmetic(g):
    x = batched(g, tail=(2, 3))
    batch = g.op("Gather", g.shape(x), g.ints([0]))
    target = g.op("Concat", batch, g.ints([3, 2]), axis=0)
    assert g.dims(g.op("Reshape", x, target)) == (None, 3, 2)
    doubled = g.op("Mul", batch, g.ints([2]))
    spread = g.op("Reshape", x, g.op("Concat", doubled, g.ints([3]), axis=0))
    assert g.dims(spread) == (None, 3)
    y = spread
    y.name = "y"
    model, (got,) = run(g, [x], [y], {"x": np.arange(24, dtype=np.float32).reshape(4, 2, 3)})
    np.testing.assert_array_equal(got, np.arange(24, dtype=np.float32).reshape(8, 3))
    dims = model.graph.output[0].type.tensor_type.shape.dim
    assert not dims[0].HasField("dim_param")
    assert not dims[0].HasField("dim_value")
    assert dims[1].dim_value == 3


def test_dtypes_of_inner_values(g):
    x = batched(g)
    assert g.dtype(g.op("Equal", x, g.scalar(0.0, x))) == "bool"
    assert g.dtype(g.op("ArgMax", x, axis=1)) == "int64"
    values, indices = g.op_outputs("TopK", 2, x, g.ints([2]), axis=1)
    assert (g.dtype(values), g.dtype(indices), g.dims(indices)) == ("float32", "int64", (None, 2))


def test_cast_to_the_same_dtype_adds_nothing(g):
    x = batched(g)
    assert g.cast(x, "float32") is x
    assert g.dtype(g.cast(x, "float16")) == "float16"


def test_shape_is_constant_where_nothing_varies(g):
    x = g.variable("x", "float32", ((2, 3), (2, 3)))
    np.testing.assert_array_equal(g.constant_value(g.shape(x)), [2, 3])
    assert g.constant_value(g.shape(batched(g))) is None


def test_equal_constants_are_one(g):
    assert g.const([1.0, 2.0]) is g.const(np.array([1, 2], np.float32))
    assert g.const([1, 2]) is not g.const([1.0, 2.0])
    assert g.const([1, 2]) is not g.const([[1, 2]])
    assert g.dtype(g.const([1, 2])) == "int64"
    assert g.dtype(g.const(True)) == "bool"
    assert g.dtype(g.const([1.5])) == "float32"
    assert g.dtype(g.const(np.array([1.5]))) == "float64"
    assert g.dims(g.const(3.0)) == ()


@pytest.mark.parametrize("dtype", [d.name for d in DTYPES])
def test_constants_of_every_dtype_keep_their_value(g, dtype):
    value = g.const([[0, 1], [3, 1]], dtype)
    value.name = "y"
    out = g.op("Identity", value)
    out.name = "out"
    graph = g.graph("test", [], [out])
    read = onnx.numpy_helper.to_array(graph.initializer[0])
    assert g.dtype(value) == dtype
    np.testing.assert_array_equal(read.astype(np.float64), g.constant_value(value).astype(np.float64))


def test_big_endian_and_strided_arrays_become_constants(g):
    a = np.arange(12, dtype=">f4").reshape(3, 4).T
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(_as_initializer(g, g.const(a))), a)


def _as_initializer(g, value):
    out = g.op("Identity", value)
    return g.graph("test", [], [out]).initializer[0]


def test_names_follow_the_node_and_count(g):
    x = batched(g)
    with g.scope("dense0"):
        first = g.op("Relu", x)
        second = g.op("Relu", first)
        two = g.op_outputs("Split", 2, second, num_outputs=2, axis=1)
    assert [v.final_name for v in (first, second, *two)] == [
        "dense0/Relu",
        "dense0/Relu_1",
        "dense0/Split:0",
        "dense0/Split:1",
    ]


def test_dead_nodes_and_constants_are_dropped(g):
    x = batched(g)
    g.op("Add", x, g.const([7.0]))
    y = g.op("Mul", x, g.const([2.0]))
    graph = g.graph("test", [x], [y])
    assert [n.op_type for n in graph.node] == ["Mul"]
    assert len(graph.initializer) == 1


def test_attributes_take_the_type_of_the_schema(g):
    x = batched(g)
    y = g.op("LeakyRelu", x, alpha=1)
    assert y.call.attributes[0].type == onnx.AttributeProto.FLOAT
    assert g.op("Flatten", x, axis=None).call.attributes == ()


def test_errors_in_lowerings(g):
    x = batched(g)
    with pytest.raises(TypeError, match="no operator 'Nonsense'"):
        g.op("Nonsense", x)
    with pytest.raises(TypeError, match="has no attribute 'beta'"):
        g.op("LeakyRelu", x, beta=1.0)
    with pytest.raises(TypeError, match="expected values of the graph"):
        g.op("Relu", 3.0)
    bad = g.op("MatMul", x, g.const(np.zeros((4, 2), np.float32)))
    with pytest.raises(
        LoweringError, match=r"MatMul `graph/MatMul`: does not take inputs of shapes \(3, 6\), \(4, 2\)"
    ):
        g.dims(bad)


def test_a_rank_that_varies_with_the_batch_is_refused(g):
    x = GraphValue("x", dtype="float32", shapes=((3,), (3, 1)))
    with pytest.raises(LoweringError, match=r"rank depends on the batch size: \(3,\) and \(3, 1\)"):
        g.rank(x)
