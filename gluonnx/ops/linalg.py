"""Linear algebra on the last two axes: factorizations, triangular solves, determinants, diagonals and triangles.

Matrices are (..., R, C) with any number of batch axes. Operators of triangular matrices read one triangle alone. How
they become ONNX, which has neither factorizations nor solves, is in `elimination`.
"""

from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import InputError, InputTypeError
from gluonnx.ops import elimination
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.derivative import once_differentiable
from gluonnx.ops.table import operator

# ruff: noqa: N803 - MXNet's names of the inputs are A, B and C.

SOURCE = "MXNet 1.9.1 src/operator/tensor/la_op.cc"
SMALLEST_GAPS = {torch.float32: 1e-30, torch.float64: 1e-100}
"""Least difference of eigenvalues that the gradient divides by. Source: MXNet 1.9.1, gradients at equal eigenvalues."""


def _check(name: str, *, is_square: bool = True, **matrices: Tensor) -> None:
    """Raise an error for inputs that are not matrices of float32 or float64."""
    for label, matrix in matrices.items():
        if matrix.dtype is not torch.float32 and matrix.dtype is not torch.float64:
            raise InputTypeError(
                f"{name}: input `{label}` has a wrong dtype: expected float32 or float64, "
                f"got {str(matrix.dtype).removeprefix('torch.')}."
            )
        shape = matrix.shape
        if len(shape) < 2:
            raise InputError(f"{name}: wrong rank of {label}: expected at least 2, got {label}={tuple(shape)}.")
        if is_square and label == "A" and shape[-1] != shape[-2]:
            raise InputError(f"{name}: wrong shape of A: expected square matrices, got A={tuple(shape)}.")


def _check_batch(name: str, lhs: Tensor, rhs: Tensor) -> None:
    if lhs.shape[:-2] != rhs.shape[:-2]:
        raise InputError(
            f"{name}: shapes do not fit: expected the same axes before the last two, "
            f"got A={tuple(lhs.shape)}, B={tuple(rhs.shape)}."
        )


def _row_axis(name: str, axis: int, rank: int) -> int:
    """Return the axis of the rows, counted from the front."""
    rows = axis + rank if axis < 0 else axis
    if not 0 <= rows < rank - 1:
        raise InputError(f"{name}: wrong attribute: expected an axis before the last of {rank}, got axis={axis}.")
    return rows


@operator("_linalg_gemm", "linalg_gemm", source=SOURCE)
def linalg_gemm(
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    beta: float = 1.0,
    axis: int = -2,
) -> Tensor:
    """`alpha * A @ B + beta * C`, for matrices whose rows lie along `axis` and whose columns are the last axis.

    Raises:
        InputError: The shapes do not fit, or `axis` is the last one.
    """
    _check("_linalg_gemm", A=A, B=B, C=C, is_square=False)
    if not A.dim() == B.dim() == C.dim():
        raise InputError(
            "_linalg_gemm: ranks differ: expected one rank, "
            f"got A={tuple(A.shape)}, B={tuple(B.shape)}, C={tuple(C.shape)}."
        )
    rows = _row_axis("_linalg_gemm", axis, A.dim())
    lhs, rhs, summand = (t.movedim(rows, -2) for t in (A, B, C))
    _check_batch("_linalg_gemm", lhs, rhs)
    lhs, rhs = lhs.mT if transpose_a else lhs, rhs.mT if transpose_b else rhs
    expected = (*lhs.shape[:-1], rhs.shape[-1])
    if lhs.shape[-1] != rhs.shape[-2] or summand.shape != expected:
        raise InputError(
            "_linalg_gemm: shapes do not fit: expected (..., M, K), (..., K, N) and (..., M, N), "
            f"got A={tuple(A.shape)}, B={tuple(B.shape)}, C={tuple(C.shape)}."
        )
    batch = expected[:-2]
    if len(batch) == 1:
        result = torch.baddbmm(summand, lhs, rhs, beta=beta, alpha=alpha)
    elif not batch:
        result = torch.addmm(summand, lhs, rhs, beta=beta, alpha=alpha)
    else:
        result = torch.add(torch.matmul(lhs, rhs) * alpha, summand, alpha=beta)
    return result.movedim(-2, rows)


