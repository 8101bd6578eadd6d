"""The table itself: every operator is sampled and lowered (or says why not), and a wrong call gets a useful message."""

import pytest
import torch
from ops import matrix
from ops.samples import Array, Sample

from gluonnx.errors import AttributeValueError, InputError, LoweringError, MXNetError, UnknownOperatorError
from gluonnx.ops import TABLE, optimizer_update
from gluonnx.ops.attributes import DTypeName, Shape
from gluonnx.ops.table import no_effect, operator

# What these have depends on the program (tests/test_custom.py) or on the subgraphs (tests/test_control_flow.py).
OPERATORS = tuple(op for op in TABLE.operators() if not op.is_open and not op.subgraphs)
SAMPLED = {TABLE[s.op].name for s in matrix.SAMPLES + matrix.RANDOM_SAMPLES if s.op in TABLE}


@pytest.fixture
def scratch():
    """Take operators that a test declares out of the table again."""
    before = dict(TABLE._rows)
    yield
    TABLE._rows.clear()
    TABLE._rows.update(before)


FLOAT32 = DTypeName("float32")


def raises(error, message):
    return pytest.raises(error, match=message)


class TestEveryOperator:
    @pytest.fixture(params=OPERATORS, ids=lambda op: op.name)
    def op(self, request):
        return request.param

    def test_has_samples(self, op):
        assert op.name in SAMPLED

    def test_has_a_lowering_or_a_reason(self, op):
        assert op.is_lowering_declared
        assert op.unsupported_reason != ""

    def test_states_its_source_and_what_it_does(self, op):
        assert op.source.startswith("MXNet 1.9.1 ")
        assert op.doc.partition("\n\n")[0].endswith((".", ":"))

    def test_is_found_by_every_name(self, op):
        assert all(TABLE[name] is op for name in op.names)

    def test_refuses_an_unknown_attribute(self, op):
        with raises(AttributeValueError, rf"^{op.name}: unknown attribute: expected .*, got 'no_such_attribute'\.$"):
            op.parse({"no_such_attribute": 1})

    def test_names_each_missing_attribute(self, op):
        required = [name for name, spec in op.attributes.items() if spec.required]
        if not required:
            assert op.parse({}).keys() <= op.attributes.keys()
            return
        with raises(
            AttributeValueError, rf"^{op.name}: attribute `{required[0]}` is missing: .* Pass `{required[0]}=`"
        ):
            op.parse({})

    def test_refuses_too_many_inputs(self, op):
        if op.variadic:
            with raises(InputError, f"^{op.name}: too few inputs: expected at least 1, got 0"):
                op.check_count(0, {})
            return
        attrs = {name: spec.default for name, spec in op.attributes.items()}
        with raises(InputError, rf"^{op.name}: wrong number of inputs: expected \d.*, got 99\.$"):
            op.check_count(99, attrs)


WITHOUT_A_LOWERING = {
    "Custom": "it runs Python code",
    "_cvcopyMakeBorder": "OpenCV's arithmetic on pixels has no ONNX operator; prepare images before the model",
    "_cvimresize": "OpenCV's arithmetic on pixels has no ONNX operator; prepare images before the model",
    "_linalg_syevd": "eigenvectors come from an iteration that runs until it has converged",
}
"""Why ONNX cannot express an operator, for each that has no lowering and updates no parameters."""


def test_operators_without_a_lowering_are_these():
    reasons = {op.name: op.unsupported_reason for op in TABLE.operators() if op.unsupported_reason is not None}
    training = {name for name, reason in reasons.items() if reason == optimizer_update.TRAINS}
    assert {name for name in training if "update" not in name} == {"multi_lars"}
    assert len(training) == 34
    others = reasons.keys() - training
    assert {name: reasons[name] for name in others} == WITHOUT_A_LOWERING


def test_what_draws_says_so():
    """What takes a generator draws; only while training, where it knows of training, but for Dropout's `always`."""
    for op in TABLE.operators():
        attrs = {name: spec.default for name, spec in op.attributes.items()}
        assert op.draws(attrs) == ("generator" in op.runtime and "training" not in op.runtime)
    dropout = TABLE["Dropout"]
    assert dropout.draws(dropout.parse({"mode": "always"}))
    assert not dropout.draws(dropout.parse({"mode": "always", "p": 0}))


def test_names_are_unique():
    names = [name for op in TABLE.operators() for name in op.names]
    assert len(names) == len(set(names)) == len(TABLE)


