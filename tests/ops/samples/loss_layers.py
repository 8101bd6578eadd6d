"""Layers that make a gradient of their own."""

from .sample import Array, Sample

A = Array
SCORES = A((3, 3), kind="values", values=(0.1, -0.5, 2, 1.5, 0.2, -3, 0.3, 0.9, 0.5))
LOSS = "the gradient is that of a loss"
PENALTY = "a penalty is added to the gradient"
RARE = "IdentityAttachKLSparseReg"


def label(*values, dtype="float32", shape=None):
    return A(shape or (len(values),), dtype, "values", values=values, grad=False)


ACTIVE = A((3, 2), kind="values", values=(0.1, 0.5, 0.2, 0.9, 0.4, 0.3))
MEAN = A((2,), kind="values", values=(0.2, 0.4), grad=False)
SAMPLES = [
    Sample("SVMOutput", "squared", (SCORES, label(1, 0, 2)), batch=(0, 1), derivative=LOSS),
    Sample("SVMOutput", "linear", (SCORES, label(1, 0, 2)), {"use_linear": True}, batch=(0, 1), derivative=LOSS),
    Sample(
        "SVMOutput",
        "margin",
        (SCORES, label(1, 0, 2)),
        {"margin": 0.5, "regularization_coefficient": 2.0},
        batch=(0, 1),
        derivative=LOSS,
    ),
    Sample(
        "SVMOutput",
        "linear_margin",
        (SCORES, label(1, 0, 2)),
        {"margin": 0.5, "regularization_coefficient": 2.0, "use_linear": True},
        batch=(0, 1),
        derivative=LOSS,
    ),
    Sample("SVMOutput", "outside", (A((2, 3)), label(5, -1)), batch=(0, 1), derivative=LOSS),
    Sample("SVMOutput", "one", (A((1, 1)), label(0)), batch=(0, 1), derivative=LOSS),
    Sample("SVMOutput", "label_gradient", (A((2, 3)), A((2,), kind="ints", high=3)), batch=(0, 1), derivative=LOSS),
    Sample("SVMOutput", "float64", (A((2, 3), "float64"), label(1, 0, dtype="float64")), batch=(0, 1), derivative=LOSS),
    Sample("SVMOutput", "float16", (A((2, 3), "float16"), label(1, 0, dtype="float16")), batch=(0, 1), derivative=LOSS),
    Sample(RARE, "inference", (ACTIVE, MEAN), grad=False),
    Sample(RARE, "training", (ACTIVE, MEAN), train=True, derivative=PENALTY),
    Sample(
        RARE,
        "options",
        (ACTIVE, MEAN),
        {"sparseness_target": 0.3, "penalty": 0.5, "momentum": 0.25},
        train=True,
        derivative=PENALTY,
    ),
]
