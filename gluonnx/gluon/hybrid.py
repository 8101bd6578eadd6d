"""The call of a hybridized block: its graph on torch while training, in ONNX Runtime otherwise.

`HybridCall` decides which of the two runs; `gluonnx.gluon.plan` owns the ONNX Runtime sessions.
"""

import threading
import warnings
from collections.abc import Mapping, Sequence

import torch
from gluonnx_runtime import SessionError

from gluonnx.context import Context
from gluonnx.errors import FixedBatchError, InputError, LoweringError
from gluonnx.gluon.monitor import OperatorHook
from gluonnx.gluon.parameter import Parameter
from gluonnx.gluon.plan import FastCall, PlannedGraph, RuntimePlan, Signature, kind_of, stream_of
from gluonnx.modes import MODES
from gluonnx.ndarray.generators import generator
from gluonnx.ndarray.ndarray import NDArray, on_context
from gluonnx.ndarray.provenance import note_outputs
from gluonnx.onnx.axes import declared_axes, is_batch_open
from gluonnx.symbol.executor import GraphFunction, apart
from gluonnx.symbol.graph import Entry, all_nodes, draws, topological

MAX_PLANS = 16
"""Input signatures for which sessions are kept; the one unused for longest goes first."""


class HybridCall:
    """A traced graph with its parameters, callable on arrays.

    Args:
        where: The block, for messages.
        heads: Outputs of the graph.
        input_names: Variables that are inputs, in order.
        parameters: The other variables' parameters, by name.
        use_runtime: Whether to run in ONNX Runtime outside `record`.
        static_alloc: Keep input and output memory between calls.
        static_shape: With `static_alloc` on a GPU: replay a CUDA graph.
        hook: Sees the arrays of every operator; the graph then always runs on torch.

    Attributes:
        fast: Runs arrays of the shapes that were last run, in ONNX Runtime; returns None for any others. None if
            there is no such function.
    """

    def __init__(
        self,
        where: str,
        heads: Sequence[Entry],
        input_names: Sequence[str],
        parameters: Mapping[str, Parameter],
        *,
        use_runtime: bool = True,
        static_alloc: bool = False,
        static_shape: bool = False,
        hook: OperatorHook | None = None,
    ) -> None:
        self.where = where
        self.heads = tuple(heads)
        self.input_names = tuple(input_names)
        self.parameters = dict(parameters)
        self.last_inputs: Signature | None = None
        self.fast: FastCall | None = None
        function = GraphFunction(heads, [*input_names, *parameters])
        self._function = function if hook is None else function.watched(hook)
        self._values = tuple(self.parameters.values())
        self._use_runtime = use_runtime and hook is None and not _has_open_shapes(heads)
        # Random numbers must come from gluonnx's generators.
        self._use_runtime = self._use_runtime and not any(draws(n) for n in topological(heads))
        self._is_batch_open = is_batch_open(declared_axes(heads), next(iter(input_names), ""))
        self._graph = PlannedGraph(self.heads, self.input_names, self.parameters, static_alloc and static_shape)
        self._plans: dict[object, RuntimePlan] = {}
        self._lock = threading.Lock()

    def __call__(self, arrays: Sequence[NDArray]) -> list[NDArray]:
        """Compute the outputs.

        Raises:
            DeferredInitializationError: Shapes of parameters are not known yet.
            InputError: The inputs do not fit the graph.
        """
        if self._use_runtime and not MODES.recording and not MODES.training:
            return self._run_in_runtime(arrays)
        return self._run_on_torch(arrays)

    def _run_on_torch(self, arrays: Sequence[NDArray]) -> list[NDArray]:
        ctx = self._context(arrays)
        held = [p.data(ctx) for p in self._values]
        self.last_inputs = signature_of(arrays)
        tensors = [a._active() for a in arrays]
        tensors += [a._active() for a in held]
        results, updates = self._function(
            tensors, training=MODES.training, generator=generator, keeps_blocked=MODES.recording
        )
        for name, value in updates.items():
            state = self.parameters[name].data(ctx) if name in self.parameters else arrays[self.input_names.index(name)]
            with torch.no_grad():
                state._writable().copy_(value)
        if not MODES.recording:
            return [on_context(r, ctx) for r in apart(results, tensors)]
        found = [on_context(r, ctx) for r in results]
        note_outputs(found, self, (*arrays, *held))
        return found

    def _run_in_runtime(self, arrays: Sequence[NDArray]) -> list[NDArray]:
        ctx = self._context(arrays)
        for param in self._values:
            param.data(ctx)
        self.last_inputs = signature = signature_of(arrays)
        if any(0 in shape for shape in signature.shapes):
            return self._run_on_torch(arrays)  # to a Symbol, a size of 0 is an unknown one
        while True:
            try:
                plan = self._plan(signature, ctx)
            except (LoweringError, SessionError) as err:
                # What torch does not take either is no fault of ONNX; then its error says what is wrong.
                outputs = self._run_on_torch(arrays)
                warnings.warn(
                    f"{self.where}: runs on torch instead of ONNX Runtime, because ONNX cannot express it: {err}",
                    stacklevel=7,
                )
                self._use_runtime = False
                return outputs
            results = plan.run([a._plain().contiguous() for a in arrays])
            if results is not None:
                break
            with self._lock:  # parameters have another shape or dtype now
                self._plans.clear()
        self.fast = plan.fast_call(signature) if all(type(a) is NDArray for a in arrays) else None
        return [on_context(t, ctx) for t in results]

    def _plan(self, signature: Signature, ctx: Context) -> RuntimePlan:
        """The plan for these inputs.

        Raises:
            LoweringError: ONNX cannot express the graph.
            SessionError: ONNX Runtime refuses it.
        """
        stream = stream_of(ctx)
        batch = signature.shapes[0][:1] if signature.shapes else ()
        open_shapes = tuple((None, *s[1:]) if s and s[:1] == batch else s for s in signature.shapes)
        open_key, fixed_key = (signature.dtypes, open_shapes, ctx, stream), (signature, ctx, stream)
        with self._lock:
            for key in (open_key, fixed_key):
                plan = self._plans.pop(key, None)
                if plan is not None:
                    self._plans[key] = plan  # now the newest
                    return plan
        is_dynamic = self._is_batch_open and (not self._graph.uses_cuda_graph or ctx.device_typeid != 2)
        try:
            plan = RuntimePlan(self._graph, signature, ctx, stream, is_dynamic)
        except FixedBatchError:
            is_dynamic = False
            plan = RuntimePlan(self._graph, signature, ctx, stream, is_dynamic)
        with self._lock:
            while len(self._plans) >= MAX_PLANS:
                del self._plans[next(iter(self._plans))]
            self._plans[open_key if is_dynamic else fixed_key] = plan
        return plan

    def _context(self, arrays: Sequence[NDArray]) -> Context:
        if len(arrays) != len(self.input_names):
            raise InputError(
                f"{self.where}: wrong number of inputs: expected {len(self.input_names)} "
                f"({', '.join(self.input_names)}), got {len(arrays)}."
            )
        ctx = arrays[0].context
        for name, other in zip(self.input_names, arrays, strict=True):
            if other.context != ctx:
                raise InputError(
                    f"{self.where}: inputs live on different contexts: expected {ctx} for all, got {other.context} for "
                    f"`{name}`. Move one with `.as_in_context()`."
                )
        return ctx


def signature_of(arrays: Sequence[NDArray]) -> Signature:
    """Return dtypes and shapes of arrays."""
    kinds = [kind_of(a._t) for a in arrays]
    return Signature(tuple(dtype for dtype, _ in kinds), tuple(shape for _, shape in kinds))


def _has_open_shapes(heads: Sequence[Entry]) -> bool:
    """Whether shapes depend on values, so that no memory for the outputs can be bound before a run."""
    return any(n.op is not None and n.op.shapes == "values" for n in all_nodes(heads))
