"""The command group, and what becomes of errors: exit 0 done, 1 a known failure, 2 usage, 130 interrupted."""

import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import export, import_model, info, run, verify
from .errors import one_line

__all__ = ["app", "main"]

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class Commands(TyperGroup):
    """The group that tells known errors in one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; usage errors and unforeseen ones pass through."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise
        except Exception as err:
            message = one_line(err)
            if message is None:
                raise
            if ctx.params.get("debug"):
                traceback.print_exception(err)
            typer.echo(f"error: {message}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="gluonnx",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  gluonnx export net-symbol.json net-0000.params -o net.onnx --input data:1,1,28,28\n"
    "  gluonnx run net.onnx --input data=x.npy --output y.npy",
)
run.register(app)
info.register(app)
export.register(app)
import_model.register(app)
verify.register(app)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"gluonnx {_library_version()}")
        raise typer.Exit


def _library_version() -> str:
    """Read from the library's version file, without importing the library (and torch with it)."""
    import runpy
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("gluonnx")
    assert spec is not None
    assert spec.origin is not None
    version: str = runpy.run_path(str(Path(spec.origin).with_name("_version.py")))["__version__"]
    return version


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of an error too.")] = False,
) -> None:
    """Gluon models and ONNX files: convert, describe and run them."""


def main() -> None:
    """Entry point of the console script."""
    try:
        app(prog_name="gluonnx")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
