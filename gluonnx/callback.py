"""What training loops call at the end of a batch or an epoch: `mx.callback`."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from gluonnx.model import BatchEndParam, save_checkpoint
from gluonnx.symbol import Symbol

__all__ = [
    "LogValidationMetricsCallback",
    "ProgressBar",
    "Speedometer",
    "do_checkpoint",
    "log_train_metric",
    "module_checkpoint",
]


def do_checkpoint(prefix: str, period: int = 1) -> Callable[..., None]:
    """Return a callback for the end of an epoch that saves a checkpoint every `period` epochs.

    Args:
        prefix: Path of the checkpoint without its ends.
        period: How many epochs lie between two checkpoints, at least 1.
    """
    period = max(1, int(period))

    def callback(iter_no: int, sym: Symbol, arg: Any, aux: Any) -> None:
        if (iter_no + 1) % period == 0:
            save_checkpoint(prefix, iter_no + 1, sym, arg, aux)

    return callback


def module_checkpoint(
    mod: Any, prefix: str, period: int = 1, save_optimizer_states: bool = False
) -> Callable[..., None]:
    """Return a callback for the end of an epoch that lets a module save a checkpoint every `period` epochs.

    Args:
        mod: The module.
        prefix: Path of the checkpoint without its ends.
        period: How many epochs lie between two checkpoints, at least 1.
        save_optimizer_states: Whether the optimizer's states are saved too.
    """
    period = max(1, int(period))

    def callback(iter_no: int, sym: Symbol | None = None, arg: Any = None, aux: Any = None) -> None:
        if (iter_no + 1) % period == 0:
            mod.save_checkpoint(prefix, iter_no + 1, save_optimizer_states)

    return callback


def log_train_metric(period: int, auto_reset: bool = False) -> Callable[[BatchEndParam], None]:
    """Return a callback for the end of a batch that logs the training metric every `period` batches.

    Args:
        period: How many batches lie between two lines.
        auto_reset: Whether the metric starts anew after each line.
    """

    def callback(param: BatchEndParam) -> None:
        metric: Any = param.eval_metric
        if param.nbatch % period == 0 and metric is not None:
            for name, value in metric.get_name_value():
                logging.info("Iter[%d] Batch[%d] Train-%s=%f", param.epoch, param.nbatch, name, value)
            if auto_reset:
                metric.reset_local()

    return callback


class Speedometer:
    """Logs the speed and the metrics every `frequent` batches.

    Args:
        batch_size: Samples of a batch.
        frequent: How many batches lie between two lines.
        auto_reset: Whether the metric starts anew after each line.

    Attributes:
        init: Whether the clock runs.
        tic: When it was started, in seconds of `time.monotonic`.
        last_count: Number of the last batch.
    """

    def __init__(self, batch_size: int, frequent: int = 50, auto_reset: bool = True) -> None:
        self.batch_size = batch_size
        self.frequent = frequent
        self.auto_reset = auto_reset
        self.init = False
        self.tic = 0.0
        self.last_count = 0

    def __call__(self, param: BatchEndParam) -> None:
        """Count a batch."""
        count = param.nbatch
        if self.last_count > count:
            self.init = False
        self.last_count = count
        if not self.init:
            self.init = True
            self.tic = time.monotonic()
            return
        if count % self.frequent:
            return
        seconds = time.monotonic() - self.tic
        speed = self.frequent * self.batch_size / seconds if seconds else float("inf")
        metric: Any = param.eval_metric
        values = metric.get_name_value() if metric is not None else []
        first = max(0, count - self.frequent) if self.auto_reset else 0
        batches = f"{first}-{count}" if values else str(count)
        text = "".join(f"\t{name}={value:f}" for name, value in values)
        logging.info("Epoch[%d] Batch [%s]\tSpeed: %.2f samples/sec%s", param.epoch, batches, speed, text)
        if values and self.auto_reset:
            metric.reset_local()
        self.tic = time.monotonic()


class ProgressBar:
    """Logs a bar of the batches done.

    Args:
        total: Number of batches of an epoch.
        length: Width of the bar.
    """

    def __init__(self, total: int, length: int = 80) -> None:
        self.bar_len = length
        self.total = total

    def __call__(self, param: BatchEndParam) -> None:
        """Log the bar after a batch."""
        share = param.nbatch / self.total
        filled = round(self.bar_len * share)
        bar = "=" * filled + "-" * (self.bar_len - filled)
        logging.info("[%s] %s%%\r", bar, math.ceil(100.0 * share))


class LogValidationMetricsCallback:
    """Logs the metrics at the end of an epoch."""

    def __call__(self, param: BatchEndParam) -> None:
        """Log them."""
        metric: Any = param.eval_metric
        if metric is not None:
            for name, value in metric.get_name_value():
                logging.info("Epoch[%d] Validation-%s=%f", param.epoch, name, value)
