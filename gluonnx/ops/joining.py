"""Operators that join arrays and cut them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops import sparse_rules
from gluonnx.ops.attributes import OpenShape, Shape
from gluonnx.ops.builder import INT64_MAX, INT64_MIN, GraphBuilder, Value
from gluonnx.ops.table import DeclinedError, operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/matrix_op-inl.h"


@operator(
    "Concat", "_sparse_concat", "concat", count_attribute="num_args", source="MXNet 1.9.1 src/operator/nn/concat.cc"
)
def concat(*data: Tensor, dim: int = 1) -> Tensor:
    """Join arrays along axis `dim`.

    Raises:
        InputError: Shapes differ along another axis, or dtypes differ.
    """
    if any(d.dtype != data[0].dtype for d in data):
        raise InputError(f"Concat: dtypes differ: expected one dtype, got {[str(d.dtype) for d in data]}.")
    try:
        return torch.cat(data, dim)
    except (RuntimeError, IndexError) as err:
        raise InputError(
            f"Concat: shapes do not fit: expected them equal but for axis {dim}, got {[tuple(d.shape) for d in data]}."
        ) from err


concat.sparse(sparse_rules.concat)


@concat.quick
def _(*, dim: int) -> Callable[..., Tensor]:
    join = torch.cat

    def call(*data: Tensor) -> Tensor:
        dtype = data[0].dtype
        for d in data:
            if d.dtype is not dtype:
                raise DeclinedError
        return join(data, dim)

    return call


@concat.output_shapes
def _(*data: Shape, dim: int) -> tuple[Shape] | None:
    first = data[0]
    if not -len(first) <= dim < len(first):
        return None
    axis = dim % len(first)
    around = {(shape[:axis], shape[axis + 1 :]) for shape in data}
    return ((*first[:axis], sum(shape[axis] for shape in data), *first[axis + 1 :]),) if len(around) == 1 else None


@concat.onnx
def _(g: GraphBuilder, *data: Value, dim: int) -> Value:
    return g.op("Concat", *data, axis=dim)


@operator("stack", count_attribute="num_args", source=SOURCE)
def stack(*data: Tensor, axis: int = 0) -> Tensor:
    """Join arrays of one shape along a new axis."""
    try:
        return torch.stack(data, axis)
    except RuntimeError as err:
        raise InputError(f"stack: shapes differ: expected one shape, got {[tuple(d.shape) for d in data]}.") from err


@stack.quick
def _(*, axis: int) -> Callable[..., Tensor]:
    join = torch.stack
    return lambda *data: join(data, axis)


@stack.onnx
def _(g: GraphBuilder, *data: Value, axis: int) -> Value:
    return g.op("Concat", *(g.op("Unsqueeze", d, g.ints([axis])) for d in data), axis=axis)


@operator(
    "SliceChannel",
    "split",
    view=True,
    outputs=lambda attrs: [f"output{i}" for i in range(attrs["num_outputs"])],
    method="split",
    source="MXNet 1.9.1 src/operator/slice_channel-inl.h",
)
def slice_channel(data: Tensor, *, num_outputs: int, axis: int = 1, squeeze_axis: bool = False) -> tuple[Tensor, ...]:
    """Cut `data` into `num_outputs` equal parts along `axis`; `squeeze_axis` removes the axis where parts have size 1.

    Raises:
        InputError: The size of `axis` is no multiple of `num_outputs`.
    """
    size = data.shape[axis]
    if size % num_outputs or (squeeze_axis and size != num_outputs):
        raise InputError(
            f"SliceChannel: cannot cut axis {axis} evenly: expected a multiple of num_outputs={num_outputs}"
            f"{' (equal under squeeze_axis)' if squeeze_axis else ''}, got data={tuple(data.shape)}."
        )
    return data.unbind(axis) if squeeze_axis else torch.split(data, size // num_outputs, axis)


@slice_channel.quick
def _(*, num_outputs: int, axis: int, squeeze_axis: bool) -> Callable[[Tensor], list[Tensor]] | None:
    if num_outputs == 1:
        return None
    cut: Callable[..., Tensor] = torch.narrow_copy
    unbind: Callable[..., Any] = torch.unbind_copy
    places = range(num_outputs)

    def call(data: Tensor) -> list[Tensor]:
        size = data.shape[axis]
        length = size // num_outputs
        if length * num_outputs != size or not data.is_contiguous():
            raise DeclinedError
        if not squeeze_axis:
            return [cut(data, axis, i * length, length) for i in places]
        if length != 1:
            raise DeclinedError
        return list(unbind(data, axis))

    return call


@slice_channel.onnx
def _(g: GraphBuilder, data: Value, *, num_outputs: int, axis: int, squeeze_axis: bool) -> tuple[Value, ...]:
    if num_outputs == 1:
        parts: tuple[Value, ...] = (g.op("Identity", data),)
    else:
        parts = g.op_outputs("Split", num_outputs, data, axis=axis, num_outputs=num_outputs)
    return tuple(g.op("Squeeze", part, g.ints([axis])) for part in parts) if squeeze_axis else parts


def _slices(begin: OpenShape, end: OpenShape, step: OpenShape) -> list[slice]:
    steps = step or (None,) * len(begin)
    if not len(begin) == len(end) == len(steps) or 0 in steps:
        raise AttributeValueError(
            "slice: begin, end and step do not fit: expected one length and no step 0, "
            f"got begin={begin}, end={end}, step={step}."
        )
    return [slice(b, e, s) for b, e, s in zip(begin, end, steps, strict=True)]


@operator("slice", "_sparse_slice", "crop", method="slice", view=True, source=SOURCE + ", SliceParam")
def slice_(data: Tensor, *, begin: OpenShape, end: OpenShape, step: OpenShape = ()) -> Tensor:
    """`data[begin:end:step]` along the leading axes; None stands for an open end, steps may be negative."""
    slices = _slices(begin, end, step)
    if len(slices) > data.dim():
        raise InputError(f"slice: too many bounds: expected at most {data.dim()}, got begin={begin}.")
    for axis, bounds in enumerate(slices):
        if bounds.step is not None and bounds.step < 0:
            at = range(*bounds.indices(data.shape[axis]))
            positions = torch.arange(at.start, at.start + len(at) * at.step, at.step, device=data.device)
            data = data.index_select(axis, positions)
            slices[axis] = slice(None)
    return data[tuple(slices)]


slice_.sparse(sparse_rules.cut)


@slice_.onnx
def _(g: GraphBuilder, data: Value, *, begin: OpenShape, end: OpenShape, step: OpenShape) -> Value:
    axes, starts, ends, steps = [], [], [], []
    for axis, bounds in enumerate(_slices(begin, end, step)):
        if bounds == slice(None):
            continue
        stride = 1 if bounds.step is None else bounds.step
        axes.append(axis)
        steps.append(stride)
        starts.append(bounds.start if bounds.start is not None else 0 if stride > 0 else INT64_MAX)
        ends.append(bounds.stop if bounds.stop is not None else INT64_MAX if stride > 0 else INT64_MIN)
    return g.op("Slice", data, g.ints(starts), g.ints(ends), g.ints(axes), g.ints(steps)) if axes else data


@operator("slice_axis", method="slice_axis", view=True, source=SOURCE + ", SliceAxisParam")
def slice_axis(data: Tensor, *, axis: int, begin: int, end: int | None) -> Tensor:
    """`data[begin:end]` along `axis`; negative bounds count from the end, None is the end.

    Raises:
        InputError: The bounds lie outside of the axis, or nothing lies between them.
    """
    size = data.shape[axis]
    low = begin + size * (begin < 0)
    high = size if end is None else end + size * (end < 0)
    if not 0 <= low < high <= size:
        raise InputError(
            f"slice_axis: wrong bounds: expected 0 <= begin < end <= {size} on axis {axis}, "
            f"got begin={begin}, end={end}."
        )
    return data.narrow(axis, low, high - low)


@slice_axis.quick
def _(*, axis: int, begin: int, end: int | None) -> Callable[[Tensor], Tensor] | None:
    if end is None or not 0 <= begin < end:
        return None
    copy = torch.narrow_copy
    length = end - begin
    return lambda data: copy(data, axis, begin, length)


@slice_axis.onnx
def _(g: GraphBuilder, data: Value, *, axis: int, begin: int, end: int | None) -> Value:
    return g.op("Slice", data, g.ints([begin]), g.ints([INT64_MAX if end is None else end]), g.ints([axis]))


@operator("slice_like", method="slice_like", view=True, source=SOURCE + ", SliceLikeParam")
def slice_like(data: Tensor, shape_like: Tensor, *, axes: Shape = ()) -> Tensor:
    """Cut `data` to the sizes of `shape_like` along `axes` (all without `axes`)."""
    for axis in axes or range(data.dim()):
        place = axis + data.dim() if axis < 0 else axis  # in both arrays
        if not 0 <= place < min(data.dim(), shape_like.dim()):
            raise InputError(
                f"slice_like: no such axis: expected one that both arrays have, got data={tuple(data.shape)}, "
                f"shape_like={tuple(shape_like.shape)}, {axis=}."
            )
        if shape_like.shape[place] > data.shape[place]:
            raise InputError(
                f"slice_like: axis {axis} is too short: expected at least {shape_like.shape[place]}, "
                f"got data={tuple(data.shape)}."
            )
        data = data.narrow(place, 0, shape_like.shape[place])
    return data


@slice_like.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@slice_like.onnx
def _(g: GraphBuilder, data: Value, shape_like: Value, *, axes: Shape) -> Value:
    rank = g.rank(data)
    cut = [a % rank for a in axes] if axes else list(range(rank))
    ends = g.op("Gather", g.shape(shape_like), g.ints(cut))
    return g.op("Slice", data, g.ints([0] * len(cut)), ends, g.ints(cut))
