"""What rides in the metadata of a model that gluonnx writes, so that it comes back as the graph it was.

Keys of `metadata_props`, all text:

    gluonnx.format      version of this list, "1"
    gluonnx.version     the gluonnx that wrote it
    gluonnx.symbol      the graph as symbol-json
    gluonnx.inputs      JSON list of input names
    gluonnx.parameters  JSON: parameters that the ONNX graph does not read, by name: dtype, shape, base64 of the values
    gluonnx.proof       see `gluonnx.onnx.proof`; absent if the graph allows none
    gluonnx.external    JSON: name, size_bytes and SHA-256 of the file of large parameters; absent if there is none
    gluonnx.digest      JSON: SHA-256 of the ONNX graph, of its initializers, and of the keys above
"""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from gluonnx._version import __version__
from gluonnx.errors import EditedModelError, FormatError, MXNetError
from gluonnx.formats import parse_symbol_json
from gluonnx.formats.progress import Steps
from gluonnx.onnx.arrays import Array, dtype_name
from gluonnx.onnx.model import ExternalData, LoweredModel, array_bytes
from gluonnx.onnx.proof import PROOF_KEY
from gluonnx.ops.attributes import shortened
from gluonnx.ops.dtypes import BY_NAME, BY_ONNX

FORMAT = "1"
_PREFIX = "gluonnx."
FORMAT_KEY = "gluonnx.format"
VERSION_KEY = "gluonnx.version"
SYMBOL_KEY = "gluonnx.symbol"
INPUTS_KEY = "gluonnx.inputs"
PARAMETERS_KEY = "gluonnx.parameters"
DIGEST_KEY = "gluonnx.digest"
EXTERNAL_KEY = "gluonnx.external"


@dataclass(frozen=True, slots=True)
class Restored:
    """What an ONNX model that gluonnx wrote carries.

    Attributes:
        symbol_json: The graph.
        input_names: Its inputs, in order.
        parameters: Every parameter, by the name it has in the graph.
        version: The gluonnx that wrote the model.
    """

    symbol_json: str
    input_names: tuple[str, ...]
    parameters: dict[str, Array]
    version: str


def describe(
    model: LoweredModel,
    symbol_json: str,
    proof: str | None,
    *,
    input_names: Sequence[str] | None = None,
    external: ExternalData | None = None,
) -> dict[str, str]:
    """Return the metadata of a model.

    Args:
        model: The lowered model, with frozen parameters.
        symbol_json: The graph it was lowered from.
        proof: What `make_record` gave.
        input_names: Inputs of the graph, where it has some that the model has not (labels).
        external: The file with the model's large weights.
    """
    metadata = {
        FORMAT_KEY: FORMAT,
        VERSION_KEY: __version__,
        SYMBOL_KEY: symbol_json,
        INPUTS_KEY: _json(list(model.input_names if input_names is None else input_names)),
        PARAMETERS_KEY: _json({name: _to_json(array) for name, array in model.unused.items()}),
    }
    if proof is not None:
        metadata[PROOF_KEY] = proof
    if external is not None:
        metadata[EXTERNAL_KEY] = _json(
            {"location": external.location, "sha256": external.sha256, "size_bytes": external.size_bytes}
        )
    metadata[DIGEST_KEY] = _digest(model.proto, [*model.proto.graph.initializer, *model.weights.items()], metadata)
    return metadata


ReadArray: TypeAlias = Callable[[TensorProto], Array | None]
"""Reads an initializer whose values are not in the model; None for one whose values are."""


def restore(model: ModelProto, where: str = "model", read_array: ReadArray | None = None) -> Restored | None:
    """Return what a model carries, or None if gluonnx did not write it.

    Args:
        model: The model.
        where: Names the model in messages.
        read_array: For a model with initializers that are not inside.

    Raises:
        EditedModelError: gluonnx wrote the model, and graph, initializers or metadata were changed since.
        FormatError: gluonnx of a later format wrote it, or the metadata is damaged.
    """
    outside: dict[str, Array] = {}

    def read(tensor: TensorProto) -> Array | None:
        array = read_array(tensor) if read_array is not None else None
        if array is not None:
            outside[tensor.name] = array
        return array

    metadata = check_digests(model, where, read)
    if metadata is None:
        return None
    try:
        names = [
            n.name for n in parse_symbol_json(metadata[SYMBOL_KEY], f"{where}: {SYMBOL_KEY}").nodes if n.is_variable
        ]
        input_names = _input_names(metadata[INPUTS_KEY], {*names, *(i.name for i in model.graph.input)})
        parameters = {n: _from_json(v) for n, v in json.loads(metadata[PARAMETERS_KEY]).items()}
        tensors = {t.name: t for t in model.graph.initializer}
        for name in names:
            if name in tensors and name not in input_names:
                parameters[name] = outside[name] if name in outside else _array(tensors[name])
        ordered = {n: parameters[n] for n in names if n in parameters}
        return Restored(metadata[SYMBOL_KEY], input_names, ordered, metadata[VERSION_KEY])
    except FormatError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as err:
        raise FormatError(
            f"{where}: metadata is damaged: expected what gluonnx writes, got {str(err)[:200]} ({type(err).__name__})."
        ) from err


