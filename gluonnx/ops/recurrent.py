"""Recurrent networks of several layers in one operator, and the flat vector of their parameters.

The flat vector holds, for every layer and direction, the weights `i2h` (G*H, C), `h2h` (G*H, P) and, under projection,
`h2r` (P, H); after all of these, for every layer and direction, the biases `i2h` (G*H,) and `h2h` (G*H,). G is the
number of gates, H `state_size`, P `projection_size` or H. Gates are in the order input, forget, cell, output (lstm),
reset, update, new (gru). Source: MXNet 1.9.1 src/operator/rnn-inl.h and python/mxnet/gluon/rnn/rnn_layer.py.
"""

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gluonnx.errors import InputError, LoweringError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import refuse_float64
from gluonnx.ops.table import Attrs, operator

Mode = Literal["gru", "lstm", "rnn_relu", "rnn_tanh"]
Shape = tuple[int, ...]

GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
"""Gates of a cell by mode."""
_ONNX_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
"""Where ONNX's gates (input, output, forget, cell; update, reset, hidden) lie among ours.
Source: ONNX operator schemas LSTM-14, GRU-14."""
_ONNX_OPS = {"rnn_relu": "RNN", "rnn_tanh": "RNN", "lstm": "LSTM", "gru": "GRU"}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes of a network, and the pieces of its flat vector.

    Attributes:
        mode: The kind of cell.
        hidden: Units of a cell.
        projected: Units that a cell hands on, if fewer.
        layers: Number of layers.
        directions: 1, or 2 if bidirectional.
    """

    mode: Mode
    hidden: int
    projected: int | None
    layers: int
    directions: int

    @property
    def output(self) -> int:
        """Features that one direction gives."""
        return self.projected or self.hidden

    def shapes(self, features: int) -> list[Shape]:
        """Return the shapes of all pieces, in order, for an input of so many features."""
        rows = GATES[self.mode] * self.hidden
        weights: list[Shape] = []
        for layer in range(self.layers):
            columns = features if layer == 0 else self.output * self.directions
            for _ in range(self.directions):
                weights += [(rows, columns), (rows, self.output)]
                if self.projected:
                    weights.append((self.projected, self.hidden))
        return weights + [(rows,)] * (2 * self.layers * self.directions)

    def size(self, features: int) -> int:
        """Return the length of the flat vector."""
        return sum(_numel(s) for s in self.shapes(features))

    def cells(self, pieces: Sequence[Tensor]) -> list[list[Tensor]]:
        """Return [i2h weight, h2h weight, i2h bias, h2h bias, (h2r weight)] of each layer and direction."""
        count = self.layers * self.directions
        per_cell = 3 if self.projected else 2
        biases = pieces[count * per_cell :]
        return [
            [
                *pieces[i * per_cell : i * per_cell + 2],
                *biases[2 * i : 2 * i + 2],
                *pieces[i * per_cell + 2 : (i + 1) * per_cell],
            ]
            for i in range(count)
        ]


def _numel(shape: Shape) -> int:
    return shape[0] * shape[1] if len(shape) == 2 else shape[0]


def _output_names(attrs: Attrs) -> tuple[str, ...]:
    if not attrs["state_outputs"]:
        return ("output",)
    return ("output", "state_output", "statecell_output") if attrs["mode"] == "lstm" else ("output", "state_output")


@operator(
    "RNN",
    when={
        "state_cell": lambda attrs: attrs["mode"] == "lstm",
        "sequence_length": lambda attrs: attrs["use_sequence_length"],
    },
    outputs=_output_names,
    source="MXNet 1.9.1 src/operator/rnn-inl.h; cuDNN 8 cudnnRNNForward for lengths and clipping",
)
def rnn(
    data: Tensor,
    parameters: Tensor,
    state: Tensor,
    state_cell: Tensor | None = None,
    sequence_length: Tensor | None = None,
    *,
    state_size: int,
    num_layers: int,
    bidirectional: bool = False,
    mode: Mode,
    p: float = 0.0,
    state_outputs: bool = False,
    projection_size: int | None = None,
    lstm_state_clip_min: float | None = None,
    lstm_state_clip_max: float | None = None,
    lstm_state_clip_nan: bool = False,
    use_sequence_length: bool = False,
    training: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """Run a recurrent network of `num_layers` layers over `data` (T, N, C).

    `parameters` is the flat vector that the module describes, `state` (L * D, N, H) and `state_cell` (L * D, N, H; lstm
    only) what the cells start from, D being 2 if `bidirectional`. Under `projection_size` P (lstm only) `state` is
    (L * D, N, P). The output is (T, N, D * H), or D * P; with `state_outputs` the last states follow it. `p` is the
    probability of dropout between layers while training.

    With `use_sequence_length`, `sequence_length` (N,) tells how many steps of each sequence count: states are those
    after its last step, outputs beyond are 0, and the second direction starts at the last step.

    `lstm_state_clip_min` and `_max` bound the cell state after every step; with `lstm_state_clip_nan` NaN becomes the
    lower bound.

    Raises:
        InputError: The inputs do not fit each other or the attributes.

    Differs: lengths and clipping, which MXNet ignores on the CPU, work on every device.
    """
    layout = _Layout(mode, state_size, projection_size, num_layers, 2 if bidirectional else 1)
    if mode != "lstm" and sequence_length is None:  # inputs that are left out do not keep their place
        state_cell, sequence_length = None, state_cell
    _check(layout, data, parameters, state, state_cell, sequence_length, use_sequence_length)
    shapes = layout.shapes(data.shape[2])
    pieces = [
        piece.view(shape)
        for piece, shape in zip(torch.split(parameters, [_numel(s) for s in shapes]), shapes, strict=True)
    ]
    is_clipped = mode == "lstm" and lstm_state_clip_min is not None and lstm_state_clip_max is not None
    if is_clipped:
        assert lstm_state_clip_min is not None
        assert lstm_state_clip_max is not None
        bounds = (lstm_state_clip_min, lstm_state_clip_max, lstm_state_clip_nan)
    else:
        bounds = None
    call = _Call(layout, sequence_length if use_sequence_length else None, bounds)
    states = (state,) if state_cell is None else (state, state_cell)
    dropout = p if training and num_layers > 1 else 0.0
    out, *last = call.run(data, layout.cells(pieces), states, dropout, generator)
    return (out, *last) if state_outputs else out


@dataclass(frozen=True, slots=True)
class _Call:
    """How the layers of one call are run.

    Attributes:
        layout: Sizes.
        lengths: How many steps of each sequence count; None for all.
        bounds: (lowest, highest, whether NaN is clipped) of the cell state; None for no bounds.
    """

    layout: _Layout
    lengths: Tensor | None
    bounds: tuple[float, float, bool] | None

    def run(
        self,
        data: Tensor,
        cells: Sequence[Sequence[Tensor]],
        states: Sequence[Tensor],
        dropout: float,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, ...]:
        """Return the output of the last layer and the last states of all."""
        # Torch tells a projection by its size, so it knows none that keeps the size.
        is_stepwise = self.bounds is not None or self.layout.projected == self.layout.hidden
        if not dropout and not is_stepwise:
            return self._run_layers(data, cells, states)
        count = self.layout.directions
        found: list[Sequence[Tensor]] = []
        for layer in range(self.layout.layers):
            if dropout and layer:
                mask = torch.empty_like(data).bernoulli_(1.0 - dropout, generator=generator)
                data = data * mask.div_(1.0 - dropout)
            span = slice(layer * count, (layer + 1) * count)
            run = self._run_steps if is_stepwise else self._run_layers
            data, *last = run(data, cells[span], [s[span] for s in states])
            found.append(last)
        return data, *(torch.cat(parts) for parts in zip(*found, strict=True))

    def _run_layers(
        self, data: Tensor, cells: Sequence[Sequence[Tensor]], states: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Run layers in one call of torch."""
        function = getattr(torch, self.layout.mode)
        flat = [tensor for cell in cells for tensor in cell]
        start = states if self.layout.mode == "lstm" else states[0]
        bidirectional = self.layout.directions == 2
        count = len(cells) // self.layout.directions
        if self.lengths is None or data.device.type == "meta":
            with _without_remark(self.layout):
                return tuple(function(data, start, flat, True, count, 0.0, False, bidirectional, False))
        # Sorted by length, as torch packs sequences.
        lengths, order = self.lengths.to(torch.int64).cpu().sort(descending=True, stable=True)
        order = order.to(data.device)
        packed = pack_padded_sequence(data.index_select(1, order), lengths)
        ordered = [s.index_select(1, order) for s in states]
        start = ordered if self.layout.mode == "lstm" else ordered[0]
        with _without_remark(self.layout):
            out, *last = function(packed.data, packed.batch_sizes, start, flat, True, count, 0.0, False, bidirectional)
        padded, _ = pad_packed_sequence(packed._replace(data=out), total_length=data.shape[0])
        back = order.argsort()
        return tuple(t.index_select(1, back) for t in (padded, *last))

    def _run_steps(
        self, data: Tensor, cells: Sequence[Sequence[Tensor]], states: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Run one layer of lstm step by step, the cell state held within bounds."""
        steps = data.shape[0]
        outputs, ends = [], []
        for direction, (i2h_weight, h2h_weight, i2h_bias, h2h_bias, *h2r_weight) in enumerate(cells):
            h, c = (s[direction] for s in states)
            inputs = F.linear(data, i2h_weight, i2h_bias)
            given: list[Tensor] = [data] * steps
            for t in range(steps) if direction == 0 else reversed(range(steps)):
                gates = inputs[t] + F.linear(h, h2h_weight, h2h_bias)
                entry, forget, new, exit_ = gates.chunk(4, 1)
                cell = forget.sigmoid() * c + entry.sigmoid() * new.tanh()
                if self.bounds is not None:
                    low, high, clips_nan = self.bounds
                    if clips_nan:
                        cell = torch.where(cell.isnan(), low, cell)
                    cell = cell.clamp(low, high)
                hidden = exit_.sigmoid() * cell.tanh()
                if h2r_weight:
                    hidden = F.linear(hidden, h2r_weight[0])
                if self.lengths is None:
                    h, c, given[t] = hidden, cell, hidden
                else:
                    counts = (self.lengths > t).unsqueeze(1)
                    h, c = torch.where(counts, hidden, h), torch.where(counts, cell, c)
                    given[t] = torch.where(counts, hidden, 0.0)
            outputs.append(torch.stack(given))
            ends.append((h, c))
        return torch.cat(outputs, 2), *(torch.stack(parts) for parts in zip(*ends, strict=True))


def _without_remark(layout: _Layout) -> AbstractContextManager[object]:
    """Keep back torch's remark, the first time, that another of its kernels runs projections."""
    if not layout.projected:
        return nullcontext()
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def _check(
    layout: _Layout,
    data: Tensor,
    parameters: Tensor,
    state: Tensor,
    state_cell: Tensor | None,
    lengths: Tensor | None,
    uses_lengths: bool,
) -> None:
    """Raise unless the inputs fit each other; torch's kernels do not look."""
    if layout.projected and layout.mode != "lstm":
        raise InputError(
            f"RNN: projection is for lstm: expected mode='lstm', got mode={layout.mode!r}. Leave out projection_size."
        )
    if data.dim() != 3 or not data.shape[0]:
        raise InputError(
            f"RNN: wrong shape of data: expected (T, N, C) with a step at least, got data={tuple(data.shape)}."
        )
    count, batch = layout.layers * layout.directions, data.shape[1]
    expected: dict[str, tuple[Tensor | None, Shape]] = {
        "parameters": (parameters, (layout.size(data.shape[2]),)),
        "state": (state, (count, batch, layout.output)),
    }
    if layout.mode == "lstm":
        expected["state_cell"] = (state_cell, (count, batch, layout.hidden))
    if uses_lengths:
        expected["sequence_length"] = (lengths, (batch,))
    for name, (tensor, shape) in expected.items():
        if tensor is None:
            raise InputError(f"RNN: input `{name}` is missing: expected an array of shape {shape}.")
        if tensor.shape != shape:
            raise InputError(
                f"RNN: wrong shape of {name}: expected {shape} for data={tuple(data.shape)} and these attributes, "
                f"got {name}={tuple(tensor.shape)}."
            )
        if tensor.dtype != data.dtype and name != "sequence_length":
            raise InputError(f"RNN: dtypes differ: expected {data.dtype} as data has, got {name} of {tensor.dtype}.")


@rnn.parameters
def _(
    data: Shape,
    *,
    state_size: int,
    num_layers: int,
    bidirectional: bool,
    mode: Mode,
    projection_size: int | None,
) -> dict[str, Shape]:
    layout = _Layout(mode, state_size, projection_size, num_layers, 2 if bidirectional else 1)
    count = layout.layers * layout.directions
    return {
        "parameters": (layout.size(data[2]),),
        "state": (count, data[1], layout.output),
        "state_cell": (count, data[1], layout.hidden),
        "sequence_length": (data[1],),
    }


@rnn.onnx
def _(
    g: GraphBuilder,
    data: Value,
    parameters: Value,
    state: Value,
    state_cell: Value | None = None,
    sequence_length: Value | None = None,
    *,
    state_size: int,
    num_layers: int,
    bidirectional: bool,
    mode: Mode,
    state_outputs: bool,
    projection_size: int | None,
    lstm_state_clip_min: float | None,
    lstm_state_clip_max: float | None,
    use_sequence_length: bool,
) -> tuple[Value, ...]:
    if projection_size:
        raise LoweringError("RNN: has no ONNX form with projection_size: ONNX's LSTM has no projection")
    if mode == "lstm" and lstm_state_clip_min is not None and lstm_state_clip_max is not None:
        raise LoweringError("RNN: has no ONNX form with lstm_state_clip_min: ONNX's LSTM clips gates, not states")
    refuse_float64(g, "RNN", data)
    if mode != "lstm":
        if use_sequence_length:
            sequence_length = state_cell
        state_cell = None
    layout = _Layout(mode, state_size, None, num_layers, 2 if bidirectional else 1)
    dtype = g.dtype(data)
    x = g.cast(data, "float32")
    features = g.dims(data)[2]
    if features is None:
        raise LoweringError("RNN: number of features unknown: expected it not to depend on the batch size")
    weights = _lower_weights(g, g.cast(parameters, "float32"), layout, features)
    lengths = g.cast(sequence_length, "int32") if use_sequence_length and sequence_length is not None else None
    starts = [_lower_parts(g, g.cast(s, "float32"), num_layers) for s in (state, state_cell) if s is not None]
    ends: list[list[Value]] = [[] for _ in starts]
    for layer, (w, r, b) in enumerate(weights):
        out, *last = g.op_outputs(
            _ONNX_OPS[mode],
            1 + len(starts),
            x,
            w,
            r,
            b,
            lengths,
            *(parts[layer] for parts in starts),
            hidden_size=state_size,
            direction="bidirectional" if bidirectional else "forward",
            **_lower_mode(layout),
        )
        for parts, value in zip(ends, last, strict=True):
            parts.append(value)
        if bidirectional:
            x = g.op("Reshape", g.op("Transpose", out, perm=[0, 2, 1, 3]), g.ints([0, 0, 2 * state_size]))
        else:
            x = g.op("Squeeze", out, g.ints([1]))
    x = g.cast(x, dtype)
    if not state_outputs:
        return (x,)
    return x, *(g.cast(p[0] if num_layers == 1 else g.op("Concat", *p, axis=0), dtype) for p in ends)


def _lower_mode(layout: _Layout) -> dict[str, object]:
    if layout.mode == "gru":
        return {"linear_before_reset": 1}
    if layout.mode == "lstm":
        return {}
    return {"activations": ["Relu" if layout.mode == "rnn_relu" else "Tanh"] * layout.directions}


def _lower_parts(g: GraphBuilder, state: Value, layers: int) -> Sequence[Value]:
    """Cut states into those of each layer."""
    return (state,) if layers == 1 else g.op_outputs("Split", layers, state, axis=0, num_outputs=layers)


def _lower_weights(
    g: GraphBuilder, parameters: Value, layout: _Layout, features: int
) -> list[tuple[Value, Value, Value]]:
    """Return ONNX's W (D, G*H, C), R (D, G*H, H) and B (D, 2*G*H) of each layer.

    Reordering frozen parameters is left to the constant folding of whoever runs the model, so that they stay in the
    file under their own names and in their own order.
    """
    shapes = layout.shapes(features)
    pieces = g.op_outputs("Split", len(shapes), parameters, g.ints([_numel(s) for s in shapes]), axis=0)
    order = _ONNX_GATES.get(layout.mode)

    def arranged(piece: Value, shape: Shape) -> Value:
        """One direction's weight or bias, with an axis of size 1 before it."""
        if order is not None:
            gates = g.op("Reshape", piece, g.ints([len(order), shape[0] // len(order), *shape[1:]]))
            piece = g.op("Gather", gates, g.ints(order), axis=0)
        return g.op("Reshape", piece, g.ints([1, *shape]))

    placed = [arranged(piece, shape) for piece, shape in zip(pieces, shapes, strict=True)]
    count = layout.layers * layout.directions
    found = []
    for layer in range(layout.layers):
        cells = range(layer * layout.directions, (layer + 1) * layout.directions)
        w = [placed[2 * i] for i in cells]
        r = [placed[2 * i + 1] for i in cells]
        b = [g.op("Concat", placed[2 * (count + i)], placed[2 * (count + i) + 1], axis=1) for i in cells]
        joined = [parts[0] if len(parts) == 1 else g.op("Concat", *parts, axis=0) for parts in (w, r, b)]
        found.append((joined[0], joined[1], joined[2]))
    return found


@operator(
    "_rnn_param_concat",
    count_attribute="num_args",
    source="MXNet 1.9.1 src/operator/rnn.cc, RNNParamConcatShape",
    shapes="even",
)
def rnn_param_concat(*data: Tensor, dim: int = 1) -> Tensor:
    """Join the pieces of the flat vector of `RNN` along `dim`; pieces of unknown length share evenly in what is left.

    Raises:
        InputError: The pieces have different shapes besides `dim`.
    """
    try:
        return torch.cat(data, dim)
    except (RuntimeError, IndexError) as err:
        raise InputError(
            f"_rnn_param_concat: arrays do not fit each other: expected one shape besides dim={dim}, "
            f"got {', '.join(str(tuple(d.shape)) for d in data)}."
        ) from err


@rnn_param_concat.onnx
def _(g: GraphBuilder, *data: Value, dim: int) -> Value:
    return g.op("Concat", *data, axis=dim)
