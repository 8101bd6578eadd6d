"""Operators on sparse storage: the rules that operators of the table give as their `sparse` field.

A rule takes tensors and storages in place of the operator's inputs, and the attributes that it reads. It returns a
tensor or a storage, or NotImplemented where MXNet has no sparse kernel: the caller then computes on dense forms.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops import storage
from gluonnx.ops.storage import CsrStorage, Data, RowStorage, Storage, StorageType
from gluonnx.ops.table import Operator

Rule = Callable[..., Any]


def on_values(op: Operator, only_if: Callable[..., bool] | None = None) -> None:
    """Declare that an operator of one input keeps zeros, so that it is applied to the values alone.

    Args:
        op: The operator.
        only_if: The condition on its attributes under which that is so.
    """

    def rule(data: Storage, **attrs: Any) -> Any:
        if only_if is not None and not only_if(**attrs):
            return NotImplemented
        values = op.forward(data.values, **attrs)
        return data.map(values.clone() if op.view else values)

    op.sparse(rule)


def keeps_zero(op: Operator) -> Callable[..., bool]:
    """Return the condition that an operator with these attributes gives 0 for 0."""

    def condition(**attrs: Any) -> bool:
        return bool(op.forward(torch.zeros(1), **attrs) == 0)

    return condition


def zeros_like(data: Storage) -> Storage:
    """An array that holds nothing."""
    return storage.empty(data.stype, data.shape, data.values.dtype, data.values.device)


def elementwise(fn: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """Return the rule of a function of two arrays of one shape and storage type that gives 0 for two zeros."""

    def rule(lhs: Data, rhs: Data) -> Any:
        if lhs.shape != rhs.shape:
            return NotImplemented
        if isinstance(lhs, RowStorage) and isinstance(rhs, RowStorage):
            return _join_rows(fn, lhs, rhs)
        if isinstance(lhs, CsrStorage) and isinstance(rhs, CsrStorage):
            return _join_csr(fn, lhs, rhs)
        return NotImplemented

    return rule


def multiply(lhs: Data, rhs: Data) -> Any:
    """`lhs * rhs` of one shape: at least one sparse gives its storage type."""
    if lhs.shape != rhs.shape:
        return NotImplemented
    if isinstance(lhs, Tensor):
        lhs, rhs = rhs, lhs
    if isinstance(lhs, Tensor):
        return NotImplemented
    if isinstance(rhs, Tensor):
        return lhs.map(lhs.values * _at(lhs, rhs))
    return _MULTIPLY(lhs, rhs)


def divide_held(lhs: Data, rhs: Data) -> Any:
    """`lhs / rhs` of one shape in the rows that a row_sparse `lhs` holds."""
    if not isinstance(lhs, RowStorage) or lhs.shape != rhs.shape:
        return NotImplemented
    whole = rhs if isinstance(rhs, Tensor) else rhs.dense()
    return lhs.map(lhs.values / whole.index_select(0, lhs.indices))


def broadcast_by_dense(fn: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """Return the rule of a function of a csr matrix and a dense array that is broadcast to it, which keeps zeros."""

    def rule(lhs: Data, rhs: Data) -> Any:
        if not isinstance(lhs, CsrStorage) or not isinstance(rhs, Tensor):
            return NotImplemented
        try:
            whole = rhs.expand(lhs.shape)
        except RuntimeError:
            return NotImplemented
        return lhs.map(fn(lhs.values, _at(lhs, whole)))

    return rule


def add_n(*args: Data) -> Any:
    """The sum of row_sparse arrays."""
    if not all(isinstance(a, RowStorage) and a.shape == args[0].shape for a in args):
        return NotImplemented
    rows = [a for a in args if isinstance(a, RowStorage)]
    indices, position = torch.unique(torch.cat([r.indices for r in rows]), return_inverse=True)
    values = torch.cat([r.values for r in rows])
    total = torch.zeros((indices.shape[0], *values.shape[1:]), dtype=values.dtype, device=values.device)
    return RowStorage(rows[0].shape, indices, total.index_add_(0, position, values))


def total(data: Storage, *, axis: tuple[int, ...] | None, keepdims: bool, exclude: bool) -> Any:
    """Sums of the rows or columns of a csr matrix."""
    if not isinstance(data, CsrStorage) or axis is None or len(axis) != 1 or exclude or not -2 <= axis[0] < 2:
        return NotImplemented
    along = axis[0] % 2
    where = data.indices if along == 0 else data.rows()
    sums = torch.zeros(data.shape[1 - along], dtype=data.values.dtype, device=data.values.device)
    sums.index_add_(0, where, data.values)
    return sums.unsqueeze(along) if keepdims else sums


def mean(data: Storage, *, axis: tuple[int, ...] | None, keepdims: bool, exclude: bool) -> Any:
    """Means of the rows or columns of a csr matrix."""
    sums = total(data, axis=axis, keepdims=keepdims, exclude=exclude)
    if sums is NotImplemented or not data.values.is_floating_point():
        return NotImplemented
    assert axis is not None
    return sums / data.shape[axis[0] % 2]


def norm(data: Storage, *, ord: int, axis: tuple[int, ...] | None, out_dtype: str | None, keepdims: bool) -> Any:
    """The norm of everything, which zeros leave alone."""
    if axis is not None or keepdims or out_dtype is not None or not data.values.is_floating_point():
        return NotImplemented
    return torch.linalg.vector_norm(data.values, ord).reshape(1)


def cast_storage(data: Data, *, stype: StorageType) -> Any:
    """`data` in another storage type, in its graph."""
    if isinstance(data, Tensor):
        if stype == "default":
            return NotImplemented
        found = storage.cast(data, stype)
        return _with_graph(found, data.clone()) if _is_recorded(data) else found
    if stype == "default":
        return storage.tracked_dense(data) if data.graph is not None else data.dense().clone()
    found = storage.cast(data, stype)
    return found if data.graph is None else _with_graph(found, storage.tracked_dense(data))


def _with_graph(data: Data, graph: Tensor) -> Data:
    """A storage with the graph of its dense form."""
    return data if isinstance(data, Tensor) else storage.with_graph(data, graph)


def retain(data: Data, indices: Data) -> Any:
    """The rows of `data` that `indices` names."""
    if not isinstance(data, RowStorage):
        return NotImplemented
    if not data.indices.numel():
        return data.map(data.values)
    return storage.retain(data, storage.dense(indices))


def concat(*data: Data, dim: int) -> Any:
    """Csr matrices below each other."""
    parts = [d for d in data if isinstance(d, CsrStorage)]
    width = parts[0].shape[1] if parts else 0
    if len(parts) != len(data) or dim != 0 or any(p.shape[1] != width for p in parts):
        return NotImplemented
    starts, held = [parts[0].indptr], int(parts[0].indptr[-1])
    for part in parts[1:]:
        starts.append(part.indptr[1:] + held)
        held += int(part.indptr[-1])
    return CsrStorage(
        (sum(p.shape[0] for p in parts), width),
        torch.cat(starts),
        torch.cat([p.indices for p in parts]),
        torch.cat([p.values for p in parts]),
    )


def cut(
    data: Storage, *, begin: tuple[int | None, ...], end: tuple[int | None, ...], step: tuple[int | None, ...]
) -> Any:
    """Rows, and columns, of a csr matrix without gaps."""
    has_gaps = any(s not in (None, 1) for s in step)
    if not isinstance(data, CsrStorage) or has_gaps or not 1 <= len(begin) <= 2 or len(begin) != len(end):
        return NotImplemented
    first, last, _ = slice(begin[0], end[0]).indices(data.shape[0])
    last = max(first, last)
    low, high = int(data.indptr[first]), int(data.indptr[last])
    found = CsrStorage(
        (last - first, data.shape[1]),
        data.indptr[first : last + 1] - low,
        data.indices[low:high].clone(),
        data.values[low:high].clone(),
    )
    if len(begin) == 1:
        return found
    left, right, _ = slice(begin[1], end[1]).indices(data.shape[1])
    right = max(left, right)
    inside = (found.indices >= left) & (found.indices < right)
    rows = found.rows()[inside]
    start = storage.pointers(rows, found.shape[0])
    return CsrStorage((found.shape[0], right - left), start, found.indices[inside] - left, found.values[inside])


def take(a: Data, indices: Data, *, axis: int, mode: str) -> Any:
    """Rows of a csr matrix."""
    if not isinstance(a, CsrStorage) or axis != 0 or mode == "raise" or len(indices.shape) != 1:
        return NotImplemented
    size = a.shape[0]
    wanted = storage.dense(indices).long()
    wanted = wanted.clamp(0, size - 1) if mode == "clip" else wanted.remainder(size)
    counts = (a.indptr[1:] - a.indptr[:-1])[wanted]
    start = torch.zeros(wanted.shape[0] + 1, dtype=torch.int64, device=wanted.device)
    torch.cumsum(counts, 0, out=start[1:])
    within = torch.arange(int(start[-1]), device=wanted.device) - torch.repeat_interleave(start[:-1], counts)
    places = torch.repeat_interleave(a.indptr[:-1][wanted], counts) + within
    return CsrStorage((wanted.shape[0], a.shape[1]), start, a.indices[places], a.values[places])


def count_held(data: Data, *, axis: int | None) -> Any:
    """How many values a csr matrix holds."""
    if not isinstance(data, CsrStorage):
        return NotImplemented
    if axis is None:
        return data.indptr[-1:].clone()
    if axis in (0, 1):
        return torch.bincount(data.indices, minlength=data.shape[1]) if axis == 0 else data.indptr.diff()
    return NotImplemented


def dot(lhs: Data, rhs: Data, *, transpose_a: bool, transpose_b: bool, forward_stype: StorageType | None) -> Any:
    """Products of a csr matrix with a dense or row_sparse matrix, and of a dense with a csr matrix.

    The first is dense, the first transposed row_sparse, the last csr, unless `forward_stype` says otherwise.
    """
    if isinstance(lhs, CsrStorage) and lhs.graph is None and not isinstance(rhs, CsrStorage):
        if len(rhs.shape) != 2 or transpose_b or rhs.shape[0] != lhs.shape[0 if transpose_a else 1]:
            return NotImplemented
        return _csr_dot(lhs, rhs, transpose_a, forward_stype or ("row_sparse" if transpose_a else "default"))
    is_left_dense = isinstance(lhs, Tensor) and isinstance(rhs, CsrStorage) and lhs.dim() == 2 and not transpose_a
    wanted = forward_stype or ("csr" if is_left_dense else "default")
    if wanted == "default":
        return NotImplemented
    left, right = _in_graph(lhs), _in_graph(rhs)
    left = left.t() if transpose_a and left.dim() == 2 else left
    right = right.t() if transpose_b and right.dim() == 2 else right
    return cast_storage(left @ right, stype=wanted)


def _csr_dot(lhs: CsrStorage, rhs: Tensor | RowStorage, transpose_a: bool, stype: StorageType) -> Data:
    whole = storage.dense(rhs if isinstance(rhs, RowStorage) else rhs.detach())
    leaf = rhs.graph if isinstance(rhs, RowStorage) else rhs
    if leaf is None or not _is_recorded(leaf):
        product = _csr_product(lhs, whole, transpose_a)
        if stype == "row_sparse" and transpose_a:
            rows = torch.unique(lhs.indices)
            return RowStorage((lhs.shape[1], whole.shape[1]), rows, product.index_select(0, rows))
        return storage.cast(product, stype)
    found: Tensor = _CsrDot.apply(leaf, whole, lhs, transpose_a, leaf.is_leaf)  # type: ignore[no-untyped-call]
    return found if stype == "default" else cast_storage(found, stype=stype)


def _csr_product(lhs: CsrStorage, rhs: Tensor, is_transposed: bool) -> Tensor:
    if not is_transposed and lhs.values.is_floating_point() and lhs.values.dtype == rhs.dtype and lhs.values.numel():
        product: Tensor = lhs.torch() @ rhs
        return product
    rows, columns = lhs.rows(), lhs.indices
    if is_transposed:
        rows, columns = columns, rows
    terms = lhs.values.unsqueeze(1) * rhs.index_select(0, columns)
    shape = (lhs.shape[1] if is_transposed else lhs.shape[0], rhs.shape[1])
    return torch.zeros(shape, dtype=terms.dtype, device=terms.device).index_add_(0, rows, terms)


class _CsrDot(torch.autograd.Function):
    """Product with a csr matrix; a variable's gradient has the rows that the matrix has columns for."""

    @staticmethod
    def forward(ctx: Any, leaf: Tensor, rhs: Tensor, lhs: CsrStorage, is_transposed: bool, is_variable: bool) -> Tensor:
        ctx.lhs, ctx.is_transposed, ctx.is_variable = lhs, is_transposed, is_variable
        return _csr_product(lhs, rhs, is_transposed)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        lhs = ctx.lhs
        gradient = _csr_product(lhs, gradients[0], not ctx.is_transposed)
        if ctx.is_variable and not ctx.is_transposed:
            rows = torch.unique(lhs.indices)
            gradient = coo(rows, gradient.index_select(0, rows), tuple(gradient.shape))
        return gradient, None, None, None, None


