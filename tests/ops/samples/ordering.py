"""Order and selection in every mode and dtype, and the operators that take sizes from another array, on every axis."""

from .sample import Array, Sample

A = Array
TIED = ()
LINE = (3, 1, 2, 9, 7, 5, 4, 0, 8, 6)


def index(*values, shape=None, dtype="float32"):
    return A(shape or (len(values),), dtype, "values", values=values, grad=False)


def _orders():
    cube = A((2, 3, 5), kind="distinct")
    for ret_typ in ("value", "indices", "mask", "both"):
        for is_ascend in (False, True):
            attrs = {"k": 2, "ret_typ": ret_typ, "is_ascend": is_ascend, "axis": 1}
            ident = "middle_" + ret_typ + "_ascending" * is_ascend
            yield Sample("topk", ident, (cube,), attrs, grad=ret_typ == "value")
        attrs = {"k": 0, "ret_typ": ret_typ, "axis": -1}
        yield Sample("topk", ret_typ + "_all", (cube,), attrs, grad=ret_typ == "value")
    for dtype in ("uint8", "int32", "int64", "float16", "float32", "float64"):
        yield Sample("topk", "as_" + dtype, (cube,), {"k": 3, "axis": -1, "dtype": dtype}, grad=False)
        yield Sample("argsort", "as_" + dtype, (cube,), {"axis": 0, "dtype": dtype}, grad=False, batch=TIED)
    for dtype in ("uint8", "int32", "int64", "float64"):
        data = A((2, 5), dtype, "values", values=LINE)
        attrs = {"k": 2, "ret_typ": "both", "dtype": "int32"}
        yield Sample("topk", "of_" + dtype, (data,), attrs, grad=False)
        yield Sample("topk", "mask_of_" + dtype, (data,), {"k": 2, "ret_typ": "mask"}, grad=False)
        yield Sample("sort", "of_" + dtype, (data,), {"axis": -1, "is_ascend": False})
        yield Sample("argsort", "of_" + dtype, (data,), grad=False)
    yield Sample("topk", "one", (A((1, 1)),), {"ret_typ": "value", "axis": 0}, batch=TIED)
    yield Sample("sort", "first_axis", (cube,), {"axis": 0}, batch=TIED)
    yield Sample("sort", "one", (A((1,)),), {"axis": 0}, batch=TIED)
    yield Sample("argsort", "negative", (cube,), {"axis": -2, "is_ascend": True}, grad=False)


def _selections():
    data = A((3, 2, 4))
    out = (5, -2, 1, 0, 3, 9)
    for mode in ("clip", "wrap"):
        for axis, shape in ((0, (2, 4)), (1, (3, 4)), (-1, (3, 2))):
            size = shape[0] * shape[1]
            places = index(*(out * 2)[:size], shape=shape)
            batch = TIED if axis == 0 else (0, 1)
            yield Sample("pick", "%s_%d" % (mode, axis), (data, places), {"axis": axis, "mode": mode}, batch=batch)
            attrs = {"axis": axis, "mode": mode, "keepdims": True}
            yield Sample("pick", "%s_%d_kept" % (mode, axis), (data, places), attrs, batch=batch)
            batch = TIED if axis == 0 else (0,)
            take = (data, index(*out, shape=(2, 3)))
            yield Sample("take", "%s_%d" % (mode, axis), take, {"axis": axis, "mode": mode}, batch=batch)
    for dtype in ("uint8", "int32", "int64", "float16", "float64"):
        yield Sample("take", "by_" + dtype, (A((4, 2)), index(0, 3, 1, dtype=dtype)), batch=(1,))
        yield Sample("take", "of_" + dtype, (A((4, 2), dtype, "ints"), index(0, 3)), batch=(1,))
        yield Sample(
            "gather_nd", "of_" + dtype, (A((4, 2), dtype, "ints"), index(0, 3, 1, 0, shape=(2, 2))), batch=TIED
        )
        yield Sample("SequenceMask", "of_" + dtype, (A((3, 2), dtype, "ints"),))
    yield Sample("take", "point", (A((4, 2)), index(2)), batch=(1,))
    yield Sample("gather_nd", "rows", (A((4, 2, 3)), index(0, 3, 3, shape=(1, 3))), batch=TIED)
    yield Sample("batch_take", "float64", (A((2, 3), "float64"), index(0, 2, dtype="int32")), grad=False, batch=(0, 1))
    attrs = {"use_sequence_length": True}
    yield Sample("SequenceMask", "zero_length", (A((3, 2)), index(0, 3)), attrs, batch=TIED)
    yield Sample("SequenceMask", "deep", (A((2, 3, 1, 2)), index(2, 0)), dict(attrs, axis=1, value=7.5), batch=(0, 1))


def _shapes():
    reshapes = (
        ("split", (2, 12, 3), (0, -4, 3, -1, -2), False),
        ("split_first", (12, 3), (-4, 3, 4, 0), False),
        ("merge", (2, 3, 4, 5), (0, -3, -1), False),
        ("merge_twice", (2, 3, 4, 5), (-3, -3), False),
        ("rest", (2, 3, 4), (0, -2), False),
        ("reversed", (2, 3, 5, 4), (-1, 0, 0), True),
        ("reversed_merge", (2, 3, 4, 5), (-3, -3), True),
        ("reversed_rest", (2, 3, 5, 6), (-2, 1, 30), True),
        ("reversed_split", (1, 2, 3, 8), (-2, -1, 4, -4), True),
    )
    for ident, shape, codes, reverse in reshapes:
        # Codes that put the batch axis among others fix its size.
        batch = (0,) if codes[0] == 0 and not reverse else TIED
        yield Sample("Reshape", "code_" + ident, (A(shape),), {"shape": codes, "reverse": reverse}, batch=batch)
    cube = A((3, 4, 5))
    for k in (-1, 0, 2):
        for axis1, axis2 in ((0, 1), (1, 2), (2, 0), (-1, -3)):
            batch = (0,) if (axis1, axis2) == (1, 2) else TIED
            ident = "k%d_%d_%d" % (k, axis1, axis2)
            yield Sample("diag", ident, (cube,), {"k": k, "axis1": axis1, "axis2": axis2}, batch=batch)
    yield Sample("slice_like", "several", (cube, A((9, 2, 3))), {"axes": (1, -1)}, batch=(0,))
    yield Sample("slice_like", "other_rank", (cube, A((9, 2))), {"axes": (1,)}, batch=(0,))
    yield Sample(
        "reshape_like",
        "negative_ends",
        (A((2, 12)), A((5, 3, 4))),
        {"lhs_begin": -1, "lhs_end": None, "rhs_begin": -2, "rhs_end": None},
        batch=(0,),
    )
    yield Sample(
        "broadcast_like", "several", (A((2, 1, 1)), A((9, 4, 3))), {"lhs_axes": (1, 2), "rhs_axes": (-2, 2)}, batch=(0,)
    )
    yield Sample("broadcast_like", "int32", (A((1, 2), "int32", "ints"), A((3, 2), "int32", "ints")), batch=(1,))


SAMPLES = [*_orders(), *_selections(), *_shapes()]
