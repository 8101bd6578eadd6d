"""The table of rules, what a rule may ask of its node, and how arrays are brought to one rank."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import numpy as np

from gluonnx.onnx.arrays import Array
from gluonnx.onnx.lift.sizes import Dim
from gluonnx.symbol.graph import Entry

Shape = tuple[int | None, ...]
Sizes = tuple[Dim, ...]


class Call(Protocol):
    """What a rule asks of the node; see `gluonnx.onnx.lift.graph.Call`."""

    op_type: str

    def attr(self, name: str, default: Any = None) -> Any: ...
    @property
    def inputs(self) -> list[str]: ...
    @property
    def count(self) -> int: ...
    def has(self, index: int) -> bool: ...
    def is_used(self, index: int) -> bool: ...
    def entry(self, index: int) -> Entry: ...
    def constant(self, index: int) -> Array | None: ...
    def value(self, index: int) -> "np.ndarray[Any, Any] | None": ...
    def alike(self, index: int) -> Entry | None: ...
    def fill(self, index: int) -> float | None: ...
    def shape(self, index: int) -> Shape | None: ...
    def sizes(self, index: int) -> Sizes | None: ...
    def output_shape(self, index: int = 0) -> Shape | None: ...
    def output_sizes(self) -> Sizes | None: ...
    def dtype(self, index: int) -> str | None: ...
    def output_dtype(self) -> str | None: ...
    def is_plain(self, *positions: int) -> bool: ...
    def is_array(self, *positions: int, dtypes: Collection[str] = ...) -> bool: ...
    def hold(self, names: Sequence[str]) -> bool: ...
    def parameter(self, label: str, array: Array) -> Entry: ...
    def full(self, shape: Sequence[int], value: float, dtype: str) -> Entry: ...
    def same(self, entry: Entry) -> Entry: ...
    def make(self, op: str, inputs: Sequence[Entry], attrs: dict[str, Any], label: str = "") -> Entry: ...
    def make_many(self, op: str, inputs: Sequence[Entry], attrs: dict[str, Any], count: int) -> list[Entry]: ...


Lifted = Entry | Sequence[Entry] | None
"""The output, the outputs in their order, or None where nothing of MXNet's means the same."""
Rule = Callable[[Call], Lifted]
RULES: dict[str, Rule] = {}
"""By ONNX operator."""
STAYS: dict[str, str] = {}
"""Which forms of an operator stay ONNX's, in words, beside arrays without axes or with empty ones."""


def rule(*op_types: str, stays: str = "") -> Callable[[Rule], Rule]:
    """Decorator: the rule of ONNX operators.

    Args:
        op_types: Their names.
        stays: Which forms stay ONNX's, for the documentation.

    Raises:
        ValueError: One has a rule already.
    """

    def declare(function: Rule) -> Rule:
        for op_type in op_types:
            if op_type in RULES:
                raise ValueError(f"{op_type}: has a rule already")
            RULES[op_type] = function
            STAYS[op_type] = stays
        return function

    return declare


def number(c: Call, index: int) -> float | None:
    """Return the value of an input that is one constant number, None for any other."""
    array = c.constant(index)
    return None if array is None or array.size != 1 else float(array.reshape(-1)[0])


def is_operand(c: Call, index: int) -> bool:
    """Whether an input of a floating dtype has axes, none of them empty, or is one constant number."""
    shape = c.shape(index)
    return c.dtype(index) in ("float32", "float16") and (
        bool(shape and 0 not in shape) or (shape == () and number(c, index) is not None)
    )


def rank_of(c: Call, index: int) -> int | None:
    """Return the number of axes of an input, None where it is not known."""
    shape = c.shape(index)
    return None if shape is None else len(shape)


def of_rank(c: Call, index: int, rank: int) -> Entry:
    """Return an input with axes of size 1 in front, so that it has `rank` of them."""
    entry, shape = c.entry(index), c.shape(index)
    assert shape is not None
    array = c.constant(index)
    if array is not None and array.size == 1 and array.dtype.kind == "f":
        dtype = c.dtype(index)
        assert dtype is not None
        return c.full((1,) * rank, float(array.reshape(-1)[0]), dtype)
    missing = rank - len(shape)
    if missing <= 0:
        return entry
    if sum(d is None for d in shape) <= 1:
        listed = tuple(-1 if d is None else d for d in shape)
        return c.make("Reshape", [entry], {"shape": (1,) * missing + listed}, "_rank")
    for _ in range(missing):
        entry = c.make("expand_dims", [entry], {"axis": 0}, "_rank")
    return entry


def is_same(a: Sizes | None, b: Sizes | None) -> bool:
    """Whether two shapes are known to be equal."""
    return a is not None and a == b


def broadcast(c: Call, op: str, same: str | None = None) -> Entry | None:
    """Return a binary operator with ONNX's broadcasting; `same` is MXNet's operator for arrays of one shape."""
    ranks = [rank_of(c, i) for i in (0, 1)]
    known = [r for r in ranks if r is not None]
    if len(known) != 2:
        return None
    if same is not None and is_same(c.sizes(0), c.sizes(1)):
        return c.make(same, [c.entry(0), c.entry(1)], {})
    return c.make(op, [of_rank(c, i, max(known)) for i in (0, 1)], {})
