"""Print how much of what real programs call gluonnx has: `make coverage`.

    python docs/operator_coverage.py [--missing]
    python docs/operator_coverage.py --record FOLDER

The calls were counted in 1,600 public files that use MXNet (docs/operator_usage.tsv). `--missing` also names every
operator that is missing or has no ONNX form. `--record` makes the table anew from the counts in FOLDER
(`ops_1_9_1.tsv` and `api_usage.tsv`).
"""

import argparse
import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gluonnx.ops import TABLE

USAGE = Path(__file__).resolve().parent / "operator_usage.tsv"
FILES = 1600
"""Files in which calls were counted."""


@dataclass(frozen=True)
class Use:
    """How often an operator is called.

    Attributes:
        operator: MXNet's registered name; of what is no operator of MXNet 1.9.1, the name it is called by.
        uses: Calls.
        files: Files with such a call.
        is_mxnet: Whether MXNet 1.9.1 has it.
    """

    operator: str
    uses: int
    files: int
    is_mxnet: bool


def read() -> list[Use]:
    """Return the recorded counts, the most used operator first."""
    with USAGE.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [Use(r["operator"], int(r["uses"]), int(r["files"]), r["mxnet_1_9_1"] == "yes") for r in rows]


def record(folder: Path) -> None:
    """Write the counts that `folder` holds into docs/operator_usage.tsv."""
    with (folder / "ops_1_9_1.tsv").open(newline="") as file:
        operators = list(csv.DictReader(file, delimiter="\t"))
    with (folder / "api_usage.tsv").open(newline="") as file:
        called = [r for r in csv.DictReader(file, delimiter="\t") if r["category"] == "op"]
    found = [Use(r["op_name"], int(r["uses"]), int(r["files"]), True) for r in operators if int(r["uses"] or 0)]
    found += [
        Use(r["canonical_name"], int(r["uses"]), int(r["files"]), False) for r in called if r["in_mxnet_1_9_1"] != "yes"
    ]
    found.sort(key=lambda use: (-use.uses, use.operator))
    with USAGE.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("operator", "uses", "files", "mxnet_1_9_1"))
        writer.writerows((u.operator, u.uses, u.files, "yes" if u.is_mxnet else "no") for u in found)


def has(use: Use) -> bool:
    """Whether gluonnx has the operator."""
    return use.operator in TABLE


def lowers(use: Use) -> bool:
    """Whether it has an ONNX form, too."""
    return has(use) and TABLE[use.operator].unsupported_reason is None


def share_of_uses(uses: Iterable[Use], holds: Callable[[Use], bool]) -> float:
    """Share of the calls for which `holds`."""
    every = list(uses)
    return sum(u.uses for u in every if holds(u)) / sum(u.uses for u in every)


def share_of_files(uses: Iterable[Use], holds: Callable[[Use], bool]) -> tuple[float, float]:
    """Bounds of the share of the files in which it holds for every call.

    The counts do not tell which operators share a file: at least the files of the operator that is in most of them
    are lost, and at most the sum over operators.
    """
    lost = [u.files for u in uses if not holds(u)]
    return max(0.0, 1 - sum(lost) / FILES), 1 - max(lost, default=0) / FILES


def table(uses: list[Use]) -> str:
    """Return the figures as a table in Markdown."""
    known = [u for u in uses if u.is_mxnet]
    lines = ["| | share of calls | share of files | operators |", "|---|---|---|---|"]
    for title, holds in (("imperative and symbolic", has), ("lowered to ONNX", lowers)):
        for scope, those in (("operators of MXNet 1.9.1", known), ("all, those of forks among them", uses)):
            low, high = share_of_files(those, holds)
            files = f"{low:.2%}" if low == high else f"{low:.2%} to {high:.2%}"
            count = f"{sum(map(holds, those))} of {len(those)}"
            lines.append(f"| {title}: {scope} | {share_of_uses(those, holds):.2%} | {files} | {count} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--missing", action="store_true", help="name every operator that is missing or has no ONNX form"
    )
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="make the table of counts anew")
    options = parser.parse_args()
    if options.record is not None:
        record(options.record)
    uses = read()
    print(table(uses))
    if options.missing:
        for use in uses:
            if not has(use):
                print(f"missing: {use.operator} ({use.uses} calls, {use.files} files)")
            elif not lowers(use):
                reason = TABLE[use.operator].unsupported_reason
                print(f"no ONNX form: {use.operator} ({use.uses} calls, {use.files} files): {reason}")


if __name__ == "__main__":
    main()
