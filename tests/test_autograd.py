"""Every autograd case against MXNet's recorded answer, and what only gluonnx promises."""

import gc
import threading
import weakref

import pytest
import torch
from answers import check, recorded
from autograd_cases import CASES

import gluonnx as mx
from gluonnx.errors import MXNetError

ANSWERS = recorded("autograd")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])


nd, autograd = mx.nd, mx.autograd


def variable(*values):
    x = nd.array(values or (1.0, 2.0))
    x.attach_grad()
    return x


def test_torchs_grad_mode_is_left_as_it_was():
    x = variable()
    for enabled in (True, False):
        with torch.set_grad_enabled(enabled):
            with autograd.record():
                assert torch.is_grad_enabled()
                y = x * x
                with autograd.pause():
                    z = x * x
            assert torch.is_grad_enabled() is enabled
            assert y._t.requires_grad
            assert not z._t.requires_grad
            y.backward()
            assert x.grad.asnumpy().tolist() == [2.0, 4.0]
    w = torch.ones(2, requires_grad=True)
    with autograd.record():
        (w * 2).sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]


def test_torch_records_nothing_outside_record():
    x = variable()
    with torch.enable_grad():
        results = [x + 1, x * x, nd.relu(x), x[0], x.reshape((2, 1)), x.sum(), nd.concat(x, x, dim=0), -x, x.copy()]
    assert not any(r._t.requires_grad for r in results)
    assert not torch.from_dlpack(x).requires_grad


def test_modes_come_back_after_an_error():
    with pytest.raises(KeyError, match="x"), autograd.record(), torch.no_grad():
        raise KeyError("x")
    assert (autograd.is_recording(), autograd.is_training(), torch.is_grad_enabled()) == (False, False, True)


def _plain():
    nd.ones(2).backward()


def _twice():
    x = variable()
    with autograd.record():
        y = x * x
    y.backward()
    y.backward()


def _changed_in_place():
    x, w = variable(), variable()
    with autograd.record():
        y = x * w
    w[:] = 5
    y.backward()


def _in_place():
    x = variable()
    with autograd.record():
        x += 1


def _in_place_of_tracked():
    x, total = variable(), nd.zeros(2)
    with autograd.record():
        total += x


def _lengths():
    x = variable()
    with autograd.record():
        y = x * x
    autograd.backward([y], [None, None])


def _unused():
    x, w = variable(), variable(1.0, 2.0, 3.0)
    with autograd.record():
        y = x * x
    autograd.grad(y, [w])


def _head_of_another_size():
    x = variable()
    with autograd.record():
        y = x * x
    y.backward(nd.ones((3,)))


def _head_of_another_type():
    x = variable()
    with autograd.record():
        y = x * x
    y.backward(3)


def _symbol_of(fn):
    x = variable()
    with autograd.record():
        y = fn(x)
    return autograd.get_symbol(y)


class Doubled(autograd.Function):
    def forward(self, x):
        return x * 2

    def backward(self, dy):
        return dy * 2


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (_plain, r"not in a recorded graph: .*`with autograd\.record\(\):`"),
        (_twice, r"an earlier backward has not freed.*retain_graph=True"),
        (_changed_in_place, r"changed in place after it was recorded"),
        (_in_place, r"part of a recorded graph cannot be changed in place"),
        (_in_place_of_tracked, r"part of a recorded graph cannot be changed in place"),
        (_lengths, r"heads and head_grads differ in length: expected 1, got 2 head_grads"),
        (_head_of_another_size, r"does not fit its head: expected shape \(2,\), got \(3,\)"),
        (_head_of_another_type, r"wrong head gradient: expected an NDArray or None, got int"),
        (lambda: autograd.backward([]), r"expected at least one head, got none"),
        (lambda: autograd.backward([3]), r"wrong head: expected NDArrays, got int"),
        (
            lambda: autograd.mark_variables([nd.ones(2)], []),
            r"expected 1, one for each variable, got 0 gradients and 1",
        ),
        (lambda: autograd.mark_variables([1], [nd.ones(2)]), r"not an array: expected NDArrays, got int"),
        (lambda: autograd.mark_variables(nd.ones(2), nd.ones(3)), r"expected \(2,\) float32, got \(3,\) float32"),
        (
            lambda: autograd.mark_variables(nd.ones(2), nd.ones(2, dtype="float64")),
            r"expected \(2,\) float32, got \(2,\) float64",
        ),
        (lambda: autograd.grad(nd.ones(2), []), r"variables cannot be an empty list"),
        (lambda: autograd.grad(nd.ones(2), nd.ones(2)), r"variable 0, which does not require a gradient"),
        (lambda: autograd.get_symbol(3), r"get_symbol: wrong type: expected an NDArray, got int"),
        (lambda: autograd.get_symbol(nd.ones(2)), r"get_symbol: the array is not part of a recorded graph"),
        (lambda: _symbol_of(lambda x: x[[0, 1]]), r"no operator: expected operators, got indexing with arrays"),
        (lambda: _symbol_of(lambda x: Doubled()(x) * 2), r"got a call of the Function Doubled"),
        (lambda: _symbol_of(lambda x: autograd.grad(x * x, x, create_graph=True)[0]), r"got an array that no operator"),
        (_unused, r"do not depend on a variable of shape \(3,\)"),
        (lambda: nd.array([1], dtype="int32").attach_grad(), r"expected a float dtype, got int32"),
    ],
)
def test_errors_say_what_to_do(run, message):
    with pytest.raises(MXNetError, match=message):
        run()


def test_unknown_grad_req_is_named():
    with pytest.raises(ValueError, match=r"expected one of write, add, null, got 'nonsense'"):
        nd.ones(2).attach_grad("nonsense")


