"""Arrays in sparse storage: row_sparse and csr.

They are NDArrays, so an operator that has no rule for sparse storage reads their dense form, made for the call.
"""

import dataclasses
import numbers
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from gluonnx.context import Context
from gluonnx.errors import InputError, InputTypeError, MXNetError, StorageError
from gluonnx.modes import MODES
from gluonnx.ndarray.ndarray import ALL, NDArray, on_context
from gluonnx.ops import storage
from gluonnx.ops.dtypes import BY_TORCH, as_dtype
from gluonnx.ops.storage import CsrStorage, RowStorage, Storage

__all__ = ["BaseSparseNDArray", "CSRNDArray", "RowSparseNDArray", "gradient_array", "stored"]


class BaseSparseNDArray(NDArray):
    """An array in sparse storage: `_s` holds it. Reading `_t` makes the dense form."""

    __slots__ = ("_s",)

    _s: Storage

    def __init__(self, held: Storage, ctx: Context) -> None:
        self._s = held
        self._ctx = ctx

    # Facts -----------------------------------------------------------------------------------------------------------

    @property
    def _t(self) -> torch.Tensor:  # type: ignore[override]
        return storage.tracked_dense(self._s)

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis."""
        return self._s.shape

    @property
    def dtype(self) -> type[np.generic]:
        """Element type, as a numpy type."""
        return BY_TORCH[self._s.values.dtype].numpy.type

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._s.shape)

    @property
    def size(self) -> int:
        """Not defined, as in MXNet: it could mean the values that are held or all of them.

        Raises:
            StorageError: Always.
        """
        raise _unsupported(self, "size")

    @property
    def context(self) -> Context:
        """Where the array lives."""
        return self._ctx

    @property
    def stype(self) -> str:
        """Storage type: `"row_sparse"` or `"csr"`."""
        return self._s.stype

    @property
    def data(self) -> NDArray:
        """A copy of the values that are held."""
        return on_context(self._s.values.detach().clone(), self._ctx)

    @property
    def indices(self) -> NDArray:
        """A copy of the indices, int64."""
        return on_context(self._s.indices.clone(), self._ctx)

    @property
    def _num_aux(self) -> int:
        return len(self._aux_types)

    @property
    def _aux_types(self) -> list[type[np.generic]]:
        return [np.int64]

    def __len__(self) -> int:
        return self._s.shape[0]

    def __bool__(self) -> bool:
        raise ValueError(
            "NDArray: the truth value of a sparse array is ambiguous: expected a dense array of one element, got "
            f"shape={self.shape}. Compare `.asnumpy()`."
        )

    def __repr__(self) -> str:
        shape = "x".join(str(d) for d in self.shape)
        return f"\n<{type(self).__name__} {shape} @{self.context}>"

    def check_format(self, full_check: bool = True) -> None:
        """Check that the indices are a valid format; costs a pass over them.

        Args:
            full_check: Accepted; every index is checked.

        Raises:
            MXNetError: They are not.
        """
        fault = self._s.fault()
        if fault is not None:
            raise MXNetError(
                f"{type(self).__name__}.check_format: wrong format: {fault}. Build it from sorted indices."
            )

    # Numpy, scalars --------------------------------------------------------------------------------------------------

    def asnumpy(self) -> npt.NDArray[Any]:
        """Return the dense form as a new numpy array."""
        return NDArray(self._plain()).asnumpy()

    def asscalar(self) -> Any:
        """Not defined, as in MXNet.

        Raises:
            StorageError: Always.
        """
        raise _unsupported(self, "asscalar")

    def reshape(self, *shape: Any, **kwargs: Any) -> NDArray:
        """Not defined, as in MXNet.

        Raises:
            StorageError: Always.
        """
        raise _unsupported(self, "reshape")

    def _at(self, idx: Any) -> NDArray:
        raise _unsupported(self, "_at")

    def _slice(self, start: Any, stop: Any) -> NDArray:
        raise _unsupported(self, "_slice")

    # Copies and casts ------------------------------------------------------------------------------------------------

    def copy(self) -> NDArray:
        """Return a copy on the same context."""
        return _call("_copy", self)

    def copyto(self, other: NDArray | Context) -> NDArray | Literal[False]:
        """Copy into an array of the same shape, converted to its storage type, or to a new array on a context.

        Raises:
            InputError: The shapes differ.
            InputTypeError: `other` is neither an array nor a context.
        """
        if isinstance(other, Context):
            other.check_available()
            return type(self)(_moved(self._s, other.torch_device, copies=True), other)
        if not isinstance(other, NDArray):
            raise InputTypeError(
                f"NDArray.copyto: wrong target: expected an NDArray or Context, got {type(other).__name__}."
            )
        if other is self:
            warnings.warn("NDArray.copyto: source and target are the same array: nothing is copied.", stacklevel=2)
            return False
        if other.shape != self.shape:
            raise InputError(f"NDArray.copyto: shapes differ: expected {self.shape}, got other={other.shape}.")
        if isinstance(other, BaseSparseNDArray) and other.stype == self.stype:
            moved = _moved(storage.without_graph(self._s), other.context.torch_device, copies=True)
            other._set(dataclasses.replace(moved, values=moved.values.to(other._s.values.dtype)))
        else:
            other._write(self._active())
        return other

    def as_in_context(self, context: Context) -> NDArray:
        """Return the array itself if it lives on `context`, else a copy there."""
        if self.context == context:
            return self
        context.check_available()
        return type(self)(_moved(self._s, context.torch_device, copies=True), context)

    as_in_ctx = as_in_context

    def astype(self, dtype: Any, copy: bool = True) -> NDArray:
        """Return the array in another dtype; with `copy=False` the array itself if it has that dtype."""
        target = as_dtype("float32" if dtype is None else dtype)
        if target.torch is self._s.values.dtype and not copy:
            return self
        held = self._s
        graph = held.graph
        if graph is not None and MODES.recording:
            graph = storage.tracked_dense(held).to(target.torch)
        values = held.values.detach().to(target.torch, copy=True)
        return type(self)(dataclasses.replace(held, values=values, graph=graph if MODES.recording else None), self._ctx)

    def detach(self) -> NDArray:
        """Return an array with the same memory outside the recorded graph."""
        return type(self)(storage.without_graph(self._s), self._ctx)

    def broadcast_to(self, shape: Any) -> NDArray:
        """Return a dense copy repeated along axes of size 1 to another shape."""
        return on_context(self._active(), self._ctx).broadcast_to(shape)

    def __reduce__(self) -> tuple[Any, ...]:
        from gluonnx.ndarray.files import serialize, unpickle

        return unpickle, (serialize([self]), self.context)

    # Indexing --------------------------------------------------------------------------------------------------------

    def __setitem__(self, key: Any, value: Any) -> None:
        if not (isinstance(key, slice) and key == ALL):
            raise StorageError(
                f"{type(self).__name__}: only the whole array can be assigned to: expected x[:] = value, got "
                f"key={key!r}. "
                "Convert with `.tostype('default')`."
            )
        if MODES.recording and self._s.graph is not None:
            raise MXNetError(f"{type(self).__name__}: an array in a recorded graph cannot be changed in place.")
        if isinstance(value, NDArray):
            if value is not self:
                value.copyto(self)
        elif isinstance(value, numbers.Number | np.generic):
            self._fill(float(value))  # type: ignore[arg-type]
        else:
            dtype = self._s.values.dtype
            self._write(torch.as_tensor(np.asarray(value)).to(self._s.values.device, dtype).expand(self.shape))

    def _fill(self, number: float) -> None:
        raise StorageError(
            f"{type(self).__name__}: a number cannot be assigned: expected an array, got value={number}."
        )

    # Gradients -------------------------------------------------------------------------------------------------------

    def attach_grad(self, grad_req: str = "write", stype: str | None = None) -> None:
        """Make the array a variable; see NDArray.attach_grad. The gradient has the array's storage type if None."""
        super().attach_grad(grad_req, self.stype if stype is None else stype)

    # Internals -------------------------------------------------------------------------------------------------------

    def _active(self) -> torch.Tensor:
        return storage.tracked_dense(self._s) if MODES.recording else self._plain()

    def _like(self, tensor: torch.Tensor) -> NDArray:
        """A dense array on the same context."""
        return on_context(tensor, self._ctx)

    def _plain(self) -> torch.Tensor:
        return self._s.dense().detach()

    def _write(self, source: torch.Tensor) -> None:
        """Replace every element; `source` is converted to the dtype, device and storage type."""
        held = storage.cast(source.detach().to(self._s.values.device, self._s.values.dtype, copy=True), self._s.stype)
        assert not isinstance(held, torch.Tensor)
        self._set(storage.with_graph(held, source) if source.requires_grad else held)

    def _set(self, held: Storage) -> None:
        """Hold other values; a variable stays one."""
        leaf = getattr(self, "_leaf", None)
        self._s = held if leaf is None or held.graph is not None else storage.with_graph(held, self._s.graph)

    def _become_variable(self) -> torch.Tensor:
        """Begin a new graph and return the tensor that it is recorded from."""
        handle = storage.handle(self._s)
        self._s = storage.with_graph(self._s, handle)
        return handle

    def _take_gradient(self, gradient: torch.Tensor, *, adds: bool) -> None:
        """Hold a gradient that torch computed, or add it."""
        held = _of_tensor(gradient.detach(), self._s.stype)
        if adds:
            _function("elemwise_add")(self, type(self)(held, self._ctx)).copyto(self)
        else:
            self._s = held


