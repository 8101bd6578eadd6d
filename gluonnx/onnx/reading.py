"""Reading ONNX files: with limits, and large initializers one at a time."""

import io
import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from gluonnx.errors import FileAccessError, FormatError
from gluonnx.formats import empty_array, read_bytes
from gluonnx.formats.journal import settle
from gluonnx.formats.signatures import HEAD_BYTES, ONNX, describe_kind, remedy_for
from gluonnx.onnx.arrays import Array
from gluonnx.onnx.model import MAX_MODEL_BYTES, set_external
from gluonnx.onnx.wire import LARGE_BYTES, Span, split_large
from gluonnx.ops.dtypes import BY_ONNX

_SMALLEST_SPLIT_BYTES = 1 << 20
"""Smaller files are parsed whole."""


class ModelFile:
    """An ONNX file that is open for reading: the model without its large values, which are read one by one.

    Use it in a `with` block; all is read from the file that was there when it was opened.

    Attributes:
        path: The file.
        proto: The model. Initializers that `array` reads have name, dtype and shape, but no values.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a file.

        Raises:
            FileAccessError: The file is missing or not readable.
            FormatError: Not an ONNX model, truncated or damaged, or larger than one can be.
        """
        self.path = Path(path)
        self._file: BinaryIO | None = None
        self._spans: dict[str, Span] = {}
        self.proto = self._split() or _parsed(read_bytes(self.path, MAX_MODEL_BYTES), self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def array(self, tensor: TensorProto) -> Array | None:
        """Read an initializer of the model's graph whose values are not in `proto` into memory of its own.

        Returns:
            The values; None if they are in `proto`.

        Raises:
            FormatError: The values lie in another file that is outside of the folder, too short, or not as long as the
                tensor's shape tells.
            FileAccessError: That file is missing or not readable.
        """
        span = self._spans.get(tensor.name)
        if span is None:
            return _read_external(self.path, tensor) if tensor.data_location == TensorProto.EXTERNAL else None
        assert self._file is not None
        array = empty_array(tuple(tensor.dims), _dtype_of(self.path, tensor))
        _fill(self._file, span.offset, array, f"{self.path}: tensor `{tensor.name}`", self.path)
        return array

    def loaded(self) -> tuple[ModelProto, dict[str, Array]]:
        """Return the model with its smaller values inside, and the large ones by name: those are inputs of its graph.

        Raises:
            FormatError: As `array`.
            FileAccessError: As `array`.
        """
        graph = self.proto.graph
        arrays: dict[str, Array] = {}
        kept: list[TensorProto] = []
        inputs = {i.name for i in graph.input}
        for tensor in graph.initializer:
            is_plain = tensor.name not in arrays and tensor.data_type in BY_ONNX
            array = self.array(tensor) if is_plain else None
            if array is None or array.nbytes < LARGE_BYTES:
                kept.append(tensor)
                continue
            arrays[tensor.name] = array
            if tensor.name not in inputs:
                graph.input.append(_typed(tensor))
        del graph.initializer[:]
        graph.initializer.extend(kept)
        _load_external(self.proto, self.path)
        return self.proto, arrays

    def as_external(self, location: str) -> tuple[ModelProto, dict[str, Span]]:
        """Return the model with its large values as external data, and where these are in that file.

        Args:
            location: The name that this file has; or the file of external data, if the model has one.

        Raises:
            FormatError: Offsets of external data are no numbers.
        """
        places = dict(self._spans)
        for tensor in self.proto.graph.initializer:
            if tensor.data_location == TensorProto.EXTERNAL:
                offset, length = _place_of({e.key: e.value for e in tensor.external_data}, f"`{tensor.name}`")
                places[tensor.name] = Span(offset, length)
            if tensor.name in places:
                set_external(tensor, location, places[tensor.name].offset, places[tensor.name].size_bytes)
        return self.proto, places

    def _split(self) -> ModelProto | None:
        """Parse the model without its large values; None where the file has to be parsed whole."""
        settle(self.path)
        try:
            file = self.path.open("rb")
        except OSError:
            return None  # read_bytes says what is wrong
        try:
            size = os.fstat(file.fileno()).st_size
            if file.seekable() and _SMALLEST_SPLIT_BYTES <= size <= MAX_MODEL_BYTES:
                parts = split_large(file, size)
                if parts is not None and parts[1]:
                    proto = _parsed(parts[0], self.path)
                    if len({t.name for t in proto.graph.initializer}) == len(proto.graph.initializer):
                        self._file, self._spans = file, parts[1]
                        return proto
        except OSError:
            return None
        finally:
            if self._file is None:
                file.close()
        return None


def read_model(path: str | os.PathLike[str], *, load_external: bool = True) -> ModelProto:
    """Read an ONNX file, with the tensors that it keeps in other files of its folder.

    Args:
        path: The file.
        load_external: Put those tensors into the model; otherwise they stay where they are.

    Raises:
        FileAccessError: The file is missing or not readable.
        FormatError: Not an ONNX model, truncated or damaged, or larger than one can be; or it refers to data outside of
            its folder.
    """
    path = Path(path)
    model = _parsed(read_bytes(path, MAX_MODEL_BYTES), path)
    if load_external:
        _load_external(model, path)
    return model


def _parsed(data: bytes, path: Path) -> ModelProto:
    kind = describe_kind(data[:HEAD_BYTES])
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as err:
        got = "a damaged or truncated one" if kind == ONNX else kind or "an unknown kind of file"
        raise FormatError(f"{path}: not an ONNX model: expected one, got {got}. {_remedy(kind)}.") from err
    if not model.ir_version or not model.HasField("graph") or not (model.opset_import or model.ir_version < 3):
        got = kind if kind not in (None, ONNX) else "one without a graph or version"
        raise FormatError(f"{path}: not an ONNX model: expected one, got {got}. {_remedy(kind)}.")
    if (field := _undecoded(model)) is not None:
        raise FormatError(f"{path}: damaged: expected UTF-8 text in field `{field}`, got other bytes. Copy it again.")
    return model


def _load_external(model: ModelProto, path: Path) -> None:
    """Put tensors that lie in other files into the model."""
    functions = (tensor for function in model.functions for tensor in _tensors_of(function.node))
    for tensor in itertools.chain(_tensors(model.graph), functions):
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.raw_data = _external_array(path, tensor, np.dtype(np.uint8), None).tobytes()
            tensor.ClearField("external_data")
            tensor.data_location = TensorProto.DEFAULT


def _typed(tensor: TensorProto) -> ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))


