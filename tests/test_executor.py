"""Every case of bound graphs against MXNet's recorded answer, and what only gluonnx promises."""

import numpy as np
import pytest
from answers import check, recorded
from executor_cases import CASES, bound, head, product

import gluonnx as mx
from gluonnx.errors import ArgumentError, InputError, InputTypeError, MXNetError
from gluonnx.symbol.inference import infer

ANSWERS = recorded("executor")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])


def test_gradients_are_finite_differences():
    a, b = mx.sym.var("a"), mx.sym.var("b")
    net = mx.sym.sum(mx.sym.tanh(a * b) * a)
    values = {n: np.random.RandomState(3).normal(size=(2, 3)) for n in "ab"}
    net = net.simple_bind(mx.cpu(), a=(2, 3), b=(2, 3), type_dict=dict.fromkeys("ab", "float64"))
    net.forward(is_train=True, **values)
    net.backward(mx.nd.ones((1,), dtype="float64"))
    found = {n: g.asnumpy() for n, g in net.grad_dict.items()}
    step = 1e-6
    for name in "ab":
        for index in np.ndindex(2, 3):
            sums = []
            for sign in (1, -1):
                moved = {n: v.copy() for n, v in values.items()}
                moved[name][index] += sign * step
                sums.append(net.forward(**moved)[0].asscalar())
            assert found[name][index] == pytest.approx((sums[0] - sums[1]) / (2 * step), abs=1e-8)


def test_gradient_arrays_keep_their_memory():
    store = mx.nd.zeros((4, 3))
    a, b = mx.nd.ones((2, 3)), mx.nd.ones((2, 3))
    net = product(mx).bind(mx.cpu(), [a, b], args_grad=[store[:2], store[2:]])
    net.forward(is_train=True)
    net.backward(head(mx))
    np.testing.assert_array_equal(store.asnumpy(), np.tile(np.arange(6.0).reshape(2, 3), (2, 1)))


def test_variables_and_recording_are_left_alone():
    a, b = mx.nd.ones((2, 3)), mx.nd.ones((2, 3))
    a.attach_grad()
    with mx.autograd.record():
        net = product(mx).bind(mx.cpu(), [a, b], args_grad=[mx.nd.zeros((2, 3)), None])
        outputs = net.forward(is_train=True)
        assert mx.autograd.is_recording()
    net.backward(head(mx))
    assert not outputs[0]._t.requires_grad
    assert a.grad.asnumpy().tolist() == [[0.0] * 3] * 2
    np.testing.assert_array_equal(net.grad_arrays[0].asnumpy(), head(mx).asnumpy())


def test_arguments_changed_before_backward():
    net = bound(mx)
    net.forward(is_train=True)
    net.arg_dict["a"][:] = 3
    with pytest.raises(MXNetError, match=r"an argument was changed after the forward.*Call `forward\(\)` again"):
        net.backward(head(mx))


def test_integer_arguments_have_no_gradient():
    net = mx.sym.take(mx.sym.var("a"), mx.sym.var("i"))
    net = net.simple_bind(mx.cpu(), a=(3, 2), i=(2,), type_dict={"i": "int32"})
    net.forward(is_train=True, i=mx.nd.array([2, 0], dtype="int32"))
    net.backward(mx.nd.ones((2, 2)))
    assert net.grad_dict["a"].asnumpy().tolist() == [[1, 1], [0, 0], [1, 1]]
    assert net.grad_dict["i"].asnumpy().tolist() == [0, 0]


def test_shared_arrays():
    first = product(mx).simple_bind(mx.cpu(), a=(2, 3))
    second = product(mx).simple_bind(mx.cpu(), a=(2, 3), shared_exec=first, shared_arg_names=["b"])
    assert second.arg_dict["b"] is first.arg_dict["b"]
    assert second.arg_dict["a"] is not first.arg_dict["a"]
    store = {}
    third = product(mx).simple_bind(mx.cpu(), a=(2, 3), shared_buffer=store)
    assert store == third.arg_dict
    assert product(mx).simple_bind(mx.cpu(), a=(2, 3), shared_buffer=store).arg_dict["a"] is store["a"]


