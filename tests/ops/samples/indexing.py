"""Operators that select by index, sort or mask."""

from .sample import Array, Sample

A = Array
X = A((2, 3, 4))
ORDER = A((3, 4), kind="distinct")
TIED = ()


def index(*values, shape=None, dtype="float32"):
    return A(shape or (len(values),), dtype, "values", values=values, grad=False)


ODD = index(1.7, -1, 9, 0, 2, 3, shape=(2, 3))
SAMPLES = [
    Sample("pick", "last", (X, A((2, 3), kind="ints", high=4, grad=False)), batch=(0, 1)),
    Sample("pick", "axis", (X, A((2, 4), "int32", "ints", high=3)), {"axis": 1}, batch=(0, 1)),
    Sample("pick", "negative_axis", (X, A((2, 4), kind="ints", high=3, grad=False)), {"axis": -2}, batch=(0, 1)),
    Sample("pick", "keepdims", (X, A((2, 3), kind="ints", high=4, grad=False)), {"keepdims": True}, batch=(0, 1)),
    Sample("pick", "kept_index", (X, A((2, 3, 1), kind="ints", high=4, grad=False)), batch=(0, 1)),
    Sample("pick", "clip", (X, ODD), batch=(0, 1)),
    Sample("pick", "wrap", (X, ODD), {"mode": "wrap"}, batch=(0, 1)),
    Sample("pick", "front", (A((3, 2)), index(0, 2)), {"axis": 0}, batch=TIED),
    Sample("pick", "vector", (A((3,)), index(2)), batch=TIED),
    Sample("pick", "float64", (A((2, 3), "float64"), A((2,), "int64", "ints", high=3)), batch=(0, 1)),
    Sample("batch_take", "plain", (A((3, 4), grad=False), A((3,), "int32", "ints", high=4)), batch=(0, 1)),
    Sample("batch_take", "clip", (A((2, 3), grad=False), index(-1, 7, dtype="int32")), batch=TIED),
    Sample("one_hot", "plain", (index(1, 0, 2),), {"depth": 3}),
    Sample("one_hot", "outside", (index(1.7, -1, 9),), {"depth": 3}),
    Sample(
        "one_hot", "values", (A((2, 2), "int32", "ints", high=4),), {"depth": 4, "on_value": 3.0, "off_value": -1.0}
    ),
    Sample("one_hot", "int32", (A((2,), "int64", "ints", high=4),), {"depth": 4, "dtype": "int32"}),
    Sample("one_hot", "float16", (A((1,), "int32", "ints", high=4),), {"depth": 4, "dtype": "float16"}),
    Sample("take", "rows", (A((5, 3)), A((2, 4), kind="ints", high=5, grad=False)), batch=(1,)),
    Sample("take", "clip", (A((4, 3)), index(1.7, -1, 9)), batch=(1,)),
    Sample("take", "wrap", (A((4, 3)), index(1, -1, 9, dtype="int32")), {"mode": "wrap"}, batch=(1,)),
    Sample("take", "axis", (X, A((2, 2), "int32", "ints", high=3)), {"axis": 1}, batch=(0,)),
    Sample("take", "negative_axis", (X, index(0, 3, 3)), {"axis": -1}, batch=(0,)),
    Sample("take", "raise", (X, index(0, 2, dtype="int32")), {"axis": 1, "mode": "raise"}, batch=(0,)),
    Sample("take", "vector", (A((5,)), A((2, 3), "int32", "ints", high=5)), batch=(1,)),
    Sample(
        "Embedding", "plain", (A((2, 3), kind="ints", high=5, grad=False), A((5, 4))), {"input_dim": 5, "output_dim": 4}
    ),
    Sample("Embedding", "outside", (index(1.7, -1, 9), A((3, 2))), {"input_dim": 3, "output_dim": 2}),
    Sample("Embedding", "ints", (A((2, 3), "int32", "ints", high=5), A((5, 1))), {"input_dim": 5, "output_dim": 1}),
    Sample("Embedding", "repeated", (index(1, 1, 1), A((2, 2))), {"input_dim": 2, "output_dim": 2}),
    Sample("gather_nd", "plain", (X, A((2, 3), "int32", "values", values=(0, 1, 1, 2, 0, 2))), batch=TIED),
    # MXNet's gradient writes to the wrong place for a negative position.
    Sample("gather_nd", "negative", (X, index(0, 1, 2, -1, shape=(2, 2))), grad=False, batch=TIED),
    Sample("gather_nd", "all", (A((3, 4)), A((2, 2, 2), kind="ints", high=3, grad=False)), batch=TIED),
    Sample("topk", "default", (ORDER,), grad=False),
    Sample("topk", "value", (ORDER,), {"k": 2, "ret_typ": "value"}),
    Sample("topk", "both", (ORDER,), {"k": 3, "ret_typ": "both", "is_ascend": True, "dtype": "int32"}, grad=False),
    Sample("topk", "mask", (ORDER,), {"k": 2, "ret_typ": "mask"}, grad=False),
    Sample("topk", "axis", (A((2, 5, 3), kind="distinct"),), {"k": 2, "axis": 1, "ret_typ": "value"}),
    Sample("topk", "flat", (ORDER,), {"k": 3, "axis": None}, grad=False, batch=TIED),
    Sample("topk", "flat_mask", (ORDER,), {"k": 3, "axis": None, "ret_typ": "mask"}, grad=False, batch=TIED),
    Sample("topk", "all", (ORDER,), {"k": 0, "ret_typ": "value"}, grad=False),
    Sample("topk", "wide", (A((2, 30), kind="distinct"),), {"k": 3, "ret_typ": "value"}),
    Sample(
        "topk",
        "ints",
        (A((2, 5), "int32", "values", values=(3, 1, 2, 9, 7, 5, 4, 0, 8, 6)),),
        {"k": 2, "ret_typ": "value"},
    ),
    Sample("sort", "plain", (ORDER,), {"axis": -1}),
    Sample("sort", "descending", (A((2, 4, 3), kind="distinct"),), {"axis": 1, "is_ascend": False}),
    Sample("sort", "flat", (ORDER,), {"axis": None}, batch=TIED),
    Sample("argsort", "plain", (ORDER,), grad=False),
    Sample(
        "argsort",
        "descending",
        (A((2, 4, 3), kind="distinct"),),
        {"axis": -2, "is_ascend": False, "dtype": "int32"},
        grad=False,
    ),
    Sample("argsort", "flat", (ORDER,), {"axis": None}, grad=False, batch=TIED),
    Sample("SequenceMask", "off", (X,)),
    Sample(
        "SequenceMask",
        "steps_first",
        (A((4, 3, 2)), index(1, 4, 2)),
        {"use_sequence_length": True, "value": -1.5},
        batch=TIED,
    ),
    Sample(
        "SequenceMask",
        "batch_first",
        (A((3, 4)), index(1, 4, 2)),
        {"use_sequence_length": True, "axis": 1},
        batch=(0, 1),
    ),
]
