"""Every NDArray case against MXNet's recorded answer, and what only gluonnx promises."""

import pytest
from answers import check, recorded
from ndarray.ndarray_cases import CASES

ANSWERS = recorded("ndarray")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])
