"""Checkpoints of a symbol and its parameters: `mx.model`."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from gluonnx import ndarray, symbol
from gluonnx.errors import FormatError
from gluonnx.formats import FileSet
from gluonnx.formats.saved_names import hint, style_of
from gluonnx.kvstore import training
from gluonnx.ndarray import NDArray
from gluonnx.ndarray.files import write_into
from gluonnx.symbol import Symbol

__all__ = ["BatchEndParam", "load_checkpoint", "load_params", "save_checkpoint"]

Arrays = dict[str, NDArray]

# Training loops of programs import these from here.
_create_kvstore = training.choose_kvstore
_initialize_kvstore = training.initialize_kvstore
_update_params = training.update_params
_update_params_on_kvstore = training.update_params_on_kvstore


class BatchEndParam(NamedTuple):
    """What a callback at the end of a batch is told."""

    epoch: int
    nbatch: int
    eval_metric: object
    locals: object


def save_checkpoint(
    prefix: str,
    epoch: int,
    symbol: Symbol | None,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
    remove_amp_cast: bool = True,
) -> None:
    """Write `prefix-symbol.json` (unless `symbol` is None) and `prefix-0000.params`, with the epoch in four digits.

    Both files appear, or none.

    Args:
        prefix: Path without the ends.
        epoch: Number of the epoch.
        symbol: The graph.
        arg_params: Values of its arguments by name.
        aux_params: Values of its auxiliary states by name.
        remove_amp_cast: Leave out the casts that mixed precision put in.
    """
    arrays = {f"arg:{name}": value.as_in_context(ndarray.cpu()) for name, value in arg_params.items()}
    arrays |= {f"aux:{name}": value.as_in_context(ndarray.cpu()) for name, value in aux_params.items()}
    path = _params_path(prefix, epoch)
    with FileSet() as files:
        if symbol is not None:
            files.create(f"{prefix}-symbol.json").write(symbol.tojson(remove_amp_cast).encode())
        write_into(files.create(path), arrays, path)


def load_params(prefix: str, epoch: int) -> tuple[Arrays, Arrays]:
    """Read `prefix-0000.params`.

    Returns:
        Arguments by name, and auxiliary states by name.

    Raises:
        FormatError: An array is neither, or the file is not a .params file.
        FileAccessError: The file cannot be read.
    """
    return read_params(_params_path(prefix, epoch))


def read_params(path: str) -> tuple[Arrays, Arrays]:
    """Read a `.params` file whose names begin with `arg:` or `aux:`.

    Returns:
        Arguments by name, and auxiliary states by name.

    Raises:
        FormatError: An array is neither, or the file is not a .params file.
        FileAccessError: The file cannot be read.
    """
    loaded = ndarray.load(path)
    if not isinstance(loaded, dict):
        if loaded:
            raise FormatError(
                f"{path}: arrays without names: expected `arg:` and `aux:` names, got a list of {len(loaded)}. It was "
                f"saved from a list, which mx.nd.load('{path}') reads."
            )
        loaded = {}
    found: dict[str, Arrays] = {"arg": {}, "aux": {}}
    for key, value in loaded.items():
        kind, colon, name = key.partition(":")
        if not colon or kind not in found:
            raise FormatError(
                f"{path}: unknown kind of array: expected `arg:` or `aux:` before the name, got {key!r}. "
                f"{_remedy(loaded, path)}"
            )
        found[kind][name] = value
    return found["arg"], found["aux"]


def _remedy(names: Collection[str], path: str) -> str:
    """Which call reads a file without `arg:` and `aux:`."""
    match style_of(names):
        case "paths":
            return hint(names, (), path)
        case "plain":
            return (
                "The file holds parameters by name alone: call "
                f"SymbolBlock.imports('...-symbol.json', ['data'], '{path}'), or net.load_parameters('{path}') on the "
                "network."
            )
        case "scoped":
            return "Its other arrays have one: it was put together by hand; save it anew with all names alike."


def load_checkpoint(prefix: str, epoch: int) -> tuple[Symbol, Arrays, Arrays]:
    """Read `prefix-symbol.json` and `prefix-0000.params`.

    Returns:
        The graph, its arguments by name, and its auxiliary states by name.

    Raises:
        FormatError: A file is not what it should be.
        FileAccessError: A file cannot be read.
    """
    graph = symbol.load(f"{prefix}-symbol.json")
    return graph, *load_params(prefix, epoch)


def _params_path(prefix: str, epoch: int) -> str:
    return str(Path(f"{prefix}-{epoch:04d}.params"))
