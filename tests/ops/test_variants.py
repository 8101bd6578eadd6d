"""Every operator x every dtype, and at the edges of shapes and axes, against MXNet's recorded answers.

What differs stands in tests/golden/dtypes/deviations.tsv with its reason; the test fails for a row that no longer
differs, too.
"""

import warnings

import pytest
import torch
from ops import variants
from ops.tolerance import assert_same

import gluonnx as mx
from gluonnx.errors import MXNetError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import TORCH_ERRORS
from gluonnx.ndarray.register import function as ndarray_function
from gluonnx.ops import TABLE
from gluonnx.symbol.executor import GraphFunction
from gluonnx.symbol.inference import infer
from gluonnx.symbol.register import function as symbol_function

VARIANTS = variants.variants()
DEVIATIONS = variants.deviations()


def over_operators(test):
    return pytest.mark.parametrize("name", VARIANTS)(test)


def differences(variant, recording):
    """What differs from MXNet's answer, in words; None where nothing does."""
    try:
        found = variants.answer(variant)
    except (MXNetError, *TORCH_ERRORS) as err:  # an imperative call makes one of ours of it
        return f"refused: {err}"
    for what, expected in recording.arrays.items():
        try:
            assert_same(found[what], expected, variants.tolerated(variant), what)
        except AssertionError as err:
            return " ".join(str(err).split())
    return None


@over_operators
def test_answer_is_mxnets(name):
    deviating, wrong = set(), []
    for variant, recording in VARIANTS[name]:
        if recording.status != "answered":
            continue
        difference = differences(variant, recording)
        if difference is not None:
            deviating.add(variant.change)
            if (name, variant.change) not in DEVIATIONS:
                wrong.append(f"{variant.key}: {difference}")
    assert not wrong, "\n".join(wrong)
    declared = {change for operator, change in DEVIATIONS if operator == name}
    assert declared == deviating, f"{name}: no longer differs: take it out of deviations.tsv"


@over_operators
def test_what_mxnet_refuses_is_answered_or_refused(name):
    for variant, recording in VARIANTS[name]:
        if recording.status == "answered":
            continue
        arrays = [NDArray(variants.to_torch(a)) for a in variant.arrays()]
        message = name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # means of nothing, and the like
            try:
                ndarray_function(variant.op)(*arrays, **variant.attrs)
            except MXNetError as err:
                message = str(err)
        assert message.startswith(name), f"{variant.key}: {message}"


@over_operators
def test_graphs_give_the_eager_answer(name):
    for variant, recording in VARIANTS[name]:
        if recording.status != "answered" or (name, variant.change) in DEVIATIONS:
            continue
        inputs = [variants.to_torch(a) for a in variant.arrays()]
        names = [f"x{i}" for i in range(len(inputs))]
        symbol = symbol_function(variant.op)(*(mx.sym.var(n) for n in names), **variant.attrs)
        outputs, _ = GraphFunction(symbol._heads, names)(inputs, training=variant.train)
        eager = variants.outputs(variant)
        assert len(outputs) == len(eager)
        for output, expected in zip(outputs, eager, strict=True):
            torch.testing.assert_close(output, expected, rtol=0, atol=0, equal_nan=True, msg=variant.key)
        if variant.change == "empty":
            continue  # to inference, 0 is a size that it does not know
        kinds = {n: variants.dtype_name(t) for n, t in zip(names, inputs, strict=True)}
        found = infer(symbol._heads, {n: tuple(t.shape) for n, t in zip(names, inputs, strict=True)}, kinds)
        if TABLE[name].shapes != "values":
            assert [found.shape(e) for e in symbol._heads] == [tuple(o.shape) for o in eager], variant.key
            assert [found.dtype(e) for e in symbol._heads] == [variants.dtype_name(o) for o in eager], variant.key


@pytest.mark.parametrize(("sample", "recording"), tuple(variants.draws()), ids=lambda a: getattr(a, "key", ""))
def test_draws_have_mxnets_dtype(sample, recording):
    if recording.status == "answered":
        (drawn,) = variants.outputs(sample)
        assert variants.dtype_name(drawn) == recording.arrays["out0"].dtype.name


def test_every_deviation_is_of_a_variant():
    known = {(name, variant.change) for name, found in VARIANTS.items() for variant, _ in found}
    assert DEVIATIONS.keys() <= known
    assert all(len(reason) > 10 for reason in DEVIATIONS.values())


def test_every_recording_belongs_to_a_variant():
    keys = {variant.key for found in VARIANTS.values() for variant, _ in found} | {s.key for s, _ in variants.draws()}
    for path in variants.GOLDEN.glob("*.npz"):
        assert variants.recorded(path.stem).keys() <= keys, f"{path.stem}: record it again"
        assert path.stat().st_size < 100_000


def test_no_call_failed_in_the_recorder():
    statuses = {recording.status for found in VARIANTS.values() for _, recording in found}
    assert statuses == {"answered", "refused", "crashed", "undefined"}
