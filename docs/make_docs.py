"""Write the generated documents: docs/operators.md from the operator table, docs/differences.md from docstrings,
docs/onnx_operators.md from the rules of the ONNX import.

    python docs/make_docs.py [--check]

With `--check` nothing is written; the exit status tells whether the documents are what they should be.
"""

import ast
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_operators
import operator_coverage as coverage

from gluonnx.ops import TABLE, Operator
from gluonnx.ops.dtypes import BY_NAME

DOCS = Path(__file__).resolve().parent
RECORDINGS = DOCS.parent / "tests" / "golden" / "dtypes"
PACKAGES = ("gluonnx", "cli/gluonnx_cli", "runtime/gluonnx_runtime")

OPERATORS_HEAD = """\
# Operators

Generated from the operator table by `docs/make_docs.py`. Each name works in `mx.nd`, in `mx.sym` and as `F.<name>`;
names that begin with an underscore are in `_internal`, `_contrib_x` is `contrib.x`, `_linalg_x` is `linalg.x`.
Attributes without a default are required; those in *italics* are accepted and change nothing. The gradient is `own`
where a loss head makes it instead of passing one on. `calls` are those counted in 1,600 public files that use MXNet;
operators that appear in none have no number. `dtypes` are those of float inputs, or of the attribute `dtype`, for which
MXNet's recorded answer and ours are the same; tests/golden/dtypes/deviations.tsv says why others differ, and MXNet does
not take the rest.

{coverage}
| operator | other names | inputs | attributes | dtypes | gradient | ONNX | calls |
|---|---|---|---|---|---|---|---|
"""

DIFFERENCES_HEAD = """\
# Where gluonnx differs from MXNet 1.9.1

Generated from the `Differs:` lines of docstrings by `docs/make_docs.py`.

"""


def operators() -> str:
    """Return docs/operators.md."""
    rows = sorted(TABLE.operators(), key=lambda op: op.name.lower())
    counted = coverage.read()
    calls = {use.operator: use.uses for use in counted}
    agreeing = dtypes()
    return OPERATORS_HEAD.format(coverage=coverage.table(counted)) + "".join(
        _row(op, sum(calls.get(name, 0) for name in (op.name, *op.aliases)), agreeing.get(op.name, ())) for op in rows
    )


def dtypes() -> dict[str, list[str]]:
    """Return, by operator, the dtypes in which MXNet answers and our answer is the same."""
    lines = (RECORDINGS / "deviations.tsv").read_text().splitlines()[1:]
    deviating = {
        (name, change) for name, changes, _ in (line.split("\t") for line in lines) for change in changes.split()
    }
    answered: dict[str, set[str]] = {}
    for path in sorted(RECORDINGS.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            index = json.loads(file["index"].tobytes())
        for key, entry in index.items():
            if entry["status"] == "answered":
                call, _, change = key.partition("@")
                name = TABLE[call.partition("-")[0]].name
                if (name, change) in deviating:
                    continue
                dtype = change.removeprefix("dtype=").partition("_")[0]
                answered.setdefault(name, set() if "=" in change else {"float32"}).add(dtype)
    return {name: [d for d in BY_NAME if d in found and (name, d) not in deviating] for name, found in answered.items()}


def _row(op: Operator, calls: int, agreeing: Sequence[str]) -> str:
    inputs = []
    for spec in op.inputs:
        mark = "..." if op.variadic else "?" if spec.optional else ""
        inputs.append(f"{spec.name}{mark}" + (" (state)" if spec.auxiliary else ""))
    attributes = []
    for attr in op.attributes.values():
        text = attr.name if attr.required else f"{attr.name}={attr.default!r}"
        attributes.append(f"`{text}`" if attr.has_effect else f"*{text}*")
    cells = [
        f"`{op.name}`",
        ", ".join(f"`{n}`" for n in op.aliases),
        ", ".join(inputs),
        ", ".join(attributes),
        ", ".join(agreeing),
        _GRADIENTS[op.declared_gradient],
        "yes" if op.unsupported_reason is None else f"no: {op.unsupported_reason}",
        str(calls or ""),
    ]
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n"


_GRADIENTS = {"chain": "yes", "loss": "own", "none": "no", "refused": "refused when bound", None: "by attributes"}


def differences() -> str:
    """Return docs/differences.md."""
    lines = []
    for package in PACKAGES:
        root = DOCS.parent / package
        for path in sorted(root.rglob("*.py")):
            module = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
            for owner, text in _differs(ast.parse(path.read_text())):
                lines.append(f"- `{module}{owner}`: {text}\n")
    return DIFFERENCES_HEAD + ("".join(lines) or "None is recorded.\n")


def _differs(tree: ast.AST, owner: str = "") -> list[tuple[str, str]]:
    found = []
    if isinstance(tree, (ast.Module, ast.ClassDef, ast.FunctionDef)):
        for paragraph in (ast.get_docstring(tree) or "").split("\n\n"):
            if paragraph.startswith("Differs:"):
                found.append((owner, " ".join(paragraph.removeprefix("Differs:").split())))
        for child in tree.body:
            if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
                found += _differs(child, f"{owner}.{child.name}")
    return found


def main() -> int:
    """Write or check the documents."""
    stale = []
    documents = {
        "operators.md": operators(),
        "differences.md": differences(),
        "onnx_operators.md": onnx_operators.document(),
    }
    for name, text in documents.items():
        path = DOCS / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text)
    if "--check" in sys.argv and stale:
        sys.exit(f"{', '.join(stale)}: not what the code says. Run `make docs`.")
    return 0


if __name__ == "__main__":
    main()
