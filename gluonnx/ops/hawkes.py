"""The log likelihood of a marked self-exciting Hawkes process."""

import torch
from torch import Tensor

from gluonnx.errors import InputError, LoweringError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import operator

SOURCE = "MXNet 1.9.1 src/operator/contrib/hawkes_ll-inl.h"


def _check(
    lda: Tensor, alpha: Tensor, beta: Tensor, state: Tensor, lags: Tensor, marks: Tensor, valid: Tensor, end: Tensor
) -> None:
    batch, kinds = lda.shape if lda.dim() == 2 else (0, 0)
    length = lags.shape[-1] if lags.dim() else 0
    wanted = {
        "lda": (batch, kinds),
        "alpha": (kinds,),
        "beta": (kinds,),
        "state": (batch, kinds),
        "lags": (batch, length),
        "marks": (batch, length),
        "valid_length": (batch,),
        "max_time": (batch,),
    }
    given = dict(zip(wanted, (lda, alpha, beta, state, lags, marks, valid, end), strict=True))
    for name, shape in wanted.items():
        if tuple(given[name].shape) != shape:
            raise InputError(
                f"_contrib_hawkesll: {name} does not fit: expected {shape} for lda (N, K) and lags (N, T), "
                f"got {name}={tuple(given[name].shape)}."
            )


@operator("_contrib_hawkesll", outputs="output0 output1", source=SOURCE)
def hawkesll(
    lda: Tensor,
    alpha: Tensor,
    beta: Tensor,
    state: Tensor,
    lags: Tensor,
    marks: Tensor,
    valid_length: Tensor,
    max_time: Tensor,
) -> tuple[Tensor, Tensor]:
    """Log likelihood (N,) of N sequences of T events of K kinds, and the state (N, K) at their ends.

    The rate of kind k is `lda[n, k] + alpha[k] * beta[k] * s_k(t)`, where `s_k` decays with `exp(-beta[k] * t)` and
    grows by 1 with each event of the kind; `state` is its value at the start. `lags` (N, T) are the times between
    events and `marks` (N, T) their kinds; the first `valid_length` (N,) of them count, and nothing happens from then
    until `max_time` (N,). As in MXNet the likelihood gives gradients to `lda`, `alpha` and `beta`; the state neither
    gives nor gets any.

    Raises:
        InputError: Shapes do not fit.
    """
    _check(lda, alpha, beta, state, lags, marks, valid_length, max_time)
    state, lags = state.detach(), lags.detach()
    valid_length, max_time = valid_length.detach(), max_time.detach()
    kinds = marks.long()
    times = lags.cumsum(1)
    last = torch.zeros_like(state)
    likelihood = torch.zeros_like(lda[:, 0])
    for step in range(lags.shape[1]):
        kind, now = kinds[:, step : step + 1], times[:, step : step + 1]
        counts = (step < valid_length).unsqueeze(1)
        rate, held = lda.gather(1, kind), state.gather(1, kind)
        a, b = alpha[kind], beta[kind]
        passed = now - last.gather(1, kind)
        decay = torch.exp(-b * passed)
        gain = torch.log(rate + a * b * held * decay) - rate * passed - a * held * (1 - decay)
        likelihood = likelihood + torch.where(counts, gain, 0.0).squeeze(1)
        state = state.scatter(1, kind, torch.where(counts, 1 + held * decay, held))
        last = last.scatter(1, kind, torch.where(counts, now, last.gather(1, kind)))
    passed = max_time.unsqueeze(1) - last
    decay = torch.exp(-beta * passed)
    silence = lda * passed + alpha * state * (1 - decay)
    return likelihood - silence.sum(1), (state * decay).detach()


@hawkesll.dtypes
def _(
    lda: str | None, alpha: str | None, beta: str | None, state: str | None, lags: str | None
) -> dict[str, str | None]:
    common = lda or alpha or beta or state or lags
    names = ("lda", "alpha", "beta", "state", "lags", "valid_length", "max_time", "output0", "output1")
    return {**dict.fromkeys(names, common), "marks": "int32"}


@hawkesll.onnx
def _(
    g: GraphBuilder,
    lda: Value,
    alpha: Value,
    beta: Value,
    state: Value,
    lags: Value,
    marks: Value,
    valid_length: Value,
    max_time: Value,
) -> tuple[Value, ...]:
    length = g.dims(lags)[1]
    if length is None:
        raise LoweringError("_contrib_hawkesll: the number of events is open: expected a fixed size of axis 1 of lags.")
    one, zero = g.scalar(1.0, lda), g.scalar(0.0, lda)
    column, first = g.ints([1]), g.ints([0])
    kinds, valid = g.cast(marks, "int64"), g.op("Unsqueeze", valid_length, column)
    last = g.op("Mul", state, zero)
    likelihood = g.op("Mul", g.op("Slice", lda, first, column, column), zero)
    now = likelihood
    for step in range(length):
        here = g.ints([step]), g.ints([step + 1]), column
        kind = g.op("Slice", kinds, *here)
        now = g.op("Add", now, g.op("Slice", lags, *here))
        counts = g.op("Less", g.scalar(step, valid), valid)
        rate, held, before = (g.op("GatherElements", x, kind, axis=1) for x in (lda, state, last))
        a, b = g.op("Gather", alpha, kind, axis=0), g.op("Gather", beta, kind, axis=0)
        passed = g.op("Sub", now, before)
        decay = g.op("Exp", g.op("Neg", g.op("Mul", b, passed)))
        weight = g.op("Mul", a, held)
        intensity = g.op("Add", rate, g.op("Mul", g.op("Mul", weight, b), decay))
        silence = g.op("Add", g.op("Mul", rate, passed), g.op("Mul", weight, g.op("Sub", one, decay)))
        gain = g.op("Where", counts, g.op("Sub", g.op("Log", intensity), silence), zero)
        likelihood = g.op("Add", likelihood, gain)
        grown = g.op("Where", counts, g.op("Add", one, g.op("Mul", held, decay)), held)
        state = g.op("ScatterElements", state, kind, grown, axis=1)
        last = g.op("ScatterElements", last, kind, g.op("Where", counts, now, before), axis=1)
    passed = g.op("Sub", g.op("Unsqueeze", max_time, column), last)
    decay = g.op("Exp", g.op("Neg", g.op("Mul", beta, passed)))
    rest = g.op("Mul", g.op("Mul", alpha, state), g.op("Sub", one, decay))
    silence = g.op("ReduceSum", g.op("Add", g.op("Mul", lda, passed), rest), column, keepdims=1)
    return g.op("Squeeze", g.op("Sub", likelihood, silence), column), g.op("Mul", state, decay)
