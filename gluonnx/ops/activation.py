"""Activations, the softmax family, and the output layers whose gradient is defined by a loss."""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.attributes import DTypeName, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.derivative import once_differentiable
from gluonnx.ops.dtypes import torch_dtype
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.table import Attrs, Operator, operator

Normalization = Literal["batch", "null", "valid"]

SOFTPLUS_LINEAR_FROM = 40.0
"""Above this, log(1 + exp(x)) equals x in float64 too."""

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""Source: Klambauer et al. 2017, Self-Normalizing Neural Networks, section 2."""


def _softrelu(data: Tensor) -> Tensor:
    return F.softplus(data, 1.0, SOFTPLUS_LINEAR_FROM)


_ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "relu": (torch.relu, "Relu"),
    "sigmoid": (torch.sigmoid, "Sigmoid"),
    "softrelu": (_softrelu, "Softplus"),
    "softsign": (F.softsign, "Softsign"),
    "tanh": (torch.tanh, "Tanh"),
}


@operator("Activation", source="MXNet 1.9.1 src/operator/nn/activation-inl.h", shapes="same")
def activation(data: Tensor, *, act_type: Literal["relu", "sigmoid", "softrelu", "softsign", "tanh"]) -> Tensor:
    """Elementwise activation; `softrelu` is log(1 + exp(x)), `softsign` is x / (1 + |x|)."""
    return _ACTIVATIONS[act_type][0](data)


@activation.onnx
def _(g: GraphBuilder, data: Value, *, act_type: str) -> Value:
    if act_type in ("softrelu", "softsign"):
        refuse_float64(g, "Activation", data)
    return g.op(_ACTIVATIONS[act_type][1], data)


def _leaky_outputs(attrs: Attrs) -> tuple[str, ...]:
    return ("output", "mask") if attrs["act_type"] == "rrelu" else ("output",)


@operator(
    "LeakyReLU",
    outputs=_leaky_outputs,
    when={"gamma": lambda attrs: attrs["act_type"] == "prelu"},
    variable_init={"gamma": '["Constant", {"value": 0.25}]'},
    source="MXNet 1.9.1 src/operator/leaky_relu-inl.h",
)
def leaky_relu(
    data: Tensor,
    gamma: Tensor | None = None,
    *,
    act_type: Literal["elu", "gelu", "leaky", "prelu", "rrelu", "selu"] = "leaky",
    slope: float = 0.25,
    lower_bound: float = 0.125,
    upper_bound: float = 0.333999991,
    training: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Rectifiers that let negative values through.

    `gamma` (C,), (1,), (N, C) or (N, 1) is the learned slope of `prelu`, along axes 0 and 1. `rrelu` draws a
    slope for each element from [lower_bound, upper_bound) while training, uses their mean otherwise, and returns the
    slopes as `mask`.
    """
    if act_type == "leaky":
        return F.leaky_relu(data, slope)
    if act_type == "elu":
        return F.elu(data, slope)
    if act_type == "gelu":
        return F.gelu(data)
    if act_type == "selu":
        if data.requires_grad and torch.is_grad_enabled():
            result: Tensor = _Selu.apply(data)  # type: ignore[no-untyped-call]
            return result
        return F.selu(data)
    if act_type == "prelu":
        if gamma is None:
            raise InputError("LeakyReLU: `prelu` has no slope: expected gamma of shape (C,), got gamma=None.")
        return torch.where(data > 0, data, data * _along_channels(gamma, data.dim()))
    if training:
        mask = torch.empty_like(data).uniform_(lower_bound, upper_bound, generator=generator)
        mask = torch.where(data > 0, 1.0, mask)
    else:
        mask = torch.where(data > 0, 1.0, (lower_bound + upper_bound) / 2).to(data.dtype)
    return data * mask.detach(), mask.detach()


class _Selu(torch.autograd.Function):
    """SELU with MXNet's gradient below zero, `scale * (output + alpha)`.

    The derivative is `output + scale * alpha`; nets trained by MXNet were trained with its own.
    """

    @staticmethod
    def forward(ctx: Any, data: Tensor) -> Tensor:
        out = F.selu(data)
        ctx.save_for_backward(data, out)
        return out

    @staticmethod
    def backward(ctx: Any, head: Tensor) -> Tensor:
        data, out = ctx.saved_tensors
        if torch.is_grad_enabled():
            out = F.selu(data)  # the saved one would be differentiated by this backward
        return head * SELU_SCALE * torch.where(data > 0, 1.0, out + SELU_ALPHA)


