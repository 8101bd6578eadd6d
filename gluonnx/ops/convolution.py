"""Convolution and its transpose, in one to three dimensions."""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.table import no_effect, operator

Layout = Literal["NCDHW", "NCHW", "NCW", "NDHWC", "NHWC"]

CHANNEL_LAST = frozenset({"NWC", "NHWC", "NDHWC"})

_NO_EFFECT = (
    no_effect("cudnn_tune", Literal["fastest", "limited_workspace", "off"] | None, None),
    no_effect("cudnn_off", bool, False),
)

_CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def to_channel_first(data: Tensor) -> Tensor:
    """View (N, spatial..., C) as (N, C, spatial...)."""
    return data.movedim(-1, 1)


def to_channel_last(data: Tensor) -> Tensor:
    """View (N, C, spatial...) as (N, spatial..., C)."""
    return data.movedim(1, -1)


def lower_to_channel_first(g: GraphBuilder, data: Value) -> Value:
    """Transpose (N, spatial..., C) to (N, C, spatial...)."""
    rank = g.rank(data)
    return g.op("Transpose", data, perm=[0, rank - 1, *range(1, rank - 1)])


def lower_to_channel_last(g: GraphBuilder, data: Value) -> Value:
    """Transpose (N, C, spatial...) to (N, spatial..., C)."""
    return g.op("Transpose", data, perm=[0, *range(2, g.rank(data)), 1])


def _check_data(name: str, data: tuple[int, ...], kernel: Shape) -> None:
    if len(data) != len(kernel) + 2:
        raise InputError(
            f"{name}: wrong rank of data: expected {len(kernel) + 2} dimensions for kernel={kernel}, "
            f"got data={tuple(data)}."
        )


def _channels(name: str, data: tuple[int, ...], kernel: Shape, num_group: int, layout: str | None) -> int:
    """Return the channels of the data, from which the weight's shape follows."""
    _check_data(name, data, kernel)
    channels = data[-1] if layout in CHANNEL_LAST else data[1]
    if channels % num_group:
        raise InputError(
            f"{name}: channels do not make up groups: expected a multiple of num_group={num_group}, got {channels} "
            f"channels in data={tuple(data)}."
        )
    return channels


def _mismatch(name: str, data: Tensor, weight: Tensor, bias: Tensor | None, err: Exception, **attrs: Any) -> InputError:
    shapes = f"data={tuple(data.shape)}, weight={tuple(weight.shape)}"
    if bias is not None:
        shapes += f", bias={tuple(bias.shape)}"
    given = ", ".join(f"{k}={v}" for k, v in attrs.items())
    return InputError(
        f"{name}: inputs do not fit each other: expected shapes that agree with {given}, got {shapes}: {err}"
    )


@operator(
    "Convolution",
    when={"bias": lambda attrs: not attrs["no_bias"]},
    no_effect=(no_effect("workspace", int, 1024), *_NO_EFFECT),
    source="MXNet 1.9.1 src/operator/nn/convolution-inl.h",
)
def convolution(
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
    layout: Layout | None = None,
) -> Tensor:
    """Cross-correlation of `data` with `weight`.

    `data` (N, C, spatial...), `weight` (num_filter, C / num_group, kernel...), `bias` (num_filter,) give (N,
    num_filter, floor((size + 2 pad - dilate (kernel - 1) - 1) / stride) + 1 for each spatial size). In a channel-last
    `layout`, data and output are (N, spatial..., C) and `weight` is (num_filter, kernel..., C / num_group).

    Raises:
        InputError: Ranks or shapes do not fit each other and the attributes.
    """
    _check_data("Convolution", data.shape, kernel)
    is_channel_last = layout in CHANNEL_LAST
    x, w = (to_channel_first(data), to_channel_first(weight)) if is_channel_last else (data, weight)
    if w.shape[0] != num_filter or w.shape[2:] != kernel:
        raise InputError(
            f"Convolution: wrong shape of weight: expected {num_filter} filters of kernel {kernel}, "
            f"got weight={tuple(weight.shape)}."
        )
    try:
        out = _CONVOLUTIONS[len(kernel)](x, w, bias, stride or 1, pad or 0, dilate or 1, num_group)
    except RuntimeError as err:
        raise _mismatch("Convolution", data, weight, bias, err, kernel=kernel, num_group=num_group) from err
    return to_channel_last(out) if is_channel_last else out


