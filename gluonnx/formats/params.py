"""MXNet `.params` files (`mx.nd.save`, `save_parameters`, `export`) of every era, read and written.

A file is, all little-endian:

    u64 0x112, u64 reserved, u64 count, count arrays, u64 count of names (0 or the same), per name u64 length and UTF-8

and an array, by the era of MXNet that wrote it:

    before 0.11  u32 rank, u32 dims...                                                     then context, flag, values
    V1 (0.11)    u32 0xF993FAC8, i32 rank, i64 dims...                                     then context, flag, values
    V2 (0.12+)   u32 0xF993FAC9, i32 storage, [storage shape], shape                       then context, flag, ...
    V3 (1.5+)    as V2 with 0xF993FACA: a scalar or a size of 0 means what it says (numpy shape semantics)

where a shape is i32 rank and i64 dims, the context two i32 (ignored: the arrays are always numpy), the flag an i32
dtype. Storage is 0 dense, 1 row_sparse, 2 csr; the sparse ones put, after the flag, (i32 flag, shape) of each index
array, then the values (of the storage shape), then the index arrays. In all but V3 a rank of 0 is an array that was
never allocated, and nothing follows it.

Source: the bytes MXNet 1.9.1 writes and accepts (tests/golden/make_files.py), and those that 0.9.5 to 1.8.0 wrote
(tests/golden/make_eras.py); its src/ndarray/ndarray.cc defines them.
"""

import io
import math
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt

from gluonnx.errors import FormatError, InputError
from gluonnx.formats.files import CANNOT_READ, atomic_write, failing
from gluonnx.formats.journal import settle
from gluonnx.formats.memory import empty_array
from gluonnx.formats.progress import Steps, write_chunks
from gluonnx.formats.signatures import HEAD_BYTES, describe_kind, remedy_for

__all__ = [
    "Array",
    "ArrayFile",
    "Csr",
    "RowSparse",
    "parse_array",
    "parse_params",
    "read_params",
    "serialize_params",
    "write_params",
]

LIST_MAGIC = 0x112
V1_MAGIC = 0xF993FAC8
V2_MAGIC = 0xF993FAC9
V3_MAGIC = 0xF993FACA
MAX_RANK = 32  # numpy 1's limit; MXNet itself has none, its operators stop at 6 or fewer
MAX_NAME_BYTES = 1 << 16  # MXNet has no limit; the longest names in real files are a few hundred bytes

DENSE, ROW_SPARSE, CSR = 0, 1, 2

# mshadow's dtype flags. MXNet 1.9.1 reads and writes those up to 7 and 12; 8 to 11 come from MXNet 2.
_DTYPE_OF_FLAG: dict[int, np.dtype[Any]] = {
    flag: np.dtype(name)
    for flag, name in enumerate(
        ["<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8", "?", "<i2", "<u2", "<u4", "<u8", ml_dtypes.bfloat16]
    )
}
_FLAG_OF_DTYPE = {dtype: flag for flag, dtype in _DTYPE_OF_FLAG.items() if flag <= 7 or flag == 12}
_CPU_CONTEXT = struct.pack("<ii", 1, 0)

Dense: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class RowSparse:
    """An array of which only some rows are stored.

    Attributes:
        shape: The whole shape, (N, ...).
        indices: The stored rows, ascending, shape (K,), an integer dtype (MXNet: int64).
        data: Their values, shape (K, ...).

    Raises:
        InputError: The three do not fit each other.
    """

    shape: tuple[int, ...]
    indices: Dense
    data: Dense

    def __post_init__(self) -> None:
        """Check that shape, indices and data fit."""
        fault = self._fault()
        if fault:
            raise InputError(f"RowSparse: {fault}. Pass indices and data that belong together.")

    def _fault(self) -> str:
        if self.indices.ndim != 1 or self.indices.dtype.kind not in "iu":
            return f"expected indices to be a vector of integers, got shape={self.indices.shape}"
        if not self.shape or self.data.shape != (len(self.indices), *self.shape[1:]):
            return f"expected data of shape {(len(self.indices), *self.shape[1:])}, got shape={self.data.shape}"
        if len(self.indices) and (self.indices[0] < 0 or self.indices[-1] >= self.shape[0]):
            return f"expected indices in 0..{self.shape[0] - 1}, got {self.indices[0]}..{self.indices[-1]}"
        if np.any(self.indices[1:] <= self.indices[:-1]):
            return "expected ascending indices, got some out of order or twice"
        return ""


