"""Running a graph in ONNX Runtime: sessions whose weights are frozen into them, or read live while they change.

`RuntimePlan` owns the sessions of one input signature and chooses between them, `_Weights` tells whether weights have
changed, `_Bound` owns a session and its idle bindings, `_Buffers` the fixed memory of a CUDA graph.
"""

import functools
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, is_
from typing import TypeAlias

import torch
from gluonnx_runtime import Binding, PointerCall, Session, SessionError

from gluonnx.context import Context
from gluonnx.errors import InputError, LoweringError, ParameterError
from gluonnx.gluon.parameter import REPLACEMENTS, Parameter
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sharing import is_shared
from gluonnx.onnx.lowering import lower
from gluonnx.onnx.model import MAX_MODEL_BYTES
from gluonnx.ops.dtypes import BY_NAME, BY_TORCH, torch_dtype
from gluonnx.symbol.graph import Entry, all_nodes
from gluonnx.symbol.inference import infer

LARGEST_FROZEN_BYTES = MAX_MODEL_BYTES - (64 << 20)
"""Larger weights are read where torch keeps them: ONNX Runtime takes a model of 2 GB at most as bytes."""
SMALLEST_GIVEN_BYTES = 1 << 16
"""Larger weights are given to ONNX Runtime by pointer, which copies them once; the others are in the model's bytes."""
MAX_SHAPES = 64
"""Input shapes of one plan for which output shapes and bindings are kept; the one unused for longest goes first."""

TEMPLATE_BYTES = 1 << 16
"""Outputs up to this size are allocated after a tensor of their own size, which is 3 us faster."""

Kind: TypeAlias = tuple[str, tuple[int, ...]]
FastCall: TypeAlias = Callable[[Sequence[object]], "list[NDArray] | None"]

_tensor_of = attrgetter("_t")
_version_of = attrgetter("_version")


@dataclass(frozen=True, slots=True)
class Signature:
    """Dtype name and shape of each input."""

    dtypes: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class PlannedGraph:
    """What is run.

    Attributes:
        heads: Outputs.
        input_names: Variables that are inputs, in order.
        parameters: The other variables' parameters, by name.
        uses_cuda_graph: Whether runs on a GPU are captured in a CUDA graph.
    """

    heads: tuple[Entry, ...]
    input_names: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    uses_cuda_graph: bool


