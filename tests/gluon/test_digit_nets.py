"""The demo's network and two of its kind answer as MXNet's do, to 1e-5.

On torch, in ONNX Runtime, and read back from an export.
"""

import runpy
from pathlib import Path

import numpy as np
import pytest
from gluon import road
from gluon.cases.nets import CASES, digits

import gluonnx as mx

NETS = {case.id: case for case in CASES if not case.is_random}
LARGEST_DIFFERENCE = 1e-5


@pytest.mark.parametrize("name", NETS)
def test_answers_are_mxnets(name, tmp_path):
    case = NETS[name]
    (x,) = road.inputs_of(case)
    expected = road.answer(case)["predict0"]
    net = road.prepared(case)
    answers = {"torch": net(x)}
    net.hybridize()
    answers["ONNX Runtime"] = net(x)
    symbol_file, params_file, onnx_file = net.export(tmp_path / "net")
    answers["symbol-json and params"] = mx.gluon.SymbolBlock.imports(symbol_file, ["data"], params_file)(x)
    answers["onnx"] = mx.gluon.SymbolBlock.imports(onnx_file)(x)
    for way, answer in answers.items():
        difference = np.abs(answer.asnumpy() - expected).max()
        assert difference <= LARGEST_DIFFERENCE, way


def test_the_case_is_the_demos_network():
    sample = runpy.run_path(str(Path(__file__).parents[2] / "samples" / "digits" / "model.py"))
    with mx.name.NameManager():
        recorded = digits(mx)
    with mx.name.NameManager():
        assert repr(sample["lenet"]()) == repr(recorded)
