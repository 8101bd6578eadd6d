"""Losses of sequences."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import InputError, LoweringError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import operator

_IMPOSSIBLE = -1e30
"""Logarithm of no probability: finite, so that differences of two are no NaN, and far from what steps add up to."""


@operator(
    "CTCLoss",
    "ctc_loss",
    "_contrib_CTCLoss",
    "_contrib_ctc_loss",
    when={
        "data_lengths": lambda attrs: attrs["use_data_lengths"],
        "label_lengths": lambda attrs: attrs["use_label_lengths"],
    },
    unread=1,
    source="MXNet 1.9.1 src/operator/nn/ctc_loss-inl.h; Graves et al. 2006, Connectionist Temporal Classification",
)
def ctc_loss(
    data: Tensor,
    label: Tensor,
    data_lengths: Tensor | None = None,
    label_lengths: Tensor | None = None,
    *,
    use_data_lengths: bool = False,
    use_label_lengths: bool = False,
    blank_label: Literal["first", "last"] = "first",
) -> Tensor:
    """Negative log likelihood (N,) of label sequences over all alignments.

    `data` (T, N, C) holds scores before softmax, `label` (N, L) classes, the lengths (N,) how much of them counts. The
    blank is the first class, and 0 ends a label, or the last class, and -1 ends a label. A label that no alignment of
    so many steps can give (repeated classes need a blank between them) costs 0.

    Differs: the gradient of a label that no alignment can give is 0, as its cost is constant; MXNet's is the softmax
        less what no alignment says, which lowers nothing.

    Raises:
        InputError: `data` or `label` has another rank, their batch sizes differ, or `label` has more places than
            `data` steps.
    """
    if data.dim() != 3 or label.dim() != 2 or data.shape[1] != label.shape[0]:
        raise InputError(
            "CTCLoss: inputs do not fit each other: expected data (T, N, C) and label (N, L), "
            f"got data={tuple(data.shape)}, label={tuple(label.shape)}."
        )
    steps, batch, classes = data.shape
    if label.shape[1] > steps:
        raise InputError(
            "CTCLoss: The max number of labels cannot exceed the maximum sequence length of the data: "
            f"expected at most {steps} places in label, got label={tuple(label.shape)}."
        )
    if not use_data_lengths and label_lengths is None:  # inputs that are left out do not keep their place
        data_lengths, label_lengths = None, data_lengths
    if data.device.type == "meta":
        return data.new_empty(batch)
    has_first = blank_label == "first"
    padding = 0 if has_first else -1
    if label_lengths is None:
        label_lengths = (label != padding).to(torch.int64).cumprod(1).sum(1)
    if data_lengths is None:
        data_lengths = torch.full((batch,), steps)
    else:
        # What lies beyond a sequence may be anything, NaN too, and has gradient 0.
        counts = torch.arange(steps, device=data.device).unsqueeze(1) < data_lengths
        data = torch.where(counts.unsqueeze(2), data, 0.0)
    loss: Tensor = F.ctc_loss(
        F.log_softmax(data, 2),
        label.to(torch.int64).clamp(min=0),
        data_lengths.to(torch.int64),
        label_lengths.to(torch.int64),
        blank=0 if has_first else classes - 1,
        reduction="none",
        zero_infinity=True,
    )
    return loss


@ctc_loss.dtypes
def _(data: str | None, output: str | None) -> dict[str, str | None]:
    return {"data": output, "output": data}


@ctc_loss.onnx
def _(
    g: GraphBuilder,
    data: Value,
    label: Value,
    data_lengths: Value | None = None,
    label_lengths: Value | None = None,
    *,
    use_data_lengths: bool,
    use_label_lengths: bool,
    blank_label: str,
) -> Value:
    """The forward variables of Graves et al. 2006, section 4.1, as logarithms, one `Scan` step for each time step.

    Their S = 2 L + 1 places are the classes of a label with a blank before, between and after them.
    """
    if not use_data_lengths and use_label_lengths:
        data_lengths, label_lengths = None, data_lengths
    dtype = g.dtype(data)
    classes, places = g.dims(data)[2], g.dims(label)[1]
    if classes is None or places is None:
        raise LoweringError(
            "CTCLoss: has no ONNX form where the number of classes or places depends on the batch size: expected data "
            f"(T, N, C) and label (N, L), got {g.dims(data)} and {g.dims(label)}"
        )
    scores = g.op("LogSoftmax", g.cast(data, "float64" if dtype == "float64" else "float32"), axis=2)
    has_first = blank_label == "first"
    if label_lengths is None:
        is_end = g.cast(g.op("Equal", label, g.scalar(0 if has_first else -1, label)), "int64")
        is_class = g.op("Equal", g.op("CumSum", is_end, g.const(1, "int64")), g.const(0, "int64"))
        label_lengths = g.op("ReduceSum", g.cast(is_class, "int64"), g.ints([1]), keepdims=0)
    label_lengths = g.op("Unsqueeze", g.cast(label_lengths, "int64"), g.ints([1]))
    path = _lower_path(g, label, places, 0 if has_first else classes - 1)
    before = g.op("Pad", path, g.ints([0, 2, 0, -2]), g.const(-1, "int64"))
    may_skip = g.op("And", g.op("Not", g.op("Equal", path, before)), g.const(np.arange(2 * places + 1) > 1))
    start = np.full((1, 2 * places + 1), _IMPOSSIBLE)
    start[0, 0] = 0.0
    first = g.op("Expand", g.const(start, g.dtype(scores)), g.op("Shape", path))
    given = [scores]
    if data_lengths is not None:
        given.append(lower_counts(g, data, data_lengths))
    with g.region() as region:
        alpha = region.input_like(first)
        score, *counts = [region.input_like(value, is_element=True) for value in given]
        found = _lower_step(g, alpha, g.op("GatherElements", score, path, axis=1), may_skip)
        region.give([g.op("Where", counts[0], found, alpha) if counts else found])
    (last,) = g.op_outputs("Scan", 1, first, *given, body=region, num_scan_inputs=len(given))
    end = g.op("Mul", label_lengths, g.const(2, "int64"))
    with_blank = g.op("GatherElements", last, end, axis=1)
    place = g.op("Max", g.op("Sub", end, g.const(1, "int64")), g.const(0, "int64"))
    is_empty = g.op("Equal", end, g.const(0, "int64"))
    without = g.op("Where", is_empty, g.scalar(_IMPOSSIBLE, last), g.op("GatherElements", last, place, axis=1))
    loss = g.op("Neg", g.op("Squeeze", _log_sum(g, with_blank, without), g.ints([1])))
    is_impossible = g.op("Greater", loss, g.scalar(-0.1 * _IMPOSSIBLE, loss))
    return g.cast(g.op("Where", is_impossible, g.scalar(0, loss), loss), dtype)


def _lower_path(g: GraphBuilder, label: Value, places: int, blank: int) -> Value:
    """Return the classes (N, 2 L + 1) of a label with blanks before, between and after them."""
    column = g.op("Unsqueeze", g.op("Max", g.cast(label, "int64"), g.const(0, "int64")), g.ints([2]))
    blanks = g.op("Expand", g.const(blank, "int64"), g.op("Shape", column))
    pairs = g.op("Reshape", g.op("Concat", blanks, column, axis=2), g.ints([0, 2 * places]))
    return g.op("Pad", pairs, g.ints([0, 0, 0, 1]), g.const(blank, "int64"))


def _lower_step(g: GraphBuilder, alpha: Value, score: Value, may_skip: Value) -> Value:
    """Return the forward variables (N, S) after a step: from the same place, the one before, or two before."""
    impossible = g.scalar(_IMPOSSIBLE, alpha)
    moved = g.op("Pad", alpha, g.ints([0, 1, 0, -1]), impossible)
    skipped = g.op("Where", may_skip, g.op("Pad", moved, g.ints([0, 1, 0, -1]), impossible), impossible)
    return g.op("Add", _log_sum(g, alpha, moved, skipped), g.op("Max", score, impossible))


def _log_sum(g: GraphBuilder, *terms: Value) -> Value:
    """Return the logarithm of the sum of numbers from their logarithms."""
    largest = g.op("Max", *terms)
    return g.op("Add", largest, g.op("Log", g.op("Sum", *(g.op("Exp", g.op("Sub", t, largest)) for t in terms))))


def lower_counts(g: GraphBuilder, data: Value, lengths: Value) -> Value:
    """Return (T, N, 1): whether a step of `data` (T, N, ...) lies within its sequence."""
    steps = g.dims(data)[0]
    if steps is None:
        count = g.op("Squeeze", g.op("Shape", data, start=0, end=1), g.ints([0]))
        times = g.op("Range", g.const(0, "int64"), count, g.const(1, "int64"))
    else:
        times = g.ints(range(steps))
    return g.op(
        "Less", g.op("Unsqueeze", times, g.ints([1, 2])), g.op("Unsqueeze", g.cast(lengths, "int64"), g.ints([0, 2]))
    )
