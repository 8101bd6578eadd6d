"""Graphs bound to arrays: `mx.executor`, what `Symbol.bind` and `Symbol.simple_bind` return."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from gluonnx.context import Context
from gluonnx.errors import ArgumentError, GraphError, InputError, InputTypeError, MXNetError
from gluonnx.modes import MODES
from gluonnx.ndarray.creation import zeros
from gluonnx.ndarray.generators import generator
from gluonnx.ndarray.ndarray import NDArray, on_context
from gluonnx.ops.custom import KeptOperators
from gluonnx.ops.dtypes import BY_TORCH, as_dtype, torch_dtype
from gluonnx.symbol.executor import GraphFunction
from gluonnx.symbol.graph import Entry, topological
from gluonnx.symbol.inference import Inference, infer
from gluonnx.symbol.symbol import Symbol

__all__ = ["Executor"]

MEGABYTE = 1 << 20
Monitor = Callable[[str, NDArray], object]


class Executor:
    """A symbol with its arguments, gradients and auxiliary states; made by `Symbol.bind` and `Symbol.simple_bind`.

    The arrays stay the caller's: `forward` reads `arg_arrays` as they are then and fills `outputs`, `backward` fills
    `grad_arrays`. A later `forward` fills the same outputs again: copy what is to be kept.

    Attributes:
        arg_arrays: Arguments, in the order of `Symbol.list_arguments()`.
        grad_arrays: Their gradients, None where none is wanted.
        aux_arrays: Auxiliary states, in the order of `Symbol.list_auxiliary_states()`.
        outputs: Outputs of the last `forward`.

    Examples:
        >>> from gluonnx import cpu, nd, sym
        >>> a, b = sym.var("a"), sym.var("b")
        >>> net = (2 * a + b).bind(cpu(), {"a": nd.array([1, 2]), "b": nd.array([2, 3])})
        >>> net.forward()
        [
        [4. 7.]
        <NDArray 2 @cpu(0)>]
    """

    def __init__(
        self,
        symbol: Symbol,
        ctx: Context,
        arg_arrays: Sequence[NDArray],
        grad_arrays: Sequence[NDArray | None],
        aux_arrays: Sequence[NDArray],
        grad_reqs: Sequence[str],
        share: "Executor | None" = None,
    ) -> None:
        self._symbol = symbol
        self._ctx = ctx
        self.arg_arrays = list(arg_arrays)
        self.grad_arrays = list(grad_arrays)
        self.aux_arrays = list(aux_arrays)
        self._argument_names = symbol.list_arguments()
        self._auxiliary_names = symbol.list_auxiliary_states()
        self._grad_reqs = tuple(grad_reqs)
        self._wanted = tuple(
            i
            for i, (grad, req, arg) in enumerate(zip(self.grad_arrays, self._grad_reqs, self.arg_arrays, strict=True))
            if grad is not None and req != "null" and arg._t.is_floating_point()
        )
        names = [*self._argument_names, *self._auxiliary_names]
        _check_gradients(symbol._heads, {self._argument_names[i] for i in self._wanted})
        self._function = GraphFunction(symbol._heads, names)
        self._operators = KeptOperators()
        self._found = self._infer()
        self.outputs = self._make_outputs(share)
        self._recorded: tuple[list[torch.Tensor], list[torch.Tensor]] | None = None
        self._monitor: Monitor | None = None
        self._monitors_inputs = False

    def __repr__(self) -> str:
        return f"<Executor of {self._symbol!r} @{self._ctx}>"

    # Running ---------------------------------------------------------------------------------------------------------

    def forward(self, is_train: bool = False, **kwargs: Any) -> list[NDArray]:
        """Compute the outputs.

        Args:
            is_train: Whether operators behave as in training and auxiliary states are updated.
            **kwargs: Arrays to copy into arguments first, by argument name.

        Returns:
            `outputs`.

        Raises:
            ArgumentError: A given value is not an array, or not of the argument's shape.
            TypeError: There is no argument of that name.
        """
        for name, value in kwargs.items():
            self._set(name, value)
        results, leaves, updates = self._record(bool(is_train))
        if is_train:
            for name, array in zip(self._auxiliary_names, self.aux_arrays, strict=True):
                if name in updates:
                    array._writable().copy_(updates[name].detach())
        self._recorded = (results, leaves) if leaves else None
        for buffer, result in zip(self.outputs, results, strict=True):
            _fill(buffer, result.detach())
        return self.outputs

    def _record(self, training: bool) -> tuple[list[torch.Tensor], list[torch.Tensor], Mapping[str, torch.Tensor]]:
        """Return outputs, the arguments that gradients are for, and new auxiliary states; nothing is stored."""
        tensors = [a._plain() for a in (*self.arg_arrays, *self.aux_arrays)]
        leaves = []
        for i in self._wanted:
            tensors[i] = tensors[i].detach().requires_grad_(True)
            leaves.append(tensors[i])
        with _Quiet(recording=bool(leaves), training=training), self._operators.running():
            results, updates = self._run(tensors, training)
        return results, leaves, updates

    def backward(self, out_grads: Any = None, is_train: bool = True) -> None:
        """Compute the gradients of the arguments, from the last `forward`, into `grad_arrays`.

        Where there was none, the outputs are computed for this once and not stored; MXNet then works with memory that
        holds anything.

        Differs: an argument of integer dtype has the gradient 0; MXNet gives some operators integer gradients.

        Args:
            out_grads: Gradient of each output: an array, a list, or a dict by output name. Outputs of loss operators
                need none.
            is_train: Whether operators behave as in training, where no `forward` came before; else that decides.

        Raises:
            MXNetError: A gradient is missing or not of the output's shape.
            InputTypeError: A gradient is not an NDArray.
        """
        given = self._head_gradients(out_grads)
        for arg, grad, req in zip(self.arg_arrays, self.grad_arrays, self._grad_reqs, strict=True):
            if grad is not None and req == "write" and not arg._t.is_floating_point():
                grad._writable().zero_()
        if not self._wanted:
            return
        results, leaves = self._recorded or self._record(bool(is_train))[:2]
        heads, gradients = [], []
        for position, head in enumerate(results):
            if not head.requires_grad:
                continue
            gradient = given[position] if position < len(given) else None
            if gradient is None:
                gradients.append(self._implied_gradient(position, head))
            else:
                gradients.append(self._checked_gradient(position, head, gradient))
            heads.append(head)
        found: Sequence[torch.Tensor | None] = [None] * len(leaves)
        if heads:
            try:
                found = torch.autograd.grad(heads, leaves, gradients, retain_graph=True, allow_unused=True)
            except RuntimeError as err:
                if isinstance(err, MXNetError):
                    raise
                raise MXNetError(_explain_backward(err)) from err
        for i, result in zip(self._wanted, found, strict=True):
            self._receive(i, result)

    def _run(
        self, tensors: list[torch.Tensor], training: bool
    ) -> tuple[list[torch.Tensor], Mapping[str, torch.Tensor]]:
        device = self._ctx.torch_device
        if self._monitor is None:
            return self._function(tensors, training=training, generator=generator, device=device)
        entries = [(n, i) for n in topological(self._symbol._heads) for i in range(n.output_count)]
        every = GraphFunction([*self._symbol._heads, *entries], self._function.names)
        results, updates = every(tensors, training=training, generator=generator, device=device)
        count = len(self._symbol._heads)
        self._report(entries, results[count:])
        return results[:count], updates

    def _report(self, entries: Sequence[Entry], values: Sequence[torch.Tensor]) -> None:
        assert self._monitor is not None
        by_entry = {(id(n), i): v.detach() for (n, i), v in zip(entries, values, strict=True)}
        for node in dict.fromkeys(n for n, _ in entries):
            if node.op is None:
                continue
            if self._monitors_inputs:
                inputs = node.op.active_inputs(node.typed, len(node.inputs))
                for spec, (source, index) in zip(inputs, node.inputs, strict=True):
                    value = by_entry[id(source), index]
                    if source.is_variable:
                        self._monitor(source.name, on_context(value, self._ctx))
                    self._monitor(f"{node.name}_{spec.name}", on_context(value, self._ctx))
            for index in range(node.output_count):
                self._monitor(node.output_name(index), on_context(by_entry[id(node), index], self._ctx))

    def _set(self, name: str, value: Any) -> None:
        if not isinstance(value, (NDArray, np.ndarray)):
            raise ArgumentError(
                f"Executor.forward: wrong value of argument `{name}`: expected an NDArray or a numpy array, "
                f"got {type(value).__name__}."
            )
        if name not in self.arg_dict:
            raise TypeError(
                f"Executor.forward: unknown argument: expected one of {', '.join(self._argument_names)}, got {name!r}."
            )
        array = self.arg_dict[name]
        if array.shape != tuple(value.shape):
            raise ArgumentError(
                f"Executor.forward: shape of argument `{name}` does not match: expected {array.shape}, "
                f"got {tuple(value.shape)}. Use `reshape()` to make an executor for other shapes."
            )
        array[:] = value

    def _head_gradients(self, out_grads: Any) -> list[NDArray | None]:
        if out_grads is None:
            return []
        if isinstance(out_grads, NDArray):
            out_grads = [out_grads]
        elif isinstance(out_grads, dict):
            out_grads = [out_grads[name] for name in self._symbol.list_outputs()]
        for value in out_grads:
            if not isinstance(value, NDArray):
                raise InputTypeError(
                    f"Executor.backward: wrong gradient: expected NDArrays, got {type(value).__name__}."
                )
        return list(out_grads)

    def _implied_gradient(self, position: int, result: torch.Tensor) -> torch.Tensor:
        node, _ = self._symbol._heads[position]
        if node.op is None or not node.op.is_loss(node.typed):
            raise MXNetError(
                f"Executor.backward: gradient of output `{self._symbol.list_outputs()[position]}` is missing: expected "
                "a loss operator or a gradient in `out_grads`, got neither. Because the last operator is not a loss, "
                "its gradient is required; to minimize the output itself, pass it through `make_loss`."
            )
        return torch.ones_like(result)

    def _checked_gradient(self, position: int, result: torch.Tensor, gradient: NDArray) -> torch.Tensor:
        if gradient.shape != tuple(result.shape):
            raise InputError(
                f"Executor.backward: gradient of output `{self._symbol.list_outputs()[position]}` has another shape: "
                f"expected {tuple(result.shape)}, got {gradient.shape}."
            )
        return gradient._plain().to(device=result.device, dtype=result.dtype)

    def _receive(self, position: int, gradient: torch.Tensor | None) -> None:
        buffer = self.grad_arrays[position]
        assert buffer is not None
        target = buffer._writable()
        if self._grad_reqs[position] == "add":
            if gradient is not None:
                target.add_(gradient.to(target.dtype))
        elif gradient is None:
            target.zero_()
        else:
            target.copy_(gradient)

    # Arrays by name --------------------------------------------------------------------------------------------------

    @property
    def arg_dict(self) -> dict[str, NDArray]:
        """Arguments by name."""
        return _by_name(self._argument_names, self.arg_arrays)

    @property
    def grad_dict(self) -> dict[str, NDArray | None]:
        """Gradients by argument name, None where none is wanted."""
        return _by_name(self._argument_names, self.grad_arrays)

    @property
    def aux_dict(self) -> dict[str, NDArray]:
        """Auxiliary states by name."""
        return _by_name(self._auxiliary_names, self.aux_arrays)

    @property
    def output_dict(self) -> dict[str, NDArray]:
        """Outputs by name."""
        return _by_name(self._symbol.list_outputs(), self.outputs)

    def copy_params_from(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray] | None = None,
        allow_extra_params: bool = False,
    ) -> None:
        """Copy parameters into the executor's arrays, which keep their dtype.

        Args:
            arg_params: Arguments by name.
            aux_params: Auxiliary states by name.
            allow_extra_params: Whether names that the executor does not have are passed over.

        Raises:
            ArgumentError: A name that the executor does not have, or an array of another shape.
        """
        places = [("arguments", self.arg_dict, arg_params), ("auxiliary states", self.aux_dict, aux_params or {})]
        problems = []
        for kind, own, given in places:
            for name, value in given.items():
                if name not in own:
                    if not allow_extra_params:
                        problems.append(f"name `{name}` is not among the {kind} ({', '.join(own) or 'none'})")
                elif own[name].shape != value.shape:
                    problems.append(f"`{name}`: expected shape {own[name].shape}, got {value.shape}")
        if problems:
            raise ArgumentError(f"Executor.copy_params_from: parameters do not fit: {'; '.join(problems)}.")
        for _, own, given in places:
            for name, value in given.items():
                if name in own:
                    own[name]._writable().copy_(value._plain())

    # Other shapes ----------------------------------------------------------------------------------------------------

    def reshape(self, partial_shaping: bool = False, allow_up_sizing: bool = False, **kwargs: Any) -> "Executor":
        """Return an executor of the same symbol for other shapes; it shares memory with this one.

        Args:
            partial_shaping: Whether arguments that are not named may change their shape.
            allow_up_sizing: Whether an array may become larger; it then gets memory of its own.
            **kwargs: New shapes by argument name.

        Raises:
            MXNetError: Another argument would change its shape, or an array would become larger, and that was not
                allowed.
            InputError: An operator does not take the shapes.
        """
        shapes = {name: tuple(shape) for name, shape in kwargs.items() if isinstance(shape, (tuple, list))}
        unknown = shapes.keys() - set(self._argument_names)
        if unknown:
            raise InputError(
                f"Executor.reshape: no such argument: expected some of {', '.join(self._argument_names)}, "
                f"got {sorted(unknown)}."
            )
        dtypes = {n: BY_TORCH[a._t.dtype].name for n, a in self.arg_dict.items()}
        found = infer(self._symbol._heads, shapes, dtypes)
        if found.unknown:
            raise InputError(
                f"Executor.reshape: shapes do not decide those of {', '.join(found.unknown)}: expected shapes that do, "
                f"got {shapes}."
            )
        arguments, auxiliary = self._symbol._variables()

        def resize(name: str, array: NDArray, entry: Entry, is_named: bool) -> NDArray:
            shape = found.shape(entry)
            assert shape is not None
            if shape == array.shape:
                return array
            if not (is_named or partial_shaping):
                raise MXNetError(
                    f"Executor.reshape: shape of unspecified argument `{name}` changed: expected {array.shape}, "
                    f"got {shape}. The executors would not share it; pass partial_shaping=True if this is intended."
                )
            if math.prod(shape) > array.size:
                if not allow_up_sizing:
                    raise MXNetError(
                        f"Executor.reshape: new shape of `{name}` is larger than the original: expected at most "
                        f"{array.size} elements, got shape={shape}. Make the largest executor first, or pass "
                        "allow_up_sizing=True."
                    )
                return zeros(shape, ctx=array.context, dtype=array.dtype)
            return array._like(array._plain().reshape(-1)[: math.prod(shape)].view(shape))

        args, grads = [], []
        for name, node, arg, grad in zip(
            self._argument_names, arguments, self.arg_arrays, self.grad_arrays, strict=True
        ):
            args.append(resize(name, arg, (node, 0), name in shapes))
            grads.append(None if grad is None else resize(name, grad, (node, 0), True))
        states = [
            resize(name, array, (node, 0), False)
            for name, node, array in zip(self._auxiliary_names, auxiliary, self.aux_arrays, strict=True)
        ]
        made = Executor(self._symbol, self._ctx, args, grads, states, self._grad_reqs, share=self)
        made._monitor, made._monitors_inputs = self._monitor, self._monitors_inputs
        return made

    def set_monitor_callback(self, callback: Monitor, monitor_all: bool = False) -> None:
        """Call a function with the name and value of every output of every operator at each `forward`.

        Args:
            callback: Takes a name and an array. Differs: MXNet gives bytes and a handle.
            monitor_all: Whether inputs are given too.
        """
        self._monitor = callback
        self._monitors_inputs = bool(monitor_all)

    # What it is ------------------------------------------------------------------------------------------------------

    def debug_str(self) -> str:
        """Return a listing of the graph and how much memory the values inside it take."""
        return f"{self._symbol.debug_str()}Total {self._internal_bytes() // MEGABYTE} MB allocated\n"

    def get_optimized_symbol(self) -> Symbol:
        """Return the graph that runs: the bound symbol, since torch runs it node by node."""
        return self._symbol

    def _internal_bytes(self) -> int:
        """Bytes of the values between arguments and outputs: all of them when a backward needs them, else the peak."""
        nodes = topological(self._symbol._heads)
        wanted = {self._argument_names[i] for i in self._wanted}
        reached = {(id(n), 0) for n in nodes if n.is_variable and n.name in wanted}
        last = {(id(s), i): step for step, n in enumerate(nodes) for s, i in n.inputs if s.op is not None}
        total = peak = live = 0
        for step, node in enumerate(nodes):
            if node.op is None:
                continue
            entries = [(node, index) for index in range(node.output_count)]
            size = sum(map(self._bytes, entries))
            total, live = total + size, live + size
            peak = max(peak, live)
            if node.op.has_gradient(node.typed) and any((id(s), i) in reached for s, i in node.inputs):
                reached |= {(id(n), i) for n, i in entries}
            live -= sum(self._bytes(e) for e in dict.fromkeys(node.inputs) if last.get((id(e[0]), e[1])) == step)
        return total if any((id(n), i) in reached for n, i in self._symbol._heads) else peak

    def _bytes(self, entry: Entry) -> int:
        shape, dtype = self._found.shape(entry), self._found.dtype(entry)
        return 0 if shape is None or dtype is None else math.prod(shape) * as_dtype(dtype).numpy.itemsize

    def _infer(self) -> Inference:
        names = [*self._argument_names, *self._auxiliary_names]
        arrays = [*self.arg_arrays, *self.aux_arrays]
        if len(set(names)) != len(names):
            raise GraphError(f"Executor: two arguments have one name: expected distinct names, got {', '.join(names)}.")
        return infer(
            self._symbol._heads,
            {n: a.shape for n, a in zip(names, arrays, strict=True)},
            {n: BY_TORCH[a._t.dtype].name for n, a in zip(names, arrays, strict=True)},
        )

    def _make_outputs(self, share: "Executor | None") -> list[NDArray]:
        """Make the arrays that `forward` fills; smaller outputs of a reshaped executor lie in the original's memory."""
        made = []
        for position, head in enumerate(self._symbol._heads):
            shape, dtype = self._found.shape(head) or (0,), self._found.dtype(head) or "float32"
            if share is not None:
                original = share.outputs[position]
                if math.prod(shape) <= original.size and BY_TORCH[original._t.dtype].name == dtype:
                    memory = original._t.reshape(-1)[: math.prod(shape)]
                    made.append(original._like(memory.view(shape)))
                    continue
            memory = torch.zeros(shape, dtype=torch_dtype(dtype), device=self._ctx.torch_device)
            made.append(on_context(memory, self._ctx))
        return made


