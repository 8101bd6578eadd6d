"""The call of a hybridized block: its graph on torch while training, in ONNX Runtime otherwise.

`HybridCall` decides which of the two runs, `RuntimePlan` owns the ONNX Runtime sessions of one input signature.
"""

import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from gluonnx_runtime import Binding, Session

from gluonnx.context import Context
from gluonnx.errors import FixedBatchError, InputError, LoweringError
from gluonnx.gluon.parameter import Parameter
from gluonnx.modes import MODES
from gluonnx.ndarray.generators import generator
from gluonnx.ndarray.ndarray import NDArray, check_same_context, on_context
from gluonnx.onnx.lowering import lower
from gluonnx.ops.dtypes import BY_TORCH
from gluonnx.symbol.executor import GraphFunction
from gluonnx.symbol.graph import Entry, topological
from gluonnx.symbol.inference import infer

MAX_PLANS = 16
"""Input signatures for which sessions are kept; the oldest goes first."""

MAX_SHAPES = 256
"""Input shapes of one plan for which output shapes are remembered."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Dtype name and shape of each input."""

    dtypes: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]


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
    ) -> None:
        self.where = where
        self.heads = tuple(heads)
        self.input_names = tuple(input_names)
        self.parameters = dict(parameters)
        self.last_inputs: Signature | None = None
        self._function = GraphFunction(heads, [*input_names, *parameters])
        self._values = tuple(self.parameters.values())
        self._use_runtime = use_runtime and not _draws(heads)
        self._uses_cuda_graph = static_alloc and static_shape
        self._plans: dict[object, RuntimePlan] = {}
        self._lock = threading.Lock()
        self._recent: tuple[Sequence[torch.Size], Sequence[torch.dtype], Context, RuntimePlan] | None = None

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
        self._remember(arrays)
        tensors = [a._active() for a in arrays]
        tensors += [a._active() for a in held]
        results, updates = self._function(tensors, training=MODES.training, generator=generator)
        for name, value in updates.items():
            with torch.no_grad():
                self.parameters[name].data(ctx)._writable().copy_(value)
        if not MODES.recording:
            results = _apart(results, tensors)
        return [on_context(r, ctx) for r in results]

    def _run_in_runtime(self, arrays: Sequence[NDArray]) -> list[NDArray]:
        recent = self._recent
        if recent is not None:
            shapes, dtypes, ctx, plan = recent
            for array, shape, dtype in zip(arrays, shapes, dtypes, strict=True):
                t = array._t
                if type(array) is not NDArray or t.shape != shape or t.dtype is not dtype or t.device != plan.device:
                    break
            else:
                return plan.run([a._t for a in arrays])
        ctx = self._context(arrays)
        for param in self._values:
            param.data(ctx)
        self._remember(arrays)
        found = self._plan(arrays, ctx)
        if found is None:
            return self._run_on_torch(arrays)
        if all(type(a) is NDArray for a in arrays):
            self._recent = ([a._t.shape for a in arrays], [a._t.dtype for a in arrays], ctx, found)
        return found.run([a._plain() if a._t.requires_grad else a._t for a in arrays])

    def _plan(self, arrays: Sequence[NDArray], ctx: Context) -> "RuntimePlan | None":
        """The plan for these inputs; None if ONNX cannot express the graph, which is told once."""
        signature = signature_of(arrays)
        stream = torch.cuda.current_stream(ctx.torch_device).cuda_stream if ctx.device_typeid == 2 else None
        batch = signature.shapes[0][:1]
        open_shapes = tuple((None, *s[1:]) if s and s[:1] == batch else s for s in signature.shapes)
        open_key, fixed_key = (signature.dtypes, open_shapes, ctx, stream), (signature, ctx, stream)
        for key in (open_key, fixed_key):
            with self._lock:
                plan = self._plans.get(key)
            if plan is not None:
                return plan
        is_dynamic = not self._uses_cuda_graph or ctx.device_typeid != 2
        try:
            try:
                plan = RuntimePlan(self, signature, ctx, stream, is_dynamic)
            except FixedBatchError:
                is_dynamic = False
                plan = RuntimePlan(self, signature, ctx, stream, is_dynamic)
        except LoweringError as err:
            warnings.warn(
                f"{self.where}: runs on torch instead of ONNX Runtime, because ONNX cannot express it: {err}",
                stacklevel=6,
            )
            self._use_runtime = False
            return None
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
        for other in arrays[1:]:
            check_same_context(self.where, arrays[0], other)
        return arrays[0].context

    def _remember(self, arrays: Sequence[NDArray]) -> None:
        self.last_inputs = signature_of(arrays)


