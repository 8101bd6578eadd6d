"""`gluonnx export`: symbol-json and parameters to ONNX."""

import importlib
import json
import re
import stat
from pathlib import Path
from typing import Annotated, Any

import typer

from .arguments import InputSpec, parse_input_spec
from .errors import CommandError
from .progress import shown_progress

__all__ = ["register"]

EPILOG = """\b
Examples:
  gluonnx export net-symbol.json net-0000.params -o net.onnx --input data:1,1,28,28
  gluonnx export net-symbol.json -o net.onnx --input data:8,3,224,224 --dynamic data:2=height --dtype float16
"""
SYMBOL_SUFFIX = "-symbol.json"
OPEN_AXIS = re.compile(r"(?P<name>[^:]+):(?P<axis>\d+)=(?P<label>[^=]+)")


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
    dynamic: Annotated[
        list[str],
        typer.Option("--dynamic", metavar="NAME:AXIS=LABEL", help="Leave another axis open, as data:2=height."),
    ] = [],  # noqa: B006
    dtype: Annotated[str | None, typer.Option(help="float16: halve float32 parameters, inputs and outputs.")] = None,
    input_names: Annotated[
        list[str], typer.Option("--input-name", metavar="NAME=NEW", help="Call an input so in the file.")
    ] = [],  # noqa: B006
    output_names: Annotated[
        list[str], typer.Option("--output-name", metavar="NEW", help="Call the outputs so in the file; one for each.")
    ] = [],  # noqa: B006
    metadata: Annotated[
        list[str], typer.Option("--metadata", metavar="KEY=TEXT", help="A text to store in the file.")
    ] = [],  # noqa: B006
    external_data: Annotated[
        bool,
        typer.Option("--external-data", help="Write the parameters to OUT.onnx.DIGEST.data; so are those beyond 2 GB."),
    ] = False,
) -> None:
    """Convert a Gluon or MXNet model to ONNX, checked against the original before it is kept."""
    specs = [parse_input_spec(text) for text in inputs]
    if len({spec.name for spec in specs}) != len(specs):
        raise typer.BadParameter("expected each name once, got one twice.", param_hint="--input")
    specs = _in_graph_order(symbol, specs)
    parameters = _parameters_beside(symbol) if params is None else params
    in_types = [_scalar_type(spec) for spec in specs]
    options: dict[str, Any] = {} if opset is None else {"opset": opset}
    if dynamic:
        options["dynamic_input_shapes"] = _open_shapes(specs, dynamic, fixed_batch)
    if dtype is not None:
        options["dtype"] = dtype
    if input_names:
        options["input_names"] = dict(_pair("--input-name", "NAME=NEW", text) for text in input_names)
    if output_names:
        options["output_names"] = output_names
    if metadata:
        options["metadata"] = dict(_pair("--metadata", "KEY=TEXT", text) for text in metadata)
    if external_data:
        options["external_data"] = True

    onnx = importlib.import_module("gluonnx.onnx")
    with shown_progress():
        written = onnx.export_model(
            str(symbol),
            str(parameters),
            in_shapes=[spec.shape for spec in specs],
            in_types=in_types,
            onnx_file_path=str(output),
            dynamic=bool(dynamic) or not fixed_batch,
            **options,
        )
    typer.echo(written)


def _open_shapes(specs: list[InputSpec], dynamic: list[str], fixed_batch: bool) -> list[tuple[int | str | None, ...]]:
    """The shapes of the inputs with names for the open axes, None for the batch axis.

    Raises:
        typer.BadParameter: An axis is not written NAME:AXIS=LABEL, or there is no such input or axis.
    """
    shapes: dict[str, list[int | str | None]] = {spec.name: list(spec.shape) for spec in specs}
    first = specs[0].shape[:1]
    for spec in specs:
        if not fixed_batch and spec.shape and spec.shape[:1] == first:
            shapes[spec.name][0] = None
    for text in dynamic:
        match = OPEN_AXIS.fullmatch(text)
        if match is None:
            raise typer.BadParameter(f"expected NAME:AXIS=LABEL, got {text!r}. Write it as data:2=height.")
        shape = shapes.get(match["name"])
        if shape is None or int(match["axis"]) >= len(shape):
            raise typer.BadParameter(
                f"expected an axis of one of {', '.join(f'{spec.name}{spec.shape}' for spec in specs)}, got {text!r}."
            )
        shape[int(match["axis"])] = match["label"]
    return [tuple(shapes[spec.name]) for spec in specs]


def _pair(option: str, form: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise typer.BadParameter(f"expected {form}, got {text!r}.", param_hint=option)
    return key, value


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
    if not stat.S_ISREG(symbol.stat().st_mode):
        return specs
    try:
        variables = [node["name"] for node in json.loads(symbol.read_bytes())["nodes"] if node["op"] == "null"]
    except (ValueError, KeyError, TypeError, RecursionError):
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