def _along_channels(gamma: Tensor, rank: int) -> Tensor:
    """A slope for each channel, or for each sample and channel, with an axis for each one of the data."""
    if gamma.dim() == 1 and rank > 1:
        return gamma.view(-1, *(1,) * (rank - 2))
    return gamma.view(*gamma.shape, *(1,) * (rank - gamma.dim()))


@leaky_relu.output_shapes
def _(data: Shape, gamma: Shape | None = None, *, act_type: str) -> tuple[Shape] | None:
    return (data,) if act_type != "rrelu" and gamma is None else None


@leaky_relu.onnx
def _(
    g: GraphBuilder,
    data: Value,
    gamma: Value | None = None,
    *,
    act_type: str,
    slope: float,
    lower_bound: float,
    upper_bound: float,
) -> Value | tuple[Value, ...]:
    refuse_float64(g, "LeakyReLU", data)
    if act_type == "leaky":
        return g.op("LeakyRelu", data, alpha=slope)
    if act_type == "elu":
        return g.op("Elu", data, alpha=slope)
    if act_type == "gelu":
        return g.op("Gelu", data)
    if act_type == "selu":
        return g.op("Selu", data, alpha=SELU_ALPHA, gamma=SELU_SCALE)
    if act_type == "prelu":
        assert gamma is not None
        rank = g.rank(data)
        own = g.rank(gamma)
        added = rank - 2 if own == 1 else rank - own
        if added > 0:
            gamma = g.op("Unsqueeze", gamma, g.ints(range(own, own + added)))
        return g.op("PRelu", data, gamma)
    zero = g.scalar(0.0, data)
    mean = g.scalar((lower_bound + upper_bound) / 2, data)
    mask = g.op("Where", g.op("Greater", data, zero), g.scalar(1.0, data), mean)
    return g.op("Mul", data, mask), mask


@leaky_relu.parameters
def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"gamma": (data[1] if len(data) > 1 else 1,)}


@operator(
    "softmax",
    when={"length": lambda attrs: attrs["use_length"]},
    method="softmax",
    source="MXNet 1.9.1 src/operator/nn/softmax-inl.h",
)
def softmax(
    data: Tensor,
    length: Tensor | None = None,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: DTypeName | None = None,
    use_length: bool = False,
) -> Tensor:
    """Softmax of `data / temperature` along `axis`.

    Under `use_length`, `length` (the shape of `data` without `axis`) says how many leading elements take part; the
    others give 0.
    """
    x = data if temperature is None or temperature == 1.0 else data / temperature
    as_type = None if dtype is None else torch_dtype(dtype)
    if length is None:
        return torch.softmax(x, axis, dtype=as_type)
    steps = torch.arange(data.shape[axis], device=data.device)
    beyond = steps.view(-1, *(1,) * (data.dim() - 1 - axis % data.dim())) >= length.unsqueeze(axis)
    return torch.softmax(x.masked_fill(beyond, -torch.inf), axis, dtype=as_type).masked_fill(beyond, 0.0)


@softmax.output_shapes
def _(data: Shape, length: Shape | None = None, *, axis: int) -> tuple[Shape] | None:
    return (data,) if length is None and -len(data) <= axis < len(data) else None


@softmax.dtypes
def _(data: str | None, *, dtype: str | None) -> dict[str, str | None]:
    return {"data": dtype, "output": dtype or data}


@softmax.onnx
def _(
    g: GraphBuilder,
    data: Value,
    length: Value | None = None,
    *,
    axis: int,
    temperature: float | None,
    dtype: str | None,
) -> Value:
    x = _scaled(g, data, temperature, dtype)
    if length is None:
        return g.op("Softmax", x, axis=axis)
    beyond = _beyond(g, data, length, axis)
    inside = g.op("Softmax", g.op("Where", beyond, g.scalar(float("-inf"), x), x), axis=axis)
    return g.op("Where", beyond, g.scalar(0.0, inside), inside)


