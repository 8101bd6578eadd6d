"""Cases of sparse storage: see tests/cases.py."""

import pickle

import numpy as np
from cases import Cases

CASES = Cases()

DENSE = np.array([[0, 1, 0, 0.5], [0, 0, 0, 0], [0.25, 0, 0.75, 0]], dtype="float32")
OTHER = np.array([[0, 2, 0, 0], [0, 0, 3, 0], [0, 0, -0.75, 1]], dtype="float32")


def parts(array):
    """What a result holds, and in which storage.

    MXNet's csr arrays have room behind the values, which is cut off, and columns of a row in any order, which are sorted.
    """
    if array.stype == "row_sparse":
        return ["row_sparse", list(array.shape), array.indices, array.data]
    if array.stype == "csr":
        start = array.indptr.asnumpy()
        indices, data = array.indices.asnumpy()[: start[-1]], array.data.asnumpy()[: start[-1]]
        order = np.lexsort((indices, np.repeat(np.arange(len(start) - 1), np.diff(start))))
        return ["csr", list(array.shape), array.indptr, indices[order], data[order]]
    return ["default", array]


def one(stype, name, call):
    CASES.add("%s: %s" % (stype, name), lambda mx: parts(call(mx, mx.nd.array(DENSE).tostype(stype))))


UNARY = """
    relu round rint ceil floor trunc fix sign abs negative square sqrt cbrt sin tan arcsin arctan degrees radians sinh
    tanh arcsinh arctanh expm1 log1p zeros_like identity make_loss BlockGrad cos exp sigmoid ones_like rsqrt softmax
    transpose logical_not sum mean max
"""
SCALARS = """
    _plus_scalar _minus_scalar _rminus_scalar _mul_scalar _div_scalar _power_scalar _maximum_scalar _equal_scalar
    _not_equal_scalar _greater_scalar _greater_equal_scalar _lesser_scalar _lesser_equal_scalar
"""
BINARY = """
    elemwise_add elemwise_sub elemwise_mul broadcast_add broadcast_sub broadcast_mul broadcast_maximum broadcast_equal
    add_n
"""


def _unary(name):
    return lambda mx, x: getattr(mx.nd, name)(x)


def _scalar(name, number):
    return lambda mx, x: getattr(mx.nd._internal, name)(x, scalar=number)


def _binary(name, lhs, rhs):
    def call(mx, x):
        fn = getattr(mx.nd, name)
        arrays = {"s": x, "o": mx.nd.array(OTHER).tostype(x.stype), "d": mx.nd.array(OTHER + 1)}
        return fn(arrays[lhs], arrays[rhs])

    return call


for _stype in ("csr", "row_sparse"):
    for _name in UNARY.split():
        one(_stype, _name, _unary(_name))
    for _name in SCALARS.split():
        for _number in (0.0, 1.0, -2.0):
            if not (_name == "_div_scalar" and _number == 0):
                one(_stype, "%s %s" % (_name, _number), _scalar(_name, _number))
    for _name in BINARY.split():
        for _pair in ("so", "sd", "ds"):
            one(_stype, "%s %s" % (_name, _pair), _binary(_name, *_pair))
    one(_stype, "x + x", lambda mx, x: x + x)
    one(_stype, "x - x", lambda mx, x: x - x * 2)
    one(_stype, "x * x", lambda mx, x: x * x)
    one(_stype, "x / 2", lambda mx, x: x / 2)
    one(_stype, "2 * x", lambda mx, x: 2 * x)
    one(_stype, "x + 1", lambda mx, x: x + 1)
    one(_stype, "1 - x", lambda mx, x: 1 - x)
    one(_stype, "x ** 2", lambda mx, x: x**2)
    one(_stype, "x == x", lambda mx, x: x == x)
    one(_stype, "-x", lambda mx, x: -x)
    one(_stype, "x.T", lambda mx, x: x.T)
    one(_stype, "x + dense", lambda mx, x: x + mx.nd.array(OTHER))
    one(_stype, "dense * x", lambda mx, x: mx.nd.array(OTHER) * x)
    one(_stype, "x * row", lambda mx, x: x * mx.nd.array(OTHER[:1]))
    one(_stype, "sparse.add", lambda mx, x: mx.nd.sparse.add(x, x))
    one(_stype, "sparse.multiply", lambda mx, x: mx.nd.sparse.multiply(x, 3))
    one(_stype, "clip", lambda mx, x: mx.nd.clip(x, 0, 0.6))
    one(_stype, "astype", lambda mx, x: x.astype("float64"))
    one(_stype, "copyto context", lambda mx, x: x.copyto(mx.cpu(1)))
    one(_stype, "as_in_context", lambda mx, x: x.as_in_context(mx.cpu(1)))
    one(_stype, "copy", lambda mx, x: x.copy())
    one(_stype, "detach", lambda mx, x: x.detach())
    one(_stype, "copyto dense", lambda mx, x: x.copyto(mx.nd.zeros((3, 4))))
    one(_stype, "copyto sparse", lambda mx, x: x.copyto(mx.nd.sparse.zeros(x.stype, (3, 4))))
    one(_stype, "dense copyto", lambda mx, x: mx.nd.array(OTHER).copyto(x))
    one(_stype, "nd.array", lambda mx, x: mx.nd.array(x))
    one(_stype, "sparse.array", lambda mx, x: mx.nd.sparse.array(x, dtype="float64"))
    one(_stype, "tostype default", lambda mx, x: x.tostype("default"))
    one(_stype, "tostype itself", lambda mx, x: x.tostype(x.stype))
    one(_stype, "cast_storage", lambda mx, x: mx.nd.sparse.cast_storage(mx.nd.array(OTHER), x.stype))
    one(_stype, "zeros", lambda mx, x: mx.nd.sparse.zeros(x.stype, (2, 3), dtype="int32"))
    one(_stype, "nd.zeros", lambda mx, x: mx.nd.zeros((2, 3), stype=x.stype))
    one(_stype, "empty", lambda mx, x: mx.nd.sparse.empty(x.stype, (2, 3)))
    one(_stype, "x[:]", lambda mx, x: x[:])
    one(_stype, "pickle", lambda mx, x: pickle.loads(pickle.dumps(x)))
    for _axis in (0, 1, -1):
        one(_stype, "sum %d" % _axis, lambda mx, x, axis=_axis: mx.nd.sum(x, axis=axis))
        one(_stype, "mean %d" % _axis, lambda mx, x, axis=_axis: mx.nd.mean(x, axis=axis, keepdims=True))
    one(_stype, "norm", lambda mx, x: mx.nd.norm(x))
    one(_stype, "where", lambda mx, x: mx.nd.where(x, mx.nd.ones((3, 4)), mx.nd.zeros((3, 4))))


