"""Steps of optimizers on several parameters at once, and those of LAMB, LARS and AdamW.

The inputs of an operator on lists are the arrays of the first parameter, then those of the second, and so on; in each,
weight, gradient, states and, for `mp_` operators, the float32 copy. The outputs are the new weights.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops import updates
from gluonnx.ops.attributes import Float32, Floats32, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.optimizer_update import TRAINS, Rule, Tensors, check_arrays, limit, step, update
from gluonnx.ops.table import Attrs, Operator, operator
from gluonnx.ops.updates import Batch

LISTS_SOURCE = "MXNet 1.9.1 src/operator/contrib/multi_*.cc, preloaded_multi_sgd.cc, adamw.cc"


def _outputs(count: str) -> Callable[[Attrs], list[str]]:
    def names(attrs: Attrs) -> list[str]:
        return ["output"] if attrs[count] == 1 else [f"output{i}" for i in range(attrs[count])]

    return names


def _states(count: str, stride: int) -> Callable[[Attrs], list[int]]:
    """Positions of the states: every array after weight and gradient."""

    def positions(attrs: Attrs) -> list[int]:
        return [i * stride + k for i in range(attrs[count]) for k in range(2, stride)]

    return positions


def _declare(name: str, stride: int, count: str = "num_weights") -> Callable[[Callable[..., Tensors]], Operator]:
    """Declare a step on lists with `stride` arrays for each parameter."""

    def declare(forward: Callable[..., Tensors]) -> Operator:
        op = operator(
            name,
            outputs=_outputs(count),
            aux=_states(count, stride),
            gradient="none",
            source=LISTS_SOURCE,
        )(forward)
        op.no_onnx(TRAINS)
        return op

    return declare


@torch.no_grad()
def _steps(
    op: str,
    rule: Rule,
    data: Sequence[Tensor],
    stride: int,
    count: int,
    *,
    lrs: Sequence[float],
    wds: Sequence[float],
    scale: float = 1.0,
    clip: float = -1.0,
    counts: Sequence[float] | None = None,
    has_master: bool = False,
) -> Tensors:
    """Return the new weights, then the new states of the first parameter, of the second, and so on.

    Raises:
        AttributeValueError: There is not one learning rate and weight decay for each parameter.
        InputError: There are not `stride` arrays for each parameter.
    """
    if len(data) != count * stride:
        raise InputError(
            f"{op}: wrong number of inputs: expected {count * stride} ({stride} for each of {count} weights), "
            f"got {len(data)}."
        )
    for label, given in (("learning rates", lrs), ("weight decays", wds)):
        if len(given) != count:
            raise AttributeValueError(f"{op}: wrong number of {label}: expected {count}, got {tuple(given)}.")
    parameters = [data[i * stride : (i + 1) * stride] for i in range(count)]
    for weight, grad, *rest in parameters:
        check_arrays(op, weight=weight, grad=grad, **{f"state{i}": state for i, state in enumerate(rest)})
    values = [p[-1 if has_master else 0].clone() for p in parameters]
    grads = [p[1].to(v.dtype) for p, v in zip(parameters, values, strict=True)]
    kept = stride - 1 if has_master else stride
    states = [[p[k].clone() for p in parameters] for k in range(2, kept)]
    times = [math.inf] * count if counts is None else list(counts)
    rule(Batch(list(range(count)), values, grads, states, list(lrs), list(wds), times, scale, limit(clip)))
    new: list[Tensor] = []
    for i, value in enumerate(values):
        new.extend(column[i] for column in states)
        if has_master:
            new.append(value)
    weights = [v.to(p[0].dtype) for v, p in zip(values, parameters, strict=True)]
    return (*weights, *new)


def _multi_sgd(name: str, *, has_master: bool) -> None:
    stride = 2 + has_master

    @_declare(name, stride)
    def _(
        *data: Tensor,
        lrs: Floats32,
        wds: Floats32,
        rescale_grad: Float32 = 1.0,
        clip_gradient: Float32 = -1.0,
        num_weights: int = 1,
    ) -> Tensors:
        """`sgd_update` of several weights, `mp_sgd_update` for `mp`."""
        rule = functools.partial(updates.sgd, momentum=0.0)
        given: dict[str, Any] = {"scale": rescale_grad, "clip": clip_gradient, "has_master": has_master}
        return _steps(name, rule, data, stride, num_weights, lrs=lrs, wds=wds, **given)


def _multi_sgd_mom(name: str, *, has_master: bool) -> None:
    stride = 3 + has_master

    @_declare(name, stride)
    def _(
        *data: Tensor,
        lrs: Floats32,
        wds: Floats32,
        momentum: Float32 = 0.0,
        rescale_grad: Float32 = 1.0,
        clip_gradient: Float32 = -1.0,
        num_weights: int = 1,
    ) -> Tensors:
        """`sgd_mom_update` of several weights, `mp_sgd_mom_update` for `mp`."""
        rule = functools.partial(updates.sgd, momentum=momentum)
        given: dict[str, Any] = {"scale": rescale_grad, "clip": clip_gradient, "has_master": has_master}
        return _steps(name, rule, data, stride, num_weights, lrs=lrs, wds=wds, **given)


def _numbers(tensor: Tensor) -> list[float]:
    """The values of a vector, zeros of a meta tensor."""
    return [0.0] * tensor.numel() if tensor.is_meta else tensor.tolist()


def _preloaded_sgd(name: str, *, has_master: bool) -> None:
    stride = 2 + has_master

    @_declare(name, stride)
    def _(*data: Tensor, rescale_grad: Float32 = 1.0, clip_gradient: Float32 = -1.0, num_weights: int = 1) -> Tensors:
        """`multi_sgd_update` (`multi_mp_sgd_update` for `mp`) whose last inputs are the learning rates and decays."""
        *arrays, lrs, wds = data
        rule = functools.partial(updates.sgd, momentum=0.0)
        given: dict[str, Any] = {"scale": rescale_grad, "clip": clip_gradient, "has_master": has_master}
        return _steps(name, rule, arrays, stride, num_weights, lrs=_numbers(lrs), wds=_numbers(wds), **given)


def _preloaded_sgd_mom(name: str, *, has_master: bool) -> None:
    stride = 3 + has_master

    @_declare(name, stride)
    def _(
        *data: Tensor,
        momentum: Float32 = 0.0,
        rescale_grad: Float32 = 1.0,
        clip_gradient: Float32 = -1.0,
        num_weights: int = 1,
    ) -> Tensors:
        """`multi_sgd_mom_update` (`multi_mp_sgd_mom_update`) whose last inputs are the learning rates and decays."""
        *arrays, lrs, wds = data
        rule = functools.partial(updates.sgd, momentum=momentum)
        given: dict[str, Any] = {"scale": rescale_grad, "clip": clip_gradient, "has_master": has_master}
        return _steps(name, rule, arrays, stride, num_weights, lrs=_numbers(lrs), wds=_numbers(wds), **given)


_multi_sgd("multi_sgd_update", has_master=False)
_multi_sgd("multi_mp_sgd_update", has_master=True)
_multi_sgd_mom("multi_sgd_mom_update", has_master=False)
_multi_sgd_mom("multi_mp_sgd_mom_update", has_master=True)
_preloaded_sgd("preloaded_multi_sgd_update", has_master=False)
_preloaded_sgd("preloaded_multi_mp_sgd_update", has_master=True)
_preloaded_sgd_mom("preloaded_multi_sgd_mom_update", has_master=False)
_preloaded_sgd_mom("preloaded_multi_mp_sgd_mom_update", has_master=True)


def _multi_lamb(name: str, *, has_master: bool) -> None:
    stride = 4 + has_master

    @_declare(name, stride, "num_tensors")
    def _(
        *data: Tensor,
        learning_rates: Floats32,
        beta1: Float32 = 0.9,
        beta2: Float32 = 0.999,
        epsilon: Float32 = 1e-6,
        wds: Floats32,
        rescale_grad: Float32 = 1.0,
        lower_bound: Float32 = -1.0,
        upper_bound: Float32 = -1.0,
        clip_gradient: Float32 = -1.0,
        bias_correction: bool = True,
        step_count: Shape,
        num_tensors: int = 1,
    ) -> Tensors:
        """LAMB of several weights, of which each has its count of steps; see `updates.lamb`.

        Raises:
            AttributeValueError: There is not one learning rate, weight decay and count for each weight.
        """
        if len(step_count) != num_tensors:
            raise AttributeValueError(
                f"{name}: wrong number of counts: expected {num_tensors}, got step_count={step_count}."
            )
        rule = functools.partial(
            updates.lamb,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            lower_bound=limit(lower_bound),
            upper_bound=limit(upper_bound),
            weight_norms=_norms(data[::stride]) if has_master else None,  # of the float16 weights, as MXNet's
        )
        counts = [float(t) for t in step_count] if bias_correction else None
        given: dict[str, Any] = {"scale": rescale_grad, "clip": clip_gradient, "has_master": has_master}
        return _steps(name, rule, data, stride, num_tensors, lrs=learning_rates, wds=wds, counts=counts, **given)


def _norms(arrays: Sequence[Tensor]) -> list[float]:
    return _numbers(torch.stack([_sum_of_squares(a) for a in arrays]).sqrt())


def _sum_of_squares(array: Tensor) -> Tensor:
    """The sum of squares, 0-D; those of float16 are rounded to it before they are added, as MXNet's are."""
    flat = array.flatten()
    if flat.dtype in (torch.float16, torch.bfloat16):
        return (flat * flat).float().sum()
    return torch.dot(flat, flat)


