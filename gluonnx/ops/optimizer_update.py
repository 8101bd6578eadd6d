"""Steps of optimizers on one parameter: the new weight is the output, the states are updated in place.

With `out=weight` the parameter itself is updated. `clip_gradient` bounds each element of the rescaled gradient, a
negative one does not; formulas are in `updates`, which `gluonnx.optimizer` uses too. No gradient goes through a step.

With a row_sparse gradient only the rows that it holds are updated, weight and states alike, where `lazy_update` allows
it; AdaGrad and, for row_sparse weights, Ftrl always do so.

The `mp_` operators keep a float32 copy of a float16 weight, `weight32`, as further state and compute on it.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import InputError, InputTypeError
from gluonnx.ops import updates
from gluonnx.ops.attributes import Float32
from gluonnx.ops.storage import Data, RowStorage, RowUpdate
from gluonnx.ops.table import Operator, operator
from gluonnx.ops.updates import Batch

SOURCE = "MXNet 1.9.1 src/operator/optimizer_op-inl.h"
TRAINS = "it is a step of training, which an ONNX graph has no arrays to update in"
FLOATS = frozenset({torch.float16, torch.float32, torch.float64, torch.bfloat16})

Rule = Callable[[Batch], object]
Tensors = tuple[Tensor, ...]


def limit(clip: float) -> float | None:
    """Return the bound of a gradient's elements that an attribute says: none if negative."""
    return clip if clip >= 0.0 else None


def check_arrays(name: str, **arrays: Tensor) -> None:
    """Raise an error unless all arrays are of floats and of the shape of the first one."""
    (first, weight), *_ = arrays.items()
    for label, array in arrays.items():
        if array.dtype not in FLOATS:
            raise InputTypeError(
                f"{name}: input `{label}` has a wrong dtype: expected floats, "
                f"got {str(array.dtype).removeprefix('torch.')}."
            )
        if array.shape != weight.shape:
            raise InputError(
                f"{name}: shapes differ: expected the shape of {first}, {tuple(weight.shape)}, "
                f"got {label}={tuple(array.shape)}."
            )


@torch.no_grad()
def step(
    op: str,
    rule: Rule,
    weight: Tensor,
    grad: Tensor,
    states: dict[str, Tensor],
    *,
    lr: float,
    wd: float = 0.0,
    scale: float = 1.0,
    clip: float = -1.0,
    count: float = math.inf,
    master: Tensor | None = None,
    states_fit: bool = True,
) -> Tensors:
    """Return the new weight and states, and after them the new float32 copy if there is one."""
    check_arrays(op, weight=weight, grad=grad, **(states if states_fit else {}))
    if master is None:
        if any(t.dtype is not weight.dtype for t in (grad, *states.values())):
            found = ", ".join(str(t.dtype).removeprefix("torch.") for t in (weight, grad, *states.values()))
            raise InputTypeError(f"{op}: dtypes differ: expected one dtype, got {found}.")
        value = weight.clone()
    else:
        check_arrays(op, weight=weight, weight32=master)
        value = master.clone()
        grad = grad.to(value.dtype)
    new = [state.clone() for state in states.values()]
    rule(Batch([0], [value], [grad], [[state] for state in new], [lr], [wd], [count], scale, limit(clip)))
    return (value, *new) if master is None else (value.to(weight.dtype), *new, value)


def update(name: str, *aliases: str, aux: str = "") -> Callable[[Callable[..., Tensors | Tensor]], Operator]:
    """Declare a step."""

    def declare(forward: Callable[..., Tensors | Tensor]) -> Operator:
        op = operator(name, *aliases, aux=aux, gradient="none", source=SOURCE)(forward)
        op.no_onnx(TRAINS)
        return op

    return declare


@update("sgd_update", "_sparse_sgd_update")
def sgd_update(
    weight: Tensor,
    grad: Tensor,
    *,
    lr: Float32,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    lazy_update: bool = True,
) -> Tensor:
    """Gradient descent: `weight - lr * (clip(rescale_grad * grad) + wd * weight)`."""
    rule = functools.partial(updates.sgd, momentum=0.0)
    (value,) = step("sgd_update", rule, weight, grad, {}, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient)
    return value


@update("sgd_mom_update", "_sparse_sgd_mom_update", aux="mom")
def sgd_mom_update(
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    *,
    lr: Float32,
    momentum: Float32 = 0.0,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    lazy_update: bool = True,
) -> Tensors:
    """Gradient descent with momentum; see `updates.sgd`."""
    rule = functools.partial(updates.sgd, momentum=momentum)
    states = {"mom": mom}
    return step("sgd_mom_update", rule, weight, grad, states, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient)


@update("mp_sgd_update", aux="weight32")
def mp_sgd_update(
    weight: Tensor,
    grad: Tensor,
    weight32: Tensor,
    *,
    lr: Float32,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    lazy_update: bool = True,
) -> Tensors:
    """`sgd_update` on a float32 copy."""
    return step(
        "mp_sgd_update",
        functools.partial(updates.sgd, momentum=0.0),
        weight,
        grad,
        {},
        lr=lr,
        wd=wd,
        scale=rescale_grad,
        clip=clip_gradient,
        master=weight32,
    )