@linalg_gemm.onnx
def _(
    g: GraphBuilder,
    A: Value,
    B: Value,
    C: Value,
    *,
    transpose_a: bool,
    transpose_b: bool,
    alpha: float,
    beta: float,
    axis: int,
) -> Value:
    rank = g.rank(A)
    rows = axis % rank
    to_matrix = [*(i for i in range(rank - 1) if i != rows), rows, rank - 1]
    lhs, rhs = (v if rows == rank - 2 else g.op("Transpose", v, perm=to_matrix) for v in (A, B))
    product = g.op("MatMul", _transposed(g, lhs, transpose_a), _transposed(g, rhs, transpose_b))
    product = _times(g, product, alpha)
    if rows != rank - 2:
        product = g.op("Transpose", product, perm=[to_matrix.index(i) for i in range(rank)])
    return g.op("Add", product, _times(g, C, beta))


def _times(g: GraphBuilder, value: Value, factor: float) -> Value:
    return value if factor == 1.0 else g.op("Mul", value, g.scalar(factor, value))


def _transposed(g: GraphBuilder, value: Value, flip: bool = True) -> Value:
    rank = g.rank(value)
    return g.op("Transpose", value, perm=[*range(rank - 2), rank - 1, rank - 2]) if flip else value


@operator("_linalg_syrk", "linalg_syrk", source=SOURCE)
def linalg_syrk(A: Tensor, *, transpose: bool = False, alpha: float = 1.0) -> Tensor:
    """`alpha * A @ A.T`, or `alpha * A.T @ A` under `transpose`."""
    _check("_linalg_syrk", A=A, is_square=False)
    product = A.mT @ A if transpose else A @ A.mT
    return product if alpha == 1.0 else product * alpha


@linalg_syrk.onnx
def _(g: GraphBuilder, A: Value, *, transpose: bool, alpha: float) -> Value:
    return _times(g, g.op("MatMul", _transposed(g, A, transpose), _transposed(g, A, not transpose)), alpha)


@operator("_linalg_potrf", "linalg_potrf", source=SOURCE)
def linalg_potrf(A: Tensor, *, lower: bool = True) -> Tensor:
    """Cholesky factor of symmetric positive-definite matrices: `L` with `L @ L.T = A`, or `U` with `U.T @ U = A`.

    Only the triangle that `lower` names is read; the gradient is symmetric.
    """
    _check("_linalg_potrf", A=A)
    factor: Tensor = torch.linalg.cholesky(A) if lower else torch.linalg.cholesky(A.mT).mT.contiguous()
    return factor


@linalg_potrf.onnx
def _(g: GraphBuilder, A: Value, *, lower: bool) -> Value:
    factor = elimination.cholesky(g, "_linalg_potrf", _transposed(g, A, not lower))
    return _transposed(g, factor, not lower)


@operator("_linalg_potri", "linalg_potri", source=SOURCE)
def linalg_potri(A: Tensor, *, lower: bool = True) -> Tensor:
    """Inverse of the matrix that has the Cholesky factor `A`: `inv(L @ L.T)`, or `inv(U.T @ U)` if not `lower`."""
    _check("_linalg_potri", A=A)
    eye = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    inverse: Tensor = torch.linalg.solve_triangular(A, eye.expand(A.shape), upper=not lower)
    return inverse.mT @ inverse if lower else inverse @ inverse.mT


@linalg_potri.onnx
def _(g: GraphBuilder, A: Value, *, lower: bool) -> Value:
    size = elimination.static_size(g, "_linalg_potri", A)
    eye = elimination.identity(g, size, A)
    inverse = elimination.solve_triangular(g, "_linalg_potri", A, eye, lower=lower)
    return g.op("MatMul", _transposed(g, inverse, lower), _transposed(g, inverse, not lower))


def _triangle(A: Tensor, lower: bool) -> Tensor:
    return A.tril() if lower else A.triu()


@operator("_linalg_trmm", "linalg_trmm", source=SOURCE)
def linalg_trmm(
    A: Tensor,
    B: Tensor,
    *,
    transpose: bool = False,
    rightside: bool = False,
    lower: bool = True,
    alpha: float = 1.0,
) -> Tensor:
    """`alpha * op(A) @ B` of a triangular `A`, `alpha * B @ op(A)` if `rightside`; `op` transposes if `transpose`."""
    _check("_linalg_trmm", A=A, B=B)
    _check_batch("_linalg_trmm", A, B)
    factor = _triangle(A, lower)
    if transpose:
        factor = factor.mT
    product = B @ factor if rightside else factor @ B
    return product if alpha == 1.0 else product * alpha


@linalg_trmm.onnx
def _(g: GraphBuilder, A: Value, B: Value, *, transpose: bool, rightside: bool, lower: bool, alpha: float) -> Value:
    factor = _transposed(g, g.op("Trilu", A, upper=int(not lower)), transpose)
    return _times(g, g.op("MatMul", B, factor) if rightside else g.op("MatMul", factor, B), alpha)