class RowSparseNDArray(BaseSparseNDArray):
    """An array of which only some rows are held, `data` at `indices`; the others are 0.

    Made by `nd.sparse.row_sparse_array`, `nd.sparse.zeros` and `tostype("row_sparse")`.

    Examples:
        >>> from gluonnx import nd
        >>> x = nd.array([[0, 0], [1, 2], [0, 0]]).tostype("row_sparse")
        >>> x.indices.asnumpy().tolist(), x.data.asnumpy().tolist()
        ([1], [[1.0, 2.0]])
    """

    __slots__ = ()

    _s: RowStorage

    def tostype(self, stype: str) -> NDArray:
        """Return a copy in another storage type.

        Raises:
            StorageError: To csr.
        """
        return _call("cast_storage", self, stype=stype)

    def retain(self, *args: Any, **kwargs: Any) -> NDArray:
        """Return an array that holds only the rows which the argument `indices` names."""
        return _call("_sparse_retain", self, *args, **kwargs)

    def __getitem__(self, key: Any) -> NDArray:
        if isinstance(key, slice) and key == ALL:
            return self
        raise StorageError(
            f"RowSparseNDArray: only the whole array can be read: expected x[:], got key={key!r}. "
            "Use `.retain(indices)`, or convert with `.tostype('default')`."
        )

    def _fill(self, number: float) -> None:
        held = self._s
        if number == 0:
            self._set(storage.empty("row_sparse", held.shape, held.values.dtype, held.values.device))
        else:
            self._write(torch.full(held.shape, number, dtype=held.values.dtype, device=held.values.device))

    def _writable(self) -> torch.Tensor:
        """The values, to change in place; from then on every row is held."""
        held = self._s
        if not held.is_full:
            self.fill_up()
        return self._s.values

    def fill_up(self) -> None:
        """Hold every row."""
        rows = torch.arange(self.shape[0], device=self._s.values.device)
        self._set(RowStorage(self.shape, rows, self._s.dense(), self._s.graph))


