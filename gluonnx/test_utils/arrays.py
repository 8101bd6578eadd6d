"""Random shapes and arrays, and small helpers on numpy arrays.

They draw from numpy's global state, which tests seed.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gluonnx.context import Context
from gluonnx.ndarray import NDArray, arange, array, eye, sparse
from gluonnx.ops.dtypes import as_dtype
from gluonnx.test_utils.tolerance import default_dtype

__all__ = [
    "assign_each",
    "assign_each2",
    "collapse_sum_like",
    "create_2d_tensor",
    "create_sparse_array",
    "create_vector",
    "get_identity_mat",
    "new_matrix_with_real_eigvals_2d",
    "new_matrix_with_real_eigvals_nd",
    "new_orthonormal_matrix_2d",
    "new_sym_matrix_with_real_eigvals_2d",
    "new_sym_matrix_with_real_eigvals_nd",
    "np_reduce",
    "rand_coord_2d",
    "rand_ndarray",
    "rand_shape_2d",
    "rand_shape_3d",
    "rand_shape_nd",
    "rand_sparse_ndarray",
    "random_arrays",
    "random_sample",
    "random_uniform_arrays",
]

Array = npt.NDArray[Any]


def rand_shape_nd(num_dim: int, dim: int = 10, allow_zero_size: bool = False) -> tuple[int, ...]:
    """Return a random shape: each size from 1 (0 with `allow_zero_size`) to `dim`."""
    return tuple(int(n) for n in np.random.randint(0 if allow_zero_size else 1, dim + 1, size=num_dim))


def rand_shape_2d(dim0: int = 10, dim1: int = 10, allow_zero_size: bool = False) -> tuple[int, int]:
    """Return a random shape of two axes, each size up to the given one."""
    low = 0 if allow_zero_size else 1
    return int(np.random.randint(low, dim0 + 1)), int(np.random.randint(low, dim1 + 1))


def rand_shape_3d(dim0: int = 10, dim1: int = 10, dim2: int = 10, allow_zero_size: bool = False) -> tuple[int, ...]:
    """Return a random shape of three axes, each size up to the given one."""
    low = 0 if allow_zero_size else 1
    return tuple(int(np.random.randint(low, dim + 1)) for dim in (dim0, dim1, dim2))


def rand_coord_2d(x_low: int, x_high: int, y_low: int, y_high: int) -> tuple[int, int]:
    """Return a random point: x in [x_low, x_high), y in [y_low, y_high)."""
    return int(np.random.randint(x_low, x_high)), int(np.random.randint(y_low, y_high))


def random_sample(population: Sequence[Any], k: int) -> list[Any]:
    """Return `k` elements of a sequence, in the order that they have there."""
    return [population[i] for i in sorted(random.sample(range(len(population)), k))]


def random_arrays(*shapes: tuple[int, ...]) -> Any:
    """Return standard normal arrays of the default element type: one, or a list if several shapes are given."""
    arrays = [np.asarray(np.random.randn(*s), dtype=default_dtype()) for s in shapes]
    return arrays[0] if len(arrays) == 1 else arrays


def random_uniform_arrays(*shapes: tuple[int, ...], **kwargs: Any) -> list[Array]:
    """Return arrays drawn uniformly from [low, high).

    Args:
        *shapes: Their shapes.
        **kwargs: `low` (0), `high` (1) and `dtype` (the default element type).
    """
    low, high = kwargs.pop("low", 0.0), kwargs.pop("high", 1.0)
    dtype = kwargs.pop("dtype", default_dtype())
    if kwargs:
        raise TypeError(f"Got unexpected argument/s : {', '.join(kwargs)}: expected low, high or dtype.")
    return [np.random.uniform(low, high, size=s).astype(dtype) for s in shapes]


def rand_ndarray(
    shape: Sequence[int],
    stype: str = "default",
    density: float | None = None,
    dtype: Any = None,
    modifier_func: Callable[[Any], Any] | None = None,
    shuffle_csr_indices: bool = False,
    distribution: str | None = None,
    ctx: Context | None = None,
) -> NDArray:
    """Return a random array: standard normal if dense, else uniform in [0, 1) where there is a value.

    Args:
        shape: Its shape.
        stype: Storage type.
        density: Share of the rows (row_sparse) or elements (csr) that have values; drawn if None.
        dtype: Element type, float32 if None.
        modifier_func: Applied to each value of a sparse array.
        shuffle_csr_indices: Unused: columns of a row are in order.
        distribution: See `rand_sparse_ndarray`.
        ctx: Where it lives.
    """
    if stype == "default":
        return array(np.random.randn(*shape), dtype=dtype, ctx=ctx)
    return rand_sparse_ndarray(shape, stype, density, dtype, distribution, modifier_func=modifier_func, ctx=ctx)[0]


def create_sparse_array(
    shape: Sequence[int],
    stype: str,
    data_init: float | None = None,
    rsp_indices: Sequence[int] | None = None,
    dtype: Any = None,
    modifier_func: Callable[[Any], Any] | None = None,
    density: float = 0.5,
    shuffle_csr_indices: bool = False,
) -> NDArray:
    """Return a random sparse array.

    Args:
        shape: Its shape.
        stype: `"row_sparse"` or `"csr"`.
        data_init: The value of each element that is there, drawn from [0, 1) if None.
        rsp_indices: The rows that are there (row_sparse); drawn if None.
        dtype: Element type, float32 if None.
        modifier_func: Applied to each value.
        density: Share of the rows (row_sparse) or elements (csr) that are there.
        shuffle_csr_indices: Unused: columns of a row are in order.

    Raises:
        ValueError: The storage type is another one, or a row does not exist.
    """
    if stype not in ("row_sparse", "csr"):
        raise ValueError(f"create_sparse_array: unknown storage type: expected row_sparse or csr, got stype={stype!r}.")
    values = np.random.uniform(size=tuple(shape)) if data_init is None else np.full(tuple(shape), data_init)
    if modifier_func is not None:
        values = assign_each(values, modifier_func)
    there = np.zeros(tuple(shape), dtype=bool)
    if stype == "csr":
        there = np.random.uniform(size=tuple(shape)) < density
    elif rsp_indices is None:
        there[np.random.uniform(size=shape[0]) < density] = True
    else:
        there[np.asarray(rsp_indices, dtype=np.int64)] = True
    dense = array(np.where(there, values, 0), dtype=as_dtype(dtype or "float32").name)
    return dense.tostype(stype)


def rand_sparse_ndarray(
    shape: Sequence[int],
    stype: str,
    density: float | None = None,
    dtype: Any = None,
    distribution: str | None = None,
    data_init: float | None = None,
    rsp_indices: Sequence[int] | None = None,
    modifier_func: Callable[[Any], Any] | None = None,
    shuffle_csr_indices: bool = False,
    ctx: Context | None = None,
) -> tuple[NDArray, tuple[Any, ...]]:
    """Return a random sparse array and its parts: (data, indices) if row_sparse, (indptr, indices, data) if csr.

    Args:
        shape: Its shape.
        stype: `"row_sparse"` or `"csr"`.
        density: Share of the rows (row_sparse) or elements (csr) that are there; drawn if None.
        dtype: Element type, float32 if None.
        distribution: `"uniform"`; or `"powerlaw"` (csr): each row has a value, and the first rows 2, 4, 8, ...
        data_init: The value of each element that is there; drawn if None.
        rsp_indices: The rows that are there (row_sparse); drawn if None.
        modifier_func: Applied to each value.
        shuffle_csr_indices: Unused: columns of a row are in order.
        ctx: Where it lives.
    """
    density = float(np.random.rand()) if density is None else density
    if stype == "csr" and distribution == "powerlaw":
        made = _powerlaw_csr(int(shape[0]), int(shape[1]), density, dtype)
    else:
        made = create_sparse_array(shape, stype, data_init, rsp_indices, dtype, modifier_func, density)
    if ctx is not None:
        made = made.as_in_context(ctx)
    parts: Any = made
    if stype == "csr":
        return made, (parts.indptr, parts.indices, parts.data)
    return made, (parts.data.asnumpy(), parts.indices.asnumpy())


def _powerlaw_csr(rows: int, columns: int, density: float, dtype: Any) -> NDArray:
    total = int(rows * columns * density)
    lengths = np.zeros(rows, dtype=np.int64)
    lengths[:total] = 1
    left = total - int(lengths.sum())
    for row in range(rows):
        added = min(left, min(columns, 2 ** (row + 1)) - 1)
        lengths[row] += added
        left -= added
    if left:
        raise ValueError(
            f"rand_sparse_ndarray: too dense: expected a density below {density} for shape {(rows, columns)} with "
            "distribution='powerlaw'."
        )
    start = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(start[-1]) - np.repeat(start[:-1], lengths)
    values = np.random.uniform(1.001, 3, size=len(places))
    return sparse.csr_matrix((values, places, start), shape=(rows, columns), dtype=dtype or "float32")


def np_reduce(dat: Array, axis: int | Sequence[int] | None, keepdims: bool, numpy_reduce_func: Any) -> Array:
    """Apply a numpy reduction over one axis after another, which works for functions that take one axis only."""
    axes = range(dat.ndim) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    reduced = dat
    for i in sorted((a % dat.ndim for a in axes), reverse=True):
        reduced = numpy_reduce_func(reduced, axis=i)
    if keepdims:
        kept = [1 if i in {a % dat.ndim for a in axes} else n for i, n in enumerate(dat.shape)]
        reduced = np.asarray(reduced).reshape(kept)
    return reduced


def collapse_sum_like(a: Array, shape: Sequence[int]) -> Array:
    """Sum `a` over the axes along which `shape` was broadcast to get its shape.

    Raises:
        ValueError: `shape` does not broadcast to the shape of `a`.
    """
    extra = a.ndim - len(shape)
    if extra < 0 or any(n not in (1, a.shape[extra + i]) for i, n in enumerate(shape)):
        raise ValueError(f"collapse_sum_like: shape does not broadcast: expected one for {a.shape}, got {shape}.")
    axes = [*range(extra), *(extra + i for i, n in enumerate(shape) if n == 1 and a.shape[extra + i] != 1)]
    return np.sum(a, axis=tuple(axes)).reshape(tuple(shape)) if axes else a


def assign_each(the_input: Array, function: Callable[[Any], Any] | None) -> Array:
    """Return an array of the function's value at each element."""
    if function is None:
        return np.array(the_input)
    return np.array([function(v) for v in the_input.ravel()]).reshape(the_input.shape)