def _dot(left, right, **attrs):
    def call(mx):
        lhs, rhs = [mx.nd.array(v).tostype(s) for v, s in (left, right)]
        return parts(mx.nd.sparse.dot(lhs, rhs, **attrs))

    return call


TALL = np.arange(8.0, dtype="float32").reshape(4, 2)
WIDE = np.arange(6.0, dtype="float32").reshape(3, 2)
for _form in (None, "default", "csr", "row_sparse"):
    _given = {} if _form is None else {"forward_stype": _form}
    CASES.add("dot csr dense %s" % _form, _dot((DENSE, "csr"), (TALL, "default"), **_given))
    CASES.add("dot csr row_sparse %s" % _form, _dot((DENSE, "csr"), (TALL, "row_sparse"), **_given))
    CASES.add("dot csr.T dense %s" % _form, _dot((DENSE, "csr"), (WIDE, "default"), transpose_a=True, **_given))
    CASES.add("dot csr.T row_sparse %s" % _form, _dot((DENSE, "csr"), (WIDE, "row_sparse"), transpose_a=True, **_given))
    CASES.add(
        "dot dense csr %s" % _form,
        _dot((WIDE.T, "default"), (DENSE, "csr"), **_given),
        "zeros of the product are not held" if _form in (None, "csr") else None,
    )
    CASES.add("dot dense csr.T %s" % _form, _dot((TALL.T, "default"), (DENSE, "csr"), transpose_b=True, **_given))


def csr(mx):
    return mx.nd.array(DENSE).tostype("csr")


def rows(mx):
    return mx.nd.array(DENSE).tostype("row_sparse")


