"""Block: children, parameters, hooks and files."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gluonnx.context import Context
from gluonnx.errors import (
    ParameterFileError,
    ParameterMismatchError,
)
from gluonnx.formats.saved_names import fit_names, style_of
from gluonnx.gluon.hooks import HookHandle
from gluonnx.gluon.parameter import Parameter, ParameterDict, load_all, select
from gluonnx.gluon.scope import BlockScope, open_scope
from gluonnx.ndarray.files import load as load_arrays
from gluonnx.ndarray.files import save as save_arrays
from gluonnx.ndarray.ndarray import NDArray

__all__ = ["Block"]


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

        Warns:
            UserWarning: An attribute is a list, tuple or dict with blocks that are no children: their parameters are
                not among these.
        """
        self._warn_of_hidden_blocks()
        found = ParameterDict(self._params.prefix)
        self._collect(found)
        return found if select is None else _select(found, select)

    def _warn_of_hidden_blocks(self) -> None:
        children = {id(c) for c in self._children.values()}
        for name, value in self.__dict__.items():
            if type(value) in (list, tuple, dict) and name != "_children" and _holds_other_block(value, children):
                warnings.warn(
                    f'{type(self).__name__}: "{self.name}.{name}" is an unregistered container with Blocks. Note that '
                    "Blocks inside the list, tuple or dict will not be registered automatically. Make sure to register "
                    "them using register_child() or switching to nn.Sequential/nn.HybridSequential instead.",
                    stacklevel=3,
                )

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
        """Write the parameters to a file that `load_parameters` reads; `export` writes the model too.

        Args:
            filename: The file; safetensors if its name ends in `.safetensors`, else MXNet's format.
            deduplicate: Write a shared parameter once, under its first name.
        """
        save_arrays(filename, named_arrays(self, deduplicate))

    def load_parameters(
        self,
        filename: Any,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Read parameters that `save_parameters`, `save_params` or `export` wrote, here or in MXNet of any version.

        Names in the file are paths (`0.weight`), or the parameters' own (`net_dense0_weight`): these may have `arg:` or
        `aux:` in front, lack the network's prefix, or have another in its place.

        Args:
            filename: The file; safetensors if its name ends in `.safetensors`.
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
        arrays = load_arrays(filename)
        params = self._collect_params_with_prefix()
        if not arrays and not params:
            return
        if not isinstance(arrays, dict):
            raise ParameterFileError(
                f"{filename}: arrays have no names: expected a file of named parameters, got {len(arrays)} arrays. It "
                f"was saved from a list, which mx.nd.load('{filename}') reads."
            )
        style = style_of(arrays)
        if style == "scoped" or (style == "plain" and not _share(params, arrays)):
            by_name = {p.name: p for p in self.collect_params().values()}
            fitted = fit_names(by_name, arrays, self.prefix)
            if fitted is None and style == "scoped":
                raise ParameterFileError(
                    f"{filename}: written by `export` for another network: expected names such as "
                    f"{next(iter(by_name), 'none')!r}, got {next(iter(arrays))!r}. Read it with its graph: "
                    "SymbolBlock.imports('...-symbol.json', input_names, this file); or give the network the prefix of "
                    "the one that was exported."
                )
            if fitted is not None or style_of(params) == "paths":
                params, arrays = by_name, arrays if fitted is None else fitted
        aliases: dict[int, list[str]] = {}
        for name, param in params.items():
            aliases.setdefault(id(param), []).append(name)
        for names in aliases.values():
            present = next((n for n in names if n in arrays), None)
            if present is not None:
                for name in names:
                    arrays.setdefault(name, arrays[present])
        load_all(
            params,
            arrays,
            str(filename),
            ctx,
            allow_missing,
            ignore_extra,
            cast_dtype,
            dtype_source,
            takes_over=True,
        )

    def save(self, prefix: str | os.PathLike[str]) -> None:
        """Write `PREFIX-model.params` with the parameters and `PREFIX-model.json` with the graphs and the names.

        The graphs of hybridized blocks are in it, so that `load` need not trace them again. MXNet reads both files.

        Differs: MXNet also writes the graph of a block that is not hybridized if the shapes of its parameters came
            from its first call, and hybridizes that block on `load`.

        Args:
            prefix: Folder and beginning of the names of the files.

        Raises:
            ParameterError: A parameter has not been initialized. No file is written.
            FileAccessError: The folder is missing or not writable.
        """
        from gluonnx.gluon.model_files import save_model

        save_model(self, prefix)

    def load(self, prefix: str | os.PathLike[str]) -> None:
        """Read what `save` wrote, here or in MXNet, into blocks of the same classes created in the same order.

        Blocks, parameters and children get the names they had. Blocks that were hybridized then are so again.

        Args:
            prefix: Folder and beginning of the names of the files.

        Raises:
            FileAccessError: A file is missing.
            FormatError: A file is damaged, or describes other blocks.
            ParameterFileError: The parameters do not fit. Whatever is raised, the block is as before.
        """
        from gluonnx.gluon.model_files import load_model

        load_model(self, prefix)

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


def named_arrays(block: Block, deduplicate: bool) -> dict[str, NDArray]:
    """Return the values of a block's parameters by their paths, as `save_parameters` writes them.

    Raises:
        ParameterError: A parameter has not been initialized.
    """
    params = block._collect_params_with_prefix()
    if deduplicate:
        seen: dict[int, str] = {}
        params = {n: p for n, p in params.items() if seen.setdefault(id(p), n) == n}
    arrays = {}
    for name, param in params.items():
        param._check_initialized()
        arrays[name] = param._reduce(copy=False)
    return arrays


def _holds_other_block(value: Any, children: set[int]) -> bool:
    """Whether nested lists, tuples and dicts hold a block that is not among the children."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_other_block(item, children) for item in value)
    return isinstance(value, Block) and id(value) not in children


def _select(params: ParameterDict, pattern: str) -> ParameterDict:
    return select(params, pattern)


def _share(params: Mapping[str, Parameter], arrays: Mapping[str, NDArray]) -> bool:
    return not params.keys().isdisjoint(arrays)


def _indent(text: str, spaces: int) -> str:
    return text.replace("\n", "\n" + " " * spaces)
