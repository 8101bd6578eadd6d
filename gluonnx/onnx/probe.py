"""A session on a model that is written and not published yet.

A large model is not loaded a second time. The session gets the model as it was read back, and of its large weights the
memory that they were written from, once the bytes in the file are found to be the same.
"""

import os
from pathlib import Path
from typing import BinaryIO

from gluonnx_runtime import Session
from onnx import ModelProto

from gluonnx.errors import ExportError
from gluonnx.formats.files import failing
from gluonnx.onnx.arrays import Array
from gluonnx.onnx.check import open_session
from gluonnx.onnx.model import LoweredModel, array_bytes
from gluonnx.onnx.reading import ModelFile
from gluonnx.onnx.wire import LARGE_BYTES, Span

LARGE_MODEL_BYTES = 64 << 20
"""Weights of a large model. A smaller one runs from its own file, as it will where it ships."""
_CHUNK_BYTES = 1 << 20


def open_written(
    path: str | os.PathLike[str], model: LoweredModel, staged: Path, data: Path | None, *, is_plain: bool = False
) -> Session:
    """Return a session on a model that will be `path`.

    Args:
        path: For messages.
        model: What was written.
        staged: Where it is as yet.
        data: Where the file of its large weights is as yet, if it has one.
        is_plain: As `open_session`.

    Raises:
        ExportError: ONNX Runtime refuses the model, or the files do not hold what was to be written.
    """
    if data is None and model.weight_bytes < LARGE_MODEL_BYTES:
        return open_session(model, staged, is_plain=is_plain)
    with ModelFile(staged) as file:
        proto, places = file.as_external(staged.name if data is None else data.name)
    source = staged if data is None else data
    _check_names(path, model, proto)
    given: dict[str, Array] = {}
    with source.open("rb") as values:
        for name, span in places.items():
            array = model.weights[name]
            if not _holds(values, span, array):
                raise ExportError(
                    f"{path}: written wrongly: expected the values of `{name}` at {span.offset} of the file, got "
                    "others. No file is kept. Check the disk."
                )
            if span.size_bytes >= LARGE_BYTES:
                given[name] = array
    probe = staged.with_suffix(".probe")
    probe.unlink(missing_ok=True)  # left by a process that was killed: this one holds the lock on `staged`
    try:
        with failing(Path(path), "cannot be written"), probe.open("xb") as target:
            target.write(proto.SerializeToString())
        return open_session(model, probe, initializers=given, is_plain=is_plain)
    finally:
        probe.unlink(missing_ok=True)


def _check_names(path: str | os.PathLike[str], model: LoweredModel, proto: ModelProto) -> None:
    written = {t.name for t in proto.graph.initializer}
    if missing := [n for n in model.weights if n not in written]:
        raise ExportError(
            f"{path}: written wrongly: expected every parameter in the file, got none of {', '.join(missing)}. No file "
            "is kept. Check the disk."
        )


def _holds(file: BinaryIO, span: Span, array: Array) -> bool:
    """Whether a file has the bytes of an array in a place."""
    expected = array_bytes(array)
    if span.size_bytes != len(expected):
        return False
    file.seek(span.offset)
    for begin in range(0, len(expected), _CHUNK_BYTES):
        part = expected[begin : begin + _CHUNK_BYTES]
        if file.read(len(part)) != bytes(part):
            return False
    return True
