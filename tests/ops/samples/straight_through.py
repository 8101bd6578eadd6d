"""Operators whose gradient is not their derivative, and small ones beside them."""

from .sample import Array, Sample

A = Array
EDGES = A((7,), kind="values", values=(-1.5, -0.5, 0, 0.5, 1.5, 2.5, -2.7))
NOT_DERIVATIVE = "the gradient is passed through"
ROWS = A((3, 2), "float32", "values", values=(1, 2, 0, 0, 3, 4), grad=False, stype="row_sparse")
MATRIX = A((2, 3), "float32", "values", values=(0, 1, 0, 2, 0, 3), grad=False, stype="csr")


def _dtypes():
    for dtype in ("float64", "float16", "int32", "uint8"):
        data = A((2, 3), dtype, "ints", high=5)
        for op in ("_contrib_round_ste", "_contrib_sign_ste"):
            yield Sample(op, dtype, (data,), derivative=NOT_DERIVATIVE)
        yield Sample("_contrib_gradientmultiplier", dtype, (data,), {"scalar": 0.3}, derivative=NOT_DERIVATIVE)
        yield Sample("_contrib_quadratic", dtype, (data,), {"a": 1.5, "b": 2.0, "c": 3.1})
        yield Sample("_grad_add", dtype, (data, data), grad=False, batch=(0, 1))
        yield Sample("_scatter_plus_scalar", dtype, (data,), {"scalar": 2.5})
        yield Sample("_scatter_minus_scalar", dtype, (data,), {"scalar": 2.5, "is_int": True})
        divisor = A((2, 3), dtype, "values", values=(1, 2, 3, 4, 2, 1))
        yield Sample("_scatter_elemwise_div", dtype, (data, divisor), batch=(0, 1))


SAMPLES = [
    Sample("_contrib_round_ste", "edges", (EDGES,), derivative=NOT_DERIVATIVE),
    Sample("_contrib_round_ste", "one", (A((1, 1)),), derivative=NOT_DERIVATIVE),
    Sample("_contrib_sign_ste", "edges", (EDGES,), derivative=NOT_DERIVATIVE),
    Sample("_contrib_sign_ste", "one", (A((1, 1)),), derivative=NOT_DERIVATIVE),
    Sample("_contrib_round_ste", "csr", (MATRIX,)),
    Sample("_contrib_sign_ste", "row_sparse", (ROWS,)),
    Sample("_contrib_gradientmultiplier", "plain", (A((2, 3)),)),
    Sample("_contrib_gradientmultiplier", "reversed", (A((2, 3)),), {"scalar": -2.5}, derivative=NOT_DERIVATIVE),
    Sample("_contrib_gradientmultiplier", "none", (A((2, 1)),), {"scalar": 0.0}, derivative=NOT_DERIVATIVE),
    Sample("_contrib_quadratic", "plain", (A((2, 3)),), {"a": 1.0, "b": 2.0, "c": 3.0}),
    Sample("_contrib_quadratic", "default", (A((2, 3)),)),
    Sample("_contrib_quadratic", "csr", (MATRIX,), {"a": 0.1, "b": -0.2}),
    Sample("_contrib_quadratic", "csr_constant", (MATRIX,), {"a": 0.1, "c": -0.2}),
    Sample("_contrib_quadratic", "row_sparse", (ROWS,), {"b": 2.0}),
    Sample("_grad_add", "plain", (A((2, 3)), A((2, 3))), grad=False, batch=(0, 1)),
    Sample("_scatter_plus_scalar", "plain", (A((2, 3)),), {"scalar": 2.5}),
    Sample("_scatter_plus_scalar", "to_float64", (A((2, 3), "int32", "ints"),), {"scalar": 2.5, "is_int": False}),
    Sample("_scatter_plus_scalar", "bool", (A((2,), "bool", "values", values=(0, 1)),)),
    Sample("_scatter_minus_scalar", "plain", (A((2, 3)),), {"scalar": 2.5}),
    Sample("_scatter_elemwise_div", "plain", (A((2, 3)), A((2, 3), kind="positive")), batch=(0, 1)),
    Sample("_copyto", "plain", (A((2, 3)),), grad=False),
    Sample("_copyto", "one", (A((1,)),), grad=False),
    *_dtypes(),
]