def _scaled(g: GraphBuilder, data: Value, temperature: float | None, dtype: str | None) -> Value:
    x = data
    if temperature is not None and temperature != 1.0:
        x = g.op("Div", x, g.scalar(temperature, x))
    return x if dtype is None else g.cast(x, dtype)


def _beyond(g: GraphBuilder, data: Value, length: Value, axis: int) -> Value:
    """Boolean mask of the positions along `axis` at or after `length`."""
    rank = g.rank(data)
    size = g.op("Squeeze", g.op("Slice", g.shape(data), g.ints([axis % rank]), g.ints([axis % rank + 1])))
    steps = g.op("Range", g.const(0, "int64"), size, g.const(1, "int64"))
    after = rank - 1 - axis % rank
    if after:
        steps = g.op("Unsqueeze", steps, g.ints(range(1, after + 1)))
    limit = g.op("Unsqueeze", g.cast(length, "int64"), g.ints([axis % rank]))
    return g.op("GreaterOrEqual", steps, limit)


def _without_length(name: str, op_type: str, negate: bool, doc: str) -> Operator:
    forward = torch.softmax if op_type == "Softmax" else torch.log_softmax

    def along_axis(
        data: Tensor,
        *,
        axis: int = -1,
        temperature: float | None = None,
        dtype: DTypeName | None = None,
        use_length: bool = False,
    ) -> Tensor:
        if use_length:
            raise AttributeValueError(
                f"{name}: has no `length` input: expected use_length=False, got use_length=True. Use `softmax`."
            )
        x = -data if negate else data
        if temperature is not None and temperature != 1.0:
            x = x / temperature
        return forward(x, axis, dtype=None if dtype is None else torch_dtype(dtype))

    along_axis.__name__ = name
    along_axis.__doc__ = doc
    op = operator(name, method=name, source="MXNet 1.9.1 src/operator/nn/softmax-inl.h", shapes="same")(along_axis)

    @op.output_shapes
    def _(data: Shape, *, axis: int, use_length: bool) -> tuple[Shape] | None:
        return (data,) if -len(data) <= axis < len(data) and not use_length else None

    @op.onnx
    def _(g: GraphBuilder, data: Value, *, axis: int, temperature: float | None, dtype: str | None) -> Value:
        x = g.op("Neg", data) if negate else data
        return g.op(op_type, _scaled(g, x, temperature, dtype), axis=axis)

    return op


softmin = _without_length("softmin", "Softmax", True, "Softmax of `-data / temperature` along `axis`.")
log_softmax = _without_length(
    "log_softmax", "LogSoftmax", False, "Logarithm of the softmax of `data / temperature` along `axis`."
)


@operator("SoftmaxActivation", source="MXNet 1.9.1 src/operator/nn/softmax_activation-inl.h", shapes="same")
def softmax_activation(data: Tensor, *, mode: Literal["channel", "instance"] = "instance") -> Tensor:
    """Softmax along axis 1 (`channel`) or along the last axis (`instance`)."""
    return torch.softmax(data, 1 if mode == "channel" else -1)


@softmax_activation.onnx
def _(g: GraphBuilder, data: Value, *, mode: str) -> Value:
    return g.op("Softmax", data, axis=1 if mode == "channel" else -1)


def _softmax_output_probability(data: Tensor, multi_output: bool, preserve_shape: bool) -> Tensor:
    if multi_output:
        return torch.softmax(data, 1)
    if preserve_shape or data.dim() == 2:
        return torch.softmax(data, -1)
    return torch.softmax(data.flatten(1), 1).view(data.shape)


