"""Arrays from attributes alone."""

from .sample import Sample


def _sample(op, id, **attrs):
    return Sample(op, id, (), attrs, batch=())


SAMPLES = [
    _sample("_zeros", "vector", shape=3),
    _sample("_zeros", "int32", shape=(2, 3), dtype="int32"),
    _sample("_zeros", "ctx", shape=(2,), ctx="cpu(0)"),
    _sample("_zeros", "bool", shape=(2,), dtype="bool"),
    _sample("_ones", "matrix", shape=(2, 3)),
    _sample("_ones", "float64", shape=(1,), dtype="float64"),
    _sample("_ones", "bool", shape=(2,), dtype="bool"),
    _sample("_ones", "float16", shape=(2, 1, 3), dtype="float16"),
    _sample("_ones", "uint8", shape=(2,), dtype="uint8"),
    _sample("_full", "float32", shape=(2, 3), value=3.7),
    _sample("_full", "int32", shape=(2,), value=3.7, dtype="int32"),
    _sample("_full", "negative", shape=(2,), value=-3.7, dtype="int64"),
    _sample("_full", "wraps", shape=(2,), value=300, dtype="uint8"),
    _sample("_full", "beyond", shape=(2,), value=-1e9, dtype="float16"),
    _sample("_full", "bool", shape=(2,), value=3.7, dtype="bool"),
    _sample("_arange", "count", start=5),
    _sample("_arange", "step", start=2, stop=8, step=2),
    _sample("_arange", "repeat", start=2, stop=8, step=2, repeat=3),
    _sample("_arange", "down", start=8, stop=2, step=-2.5),
    _sample("_arange", "fraction", start=0, stop=1, step=0.1),
    _sample("_arange", "int32", start=0, stop=5, dtype="int32"),
    _sample("_arange", "int_fraction", start=0.5, stop=3, step=0.7, dtype="int32"),
    _sample("_arange", "float16", start=0, stop=2.5, dtype="float16"),
    _sample("_arange", "float64", start=0, stop=1, step=0.3, dtype="float64"),
    _sample("_linspace", "closed", start=0, stop=1, num=5),
    _sample("_linspace", "open", start=0, stop=1, num=5, endpoint=False),
    _sample("_linspace", "one", start=2, stop=3, num=1),
    _sample("_linspace", "int32", start=0, stop=7, num=4, dtype="int32"),
    _sample("_linspace", "float64", start=-1, stop=1, num=7, dtype="float64"),
    _sample("_eye", "square", N=3),
    _sample("_eye", "wide", N=3, M=4, k=1),
    _sample("_eye", "tall", N=3, M=2),
    _sample("_eye", "below", N=3, k=-1, dtype="int32"),
    _sample("_eye", "outside", N=2, k=5),
    _sample("_eye", "one", N=1),
]
