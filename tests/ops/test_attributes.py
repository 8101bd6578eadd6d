"""The codec between MXNet's attribute text and typed values."""

import math
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gluonnx.errors import AttributeValueError
from gluonnx.ops.attributes import DTypeName, Floats, Shape, attribute, to_text
from gluonnx.ops.dtypes import DTYPES, as_dtype, torch_dtype

INTS = st.integers(-(2**63), 2**63 - 1)
SHAPES = st.lists(INTS, max_size=6).map(tuple)


def parse(annotation, value):
    return attribute("x", annotation).parse(value)


@given(INTS)
def test_ints(value):
    assert parse(int, to_text(value)) == parse(int, value) == value
    assert parse(int, f" {value}L ") == value
    assert parse(int, np.int64(value)) == value


@given(st.floats(allow_nan=False))
def test_floats(value):
    assert parse(float, to_text(value)) == value
    assert parse(float, to_text(np.float64(value))) == value


def test_float_spellings():
    assert parse(float, "1.5f") == 1.5
    assert [parse(float, text) for text in ("inf", "-inf", "+inf")] == [math.inf, -math.inf, math.inf]
    assert math.isnan(parse(float, "nan"))
    assert parse(float, "True") == 1.0
    assert parse(float, 3) == 3.0


@given(SHAPES)
def test_shapes(value):
    for spelling in (value, list(value), str(value), str(list(value)), str(value).replace(" ", ""), to_text(value)):
        assert parse(Shape, spelling) == value


def test_shape_spellings():
    assert parse(Shape, 3) == parse(Shape, "3") == parse(Shape, "(3,)") == parse(Shape, "[3]") == (3,)
    assert parse(Shape, "()") == parse(Shape, ()) == ()
    assert parse(Shape, "(2L, 3L)") == (2, 3)
    assert parse(Shape, np.array([2, 3])) == (2, 3)
    assert parse(Floats, "(0.5, 1)") == parse(Floats, [0.5, 1]) == parse(Floats, np.array([0.5, 1])) == (0.5, 1.0)
    assert parse(Floats, 0.5) == parse(Floats, "0.5") == parse(Floats, "[0.5]") == parse(Floats, "(0.5f,)") == (0.5,)
    assert parse(Floats, "()") == ()


@given(st.booleans())
def test_bools(value):
    spellings = (value, np.bool_(value), int(value), str(value), str(value).lower(), str(int(value)), to_text(value))
    assert {parse(bool, s) for s in spellings} == {value}


@given(st.text())
def test_any_text_parses_or_is_refused(text):
    for annotation in (int, float, bool, Shape, Floats, DTypeName, Shape | None, Literal["a", "b"]):
        try:
            typed = parse(annotation, text)
        except (ValueError, OverflowError):
            continue
        # What was read means the same when it is written again.
        again = parse(annotation, to_text(typed))
        assert again == typed or str(again) == str(typed)  # NaN is not equal to itself


@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1))
def test_strings_are_kept(text):
    assert parse(str, text) == text


def test_choices_and_none():
    assert parse(Literal["max", "avg"], "avg") == "avg"
    assert parse(Literal["max", "avg"] | None, "None") is None
    assert parse(int | None, None) is None
    assert parse(int | None, "4") == 4
    with pytest.raises(ValueError, match="sum"):
        parse(Literal["max", "avg"], "sum")


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
def test_dtypes(dtype):
    for spelling in (dtype.name, dtype.torch, dtype.numpy, dtype):
        assert as_dtype(spelling) is dtype
        assert parse(DTypeName, spelling) == dtype.name
    assert torch_dtype(dtype.name) is dtype.torch
    assert to_text(dtype.numpy) == dtype.name


def test_python_and_numpy_types_are_dtypes():
    assert [as_dtype(t).name for t in (np.float32, np.int8, float, bool)] == ["float32", "int8", "float64", "bool"]


@pytest.mark.parametrize("value", ["float31", "", np.complex64, torch.complex64, object()])
def test_unknown_dtypes(value):
    with pytest.raises(AttributeValueError, match=r"dtype: unknown dtype: expected one of float32, .*, got "):
        as_dtype(value)
