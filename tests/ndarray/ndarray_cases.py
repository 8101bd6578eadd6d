"""NDArray cases: see tests/cases.py."""

import copy
import pickle

import numpy as np
from cases import Cases, Example

CASES = Cases()

CASES.expressions(
    "creation",
    {
        "nd.array([1, 2, 3])": lambda e: e.nd.array([1, 2, 3]),
        "nd.array([[1, 2], [3, 4]])": lambda e: e.nd.array([[1, 2], [3, 4]]),
        "nd.array([1.5], dtype='float64')": lambda e: e.nd.array([1.5], dtype="float64"),
        "nd.array([1, 2], dtype=np.int32)": lambda e: e.nd.array([1, 2], dtype=np.int32),
        "nd.array(np.array([1, 2], dtype='int64'))": lambda e: e.nd.array(np.array([1, 2], dtype="int64")),
        "nd.array(np.array([1.5, 2], dtype='float64'))": lambda e: e.nd.array(np.array([1.5, 2], dtype="float64")),
        "nd.array(np.array([1, 2], dtype='float16'))": lambda e: e.nd.array(np.array([1, 2], dtype="float16")),
        "nd.array(np.array([True, False]))": lambda e: e.nd.array(np.array([True, False])),
        "nd.array(np.array([1, 2], dtype='uint8'), dtype='uint8')": lambda e: e.nd.array(
            np.array([1, 2], dtype="uint8"), dtype="uint8"
        ),
        "nd.array(5)": lambda e: e.nd.array(5),
        "nd.array(())": lambda e: e.nd.array(()),
        "nd.array([])": lambda e: e.nd.array([]),
        "nd.array((1, 2))": lambda e: e.nd.array((1, 2)),
        "nd.array(i)": lambda e: e.nd.array(e.i),
        "nd.array(d)": lambda e: e.nd.array(e.d),
        "nd.array(i, dtype='float32')": lambda e: e.nd.array(e.i, dtype="float32"),
        "nd.array([1.9, -1.9], dtype='int32')": lambda e: e.nd.array([1.9, -1.9], dtype="int32"),
        "nd.array([1, 0, 2], dtype='bool')": lambda e: e.nd.array([1, 0, 2], dtype="bool"),
        "nd.array([v, v])": lambda e: e.nd.array([e.v, e.v]),
        "nd.array([s, s])": lambda e: e.nd.array([e.s, e.s]),
        "nd.array('a')": lambda e: e.nd.array("a"),
        "nd.array([[1, 2], [3]])": lambda e: e.nd.array([[1, 2], [3]]),
        "nd.array([1], ctx=mx.cpu(1))": lambda e: e.nd.array([1], ctx=e.mx.cpu(1)),
        "nd.array([1], dtype='nonsense')": lambda e: e.nd.array([1], dtype="nonsense"),
        "nd.array(None)": lambda e: e.nd.array(None),
        "nd.zeros((2, 3))": lambda e: e.nd.zeros((2, 3)),
        "nd.zeros(3)": lambda e: e.nd.zeros(3),
        "nd.zeros((2,), dtype='int64')": lambda e: e.nd.zeros((2,), dtype="int64"),
        "nd.zeros((2,), ctx=mx.cpu(2))": lambda e: e.nd.zeros((2,), ctx=e.mx.cpu(2)),
        "nd.zeros((2,), mx.cpu(1), 'int8')": lambda e: e.nd.zeros((2,), e.mx.cpu(1), "int8"),
        "nd.zeros(shape=(1, 2), dtype=np.float16)": lambda e: e.nd.zeros(shape=(1, 2), dtype=np.float16),
        "nd.ones((2, 3))": lambda e: e.nd.ones((2, 3)),
        "nd.ones(2, dtype='uint8')": lambda e: e.nd.ones(2, dtype="uint8"),
        "nd.ones((2,), dtype=None)": lambda e: e.nd.ones((2,), dtype=None),
        "nd.full((2, 2), 7)": lambda e: e.nd.full((2, 2), 7),
        "nd.full((2,), 2.5, dtype='int32')": lambda e: e.nd.full((2,), 2.5, dtype="int32"),
        "nd.full(2, 1.5, ctx=mx.cpu(1))": lambda e: e.nd.full(2, 1.5, ctx=e.mx.cpu(1)),
        "nd.empty((2, 3)).shape": lambda e: e.nd.empty((2, 3)).shape,
        "nd.empty(3, dtype='int32').dtype": lambda e: e.nd.empty(3, dtype="int32").dtype,
        "nd.empty((2,), mx.cpu(3)).context": lambda e: e.nd.empty((2,), e.mx.cpu(3)).context,
        "nd.arange(5)": lambda e: e.nd.arange(5),
        "nd.arange(2, 6)": lambda e: e.nd.arange(2, 6),
        "nd.arange(0, 1, 0.25)": lambda e: e.nd.arange(0, 1, 0.25),
        "nd.arange(5, 0, -2)": lambda e: e.nd.arange(5, 0, -2),
        "nd.arange(3, repeat=2)": lambda e: e.nd.arange(3, repeat=2),
        "nd.arange(3, dtype='int32')": lambda e: e.nd.arange(3, dtype="int32"),
        "nd.arange(0, 10, 3, 2, dtype='int64')": lambda e: e.nd.arange(0, 10, 3, 2, dtype="int64"),
        "nd.arange(3, ctx=mx.cpu(1))": lambda e: e.nd.arange(3, ctx=e.mx.cpu(1)),
        "nd.arange(2.5)": lambda e: e.nd.arange(2.5),
        "nd.eye(2)": lambda e: e.nd.eye(2),
        "nd.eye(2, 3)": lambda e: e.nd.eye(2, 3),
        "nd.eye(3, k=1)": lambda e: e.nd.eye(3, k=1),
        "nd.eye(3, 0, -1, dtype='int32')": lambda e: e.nd.eye(3, 0, -1, dtype="int32"),
        "nd.linspace(0, 1, 5)": lambda e: e.nd.linspace(0, 1, 5),
        "nd.linspace(0, 1, 4, endpoint=False)": lambda e: e.nd.linspace(0, 1, 4, endpoint=False),
        "nd.linspace(1, 2, 3, dtype='float64')": lambda e: e.nd.linspace(1, 2, 3, dtype="float64"),
        "nd.concatenate([v, s])": lambda e: e.nd.concatenate([e.v, e.s]),
        "nd.concatenate([m, m], axis=1)": lambda e: e.nd.concatenate([e.m, e.m], axis=1),
        "nd.concatenate([v])": lambda e: e.nd.concatenate([e.v]),
        "nd.concat(m, m, dim=0)": lambda e: e.nd.concat(e.m, e.m, dim=0),
        "nd.moveaxis(t, 0, 2).shape": lambda e: e.nd.moveaxis(e.t, 0, 2).shape,
        "nd.moveaxis(t, 2, 0)": lambda e: e.nd.moveaxis(e.t, 2, 0),
        "nd.moveaxis(t, [0, 1], [1, 2]).shape": lambda e: e.nd.moveaxis(e.t, [0, 1], [1, 2]).shape,
        "nd.moveaxis(t, -1, 0).shape": lambda e: e.nd.moveaxis(e.t, -1, 0).shape,
        "nd.moveaxis(t, 0, 5)": lambda e: e.nd.moveaxis(e.t, 0, 5),
        "nd.zeros_like(i)": lambda e: e.nd.zeros_like(e.i),
        "nd.ones_like(d)": lambda e: e.nd.ones_like(e.d),
        "nd.from_numpy(np.array([1.5, 2.5]))": lambda e: e.nd.from_numpy(np.array([1.5, 2.5])),
        "nd.from_numpy(np.array([[1, 2], [3, 4]]).T)": lambda e: e.nd.from_numpy(np.array([[1, 2], [3, 4]]).T),
        "nd.zeros((2,), ctx=mx.cpu_pinned()).context": lambda e: e.nd.zeros((2,), ctx=e.mx.cpu_pinned()).context,
        "nd.zeros((0, 2))": lambda e: e.nd.zeros((0, 2)),
        "nd.random.uniform(shape=(2, 3)).shape": lambda e: e.nd.random.uniform(shape=(2, 3)).shape,
        "nd.random.normal(0, 1, (2, 3), dtype='float64').dtype": lambda e: (
            e.nd.random.normal(0, 1, (2, 3), dtype="float64").dtype
        ),
        "nd.random.uniform(shape=3).shape": lambda e: e.nd.random.uniform(shape=3).shape,
        "nd.random.uniform().shape": lambda e: e.nd.random.uniform().shape,
        "nd.random.normal(shape=(2,), ctx=mx.cpu(1)).context": lambda e: (
            e.nd.random.normal(shape=(2,), ctx=e.mx.cpu(1)).context
        ),
        "nd.random.randn(2, 3).shape": lambda e: e.nd.random.randn(2, 3).shape,
        "sorted(nd.random.shuffle(nd.arange(5)).asnumpy().tolist())": lambda e: sorted(
            e.nd.random.shuffle(e.nd.arange(5)).asnumpy().tolist()
        ),
    },
    {
        "nd.array([v, v])": "MXNet takes no list of arrays",
        "nd.array([s, s])": "MXNet takes no list of arrays",
        "nd.array(None)": "MXNet makes a NaN of it",
        "nd.zeros((2,), ctx=mx.cpu_pinned()).context": "without a CUDA device MXNet's build refuses page-locked memory",
        "nd.zeros((0, 2))": "MXNet's classic interface takes a 0 as an unknown size and cannot read the array",
    },
)

