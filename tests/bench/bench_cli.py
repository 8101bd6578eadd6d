"""How long the command line takes to answer: `--help` and `--version`, as whole processes; aim: under 0.3 s."""

import statistics
import subprocess
import sys
import time

REPEAT = 9


def seconds(*arguments: str) -> list[float]:
    """Return the wall time of each run."""
    times = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Print the table."""
    print(f"{'command':22} {'min s':>7} {'median s':>9}")
    for name, arguments in (
        ("python -c pass", ("-c", "pass")),
        ("gluonnx --version", ("-m", "gluonnx_cli", "--version")),
        ("gluonnx --help", ("-m", "gluonnx_cli", "--help")),
        ("gluonnx run --help", ("-m", "gluonnx_cli", "run", "--help")),
    ):
        times = seconds(*arguments)
        print(f"{name:22} {min(times):7.3f} {statistics.median(times):9.3f}")


if __name__ == "__main__":
    main()
