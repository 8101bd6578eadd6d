import concurrent.futures
import contextlib
import os
import re

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from gluonnx_runtime import (
    Device,
    ExecutionError,
    ModelFileError,
    Session,
    SessionDeviceError,
    SessionError,
    SessionInputError,
    TensorInfo,
)
from gluonnx_runtime.devices import cuda_problem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

DATA = np.arange(8, dtype=np.float32).reshape(2, 4)


@pytest.fixture
def session(gemm):
    return Session(gemm, device="cpu", intra_op_threads=1)


class TestDescription:
    def test_inputs_outputs_metadata(self, session):
        assert session.inputs == (TensorInfo("data", np.dtype("float32"), ("batch", 4), "float"),)
        assert session.outputs == (TensorInfo("output", np.dtype("float32"), ("batch", 3), "float"),)
        assert session.metadata == {"producer": "a test", "note": "größer"}
        assert session.device == Device("cpu")
        assert str(session.device) == "cpu"
        assert session.providers == ("CPUExecutionProvider",)
        assert repr(session) == (f"Session({session._where} on cpu: data float(batch, 4) -> output float(batch, 3))")

    def test_metadata_is_a_copy(self, session):
        session.metadata["producer"] = "someone else"
        assert session.metadata["producer"] == "a test"

    def test_unnamed_dynamic_axis_is_none(self, two_in_two_out):
        assert Session(two_in_two_out, device="cpu").inputs[0].shape == (2, None)

    def test_bfloat16_has_no_numpy_dtype(self, from_bfloat16):
        info = Session(from_bfloat16, device="cpu").inputs[0]
        assert (info.dtype, info.element_type, info.type_code) == (None, "bfloat16", TensorProto.BFLOAT16)


