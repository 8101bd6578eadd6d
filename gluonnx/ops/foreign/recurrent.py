"""ONNX operators of recurrent networks: RNN, GRU, LSTM."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.foreign.table import onnx_operator

Activation = Callable[[Tensor], Tensor]
_DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}


def _activation(name: str, alpha: float | None, beta: float | None) -> Activation:
    a, b = alpha, beta
    table: dict[str, Activation] = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "softsign": F.softsign,
        "softplus": F.softplus,
        "affine": lambda x: (1.0 if a is None else a) * x + (0.0 if b is None else b),
        "leakyrelu": lambda x: F.leaky_relu(x, 0.01 if a is None else a),
        "thresholdedrelu": lambda x: torch.where(x > (1.0 if a is None else a), x, torch.zeros_like(x)),
        "scaledtanh": lambda x: (1.0 if a is None else a) * torch.tanh((1.0 if b is None else b) * x),
        "hardsigmoid": lambda x: torch.clamp((0.2 if a is None else a) * x + (0.5 if b is None else b), 0, 1),
        "elu": lambda x: F.elu(x, 1.0 if a is None else a),
    }
    if name.lower() not in table:
        raise InputError(f"recurrent network: unknown activation: got {name!r}.")
    return table[name.lower()]


_TAKES_ALPHA = {"affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu"}
_TAKES_BETA = {"affine", "scaledtanh", "hardsigmoid"}


def _activations(
    kind: str,
    directions: int,
    names: Sequence[str] | None,
    alphas: Sequence[float] | None,
    betas: Sequence[float] | None,
) -> list[list[Activation]]:
    given = list(names) if names else list(_DEFAULTS[kind]) * directions
    alpha, beta = iter(alphas or ()), iter(betas or ())
    made = [
        _activation(
            n,
            next(alpha, None) if n.lower() in _TAKES_ALPHA else None,
            next(beta, None) if n.lower() in _TAKES_BETA else None,
        )
        for n in given
    ]
    each = len(_DEFAULTS[kind])
    return [made[i * each : (i + 1) * each] for i in range(directions)]


class _Layout:
    """Time first, batch second; and back."""

    def __init__(self, data: Tensor, layout: int, direction: str, lengths: Tensor | None) -> None:
        self.is_batch_first = bool(layout)
        self.data = data.transpose(0, 1) if layout else data
        self.directions = 2 if direction == "bidirectional" else 1
        self.is_reversed = [direction == "reverse"] if self.directions == 1 else [False, True]
        steps = torch.arange(self.data.shape[0], device=data.device)[:, None]
        self.index: Tensor | None = None
        self.is_valid: Tensor | None = None
        if lengths is not None:
            count = lengths.to(device=data.device, dtype=torch.int64)[None, :]
            self.is_valid = (steps < count).unsqueeze(-1)
            self.index = torch.where(steps < count, count - 1 - steps, steps).unsqueeze(-1)

    def turned(self, sequence: Tensor) -> Tensor:
        """The sequence with the valid steps of each sample in reverse."""
        return sequence.flip(0) if self.index is None else sequence.gather(0, self.index.expand(sequence.shape))

    def state(self, given: Tensor | None, size: int) -> list[Tensor]:
        """The first state of each direction."""
        if given is None:
            return [self.data.new_zeros((self.data.shape[1], size))] * self.directions
        return list((given.transpose(0, 1) if self.is_batch_first else given).unbind(0))

    def results(self, sequences: list[Tensor], *states: list[Tensor]) -> tuple[Tensor, ...]:
        """The outputs in ONNX's layout."""
        both = torch.stack(sequences, 1)
        last = [torch.stack(s, 0) for s in states]
        if self.is_batch_first:
            return (both.permute(2, 0, 1, 3), *(s.transpose(0, 1) for s in last))
        return (both, *last)


Step = Callable[[Tensor, Sequence[Tensor]], tuple[Tensor, ...]]


def _run(
    layout: _Layout, direction: int, gates: Tensor, states: list[Tensor], step: Step
) -> tuple[Tensor, list[Tensor]]:
    """Apply a step to each element of the sequence; states stay once a sample's sequence is over."""
    turned = layout.turned(gates) if layout.is_reversed[direction] else gates
    outputs = []
    for t, part in enumerate(turned.unbind(0)):
        new = step(part, states)
        if layout.is_valid is not None:
            here = layout.is_valid[t]
            new = tuple(torch.where(here, n, s) for n, s in zip(new, states, strict=True))
            outputs.append(torch.where(here, new[0], torch.zeros_like(new[0])))
        else:
            outputs.append(new[0])
        states = list(new)
    sequence = torch.stack(outputs) if outputs else states[0].new_zeros((0, *states[0].shape))
    return (layout.turned(sequence) if layout.is_reversed[direction] else sequence), states


