"""Mean and variance in one operator."""

from .sample import Array, Sample

ROWS = "row_sparse"

SAMPLES = [
    Sample("moments", "rows", (Array((3, 4)),), {"axes": (1,)}),
    Sample("moments", "columns", (Array((3, 4), "float64"),), {"axes": (0,)}, batch=()),
    Sample("moments", "keepdims", (Array((2, 3, 4)),), {"axes": (-1, 1), "keepdims": True}),
    Sample("moments", "all", (Array((2, 3)),), {"axes": (0, 1)}, batch=()),
    Sample("moments", "one", (Array((2, 1, 3)),), {"axes": (1,)}),
    Sample("moments", "float16", (Array((3, 4), "float16"),), {"axes": (1,)}),
    Sample("moments", "ints", (Array((3, 4), "int32", "ints", low=-9, high=9),), {"axes": (1,)}, grad=False),
    Sample("_square_sum", "rows", (Array((3, 4), stype=ROWS),), {"axis": 1}, grad=False),
    Sample("_square_sum", "rows_keepdims", (Array((3, 4), stype=ROWS),), {"axis": 1, "keepdims": True}, grad=False),
    Sample("_square_sum", "columns", (Array((3, 4), stype=ROWS),), {"axis": 0}, grad=False, batch=()),
    Sample(
        "_square_sum",
        "columns_keepdims",
        (Array((3, 4), "float64", stype=ROWS),),
        {"axis": 0, "keepdims": True},
        grad=False,
        batch=(),
    ),
]
