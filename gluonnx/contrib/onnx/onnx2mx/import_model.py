"""ONNX files as symbols, and what they take and give."""

import os
from typing import Any

from gluonnx import onnx as _onnx
from gluonnx.gluon.block import SymbolBlock
from gluonnx.ndarray import NDArray
from gluonnx.symbol import Symbol

__all__ = ["get_model_metadata", "import_model"]

Arrays = dict[str, NDArray]


def import_model(model_file: str | os.PathLike[str]) -> tuple[Symbol, Arrays, Arrays]:
    """Read an ONNX file as a graph and its parameters.

    Args:
        model_file: The file.

    Returns:
        The graph, its arguments by name, and its auxiliary states by name.

    Raises:
        FormatError: Not an ONNX file that can be imported.

    Source: MXNet 1.9.1 python/mxnet/contrib/onnx/onnx2mx/import_model.py.
    """
    net = SymbolBlock.imports(model_file)
    graph = net._graph
    auxiliary = set(graph.list_auxiliary_states())
    arrays = {name: param._reduce() for name, param in net.collect_params().items()}
    return (
        graph,
        {n: a for n, a in arrays.items() if n not in auxiliary},
        {n: a for n, a in arrays.items() if n in auxiliary},
    )


def get_model_metadata(model_file: str | os.PathLike[str]) -> dict[str, Any]:
    """Return names and shapes of the inputs and outputs of an ONNX file.

    Args:
        model_file: The file.

    Returns:
        Under `input_tensor_data` a list of (name, shape, ONNX element type), under `output_tensor_data` one of (name,
        shape); an open size is 0.

    Raises:
        FormatError: Not an ONNX file.

    Source: MXNet 1.9.1 python/mxnet/contrib/onnx/onnx2mx/import_model.py.
    """
    graph = _onnx.read_model(model_file, load_external=False).graph
    initializers = {t.name for t in graph.initializer}

    def shape(value: Any) -> tuple[int, ...]:
        return tuple(d.dim_value for d in value.type.tensor_type.shape.dim)

    return {
        "input_tensor_data": [
            (i.name, shape(i), i.type.tensor_type.elem_type) for i in graph.input if i.name not in initializers
        ],
        "output_tensor_data": [(o.name, shape(o)) for o in graph.output],
    }
