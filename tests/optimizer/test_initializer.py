import json
import logging

import numpy as np
import pytest
from optimizer import initial
from optimizer.golden import FOLDER, recorded

import gluonnx as mx
from gluonnx.errors import FormatError, ParameterError, RegistryError
from gluonnx.ndarray.files import save

DESCRIPTIONS = json.loads((FOLDER / "initial.json").read_text())


@pytest.mark.parametrize("name", initial.EXACT)
def test_values_are_mxnets(name):
    np.testing.assert_array_equal(initial.exact(mx, name), recorded("initial")[name])


@pytest.mark.parametrize("name", initial.RANDOM)
def test_random_values_have_mxnets_spread(name):
    deviation, largest = initial.statistics(mx, name)
    expected_deviation, expected_largest = recorded("initial_random")[name]
    assert deviation == pytest.approx(expected_deviation, rel=0.02)
    kind, arguments, _ = initial.RANDOM[name]
    is_bounded = kind in ("Uniform", "Xavier") and arguments.get("rnd_type") != "gaussian"
    assert largest == pytest.approx(expected_largest, rel=1e-3 if is_bounded else 0.3)


@pytest.mark.parametrize("name", initial.DUMPS)
def test_descriptions_are_mxnets(name):
    text = initial.dumps(mx, name)
    assert text == DESCRIPTIONS[name]
    again = mx.init.create(text)
    assert again == getattr(mx.init, initial.DUMPS[name][0])(**initial.DUMPS[name][1])
    assert again.dumps() == text


@pytest.mark.parametrize(("rows", "columns"), [(60, 30), (30, 60), (8, 8)])
def test_orthogonal(rows, columns):
    array = mx.nd.zeros((rows, columns))
    mx.init.Orthogonal(scale=1.0)(mx.init.InitDesc("a_weight"), array)
    values = array.asnumpy()
    gram = values.T @ values if rows >= columns else values @ values.T
    np.testing.assert_allclose(gram, np.eye(min(rows, columns)), atol=2e-6)


def test_seed_gives_the_same_values():
    drawn = []
    for _ in range(2):
        mx.random.seed(7)
        array = mx.nd.zeros((4, 4))
        mx.init.Xavier()(mx.init.InitDesc("a_weight"), array)
        drawn.append(array.asnumpy())
    np.testing.assert_array_equal(*drawn)
    assert len(np.unique(drawn[0])) == 16


def test_own_initializer_of_a_parameter_wins():
    array = mx.nd.zeros((2, 2))
    mx.init.Zero()(mx.init.InitDesc("a_bias", {"__init__": '["constant", {"value": 3.0}]'}), array)
    np.testing.assert_array_equal(array.asnumpy(), 3)
    mx.init.Zero()(mx.init.InitDesc("unheard_of", {"__init__": mx.init.One()}), array)
    np.testing.assert_array_equal(array.asnumpy(), 1)


def test_constant_takes_arrays():
    values = np.arange(6.0).reshape(2, 3)
    for value in (values, mx.nd.array(values), values.tolist()):
        init = mx.init.Constant(value)
        assert json.loads(init.dumps()) == ["constant", {"value": values.tolist()}]
        array = mx.nd.zeros((2, 3))
        mx.init.create(init.dumps())(mx.init.InitDesc("a_weight"), array)
        np.testing.assert_array_equal(array.asnumpy(), values)
        init(mx.init.InitDesc("a_weight"), array)
        np.testing.assert_array_equal(array.asnumpy(), values)
        assert init == mx.init.Constant(values)


def test_quantized_weight_is_one_int8_value():
    array = mx.nd.zeros((4,), dtype="int8")
    mx.init.Zero()(mx.init.InitDesc("a_weight_quantize"), array)
    values = array.asnumpy()
    assert values.dtype == np.int8
    assert len(set(values.tolist())) == 1
    assert -127 <= values[0] < 127


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("upsampling_weight", None),
        ("stn_loc_weight", [0] * 6),
        ("stn_loc_bias", [1, 0, 0, 0, 1, 0]),
        ("a_bias", [0] * 6),
        ("a_gamma", [1] * 6),
        ("a_beta", [0] * 6),
        ("a_weight", [5] * 6),
        ("a_moving_mean", [0] * 6),
        ("a_moving_var", [1] * 6),
        ("a_moving_inv_var", [0] * 6),
        ("a_moving_avg", [0] * 6),
        ("a_min", [0] * 6),
        ("a_max", [1] * 6),
    ],
)
def test_plain_names_are_deprecated(name, expected):
    array = mx.nd.full((1, 1, 4, 4) if expected is None else (6,), 7.0)
    with pytest.warns(DeprecationWarning, match=r"Calling initializer with init\(str, NDArray\) has been deprecated"):
        mx.init.Constant(5)(name, array)
    if expected is None:
        expected = recorded("initial")["bilinear"][0, :1].reshape(1, 1, 4, 4)
    np.testing.assert_array_equal(array.asnumpy(), expected)


