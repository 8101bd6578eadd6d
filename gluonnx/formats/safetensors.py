"""safetensors files: named dense arrays, read with limits and written without copies.

A file is u64 length of the header, little-endian; the header, a JSON object that gives for each name `dtype`, `shape`
and `data_offsets` (begin and end, counted from the end of the header) and under `__metadata__` texts by key; the
values, little-endian and in C order, without a gap.

Source: the safetensors format, https://github.com/huggingface/safetensors#format.
"""

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from gluonnx.errors import FormatError, InputError
from gluonnx.formats.files import CANNOT_READ, atomic_write, failing
from gluonnx.formats.journal import settle
from gluonnx.formats.memory import empty_array
from gluonnx.formats.params import Dense
from gluonnx.formats.progress import Steps, write_chunks
from gluonnx.formats.signatures import HEAD_BYTES, describe_kind, remedy_for

__all__ = ["read_safetensors", "serialize_safetensors", "write_safetensors"]

MAX_HEADER_BYTES = 100_000_000
"""Source: safetensors src/tensor.rs, `MAX_HEADER_SIZE`."""
METADATA = "__metadata__"
MAX_RANK = 32
ALIGNMENT_BYTES = 8

_HEADER_LENGTH = struct.Struct("<Q")
_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def write_safetensors(path: str | os.PathLike[str], arrays: Mapping[str, Dense]) -> None:
    """Write arrays by name; the file appears whole, or not at all.

    Raises:
        InputError: As `serialize_safetensors`. Nothing is written.
        FileAccessError: As `atomic_write`.
    """
    chunks = serialize_safetensors(arrays)
    with atomic_write(path) as file:
        write_chunks(file, chunks, Steps(f"writing {path}", sum(a.nbytes for a in arrays.values())))


def serialize_safetensors(arrays: Mapping[str, Dense]) -> Iterator[bytes | memoryview]:
    """The bytes of a file, in chunks that borrow the arrays' memory where it is contiguous.

    Wider elements come first, so that every array is aligned; among equals the order is kept.

    Raises:
        InputError: Something cannot be held: a sparse array, a dtype, a name; names every such array.
    """
    faults = [f"`{name!s}`: {fault}" for name, value in arrays.items() if (fault := _fault(name, value))]
    if faults:
        raise InputError("safetensors: cannot be saved: " + "; ".join(faults))
    placed = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    offsets: dict[str, tuple[int, int]] = {}
    end = 0
    for name in placed:
        begin, end = end, end + arrays[name].nbytes
        offsets[name] = begin, end
    described = {
        name: {"dtype": _name_of(value), "shape": list(value.shape), "data_offsets": list(offsets[name])}
        for name, value in arrays.items()
    }
    header = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % ALIGNMENT_BYTES)
    return _chunks(header, [arrays[name] for name in placed])


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, Dense]:
    """Read a file; each array into memory of its own.

    Returns:
        The arrays in the order of the header.

    Raises:
        FileAccessError: The file is missing or not readable.
        FormatError: Not a safetensors file, truncated or damaged, or an array of a dtype that MXNet lacks.
    """
    settle(Path(path))
    with failing(Path(path), CANNOT_READ), Path(path).open("rb") as file:
        return _read(file, os.fstat(file.fileno()).st_size, str(path))


def _read(file: BinaryIO, size: int, where: str) -> dict[str, Dense]:
    header, start = _header(file, size, where)
    spans: list[tuple[int, int, str, np.dtype[Any], tuple[int, ...]]] = []
    for name, entry in header.items():
        if name == METADATA:
            continue
        dtype, shape, begin, end = _entry(name, entry, where)
        spans.append((begin, end, name, dtype, shape))
    expected = 0
    for begin, end, name, _, _ in sorted(spans, key=lambda span: span[:2]):
        if begin != expected:
            raise FormatError(
                f"{where}: array `{name}`: expected its values at {start + expected:#x}, got {start + begin:#x}. The "
                "file is damaged."
            )
        expected = end
    if start + expected != size:
        what = "truncated" if start + expected > size else "damaged"
        raise FormatError(
            f"{where}: values: expected {expected} bytes at {start:#x}, got {size - start}. The file is {what}."
        )
    arrays: dict[str, Dense] = {}
    steps = Steps(f"reading {where}", expected)
    for begin, end, name, dtype, shape in spans:
        steps.add(end - begin)
        values = empty_array(shape, dtype)
        if values.size:
            raw = values.reshape(-1).view(np.uint8)
            file.seek(start + begin)
            got = file.readinto(raw.data)  # type: ignore[attr-defined]
            if got != raw.size:  # the file shrank while it was read
                raise FormatError(
                    f"{where}: array `{name}`: expected {raw.size} bytes at {start + begin:#x}, got {got}. The file is "
                    "truncated."
                )
            if dtype == np.bool_ and raw.max() > 1:
                raise FormatError(
                    f"{where}: array `{name}`: expected booleans of 0 or 1, got {raw.max()} after {start + begin:#x}. "
                    "The file is damaged."
                )
        arrays[name] = values
    return arrays


