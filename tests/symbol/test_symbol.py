"""Every symbol case against MXNet's recorded answer, and what only gluonnx promises."""

import copy
from pathlib import Path

import pytest
from answers import check, recorded
from symbol.symbol_cases import CASES, GRAPHS

import gluonnx as mx
from gluonnx.errors import FormatError, MXNetError

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


x = mx.sym.var("x")


@pytest.mark.parametrize(
    ("run", "kind", "message"),
    [
        (lambda: mx.sym.var(3), TypeError, r"sym\.var: wrong name: expected a str, got 3"),
        (lambda: mx.sym.var("x", mood="1"), ValueError, r"between double underscores, got 'mood'"),
        (lambda: mx.sym.relu(3), TypeError, r"relu: input `data` .* expected Symbol, got int\.$"),
        (lambda: mx.sym.relu(x, x), TypeError, r"relu: too many arguments: expected at most 1, got 2"),
        (lambda: mx.sym.relu(x, data=x), TypeError, r"argument `data` was given twice"),
        (lambda: mx.sym.FullyConnected(x), ValueError, r"FullyConnected: attribute `num_hidden` is missing"),
        (lambda: mx.sym.FullyConnected(x, num_hidden="many"), ValueError, r"got num_hidden='many'"),
        (
            lambda: mx.sym.relu(x, attr={"mood": "good"}),
            ValueError,
            r"double underscores, got 'mood'\. Write it `__mood__`",
        ),
        (lambda: mx.sym.relu(x, attr={"__a__": 1}), ValueError, r"attr: values are strings: .* got __a__=1"),
        (lambda: mx.AttrScope(a=1), ValueError, r"AttrScope: values are strings: .* got a=1"),
        (lambda: mx.sym.Group([x, 1]), TypeError, r"wrong element: expected Symbols, got int"),
        (lambda: mx.sym.Group([]), TypeError, r"nothing to group"),
        (lambda: x["y"], ValueError, r"no output of that name: expected one of x, got 'y'"),
        (lambda: x[1], IndexError, r"expected an index below 1, got 1"),
        (lambda: x(y=x), MXNetError, r"no such variable: expected one of x, got \['y'\]"),
        (lambda: x(x=3), TypeError, r"wrong replacement: expected a Symbol, got x=int"),
        (lambda: x(x=mx.sym.Group([x, x])), ValueError, r"several outputs: expected one, got x="),
        (lambda: x(x, x=x), TypeError, r"by position or by name, not both"),
        (lambda: mx.sym.relu(mx.sym.Group([x, x])), ValueError, r"relu `relu\d*`: input `data` has several outputs"),
        (lambda: x.infer_shape(y=(1,)), ValueError, r"no such argument: expected some of x, got \['y'\]"),
        (lambda: x.infer_shape((1,), x=(1,)), ValueError, r"by position or by name, not both"),
        (
            lambda: (x + mx.sym.var("y")).infer_shape(x=(2,), y=(3,)),
            MXNetError,
            r"_plus\d*`: does not take inputs of shapes",
        ),
        (lambda: bool(x), TypeError, r"has no truth value: .* use F\.where"),
        (lambda: x.asnumpy(), TypeError, r"`asnumpy` needs values"),
        (lambda: x + "a", TypeError, r"type <class 'str'> not supported"),
        (lambda: mx.sym.maximum("a", x), TypeError, r"sym\.maximum: wrong types: .* got str and Symbol"),
        (lambda: mx.sym.load_json(3), TypeError, r"expected a str, got int"),
        (lambda: mx.sym.load_json("{"), FormatError, r"symbol-json"),
        (lambda: mx.sym.load("/nonexistent/a.json"), OSError, r"/nonexistent/a\.json"),
    ],
)
def test_errors_say_what_to_do(run, kind, message):
    with pytest.raises(kind, match=message):
        run()


def test_unknown_shapes_are_warned_of():
    with pytest.warns(UserWarning, match=r"Cannot decide shape for the following arguments .*\n\tx: \(\)"):
        assert mx.sym.relu(x).infer_shape() == (None, None, None)


def test_composition_leaves_the_original_alone():
    inner = mx.sym.FullyConnected(x, num_hidden=2, name="fc")
    text = inner.tojson()
    joined = inner(x=mx.sym.relu(mx.sym.var("y"), name="r"), name="other")
    assert joined.list_arguments() == ["y", "fc_weight", "fc_bias"]
    assert (joined.name, inner.name, inner.tojson()) == ("other", "fc", text)


def test_an_operator_without_its_inputs():
    inputs = [mx.sym.var(name) for name in ("data", "param", "h0", "h1")]
    attrs = {"state_size": 10, "num_layers": 2, "bidirectional": True, "state_outputs": True, "mode": "lstm"}
    atomic = mx.sym.RNN(*inputs, **attrs, name="net")._gen_atomic_symbol()
    assert atomic.list_outputs() == ["net_output", "net_state_output", "net_statecell_output"]
    assert atomic.list_arguments() == ["net_data", "net_parameters", "net_state", "net_state_cell"]
    with pytest.raises(mx.errors.GraphError, match="`data`: no operator: expected the output of one"):
        inputs[0]._gen_atomic_symbol()
