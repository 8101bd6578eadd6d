"""Gradients of gradients: functions that have none say so, and two that have MXNet's.

A `torch.autograd.Function` whose backward is made of torch's operators has a second derivative without further work,
but not always the right one: an output that forward saved is differentiated by the same backward, which is wrong
wherever that is not the function's true derivative. Such a function is `once_differentiable`, or computes the output
again.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import NotSupportedError

__all__ = ["arccosh", "arcsinh", "once_differentiable", "refusal"]

Backward = Callable[..., Any]


def once_differentiable(what: str | Callable[[Any], str]) -> Callable[[Backward], Backward]:
    """Make the backward of a `torch.autograd.Function` one whose results cannot be differentiated.

    `autograd.grad(create_graph=True)` gives the gradients; differentiating them raises NotSupportedError. (torch's own
    decorator gives gradients that look constant where the head gradient is one.)

    Args:
        what: What the error names, the operator; or a function that returns it for a context.
    """

    def decorate(backward: Backward) -> Backward:
        @functools.wraps(backward)
        def wrapped(ctx: Any, *heads: Tensor) -> Any:
            if not torch.is_grad_enabled():
                return backward(ctx, *heads)
            with torch.no_grad():
                found = backward(ctx, *heads)
            name = what if isinstance(what, str) else what(ctx)
            sources = [t for t in (*heads, *ctx.saved_tensors) if isinstance(t, Tensor) and t.requires_grad]
            if isinstance(found, tuple):
                return tuple(_refusing(name, g, sources) for g in found)
            return _refusing(name, found, sources)

        wrapped.is_once_differentiable = True  # type: ignore[attr-defined]
        return wrapped

    return decorate


def refusal(gradient: Tensor) -> str | None:
    """Return why a gradient has no gradient itself, None if nothing in its graph says so."""
    stack, seen = [gradient.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        what = getattr(node, "once_differentiable", None)
        if what is not None:
            return _message(what)
        stack.extend(n for n, _ in node.next_functions)
    return None


def _message(what: str) -> str:
    return (
        f"autograd: {what} has no second derivative: expected a gradient of operators that have one. "
        "Leave it out of what is differentiated twice."
    )


def _refusing(what: str, gradient: Tensor | None, sources: Sequence[Tensor]) -> Tensor | None:
    if gradient is None:
        return None
    # Without a source there is no way to the variables, but the gradient must not look constant.
    reached = sources or [torch.zeros((), dtype=gradient.dtype, device=gradient.device, requires_grad=True)]
    result: Tensor = _Refusing.apply(what, gradient, *reached)  # type: ignore[no-untyped-call]
    return result


class _Refusing(torch.autograd.Function):
    """A gradient in a graph, of which no gradient can be taken."""

    @staticmethod
    def forward(ctx: Any, what: str, gradient: Tensor, *sources: Tensor) -> Tensor:
        ctx.once_differentiable = what
        return gradient.to_dense() if gradient.is_sparse else gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *heads: Tensor) -> Any:
        raise NotSupportedError(_message(ctx.once_differentiable))


def arcsinh(data: Tensor) -> Tensor:
    """`asinh(data)`, with MXNet's second derivative."""
    if not (data.requires_grad and torch.is_grad_enabled()):
        return torch.asinh(data)
    result: Tensor = _InverseHyperbolic.apply(data, torch.asinh, 1)  # type: ignore[no-untyped-call]
    return result


def arccosh(data: Tensor) -> Tensor:
    """`acosh(data)`, with MXNet's second derivative."""
    if not (data.requires_grad and torch.is_grad_enabled()):
        return torch.acosh(data)
    result: Tensor = _InverseHyperbolic.apply(data, torch.acosh, -1)  # type: ignore[no-untyped-call]
    return result


class _InverseHyperbolic(torch.autograd.Function):
    """asinh (`sign=1`) or acosh (-1), whose derivative is `(data ** 2 + sign) ** -1/2`."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, fn: Callable[[Tensor], Tensor], sign: int) -> Tensor:
        ctx.save_for_backward(data)
        ctx.sign = sign
        return fn(data)

    @staticmethod
    def backward(ctx: Any, *heads: Tensor) -> tuple[Tensor, None, None]:
        (data,) = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return heads[0] * _slope(data, ctx.sign), None, None
        return _InverseHyperbolicGradient.apply(heads[0], data, ctx.sign), None, None  # type: ignore[no-untyped-call]


class _InverseHyperbolicGradient(torch.autograd.Function):
    """The gradient of asinh or acosh. Its own is MXNet's, of which the part for the data has the wrong sign."""

    @staticmethod
    def forward(ctx: Any, head: Tensor, data: Tensor, sign: int) -> Tensor:
        ctx.save_for_backward(head, data)
        ctx.sign = sign
        return head * _slope(data, sign)

    @staticmethod
    def backward(ctx: Any, *heads: Tensor) -> tuple[Tensor, Tensor, None]:
        head, data = ctx.saved_tensors
        slope = _slope(data, ctx.sign)
        return heads[0] * slope, heads[0] * head * data * slope**3, None


def _slope(data: Tensor, sign: int) -> Tensor:
    return torch.rsqrt(data * data + sign)
