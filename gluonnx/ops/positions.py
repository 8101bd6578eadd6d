"""Operators about where elements lie: coordinates, running sums, masks, histograms, cuts at given places."""

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.attributes import DTypeName, Floats, Shape
from gluonnx.ops.builder import INT64_MAX, GraphBuilder, Value
from gluonnx.ops.dtypes import torch_dtype
from gluonnx.ops.onnx_types import FLOATS, WIDE, casting
from gluonnx.ops.table import operator

RAVEL_SOURCE = "MXNet 1.9.1 src/operator/tensor/ravel.h"


@operator("_contrib_index_array", source="MXNet 1.9.1 src/operator/contrib/index_array-inl.h", gradient="none")
def index_array(data: Tensor, *, axes: Shape | None = None) -> Tensor:
    """The coordinates of each element of `data`, int64, as a new last axis; only those on `axes` where these are given.

    Raises:
        InputError: An axis does not exist.
    """
    rank = data.dim()
    chosen = range(rank) if axes is None else axes
    if any(not -rank <= axis < rank for axis in chosen):
        raise InputError(f"_contrib_index_array: wrong axes: expected -{rank} to {rank - 1}, got axes={axes}.")
    result = torch.empty((*data.shape, len(chosen)), dtype=torch.int64, device=data.device)
    for place, axis in enumerate(chosen):
        size = data.shape[axis]
        along = torch.arange(size, device=data.device).view(size, *(1,) * (rank - 1 - axis % rank))
        result[..., place] = along
    return result


@index_array.dtypes
def _() -> dict[str, str | None]:
    return {"output": "int64"}


@index_array.onnx
def _(g: GraphBuilder, data: Value, *, axes: Shape | None) -> Value:
    rank, shape = g.rank(data), g.shape(data)
    columns = []
    for axis in range(rank) if axes is None else axes:
        size = g.op("Gather", shape, g.const(axis % rank, "int64"))
        along = g.op("Range", g.const(0, "int64"), size, g.const(1, "int64"))
        after = range(1, rank - axis % rank + 1)
        column = g.op("Unsqueeze", along, g.ints([*after]))
        columns.append(g.op("Expand", column, g.op("Concat", shape, g.ints([1]), axis=0)))
    if not columns:
        return g.op(
            "Expand", g.const(np.zeros((1,) * rank + (0,), np.int64)), g.op("Concat", shape, g.ints([0]), axis=0)
        )
    return g.op("Concat", *columns, axis=-1) if len(columns) > 1 else columns[0]


def _strides(name: str, shape: Shape | None) -> list[int]:
    """How far apart neighbours on each axis of `shape` lie; the first size is not read.

    Raises:
        AttributeValueError: There is no shape.
    """
    if not shape:
        raise AttributeValueError(f"{name}: attribute `shape` is missing: expected a tuple of ints. Pass `shape=`.")
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


@operator("_ravel_multi_index", "ravel_multi_index", source=RAVEL_SOURCE, gradient="none")
def ravel_multi_index(data: Tensor, *, shape: Shape | None = None) -> Tensor:
    """Flat positions in an array of `shape` from coordinates (M, N), as (N,) of the dtype of `data`.

    Fractions are cut off. The first size of `shape` is not read and may be -1.

    Raises:
        InputError: `data` is not (M, N) for M sizes in `shape`.
        AttributeValueError: `shape` is missing.
    """
    strides = _strides("_ravel_multi_index", shape)
    if data.dim() != 2 or data.shape[0] != len(strides):
        raise InputError(
            f"_ravel_multi_index: data does not fit the shape: expected ({len(strides)}, N), "
            f"got data={tuple(data.shape)}."
        )
    steps = torch.tensor(strides, device=data.device).unsqueeze(1)
    return (data.detach().long() * steps).sum(0).to(data.dtype)


@ravel_multi_index.onnx
def _(g: GraphBuilder, data: Value, *, shape: Shape | None) -> Value:
    strides = g.const(np.array(_strides("_ravel_multi_index", shape), np.int64).reshape(-1, 1))
    places = g.op("Mul", g.cast(data, "int64"), strides)
    return g.cast(g.op("ReduceSum", places, g.ints([0]), keepdims=0), g.dtype(data))


