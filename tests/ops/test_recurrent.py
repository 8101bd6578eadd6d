"""What MXNet records no answer for: lengths, clipping, projection, dropout and errors of the recurrent operators."""

import numpy as np
import pytest
import torch
from ops import matrix
from ops.samples import Array, Sample

import gluonnx as mx
from gluonnx.ops import TABLE
from gluonnx.ops.recurrent import GATES, rnn, rnn_param_concat

MODES = sorted(GATES)


def arguments(mode, steps=4, batch=3, features=2, hidden=3, layers=2, directions=2, projected=None):
    """Return (data, parameters, state, state_cell if lstm), and attributes."""
    attrs = {"state_size": hidden, "num_layers": layers, "mode": mode, "bidirectional": directions == 2}
    attrs["projection_size"] = projected
    shapes = rnn.parameter_shapes({"data": (steps, batch, features)}, rnn.parse(attrs))
    make = torch.Generator().manual_seed(3)
    names = ["parameters", "state", *(["state_cell"] if mode == "lstm" else [])]
    tensors = [torch.randn(shapes[n], generator=make, dtype=torch.float64) * 0.6 for n in names]
    data = torch.randn(steps, batch, features, generator=make, dtype=torch.float64)
    return [data, *tensors], attrs


def call(inputs, attrs, **more):
    return rnn.forward(*inputs, **rnn.parse({"state_outputs": True, **attrs, **more}))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.int32, torch.float32])
def test_lengths_give_what_each_sequence_gives_alone(mode, dtype):
    inputs, attrs = arguments(mode)
    lengths = [2, 4, 1]
    outputs = call([*inputs, torch.tensor(lengths, dtype=dtype)], attrs, use_sequence_length=True)
    for i, length in enumerate(lengths):
        data, parameters, *states = inputs
        alone = call([data[:length, i : i + 1], parameters, *(s[:, i : i + 1].contiguous() for s in states)], attrs)
        torch.testing.assert_close(outputs[0][:length, i : i + 1], alone[0])
        assert not outputs[0][length:, i].any()
        for many, one in zip(outputs[1:], alone[1:], strict=True):
            torch.testing.assert_close(many[:, i : i + 1], one)


@pytest.mark.parametrize("projected", [None, 2])
def test_wide_bounds_change_nothing(projected):
    inputs, attrs = arguments("lstm", projected=projected)
    inputs.append(torch.tensor([2, 4, 1]))
    bounds = {"lstm_state_clip_min": -50.0, "lstm_state_clip_max": 50.0, "use_sequence_length": True}
    for clipped, free in zip(call(inputs, attrs, **bounds), call(inputs, attrs, use_sequence_length=True), strict=True):
        torch.testing.assert_close(clipped, free)


def test_a_projection_may_keep_the_size():
    (data, parameters, h, c), attrs = arguments("lstm", steps=2, hidden=2, layers=1, directions=1, projected=2)
    i2h, h2h, h2r, i2h_bias, h2h_bias = parameters.split([16, 16, 4, 8, 8])
    gates = data[0] @ i2h.view(8, 2).T + i2h_bias + h[0] @ h2h.view(8, 2).T + h2h_bias
    entry, forget, new, leave = gates.chunk(4, 1)
    cell = forget.sigmoid() * c[0] + entry.sigmoid() * new.tanh()
    expected = (leave.sigmoid() * cell.tanh()) @ h2r.view(2, 2).T
    torch.testing.assert_close(call([data, parameters, h, c], attrs)[0][0], expected)


