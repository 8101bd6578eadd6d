"""Every autograd case against MXNet's recorded answer, and what only gluonnx promises."""

import threading

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


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (_plain, r"not in a recorded graph: .*`with autograd\.record\(\):`"),
        (_twice, r"an earlier backward has not freed.*retain_graph=True"),
        (_changed_in_place, r"changed in place after it was recorded"),
        (_in_place, r"part of a recorded graph cannot be changed in place"),
        (_in_place_of_tracked, r"part of a recorded graph cannot be changed in place"),
        (_lengths, r"heads and head_grads differ in length: expected 1, got 2 head_grads"),
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
