"""Symbol: a handle on outputs of a graph, composed like arrays are computed."""

import numbers
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gluonnx.attribute import HIDDEN_KEYS, annotations
from gluonnx.errors import (
    ArgumentError,
    GraphError,
    InputError,
    InputTypeError,
    NotImplementedForSymbol,
    NotSupportedError,
)
from gluonnx.moved import names_of
from gluonnx.ops.attributes import to_text
from gluonnx.ops.dtypes import BY_NAME, as_dtype
from gluonnx.symbol import inference
from gluonnx.symbol.bodies import input_versions
from gluonnx.symbol.graph import Entry, Node, auxiliary_variables, topological
from gluonnx.util import is_np_shape

__all__ = ["Group", "Symbol", "Variable", "var"]

Shape = tuple[int, ...]
STORAGE_TYPES = {"default": 0, "row_sparse": 1, "csr": 2}


class Symbol:
    """One or more outputs of a graph that is not computed yet.

    Examples:
        >>> from gluonnx import sym
        >>> data = sym.var("data")
        >>> net = sym.FullyConnected(data, num_hidden=10, name="fc")
        >>> net.list_arguments()
        ['data', 'fc_weight', 'fc_bias']
        >>> net.infer_shape(data=(4, 7))
        ([(4, 7), (10, 7), (10,)], [(4, 10)], [])
    """

    __slots__ = ("__weakref__", "_heads")

    __array_priority__ = 1000.0

    if TYPE_CHECKING:  # what gluonnx.binding gives
        bind: Callable[..., Any]
        simple_bind: Callable[..., Any]
        eval: Callable[..., Any]

    def __init__(self, heads: Sequence[Entry]) -> None:
        self._heads: tuple[Entry, ...] = tuple(heads)

    def __repr__(self) -> str:
        if len(self._heads) > 1 and self.name is None:
            return f"<{type(self).__name__} group [{', '.join(s.name or '' for s in self)}]>"
        return f"<{type(self).__name__} {self.name}>"

    # Names -----------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str | None:
        """Name of the node, None for outputs of several nodes."""
        nodes = {id(n): n for n, _ in self._heads}
        return next(iter(nodes.values())).name if len(nodes) == 1 else None

    def _variables(self) -> tuple[list[Node], list[Node]]:
        nodes = topological(self._heads)
        auxiliary = auxiliary_variables(nodes)
        variables = [n for n in nodes if n.is_variable]
        return [n for n in variables if id(n) not in auxiliary], [n for n in variables if id(n) in auxiliary]

    def list_arguments(self) -> list[str]:
        """Return the names of the variables, without auxiliary states, in order of use."""
        return [n.name for n in self._variables()[0]]

    def list_auxiliary_states(self) -> list[str]:
        """Return the names of the variables that operators update (running statistics)."""
        return [n.name for n in self._variables()[1]]

    def list_inputs(self) -> list[str]:
        """Return the names of all variables."""
        return [n.name for n in topological(self._heads) if n.is_variable]

    def list_outputs(self) -> list[str]:
        """Return the names of the outputs."""
        return [node.output_name(index) for node, index in self._heads]

    @property
    def num_outputs(self) -> int:
        """Number of outputs."""
        return len(self._heads)

    # Parts -----------------------------------------------------------------------------------------------------------

    def get_internals(self) -> "Symbol":
        """Return a symbol whose outputs are all outputs in the graph, variables included."""
        return Symbol([(n, i) for n in topological(self._heads) for i in range(n.visible_count)])

    def get_children(self) -> "Symbol | None":
        """Return the inputs of the node as outputs, None for a variable."""
        entries = [e for node in dict.fromkeys(n for n, _ in self._heads) for e in node.inputs]
        return Symbol(entries) if entries else None

    def _gen_atomic_symbol(self) -> "Symbol":
        """Return the outputs of the first output's operator with inputs of its own, to be composed anew.

        Raises:
            GraphError: The symbol is a variable.
        """
        from gluonnx.symbol.register import compose

        node = self._heads[0][0]
        if node.op is None:
            raise GraphError(f"`{node.name}`: no operator: expected the output of one, got a variable.")
        return compose(node.op, (), node.attrs, node.name, dict(node.annotations))

    def __len__(self) -> int:
        return len(self._heads)

    def __iter__(self) -> Iterator["Symbol"]:
        return (Symbol([head]) for head in self._heads)

    def __getitem__(self, index: Any) -> "Symbol":
        """Return outputs by position, slice or name.

        Raises:
            ValueError: No output, or more than one, has the name.
            IndexError: There is no such output.
        """
        if isinstance(index, slice):
            return Symbol(self._heads[index])
        if isinstance(index, str):
            names = self.list_outputs()
            found = [i for i, name in enumerate(names) if name == index]
            if len(found) != 1:
                problem = "no output" if not found else "several outputs"
                raise ValueError(f"Symbol: {problem} of that name: expected one of {', '.join(names)}, got {index!r}.")
            return Symbol([self._heads[found[0]]])
        position = operator.index(index)
        if not -len(self._heads) <= position < len(self._heads):
            raise IndexError(f"Symbol: no such output: expected an index below {len(self._heads)}, got {position}.")
        return Symbol([self._heads[position]])

    def __bool__(self) -> bool:
        raise NotImplementedForSymbol(
            "Symbol: has no truth value: expected an NDArray, got a Symbol. A hybrid_forward cannot branch on values; "
            "use F.where, or do not hybridize the block."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        from gluonnx.symbol.text import load_json

        return load_json, (self.tojson(),)

    def __copy__(self) -> "Symbol":
        return Symbol(self._heads)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Symbol":
        copies: dict[int, Node] = {}
        for node in topological(self._heads):
            copies[id(node)] = Node(
                node.op,
                node.name,
                [(copies[id(n)], i) for n, i in node.inputs],
                dict(node.attrs),
                dict(node.annotations),
                node.versions,
                node.subgraphs,
            )
        return Symbol([(copies[id(n)], i) for n, i in self._heads])

    def __call__(self, *args: "Symbol", **kwargs: Any) -> "Symbol":
        """Return a copy in which variables are replaced: by position in `list_arguments()`, or by name.

        `name=` renames the node.

        Raises:
            InputTypeError: A replacement is not a symbol, or both ways are used.
            GraphError: There is no such variable, or a replacement has several outputs.
        """
        name = kwargs.pop("name", None)
        replacements: dict[str, Symbol] = dict(kwargs)
        if args:
            if kwargs:
                raise InputTypeError("Symbol: give replacements by position or by name, not both.")
            replacements = dict(zip(self.list_arguments(), args, strict=False))
        for variable, symbol in replacements.items():
            if not isinstance(symbol, Symbol):
                raise InputTypeError(
                    f"Symbol: wrong replacement: expected a Symbol, got {variable}={type(symbol).__name__}."
                )
            if len(symbol._heads) != 1:
                raise GraphError(
                    f"Symbol: replacement has several outputs: expected one, got {variable}={symbol!r}. "
                    "Index it: symbol[0]."
                )
        copy = self.__deepcopy__({})
        substitutes: dict[int, Entry] = {}
        for node in topological(copy._heads):
            if node.is_variable and node.name in replacements:
                substitutes[id(node)] = replacements[node.name]._heads[0]
            node.inputs = tuple(substitutes.get(id(n), (n, i)) for n, i in node.inputs)
        unknown = replacements.keys() - {n.name for n in topological(self._heads) if n.is_variable}
        if unknown:
            raise GraphError(
                f"Symbol: no such variable: expected one of {', '.join(self.list_inputs())}, got {sorted(unknown)}."
            )
        if name is not None:
            for node in dict.fromkeys(n for n, _ in copy._heads):
                node.name = name
        return Symbol([substitutes.get(id(n), (n, i)) for n, i in copy._heads])

    # Attributes ------------------------------------------------------------------------------------------------------

    def attr(self, key: str) -> str | None:
        """Return an attribute of the node as text, None if it has none."""
        if len({id(n) for n, _ in self._heads}) != 1:
            return None
        if key == "_value_index":
            return ", ".join(str(index) for _, index in self._heads)
        return _visible_attributes(self._heads[0][0]).get(key)

    def list_attr(self, recursive: bool = False) -> dict[str, str]:
        """Return the attributes of the node, of a group those of its first.

        Raises:
            DeprecationWarning: `recursive` is asked for; `attr_dict` is its replacement.
        """
        if recursive:
            raise DeprecationWarning("Symbol.list_attr with recursive=True is gone. Use attr_dict().")
        return _visible_attributes(self._heads[0][0])

    def attr_dict(self) -> dict[str, dict[str, str]]:
        """Return the attributes of every node that has any, by node name."""
        found = {n.name: _visible_attributes(n) for n in topological(self._heads)}
        return {name: attrs for name, attrs in found.items() if attrs}

    def _set_attr(self, **kwargs: str) -> None:
        for node, _ in self._heads:
            node.annotations.update(annotations(kwargs))

    # Inference -------------------------------------------------------------------------------------------------------

    def infer_shape(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        """Return shapes of arguments, outputs and auxiliary states, from those of some arguments.

        Args:
            *args: Shapes in the order of `list_arguments()`, None for unknown.
            **kwargs: Shapes by argument name.

        Returns:
            Three lists of tuples, or three Nones if some argument's shape cannot be found (with a warning).

        Raises:
            InputError: An operator does not take the shapes that reach it.
        """
        found = self._infer(args, kwargs)
        if found.unknown or any(found.shape(h) is None for h in self._heads):
            _warn_undecided("shape", " (0s in shape means unknown dimensions)", self._undecided(found))
            return None, None, None
        return self._collect(found.shape)

    def infer_shape_partial(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        """Return what `infer_shape` can find, with 0 for a dimension it does not find and () for an unknown rank.

        Under `util.np_shape` these are -1 and None.
        """
        found = self._infer(args, kwargs)
        return self._collect(lambda entry: _written(found, entry))

    def infer_type(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        """Return dtypes of arguments, outputs and auxiliary states, from those of some arguments.

        Args:
            *args: Dtypes in the order of `list_arguments()`, None for unknown.
            **kwargs: Dtypes by argument name.

        Returns:
            Three lists of numpy types, or three Nones if some dtype cannot be found (with a warning).

        Raises:
            InputError: An operator does not take the dtypes that reach it.
        """
        arguments, outputs, auxiliary = self.infer_type_partial(*args, **kwargs)
        if None in (*arguments, *outputs, *auxiliary):
            names = [*self.list_arguments(), *self.list_auxiliary_states()]
            found = {n: t for n, t in zip(names, (*arguments, *auxiliary), strict=True) if t is None}
            _warn_undecided("type", "", found)
            return None, None, None
        return arguments, outputs, auxiliary

    def infer_type_partial(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        """Return what `infer_type` can find, with None where it finds nothing."""
        known = {name: as_dtype(value).name for name, value in self._by_name("infer_type", args, kwargs).items()}
        dtypes = inference.infer_dtypes(self._heads, known, default_dtype=None)

        def of(entry: Entry) -> Any:
            name = dtypes.get((id(entry[0]), entry[1]))
            return None if name is None else BY_NAME[name].numpy.type

        return self._collect(of)

    def _infer(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> inference.Inference:
        shapes = self._by_name("infer_shape", args, kwargs)
        for name, shape in shapes.items():
            if not isinstance(shape, (tuple, list)):
                raise InputTypeError(
                    f"Symbol.infer_shape: wrong shape of `{name}`: expected a tuple, got {type(shape).__name__}."
                )
        is_given = {n: tuple(s) for n, s in shapes.items() if len(s) or is_np_shape()}
        return inference.infer(self._heads, is_given)

    def _by_name(self, where: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        names = self.list_arguments()
        if args and kwargs:
            raise ArgumentError(f"Symbol.{where}: give arguments by position or by name, not both.")
        given = {n: v for n, v in zip(names, args, strict=False) if v is not None}
        given |= {n: v for n, v in kwargs.items() if v is not None}
        unknown = given.keys() - set(self.list_inputs())
        if unknown:
            raise InputError(
                f"Symbol.{where}: no such argument: expected some of {', '.join(names)}, got {sorted(unknown)}."
            )
        return given

    def _undecided(self, found: inference.Inference) -> dict[str, Any]:
        arguments, auxiliary = self._variables()
        entries = [(n.name, (n, 0)) for n in (*arguments, *auxiliary)] + [
            (n.output_name(i), (n, i)) for n, i in self._heads if n.op is not None
        ]
        return {name: _written(found, entry) for name, entry in entries if found.shape(entry) is None}

    def _collect(self, of: Callable[[Entry], Any]) -> tuple[list[Any], list[Any], list[Any]]:
        arguments, auxiliary = self._variables()
        return [of((n, 0)) for n in arguments], [of(h) for h in self._heads], [of((n, 0)) for n in auxiliary]

    # Text ------------------------------------------------------------------------------------------------------------

    def tojson(self, remove_amp_cast: bool = True) -> str:
        """Return the graph as MXNet 1.9.1's symbol-json."""
        from gluonnx.symbol.text import dumps

        return dumps(self._heads)

    def save(self, fname: Any, remove_amp_cast: bool = True) -> None:
        """Write the graph as symbol-json, atomically."""
        from gluonnx.formats.files import write_bytes_atomic

        write_bytes_atomic(fname, self.tojson(remove_amp_cast).encode())

    def debug_str(self) -> str:
        """Return a readable listing of the graph."""
        lines = ["Symbol Outputs:"]
        lines += [f"\toutput[{i}]={n.name}({k})" for i, (n, k) in enumerate(self._heads)]
        nodes = topological(self._heads)
        for node, versions in zip(nodes, input_versions(nodes), strict=True):
            if node.op is None:
                lines.append(f"Variable:{node.name}")
                continue
            lines += ["--------------------", f"Op:{node.op.name}, Name={node.name}", "Inputs:"]
            for position, ((source, index), version) in enumerate(zip(node.inputs, versions, strict=True)):
                note = f" version={version}" if source.is_variable else ""
                lines.append(f"\targ[{position}]={source.name}({index}){note}")
            if node.attrs:
                lines.append("Attrs:")
                lines += [f"\t{k}={v}" for k, v in sorted(node.attrs.items())]
        return "\n".join(lines) + "\n"

    # What only arrays have -------------------------------------------------------------------------------------------

    def _needs_values(self, name: str) -> NotImplementedForSymbol:
        return NotImplementedForSymbol(
            f"Symbol: `{name}` needs values: expected an NDArray, got a Symbol. It works on arrays only; "
            "do not hybridize a block that uses it."
        )

    def asnumpy(self) -> None:
        """Raise: a symbol has no values."""
        raise self._needs_values("asnumpy")

    def asscalar(self) -> None:
        """Raise: a symbol has no values."""
        raise self._needs_values("asscalar")

    def wait_to_read(self) -> None:
        """Raise: a symbol has no values."""
        raise self._needs_values("wait_to_read")

    def copy(self) -> None:
        """Raise: a symbol has no values."""
        raise self._needs_values("copy")

    def as_in_context(self) -> None:
        """Raise: a symbol is on no context."""
        raise self._needs_values("as_in_context")

    def detach(self) -> None:
        """Raise: a symbol has no values."""
        raise self._needs_values("detach")

    def backward(self) -> None:
        """Raise: a symbol has no values."""
        raise self._needs_values("backward")

    def as_nd_ndarray(self) -> "Symbol":
        """Return the symbol itself: it is of the classic interface."""
        return self

    # What MXNet's backends do, and ONNX Runtime here -----------------------------------------------------------------

    def optimize_for(self, backend: str, args: Any = None, aux: Any = None, ctx: Any = None, **kwargs: Any) -> "Symbol":
        """Return the symbol: ONNX Runtime optimizes what runs, so that `backend` changes nothing."""
        return self

    def get_backend_symbol(self, backend: str) -> "Symbol":
        """Return the symbol; see `optimize_for`."""
        return self

    def gradient(self, wrt: Sequence[str]) -> None:
        """Raise, as MXNet does: gradients are computed by `bind(...).backward()` or `autograd`.

        Raises:
            NotSupportedError: Always.
        """
        raise NotSupportedError(
            f"Symbol.gradient: gradients are no symbols: expected a bound symbol, got wrt={wrt!r}. Use "
            "`bind(...)` and `backward()`, or autograd."
        )

    # Fluent methods with a signature of their own --------------------------------------------------------------------

    def astype(self, dtype: Any, **kwargs: Any) -> "Symbol":
        """Return the symbol cast to another dtype."""
        return _op("cast")(self, dtype=as_dtype(dtype).name, **kwargs)

    def reshape(self, *shape: Any, **kwargs: Any) -> "Symbol":
        """Return the symbol in another shape, with MXNet's codes 0, -1, -2, -3 and -4."""
        if "shape" not in kwargs:
            kwargs["shape"] = shape[0] if len(shape) == 1 else shape
        return _op("reshape")(self, **kwargs)


def _in_place(sign: str) -> Callable[[Symbol, Any], Symbol]:
    def refuse(self: Symbol, other: Any) -> Symbol:
        raise NotImplementedForSymbol(
            f"Symbol: `{sign}=` is in place: expected an NDArray, got a Symbol, whose value others may read. "
            f"Write `a = a {sign} b`."
        )

    return refuse


def _written(found: inference.Inference, entry: Entry) -> Shape | None:
    """A shape as MXNet writes it: unknown dimensions 0 and unknown ranks (), under `np_shape` -1 and None."""
    shape = found.shape(entry)
    if shape is not None:
        return shape
    shape = found.partial.get((id(entry[0]), entry[1]))
    if is_np_shape():
        return shape
    return () if shape is None else tuple(max(d, 0) for d in shape)


def _warn_undecided(what: str, note: str, found: Mapping[str, Any]) -> None:
    names = "".join(f"\n\t{name}: {value}" for name, value in found.items())
    warnings.warn(
        f"Cannot decide {what} for the following arguments{note}. Consider providing them as input:{names}",
        stacklevel=3,
    )


def _visible_attributes(node: Node) -> dict[str, str]:
    merged = {**node.attrs, **node.annotations}
    plain = {k[2:-2]: v for k, v in merged.items() if k[2:-2] in HIDDEN_KEYS and k.startswith("__")}
    return {**merged, **plain}


def var(
    name: str,
    attr: Mapping[str, str] | None = None,
    shape: Sequence[int] | None = None,
    lr_mult: float | None = None,
    wd_mult: float | None = None,
    dtype: Any = None,
    init: Any = None,
    stype: str | None = None,
    **kwargs: str,
) -> Symbol:
    """Make a variable.

    Args:
        name: Its name.
        attr: Attributes to attach, as strings.
        shape: Its shape, where known; 0 marks an unknown dimension.
        lr_mult: Learning-rate multiplier.
        wd_mult: Weight-decay multiplier.
        dtype: Element type.
        init: An initializer, or its description.
        stype: Storage type.
        **kwargs: Further attributes, between double underscores.

    Raises:
        TypeError: The name is not a string.
        ValueError: A further attribute is not between double underscores.
    """
    if not isinstance(name, str):
        raise TypeError(f"sym.var: wrong name: expected a str, got {name!r}.")
    notes = annotations(attr)
    if shape is not None:
        notes["__shape__"] = to_text(tuple(shape))
    if lr_mult is not None:
        notes["__lr_mult__"] = str(lr_mult)
    if wd_mult is not None:
        notes["__wd_mult__"] = str(wd_mult)
    if dtype is not None:
        notes["__dtype__"] = str(as_dtype(dtype).flag)
    if init is not None:
        notes["__init__"] = init if isinstance(init, str) else init.dumps()
    if stype is not None:
        notes["__storage_type__"] = str(STORAGE_TYPES[stype])
    for key, value in kwargs.items():
        if not (key.startswith("__") and key.endswith("__")):
            raise ValueError(f"sym.var: unknown attribute: expected a name between double underscores, got {key!r}.")
        notes[key] = str(value)
    return Symbol([(Node(None, name, annotations=notes), 0)])


Variable = var


def Group(symbols: Sequence[Symbol]) -> Symbol:  # noqa: N802 - MXNet's name
    """Return one symbol with the outputs of several.

    Raises:
        InputTypeError: An element is not a symbol, or there are none.
    """
    symbols = list(symbols)
    if not symbols:
        raise InputTypeError("sym.Group: nothing to group: expected symbols, got none.")
    if not all(isinstance(s, Symbol) for s in symbols):
        wrong = next(type(s).__name__ for s in symbols if not isinstance(s, Symbol))
        raise InputTypeError(f"sym.Group: wrong element: expected Symbols, got {wrong}.")
    return Symbol([head for s in symbols for head in s._heads])


def _op(name: str) -> Callable[..., Symbol]:
    from gluonnx.symbol.register import function

    return function(name)


def _arithmetic(pair_op: str, scalar_op: str, *, swap: bool = False) -> Callable[[Symbol, Any], Symbol]:
    def method(self: Symbol, other: Any) -> Symbol:
        if isinstance(other, Symbol):
            return _op(pair_op)(other, self) if swap else _op(pair_op)(self, other)
        if isinstance(other, (numbers.Number, np.generic)):
            return _op(scalar_op)(self, scalar=other)
        raise TypeError(f"Symbol: type {type(other)} not supported: expected a Symbol or a number.")

    return method


def install_operators() -> None:
    """Give Symbol Python's operators, under the names that MXNet's node names come from."""
    for name, pair_op, scalar_op, swapped in (
        ("add", "_Plus", "_PlusScalar", "_PlusScalar"),
        ("sub", "_Minus", "_MinusScalar", "_RMinusScalar"),
        ("mul", "_Mul", "_MulScalar", "_MulScalar"),
        ("truediv", "_Div", "_DivScalar", "_RDivScalar"),
        ("mod", "_Mod", "_ModScalar", "_RModScalar"),
        ("pow", "_Power", "_PowerScalar", "_rpower_scalar"),
    ):
        setattr(Symbol, f"__{name}__", _arithmetic(pair_op, scalar_op))
        setattr(Symbol, f"__r{name}__", _arithmetic(pair_op, swapped, swap=True))
    for name, pair_op, scalar_op in (
        ("eq", "_equal", "_equal_scalar"),
        ("ne", "_not_equal", "_not_equal_scalar"),
        ("gt", "_greater", "_greater_scalar"),
        ("ge", "_greater_equal", "_greater_equal_scalar"),
        ("lt", "_lesser", "_lesser_scalar"),
        ("le", "_lesser_equal", "_lesser_equal_scalar"),
    ):
        setattr(Symbol, f"__{name}__", _arithmetic(pair_op, scalar_op))
    for name, sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/")):
        setattr(Symbol, f"__i{name}__", _in_place(sign))
    setattr(Symbol, "__neg__", lambda self: _op("_MulScalar")(self, scalar=-1.0))  # noqa: B010
    setattr(Symbol, "__abs__", lambda self: _op("abs")(self))  # noqa: B010
    setattr(Symbol, "__hash__", lambda self: id(self) // 16)  # noqa: B010


__getattr__ = names_of(__name__, "gluonnx.symbol")