def test_bounds_hold_the_cell_state():
    (data, parameters, h, c), attrs = arguments("lstm", steps=1, layers=1, directions=1)
    bounds = {"lstm_state_clip_min": -0.1, "lstm_state_clip_max": 0.2}
    out, last_h, last_c = call([data, parameters, h, c], attrs, **bounds)
    _, _, free = call([data, parameters, h, c], attrs)
    torch.testing.assert_close(last_c, free.clamp(-0.1, 0.2))
    assert (last_c != free).any()
    pieces = parameters.split([12 * 2, 12 * 3, 12, 12])
    gates = data[0] @ pieces[0].view(12, 2).T + h[0] @ pieces[1].view(12, 3).T + pieces[2] + pieces[3]
    torch.testing.assert_close(out[0], gates[:, 9:].sigmoid() * last_c[0].tanh())
    torch.testing.assert_close(last_h, out)


def test_nan_in_the_cell_state_stops_at_the_lower_bound():
    (data, parameters, h, c), attrs = arguments("lstm", layers=1, directions=1)
    c[0, 1, 2] = float("nan")
    bounds = {"lstm_state_clip_min": -0.5, "lstm_state_clip_max": 0.5}
    assert call([data, parameters, h, c], attrs, **bounds)[0].isnan().any()
    assert not call([data, parameters, h, c], attrs, **bounds, lstm_state_clip_nan=True)[0].isnan().any()


GRADIENTS = {
    "small projection": ("lstm", 1, {}),
    "projection": ("lstm", 2, {}),
    "projection lengths": ("lstm", 2, {"use_sequence_length": True}),
    "bounds": ("lstm", None, {"lstm_state_clip_min": -0.3, "lstm_state_clip_max": 0.4}),
    "gru lengths": ("gru", None, {"use_sequence_length": True}),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_derivatives(name):
    mode, projected, more = GRADIENTS[name]
    inputs, attrs = arguments(mode, steps=2, batch=2, features=1, hidden=2, layers=1, projected=projected)
    lengths = [torch.tensor([2, 1])] if more.get("use_sequence_length") else []
    for tensor in inputs:
        tensor.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda *given: call([*given, *lengths], attrs, **more), inputs)


@pytest.mark.parametrize("mode", MODES)
def test_lengths_in_onnx(mode):
    inputs, attrs = arguments(mode)
    arrays = tuple(Array(tuple(t.shape)) for t in inputs)
    lengths = Array((3,), kind="values", values=(2, 4, 1), grad=False)
    attrs = {**attrs, "state_outputs": True, "use_sequence_length": True}
    sample = Sample("RNN", "lengths of " + mode, (*arrays, lengths), attrs, batch=())
    given = sample.arrays()
    answers = matrix.run(matrix.session(matrix.onnx_model(TABLE["RNN"], sample, given)), given)
    expected = call([torch.from_numpy(a) for a in given], attrs)
    for answer, output in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, output.numpy(), rtol=1e-5, atol=1e-6)


def test_dropout_between_layers_draws_from_the_seed():
    inputs, attrs = arguments("gru", hidden=40, directions=1)
    before = torch.random.get_rng_state()

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        parsed = rnn.parse({**attrs, "p": 0.5})
        return rnn.forward(*inputs, **parsed, training=True, generator=generator)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    still = rnn.forward(*inputs, **rnn.parse({**attrs, "p": 0.5}), training=False)
    assert torch.equal(still, rnn.forward(*inputs, **rnn.parse(attrs), training=True))
    assert torch.equal(torch.random.get_rng_state(), before)


def _wrong(position, shape):
    def change(inputs):
        inputs[position] = inputs[position].new_zeros(shape)

    return change