CASES.expressions(
    "facts",
    {
        "repr(v)": lambda e: repr(e.v),
        "repr(m)": lambda e: repr(e.m),
        "repr(s)": lambda e: repr(e.s),
        "repr(i)": lambda e: repr(e.i),
        "repr(h)": lambda e: repr(e.h),
        "repr(nd.array(5))": lambda e: repr(e.nd.array(5)),
        "repr(nd.zeros((2,), ctx=mx.cpu(1)))": lambda e: repr(e.nd.zeros((2,), ctx=e.mx.cpu(1))),
        "str(m)": lambda e: str(e.m),
        "repr(nd.array([1e10, 1e-10]))": lambda e: repr(e.nd.array([10000000000.0, 1e-10])),
        "repr(nd.arange(2000))": lambda e: repr(e.nd.arange(2000)),
        "v.shape": lambda e: e.v.shape,
        "v.size": lambda e: e.v.size,
        "v.ndim": lambda e: e.v.ndim,
        "m.T": lambda e: e.m.T,
        "m.T.shape": lambda e: e.m.T.shape,
        "t.T.shape": lambda e: e.t.T.shape,
        "v.dtype": lambda e: e.v.dtype,
        "i.dtype": lambda e: e.i.dtype,
        "h.dtype": lambda e: e.h.dtype,
        "v.context": lambda e: e.v.context,
        "v.ctx": lambda e: e.v.ctx,
        "v.stype": lambda e: e.v.stype,
        "v.grad": lambda e: e.v.grad,
        "len(m)": lambda e: len(e.m),
        "len(s)": lambda e: len(e.s),
        "bool(s)": lambda e: bool(e.s),
        "bool(nd.array([0.0]))": lambda e: bool(e.nd.array([0.0])),
        "bool(v)": lambda e: bool(e.v),
        "float(s)": lambda e: float(e.s),
        "int(s)": lambda e: int(e.s),
        "float(v)": lambda e: float(e.v),
        "int(nd.array([3], dtype='int32'))": lambda e: int(e.nd.array([3], dtype="int32")),
        "[1, 2, 3][nd.array([1], dtype='int32')]": lambda e: [1, 2, 3][e.nd.array([1], dtype="int32")],
        "s.asscalar()": lambda e: e.s.asscalar(),
        "v.asscalar()": lambda e: e.v.asscalar(),
        "l[0:1].asscalar()": lambda e: e.l[0:1].asscalar(),
        "[x for x in nd.array([1, 2])]": lambda e: [x for x in e.nd.array([1, 2])],
        "[x.shape for x in m]": lambda e: [x.shape for x in e.m],
        "v in [v]": lambda e: e.v in [e.v],
        "hash(v) == hash(v)": lambda e: hash(e.v) == hash(e.v),
        "type(v).__name__": lambda e: type(e.v).__name__,
        "np.array(v)": lambda e: np.array(e.v),
        "np.asarray(m).sum()": lambda e: np.asarray(e.m).sum(),
        "np.array(v, dtype='int32')": lambda e: np.array(e.v, dtype="int32"),
        "np.array([1.0, 1.0, 1.0, 1.0]) + v": lambda e: np.array([1.0, 1.0, 1.0, 1.0]) + e.v,
        "v + np.array([1.0, 1.0, 1.0, 1.0])": lambda e: e.v + np.array([1.0, 1.0, 1.0, 1.0]),
        "np.float32(2) * v": lambda e: np.float32(2) * e.v,
        "v * np.float32(2)": lambda e: e.v * np.float32(2),
        "v * np.int64(2)": lambda e: e.v * np.int64(2),
        "v.asnumpy()": lambda e: e.v.asnumpy(),
        "i.asnumpy()": lambda e: e.i.asnumpy(),
        "v.wait_to_read()": lambda e: e.v.wait_to_read(),
        "nd.waitall()": lambda e: e.nd.waitall(),
        "v.as_nd_ndarray() is v": lambda e: e.v.as_nd_ndarray() is e.v,
        "v.tostype('default')": lambda e: e.v.tostype("default"),
        "v.tostype('default') is v": lambda e: e.v.tostype("default") is e.v,
        "v.tostype('nonsense')": lambda e: e.v.tostype("nonsense"),
        "v.to_dlpack_for_read() is None": lambda e: e.v.to_dlpack_for_read() is None,
        "nd.from_dlpack(v.to_dlpack_for_write())": lambda e: e.nd.from_dlpack(e.v.to_dlpack_for_write()),
        "v.nonsense": lambda e: e.v.nonsense,
    },
    {
        "float(s)": "MXNet's arrays of one element are no Python numbers",
        "int(s)": "MXNet's arrays of one element are no Python numbers",
        "float(v)": "MXNet's arrays of one element are no Python numbers",
        "int(nd.array([3], dtype='int32'))": "MXNet's arrays of one element are no Python numbers",
        "[1, 2, 3][nd.array([1], dtype='int32')]": "MXNet's arrays of one element are no Python numbers",
        "np.array(v)": "MXNet's arrays do not have numpy's array protocol",
        "np.asarray(m).sum()": "MXNet's arrays do not have numpy's array protocol",
        "np.array(v, dtype='int32')": "MXNet's arrays do not have numpy's array protocol",
    },
)

