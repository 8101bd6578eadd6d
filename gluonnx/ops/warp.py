"""Sampling feature maps at computed places: grids, bilinear sampling, spatial transformers."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.resize import check_maps, fixed_sizes
from gluonnx.ops.table import no_effect, operator

CUDNN_OFF = no_effect("cudnn_off", bool | None, None)


def _ramp(size: int, like: Tensor) -> Tensor:
    """Places of `size` pixels from -1 to 1; NaN for a single one, whose spacing is 2 / 0, as MXNet's."""
    step = torch.full((), 2.0, dtype=like.dtype, device=like.device) / (size - 1)
    return torch.arange(size, dtype=like.dtype, device=like.device) * step - 1.0


def _base(target: tuple[int, int], like: Tensor) -> Tensor:
    """Rows x, y and 1 of every pixel of a target (height, width): (3, height width)."""
    height, width = target
    x = _ramp(width, like).expand(height, width).reshape(-1)
    y = _ramp(height, like)[:, None].expand(height, width).reshape(-1)
    return torch.stack([x, y, torch.ones_like(x)])


def _target(name: str, target_shape: Shape) -> tuple[int, int]:
    if len(target_shape) != 2 or min(target_shape) < 1:
        raise AttributeValueError(
            f"{name}: attribute `target_shape` has a wrong value: expected (height, width) of at least 1, "
            f"got {target_shape=}."
        )
    return target_shape[0], target_shape[1]


def _check_affine(name: str, argument: str, shape: Sequence[int | None]) -> None:
    if len(shape) != 2 or shape[1] != 6:
        raise InputError(
            f"{name}: wrong shape of {argument}: expected (N, 6), six numbers of an affine matrix, "
            f"got {argument}={tuple(shape)}."
        )


def _affine_grid(theta: Tensor, target: tuple[int, int]) -> Tensor:
    return (theta.reshape(-1, 2, 3) @ _base(target, theta)).reshape(-1, 2, *target)


def _lower_affine_grid(g: GraphBuilder, theta: Value, target: tuple[int, int]) -> Value:
    like = torch.zeros((), dtype=torch.float32)
    base = g.const(_base(target, like).numpy(), g.dtype(theta))
    grid = g.op("MatMul", g.op("Reshape", theta, g.ints([-1, 2, 3])), base)
    return g.op("Reshape", grid, g.ints([-1, 2, *target]))


@operator("GridGenerator", unread=1, source="MXNet 1.9.1 src/operator/grid_generator-inl.h")
def grid_generator(data: Tensor, *, transform_type: Literal["affine", "warp"], target_shape: Shape = (0, 0)) -> Tensor:
    """A grid (N, 2, H, W) of places x, y between -1 and 1 for `BilinearSampler`.

    `affine`: `data` (N, 6) holds matrices that map each place (x, y, 1) of a target of `target_shape` to a place of
    the source. `warp`: `data` (N, 2, H, W) holds by how many pixels x and y each place moves. An axis of one pixel has
    no spacing and gives NaN or infinities, as in MXNet.

    Raises:
        InputError: `data` has another shape.
        AttributeValueError: `affine` without a `target_shape`.
    """
    if transform_type == "affine":
        _check_affine("GridGenerator", "data", data.shape)
        return _affine_grid(data, _target("GridGenerator", target_shape))
    _check_flow(data.shape)
    height, width = data.shape[2:]
    halves = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=data.dtype, device=data.device)
    return (data + _pixels(height, width, data)) / halves[:, None, None] - 1.0


def _pixels(height: int, width: int, like: Tensor) -> Tensor:
    """Column and row of every pixel: (2, height, width)."""
    x = torch.arange(width, dtype=like.dtype, device=like.device).expand(height, width)
    y = torch.arange(height, dtype=like.dtype, device=like.device)[:, None].expand(height, width)
    return torch.stack([x, y])


