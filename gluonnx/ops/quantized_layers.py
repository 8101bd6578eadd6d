"""Layers on integers of 8 bits, each array with its range; see `quantization`. Sums of products are exact, in int32."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.convolution import convolution
from gluonnx.ops.pooling import pooling
from gluonnx.ops.quantization import (
    BOUNDS,
    INT32_STEPS,
    SOURCE,
    STEPS,
    TORCH,
    WIDE_STEPS,
    Triple,
    Values,
    byte_name,
    check_range,
    extent,
    lower_extent,
)
from gluonnx.ops.table import Attrs, no_effect, operator

OUTPUTS = "output min_output max_output"


def _has_bias(attrs: Attrs) -> bool:
    return not attrs["no_bias"]


WHEN = {"bias": _has_bias, "min_bias": _has_bias, "max_bias": _has_bias}

Ranges = tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None, Tensor | None]


def _ranges(name: str, given: tuple[Tensor | None, ...], no_bias: bool) -> tuple[Tensor | None, Ranges]:
    """Return the bias and the ranges of data, weight and bias; without a bias the ranges come one place earlier."""
    bias, *ranges = (None, *given) if no_bias else given
    wanted = ranges[:4] if no_bias else [bias, *ranges[:6]]
    if any(r is None for r in wanted):
        raise InputError(
            f"{name}: wrong number of inputs: expected {6 if no_bias else 9} with no_bias={no_bias}, "
            f"got {2 + sum(r is not None for r in given)}."
        )
    for value in range(0, 4 if no_bias else 6, 2):
        low, high = ranges[value : value + 2]
        assert low is not None
        assert high is not None
        check_range(name, low, high)
    min_data, max_data, min_weight, max_weight, min_bias, max_bias = (*ranges, None, None)[:6]
    assert min_data is not None
    assert max_data is not None
    assert min_weight is not None
    assert max_weight is not None
    return bias, (min_data, max_data, min_weight, max_weight, min_bias, max_bias)


@operator("_contrib_quantized_fully_connected", outputs=OUTPUTS, when=WHEN, gradient="none", source=SOURCE)
def quantized_fully_connected(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    min_data: Tensor | None = None,
    max_data: Tensor | None = None,
    min_weight: Tensor | None = None,
    max_weight: Tensor | None = None,
    min_bias: Tensor | None = None,
    max_bias: Tensor | None = None,
    *,
    num_hidden: int,
    no_bias: bool = False,
    flatten: bool = True,
) -> Triple:
    """`FullyConnected` of int8 or uint8 `data` and int8 `weight`: int32 sums and their range.

    The int8 `bias` is brought to the scale of the sums, cut to whole numbers. With `no_bias` it and its range are not
    among the inputs.
    """
    name = "_contrib_quantized_fully_connected"
    given = (bias, min_data, max_data, min_weight, max_weight, min_bias, max_bias)
    found, (low, high, low_weight, high_weight, low_bias, high_bias) = _ranges(name, given, no_bias)
    kind = byte_name(name, data)
    byte_name(name, weight)
    rows = data.flatten(1) if flatten else data
    if weight.dim() != 2 or weight.shape[0] != num_hidden or rows.shape[-1] != weight.shape[1]:
        raise InputError(
            f"{name}: shapes do not fit: expected weight ({num_hidden}, C) and C features, "
            f"got data={tuple(data.shape)}, weight={tuple(weight.shape)}."
        )
    total = F.linear(rows.double(), weight.double())  # float64 holds every sum exactly
    unit = (extent(low, high) / STEPS[kind]) * (extent(low_weight, high_weight) / STEPS["int8"])
    if found is not None and low_bias is not None and high_bias is not None:
        ratio = extent(low_bias, high_bias) * WIDE_STEPS[kind] / extent(low, high) / extent(low_weight, high_weight)
        total = total + torch.trunc(found.to(torch.float32) * ratio).double()
    top = unit * INT32_STEPS
    return total.to(torch.int32), -top, top


@quantized_fully_connected.onnx
def _(g: GraphBuilder, data: Value, weight: Value, *given: Value, no_bias: bool, flatten: bool) -> Values:
    rows = g.op("Flatten", data, axis=1) if flatten else data
    total = g.op("MatMulInteger", rows, g.op("Transpose", weight, perm=[1, 0]))
    ranges = given if no_bias else given[1:]
    unit = _lower_unit(g, *ranges[:4], steps=STEPS[g.dtype(data)])
    if not no_bias:
        wide = g.op("Mul", lower_extent(g, *ranges[4:6]), g.scalar(WIDE_STEPS[g.dtype(data)], unit))
        ratio = g.op("Div", g.op("Div", wide, lower_extent(g, *ranges[:2])), lower_extent(g, *ranges[2:4]))
        steps = g.op("Mul", g.cast(given[0], "float32"), ratio)
        total = g.op("Add", total, g.cast(steps, "int32"))
    return _lower_with_range(g, total, unit)


def _lower_unit(
    g: GraphBuilder, low: Value, high: Value, low_weight: Value, high_weight: Value, *, steps: float
) -> Value:
    data = lower_extent(g, low, high)
    weight = lower_extent(g, low_weight, high_weight)
    return g.op("Mul", g.op("Div", data, g.scalar(steps, data)), g.op("Div", weight, g.scalar(STEPS["int8"], weight)))


def _lower_with_range(g: GraphBuilder, total: Value, unit: Value) -> Values:
    top = g.op("Mul", unit, g.scalar(INT32_STEPS, unit))
    return total, g.op("Neg", top), top


@operator(
    "_contrib_quantized_conv",
    outputs=OUTPUTS,
    when=WHEN,
    gradient="none",
    no_effect=(
        no_effect("workspace", int, 1024),
        no_effect("cudnn_tune", Literal["fastest", "limited_workspace", "off"] | None, None),
        no_effect("cudnn_off", bool, False),
    ),
    source=SOURCE,
)
def quantized_conv(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    min_data: Tensor | None = None,
    max_data: Tensor | None = None,
    min_weight: Tensor | None = None,
    max_weight: Tensor | None = None,
    min_bias: Tensor | None = None,
    max_bias: Tensor | None = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    no_bias: bool = False,
    layout: Literal["NCDHW", "NCHW", "NCW"] | None = None,
) -> Triple:
    """`Convolution` of uint8 `data` and int8 `weight`: int32 sums and their range.

    The bias is added as it is, and the range counts 127 steps for uint8 too: as MXNet's CPU kernel does.

    Differs: takes int8 `data` too, and sums without overflow; MXNet's kernel cuts sums of two products to int16.
    """
    name = "_contrib_quantized_conv"
    given = (bias, min_data, max_data, min_weight, max_weight, min_bias, max_bias)
    found, (low, high, low_weight, high_weight, _, _) = _ranges(name, given, no_bias)
    byte_name(name, data)
    byte_name(name, weight)
    total: Tensor = convolution.forward(
        data.double(),
        weight.double(),
        None if found is None else found.double(),
        kernel=kernel,
        stride=stride,
        dilate=dilate,
        pad=pad,
        num_filter=num_filter,
        num_group=num_group,
        no_bias=no_bias,
        layout=layout,
    )
    top = (extent(low, high) / STEPS["int8"]) * (extent(low_weight, high_weight) / STEPS["int8"]) * INT32_STEPS
    return total.to(torch.int32), -top, top


@quantized_conv.onnx
def _(
    g: GraphBuilder,
    data: Value,
    weight: Value,
    *given: Value,
    kernel: Shape,
    stride: Shape,
    dilate: Shape,
    pad: Shape,
    num_group: int,
    no_bias: bool,
) -> Values:
    rank = len(kernel)
    total = g.op(
        "ConvInteger",
        data,
        weight,
        kernel_shape=list(kernel),
        strides=list(stride or (1,) * rank),
        dilations=list(dilate or (1,) * rank),
        pads=list(pad or (0,) * rank) * 2,
        group=num_group,
    )
    ranges = given if no_bias else given[1:]
    if not no_bias:
        shaped = g.op("Reshape", g.cast(given[0], "int32"), g.ints([-1, *[1] * rank]))
        total = g.op("Add", total, shaped)
    return _lower_with_range(g, total, _lower_unit(g, *ranges[:4], steps=STEPS["int8"]))


@operator(
    "_contrib_quantized_pooling",
    outputs=OUTPUTS,
    gradient="none",
    no_effect=(no_effect("cudnn_off", bool, False), no_effect("p_value", int | None, None)),
    source=SOURCE,
)
def quantized_pooling(
    data: Tensor,
    min_data: Tensor,
    max_data: Tensor,
    *,
    kernel: Shape = (),
    pool_type: Literal["avg", "lp", "max", "sum"] = "max",
    global_pool: bool = False,
    pooling_convention: Literal["full", "same", "valid"] = "valid",
    stride: Shape = (),
    pad: Shape = (),
    count_include_pad: bool | None = None,
    layout: Literal["NCDHW", "NCHW", "NCW", "NDHWC", "NHWC", "NWC"] | None = None,
) -> Triple:
    """`Pooling` of 8-bit data, maximum or average rounded to the nearest, halves to even; the range stays.

    Raises:
        AttributeValueError: `pool_type` is another one.
    """
    name = "_contrib_quantized_pooling"
    kind = byte_name(name, data)
    check_range(name, min_data, max_data)
    if pool_type not in ("avg", "max"):
        raise AttributeValueError(
            f"{name}: attribute `pool_type` has a wrong value: expected 'avg' or 'max', got pool_type={pool_type!r}."
        )
    pooled: Tensor = pooling.forward(
        data.to(torch.float32),
        kernel=kernel,
        pool_type=pool_type,
        global_pool=global_pool,
        pooling_convention=pooling_convention,
        stride=stride,
        pad=pad,
        count_include_pad=count_include_pad,
        layout=layout,
    )
    return torch.round(pooled).clamp(*BOUNDS[kind]).to(TORCH[kind]), min_data.clone(), max_data.clone()


@quantized_pooling.onnx
def _(g: GraphBuilder, data: Value, min_data: Value, max_data: Value, **attrs: object) -> Values:
    kind = g.dtype(data)
    (pooled,) = pooling.lower(g, [g.cast(data, "float32")], {"p_value": None, **attrs})
    low, high = (g.scalar(bound, pooled) for bound in BOUNDS[kind])
    integers = g.cast(g.op("Clip", g.op("Round", pooled), low, high), kind)
    return integers, g.op("Identity", min_data), g.op("Identity", max_data)


@operator("_contrib_quantized_act", outputs=OUTPUTS, gradient="none", source=SOURCE)
def quantized_act(
    data: Tensor,
    min_data: Tensor,
    max_data: Tensor,
    *,
    act_type: Literal["relu", "sigmoid", "softrelu", "softsign", "tanh"],
) -> Triple:
    """`relu` of 8-bit data; the range stays.

    Differs: uint8 data stay uint8; MXNet gives the same bytes as int8.

    Raises:
        AttributeValueError: `act_type` is another one.
    """
    name = "_contrib_quantized_act"
    byte_name(name, data)
    check_range(name, min_data, max_data)
    if act_type != "relu":
        raise AttributeValueError(
            f"{name}: attribute `act_type` has a wrong value: expected 'relu', got act_type={act_type!r}."
        )
    return data.clamp_min(0), min_data.clone(), max_data.clone()


@quantized_act.onnx
def _(g: GraphBuilder, data: Value, min_data: Value, max_data: Value) -> Values:
    kept = g.op("Max", data, g.scalar(0.0, data)) if g.dtype(data) == "int8" else g.op("Identity", data)
    return kept, g.op("Identity", min_data), g.op("Identity", max_data)
