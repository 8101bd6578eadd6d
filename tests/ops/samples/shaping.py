"""Operators that move, join, cut, repeat or pad elements."""

from .sample import Array, Sample

A = Array
X = A((2, 3, 4))
TIED = ()  # the sizes in the attributes tie the batch size down


def reshape(id, shape, data=X, batch=(0,), **attrs):
    return Sample("Reshape", id, (data,), dict(shape=shape, **attrs), batch=batch)


SAMPLES = [
    Sample("Flatten", "plain", (A((2, 3, 4)),)),
    Sample("Flatten", "matrix", (A((2, 3)),)),
    Sample("Flatten", "vector", (A((3,)),)),
    Sample("Flatten", "ints", (A((1, 1, 2), "int32", "ints"),)),
    reshape("fixed", (4, 6), batch=TIED),
    reshape("infer", (-1, 12)),
    reshape("infer_all", (-1,)),
    reshape("copy", (0, -1)),
    reshape("copy_two", (0, 0, 2, -1)),
    reshape("copy_later", (-1, 0), batch=TIED),
    reshape("rest", (-2,)),
    reshape("rest_one", (0, 1, -2), data=A((2, 1, 4))),
    reshape("merge", (0, -3)),
    reshape("merge_batch", (-3, 4)),
    reshape("merge_batch_infer", (-3, -1)),
    reshape("merge_batch_split", (-3, -4, 2, -1)),
    reshape("split_batch", (-4, -1, 1, -2)),
    reshape("split", (0, -4, 3, 1, 0)),
    reshape("split_last", (0, 0, -4, -1, 2)),
    reshape("one_in_front", (1, 0, -1)),
    reshape("reverse", (-1, 0), reverse=True),
    reshape("reverse_copy", (0, -1), reverse=True, batch=TIED),
    reshape("reverse_merge", (0, -3), reverse=True),
    reshape("ints", (-1, 2), data=A((2, 4), "int64", "ints")),
    reshape("float16", (0, -1), data=A((2, 2, 2), "float16")),
    Sample("Reshape", "target", (X,), {"target_shape": (0, 12)}),
    Sample("Reshape", "target_keep", (X,), {"target_shape": (7, 0), "keep_highest": True}),
    Sample("reshape_like", "all", (A((2, 6)), A((2, 3, 2))), batch=(0, 1)),
    Sample(
        "reshape_like", "part", (A((2, 12)), A((3, 4))), {"lhs_begin": 1, "lhs_end": 2, "rhs_begin": 0, "rhs_end": 2}
    ),
    Sample(
        "reshape_like",
        "negative",
        (X, A((6, 4))),
        {"lhs_begin": 0, "lhs_end": -1, "rhs_begin": -2, "rhs_end": 1},
        batch=TIED,
    ),
    Sample("shape_array", "plain", (X,), grad=False),
    Sample("size_array", "plain", (X,), grad=False),
    Sample("transpose", "reverse", (X,), batch=(0,)),
    Sample("transpose", "axes", (X,), {"axes": (0, 2, 1)}),
    Sample("transpose", "ints", (A((2, 3), "int32", "ints"),)),
    Sample("expand_dims", "front", (X,), {"axis": 0}),
    Sample("expand_dims", "back", (X,), {"axis": -1}),
    Sample("expand_dims", "middle", (X,), {"axis": -3}),
    Sample("squeeze", "all", (A((2, 1, 3, 1)),)),
    Sample("squeeze", "one", (A((2, 1, 3, 1)),), {"axis": -1}),
    Sample("squeeze", "two", (A((2, 1, 3, 1)),), {"axis": (1, 3)}),
    Sample("squeeze", "everything", (A((1, 1)),), batch=TIED),
    Sample("squeeze", "nothing", (A((2, 3)),)),
    Sample("SwapAxis", "plain", (X,), {"dim1": 0, "dim2": 2}),
    Sample("SwapAxis", "negative", (X,), {"dim1": -1, "dim2": 1}),
    Sample("SwapAxis", "none", (X,)),
    Sample("Concat", "default", (A((2, 3)), A((2, 1))), batch=(0, 1)),
    Sample("Concat", "last", (A((2, 3, 1)), A((2, 3, 4)), A((2, 3, 2))), {"dim": -1}, batch=(0, 1, 2)),
    Sample("Concat", "front", (A((2, 3)), A((1, 3))), {"dim": 0}, batch=(0, 1)),
    Sample("Concat", "single", (A((2, 3)),)),
    Sample("Concat", "ints", (A((2, 3), "int32", "ints"), A((2, 2), "int32", "ints")), batch=(0, 1)),
    Sample("stack", "front", (A((2, 3)), A((2, 3))), batch=(0, 1)),
    Sample("stack", "last", (A((2, 3)), A((2, 3)), A((2, 3))), {"axis": -1}, batch=(0, 1, 2)),
    Sample("SliceChannel", "plain", (A((2, 4, 3)),), {"num_outputs": 2}),
    Sample("SliceChannel", "negative", (A((2, 4, 3)),), {"num_outputs": 3, "axis": -1}),
    Sample("SliceChannel", "squeeze", (A((2, 3, 2)),), {"num_outputs": 3, "squeeze_axis": True}),
    Sample("SliceChannel", "single", (A((2, 3, 2)),), {"num_outputs": 1}),
    Sample("slice", "plain", (X,), {"begin": (0, 1), "end": (1, 3)}),
    Sample("slice", "open", (X,), {"begin": (None, 1), "end": (None, -1)}),
    Sample("slice", "clipped", (X,), {"begin": (0, 1), "end": (9, 9)}),
    Sample("slice", "step", (A((2, 5, 4)),), {"begin": (None, 0, 1), "end": (None, 5, None), "step": (None, 2, 2)}),
    Sample("slice", "backward", (X,), {"begin": (None, 2, 3), "end": (None, 0, 0), "step": (1, -1, -2)}),
    Sample("slice", "backward_open", (X,), {"begin": (None, None), "end": (None, None), "step": (None, -1)}),
    Sample("slice_axis", "plain", (X,), {"axis": 1, "begin": 1, "end": 3}),
    Sample("slice_axis", "open", (X,), {"axis": -1, "begin": -3, "end": None}),
    Sample("slice_axis", "negative", (X,), {"axis": 2, "begin": 0, "end": -1}),
    Sample("slice_axis", "batch", (X,), {"axis": 0, "begin": 1, "end": None}),
    Sample("slice_like", "all", (X, A((1, 2, 2))), batch=TIED),
    Sample("slice_like", "axes", (X, A((2, 2))), {"axes": (1,)}, batch=(0, 1)),
    Sample("slice_like", "negative", (X, A((5, 7, 2))), {"axes": (-1,)}, batch=(0,)),
    Sample("tile", "plain", (A((2, 3)),), {"reps": (1, 2)}),
    Sample("tile", "short", (X,), {"reps": (2,)}),
    Sample("tile", "long", (A((2, 3)),), {"reps": (2, 1, 2)}),
    Sample("repeat", "axis", (X,), {"repeats": 2, "axis": 1}),
    Sample("repeat", "negative", (X,), {"repeats": 3, "axis": -1}),
    Sample("repeat", "flat", (A((2, 3)),), {"repeats": 2}),
    Sample("repeat", "batch", (A((2, 3)),), {"repeats": 2, "axis": 0}),
    Sample("reverse", "one", (X,), {"axis": 1}),
    Sample("reverse", "two", (X,), {"axis": (0, 2)}),
    Sample("broadcast_to", "plain", (A((2, 1, 3)),), {"shape": (0, 4, 0)}),
    Sample("broadcast_to", "batch", (A((1, 3)),), {"shape": (5, 3)}, batch=TIED),
    Sample("broadcast_axis", "two", (A((2, 1, 1)),), {"axis": (1, 2), "size": (4, 3)}),
    Sample("broadcast_axis", "one", (A((2, 1, 3)),), {"axis": 1, "size": 2}),
    Sample("broadcast_like", "all", (A((2, 1)), A((2, 3))), batch=(0, 1)),
    Sample("broadcast_like", "axes", (A((2, 1)), A((5, 3))), {"lhs_axes": (1,), "rhs_axes": (-1,)}, batch=(0,)),
    Sample("depth_to_space", "plain", (A((2, 8, 2, 3)),), {"block_size": 2}),
    Sample("space_to_depth", "plain", (A((2, 2, 4, 6)),), {"block_size": 2}),
    Sample("diag", "matrix", (A((3, 4)),), batch=TIED),
    Sample("diag", "above", (X,), {"k": 1, "axis1": 1, "axis2": 2}),
    Sample("diag", "negative_axes", (X,), {"k": -1, "axis1": -2, "axis2": -1}),
    Sample("diag", "vector", (A((3,)),), {"k": -1}, batch=TIED),
    Sample("diag", "vector_main", (A((3,)),), batch=TIED),
]
for mode in ("constant", "edge", "reflect"):
    SAMPLES += [
        Sample("Pad", mode, (A((2, 2, 3, 4)),), {"mode": mode, "pad_width": (0, 0, 0, 0, 1, 2, 2, 1)}),
        Sample(
            "Pad", mode + "_volume", (A((1, 1, 3, 2, 3)),), {"mode": mode, "pad_width": (0, 0, 0, 0, 1, 1, 0, 1, 2, 0)}
        ),
    ]
SAMPLES += [
    Sample(
        "Pad",
        "value",
        (A((1, 1, 2, 2)),),
        {"mode": "constant", "pad_width": (0, 0, 0, 0, 1, 0, 0, 1), "constant_value": 1.5},
    ),
    Sample("Pad", "none", (A((1, 1, 2, 2)),), {"mode": "edge", "pad_width": (0,) * 8}),
]
