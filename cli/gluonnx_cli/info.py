"""`gluonnx info`: what a model takes, gives and is made of."""

import dataclasses
import json
from typing import TYPE_CHECKING

import typer

from .arguments import AsJson, ModelArgument

if TYPE_CHECKING:
    from .model_info import ModelInfo, TensorDescription

__all__ = ["register"]

EPILOG = """\b
Examples:
  gluonnx info net.onnx
  gluonnx info net.onnx --json
"""
LABEL_WIDTH = 12


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("info", epilog=EPILOG)(info)


def info(model: ModelArgument, as_json: AsJson = False) -> None:
    """Print a model's inputs, outputs, opset, number of parameters and metadata keys."""
    from .model_info import read_model_info

    found = read_model_info(model)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=2, ensure_ascii=False))
    else:
        _print_table(found)


def _print_table(found: "ModelInfo") -> None:
    rows = [
        *(("input", _tensor_text(tensor)) for tensor in found.inputs),
        *(("output", _tensor_text(tensor)) for tensor in found.outputs),
        ("opset", ", ".join(f"{domain} {version}" for domain, version in found.opsets.items())),
        ("producer", found.producer or "not given"),
        ("parameters", f"{found.parameters:,}"),
        ("operators", ", ".join(f"{name} x{count}" for name, count in found.operators.items()) or "none"),
        ("metadata", ", ".join(found.metadata) or "none"),
    ]
    for label, text in rows:
        typer.echo(f"{label:<{LABEL_WIDTH}}{text}")


def _tensor_text(tensor: "TensorDescription") -> str:
    shape = "" if tensor.shape is None else "(" + ", ".join(map(str, tensor.shape)) + ")"
    return f"{tensor.name} {tensor.dtype}{shape}"
