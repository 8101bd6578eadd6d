"""The arithmetic of the optimizers, on lists of tensors and in place: operators and optimizers both call it.

A `Batch` holds what is updated together. In the formulas `g` is `clip(scale * grad)` and `d` is
`clip(scale * grad + wd * weight)`.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

SMALLEST_FOLDED_LR = 1e-6
"""Below this `1 - (1 + lr)` loses digits that float32 has."""


@dataclass(slots=True)
class Batch:
    """Parameters of one dtype and device that are updated together.

    Attributes:
        indices: Their indices.
        weights: Their values, changed in place.
        grads: Their gradients as they came; not changed.
        states: For each array of the state, that array of every parameter; None for one that the optimizer leaves out.
        lrs: Learning rates, with multipliers.
        wds: Weight decays, with multipliers.
        counts: How many updates each has had, this one included; infinity where no average is to be corrected for its
            start at zero.
        scale: Factor of every gradient.
        bound: Bound of the absolute value of each element of a gradient, None for no bound.
    """

    indices: list[Any]
    weights: list[Tensor]
    grads: list[Tensor]
    states: list[list[Tensor]]
    lrs: list[float]
    wds: list[float]
    counts: Sequence[float]
    scale: float = 1.0
    bound: float | None = None

    def alike(self) -> Iterator["Batch"]:
        """Yield the parts whose learning rate, weight decay and count are equal."""
        if len(set(zip(self.lrs, self.wds, self.counts, strict=True))) <= 1:
            yield self
            return
        parts: dict[tuple[float, float, float], list[int]] = defaultdict(list)
        for i, key in enumerate(zip(self.lrs, self.wds, self.counts, strict=True)):
            parts[key].append(i)
        for positions in parts.values():
            yield self.take(positions)

    def take(self, positions: Sequence[int]) -> "Batch":
        """Return the part at some positions."""
        return replace(
            self,
            indices=[self.indices[i] for i in positions],
            weights=[self.weights[i] for i in positions],
            grads=[self.grads[i] for i in positions],
            states=[[column[i] for i in positions] for column in self.states],
            lrs=[self.lrs[i] for i in positions],
            wds=[self.wds[i] for i in positions],
            counts=[self.counts[i] for i in positions],
        )

    def has_same_layout(self) -> bool:
        """Whether fused kernels, which walk the memory of all arrays in one order, may be used."""
        first = self.weights[0]
        dtype = first.dtype
        if (dtype is not torch.float32 and dtype is not torch.float64) or first.is_meta:
            return False
        for tensors in (self.weights, self.grads, *self.states):
            for tensor in tensors:
                if tensor.dtype is not dtype or not tensor.is_contiguous():
                    return False
        return True

    def gradients(self, *, decay: bool) -> list[Tensor]:
        """Return new gradients: `d` if `decay`, otherwise `g`."""
        grads = list(torch._foreach_mul(self.grads, self.scale))
        if decay:
            self.add_decay(grads)
        if self.bound is not None:
            torch._foreach_clamp_min_(grads, -self.bound)
            torch._foreach_clamp_max_(grads, self.bound)
        return grads

    def add_decay(self, grads: list[Tensor]) -> None:
        """Add `wd * weight` to each gradient in place."""
        wds = self.wds
        if not any(wds):
            return
        if len(set(wds)) == 1:
            torch._foreach_add_(grads, self.weights, alpha=wds[0])
        else:
            torch._foreach_add_(grads, torch._foreach_mul(self.weights, wds))

    def descend(self, targets: list[Tensor], steps: Sequence[Tensor]) -> None:
        """Subtract `lr * step` from each target in place."""
        add_scaled(targets, steps, [-lr for lr in self.lrs])


def add_scaled(targets: list[Tensor], sources: Sequence[Tensor], scales: Sequence[float]) -> None:
    """Add `scale * source` to each target in place."""
    if len(set(scales)) == 1:
        torch._foreach_add_(targets, list(sources), alpha=scales[0])
    else:
        torch._foreach_add_(targets, torch._foreach_mul(list(sources), list(scales)))


def l2_norms(tensors: Sequence[Tensor]) -> list[float]:
    """Return the L2 norm of each tensor, in one transfer."""
    norms = torch._foreach_norm([t if t.dtype is torch.float64 else t.float() for t in tensors])
    return [float(n) if math.isfinite(n) else float("nan") for n in torch.stack(list(norms)).tolist()]


def clamp_weights(batch: Batch, bound: float) -> None:
    """Clip the weights to `[-bound, bound]`."""
    torch._foreach_clamp_min_(batch.weights, -bound)
    torch._foreach_clamp_max_(batch.weights, bound)


def sgd(batch: Batch, momentum: float) -> None:
    """Gradient descent; without states it has no momentum.

        mom = momentum * mom - lr * (g + wd * weight)
        weight += mom

    Torch's fused SGD computes `buf = momentum * buf + (1 - dampening) * (grad + decay * w); w -= rate * buf`, which is
    this update with rate -1 and dampening 1 + lr; rescaling goes into the two factors, so no gradient is copied.

    Source: MXNet 1.9.1 src/operator/optimizer_op-inl.h, sgd_update and sgd_mom_update.
    """
    if not batch.has_same_layout() or (batch.states and momentum == 0.0):
        grads = batch.gradients(decay=False)
        batch.add_decay(grads)
        if batch.states:
            torch._foreach_mul_(batch.states[0], momentum)
            batch.descend(batch.states[0], grads)
            torch._foreach_add_(batch.weights, batch.states[0])
        else:
            batch.descend(batch.weights, grads)
        return
    for part in batch.alike():
        lr, wd, scale = part.lrs[0], part.wds[0], part.scale
        grads = part.grads
        if part.bound is not None or lr * scale < SMALLEST_FOLDED_LR:
            grads, scale = part.gradients(decay=False), 1.0
        mom = part.states[0] if part.states else []
        torch._fused_sgd_(
            part.weights,
            grads,
            mom,
            weight_decay=wd / scale,
            momentum=momentum if mom else 0.0,
            lr=-1.0 if mom else lr * scale,
            dampening=1.0 + lr * scale if mom else 0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )
        increment_version([*part.weights, *mom])


def nag(batch: Batch, momentum: float, *, reads_new: bool = True) -> None:
    """Nesterov's accelerated gradient.

        weight += momentum * (momentum * mom - lr * (g + wd * weight)) - lr * (g + wd * weight)
        mom = momentum * mom - lr * (g + wd * weight)       with the new weight if `reads_new`

    Source: MXNet 1.9.1 nag_mom_update by experiment: it writes the output before it reads the weight again for the
    momentum, and the two are one array in training.
    """
    rates = [-lr for lr in batch.lrs]
    plain = batch.gradients(decay=False)
    steps = [g.clone() for g in plain]
    batch.add_decay(steps)
    torch._foreach_mul_(steps, rates)
    (mom,) = batch.states
    torch._foreach_mul_(mom, momentum)
    torch._foreach_add_(batch.weights, torch._foreach_add(mom, steps), alpha=momentum)
    torch._foreach_add_(batch.weights, steps)
    if reads_new:
        batch.add_decay(plain)
        torch._foreach_mul_(plain, rates)
        steps = plain
    torch._foreach_add_(mom, steps)


def signsgd(batch: Batch) -> None:
    """`weight = (1 - lr * wd) * weight - lr * sign(grad)`.

    Source: MXNet 1.9.1 optimizer_op-inl.h, signsgd_update.
    """
    signs = torch._foreach_sign(batch.grads)
    torch._foreach_mul_(batch.weights, [1 - lr * wd for lr, wd in zip(batch.lrs, batch.wds, strict=True)])
    batch.descend(batch.weights, signs)


def signum(batch: Batch, momentum: float, wd_lh: float) -> None:
    """Steps of one size in the direction of the sign of the momentum.

        mom = momentum * mom - (1 - momentum) * (g + wd * weight)
        weight = (1 - lr * wd_lh) * weight + lr * sign(mom)

    Source: Bernstein et al., https://arxiv.org/abs/1802.04434; MXNet 1.9.1 optimizer_op-inl.h, signum_update.
    """
    grads = batch.gradients(decay=False)
    batch.add_decay(grads)
    (mom,) = batch.states
    torch._foreach_mul_(mom, momentum)
    torch._foreach_add_(mom, grads, alpha=-(1 - momentum))
    if wd_lh:
        torch._foreach_mul_(batch.weights, [1 - lr * wd_lh for lr in batch.lrs])
    add_scaled(batch.weights, torch._foreach_sign(mom), batch.lrs)


def move_moments(batch: Batch, grads: list[Tensor], beta1: float, beta2: float) -> None:
    """Move the states (mean, variance) towards the gradients and their squares."""
    mean, var = batch.states
    torch._foreach_mul_(mean, beta1)
    torch._foreach_add_(mean, grads, alpha=1.0 - beta1)
    torch._foreach_mul_(var, beta2)
    torch._foreach_addcmul_(var, grads, grads, 1.0 - beta2)


def _rest(beta: float, count: float) -> float:
    """Return how much of its final size an average has after `count` steps: `1 - beta ** count`."""
    return 1.0 if count == math.inf else 1.0 - beta**count


def adam(batch: Batch, beta1: float, beta2: float, epsilon: float) -> None:
    """Adam.

        mean = beta1 * mean + (1 - beta1) * d
        var = beta2 * var + (1 - beta2) * d ** 2
        weight -= lr * sqrt(1 - beta2 ** t) / (1 - beta1 ** t) * mean / (sqrt(var) + epsilon)

    Source: Kingma and Ba, https://arxiv.org/abs/1412.6980; MXNet 1.9.1 optimizer_op-inl.h, adam_update.
    """
    for part in batch.alike():
        lr, count = part.lrs[0], part.counts[0]
        mean_rest, var_rest = _rest(beta1, count), _rest(beta2, count)
        if beta1 < 1.0 and beta2 < 1.0 and part.has_same_layout():
            _adam_fused(part, beta1, beta2, epsilon / math.sqrt(var_rest))
            continue
        move_moments(part, part.gradients(decay=True), beta1, beta2)
        mean, var = part.states
        roots = list(torch._foreach_sqrt(var))
        torch._foreach_add_(roots, epsilon)
        torch._foreach_addcdiv_(part.weights, mean, roots, -lr * math.sqrt(var_rest) / mean_rest)


def _adam_fused(part: Batch, beta1: float, beta2: float, epsilon: float) -> None:
    """Update by torch's fused Adam, which divides by `sqrt(var / (1 - beta2 ** t)) + epsilon`."""
    wd = part.wds[0]
    grads = part.grads
    if part.bound is not None:
        grads, wd = part.gradients(decay=True), 0.0
    elif part.scale != 1.0:
        grads = list(torch._foreach_mul(grads, part.scale))
    mean, var = part.states
    step = torch.full((), float(part.counts[0]), dtype=torch.float32, device=part.weights[0].device)
    torch._fused_adam_(
        part.weights,
        grads,
        mean,
        var,
        [],
        [step] * len(grads),
        lr=part.lrs[0],
        beta1=beta1,
        beta2=beta2,
        weight_decay=wd,
        eps=epsilon,
        amsgrad=False,
        maximize=False,
    )
    increment_version([*part.weights, *mean, *var])