def test_every_sample_is_of_an_operator_in_the_table():
    assert [s.key for s in matrix.SAMPLES + matrix.RANDOM_SAMPLES if s.op not in TABLE] == []


def test_every_recorded_answer_belongs_to_a_sample():
    keys = {s.key for s in matrix.SAMPLES}
    for family in {matrix.FAMILY_OF[k] for k in keys}:
        recorded = {name.rpartition("/")[0] for name in matrix.recorded(family)}
        assert recorded - keys == set(), f"{family}: record it again"


def test_golden_files_are_small():
    for path in matrix.GOLDEN.iterdir():
        assert path.stat().st_size < 100_000, path.name


class TestDeclarationErrors:
    def test_a_sample_of_an_unknown_operator_fails(self):
        sample = Sample("no_such_op", "x", (Array((1,)),))
        with raises(UnknownOperatorError, "operator table: unknown operator: got 'no_such_op'"):
            matrix.operator_of(sample)

    def test_an_operator_declared_twice(self, scratch):
        with raises(ValueError, "operator 'relu' is declared twice"):

            @operator("another_relu", "relu")
            def relu(data: torch.Tensor) -> torch.Tensor:
                return data

        assert "another_relu" not in TABLE

    def test_a_rule_that_reads_an_unknown_attribute(self, scratch):
        @operator("scratch")
        def scratch_op(data: torch.Tensor, *, axis: int = 0) -> torch.Tensor:
            return data

        with raises(TypeError, r"scratch: a rule reads attributes that are not declared: \['axes'\]"):

            @scratch_op.onnx
            def _(g, data, *, axes): ...

    def test_rules_that_read_all_attributes(self, scratch):
        @operator("scratch")
        def scratch_op(data: torch.Tensor, weight: torch.Tensor, *, units: int) -> torch.Tensor:
            return data

        @scratch_op.parameters
        def _(data, **attrs):
            return {"weight": (attrs["units"], data[1])}

        @scratch_op.dtypes
        def _(data, **attrs):
            return {"weight": data}

        assert scratch_op.parameter_shapes({"data": (2, 3)}, {"units": 5}) == {"weight": (5, 3)}
        known = {"data": "float16", "weight": None}
        assert scratch_op.infer_dtypes(known, {"units": 5}) == {"data": "float16", "weight": "float16"}

    def test_an_attribute_of_no_type(self, scratch):
        with raises(TypeError, "not an attribute type: <class 'complex'>"):

            @operator("scratch")
            def scratch_op(data: torch.Tensor, *, number: complex = 0j) -> torch.Tensor:
                return data

    def test_a_sample_with_a_tolerance_and_no_reason(self):
        with raises(ValueError, "relu-x: a tolerance override needs its `why`"):
            Sample("relu", "x", (Array((1,)),), rtol=1.0)

    def test_an_operator_without_a_lowering(self, scratch):
        @operator("scratch")
        def scratch_op(data: torch.Tensor) -> torch.Tensor:
            return data

        assert not scratch_op.is_lowering_declared
        with raises(LoweringError, "scratch: has no ONNX form: no lowering is declared"):
            scratch_op.lower(None, [None], {})
        scratch_op.no_onnx("it is only a test")
        assert scratch_op.unsupported_reason == "it is only a test"
        with raises(LoweringError, "scratch: has no ONNX form: it is only a test"):
            scratch_op.lower(None, [None], {})