@operator("_linalg_trsm", "linalg_trsm", source=SOURCE)
def linalg_trsm(
    A: Tensor,
    B: Tensor,
    *,
    transpose: bool = False,
    rightside: bool = False,
    lower: bool = True,
    alpha: float = 1.0,
) -> Tensor:
    """Solve `op(A) @ X = alpha * B` of a triangular `A`, `X @ op(A) = alpha * B` if `rightside`; see `_linalg_trmm`."""
    _check("_linalg_trsm", A=A, B=B)
    _check_batch("_linalg_trsm", A, B)
    factor = A.mT if transpose else A
    scaled = B if alpha == 1.0 else B * alpha
    solved: Tensor = torch.linalg.solve_triangular(factor, scaled, upper=lower == transpose, left=not rightside)
    return solved


@linalg_trsm.onnx
def _(g: GraphBuilder, A: Value, B: Value, *, transpose: bool, rightside: bool, lower: bool, alpha: float) -> Value:
    # X @ op(A) = B is op(A).T @ X.T = B.T
    flip = transpose != rightside
    factor, scaled = _transposed(g, A, flip), _transposed(g, _times(g, B, alpha), rightside)
    solved = elimination.solve_triangular(g, "_linalg_trsm", factor, scaled, lower=lower != flip)
    return _transposed(g, solved, rightside)


@operator("_linalg_sumlogdiag", "linalg_sumlogdiag", source=SOURCE)
def linalg_sumlogdiag(A: Tensor) -> Tensor:
    """Sum of the logarithms of the diagonal, (...,); one matrix gives (1,)."""
    _check("_linalg_sumlogdiag", A=A)
    result: Tensor = A.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return result if result.dim() else result.reshape(1)


@linalg_sumlogdiag.onnx
def _(g: GraphBuilder, A: Value) -> Value:
    size = elimination.static_size(g, "_linalg_sumlogdiag", A, limit=None)
    diagonal = elimination.pick(g, A, range(0, size * size, size + 1))
    return g.op("ReduceSum", g.op("Log", diagonal), g.ints([-1]), keepdims=int(g.rank(A) == 2))


@operator("_linalg_inverse", "linalg_inverse", "_npi_inv", source=SOURCE)
def linalg_inverse(A: Tensor) -> Tensor:
    """Inverses of square matrices."""
    _check("_linalg_inverse", A=A)
    inverse: Tensor = torch.linalg.inv(A)
    return inverse


@linalg_inverse.onnx
def _(g: GraphBuilder, A: Value) -> Value:
    size = elimination.static_size(g, "_linalg_inverse", A)
    return elimination.gauss_jordan(g, "_linalg_inverse", A, elimination.identity(g, size, A)).solution


@operator("_linalg_det", "linalg_det", "_npi_det", unread=2, source=SOURCE)
def linalg_det(A: Tensor) -> Tensor:
    """Determinants (...,); one matrix gives (1,). The gradient at a singular matrix is 0."""
    _check("_linalg_det", A=A)
    result: Tensor = torch.linalg.det(A)
    if result.requires_grad:
        result = torch.where(result == 0, result.detach(), result)
    return result if result.dim() else result.reshape(1)


@linalg_det.onnx
def _(g: GraphBuilder, A: Value) -> Value:
    if g.dtype(A) == "float64":  # ONNX Runtime's Det has no kernel
        return elimination.gauss_jordan(g, "_linalg_det", A).determinant(g)
    result = g.op("Det", A)
    return result if g.rank(A) > 2 else g.op("Reshape", result, g.ints([1]))


@operator("_linalg_slogdet", "linalg_slogdet", "_npi_slogdet", outputs="sign logabsdet", unread=2, source=SOURCE)
def linalg_slogdet(A: Tensor) -> tuple[Tensor, Tensor]:
    """Sign (...,) and logarithm of the absolute value (...,) of determinants; one matrix gives (1,) each.

    A singular matrix has sign 0, logarithm -inf and gradient 0.
    """
    _check("_linalg_slogdet", A=A)
    sign, logarithm = torch.linalg.slogdet(A)
    if logarithm.requires_grad and not A.is_meta:
        is_singular = sign == 0
        if bool(is_singular.any()):
            eye = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
            regular = torch.where(is_singular[..., None, None], eye, A)
            logarithm = torch.where(is_singular, logarithm.detach(), torch.linalg.slogdet(regular)[1])
    sign = sign.detach()
    return (sign, logarithm) if sign.dim() else (sign.reshape(1), logarithm.reshape(1))


