"""The runner, on a folder of toy tests and a toy baseline."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conformance import baseline, run

RUN = Path(__file__).with_name("run.py")

TOY = """
import os, time, unittest
import mxnet as mx
import numpy as np
from nose.tools import raises

def test_passes():
    assert mx.nd.ones(2).sum().asscalar() == 2 and np.float is float

@raises(ValueError)
def test_raises():
    raise ValueError

def test_fails():
    assert 1 == 2, "the reason"

def test_kills_its_process():
    os._exit(3)

def test_hangs():
    while True:
        try:
            time.sleep(60)
        except Exception:
            pass

@unittest.skip("why")
def test_skipped():
    pass

def test_excused():
    assert False

def test_last():
    pass
"""
TESTS = ["passes", "raises", "fails", "kills_its_process", "hangs", "skipped", "excused", "last", "gone"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "test_toy.py").write_text(TOY)
    (tmp_path / "test_broken.py").write_text("import no_such_module_at_all\n")
    rows = ["file\ttest\tmxnet_1_9_1\tseconds", *(f"test_toy.py\ttest_{name}\tpass\t0.1" for name in TESTS)]
    rows += ["test_toy.py\ttest_also_fails_there\tfail\t0.1", "test_broken.py\ttest_any\tpass\t0.1"]
    (tmp_path / baseline.BASELINE_NAME).write_text("\n".join(rows) + "\n")
    (tmp_path / "excused.tsv").write_text("test\treason\ntest_toy.py::test_excused\tfor the test\n")
    return tmp_path


def command(folder, *options):
    return [sys.executable, str(RUN), str(folder), "--baseline", str(folder), "--timeout", "3", *options]


def test_results_survive_crashes_and_hangs(folder):
    done = subprocess.run(
        command(
            folder,
            "--not-applicable",
            str(folder / "excused.tsv"),
            "--json",
            "--jobs",
            "1",
            "--logs",
            str(folder / "logs"),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["total"] == {"ours": 3, "mxnet": 10, "not_applicable": 1, "lost": 6}
    toy, broken = report["files"]
    lost = {entry["test"]: (entry["outcome"], entry["reason"]) for entry in toy["lost"]}
    assert lost["test_fails"] == ("fail", "AssertionError: the reason assert 1 == 2")
    assert lost["test_kills_its_process"] == ("crash", "the process ended with exit code 3")
    assert lost["test_hangs"][0] == "timeout"
    assert "more than 3 s" in lost["test_hangs"][1]
    assert lost["test_skipped"] == ("skip", "Skipped: why")
    assert lost["test_gone"] == ("missing", "not collected")
    assert toy["not_applicable"] == ["test_excused"]
    assert "No module named 'no_such_module_at_all'" in broken["problem"]
    assert broken["lost"][0]["outcome"] == "missing"
    assert (folder / "logs" / "test_toy.py.0.log").read_text()


def test_lines():
    summary = {
        "file": "test_a.py",
        "ours": 3,
        "mxnet": 6,
        "not_applicable": ["test_x"],
        "pass_but_listed": ["test_y"],
        "lost": [{"test": "test_z", "outcome": "fail", "reason": "E", "seconds": 1.0}],
        "problem": "",
        "seconds": 1.5,
    }
    text = run.line(summary, verbose=True)
    assert text.split()[:6] == ["test_a.py", "3", "/", "6", "1.5", "s"]
    assert "1 not applicable  lost 1: test_z  LISTED BUT PASS: test_y" in text
    assert text.endswith("    test_z: fail: E")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a\tb\tc\n", "expected 4 columns, got 3"),
        ("a\tb\tc\td\n", "expected columns file, test, mxnet_1_9_1, seconds"),
    ],
)
def test_damaged_baselines(tmp_path, rows, message):
    path = tmp_path / "b.tsv"
    path.write_text(rows)
    with pytest.raises(ValueError, match=message):
        baseline.read(path)


def test_damaged_lists_of_excuses(folder):
    path = folder / "list.tsv"
    path.write_text("test\treason\ntest_toy.py::test_other\tx\n")
    with pytest.raises(ValueError, match=r"expected a test that MXNet passes, got test_toy.py::test_other"):
        baseline.read(folder, path)
    path.write_text("test\treason\ntest_toy.py::test_fails\t \n")
    with pytest.raises(ValueError, match=r"test_toy\.py::test_fails: expected a reason, got none"):
        baseline.read(folder, path)


def test_wrong_command_lines(folder, capsys):
    base = [str(folder), "--baseline", str(folder), "--not-applicable", str(folder / "excused.tsv")]
    for arguments, message in (
        ([*base, "test_unknown.py"], "test_unknown.py: not in the baseline"),
        ([str(folder / "nowhere"), *base[1:], "test_toy.py"], "no such file"),
        ([str(folder), "--baseline", str(folder / "none.tsv")], "No such file"),
    ):
        with pytest.raises(SystemExit) as stopped:
            run.main(arguments)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err
