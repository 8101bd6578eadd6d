"""Every operator x every sample.

Eager against MXNet's recorded answer, NDArray and symbol against eager, ONNX Runtime against eager, gradients against
MXNet's and finite differences, inferred and declared shapes against real ones, attributes through text.
"""

import numpy as np
import pytest
import torch
from ops import matrix
from ops.matrix import RANDOM_SAMPLES, SAMPLES, call, golden, operator_of, tensors
from ops.tolerance import FINITE_DIFFERENCES, assert_same

from gluonnx.errors import LoweringError
from gluonnx.ops import TABLE
from gluonnx.ops.attributes import to_text
from gluonnx.symbol.inference import infer


def over(samples):
    return pytest.mark.parametrize("sample", samples, ids=lambda s: s.key)


def _differentiated(sample):
    return sample.grad and any(a.has_grad for a in sample.inputs)


def _has_finite_differences(sample):
    size = sum(int(np.prod(a.shape)) for a in sample.inputs)
    wide = all(a.dtype != "float16" for a in sample.inputs)
    return _differentiated(sample) and sample.derivative is None and wide and size <= matrix.GRADCHECK_SIZE


@over(SAMPLES)
def test_eager_gives_mxnets_answer(sample):
    op, expected = operator_of(sample), golden(sample)
    inputs = tensors(sample.arrays())
    result = call(op, inputs, op.parse(sample.attrs), train=sample.train)
    assert len(result.outputs) == sum(name.startswith("out") for name in expected)
    for i, output in enumerate(result.outputs):
        assert_same(output.numpy(), expected[f"out{i}"], sample, f"out{i}")
    assert set(result.states) >= {int(name[3:]) for name in expected if name.startswith("aux")}
    for i, state in result.states.items():
        recorded = expected.get(f"aux{i}", sample.arrays()[i])
        assert_same(state.numpy(), recorded, sample, f"aux{i}")
    for tensor, array in zip(inputs, sample.arrays(), strict=True):
        np.testing.assert_array_equal(tensor.numpy(), array, err_msg=f"{sample.key}: an input was written to")


WAYS = (
    matrix.through_ndarray,
    matrix.with_text,
    matrix.by_position,
    matrix.by_name,
    matrix.as_method,
    matrix.through_symbol,
)


@over(SAMPLES)
def test_every_way_gives_the_eager_answer(sample):
    op, arrays = operator_of(sample), sample.arrays()
    eager = call(op, tensors(arrays), op.parse(sample.attrs), train=sample.train).outputs
    for way in WAYS:
        answers = way(sample, arrays)
        assert len(answers) == len(eager), way.__name__
        for answer, output in zip(answers, eager, strict=True):
            assert answer.dtype == output.numpy().dtype, way.__name__
            np.testing.assert_array_equal(answer, output.numpy(), err_msg=way.__name__)


@over(SAMPLES)
def test_graphs_infer_shape_and_dtype(sample):
    op, arrays = operator_of(sample), sample.arrays()
    eager = call(op, tensors(arrays), op.parse(sample.attrs), train=sample.train).outputs
    symbol, names = matrix.as_symbol(sample)
    shapes = {n: a.shape for n, a in zip(names, arrays, strict=True)}
    found = infer(symbol._heads, shapes, {n: a.dtype.name for n, a in zip(names, arrays, strict=True)})
    if op.shapes == "values":
        assert [found.shape(e) for e in symbol._heads] == [None] * len(eager)
        return
    assert [found.shape(e) for e in symbol._heads] == [tuple(o.shape) for o in eager]
    assert [found.dtype(e) for e in symbol._heads] == matrix.dtype_names(eager)


@over(SAMPLES)
def test_shared_memory_is_declared(sample):
    op = operator_of(sample)
    inputs = tensors(sample.arrays())
    outputs = call(op, inputs, op.parse(sample.attrs), train=sample.train).outputs
    owned = {t.untyped_storage().data_ptr() for t in inputs}
    shared = [i for i, o in enumerate(outputs) if o.untyped_storage().data_ptr() in owned]
    assert op.view or not shared, f"{op.name} returns a view of its input: declare `view=True`"


@over([s for s in SAMPLES if _differentiated(s)])
def test_gradients_are_mxnets(sample):
    op, expected = operator_of(sample), golden(sample)
    inputs = tensors(sample.arrays())
    for tensor, spec in zip(inputs, sample.inputs, strict=True):
        tensor.requires_grad_(spec.has_grad)
    outputs = call(op, inputs, op.parse(sample.attrs), train=sample.train).outputs
    heads = tensors(sample.head_gradients([o.detach().numpy() for o in outputs]))
    tracked = [(o, h) for o, h in zip(outputs, heads, strict=True) if o.requires_grad]
    if tracked:
        torch.autograd.backward([o for o, _ in tracked], [h for _, h in tracked])
    for i, (tensor, spec) in enumerate(zip(inputs, sample.inputs, strict=True)):
        if spec.has_grad:
            gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad.to_dense()
            assert_same(gradient.numpy(), expected[f"grad{i}"], sample, f"grad{i}")


