"""Parameter: values, gradients and their deferred creation."""

import itertools
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gluonnx import initializer
from gluonnx.context import Context, cpu, current_context
from gluonnx.errors import (
    DeferredInitializationError,
    ParameterError,
    ParameterMismatchError,
)
from gluonnx.gluon.parameter_description import Description
from gluonnx.ndarray.creation import arange, zeros
from gluonnx.ndarray.creation import array as make_array
from gluonnx.ndarray.leaf import GRAD_REQS, attach, attach_untracked
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sparse_array import BaseSparseNDArray, RowSparseNDArray
from gluonnx.ops.dtypes import as_dtype

if TYPE_CHECKING:
    from gluonnx.gluon.trainer import Trainer

__all__ = ["Parameter"]

DTYPE_SOURCES = ("current", "saved")
UNTOUCHED_BYTES = 1 << 20
"""Size from which on zeros come from the system untouched; smaller ones are faster from torch's allocator."""


class Replacements:
    """Tells whether any parameter's arrays were replaced since `stamp` was read.

    Writes into an array are told by torch's version counters; this is for what they cannot tell.
    """

    __slots__ = ("_numbers", "stamp")

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.stamp = 0

    def note(self) -> None:
        """Change the stamp, to a number that it never was."""
        self.stamp = next(self._numbers)


REPLACEMENTS = Replacements()