@update("mp_sgd_mom_update", aux="mom weight32")
def mp_sgd_mom_update(
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    weight32: Tensor,
    *,
    lr: Float32,
    momentum: Float32 = 0.0,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    lazy_update: bool = True,
) -> Tensors:
    """`sgd_mom_update` on a float32 copy."""
    return step(
        "mp_sgd_mom_update",
        functools.partial(updates.sgd, momentum=momentum),
        weight,
        grad,
        {"mom": mom},
        lr=lr,
        wd=wd,
        scale=rescale_grad,
        clip=clip_gradient,
        master=weight32,
    )


@update("nag_mom_update", aux="mom")
def nag_mom_update(
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    *,
    lr: Float32,
    momentum: Float32 = 0.0,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    into: Tensor | None = None,
) -> Tensors:
    """Nesterov's accelerated gradient; see `updates.nag`."""
    reads_new = into is not None and into.data_ptr() == weight.data_ptr()
    rule = functools.partial(updates.nag, momentum=momentum, reads_new=reads_new)
    states = {"mom": mom}
    return step("nag_mom_update", rule, weight, grad, states, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient)


@update("mp_nag_mom_update", aux="mom weight32")
def mp_nag_mom_update(
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    weight32: Tensor,
    *,
    lr: Float32,
    momentum: Float32 = 0.0,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
) -> Tensors:
    """`nag_mom_update` on a float32 copy."""
    return step(
        "mp_nag_mom_update",
        functools.partial(updates.nag, momentum=momentum),
        weight,
        grad,
        {"mom": mom},
        lr=lr,
        wd=wd,
        scale=rescale_grad,
        clip=clip_gradient,
        master=weight32,
    )


@update("signsgd_update")
def signsgd_update(
    weight: Tensor,
    grad: Tensor,
    *,
    lr: Float32,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
) -> Tensor:
    """`(1 - lr * wd) * weight - lr * sign(grad)`; neither scale nor bound of a gradient changes its sign."""
    (value,) = step("signsgd_update", updates.signsgd, weight, grad, {}, lr=lr, wd=wd)
    return value


@update("signum_update", aux="mom")
def signum_update(
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    *,
    lr: Float32,
    momentum: Float32 = 0.0,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    wd_lh: Float32 = 0.0,
) -> Tensors:
    """Steps in the direction of the sign of the momentum; see `updates.signum`."""
    rule = functools.partial(updates.signum, momentum=momentum, wd_lh=wd_lh)
    states = {"mom": mom}
    return step("signum_update", rule, weight, grad, states, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient)


@update("adam_update", "_sparse_adam_update", aux="mean var")
def adam_update(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    lr: Float32,
    beta1: Float32 = 0.9,
    beta2: Float32 = 0.999,
    epsilon: Float32 = 1e-8,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    lazy_update: bool = True,
) -> Tensors:
    """Adam without correction of the moments, which belongs into `lr`; see `updates.adam`."""
    rule = functools.partial(updates.adam, beta1=beta1, beta2=beta2, epsilon=epsilon)
    states = {"mean": mean, "var": var}
    return step("adam_update", rule, weight, grad, states, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient)


@update("ftml_update", aux="d v z")
def ftml_update(
    weight: Tensor,
    grad: Tensor,
    d: Tensor,
    v: Tensor,
    z: Tensor,
    *,
    lr: Float32,
    beta1: Float32 = 0.6,
    beta2: Float32 = 0.999,
    epsilon: float = 1e-8,
    t: int,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_grad: Float32 = -1.0,
) -> Tensors:
    """Follow the moving leader, the `t`-th step; see `updates.ftml`."""
    rule = functools.partial(updates.ftml, beta1=beta1, beta2=beta2, epsilon=epsilon)
    states = {"d": d, "v": v, "z": z}
    return step(
        "ftml_update", rule, weight, grad, states, lr=lr, wd=wd, scale=rescale_grad, clip=clip_grad, count=float(t)
    )


@update("ftrl_update", "_sparse_ftrl_update", aux="z n")
def ftrl_update(
    weight: Tensor,
    grad: Tensor,
    z: Tensor,
    n: Tensor,
    *,
    lr: Float32,
    lamda1: Float32 = 0.01,
    beta: Float32 = 1.0,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
) -> Tensors:
    """Follow the regularized leader; see `updates.ftrl`."""
    rule = functools.partial(updates.ftrl, lamda1=lamda1, beta=beta)
    states = {"z": z, "n": n}
    return step("ftrl_update", rule, weight, grad, states, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient)


def _clipped(rule: Rule, bound: float) -> Rule:
    """Return a rule that clips the weights at the end, if `bound` is not negative."""

    def clipped(batch: Batch) -> None:
        rule(batch)
        if bound >= 0.0:
            updates.clamp_weights(batch, bound)

    return clipped


