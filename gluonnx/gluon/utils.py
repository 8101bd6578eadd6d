"""Utilities that training scripts use: splitting batches over devices, clipping gradients, downloading files.

`HookHandle`, `indent` and `shape_is_known` serve the blocks.
"""

import hashlib
import math
import os
import shutil
import ssl
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings
import weakref
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from gluonnx import ndarray
from gluonnx.context import Context
from gluonnx.errors import ArgumentError, DownloadError
from gluonnx.ndarray import NDArray

__all__ = ["HookHandle", "check_sha1", "clip_global_norm", "download", "indent", "shape_is_known", "split_and_load", "split_data"]

CHUNK_BYTES = 1 << 20
PROGRESS_AFTER_BYTES = 4 << 20  # a smaller download is over before a bar can be read
PROGRESS_WIDTH = 40
TIMEOUT_S = 60.0
NORM_EPSILON = 1e-8  # MXNet's, keeps the quotient finite


def split_data(data: Any, num_slice: int, batch_axis: int = 0, even_split: bool = True) -> list[Any]:
    """Cut an array into `num_slice` parts along `batch_axis`; the first parts are longer by one if it is uneven.

    Raises:
        ArgumentError: The size is not a multiple of `num_slice` and `even_split` is set.

    Examples:
        >>> [part.shape for part in split_data(nd.zeros((5, 2)), 2, even_split=False)]
        [(3, 2), (2, 2)]
    """
    size = data.shape[batch_axis]
    if num_slice < 1:
        raise ArgumentError(f"split_data: no slices: expected at least 1, got num_slice={num_slice}. Pass more.")
    if even_split and size % num_slice:
        raise ArgumentError(
            f"split_data: data with shape {data.shape} cannot be evenly split into {num_slice} slices along axis "
            f"{batch_axis}: expected a multiple of {num_slice}, got size={size}. "
            f"Use a batch size that's multiple of {num_slice} or set even_split=False to allow uneven partitioning of data."
        )
    short, longer = divmod(size, num_slice)
    ends = np.cumsum([short + 1] * longer + [short] * (num_slice - longer)).tolist()
    starts = [0, *ends[:-1]]
    if batch_axis == 0:
        return [data[start:end] for start, end in zip(starts, ends, strict=True)]
    return [
        ndarray.slice_axis(data, axis=batch_axis, begin=start, end=end)  # type: ignore[attr-defined]
        for start, end in zip(starts, ends, strict=True)
    ]


def split_and_load(
    data: Any, ctx_list: Sequence[Context], batch_axis: int = 0, even_split: bool = True
) -> list[NDArray]:
    """Cut an array into one part for each context and copy each part there. See `split_data`."""
    if not isinstance(data, NDArray):
        data = ndarray.array(data, ctx=ctx_list[0])
    if len(ctx_list) == 1:
        return [data.as_in_context(ctx_list[0])]
    parts = split_data(data, len(ctx_list), batch_axis, even_split)
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
    if not arrays:
        raise ArgumentError("clip_global_norm: no arrays: expected at least one, got arrays=[]. Pass the gradients.")
    ctx = arrays[0].context
    squares = [(array.reshape((-1,)) ** 2).sum().as_in_context(ctx) for array in arrays]
    norm = squares[0]
    for square in squares[1:]:
        norm = norm + square
    norm = norm.sqrt()
    result: Any = norm
    if check_isfinite:
        result = norm.asscalar()
        if not math.isfinite(result):
            warnings.warn("nan or inf is detected. Clipping results will be undefined.", stacklevel=2)
    scale = ndarray.minimum(max_norm / (norm + NORM_EPSILON), 1.0)  # type: ignore[attr-defined]
    for array in arrays:
        array *= scale.as_in_context(array.context)
    return result


def indent(text: str, spaces: int) -> str:
    """Indent every line but the first."""
    return text.replace("\n", "\n" + " " * spaces)


def check_sha1(filename: str | os.PathLike[str], sha1_hash: str) -> bool:
    """Whether the SHA-1 digest of a file is `sha1_hash`, in hexadecimal."""
    with Path(filename).open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest() == sha1_hash


def download(
    url: str,
    path: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    sha1_hash: str | None = None,
    retries: int = 5,
    verify_ssl: bool = True,
) -> str:
    """Download a file (https, http, file), unless it is there already.

    The file appears under its name only when it is complete and its digest is right: it is written beside and renamed.

    Args:
        url: Where from.
        path: Where to: a file, or a folder that exists; None for the working folder. `~` is the home folder.
        overwrite: Whether to download even if the file is there.
        sha1_hash: Digest in hexadecimal. A file that is there with another digest is downloaded again.
        retries: How often to try again after a failure.
        verify_ssl: Whether to check certificates.

    Returns:
        Path of the file.

    Raises:
        ArgumentError: `retries` is negative, or `path` is None and the URL ends in a slash.
        DownloadError: The last attempt failed, or what came has another digest.
    """
    target = _target(url, path)
    if retries < 0:
        raise ArgumentError(
            f"download: Number of retries should be at least 0: expected a count, got retries={retries}. Pass 0 or more."
        )
    if not verify_ssl:
        warnings.warn(
            "Unverified HTTPS request is being made (verify_ssl=False). Adding certificate verification is strongly "
            "advised.",
            stacklevel=2,
        )
    if not overwrite and target.exists() and (sha1_hash is None or check_sha1(target, sha1_hash)):
        return str(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    for attempts_left in range(retries, -1, -1):
        try:
            _fetch(url, target, sha1_hash, verify_ssl)
            break
        except (OSError, DownloadError) as err:
            if attempts_left == 0:
                if isinstance(err, DownloadError):
                    raise
                raise DownloadError(
                    f"{url}: Failed downloading url: expected a file, got {type(err).__name__}: {err}. "
                    "Check the address and the network."
                ) from err
    return str(target)


def _target(url: str, path: str | os.PathLike[str] | None) -> Path:
    name = url.split("/")[-1]
    if path is not None:
        target = Path(path).expanduser()
        if not target.is_dir():
            return target
        if name:
            return target / name
    elif name:
        return Path(name)
    raise ArgumentError(
        f"download: Can't construct file-name from this URL: expected a name after the last slash, got url={url!r}. "
        "Please set the `path` option manually."
    )


def _fetch(url: str, target: Path, sha1_hash: str | None, verify_ssl: bool) -> None:
    """Download once, beside the target, and rename when all is right."""
    context = None if verify_ssl else ssl._create_unverified_context()
    digest = hashlib.sha1(usedforsecurity=False)
    with (
        urllib.request.urlopen(url, timeout=TIMEOUT_S, context=context) as response,
        tempfile.NamedTemporaryFile(dir=target.parent, prefix=f"{target.name}.", delete=False) as file,
    ):
        partial = Path(file.name)
        try:
            length = response.headers.get("Content-Length")
            total_bytes = int(length) if length is not None else None
            with _Progress(target.name, total_bytes, sys.stderr) as progress:
                while chunk := response.read(CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    progress.advance(len(chunk))
            file.close()
            if total_bytes is not None and progress.done_bytes != total_bytes:
                raise DownloadError(
                    f"{url}: download is incomplete: expected {total_bytes} bytes, got {progress.done_bytes}. Try again."
                )
            if sha1_hash is not None and digest.hexdigest() != sha1_hash:
                raise DownloadError(
                    f"{url}: content hash does not match: expected sha1_hash={sha1_hash}, got {digest.hexdigest()}. "
                    "The repo may be outdated or download may be incomplete."
                )
            shutil.copymode(target, partial) if target.exists() else partial.chmod(0o666 & ~_umask())
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