def adamw(batch: Batch, beta1: float, beta2: float, epsilon: float, etas: Sequence[float]) -> None:
    """Adam with decoupled weight decay; the moments are not corrected.

        mean = beta1 * mean + (1 - beta1) * g;  var = beta2 * var + (1 - beta2) * g ** 2
        weight -= eta * (lr * mean / (sqrt(var) + epsilon) + wd * weight)

    Source: Loshchilov and Hutter, https://arxiv.org/abs/1711.05101; MXNet 1.9.1 contrib/adamw-inl.h.
    """
    move_moments(batch, batch.gradients(decay=False), beta1, beta2)
    mean, var = batch.states
    roots = list(torch._foreach_sqrt(var))
    torch._foreach_add_(roots, epsilon)
    steps = list(torch._foreach_div(mean, roots))
    torch._foreach_mul_(steps, batch.lrs)
    batch.add_decay(steps)
    add_scaled(batch.weights, steps, [-eta for eta in etas])


def lamb_steps(batch: Batch, beta1: float, beta2: float, epsilon: float) -> list[Tensor]:
    """Move the moments and return LAMB's steps, `mean' / (sqrt(var') + epsilon) + wd * weight`.

    mean' and var' are corrected for their start at zero.

    Source: You et al., https://arxiv.org/abs/1904.00962; MXNet 1.9.1 optimizer_op-inl.h, lamb_update_phase1.
    """
    move_moments(batch, batch.gradients(decay=False), beta1, beta2)
    mean, var = batch.states
    steps = list(torch._foreach_div(mean, [_rest(beta1, t) for t in batch.counts]))
    roots = list(torch._foreach_div(var, [_rest(beta2, t) for t in batch.counts]))
    torch._foreach_sqrt_(roots)
    torch._foreach_add_(roots, epsilon)
    torch._foreach_div_(steps, roots)
    batch.add_decay(steps)
    return steps


