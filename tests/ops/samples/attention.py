"""Attention with interleaved projections, and its neighbours."""

from .sample import Array, Sample

A = Array
X = A((2, 3, 4))
ALONG = "_contrib_arange_like"
SELF_QK = "_contrib_interleaved_matmul_selfatt_qk"
SELF_VALUES = "_contrib_interleaved_matmul_selfatt_valatt"
CROSS_QK = "_contrib_interleaved_matmul_encdec_qk"
CROSS_VALUES = "_contrib_interleaved_matmul_encdec_valatt"

SAMPLES = [
    Sample(SELF_QK, "plain", (A((3, 2, 12)),), {"heads": 2}),
    Sample(SELF_QK, "one_head", (A((4, 1, 9)),), {"heads": 1}),
    Sample(SELF_QK, "one_step", (A((1, 2, 6)),), {"heads": 2}),
    Sample(SELF_VALUES, "plain", (A((3, 2, 12)), A((4, 3, 3))), {"heads": 2}, batch=()),
    Sample(SELF_VALUES, "one_head", (A((4, 1, 9)), A((1, 4, 4))), {"heads": 1}, batch=()),
    Sample(CROSS_QK, "plain", (A((2, 2, 6)), A((3, 2, 12))), {"heads": 2}),
    Sample(CROSS_QK, "one_head", (A((1, 3, 4)), A((2, 3, 8))), {"heads": 1}, batch=(1,)),
    Sample(CROSS_VALUES, "plain", (A((3, 2, 12)), A((4, 2, 3))), {"heads": 2}, batch=()),
    Sample(CROSS_VALUES, "one_head", (A((2, 3, 8)), A((3, 1, 2))), {"heads": 1}, batch=()),
    Sample("_contrib_div_sqrt_dim", "plain", (X,)),
    Sample("_contrib_div_sqrt_dim", "vector", (A((3,)),), batch=()),
    Sample("_contrib_div_sqrt_dim", "float64", (A((2, 5), "float64"),)),
    Sample("_contrib_div_sqrt_dim", "float16", (A((2, 5), "float16"),)),
    Sample("_contrib_div_sqrt_dim", "int32", (A((2, 4), "int32", "ints", low=-9),)),
    Sample("_contrib_div_sqrt_dim", "int64", (A((3, 5), "int64", "ints", low=-9),)),
    Sample("_contrib_div_sqrt_dim", "uint8", (A((2, 9), "uint8", "ints", high=200),)),
    Sample(ALONG, "whole", (X,)),
    Sample(ALONG, "axis", (X,), {"axis": 1, "start": 0.5, "step": 1.5}),
    Sample(ALONG, "batch_axis", (X,), {"axis": 0, "start": -2.0}),
    Sample(ALONG, "negative_axis", (X,), {"axis": -1, "step": -0.25}),
    Sample(ALONG, "repeat", (X,), {"repeat": 5}),
    Sample(ALONG, "repeat_axis", (X,), {"repeat": 2, "axis": 2, "step": 3.0}),
    Sample(ALONG, "one", (A((1,)),), {"start": 7.0}, batch=()),
    Sample(ALONG, "float64", (A((2, 3), "float64"),), {"start": 0.1, "step": 0.1}),
    Sample(ALONG, "float16", (A((2, 3), "float16"),), {"axis": 1, "start": 0.5, "step": 1.5}),
    Sample(ALONG, "int32", (A((2, 3), "int32", "ints"),), {"axis": 1, "start": -1.5, "step": -1.75}),
    Sample(ALONG, "uint8", (A((1, 3), "uint8", "ints"),), {"axis": 1, "start": 250, "step": 3}),
]
