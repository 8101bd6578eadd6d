"""NDArray cases: see tests/cases.py."""

import copy
import pickle

import numpy as np
from cases import Cases, arrays

CASES = Cases()

CASES.expressions(
    "creation",
    """
    nd.array([1, 2, 3])
    nd.array([[1, 2], [3, 4]])
    nd.array([1.5], dtype='float64')
    nd.array([1, 2], dtype=np.int32)
    nd.array(np.array([1, 2], dtype='int64'))
    nd.array(np.array([1.5, 2], dtype='float64'))
    nd.array(np.array([1, 2], dtype='float16'))
    nd.array(np.array([True, False]))
    nd.array(np.array([1, 2], dtype='uint8'), dtype='uint8')
    nd.array(5)
    nd.array(())
    nd.array([])
    nd.array((1, 2))
    nd.array(i)
    nd.array(d)
    nd.array(i, dtype='float32')
    nd.array([1.9, -1.9], dtype='int32')
    nd.array([1, 0, 2], dtype='bool')
    nd.array([v, v])  # MXNet takes no list of arrays
    nd.array([s, s])  # MXNet takes no list of arrays
    nd.array('a')
    nd.array([[1, 2], [3]])
    nd.array([1], ctx=mx.cpu(1))
    nd.array([1], dtype='nonsense')
    nd.array(None)  # MXNet makes a NaN of it
    nd.zeros((2, 3))
    nd.zeros(3)
    nd.zeros((2,), dtype='int64')
    nd.zeros((2,), ctx=mx.cpu(2))
    nd.zeros((2,), mx.cpu(1), 'int8')
    nd.zeros(shape=(1, 2), dtype=np.float16)
    nd.ones((2, 3))
    nd.ones(2, dtype='uint8')
    nd.ones((2,), dtype=None)
    nd.full((2, 2), 7)
    nd.full((2,), 2.5, dtype='int32')
    nd.full(2, 1.5, ctx=mx.cpu(1))
    nd.empty((2, 3)).shape
    nd.empty(3, dtype='int32').dtype
    nd.empty((2,), mx.cpu(3)).context
    nd.arange(5)
    nd.arange(2, 6)
    nd.arange(0, 1, 0.25)
    nd.arange(5, 0, -2)
    nd.arange(3, repeat=2)
    nd.arange(3, dtype='int32')
    nd.arange(0, 10, 3, 2, dtype='int64')
    nd.arange(3, ctx=mx.cpu(1))
    nd.arange(2.5)
    nd.eye(2)
    nd.eye(2, 3)
    nd.eye(3, k=1)
    nd.eye(3, 0, -1, dtype='int32')
    nd.linspace(0, 1, 5)
    nd.linspace(0, 1, 4, endpoint=False)
    nd.linspace(1, 2, 3, dtype='float64')
    nd.concatenate([v, s])
    nd.concatenate([m, m], axis=1)
    nd.concatenate([v])
    nd.concat(m, m, dim=0)
    nd.moveaxis(t, 0, 2).shape
    nd.moveaxis(t, 2, 0)
    nd.moveaxis(t, [0, 1], [1, 2]).shape
    nd.moveaxis(t, -1, 0).shape
    nd.moveaxis(t, 0, 5)
    nd.zeros_like(i)
    nd.ones_like(d)
    nd.from_numpy(np.array([1.5, 2.5]))
    nd.from_numpy(np.array([[1, 2], [3, 4]]).T)
    nd.zeros((2,), ctx=mx.cpu_pinned()).context  # without a CUDA device MXNet's build refuses page-locked memory
    nd.zeros((0, 2))  # MXNet's classic interface takes a 0 as an unknown size and cannot read the array
    nd.random.uniform(shape=(2, 3)).shape
    nd.random.normal(0, 1, (2, 3), dtype='float64').dtype
    nd.random.uniform(shape=3).shape
    nd.random.uniform().shape
    nd.random.normal(shape=(2,), ctx=mx.cpu(1)).context
    nd.random.randn(2, 3).shape
    sorted(nd.random.shuffle(nd.arange(5)).asnumpy().tolist())
    """,
)

