"""Integers of 8 bits for floats: a range of real numbers goes along with each array, as two arrays of one element.

int8 covers `[-range, range]`, uint8 `[0, range]`, int32 `[-range, range]` with 2 ** 31 - 1 steps to each side; the
range is the larger absolute value of the two that are given. Numbers are rounded to the nearest, halves to even, and
kept within the integer's bounds. Operators with a calibrated range take that instead of the data's own.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError, InputTypeError
from gluonnx.ops.attributes import Float32
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/quantization, as its CPU kernels compute"
STEPS = {"int8": 127.0, "uint8": 255.0}
"""Steps from 0 to the end of the range."""
WIDE_STEPS = {"int8": 127.5, "uint8": 255.5}
"""The same for `_contrib_quantize_v2` and `_contrib_dequantize`. Source: MXNet 1.9.1 by experiment."""
INT32_STEPS = float(2**31 - 1)
BOUNDS = {"int8": (-128.0, 127.0), "uint8": (0.0, 255.0)}
TORCH = {"int8": torch.int8, "uint8": torch.uint8}

BYTE_RANGES = {torch.int8: (-WIDE_STEPS["int8"], WIDE_STEPS["int8"]), torch.uint8: (0.0, WIDE_STEPS["uint8"])}
"""Range of data that is of 8 bits already. Source: MXNet 1.9.1 by experiment."""

Byte = Literal["int8", "uint8"]
AutoByte = Literal["auto", "int8", "uint8"]
Triple = tuple[Tensor, Tensor, Tensor]
Values = tuple[Value, Value, Value]


def check_range(name: str, minimum: Tensor, maximum: Tensor) -> None:
    """Raise InputError unless a range is two float32 arrays of one element."""
    for label, value in (("min_range", minimum), ("max_range", maximum)):
        if value.numel() != 1 or value.dtype is not torch.float32:
            raise InputError(
                f"{name}: wrong range: expected one float32, got {label}={tuple(value.shape)} "
                f"{str(value.dtype).removeprefix('torch.')}."
            )


def byte_name(name: str, data: Tensor) -> Byte:
    """Return the dtype of 8-bit data; raises InputTypeError for another."""
    found: Byte | None = {torch.int8: "int8", torch.uint8: "uint8"}.get(data.dtype)  # type: ignore[assignment]
    if found is None:
        raise InputTypeError(
            f"{name}: input `data` has a wrong dtype: expected int8 or uint8, "
            f"got {str(data.dtype).removeprefix('torch.')}."
        )
    return found


def extent(minimum: Tensor, maximum: Tensor) -> Tensor:
    """The larger absolute value, (1,)."""
    return torch.maximum(minimum.abs(), maximum.abs()).reshape(1)


def _to_byte(data: Tensor, factor: Tensor, out_type: Byte) -> Tensor:
    return torch.clamp(torch.round(data * factor), *BOUNDS[out_type]).to(TORCH[out_type])


def _range_of(out_type: Byte, minimum: Tensor, maximum: Tensor) -> tuple[Tensor, Tensor]:
    """The range that goes with the result: both sides alike for int8."""
    if out_type == "uint8":
        return minimum.reshape(1).clone(), maximum.reshape(1).clone()
    top = extent(minimum, maximum)
    return -top, top


def _quantized(data: Tensor, minimum: Tensor, maximum: Tensor, out_type: Byte, steps: Mapping[str, float]) -> Triple:
    low, high = _range_of(out_type, minimum, maximum)
    return _to_byte(data, steps[out_type] / extent(minimum, maximum), out_type), low, high


def _check_float(name: str, data: Tensor) -> None:
    if data.dtype is not torch.float32:
        raise InputTypeError(
            f"{name}: input `data` has a wrong dtype: expected float32, got {str(data.dtype).removeprefix('torch.')}."
        )


def _calibrated(name: str, minimum: float | None, maximum: float | None) -> bool:
    """Whether a range is given."""
    if (minimum is None) != (maximum is None):
        raise AttributeValueError(
            f"{name}: half a range: expected both or neither, got min_calib_range={minimum}, max_calib_range={maximum}."
        )
    return minimum is not None


def _resolved(out_type: AutoByte, minimum: float | None) -> Byte:
    """Return the type that `auto` stands for: unsigned where the calibrated range is."""
    if out_type != "auto":
        return out_type
    return "uint8" if minimum is not None and minimum >= 0.0 else "int8"


@operator("_contrib_quantize", outputs="output min_output max_output", gradient="none", source=SOURCE)
def quantize(data: Tensor, min_range: Tensor, max_range: Tensor, *, out_type: Byte = "uint8") -> Triple:
    """Quantize float32 `data` by a range (1,), (1,); gives the integers and their range."""
    _check_float("_contrib_quantize", data)
    check_range("_contrib_quantize", min_range, max_range)
    return _quantized(data, min_range, max_range, out_type, STEPS)


@operator("_contrib_quantize_v2", outputs="output min_output max_output", gradient="none", source=SOURCE)
def quantize_v2(
    data: Tensor,
    *,
    out_type: AutoByte = "int8",
    min_calib_range: Float32 | None = None,
    max_calib_range: Float32 | None = None,
) -> Triple:
    """Quantize float32 `data` by a calibrated range, or by its least and largest element.

    Data that is of 8 bits already is handed through, its bits as `out_type`, with the calibrated range or that of its
    dtype.

    Raises:
        AttributeValueError: Half a range is given.
        InputTypeError: `data` is neither float32 nor of 8 bits.
    """
    chosen = _resolved(out_type, min_calib_range)
    is_calibrated = _calibrated("_contrib_quantize_v2", min_calib_range, max_calib_range)
    if data.dtype in BYTE_RANGES:
        own = (min_calib_range, max_calib_range) if is_calibrated else BYTE_RANGES[data.dtype]
        low, high = (torch.tensor([end], dtype=torch.float32, device=data.device) for end in own)
        return data.view(TORCH[chosen]).clone(), low, high
    _check_float("_contrib_quantize_v2", data)
    if is_calibrated:
        minimum, maximum = data.new_tensor([min_calib_range]), data.new_tensor([max_calib_range])
    else:
        minimum, maximum = torch.aminmax(data)
    return _quantized(data, minimum, maximum, chosen, WIDE_STEPS)


@operator("_contrib_dequantize", gradient="none", source=SOURCE)
def dequantize(
    data: Tensor, min_range: Tensor, max_range: Tensor, *, out_type: Literal["float32"] = "float32"
) -> Tensor:
    """The float32 numbers that int8 or uint8 `data` with its range (1,), (1,) stands for."""
    check_range("_contrib_dequantize", min_range, max_range)
    steps = WIDE_STEPS[byte_name("_contrib_dequantize", data)]
    return data.to(torch.float32) * (extent(min_range, max_range) / steps)


@operator("_contrib_requantize", outputs="output min_output max_output", gradient="none", source=SOURCE)
def requantize(
    data: Tensor,
    min_range: Tensor,
    max_range: Tensor,
    *,
    out_type: AutoByte = "int8",
    min_calib_range: Float32 | None = None,
    max_calib_range: Float32 | None = None,
) -> Triple:
    """Quantize int32 `data` with its range to 8 bits, by a calibrated range or by its largest number."""
    if data.dtype is not torch.int32:
        raise InputTypeError(
            "_contrib_requantize: input `data` has a wrong dtype: expected int32, "
            f"got {str(data.dtype).removeprefix('torch.')}."
        )
    check_range("_contrib_requantize", min_range, max_range)
    chosen = _resolved(out_type, min_calib_range)
    real = data.to(torch.float32) * (extent(min_range, max_range) / INT32_STEPS)
    if _calibrated("_contrib_requantize", min_calib_range, max_calib_range):
        minimum, maximum = real.new_tensor([min_calib_range]), real.new_tensor([max_calib_range])
    else:
        minimum, maximum = torch.aminmax(real)
    return _quantized(real, minimum, maximum, chosen, STEPS)


def lower_extent(g: GraphBuilder, minimum: Value, maximum: Value) -> Value:
    """The larger absolute value of a range, (1,)."""
    return g.op("Reshape", g.op("Max", g.op("Abs", minimum), g.op("Abs", maximum)), g.ints([1]))


def _lower_quantized(
    g: GraphBuilder, data: Value, minimum: Value, maximum: Value, out_type: Byte, steps: Mapping[str, float]
) -> Values:
    top = lower_extent(g, minimum, maximum)
    factor = g.op("Div", g.scalar(steps[out_type], data), top)
    low, high = (g.scalar(bound, data) for bound in BOUNDS[out_type])
    integers = g.cast(g.op("Clip", g.op("Round", g.op("Mul", data, factor)), low, high), out_type)
    if out_type == "int8":
        return integers, g.op("Neg", top), top
    one = g.ints([1])
    return integers, g.op("Reshape", minimum, one), g.op("Reshape", maximum, one)


def _lower_range(g: GraphBuilder, data: Value, minimum: float | None, maximum: float | None) -> tuple[Value, Value]:
    if minimum is not None and maximum is not None:
        return g.const([minimum], "float32"), g.const([maximum], "float32")
    return g.op("ReduceMin", data, keepdims=0), g.op("ReduceMax", data, keepdims=0)


@quantize.onnx
def _(g: GraphBuilder, data: Value, min_range: Value, max_range: Value, *, out_type: Byte) -> Values:
    return _lower_quantized(g, data, min_range, max_range, out_type, STEPS)


@quantize_v2.onnx
def _(
    g: GraphBuilder,
    data: Value,
    *,
    out_type: AutoByte,
    min_calib_range: float | None,
    max_calib_range: float | None,
) -> Values:
    chosen = _resolved(out_type, min_calib_range)
    if g.dtype(data) in TORCH:
        is_calibrated = min_calib_range is not None and max_calib_range is not None
        own = (min_calib_range, max_calib_range) if is_calibrated else BYTE_RANGES[TORCH[g.dtype(data)]]
        given = g.cast(data, chosen) if g.dtype(data) != chosen else g.op("Identity", data)
        return given, g.const(np.array(own[:1]), "float32"), g.const(np.array(own[1:]), "float32")
    minimum, maximum = _lower_range(g, data, min_calib_range, max_calib_range)
    return _lower_quantized(g, data, minimum, maximum, chosen, WIDE_STEPS)


@dequantize.onnx
def _(g: GraphBuilder, data: Value, min_range: Value, max_range: Value) -> Value:
    top = lower_extent(g, min_range, max_range)
    scale = g.op("Div", top, g.scalar(WIDE_STEPS[g.dtype(data)], top))
    return g.op("Mul", g.cast(data, "float32"), scale)


@requantize.onnx
def _(
    g: GraphBuilder,
    data: Value,
    min_range: Value,
    max_range: Value,
    *,
    out_type: AutoByte,
    min_calib_range: float | None,
    max_calib_range: float | None,
) -> Values:
    top = lower_extent(g, min_range, max_range)
    real = g.op("Mul", g.cast(data, "float32"), g.op("Div", top, g.scalar(INT32_STEPS, top)))
    minimum, maximum = _lower_range(g, real, min_calib_range, max_calib_range)
    return _lower_quantized(g, real, minimum, maximum, _resolved(out_type, min_calib_range), STEPS)


@operator("_contrib_quantized_flatten", outputs="output min_output max_output", gradient="none", source=SOURCE)
def quantized_flatten(data: Tensor, min_data: Tensor, max_data: Tensor) -> Triple:
    """`Flatten` of 8-bit data, (N, ...) to (N, -1); the range stays."""
    byte_name("_contrib_quantized_flatten", data)
    check_range("_contrib_quantized_flatten", min_data, max_data)
    return data.flatten(1).clone(), min_data.clone(), max_data.clone()


@quantized_flatten.onnx
def _(g: GraphBuilder, data: Value, min_data: Value, max_data: Value) -> Values:
    return g.op("Flatten", data, axis=1), g.op("Identity", min_data), g.op("Identity", max_data)


@operator("_contrib_quantized_embedding", outputs="output min_output max_output", gradient="none", source=SOURCE)
def quantized_embedding(
    data: Tensor,
    weight: Tensor,
    min_weight: Tensor,
    max_weight: Tensor,
    *,
    input_dim: int,
    output_dim: int,
    dtype: str = "float32",
    sparse_grad: bool = False,
) -> Triple:
    """Rows of an int8 `weight` (input_dim, output_dim) at the places `data`, cut to the rows there are.

    Raises:
        InputError: `weight` has another shape.
    """
    if tuple(weight.shape) != (input_dim, output_dim):
        raise InputError(
            "_contrib_quantized_embedding: wrong shape of weight: expected "
            f"({input_dim}, {output_dim}), got weight={tuple(weight.shape)}."
        )
    byte_name("_contrib_quantized_embedding", weight)
    check_range("_contrib_quantized_embedding", min_weight, max_weight)
    rows = data.to(torch.int64).clamp(0, input_dim - 1)
    return F.embedding(rows, weight), min_weight.clone(), max_weight.clone()


@quantized_embedding.onnx
def _(g: GraphBuilder, data: Value, weight: Value, min_weight: Value, max_weight: Value, *, input_dim: int) -> Values:
    rows = g.op("Clip", g.cast(data, "int64"), g.const(0, "int64"), g.const(input_dim - 1, "int64"))
    return g.op("Gather", weight, rows, axis=0), g.op("Identity", min_weight), g.op("Identity", max_weight)
