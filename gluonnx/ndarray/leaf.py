"""Variables and the backward pass: torch's autograd behind MXNet's gradient buffers."""

from collections.abc import Sequence

import torch

from gluonnx.errors import MXNetError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sparse_array import BaseSparseNDArray, CSRNDArray, RowSparseNDArray
from gluonnx.ops.storage import without_graph

GRAD_REQS = ("write", "add", "null")

SPARSE_TYPES = frozenset({CSRNDArray, RowSparseNDArray})

NOT_IN_GRAPH = (
    "autograd: an array cannot be differentiated because it is not in a recorded graph: expected an array computed "
    "inside `with autograd.record():` from a variable, and a graph that an earlier backward has not freed. "
    "Call `attach_grad()` on an input, record the forward, or pass `retain_graph=True` to the earlier backward."
)


class Leaf:
    """What makes an array a variable.

    Attributes:
        tracked: The tensor that graphs are recorded from.
        plain: The same memory outside any graph.
        grad: The gradient array, None under `grad_req="null"`.
        grad_req: `"write"`, `"add"` or `"null"`.
        is_fresh: Whether a backward has reached it since the flag was last cleared.
    """

    __slots__ = ("__weakref__", "grad", "grad_req", "is_fresh", "plain", "tracked")

    def __init__(self, tracked: torch.Tensor, plain: torch.Tensor, grad: NDArray | None, grad_req: str) -> None:
        self.tracked = tracked
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
            # A derivative that is 0 everywhere may come without memory.
            buffer._t = torch.zeros_like(tensor) if gradient._is_zerotensor() else gradient
        else:
            buffer._t.add_(gradient)
        self.is_fresh = True


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
    leaf = Leaf(tracked, tracked, grad, grad_req)
    tracked.register_post_accumulate_grad_hook(leaf.receive)  # type: ignore[no-untyped-call]
    array._leaf = leaf


def _check_floating(values: torch.Tensor, array: NDArray) -> None:
    if not values.is_floating_point():
        raise MXNetError(
            f"attach_grad: no gradient for this dtype: expected a float dtype, got {array.dtype.__name__}. "
            "Cast with `.astype('float32')`."
        )


def backward(heads: Sequence[NDArray], head_grads: Sequence[NDArray | None], retain_graph: bool = False) -> None:
    """Run the backward pass from `heads`.

    Args:
        heads: Arrays computed inside `record`.
        head_grads: Gradient with respect to each, None for ones.
        retain_graph: Keep the graph for another backward.

    Raises:
        MXNetError: A head is not in a graph, or its graph was freed.
    """
    tensors = [h._t for h in heads]
    for t in tensors:
        if not t.requires_grad:
            raise MXNetError(NOT_IN_GRAPH)
    gradients = [
        torch.ones_like(t, requires_grad=False) if g is None else g._t.detach().reshape(t.shape).to(t.dtype)
        for t, g in zip(tensors, head_grads, strict=True)
    ]
    try:
        torch.autograd.backward(tensors, gradients, retain_graph=retain_graph)
    except RuntimeError as err:
        raise explain(err) from err


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
