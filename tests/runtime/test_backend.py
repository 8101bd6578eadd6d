import os
import subprocess
import sys

import pytest
from gluonnx_runtime import backend

STANDALONE = """
import importlib.abc, sys
import numpy as np

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "gluonnx", "gluonnx_cli", "onnx"):
            raise AssertionError("imported " + name)

sys.meta_path.insert(0, Blocker())
import gluonnx_runtime
session = gluonnx_runtime.Session(sys.argv[1])
print(session(np.ones((1, 4), np.float32)).tolist())
print(session.run_dlpack({"data": np.ones((1, 4), np.float32)})["output"].numpy().tolist())
binding = session.bind()
output = np.empty((1, 3), np.float32)
binding.bind_input("data", np.ones((1, 4), np.float32))
binding.bind_output("output", output)
binding.run()
print(output.tolist())
try:
    import torch
except AssertionError as error:
    print(error)
"""


def test_works_in_a_fresh_process_without_torch_and_gluonnx(gemm, tmp_path):
    (tmp_path / "net.onnx").write_bytes(gemm)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STANDALONE, "net.onnx"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    answer = "[[22.5, 25.5, 30.25]]"
    assert done.stdout.splitlines() == [answer, answer, answer, "imported torch"]
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("cards", "prints"),
    [
        ({}, False),
        ({"card0": True}, False),
        ({"card0": True, "card1": False}, True),
        ({"card0-HDMI-A-1": False}, False),
    ],
)
def test_prints_on_import_where_an_adapter_has_no_vendor(tmp_path, cards, prints):
    for name, has_vendor in cards.items():
        (tmp_path / name / "device").mkdir(parents=True)
        if has_vendor:
            (tmp_path / name / "device" / "vendor").write_text("0x10de\n")
    assert backend.prints_on_import(tmp_path) is prints
    assert backend.prints_on_import(tmp_path / "not-there") is False


def test_only_marked_lines_are_dropped(capfd):
    with backend.without_stderr_lines(b"device_discovery.cc"):
        os.write(2, b"first\n\x1b[0;93m[W:onnxruntime, device_discovery.cc:164] failed\n\x1b[m\n\nlast")
    assert capfd.readouterr().err == "first\n\nlast"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_lines_survive_an_error(capfd):
    def fail():
        with backend.without_stderr_lines(b"device_discovery.cc"):
            os.write(2, b"why\n")
            raise ImportError("broken")

    with pytest.raises(ImportError, match=r"broken"):
        fail()
    assert capfd.readouterr().err == "why\n"


def test_loading_in_silence(tmp_path, monkeypatch, capfd):
    (tmp_path / "card0" / "device").mkdir(parents=True)
    fake = tmp_path / "onnxruntime"
    (fake / "capi").mkdir(parents=True)
    noise = "import os\nos.write(2, b'[W:onnxruntime:Default, device_discovery.cc:164] failed\\nsomething else\\n')\n"
    (fake / "__init__.py").write_text(noise)
    (fake / "capi" / "__init__.py").write_text("")
    (fake / "capi" / "onnxruntime_pybind11_state.py").write_text("")
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnxruntime"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    ort, state = backend.load_onnxruntime(tmp_path)
    assert (ort.__name__, state.__name__) == ("onnxruntime", "onnxruntime.capi.onnxruntime_pybind11_state")
    assert capfd.readouterr() == ("", "something else\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnxruntime"]:
        del sys.modules[name]