class CSRNDArray(BaseSparseNDArray):
    """A matrix in compressed sparse row form: row `i` holds `data[indptr[i]:indptr[i + 1]]` in those of `indices`.

    Made by `nd.sparse.csr_matrix`, `nd.sparse.zeros` and `tostype("csr")`.

    Examples:
        >>> from gluonnx import nd
        >>> x = nd.array([[0, 5, 0], [6, 0, 7]]).tostype("csr")
        >>> x[1].asnumpy().tolist(), x.indptr.asnumpy().tolist()
        ([[6.0, 0.0, 7.0]], [0, 1, 3])
    """

    __slots__ = ()

    _s: CsrStorage

    @property
    def indptr(self) -> NDArray:
        """A copy of where each row starts, int64."""
        return on_context(self._s.indptr.clone(), self._ctx)

    @property
    def _aux_types(self) -> list[type[np.generic]]:
        return [np.int64, np.int64]

    def tostype(self, stype: str) -> NDArray:
        """Return a copy in another storage type.

        Raises:
            StorageError: To row_sparse.
        """
        return _call("cast_storage", self, stype=stype)

    def asscipy(self) -> Any:
        """Return a `scipy.sparse.csr_matrix` with copies of the data.

        Raises:
            ImportError: Scipy is not installed.
        """
        try:
            import scipy.sparse
        except ImportError as err:
            raise ImportError(
                "CSRNDArray.asscipy: scipy could not be imported: expected it to be installed. Run `pip install scipy`."
            ) from err
        held = self._s
        parts = (held.values.detach().cpu().numpy(), held.indices.cpu().numpy(), held.indptr.cpu().numpy())
        return scipy.sparse.csr_matrix(tuple(p.copy() for p in parts), shape=held.shape, dtype=self.dtype)

    def __getitem__(self, key: Any) -> NDArray:
        """Return a row as a matrix of one row, or rows without gaps.

        Raises:
            StorageError: Another key.
            IndexError: There is no such row.
        """
        rows = self.shape[0]
        if isinstance(key, int | np.integer):
            if not -rows <= key < rows:
                raise IndexError(f"CSRNDArray: index {key} is out of bounds for axis 0 with size {rows}.")
            first = int(key) % rows
            return _call("slice", self, begin=(first,), end=(first + 1,))
        if isinstance(key, slice) and key.step in (None, 1):
            if key == ALL:
                return self
            return _call("slice", self, begin=(key.start,), end=(key.stop,))
        raise StorageError(
            f"CSRNDArray: only rows without gaps can be read: expected an int or a slice, got key={key!r}. "
            "Convert with `.tostype('default')`."
        )

    def _writable(self) -> torch.Tensor:
        raise StorageError("CSRNDArray: cannot be changed in place: expected x[:] = array.")


