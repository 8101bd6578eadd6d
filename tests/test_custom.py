"""Every case of operators and gradients written in Python against MXNet's answer, and what only gluonnx promises."""

import gc
import weakref

import numpy as np
import pytest
from answers import check, recorded
from custom_cases import CASES, arrays, registered

import gluonnx as mx
from gluonnx import autograd, gluon, nd
from gluonnx.errors import ArgumentError, AttributeValueError, InputError, InputTypeError, LoweringError, MXNetError

ANSWERS = recorded("custom")


@pytest.fixture(autouse=True)
def operators():
    registered(mx)


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])


def test_inputs_by_name():
    data, shift, count = arrays(mx)
    by_name = nd.Custom(count=count, shift=shift, data=data, op_type="cases_power", exponent=3)
    expected = nd.Custom(data, shift, nd.zeros((1,)), op_type="cases_power", exponent=3)
    assert [a.asnumpy().tolist() for a in by_name] == [a.asnumpy().tolist() for a in expected]
    assert count.asnumpy().tolist() == [1.0]


class Cubed(gluon.HybridBlock):
    def hybrid_forward(self, F, x):
        whole, integral = F.Custom(F.relu(x), F.ones((1,)), F.zeros((1,)), op_type="cases_power", exponent=3)
        return whole + integral


class Loss(gluon.HybridBlock):
    def hybrid_forward(self, F, x, label):
        return F.Custom(F.relu(x), label, op_type="cases_loss")


def test_hybridized_block_runs_on_torch_with_one_warning():
    net = Loss()
    net.initialize()
    x, label = nd.array([[1.0, -2.0, 3.0]]), nd.array([2])
    x.attach_grad()
    expected = net(x, label).asnumpy()
    net.hybridize()
    with pytest.warns(UserWarning, match=r"runs on torch.*\n.*Custom .*it runs Python code") as warned:
        first = net(x, label)
    assert len(warned) == 1
    for found in (first, net(x, label)):
        assert found.asnumpy().tolist() == expected.tolist()
    with autograd.record():
        y = net(x, label)
    y.backward()
    assert x.grad.asnumpy() == pytest.approx(expected - [[0, 0, 1]], abs=1e-6) or x.grad.asnumpy()[0, 1] == 0


def test_export_names_the_operator(tmp_path):
    net = Loss()
    net.initialize()
    net.hybridize()
    with pytest.warns(UserWarning, match="runs on torch"):
        net(nd.ones((1, 3)), nd.zeros((1,)))
    with pytest.raises(LoweringError, match=r"Custom `loss\d+_custom0`: Custom: has no ONNX form: it runs Python code"):
        net.export(tmp_path / "net")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda x: nd.Custom(x, op_type="cases_none"),
            AttributeValueError,
            r"unknown op_type: .*got op_type='cases_none'",
        ),
        (lambda x: nd.Custom(x), AttributeValueError, r"attribute `op_type` is missing"),
        (lambda x: nd.Custom(x, op_type="cases_loss"), InputError, r"expected 2 \(data, label\), got 1"),
        (lambda x: nd.Custom(x, x, x, op_type="cases_loss"), InputTypeError, r"at most 2 \(data, label\), got 3"),
        (lambda x: nd.Custom(x, other=x, op_type="cases_loss"), InputTypeError, r"one of data, label, got 'other'"),
        (lambda x: nd.Custom(x, data=x, op_type="cases_loss"), InputTypeError, r"argument `data` was given twice"),
        (lambda x: nd.Custom(x, 3, op_type="cases_loss"), InputTypeError, r"expected NDArray, got int"),
        (
            lambda x: nd.Custom(x, x, x, op_type="cases_power", power=3),
            MXNetError,
            r"`cases_power`: __init__ raised TypeError: .*'power'",
        ),
        (
            lambda x: mx.operator.register("x")(int),
            ArgumentError,
            r"expected a subclass of CustomOpProp, got <class 'int'>",
        ),
    ],
)
def test_errors_say_what_to_do(call, kind, message):
    with pytest.raises(kind, match=message):
        call(nd.ones((2, 3)))


def declare(name, **methods):
    """Register an operator whose properties are overridden by `methods`."""
    mx.operator.register(name)(type("Prop", (mx.operator.CustomOpProp,), methods))


def test_what_an_operator_tells_of_itself_is_checked():
    x = nd.ones((2, 3))
    declare("told_shapes", infer_shape=lambda self, s: (s, [s[0], s[0]], []))
    with pytest.raises(
        InputError, match=r"`told_shapes`: infer_shape returns the wrong number of output entries: expected 1, got 2"
    ):
        nd.Custom(x, op_type="told_shapes")
    declare("told_one", infer_shape=lambda self, s: s)
    with pytest.raises(
        InputError, match=r"`told_one`: infer_shape must return 2 or 3 lists: expected those, got \[\[2, 3\]\]"
    ):
        nd.Custom(x, op_type="told_one")
    declare("told_types", infer_type=lambda self, t: ([], t, []))
    with pytest.raises(InputError, match=r"`told_types`: infer_type .* input entries: expected 1, got 0"):
        nd.Custom(x, op_type="told_types")
    declare("told_nothing", create_operator=lambda self, ctx, shapes, types: 1 / 0)
    with pytest.raises(MXNetError, match=r"`told_nothing`: create_operator raised ZeroDivisionError: division by zero"):
        nd.Custom(x, op_type="told_nothing")