def assign_each2(input1: Array, input2: Array, function: Callable[[Any, Any], Any] | None) -> Array:
    """Return an array of the function's value at each pair of elements."""
    if function is None:
        return np.array(input1)
    pairs = zip(input1.ravel(), input2.ravel(), strict=True)
    return np.array([function(v, w) for v, w in pairs]).reshape(input1.shape)


def create_2d_tensor(rows: int, columns: int, dtype: Any = np.int64) -> NDArray:
    """Return an array whose every element is the index of its row."""
    return array(np.repeat(np.arange(rows)[:, None], columns, axis=1), dtype=dtype)


def create_vector(size: int, dtype: Any = np.int64) -> NDArray:
    """Return 0, 1, ..., size - 1."""
    return arange(0, size, dtype=dtype)


def get_identity_mat(size: int) -> NDArray:
    """Return the identity matrix."""
    return eye(size)


def new_orthonormal_matrix_2d(n: int) -> Array:
    """Return a random orthonormal matrix (n, n)."""
    q, r = np.linalg.qr(np.random.randn(n, n))
    return q * np.sign(np.diag(r))


def new_matrix_with_real_eigvals_2d(n: int) -> Array:
    """Return a random matrix (n, n) whose eigenvalues are real and distinct."""
    q = new_orthonormal_matrix_2d(n)
    upper = np.triu(np.random.uniform(-1, 1, (n, n)), 1) + np.diag(np.random.permutation(np.arange(n, dtype=float)))
    return q @ upper @ q.T


def new_matrix_with_real_eigvals_nd(shape: Sequence[int]) -> Array:
    """Return random matrices (..., n, n) whose eigenvalues are real."""
    return _stacked(shape, new_matrix_with_real_eigvals_2d)


def new_sym_matrix_with_real_eigvals_2d(n: int) -> Array:
    """Return a random symmetric matrix (n, n) whose eigenvalues are distinct."""
    q = new_orthonormal_matrix_2d(n)
    return q @ np.diag(np.random.permutation(np.arange(1, n + 1, dtype=float))) @ q.T


def new_sym_matrix_with_real_eigvals_nd(shape: Sequence[int]) -> Array:
    """Return random symmetric matrices (..., n, n)."""
    return _stacked(shape, new_sym_matrix_with_real_eigvals_2d)


def _stacked(shape: Sequence[int], make: Callable[[int], Array]) -> Array:
    count = int(np.prod(shape[:-2]))
    if shape[-1] != shape[-2]:
        raise ValueError(f"matrices with eigenvalues are square: expected two equal sizes at the end, got {shape}.")
    return np.array([make(shape[-1]) for _ in range(count)]).reshape(tuple(shape))