CASES.expressions(
    "facts",
    """
    repr(v)
    repr(m)
    repr(s)
    repr(i)
    repr(h)
    repr(nd.array(5))
    repr(nd.zeros((2,), ctx=mx.cpu(1)))
    str(m)
    repr(nd.array([1e10, 1e-10]))
    repr(nd.arange(2000))
    v.shape
    v.size
    v.ndim
    m.T
    m.T.shape
    t.T.shape
    v.dtype
    i.dtype
    h.dtype
    v.context
    v.ctx
    v.stype
    v.grad
    len(m)
    len(s)
    bool(s)
    bool(nd.array([0.0]))
    bool(v)
    float(s)  # MXNet's arrays of one element are no Python numbers
    int(s)  # MXNet's arrays of one element are no Python numbers
    float(v)  # MXNet's arrays of one element are no Python numbers
    int(nd.array([3], dtype='int32'))  # MXNet's arrays of one element are no Python numbers
    [1, 2, 3][nd.array([1], dtype='int32')]  # MXNet's arrays of one element are no Python numbers
    s.asscalar()
    v.asscalar()
    l[0:1].asscalar()
    [x for x in nd.array([1, 2])]
    [x.shape for x in m]
    v in [v]
    hash(v) == hash(v)
    type(v).__name__
    np.array(v)  # MXNet's arrays do not have numpy's array protocol
    np.asarray(m).sum()  # MXNet's arrays do not have numpy's array protocol
    np.array(v, dtype='int32')  # MXNet's arrays do not have numpy's array protocol
    np.array([1.0, 1.0, 1.0, 1.0]) + v
    v + np.array([1.0, 1.0, 1.0, 1.0])
    np.float32(2) * v
    v * np.float32(2)
    v * np.int64(2)
    v.asnumpy()
    i.asnumpy()
    v.wait_to_read()
    nd.waitall()
    v.as_nd_ndarray() is v
    v.tostype('default')
    v.tostype('default') is v
    v.tostype('nonsense')
    v.to_dlpack_for_read() is None
    nd.from_dlpack(v.to_dlpack_for_write())
    v.nonsense
    """,
)

CASES.expressions(
    "conversion",
    """
    v.astype('int32')
    v.astype(np.float64)
    v.astype('float16')
    i.astype('float32')
    v.astype('uint8')
    v.astype('bool')
    v.astype('float32') is v
    v.astype('float32', copy=False) is v
    v.astype('nonsense')
    v.astype(dtype='int8')
    v.copy()
    v.copy() is v
    v.copyto(mx.cpu(1))
    v.copyto(nd.zeros((4,)))
    v.copyto(nd.zeros((4,), dtype='int32'))
    v.copyto(nd.zeros((2, 2)))
    v.copyto(nd.zeros((3,)))
    v.copyto(v)
    v.copyto(3)
    v.as_in_context(mx.cpu(0)) is v
    v.as_in_context(mx.cpu(1))
    v.detach()
    m.reshape((4, 3))
    m.reshape(4, 3)
    m.reshape(-1)
    m.reshape((-1,)).shape
    m.reshape((0, -1)).shape
    t.reshape((-3, 0)).shape
    t.reshape((-4, 1, 2, -2)).shape
    t.reshape((0, 0, -1)).shape
    t.reshape(shape=(-1, 4)).shape
    t.reshape((-1, 0), reverse=True).shape
    m.reshape((5, 2))
    m.reshape((5, -1))
    m.reshape(6)
    m.reshape((2, 3))  # MXNet's method takes a shape with fewer elements and cuts the rest off
    m.reshape_like(t)
    m.reshape_like(nd.zeros((4, 3)))
    m.expand_dims(1).shape
    m.expand_dims(axis=0).shape
    nd.expand_dims(m, 1).shape
    m.flatten().shape
    t.flatten().shape
    t.squeeze().shape
    r.squeeze()
    m.transpose()
    t.transpose((2, 0, 1)).shape
    t.transpose(axes=(1, 0, 2)).shape
    t.swapaxes(0, 2).shape
    m.broadcast_to((2, 3, 4)).shape
    r.broadcast_to((3, 4))
    c.broadcast_to((3, 2))
    r.broadcast_like(m)
    v.tile(2)
    v.tile((2, 1))
    v.repeat(2)
    m.flip(axis=0)
    m.split(2, axis=1)
    nd.split(m, num_outputs=3, axis=0)
    m.slice((0, 1), (2, 3))
    m.slice_axis(1, 1, 3)
    m.slice_axis(axis=0, begin=-2, end=None)
    m.take(nd.array([0, 2]))
    m.pick(nd.array([0, 1, 2]))
    m.one_hot(3).shape
    """,
)

