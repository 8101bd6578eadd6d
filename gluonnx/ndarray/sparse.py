"""`mx.nd.sparse`: making arrays in sparse storage. The table's functions for sparse storage join this module.

Source: MXNet 1.9.1 python/mxnet/ndarray/sparse.py, by experiment.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from gluonnx.context import Context, current_context
from gluonnx.errors import ArgumentError, StorageError
from gluonnx.ndarray import creation
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sparse_array import BaseSparseNDArray, CSRNDArray, RowSparseNDArray
from gluonnx.ops import storage
from gluonnx.ops.dtypes import as_dtype
from gluonnx.ops.storage import CsrStorage, RowStorage

__all__ = [
    "BaseSparseNDArray",
    "CSRNDArray",
    "RowSparseNDArray",
    "add",
    "array",
    "csr_matrix",
    "divide",
    "empty",
    "multiply",
    "row_sparse_array",
    "subtract",
    "zeros",
]


def zeros(
    stype: str, shape: int | Sequence[int], ctx: Context | None = None, dtype: Any = None, **kwargs: Any
) -> NDArray:
    """Make an array of zeros: nothing is held.

    Args:
        stype: `"row_sparse"`, `"csr"` or `"default"`.
        shape: Its shape.
        ctx: Where it lives; the current context if None.
        dtype: Element type, float32 if None.
        **kwargs: Accepted for MXNet's sake.

    Raises:
        StorageError: Another storage type, or a shape that does not fit it.
    """
    if stype == "default":
        return creation.zeros(shape, ctx, dtype)
    if stype not in ("row_sparse", "csr"):
        raise StorageError(
            f"nd.sparse.zeros: unknown storage type: expected row_sparse, csr or default, got stype={stype!r}."
        )
    home = creation._home(ctx)
    target = as_dtype(dtype or "float32").torch
    held = storage.empty(stype, creation._shape(shape), target, home.torch_device)  # type: ignore[arg-type]
    return RowSparseNDArray(held, home) if isinstance(held, RowStorage) else CSRNDArray(held, home)


def empty(stype: str, shape: int | Sequence[int], ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """Make an array of zeros; see `zeros`."""
    return zeros(stype, shape, ctx, dtype)


def array(source_array: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """Make a sparse array from a sparse one or a `scipy.sparse` matrix, in its dtype if `dtype` is None.

    Raises:
        StorageError: The source is dense.
    """
    if isinstance(source_array, BaseSparseNDArray):
        return _converted(source_array, ctx, dtype)
    if _is_scipy(source_array):
        return _of_scipy(source_array, None, ctx, dtype)
    raise StorageError(
        "nd.sparse.array: source is not sparse: expected a RowSparseNDArray, a CSRNDArray or a scipy.sparse matrix, "
        f"got {type(source_array).__name__}. Use `tostype`, `csr_matrix` or `row_sparse_array`."
    )


def csr_matrix(
    arg1: Any, shape: Sequence[int] | None = None, ctx: Context | None = None, dtype: Any = None
) -> CSRNDArray:
    """Make a matrix in compressed sparse row form.

    Args:
        arg1: `(data, indices, indptr)`; `(data, (row, column))`; `(rows, columns)`, a shape: zeros; a dense array or
            nested lists; a CSRNDArray; or a scipy.sparse matrix.
        shape: The shape; if None, what the indices need.
        ctx: Where it lives; the current context if None.
        dtype: Element type; if None that of the data, float32 for lists.

    Returns:
        The matrix. Indices are taken as they are (`check_format()` tells whether they are valid), coordinates sorted.

    Raises:
        ArgumentError: `shape` is not that of `arg1`, or cannot be told.
        StorageError: The source is row_sparse or no matrix.
    """
    home = creation._home(ctx)
    if isinstance(arg1, tuple):
        if len(arg1) == 3:
            return _csr_of_parts(*arg1, shape, home, dtype)
        if len(arg1) != 2:
            raise ArgumentError(
                f"csr_matrix: wrong definition: expected a tuple of 2 or 3, got one of {len(arg1)}: see its docstring."
            )
        if isinstance(arg1[1], (tuple, list)) and len(arg1[1]) == 2:
            return _csr_of_coordinates(arg1[0], arg1[1][0], arg1[1][1], shape, home, dtype)
        _check_shape("csr_matrix", arg1, shape)
        found = zeros("csr", arg1, home, dtype)
    elif isinstance(arg1, BaseSparseNDArray):
        if not isinstance(arg1, CSRNDArray):
            raise StorageError(f"csr_matrix: source is {arg1.stype}: expected csr. Convert to 'default' first.")
        _check_shape("csr_matrix", arg1.shape, shape)
        found = _converted(arg1, home, dtype)
    elif _is_scipy(arg1):
        found = _of_scipy(arg1, shape, home, dtype)
    else:
        found = _of_dense("csr_matrix", "csr", arg1, shape, home, dtype)
    assert isinstance(found, CSRNDArray)
    return found


def row_sparse_array(
    arg1: Any, shape: Sequence[int] | None = None, ctx: Context | None = None, dtype: Any = None
) -> RowSparseNDArray:
    """Make an array of which some rows are held.

    Args:
        arg1: `(data, indices)`; a tuple of ints, a shape: zeros; a dense array or nested lists; or a RowSparseNDArray.
        shape: The shape; if None, what the indices need.
        ctx: Where it lives; the current context if None.
        dtype: Element type; if None that of the data, float32 for lists.

    Returns:
        The array. Indices are taken as they are: `check_format()` tells whether they are valid.

    Raises:
        ArgumentError: `shape` is not that of `arg1`, or cannot be told.
        StorageError: The source is csr.
    """
    home = creation._home(ctx)
    if isinstance(arg1, tuple):
        if len(arg1) == 2 and not all(isinstance(a, (int, np.integer)) for a in arg1):
            return _rows_of_parts(*arg1, shape, home, dtype)
        if not all(isinstance(a, (int, np.integer)) for a in arg1):
            raise ArgumentError("row_sparse_array: wrong definition: expected (data, indices) or a shape.")
        _check_shape("row_sparse_array", arg1, shape)
        found = zeros("row_sparse", arg1, home, dtype)
    elif isinstance(arg1, BaseSparseNDArray):
        if not isinstance(arg1, RowSparseNDArray):
            raise StorageError(
                f"row_sparse_array: source is {arg1.stype}: expected row_sparse. Convert to 'default' first."
            )
        _check_shape("row_sparse_array", arg1.shape, shape)
        found = _converted(arg1, home, dtype)
    else:
        found = _of_dense("row_sparse_array", "row_sparse", arg1, shape, home, dtype)
    assert isinstance(found, RowSparseNDArray)
    return found


def _csr_of_parts(
    data: Any, indices: Any, indptr: Any, shape: Sequence[int] | None, home: Context, dtype: Any
) -> CSRNDArray:
    values = _values(data, home, dtype)
    columns, start = _index(indices, home), _index(indptr, home)
    if values.dim() != 1 or columns.dim() != 1 or start.dim() != 1 or not len(start):
        raise ArgumentError(
            "csr_matrix: wrong definition: expected data, indices and indptr with one axis, got shapes "
            f"{tuple(values.shape)}, {tuple(columns.shape)}, {tuple(start.shape)}."
        )
    if shape is None:
        if not columns.numel():
            raise ArgumentError("csr_matrix: invalid shape: expected indices, got none to tell it from. Pass `shape=`.")
        shape = (len(start) - 1, int(columns.max()) + 1)
    whole = _matrix_shape(shape)
    if len(start) != whole[0] + 1:
        raise ArgumentError(
            f"csr_matrix: invalid shape: expected {len(start) - 1} rows as indptr has, got shape={whole}."
        )
    return CSRNDArray(CsrStorage(whole, start, columns, values), home)


def _csr_of_coordinates(
    data: Any, row: Any, column: Any, shape: Sequence[int] | None, home: Context, dtype: Any
) -> CSRNDArray:
    values = _values(data, home, dtype)
    rows, columns = _index(row, home), _index(column, home)
    if not values.shape == rows.shape == columns.shape or values.dim() != 1:
        raise ArgumentError(
            "csr_matrix: wrong definition: expected data, row and column of one length, got shapes "
            f"{tuple(values.shape)}, {tuple(rows.shape)}, {tuple(columns.shape)}."
        )
    if shape is None:
        if not rows.numel():
            raise ArgumentError("csr_matrix: invalid shape: expected coordinates, got none. Pass `shape=`.")
        shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    whole = _matrix_shape(shape)
    if rows.numel() and not (
        0 <= int(rows.min()) <= int(rows.max()) < whole[0] and 0 <= int(columns.min()) <= int(columns.max()) < whole[1]
    ):
        raise ArgumentError(f"csr_matrix: coordinates out of bounds: expected them within shape={whole}.")
    places, position = torch.unique(rows * whole[1] + columns, return_inverse=True)
    summed = torch.zeros(len(places), dtype=values.dtype, device=values.device).index_add_(0, position, values)
    at = torch.div(places, max(whole[1], 1), rounding_mode="floor")
    return CSRNDArray(CsrStorage(whole, storage.pointers(at, whole[0]), places - at * whole[1], summed), home)


def _rows_of_parts(data: Any, indices: Any, shape: Sequence[int] | None, home: Context, dtype: Any) -> RowSparseNDArray:
    values, rows = _values(data, home, dtype), _index(indices, home)
    if rows.dim() != 1 or values.dim() < 1:
        raise ArgumentError(
            "row_sparse_array: wrong definition: expected indices with one axis and data with at least one, got shapes "
            f"{tuple(rows.shape)}, {tuple(values.shape)}."
        )
    if shape is None:
        if not rows.numel():
            raise ArgumentError("row_sparse_array: invalid shape: expected indices, got none. Pass `shape=`.")
        shape = (int(rows.max()) + 1, *values.shape[1:])
    whole = tuple(int(d) for d in shape)
    if not values.numel() and not rows.numel():
        values = values.reshape(0, *whole[1:])
    if values.shape != (len(rows), *whole[1:]):
        raise ArgumentError(
            f"row_sparse_array: data does not fit: expected shape {(len(rows), *whole[1:])}, got {tuple(values.shape)}."
        )
    return RowSparseNDArray(RowStorage(whole, rows, values), home)


def _of_dense(where: str, stype: str, source: Any, shape: Sequence[int] | None, home: Context, dtype: Any) -> NDArray:
    values = source._plain() if isinstance(source, NDArray) else None
    if values is None:
        of_list = not hasattr(source, "dtype")
        values = torch.as_tensor(np.asarray(source, dtype=np.float32 if of_list else None))
    _check_shape(where, tuple(values.shape), shape)
    target = values.dtype if dtype is None else as_dtype(dtype).torch
    held = storage.cast(values.to(home.torch_device, target), stype)  # type: ignore[arg-type]
    return RowSparseNDArray(held, home) if isinstance(held, RowStorage) else CSRNDArray(held, home)  # type: ignore[arg-type]


def _of_scipy(matrix: Any, shape: Sequence[int] | None, ctx: Context | None, dtype: Any) -> CSRNDArray:
    _check_shape("csr_matrix", matrix.shape, shape)
    csr = matrix.tocsr(copy=True)
    csr.sum_duplicates()
    csr.sort_indices()
    home = creation._home(ctx)
    return _csr_of_parts(csr.data, csr.indices, csr.indptr, csr.shape, home, dtype or csr.data.dtype)


def _converted(source: BaseSparseNDArray, ctx: Context | None, dtype: Any) -> NDArray:
    home = current_context() if ctx is None else creation._home(ctx)
    found = source.detach().copyto(home)
    assert isinstance(found, NDArray)
    return found if dtype is None else found.astype(dtype, copy=False)


def _is_scipy(source: Any) -> bool:
    return type(source).__module__.startswith("scipy.sparse")


def _values(data: Any, home: Context, dtype: Any) -> torch.Tensor:
    if isinstance(data, NDArray):
        tensor = data._plain()
    else:
        values = np.asarray(data)
        tensor = torch.as_tensor(values if hasattr(data, "dtype") else values.astype(np.float32))
    target = tensor.dtype if dtype is None else as_dtype(dtype).torch
    return tensor.detach().to(home.torch_device, target, copy=True)


def _index(data: Any, home: Context) -> torch.Tensor:
    tensor = data._plain() if isinstance(data, NDArray) else torch.as_tensor(np.asarray(data))
    return tensor.detach().to(home.torch_device, torch.int64, copy=True)


def _matrix_shape(shape: Sequence[int]) -> tuple[int, ...]:
    whole = tuple(int(d) for d in shape)
    if len(whole) != 2:
        raise StorageError(f"csr_matrix: not a matrix: expected 2 axes, got shape={whole}.")
    return whole


def _check_shape(where: str, own: Sequence[int], given: Sequence[int] | None) -> None:
    if given is not None and tuple(own) != tuple(given):
        raise ArgumentError(f"{where}: shapes differ: expected {tuple(own)} of the source, got shape={tuple(given)}.")


def _by_shape(name: str, elemwise: str, on_dense: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def fn(lhs: Any, rhs: Any) -> Any:
        from gluonnx.ndarray.register import function

        if isinstance(lhs, NDArray) and isinstance(rhs, NDArray) and lhs.shape == rhs.shape:
            return function(elemwise)(lhs, rhs)
        return on_dense(lhs, rhs)

    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = f"Elementwise `{name}`; sparse storage stays where MXNet's `{elemwise}` keeps it."
    return fn


add = _by_shape("add", "elemwise_add", creation.add)
subtract = _by_shape("subtract", "elemwise_sub", creation.subtract)
multiply = _by_shape("multiply", "elemwise_mul", creation.multiply)
divide = _by_shape("divide", "elemwise_div", creation.divide)