def test_memory_inside_the_graph():
    net = mx.sym.var("x")
    for _ in range(8):
        net = net * net
    sizes = {}
    for name, symbol, grad_req in (
        ("trained", net, "write"),
        ("inferred", net, "null"),
        ("blocked", mx.sym.stop_gradient(net), "write"),
    ):
        text = symbol.simple_bind(mx.cpu(), x=(1024, 1024), grad_req=grad_req).debug_str()
        sizes[name] = text.splitlines()[-1]
    assert sizes == {
        "trained": "Total 32 MB allocated",
        "inferred": "Total 8 MB allocated",
        "blocked": "Total 8 MB allocated",
    }


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda net, a: product(mx).bind(mx.cpu(), [a]), ArgumentError, r"length of args .*expected 2 \(a, b\), got 1"),
        (lambda net, a: product(mx).bind(mx.cpu(), {"a": a}), ArgumentError, r"key `b` is missing in `args`"),
        (lambda net, a: product(mx).bind(mx.cpu(), 3), InputTypeError, r"wrong `args`: .*got int"),
        (lambda net, a: product(mx).bind(mx.cpu(), [a, 3]), InputTypeError, r"wrong array `b` in `args`: .*got int"),
        (lambda net, a: product(mx).bind("cpu", [a, a]), InputTypeError, r"expected a Context, got str"),
        (lambda net, a: product(mx).bind(mx.cpu(), [a, a], grad_req="x"), ArgumentError, r"got grad_req='x'"),
        (lambda net, a: product(mx).bind(mx.cpu(), [a, a], grad_req=["add"]), ArgumentError, r"expected 2 .*got 1"),
        (lambda net, a: product(mx).bind(mx.cpu(), [a, a], grad_req=3), InputTypeError, r"wrong grad_req: .*got int"),
        (
            lambda net, a: product(mx).bind(mx.cpu(), [a, a], group2ctx={"g": mx.gpu(0)}),
            ArgumentError,
            r"group `g` is on another device: expected cpu\(0\), got gpu\(0\)",
        ),
        (lambda net, a: product(mx).simple_bind(mx.cpu()), InputError, r"do not decide those of a, b: .*got: none"),
        (
            lambda net, a: product(mx).simple_bind(mx.cpu(), a=(2, 3), b=(3, 3)),
            InputError,
            r"_mul\d`: .*\(2, 3\), \(3, 3\)[\s\S]*a: \(2, 3\)\n  b: \(3, 3\)",
        ),
        (
            lambda net, a: product(mx).simple_bind(mx.cpu(), a=(2, 3), stype_dict={"a": "csr"}),
            InputError,
            r"storage of `a`: expected 'default', got 'csr'",
        ),
        (
            lambda net, a: net.forward(True) and net.backward(),
            MXNetError,
            r"output `_mul0_output` is missing.*make_loss",
        ),
        (lambda net, a: net.forward(True) and net.backward([3]), InputTypeError, r"expected NDArrays, got int"),
        (
            lambda net, a: net.forward(True) and net.backward(mx.nd.ones((3, 3))),
            InputError,
            r"`_mul0_output` has another shape: expected \(2, 3\), got \(3, 3\)",
        ),
        (lambda net, a: net.forward(z=a), TypeError, r"expected one of a, b, got 'z'"),
        (lambda net, a: net.forward(a=3), ArgumentError, r"argument `a`: .*got int"),
        (lambda net, a: net.forward(a=mx.nd.ones((3, 3))), ArgumentError, r"expected \(2, 3\), got \(3, 3\)"),
        (
            lambda net, a: net.copy_params_from({"z": a, "a": mx.nd.ones((1,))}),
            ArgumentError,
            r"`z` is not among the arguments \(a, b\); `a`: expected shape \(2, 3\), got \(1,\)",
        ),
        (lambda net, a: net.reshape(q=(1, 3)), InputError, r"expected some of a, b, got \['q'\]"),
        (lambda net, a: net.reshape(a=(1, 3)), MXNetError, r"argument `b` changed: expected \(2, 3\), got \(1, 3\)"),
        (lambda net, a: net.reshape(a=(4, 3), b=(4, 3)), MXNetError, r"`a` is larger .*at most 6 .*allow_up_sizing"),
    ],
)
def test_errors_say_what_to_do(call, kind, message):
    with mx.name.NameManager(), pytest.raises(kind, match=message):
        call(bound(mx), mx.nd.ones((2, 3)))


