"""Options that several commands share, and the small languages that option values are written in."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = ["AsJson", "InputSpec", "ModelArgument", "named_path", "parse_input_spec"]

DEFAULT_DTYPE = "float32"
INPUT_SPEC = re.compile(r"(?P<name>[^:]+):(?P<shape>\d+(?:,\d+)*)?(?::(?P<dtype>[a-z][a-z0-9]*))?")

ModelArgument: TypeAlias = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The ONNX model.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One `--input` of an export: a name, a shape and a dtype (a numpy name)."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def parse_input_spec(text: str) -> InputSpec:
    """Read `data:1,1,28,28` or `data:1,1,28,28:float16`; no sizes (`scale:`) mean a scalar.

    Raises:
        typer.BadParameter: It is not written so.
    """
    match = INPUT_SPEC.fullmatch(text)
    if match is None:
        raise typer.BadParameter(
            f"expected NAME:SIZE,SIZE,...[:DTYPE], got {text!r}. Write it as data:1,1,28,28 or data:1,1,28,28:float16.",
            param_hint="--input",
        )
    shape = tuple(int(size) for size in match["shape"].split(",")) if match["shape"] else ()
    return InputSpec(match["name"], shape, match["dtype"] or DEFAULT_DTYPE)


def named_path(option: str, text: str) -> tuple[str, Path]:
    """Read `NAME=FILE`.

    Raises:
        typer.BadParameter: There is no name, no `=` or no file.
    """
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise typer.BadParameter(f"expected NAME=FILE.npy, got {text!r}. Name the tensor.", param_hint=option)
    return name, Path(path)


def unique_names(option: str, pairs: list[tuple[str, Path]]) -> dict[str, Path]:
    """The pairs as a dictionary.

    Raises:
        typer.BadParameter: A name comes twice.
    """
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise typer.BadParameter(f"expected each name once, got {name!r} twice.", param_hint=option)
    return dict(pairs)
