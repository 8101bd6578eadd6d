"""Operators that are there for sparse storage."""

from .sample import Array, Sample

A = Array
ROWS = A((4, 3), "float32", "values", values=(0, 0, 0, 1, 2, 0, 0, 0, 0, 3, 0, 4), grad=False, stype="row_sparse")
MATRIX = A((3, 4), "float32", "values", values=(0, 1, 0, 2, 0, 0, 0, 0, 3, 0, 4, 0), grad=False, stype="csr")


def index(*values, shape=None, dtype="float32"):
    return A(shape or (len(values),), dtype, "values", values=values, grad=False)


SAMPLES = [
    Sample("cast_storage", "default", (A((3, 2), grad=False),), {"stype": "default"}),
    Sample("cast_storage", "row_sparse", (A((3, 2, 2), grad=False),), {"stype": "row_sparse"}),
    Sample("cast_storage", "csr", (MATRIX,), {"stype": "csr"}),
    Sample("cast_storage", "from_csr", (MATRIX,), {"stype": "default"}),
    Sample("cast_storage", "float64", (A((1, 2), "float64", grad=False),), {"stype": "csr"}),
    Sample("_sparse_retain", "plain", (ROWS, index(1, 2)), batch=()),
    Sample("_sparse_retain", "unsorted", (ROWS, index(3, 0, 1, dtype="int64")), batch=()),
    Sample("_sparse_retain", "one", (ROWS, index(3)), batch=()),
    Sample("_contrib_getnnz", "all", (MATRIX,)),
    Sample("_contrib_getnnz", "rows", (MATRIX,), {"axis": 1}),
    Sample(
        "_contrib_SparseEmbedding",
        "plain",
        (A((2, 3), kind="ints", high=5, grad=False), A((5, 4), stype="row_sparse")),
        {"input_dim": 5, "output_dim": 4},
    ),
    Sample(
        "_contrib_SparseEmbedding",
        "repeated",
        (index(1, 1, 0), A((2, 2), stype="row_sparse")),
        {"input_dim": 2, "output_dim": 2},
    ),
]
