"""The loops of training and evaluation."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gluonnx import ndarray
from gluonnx.errors import ArgumentError
from gluonnx.initializer import Initializer, Uniform
from gluonnx.metric import EvalMetric
from gluonnx.metric import create as create_metric
from gluonnx.model import BatchEndParam
from gluonnx.ndarray import NDArray

__all__ = ["BaseModule"]

Callbacks = Callable[..., Any] | Sequence[Callable[..., Any]] | None
Params = Mapping[str, NDArray]

LEARNING_RATE = (("learning_rate", 0.01),)


class BaseModule:
    """What can be bound, initialized, run forward and backward, and updated.

    Args:
        logger: Where `fit` reports.

    Attributes:
        binded: Whether it has arrays (MXNet's word).
        params_initialized: Whether its parameters have values.
        optimizer_initialized: Whether it has an optimizer.
        for_training: Whether it was bound with gradients.
    """

    def __init__(self, logger: Any = logging) -> None:
        self.logger = logger
        self.binded = False
        self.params_initialized = False
        self.optimizer_initialized = False
        self.for_training = False
        self.inputs_need_grad = False

    # What a module computes: see Module -------------------------------------------------------------------------------

    def bind(self, data_shapes: Any, label_shapes: Any = None, for_training: bool = True, **kwargs: Any) -> None:
        """Allocate arrays."""
        raise NotImplementedError

    def init_params(self, initializer: Initializer | None = None, **kwargs: Any) -> None:
        """Give the parameters values."""
        raise NotImplementedError

    def init_optimizer(self, kvstore: Any = "local", optimizer: Any = "sgd", **kwargs: Any) -> None:
        """Make an optimizer."""
        raise NotImplementedError

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return copies of arguments and auxiliary states by name."""
        raise NotImplementedError

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Compute the outputs of a batch."""
        raise NotImplementedError

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients of the batch."""
        raise NotImplementedError

    def get_outputs(self, merge_multi_context: bool = True) -> list[NDArray]:
        """Return the outputs of the last forward."""
        raise NotImplementedError

    def update(self) -> None:
        """Let the optimizer make a step."""
        raise NotImplementedError

    def update_metric(self, eval_metric: EvalMetric, labels: Any, pre_sliced: bool = False) -> None:
        """Show the outputs of the last forward to a metric."""
        raise NotImplementedError

    # Loops -----------------------------------------------------------------------------------------------------------

    def prepare(self, data_batch: Any, sparse_row_id_fn: Any = None) -> None:
        """Prepare for a batch: there is nothing to do."""

    def forward_backward(self, data_batch: Any) -> None:
        """Run a batch forward and backward."""
        self.forward(data_batch, is_train=True)
        self.backward()

    def fit(
        self,
        train_data: Any,
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Callbacks = None,
        batch_end_callback: Callbacks = None,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = LEARNING_RATE,
        eval_end_callback: Callbacks = None,
        eval_batch_end_callback: Callbacks = None,
        initializer: Initializer | None = None,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_rebind: bool = False,
        force_init: bool = False,
        begin_epoch: int = 0,
        num_epoch: int | None = None,
        validation_metric: Any = None,
        monitor: Any = None,
        sparse_row_id_fn: Any = None,
    ) -> None:
        """Train.

        Args:
            train_data: An iterator of batches.
            eval_data: Batches to evaluate on after each epoch.
            eval_metric: A metric or its name.
            epoch_end_callback: Called with (epoch, symbol, arguments, auxiliary states).
            batch_end_callback: Called with a BatchEndParam.
            kvstore: A kvstore or its name.
            optimizer: An optimizer or its name.
            optimizer_params: Its arguments.
            eval_end_callback: Called with a BatchEndParam after an evaluation.
            eval_batch_end_callback: Called with a BatchEndParam after each batch of an evaluation.
            initializer: Of parameters that have no values, Uniform(0.01) if None.
            arg_params: Values of arguments.
            aux_params: Values of auxiliary states.
            allow_missing: Whether values may be missing.
            force_rebind: Whether arrays are allocated anew.
            force_init: Whether parameters are initialized anew.
            begin_epoch: Number of the first epoch.
            num_epoch: Number of the epoch before which training ends.
            validation_metric: Metric for `eval_data`, `eval_metric` if None.
            monitor: Not supported: pass None.
            sparse_row_id_fn: Unused.

        Raises:
            ArgumentError: `num_epoch` is missing, or a monitor is given.
        """
        if num_epoch is None:
            raise ArgumentError("fit: please specify number of epochs: expected num_epoch=<count>, got None.")
        if monitor is not None:
            raise ArgumentError("fit: monitors are not supported: expected monitor=None. Use a batch_end_callback.")
        self.bind(train_data.provide_data, train_data.provide_label, for_training=True, force_rebind=force_rebind)
        self.init_params(
            initializer or Uniform(0.01),
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
        )
        self.init_optimizer(kvstore=kvstore, optimizer=optimizer, optimizer_params=optimizer_params)
        metric = eval_metric if isinstance(eval_metric, EvalMetric) else create_metric(eval_metric)
        for epoch in range(begin_epoch, num_epoch):
            started_s = time.monotonic()
            metric.reset()
            for number, batch in enumerate(train_data):
                self.forward_backward(batch)
                self.update()
                self.update_metric(metric, batch.label)
                _call(batch_end_callback, BatchEndParam(epoch, number, metric, locals()))
            for name, value in metric.get_name_value():
                self.logger.info("Epoch[%d] Train-%s=%f", epoch, name, value)
            self.logger.info("Epoch[%d] Time cost=%.3f", epoch, time.monotonic() - started_s)
            if epoch_end_callback is not None:
                arguments, states = self.get_params()
                _call(epoch_end_callback, epoch, getattr(self, "symbol", None), arguments, states)
            if eval_data is not None:
                found = self.score(
                    eval_data,
                    validation_metric or metric,
                    batch_end_callback=eval_batch_end_callback,
                    score_end_callback=eval_end_callback,
                    epoch=epoch,
                )
                for name, value in found:
                    self.logger.info("Epoch[%d] Validation-%s=%f", epoch, name, value)
            train_data.reset()

    def score(
        self,
        eval_data: Any,
        eval_metric: Any,
        num_batch: int | None = None,
        batch_end_callback: Callbacks = None,
        score_end_callback: Callbacks = None,
        reset: bool = True,
        epoch: int = 0,
        sparse_row_id_fn: Any = None,
    ) -> list[tuple[str, float]]:
        """Evaluate.

        Args:
            eval_data: An iterator of batches.
            eval_metric: A metric or its name.
            num_batch: How many batches, all if None.
            batch_end_callback: Called with a BatchEndParam after each batch.
            score_end_callback: Called with a BatchEndParam at the end.
            reset: Whether the iterator starts again first.
            epoch: Number of the epoch, for the callbacks.
            sparse_row_id_fn: Unused.

        Returns:
            Name and value of the metric.
        """
        self._check_ready("score")
        if reset:
            eval_data.reset()
        metric = eval_metric if isinstance(eval_metric, EvalMetric) else create_metric(eval_metric)
        metric.reset()
        seen = 0
        for number, batch in enumerate(eval_data):
            if number == num_batch:
                break
            self.forward(batch, is_train=False)
            self.update_metric(metric, batch.label)
            _call(batch_end_callback, BatchEndParam(epoch, number, metric, locals()))
            seen = number + 1
        _call(score_end_callback, BatchEndParam(epoch, seen, metric, locals()))
        return metric.get_name_value()

    def iter_predict(
        self, eval_data: Any, num_batch: int | None = None, reset: bool = True, sparse_row_id_fn: Any = None
    ) -> Iterator[tuple[list[NDArray], int, Any]]:
        """Yield (outputs without padding, number of the batch, batch) for each batch."""
        self._check_ready("predict")
        if reset:
            eval_data.reset()
        for number, batch in enumerate(eval_data):
            if number == num_batch:
                return
            self.forward(batch, is_train=False)
            pad = batch.pad or 0
            yield [out[: out.shape[0] - pad].copy() for out in self.get_outputs()], number, batch

    def predict(
        self,
        eval_data: Any,
        num_batch: int | None = None,
        merge_batches: bool = True,
        reset: bool = True,
        always_output_list: bool = False,
        sparse_row_id_fn: Any = None,
    ) -> Any:
        """Return the outputs of all batches.

        Args:
            eval_data: An iterator of batches, or one array (NDArray or numpy).
            num_batch: How many batches, all if None.
            merge_batches: Whether the batches are joined; otherwise a list of outputs for each batch.
            reset: Whether the iterator starts again first.
            always_output_list: Whether a single output, too, comes as a list.
            sparse_row_id_fn: Unused.
        """
        if not hasattr(eval_data, "provide_data"):
            from gluonnx.io import DataBatch

            value = eval_data if isinstance(eval_data, NDArray) else ndarray.array(eval_data)
            self.forward(DataBatch([value]), is_train=False)
            outputs = [out.copy() for out in self.get_outputs()]
            return outputs if always_output_list or len(outputs) > 1 else outputs[0]
        batches = [outputs for outputs, _, _ in self.iter_predict(eval_data, num_batch, reset)]
        if not batches or not merge_batches:
            return batches
        merged = [ndarray.concatenate(list(parts)) for parts in zip(*batches, strict=True)]
        return merged if always_output_list or len(merged) > 1 else merged[0]

    def set_params(
        self,
        arg_params: Params,
        aux_params: Params | None,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Give the parameters values."""
        self.init_params(
            None,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
            allow_extra=allow_extra,
        )

    def save_params(self, fname: str) -> None:
        """Write the parameters, with `arg:` and `aux:` before their names."""
        arguments, states = self.get_params()
        named = {f"arg:{name}": value for name, value in arguments.items()}
        ndarray.save(fname, named | {f"aux:{name}": value for name, value in states.items()})

    def load_params(self, fname: str) -> None:
        """Read parameters that `save_params` wrote."""
        from gluonnx.model import read_params

        self.set_params(*read_params(fname))

    def _check_ready(self, what: str) -> None:
        """Raise ArgumentError unless the module is bound and has parameters."""
        if not (self.binded and self.params_initialized):
            raise ArgumentError(
                f"{what}: module is not ready: expected one that is bound and initialized, got binded={self.binded}, "
                f"params_initialized={self.params_initialized}. Call bind() and init_params() first."
            )


def _call(callbacks: Callbacks, *args: Any) -> None:
    if callbacks is None:
        return
    for callback in [callbacks] if callable(callbacks) else callbacks:
        callback(*args)
