"""The executors of a symbol, one on each context, with the batch divided among them."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gluonnx.binding import simple_bind
from gluonnx.context import Context
from gluonnx.errors import ArgumentError, InputError
from gluonnx.executor import Executor
from gluonnx.io import DataDesc
from gluonnx.metric import EvalMetric
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol import Symbol

__all__ = ["ExecutorGroup", "Names"]

WHOLE = -1
"""Batch axis of an array that every context gets whole."""

GradReq = str | Sequence[str] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Names:
    """What the arguments of a symbol are.

    Attributes:
        data: Inputs from the data of a batch.
        label: Inputs from its labels.
        state: Inputs that stay from batch to batch.
        param: The other arguments.
        fixed: Parameters without a gradient.
    """

    data: Sequence[str]
    label: Sequence[str]
    state: Sequence[str]
    param: Sequence[str]
    fixed: Sequence[str]


class ExecutorGroup:
    """Executors that share the work of a batch.

    Args:
        symbol: The symbol.
        contexts: Where the executors run.
        workload: How much of a batch each gets, relative to the others.
        names: What the arguments are.
        data_shapes: Descriptions of the data of a whole batch.
        label_shapes: Descriptions of its labels, None where there are none.
        for_training: Whether gradients are wanted.
        inputs_need_grad: Whether gradients of the data are wanted too.
        grad_req: `"write"`, `"add"` or `"null"`, for all parameters, in the order of the arguments, or by name.
        shared: A group to take the parameter arrays from.

    Raises:
        ArgumentError: The arrays of a batch have different numbers of samples, or fewer than there are contexts.
        InputError: The shapes do not fit the symbol.
    """

    def __init__(
        self,
        symbol: Symbol,
        contexts: Sequence[Context],
        workload: Sequence[float],
        names: Names,
        data_shapes: Sequence[DataDesc],
        label_shapes: Sequence[DataDesc] | None,
        *,
        for_training: bool,
        inputs_need_grad: bool,
        grad_req: GradReq = "write",
        shared: "ExecutorGroup | None" = None,
    ) -> None:
        self._symbol = symbol
        self.contexts = list(contexts)
        self._workload = list(workload)
        self.names = names
        self.for_training = for_training
        self._inputs_need_grad = inputs_need_grad
        self._describe(data_shapes, label_shapes)
        requests = self._requests(grad_req)
        self.execs: list[Executor] = [
            self._bind(i, requests, None if shared is None else shared.execs[i]) for i in range(len(self.contexts))
        ]

    # The batch and its parts -----------------------------------------------------------------------------------------

    def _describe(self, data_shapes: Sequence[DataDesc], label_shapes: Sequence[DataDesc] | None) -> None:
        self._data_shapes = list(data_shapes)
        self._label_shapes = None if label_shapes is None else list(label_shapes)
        sizes = {}
        for desc in [*self._data_shapes, *(self._label_shapes or ())]:
            axis = DataDesc.get_batch_axis(desc.layout)
            if axis != WHOLE:
                sizes[desc.name] = desc.shape[axis]
        if len(set(sizes.values())) > 1:
            raise ArgumentError(f"Module.bind: all data must have the same batch size: expected one, got {sizes}.")
        self.batch_size = next(iter(sizes.values()), 1)
        self.slices = _divide(self.batch_size, self._workload)

    def _part(self, desc: DataDesc, position: int) -> tuple[int, ...]:
        axis = DataDesc.get_batch_axis(desc.layout)
        if axis == WHOLE:
            return desc.shape
        own = self.slices[position]
        return (*desc.shape[:axis], own.stop - own.start, *desc.shape[axis + 1 :])

    def _shapes(self, position: int) -> dict[str, tuple[int, ...]]:
        return {d.name: self._part(d, position) for d in [*self._data_shapes, *(self._label_shapes or ())]}

    def _requests(self, grad_req: GradReq) -> dict[str, str]:
        arguments = self._symbol.list_arguments()
        if isinstance(grad_req, (list, tuple)):
            if len(grad_req) != len(arguments):
                raise ArgumentError(
                    f"Module.bind: wrong length of grad_req: expected {len(arguments)} ({', '.join(arguments)}), "
                    f"got {len(grad_req)}."
                )
            return dict(zip(arguments, grad_req, strict=True))
        names = self.names
        requests = dict.fromkeys(arguments, "null")
        if self.for_training:
            wanted = [n for n in names.param if n not in names.fixed]
            if self._inputs_need_grad:
                wanted += names.data
            request = grad_req if isinstance(grad_req, str) else "write"
            requests |= {n: request for n in wanted if n in requests}
            if isinstance(grad_req, Mapping):
                requests |= {n: r for n, r in grad_req.items() if n in requests}
        return requests

    def _bind(self, position: int, requests: Mapping[str, str], shared: Executor | None) -> Executor:
        descs = [*self._data_shapes, *(self._label_shapes or ())]
        arguments = set(self._symbol.list_arguments())
        shapes: dict[str, Any] = {n: s for n, s in self._shapes(position).items() if n in arguments}
        made = simple_bind(
            self._symbol,
            self.contexts[position],
            grad_req=requests,
            type_dict={d.name: d.dtype for d in descs if d.name in arguments},
            shared_arg_names=self.names.param,
            shared_exec=shared,
            **shapes,
        )
        if shared is not None:
            states = shared.aux_dict
            made.aux_arrays = [states.get(n, a) for n, a in made.aux_dict.items()]
        return made

    def reshape(self, data_shapes: Sequence[DataDesc], label_shapes: Sequence[DataDesc] | None) -> None:
        """Go on with batches of other shapes; parameters and their gradients stay the same arrays.

        Raises:
            InputError: A parameter would change its shape.
        """
        if (list(data_shapes), label_shapes) == (self._data_shapes, self._label_shapes):
            return
        self._describe(data_shapes, label_shapes)
        arguments = set(self._symbol.list_arguments())
        for position, bound in enumerate(self.execs):
            shapes = {n: s for n, s in self._shapes(position).items() if n in arguments}
            self._check_parameters(bound, shapes)
            self.execs[position] = bound.reshape(partial_shaping=True, allow_up_sizing=True, **shapes)

    def _check_parameters(self, bound: Executor, shapes: Mapping[str, tuple[int, ...]]) -> None:
        found, _, _ = self._symbol.infer_shape(**shapes)
        own = bound.arg_dict
        for name, shape in zip(self._symbol.list_arguments(), found or (), strict=False):
            if name in self.names.param and own[name].shape != tuple(shape):
                raise InputError(
                    f"Module.reshape: parameter `{name}` would change its shape: expected {own[name].shape}, "
                    f"got {tuple(shape)} from {dict(shapes)}. Bind again with force_rebind=True and initialize anew."
                )

    # Parameters ------------------------------------------------------------------------------------------------------

    @property
    def param_names(self) -> list[str]:
        """Names of the parameters, in the order of the arguments."""
        return list(self.names.param)

    @property
    def param_arrays(self) -> list[list[NDArray]]:
        """Each parameter on each context."""
        own = [bound.arg_dict for bound in self.execs]
        return [[by_name[name] for by_name in own] for name in self.names.param]

    @property
    def grad_arrays(self) -> list[list[NDArray | None]]:
        """The gradient of each parameter on each context."""
        own = [bound.grad_dict for bound in self.execs]
        return [[by_name[name] for by_name in own] for name in self.names.param]

    @property
    def aux_arrays(self) -> list[list[NDArray]]:
        """Each auxiliary state on each context."""
        own = [bound.aux_dict for bound in self.execs]
        return [[by_name[name] for by_name in own] for name in self._symbol.list_auxiliary_states()]

    def set_params(
        self, arg_params: Mapping[str, NDArray], aux_params: Mapping[str, NDArray], *, allow_extra: bool = False
    ) -> None:
        """Copy values to every context.

        Raises:
            ArgumentError: A value is of another shape, or of no parameter and `allow_extra` is False.
        """
        for bound in self.execs:
            bound.copy_params_from(arg_params, aux_params, allow_extra_params=allow_extra)

    def get_params(self, arg_params: Mapping[str, NDArray], aux_params: Mapping[str, NDArray]) -> None:
        """Fill arrays with the means over the contexts."""
        for name, arrays in zip(self.names.param, self.param_arrays, strict=True):
            _mean(arrays, arg_params[name])
        for name, arrays in zip(self._symbol.list_auxiliary_states(), self.aux_arrays, strict=True):
            _mean(arrays, aux_params[name])

    # Running ---------------------------------------------------------------------------------------------------------

    def forward(self, batch: Any, is_train: bool | None = None) -> None:
        """Give each executor its part of the batch and run it.

        Args:
            batch: A batch, or one for each context.
            is_train: Whether to run as in training; as bound if None.
        """
        self._load(self._data_shapes, batch, lambda one: one.data)
        if self._label_shapes is not None:
            self._load(self._label_shapes, batch, lambda one: one.label)
        for bound in self.execs:
            bound.forward(is_train=self.for_training if is_train is None else is_train)

    def _load(self, descs: Sequence[DataDesc], batch: Any, choose: Callable[[Any], Any]) -> None:
        for position, bound in enumerate(self.execs):
            arrays = choose(batch[position] if isinstance(batch, list) else batch)
            if not arrays:
                continue
            arguments = bound.arg_dict
            for desc, source in zip(descs, arrays, strict=False):
                if desc.name not in arguments:
                    continue
                part = source if isinstance(batch, list) else self._own(source, desc, position)
                target = arguments[desc.name]
                if part.shape != target.shape:
                    raise InputError(
                        f"Module.forward: input `{desc.name}` has another shape: expected {target.shape}, "
                        f"got {part.shape}."
                    )
                target._writable().copy_(part._plain())

    def _own(self, array: NDArray, desc: DataDesc, position: int) -> NDArray:
        axis = DataDesc.get_batch_axis(desc.layout)
        own = self.slices[position]
        if axis == WHOLE or (own.start == 0 and own.stop == array.shape[axis]):
            return array
        length = max(0, min(own.stop, array.shape[axis]) - own.start)
        return array._like(array._plain().narrow(axis, own.start, length))

    def backward(self, out_grads: Any = None) -> None:
        """Run every executor backward.

        Args:
            out_grads: Gradients of the outputs for the whole batch; None for losses.

        Raises:
            ArgumentError: Bound without gradients.
        """
        if not self.for_training:
            raise ArgumentError(
                "Module.backward: bound without gradients: re-bind with for_training=True to run backward: expected "
                "for_training=True, got False."
            )
        if isinstance(out_grads, NDArray):
            out_grads = [out_grads]
        axes = self._output_axes()
        for position, bound in enumerate(self.execs):
            parts = None
            if out_grads is not None:
                parts = [
                    self._own(grad, DataDesc("", grad.shape, layout=_layout(axis)), position).as_in_context(
                        self.contexts[position]
                    )
                    for grad, axis in zip(out_grads, axes, strict=True)
                ]
            bound.backward(parts)

    def install_monitor(self, monitor: Any) -> None:
        """Let a monitor watch every executor."""
        for bound in self.execs:
            monitor.install(bound)

    # Results ---------------------------------------------------------------------------------------------------------

    def _output_axes(self) -> list[int]:
        return [
            DataDesc.get_batch_axis(self._symbol[i].attr("__layout__")) for i in range(len(self._symbol.list_outputs()))
        ]

    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return names and shapes of the outputs of a whole batch."""
        found = []
        for i, (name, axis) in enumerate(zip(self._symbol.list_outputs(), self._output_axes(), strict=True)):
            shape = list(self.execs[0].outputs[i].shape)
            if axis != WHOLE and shape:
                shape[axis] = sum(bound.outputs[i].shape[axis] for bound in self.execs)
            found.append((name, tuple(shape)))
        return found

    def outputs(self, merge: bool = True) -> list[Any]:
        """Return the outputs of the whole batch, or of each context."""
        rows = [[bound.outputs[i] for bound in self.execs] for i in range(len(self._symbol.list_outputs()))]
        return _merged(rows, self._output_axes()) if merge else rows

    def input_grads(self, merge: bool = True) -> list[Any]:
        """Return the gradients of the data of the whole batch, or of each context."""
        rows = [[bound.grad_dict[desc.name] for bound in self.execs] for desc in self._in_order()]
        return _merged(rows, [DataDesc.get_batch_axis(d.layout) for d in self._in_order()]) if merge else rows

    def states(self, merge: bool = True) -> list[Any]:
        """Return the states of the whole batch, or of each context."""
        rows = [[bound.arg_dict[name] for bound in self.execs] for name in self.names.state]
        return _merged(rows, [0] * len(rows)) if merge else rows

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states to arrays, given for each context, or to a number.

        Raises:
            ArgumentError: Both or neither are given.
        """
        if (states is None) == (value is None):
            raise ArgumentError("Module.set_states: expected one of states and value, got both or neither.")
        for position, name in enumerate(self.names.state):
            for i, bound in enumerate(self.execs):
                bound.arg_dict[name][:] = value if states is None else states[position][i]

    def update_metric(self, metric: EvalMetric, labels: Sequence[Any], pre_sliced: bool = False) -> None:
        """Give a metric the labels and outputs of each context.

        Args:
            metric: The metric.
            labels: Labels of the whole batch, or of each context if `pre_sliced`.
            pre_sliced: See `labels`.
        """
        descs = self._label_shapes or ()
        for position, bound in enumerate(self.execs):
            own = (
                labels[position]
                if pre_sliced
                else [self._own(a, d, position) for a, d in zip(labels, descs, strict=False)]
            )
            metric.update_dict(
                dict(zip([d.name for d in descs], own, strict=False)),
                dict(zip(self._symbol.list_outputs(), bound.outputs, strict=True)),
            )

    def _in_order(self) -> list[DataDesc]:
        by_name = {desc.name: desc for desc in self._data_shapes}
        return [by_name[name] for name in self.names.data]


def _layout(axis: int) -> str | None:
    """Return a layout whose batch axis is the given one."""
    return None if axis == 0 else "C" if axis == WHOLE else "C" * axis + "N"


def _divide(size: int, workload: Sequence[float]) -> list[slice]:
    """Return a part of a batch for each context, in the proportion of the workloads.

    Raises:
        ArgumentError: A part would be empty.
    """
    total = sum(workload)
    bounds = [0]
    for i, load in enumerate(workload):
        share = round(size * load / total)
        bounds.append(size if i == len(workload) - 1 else min(size, bounds[-1] + share))
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    if any(part.start >= part.stop for part in parts):
        raise ArgumentError(
            f"Module.bind: Too many slices. Some splits are empty: expected a sample for each of {len(workload)} "
            f"contexts, got batch_size={size}."
        )
    return parts


def _merged(rows: Sequence[Sequence[Any]], axes: Sequence[int]) -> list[NDArray]:
    """Join what the contexts have; an array that is the same everywhere is taken from the first."""
    found = []
    for arrays, axis in zip(rows, axes, strict=True):
        first = arrays[0]
        if axis == WHOLE or len(arrays) == 1:
            found.append(first)
        else:
            found.append(first._like(torch.cat([a._plain().to(first._t.device) for a in arrays], axis)))
    return found


def _mean(arrays: Sequence[NDArray], target: NDArray) -> None:
    if len(arrays) == 1:
        target._writable().copy_(arrays[0]._plain())
        return
    total = torch.stack([a._plain().cpu() for a in arrays]).sum(0)
    target._writable().copy_(total / len(arrays))
