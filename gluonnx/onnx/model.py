"""A lowered model: the graph without its big arrays beside the arrays themselves, and how they become one file.

Weights stay in the memory they came in; the bytes of a file are given out in chunks that borrow it. Concatenated, the
chunks are what protobuf's deterministic serialization of the complete model gives.
"""

import dataclasses
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from onnx import GraphProto, ModelProto, StringStringEntryProto, TensorProto, helper

from gluonnx.errors import ExportError
from gluonnx.onnx.arrays import Array, dtype_name
from gluonnx.onnx.wire import tag, varint
from gluonnx.ops.dtypes import BY_NAME

MAX_MODEL_BYTES = (1 << 31) - 1
"""Largest protobuf message. Source: protobuf encoding guide, "Message Size Limits"."""

# Field numbers. Source: onnx.proto3.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_RAW_DATA = 9

_Proto = TypeVar("_Proto", ModelProto, GraphProto)


@dataclass(frozen=True, slots=True)
class ExternalData:
    """The file beside a model that holds its large weights.

    Attributes:
        location: Its name; the folder is the model's.
        offsets: Where each weight begins, in the order of the file.
        size_bytes: Its size.
        sha256: Digest of its bytes.
    """

    location: str
    offsets: Mapping[str, int]
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LoweredModel:
    """An ONNX model whose weights lie outside of it.

    Attributes:
        proto: The model: nodes, inputs, outputs, small constants; neither weights nor metadata.
        weights: Frozen parameters that the graph reads, under their own names; initializers in the file.
        unused: Frozen parameters that the graph does not read (gamma under `fix_gamma`); not in the graph.
        input_names: Inputs that a caller feeds, in order.
        live_names: Parameters that are graph inputs, in order, after `input_names`.
        output_names: In the order of the heads.
        is_batch_dynamic: Whether the batch axis is dynamic.
        batch_axes: By input, its axes that are the dynamic batch axis.
        open_axes: Other axes that are dynamic, by input.
        metadata: What goes into `metadata_props`.
        drawn_names: What operators that draw would give and is fed instead, after all others.
    """

    proto: ModelProto
    weights: Mapping[str, Array]
    unused: Mapping[str, Array]
    input_names: tuple[str, ...]
    live_names: tuple[str, ...]
    output_names: tuple[str, ...]
    is_batch_dynamic: bool
    batch_axes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    open_axes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    drawn_names: tuple[str, ...] = ()

    def with_metadata(self, metadata: Mapping[str, str]) -> "LoweredModel":
        """Return the same model with other metadata."""
        return dataclasses.replace(self, metadata=dict(metadata))

    @property
    def weight_bytes(self) -> int:
        """Size of all weights."""
        return sum(a.nbytes for a in self.weights.values())

    def chunks(self, external: ExternalData | None = None) -> Iterator[bytes | memoryview]:
        """Give the bytes of the .onnx file, in order; weights are borrowed, not copied.

        Args:
            external: Which weights lie in a file beside the model, and where; all are in the model if None.

        Raises:
            ExportError: The model is larger than one protobuf message can be.
        """
        graph = self.proto.graph
        before, after = _split(graph, _GRAPH_INITIALIZER)
        constants = [_field(_GRAPH_INITIALIZER, _bytes(t)) for t in graph.initializer]
        outside = {} if external is None else external.offsets
        if external is not None:
            constants += [
                _field(_GRAPH_INITIALIZER, _bytes(_external_tensor(n, self.weights[n], external.location, offset)))
                for n, offset in outside.items()
            ]
        inside = {n: a for n, a in self.weights.items() if n not in outside}
        headers = [_tensor_header(name, array) for name, array in inside.items()]
        graph_size = len(before) + len(after) + sum(map(len, constants))
        graph_size += sum(len(h) + a.nbytes for h, a in zip(headers, inside.values(), strict=True))
        outer = ModelProto()
        outer.CopyFrom(_without(self.proto, _MODEL_GRAPH))
        outer.metadata_props.extend(StringStringEntryProto(key=k, value=v) for k, v in sorted(self.metadata.items()))
        head, tail = _split(outer, _MODEL_GRAPH)
        head += tag(_MODEL_GRAPH) + varint(graph_size)
        if len(head) + graph_size + len(tail) > MAX_MODEL_BYTES:
            raise ExportError(
                f"{graph.name}: model too large for one file: expected at most {MAX_MODEL_BYTES} bytes, "
                f"got size_bytes={len(head) + graph_size + len(tail)}. Export with `external_data=True`."
            )
        yield head
        yield before
        yield from constants
        for header, array in zip(headers, inside.values(), strict=True):
            yield header
            yield array_bytes(array)
        yield after
        yield tail

    def without_weights(self, smallest_bytes: int) -> tuple[bytes, dict[str, Array]]:
        """Return the bytes of the model without the weights of this size and above, and these weights.

        They are external data whose file is nowhere: `gluonnx_runtime.Session` takes them as `initializers`.
        """
        outside = {n: a for n, a in self.weights.items() if a.nbytes >= smallest_bytes}
        nowhere = ExternalData("weights", dict.fromkeys(outside, 0), 0, "")
        return b"".join(self.chunks(nowhere if outside else None)), outside

    def serialize(self) -> bytes:
        """Return the bytes of the .onnx file: the one copy of the weights."""
        buffer = io.BytesIO()
        for chunk in self.chunks():
            buffer.write(chunk)
        return buffer.getvalue()

    def typed_skeleton(self) -> ModelProto:
        """Return the model with graph inputs in place of weights: the same types and shapes, without the data."""
        model = ModelProto()
        model.CopyFrom(self.proto)
        for name, array in self.weights.items():
            code = BY_NAME[dtype_name(array)].onnx
            model.graph.input.append(helper.make_tensor_value_info(name, code, array.shape))
        return model


