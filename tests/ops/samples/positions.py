"""Operators about where elements lie."""

from .sample import Array, Sample

A = Array
X = A((2, 3, 4))
PLACES = "_contrib_index_array"
MASK = "_contrib_boolean_mask"
NAN, INFINITY = float("nan"), float("inf")


def index(*values, shape=None, dtype="float32"):
    return A(shape or (len(values),), dtype, "values", values=values, grad=False)


NUMBERS = index(0.5, 1.5, 2.5, 2.5, 9, -1, 0, 3, 1)
CLOSE = index(1, 2, 3, 4)
MULTI = (3, 6, 6, 4, 5, 1)


def _dtypes():
    for dtype in ("float64", "float16", "int32", "int64", "uint8"):
        yield Sample(
            "_ravel_multi_index", dtype, (index(*MULTI, shape=(2, 3), dtype=dtype),), {"shape": (7, 6)}, batch=()
        )
        yield Sample("_unravel_index", dtype, (index(22, 41, 37, dtype=dtype),), {"shape": (7, 6)})
        yield Sample("cumsum", dtype, (A((2, 3), dtype, "ints", high=90),), {"axis": 1}, derivative="whole numbers")
        yield Sample("_split_v2", dtype, (A((2, 4), dtype, "ints"),), {"indices": (0, 3)})
        yield Sample(MASK, dtype, (A((3, 2), dtype, "ints"), index(1, 0, 1, dtype=dtype)), batch=(0, 1))
        given = (index(1, 2, 3, 3, 5, dtype=dtype), index(0, 2, 3, 4, dtype=dtype))
        yield Sample("_histogram", dtype, given, batch=(0,))
        even = {"bin_cnt": 3, "range": (0.0, 5.0)}
        yield Sample("_histogram", "even_" + dtype, given[:1], even)
        yield Sample(
            "_contrib_allclose", dtype, (index(1, 2, 3, dtype=dtype), index(1, 2, 3, dtype=dtype)), batch=(0, 1)
        )


