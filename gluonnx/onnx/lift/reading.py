"""A foreign ONNX model, checked and brought to the one form that the lifting reads."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    ValueInfoProto,
    inliner,
    numpy_helper,
)

from gluonnx.errors import FormatError
from gluonnx.onnx.lift.modern import modernize
from gluonnx.onnx.lift.narrow import widen
from gluonnx.ops.foreign import foreign_operator

OLDEST_OPSET = 7
"""Before it, arithmetic had a broadcasting of its own."""
MAX_DENSE_BYTES = (1 << 31) - 1
"""Largest array that a sparse initializer may stand for."""
_DOMAINS = ("", "ai.onnx")


def prepare(model: ModelProto, where: str) -> ModelProto:
    """Return a model of one form: one domain, the newest opset, only operators that there are torch functions for.

    The model that is given is changed.

    Raises:
        FormatError: Not valid ONNX, of an opset that cannot be read, or with operators that there is nothing for; all
            of them in one message.
    """
    opset = _opset(model, where)
    _make_dense(model.graph, where)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError, MemoryError) as err:
        raise FormatError(f"{where}: not valid ONNX: expected a model that onnx.checker accepts, got {err}.") from err
    try:
        if model.functions:
            model = inliner.inline_local_functions(model)
        model = _expand(model)
        _check_operators(model, where)
        ranks = _ranks(model)
        modernize(model, opset, ranks, where)
        widen(model, where)
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except FormatError:
        raise
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError) as err:
        raise FormatError(f"{where}: not valid ONNX: {err}.") from err


def _opset(model: ModelProto, where: str) -> int:
    versions: dict[str, int] = {o.domain: o.version for o in model.opset_import}
    version = next((versions[d] for d in _DOMAINS if d in versions), None)
    newest = onnx.defs.onnx_opset_version()
    if version is not None and 0 < version < OLDEST_OPSET and _is_unchanged(model, version):
        return version
    if version is None or not OLDEST_OPSET <= version <= newest:
        raise FormatError(
            f"{where}: opset not supported: expected {OLDEST_OPSET} to {newest}, got opset={version}. "
            "Convert the model with onnx.version_converter, or install a newer onnx."
        )
    return version


def _is_unchanged(model: ModelProto, version: int) -> bool:
    """Whether every operator of a model meant the same in its opset as in the oldest one that is read."""
    for graph in graphs_of(model.graph):
        for node in graph.node:
            try:
                schemas = [onnx.defs.get_schema(node.op_type, v, "") for v in (version, OLDEST_OPSET)]
            except onnx.defs.SchemaError:
                return False
            if schemas[0].since_version != schemas[1].since_version:
                return False
    return True


def graphs_of(graph: GraphProto) -> Iterator[GraphProto]:
    """Give a graph and every graph nested in it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_of(attribute.g)
            for inner in attribute.graphs:
                yield from graphs_of(inner)


def _check_operators(model: ModelProto, where: str) -> None:
    faults: dict[str, str] = {}
    for graph in graphs_of(model.graph):
        for node in graph.node:
            name = node.op_type if node.domain in _DOMAINS else f"{node.domain}.{node.op_type}"
            if not _is_known(node):
                faults.setdefault(name, node.name or next(iter(node.output), ""))
    if faults:
        listed = ", ".join(f"{op} (`{node}`)" for op, node in sorted(faults.items()))
        raise FormatError(
            f"{where}: operators without a torch function: expected operators of ONNX on numbers, got {listed}. "
            "Run the model with gluonnx_runtime.Session."
        )


OLD_NAMES = {"Upsample": "Resize", "Scatter": "ScatterElements"}
"""Operators of older opsets, and what they have become."""


def _is_known(node: NodeProto) -> bool:
    if node.domain not in _DOMAINS:
        return False
    return foreign_operator(OLD_NAMES.get(node.op_type, node.op_type)) is not None


def _expand(model: ModelProto) -> ModelProto:
    """Put the bodies of standard functions in place of those that there is no torch function for."""
    unknown = {n.op_type for g in graphs_of(model.graph) for n in g.node if n.domain in _DOMAINS and not _is_known(n)}
    found = [("", op) for op in sorted(unknown) if _has_body(op)]
    if not found:
        return model
    return inliner.inline_selected_functions(model, found, inline_schema_functions=True)


def _has_body(op_type: str) -> bool:
    try:
        schema = onnx.defs.get_schema(op_type)
    except onnx.defs.SchemaError:
        return False
    return bool(getattr(schema, "has_function", False) or getattr(schema, "has_context_dependent_function", False))


def _make_dense(graph: GraphProto, where: str) -> None:
    """Put dense initializers and constants in place of sparse ones."""
    for inner in graphs_of(graph):
        for sparse in inner.sparse_initializer:
            inner.initializer.append(_dense(sparse, f"{where}: sparse initializer `{sparse.values.name}`"))
        del inner.sparse_initializer[:]
        for node in inner.node:
            if node.op_type == "Constant" and node.domain in _DOMAINS:
                for attribute in node.attribute:
                    if attribute.name == "sparse_value":
                        dense = _dense(attribute.sparse_tensor, f"{where}: constant `{node.name}`")
                        attribute.CopyFrom(onnx.helper.make_attribute("value", dense))


def _dense(sparse: SparseTensorProto, where: str) -> TensorProto:
    if TensorProto.EXTERNAL in (sparse.values.data_location, sparse.indices.data_location):
        raise FormatError(f"{where}: lies in another file: expected its values in the model, got external data.")
    try:
        values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
        shape = tuple(sparse.dims)
        size_bytes = values.dtype.itemsize
        for dim in shape:
            size_bytes *= dim
        if min(shape, default=1) < 0 or size_bytes > MAX_DENSE_BYTES:
            raise ValueError(f"shape {shape}")
        dense = np.zeros(shape, dtype=values.dtype)
        if indices.ndim == 1:
            dense.reshape(-1)[indices] = values
        else:
            dense[tuple(indices.T)] = values
    except (ValueError, IndexError, TypeError) as err:
        raise FormatError(f"{where}: damaged: expected indices within the shape, got {err}.") from err
    return numpy_helper.from_array(dense, sparse.values.name)


def _ranks(model: ModelProto) -> dict[str, tuple[int | None, ...]]:
    """Return what is known of the shape of each value in the opset that the model was written in."""
    inferred = onnx.shape_inference.infer_shapes(model)
    found: dict[str, tuple[int | None, ...]] = {}
    for graph in graphs_of(inferred.graph):
        for info in (*graph.value_info, *graph.input, *graph.output):
            shape = shape_of(info)
            if shape is not None:
                found[info.name] = shape
        for tensor in graph.initializer:
            found[tensor.name] = tuple(tensor.dims)
    return found


def shape_of(info: ValueInfoProto) -> tuple[int | None, ...] | None:
    """Return the shape that a value is said to have, None where its rank is not said."""
    tensor = info.type.tensor_type
    if not info.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