@dataclass(frozen=True, slots=True, eq=False)
class Csr:
    """A matrix in compressed sparse row form.

    Attributes:
        shape: (R, C).
        indptr: Where each row starts in the values, shape (R + 1,); or (0,) for a matrix of zeros, as MXNet saves one
            that was never filled.
        indices: The column of each value, shape (K,).
        data: The values, shape (K,).

    Raises:
        InputError: The four do not fit each other.
    """

    shape: tuple[int, ...]
    indptr: Dense
    indices: Dense
    data: Dense

    def __post_init__(self) -> None:
        """Check that shape, indptr, indices and data fit."""
        fault = self._fault()
        if fault:
            raise InputError(f"Csr: {fault}. Pass indptr, indices and data that belong together.")

    def _fault(self) -> str:
        for name, array in (("indptr", self.indptr), ("indices", self.indices)):
            if array.ndim != 1 or array.dtype.kind not in "iu":
                return f"expected {name} to be a vector of integers, got shape={array.shape}"
        if len(self.shape) != 2:
            return f"expected a shape of rank 2, got shape={self.shape}"
        if self.data.shape != self.indices.shape:
            return f"expected as many values as indices ({len(self.indices)}), got shape={self.data.shape}"
        if len(self.indptr) not in {self.shape[0] + 1, 0}:
            return f"expected {self.shape[0] + 1} row starts, got {len(self.indptr)}"
        ends = (int(self.indptr[0]), int(self.indptr[-1])) if len(self.indptr) else (0, 0)
        if ends != (0, len(self.indices)) or np.any(self.indptr[1:] < self.indptr[:-1]):
            return f"expected row starts ascending from 0 to {len(self.indices)}, got {ends[0]}..{ends[1]}"
        if len(self.indices) and (self.indices.min() < 0 or self.indices.max() >= self.shape[1]):
            return f"expected columns in 0..{self.shape[1] - 1}, got {self.indices.min()}..{self.indices.max()}"
        return ""


Array: TypeAlias = Dense | RowSparse | Csr


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFile:
    """What a `.params` file holds.

    Attributes:
        arrays: In file order; None for an array that MXNet saved before it was allocated. Every numpy array owns its
            memory and is writable.
        names: As many as arrays, with their `arg:` / `aux:` prefix; or none at all (a saved list).
        np_shape: Whether an array was saved under numpy shape semantics (V3).
        where: The path, for messages.
    """

    arrays: tuple[Array | None, ...]
    names: tuple[str, ...]
    np_shape: bool
    where: str

    def as_dict(self) -> dict[str, Array | None]:
        """The arrays by name, in file order.

        Raises:
            FormatError: The file has no names, or one of them twice.
        """
        if len(self.names) != len(self.arrays):
            raise FormatError(
                f"{self.where}: no names: expected named arrays, got a list of {len(self.arrays)}. "
                f"Save it from a dict, or use its arrays by position."
            )
        result = dict(zip(self.names, self.arrays, strict=True))
        if len(result) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise FormatError(f"{self.where}: expected every name once, got twice: {', '.join(twice[:5])}.")
        return result


def read_params(path: str | os.PathLike[str]) -> ArrayFile:
    """Read an MXNet `.params` file of any era.

    Each array is read straight into its own memory: the peak is the size of the file.

    Returns:
        The arrays with the shape and dtype found on disk (no cast), keys with their prefix.

    Raises:
        FileAccessError: The file is missing or not readable.
        FormatError: Not a .params file, truncated, or damaged; carries the path and byte offset.
    """
    settle(Path(path))
    with failing(Path(path), CANNOT_READ), Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.seekable():
            return _parse(_Source(file, size, str(path)))
        return parse_params(file.read(), str(path))


def parse_params(data: bytes, where: str) -> ArrayFile:
    """Parse the bytes of a `.params` file; `where` names them in messages. The arrays are copies.

    Raises:
        FormatError: As `read_params`.
    """
    return _parse(_Source(io.BytesIO(data), len(data), where))