class _Quiet:
    """Runs torch with or without tracking, and operators that ask for it outside any `record`."""

    __slots__ = ("_grad", "_modes", "_recording", "_training")

    def __init__(self, recording: bool, training: bool) -> None:
        self._recording = recording
        self._training = training

    def __enter__(self) -> None:
        self._modes = MODES.recording, MODES.training
        self._grad = torch.is_grad_enabled()
        MODES.recording, MODES.training = self._recording, self._training
        torch.set_grad_enabled(self._recording)

    def __exit__(self, *_: object) -> None:
        MODES.recording, MODES.training = self._modes
        torch.set_grad_enabled(self._grad)


def _fill(buffer: NDArray, result: torch.Tensor) -> None:
    if buffer._t.shape == result.shape and buffer._t.dtype == result.dtype:
        buffer._t.copy_(result)
    else:  # a shape that depends on values
        buffer._t = result.clone()


def _check_gradients(heads: Sequence[Entry], wanted: set[str]) -> None:
    """Raise MXNetError if a wanted gradient would have to go through an operator that has none."""
    nodes = topological(heads)
    if not wanted or not any(n.op is not None and n.op.refuses_gradient(n.typed) for n in nodes):
        return
    receiving = {id(n) for n, _ in heads}
    for node in reversed(nodes):
        if node.op is not None and id(node) in receiving and node.op.has_gradient(node.typed):
            receiving |= {id(n) for n, _ in node.inputs}
    reached: set[int] = set()
    for node in nodes:
        if node.name in wanted if node.op is None else any(id(n) in reached for n, _ in node.inputs):
            reached.add(id(node))
        if id(node) in reached & receiving and node.op is not None and node.op.refuses_gradient(node.typed):
            raise MXNetError(
                f"Executor: operator {node.op.name} `{node.name}` is non-differentiable: expected none on the way of a "
                f"gradient, got one for {', '.join(sorted(wanted))}. Put `BlockGrad` after it, or bind with "
                "grad_req='null'."
            )


def _by_name(names: Sequence[str], arrays: Sequence[Any]) -> dict[str, Any]:
    if len(set(names)) != len(names):
        raise ValueError(f"Executor: duplicate names: expected distinct names, got {', '.join(names)}.")
    return dict(zip(names, arrays, strict=True))


def _explain_backward(err: RuntimeError) -> str:
    text = str(err)
    if "modified by an inplace operation" in text:
        return (
            "Executor.backward: an argument was changed after the forward that it belongs to: expected arguments to "
            "stay as they were. Call `forward()` again first."
        )
    return f"Executor.backward: failed: {text}"