class RuntimePlan:
    """A graph lowered for one input signature, and its weights: frozen into the model, or bound live while they change.

    The first session has the weights frozen into it. When a weight has changed, a session takes over that reads the
    weights where torch keeps them. When they have stayed for as long as a new frozen session takes to build, one is
    built. A weight's version counter and identity tell whether it changed, whichever way it did.
    """

    def __init__(
        self, call: HybridCall, signature: Signature, ctx: Context, stream: int | None, is_dynamic: bool
    ) -> None:
        self.device = ctx.torch_device
        self._call = call
        self._signature = signature
        self._ctx = ctx
        self._stream = stream
        self._is_dynamic = is_dynamic
        self._uses_cuda_graph = call._uses_cuda_graph and ctx.device_typeid == 2
        self._lock = threading.RLock()
        self._output_shapes: dict[tuple[torch.Size, ...], list[tuple[tuple[int, ...], torch.dtype]]] = {}
        self._frozen: _Bound | None = None
        self._live: _Bound | None = None
        self._freeze_cost_s = 0.0
        self._stable_s = 0.0
        self._watch: list[_Watched] = []
        self._freeze()

    def run(self, tensors: Sequence[torch.Tensor]) -> list[NDArray]:
        """Compute the outputs of contiguous or strided tensors of the plan's signature."""
        unchanged = True
        for w in self._watch:
            t = w.array._t
            if t is not w.tensor or t._version != w.version or w.param._version != w.param_version:
                unchanged = False
                break
        bound = self._frozen
        if bound is None or not unchanged:
            return self._run_live(tensors, unchanged)
        return self._execute(bound, tensors)

    def _run_live(self, tensors: Sequence[torch.Tensor], unchanged: bool) -> list[NDArray]:
        with self._lock:
            if not unchanged:
                if any(w.param.data(self._ctx) is not w.array for w in self._watch):
                    self._live = None
                self._frozen = None
                self._stable_s = 0.0
                self._look()
            elif self._stable_s > self._freeze_cost_s:
                self._freeze()
                assert self._frozen is not None
                return self._execute(self._frozen, tensors)
            if self._live is None:
                self._live = self._build(live=True)
            bound = self._live
            start = time.perf_counter()
            results = self._execute(bound, tensors)
            self._stable_s += time.perf_counter() - start
            return results

    def _execute(self, bound: "_Bound", tensors: Sequence[torch.Tensor]) -> list[NDArray]:
        binding = bound.binding()
        shapes = self._outputs(tensors)
        if self._uses_cuda_graph:
            return [NDArray(t) for t in bound.replay(binding, tensors, shapes)]
        for name, t in zip(self._call.input_names, tensors, strict=True):
            if not t.is_contiguous():
                t = t.contiguous()
            binding.bind_input_pointer(name, t.data_ptr(), t.shape, owner=t)
        for name, array in bound.live_arrays:
            t = array._t
            if bound.bound_tensors.get((id(binding), name)) is not t:
                plain = array._plain().contiguous()
                binding.bind_input_pointer(name, plain.data_ptr(), plain.shape, owner=plain)
                if plain.data_ptr() == t.data_ptr():
                    bound.bound_tensors[id(binding), name] = t
        outputs = []
        for name, (shape, dtype) in zip(bound.output_names, shapes, strict=True):
            out = torch.empty(shape, dtype=dtype, device=self.device)
            binding.bind_output_pointer(name, out.data_ptr(), shape)
            outputs.append(out)
        binding.run()
        if self._ctx.device_typeid in (1, 2) and not self._ctx.device_id:
            return [NDArray(t) for t in outputs]
        return [on_context(t, self._ctx) for t in outputs]

    def _outputs(self, tensors: Sequence[torch.Tensor]) -> list[tuple[tuple[int, ...], torch.dtype]]:
        key = tuple([t.shape for t in tensors])
        found = self._output_shapes.get(key)
        if found is None:
            call = self._call
            shapes = {n: tuple(t.shape) for n, t in zip(call.input_names, tensors, strict=True)}
            dtypes = {n: BY_TORCH[t.dtype].name for n, t in zip(call.input_names, tensors, strict=True)}
            for name, param in call.parameters.items():
                t = param.data(self._ctx)._t
                shapes[name] = tuple(t.shape)
                dtypes[name] = BY_TORCH[t.dtype].name
            inference = infer(call.heads, shapes, dtypes)
            found = []
            for head in call.heads:
                shape = inference.shape(head)
                assert shape is not None
                dtype = next(d.torch for d in BY_TORCH.values() if d.name == inference.dtype(head))
                found.append((shape, dtype))
            if len(self._output_shapes) >= MAX_SHAPES:
                self._output_shapes.clear()
            self._output_shapes[key] = found
        return found

    # Sessions --------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Note which tensor, at which version, each parameter holds."""
        watch = []
        for param in self._call._values:
            array = param.data(self._ctx)
            watch.append(_Watched(param, param._version, array, array._t, array._t._version))
        self._watch = watch

    def _freeze(self) -> None:
        start = time.perf_counter()
        self._look()
        self._frozen = self._build(live=False)
        self._freeze_cost_s = time.perf_counter() - start
        self._stable_s = 0.0

    def _build(self, *, live: bool) -> "_Bound":
        call = self._call
        lowered = lower(
            call.heads,
            call.input_names,
            self._signature.shapes,
            self._signature.dtypes,
            {n: p.data(self._ctx)._plain().detach().cpu() for n, p in call.parameters.items()},
            live_parameters=live,
            dynamic_batch=self._is_dynamic,
            name="net",
        )
        session = Session(
            lowered.serialize(),
            device=f"cuda:{self._ctx.device_id}" if self._ctx.device_typeid == 2 else "cpu",
            intra_op_threads=torch.get_num_threads(),
            cuda_stream=self._stream,
            cuda_graph=self._uses_cuda_graph,
        )
        arrays = [(name, call.parameters[name].data(self._ctx)) for name in lowered.live_names]
        return _Bound(session, lowered.output_names, arrays, self._stream is not None)


