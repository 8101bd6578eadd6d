"""Members of MXNet's interface that have no other test: what they do, and the messages of wrong calls."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx import autograd, gluon
from gluonnx.errors import ArgumentError, InputError, NotImplementedForSymbol, ParameterFileError
from gluonnx.gluon import nn


class Calls(gluon.HybridBlock):
    """Counts how often it is traced."""

    traced = 0

    def hybrid_forward(self, F, x):
        type(self).traced += 1
        return F.relu(x)


@pytest.fixture(autouse=True)
def nothing_traced():
    Calls.traced = 0


def test_hybridize_by_position():
    net = Calls()
    net.hybridize(True, None, True, True, True, 2, None, None)
    assert net._flags == {"static_alloc": True, "static_shape": True}
    net.hybridize(True, "a backend", option=3)
    assert net(mx.nd.array([-1, 2])).asnumpy().tolist() == [0, 2]
    with pytest.raises(
        TypeError, match=r"Calls\.hybridize: unknown flag: expected some of static_alloc, .* got option"
    ):
        net.hybridize(option=3)
    with pytest.raises(InputError, match=r"static_shape needs static_alloc: .* got static_alloc=False"):
        net.hybridize(static_shape=True)


def test_hybridize_without_clearing():
    net, x = Calls(), mx.nd.ones(2)
    net.hybridize()
    net(x)
    net.hybridize(clear=False)
    net(x)
    assert Calls.traced == 1
    net.hybridize()
    net(x)
    assert Calls.traced == 2
    net._clear_cached_op()
    net(x)
    assert Calls.traced == 3


def test_optimize_for():
    net = nn.HybridSequential()
    net.add(Calls(), nn.Dense(2))
    net.initialize()
    x = mx.nd.ones((3, 4))
    assert net.optimize_for(x, backend="any", static_alloc=True) is None
    assert (Calls.traced, net[1].weight.shape) == (1, (2, 4))
    assert net._active
    net(x)
    net.optimize_for(x, backend="any", static_alloc=True)
    assert Calls.traced == 1
    net.optimize_for(x, backend="any", clear=True)
    assert Calls.traced == 2
    with pytest.raises(
        ArgumentError, match='Must specify "backend" to optimize_for: expected a name, got backend=None'
    ):
        net.optimize_for(x)


@pytest.mark.parametrize(("sign", "operation"), [("+", "iadd"), ("-", "isub"), ("*", "imul"), ("/", "itruediv")])
def test_symbols_are_not_changed_in_place(sign, operation):
    with pytest.raises(NotImplementedForSymbol, match=rf"`\{sign}=` is in place: .* Write `a = a \{sign} b`"):
        getattr(mx.sym.Variable("x"), f"__{operation}__")(1)


def test_a_block_that_changes_its_input_names_its_line():
    class InPlace(gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            x += 1
            return x

    net = InPlace()
    assert net(mx.nd.zeros(2)).asnumpy().tolist() == [1, 1]
    net.hybridize()
    with pytest.raises(NotImplementedForSymbol, match=r"`\+=` is in place"):
        net(mx.nd.zeros(2))


def test_a_symbol_has_no_context():
    with pytest.raises(NotImplementedForSymbol, match="`as_in_context` needs values"):
        mx.sym.Variable("x").as_in_context()


def test_parameters_from_a_dict():
    params = gluon.ParameterDict("net_")
    weight = params.get("weight", shape=(2,))
    params.load_dict({"arg:weight": mx.nd.array([1, 2])}, mx.cpu(), restore_prefix="net_")
    assert weight.data().asnumpy().tolist() == [1, 2]
    with pytest.raises(ParameterFileError, match="'net_weight' is missing in file 'param_dict'"):
        params.load_dict({})
    with pytest.raises(ParameterFileError, match=r"missing in file 'w.params'"):
        params.load_dict({}, filename="w.params")


def test_symbol_block_on_another_context():
    out = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
    net = gluon.SymbolBlock(out, mx.sym.var("data"))
    net.initialize()
    net(mx.nd.ones((1, 3)))
    net.reset_ctx(mx.cpu(1))
    assert {p.list_ctx()[0] for p in net.collect_params().values()} == {mx.cpu(1)}
    assert net(mx.nd.ones((1, 3), ctx=mx.cpu(1))).context == mx.cpu(1)


def test_published_files(monkeypatch):
    monkeypatch.setenv("MXNET_GLUON_REPO", "https://example.org/repo")
    assert gluon.utils._get_repo_file_url("gluon/models", "a.zip") == "https://example.org/repo/gluon/models/a.zip"


def test_replace_file(tmp_path):
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    gluon.utils.replace_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_text() == "new"


def test_weighting_of_losses():
    weighted = gluon.loss._apply_weighting(mx.nd, mx.nd.array([1, 2]), 3.0, mx.nd.array([1, 0.5]))
    assert weighted.asnumpy().tolist() == [3, 3]
    assert gluon.tensor_types == (mx.sym.Symbol, mx.nd.NDArray)


def test_custom_operators_of_an_executor_are_kept():
    made = []

    class Counting(mx.operator.CustomOp):
        def __init__(self):
            super().__init__()
            made.append(self)
            self.count = 0

        def forward(self, is_train, req, in_data, out_data, aux):
            self.count += 1
            self.assign(out_data[0], req[0], in_data[0] * self.count)

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            self.assign(in_grad[0], req[0], out_grad[0] * self.count)

    @mx.operator.register("counting_calls")
    class CountingProp(mx.operator.CustomOpProp):
        def create_operator(self, ctx, shapes, dtypes):
            return Counting()

    x = mx.nd.ones(2)
    net = mx.sym.Custom(mx.sym.Custom(mx.sym.Variable("x"), op_type="counting_calls"), op_type="counting_calls")
    exe = net.bind(mx.cpu(), {"x": x}, {"x": mx.nd.zeros(2)})
    for count in (1, 2, 3):
        exe.forward(is_train=True)
        exe.backward(mx.nd.ones(2))
        assert exe.outputs[0].asnumpy().tolist() == [count**2] * 2
        assert exe.grad_dict["x"].asnumpy().tolist() == [count**2] * 2
    assert [op.count for op in made] == [3, 3]
    for _ in range(2):
        with autograd.record():
            y = mx.nd.Custom(x, op_type="counting_calls")
        assert y.asnumpy().tolist() == [1, 1]
    assert [op.count for op in made] == [3, 3, 1, 1]


def test_functions_of_arrays_and_symbols():
    out = mx.nd.zeros((2, 3))
    assert mx.nd.onehot_encode(mx.nd.array([2, 0]), out) is out
    assert out.asnumpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    shared = mx.nd.from_dlpack(mx.nd.to_dlpack_for_write(out))
    shared[:] = 5
    assert mx.nd.from_dlpack(mx.nd.to_dlpack_for_read(out)).asnumpy().tolist() == [[5] * 3] * 2
    a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
    cases = {
        "hypot": (mx.sym.hypot(a, b), [5, 13]),
        "one leg": (mx.sym.hypot(a, 4.0), [5, np.hypot(5, 4)]),
        "pow": (mx.sym.pow(a, 2), [9, 25]),
        "power": (mx.sym.power(base=2, exp=a), [8, 32]),
        "eye": (mx.sym.eye(2, 3, 1), [[0, 1, 0], [0, 0, 1]]),
        "linspace": (mx.sym.linspace(0, 1, 2), [0, 1]),
    }
    for name, (symbol, expected) in cases.items():
        given = {
            n: v for n, v in (("a", mx.nd.array([3, 5])), ("b", mx.nd.array([4, 12]))) if n in symbol.list_inputs()
        }
        found = symbol.bind(mx.cpu(), given).forward()[0].asnumpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)
    assert mx.sym.hypot(3, 4) == 5
    assert mx.sym.pow(2, 3) == 8
    assert mx.nd.power(base=2, exp=mx.nd.array([3.0])).asscalar() == 8


def test_compute_capability_is_that_of_a_gpu():
    with pytest.raises(ArgumentError, match=r"Expecting a gpu context .*: got ctx=cpu\(0\)"):
        mx.util.get_cuda_compute_capability(mx.cpu())


def test_numbers_in_the_environment(monkeypatch):
    monkeypatch.setenv("MXNET_UPDATE_ON_KVSTORE", "no")
    net = nn.Dense(1, in_units=1)
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    with pytest.raises(ArgumentError, match="expected a whole number, got MXNET_UPDATE_ON_KVSTORE='no'"):
        gluon.Trainer(net.collect_params(), "sgd")._prepare()
