"""Recording and gradients: `mx.autograd`, on torch's autograd.

Nothing is tracked outside `record()`. `backward` leaves gradients in the arrays that `attach_grad()` made variables.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch

from gluonnx.custom_function import Function
from gluonnx.errors import ArgumentError, InputError, InputTypeError, MXNetError, NotSupportedError
from gluonnx.modes import MODES
from gluonnx.ndarray.leaf import attach, explain, once, release, tracked_heads
from gluonnx.ndarray.leaf import backward as _backward
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sparse_array import BaseSparseNDArray, gradient_array
from gluonnx.ops.blocking import reachable
from gluonnx.ops.derivative import refusal
from gluonnx.recorded import get_symbol

__all__ = [
    "Function",
    "NDArray",
    "backward",
    "get_symbol",
    "grad",
    "is_recording",
    "is_training",
    "mark_variables",
    "pause",
    "predict_mode",
    "record",
    "set_recording",
    "set_training",
    "train_mode",
]


def is_recording() -> bool:
    """Whether operators are being recorded in this thread."""
    return MODES.recording


def is_training() -> bool:
    """Whether operators behave as in training in this thread."""
    return MODES.training


def set_recording(is_recording: bool) -> bool:
    """Switch recording and return the previous state."""
    previous = MODES.recording
    MODES.recording = bool(is_recording)
    return previous


def set_training(train_mode: bool) -> bool:
    """Switch training mode and return the previous state."""
    previous = MODES.training
    MODES.training = bool(train_mode)
    return previous


class _Scope:
    """Sets recording and training mode (None: leaves it) for the body of a `with`."""

    __slots__ = ("_previous", "_recording", "_training")

    def __init__(self, recording: bool | None, training: bool | None) -> None:
        self._recording = recording
        self._training = training
        self._previous: list[tuple[bool, bool, bool]] = []

    def __enter__(self) -> None:
        grad_enabled = torch.is_grad_enabled()
        self._previous.append((MODES.recording, MODES.training, grad_enabled))
        if self._recording is not None:
            MODES.recording = self._recording
            if self._recording and not grad_enabled:
                torch.set_grad_enabled(True)
        if self._training is not None:
            MODES.training = self._training

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        MODES.recording, MODES.training, grad_enabled = self._previous.pop()
        if grad_enabled != torch.is_grad_enabled():
            torch.set_grad_enabled(grad_enabled)


def record(train_mode: bool = True) -> _Scope:
    """Record operators for gradients in the body of a `with`.

    Args:
        train_mode: Whether operators also behave as in training (Dropout drops, BatchNorm uses the batch).

    Examples:
        >>> from gluonnx import autograd, nd
        >>> x = nd.array([1.0, 2.0])
        >>> x.attach_grad()
        >>> with autograd.record():
        ...     y = (x * x).sum()
        >>> y.backward()
        >>> x.grad
        <BLANKLINE>
        [2. 4.]
        <NDArray 2 @cpu(0)>
    """
    return _Scope(True, train_mode)


def pause(train_mode: bool = False) -> _Scope:
    """Stop recording in the body of a `with`."""
    return _Scope(False, train_mode)


def train_mode() -> _Scope:
    """Let operators behave as in training in the body of a `with`, without recording."""
    return _Scope(None, True)


def predict_mode() -> _Scope:
    """Let operators behave as in inference in the body of a `with`, recording or not."""
    return _Scope(None, False)


def mark_variables(
    variables: NDArray | Sequence[NDArray],
    gradients: NDArray | Sequence[NDArray],
    grad_reqs: str | Sequence[str] = "write",
) -> None:
    """Make arrays variables whose gradients go to given arrays.

    Args:
        variables: The arrays.
        gradients: An array of the same shape for each.
        grad_reqs: `"write"`, `"add"` or `"null"`, one for all or one for each.

    Raises:
        ArgumentError: The lengths differ.
        InputTypeError: Something is not an NDArray.
        InputError: A gradient array has another shape or dtype than its variable.
    """
    if isinstance(variables, NDArray):
        variables = [variables]
    if isinstance(gradients, NDArray):
        gradients = [gradients]
    if isinstance(grad_reqs, str):
        grad_reqs = [grad_reqs] * len(variables)
    if not len(variables) == len(gradients) == len(grad_reqs):
        raise ArgumentError(
            f"mark_variables: lengths differ: expected {len(variables)}, one for each variable, got {len(gradients)} "
            f"gradients and {len(grad_reqs)} grad_reqs."
        )
    for variable, gradient, grad_req in zip(variables, gradients, grad_reqs, strict=True):
        for array in (variable, gradient):
            if not isinstance(array, NDArray):
                raise InputTypeError(f"mark_variables: not an array: expected NDArrays, got {type(array).__name__}.")
        if grad_req != "null" and (gradient.shape != variable.shape or gradient.dtype is not variable.dtype):
            raise InputError(
                f"mark_variables: a gradient array does not fit its variable: expected {variable.shape} "
                f"{variable.dtype.__name__}, got {gradient.shape} {gradient.dtype.__name__}."
            )
        attach(variable, gradient, grad_req)


def backward(
    heads: NDArray | Sequence[NDArray],
    head_grads: "NDArray | Sequence[NDArray | None] | None" = None,
    retain_graph: bool = False,
    train_mode: bool = True,
) -> None:
    """Compute the gradients of every variable that `heads` were computed from.

    A variable that the heads were computed from, but that no gradient reaches (each way to it is blocked by BlockGrad,
    argmax, a comparison), gets zeros.

    Args:
        heads: Arrays computed inside `record`. One that is given twice counts once, with the last of its gradients.
        head_grads: Gradient with respect to each head; None for ones.
        retain_graph: Keep the graph for another backward. Otherwise the heads are in no graph any more.
        train_mode: What `is_training()` says in the `backward` of a Function.

    Differs: operators go by the mode that they were recorded in; MXNet's Dropout, BatchNorm and rrelu take
        `train_mode`, so that their gradients are those of another function if it is not the recorded one. An array in
        the middle of a graph that a backward has freed can be differentiated where its operators kept nothing for it;
        MXNet refuses.

    Differs: results of integer dtype are in no graph: torch has no gradients of integers. A head gradient of another
        size than its head is an error; MXNet reads its beginning. One of another dtype is converted; MXNet refuses.

    Raises:
        MXNetError: A head is not in a recorded graph, or an earlier backward has freed it.
        InputError: A head gradient does not fit its head.
    """
    heads, given = _pair(heads, head_grads)
    _backward(heads, given, retain_graph, train_mode)


def grad(
    heads: NDArray | Sequence[NDArray],
    variables: NDArray | Sequence[NDArray],
    head_grads: "NDArray | Sequence[NDArray | None] | None" = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    train_mode: bool = True,
) -> list[NDArray]:
    """Return the gradients of `heads` with respect to `variables`, as a list even for one variable.

    The variables' own `grad` stays as it is. The gradient of a variable that is only reached through operators without
    one is 0.

    Args:
        heads: Arrays computed inside `record`.
        variables: Arrays that `attach_grad()` made variables.
        head_grads: Gradient with respect to each head; None for ones.
        retain_graph: Keep the graph for another backward; as `create_graph` if None. Otherwise the heads are in no
            graph any more.
        create_graph: Record the gradients too, for higher-order gradients.
        train_mode: See `backward`.

    Raises:
        MXNetError: A head is not in a recorded graph, or does not depend on a variable, or a variable is none.
        ArgumentError: There are no variables.
        NotSupportedError: A second derivative was asked of an operator that has none.
    """
    heads, given = _pair(heads, head_grads)
    wanted = [variables] if isinstance(variables, NDArray) else list(variables)
    if not wanted:
        raise ArgumentError("autograd.grad: variables cannot be an empty list: expected at least one, got none.")
    for position, array in enumerate(wanted):
        leaf = getattr(array, "_leaf", None)
        if leaf is None or leaf.grad_req == "null":
            raise MXNetError(
                f"autograd.grad: cannot differentiate with respect to variable {position}, which does not require a "
                "gradient: expected an array that `attach_grad()` made a variable, got another."
            )
    tensors, gradients = once(tracked_heads(heads), given)
    retains = create_graph if retain_graph is None else retain_graph
    before = MODES.backward_training
    MODES.backward_training = train_mode
    try:
        found = torch.autograd.grad(
            tensors,
            [_tracked(v) for v in wanted],
            gradients,
            retain_graph=retains,
            create_graph=create_graph,
            allow_unused=True,
        )
    except RuntimeError as err:
        raise explain(err) from err
    finally:
        MODES.backward_training = before
    results = []
    for array, gradient in zip(wanted, found, strict=True):
        if gradient is None:
            reason = next((r for r in map(refusal, tensors) if r is not None), None)
            if reason is not None:
                raise NotSupportedError(reason)
            if any(v is _tracked(array) for v in reachable(tensors)[0]):
                gradient = torch.zeros_like(_tracked(array), requires_grad=False)
        if gradient is None:
            raise MXNetError(
                f"autograd.grad: the heads do not depend on a variable of shape {array.shape}: expected variables that "
                "the recorded graph uses. Leave it out of `variables`."
            )
        if create_graph:
            dense = gradient.to_dense() if gradient.is_sparse else gradient
            gradient = _in_graph(dense, _tracked(array))
        results.append(gradient_array(gradient, array.context) if gradient.is_sparse else array._like(gradient))
    if not retains:
        release(heads)
    return results


def _tracked(variable: NDArray) -> torch.Tensor:
    """The tensor that a variable's graphs are recorded from."""
    held = variable._s.graph if isinstance(variable, BaseSparseNDArray) else None
    return variable._t if held is None else held


