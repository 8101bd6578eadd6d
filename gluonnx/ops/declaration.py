"""The words of an operator's declaration: inputs, rules for shapes, gradients and sparse storage, subgraphs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor

RUNTIME_KEYWORDS = frozenset({"training", "generator", "device", "into", "bodies"})
"""Keywords of a torch function that its caller fills in; they are not attributes."""

Attrs = Mapping[str, Any]
Shapes = Literal["derived", "even", "same", "broadcast", "known", "wanted", "elements", "values"]
"""How unknown dimensions follow from known ones: from running the torch function (`derived`), because all inputs and
outputs have one shape (`same`), from inputs to outputs only (`broadcast`), not at all (`known`), or, where the
attribute `shape` leaves dimensions open, from what reads the output (`wanted`). `elements` is `derived` where, besides,
the output has as many elements as the input; `even` is `derived` where all unknown dimensions of the inputs are one.
The output shapes of `values` depend on what the inputs hold, so that nothing is known of them before."""
Gradient = Literal["chain", "loss", "none", "refused"]
"""What an operator does with the gradient that comes in: passes it on, makes its own instead, passes on none, or
refuses to be in a bound graph where one comes to it (MXNet has none for it; an imperative call gives torch's)."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an operator.

    Attributes:
        name: Its name, which is also the suffix of the variable MXNet makes up for it (`conv0_weight`).
        optional: May be left out.
        auxiliary: Holds state that the operator updates while training (running statistics).
    """

    name: str
    optional: bool = False
    auxiliary: bool = False


@dataclass(frozen=True, slots=True)
class SparseRule:
    """What an operator does with sparse storage.

    Attributes:
        rule: Takes storages (`gluonnx.ops.storage`) or tensors; returns either, a `RowUpdate`, or NotImplemented for
            dense forms.
        keywords: Attributes that it reads.
        is_recorded: Whether it looks after gradients itself.
        takes_dense: Whether it is called for dense inputs too.
    """

    rule: Callable[..., Any]
    keywords: frozenset[str]
    is_recorded: bool
    takes_dense: bool

    def __call__(self, inputs: Sequence[Any], attrs: Attrs) -> Any:
        """Apply the rule."""
        return self.rule(*inputs, **{k: attrs[k] for k in self.keywords})


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a subgraph is joined to its operator.

    Attributes:
        inputs: For each input of the subgraph, the operator's input that it reads.
        outputs: For each output of the subgraph, the operator's output that it gives, -1 for none.
        sliced: Inputs of the subgraph that read one element, along axis 0, of what the operator reads.
        stacked: Outputs of the subgraph of which the operator gives one for each step, along a new axis 0.
        states: Pairs (output, input) of the subgraph that have one shape and dtype.
        length: Size of that new axis; None where it is that of axis 0 of what is sliced.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    sliced: frozenset[int] = frozenset()
    stacked: frozenset[int] = frozenset()
    states: tuple[tuple[int, int], ...] = ()
    length: int | None = None

    def inner_shape(self, place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an input of the subgraph from that of what the operator reads.

        One element of a vector has shape (1,): MXNet's classic arrays have at least one axis.
        """
        return (shape[1:] or (1,)) if place in self.sliced else shape


class Body(Protocol):
    """A subgraph of an operator, as a function of tensors.

    Attributes:
        wiring: How it is joined to the operator.
        updated: Its inputs that hold state which it updates.
    """

    wiring: Wiring
    updated: tuple[int, ...]

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        """Return the outputs; the new values of the inputs in `updated` are put into `tensors`."""
        ...


class DeclinedError(Exception):
    """Raised by the function of a `quick` rule for inputs that are the torch function's."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Stands in for a lowering that ONNX cannot express."""

    reason: str
