"""What an ONNX file says about itself, read without running it or loading external weights.

Source: onnx.proto3 (ModelProto, GraphProto, TensorProto).
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CommandError

__all__ = ["ModelInfo", "TensorDescription", "read_model_info"]


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

    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as err:
        raise _not_onnx(path, "bytes that are no protobuf message, or are cut short", content) from err
    if not model.ir_version or not model.opset_import:
        raise _not_onnx(path, "a file without IR version or opset", content)
    graph = model.graph
    initializers = {tensor.name for tensor in graph.initializer}
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    return ModelInfo(
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        opsets={opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        inputs=tuple(_describe(value) for value in graph.input if value.name not in initializers),
        outputs=tuple(_describe(value) for value in graph.output),
        parameters=sum(math.prod(tensor.dims) for tensor in graph.initializer if tensor.data_type in floats),
        operators=dict(sorted(Counter(node.op_type for node in graph.node).items())),
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


def _not_onnx(path: Path, got: str, content: bytes) -> CommandError:
    """The error, with the kind of file that the content is instead, if the library knows it."""
    from gluonnx.formats.signatures import HEAD_BYTES, ONNX, describe_kind, remedy_for

    kind = describe_kind(content[:HEAD_BYTES])
    remedy = "Check that it is complete"
    if kind != ONNX:
        got, remedy = kind or got, remedy_for(kind, remedy)
    return CommandError(f"{path}: not an ONNX model: expected an .onnx file, got {got}. {remedy}.")


def _describe(value: Any) -> TensorDescription:
    import onnx

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return TensorDescription(value.name, str(kind).removesuffix("_type"), None)
    tensor = value.type.tensor_type
    dtype = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    if not tensor.HasField("shape"):
        return TensorDescription(value.name, dtype, None)
    shape = tuple(axis.dim_value if axis.HasField("dim_value") else axis.dim_param or "?" for axis in tensor.shape.dim)
    return TensorDescription(value.name, dtype, shape)
