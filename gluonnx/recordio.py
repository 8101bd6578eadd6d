"""Record files: byte strings one after another, with an index where they are read in any order, and image records."""

import contextlib
import os
import struct
from collections import namedtuple
from numbers import Number
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TextIO

import numpy as np
import numpy.typing as npt

from gluonnx.errors import FileAccessError, FormatError, InputTypeError, MXNetError
from gluonnx.formats.files import failing
from gluonnx.formats.recordio import read_record, write_record
from gluonnx.ops.opencv import opencv

__all__ = ["IRHeader", "MXIndexedRecordIO", "MXRecordIO", "pack", "pack_img", "unpack", "unpack_img"]


class MXRecordIO:
    """A record file, read or written from its beginning.

    Records go to the file as they are written; `close` (or the end of a `with` block) completes it.

    Args:
        uri: Path of the file.
        flag: `"r"` to read, `"w"` to write.

    Raises:
        ValueError: Another flag.
        FileAccessError: The file cannot be opened.

    Examples:
        >>> import tempfile, pathlib
        >>> path = str(pathlib.Path(tempfile.mkdtemp(), "five.rec"))
        >>> record = MXRecordIO(path, "w")
        >>> for i in range(5):
        ...     record.write(b"record_%d" % i)
        >>> record.close()
        >>> record = MXRecordIO(path, "r")
        >>> record.read(), record.read()
        (b'record_0', b'record_1')
        >>> record.reset()
        >>> record.read()
        b'record_0'
        >>> record.close()

    Source: MXNet 1.9.1 python/mxnet/recordio.py.
    """

    uri: str
    flag: str
    writable: bool

    def __init__(self, uri: str, flag: str) -> None:
        self.is_open = False
        self.uri = os.fspath(uri)
        self.flag = flag
        self.pid: int | None = None
        self._file: BinaryIO | None = None
        self._size_bytes = 0
        self.open()

    def open(self) -> None:
        """Open the file; a file to be written becomes empty."""
        if self.flag not in ("r", "w"):
            raise ValueError(f"MXRecordIO: wrong flag: expected 'r' or 'w', got flag={self.flag!r}.")
        try:
            self._file = Path(self.uri).open(self.flag + "b")  # type: ignore[assignment] # noqa: SIM115 - close() closes it
            assert self._file is not None
            self._size_bytes = os.fstat(self._file.fileno()).st_size
        except OSError as err:
            raise FileAccessError(f"{self.uri}: cannot be opened with flag={self.flag!r}: {err.strerror}.") from err
        self.writable = self.flag == "w"
        self.pid = os.getpid()
        self.is_open = True

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Close the file; what opens it again travels to another process."""
        is_open = self.is_open
        self.close()
        return {**self.__dict__, "is_open": is_open, "_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.is_open = False
        if state["is_open"]:
            self.open()

    def close(self) -> None:
        """Close the file. A closed file may be closed again."""
        is_open, self.is_open, self.pid = self.is_open, False, None
        if is_open and self._file is not None:
            with failing(Path(self.uri), "cannot be written"):
                self._file.close()

    def reset(self) -> None:
        """Go back to the first record; a file that is written becomes empty."""
        self.close()
        self.open()

    def write(self, buf: bytes) -> None:
        """Append a record.

        Raises:
            InputTypeError: `buf` is not bytes.
            MXNetError: The file is open for reading, closed, or was opened in another process.
        """
        if not isinstance(buf, (bytes, bytearray, memoryview)):
            raise InputTypeError(
                f"MXRecordIO.write: record of a wrong type: expected bytes, got {type(buf).__name__}. Encode text."
            )
        file = self._ready(writable=True)
        with failing(Path(self.uri), "cannot be written"):
            write_record(file, bytes(buf))

    def read(self) -> bytes | None:
        """Return the next record, None at the end.

        Raises:
            MXNetError: The file is open for writing, closed, or was opened in another process.
            FormatError: The file is damaged.
        """
        return read_record(self._ready(writable=False), self._size_bytes, self.uri)

    def _ready(self, *, writable: bool) -> BinaryIO:
        if not self.is_open or self._file is None:
            raise MXNetError(f"{self.uri}: record file is closed: expected an open one. Call `open()` or `reset()`.")
        if self.writable != writable:
            wanted = "w" if writable else "r"
            raise MXNetError(
                f"{self.uri}: record file is open the other way: expected flag={wanted!r}, got {self.flag!r}."
            )
        if self.pid != os.getpid():
            raise MXNetError(
                f"{self.uri}: record file was opened in another process: expected pid={os.getpid()}, got "
                f"pid={self.pid}. Call `reset()` in this one."
            )
        return self._file


class MXIndexedRecordIO(MXRecordIO):
    """A record file with an index, which is a text file of keys and positions: records are read in any order.

    Args:
        idx_path: Path of the index.
        uri: Path of the record file.
        flag: `"r"` to read, `"w"` to write.
        key_type: Makes a key from its text.

    Examples:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> names = str(folder / "five.idx"), str(folder / "five.rec")
        >>> record = MXIndexedRecordIO(*names, "w")
        >>> for i in range(5):
        ...     record.write_idx(i, b"record_%d" % i)
        >>> record.close()
        >>> record = MXIndexedRecordIO(*names, "r")
        >>> record.keys, record.read_idx(3)
        ([0, 1, 2, 3, 4], b'record_3')
        >>> record.close()
    """

    def __init__(self, idx_path: str, uri: str, flag: str, key_type: Any = int) -> None:
        self.idx_path = os.fspath(idx_path)
        self.idx: dict[Any, int] = {}
        self.keys: list[Any] = []
        self.key_type = key_type
        self.fidx: TextIO | None = None
        super().__init__(uri, flag)

    def open(self) -> None:
        """Open both files and read the index.

        Raises:
            FileAccessError: A file cannot be opened.
            FormatError: A line of the index is not a key and a position.
        """
        super().open()
        self.idx, self.keys = {}, []
        try:
            self.fidx = Path(self.idx_path).open(self.flag)  # type: ignore[assignment] # noqa: SIM115 - close() closes it
        except OSError as err:
            super().close()
            raise FileAccessError(f"{self.idx_path}: cannot be opened: {err.strerror}.") from err
        assert self.fidx is not None
        if not self.writable:
            number = 0
            try:
                for number, line in enumerate(self.fidx, 1):
                    self._read_line(number, line)
            except UnicodeDecodeError as err:
                raise FormatError(
                    f"{self.idx_path}: behind line {number}: expected a text of keys and positions, got other bytes. "
                    "It is no index, or it is damaged."
                ) from err

    def _read_line(self, number: int, line: str) -> None:
        fields = line.strip().split("\t")
        try:
            key, position = self.key_type(fields[0]), int(fields[1])
        except (ValueError, IndexError) as err:
            raise FormatError(
                f"{self.idx_path}: line {number}: expected a key, a tab and a position, got {line.strip()[:80]!r}."
            ) from err
        self.idx[key] = position
        self.keys.append(key)

    def close(self) -> None:
        """Close both files."""
        is_open = self.is_open
        try:
            super().close()  # first, so that the index never says more than the records on the disk
        finally:
            if is_open and self.fidx is not None:
                with failing(Path(self.idx_path), "cannot be written"):
                    self.fidx.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "fidx": None}

    def seek(self, idx: Any) -> None:
        """Go to the record of a key. In another process than the one that opened the file, it is opened again.

        Raises:
            KeyError: The index has no such key.
            FormatError: The index gives a position that the record file does not have.
        """
        if self.is_open and self.pid != os.getpid():
            self.reset()
        file = self._ready(writable=False)
        if idx not in self.idx:
            raise KeyError(f"{self.idx_path}: no such key: got idx={idx!r}.")
        position = self.idx[idx]
        if not 0 <= position < max(self._size_bytes, 1):
            raise FormatError(
                f"{self.idx_path}: key {idx!r}: expected a position in {self.uri}, which has {self._size_bytes} bytes, "
                f"got {str(position)[:40]}. The index belongs to another file, or it is damaged."
            )
        file.seek(position)

    def tell(self) -> int:
        """Return where the next record will be written."""
        return self._ready(writable=True).tell()

    def read_idx(self, idx: Any) -> bytes:
        """Return the record of a key.

        Raises:
            FormatError: The index has the key, and the file ends before its record: a writer was stopped.
        """
        self.seek(idx)
        record = self.read()
        if record is None:
            raise FormatError(
                f"{self.uri}: record {idx!r}: expected it at 0x{self.idx[idx]:x}, got the end of the file. Its writer "
                f"was stopped: write {self.uri} and {self.idx_path} again."
            )
        return record

    def write_idx(self, idx: Any, buf: bytes) -> None:
        """Append a record and put its key and position into the index."""
        key, position = self.key_type(idx), self.tell()
        self.write(buf)
        assert self.fidx is not None
        self.fidx.write(f"{key}\t{position}\n")
        self.idx[key] = position
        self.keys.append(key)


IRHeader = namedtuple("HEADER", ["flag", "label", "id", "id2"])  # type: ignore[name-match]
"""Header of an image record: `flag` (how many labels follow, 0: `label` is the only one), `label`, `id`, `id2`."""

_HEADER = struct.Struct("<IfQQ")


def pack(header: Any, s: bytes) -> bytes:
    """Return an image record: the header (`IRHeader` or a tuple like it), its labels as float32, and `s`.

    Examples:
        >>> unpack(pack(IRHeader(0, 4, 2574, 0), b"image"))
        (HEADER(flag=0, label=4.0, id=2574, id2=0), b'image')
    """
    header = IRHeader(*header)
    if isinstance(header.label, Number):
        return _HEADER.pack(*header._replace(flag=0)) + s
    label = np.asarray(header.label, dtype="<f4")
    return _HEADER.pack(*header._replace(flag=label.size, label=0)) + label.tobytes() + s


def unpack(s: bytes) -> tuple[Any, bytes]:
    """Return the header of an image record, its label a number or a float32 array, and the bytes after it.

    Raises:
        FormatError: The record is too short.
    """
    if len(s) < _HEADER.size:
        raise FormatError(f"recordio.unpack: record too short: expected {_HEADER.size} bytes of header, got {len(s)}.")
    header = IRHeader(*_HEADER.unpack_from(s))
    rest = s[_HEADER.size :]
    if header.flag == 0:
        return header, rest
    if len(rest) < 4 * header.flag:
        raise FormatError(
            f"recordio.unpack: record too short: expected {4 * header.flag} bytes of labels, got {len(rest)}."
        )
    label = np.frombuffer(rest, "<f4", header.flag)
    return header._replace(label=label), rest[4 * header.flag :]


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[Any, npt.NDArray[Any] | None]:
    """Return the header of an image record and its image as OpenCV decodes it (BGR), None where it cannot.

    Args:
        s: The record.
        iscolor: How `cv2.imdecode` reads it: -1 as it is, 0 gray, 1 colour.

    Raises:
        FormatError: The record is too short, has no image, or one larger than OpenCV takes.
    """
    header, data = unpack(s)
    cv2 = opencv()
    try:
        return header, cv2.imdecode(np.frombuffer(data, np.uint8), iscolor)
    except cv2.error as err:  # no bytes at all, or a picture larger than OpenCV takes
        raise FormatError(
            f"recordio.unpack_img: image cannot be decoded: expected a picture, got {len(data)} bytes: "
            f"{' '.join(str(err).split())}."
        ) from err


def pack_img(header: Any, img: npt.NDArray[Any], quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """Return an image record of an image (BGR), encoded as JPEG or PNG.

    Args:
        header: `IRHeader` or a tuple like it.
        img: The image.
        quality: From 1 to 100 for JPEG; the compression from 1 to 9 for PNG.
        img_fmt: `.jpg` or `.png`, or another ending that OpenCV knows.

    Raises:
        MXNetError: OpenCV cannot encode the image so.
    """
    cv2 = opencv()
    kinds = {".JPG": cv2.IMWRITE_JPEG_QUALITY, ".JPEG": cv2.IMWRITE_JPEG_QUALITY, ".PNG": cv2.IMWRITE_PNG_COMPRESSION}
    kind = kinds.get(img_fmt.upper())
    try:
        done, encoded = cv2.imencode(img_fmt, img, None if kind is None else [kind, quality])
    except cv2.error as err:
        raise MXNetError(f"recordio.pack_img: image cannot be encoded as {img_fmt!r}: {err}") from err
    if not done:
        raise MXNetError(f"recordio.pack_img: image cannot be encoded: expected OpenCV to know {img_fmt!r}.")
    return pack(header, encoded.tobytes())
