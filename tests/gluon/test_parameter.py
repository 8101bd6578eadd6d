"""Parameters and their dictionaries, as MXNet 1.9.1 has them: values, contexts, deferred creation, error classes."""

import numpy as np
import pytest
from gluon.nets import near

import gluonnx as mx
from gluonnx import autograd, gluon, nd
from gluonnx.gluon import Constant, DeferredInitializationError, Parameter, ParameterDict


def parameter(**kwargs):
    param = Parameter("p", **{"shape": (2, 2), "init": mx.init.One(), **kwargs})
    param.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    return param


# Before initialization ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["data", "grad", "list_data", "list_grad", "list_ctx"])
def test_members_of_a_parameter_that_is_not_initialized(member):
    with pytest.raises(RuntimeError, match="Parameter 'p' has not been initialized: expected a call of `initialize"):
        getattr(Parameter("p", shape=(2, 2)), member)()


def test_setters_of_a_parameter_that_is_not_initialized():
    param = Parameter("p", shape=(2, 2))
    param.zero_grad()
    param.cast("float64")
    assert param.dtype == "float64"
    with pytest.raises(ValueError, match="Cannot reset context for Parameter 'p'"):
        param.reset_ctx(mx.cpu())
    with pytest.raises(AssertionError, match="Parameter 'p' has not been initialized"):
        param.set_data(nd.ones((2, 2)))


@pytest.mark.parametrize("shape", [None, (0, 2), (2, -1)])
def test_an_unknown_shape_needs_deferral(shape):
    with pytest.raises(ValueError, match="Cannot initialize Parameter 'p' because it has invalid shape"):
        Parameter("p", shape=shape).initialize()


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"grad_req": "often"}, "unknown grad_req: expected one of write, add, null, got 'often'"),
        ({"stype": "dense"}, "unknown storage type: expected one of default, row_sparse, csr, got stype='dense'"),
        ({"grad_stype": "dense"}, "got grad_stype='dense'"),
    ],
)
def test_arguments_are_checked(kwargs, match):
    with pytest.raises(AssertionError, match=match):
        Parameter("p", **kwargs)


def test_facts():
    assert Parameter("p", shape=3).shape == (3,)
    assert Parameter("p", shape=[3, 2]).shape == (3, 2)
    assert Parameter("p", differentiable=False).grad_req == "null"
    assert repr(Parameter("p", shape=(1,))) == "Parameter p (shape=(1,), dtype=<class 'numpy.float32'>)"
    assert (Parameter("p").stype, Parameter("p").grad_stype) == ("default", "default")


# Values ---------------------------------------------------------------------------------------------------------------


def test_data_on_each_context():
    param = parameter()
    assert param.list_ctx() == [mx.cpu(0), mx.cpu(1)]
    assert [a.context for a in param.list_data()] == [mx.cpu(0), mx.cpu(1)]
    assert param.data(mx.cpu(1)).context == mx.cpu(1)
    assert param.data().context == mx.cpu(0)
    with mx.cpu(1):
        assert param.data().context == mx.cpu(1)
    for context in (mx.cpu(2), mx.cpu(3)):
        with pytest.raises(
            RuntimeError,
            match=rf"not initialized on context {context}.*only initialized on".replace("(", r"\(").replace(")", r"\)"),
        ):
            param.data(context)
    with pytest.raises(RuntimeError, match=r"was not initialized on context cpu\(2\)"):
        param.grad(mx.cpu(2))


def test_one_context_needs_no_name():
    param = Parameter("p", shape=(2,))
    param.initialize(ctx=mx.cpu(1))
    with mx.cpu(5):
        assert param.data().context == mx.cpu(1)


def test_set_data_writes_to_every_context_and_keeps_the_dtype():
    param = parameter()
    held = param.data(mx.cpu(1))
    param.set_data(nd.full((2, 2), 5, dtype="float64"))
    assert [a.asnumpy().tolist() for a in param.list_data()] == [[[5, 5], [5, 5]]] * 2
    assert held is param.data(mx.cpu(1))
    assert param.data(mx.cpu(0)).dtype == np.float32
    param.set_data(np.eye(2))
    near(param.data(mx.cpu(0)), np.eye(2, dtype="float32"))
    with pytest.raises(AssertionError, match=r"Expected shape \(3, 2\) is incompatible with given shape \(2, 2\)"):
        param.set_data(nd.ones((3, 2)))


