"""Operators of MXNet 0.x that old symbol-json files name: `Convolution_v1`, `Pooling_v1`, `BatchNorm_v1`."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import InputError, LoweringError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.convolution import convolution
from gluonnx.ops.dtypes import BY_NAME
from gluonnx.ops.normalization import batch_norm
from gluonnx.ops.pooling import pooling
from gluonnx.ops.resize import check_maps, fixed_sizes
from gluonnx.ops.table import no_effect, operator

Flags = npt.NDArray[np.bool_]


@operator(
    "Convolution_v1",
    when={"bias": lambda attrs: not attrs["no_bias"]},
    no_effect=(
        no_effect("workspace", int, 1024),
        no_effect("cudnn_tune", Literal["fastest", "limited_workspace", "off"] | None, None),
        no_effect("cudnn_off", bool, False),
        no_effect("layout", Literal["NCDHW", "NCHW", "NDHWC", "NHWC"] | None, None),
    ),
    source="MXNet 1.9.1 src/operator/convolution_v1-inl.h",
)
def convolution_v1(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    no_bias: bool = False,
) -> Tensor:
    """`Convolution` of maps (N, C, H, W); see there.

    Differs: `layout` has no effect; MXNet fails where it is channel-last.

    Raises:
        InputError: Ranks or shapes do not fit each other and the attributes.
    """
    check_maps("Convolution_v1", "data", data.shape)
    out: Tensor = _as_v1(
        convolution.forward,
        data,
        weight,
        bias,
        kernel=kernel,
        stride=stride,
        dilate=dilate,
        pad=pad,
        num_filter=num_filter,
        num_group=num_group,
        no_bias=no_bias,
    )
    return out


def _as_v1(rule: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a rule of the operator of today; its errors name the one of old."""
    try:
        return rule(*args, **kwargs)
    except (InputError, LoweringError) as err:
        name, _, rest = str(err).partition(":")
        raise type(err)(f"{name}_v1:{rest}") from err


@convolution_v1.onnx
def _(g: GraphBuilder, data: Value, weight: Value, bias: Value | None = None, **attrs: Any) -> Value:
    (out,) = _as_v1(convolution.lower, g, (data, weight, bias), {**attrs, "layout": None})
    return out  # type: ignore[no-any-return]


@convolution_v1.parameters
def _(data: tuple[int, ...], *, kernel: Shape, num_filter: int, num_group: int) -> dict[str, tuple[int, ...]]:
    attrs = {"kernel": kernel, "num_filter": num_filter, "num_group": num_group, "layout": None}
    return convolution.parameter_shapes({"data": data}, attrs)


@operator(
    "BatchNorm_v1",
    view=True,
    aux="moving_mean moving_var",
    outputs="output mean var",
    visible=lambda attrs: 3 if attrs["output_mean_var"] else 1,
    source="MXNet 1.9.1 src/operator/batch_norm_v1-inl.h",
)
def batch_norm_v1(
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    *,
    eps: float = 0.0010000000474974513,
    momentum: float = 0.899999976,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    training: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]:
    """`BatchNorm` of axis 1; see there. An imperative call takes all five inputs, which MXNet's cannot.

    Raises:
        InputError: A parameter has another shape than (C,).
    """
    result: tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None] = _as_v1(
        batch_norm.forward,
        data,
        gamma,
        beta,
        moving_mean,
        moving_var,
        eps=eps,
        momentum=momentum,
        fix_gamma=fix_gamma,
        use_global_stats=use_global_stats,
        output_mean_var=output_mean_var,
        axis=1,
        training=training,
    )
    return result


@batch_norm_v1.dtypes
def _(data: str | None) -> dict[str, str | None]:
    told = batch_norm.infer_dtypes({"data": data, "gamma": None, "output": None}, {})
    statistics = told["gamma"]
    names = ("gamma", "beta", "moving_mean", "moving_var", "mean", "var")
    return {"output": data} | dict.fromkeys(names, statistics)


@batch_norm_v1.onnx
def _(
    g: GraphBuilder,
    data: Value,
    gamma: Value,
    beta: Value,
    moving_mean: Value,
    moving_var: Value,
    *,
    eps: float,
    fix_gamma: bool,
    output_mean_var: bool,
) -> tuple[Value, ...]:
    attrs = {"eps": eps, "fix_gamma": fix_gamma, "output_mean_var": output_mean_var, "axis": 1}
    return tuple(batch_norm.lower(g, (data, gamma, beta, moving_mean, moving_var), attrs))


@batch_norm_v1.parameters
def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return batch_norm.parameter_shapes({"data": data}, {"axis": 1})


