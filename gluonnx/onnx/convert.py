"""Files in, files out: `mx.onnx.export_model`, and the way back."""

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gluonnx.errors import EditedModelError, ExportError, FormatError, InputError, ParameterFileError
from gluonnx.formats import FileSet, read_params, read_safetensors, serialize_params
from gluonnx.formats.progress import Steps, write_chunks
from gluonnx.formats.saved_names import hint, style_of, without_scope
from gluonnx.onnx.arrays import Array
from gluonnx.onnx.builder import BATCH
from gluonnx.onnx.export import export_graph
from gluonnx.onnx.lift import lift
from gluonnx.onnx.metadata import Restored, restore
from gluonnx.onnx.options import ExportOptions
from gluonnx.onnx.reading import ModelFile
from gluonnx.onnx.samples import Samples
from gluonnx.ops import TABLE
from gluonnx.ops.dtypes import as_dtype
from gluonnx.symbol.symbol import Symbol
from gluonnx.symbol.text import load, load_json

logger = logging.getLogger(__name__)

_PREFIXES = ("arg:", "aux:")


def export_model(
    sym: Symbol | str | os.PathLike[str],
    params: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str],
    in_shapes: Sequence[Sequence[int]] | None = None,
    in_types: Any = np.float32,
    onnx_file_path: str | os.PathLike[str] = "model.onnx",
    verbose: bool = False,
    dynamic: bool = False,
    dynamic_input_shapes: Sequence[Sequence[int | str | None]] | None = None,
    run_shape_inference: bool = False,
    input_type: Any = None,
    input_shape: Sequence[Sequence[int]] | None = None,
    large_model: bool = False,
    *,
    opset: int | None = None,
    dtype: str | None = None,
    input_names: Sequence[str] | Mapping[str, str] | None = None,
    output_names: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    external_data: bool | None = None,
    sample_inputs: Samples | None = None,
) -> str:
    """Convert a symbol and its parameters to an ONNX file that is shown to compute the same.

    Differs: The file is checked against the symbol, and kept only if it computes the same. Parameters are initializers,
    not inputs. `dynamic` opens the batch axis, and others that `dynamic_input_shapes` leaves open. Shape inference
    always runs, so `run_shape_inference` changes nothing. Outputs have the names that `list_outputs()` tells, in its
    order (MXNet's are without `_output`, in the graph's order); `output_names` gives others.

    Args:
        sym: The symbol, or a symbol-json file.
        params: Arrays by name, with or without `arg:` / `aux:`; or several such mappings, as
            `[arg_params, aux_params]`; or a .params or .safetensors file.
        in_shapes: Shape of each input, in the order of `list_inputs()` without the parameters. Inputs at the end that
            the outputs do not depend on (labels) may be left out.
        in_types: Dtype of all inputs, or a list.
        onnx_file_path: Where to write.
        verbose: Log the names of inputs and outputs.
        dynamic: Leave the batch size open.
        dynamic_input_shapes: With `dynamic`, the input shapes with None or a name where a size is open.
        run_shape_inference: Accepted.
        input_type: Former name of `in_types`.
        input_shape: Former name of `in_shapes`.
        large_model: Keep the parameters in a file beside the model, as `external_data=True`.
        opset: As `HybridBlock.export`, and so are the next five.
        dtype: See `opset`.
        input_names: See `opset`.
        output_names: See `opset`.
        metadata: See `opset`.
        external_data: See `opset`.
        sample_inputs: Inputs for the check, where seeded numbers will not do.

    Returns:
        The path of the file.

    Raises:
        InputError: Shapes are missing or too many, or a dynamic shape does not fit.
        LoweringError: ONNX cannot express some operators; names them all.
        ExportError: The model is not the same as the symbol; nothing is written.

    Source: MXNet 1.9.1 python/mxnet/onnx/mx2onnx/_export_model.py, `export_model`.
    """
    symbol = sym if isinstance(sym, Symbol) else load(sym)
    where = str(onnx_file_path)
    arrays = _plain_names(_mappings(params, symbol))
    given = in_shapes if in_shapes is not None else input_shape or ()
    if not all(isinstance(s, (list, tuple)) and all(isinstance(d, (int, np.integer)) for d in s) for s in given):
        raise InputError(
            "export_model: wrong input shapes: expected a list of shapes, as [(1, 3, 224, 224)], got "
            f"in_shapes={given}."
        )
    shapes = [tuple(int(d) for d in s) for s in given]
    free = [n for n in symbol.list_inputs() if n not in arrays]
    if not shapes or len(shapes) > len(free):
        raise InputError(
            f"export_model: wrong number of input shapes: expected one for each of {', '.join(free) or 'no inputs'}, "
            f"got in_shapes={shapes}. Pass `in_shapes=`."
        )
    names = free[: len(shapes)]
    types = in_types if input_type is None else input_type
    dtypes = [as_dtype(t).name for t in (types if isinstance(types, (list, tuple)) else [types] * len(names))]
    if len(dtypes) != len(names):
        raise InputError(
            f"export_model: wrong number of input types: expected {len(names)} ({', '.join(names)}), "
            f"got in_types={dtypes}. Pass one for each input, or one for all."
        )
    is_batch_open, axes = dynamic, None
    if dynamic and dynamic_input_shapes is not None:
        is_batch_open, axes = _dynamic_axes(names, shapes, dynamic_input_shapes)
    options = ExportOptions(
        is_batch_open,
        axes,
        opset,
        dtype,
        input_names,
        output_names,
        metadata or {},
        True if large_model and external_data is None else external_data,
    )
    model = export_graph(
        onnx_file_path,
        symbol._heads,
        names,
        shapes,
        dtypes,
        arrays,
        options=options,
        sample_inputs=sample_inputs,
    )
    if verbose:
        logger.info("%s: %s -> %s", where, ", ".join(model.input_names), ", ".join(model.output_names))
    return where


