import json
import os
import re
import stat
from pathlib import Path

import numpy as np
import pytest
from gluonnx_cli.errors import CommandError
from gluonnx_cli.npy import read_array, write_arrays
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DATA = np.arange(8, dtype=np.float32).reshape(2, 4)

BLOCKED = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "gluonnx", "onnx"):
            raise AssertionError("imported " + name)

sys.meta_path.insert(0, Blocker())
from gluonnx_cli.main import main
main()
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_output_to_a_file(gluonnx, folder):
    result = gluonnx("run", "net.onnx", "--input", "data=x.npy", "--output", "out.npy")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "output float32 (2, 3) -> out.npy\n", "")
    np.testing.assert_array_equal(np.load("out.npy"), np.load("y.npy"))
    assert names(folder) == ["net.onnx", "out.npy", "two.onnx", "x.npy", "y.npy"]


def test_named_outputs(gluonnx, folder):
    result = gluonnx(
        "run", "two.onnx", "--input", "data=x.npy", "--output", "negative=n.npy", "--output", "output=o.npy"
    )
    assert result.stdout == "output float32 (2, 3) -> o.npy\nnegative float32 (2, 4) -> n.npy\n"
    np.testing.assert_array_equal(np.load("n.npy"), -DATA)
    np.testing.assert_array_equal(np.load("o.npy"), np.load("y.npy"))


def test_without_outputs_only_describes(gluonnx, folder):
    result = gluonnx("run", "net.onnx", "--input", "data=x.npy", "--device", "cpu", "--threads", "1")
    assert result.stdout == "output float32 (2, 3)\n"


def test_json(gluonnx, folder):
    result = gluonnx(
        *("run", "net.onnx", "--input", "data=x.npy", "--output", "o.npy", "--json", "--device", "cpu"),
        *("--repeat", "3", "--warmup", "2", "--expect", "output=y.npy"),
    )
    report = json.loads(result.stdout)
    latency = report.pop("latency_ms")
    assert report == {
        "model": "net.onnx",
        "device": "cpu",
        "outputs": {"output": {"dtype": "float32", "shape": [2, 3], "file": "o.npy", "difference": 0.0}},
    }
    assert list(latency) == ["min", "median", "mean"]
    assert 0 < latency["min"] <= latency["median"]
    assert latency["min"] <= latency["mean"]


def test_latency_line(gluonnx, folder):
    lines = gluonnx("run", "net.onnx", "--input", "data=x.npy", "--repeat", "2").stdout.splitlines()
    assert lines[0] == "output float32 (2, 3)"
    assert re.fullmatch(r"latency ms: min [0-9.]+, median [0-9.]+, mean [0-9.]+.*", lines[1])


def test_runs_where_torch_cannot_be_imported(fresh_python, folder):
    done = fresh_python("-W", "error", "-c", BLOCKED, "run", "net.onnx", "--input", "data=x.npy", "--output", "o.npy")
    assert (done.returncode, done.stdout, done.stderr) == (0, "output float32 (2, 3) -> o.npy\n", "")


