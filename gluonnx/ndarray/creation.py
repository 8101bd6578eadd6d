"""Making arrays: from data, filled, ranges, joined; and elementwise functions that also take plain numbers."""

import numbers
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gluonnx.context import Context, current_context
from gluonnx.errors import ArgumentError, InputError, InputTypeError
from gluonnx.ndarray.ndarray import NDArray, on_context
from gluonnx.ndarray.register import function
from gluonnx.ndarray.sparse_array import BaseSparseNDArray
from gluonnx.ops.dtypes import as_dtype
from gluonnx.util import is_np_shape

__all__ = [
    "add",
    "arange",
    "array",
    "concatenate",
    "divide",
    "empty",
    "equal",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "greater",
    "greater_equal",
    "lesser",
    "lesser_equal",
    "linspace",
    "logical_and",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "modulo",
    "moveaxis",
    "multiply",
    "not_equal",
    "onehot_encode",
    "ones",
    "power",
    "reset_arrays",
    "subtract",
    "to_dlpack_for_read",
    "to_dlpack_for_write",
    "true_divide",
    "waitall",
    "zeros",
]

ShapeLike = int | Sequence[int]


def array(source_array: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """Make an array from nested lists, numpy, another array or anything with the array or DLPack protocol.

    Args:
        source_array: The values.
        ctx: Where it lives; the current context if None.
        dtype: Element type; an NDArray's own, float32 for anything else, if None.

    Returns:
        A new array that shares no memory with the source.
    """
    ctx = _home(ctx)
    if isinstance(source_array, BaseSparseNDArray) or type(source_array).__module__.startswith("scipy.sparse"):
        from gluonnx.ndarray import sparse

        return sparse.array(source_array, ctx, dtype)
    if isinstance(source_array, NDArray):
        target = source_array._t.dtype if dtype is None else as_dtype(dtype).torch
        return on_context(source_array._plain().to(ctx.torch_device, target, copy=True), ctx)
    target = torch.float32 if dtype is None else as_dtype(dtype).torch
    if isinstance(source_array, torch.Tensor):
        return on_context(source_array.detach().to(ctx.torch_device, target, copy=True), ctx)
    if isinstance(source_array, (list, tuple)) and any(isinstance(v, NDArray) for v in source_array):
        source_array = [v.asnumpy() if isinstance(v, NDArray) else v for v in source_array]
    try:
        values = np.asarray(source_array)
        if any(step < 0 for step in values.strides):  # torch knows none
            values = values.copy()
        if values.dtype == object:
            raise TypeError("elements are not numbers, or rows differ in length")
        if values.dtype.kind not in "biuf":  # ml_dtypes' bfloat16 among them
            values = values.astype(np.float32)
    except (TypeError, ValueError) as err:
        raise TypeError(
            f"nd.array: source is not an array: expected numbers in nested lists of equal length, "
            f"got {type(source_array).__name__}: {err}."
        ) from None
    return on_context(torch.tensor(values, dtype=target, device=ctx.torch_device), ctx)


def empty(shape: ShapeLike, ctx: Context | None = None, dtype: Any = None, stype: str | None = None) -> NDArray:
    """Make an array whose values are not set; a sparse one, by its storage type, holds none."""
    if stype is not None and stype != "default":
        return zeros(shape, ctx, dtype, stype=stype)
    ctx = _home(ctx)
    target = as_dtype(dtype or "float32").torch
    return on_context(torch.empty(_shape(shape), dtype=target, device=ctx.torch_device), ctx)


def zeros(shape: ShapeLike, ctx: Context | None = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """Make an array of zeros, with `stype=` in sparse storage."""
    stype = kwargs.pop("stype", None)
    if stype is not None and stype != "default":
        from gluonnx.ndarray import sparse

        return sparse.zeros(stype, shape, ctx, dtype, **kwargs)
    return _filled("_zeros", shape, ctx, dtype, kwargs)


def ones(shape: ShapeLike, ctx: Context | None = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """Make an array of ones."""
    return _filled("_ones", shape, ctx, dtype, kwargs)


def full(
    shape: ShapeLike, val: float, ctx: Context | None = None, dtype: Any = "float32", out: NDArray | None = None
) -> NDArray:
    """Make an array filled with one value."""
    return _filled("_full", shape, ctx, dtype, {"value": val, "out": out})


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool | None = None,
    ctx: Context | None = None,
    dtype: Any = "float32",
) -> NDArray:
    """Make a 1-D array of evenly spaced values in [start, stop), each `repeat` times."""
    if stop is None:
        start, stop = 0, start
    name = as_dtype(dtype or "float32").name
    result: NDArray = function("_arange")(start=start, stop=stop, step=step, repeat=repeat, dtype=name, ctx=_home(ctx))
    return result


def linspace(
    start: float,
    stop: float,
    num: int,
    endpoint: bool = True,
    ctx: Context | None = None,
    dtype: Any = "float32",
) -> NDArray:
    """Make a 1-D array of `num` evenly spaced values from `start` to `stop`."""
    values = np.linspace(start, stop, num, endpoint=endpoint)
    return array(values, ctx, dtype)


def eye(N: int, M: int = 0, k: int = 0, ctx: Context | None = None, dtype: Any = None, **kwargs: Any) -> NDArray:  # noqa: N803
    """Make a 2-D array with ones on a diagonal."""
    values = np.eye(int(N), int(M) or None, int(k))
    result = array(values, ctx, dtype or "float32")
    out = kwargs.get("out")
    if isinstance(out, NDArray):
        result.copyto(out)
        return out
    return result


def from_numpy(ndarray: npt.NDArray[Any], zero_copy: bool = True) -> NDArray:
    """Make an array that shares the memory of a C-contiguous numpy array, which becomes read-only.

    Args:
        ndarray: The source.
        zero_copy: False makes a copy and leaves the source as it is.

    Raises:
        ValueError: The numpy array is not C-contiguous, and `zero_copy` is asked for.
    """
    if zero_copy and not ndarray.flags.c_contiguous:
        raise ValueError(
            "nd.from_numpy: memory cannot be shared: expected a C-contiguous array, got strides="
            f"{ndarray.strides}. Pass zero_copy=False."
        )
    if not zero_copy:
        return NDArray(torch.from_numpy(np.array(ndarray, order="C")))
    with warnings.catch_warnings():
        # An array that is read-only already may be so because of an earlier call.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        result = NDArray(torch.from_numpy(ndarray))
    # From here on the memory is written to through the NDArray alone.
    ndarray.flags.writeable = False
    return result


def from_dlpack(dlpack: Any) -> NDArray:
    """Make an array that shares the memory of a DLPack capsule or of an object with `__dlpack__`."""
    return NDArray(torch.utils.dlpack.from_dlpack(dlpack))


def to_dlpack_for_read(data: NDArray) -> Any:
    """Return a DLPack capsule that shares an array's memory."""
    return data.to_dlpack_for_read()


def to_dlpack_for_write(data: NDArray) -> Any:
    """Return a DLPack capsule that shares an array's memory, to be written through."""
    return data.to_dlpack_for_write()


def from_numpy_state(values: npt.NDArray[Any], dtype: str, ctx: Context) -> NDArray:
    """Rebuild an array that was pickled by its user."""
    return array(values, ctx, dtype)


def concatenate(arrays: Sequence[NDArray], axis: int = 0, always_copy: bool = True) -> NDArray:
    """Join arrays along an existing axis."""
    if len(arrays) == 1 and not always_copy:
        return arrays[0]
    result: NDArray = function("Concat")(*arrays, dim=axis)
    return result


def moveaxis(tensor: NDArray, source: int | Sequence[int], destination: int | Sequence[int]) -> NDArray:
    """Move axes to other positions; the others keep their order."""
    sources = [_axis(s, tensor.ndim) for s in ((source,) if isinstance(source, int) else source)]
    targets = [_axis(d, tensor.ndim) for d in ((destination,) if isinstance(destination, int) else destination)]
    if len(sources) != len(targets) or len(set(sources)) != len(sources) or len(set(targets)) != len(targets):
        raise ValueError(
            "nd.moveaxis: axes do not pair up: expected as many different sources as destinations, "
            f"got source={source}, destination={destination}."
        )
    axes = [a for a in range(tensor.ndim) if a not in sources]
    for target, s in sorted(zip(targets, sources, strict=True)):
        axes.insert(target, s)
    result: NDArray = function("transpose")(tensor, axes=tuple(axes))
    return result


def waitall() -> None:
    """Wait until every array is computed."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ArgumentError(f"nd.moveaxis: no such axis: expected one of {-rank} to {rank - 1}, got axis={axis}.")
    return axis % rank


def onehot_encode(indices: NDArray, out: NDArray) -> NDArray:
    """Write rows of zeros with a one at each index (N,) into `out` (N, depth), and return it."""
    out[:] = function("one_hot")(indices, depth=out.shape[1])
    return out


def _home(ctx: Context | str | None) -> Context:
    if ctx is None:
        return current_context()
    home = ctx if isinstance(ctx, Context) else Context(ctx)
    home.check_available()
    return home


def _shape(shape: ShapeLike) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, numbers.Integral) else tuple(int(d) for d in shape)  # type: ignore[union-attr]


def _filled(op: str, shape: ShapeLike, ctx: Context | None, dtype: Any, kwargs: dict[str, Any]) -> NDArray:
    kwargs.pop("stype", None)
    if not is_np_shape() and not all(_shape(shape) or (0,)):
        raise InputError(
            f"nd.{op[1:]}: shape is unknown: expected sizes of 1 or more on one axis or more, got {shape=}. Scalars "
            "and sizes of 0 exist under `np_shape()`."
        )
    result: NDArray = function(op)(
        shape=_shape(shape), ctx=_home(ctx), dtype=as_dtype(dtype or "float32").name, **kwargs
    )
    return result


def _with_numbers(
    name: str, array_op: str, scalar_op: str, rscalar_op: str, on_numbers: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], Any]:
    def fn(lhs: Any, rhs: Any) -> Any:
        if isinstance(lhs, NDArray):
            if isinstance(rhs, NDArray):
                return function(array_op)(lhs, rhs)
            if isinstance(rhs, numbers.Number):
                return function(scalar_op)(lhs, scalar=rhs)
        elif isinstance(lhs, numbers.Number):
            if isinstance(rhs, NDArray):
                return function(rscalar_op)(rhs, scalar=lhs)
            if isinstance(rhs, numbers.Number):
                return on_numbers(lhs, rhs)
        raise InputTypeError(
            f"nd.{name}: wrong types: expected NDArrays or numbers, got {type(lhs).__name__} and {type(rhs).__name__}."
        )

    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = f"Elementwise `{name}` with broadcasting; each side is an array or a number."
    return fn


def _logical(function_: Callable[[bool, bool], bool]) -> Callable[[Any, Any], float]:
    return lambda a, b: float(function_(bool(a), bool(b)))


add = _with_numbers("add", "broadcast_add", "_plus_scalar", "_plus_scalar", lambda a, b: a + b)
subtract = _with_numbers("subtract", "broadcast_sub", "_minus_scalar", "_rminus_scalar", lambda a, b: a - b)
multiply = _with_numbers("multiply", "broadcast_mul", "_mul_scalar", "_mul_scalar", lambda a, b: a * b)
divide = _with_numbers("divide", "broadcast_div", "_div_scalar", "_rdiv_scalar", lambda a, b: a / b)
true_divide = divide
modulo = _with_numbers("modulo", "broadcast_mod", "_mod_scalar", "_rmod_scalar", lambda a, b: a % b)
_power = _with_numbers("power", "broadcast_power", "_power_scalar", "_rpower_scalar", lambda a, b: a**b)


def power(base: Any, exp: Any) -> Any:
    """Return `base` to the power of `exp`, of arrays that broadcast and numbers."""
    return _power(base, exp)


maximum = _with_numbers("maximum", "broadcast_maximum", "_maximum_scalar", "_maximum_scalar", max)
minimum = _with_numbers("minimum", "broadcast_minimum", "_minimum_scalar", "_minimum_scalar", min)
equal = _with_numbers("equal", "broadcast_equal", "_equal_scalar", "_equal_scalar", lambda a, b: float(a == b))
not_equal = _with_numbers(
    "not_equal", "broadcast_not_equal", "_not_equal_scalar", "_not_equal_scalar", lambda a, b: float(a != b)
)
greater = _with_numbers("greater", "broadcast_greater", "_greater_scalar", "_lesser_scalar", lambda a, b: float(a > b))
greater_equal = _with_numbers(
    "greater_equal",
    "broadcast_greater_equal",
    "_greater_equal_scalar",
    "_lesser_equal_scalar",
    lambda a, b: float(a >= b),
)
lesser = _with_numbers("lesser", "broadcast_lesser", "_lesser_scalar", "_greater_scalar", lambda a, b: float(a < b))
lesser_equal = _with_numbers(
    "lesser_equal",
    "broadcast_lesser_equal",
    "_lesser_equal_scalar",
    "_greater_equal_scalar",
    lambda a, b: float(a <= b),
)
logical_and = _with_numbers(
    "logical_and",
    "broadcast_logical_and",
    "_logical_and_scalar",
    "_logical_and_scalar",
    _logical(lambda a, b: a and b),
)
logical_or = _with_numbers(
    "logical_or", "broadcast_logical_or", "_logical_or_scalar", "_logical_or_scalar", _logical(lambda a, b: a or b)
)
logical_xor = _with_numbers(
    "logical_xor",
    "broadcast_logical_xor",
    "_logical_xor_scalar",
    "_logical_xor_scalar",
    _logical(lambda a, b: a != b),
)


def reset_arrays(*data: NDArray, num_arrays: int) -> None:
    """Set every array to 0, in place.

    Args:
        *data: The arrays, of any dtypes and contexts.
        num_arrays: How many there are.

    Raises:
        InputError: There are not `num_arrays` arrays.

    Source: MXNet 1.9.1 src/operator/contrib/reset_arrays.cc.
    """
    if len(data) != num_arrays:
        raise InputError(f"nd.reset_arrays: wrong number of arrays: expected num_arrays={num_arrays}, got {len(data)}.")
    for array in data:
        array[:] = 0
