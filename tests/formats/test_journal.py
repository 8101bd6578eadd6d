"""Files that belong together: what a stopped writer left, full disks, two writers, interrupts."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gluonnx.errors import FileAccessError
from gluonnx.formats import FileSet, read_bytes
from gluonnx.formats.files import write_bytes_atomic
from gluonnx.formats.journal import Journal, folder_lock, is_abandoned, lock_file, settle, staging_name

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="no locks")


def write(folder, text, names="ab"):
    with FileSet() as files:
        for name in names:
            files.create(folder / name).write(text)


def names_in(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def stopped(tmp_path):
    """A folder whose writer was stopped after the first of two renames."""
    write(tmp_path, b"old")
    staged = {name: tmp_path / f".gluonnx-{number:016x}.tmp" for number, name in enumerate("ab")}
    for path in staged.values():
        path.write_bytes(b"new")
    Journal({tmp_path / name: path for name, path in staged.items()})
    staged["a"].replace(tmp_path / "a")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"new", b"old")
    return tmp_path


@pytest.mark.parametrize("name", ["a", "b"])
def test_whoever_reads_finishes_it(stopped, name):
    assert read_bytes(stopped / name, 10) == b"new"
    assert (stopped / "b").read_bytes() == b"new"
    assert names_in(stopped) == ["a", "b"]


def test_whoever_writes_one_finishes_it_first(stopped):
    write_bytes_atomic(stopped / "a", b"newest")
    assert (stopped / "b").read_bytes() == b"new"
    assert names_in(stopped) == ["a", "b"]


def test_a_link_leads_to_the_journal(stopped, tmp_path_factory):
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(stopped / "b")
    assert read_bytes(link, 10) == b"new"


def test_a_folder_that_cannot_be_written_is_told(stopped, monkeypatch):
    def deny(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", deny)
    with pytest.raises(
        FileAccessError,
        match=r"stopped before all of them were in place: .* got new a and old b; .*`Permission denied`\. Make ",
    ) as caught:
        read_bytes(stopped / "a", 10)
    assert caught.value.errno == errno.EACCES


def test_a_journal_that_was_not_finished_is_undone(tmp_path):
    write(tmp_path, b"old")
    staged = {name: tmp_path / f".gluonnx-{number:016x}.tmp" for number, name in enumerate("ab")}
    for path in staged.values():
        path.write_bytes(b"new")
    Journal({tmp_path / name: path for name, path in staged.items()})
    (journal,) = [p for p in tmp_path.iterdir() if p.name == staging_name(Path("b")).replace(".tmp", ".journal")]
    journal.unlink()  # who read `b` saw the old one
    assert read_bytes(tmp_path / "a", 10) == b"old"
    assert names_in(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    "renames",
    [
        {"a": ".gluonnx-0000000000000000.tmp", "../victim": ".gluonnx-0000000000000001.tmp"},
        {"a": ".gluonnx-0000000000000000.tmp", "b": "../other"},
        {"a": ".gluonnx-0000000000000000.tmp", "b": "a"},
        {"a": 3},
        ["a"],
    ],
)
def test_a_journal_from_elsewhere_moves_nothing_else(tmp_path, renames):
    folder = tmp_path / "model"
    folder.mkdir()
    write(folder, b"old")
    for path in (tmp_path / "victim", tmp_path / "other"):
        path.write_bytes(b"mine")
    for number in range(2):
        (folder / f".gluonnx-{number:016x}.tmp").write_bytes(b"new")
    journal = folder / staging_name(Path("a")).replace(".tmp", ".journal")
    journal.write_text(json.dumps({"renames": renames}))
    settle(folder / "a")
    assert [(folder / "a").read_bytes(), (folder / "b").read_bytes()] == [b"old", b"old"]
    assert [(tmp_path / n).read_bytes() for n in ("victim", "other")] == [b"mine", b"mine"]


def test_a_journal_does_not_follow_links(tmp_path):
    write(tmp_path, b"old")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / ".gluonnx-0000000000000000.tmp").symlink_to(tmp_path / "secret")
    Journal({tmp_path / "a": tmp_path / ".gluonnx-0000000000000000.tmp"})
    settle(tmp_path / "a")
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_reader_waits_for_a_writer(tmp_path):
    write(tmp_path, b"old")
    staged = {name: tmp_path / f".gluonnx-{number:016x}.tmp" for number, name in enumerate("ab")}
    for path in staged.values():
        path.write_bytes(b"new")
    found = []
    with folder_lock(tmp_path) as is_locked:
        assert is_locked
        journal = Journal({tmp_path / name: path for name, path in staged.items()})
        reader = threading.Thread(target=lambda: found.append(read_bytes(tmp_path / "b", 10)))
        reader.start()
        time.sleep(0.05)
        assert found == []
        for name, path in staged.items():
            path.replace(tmp_path / name)
        journal.remove()
    reader.join(10)
    assert found == [b"new"]


def test_what_a_killed_writer_left_makes_way_and_a_living_ones_stays(tmp_path):
    left = tmp_path / staging_name(tmp_path / "a")
    left.write_bytes(b"half")
    assert is_abandoned(left)
    write_bytes_atomic(tmp_path / "a", b"1")
    assert names_in(tmp_path) == ["a"]
    with FileSet() as first, FileSet() as second:  # two at once: the one that ends last stays
        first.create(tmp_path / "a").write(b"2")
        living = next(p for p in tmp_path.iterdir() if p.name.startswith("."))
        assert not is_abandoned(living)
        second.create(tmp_path / "a").write(b"3")
        assert len(names_in(tmp_path)) == 3
    assert names_in(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"2"


def test_a_lock_ends_with_its_descriptor(tmp_path):
    path = tmp_path / "x"
    with path.open("wb") as file:
        held = lock_file(file.fileno())
        assert held is not None
        assert lock_file(os.open(path, os.O_RDWR)) is None
        assert not is_abandoned(path)
        os.close(held)
    assert is_abandoned(path)
    assert not is_abandoned(tmp_path / "none")


def test_retarget_and_outdate(tmp_path):
    import re

    for name in ("x.1.data", "x.2.data", "xy1.data", "x.1.data.old"):
        (tmp_path / name).write_bytes(b"earlier")
    with FileSet() as files:
        files.create(tmp_path / ".x.data").write(b"new")
        assert files.retarget(tmp_path / ".x.data", "x.3.data") == tmp_path / "x.3.data"
        files.outdate(tmp_path, re.compile(r"x\.\d\.data"))
        assert files.staged_path(tmp_path / "x.3.data").read_bytes() == b"new"
        assert (tmp_path / "x.1.data").exists()
    assert names_in(tmp_path) == ["x.1.data.old", "x.3.data", "xy1.data"]
    (tmp_path / "x.4.data").mkdir()
    with FileSet() as files:
        files.create(tmp_path / ".x.data")
        with pytest.raises(FileAccessError, match=r"x\.4\.data: cannot be replaced: expected a file, got a folder"):
            files.retarget(tmp_path / ".x.data", "x.4.data")


def test_a_path_without_a_name():
    with pytest.raises(FileAccessError, match="Is a directory"):
        read_bytes("/", 10)
    with pytest.raises(FileAccessError, match="/: cannot be replaced: expected a file, got a folder"):
        write_bytes_atomic("/", b"x")


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileAccessError, match="pipe: cannot be replaced: expected a file, got a device or pipe"):
        write(tmp_path, b"x", ["a", "pipe"])
    assert names_in(tmp_path) == ["pipe"]


# Writers in a process of its own: files may have 40,000 bytes, so each fails with its large arrays. After that the same
# for an interrupt in the middle.
FULL = """
import os, resource, signal, sys
sys.path[:0] = [{root!r}, {root!r} + "/runtime", {root!r} + "/cli"]
import numpy as np
import gluonnx as mx
from gluonnx.errors import FileAccessError
from gluonnx.gluon import nn
from gluonnx.onnx import import_to_files

