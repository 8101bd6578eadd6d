"""Run MXNet's own unit tests on gluonnx and compare with what real MXNet 1.9.1 does.

    python tests/conformance/run.py FOLDER [test_file ...] [--jobs 2] [--timeout 180] [--json]

FOLDER holds `tests/python/unittest` (and, beside it, `common`) of apache/mxnet, branch v1.9.1. A line per file goes to
stdout: the tests that pass here, those that pass with real MXNet, and the tests lost. Progress goes to stderr.
Exit code: 0 nothing is lost, 1 some tests are lost, 2 the command line or a file it names is wrong.
"""

import argparse
import json
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conformance import baseline as baselines
from conformance.process import REPOSITORY, FileResult, Result, run_file

TIMEOUT_S = 180.0
SEED = 1


class Progress:
    """What runs now, on one line of stderr; nothing if that is no terminal."""

    def __init__(self, files: int) -> None:
        self._files = files
        self._done = 0
        self._tests = 0
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self, file: str, test: str) -> None:
        with self._lock:
            self._tests += 1
            self._running[file] = test
            self._draw()

    def end(self, file: str) -> None:
        with self._lock:
            self._done += 1
            self._running.pop(file, None)
            self._draw()

    def clear(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")

    def _draw(self) -> None:
        if sys.stderr.isatty():
            now = ", ".join(f"{file.removesuffix('.py')}: {test}" for file, test in sorted(self._running.items()))
            sys.stderr.write(f"\r\x1b[K{self._done}/{self._files} files, {self._tests} tests  {now}"[:160])
            sys.stderr.flush()


def summarize(result: FileResult, baseline: baselines.Baseline) -> dict[str, object]:
    """Compare a file's results with the baseline."""
    expected = baseline.passes[result.file]
    excused = {test: baseline.not_applicable.get((result.file, test)) for test in expected}
    lost, passed = [], []
    for test in expected:
        found = result.tests.get(test, Result("missing", result.problem or "not collected"))
        if found.outcome == "pass":
            passed.append(test)
        elif excused[test] is None:
            lost.append({"test": test, "outcome": found.outcome, "reason": found.reason, "seconds": found.seconds})
    return {
        "file": result.file,
        "ours": len(passed),
        "mxnet": len(expected),
        "not_applicable": [test for test in expected if excused[test] is not None and test not in passed],
        "pass_but_listed": [test for test in passed if excused[test] is not None],
        "lost": lost,
        "problem": result.problem,
        "seconds": round(sum(r.seconds for r in result.tests.values()), 1),
    }


def line(summary: dict[str, object], *, verbose: bool) -> str:
    """The line of a file."""
    lost = summary["lost"]
    excused = summary["not_applicable"]
    text = f"{summary['file']:<32} {summary['ours']:>3} / {summary['mxnet']:<3} {summary['seconds']:>7} s"
    if excused:
        text += f"  {len(excused)} not applicable"
    if lost:
        text += f"  lost {len(lost)}: " + ", ".join(entry["test"] for entry in lost)
    if summary["pass_but_listed"]:
        text += "  LISTED BUT PASS: " + ", ".join(summary["pass_but_listed"])
    if summary["problem"]:
        text += f"\n    {summary['problem']}"
    if verbose:
        text += "".join(f"\n    {e['test']}: {e['outcome']}: {e['reason']}" for e in lost)
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what a command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", type=Path, help="tests/python/unittest of apache/mxnet, branch v1.9.1")
    parser.add_argument("files", nargs="*", help="test files; all of the baseline if none is named")
    parser.add_argument("--baseline", type=Path, default=REPOSITORY.parent / "shared" / "conformance")
    parser.add_argument("--not-applicable", type=Path, default=baselines.NOT_APPLICABLE)
    parser.add_argument("--jobs", type=int, default=2, help="files at the same time")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, help="seconds a test")
    parser.add_argument("--seed", type=int, default=SEED, help="of the tests' random numbers")
    parser.add_argument("--only", help="tests whose names match, as pytest's -k")
    parser.add_argument("--logs", type=Path, help="folder for pytest's full output")
    parser.add_argument("--verbose", action="store_true", help="a line for each lost test too")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout instead of lines")
    options = parser.parse_intermixed_args(arguments)
    try:
        baseline = baselines.read(options.baseline, options.not_applicable)
    except (OSError, ValueError) as err:
        parser.error(str(err))
    files = [Path(name).name for name in options.files] or list(baseline.passes)
    for file in files:
        if file not in baseline.passes:
            parser.error(f"{file}: not in the baseline: expected one of {', '.join(baseline.passes)}.")
        if not (options.folder / file).is_file():
            parser.error(f"{options.folder / file}: no such file. FOLDER is tests/python/unittest of apache/mxnet.")
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    progress = Progress(len(files))

    def run(file: str) -> dict[str, object]:
        result = run_file(
            options.folder.resolve(),
            file,
            options.timeout,
            options.seed,
            options.logs,
            options.only,
            on_test=lambda test: progress.start(file, test),
        )
        progress.end(file)
        return summarize(result, baseline)

    summaries = []
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for summary in pool.map(run, files):
            summaries.append(summary)
            if not options.json:
                progress.clear()
                print(line(summary, verbose=options.verbose), flush=True)
    progress.clear()
    totals = {key: sum(s[key] for s in summaries) for key in ("ours", "mxnet")}
    totals |= {key: sum(len(s[key]) for s in summaries) for key in ("not_applicable", "lost")}
    if options.json:
        print(json.dumps({"files": summaries, "total": totals}, indent=1))
    else:
        print(
            f"{'total':<32} {totals['ours']:>3} / {totals['mxnet']:<3}  {totals['not_applicable']} not applicable, "
            f"{totals['lost']} lost"
        )
    return 1 if totals["lost"] else 0


if __name__ == "__main__":
    sys.exit(main())
