"""`gluonnx import`: ONNX to symbol-json and parameters."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from .arguments import ModelArgument
from .progress import shown_progress

__all__ = ["register"]

EPILOG = """\b
Examples:
  gluonnx import net.onnx -o net
  gluonnx import net.onnx -o checkpoints/net --epoch 7
"""
LAST_EPOCH = 9999
"""File names have four digits (Source: MXNet 1.9.1 `HybridBlock.export`, `-%04d.params`)."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import", epilog=EPILOG)(import_model)


def import_model(
    model: ModelArgument,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PREFIX", help="Writes PREFIX-symbol.json and PREFIX-0000.params.")
    ],
    epoch: Annotated[int, typer.Option(min=0, max=LAST_EPOCH, help="Number in the parameters' file name.")] = 0,
) -> None:
    """Convert an ONNX model to symbol-json and parameters, for SymbolBlock.imports."""
    onnx = importlib.import_module("gluonnx.onnx")
    with shown_progress():
        paths = onnx.import_to_files(model, output, epoch)
    for path in paths:
        typer.echo(path)
