"""Modules whose computation is Python code, to stand among others in a SequentialModule."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.initializer import Uniform
from gluonnx.io import DataDesc
from gluonnx.metric import EvalMetric
from gluonnx.module.base_module import DEFAULT_OPTIMIZER_PARAMS, BaseModule, Params
from gluonnx.ndarray.creation import array
from gluonnx.ndarray.ndarray import NDArray

__all__ = ["PythonLossModule", "PythonModule"]


class PythonModule(BaseModule):
    """A module without parameters.

    A subclass defines `forward`, `backward`, `get_outputs` and `_compute_output_shapes`.

    Args:
        data_names: Names of the data.
        label_names: Names of the labels, None where there are none.
        output_names: Names of the outputs.
        logger: Where progress is logged.

    Source: MXNet 1.9.1 python/mxnet/module/python_module.py.
    """

    def __init__(
        self,
        data_names: Sequence[str],
        label_names: Sequence[str] | None,
        output_names: Sequence[str],
        logger: Any = logging,
    ) -> None:
        super().__init__(logger)
        self._data_names = list(data_names)
        self._label_names = None if label_names is None else list(label_names)
        self._output_names = list(output_names)
        self._data_shapes: list[DataDesc] | None = None
        self._label_shapes: list[DataDesc] | None = None
        self._output_shapes: list[tuple[str, tuple[int, ...]]] | None = None

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs."""
        return self._data_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return self._output_names

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Descriptions of the data that it is bound to."""
        self._require(binded=True)
        assert self._data_shapes is not None
        return self._data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Descriptions of the labels that it is bound to, None where there are none."""
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs."""
        self._require(binded=True)
        assert self._output_shapes is not None
        return self._output_shapes

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return no parameters; a subclass may have some."""
        return {}, {}

    def init_params(
        self,
        initializer: Any = Uniform(0.01),  # noqa: B008 - it has no state
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Note that there are no parameters."""
        self.params_initialized = True

    def update(self) -> None:
        """Update no parameters."""

    def update_metric(self, eval_metric: EvalMetric, labels: Sequence[Any], pre_sliced: bool = False) -> None:
        """Give a metric the outputs of the last batch and their labels; nothing where there are no labels.

        Raises:
            ArgumentError: The labels are those of several contexts.
        """
        if self._label_shapes is None:
            return
        if pre_sliced:
            raise ArgumentError(
                "PythonModule.update_metric: does not support presliced labels: expected pre_sliced=False, got True."
            )
        eval_metric.update(labels, self.get_outputs())

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
        """Take the shapes of a batch; see Module for the arguments.

        Raises:
            ArgumentError: `grad_req` is not `"write"`, or names are not those of the module.
        """
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if grad_req != "write":
            raise ArgumentError(
                f"PythonModule.bind: Python module only support write gradient: expected 'write', got {grad_req!r}."
            )
        for names, shapes, kind in (
            (self._data_names, data_shapes, "data"),
            (self._label_names, label_shapes, "label"),
        ):
            found = [shape[0] for shape in shapes or ()]
            if shapes is not None and found != (names or []):
                raise ArgumentError(f"PythonModule.bind: wrong {kind}_shapes: expected {names}, got {found}.")
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        self._data_shapes = [s if isinstance(s, DataDesc) else DataDesc(*s) for s in data_shapes]
        self._label_shapes = label_shapes
        self._output_shapes = self._compute_output_shapes()
        self.binded = True

    def _compute_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return names and shapes of the outputs, from `_data_shapes` and `_label_shapes`."""
        self._undefined("_compute_output_shapes")

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = DEFAULT_OPTIMIZER_PARAMS,
        force_init: bool = False,
    ) -> None:
        """Take no optimizer: there is nothing to update."""


class PythonLossModule(PythonModule):
    """A loss in Python: its output is its input, and its gradient what `grad_func` says.

    Args:
        name: Before the name of its output.
        data_names: Name of the scores, the only one.
        label_names: Name of the labels, the only one.
        logger: Where progress is logged.
        grad_func: Returns the gradient of the scores, an NDArray or a numpy array, for scores and labels; a subclass
            may define `_backward_impl` instead.
    """

    def __init__(
        self,
        name: str = "pyloss",
        data_names: Sequence[str] = ("data",),
        label_names: Sequence[str] | None = ("softmax_label",),
        logger: Any = logging,
        grad_func: Callable[[NDArray, NDArray], Any] | None = None,
    ) -> None:
        super().__init__(data_names, label_names, [f"{name}_output"], logger)
        if len(self._data_names) != 1 or len(self._label_names or ()) != 1:
            raise ArgumentError(
                f"PythonLossModule: expected one name of data and one of labels, got data_names={self._data_names}, "
                f"label_names={self._label_names}."
            )
        if grad_func is not None and not callable(grad_func):
            raise ArgumentError(f"PythonLossModule: expected a function, got grad_func={grad_func!r}.")
        self._name = name
        self._grad_func = grad_func
        self._scores: Any = None
        self._labels: Any = None
        self._scores_grad: Any = None

    def _compute_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        assert self._data_shapes is not None
        return [(f"{self._name}_output", tuple(self._data_shapes[0][1]))]

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Keep the scores, and the labels while training."""
        self._scores = data_batch.data[0]
        if self.for_training if is_train is None else is_train:
            self._labels = data_batch.label[0]

    def get_outputs(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the scores.

        Raises:
            ArgumentError: Outputs of each context are asked for; there is one.
        """
        return [self._merged(merge_multi_context, self._scores)]

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradient of the scores.

        Raises:
            ArgumentError: A gradient comes in: a loss is the last module.
        """
        if out_grads is not None:
            raise ArgumentError("PythonLossModule.backward: For a loss module, out_grads should be None: got some.")
        self._require(for_training=True)
        self._backward_impl()

    def _backward_impl(self) -> None:
        if self._grad_func is None:
            raise NotImplementedError("PythonLossModule: expected grad_func, or a subclass with _backward_impl.")
        grad = self._grad_func(self._scores, self._labels)
        self._scores_grad = grad if isinstance(grad, NDArray) else array(grad)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Return the gradient of the scores."""
        return [self._merged(merge_multi_context, self._scores_grad)]

    def _merged(self, merge_multi_context: bool, value: Any) -> Any:
        if not merge_multi_context:
            raise ArgumentError("PythonLossModule: runs on one context: expected merge_multi_context=True, got False.")
        return value

    def install_monitor(self, mon: Any) -> None:
        """Raise NotImplementedError: there is no executor to watch."""
        self._undefined("install_monitor")
