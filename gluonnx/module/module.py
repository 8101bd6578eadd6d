"""A symbol with its parameters, its executors and an optimizer."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gluonnx.context import Context, cpu
from gluonnx.errors import ArgumentError, ParameterError
from gluonnx.initializer import InitDesc, Uniform
from gluonnx.io import DataDesc
from gluonnx.metric import EvalMetric
from gluonnx.model import load_checkpoint
from gluonnx.module.base_module import DEFAULT_OPTIMIZER_PARAMS, BaseModule, Params
from gluonnx.module.executor_group import ExecutorGroup, GradReq, Names
from gluonnx.module.naming import check_input_names, describe
from gluonnx.module.updating import Updates
from gluonnx.ndarray.creation import zeros
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol import Symbol

__all__ = ["Module"]


class Module(BaseModule):
    """A symbol that is trained on the batches of an iterator.

    Args:
        symbol: The graph, with its losses.
        data_names: Which arguments are data.
        label_names: Which arguments are labels.
        logger: Where progress is logged.
        context: Where it runs; a list divides each batch among the contexts.
        work_load_list: How much of a batch each context gets, relative to the others.
        fixed_param_names: Parameters that are not trained.
        state_names: Arguments that stay from batch to batch, zeros at first.
        group2ctxs: Not supported: a graph runs on one device.
        compression_params: Gradient compression of the kvstore.

    Raises:
        ArgumentError: A name is no argument of the symbol, or a list has the wrong length.

    Examples:
        >>> from gluonnx import nd, sym
        >>> out = sym.FullyConnected(sym.var("data"), num_hidden=2, name="fc")
        >>> module = Module(out, label_names=None)
        >>> module.bind([("data", (4, 3))], for_training=False)
        >>> module.init_params()
        >>> module.output_shapes
        [('fc_output', (4, 2))]
    """

    def __init__(
        self,
        symbol: Symbol,
        data_names: Sequence[str] | None = ("data",),
        label_names: Sequence[str] | None = ("softmax_label",),
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Sequence[float] | None = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(logger)
        if group2ctxs:
            raise ArgumentError(
                f"Module: a graph runs on one device: expected group2ctxs=None, got group2ctxs={group2ctxs!r}."
            )
        context = cpu() if context is None else context
        self._context = [context] if isinstance(context, Context) else list(context)
        self._work_load_list = [1.0] * len(self._context) if work_load_list is None else list(work_load_list)
        if len(self._work_load_list) != len(self._context):
            raise ArgumentError(
                f"Module: expected a workload for each of {len(self._context)} contexts, "
                f"got work_load_list={work_load_list!r}."
            )
        data, label, state, fixed = (list(n or ()) for n in (data_names, label_names, state_names, fixed_param_names))
        check_input_names(symbol, data, "data", must_exist=True)
        check_input_names(symbol, label, "label", must_exist=False)
        check_input_names(symbol, state, "state", must_exist=True)
        check_input_names(symbol, fixed, "fixed_param", must_exist=True)
        inputs = {*data, *label, *state}
        params = [name for name in symbol.list_arguments() if name not in inputs]
        self._names = Names(data, label, state, params, fixed)
        self._symbol: Symbol = symbol
        self._compression_params = compression_params
        self._arg_params: dict[str, NDArray] | None = None
        self._aux_params: dict[str, NDArray] | None = None
        self._params_dirty = False
        self._updates = Updates()
        self._preload_opt_states: str | None = None
        self._exec_group: ExecutorGroup | None = None
        self._data_shapes: list[DataDesc] | None = None
        self._label_shapes: list[DataDesc] | None = None

    # Checkpoints -----------------------------------------------------------------------------------------------------

    @staticmethod
    def load(prefix: str, epoch: int, load_optimizer_states: bool = False, **kwargs: Any) -> "Module":
        """Return a module from a checkpoint; it is to be bound, its parameters have their values.

        Args:
            prefix: Path of the checkpoint without its ends.
            epoch: Number of the epoch.
            load_optimizer_states: Whether `init_optimizer` reads the optimizer's states, `prefix-0000.states`.
            **kwargs: Arguments of Module.

        Raises:
            FormatError: A file is not what it should be.
            FileAccessError: A file cannot be read.
        """
        symbol, arguments, states = load_checkpoint(prefix, epoch)
        made = Module(symbol, **kwargs)
        made._arg_params, made._aux_params = arguments, states
        made.params_initialized = True
        if load_optimizer_states:
            made._preload_opt_states = _states_path(prefix, epoch)
        return made

    def save_checkpoint(
        self, prefix: str, epoch: int, save_optimizer_states: bool = False, remove_amp_cast: bool = True
    ) -> None:
        """Write `prefix-symbol.json`, `prefix-0000.params` and, if asked for, `prefix-0000.states`.

        Args:
            prefix: Path without the ends.
            epoch: Number of the epoch.
            save_optimizer_states: Whether to write the optimizer's states.
            remove_amp_cast: Leave out the casts that mixed precision put in.
        """
        self._symbol.save(f"{prefix}-symbol.json", remove_amp_cast=remove_amp_cast)
        self.save_params(f"{prefix}-{epoch:04d}.params")
        logging.info('Saved checkpoint to "%s"', f"{prefix}-{epoch:04d}.params")
        if save_optimizer_states:
            self.save_optimizer_states(_states_path(prefix, epoch))
            logging.info('Saved optimizer state to "%s"', _states_path(prefix, epoch))

    def save_optimizer_states(self, fname: str) -> None:
        """Write the optimizer's states to a safetensors file. Differs: MXNet writes a pickle."""
        self._require(optimizer_initialized=True)
        self._updates.save_states(fname)

    def load_optimizer_states(self, fname: str) -> None:
        """Read the optimizer's states from such a file.

        Raises:
            FormatError: It is none, or of another optimizer.
        """
        self._require(optimizer_initialized=True)
        self._updates.load_states(fname)

    # What it is ------------------------------------------------------------------------------------------------------

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs."""
        return list(self._names.data)

    @property
    def label_names(self) -> list[str]:
        """Names of the label inputs."""
        return list(self._names.label)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return self._symbol.list_outputs()

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the data that it is bound to."""
        self._require(binded=True)
        assert self._data_shapes is not None
        return self._data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Descriptions of the labels that it is bound to, None where there are none."""
        self._require(binded=True)
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs."""
        return self._group().output_shapes()

    def _group(self) -> ExecutorGroup:
        self._require(binded=True)
        assert self._exec_group is not None
        return self._exec_group

    # Parameters ------------------------------------------------------------------------------------------------------

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return arguments and auxiliary states by name: copies on the CPU, the means over the contexts."""
        self._require(params_initialized=True)
        arguments, states = self._stored()
        if self._params_dirty:
            self._group().get_params(arguments, states)
            self._params_dirty = False
        return arguments, states

    def _stored(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        assert self._arg_params is not None
        assert self._aux_params is not None
        return self._arg_params, self._aux_params

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - it has no state
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give the parameters their first values.

        Args:
            initializer: Makes the values that are not given; a variable's own initializer goes before it.
            arg_params: Arguments by name.
            aux_params: Auxiliary states by name.
            allow_missing: Whether given values may leave parameters to the initializer.
            force_init: Whether to do it if they have values already.
            allow_extra: Whether values of no parameter are passed over.

        Raises:
            ModuleStateError: The module is not bound.
            ParameterError: A value is missing or of another shape, or there is no initializer for it.
            ArgumentError: A value is of no parameter, and `allow_extra` is False.
        """
        if self.params_initialized and not force_init:
            warnings.warn(
                "Parameters already initialized and force_init=False. init_params call ignored.",
                UserWarning,
                stacklevel=2,
            )
            return
        group = self._group()
        notes = self._symbol.attr_dict()
        for own, given in zip(self._stored(), (arg_params, aux_params), strict=True):
            _check_given(own, given, allow_missing=allow_missing, allow_extra=allow_extra)
            for name, target in sorted(own.items()):
                value = None if given is None else given.get(name)
                if value is not None:
                    if value is not target:
                        target[:] = value
                elif initializer is not None:
                    initializer(InitDesc(name, notes.get(name)), target)
                elif given is None:
                    raise ParameterError(
                        f"Module.init_params: no value for `{name}`: expected an initializer or values, got neither."
                    )
        self.params_initialized = True
        self._params_dirty = False
        group.set_params(*self._stored())

    def set_params(
        self,
        arg_params: Params,
        aux_params: Params,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set the parameters; see BaseModule. With `allow_missing`, parameters left out keep their values."""
        if not allow_missing:
            super().set_params(arg_params, aux_params, allow_missing, force_init, allow_extra)
            return
        if self.params_initialized and not force_init:
            warnings.warn(
                "Parameters already initialized and force_init=False. set_params call ignored.",
                UserWarning,
                stacklevel=2,
            )
            return
        self._group().set_params(arg_params, aux_params, allow_extra=allow_extra)
        self._params_dirty = True
        self.params_initialized = True

    # Getting ready ---------------------------------------------------------------------------------------------------

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: "Module | None" = None,
        grad_req: GradReq = "write",
    ) -> None:
        """Make executors for the shapes of a batch.

        Args:
            data_shapes: Descriptions of the data, or (name, shape) pairs; `provide_data` of an iterator.
            label_shapes: The same for the labels, None where there are none.
            for_training: Whether gradients are wanted.
            inputs_need_grad: Whether gradients of the data are wanted too.
            force_rebind: Whether to bind again if bound; else such a call is ignored with a warning.
            shared_module: A bound module whose parameters, and optimizer if it has one, this module shares.
            grad_req: `"write"`, `"add"` or `"null"`: for all parameters, in the order of the arguments, or by name.

        Raises:
            ArgumentError: Names do not fit, batch sizes differ, or gradients of the data are asked for without
                training.
            InputError: The shapes do not fit the symbol.
        """
        if force_rebind:
            self._reset_bind()
        if self.binded:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            raise ArgumentError(
                "Module.bind: gradients of the data need training: expected for_training=True, got for_training=False."
            )
        self._describe(data_shapes, label_shapes)
        assert self._data_shapes is not None
        shared = None
        if shared_module is not None:
            shared_module._require(binded=True, params_initialized=True)
            shared = shared_module._group()
            if len(shared.execs) < len(self._context):
                raise ArgumentError(
                    f"Module.bind: the shared module runs on fewer contexts: expected at least {len(self._context)}, "
                    f"got {len(shared.execs)}."
                )
        group = ExecutorGroup(
            self._symbol,
            self._context,
            self._work_load_list,
            self._names,
            self._data_shapes,
            self._label_shapes,
            for_training=for_training,
            inputs_need_grad=inputs_need_grad,
            grad_req=grad_req,
            shared=shared,
        )
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self._exec_group = group
        if shared_module is not None:
            self.params_initialized = True
            self._arg_params, self._aux_params = shared_module._arg_params, shared_module._aux_params
        elif self.params_initialized:
            group.set_params(*self._stored())
        else:
            self._arg_params = _zeros_like(group.param_names, group.param_arrays)
            self._aux_params = _zeros_like(self._symbol.list_auxiliary_states(), group.aux_arrays)
        self.binded = True
        if shared_module is not None and shared_module.optimizer_initialized:
            self.borrow_optimizer(shared_module)

    def _reset_bind(self) -> None:
        if self.binded and self.params_initialized:
            self.get_params()
        self.binded = False
        self._exec_group = None
        self._data_shapes = self._label_shapes = None

    def _describe(self, data_shapes: Any, label_shapes: Any) -> None:
        data = describe(self._names.data, data_shapes, "data", must_match=True)
        self._label_shapes = describe(self._names.label, label_shapes, "label", must_match=False)
        self._data_shapes = data

    def reshape(self, data_shapes: Any, label_shapes: Any = None) -> None:
        """Go on with batches of other shapes; the parameters stay.

        Args:
            data_shapes: See `bind`.
            label_shapes: See `bind`.

        Raises:
            InputError: A parameter would change its shape.
        """
        group = self._group()
        self._describe(data_shapes, label_shapes)
        assert self._data_shapes is not None
        group.reshape(self._data_shapes, self._label_shapes)

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = DEFAULT_OPTIMIZER_PARAMS,
        force_init: bool = False,
    ) -> None:
        """Take an optimizer.

        Args:
            kvstore: Name of a kvstore, or one, that adds up the gradients of several contexts; None: none.
            optimizer: Name of an optimizer, which divides gradients by the batch size; or an optimizer.
            optimizer_params: Its arguments, as a dict or pairs.
            force_init: Whether to do it if there is one already; else such a call is ignored with a warning.

        Raises:
            ModuleStateError: The module is not bound, or its parameters are not initialized.
            InputTypeError: `kvstore` is neither a name nor a kvstore, or `optimizer` neither a name nor an optimizer.
        """
        self._require(binded=True, params_initialized=True)
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring...")
            return
        group = self._group()
        arguments, _ = self.get_params()
        self._updates = Updates.begin(
            kvstore,
            optimizer,
            optimizer_params,
            symbol=self._symbol,
            group=group,
            arg_params=arguments,
            compression_params=self._compression_params,
        )
        self.optimizer_initialized = True
        if self._preload_opt_states is not None:
            self.load_optimizer_states(self._preload_opt_states)
            self._preload_opt_states = None

    @property
    def _optimizer(self) -> Any:
        """The optimizer, None without one: MXNet's name, which programs read; so are those of the three below."""
        return self._updates.optimizer

    @property
    def _kvstore(self) -> Any:
        return self._updates.kvstore

    @property
    def _update_on_kvstore(self) -> bool:
        return self._updates.on_kvstore

    @property
    def _updater(self) -> Any:
        return self._updates.updater

    def borrow_optimizer(self, shared_module: "Module") -> None:
        """Use the optimizer of another module, with its states.

        Raises:
            ModuleStateError: That module has none.
        """
        shared_module._require(optimizer_initialized=True)
        self._updates = shared_module._updates
        self.optimizer_initialized = True

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor watch every executor."""
        self._group().install_monitor(mon)

    # Running ---------------------------------------------------------------------------------------------------------

    def prepare(self, data_batch: Any, sparse_row_id_fn: Callable[[Any], Any] | None = None) -> None:
        """Get ready for a batch: pull the rows of row_sparse parameters that it needs.

        Args:
            data_batch: The batch.
            sparse_row_id_fn: Returns the row numbers by parameter name.
        """
        group = self._group()
        if sparse_row_id_fn is None:
            return
        self._updates.pull_rows(group, lambda: sparse_row_id_fn(data_batch))

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch forward; executors are reshaped if it has another shape than the last.

        Args:
            data_batch: A batch, or a list of batches, one for each context.
            is_train: Whether to run as in training; `for_training` if None.

        Raises:
            ModuleStateError: The module is not bound, or its parameters are not initialized.
            InputError: The batch does not fit the symbol.
        """
        self._require(binded=True, params_initialized=True)
        batches = data_batch if isinstance(data_batch, list) else [data_batch]
        shapes = []
        for arrays in zip(*(batch.data for batch in batches), strict=True):
            if len({array.shape for array in arrays}) > 1:
                raise ArgumentError(
                    "Module.forward: All data batches in a list need to have the same shape: "
                    f"got {[array.shape for array in arrays]}."
                )
            shape = arrays[0].shape
            shapes.append((len(batches) * shape[0], *shape[1:]) if shape else shape)
        if tuple(shapes) != tuple(desc.shape for desc in self.data_shapes):
            self._follow(batches, shapes)
        self._group().forward(data_batch, is_train)

    def _follow(self, batches: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> None:
        """Reshape to the shapes of a batch."""
        first = batches[0]
        data = getattr(first, "provide_data", None) if len(batches) == 1 else None
        data = data or [
            DataDesc(desc.name, shape, desc.dtype, desc.layout)
            for desc, shape in zip(self.data_shapes, shapes, strict=True)
        ]
        label = getattr(first, "provide_label", None) if len(batches) == 1 else None
        if not label and getattr(first, "label", None):
            label = [
                DataDesc(desc.name, (len(batches) * a.shape[0], *a.shape[1:]), desc.dtype, desc.layout)
                for desc, a in zip(self._label_shapes or (), first.label, strict=False)
            ]
        data = [desc if isinstance(desc, DataDesc) else DataDesc(*desc) for desc in data]
        label = [desc if isinstance(desc, DataDesc) else DataDesc(*desc) for desc in label] if label else None
        self._data_shapes, self._label_shapes = data, label
        self._group().reshape(data, label)

    def backward(self, out_grads: Any = None) -> None:
        """Run the last batch backward.

        Args:
            out_grads: Gradients of the outputs; None for losses.
        """
        self._require(binded=True, params_initialized=True)
        self._group().backward(out_grads)

    def update(self) -> None:
        """Update the parameters by the optimizer, from the gradients of the last batch."""
        self._require(binded=True, params_initialized=True, optimizer_initialized=True)
        self._params_dirty = True
        self._updates.apply(self._group())

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the outputs of the last batch; without merging, a list for each output of those of each context."""
        self._require(binded=True, params_initialized=True)
        return self._group().outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the gradients of the data of the last batch, likewise."""
        self._require(binded=True, params_initialized=True, inputs_need_grad=True)
        return self._group().input_grads(merge_multi_context)

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the states, likewise."""
        self._require(binded=True, params_initialized=True)
        return self._group().states(merge_multi_context)

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states to arrays, a list for each state of those of each context, or to a number.

        Raises:
            ArgumentError: Both or neither are given.
        """
        self._require(binded=True, params_initialized=True)
        self._group().set_states(states, value)

    def update_metric(self, eval_metric: EvalMetric, labels: Sequence[Any], pre_sliced: bool = False) -> None:
        """Give a metric the outputs of the last batch and their labels.

        Args:
            eval_metric: The metric.
            labels: Labels of the batch, or those of each context if `pre_sliced`.
            pre_sliced: See `labels`.
        """
        self._group().update_metric(eval_metric, labels or (), pre_sliced)


def _states_path(prefix: str, epoch: int) -> str:
    return f"{prefix}-{epoch:04d}.states"


def _zeros_like(names: Sequence[str], arrays: Sequence[Sequence[NDArray]]) -> dict[str, NDArray]:
    return {n: zeros(own[0].shape, dtype=own[0].dtype, ctx=cpu()) for n, own in zip(names, arrays, strict=True)}


def _check_given(own: Params, given: Params | None, *, allow_missing: bool, allow_extra: bool) -> None:
    """Check given values against the parameters.

    Raises:
        ParameterError: Some are missing, or have another shape; all of them are named.
        ArgumentError: Some are of no parameter.
    """
    if given is None:
        return
    problems = [] if allow_missing else [f"{name} is not presented" for name in sorted(own) if name not in given]
    problems += [
        f"{name}: expected shape {own[name].shape}, got {value.shape}"
        for name, value in sorted(given.items())
        if name in own and own[name].shape != value.shape
    ]
    if problems:
        raise ParameterError(f"Module.init_params: parameters do not fit: {'; '.join(problems)}.")
    extra = sorted(given.keys() - own.keys())
    if extra and not allow_extra:
        raise ArgumentError(
            f"Module.init_params: values of no parameter: expected some of {', '.join(own) or 'none'}, "
            f"got {', '.join(extra)}. Pass allow_extra=True to pass over them."
        )