def _frame(
    size: Sequence[int], kernel: Shape, stride: Shape, pad: Shape, is_full: bool, *, is_global: bool
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return kernel, stride, padding and, at the ends, how far the last window reaches beyond it."""
    if is_global:
        return (size[0], size[1]), (1, 1), (0, 0), (0, 0)
    strides, pads = stride or (1, 1), pad or (0, 0)
    if not len(kernel) == len(strides) == len(pads) == 2:
        raise InputError(
            f"Pooling_v1: windows are not those of maps: expected two sizes each, got {kernel=}, {stride=}, {pad=}."
        )
    padded = [s + 2 * p for s, p in zip(size, pads, strict=True)]
    if any(k > s for k, s in zip(kernel, padded, strict=True)):
        raise InputError(
            f"Pooling_v1: kernel is larger than the padded data: expected at most {tuple(padded)}, got {kernel=}."
        )
    beyond = [-(s - k) % st if is_full else 0 for s, k, st in zip(padded, kernel, strides, strict=True)]
    return (kernel[0], kernel[1]), (strides[0], strides[1]), (pads[0], pads[1]), (beyond[0], beyond[1])


class _MaxOverWindows(torch.autograd.Function):
    """Maximum over windows whose gradient goes to every element that is equal to the maximum."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
        out = F.max_pool2d(data, kernel, stride)
        ctx.save_for_backward(data, out)
        ctx.window = kernel, stride
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        data, out = ctx.saved_tensors
        kernel, stride = ctx.window
        found = torch.zeros_like(data)
        height, width = ((n - 1) * s + 1 for n, s in zip(out.shape[2:], stride, strict=True))
        for row in range(kernel[0]):
            for column in range(kernel[1]):
                place = (..., slice(row, row + height, stride[0]), slice(column, column + width, stride[1]))
                found[place] += torch.where(data[place] == out, gradients[0], torch.zeros_like(out))
        return found, None, None


@operator("Pooling_v1", source="MXNet 1.9.1 src/operator/pooling_v1-inl.h")
def pooling_v1(
    data: Tensor,
    *,
    kernel: Shape = (),
    pool_type: Literal["avg", "max", "sum"] = "max",
    global_pool: bool = False,
    pooling_convention: Literal["full", "valid"] = "valid",
    stride: Shape = (),
    pad: Shape = (),
) -> Tensor:
    """Maximum, average or sum over windows of `data` (N, C, H, W), as MXNet had it before 1.0.

    Unlike `Pooling`, the padding's zeros take part in a maximum, an average always divides by the elements of the
    whole window, and the gradient of a maximum goes to each of several equal ones. A window beyond the padding (only
    in the `full` convention) has the maximum -inf and the sum 0.

    Raises:
        InputError: `data` has other than 4 dimensions, or `kernel` is larger than the padded data.
    """
    check_maps("Pooling_v1", "data", data.shape)
    is_full = pooling_convention == "full"
    frame = _frame(data.shape[2:], kernel, stride, pad, is_full, is_global=global_pool)
    window, step, pads, beyond = frame
    x = F.pad(data, [pads[1], pads[1], pads[0], pads[0]]) if any(pads) else data
    if pool_type == "max":
        if any(beyond):
            x = F.pad(x, [0, beyond[1], 0, beyond[0]], value=-math.inf)
        return _MaxOverWindows.apply(x, window, step)  # type: ignore[no-any-return, no-untyped-call]
    if any(beyond):
        x = F.pad(x, [0, beyond[1], 0, beyond[0]])
    mean = F.avg_pool2d(x, window, step)
    return mean if pool_type == "avg" else mean * math.prod(window)


@pooling_v1.onnx
def _(
    g: GraphBuilder,
    data: Value,
    *,
    kernel: Shape,
    pool_type: str,
    global_pool: bool,
    pooling_convention: str,
    stride: Shape,
    pad: Shape,
) -> Value:
    size = fixed_sizes(g, "Pooling_v1", data)
    is_full = pooling_convention == "full"
    window, step, pads, beyond = _frame(size, kernel, stride, pad, is_full, is_global=global_pool)
    attrs = {
        "kernel": window,
        "pool_type": "max" if pool_type == "max" else "sum",
        "global_pool": False,
        "pooling_convention": pooling_convention,
        "stride": step,
        "pad": pads,
        "p_value": None,
        "count_include_pad": None,
        "layout": None,
    }
    (out,) = _as_v1(pooling.lower, g, (data,), attrs)
    if pool_type == "avg":
        return g.op("Mul", out, g.scalar(1 / math.prod(window), out))
    if pool_type == "sum" or not any((*pads, *beyond)):
        return out  # type: ignore[no-any-return]
    # ONNX Runtime fuses a Pad of zeros into MaxPool, whose padding is not zero: the zeros come in afterwards.
    rows, columns = (
        _contents(n, *axis) for n, axis in zip(size, zip(window, step, pads, beyond, strict=True), strict=True)
    )
    has_zero = rows[0][:, None] | columns[0]
    is_empty = rows[1][:, None] | columns[1]
    least = np.where(is_empty, -np.inf, np.where(has_zero, 0.0, np.finfo(BY_NAME[g.dtype(out)].numpy).min))
    best = g.op("Max", out, g.const(least, g.dtype(out)))
    return g.op("Where", g.const(is_empty, "bool"), g.scalar(-math.inf, out), best) if is_empty.any() else best


def _contents(size: int, kernel: int, stride: int, pad: int, beyond: int) -> tuple[Flags, Flags]:
    """Return, for each window along an axis, whether it holds some of the padding and whether it lies beyond it."""
    count = (size + 2 * pad + beyond - kernel) // stride + 1
    start = np.arange(count) * stride - pad
    is_empty = start >= size + pad
    return ~is_empty & ((start < 0) | (start + kernel > size)) & (pad > 0), is_empty
