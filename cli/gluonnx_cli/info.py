"""`gluonnx info`: what a model or a checkpoint holds."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .arguments import AsJson

if TYPE_CHECKING:
    from .checkpoint_info import GraphInfo, ParametersInfo
    from .model_info import ModelInfo, TensorDescription

__all__ = ["register"]

EPILOG = """\b
Examples:
  gluonnx info net.onnx
  gluonnx info net-0000.params
"""
LABEL_WIDTH = 12


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("info", epilog=EPILOG)(info)


def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An .onnx, .params, .safetensors or -symbol.json file.")],
    as_json: AsJson = False,
) -> None:
    """Print what a file holds.

    Of an ONNX model inputs, outputs, opset, number of parameters and metadata keys; of a checkpoint the arrays or the
    graph, and which calls read it.
    """
    found: Any
    if file.suffix.lower() in {".params", ".safetensors"}:
        from .checkpoint_info import read_parameters_info

        found, rows = (made := read_parameters_info(file)), _parameters_rows(made)
    elif file.suffix.lower() == ".json":
        from .checkpoint_info import read_graph_info

        found, rows = (graph := read_graph_info(file)), _graph_rows(graph)
    else:
        from .model_info import read_model_info

        found, rows = (model := read_model_info(file)), _model_rows(model)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=2, ensure_ascii=False))
        return
    for label, text in rows:
        typer.echo(f"{label:<{LABEL_WIDTH}}{text}")


def _model_rows(found: "ModelInfo") -> list[tuple[str, str]]:
    return [
        *(("input", _tensor_text(tensor)) for tensor in found.inputs),
        *(("output", _tensor_text(tensor)) for tensor in found.outputs),
        ("opset", ", ".join(f"{domain} {version}" for domain, version in found.opsets.items())),
        ("producer", found.producer or "not given"),
        ("parameters", f"{found.parameters:,}"),
        ("operators", _operators_text(found.operators)),
        ("metadata", ", ".join(found.metadata) or "none"),
    ]


def _parameters_rows(found: "ParametersInfo") -> list[tuple[str, str]]:
    return [
        *(
            ("array", f"{a.name} {a.dtype}{_sizes(a.shape)}{f' {a.storage}' if a.storage else ''}")
            for a in found.arrays
        ),
        ("arrays", f"{len(found.arrays):,}"),
        ("elements", f"{found.elements:,}"),
        ("written by", found.written_by),
        ("read by", found.read_by),
    ]


def _graph_rows(found: "GraphInfo") -> list[tuple[str, str]]:
    return [
        *(("output", name) for name in found.outputs),
        ("variables", ", ".join(found.variables) or "none"),
        ("operators", _operators_text(found.operators)),
        ("MXNet", found.version or "not given, so 0.8 or earlier"),
        ("read by", found.read_by),
    ]


def _operators_text(operators: dict[str, int]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in operators.items()) or "none"


def _tensor_text(tensor: "TensorDescription") -> str:
    return f"{tensor.name} {tensor.dtype}{'' if tensor.shape is None else _sizes(tensor.shape)}"


def _sizes(shape: tuple[int | str, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"
