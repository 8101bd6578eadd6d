"""Recurrent networks."""

from .sample import Array, Sample

_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
_FLOAT64 = "RNN: has no ONNX form for this dtype"
_PROJECTION = "ONNX's LSTM has no projection"


def _size(mode, features, hidden, layers, directions, projected):
    output = projected or hidden
    total = 0
    for layer in range(layers):
        columns = features if layer == 0 else output * directions
        cell = _GATES[mode] * hidden * (columns + output + 2) + (projected or 0) * hidden
        total += directions * cell
    return total


def _sample(
    name,
    mode,
    steps=3,
    batch=2,
    features=3,
    hidden=2,
    layers=1,
    directions=1,
    projected=None,
    dtype="float32",
    **kwargs,
):
    count = layers * directions
    size = _size(mode, features, hidden, layers, directions, projected)
    inputs = [
        Array((steps, batch, features), dtype=dtype),
        Array((size,), dtype=dtype, kind="unit"),
        Array((count, batch, projected or hidden), dtype=dtype),
    ]
    if mode == "lstm":
        inputs.append(Array((count, batch, hidden), dtype=dtype))
    attrs = {"state_size": hidden, "num_layers": layers, "mode": mode, "state_outputs": True}
    if directions == 2:
        attrs["bidirectional"] = True
    if projected:
        attrs["projection_size"] = projected
        kwargs.setdefault("onnx", _PROJECTION)
        kwargs["grad"] = False  # MXNet has no gradient of it on the CPU
    attrs.update(kwargs.pop("attrs", {}))
    if dtype == "float64":
        kwargs.setdefault("onnx", _FLOAT64)
    return Sample("RNN", name, tuple(inputs), attrs, **kwargs)


def _float64(mode):
    why = "MXNet's rnn_relu rounds to float32 on the way"
    return {"rtol": 1e-7, "atol": 1e-7, "why": why} if mode == "rnn_relu" else {}


SAMPLES = (
    *(_sample(mode, mode) for mode in _GATES),
    *(_sample(mode + " output only", mode, attrs={"state_outputs": False}) for mode in _GATES),
    *(_sample(mode + " deep", mode, steps=4, batch=3, hidden=3, layers=3) for mode in _GATES),
    *(_sample(mode + " both ways", mode, directions=2) for mode in _GATES),
    *(_sample(mode + " deep both ways", mode, steps=2, batch=1, features=4, layers=2, directions=2) for mode in _GATES),
    *(_sample(mode + " training", mode, layers=2, train=True) for mode in _GATES),
    *(_sample(mode + " one of each", mode, steps=1, batch=1, features=1, hidden=1) for mode in _GATES),
    *(
        _sample(mode + " float64", mode, dtype="float64", directions=2, hidden=1, features=2, **_float64(mode))
        for mode in _GATES
    ),
    _sample("projection", "lstm", hidden=3, projected=2),
    _sample("projection deep", "lstm", hidden=3, projected=2, layers=2),
    Sample("_rnn_param_concat", "pieces", (Array((4,)), Array((3,)), Array((5,))), {"dim": 0}, batch=()),
    Sample("_rnn_param_concat", "one", (Array((4,)),), {"dim": 0}, batch=()),
    Sample("_rnn_param_concat", "columns", (Array((2, 3)), Array((2, 1))), batch=(0, 1)),
    Sample(
        "_rnn_param_concat",
        "float64",
        (Array((2,), dtype="float64"), Array((1,), dtype="float64")),
        {"dim": 0},
        batch=(),
    ),
)
