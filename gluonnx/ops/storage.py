"""Sparse storage: what a row_sparse and a csr array hold, and its ways to and from dense tensors.

A storage may belong to a recorded graph. Its `graph` is then a tensor of the whole shape: that of a variable is a
handle without memory of its own, through which gradients flow back; that of a result is the dense result.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from gluonnx.errors import InputError, StorageError

Shape: TypeAlias = tuple[int, ...]
StorageType: TypeAlias = Literal["csr", "default", "row_sparse"]


@dataclass(frozen=True, slots=True, eq=False)
class RowStorage:
    """An array of which only some rows are held; the others are 0.

    Attributes:
        shape: The whole shape, (N, ...).
        indices: The rows that are held, ascending, (K,) int64.
        values: Their values, (K, ...).
        graph: See the module.
    """

    shape: Shape
    indices: Tensor
    values: Tensor
    graph: Tensor | None = None

    stype: ClassVar[Literal["row_sparse"]] = "row_sparse"

    @property
    def is_full(self) -> bool:
        """Whether every row is held."""
        return self.values.shape[0] == self.shape[0]

    def dense(self) -> Tensor:
        """Return the whole array, outside any graph; it shares memory with a full storage."""
        if self.is_full:
            return self.values
        zeros = torch.zeros(self.shape, dtype=self.values.dtype, device=self.values.device)
        return zeros.index_copy_(0, self.indices, self.values)

    def fault(self) -> str | None:
        """Return what is wrong with the indices, None if nothing is."""
        if self.indices.shape[0] != self.values.shape[0]:
            return f"expected one index for each row, got {self.indices.shape[0]} for {self.values.shape[0]} rows"
        return _index_fault(self.indices, self.shape[0], "row")

    def map(self, values: Tensor) -> "RowStorage":
        """Return a storage of the same rows with other values."""
        return RowStorage((self.shape[0], *values.shape[1:]), self.indices, values)


@dataclass(frozen=True, slots=True, eq=False)
class CsrStorage:
    """A matrix in compressed sparse row form.

    Attributes:
        shape: (R, C).
        indptr: Where each row starts in the values, (R + 1,) int64.
        indices: The column of each value, ascending within a row, (K,) int64.
        values: The values, (K,).
        graph: See the module.
    """

    shape: Shape
    indptr: Tensor
    indices: Tensor
    values: Tensor
    graph: Tensor | None = None

    stype: ClassVar[Literal["csr"]] = "csr"

    def rows(self) -> Tensor:
        """Return the row of each value, (K,) int64."""
        counts = self.indptr[1:] - self.indptr[:-1]
        return torch.repeat_interleave(counts, output_size=self.values.shape[0])

    def dense(self) -> Tensor:
        """Return the whole matrix, outside any graph."""
        zeros = torch.zeros(self.shape, dtype=self.values.dtype, device=self.values.device)
        return zeros.index_put_((self.rows(), self.indices), self.values)

    def torch(self) -> Tensor:
        """Return the matrix in torch's csr layout, sharing memory."""
        return torch.sparse_csr_tensor(self.indptr, self.indices, self.values, self.shape, check_invariants=False)

    def fault(self) -> str | None:
        """Return what is wrong with the indices, None if nothing is."""
        pointers = self.indptr
        if pointers.shape[0] != self.shape[0] + 1:
            return f"expected indptr of {self.shape[0] + 1} elements, got {pointers.shape[0]}"
        if int(pointers[0]) != 0 or int(pointers[-1]) != self.indices.shape[0]:
            return f"expected indptr from 0 to {self.indices.shape[0]}, got {int(pointers[0])} to {int(pointers[-1])}"
        if bool((pointers[1:] < pointers[:-1]).any()):
            return "expected an indptr that does not descend, got one that does"
        if self.indices.shape[0] != self.values.shape[0]:
            return f"expected one column for each value, got {self.indices.shape[0]} for {self.values.shape[0]} values"
        rows, columns = self.rows(), self.indices
        if columns.numel() and (int(columns.min()) < 0 or int(columns.max()) >= self.shape[1]):
            return f"expected columns of 0 to {self.shape[1] - 1}, got {int(columns.min())} to {int(columns.max())}"
        if bool(((columns[1:] <= columns[:-1]) & (rows[1:] == rows[:-1])).any()):
            return "expected ascending columns in each row, got some out of order or twice"
        return None

    def map(self, values: Tensor) -> "CsrStorage":
        """Return a storage of the same places with other values."""
        return CsrStorage(self.shape, self.indptr, self.indices, values)


