"""Small ONNX models for the runtime's tests."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

WEIGHT = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]], np.float32)
BIAS = np.array([0.5, -0.5, 0.25], np.float32)

Value = tuple[str, int, Sequence[int | str | None]]


def build_model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    initializers: Sequence[TensorProto] = (),
    metadata: dict[str, str] | None = None,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    return model.SerializeToString()


@pytest.fixture
def make_model() -> Callable[..., bytes]:
    return build_model


@pytest.fixture
def gemm() -> bytes:
    """(N, 4) float32 `data` -> (N, 3) `output` = data @ WEIGHT + BIAS."""
    return build_model(
        [helper.make_node("Gemm", ["data", "weight", "bias"], ["output"])],
        [("data", TensorProto.FLOAT, ("batch", 4))],
        [("output", TensorProto.FLOAT, ("batch", 3))],
        [numpy_helper.from_array(WEIGHT, "weight"), numpy_helper.from_array(BIAS, "bias")],
        {"producer": "a test", "note": "größer"},
    )


@pytest.fixture
def gemm_answer() -> Callable[[np.ndarray], np.ndarray]:
    return lambda data: data @ WEIGHT + BIAS


@pytest.fixture
def two_in_two_out() -> bytes:
    """float32 `a`, `b` of (2, N) -> `total` = a + b and bool `is_less` = a < b."""
    return build_model(
        [helper.make_node("Add", ["a", "b"], ["total"]), helper.make_node("Less", ["a", "b"], ["is_less"])],
        [("a", TensorProto.FLOAT, (2, None)), ("b", TensorProto.FLOAT, (2, None))],
        [("total", TensorProto.FLOAT, (2, None)), ("is_less", TensorProto.BOOL, (2, None))],
    )


@pytest.fixture
def logical_not() -> bytes:
    """bool (N,) `data` -> bool `output`."""
    return build_model(
        [helper.make_node("Not", ["data"], ["output"])],
        [("data", TensorProto.BOOL, ("N",))],
        [("output", TensorProto.BOOL, ("N",))],
    )


@pytest.fixture
def from_bfloat16() -> bytes:
    """bfloat16 (N,) `data` -> float32 `output` and bfloat16 `same`."""
    return build_model(
        [
            helper.make_node("Cast", ["data"], ["output"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["output"], ["same"], to=TensorProto.BFLOAT16),
        ],
        [("data", TensorProto.BFLOAT16, ("N",))],
        [("output", TensorProto.FLOAT, ("N",)), ("same", TensorProto.BFLOAT16, ("N",))],
    )
