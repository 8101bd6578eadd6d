"""Is this file what gluonnx wrote, and does it compute here what it computed there?"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from gluonnx_runtime import ModelFileError
from onnx import ModelProto

from gluonnx.errors import EditedModelError, FileAccessError, FormatError
from gluonnx.formats.progress import Steps
from gluonnx.onnx.metadata import DIGEST_KEY, EXTERNAL_KEY, FORMAT_KEY, VERSION_KEY, check_digests
from gluonnx.onnx.proof import PROOF_KEY, replay
from gluonnx.onnx.reading import ModelFile

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked, and found right.

    Attributes:
        version: The gluonnx that wrote the model.
        digests: SHA-256 by part: `graph`, `initializers`, `metadata`, and the name of the file of external data.
        inputs: The inputs of the proof: name, dtype, shape.
        outputs: The outputs that were compared, in the same form.
        device: Where the proof was replayed.
        bounds: How far numbers may lie from the recorded ones, by output; none for integers and drawn outputs.
    """

    version: str
    digests: dict[str, str]
    inputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    device: str
    bounds: dict[str, float]


def verify(path: str | os.PathLike[str], *, device: str = "cpu") -> Verified:
    """Check the digests of a model that gluonnx wrote, and of the file beside it, then replay its proof.

    Args:
        path: The file.
        device: Where to run, as `gluonnx_runtime.Session` takes it.

    Raises:
        FormatError: Not written by gluonnx, damaged, or without a proof.
        EditedModelError: Graph, parameters, metadata or external data have changed since.
        ExportError: It does not compute what its record says.
        FileAccessError: A file is missing or not readable.
    """
    path = Path(path)
    with ModelFile(path) as file:
        metadata = {p.key: p.value for p in file.proto.metadata_props}
        if FORMAT_KEY not in metadata:
            raise FormatError(
                f"{path}: not written by gluonnx: expected a model with its digests and its proof, got none in its "
                "metadata. Export it with gluonnx to have them."
            )
        external = _external_digest(path, file.proto, metadata)
        check_digests(file.proto, str(path), file.array)
    digests = {**json.loads(metadata[DIGEST_KEY]), **external}
    try:
        replay(path, device=device)
    except ModelFileError as err:
        raise FormatError(f"{path}: damaged: expected a model that ONNX Runtime takes, got {err}") from err
    record = json.loads(metadata[PROOF_KEY])
    return Verified(
        metadata[VERSION_KEY],
        digests,
        tuple((i["name"], i["dtype"], tuple(i["shape"])) for i in record["inputs"]),
        tuple((o["name"], o["dtype"], tuple(o["shape"])) for o in record["outputs"]),
        device,
        {o["name"]: o["bound"] for o in record["outputs"] if "bound" in o},
    )


def _external_digest(path: Path, model: ModelProto, metadata: dict[str, str]) -> dict[str, str]:
    """Return name and SHA-256 of the file of external data, if there is one."""
    outside = [t for t in model.graph.initializer if t.data_location == t.EXTERNAL]
    places = {e.value for t in outside for e in t.external_data if e.key == "location"}
    if EXTERNAL_KEY not in metadata:
        if outside:
            raise EditedModelError(
                f"{path}: edited since gluonnx wrote it: expected its parameters inside, got external data."
            )
        return {}
    if not outside:
        return {}  # another tool put them inside; the digest of the initializers covers them
    try:
        record = json.loads(metadata[EXTERNAL_KEY])
        location, size, expected = str(record["location"]), int(record["size_bytes"]), str(record["sha256"])
    except (ValueError, KeyError, TypeError) as err:
        raise FormatError(f"{path}: metadata is damaged: expected {EXTERNAL_KEY} as JSON, got {err!r}.") from err
    if Path(location).name != location:
        raise FormatError(f"{path}: data outside of the model's folder: expected a name, got location={location!r}.")
    if places != {location}:
        raise EditedModelError(
            f"{path}: edited since gluonnx wrote it: expected its parameters in {location}, got them in "
            f"{', '.join(sorted(places))}."
        )
    target = path.parent / location
    digest = hashlib.sha256()
    try:
        with target.open("rb") as file:
            found = os.fstat(file.fileno()).st_size
            steps = Steps(f"checking {target}", size)
            while found == size and (chunk := file.read(_CHUNK_BYTES)):
                digest.update(chunk)
                steps.add(len(chunk))
    except OSError as err:
        raise FileAccessError(
            f"{target}: cannot be read: the system says `{err.strerror or err}`. Keep it beside {path.name}.", err.errno
        ) from err
    if found != size:
        raise EditedModelError(f"{target}: another file: expected {size} bytes, got size_bytes={found}. Copy it again.")
    if digest.hexdigest() != expected:
        raise EditedModelError(
            f"{target}: changed since gluonnx wrote it: expected SHA-256 {expected}, got {digest.hexdigest()}. Copy it "
            "again."
        )
    return {location: expected}
