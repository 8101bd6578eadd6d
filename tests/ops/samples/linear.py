"""Matrix products."""

from .sample import Array, Sample

SAMPLES = [
    Sample("FullyConnected", "bias", (Array((4, 3, 2)), Array((5, 6)), Array((5,))), {"num_hidden": 5}),
    Sample("FullyConnected", "no_bias", (Array((4, 6)), Array((5, 6))), {"num_hidden": 5, "no_bias": True}),
    Sample(
        "FullyConnected",
        "no_flatten",
        (Array((2, 3, 6)), Array((5, 6)), Array((5,))),
        {"num_hidden": 5, "flatten": False},
    ),
    Sample("FullyConnected", "batch_one", (Array((1, 6)), Array((1, 6)), Array((1,))), {"num_hidden": 1}),
]