ERRORS = {
    "data": (_wrong(0, (4, 3)), {}, r"RNN: wrong shape of data: .*got data=\(4, 3\)"),
    "no steps": (_wrong(0, (0, 3, 2)), {}, r"with a step at least, got data=\(0, 3, 2\)"),
    "parameters": (_wrong(1, (7,)), {}, r"wrong shape of parameters: expected \(\d+,\) .*got parameters=\(7,\)"),
    "state": (_wrong(2, (4, 2, 3)), {}, r"wrong shape of state: expected \(4, 3, 3\) .*got state=\(4, 2, 3\)"),
    "cell": (_wrong(3, (4, 3, 1)), {}, r"wrong shape of state_cell: expected \(4, 3, 3\)"),
    "lengths": (lambda inputs: inputs.append(torch.ones(2)), {"use_sequence_length": True}, "shape of sequence_length"),
    "no lengths": (lambda inputs: None, {"use_sequence_length": True}, "input `sequence_length` is missing"),
    "projection": (
        lambda inputs: inputs.pop(),
        {"mode": "gru", "projection_size": 2},
        "expected mode='lstm', got mode='gru'",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_wrong_inputs_say_what_fits(name):
    change, more, message = ERRORS[name]
    inputs, attrs = arguments("lstm")
    change(inputs)
    with pytest.raises(mx.errors.InputError, match=message):
        call(inputs, {**attrs, **more})


def test_one_dtype_is_wanted():
    inputs, attrs = arguments("lstm")
    inputs[1] = inputs[1].float()
    with pytest.raises(
        mx.errors.InputError, match=r"dtypes differ: expected torch\.float64 .*got parameters of torch\.float32"
    ):
        call(inputs, attrs)


def test_what_onnx_has_no_form_for():
    with pytest.raises(mx.errors.LoweringError, match="projection_size: ONNX's LSTM has no projection"):
        rnn.lower(None, [None] * 4, rnn.parse({"state_size": 2, "num_layers": 1, "mode": "lstm", "projection_size": 1}))
    bounds = {"lstm_state_clip_min": 0, "lstm_state_clip_max": 1}
    with pytest.raises(mx.errors.LoweringError, match="lstm_state_clip_min: ONNX's LSTM clips gates"):
        rnn.lower(None, [None] * 4, rnn.parse({"state_size": 2, "num_layers": 1, "mode": "lstm", **bounds}))


def test_pieces_that_do_not_fit():
    with pytest.raises(mx.errors.InputError, match=r"_rnn_param_concat: arrays do not fit .*\(2,\), \(1, 2\)"):
        rnn_param_concat.forward(torch.ones(2), torch.ones(1, 2), dim=0)


@pytest.mark.parametrize(
    ("function", "axis", "error", "message"),
    [
        ("SequenceLast", 2, mx.errors.AttributeValueError, "expected 0 or 1, got axis=2"),
        ("SequenceReverse", 1, mx.errors.AttributeValueError, "expected 0, got axis=1"),
    ],
)
def test_axes_of_time(function, axis, error, message):
    with pytest.raises(error, match=f"{function}: wrong axis of time: {message}"):
        getattr(mx.nd, function)(mx.nd.ones((2, 3, 4)), axis=axis)


def test_lengths_of_sequences():
    with pytest.raises(mx.errors.InputError, match=r"expected \(3,\), got sequence_length=\(2,\)"):
        mx.nd.SequenceLast(mx.nd.ones((2, 3, 4)), mx.nd.ones((2,)), use_sequence_length=True)
    with pytest.raises(mx.errors.InputError, match="SequenceReverse: wrong rank"):
        mx.nd.SequenceReverse(mx.nd.ones((2,)))


def test_unknown_dimensions_follow_from_the_flat_vector():
    sizes = {"lw": (8, 0), "lh": (8, 2), "rw": (8, 0), "rh": (8, 2), "b": (32,)}
    pieces = [mx.sym.var(name, shape=shape).reshape(-1) for name, shape in sizes.items()]
    flat = mx.sym._internal._rnn_param_concat(*pieces, dim=0)
    start = [mx.sym.zeros((2, 0, 2)) for _ in range(2)]
    attrs = {"state_size": 2, "num_layers": 1, "bidirectional": True, "mode": "lstm"}
    arguments, outputs, _ = mx.sym.RNN(mx.sym.var("x"), flat, *start, **attrs).infer_shape(x=(3, 5, 7))
    assert arguments == [(3, 5, 7), (8, 7), (8, 2), (8, 7), (8, 2), (32,)]
    assert outputs == [(3, 5, 4)]