def lamb(
    batch: Batch,
    beta1: float,
    beta2: float,
    epsilon: float,
    lower_bound: float | None,
    upper_bound: float | None,
    weight_norms: Sequence[float] | None = None,
) -> None:
    """Adam whose step is scaled for each parameter to the norm of its weights.

        weight -= lr * clip(|weight|, lower_bound, upper_bound) / |step| * step     (lr * step if a norm is 0)

    `weight_norms` are taken for the norms of the weights, if given.

    Source: as `lamb_steps`, and lamb_update_phase2.
    """
    steps = lamb_steps(batch, beta1, beta2, epsilon)
    if batch.weights[0].is_meta:  # norms are values
        return
    norms = zip(weight_norms or l2_norms(batch.weights), l2_norms(steps), strict=True)
    ratios = [_ratio(weight, step, lower_bound, upper_bound) for weight, step in norms]
    add_scaled(batch.weights, steps, [-lr * ratio for lr, ratio in zip(batch.lrs, ratios, strict=True)])


def _ratio(weight_norm: float, step_norm: float, lower_bound: float | None, upper_bound: float | None) -> float:
    if lower_bound is not None:
        weight_norm = max(weight_norm, lower_bound)
    if upper_bound is not None:
        weight_norm = min(weight_norm, upper_bound)
    return 1.0 if weight_norm == 0.0 or step_norm == 0.0 else weight_norm / step_norm


