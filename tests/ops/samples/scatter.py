"""Operators that put values into an array."""

from .sample import Array, Sample

A = Array
X = A((2, 3, 4))


def index(*values, shape=None, dtype="float32"):
    return A(shape or (len(values),), dtype, "values", values=values, grad=False)


PLACES = index(0, 1, 0, 1, 2, 1, shape=(2, 3), dtype="int32")
SAMPLES = [
    Sample("scatter_nd", "rows", (A((2, 3)), index(1, 0, shape=(1, 2))), {"shape": (3, 3)}, batch=()),
    Sample("scatter_nd", "blocks", (A((2, 2, 2)), index(0, 1, 2, 3, shape=(1, 2, 2))), {"shape": (4, 2)}, batch=()),
    Sample(
        "scatter_nd", "whole", (A((2,)), index(0, 1, 1, 0, shape=(2, 2), dtype="int64")), {"shape": (2, 2)}, batch=()
    ),
    Sample("scatter_nd", "one", (A((1,)), index(0, shape=(1, 1))), {"shape": (1,)}, batch=()),
    Sample("scatter_nd", "float64", (A((2,), "float64"), index(2, 0, shape=(1, 2))), {"shape": (4,)}, batch=()),
    Sample("scatter_nd", "float16", (A((2,), "float16"), index(2, 0, shape=(1, 2))), {"shape": (4,)}, batch=()),
    Sample("scatter_nd", "int32", (A((3,), "int32", "ints"), PLACES), {"shape": (2, 3)}, batch=()),
    Sample("scatter_nd", "int64", (A((3,), "int64", "ints"), PLACES), {"shape": (2, 3)}, batch=()),
    Sample("scatter_nd", "uint8", (A((3,), "uint8", "ints"), PLACES), {"shape": (2, 3)}, batch=()),
    Sample(
        "scatter_nd",
        "twice",
        (A((3,)), PLACES),
        {"shape": (2, 3)},
        batch=(),
        derivative="a value that another one hides gets a gradient too",
    ),
    Sample("_scatter_set_nd", "plain", (A((2, 3)), A((3,)), PLACES), {"shape": (2, 3)}, grad=False, batch=()),
    Sample(
        "_scatter_set_nd",
        "rows",
        (A((4, 2), "float64"), A((2, 2), "float64"), index(3, 0, shape=(1, 2))),
        {"shape": (4, 2)},
        grad=False,
        batch=(),
    ),
    Sample(
        "_scatter_set_nd",
        "ints",
        (A((4,), "int32", "ints"), A((1,), "int32", "ints"), index(3, shape=(1, 1), dtype="int64")),
        {"shape": (4,)},
        batch=(),
    ),
    Sample("_contrib_index_copy", "plain", (A((4, 2)), index(1, 3), A((2, 2))), batch=()),
    Sample("_contrib_index_copy", "int64", (A((5, 2, 3)), index(4, 0, dtype="int64"), A((2, 2, 3))), batch=()),
    Sample("_contrib_index_copy", "vector", (A((4,)), index(2, dtype="int32"), A((1,))), batch=()),
    Sample("_contrib_index_copy", "float64", (A((3, 2), "float64"), index(1), A((1, 2), "float64")), batch=()),
    Sample("_contrib_index_copy", "float16", (A((3, 2), "float16"), index(1), A((1, 2), "float16")), batch=()),
    Sample("_contrib_index_copy", "ints", (A((3, 2), "int32", "ints"), index(2), A((1, 2), "int32", "ints")), batch=()),
    Sample("_slice_assign", "block", (A((2, 3)), A((1, 2))), {"begin": (0, 1), "end": (1, 3)}, grad=False, batch=()),
    Sample(
        "_slice_assign", "batch", (X, A((2, 2, 4))), {"begin": (None, 1), "end": (None, 3)}, grad=False, batch=(0, 1)
    ),
    Sample(
        "_slice_assign",
        "steps",
        (X, A((2, 2, 2))),
        {"begin": (None, 0, 0), "end": (None, 3, 4), "step": (1, 2, 3)},
        grad=False,
        batch=(0, 1),
    ),
    Sample(
        "_slice_assign",
        "backwards",
        (A((2, 4)), A((2, 4))),
        {"begin": (None, None), "end": (None, None), "step": (None, -1)},
        grad=False,
        batch=(0, 1),
    ),
    Sample(
        "_slice_assign",
        "backwards_steps",
        (A((2, 5)), A((2, 2))),
        {"begin": (None, -1), "end": (None, 0), "step": (1, -2)},
        grad=False,
        batch=(0, 1),
    ),
    Sample(
        "_slice_assign", "whole", (A((2, 2)), A((2, 2))), {"begin": (None,), "end": (None,)}, grad=False, batch=(0, 1)
    ),
    Sample(
        "_slice_assign",
        "ints",
        (A((2, 3), "int32", "ints"), A((2, 1), "int32", "ints")),
        {"begin": (None, -1), "end": (None, None)},
        batch=(0, 1),
    ),
    Sample("_slice_assign_scalar", "zero", (A((2, 3)),), {"begin": (0, 1), "end": (1, 3)}, grad=False, batch=()),
    Sample(
        "_slice_assign_scalar",
        "batch",
        (X,),
        {"scalar": 2.5, "begin": (None, 2, -1), "end": (None, 0, None), "step": (None, -1, 1)},
        grad=False,
    ),
    Sample("_slice_assign_scalar", "empty", (X,), {"scalar": 2.5, "begin": (None, 1), "end": (None, 1)}, grad=False),
    Sample("_slice_assign_scalar", "whole", (X,), {"scalar": -1.0, "begin": (None,), "end": (None,)}, grad=False),
    Sample(
        "_slice_assign_scalar",
        "int32",
        (A((2, 3), "int32", "ints"),),
        {"scalar": 2.5, "begin": (None, 0), "end": (None, 3), "step": (1, 2)},
    ),
    Sample(
        "_slice_assign_scalar",
        "float64",
        (A((2, 3), "float64"),),
        {"scalar": 0.1, "begin": (0,), "end": (1,)},
        grad=False,
        batch=(),
    ),
    Sample("fill_element_0index", "plain", (A((3, 4)), A((3,)), index(0, 3, 1.7)), grad=False, batch=(0, 1, 2)),
    Sample("fill_element_0index", "one", (A((1, 1)), A((1,)), index(0)), grad=False, batch=(0, 1, 2)),
    Sample("_onehot_encode", "plain", (index(1.7, 0, 2), A((3, 4), grad=False)), batch=(0, 1)),
    Sample("_onehot_encode", "one", (index(0), A((1, 1), grad=False)), batch=(0, 1)),
]
