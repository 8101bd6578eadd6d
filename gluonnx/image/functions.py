"""Functions on images (H, W, C): reading, resizing, cropping, rotating.

Random ones draw from Python's `random` and numpy's global generator, in MXNet's order: the same seeds give the same
crops. Source: MXNet 1.9.1 python/mxnet/image/image.py.
"""

import math
import os
import random
import warnings
from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np

from gluonnx import ndarray as nd
from gluonnx.errors import ArgumentError, InputTypeError
from gluonnx.ndarray import decoding
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import function

AUTOMATIC, ANY = 9, 10
"""Interpolations that are chosen: by the change of size, and at random."""
ATTEMPTS = 10
"""How often a random crop is tried before the center is taken."""

Rectangle = tuple[int, int, int, int]


def imread(filename: str | os.PathLike[str], flag: int = 1, to_rgb: bool = True, out: NDArray | None = None) -> NDArray:
    """Read an image file as a uint8 array (H, W, C).

    Args:
        filename: Path of the file.
        flag: 1: three channels; 0: one, gray.
        to_rgb: Channels are red, green, blue; otherwise blue, green, red.
        out: Array to fill.

    Raises:
        FileAccessError: The file cannot be read.
        FormatError: It is no image that OpenCV can decode.
    """
    return decoding._cvimread(filename, flag, to_rgb, out)


def imdecode(buf: Any, flag: int = 1, to_rgb: bool = True, out: NDArray | None = None) -> NDArray:
    """Decode the bytes of an image file to a uint8 array (H, W, C); arguments as `imread`'s.

    Raises:
        InputTypeError: `buf` is neither bytes nor an array.
        FormatError: It is no image that OpenCV can decode.
    """
    if not isinstance(buf, NDArray):
        if not isinstance(buf, (bytes, bytearray, memoryview, np.ndarray)):
            raise _BufferError(
                f"imdecode: wrong type of buf: expected bytes, bytearray or numpy.ndarray, got {type(buf).__name__}. "
                "Convert a str to bytes."
            )
        buf = nd.array(np.frombuffer(buf, dtype=np.uint8), dtype=np.uint8)
    return decoding._cvimdecode(buf, flag, to_rgb, out)


class _BufferError(InputTypeError, ValueError):
    """What is to be decoded is of the wrong type; MXNet raises ValueError."""


def imresize(src: NDArray, w: int, h: int, interp: int = 1, out: NDArray | None = None) -> NDArray:
    """Resize an image to width `w` and height `h`.

    `interp`: 0 nearest, 1 linear, 2 cubic, 3 area, 4 Lanczos over 8 x 8 pixels.

    Raises:
        InputError: `src` is not an image of uint8, float32 or float64.
        AttributeValueError: An unknown interpolation, or no pixel is left.
    """
    return function("_cvimresize")(src, w=w, h=h, interp=interp, out=out)  # type: ignore[no-any-return]


def copyMakeBorder(  # noqa: N802 - MXNet's name
    src: NDArray, top: int, bot: int, left: int, right: int, *args: Any, **kwargs: Any
) -> NDArray:
    """Put a border around an image.

    `type`: 0 constant of the colour `values` (or `value` on all channels), 1 reflected, 2 the edge replicated, 3
    wrapped around, 4 reflected without the edge.
    """
    return function("_cvcopyMakeBorder")(src, top, bot, left, right, *args, **kwargs)  # type: ignore[no-any-return]


def scale_down(src_size: Sequence[int], size: Sequence[int]) -> tuple[int, int]:
    """Return a crop's (width, height), made smaller in proportion until it fits the image's.

    Examples:
        >>> scale_down((640, 480), (720, 120))
        (640, 106)
    """
    width, height = float(size[0]), float(size[1])
    if src_size[1] < height:
        width, height = width * src_size[1] / height, src_size[1]
    if src_size[0] < width:
        width, height = src_size[0], height * src_size[0] / width
    return int(width), int(height)


