"""Elimination in ONNX, which has no factorization and no solve: each step of the textbook algorithm is a few nodes.

The graph grows with the matrices, so their size must be fixed and at most `LIMIT`.

Source: Golub and Van Loan, Matrix Computations, 4th edition, sections 3.1, 3.4, 4.2 and 5.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from gluonnx.errors import LoweringError
from gluonnx.ops.builder import GraphBuilder, Value

LIMIT = 32
"""Rows of the largest matrix that is eliminated: about 350 nodes."""


def static_size(g: GraphBuilder, name: str, matrix: Value, limit: int | None = LIMIT, axis: int = -1) -> int:
    """Return how many columns (rows, for axis -2) a matrix has.

    Raises:
        LoweringError: The number is not fixed, or above `limit`.
    """
    size = g.dims(matrix)[axis]
    if size is None:
        raise LoweringError(
            f"{name}: has no ONNX form at an open size: expected matrices of fixed size, got {g.dims(matrix)}. "
            "Export with `dynamic_batch=False` if their size is the batch size."
        )
    if limit is not None and size > limit:
        raise LoweringError(
            f"{name}: has no ONNX form at this size: expected matrices of at most {limit} rows (ONNX has no such "
            f"operator, and each row takes some nodes), got {g.dims(matrix)}. Let this part run on torch."
        )
    return size


def static_length(g: GraphBuilder, name: str, vector: Value) -> int:
    """Return the length of the last axis; raises LoweringError if it is not fixed."""
    return static_size(g, name, vector, limit=None)


def identity(g: GraphBuilder, size: int, like: Value) -> Value:
    """The identity matrix (size, size) in the dtype of `like`."""
    return g.const(np.eye(size), g.dtype(like))


def pick(g: GraphBuilder, matrix: Value, places: Sequence[int]) -> Value:
    """Return elements of matrices of fixed size by their places in row-major order, (..., K)."""
    flat = g.op("Reshape", matrix, g.ints([0] * (g.rank(matrix) - 2) + [-1]))
    return g.op("Gather", flat, g.ints(list(places)), axis=-1)


def place(g: GraphBuilder, vector: Value, rows: Tensor, columns: Tensor, size: int) -> Value:
    """Return matrices (..., size, size) of zeros with the elements of `vector` (..., K) at the places given."""
    count = len(rows)
    source = np.full((size, size), count, dtype=np.int64)  # the zero behind the last element
    source[rows.numpy(), columns.numpy()] = np.arange(count)
    rank = g.rank(vector)
    padded = g.op("Pad", vector, g.ints([0] * (2 * rank - 1) + [1]))
    return g.op("Gather", padded, g.const(source), axis=-1)


def _part(g: GraphBuilder, value: Value, start: int, axis: int) -> Value:
    """One row (axis -2) or column (axis -1), its axis kept."""
    return g.op("Slice", value, g.ints([start]), g.ints([start + 1]), g.ints([axis]))


def _element(g: GraphBuilder, value: Value, row: int, column: int) -> Value:
    """One element of each matrix, (..., 1, 1)."""
    return g.op("Slice", value, g.ints([row, column]), g.ints([row + 1, column + 1]), g.ints([-2, -1]))


def _zero(g: GraphBuilder, like: Value) -> Value:
    return g.scalar(0.0, like)


def cholesky(g: GraphBuilder, name: str, matrix: Value) -> Value:
    """Return the lower Cholesky factor; the upper triangle of `matrix` is not read."""
    size = static_size(g, name, matrix)
    rest, columns = matrix, []
    for k in range(size):
        root = g.op("Sqrt", _element(g, rest, k, k))
        is_below = g.const((np.arange(size) >= k)[:, None])
        column = g.op("Where", is_below, g.op("Div", _part(g, rest, k, -1), root), _zero(g, matrix))
        columns.append(column)
        if k + 1 < size:
            flip = [*range(g.rank(matrix) - 2), g.rank(matrix) - 1, g.rank(matrix) - 2]
            rest = g.op("Sub", rest, g.op("Mul", column, g.op("Transpose", column, perm=flip)))
    return g.op("Concat", *columns, axis=-1)


def solve_triangular(g: GraphBuilder, name: str, matrix: Value, right: Value, *, lower: bool) -> Value:
    """Return X of `matrix @ X = right`; only the triangle of `matrix` that `lower` names is read."""
    size = static_size(g, name, matrix)
    rest = right
    rows: dict[int, Value] = {}
    order = range(size) if lower else range(size - 1, -1, -1)
    for k in order:
        rows[k] = g.op("Div", _part(g, rest, k, -2), _element(g, matrix, k, k))
        if len(rows) < size:
            is_left = (np.arange(size) > k if lower else np.arange(size) < k)[:, None]
            column = g.op("Where", g.const(is_left), _part(g, matrix, k, -1), _zero(g, matrix))
            rest = g.op("Sub", rest, g.op("Mul", column, rows[k]))
    return g.op("Concat", *(rows[k] for k in range(size)), axis=-2)


@dataclass(frozen=True, slots=True)
class Eliminated:
    """What Gauss-Jordan elimination finds.

    Attributes:
        solution: X of `matrix @ X = right`.
        pivots: The pivots, (..., 1, N).
        order: The row of each pivot, (..., 1, N), int64.
    """

    solution: Value
    pivots: Value
    order: Value

    def sign(self, g: GraphBuilder) -> Value:
        """Return the sign of the determinant, (...,), or (1,) for one matrix."""
        return _reduced(g, "ReduceProd", g.op("Concat", g.op("Sign", self.pivots), self._parity(g), axis=-1))

    def determinant(self, g: GraphBuilder) -> Value:
        """Return the determinant."""
        return _reduced(g, "ReduceProd", g.op("Concat", self.pivots, self._parity(g), axis=-1))

    def logarithm(self, g: GraphBuilder) -> Value:
        """Return the logarithm of the determinant's absolute value."""
        return _reduced(g, "ReduceSum", g.op("Log", g.op("Abs", self.pivots)))

    def _parity(self, g: GraphBuilder) -> Value:
        """1 where the rows come in an even permutation, -1 where in an odd one, (..., 1, 1)."""
        rank = g.rank(self.order)
        size = g.dims(self.order)[-1]
        assert size is not None
        flipped = g.op("Transpose", self.order, perm=[*range(rank - 2), rank - 1, rank - 2])
        is_inverted = g.op("And", g.op("Greater", flipped, self.order), g.const(~np.tri(size, dtype=bool)))
        dtype = g.dtype(self.pivots)
        count = g.op("ReduceSum", g.cast(is_inverted, "int64"), g.ints([-2, -1]), keepdims=1)
        odd = g.op("Mod", count, g.const(2, "int64"))
        return g.cast(g.op("Sub", g.const(1, "int64"), g.op("Mul", odd, g.const(2, "int64"))), dtype)


