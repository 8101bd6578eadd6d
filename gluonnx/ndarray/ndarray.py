"""NDArray: a torch tensor behind MXNet's imperative array interface."""

import functools
import numbers
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from gluonnx.context import CPU, Context, of_device
from gluonnx.errors import FormatError, InputError, InputTypeError, MXNetError
from gluonnx.modes import MODES
from gluonnx.moved import names_of
from gluonnx.ndarray import indexing
from gluonnx.ndarray.origin import CONSTANT, OPAQUE, Origin
from gluonnx.ndarray.sharing import share
from gluonnx.ops.dtypes import BY_TORCH, as_dtype
from gluonnx.ops.shaping import plain_codes
from gluonnx.ops.table import TABLE

if TYPE_CHECKING:
    from gluonnx.ndarray.leaf import Leaf

__all__ = ["NDArray"]

ALL = slice(None)
py_slice = slice
"""The builtin, under the name that MXNet programs import, whose operators shadow it."""
MAX_RESHAPES = 1024
"""Shapes that `NDArray.reshape` remembers."""
_RESHAPES: dict[tuple[Any, ...], tuple[tuple[int, ...] | None, functools.partial[torch.Tensor]]] = {}
"""The sizes, if torch reads them as MXNet does, and the operator with its attributes."""
IN_GRAPH = (
    "NDArray: an array that is part of a recorded graph cannot be changed in place: expected an array outside the "
    "graph, got one that `autograd.record()` has tracked. Assign to a new array, or change it outside `record()`."
)
PART_FROM_GRAPH = (
    "NDArray: a part of an array cannot be set to a value that is part of a recorded graph, whose gradient would be "
    "lost: expected x[:] = value, an operator such as `concat`, or an assignment outside `record()`."
)

_STORAGE_TYPE_STR_TO_ID = {"undefined": -1, "default": 0, "row_sparse": 1, "csr": 2}
"""Codes of storage types, under the name that MXNet programs import."""