CASES.expressions(
    "arithmetic",
    """
    v + v
    v - 1
    1 - v
    v * 2
    v / 2
    2 / v
    v % 2
    5 % v
    v ** 2
    2 ** v
    -v
    abs(v)
    m + r
    m + c
    r * c
    m / r
    m - nd.array([1])
    m + v
    m + nd.array([1, 2])
    m + nd.zeros((3,))
    v + i
    v + nd.array([1, 2, 3, 4], dtype='float64')
    v + d
    i + i
    i + j
    i - j
    i * j
    i / j
    i / 2
    i // 2
    i % j
    i % 3
    i ** 2
    i + 1.7
    i * 1.9
    1 - i
    7 / j
    7 % j
    2 ** j
    -i
    abs(i)
    b + 10
    b + b
    b - 5
    b * 2
    l + 1
    l * 3000000000
    d + 1
    h + 1
    h * h
    v == v
    v == 1
    v != 1
    v > 0
    v >= 3
    v < 0
    v <= 0.5
    0 < v
    i == j
    i > j
    i > 2
    i == 2.5
    m > r
    v == None
    v != None
    v == 'a'
    v + 'a'
    v + None
    v + [1, 2, 3, 4]
    v < None
    v + nd.ones((4,), ctx=mx.cpu(1))
    (nd.ones((2,), ctx=mx.cpu(1)) + 1)
    (nd.ones((2,), ctx=mx.cpu(1)) + nd.ones((2,), ctx=mx.cpu(1)))
    nd.ones((2,), ctx=mx.cpu(1)).sum()
    nd.ones((2,), ctx=mx.cpu(1))[0]
    nd.ones((2,), ctx=mx.cpu(1)).reshape((1, 2))
    nd.relu(nd.ones((2,), ctx=mx.cpu(1)))
    v + True
    v + float('inf')
    v / 0
    i / 0  # integers divided by zero kill MXNet's process on most machines
    v.abs()
    v.sum()
    m.sum(axis=0)
    m.sum(axis=1, keepdims=True)
    m.sum(1)
    t.sum(axis=(0, 2))
    m.mean()
    m.mean(axis=1)
    m.max()
    m.max(axis=0)
    m.min(axis=(0, 1))
    m.prod(axis=0)
    m.norm()
    m.argmax(axis=1)
    m.argmin(axis=0)
    m.argmax()
    v.clip(0, 1)
    v.clip(a_min=-1, a_max=1)
    v.relu()
    v.sigmoid()
    v.exp()
    v.square()
    v.sqrt()
    v.sign()
    v.round()
    v.floor()
    v.ceil()
    v.log_softmax()
    v.softmax()
    m.softmax(axis=0)
    nd.dot(m, m.T)
    m.dot(v)
    nd.add(v, 1)
    nd.add(1, v)
    nd.add(v, v)
    nd.add(1, 2)
    nd.subtract(1, v)
    nd.multiply(v, 2)
    nd.divide(2, v)
    nd.modulo(v, 2)
    nd.power(2, v)
    nd.maximum(v, 0)
    nd.maximum(m, r)
    nd.minimum(1, v)
    nd.equal(v, 1)
    nd.not_equal(v, v)
    nd.greater(1, v)
    nd.greater_equal(v, 1)
    nd.lesser(v, 1)
    nd.lesser_equal(1, v)
    nd.logical_and(v, 0)
    nd.logical_or(v, 0)
    nd.logical_xor(v, v)
    nd.true_divide(v, 2)
    nd.add('a', v)
    nd.maximum(3, 4)
    nd.elemwise_add(v, v)
    nd.elemwise_add(m, r)
    nd.broadcast_add(m, r)
    nd.relu(v, name='x')
    nd.relu(data=v)
    nd.relu()
    nd.relu(v, v)  # MXNet takes the second array for the name
    nd.relu(3)
    nd.relu([1.0])
    nd.relu(v, axis=1)  # MXNet drops attributes that the operator does not have; we name them
    nd.nonsense(v)
    nd.sum(m, 1)
    nd.sum(m, axis='1')
    nd.sum(m, axis='(0, 1)')
    nd.sum(m, axis=5)
    nd.sum(data=m, axis=1, keepdims='True')
    nd.sum(m, axis=[0, 1])
    nd.clip(v, 0, 1)
    nd.clip(v, '0', '1')
    nd.Activation(v, act_type='relu')
    nd.Activation(v, 'relu')
    nd.Activation(v, act_type='nonsense')
    nd.Activation(v)
    nd.FullyConnected(m, nd.ones((2, 4)), nd.zeros((2,)), num_hidden=2)
    nd.FullyConnected(m, nd.ones((2, 4)), num_hidden=2, no_bias=True)
    nd.FullyConnected(m, nd.ones((2, 4)), None, num_hidden=2, no_bias=True)
    nd.FullyConnected(data=m, weight=nd.ones((2, 4)), bias=nd.zeros((2,)), num_hidden=2)
    nd.FullyConnected(m, nd.ones((2, 4)), nd.zeros((2,)), 2)
    nd.FullyConnected(m, nd.ones((2, 5)), nd.zeros((2,)), num_hidden=2)
    nd.FullyConnected(m, nd.ones((2, 4)), num_hidden=2)
    nd.Concat(m, m, dim=1)
    nd.Concat(m, m, dim=1, num_args=2)
    nd.Concat(m, r, dim=1)
    nd.concat(*[m, m], dim=0).shape
    nd.stack(v, v)
    nd.stack(v, v, axis=1)
    nd.add_n(v, v, v)
    nd.relu(v, out=nd.zeros((4,)))
    nd.relu(v, out=nd.zeros((3,)))
    nd.cast(v, dtype='int32')
    nd.Cast(v, 'int32')
    nd.topk(v, k=2)
    nd.where(v > 0, v, -v)
    nd.BatchNorm(m, nd.ones((4,)), nd.zeros((4,)), nd.zeros((4,)), nd.ones((4,)))
    nd.Dropout(v)
    nd.SoftmaxOutput(m, nd.zeros((3,)))
    """,
)

