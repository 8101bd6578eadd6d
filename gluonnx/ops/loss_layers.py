"""Layers that make a gradient of their own: the support vector machine and a penalty on rare activations."""

from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.derivative import once_differentiable
from gluonnx.ops.table import operator


class _Svm(torch.autograd.Function):
    """The scores themselves; the gradient is that of the hinge loss, whatever comes in."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, label: Tensor, margin: float, coefficient: float, use_linear: bool) -> Tensor:
        ctx.save_for_backward(data, label)
        ctx.options = margin, coefficient, use_linear
        return data.clone()

    @staticmethod
    @once_differentiable("SVMOutput")
    def backward(ctx: Any, head: Tensor) -> tuple[Tensor, None, None, None, None]:
        data, label = ctx.saved_tensors
        margin, coefficient, use_linear = ctx.options
        scores = data.reshape(label.numel(), -1)
        classes = torch.arange(scores.shape[1], device=data.device)
        sign = torch.where(classes == label.reshape(-1, 1).long(), -1.0, 1.0).to(data.dtype)
        slack = margin + sign * scores
        gradient = (slack > 0).to(data.dtype) if use_linear else 2 * slack.clamp(min=0)
        return (coefficient * sign * gradient).view(data.shape), None, None, None, None


@operator("SVMOutput", source="MXNet 1.9.1 src/operator/svm_output-inl.h", gradient="loss")
def svm_output(
    data: Tensor,
    label: Tensor,
    *,
    margin: float = 1.0,
    regularization_coefficient: float = 1.0,
    use_linear: bool = False,
) -> Tensor:
    """`data` (N, C), the scores of C classes; their gradient is that of the hinge loss with `label` (N,).

    A class other than the label has the slack `margin + score`, the label has `margin - score`. The loss is the sum of
    positive slacks (`use_linear`) or of their squares, times `regularization_coefficient`. The head gradient is not
    read.

    Raises:
        InputError: `label` has another shape or dtype.
    """
    if data.dim() < 2 or label.shape != data.shape[:-1] or label.dtype != data.dtype:
        raise InputError(
            f"SVMOutput: label does not fit: expected {tuple(data.shape[:-1])} {data.dtype} for data (N, C), "
            f"got label={tuple(label.shape)} {label.dtype}, data={tuple(data.shape)}."
        )
    if not (data.requires_grad and torch.is_grad_enabled()):
        return data.clone()
    result: Tensor = _Svm.apply(data, label, margin, regularization_coefficient, use_linear)  # type: ignore[no-untyped-call]
    return result


@svm_output.onnx
def _(g: GraphBuilder, data: Value, label: Value | None) -> Value:
    return g.op("Identity", data)


@svm_output.parameters
def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"label": data[:-1]}


class _Penalty(torch.autograd.Function):
    """The array itself; a number for each of its columns is added to its gradient."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, extra: Tensor) -> Tensor:
        ctx.save_for_backward(extra)
        return data.clone()

    @staticmethod
    @once_differentiable("IdentityAttachKLSparseReg")
    def backward(ctx: Any, head: Tensor) -> tuple[Tensor, None]:
        (extra,) = ctx.saved_tensors
        return head + extra, None


@operator(
    "IdentityAttachKLSparseReg",
    aux="moving_avg",
    source="MXNet 1.9.1 src/operator/identity_attach_KL_sparse_reg-inl.h",
)
def identity_attach_kl_sparse_reg(
    data: Tensor,
    moving_avg: Tensor,
    *,
    sparseness_target: float = 0.1,
    penalty: float = 0.001,
    momentum: float = 0.9,
    training: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """`data` (N, C) of activations in (0, 1), whose gradient pulls the mean of each column to `sparseness_target`.

    In training `moving_avg` (C,) becomes `momentum * moving_avg + (1 - momentum) * mean`, and
    `penalty * (-target / moving_avg + (1 - target) / (1 - moving_avg))` is added to the gradient.

    Differs: the running mean is stored in forward; MXNet stores it in backward. It is an input of the imperative
    function too, which MXNet cannot call. MXNet gives NaN or wrong values for data of more axes.

    Raises:
        InputError: `data` is not (N, C), or `moving_avg` is not (C,).
    """
    if data.dim() != 2 or moving_avg.shape != data.shape[1:]:
        raise InputError(
            f"IdentityAttachKLSparseReg: moving_avg does not fit: expected data (N, C) and moving_avg (C,), "
            f"got data={tuple(data.shape)}, moving_avg={tuple(moving_avg.shape)}."
        )
    if not training:
        return data.clone(), None
    average = momentum * moving_avg + (1 - momentum) * data.detach().mean(0)
    if not (data.requires_grad and torch.is_grad_enabled()):
        return data.clone(), average
    extra = penalty * (-sparseness_target / average + (1 - sparseness_target) / (1 - average))
    result: Tensor = _Penalty.apply(data, extra)  # type: ignore[no-untyped-call]
    return result, average


@identity_attach_kl_sparse_reg.onnx
def _(g: GraphBuilder, data: Value, moving_avg: Value) -> Value:
    return g.op("Identity", data)


@identity_attach_kl_sparse_reg.parameters
def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"moving_avg": data[1:2]}
