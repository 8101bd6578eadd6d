"""Quantization to 8 bits and back."""

from .sample import Array, Sample


def _number(value):
    return Array((1,), "float32", "values", values=(value,))


def _bytes(shape, dtype):
    return Array(shape, dtype, "ints", low=-128 if dtype == "int8" else 0, high=128 if dtype == "int8" else 256)


_LARGE = Array((3, 4), "int32", "ints", low=-(10**9), high=10**9)


def _sample(op, id_, inputs, attrs=None, **kwargs):
    return Sample(op, id_, tuple(inputs), attrs or {}, grad=False, **kwargs)


def _range(low, high):
    return [_number(low), _number(high)]


SAMPLES = [
    _sample("_contrib_quantize", "uint8", [Array((3, 4)), *_range(-1.0, 2.0)]),
    _sample("_contrib_quantize", "uint8_positive", [Array((3, 4), kind="positive"), *_range(0.0, 1.5)]),
    _sample("_contrib_quantize", "int8", [Array((3, 4)), *_range(-0.75, 0.5)], {"out_type": "int8"}),
    _sample("_contrib_quantize", "one", [Array((1,)), *_range(-3.0, 3.0)], {"out_type": "int8"}),
    _sample("_contrib_quantize_v2", "int8", [Array((3, 4))], batch=()),
    _sample("_contrib_quantize_v2", "uint8", [Array((3, 4), kind="positive")], {"out_type": "uint8"}, batch=()),
    _sample("_contrib_quantize_v2", "calibrated", [Array((3, 4))], {"min_calib_range": -0.5, "max_calib_range": 1.0}),
    _sample(
        "_contrib_quantize_v2",
        "auto",
        [Array((3, 4), kind="positive")],
        {"out_type": "auto", "min_calib_range": 0.0, "max_calib_range": 1.5},
    ),
    _sample(
        "_contrib_quantize_v2",
        "auto_signed",
        [Array((3, 4))],
        {"out_type": "auto", "min_calib_range": -1.0, "max_calib_range": 1.5},
    ),
    _sample("_contrib_quantize_v2", "of_int8", [_bytes((3, 4), "int8")]),
    _sample("_contrib_quantize_v2", "of_uint8", [_bytes((3, 4), "uint8")], {"out_type": "uint8"}),
    _sample(
        "_contrib_quantize_v2",
        "of_int8_calibrated",
        [_bytes((3, 4), "int8")],
        {"min_calib_range": -0.5, "max_calib_range": 1.0},
    ),
    _sample("_contrib_dequantize", "int8", [_bytes((3, 4), "int8"), *_range(-1.0, 2.0)]),
    _sample("_contrib_dequantize", "uint8", [_bytes((3, 4), "uint8"), *_range(0.0, 2.0)]),
    _sample("_contrib_requantize", "plain", [_LARGE, *_range(-100.0, 200.0)], batch=()),
    _sample(
        "_contrib_requantize",
        "calibrated",
        [_LARGE, *_range(-100.0, 100.0)],
        {"min_calib_range": -10.0, "max_calib_range": 20.0},
    ),
    _sample(
        "_contrib_requantize",
        "uint8",
        [_LARGE, *_range(-100.0, 100.0)],
        {"out_type": "uint8", "min_calib_range": 0.0, "max_calib_range": 20.0},
    ),
    _sample(
        "_contrib_requantize",
        "auto",
        [_LARGE, *_range(-100.0, 100.0)],
        {"out_type": "auto", "min_calib_range": 0.0, "max_calib_range": 20.0},
    ),
    _sample("_contrib_quantized_flatten", "uint8", [_bytes((2, 2, 3), "uint8"), *_range(0.0, 1.0)]),
    _sample("_contrib_quantized_flatten", "int8", [_bytes((2, 3, 1, 2), "int8"), *_range(-1.0, 1.0)]),
    _sample(
        "_contrib_quantized_embedding",
        "plain",
        [Array((2, 3), "float32", "ints", high=4), _bytes((4, 5), "int8"), *_range(-1.0, 1.0)],
        {"input_dim": 4, "output_dim": 5},
    ),
    _sample("_contrib_quantized_act", "int8", [_bytes((3, 4), "int8"), *_range(-1.0, 1.0)], {"act_type": "relu"}),
    _sample(
        "_contrib_quantized_pooling",
        "max",
        [_bytes((2, 3, 5, 5), "uint8"), *_range(0.0, 1.0)],
        {"kernel": (2, 2), "stride": (2, 2)},
    ),
    _sample(
        "_contrib_quantized_pooling",
        "avg",
        [_bytes((2, 3, 5, 5), "int8"), *_range(-1.0, 1.0)],
        {"kernel": (3, 3), "stride": (2, 2), "pool_type": "avg"},
    ),
    _sample(
        "_contrib_quantized_pooling",
        "global",
        [_bytes((2, 3, 5, 5), "uint8"), *_range(0.0, 1.0)],
        {"kernel": (1, 1), "global_pool": True, "pool_type": "avg"},
    ),
    _sample(
        "_contrib_quantized_fully_connected",
        "no_bias",
        [_bytes((2, 8), "int8"), _bytes((3, 8), "int8"), *_range(-1.0, 1.0), *_range(-2.0, 2.0)],
        {"num_hidden": 3, "no_bias": True},
    ),
    _sample(
        "_contrib_quantized_fully_connected",
        "bias",
        [
            _bytes((2, 4, 2), "uint8"),
            _bytes((3, 8), "int8"),
            _bytes((3,), "int8"),
            *_range(0.0, 1.5),
            *_range(-2.0, 2.0),
            *_range(-1.0, 0.7),
        ],
        {"num_hidden": 3},
    ),
    _sample(
        "_contrib_quantized_conv",
        "no_bias",
        [
            _bytes((2, 2, 5, 5), "uint8"),
            Array((3, 2, 3, 3), "int8", "ints", low=-60, high=60),
            *_range(0.0, 1.0),
            *_range(-2.0, 2.0),
        ],
        {"kernel": (3, 3), "num_filter": 3, "no_bias": True, "pad": (1, 1)},
    ),
    _sample(
        "_contrib_quantized_conv",
        "bias",
        [
            _bytes((2, 4, 5, 5), "uint8"),
            Array((4, 4, 3, 3), "int8", "ints", low=-60, high=60),
            _bytes((4,), "int8"),
            *_range(0.0, 1.0),
            *_range(-2.0, 2.0),
            *_range(-1.0, 1.0),
        ],
        {"kernel": (3, 3), "num_filter": 4, "stride": (2, 2), "pad": (1, 1)},
    ),
]
