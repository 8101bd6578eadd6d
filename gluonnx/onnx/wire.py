"""Where the large values of an ONNX file lie, found without reading them.

An ONNX file is one protobuf message; its parser holds the bytes of the file and all that they say at once. Here the
fields of the model, of its graph and of the initializers are walked by their lengths. What is left out of the message
is where values lie; all else is the parser's.

Source: protobuf encoding guide, "Message Structure"; onnx.proto3.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from google.protobuf.message import DecodeError
from onnx import TensorProto

from gluonnx.ops.dtypes import BY_ONNX

LARGE_BYTES = 1 << 16
"""Size from which on values are left out of the message. What shapes follow from is smaller."""
MAX_FIELDS = 1 << 20
"""More fields than this are left to protobuf: no real model has them, and Python walks them slowly."""
MAX_HEADER_BYTES = 1 << 20
"""Of an initializer without its values."""
_WINDOW_BYTES = 1 << 14
_LONGEST_VARINT = 10

_VARINT, _FIXED_64, _LENGTH_DELIMITED, _FIXED_32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED_64: 8, _FIXED_32: 4}

# Field numbers. Source: onnx.proto3.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_FLOAT_DATA, _RAW_DATA, _DOUBLE_DATA = 4, 9, 10
_VALUE_FIELDS = frozenset({_FLOAT_DATA, 5, 6, 7, _RAW_DATA, _DOUBLE_DATA, 11})
_PACKED = {(_FLOAT_DATA, TensorProto.FLOAT), (_DOUBLE_DATA, TensorProto.DOUBLE)}
"""Packed repeated fields whose bytes are those of the values."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where values lie in a file: little-endian, in C order.

    Attributes:
        offset: Where they begin.
        size_bytes: How long they are.
    """

    offset: int
    size_bytes: int


class _UnusualError(Exception):
    """The bytes are not laid out as writers of ONNX files lay them out; protobuf says whether they are sound."""


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    wire_type: int
    begin: int
    """Of the tag."""
    content: int
    """Behind the tag, and the length if there is one."""
    end: int


def split_large(file: BinaryIO, size: int) -> tuple[bytes, dict[str, Span]] | None:
    """Take the large initializers' values out of an ONNX file.

    Args:
        file: The file, seekable.
        size: Its size.

    Returns:
        The bytes of the model without these values, and where the values are, by name of the initializer; None if the
        file is not laid out as usual (or is no ONNX file): then it has to be read whole.
    """
    walk = _Walk(file, size)
    try:
        return walk.split()
    except (_UnusualError, DecodeError):
        return None


class _Walk:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._window = b""
        self._window_begin = 0
        self._count = 0
        self._spans: dict[str, Span] = {}

    def split(self) -> tuple[bytes, dict[str, Span]]:
        fields = list(self._fields(0, self._size))
        graphs = [f for f in fields if f.number == _MODEL_GRAPH]
        if len(graphs) != 1 or graphs[0].wire_type != _LENGTH_DELIMITED:
            raise _UnusualError
        (graph,) = graphs
        inner = self._graph(graph)
        parts = [
            self._read(0, graph.begin),
            tag(_MODEL_GRAPH),
            varint(len(inner)),
            inner,
            self._read(graph.end, self._size),
        ]
        return b"".join(parts), self._spans

    def _graph(self, graph: _Field) -> bytes:
        """Return the graph's bytes without large values."""
        parts: list[bytes] = []
        copied = graph.content
        for field in self._fields(graph.content, graph.end):
            if field.number != _GRAPH_INITIALIZER:
                continue
            header = self._initializer(field)
            if header is not None:
                parts += [self._read(copied, field.begin), tag(_GRAPH_INITIALIZER), varint(len(header)), header]
                copied = field.end
        parts.append(self._read(copied, graph.end))
        return b"".join(parts)

    def _initializer(self, field: _Field) -> bytes | None:
        """Return an initializer's bytes without its values, and note where these are; None if it stays as it is."""
        if field.wire_type != _LENGTH_DELIMITED or field.end - field.content < LARGE_BYTES:
            return None
        values: _Field | None = None
        rest: list[tuple[int, int]] = []
        for inner in self._fields(field.content, field.end):
            if inner.number not in _VALUE_FIELDS:
                rest.append((inner.begin, inner.end))
            elif values is not None or inner.wire_type != _LENGTH_DELIMITED:
                return None
            else:
                values = inner
        if values is None or sum(end - begin for begin, end in rest) > MAX_HEADER_BYTES:
            return None
        header = b"".join(self._read(begin, end) for begin, end in rest)
        tensor = TensorProto.FromString(header)
        size = values.end - values.content
        if values.number != _RAW_DATA and (values.number, tensor.data_type) not in _PACKED:
            return None
        dtype = BY_ONNX.get(tensor.data_type)
        if (
            dtype is None
            or size < LARGE_BYTES
            or tensor.data_location == TensorProto.EXTERNAL
            or min(tensor.dims, default=1) < 0
            or math.prod(tensor.dims) * dtype.numpy.itemsize != size
            or not tensor.name
        ):
            return None
        if tensor.name in self._spans:
            raise _UnusualError
        self._spans[tensor.name] = Span(values.content, size)
        return header

    def _fields(self, begin: int, end: int) -> Iterator[_Field]:
        position = begin
        while position < end:
            self._count += 1
            if self._count > MAX_FIELDS:
                raise _UnusualError
            key, content = self._varint(position, end)
            number, wire_type = key >> 3, key & 7
            if wire_type == _LENGTH_DELIMITED:
                length, content = self._varint(content, end)
                stop = content + length
            elif wire_type == _VARINT:
                _, stop = self._varint(content, end)
            elif wire_type in _FIXED_SIZES:
                stop = content + _FIXED_SIZES[wire_type]
            else:
                raise _UnusualError
            if stop > end or not number:
                raise _UnusualError
            yield _Field(number, wire_type, position, content, stop)
            position = stop

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """Decode an unsigned integer; return it and where it ends."""
        value = 0
        for index in range(_LONGEST_VARINT):
            if position + index >= end:
                break
            byte = self._byte(position + index)
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value, position + index + 1
        raise _UnusualError

    def _byte(self, position: int) -> int:
        index = position - self._window_begin
        if not 0 <= index < len(self._window):
            self._file.seek(position)
            self._window = self._file.read(min(_WINDOW_BYTES, self._size - position))
            self._window_begin, index = position, 0
            if not self._window:  # the file shrank while it was read
                raise _UnusualError
        return self._window[index]

    def _read(self, begin: int, end: int) -> bytes:
        self._file.seek(begin)
        data = self._file.read(end - begin)
        if len(data) != end - begin:
            raise _UnusualError
        return data


def tag(number: int) -> bytes:
    """Encode the tag of a field with a length."""
    return varint(number << 3 | _LENGTH_DELIMITED)


def varint(number: int) -> bytes:
    """Encode an unsigned integer. Source: protobuf encoding guide, "Base 128 Varints"."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