net = nn.Dense(256, in_units=256, prefix="d_")
net.initialize()
net.hybridize()
net(mx.nd.ones((1, 256)))
arrays = {{"w": mx.nd.ones((256, 256))}}
net.export("given")

def records():
    with mx.recordio.MXIndexedRecordIO("r.idx", "r.rec", "w") as record:
        for i in range(100):
            record.write_idx(i, bytes(1000))

WRITERS = {{
    "export": lambda: net.export("net"),
    "export, two files": lambda: net.export("net", external_data=True),
    "nd.save": lambda: mx.nd.save("x.params", arrays),
    "safetensors": lambda: mx.nd.save("x.safetensors", arrays),
    "save_parameters": lambda: net.save_parameters("p.params"),
    "save": lambda: net.save("saved"),
    "import": lambda: import_to_files("given-0000.onnx", "back"),
    "records": records,
}}
before = sorted(os.listdir("."))
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
for name, write in WRITERS.items():
    try:
        write()
    except FileAccessError as err:
        assert "cannot be written" in str(err) and "File too large" in str(err), (name, err)
    else:
        raise AssertionError(name)
    left = [p for p in sorted(os.listdir(".")) if p not in before and not p.startswith("r.")]
    assert not left, (name, left)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

calls = 0
def interrupt(event, args):
    global calls
    if event == "os.rename" and calls is not None:
        calls += 1
        if calls == at:
            calls = None
            raise KeyboardInterrupt

sys.addaudithook(interrupt)
for at in range(1, 10):
    calls = 0
    try:
        net.export("given")
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError(at)
    calls = None
    assert sorted(os.listdir(".")) == sorted([*before, "r.idx", "r.rec"]), (at, os.listdir("."))
    mx.gluon.SymbolBlock.imports("given-0000.onnx")
print("done")
"""


def test_full_disk_and_interrupt(tmp_path):
    """Each writer says what is wrong and leaves nothing behind; Ctrl-C between two renames leaves the old files."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FULL.format(root=str(ROOT))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"


def test_two_processes_write_the_same_files(tmp_path):
    """Whoever comes last wins, with all of its files; nothing is left over."""
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'runtime')!r}]\n"
        "from gluonnx.formats import FileSet\n"
        "for _ in range(25):\n"
        "    with FileSet() as files:\n"
        "        for name in 'abc':\n"
        "            files.create(name).write(sys.argv[1].encode() * 1000)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, text], cwd=tmp_path, stderr=subprocess.PIPE) for text in "xy"
    ]
    for writer in writers:
        _, error = writer.communicate(timeout=120)
        assert writer.returncode == 0, error
    (content,) = {read_bytes(tmp_path / name, 10_000) for name in "abc"}
    assert content in (b"x" * 1000, b"y" * 1000)
    assert names_in(tmp_path) == ["a", "b", "c"]


def test_a_terminated_process_leaves_the_old_file(tmp_path):
    write_bytes_atomic(tmp_path / "a", b"old")
    code = (
        f"import sys, time; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'runtime')!r}]\n"
        "from gluonnx.formats import atomic_write\n"
        "with atomic_write('a') as file:\n"
        "    file.write(b'half'); file.flush(); print('ready', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    writer.send_signal(signal.SIGTERM)
    writer.communicate(timeout=60)
    assert (tmp_path / "a").read_bytes() == b"old"
    write_bytes_atomic(tmp_path / "a", b"new")
    assert names_in(tmp_path) == ["a"]
