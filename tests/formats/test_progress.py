import io

import numpy as np

from gluonnx.formats import read_params, read_safetensors, write_params, write_safetensors
from gluonnx.formats.progress import Steps, reporting, write_chunks

ARRAYS = {"a": np.zeros(1000, np.float32), "b": np.ones((10, 10), np.float64)}


def test_nobody_listens():
    steps = Steps("nothing", 3)
    steps.add(3)


def test_each_part_is_told():
    heard, seen, file = [], [], io.BytesIO()
    with reporting(lambda *step: heard.append(step)):
        write_chunks(
            file, [b"abc", memoryview(b"de"), b""], Steps("writing x", 5), lambda part: seen.append(bytes(part))
        )
    assert heard == [("writing x", 0, 5), ("writing x", 3, 5), ("writing x", 5, 5)]
    assert file.getvalue() == b"".join(seen) == b"abcde"
    Steps("after it", 1).add(1)
    assert len(heard) == 3


def test_large_chunks_are_written_in_parts(monkeypatch):
    heard, file = [], io.BytesIO()
    monkeypatch.setattr("gluonnx.formats.progress.PART_BYTES", 4)
    with reporting(lambda *step: heard.append(step[1])):
        write_chunks(file, [b"0123456789"], Steps("writing x", 10))
    assert heard == [0, 4, 8, 10]
    assert file.getvalue() == b"0123456789"


def test_files_of_arrays(tmp_path):
    heard = []
    with reporting(lambda *step: heard.append(step)):
        write_params(tmp_path / "x.params", ARRAYS)
        read_params(tmp_path / "x.params")
        write_safetensors(tmp_path / "x.safetensors", ARRAYS)
        read_safetensors(tmp_path / "x.safetensors")
    for what in ("writing", "reading"):
        for name in ("x.params", "x.safetensors"):
            steps = [(done, total) for text, done, total in heard if text == f"{what} {tmp_path / name}"]
            assert steps[0][0] == 0
            assert steps[-1][0] >= 4800
            assert [done for done, _ in steps] == sorted(done for done, _ in steps)
            assert len({total for _, total in steps}) == 1