def _clip(data: Tensor, limit: float | None) -> Tensor:
    return data if limit is None else data.clamp(-limit, limit)


def _bias(bias: Tensor | None, direction: int, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    if bias is None:
        zero = like.new_zeros(size)
        return zero, zero
    return bias[direction, :size], bias[direction, size:]


@onnx_operator("RNN")
def rnn(
    data: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor | None = None,
    sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None,
    *,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    output_count: int,
) -> tuple[Tensor, ...]:
    """A simple recurrent network: h = f(W x + R h + b)."""
    lay = _Layout(data, layout, direction, sequence_lens)
    size = recurrence.shape[-1]
    functions = _activations("RNN", lay.directions, activations, activation_alpha, activation_beta)
    first = lay.state(initial_h, size)
    sequences, last = [], []
    for d in range(lay.directions):
        wb, rb = _bias(bias, d, size, data)
        (f,) = functions[d]

        def step(x: Tensor, s: Sequence[Tensor], d: int = d, rb: Tensor = rb, f: Activation = f) -> tuple[Tensor, ...]:
            return (f(_clip(x + s[0] @ recurrence[d].T + rb, clip)),)

        out, states = _run(lay, d, lay.data @ weight[d].T + wb, [first[d]], step)
        sequences.append(out)
        last.append(states[0])
    return lay.results(sequences, last)[:output_count]


@onnx_operator("GRU")
def gru(
    data: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor | None = None,
    sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None,
    *,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: int = 0,
    output_count: int,
) -> tuple[Tensor, ...]:
    """Gated recurrent units; gates in the order update, reset, hidden."""
    lay = _Layout(data, layout, direction, sequence_lens)
    size = recurrence.shape[-1]
    functions = _activations("GRU", lay.directions, activations, activation_alpha, activation_beta)
    first = lay.state(initial_h, size)
    sequences, last = [], []
    for d in range(lay.directions):
        wb, rb = _bias(bias, d, 3 * size, data)
        f, g = functions[d]

        def step(
            x: Tensor, s: Sequence[Tensor], d: int = d, rb: Tensor = rb, f: Activation = f, g: Activation = g
        ) -> tuple[Tensor, ...]:
            h = s[0]
            r_zr, r_h = recurrence[d, : 2 * size], recurrence[d, 2 * size :]
            gates = f(_clip(x[:, : 2 * size] + h @ r_zr.T + rb[: 2 * size], clip))
            update, reset = gates.chunk(2, -1)
            b_h = rb[2 * size :]
            hidden = reset * (h @ r_h.T + b_h) if linear_before_reset else (reset * h) @ r_h.T + b_h
            new = g(_clip(x[:, 2 * size :] + hidden, clip))
            return ((1 - update) * new + update * h,)

        out, states = _run(lay, d, lay.data @ weight[d].T + wb, [first[d]], step)
        sequences.append(out)
        last.append(states[0])
    return lay.results(sequences, last)[:output_count]


@onnx_operator("LSTM")
def lstm(
    data: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor | None = None,
    sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None,
    initial_c: Tensor | None = None,
    peepholes: Tensor | None = None,
    *,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
    layout: int = 0,
    output_count: int,
) -> tuple[Tensor, ...]:
    """Long short-term memory; gates in the order input, output, forget, cell."""
    lay = _Layout(data, layout, direction, sequence_lens)
    size = recurrence.shape[-1]
    functions = _activations("LSTM", lay.directions, activations, activation_alpha, activation_beta)
    first_h, first_c = lay.state(initial_h, size), lay.state(initial_c, size)
    sequences, last_h, last_c = [], [], []
    for d in range(lay.directions):
        wb, rb = _bias(bias, d, 4 * size, data)
        f, g, h = functions[d]
        peep = data.new_zeros(3 * size) if peepholes is None else peepholes[d]

        def step(
            x: Tensor,
            s: Sequence[Tensor],
            d: int = d,
            peep: Tensor = peep,
            f: Activation = f,
            g: Activation = g,
            h: Activation = h,
        ) -> tuple[Tensor, ...]:
            p_i, p_o, p_f = peep.chunk(3)
            i, o, forget, c = (x + s[0] @ recurrence[d].T).chunk(4, -1)
            enter = f(_clip(i + p_i * s[1], clip))
            keep = 1 - enter if input_forget else f(_clip(forget + p_f * s[1], clip))
            cell = keep * s[1] + enter * g(_clip(c, clip))
            return f(_clip(o + p_o * cell, clip)) * h(cell), cell

        out, states = _run(lay, d, lay.data @ weight[d].T + wb + rb, [first_h[d], first_c[d]], step)
        sequences.append(out)
        last_h.append(states[0])
        last_c.append(states[1])
    return lay.results(sequences, last_h, last_c)[:output_count]
