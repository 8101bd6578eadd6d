"""Every symbol case against MXNet's recorded answer, and what only gluonnx promises."""

import copy
from pathlib import Path

import pytest
from answers import check, recorded
from symbol.symbol_cases import CASES, GRAPHS

import gluonnx as mx
from gluonnx.errors import FormatError

FILES = Path(__file__).parents[1] / "golden" / "files"
SHARED = Path(__file__).parents[3] / "shared" / "checkpoints"

ANSWERS = recorded("symbol")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])


@pytest.mark.parametrize("name", GRAPHS)
def test_text_survives_loading(name):
    text = GRAPHS[name](mx).tojson()
    loaded = mx.sym.load_json(text)
    assert loaded.tojson() == text
    assert copy.deepcopy(loaded).tojson() == text


@pytest.mark.parametrize("name", sorted(p.name for p in FILES.glob("*-symbol.json")))
def test_mxnets_texts_survive(name, tmp_path):
    text = (FILES / name).read_text()
    if name in ("cond-symbol.json", "foreach-symbol.json"):
        with pytest.raises(FormatError, match=r"unknown operator: got op='_(cond|foreach)' at nodes\["):
            mx.sym.load(FILES / name)
        return
    net = mx.sym.load(FILES / name)
    # MXNet writes control dependencies back; they order side effects, which graphs here do not have.
    assert net.tojson() == text or name == "control_deps-symbol.json"
    net.save(tmp_path / "net.json")
    assert mx.sym.load(str(tmp_path / "net.json")).tojson() == net.tojson()


UPGRADED = sorted(p.name for p in (FILES / "upgraded").glob("*.json"))


@pytest.mark.parametrize("name", UPGRADED)
def test_old_texts_are_upgraded_as_mxnet_does(name):
    expected = (FILES / "upgraded" / name).read_text()
    if "wrong number of inputs" in (refusal := _refusal(FILES / "old" / name)):
        # MXNet loads a graph without some input and refuses to run it.
        assert not name.endswith(("-800.json", "-none.json"))
        assert refusal.startswith(str(FILES / "old" / name))
        return
    assert refusal == ""
    assert mx.sym.load(FILES / "old" / name).tojson() == expected


def _refusal(path):
    try:
        mx.sym.load(path)
    except FormatError as err:
        return str(err)
    return ""


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no real checkpoints in ../shared/checkpoints")
@pytest.mark.parametrize(
    ("name", "data", "outputs"),
    [
        ("det1", (1, 3, 12, 12), [(1, 2, 1, 1), (1, 4, 1, 1)]),
        ("det2", (2, 3, 24, 24), [(2, 4), (2, 2)]),
        ("det3", (2, 3, 48, 48), [(2, 10), (2, 4), (2, 2)]),
    ],
)
def test_real_old_networks_load(name, data, outputs):
    net = mx.sym.load(SHARED / "mtcnn" / f"{name}-symbol.json")
    _, found, _ = net.infer_shape(data=data)
    assert sorted(found) == sorted(outputs)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no real checkpoints in ../shared/checkpoints")
def test_real_network_of_many_inputs_loads():
    net = mx.sym.load(SHARED / "mtcnn" / "det4-symbol.json")
    assert len(net.list_arguments()) == 74
    assert mx.sym.load_json(net.tojson()).tojson() == net.tojson()
