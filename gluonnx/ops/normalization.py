"""Normalizations and Dropout."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import InputError
from gluonnx.ops.attributes import Float32, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.memory import own_copy
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.table import Attrs, DeclinedError, no_effect, operator

BatchNormResult = tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]


@operator(
    "BatchNorm",
    view=True,
    aux="moving_mean moving_var",
    outputs="output mean var",
    visible=lambda attrs: 3 if attrs["output_mean_var"] else 1,
    variable_init={"moving_mean": '["zero", {}]', "moving_var": '["one", {}]'},
    no_effect=(
        no_effect("cudnn_off", bool, False),
        no_effect("min_calib_range", float | None, None),
        no_effect("max_calib_range", float | None, None),
    ),
    source="MXNet 1.9.1 src/operator/nn/batch_norm.cc",
)
def batch_norm(
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
    axis: int = 1,
    training: bool = False,
) -> BatchNormResult:
    """Normalize each channel: (data - mean) / sqrt(var + eps) * gamma + beta.

    All parameters are (C,), C the size of `axis`. While training, mean and (biased) variance are the batch's, and the
    moving statistics become `moving * momentum + batch * (1 - momentum)`; otherwise, and under `use_global_stats`,
    they are the moving ones. `fix_gamma` takes gamma as 1, so its gradient is 0. The output MXNet calls `var` holds
    1 / sqrt(var + eps).

    Raises:
        InputError: A parameter has another shape than (C,).

    Differs: `fix_gamma` leaves the stored gamma as it is, where MXNet overwrites it with 1.
    """
    x = data if axis == 1 else data.movedim(axis, 1)
    # Torch's kernel reads beyond parameters that are too short.
    if not x.shape[1:2] == gamma.shape == beta.shape == moving_mean.shape == moving_var.shape:
        raise InputError(
            f"BatchNorm: inputs do not fit each other: expected parameters of the size of axis {axis}, "
            f"got data={tuple(data.shape)}, gamma={tuple(gamma.shape)}, beta={tuple(beta.shape)}, "
            f"moving_mean={tuple(moving_mean.shape)}, moving_var={tuple(moving_var.shape)}."
        )
    scale: torch.Tensor | None = gamma
    if fix_gamma:
        # Ones; behind a choice that never takes gamma, where its gradient is asked for and has to become 0.
        scale = torch.where(gamma.new_zeros((), dtype=torch.bool), gamma, 1.0) if gamma.requires_grad else None
    if not training or use_global_stats:
        out = F.batch_norm(x, moving_mean, moving_var, scale, beta, False, 0.0, eps)
        mean, inverse_std = moving_mean, moving_var
        if output_mean_var:
            inverse_std = torch.rsqrt(moving_var + eps)
        return out if axis == 1 else out.movedim(1, axis), mean, inverse_std, None, None
    out, mean, inverse_std = torch.native_batch_norm(x, scale, beta, None, None, True, 0.0, eps)
    # The kernel keeps no variance; the saved statistics carry no gradient.
    variance = inverse_std.pow(-2.0).sub_(eps).clamp_(min=0.0)
    new_mean = torch.lerp(moving_mean, mean, 1.0 - momentum)
    new_var = torch.lerp(moving_var, variance, 1.0 - momentum)
    return out if axis == 1 else out.movedim(1, axis), mean, inverse_std, new_mean, new_var


@batch_norm.quick
def _(*, eps: float, fix_gamma: bool, output_mean_var: bool, axis: int) -> Callable[..., Tensor] | None:
    if axis != 1 or output_mean_var:
        return None
    normalize = torch.batch_norm
    uses_cudnn = torch._C._get_cudnn_enabled

    def call(data: Tensor, gamma: Tensor, beta: Tensor, moving_mean: Tensor, moving_var: Tensor) -> Tensor:
        if not gamma.dim() == beta.dim() == moving_mean.dim() == moving_var.dim() == 1:
            raise DeclinedError
        if fix_gamma and gamma.numel() != beta.numel():
            raise DeclinedError
        scale = None if fix_gamma else gamma
        return normalize(data, scale, beta, moving_mean, moving_var, False, 0.0, eps, uses_cudnn())

    return call


def _batch_norm_dtypes(data: str | None) -> dict[str, str | None]:
    statistics = "float32" if data in ("float16", "bfloat16") else data
    names = ("gamma", "beta", "moving_mean", "moving_var", "mean", "var")
    return {"output": data} | dict.fromkeys(names, statistics)


@batch_norm.dtypes
def _(data: str | None) -> dict[str, str | None]:
    return _batch_norm_dtypes(data)


@batch_norm.output_shapes
def _(data: Shape, *parameters: Shape, axis: int) -> tuple[Shape, ...] | None:
    if len(data) < 2 or not -len(data) <= axis < len(data):
        return None
    channels = (data[axis],)
    return (data, channels, channels) if set(parameters) == {channels} else None


@batch_norm.onnx
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
    axis: int,
) -> tuple[Value, ...]:
    rank = g.rank(data)
    axis %= rank
    if fix_gamma:
        size = g.dims(data)[axis]
        value = g.constant_value(gamma)
        if size is None and value is not None:
            size = value.shape[0]
        one = g.scalar(1.0, gamma)
        gamma = g.op("Expand", one, g.shape(gamma) if size is None else g.ints([size]))
    swap = [axis if i == 1 else 1 if i == axis else i for i in range(rank)]
    x = data if axis == 1 else g.op("Transpose", data, perm=swap)
    rest = eps - float(np.float32(eps))  # ONNX's attribute is a float32
    spread = g.op("Add", moving_var, g.scalar(rest, moving_var)) if g.dtype(moving_var) == "float64" else moving_var
    out = g.op("BatchNormalization", x, gamma, beta, moving_mean, spread, epsilon=eps)
    out = out if axis == 1 else g.op("Transpose", out, perm=swap)
    if not output_mean_var:
        return (out,)
    deviation = g.op("Sqrt", g.op("Add", moving_var, g.scalar(eps, moving_var)))
    return out, g.op("Identity", moving_mean), g.op("Reciprocal", deviation)


@batch_norm.parameters
def _(data: tuple[int, ...], *, axis: int) -> dict[str, tuple[int, ...]]:
    shape = (data[axis],)
    return {"gamma": shape, "beta": shape, "moving_mean": shape, "moving_var": shape}


@operator(
    "_contrib_BatchNormWithReLU",
    view=True,
    aux="moving_mean moving_var",
    outputs="output mean var",
    visible=lambda attrs: 3 if attrs["output_mean_var"] else 1,
    unread=1,
    no_effect=(
        no_effect("cudnn_off", bool, False),
        no_effect("min_calib_range", float | None, None),
        no_effect("max_calib_range", float | None, None),
    ),
    source="MXNet 1.9.1 src/operator/contrib/batch_norm_relu.cc",
)
def batch_norm_with_relu(
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
    axis: int = 1,
    training: bool = False,
) -> BatchNormResult:
    """`BatchNorm`, then ReLU; see there."""
    out, *others = batch_norm.forward(
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
        axis=axis,
        training=training,
    )
    mean, variance, new_mean, new_var = others
    return torch.relu(out), mean, variance, new_mean, new_var


@batch_norm_with_relu.dtypes
def _(data: str | None) -> dict[str, str | None]:
    return _batch_norm_dtypes(data)


@batch_norm_with_relu.onnx
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
    axis: int,
) -> tuple[Value, ...]:
    attrs = {"eps": eps, "fix_gamma": fix_gamma, "output_mean_var": output_mean_var, "axis": axis}
    out, *others = batch_norm.lower(g, (data, gamma, beta, moving_mean, moving_var), attrs)
    return g.op("Relu", out), *others


@batch_norm_with_relu.parameters
def _(data: tuple[int, ...], *, axis: int) -> dict[str, tuple[int, ...]]:
    return batch_norm.parameter_shapes({"data": data}, {"axis": axis})


@operator(
    "_contrib_SyncBatchNorm",
    view=True,
    aux="moving_mean moving_var",
    outputs="output mean var",
    visible=lambda attrs: 3 if attrs["output_mean_var"] else 1,
    variable_init={"moving_mean": '["zero", {}]', "moving_var": '["one", {}]'},
    source="MXNet 1.9.1 src/operator/contrib/sync_batch_norm.cc",
)
def sync_batch_norm(
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    *,
    eps: float = 0.001,
    momentum: float = 0.899999976,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    ndev: int = 1,
    key: str,
    training: bool = False,
) -> BatchNormResult:
    """`BatchNorm` of axis 1; see there. Its output `var` holds the variance.

    Differs: the outputs `mean` and `var` hold the moving statistics where those are used; MXNet leaves in them what lay
        in memory.
    Differs: `ndev` other than 1 is an error while training: the devices of one process run one after another here, so
    none can wait for the statistics of the next. `key`, which tells MXNet's layers apart, has no effect.

    Raises:
        InputError: Statistics of several devices are asked for, or a parameter has another shape than (C,).
    """
    if ndev != 1 and training and not use_global_stats:
        raise InputError(
            f"SyncBatchNorm: statistics over several devices of one process: expected ndev=1, got ndev={ndev}. Train "
            "on one device, or use BatchNorm."
        )
    out, mean, inverse_std, new_mean, new_var = batch_norm.forward(
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
    if not output_mean_var:
        return out, mean, inverse_std, new_mean, new_var
    is_of_batch = training and not use_global_stats
    variance = inverse_std.pow(-2.0).sub_(eps).clamp_(min=0.0) if is_of_batch else moving_var
    return out, mean, variance, new_mean, new_var


@sync_batch_norm.dtypes
def _(data: str | None) -> dict[str, str | None]:
    return _batch_norm_dtypes(data)


@sync_batch_norm.onnx
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
    attrs = {"eps": eps, "fix_gamma": fix_gamma, "output_mean_var": False, "axis": 1}
    (out,) = batch_norm.lower(g, (data, gamma, beta, moving_mean, moving_var), attrs)
    return (out, g.op("Identity", moving_mean), g.op("Identity", moving_var)) if output_mean_var else (out,)


@sync_batch_norm.parameters
def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return batch_norm.parameter_shapes({"data": data}, {"axis": 1})


def _with_statistics(attrs: Attrs) -> tuple[str, ...]:
    return ("output", "mean", "std") if attrs["output_mean_var"] else ("output",)


def _unread_statistics(attrs: Attrs) -> int:
    return 0 if attrs["output_mean_var"] else 2


@operator(
    "LayerNorm", outputs=_with_statistics, unread=_unread_statistics, source="MXNet 1.9.1 src/operator/nn/layer_norm.cc"
)
def layer_norm(
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    *,
    axis: int = -1,
    eps: Float32 = 9.99999975e-06,
    output_mean_var: bool = False,
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """Normalize along `axis`: (data - mean) / sqrt(var + eps) * gamma + beta, with `gamma` and `beta` of its size.

    `mean` and `std` = sqrt(var + eps) keep `axis` with size 1 and carry no gradient.
    """
    is_last = axis in (-1, data.dim() - 1)
    x = data if is_last else data.movedim(axis, -1)
    if not output_mean_var:
        out = F.layer_norm(x, x.shape[-1:], gamma, beta, eps)
        return out if is_last else out.movedim(-1, axis)
    out, mean, inverse_std = torch.native_layer_norm(x, x.shape[-1:], gamma, beta, eps)
    # On meta tensors torch gives the statistics of float16 as float32.
    mean, std = mean.detach().to(data.dtype), inverse_std.detach().reciprocal().to(data.dtype)
    if is_last:
        return out, mean, std
    return out.movedim(-1, axis), mean.movedim(-1, axis), std.movedim(-1, axis)


@layer_norm.onnx
def _(
    g: GraphBuilder, data: Value, gamma: Value, beta: Value, *, axis: int, eps: float, output_mean_var: bool
) -> tuple[Value, ...]:
    rank = g.rank(data)
    last_first = [*(i for i in range(rank) if i != axis % rank), axis % rank]
    is_last = last_first[-1] == rank - 1
    x = data if is_last else g.op("Transpose", data, perm=last_first)
    out = g.op("LayerNormalization", x, gamma, beta, axis=-1, epsilon=eps)
    if not is_last:
        out = g.op("Transpose", out, perm=[last_first.index(i) for i in range(rank)])
    if not output_mean_var:
        return (out,)
    return (out, *_lower_statistics(g, data, [axis], eps))


def _lower_statistics(g: GraphBuilder, data: Value, axes: list[int], eps: float) -> tuple[Value, Value]:
    """Mean and sqrt(var + eps) over `axes`, which stay with size 1."""
    mean = g.op("ReduceMean", data, g.ints(axes), keepdims=1)
    centered = g.op("Sub", data, mean)
    variance = g.op("ReduceMean", g.op("Mul", centered, centered), g.ints(axes), keepdims=1)
    return mean, g.op("Sqrt", g.op("Add", variance, g.scalar(eps, variance)))


@layer_norm.parameters
def _(data: tuple[int, ...], *, axis: int) -> dict[str, tuple[int, ...]]:
    return {"gamma": (data[axis],), "beta": (data[axis],)}


@operator("InstanceNorm", unread=2, source="MXNet 1.9.1 src/operator/instance_norm-inl.h")
def instance_norm(data: Tensor, gamma: Tensor, beta: Tensor, *, eps: Float32 = 0.00100000005) -> Tensor:
    """Normalize each channel of each sample of `data` (N, C, ...); `gamma` and `beta` are (C,)."""
    if math.prod(data.shape[2:]) == 1:
        # Torch refuses one element a channel; the centered data is 0.
        return (data - data) * gamma.view(-1, *(1,) * (data.dim() - 2)) + beta.view(-1, *(1,) * (data.dim() - 2))
    return F.instance_norm(data, None, None, gamma, beta, True, 0.0, eps)


@instance_norm.onnx
def _(g: GraphBuilder, data: Value, gamma: Value, beta: Value, *, eps: float) -> Value:
    refuse_float64(g, "InstanceNorm", data)
    return g.op("InstanceNormalization", data, gamma, beta, epsilon=eps)


@instance_norm.parameters
def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"gamma": (data[1],), "beta": (data[1],)}


@operator(
    "GroupNorm",
    outputs=_with_statistics,
    unread=_unread_statistics,
    source="MXNet 1.9.1 src/operator/nn/group_norm-inl.h",
)
def group_norm(
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    *,
    num_groups: int = 1,
    eps: Float32 = 9.99999975e-06,
    output_mean_var: bool = False,
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """Normalize each of `num_groups` groups of channels of each sample of `data` (N, C, ...).

    `gamma` and `beta` are (num_groups,): one factor and offset a group. `mean` and `std` = sqrt(var + eps) are (N,
    num_groups) and carry no gradient.
    """
    if data.dim() < 3 or data.shape[1] % num_groups:
        raise InputError(
            f"GroupNorm: wrong shape of data: expected (N, C, ...) with C a multiple of num_groups={num_groups}, "
            f"got data={tuple(data.shape)}."
        )
    grouped = data.reshape(data.shape[0], num_groups, -1)
    normal, mean, inverse_std = torch.native_layer_norm(grouped, grouped.shape[-1:], None, None, eps)
    out = torch.addcmul(beta.view(-1, 1), normal, gamma.view(-1, 1)).view(data.shape)
    if not output_mean_var:
        return out
    return out, mean.detach().squeeze(-1), inverse_std.detach().squeeze(-1).reciprocal()


@group_norm.onnx
def _(
    g: GraphBuilder, data: Value, gamma: Value, beta: Value, *, num_groups: int, eps: float, output_mean_var: bool
) -> tuple[Value, ...]:
    refuse_float64(g, "GroupNorm", data)
    grouped = g.op("Reshape", data, g.ints([0, num_groups, -1]))
    out = g.op("InstanceNormalization", grouped, gamma, beta, epsilon=eps)
    out = g.op("Reshape", out, g.shape(data))
    if not output_mean_var:
        return (out,)
    mean, std = _lower_statistics(g, grouped, [2], eps)
    return out, g.op("Squeeze", mean, g.ints([2])), g.op("Squeeze", std, g.ints([2]))


@group_norm.parameters
def _(data: tuple[int, ...], *, num_groups: int) -> dict[str, tuple[int, ...]]:
    return {"gamma": (num_groups,), "beta": (num_groups,)}


def _norm_axes(rank: int, mode: str) -> list[int]:
    if mode == "channel":
        return [1]
    return list(range(1 if mode == "instance" else 2, rank))


@operator("L2Normalization", unread=1, source="MXNet 1.9.1 src/operator/l2_normalization-inl.h")
def l2_normalization(
    data: Tensor, *, eps: Float32 = 1.00000001e-10, mode: Literal["channel", "instance", "spatial"] = "instance"
) -> Tensor:
    """Divide by sqrt(sum of squares + eps), summed over each sample, axis 1 (`channel`) or each channel (`spatial`)."""
    total = data.square().sum(_norm_axes(data.dim(), mode), keepdim=True)
    return data * torch.rsqrt(total + eps)


@l2_normalization.onnx
def _(g: GraphBuilder, data: Value, *, eps: float, mode: str) -> Value:
    total = g.op("ReduceSum", g.op("Mul", data, data), g.ints(_norm_axes(g.rank(data), mode)), keepdims=1)
    return g.op("Div", data, g.op("Sqrt", g.op("Add", total, g.scalar(eps, total))))


@operator("LRN", unread=1, source="MXNet 1.9.1 src/operator/nn/lrn-inl.h; Krizhevsky et al. 2012, section 3.3")
def lrn(data: Tensor, *, alpha: float = 9.99999975e-05, beta: float = 0.75, knorm: float = 2.0, nsize: int) -> Tensor:
    """`data` / (knorm + alpha / nsize * sum of squares over `nsize` neighbouring channels) ** beta; (N, C, H, W)."""
    if data.dtype == torch.bfloat16:  # torch has no kernel for it
        return F.local_response_norm(data.float(), nsize, alpha, beta, knorm).to(data.dtype)
    return F.local_response_norm(data, nsize, alpha, beta, knorm)


@lrn.onnx
def _(g: GraphBuilder, data: Value, *, alpha: float, beta: float, knorm: float, nsize: int) -> Value:
    refuse_float64(g, "LRN", data)
    return g.op("LRN", data, alpha=alpha, beta=beta, bias=knorm, size=nsize)


@operator(
    "Dropout",
    unread=1,
    view=True,
    no_effect=(no_effect("cudnn_off", bool | None, False),),
    source="MXNet 1.9.1 src/operator/nn/dropout-inl.h",
    shapes="same",
    draws=lambda attrs: attrs["mode"] == "always" and attrs["p"] > 0,
)
def dropout(
    data: Tensor,
    *,
    p: float = 0.5,
    mode: Literal["always", "training"] = "training",
    axes: Shape = (),
    training: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Set elements to 0 with probability `p` and divide the others by 1 - p; the identity outside of training.

    One draw serves all positions along `axes`. `always` draws in inference too.
    """
    if p == 0.0 or not (training or mode == "always"):
        return data
    shape = [1 if i in axes else size for i, size in enumerate(data.shape)] if axes else data.shape
    keep = 1.0 - p
    mask = torch.empty(shape, dtype=data.dtype, device=data.device).bernoulli_(keep, generator=generator)
    return data * mask.div_(keep)


@dropout.quick
def _(*, p: float, mode: str) -> Callable[[Tensor], Tensor] | None:
    return own_copy if mode == "training" or p == 0.0 else None


@dropout.onnx
def _(g: GraphBuilder, data: Value, *, p: float, mode: str, axes: Shape) -> Value:
    if mode == "training" or p == 0.0:
        return data
    shape = g.shape(data)
    for axis in axes:
        shape = g.op("ScatterElements", shape, g.ints([axis]), g.ints([1]))
    keep = g.cast(g.op("Expand", g.scalar(1.0 - p, data), shape), "float32")
    draw = g.op("RandomUniformLike", keep)
    mask = g.op("Div", g.cast(g.op("Less", draw, keep), g.dtype(data)), g.scalar(1.0 - p, data))
    return g.op("Mul", data, mask)