def test_graphs_are_of_a_thread():
    x, w = variable(), variable()
    found = []

    def other():
        found.append(autograd.is_recording())
        y = w * w
        found.append(y._t.requires_grad)
        with autograd.record():
            z = w * w
        z.backward()

    with autograd.record():
        y = x * x
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        y = y * 2
    y.backward()
    assert found == [False, False]
    assert x.grad.asnumpy().tolist() == [4.0, 8.0]
    assert w.grad.asnumpy().tolist() == [2.0, 4.0]


def test_gradients_are_plain_writable_arrays():
    x = nd.ones((2, 3))
    x.attach_grad()
    with autograd.record():
        y = x.sum()
    y.backward()
    assert not x.grad._t.requires_grad
    x.grad[:] = 3
    grad = x.grad
    grad += 1
    assert x.grad.asnumpy().tolist() == [[4.0] * 3] * 2


def test_recorded_results_do_not_write_through():
    x = variable()
    with autograd.record():
        y = nd.Dropout(x, p=0.0)
        z = x.copy()
    z[:] = 9
    assert x.asnumpy().tolist() == [1.0, 2.0]
    assert y.asnumpy().tolist() == [1.0, 2.0]


def test_untracked_results_inside_record_own_their_memory():
    x = nd.ones((2, 3))
    with autograd.record():
        y = nd.transpose(x)
        y[:] = 5
    assert x.asnumpy().tolist() == [[1.0] * 3] * 2


def _bound(symbol, **values):
    return symbol.bind(mx.cpu(), {n: values[n] for n in symbol.list_arguments()}).forward()[0].asnumpy().tolist()


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x[1] + x[-1] * x[0:1],
        lambda x: x.reshape((2, 2))[0] * x.reshape((2, 2))[:, 1],
        lambda x: x.reshape((2, 2))[1, 0] + x.reshape((-1, 1))[1::2],
        lambda x: x.copy().astype("float64").as_in_context(mx.cpu(1)) * 2,
        lambda x: x.reshape((2, -1), reverse=True).T * 3,
        lambda x: nd.concat(*nd.split(x, 2, axis=0), x, dim=0).clip(1, 2),
        lambda x: 3 / (2 - x**2) + 2**x - x % 3,
        lambda x: nd.stack(x, x, axis=1).slice_axis(axis=0, begin=1, end=3).sum(axis=1),
    ],
)
def test_symbol_computes_what_was_recorded(fn):
    x = nd.array([1.0, 2.0, 3.0, 4.0])
    x.attach_grad()
    with autograd.record():
        y = fn(x)
    symbol = autograd.get_symbol(y)
    (name,) = symbol.list_arguments()
    assert _bound(symbol, **{name: x}) == y.asnumpy().tolist()
    assert mx.sym.load_json(symbol.tojson()).list_arguments() == [name]


def test_symbols_share_their_variables():
    x, c = variable(), nd.ones(2)
    with autograd.record():
        y, z = x * c, c / x
    group = mx.sym.Group([autograd.get_symbol(y), autograd.get_symbol(z)])
    assert len(group.list_arguments()) == 2
    assert group.list_arguments()[0].startswith("var")
    assert group.list_arguments()[1].startswith("null")


def test_symbol_of_hybridized_block_has_its_operators():
    net = mx.gluon.nn.Dense(3, activation="relu")
    net.initialize()
    net.hybridize()
    with autograd.record():
        y = net(nd.ones((2, 4))) * 2
    nodes = [s.name.rstrip("0123456789") for s in autograd.get_symbol(y).get_internals()]
    assert nodes == ["null", "var", "var", f"{net.name}_fwd", f"{net.name}_relu_fwd", "node_"]


def test_symbol_of_a_long_graph():
    x = variable()
    with autograd.record():
        y = x
        for _ in range(3000):
            y = y * 1.0
    assert len(autograd.get_symbol(y).get_internals()) == 3001


def test_recording_holds_no_arrays():
    x = variable()
    with autograd.record():
        y = x * 2
        there = weakref.ref(y)
        z = nd.relu(y) + nd.ones(2)
    del y
    assert there() is None
    z.backward()
    assert x.grad.asnumpy().tolist() == [2.0, 2.0]


@pytest.mark.parametrize("stype", ["default", "row_sparse"])
def test_variables_are_freed_without_a_collector(stype):
    gc.collect()
    gc.disable()
    try:
        x = nd.ones((2, 3)).tostype(stype)
        x.attach_grad()
        with autograd.record():
            y = (x * x).sum()
        y.backward()
        there = [weakref.ref(x._leaf), weakref.ref(x.grad), weakref.ref(x)]
        del x, y
        assert [t() for t in there] == [None, None, None]
    finally:
        gc.enable()


def test_gradient_of_a_variable_that_is_gone():
    x = variable()
    grad = x.grad
    with autograd.record():
        y = x * x
    del x
    y.backward()
    assert grad.asnumpy().tolist() == [2.0, 4.0]


def test_gradients_that_nobody_looks_into_are_not_copied():
    x = variable()
    with autograd.record():
        y = x * x
    y.backward()
    pointer = x.grad._t.data_ptr()
    with autograd.record():
        y = x * x
    y.backward()
    assert x.grad._t.data_ptr() != pointer
    torch_view = x.grad.as_torch()
    x[:] = 7
    with autograd.record():
        y = x * x
    y.backward()
    assert torch_view.tolist() == x.grad.asnumpy().tolist() == [14.0, 14.0]


def test_released_heads_keep_their_values():
    x = variable()
    with autograd.record():
        y = x * x
        z = y.sum()
    autograd.backward([y, z])
    assert (y.asnumpy().tolist(), z.asscalar()) == ([1.0, 4.0], 5.0)
    assert not y._t.requires_grad
