"""ONNX files: written whole or not at all, read with limits."""

import hashlib
import io
import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from gluonnx.errors import FileAccessError, FormatError
from gluonnx.formats import FileSet, read_bytes
from gluonnx.formats.files import open_regular
from gluonnx.formats.signatures import HEAD_BYTES, describe_kind
from gluonnx.onnx.arrays import Array
from gluonnx.onnx.model import MAX_MODEL_BYTES, ExternalData, LoweredModel, array_bytes
from gluonnx.ops.attributes import shortened
from gluonnx.ops.dtypes import BY_ONNX

EXTERNAL_SUFFIX = ".data"
"""What the name of the file with a model's weights adds to the model's."""
SMALLEST_EXTERNAL_BYTES = 1024
"""Smaller weights stay in the model, as onnx keeps them."""
ALIGNMENT_BYTES = 1 << 16
"""Of large weights in their file, so that any system can map them. Source: onnx docs/ExternalData.md, `offset`."""
ALIGNED_BYTES = 1 << 20
"""Size from which on a weight is large."""
SMALL_ALIGNMENT_BYTES = 64
"""Of the others: a line of a processor's cache."""
EXTERNAL_ROOM_BYTES = 64 << 20
"""Size of all tensors in other files that is always justified."""
EXTERNAL_FACTOR = 16
"""How many times as large as these files they may be beyond that (weights that layers share lie in one place)."""
MAX_RANK = 64
"""Of an array; numpy's limit."""
_NUMBER = re.compile(r"[0-9]{1,19}")
_MODEL_ROOM_BYTES = 64 << 20
"""Left in a model for what is not weights."""


def write_model(path: str | os.PathLike[str], model: LoweredModel) -> Path:
    """Write a model; the same bytes for the same model. The file appears whole or not at all.

    Raises:
        ExportError: The model is larger than an ONNX file can be.
        FileAccessError: The folder is missing or not writable.
    """
    with FileSet() as files:
        stage_model(files, path, model)
    return Path(path)


def stage_model(
    files: FileSet, path: str | os.PathLike[str], model: LoweredModel, external: ExternalData | None = None
) -> Path:
    """Write a model into a set of files that is published later; return where its bytes are until then."""
    file = files.create(path)
    for chunk in model.chunks(external):
        file.write(chunk)
    return files.staged_path(path)


def needs_external_data(model: LoweredModel) -> bool:
    """Whether the weights are too large for a model of one file."""
    return model.weight_bytes > MAX_MODEL_BYTES - _MODEL_ROOM_BYTES


def stage_external(files: FileSet, path: str | os.PathLike[str], model: LoweredModel) -> ExternalData | None:
    """Write the large weights of the model that will be `path` into `PATH.data`, from where they are in memory.

    Returns:
        What the model must say about that file; None if no weight is large enough for it.
    """
    outside = {n: a for n, a in model.weights.items() if a.nbytes >= SMALLEST_EXTERNAL_BYTES}
    if not outside:
        return None
    target = _external_path(path)
    file = files.create(target)
    digest = hashlib.sha256()
    offsets: dict[str, int] = {}
    size = 0
    for name, array in outside.items():
        alignment = ALIGNMENT_BYTES if array.nbytes >= ALIGNED_BYTES else SMALL_ALIGNMENT_BYTES
        gap = bytes(-size % alignment)
        offsets[name] = size + len(gap)
        for chunk in (gap, array_bytes(array)):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return ExternalData(target.name, offsets, size, digest.hexdigest())


def staged_external_name(files: FileSet, path: str | os.PathLike[str]) -> str:
    """Return the name that the file of `stage_external` has until it is published; its bytes are complete."""
    return files.staged_path(_external_path(path)).name


def _external_path(path: str | os.PathLike[str]) -> Path:
    return Path(path).with_name(Path(path).name + EXTERNAL_SUFFIX)


def read_model(path: str | os.PathLike[str], *, load_external: bool = True) -> ModelProto:
    """Read an ONNX file, with the tensors that it keeps in other files of its folder.

    Args:
        path: The file.
        load_external: Put those tensors into the model; otherwise `read_external` reads one of them.

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
    every = itertools.chain(_tensors(model.graph), functions)
    external = [tensor for tensor in every if tensor.data_location == TensorProto.EXTERNAL]
    _check_total(path, external)
    for tensor in external:
        if load_external:
            tensor.raw_data = _external_array(path, tensor, np.dtype(np.uint8), None).tobytes()
            tensor.ClearField("external_data")
            tensor.data_location = TensorProto.DEFAULT
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


def read_external(path: str | os.PathLike[str], tensor: TensorProto) -> Array:
    """Read a tensor that lies in another file of the model's folder into memory of its own.

    Args:
        path: The model.
        tensor: Its description there.

    Raises:
        FormatError: The file is outside of the folder, too short, or not as long as the tensor's shape tells.
        FileAccessError: The file is missing or not readable.
    """
    dtype = BY_ONNX.get(tensor.data_type)
    if dtype is None:
        raise FormatError(
            f"{path}: tensor `{tensor.name}`: unknown dtype: expected one that MXNet has, got data_type="
            f"{tensor.data_type}."
        )
    return _external_array(Path(path), tensor, dtype.numpy.newbyteorder("<"), tuple(tensor.dims))


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
        array = np.empty(wanted, dtype)
        file.seek(offset)
        view = array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")
        done = 0
        while done < len(view):
            got = file.readinto(view[done:])
            if not got:
                raise FormatError(f"{where}: external data truncated: expected {len(view)} bytes, got {done}.")
            done += got
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