def test_writes_through_data_are_writes_to_the_parameter():
    param = parameter()
    param.data(mx.cpu(0))[0] = 7
    assert param.data(mx.cpu(0)).asnumpy().tolist() == [[7, 7], [1, 1]]
    assert param.data(mx.cpu(1)).asnumpy().tolist() == [[1, 1], [1, 1]]


def test_a_second_initialization_is_a_warning():
    param = parameter()
    param.data(mx.cpu(0))[:] = 3
    with pytest.warns(UserWarning, match="Parameter 'p' is already initialized, ignoring. Set force_reinit=True"):
        param.initialize()
    assert param.data(mx.cpu(0)).asnumpy()[0, 0] == 3
    param.initialize(force_reinit=True)
    assert param.data().asnumpy()[0, 0] == 1
    assert param.list_ctx() == [mx.cpu(0)]


def test_the_initializer_given_goes_before_the_own_and_that_before_the_default():
    cases = [
        (None, None, mx.init.Constant(4), 4),
        (mx.init.One(), None, mx.init.Constant(4), 1),
        (mx.init.One(), "zeros", None, 0),
    ]
    for own, given, default, value in cases:
        param = Parameter("weight", shape=(2,), init=own)
        param.initialize(init=given, default_init=default)
        assert param.data().asnumpy().tolist() == [value, value]


def test_reset_ctx_keeps_the_values():
    param = parameter()
    param.data(mx.cpu(0))[:] = 3
    param.reset_ctx(mx.cpu(2))
    assert param.list_ctx() == [mx.cpu(2)]
    np.testing.assert_array_equal(param.data().asnumpy(), 2)  # the mean


def test_shape_can_be_completed_and_not_changed():
    param = Parameter("p", shape=(0, 3), allow_deferred_init=True)
    param.shape = (2, 3)
    assert param.shape == (2, 3)
    with pytest.raises(AssertionError, match=r"Expected shape \(4, 3\) is incompatible with given shape \(2, 3\)"):
        param.shape = (4, 3)
    with pytest.raises(AssertionError, match="incompatible"):
        param.shape = (2, 3, 1)


# Gradients ------------------------------------------------------------------------------------------------------------


def recorded(param, factor=1):
    with autograd.record():
        loss = (param.data() * factor).sum()
    loss.backward()


def test_write_replaces_and_add_adds():
    param = Parameter("p", shape=(2,), init="ones")
    param.initialize()
    recorded(param, 2)
    recorded(param, 3)
    assert param.grad().asnumpy().tolist() == [3, 3]
    param.grad_req = "add"
    param.zero_grad()
    recorded(param, 2)
    recorded(param, 3)
    assert param.grad().asnumpy().tolist() == [5, 5]
    param.zero_grad()
    assert param.grad().asnumpy().tolist() == [0, 0]


def test_without_gradient_asking_for_it_is_an_error():
    param = parameter()
    param.grad_req = "null"
    for member in (param.grad, param.list_grad):
        with pytest.raises(RuntimeError, match="Cannot get gradient array for Parameter 'p' because grad_req='null'"):
            member()
    param.grad_req = "write"
    np.testing.assert_array_equal(param.grad(mx.cpu(1)).asnumpy(), 0)
    with pytest.raises(AssertionError, match="unknown grad_req"):
        param.grad_req = "sometimes"


def test_cast_takes_data_and_gradient_along():
    param = parameter()
    param.dtype = "float16"
    assert (param.dtype, param.data(mx.cpu(0)).dtype, param.grad(mx.cpu(1)).dtype) == (
        "float16",
        np.float16,
        np.float16,
    )
    np.testing.assert_array_equal(param.data(mx.cpu(1)).asnumpy(), 1)


def test_sparse_data_of_a_dense_parameter():
    param = parameter()
    with pytest.raises(RuntimeError, match="Cannot return a copy of Parameter p via row_sparse_data"):
        param.row_sparse_data(nd.array([0]))
    with pytest.raises(RuntimeError, match="Cannot return copies of Parameter 'p'"):
        param.list_row_sparse_data(nd.array([0]))


# Deferred creation ----------------------------------------------------------------------------------------------------


def test_deferred_members():
    param = Parameter("p", shape=(0, 2), allow_deferred_init=True)
    param.initialize(ctx=mx.cpu(1))
    for member in (param.data, param.grad, param.list_data, param.list_grad):
        with pytest.raises(DeferredInitializationError, match=r"initialization was deferred: .*shape=\(0, 2\)"):
            member()
    assert param.list_ctx() == [mx.cpu(1)]
    with pytest.raises(AssertionError, match=r"invalid shape: \(0, 2\). Please specify in_units, in_channels"):
        param._finish_deferred_init()
    param.reset_ctx(mx.cpu(0))
    param.shape = (3, 2)
    param._finish_deferred_init()
    assert (param.data().shape, param.data().context) == ((3, 2), mx.cpu(0))