class Parameter(Description):
    """A block's array, one copy on each context, with its gradient.

    Differs: the gradient of a parameter of integers stays 0; MXNet computes one, in integers.

    Args:
        name: Name of the parameter, with the block's prefix.
        grad_req: `"write"` (each backward replaces the gradient), `"add"` (adds; call `zero_grad()`), or `"null"`.
        shape: Shape; 0 marks a dimension that the first forward tells. None: nothing is known yet.
        dtype: Element type.
        lr_mult: Multiplies the learning rate.
        wd_mult: Multiplies the weight decay.
        init: Initializer; the one given to `initialize` if None.
        allow_deferred_init: Whether `initialize` may be called before the shape is known.
        differentiable: Whether it can have a gradient; without, `grad_req` is `"null"`.
        stype: Storage type of the data.
        grad_stype: Storage type of the gradient.

    Examples:
        >>> import gluonnx as mx
        >>> w = mx.gluon.Parameter("weight", shape=(2, 2), init=mx.init.One())
        >>> w.initialize()
        >>> w.data()
        <BLANKLINE>
        [[1. 1.]
         [1. 1.]]
        <NDArray 2x2 @cpu(0)>
    """

    def __init__(
        self,
        name: str,
        grad_req: str = "write",
        shape: int | Sequence[int] | None = None,
        dtype: Any = np.float32,
        lr_mult: float = 1.0,
        wd_mult: float = 1.0,
        init: Any = None,
        allow_deferred_init: bool = False,
        differentiable: bool = True,
        stype: str = "default",
        grad_stype: str = "default",
    ) -> None:
        super().__init__(name, shape, dtype, lr_mult, wd_mult, init, stype, grad_stype)
        self.allow_deferred_init = allow_deferred_init
        self._differentiable = differentiable
        self._is_sparse = stype != "default"
        self._arrays: list[NDArray] = []
        self._contexts: list[Context] = []
        self._deferred: _Deferred | None = None
        self._trainer: Trainer | None = None
        self._grad_req = "null"
        self.grad_req = grad_req

    # Facts -----------------------------------------------------------------------------------------------------------

    @property
    def grad_req(self) -> str:
        """`"write"`, `"add"` or `"null"`; can be set before or after initialization."""
        return self._grad_req

    @grad_req.setter
    def grad_req(self, req: str) -> None:
        if req not in GRAD_REQS:
            raise ParameterMismatchError(
                f"Parameter `{self.name}`: unknown grad_req: expected one of {', '.join(GRAD_REQS)}, got {req!r}."
            )
        if not self._differentiable:
            req = "null"
        if req == self._grad_req:
            return
        self._grad_req = req
        for array in self._arrays:
            self._attach(array)

    @property
    def dtype(self) -> Any:
        """Element type; setting it casts the values."""
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        self.cast(dtype)

    def list_ctx(self) -> list[Context]:
        """Return the contexts on which the parameter is, or will be, initialized.

        Raises:
            ParameterError: It has not been initialized.
        """
        if not self._arrays:
            if self._deferred is not None:
                return list(self._deferred.contexts)
            raise ParameterError(
                f"Parameter '{self.name}' has not been initialized: expected a call of `initialize()`."
            )
        return list(self._contexts)

    # Creation --------------------------------------------------------------------------------------------------------

    def initialize(
        self,
        init: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        default_init: Any = None,
        force_reinit: bool = False,
    ) -> None:
        """Create data and gradient, now or as soon as the shape is known.

        Args:
            init: Initializer; overrides the parameter's own and `default_init`.
            ctx: Context, or several for a copy on each; the current context if None.
            default_init: Initializer if neither `init` nor the parameter's own is given; `Uniform()` if None.
            force_reinit: Initialize again if it is already; otherwise that is a warning.

        Raises:
            ParameterError: The shape is unknown and deferred initialization is not allowed.
        """
        if self._arrays and not force_reinit:
            warnings.warn(
                f"Parameter '{self.name}' is already initialized, ignoring. Set force_reinit=True to re-initialize.",
                stacklevel=2,
            )
            return
        contexts = _contexts(ctx)
        for context in contexts:
            context.check_available()
        if default_init is None:
            default_init = initializer.Uniform()
        chosen = init if init is not None else self.init if self.init is not None else default_init
        deferred = _Deferred(chosen, contexts, default_init, None)
        if not self._is_known():
            if not self.allow_deferred_init:
                raise ParameterError(
                    f"Cannot initialize Parameter '{self.name}' because it has invalid shape: {self._shape}. Give "
                    "every dimension, or pass allow_deferred_init=True."
                )
            self._arrays, self._contexts = [], []
            self._deferred = deferred
            REPLACEMENTS.note()
            return
        self._create(deferred)

    def _finish_deferred_init(self) -> None:
        """Create data and gradient if `initialize` was called before the shape was known."""
        if self._deferred is None:
            return
        if not self._is_known():
            raise ParameterMismatchError(
                f"Cannot initialize Parameter '{self.name}' because it has invalid shape: {self._shape}. Please "
                "specify in_units, in_channels, etc for `Block`s."
            )
        self._create(self._deferred)

    def _create(self, deferred: "_Deferred") -> None:
        assert self._shape is not None
        value = deferred.value
        if value is None:
            value = zeros(self._shape, ctx=cpu(), dtype=self._dtype)
            description = initializer.InitDesc(self.name, {"__init__": deferred.init})
            initializer.create(deferred.default_init)(description, value)
        self._deferred = None
        self._place(value, deferred.contexts)

    def _place(self, value: NDArray, contexts: Sequence[Context], *, takes_over: bool = False) -> None:
        """Put copies of a value on contexts; with `takes_over`, its own memory becomes the parameter's where it can."""
        self._contexts = list(contexts)
        if isinstance(value, BaseSparseNDArray):
            value = value.tostype("default")
        if takes_over and type(value) is NDArray and contexts == [value.context] and self._is_of(value):
            copies = [NDArray(value._plain())]
        else:
            copies = [make_array(value, ctx=c, dtype=self._dtype) for c in contexts]
        self._arrays = [self._stored(copy) for copy in copies]
        for array in self._arrays:
            self._attach(array)
        REPLACEMENTS.note()

    def _is_of(self, value: NDArray) -> bool:
        """Whether a value has the parameter's element type."""
        return self._dtype is None or as_dtype(self._dtype) == as_dtype(value.dtype)

    def _stored(self, array: NDArray) -> NDArray:
        """A dense array in the parameter's storage type; a row_sparse one holds every row."""
        if self._stype == "default":
            return array
        held = array.tostype(self._stype)
        if isinstance(held, RowSparseNDArray):
            held.fill_up()
        return held

    def _attach(self, array: NDArray) -> None:
        gradient: NDArray | None = None
        if self._grad_req != "null":
            leaf = getattr(array, "_leaf", None)
            gradient = (
                leaf.grad
                if leaf is not None and leaf.grad is not None
                else zeros(array.shape, array.context, array.dtype, stype=self._grad_stype)
                if self._grad_stype != "default"
                else zeros_like(array)
            )
        if gradient is not None and array.stype == "default" and not array._t.is_floating_point():
            attach_untracked(array, gradient, self._grad_req)
            return
        attach(array, gradient, self._grad_req)

    def _load_init(
        self,
        data: NDArray,
        ctx: Context | Sequence[Context] | None,
        cast_dtype: bool = False,
        dtype_source: str = "current",
        *,
        takes_over: bool = False,
    ) -> None:
        """Take values from a file; with `takes_over`, with the memory they are in.

        Raises:
            ParameterMismatchError: Shape, dtype or context do not fit.
        """
        if cast_dtype and dtype_source not in DTYPE_SOURCES:
            raise ParameterMismatchError(
                f"Parameter '{self.name}': expected dtype_source 'current' or 'saved', got {dtype_source!r}."
            )
        self._take_saved_shape(data.shape)
        if self._dtype is not None and as_dtype(self._dtype) != as_dtype(data.dtype):
            if not cast_dtype:
                raise ParameterMismatchError(
                    f"Failed loading Parameter '{self.name}' from saved params: dtype incompatible expected "
                    f"{as_dtype(self._dtype).name} vs saved {as_dtype(data.dtype).name}. Set cast_dtype=True to cast "
                    "the dtype of saved params."
                )
            if dtype_source == "current":
                data = data.astype(self._dtype)
            else:
                self._dtype = data.dtype
        wanted = None if ctx is None else _contexts(ctx)
        if not self._arrays:
            if self._deferred is not None:
                if wanted is not None and set(wanted) != set(self._deferred.contexts):
                    raise self._wrong_context(self._deferred.contexts, wanted)
                wanted = self._deferred.contexts
            self._deferred = None
            self._place(data, wanted or [cpu()], takes_over=takes_over)
            return
        if wanted is not None and set(wanted) != set(self._contexts):
            raise self._wrong_context(self._contexts, wanted)
        if any(a.dtype != data.dtype for a in self._arrays):
            self._place(data, self._contexts, takes_over=takes_over)
        else:
            self.set_data(data)

    def _wrong_context(self, own: Sequence[Context], given: Sequence[Context]) -> ParameterMismatchError:
        return ParameterMismatchError(
            f"Failed to load Parameter '{self.name}' on {list(given)} because it was previously initialized on "
            f"{list(own)}. Call `reset_ctx()` first."
        )

    # Values ----------------------------------------------------------------------------------------------------------

    def data(self, ctx: Context | None = None) -> NDArray:
        """Return the values on one context; writing to the array changes the parameter.

        Args:
            ctx: The context; the only one, or the current one, if None.

        Raises:
            DeferredInitializationError: The shape is not known yet.
            ParameterError: It has not been initialized, or not on this context, or it is sparse.
        """
        arrays = self._arrays
        if self._is_sparse:
            raise self._no_dense("a copy", "data()", "row_sparse_data()")
        if len(arrays) == 1 and (ctx is None or ctx is self._contexts[0] or ctx == self._contexts[0]):
            return arrays[0]
        return arrays[self._position(ctx)]

    def list_data(self) -> list[NDArray]:
        """Return the values on every context, in the order of `list_ctx()`."""
        self._check_initialized()
        if self._is_sparse:
            raise self._no_dense("copies", "list_data()", "list_row_sparse_data()")
        return list(self._arrays)

    def _no_dense(self, what: str, method: str, other: str) -> ParameterError:
        return ParameterError(
            f"Cannot return {what} of Parameter '{self.name}' via {method} because its storage type is {self._stype}. "
            f"Please use {other} instead."
        )

    @property
    def _data(self) -> list[NDArray] | None:
        return self._arrays or None

    def set_data(self, data: Any) -> None:
        """Set the values on every context, now or as soon as the parameter is created.

        Args:
            data: An array of the parameter's shape.

        Raises:
            ParameterMismatchError: The shape differs.
            ParameterError: It has not been initialized.
        """
        if not isinstance(data, NDArray):
            data = make_array(data, dtype=self._dtype)
        self.shape = data.shape
        if not self._arrays:
            if self._deferred is None:
                raise ParameterMismatchError(f"Parameter '{self.name}' has not been initialized. Call `initialize()`.")
            self._deferred = _Deferred(
                self._deferred.init, self._deferred.contexts, self._deferred.default_init, data.copy()
            )
            return
        for array in self._arrays:
            array[:] = data.as_in_context(array.context) if data.context != array.context else data
            if isinstance(array, RowSparseNDArray):
                array.fill_up()
        if self._trainer is not None:
            self._trainer._note_new_data(self)

    def grad(self, ctx: Context | None = None) -> NDArray:
        """Return the gradient on one context.

        Raises:
            ParameterError: It has no gradient, or has not been initialized (on this context).
        """
        self._check_has_grad()
        gradient = self._arrays[self._position(ctx)].grad
        assert gradient is not None
        return gradient

    def list_grad(self) -> list[NDArray]:
        """Return the gradients on every context, in the order of `list_ctx()`."""
        self._check_has_grad()
        self._check_initialized()
        return [a.grad for a in self._arrays if a.grad is not None]

    def zero_grad(self) -> None:
        """Set the gradient to 0 on every context; nothing happens if there is none."""
        for array in self._arrays:
            if array.grad is not None:
                array.grad[:] = 0

    def cast(self, dtype: Any) -> None:
        """Change the element type of data and gradient."""
        self._dtype = dtype
        self._var = None
        if not self._arrays:
            return
        contexts = self._contexts
        arrays = [a.detach().astype(dtype) for a in self._arrays]
        self._arrays = arrays
        self._contexts = contexts
        for array in arrays:
            self._attach(array)
        REPLACEMENTS.note()

    def reset_ctx(self, ctx: Context | Sequence[Context]) -> None:
        """Move the parameter to other contexts.

        Raises:
            ParameterError: It has not been initialized.
        """
        contexts = _contexts(ctx)
        for context in contexts:
            context.check_available()
        if self._arrays:
            self._place(self._reduce(), contexts)
        elif self._deferred is not None:
            d = self._deferred
            self._deferred = _Deferred(d.init, contexts, d.default_init, d.value)
        else:
            raise ParameterError(
                f"Cannot reset context for Parameter '{self.name}' because it has not been initialized."
            )

    @property
    def _grad(self) -> list[NDArray] | None:
        """The gradients on every context, None if there are none. MXNet's name, which programs read."""
        return [a.grad for a in self._arrays if a.grad is not None] or None

    def row_sparse_data(self, row_id: NDArray) -> NDArray:
        """Return the rows of a row_sparse parameter that `row_id` names, on its context; the others are 0.

        The array is the parameter's own copy there: gradients reach it, and the next call changes it.

        Args:
            row_id: The rows, of any shape.

        Raises:
            ParameterError: The parameter is dense, has no Trainer, or is not initialized on this context.
            TypeError: `row_id` is not an NDArray.
        """
        if self._stype != "row_sparse":
            raise ParameterError(
                f"Cannot return a copy of Parameter {self.name} via row_sparse_data() because its storage type is "
                f"{self._stype}. Please use data() instead."
            )
        self._check_rows(row_id)
        array = self._arrays[self._position(row_id.context)]
        self._pull_rows([array], row_id)
        return array

    def list_row_sparse_data(self, row_id: NDArray) -> list[NDArray]:
        """Return the rows of a row_sparse parameter that `row_id` names, on every context; see `row_sparse_data`.

        Raises:
            ParameterError: The parameter is dense, has no Trainer, or is not initialized.
            TypeError: `row_id` is not an NDArray.
        """
        if self._stype != "row_sparse":
            raise ParameterError(
                f"Cannot return copies of Parameter '{self.name}' on all contexts via list_row_sparse_data() because "
                f"its storage type is {self._stype}. Please use list_data() instead."
            )
        self._check_rows(row_id)
        self._check_initialized()
        self._pull_rows(self._arrays, row_id)
        return list(self._arrays)

    def _check_rows(self, row_id: Any) -> None:
        if not isinstance(row_id, NDArray):
            raise TypeError(
                f"Parameter '{self.name}': rows are named by an array: expected an NDArray, got "
                f"row_id={type(row_id).__name__}."
            )
        if self._trainer is None:
            raise ParameterError(
                f"Cannot get row_sparse data for Parameter '{self.name}' when no Trainer is created with it: expected "
                "a Trainer, which holds all rows, got none. Create `gluon.Trainer` first."
            )

    def _pull_rows(self, arrays: Sequence[NDArray], row_id: NDArray) -> None:
        assert self._trainer is not None
        self._trainer._row_sparse_pull(self, arrays, row_id)

    # Internals -------------------------------------------------------------------------------------------------------

    def _reduce(self, *, copy: bool = True) -> NDArray:
        """The mean over the contexts, on the cpu; of a row_sparse parameter what its Trainer holds.

        Without `copy` it is the parameter's own memory where there is one copy, on the cpu: only to be read.
        """
        if self._is_sparse and self._trainer is not None and self._arrays:
            held = zeros(self._arrays[0].shape, cpu(), self._arrays[0].dtype, stype=self._stype)
            self._trainer._row_sparse_pull(self, [held], arange(held.shape[0], dtype="int64"))
            return held.tostype("default")
        copies = [a._plain().to("cpu", copy=copy) for a in self._arrays]
        return NDArray(
            copies[0] if len(copies) == 1 else (sum(copies[1:], copies[0]) / len(copies)).to(copies[0].dtype)
        )

    def _position(self, ctx: Context | None) -> int:
        self._check_initialized()
        if ctx is None:
            if len(self._contexts) == 1:
                return 0
            ctx = current_context()
        if ctx in self._contexts:
            return self._contexts.index(ctx)
        raise ParameterError(
            f"Parameter '{self.name}' was not initialized on context {ctx}. It was only initialized on "
            f"{self._contexts}. Call `reset_ctx()`, or move the input with `.as_in_context()`."
        )

    def _check_initialized(self) -> None:
        if self._arrays:
            return
        if self._deferred is not None:
            raise DeferredInitializationError(
                f"Parameter '{self.name}' has not been initialized yet because initialization was deferred: expected a "
                f"known shape, got shape={self._shape}. Actual initialization happens during the first forward pass. "
                "Please pass one batch of data through the network before accessing Parameters. You can also avoid "
                "deferred initialization by specifying in_units, num_features, etc., for network layers."
            )
        raise ParameterError(
            f"Parameter '{self.name}' has not been initialized: expected a call of `initialize()` first. Note that you "
            "should initialize parameters and create Trainer with Block.collect_params() instead of Block.params "
            "because the later does not include Parameters of nested child Blocks."
        )

    def _check_has_grad(self) -> None:
        if self._grad_req == "null":
            if not self._arrays:
                self._check_initialized()
            raise ParameterError(
                f"Cannot get gradient array for Parameter '{self.name}' because grad_req='null'. "
                'Set `grad_req = "write"`.'
            )

    def _set_trainer(self, trainer: "Trainer | None") -> None:
        if self._stype != "default" and None not in (trainer, self._trainer) and trainer is not self._trainer:
            raise ParameterError(
                f"Failed to set the trainer for Parameter '{self.name}' because it was already set: expected one "
                f"Trainer, which holds all rows of a {self._stype} parameter, got another. More than one trainers for "
                f"a {self._stype} Parameter is not supported."
            )
        self._trainer = trainer


class _Deferred:
    """What is needed to create a parameter as soon as its shape is known."""

    __slots__ = ("contexts", "default_init", "init", "value")

    def __init__(self, init: Any, contexts: Sequence[Context], default_init: Any, value: NDArray | None) -> None:
        self.init = init
        self.contexts = list(contexts)
        self.default_init = default_init
        self.value = value


def zeros_like(array: NDArray) -> NDArray:
    """Return zeros of an array's shape, dtype and context.

    Large ones on the cpu take no memory before they are written to: the system gives out pages of zeros when they are.
    """
    tensor = array._plain()
    if type(array) is NDArray and tensor.is_cpu and tensor.nbytes >= UNTOUCHED_BYTES:
        blank = torch.from_numpy(np.zeros(tensor.nbytes, np.uint8))
        return NDArray(blank.view(tensor.dtype).view(tensor.shape))
    return zeros(array.shape, ctx=array.context, dtype=as_dtype(array.dtype).name)


def _contexts(ctx: Context | Sequence[Context] | None) -> list[Context]:
    if ctx is None:
        return [current_context()]
    return [ctx] if isinstance(ctx, Context) else list(ctx)
