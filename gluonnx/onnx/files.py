"""Writing ONNX files: whole or not at all."""

import hashlib
import os
import re
from pathlib import Path

from gluonnx.formats import FileSet
from gluonnx.formats.progress import Steps, write_chunks
from gluonnx.onnx.model import MAX_MODEL_BYTES, ExternalData, LoweredModel, array_bytes

EXTERNAL_SUFFIX = ".data"
DIGEST_DIGITS = 16
"""Of the SHA-256 of a model's weights in the name of their file, `NAME.onnx.DIGEST.data`: a model never meets the
weights of another, not even where its writer is stopped between two files."""
SMALLEST_EXTERNAL_BYTES = 1024
"""Smaller weights stay in the model, as onnx keeps them."""
ALIGNMENT_BYTES = 1 << 16
"""Of large weights in their file, so that any system can map them. Source: onnx docs/ExternalData.md, `offset`."""
ALIGNED_BYTES = 1 << 20
"""Size from which on a weight is large."""
SMALL_ALIGNMENT_BYTES = 64
"""Of the others: a line of a processor's cache."""
_MODEL_ROOM_BYTES = 64 << 20
"""Left in a model for what is not weights."""


def write_model(path: str | os.PathLike[str], model: LoweredModel) -> Path:
    """Write a model; the same bytes for the same model. The file appears whole or not at all.

    Raises:
        ExportError: The model is larger than an ONNX file can be.
        FileAccessError: The folder is missing or not writable.
    """
    with FileSet() as files:
        stage_model(files, path, model)
    return Path(path)


def stage_model(
    files: FileSet, path: str | os.PathLike[str], model: LoweredModel, external: ExternalData | None = None
) -> Path:
    """Write a model into a set of files that is published later; return where its bytes are until then."""
    file = files.create(path)
    name = re.escape(Path(path).name)
    files.outdate(Path(path).parent, re.compile(rf"{name}\.[0-9a-f]{{{DIGEST_DIGITS}}}{re.escape(EXTERNAL_SUFFIX)}"))
    inside = model.weight_bytes - (0 if external is None else external.size_bytes)
    write_chunks(file, model.chunks(external), Steps(f"writing {path}", max(inside, 0)))
    return files.staged_path(path)


def needs_external_data(model: LoweredModel) -> bool:
    """Whether the weights are too large for a model of one file."""
    return model.weight_bytes > MAX_MODEL_BYTES - _MODEL_ROOM_BYTES


def stage_external(files: FileSet, path: str | os.PathLike[str], model: LoweredModel) -> ExternalData | None:
    """Write the large weights of the model that will be `path` into a file beside it, from where they are in memory.

    The files with the weights of earlier models of this name go when the set is published.

    Returns:
        What the model must say about that file; None if no weight is large enough for it.
    """
    outside = {n: a for n, a in model.weights.items() if a.nbytes >= SMALLEST_EXTERNAL_BYTES}
    if not outside:
        return None
    target = Path(path).with_name(f".{Path(path).name}{EXTERNAL_SUFFIX}")
    file = files.create(target)
    digest = hashlib.sha256()
    steps = Steps(f"writing the weights of {path}", sum(a.nbytes for a in outside.values()))
    offsets: dict[str, int] = {}
    size = 0
    for name, array in outside.items():
        alignment = ALIGNMENT_BYTES if array.nbytes >= ALIGNED_BYTES else SMALL_ALIGNMENT_BYTES
        gap = bytes(-size % alignment)
        offsets[name] = size + len(gap)
        write_chunks(file, (gap, array_bytes(array)), steps, digest.update)
        size += len(gap) + array.nbytes
    name = f"{Path(path).name}.{digest.hexdigest()[:DIGEST_DIGITS]}{EXTERNAL_SUFFIX}"
    files.retarget(target, name)
    return ExternalData(name, offsets, size, digest.hexdigest())