def test_values_can_be_set_before_creation():
    param = Parameter("p", shape=(0, 2), allow_deferred_init=True)
    param.initialize()
    with pytest.raises(AssertionError, match="incompatible"):
        param.set_data(nd.ones((3, 3)))
    values = nd.full((3, 2), 4)
    param.set_data(values)
    values[:] = 0
    assert param.shape == (3, 2)
    with pytest.raises(DeferredInitializationError):
        param.data()
    param._finish_deferred_init()
    np.testing.assert_array_equal(param.data().asnumpy(), 4)


def test_var_carries_what_mxnets_does():
    variable = parameter(lr_mult=2.0).var()
    attrs = variable.list_attr()
    assert variable.name == "p"
    assert {k: attrs[k] for k in ("__shape__", "__dtype__", "__lr_mult__", "__wd_mult__", "__storage_type__")} == {
        "__shape__": "(2, 2)",
        "__dtype__": "0",
        "__lr_mult__": "2.0",
        "__wd_mult__": "1.0",
        "__storage_type__": "0",
    }


# Constants ------------------------------------------------------------------------------------------------------------


def test_constant():
    const = Constant("c", [[1, 2], [3, 4]])
    const.initialize()
    assert repr(const) == "Constant c (shape=(2, 2), dtype=<class 'numpy.float32'>)"
    near(const.data(), np.array([[1, 2], [3, 4]], "float32"))
    assert const.grad_req == "null"
    with pytest.warns(UserWarning, match='Constant parameter "c" does not support grad_req other than "null"'):
        const.grad_req = "write"
    assert const.grad_req == "null"
    const.grad_req = "null"
    with pytest.raises(RuntimeError, match="grad_req='null'"):
        const.grad()
    const.set_data(nd.zeros((2, 2)))
    np.testing.assert_array_equal(const.data().asnumpy(), 0)


# Dictionaries ---------------------------------------------------------------------------------------------------------


def dictionary():
    params = ParameterDict("net_")
    params.get("w", shape=(2, 3))
    return params


def test_dictionary_reads_like_one():
    params = dictionary()
    assert repr(ParameterDict("net_")) == "net_ (\n\n)"
    assert repr(params) == "net_ (\n  Parameter net_w (shape=(2, 3), dtype=<class 'numpy.float32'>)\n)"
    assert repr(ParameterDict()) == "(\n\n)"
    assert (params.prefix, list(params), list(params.keys()), "net_w" in params) == ("net_", ["net_w"], ["net_w"], True)
    assert [(n, p.name) for n, p in params.items()] == [("net_w", "net_w")]
    with pytest.raises(KeyError, match="nope"):
        params["nope"]


