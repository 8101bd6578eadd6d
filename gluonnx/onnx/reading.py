"""Reading ONNX files: with limits, and large initializers one at a time."""

import io
import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from gluonnx.errors import FileAccessError, FormatError
from gluonnx.formats import empty_array, read_bytes
from gluonnx.formats.files import open_regular
from gluonnx.formats.journal import settle
from gluonnx.formats.signatures import HEAD_BYTES, ONNX, describe_kind, remedy_for
from gluonnx.onnx.arrays import Array
from gluonnx.onnx.model import MAX_MODEL_BYTES, set_external
from gluonnx.onnx.wire import LARGE_BYTES, Span, split_large
from gluonnx.ops.attributes import shortened
from gluonnx.ops.dtypes import BY_ONNX

EXTERNAL_ROOM_BYTES = 64 << 20
"""Size of all tensors in other files that is always justified."""
EXTERNAL_FACTOR = 16
"""How many times as large as these files they may be beyond that (weights that layers share lie in one place)."""
MAX_RANK = 64
"""Of an array; numpy's limit."""
_NUMBER = re.compile(r"[0-9]{1,19}")
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
                place = _place(self.path, tensor)
                places[tensor.name] = Span(place.offset, -1 if place.length is None else place.length)
            if tensor.name in places:
                set_external(tensor, location, places[tensor.name].offset, places[tensor.name].size_bytes)
        return self.proto, places

    def _split(self) -> ModelProto | None:
        """Parse the model without its large values; None where the file has to be parsed whole."""
        settle(self.path)
        try:
            file = io.BufferedReader(open_regular(self.path))
        except OSError:
            return None  # read_bytes says what is wrong, and takes a pipe
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
    _check_total(path, _external_tensors(model))
    return model


def _load_external(model: ModelProto, path: Path) -> None:
    """Put tensors that lie in other files into the model."""
    for tensor in _external_tensors(model):
        tensor.raw_data = _external_array(path, tensor, np.dtype(np.uint8), None).tobytes()
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT


def _external_tensors(model: ModelProto) -> list[TensorProto]:
    functions = (tensor for function in model.functions for tensor in _tensors_of(function.node))
    every = itertools.chain(_tensors(model.graph), functions)
    return [tensor for tensor in every if tensor.data_location == TensorProto.EXTERNAL]


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


def _external_array(path: Path, tensor: TensorProto, dtype: np.dtype[Any], shape: tuple[int, ...] | None) -> Array:
    """Read the bytes of a tensor as an array; a flat one of all bytes if `shape` is None."""
    where = f"{path}: tensor `{tensor.name}`"
    place = _place(path, tensor)
    with _reading(place.target, path), open_regular(place.target) as file:
        offset, end = place.span(os.fstat(file.fileno()), where)
        wanted = shape if shape is not None else (end - offset,)
        if (
            len(wanted) > MAX_RANK
            or any(d < 0 for d in wanted)
            or math.prod(max(d, 1) for d in wanted) >= 1 << 62
            or math.prod(wanted) * dtype.itemsize != end - offset
        ):
            raise FormatError(
                f"{where}: external data does not fit: expected {str(wanted)[:80]} of {dtype}, got "
                f"length={end - offset}."
            )
        array = empty_array(wanted, dtype)
        _fill(file, offset, array, where, place.target)
    return array