class TestRun:
    @pytest.mark.parametrize("batch", [0, 1, 2, 7])
    def test_values(self, session, gemm_answer, batch):
        data = np.random.default_rng(batch).standard_normal((batch, 4), dtype=np.float32)
        results = session.run({"data": data})
        assert list(results) == ["output"]
        np.testing.assert_allclose(results["output"], gemm_answer(data), rtol=1e-6)

    def test_from_path(self, gemm, gemm_answer, tmp_path):
        path = tmp_path / "net.onnx"
        path.write_bytes(gemm)
        np.testing.assert_array_equal(Session(path, device="cpu")(DATA), gemm_answer(DATA))
        np.testing.assert_array_equal(Session(str(path), device="cpu")(DATA), gemm_answer(DATA))

    def test_results_have_memory_of_their_own(self, session, gemm_answer):
        first = session(DATA)
        session(DATA + 1)
        np.testing.assert_array_equal(first, gemm_answer(DATA))
        first[:] = 0

    def test_call_by_position_and_by_name(self, two_in_two_out):
        session = Session(two_in_two_out, device="cpu")
        a, b = np.float32([[1, 5], [2, 2]]), np.float32([[3, 3], [2, 3]])
        for total, is_less in (session(a, b), session(a, b=b), session(b=b, a=a)):
            np.testing.assert_array_equal(total, a + b)
            np.testing.assert_array_equal(is_less, [[True, False], [False, True]])
            assert is_less.dtype == bool

    def test_wanted_outputs_in_the_order_asked_for(self, two_in_two_out):
        session = Session(two_in_two_out, device="cpu")
        a = np.ones((2, 1), np.float32)
        assert list(session.run({"a": a, "b": a}, ["is_less", "total"])) == ["is_less", "total"]
        assert list(session.run({"a": a, "b": a}, ["is_less"])) == ["is_less"]

    def test_strided_input(self, session, gemm_answer):
        data = np.arange(16, dtype=np.float32).reshape(4, 4).T[::2]
        assert not data.flags.c_contiguous
        np.testing.assert_array_equal(session(data), gemm_answer(data))
        np.testing.assert_array_equal(session.run_dlpack({"data": data})["output"].numpy(), gemm_answer(data))

    def test_read_only_input(self, session, gemm_answer):
        data = DATA.copy()
        data.flags.writeable = False
        np.testing.assert_array_equal(session(data), gemm_answer(data))

    def test_array_protocol(self, session, gemm_answer):
        class Wrapped:
            def __array__(self, dtype=None, copy=None):
                return DATA

        np.testing.assert_array_equal(session(Wrapped()), gemm_answer(DATA))
        np.testing.assert_array_equal(session.run_dlpack({"data": Wrapped()})["output"].numpy(), gemm_answer(DATA))

    @pytest.mark.parametrize("tensor", [torch.from_numpy(DATA), torch.from_numpy(DATA.T.copy()).T])
    def test_torch_tensor(self, session, gemm_answer, tensor):
        np.testing.assert_array_equal(session(tensor), gemm_answer(DATA))

    def test_options(self, gemm, gemm_answer):
        for level in ("all", "extended", "basic", "none"):
            session = Session(gemm, device="cpu", optimization=level, inter_op_threads=2, spinning=True)
            np.testing.assert_array_equal(session(DATA), gemm_answer(DATA))

    def test_many_threads_at_once(self, session, gemm_answer):
        batches = [np.full((n % 5 + 1, 4), n, np.float32) for n in range(64)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for data, result in zip(batches, pool.map(session, batches), strict=True):
                np.testing.assert_array_equal(result, gemm_answer(data))


class TestRunDLPack:
    def test_torch_takes_the_result_in_place(self, session, gemm_answer):
        result = session.run_dlpack({"data": torch.from_numpy(DATA)})["output"]
        tensor = torch.from_dlpack(result)
        assert tensor.data_ptr() == result.pointer
        np.testing.assert_array_equal(tensor.numpy(), gemm_answer(DATA))
        assert (result.shape, result.dtype, result.device) == ((2, 3), np.dtype("float32"), Device("cpu"))
        assert repr(result) == "OutputTensor(float(2, 3) on cpu)"

    def test_result_outlives_the_session(self, gemm, gemm_answer):
        tensor = torch.from_dlpack(Session(gemm, device="cpu").run_dlpack({"data": DATA})["output"])
        array = Session(gemm, device="cpu").run_dlpack({"data": DATA})["output"].numpy()
        for _ in range(20):
            Session(gemm, device="cpu")(DATA + 1)
        np.testing.assert_array_equal(tensor.numpy(), gemm_answer(DATA))
        np.testing.assert_array_equal(array, gemm_answer(DATA))

    def test_bool_stays_bool(self, logical_not):
        result = Session(logical_not, device="cpu").run_dlpack({"data": torch.tensor([True, False])})["output"]
        assert torch.equal(torch.from_dlpack(result), torch.tensor([False, True]))
        np.testing.assert_array_equal(np.from_dlpack(result), [False, True])
        np.testing.assert_array_equal(np.asarray(result), [False, True])
        assert np.from_dlpack(result).dtype == bool

    def test_bfloat16_in_and_out(self, from_bfloat16):
        session = Session(from_bfloat16, device="cpu")
        data = torch.tensor([1.5, -2.0, 0.25], dtype=torch.bfloat16)
        results = session.run_dlpack({"data": data})
        assert torch.equal(torch.from_dlpack(results["same"]), data)
        np.testing.assert_array_equal(results["output"].numpy(), [1.5, -2.0, 0.25])
        np.testing.assert_array_equal(session.run({"data": data}, ["output"])["output"], [1.5, -2.0, 0.25])

    def test_bfloat16_is_not_numpy(self, from_bfloat16):
        session = Session(from_bfloat16, device="cpu")
        data = torch.zeros(2, dtype=torch.bfloat16)
        with pytest.raises(SessionInputError, match=r"output `same` has no numpy dtype: .* got dtype=bfloat16"):
            session.run({"data": data})
        with pytest.raises(SessionInputError, match=r"no numpy dtype: .* got dtype=bfloat16"):
            session.run_dlpack({"data": data})["same"].numpy()

    def test_as_array_with_dtype_and_copy(self, session, gemm_answer):
        result = session.run_dlpack({"data": DATA})["output"]
        np.testing.assert_array_equal(np.asarray(result, np.float64), gemm_answer(DATA).astype(np.float64))
        copied = np.array(result, copy=True)
        copied[:] = 0
        np.testing.assert_array_equal(result.numpy(), gemm_answer(DATA))

    def test_refuses_to_copy(self, session):
        result = session.run_dlpack({"data": DATA})["output"]
        with pytest.raises(BufferError, match=r"expected no copy on device \(1, 0\), got copy=True"):
            result.__dlpack__(copy=True)
        with pytest.raises(BufferError, match=r"dl_device=\(2, 0\)"):
            result.__dlpack__(dl_device=(2, 0))


class TestInputErrors:
    @pytest.mark.parametrize("method", ["run", "run_dlpack"])
    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ({}, "missing input: expected `data`, got inputs=none. Pass `data`."),
            ({"x": DATA}, "missing input: expected `data`, got inputs='x'. Pass `data`."),
            ({"data": DATA, "x": DATA}, "unknown input: expected `data`, got input='x'"),
            ({"data": DATA.astype(np.float64)}, "input `data`: wrong dtype: expected float32, got dtype=float64"),
            ({"data": DATA.astype(">f4")}, "input `data`: wrong dtype: expected float32, got dtype=>f4"),
            ({"data": np.array([["a"] * 4])}, "input `data`: wrong dtype: expected float32, got dtype=<U1"),
            ({"data": torch.zeros(2, 4, dtype=torch.bfloat16)}, "expected float32, got dtype=bfloat16"),
            ({"data": torch.zeros(2, 4, dtype=torch.complex64)}, "memory not handed out|expected float32, got dtype="),
            ({"data": DATA[0]}, "input `data`: wrong rank: expected 2 axes (batch, 4), got shape=(4)"),
            ({"data": DATA[:, :3]}, "wrong size of axis 1: expected 4 in (batch, 4), got shape=(2, 3)"),
            ({"data": [[1.0, 2.0, 3.0, 4.0]]}, "input `data`: not an array: .* got type=list"),
            ({"data": torch.zeros(2, 4, requires_grad=True)}, "memory not handed out: .* got type=Tensor"),
        ],
    )
    def test_message(self, session, method, inputs, message):
        pattern = "|".join(re.escape(part).replace(r"\.\*", ".*") for part in message.split("|"))
        with pytest.raises(SessionInputError, match=pattern):
            getattr(session, method)(inputs)

    def test_too_many_and_twice(self, session):
        with pytest.raises(SessionInputError, match=r"too many inputs: expected at most 1 \(`data`\), got count=2"):
            session(DATA, DATA)
        with pytest.raises(SessionInputError, match=r"input given twice: .* name='data'"):
            session(DATA, data=DATA)

    def test_outputs(self, session):
        with pytest.raises(SessionInputError, match=r"unknown output: expected `output`, got output='y'"):
            session.run({"data": DATA}, ["y"])
        for bad in ([], ["output", "output"]):
            with pytest.raises(
                SessionInputError, match=r"outputs are not a list of different names: .* got outputs=\["
            ):
                session.run({"data": DATA}, bad)

    def test_execution_error_is_one_message_and_prints_nothing(self, two_in_two_out, capfd):
        session = Session(two_in_two_out, device="cpu")
        inputs = {"a": np.zeros((2, 3), np.float32), "b": np.zeros((2, 4), np.float32)}
        for method in (session.run, session.run_dlpack):
            with pytest.raises(ExecutionError, match=r"ONNX Runtime failed: .* got error=.*node"):
                method(inputs)
        assert capfd.readouterr() == ("", "")


