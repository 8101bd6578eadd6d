"""Cases of bound graphs and of shapes and dtypes that are known in part: see tests/cases.py."""

import numpy as np
from cases import Cases

CASES = Cases()

ROWS = [[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]]
OTHERS = [[2.0, 0.25, -1.0], [3.0, -0.5, 2.0]]


def product(mx):
    return mx.sym.var("a") * mx.sym.var("b")


def bound(mx, grad_req="write", **kwargs):
    nd = mx.nd
    args = [nd.array(ROWS), nd.array(OTHERS)]
    grads = [nd.ones((2, 3)), nd.ones((2, 3))]
    return product(mx).bind(mx.cpu(), args, args_grad=grads, grad_req=grad_req, **kwargs)


def head(mx):
    return mx.nd.array(np.arange(6.0).reshape(2, 3))


def normalized(mx):
    x = mx.sym.BatchNorm(mx.sym.var("data"), fix_gamma=False, name="bn")
    return mx.sym.FullyConnected(x, num_hidden=2, name="fc")


@CASES
def forward_and_backward(mx):
    net = bound(mx)
    outputs = net.forward(is_train=True)
    net.backward(head(mx))
    return [outputs, net.outputs, net.grad_arrays, net.arg_dict, net.grad_dict, net.output_dict, net.aux_dict]


@CASES
def backward_after_inference(mx):
    net = bound(mx)
    net.forward()
    net.backward([head(mx)])
    return net.grad_arrays


@CASES
def backward_twice_adds(mx):
    net = bound(mx, "add")
    net.forward(is_train=True)
    net.backward(head(mx))
    net.backward(head(mx))
    return net.grad_arrays


@CASES
def requests_by_name(mx):
    net = bound(mx, {"a": "add", "b": "null"})
    net.forward(is_train=True)
    net.backward({"_mul0_output": head(mx)})
    return net.grad_arrays


@CASES
def requests_in_order(mx):
    net = bound(mx, ["null", "write"])
    net.forward(is_train=True)
    net.backward(head(mx))
    return net.grad_arrays


@CASES
def gradients_of_some(mx):
    nd = mx.nd
    args = {"b": nd.array(OTHERS), "a": nd.array(ROWS)}
    net = product(mx).bind(mx.cpu(), args, args_grad={"b": nd.zeros((2, 3))})
    net.forward(is_train=True)
    net.backward(head(mx))
    return net.grad_dict


@CASES
def arguments_of_forward(mx):
    net = bound(mx)
    return [net.forward(a=mx.nd.ones((2, 3)), b=np.full((2, 3), 5.0))[0], net.arg_dict["a"]]


@CASES
def outputs_are_filled_again(mx):
    net = bound(mx)
    first = net.forward()[0]
    net.forward(a=mx.nd.zeros((2, 3)))
    return first


@CASES
def gradient_of_what_is_not_used(mx):
    net = mx.sym.Group([mx.sym.var("a") * 2, mx.sym.BlockGrad(mx.sym.var("b"))])
    net = net.simple_bind(mx.cpu(), a=(2,), b=(2,))
    net.grad_dict["b"][:] = 7
    net.forward(is_train=True)
    net.backward([mx.nd.ones((2,)), mx.nd.ones((2,))])
    return net.grad_dict


@CASES
def losses_need_no_gradient(mx):
    sym, x = mx.sym, mx.sym.var("x")
    net = sym.Group([sym.SoftmaxOutput(x, name="s"), sym.BlockGrad(x), sym.make_loss(x)])
    net = net.simple_bind(mx.cpu(), x=(2, 3))
    net.forward(is_train=True, x=mx.nd.array(ROWS), s_label=mx.nd.array([0, 2]))
    net.backward()
    return [net.outputs, net.grad_dict]


@CASES
def states_are_updated_in_training(mx):
    net = normalized(mx).simple_bind(mx.cpu(), data=(4, 3))
    data = mx.nd.array(np.arange(12.0).reshape(4, 3) ** 1.5)
    net.copy_params_from({"bn_gamma": mx.nd.array([1, 2, 3]), "fc_weight": mx.nd.ones((2, 3))})
    net.forward(is_train=False, data=data)
    before = net.aux_dict["bn_moving_mean"].copy()
    net.forward(is_train=True)
    net.backward(mx.nd.array(np.arange(8.0).reshape(4, 2)))
    return [before, net.outputs, net.aux_dict, net.grad_dict["bn_gamma"], net.grad_dict["fc_bias"]]


