"""Each function with a gradient of its own: right when differentiated twice, or an error; never silently wrong."""

import importlib
import pkgutil

import pytest
import torch

import gluonnx as mx
from gluonnx.errors import NotSupportedError
from gluonnx.ops.derivative import arccosh, arcsinh
from gluonnx.ops.table import TABLE

nd, autograd = mx.nd, mx.autograd


def _functions():
    for module in pkgutil.walk_packages(mx.__path__, "gluonnx."):
        if module.name not in ("gluonnx.mxnet", "gluonnx.launcher"):
            importlib.import_module(module.name)
    found, stack = {}, [torch.autograd.Function]
    while stack:
        for kind in stack.pop().__subclasses__():
            stack.append(kind)
            if kind.__module__.startswith("gluonnx"):
                found[f"{kind.__module__}.{kind.__qualname__}"] = kind
    return found


FUNCTIONS = _functions()


def _op(name, **attrs):
    op = TABLE[name]
    parsed = op.parse(attrs)
    return lambda x: op.forward(x, **parsed)


X = ((-1.25, 0.5, 2.0), (0.75, -0.5, 3.5))

TWICE = {
    "gluonnx.ops.activation._Selu": _op("LeakyReLU", act_type="selu"),
    "gluonnx.ops.reduce._Extremum": lambda x: _op("max", axis=(1,))(x * x),
    "gluonnx.ops.image._PassOn": lambda x: _op("_image_flip_left_right")((x * x).reshape(2, 3, 1)),
    "gluonnx.ops.legacy._MaxOverWindows": lambda x: _op("Pooling_v1", kernel=(1, 2))((x * x).reshape(1, 1, 2, 3)),
    "gluonnx.ops.straight_through._StraightThrough": lambda x: _op("_contrib_round_ste")(x * x),
    "gluonnx.ops.straight_through._GradientMultiplier": lambda x: _op("_contrib_gradientmultiplier", scalar=-2.0)(x**3),
    "gluonnx.ops.elementwise._LossHead": lambda x: _op("MakeLoss", grad_scale=3.0)(x * x * x),
}
"""Functions of a matrix: the derivative of their gradient is compared with finite differences of the gradient."""

