"""Losses of sequences."""

from .sample import Array, Sample


def _labels(*values):
    return Array((2, 3), kind="values", values=values, grad=False)


def _lengths(*values):
    return Array((2,), kind="values", values=values, grad=False)


SAMPLES = (
    Sample("CTCLoss", "first", (Array((6, 2, 4)), _labels(1, 2, 3, 3, 1, 0)), batch=()),
    Sample("CTCLoss", "repeated", (Array((7, 2, 4)), _labels(1, 1, 2, 2, 2, 0)), batch=()),
    Sample(
        "CTCLoss",
        "last",
        (Array((6, 2, 4)), _labels(0, 1, 2, 2, -1, -1)),
        {"blank_label": "last"},
        batch=(),
    ),
    Sample(
        "CTCLoss",
        "lengths",
        (Array((6, 2, 4)), _labels(1, 2, 3, 3, 1, 2), _lengths(6, 5), _lengths(3, 1)),
        {"use_data_lengths": True, "use_label_lengths": True},
        batch=(),
    ),
    Sample(
        "CTCLoss",
        "data lengths only",
        (Array((6, 2, 4)), _labels(1, 2, 3, 3, 0, 0), _lengths(4, 6)),
        {"use_data_lengths": True},
        batch=(),
    ),
    # MXNet's cost of an impossible label is 0, but its gradient is not.
    Sample("CTCLoss", "impossible", (Array((3, 2, 4)), _labels(2, 2, 1, 3, 0, 0)), grad=False, batch=()),
)