@operator("_unravel_index", "unravel_index", source=RAVEL_SOURCE, gradient="none")
def unravel_index(data: Tensor, *, shape: Shape | None = None) -> Tensor:
    """Coordinates (M, N) in an array of `shape`, of M sizes, from flat positions (N,), of the dtype of `data`.

    Fractions are cut off. The first size of `shape` is not read and may be -1.

    Raises:
        InputError: `data` has not one axis.
        AttributeValueError: `shape` is missing.
    """
    strides = _strides("_unravel_index", shape)
    if data.dim() != 1:
        raise InputError(f"_unravel_index: wrong rank: expected data (N,), got data={tuple(data.shape)}.")
    rest = data.detach().long()
    rows = []
    for stride in strides:
        row = torch.div(rest, stride, rounding_mode="trunc")
        rows.append(row)
        rest = rest - row * stride
    return torch.stack(rows).to(data.dtype)


@unravel_index.onnx
def _(g: GraphBuilder, data: Value, *, shape: Shape | None) -> Value:
    rest = g.cast(data, "int64")
    rows = []
    for stride in _strides("_unravel_index", shape):
        row = g.op("Div", rest, g.const(stride, "int64"))
        rows.append(g.op("Unsqueeze", row, g.ints([0])))
        rest = g.op("Sub", rest, g.op("Mul", row, g.const(stride, "int64")))
    return g.cast(g.op("Concat", *rows, axis=0) if len(rows) > 1 else rows[0], g.dtype(data))


@operator("_contrib_boolean_mask", source="MXNet 1.9.1 src/operator/contrib/boolean_mask-inl.h", shapes="values")
def boolean_mask(data: Tensor, index: Tensor, *, axis: int = 0) -> Tensor:
    """The rows of `data` (N, ...) where `index` (N,) is not 0; `axis` is 0, as in MXNet.

    Raises:
        InputError: `index` does not fit.
        AttributeValueError: `axis` is not 0.
    """
    if axis != 0:
        raise AttributeValueError(
            f"_contrib_boolean_mask: attribute `axis` has a wrong value: expected 0, got axis={axis}. Swap the axes."
        )
    if index.dim() != 1 or data.shape[:1] != index.shape:
        raise InputError(
            f"_contrib_boolean_mask: index does not fit: expected {tuple(data.shape[:1])}, "
            f"got index={tuple(index.shape)}."
        )
    return data[index != 0]


@boolean_mask.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@boolean_mask.onnx
def _(g: GraphBuilder, data: Value, index: Value) -> Value:
    keep = index if g.dtype(index) == "bool" else g.cast(index, "bool")
    return g.op("Compress", data, keep, axis=0)


@operator("_np_cumsum", "cumsum", source="MXNet 1.9.1 src/operator/numpy/np_cumsum-inl.h")
def cumsum(a: Tensor, *, axis: int | None = None, dtype: DTypeName | None = None) -> Tensor:
    """Running sums along `axis`, or of all elements in one axis, of elements cast to `dtype` first.

    Booleans are summed as int64, other dtypes stay without `dtype`.

    Differs: a negative `axis` counts back; MXNet refuses it.

    Raises:
        InputError: There is no such axis.
    """
    flat = a.reshape(-1) if axis is None else a
    along = axis or 0
    if not -flat.dim() <= along < flat.dim():
        raise InputError(f"_np_cumsum: wrong axis: expected -{a.dim()} to {a.dim() - 1}, got axis={axis}.")
    kind = torch_dtype(dtype) if dtype is not None else torch.int64 if a.dtype == torch.bool else a.dtype
    return torch.cumsum(flat if kind.is_floating_point else flat.detach(), along, dtype=kind)


@cumsum.dtypes
def _(a: str | None, *, dtype: str | None) -> dict[str, str | None]:
    return {"output": dtype or ("int64" if a == "bool" else a)}


@cumsum.onnx
def _(g: GraphBuilder, a: Value, *, axis: int | None, dtype: str | None) -> Value:
    flat = g.op("Reshape", a, g.ints([-1])) if axis is None else a
    kind = dtype or ("int64" if g.dtype(a) == "bool" else g.dtype(a))
    along = g.const((axis or 0) % g.rank(flat), "int64")
    via = "float32" if kind in FLOATS else "int64"
    kernels = WIDE - {"float16", "bfloat16"}
    return casting(g, kernels, via, lambda x: g.op("CumSum", x, along), g.cast(flat, kind))


def _split_count(indices: Shape, sections: int) -> int:
    return sections if sections > 0 else len(indices)


