"""ONNX operators of quantized networks, and products of integers."""

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.foreign.neural import matmul_integer
from gluonnx.ops.foreign.table import dtype_of, onnx_operator
from gluonnx.ops.foreign.windows import conv


def _per_axis(parameter: Tensor, data: Tensor, axis: int, block_size: int) -> Tensor:
    """A scale or zero point in a shape that broadcasts to the data."""
    if parameter.dim() == 0 or (parameter.numel() == 1 and parameter.dim() == 1):
        return parameter.reshape(())
    place = axis % data.dim()
    if parameter.dim() == 1 and not block_size:
        shape = [1] * data.dim()
        shape[place] = -1
        return parameter.reshape(shape)
    length = data.shape[place]
    size = block_size or -(-length // parameter.shape[place])
    return parameter.repeat_interleave(size, place).narrow(place, 0, length)


def _limits(dtype: torch.dtype) -> tuple[int, int]:
    if dtype.is_floating_point:
        raise InputError(f"QuantizeLinear: not supported: expected an integer type, got {dtype}.")
    info = torch.iinfo(dtype)
    return info.min, info.max


@onnx_operator("QuantizeLinear")
def quantize_linear(
    data: Tensor,
    scale: Tensor,
    zero_point: Tensor | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Tensor:
    """Integers round(x / scale) + zero_point, within the range of the type."""
    dtype = dtype_of(output_dtype) if output_dtype else torch.uint8
    if zero_point is not None:
        dtype = zero_point.dtype
    low, high = _limits(dtype)
    wide = data.to(scale.dtype) if data.is_floating_point() else data.to(torch.float32)
    steps = (wide / _per_axis(scale, data, axis, block_size)).round()
    if zero_point is not None:
        steps = steps + _per_axis(zero_point, data, axis, block_size).to(steps.dtype)
    # No number is as far down as it goes, as in ONNX Runtime: x / scale of an infinite scale.
    return steps.nan_to_num(nan=low).clamp(low, high).to(dtype)


@onnx_operator("DequantizeLinear")
def dequantize_linear(
    data: Tensor,
    scale: Tensor,
    zero_point: Tensor | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Tensor:
    """(x - zero_point) scale."""
    if data.dtype in (torch.int32, torch.int64) or zero_point is None:
        wide = data.to(torch.float64 if data.dtype is torch.int32 else scale.dtype)
    else:
        wide = data.to(scale.dtype)
    if zero_point is not None:
        wide = wide - _per_axis(zero_point, data, axis, block_size).to(wide.dtype)
    result = wide.to(scale.dtype) * _per_axis(scale, data, axis, block_size)
    return result.to(dtype_of(output_dtype)) if output_dtype else result


@onnx_operator("DynamicQuantizeLinear")
def dynamic_quantize_linear(data: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """uint8 over the range of the data, which includes 0; also scale and zero point."""
    low, high = data.amin().clamp(max=0), data.amax().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = (-low / scale).clamp(0, 255).round()
    return ((data / scale).round() + zero).clamp(0, 255).to(torch.uint8), scale, zero.to(torch.uint8)


@onnx_operator("ConvInteger")
def conv_integer(
    data: Tensor,
    weight: Tensor,
    data_zero_point: Tensor | None = None,
    weight_zero_point: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Convolution of integers less their zero points, int32."""
    left, right = data.to(torch.float64), weight.to(torch.float64)
    if data_zero_point is not None:
        left = left - data_zero_point.to(torch.float64)
    if weight_zero_point is not None:
        right = right - _per_axis(weight_zero_point, weight, 0, 0).to(torch.float64)
    result = conv(left, right, auto_pad=auto_pad, dilations=dilations, group=group, pads=pads, strides=strides)
    return result.round().to(torch.int32)


@onnx_operator("QLinearMatMul")
def qlinear_matmul(
    a: Tensor,
    a_scale: Tensor,
    a_zero_point: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero_point: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
) -> Tensor:
    """Product of quantized matrices, quantized again."""
    product = matmul_integer(a, b, a_zero_point, b_zero_point).to(torch.float64)
    left = a_scale.to(torch.float64)
    factor = (left.unsqueeze(-1) if left.dim() else left) * b_scale.to(torch.float64) / y_scale.to(torch.float64)
    low, high = _limits(y_zero_point.dtype)
    return ((product * factor).round() + y_zero_point.to(torch.float64)).clamp(low, high).to(y_zero_point.dtype)


@onnx_operator("QLinearConv")
def qlinear_conv(
    data: Tensor,
    data_scale: Tensor,
    data_zero_point: Tensor,
    weight: Tensor,
    weight_scale: Tensor,
    weight_zero_point: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
    bias: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Convolution of quantized data, quantized again."""
    left = data.to(torch.float64) - data_zero_point.to(torch.float64)
    right = weight.to(torch.float64) - _per_axis(weight_zero_point, weight, 0, 0).to(torch.float64)
    result = conv(
        left,
        right,
        None if bias is None else bias.to(torch.float64),
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        pads=pads,
        strides=strides,
    )
    factor = data_scale.to(torch.float64) * weight_scale.to(torch.float64) / y_scale.to(torch.float64)
    steps = (result * _per_axis(factor, result, 1, 0)).round() + y_zero_point.to(torch.float64)
    low, high = _limits(y_zero_point.dtype)
    return steps.clamp(low, high).to(y_zero_point.dtype)
