"""A cell run over sequences by `dynamic_unroll`, against the steps one by one."""

import numpy as np
import pytest
from gluonnx_runtime import Session

import gluonnx as mx
from gluonnx import autograd, gluon, nd
from gluonnx.errors import InputTypeError
from gluonnx.gluon.contrib.rnn.unrolling import dynamic_unroll

LENGTHS = nd.array([3, 1, 5])


class Cell(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.inner = gluon.nn.Dense(4)
            self.state = gluon.nn.Dense(4)

    def hybrid_forward(self, F, x, states):
        h = F.tanh(self.inner(x) + self.state(states[0]))
        return h * 2, [h, states[1] + h]


class Unrolled(gluon.HybridBlock):
    def __init__(self, layout, **kwargs):
        super().__init__(**kwargs)
        self.layout = layout
        with self.name_scope():
            self.cell = Cell()

    def hybrid_forward(self, F, x, h, c, lengths=None):
        out, states = dynamic_unroll(self.cell, x, [h, c], valid_length=lengths, layout=self.layout)
        return out, *states


def inputs(layout, seed=0):
    draw = np.random.RandomState(seed)
    x = nd.array(draw.uniform(-1, 1, (5, 3, 2)))
    return [x if layout == "TNC" else x.swapaxes(0, 1), nd.array(draw.uniform(-1, 1, (3, 4))), nd.zeros((3, 4))]


def step_by_step(cell, layout, x, h, c, lengths=None):
    """Outputs (T, N, C) and states that numpy selects from all steps."""
    steps = x if layout == "TNC" else x.swapaxes(0, 1)
    states, outs, history = [h, c], [], []
    for step in steps:
        out, states = cell(step, states)
        outs.append(out.asnumpy())
        history.append([s.asnumpy() for s in states])
    ends = [5, 5, 5] if lengths is None else lengths.asnumpy().astype(int)
    out = np.stack(outs)
    for n, end in enumerate(ends):
        out[end:, n] = 0
    last = [np.stack([history[end - 1][k][n] for n, end in enumerate(ends)]) for k in (0, 1)]
    return [out if layout == "TNC" else out.swapaxes(0, 1), *last]


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("layout", ["TNC", "NTC"])
@pytest.mark.parametrize("hybridize", [False, True])
def test_is_the_cell_step_by_step(layout, lengths, hybridize):
    net = Unrolled(layout)
    net.initialize(mx.init.Constant(0.3))
    if hybridize:
        net.hybridize()
    given = inputs(layout) + ([] if lengths is None else [lengths])
    for found in (net(*given), _recorded(net, given)):
        for a, b in zip(found, step_by_step(net.cell, layout, *given), strict=True):
            np.testing.assert_allclose(a.asnumpy(), b, rtol=1e-5, atol=1e-6)


def _recorded(net, given):
    with autograd.record():
        outputs = net(*given)
        loss = sum((o * o).sum() for o in outputs)
    loss.backward()
    assert net.cell.state.weight.grad().asnumpy().any()
    return outputs


def test_gradients_are_the_same_either_way():
    grads = []
    for hybridize in (False, True):
        net = Unrolled("NTC", prefix="net_")
        net.initialize(mx.init.Constant(0.3))
        if hybridize:
            net.hybridize()
        _recorded(net, [*inputs("NTC"), LENGTHS])
        grads.append([p.grad().asnumpy() for p in net.collect_params().values()])
    for a, b in zip(*grads, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_exported_loop_takes_any_length(tmp_path):
    net = Unrolled("TNC", prefix="net_")
    net.initialize(mx.init.Constant(0.3))
    net.hybridize()
    given = inputs("TNC")
    net(*given)
    net.export(tmp_path / "net")
    longer = nd.concat(given[0], given[0] * 0.5, dim=0)
    arrays = {"data0": longer, "data1": given[1], "data2": given[2]}
    found = Session(tmp_path / "net-0000.onnx").run({k: v.asnumpy() for k, v in arrays.items()})
    for a, b in zip(found.values(), net(longer, *given[1:]), strict=True):
        np.testing.assert_allclose(a, b.asnumpy(), rtol=1e-5, atol=1e-6)


def test_a_list_of_steps_is_a_sequence():
    net = Unrolled("TNC")
    net.initialize(mx.init.Constant(0.3))
    x, h, c = inputs("TNC")
    out, _ = dynamic_unroll(net.cell, list(x), [h, c])
    np.testing.assert_array_equal(out.asnumpy(), net(x, h, c)[0].asnumpy())


def test_wrong_inputs():
    with pytest.raises(InputTypeError, match=r"^dynamic_unroll: wrong inputs: expected .*, got int\.$"):
        dynamic_unroll(Cell(), 3, [])
