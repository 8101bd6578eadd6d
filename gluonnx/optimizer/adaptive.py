"""Optimizers with a learning rate for each element.

In the formulas `g` is `clip(rescale_grad * grad)`, and `d` is `clip(rescale_grad * grad + wd * weight)`.
"""

from typing import Any

import torch

from gluonnx.errors import ArgumentError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops import updates
from gluonnx.ops.updates import Batch
from gluonnx.optimizer.optimizer import BatchOptimizer, register
from gluonnx.optimizer.state import zeros_like, zeros_of

__all__ = ["FTML", "AdaDelta", "AdaGrad", "Ftrl", "GroupAdaGrad", "RMSProp"]


@register
class AdaGrad(BatchOptimizer):
    """AdaGrad.

        history += g ** 2
        weight -= lr * (g / sqrt(history + eps) + wd * weight)

    Args:
        eps: Keeps the division finite.
        **kwargs: See Optimizer.

    Source: Duchi et al., http://www.jmlr.org/papers/volume12/duchi11a/duchi11a.pdf; MXNet 1.9.1 optimizer.py.
    """

    _clips_zero = True

    def __init__(self, eps: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return the sum of squares, float32 zeros of the weight's shape."""
        return zeros_of(weight, weight.shape, torch.float32)

    def _updates_rows(self, weight: NDArray) -> bool:
        return True

    def _apply(self, batch: Batch) -> None:
        updates.adagrad(batch, self.float_stable_eps)


@register
class GroupAdaGrad(BatchOptimizer):
    """AdaGrad with one learning rate for each row of a matrix; without weight decay.

        history += mean(g ** 2, axis=1, keepdims=True)
        weight -= lr * g / sqrt(history + eps)

    Args:
        eps: Keeps the division finite.
        **kwargs: See Optimizer.

    Source: MXNet 1.9.1 python/mxnet/optimizer/contrib.py.
    """

    _clips_zero = True

    def __init__(self, eps: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return the mean squares of the rows, float32 zeros of shape (N, 1).

        Raises:
            ArgumentError: The weight is not a matrix.
        """
        if weight.ndim != 2:
            raise ArgumentError(f"GroupAdaGrad: expected a weight of 2 axes, got shape={weight.shape}.")
        return zeros_of(weight, (weight.shape[0], 1), torch.float32)

    def _updates_rows(self, weight: NDArray) -> bool:
        return True

    def _apply(self, batch: Batch) -> None:
        if any(batch.wds):
            raise ArgumentError(
                f"GroupAdaGrad: Weight decay is not supported for GroupAdaGrad: expected 0, got wd={max(batch.wds)}."
            )
        updates.group_adagrad(batch, self.float_stable_eps)


@register
class AdaDelta(BatchOptimizer):
    """AdaDelta; it has no learning rate.

        acc_g = rho * acc_g + (1 - rho) * g ** 2
        delta = sqrt(acc_delta + epsilon) / sqrt(acc_g + epsilon) * g
        acc_delta = rho * acc_delta + (1 - rho) * delta ** 2
        weight -= delta + wd * weight

    Args:
        rho: Decay of both accumulators.
        epsilon: Keeps the division finite.
        **kwargs: See Optimizer.

    Differs: MXNet leaves the rescaled gradient in the gradient array; here it stays as it was.

    Source: Zeiler, https://arxiv.org/abs/1212.5701; MXNet 1.9.1 optimizer.py.
    """

    _clips_zero = True

    def __init__(self, rho: float = 0.90, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return the accumulators of squared gradients and steps, float32 zeros of the weight's shape."""
        return (zeros_of(weight, weight.shape, torch.float32), zeros_of(weight, weight.shape, torch.float32))

    def _apply(self, batch: Batch) -> None:
        grads = batch.gradients(decay=False)
        squares, steps = batch.states
        torch._foreach_mul_(squares, self.rho)
        torch._foreach_addcmul_(squares, grads, grads, 1.0 - self.rho)
        deltas = list(torch._foreach_add(steps, self.epsilon))
        torch._foreach_div_(deltas, torch._foreach_add(squares, self.epsilon))
        torch._foreach_sqrt_(deltas)
        torch._foreach_mul_(deltas, grads)
        torch._foreach_mul_(steps, self.rho)
        torch._foreach_addcmul_(steps, deltas, deltas, 1.0 - self.rho)
        torch._foreach_add_(deltas, torch._foreach_mul(batch.weights, batch.wds))
        torch._foreach_sub_(batch.weights, deltas)


@register
class RMSProp(BatchOptimizer):
    """RMSProp: Tieleman and Hinton's, or Graves's if `centered`.

        n = gamma1 * n + (1 - gamma1) * d ** 2
        weight -= lr * d / sqrt(n + epsilon)

    Centered:

        mean = gamma1 * mean + (1 - gamma1) * d
        delta = gamma2 * delta - lr * d / sqrt(n - mean ** 2 + epsilon)
        weight += delta

    Args:
        learning_rate: See Optimizer.
        gamma1: Decay of the averages.
        gamma2: Momentum, if `centered`.
        epsilon: Keeps the division finite.
        centered: Which of the two.
        clip_weights: Bound of the absolute values of the weights.
        **kwargs: See Optimizer.

    Source: Graves, http://arxiv.org/pdf/1308.0850v5.pdf (38) to (45); MXNet 1.9.1 optimizer_op-inl.h, rmsprop_update
    and rmspropalex_update.
    """

    def __init__(
        self,
        learning_rate: float | None = 0.001,
        gamma1: float = 0.9,
        gamma2: float = 0.9,
        epsilon: float = 1e-8,
        centered: bool = False,
        clip_weights: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.gamma1 = gamma1
        self.gamma2 = gamma2
        self.centered = centered
        self.epsilon = epsilon
        self.clip_weights = clip_weights

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return (n,), or (n, mean, delta) if centered: float32 zeros of the weight's shape."""
        return tuple(zeros_of(weight, weight.shape, torch.float32) for _ in range(3 if self.centered else 1))

    def _apply(self, batch: Batch) -> None:
        if self.centered:
            updates.rmsprop_centered(batch, self.gamma1, self.gamma2, self.epsilon)
        else:
            updates.rmsprop(batch, self.gamma1, self.epsilon)
        if self.clip_weights:
            updates.clamp_weights(batch, self.clip_weights)


@register
class Ftrl(BatchOptimizer):
    """Follow the regularized leader.

        z += g - (sqrt(n + g ** 2) - sqrt(n)) * weight / lr
        n += g ** 2
        weight = (sign(z) * lamda1 - z) / ((beta + sqrt(n)) / lr + wd) * (abs(z) > lamda1)

    Args:
        lamda1: L1 regularization.
        learning_rate: See Optimizer.
        beta: Correlation of the learning rates.
        **kwargs: See Optimizer.

    Source: McMahan et al., Ad Click Prediction (2013); MXNet 1.9.1 optimizer_op-inl.h, ftrl_update.
    """

    def __init__(self, lamda1: float = 0.01, learning_rate: float | None = 0.1, beta: float = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lamda1 = lamda1
        self.beta = beta
        self.lr = learning_rate

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return (z, n), float32 zeros of the weight's shape."""
        return (zeros_of(weight, weight.shape, torch.float32), zeros_of(weight, weight.shape, torch.float32))

    def _updates_rows(self, weight: NDArray) -> bool:
        return weight.stype != "default"

    def _apply(self, batch: Batch) -> None:
        updates.ftrl(batch, self.lamda1, self.beta)


@register
class FTML(BatchOptimizer):
    """Follow the moving leader.

        v = beta2 * v + (1 - beta2) * d ** 2
        s = (1 - beta1 ** t) / lr * (sqrt(v / (1 - beta2 ** t)) + epsilon)
        z = beta1 * z + (1 - beta1) * d - (s - beta1 * s_previous) * weight
        weight = -z / s

    Args:
        beta1: Decay of z.
        beta2: Decay of v.
        epsilon: Keeps the division finite.
        **kwargs: See Optimizer.

    Source: Zheng and Kwok, http://proceedings.mlr.press/v70/zheng17a/zheng17a.pdf; MXNet 1.9.1 optimizer_op-inl.h,
    ftml_update.
    """

    def __init__(self, beta1: float = 0.6, beta2: float = 0.999, epsilon: float = 1e-8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return (s, v, z), zeros of the weight's shape and dtype."""
        return (zeros_like(weight), zeros_like(weight), zeros_like(weight))

    def _apply(self, batch: Batch) -> None:
        updates.ftml(batch, self.beta1, self.beta2, self.epsilon)