@CASES
def parameters_are_copied(mx):
    net = normalized(mx).simple_bind(mx.cpu(), data=(4, 3))
    net.copy_params_from(
        {"fc_bias": mx.nd.array([1, 2], dtype="float64"), "other": mx.nd.ones((1,))},
        {"bn_moving_var": mx.nd.array([4, 5, 6])},
        allow_extra_params=True,
    )
    return [net.arg_dict["fc_bias"], net.aux_dict["bn_moving_var"]]


@CASES
def dtypes_of_simple_bind(mx):
    net = normalized(mx).simple_bind(mx.cpu(), data=(4, 3), type_dict={"data": "float64"}, grad_req="null")
    return [net.arg_arrays, net.aux_arrays, net.grad_arrays, net.outputs]


@CASES
def smaller_executor_shares_memory(mx):
    net = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=4).simple_bind(mx.cpu(), x=(5, 4), grad_req="null")
    net.arg_arrays[0][:] = 1
    net.arg_arrays[1][:] = 1
    smaller = net.reshape(x=(3, 4))
    smaller.forward()
    shared = net.outputs[0].asnumpy()[:3]
    larger = net.reshape(allow_up_sizing=True, x=(6, 4))
    larger.arg_arrays[0][:] = 0
    return [smaller.outputs, shared, net.arg_arrays[0], larger.arg_arrays[0], larger.arg_arrays[1]]


@CASES
def evaluated(mx):
    return product(mx).eval(ctx=mx.cpu(), a=mx.nd.array(ROWS), b=mx.nd.array(OTHERS))


def monitored(mx, **kwargs):
    net = mx.sym.relu(normalized(mx), name="r").simple_bind(mx.cpu(), data=(4, 3))
    names = []
    net.set_monitor_callback(
        lambda name, array: names.append(name if isinstance(name, str) else name.decode()), **kwargs
    )
    net.forward(is_train=True)
    return names


CASES.add("monitored outputs", monitored)
CASES.add(
    "monitored inputs",
    lambda mx: monitored(mx, monitor_all=True),
    "MXNet calls the input of relu input0, we call it data",
)


def refused(call):
    """Whether a call raises the RuntimeError that MXNet's simple_bind raises, which is no MXNetError there."""
    try:
        call()
    except RuntimeError:
        return True
    return False


for text, wrong in {
    "too few arrays": lambda mx, a: product(mx).bind(mx.cpu(), [a]),
    "missing name": lambda mx, a: product(mx).bind(mx.cpu(), {"a": a}),
    "not arrays": lambda mx, a: product(mx).bind(mx.cpu(), 3),
    "not an array": lambda mx, a: product(mx).bind(mx.cpu(), [a, 3]),
    "not a context": lambda mx, a: product(mx).bind("cpu", [a, a]),
    "other shapes": lambda mx, a: product(mx).bind(mx.cpu(), [a, mx.nd.ones((3, 3))]),
    "too few gradients": lambda mx, a: product(mx).bind(mx.cpu(), [a, a], args_grad=[a]),
    "unknown request": lambda mx, a: product(mx).bind(mx.cpu(), [a, a], grad_req="sometimes"),
    "missing states": lambda mx, a: mx.sym.BatchNorm(mx.sym.var("x"), name="b").bind(
        mx.cpu(), {"x": a, "b_gamma": mx.nd.ones((3,)), "b_beta": mx.nd.ones((3,))}
    ),
    "shapes that differ": lambda mx, a: refused(lambda: product(mx).simple_bind(mx.cpu(), a=(2, 3), b=(3, 3))),
    "no shapes": lambda mx, a: refused(lambda: product(mx).simple_bind(mx.cpu())),
    "unknown request of simple_bind": lambda mx, a: refused(
        lambda: product(mx).simple_bind(mx.cpu(), a=(2, 3), grad_req="sometimes")
    ),
    "empty list of requests": lambda mx, a: refused(lambda: product(mx).simple_bind(mx.cpu(), a=(2, 3), grad_req=[])),
    "empty dict of requests": lambda mx, a: refused(lambda: product(mx).simple_bind(mx.cpu(), a=(2, 3), grad_req={})),
    "other names": lambda mx, a: product(mx).simple_bind(mx.cpu(), a=(2, 3), z=(1,)).arg_arrays,
    "gradient missing": lambda mx, a: bound(mx).forward(is_train=True) and bound(mx).backward(),
    "gradient of another shape": lambda mx, a: with_forward(mx).backward(mx.nd.ones((3, 3))),
    "gradient that is a number": lambda mx, a: with_forward(mx).backward([3]),
    "gradient of an unknown output": lambda mx, a: with_forward(mx).backward({"a": a}),
    "forward of an unknown argument": lambda mx, a: bound(mx).forward(z=a),
    "forward of another shape": lambda mx, a: bound(mx).forward(a=mx.nd.ones((3, 3))),
    "forward of a number": lambda mx, a: bound(mx).forward(a=3),
    "copy of an unknown argument": lambda mx, a: bound(mx).copy_params_from({"z": a}),
    "copy of an unknown state": lambda mx, a: bound(mx).copy_params_from({}, {"z": a}),
    "copy of another shape": lambda mx, a: bound(mx).copy_params_from({"a": mx.nd.ones((3, 3))}),
    "reshape of one": lambda mx, a: bound(mx).reshape(a=(1, 3)),
    "reshape of both": lambda mx, a: bound(mx).reshape(a=(1, 3), b=(1, 3)).outputs[0].shape,
    "reshape to more": lambda mx, a: bound(mx).reshape(a=(4, 3), b=(4, 3)),
    "reshape in part": lambda mx, a: bound(mx).reshape(a=(1, 3), partial_shaping=True).outputs[0].shape,
    "evaluation without an argument": lambda mx, a: product(mx).eval(a=a),
}.items():
    CASES.add("wrong: " + text, lambda mx, f=wrong: f(mx, mx.nd.ones((2, 3))))