@operator(
    "_split_v2",
    view=True,
    outputs=lambda attrs: [f"output{i}" for i in range(_split_count(attrs["indices"], attrs["sections"]))],
    source="MXNet 1.9.1 src/operator/tensor/matrix_op-inl.h, SplitParam",
)
def split_v2(
    data: Tensor, *, indices: Shape, axis: int = 1, squeeze_axis: bool = False, sections: int = 0
) -> tuple[Tensor, ...]:
    """Cut `data` along `axis` into `sections` equal parts, or into parts that begin at `indices`.

    The first of `indices` is 0. `squeeze_axis` removes the axis, where parts have size 1.

    Raises:
        InputError: The parts are not equal, not in order, not within the axis, or not of size 1 under `squeeze_axis`.
    """
    if not -data.dim() <= axis < data.dim():
        raise InputError(f"_split_v2: wrong axis: expected -{data.dim()} to {data.dim() - 1}, got axis={axis}.")
    size = data.shape[axis]
    if sections > 0:
        if size % sections:
            raise InputError(
                f"_split_v2: cannot cut axis {axis} evenly: expected a multiple of sections={sections}, "
                f"got data={tuple(data.shape)}."
            )
        sizes = [size // sections] * sections
    else:
        sizes = [end - begin for begin, end in itertools.pairwise((*indices, size))]
        if indices[:1] != (0,) or any(part < 0 for part in sizes):
            raise InputError(
                f"_split_v2: wrong indices: expected 0 first, none descending, none above {size}, "
                f"got indices={indices}."
            )
    parts = torch.split(data, sizes, axis)
    if not squeeze_axis:
        return parts
    if any(part != 1 for part in sizes):
        raise InputError(f"_split_v2: cannot squeeze: expected parts of size 1 on axis {axis}, got sizes {sizes}.")
    return tuple(part.squeeze(axis) for part in parts)


@split_v2.onnx
def _(
    g: GraphBuilder, data: Value, *, indices: Shape, axis: int, squeeze_axis: bool, sections: int
) -> tuple[Value, ...]:
    if sections == 1:
        parts: tuple[Value, ...] = (g.op("Identity", data),)
    elif sections > 0:
        parts = g.op_outputs("Split", sections, data, axis=axis, num_outputs=sections)
    else:
        bounds = itertools.pairwise((*indices, INT64_MAX))
        parts = tuple(g.op("Slice", data, g.ints([b]), g.ints([e]), g.ints([axis])) for b, e in bounds)
    return tuple(g.op("Squeeze", part, g.ints([axis])) for part in parts) if squeeze_axis else parts


HISTOGRAM_SOURCE = "MXNet 1.9.1 src/operator/tensor/histogram-inl.h"


def _even_bounds(bin_cnt: int | None, range_: Floats | None) -> list[float]:
    """The bounds of even bins.

    Raises:
        AttributeValueError: One of both is missing or wrong.
    """
    if bin_cnt is None or range_ is None or bin_cnt < 1 or len(range_) != 2 or not range_[0] <= range_[1]:
        raise AttributeValueError(
            "_histogram: no bins: expected bins, or bin_cnt of at least 1 and range=(low, high), "
            f"got bin_cnt={bin_cnt}, range={range_}."
        )
    low, high = range_ if range_[0] < range_[1] else (range_[0] - 0.5, range_[1] + 0.5)
    return [low + i * (high - low) / bin_cnt for i in range(bin_cnt)] + [high]


@operator(
    "_histogram",
    outputs="output0 output1",
    when={"bins": lambda attrs: attrs["bin_cnt"] is None},
    source=HISTOGRAM_SOURCE,
    gradient="none",
)
def histogram(
    data: Tensor,
    bins: Tensor | None = None,
    *,
    bin_cnt: int | None = None,
    range: Floats | None = None,
) -> tuple[Tensor, Tensor]:
    """How many elements of `data` lie in each bin, int64, and the bounds of the bins, of the dtype of `data`.

    The bins are those between the ascending `bins` (B + 1,), or `bin_cnt` even ones over `range`, whose bounds are
    truncated for integers. A bin holds its lower bound, the last one its upper bound too; what lies outside counts not.

    Raises:
        AttributeValueError: Neither `bins` nor both others are given.
        InputError: `bins` is not (B + 1,) or of another dtype.
    """
    if bins is None:
        wide = torch.tensor(_even_bounds(bin_cnt, range), dtype=torch.float64, device=data.device)
        bounds = wide.to(data.dtype)
    elif bins.dim() != 1 or bins.numel() < 2 or bins.dtype != data.dtype:
        raise InputError(
            f"_histogram: wrong bins: expected at least 2 bounds of {data.dtype}, got bins={tuple(bins.shape)} "
            f"{bins.dtype}."
        )
    else:
        bounds = bins.detach().clone()
    values = data.detach().reshape(-1)
    last = bounds.numel() - 1
    place = torch.searchsorted(bounds, values, right=True)
    place = torch.where(values == bounds[last], last, place) - 1
    inside = (values >= bounds[0]) & (values <= bounds[last])
    counts = torch.zeros(last, dtype=torch.int64, device=data.device)
    return counts.scatter_add_(0, place.clamp(0, last - 1), inside.long()), bounds


@histogram.dtypes
def _(data: str | None, bins: str | None) -> dict[str, str | None]:
    return {"data": bins, "bins": data, "output0": "int64", "output1": data or bins}


@histogram.onnx
def _(
    g: GraphBuilder,
    data: Value,
    bins: Value | None = None,
    *,
    bin_cnt: int | None,
    range: Floats | None,
) -> tuple[Value, ...]:
    if bins is None:
        bins = g.const(np.array(_even_bounds(bin_cnt, range)), g.dtype(data))
    values, bounds = g.op("Reshape", data, g.ints([-1, 1])), bins
    if g.dtype(data) not in WIDE:
        values, bounds = g.cast(values, "int64"), g.cast(bounds, "int64")
    end = g.op("Slice", bounds, g.ints([-1]), g.ints([INT64_MAX]))
    starts = g.op("Slice", bounds, g.ints([0]), g.ints([-1]))
    # Elements in this bin or a later one, less those in a later one.
    reached = g.op("And", g.op("GreaterOrEqual", values, starts), g.op("LessOrEqual", values, end))
    so_many = g.op("ReduceSum", g.cast(reached, "int64"), g.ints([0]), keepdims=0)
    later = g.op("Concat", g.op("Slice", so_many, g.ints([1]), g.ints([INT64_MAX])), g.ints([0]), axis=0)
    return g.op("Sub", so_many, later), g.op("Identity", bins)


@operator("_contrib_allclose", source="MXNet 1.9.1 src/operator/contrib/allclose_op-inl.h", gradient="none")
def allclose(a: Tensor, b: Tensor, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = True) -> Tensor:
    """1 if `abs(a - b) <= atol + rtol * abs(b)` or `a == b` everywhere, otherwise 0, as uint8 without axes.

    With an infinite `b` everything is close but NaN, as in MXNet.

    Raises:
        InputError: `a` and `b` differ in shape or dtype.
    """
    if a.shape != b.shape or a.dtype != b.dtype:
        raise InputError(
            f"_contrib_allclose: a and b differ: expected one shape and dtype, got a={tuple(a.shape)} {a.dtype}, "
            f"b={tuple(b.shape)} {b.dtype}."
        )
    if not a.is_floating_point():
        a, b = a.double(), b.double()
    a, b = a.detach(), b.detach()
    close = (a == b) | ((a - b).abs() <= b.abs() * rtol + atol)
    if equal_nan:
        close |= a.isnan() & b.isnan()
    return close.all().to(torch.uint8)


@allclose.dtypes
def _(a: str | None, b: str | None) -> dict[str, str | None]:
    return {"a": b, "b": a, "output": "uint8"}


@allclose.onnx
def _(g: GraphBuilder, a: Value, b: Value, *, rtol: float, atol: float, equal_nan: bool) -> Value:
    if g.dtype(a) not in FLOATS:
        a, b = g.cast(a, "float64"), g.cast(b, "float64")
    limit = g.op("Add", g.op("Mul", g.op("Abs", b), g.scalar(rtol, b)), g.scalar(atol, b))
    near = g.op("LessOrEqual", g.op("Abs", g.op("Sub", a, b)), limit)
    close = g.op("Or", g.op("Equal", a, b), near)
    if equal_nan:
        close = g.op("Or", close, g.op("And", g.op("IsNaN", a), g.op("IsNaN", b)))
    flat = g.op("Reshape", g.cast(close, "int32"), g.ints([-1]))
    return g.cast(g.op("ReduceMin", flat, g.ints([0]), keepdims=0), "uint8")