@pytest.mark.parametrize("grad_req", ["write", {"x": "add"}])
def test_operators_without_gradient_are_refused(grad_req):
    x, index = mx.sym.Variable("x"), mx.sym.Variable("index")
    taken = mx.sym.batch_take(x, index, name="taken")
    shapes = {"x": (4, 3), "index": (4,), "type_dict": {"x": "float32", "other": "float32", "index": "int32"}}
    with pytest.raises(MXNetError, match=r"batch_take `taken` is non-differentiable.*BlockGrad"):
        (taken * 2).simple_bind(mx.cpu(), grad_req=grad_req, **shapes)
    for symbol, req in (
        (mx.sym.BlockGrad(taken) + 0, grad_req),
        (taken, "null"),
        (mx.sym.batch_take(mx.sym.Variable("other"), index), {"index": "write"}),
    ):
        names = symbol.list_arguments()
        found = {n: v for n, v in shapes.items() if n in names or n == "type_dict"}
        executor = symbol.simple_bind(
            mx.cpu(), grad_req=req, **found, **({"other": (4, 3)} if "other" in names else {})
        )
        assert executor.forward()[0].shape == (4,)


def test_arguments_of_one_name():
    two = mx.sym.Group([mx.sym.var("q"), mx.sym.var("q")])
    with pytest.raises(MXNetError, match=r"two arguments have one name: .*got q, q"):
        two.simple_bind(mx.cpu(), q=(2,))


def test_unknown_shapes_are_told():
    net = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=2, name="f")
    with pytest.warns(UserWarning, match=r"Cannot decide shape .*\n\tx: \(0, 3, 0\)\n\tf_weight: \(2, 0\)"):
        assert net.infer_shape(x=(0, 3, 0)) == (None, None, None)
    with pytest.warns(UserWarning, match=r"Cannot decide type .*\n\tx: None"):
        assert net.infer_type() == (None, None, None)


def test_numpy_semantics_of_unknown_shapes():
    net = mx.sym.expand_dims(mx.sym.var("x"), axis=0)
    with mx.util.np_shape():
        assert net.infer_shape_partial(x=(-1, 3))[1] == [(1, -1, 3)]
        assert net.infer_shape_partial()[1] == [None]
        assert net.infer_shape(x=(0, 3))[1] == [(1, 0, 3)]
        assert net.infer_shape(x=())[1] == [(1,)]
    assert net.infer_shape_partial(x=(0, 3))[1] == [(1, 0, 3)]


