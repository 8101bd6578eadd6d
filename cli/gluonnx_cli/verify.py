"""`gluonnx verify`: is a model what gluonnx wrote, and does it compute here what it should?"""

import dataclasses
import importlib
import json
from typing import Annotated

import typer

from .arguments import AsJson, ModelArgument
from .progress import shown_progress

__all__ = ["register"]

EPILOG = """\b
Examples:
  gluonnx verify net.onnx
  gluonnx verify net.onnx --device cuda --json
"""
LABEL_WIDTH = 14


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", epilog=EPILOG)(verify)


def verify(
    model: ModelArgument,
    device: Annotated[str, typer.Option(help="Where to replay the proof: cpu, cuda or cuda:N.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Check a model's digests and replay the proof that it carries; exit 1 if anything differs."""
    onnx = importlib.import_module("gluonnx.onnx")
    with shown_progress():
        found = onnx.verify(model, device=device)
    if as_json:
        typer.echo(json.dumps({"model": str(model), "ok": True, **dataclasses.asdict(found)}, indent=2))
        return
    typer.echo(f"{model}: as gluonnx {found.version} wrote it")
    for part, digest in found.digests.items():
        typer.echo(f"{part:<{LABEL_WIDTH}} ok, sha256 {digest}")
    inputs, outputs = _text(found.inputs), _text(found.outputs)
    typer.echo(f"{'proof':<{LABEL_WIDTH}} ok, {inputs} -> {outputs} on {found.device}")
    for name, bound in found.bounds.items():
        typer.echo(f"{'':<{LABEL_WIDTH}} {name} within {bound:.3g}")


def _text(tensors: tuple[tuple[str, str, tuple[int, ...]], ...]) -> str:
    return ", ".join(f"{name} {dtype}({', '.join(map(str, shape))})" for name, dtype, shape in tensors)
