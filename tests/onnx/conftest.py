"""Fixtures of the ONNX tests."""

import handmade
import pytest

from gluonnx.ops.table import TABLE


@pytest.fixture
def mlp():
    """Two dense layers: heads, parameters."""
    return handmade.mlp()


@pytest.fixture
def scratch():
    """Take operators that a test declares out of the table again."""
    before = dict(TABLE._rows)
    yield
    TABLE._rows.clear()
    TABLE._rows.update(before)