@convolution.output_shapes
def _(
    data: Shape,
    weight: Shape,
    bias: Shape | None = None,
    *,
    kernel: Shape,
    stride: Shape,
    dilate: Shape,
    pad: Shape,
    num_filter: int,
    num_group: int,
    layout: Layout | None,
) -> tuple[Shape] | None:
    rank = len(kernel)
    if layout in CHANNEL_LAST or len(data) != rank + 2 or bias not in (None, (num_filter,)):
        return None
    if weight != (num_filter, data[1] // num_group, *kernel) or data[1] % num_group or num_filter % num_group:
        return None
    settings = zip(data[2:], kernel, stride or (1,) * rank, dilate or (1,) * rank, pad or (0,) * rank, strict=True)
    sizes = [(size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, d, p in settings]
    return ((data[0], num_filter, *sizes),) if min(data, default=0) > 0 and min(sizes, default=0) > 0 else None


@convolution.onnx
def _(
    g: GraphBuilder,
    data: Value,
    weight: Value,
    bias: Value | None = None,
    *,
    kernel: Shape,
    stride: Shape,
    dilate: Shape,
    pad: Shape,
    num_group: int,
    layout: str | None,
) -> Value:
    refuse_float64(g, "Convolution", data)
    is_channel_last = layout in CHANNEL_LAST
    x, w = (lower_to_channel_first(g, data), lower_to_channel_first(g, weight)) if is_channel_last else (data, weight)
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    out = g.op(
        "Conv",
        x,
        w,
        bias,
        kernel_shape=list(kernel),
        strides=list(stride or ones),
        dilations=list(dilate or ones),
        pads=[*(pad or zeros), *(pad or zeros)],
        group=num_group,
    )
    return lower_to_channel_last(g, out) if is_channel_last else out


@convolution.parameters
def _(
    data: tuple[int, ...], *, kernel: Shape, num_filter: int, num_group: int, layout: str | None
) -> dict[str, tuple[int, ...]]:
    depth = _channels("Convolution", data, kernel, num_group, layout) // num_group
    if layout in CHANNEL_LAST:
        return {"weight": (num_filter, *kernel, depth), "bias": (num_filter,)}
    return {"weight": (num_filter, depth, *kernel), "bias": (num_filter,)}


def _deconvolution_padding(
    sizes: tuple[int, ...], kernel: Shape, stride: Shape, dilate: Shape, pad: Shape, adj: Shape, target_shape: Shape
) -> tuple[list[int], list[int]]:
    """Return the padding and the output padding of each spatial axis.

    With `target_shape`, MXNet ignores `pad` and `adj` and takes from both ends what exceeds the target; where that is
    odd, one more from the end.
    """
    rank = len(kernel)
    stride, dilate = stride or (1,) * rank, dilate or (1,) * rank
    if not any(target_shape):
        return list(pad or (0,) * rank), list(adj or (0,) * rank)
    pads, adjs = [], []
    for size, k, s, d, target in zip(sizes, kernel, stride, dilate, target_shape, strict=True):
        excess = (size - 1) * s + d * (k - 1) + 1 - target
        if excess < 0:
            raise AttributeValueError(
                f"Deconvolution: target_shape is too large: expected at most {target + excess}, "
                f"got target_shape={target_shape}."
            )
        pads.append((excess + 1) // 2)
        adjs.append(excess % 2)
    return pads, adjs


@operator(
    "Deconvolution",
    when={"bias": lambda attrs: not attrs["no_bias"]},
    no_effect=(no_effect("workspace", int, 512), *_NO_EFFECT),
    source="MXNet 1.9.1 src/operator/nn/deconvolution-inl.h",
)
def deconvolution(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    adj: Shape = (),
    target_shape: Shape = (),
    num_filter: int,
    num_group: int = 1,
    no_bias: bool = True,
    layout: Layout | None = None,
) -> Tensor:
    """Transpose of `Convolution`.

    `data` (N, C, spatial...), `weight` (C, num_filter / num_group, kernel...), `bias` (num_filter,) give (N,
    num_filter, (size - 1) stride + dilate (kernel - 1) + 1 - 2 pad + adj for each spatial size), or `target_shape`.

    Raises:
        InputError: Ranks or shapes do not fit each other and the attributes.
        AttributeValueError: `target_shape` is larger than the output without padding.
    """
    _check_data("Deconvolution", data.shape, kernel)
    is_channel_last = layout in CHANNEL_LAST
    x, w = (to_channel_first(data), to_channel_first(weight)) if is_channel_last else (data, weight)
    if w.shape[1] * num_group != num_filter or w.shape[2:] != kernel:
        raise InputError(
            f"Deconvolution: wrong shape of weight: expected {num_filter} filters of kernel {kernel}, "
            f"got weight={tuple(weight.shape)}."
        )
    pads, adjs = _deconvolution_padding(tuple(x.shape[2:]), kernel, stride, dilate, pad, adj, target_shape)
    try:
        out = _TRANSPOSED[len(kernel)](x, w, bias, stride or 1, pads, adjs, num_group, dilate or 1)
    except RuntimeError as err:
        raise _mismatch("Deconvolution", data, weight, bias, err, kernel=kernel, num_group=num_group) from err
    return to_channel_last(out) if is_channel_last else out


@deconvolution.onnx
def _(
    g: GraphBuilder,
    data: Value,
    weight: Value,
    bias: Value | None = None,
    *,
    kernel: Shape,
    stride: Shape,
    dilate: Shape,
    pad: Shape,
    adj: Shape,
    target_shape: Shape,
    num_group: int,
    layout: str | None,
) -> Value:
    refuse_float64(g, "Deconvolution", data)
    is_channel_last = layout in CHANNEL_LAST
    x, w = (lower_to_channel_first(g, data), lower_to_channel_first(g, weight)) if is_channel_last else (data, weight)
    ones = (1,) * len(kernel)
    sizes = g.dims(x)[2:]
    if any(target_shape) and None in sizes:
        raise LoweringError(
            "Deconvolution: target_shape needs fixed spatial sizes: expected ints, "
            f"got data={g.dims(x)}. Use `pad` and `adj`."
        )
    known = tuple(size or 0 for size in sizes)
    pads, adjs = _deconvolution_padding(known, kernel, stride, dilate, pad, adj, target_shape)
    out = g.op(
        "ConvTranspose",
        x,
        w,
        bias,
        kernel_shape=list(kernel),
        strides=list(stride or ones),
        dilations=list(dilate or ones),
        pads=[*pads, *pads],
        output_padding=adjs,
        group=num_group,
    )
    return lower_to_channel_last(g, out) if is_channel_last else out


@deconvolution.parameters
def _(
    data: tuple[int, ...], *, kernel: Shape, num_filter: int, num_group: int, layout: str | None
) -> dict[str, tuple[int, ...]]:
    channels = _channels("Deconvolution", data, kernel, num_group, layout)
    if layout in CHANNEL_LAST:
        return {"weight": (channels, *kernel, num_filter // num_group), "bias": (num_filter,)}
    return {"weight": (channels, num_filter // num_group, *kernel), "bias": (num_filter,)}
