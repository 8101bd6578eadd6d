"""`gluonnx export`: symbol-json and parameters to ONNX."""

import importlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .arguments import InputSpec, parse_input_spec
from .errors import CommandError

__all__ = ["register"]

EPILOG = """\b
Examples:
  gluonnx export net-symbol.json net-0000.params -o net.onnx --input data:1,1,28,28
  gluonnx export net-symbol.json -o net.onnx --input data:8,3,224,224:float16 --fixed-batch
"""
SYMBOL_SUFFIX = "-symbol.json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export", epilog=EPILOG)(export)


def export(
    symbol: Annotated[Path, typer.Argument(metavar="SYMBOL.json", help="The graph, as Gluon's export writes it.")],
    params: Annotated[
        Path | None,
        typer.Argument(metavar="PARAMS", help="The parameters; PREFIX-0000.params beside the graph if left out."),
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.onnx", help="The file to write.")],
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input", metavar="NAME:SIZES[:DTYPE]", help="Shape of an input, as data:1,1,28,28; one for each."
        ),
    ],
    opset: Annotated[int | None, typer.Option(min=1, help="ONNX opset; the library's own if left out.")] = None,
    fixed_batch: Annotated[bool, typer.Option("--fixed-batch", help="Keep the batch size of --input.")] = False,
) -> None:
    """Convert a Gluon or MXNet model to ONNX, checked against the original before it is kept."""
    specs = [parse_input_spec(text) for text in inputs]
    if len({spec.name for spec in specs}) != len(specs):
        raise typer.BadParameter("expected each name once, got one twice.", param_hint="--input")
    specs = _in_graph_order(symbol, specs)
    parameters = _parameters_beside(symbol) if params is None else params
    in_types = [_scalar_type(spec) for spec in specs]
    options: dict[str, Any] = {} if opset is None else {"opset": opset}

    onnx = importlib.import_module("gluonnx.onnx")
    written = onnx.export_model(
        str(symbol),
        str(parameters),
        in_shapes=[spec.shape for spec in specs],
        in_types=in_types,
        onnx_file_path=str(output),
        dynamic=not fixed_batch,
        **options,
    )
    typer.echo(written)


def _scalar_type(spec: InputSpec) -> Any:
    """Numpy's scalar type, as MXNet callers pass it (`np.float32`)."""
    import numpy as np

    try:
        return np.dtype(spec.dtype).type
    except TypeError:
        raise typer.BadParameter(
            f"expected a numpy dtype such as float32, got {spec.dtype!r} for {spec.name!r}.", param_hint="--input"
        ) from None


def _in_graph_order(symbol: Path, specs: list[InputSpec]) -> list[InputSpec]:
    """The inputs in the order of the graph's variables, in which `export_model` takes their shapes.

    A file that is not symbol-json is left to the library, which says what is wrong with it.

    Raises:
        CommandError: The graph has no variable of an input's name.
        OSError: The file cannot be read.
    """
    try:
        variables = [node["name"] for node in json.loads(symbol.read_bytes())["nodes"] if node["op"] == "null"]
    except (ValueError, KeyError, TypeError):
        return specs
    for spec in specs:
        if spec.name not in variables:
            raise CommandError(
                f"--input: no such variable in {symbol}: expected one of {', '.join(map(str, variables))}, "
                f"got name={spec.name!r}. Use the graph's name for the input."
            )
    return sorted(specs, key=lambda spec: variables.index(spec.name))


def _parameters_beside(symbol: Path) -> Path:
    """The only `PREFIX-NNNN.params` beside `PREFIX-symbol.json`.

    Raises:
        CommandError: There is none, or there are several.
    """
    prefix = symbol.name.removesuffix(SYMBOL_SUFFIX)
    found = sorted(symbol.parent.glob("*.params"))
    found = [path for path in found if path.name.startswith(f"{prefix}-") and path.stem[len(prefix) + 1 :].isdigit()]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise CommandError(
            f"{symbol}: which parameters: expected one {prefix}-0000.params beside it, got {names}. "
            "Name the file as the second argument."
        )
    typer.echo(f"parameters: {found[0]}", err=True)
    return found[0]