def with_forward(mx):
    net = bound(mx)
    net.forward(is_train=True)
    return net


def known(mx, make, **shapes):
    """What is known of the shapes, in whole and in part."""
    net = make(mx.sym)
    found = net.infer_shape_partial(**shapes)
    return [
        {name: tuple(found[0][i]) for i, name in enumerate(net.list_arguments())},
        [tuple(s) for s in found[1]],
        net.infer_shape(**shapes)[1],
    ]


X, Y = (lambda sym: sym.var("x")), (lambda sym: sym.var("y"))
FULLER = "we find more dimensions than MXNet"

for text, make, shapes, differs in (
    ("sum of both ways", lambda s: X(s) + Y(s), {"x": (0, 10), "y": (12, 0)}, None),
    ("sum of one", lambda s: X(s) + Y(s), {"y": (12, 3)}, None),
    ("sum in part", lambda s: X(s) + Y(s), {"y": (12, 0)}, None),
    ("sum that differs", lambda s: X(s) + Y(s), {"x": (3, 0), "y": (12, 0)}, None),
    ("broadcast", lambda s: s.broadcast_add(X(s), Y(s)), {"y": (12, 3)}, None),
    ("dense", lambda s: s.FullyConnected(X(s), num_hidden=4, name="f"), {"x": (0, 5)}, None),
    (
        "dense from its output",
        lambda s: s.FullyConnected(X(s), num_hidden=4, name="f") + Y(s),
        {"x": (0, 5), "y": (7, 0)},
        None,
    ),
    (
        "dense of a wrong weight",
        lambda s: s.FullyConnected(X(s), num_hidden=4, name="f"),
        {"x": (2, 5), "f_weight": (4, 6)},
        None,
    ),
    (
        "dense of too many rows",
        lambda s: s.FullyConnected(X(s), num_hidden=4, name="f"),
        {"x": (2, 5), "f_weight": (3, 5)},
        None,
    ),
    ("convolution", lambda s: s.Convolution(X(s), num_filter=4, kernel=(3, 3), name="c"), {"x": (0, 3, 8, 0)}, None),
    (
        "convolution from its output",
        lambda s: s.Convolution(X(s), num_filter=4, kernel=(3, 3), pad=(1, 1), name="c") + Y(s),
        {"x": (0, 3, 0, 0), "y": (5, 4, 32, 31)},
        None,
    ),
    (
        "convolution with strides",
        lambda s: s.Convolution(s.cast(X(s), dtype="float16"), num_filter=4, kernel=(3, 3), stride=(2, 2), name="c"),
        {"x": (1, 0, 0, 9)},
        None,
    ),
    ("normalization", lambda s: s.BatchNorm(X(s), name="b"), {"x": (0, 3, 0, 8)}, None),
    ("parts", lambda s: s.split(X(s), num_outputs=3, axis=1)[1] + Y(s), {"x": (0, 15, 0), "y": (3, 5, 2)}, None),
    (
        "squeezed parts",
        lambda s: s.split(X(s), num_outputs=10, axis=1, squeeze_axis=True)[1] + Y(s),
        {"x": (0, 10), "y": (5,)},
        None,
    ),
    ("joined", lambda s: s.concat(X(s), Y(s), dim=1) + s.var("z"), {"x": (0, 10), "y": (0, 5), "z": (2, 0)}, None),
    ("product", lambda s: s.dot(X(s), Y(s)), {"x": (0, 3, 4), "y": (4, 5)}, None),
    ("products", lambda s: s.batch_dot(X(s), Y(s)), {"x": (0, 3, 4), "y": (0, 4, 5)}, None),
    ("products that cannot be told", lambda s: s.batch_dot(X(s), Y(s)), {"x": (0, 3, 4), "y": (0, 0, 5)}, None),
    ("embedding", lambda s: s.Embedding(X(s), input_dim=9, output_dim=4, name="e"), {"x": (0, 5)}, None),
    ("transposed", lambda s: s.transpose(X(s), axes=(0, 3, 2, 1)), {"x": (0, 3, 22, 24)}, None),
    ("picked", lambda s: s.pick(X(s), Y(s), axis=1), {"x": (0, 3, 3), "y": (0, 3)}, None),
    ("chosen", lambda s: s.where(s.var("z"), X(s), Y(s)), {"x": (0, 2), "y": (0, 2), "z": (0, 2)}, None),
    ("reduced", lambda s: s.sum(X(s), axis=1), {"x": (0, 3, 5)}, None),
    ("expanded", lambda s: s.expand_dims(X(s), axis=1), {"x": (0, 3, 5)}, None),
    ("softmax", lambda s: s.SoftmaxOutput(X(s), name="s"), {"x": (0, 5)}, FULLER),
    ("flat", lambda s: s.Flatten(X(s)), {"x": (0, 3, 5)}, FULLER),
    (
        "shared weight",
        lambda s: s.sum(s.abs(s.var("w"))) + s.sum(s.FullyConnected(X(s), s.var("w"), num_hidden=1, no_bias=True)),
        {"x": (5, 13)},
        None,
    ),
    ("nothing", lambda s: s.sin(X(s)), {}, None),
):
    CASES.add("shapes: " + text, lambda mx, m=make, k=shapes: known(mx, m, **k), differs)


