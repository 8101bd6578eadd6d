"""Losses of sequences."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gluonnx.errors import InputError
from gluonnx.ops.table import operator


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


ctc_loss.no_onnx("it has no operator for it, and a loss is not deployed")
