"""Modules that share their parameters, one for each kind of batch."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gluonnx import ndarray
from gluonnx.context import Context
from gluonnx.errors import ArgumentError, FormatError
from gluonnx.initializer import Uniform
from gluonnx.io import DataDesc
from gluonnx.metric import EvalMetric
from gluonnx.model import load_params
from gluonnx.module.base_module import DEFAULT_OPTIMIZER_PARAMS, BaseModule, Params
from gluonnx.module.module import Module
from gluonnx.module.naming import check_input_names
from gluonnx.name import NameManager
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol import Symbol
from gluonnx.symbol import load as load_symbol

__all__ = ["BucketingModule"]

SymGen = Callable[[Any], tuple[Symbol, Sequence[str], Sequence[str]]]


class BucketingModule(BaseModule):
    """Trains on batches of several kinds, such as sentences by length: a module for each, with shared parameters.

    Args:
        sym_gen: Returns the symbol, the names of its data and of its labels for a key.
        default_bucket_key: The key of the module that owns the parameters: the largest.
        logger: Where progress is logged.
        context: See Module, as for the rest.
        work_load_list: See Module.
        fixed_param_names: See Module.
        state_names: See Module.
        group2ctxs: See Module.
        compression_params: See Module.

    Raises:
        ArgumentError: There is no default key, or a name is no argument of its symbol.

    Source: MXNet 1.9.1 python/mxnet/module/bucketing_module.py.
    """

    def __init__(
        self,
        sym_gen: SymGen,
        default_bucket_key: Any = None,
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Sequence[float] | None = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(logger)
        if default_bucket_key is None:
            raise ArgumentError("BucketingModule: no default key: expected a key, got default_bucket_key=None.")
        self._default_bucket_key = default_bucket_key
        self._sym_gen = sym_gen
        self._given_symbols: dict[Any, Symbol] = {}
        self._given_params: tuple[dict[str, NDArray], dict[str, NDArray]] | None = None
        self._arguments = {
            "context": context,
            "work_load_list": work_load_list,
            "fixed_param_names": fixed_param_names,
            "state_names": state_names,
            "group2ctxs": group2ctxs,
            "compression_params": compression_params,
        }
        symbol, data_names, label_names = self._generate(default_bucket_key)
        check_input_names(symbol, data_names or (), "data", must_exist=True)
        check_input_names(symbol, label_names or (), "label", must_exist=False)
        check_input_names(symbol, state_names or (), "state", must_exist=True)
        check_input_names(symbol, fixed_param_names or (), "fixed_param", must_exist=True)
        self._buckets: dict[Any, Module] = {}
        self._curr_module: Module | None = None
        self._curr_bucket_key: Any = None
        self._params_dirty = False
        self._monitor: Any = None
        self._grad_req: Any = None

    def _generate(self, key: Any) -> tuple[Symbol, Sequence[str], Sequence[str]]:
        with NameManager():
            symbol, data_names, label_names = self._sym_gen(key)
        return self._given_symbols.get(key, symbol), data_names, label_names

    def _current(self) -> Module:
        self._require(binded=True)
        assert self._curr_module is not None
        return self._curr_module

    # What it is ------------------------------------------------------------------------------------------------------

    @property
    def symbol(self) -> Symbol | None:
        """The symbol of the current bucket."""
        return self._current().symbol

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs of the current bucket, or of the default one."""
        return self._current().data_names if self.binded else list(self._generate(self._default_bucket_key)[1] or ())

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs likewise."""
        if self.binded:
            return self._current().output_names
        return self._generate(self._default_bucket_key)[0].list_outputs()

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the data that the current bucket is bound to."""
        return self._current().data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Descriptions of the labels likewise."""
        return self._current().label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs likewise."""
        return self._current().output_shapes

    # Parameters ------------------------------------------------------------------------------------------------------

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return arguments and auxiliary states by name."""
        self._require(params_initialized=True)
        if self._given_params is not None:
            return self._given_params
        module = self._current()
        module._params_dirty = self._params_dirty
        self._params_dirty = False
        return module.get_params()

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - it has no state
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give the parameters their first values; see Module. Ignored if they have values, unless `force_init`."""
        if self.params_initialized and not force_init:
            return
        self._current().init_params(initializer, arg_params, aux_params, allow_missing, force_init, allow_extra)
        self._params_dirty = False
        self.params_initialized = True

    def set_params(
        self,
        arg_params: Params,
        aux_params: Params,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set the parameters; see Module."""
        self._current().set_params(arg_params, aux_params, allow_missing, force_init, allow_extra)
        self._params_dirty = allow_missing
        self.params_initialized = True

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the states of the current bucket."""
        return self._current().get_states(merge_multi_context)

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states of the current bucket."""
        self._current().set_states(states, value)

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
        """Bind the default bucket; the others are bound by `switch_bucket`. See Module for the arguments.

        Raises:
            ArgumentError: A shared module is given.
        """
        kept = self.get_params() if self.params_initialized else None
        if force_rebind:
            self.binded = False
            self._buckets, self._curr_module = {}, None
        if self.binded:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if shared_module is not None:
            raise ArgumentError(
                "BucketingModule.bind: shared_module for BucketingModule is not supported: expected None, got "
                f"{type(shared_module).__name__}."
            )
        module = self._make(self._default_bucket_key)
        module.bind(data_shapes, label_shapes, for_training, inputs_need_grad, grad_req=grad_req)
        self._grad_req = grad_req
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        self._buckets[self._default_bucket_key] = self._curr_module = module
        self._curr_bucket_key = self._default_bucket_key
        self.binded = True
        self._given_params = None
        if kept is not None:
            self.set_params(*kept)

    def _make(self, key: Any) -> Module:
        symbol, data_names, label_names = self._generate(key)
        return Module(symbol, data_names, label_names, logger=self.logger, **self._arguments)

    def switch_bucket(self, bucket_key: Any, data_shapes: Any, label_shapes: Any = None) -> None:
        """Make the module of a key the current one; it is bound first if it is new.

        Args:
            bucket_key: The key.
            data_shapes: Descriptions of the data, as of a batch's `provide_data`.
            label_shapes: Descriptions of the labels.

        Raises:
            ModuleStateError: The default bucket is not bound.
        """
        current = self._current()
        module = self._buckets.get(bucket_key)
        if module is None:
            module = self._make(bucket_key)
            module.bind(
                data_shapes,
                label_shapes,
                current.for_training,
                current.inputs_need_grad,
                shared_module=self._buckets[self._default_bucket_key],
                grad_req=self._grad_req,
            )
            if self._monitor is not None:
                module.install_monitor(self._monitor)
            self._buckets[bucket_key] = module
        self._curr_module, self._curr_bucket_key = module, bucket_key

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = DEFAULT_OPTIMIZER_PARAMS,
        force_init: bool = False,
    ) -> None:
        """Take an optimizer, which all buckets share; see Module."""
        self._require(binded=True, params_initialized=True)
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        current = self._current()
        current.init_optimizer(kvstore, optimizer, optimizer_params, force_init=force_init)
        for module in self._buckets.values():
            if module is not current:
                module.borrow_optimizer(current)
        self.optimizer_initialized = True

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor watch the executors of every bucket."""
        self._require(binded=True)
        self._monitor = mon
        for module in self._buckets.values():
            module.install_monitor(mon)

    # Running ---------------------------------------------------------------------------------------------------------

    def prepare(self, data_batch: Any, sparse_row_id_fn: Callable[[Any], Any] | None = None) -> None:
        """Bind the bucket of a batch, and pull the rows of row_sparse parameters that it needs."""
        self._require(binded=True, params_initialized=True)
        before = self._curr_bucket_key
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        self._current().prepare(data_batch, sparse_row_id_fn=sparse_row_id_fn)
        self.switch_bucket(before, None, None)

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch forward, in the bucket of its `bucket_key`."""
        self._require(binded=True, params_initialized=True)
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        self._current().forward(data_batch, is_train=is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Run the last batch backward."""
        self._current().backward(out_grads=out_grads)

    def update(self) -> None:
        """Update the parameters by the optimizer, from the gradients of the last batch."""
        self._require(binded=True, params_initialized=True, optimizer_initialized=True)
        self._params_dirty = True
        self._current().update()

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the outputs of the last batch."""
        return self._current().get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the gradients of the data of the last batch."""
        return self._current().get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric: EvalMetric, labels: Sequence[Any], pre_sliced: bool = False) -> None:
        """Give a metric the outputs of the last batch and their labels."""
        self._current().update_metric(eval_metric, labels, pre_sliced)

    # Checkpoints -----------------------------------------------------------------------------------------------------

    def save_checkpoint(self, prefix: str, epoch: int, remove_amp_cast: bool = False) -> None:
        """Write `prefix-0000.params`, `prefix-KEY-symbol.json` of each bucket, and their keys as `prefix.buckets`.

        Args:
            prefix: Path without the ends.
            epoch: Number of the epoch.
            remove_amp_cast: Leave out the casts that mixed precision put in.

        Raises:
            ModuleStateError: Nothing is bound.
            ArgumentError: A key is not a whole number, which the file of keys holds.
        """
        self._require(binded=True)
        wrong = [key for key in self._buckets if not isinstance(key, int)]
        if wrong:
            raise ArgumentError(
                f"BucketingModule.save_checkpoint: keys that the file cannot hold: expected whole numbers, got {wrong}."
            )
        self.save_params(f"{prefix}-{epoch:04d}.params")
        for key in self._buckets:
            self._sym_gen(key)[0].save(f"{prefix}-{key}-symbol.json", remove_amp_cast=remove_amp_cast)
        ndarray.save(f"{prefix}.buckets", [ndarray.array(list(self._buckets), dtype="int32")])

    @staticmethod
    def load(
        prefix: str, epoch: int, sym_gen: SymGen | None = None, default_bucket_key: Any = None, **kwargs: Any
    ) -> "BucketingModule":
        """Return a module with the parameters of a checkpoint; it is to be bound.

        Args:
            prefix: Path of the checkpoint without its ends.
            epoch: Number of the epoch.
            sym_gen: See BucketingModule.
            default_bucket_key: See BucketingModule.
            **kwargs: Further arguments of BucketingModule.

        Raises:
            ArgumentError: `sym_gen` or `default_bucket_key` is missing.
            FormatError: A file is not what it should be.
        """
        if sym_gen is None:
            raise ArgumentError("BucketingModule.load: sym_gen is required: expected a function, got sym_gen=None.")
        keys = ndarray.load(f"{prefix}.buckets")
        if not isinstance(keys, list) or len(keys) != 1:
            raise FormatError(f"{prefix}.buckets: expected a list of one array of keys, got {type(keys).__name__}.")
        symbols = {key: load_symbol(f"{prefix}-{key}-symbol.json") for key in map(int, keys[0].asnumpy().tolist())}
        arguments, states = load_params(prefix, epoch)
        return BucketingModule.load_dict(symbols, sym_gen, default_bucket_key, arguments, states, **kwargs)

    @staticmethod
    def load_dict(
        sym_dict: Mapping[Any, Symbol] | None = None,
        sym_gen: SymGen | None = None,
        default_bucket_key: Any = None,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        **kwargs: Any,
    ) -> "BucketingModule":
        """Return a module with given symbols and parameters; it is to be bound.

        Args:
            sym_dict: Symbol of each key, instead of what `sym_gen` makes.
            sym_gen: See BucketingModule.
            default_bucket_key: See BucketingModule.
            arg_params: Arguments by name.
            aux_params: Auxiliary states by name.
            **kwargs: Further arguments of BucketingModule.

        Raises:
            ArgumentError: Something is missing.
        """
        given = {"sym_dict": sym_dict, "sym_gen": sym_gen, "arg_params": arg_params, "aux_params": aux_params}
        missing = [name for name, value in {**given, "default_bucket_key": default_bucket_key}.items() if value is None]
        if missing:
            raise ArgumentError(
                f"BucketingModule: needs to be provided for loading: expected values, got {', '.join(missing)}=None."
            )
        assert sym_dict is not None
        assert sym_gen is not None
        made = BucketingModule(sym_gen, default_bucket_key, **kwargs)
        made._given_symbols = dict(sym_dict)
        made._given_params = dict(arg_params or {}), dict(aux_params or {})
        made.params_initialized = True
        return made
