"""What training scripts use: splitting batches over devices, clipping gradients.

`downloading` owns `download`, `hooks` owns `HookHandle`; `indent` and `shape_is_known` serve the blocks.
"""

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluonnx import ndarray
from gluonnx.context import Context
from gluonnx.errors import ArgumentError
from gluonnx.gluon.downloading import check_sha1, download
from gluonnx.gluon.hooks import HookHandle
from gluonnx.ndarray import NDArray

__all__ = [
    "HookHandle",
    "check_sha1",
    "clip_global_norm",
    "download",
    "indent",
    "replace_file",
    "shape_is_known",
    "split_and_load",
    "split_data",
]

NORM_EPSILON = 1e-8
"""Added to the norm that is divided by, as in MXNet."""


def split_data(data: Any, num_slice: int, batch_axis: int = 0, even_split: bool = True) -> list[Any]:
    """Cut an array into `num_slice` parts along `batch_axis`; if it is uneven, the first parts are longer by one.

    Raises:
        ArgumentError: The size is not a multiple of `num_slice` and `even_split` is set, or `num_slice` is below 1.

    Examples:
        >>> [part.shape for part in split_data(ndarray.ones((5, 2)), 2, even_split=False)]
        [(3, 2), (2, 2)]
    """
    size = data.shape[batch_axis]
    if num_slice < 1:
        raise ArgumentError(f"split_data: no slices: expected at least 1, got num_slice={num_slice}. Pass more.")
    if even_split and size % num_slice:
        raise ArgumentError(
            f"split_data: data with shape {data.shape} cannot be evenly split into {num_slice} slices along axis "
            f"{batch_axis}: expected a multiple of {num_slice}, got size={size}. Use a batch size that's multiple of "
            f"{num_slice} or set even_split=False to allow uneven partitioning of data."
        )
    short, longer = divmod(size, num_slice)
    ends = [short * (i + 1) + min(i + 1, longer) for i in range(num_slice)]
    before = (slice(None),) * (batch_axis % len(data.shape))
    parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    return [data[(*before, part) if before else part] for part in parts]


def split_and_load(
    data: Any, ctx_list: Sequence[Context], batch_axis: int = 0, even_split: bool = True
) -> list[NDArray]:
    """Cut an array into one part for each context and copy each part there. See `split_data`."""
    array = data if isinstance(data, NDArray) else ndarray.array(data, ctx=ctx_list[0])
    if len(ctx_list) == 1:
        return [array.as_in_context(ctx_list[0])]
    parts = split_data(array, len(ctx_list), batch_axis, even_split)
    return [part.as_in_context(ctx) for part, ctx in zip(parts, ctx_list, strict=True)]


def clip_global_norm(arrays: Sequence[NDArray], max_norm: float, check_isfinite: bool = True) -> Any:
    """Scale arrays in place so that the norm of all of them together is at most `max_norm`.

    Args:
        arrays: Arrays on any contexts.
        max_norm: Largest norm that is left as it is.
        check_isfinite: Whether to warn of a norm that is not finite, at the cost of waiting for its value.

    Returns:
        The norm before scaling: a number, or with `check_isfinite=False` an NDArray (1,) on the first array's context.

    Raises:
        ArgumentError: No arrays.
    """
    if len(arrays) == 0:
        raise ArgumentError("clip_global_norm: no arrays: expected at least one, got arrays=[]. Pass the gradients.")
    ctx = arrays[0].context
    squares: list[Any] = [ndarray.square(array).sum().as_in_context(ctx) for array in arrays]
    total = squares[0]
    for square in squares[1:]:
        total = total + square
    norm = total**0.5
    if check_isfinite:
        value = norm.asscalar()
        if not math.isfinite(value):
            warnings.warn("nan or inf is detected. Clipping results will be undefined.", stacklevel=2)
    scale = (max_norm / (norm + NORM_EPSILON)).clip(0.0, 1.0)
    for array in arrays:
        array *= scale.as_in_context(array.context)
    return value if check_isfinite else norm


def _get_repo_url() -> str:
    """Return where programs look for published files: `MXNET_GLUON_REPO`, else MXNet's own server, which is gone."""
    url = os.environ.get("MXNET_GLUON_REPO", "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/")
    return url if url.endswith("/") else url + "/"


def _get_repo_file_url(namespace: str, filename: str) -> str:
    """Return where programs look for a published file: in the folder of the namespace there."""
    return f"{_get_repo_url()}{namespace}/{filename}"


def replace_file(src: "str | os.PathLike[str]", dst: "str | os.PathLike[str]") -> None:
    """Move a file over another one in a single step that others see done or not done.

    Raises:
        OSError: They are on different file systems, or may not be moved.
    """
    Path(src).replace(dst)


def indent(text: str, spaces: int) -> str:
    """Indent every line but the first."""
    return text.replace("\n", "\n" + " " * spaces)


def shape_is_known(shape: Sequence[int] | None) -> bool:
    """Whether a shape has no unknown dimension (0). None and () are unknown, as in MXNet without numpy shapes.

    Raises:
        ArgumentError: A dimension is negative.
    """
    if not shape:
        return False
    if min(shape) < 0:
        raise ArgumentError(
            "shape_is_known: shape dimension size cannot be less than 0: expected sizes, or 0 for unknown, "
            f"got shape={tuple(shape)}. Pass 0 for what is not known."
        )
    return 0 not in shape