class TestAttributeErrors:
    @pytest.fixture
    def op(self, scratch):
        @operator("scratch", no_effect=[no_effect("workspace", int, 1024)])
        def scratch_op(
            data: torch.Tensor,
            *,
            count: int,
            scale: float = 1.0,
            flag: bool = False,
            axis: Shape | None = None,
            dtype: DTypeName = FLOAT32,
        ) -> torch.Tensor:
            return data

        return scratch_op

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("count", "three", "an int, got count='three'"),
            ("count", 1.5, "an int, got count=1.5"),
            ("count", None, "an int, got count=None"),
            ("count", (1, 2), r"an int, got count=\(1, 2\)"),
            ("count", float("inf"), "an int, got count=inf"),
            ("scale", "fast", "a float, got scale='fast'"),
            ("flag", "yes", "a bool, got flag='yes'"),
            ("flag", 1.5, "a bool, got flag=1.5"),
            ("axis", "(1, x)", r"a tuple of ints or None, got axis='\(1, x\)'"),
            ("axis", (1, 2.5), r"a tuple of ints or None, got axis=\(1, 2.5\)"),
            ("dtype", "float31", "a dtype, got dtype='float31'"),
            ("workspace", "much", "an int, got workspace='much'"),
        ],
    )
    def test_a_wrong_value(self, op, name, value, expected):
        with raises(
            AttributeValueError, rf"^scratch: attribute `{name}` has a wrong value: expected {expected}\.$"
        ) as caught:
            op.parse({"count": 1, name: value})
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, MXNetError)

    def test_what_is_parsed(self, op):
        assert op.parse({"count": "3", "axis": "(0, -1)", "flag": "1", "workspace": 7}) == {
            "count": 3,
            "scale": 1.0,
            "flag": True,
            "axis": (0, -1),
            "dtype": "float32",
        }
        assert op.parse({"count": 3.0, "axis": "None", "scale": "1e-3", "dtype": torch.float16}) == {
            "count": 3,
            "scale": 1e-3,
            "flag": False,
            "axis": None,
            "dtype": "float16",
        }

    def test_text_keeps_the_order_given(self, op):
        given = {"axis": (1,), "count": 2, "flag": True}
        assert list(op.to_text(given).items()) == [("axis", "(1,)"), ("count", "2"), ("flag", "True")]

    def test_choices(self):
        with raises(
            AttributeValueError,
            "^MakeLoss: attribute `normalization` has a wrong value: expected one of 'batch', 'null', 'valid', "
            "got normalization='all'",
        ):
            TABLE["MakeLoss"].parse({"normalization": "all"})


def ones(*shape, dtype=torch.float32):
    return torch.ones(shape, dtype=dtype)