@over([s for s in SAMPLES if _has_finite_differences(s)])
def test_gradients_are_derivatives(sample):
    op, attrs = operator_of(sample), operator_of(sample).parse(sample.attrs)
    fixed = tensors(sample.arrays())
    varied = [i for i, spec in enumerate(sample.inputs) if spec.has_grad]

    def function(*values):
        inputs = list(fixed)
        for i, value in zip(varied, values, strict=True):
            inputs[i] = value
        # Other float inputs (a condition, a label) take the precision of the varied ones.
        inputs = [v.double() if v.is_floating_point() else v for v in inputs]
        outputs = call(op, inputs, attrs, train=sample.train).outputs
        # An output that no gradient reaches must not depend on the inputs either.
        nothing = sum(v.sum() for v in values) * 0.0
        return tuple(o + nothing for o in outputs)

    values = [fixed[i].double().requires_grad_(True) for i in varied]
    assert torch.autograd.gradcheck(function, values, **FINITE_DIFFERENCES)


@over(SAMPLES)
def test_onnx_runtime_gives_the_eager_answer(sample):
    op, arrays = operator_of(sample), sample.arrays()
    attrs = op.parse(sample.attrs)
    if sample.onnx is not None:
        with pytest.raises(LoweringError, match=op.name):
            matrix.onnx_model(op, sample, arrays)
        return
    session = matrix.session(matrix.onnx_model(op, sample, arrays))
    batches = [arrays, matrix.other_batch(sample, arrays)] if sample.batch else [arrays]
    for given in batches:
        outputs = call(op, tensors(given), attrs).outputs
        answers = matrix.run(session, given)
        assert len(answers) == len(outputs)
        for i, (answer, output) in enumerate(zip(answers, outputs, strict=True)):
            assert_same(answer, output.numpy(), sample, f"y{i} for {[a.shape for a in given]}")


@over([s for s in SAMPLES if s.op in TABLE and TABLE[s.op].shapes != "values"])
def test_meta_tensors_infer_shape_and_dtype(sample):
    op = operator_of(sample)
    attrs = op.parse(sample.attrs)
    real = call(op, tensors(sample.arrays()), attrs, train=sample.train).outputs
    meta = call(op, tensors(sample.arrays(), "meta"), attrs, train=sample.train, device="meta").outputs
    assert [o.device.type for o in meta] == ["meta"] * len(real)
    assert [o.shape for o in meta] == [o.shape for o in real]
    assert [o.dtype for o in meta] == [o.dtype for o in real]


@over([s for s in SAMPLES if s.op in TABLE and TABLE[s.op].has_parameter_rule])
def test_declared_parameter_shapes_are_the_real_ones(sample):
    op = operator_of(sample)
    attrs = op.parse(sample.attrs)
    specs = op.active_inputs(attrs, len(sample.inputs))
    real = {spec.name: array.shape for spec, array in zip(specs, sample.inputs, strict=False)}
    declared = op.parameter_shapes(real, attrs)
    assert declared.keys() <= {spec.name for spec in (*op.inputs, *specs)}
    given = {name: shape for name, shape in declared.items() if name in real}
    agree = given == {name: real[name] for name in given}
    assert agree == (sample.parameters is None), f"declared {given}, real {real}"


@over(SAMPLES + RANDOM_SAMPLES)
def test_attributes_survive_as_text(sample):
    op = operator_of(sample)
    parsed = op.parse(sample.attrs)
    assert op.parse({k: str(v) for k, v in sample.attrs.items()}) == parsed
    assert op.parse(op.to_text(sample.attrs)) == parsed
    # What was parsed parses to itself, defaults too.
    assert op.parse(parsed) == parsed
    assert op.parse({k: to_text(v) for k, v in parsed.items()}) == parsed


@over(SAMPLES)
def test_number_of_inputs_is_checked(sample):
    op = operator_of(sample)
    op.check_count(len(sample.inputs), op.parse(sample.attrs))


@over(RANDOM_SAMPLES)
def test_draws_follow_their_distribution(sample):
    op = operator_of(sample)
    attrs = op.parse(sample.attrs)
    drawn = call(op, tensors(sample.arrays()), attrs, seed=1).outputs[0]
    assert tuple(drawn.shape) == (sample.shape or sample.attrs["shape"])
    default = "int32" if "randint" in sample.op or "multinomial" in sample.op else "float32"
    assert matrix.dtype_names([drawn]) == [sample.dtype or sample.attrs.get("dtype", default)]
    values = drawn.double()
    error = sample.std / values.numel() ** 0.5
    assert abs(values.mean().item() - sample.mean) < 5 * error
    assert values.std().item() == pytest.approx(sample.std, rel=0.1)
    # A float16 below `high` may round up to it.
    assert sample.low <= values.min().item()
    assert values.max().item() <= sample.high


@over(RANDOM_SAMPLES)
def test_draws_are_the_seeds(sample):
    op = operator_of(sample)
    attrs = op.parse(sample.attrs)
    inputs = tensors(sample.arrays())
    first, again, other = (call(op, inputs, attrs, seed=s).outputs[0] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@over(RANDOM_SAMPLES)
def test_draws_on_meta_tensors_and_onnx(sample):
    op = operator_of(sample)
    attrs = op.parse(sample.attrs)
    inputs = tensors(sample.arrays())
    real = call(op, inputs, attrs).outputs
    meta = call(op, [t.to("meta") for t in inputs], attrs, device="meta").outputs
    assert [(m.shape, m.dtype, m.device.type) for m in meta] == [(r.shape, r.dtype, "meta") for r in real]
    with pytest.raises(LoweringError, match=f"{op.name}: has no ONNX form: it draws new numbers"):
        op.lower(None, [], attrs)
