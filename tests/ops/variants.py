"""The variants of samples (other dtypes, edges of shapes and axes) with what MXNet answered to them."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import torch
from ops.matrix import call
from ops.samples import FAMILIES, RandomSample, Sample
from ops.samples.variant import BFLOAT16, DTYPES, FLOATS, Variant, casts, declared, edges, representatives

from gluonnx.ops import TABLE
from gluonnx.ops.dtypes import BY_TORCH

GOLDEN = Path(__file__).parents[1] / "golden" / "dtypes"


@dataclass(frozen=True)
class Recording:
    """What MXNet made of a variant.

    Attributes:
        status: `answered`; `refused`, `crashed` or `hung`; `undefined` where two answers differed.
        arrays: Its answer by name: `out0`, `grad0`, `aux0`; bfloat16 as ml_dtypes has it.
    """

    status: str
    arrays: dict


@functools.cache
def recorded(family):
    """Every recording of a family, by the key of the variant."""
    with np.load(GOLDEN / f"{family}.npz", allow_pickle=False) as file:
        index, data = json.loads(file["index"].tobytes()), file["data"].tobytes()
    found, start = {}, 0
    for key, entry in index.items():
        arrays = {}
        for name, (dtype, shape) in entry["arrays"].items():
            kind = np.dtype(getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype)
            count = int(np.prod(shape))
            arrays[name] = np.frombuffer(data, kind, count, start).reshape(shape)
            start += count * kind.itemsize
        found[key] = Recording(entry["status"], arrays)
    assert start == len(data), f"{family}: the index does not fit the data"
    return found


def variants():
    """Every recorded variant with its recording, by operator name."""
    found = {}
    for family, samples in FAMILIES.items():
        if not (GOLDEN / f"{family}.npz").exists():
            continue
        recordings = recorded(family)
        for variant in candidates(samples):
            if variant.key in recordings and isinstance(variant, Variant):
                found.setdefault(TABLE[variant.op].name, []).append((variant, recordings[variant.key]))
    return found


def draws():
    """Every operator that draws with every dtype of its attribute, and the status and dtype recorded."""
    for family, samples in FAMILIES.items():
        if not (GOLDEN / f"{family}.npz").exists():
            continue
        for _, sample in declared(samples):
            if isinstance(sample, RandomSample) and sample.key in recorded(family):
                yield sample, recorded(family)[sample.key]


def deviations():
    """The reasons why our answer is not MXNet's, by operator and change."""
    lines = (GOLDEN / "deviations.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    return {(name, change): reason for name, changes, reason in rows for change in changes.split()}


@functools.cache
def overrides():
    """The samples whose tolerance is their own, by operator and dtype."""
    found = {}
    for sample in (s for samples in FAMILIES.values() for s in samples if isinstance(s, Sample) and s.why):
        if sample.inputs:
            found.setdefault((sample.op, sample.inputs[0].dtype), sample)
    return found


def tolerated(variant):
    """The sample whose tolerance holds for a variant: one of the operator in this dtype that has its own, with why."""
    if variant.change.startswith("dtype="):
        return variant
    dtype = variant.change if variant.change in FLOATS else "float32"
    return overrides().get((variant.op, dtype))


def candidates(samples):
    """Every variant that may have been recorded."""
    for sample in representatives(samples):
        for dtype in DTYPES:
            yield from casts(sample, dtype)
        yield from edges(sample)
    yield from (variant for _, variant in declared(samples))


def to_torch(array):
    """The array as a tensor of its own."""
    if array.dtype in (BFLOAT16, ml_dtypes.bfloat16):
        return torch.from_numpy(array.copy().view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def to_numpy(tensor):
    """The tensor as an array, bfloat16 as ml_dtypes has it."""
    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        return tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def outputs(variant):
    """The visible outputs of our operator."""
    op = TABLE[variant.op]
    train = getattr(variant, "train", False)
    return call(op, [to_torch(a) for a in variant.arrays()], op.parse(variant.attrs), train=train).outputs


def dtype_name(tensor):
    """The canonical name of a tensor's dtype."""
    return BY_TORCH[tensor.dtype].name


def answer(variant):
    """What our operator gives: the arrays that MXNet's answer may have."""
    op = TABLE[variant.op]
    inputs = [to_torch(a) for a in variant.arrays()]
    wanted = [variant.grad and spec.has_grad for spec in variant.inputs]
    for tensor, is_wanted in zip(inputs, wanted, strict=True):
        tensor.requires_grad_(is_wanted)
    result = call(op, inputs, op.parse(variant.attrs), train=variant.train)
    found = {f"out{i}": to_numpy(o) for i, o in enumerate(result.outputs)}
    found.update({f"aux{i}": to_numpy(s) for i, s in result.states.items()})
    if any(wanted):
        outputs = [(o, to_torch(h)) for o, h in zip(result.outputs, heads(variant, result.outputs), strict=True)]
        tracked = [(o, h) for o, h in outputs if o.requires_grad]
        if tracked:
            torch.autograd.backward([o for o, _ in tracked], [h for _, h in tracked])
        for i, (tensor, is_wanted) in enumerate(zip(inputs, wanted, strict=True)):
            if is_wanted:
                gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad.to_dense()
                found[f"grad{i}"] = to_numpy(gradient)
    return found


def heads(variant, outputs):
    """A gradient for each output, the same as MXNet was given."""
    arrays = [to_numpy(o) for o in outputs]
    bits = {ml_dtypes.bfloat16: BFLOAT16}
    return variant.head_gradients([a.view(bits.get(a.dtype.type, a.dtype)) for a in arrays])