CASES.expressions(
    "conversion",
    {
        "v.astype('int32')": lambda e: e.v.astype("int32"),
        "v.astype(np.float64)": lambda e: e.v.astype(np.float64),
        "v.astype('float16')": lambda e: e.v.astype("float16"),
        "i.astype('float32')": lambda e: e.i.astype("float32"),
        "v.astype('uint8')": lambda e: e.v.astype("uint8"),
        "v.astype('bool')": lambda e: e.v.astype("bool"),
        "v.astype('float32') is v": lambda e: e.v.astype("float32") is e.v,
        "v.astype('float32', copy=False) is v": lambda e: e.v.astype("float32", copy=False) is e.v,
        "v.astype('nonsense')": lambda e: e.v.astype("nonsense"),
        "v.astype(dtype='int8')": lambda e: e.v.astype(dtype="int8"),
        "v.copy()": lambda e: e.v.copy(),
        "v.copy() is v": lambda e: e.v.copy() is e.v,
        "v.copyto(mx.cpu(1))": lambda e: e.v.copyto(e.mx.cpu(1)),
        "v.copyto(nd.zeros((4,)))": lambda e: e.v.copyto(e.nd.zeros((4,))),
        "v.copyto(nd.zeros((4,), dtype='int32'))": lambda e: e.v.copyto(e.nd.zeros((4,), dtype="int32")),
        "v.copyto(nd.zeros((2, 2)))": lambda e: e.v.copyto(e.nd.zeros((2, 2))),
        "v.copyto(nd.zeros((3,)))": lambda e: e.v.copyto(e.nd.zeros((3,))),
        "v.copyto(v)": lambda e: e.v.copyto(e.v),
        "v.copyto(3)": lambda e: e.v.copyto(3),
        "v.as_in_context(mx.cpu(0)) is v": lambda e: e.v.as_in_context(e.mx.cpu(0)) is e.v,
        "v.as_in_context(mx.cpu(1))": lambda e: e.v.as_in_context(e.mx.cpu(1)),
        "v.detach()": lambda e: e.v.detach(),
        "m.reshape((4, 3))": lambda e: e.m.reshape((4, 3)),
        "m.reshape(4, 3)": lambda e: e.m.reshape(4, 3),
        "m.reshape(-1)": lambda e: e.m.reshape(-1),
        "m.reshape((-1,)).shape": lambda e: e.m.reshape((-1,)).shape,
        "m.reshape((0, -1)).shape": lambda e: e.m.reshape((0, -1)).shape,
        "t.reshape((-3, 0)).shape": lambda e: e.t.reshape((-3, 0)).shape,
        "t.reshape((-4, 1, 2, -2)).shape": lambda e: e.t.reshape((-4, 1, 2, -2)).shape,
        "t.reshape((0, 0, -1)).shape": lambda e: e.t.reshape((0, 0, -1)).shape,
        "t.reshape(shape=(-1, 4)).shape": lambda e: e.t.reshape(shape=(-1, 4)).shape,
        "t.reshape((-1, 0), reverse=True).shape": lambda e: e.t.reshape((-1, 0), reverse=True).shape,
        "m.reshape((5, 2))": lambda e: e.m.reshape((5, 2)),
        "m.reshape((5, -1))": lambda e: e.m.reshape((5, -1)),
        "m.reshape(6)": lambda e: e.m.reshape(6),
        "m.reshape((2, 3))": lambda e: e.m.reshape((2, 3)),
        "m.reshape_like(t)": lambda e: e.m.reshape_like(e.t),
        "m.reshape_like(nd.zeros((4, 3)))": lambda e: e.m.reshape_like(e.nd.zeros((4, 3))),
        "m.expand_dims(1).shape": lambda e: e.m.expand_dims(1).shape,
        "m.expand_dims(axis=0).shape": lambda e: e.m.expand_dims(axis=0).shape,
        "nd.expand_dims(m, 1).shape": lambda e: e.nd.expand_dims(e.m, 1).shape,
        "m.flatten().shape": lambda e: e.m.flatten().shape,
        "t.flatten().shape": lambda e: e.t.flatten().shape,
        "t.squeeze().shape": lambda e: e.t.squeeze().shape,
        "r.squeeze()": lambda e: e.r.squeeze(),
        "m.transpose()": lambda e: e.m.transpose(),
        "t.transpose((2, 0, 1)).shape": lambda e: e.t.transpose((2, 0, 1)).shape,
        "t.transpose(axes=(1, 0, 2)).shape": lambda e: e.t.transpose(axes=(1, 0, 2)).shape,
        "t.swapaxes(0, 2).shape": lambda e: e.t.swapaxes(0, 2).shape,
        "m.broadcast_to((2, 3, 4)).shape": lambda e: e.m.broadcast_to((2, 3, 4)).shape,
        "r.broadcast_to((3, 4))": lambda e: e.r.broadcast_to((3, 4)),
        "c.broadcast_to((3, 2))": lambda e: e.c.broadcast_to((3, 2)),
        "r.broadcast_like(m)": lambda e: e.r.broadcast_like(e.m),
        "v.tile(2)": lambda e: e.v.tile(2),
        "v.tile((2, 1))": lambda e: e.v.tile((2, 1)),
        "v.repeat(2)": lambda e: e.v.repeat(2),
        "m.flip(axis=0)": lambda e: e.m.flip(axis=0),
        "m.split(2, axis=1)": lambda e: e.m.split(2, axis=1),
        "nd.split(m, num_outputs=3, axis=0)": lambda e: e.nd.split(e.m, num_outputs=3, axis=0),
        "m.slice((0, 1), (2, 3))": lambda e: e.m.slice((0, 1), (2, 3)),
        "m.slice_axis(1, 1, 3)": lambda e: e.m.slice_axis(1, 1, 3),
        "m.slice_axis(axis=0, begin=-2, end=None)": lambda e: e.m.slice_axis(axis=0, begin=-2, end=None),
        "m.take(nd.array([0, 2]))": lambda e: e.m.take(e.nd.array([0, 2])),
        "m.pick(nd.array([0, 1, 2]))": lambda e: e.m.pick(e.nd.array([0, 1, 2])),
        "m.one_hot(3).shape": lambda e: e.m.one_hot(3).shape,
    },
    {
        "m.reshape((2, 3))": "MXNet's method takes a shape with fewer elements and cuts the rest off",
    },
)