@update("rmsprop_update", aux="n")
def rmsprop_update(
    weight: Tensor,
    grad: Tensor,
    n: Tensor,
    *,
    lr: Float32,
    gamma1: Float32 = 0.95,
    epsilon: Float32 = 1e-8,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    clip_weights: Float32 = -1.0,
) -> Tensors:
    """RMSProp as Tieleman and Hinton's; see `updates.rmsprop`."""
    rule = _clipped(functools.partial(updates.rmsprop, gamma1=gamma1, epsilon=epsilon), clip_weights)
    return step("rmsprop_update", rule, weight, grad, {"n": n}, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient)


@update("rmspropalex_update", aux="n g delta")
def rmspropalex_update(
    weight: Tensor,
    grad: Tensor,
    n: Tensor,
    g: Tensor,
    delta: Tensor,
    *,
    lr: Float32,
    gamma1: Float32 = 0.95,
    gamma2: Float32 = 0.9,
    epsilon: Float32 = 1e-8,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    clip_weights: Float32 = -1.0,
) -> Tensors:
    """RMSProp as Graves's; see `updates.rmsprop_centered`."""
    centered = functools.partial(updates.rmsprop_centered, gamma1=gamma1, gamma2=gamma2, epsilon=epsilon)
    rule = _clipped(centered, clip_weights)
    states = {"n": n, "g": g, "delta": delta}
    return step("rmspropalex_update", rule, weight, grad, states, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient)


@update("_sparse_adagrad_update", aux="history")
def adagrad_update(
    weight: Tensor,
    grad: Tensor,
    history: Tensor,
    *,
    lr: Float32,
    epsilon: Float32 = 1e-7,
    wd: Float32 = 0.0,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
) -> Tensors:
    """AdaGrad; see `updates.adagrad`.

    Differs: takes dense gradients and a weight decay too; MXNet has it for row_sparse gradients without one.
    """
    rule = functools.partial(updates.adagrad, epsilon=epsilon)
    states = {"history": history}
    return step(
        "_sparse_adagrad_update", rule, weight, grad, states, lr=lr, wd=wd, scale=rescale_grad, clip=clip_gradient
    )


@update("_contrib_group_adagrad_update", aux="history")
def group_adagrad_update(
    weight: Tensor,
    grad: Tensor,
    history: Tensor,
    *,
    lr: Float32,
    rescale_grad: Float32 = 1.0,
    clip_gradient: Float32 = -1.0,
    epsilon: Float32 = 1e-5,
) -> Tensors:
    """AdaGrad with one rate for each row of `weight` (N, C); `history` is (N, 1). See `updates.group_adagrad`.

    Differs: takes dense gradients too; MXNet has it for row_sparse ones.

    Raises:
        InputError: `weight` is not a matrix, or `history` not (N, 1).
    """
    if weight.dim() != 2 or tuple(history.shape) != (weight.shape[0], 1):
        raise InputError(
            "_contrib_group_adagrad_update: shapes do not fit: expected weight (N, C) and history (N, 1), "
            f"got weight={tuple(weight.shape)}, history={tuple(history.shape)}."
        )
    rule = functools.partial(updates.group_adagrad, epsilon=epsilon)
    return step(
        "_contrib_group_adagrad_update",
        rule,
        weight,
        grad,
        {"history": history},
        lr=lr,
        scale=rescale_grad,
        clip=clip_gradient,
        states_fit=False,
    )


def _rows_of(data: Data, rows: Tensor) -> Tensor:
    if isinstance(data, Tensor):
        return data.detach().index_select(0, rows)
    dense = data.dense()
    return dense.index_select(0, rows)


def _by_rows(op: Operator, *, is_lazy: Callable[..., bool]) -> None:
    """Declare that a row_sparse gradient updates the rows that it holds, where `is_lazy(weight, attributes)`."""

    def rule(weight: Data, grad: Data, *states: Data, **attrs: Any) -> RowUpdate:
        if not isinstance(grad, RowStorage) or not is_lazy(weight, attrs):
            result: RowUpdate = NotImplemented
            return result
        if tuple(grad.shape) != tuple(weight.shape):
            raise InputError(
                f"{op.name}: shapes differ: expected the shape of weight, {tuple(weight.shape)}, "
                f"got grad={tuple(grad.shape)}."
            )
        rows = grad.indices
        held = [_rows_of(state, rows) for state in states]
        new = op.forward(_rows_of(weight, rows), grad.values.detach(), *held, **attrs)
        value, *moved = (new,) if isinstance(new, Tensor) else new
        return RowUpdate(rows, value, tuple(moved))

    op.sparse(rule, is_recorded=True)


for _op in (sgd_update, sgd_mom_update, adam_update):
    _by_rows(_op, is_lazy=lambda weight, attrs: attrs["lazy_update"])
for _op in (adagrad_update, group_adagrad_update):
    _by_rows(_op, is_lazy=lambda weight, attrs: True)
_by_rows(ftrl_update, is_lazy=lambda weight, attrs: isinstance(weight, RowStorage))