def stored(data: torch.Tensor | Storage, ctx: Context) -> NDArray:
    """Return the array over a tensor or a storage that is on the context's device."""
    if isinstance(data, RowStorage):
        return RowSparseNDArray(data, ctx)
    if isinstance(data, CsrStorage):
        return CSRNDArray(data, ctx)
    return on_context(data, ctx)


def gradient_array(gradient: torch.Tensor, ctx: Context) -> NDArray:
    """Return the array over a gradient that torch computed, which may be in its sparse layout."""
    return stored(_of_tensor(gradient, "row_sparse") if gradient.is_sparse else gradient, ctx)


def _of_tensor(tensor: torch.Tensor, stype: Any) -> Storage:
    held = storage.cast(tensor, stype)
    assert not isinstance(held, torch.Tensor)
    return held


def _moved(held: Storage, device: torch.device, *, copies: bool) -> Storage:
    graph = held.graph
    if graph is not None:
        graph = storage.tracked_dense(held).to(device) if MODES.recording else None
    values = held.values.detach().to(device, copy=copies)
    if isinstance(held, RowStorage):
        return RowStorage(held.shape, held.indices.to(device), values, graph)
    return CsrStorage(held.shape, held.indptr.to(device), held.indices.to(device), values, graph)


def _function(name: str) -> Callable[..., Any]:
    from gluonnx.ndarray.register import function

    return function(name)


def _call(name: str, *args: Any, **kwargs: Any) -> NDArray:
    result: NDArray = _function(name)(*args, **kwargs)
    return result


def _unsupported(array: NDArray, what: str) -> StorageError:
    return StorageError(
        f"{type(array).__name__}.{what}: not supported: expected a dense array, got stype={array.stype!r}. "
        "Convert with `.tostype('default')`."
    )


def _arithmetic(elemwise: str | None, broadcast: str, scalar: str, *, swap: bool) -> Callable[[Any, Any], Any]:
    def method(self: BaseSparseNDArray, other: Any) -> Any:
        if isinstance(other, NDArray):
            name = elemwise if elemwise is not None and not swap and other.shape == self.shape else broadcast
            return _function(name)(other, self) if swap else _function(name)(self, other)
        if isinstance(other, numbers.Number | np.generic):
            return _function(scalar)(self, scalar=float(other))  # type: ignore[arg-type]
        raise TypeError(f"NDArray: type {type(other)} not supported: expected an NDArray or a number.")

    return method


def _in_place(name: str) -> Callable[[Any, Any], Any]:
    def method(self: BaseSparseNDArray, other: Any) -> Any:
        getattr(self, name)(other).copyto(self)
        return self

    return method


def _install() -> None:
    """Give sparse arrays Python's operators: by the element for equal shapes, else by broadcasting."""
    table = (
        ("add", "elemwise_add", "broadcast_add", "_plus_scalar", "_plus_scalar"),
        ("sub", "elemwise_sub", "broadcast_sub", "_minus_scalar", "_rminus_scalar"),
        ("mul", "elemwise_mul", "broadcast_mul", "_mul_scalar", "_mul_scalar"),
        ("truediv", None, "broadcast_div", "_div_scalar", "_rdiv_scalar"),
        ("mod", None, "broadcast_mod", "_mod_scalar", "_rmod_scalar"),
        ("pow", None, "broadcast_power", "_power_scalar", "_rpower_scalar"),
    )
    for name, elemwise, broadcast, scalar, rscalar in table:
        setattr(BaseSparseNDArray, f"__{name}__", _arithmetic(elemwise, broadcast, scalar, swap=False))
        setattr(BaseSparseNDArray, f"__r{name}__", _arithmetic(elemwise, broadcast, rscalar, swap=True))
        if name != "pow":
            setattr(BaseSparseNDArray, f"__i{name}__", _in_place(f"__{name}__"))
    for name, claim in (
        ("eq", "equal"),
        ("ne", "not_equal"),
        ("gt", "greater"),
        ("ge", "greater_equal"),
        ("lt", "lesser"),
        ("le", "lesser_equal"),
    ):
        method = _arithmetic(None, f"broadcast_{claim}", f"_{claim}_scalar", swap=False)
        setattr(BaseSparseNDArray, f"__{name}__", method)


_install()
BaseSparseNDArray.__hash__ = NDArray.__hash__  # type: ignore[method-assign]