class TestOptionErrors:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"device": "gpu"}, "unknown device: .* got device='gpu'"),
            ({"device": "cuda:"}, "unknown device: .* got device='cuda:'"),
            ({"optimization": "O2"}, "unknown optimization level: expected one of `all`, .* got optimization='O2'"),
            ({"intra_op_threads": 0}, "expected at least 1 or None, got intra_op_threads=0"),
            ({"inter_op_threads": -1}, "expected at least 1 or None, got inter_op_threads=-1"),
            ({"log_severity": 5}, "expected 0 to 4, got log_severity=5"),
        ],
    )
    def test_message(self, gemm, options, message):
        with pytest.raises(SessionInputError, match=message):
            Session(gemm, **options)

    @pytest.mark.parametrize("option", [{"cuda_stream": 0}, {"cuda_graph": True}])
    def test_cuda_option_on_cpu(self, gemm, option):
        with pytest.raises(SessionDeviceError, match=r"CUDA option without a CUDA device: .* got device=cpu"):
            Session(gemm, device="cpu", **option)

    def test_no_stream_to_follow(self, session):
        with pytest.raises(SessionInputError, match=r"expected a session with `cuda_stream`, got synchronize=False"):
            session.bind(synchronize=False)


class TestModelFiles:
    def test_every_error_has_one_base(self):
        assert issubclass(ModelFileError, SessionError)
        assert issubclass(ModelFileError, ValueError)
        assert issubclass(ModelFileError, OSError)
        assert issubclass(SessionError, RuntimeError)

    def test_missing(self, tmp_path):
        with pytest.raises(ModelFileError, match=r"no-such\.onnx: no model file: .* got nothing there"):
            Session(tmp_path / "no-such.onnx")

    def test_folder(self, tmp_path):
        with pytest.raises(ModelFileError, match=r"no model file: .* got a folder"):
            Session(tmp_path)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
    def test_unreadable(self, gemm, tmp_path):
        path = tmp_path / "net.onnx"
        path.write_bytes(gemm)
        path.chmod(0)
        with pytest.raises(ModelFileError, match=r"net\.onnx: model file is not readable"):
            Session(path)

    @pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 100, b"{}"])
    def test_not_onnx(self, content, tmp_path, capfd):
        path = tmp_path / "net.onnx"
        path.write_bytes(content)
        for model in (path, content):
            with pytest.raises(
                ModelFileError, match=r"not a model that can be run: expected an ONNX model .* got error="
            ):
                Session(model, device="cpu")
        assert capfd.readouterr() == ("", "")

    def test_unknown_operator(self, make_model, capfd):
        value = ("data", TensorProto.FLOAT, (1,))
        model = make_model([helper.make_node("Frobnicate", ["data"], ["y"])], [value], [("y", *value[1:])])
        with pytest.raises(ModelFileError, match=r"got error=.*Frobnicate"):
            Session(model, device="cpu")
        assert capfd.readouterr() == ("", "")

    def test_strings_are_refused(self, make_model):
        value = ("data", TensorProto.STRING, (1,))
        model = make_model([helper.make_node("Identity", ["data"], ["y"])], [value], [("y", *value[1:])])
        with pytest.raises(
            ModelFileError, match=r"input `data` is not a tensor of numbers: .* got type=tensor\(string\)"
        ):
            Session(model, device="cpu")

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_truncated(self, gemm, data):
        size = data.draw(st.integers(0, len(gemm) - 1))
        with contextlib.suppress(ModelFileError):
            session = Session(gemm[:size], device="cpu", intra_op_threads=1)
            assert [info.name for info in session.inputs] == ["data"]