def test_what_forward_and_backward_raise_is_told():
    class Fails(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            if in_data[0].shape == (1,):
                raise KeyError("wrong")

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            raise IndexError("late")

    declare("failing", create_operator=lambda self, ctx, shapes, types: Fails())
    with pytest.raises(MXNetError, match=r"Custom `failing`: CustomOp.forward raised KeyError: 'wrong'"):
        nd.Custom(nd.ones((1,)), op_type="failing")
    x = nd.ones((2,))
    x.attach_grad()
    with autograd.record():
        y = nd.Custom(x, op_type="failing")
        assert autograd.is_recording()
    with pytest.raises(MXNetError, match=r"Custom `failing`: CustomOp.backward raised IndexError: late"):
        y.backward()


def test_requests_and_modes_reach_the_operator():
    seen = []

    class Watches(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            seen.append((is_train, req, autograd.is_recording(), autograd.is_training()))

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            seen.append((req, autograd.is_recording()))

    declare(
        "watching",
        list_arguments=lambda self: ["a", "b"],
        create_operator=lambda self, ctx, shapes, types: Watches(),
    )
    a, b = nd.ones((2,)), nd.ones((2,))
    a.attach_grad()
    nd.Custom(a, b, op_type="watching")
    with autograd.record():
        y = nd.Custom(a, b, op_type="watching")
    y.backward()
    assert seen == [
        (False, ["write"], False, False),
        (True, ["write"], False, True),
        (["write", "null"], False),
    ]
    assert a.grad.asnumpy().tolist() == [0.0, 0.0]


def test_unregistered_operator_in_a_text():
    text = mx.sym.Custom(mx.sym.var("x"), op_type="cases_loss", name="p").tojson()
    with pytest.raises(MXNetError, match=r"unknown op_type: .*got op_type='cases_lost'"):
        mx.sym.load_json(text.replace("cases_loss", "cases_lost"))


def test_operators_are_listed():
    assert {"Custom", "FullyConnected"} <= set(mx.operator.get_all_registered_operators())
    found = mx.operator.get_operator_arguments("Activation")
    assert (found.narg, found.names) == (2, ["data", "act_type"])


class Scaled(autograd.Function):
    def forward(self, x):
        y = x * x
        self.save_for_backward(x, y)
        return y

    def backward(self, dy):
        x, _ = self.saved_tensors
        return dy * 2 * x


def test_function_leaves_no_cycle():
    x = nd.array([2.0])
    x.attach_grad()
    gc.collect()
    gc.disable()
    try:
        with autograd.record():
            function = Scaled()
            y = function(x)
        y.backward()
        is_there = weakref.ref(function)
        del function, y
        assert is_there() is None
    finally:
        gc.enable()
    assert x.grad.asnumpy().tolist() == [4.0]


def test_function_has_no_second_derivative():
    x = nd.array([2.0])
    x.attach_grad()
    with autograd.record():
        y = Scaled()(x)
        (dx,) = autograd.grad(y, [x], create_graph=True)
    assert dx.asnumpy().tolist() == [4.0]
    with pytest.raises(MXNetError, match="Scaled has no second derivative"):
        dx.backward()


def function(forward, backward):
    made = type(
        "Made",
        (autograd.Function,),
        {"forward": lambda self, *a: forward(*a), "backward": lambda self, *d: backward(*d)},
    )
    return made()


@pytest.mark.parametrize(
    ("forward", "backward", "message"),
    [
        (lambda x: x * 2, lambda d: (d, d), r"Made.backward: wrong number of gradients: expected 1.*got 2"),
        (lambda x: x * 2, lambda d: None, r"Made.backward: wrong gradient: expected NDArrays, got NoneType"),
        (lambda x: x * 2, lambda d: [3], r"Made.backward: wrong gradient: expected NDArrays, got int"),
        (lambda x: x * 2, lambda d: nd.ones((5,)), r"does not fit its input: expected shape \(2,\), got \(5,\)"),
    ],
)
def test_wrong_backward(forward, backward, message):
    x = nd.ones((2,))
    x.attach_grad()
    with autograd.record():
        y = function(forward, backward)(x)
    with pytest.raises(MXNetError, match=message):
        y.backward()


def test_wrong_function():
    with autograd.record(), pytest.raises(InputTypeError, match=r"Made: wrong type: expected NDArrays .*got int"):
        function(lambda x: 3, None)(nd.ones((2,)))
    made = function(lambda x: x, None)
    made(nd.ones((2,)))
    with pytest.raises(ArgumentError, match=r"Made: called a second time: expected one call an instance"):
        made(nd.ones((2,)))


@pytest.mark.parametrize("make", [nd.abs, nd.radians, nd.sign, lambda x: nd.clip(x, 0, 1), lambda x: x * 3])
def test_gradient_of_a_constant_gradient_is_zero(make):
    x = nd.array([-2.0, 0.5])
    x.attach_grad()
    with autograd.record():
        y = make(x)
        for _ in range(2):
            (y,) = autograd.grad(y, [x], create_graph=True)
    assert y.asnumpy().tolist() == [0.0, 0.0]
    y.backward()
    assert x.grad.asnumpy().tolist() == [0.0, 0.0]


def test_a_function_without_forward_is_told():
    class Nothing(mx.autograd.Function):
        pass

    with pytest.raises(NotImplementedError, match="Nothing: no forward: expected a subclass to define"):
        Nothing()(mx.nd.ones((1,)))
    with pytest.raises(NotImplementedError, match="Nothing: no backward: expected a subclass to define"):
        Nothing().backward(mx.nd.ones((1,)))


@pytest.mark.parametrize("kind", [mx.operator.NumpyOp, mx.operator.NDArrayOp])
def test_an_operator_in_mxnets_oldest_way(kind):
    class SquareSum(kind):
        def list_arguments(self):
            return ["a", "b"]

        def infer_shape(self, in_shape):
            return [in_shape[0], in_shape[0]], [in_shape[0]]

        def forward(self, in_data, out_data):
            out_data[0][:] = in_data[0] * in_data[0] + in_data[1]

        def backward(self, out_grad, in_data, out_data, in_grad):
            in_grad[0][:] = 2 * in_data[0] * out_grad[0]
            in_grad[1][:] = out_grad[0]

    net = SquareSum()(mx.sym.var("a"), mx.sym.var("b"), name="s")
    assert net.list_arguments() == ["a", "b"]
    assert net.list_outputs() == ["s_output"]
    executor = net.simple_bind(mx.cpu(), a=(2,))
    executor.copy_params_from({"a": mx.nd.array([2, 3]), "b": mx.nd.array([1, 2])})
    np.testing.assert_array_equal(executor.forward(is_train=True)[0].asnumpy(), [5, 11])
    executor.backward(mx.nd.array([1, 10]))
    np.testing.assert_array_equal(executor.grad_dict["a"].asnumpy(), [4, 60])
    np.testing.assert_array_equal(executor.grad_dict["b"].asnumpy(), [1, 10])


def test_the_base_of_old_operators_is_none_itself():
    with pytest.raises(mx.MXNetError, match="PythonOp: not an operator by itself"):
        mx.operator.PythonOp()(mx.sym.var("data")).eval(data=mx.nd.ones(2))


class Stored(mx.operator.CustomOpProp):
    """Doubles; tells the storage types that it was registered for."""

    told = (["csr"], ["csr"], [])
    told_backward = (["default"], ["csr"], ["csr"], ["csr"], [])

    def infer_storage_type(self, in_stype):
        return self.told

    def infer_storage_type_backward(self, *stypes):
        return self.told_backward

    def create_operator(self, ctx, in_shapes, in_dtypes):
        class Double(mx.operator.CustomOp):
            def forward(self, is_train, req, in_data, out_data, aux):
                self.assign(out_data[0], req[0], in_data[0] * 2)

        return Double()


def _stored(**attributes):
    mx.operator.register("stored")(type("Stored", (Stored,), attributes))
    x = nd.array([[0, 1], [2, 0]]).tostype("csr")
    x.attach_grad()
    with autograd.record():
        nd.Custom(x, op_type="stored").backward()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"told": (["default"], ["csr"], [])}, r"infer_storage_type told another .*: expected 'csr', got 'default'"),
        ({"told": (["csr"], ["coo"], [])}, r"unknown storage type: expected .*, got 'coo'"),
        ({"told": (["csr"], [], [])}, r"wrong number of output entries: expected 1, got 0"),
        ({"told_backward": (["csr"], ["csr"])}, r"must return five lists: expected those of \[1, 1, 1, 1, 0\]"),
        (
            {"told_backward": (["csr"], ["csr"], ["csr"], ["csr"], [])},
            r"infer_storage_type_backward told another .*: expected 'default', got 'csr'",
        ),
        (
            {"infer_storage_type": mx.operator.CustomOpProp.infer_storage_type},
            r"infer_storage_type raised StorageError: Stored\.infer_storage_type: sparse storage: .* got 'csr'",
        ),
        (
            {"infer_storage_type_backward": mx.operator.CustomOpProp.infer_storage_type_backward},
            r"infer_storage_type_backward raised StorageError: .* got 'csr'",
        ),
    ],
)
def test_wrong_storage_types_are_refused(attributes, message):
    with pytest.raises(MXNetError, match=message):
        _stored(**attributes)
