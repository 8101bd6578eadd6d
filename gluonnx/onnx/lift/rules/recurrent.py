"""Recurrent networks: ONNX's LSTM, GRU and RNN as MXNet's RNN of one layer.

MXNet has the parameters of a layer in one vector: for each direction the weights of the input and of the state, then
for each direction the two biases. Its gates are in an order of their own (`gluonnx.ops.recurrent`).
"""

from collections.abc import Sequence

import numpy as np

from gluonnx.onnx.arrays import Array
from gluonnx.onnx.lift.rules.table import Call, Lifted, rule
from gluonnx.symbol.graph import Entry

_GATES = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
"""Which of ONNX's gates (input, output, forget, cell; update, reset, hidden) MXNet has in each place.
Source: ONNX operator schemas LSTM-22, GRU-22; MXNet 1.9.1 src/operator/rnn-inl.h."""
_ACTIVATIONS = {"RNN": ("Tanh",), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}


@rule(
    "RNN",
    "LSTM",
    "GRU",
    stays="sequences of different lengths, peepholes, clipping, other activations, batches first; GRU whose reset "
    "gate comes before the product; computed weights",
)
def _recurrent(c: Call) -> Lifted:
    mode, weight, recurrence = _mode(c), c.constant(1), c.constant(2)
    shape = c.shape(0)
    if mode is None or weight is None or recurrence is None or shape is None or len(shape) != 3:
        return None
    if not c.is_plain(0, 1, 2) or c.dtype(0) != "float32" or (c.has(3) and c.constant(3) is None):
        return None
    directions, hidden = recurrence.shape[0], recurrence.shape[2]
    states = _states(c, directions, hidden)
    if states is None or not _is_whole(c):
        return None
    data = c.entry(0)
    is_reversed = c.attr("direction", "forward") == "reverse"
    if is_reversed:
        data = c.make("reverse", [data], {"axis": (0,)}, "_turned")
    vector = c.parameter("_parameters", _packed(c, weight, recurrence, c.constant(3)))
    attrs = {
        "state_size": hidden,
        "num_layers": 1,
        "mode": mode,
        "bidirectional": directions == 2,
        "state_outputs": any(map(c.is_used, range(1, c.count))),
    }
    count = 1 + len(states) if attrs["state_outputs"] else 1
    sequence, *last = c.make_many("RNN", [data, vector, *states], attrs, count)
    if is_reversed:
        sequence = c.make("reverse", [sequence], {"axis": (0,)}, "_back")
    # ONNX gives (T, D, N, H), MXNet (T, N, D * H).
    apart = c.make("Reshape", [sequence], {"shape": (0, 0, directions, hidden)}, "_apart")
    return [c.make("transpose", [apart], {"axes": (0, 2, 1, 3)}), *last]


def _mode(c: Call) -> str | None:
    """MXNet's name of the cell, None where the node has what MXNet's cells have not."""
    directions = 2 if c.attr("direction", "forward") == "bidirectional" else 1
    given = tuple(a.lower() for a in c.attr("activations", _ACTIVATIONS[c.op_type] * directions))
    usual = tuple(a.lower() for a in _ACTIVATIONS[c.op_type] * directions)
    if c.attr("layout", 0) or c.attr("clip") is not None or c.attr("input_forget", 0) or c.has(7):
        return None
    if c.op_type == "RNN":
        return {usual: "rnn_tanh", ("relu",) * directions: "rnn_relu"}.get(given)
    if given != usual or (c.op_type == "GRU" and not _resets_after(c)):
        return None
    return c.op_type.lower()


def _resets_after(c: Call) -> bool:
    """Whether a GRU applies its reset gate to what the state gives, as MXNet's does."""
    return bool(c.attr("linear_before_reset", 0))


def _is_whole(c: Call) -> bool:
    """Whether every sequence is as long as the data."""
    if not c.has(4):
        return True
    lengths, shape = c.constant(4), c.shape(0)
    return lengths is not None and shape is not None and shape[0] is not None and bool((lengths == shape[0]).all())


def _states(c: Call, directions: int, hidden: int) -> list[Entry] | None:
    """The first states: as they are given, or zeros of the batch's size."""
    found: list[Entry] = []
    for index in (5, 6) if c.op_type == "LSTM" else (5,):
        if not c.has(index) or c.fill(index) == 0:
            found.append(_zeros(c, directions, hidden))
        elif c.is_plain(index):
            found.append(c.entry(index))
        else:
            return None
    return found


def _zeros(c: Call, directions: int, hidden: int) -> Entry:
    """Zeros (D, N, H), N being the batch of the data."""
    first = c.make("slice_axis", [c.entry(0)], {"axis": 0, "begin": 0, "end": 1}, "_first")
    one = c.make("slice_axis", [first], {"axis": 2, "begin": 0, "end": 1}, "_one")
    zero = c.make("zeros_like", [one], {}, "_zero")
    return c.make("broadcast_axis", [zero], {"axis": (0, 2), "size": (directions, hidden)}, "_begin")


def _packed(c: Call, weight: Array, recurrence: Array, bias: Array | None) -> Array:
    """MXNet's vector of the parameters of one layer."""
    order = _GATES[c.op_type]
    directions, hidden = recurrence.shape[0], recurrence.shape[2]
    both = np.zeros((directions, 2 * len(order) * hidden), weight.dtype) if bias is None else bias
    pieces: list[Array] = []
    for d in range(directions):
        pieces += [_ordered(weight[d], order), _ordered(recurrence[d], order)]
    for d in range(directions):
        pieces += [_ordered(half, order) for half in np.split(both[d], 2)]
    return np.concatenate([p.reshape(-1) for p in pieces])


def _ordered(array: Array, order: Sequence[int]) -> Array:
    gates = np.split(array, len(order))
    return np.concatenate([gates[g] for g in order])
