"""OpenCV, which resizes, pads and decodes images as MXNet does, and the operators that are one call of it.

No other library gives MXNet's results: it links OpenCV 3.4.2 itself, whose interpolation of 8-bit images is in fixed
point. Images are (H, W, C). ONNX has no operator for it.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, MissingPackageError
from gluonnx.ops.attributes import Floats
from gluonnx.ops.table import operator

INTERPOLATIONS = {0: "nearest", 1: "linear", 2: "cubic", 3: "area", 4: "Lanczos", 5: "linear, rounded exactly"}
"""OpenCV's interpolations by their codes."""
BORDERS = {0: "constant", 1: "reflect", 2: "replicate", 3: "wrap", 4: "reflect without the edge"}
"""OpenCV's borders by their codes; 16 may be added to each and changes nothing here."""
RESIZED = (torch.uint8, torch.float32, torch.float64)
PADDED = (*RESIZED, torch.int8, torch.int32)


@functools.cache
def opencv() -> Any:
    """Return the module `cv2`.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        import cv2
    except ImportError as err:
        raise MissingPackageError(
            "mx.image: OpenCV is missing: expected the package opencv-python-headless, which decodes and resizes "
            f"images, got {err}. Install `gluonnx[image]`."
        ) from err
    return cv2


@contextmanager
def plain_kernels() -> Iterator[Any]:
    """Give `cv2` without Intel's IPP, whose interpolation rounds otherwise than MXNet's OpenCV."""
    cv2 = opencv()
    was_on = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield cv2
    finally:
        cv2.ipp.setUseIPP(was_on)


def check_image(name: str, data: Tensor, dtypes: tuple[torch.dtype, ...], ranks: tuple[int, ...] = (3,)) -> None:
    """Raise InputError unless `data` is an image, or several, of an element type that OpenCV takes."""
    if data.dim() not in ranks or 0 in data.shape:
        forms = " or ".join("(N, H, W, C)" if rank == 4 else "(H, W, C)" for rank in ranks)
        raise InputError(f"{name}: not an image: expected {forms} with pixels in it, got data={tuple(data.shape)}.")
    if data.dtype not in dtypes:
        names = ", ".join(str(d).removeprefix("torch.") for d in dtypes)
        raise InputError(
            f"{name}: OpenCV does not take this dtype: expected one of {names}, got "
            f"dtype={str(data.dtype).removeprefix('torch.')}. Cast the image."
        )


def resize(name: str, data: Tensor, height: int, width: int, interp: int) -> Tensor:
    """Resize an image (H, W, C), or each of (N, H, W, C).

    Raises:
        InputError: `data` is not an image.
        AttributeValueError: An unknown interpolation, or no pixel is left.
    """
    check_image(name, data, RESIZED, (3, 4))
    if interp not in INTERPOLATIONS:
        codes = ", ".join(f"{code} ({label})" for code, label in INTERPOLATIONS.items())
        raise AttributeValueError(
            f"{name}: attribute `interp` has a wrong value: expected one of {codes}, got {interp=}."
        )
    if height < 1 or width < 1:
        raise AttributeValueError(
            f"{name}: nothing is left of the image: expected a width and height of at least 1, got {width=}, {height=}."
        )
    shape = (*data.shape[:-3], height, width, data.shape[-1])
    if data.device.type == "meta":
        return data.new_empty(shape)
    pixels = data.detach().cpu().numpy()
    with plain_kernels() as cv2:
        one = functools.partial(cv2.resize, dsize=(width, height), interpolation=interp)
        found = one(pixels) if data.dim() == 3 else np.stack([one(image) for image in pixels])
    return torch.from_numpy(found.reshape(shape)).to(data.device)


@operator("_cvimresize", "_npi_cvimresize", gradient="none", source="MXNet 1.9.1 src/io/image_io.cc")
def cv_resize(src: Tensor, *, w: int, h: int, interp: int = 1) -> Tensor:
    """An image (H, W, C) resized to (h, w, C); `interp` is a code of OpenCV's: see `mx.image.imresize`.

    Differs: cubic interpolation of 8-bit images may round one step otherwise, because MXNet's OpenCV is an old one.

    Raises:
        InputError: `src` is not an image of uint8, float32 or float64.
        AttributeValueError: An unknown interpolation, or no pixel is left.
    """
    check_image("_cvimresize", src, RESIZED)
    return resize("_cvimresize", src, h, w, interp)


@operator("_cvcopyMakeBorder", gradient="none", source="MXNet 1.9.1 src/io/image_io.cc")
def cv_copy_make_border(
    src: Tensor,
    *,
    top: int,
    bot: int,
    left: int,
    right: int,
    type: int = 0,
    value: float = 0.0,
    values: Floats = (),
) -> Tensor:
    """An image (H, W, C) with a border around it; `type` is a code of OpenCV's: see `mx.image.copyMakeBorder`.

    A constant border has the colour `values`, 0 for the channels it leaves out, or `value` on all channels.

    Raises:
        InputError: `src` is not an image.
        AttributeValueError: An unknown border, a negative width or more than four values.
    """
    name = "_cvcopyMakeBorder"
    check_image(name, src, PADDED)
    border = type & ~16
    if border not in BORDERS:
        codes = ", ".join(f"{code} ({label})" for code, label in BORDERS.items())
        raise AttributeValueError(f"{name}: attribute `type` has a wrong value: expected one of {codes}, got {type=}.")
    if min(top, bot, left, right) < 0 or len(values) > 4:
        raise AttributeValueError(
            f"{name}: wrong border: expected widths of at least 0 and up to four values, got {top=}, {bot=}, {left=}, "
            f"{right=}, {values=}."
        )
    height, width, channels = src.shape
    shape = (height + top + bot, width + left + right, channels)
    if src.device.type == "meta":
        return src.new_empty(shape)
    colour = values or (value,) * 4
    found = opencv().copyMakeBorder(src.detach().cpu().numpy(), top, bot, left, right, border, value=colour)
    return torch.from_numpy(found.reshape(shape)).to(src.device)


def no_lowering(*operators: Any) -> None:
    """Declare why operators that OpenCV computes have no ONNX form."""
    for op in operators:
        op.no_onnx("OpenCV's arithmetic on pixels has no ONNX operator; prepare images before the model")


no_lowering(cv_resize, cv_copy_make_border)
