"""Writing a hybrid block's model: symbol-json, parameters and ONNX, all or nothing."""

import operator
import os

from gluonnx.errors import ArgumentError, FixedBatchError
from gluonnx.formats.files import FileSet
from gluonnx.formats.params import serialize_params
from gluonnx.formats.progress import Steps, write_chunks
from gluonnx.gluon.hybrid import HybridCall
from gluonnx.ndarray.files import to_numpy
from gluonnx.onnx.export import export_graph
from gluonnx.onnx.options import ExportOptions
from gluonnx.onnx.samples import Samples
from gluonnx.symbol.symbol import Symbol


def export(
    output: Symbol,
    call: HybridCall,
    path: str | os.PathLike[str],
    epoch: int,
    options: ExportOptions,
    sample_inputs: Samples | None = None,
) -> tuple[str, str, str]:
    """Write `path-symbol.json`, `path-0000.params` and `path-0000.onnx`, or raise and leave nothing behind.

    Args:
        output: The traced graph.
        call: The call of the block, which knows its inputs and parameters.
        path: Folder and beginning of the file names.
        epoch: Number in the file names, four digits.
        options: What to choose about the ONNX model.
        sample_inputs: Inputs to compare the ONNX model with the block on; seeded ones if None.

    Returns:
        The paths of the three files.
    """
    assert call.last_inputs is not None
    try:
        number = operator.index(epoch)
    except TypeError:
        raise ArgumentError(f"export: wrong epoch: expected a whole number, got epoch={epoch!r}.") from None
    auxiliary = set(output.list_auxiliary_states())
    params = call.parameters
    ordered = [n for n in output.list_inputs() if n in params]
    values = {n: to_numpy(params[n]._reduce(copy=False)) for n in ordered}
    named = {f"{'aux' if n in auxiliary else 'arg'}:{n}": values[n] for n in ordered}
    start = os.fspath(path)
    symbol_path = f"{start}-symbol.json"
    params_path = f"{start}-{number:04d}.params"
    onnx_path = f"{start}-{number:04d}.onnx"
    with FileSet() as files:
        files.create(symbol_path).write(output.tojson().encode())
        stream = files.create(params_path)
        size = sum(a.nbytes for a in values.values())
        write_chunks(stream, serialize_params(named), Steps(f"writing {params_path}", size))
        try:
            export_graph(
                onnx_path,
                call.heads,
                call.input_names,
                call.last_inputs.shapes,
                call.last_inputs.dtypes,
                values,
                options=options,
                sample_inputs=sample_inputs,
                files=files,
            )
        except FixedBatchError as err:
            raise FixedBatchError(f"{err} To export for this batch size only, pass `dynamic_batch=False`.") from err
    return symbol_path, params_path, onnx_path
