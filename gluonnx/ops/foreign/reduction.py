"""ONNX operators that reduce axes, and those that order elements."""

from collections.abc import Callable

import torch
from torch import Tensor

from gluonnx.ops.foreign.table import integers, onnx_operator


def _axes(data: Tensor, axes: Tensor | None, noop: int) -> list[int] | None:
    """The axes to reduce, counted from 0; None for no reduction."""
    given = [] if axes is None else integers(axes)
    if not given:
        return None if noop else list(range(data.dim()))
    return sorted({a % data.dim() for a in given})


def _reduction(
    name: str, function: Callable[[Tensor, list[int], bool], Tensor], single: Callable[[Tensor], Tensor]
) -> None:
    def run(data: Tensor, axes: Tensor | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Tensor:
        over = _axes(data, axes, noop_with_empty_axes)
        if not over:
            return single(data)
        return function(data, over, bool(keepdims))

    run.__doc__ = f"ONNX `{name}` over the axes; all of them without `axes`."
    onnx_operator(name, values="axes")(run)


def _same(data: Tensor) -> Tensor:
    return data


def _sum(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    return data.sum(axes, keepdim=keep, dtype=data.dtype)


def _mean(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    if data.is_floating_point():
        return data.mean(axes, keepdim=keep)
    return data.to(torch.float64).mean(axes, keepdim=keep).to(data.dtype)


def _product(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in reversed(axes):
        data = data.prod(axis, keepdim=keep, dtype=data.dtype)
    return data


def _extreme(function: Callable[..., Tensor], is_max: bool) -> Callable[[Tensor, list[int], bool], Tensor]:
    def run(data: Tensor, axes: list[int], keep: bool) -> Tensor:
        if data.dtype is torch.bool:
            return run(data.to(torch.uint8), axes, keep).to(torch.bool)
        if any(data.shape[a] == 0 for a in axes):
            shape = [1 if i in axes else d for i, d in enumerate(data.shape)]
            if data.is_floating_point():
                value = -torch.inf if is_max else torch.inf
            else:
                info = torch.iinfo(data.dtype)
                value = info.min if is_max else info.max
            empty = data.new_full(shape, value)
            return empty if keep else empty.reshape([d for i, d in enumerate(data.shape) if i not in axes])
        return function(data, axes, keepdim=keep)

    return run


def _absolute(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _sum(data.abs(), axes, keep)


def _euclidean(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    if data.is_floating_point():
        norm: Tensor = torch.linalg.vector_norm(data, 2, axes, keepdim=keep)
        return norm
    return _sum(data.to(torch.float64).square(), axes, keep).sqrt().to(data.dtype)


def _squares(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _sum(data * data, axes, keep)


def _log_sum(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _sum(data, axes, keep).log()


def _log_sum_exp(data: Tensor, axes: list[int], keep: bool) -> Tensor:
    return torch.logsumexp(data, axes, keepdim=keep)


_reduction("ReduceSum", _sum, _same)
_reduction("ReduceMean", _mean, _same)
_reduction("ReduceProd", _product, _same)
_reduction("ReduceMax", _extreme(torch.amax, True), _same)
_reduction("ReduceMin", _extreme(torch.amin, False), _same)
_reduction("ReduceL1", _absolute, torch.abs)
_reduction("ReduceL2", _euclidean, torch.abs)
_reduction("ReduceSumSquare", _squares, torch.square)
_reduction("ReduceLogSum", _log_sum, torch.log)
_reduction("ReduceLogSumExp", _log_sum_exp, _same)


@onnx_operator("ArgMax")
def argmax(data: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    """Index of the largest element along an axis; of equal ones the first, or the last."""
    return _arg(torch.argmax, data, axis, keepdims, select_last_index)


@onnx_operator("ArgMin")
def argmin(data: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    """Index of the smallest element along an axis; of equal ones the first, or the last."""
    return _arg(torch.argmin, data, axis, keepdims, select_last_index)


def _arg(function: Callable[..., Tensor], data: Tensor, axis: int, keepdims: int, select_last_index: int) -> Tensor:
    if select_last_index:
        found: Tensor = data.shape[axis] - 1 - function(data.flip(axis), axis, keepdim=bool(keepdims))
        return found
    return function(data, axis, keepdim=bool(keepdims))


@onnx_operator("TopK", values="k")
def topk(data: Tensor, k: Tensor, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Tensor, Tensor]:
    """The k largest or smallest along an axis, in order, with their indices; of equal ones the first."""
    (count,) = integers(k)
    if data.is_floating_point() or data.dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        values, indices = torch.sort(data, dim=axis, descending=bool(largest), stable=True)
    else:
        values, indices = torch.sort(data.to(torch.int64), dim=axis, descending=bool(largest), stable=True)
        values = values.to(data.dtype)
    return values.narrow(axis, 0, count), indices.narrow(axis, 0, count)


@onnx_operator("NonZero", is_open=True)
def nonzero(data: Tensor) -> Tensor:
    """Indices of the elements that are not zero, one column for each."""
    return torch.nonzero(data).T.contiguous()


@onnx_operator("Unique", is_open=True)
def unique(data: Tensor, *, axis: int | None = None, sorted: int = 1, output_count: int) -> tuple[Tensor, ...]:
    """Distinct elements (or slices), where each first is, which one each element is, and how many there are."""
    given = data.reshape(-1) if axis is None else data
    dim = 0 if axis is None else axis
    values, inverse, counts = torch.unique(given, sorted=True, return_inverse=True, return_counts=True, dim=dim)
    places = torch.arange(inverse.numel(), device=data.device)
    first = places.new_full((values.shape[dim],), inverse.numel()).scatter_reduce(0, inverse, places, "amin")
    if not sorted:
        order = first.argsort()
        back = order.argsort()
        values, first, counts, inverse = values.index_select(dim, order), first[order], counts[order], back[inverse]
    return (values, first, inverse, counts)[:output_count]


@onnx_operator("Compress", is_open=True)
def compress(data: Tensor, condition: Tensor, *, axis: int | None = None) -> Tensor:
    """The slices along an axis for which the condition is true."""
    given = data.reshape(-1) if axis is None else data
    dim = 0 if axis is None else axis
    return given.index_select(dim, torch.nonzero(condition)[:, 0])