class TestInputErrors:
    """What the operators themselves refuse; each message names the operator, what it got and what to do."""

    @pytest.mark.parametrize(
        ("name", "inputs", "attrs", "error", "message"),
        [
            (
                "elemwise_add",
                (ones(2, 3), ones(1, 3)),
                {},
                InputError,
                r"^elemwise_add: lhs and rhs differ: .*\(1, 3\)",
            ),
            (
                "elemwise_mul",
                (ones(2), ones(2, dtype=torch.float64)),
                {},
                InputError,
                r"^elemwise_mul: lhs and rhs differ: .* rhs=\(2,\) torch.float64\. Use the broadcast_ form",
            ),
            ("_equal", (ones(2), ones(3)), {}, InputError, "^_equal: lhs and rhs differ"),
            (
                "broadcast_add",
                (ones(2, 3), ones(2, 4)),
                {},
                InputError,
                r"^broadcast_add: shapes do not broadcast: .* got lhs=\(2, 3\) torch.float32, rhs=\(2, 4\)",
            ),
            (
                "broadcast_div",
                (ones(2), ones(2, dtype=torch.int32)),
                {},
                InputError,
                "^broadcast_div: dtypes differ: expected one dtype, .* Cast one of them",
            ),
            (
                "add_n",
                (ones(2), ones(2), ones(3)),
                {},
                InputError,
                r"^add_n: inputs differ: .* got \(3,\) torch.float32",
            ),
            ("where", (ones(2), ones(2), ones(3)), {}, InputError, r"^where: x and y differ: .*y=\(3,\)"),
            (
                "where",
                (ones(3), ones(2, 2), ones(2, 2)),
                {},
                InputError,
                r"^where: wrong shape of condition: expected \(2, 2\) or \(2,\), got condition=\(3,\)",
            ),
            ("sum", (ones(2, 3),), {"axis": 2}, InputError, r"^sum: wrong axes: .* -2 to 1, got axis=\(2,\)"),
            ("max", (ones(2, 3),), {"axis": (0, 0)}, InputError, r"^max: wrong axes: .* got axis=\(0, 0\)"),
            ("norm", (ones(2, 3),), {"axis": -3}, InputError, r"^norm: wrong axes: .* got axis=\(-3,\)"),
            (
                "norm",
                (ones(2),),
                {"ord": 3},
                AttributeValueError,
                "^norm: attribute `ord` .* expected 1 or 2, got ord=3",
            ),
            ("argmax", (ones(2, 3),), {"axis": 2}, InputError, "^argmax: wrong axis: expected -2 to 1, got axis=2"),
            ("argmin", (ones(2),), {"axis": -2}, InputError, "^argmin: wrong axis: expected -1 to 0, got axis=-2"),
            ("argmax_channel", (ones(3),), {}, InputError, r"^argmax_channel: wrong rank: .* got shape=\(3,\)"),
            ("_ones", (), {"shape": (2, -1)}, InputError, r"^_ones: shape is unknown: .* got shape=\(2, -1\)"),
            ("_full", (), {"value": 1}, InputError, r"^_full: shape is unknown: .* got shape=None"),
            ("_arange", (), {"start": 5, "stop": 2}, InputError, "^_arange: empty range: .* start=5.0, stop=2.0"),
            ("_arange", (), {"start": 0, "stop": 2, "step": 0}, InputError, "^_arange: empty range: .* step=0.0"),
            ("_arange", (), {"start": 0, "infer_range": True}, InputError, "^_arange: length is unknown: .* `stop=`"),
            ("_linspace", (), {"start": 0, "stop": 1, "num": 0}, InputError, "^_linspace: wrong length: .* got num=0"),
            ("_eye", (), {"N": 0}, InputError, "^_eye: wrong size: .* got N=0, M=0"),
            (
                "_plus_scalar",
                (ones(2, dtype=torch.int32),),
                {"scalar": float("inf")},
                AttributeValueError,
                "^_plus_scalar: attribute `scalar` .* a finite number for torch.int32 data, got scalar=inf",
            ),
            ("_random_uniform", (), {"low": 2, "high": 1}, AttributeValueError, "`high` .* low=2.0, got high=1.0"),
            (
                "_random_normal",
                (),
                {"scale": 0},
                AttributeValueError,
                "^_random_normal: .*a positive number, got scale=0",
            ),
            ("_random_normal", (), {"dtype": "int32"}, AttributeValueError, "^_random_normal: .* got dtype=int32"),
            ("_random_exponential", (), {"lam": -1}, AttributeValueError, "^_random_exponential: .* got lam=-1.0"),
            ("_random_gamma", (), {"alpha": 0}, AttributeValueError, "^_random_gamma: .* got alpha=0.0"),
            ("_random_gamma", (), {"beta": -2}, AttributeValueError, "^_random_gamma: .* got beta=-2.0"),
            ("_random_poisson", (), {"lam": -1}, AttributeValueError, "^_random_poisson: .* at least 0, got lam=-1.0"),
            ("_random_randint", (), {"low": 4, "high": 4}, AttributeValueError, "`high` .* low=4, got high=4"),
        ],
    )
    def test_message(self, name, inputs, attrs, error, message):
        op = TABLE[name]
        with raises(error, message):
            matrix.call(op, inputs, op.parse(attrs))

    def test_float64_without_a_kernel(self):
        sample = Sample("arctan", "x", (Array((2,), "float64"),))
        with raises(LoweringError, "^arctan: has no ONNX form for this dtype: .* got dtype=float64"):
            matrix.onnx_model(TABLE["arctan"], sample, sample.arrays())

    def test_random_default_shape_is_one(self):
        op = TABLE["_random_uniform"]
        (drawn,) = matrix.call(op, [], op.parse({})).outputs
        assert drawn.shape == (1,)


class TestGradients:
    """What finite differences cannot show."""

    def test_no_gradient_is_recorded_where_none_is_asked(self):
        result = TABLE["broadcast_maximum"].forward(ones(2), ones(2))
        assert not result.requires_grad

    def test_maximum_keeps_nan_while_recording(self):
        nan = torch.tensor([float("nan"), 1.0, 1.0], requires_grad=True)
        other = torch.tensor([1.0, float("nan"), 2.0])
        for name, expected in (("_maximum", 2.0), ("_minimum", 1.0)):
            result = TABLE[name].forward(nan, other).detach()
            assert result.isnan().tolist() == [True, True, False]
            assert result[2] == expected

    def test_second_derivative_of_max(self):
        data = torch.tensor([[1.0, 3.0, 2.0]], dtype=torch.float64, requires_grad=True)
        attrs = TABLE["max"].parse({"axis": 1})
        assert torch.autograd.gradgradcheck(lambda x: TABLE["max"].forward(x * x, **attrs), [data])

    def test_second_derivative_of_a_loss_head_is_zero(self):
        data = ones(3).requires_grad_()
        loss = TABLE["MakeLoss"].forward(data * data, grad_scale=2.0)
        (gradient,) = torch.autograd.grad(loss, data, torch.full((3,), 9.0), create_graph=True)
        assert gradient.tolist() == [4.0, 4.0, 4.0]
        (second,) = torch.autograd.grad(gradient.sum(), data)
        assert second.tolist() == [4.0, 4.0, 4.0]
