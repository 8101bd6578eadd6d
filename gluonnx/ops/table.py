"""The operator table: an operator is declared once, and everything else is computed from the declaration.

The signature of the torch function is the schema. Positional parameters are inputs (`= None`: optional, `*data`: any
number), keyword-only parameters are typed attributes, and reserved keywords are what an operator may ask of its caller:
`training` (bool), `generator` (the random generator of the device), `device` (where to create arrays), `into` (what
the array to fill holds, None for a new one) and `bodies` (its subgraphs, as functions of tensors).

    @operator("FullyConnected", source="MXNet 1.9.1 src/operator/nn/fully_connected-inl.h")
    def fully_connected(data, weight, bias=None, *, num_hidden: int, no_bias: bool = False, flatten: bool = True):
        ...

    @fully_connected.onnx
    def _(g, data, weight, bias=None, *, flatten): ...

    @fully_connected.parameters
    def _(data, *, num_hidden, flatten):
        return {"weight": ..., "bias": ...}

The lowering and the parameter rule name only the attributes they read; `**attrs` reads all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gluonnx.errors import UnknownOperatorError
from gluonnx.ops.attributes import Attribute, attribute
from gluonnx.ops.declaration import Attrs, Body, DeclinedError, Gradient, Input, Shapes, SparseRule, Unsupported, Wiring
from gluonnx.ops.row import Operator

__all__ = [
    "TABLE",
    "Attrs",
    "Body",
    "DeclinedError",
    "Gradient",
    "Input",
    "Operator",
    "SparseRule",
    "Unsupported",
    "Wiring",
    "no_effect",
    "operator",
]


class _Table(Mapping[str, Operator]):
    """Operators by every registered name."""

    def __init__(self) -> None:
        self._rows: dict[str, Operator] = {}

    def __getitem__(self, name: str) -> Operator:
        try:
            return self._rows[name]
        except KeyError:
            raise UnknownOperatorError(
                f"operator table: unknown operator: got {name!r}. docs/operators.md lists the operators there are."
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, op: Operator) -> None:
        for name in op.names:
            if name in self._rows:
                raise ValueError(f"operator {name!r} is declared twice")
        for name in op.names:
            self._rows[name] = op

    def operators(self) -> tuple[Operator, ...]:
        """Every operator once, in order of declaration."""
        return tuple(dict.fromkeys(self._rows.values()))


TABLE = _Table()
"""The table."""


def operator(
    name: str,
    *aliases: str,
    source: str = "",
    aux: str | Callable[[Attrs], Sequence[int]] = "",
    outputs: str | Callable[[Attrs], Sequence[str]] = "output",
    visible: int | Callable[[Attrs], int] | None = None,
    unread: int | Callable[[Attrs], int] = 0,
    when: Mapping[str, Callable[[Attrs], bool]] | None = None,
    count_attribute: str | None = None,
    no_effect: Iterable[Attribute] = (),
    method: str = "",
    view: bool = False,
    variable_init: Mapping[str, str] | None = None,
    shapes: Shapes = "derived",
    gradient: Gradient | Callable[[Attrs], Gradient] = "chain",
    named: Callable[[Attrs], Sequence[str]] = lambda attrs: (),
    subgraphs: str = "",
    wirings: Callable[[Attrs], Sequence[Wiring]] | None = None,
    draws: Callable[[Attrs], bool] | None = None,
) -> Callable[[Callable[..., Any]], Operator]:
    """Declare an operator; the decorated torch function becomes its `Operator`.

    Args:
        name: MXNet's registered name.
        aliases: Further registered names.
        source: Where the semantics are stated.
        aux: Inputs that hold state (space-separated), or their positions as a function of the attributes. The torch
            function returns their new values after its outputs.
        outputs: Output names, space-separated, or a function of the attributes.
        visible: How many outputs a caller sees, if not all.
        unread: How many more outputs MXNet's node has, which nothing can read; they count in `node_row_ptr`.
        when: For an optional input, the condition on the attributes under which it is there.
        count_attribute: Attribute that MXNet fills with the number of variadic inputs.
        no_effect: Attributes that are accepted and not read.
        method: Names of the NDArray and Symbol methods, space-separated.
        view: Whether the torch function may return its input or a view of it.
        variable_init: For an input that symbols make up, the description of its initializer (`["zero", {}]`).
        shapes: How unknown dimensions follow from known ones.
        gradient: What the operator does with the gradient that comes in.
        named: For a variadic operator, the names of its inputs where attributes (as given or typed) fix their number.
        subgraphs: Names of the subgraphs that it runs, space-separated.
        wirings: How each of them is joined to the operator.
        draws: Whether a call draws random numbers at inference. Without it, that is what an operator does that takes
            a `generator`, unless it takes `training` too.
    """

    def declare(forward: Callable[..., Any]) -> Operator:
        op = Operator(
            forward,
            name,
            aliases,
            source=source,
            aux=aux,
            outputs=outputs,
            visible=visible,
            unread=unread,
            when=when or {},
            count_attribute=count_attribute,
            no_effect=no_effect,
            method=method.split(),
            view=view,
            variable_init=variable_init or {},
            shapes=shapes,
            gradient=gradient,
            named=named,
            subgraphs=subgraphs,
            wirings=wirings,
            draws=draws,
        )
        TABLE.add(op)
        return op

    return declare


def no_effect(name: str, annotation: Any, default: Any) -> Attribute:
    """Declare an attribute that is accepted for MXNet's sake and changes nothing here."""
    return attribute(name, annotation, default, has_effect=False)