def dtypes(mx, make, **given):
    net = make(mx.sym)
    found = net.infer_type_partial(**given)
    return [{name: found[0][i] for i, name in enumerate(net.list_arguments())}, list(found[1])]


REFUSED = "MXNet wants the dtype of the indices"

for text, make, given in (
    ("where of a condition", lambda s: s.where(s.var("z"), X(s), Y(s)), {"z": "int32"}),
    ("where of a choice", lambda s: s.where(s.var("z"), X(s), Y(s)), {"y": "float16"}),
    ("shape_array", lambda s: s.shape_array(X(s)), {}),
    ("size_array", lambda s: s.size_array(X(s)), {"x": "float16"}),
    ("amp_cast of floats", lambda s: s.amp_cast(X(s), dtype="float16"), {"x": "float32"}),
    ("amp_cast of integers", lambda s: s.amp_cast(X(s), dtype="float16"), {"x": "int32"}),
    ("cast", lambda s: s.FullyConnected(s.Cast(X(s), dtype="float16"), num_hidden=2, name="f"), {}),
    ("take", lambda s: s.take(X(s), Y(s)), {"x": "float16"}),
    ("take of indices", lambda s: s.take(X(s), Y(s)), {"y": "int32"}),
    ("pick", lambda s: s.pick(X(s), Y(s)), {"x": "float64"}),
    ("gather_nd", lambda s: s.gather_nd(X(s), Y(s)), {"x": "float16"}),
    ("embedding", lambda s: s.Embedding(X(s), input_dim=3, output_dim=2, name="e"), {"x": "int32"}),
    (
        "embedding of float16",
        lambda s: s.Embedding(X(s), input_dim=3, output_dim=2, dtype="float16", name="e"),
        {"x": "int32"},
    ),
    ("one_hot", lambda s: s.one_hot(X(s), depth=3), {"x": "int32"}),
    ("topk values", lambda s: s.topk(X(s), ret_typ="value"), {"x": "float64"}),
    ("topk positions", lambda s: s.topk(X(s)), {"x": "float64"}),
    ("topk of both", lambda s: s.topk(X(s), ret_typ="both", dtype="int32"), {"x": "float64"}),
    ("batch norm", lambda s: s.BatchNorm(X(s), name="b"), {"x": "float16"}),
    ("batch norm of float64", lambda s: s.BatchNorm(X(s), name="b"), {"x": "float64"}),
    ("norm", lambda s: s.norm(X(s), out_dtype="float64"), {"x": "float32"}),
    ("norm of nothing", lambda s: s.norm(X(s)), {}),
    ("scalar and integers", lambda s: X(s) + 2, {"x": "int32"}),
    ("softmax with dtype", lambda s: s.softmax(X(s), dtype="float64"), {"x": "float32"}),
    ("backwards", lambda s: s.FullyConnected(X(s) * 2, num_hidden=2, name="f"), {"f_weight": "float64"}),
):
    CASES.add(
        "dtypes: " + text, lambda mx, m=make, k=given: dtypes(mx, m, **k), REFUSED if text in ("pick", "take") else None
    )
