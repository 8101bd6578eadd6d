"""Gradient descent: plain, with momentum, by sign, with noise, with delay compensation.

In the formulas `g` is `clip(rescale_grad * grad)`.
"""

from typing import Any

import torch
from torch.autograd.graph import increment_version

from gluonnx.ndarray.generators import generator
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.optimizer.optimizer import Batch, BatchOptimizer, add_decay, add_scaled, register
from gluonnx.optimizer.state import zeros_like

__all__ = ["DCASGD", "NAG", "SGD", "SGLD", "Signum", "ccSGD"]

SMALLEST_FOLDED_LR = 1e-6
"""Below this `1 - (1 + lr)` loses digits that float32 has."""


class _Momentum(BatchOptimizer):
    """An optimizer with one momentum array for each parameter, none if `momentum` is 0."""

    _master_last = True

    def __init__(self, momentum: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return the momentum, zeros of the weight's shape and dtype, or None."""
        return zeros_like(weight) if self.momentum != 0.0 else None


@register
class SGD(_Momentum):
    """Gradient descent with momentum and weight decay.

        mom = momentum * mom - lr * (g + wd * weight)
        weight += mom

    Args:
        momentum: The momentum.
        lazy_update: With row_sparse gradients, update only the rows that they hold.
        **kwargs: See Optimizer.

    Source: MXNet 1.9.1 src/operator/optimizer_op-inl.h, sgd_update and sgd_mom_update.
    """

    def __init__(self, momentum: float = 0.0, lazy_update: bool = True, **kwargs: Any) -> None:
        super().__init__(momentum, **kwargs)
        self.lazy_update = lazy_update

    def _updates_rows(self, weight: NDArray) -> bool:
        return self.lazy_update

    def _apply(self, batch: Batch) -> None:
        sgd(self, batch, self.momentum)


def sgd(optimizer: BatchOptimizer, batch: Batch, momentum: float) -> None:
    """Update parameters as SGD does, by one fused kernel for those that are alike where their layout allows it.

    Torch's fused SGD computes `buf = momentum * buf + (1 - dampening) * (grad + decay * w); w -= rate * buf`, which is
    this update with rate -1 and dampening 1 + lr; rescaling goes into the two factors, so no gradient is copied.
    """
    if not momentum > 0:
        batch.states = []
    if not batch.has_same_layout():
        grads = optimizer._gradients(batch, decay=False)
        add_decay(grads, batch)
        if batch.states:
            torch._foreach_mul_(batch.states[0], momentum)
            add_scaled(batch.states[0], grads, [-lr for lr in batch.lrs])
            torch._foreach_add_(batch.weights, batch.states[0])
        else:
            add_scaled(batch.weights, grads, [-lr for lr in batch.lrs])
        return
    for part in batch.alike():
        lr, wd = part.lrs[0], part.wds[0]
        scale = optimizer.rescale_grad
        grads = part.grads
        if optimizer.clip_gradient or lr * scale < SMALLEST_FOLDED_LR:
            grads, scale = optimizer._gradients(part, decay=False), 1.0
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


@register
class ccSGD(SGD):  # noqa: N801 - MXNet's name
    """SGD under an old name."""


@register
class NAG(_Momentum):
    """Nesterov's accelerated gradient.

        weight += momentum * (momentum * mom - lr * (g + wd * weight)) - lr * (g + wd * weight)
        mom = momentum * mom - lr * (g + wd * weight)       with the new weight

    Without momentum it is SGD.

    Source: MXNet 1.9.1 nag_mom_update by experiment: it writes the weight before it reads it again for the momentum.
    """

    def _apply(self, batch: Batch) -> None:
        if not batch.states:
            sgd(self, batch, 0.0)
            return
        rates = [-lr for lr in batch.lrs]
        plain = self._gradients(batch, decay=False)
        steps = [g.clone() for g in plain]
        add_decay(steps, batch)
        torch._foreach_mul_(steps, rates)
        (mom,) = batch.states
        torch._foreach_mul_(mom, self.momentum)
        torch._foreach_add_(batch.weights, torch._foreach_add(mom, steps), alpha=self.momentum)
        torch._foreach_add_(batch.weights, steps)
        add_decay(plain, batch)
        torch._foreach_mul_(plain, rates)
        torch._foreach_add_(mom, plain)


@register
class Signum(_Momentum):
    """Steps of one size in the direction of the sign of the momentum.

        mom = momentum * mom - (1 - momentum) * (g + wd * weight)
        weight = (1 - lr * wd_lh) * weight + lr * sign(mom)

    Without momentum: `weight = (1 - lr * wd) * weight - lr * sign(grad)`.

    Args:
        learning_rate: See Optimizer.
        momentum: The momentum.
        wd_lh: Weight decay apart from the gradient.
        **kwargs: See Optimizer.

    Source: Bernstein et al., https://arxiv.org/abs/1802.04434; MXNet 1.9.1 optimizer_op-inl.h, signum_update.
    """

    _master_last = False

    def __init__(
        self, learning_rate: float | None = 0.01, momentum: float = 0.9, wd_lh: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(momentum, learning_rate=learning_rate, **kwargs)
        self.wd_lh = wd_lh

    def _apply(self, batch: Batch) -> None:
        if not batch.states:
            signs = torch._foreach_sign(batch.grads)
            torch._foreach_mul_(batch.weights, [1 - lr * wd for lr, wd in zip(batch.lrs, batch.wds, strict=True)])
            add_scaled(batch.weights, signs, [-lr for lr in batch.lrs])
            return
        grads = self._gradients(batch, decay=False)
        add_decay(grads, batch)
        (mom,) = batch.states
        torch._foreach_mul_(mom, self.momentum)
        torch._foreach_add_(mom, grads, alpha=-(1 - self.momentum))
        if self.wd_lh:
            torch._foreach_mul_(batch.weights, [1 - lr * self.wd_lh for lr in batch.lrs])
        add_scaled(batch.weights, torch._foreach_sign(mom), batch.lrs)


@register
class SGLD(BatchOptimizer):
    """Langevin dynamics: half a gradient step and normal noise of variance `lr`.

        weight += -lr / 2 * (g + wd * weight) + normal(0, sqrt(lr))

    Source: Patterson and Teh, Stochastic Gradient Riemannian Langevin Dynamics on the Probability Simplex (2013).
    """

    def _apply(self, batch: Batch) -> None:
        grads = self._gradients(batch, decay=False, clips_zero=True)
        add_decay(grads, batch)
        add_scaled(batch.weights, grads, [-lr / 2 for lr in batch.lrs])
        noise = [
            torch.empty_like(w).normal_(0, lr**0.5, generator=generator(w.device))
            for w, lr in zip(batch.weights, batch.lrs, strict=True)
        ]
        torch._foreach_add_(batch.weights, noise)


@register
class DCASGD(BatchOptimizer):
    """Gradient descent that compensates for gradients of older weights.

        step = -lr * (g + wd * weight + lamda * g ** 2 * (weight - previous))
        mom = momentum * mom + step;  previous = weight;  weight += mom

    Args:
        momentum: The momentum.
        lamda: Weight of the compensation.
        **kwargs: See Optimizer.

    Source: Zheng et al., https://arxiv.org/abs/1609.08326.
    """

    def __init__(self, momentum: float = 0.0, lamda: float = 0.04, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.lamda = lamda
        self.weight_previous: dict[Any, Any] = {}

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return (momentum or None, the weight before the last update)."""
        return (None if self.momentum == 0.0 else zeros_like(weight), NDArray(weight._plain().clone()))

    def _apply(self, batch: Batch) -> None:
        grads = self._gradients(batch, decay=False, clips_zero=True)
        previous = batch.states[-1]
        steps = list(torch._foreach_sub(batch.weights, previous))
        torch._foreach_mul_(steps, self.lamda)
        torch._foreach_mul_(steps, grads)
        torch._foreach_mul_(steps, grads)
        torch._foreach_add_(steps, grads)
        add_decay(steps, batch)
        torch._foreach_mul_(steps, [-lr for lr in batch.lrs])
        if len(batch.states) > 1:
            mom = batch.states[0]
            torch._foreach_mul_(mom, self.momentum)
            torch._foreach_add_(mom, steps)
            steps = mom
        torch._foreach_copy_(previous, batch.weights)
        torch._foreach_add_(batch.weights, steps)