@pytest.mark.skipif(cuda_problem(0) is None, reason="this machine has a CUDA device")
class TestWithoutCuda:
    def test_auto_is_cpu_and_prints_nothing(self, gemm, capfd):
        session = Session(gemm)
        session(DATA)
        assert session.device == Device("cpu")
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1"])
    def test_cuda_is_an_error(self, gemm, device, capfd):
        with pytest.raises(SessionDeviceError, match=r"no usable CUDA device: expected device `cuda:[01]`, got a"):
            Session(gemm, device=device)
        assert capfd.readouterr() == ("", "")


class TestInitializers:
    """Weights that come from the caller's memory."""

    @staticmethod
    def model(dtype=1, location="weights"):
        weight = onnx.TensorProto(name="w", data_type=dtype, dims=[4, 3], data_location=onnx.TensorProto.EXTERNAL)
        for key, value in (("location", location), ("offset", "0"), ("length", "48")):
            weight.external_data.append(onnx.StringStringEntryProto(key=key, value=value))
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [onnx.helper.make_tensor_value_info("x", dtype, ["batch", 4])],
            [onnx.helper.make_tensor_value_info("y", dtype, ["batch", 3])],
            [weight],
        )
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)

    @pytest.mark.parametrize("prepacking", [True, False])
    def test_of_bytes_they_are_copied(self, prepacking):
        weight = np.arange(12, dtype=np.float32).reshape(4, 3)
        expected = DATA @ weight
        model = self.model().SerializeToString()
        session = Session(model, device="cpu", initializers={"w": weight}, prepacking=prepacking)
        weight[:] = 0
        np.testing.assert_array_equal(session(DATA), expected)

    def test_of_a_file_they_are_read_in_place(self, tmp_path):
        (tmp_path / "weights").write_bytes(bytes(48))
        onnx.save(self.model(), tmp_path / "m.onnx")
        weight = np.ones((4, 3), np.float32)
        session = Session(tmp_path / "m.onnx", device="cpu", initializers={"w": weight}, prepacking=False)
        np.testing.assert_array_equal(session(DATA), DATA @ weight)
        weight *= 2
        np.testing.assert_array_equal(session(DATA), DATA @ weight)
        del weight
        np.testing.assert_array_equal(session(DATA), DATA @ np.full((4, 3), 2, np.float32))

    @pytest.mark.parametrize("source", ["bytes", "file"])
    @pytest.mark.parametrize("dtype", [*"fdegbhilBHILq?"])
    def test_each_dtype(self, dtype, source, tmp_path):
        dtype = np.dtype(ml_dtypes.bfloat16 if dtype == "g" else dtype)
        code = TensorProto.BFLOAT16 if dtype.name == "bfloat16" else helper.np_dtype_to_tensor_dtype(dtype)
        weight = (np.arange(12).reshape(3, 4) % 2).astype(dtype)
        tensor = TensorProto(name="w", data_type=code, dims=[3, 4], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", "weights"), ("offset", "0"), ("length", str(weight.nbytes))):
            tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=value))
        graph = helper.make_graph(
            [helper.make_node("Gather", ["w", "i"], ["row"]), helper.make_node("Cast", ["row"], ["y"], to=1)],
            "g",
            [helper.make_tensor_value_info("i", 7, [1])],
            [helper.make_tensor_value_info("y", 1, [1, 4])],
            [tensor],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        (tmp_path / "weights").write_bytes(bytes(weight.nbytes))
        onnx.save(model, tmp_path / "m.onnx")
        given = model.SerializeToString() if source == "bytes" else tmp_path / "m.onnx"
        session = Session(given, device="cpu", initializers={"w": weight})
        np.testing.assert_array_equal(session(np.array([1])), weight[1:2].astype(np.float32))

    def test_what_cannot_be_read_in_place(self):
        model = self.model().SerializeToString()
        with pytest.raises(
            SessionInputError, match=r"initializer `w`: memory cannot be read .* got dtype=float32, str"
        ):
            Session(model, device="cpu", initializers={"w": np.ones((3, 4), np.float32).T})
        with pytest.raises(SessionInputError, match=r"initializer `w`: .* got dtype=>f4"):
            Session(model, device="cpu", initializers={"w": np.ones((4, 3), ">f4")})
        with pytest.raises(ModelFileError, match="not a model that can be run"):
            Session(model, device="cpu", initializers={})
