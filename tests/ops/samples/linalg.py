"""Factorizations, triangular solves, determinants, diagonals and triangles."""

import numpy as np

from .sample import Array, Sample

SYMMETRIC = "the input is read as a symmetric matrix, and the gradient is symmetric; a difference in one element is not"


def _positive(shape, seed, dtype="float64"):
    """Symmetric positive-definite matrices."""
    a = np.random.RandomState(seed).normal(size=shape)
    spd = a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])
    return Array(shape, dtype, "values", values=tuple(np.round(spd, 3).ravel().tolist()))


def _regular(shape, seed, dtype="float64"):
    """Matrices that are far from singular, not symmetric, with the largest elements off the diagonal."""
    rs = np.random.RandomState(seed)
    a = rs.normal(size=shape) + 3 * np.roll(np.eye(shape[-1]), 1, axis=0)
    return Array(shape, dtype, "values", values=tuple(np.round(a, 3).ravel().tolist()))


def _triangular(shape, seed, dtype="float64"):
    """Matrices whose triangles are both well conditioned."""
    rs = np.random.RandomState(seed)
    a = rs.uniform(-0.5, 0.5, size=shape) + 2 * np.eye(shape[-1])
    return Array(shape, dtype, "values", values=tuple(np.round(a, 3).ravel().tolist()))


def A(*shape, **kwargs):
    return Array(shape, kwargs.pop("dtype", "float64"), **kwargs)