class NDArray:
    """A multi-dimensional array of one dtype on one context.

    Made by the functions of `gluonnx.nd` (`array`, `zeros`, ...) and by operators. It owns a `torch.Tensor`: `_t`.
    Inside `autograd.record()` operators read `_t` itself, outside it a view of it that is not tracked.

    Examples:
        >>> from gluonnx import nd
        >>> x = nd.array([[1, 2], [3, 4]])
        >>> (x * 2 + 1).sum(axis=0)
        <BLANKLINE>
        [10. 14.]
        <NDArray 2 @cpu(0)>
    """

    __slots__ = ("__weakref__", "_ctx", "_leaf", "_made", "_t")

    __array_priority__ = 1000.0

    _t: torch.Tensor
    _ctx: Context
    _leaf: "Leaf"
    _made: Any

    if TYPE_CHECKING:  # install_operators makes them from the table

        def __add__(self, other: Any) -> "NDArray": ...
        def __radd__(self, other: Any) -> "NDArray": ...
        def __iadd__(self, other: Any) -> "NDArray": ...
        def __sub__(self, other: Any) -> "NDArray": ...
        def __rsub__(self, other: Any) -> "NDArray": ...
        def __isub__(self, other: Any) -> "NDArray": ...
        def __mul__(self, other: Any) -> "NDArray": ...
        def __rmul__(self, other: Any) -> "NDArray": ...
        def __imul__(self, other: Any) -> "NDArray": ...
        def __truediv__(self, other: Any) -> "NDArray": ...
        def __rtruediv__(self, other: Any) -> "NDArray": ...
        def __itruediv__(self, other: Any) -> "NDArray": ...
        def __mod__(self, other: Any) -> "NDArray": ...
        def __pow__(self, other: Any) -> "NDArray": ...
        def __neg__(self) -> "NDArray": ...
        def __abs__(self) -> "NDArray": ...
        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, tensor: torch.Tensor) -> None:
        self._t = tensor

    # Facts -----------------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        return tuple(self._t.shape)

    @property
    def dtype(self) -> type[np.generic]:
        """Element type, as a numpy type."""
        return BY_TORCH[self._t.dtype].numpy.type

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._t.numel()

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._t.dim()

    @property
    def context(self) -> Context:
        """Where the array lives."""
        return of_device(self._t.device)

    @property
    def ctx(self) -> Context:
        """Where the array lives."""
        return self.context

    @property
    def stype(self) -> str:
        """Storage type: `"default"` (dense)."""
        return "default"

    @property
    def T(self) -> "NDArray":  # noqa: N802 - MXNet's name
        """A copy with the axes reversed."""
        result: NDArray = _op("transpose")(self)
        return result

    def __len__(self) -> int:
        if not self._t.dim():
            raise TypeError("NDArray: len() of an array without axes: expected at least 1 axis, got shape=().")
        return self._t.shape[0]

    def __bool__(self) -> bool:
        if self._t.numel() == 0:
            return False
        if self._t.numel() == 1:
            return bool(self._t.item())
        raise ValueError(
            "NDArray: the truth value of an array with several elements is ambiguous: expected one element, "
            f"got shape={self.shape}. Compare `.asnumpy()` with `.any()` or `.all()`."
        )

    def __hash__(self) -> int:
        return id(self) // 16

    def __repr__(self) -> str:
        shape = "x".join(str(d) for d in self.shape)
        return f"\n{self.asnumpy()!s}\n<{type(self).__name__.lstrip('_')} {shape} @{self.context}>"

    # Numpy, scalars, torch -------------------------------------------------------------------------------------------

    def asnumpy(self) -> npt.NDArray[Any]:
        """Return a numpy copy (bfloat16 as float32, which holds each of its values)."""
        t = self._t.detach()
        if t.dtype is torch.bfloat16:
            t = t.float()
        if t.device.type != "cpu":
            return t.cpu().numpy()
        return t.numpy().copy()

    def asscalar(self) -> Any:
        """Return the only element as a numpy scalar.

        Raises:
            ValueError: The array does not have exactly one element.
        """
        if self._t.numel() != 1:
            raise ValueError(f"NDArray: not a scalar: expected one element, got shape={self.shape}. Index it first.")
        return self.asnumpy().reshape(-1)[0]

    def item(self) -> Any:
        """Return the only element as a Python number."""
        return self.asscalar().item()

    def __float__(self) -> float:
        return float(self.asscalar())

    def __int__(self) -> int:
        return int(self.asscalar())

    def __index__(self) -> int:
        if self._t.is_floating_point():
            raise TypeError(f"NDArray: not an index: expected an integer dtype, got dtype={self.dtype.__name__}.")
        return int(self.asscalar())

    def as_torch(self) -> torch.Tensor:
        """Return the array as a torch tensor that shares its memory, tracked inside `record`."""
        share(self._plain())
        return self._active()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("NDArray: numpy gets a copy: expected copy=None or copy=True, got copy=False.")
        values = self.asnumpy()
        return values if dtype is None else values.astype(dtype, copy=False)

    def __dlpack__(self, **kwargs: Any) -> Any:
        plain = self._plain()
        share(plain)
        return plain.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, index = self._t.__dlpack_device__()
        return int(kind), int(index)

    def to_dlpack_for_read(self) -> Any:
        """Return a DLPack capsule that shares the memory."""
        return self.__dlpack__()

    def to_dlpack_for_write(self) -> Any:
        """Return a DLPack capsule that shares the memory, to be written through."""
        return self.__dlpack__()

    def __reduce__(self) -> tuple[Any, ...]:
        from gluonnx.ndarray.creation import from_numpy_state

        return from_numpy_state, (self.asnumpy(), BY_TORCH[self._t.dtype].name, self.context)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what a pickle that MXNet wrote holds; gluonnx pickles arrays in another way."""
        from gluonnx.ndarray.files import from_bytes

        handle = state.get("handle")
        if handle is None:
            raise FormatError("NDArray: pickle holds no values: expected MXNet's state with `handle`, got none.")
        self._t = from_bytes(bytes(handle))._t

    def __copy__(self) -> "NDArray":
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> "NDArray":
        return self.copy()

    # Copies and casts ------------------------------------------------------------------------------------------------

    def copy(self) -> "NDArray":
        """Return a copy on the same context."""
        return self._copied(self._like(self._active().clone()))

    def copyto(self, other: "NDArray | Context") -> "NDArray | Literal[False]":
        """Copy into an array of the same shape, or to a new array on a context; return what was written.

        Copying an array to itself warns and returns False.

        Raises:
            InputError: The shapes differ.
            InputTypeError: `other` is neither an array nor a context.
        """
        if isinstance(other, NDArray):
            if other is self:
                warnings.warn("NDArray.copyto: source and target are the same array: nothing is copied.", stacklevel=2)
                return False
            if other.shape != self.shape:
                raise InputError(f"NDArray.copyto: shapes differ: expected {self.shape}, got other={other.shape}.")
            other._write(self._active())
            return self._copied(other)
        if isinstance(other, Context):
            other.check_available()
            return self._copied(on_context(self._active().to(other.torch_device, copy=True), other))
        raise InputTypeError(
            f"NDArray.copyto: wrong target: expected an NDArray or Context, got {type(other).__name__}."
        )

    def as_in_context(self, context: Context) -> "NDArray":
        """Return the array itself if it lives on `context`, else a copy there."""
        if self.context == context:
            return self
        context.check_available()
        return self._copied(on_context(self._active().to(context.torch_device, copy=True), context))

    as_in_ctx = as_in_context

    def as_nd_ndarray(self) -> "NDArray":
        """Return the array itself: it is of the classic interface."""
        return self

    def astype(self, dtype: Any, copy: bool = True) -> "NDArray":
        """Return the array in another dtype; with `copy=False` the array itself if it has that dtype."""
        if dtype is None:
            dtype = "float32"
        target = as_dtype(dtype)
        t = self._t
        if target.torch is t.dtype:
            return self.copy() if copy else self
        if type(self) is NDArray and not t.requires_grad:
            return NDArray(t.to(target.torch))
        result: NDArray = _op("Cast")(self, dtype=target.name)
        return result

    def tostype(self, stype: str) -> "NDArray":
        """Return the array in another storage type.

        Raises:
            StorageError: Csr of what is no matrix.
            AttributeValueError: `stype` is no storage type.
        """
        result: NDArray = _op("cast_storage")(self, stype=stype)
        return result

    def detach(self) -> "NDArray":
        """Return an array with the same memory outside the recorded graph."""
        return self._like(self._t.detach())

    def wait_to_read(self) -> None:
        """Wait until the array is computed."""
        if self._t.device.type == "cuda":
            torch.cuda.synchronize(self._t.device)

    wait_to_write = wait_to_read

    # Shape -----------------------------------------------------------------------------------------------------------

    def reshape(self, *shape: Any, **kwargs: Any) -> "NDArray":
        """Return the array in another shape, sharing memory.

        Differs: a shape with fewer elements is an error; MXNet cuts the rest off.

        Args:
            *shape: The shape, as one tuple or as ints, with MXNet's codes 0, -1, -2, -3 and -4.
            **kwargs: `shape=` instead, and `reverse=True` to read the codes from the right.

        Raises:
            ValueError: The array has another number of elements.
        """
        if not kwargs:
            try:
                codes, bound = _RESHAPES[shape]
            except (KeyError, TypeError):  # a shape that is new, or a list
                pass
            else:
                t = self._t
                try:
                    if codes is not None and not t.requires_grad and type(self) is NDArray:
                        return NDArray(t.reshape(codes))
                    t = self._active()
                    result = self._like(bound(t) if codes is None else t.reshape(codes))
                except (RuntimeError, ValueError):
                    pass  # goes wrong again below, which says why
                else:
                    if t.requires_grad:
                        result._made = (bound, self._origin())
                    return result
        given = kwargs.pop("shape", None)
        reverse = kwargs.pop("reverse", False)
        if kwargs:
            raise TypeError(f"NDArray.reshape: unknown argument: expected shape or reverse, got {sorted(kwargs)}.")
        if given is None:
            given = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        if isinstance(given, numbers.Integral):
            given = (given,)
        reshape = TABLE["Reshape"]
        bound = functools.partial(reshape.forward, **reshape.parse({"shape": tuple(given), "reverse": reverse}))
        try:
            tensor = bound(self._active())
        except (RuntimeError, ValueError) as err:
            raise InputError(f"NDArray.reshape: cannot reshape {self.shape} into {tuple(given)}: {err}") from None
        if not reverse and shape and all(type(s) in (int, tuple) for s in shape):
            if len(_RESHAPES) >= MAX_RESHAPES:
                _RESHAPES.clear()
            _RESHAPES[shape] = plain_codes(**bound.keywords), bound
        result = self._like(tensor)
        if tensor.requires_grad:
            result._made = (bound, self._origin())
        return result

    def broadcast_to(self, shape: Sequence[int]) -> "NDArray":
        """Return a copy repeated along axes of size 1 to another shape, which may have more leading axes."""
        result: NDArray = _op("broadcast_to")(self.reshape((1,) * (len(shape) - self.ndim) + self.shape), shape=shape)
        return result

    # Indexing --------------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> "NDArray":
        if type(key) is slice and key == ALL:
            return self
        t = self._t
        if t.requires_grad:
            t = self._active()
        result = NDArray(indexing.read(t, key)) if type(self) is NDArray else self._like(indexing.read(t, key))
        if t.requires_grad:
            kept = key if type(key) is int or indexing.is_basic(key) else None
            result._made = (indexing.read, self._origin(), kept, t.dim())
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        target = self._writable()
        if MODES.recording and isinstance(value, NDArray) and value._t.requires_grad:
            if not (type(key) is slice and key == ALL):
                raise MXNetError(PART_FROM_GRAPH)
            try:
                self._write(value._t.expand(self.shape))
            except RuntimeError:
                raise ValueError(
                    f"NDArray: value does not fit: expected a shape that broadcasts to {self.shape}, got {value.shape}."
                ) from None
            return
        source = value._active() if isinstance(value, NDArray) else value
        with torch.no_grad():
            indexing.write(target, key, source)

    def __iter__(self) -> Iterator["NDArray"]:
        for i in range(len(self)):
            yield self[i]

    # Gradients -------------------------------------------------------------------------------------------------------

    def attach_grad(self, grad_req: str = "write", stype: str | None = None) -> None:
        """Make the array a variable: `backward` then leaves its gradient in `grad`.

        Args:
            grad_req: `"write"` (each backward replaces the gradient), `"add"` or `"null"`.
            stype: Storage type of the gradient; dense if None.
        """
        from gluonnx.ndarray.leaf import attach

        if stype is None or stype == "default":
            gradient = self._like(torch.zeros_like(self._t))
        else:
            from gluonnx.ndarray.sparse import zeros

            gradient = zeros(stype, self.shape, self.context, self.dtype)
        attach(self, gradient, grad_req)

    @property
    def grad(self) -> "NDArray | None":
        """The gradient array, None if the array is not a variable."""
        leaf = getattr(self, "_leaf", None)
        return None if leaf is None else leaf.grad

    @property
    def _fresh_grad(self) -> bool:
        """Whether a backward has reached the variable since the flag was cleared, under MXNet's name."""
        leaf = getattr(self, "_leaf", None)
        return leaf is not None and leaf.is_fresh

    @_fresh_grad.setter
    def _fresh_grad(self, is_fresh: bool) -> None:
        leaf = getattr(self, "_leaf", None)
        if leaf is not None:
            leaf.is_fresh = bool(is_fresh)

    def backward(self, out_grad: "NDArray | None" = None, retain_graph: bool = False, train_mode: bool = True) -> None:
        """Compute the gradients of every variable that this array was computed from.

        Args:
            out_grad: Gradient with respect to this array, ones if None.
            retain_graph: Keep the graph for another backward.
            train_mode: What `autograd.is_training()` says in the `backward` of a Function. Operators go by the mode
                that they were recorded in.
        """
        from gluonnx.ndarray.leaf import backward

        backward([self], [out_grad], retain_graph, train_mode)

    # Internals -------------------------------------------------------------------------------------------------------

    def _active(self) -> torch.Tensor:
        """The tensor that an operator reads now: tracked inside `record`, plain outside."""
        t = self._t
        return t if MODES.recording or not t.requires_grad else self._plain()

    def _plain(self) -> torch.Tensor:
        """The tensor outside any graph, sharing memory."""
        leaf = getattr(self, "_leaf", None)
        if leaf is not None and leaf.tracked() is self._t:
            plain: torch.Tensor = leaf.plain
            return plain
        return self._t.detach()

    def _writable(self) -> torch.Tensor:
        """The tensor to change in place.

        Raises:
            MXNetError: The array is part of a graph that is being recorded.
        """
        t = self._t
        if not t.requires_grad:
            return t
        if MODES.recording:
            raise MXNetError(IN_GRAPH)
        return self._plain()

    def _write(self, source: torch.Tensor) -> None:
        """Replace every element; `source` is converted to the dtype and device, or becomes the array if tracked."""
        if source.requires_grad and not self._t.requires_grad:
            self._t = source.to(self._t.dtype)
            return
        with torch.no_grad():
            self._writable().copy_(source.detach())

    def _like(self, tensor: torch.Tensor) -> "NDArray":
        """An array on the same context."""
        return NDArray(tensor)

    def _origin(self) -> Any:
        """What the array was made by, for an array that reads it (`gluonnx.ndarray.provenance`)."""
        try:
            return self._made
        except AttributeError:
            self._made = Origin(OPAQUE if self._t.requires_grad else CONSTANT)
            return self._made

    def _copied(self, copy: "NDArray") -> "NDArray":
        """A copy of the array, which knows that it is one if it is in a graph."""
        if MODES.recording and self._t.requires_grad and copy._t.requires_grad:
            copy._made = (TABLE["_copy"], self._origin())
        return copy


class ContextArray(NDArray):
    """An NDArray on a context that its torch device does not tell: `cpu(1)`, `cpu_pinned(0)`, `cpu_shared(0)`."""

    __slots__ = ()

    def __init__(self, tensor: torch.Tensor, ctx: Context) -> None:
        super().__init__(tensor)
        self._ctx = ctx

    @property
    def context(self) -> Context:
        """Where the array lives."""
        return self._ctx

    def __repr__(self) -> str:
        return super().__repr__().replace("<ContextArray", "<NDArray", 1)

    def _like(self, tensor: torch.Tensor) -> NDArray:
        return ContextArray(tensor, self._ctx)


def on_context(tensor: torch.Tensor, ctx: Context) -> NDArray:
    """Return an array over a tensor that is already on the context's device."""
    if ctx == CPU or ctx.device_typeid == 2:
        return NDArray(tensor)
    return ContextArray(tensor, ctx)


def _op(name: str) -> Callable[..., Any]:
    from gluonnx.ndarray.register import function

    return function(name)


__getattr__ = names_of(__name__, "gluonnx.ndarray")