@dataclass(frozen=True, slots=True, eq=False)
class RowUpdate:
    """New values of some rows of an operator's first input and of its auxiliary inputs; the other rows stay.

    Attributes:
        rows: The rows, (K,) int64.
        values: Their new values, (K, ...), which make the output.
        states: The new values of the same rows of each auxiliary input.
    """

    rows: Tensor
    values: Tensor
    states: tuple[Tensor, ...]


Storage: TypeAlias = RowStorage | CsrStorage
Data: TypeAlias = Tensor | Storage
"""What a sparse rule of an operator takes and returns."""


class _Reveal(torch.autograd.Function):
    """The dense form of a variable, with the gradient of its handle."""

    @staticmethod
    def forward(ctx: Any, handle: Tensor, storage: Storage) -> Tensor:
        dense = storage.dense()
        return dense.clone() if dense is storage.values else dense

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def handle(storage: Storage) -> Tensor:
    """Return a new tensor of the storage's shape, without memory of its own, that graphs are recorded from."""
    values = storage.values
    return torch.zeros((), dtype=values.dtype, device=values.device).expand(storage.shape).requires_grad_(True)


def tracked_dense(storage: Storage) -> Tensor:
    """Return the whole array, in the storage's graph if it has one."""
    graph = storage.graph
    if graph is None:
        return storage.dense()
    if not graph.is_leaf:
        return graph
    revealed: Tensor = _Reveal.apply(graph, without_graph(storage))  # type: ignore[no-untyped-call]
    return revealed


def without_graph(storage: Storage) -> Storage:
    """Return the storage outside any graph."""
    return storage if storage.graph is None else dataclasses.replace(storage, graph=None)


def with_graph(storage: Storage, graph: Tensor | None) -> Storage:
    """Return the storage in a graph."""
    return dataclasses.replace(storage, graph=graph)


def dense(data: Data) -> Tensor:
    """Return a tensor, or the whole array of a storage outside any graph."""
    return data if isinstance(data, Tensor) else data.dense()


def rows_of(data: Tensor) -> RowStorage:
    """Return a tensor (N, ...) as a row storage of the rows that are not all 0.

    Torch's sparse COO tensors, which is how it returns gradients of embeddings, keep the rows that they name.

    Raises:
        StorageError: The tensor has no axis.
    """
    if data.is_sparse:
        data = data.coalesce()
        if data.sparse_dim() == 1:
            return RowStorage(tuple(data.shape), data.indices()[0], data.values())
        data = data.to_dense()
    if data.dim() == 0:
        raise StorageError("cast_storage: no rows: expected at least 1 axis, got shape=().")
    held = (data != 0) if data.dim() == 1 else (data != 0).flatten(1).any(1)
    indices = held.nonzero()[:, 0]
    return RowStorage(tuple(data.shape), indices, data.index_select(0, indices))


def csr_of(data: Tensor) -> CsrStorage:
    """Return a matrix in csr form, without its zeros.

    Raises:
        StorageError: The tensor is no matrix.
    """
    if data.dim() != 2:
        raise StorageError(f"cast_storage: not a matrix: expected 2 axes for csr, got shape={tuple(data.shape)}.")
    if data.is_sparse:
        data = data.to_dense()
    rows, columns = data.nonzero(as_tuple=True)
    return CsrStorage(tuple(data.shape), pointers(rows, data.shape[0]), columns, data[rows, columns])


