"""What a case is: one configuration of one block, as data.

Runs under Python 3.8 with numpy alone too: MXNet 1.9.1 builds the same blocks to record its answers
(tests/golden/make_gluon.py). Both sides make the same inputs and parameter values from the case's name.
"""

import zlib
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np
from ops.samples.sample import Array

__all__ = ["FORGETS", "Array", "Case", "digest"]

FORGETS = "MXNet's MKL-DNN kernel keeps nothing for it: what comes out is whatever lay in memory"

LARGE = 2000
"""Arrays of more values are recorded by some of their values and two sums, to keep the files small."""

SAMPLED = 400


@dataclass(frozen=True)
class Case:
    """One block.

    Attributes:
        id: Unique among all cases.
        build: Makes the block, given the `mx` of either side.
        inputs: Arrays it is called with; floats get gradients.
        values: Kind (see `Array`, or `ones`) of the parameters whose name ends so; others are `normal`, scaled down.
        is_random: Whether training draws random numbers, so that only prediction can be compared.
        traced: None when it can be hybridized; otherwise why not.
        onnx: None when ONNX can express it; otherwise why not.
        recorded: None when MXNet can record it; otherwise why not.
        predict_gradient: None when MXNet can give the gradient of a call in prediction mode; otherwise why not.
        derivative: None when MXNet's gradient is the derivative; otherwise why not.
        steps: Training steps to take: {optimizer arguments}, None for none. The last input is the label.
        rtol, atol: Override of the tolerance table, with the reason in `why`.
    """

    id: str
    build: Callable[[Any], Any]
    inputs: Tuple[Array, ...]
    values: Dict[str, str] = field(default_factory=dict)
    is_random: bool = False
    traced: Optional[str] = None
    onnx: Optional[str] = None
    recorded: Optional[str] = None
    predict_gradient: Optional[str] = None
    derivative: Optional[str] = None
    steps: int = 0
    rtol: Optional[float] = None
    atol: Optional[float] = None
    why: str = ""

    def __post_init__(self):
        if (self.rtol is not None or self.atol is not None) and not self.why:
            raise ValueError("%s: a tolerance override needs its `why`" % self.id)

    @property
    def key(self):
        return self.id

    def rng(self, name):
        return np.random.RandomState(zlib.crc32((self.id + "/" + name).encode()))

    def arrays(self):
        """The input arrays."""
        return [spec.make(self.rng("input%d" % i)) for i, spec in enumerate(self.inputs)]

    def labels(self, classes, size):
        """Class labels for training steps."""
        return self.rng("labels").randint(0, classes, size=(size,)).astype("float32")

    def parameter(self, name, shape, dtype):
        """The value of a parameter, by its name without the block's own prefix."""
        kind = "positive" if name.endswith(("running_var", "gamma")) else "normal"
        for end, given in self.values.items():
            if name.endswith(end):
                kind = given
        if kind == "ones":
            return np.ones(shape, dtype)
        value = Array(tuple(shape), kind=kind).make(self.rng(name))
        if kind == "normal":
            value = value * (0.5 if len(shape) < 2 else float(np.prod(shape[1:])) ** -0.5)
        return value.astype(dtype)

    def head_gradient(self, index, shape, dtype):
        """A gradient for an output, the same on both sides."""
        return self.rng("head%d" % index).uniform(0.5, 1.5, size=shape).astype(dtype)


def digest(array):
    """An array itself, or what stands for a large one: some of its values, its sum and its sum of squares."""
    array = np.asarray(array)
    if array.size <= LARGE:
        return array
    flat = array.reshape(-1).astype(np.float64)
    picked = flat[np.random.RandomState(0).randint(0, flat.size, size=SAMPLED)]
    return np.concatenate([picked, [flat.sum(), np.square(flat).sum()]])
