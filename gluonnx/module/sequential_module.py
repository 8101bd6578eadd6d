"""Modules one after the other."""

import copy
import logging
from typing import Any, ClassVar

from gluonnx.errors import ArgumentError
from gluonnx.initializer import Uniform
from gluonnx.io import DataDesc
from gluonnx.metric import EvalMetric
from gluonnx.module.base_module import DEFAULT_OPTIMIZER_PARAMS, BaseModule, Params
from gluonnx.ndarray.ndarray import NDArray

__all__ = ["SequentialModule"]


class SequentialModule(BaseModule):
    """A chain of modules: each gets the outputs of the one before it as its data.

    Args:
        logger: Where progress is logged.

    Examples:
        >>> from gluonnx import sym
        >>> from gluonnx.module import Module
        >>> first = Module(sym.FullyConnected(sym.var("data"), num_hidden=4, name="fc1"), label_names=None)
        >>> second = Module(sym.FullyConnected(sym.var("x"), num_hidden=2, name="fc2"), ["x"], None)
        >>> chain = SequentialModule().add(first).add(second, auto_wiring=True)
        >>> chain.bind([("data", (3, 5))], for_training=False)
        >>> chain.output_shapes
        [('fc2_output', (3, 2))]

    Source: MXNet 1.9.1 python/mxnet/module/sequential_module.py.
    """

    META_TAKE_LABELS: ClassVar[str] = "take_labels"
    META_AUTO_WIRING: ClassVar[str] = "auto_wiring"

    def __init__(self, logger: Any = logging) -> None:
        super().__init__(logger)
        self._modules: list[BaseModule] = []
        self._metas: list[dict[str, Any]] = []
        self._label_shapes: Any = None

    def add(self, module: BaseModule, **kwargs: Any) -> "SequentialModule":
        """Put a module behind the others.

        Args:
            module: The module.
            **kwargs: `take_labels`: whether it is given the labels of a batch; `auto_wiring`: whether its data are the
                outputs before it in their order, whatever they are called.

        Returns:
            The chain itself.

        Raises:
            ArgumentError: An argument has another name.
        """
        known = (self.META_TAKE_LABELS, self.META_AUTO_WIRING)
        for key in kwargs:
            if key not in known:
                raise ArgumentError(
                    f'SequentialModule.add: Unknown meta "{key}", a typo? expected some of {", ".join(known)}.'
                )
        self._modules.append(module)
        self._metas.append(kwargs)
        self.binded = self.params_initialized = self.optimizer_initialized = False
        return self

    @property
    def data_names(self) -> list[str]:
        """Names of the data of the first module."""
        return self._modules[0].data_names if self._modules else []

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of the last module."""
        return self._modules[-1].output_names if self._modules else []

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the data of the first module."""
        self._require(binded=True)
        return self._modules[0].data_shapes

    @property
    def label_shapes(self) -> Any:
        """Descriptions of the labels, None where no module takes them."""
        self._require(binded=True)
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs of the last module."""
        self._require(binded=True)
        return self._modules[-1].output_shapes

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return arguments and auxiliary states of all modules by name."""
        self._require(binded=True, params_initialized=True)
        arguments: dict[str, NDArray] = {}
        states: dict[str, NDArray] = {}
        for module in self._modules:
            for found, own in zip((arguments, states), module.get_params(), strict=True):
                found.update(own)
        return arguments, states

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - it has no state
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give the parameters of all modules their first values; see Module. Each takes those that are its own.

        Raises:
            ModuleStateError: The chain is not bound.
            ArgumentError: Two modules have parameters of the same name, or a value is of no module.
        """
        if self.params_initialized and not force_init:
            return
        self._require(binded=True)
        for module in self._modules:
            module.init_params(initializer, arg_params, aux_params, allow_missing, force_init, allow_extra=True)
        owners: dict[str, int] = {}
        for position, module in enumerate(self._modules):
            for name in (name for group in module.get_params() for name in group):
                if name in owners:
                    raise ArgumentError(
                        f'SequentialModule.init_params: Duplicated parameter names: name "{name}" in layer {position} '
                        f"is already used in layer {owners[name]}. Rename one of them."
                    )
                owners[name] = position
        extra = sorted({*(arg_params or ()), *(aux_params or ())} - owners.keys())
        if extra and not allow_extra:
            raise ArgumentError(
                f"SequentialModule.init_params: values of no parameter: expected some of {', '.join(owners) or 'none'},"
                f" got {', '.join(extra)}. Pass allow_extra=True to pass over them."
            )
        self.params_initialized = True

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
        """Bind all modules, each to the shapes of the outputs before it; see Module for the arguments.

        Raises:
            ArgumentError: The chain is empty, a shared module is given, gradients of the data are asked for without
                training, or outputs and data differ in number.
        """
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            raise ArgumentError(
                "SequentialModule.bind: gradients of the data need training: expected for_training=True, got False."
            )
        if shared_module is not None:
            raise ArgumentError(
                "SequentialModule.bind: Shared module is not supported: expected None, got "
                f"{type(shared_module).__name__}."
            )
        if not self._modules:
            raise ArgumentError(
                "SequentialModule.bind: Attempting to bind an empty SequentialModule: expected modules, got none. "
                "Call `add` first."
            )
        takes_labels = False
        shapes = data_shapes
        for position, (module, meta) in enumerate(zip(self._modules, self._metas, strict=True)):
            labels = label_shapes if meta.get(self.META_TAKE_LABELS) else None
            takes_labels = takes_labels or bool(meta.get(self.META_TAKE_LABELS))
            if meta.get(self.META_AUTO_WIRING):
                if len(module.data_names) != len(shapes):
                    raise ArgumentError(
                        f"SequentialModule.bind: layer {position}: expected {len(module.data_names)} inputs "
                        f"({', '.join(module.data_names)}), got {len(shapes)} outputs before it."
                    )
                shapes = [(name, shape[1]) for name, shape in zip(module.data_names, shapes, strict=True)]
            wants_gradient = inputs_need_grad or (for_training and position > 0)
            module.bind(shapes, labels, for_training, wants_gradient, force_rebind, grad_req=grad_req)
            shapes = module.output_shapes
        self._label_shapes = label_shapes if takes_labels else None
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        self.binded = True

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = DEFAULT_OPTIMIZER_PARAMS,
        force_init: bool = False,
    ) -> None:
        """Let every module take an optimizer; see Module."""
        self._require(binded=True, params_initialized=True)
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        for module in self._modules:
            module.init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        self.optimizer_initialized = True

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Run a batch forward through all modules."""
        self._require(binded=True, params_initialized=True)
        batch = copy.copy(data_batch)
        for module in self._modules:
            module.forward(batch, is_train=is_train)
            batch.data = module.get_outputs()
            if hasattr(batch, "provide_data"):
                names = [shape[0] for shape in module.output_shapes]
                batch.provide_data = [(n, a.shape) for n, a in zip(names, batch.data, strict=True)]

    def backward(self, out_grads: Any = None) -> None:
        """Run the last batch backward through all modules."""
        self._require(binded=True, params_initialized=True)
        for position in reversed(range(len(self._modules))):
            self._modules[position].backward(out_grads=out_grads)
            if position:
                out_grads = self._modules[position].get_input_grads()

    def update(self) -> None:
        """Update the parameters of all modules."""
        self._require(binded=True, params_initialized=True, optimizer_initialized=True)
        for module in self._modules:
            module.update()

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the outputs of the last module."""
        self._require(binded=True, params_initialized=True)
        return self._modules[-1].get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the gradients of the data of the first module."""
        self._require(binded=True, params_initialized=True, inputs_need_grad=True)
        return self._modules[0].get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric: EvalMetric, labels: Any, pre_sliced: bool = False) -> None:
        """Give a metric the outputs of the modules that take labels, with the labels."""
        self._require(binded=True, params_initialized=True)
        for module, meta in zip(self._modules, self._metas, strict=True):
            if meta.get(self.META_TAKE_LABELS):
                module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a monitor watch the executors of all modules."""
        self._require(binded=True)
        for module in self._modules:
            module.install_monitor(mon)
