import gc
import weakref

import numpy as np
import pytest
import torch
from gluonnx_runtime import Device, ExecutionError, Session, SessionInputError

DATA = np.arange(8, dtype=np.float32).reshape(2, 4)


@pytest.fixture
def session(gemm):
    return Session(gemm, device="cpu", intra_op_threads=1)


@pytest.fixture
def binding(session):
    return session.bind()


def test_static_memory_is_read_and_written_in_place(binding, gemm_answer):
    data, output = DATA.copy(), np.empty((2, 3), np.float32)
    binding.bind_input("data", data)
    binding.bind_output("output", output)
    for step in range(3):
        data[:] = DATA * step
        binding.run()
        np.testing.assert_array_equal(output, gemm_answer(data))


def test_torch_memory(binding, gemm_answer):
    data, output = torch.from_numpy(DATA.copy()), torch.empty(2, 3)
    binding.bind_input("data", data)
    binding.bind_output("output", output)
    data.mul_(2)
    binding.run()
    np.testing.assert_array_equal(output.numpy(), gemm_answer(DATA * 2))


def test_bool_torch_memory(logical_not):
    binding = Session(logical_not, device="cpu").bind()
    output = torch.empty(2, dtype=torch.bool)
    binding.bind_input("data", torch.tensor([True, False]))
    binding.bind_output("output", output)
    binding.run()
    assert torch.equal(output, torch.tensor([False, True]))


def test_pointers_bound_anew_with_other_shapes(binding, gemm_answer):
    for batch in (1, 2, 7, 0, 3):
        data = torch.rand(batch, 4)
        output = torch.empty(batch, 3)
        binding.bind_input_pointer("data", data.data_ptr(), data.shape, owner=data)
        binding.bind_output_pointer("output", output.data_ptr(), output.shape, owner=output)
        binding.run()
        np.testing.assert_allclose(output.numpy(), gemm_answer(data.numpy()), rtol=1e-5, atol=1e-5)


def test_allocated_output(binding, gemm_answer):
    binding.bind_input("data", DATA)
    binding.allocate_output("output")
    binding.run()
    first = binding.output("output")
    binding.allocate_output("output")
    binding.bind_input("data", DATA + 1)
    binding.run()
    np.testing.assert_array_equal(first.numpy(), gemm_answer(DATA))
    np.testing.assert_array_equal(binding.output("output").numpy(), gemm_answer(DATA + 1))


def test_outputs_by_name_whatever_the_order_of_binding(two_in_two_out):
    binding = Session(two_in_two_out, device="cpu").bind()
    ones = np.ones((2, 2), np.float32)
    binding.bind_input("b", ones * 2)
    binding.bind_input("a", ones)
    binding.allocate_output("is_less")
    total = np.empty((2, 2), np.float32)
    binding.bind_output("total", total)
    binding.allocate_output("is_less", device=Device("cpu"))
    binding.run()
    assert binding.output("is_less").numpy().all()
    np.testing.assert_array_equal(binding.output("total").numpy(), total)
    np.testing.assert_array_equal(total, ones * 3)


def test_owner_lives_as_long_as_it_is_bound(binding):
    class Owner:
        pass

    memory = DATA.copy()
    owner = Owner()
    alive = weakref.ref(owner)
    binding.bind_input_pointer("data", memory.ctypes.data, memory.shape, owner=owner)
    del owner
    gc.collect()
    assert alive() is not None
    binding.bind_input("data", memory)
    gc.collect()
    assert alive() is None


def test_bound_arrays_are_kept_alive(binding, gemm_answer):
    binding.bind_input("data", DATA * 3)
    binding.allocate_output("output")
    gc.collect()
    binding.run()
    np.testing.assert_array_equal(binding.output("output").numpy(), gemm_answer(DATA * 3))


def test_binding_outlives_its_session(gemm, gemm_answer):
    binding = Session(gemm, device="cpu").bind()
    gc.collect()
    binding.bind_input("data", DATA)
    binding.allocate_output("output")
    binding.run()
    np.testing.assert_array_equal(binding.output("output").numpy(), gemm_answer(DATA))


