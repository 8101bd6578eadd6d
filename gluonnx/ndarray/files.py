"""Arrays in files: `nd.save` and `nd.load`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import torch

from gluonnx.context import Context, cpu
from gluonnx.errors import ArgumentError, FormatError
from gluonnx.formats.params import (
    ArrayFile,
    Csr,
    RowSparse,
    parse_array,
    parse_params,
    read_params,
    serialize_params,
    size_of,
    write_params,
)
from gluonnx.formats.progress import Steps, write_chunks
from gluonnx.formats.safetensors import read_safetensors, write_safetensors
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sparse_array import BaseSparseNDArray, CSRNDArray, RowSparseNDArray
from gluonnx.ops.dtypes import BY_NUMPY, BY_TORCH
from gluonnx.ops.storage import CsrStorage, RowStorage
from gluonnx.util import is_np_shape

Arrays = list[NDArray] | dict[str, NDArray]


def save(fname: str | os.PathLike[str], data: NDArray | Sequence[NDArray] | Mapping[str, NDArray]) -> None:
    """Write arrays to a file that MXNet 1.9.1 reads too, atomically.

    A name that ends in `.safetensors` asks for that format instead, which holds named dense arrays; MXNet does not read
    it.

    Under `np_shape()` scalars can be written too; MXNet reads such a file under `np_shape()` only.

    Differs: `load` reads files of both kinds whatever `np_shape()` is; MXNet refuses those of the other kind.

    Args:
        fname: The file.
        data: One array, a list of arrays, or arrays by name.

    Raises:
        TypeError: An element is not an NDArray.
    """
    if isinstance(data, NDArray):
        data = [data]
    values = data.values() if isinstance(data, Mapping) else data
    for value in values:
        if not isinstance(value, NDArray):
            raise TypeError(f"nd.save: wrong element: expected an NDArray, got {type(value).__name__}.")
    if is_safetensors(fname):
        if not isinstance(data, Mapping):
            raise ArgumentError(
                f"{os.fspath(fname)}: safetensors names its arrays: expected arrays by name, got a list of "
                f"{len(data)}. Save a dictionary, or a .params file."
            )
        write_safetensors(fname, {str(name): _content(value) for name, value in data.items()})  # type: ignore[misc]
        return
    if isinstance(data, Mapping):
        contents = {str(name): _content(value) for name, value in data.items()}
        write_params(fname, contents, np_shape=is_np_shape())
    else:
        write_params(fname, [_content(value) for value in data], np_shape=is_np_shape())


def write_into(file: BinaryIO, arrays: Mapping[str, NDArray], where: str) -> None:
    """Write what `save` writes into a file that is open, as one of several that appear together.

    Args:
        file: The file.
        arrays: Arrays by name.
        where: Its name, to show how far the work has come.
    """
    contents = {name: _content(value) for name, value in arrays.items()}
    chunks = serialize_params(contents, np_shape=is_np_shape())
    write_chunks(file, chunks, Steps(f"writing {where}", size_of(contents)))


def load(fname: str | os.PathLike[str]) -> Arrays:
    """Read arrays from a file of any MXNet version; from a safetensors file if the name ends so.

    Returns:
        A dictionary if the arrays have names, else a list.

    Raises:
        FormatError: Not such a file, or a damaged one; the message has the byte offset.
    """
    if is_safetensors(fname):
        return {name: from_numpy_values(values) for name, values in read_safetensors(fname).items()}
    return _arrays(read_params(fname), str(fname))


def is_safetensors(fname: str | os.PathLike[str]) -> bool:
    """Whether the name of a file asks for safetensors instead of MXNet's format."""
    return os.fspath(fname).lower().endswith(".safetensors")


def load_frombuffer(buf: bytes) -> Arrays:
    """Read arrays from the bytes of such a file; see `load`."""
    return _arrays(parse_params(bytes(buf), "buffer"), "buffer")


def serialize(arrays: Sequence[NDArray] | Mapping[str, NDArray]) -> bytes:
    """Return the bytes of a file of arrays, with names or without."""
    if isinstance(arrays, Mapping):
        return b"".join(serialize_params({name: _content(a) for name, a in arrays.items()}))
    return b"".join(serialize_params([_content(a) for a in arrays]))


def unpickle(data: bytes, ctx: Context) -> NDArray:
    """Rebuild a sparse array that was pickled by its user."""
    (array,) = load_frombuffer(data)
    assert isinstance(array, NDArray)
    return array.as_in_context(ctx)


def from_bytes(data: bytes) -> NDArray:
    """Rebuild an array from the bytes in a pickle that MXNet wrote; one of a GPU comes to the cpu."""
    content = parse_array(data, "pickle")
    return _sparse(content) if isinstance(content, (RowSparse, Csr)) else from_numpy_values(content)


def to_numpy(array: NDArray) -> np.ndarray[Any, Any]:
    """Return an array's values in its own dtype, without a copy where the array is on the cpu."""
    tensor = array._plain().detach().cpu().contiguous()
    if tensor.dtype is torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(BY_TORCH[torch.bfloat16].numpy)
    return tensor.numpy()


def from_numpy_values(values: np.ndarray[Any, Any]) -> NDArray:
    """Return an NDArray over numpy values, bfloat16 included, without a copy where they are writable."""
    dtype = BY_NUMPY[values.dtype]
    if dtype.torch is torch.bfloat16:
        return NDArray(torch.from_numpy(values.view(np.int16)).view(torch.bfloat16))
    return NDArray(torch.from_numpy(values))


def _content(array: NDArray) -> np.ndarray[Any, Any] | RowSparse | Csr:
    if not isinstance(array, BaseSparseNDArray):
        return to_numpy(array)
    held = array._s
    values, indices = to_numpy(NDArray(held.values)), to_numpy(NDArray(held.indices))
    if isinstance(held, RowStorage):
        return RowSparse(held.shape, indices, values)
    return Csr(held.shape, to_numpy(NDArray(held.indptr)), indices, values)


def _sparse(content: RowSparse | Csr) -> NDArray:
    values, indices = from_numpy_values(content.data)._t, torch.from_numpy(content.indices.astype(np.int64))
    if isinstance(content, RowSparse):
        return RowSparseNDArray(RowStorage(content.shape, indices, values), cpu())
    start = torch.from_numpy(content.indptr.astype(np.int64))
    if not len(start):
        start = torch.zeros(content.shape[0] + 1, dtype=torch.int64)
    return CSRNDArray(CsrStorage(content.shape, start, indices, values), cpu())


def _arrays(file: ArrayFile, where: str) -> Arrays:
    values: list[NDArray] = []
    for position, value in enumerate(file.arrays):
        if isinstance(value, (RowSparse, Csr)):
            values.append(_sparse(value))
            continue
        if value is None:
            raise FormatError(f"{where}: array {position} is empty: expected values, got none.")
        values.append(from_numpy_values(value))
    return dict(zip(file.names, values, strict=True)) if file.names else values
