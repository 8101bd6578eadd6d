"""HybridBlock: a block that is traced, through which it is hybridized, exported and its shapes are found."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gluonnx import ndarray, symbol
from gluonnx.context import current_context
from gluonnx.errors import (
    ArgumentError,
    DeferredInitializationError,
    GraphError,
    InputError,
    MXNetError,
    ParameterError,
)
from gluonnx.gluon.base_block import Block
from gluonnx.gluon.hybrid import HybridCall
from gluonnx.gluon.monitor import OperatorHook
from gluonnx.gluon.nesting import LEAF, first_array, fits, flatten, kind_of, present, regroup
from gluonnx.gluon.parameter import Parameter, ParameterDict
from gluonnx.gluon.plan import FastCall
from gluonnx.gluon.tracing import Trace, Tracing
from gluonnx.modes import MODES
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.dtypes import as_dtype
from gluonnx.symbol.graph import topological
from gluonnx.symbol.inference import infer, infer_dtypes
from gluonnx.symbol.symbol import Group, Symbol, var

if TYPE_CHECKING:
    from gluonnx.onnx.options import DynamicAxes

__all__ = ["HybridBlock"]

ONLY_ARRAYS = {NDArray}

FLAGS_OF_MXNET_2 = {"backend_opts", "partition_if_dynamic", "dedup_params"}
"""Keywords of `hybridize` that MXNet 2 added; accepted, without effect."""


class HybridBlock(Block):
    """A block whose computation can be traced once and then run as a graph.

    A subclass defines `hybrid_forward(F, x, ..., **parameters)` with operators of `F` only, which is `nd` or `sym`.
    After `hybridize()` the traced graph runs: outside `autograd.record()` in ONNX Runtime, inside on torch.

    Args:
        prefix: Put before the names of its parameters and children; made from the class name if None.
        params: Parameters to share with another block.

    Examples:
        >>> import gluonnx as mx
        >>> class Model(mx.gluon.HybridBlock):
        ...     def __init__(self, **kwargs):
        ...         super().__init__(**kwargs)
        ...         with self.name_scope():
        ...             self.dense0 = mx.gluon.nn.Dense(20)
        ...     def hybrid_forward(self, F, x):
        ...         return F.relu(self.dense0(x))
        >>> model = Model()
        >>> model.initialize()
        >>> model.hybridize()
        >>> model(mx.nd.zeros((10, 10))).shape
        (10, 20)
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None) -> None:
        super().__init__(prefix, params)
        self._active = False
        self._flags = {"static_alloc": False, "static_shape": False}
        self._trace: Trace | None = None
        self._compiled: HybridCall | None = None
        self._fast: FastCall | None = None
        self._allows_fast_call = False
        self._op_hook: OperatorHook | None = None
        self._in_structure: Any = None
        self._out_structure: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, (HybridBlock, Parameter)) or name in ("forward", "hybrid_forward"):
            self._clear()

    def register_child(self, block: Block, name: str | None = None) -> None:
        """Make a hybrid block a child.

        Raises:
            ValueError: The child is not hybrid.
        """
        if not isinstance(block, HybridBlock):
            raise GraphError(
                f"Children of HybridBlock must also be HybridBlock, but {block!r} has type {type(block)}. If you are "
                "using Sequential, please try HybridSequential instead."
            )
        super().register_child(block, name)
        self._clear()

    def _clear(self) -> None:
        # Not through __setattr__, which calls this while the block is still being made.
        self.__dict__["_trace"] = None
        self._uncompile()

    def _clear_cached_op(self) -> None:
        """Forget the trace: MXNet's name for it, which blocks of programs call when they change."""
        self._clear()

    def _uncompile(self) -> None:
        self.__dict__.update(_compiled=None, _fast=None)

    def hybridize(
        self,
        active: bool = True,
        backend: str | None = None,
        clear: bool = True,
        static_alloc: bool = False,
        static_shape: bool = False,
        inline_limit: int = 2,
        forward_bulk_size: int | None = None,
        backward_bulk_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Run the traced graph from now on, or (with `active=False`) the Python code again.

        Differs: there are no backends: the graph goes to ONNX Runtime, which optimizes it. Keywords beside the
            arguments are options of a backend; MXNet takes them, however spelled, without one too.

        Args:
            active: Whether to run the graph.
            backend: Accepted, without effect, as its options in `kwargs` are.
            clear: Whether to trace the block anew.
            static_alloc: With `static_shape`, replay a CUDA graph on a GPU.
            static_shape: See `static_alloc`, which it needs.
            inline_limit: Accepted, without effect.
            forward_bulk_size: Accepted, without effect.
            backward_bulk_size: Accepted, without effect.
            **kwargs: Options of a backend.

        Raises:
            TypeError: An unknown flag, without a backend.
            InputError: `static_shape` without `static_alloc`.
        """
        unknown = kwargs.keys() - FLAGS_OF_MXNET_2
        if unknown and backend is None:
            known = ["static_alloc", "static_shape", "inline_limit", "forward_bulk_size", "backward_bulk_size"]
            raise TypeError(
                f"{type(self).__name__}.hybridize: unknown flag: expected some of {', '.join(known)}, got "
                f"{', '.join(sorted(unknown))}."
            )
        if static_shape and not static_alloc:
            raise InputError(
                f"{type(self).__name__}.hybridize: static_shape needs static_alloc: expected static_alloc=True, got "
                "static_alloc=False."
            )
        self._active = active
        flags = {"static_alloc": bool(static_alloc), "static_shape": bool(static_shape)}
        if clear or flags != self._flags:
            self._clear()
        self._flags = flags
        if active and (self._forward_hooks or self._forward_pre_hooks):
            warnings.warn(
                f'"{self!r}" is being hybridized while still having forward hook/pre-hook. If "{self!r}" is a child of '
                "HybridBlock, the hooks will not take effect.",
                stacklevel=2,
            )
        super().hybridize(
            active,
            static_alloc=static_alloc,
            static_shape=static_shape,
            inline_limit=inline_limit,
            forward_bulk_size=forward_bulk_size,
            backward_bulk_size=backward_bulk_size,
        )

    def register_op_hook(self, callback: Callable[..., Any] | None, monitor_all: bool = False) -> None:
        """Call `callback(name, operator, array)` for every output of every operator, while the block is hybridized.

        The names are bytes, as MXNet's are: `b"net_dense0_fwd_output"`, `b"FullyConnected"`. The block then runs on
        torch. An array shares the operator's memory: copy it to keep it.

        Differs: MXNet hands over the raw handle of the array; here it is an NDArray. An exception in the callback
            ends the call; MXNet prints and forgets it. Arrays that only MXNet's kernels have (the mask of Dropout) are
            not shown.

        Args:
            callback: The function; None removes it.
            monitor_all: Whether it also sees the inputs, each before its operator runs.
        """
        self._op_hook = None if callback is None else OperatorHook(callback, bool(monitor_all))
        self._uncompile()
        super().register_op_hook(callback, monitor_all)

    def cast(self, dtype: Any) -> None:
        """Change the element type of every parameter."""
        self._clear()
        super().cast(dtype)

    def optimize_for(
        self,
        x: Any,
        *args: Any,
        backend: str | None = None,
        clear: bool = False,
        static_alloc: bool = False,
        static_shape: bool = False,
        inline_limit: int = 2,
        forward_bulk_size: int | None = None,
        backward_bulk_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Hybridize and trace the block for inputs like `x` and `args`, without running it.

        Differs: there are no backends: ONNX Runtime optimizes the graph whatever `backend` says; MXNet refuses a name
            that no plug-in has registered.

        Args:
            x: The first input.
            *args: The other inputs.
            backend: Any name, without effect.
            clear: See `hybridize`, as for the other arguments.
            static_alloc: See `hybridize`.
            static_shape: See `hybridize`.
            inline_limit: See `hybridize`.
            forward_bulk_size: See `hybridize`.
            backward_bulk_size: See `hybridize`.
            **kwargs: Options of the backend.

        Raises:
            ArgumentError: No backend is named.
            ParameterError: Shapes of parameters do not follow from the inputs.
        """
        if not backend:
            raise ArgumentError(
                f'{type(self).__name__}.optimize_for: Must specify "backend" to optimize_for: expected a name, got '
                f"backend={backend!r}. Call `hybridize()` to run the block in ONNX Runtime."
            )
        self.hybridize(
            True,
            backend,
            clear,
            static_alloc,
            static_shape,
            inline_limit,
            forward_bulk_size,
            backward_bulk_size,
            **kwargs,
        )
        if self._compiled is None:
            self._compile(x, *args)
        if any(param._deferred is not None for param in self.collect_params().values()):
            self._finish_deferred(x, *args)

    # Tracing ---------------------------------------------------------------------------------------------------------

    def _traced(self, *args: Any) -> "Trace":
        """The graph of the block for inputs of this structure."""
        flat, structure = flatten(list(args), f"{type(self).__name__} input")
        if self._trace is not None:
            if not fits(structure, self._trace.in_structure):
                raise InputError(
                    "The argument structure of HybridBlock does not match the cached version: expected "
                    f"{self._trace.in_structure}, got {structure}. Call `hybridize()` again to trace it anew."
                )
            return self._trace
        count = sum(v is not None for v in flat)
        names = iter(["data"] if count == 1 and len(flat) == 1 else [f"data{i}" for i in range(len(flat))])
        placed = [(None if v is None else var(n)) for v, n in zip(flat, names, strict=True)]
        grouped, _ = regroup(placed, structure)
        params = {name: param.var() for name, param in self._reg_params.items()}
        with self.name_scope(), Tracing(f"{type(self).__name__} `{self.name}`"):
            out = self.hybrid_forward(symbol, *grouped, **params)
        outputs, out_structure = flatten(out, f"{type(self).__name__} output")
        heads = Group([s for s in outputs if s is not None])
        self._trace = Trace([s for s in placed if s is not None], heads, structure, out_structure)
        return self._trace

    def _restore(self, trace: Trace) -> None:
        """Run a graph from a file from now on, as if the block had been hybridized and traced."""
        self._clear()
        self.__dict__.update(_active=True, _trace=trace)

    def infer_shape(self, *args: Any) -> None:
        """Find the shapes of parameters from inputs.

        Raises:
            ParameterError: They do not follow from these inputs.
        """
        trace = self._traced(*args)
        shapes = {s.name: a.shape for s, a in zip(trace.inputs, present(args), strict=True) if s.name}
        params = self._graph_parameters()
        known = {n: p.shape for n, p in params.items() if p.shape is not None and all(d > 0 for d in p.shape)}
        found = infer(
            trace.output._heads,
            {**known, **shapes},
            {s.name: as_dtype(a.dtype).name for s, a in zip(trace.inputs, present(args), strict=True) if s.name},
            only_variables=True,
        )
        for node in topological(trace.output._heads):
            if node.is_variable and node.name in params:
                shape = found.shape((node, 0))
                if shape is not None:
                    params[node.name].shape = shape

    def infer_type(self, *args: Any) -> None:
        """Find the dtypes of parameters from inputs."""
        trace = self._traced(*args)
        params = self._graph_parameters()
        given = {s.name: as_dtype(a.dtype).name for s, a in zip(trace.inputs, present(args), strict=True) if s.name}
        dtypes = infer_dtypes([*trace.output._heads], {k: v for k, v in given.items() if k})
        for node in topological(trace.output._heads):
            if node.is_variable and node.name in params:
                params[node.name].dtype = np.dtype(as_dtype(dtypes[id(node), 0]).numpy).type

    def _graph_parameters(self) -> dict[str, Parameter]:
        return dict(self.collect_params().items())

    def _finish_deferred(self, *args: Any) -> None:
        """Create the parameters whose shapes the inputs tell."""
        try:
            self.infer_shape(*args)
        except (MXNetError, TypeError, ValueError) as err:
            raise ParameterError(
                "Deferred initialization failed because shape cannot be inferred. "
                f"{type(self).__name__} `{self.name}`: {err}"
            ) from err
        for param in self.collect_params().values():
            param._finish_deferred_init()

    # Running ---------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> Any:
        """Run the hooks and `forward`."""
        # The shortest way from a call of a hybridized block to ONNX Runtime, for inputs of the shapes last seen.
        fast = self._fast
        if (
            fast is not None
            and not MODES.recording
            and not MODES.training
            and not self._forward_hooks
            and not self._forward_pre_hooks
        ):
            outputs = fast(args)
            if outputs is not None:
                return outputs[0] if self._out_structure == LEAF else regroup(outputs, self._out_structure)[0]
        return super().__call__(*args)

    def forward(self, x: Any, *args: Any) -> Any:
        """Run `hybrid_forward` on arrays or symbols, or the traced graph if hybridized."""
        kind = type(x)
        if kind is not NDArray or (args and set(map(type, args)) != ONLY_ARRAYS):
            kind = kind_of(type(self).__name__, (x, *args))
        if kind is Symbol:
            params = {name: param.var() for name, param in self._reg_params.items()}
            with self.name_scope():
                return self.hybrid_forward(symbol, x, *args, **params)
        if self._active:
            return self._run_graph(x, *args)
        ctx = (x if isinstance(x, NDArray) else first_array(args if x is None else (x, *args))).context
        try:
            values = {name: param.data(ctx) for name, param in self._reg_params.items()}
        except DeferredInitializationError:
            self._finish_deferred(x, *args)
            values = {name: param.data(ctx) for name, param in self._reg_params.items()}
        if ctx == current_context():
            return self.hybrid_forward(ndarray, x, *args, **values)
        with ctx:
            return self.hybrid_forward(ndarray, x, *args, **values)

    _graph_forward: Callable[..., Any] = forward
    """A `forward` that does nothing but run the graph once the block is hybridized; an override is not."""

    def _run_graph(self, *args: Any) -> Any:
        compiled = self._compiled or self._compile(*args)
        arrays = self._inputs_of_graph(args)
        try:
            outputs = compiled(arrays)
        except DeferredInitializationError:
            self._finish_deferred(*args)
            outputs = compiled(arrays)
        self.__dict__["_fast"] = compiled.fast if self._allows_fast_call else None
        return regroup(outputs, self._out_structure)[0]

    def _inputs_of_graph(self, args: tuple[Any, ...]) -> list[NDArray]:
        """The arrays among the arguments, whose structure must be that of the trace."""
        if len(args) == 1 and type(args[0]) is NDArray and self._in_structure == [LEAF]:
            return [args[0]]
        flat, structure = flatten(list(args), f"{type(self).__name__} input")
        if not fits(structure, self._in_structure):
            self._traced(*args)  # tells what differs
        return [a for a in flat if a is not None]

    def _compile(self, *args: Any) -> HybridCall:
        trace = self._traced(*args)
        params = self._graph_parameters()
        used = {n.name for n in topological(trace.output._heads) if n.is_variable}
        names = [s.name or "" for s in trace.inputs]
        for position, name in enumerate(names):
            if name not in used:
                warnings.warn(
                    f"The {position}-th input to HybridBlock is not used by any computation. Is this intended?",
                    stacklevel=6,
                )
        compiled = HybridCall(
            f"{type(self).__name__} `{self.name}`",
            trace.output._heads,
            names,
            {n: params[n] for n in used if n in params},
            static_alloc=self._flags["static_alloc"],
            static_shape=self._flags["static_shape"],
            hook=self._op_hook,
        )
        self.__dict__.update(
            _compiled=compiled,
            _in_structure=trace.in_structure,
            _out_structure=trace.out_structure,
            # A block that does something of its own around the graph must be asked each time, and nested inputs are
            # no arrays.
            _allows_fast_call=all(s == LEAF for s in trace.in_structure)
            and type(self).forward is type(self)._graph_forward
            and "forward" not in self.__dict__,
        )
        return compiled

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs with operators of `F`; subclasses define it.

        Args:
            F: `nd` or `sym`.
            x: First input.
            *args: Other inputs.
            **kwargs: The block's own parameters, by attribute name.

        Raises:
            NotImplementedError: The class does not.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: no hybrid_forward: expected a subclass to define `hybrid_forward`."
        )

    def export(
        self,
        path: Any,
        epoch: int = 0,
        remove_amp_cast: bool = True,
        *,
        dynamic_batch: bool = True,
        dynamic_axes: "DynamicAxes | None" = None,
        opset: int | None = None,
        dtype: str | None = None,
        input_names: Sequence[str] | Mapping[str, str] | None = None,
        output_names: Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        external_data: bool | None = None,
        sample_inputs: Mapping[str, Any] | Sequence[Any] | None = None,
    ) -> tuple[str, str, str]:
        """Write the model: `path-symbol.json`, `path-0000.params` (MXNet's formats) and `path-0000.onnx`.

        The block must be hybridized and have been called once. Inputs are named `data`, or `data0`, `data1`, ... The
        ONNX model is compared with the block at batch sizes 1, 2 and 7; if they differ, or anything else fails, no file
        is written. The options change the ONNX file only. Labels of losses (`SoftmaxOutput`) are inputs of the block
        and of the symbol-json, not of the ONNX file.

        Args:
            path: Folder and beginning of the file names.
            epoch: Number in the file names, four digits.
            remove_amp_cast: Accepted.
            dynamic_batch: Whether the ONNX model takes any batch size. A block that works for one size only is refused
                unless this is False.
            dynamic_axes: Other axes of any size: names by input and axis (`{"data": {2: "height", 3: "width"}}`), or
                axes by input.
            opset: Opset of the ONNX model.
            dtype: `"float16"` makes parameters, inputs and outputs of float32 float16.
            input_names: Names of the inputs in the ONNX file, in order or by their names in the block.
            output_names: Names of the outputs in the ONNX file, in order.
            metadata: Texts to store in the ONNX file; no key begins with `gluonnx.`.
            external_data: Keep the ONNX model's parameters in `path-0000.onnx.DIGEST.data`, which takes the place of
                an earlier one. None: only if they are beyond the 2 GB that one ONNX file holds.
            sample_inputs: An array for each input of the ONNX model, in order or by name, to compare it with the block
                on; for blocks that mean something for certain values only. None: seeded numbers, which the file can be
                verified with later.

        Returns:
            The paths of the three files.

        Raises:
            ParameterError: The block has not been hybridized and called.
            LoweringError: Operators that ONNX cannot express; all of them in one message.
            ExportError: The ONNX model does not compute what the block computes.
        """
        if self._compiled is None or self._trace is None or self._compiled.last_inputs is None:
            raise ParameterError(
                f"{type(self).__name__} `{self.name}`: nothing to export yet. Please first call block.hybridize() and "
                "then run forward with this block at least once before calling export."
            )
        from gluonnx.gluon.exporting import export
        from gluonnx.onnx.options import ExportOptions

        options = ExportOptions(
            dynamic_batch, dynamic_axes, opset, dtype, input_names, output_names, metadata or {}, external_data
        )
        return export(self._trace.output, self._compiled, path, epoch, options, sample_inputs)
