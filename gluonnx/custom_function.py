"""`autograd.Function`: a computation with a gradient of one's own."""

from collections.abc import Sequence
from typing import Any

import torch

from gluonnx.errors import ArgumentError, InputTypeError, MXNetError
from gluonnx.modes import MODES
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.provenance import note_outputs
from gluonnx.ops.derivative import once_differentiable

__all__ = ["Function"]


class Function:
    """A computation whose gradient is `backward` instead of that of the operators it uses; an instance is called once.

    `backward` takes a gradient for each output of `forward` and returns one for each input. It is not recorded: a
    second derivative through the function is an error.

    Examples:
        >>> from gluonnx import autograd, nd
        >>> class Sigmoid(autograd.Function):
        ...     def forward(self, x):
        ...         y = 1 / (1 + nd.exp(-x))
        ...         self.save_for_backward(y)
        ...         return y
        ...     def backward(self, dy):
        ...         y, = self.saved_tensors
        ...         return dy * y * (1 - y)
        >>> x = nd.zeros(2)
        >>> x.attach_grad()
        >>> with autograd.record():
        ...     y = Sigmoid()(x)
        >>> y.backward()
        >>> x.grad
        <BLANKLINE>
        [0.25 0.25]
        <NDArray 2 @cpu(0)>
    """

    def __init__(self) -> None:
        self._used = False
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *args: Any) -> None:
        """Keep arrays for `backward`, which finds them in `saved_tensors`."""
        self.saved_tensors = args

    def forward(self, *inputs: NDArray) -> Any:
        """Compute an array, or several; nothing in it is recorded."""
        raise NotImplementedError(f"{type(self).__name__}: no forward: expected a subclass to define `forward`.")

    def backward(self, *output_grads: NDArray) -> Any:
        """Return the gradient of each input, from those of the outputs."""
        raise NotImplementedError(f"{type(self).__name__}: no backward: expected a subclass to define `backward`.")

    def __call__(self, *inputs: NDArray) -> Any:
        """Call `forward`, and record it with its `backward` inside `record`.

        Raises:
            ArgumentError: The instance was called before.
            InputTypeError: Inside `record`, an input or output is not an NDArray.
        """
        if self._used:
            raise ArgumentError(
                f"{type(self).__name__}: called a second time: expected one call an instance. Make another instance."
            )
        self._used = True
        is_recording = MODES.recording
        MODES.recording = False
        try:
            outputs = self.forward(*inputs)
        finally:
            MODES.recording = is_recording
        if not is_recording:
            return outputs
        is_single = isinstance(outputs, NDArray)
        made: Sequence[NDArray] = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        for array in (*inputs, *made):
            if not isinstance(array, NDArray):
                raise InputTypeError(
                    f"{type(self).__name__}: wrong type: expected NDArrays in and out, got {type(array).__name__}."
                )
        if not any(a._t.requires_grad for a in inputs):
            return outputs
        tracked = _Recorded.apply(self, [a._plain() for a in made], *(a._active() for a in inputs))  # type: ignore[no-untyped-call]
        results = [a._like(t) for a, t in zip(made, tracked, strict=True)]
        note_outputs(results, type(self), inputs)
        return results[0] if is_single else type(outputs)(results)

    def _gradients(self, heads: Sequence[torch.Tensor], inputs: Sequence[tuple[torch.Size, torch.dtype]]) -> list[Any]:
        """Run `backward` outside recording, in the training mode that the pass was begun with."""
        name = type(self).__name__
        before = MODES.recording, MODES.training
        MODES.recording, MODES.training = False, MODES.backward_training
        try:
            found = self.backward(*(NDArray(h) for h in heads))
        finally:
            MODES.recording, MODES.training = before
        gradients = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(gradients) != len(inputs):
            raise MXNetError(
                f"{name}.backward: wrong number of gradients: expected {len(inputs)}, one for each input of forward, "
                f"got {len(gradients)}."
            )
        results = []
        for gradient, (shape, dtype) in zip(gradients, inputs, strict=True):
            if not isinstance(gradient, NDArray):
                raise MXNetError(f"{name}.backward: wrong gradient: expected NDArrays, got {type(gradient).__name__}.")
            try:
                results.append(gradient._plain().to(dtype).expand(shape))
            except RuntimeError as err:
                raise MXNetError(
                    f"{name}.backward: gradient does not fit its input: expected shape {tuple(shape)}, "
                    f"got {gradient.shape}."
                ) from err
        return results


class _Recorded(torch.autograd.Function):
    """A Function in torch's graph."""

    @staticmethod
    def forward(
        ctx: Any, function: Function, outputs: Sequence[torch.Tensor], *inputs: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        ctx.function = function
        ctx.inputs = [(t.shape, t.dtype) for t in inputs]
        aliases = tuple(t.detach() for t in outputs)
        ctx.mark_non_differentiable(*(t for t in aliases if not t.is_floating_point()))
        return aliases

    @staticmethod
    @once_differentiable(lambda ctx: type(ctx.function).__name__)
    def backward(ctx: Any, *heads: torch.Tensor) -> tuple[Any, ...]:
        gradients = ctx.function._gradients(heads, ctx.inputs)
        needed = ctx.needs_input_grad[2:]
        return (None, None, *(g if n else None for g, n in zip(gradients, needed, strict=True)))
