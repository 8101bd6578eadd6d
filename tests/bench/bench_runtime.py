"""What one call costs: ONNX Runtime bare, and through gluonnx_runtime. One thread; prints a table, asserts nothing.

python tests/bench/bench_runtime.py [--seconds 1.0]
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
from gluonnx_runtime import Session
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as C

CALLS_PER_SAMPLE = 50
MICROSECOND = 1e-6


def gemm() -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
    """A 2x4 by 4x3 Gemm: nearly all of a call is overhead."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.standard_normal((4, 3), dtype=np.float32), "weight")
    bias = numpy_helper.from_array(np.zeros(3, np.float32), "bias")
    nodes = [helper.make_node("Gemm", ["data", "weight", "bias"], ["output"])]
    return model(nodes, [weight, bias], ("N", 4), ("N", 3)), (2, 4), (2, 3)


def conv_net() -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
    """Two convolutions and a classifier on an 8x8 image, the size of the digits demo."""
    rng = np.random.default_rng(0)

    def tensor(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(rng.standard_normal(shape, dtype=np.float32) / 8, name)

    weights = [tensor("w0", 16, 1, 3, 3), tensor("w1", 32, 16, 3, 3), tensor("w2", 10, 32 * 2 * 2), tensor("b2", 10)]
    nodes = [
        helper.make_node("Conv", ["data", "w0"], ["c0"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("MaxPool", ["r0"], ["p0"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p0", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p1"], ["f"]),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["output"], transB=1),
    ]
    return model(nodes, weights, ("N", 1, 8, 8), ("N", 10)), (1, 1, 8, 8), (1, 10)


def model(nodes: list, initializers: list, data: tuple, output: tuple) -> bytes:
    graph = helper.make_graph(
        nodes,
        "bench",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, data)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, output)],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def measure(call: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Minimum and median time of one call, in microseconds, over samples of 50 calls."""
    samples = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 5:
        start = time.perf_counter()
        for _ in range(CALLS_PER_SAMPLE):
            call()
        samples.append((time.perf_counter() - start) / CALLS_PER_SAMPLE / MICROSECOND)
    return min(samples), statistics.median(samples)


def calls(model_bytes: bytes, shape: tuple[int, ...], output_shape: tuple[int, ...]) -> dict[str, Callable[[], object]]:
    """Every way to run the model once, by name."""
    data = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    output = np.empty(output_shape, np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    bare = onnxruntime.InferenceSession(model_bytes, options, providers=["CPUExecutionProvider"])
    cpu = C.OrtDevice(C.OrtDevice.cpu(), C.OrtDevice.default_memory(), 0)
    bare_binding = C.SessionIOBinding(bare._sess)
    bare_binding.bind_input("data", cpu, np.float32, list(shape), data.ctypes.data)
    bare_binding.bind_output("output", cpu, np.float32, list(output_shape), output.ctypes.data)
    c_run = bare._sess.run_with_iobinding
    run_options = C.RunOptions()

    session = Session(model_bytes, device="cpu", intra_op_threads=1)
    static = session.bind()
    static.bind_input("data", data)
    static.bind_output("output", output)
    rebound = session.bind()
    data_pointer, output_pointer = data.ctypes.data, output.ctypes.data

    def rebind() -> None:
        rebound.bind_input_pointer("data", data_pointer, shape, owner=data)
        rebound.bind_output_pointer("output", output_pointer, output_shape, owner=output)
        rebound.run()

    def fresh() -> object:
        rebound.bind_input_pointer("data", data_pointer, shape, owner=data)
        rebound.allocate_output("output")
        rebound.run()
        return rebound.output("output")

    return {
        "onnxruntime Session.run": lambda: bare.run(["output"], {"data": data}),
        "onnxruntime C run_with_iobinding(.., None)": lambda: c_run(bare_binding, None),
        "onnxruntime C run_with_iobinding(.., opts)": lambda: c_run(bare_binding, run_options),
        "Binding.run, static memory": static.run,
        "Binding: rebind input and output, run": rebind,
        "Binding: rebind input, fresh output, run": fresh,
        "Session.run, numpy": lambda: session.run({"data": data}),
        "Session(data), numpy": lambda: session(data),
        "Session.run_dlpack, numpy in": lambda: session.run_dlpack({"data": data}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="time per row")
    seconds = parser.parse_args().seconds
    for title, (model_bytes, shape, output_shape) in (("Gemm 2x4x3", gemm()), ("conv net 8x8", conv_net())):
        print(f"{title:44s} {'min us':>9s} {'median us':>9s}")
        for name, call in calls(model_bytes, shape, output_shape).items():
            low, middle = measure(call, seconds)
            print(f"  {name:42s} {low:9.2f} {middle:9.2f}")


if __name__ == "__main__":
    main()
