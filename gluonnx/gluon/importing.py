"""Reading model files into a SymbolBlock."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluonnx.context import Context
from gluonnx.errors import FormatError, GraphError, ParameterFileError
from gluonnx.formats.saved_names import fit_names, style_of, without_scope
from gluonnx.gluon.block import SymbolBlock
from gluonnx.gluon.parameter import load_all
from gluonnx.ndarray.files import from_numpy_values
from gluonnx.ndarray.files import load as load_arrays
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.onnx.labels import label_names
from gluonnx.symbol.symbol import Symbol, var
from gluonnx.symbol.text import load


def imports(
    symbol_file: Any,
    input_names: str | Sequence[str] | None,
    param_file: Any,
    ctx: Context | Sequence[Context] | None,
    allow_missing: bool = False,
    ignore_extra: bool = False,
) -> SymbolBlock:
    """See `SymbolBlock.imports`."""
    path = Path(symbol_file)
    names = [input_names] if isinstance(input_names, str) else None if input_names is None else list(input_names)
    if path.suffix.lower() == ".onnx":
        return _from_onnx(path, names, param_file, ctx)
    if names is None:
        raise GraphError(
            f"{path}: input names are missing: expected the names of the inputs, got None. Pass `input_names=['data']`."
        )
    graph = load(path)
    arrays = None if param_file is None else _named(load_arrays(param_file), Path(param_file))
    return _block(graph, names, arrays, str(param_file), ctx, allow_missing, ignore_extra)


def _from_onnx(
    path: Path, names: list[str] | None, param_file: Any, ctx: Context | Sequence[Context] | None
) -> SymbolBlock:
    from gluonnx.onnx.convert import read_graph

    if param_file is not None:
        raise ParameterFileError(
            f"{path}: an ONNX file holds its parameters: expected no param_file, got {str(param_file)!r}. "
            "Call load_parameters on the block to replace them."
        )
    graph = read_graph(path)
    if names is not None and sorted(names) != sorted(graph.input_names):
        raise GraphError(f"{path}: other inputs: expected {', '.join(graph.input_names)}, got {', '.join(names)}.")
    arrays: dict[str, NDArray] = {}
    for name in list(graph.parameters):
        value = graph.parameters.pop(name)
        arrays[name] = from_numpy_values(value if value.flags.writeable else value.copy())
    return _block(graph.symbol, names or list(graph.input_names), arrays, str(path), ctx)


def _block(
    graph: Symbol,
    names: Sequence[str],
    arrays: dict[str, NDArray] | None,
    where: str,
    ctx: Context | Sequence[Context] | None,
    allow_missing: bool = False,
    ignore_extra: bool = False,
) -> SymbolBlock:
    variables = graph.list_inputs()
    unknown = [n for n in names if n not in variables]
    if unknown:
        others = [n for n in variables if arrays is None or n not in arrays]
        raise GraphError(
            f"{where}: no such input: expected some of {', '.join(others or variables)}, got {', '.join(unknown)}."
        )
    block = SymbolBlock(graph, [var(n) for n in names])
    params = dict(block.params.items())
    if arrays is None:
        return block
    if not any(n in params for n in arrays):
        # Written by `save_parameters` of such a block, which leaves out what all names begin with.
        saved = {key: param.name for key, param in block._reg_params.items()}
        if saved.keys() >= arrays.keys():
            arrays = {saved[n]: a for n, a in arrays.items()}
        else:
            arrays = fit_names(params, arrays) or arrays
    missing = [n for n in params if n not in arrays]
    known = label_names(graph._heads)
    labels = [n for n in missing if n in known or n.endswith("label")]
    if labels == missing and labels and not allow_missing:
        raise ParameterFileError(
            f"{where}: the graph ends in a loss that reads {', '.join(labels)}: expected it among the inputs. Pass "
            f"input_names={[*names, *labels]}, or cut the loss off with `get_internals()`."
        )
    load_all(params, arrays, where, ctx, allow_missing, ignore_extra, True, "saved", takes_over=True)
    for name, array in arrays.items():
        if name in params and np.dtype(array.dtype).kind in "iub":  # indices and masks, which nothing trains
            params[name].grad_req = "null"
    return block


def _named(arrays: Any, path: Path) -> dict[str, NDArray]:
    if not arrays:
        return {}
    if not isinstance(arrays, dict):
        raise FormatError(
            f"{path}: arrays have no names: expected `arg:` and `aux:` names, got {len(arrays)} arrays. It was saved "
            f"from a list, which mx.nd.load('{path}') reads."
        )
    if style_of(arrays) == "paths":
        raise ParameterFileError(
            f"{path}: written by `save_parameters`: expected the `.params` file of `export`, got names such as "
            f"{next(iter(arrays))!r}, which are paths in a network of blocks and not names in a graph. Build that "
            f"network in Python and call net.load_parameters('{path}')."
        )
    return {without_scope(n): a for n, a in arrays.items()}
