"""What the test matrix is made of: the samples, MXNet's answers to them, and ways to call an operator.

A way of calling takes a sample and arrays and gives the visible outputs as numpy arrays, so a further way (NDArray,
Symbol, an executor) is one more function here and one more row in test_matrix.py.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper
from ops.samples import FAMILIES, RandomSample, Sample

import gluonnx as mx
from gluonnx.ndarray.register import function as ndarray_function
from gluonnx.onnx.builder import IR_VERSION, OPSET, ModelBuilder
from gluonnx.ops import TABLE
from gluonnx.ops.dtypes import BY_NAME, BY_TORCH
from gluonnx.symbol.executor import GraphFunction
from gluonnx.symbol.register import function as symbol_function

GOLDEN = Path(__file__).parents[1] / "golden" / "ops"
OTHER_BATCH = 11
"""A batch size that no sample has."""
GRADCHECK_SIZE = 64
"""Samples with more elements are left out of finite differences."""

FAMILY_OF = {s.key: family for family, samples in FAMILIES.items() for s in samples}
SAMPLES = [s for samples in FAMILIES.values() for s in samples if isinstance(s, Sample)]
RANDOM_SAMPLES = [s for samples in FAMILIES.values() for s in samples if isinstance(s, RandomSample)]


@dataclass(frozen=True)
class Result:
    """What one call of a torch function gives: visible outputs and new auxiliary states by input position."""

    outputs: list
    states: dict


@functools.cache
def recorded(family):
    """Every recorded array of a family, by `<sample key>/<what>`."""
    with np.load(GOLDEN / f"{family}.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def golden(sample):
    """MXNet's answer to a sample: `out0`, ..., `grad0`, ..., `aux0`, ..."""
    prefix = sample.key + "/"
    answers = recorded(FAMILY_OF[sample.key])
    found = {name[len(prefix) :]: a for name, a in answers.items() if name.startswith(prefix)}
    assert found, f"{sample.key}: no recorded answer: run tests/golden/make_ops.py {FAMILY_OF[sample.key]}"
    return found


def tensors(arrays, device="cpu"):
    """The arrays as torch tensors of their own."""
    return [torch.from_numpy(a.copy()).to(device) for a in arrays]


def call(op, inputs, attrs, *, train=False, seed=0, device="cpu"):
    """Call an operator's torch function the way its callers do, with the runtime keywords that it asks for."""
    runtime = {
        "training": train,
        "generator": None if str(device) == "meta" else torch.Generator(device).manual_seed(seed),
        "device": torch.device(device),
    }
    given = op.forward(*inputs, **attrs, **{k: v for k, v in runtime.items() if k in op.runtime})
    given = list(given) if isinstance(given, (tuple, list)) else [given]
    count = len(op.output_names(attrs))
    auxiliary = op.auxiliary_positions(attrs)
    assert len(given) == count + len(auxiliary), f"{op.name}: gives {len(given)} tensors"
    states = {i: v for i, v in zip(auxiliary, given[count:], strict=True) if v is not None}
    return Result(given[: op.visible_outputs(attrs)], states)


def through_ndarray(sample, arrays):
    """Visible outputs of the imperative call, as numpy arrays; the second call is the one that is remembered."""
    function = ndarray_function(sample.op)
    _imperative(sample, arrays, lambda inputs: function(*inputs, **sample.attrs))
    return _imperative(sample, arrays, lambda inputs: function(*inputs, **sample.attrs))


def with_text(sample, arrays):
    """The same with attributes as MXNet's text."""
    text = TABLE[sample.op].to_text(sample.attrs)
    return _imperative(sample, arrays, lambda inputs: ndarray_function(sample.op)(*inputs, **text))


def by_position(sample, arrays):
    """The same with attributes by position, as many as are given without a gap."""
    op = TABLE[sample.op]
    positional = []
    rest = dict(sample.attrs)
    is_complete = len(arrays) == len(op.inputs) and not op.variadic
    for name in op.attributes if is_complete else ():
        if name not in rest or isinstance(rest[name], mx.nd.NDArray):
            break
        positional.append(rest.pop(name))
    return _imperative(sample, arrays, lambda inputs: ndarray_function(sample.op)(*inputs, *positional, **rest))


