"""Gradient descent: plain, with momentum, by sign, with noise, with delay compensation.

In the formulas `g` is `clip(rescale_grad * grad)`.
"""

from typing import Any

import torch

from gluonnx.ndarray.generators import generator
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops import updates
from gluonnx.ops.updates import Batch
from gluonnx.optimizer.optimizer import BatchOptimizer, register
from gluonnx.optimizer.state import zeros_like

__all__ = ["DCASGD", "NAG", "SGD", "SGLD", "Signum", "ccSGD"]


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
        if not self.momentum > 0:
            batch.states = []
        updates.sgd(batch, self.momentum)


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
        if batch.states:
            updates.nag(batch, self.momentum)
        else:
            updates.sgd(batch, 0.0)


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
        if batch.states:
            updates.signum(batch, self.momentum, self.wd_lh)
        else:
            updates.signsgd(batch)


@register
class SGLD(BatchOptimizer):
    """Langevin dynamics: half a gradient step and normal noise of variance `lr`.

        weight += -lr / 2 * (g + wd * weight) + normal(0, sqrt(lr))

    Source: Patterson and Teh, Stochastic Gradient Riemannian Langevin Dynamics on the Probability Simplex (2013).
    """

    _clips_zero = True

    def _apply(self, batch: Batch) -> None:
        grads = batch.gradients(decay=False)
        batch.add_decay(grads)
        updates.add_scaled(batch.weights, grads, [-lr / 2 for lr in batch.lrs])
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

    _clips_zero = True

    def __init__(self, momentum: float = 0.0, lamda: float = 0.04, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.lamda = lamda
        self.weight_previous: dict[Any, Any] = {}

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return (momentum or None, the weight before the last update)."""
        return (None if self.momentum == 0.0 else zeros_like(weight), NDArray(weight._plain().clone()))

    def _apply(self, batch: Batch) -> None:
        grads = batch.gradients(decay=False)
        previous = batch.states[-1]
        steps = list(torch._foreach_sub(batch.weights, previous))
        torch._foreach_mul_(steps, self.lamda)
        torch._foreach_mul_(steps, grads)
        torch._foreach_mul_(steps, grads)
        torch._foreach_add_(steps, grads)
        batch.add_decay(steps)
        torch._foreach_mul_(steps, [-lr for lr in batch.lrs])
        if len(batch.states) > 1:
            mom = batch.states[0]
            torch._foreach_mul_(mom, self.momentum)
            torch._foreach_add_(mom, steps)
            steps = mom
        torch._foreach_copy_(previous, batch.weights)
        torch._foreach_add_(batch.weights, steps)
