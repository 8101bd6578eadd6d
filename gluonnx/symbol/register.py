"""Symbolic functions, made from the operator table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gluonnx import name as naming
from gluonnx.attribute import HIDDEN_KEYS, annotations
from gluonnx.errors import AttributeValueError, GraphError, InputTypeError
from gluonnx.ops.signature import (
    INPLACE_METHODS,
    arrange,
    document,
    signature,
    signature_with_inplace,
    split_inplace,
)
from gluonnx.ops.table import TABLE, Operator
from gluonnx.symbol.bodies import check_subgraphs
from gluonnx.symbol.graph import Entry, Node, Subgraph
from gluonnx.symbol.symbol import Symbol

Function = Callable[..., Symbol]

_functions: dict[str, Function] = {}


def function(name: str) -> Function:
    """Return the symbolic function of an operator, by any registered name; its nodes are named after that name."""
    found = _functions.get(name)
    if found is None:
        found = _functions[name] = _make(TABLE[name], name)
    return found


def attach_methods() -> None:
    """Give Symbol the methods that the table declares."""
    for op in TABLE.operators():
        for name in op.method:
            if name not in Symbol.__dict__:
                setattr(Symbol, name, _method(op, function(name if name in op.names else op.name), name))


def _method(op: Operator, fn: Function, name: str) -> Function:
    def method(self: Symbol, *args: Any, **kwargs: Any) -> Symbol:
        return fn(self, *args, **kwargs)

    def with_inplace(self: Symbol, *args: Any, inplace: bool = False, **kwargs: Any) -> Symbol:
        return fn(self, *split_inplace(name, args, inplace)[0], **kwargs)

    is_inplace = name in INPLACE_METHODS
    if is_inplace:
        method = with_inplace

    method.__name__ = method.__qualname__ = name
    method.__doc__ = fn.__doc__
    method.__signature__ = signature_with_inplace(op, name) if is_inplace else signature(op)  # type: ignore[attr-defined]
    return method


def _make(op: Operator, alias: str) -> Function:
    hint = alias.lower()

    def fn(*args: Any, **kwargs: Any) -> Symbol:
        name = kwargs.pop("name", None)
        attr = kwargs.pop("attr", None)
        kwargs.pop("out", None)
        if op.subgraphs:
            return _with_subgraphs(op, args, kwargs, naming.current().get(name, hint), annotations(attr))
        inputs, attrs = arrange(op, args, kwargs, Symbol)
        own = {k: str(attrs.pop(k)) for k in list(attrs) if k in HIDDEN_KEYS or (k[:2] == "__" == k[-2:])}
        return compose(op, inputs, attrs, naming.current().get(name, hint), annotations({**(attr or {}), **own}))

    fn.__name__ = fn.__qualname__ = alias
    fn.__doc__ = document(op)
    fn.__signature__ = signature(op)  # type: ignore[attr-defined]
    return fn


def _with_subgraphs(
    op: Operator, args: Sequence[Any], kwargs: Mapping[str, Any], name: str, notes: dict[str, str]
) -> Symbol:
    """Compose an operator whose first arguments are its subgraphs."""
    count = len(op.subgraphs)
    symbols = args[:count]
    if len(symbols) < count or not all(isinstance(s, Symbol) for s in symbols):
        got = ", ".join(type(s).__name__ for s in symbols)
        raise InputTypeError(
            f"{op.name}: subgraphs missing: expected the symbols {', '.join(op.subgraphs)} first, got {got or 'none'}. "
            "Use `sym.contrib.foreach`, `while_loop` or `cond`."
        )
    inputs, attrs = arrange(op, args[count:], kwargs, Symbol)
    text = {key: str(list(value)) if isinstance(value, (list, tuple)) else value for key, value in attrs.items()}
    if op.count_attribute is not None:
        text[op.count_attribute] = count + sum(len(s) for s in inputs if s is not None)
    return compose(op, inputs, text, name, notes, [Subgraph(s._heads) for s in symbols])


def compose(
    op: Operator,
    inputs: Sequence[Symbol | None],
    attrs: Mapping[str, Any],
    name: str,
    notes: dict[str, str],
    subgraphs: Sequence[Subgraph] = (),
) -> Symbol:
    """Return a new node's visible outputs. Inputs that are missing become variables `<name>_<input>`.

    Raises:
        AttributeValueError: An attribute is unknown, missing or of a wrong type, or a note is not in underscores.
        InputError: Too many inputs.
        GraphError: An input is a group of outputs.
    """
    for key in notes:
        if not (key.startswith("__") and key.endswith("__")):
            raise AttributeValueError(
                f"{op.name} `{name}`: attribute is of no kind that operators have: expected a name between double "
                f"underscores, got {key!r}. Write it `__{key}__`."
            )
    text = op.to_text(attrs)
    typed = op.parse(text)
    if op.variadic:
        entries = [e for s in inputs if s is not None for e in s._heads]
        if op.count_attribute is not None:
            text.setdefault(op.count_attribute, str(len(entries)))
            typed = op.parse(text)
        entries += [_missing(op, missing, name, text, notes) for missing in op.named(typed)[len(entries) :]]
        op.check_count(len(entries), typed)
    else:
        active = op.active_inputs(typed)
        specs = active if op.is_open else op.inputs
        given: dict[str, Symbol] = {spec.name: s for spec, s in zip(specs, inputs, strict=False) if s is not None}
        names = {spec.name for spec in active}
        if any(n not in names for n in given):
            present = [s for s in inputs[: len(active)] if s is not None]
            if not len(present) == len(given) == len(active):
                op.check_count(len(active) + 1, typed)
            # By position, inputs that are left out do not keep their place.
            given = {spec.name: s for spec, s in zip(active, present, strict=True)}
        entries = []
        for spec in active:
            symbol = given.get(spec.name)
            if symbol is None:
                entries.append(_missing(op, spec.name, name, text, notes))
                continue
            if len(symbol._heads) != 1:
                raise GraphError(
                    f"{op.name} `{name}`: input `{spec.name}` has several outputs: expected one, got {symbol!r}. "
                    "Index it: symbol[0]."
                )
            entries.append(symbol._heads[0])
    node = Node(op, name, entries, text, notes, subgraphs=subgraphs)
    if op.subgraphs:
        check_subgraphs(node)
    return Symbol([(node, i) for i in range(node.visible_count)])


def _missing(op: Operator, name: str, node: str, text: Mapping[str, str], notes: Mapping[str, str]) -> Entry:
    """Make the variable of an input that was not given; it carries the node's attributes, as MXNet's does."""
    inherited = {**text, **notes}
    if name in op.variable_init:
        inherited["__init__"] = op.variable_init[name]
    return Node(None, f"{node}_{name}", annotations=inherited), 0