@linalg_slogdet.onnx
def _(g: GraphBuilder, A: Value) -> tuple[Value, Value]:
    found = elimination.gauss_jordan(g, "_linalg_slogdet", A)
    return found.sign(g), found.logarithm(g)


@operator("_linalg_gelqf", "linalg_gelqf", outputs="Q L", source=SOURCE)
def linalg_gelqf(A: Tensor) -> tuple[Tensor, Tensor]:
    """LQ factorization `A = L @ Q` of matrices (..., M, N) of full rank with M <= N.

    Q (..., M, N) has orthonormal rows and L (..., M, M) is lower triangular.
    """
    _check("_linalg_gelqf", A=A, is_square=False)
    if A.shape[-2] > A.shape[-1]:
        raise InputError(
            f"_linalg_gelqf: wrong shape of A: expected no more rows than columns, got A={tuple(A.shape)}."
        )
    q, r = torch.linalg.qr(A.mT)
    return q.mT.contiguous(), r.mT.contiguous()


@linalg_gelqf.onnx
def _(g: GraphBuilder, A: Value) -> tuple[Value, Value]:
    return elimination.householder(g, "_linalg_gelqf", A)


class _Eigen(torch.autograd.Function):
    """Eigenvectors, as rows of which the largest element is positive, and ascending eigenvalues."""

    @staticmethod
    def forward(ctx: Any, A: Tensor) -> tuple[Tensor, Tensor]:
        values, columns = torch.linalg.eigh(A)
        rows = columns.mT
        largest = rows.abs().argmax(-1, keepdim=True)
        rows = rows * rows.gather(-1, largest).sign()
        ctx.save_for_backward(rows, values)
        return rows, values

    @staticmethod
    @once_differentiable("_linalg_syevd")
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        grad_rows, grad_values = grads
        rows, values = ctx.saved_tensors
        # X[i, j] = (dU @ U.T)[i, j] / (value[i] - value[j]), made symmetric, with values[i] as diagonal
        product = grad_rows @ rows.mT
        gaps = values[..., :, None] - values[..., None, :]
        below = gaps.tril(-1).clamp_min(SMALLEST_GAPS[values.dtype])
        half = ((product - product.mT) / (2 * below)).tril(-1)
        middle = half + half.mT + torch.diag_embed(grad_values)
        gradient: Tensor = rows.mT @ middle @ rows
        return gradient