def write_params(
    path: str | os.PathLike[str], arrays: Mapping[str, Array] | Sequence[Array], *, np_shape: bool = False
) -> None:
    """Write the file that MXNet 1.9.1's `mx.nd.save` writes, byte for byte; whole, or not at all.

    Args:
        path: The file; its folder exists.
        arrays: Named, or a list without names.
        np_shape: Write V3, which keeps scalars and sizes of 0 but is read by MXNet under `npx.set_np()` only, and
            holds dense arrays only.

    Raises:
        InputError: MXNet 1.9.1 cannot hold one of the arrays; names every such array. Nothing is written.
        FileAccessError: As `atomic_write`.
    """
    chunks = serialize_params(arrays, np_shape=np_shape)
    with atomic_write(path) as file:
        write_chunks(file, chunks, Steps(f"writing {path}", size_of(arrays)))


def size_of(arrays: Mapping[str, Array] | Sequence[Array]) -> int:
    """Return the size of the values of arrays in a file."""
    size = 0
    for value in arrays.values() if isinstance(arrays, Mapping) else arrays:
        if isinstance(value, RowSparse):
            size += value.data.nbytes + value.indices.nbytes
        elif isinstance(value, Csr):
            size += value.data.nbytes + value.indices.nbytes + value.indptr.nbytes
        else:
            size += value.nbytes
    return size


def serialize_params(
    arrays: Mapping[str, Array] | Sequence[Array], *, np_shape: bool = False
) -> Iterator[bytes | memoryview]:
    """The bytes `write_params` writes, in chunks that borrow the arrays' memory where it is contiguous.

    The arrays are checked by the call itself, before the first chunk is taken.

    Raises:
        InputError: As `write_params`.
    """
    named = isinstance(arrays, Mapping)
    names: list[str] = list(arrays) if isinstance(arrays, Mapping) else []
    values: list[Array] = list(arrays.values()) if isinstance(arrays, Mapping) else list(arrays)
    faults = []
    for i, value in enumerate(values):
        fault = (named and _name_fault(names[i])) or _write_fault(value, np_shape)
        if fault:
            faults.append(f"array {i}{f' `{names[i]!s}`' if named else ''}: {fault}")
    if faults:
        raise InputError(".params: cannot be saved: " + "; ".join(faults))
    return _chunks(values, [name.encode() for name in names], V3_MAGIC if np_shape else V2_MAGIC)


class _Source:
    """Bytes read in order, none beyond the end: every length is checked before anything is allocated."""

    __slots__ = ("_steps", "_stream", "item", "offset", "size", "where")

    def __init__(self, stream: BinaryIO, size: int, where: str) -> None:
        self._stream = stream
        self.size = size
        self.where = where
        self.offset = 0
        self.item = "header"
        self._steps = Steps(f"reading {where}", size)

    @property
    def left(self) -> int:
        return self.size - self.offset

    def error(self, what: str, remedy: str = "The file is damaged", *, back: int = 0) -> FormatError:
        """An error at `back` bytes before the present offset."""
        return FormatError(f"{self.where}: {self.item}: {what} at {self.offset - back:#x}. {remedy}.")

    def need(self, size: int) -> None:
        """Raise if fewer than `size` bytes are left."""
        if size > self.left:
            raise FormatError(
                f"{self.where}: {self.item}: expected {size} bytes at {self.offset:#x}, got {self.left}. "
                f"The file is truncated or damaged."
            )

    def take(self, size: int) -> bytes:
        self.need(size)
        data = self._stream.read(size)
        self._advance(size, len(data))
        return data

    def unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Dense:
        """Read values into a new array of this dtype and shape."""
        if math.prod(max(dim, 1) for dim in shape) * dtype.itemsize >= 1 << 62:
            raise self.error(f"expected a shape of fewer than 2**62 bytes, got shape={shape}")
        size = math.prod(shape) * dtype.itemsize
        self.need(size)
        values = empty_array(shape, dtype)
        if size:
            raw = values.reshape(-1).view(np.uint8)
            self._steps.add(size)
            self._advance(size, self._stream.readinto(raw.data))  # type: ignore[attr-defined]
            if dtype == np.bool_ and raw.max() > 1:
                raise self.error(f"expected booleans of 0 or 1, got {raw.max()}", back=size)
        return values

    def _advance(self, size: int, got: int) -> None:
        if got != size:  # the file shrank while it was read
            raise FormatError(
                f"{self.where}: {self.item}: expected {size} bytes at {self.offset:#x}, got {got}. "
                f"The file is truncated."
            )
        self.offset += size


