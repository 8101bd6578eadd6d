"""What an ONNX file says about itself, read without running it or loading external weights.

Source: onnx.proto3 (ModelProto, GraphProto, TensorProto).
"""

import math
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CommandError

__all__ = ["ModelInfo", "TensorDescription", "read_model_info"]

MAX_MODEL_BYTES = (1 << 31) - 1
"""Largest protobuf message. Source: protobuf encoding guide, "Message Size Limits"."""
MAX_RANK = 64
"""Of an array; numpy's limit."""


@dataclass(frozen=True, slots=True)
class TensorDescription:
    """An input or output: dynamic axes carry their name, or `?`."""

    name: str
    dtype: str
    shape: tuple[int | str, ...] | None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model in numbers.

    Attributes:
        opsets: Version by operator domain; the standard domain is `ai.onnx`.
        parameters: Elements of all floating-point initializers of the main graph.
        operators: How often each operator is used in the main graph.
    """

    producer: str
    opsets: dict[str, int]
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    parameters: int
    operators: dict[str, int]
    metadata: dict[str, str]


def read_model_info(path: Path) -> ModelInfo:
    """Read the file.

    Raises:
        CommandError: It is not an ONNX model.
        OSError: It cannot be read.
    """
    import onnx

    content = _content(path)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as err:
        raise _not_onnx(path, "bytes that are no protobuf message, or are cut short", content) from err
    if not model.ir_version or not model.opset_import:
        raise _not_onnx(path, "a file without IR version or opset", content)
    if not all(isinstance(text, str) for text in _texts(model)):
        raise _not_onnx(path, "names that are no UTF-8 text", None)
    graph = model.graph
    initializers = {tensor.name for tensor in graph.initializer}
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    return ModelInfo(
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        opsets={opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        inputs=tuple(_describe(value) for value in graph.input if value.name not in initializers),
        outputs=tuple(_describe(value) for value in graph.output),
        parameters=sum(_element_count(path, tensor) for tensor in graph.initializer if tensor.data_type in floats),
        operators=dict(sorted(Counter(node.op_type for node in graph.node).items())),
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


def _content(path: Path) -> bytes:
    """Read a file that is no larger than a model can be; nothing that never ends."""
    with path.open("rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) and not stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            raise _not_onnx(path, "a device", None)
        content = file.read(MAX_MODEL_BYTES + 1)
    if len(content) > MAX_MODEL_BYTES:
        raise _not_onnx(path, f"more than {MAX_MODEL_BYTES} bytes", content)
    return content


def _texts(model: Any) -> Iterator[Any]:
    """Every text that is shown; protobuf gives bytes for what is no UTF-8."""
    yield from (model.producer_name, model.producer_version)
    yield from (opset.domain for opset in model.opset_import)
    yield from (node.op_type for node in model.graph.node)
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    for value in (*model.graph.input, *model.graph.output):
        yield value.name
        yield from (axis.dim_param for axis in value.type.tensor_type.shape.dim)


def _element_count(path: Path, tensor: Any) -> int:
    if len(tensor.dims) > MAX_RANK or any(size < 0 for size in tensor.dims):
        raise _not_onnx(path, "an initializer whose shape is damaged", None)
    return math.prod(tensor.dims)


def _not_onnx(path: Path, got: str, content: bytes | None) -> CommandError:
    """The error, with the kind of file that the content is instead, if the library knows it."""
    from gluonnx.formats.signatures import HEAD_BYTES, ONNX, describe_kind, remedy_for

    remedy = "Check that it is complete"
    kind = describe_kind(content[:HEAD_BYTES]) if content is not None else ONNX
    if kind != ONNX:
        got, remedy = kind or got, remedy_for(kind, remedy)
    return CommandError(f"{path}: not an ONNX model: expected an .onnx file, got {got}. {remedy}.")


def _describe(value: Any) -> TensorDescription:
    import onnx

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return TensorDescription(value.name, str(kind).removesuffix("_type"), None)
    tensor = value.type.tensor_type
    names = {number: name.lower() for name, number in onnx.TensorProto.DataType.items()}
    dtype = names.get(tensor.elem_type, f"type {tensor.elem_type}")
    if not tensor.HasField("shape"):
        return TensorDescription(value.name, dtype, None)
    shape = tuple(axis.dim_value if axis.HasField("dim_value") else axis.dim_param or "?" for axis in tensor.shape.dim)
    return TensorDescription(value.name, dtype, shape)