class _Constant(torch.autograd.Function):
    """A gradient that does not depend on its variable, as a node of the graph: its own gradient is 0."""

    @staticmethod
    def forward(ctx: Any, gradient: torch.Tensor, variable: torch.Tensor) -> torch.Tensor:
        ctx.like = variable.detach()
        return gradient.detach() if not gradient._is_zerotensor() else torch.zeros_like(variable)

    @staticmethod
    def backward(ctx: Any, *heads: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, torch.zeros_like(ctx.like)


def _in_graph(gradient: torch.Tensor, variable: torch.Tensor) -> torch.Tensor:
    """A gradient of which a gradient can be taken: one that torch found to be constant has the gradient 0."""
    if gradient.requires_grad and not gradient._is_zerotensor():
        return gradient
    result: torch.Tensor = _Constant.apply(gradient, variable)  # type: ignore[no-untyped-call]
    return result


def _pair(
    heads: NDArray | Sequence[NDArray], head_grads: "NDArray | Sequence[NDArray | None] | None"
) -> tuple[list[NDArray], list[NDArray | None]]:
    listed = [heads] if isinstance(heads, NDArray) else list(heads)
    if head_grads is None:
        return listed, [None] * len(listed)
    given: list[NDArray | None] = [head_grads] if isinstance(head_grads, NDArray) else list(head_grads)
    if len(given) != len(listed):
        raise ArgumentError(
            f"autograd: heads and head_grads differ in length: expected {len(listed)}, got {len(given)} head_grads."
        )
    return listed, given
