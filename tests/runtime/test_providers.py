import types

import numpy as np
import onnxruntime
import pytest
from gluonnx_runtime import Device, Session, SessionDeviceError, devices, providers, session
from gluonnx_runtime.providers import cuda_options


def test_cuda_options():
    assert cuda_options(Device("cuda", 1), cuda_stream=None, cuda_graph=False) == {"device_id": "1", "use_tf32": "0"}
    assert cuda_options(Device("cuda"), cuda_stream=0x7F00, cuda_graph=True) == {
        "device_id": "0",
        "use_tf32": "0",
        "user_compute_stream": "32512",
        "enable_cuda_graph": "1",
    }


@pytest.fixture
def broken_cuda(monkeypatch):
    """A machine with a CUDA device whose libraries are missing: ONNX Runtime drops the provider from the session."""
    asked = []

    def inference_session(model, options, providers, enable_fallback):
        asked.append((providers, enable_fallback))
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    fake = types.SimpleNamespace(
        InferenceSession=inference_session,
        preload_dlls=lambda: print("Failed to load libcudnn"),
        __version__="1.2.3",
        cuda_version="13.0",
    )
    monkeypatch.setattr(providers, "ort", fake)
    monkeypatch.setattr(providers, "missing_cuda_libraries", lambda: ("libcublasLt.so.13",))
    monkeypatch.setattr(session, "resolve_device", lambda text: devices.CPU if text == "cpu" else Device("cuda", 0))
    return types.SimpleNamespace(asked=asked)


def test_named_cuda_that_does_not_load_is_an_error(gemm, broken_cuda, capfd):
    with pytest.raises(
        SessionDeviceError, match=r"expected CUDA 13\.0 for onnxruntime 1\.2\.3, got missing=libcublasLt\.so\.13"
    ):
        Session(gemm, device="cuda")
    assert capfd.readouterr() == ("", "")


def test_auto_warns_and_runs_on_the_cpu(gemm, broken_cuda, capfd):
    with pytest.warns(RuntimeWarning, match=r"got missing=libcublasLt\.so\.13\. Running on the CPU"):
        opened = Session(gemm)
    assert opened.device == Device("cpu")
    assert capfd.readouterr() == ("", "")


def test_tensorrt_is_never_asked_for(gemm, broken_cuda):
    with pytest.raises(SessionDeviceError):
        Session(gemm, device="cuda", cuda_stream=16, cuda_graph=True)
    options = {"device_id": "0", "use_tf32": "0", "user_compute_stream": "16", "enable_cuda_graph": "1"}
    assert broken_cuda.asked == [([("CUDAExecutionProvider", options), "CPUExecutionProvider"], 0)]
    broken_cuda.asked.clear()
    Session(gemm, device="cpu")
    assert broken_cuda.asked == [(["CPUExecutionProvider"], 0)]


def test_cuda_graph_session_runs_only_through_bindings(gemm, broken_cuda, monkeypatch):
    """The rules of a captured graph, on a session that merely believes it has one."""
    monkeypatch.setattr(session, "create_session", lambda model, options, device, **_: (_cpu_session(model), device))
    monkeypatch.setattr(session, "resolve_device", lambda text: Device("cuda", 0))
    opened = Session(gemm, device="cuda", cuda_graph=True, cuda_stream=0)
    assert opened.has_cuda_graph
    data, output = np.ones((1, 4), np.float32), np.empty((1, 3), np.float32)
    for run in (opened.run, opened.run_dlpack):
        with pytest.raises(ValueError, match=r"a CUDA graph replays fixed memory: .* got cuda_graph=True"):
            run({"data": data})
    binding = opened.bind(synchronize=False)
    with pytest.raises(ValueError, match=r"a CUDA graph writes to fixed memory: .* output='output'"):
        binding.allocate_output("output")
    binding.bind_input("data", data)
    binding.bind_output("output", output)
    binding.run()
    for change in (
        lambda: binding.bind_input("data", data.copy()),
        lambda: binding.bind_output("output", output.copy()),
        binding.clear,
    ):
        with pytest.raises(ValueError, match=r"memory of a captured CUDA graph cannot change: .* got a change of"):
            change()


def _cpu_session(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