def _check_flow(shape: Sequence[int | None]) -> None:
    if len(shape) != 4 or shape[1] != 2:
        raise InputError(
            "GridGenerator: wrong shape of data: expected (N, 2, H, W), movements along x and y, "
            f"got data={tuple(shape)}."
        )


@grid_generator.onnx
def _(g: GraphBuilder, data: Value, *, transform_type: str, target_shape: Shape) -> Value:
    if transform_type == "affine":
        return _lower_affine_grid(g, data, _target("GridGenerator", target_shape))
    height, width = fixed_sizes(g, "GridGenerator", data)
    dtype = g.dtype(data)
    pixels = _pixels(height, width, torch.zeros(())).numpy()
    halves = np.array([(width - 1) / 2, (height - 1) / 2]).reshape(2, 1, 1)
    scaled = g.op("Div", g.op("Add", data, g.const(pixels, dtype)), g.const(halves, dtype))
    return g.op("Sub", scaled, g.scalar(1.0, scaled))


def _sample(data: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(data, grid.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=True)


def _lower_sample(g: GraphBuilder, data: Value, grid: Value) -> Value:
    places = g.op("Transpose", grid, perm=[0, 2, 3, 1])
    return g.op("GridSample", data, places, mode="linear", padding_mode="zeros", align_corners=1)


@operator("BilinearSampler", unread=1, no_effect=(CUDNN_OFF,), source="MXNet 1.9.1 src/operator/bilinear_sampler-inl.h")
def bilinear_sampler(data: Tensor, grid: Tensor) -> Tensor:
    """Bilinear samples of `data` (N, C, H, W) at the places x, y of `grid` (N, 2, h, w): (N, C, h, w).

    -1 and 1 are the centres of the outermost pixels; beyond them everything is 0.

    Raises:
        InputError: Ranks, batch sizes or the second axis of `grid` are other than that.
    """
    check_maps("BilinearSampler", "data", data.shape)
    if grid.dim() != 4 or grid.shape[1] != 2 or grid.shape[0] != data.shape[0]:
        raise InputError(
            f"BilinearSampler: wrong shape of grid: expected ({data.shape[0]}, 2, h, w) beside "
            f"data={tuple(data.shape)}, got grid={tuple(grid.shape)}."
        )
    return _sample(data, grid)


@bilinear_sampler.onnx
def _(g: GraphBuilder, data: Value, grid: Value) -> Value:
    refuse_float64(g, "BilinearSampler", data)
    return _lower_sample(g, data, grid)


@operator(
    "SpatialTransformer",
    unread=2,
    no_effect=(CUDNN_OFF,),
    source="MXNet 1.9.1 src/operator/spatial_transformer-inl.h",
)
def spatial_transformer(
    data: Tensor,
    loc: Tensor,
    *,
    target_shape: Shape = (0, 0),
    transform_type: Literal["affine"],
    sampler_type: Literal["bilinear"],
) -> Tensor:
    """`BilinearSampler` of `data` (N, C, H, W) on the affine grid of `loc` (N, 6); see `GridGenerator`.

    Raises:
        InputError: Ranks or batch sizes do not fit.
        AttributeValueError: No `target_shape`.
    """
    check_maps("SpatialTransformer", "data", data.shape)
    _check_affine("SpatialTransformer", "loc", loc.shape)
    if loc.shape[0] != data.shape[0]:
        raise InputError(
            f"SpatialTransformer: batch sizes differ: expected one, got data={tuple(data.shape)}, "
            f"loc={tuple(loc.shape)}."
        )
    return _sample(data, _affine_grid(loc, _target("SpatialTransformer", target_shape)))


@spatial_transformer.onnx
def _(g: GraphBuilder, data: Value, loc: Value, *, target_shape: Shape) -> Value:
    refuse_float64(g, "SpatialTransformer", data)
    return _lower_sample(g, data, _lower_affine_grid(g, loc, _target("SpatialTransformer", target_shape)))


@spatial_transformer.parameters
def _(data: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"loc": (data[0], 6)}
