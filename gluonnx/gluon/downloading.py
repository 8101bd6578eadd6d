"""Files from the network: whole and with the right digest, or not there."""

import hashlib
import http.client
import os
import ssl
import sys
import time
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gluonnx.errors import ArgumentError, DownloadError, FileAccessError
from gluonnx.formats.files import atomic_write

__all__ = ["check_sha1", "download"]

CHUNK_BYTES = 1 << 18
SCHEMES = frozenset({"file", "http", "https"})
TIMEOUT_S = 60.0
PROGRESS_AFTER_S = 1.0  # a shorter download needs no bar
PROGRESS_EVERY_S = 0.2
PROGRESS_WIDTH = 40


def download(
    url: str,
    path: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    sha1_hash: str | None = None,
    retries: int = 5,
    verify_ssl: bool = True,
) -> str:
    """Download a file (https, http, file), unless it is there already.

    The file appears under its name only when it is complete and its digest is right. A download that takes longer than
    a second shows a progress bar on stderr, if that is a terminal.

    Differs: with `overwrite`, MXNet 1.9.1 downloads the file and then keeps the old one; here the new one replaces it.
        MXNet prints a line for each download; here nothing is printed.

    Args:
        url: Where from.
        path: Where to: a file, or a folder that exists; None for the working folder. `~` is the home folder.
        overwrite: Whether to download even if the file is there.
        sha1_hash: Digest in hexadecimal. A file that is there with another digest is downloaded again.
        retries: How often to try; 0 counts as once.
        verify_ssl: Whether to check certificates.

    Returns:
        Path of the file.

    Raises:
        ArgumentError: `retries` is negative, the URL is of another kind, or neither it nor `path` names a file.
        DownloadError: The last attempt failed, or what came has another length or digest.
        FileAccessError: The target cannot be written.
    """
    scheme = urllib.parse.urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise ArgumentError(
            f"download: unsupported address: expected one of {', '.join(sorted(SCHEMES))}, got url={url!r}. "
            "Start it with https://."
        )
    target = _target(url, path)
    if retries < 0:
        raise ArgumentError(
            "download: Number of retries should be at least 0: "
            f"expected a count, got retries={retries}. Pass 0 or more."
        )
    if not verify_ssl:
        warnings.warn(
            "Unverified HTTPS request is being made (verify_ssl=False). "
            "Adding certificate verification is strongly advised.",
            stacklevel=2,
        )
    if not overwrite and target.exists() and (sha1_hash is None or check_sha1(target, sha1_hash)):
        return str(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _attempt(url, target, sha1_hash, max(retries, 1), verify_ssl)
    return str(target)


def check_sha1(filename: str | os.PathLike[str], sha1_hash: str) -> bool:
    """Whether the SHA-1 digest of a file is `sha1_hash`, in lower-case hexadecimal."""
    with Path(filename).open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest() == sha1_hash


def _target(url: str, path: str | os.PathLike[str] | None) -> Path:
    target = Path() if path is None else Path(path).expanduser()
    if not target.is_dir():
        return target
    name = url.split("/")[-1]
    if not name:
        raise ArgumentError(
            "download: Can't construct file-name from this URL: expected a name after the last slash, "
            f"got url={url!r}. Please set the `path` option manually."
        )
    return target / name


def _attempt(url: str, target: Path, sha1_hash: str | None, attempts: int, verify_ssl: bool) -> None:
    for left in reversed(range(attempts)):
        try:
            _fetch(url, target, sha1_hash, verify_ssl)
            return
        except FileAccessError:
            raise
        except DownloadError:
            if not left:
                raise
        except (OSError, http.client.HTTPException) as err:
            if not left:
                raise DownloadError(
                    f"{url}: Failed downloading url: expected a file, got {type(err).__name__}: {err}. "
                    "Check the address and the network."
                ) from err


def _fetch(url: str, target: Path, sha1_hash: str | None, verify_ssl: bool) -> None:
    """Download once.

    Raises:
        DownloadError: What came has another length or digest.
        FileAccessError: The target cannot be written.
        OSError: The server cannot be reached or answers with an error.
        HTTPException: The server's answer is not HTTP.
    """
    context = ssl.create_default_context()
    if not verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    digest = hashlib.sha1(usedforsecurity=False)
    with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=context) as response, atomic_write(target) as file:
        length = response.headers.get("Content-Length", "")
        expected_bytes = int(length) if length.isdecimal() else None
        received_bytes = 0
        with _progress(target.name, expected_bytes, sys.stderr) as bar:
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                received_bytes += len(chunk)
                bar.show(received_bytes)
        if expected_bytes is not None and received_bytes != expected_bytes:
            raise DownloadError(
                f"{url}: download is incomplete: expected {expected_bytes} bytes, got {received_bytes}. Try again."
            )
        if sha1_hash is not None and digest.hexdigest() != sha1_hash:
            raise DownloadError(
                f"{url}: content hash does not match: expected {sha1_hash}, got sha1_hash={digest.hexdigest()}. "
                "The repo may be outdated or download may be incomplete."
            )


class _Bar:
    """A line on a terminal that is drawn again and again."""

    def __init__(self, label: str, total_bytes: int | None, stream: IO[str]) -> None:
        self._label = label
        self._total_bytes = total_bytes
        self._stream = stream
        self._next_s = time.monotonic() + PROGRESS_AFTER_S
        self._is_drawn = False

    def show(self, done_bytes: int) -> None:
        """Draw the line if it is time."""
        now_s = time.monotonic()
        if now_s < self._next_s or not self._stream.isatty():
            return
        self._next_s = now_s + PROGRESS_EVERY_S
        self._is_drawn = True
        amount = f"{done_bytes / 1e6:.1f} MB"
        if self._total_bytes:
            filled = min(PROGRESS_WIDTH, PROGRESS_WIDTH * done_bytes // self._total_bytes)
            amount = f"[{'#' * filled:<{PROGRESS_WIDTH}}] {amount} of {self._total_bytes / 1e6:.1f} MB"
        self._stream.write(f"\r{self._label} {amount}")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._is_drawn:
            self._stream.write("\n")
            self._stream.flush()


@contextmanager
def _progress(label: str, total_bytes: int | None, stream: IO[str]) -> Iterator[_Bar]:
    bar = _Bar(label, total_bytes, stream)
    try:
        yield bar
    finally:
        bar.end()
