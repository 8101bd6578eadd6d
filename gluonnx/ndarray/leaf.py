"""Variables and the backward pass: torch's autograd behind MXNet's gradient buffers."""

import sys
import weakref
from collections.abc import Callable, Sequence

import torch

from gluonnx.errors import InputError, InputTypeError, MXNetError
from gluonnx.modes import MODES
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.origin import CONSTANT, VARIABLE, Origin
from gluonnx.ndarray.sparse_array import BaseSparseNDArray, CSRNDArray, RowSparseNDArray
from gluonnx.ops.blocking import Behind, any_blocked, reachable
from gluonnx.ops.storage import without_graph

GRAD_REQS = ("write", "add", "null")

_storage_users: Callable[[int], int] = torch._C._storage_Use_Count
"""How many tensors and storage objects hold a storage."""

SPARSE_TYPES = frozenset({CSRNDArray, RowSparseNDArray})

NOT_IN_GRAPH = (
    "autograd: an array cannot be differentiated because it is not in a recorded graph: expected an array computed "
    "inside `with autograd.record():` from a variable, and a graph that an earlier backward has not freed. "
    "Call `attach_grad()` on an input, record the forward, or pass `retain_graph=True` to the earlier backward."
)


class Leaf:
    """What makes an array a variable.

    Attributes:
        tracked: Gives the tensor that graphs are recorded from. Its hook holds the leaf; were it held in turn, neither
            would ever be freed, for Python's collector does not see through the hook.
        plain: The same memory outside any graph.
        grad: The gradient array, None under `grad_req="null"`.
        grad_req: `"write"`, `"add"` or `"null"`.
        is_fresh: Whether a backward has reached it since the flag was last cleared.
    """

    __slots__ = ("__weakref__", "grad", "grad_req", "is_fresh", "plain", "tracked")

    def __init__(self, tracked: torch.Tensor, plain: torch.Tensor, grad: NDArray | None, grad_req: str) -> None:
        self.tracked = weakref.ref(tracked)
        self.plain = plain
        self.grad = grad
        self.grad_req = grad_req
        self.is_fresh = False

    def receive(self, tensor: torch.Tensor) -> None:
        """Take the gradient that torch has accumulated for this backward."""
        gradient = tensor.grad
        if gradient is None or self.grad is None:
            return
        tensor.grad = None
        buffer = self.grad
        if type(buffer) in SPARSE_TYPES:
            buffer._take_gradient(gradient, adds=self.grad_req == "add")
        elif self.grad_req == "write":
            if gradient.is_sparse:
                gradient = gradient.to_dense()
            if not _is_alone(buffer):
                buffer._t.copy_(gradient)
            elif gradient._is_zerotensor():  # a derivative that is 0 everywhere may come without memory
                buffer._t = torch.zeros_like(tensor)
            else:
                buffer._t = gradient
        else:
            buffer._t.add_(gradient)
        self.is_fresh = True


def _is_alone(buffer: NDArray) -> bool:
    """Whether nothing else sees the memory of a gradient array: no slice of it, no array that it is a slice of.

    Then the gradient array takes over the memory that torch computed a gradient in. Otherwise the gradient has to be
    copied into the memory that is seen.
    """
    held = buffer._t
    # The tensor and the storage object asked for; `held`, the array's slot and the argument.
    return _storage_users(held.untyped_storage()._cdata) == 2 and sys.getrefcount(held) == 3


def check_grad_req(grad_req: str) -> None:
    """Raise ValueError unless `grad_req` is one of MXNet's."""
    if grad_req not in GRAD_REQS:
        raise ValueError(f"grad_req: unknown value: expected one of {', '.join(GRAD_REQS)}, got {grad_req!r}.")


def attach(array: NDArray, grad: NDArray | None, grad_req: str) -> None:
    """Make an array a variable whose gradients go to `grad`; its earlier graph is forgotten.

    Raises:
        MXNetError: The dtype has no gradients.
    """
    check_grad_req(grad_req)
    if isinstance(array, BaseSparseNDArray):
        _attach_sparse(array, grad, grad_req)
        return
    plain = array._t.detach()
    array._made = Origin(VARIABLE)
    if grad_req == "null":
        array._t = plain
        array._leaf = Leaf(plain, plain, None, "null")
        return
    _check_floating(plain, array)
    tracked = plain.detach().requires_grad_(True)
    leaf = Leaf(tracked, plain, grad, grad_req)
    tracked.register_post_accumulate_grad_hook(leaf.receive)  # type: ignore[no-untyped-call]
    array._t = tracked
    array._leaf = leaf


def attach_untracked(array: NDArray, grad: NDArray, grad_req: str) -> None:
    """Give a dense array that no graph can track (of integers) a gradient, which no backward writes."""
    check_grad_req(grad_req)
    array._t = array._t.detach()
    array._leaf = Leaf(array._t, array._t, grad, grad_req)


def _attach_sparse(array: BaseSparseNDArray, grad: NDArray | None, grad_req: str) -> None:
    if grad_req == "null":
        values = array._s.values
        array._s = without_graph(array._s)
        array._leaf = Leaf(values, values, None, "null")
        return
    _check_floating(array._s.values, array)
    tracked = array._become_variable()
    array._made = Origin(VARIABLE)
    leaf = Leaf(tracked, array._s.values, grad, grad_req)
    tracked.register_post_accumulate_grad_hook(leaf.receive)  # type: ignore[no-untyped-call]
    array._leaf = leaf


