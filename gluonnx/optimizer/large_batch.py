"""Optimizers for large batches: a learning rate for each layer, from the norms of its weights and gradients."""

import logging
import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from gluonnx.errors import ArgumentError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops import updates
from gluonnx.ops.updates import Batch
from gluonnx.optimizer.adam import _TwoMoments
from gluonnx.optimizer.optimizer import Optimizer, register
from gluonnx.optimizer.sgd import _Momentum
from gluonnx.optimizer.state import zeros_like

__all__ = ["LAMB", "LARS", "LBSGD"]

UNSCALED_SUFFIXES = ("gamma", "beta", "bias")
"""Parameters whose learning rate LARS leaves alone."""

WARMUP_STRATEGIES = ("linear", "power2", "sqrt", "lars")


@register
class LARS(_Momentum):
    """SGD whose learning rate is scaled for each layer, except for parameters named bias, gamma or beta.

        lr_layer = lr * eta * |weight| / (|rescale_grad * grad| + wd * |weight| + eps)    if both norms are positive

    Args:
        momentum: The momentum.
        lazy_update: See SGD.
        eta: The coefficient.
        eps: Keeps the division finite.
        momentum_correction: Scale the momentum by the change of the learning rate since the last update.
        **kwargs: See Optimizer.

    Source: You et al., https://arxiv.org/abs/1708.03888; MXNet 1.9.1 optimizer.py, LARS.
    """

    _decayed_suffixes: ClassVar[tuple[str, ...]] = ("_weight",)

    def __init__(
        self,
        momentum: float = 0.0,
        lazy_update: bool = True,
        eta: float = 0.001,
        eps: float = 0,
        momentum_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(momentum, **kwargs)
        self.momentum_correction = momentum_correction
        self.lazy_update = lazy_update
        self.eta = eta
        self.eps = eps
        self.skip = 0
        self.last_lr: float | None = None
        self.cur_lr: float | None = None

    def _get_lrs(self, indices: Any) -> list[float]:
        """Return the learning rates before scaling, and remember the one of this update and of the one before."""
        rate = self.learning_rate
        self.last_lr = rate if self.cur_lr is None else self.cur_lr
        self.cur_lr = rate
        return self._multiplied(indices, rate, "lr_mult")

    def _apply(self, batch: Batch) -> None:
        momentum = self.momentum
        if self.momentum_correction and self.last_lr and self.cur_lr is not None:
            momentum *= self.cur_lr / self.last_lr
        scaled = [i for i, index in enumerate(batch.indices) if not self._name(index).endswith(UNSCALED_SUFFIXES)]
        if scaled:
            weight_norms = updates.l2_norms([batch.weights[i] for i in scaled])
            grad_norms = updates.l2_norms([batch.grads[i] for i in scaled])
            for i, weight, grad in zip(scaled, weight_norms, grad_norms, strict=True):
                grad *= self.rescale_grad
                if weight > 0.0 and grad > 0.0:
                    batch.lrs[i] *= self.eta * weight / (grad + batch.wds[i] * weight + self.eps)
        if not momentum > 0:
            batch.states = []
        updates.sgd(batch, momentum)

    def _name(self, index: Any) -> str:
        return self.idx2name.get(index, str(index))


@register
class LAMB(_TwoMoments):
    """Adam whose step is scaled for each layer to the norm of its weights.

        step = mean' / (sqrt(var') + epsilon) + wd * weight         (mean', var': corrected if bias_correction)
        weight -= lr * clip(|weight|, lower_bound, upper_bound) / |step| * step     (lr * step if a norm is 0)

    Args:
        learning_rate: See Optimizer.
        beta1: Decay of the mean.
        beta2: Decay of the variance.
        epsilon: Keeps the division finite.
        lower_bound: Bound of the norm of the weights, None for none.
        upper_bound: Bound of the norm of the weights, None for none.
        bias_correction: Whether the moments are corrected for their start at zero.
        **kwargs: See Optimizer.

    Source: You et al., https://arxiv.org/abs/1904.00962; MXNet 1.9.1 optimizer_op-inl.h, lamb_update_phase1 and 2.
    """

    def __init__(
        self,
        learning_rate: float | None = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        lower_bound: float | None = None,
        upper_bound: float | None = None,
        bias_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, **kwargs)
        self.epsilon = epsilon
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound
        self.bias_correction = bias_correction

    def _apply(self, batch: Batch) -> None:
        if not self.bias_correction:
            batch.counts = [math.inf] * len(batch.counts)
        bounds = self.lower_bound or None, self.upper_bound or None
        updates.lamb(batch, self.beta1, self.beta2, self.epsilon, *bounds)


@register
class LBSGD(Optimizer):
    """SGD that adds up the gradients of `batch_scale` steps and warms up its learning rate.

    Args:
        momentum: The momentum.
        multi_precision: See Optimizer.
        warmup_strategy: How the factor of the learning rate grows from 1 to `batch_scale`: `"linear"`, `"power2"`,
            `"sqrt"`; or `"lars"`, a factor from the norms of weight and gradient; anything else keeps 1 until the end
            of the warm-up.
        warmup_epochs: Length of the warm-up.
        batch_scale: Steps whose gradients make one update.
        updates_per_epoch: Steps in an epoch.
        begin_epoch: Epoch to count from.
        num_epochs: Accepted; MXNet does not use it either.
        **kwargs: See Optimizer.

    Raises:
        ArgumentError: `batch_scale` is below 1.

    Source: MXNet 1.9.1 python/mxnet/optimizer/optimizer.py, LBSGD.
    """

    def __init__(
        self,
        momentum: float = 0.0,
        multi_precision: bool = False,
        warmup_strategy: str = "linear",
        warmup_epochs: int = 5,
        batch_scale: int = 1,
        updates_per_epoch: int = 32,
        begin_epoch: int = 0,
        num_epochs: int = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(multi_precision=multi_precision, **kwargs)
        if batch_scale < 1:
            raise ArgumentError(f"LBSGD: expected at least 1, got batch_scale={batch_scale}.")
        logging.getLogger(__name__).info(
            "LBSGD: batch_scale=%f, warmup_epochs=%d, warmup_strategy=%s, updates_per_epoch=%d",
            batch_scale,
            warmup_epochs,
            warmup_strategy,
            updates_per_epoch,
        )
        self.momentum = momentum
        self.warmup_strategy = warmup_strategy
        self.warmup_epochs = warmup_epochs
        self.batch_scale = batch_scale
        self.updates_per_epoch = updates_per_epoch
        self.init_updates = begin_epoch * updates_per_epoch
        self.num_epochs = num_epochs
        self.cumgrads: dict[Any, tuple[Tensor | None, int]] = {}

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return the momentum, zeros of the weight's shape and dtype, or None."""
        return zeros_like(weight) if self.momentum != 0.0 else None

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Add the gradient, and update the parameter in every `batch_scale`-th call."""
        lr, wd = self._get_lr(index), self._get_wd(index)
        self._update_count(index)
        total, count = self.cumgrads.get(index, (None, self.init_updates))
        value, target = grad._plain(), weight._writable()
        count += 1
        with torch.no_grad():
            total = value.clone() if total is None else total.add_(value)
            if count % self.batch_scale:
                self.cumgrads[index] = (total, count)
                return
            self.cumgrads[index] = (None, count)
            step = total.div_(self.batch_scale)
            lr *= self._lars(target, step, wd) if self.warmup_strategy == "lars" else self._warmup(count)
            step.mul_(self.rescale_grad)
            if self.clip_gradient:
                step.clamp_(-self.clip_gradient, self.clip_gradient)
            step.add_(target, alpha=wd)
            if state is None:
                target.add_(step, alpha=-lr)
            else:
                target.add_(state._t.mul_(max(self.momentum, 0.0)).add_(step, alpha=-lr))

    def _warmup(self, count: int) -> float:
        """Return the factor of the learning rate after `count` steps."""
        length = self.warmup_epochs * self.updates_per_epoch
        if count >= length:
            return float(self.batch_scale)
        if length <= 1 or self.warmup_strategy not in WARMUP_STRATEGIES:
            return 1.0
        share = count / length
        grown = {"linear": share, "power2": share * share, "sqrt": math.sqrt(share)}[self.warmup_strategy]
        return 1.0 + (self.batch_scale - 1) * grown

    def _lars(self, weight: Tensor, grad: Tensor, wd: float) -> float:
        """Return the factor of the learning rate from the norms, between 0.01 and 100."""
        weight_square, grad_square = float(weight.square().sum()), float(grad.square().sum())
        return min(max(math.sqrt(weight_square / (grad_square + wd * weight_square + 1e-18)), 0.01), 100.0)