CASES.expressions(
    "arithmetic",
    {
        "v + v": lambda e: e.v + e.v,
        "v - 1": lambda e: e.v - 1,
        "1 - v": lambda e: 1 - e.v,
        "v * 2": lambda e: e.v * 2,
        "v / 2": lambda e: e.v / 2,
        "2 / v": lambda e: 2 / e.v,
        "v % 2": lambda e: e.v % 2,
        "5 % v": lambda e: 5 % e.v,
        "v ** 2": lambda e: e.v**2,
        "2 ** v": lambda e: 2**e.v,
        "-v": lambda e: -e.v,
        "abs(v)": lambda e: abs(e.v),
        "m + r": lambda e: e.m + e.r,
        "m + c": lambda e: e.m + e.c,
        "r * c": lambda e: e.r * e.c,
        "m / r": lambda e: e.m / e.r,
        "m - nd.array([1])": lambda e: e.m - e.nd.array([1]),
        "m + v": lambda e: e.m + e.v,
        "m + nd.array([1, 2])": lambda e: e.m + e.nd.array([1, 2]),
        "m + nd.zeros((3,))": lambda e: e.m + e.nd.zeros((3,)),
        "v + i": lambda e: e.v + e.i,
        "v + nd.array([1, 2, 3, 4], dtype='float64')": lambda e: e.v + e.nd.array([1, 2, 3, 4], dtype="float64"),
        "v + d": lambda e: e.v + e.d,
        "i + i": lambda e: e.i + e.i,
        "i + j": lambda e: e.i + e.j,
        "i - j": lambda e: e.i - e.j,
        "i * j": lambda e: e.i * e.j,
        "i / j": lambda e: e.i / e.j,
        "i / 2": lambda e: e.i / 2,
        "i // 2": lambda e: e.i // 2,
        "i % j": lambda e: e.i % e.j,
        "i % 3": lambda e: e.i % 3,
        "i ** 2": lambda e: e.i**2,
        "i + 1.7": lambda e: e.i + 1.7,
        "i * 1.9": lambda e: e.i * 1.9,
        "1 - i": lambda e: 1 - e.i,
        "7 / j": lambda e: 7 / e.j,
        "7 % j": lambda e: 7 % e.j,
        "2 ** j": lambda e: 2**e.j,
        "-i": lambda e: -e.i,
        "abs(i)": lambda e: abs(e.i),
        "b + 10": lambda e: e.b + 10,
        "b + b": lambda e: e.b + e.b,
        "b - 5": lambda e: e.b - 5,
        "b * 2": lambda e: e.b * 2,
        "l + 1": lambda e: e.l + 1,
        "l * 3000000000": lambda e: e.l * 3000000000,
        "d + 1": lambda e: e.d + 1,
        "h + 1": lambda e: e.h + 1,
        "h * h": lambda e: e.h * e.h,
        "v == v": lambda e: e.v == e.v,
        "v == 1": lambda e: e.v == 1,
        "v != 1": lambda e: e.v != 1,
        "v > 0": lambda e: e.v > 0,
        "v >= 3": lambda e: e.v >= 3,
        "v < 0": lambda e: e.v < 0,
        "v <= 0.5": lambda e: e.v <= 0.5,
        "0 < v": lambda e: 0 < e.v,
        "i == j": lambda e: e.i == e.j,
        "i > j": lambda e: e.i > e.j,
        "i > 2": lambda e: e.i > 2,
        "i == 2.5": lambda e: e.i == 2.5,
        "m > r": lambda e: e.m > e.r,
        "v == None": lambda e: e.v == None,
        "v != None": lambda e: e.v != None,
        "v == 'a'": lambda e: e.v == "a",
        "v + 'a'": lambda e: e.v + "a",
        "v + None": lambda e: e.v + None,
        "v + [1, 2, 3, 4]": lambda e: e.v + [1, 2, 3, 4],
        "v < None": lambda e: e.v < None,
        "v + nd.ones((4,), ctx=mx.cpu(1))": lambda e: e.v + e.nd.ones((4,), ctx=e.mx.cpu(1)),
        "(nd.ones((2,), ctx=mx.cpu(1)) + 1)": lambda e: e.nd.ones((2,), ctx=e.mx.cpu(1)) + 1,
        "(nd.ones((2,), ctx=mx.cpu(1)) + nd.ones((2,), ctx=mx.cpu(1)))": lambda e: (
            e.nd.ones((2,), ctx=e.mx.cpu(1)) + e.nd.ones((2,), ctx=e.mx.cpu(1))
        ),
        "nd.ones((2,), ctx=mx.cpu(1)).sum()": lambda e: e.nd.ones((2,), ctx=e.mx.cpu(1)).sum(),
        "nd.ones((2,), ctx=mx.cpu(1))[0]": lambda e: e.nd.ones((2,), ctx=e.mx.cpu(1))[0],
        "nd.ones((2,), ctx=mx.cpu(1)).reshape((1, 2))": lambda e: e.nd.ones((2,), ctx=e.mx.cpu(1)).reshape((1, 2)),
        "nd.relu(nd.ones((2,), ctx=mx.cpu(1)))": lambda e: e.nd.relu(e.nd.ones((2,), ctx=e.mx.cpu(1))),
        "v + True": lambda e: e.v + True,
        "v + float('inf')": lambda e: e.v + float("inf"),
        "v / 0": lambda e: e.v / 0,
        "i / 0": lambda e: e.i / 0,
        "v.abs()": lambda e: e.v.abs(),
        "v.sum()": lambda e: e.v.sum(),
        "m.sum(axis=0)": lambda e: e.m.sum(axis=0),
        "m.sum(axis=1, keepdims=True)": lambda e: e.m.sum(axis=1, keepdims=True),
        "m.sum(1)": lambda e: e.m.sum(1),
        "t.sum(axis=(0, 2))": lambda e: e.t.sum(axis=(0, 2)),
        "m.mean()": lambda e: e.m.mean(),
        "m.mean(axis=1)": lambda e: e.m.mean(axis=1),
        "m.max()": lambda e: e.m.max(),
        "m.max(axis=0)": lambda e: e.m.max(axis=0),
        "m.min(axis=(0, 1))": lambda e: e.m.min(axis=(0, 1)),
        "m.prod(axis=0)": lambda e: e.m.prod(axis=0),
        "m.norm()": lambda e: e.m.norm(),
        "m.argmax(axis=1)": lambda e: e.m.argmax(axis=1),
        "m.argmin(axis=0)": lambda e: e.m.argmin(axis=0),
        "m.argmax()": lambda e: e.m.argmax(),
        "v.clip(0, 1)": lambda e: e.v.clip(0, 1),
        "v.clip(a_min=-1, a_max=1)": lambda e: e.v.clip(a_min=-1, a_max=1),
        "v.relu()": lambda e: e.v.relu(),
        "v.sigmoid()": lambda e: e.v.sigmoid(),
        "v.exp()": lambda e: e.v.exp(),
        "v.square()": lambda e: e.v.square(),
        "v.sqrt()": lambda e: e.v.sqrt(),
        "v.sign()": lambda e: e.v.sign(),
        "v.round()": lambda e: e.v.round(),
        "v.floor()": lambda e: e.v.floor(),
        "v.ceil()": lambda e: e.v.ceil(),
        "v.log_softmax()": lambda e: e.v.log_softmax(),
        "v.softmax()": lambda e: e.v.softmax(),
        "m.softmax(axis=0)": lambda e: e.m.softmax(axis=0),
        "nd.dot(m, m.T)": lambda e: e.nd.dot(e.m, e.m.T),
        "m.dot(v)": lambda e: e.m.dot(e.v),
        "nd.add(v, 1)": lambda e: e.nd.add(e.v, 1),
        "nd.add(1, v)": lambda e: e.nd.add(1, e.v),
        "nd.add(v, v)": lambda e: e.nd.add(e.v, e.v),
        "nd.add(1, 2)": lambda e: e.nd.add(1, 2),
        "nd.subtract(1, v)": lambda e: e.nd.subtract(1, e.v),
        "nd.multiply(v, 2)": lambda e: e.nd.multiply(e.v, 2),
        "nd.divide(2, v)": lambda e: e.nd.divide(2, e.v),
        "nd.modulo(v, 2)": lambda e: e.nd.modulo(e.v, 2),
        "nd.power(2, v)": lambda e: e.nd.power(2, e.v),
        "nd.maximum(v, 0)": lambda e: e.nd.maximum(e.v, 0),
        "nd.maximum(m, r)": lambda e: e.nd.maximum(e.m, e.r),
        "nd.minimum(1, v)": lambda e: e.nd.minimum(1, e.v),
        "nd.equal(v, 1)": lambda e: e.nd.equal(e.v, 1),
        "nd.not_equal(v, v)": lambda e: e.nd.not_equal(e.v, e.v),
        "nd.greater(1, v)": lambda e: e.nd.greater(1, e.v),
        "nd.greater_equal(v, 1)": lambda e: e.nd.greater_equal(e.v, 1),
        "nd.lesser(v, 1)": lambda e: e.nd.lesser(e.v, 1),
        "nd.lesser_equal(1, v)": lambda e: e.nd.lesser_equal(1, e.v),
        "nd.logical_and(v, 0)": lambda e: e.nd.logical_and(e.v, 0),
        "nd.logical_or(v, 0)": lambda e: e.nd.logical_or(e.v, 0),
        "nd.logical_xor(v, v)": lambda e: e.nd.logical_xor(e.v, e.v),
        "nd.true_divide(v, 2)": lambda e: e.nd.true_divide(e.v, 2),
        "nd.add('a', v)": lambda e: e.nd.add("a", e.v),
        "nd.maximum(3, 4)": lambda e: e.nd.maximum(3, 4),
        "nd.elemwise_add(v, v)": lambda e: e.nd.elemwise_add(e.v, e.v),
        "nd.elemwise_add(m, r)": lambda e: e.nd.elemwise_add(e.m, e.r),
        "nd.broadcast_add(m, r)": lambda e: e.nd.broadcast_add(e.m, e.r),
        "nd.relu(v, name='x')": lambda e: e.nd.relu(e.v, name="x"),
        "nd.relu(data=v)": lambda e: e.nd.relu(data=e.v),
        "nd.relu()": lambda e: e.nd.relu(),
        "nd.relu(v, v)": lambda e: e.nd.relu(e.v, e.v),
        "nd.relu(3)": lambda e: e.nd.relu(3),
        "nd.relu([1.0])": lambda e: e.nd.relu([1.0]),
        "nd.relu(v, axis=1)": lambda e: e.nd.relu(e.v, axis=1),
        "nd.nonsense(v)": lambda e: e.nd.nonsense(e.v),
        "nd.sum(m, 1)": lambda e: e.nd.sum(e.m, 1),
        "nd.sum(m, axis='1')": lambda e: e.nd.sum(e.m, axis="1"),
        "nd.sum(m, axis='(0, 1)')": lambda e: e.nd.sum(e.m, axis="(0, 1)"),
        "nd.sum(m, axis=5)": lambda e: e.nd.sum(e.m, axis=5),
        "nd.sum(data=m, axis=1, keepdims='True')": lambda e: e.nd.sum(data=e.m, axis=1, keepdims="True"),
        "nd.sum(m, axis=[0, 1])": lambda e: e.nd.sum(e.m, axis=[0, 1]),
        "nd.clip(v, 0, 1)": lambda e: e.nd.clip(e.v, 0, 1),
        "nd.clip(v, '0', '1')": lambda e: e.nd.clip(e.v, "0", "1"),
        "nd.Activation(v, act_type='relu')": lambda e: e.nd.Activation(e.v, act_type="relu"),
        "nd.Activation(v, 'relu')": lambda e: e.nd.Activation(e.v, "relu"),
        "nd.Activation(v, act_type='nonsense')": lambda e: e.nd.Activation(e.v, act_type="nonsense"),
        "nd.Activation(v)": lambda e: e.nd.Activation(e.v),
        "nd.FullyConnected(m, nd.ones((2, 4)), nd.zeros((2,)), num_hidden=2)": lambda e: e.nd.FullyConnected(
            e.m, e.nd.ones((2, 4)), e.nd.zeros((2,)), num_hidden=2
        ),
        "nd.FullyConnected(m, nd.ones((2, 4)), num_hidden=2, no_bias=True)": lambda e: e.nd.FullyConnected(
            e.m, e.nd.ones((2, 4)), num_hidden=2, no_bias=True
        ),
        "nd.FullyConnected(m, nd.ones((2, 4)), None, num_hidden=2, no_bias=True)": lambda e: e.nd.FullyConnected(
            e.m, e.nd.ones((2, 4)), None, num_hidden=2, no_bias=True
        ),
        "nd.FullyConnected(data=m, weight=nd.ones((2, 4)), bias=nd.zeros((2,)), num_hidden=2)": lambda e: (
            e.nd.FullyConnected(data=e.m, weight=e.nd.ones((2, 4)), bias=e.nd.zeros((2,)), num_hidden=2)
        ),
        "nd.FullyConnected(m, nd.ones((2, 4)), nd.zeros((2,)), 2)": lambda e: e.nd.FullyConnected(
            e.m, e.nd.ones((2, 4)), e.nd.zeros((2,)), 2
        ),
        "nd.FullyConnected(m, nd.ones((2, 5)), nd.zeros((2,)), num_hidden=2)": lambda e: e.nd.FullyConnected(
            e.m, e.nd.ones((2, 5)), e.nd.zeros((2,)), num_hidden=2
        ),
        "nd.FullyConnected(m, nd.ones((2, 4)), num_hidden=2)": lambda e: e.nd.FullyConnected(
            e.m, e.nd.ones((2, 4)), num_hidden=2
        ),
        "nd.Concat(m, m, dim=1)": lambda e: e.nd.Concat(e.m, e.m, dim=1),
        "nd.Concat(m, m, dim=1, num_args=2)": lambda e: e.nd.Concat(e.m, e.m, dim=1, num_args=2),
        "nd.Concat(m, r, dim=1)": lambda e: e.nd.Concat(e.m, e.r, dim=1),
        "nd.concat(*[m, m], dim=0).shape": lambda e: e.nd.concat(*[e.m, e.m], dim=0).shape,
        "nd.stack(v, v)": lambda e: e.nd.stack(e.v, e.v),
        "nd.stack(v, v, axis=1)": lambda e: e.nd.stack(e.v, e.v, axis=1),
        "nd.add_n(v, v, v)": lambda e: e.nd.add_n(e.v, e.v, e.v),
        "nd.relu(v, out=nd.zeros((4,)))": lambda e: e.nd.relu(e.v, out=e.nd.zeros((4,))),
        "nd.relu(v, out=nd.zeros((3,)))": lambda e: e.nd.relu(e.v, out=e.nd.zeros((3,))),
        "nd.cast(v, dtype='int32')": lambda e: e.nd.cast(e.v, dtype="int32"),
        "nd.Cast(v, 'int32')": lambda e: e.nd.Cast(e.v, "int32"),
        "nd.topk(v, k=2)": lambda e: e.nd.topk(e.v, k=2),
        "nd.where(v > 0, v, -v)": lambda e: e.nd.where(e.v > 0, e.v, -e.v),
        "nd.BatchNorm(m, nd.ones((4,)), nd.zeros((4,)), nd.zeros((4,)), nd.ones((4,)))": lambda e: e.nd.BatchNorm(
            e.m, e.nd.ones((4,)), e.nd.zeros((4,)), e.nd.zeros((4,)), e.nd.ones((4,))
        ),
        "nd.Dropout(v)": lambda e: e.nd.Dropout(e.v),
        "nd.SoftmaxOutput(m, nd.zeros((3,)))": lambda e: e.nd.SoftmaxOutput(e.m, e.nd.zeros((3,))),
    },
    {
        "i / 0": "integers divided by zero kill MXNet's process on most machines",
        "nd.relu(v, v)": "MXNet takes the second array for the name",
        "nd.relu(v, axis=1)": "MXNet drops attributes that the operator does not have; we name them",
    },
)