SAMPLES = [
    # _linalg_gemm
    Sample("_linalg_gemm", "plain", (A(3, 4), A(4, 2), A(3, 2)), batch=()),
    Sample(
        "_linalg_gemm",
        "batch",
        (A(2, 3, 4), A(2, 4, 2), A(2, 3, 2)),
        {"alpha": 1.5, "beta": -0.5},
        batch=(0, 1, 2),
    ),
    Sample(
        "_linalg_gemm",
        "transpose",
        (A(2, 2, 4, 3), A(2, 2, 2, 4), A(2, 2, 3, 2)),
        {"transpose_a": True, "transpose_b": True, "beta": 2.0},
        batch=(0, 1, 2),
    ),
    Sample(
        "_linalg_gemm",
        "float32",
        (A(2, 3, 4, dtype="float32"), A(2, 4, 2, dtype="float32"), A(2, 3, 2, dtype="float32")),
        {"alpha": 2.0},
        batch=(0, 1, 2),
    ),
    Sample("_linalg_gemm", "axis", (A(3, 2, 4), A(4, 2, 5), A(3, 2, 5)), {"axis": 0}, batch=()),
    Sample("_linalg_gemm", "axis_negative", (A(3, 2, 2, 4), A(3, 4, 2, 5), A(3, 2, 2, 5)), {"axis": -3}, batch=()),
    Sample("_linalg_gemm", "one", (A(1, 1), A(1, 1), A(1, 1)), batch=()),
    # _linalg_syrk
    Sample("_linalg_syrk", "plain", (A(2, 3, 4),)),
    Sample("_linalg_syrk", "transpose", (A(2, 3, 4),), {"transpose": True, "alpha": -1.5}),
    Sample("_linalg_syrk", "matrix", (A(3, 2, dtype="float32"),), batch=()),
    # _linalg_potrf
    Sample("_linalg_potrf", "matrix", (_positive((4, 4), 1),), batch=(), derivative=SYMMETRIC),
    Sample("_linalg_potrf", "batch", (_positive((2, 3, 3), 2, "float32"),), derivative=SYMMETRIC),
    Sample("_linalg_potrf", "upper", (_positive((2, 2, 3, 3), 3),), {"lower": False}, derivative=SYMMETRIC),
    Sample("_linalg_potrf", "one", (_positive((2, 1, 1), 4),), derivative=SYMMETRIC),
    Sample("_linalg_potrf", "triangle", (_triangular((3, 3), 5),), batch=(), derivative=SYMMETRIC),
    Sample("_linalg_potrf", "large", (_positive((33, 33), 6),), batch=(), grad=False, onnx="above the limit"),
    # _linalg_potri
    Sample("_linalg_potri", "matrix", (_triangular((4, 4), 1),), batch=()),
    Sample("_linalg_potri", "batch", (_triangular((2, 3, 3), 2, "float32"),)),
    Sample("_linalg_potri", "upper", (_triangular((2, 2, 3, 3), 3),), {"lower": False}),
    Sample("_linalg_potri", "one", (_triangular((1, 1), 4),), batch=()),
    # _linalg_trmm
    Sample("_linalg_trmm", "matrix", (A(3, 3), A(3, 4)), batch=()),
    Sample("_linalg_trmm", "batch", (A(2, 3, 3, dtype="float32"), A(2, 3, 2, dtype="float32")), batch=(0, 1)),
    Sample("_linalg_trmm", "transpose", (A(2, 3, 3), A(2, 3, 2)), {"transpose": True, "alpha": 2.0}, batch=(0, 1)),
    Sample("_linalg_trmm", "rightside", (A(2, 3, 3), A(2, 2, 3)), {"rightside": True}, batch=(0, 1)),
    Sample(
        "_linalg_trmm",
        "upper",
        (A(2, 3, 3), A(2, 2, 3)),
        {"rightside": True, "transpose": True, "lower": False, "alpha": -0.5},
        batch=(0, 1),
    ),
    Sample("_linalg_trmm", "upper_left", (A(3, 3), A(3, 3)), {"lower": False}, batch=()),
    # _linalg_trsm
    Sample("_linalg_trsm", "matrix", (_triangular((3, 3), 1), A(3, 4)), batch=()),
    Sample("_linalg_trsm", "batch", (_triangular((2, 3, 3), 2, "float32"), A(2, 3, 2, dtype="float32")), batch=(0, 1)),
    Sample(
        "_linalg_trsm",
        "transpose",
        (_triangular((2, 3, 3), 3), A(2, 3, 2)),
        {"transpose": True, "alpha": 2.0},
        batch=(0, 1),
    ),
    Sample("_linalg_trsm", "rightside", (_triangular((2, 3, 3), 4), A(2, 2, 3)), {"rightside": True}, batch=(0, 1)),
    Sample(
        "_linalg_trsm",
        "rightside_transpose",
        (_triangular((2, 3, 3), 5), A(2, 2, 3)),
        {"rightside": True, "transpose": True},
        batch=(0, 1),
    ),
    Sample(
        "_linalg_trsm",
        "upper",
        (_triangular((2, 3, 3), 6), A(2, 2, 3)),
        {"rightside": True, "transpose": True, "lower": False, "alpha": -0.5},
        batch=(0, 1),
    ),
    Sample("_linalg_trsm", "upper_left", (_triangular((3, 3), 7), A(3, 3)), {"lower": False}, batch=()),
    Sample(
        "_linalg_trsm", "upper_right", (_triangular((3, 3), 8), A(3, 3)), {"lower": False, "rightside": True}, batch=()
    ),
    Sample("_linalg_trsm", "one", (_triangular((1, 1), 9), A(1, 1)), batch=()),
    # _linalg_sumlogdiag
    Sample("_linalg_sumlogdiag", "matrix", (A(3, 3, kind="positive"),), batch=()),
    Sample("_linalg_sumlogdiag", "batch", (A(2, 3, 3, kind="positive", dtype="float32"),)),
    Sample("_linalg_sumlogdiag", "deep", (A(2, 2, 2, 2, kind="positive"),)),
    # _linalg_inverse
    Sample("_linalg_inverse", "matrix", (_regular((4, 4), 1),), batch=()),
    Sample("_linalg_inverse", "batch", (_regular((2, 3, 3), 2),)),
    Sample("_linalg_inverse", "deep", (_regular((2, 2, 3, 3), 4),)),
    Sample("_linalg_inverse", "float32", (_regular((3, 3), 5, "float32"),), batch=()),
    Sample("_linalg_inverse", "one", (_regular((2, 1, 1), 3),)),
    # _linalg_det
    Sample("_linalg_det", "matrix", (_regular((4, 4), 1, "float32"),), batch=()),
    Sample("_linalg_det", "batch", (_regular((2, 3, 3), 2, "float32"),)),
    Sample("_linalg_det", "float64", (_regular((2, 2, 3, 3), 3),)),
    Sample("_linalg_det", "float64_matrix", (_regular((3, 3), 4),), batch=()),
    Sample(
        "_linalg_det",
        "singular",
        (Array((2, 2, 2), "float64", "values", values=(1.0, 2.0, 2.0, 4.0, 1.0, 2.0, 3.0, 4.0)),),
        batch=(),
        derivative="MXNet's gradient at a singular matrix is 0",
    ),
    # _linalg_slogdet
    Sample("_linalg_slogdet", "matrix", (_regular((4, 4), 1),), batch=()),
    Sample("_linalg_slogdet", "batch", (_regular((3, 3, 3), 2, "float32"),)),
    Sample("_linalg_slogdet", "deep", (_regular((2, 2, 2, 2), 3),)),
    Sample("_linalg_slogdet", "one", (_regular((2, 1, 1), 4),)),
    Sample(
        "_linalg_slogdet",
        "singular",
        (Array((2, 2, 2), "float64", "values", values=(1.0, 2.0, 2.0, 4.0, 1.0, 2.0, 3.0, 4.0)),),
        batch=(),
        derivative="MXNet's gradient at a singular matrix is 0",
    ),
    # _linalg_gelqf
    Sample("_linalg_gelqf", "matrix", (A(3, 4),), batch=()),
    Sample("_linalg_gelqf", "square", (A(2, 3, 3),)),
    Sample("_linalg_gelqf", "batch", (A(2, 2, 2, 4),)),
    Sample("_linalg_gelqf", "row", (A(2, 1, 4, dtype="float32"),)),
    Sample("_linalg_gelqf", "one", (A(2, 1, 1),)),
    Sample(
        "_linalg_gelqf",
        "reduced",
        (Array((2, 3), "float64", "values", values=(-3.0, 0.0, 0.0, 4.0, -5.0, 0.0)),),
        batch=(),
        derivative="where a row needs no reflection the signs change with a small difference",
    ),
    # _linalg_syevd
    Sample(
        "_linalg_syevd",
        "matrix",
        (_positive((4, 4), 1),),
        batch=(),
        derivative=SYMMETRIC,
        onnx="an iteration",
    ),
    Sample("_linalg_syevd", "batch", (_positive((2, 3, 3), 2),), derivative=SYMMETRIC, onnx="an iteration"),
    Sample("_linalg_syevd", "one", (_positive((2, 1, 1), 3, "float32"),), derivative=SYMMETRIC, onnx="an iteration"),
    Sample(
        "_linalg_syevd",
        "equal",
        (Array((2, 2), "float64", "values", values=(1.0, 0.0, 0.0, 1.0)),),
        batch=(),
        derivative="the vectors of equal values are not unique",
        onnx="an iteration",
    ),
    # diagonals and triangles
    Sample("_linalg_extractdiag", "plain", (A(2, 3, 3),)),
    Sample("_linalg_extractdiag", "above", (A(3, 3, dtype="float32"),), {"offset": 1}, batch=()),
    Sample("_linalg_extractdiag", "below", (A(2, 2, 3, 3),), {"offset": -2}),
    Sample("_linalg_makediag", "plain", (A(2, 3),)),
    Sample("_linalg_makediag", "vector", (A(3, dtype="float32"),), {"offset": 1}, batch=()),
    Sample("_linalg_makediag", "below", (A(2, 2, 1),), {"offset": -2}),
    Sample("_linalg_extracttrian", "plain", (A(2, 3, 3),)),
    Sample("_linalg_extracttrian", "upper", (A(3, 3, dtype="float32"),), {"lower": False}, batch=()),
    Sample("_linalg_extracttrian", "above", (A(2, 2, 3, 3),), {"offset": 1}),
    Sample("_linalg_extracttrian", "below", (A(2, 3, 3),), {"offset": -1, "lower": False}),
    Sample("_linalg_maketrian", "plain", (A(2, 6),)),
    Sample("_linalg_maketrian", "upper", (A(3, dtype="float32"),), {"lower": False}, batch=()),
    Sample("_linalg_maketrian", "above", (A(2, 2, 3),), {"offset": 1}),
    Sample("_linalg_maketrian", "below", (A(2, 1),), {"offset": -1, "lower": False}),
    # khatri_rao
    Sample("khatri_rao", "two", (A(3, 2, dtype="float32"), A(4, 2, dtype="float32")), grad=False),
    Sample("khatri_rao", "three", (A(3, 2), A(1, 2), A(2, 2)), grad=False),
    Sample("khatri_rao", "one", (A(3, 2),), grad=False),
]