def get_operator_support(opset_version: int | None = None) -> list[str]:
    """Return the names of the operators that ONNX can express, in alphabetical order.

    Differs: The names are those of all operators that have an ONNX form, in every opset that can be exported.

    Args:
        opset_version: Accepted.

    Source: MXNet 1.9.1 python/mxnet/onnx/mx2onnx/_export_model.py, `get_operator_support`.
    """
    return sorted(name for name, op in TABLE.items() if op.unsupported_reason is None)


def import_to_files(
    onnx_path: str | os.PathLike[str], prefix: str | os.PathLike[str], epoch: int = 0
) -> tuple[Path, Path]:
    """Write the graph and the parameters of an ONNX file as MXNet's two files.

    Operators of a foreign file that no MXNet operator equals stay as `_onnx.<OpType>`, with one warning: gluonnx reads
    such a graph, MXNet does not.

    Args:
        onnx_path: Any ONNX file.
        prefix: The files are `PREFIX-symbol.json` and `PREFIX-0000.params`.
        epoch: The number in the second name.

    Returns:
        The two paths. Both files appear, or none.

    Raises:
        FormatError: Not an ONNX model, or one with operators that there is nothing for.
        FileAccessError: A file cannot be read or written.
    """
    graph = read_graph(onnx_path)
    symbol = graph.symbol
    if graph.kept:
        warnings.warn(
            f"{onnx_path}: MXNet cannot read {prefix}-symbol.json: expected only MXNet operators, got "
            f"{', '.join(f'{name} ({count})' for name, count in graph.kept.items())} kept from ONNX. "
            "gluonnx reads it.",
            stacklevel=2,
        )
    auxiliary = set(symbol.list_auxiliary_states())
    # Arguments first, then auxiliary states, as `HybridBlock.export` writes them.
    ordered = sorted(graph.parameters.items(), key=lambda item: item[0] in auxiliary)
    arrays = {f"{'aux' if n in auxiliary else 'arg'}:{n}": a for n, a in ordered}
    symbol_path, params_path = Path(f"{prefix}-symbol.json"), Path(f"{prefix}-{epoch:04d}.params")
    chunks = serialize_params(arrays)
    with FileSet() as files:
        files.create(symbol_path).write((graph.text or symbol.tojson()).encode())
        file = files.create(params_path)
        write_chunks(file, chunks, Steps(f"writing {params_path}", sum(a.nbytes for a in arrays.values())))
    return symbol_path, params_path


@dataclass(frozen=True, slots=True)
class ReadGraph:
    """What an ONNX file holds, as a graph.

    Attributes:
        symbol: The graph.
        input_names: Its inputs, in order.
        parameters: Arrays of its other variables, by name.
        text: The symbol-json that the file carries, None for a file that was lifted.
        kept: ONNX operators that the graph keeps, with how many nodes there are of each.
    """

    symbol: Symbol
    input_names: tuple[str, ...]
    parameters: dict[str, Array]
    text: str | None = None
    kept: Mapping[str, int] = field(default_factory=dict)