_multi_lamb("_multi_lamb_update", has_master=False)
_multi_lamb("_multi_mp_lamb_update", has_master=True)


def _usable_scale(rescale_grad: Tensor) -> float | None:
    """Return the factor of the gradients, None where a step must not be made: it is 0, infinite or not a number.

    An overflow of float16 gradients is told in this way.
    """
    if rescale_grad.is_meta:
        return 1.0
    scale = float(rescale_grad)
    return scale if math.isfinite(scale) and scale != 0.0 else None


def _check_scale(op: str, rescale_grad: Tensor) -> None:
    if rescale_grad.numel() != 1:
        raise InputError(
            f"{op}: wrong shape of rescale_grad: expected one element, got rescale_grad={tuple(rescale_grad.shape)}."
        )


def _multi_adamw(name: str, *, has_master: bool) -> None:
    stride = 4 + has_master

    @_declare(name, stride)
    def _(
        *data: Tensor,
        lrs: Floats32,
        beta1: Float32 = 0.9,
        beta2: Float32 = 0.999,
        epsilon: Float32 = 1e-8,
        wds: Floats32,
        etas: Floats32,
        clip_gradient: Float32 = -1.0,
        num_weights: int = 1,
    ) -> Tensors:
        """AdamW of several weights; the last input is the factor of the gradients, as in `_adamw_update`.

        Raises:
            AttributeValueError: There is not one learning rate, weight decay and eta for each weight.
        """
        *arrays, rescale_grad = data
        _check_scale(name, rescale_grad)
        if len(etas) != num_weights:
            raise AttributeValueError(f"{name}: wrong number of etas: expected {num_weights}, got etas={etas}.")
        scale = _usable_scale(rescale_grad)
        rule = functools.partial(updates.adamw, beta1=beta1, beta2=beta2, epsilon=epsilon, etas=etas)
        given: dict[str, Any] = {"scale": scale or 1.0, "clip": clip_gradient, "has_master": has_master}
        chosen = _stay if scale is None else rule
        return _steps(name, chosen, arrays, stride, num_weights, lrs=lrs, wds=wds, **given)


