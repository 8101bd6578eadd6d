"""Operators that no gradient goes through, as nodes of a recorded graph.

What `BlockGrad`, `argmax` or a comparison gives inside `record` is part of the graph in MXNet: a `backward` from there
leaves zeros in the variables behind it. In torch it is in no graph. `blocked` puts it into one, with a node that passes
nothing on and remembers the nodes behind it; `reachable` finds the variables behind heads, through such nodes too.
"""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Behind", "any_blocked", "blocked", "reachable"]


class Behind:
    """What a blocked tensor was computed by; lives as long as a graph with the tensor.

    Attributes:
        nodes: The nodes of torch's graph that gave the operator's inputs; none once a backward has freed the graph.
    """

    __slots__ = ("__weakref__", "nodes")

    def __init__(self, nodes: list[Any]) -> None:
        self.nodes = nodes
        _alive.add(self)


_alive: "weakref.WeakSet[Behind]" = weakref.WeakSet()
_anchors: dict[torch.device, Tensor] = {}


class _Blocked(torch.autograd.Function):
    """A tensor as it is, whose gradient goes nowhere."""

    @staticmethod
    def forward(ctx: Any, result: Tensor, anchor: Tensor, behind: Behind) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.behind = behind
        return result.view_as(result)

    @staticmethod
    def backward(ctx: Any, *heads: Tensor | None) -> tuple[None, None, None]:
        return None, None, None


def blocked(result: Tensor, inputs: Iterable[Tensor | None]) -> Tensor:
    """Return the result of an operator that passes no gradient on, in the graph of its inputs.

    Args:
        result: A tensor that requires no gradient. One that is not of floating point stays as it is: torch has no
            graph of integers.
        inputs: What the operator read; None for an input left out.
    """
    if not (result.is_floating_point() and torch.is_grad_enabled()):
        return result
    nodes = [_node(t) for t in inputs if t is not None and t.requires_grad]
    if not nodes:
        return result
    anchor = _anchors.get(result.device)
    if anchor is None:
        anchor = _anchors[result.device] = torch.zeros((), device=result.device, requires_grad=True)
    given: Tensor = _Blocked.apply(result, anchor, Behind(nodes))  # type: ignore[no-untyped-call]
    return given


def any_blocked() -> bool:
    """Whether there is a graph with a blocked tensor in it."""
    return len(_alive) > 0


def reachable(heads: Iterable[Tensor]) -> tuple[list[Tensor], list[Behind]]:
    """Return what heads were computed from, whether or not a gradient reaches it.

    Returns:
        The variables, and what is behind the blocked tensors on the way.
    """
    variables, passed = [], []
    stack = [_node(t) for t in heads if t.requires_grad]
    seen: set[Any] = set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            variables.append(variable)
            continue
        behind = getattr(node, "behind", None)
        if behind is not None:
            passed.append(behind)
            stack.extend(behind.nodes)
        stack.extend(following for following, _ in node.next_functions)
    return variables, passed


def _node(tensor: Tensor) -> Any:
    """The node that gives a tensor; of a variable, the one that takes its gradient."""
    return tensor.grad_fn if tensor.grad_fn is not None else torch.autograd.graph.get_gradient_edge(tensor).node
