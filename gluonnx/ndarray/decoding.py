"""`_internal._cvimdecode`, `_cvimread` and `nd.imdecode`: images from bytes and files.

They are no operators of the table, because the shape of their result is in the bytes.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gluonnx.errors import AttributeValueError, FileAccessError, FormatError, InputError, NotSupportedError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.opencv import opencv

__all__ = ["_cvimdecode", "_cvimread", "imdecode"]


def _decoded(where: str, data: "np.ndarray[Any, np.dtype[np.uint8]]", flag: int, to_rgb: bool) -> NDArray:
    if int(flag) not in (0, 1):
        raise AttributeValueError(f"{where}: wrong flag: expected 0 (gray) or 1 (three colours), got flag={flag}.")
    cv2 = opencv()
    pixels = cv2.imdecode(data, int(flag)) if data.size else None
    if pixels is None:
        raise FormatError(f"{where}: not an image that OpenCV can decode: got {data.size} bytes.")
    if int(flag) == 0:
        pixels = pixels[:, :, None]
    elif to_rgb:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return NDArray(torch.from_numpy(pixels))


def _cvimdecode(buf: NDArray, flag: int = 1, to_rgb: bool = True, out: NDArray | None = None) -> NDArray:
    """Decode an image from a uint8 array of its bytes: see `mx.image.imdecode`.

    Raises:
        InputError: `buf` is not a uint8 array.
        FormatError: The bytes are no image.
    """
    if buf._t.dtype != torch.uint8:
        raise InputError(f"imdecode: wrong dtype of buf: expected uint8, got dtype={np.dtype(buf.dtype).name}.")
    return _deliver(_decoded("imdecode", buf.asnumpy().ravel(), flag, bool(to_rgb)), out)


def _cvimread(
    filename: str | os.PathLike[str], flag: int = 1, to_rgb: bool = True, out: NDArray | None = None
) -> NDArray:
    """Decode an image file: see `mx.image.imread`.

    Raises:
        FileAccessError: The file cannot be read.
        FormatError: It is no image.
    """
    try:
        data = np.fromfile(Path(filename), dtype=np.uint8)
    except OSError as err:
        raise FileAccessError(f"imread: {os.fspath(filename)!r} cannot be read: {err.strerror}.") from err
    return _deliver(_decoded(f"imread: {os.fspath(filename)!r}", data, flag, bool(to_rgb)), out)


def _deliver(image: NDArray, out: NDArray | None) -> NDArray:
    if out is None:
        return image
    if out.shape != image.shape:
        raise InputError(f"out: does not fit the image: expected shape {image.shape}, got out={out.shape}.")
    out[:] = image
    return out


def imdecode(*args: Any, **kwargs: Any) -> NDArray:
    """`nd.imdecode` of MXNet 0.x.

    Raises:
        NotSupportedError: Always; in MXNet 1.9.1 too it fails for every image.
    """
    raise NotSupportedError(
        "nd.imdecode: fails for every image in MXNet 1.9.1, so there is nothing to follow. Use `mx.image.imdecode`."
    )
