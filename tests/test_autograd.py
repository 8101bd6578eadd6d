"""Every autograd case against MXNet's recorded answer, and what only gluonnx promises."""

import pytest
from answers import check, recorded
from autograd_cases import CASES

ANSWERS = recorded("autograd")


def test_every_case_is_recorded():
    assert ANSWERS.keys() == CASES.functions.keys() - CASES.differs.keys()


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_mxnets(name):
    check(CASES, name, ANSWERS[name])
