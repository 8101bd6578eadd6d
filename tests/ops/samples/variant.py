"""What follows from a sample: the same call in other dtypes, and at the edges of what shapes and axes may be.

Readable by Python 3.8 with numpy alone, as the samples are; tests/golden/make_dtypes.py records MXNet's answers.
"""

import dataclasses
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from .sample import Array, RandomSample, Sample

DTYPES = ("float16", "float64", "bfloat16", "int8", "int32", "int64", "uint8", "bool")
"""What float32 inputs become."""
EDGES = ("ones", "empty", "negative")
"""Every size 1; batch size 0; axes counted from the end."""
BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
"""bfloat16 in numpy, as MXNet 1.9.1 has it."""
FLOATS = ("float16", "float32", "float64", "bfloat16")
MOST_ELEMENTS = 256
"""A representative has fewer elements than that, where there is one."""
AXES = ("axis", "axes", "dim", "axis1", "axis2", "dim1", "dim2")


@dataclass(frozen=True)
class Variant(Sample):
    """A call that follows from a sample.

    Attributes:
        base: The sample.
        change: The dtype, `dtype=` and the dtype of the attribute, or the edge.
        cast: Positions of the inputs that are cast.
    """

    base: Optional[Sample] = None
    change: str = ""
    cast: Tuple[int, ...] = ()

    @property
    def is_edge(self):
        """Whether shapes or axes are changed, not dtypes."""
        return self.change in EDGES

    def arrays(self):
        """The input arrays."""
        if self.change in ("ones", "empty"):
            return super().arrays()
        arrays = self.base.arrays()
        return [convert(a, self.change) if i in self.cast else a for i, a in enumerate(arrays)]

    def head_gradients(self, outputs):
        """A gradient for each output, the same on both sides."""
        plain = super().head_gradients([o.astype(np.float32) if o.dtype != BFLOAT16 else widened(o) for o in outputs])
        names = ["bfloat16" if o.dtype == BFLOAT16 else o.dtype.name for o in outputs]
        return [convert(plain[i], name) for i, name in enumerate(names)]


def convert(array, dtype):
    """The array in another dtype, with values that tell something there."""
    if dtype == "bfloat16":
        bits = array.astype(np.float32).view(np.uint32).astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).view(BFLOAT16)
    if dtype in FLOATS:
        return array.astype(dtype)
    is_whole = np.array_equal(array, np.rint(array))
    if dtype == "bool":
        return array != 0 if is_whole else array > 0
    whole = np.rint(array if is_whole else array * 4)
    return (np.abs(whole) if dtype == "uint8" else whole).astype(np.int64).astype(dtype)


def widened(array):
    """A bfloat16 array as float32."""
    return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def representatives(samples):
    """For each operator the samples that stand for it: the first small one, and one whose attributes differ most."""
    found = {}
    for sample in samples:
        if isinstance(sample, Sample) and any(a.dtype == "float32" for a in sample.inputs) and size(sample):
            found.setdefault(sample.op, []).append(sample)
    chosen = []
    for candidates in found.values():
        small = [s for s in candidates if size(s) <= MOST_ELEMENTS] or [min(candidates, key=size)]
        first = small[0]
        chosen.append(first)
        other = max(small, key=lambda s: distance(first, s))
        if distance(first, other):
            chosen.append(other)
    return chosen


def size(sample):
    """The number of elements of all inputs."""
    sizes = [int(np.prod(a.shape)) for a in sample.inputs]
    return sum(sizes) if all(sizes) else 0


def distance(a, b):
    """How many attributes of two samples differ."""
    names = set(a.attrs) | set(b.attrs)
    return sum(str(a.attrs.get(n)) != str(b.attrs.get(n)) for n in names)


def casts(sample, dtype):
    """The same call in another dtype: of all float inputs, those that gradients go to, all but the last, the first."""
    every = tuple(i for i, a in enumerate(sample.inputs) if a.dtype == "float32")
    values = tuple(i for i in every if sample.inputs[i].has_grad and sample.inputs[i].kind != "ints")
    seen = []
    for id, cast in (("", every), ("_values", values), ("_but_last", every[:-1]), ("_first", every[:1])):
        if cast and cast not in seen:
            seen.append(cast)
            inputs = tuple(
                dataclasses.replace(a, dtype=dtype, grad=a.has_grad and dtype in FLOATS) if i in cast else a
                for i, a in enumerate(sample.inputs)
            )
            variant = vary(sample, dtype, dtype + id, inputs, sample.attrs, cast)
            yield variant
            if variant.grad and any(a.has_grad for a in inputs):
                yield dataclasses.replace(variant, id=variant.id + "_forward", grad=False)


def edges(sample):
    """The same call with sizes of 1, with no rows, and with axes counted from the end."""
    ones = tuple(dataclasses.replace(a, shape=(1,) * len(a.shape), values=first(a)) for a in sample.inputs)
    yield vary(sample, "ones", "ones", ones, sample.attrs)
    if sample.batch:
        empty = tuple(
            dataclasses.replace(a, shape=(0, *a.shape[1:]), values=(), kind="values") if i in sample.batch else a
            for i, a in enumerate(sample.inputs)
        )
        yield vary(sample, "empty", "empty", empty, sample.attrs)
    rank = len(sample.inputs[0].shape)
    attrs = {name: counted_from_end(v, rank) if name in AXES else v for name, v in sample.attrs.items()}
    if attrs != sample.attrs:
        yield vary(sample, "negative", "negative", sample.inputs, attrs)


def first(array: Array):
    """The values of an array that keeps one element."""
    return array.values[:1] if array.values else array.values


def counted_from_end(axes, rank):
    """The same axes, counted from the end where they were not."""
    if isinstance(axes, bool) or axes is None:
        return axes
    if isinstance(axes, int):
        return axes - rank if axes >= 0 else axes
    return tuple(a - rank if a >= 0 else a for a in axes)


def vary(sample, change, id, inputs, attrs, cast=()):
    """The variant of a sample."""
    fields = {f.name: getattr(sample, f.name) for f in dataclasses.fields(Sample)}
    fields.update(id=sample.id + "@" + id, inputs=tuple(inputs), attrs=attrs)
    return Variant(base=sample, change=change, cast=cast, **fields)


def declared(samples):
    """For each operator whose result has the dtype of an attribute, a call with each dtype."""
    seen = set()
    for sample in samples:
        if sample.attrs.get("dtype") and sample.op not in seen:
            seen.add(sample.op)
            for dtype in ("float32", *DTYPES):
                attrs = dict(sample.attrs, dtype=dtype)
                if isinstance(sample, RandomSample):
                    yield dtype, dataclasses.replace(sample, id=sample.id + "@dtype=" + dtype, attrs=attrs)
                else:
                    yield dtype, vary(sample, "dtype=" + dtype, "dtype=" + dtype, sample.inputs, attrs)