def embedding(data: Data, weight: Data, *, input_dim: int, output_dim: int) -> Any:
    """Rows of a row_sparse `weight`; those that it does not hold are 0.

    Raises:
        InputError: `weight` has another shape.
    """
    if not isinstance(weight, RowStorage):
        return NotImplemented
    if weight.shape != (input_dim, output_dim):
        raise InputError(
            f"Embedding: wrong shape of weight: expected {(input_dim, output_dim)}, got weight={weight.shape}."
        )
    rows = storage.dense(data).detach().long().clamp(0, input_dim - 1)
    shape = (*rows.shape, output_dim)
    held = storage.without_graph(weight)
    graph = weight.graph
    if graph is None or not _is_recorded(graph):
        assert isinstance(held, RowStorage)
        return storage.take_rows(held, rows.reshape(-1)).reshape(shape)
    return _Rows.apply(graph, held, rows.reshape(-1)).reshape(shape)  # type: ignore[no-untyped-call]


class _Rows(torch.autograd.Function):
    """Rows of a row storage, with a sparse gradient."""

    @staticmethod
    def forward(ctx: Any, graph: Tensor, held: RowStorage, rows: Tensor) -> Tensor:
        ctx.rows, ctx.shape = rows, held.shape
        return storage.take_rows(held, rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return coo(ctx.rows, gradients[0], ctx.shape), None, None


def coo(rows: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return rows in torch's sparse COO layout, which may name a row several times."""
    return torch.sparse_coo_tensor(rows.unsqueeze(0), values, shape, check_invariants=False)


def _is_recorded(tensor: Tensor) -> bool:
    return tensor.requires_grad and torch.is_grad_enabled()


def _in_graph(data: Data) -> Tensor:
    return data if isinstance(data, Tensor) else storage.tracked_dense(data)


def _at(places: Storage, dense: Tensor) -> Tensor:
    """The elements of a dense array of the same shape at the places that a storage holds."""
    if isinstance(places, RowStorage):
        return dense.index_select(0, places.indices)
    return dense[places.rows(), places.indices]


def _join_rows(fn: Callable[[Tensor, Tensor], Tensor], lhs: RowStorage, rhs: RowStorage) -> RowStorage:
    if lhs.is_full and rhs.is_full:
        return lhs.map(fn(lhs.values, rhs.values))
    rows = torch.unique(torch.cat([lhs.indices, rhs.indices]))
    return RowStorage(lhs.shape, rows, fn(storage.take_rows(lhs, rows), storage.take_rows(rhs, rows)))


def _join_csr(fn: Callable[[Tensor, Tensor], Tensor], lhs: CsrStorage, rhs: CsrStorage) -> CsrStorage:
    width = lhs.shape[1]
    places, position = torch.unique(
        torch.cat([lhs.rows() * width + lhs.indices, rhs.rows() * width + rhs.indices]), return_inverse=True
    )
    count = lhs.values.shape[0]
    left = torch.zeros(places.shape[0], dtype=lhs.values.dtype, device=places.device)
    right = torch.zeros(places.shape[0], dtype=rhs.values.dtype, device=places.device)
    left.index_add_(0, position[:count], lhs.values)
    right.index_add_(0, position[count:], rhs.values)
    values = fn(left, right)
    kept = values != 0
    places = places[kept]
    rows = torch.div(places, max(width, 1), rounding_mode="floor")
    return CsrStorage(lhs.shape, storage.pointers(rows, lhs.shape[0]), places - rows * width, values[kept])


_MULTIPLY = elementwise(torch.mul)