def read_graph(path: str | os.PathLike[str]) -> ReadGraph:
    """Read any ONNX file as a graph: one of ours exactly, any other one lifted.

    A file of ours that was edited is lifted too, with a warning.

    Raises:
        FormatError: Not an ONNX model, damaged, or with operators that there is nothing for.
    """
    with ModelFile(path) as file:
        try:
            restored = restore(file.proto, str(path), file.array)
        except EditedModelError as err:
            warnings.warn(f"{err} It is read as any other ONNX file.", stacklevel=4)
            restored = None
        if restored is not None:
            return ReadGraph(
                load_json(restored.symbol_json), restored.input_names, restored.parameters, restored.symbol_json
            )
        model, arrays = file.loaded()
    lifted = lift(model, str(path), arrays=arrays)
    return ReadGraph(Symbol(lifted.heads), lifted.input_names, lifted.parameters, kept=lifted.kept)


def read_restored(path: str | os.PathLike[str]) -> Restored:
    """Read the graph and the parameters that an ONNX file of ours carries.

    Raises:
        FormatError: As `import_to_files`, or gluonnx did not write it.
    """
    with ModelFile(path) as file:
        restored = restore(file.proto, str(path), file.array)
    if restored is None:
        raise FormatError(
            f"{path}: not written by gluonnx: expected an ONNX file that carries its Gluon graph, got none in its "
            "metadata. Call read_graph, which takes any ONNX file."
        )
    return restored


def _read_arrays(path: str | os.PathLike[str], symbol: Symbol) -> Mapping[str, Any]:
    if os.fspath(path).lower().endswith(".safetensors"):
        arrays: Mapping[str, Any] = read_safetensors(path)
    else:
        arrays = read_params(path).as_dict()
    variables = symbol.list_inputs()
    if arrays and {without_scope(name) for name in arrays}.isdisjoint(variables):
        told = hint(arrays, variables, str(path)) if style_of(arrays) == "paths" else ""
        raise ParameterFileError(
            f"{path}: no parameter of the graph: expected names such as {variables[-1] if variables else 'none'!r}, "
            f"got {next(iter(arrays))!r}. {told or 'Pass the file of parameters that was written with the graph.'}"
            + (" Then net.export writes the ONNX file." if told else "")
        )
    return arrays


def _mappings(params: Any, symbol: Symbol) -> Sequence[Mapping[str, Any]]:
    """Return parameters, however they were given, as mappings.

    Raises:
        InputError: They are none of the forms that `export_model` takes.
    """
    if isinstance(params, (str, os.PathLike)):
        return [_read_arrays(params, symbol)]
    listed = [params] if isinstance(params, Mapping) else params
    if not isinstance(listed, (list, tuple)) or not all(isinstance(p, Mapping) for p in listed):
        raise InputError(
            "export_model: wrong params: expected arrays by name, a list of such mappings, or a file, got "
            f"{type(params).__name__}."
        )
    return listed


def _plain_names(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    plain: dict[str, Any] = {}
    for name, value in (item for mapping in mappings for item in mapping.items()):
        bare = name[4:] if name.startswith(_PREFIXES) else name
        if bare in plain:
            raise InputError(f"export_model: parameter `{bare}` is there twice: expected it as `arg:` or as `aux:`.")
        if value is None or not (hasattr(value, "__dlpack__") or hasattr(value, "__array__")):
            raise ExportError(
                f"export_model: parameter `{bare}` is not a dense array: expected one, got {type(value).__name__}. "
                "Convert it to dense storage."
            )
        plain[bare] = value
    return plain


def _dynamic_axes(
    names: Sequence[str], shapes: Sequence[tuple[int, ...]], dynamic: Sequence[Sequence[int | str | None]]
) -> tuple[bool, dict[str, dict[int, str]]]:
    """Return whether the batch axis is open, and the names of the open axes, that dynamic shapes ask for."""
    if len(dynamic) != len(names):
        raise InputError(
            f"export_model: wrong number of dynamic shapes: expected {len(names)} ({', '.join(names)}), "
            f"got dynamic_input_shapes={list(dynamic)}."
        )
    axes: dict[str, dict[int, str]] = {}
    for position, (name, shape, wanted) in enumerate(zip(names, shapes, dynamic, strict=True)):
        if len(wanted) != len(shape) or any(isinstance(w, int) and w != s for s, w in zip(shape, wanted, strict=True)):
            raise InputError(
                f"export_model: dynamic shape of `{name}` does not fit: expected {shape} with None or a name where a "
                f"size is open, got {tuple(wanted)}."
            )
        for axis, size in enumerate(wanted):
            if isinstance(size, str):
                axes.setdefault(name, {})[axis] = size
            elif size is None and axis == 0 and shape[0] == shapes[0][0]:
                axes.setdefault(name, {})[axis] = axes.get(names[0], {}).get(0, BATCH) if position else BATCH
            elif size is None:
                axes.setdefault(name, {})[axis] = f"{name}_{axis}"
    is_batch_open = 0 in axes.get(names[0], {})
    return is_batch_open, axes