def open_external(path: Path, location: str) -> io.FileIO:
    """Open a file of a model's folder that holds tensors of the model.

    Raises:
        FormatError: It has a second name in another folder (a hard link).
        FileAccessError: It is no regular file.
        OSError: It is missing or not readable.

    Source: onnx docs/ExternalData.md and onnx.checker: inside the model's folder, a regular file, one link.
    """
    target = path.parent / location
    if not target.resolve().is_relative_to(path.parent.resolve()):
        raise FormatError(f"{target}: data outside of the model's folder: expected a file in it, got a link. Copy it.")
    file = open_regular(target)
    links = os.fstat(file.fileno()).st_nlink
    if links > 1:
        file.close()
        raise FormatError(
            f"{target}: external data has more than one hard link: expected a file of the model's folder alone, got "
            f"links={links}. Copy the file."
        )
    return file


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lies outside of its model: the file, and the offset and length that are told, None if not."""

    target: Path
    offset: int
    length: int | None

    def span(self, status: os.stat_result, where: str) -> tuple[int, int]:
        """Return the first byte and the one behind the last.

        Raises:
            FormatError: The file does not have them, or has a second name elsewhere.
        """
        if status.st_nlink > 1:
            raise FormatError(
                f"{where}: external data has more than one hard link: expected a file of the model's folder alone, "
                f"got {self.target.name} with links={status.st_nlink}. Copy the file."
            )
        end = status.st_size if self.length is None else self.offset + self.length
        if not self.offset <= end <= status.st_size:
            raise FormatError(
                f"{where}: external data truncated: expected bytes {self.offset} to {end} of {self.target.name}, got "
                f"size_bytes={status.st_size}. Copy the file again."
            )
        return self.offset, end


def _place(path: Path, tensor: TensorProto) -> _Place:
    """Return where a tensor lies, in the folder of its model.

    Raises:
        FormatError: Outside of the folder, or the description is damaged.

    Source: onnx docs/ExternalData.md.
    """
    where = f"{path}: tensor `{tensor.name}`"
    entries = {e.key: e.value for e in tensor.external_data}
    if len(entries) != len(tensor.external_data):
        raise FormatError(f"{where}: external data is damaged: expected each key once, got one twice.")
    folder = path.parent.resolve()
    location = entries.get("location", "")
    try:
        target = folder if "\0" in location else (folder / location).resolve()
    except (RuntimeError, OSError) as err:  # links in a circle, a name longer than the system takes
        raise FormatError(f"{where}: external data: expected a file in {folder}, got {str(err)[:200]}.") from err
    if not location or target == folder or Path(location).is_absolute() or not target.is_relative_to(folder):
        raise FormatError(
            f"{where}: data outside of the model's folder: expected a file in {folder}, got "
            f"location={shortened(location)}."
        )
    numbers = []
    for key in ("offset", "length"):
        text = entries.get(key)
        if text is not None and not _NUMBER.fullmatch(text):
            raise FormatError(
                f"{where}: external data is damaged: expected {key} as a number of bytes, got {key}={shortened(text)}."
            )
        numbers.append(None if text is None else int(text))
    return _Place(target, numbers[0] or 0, numbers[1])


@contextmanager
def _reading(target: Path, path: Path) -> Iterator[None]:
    """Tell an OSError as one of the file beside a model."""
    try:
        yield
    except FileAccessError:
        raise
    except OSError as err:
        raise FileAccessError(
            f"{target}: cannot be read: the system says `{err.strerror or err}`. Keep it beside {path.name}.", err.errno
        ) from err


def _check_total(path: Path, tensors: Iterable[TensorProto]) -> None:
    """Raise if tensors in other files take more memory than these files justify: many may lie in one place.

    What is wrong with one of them is told when it is read.

    Raises:
        FormatError: As `_place`, or they take too much.
    """
    sizes: dict[Path, int] = {}
    total = 0
    for tensor in tensors:
        place = _place(path, tensor)
        if place.target not in sizes:
            with suppress(OSError):
                sizes[place.target] = place.target.stat().st_size
        size = sizes.get(place.target, 0)
        total += size if place.length is None else min(place.length, size)
    allowed = EXTERNAL_ROOM_BYTES + EXTERNAL_FACTOR * sum(sizes.values())
    if total > allowed:
        raise FormatError(
            f"{path}: external data overlaps: expected at most {allowed} bytes of tensors in files of "
            f"{sum(sizes.values())} bytes, got {total}. The model is damaged, or was made to exhaust memory."
        )


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
