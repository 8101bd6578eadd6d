"""What a sample is: one call of one operator, as data.

Runs under Python 3.8 with numpy alone too: MXNet 1.9.1 reads the same samples to record its answers
(tests/golden/make_ops.py), and both sides make the same input arrays from the sample's name.
"""

import zlib
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

import numpy as np


@dataclass(frozen=True)
class Array:
    """An input array, made from a seed.

    kind:
        normal    standard normal
        positive  uniform in [0.5, 2)
        unit      uniform in (-0.9, 0.9)
        away      normal with magnitude at least 0.3 (for functions with a kink at 0)
        distinct  a permutation of evenly spaced values, for max, sort and argmax
        ints      integers in [low, high)
        values    exactly `values`, reshaped
    """

    shape: Tuple[int, ...]
    dtype: str = "float32"
    kind: str = "normal"
    low: int = 0
    high: int = 10
    values: Optional[Tuple[float, ...]] = None
    grad: bool = True
    stype: str = "default"  # how MXNet is given it

    def make(self, rng):
        if self.kind == "values":
            array = np.array(self.values, dtype=np.float64).reshape(self.shape)
        elif self.kind == "ints":
            array = rng.randint(self.low, self.high, size=self.shape)
        elif self.kind == "positive":
            array = rng.uniform(0.5, 2.0, size=self.shape)
        elif self.kind == "unit":
            array = rng.uniform(-0.9, 0.9, size=self.shape)
        elif self.kind == "away":
            array = rng.normal(size=self.shape)
            array = np.where(array < 0, array - 0.3, array + 0.3)
        elif self.kind == "distinct":
            size = int(np.prod(self.shape))
            array = rng.permutation(size).reshape(self.shape) * 0.25 - size * 0.125
        else:
            array = rng.normal(size=self.shape)
        return np.asarray(array).astype(self.dtype)

    @property
    def has_grad(self):
        return self.grad and self.dtype in ("float32", "float64", "float16")


@dataclass(frozen=True)
class Sample:
    """One call.

    Attributes:
        op: Registered name of the operator.
        id: Unique among the samples of the operator.
        inputs: Input arrays, in the operator's order.
        attrs: Attributes as Python values.
        grad: Whether MXNet's gradient is recorded and compared.
        train: Whether the call is recorded in training mode.
        onnx: None when the lowering takes this sample; otherwise why not.
        batch: Positions of the inputs whose axis 0 is a batch axis: one exported file must serve other sizes of it.
            Empty where the operator's meaning or the sample ties axis 0 down.
        derivative: None where MXNet's gradient is the derivative, which finite differences show; otherwise why not.
        out: Positions of inputs of which MXNet fills copies, for operators that cannot make their outputs there.
        in_place: Whether it fills those inputs themselves, because it takes nothing else.
        parameters: None where the inputs have the declared parameter shapes; otherwise why others will do too.
        rtol, atol: Override of the tolerance table, with the reason in `why`.
    """

    op: str
    id: str
    inputs: Tuple[Array, ...]
    attrs: Dict[str, Any] = field(default_factory=dict)
    grad: bool = True
    train: bool = False
    onnx: Optional[str] = None
    batch: Tuple[int, ...] = (0,)
    derivative: Optional[str] = None
    out: Tuple[int, ...] = ()
    in_place: bool = False
    parameters: Optional[str] = None
    rtol: Optional[float] = None
    atol: Optional[float] = None
    why: str = ""

    def __post_init__(self):
        if (self.rtol is not None or self.atol is not None) and not self.why:
            raise ValueError("%s: a tolerance override needs its `why`" % self.key)

    @property
    def key(self):
        return self.op + "-" + self.id

    def rng(self):
        return np.random.RandomState(zlib.crc32(self.key.encode()))

    def arrays(self):
        """The input arrays."""
        rng = self.rng()
        return [spec.make(rng) for spec in self.inputs]

    def head_gradients(self, outputs):
        """A gradient for each output, the same on both sides."""
        rng = np.random.RandomState(zlib.crc32(self.key.encode()) ^ 0x5EED)
        return [np.asarray(rng.uniform(0.5, 1.5, size=o.shape)).astype(o.dtype) for o in outputs]


@dataclass(frozen=True)
class RandomSample:
    """A call whose values are drawn: only shape, dtype and moments can be compared.

    `dtype` is that of the draws, where it is not told by the attribute or the default of the operator.
    """

    op: str
    id: str
    attrs: Dict[str, Any]
    mean: float
    std: float
    low: float = -np.inf
    high: float = np.inf
    onnx: Optional[str] = None
    inputs: Tuple[Array, ...] = ()
    shape: Optional[Tuple[int, ...]] = None
    dtype: Optional[str] = None

    @property
    def key(self):
        return self.op + "-" + self.id

    def arrays(self):
        """The input arrays."""
        return [spec.make(np.random.RandomState(0)) for spec in self.inputs]