def _stay(batch: Batch) -> None:
    """Change nothing."""


_multi_adamw("_multi_adamw_update", has_master=False)
_multi_adamw("_multi_mp_adamw_update", has_master=True)


def _adamw_rule(scale: float | None, beta1: float, beta2: float, epsilon: float, eta: float) -> Rule:
    if scale is None:
        return _stay
    return functools.partial(updates.adamw, beta1=beta1, beta2=beta2, epsilon=epsilon, etas=[eta])


@update("_adamw_update", aux="mean var")
def adamw_update(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    rescale_grad: Tensor,
    *,
    lr: Float32,
    beta1: Float32 = 0.9,
    beta2: Float32 = 0.999,
    epsilon: Float32 = 1e-8,
    wd: Float32 = 0.0,
    eta: Float32,
    clip_gradient: Float32 = -1.0,
) -> Tensors:
    """AdamW; see `updates.adamw`. `rescale_grad` is an array of one element.

    Where `rescale_grad` is 0, infinite or not a number, nothing changes.

    Differs: MXNet leaves the rescaled gradient in the gradient array; here it stays as it was.
    """
    _check_scale("_adamw_update", rescale_grad)
    scale = _usable_scale(rescale_grad)
    rule = _adamw_rule(scale, beta1, beta2, epsilon, eta)
    states = {"mean": mean, "var": var}
    return step("_adamw_update", rule, weight, grad, states, lr=lr, wd=wd, scale=scale or 1.0, clip=clip_gradient)


