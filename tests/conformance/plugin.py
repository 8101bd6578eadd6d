"""The pytest plugin of a test process: `mxnet` is gluonnx, every test is reported and has a time limit.

It reads its orders from the environment: CONFORMANCE_REPORT (the file that it writes a JSON line to for each event),
CONFORMANCE_TIMEOUT (seconds a test) and CONFORMANCE_DONE (tests that an earlier process of the file has run).
"""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from conformance import old_names

import gluonnx

MESSAGE_LENGTH = 300

old_names.restore()
gluonnx.install_as_mxnet()


class TestTimeout(BaseException):
    """A test took too long. Not an Exception, so that no test catches it."""

    __test__ = False


class Reporter:
    """Writes an event when a test starts and when it ends."""

    def __init__(self) -> None:
        self._path = Path(os.environ["CONFORMANCE_REPORT"])
        self._timeout_s = float(os.environ["CONFORMANCE_TIMEOUT"])
        self._done = set(json.loads(os.environ["CONFORMANCE_DONE"]))

    def write(self, **event) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def pytest_collection_modifyitems(self, items) -> None:
        self.write(event="collected", tests=[test_name(item.nodeid) for item in items])
        items[:] = [item for item in items if test_name(item.nodeid) not in self._done]

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.write(event="uncollected", reason=last_line(str(report.longrepr)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        name = test_name(item.nodeid)
        self.write(event="start", test=name)
        self._outcome, self._reason = "pass", ""
        started = time.monotonic()
        try:
            return (yield)
        finally:
            seconds = round(time.monotonic() - started, 3)
            self.write(event="end", test=name, outcome=self._outcome, reason=self._reason, seconds=seconds)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        def stop(*_):
            raise TestTimeout(f"more than {self._timeout_s:g} s")

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, self._timeout_s)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def pytest_runtest_logreport(self, report) -> None:
        if report.skipped and self._outcome == "pass":
            self._outcome, self._reason = "skip", str(report.longrepr[-1] if report.longrepr else "")
        elif report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = crash.message if crash is not None else str(report.longrepr)
            is_late = "TestTimeout" in message
            self._outcome, self._reason = ("timeout" if is_late else "fail"), brief(message)


def pytest_configure(config) -> None:
    """Register the reporter."""
    config.pluginmanager.register(Reporter(), "conformance-reporter")


def test_name(nodeid: str) -> str:
    """The test's name without its file."""
    return nodeid.split("::", 1)[-1]


test_name.__test__ = False


def brief(message: str) -> str:
    """The first lines of a message, as one."""
    return " ".join(message.split())[:MESSAGE_LENGTH]


def last_line(text: str) -> str:
    """The error of a traceback."""
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return brief(errors[-1] if errors else text.strip().splitlines()[-1])
