"""`Custom`: operators that programs write in Python (`mx.operator`), in one row of the table.

What such an operator has and does is known to its kind, which `mx.operator.register` puts into `KINDS`; inputs, outputs
and gradient of the row follow from the attribute `op_type`.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.attributes import to_text
from gluonnx.ops.table import TABLE, Attrs, Gradient, Input, Operator

__all__ = ["KINDS", "KeptOperators", "Kind", "operator_of_call", "own_code", "register_kind"]

SOURCE = "MXNet 1.9.1 src/operator/custom/custom.cc"
MAX_MADE = 256
"""Kinds with attributes that are remembered."""


class Kind(Protocol):
    """An operator with its attributes.

    Attributes:
        inputs: Its inputs, auxiliary states last.
        outputs: Names of its outputs.
        reads_gradient: Whether its gradient depends on the gradient that comes in.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    reads_gradient: bool

    def shapes(self, known: Sequence[tuple[int, ...] | None]) -> Sequence[tuple[int, ...]]:
        """Return the shapes of all inputs from those that are known."""
        ...

    def dtypes(self, known: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """Return the dtypes of all inputs and of the outputs from those of the arguments."""
        ...

    def run(self, tensors: Sequence[Tensor], training: bool, device: torch.device) -> tuple[Tensor, ...]:
        """Return the outputs and the new values of the auxiliary states."""
        ...


KINDS: dict[str, Callable[[Mapping[str, str]], Kind]] = {}
"""Makes the kind of each `op_type` from its other attributes, as text."""

_made: dict[tuple[tuple[str, str], ...], Kind] = {}


def register_kind(op_type: str, make: Callable[[Mapping[str, str]], Kind]) -> None:
    """Give an `op_type` its kind; an earlier one of that name is replaced."""
    KINDS[op_type] = make
    _made.clear()


def _kind(attrs: Attrs) -> Kind:
    key = tuple(attrs.items())
    found = _made.get(key)
    if found is None:
        make = KINDS.get(attrs["op_type"])
        if make is None:
            raise AttributeValueError(
                f"Custom: unknown op_type: expected one of {', '.join(sorted(KINDS)) or 'none'}, "
                f"got op_type={attrs['op_type']!r}. Register it with `mx.operator.register`."
            )
        if len(_made) >= MAX_MADE:
            _made.clear()
        found = _made[key] = make({k: v for k, v in attrs.items() if k != "op_type"})
    return found


class _CustomOperator(Operator):
    """The row `Custom`."""

    __slots__ = ()

    is_open = True

    def parse(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes as text; all but `op_type` are the kind's own."""
        if "op_type" not in given:
            raise AttributeValueError("Custom: attribute `op_type` is missing: expected a str. Pass `op_type=`.")
        return {key: str(value) for key, value in given.items()}

    def to_text(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Return attributes as text, as Python writes them."""
        return {key: value if isinstance(value, str) else _text(value) for key, value in given.items()}

    def active_inputs(self, attrs: Attrs, count: int | None = None) -> tuple[Input, ...]:
        """Return the kind's inputs."""
        return _kind(attrs).inputs

    def auxiliary_positions(self, attrs: Attrs) -> tuple[int, ...]:
        """Return the positions of the kind's auxiliary states."""
        return tuple(i for i, spec in enumerate(_kind(attrs).inputs) if spec.auxiliary)

    @property
    def has_parameter_rule(self) -> bool:
        """Whether shapes of some inputs follow from the others: the kind tells them."""
        return True

    def parameter_shapes(
        self, shapes: Mapping[str, tuple[int, ...] | None], attrs: Attrs
    ) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the kind's inputs; empty while the first one is unknown."""
        kind = _kind(attrs)
        known = [shapes.get(spec.name) for spec in kind.inputs]
        if not known or known[0] is None:
            return {}
        return dict(zip((spec.name for spec in kind.inputs), kind.shapes(known), strict=True))

    def infer_dtypes(self, known: Mapping[str, str | None], attrs: Attrs) -> dict[str, str | None]:
        """Return the dtypes that the kind tells, once that of some argument is known; others take the first's."""
        kind = _kind(attrs)
        names = [spec.name for spec in kind.inputs if not spec.auxiliary]
        first = next((d for n in names if (d := known.get(n)) is not None), None)
        if first is None and names:
            return dict(known)
        inputs, outputs = kind.dtypes([known.get(n) or first or "float32" for n in names])
        told = dict(zip((*(spec.name for spec in kind.inputs), *kind.outputs), (*inputs, *outputs), strict=True))
        return {name: dtype or told.get(name) for name, dtype in known.items()}

    def _gradient_kind(self, attrs: Attrs) -> Gradient:
        return "chain" if _kind(attrs).reads_gradient else "loss"


def _text(value: Any) -> str:
    return to_text(value) if isinstance(value, (bool, int, tuple, list)) else str(value)


class KeptOperators:
    """The operators that the calls of `Custom` in a bound graph have made: each call gets its own again in every run.

    A run calls them in the same order each time.
    """

    def __init__(self) -> None:
        self._made: list[Any] = []
        self._position = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """A run of the graph: the body's calls of `Custom` are its own."""
        before, _KEPT.operators = _KEPT.operators, self
        self._position = 0
        try:
            yield
        finally:
            _KEPT.operators = before

    def next(self, make: Callable[[], Any]) -> Any:
        """Return the operator of the next call."""
        if self._position == len(self._made):
            self._made.append(make())
        self._position += 1
        return self._made[self._position - 1]


class _Kept(threading.local):
    operators: KeptOperators | None = None


_KEPT = _Kept()


def operator_of_call(make: Callable[[], Any]) -> Any:
    """Return the operator of a call: a new one, except in a run of a bound graph, which keeps its operators."""
    return make() if _KEPT.operators is None else _KEPT.operators.next(make)


@contextlib.contextmanager
def own_code() -> Iterator[None]:
    """Code of an operator: its own calls of `Custom` belong to no graph."""
    before, _KEPT.operators = _KEPT.operators, None
    try:
        yield
    finally:
        _KEPT.operators = before


def custom(
    *data: Tensor, op_type: str, training: bool = False, device: torch.device | None = None, **attrs: str
) -> tuple[Tensor, ...]:
    """An operator written in Python: `op_type` is the name it was registered under, other attributes are its own.

    Inputs, outputs and auxiliary states are those that its `CustomOpProp` lists.
    """
    kind = _kind({"op_type": op_type, **attrs})
    if len(data) != len(kind.inputs):
        names = ", ".join(spec.name for spec in kind.inputs)
        raise InputError(f"Custom `{op_type}`: wrong inputs: expected {len(kind.inputs)} ({names}), got {len(data)}.")
    place = data[0].device if data else device or torch.device("cpu")
    return kind.run(data, training, place)


_row = _CustomOperator(
    custom,
    "Custom",
    (),
    source=SOURCE,
    aux="",
    outputs=lambda attrs: _kind(attrs).outputs,
    visible=None,
    unread=0,
    when={},
    count_attribute=None,
    no_effect=(),
    method=(),
    view=False,
    variable_init={},
)
_row.inputs, _row.variadic = (), False
_row.no_onnx("it runs Python code")
TABLE.add(_row)
