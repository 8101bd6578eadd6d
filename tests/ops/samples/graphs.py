"""Operators on graphs."""

from .sample import Array, Sample


def _graph(dtype):
    values = (0, 1, 2, 0, 3, 0, 4, 0, 5, 6, 0, 0, 0, 0, 0, 7)
    return Array((4, 4), dtype, "values", values=values, grad=False, stype="csr")


def _ends(*values, dtype="float32"):
    return Array((len(values),), dtype, "values", values=values, grad=False)


SAMPLES = [
    Sample("_contrib_edge_id", "plain", (_graph("float32"), _ends(0, 1, 2, 3), _ends(1, 1, 0, 3)), batch=(1, 2)),
    Sample(
        "_contrib_edge_id",
        "int64",
        (_graph("int64"), _ends(3, 1, dtype="int64"), _ends(3, 2, dtype="int64")),
        batch=(1, 2),
    ),
    Sample("_contrib_edge_id", "one", (_graph("float64"), _ends(0), _ends(0)), batch=(1, 2)),
    Sample("_contrib_dgl_adjacency", "plain", (_graph("int64"),)),
]
