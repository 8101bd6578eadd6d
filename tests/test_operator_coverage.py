"""The figures of `make coverage`."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def coverage():
    spec = importlib.util.spec_from_file_location("operator_coverage", DOCS / "operator_coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shares_are_of_what_is_counted(coverage):
    uses = [
        coverage.Use("Activation", 6, 3, True),
        coverage.Use("none such", 3, 160, False),
        coverage.Use("_random_none", 1, 16, False),
    ]
    assert coverage.share_of_uses(uses, coverage.has) == 0.6
    assert coverage.share_of_files(uses, coverage.has) == pytest.approx((0.89, 0.9))
    assert coverage.share_of_files(uses[:1], coverage.lowers) == (1.0, 1.0)


def test_every_counted_operator_of_mxnet_is_there(coverage):
    uses = coverage.read()
    assert len(uses) > 240
    missing = [u.operator for u in uses if u.is_mxnet and not coverage.has(u)]
    assert missing == []
