"""ONNX files: written whole or not at all, read with limits."""

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from gluonnx.errors import FormatError
from gluonnx.formats import FileSet, read_bytes
from gluonnx.formats.signatures import HEAD_BYTES, describe_kind
from gluonnx.onnx.model import MAX_MODEL_BYTES, LoweredModel


def write_model(path: str | os.PathLike[str], model: LoweredModel) -> Path:
    """Write a model; the same bytes for the same model. The file appears whole or not at all.

    Raises:
        ExportError: The model is larger than an ONNX file can be.
        FileAccessError: The folder is missing or not writable.
    """
    with FileSet() as files:
        stage_model(files, path, model)
    return Path(path)


def stage_model(files: FileSet, path: str | os.PathLike[str], model: LoweredModel) -> Path:
    """Write a model into a set of files that is published later; return where its bytes are until then."""
    file = files.create(path)
    for chunk in model.chunks():
        file.write(chunk)
    return files.staged_path(path)


def read_model(path: str | os.PathLike[str]) -> ModelProto:
    """Read an ONNX file, with the tensors that it keeps in other files of its folder.

    Raises:
        FileAccessError: The file is missing or not readable.
        FormatError: Not an ONNX model, truncated or damaged, or larger than one can be; or it refers to data outside of
            its folder.
    """
    path = Path(path)
    data = read_bytes(path, MAX_MODEL_BYTES)
    kind = describe_kind(data[:HEAD_BYTES])
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as err:
        got = "a damaged or truncated one" if kind == "an ONNX model" else kind or "an unknown kind of file"
        raise FormatError(f"{path}: not an ONNX model: expected one, got {got}. Check where it came from.") from err
    if not model.ir_version or not model.HasField("graph") or not (model.opset_import or model.ir_version < 3):
        got = kind if kind not in (None, "an ONNX model") else "one without a graph or version"
        raise FormatError(f"{path}: not an ONNX model: expected one, got {got}. Check where it came from.")
    if (field := _undecoded(model)) is not None:
        raise FormatError(f"{path}: damaged: expected UTF-8 text in field `{field}`, got other bytes. Copy it again.")
    functions = (tensor for function in model.functions for tensor in _tensors_of(function.node))
    for tensor in itertools.chain(_tensors(model.graph), functions):
        if tensor.data_location == TensorProto.EXTERNAL:
            _load_external(path, tensor)
    return model


def _undecoded(message: Message) -> str | None:
    """Name a text field that is no UTF-8; protobuf gives bytes for it."""
    for field, value in message.ListFields():
        for item in value if field.is_repeated else (value,):
            if field.type == field.TYPE_STRING and isinstance(item, bytes):
                return str(field.full_name)
            if field.type == field.TYPE_MESSAGE and (found := _undecoded(item)) is not None:
                return found
    return None


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of(graph.node)


def _tensors_of(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)
            for inner in attribute.graphs:
                yield from _tensors(inner)


def _load_external(path: Path, tensor: TensorProto) -> None:
    """Put the data of a tensor that lies in another file into the tensor."""
    entries = {e.key: e.value for e in tensor.external_data}
    where = f"{path}: tensor `{tensor.name}`"
    folder = path.parent.resolve()
    location = entries.get("location", "")
    target = (folder / location).resolve()
    if not location or Path(location).is_absolute() or not target.is_relative_to(folder):
        raise FormatError(
            f"{where}: data outside of the model's folder: expected a file in {folder}, got location={location!r}."
        )
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", "-1"))
    except ValueError as err:
        raise FormatError(f"{where}: external data is damaged: expected offset and length, got {err}.") from err
    data = read_bytes(target, MAX_MODEL_BYTES)
    end = len(data) if length < 0 else offset + length
    if not 0 <= offset <= end <= len(data):
        raise FormatError(
            f"{where}: external data truncated: expected bytes {offset} to {end} of {target.name}, got "
            f"size_bytes={len(data)}. Copy the file again."
        )
    tensor.raw_data = data[offset:end]
    tensor.ClearField("external_data")
    tensor.data_location = TensorProto.DEFAULT
