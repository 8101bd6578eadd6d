"""Learning rates as a function of the number of updates (`mx.lr_scheduler`).

Source: MXNet 1.9.1 python/mxnet/lr_scheduler.py.
"""

import logging
import math

__all__ = ["CosineScheduler", "FactorScheduler", "LRScheduler", "MultiFactorScheduler", "PolyScheduler"]

WARMUP_MODES = ("linear", "constant")


class LRScheduler:
    """Base class: an optimizer calls it with the number of updates and gets a learning rate.

    Args:
        base_lr: Learning rate after the warm-up, from which the schedule decays.
        warmup_steps: Updates before the schedule starts.
        warmup_begin_lr: Learning rate at update 0 of the warm-up.
        warmup_mode: `"linear"` rises to `base_lr` in equal steps, `"constant"` stays at `warmup_begin_lr`.

    Raises:
        ValueError: The warm-up starts above `base_lr`, has a negative length or an unknown mode.
        TypeError: `warmup_steps` is not an int.
    """

    def __init__(
        self,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        where = type(self).__name__
        _check_int(where, "warmup_steps", warmup_steps)
        if warmup_begin_lr > base_lr:
            raise ValueError(
                f"{where}: Base lr has to be higher than warmup_begin_lr: expected at most base_lr={base_lr}, "
                f"got warmup_begin_lr={warmup_begin_lr}."
            )
        if warmup_steps < 0:
            raise ValueError(f"{where}: Warmup steps has to be positive or 0: got warmup_steps={warmup_steps}.")
        if warmup_mode not in WARMUP_MODES:
            raise ValueError(
                f"{where}: Supports only linear and constant modes of warmup: got warmup_mode={warmup_mode!r}."
            )
        self.base_lr = base_lr
        self.warmup_steps = warmup_steps
        self.warmup_final_lr = base_lr
        self.warmup_begin_lr = warmup_begin_lr
        self.warmup_mode = warmup_mode

    def get_warmup_lr(self, num_update: int) -> float:
        """Return the learning rate at an update of the warm-up.

        Raises:
            ValueError: The warm-up is over at `num_update`.
        """
        if num_update >= self.warmup_steps:
            raise ValueError(
                f"{type(self).__name__}: the warm-up is over: expected less than {self.warmup_steps}, "
                f"got num_update={num_update}."
            )
        if self.warmup_mode == "constant":
            return self.warmup_begin_lr
        share = float(num_update) / float(self.warmup_steps)
        return self.warmup_begin_lr + (self.warmup_final_lr - self.warmup_begin_lr) * share

    def __call__(self, num_update: int) -> float:
        """Return the learning rate.

        Args:
            num_update: The largest number of updates that a parameter has had.
        """
        raise NotImplementedError(f"{type(self).__name__}: a scheduler must define __call__(num_update).")


class FactorScheduler(LRScheduler):
    """Multiply the learning rate by `factor` after every `step` updates, down to `stop_factor_lr`.

    Raises:
        ValueError: `step` is below 1 or `factor` above 1.
    """

    def __init__(
        self,
        step: int,
        factor: float = 1,
        stop_factor_lr: float = 1e-8,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        _check_step("FactorScheduler", step)
        _check_factor("FactorScheduler", factor)
        self.step = step
        self.factor = factor
        self.stop_factor_lr = stop_factor_lr
        self.count = 0

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        while num_update > self.count + self.step:
            self.count += self.step
            self.base_lr = max(self.base_lr * self.factor, self.stop_factor_lr)
            logging.info("Update[%d]: Change learning rate to %0.5e", num_update, self.base_lr)
        return self.base_lr


class MultiFactorScheduler(LRScheduler):
    """Multiply the learning rate by `factor` after each of the updates listed in `step`.

    Raises:
        TypeError: `step` is not a list with at least one number.
        ValueError: `step` does not increase or starts below 1, or `factor` is above 1.
    """

    def __init__(
        self,
        step: list[int],
        factor: float = 1,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        if not isinstance(step, list) or not step:
            raise TypeError(f"MultiFactorScheduler: expected a list of at least one update, got step={step!r}.")
        for i, update in enumerate(step):
            if i and update <= step[i - 1]:
                raise ValueError(
                    f"MultiFactorScheduler: Schedule step must be an increasing integer list: got step={step}."
                )
            _check_step("MultiFactorScheduler", update)
        _check_factor("MultiFactorScheduler", factor)
        self.step = step
        self.cur_step_ind = 0
        self.factor = factor
        self.count = 0

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        while self.cur_step_ind < len(self.step) and num_update > self.step[self.cur_step_ind]:
            self.count = self.step[self.cur_step_ind]
            self.cur_step_ind += 1
            self.base_lr *= self.factor
            logging.info("Update[%d]: Change learning rate to %0.5e", num_update, self.base_lr)
        return self.base_lr


class _Decay(LRScheduler):
    """A schedule that goes from `base_lr` to `final_lr` between the end of the warm-up and `max_update`."""

    def __init__(
        self,
        max_update: int,
        base_lr: float,
        final_lr: float,
        warmup_steps: int,
        warmup_begin_lr: float,
        warmup_mode: str,
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        where = type(self).__name__
        _check_int(where, "max_update", max_update)
        if max_update < 1:
            raise ValueError(
                f"{where}: maximum number of updates must be strictly positive: got max_update={max_update}."
            )
        self.base_lr_orig = self.base_lr
        self.max_update = max_update
        self.final_lr = final_lr
        self.max_steps = max_update - warmup_steps

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        if num_update <= self.max_update:
            left = self._left(num_update - self.warmup_steps)
            self.base_lr = self.final_lr + (self.base_lr_orig - self.final_lr) * left
        return self.base_lr

    def _left(self, steps: int) -> float:
        """Return the part of the way that is left after some steps, from 1 down to 0."""
        raise NotImplementedError


class PolyScheduler(_Decay):
    """Decay by a power: `final_lr + (base_lr - final_lr) * (1 - steps / max_steps) ** pwr`, then constant.

    Args:
        max_update: Update at which `final_lr` is reached, an int of at least 1.
        base_lr: Learning rate after the warm-up.
        pwr: The power.
        final_lr: Learning rate at the end.
        warmup_steps: See LRScheduler.
        warmup_begin_lr: See LRScheduler.
        warmup_mode: See LRScheduler.
    """

    def __init__(
        self,
        max_update: int,
        base_lr: float = 0.01,
        pwr: float = 2,
        final_lr: float = 0,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        self.power = pwr

    def _left(self, steps: int) -> float:
        left: float = (1 - float(steps) / float(self.max_steps)) ** self.power
        return left


class CosineScheduler(_Decay):
    """Decay by half a cosine: `final_lr + (base_lr - final_lr) * (1 + cos(pi * steps / max_steps)) / 2`.

    Args:
        max_update: Update at which `final_lr` is reached, an int of at least 1.
        base_lr: Learning rate after the warm-up.
        final_lr: Learning rate at the end.
        warmup_steps: See LRScheduler.
        warmup_begin_lr: See LRScheduler.
        warmup_mode: See LRScheduler.
    """

    def __init__(
        self,
        max_update: int,
        base_lr: float = 0.01,
        final_lr: float = 0,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)

    def _left(self, steps: int) -> float:
        return (1 + math.cos(math.pi * steps / self.max_steps)) / 2


def _check_int(where: str, name: str, value: int) -> None:
    if not isinstance(value, int):
        raise TypeError(f"{where}: expected an int, got {name}={value!r}.")


def _check_step(where: str, step: int) -> None:
    if step < 1:
        raise ValueError(f"{where}: Schedule step must be greater or equal than 1 round: got step={step}.")


def _check_factor(where: str, factor: float) -> None:
    if factor > 1.0:
        raise ValueError(f"{where}: Factor must be no more than 1 to make lr reduce: got factor={factor}.")