def pointers(rows: Tensor, count: int) -> Tensor:
    """Return the indptr (count + 1,) of values whose rows are given in ascending order."""
    found = torch.zeros(count + 1, dtype=torch.int64, device=rows.device)
    torch.cumsum(torch.bincount(rows, minlength=count), 0, out=found[1:])
    return found


def cast(data: Data, stype: StorageType) -> Data:
    """Return data in another storage type, outside any graph.

    Raises:
        StorageError: From csr to row_sparse or back, or csr of what is no matrix.
    """
    if isinstance(data, Tensor):
        if stype == "default":
            return data.to_dense() if data.is_sparse else data
        return rows_of(data) if stype == "row_sparse" else csr_of(data)
    if data.stype == stype:
        return without_graph(data)
    if stype == "default":
        return data.dense()
    raise StorageError(
        f"cast_storage from {data.stype} to {stype} is not supported: expected one of the two to be 'default'. "
        "Convert with `.tostype('default')` first."
    )


def empty(stype: StorageType, shape: Shape, dtype: torch.dtype, device: torch.device) -> Storage:
    """Return a storage that holds nothing.

    Raises:
        StorageError: The shape does not fit the storage type.
    """
    nothing = torch.empty(0, dtype=torch.int64, device=device)
    if stype == "row_sparse":
        if not shape:
            raise StorageError("row_sparse: no rows: expected at least 1 axis, got shape=().")
        return RowStorage(shape, nothing, torch.empty((0, *shape[1:]), dtype=dtype, device=device))
    if len(shape) != 2:
        raise StorageError(f"csr: not a matrix: expected 2 axes, got shape={shape}.")
    start = torch.zeros(shape[0] + 1, dtype=torch.int64, device=device)
    return CsrStorage(shape, start, nothing, torch.empty(0, dtype=dtype, device=device))


def retain(storage: RowStorage, rows: Tensor) -> RowStorage:
    """Return a storage that holds the rows which `rows` (any shape, any dtype) names, ascending and once.

    Raises:
        InputError: A row lies outside.
    """
    wanted = torch.unique(rows.detach().to(storage.indices.device).reshape(-1).long())
    if wanted.numel() and (int(wanted[0]) < 0 or int(wanted[-1]) >= storage.shape[0]):
        raise InputError(
            f"sparse.retain: row out of bounds: expected rows of 0 to {storage.shape[0] - 1}, "
            f"got {int(wanted[0])} to {int(wanted[-1])}."
        )
    return RowStorage(storage.shape, wanted, take_rows(storage, wanted))


def take_rows(storage: RowStorage, rows: Tensor) -> Tensor:
    """Return the rows (M,) that lie inside, (M, ...), 0 where they are not held."""
    if storage.is_full:
        return storage.values.index_select(0, rows)
    count = storage.indices.shape[0]
    shape = (rows.shape[0], *storage.shape[1:])
    if not count:
        return torch.zeros(shape, dtype=storage.values.dtype, device=storage.values.device)
    at = torch.searchsorted(storage.indices, rows).clamp_max(count - 1)
    found = storage.values.index_select(0, at)
    held = storage.indices.index_select(0, at) == rows
    return torch.where(held.view(-1, *[1] * (found.dim() - 1)), found, 0)


def _index_fault(indices: Tensor, size: int, what: str) -> str | None:
    if not indices.numel():
        return None
    if int(indices.min()) < 0 or int(indices.max()) >= size:
        return f"expected {what}s of 0 to {size - 1}, got {int(indices.min())} to {int(indices.max())}"
    if bool((indices[1:] <= indices[:-1]).any()):
        return f"expected ascending {what}s, got some out of order or twice"
    return None