class TestExpect:
    def test_within_tolerance(self, gluonnx, folder):
        np.save("near.npy", np.load("y.npy") + np.float32(0.25))
        arguments = ("run", "net.onnx", "--input", "data=x.npy", "--expect", "output=near.npy", "--tolerance")
        result = gluonnx(*arguments, "0.25")
        assert result.stdout == "output float32 (2, 3), differs by 0.25 (tolerance 0.25)\n"
        assert gluonnx(*arguments, "0.2").exit_code == 1

    def test_difference_writes_nothing(self, gluonnx, folder):
        np.save("far.npy", np.load("y.npy") + 1)
        result = gluonnx("run", "net.onnx", "--input", "data=x.npy", "--expect", "output=far.npy", "--output", "o.npy")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            "error: --expect: output `output` differs: expected at most 1e-05, got difference=1. Nothing was written.\n"
        )
        assert not Path("o.npy").exists()

    @pytest.mark.parametrize(("value", "exit_code"), [(np.nan, 1), (np.inf, 1)])
    def test_not_finite_is_a_difference(self, gluonnx, folder, value, exit_code):
        wrong = np.load("y.npy")
        wrong[0, 0] = value
        np.save("wrong.npy", wrong)
        result = gluonnx("run", "net.onnx", "--input", "data=x.npy", "--expect", "output=wrong.npy")
        assert result.exit_code == exit_code
        assert "got difference=inf" in result.stderr

    def test_equal_infinities_and_nan_are_none(self, gluonnx, folder):
        np.save("x.npy", np.float32([[np.inf, 0, 0, 0], [np.nan, 0, 0, 0]]))
        gluonnx("run", "two.onnx", "--input", "data=x.npy", "--output", "negative=n.npy")
        result = gluonnx("run", "two.onnx", "--input", "data=x.npy", "--expect", "negative=n.npy", "--tolerance", "0")
        assert result.exit_code == 0
        assert "negative float32 (2, 4), differs by 0 (tolerance 0)" in result.stdout

    def test_other_shape(self, gluonnx, folder):
        result = gluonnx("run", "net.onnx", "--input", "data=x.npy", "--expect", "output=x.npy")
        assert result.exit_code == 1
        assert "output `output` has another shape: expected (2, 4), got shape=(2, 3)" in result.stderr


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["net.onnx"], "net.onnx: missing input: expected `data`, got inputs=none. Pass `data`."),
            (["net.onnx", "--input", "x=x.npy"], "net.onnx: missing input: expected `data`, got inputs='x'"),
            (["no.onnx", "--input", "data=x.npy"], "no.onnx: no model file: expected an .onnx file, got nothing there"),
            (["x.npy", "--input", "data=x.npy"], "x.npy: not a model that can be run"),
            (["net.onnx", "--input", "data=no.npy"], "no.npy: No such file or directory"),
            (["net.onnx", "--input", "data=net.onnx"], "net.onnx: not a .npy file of numbers"),
            (
                ["net.onnx", "--input", "data=wide.npy"],
                "input `data`: wrong dtype: expected float32, got dtype=float64",
            ),
            (["net.onnx", "--input", "data=x.npy", "--device", "tpu"], "unknown device: expected `auto`"),
            (["two.onnx", "--input", "data=x.npy", "--output", "o.npy"], "--output: model has several outputs"),
            (
                ["net.onnx", "--input", "data=x.npy", "--output", "z=o.npy"],
                "--output: unknown output: expected one of out",
            ),
            (
                ["net.onnx", "--input", "data=x.npy", "--expect", "z=y.npy"],
                "--expect: unknown output: expected one of out",
            ),
            (["net.onnx", "--input", "data=x.npy", "--output", "no/o.npy"], "no/o.npy: No such file or directory"),
            (
                [*("two.onnx", "--input", "data=x.npy"), *("--output", "output=o.npy", "--output", "negative=o.npy")],
                "--output: one file for two outputs: expected a file for each, got output=o.npy, negative=o.npy",
            ),
        ],
    )
    def test_one_line(self, gluonnx, folder, arguments, message):
        np.save("wide.npy", DATA.astype(np.float64))
        before = names(folder)
        result = gluonnx("run", *arguments)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"error: {message}") or message in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""
        assert names(folder) == before

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "Missing argument"),
            (["net.onnx", "--input", "x.npy"], "expected NAME=FILE.npy, got 'x.npy'"),
            (["net.onnx", "--input", "=x.npy"], "expected NAME=FILE.npy, got '=x.npy'"),
            (
                ["net.onnx", "--input", "data=x.npy", "--input", "data=y.npy"],
                "expected each name once, got 'data' twice",
            ),
            (["net.onnx", "--input", "data=x.npy", "--output", "output="], "expected NAME=FILE.npy, got 'output='"),
            (["net.onnx", "--input", "data=x.npy", "--repeat", "0"], "Invalid value for '--repeat'"),
            (["net.onnx", "--input", "data=x.npy", "--tolerance", "-1"], "Invalid value for '--tolerance'"),
        ],
    )
    def test_usage(self, gluonnx, folder, arguments, message):
        result = gluonnx("run", *arguments)
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())

    def test_second_output_cannot_be_written(self, gluonnx, folder):
        result = gluonnx(
            *("run", "two.onnx", "--input", "data=x.npy"),
            *("--output", "output=o.npy", "--output", "negative=no/n.npy"),
        )
        assert result.exit_code == 1
        assert result.stderr == "error: no/n.npy: No such file or directory\n"
        assert names(folder) == ["net.onnx", "two.onnx", "x.npy", "y.npy"]


class TestNpy:
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        hnp.arrays(
            st.sampled_from([np.float32, np.float16, np.int8, np.uint64, np.bool_, np.complex64]),
            hnp.array_shapes(min_dims=0, min_side=0, max_side=3),
        )
    )
    def test_round_trip(self, tmp_path, array):
        path = tmp_path / "a.npy"
        write_arrays({path: array})
        read = read_array(path)
        assert (read.dtype, read.shape) == (array.dtype, array.shape)
        assert read.tobytes() == array.tobytes()

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    @pytest.mark.filterwarnings("ignore::UserWarning", "ignore::SyntaxWarning", "ignore::DeprecationWarning")
    def test_truncated_or_flipped(self, tmp_path, data):
        path = tmp_path / "a.npy"
        np.save(path, DATA)
        content = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            content = content[: data.draw(st.integers(0, len(content) - 1))]
        else:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        try:
            array = read_array(path)
        except CommandError as err:
            message = str(err)
        else:
            assert array.nbytes <= len(content)
            return
        assert "a.npy: not a .npy file of numbers: expected an array" in message

    def test_a_header_larger_than_the_file(self, tmp_path):
        path = tmp_path / "a.npy"
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 1 << 10)}
            )
        with pytest.raises(CommandError, match=r"got: 0 bytes of data where shape \(1099511627776, 1024\) needs"):
            read_array(path)

    @pytest.mark.parametrize("array", [np.array([{}], object), np.array(["text"]), np.zeros(1, [("a", "f4")])])
    def test_only_numbers(self, tmp_path, array):
        np.save(tmp_path / "a.npy", array, allow_pickle=True)
        with pytest.raises(CommandError, match=r"a\.npy: not a \.npy file of numbers: .* got: dtype "):
            read_array(tmp_path / "a.npy")

    def test_replaces_a_file_and_keeps_what_is_there_on_failure(self, tmp_path):
        path = tmp_path / "a.npy"
        write_arrays({path: DATA})
        write_arrays({path: DATA + 1})
        np.testing.assert_array_equal(np.load(path), DATA + 1)
        with pytest.raises(ValueError, match=r"allow_pickle=False"):
            write_arrays({path: np.array([{}], object)})
        np.testing.assert_array_equal(np.load(path), DATA + 1)
        assert names(tmp_path) == ["a.npy"]

    def test_mode_follows_the_umask(self, tmp_path):
        write_arrays({tmp_path / "a.npy": DATA})
        (tmp_path / "plain").write_bytes(b"")
        assert stat.S_IMODE((tmp_path / "a.npy").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)

    def test_a_device_is_written_to_not_replaced(self, tmp_path):
        null = tmp_path / "null"
        null.symlink_to(os.devnull)
        write_arrays({null: DATA})
        assert null.is_symlink()
        assert names(tmp_path) == ["null"]
