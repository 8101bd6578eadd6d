"""A symbol bound to arrays on one context."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluonnx import optimizer as optimizers
from gluonnx.context import Context, current_context
from gluonnx.errors import ArgumentError, InputError, NotSupportedError, ParameterError
from gluonnx.formats.files import write_bytes_atomic
from gluonnx.initializer import InitDesc, Initializer, Uniform
from gluonnx.io import DataDesc
from gluonnx.metric import EvalMetric
from gluonnx.model import load_checkpoint, save_checkpoint
from gluonnx.module.base import LEARNING_RATE, BaseModule, Params
from gluonnx.ndarray import NDArray, zeros
from gluonnx.symbol import Symbol

__all__ = ["Module"]

Descriptions = Sequence[DataDesc] | Sequence[tuple[str, tuple[int, ...]]] | None


class Module(BaseModule):
    """Trains a symbol.

    Args:
        symbol: The graph.
        data_names: Names of its inputs.
        label_names: Names of its labels; those that the graph does not have are passed over.
        logger: Where `fit` reports.
        context: Where it runs, the current context if None.
        work_load_list: Accepted; there is one context.
        fixed_param_names: Parameters that are not trained.
        state_names: Not supported.
        group2ctxs: Not supported.
        compression_params: Accepted; nothing is sent anywhere.

    Raises:
        NotSupportedError: Several contexts are given, or `state_names` or `group2ctxs`.
        ArgumentError: The graph has no input of a data name.
    """

    def __init__(
        self,
        symbol: Symbol,
        data_names: Sequence[str] | None = ("data",),
        label_names: Sequence[str] | None = ("softmax_label",),
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Any = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Any = None,
    ) -> None:
        super().__init__(logger)
        contexts = [context] if isinstance(context, Context) or context is None else list(context)
        if len(contexts) != 1 or state_names or group2ctxs:
            raise NotSupportedError(
                "Module: one context only, without states and groups: expected context=<one>, got "
                f"context={context}, state_names={state_names}, group2ctxs={group2ctxs}. Use gluon.Trainer for several."
            )
        self._context = contexts[0] or current_context()
        self._symbol = symbol
        arguments = symbol.list_arguments()
        self._data_names = list(data_names or ())
        self._label_names = [name for name in label_names or () if name in arguments]
        missing = [name for name in self._data_names if name not in arguments]
        if missing:
            raise ArgumentError(
                f"Module: no such input: expected data_names among {', '.join(arguments)}, got {missing}. "
                "Pass data_names=[...]."
            )
        inputs = {*self._data_names, *self._label_names}
        self._param_names = [name for name in arguments if name not in inputs]
        self._aux_names = symbol.list_auxiliary_states()
        self._fixed = frozenset(fixed_param_names or ())
        self._arrays: dict[str, NDArray] = {}
        self._grads: dict[str, NDArray] = {}
        self._auxiliary: dict[str, NDArray] = {}
        self._requests: dict[str, str] = {}
        self._data_shapes: list[DataDesc] = []
        self._label_shapes: list[DataDesc] = []
        self._executor: Any = None
        self._optimizer: Any = None
        self._updater: Any = None
        self._preloaded: tuple[Params, Params] | None = None
        self._states_path: str | None = None

    # Facts -----------------------------------------------------------------------------------------------------------

    @property
    def symbol(self) -> Symbol:
        """The graph."""
        return self._symbol

    @property
    def data_names(self) -> list[str]:
        """Names of the inputs."""
        return self._data_names

    @property
    def label_names(self) -> list[str]:
        """Names of the labels."""
        return self._label_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return self._symbol.list_outputs()

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the inputs."""
        return self._data_shapes

    @property
    def label_shapes(self) -> list[DataDesc]:
        """Descriptions of the labels."""
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs."""
        return [(name, out.shape) for name, out in zip(self.output_names, self._executor.outputs, strict=True)]

    # Setting up ------------------------------------------------------------------------------------------------------

    def bind(
        self,
        data_shapes: Descriptions,
        label_shapes: Descriptions = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Any = None,
        grad_req: str = "write",
        **kwargs: Any,
    ) -> None:
        """Allocate arrays for the shapes of a batch.

        Args:
            data_shapes: Names and shapes of the inputs.
            label_shapes: Names and shapes of the labels.
            for_training: Whether gradients are computed.
            inputs_need_grad: Whether those of the inputs are, too.
            force_rebind: Whether a module that is bound is bound again.
            shared_module: Not supported.
            grad_req: What is done with a gradient: `"write"`, `"add"` or `"null"`.
            **kwargs: None.

        Raises:
            InputError: The shapes do not fit the graph, or do not decide all others.
            NotSupportedError: A module is to be shared with.
        """
        if kwargs:
            raise TypeError(f"Module.bind: unknown argument: got {sorted(kwargs)}.")
        if shared_module is not None:
            raise NotSupportedError("Module.bind: shared_module is not supported: expected None. Use set_params.")
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        requests = dict.fromkeys(self._param_names, grad_req if for_training else "null")
        requests |= dict.fromkeys(self._fixed, "null")
        requests |= dict.fromkeys(self._data_names, grad_req if for_training and inputs_need_grad else "null")
        self._requests = {**requests, **dict.fromkeys(self._label_names, "null")}
        self._allocate(data_shapes, label_shapes)
        self.binded = True
        if self._preloaded is not None:
            arguments, states = self._preloaded
            self.init_params(None, arg_params=arguments, aux_params=states, force_init=True)

    def reshape(self, data_shapes: Descriptions, label_shapes: Descriptions = None) -> None:
        """Allocate arrays for other shapes of a batch; the parameters stay."""
        self._check_bound("reshape")
        self._allocate(data_shapes, label_shapes)

    def init_params(
        self,
        initializer: Initializer | None = Uniform(0.01),  # noqa: B008 - it has no state
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
        **kwargs: Any,
    ) -> None:
        """Give the parameters values: given ones, else the initializer's.

        Args:
            initializer: Of parameters without a given value.
            arg_params: Values of arguments.
            aux_params: Values of auxiliary states.
            allow_missing: Whether parameters without a given value keep what they have if there is no initializer.
            force_init: Whether parameters that have values get new ones.
            allow_extra: Whether values for unknown names are passed over.
            **kwargs: None.

        Raises:
            ParameterError: A value is missing, of another shape, or for a name that the graph does not have.
        """
        if kwargs:
            raise TypeError(f"Module.init_params: unknown argument: got {sorted(kwargs)}.")
        if self.params_initialized and not force_init:
            warnings.warn(
                "Parameters already initialized and force_init=False. init_params call ignored.", stacklevel=2
            )
            return
        self._check_bound("init_params")
        given = {**(arg_params or {}), **(aux_params or {})}
        own = {name: self._arrays[name] for name in self._param_names} | self._auxiliary
        unknown = sorted(given.keys() - own.keys() - {*self._data_names, *self._label_names})
        if unknown and not allow_extra:
            raise ParameterError(f"init_params: unknown parameters: expected {', '.join(own)}, got {unknown}.")
        has_values = arg_params is not None or aux_params is not None
        attributes = self._symbol.attr_dict()
        for name, target in own.items():
            value = given.get(name)
            if value is not None:
                if value.shape != target.shape:
                    raise ParameterError(
                        f"init_params: shape of `{name}`: expected {target.shape}, got shape={value.shape}."
                    )
                target[:] = value.as_in_context(self._context)
            elif initializer is not None and (allow_missing or not has_values):
                initializer(InitDesc(name, attributes.get(name, {})), target)
            elif not allow_missing:
                raise ParameterError(f"init_params: {name} is not presented: expected a value or allow_missing=True.")
        self.params_initialized = True

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = LEARNING_RATE,
        force_init: bool = False,
        **kwargs: Any,
    ) -> None:
        """Make the optimizer.

        Args:
            kvstore: Accepted: there is one context, nothing is exchanged.
            optimizer: An optimizer or its name.
            optimizer_params: Its arguments; `rescale_grad` is one over the batch size unless given.
            force_init: Whether a module that has an optimizer gets a new one.
            **kwargs: None.
        """
        if kwargs:
            raise TypeError(f"Module.init_optimizer: unknown argument: got {sorted(kwargs)}.")
        self._check_ready("init_optimizer")
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring...")
            return
        names = dict(enumerate(self._param_names))
        if isinstance(optimizer, str):
            arguments = dict(optimizer_params)
            axis = DataDesc.get_batch_axis(getattr(self._data_shapes[0], "layout", None))
            arguments.setdefault("rescale_grad", 1.0 / self._data_shapes[0].shape[max(axis, 0)])
            optimizer = optimizers.create(optimizer, sym=self._symbol, param_idx2name=names, **arguments)
        elif not optimizer.idx2name:
            optimizer.idx2name = names
        self._optimizer = optimizer
        self._updater = optimizers.get_updater(optimizer)
        self.optimizer_initialized = True
        if self._states_path is not None:
            self.load_optimizer_states(self._states_path)
            self._states_path = None

    # Running ---------------------------------------------------------------------------------------------------------

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Compute the outputs of a batch; shapes may differ from those bound.

        Args:
            data_batch: Has `data` and `label`.
            is_train: Whether operators behave as in training; as bound if None.
        """
        self._check_ready("forward")
        labels = list(data_batch.label or ())[: len(self._label_names)]
        arrays = dict(zip(self._data_names, data_batch.data, strict=True)) | dict(
            zip(self._label_names, labels, strict=False)
        )
        if any(self._arrays[name].shape != value.shape for name, value in arrays.items()):
            self.reshape(
                [DataDesc(name, value.shape) for name, value in zip(self._data_names, data_batch.data, strict=True)],
                [DataDesc(name, value.shape) for name, value in zip(self._label_names, labels, strict=False)],
            )
        for name, value in arrays.items():
            self._arrays[name][:] = value.as_in_context(self._context)
        self._executor.forward(is_train=self.for_training if is_train is None else is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients of the last forward.

        Args:
            out_grads: Gradients of the outputs, which loss operators do not need.
        """
        self._check_ready("backward")
        self._executor.backward(out_grads)

    def update(self) -> None:
        """Let the optimizer make a step with the gradients of the last backward.

        Raises:
            ArgumentError: There is no optimizer.
        """
        if not self.optimizer_initialized:
            raise ArgumentError("Module.update: no optimizer: expected init_optimizer() before it.")
        for index, name in enumerate(self._param_names):
            gradient = self._grads.get(name)
            if gradient is not None:
                self._updater(index, gradient, self._arrays[name])

    def get_outputs(self, merge_multi_context: bool = True) -> list[NDArray]:
        """Return the outputs of the last forward."""
        self._check_ready("get_outputs")
        return list(self._executor.outputs)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[NDArray]:
        """Return the gradients of the inputs.

        Raises:
            ArgumentError: The module was not bound with `inputs_need_grad=True`.
        """
        if not self.inputs_need_grad:
            raise ArgumentError("Module.get_input_grads: no gradients: expected bind(..., inputs_need_grad=True).")
        return [self._grads[name] for name in self._data_names]

    def update_metric(self, eval_metric: EvalMetric, labels: Any, pre_sliced: bool = False) -> None:
        """Show labels and the outputs of the last forward to a metric."""
        named = dict(zip(self._label_names, labels or (), strict=False))
        eval_metric.update_dict(named, dict(zip(self.output_names, self._executor.outputs, strict=True)))

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return copies of the arguments that are parameters, and of the auxiliary states, by name."""
        self._check_ready("get_params")
        arguments = {name: self._arrays[name].copy() for name in self._param_names}
        return arguments, {name: value.copy() for name, value in self._auxiliary.items()}

    # Files -----------------------------------------------------------------------------------------------------------

    def save_checkpoint(
        self, prefix: str, epoch: int, save_optimizer_states: bool = False, remove_amp_cast: bool = True
    ) -> None:
        """Write the graph, the parameters and, if wanted, the optimizer's states (`prefix-0000.states`)."""
        save_checkpoint(prefix, epoch, self._symbol, *self.get_params(), remove_amp_cast=remove_amp_cast)
        if save_optimizer_states:
            self.save_optimizer_states(f"{prefix}-{epoch:04d}.states")

    @staticmethod
    def load(prefix: str, epoch: int, load_optimizer_states: bool = False, **kwargs: Any) -> "Module":
        """Return a module from what `save_checkpoint` wrote.

        Args:
            prefix: Path without the ends.
            epoch: Number of the epoch.
            load_optimizer_states: Whether the optimizer's states are loaded, too.
            **kwargs: Arguments of Module.
        """
        graph, arguments, states = load_checkpoint(prefix, epoch)
        module = Module(graph, **kwargs)
        module._preloaded = arguments, states
        if load_optimizer_states:
            module._states_path = f"{prefix}-{epoch:04d}.states"
        return module

    def save_optimizer_states(self, fname: str) -> None:
        """Write the optimizer's states.

        Raises:
            ArgumentError: There is no optimizer.
        """
        if self._updater is None:
            raise ArgumentError("Module.save_optimizer_states: no optimizer: expected init_optimizer() before it.")
        write_bytes_atomic(fname, self._updater.get_states())

    def load_optimizer_states(self, fname: str) -> None:
        """Read the optimizer's states.

        Raises:
            ArgumentError: There is no optimizer.
        """
        if self._updater is None:
            raise ArgumentError("Module.load_optimizer_states: no optimizer: expected init_optimizer() before it.")
        self._updater.set_states(Path(fname).read_bytes(), fname)

    # Internals -------------------------------------------------------------------------------------------------------

    def _allocate(self, data_shapes: Descriptions, label_shapes: Descriptions) -> None:
        self._data_shapes = _described(data_shapes, self._data_names, "data_shapes")
        given = [pair for pair in label_shapes or () if pair[0] in self._label_names]
        self._label_shapes = _described(given, self._label_names if given else [], "label_shapes")
        inputs = {d.name: d for d in (*self._data_shapes, *self._label_shapes)}
        arguments, _, states = self._symbol.infer_shape(**{name: d.shape for name, d in inputs.items()})
        if arguments is None:
            raise InputError(
                f"Module.bind: shapes are not decided: expected those of every input, got {list(inputs.values())}."
            )
        names = self._symbol.list_arguments()
        dtypes, _, state_dtypes = self._symbol.infer_type(**{name: d.dtype for name, d in inputs.items()})
        for name, shape, dtype in zip(names, arguments, dtypes, strict=True):
            held = self._arrays.get(name)
            if held is None or held.shape != tuple(shape):
                self._arrays[name] = zeros(shape, ctx=self._context, dtype=dtype)
        self._grads = {name: self._held_gradient(name) for name in names if self._requests.get(name, "null") != "null"}
        for name, shape, dtype in zip(self._aux_names, states, state_dtypes, strict=True):
            if name not in self._auxiliary:
                self._auxiliary[name] = zeros(shape, ctx=self._context, dtype=dtype)
        self._executor = self._symbol.bind(
            self._context, self._arrays, self._grads or None, self._requests, self._auxiliary
        )

    def _held_gradient(self, name: str) -> NDArray:
        held, target = self._grads.get(name), self._arrays[name]
        if held is not None and held.shape == target.shape:
            return held
        return zeros(target.shape, ctx=self._context, dtype=target.dtype)

    def _check_bound(self, what: str) -> None:
        if not self.binded:
            raise ArgumentError(f"Module.{what}: module is not bound: expected bind() before it.")


def _described(given: Any, names: Sequence[str], what: str) -> list[DataDesc]:
    """Descriptions in the order of the names.

    Raises:
        InputError: The names are others.
    """
    found: Mapping[str, DataDesc] = {
        pair[0]: pair if isinstance(pair, DataDesc) else DataDesc(*pair) for pair in given or ()
    }
    if set(found) != set(names):
        raise InputError(f"Module.bind: {what} name other inputs: expected {list(names)}, got {sorted(found)}.")
    return [found[name] for name in names]
