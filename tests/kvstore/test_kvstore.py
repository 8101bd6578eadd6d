import numpy as np
import pytest
from optimizer.golden import recorded

import gluonnx as mx
from gluonnx.errors import ArgumentError, MXNetError

ON_TWO = [mx.cpu(0), mx.cpu(1)]


def arrays(*values):
    return [mx.nd.full((3,), v, ctx=c) for v, c in zip(values, ON_TWO, strict=True)]


@pytest.mark.parametrize("kind", ["local", "device", "local_allreduce_cpu"])
def test_push_stores_the_sum(kind):
    kv = mx.kv.create(kind)
    assert (kv.type, kv.rank, kv.num_workers, kv.is_capable("optimizer")) == (kind, 0, 1, True)
    kv.init(3, mx.nd.ones((3,)))
    for _ in range(2):
        kv.push(3, arrays(1, 5))
    out = arrays(0, 0)
    kv.pull(3, out=out)
    assert [o.context for o in out] == ON_TWO
    for o in out:
        np.testing.assert_array_equal(o.asnumpy(), 6)


def test_pushpull_replaces_its_values():
    kv = mx.kv.create()
    kv.init(["a", "b"], [mx.nd.ones((3,))] * 2)
    values = [arrays(1, 2), arrays(3, 4)]
    kv.pushpull(["a", "b"], values)
    assert [[float(v[0].asscalar()) for v in row] for row in values] == [[3, 3], [7, 7]]
    out = mx.nd.zeros((3,))
    kv.pushpull("a", values[1], out=out)
    np.testing.assert_array_equal(out.asnumpy(), 14)


def test_what_is_pushed_is_copied():
    kv = mx.kv.create()
    kv.init(0, mx.nd.ones((3,)))
    pushed = mx.nd.full((3,), 2)
    kv.push(0, pushed)
    pushed[:] = 9
    out = mx.nd.zeros((3,))
    kv.pull(0, out=out)
    np.testing.assert_array_equal(out.asnumpy(), 2)


def test_updater():
    seen = []

    def update(key, total, stored):
        seen.append(key)
        stored += total * 2

    kv = mx.kv.create()
    kv._set_updater(update)
    kv.init([0, 1], [mx.nd.ones((3,))] * 2)
    kv.push([0, 1], [arrays(1, 1), arrays(2, 2)])
    out = [mx.nd.zeros((3,)), mx.nd.zeros((3,))]
    kv.pull([0, 1], out=out)
    assert seen == [0, 1]
    assert [float(o[0].asscalar()) for o in out] == [5, 9]


def test_optimizer_and_its_states(tmp_path):
    results = []
    for _ in range(2):
        kv = mx.kv.create("device")
        kv.set_optimizer(mx.optimizer.create("sgd", learning_rate=0.5, momentum=0.5))
        kv.broadcast(["a", "b"], [mx.nd.ones((3,))] * 2, out=[mx.nd.zeros((3,))] * 2)
        if results:
            kv.load_optimizer_states(tmp_path / "states")
        kv.push(["a", "b"], [arrays(1, 1), arrays(2, 2)])
        if not results:
            kv.save_optimizer_states(tmp_path / "states", dump_optimizer=True)
        out = mx.nd.zeros((3,))
        kv.pull("b", out=out)
        results.append(float(out[0].asscalar()))
    # The second run starts with the momentum of the first, -0.5 * 4.
    assert results == [1 - 2, 1 + 0.5 * -2 - 2]


def test_compression_sends_what_mxnet_sends():
    kv = mx.kv.create("device")
    kv.set_gradient_compression({"type": "2bit", "threshold": 0.5})
    kv.init(0, mx.nd.zeros((40,)))
    golden = recorded("compression")
    for grad, sent in zip(golden["grads"], golden["sent"], strict=True):
        given = mx.nd.array(grad)
        kv.push(0, given)
        out = mx.nd.zeros((40,))
        kv.pull(0, out=out)
        np.testing.assert_array_equal(out.asnumpy(), sent)
        np.testing.assert_array_equal(given.asnumpy(), grad)


def test_compression_keeps_a_rest_for_each_device():
    kv = mx.kv.create("device")
    kv.set_gradient_compression({"type": "2bit"})
    kv.init(0, mx.nd.zeros((3,)))
    totals = []
    for _ in range(3):
        kv.push(0, arrays(0.3, -0.2))
        out = mx.nd.zeros((3,))
        kv.pull(0, out=out)
        totals.append(float(out[0].asscalar()))
    assert totals == [0, 0.5, -0.5]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"type": "1bit"}, "Unknown type for gradient compression: expected type='2bit' and a threshold, got .*1bit"),
        ({"type": "2bit", "size": 3}, "Unknown type for gradient compression: .*'size': 3"),
        ({"type": "2bit", "threshold": 0}, "expected a positive number, got threshold=0.0"),
    ],
)
def test_wrong_compression(params, message):
    with pytest.raises(ArgumentError, match=message):
        mx.kv.create("device").set_gradient_compression(params)


