"""Adam and its relatives.

In the formulas `g` is `clip(rescale_grad * grad + wd * weight)`, `t` the number of updates of the parameter.
"""

from typing import Any

import torch

from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops import updates
from gluonnx.ops.updates import Batch
from gluonnx.optimizer.optimizer import BatchOptimizer, register
from gluonnx.optimizer.state import zeros_like

__all__ = ["Adam", "Adamax", "Nadam"]


class _TwoMoments(BatchOptimizer):
    """An optimizer that keeps (mean, variance) of each parameter's gradients."""

    def __init__(self, learning_rate: float | None, beta1: float, beta2: float, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return (mean, variance), zeros of the weight's shape and dtype."""
        return (zeros_like(weight), zeros_like(weight))


@register
class Adam(_TwoMoments):
    """Adam.

        mean = beta1 * mean + (1 - beta1) * g
        var = beta2 * var + (1 - beta2) * g ** 2
        weight -= lr * sqrt(1 - beta2 ** t) / (1 - beta1 ** t) * mean / (sqrt(var) + epsilon)

    Args:
        learning_rate: See Optimizer.
        beta1: Decay of the mean.
        beta2: Decay of the variance.
        epsilon: Keeps the division finite.
        lazy_update: With row_sparse gradients, update only the rows that they hold.
        **kwargs: See Optimizer.

    Source: Kingma and Ba, https://arxiv.org/abs/1412.6980; MXNet 1.9.1 optimizer_op-inl.h, adam_update.
    """

    def __init__(
        self,
        learning_rate: float | None = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        lazy_update: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, **kwargs)
        self.epsilon = epsilon
        self.lazy_update = lazy_update

    def _updates_rows(self, weight: NDArray) -> bool:
        return self.lazy_update

    def _apply(self, batch: Batch) -> None:
        updates.adam(batch, self.beta1, self.beta2, self.epsilon)


@register
class Adamax(_TwoMoments):
    """Adam with the largest absolute value instead of the variance.

        mean = beta1 * mean + (1 - beta1) * g
        norm = max(beta2 * norm, abs(g))
        weight -= lr / (1 - beta1 ** t) * mean / norm

    Source: Kingma and Ba, https://arxiv.org/abs/1412.6980, section 7.
    """

    _clips_zero = True

    def __init__(
        self, learning_rate: float | None = 0.002, beta1: float = 0.9, beta2: float = 0.999, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, **kwargs)

    def _apply(self, batch: Batch) -> None:
        grads = batch.gradients(decay=True)
        mean, norm = batch.states
        torch._foreach_mul_(mean, self.beta1)
        torch._foreach_add_(mean, grads, alpha=1.0 - self.beta1)
        torch._foreach_mul_(norm, self.beta2)
        torch._foreach_maximum_(norm, torch._foreach_abs(grads))
        rates = [-lr / (1.0 - self.beta1**t) for lr, t in zip(batch.lrs, batch.counts, strict=True)]
        updates.add_scaled(batch.weights, torch._foreach_div(mean, norm), rates)


@register
class Nadam(_TwoMoments):
    """Adam with Nesterov's momentum, whose factor grows by `schedule_decay`.

    Args:
        learning_rate: See Optimizer.
        beta1: Decay of the mean.
        beta2: Decay of the variance.
        epsilon: Keeps the division finite.
        schedule_decay: Decay of the momentum schedule.
        **kwargs: See Optimizer.

    The product of the schedule, `m_schedule`, moves with the update of every parameter, as in MXNet.

    Source: Dozat, Incorporating Nesterov Momentum into Adam (2015); MXNet 1.9.1 optimizer.py, Nadam.
    """

    _clips_zero = True

    def __init__(
        self,
        learning_rate: float | None = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        schedule_decay: float = 0.004,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, **kwargs)
        self.epsilon = epsilon
        self.schedule_decay = schedule_decay
        self.m_schedule = 1.0

    def _apply(self, batch: Batch) -> None:
        grads = batch.gradients(decay=True)
        updates.move_moments(batch, grads, self.beta1, self.beta2)
        mean, var = batch.states
        grad_factors, mean_factors, var_rests = [], [], []
        for t in batch.counts:
            now, following = self._momentum(t), self._momentum(t + 1)
            self.m_schedule *= now
            grad_factors.append((1.0 - now) / (1.0 - self.m_schedule))
            mean_factors.append(following / (1.0 - self.m_schedule * following))
            var_rests.append(1.0 - self.beta2**t)
        torch._foreach_mul_(grads, grad_factors)
        torch._foreach_add_(grads, torch._foreach_mul(mean, mean_factors))
        roots = list(torch._foreach_div(var, var_rests))
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, self.epsilon)
        torch._foreach_div_(grads, roots)
        batch.descend(batch.weights, grads)

    def _momentum(self, t: float) -> float:
        momentum: float = self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.schedule_decay))
        return momentum
