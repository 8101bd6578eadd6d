"""The loops of training, scoring and prediction over the batches of an iterator."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from gluonnx import metric
from gluonnx.errors import ArgumentError, ModuleStateError
from gluonnx.initializer import Uniform
from gluonnx.io import DataBatch, DataDesc, DataIter
from gluonnx.model import BatchEndParam, read_params
from gluonnx.ndarray.creation import array, concatenate
from gluonnx.ndarray.files import save
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol import Symbol

__all__ = ["BaseModule"]

Params = Mapping[str, NDArray]
Callbacks = Any
"""A callback, a list of callbacks, or None."""

DEFAULT_OPTIMIZER_PARAMS = (("learning_rate", 0.01),)


class BaseModule:
    """Something that is bound to shapes, gets parameters and an optimizer, and then runs batches forward and backward.

    A subclass defines what the methods here that raise NotImplementedError say.

    Args:
        logger: Where progress is logged.

    Attributes:
        binded: Whether shapes are known and memory is there.
        for_training: Whether it is bound for training.
        inputs_need_grad: Whether it is bound with gradients of the data.
        params_initialized: Whether the parameters have values.
        optimizer_initialized: Whether there is an optimizer.
    """

    def __init__(self, logger: Any = logging) -> None:
        self.logger = logger
        self.binded = False
        self.for_training = False
        self.inputs_need_grad = False
        self.params_initialized = False
        self.optimizer_initialized = False
        self._symbol: Symbol | None = None

    # Loops -----------------------------------------------------------------------------------------------------------

    def forward_backward(self, data_batch: Any) -> None:
        """Run a batch forward, as in training, and backward."""
        self.forward(data_batch, is_train=True)
        self.backward()

    def score(
        self,
        eval_data: Any,
        eval_metric: Any,
        num_batch: int | None = None,
        batch_end_callback: Callbacks = None,
        score_end_callback: Callbacks = None,
        reset: bool = True,
        epoch: int = 0,
        sparse_row_id_fn: Callable[[Any], Any] | None = None,
    ) -> list[tuple[str, float]]:
        """Run batches forward and return the values of a metric.

        Args:
            eval_data: Iterator over the batches.
            eval_metric: A metric, or what `metric.create` takes; it is reset first.
            num_batch: How many batches at most; all if None.
            batch_end_callback: Called with a `BatchEndParam` after each batch.
            score_end_callback: Called with a `BatchEndParam` at the end.
            reset: Whether to reset `eval_data` first.
            epoch: Number that the callbacks are told.
            sparse_row_id_fn: See `prepare`.

        Returns:
            (name, value) pairs.
        """
        self._require(binded=True, params_initialized=True)
        if reset:
            eval_data.reset()
        measured = _metric(eval_metric)
        measured.reset()
        count = 0
        for nbatch, batch in enumerate(eval_data):
            if nbatch == num_batch:
                break
            self.prepare(batch, sparse_row_id_fn=sparse_row_id_fn)
            self.forward(batch, is_train=False)
            self._update_metric(measured, batch)
            _call(batch_end_callback, BatchEndParam(epoch, nbatch, measured, locals()))
            count += 1
        _call(score_end_callback, BatchEndParam(epoch, count, measured, locals()))
        return measured.get_name_value()

    def iter_predict(
        self,
        eval_data: Any,
        num_batch: int | None = None,
        reset: bool = True,
        sparse_row_id_fn: Callable[[Any], Any] | None = None,
    ) -> Iterator[tuple[list[NDArray], int, Any]]:
        """Yield the outputs of each batch without its padding, the number of the batch, and the batch.

        Args:
            eval_data: Iterator over the batches.
            num_batch: How many batches at most; all if None.
            reset: Whether to reset `eval_data` first.
            sparse_row_id_fn: See `prepare`.
        """
        self._require(binded=True, params_initialized=True)
        if reset:
            eval_data.reset()
        for nbatch, batch in enumerate(eval_data):
            if nbatch == num_batch:
                break
            self.prepare(batch, sparse_row_id_fn=sparse_row_id_fn)
            self.forward(batch, is_train=False)
            pad = batch.pad or 0
            yield [out[: out.shape[0] - pad] for out in self.get_outputs()], nbatch, batch

    def predict(
        self,
        eval_data: Any,
        num_batch: int | None = None,
        merge_batches: bool = True,
        reset: bool = True,
        always_output_list: bool = False,
        sparse_row_id_fn: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return the outputs for all batches.

        Args:
            eval_data: Iterator over the batches; or an array, as a single batch.
            num_batch: How many batches at most; all if None.
            merge_batches: Whether to join the outputs of all batches.
            reset: Whether to reset `eval_data` first.
            always_output_list: Whether a single output comes in a list too.
            sparse_row_id_fn: See `prepare`.

        Returns:
            An array for each output, the array itself for a single output; or, not merged, a list of such for each
            batch. The first output for an array.

        Raises:
            ArgumentError: `eval_data` is neither an iterator nor an array, or batches have different numbers of
                outputs.
        """
        self._require(binded=True, params_initialized=True)
        if isinstance(eval_data, (NDArray, np.ndarray)):
            self.forward(DataBatch([array(eval_data) if isinstance(eval_data, np.ndarray) else eval_data]))
            return self.get_outputs()[0]
        if not isinstance(eval_data, DataIter):
            raise ArgumentError(
                f"Module.predict: eval_data must be of type NDArray or DataIter: got {type(eval_data).__name__}."
            )
        rows = [
            [out.copy() for out in outputs]
            for outputs, _, _ in self.iter_predict(eval_data, num_batch, reset, sparse_row_id_fn)
        ]
        if not rows or not merge_batches:
            return rows
        counts = {len(row) for row in rows}
        if len(counts) > 1:
            raise ArgumentError(
                "Module.predict: Cannot merge batches, as num of outputs is not the same in mini-batches: expected "
                f"one number, got {sorted(counts)}. Pass merge_batches=False."
            )
        merged = [concatenate(list(column)) for column in zip(*rows, strict=True)]
        return merged[0] if len(merged) == 1 and not always_output_list else merged

    def fit(
        self,
        train_data: Any,
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Callbacks = None,
        batch_end_callback: Callbacks = None,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = DEFAULT_OPTIMIZER_PARAMS,
        eval_end_callback: Callbacks = None,
        eval_batch_end_callback: Callbacks = None,
        initializer: Any = Uniform(0.01),  # noqa: B008 - it has no state
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_rebind: bool = False,
        force_init: bool = False,
        begin_epoch: int = 0,
        num_epoch: int | None = None,
        validation_metric: Any = None,
        monitor: Any = None,
        sparse_row_id_fn: Callable[[Any], Any] | None = None,
    ) -> None:
        """Bind, initialize and train.

        Args:
            train_data: Iterator over the batches of an epoch.
            eval_data: Iterator over the batches of an evaluation after each epoch; None: no evaluation.
            eval_metric: A metric, or what `metric.create` takes.
            epoch_end_callback: Called with epoch, symbol, arguments and auxiliary states after each epoch.
            batch_end_callback: Called with a `BatchEndParam` after each batch.
            kvstore: See `init_optimizer`.
            optimizer: See `init_optimizer`.
            optimizer_params: See `init_optimizer`.
            eval_end_callback: Called with a `BatchEndParam` after each evaluation.
            eval_batch_end_callback: Called with a `BatchEndParam` after each batch of an evaluation.
            initializer: See `init_params`.
            arg_params: See `init_params`.
            aux_params: See `init_params`.
            allow_missing: See `init_params`.
            force_rebind: Whether to bind again if bound.
            force_init: Whether to initialize parameters again.
            begin_epoch: Number of the first epoch.
            num_epoch: Number of the epoch before which to stop.
            validation_metric: Metric of the evaluation; `eval_metric` if None.
            monitor: Watches the executors.
            sparse_row_id_fn: See `prepare`.

        Raises:
            ArgumentError: `num_epoch` is None.
        """
        if num_epoch is None:
            raise ArgumentError("Module.fit: please specify number of epochs: expected an int, got num_epoch=None.")
        self.bind(
            data_shapes=train_data.provide_data,
            label_shapes=train_data.provide_label,
            for_training=True,
            force_rebind=force_rebind,
        )
        if monitor is not None:
            self.install_monitor(monitor)
        self.init_params(
            initializer=initializer,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
        )
        self.init_optimizer(kvstore=kvstore, optimizer=optimizer, optimizer_params=optimizer_params)
        measured = _metric(eval_metric)
        for epoch in range(begin_epoch, num_epoch):
            started_s = time.monotonic()
            values = self._train_epoch(train_data, epoch, measured, batch_end_callback, monitor, sparse_row_id_fn)
            for name, value in values:
                self.logger.info("Epoch[%d] Train-%s=%f", epoch, name, value)
            self.logger.info("Epoch[%d] Time cost=%.3f", epoch, time.monotonic() - started_s)
            arguments, states = self.get_params()
            self.set_params(arguments, states)
            _call(epoch_end_callback, epoch, self.symbol, arguments, states)
            if eval_data is not None:
                scores = self.score(
                    eval_data,
                    measured if validation_metric is None else validation_metric,
                    score_end_callback=eval_end_callback,
                    batch_end_callback=eval_batch_end_callback,
                    epoch=epoch,
                )
                for name, value in scores:
                    self.logger.info("Epoch[%d] Validation-%s=%f", epoch, name, value)
            train_data.reset()

    def _train_epoch(
        self,
        train_data: Any,
        epoch: int,
        measured: metric.EvalMetric,
        batch_end_callback: Callbacks,
        monitor: Any,
        sparse_row_id_fn: Callable[[Any], Any] | None,
    ) -> list[tuple[str, float]]:
        """Train on every batch and return the values of the metric over all of them.

        They are read before the callbacks of the last batch, which may reset the metric.
        """
        measured.reset()
        values: list[tuple[str, float]] = []
        batches = iter(train_data)
        upcoming = next(batches, None)
        nbatch = 0
        while upcoming is not None:
            batch = upcoming
            if monitor is not None:
                monitor.tic()
            self.forward_backward(batch)
            self.update()
            self._update_metric(measured, batch)
            upcoming = next(batches, None)
            if upcoming is not None:
                self.prepare(upcoming, sparse_row_id_fn=sparse_row_id_fn)
            if monitor is not None:
                monitor.toc_print()
            if upcoming is None:
                values = measured.get_global_name_value()
            _call(batch_end_callback, BatchEndParam(epoch, nbatch, measured, locals()))
            nbatch += 1
        return values

    def _update_metric(self, measured: metric.EvalMetric, batch: Any) -> None:
        if isinstance(batch, list):
            self.update_metric(measured, [one.label for one in batch], pre_sliced=True)
        else:
            self.update_metric(measured, batch.label)

    # What it is ------------------------------------------------------------------------------------------------------

    @property
    def symbol(self) -> Symbol | None:
        """The symbol."""
        return self._symbol

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs."""
        self._undefined("data_names")

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        self._undefined("output_names")

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the data that it is bound to."""
        self._undefined("data_shapes")

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Descriptions of the labels that it is bound to."""
        self._undefined("label_shapes")

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs."""
        self._undefined("output_shapes")

    # Parameters ------------------------------------------------------------------------------------------------------

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return arguments and auxiliary states by name."""
        self._undefined("get_params")

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - it has no state
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give the parameters their first values."""
        self._undefined("init_params")

    def set_params(
        self,
        arg_params: Params,
        aux_params: Params,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set the parameters.

        Args:
            arg_params: Arguments by name.
            aux_params: Auxiliary states by name.
            allow_missing: Whether parameters may be left out.
            force_init: Whether to set them if they have values already.
            allow_extra: Whether values of no parameter are passed over.
        """
        self.init_params(
            initializer=None,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
            allow_extra=allow_extra,
        )

    def save_params(self, fname: str) -> None:
        """Write the parameters to a `.params` file."""
        arguments, states = self.get_params()
        arrays = {f"arg:{name}": value for name, value in arguments.items()}
        save(fname, arrays | {f"aux:{name}": value for name, value in states.items()})

    def load_params(self, fname: str) -> None:
        """Set the parameters from a `.params` file.

        Raises:
            FormatError: The file is none, or an array is neither `arg:` nor `aux:`.
        """
        self.set_params(*read_params(fname))

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the states; there are none unless a subclass has some."""
        self._require(binded=True, params_initialized=True)
        return []

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states; there are none unless a subclass has some.

        Raises:
            ArgumentError: Something is given.
        """
        self._require(binded=True, params_initialized=True)
        if states or value:
            raise ArgumentError(f"{type(self).__name__}.set_states: it has no states: got {states or value!r}.")

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor watch the executors."""
        self._undefined("install_monitor")

    # Running ---------------------------------------------------------------------------------------------------------

    def prepare(self, data_batch: Any, sparse_row_id_fn: Callable[[Any], Any] | None = None) -> None:
        """Get ready for a batch.

        Args:
            data_batch: The batch.
            sparse_row_id_fn: Gives the rows of row_sparse parameters that the batch needs.
        """

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch forward."""
        self._undefined("forward")

    def backward(self, out_grads: Any = None) -> None:
        """Run the last batch backward."""
        self._undefined("backward")

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the outputs of the last batch."""
        self._undefined("get_outputs")

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the gradients of the data of the last batch."""
        self._undefined("get_input_grads")

    def update(self) -> None:
        """Update the parameters by the optimizer."""
        self._undefined("update")

    def update_metric(self, eval_metric: metric.EvalMetric, labels: Sequence[Any], pre_sliced: bool = False) -> None:
        """Give a metric the outputs of the last batch and their labels."""
        self._undefined("update_metric")

    # Getting ready ---------------------------------------------------------------------------------------------------

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Any = None,
        grad_req: Any = "write",
    ) -> None:
        """Make executors for shapes."""
        self._undefined("bind")

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = DEFAULT_OPTIMIZER_PARAMS,
        force_init: bool = False,
    ) -> None:
        """Take an optimizer."""
        self._undefined("init_optimizer")

    def _undefined(self, name: str) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__}: a module must define `{name}`.")

    def _require(self, **states: bool) -> None:
        """Check that the module is as far as a method needs it.

        Raises:
            ModuleStateError: It is not; the message says which method comes first.
        """
        for name in states:
            if not getattr(self, name):
                raise ModuleStateError(
                    f"{type(self).__name__}: not ready: expected {name}=True, got False. Call {_FIRST[name]} first."
                )


_FIRST = {
    "binded": "bind()",
    "params_initialized": "init_params()",
    "optimizer_initialized": "init_optimizer()",
    "inputs_need_grad": "bind(..., inputs_need_grad=True)",
}
"""What makes each of the states true."""


def _metric(given: Any) -> metric.EvalMetric:
    return given if isinstance(given, metric.EvalMetric) else metric.create(given)


def _call(callbacks: Callbacks, *args: Any) -> None:
    """Call a callback, or each of several."""
    if callbacks is None:
        return
    for callback in callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]:
        callback(*args)
