"""Where the golden files and the real checkpoints are, and what MXNet said about them."""

import json
from pathlib import Path

import pytest
from hypothesis import settings

from gluonnx.formats.params import Csr, RowSparse

FILES = Path(__file__).parents[1] / "golden" / "files"
SHARED = Path(__file__).parents[3] / "shared" / "checkpoints"

relaxed = settings(deadline=None)  # the machine may be busy: a slow example is not a wrong one
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no real checkpoints in ../shared/checkpoints")


def load_json(name):
    return json.loads((FILES / name).read_text(encoding="utf-8"))


def parts_of(array):
    """The numpy arrays that make up one array of a file, under the names params.npz uses."""
    if isinstance(array, Csr):
        return {"indptr": array.indptr, "indices": array.indices, "data": array.data}
    if isinstance(array, RowSparse):
        return {"indices": array.indices, "data": array.data}
    return {"data": array}


def stype_of(array):
    return {Csr: "csr", RowSparse: "row_sparse"}.get(type(array), "default")


def dtype_of(array):
    return array.data.dtype if isinstance(array, Csr | RowSparse) else array.dtype


def assert_same(got, expected):
    """Equal bits, dtype and shape, of whole arrays of any storage."""
    assert type(got) is type(expected)
    assert got.shape == expected.shape
    for name, part in parts_of(got).items():
        other = parts_of(expected)[name]
        assert part.dtype == other.dtype
        assert part.shape == other.shape
        assert part.tobytes() == other.tobytes()