class RuntimePlan:
    """A graph lowered for one input signature.

    The first session has the weights frozen into it. When a weight has changed, a session takes over that reads the
    weights where torch keeps them. When they have stayed for as long as a new frozen session takes to build, one is
    built: no pattern of changes costs more than twice what the best choice would have cost.

    Args:
        graph: What is run.
        signature: Dtypes and shapes of the inputs.
        ctx: Where.
        stream: The CUDA stream to run on.
        is_dynamic: Whether the batch size is left open.

    Raises:
        LoweringError: ONNX cannot express the graph, or the shape of an output depends on values and a CUDA graph,
            which needs fixed memory, is asked for.
    """

    def __init__(
        self, graph: PlannedGraph, signature: Signature, ctx: Context, stream: int | None, is_dynamic: bool
    ) -> None:
        self._graph = graph
        self._signature = signature
        self._ctx = ctx
        self._stream = stream
        self._is_dynamic = is_dynamic
        self._uses_cuda_graph = graph.uses_cuda_graph and ctx.device_typeid == 2
        self._lock = threading.RLock()
        self._shapes: dict[tuple[tuple[int, ...], ...], _Shapes] = {}
        self._weights = _Weights(graph.parameters.values(), ctx)
        self._kinds = self._weights.kinds()
        self._live: _Bound | None = None
        self._frozen: _Frozen | None = None
        self._freeze_cost_s = 0.0
        self._stable_s = 0.0
        if any(n.op is not None and n.op.carries_values for n in all_nodes(graph.heads)):
            self._infer(signature.shapes)
        if self._can_freeze():
            self._freeze()

    def run(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
        """Compute the outputs of contiguous tensors; None if parameters have other shapes or dtypes than planned for.

        Raises:
            ParameterError: A parameter is not on the context any more.
        """
        frozen = self._frozen
        if frozen is not None and frozen.weights.are_unchanged():
            return frozen.bound.run(self._shapes_of(tensors), tensors)
        bound = self._choose()
        if bound is None:
            return None
        start = time.perf_counter()
        results = bound.run(self._shapes_of(tensors), tensors)
        self._stable_s += time.perf_counter() - start
        return results

    def fast_call(self, signature: Signature) -> FastCall | None:
        """Return a function that runs arrays of exactly this signature, and returns None for any others."""
        if self._uses_cuda_graph or (self._ctx.device_typeid == 1 and self._ctx.device_id):
            return None
        shapes = self._shapes.get(signature.shapes)
        return None if shapes is None or shapes.outputs is None else _fast_call(self, signature, shapes)

    # Sessions --------------------------------------------------------------------------------------------------------

    def _choose(self) -> "_Bound | None":
        """The session to run after the quick look found a change, or no frozen session."""
        with self._lock:
            if not self._weights.are_unchanged():
                self._frozen = None
                self._stable_s = 0.0
                self._weights = _Weights(self._graph.parameters.values(), self._ctx)
                if self._weights.kinds() != self._kinds:
                    return None
            elif self._frozen is not None:
                return self._frozen.bound
            elif self._stable_s > self._freeze_cost_s and self._can_freeze():
                return self._freeze()
            if self._live is None:
                self._live = self._build(is_live=True)
            return self._live

    def _can_freeze(self) -> bool:
        """Whether the weights may be in a session: nobody else writes to them, and one model can hold them."""
        size = sum(math.prod(shape) * BY_NAME[dtype].numpy.itemsize for dtype, shape in self._kinds)
        return size <= LARGEST_FROZEN_BYTES and not self._weights.are_shared()

    def _freeze(self) -> "_Bound":
        start = time.perf_counter()
        bound = self._build(is_live=False)
        # One object, read at once: another thread never sees one session with the weights of another. The weights were
        # looked at before their values were taken, so a change in between is seen as one.
        self._frozen = _Frozen(bound, self._weights)
        self._freeze_cost_s = time.perf_counter() - start
        self._stable_s = 0.0
        return bound

    def _build(self, *, is_live: bool) -> "_Bound":
        params = self._graph.parameters
        lowered = lower(
            self._graph.heads,
            self._graph.input_names,
            self._signature.shapes,
            self._signature.dtypes,
            {n: p.data(self._ctx)._plain().detach().cpu() for n, p in params.items()},
            live_parameters=is_live,
            dynamic_batch=self._is_dynamic,
            name="net",
        )
        source, weights = lowered.without_weights(SMALLEST_GIVEN_BYTES)
        session = Session(
            source,
            initializers=weights,
            device=f"cuda:{self._ctx.device_id}" if self._ctx.device_typeid == 2 else "cpu",
            intra_op_threads=torch.get_num_threads(),
            cuda_stream=self._stream,
            cuda_graph=self._uses_cuda_graph,
        )
        live = tuple((name, params[name]) for name in lowered.live_names)
        return _Bound(session, self._graph.input_names, lowered.output_names, live, self._ctx, self._stream is not None)

    def _shapes_of(self, tensors: Sequence[torch.Tensor]) -> "_Shapes":
        key = tuple([tuple(t.shape) for t in tensors])
        with self._lock:
            found = self._shapes.pop(key, None)
            if found is None:
                while len(self._shapes) >= MAX_SHAPES:
                    gone = self._shapes.pop(next(iter(self._shapes)))
                    if self._frozen is not None:
                        self._frozen.bound.forget(gone)
                    if self._live is not None:
                        self._live.forget(gone)
                found = _Shapes(key, self._infer(key), self._ctx.torch_device)
            self._shapes[key] = found  # now the newest
        return found

    def _infer(self, shapes: tuple[tuple[int, ...], ...]) -> list[Kind] | None:
        """Return dtype and shape of each output, None if some follow from values."""
        graph = self._graph
        known = dict(zip(graph.input_names, shapes, strict=True))
        dtypes = dict(zip(graph.input_names, self._signature.dtypes, strict=True))
        for name, (dtype, shape) in zip(graph.parameters, self._kinds, strict=True):
            known[name], dtypes[name] = shape, dtype
        inference = infer(graph.heads, known, dtypes)
        found = []
        for head in graph.heads:
            head_shape, head_dtype = inference.shape(head), inference.dtype(head)
            if head_shape is None or head_dtype is None:
                if not self._uses_cuda_graph:
                    return None
                raise LoweringError(
                    f"output `{head[0].output_name(head[1])}` has a shape that depends on values: expected one that "
                    "the inputs' shapes decide, because a CUDA graph needs memory for it before a run"
                )
            found.append((head_dtype, head_shape))
        return found


class _Weights:
    """The parameters' arrays as they were last seen, to tell whether a value has changed since, whichever way it did.

    Three things tell it: an array of a parameter was replaced (`REPLACEMENTS`), an array holds another tensor
    (`attach_grad`, `grad_req`), or a tensor was written to (torch's version counter). Memory that was handed to another
    library (DLPack, `as_torch`) is never frozen.

    Raises:
        ParameterError: A parameter is not on the context.
    """

    __slots__ = ("_arrays", "_ctx", "_params", "_stamp", "_tensors", "_versions")

    def __init__(self, params: Iterable[Parameter], ctx: Context) -> None:
        self._stamp = REPLACEMENTS.stamp
        self._params = tuple(params)
        self._ctx = ctx
        self._arrays = [p.data(ctx) for p in self._params]
        self._tensors = list(map(_tensor_of, self._arrays))
        self._versions = list(map(_version_of, self._tensors))

    def are_unchanged(self) -> bool:
        tensors = self._tensors
        return (
            (self._stamp == REPLACEMENTS.stamp or self._have_same_arrays())
            and all(map(is_, map(_tensor_of, self._arrays), tensors))
            and list(map(_version_of, tensors)) == self._versions
        )

    def are_shared(self) -> bool:
        """Whether some memory was handed to another library, whose writes nothing tells."""
        return any(map(is_shared, self._tensors))

    def _have_same_arrays(self) -> bool:
        """Whether it was other parameters whose arrays were replaced."""
        stamp = REPLACEMENTS.stamp
        for param, array in zip(self._params, self._arrays, strict=True):
            try:
                if param.data(self._ctx) is not array:
                    return False
            except ParameterError:
                return False
        self._stamp = stamp
        return True

    def kinds(self) -> list[Kind]:
        """Dtype and shape of each."""
        return [kind_of(t) for t in self._tensors]


@dataclass(frozen=True, slots=True)
class _Frozen:
    """A session and the weights that are frozen into it."""

    bound: "_Bound"
    weights: _Weights


class _Shapes:
    """Input shapes of a plan, and what follows from them.

    Attributes:
        inputs: Shape of each input.
        outputs: Shape of each output; None if values decide some, and ONNX Runtime allocates them all.
        allocators: For each output a function that returns new memory for it; none without shapes.
    """

    __slots__ = ("allocators", "inputs", "outputs")

    def __init__(
        self, inputs: tuple[tuple[int, ...], ...], outputs: Sequence[Kind] | None, device: torch.device
    ) -> None:
        self.inputs = inputs
        self.outputs = None if outputs is None else tuple(shape for _, shape in outputs)
        self.allocators = tuple(_allocator(shape, torch_dtype(dtype), device) for dtype, shape in outputs or ())

    def allocate(self) -> list[torch.Tensor]:
        """Return new memory for the outputs."""
        return [new() for new in self.allocators]


class _Bound:
    """A session and its idle bindings: a call takes one for as long as it runs, so threads never share one."""

    def __init__(
        self,
        session: Session,
        input_names: Sequence[str],
        output_names: Sequence[str],
        live: Sequence[tuple[str, Parameter]],
        ctx: Context,
        follows_stream: bool,
    ) -> None:
        self._session = session
        self._input_names = tuple(input_names)
        self._output_names = tuple(output_names)
        self._live = tuple(live)
        self._ctx = ctx
        self._follows_stream = follows_stream
        self._idle: dict[_Shapes, list[PointerCall]] = {}
        self._open: list[Binding] = []
        self._buffers: dict[_Shapes, list[_Buffers]] = {}

    def run(self, shapes: _Shapes, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Compute the outputs of contiguous tensors of these shapes."""
        if self._session.has_cuda_graph:
            return self._replay(shapes, tensors)
        if shapes.outputs is None:
            return self._run_open(shapes, tensors)
        outputs = shapes.allocate()
        self.run_pointers(shapes, [t.data_ptr() for t in tensors], [t.data_ptr() for t in outputs])
        return outputs

    def run_pointers(self, shapes: _Shapes, inputs: list[int], outputs: list[int]) -> None:
        """Run on memory that the caller keeps alive."""
        idle = self._idle.get(shapes)
        if idle is None:
            idle = self._idle.setdefault(shapes, [])
        try:
            call = idle.pop() if idle else self._call(shapes)
            if self._live:
                weights = self._weights()  # kept until the run is over
                inputs = [*inputs, *(t.data_ptr() for t in weights)]
            call(inputs, outputs)
        except SessionError as err:
            raise _not_taken(shapes, err) from err
        idle.append(call)

    def _run_open(self, shapes: _Shapes, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Run, and take the outputs where ONNX Runtime has put them."""
        binding = self._open.pop() if self._open else self._binding()
        names = [*self._input_names, *(name for name, _ in self._live)]
        try:
            for name, tensor in zip(names, [*tensors, *self._weights()], strict=True):
                binding.bind_input_pointer(name, tensor.data_ptr(), tensor.shape, owner=tensor)
            for name in self._output_names:
                binding.allocate_output(name)
            binding.run()
        except SessionError as err:
            raise _not_taken(shapes, err) from err
        outputs = [torch.utils.dlpack.from_dlpack(binding.output(name)) for name in self._output_names]
        binding.clear()
        self._open.append(binding)
        return outputs

    def forget(self, shapes: _Shapes) -> None:
        """Let go of the bindings of these shapes."""
        self._idle.pop(shapes, None)
        self._buffers.pop(shapes, None)

    def _weights(self) -> list[torch.Tensor]:
        return [p.data(self._ctx)._plain().contiguous() for _, p in self._live]

    def _binding(self) -> Binding:
        return self._session.bind(synchronize=not self._follows_stream)

    def _call(self, shapes: _Shapes) -> PointerCall:
        inputs = dict(zip(self._input_names, shapes.inputs, strict=True))
        for (name, _), tensor in zip(self._live, self._weights(), strict=True):
            inputs[name] = tuple(tensor.shape)
        outputs = dict(zip(self._output_names, shapes.outputs or (), strict=True))
        return self._binding().pointer_call(inputs, outputs)

    def _replay(self, shapes: _Shapes, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        idle = self._buffers.setdefault(shapes, [])
        buffers = idle.pop() if idle else self._new_buffers(shapes, tensors)
        results = buffers.run([*tensors, *self._weights()])
        idle.append(buffers)
        return results

    def _new_buffers(self, shapes: _Shapes, tensors: Sequence[torch.Tensor]) -> "_Buffers":
        names = [*self._input_names, *(name for name, _ in self._live)]
        return _Buffers(self._binding(), names, [*tensors, *self._weights()], self._output_names, shapes.allocate())


class _Buffers:
    """Fixed memory for inputs and outputs, as a CUDA graph needs it: inputs are copied in and outputs out."""

    def __init__(
        self,
        binding: Binding,
        input_names: Sequence[str],
        inputs: Sequence[torch.Tensor],
        output_names: Sequence[str],
        outputs: Sequence[torch.Tensor],
    ) -> None:
        self._binding = binding
        self._inputs = [t.clone() for t in inputs]
        self._outputs = list(outputs)
        for name, t in zip(input_names, self._inputs, strict=True):
            binding.bind_input_pointer(name, t.data_ptr(), t.shape, owner=t)
        for name, t in zip(output_names, self._outputs, strict=True):
            binding.bind_output_pointer(name, t.data_ptr(), t.shape, owner=t)

    def run(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        for target, source in zip(self._inputs, tensors, strict=True):
            target.copy_(source)
        self._binding.run()
        return [t.clone() for t in self._outputs]


def _not_taken(shapes: _Shapes, err: SessionError) -> InputError:
    return InputError(f"hybridized block: ONNX Runtime does not take inputs of shapes {shapes.inputs}: {err}")


def kind_of(tensor: torch.Tensor) -> Kind:
    """Return dtype name and shape of a tensor."""
    return BY_TORCH[tensor.dtype].name, tuple(tensor.shape)


def stream_of(ctx: Context) -> int | None:
    """Return torch's current CUDA stream on a context, None on a cpu."""
    return int(torch.cuda.current_stream(ctx.torch_device).cuda_stream) if ctx.device_typeid == 2 else None


def _allocator(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Callable[[], torch.Tensor]:
    if math.prod(shape) * dtype.itemsize <= TEMPLATE_BYTES:
        return functools.partial(torch.empty_like, torch.empty(shape, dtype=dtype, device=device))
    return functools.partial(torch.empty, shape, dtype=dtype, device=device)


def _fast_call_of_one(
    plan: RuntimePlan, shapes: _Shapes, shape: torch.Size, dtype: torch.dtype
) -> Callable[[Sequence[object]], "list[NDArray] | None"]:
    """The same for one input and one output on a cpu: after a run the caches are cold, and every step costs twice."""
    (new_output,) = shapes.allocators

    def call(arrays: Sequence[object]) -> list[NDArray] | None:
        if len(arrays) != 1 or type(arrays[0]) is not NDArray:
            return None
        t = arrays[0]._t
        if not t.is_cpu or t.shape != shape or t.dtype is not dtype or not t.is_contiguous():
            return None
        frozen = plan._frozen
        if frozen is not None and frozen.weights.are_unchanged():
            output = new_output()
            frozen.bound.run_pointers(shapes, [t.data_ptr()], [output.data_ptr()])
            return [NDArray(output)]
        bound = plan._choose()
        if bound is None:
            return None
        output = new_output()
        start = time.perf_counter()
        bound.run_pointers(shapes, [t.data_ptr()], [output.data_ptr()])
        plan._stable_s += time.perf_counter() - start
        return [NDArray(output)]

    return call


def _fast_call(plan: RuntimePlan, signature: Signature, shapes: _Shapes) -> FastCall:
    """A closure, because a closure reads its variables faster than a method reads attributes."""
    ctx = plan._ctx
    device, stream, is_cuda = ctx.torch_device, plan._stream, plan._ctx.device_typeid == 2
    count = len(signature.shapes)
    expected = tuple(
        (torch.Size(shape), torch_dtype(dtype)) for shape, dtype in zip(signature.shapes, signature.dtypes, strict=True)
    )
    new_outputs = shapes.allocators
    if count == len(new_outputs) == 1 and ctx.device_typeid == 1:
        return _fast_call_of_one(plan, shapes, *expected[0])

    def call(arrays: Sequence[object]) -> list[NDArray] | None:
        if len(arrays) != count or (is_cuda and stream_of(ctx) != stream):
            return None
        pointers = []
        for array, (shape, dtype) in zip(arrays, expected, strict=False):
            if type(array) is not NDArray:
                return None
            t = array._t
            if t.shape != shape or t.dtype is not dtype or t.device != device or not t.is_contiguous():
                return None
            pointers.append(t.data_ptr())
        outputs = [new() for new in new_outputs]
        frozen = plan._frozen
        if frozen is not None and frozen.weights.are_unchanged():
            frozen.bound.run_pointers(shapes, pointers, [t.data_ptr() for t in outputs])
            return [NDArray(t) for t in outputs]
        bound = plan._choose()
        if bound is None:
            return None
        start = time.perf_counter()
        bound.run_pointers(shapes, pointers, [t.data_ptr() for t in outputs])
        plan._stable_s += time.perf_counter() - start
        return [NDArray(t) for t in outputs]

    return call