CASES.expressions(
    "read",
    """
    v[0]
    v[-1]
    v[4]
    v[-5]
    v[1:3]
    v[:2]
    v[2:]
    v[::2]
    v[::-1]
    v[3:0:-2]
    v[10:]
    v[np.int64(1)]
    v[True]
    v[0.5]
    v['a']
    v[None]
    v[...]
    v[nd.array([0, 2])]
    v[nd.array([0, 2], dtype='int32')]
    v[[0, 2]]
    v[np.array([0, 2])]
    v[np.array([3, -1])]
    v[[4]]
    v[[[0, 1], [2, 3]]]
    v[v > 0]
    v[np.array([True, False, True, False])]  # MXNet reads True and False as the positions 1 and 0
    v[nd.array([1, 0, 1, 0], dtype='bool')]  # MXNet refuses arrays of booleans
    m[nd.array([1, 0, 1], dtype='bool')]  # MXNet refuses arrays of booleans
    v[()]
    m[0]
    m[-1]
    m[3]
    m[0, 1]
    m[0, -1]
    m[1, 4]
    m[0, 1, 2]
    m[0:2]
    m[1:, 1:3]
    m[:, 1]
    m[:, -1:]
    m[::2, ::2]
    m[::-1]
    m[:, ::-1]
    m[::-1, ::-2]
    m[2:0:-1, 1]
    m[..., 1]
    m[1, ...]
    m[None]
    m[:, None]
    m[None, 1]
    m[..., None]
    m[1, None, 2]
    m[[0, 2]]
    m[[0, 2], [1, 3]]
    m[[0, 2], 1]
    m[1, [0, 3]]
    m[:, [0, 3]]
    m[0:2, [0, 3]]
    m[[0, 2], 1:3]
    m[np.array([[0, 1], [1, 2]])]
    m[nd.array([0, 1]), nd.array([1, 2])]
    m[nd.array([[0], [2]]), nd.array([0, 1])]
    m[(0, 1)]
    m[0][1]
    m[0][1][0]
    m[5:]
    m[1:1]
    t[0, 1, 2]
    t[0]
    t[:, 1]
    t[:, :, 1]
    t[..., 1]
    t[0, ..., 1]
    t[[0, 1], :, [1, 2]]
    t[:, [0, 2], :]
    t[:, [0, 2], [1, 3]]
    t[1, :, [1, 2]]
    t[:, [[0, 1], [1, 2]]].shape
    t[None, 0, :, None].shape
    t[::-1, 1:, ::-2]
    t[0, [0, 1], 1:3]
    nd.array(5)[()]
    nd.array(5)[0]
    m[0, slice(None, None, 0)]
    m[..., ...]
    """,
)


