"""Blocks: containers of layers and parameters.

`Block` owns children, parameters and hooks; `HybridBlock` adds the trace, through which it is hybridized, exported and
its parameters' shapes are found; `SymbolBlock` is a block made from a graph.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluonnx import ndarray, symbol
from gluonnx.context import Context, current_context
from gluonnx.errors import (
    ArgumentError,
    DeferredInitializationError,
    GraphError,
    InputError,
    MXNetError,
    ParameterError,
    ParameterFileError,
    ParameterMismatchError,
)
from gluonnx.gluon.hooks import HookHandle
from gluonnx.gluon.hybrid import HybridCall
from gluonnx.gluon.monitor import OperatorHook
from gluonnx.gluon.nesting import LEAF, NOTHING, flatten, regroup
from gluonnx.gluon.parameter import Parameter, ParameterDict, load_all, select
from gluonnx.gluon.plan import FastCall
from gluonnx.gluon.scope import BlockScope, open_scope
from gluonnx.gluon.scope import BlockScope as _BlockScope  # noqa: F401 - MXNet's name
from gluonnx.gluon.tracing import Tracing
from gluonnx.modes import MODES
from gluonnx.ndarray.files import load as load_arrays
from gluonnx.ndarray.files import save as save_arrays
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.dtypes import as_dtype
from gluonnx.symbol.graph import topological
from gluonnx.symbol.inference import infer, infer_dtypes
from gluonnx.symbol.symbol import Group, Symbol, var

__all__ = ["Block", "HybridBlock", "SymbolBlock"]


class Block:
    """Base class of layers and models.

    A block assigned to an attribute becomes a child, a parameter assigned to an attribute becomes one of its own.

    Args:
        prefix: Put before the names of its parameters and children; made from the class name if None.
        params: Parameters to share with another block (`other.collect_params()`).

    Examples:
        >>> import gluonnx as mx
        >>> class Model(mx.gluon.Block):
        ...     def __init__(self, **kwargs):
        ...         super().__init__(**kwargs)
        ...         with self.name_scope():
        ...             self.dense0 = mx.gluon.nn.Dense(20)
        ...             self.dense1 = mx.gluon.nn.Dense(20)
        ...     def forward(self, x):
        ...         return mx.nd.relu(self.dense1(mx.nd.relu(self.dense0(x))))
        >>> model = Model()
        >>> model.initialize(ctx=mx.cpu(0))
        >>> model(mx.nd.zeros((10, 10))).shape
        (10, 20)
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None) -> None:
        self._prefix, self._params = open_scope(prefix, params, self._alias())
        self._name = self._prefix.removesuffix("_")
        self._scope = BlockScope(self, has_prefix=prefix != "")
        self._children: dict[str, Block] = {}
        self._reg_params: dict[str, Parameter] = {}
        self._forward_hooks: dict[int, Callable[..., Any]] = {}
        self._forward_pre_hooks: dict[int, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        lines = [
            f"  ({key}): {_indent(repr(block), 2)}" for key, block in self.__dict__.items() if isinstance(block, Block)
        ]
        body = "\n".join(lines)
        return f"{type(self).__name__}(\n{body}\n)"

    def __setattr__(self, name: str, value: Any) -> None:
        existing = self.__dict__.get(name)
        if isinstance(existing, (Parameter, Block)) and not isinstance(value, type(existing)):
            raise TypeError(
                f"{type(self).__name__} `{name}`: Changing attribute type for {name} from {type(existing)} to "
                f"{type(value)} is not allowed: expected another {type(existing).__name__}."
            )
        if isinstance(value, Block):
            self.register_child(value, name)
        elif isinstance(value, Parameter):
            if self._reg_params.get(name, value) is not value:
                raise ParameterMismatchError(
                    f"{type(self).__name__} `{name}`: Overriding Parameter attribute {name} is not allowed. If you "
                    "want to share parameters by setting `params` at Block construction, use "
                    "`Block(params=other_block.collect_params())`."
                )
            self._reg_params[name] = value
        super().__setattr__(name, value)

    def _alias(self) -> str:
        return type(self).__name__.lower()

    # Names and parameters --------------------------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """Put before the names of its parameters and children."""
        return self._prefix

    @property
    def name(self) -> str:
        """The prefix without the underscore at its end."""
        return self._name

    def name_scope(self) -> BlockScope:
        """Return a context manager in which children and parameters get this block's prefix."""
        return self._scope

    @property
    def params(self) -> ParameterDict:
        """The block's own parameters, without its children's."""
        return self._params

    def collect_params(self, select: str | None = None) -> ParameterDict:
        """Return the parameters of the block and all its children.

        Args:
            select: A regular expression that names must match, such as `".*weight|.*bias"`.
        """
        found = ParameterDict(self._params.prefix)
        self._collect(found)
        return found if select is None else _select(found, select)

    def _collect(self, found: ParameterDict) -> None:
        found.update(self.params)
        for child in self._children.values():
            found.update(child.collect_params())

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Parameter]:
        """The parameters by path through the attributes: `features.0.weight`."""
        if prefix:
            prefix += "."
        found = {prefix + key: value for key, value in self._reg_params.items()}
        for name, child in self._children.items():
            found.update(child._collect_params_with_prefix(prefix + name))
        return found

    # Children and hooks ----------------------------------------------------------------------------------------------

    def register_child(self, block: "Block", name: str | None = None) -> None:
        """Make a block a child; blocks assigned to attributes are registered so."""
        self._children[str(len(self._children)) if name is None else name] = block

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(block, inputs)` before each forward."""
        return HookHandle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(block, inputs, output)` after each forward."""
        return HookHandle(self._forward_hooks, hook)

    def register_op_hook(self, callback: Callable[..., Any] | None, monitor_all: bool = False) -> None:
        """Watch the operators of every hybridized child; see `HybridBlock.register_op_hook`."""
        for child in self._children.values():
            child.register_op_hook(callback, monitor_all)

    def apply(self, fn: Callable[["Block"], Any]) -> "Block":
        """Call `fn` on every descendant and on the block itself; return the block."""
        for child in self._children.values():
            child.apply(fn)
        fn(self)
        return self

    # State -----------------------------------------------------------------------------------------------------------

    def initialize(
        self,
        init: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        verbose: bool = False,
        force_reinit: bool = False,
    ) -> None:
        """Initialize every parameter of the block and its children.

        Args:
            init: Initializer of the parameters that have none of their own; `Uniform()` if None.
            ctx: Context, or several for a copy on each.
            verbose: Whether the initializer tells what it does.
            force_reinit: Initialize again those that are already.
        """
        self.collect_params().initialize(init, ctx, verbose, force_reinit)

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Hybridize every child that can be; see `HybridBlock.hybridize`."""
        for child in self._children.values():
            child.hybridize(active, **kwargs)

    def cast(self, dtype: Any) -> None:
        """Change the element type of every parameter."""
        for child in self._children.values():
            child.cast(dtype)
        for param in self.params.values():
            param.cast(dtype)

    def save_parameters(self, filename: Any, deduplicate: bool = False) -> None:
        """Write the parameters to a `.params` file that `load_parameters` reads; `export` writes the model too.

        Args:
            filename: The file.
            deduplicate: Write a shared parameter once, under its first name.
        """
        params = self._collect_params_with_prefix()
        if deduplicate:
            seen: dict[int, str] = {}
            params = {n: p for n, p in params.items() if seen.setdefault(id(p), n) == n}
        arrays = {}
        for name, param in params.items():
            param._check_initialized()
            arrays[name] = param._reduce()
        save_arrays(filename, arrays)

    def load_parameters(
        self,
        filename: Any,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Read parameters that `save_parameters` wrote, here or in MXNet.

        Args:
            filename: The file.
            ctx: Context, or several, for parameters that have not been initialized.
            allow_missing: Leave parameters alone that the file does not have.
            ignore_extra: Ignore arrays that are no parameter.
            cast_dtype: Convert where dtypes differ.
            dtype_source: `"current"`: to the parameter's dtype; `"saved"`: take over the file's.

        Raises:
            FormatError: Not a `.params` file, or a damaged one.
            ParameterFileError: Parameters are missing, extra or do not fit; all of them in one message. Nothing has
                been changed then.
        """
        loaded = load_arrays(filename)
        params = self._collect_params_with_prefix()
        if not loaded and not params:
            return
        if not isinstance(loaded, dict):
            raise ParameterFileError(
                f"{filename}: arrays have no names: expected a file of named parameters. It was saved from a list."
            )
        if _has_scope(loaded):
            raise ParameterFileError(
                f"{filename}: written by `export`: expected a file of `save_parameters`, got names such as "
                f"{next(iter(loaded))!r}. Read it with SymbolBlock.imports, or pass it to `collect_params().load()`."
            )
        if params and not any("." in name for name in loaded) and any("." in name for name in params):
            # Written by `collect_params().save()`, or by `export`: full names instead of paths.
            self.collect_params().load(
                filename,
                ctx,
                allow_missing,
                ignore_extra,
                self.prefix,
                cast_dtype,
                dtype_source,
            )
            return
        arrays: dict[str, NDArray] = dict(loaded)
        aliases: dict[int, list[str]] = {}
        for name, param in params.items():
            aliases.setdefault(id(param), []).append(name)
        for names in aliases.values():
            present = next((n for n in names if n in arrays), None)
            if present is not None:
                for name in names:
                    arrays.setdefault(name, arrays[present])
        load_all(params, arrays, str(filename), ctx, allow_missing, ignore_extra, cast_dtype, dtype_source)

    def save_params(self, filename: Any) -> None:
        """Write the parameters under their full names. Deprecated: use `save_parameters`."""
        warnings.warn("save_params is deprecated. Please use save_parameters.", DeprecationWarning, stacklevel=2)
        self.collect_params().save(filename, strip_prefix=self.prefix)

    def load_params(
        self,
        filename: Any,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
    ) -> None:
        """Read parameters. Deprecated: use `load_parameters`."""
        warnings.warn("load_params is deprecated. Please use load_parameters.", DeprecationWarning, stacklevel=2)
        self.load_parameters(filename, ctx, allow_missing, ignore_extra)

    # Running ---------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> Any:
        """Run the hooks and `forward`."""
        for hook in tuple(self._forward_pre_hooks.values()):
            hook(self, args)
        out = self.forward(*args)
        for hook in tuple(self._forward_hooks.values()):
            hook(self, args, out)
        return out

    def forward(self, *args: Any) -> Any:
        """Compute the outputs; subclasses define it.

        Raises:
            NotImplementedError: The class does not.
        """
        raise NotImplementedError(f"{type(self).__name__}: no forward: expected a subclass to define `forward`.")

    def summary(self, *inputs: Any) -> None:
        """Print a table of the layers with output shapes and parameter counts.

        Args:
            *inputs: What the block is called with.

        Raises:
            ParameterError: The block has not been initialized, or is hybridized.
        """
        from gluonnx.gluon.summary import print_summary

        print_summary(self, inputs)


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
        self._flags: dict[str, Any] = {}
        self._trace: _Trace | None = None
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

    def _uncompile(self) -> None:
        self.__dict__.update(_compiled=None, _fast=None)

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Run the traced graph from now on, or (with `active=False`) the Python code again.

        Args:
            active: Whether to run the graph.
            **kwargs: `static_alloc` and `static_shape` together replay a CUDA graph on a GPU. MXNet's `inline_limit`,
                `forward_bulk_size`, `backward_bulk_size` and `backend` are accepted and change nothing.

        Raises:
            TypeError: An unknown flag.
        """
        known = {
            "static_alloc",
            "static_shape",
            "inline_limit",
            "forward_bulk_size",
            "backward_bulk_size",
            "backend",
            "backend_opts",
            "clear",
            "partition_if_dynamic",
            "dedup_params",
        }
        unknown = kwargs.keys() - known
        if unknown:
            raise TypeError(
                f"{type(self).__name__}.hybridize: unknown flag: expected some of {', '.join(sorted(known))}, got "
                f"{', '.join(sorted(unknown))}."
            )
        if kwargs.get("static_shape") and not kwargs.get("static_alloc"):
            raise InputError(
                f"{type(self).__name__}.hybridize: static_shape needs static_alloc: expected static_alloc=True, got "
                "static_alloc=False."
            )
        self._active = active
        self._flags = dict(kwargs)
        self._clear()
        if active and (self._forward_hooks or self._forward_pre_hooks):
            warnings.warn(
                f'"{self!r}" is being hybridized while still having forward hook/pre-hook. If "{self!r}" is a child of '
                "HybridBlock, the hooks will not take effect.",
                stacklevel=2,
            )
        super().hybridize(active, **kwargs)

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

    def optimize_for(self, x: Any, *args: Any, backend: str | None = None, **kwargs: Any) -> Any:
        """Hybridize and call the block once. ONNX Runtime optimizes the graph; `backend` changes nothing."""
        self.hybridize(True)
        return self(x, *args)

    # Tracing ---------------------------------------------------------------------------------------------------------

    def _traced(self, *args: Any) -> "_Trace":
        """The graph of the block for inputs of this structure."""
        flat, structure = flatten(list(args), f"{type(self).__name__} input")
        if self._trace is not None:
            if not _fits(structure, self._trace.in_structure):
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
        self._trace = _Trace([s for s in placed if s is not None], heads, structure, out_structure)
        return self._trace

    def infer_shape(self, *args: Any) -> None:
        """Find the shapes of parameters from inputs.

        Raises:
            ParameterError: They do not follow from these inputs.
        """
        trace = self._traced(*args)
        shapes = {s.name: a.shape for s, a in zip(trace.inputs, _present(args), strict=True) if s.name}
        params = self._graph_parameters()
        known = {n: p.shape for n, p in params.items() if p.shape is not None and all(d > 0 for d in p.shape)}
        found = infer(
            trace.output._heads,
            {**known, **shapes},
            {s.name: as_dtype(a.dtype).name for s, a in zip(trace.inputs, _present(args), strict=True) if s.name},
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
        given = {s.name: as_dtype(a.dtype).name for s, a in zip(trace.inputs, _present(args), strict=True) if s.name}
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
        if kind is not NDArray:
            kind = _kind(type(self).__name__, (x, *args))
        if kind is Symbol:
            params = {name: param.var() for name, param in self._reg_params.items()}
            with self.name_scope():
                return self.hybrid_forward(symbol, x, *args, **params)
        if self._active:
            return self._run_graph(x, *args)
        ctx = (x if isinstance(x, NDArray) else _first(args if x is None else (x, *args))).context
        try:
            values = {name: param.data(ctx) for name, param in self._reg_params.items()}
        except DeferredInitializationError:
            self._finish_deferred(x, *args)
            values = {name: param.data(ctx) for name, param in self._reg_params.items()}
        if ctx == current_context():
            return self.hybrid_forward(ndarray, x, *args, **values)
        with ctx:
            return self.hybrid_forward(ndarray, x, *args, **values)

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
        if not _fits(structure, self._in_structure):
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
            static_alloc=bool(self._flags.get("static_alloc")),
            static_shape=bool(self._flags.get("static_shape")),
            hook=self._op_hook,
        )
        self.__dict__.update(
            _compiled=compiled,
            _in_structure=trace.in_structure,
            _out_structure=trace.out_structure,
            # A block that does something of its own around the graph must be asked each time, and nested inputs are
            # no arrays.
            _allows_fast_call=all(s == LEAF for s in trace.in_structure)
            and type(self).forward in (HybridBlock.forward, SymbolBlock.forward)
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
        self, path: Any, epoch: int = 0, remove_amp_cast: bool = True, *, dynamic_batch: bool = True
    ) -> tuple[str, str, str]:
        """Write the model: `path-symbol.json`, `path-0000.params` (MXNet's formats) and `path-0000.onnx`.

        The block must be hybridized and have been called once. Inputs are named `data`, or `data0`, `data1`, ... The
        ONNX model is compared with the block at batch sizes 1, 2 and 7; if they differ, or anything else fails, no file
        is written.

        Args:
            path: Folder and beginning of the file names.
            epoch: Number in the file names, four digits.
            remove_amp_cast: Accepted.
            dynamic_batch: Whether the ONNX model takes any batch size. A block that works for one size only is refused
                unless this is False.

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

        return export(self._trace.output, self._compiled, Path(path), epoch, dynamic_batch=dynamic_batch)


class _Trace:
    """The graph of a hybrid block and the structure of its inputs and outputs."""

    __slots__ = ("in_structure", "inputs", "out_structure", "output")

    def __init__(self, inputs: list[Symbol], output: Symbol, in_structure: Any, out_structure: Any) -> None:
        self.inputs = inputs
        self.output = output
        self.in_structure = in_structure
        self.out_structure = out_structure


class SymbolBlock(HybridBlock):
    """A block made from a graph, such as part of a pre-trained model.

    Args:
        outputs: Outputs of the graph, a symbol or a list of symbols.
        inputs: The variables that are inputs, a symbol or a list.
        params: Parameters for the other variables; new ones are made for those it lacks.

    Examples:
        >>> import gluonnx as mx
        >>> data = mx.sym.var("data")
        >>> hidden = mx.sym.FullyConnected(data, num_hidden=3, name="fc1")
        >>> block = mx.gluon.SymbolBlock(mx.sym.relu(hidden), data)
        >>> block.initialize()
        >>> block(mx.nd.ones((2, 4))).shape
        (2, 3)
    """

    @staticmethod
    def imports(
        symbol_file: Any,
        input_names: str | Sequence[str] | None = None,
        param_file: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
    ) -> "SymbolBlock":
        """Read a model that `HybridBlock.export` wrote, here or in MXNet.

        Args:
            symbol_file: A symbol-json file, or an `.onnx` file, which holds its parameters too.
            input_names: Names of the inputs. For an `.onnx` file they are known.
            param_file: The `.params` file; none for a graph without parameters, or to initialize them otherwise.
            ctx: Context, or several, on which to put the parameters.
            allow_missing: Leave parameters uninitialized that the file does not have.
            ignore_extra: Ignore arrays that are no parameter.

        Returns:
            The block. It runs on torch; call `hybridize()` to run it in ONNX Runtime.

        Raises:
            FormatError: A file is not what its name says, or is damaged.
            ParameterFileError: Parameters are missing or do not fit; all of them in one message.
        """
        from gluonnx.gluon.importing import imports

        return imports(symbol_file, input_names, param_file, ctx, allow_missing, ignore_extra)

    def __init__(
        self,
        outputs: Symbol | Sequence[Symbol],
        inputs: Symbol | Sequence[Symbol],
        params: ParameterDict | None = None,
    ) -> None:
        super().__init__(prefix=None, params=None)
        self._prefix = ""
        self._scope = BlockScope(self, has_prefix=False)
        self._params = ParameterDict("", params)
        listed = _symbols(inputs)
        several = isinstance(outputs, (list, tuple))
        if isinstance(outputs, (list, tuple)):
            out = outputs[0] if len(outputs) == 1 else Group(list(outputs))
        else:
            out = outputs
        for given in listed:
            if not isinstance(given, Symbol) or len(given) != 1 or not given._heads[0][0].is_variable:
                raise ArgumentError(
                    f"SymbolBlock: Input symbols must be variable: expected variables, got {given!r}, an output of an "
                    "operator."
                )
        names = {s.name for s in listed}
        arguments = [n for n in out.list_arguments() if n not in names]
        auxiliary = [n for n in out.list_auxiliary_states() if n not in names]
        annotations = {n.name: n.annotations for n in topological(out._heads) if n.is_variable}
        for name in arguments:
            self.params.get(name, allow_deferred_init=True, **_declared(annotations.get(name, {})))
        for name in auxiliary:
            self.params.get(name, grad_req="null", allow_deferred_init=True, **_declared(annotations.get(name, {})))
        self._graph = out
        self._graph_inputs: list[Symbol] = listed
        in_structure = [LEAF] * len(listed)
        out_structure = [LEAF] * len(out) if len(out) > 1 or (several and len(outputs) > 1) else LEAF
        self._fixed = _Trace(listed, out, in_structure, out_structure)
        shared = _common_prefix([*arguments, *auxiliary])
        self._reg_params = {name[len(shared) :]: param for name, param in self.params.items()}
        self._executor: HybridCall | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n{self._graph!r} : {len(self._graph_inputs)} -> {len(self._graph)}\n)"

    def _traced(self, *args: Any) -> _Trace:
        flat, structure = flatten(list(args), "SymbolBlock input")
        if structure != self._fixed.in_structure and len(flat) != len(self._graph_inputs):
            raise InputError(
                f"SymbolBlock: wrong number of inputs: expected {len(self._graph_inputs)} "
                f"({', '.join(s.name or '' for s in self._graph_inputs)}), got {len(flat)}."
            )
        self._trace = self._fixed
        return self._fixed

    def _graph_parameters(self) -> dict[str, Parameter]:
        return dict(self.params.items())

    def _uncompile(self) -> None:
        super()._uncompile()
        self._executor = None

    def forward(self, x: Any, *args: Any) -> Any:
        """Run the graph on arrays, or compose it with symbols."""
        if _kind("SymbolBlock", (x, *args)) is Symbol:
            flat, _ = flatten([x, *args], "SymbolBlock input")
            placed = {s.name: v for s, v in zip(self._graph_inputs, flat, strict=True) if s.name}
            out = self._graph(**placed)
            return list(out) if isinstance(self._fixed.out_structure, list) else out
        if self._active:
            return self._run_graph(x, *args)
        if self._executor is None:
            self._executor = HybridCall(
                f"SymbolBlock {self._graph!r}",
                self._graph._heads,
                [s.name or "" for s in self._graph_inputs],
                {n: p for n, p in self.params.items() if n in set(self._graph.list_inputs())},
                use_runtime=False,
                hook=self._op_hook,
            )
        self._traced(x, *args)
        arrays = [a for a in flatten([x, *args], "SymbolBlock input")[0] if a is not None]
        try:
            outputs = self._executor(arrays)
        except DeferredInitializationError:
            self._finish_deferred(x, *args)
            outputs = self._executor(arrays)
        return regroup(outputs, self._fixed.out_structure)[0]

    def _finish_deferred(self, *args: Any) -> None:
        super()._finish_deferred(*args)

    def cast(self, dtype: Any) -> None:
        """Change the element type of every parameter."""
        self._clear()
        super().cast(dtype)

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Raise: the graph is run as it is."""
        raise NotImplementedError("SymbolBlock: runs a graph, which has no hybrid_forward.")


def _fits(structure: Any, expected: Any) -> bool:
    """Whether arguments have the structure of the trace; None at the end may be left out or added."""
    shorter, longer = sorted((structure, expected), key=len)
    return bool(longer[: len(shorter)] == shorter and all(s == NOTHING for s in longer[len(shorter) :]))


def _present(args: Sequence[Any]) -> list[Any]:
    return [a for a in flatten(list(args), "input")[0] if a is not None]


def _kind(name: str, args: Sequence[Any]) -> type[NDArray] | type[Symbol]:
    """Whether a block is called with arrays or symbols.

    Raises:
        ArgumentError: With neither, or with both.
    """
    kinds = {Symbol if isinstance(v, Symbol) else NDArray for v in _walk(args) if isinstance(v, (NDArray, Symbol))}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds:
        raise ArgumentError(
            f"{name}: In HybridBlock, we do not support mixed NDArrays and Symbols types for the input."
        )
    given = ", ".join(type(a).__name__ for a in args)
    raise ArgumentError(
        f"{name}: In HybridBlock, there must be one NDArray or one Symbol in the input. Please check the type of the "
        f"args: expected an NDArray or Symbol, got {given}. Make one with `nd.array()`."
    )


def _walk(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _walk(item)
    else:
        yield value


def _first(args: Sequence[Any]) -> NDArray:
    return next(v for v in _walk(args) if isinstance(v, NDArray))


def _select(params: ParameterDict, pattern: str) -> ParameterDict:
    return select(params, pattern)


def _has_scope(loaded: dict[str, NDArray]) -> bool:
    return any(name.startswith(("arg:", "aux:")) for name in loaded)


def _indent(text: str, spaces: int) -> str:
    return text.replace("\n", "\n" + " " * spaces)


def _symbols(given: Symbol | Sequence[Symbol]) -> list[Symbol]:
    if isinstance(given, Symbol):
        return list(given) if len(given) > 1 else [given]
    return list(given)


def _common_prefix(names: Sequence[str]) -> str:
    """The part up to and including the last underscore that all names share."""
    if not names:
        return ""
    low, high = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    match = re.match(r".*_", low[:same])
    return match.group(0) if match else ""


def _declared(annotations: dict[str, str]) -> dict[str, Any]:
    """What a variable of a graph says of its parameter: multipliers, and its shape (0: unknown)."""
    found: dict[str, Any] = {}
    for key in ("lr_mult", "wd_mult"):
        if f"__{key}__" in annotations:
            found[key] = float(annotations[f"__{key}__"])
    shape = annotations.get("__shape__", "")
    if re.fullmatch(r"[(\[]\s*\d+\s*(,\s*\d+\s*)*,?\s*[)\]]", shape):
        found["shape"] = tuple(int(d) for d in re.findall(r"\d+", shape))
    return found