def _input_names(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the names of the inputs: variables of the graph, or inputs of the model that nothing reads."""
    names = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or not set(names) <= set(known):
        raise ValueError(f"inputs {shortened(names)}")
    return tuple(names)


def _array(tensor: TensorProto) -> Array:
    """Return an initializer as an array of a dtype that MXNet has."""
    if tensor.data_type not in BY_ONNX:
        raise ValueError(f"initializer `{tensor.name}` of data_type {tensor.data_type}")
    array: Array = numpy_helper.to_array(tensor)
    return array


def check_digests(model: ModelProto, where: str, read_array: ReadArray) -> dict[str, str] | None:
    """Check that a model is as gluonnx wrote it; initializers are read one at a time.

    Returns:
        Its metadata but the digests; None if gluonnx did not write it.

    Raises:
        EditedModelError: As `restore`.
        FormatError: gluonnx of a later format wrote it, or an initializer is damaged.
    """
    metadata = {p.key: p.value for p in model.metadata_props if p.key.startswith(_PREFIX)}
    if FORMAT_KEY not in metadata:
        return None
    if metadata[FORMAT_KEY] != FORMAT:
        raise FormatError(
            f"{where}: unknown metadata format: expected {FORMAT_KEY}={FORMAT}, got {metadata[FORMAT_KEY]!r} from "
            f"gluonnx {metadata.get(VERSION_KEY, '(unknown)')}. Read it with that gluonnx or a later one."
        )
    carried = metadata.pop(DIGEST_KEY, "")
    try:
        found = json.loads(_digest(model, model.graph.initializer, metadata, read_array))
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        if isinstance(err, MXNetError):
            raise
        raise FormatError(
            f"{where}: an initializer is damaged: expected as many values as its shape tells, got {err}. "
            "Use the file as gluonnx wrote it."
        ) from err
    try:
        expected = dict(json.loads(carried))
    except (ValueError, TypeError, RecursionError):
        expected = {}
    if changed := [part for part in found if found[part] != expected.get(part)]:
        raise EditedModelError(
            f"{where}: edited since gluonnx {metadata.get(VERSION_KEY, '(unknown)')} wrote it: expected SHA-256 "
            f"{expected.get(changed[0])} of its {changed[0]}, got {found[changed[0]]} (changed: {', '.join(changed)}). "
            "Use the file as gluonnx wrote it."
        )
    return metadata


def _digest(
    model: ModelProto,
    initializers: Iterable[TensorProto | tuple[str, Array]],
    metadata: Mapping[str, str],
    read_array: ReadArray = lambda tensor: None,
) -> str:
    """Return the digests as JSON. What does not change the computation (names of tools, comments) is left out."""
    graph = hashlib.sha256()
    only = GraphProto(node=model.graph.node, input=model.graph.input, output=model.graph.output)
    _update(graph, only.SerializeToString(deterministic=True))
    for function in model.functions:
        _update(graph, function.SerializeToString(deterministic=True))
    for opset in sorted((o.domain or "ai.onnx", o.version) for o in model.opset_import):
        _update(graph, f"{opset[0]} {opset[1]}".encode())
    tensors = hashlib.sha256()
    by_name = {i.name if isinstance(i, TensorProto) else i[0]: i for i in initializers}
    steps = Steps("checking the weights", sum(map(_size_of, by_name.values())))
    for name in sorted(by_name):
        dims, code, data = _content(by_name[name], read_array)
        _update(tensors, f"{code} {','.join(map(str, dims))} {name}".encode())
        _update(tensors, data)
        steps.add(_size_of(by_name[name]))
    texts = hashlib.sha256()
    for key in sorted(metadata):
        _update(texts, key.encode())
        _update(texts, metadata[key].encode())
    return _json({"graph": graph.hexdigest(), "initializers": tensors.hexdigest(), "metadata": texts.hexdigest()})


def _size_of(initializer: TensorProto | tuple[str, Array]) -> int:
    if not isinstance(initializer, TensorProto):
        return initializer[1].nbytes
    dtype = BY_ONNX.get(initializer.data_type)
    return math.prod(initializer.dims) * dtype.numpy.itemsize if dtype is not None else 0


def _update(digest: Any, data: bytes | memoryview) -> None:
    """Add data with its length before it, so that no two sequences of parts look alike."""
    digest.update(len(data).to_bytes(8, "little"))
    digest.update(data)


def _content(
    initializer: TensorProto | tuple[str, Array], read_array: ReadArray
) -> tuple[Sequence[int], int, bytes | memoryview]:
    """Return shape, ONNX dtype and bytes; one initializer at a time, because protobuf copies."""
    if isinstance(initializer, TensorProto):
        array = read_array(initializer)
        if array is not None:
            return initializer.dims, initializer.data_type, array_bytes(array)
        has_raw = initializer.HasField("raw_data")
        data = initializer.raw_data if has_raw else numpy_helper.to_array(initializer).tobytes()
        return initializer.dims, initializer.data_type, data
    array = initializer[1]
    return array.shape, BY_NAME[dtype_name(array)].onnx, array_bytes(array)


def _json(value: dict[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _to_json(array: Array) -> dict[str, Any]:
    return {
        "dtype": dtype_name(array),
        "shape": list(array.shape),
        "values": base64.b64encode(array.tobytes()).decode("ascii"),
    }


def _from_json(record: dict[str, Any]) -> Array:
    data = base64.b64decode(record["values"], validate=True)
    dtype = BY_NAME[record["dtype"]].numpy.newbyteorder("<")
    return np.frombuffer(data, dtype=dtype).reshape(tuple(record["shape"])).copy()
