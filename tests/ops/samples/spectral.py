"""Fourier transforms and count sketches. MXNet has them on GPUs only: tests/golden/make_ops.py computes the answers."""

from .sample import Array as A
from .sample import Sample

FT, IT, CS = "_contrib_fft", "_contrib_ifft", "_contrib_count_sketch"
SUMS = {"rtol": 1e-4, "atol": 1e-5, "why": "sums over all elements of a row in float32"}


def sketch(id, shape, out_dim, places, dtype="float32", **options):
    size = shape[-1]
    h = A((1, size), dtype, "values", values=places, grad=False)
    s = A((1, size), dtype, "values", values=(1.0, -1.0, 1.0, 1.0)[:size], grad=False)
    return Sample(CS, id, (A(shape, dtype), h, s), dict(options, out_dim=out_dim))


SAMPLES = []
for name, shape in (("rows", (3, 8)), ("odd", (2, 5)), ("maps", (2, 3, 2, 6)), ("one", (1, 2))):
    SAMPLES += [Sample(op, name, (A(shape),), grad=name != "odd" or op == FT, **SUMS) for op in (FT, IT)]
SAMPLES += [
    Sample(FT, "float64", (A((2, 6), "float64"),), {"compute_size": 4}),
    Sample(IT, "float64", (A((2, 6), "float64"),), {"compute_size": 4}),
    Sample(FT, "float16", (A((2, 4), "float16"),), rtol=2e-3, atol=4e-3, why="sums of several float16"),
    Sample(IT, "float16", (A((2, 4), "float16"),), rtol=2e-3, atol=4e-3, why="sums of several float16"),
    sketch("rows", (3, 4), 5, (0.0, 4.0, 0.0, 2.0)),
    sketch("maps", (2, 3, 2, 4), 3, (2.0, 2.0, 2.0, 0.0)),
    sketch("one", (1, 1), 1, (0.0,)),
    sketch("float64", (2, 4), 3, (1.0, 2.0, 1.0, 0.0), "float64", processing_batch_size=1),
]