class TestErrors:
    def test_unknown_names(self, binding):
        calls = {
            "input": [lambda: binding.bind_input("x", DATA), lambda: binding.bind_input_pointer("x", 1, (2, 4))],
            "output": [
                lambda: binding.bind_output("x", DATA),
                lambda: binding.bind_output_pointer("x", 1, (2, 3)),
                lambda: binding.allocate_output("x"),
                lambda: binding.output("x"),
            ],
        }
        for kind, bad_calls in calls.items():
            for call in bad_calls:
                with pytest.raises(SessionInputError, match=f"unknown {kind}: expected one of `.*`, got {kind}='x'"):
                    call()

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (DATA.astype(np.int32), "wrong dtype: expected float32, got dtype=int32"),
            (DATA[0], "wrong rank: expected 2 axes"),
            (np.zeros((2, 5), np.float32), "wrong size of axis 1: expected 4"),
            (np.zeros((4, 2), np.float32).T, r"memory is not contiguous: .* shape=\(2, 4\)"),
            (torch.zeros(4, 2).T, r"memory is not contiguous: .* shape=\(2, 4\)"),
            ("data", "not an array: .* got type=str"),
        ],
    )
    def test_bad_arrays(self, binding, array, message):
        with pytest.raises(SessionInputError, match=f"input `data`: {message}"):
            binding.bind_input("data", array)

    def test_bad_outputs(self, binding):
        read_only = np.empty((2, 3), np.float32)
        read_only.flags.writeable = False
        with pytest.raises(SessionInputError, match=r"output `output`: memory cannot be written"):
            binding.bind_output("output", read_only)
        with pytest.raises(SessionInputError, match=r"output `output`: wrong size of axis 1: expected 3"):
            binding.bind_output("output", np.empty((2, 4), np.float32))

    def test_bad_pointers(self, binding):
        with pytest.raises(SessionInputError, match=r"null pointer: expected the address of \(2, 4\) elements"):
            binding.bind_input_pointer("data", 0, (2, 4))
        with pytest.raises(SessionInputError, match=r"output `output`: wrong dtype: expected float32, got dtype=int64"):
            binding.bind_output_pointer("output", 1, (2, 3), dtype=np.dtype("int64"))
        with pytest.raises(SessionInputError, match=r"input `data`: cannot be bound: .* got shape=\('a', 4\)"):
            binding.bind_input_pointer("data", 1, ("a", 4))
        with pytest.raises(SessionInputError, match=r"output `output`: cannot be bound: .* got shape=2"):
            binding.bind_output_pointer("output", 1, 2)

    def test_run_before_binding(self, binding):
        with pytest.raises(SessionInputError, match=r"input not bound: .* got nothing for `data`"):
            binding.run()
        binding.bind_input("data", DATA)
        with pytest.raises(SessionInputError, match=r"output not bound: .* got nothing for `output`"):
            binding.run()

    def test_run_after_clear(self, binding):
        binding.bind_input("data", DATA)
        binding.allocate_output("output")
        binding.run()
        binding.clear()
        with pytest.raises(SessionInputError, match=r"input not bound"):
            binding.run()

    def test_output_before_run(self, binding):
        with pytest.raises(SessionInputError, match=r"no value of output `output`: expected a run"):
            binding.output("output")
        binding.allocate_output("output")
        with pytest.raises(SessionInputError, match=r"no value of output `output`: expected a run"):
            binding.output("output")

    def test_output_of_another_shape_than_computed(self, binding, capfd):
        binding.bind_input("data", DATA)
        binding.bind_output("output", np.empty((3, 3), np.float32))
        with pytest.raises(ExecutionError, match=r"got error=.* Gemm node.*: The output OrtValue .*\{3,3\}.*\{2,3\}"):
            binding.run()
        assert capfd.readouterr() == ("", "")

    def test_input_of_another_rank(self, binding):
        binding.bind_input_pointer("data", DATA.ctypes.data, (8,), owner=DATA)
        binding.allocate_output("output")
        with pytest.raises(ExecutionError, match=r"ONNX Runtime failed: .* got error=Invalid rank for input: data"):
            binding.run()


def test_pointer_call_runs_on_the_memory_of_each_call(binding, gemm_answer):
    call = binding.pointer_call({"data": (2, 4)}, {"output": (2, 3)})
    inputs = [DATA.copy(), DATA * 2, DATA * 3]
    outputs = [np.empty((2, 3), np.float32) for _ in inputs]
    for data, output in [*zip(inputs, outputs, strict=True), (inputs[0], outputs[2]), (inputs[2], outputs[2])]:
        output[:] = -1
        call([data.ctypes.data], [output.ctypes.data])
        np.testing.assert_array_equal(output, gemm_answer(data))
    np.testing.assert_array_equal(outputs[0], gemm_answer(inputs[0]))


def test_pointer_call_says_what_is_wrong(binding):
    with pytest.raises(SessionInputError, match="unknown input: expected one of `data`, got input='image'"):
        binding.pointer_call({"image": (2, 4)}, {"output": (2, 3)})
    with pytest.raises(SessionInputError, match="unknown output: expected one of `output`, got output='score'"):
        binding.pointer_call({"data": (2, 4)}, {"score": (2, 3)})
    call = binding.pointer_call({"data": (2, 5)}, {"output": (2, 3)})
    data, output = np.zeros((2, 5), np.float32), np.empty((2, 3), np.float32)
    with pytest.raises(ExecutionError, match="ONNX Runtime failed"):
        call([data.ctypes.data], [output.ctypes.data])
