"""One test file in processes of its own: a test that hangs or kills its process costs itself only."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
POLL_S = 0.2
START_LIMIT_S = 120.0  # imports and collection
GRACE_S = 10.0  # after a test's own limit, for C++ code that no signal interrupts


@dataclass
class Result:
    """Attributes:
    outcome: `pass`, `fail`, `skip`, `timeout` or `crash`.
    reason: The error in one line.
    seconds: How long the test took.
    """

    outcome: str
    reason: str = ""
    seconds: float = 0.0


@dataclass
class FileResult:
    """Attributes:
    file: Name of the test file.
    tests: Results by test.
    problem: Why tests are missing: an error of the file itself.
    """

    file: str
    tests: dict[str, Result] = field(default_factory=dict)
    problem: str = ""


def run_file(
    folder: Path,
    file: str,
    timeout_s: float,
    seed: int,
    logs: Path | None = None,
    only: str | None = None,
    on_test: Callable[[str], None] = lambda test: None,
) -> FileResult:
    """Run a test file; go on in a new process after a crash or a hang.

    Args:
        folder: Where the file and those that it imports are.
        file: Its name.
        timeout_s: Limit of each test.
        seed: Of the tests' random numbers.
        logs: Folder for pytest's full output, None for none.
        only: Run the tests whose names match (pytest's -k).
        on_test: Called with the name of a test when it starts.
    """
    result = FileResult(file)
    with tempfile.TemporaryDirectory(prefix="conformance-") as work:
        while True:
            done = sorted(result.tests)
            running = _run_once(folder, file, timeout_s, seed, Path(work), done, logs, only, result, on_test)
            if running is None:
                return result


def _run_once(
    folder: Path,
    file: str,
    timeout_s: float,
    seed: int,
    work: Path,
    done: list[str],
    logs: Path | None,
    only: str | None,
    result: FileResult,
    on_test: Callable[[str], None],
) -> str | None:
    """Run one process; return the test that ended it before its time, None if all tests have run."""
    report = work / "report.jsonl"
    report.write_text("")
    ini = work / "pytest.ini"
    ini.write_text("[pytest]\n")
    log = (logs / f"{file}.{len(done)}.log") if logs else work / "output.log"
    command = [sys.executable, "-m", "pytest", "-p", "conformance.plugin", "-p", "no:cacheprovider", "-c", str(ini)]
    command += ["--rootdir", str(folder), "-q", "--tb=short", str(folder / file)]
    if only:
        command += ["-k", only]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=_scratch(work), env=_environment(report, timeout_s, seed, done), stdout=output, stderr=output
        )
        running = _follow(process, report, timeout_s, result, on_test)
    if running is not None:
        if running not in result.tests:
            result.tests[running] = Result("crash", f"the process ended with exit code {process.returncode}")
        return running
    if process.returncode not in (0, 1, 5) and not result.problem:
        result.problem = f"pytest ended with exit code {process.returncode}: {_tail(log)}"
    return None


def _follow(
    process: "subprocess.Popen[bytes]",
    report: Path,
    timeout_s: float,
    result: FileResult,
    on_test: Callable[[str], None],
) -> str | None:
    """Read events until the process ends; return the test that was running then, if any."""
    running: str | None = None
    since = time.monotonic()
    events = _events(report)
    while True:
        has_ended = process.poll() is not None
        for event in events:
            if event is None:
                break
            since = time.monotonic()
            if event["event"] == "start":
                running = event["test"]
                on_test(running)
            elif event["event"] == "end":
                result.tests[event["test"]] = Result(event["outcome"], event["reason"], event["seconds"])
                running = None
            elif event["event"] == "uncollected":
                result.problem = event["reason"]
        if has_ended:
            return running
        limit_s = START_LIMIT_S if running is None else timeout_s + GRACE_S
        if time.monotonic() - since > limit_s:
            process.kill()
            process.wait()
            if running is None:
                result.problem = f"nothing ran for {limit_s:g} s"
                return None
            result.tests[running] = Result("timeout", f"more than {timeout_s:g} s, and not to be interrupted", limit_s)
            return running
        time.sleep(POLL_S)


def _events(report: Path) -> Iterator[dict[str, object] | None]:
    """Events as they are written; None when there is none yet."""
    with report.open(encoding="utf-8") as file:
        rest = ""
        while True:
            rest += file.readline()
            if rest.endswith("\n"):
                yield json.loads(rest)
                rest = ""
            else:
                yield None


def _environment(report: Path, timeout_s: float, seed: int, done: list[str]) -> dict[str, str]:
    paths = [REPOSITORY, REPOSITORY / "cli", REPOSITORY / "runtime", REPOSITORY / "tests"]
    given = os.environ.get("PYTHONPATH")
    return {
        "OMP_NUM_THREADS": "1",
        **os.environ,
        "CONFORMANCE_DONE": json.dumps(done),
        "CONFORMANCE_REPORT": str(report),
        "CONFORMANCE_TIMEOUT": str(timeout_s),
        "MXNET_MODULE_SEED": str(seed),
        "MXNET_TEST_SEED": str(seed),
        "PYTHONPATH": os.pathsep.join([*map(str, paths), *([given] if given else [])]),
    }


def _scratch(work: Path) -> Path:
    """The working folder of the tests: some write files there."""
    folder = work / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no output"
