"""Make the files in `tests/data/`: tiny ONNX models, and the digits trio that `gluonnx-run` is compared on.

Run it from anywhere with a Python that has onnx, onnxruntime and numpy; the files are committed, so that ctest needs
no Python. The same versions write the same bytes: the weights come from a fixed seed.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # readable by ONNX Runtime 1.13 and later
DATA = Path(__file__).parent / "data"
BATCH = 7


def tensor(name: str, elem_type: int, shape: list[int | str]) -> onnx.ValueInfoProto:
    """A typed graph input or output; a string in `shape` is a dynamic axis."""
    return helper.make_tensor_value_info(name, elem_type, shape)


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: dict[str, np.ndarray] | None = None,
    metadata: dict[str, str] | None = None,
) -> onnx.ModelProto:
    """A checked model with the given metadata."""
    initializers = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    result = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="gluonnx"
    )
    helper.set_model_props(result, metadata or {})
    onnx.checker.check_model(result, full_check=True)
    return result


def two_inputs() -> onnx.ModelProto:
    """`total` (N, 3) = `left` (N, 3) + `right` (N, 3), and `count` (), the number of elements of `left`, int64."""
    return model(
        [helper.make_node("Add", ["left", "right"], ["total"]), helper.make_node("Size", ["left"], ["count"])],
        [tensor("left", TensorProto.FLOAT, ["N", 3]), tensor("right", TensorProto.FLOAT, ["N", 3])],
        [tensor("total", TensorProto.FLOAT, ["N", 3]), tensor("count", TensorProto.INT64, [])],
        metadata={"gluonnx.note": 'two inputs, "quoted"', "empty": ""},
    )


def identities() -> onnx.ModelProto:
    """One `Identity` for each dtype that the loader knows: `in_<dtype>` -> `out_<dtype>`, both (N,)."""
    types = {
        "float32": TensorProto.FLOAT,
        "float64": TensorProto.DOUBLE,
        "float16": TensorProto.FLOAT16,
        "bfloat16": TensorProto.BFLOAT16,
        "bool": TensorProto.BOOL,
        "int8": TensorProto.INT8,
        "int16": TensorProto.INT16,
        "int32": TensorProto.INT32,
        "int64": TensorProto.INT64,
        "uint8": TensorProto.UINT8,
        "uint16": TensorProto.UINT16,
        "uint32": TensorProto.UINT32,
        "uint64": TensorProto.UINT64,
    }
    return model(
        [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in types],
        [tensor(f"in_{name}", code, ["N"]) for name, code in types.items()],
        [tensor(f"out_{name}", code, ["N"]) for name, code in types.items()],
    )


def strings() -> onnx.ModelProto:
    """A model of strings, which the loader refuses."""
    return model(
        [helper.make_node("Identity", ["text"], ["same"])],
        [tensor("text", TensorProto.STRING, ["N"])],
        [tensor("same", TensorProto.STRING, ["N"])],
    )


def reshape() -> onnx.ModelProto:
    """`flat` (rows, 4) from `data` (N,): fails at run time when N is not a multiple of 4."""
    return model(
        [helper.make_node("Reshape", ["data", "shape"], ["flat"])],
        [tensor("data", TensorProto.FLOAT, ["N"])],
        [tensor("flat", TensorProto.FLOAT, ["rows", 4])],
        {"shape": np.array([-1, 4], dtype=np.int64)},
    )


def digits() -> onnx.ModelProto:
    """A small convolutional net with a dynamic batch: `data` (N, 1, 8, 8) -> `scores` (N, 10)."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    return model(
        [
            helper.make_node("Conv", ["data", "conv0_weight", "conv0_bias"], ["conv0"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["conv0"], ["relu0"]),
            helper.make_node("MaxPool", ["relu0"], ["pool0"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Conv", ["pool0", "conv1_weight", "conv1_bias"], ["conv1"]),
            helper.make_node("Tanh", ["conv1"], ["tanh1"]),
            helper.make_node("Flatten", ["tanh1"], ["flat"]),
            helper.make_node("Gemm", ["flat", "dense0_weight", "dense0_bias"], ["scores"], transB=1),
        ],
        [tensor("data", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [tensor("scores", TensorProto.FLOAT, ["N", 10])],
        {
            "conv0_weight": normal(8, 1, 3, 3),
            "conv0_bias": normal(8, 1)[:, 0],
            "conv1_weight": normal(16, 8, 3, 3),
            "conv1_bias": normal(16, 1)[:, 0],
            "dense0_weight": normal(10, 64),
            "dense0_bias": normal(10, 1)[:, 0],
        },
    )


def write_arrays(folder: Path) -> None:
    """Write `.npy` files as numpy does: every dtype, every format version, and what the loader must refuse."""
    folder.mkdir(exist_ok=True)
    dtypes = "float16 float32 float64 bool int8 int16 int32 int64 uint8 uint16 uint32 uint64"
    for dtype in dtypes.split():
        np.save(folder / f"{dtype}.npy", np.array([[0, 1, 0], [1, 0, 1]], dtype=dtype))
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    for version in (1, 2, 3):
        with (folder / f"version{version}.npy").open("wb") as file:
            np.lib.format.write_array(file, values, version=(version, 0))
    np.save(folder / "scalar.npy", np.float64(2.5))
    np.save(folder / "vector.npy", np.arange(3, dtype=np.int64))
    np.save(folder / "empty.npy", np.zeros((2, 0, 3), dtype=np.float32))
    np.save(folder / "rank5.npy", np.arange(16, dtype=np.int32).reshape(2, 1, 2, 2, 2))
    np.save(folder / "fortran.npy", np.asfortranarray(values))
    np.save(folder / "big_endian.npy", values.astype(">f4"))
    np.save(folder / "structured.npy", np.zeros(2, dtype=[("x", "<f4")]))
    np.save(folder / "complex.npy", np.zeros(2, dtype=np.complex64))


def main() -> None:
    """Write every file."""
    DATA.mkdir(exist_ok=True)
    write_arrays(DATA / "npy")
    for name, made in {
        "two_inputs.onnx": two_inputs(),
        "identities.onnx": identities(),
        "strings.onnx": strings(),
        "reshape.onnx": reshape(),
        "digits-0000.onnx": digits(),
    }.items():
        (DATA / name).write_bytes(made.SerializeToString(deterministic=True))

    data = np.random.default_rng(1).random((BATCH, 1, 8, 8), dtype=np.float32)
    session = ort.InferenceSession(DATA / "digits-0000.onnx", providers=["CPUExecutionProvider"])
    np.save(DATA / "digits-input.npy", data)
    np.save(DATA / "digits-expected.npy", session.run(["scores"], {"data": data})[0])


if __name__ == "__main__":
    main()