def put(mx, name, key, value):
    array = arrays(mx)[name]
    array[key] = value(mx) if callable(value) else value
    return array


ALL = slice(None)
WRITES = [
    ("v", 0, 9),
    ("v", -1, 9.5),
    ("v", 4, 9),
    ("v", ALL, 9),
    ("v", slice(1, 3), 9),
    ("v", slice(None, None, -1), [1, 2, 3, 4]),
    ("v", slice(None, None, 2), [8, 9]),
    ("v", slice(1, 3), [8, 9]),
    ("v", slice(1, 3), np.array([8, 9])),
    ("v", slice(1, 3), lambda mx: mx.nd.array([8, 9])),
    ("v", slice(1, 3), lambda mx: mx.nd.array([8])),
    ("v", slice(1, 3), lambda mx: mx.nd.array([8, 9, 10])),
    ("v", slice(1, 3), [8, 9, 10]),
    ("v", 0, lambda mx: mx.nd.array([8])),
    ("v", 0, lambda mx: mx.nd.array([8, 9])),
    ("v", [0, 2], [8, 9]),
    ("v", [0, 2], 7),
    ("v", [0, 9], 7),
    ("v", Ellipsis, 7),
    ("v", ALL, "a"),
    ("v", ALL, True),
    ("v", ALL, np.float32(2)),
    ("m", 1, 9),
    ("m", 1, [1, 2, 3, 4]),
    ("m", 1, [1, 2]),
    ("m", 3, 1),
    ("m", (1, 2), 9),
    ("m", (1, 4), 9),
    ("m", (ALL, 1), 9),
    ("m", (ALL, 1), [7, 8, 9]),
    ("m", (ALL, 1), lambda mx: mx.nd.array([7, 8, 9])),
    ("m", (ALL, 1), lambda mx: mx.nd.array([[7], [8], [9]])),
    ("m", (ALL, slice(1, 3)), [7, 8]),
    ("m", (ALL, slice(1, 3)), [[7], [8], [9]]),
    ("m", (slice(None, None, -1), slice(None, None, -2)), [[7, 8]]),
    ("m", (Ellipsis, 0), 5),
    ("m", ([0, 2], [1, 3]), [7, 8]),
    ("m", ([0, 2], [1, 3]), 7),
    ("m", ([0, 2],), [[7], [8]]),
    ("m", (ALL, [0, 3]), 7),
    ("m", (0, ALL), lambda mx: mx.nd.array([[1, 2, 3, 4]])),
    ("m", ALL, lambda mx: mx.nd.array([1, 2, 3, 4])),
    ("m", ALL, lambda mx: mx.nd.array([[1], [2], [3]])),
    ("m", ALL, np.zeros((3, 4))),
    ("m", ALL, np.zeros((4, 3))),
    ("m", ALL, np.zeros((1, 3, 4))),
    ("m", slice(5, 7), 1),
    ("m", (0, 0, 0), 1),
    ("m", None, 1),
    ("t", (0, 1), [1, 2, 3, 4]),
    ("t", (ALL, 0, slice(0, 2)), [[1, 2], [3, 4]]),
    ("t", (ALL, [0, 2], slice(0, 2)), 1),
    ("t", (0, ALL, [1, 2]), [[1, 2], [3, 4], [5, 6]]),
    ("i", 0, 9.9),
    ("i", ALL, lambda mx: mx.nd.array([1.9, 2.9, -3.9, 4])),
    ("b", 0, 255),
    ("v", ALL, lambda mx: mx.nd.ones((4,), ctx=mx.cpu(1))),
    ("v", ALL, lambda mx: mx.nd.ones((4,), dtype="float64")),
]
WRITES_DIFFER = {
    ("v", "[0, 9]"): "MXNet drops positions that are out of bounds",
}
for _number, (_name, _key, _value) in enumerate(WRITES):
    CASES.add(
        "write %d: %s[%r]" % (_number, _name, _key),
        lambda mx, n=_name, k=_key, v=_value: put(mx, n, k, v),
        WRITES_DIFFER.get((_name, str(_key))),
    )