@update("_mp_adamw_update", aux="mean var weight32")
def mp_adamw_update(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    weight32: Tensor,
    rescale_grad: Tensor,
    *,
    lr: Float32,
    beta1: Float32 = 0.9,
    beta2: Float32 = 0.999,
    epsilon: Float32 = 1e-8,
    wd: Float32 = 0.0,
    eta: Float32,
    clip_gradient: Float32 = -1.0,
) -> Tensors:
    """`_adamw_update` on a float32 copy."""
    _check_scale("_mp_adamw_update", rescale_grad)
    scale = _usable_scale(rescale_grad)
    return step(
        "_mp_adamw_update",
        _adamw_rule(scale, beta1, beta2, epsilon, eta),
        weight,
        grad,
        {"mean": mean, "var": var},
        lr=lr,
        wd=wd,
        scale=scale or 1.0,
        clip=clip_gradient,
        master=weight32,
    )


def _lamb_phase1(
    op: str, weight: Tensor, grad: Tensor, mean: Tensor, var: Tensor, betas: tuple[float, float], **given: Any
) -> Tensors:
    """Return LAMB's step and the new moments."""
    epsilon = given.pop("epsilon")
    found: list[Tensor] = []

    def rule(batch: Batch) -> None:
        found.extend(updates.lamb_steps(batch, *betas, epsilon))

    _, *moments = step(op, rule, weight, grad, {"mean": mean, "var": var}, lr=0.0, **given)
    return (found[0], *moments)


@update("lamb_update_phase1", aux="mean var")
def lamb_update_phase1(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    beta1: Float32 = 0.9,
    beta2: Float32 = 0.999,
    epsilon: Float32 = 1e-6,
    t: int,
    bias_correction: bool = True,
    wd: Float32,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
) -> Tensors:
    """LAMB's step before it is scaled; see `updates.lamb_steps`."""
    return _lamb_phase1(
        "lamb_update_phase1",
        weight,
        grad,
        mean,
        var,
        (beta1, beta2),
        epsilon=epsilon,
        wd=wd,
        scale=rescale_grad,
        clip=clip_gradient,
        count=float(t) if bias_correction else math.inf,
    )


@update("mp_lamb_update_phase1", aux="mean var")
def mp_lamb_update_phase1(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    weight32: Tensor,
    *,
    beta1: Float32 = 0.9,
    beta2: Float32 = 0.999,
    epsilon: Float32 = 1e-6,
    t: int,
    bias_correction: bool = True,
    wd: Float32,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
) -> Tensors:
    """`lamb_update_phase1` from the float32 copy, which it does not change; the step is float32."""
    check_arrays("mp_lamb_update_phase1", weight=weight, weight32=weight32)
    return _lamb_phase1(
        "mp_lamb_update_phase1",
        weight32,
        grad.to(weight32.dtype),
        mean,
        var,
        (beta1, beta2),
        epsilon=epsilon,
        wd=wd,
        scale=rescale_grad,
        clip=clip_gradient,
        count=float(t) if bias_correction else math.inf,
    )