def _remedy(kind: str | None) -> str:
    otherwise = "Check where it came from"
    return otherwise if kind == ONNX else remedy_for(kind, otherwise)


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


def _dtype_of(path: Path, tensor: TensorProto) -> np.dtype[Any]:
    dtype = BY_ONNX.get(tensor.data_type)
    if dtype is None:
        raise FormatError(
            f"{path}: tensor `{tensor.name}`: unknown dtype: expected one that MXNet has, got data_type="
            f"{tensor.data_type}."
        )
    return dtype.numpy.newbyteorder("<")


def _read_external(path: Path, tensor: TensorProto) -> Array:
    return _external_array(path, tensor, _dtype_of(path, tensor), tuple(tensor.dims))


def _place_of(entries: Mapping[str, str], where: str) -> tuple[int, int]:
    """Return offset and length of external data; a length of -1 reaches to the end of the file."""
    try:
        return int(entries.get("offset", "0")), int(entries.get("length", "-1"))
    except ValueError as err:
        raise FormatError(f"{where}: external data is damaged: expected offset and length, got {err}.") from err


def _external_array(path: Path, tensor: TensorProto, dtype: np.dtype[Any], shape: tuple[int, ...] | None) -> Array:
    """Read the bytes of a tensor as an array; a flat one of all bytes if `shape` is None."""
    entries = {e.key: e.value for e in tensor.external_data}
    where = f"{path}: tensor `{tensor.name}`"
    folder = path.parent.resolve()
    location = entries.get("location", "")
    target = folder if "\0" in location else (folder / location).resolve()
    if not location or target == folder or Path(location).is_absolute() or not target.is_relative_to(folder):
        raise FormatError(
            f"{where}: data outside of the model's folder: expected a file in {folder}, got location={location!r}."
        )
    offset, length = _place_of(entries, where)
    try:
        with target.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            end = size if length < 0 else offset + length
            if not 0 <= offset <= end <= size:
                raise FormatError(
                    f"{where}: external data truncated: expected bytes {offset} to {end} of {target.name}, got "
                    f"size_bytes={size}. Copy the file again."
                )
            wanted = shape if shape is not None else (end - offset,)
            if any(d < 0 for d in wanted) or math.prod(wanted) * dtype.itemsize != end - offset:
                raise FormatError(
                    f"{where}: external data does not fit: expected {wanted} of {dtype}, got length={end - offset}."
                )
            array = empty_array(wanted, dtype)
            _fill(file, offset, array, where, target)
    except OSError as err:
        raise FileAccessError(
            f"{target}: cannot be read: the system says `{err.strerror or err}`. Keep it beside {path.name}.", err.errno
        ) from err
    return array


def _fill(file: BinaryIO | io.FileIO, offset: int, array: Array, where: str, path: Path) -> None:
    """Read an array's values from a place in a file."""
    view = array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")
    done = 0
    try:
        file.seek(offset)
        while done < len(view):
            got = file.readinto(view[done:])  # type: ignore[union-attr]
            if not got:
                raise FormatError(f"{where}: truncated: expected {len(view)} bytes at {offset}, got {done}.")
            done += got
    except OSError as err:
        raise FileAccessError(f"{path}: cannot be read: the system says `{err.strerror or err}`.", err.errno) from err