def _parse(source: _Source) -> ArrayFile:
    head = source._stream.read(HEAD_BYTES)
    source._stream.seek(0)
    if head[:8] != struct.pack("<Q", LIST_MAGIC):
        kind = describe_kind(head)
        got = kind if kind else f"first bytes {head[:8].hex(' ')}"
        remedy = remedy_for(kind, "Pass the file that `save_parameters`, `export` or `mx.nd.save` wrote")
        raise FormatError(
            f"{source.where}: not an MXNet .params file: expected list magic 0x112 at 0x0, got {got}. {remedy}."
        )
    _, _, count = source.unpack("<QQQ")
    source.item = f"list of {count} arrays"
    source.need(4 * count)
    arrays: list[Array | None] = []
    np_shape = False
    for i in range(count):
        source.item = f"array {i} of {count}"
        array, is_v3 = _read_array(source)
        arrays.append(array)
        np_shape |= is_v3
    names = _read_names(source, count)
    if source.left:
        source.item = "end"
        raise source.error(f"expected the end of the file, got {source.left} more bytes")
    return ArrayFile(tuple(arrays), names, np_shape, source.where)


def parse_array(data: bytes, where: str = "buffer") -> Array:
    """Read the bytes of one array, as MXNet's pickles of an array hold them.

    Raises:
        FormatError: They are none, or hold no values.
    """
    source = _Source(io.BytesIO(data), len(data), where)
    source.item = "array"
    array, _ = _read_array(source)
    if array is None:
        raise FormatError(f"{where}: array is empty: expected values, got none.")
    if source.left:
        raise source.error(f"expected the end, got {source.left} more bytes")
    return array


def _read_array(source: _Source) -> tuple[Array | None, bool]:
    """Read one array of any era; also tells whether it is V3."""
    (magic,) = source.unpack("<I")
    if magic in {V2_MAGIC, V3_MAGIC}:
        return _read_v2(source, is_v3=magic == V3_MAGIC), magic == V3_MAGIC
    if magic == V1_MAGIC:
        shape = _read_shape(source)
    elif magic <= MAX_RANK:
        shape = source.unpack(f"<{magic}I")
    else:
        raise source.error(
            f"expected an array of a known era, got magic={magic:#x}",
            "The file is damaged, or of an MXNet later than those that read it",
            back=4,
        )
    return (_read_dense(source, shape) if shape else None), False


def _read_v2(source: _Source, *, is_v3: bool) -> Array | None:
    (storage,) = source.unpack("<i")
    if storage not in {DENSE, ROW_SPARSE, CSR} or (is_v3 and storage != DENSE):
        raise source.error(f"expected storage 0 (dense), 1 (row_sparse) or 2 (csr), got storage={storage}", back=4)
    storage_shape = _read_shape(source) if storage != DENSE else ()
    shape = _read_shape(source, is_v3=is_v3)
    if shape is None or (not shape and not is_v3):
        return None
    if storage == DENSE:
        return _read_dense(source, shape)
    return _read_sparse(source, storage, storage_shape, shape)


def _read_shape(source: _Source, *, is_v3: bool = False) -> Any:
    """Read a shape: a tuple; None for one that V3 calls unknown."""
    start = source.offset
    (rank,) = source.unpack("<i")
    if is_v3 and rank == -1:
        return None
    if not 0 <= rank <= MAX_RANK:
        raise source.error(f"expected a rank of 0 to {MAX_RANK}, got rank={rank}", back=4)
    shape = source.unpack(f"<{rank}q")
    if is_v3 and -1 in shape and min(shape) == -1:
        return None
    if shape and min(shape) < 0:
        raise source.error(f"expected sizes of 0 or more, got shape={shape}", back=source.offset - start)
    return shape


def _read_dtype(source: _Source) -> np.dtype[Any]:
    (flag,) = source.unpack("<i")
    dtype = _DTYPE_OF_FLAG.get(flag)
    if dtype is None:
        raise source.error(f"expected a dtype flag of 0 to {max(_DTYPE_OF_FLAG)}, got flag={flag}", back=4)
    return dtype


def _read_dense(source: _Source, shape: tuple[int, ...]) -> Dense:
    source.take(len(_CPU_CONTEXT))
    return source.array(_read_dtype(source), shape)