@pytest.mark.filterwarnings("ignore:Calling initializer")
def test_wrong_calls():
    array = mx.nd.zeros((2,))
    with pytest.raises(ParameterError, match=r"Zero: Unknown initialization pattern for something: .* got 'something'"):
        mx.init.Zero()(mx.init.InitDesc("something"), array)
    with pytest.raises(ParameterError, match="Unknown initialization pattern for something"):
        mx.init.Zero()("something", array)
    with pytest.raises(TypeError, match="name must be string: got int"):
        mx.init.Zero()(3, array)
    with pytest.raises(TypeError, match="arr must be NDArray: got list"):
        mx.init.Zero()("a_weight", [1])
    with pytest.raises(ParameterError, match=r"expected 6 values, got shape=\(2,\)"):
        mx.init.Zero()("stn_loc_bias", array)
    with pytest.raises(
        ValueError, match=r"Xavier initializer cannot be applied to vector a_weight: .* got shape=\(2,\)"
    ):
        mx.init.Xavier()(mx.init.InitDesc("a_weight"), array)
    matrix = mx.nd.zeros((2, 2))
    with pytest.raises(ValueError, match=r"Incorrect factor type: .* got factor_type='x'"):
        mx.init.Xavier(factor_type="x")(mx.init.InitDesc("a_weight"), matrix)
    with pytest.raises(ValueError, match=r"Unknown random type: .* got rnd_type='x'"):
        mx.init.Xavier(rnd_type="x")(mx.init.InitDesc("a_weight"), matrix)
    with pytest.raises(ValueError, match=r"Orthogonal: expected one of .* got rand_type='x'"):
        mx.init.Orthogonal(rand_type="x")
    with pytest.raises(ParameterError, match=r"Bilinear: expected a weight of 4 axes .* got shape=\(2, 2\)"):
        mx.init.Bilinear()(mx.init.InitDesc("a_weight"), matrix)
    with pytest.raises(NotImplementedError, match="Initializer: an initializer must define _init_weight"):
        mx.init.Initializer()(mx.init.InitDesc("a_weight"), matrix)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nosuch",), "create: unknown initializer: expected one of .*xavier.*, got 'nosuch'"),
        ((3,), "create: wrong type of initializer: expected a name or an instance, got int"),
        ((), "create: no initializer named"),
        ((mx.init.Zero(), 1), r"already an instance of a initializer: expected no further arguments, got \[1\]"),
        (("[1",), "description of a initializer is not JSON"),
        (('["zero"]',), "description of a initializer: expected"),
    ],
)
def test_create_refuses(arguments, message):
    with pytest.raises(RegistryError, match=message):
        mx.init.create(*arguments)


def test_create_takes_descriptions():
    assert mx.init.create("zeros") == mx.init.Zero()
    assert mx.init.create("Uniform", scale=0.5) == mx.init.Uniform(0.5)
    assert mx.init.create({"initializer": "normal", "sigma": 2.0}) == mx.init.Normal(2.0)
    assert mx.init.create('{"initializer": "normal", "sigma": 2.0}') == mx.init.Normal(2.0)
    assert repr(mx.init.Normal(2.0)) == "Normal(sigma=2.0)"


def test_registering_again_warns():
    @mx.init.register
    @mx.init.alias("mine_too")
    class MineOfATest(mx.init.Initializer):
        def _init_weight(self, name, arr):
            arr[:] = 4

    assert type(mx.init.create("mineofatest")) is MineOfATest
    assert type(mx.init.create("mine_too")) is MineOfATest
    with pytest.warns(
        UserWarning, match=r"New initializer .*MineOfATest registered with name mineofatest is overriding"
    ):
        mx.init.register(MineOfATest)
    with pytest.raises(RegistryError, match="expected a subclass of Initializer"):
        mx.init.register(int)


def test_mixed():
    init = mx.init.Mixed(["fc.*bias", ".*weight"], [mx.init.One(), mx.init.Constant(2)])
    array = mx.nd.zeros((2,))
    init(mx.init.InitDesc("conv_weight"), array)
    np.testing.assert_array_equal(array.asnumpy(), 2)
    assert mx.init.create(init) is init
    with pytest.raises(ValueError, match=r"Parameter name conv_bias did not match any pattern: expected one of .*fc"):
        init(mx.init.InitDesc("conv_bias"), array)
    with pytest.raises(RegistryError, match="got 1 patterns and 0 initializers"):
        mx.init.Mixed(["a"], [])


def test_load(tmp_path, caplog):
    values = {"arg:a_weight": mx.nd.array([1.0, 2.0]), "aux:b_weight": mx.nd.array([3.0])}
    path = tmp_path / "some.params"
    save(str(path), values)
    for source in (values, str(path)):
        init = mx.init.Load(source, default_init=mx.init.One(), verbose=True)
        array = mx.nd.zeros((2,))
        with caplog.at_level(logging.INFO):
            init(mx.init.InitDesc("a_weight"), array)
        assert "Initialized a_weight by loading" in caplog.text
        np.testing.assert_array_equal(array.asnumpy(), [1, 2])
        init(mx.init.InitDesc("c_weight"), array)
        np.testing.assert_array_equal(array.asnumpy(), [1, 1])
        with pytest.raises(ParameterError, match=r"b_weight cannot be initialized from loading: .* got shape=\(1,\)"):
            init(mx.init.InitDesc("b_weight"), array)
    with pytest.raises(ParameterError, match="Cannot Initialize c_weight: not found in loaded param"):
        mx.init.Load(values)(mx.init.InitDesc("c_weight"), mx.nd.zeros((2,)))
    with pytest.raises(TypeError, match="got param of list"):
        mx.init.Load([])
    path.write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"some\.params"):
        mx.init.Load(str(path))


def test_verbosity(caplog):
    init = mx.init.One().set_verbosity(True)
    with caplog.at_level(logging.INFO):
        init(mx.init.InitDesc("a_weight"), mx.nd.zeros((4,)))
    assert "Initialized a_weight as weight: 1.0" in caplog.text
    init.set_verbosity(True, lambda arr: f"size {arr.size}")
    with caplog.at_level(logging.INFO):
        init(mx.init.InitDesc("a_bias"), mx.nd.zeros((4,)))
    assert "Initialized a_bias as bias: size 4" in caplog.text