def adagrad(batch: Batch, epsilon: float) -> None:
    """AdaGrad.

        history += g ** 2
        weight -= lr * (g / sqrt(history + epsilon) + wd * weight)

    Source: Duchi et al., http://www.jmlr.org/papers/volume12/duchi11a/duchi11a.pdf; MXNet 1.9.1 optimizer.py.
    """
    grads = batch.gradients(decay=False)
    (history,) = batch.states
    torch._foreach_addcmul_(history, grads, grads)
    roots = list(torch._foreach_add(history, epsilon))
    torch._foreach_sqrt_(roots)
    torch._foreach_div_(grads, roots)
    batch.add_decay(grads)
    batch.descend(batch.weights, grads)


def group_adagrad(batch: Batch, epsilon: float) -> None:
    """AdaGrad with one learning rate for each row; without weight decay.

        history += mean(g ** 2, axis=1, keepdims=True)
        weight -= lr * g / sqrt(history + epsilon)

    Source: MXNet 1.9.1 python/mxnet/optimizer/contrib.py.
    """
    grads = batch.gradients(decay=False)
    (history,) = batch.states
    squares = torch._foreach_mul(grads, grads)
    torch._foreach_add_(history, [s.mean(1, keepdim=True) for s in squares])
    roots = list(torch._foreach_add(history, epsilon))
    torch._foreach_sqrt_(roots)
    batch.descend(batch.weights, [g / r for g, r in zip(grads, roots, strict=True)])


def rmsprop(batch: Batch, gamma1: float, epsilon: float) -> None:
    """RMSProp as Tieleman and Hinton's.

        n = gamma1 * n + (1 - gamma1) * d ** 2
        weight -= lr * d / sqrt(n + epsilon)

    Source: MXNet 1.9.1 optimizer_op-inl.h, rmsprop_update.
    """
    grads = batch.gradients(decay=True)
    (squares,) = batch.states
    torch._foreach_mul_(squares, gamma1)
    torch._foreach_addcmul_(squares, grads, grads, 1.0 - gamma1)
    roots = list(torch._foreach_add(squares, epsilon))
    torch._foreach_sqrt_(roots)
    torch._foreach_div_(grads, roots)
    batch.descend(batch.weights, grads)