def _read_sparse(source: _Source, storage: int, storage_shape: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    start = source.offset
    source.take(len(_CPU_CONTEXT))
    dtype = _read_dtype(source)
    aux = []
    for _ in range(storage):  # row_sparse has one index array, csr two
        aux_dtype = _read_dtype(source)
        aux.append((aux_dtype, _read_shape(source)))
    data = source.array(dtype, storage_shape)
    index_arrays = [source.array(aux_dtype, aux_shape) for aux_dtype, aux_shape in aux]
    try:
        if storage == ROW_SPARSE:
            return RowSparse(shape, index_arrays[0], data)
        return Csr(shape, index_arrays[0], index_arrays[1], data)
    except InputError as err:
        raise source.error(str(err).split(". ")[0], back=source.offset - start) from err


def _read_names(source: _Source, count: int) -> tuple[str, ...]:
    source.item = "names"
    (names_count,) = source.unpack("<Q")
    if names_count not in {0, count}:
        raise source.error(f"expected no name or {count}, one for each array, got {names_count}", back=8)
    names = []
    for i in range(names_count):
        source.item = f"name {i} of {count}"
        (size,) = source.unpack("<Q")
        source.need(size)
        if size > MAX_NAME_BYTES:
            raise source.error(f"expected a name of at most {MAX_NAME_BYTES} bytes, got {size}", back=8)
        data = source.take(size)
        try:
            names.append(data.decode("utf-8"))
        except UnicodeDecodeError as err:
            raise source.error(f"expected UTF-8, got {data[:40]!r}", back=size) from err
    return tuple(names)


def _name_fault(name: object) -> str:
    """What is wrong with a name to be written; empty if nothing."""
    if not isinstance(name, str):
        return f"expected a name of type str, got {type(name).__name__}."
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "expected a name that UTF-8 can hold, got half a surrogate pair."
    return "" if size <= MAX_NAME_BYTES else f"expected a name of at most {MAX_NAME_BYTES} bytes, got {size}."


def _write_fault(value: object, np_shape: bool) -> str:
    """What keeps MXNet 1.9.1 from holding `value`; empty if nothing."""
    if isinstance(value, RowSparse | Csr):
        if np_shape:
            return "expected a dense array under numpy shape semantics, got a sparse one. Make it dense."
        parts = [value.data, value.indices] + ([value.indptr] if isinstance(value, Csr) else [])
        return next((fault for part in parts if (fault := _dtype_fault(part))), "")
    if not isinstance(value, np.ndarray):
        return f"expected a numpy array, RowSparse or Csr, got {type(value).__name__}. Convert it with `asnumpy()`."
    if value.ndim > MAX_RANK:
        return f"expected a rank of at most {MAX_RANK}, got rank={value.ndim}. Reshape it."
    if not np_shape and not value.ndim:
        return (
            "expected at least one axis, got a scalar. Reshape it, or save under numpy shape semantics (np_shape=True)."
        )
    return _dtype_fault(value)


def _dtype_fault(value: Dense) -> str:
    if value.dtype.newbyteorder("<") in _FLAG_OF_DTYPE:
        return ""
    known = ", ".join(dtype.name for dtype in _FLAG_OF_DTYPE)
    return f"expected a dtype that MXNet 1.9.1 has ({known}), got dtype={value.dtype}. Cast it."


def _chunks(values: list[Array], names: list[bytes], magic: int) -> Iterator[bytes | memoryview]:
    yield struct.pack("<QQQ", LIST_MAGIC, 0, len(values))
    for value in values:
        yield from _array_chunks(value, magic)
    yield struct.pack("<Q", len(names))
    for name in names:
        yield struct.pack("<Q", len(name)) + name


def _array_chunks(value: Array, magic: int) -> Iterator[bytes | memoryview]:
    if isinstance(value, RowSparse):
        storage, data, aux = ROW_SPARSE, value.data, [value.indices]
    elif isinstance(value, Csr):
        storage, data, aux = CSR, value.data, [value.indptr, value.indices]
    else:
        storage, data, aux = DENSE, value, []
    head = struct.pack("<Ii", magic, storage)
    if storage != DENSE:
        head += _shape_bytes(data.shape)
    head += _shape_bytes(value.shape) + _CPU_CONTEXT + _flag_bytes(data)
    for index in aux:
        head += _flag_bytes(index) + _shape_bytes(index.shape)
    yield head
    for part in (data, *aux):
        yield from _values(part)


def _shape_bytes(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f"<i{len(shape)}q", len(shape), *shape)


def _flag_bytes(value: Dense) -> bytes:
    return struct.pack("<i", _FLAG_OF_DTYPE[value.dtype.newbyteorder("<")])


def _values(value: Dense) -> Iterator[memoryview]:
    """The values in C order, little-endian; a copy only of an array that is stored in another way."""
    if value.size:
        plain = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        yield plain.reshape(-1).view(np.uint8).data