def test_inconsistent_shapes_name_the_node():
    net = mx.sym.relu(mx.sym.var("x", shape=(0, 3)), name="r") + mx.sym.var("y", shape=(2, 0, 4))
    with pytest.raises(InputError, match=r"shapes are inconsistent: expected \(\?, 3\), got \(2, \?, 4\)"):
        net.infer_shape_partial()


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 7, 1)])
def test_what_probes_find_is_so(shape):
    """Every dimension found with unknown ones in the inputs is the one found with all known."""
    x = mx.sym.var("x")
    nets = [
        mx.sym.Convolution(x, kernel=(3,), num_filter=4, pad=(2,), stride=(2,), name="c"),
        mx.sym.concat(x, x, dim=2),
        mx.sym.reshape(x, shape=(0, -1)),
        mx.sym.slice_axis(x, axis=1, begin=0, end=1),
        mx.sym.tile(x, reps=(2, 1, 3)),
        mx.sym.sum(x, axis=1, keepdims=True),
        mx.sym.stack(x, x, axis=1),
        mx.sym.Pooling(x, kernel=(2,), stride=(1,), pad=(1,), pool_type="max"),
    ]
    for net in nets:
        complete = net.infer_shape(x=shape)[1][0]
        for hidden in ((0,), (1,), (2,), (0, 1), (0, 2), (0, 1, 2)):
            given = tuple(0 if axis in hidden else size for axis, size in enumerate(shape))
            (found,) = net.infer_shape_partial(x=given)[1]
            assert len(found) in (0, len(complete)), net
            assert all(a in (0, b) for a, b in zip(found, complete, strict=bool(found))), (net, given, found)


def test_whole_graphs_take_one_walk(monkeypatch):
    net = mx.sym.FullyConnected(mx.sym.relu(mx.sym.var("x")), num_hidden=2)

    def refuse(*args):
        raise AssertionError("shapes known in part are looked for")

    monkeypatch.setattr("gluonnx.symbol.inference._infer_partly", refuse)
    assert infer(net._heads, {"x": (2, 3)}).unknown == []


def test_backward_without_a_forward_computes_one():
    x, gradient = mx.nd.array([1, 2, 3]), mx.nd.zeros(3)
    executor = mx.sym.square(mx.sym.var("x")).bind(mx.cpu(), args=[x], args_grad=[gradient])
    executor.backward(mx.nd.array([1, 1, 2]))
    np.testing.assert_array_equal(gradient.asnumpy(), [2, 4, 12])


def test_an_integer_argument_has_gradient_zero():
    x, gradient = mx.nd.array([1, 2, 3], dtype="int32"), mx.nd.ones(3, dtype="int32")
    executor = mx.sym.Cast(mx.sym.var("x"), dtype="float32").bind(mx.cpu(), args=[x], args_grad=[gradient])
    executor.forward(is_train=True)
    executor.backward(mx.nd.ones(3))
    np.testing.assert_array_equal(gradient.asnumpy(), [0, 0, 0])


def test_sparse_states_and_gradients_are_stored():
    class Counted(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            self.assign(out_data[0], req[0], in_data[0] * 2)
            aux[0][:] = aux[0] + 1

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            self.assign(in_grad[0], req[0], out_grad[0] * 2)

    @mx.operator.register("executor_counted")
    class CountedProp(mx.operator.CustomOpProp):
        def list_auxiliary_states(self):
            return ["state"]

        def infer_shape(self, in_shape):
            return in_shape, [in_shape[0]], [in_shape[0]]

        def create_operator(self, ctx, in_shapes, in_dtypes):
            return Counted()

    for stype, req, expected in (("csr", "write", 2.0), ("row_sparse", "add", 3.0), ("csr", "add", 3.0)):
        ones = mx.nd.ones((2, 3))
        executor = mx.sym.Custom(mx.sym.var("data"), mx.sym.var("state"), op_type="executor_counted").bind(
            mx.cpu(),
            {"data": ones.tostype(stype)},
            {"data": ones.tostype(stype)},
            req,
            {"state": mx.nd.zeros((2, 3)).tostype(stype)},
        )
        executor.forward(is_train=True)
        executor.backward([ones])
        (gradient,), (state,) = executor.grad_arrays, executor.aux_arrays
        assert (gradient.stype, state.stype) == (stype, stype)
        np.testing.assert_array_equal(gradient.asnumpy(), np.full((2, 3), expected))
        np.testing.assert_array_equal(state.asnumpy(), np.ones((2, 3)))