class _Watched:
    """A parameter's array as it was last seen."""

    __slots__ = ("array", "param", "param_version", "tensor", "version")

    def __init__(
        self, param: Parameter, param_version: int, array: NDArray, tensor: torch.Tensor, version: int
    ) -> None:
        self.param = param
        self.param_version = param_version
        self.array = array
        self.tensor = tensor
        self.version = version


class _Bound:
    """A session with a binding for each thread."""

    def __init__(
        self,
        session: Session,
        output_names: Sequence[str],
        live_arrays: Sequence[tuple[str, NDArray]],
        follows_stream: bool,
    ) -> None:
        self.session = session
        self._follows_stream = follows_stream
        self.output_names = tuple(output_names)
        self.live_arrays = tuple(live_arrays)
        self.bound_tensors: dict[tuple[int, str], torch.Tensor] = {}
        self._bindings: dict[int, Binding] = {}
        self._static: dict[int, tuple[list[torch.Tensor], list[torch.Tensor]]] = {}

    def binding(self) -> Binding:
        """This thread's binding."""
        ident = threading.get_ident()
        found = self._bindings.get(ident)
        if found is None:
            found = self._bindings[ident] = self.session.bind(synchronize=not self._follows_stream)
        return found

    def replay(
        self,
        binding: Binding,
        tensors: Sequence[torch.Tensor],
        shapes: Sequence[tuple[tuple[int, ...], torch.dtype]],
    ) -> list[torch.Tensor]:
        """Run with fixed memory, as a CUDA graph needs it: copy the inputs in and the outputs out."""
        ident = threading.get_ident()
        static = self._static.get(ident)
        if static is None:
            inputs = [t.contiguous().clone() for t in tensors]
            outputs = [torch.empty(s, dtype=d, device=tensors[0].device) for s, d in shapes]
            fed = [i.name for i in self.session.inputs][: len(inputs)]
            for name, t in zip(fed, inputs, strict=True):
                binding.bind_input_pointer(name, t.data_ptr(), t.shape, owner=t)
            for name, array in self.live_arrays:
                plain = array._plain()
                binding.bind_input_pointer(name, plain.data_ptr(), plain.shape, owner=plain)
            for name, t in zip(self.output_names, outputs, strict=True):
                binding.bind_output_pointer(name, t.data_ptr(), t.shape, owner=t)
            static = self._static[ident] = (inputs, outputs)
        for target, source in zip(static[0], tensors, strict=True):
            target.copy_(source)
        binding.run()
        return [t.clone() for t in static[1]]


def signature_of(arrays: Sequence[NDArray]) -> Signature:
    """Return dtypes and shapes of arrays."""
    return Signature(
        tuple(BY_TORCH[a._t.dtype].name for a in arrays),
        tuple(tuple(a._t.shape) for a in arrays),
    )


def _draws(heads: Sequence[Entry]) -> bool:
    """Whether the graph draws random numbers at inference, which must come from gluonnx's generators."""
    return any(
        n.op is not None and "generator" in n.op.runtime and "training" not in n.op.runtime for n in topological(heads)
    )


def _apart(results: Sequence[torch.Tensor], inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Copy the results that share memory with inputs, or with each other."""
    seen = {t.untyped_storage().data_ptr() for t in inputs}
    apart = []
    for result in results:
        storage = result.untyped_storage().data_ptr()
        apart.append(result.clone() if storage in seen else result)
        seen.add(storage)
    return apart
