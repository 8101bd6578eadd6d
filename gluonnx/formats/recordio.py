"""RecordIO: a file of byte strings, one after another.

A record is one or more parts. A part is the magic number, a word that holds its kind (3 bits) and its length (29 bits),
the bytes, and zeros up to a multiple of 4. The magic number never stands at a multiple of 4 inside a part: where a
record has it, the record is split there, and the number is left out.

Source: dmlc-core include/dmlc/recordio.h; MXNet 1.9.1 writes it.
"""

import struct
from typing import BinaryIO

from gluonnx.errors import FormatError

__all__ = ["MAX_RECORD_BYTES", "read_record", "write_record"]

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
MAX_RECORD_BYTES = (1 << 29) - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)
HEADER = struct.Struct("<II")


def write_record(file: BinaryIO, data: bytes) -> None:
    """Append a record to a file.

    Raises:
        FormatError: The record is longer than the format can say.
    """
    if len(data) > MAX_RECORD_BYTES:
        raise FormatError(f"RecordIO: record too long: expected at most {MAX_RECORD_BYTES} bytes, got {len(data)}.")
    splits = _splits(data)
    starts = [0, *(s + 4 for s in splits)]
    ends = [*splits, len(data)]
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        is_last = index == len(splits)
        kind = (WHOLE if index == 0 else LAST) if is_last else FIRST if index == 0 else MIDDLE
        file.write(HEADER.pack(MAGIC, kind << 29 | (end - start)) + data[start:end] + b"\0" * (-(end - start) % 4))


def _splits(data: bytes) -> list[int]:
    """Return where the magic number stands at a multiple of 4."""
    found = []
    place = data.find(MAGIC_BYTES)
    while place >= 0:
        if place % 4 == 0:
            found.append(place)
            place = data.find(MAGIC_BYTES, place + 4)
        else:
            place = data.find(MAGIC_BYTES, place + 1)
    return found


def read_record(file: BinaryIO, size_bytes: int, where: str) -> bytes | None:
    """Read the record at the file's position, None at its end.

    Args:
        file: The file.
        size_bytes: Its size.
        where: Its name, for messages.

    Raises:
        FormatError: There is no record at this position, or it is cut off.
    """
    offset = file.tell()
    parts: list[bytes] = []
    while True:
        head = file.read(HEADER.size)
        if not head and not parts:
            return None
        if len(head) < HEADER.size:
            raise FormatError(f"{where}: record at 0x{offset:x}: expected a part's header, got {len(head)} bytes.")
        magic, word = HEADER.unpack(head)
        kind, length = word >> 29, word & MAX_RECORD_BYTES
        if magic != MAGIC:
            raise FormatError(
                f"{where}: record at 0x{offset:x}: expected the magic number 0x{MAGIC:x}, got 0x{magic:x}. The file is "
                "no RecordIO file, or the position is inside a record."
            )
        if kind not in ((MIDDLE, LAST) if parts else (WHOLE, FIRST)):
            raise FormatError(f"{where}: record at 0x{offset:x}: parts are out of order: got kind={kind}.")
        padded = length + -length % 4
        left = size_bytes - file.tell()
        data = file.read(padded) if padded <= left else b""
        if len(data) < padded:
            raise FormatError(
                f"{where}: record at 0x{offset:x}: expected {padded} bytes, got {max(left, 0)}. The file is truncated."
            )
        parts.append(data[:length])
        if kind in (WHOLE, LAST):
            return MAGIC_BYTES.join(parts)