def array_bytes(array: Array) -> memoryview:
    """Return an array's values as a flat view; reshape does not copy, because `as_array` made the array contiguous."""
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def _external_tensor(name: str, array: Array, location: str, offset: int) -> TensorProto:
    tensor = TensorProto(name=name, data_type=BY_NAME[dtype_name(array)].onnx, dims=array.shape)
    set_external(tensor, location, offset, array.nbytes)
    return tensor


def set_external(tensor: TensorProto, location: str, offset: int, size_bytes: int) -> None:
    """Say where the values of a tensor lie, in a file of the model's folder."""
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", offset), ("length", size_bytes)):
        tensor.external_data.append(StringStringEntryProto(key=key, value=str(value)))


def _tensor_header(name: str, array: Array) -> bytes:
    tensor = _bytes(TensorProto(name=name, data_type=BY_NAME[dtype_name(array)].onnx, dims=array.shape))
    tensor += tag(_TENSOR_RAW_DATA) + varint(array.nbytes)
    return tag(_GRAPH_INITIALIZER) + varint(len(tensor) + array.nbytes) + tensor


def _split(message: ModelProto | GraphProto, number: int) -> tuple[bytes, bytes]:
    """Serialize the fields before and after field `number`."""
    numbers = [f.number for f, _ in message.ListFields()]
    return (
        _bytes(_without(message, *(n for n in numbers if n >= number))),
        _bytes(_without(message, *(n for n in numbers if n <= number))),
    )


def _without(message: _Proto, *numbers: int) -> _Proto:
    """Copy a message without some fields; what is left out is never copied."""
    copy = type(message)()
    for descriptor, value in message.ListFields():
        if descriptor.number in numbers:
            continue
        if descriptor.is_repeated:
            getattr(copy, descriptor.name).extend(value)
        elif descriptor.message_type is not None:
            getattr(copy, descriptor.name).CopyFrom(value)
        else:
            setattr(copy, descriptor.name, value)
    return copy


def _bytes(message: ModelProto | GraphProto | TensorProto) -> bytes:
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def _field(number: int, payload: bytes) -> bytes:
    return tag(number) + varint(len(payload)) + payload