CASES.expressions(
    "read",
    {
        "v[0]": lambda e: e.v[0],
        "v[-1]": lambda e: e.v[-1],
        "v[4]": lambda e: e.v[4],
        "v[-5]": lambda e: e.v[-5],
        "v[1:3]": lambda e: e.v[1:3],
        "v[:2]": lambda e: e.v[:2],
        "v[2:]": lambda e: e.v[2:],
        "v[::2]": lambda e: e.v[::2],
        "v[::-1]": lambda e: e.v[::-1],
        "v[3:0:-2]": lambda e: e.v[3:0:-2],
        "v[10:]": lambda e: e.v[10:],
        "v[np.int64(1)]": lambda e: e.v[np.int64(1)],
        "v[True]": lambda e: e.v[True],
        "v[0.5]": lambda e: e.v[0.5],
        "v['a']": lambda e: e.v["a"],
        "v[None]": lambda e: e.v[None],
        "v[...]": lambda e: e.v[...],
        "v[nd.array([0, 2])]": lambda e: e.v[e.nd.array([0, 2])],
        "v[nd.array([0, 2], dtype='int32')]": lambda e: e.v[e.nd.array([0, 2], dtype="int32")],
        "v[[0, 2]]": lambda e: e.v[[0, 2]],
        "v[np.array([0, 2])]": lambda e: e.v[np.array([0, 2])],
        "v[np.array([3, -1])]": lambda e: e.v[np.array([3, -1])],
        "v[[4]]": lambda e: e.v[[4]],
        "v[[[0, 1], [2, 3]]]": lambda e: e.v[[[0, 1], [2, 3]]],
        "v[v > 0]": lambda e: e.v[e.v > 0],
        "v[np.array([True, False, True, False])]": lambda e: e.v[np.array([True, False, True, False])],
        "v[nd.array([1, 0, 1, 0], dtype='bool')]": lambda e: e.v[e.nd.array([1, 0, 1, 0], dtype="bool")],
        "m[nd.array([1, 0, 1], dtype='bool')]": lambda e: e.m[e.nd.array([1, 0, 1], dtype="bool")],
        "v[()]": lambda e: e.v[()],
        "m[0]": lambda e: e.m[0],
        "m[-1]": lambda e: e.m[-1],
        "m[3]": lambda e: e.m[3],
        "m[0, 1]": lambda e: e.m[0, 1],
        "m[0, -1]": lambda e: e.m[0, -1],
        "m[1, 4]": lambda e: e.m[1, 4],
        "m[0, 1, 2]": lambda e: e.m[0, 1, 2],
        "m[0:2]": lambda e: e.m[0:2],
        "m[1:, 1:3]": lambda e: e.m[1:, 1:3],
        "m[:, 1]": lambda e: e.m[:, 1],
        "m[:, -1:]": lambda e: e.m[:, -1:],
        "m[::2, ::2]": lambda e: e.m[::2, ::2],
        "m[::-1]": lambda e: e.m[::-1],
        "m[:, ::-1]": lambda e: e.m[:, ::-1],
        "m[::-1, ::-2]": lambda e: e.m[::-1, ::-2],
        "m[2:0:-1, 1]": lambda e: e.m[2:0:-1, 1],
        "m[..., 1]": lambda e: e.m[..., 1],
        "m[1, ...]": lambda e: e.m[1, ...],
        "m[None]": lambda e: e.m[None],
        "m[:, None]": lambda e: e.m[:, None],
        "m[None, 1]": lambda e: e.m[None, 1],
        "m[..., None]": lambda e: e.m[..., None],
        "m[1, None, 2]": lambda e: e.m[1, None, 2],
        "m[[0, 2]]": lambda e: e.m[[0, 2]],
        "m[[0, 2], [1, 3]]": lambda e: e.m[[0, 2], [1, 3]],
        "m[[0, 2], 1]": lambda e: e.m[[0, 2], 1],
        "m[1, [0, 3]]": lambda e: e.m[1, [0, 3]],
        "m[:, [0, 3]]": lambda e: e.m[:, [0, 3]],
        "m[0:2, [0, 3]]": lambda e: e.m[0:2, [0, 3]],
        "m[[0, 2], 1:3]": lambda e: e.m[[0, 2], 1:3],
        "m[np.array([[0, 1], [1, 2]])]": lambda e: e.m[np.array([[0, 1], [1, 2]])],
        "m[nd.array([0, 1]), nd.array([1, 2])]": lambda e: e.m[e.nd.array([0, 1]), e.nd.array([1, 2])],
        "m[nd.array([[0], [2]]), nd.array([0, 1])]": lambda e: e.m[e.nd.array([[0], [2]]), e.nd.array([0, 1])],
        "m[(0, 1)]": lambda e: e.m[0, 1],
        "m[0][1]": lambda e: e.m[0][1],
        "m[0][1][0]": lambda e: e.m[0][1][0],
        "m[5:]": lambda e: e.m[5:],
        "m[1:1]": lambda e: e.m[1:1],
        "t[0, 1, 2]": lambda e: e.t[0, 1, 2],
        "t[0]": lambda e: e.t[0],
        "t[:, 1]": lambda e: e.t[:, 1],
        "t[:, :, 1]": lambda e: e.t[:, :, 1],
        "t[..., 1]": lambda e: e.t[..., 1],
        "t[0, ..., 1]": lambda e: e.t[0, ..., 1],
        "t[[0, 1], :, [1, 2]]": lambda e: e.t[[0, 1], :, [1, 2]],
        "t[:, [0, 2], :]": lambda e: e.t[:, [0, 2], :],
        "t[:, [0, 2], [1, 3]]": lambda e: e.t[:, [0, 2], [1, 3]],
        "t[1, :, [1, 2]]": lambda e: e.t[1, :, [1, 2]],
        "t[:, [[0, 1], [1, 2]]].shape": lambda e: e.t[:, [[0, 1], [1, 2]]].shape,
        "t[None, 0, :, None].shape": lambda e: e.t[None, 0, :, None].shape,
        "t[::-1, 1:, ::-2]": lambda e: e.t[::-1, 1:, ::-2],
        "t[0, [0, 1], 1:3]": lambda e: e.t[0, [0, 1], 1:3],
        "nd.array(5)[()]": lambda e: e.nd.array(5)[()],
        "nd.array(5)[0]": lambda e: e.nd.array(5)[0],
        "m[0, slice(None, None, 0)]": lambda e: e.m[0, slice(None, None, 0)],
        "m[..., ...]": lambda e: e.m[..., ...],
    },
    {
        "v[np.array([True, False, True, False])]": "MXNet reads True and False as the positions 1 and 0",
        "v[nd.array([1, 0, 1, 0], dtype='bool')]": "MXNet refuses arrays of booleans",
        "m[nd.array([1, 0, 1], dtype='bool')]": "MXNet refuses arrays of booleans",
    },
)