def _check_floating(values: torch.Tensor, array: NDArray) -> None:
    if not values.is_floating_point():
        raise MXNetError(
            f"attach_grad: no gradient for this dtype: expected a float dtype, got {array.dtype.__name__}. "
            "Cast with `.astype('float32')`."
        )


def backward(
    heads: Sequence[NDArray],
    head_grads: Sequence[NDArray | None],
    retain_graph: bool = False,
    train_mode: bool = True,
) -> None:
    """Run the backward pass from `heads`.

    Args:
        heads: Arrays computed inside `record`.
        head_grads: Gradient with respect to each, None for ones.
        retain_graph: Keep the graph for another backward; else the heads are in no graph any more.
        train_mode: What `is_training()` says in the `backward` of a Function.

    Raises:
        MXNetError: A head is not in a graph, or its graph was freed.
    """
    tensors, gradients = once(tracked_heads(heads), head_grads)
    reached, passed = _reached(tensors) if any_blocked() else ((), ())
    with_mode = train_mode != MODES.backward_training
    if with_mode:
        MODES.backward_training = train_mode
    try:
        torch.autograd.backward(tensors, gradients, retain_graph=retain_graph)
    except RuntimeError as err:
        raise explain(err) from err
    finally:
        if with_mode:
            MODES.backward_training = not train_mode
    for variable, leaf in reached:
        if not leaf.is_fresh:
            variable.grad = torch.zeros_like(leaf.plain)
            leaf.receive(variable)
    if not retain_graph:
        for behind in passed:
            behind.nodes.clear()
        release(heads)


def _reached(tensors: Sequence[torch.Tensor]) -> tuple[Sequence[tuple[torch.Tensor, Leaf]], Sequence[Behind]]:
    """Return the variables that heads were computed from, no longer fresh, and the blocked tensors on the way.

    MXNet leaves zeros in a variable that no gradient reaches because each way to it is blocked.
    """
    variables, passed = reachable(tensors)
    found = []
    for variable in variables:
        hooks = getattr(variable, "_post_accumulate_grad_hooks", None) or {}
        for hook in hooks.values():
            leaf = getattr(hook, "__self__", None)
            if isinstance(leaf, Leaf):
                leaf.is_fresh = False
                found.append((variable, leaf))
    return found, passed


def once(
    tensors: Sequence[torch.Tensor], head_grads: Sequence[NDArray | None]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return heads and their gradients; one that is given twice counts once, with the last of its gradients.

    Raises:
        InputError: A head gradient has another number of elements than its head.
        InputTypeError: A head gradient is not an array.
    """
    gradients = _head_gradients(tensors, head_grads)
    if len(tensors) == 1:
        return list(tensors), gradients
    last = {id(t): i for i, t in enumerate(tensors)}
    kept = [i for i, t in enumerate(tensors) if last[id(t)] == i]
    return [tensors[i] for i in kept], [gradients[i] for i in kept]


def tracked_heads(heads: Sequence[NDArray]) -> list[torch.Tensor]:
    """Return the tensors to differentiate.

    Raises:
        MXNetError: There are none, or one is not in a graph.
    """
    if not heads:
        raise MXNetError("autograd: nothing to differentiate: expected at least one head, got none.")
    tensors = []
    for head in heads:
        if not isinstance(head, NDArray):
            raise InputTypeError(f"autograd: wrong head: expected NDArrays, got {type(head).__name__}.")
        tensors.append(head._t)
        if not tensors[-1].requires_grad:
            raise MXNetError(NOT_IN_GRAPH)
    return tensors


def _head_gradients(tensors: Sequence[torch.Tensor], given: Sequence[NDArray | None]) -> list[torch.Tensor]:
    """Return the gradient with respect to each head, ones where none is given.

    Raises:
        InputError: One has another number of elements than its head.
        InputTypeError: One is not an array.
    """
    found = []
    for t, gradient in zip(tensors, given, strict=True):
        if gradient is None:
            found.append(torch.ones_like(t, requires_grad=False))
            continue
        if not isinstance(gradient, NDArray):
            raise InputTypeError(
                f"autograd: wrong head gradient: expected an NDArray or None, got {type(gradient).__name__}."
            )
        whole = gradient._t  # of a sparse array: its dense form
        if whole.numel() != t.numel():
            raise InputError(
                f"autograd: a head gradient does not fit its head: expected shape {tuple(t.shape)}, "
                f"got {gradient.shape}. Pass one of as many elements, or None for ones."
            )
        found.append(whole.reshape(t.shape).to(t.dtype))
    return found


def release(heads: Sequence[NDArray]) -> None:
    """Take arrays out of the graph that a backward has gone through; variables stay."""
    for head in heads:
        if isinstance(head, BaseSparseNDArray):
            if head._s.graph is None or head._s.graph.is_leaf:
                continue
            head._s = without_graph(head._s)
        elif head._t.is_leaf:
            continue
        else:
            head._t = head._t.detach()
        head._made = Origin(CONSTANT)


def explain(err: RuntimeError) -> MXNetError:
    """Return what a failed backward means in MXNet's terms."""
    if isinstance(err, MXNetError):
        return err
    text = str(err)
    if "second time" in text:
        return MXNetError(NOT_IN_GRAPH)
    if "modified by an inplace operation" in text:
        return MXNetError(
            "autograd: an array that the backward pass needs was changed in place after it was recorded: expected "
            "arrays to stay as they were until `backward()`. Change them after it."
        )
    return MXNetError(f"autograd: backward failed: {text}")
