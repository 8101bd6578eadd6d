"""Arrays from attributes alone. `ctx` is for the caller, who turns it into `device`; nothing here reads it."""

import math

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.attributes import DTypeName, Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.dtypes import in_range, torch_dtype
from gluonnx.ops.table import Operator, operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/init_op.h"

Device = torch.device | str | None

FLOAT32 = DTypeName("float32")


def _constant(op: Operator) -> None:
    """Declare the lowering of an operator without inputs: what the torch function gives, as a constant."""

    def lowering(g: GraphBuilder, **attrs: object) -> Value:
        values: Tensor = op.forward(**attrs, device="cpu")
        dtype = str(attrs["dtype"])
        # numpy has no bfloat16 of its own.
        plain = values.to(torch.float32) if dtype == "bfloat16" else values
        return g.const(plain.numpy(), dtype)

    op.onnx(lowering)


def _known(name: str, shape: Shape | None) -> Shape:
    if shape is None or any(size < 0 for size in shape):
        raise InputError(f"{name}: shape is unknown: expected known dimensions, got shape={shape}. Pass `shape=`.")
    return shape


@operator("_zeros", shapes="wanted", source=SOURCE)
def zeros(*, shape: Shape = (), ctx: str = "", dtype: DTypeName = FLOAT32, device: Device = None) -> Tensor:
    """Zeros of `shape`."""
    return torch.zeros(_known("_zeros", shape), dtype=torch_dtype(dtype), device=device)


@operator("_ones", shapes="wanted", source=SOURCE)
def ones(*, shape: Shape = (), ctx: str = "", dtype: DTypeName = FLOAT32, device: Device = None) -> Tensor:
    """Ones of `shape`."""
    return torch.ones(_known("_ones", shape), dtype=torch_dtype(dtype), device=device)


@operator("_full", shapes="wanted", source=SOURCE)
def full(
    *, shape: Shape | None = None, ctx: str = "", dtype: DTypeName = FLOAT32, value: float, device: Device = None
) -> Tensor:
    """`value` everywhere, in `shape`; truncated for integers."""
    known = _known("_full", shape)
    kind = torch_dtype(dtype)
    if kind.is_floating_point:
        return torch.full(known, in_range(value, kind), dtype=kind, device=device)
    if kind == torch.bool:
        return torch.full(known, bool(value), dtype=kind, device=device)
    return torch.full(known, int(value), dtype=torch.int64, device=device).to(kind)


@operator("_arange", source=SOURCE + ", RangeCompute")
def arange(
    *,
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    ctx: str = "",
    dtype: DTypeName = FLOAT32,
    device: Device = None,
) -> Tensor:
    """`start`, `start + step`, ... below `stop`, each `repeat` times; without `stop`, from 0 to `start`.

    For integers, `start` and `step` are truncated after the number of elements is found.
    """
    if infer_range:
        raise InputError(
            "_arange: length is unknown: expected `stop`, got infer_range=True, which needs the shape of a later use. "
            "Pass `stop=`, or use arange_like."
        )
    if stop is None:
        start, stop = 0.0, start
    if step == 0 or (stop - start) * step <= 0:
        raise InputError(
            f"_arange: empty range: expected `step` to lead from start to stop, got start={start}, stop={stop}, "
            f"step={step}. Change one of them."
        )
    count = math.ceil((stop - start) / step)
    kind = torch_dtype(dtype)
    if kind.is_floating_point:
        values = torch.arange(count, dtype=torch.float64, device=device).mul_(step).add_(start).to(kind)
    else:
        values = torch.arange(count, dtype=torch.int64, device=device).mul_(int(step)).add_(int(start)).to(kind)
    return values if repeat == 1 else values.repeat_interleave(repeat)


@operator("_linspace", source=SOURCE + ", LinspaceCompute")
def linspace(
    *,
    start: float,
    stop: float,
    num: int,
    endpoint: bool = True,
    ctx: str = "",
    dtype: DTypeName = FLOAT32,
    device: Device = None,
) -> Tensor:
    """`num` evenly spaced numbers from `start` to `stop`, which is the last one if `endpoint`."""
    if num < 1:
        raise InputError(f"_linspace: wrong length: expected at least 1, got num={num}. Pass a positive `num`.")
    intervals = num - 1 if endpoint else num
    step = (stop - start) / intervals if intervals else 0.0
    values = torch.arange(num, dtype=torch.float64, device=device).mul_(step).add_(start)
    return values.to(torch_dtype(dtype))


@operator("_eye", source=SOURCE)
def eye(
    *,
    N: int,  # noqa: N803 - MXNet's name
    M: int = 0,  # noqa: N803 - MXNet's name
    k: int = 0,
    ctx: str = "",
    dtype: DTypeName = FLOAT32,
    device: Device = None,
) -> Tensor:
    """Ones on the `k`-th diagonal of an (N, M) matrix of zeros; (N, N) if `M` is 0."""
    if N < 1 or M < 0:
        raise InputError(f"_eye: wrong size: expected N of at least 1 and M of at least 0, got N={N}, M={M}.")
    result = torch.zeros(N, M or N, dtype=torch_dtype(dtype), device=device)
    if -N < k < (M or N):
        result.diagonal(k).fill_(1)
    return result


for _op in (zeros, ones, full, arange, linspace, eye):
    _constant(_op)