SAMPLES = [
    Sample(PLACES, "plain", (X,)),
    Sample(PLACES, "vector", (A((3,)),)),
    Sample(PLACES, "one", (A((1, 1), "int32", "ints"),)),
    Sample(PLACES, "axis", (X,), {"axes": (1,)}),
    Sample(PLACES, "axes", (X,), {"axes": (-1, 0, 2)}),
    Sample(PLACES, "no_axes", (X,), {"axes": ()}),
    Sample("_ravel_multi_index", "plain", (index(*MULTI, shape=(2, 3)),), {"shape": (7, 6)}, batch=()),
    Sample("_ravel_multi_index", "open", (index(*MULTI, shape=(2, 3)),), {"shape": (-1, 6)}, batch=()),
    Sample("_ravel_multi_index", "fractions", (index(1.7, 2.2, 0.9, shape=(3, 1)),), {"shape": (2, 3, 4)}, batch=()),
    Sample("_ravel_multi_index", "outside", (index(-1, 9, shape=(2, 1)),), {"shape": (7, 6)}, batch=()),
    Sample("_unravel_index", "plain", (index(22, 41, 37),), {"shape": (7, 6)}),
    Sample("_unravel_index", "three", (index(22.7, 0, 23),), {"shape": (2, 3, 4)}),
    Sample("_unravel_index", "open", (index(22, 41),), {"shape": (-1, 6)}),
    Sample("_unravel_index", "outside", (index(100, -1),), {"shape": (7, 6)}),
    Sample("_unravel_index", "vector", (index(3),), {"shape": (5,)}),
    Sample(MASK, "plain", (A((3, 2)), index(0, 1, 1)), batch=(0, 1)),
    Sample(MASK, "none", (A((2, 3)), index(0, 0)), batch=(0, 1)),
    Sample(MASK, "all", (A((2,)), index(-1, 0.5)), batch=(0, 1)),
    Sample(MASK, "bool", (A((3, 1, 2)), index(1, 0, 1, dtype="bool")), batch=(0, 1)),
    Sample("cumsum", "flat", (X,), batch=()),
    Sample("cumsum", "first", (X,), {"axis": 0}),
    Sample("cumsum", "last", (X,), {"axis": 2}),
    Sample("cumsum", "one", (A((1,)),)),
    Sample("cumsum", "bool", (index(1, 0, 1, 1, shape=(2, 2), dtype="bool"),), {"axis": 0}),
    Sample("cumsum", "int8", (A((2, 3), "int8", "ints", high=90),)),
    Sample("cumsum", "to_float64", (A((2, 3)),), {"axis": 1, "dtype": "float64"}),
    Sample("cumsum", "to_int32", (index(0.7, 1.7, -1.7, 2.5),), {"dtype": "int32"}),
    Sample("cumsum", "to_float16", (A((2, 3), "int64", "ints"),), {"axis": 1, "dtype": "float16"}),
    Sample("_split_v2", "indices", (A((2, 6)),), {"indices": (0, 1, 3)}),
    Sample("_split_v2", "one_part", (A((2, 6)),), {"indices": (0,)}),
    Sample("_split_v2", "empty_part", (A((2, 3, 4)),), {"indices": (0, 2, 2), "axis": -1}, grad=False),
    Sample("_split_v2", "rows", (A((4, 2)),), {"indices": (0, 1), "axis": 0}),
    Sample("_split_v2", "sections", (A((2, 6)),), {"indices": (), "sections": 3}),
    Sample("_split_v2", "one_section", (A((2, 6)),), {"indices": (), "sections": 1, "axis": 0}),
    Sample("_split_v2", "squeezed", (A((2, 3, 2)),), {"indices": (), "sections": 3, "squeeze_axis": True}),
    Sample("_split_v2", "squeezed_indices", (A((2, 2)),), {"indices": (0, 1), "axis": -1, "squeeze_axis": True}),
    Sample("_histogram", "bins", (NUMBERS, index(0, 1, 2.5, 3)), batch=(0,)),
    Sample("_histogram", "two_axes", (A((4, 5), grad=False), index(-1, 0, 0.1)), batch=(0,)),
    Sample("_histogram", "even", (NUMBERS,), {"bin_cnt": 3, "range": (0.0, 3.0)}),
    Sample("_histogram", "many", (A((20,), grad=False),), {"bin_cnt": 7, "range": (-1.1, 1.3)}),
    Sample("_histogram", "one_bin", (NUMBERS,), {"bin_cnt": 1, "range": (0.0, 1.0)}),
    Sample("_histogram", "point", (NUMBERS,), {"bin_cnt": 3, "range": (1.0, 1.0)}),
    Sample("_histogram", "strange", (index(0, NAN, INFINITY, -INFINITY, 1),), {"bin_cnt": 2, "range": (0.0, 1.0)}),
    Sample("_contrib_allclose", "near", (CLOSE, index(1, 2, 3, 4.00001)), batch=(0, 1)),
    Sample("_contrib_allclose", "far", (CLOSE, index(1, 2, 3, 4.1)), batch=(0, 1)),
    Sample("_contrib_allclose", "relative", (CLOSE, index(1, 2, 3, 4.1)), {"rtol": 0.1, "atol": 0.0}, batch=(0, 1)),
    Sample("_contrib_allclose", "absolute", (CLOSE, index(1, 2, 3, 4.1)), {"rtol": 0.0, "atol": 0.2}, batch=(0, 1)),
    Sample("_contrib_allclose", "nan", (index(1, NAN), index(1, NAN)), batch=(0, 1)),
    Sample("_contrib_allclose", "nan_differs", (index(1, NAN), index(1, NAN)), {"equal_nan": False}, batch=(0, 1)),
    Sample("_contrib_allclose", "one_nan", (index(1, NAN), index(1, 2)), batch=(0, 1)),
    Sample("_contrib_allclose", "infinite", (index(INFINITY, 1), index(INFINITY, 1)), batch=(0, 1)),
    Sample("_contrib_allclose", "opposite", (index(INFINITY, 1), index(-INFINITY, 1)), batch=(0, 1)),
    *_dtypes(),
]