def by_name(sample, arrays):
    """The same with inputs by name."""
    op = TABLE[sample.op]
    active = op.active_inputs(op.parse(sample.attrs), len(arrays))
    names = [spec.name for spec in active[: len(arrays)]]
    function = ndarray_function(sample.op)
    return _imperative(sample, arrays, lambda inputs: function(**dict(zip(names, inputs, strict=True)), **sample.attrs))


def as_method(sample, arrays):
    """The same as a method of the first array, where there is one."""
    op = TABLE[sample.op]
    if not op.method or "target_shape" in sample.attrs:  # the method reshape has no old form
        return through_ndarray(sample, arrays)
    name = op.method[0]
    return _imperative(
        sample,
        arrays,
        lambda inputs: getattr(inputs[0], name)(*inputs[1:], **sample.attrs),
        may_share=name == "reshape",  # the method shares memory, as MXNet's does
    )


def _imperative(sample, arrays, call, *, may_share=False):
    inputs = [mx.nd.array(a, dtype=a.dtype) for a in arrays]
    with mx.autograd.train_mode() if sample.train else mx.autograd.predict_mode():
        result = call(inputs)
    outputs = [r.asnumpy() for r in (result if isinstance(result, (list, tuple)) else [result])]
    owned = {a._t.untyped_storage().data_ptr() for a in inputs if a.size}
    for r in result if isinstance(result, (list, tuple)) else [result]:
        if not may_share:
            assert r._t.untyped_storage().data_ptr() not in owned, "an imperative call returned memory of its input"
    return outputs


def as_symbol(sample):
    """The call as a symbol that went through symbol-json, and the names of its variables."""
    names = [f"x{i}" for i in range(len(sample.inputs))]
    symbol = symbol_function(sample.op)(*(mx.sym.var(n) for n in names), **sample.attrs)
    return mx.sym.load_json(symbol.tojson()), names


def through_symbol(sample, arrays):
    """Visible outputs of the same call as a graph, run on torch."""
    symbol, names = as_symbol(sample)
    outputs, _ = GraphFunction(symbol._heads, names)(tensors(arrays), training=sample.train)
    return [o.numpy() for o in outputs]


def other_batch(sample, arrays):
    """The same arrays with another size of every batch axis: rows repeated in turn."""
    return [np.resize(a, (OTHER_BATCH, *a.shape[1:])) if i in sample.batch else a for i, a in enumerate(arrays)]


def onnx_model(op, sample, arrays):
    """Lower one call to an ONNX model whose batch axis is open, and check it.

    Every input is a graph input, `x0`, `x1`, ...; the outputs are `y0`, ...
    """
    attrs = op.parse(sample.attrs)
    others = other_batch(sample, arrays)
    size = next((arrays[i].shape[0] for i in sample.batch), 1)
    builder = ModelBuilder((size, OTHER_BATCH) if sample.batch else (1, 1))
    inputs = [
        builder.variable(f"x{i}", BY_NAME[a.dtype.name].name, (a.shape, b.shape))
        for i, (a, b) in enumerate(zip(arrays, others, strict=True))
    ]
    outputs = list(op.lower(builder, inputs, attrs))[: op.visible_outputs(attrs)]
    for i, value in enumerate(outputs):
        if value.call is None or value.name is not None:
            value = outputs[i] = builder.op("Identity", value)
        value.name = f"y{i}"
    graph = builder.graph("sample", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def session(model):
    """An ONNX Runtime session on the CPU, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(session, arrays):
    """Run a session on the inputs that it has."""
    names = {i.name for i in session.get_inputs()}
    return session.run(None, {f"x{i}": a for i, a in enumerate(arrays) if f"x{i}" in names})


def dtype_names(outputs):
    """Canonical dtype names of torch tensors."""
    return [BY_TORCH[o.dtype].name for o in outputs]


def operator_of(sample):
    """The operator a sample calls; raises UnknownOperatorError for one that is not in the table."""
    return TABLE[sample.op]