def test_get_returns_the_same_parameter_or_says_what_differs():
    params = dictionary()
    w = params["net_w"]
    assert params.get("w", shape=(2, 3)) is w
    assert params.get("w", dtype="float32") is w
    assert params.get("w", shape=(0, 3)).shape == (2, 3)
    for kwargs in ({"shape": (3, 3)}, {"dtype": "float16"}, {"grad_req": "null"}):
        with pytest.raises(
            AssertionError, match=f"Cannot retrieve Parameter 'net_w'.*attribute '{next(iter(kwargs))}'"
        ):
            params.get("w", **kwargs)
    partial = params.get("v", shape=(0, 3), allow_deferred_init=True)
    assert params.get("v", shape=(2, 0)) is partial
    assert partial.shape == (2, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        params.get("u", foo=1)


def test_get_constant():
    params = dictionary()
    with pytest.raises(KeyError, match=r"No constant named 'net_k'. Please specify value"):
        params.get_constant("k")
    constant = params.get_constant("k", np.array([1, 2], "float32"))
    assert params.get_constant("k", np.array([1, 2], "float32")) is constant
    assert params.get_constant("k") is constant
    assert params.get("k") is constant
    with pytest.raises(AssertionError, match="Constant 'net_k' already exists but its value doesn't match new value"):
        params.get_constant("k", np.array([1, 3], "float32"))
    with pytest.raises(AssertionError, match="Parameter 'net_w' already exists but it is not a constant"):
        params.get_constant("w", [1])


def test_shared_dictionaries_give_their_parameters():
    shared = dictionary()
    params = ParameterDict("net_", shared)
    assert params.get("w", shape=(2, 3)) is shared["net_w"]
    assert "net_new" not in shared
    params.get("new", shape=(1,))
    assert "net_new" not in shared


def test_update_refuses_another_parameter_of_the_same_name():
    params, other = dictionary(), ParameterDict("net_")
    other.get("w", shape=(1,))
    with pytest.raises(AssertionError, match="different Parameters with the same name 'net_w'"):
        params.update(other)
    third = ParameterDict("o_")
    third.get("z", shape=(1,))
    params.update(third)
    assert list(params) == ["net_w", "o_z"]


def test_members_reach_every_parameter():
    params = dictionary()
    params.get("b", shape=(3,))
    with pytest.raises(RuntimeError, match="'net_w' has not been initialized"):
        params.list_ctx()
    params.initialize(mx.init.One(), ctx=[mx.cpu(0), mx.cpu(1)])
    assert params.list_ctx() == [mx.cpu(0), mx.cpu(1)]
    np.testing.assert_array_equal(params["net_w"].data(mx.cpu(1)).asnumpy(), 1)
    params.reset_ctx(mx.cpu(1))
    assert params.list_ctx() == [mx.cpu(1)]
    params.setattr("lr_mult", 0.5)
    assert {p.lr_mult for p in params.values()} == {0.5}
    params["net_b"].grad()[:] = 3
    params.zero_grad()
    np.testing.assert_array_equal(params["net_b"].grad().asnumpy(), 0)
    with pytest.raises(AssertionError, match="unknown grad_req"):
        params.setattr("grad_req", "foo")


def test_save_and_load(tmp_path):
    path = tmp_path / "p.params"
    params = dictionary()
    with pytest.raises(RuntimeError, match="'net_w' has not been initialized"):
        params.save(path)
    params.initialize(mx.init.One())
    with pytest.raises(ValueError, match="does not begin with the prefix: expected 'nope', got 'net_w'"):
        params.save(path, strip_prefix="nope")
    params.save(path, strip_prefix="net_")
    assert list(nd.load(str(path))) == ["w"]
    other = dictionary()
    other.load(path, ctx=mx.cpu(1), restore_prefix="net_")
    np.testing.assert_array_equal(other["net_w"].data().asnumpy(), 1)
    assert other.list_ctx() == [mx.cpu(1)]
    with pytest.raises(AssertionError, match=r"on \[cpu\(0\)\] because it was previously initialized on \[cpu\(1\)\]"):
        other.load(path, ctx=mx.cpu(0), restore_prefix="net_")
    with pytest.raises(AssertionError, match=r"'net_w' is missing in file.*(?s:.*)'w' loaded from file"):
        dictionary().load(path)
    with pytest.raises(OSError, match="nowhere"):
        other.load(tmp_path / "nowhere.params")
    nd.save(str(path), [nd.ones((1,))])
    with pytest.raises(AssertionError, match="arrays have no names"):
        other.load(path)


def test_a_load_that_fails_changes_nothing(tmp_path):
    net = gluon.nn.Dense(2, in_units=3, prefix="d_")
    net.initialize(mx.init.One())
    nd.save(str(tmp_path / "p.params"), {"weight": nd.zeros((2, 3)), "bias": nd.zeros((5,))})
    with pytest.raises(
        AssertionError, match=r"'d_bias' from saved params: shape incompatible expected \(2,\) vs saved \(5,\)"
    ):
        net.load_parameters(tmp_path / "p.params")
    np.testing.assert_array_equal(net.weight.data().asnumpy(), 1)


def test_unknown_dimensions_under_np_shape():
    param = mx.gluon.Parameter("weight", shape=(3, 0), allow_deferred_init=True)
    assert param.shape == (3, 0)
    with mx.util.np_shape(True):
        assert param.shape == (3, -1)
        net = mx.gluon.nn.Dense(2)
        net.initialize()
        assert net(mx.nd.ones((4, 3))).shape == (4, 2)
        assert net.weight.shape == (2, 3)


def test_gradients_by_mxnets_name():
    net = mx.gluon.nn.Dense(2, in_units=3)
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    assert [g.context for g in net.weight._grad] == [mx.cpu(0), mx.cpu(1)]
    net.collect_params().setattr("grad_req", "null")
    assert net.weight._grad is None