@operator("_linalg_syevd", "linalg_syevd", outputs="U L", source=SOURCE)
def linalg_syevd(A: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors and eigenvalues of symmetric matrices: `A = U.T @ diag(L) @ U`, of which one triangle is read.

    U (..., N, N) holds a vector in each row, signed so that its largest element is positive; L (..., N) ascends.
    The gradient is symmetric; at equal eigenvalues, where the vectors are not unique, it is very large.
    """
    _check("_linalg_syevd", A=A)
    rows, values = _Eigen.apply(A)  # type: ignore[no-untyped-call]
    return rows, values


linalg_syevd.no_onnx("eigenvectors come from an iteration that runs until it has converged")


def _diagonal_size(name: str, size: int, offset: int) -> int:
    """Return the length of a diagonal."""
    length = size - abs(offset)
    if length <= 0:
        raise InputError(
            f"{name}: wrong attribute: expected a diagonal of matrices of {size} rows, got offset={offset}."
        )
    return length


@operator("_linalg_extractdiag", "linalg_extractdiag", view=True, source=SOURCE)
def linalg_extractdiag(A: Tensor, *, offset: int = 0) -> Tensor:
    """The diagonal (..., K) that lies `offset` above the main one (below, if negative)."""
    _check("_linalg_extractdiag", A=A)
    _diagonal_size("_linalg_extractdiag", A.shape[-1], offset)
    return A.diagonal(offset, -2, -1)


@linalg_extractdiag.onnx
def _(g: GraphBuilder, A: Value, *, offset: int) -> Value:
    size = elimination.static_size(g, "_linalg_extractdiag", A, limit=None)
    first = offset if offset >= 0 else -offset * size
    count = size - abs(offset)
    return elimination.pick(g, A, range(first, first + count * (size + 1), size + 1))


@operator("_linalg_makediag", "linalg_makediag", source=SOURCE)
def linalg_makediag(A: Tensor, *, offset: int = 0) -> Tensor:
    """Matrices (..., N, N) that are 0 but for `A` (..., K) on the diagonal `offset` above the main one."""
    return torch.diag_embed(A, offset)


@linalg_makediag.onnx
def _(g: GraphBuilder, A: Value, *, offset: int) -> Value:
    count = elimination.static_length(g, "_linalg_makediag", A)
    rows = torch.arange(count) + max(0, -offset)
    return elimination.place(g, A, rows, torch.arange(count) + max(0, offset), count + abs(offset))


def _places(size: int, offset: int, lower: bool, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Rows and columns of the places of a triangle: a lower one row by row, an upper one column by column."""
    below = offset < 0 or (offset == 0 and lower)
    longer, shorter = torch.tril_indices(size, size, -abs(offset), device=device)
    return (longer, shorter) if below else (shorter, longer)


@operator("_linalg_extracttrian", "linalg_extracttrian", source=SOURCE)
def linalg_extracttrian(A: Tensor, *, offset: int = 0, lower: bool = True) -> Tensor:
    """A triangle of each matrix, (..., K): a lower one row by row, an upper one column by column.

    The triangle lies above the diagonal `offset` if that is positive, below it if that is negative, both with it;
    for 0 `lower` decides.
    """
    _check("_linalg_extracttrian", A=A)
    size = A.shape[-1]
    _diagonal_size("_linalg_extracttrian", size, offset)
    rows, columns = _places(size, offset, lower, A.device)
    return A.flatten(-2).index_select(-1, rows * size + columns)


@linalg_extracttrian.onnx
def _(g: GraphBuilder, A: Value, *, offset: int, lower: bool) -> Value:
    size = elimination.static_size(g, "_linalg_extracttrian", A, limit=None)
    rows, columns = _places(size, offset, lower)
    return elimination.pick(g, A, (rows * size + columns).tolist())


@operator("_linalg_maketrian", "linalg_maketrian", source=SOURCE)
def linalg_maketrian(A: Tensor, *, offset: int = 0, lower: bool = True) -> Tensor:
    """Matrices (..., N, N) that are 0 but for a triangle with the elements of `A` (..., K).

    Which triangle, in which order, is as in `_linalg_extracttrian`.

    Raises:
        InputError: K is not 1 + 2 + ... + M.
    """
    size = _triangle_size(A.shape[-1] if A.dim() else 0) + abs(offset)
    rows, columns = _places(size, offset, lower, A.device)
    flat = A.new_zeros((*A.shape[:-1], size * size)).index_copy(-1, rows * size + columns, A)
    return flat.reshape(*A.shape[:-1], size, size)


def _triangle_size(count: int) -> int:
    """Return M of 1 + 2 + ... + M = `count`."""
    size: int = round(((8 * count + 1) ** 0.5 - 1) / 2)
    if size * (size + 1) // 2 != count or not count:
        raise InputError(
            "_linalg_maketrian: wrong shape of A: expected a last axis of 1, 3, 6, 10, ... elements, "
            f"got {count} elements."
        )
    return size


@linalg_maketrian.onnx
def _(g: GraphBuilder, A: Value, *, offset: int, lower: bool) -> Value:
    size = _triangle_size(elimination.static_length(g, "_linalg_maketrian", A)) + abs(offset)
    rows, columns = _places(size, offset, lower)
    return elimination.place(g, A, rows, columns, size)


@operator("khatri_rao", count_attribute="num_args", source="MXNet 1.9.1 src/operator/contrib/krprod.cc")
def khatri_rao(*args: Tensor) -> Tensor:
    """Kronecker products column by column: (R1, C), (R2, C), ... give (R1 * R2 * ..., C).

    Differs: gradients go through it; MXNet registers none and raises.

    Raises:
        InputError: The inputs are not matrices of one number of columns.
    """
    shapes = [tuple(a.shape) for a in args]
    if any(len(s) != 2 or s[1] != shapes[0][1] for s in shapes):
        raise InputError(f"khatri_rao: shapes do not fit: expected matrices of equal columns, got {shapes}.")
    result = args[0]
    for factor in args[1:]:
        result = (result[:, None] * factor).flatten(0, 1)
    return result.clone() if len(args) == 1 else result


@khatri_rao.onnx
def _(g: GraphBuilder, *args: Value) -> Value:
    result = args[0]
    for factor in args[1:]:
        columns = g.dims(factor)[1]
        product = g.op("Mul", g.op("Unsqueeze", result, g.ints([1])), factor)
        result = g.op("Reshape", product, g.ints([-1, 0 if columns is None else columns]))
    return g.op("Identity", result) if len(args) == 1 else result
