"""Fourier transforms and count sketches.

MXNet has these on GPUs only, so their answers are checked against numpy's transforms and sums.
"""

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import no_effect, operator


def _check_rank(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) not in (2, 4):
        raise InputError(f"{name}: wrong rank of data: expected 2 or 4 dimensions, got data={tuple(shape)}.")


@operator(
    "_contrib_fft",
    no_effect=(no_effect("compute_size", int, 128),),
    source="MXNet 1.9.1 src/operator/contrib/fft-inl.h; python/mxnet tests of the operator",
)
def fft(data: Tensor) -> Tensor:
    """Discrete Fourier transform of real `data` (..., n) along the last axis of 2 or 4: (..., 2 n).

    Real and imaginary parts alternate.

    Raises:
        InputError: `data` has other than 2 or 4 dimensions.
    """
    _check_rank("_contrib_fft", data.shape)
    wide = data.float() if data.dtype == torch.float16 else data
    return torch.view_as_real(torch.fft.fft(wide)).flatten(-2).to(data.dtype)


@fft.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    rank, size = g.rank(data), g.dims(data)[-1]
    assert size is not None
    dtype = g.dtype(data)
    x = g.cast(data, "float32") if dtype == "float16" else data
    real = g.op("Unsqueeze", x, g.ints([rank]))
    out = g.op("DFT", real, None, g.const(rank - 1, "int64"))
    return g.cast(g.op("Reshape", out, g.ints([0] * (rank - 1) + [2 * size])), dtype)


@operator(
    "_contrib_ifft",
    no_effect=(no_effect("compute_size", int, 128),),
    source="MXNet 1.9.1 src/operator/contrib/ifft-inl.h; python/mxnet tests of the operator",
)
def ifft(data: Tensor) -> Tensor:
    """Real part of the inverse transform of `data` (..., 2 n), whose real and imaginary parts alternate: (..., n).

    It is not divided by n. An odd last element is left out.

    Raises:
        InputError: `data` has other than 2 or 4 dimensions.
    """
    _check_rank("_contrib_ifft", data.shape)
    wide = data.float() if data.dtype == torch.float16 else data
    size = data.shape[-1] // 2
    pairs = wide[..., : 2 * size].reshape(*data.shape[:-1], size, 2).contiguous()
    whole: Tensor = torch.fft.ifft(torch.view_as_complex(pairs), norm="forward")
    return whole.real.to(data.dtype, copy=True)


@ifft.onnx
def _(g: GraphBuilder, data: Value) -> Value:
    rank, last = g.rank(data), g.dims(data)[-1]
    assert last is not None
    size = last // 2
    dtype = g.dtype(data)
    x = g.cast(data, "float32") if dtype == "float16" else data
    if last % 2:
        x = g.op("Slice", x, g.ints([0]), g.ints([2 * size]), g.ints([rank - 1]))
    pairs = g.op("Reshape", x, g.ints([0] * (rank - 1) + [size, 2]))
    # The transform of the conjugate is the conjugate of what is wanted; ONNX Runtime's inverse divides in float32.
    out = g.op("DFT", g.op("Mul", pairs, g.const([1, -1], g.dtype(pairs))), None, g.const(rank - 1, "int64"))
    return g.cast(g.op("Gather", out, g.const(0, "int64"), axis=rank), dtype)


@operator(
    "_contrib_count_sketch",
    no_effect=(no_effect("processing_batch_size", int, 32),),
    source="MXNet 1.9.1 src/operator/contrib/count_sketch-inl.h; python/mxnet tests of the operator",
)
def count_sketch(data: Tensor, h: Tensor, s: Tensor, *, out_dim: int) -> Tensor:
    """Count sketch of `data` (..., n): element `h[i]` of the result (..., out_dim) is the sum of `s[i] data[..., i]`.

    `h` (1, n) holds places from 0 to `out_dim` - 1, `s` (1, n) signs; no gradient goes to either.

    Raises:
        InputError: Shapes do not fit, or a place is outside the result.
        AttributeValueError: `out_dim` is less than 1.
    """
    if out_dim < 1:
        raise AttributeValueError(
            f"_contrib_count_sketch: attribute `out_dim` has a wrong value: expected at least 1, got {out_dim=}."
        )
    _check_rank("_contrib_count_sketch", data.shape)
    size = data.shape[-1]
    if h.shape != (1, size) or s.shape != (1, size):
        raise InputError(
            f"_contrib_count_sketch: inputs do not fit each other: expected h and s of shape (1, {size}), "
            f"got h={tuple(h.shape)}, s={tuple(s.shape)}."
        )
    place = h.detach().reshape(-1).long()
    if place.device.type != "meta" and size and not 0 <= int(place.min()) <= int(place.max()) < out_dim:
        raise InputError(
            f"_contrib_count_sketch: place is outside the result: expected h from 0 to {out_dim - 1}, "
            f"got {int(place.min())} to {int(place.max())}."
        )
    result = data.new_zeros((*data.shape[:-1], out_dim))
    return result.index_add(-1, place, data * s.detach().reshape(-1))


@count_sketch.onnx
def _(g: GraphBuilder, data: Value, h: Value, s: Value, *, out_dim: int) -> Value:
    rank = g.rank(data)
    signed = g.op("Mul", data, g.op("Reshape", s, g.ints([-1])))
    shape = g.op("Shape", data)
    place = g.op("Expand", g.cast(g.op("Reshape", h, g.ints([-1])), "int64"), shape)
    leading = g.op("Shape", data, start=0, end=rank - 1)
    zeros = g.op("Expand", g.scalar(0.0, data), g.op("Concat", leading, g.ints([out_dim]), axis=0))
    return g.op("ScatterElements", zeros, place, signed, axis=rank - 1, reduction="add")


@count_sketch.parameters
def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"h": (1, data[-1]), "s": (1, data[-1])}