IN_PLACE = {
    "v += 1": lambda mx, n: n["v"].__iadd__(1),
    "v -= v": lambda mx, n: n["v"].__isub__(n["v"]),
    "v *= 2.5": lambda mx, n: n["v"].__imul__(2.5),
    "v /= 2": lambda mx, n: n["v"].__itruediv__(2),
    "v %= 2": lambda mx, n: n["v"].__imod__(2),
    "m += r": lambda mx, n: n["m"].__iadd__(n["r"]),
    "m *= c": lambda mx, n: n["m"].__imul__(n["c"]),
    "r += m": lambda mx, n: n["r"].__iadd__(n["m"]),
    "i += 1.7": lambda mx, n: n["i"].__iadd__(1.7),
    "i /= 2": lambda mx, n: n["i"].__itruediv__(2),
    "v += i": lambda mx, n: n["v"].__iadd__(n["i"]),
    "v += 'a'": lambda mx, n: n["v"].__iadd__("a"),
}


def _run_in_place(operate):
    def case(mx):
        names = arrays(mx)
        result = operate(mx, names)
        return [result, names["v"], names["i"], names["m"]]

    return case


for _name, _operate in IN_PLACE.items():
    CASES.add("in place: " + _name, _run_in_place(_operate))


@CASES
def in_place_keeps_identity(mx):
    x = mx.nd.ones((2,))
    y = x
    x += 1
    x *= 3
    return [y, y is x]


@CASES
def slice_of_rows_shares_memory(mx):
    x = mx.nd.zeros((3, 2))
    y = x[1:3]
    y[:] = 1
    return x


@CASES
def row_shares_memory(mx):
    x = mx.nd.zeros((3, 2))
    y = x[1]
    y[:] = 1
    y += 2
    return x


@CASES
def column_is_a_copy(mx):
    x = mx.nd.zeros((3, 2))
    y = x[:, 1]
    y[:] = 1
    return x


@CASES
def row_and_full_slice_shares(mx):
    x = mx.nd.zeros((3, 2))
    y = x[1, :]
    y[:] = 1
    z = x[0:2, :]
    z += 1
    return x


@CASES
def part_of_row_shares(mx):
    x = mx.nd.zeros((3, 4))
    y = x[1, 1:3]
    y[:] = 1
    return x


@CASES
def element_shares(mx):
    x = mx.nd.zeros((3, 4))
    y = x[1, 1]
    y[:] = 1
    return x


@CASES
def step_is_a_copy(mx):
    x = mx.nd.zeros((4,))
    y = x[::2]
    y[:] = 1
    return x


@CASES
def ellipsis_shares(mx):
    x = mx.nd.zeros((3, 2))
    y = x[...]
    y[:] = 1
    z = x[:]
    z += 1
    return [x, y is x, z is x]


@CASES
def new_axis_shares(mx):
    x = mx.nd.zeros((3,))
    y = x[None]
    y[:] = 1
    return x


@CASES
def index_array_is_a_copy(mx):
    x = mx.nd.zeros((3, 2))
    y = x[[0, 1]]
    y[:] = 1
    return x


@CASES
def slice_of_a_slice_shares(mx):
    x = mx.nd.zeros((5,))
    y = x[1:4][1:]
    y[:] = 1
    return x


@CASES
def reshape_shares(mx):
    x = mx.nd.zeros((2, 3))
    y = x.reshape((3, 2))
    y[0] = 1
    return x


@CASES
def reshape_function_copies(mx):
    x = mx.nd.zeros((2, 3))
    y = mx.nd.reshape(x, shape=(3, 2))
    y[0] = 1
    return x


@CASES
def functions_never_share(mx):
    x = mx.nd.ones((2, 3))
    results = [
        mx.nd.transpose(x),
        x.T,
        mx.nd.expand_dims(x, axis=0),
        mx.nd.flatten(x),
        mx.nd.identity(x) if hasattr(mx.nd, "identity") else x.copy(),
        mx.nd.cast(x, dtype="float32"),
        mx.nd.Dropout(x),
        mx.nd.slice_axis(x, axis=0, begin=0, end=2),
        mx.nd.BlockGrad(x),
        mx.nd.squeeze(x),
        mx.nd.add_n(x),
        x.expand_dims(0),
        x.flatten(),
        x.squeeze(),
        x.copy(),
        x.astype("float32"),
        mx.nd.concat(x, dim=0),
    ]
    for result in results:
        result[:] = 5
    return x