def _header(file: BinaryIO, size: int, where: str) -> tuple[dict[str, Any], int]:
    """Read the header; also return where the values begin."""
    head = file.read(HEAD_BYTES)
    kind = describe_kind(head)
    if len(head) < _HEADER_LENGTH.size or head[_HEADER_LENGTH.size : _HEADER_LENGTH.size + 1] != b"{":
        raise FormatError(
            f"{where}: not a safetensors file: expected a length and a JSON header at 0x0, got "
            f"{kind or 'first bytes ' + head[:9].hex(' ')}. "
            f"{remedy_for(kind, 'Pass a file that `save_parameters` wrote')}."
        )
    (length,) = _HEADER_LENGTH.unpack_from(head)
    left = size - _HEADER_LENGTH.size
    if length > min(left, MAX_HEADER_BYTES):
        raise FormatError(
            f"{where}: header: expected at most {min(left, MAX_HEADER_BYTES)} bytes at 0x8, got {length}. The file is "
            "truncated or damaged."
        )
    file.seek(_HEADER_LENGTH.size)
    try:
        header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as err:
        raise FormatError(f"{where}: header at 0x8: expected JSON, got {err}. The file is damaged.") from err
    if not isinstance(header, dict):
        raise FormatError(f"{where}: header at 0x8: expected an object, got {type(header).__name__}.")
    return header, _HEADER_LENGTH.size + length


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a name twice: {next(n for n in names if names.count(n) > 1)!r}")
    return found


def _entry(name: str, entry: Any, where: str) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    what = f"{where}: array `{name[:80]}`"
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
        raise FormatError(
            f"{what}: expected dtype, shape and data_offsets, got {str(entry)[:80]}. The file is damaged."
        )
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise FormatError(
            f"{what}: unknown dtype: expected one of {', '.join(_DTYPES)}, got dtype={entry['dtype'][:20]!r}. Cast it "
            "before it is saved."
        )
    shape, offsets = _sizes(entry.get("shape")), _sizes(entry.get("data_offsets"))
    if shape is None or len(shape) > MAX_RANK:
        raise FormatError(
            f"{what}: expected a shape of at most {MAX_RANK} sizes, got shape={str(entry.get('shape'))[:80]}."
        )
    if offsets is None or len(offsets) != 2 or math.prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
        raise FormatError(
            f"{what}: expected {math.prod(shape) * dtype.itemsize} bytes, got "
            f"data_offsets={str(entry.get('data_offsets'))[:80]}. The file is damaged."
        )
    if math.prod(max(d, 1) for d in shape) * dtype.itemsize >= 1 << 62:
        raise FormatError(f"{what}: expected a shape of fewer than 2**62 bytes, got shape={tuple(shape)}.")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _sizes(value: Any) -> list[int] | None:
    return value if isinstance(value, list) and all(type(v) is int and 0 <= v < 1 << 62 for v in value) else None


def _fault(name: object, value: object) -> str:
    """What keeps an array from being written; empty if nothing."""
    if not isinstance(name, str) or name == METADATA:
        return f"expected a name of type str other than {METADATA}, got {name!r}."
    try:
        name.encode()
    except UnicodeEncodeError:
        return "expected a name that UTF-8 can hold, got half a surrogate pair."
    if not isinstance(value, np.ndarray):
        return f"expected a dense array, got {type(value).__name__}. Make it dense, or save a .params file."
    if value.dtype.newbyteorder("<") not in _NAMES:
        return f"expected a dtype of {', '.join(str(d) for d in _NAMES)}, got dtype={value.dtype}. Cast it."
    return ""


def _name_of(value: Dense) -> str:
    return _NAMES[value.dtype.newbyteorder("<")]


def _chunks(header: bytes, values: list[Dense]) -> Iterator[bytes | memoryview]:
    yield _HEADER_LENGTH.pack(len(header)) + header
    for value in values:
        if value.size:
            plain = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
            yield plain.reshape(-1).view(np.uint8).data