class _SoftmaxOutput(torch.autograd.Function):
    """Softmax whose gradient is that of the cross entropy with `label`, whatever the head gradient."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, label: Tensor, attrs: dict[str, Any]) -> Tensor:
        out = _softmax_output_probability(data, attrs["multi_output"], attrs["preserve_shape"])
        ctx.save_for_backward(out, label)
        ctx.attrs = attrs
        return out

    @staticmethod
    @once_differentiable("SoftmaxOutput")
    def backward(ctx: Any, head: Tensor) -> tuple[Tensor, None, None]:
        out, label = ctx.saved_tensors
        return _softmax_output_gradient(out, label, **ctx.attrs), None, None


def _softmax_output_gradient(
    out: Tensor,
    label: Tensor,
    *,
    grad_scale: float,
    ignore_label: float,
    multi_output: bool,
    use_ignore: bool,
    preserve_shape: bool,
    normalization: Normalization,
    out_grad: bool,
    smooth_alpha: float,
) -> Tensor:
    if label.shape == out.shape:
        gradient = (out - label) * grad_scale
        return gradient * out if out_grad else gradient
    if multi_output:
        probability = out.movedim(1, -1)
    elif preserve_shape or out.dim() == 2:
        probability = out
    else:
        probability = out.flatten(1)
        label = label.flatten()[: out.shape[0]]
    classes = probability.shape[-1]
    label = label.reshape(probability.shape[:-1])
    hit = torch.arange(classes, device=out.device, dtype=label.dtype) == label.unsqueeze(-1)
    if smooth_alpha:
        others = smooth_alpha / (classes - 1)
        gradient = probability - torch.where(hit, 1.0 - smooth_alpha, others).to(out.dtype)
    else:
        gradient = probability - hit.to(out.dtype)
    is_valid = label != ignore_label
    if use_ignore:
        gradient = gradient * is_valid.unsqueeze(-1)
    scale: float | Tensor = grad_scale
    if multi_output and normalization != "valid":
        scale = scale / math.prod(out.shape[2:])
    if normalization == "batch":
        scale = scale / (out.shape[0] if multi_output else label.numel())
    elif normalization == "valid":
        scale = scale / is_valid.sum().clamp(min=1)
    gradient = gradient * scale
    gradient = gradient.movedim(-1, 1) if multi_output else gradient.view(out.shape)
    return gradient * out if out_grad else gradient


@operator(
    "SoftmaxOutput",
    "Softmax",
    source="MXNet 1.9.1 src/operator/softmax_output-inl.h",
    gradient=lambda attrs: "chain" if attrs["out_grad"] else "loss",
)
def softmax_output(
    data: Tensor,
    label: Tensor,
    *,
    grad_scale: float = 1.0,
    ignore_label: float = -1.0,
    multi_output: bool = False,
    use_ignore: bool = False,
    preserve_shape: bool = False,
    normalization: Normalization = "null",
    out_grad: bool = False,
    smooth_alpha: float = 0.0,
) -> Tensor:
    """Softmax of `data`; its gradient is `softmax(data) - onehot(label)`, and the head gradient is not read.

    The classes are axis 1 (`multi_output`), the last axis (`preserve_shape`) or all elements of a sample. `label` holds
    class numbers (the shape of `data` without the class axis; only the first N are read where a class is any element of
    a sample), or probabilities where it has the shape of `data`. Labels equal to `ignore_label` give no gradient
    under `use_ignore`. The gradient is multiplied by `grad_scale` and divided by the number of samples (`batch`) or of
    labels other than `ignore_label` (`valid`); under `multi_output`, unless `valid`, also by the number of positions.
    Under `out_grad` MXNet 1.9.1 multiplies it by the output, and so does this.
    """
    if not (data.requires_grad and torch.is_grad_enabled()):
        return _softmax_output_probability(data, multi_output, preserve_shape)
    attrs = {
        "grad_scale": grad_scale,
        "ignore_label": ignore_label,
        "multi_output": multi_output,
        "use_ignore": use_ignore,
        "preserve_shape": preserve_shape,
        "normalization": normalization,
        "out_grad": out_grad,
        "smooth_alpha": smooth_alpha,
    }
    result: Tensor = _SoftmaxOutput.apply(data, label, attrs)  # type: ignore[no-untyped-call]
    return result


@softmax_output.onnx
def _(g: GraphBuilder, data: Value, label: Value | None, *, multi_output: bool, preserve_shape: bool) -> Value:
    if multi_output or preserve_shape or g.rank(data) == 2:
        return g.op("Softmax", data, axis=1 if multi_output else -1)
    return g.op("Reshape", g.op("Softmax", g.op("Flatten", data, axis=1), axis=1), g.shape(data))


@softmax_output.parameters
def _(data: tuple[int, ...], *, multi_output: bool) -> dict[str, tuple[int, ...]]:
    if multi_output:
        return {"label": (data[0], math.prod(data[2:]))}
    return {"label": data[:-1]}


@operator("softmax_cross_entropy", source="MXNet 1.9.1 src/operator/loss_binary_op-inl.h")
def softmax_cross_entropy(data: Tensor, label: Tensor) -> Tensor:
    """Sum over the batch of `-log softmax(data)[label]`, of shape (1,).

    `data` (N, C), `label` (N,) class numbers.
    """
    if data.dim() != 2 or label.dim() != 1:
        raise InputError(
            "softmax_cross_entropy: wrong rank: expected data (N, C) and label (N,), "
            f"got data={tuple(data.shape)}, label={tuple(label.shape)}."
        )
    return F.nll_loss(torch.log_softmax(data, 1), label.long(), reduction="sum").view(1)


@softmax_cross_entropy.onnx
def _(g: GraphBuilder, data: Value, label: Value) -> Value:
    loss = g.op("SoftmaxCrossEntropyLoss", data, g.cast(label, "int64"), reduction="sum")
    return g.op("Reshape", loss, g.ints([1]))


class _RegressionOutput(torch.autograd.Function):
    """Output layer whose gradient is that of a loss against `label`, whatever the head gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        data: Tensor,
        label: Tensor,
        link: Callable[[Tensor], Tensor],
        residual: Callable[[Tensor], Tensor],
        grad_scale: float,
    ) -> Tensor:
        out = link(data)
        ctx.save_for_backward(out, label)
        ctx.residual, ctx.grad_scale = residual, grad_scale
        return out

    @staticmethod
    @once_differentiable("a regression output")
    def backward(ctx: Any, head: Tensor) -> tuple[Tensor, None, None, None, None]:
        out, label = ctx.saved_tensors
        outputs_per_sample = max(label.numel() // max(label.shape[0], 1), 1)
        gradient = ctx.residual(out - label.reshape(out.shape)) * (ctx.grad_scale / outputs_per_sample)
        return gradient, None, None, None, None


def _identity(x: Tensor) -> Tensor:
    return x


def _copy(x: Tensor) -> Tensor:
    return x.clone()


def _regression_output(
    name: str,
    link: Callable[[Tensor], Tensor],
    residual: Callable[[Tensor], Tensor],
    op_type: str,
    doc: str,
) -> Operator:
    def regression_output(data: Tensor, label: Tensor, *, grad_scale: float = 1.0) -> Tensor:
        if data.numel() != label.numel():
            raise InputError(
                f"{name}: label does not fit the data: expected label={tuple(data.shape)}, "
                f"got label={tuple(label.shape)}."
            )
        if not (data.requires_grad and torch.is_grad_enabled()):
            return link(data)
        result: Tensor = _RegressionOutput.apply(data, label, link, residual, grad_scale)  # type: ignore[no-untyped-call]
        return result

    regression_output.__name__ = name
    regression_output.__doc__ = doc + "\n\n`label` has the shape of `data`, or (N,) for data (N, 1)."
    declare = operator(
        name, f"_sparse_{name}", source="MXNet 1.9.1 src/operator/regression_output-inl.h", gradient="loss"
    )
    op = declare(regression_output)

    @op.onnx
    def _(g: GraphBuilder, data: Value, label: Value | None) -> Value:
        return g.op(op_type, data)

    @op.parameters
    def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"label": data[:1] if len(data) == 2 and data[1] == 1 else data}

    return op


linear_regression_output = _regression_output(
    "LinearRegressionOutput",
    _copy,
    _identity,
    "Identity",
    "`data`; its gradient is `grad_scale * (data - label)` over the number of outputs a sample.",
)
mae_regression_output = _regression_output(
    "MAERegressionOutput",
    _copy,
    torch.sign,
    "Identity",
    "`data`; its gradient is `grad_scale * sign(data - label)` over the number of outputs a sample.",
)
logistic_regression_output = _regression_output(
    "LogisticRegressionOutput",
    torch.sigmoid,
    _identity,
    "Sigmoid",
    "`sigmoid(data)`; its gradient is `grad_scale * (sigmoid(data) - label)` over the number of outputs a sample.",
)