ELSEWHERE = {
    "gluonnx.autograd._Constant": "test_a_constant_gradient_has_the_gradient_zero",
    "gluonnx.ops.derivative._InverseHyperbolic": "test_inverse_hyperbolic_functions",
    "gluonnx.ops.derivative._InverseHyperbolicGradient": "test_inverse_hyperbolic_functions",
    "gluonnx.ops.derivative._Refusing": "test_refused_in_every_position",
    "gluonnx.ops.storage._Reveal": "test_sparse_as_dense",
    "gluonnx.ops.sparse_rules._CsrDot": "test_sparse_as_dense",
    "gluonnx.ops.sparse_rules._Rows": "test_sparse_as_dense",
}
"""Functions that a test of their own looks at."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_looked_at(name):
    refuses = getattr(FUNCTIONS[name].backward, "is_once_differentiable", False)
    assert refuses + (name in TWICE) + (name in ELSEWHERE) == 1, (
        f"{name}: mark its backward `once_differentiable`, or add it here with a function that uses it"
    )


def test_nothing_is_looked_at_that_is_gone():
    assert (TWICE.keys() | ELSEWHERE.keys()) <= FUNCTIONS.keys()
    assert set(ELSEWHERE.values()) <= globals().keys()


@pytest.mark.parametrize("name", TWICE)
def test_second_derivative_is_that_of_the_gradient(name):
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(TWICE[name], (x,))


@pytest.mark.parametrize(("fn", "true"), [(arcsinh, torch.asinh), (arccosh, torch.acosh)])
def test_inverse_hyperbolic_functions(fn, true):
    x = torch.tensor([1.5, 2.0, 7.0], dtype=torch.float64, requires_grad=True)
    head = torch.tensor([2.0, -1.0, 3.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(fn, (x,))
    (first,) = torch.autograd.grad(fn(x), x, head, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    (of_torch,) = torch.autograd.grad(true(x), x, head, create_graph=True)
    (second_of_torch,) = torch.autograd.grad(of_torch.sum(), x)
    torch.testing.assert_close(first, of_torch)
    torch.testing.assert_close(second, -second_of_torch)  # MXNet's sign


def _second(fn, x):
    x.attach_grad()
    with autograd.record():
        y = fn(x)
        (first,) = autograd.grad((y * y).sum(), [x], create_graph=True)
        loss = (first * first).sum()
    loss.backward()
    return first.asnumpy(), x.grad.asnumpy()


LHS = ((1.0, 0.0, 2.0), (0.0, 0.0, 3.0))


@pytest.mark.parametrize(
    ("fn", "make"),
    [
        (lambda x: nd.dot(nd.array(LHS).tostype("csr"), x), lambda: nd.array(X).T),
        (lambda x: nd.dot(nd.array(LHS).tostype("csr"), x, transpose_a=True), lambda: nd.array(X)),
        (lambda x: nd.dot(nd.array(LHS), x), lambda: nd.array(X).T),
        (lambda x: nd.Embedding(nd.array([1, 0, 1]), x, input_dim=2, output_dim=3), lambda: nd.array(X)),
        (lambda x: nd.square(x) * nd.ones((2, 3)), lambda: nd.array(X)),
    ],
)
@pytest.mark.parametrize("stype", ["default", "row_sparse"])
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
def test_sparse_as_dense(fn, make, stype):
    x = make().tostype(stype)
    first, second = _second(fn, x)
    # The same in float64 on dense arrays alone.
    dense = make()

    def plain(a):
        found = nd.dot
        nd.dot = lambda lhs, rhs, **attrs: found(lhs.tostype("default"), rhs, **attrs)
        try:
            return fn(a)
        finally:
            nd.dot = found

    expected_first, expected_second = _second(plain, dense)
    assert first.tolist() == expected_first.tolist()
    assert second.tolist() == expected_second.tolist()
    assert expected_second.any()


def _softmax(x):
    return nd.SoftmaxOutput(x, nd.array([0, 2]))


def _regression(x):
    return nd.LogisticRegressionOutput(x, nd.ones((2, 3)))


class Twice(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], in_data[0] ** 2)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], 2 * in_data[0] * out_grad[0])


@mx.operator.register("second_derivative_of_custom")
class TwiceProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, shapes, dtypes):
        return Twice()


class Square(autograd.Function):
    def forward(self, x):
        self.save_for_backward(x)
        return x * x

    def backward(self, dy):
        (x,) = self.saved_tensors
        return 2 * x * dy


@pytest.mark.parametrize(
    ("fn", "what"),
    [
        (_softmax, "SoftmaxOutput"),
        (_regression, "a regression output"),
        (lambda x: nd.Custom(x, op_type="second_derivative_of_custom"), "Custom"),
        (lambda x: Square()(x), "Square"),
    ],
)
def test_refused_in_every_position(fn, what):
    message = f"{what} has no second derivative: .* Leave it out"
    x = nd.array(X)
    x.attach_grad()

    def first():
        return autograd.grad(fn(x), x, create_graph=True)[0]

    with autograd.record():
        once = first()
        assert once.asnumpy().any()
        with pytest.raises(NotSupportedError, match=message):
            autograd.grad(once, x)
        later = (first() * x).sum() + (x * x).sum()
        inside = (fn(x * x) * x).sum()
        inner = autograd.grad(inside, x, create_graph=True)[0]
    for head in (first, lambda: later, lambda: inner):
        with autograd.record():
            y = head()
        with pytest.raises(NotSupportedError, match=message):
            y.backward()
    with autograd.record():
        y = (first().detach() * x).sum()
    y.backward()
    assert (x.grad == once).asnumpy().all()


def test_a_constant_gradient_has_the_gradient_zero():
    x = nd.array(X)
    x.attach_grad()
    with autograd.record():
        y = x * 3
        (first,) = autograd.grad(y, [x], create_graph=True)
        z = first * x
    z.backward()
    assert x.grad.asnumpy().tolist() == [[3.0] * 3] * 2