def _reduced(g: GraphBuilder, op_type: str, value: Value) -> Value:
    """Reduce the last two axes, but the last for a matrix without batch axes: it gives (1,)."""
    reduced = g.op(op_type, value, g.ints([-1]), keepdims=0)
    return reduced if g.rank(value) == 2 else g.op("Squeeze", reduced, g.ints([-1]))


def gauss_jordan(g: GraphBuilder, name: str, matrix: Value, right: Value | None = None) -> Eliminated:
    """Solve `matrix @ X = right` with the largest pivot of each column; rows stay where they are until the end.

    Without `right` the solution is the matrix as elimination leaves it.
    """
    size = static_size(g, name, matrix)
    dtype = g.dtype(matrix)
    index = g.const(np.arange(size)[:, None])
    left: Value = matrix
    is_free: Value = g.const(np.ones((size, 1), dtype=bool))
    pivots, order, chosen = [], [], []
    for k in range(size):
        column = _part(g, left, k, -1)
        score = g.op("Where", is_free, g.op("Abs", column), g.scalar(-1.0, matrix))
        row = g.op("ArgMax", score, axis=-2, keepdims=1)
        is_pivot = g.op("Equal", index, row)
        pivot = g.op("ReduceSum", g.op("Where", is_pivot, column, _zero(g, matrix)), g.ints([-2]), keepdims=1)
        scaled_row = _selected_row(g, is_pivot, left, pivot)
        left = _cleared(g, is_pivot, left, column, scaled_row)
        if right is not None:
            scaled_right = _selected_row(g, is_pivot, right, pivot)
            right = _cleared(g, is_pivot, right, column, scaled_right)
        is_free = g.op("And", is_free, g.op("Not", is_pivot))
        pivots.append(pivot)
        order.append(row)
        chosen.append(g.cast(is_pivot, dtype))
    solution = left
    if right is not None:
        rank = g.rank(matrix)
        permutation = g.op("Transpose", g.op("Concat", *chosen, axis=-1), perm=[*range(rank - 2), rank - 1, rank - 2])
        solution = g.op("MatMul", permutation, right)
    return Eliminated(solution, g.op("Concat", *pivots, axis=-1), g.op("Concat", *order, axis=-1))