CASES.add("csr[1]", lambda mx: parts(csr(mx)[1]))
CASES.add("csr[-1]", lambda mx: parts(csr(mx)[-1]))
CASES.add("csr[0:2]", lambda mx: parts(csr(mx)[0:2]))
CASES.add("csr[1:]", lambda mx: parts(csr(mx)[1:]))
CASES.add("csr[::2]", lambda mx: csr(mx)[::2])
CASES.add("csr[0, 1]", lambda mx: csr(mx)[0, 1])
CASES.add("slice", lambda mx: parts(mx.nd.slice(csr(mx), begin=(0, 1), end=(3, 3))))
CASES.add("slice step", lambda mx: parts(mx.nd.slice(csr(mx), begin=(0,), end=(3,), step=(2,))))
CASES.add("concat", lambda mx: parts(mx.nd.concat(csr(mx), csr(mx), dim=0)))
CASES.add("concat 1", lambda mx: parts(mx.nd.concat(csr(mx), csr(mx), dim=1)))
CASES.add("take", lambda mx: parts(mx.nd.take(csr(mx), mx.nd.array([2, 0, 0, 9]))))
CASES.add("take wrap", lambda mx: parts(mx.nd.take(csr(mx), mx.nd.array([2, -1]), mode="wrap")))
CASES.add("retain", lambda mx: parts(mx.nd.sparse.retain(rows(mx), mx.nd.array([1, 2]))))
CASES.add(
    "method retain", lambda mx: parts(rows(mx).retain(mx.nd.array([1, 2]))), "MXNet's method calls what is not there"
)
CASES.add("sparse.retain", lambda mx: parts(mx.nd.sparse.retain(rows(mx), mx.nd.array([0], dtype="int64"))))
CASES.add(
    "retain of nothing",
    lambda mx: parts(mx.nd.sparse.retain(mx.nd.sparse.zeros("row_sparse", (3, 2)), mx.nd.array([1]))),
)
CASES.add("getnnz", lambda mx: [mx.nd.contrib.getnnz(csr(mx)), mx.nd.contrib.getnnz(csr(mx), axis=1)])
CASES.add("repr", lambda mx: [repr(csr(mx)), repr(rows(mx)), len(csr(mx)), rows(mx).ndim, rows(mx).stype])
CASES.add("csr of parts", lambda mx: parts(mx.nd.sparse.csr_matrix(([1, 2, 3], [0, 2, 1], [0, 1, 1, 3]), shape=(3, 4))))
CASES.add("csr of parts, shape told", lambda mx: parts(mx.nd.sparse.csr_matrix(([1, 2], [0, 1], [0, 1, 2]))))
CASES.add("csr of dense", lambda mx: parts(mx.nd.sparse.csr_matrix(mx.nd.array(DENSE), dtype="int32")))
CASES.add("csr of lists", lambda mx: parts(mx.nd.sparse.csr_matrix([[0, 1], [2, 0]])))
CASES.add("csr of a shape", lambda mx: parts(mx.nd.sparse.csr_matrix((2, 3))))
CASES.add("csr of another shape", lambda mx: mx.nd.sparse.csr_matrix((2, 2), shape=(3, 2)))
CASES.add("rows of parts", lambda mx: parts(mx.nd.sparse.row_sparse_array(([[1, 2], [3, 4]], [1, 4]), shape=(6, 2))))
CASES.add("rows of parts, shape told", lambda mx: parts(mx.nd.sparse.row_sparse_array((np.ones((2, 2)), [1, 4]))))
CASES.add("rows of 3 axes", lambda mx: parts(mx.nd.sparse.row_sparse_array((np.ones((1, 2, 2)), [1]), shape=(3, 2, 2))))
CASES.add("rows of dense", lambda mx: parts(mx.nd.sparse.row_sparse_array(mx.nd.array(DENSE))))
CASES.add("rows of a shape", lambda mx: parts(mx.nd.sparse.row_sparse_array((2, 3), dtype="float64")))
CASES.add("rows of another shape", lambda mx: mx.nd.sparse.row_sparse_array((2, 2), shape=(3, 2)))
CASES.add("rows of a vector", lambda mx: parts(mx.nd.array([0, 1, 0, 2]).tostype("row_sparse")))
CASES.add("csr of a vector", lambda mx: mx.nd.array([0, 1]).tostype("csr"))
CASES.add("csr to rows", lambda mx: csr(mx).tostype("row_sparse"))
CASES.add("rows to csr", lambda mx: rows(mx).tostype("csr"))
CASES.add("zeros of an unknown storage", lambda mx: mx.nd.sparse.zeros("dense", (2, 2)))
CASES.add("reshape", lambda mx: csr(mx).reshape((4, 3)))
CASES.add("size", lambda mx: rows(mx).size)
CASES.add("bool", lambda mx: bool(csr(mx)))
CASES.add("asscalar", lambda mx: csr(mx).asscalar())


@CASES
def assignment(mx):
    found = []
    for x in (csr(mx), rows(mx)):
        x[:] = mx.nd.array(OTHER)
        found.append(parts(x))
        x[:] = OTHER * 2
        found.append(parts(x))
    x = rows(mx)
    x[:] = 2
    return [found, parts(x)]


@CASES
def in_place(mx):
    found = []
    for x in (csr(mx), rows(mx)):
        x += x
        x *= 3
        x /= 2
        found.append(parts(x))
    return found


