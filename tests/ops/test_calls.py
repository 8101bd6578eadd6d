"""Every operator x every kind of wrong call, of `nd` and of `sym`: one of our errors, which names what is wrong."""

import re

import numpy as np
import pytest
from ops.samples import FAMILIES

import gluonnx as mx
from gluonnx.errors import AttributeValueError, InputError, InputTypeError, MXNetError
from gluonnx.ndarray.register import function as ndarray_function
from gluonnx.ops import TABLE
from gluonnx.symbol.register import function as symbol_function

OPERATORS = tuple(op for op in TABLE.operators() if not op.is_open and not op.subgraphs)
"""All but `Custom`, whose inputs and attributes a program declares, and loops and branches, which take symbols."""
FIRST = {}
for _sample in (s for samples in FAMILIES.values() for s in samples):
    FIRST.setdefault(TABLE[_sample.op].name, _sample)
ANY_TEXT = ("a str", "a str or None")
"""Types of attributes for which every text will do."""


def arrays(sample):
    return [mx.nd.array(a, dtype=a.dtype) for a in sample.arrays()]


def variables(sample):
    return [mx.sym.var(f"x{i}") for i in range(len(sample.inputs))]


NAMESPACES = [
    pytest.param(ndarray_function, arrays, "NDArray", id="nd"),
    pytest.param(symbol_function, variables, "Symbol", id="sym"),
]


@pytest.fixture(params=OPERATORS, ids=lambda op: op.name)
def op(request):
    return request.param


@pytest.mark.parametrize(("function", "make", "handle"), NAMESPACES)
class TestWrongCalls:
    def test_attributes(self, op, function, make, handle):
        sample = FIRST[op.name]
        call, inputs = function(sample.op), make(sample)
        names = ", ".join(op.attributes) or "none"
        message = f"^{op.name}: unknown attribute: expected one of {names}, got 'no_such_attribute'\\.$"
        with pytest.raises(AttributeValueError, match=message):
            call(*inputs, **sample.attrs, no_such_attribute=1)
        for name, attribute in op.attributes.items():
            others = {key: value for key, value in sample.attrs.items() if key != name}
            expected = re.escape(attribute.describe)
            message = f"^{op.name}: attribute `{name}` has a wrong value: expected {expected}, got {name}=.*spam"
            for wrong in () if attribute.describe in ANY_TEXT else ("spam", ("spam",), {"spam": 1}):
                with pytest.raises(AttributeValueError, match=message):
                    call(*inputs, **others, **{name: wrong})
            if attribute.required:
                message = f"^{op.name}: attribute `{name}` is missing: expected {expected}\\. Pass `{name}=`\\.$"
                with pytest.raises(AttributeValueError, match=message):
                    call(*inputs, **others)

    def test_number_of_inputs(self, op, function, make, handle):
        sample = FIRST[op.name]
        call, inputs = function(sample.op), make(sample)
        one = mx.nd.ones((2,)) if handle == "NDArray" else mx.sym.var("x")
        names = "|".join(spec.name for spec in op.inputs) or "0"
        if not op.variadic:
            with pytest.raises(MXNetError, match=f"^{op.name}: .*expected .*({names}|at most \\d+).*, got") as error:
                call(*inputs, *[one] * (9 + len(op.inputs) + len(op.attributes)), **sample.attrs)
            assert isinstance(error.value, (InputError, InputTypeError))
        if inputs and handle == "NDArray":  # a graph makes variables of inputs that are not given
            with pytest.raises(InputError, match=f"^{op.name}: (wrong number of|too few) inputs: expected .*, got 0"):
                call(**sample.attrs)

    def test_things_that_are_no_arrays(self, op, function, make, handle):
        sample = FIRST[op.name]
        call, inputs = function(sample.op), make(sample)
        active = op.active_inputs(op.parse(sample.attrs), len(inputs))
        # A plain value in the place of an optional input is the attribute after it: those go by name.
        by_place = len(inputs) if op.variadic else sum(not spec.optional for spec in active[: len(inputs)])
        for position in range(len(inputs)):
            for thing in (object(), np.ones(2), "text", 2.5):
                given = [*inputs[:position], thing, *inputs[position + 1 :]]
                by_name = {active[i].name: given[i] for i in range(by_place, len(given))}
                message = rf"of the wrong type: expected {handle}, got {type(thing).__name__}\."
                with pytest.raises(InputTypeError, match=f"^{op.name}: input `\\w+` is {message}"):
                    call(*given[:by_place], **by_name, **sample.attrs)


def wrong_shapes(given):
    """The same arrays, in turn with another rank, other sizes, no elements."""
    for position, array in enumerate(given):
        for shape in (
            (2,) * 7,
            (*array.shape[:-1], array.shape[-1] + 7),
            (array.shape[0] + 5, *array.shape[1:]),
            array.shape[:-1] or (3, 4),
            (0,) * array.ndim,
        ):
            yield [*given[:position], resized(array, shape), *given[position + 1 :]]
    for shape in ((1,), (2,) * 7, (3, 4, 5, 2)):
        yield [resized(a, shape) for a in given]


def resized(array, shape):
    return np.resize(array if array.size else np.zeros(1, array.dtype), shape)


def raised(call):
    """The error of ours that a call raises, if any."""
    try:
        call()
    except MXNetError as err:
        return err
    return None


@pytest.mark.parametrize("op", [op for op in OPERATORS if FIRST[op.name].inputs], ids=lambda op: op.name)
def test_wrong_shapes(op):
    sample = FIRST[op.name]
    call, given = ndarray_function(sample.op), sample.arrays()
    kinds = {f"x{i}": a.dtype for i, a in enumerate(given)}
    symbol = symbol_function(sample.op)(*(mx.sym.var(n, dtype=dtype) for n, dtype in kinds.items()), **sample.attrs)
    mode = mx.autograd.train_mode if getattr(sample, "train", False) else mx.autograd.predict_mode
    for arrays in wrong_shapes(given):
        shapes = [a.shape for a in arrays]
        inputs = [mx.nd.array(a, dtype=a.dtype) for a in arrays]
        with mode():
            imperative = raised(lambda: call(*inputs, **sample.attrs))  # noqa: B023
        known = dict(zip(kinds, shapes, strict=True))
        for error in (imperative, raised(lambda: symbol.infer_shape_partial(**known))):  # noqa: B023
            if error is None:
                continue
            assert str(error).startswith(f"{op.name}"), error
            if isinstance(error, InputError):
                assert any(str(shape) in str(error) for shape in shapes), error
            else:
                assert re.search("expected .*got ", str(error)), error


@pytest.mark.parametrize("name", ["_foreach", "_while_loop", "_cond"])
def test_operators_that_run_subgraphs(name):
    with pytest.raises(InputTypeError, match=f"^{name}: runs subgraphs: expected a call of `sym`, got one of `nd`"):
        ndarray_function(name)(mx.nd.ones((2,)))
    with pytest.raises(
        InputTypeError, match=rf"^{name}: subgraphs missing: expected the symbols .* first, got none\. "
    ):
        symbol_function(name)()


def test_every_operator_is_called():
    rest = {op.name for op in TABLE.operators()} - {op.name for op in OPERATORS}
    assert rest == {"Custom", "_foreach", "_while_loop", "_cond"}
    assert FIRST.keys() >= {op.name for op in OPERATORS}
