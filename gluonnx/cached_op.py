"""A symbol as a function of arrays: `mx.nd.CachedOp`."""

from collections.abc import Sequence
from typing import Any

import torch

from gluonnx import ndarray
from gluonnx.context import Context
from gluonnx.errors import InputError, InputTypeError
from gluonnx.modes import MODES
from gluonnx.ndarray.generators import generator
from gluonnx.ndarray.ndarray import NDArray, on_context
from gluonnx.symbol.executor import GraphFunction, apart
from gluonnx.symbol.symbol import Symbol

__all__ = ["CachedOp"]


class CachedOp:
    """A graph compiled once and called with arrays; recorded like an operator. It runs on torch.

    Args:
        sym: The graph.
        flags: Accepted (`static_alloc` and the like): they do not change what is computed.
        thread_safe: Accepted: a call changes nothing but auxiliary states.

    Examples:
        >>> from gluonnx import nd, sym
        >>> square_sum = nd.CachedOp(sym.square(sym.var("a")) + sym.var("b"))
        >>> square_sum(nd.array([1, 2]), nd.array([3, 4]))
        <BLANKLINE>
        [4. 8.]
        <NDArray 2 @cpu(0)>
    """

    __slots__ = ("_function",)

    def __init__(self, sym: Symbol, flags: Sequence[tuple[str, Any]] = (), thread_safe: bool = False) -> None:
        self._function = GraphFunction(sym._heads, sym.list_inputs())

    def __call__(
        self, *args: NDArray, out: NDArray | Sequence[NDArray] | None = None, default_ctx: Context | None = None
    ) -> NDArray | list[NDArray]:
        """Compute the outputs.

        Args:
            *args: An array for each of the symbol's `list_inputs()`. Auxiliary states among them are updated in
                training.
            out: Arrays to write the outputs to.
            default_ctx: Where a graph without inputs computes.

        Returns:
            The output, or a list of several.

        Raises:
            InputError: Not as many arrays as the graph has inputs, or not of shapes that it takes.
            InputTypeError: Something else than an array was given.
        """
        names = self._function.names
        if len(args) != len(names):
            raise InputError(
                f"CachedOp: wrong number of inputs: expected {len(names)} ({', '.join(names)}), got {len(args)}."
            )
        for name, value in zip(names, args, strict=True):
            if not isinstance(value, NDArray):
                raise InputTypeError(
                    f"CachedOp: wrong input `{name}`: expected an NDArray, got {type(value).__name__}."
                )
        ctx = args[0].context if args else default_ctx or ndarray.current_context()
        tensors = [a._active() for a in args]
        results, updates = self._function(
            tensors,
            training=MODES.training,
            generator=generator,
            device=ctx.torch_device,
            keeps_blocked=MODES.recording,
        )
        if not MODES.recording:
            results = apart(results, tensors)
        for name, array in zip(names, args, strict=True):
            if name in updates:
                with torch.no_grad():
                    array._writable().copy_(updates[name])
        if out is not None:
            targets = [out] if isinstance(out, NDArray) else list(out)
            if len(targets) != len(results):
                raise InputError(f"CachedOp: wrong `out`: expected {len(results)} arrays, got {len(targets)}.")
            for target, result in zip(targets, results, strict=True):
                target[:] = on_context(result, ctx)
            return out if isinstance(out, NDArray) else targets
        made = [on_context(r, ctx) for r in results]
        return made[0] if len(made) == 1 else made


def install() -> None:
    """Give `mx.nd` the class: arrays know nothing of graphs by themselves."""
    setattr(ndarray, "CachedOp", CachedOp)  # noqa: B010
