"""ONNX's ImageDecoder, through OpenCV."""

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.foreign.table import onnx_operator
from gluonnx.ops.opencv import opencv


@onnx_operator("ImageDecoder", is_open=True)
def image_decoder(encoded: Tensor, *, pixel_format: str = "RGB") -> Tensor:
    """The pixels (H, W, C) of an image file's bytes, uint8; what cannot be decoded is empty.

    Raises:
        InputError: No such pixel format.
        MissingPackageError: OpenCV is not installed.
    """
    if pixel_format not in ("RGB", "BGR", "Grayscale"):
        raise InputError(
            f"ImageDecoder: unknown pixel format: expected RGB, BGR or Grayscale, got pixel_format={pixel_format!r}."
        )
    cv2 = opencv()
    is_gray = pixel_format == "Grayscale"
    buffer = np.ascontiguousarray(encoded.detach().cpu().numpy())
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(buffer, flags) if buffer.size else None
    except cv2.error:
        image = None
    if image is None:
        return torch.empty((0, 0, 1 if is_gray else 3), dtype=torch.uint8, device=encoded.device)
    if is_gray:
        # The gray of the decoded colors; a decoder that is asked for gray gives the luminance before they are clamped.
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[:, :, None]
    elif pixel_format == "RGB":
        image = np.ascontiguousarray(image[:, :, ::-1])
    return torch.from_numpy(image).to(encoded.device)
