"""SymbolBlock: a block made from a graph."""

import re
from collections.abc import Sequence
from typing import Any

from gluonnx.context import Context
from gluonnx.errors import (
    ArgumentError,
    DeferredInitializationError,
    InputError,
)
from gluonnx.gluon.hybrid import HybridCall
from gluonnx.gluon.hybrid_block import HybridBlock
from gluonnx.gluon.nesting import LEAF, flatten, kind_of, regroup
from gluonnx.gluon.parameter import Parameter, ParameterDict
from gluonnx.gluon.scope import BlockScope
from gluonnx.gluon.tracing import Trace
from gluonnx.symbol.graph import topological
from gluonnx.symbol.symbol import Group, Symbol

__all__ = ["SymbolBlock"]


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
            if annotations.get(name, {}).get("__storage_type__", "0") != "0":
                raise ArgumentError(
                    f"SymbolBlock: doesn't support Parameter '{name}' because its storage is sparse: expected "
                    "stype='default'."
                )
            self.params.get(name, allow_deferred_init=True, **_declared(annotations.get(name, {})))
        for name in auxiliary:
            self.params.get(name, grad_req="null", allow_deferred_init=True, **_declared(annotations.get(name, {})))
        self._graph = out
        self._graph_inputs: list[Symbol] = listed
        in_structure = [LEAF] * len(listed)
        out_structure = [LEAF] * len(out) if len(out) > 1 or (several and len(outputs) > 1) else LEAF
        self._fixed = Trace(listed, out, in_structure, out_structure)
        # MXNet's names in files of `save_parameters` are without what all begin with, wherever in a word that ends.
        shared = _common_prefix([*arguments, *auxiliary])
        self._reg_params = {name[len(shared) :]: param for name, param in self.params.items()}
        self._executor: HybridCall | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n{self._graph!r} : {len(self._graph_inputs)} -> {len(self._graph)}\n)"

    def _traced(self, *args: Any) -> Trace:
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
        if kind_of("SymbolBlock", (x, *args)) is Symbol:
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

    _graph_forward = forward

    def _finish_deferred(self, *args: Any) -> None:
        super()._finish_deferred(*args)

    def reset_ctx(self, ctx: "Context | Sequence[Context]") -> None:
        """Move every parameter to other contexts."""
        self.collect_params().reset_ctx(ctx)

    def cast(self, dtype: Any) -> None:
        """Change the element type of every parameter."""
        self._clear()
        super().cast(dtype)

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Raise: the graph is run as it is."""
        raise NotImplementedError("SymbolBlock: runs a graph, which has no hybrid_forward.")


def _symbols(given: Symbol | Sequence[Symbol]) -> list[Symbol]:
    if isinstance(given, Symbol):
        return list(given) if len(given) > 1 else [given]
    return list(given)


def _common_prefix(names: Sequence[str]) -> str:
    if not names:
        return ""
    low, high = min(names), max(names)
    return low[: next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))]


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