def _selected_row(g: GraphBuilder, is_selected: Value, value: Value, divisor: Value) -> Value:
    row = g.op("ReduceSum", g.op("Where", is_selected, value, _zero(g, value)), g.ints([-2]), keepdims=1)
    return g.op("Div", row, divisor)


def _cleared(g: GraphBuilder, is_pivot: Value, value: Value, column: Value, row: Value) -> Value:
    return g.op("Where", is_pivot, row, g.op("Sub", value, g.op("Mul", column, row)))


def householder(g: GraphBuilder, name: str, matrix: Value) -> tuple[Value, Value]:
    """Return (Q, L) of `matrix = L @ Q`, signed as LAPACK does: a row whose rest is 0 already is not reflected."""
    rows = static_size(g, name, matrix, axis=-2)
    columns = static_size(g, name, matrix, limit=None)
    zero, one, two = (g.scalar(n, matrix) for n in (0.0, 1.0, 2.0))
    left: Value = matrix
    reflections = []
    for k in range(min(rows, columns - 1)):
        row = _part(g, left, k, -2)
        rest = g.op("Where", g.const((np.arange(columns) > k)[None]), row, zero)
        head = _element(g, left, k, k)
        length = g.op("ReduceL2", g.op("Concat", head, rest, axis=-1), g.ints([-1]), keepdims=1)
        signed = g.op("Where", g.op("Less", head, zero), g.op("Neg", length), length)
        vector = g.op("Where", g.const((np.arange(columns) == k)[None]), g.op("Add", head, signed), rest)
        is_done = g.op("Equal", g.op("ReduceMax", g.op("Abs", rest), g.ints([-1]), keepdims=1), zero)
        square = g.op("ReduceSumSquare", vector, g.ints([-1]), keepdims=1)
        factor = g.op("Where", is_done, zero, g.op("Div", two, g.op("Where", is_done, one, square)))
        reflections.append((vector, factor))
        left = _reflected(g, left, vector, factor)
    q: Value = identity(g, columns, matrix)
    q = g.op("Slice", q, g.ints([0]), g.ints([rows]), g.ints([-2]))
    for vector, factor in reversed(reflections):
        q = _reflected(g, q, vector, factor)
    if not reflections:  # (..., 1, 1): Q is 1 in every batch
        q = g.op("Add", q, g.op("Mul", zero, matrix))
    lower = g.op("Slice", left, g.ints([0]), g.ints([rows]), g.ints([-1]))
    return q, g.op("Trilu", lower, upper=0)


def _reflected(g: GraphBuilder, value: Value, vector: Value, factor: Value) -> Value:
    """`value - (value @ vector.T) * factor @ vector`."""
    lengths = g.op("ReduceSum", g.op("Mul", value, vector), g.ints([-1]), keepdims=1)
    return g.op("Sub", value, g.op("Mul", g.op("Mul", lengths, factor), vector))
