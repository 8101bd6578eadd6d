"""What a file of parameters or a graph of MXNet says about itself."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ArrayDescription", "GraphInfo", "ParametersInfo", "read_graph_info", "read_parameters_info"]


@dataclass(frozen=True, slots=True)
class ArrayDescription:
    """An array of a file; a list has positions for names. `storage` is empty for dense ones."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    storage: str


@dataclass(frozen=True, slots=True)
class ParametersInfo:
    """A file of arrays.

    Attributes:
        elements: Of all arrays; those that are stored, of sparse ones.
        written_by: Calls that write names such as these.
        read_by: Calls that read them.
    """

    arrays: tuple[ArrayDescription, ...]
    elements: int
    written_by: str
    read_by: str


@dataclass(frozen=True, slots=True)
class GraphInfo:
    """A symbol-json file.

    Attributes:
        outputs: Names of the nodes that the heads are of, with the number of the output where it is not the first.
        variables: Inputs, parameters and auxiliary states.
        operators: How often each is used, subgraphs included.
        version: Of the MXNet that wrote it, empty if the file does not tell.
        read_by: Calls that read it.
    """

    outputs: tuple[str, ...]
    variables: tuple[str, ...]
    operators: dict[str, int]
    version: str
    read_by: str


def read_parameters_info(path: Path) -> ParametersInfo:
    """Read a `.params` or `.safetensors` file.

    Raises:
        FileAccessError: The file is missing or not readable.
        FormatError: It is none, or damaged.
    """
    from gluonnx.formats import read_params, read_safetensors
    from gluonnx.formats.saved_names import READ_BY, WRITTEN_BY, style_of

    if path.suffix.lower() == ".safetensors":
        named: dict[str, Any] = dict(read_safetensors(path))
        has_names = True
    else:
        file = read_params(path)
        has_names = bool(file.names)
        named = file.as_dict() if has_names else {str(i): array for i, array in enumerate(file.arrays)}
    style = style_of(named)
    return ParametersInfo(
        arrays=tuple(_describe(name, array) for name, array in named.items()),
        elements=sum(math.prod(_stored(array).shape) for array in named.values() if array is not None),
        written_by=WRITTEN_BY[style] if has_names else "nd.save of a list",
        read_by=READ_BY[style] if has_names else "mx.nd.load",
    )


def read_graph_info(path: Path) -> GraphInfo:
    """Read a `-symbol.json` file of any version, without making a symbol of it.

    Raises:
        FileAccessError: The file is missing or not readable.
        FormatError: It is none, or damaged.
    """
    from gluonnx.formats import read_symbol_json
    from gluonnx.formats.symbol_json import OLDEST_VERSION

    graph = read_symbol_json(path)
    operators = Counter(_operators(graph))
    heads = [(graph.nodes[entry.node].name, entry.output) for entry in graph.heads]
    major, rest = divmod(graph.version, 10000)
    return GraphInfo(
        outputs=tuple(f"{name}[{output}]" if output else name for name, output in heads),
        variables=tuple(node.name for node in graph.nodes if node.is_variable),
        operators=dict(sorted(operators.items())),
        version="" if graph.version == OLDEST_VERSION else f"{major}.{rest // 100}.{rest % 100}",
        read_by="SymbolBlock.imports, mx.sym.load, gluonnx export",
    )


def _operators(graph: Any) -> list[str]:
    found = [node.op for node in graph.nodes if not node.is_variable]
    return found + [op for node in graph.nodes for inner in node.subgraphs for op in _operators(inner)]


def _describe(name: str, array: Any) -> ArrayDescription:
    if array is None:
        return ArrayDescription(name, "", (), "not allocated")
    storage = {"RowSparse": "row_sparse", "Csr": "csr"}.get(type(array).__name__, "")
    return ArrayDescription(name, _stored(array).dtype.name, tuple(array.shape), storage)


def _stored(array: Any) -> Any:
    """The values of an array that is stored in parts."""
    return array.data if type(array).__name__ in {"RowSparse", "Csr"} else array