def _get_interp_method(interp: int, sizes: Sequence[int] = ()) -> int:
    """Return OpenCV's interpolation for one that may be chosen.

    Args:
        interp: 0 to 4 as `imresize`; 9: cubic to enlarge, area to shrink, linear for anything between; 10: any.
        sizes: Old height and width, new height and width; without them 9 means cubic.

    Raises:
        ValueError: Another interpolation.
    """
    if interp == AUTOMATIC:
        if not sizes:
            return 2
        if len(sizes) != 4:
            raise ArgumentError(
                f"interpolation: wrong sizes: expected old height and width, new height and width, got {sizes}."
            )
        old_height, old_width, height, width = sizes
        if height > old_height and width > old_width:
            return 2
        return 3 if height < old_height and width < old_width else 1
    if interp == ANY:
        return random.randint(0, 4)
    if interp not in range(5):
        raise ArgumentError(f"interpolation: unknown method: expected 0 to 4, 9 or 10, got interp={interp}.")
    return interp


def resize_short(src: NDArray, size: int, interp: int = 2) -> NDArray:
    """Resize an image so that its shorter side has `size` pixels; `interp` also 9 (by the sizes) and 10 (any)."""
    height, width, _ = src.shape
    tall, wide = (size * height // width, size) if height > width else (size, size * width // height)
    return imresize(src, wide, tall, interp=_get_interp_method(interp, (height, width, tall, wide)))


def fixed_crop(
    src: NDArray, x0: int, y0: int, w: int, h: int, size: Sequence[int] | None = None, interp: int = 2
) -> NDArray:
    """Crop width `w` and height `h` from column `x0`, row `y0`, then resize to `size` (width, height) if given."""
    out: NDArray = src[y0 : y0 + h, x0 : x0 + w]
    if size is not None and (w, h) != tuple(size):
        return imresize(out, size[0], size[1], interp=_get_interp_method(interp, (h, w, size[1], size[0])))
    return out


def random_crop(src: NDArray, size: Sequence[int], interp: int = 2) -> tuple[NDArray, Rectangle]:
    """Crop `size` (width, height) at a random place; a smaller image is enlarged.

    Returns:
        The crop, and its (x, y, width, height) in the image.
    """
    height, width, _ = src.shape
    wide, tall = scale_down((width, height), size)
    x0, y0 = random.randint(0, width - wide), random.randint(0, height - tall)
    return fixed_crop(src, x0, y0, wide, tall, size, interp), (x0, y0, wide, tall)


def center_crop(src: NDArray, size: Sequence[int], interp: int = 2) -> tuple[NDArray, Rectangle]:
    """Crop `size` (width, height) from the middle; a smaller image is enlarged. Returns as `random_crop`."""
    height, width, _ = src.shape
    wide, tall = scale_down((width, height), size)
    x0, y0 = (width - wide) // 2, (height - tall) // 2
    return fixed_crop(src, x0, y0, wide, tall, size, interp), (x0, y0, wide, tall)


def color_normalize(src: NDArray, mean: Any, std: Any = None) -> NDArray:
    """Subtract `mean` from an image and divide it by `std`, in place; None leaves a step out."""
    if mean is not None:
        src -= mean
    if std is not None:
        src /= std
    return src


def random_size_crop(
    src: NDArray, size: Sequence[int], area: Any, ratio: Sequence[float], interp: int = 2, **kwargs: Any
) -> tuple[NDArray, Rectangle]:
    """Crop a random share of the area at a random place and aspect ratio, resized to `size` (width, height).

    Args:
        src: The image.
        size: Width and height of the result.
        area: Least and greatest share of the image's area; a number is the least one, up to 1.
        ratio: Least and greatest width / height.
        interp: As `resize_short`.
        kwargs: `min_area`, an old name of `area`.

    Returns:
        As `random_crop`; where no crop fits in ten attempts, that of `center_crop`.
    """
    height, width, _ = src.shape
    area = _area(area, kwargs, "random_size_crop")
    if isinstance(area, Number):
        area = (area, 1.0)
    for _ in range(ATTEMPTS):
        target = random.uniform(area[0], area[1]) * (height * width)
        shape = float(np.exp(random.uniform(float(np.log(ratio[0])), float(np.log(ratio[1])))))
        wide, tall = round(math.sqrt(target * shape)), round(math.sqrt(target / shape))
        if wide <= width and tall <= height:
            x0, y0 = random.randint(0, width - wide), random.randint(0, height - tall)
            return fixed_crop(src, x0, y0, wide, tall, size, interp), (x0, y0, wide, tall)
    return center_crop(src, size, interp)


def _area(area: Any, kwargs: dict[str, Any], where: str) -> Any:
    """Return the area, which may come under its old name."""
    if "min_area" in kwargs:
        warnings.warn("`min_area` is deprecated. Please use `area` instead.", DeprecationWarning, stacklevel=3)
        area = kwargs.pop("min_area")
    if kwargs:
        raise ArgumentError(f"{where}: unknown arguments: got {', '.join(sorted(kwargs))}.")
    return area


def imrotate(src: NDArray, rotation_degrees: Any, zoom_in: bool = False, zoom_out: bool = False) -> NDArray:
    """Rotate a float32 image (C, H, W), or several (N, C, H, W), around the middle.

    Args:
        src: The image or images.
        rotation_degrees: The angle, or for several images an array of one for each.
        zoom_in: Enlarge so that the result shows nothing from outside the image.
        zoom_out: Shrink so that the result shows all of the image.

    Raises:
        ValueError: Both zooms, other ranks, or as many angles as images are missing.
        TypeError: Another dtype, or several angles for one image.
    """
    if zoom_in and zoom_out:
        raise ValueError("imrotate: `zoom_in` and `zoom_out` cannot be both True: expected at most one.")
    if np.dtype(src.dtype) != np.float32:
        raise TypeError(f"imrotate: wrong dtype: expected float32, got dtype={np.dtype(src.dtype).name}. Cast it.")
    if src.ndim not in (3, 4):
        raise ValueError(f"imrotate: wrong rank of src: expected (C, H, W) or (N, C, H, W), got src={src.shape}.")
    is_number = isinstance(rotation_degrees, Number)
    if src.ndim == 3 and not is_number:
        raise TypeError(
            "imrotate: one image takes one angle: expected a number, got rotation_degrees="
            f"{type(rotation_degrees).__name__}."
        )
    images = src.expand_dims(0) if src.ndim == 3 else src
    count, _, height, width = images.shape
    if is_number:
        rotation_degrees = nd.array([rotation_degrees] * count, ctx=src.context)
    if len(rotation_degrees) != count:
        raise ValueError(f"imrotate: expected an angle for each of {count} images, got {len(rotation_degrees)}.")
    angle = (np.pi * rotation_degrees.as_in_context(src.context) / 180).reshape((count, 1, 1))
    cosine, sine = nd.cos(angle), nd.sin(angle)
    half_height, half_width = (height - 1) / 2, (width - 1) / 2
    y = (nd.arange(height, ctx=src.context) - half_height).reshape((1, height, 1))
    x = (nd.arange(width, ctx=src.context) - half_width).reshape((1, 1, width))
    # Rotated in pixels, so that the aspect ratio stays, and then scaled to -1 to 1.
    turned_x = (nd.broadcast_mul(x, cosine) - nd.broadcast_mul(y, sine)) / half_width
    turned_y = (nd.broadcast_mul(x, sine) + nd.broadcast_mul(y, cosine)) / half_height
    grid = nd.stack(turned_x, turned_y, axis=1)
    if zoom_in or zoom_out:
        grid = nd.broadcast_mul(grid, _zoom(angle, height, width, zoom_out).expand_dims(3))
    turned: NDArray = nd.BilinearSampler(images, grid)
    return turned[0] if src.ndim == 3 else turned


def _zoom(angle: NDArray, height: int, width: int, zoom_out: bool) -> NDArray:
    """Return by how much the grid of a turned image is scaled, so that it covers all of it or nothing else."""
    cosine, sine = nd.abs(nd.cos(angle)), nd.abs(nd.sin(angle))
    # Extents of the turned image; its farthest corners are those that the absolute values give.
    wide, tall = width * cosine + height * sine, width * sine + height * cosine
    if zoom_out:
        return nd.maximum(wide / width, tall / height)  # type: ignore[no-any-return]
    return nd.minimum(width / wide, height / tall)  # type: ignore[no-any-return]


def random_rotate(
    src: NDArray, angle_limits: Sequence[float], zoom_in: bool = False, zoom_out: bool = False
) -> NDArray:
    """`imrotate` by an angle between the limits, another one for each of several images."""
    low, high = angle_limits
    if src.ndim == 3:
        return imrotate(src, float(np.random.uniform(low, high)), zoom_in=zoom_in, zoom_out=zoom_out)
    angles = nd.array(np.random.uniform(low, high, size=src.shape[0]))
    return imrotate(src, angles, zoom_in=zoom_in, zoom_out=zoom_out)
