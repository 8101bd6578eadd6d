import io
import sys

import pytest
from gluonnx_cli import progress
from gluonnx_cli.progress import ProgressLine, shown_progress

from gluonnx.formats.progress import Steps


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    monkeypatch.setattr(progress, "INTERVAL_S", 0.0)


def test_a_line_that_goes_when_the_work_is_done(impatient, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with shown_progress():
        steps = Steps("writing net.onnx", 200_000_000)
        steps.add(50_000_000)
        steps.add(150_000_000)
    shown = sys.stderr.getvalue().split("\r\x1b[K")
    assert shown == [
        "",
        "[------------------------]   0% of 200 MB, writing net.onnx",
        "[######------------------]  25% of 200 MB, writing net.onnx",
        "[########################] 100% of 200 MB, writing net.onnx",
        "",
    ]


def test_quick_work_shows_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with shown_progress():
        Steps("writing net.onnx", 10).add(10)
    assert sys.stderr.getvalue() == ""


def test_the_line_goes_after_an_error_too(impatient, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    def fail():
        with shown_progress():
            Steps("writing net.onnx", 10).add(5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert sys.stderr.getvalue().endswith("writing net.onnx\r\x1b[K")


def test_nothing_where_nobody_watches(impatient, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with shown_progress():
        Steps("writing net.onnx", 10).add(10)
    assert sys.stderr.getvalue() == ""


def test_work_of_no_size_shows_nothing(impatient):
    stream = Terminal()
    line = ProgressLine(stream)
    line("writing net.onnx", 0, 0)
    line.erase()
    assert stream.getvalue() == ""