@CASES
def detach_shares(mx):
    x = mx.nd.zeros((2,))
    y = x.detach()
    y[:] = 1
    return x


@CASES
def iteration_shares(mx):
    x = mx.nd.zeros((2, 2))
    for row in x:
        row += 1
    return x


@CASES
def numpy_is_a_copy(mx):
    x = mx.nd.zeros((2,))
    y = x.asnumpy()
    y[:] = 1
    return x


@CASES
def array_of_numpy_is_a_copy(mx):
    y = np.zeros(2, "float32")
    x = mx.nd.array(y)
    y[:] = 1
    return x


@CASES
def from_numpy_shares(mx):
    y = np.zeros(2, "float32")
    x = mx.nd.from_numpy(y)
    x[:] = 1
    return [x, y.tolist() if y.flags.writeable else y.tolist()]


@CASES
def dlpack_shares(mx):
    x = mx.nd.zeros((2,))
    y = mx.nd.from_dlpack(x.to_dlpack_for_write())
    y[:] = 1
    return x


@CASES
def pickled(mx):
    x = mx.nd.array([1, 2], dtype="int32")
    return pickle.loads(pickle.dumps(x))


@CASES(differs="MXNet copies to the default context")
def copied(mx):
    x = mx.nd.zeros((2,), ctx=mx.cpu(1))
    y = copy.deepcopy(x)
    y[:] = 1
    z = copy.copy(x)
    return [x, y, z.context == x.context]


@CASES
def default_context(mx):
    with mx.cpu(1):
        x = mx.nd.zeros((2,))
        y = mx.nd.array([1])
        with mx.Context("cpu", 2):
            z = mx.nd.ones((1,))
        u = mx.nd.random.uniform(shape=(1,)).context
    return [x, y, z, u, mx.nd.zeros((1,)).context, mx.current_context()]


@CASES
def contexts(mx):
    return [
        str(mx.cpu()),
        repr(mx.gpu(1)),
        mx.cpu() == mx.cpu(0),
        mx.cpu() == mx.cpu(1),
        mx.cpu() == "cpu(0)",
        mx.Context(mx.cpu(3)).device_id,
        mx.Context("gpu", 2).device_type,
        mx.cpu().device_typeid,
        mx.gpu().device_typeid,
        mx.cpu_pinned().device_typeid,
        str(mx.cpu_pinned()),
        len({mx.cpu(0), mx.cpu(0), mx.cpu(1)}),
        mx.context.num_gpus() >= 0,
    ]


@CASES(differs="MXNet's error is a KeyError without words")
def unknown_device(mx):
    return mx.Context("nonsense")


@CASES
def copy_between_contexts(mx):
    x = mx.nd.ones((2,), ctx=mx.cpu(1))
    y = mx.nd.zeros((2,))
    x.copyto(y)
    y[:] = y + 1
    x[:] = y
    return [x, y]


@CASES
def seeded_draws_repeat(mx):
    mx.random.seed(3)
    a = mx.nd.random.uniform(shape=(4,)).asnumpy().tolist()
    mx.random.seed(3)
    b = mx.nd.random.uniform(shape=(4,)).asnumpy().tolist()
    c = mx.nd.random.uniform(shape=(4,)).asnumpy().tolist()
    return [a == b, b == c]


@CASES
def out_is_returned(mx):
    out = mx.nd.zeros((2,))
    result = mx.nd.relu(mx.nd.array([-1, 1]), out=out)
    return [out, result is out]


@CASES(differs="MXNet updates the moving statistics in backward, gluonnx in the recorded forward")
def batch_norm_updates_states_in_training(mx):
    m = mx.nd.array(np.arange(12.0).reshape(3, 4))
    mean, var = mx.nd.zeros((4,)), mx.nd.ones((4,))
    with mx.autograd.record():
        out = mx.nd.BatchNorm(m, mx.nd.ones((4,)), mx.nd.zeros((4,)), mean, var)
    return [out, mean, var]


@CASES(differs="MXNet's classic interface has no arrays without axes")
def zero_axes_are_kept_apart(mx):
    x = mx.nd.array(5)
    return [x, x.shape, x + 1]