def test_compression_of_local():
    with pytest.raises(MXNetError, match="not supported for this type of kvstore: expected 'device', got 'local'"):
        mx.kv.create("local").set_gradient_compression({"type": "2bit"})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dist_sync", "training on several machines is not built yet: expected one of local, .* got name='dist_sync'"),
        ("horovod", "not built yet: .* got name='horovod'"),
        ("nosuch", "kvstore.create: unknown type: expected one of local, .* got name='nosuch'"),
    ],
)
def test_create_refuses(name, message):
    with pytest.raises(MXNetError, match=message):
        mx.kv.create(name)


def test_wrong_calls():
    with pytest.raises(TypeError, match="name must be a string: got int"):
        mx.kv.create(3)
    kv = mx.kv.create()
    kv.init(3, mx.nd.ones((3,)))
    with pytest.raises(ArgumentError, match="duplicate init of key 3"):
        kv.init(3, mx.nd.ones((3,)))
    with pytest.raises(ArgumentError, match="Mixed key types are not allowed: expected int, got key='a'"):
        kv.init("a", mx.nd.ones((3,)))
    with pytest.raises(ArgumentError, match="key 9 has not been inited"):
        kv.pull(9, out=mx.nd.ones((3,)))
    with pytest.raises(ArgumentError, match="key 9 has not been inited"):
        kv.push(9, mx.nd.ones((3,)))
    with pytest.raises(ArgumentError, match=r"key 3: expected shape \(3,\), got \(4,\)"):
        kv.push(3, mx.nd.ones((4,)))
    with pytest.raises(ArgumentError, match=r"shapes differ: expected \(3,\), got out of shape \(4,\)"):
        kv.pull(3, out=mx.nd.ones((4,)))
    with pytest.raises(ArgumentError, match="got out=None"):
        kv.pull(3)
    with pytest.raises(ArgumentError, match="expected arrays for each of 2 keys, got 1"):
        kv.push([3, 4], [mx.nd.ones((3,))])
    with pytest.raises(ArgumentError, match=r"expected an int or a str, got key=1\.5"):
        kv.init(1.5, mx.nd.ones((3,)))
    with pytest.raises(ArgumentError, match="cannot save states: expected an optimizer, got none"):
        kv.save_optimizer_states("x")
    with pytest.raises(ArgumentError, match="cannot load states: expected an optimizer"):
        kv.load_optimizer_states("x")
    with pytest.raises(ArgumentError, match="got out=None or row_ids=None"):
        kv.row_sparse_pull(3)
    rows = mx.nd.sparse.zeros("row_sparse", (3,))
    with pytest.raises(MXNetError, match="key 3: wrong storage type: expected row_sparse, got default stored"):
        kv.row_sparse_pull(3, out=rows, row_ids=mx.nd.array([0]))
    with pytest.raises(ArgumentError, match="key 3: expected rows for each of 1 arrays, got 2"):
        kv.row_sparse_pull(3, out=rows, row_ids=[mx.nd.array([0]), mx.nd.array([1])])
    with pytest.raises(ValueError, match="Unknown capability: expected 'optimizer', got 'x'"):
        kv.is_capable("x")


def test_teststore_and_own_classes(monkeypatch):
    monkeypatch.setattr(mx.kv.KVStoreBase, "kv_registry", dict(mx.kv.KVStoreBase.kv_registry))
    kv = mx.kv.create("teststore")
    assert (kv.type, kv.is_capable("optimizer")) == ("teststore", False)
    values = arrays(1, 2)
    kv.pushpull(0, values)
    np.testing.assert_array_equal(values[1].asnumpy(), 3)
    out = arrays(0, 0)
    kv.broadcast(0, mx.nd.full((3,), 4), out)
    np.testing.assert_array_equal(out[1].asnumpy(), 4)

    @mx.kv.KVStoreBase.register
    class Own(mx.kv.KVStoreBase):
        pass

    own = mx.kv.create("own")
    assert type(own) is Own
    for call in (
        lambda: own.broadcast(0, 1, 2),
        lambda: own.pushpull(0, 1),
        lambda: own.set_optimizer(None),
        lambda: own.type,
    ):
        with pytest.raises(NotImplementedError, match="Own: a kvstore"):
            call()
