"""File formats: bytes on one side, plain objects on the other. No tensor math, no operator knowledge, no torch.

`files` owns how bytes reach the disk (all or nothing); `signatures` tells kinds of files apart, `saved_names` the calls
that wrote files of parameters, by the names in them; `params` owns MXNet's
array files, `safetensors` the files of that name; `symbol_json` owns the text of graphs, and `symbol_upgrade` the
changes old graphs need.
"""

from gluonnx.formats.files import FileSet, atomic_write, publish, read_bytes, write_bytes_atomic
from gluonnx.formats.memory import empty_array
from gluonnx.formats.params import (
    Array,
    ArrayFile,
    Csr,
    RowSparse,
    parse_params,
    read_params,
    serialize_params,
    write_params,
)
from gluonnx.formats.safetensors import read_safetensors, serialize_safetensors, write_safetensors
from gluonnx.formats.symbol_json import (
    EntryRecord,
    GraphRecord,
    NodeRecord,
    parse_symbol_json,
    read_symbol_json,
    write_symbol_json,
)
from gluonnx.formats.symbol_upgrade import upgrade_graph

__all__ = [
    "Array",
    "ArrayFile",
    "Csr",
    "EntryRecord",
    "FileSet",
    "GraphRecord",
    "NodeRecord",
    "RowSparse",
    "atomic_write",
    "empty_array",
    "parse_params",
    "parse_symbol_json",
    "publish",
    "read_bytes",
    "read_params",
    "read_safetensors",
    "read_symbol_json",
    "serialize_params",
    "serialize_safetensors",
    "upgrade_graph",
    "write_bytes_atomic",
    "write_params",
    "write_safetensors",
    "write_symbol_json",
]