def put(mx, name, key, value):
    array = getattr(Example(mx), name)
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
        "write {}: {}[{!r}]".format(_number, _name, _key),
        lambda mx, n=_name, k=_key, v=_value: put(mx, n, k, v),
        WRITES_DIFFER.get((_name, str(_key))),
    )


IN_PLACE = {
    "v += 1": lambda e: e.v.__iadd__(1),
    "v -= v": lambda e: e.v.__isub__(e.v),
    "v *= 2.5": lambda e: e.v.__imul__(2.5),
    "v /= 2": lambda e: e.v.__itruediv__(2),
    "v %= 2": lambda e: e.v.__imod__(2),
    "m += r": lambda e: e.m.__iadd__(e.r),
    "m *= c": lambda e: e.m.__imul__(e.c),
    "r += m": lambda e: e.r.__iadd__(e.m),
    "i += 1.7": lambda e: e.i.__iadd__(1.7),
    "i /= 2": lambda e: e.i.__itruediv__(2),
    "v += i": lambda e: e.v.__iadd__(e.i),
    "v += 'a'": lambda e: e.v.__iadd__("a"),
}


def _run_in_place(operate):
    def case(mx):
        e = Example(mx)
        result = operate(e)
        return [result, e.v, e.i, e.m]

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
    mx.nd.waitall()
    return [x, y.tolist()]


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