@torch.no_grad()
def _lamb_phase2(
    op: str, weight: Tensor, g: Tensor, r1: Tensor, r2: Tensor, lr: float, lower_bound: float, upper_bound: float
) -> Tensor:
    """Return `weight - lr * clip(r1) / r2 * g`, with ratio 1 where a norm is 0."""
    check_arrays(op, weight=weight, g=g)
    for label, norm in (("r1", r1), ("r2", r2)):
        if tuple(norm.shape) != (1,):
            raise InputError(f"{op}: wrong shape of {label}: expected (1,), got {label}={tuple(norm.shape)}.")
    if lower_bound >= 0.0:
        r1 = r1.clamp_min(lower_bound)
    if upper_bound >= 0.0:
        r1 = r1.clamp_max(upper_bound)
    ratio = torch.where((r1 == 0) | (r2 == 0), torch.ones_like(r1), r1 / r2)
    return weight - g * (ratio * lr)


@update("lamb_update_phase2")
def lamb_update_phase2(
    weight: Tensor,
    g: Tensor,
    r1: Tensor,
    r2: Tensor,
    *,
    lr: Float32,
    lower_bound: Float32 = -1.0,
    upper_bound: Float32 = -1.0,
) -> Tensor:
    """Take LAMB's step `g`, scaled by the norms `r1` of the weight and `r2` of `g`; see `updates.lamb`."""
    return _lamb_phase2("lamb_update_phase2", weight, g, r1, r2, lr, lower_bound, upper_bound)


@update("mp_lamb_update_phase2")
def mp_lamb_update_phase2(
    weight: Tensor,
    g: Tensor,
    r1: Tensor,
    r2: Tensor,
    weight32: Tensor,
    *,
    lr: Float32,
    lower_bound: Float32 = -1.0,
    upper_bound: Float32 = -1.0,
) -> Tensor:
    """`lamb_update_phase2` from a float32 copy, which stays as it was: MXNet does not write it either."""
    value = _lamb_phase2("mp_lamb_update_phase2", weight32, g, r1, r2, lr, lower_bound, upper_bound)
    return value.to(weight.dtype)


@operator("multi_lars", gradient="none", source="MXNet 1.9.1 src/operator/contrib/multi_lars-inl.h")
def multi_lars(
    lrs: Tensor,
    weights_sum_sq: Tensor,
    grads_sum_sq: Tensor,
    wds: Tensor,
    *,
    eta: Float32,
    eps: Float32,
    rescale_grad: Float32 = 1.0,
) -> Tensor:
    """Learning rates (N,) of layers from the sums of squares (N,) of their weights and gradients.

    `lr * eta * |weight| / (|rescale_grad * grad| + wd * |weight| + eps)` where both norms are positive, otherwise `lr`.
    """
    check_arrays("multi_lars", lrs=lrs, weights_sum_sq=weights_sum_sq, grads_sum_sq=grads_sum_sq, wds=wds)
    with torch.no_grad():
        weights, grads = weights_sum_sq.sqrt(), grads_sum_sq.sqrt()
        scaled = lrs * eta * weights / (grads * rescale_grad + wds * weights + eps)
        return torch.where((weights > 0) & (grads > 0), scaled, lrs)


multi_lars.no_onnx(TRAINS)


@operator("multi_sum_sq", gradient="none", source="MXNet 1.9.1 src/operator/contrib/multi_sum_sq-inl.h")
def multi_sum_sq(*data: Tensor, num_arrays: int) -> Tensor:
    """Sums of squares of arrays of one dtype, (num_arrays,) float32.

    Raises:
        InputError: There are not `num_arrays` arrays.
    """
    if len(data) != num_arrays:
        raise InputError(f"multi_sum_sq: wrong number of inputs: expected num_arrays={num_arrays}, got {len(data)}.")
    for array in data:
        check_arrays("multi_sum_sq", data=array)
    with torch.no_grad():
        return torch.stack([_sum_of_squares(array) for array in data]).to(torch.float32)


@multi_sum_sq.onnx
def _(g: GraphBuilder, *data: Value) -> Value:
    sums = []
    for array in data:
        square = g.op("Mul", array, array)
        wide = square if g.dtype(array) == "float64" else g.cast(square, "float32")
        sums.append(g.op("Reshape", g.op("ReduceSum", wide, keepdims=0), g.ints([1])))
    return g.cast(g.op("Concat", *sums, axis=0), "float32")
