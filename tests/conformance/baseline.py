"""What real MXNet does with its tests, and which of them say nothing about gluonnx."""

from dataclasses import dataclass, field
from pathlib import Path

BASELINE_NAME = "mxnet-1.9.1-baseline.tsv"
NOT_APPLICABLE = Path(__file__).with_name("not_applicable.tsv")


@dataclass(frozen=True)
class Baseline:
    """Attributes:
    passes: Tests that real MXNet passes, by file, in order.
    not_applicable: The reason why a test says nothing about gluonnx, by (file, test).
    """

    passes: dict[str, list[str]]
    not_applicable: dict[tuple[str, str], str] = field(default_factory=dict)


def read(path: Path, not_applicable: Path = NOT_APPLICABLE) -> Baseline:
    """Read a baseline and the list of tests that do not apply.

    Args:
        path: The baseline, or the folder that it is in.
        not_applicable: The list: a line per test, `file::test`, a tab, the reason.

    Raises:
        ValueError: A file is not what it should be, or a test of the list is not one that MXNet passes.
    """
    path = path / BASELINE_NAME if path.is_dir() else path
    passes: dict[str, list[str]] = {}
    for number, cells in _rows(path, 4):
        file, test, outcome, _ = cells
        if number == 1:
            if cells[:3] != ["file", "test", "mxnet_1_9_1"]:
                raise ValueError(f"{path}:1: expected columns file, test, mxnet_1_9_1, seconds, got {cells}.")
            continue
        passes.setdefault(file, [])
        if outcome == "pass":
            passes[file].append(test)
    reasons: dict[tuple[str, str], str] = {}
    for number, (test_id, reason) in _rows(not_applicable, 2):
        if number == 1:
            continue
        file, _, test = test_id.partition("::")
        if file in passes and test not in passes[file]:
            raise ValueError(f"{not_applicable}:{number}: expected a test that MXNet passes, got {test_id}.")
        if not reason.strip():
            raise ValueError(f"{not_applicable}:{number}: {test_id}: expected a reason, got none.")
        reasons[file, test] = reason
    return Baseline(passes, reasons)


def _rows(path: Path, columns: int) -> list[tuple[int, list[str]]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != columns:
            raise ValueError(f"{path}:{number}: expected {columns} columns, got {len(cells)}: {line!r}.")
        rows.append((number, cells))
    return rows
