"""Outputs that no caller sees count in symbol-json, whose bytes are MXNet's."""

import json
import warnings

from ops import matrix

import gluonnx as mx
from gluonnx.symbol.register import function

RECORDED = json.loads((matrix.GOLDEN / "hidden_outputs.json").read_text(encoding="utf-8"))


def hidden_outputs(sample):
    variables = [mx.sym.var(f"x{i}") for i in range(len(sample.inputs))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # attributes that have no effect say so
        symbol = function(sample.op)(*variables, name="n", **sample.attrs)
    start, end = json.loads(symbol.tojson())["node_row_ptr"][-2:]
    return end - start - len(symbol.list_outputs())


def test_every_sample_has_as_many_as_in_mxnet():
    unknown = set(RECORDED["unknown"])
    samples = [s for s in matrix.SAMPLES + matrix.RANDOM_SAMPLES if s.key not in unknown]
    assert len(samples) > 1400
    found = {s.key: count for s in samples if (count := hidden_outputs(s))}
    assert found == RECORDED["hidden"]