def rmsprop_centered(batch: Batch, gamma1: float, gamma2: float, epsilon: float) -> None:
    """RMSProp as Graves's.

        n = gamma1 * n + (1 - gamma1) * d ** 2
        mean = gamma1 * mean + (1 - gamma1) * d
        delta = gamma2 * delta - lr * d / sqrt(n - mean ** 2 + epsilon)
        weight += delta

    Source: Graves, http://arxiv.org/pdf/1308.0850v5.pdf (38) to (45); MXNet 1.9.1 optimizer_op-inl.h,
    rmspropalex_update.
    """
    grads = batch.gradients(decay=True)
    squares, means, deltas = batch.states
    torch._foreach_mul_(squares, gamma1)
    torch._foreach_addcmul_(squares, grads, grads, 1.0 - gamma1)
    torch._foreach_mul_(means, gamma1)
    torch._foreach_add_(means, grads, alpha=1.0 - gamma1)
    roots = list(torch._foreach_addcmul(squares, means, means, -1.0))
    torch._foreach_add_(roots, epsilon)
    torch._foreach_sqrt_(roots)
    torch._foreach_div_(grads, roots)
    torch._foreach_mul_(deltas, gamma2)
    batch.descend(deltas, grads)
    torch._foreach_add_(batch.weights, deltas)


def ftrl(batch: Batch, lamda1: float, beta: float) -> None:
    """Follow the regularized leader.

        z += g - (sqrt(n + g ** 2) - sqrt(n)) * weight / lr
        n += g ** 2
        weight = (sign(z) * lamda1 - z) / ((beta + sqrt(n)) / lr + wd) * (abs(z) > lamda1)

    Source: McMahan et al., Ad Click Prediction (2013); MXNet 1.9.1 optimizer_op-inl.h, ftrl_update.
    """
    grads = batch.gradients(decay=False)
    z, n = batch.states
    old_roots = torch._foreach_sqrt(n)
    torch._foreach_addcmul_(n, grads, grads)
    roots = list(torch._foreach_sqrt(n))
    moves = list(torch._foreach_sub(roots, old_roots))
    torch._foreach_mul_(moves, batch.weights)
    torch._foreach_div_(moves, batch.lrs)
    torch._foreach_add_(z, grads)
    torch._foreach_sub_(z, moves)
    torch._foreach_add_(roots, beta)
    torch._foreach_div_(roots, batch.lrs)
    torch._foreach_add_(roots, batch.wds)
    solved = list(torch._foreach_sign(z))
    torch._foreach_mul_(solved, lamda1)
    torch._foreach_sub_(solved, z)
    torch._foreach_div_(solved, roots)
    torch._foreach_mul_(solved, [(v.abs() > lamda1).to(v.dtype) for v in z])
    torch._foreach_copy_(batch.weights, solved)


def ftml(batch: Batch, beta1: float, beta2: float, epsilon: float) -> None:
    """Follow the moving leader. The states are (s, v, z).

        v = beta2 * v + (1 - beta2) * d ** 2
        s = (1 - beta1 ** t) / lr * (sqrt(v / (1 - beta2 ** t)) + epsilon)
        z = beta1 * z + (1 - beta1) * d - (s - beta1 * s_previous) * weight
        weight = -z / s

    Source: Zheng and Kwok, http://proceedings.mlr.press/v70/zheng17a/zheng17a.pdf; MXNet 1.9.1 optimizer_op-inl.h,
    ftml_update.
    """
    grads = batch.gradients(decay=True)
    scales, squares, z = batch.states
    torch._foreach_mul_(squares, beta2)
    torch._foreach_addcmul_(squares, grads, grads, 1.0 - beta2)
    new = list(torch._foreach_div(squares, [1.0 - beta2**t for t in batch.counts]))
    torch._foreach_sqrt_(new)
    torch._foreach_add_(new, epsilon)
    torch._foreach_mul_(new, [(1.0 - beta1**t) / lr for t, lr in zip(batch.counts, batch.lrs, strict=True)])
    sigmas = list(torch._foreach_sub(new, torch._foreach_mul(scales, beta1)))
    torch._foreach_mul_(z, beta1)
    torch._foreach_add_(z, grads, alpha=1.0 - beta1)
    torch._foreach_addcmul_(z, sigmas, batch.weights, -1.0)
    torch._foreach_copy_(scales, new)
    torch._foreach_copy_(batch.weights, torch._foreach_neg(torch._foreach_div(z, new)))
