import numpy as np
import pytest
import torch
from gluonnx_runtime import Device, Session, SessionInputError
from gluonnx_runtime.devices import cuda_problem

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(cuda_problem(0) is not None, reason="no CUDA device for ONNX Runtime"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device for torch"),
]

DATA = np.arange(8, dtype=np.float32).reshape(2, 4)


def test_numpy_in_and_out(gemm, gemm_answer):
    session = Session(gemm)
    assert session.device == Device("cuda", 0)
    assert session.providers == ("CUDAExecutionProvider", "CPUExecutionProvider")
    np.testing.assert_allclose(session(DATA), gemm_answer(DATA), rtol=1e-5)


def test_torch_in_and_out_stay_on_the_device(gemm, gemm_answer):
    session = Session(gemm, device="cuda")
    result = session.run_dlpack({"data": torch.from_numpy(DATA).cuda()})["output"]
    assert result.device == Device("cuda", 0)
    tensor = torch.from_dlpack(result)
    assert tensor.is_cuda
    np.testing.assert_allclose(tensor.cpu().numpy(), gemm_answer(DATA), rtol=1e-5)
    np.testing.assert_allclose(session(torch.from_numpy(DATA).cuda()), gemm_answer(DATA), rtol=1e-5)


def test_strided_device_memory_is_refused(gemm):
    with pytest.raises(SessionInputError, match=r"input `data`: memory is not contiguous"):
        Session(gemm, device="cuda").run({"data": torch.zeros(4, 2, device="cuda").T})


def test_runs_on_the_stream_of_the_caller(gemm, gemm_answer):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        session = Session(gemm, device="cuda", cuda_stream=stream.cuda_stream)
        binding = session.bind(synchronize=False)
        data, output = torch.empty(2, 4, device="cuda"), torch.empty(2, 3, device="cuda")
        binding.bind_input("data", data)
        binding.bind_output("output", output)
        for step in range(5):
            data.copy_(torch.from_numpy(DATA * step))
            binding.run()
            result = output.clone()
            stream.synchronize()
            np.testing.assert_allclose(result.cpu().numpy(), gemm_answer(DATA * step), rtol=1e-5)


def test_cuda_graph_replays_on_new_values(gemm, gemm_answer):
    session = Session(gemm, device="cuda", cuda_graph=True)
    binding = session.bind()
    data, output = torch.from_numpy(DATA).cuda(), torch.empty(2, 3, device="cuda")
    binding.bind_input("data", data)
    binding.bind_output("output", output)
    for step in range(4):
        data.copy_(torch.from_numpy(DATA * step))
        torch.cuda.synchronize()
        binding.run()
        np.testing.assert_allclose(output.cpu().numpy(), gemm_answer(DATA * step), rtol=1e-5)
    with pytest.raises(SessionInputError, match=r"memory of a captured CUDA graph cannot change"):
        binding.bind_input("data", data.clone())