@CASES
def wrong_formats(mx):
    csr_matrix, row_sparse_array = mx.nd.sparse.csr_matrix, mx.nd.sparse.row_sparse_array
    found = []
    for array in (
        csr_matrix(([7, 8, 9], [2, 1, 1], [0, 2, 2, 3]), shape=(3, 4)),
        csr_matrix(([7, 8, 9], [1, 2, 1], [0, 2, 2, 4]), shape=(3, 4)),
        csr_matrix(([7, 8, 9], [0, 2, 1], [0, 2, 2, 3]), shape=(3, 4)),
        row_sparse_array(([[1, 2], [3, 4]], [1, 4]), shape=(3, 2)),
        row_sparse_array(([[1, 2], [3, 4]], [1, 0]), shape=(3, 2)),
        row_sparse_array(([[1, 2], [3, 4]], [0, 1]), shape=(3, 2)),
    ):
        try:
            array.check_format()
            found.append("right")
        except mx.base.MXNetError:
            found.append("wrong")
    return found


@CASES
def embedding_gradient(mx):
    weight = mx.nd.array(np.arange(10.0).reshape(5, 2))
    weight.attach_grad(stype="row_sparse")
    with mx.autograd.record():
        out = mx.nd.Embedding(mx.nd.array([3, 1, 3]), weight, input_dim=5, output_dim=2, sparse_grad=True)
    before = parts(weight.grad)
    out.backward(mx.nd.array([[1, 2], [3, 4], [0, 0]]))
    return [before, out, parts(weight.grad)]


@CASES
def embedding_of_rows(mx):
    weight = mx.nd.array(np.arange(10.0).reshape(5, 2) + 1).tostype("row_sparse")
    weight.attach_grad()
    with mx.autograd.record():
        out = mx.nd.Embedding(mx.nd.array([[3, 1], [3, 4]]), weight, input_dim=5, output_dim=2, sparse_grad=True)
    out.backward()
    return [out, parts(weight.grad)]


@CASES
def dot_gradients(mx):
    found = []
    for stype in ("default", "row_sparse"):
        rhs = mx.nd.array(TALL + 1)
        if stype == "row_sparse":
            rhs = rhs.tostype("row_sparse")
        rhs.attach_grad(stype="row_sparse")
        with mx.autograd.record():
            out = mx.nd.sparse.dot(csr(mx), rhs)
        out.backward(mx.nd.array([[0, 0], [5, 5], [1, 2]]))
        found.append([out, parts(rhs.grad)])
    return found


@CASES
def dense_gradient_as_rows(mx):
    x = mx.nd.array(DENSE)
    x.attach_grad(stype="row_sparse")
    with mx.autograd.record():
        y = x * mx.nd.array([[1], [0], [2]])
    y.backward()
    return parts(x.grad)


def _optimizer(name, stype, **kwargs):
    def run(mx):
        optimizer = mx.optimizer.create(name, learning_rate=0.1, rescale_grad=0.5, **kwargs)
        weight = mx.nd.array(np.arange(8.0).reshape(4, 2) + 1).tostype(stype)
        state = optimizer.create_state(0, weight)
        for step in range(3):
            values = np.array([[1, -2], [0.5, 0], [-3, 1]]) * (step + 1)
            grad = mx.nd.sparse.row_sparse_array(
                (values[: step + 1], [0, 2, 3][: step + 1]), shape=(4, 2), dtype="float32"
            )
            optimizer.update(0, weight, grad, state)
        return weight.tostype("default")

    return run


for _stype in ("default", "row_sparse"):
    for _name, _kwargs in (
        ("sgd", {"wd": 0.1}),
        ("sgd", {"momentum": 0.9, "wd": 0.1, "clip_gradient": 0.7}),
        ("sgd", {"momentum": 0.9, "wd": 0.1, "lazy_update": False}),
        ("adam", {"wd": 0.1}),
        ("adam", {"wd": 0.1, "lazy_update": False}),
        ("adagrad", {}),
        ("ftrl", {"wd": 0.1}),
        ("groupadagrad", {}),
        ("nag", {"momentum": 0.9}),
        ("rmsprop", {}),
    ):
        CASES.add("%s of %s %s" % (_name, _stype, sorted(_kwargs.items())), _optimizer(_name, _stype, **_kwargs))


@CASES
def kvstore(mx):
    kv = mx.kv.create("local")
    kv.init("a", mx.nd.ones((4, 2)).tostype("row_sparse"))
    first = mx.nd.sparse.zeros("row_sparse", (4, 2))
    kv.row_sparse_pull("a", out=first, row_ids=mx.nd.array([1, 3]))
    pushed = [mx.nd.sparse.row_sparse_array((np.ones((1, 2)) * i, [i]), shape=(4, 2)) for i in (1, 2)]
    kv.push("a", [p.astype("float32") for p in pushed])
    second = mx.nd.sparse.zeros("row_sparse", (4, 2))
    kv.row_sparse_pull("a", out=second, row_ids=mx.nd.array([0, 1, 2, 3]))
    return [first.tostype("default"), second.tostype("default")]
