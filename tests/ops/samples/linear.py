"""Matrix products."""

from .sample import Array, Sample

SAMPLES = [
    Sample("FullyConnected", "bias", (Array((4, 3, 2)), Array((5, 6)), Array((5,))), {"num_hidden": 5}),
    Sample("FullyConnected", "no_bias", (Array((4, 6)), Array((5, 6))), {"num_hidden": 5, "no_bias": True}),
    Sample(
        "FullyConnected",
        "no_flatten",
        (Array((2, 3, 6)), Array((5, 6)), Array((5,))),
        {"num_hidden": 5, "flatten": False},
    ),
    Sample("FullyConnected", "batch_one", (Array((1, 6)), Array((1, 6)), Array((1,))), {"num_hidden": 1}),
    Sample(
        "FullyConnected",
        "float64",
        (Array((2, 3), "float64"), Array((4, 3), "float64"), Array((4,), "float64")),
        {"num_hidden": 4},
    ),
    Sample(
        "FullyConnected",
        "no_flatten_no_bias",
        (Array((2, 3, 6)), Array((5, 6))),
        {"num_hidden": 5, "flatten": False, "no_bias": True},
    ),
    Sample("dot", "matrices", (Array((3, 4)), Array((4, 2)))),
    Sample("dot", "transpose_a", (Array((4, 3)), Array((4, 2))), {"transpose_a": True}, batch=()),
    Sample("dot", "transpose_b", (Array((3, 4)), Array((2, 4))), {"transpose_b": True}),
    Sample(
        "dot", "transpose_both", (Array((4, 3)), Array((2, 4))), {"transpose_a": True, "transpose_b": True}, batch=()
    ),
    Sample("dot", "vectors", (Array((4,)), Array((4,))), batch=()),
    Sample("dot", "matrix_vector", (Array((3, 4)), Array((4,)))),
    Sample("dot", "vector_matrix", (Array((4,)), Array((4, 3))), batch=()),
    Sample("dot", "deep", (Array((2, 3, 4)), Array((4, 5)))),
    Sample("dot", "deep_both", (Array((2, 4)), Array((4, 3, 2)))),
    Sample("dot", "deep_transpose_a", (Array((4, 2, 3)), Array((4, 5))), {"transpose_a": True}, batch=()),
    Sample("dot", "deep_transpose_b", (Array((2, 3, 4)), Array((5, 2, 4))), {"transpose_b": True}),
    Sample("dot", "one", (Array((1, 1)), Array((1, 1)))),
    Sample("dot", "float64", (Array((3, 4), "float64"), Array((4, 2), "float64"))),
    Sample("batch_dot", "plain", (Array((2, 3, 4)), Array((2, 4, 2))), batch=(0, 1)),
    Sample("batch_dot", "transpose_a", (Array((2, 4, 3)), Array((2, 4, 2))), {"transpose_a": True}, batch=(0, 1)),
    Sample(
        "batch_dot",
        "transpose_both",
        (Array((2, 4, 3)), Array((2, 2, 4))),
        {"transpose_a": True, "transpose_b": True},
        batch=(0, 1),
    ),
    Sample("batch_dot", "deep", (Array((2, 2, 3, 4)), Array((2, 2, 4, 2))), batch=(0, 1)),
    Sample("_linalg_gemm2", "plain", (Array((2, 3, 4)), Array((2, 4, 2))), {"alpha": 1.5}, batch=(0, 1)),
    Sample(
        "_linalg_gemm2",
        "transpose",
        (Array((2, 4, 3)), Array((2, 2, 4))),
        {"transpose_a": True, "transpose_b": True},
        batch=(0, 1),
    ),
    Sample("_linalg_gemm2", "axis", (Array((3, 2, 4)), Array((4, 2, 5))), {"axis": 0}, batch=()),
]
