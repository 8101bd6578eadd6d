"""What real models of other tools have shown: each test is the smallest model that has the same form."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from gluonnx_runtime import Session
from onnx import TensorProto, helper, numpy_helper, parser

import gluonnx as mx
from gluonnx import autograd
from gluonnx.errors import ExportError, FormatError
from gluonnx.gluon import SymbolBlock
from gluonnx.onnx import export, read_graph, replay
from gluonnx.onnx.axes import open_axes
from gluonnx.onnx.probe import open_written


def save(path, text, opset=17, **arrays):
    """Write a model from onnx's text form, with initializers."""
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')
    for name, array in arrays.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.save(model, path)
    return model


def agrees(path, *feeds, rtol=1e-5, optimization="all"):
    """Import, and compare with plain ONNX Runtime imperatively and hybridized, without a warning."""
    net = SymbolBlock.imports(path)
    session = Session(path, device="cpu", optimization=optimization)
    for hybridize in (False, True):
        if hybridize:
            net.hybridize()
        for arrays in feeds:
            outputs = net(*(mx.nd.array(a, dtype=a.dtype) for a in arrays))
            names = [i.name for i in session.inputs]
            expected = session.run(dict(zip(names, arrays, strict=True)))
            for got, want in zip(outputs if isinstance(outputs, list) else [outputs], expected.values(), strict=True):
                assert got.shape == want.shape
                assert got.dtype == want.dtype
                np.testing.assert_allclose(got.asnumpy(), want, rtol=rtol, atol=1e-6)
    return net


def exported(net, folder, **options):
    """Export; return the path, and the block that the file comes back as, hybridized."""
    _, _, path = net.export(str(folder / "again"), **options)
    back = SymbolBlock.imports(path)
    back.hybridize()
    return path, back


RANDOM = np.random.default_rng(0)


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


class TestAxes:
    STATE = (
        "g (float[B,3] x, float[2,B,3] h) => (float[B,3] y) "
        "{ i = Constant<value_int=1>() s = Gather(h, i) y = Add(x, s) }"
    )

    def test_a_state_keeps_its_batch_axis(self, tmp_path):
        save(tmp_path / "net.onnx", self.STATE)
        net = agrees(tmp_path / "net.onnx", [numbers(2, 3), numbers(2, 2, 3)], [numbers(5, 3), numbers(2, 5, 3)])
        path, back = exported(net, tmp_path)
        dims = [[d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in onnx.load(path).graph.input]
        assert dims == [["B", 3], [2, "B", 3]]
        x, h = numbers(4, 3), numbers(2, 4, 3)
        (y,) = Session(path, device="cpu").run({"x": x, "h": h}).values()
        np.testing.assert_allclose(y, x + h[1], rtol=1e-6)
        back(mx.nd.array(x), mx.nd.array(h))
        again = back.export(str(tmp_path / "third"))[2]
        assert Path(path).read_bytes() == Path(again).read_bytes()

    def test_a_batch_that_the_file_fixes_stays_fixed(self, tmp_path):
        save(tmp_path / "net.onnx", self.STATE.replace("[B,3] x", "[2,3] x").replace("[2,B,3]", "[2,2,3]"))
        net = agrees(tmp_path / "net.onnx", [numbers(2, 3), numbers(2, 2, 3)])
        path, _ = exported(net, tmp_path)
        dims = [[d.dim_value for d in i.type.tensor_type.shape.dim] for i in onnx.load(path).graph.input]
        assert dims == [[2, 3], [2, 2, 3]]

    def test_axes_without_a_name_are_open(self, tmp_path):
        model = save(tmp_path / "net.onnx", "g (float[N,M] x) => (float[N,M] y) { y = Relu(x) }")
        for dim in model.graph.input[0].type.tensor_type.shape.dim:
            dim.Clear()
        onnx.save(model, tmp_path / "net.onnx")
        net = agrees(tmp_path / "net.onnx", [numbers(2, 3)], [numbers(4, 1)])
        path, _ = exported(net, tmp_path)
        (info,) = onnx.load(path).graph.input
        assert [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim] == ["batch", 1]

    def test_inputs_that_nothing_reads_stay(self, tmp_path):
        save(tmp_path / "net.onnx", "g (float[N] x, float[M] y) => (float[M] z) { z = Relu(y) }")
        net = SymbolBlock.imports(tmp_path / "net.onnx")
        assert [s.name for s in net._graph_inputs] == ["x", "y"]
        net.hybridize()
        with pytest.warns(UserWarning, match="0-th input"):
            np.testing.assert_array_equal(net(mx.nd.zeros(2), mx.nd.array([-1, 2])).asnumpy(), [0, 2])

    @pytest.mark.parametrize(
        ("declared", "expected"),
        [
            ({}, {"x": {0: "batch"}, "h": {}}),
            ({"x": ["n", None], "h": [None, "n", None]}, {"x": {0: "n"}, "h": {1: "n"}}),
            ({"x": ["", None], "h": ["", "", None]}, {"x": {0: "batch"}, "h": {1: "batch"}}),
            ({"x": [None, ""], "h": [None, "n", None]}, {"x": {}, "h": {}}),
            ({"x": ["n", None, None]}, {"x": {0: "batch"}, "h": {}}),
        ],
    )
    def test_what_the_file_said_decides(self, declared, expected):
        axes, _ = open_axes("net", {"x": (3, 4), "h": (2, 3, 4)}, True, {}, declared)
        assert axes == expected


class TestWeights:
    def test_large_ones_come_whole_wherever_they_are(self, tmp_path):
        listed, constant, nested = numbers(40, 40), numbers(40, 40), numbers(40, 40)
        model = save(
            tmp_path / "net.onnx",
            "g (float[N,40] x, bool c, float[40,40] listed) => (float[N,40] y) { "
            "a = MatMul(x, listed) k = Constant<value=float[1] {0}>() b = MatMul(a, k) y = If (c) <"
            "then_branch = t () => (float[N,40] u) { u = MatMul(b, nested) }, "
            "else_branch = e () => (float[N,40] v) { v = Identity(b) }> }",
            listed=listed,
        )
        model.graph.node[1].attribute[0].t.CopyFrom(numpy_helper.from_array(constant))
        model.graph.node[3].attribute[0].g.initializer.append(numpy_helper.from_array(nested, "nested"))
        onnx.save(model, tmp_path / "net.onnx")
        agrees(tmp_path / "net.onnx", [numbers(2, 40), np.array(True)], [numbers(3, 40), np.array(False)], rtol=1e-4)

    def test_a_file_beside_the_model_is_read_as_the_arrays_need_it(self, tmp_path):
        weight = numbers(64, 64)
        model = save(tmp_path / "in.onnx", "g (float[N,64] x) => (float[N,64] y) { y = MatMul(x, w) }", w=weight)
        onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
        assert read_graph(tmp_path / "net.onnx").parameters["w"].tobytes() == weight.tobytes()
        agrees(tmp_path / "net.onnx", [numbers(2, 64)], rtol=1e-4)
        (tmp_path / "w.bin").write_bytes(b"short")
        with pytest.raises(FormatError, match=r"tensor `w`: external data truncated.*size_bytes=5"):
            SymbolBlock.imports(tmp_path / "net.onnx")

    def test_a_damaged_one_is_named(self, tmp_path):
        text = "g (float[N,64] x) => (float[N,64] y) { y = MatMul(x, w) }"
        model = save(tmp_path / "net.onnx", text, w=numbers(64, 64))
        model.graph.initializer[0].raw_data = b"1234"
        (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(FormatError, match=r"`w` is damaged: expected values for a shape of \(64, 64\)"):
            SymbolBlock.imports(tmp_path / "net.onnx")

    def test_shared_ones_stay_one_parameter(self, tmp_path):
        save(
            tmp_path / "net.onnx",
            "g (float[N,40] x) => (float[N,40] y) { v = Identity(w) a = MatMul(x, w) y = MatMul(a, v) }",
            w=numbers(40, 40),
        )
        net = agrees(tmp_path / "net.onnx", [numbers(2, 40)], rtol=1e-3)
        assert list(net.collect_params()) == ["w"]


class TestBranches:
    def test_one_that_sizes_decide_is_lowered_alone(self, tmp_path):
        """As torch exports `squeeze`: the branches give different ranks."""
        save(
            tmp_path / "net.onnx",
            "g (float[N,3,K] x, float[4,3,3] w) => (float[a,b,c] z) { "
            "s = Shape(x) i = Constant<value_int=2>() k = Gather(s, i) o = Constant<value_int=1>() c = Equal(k, o) "
            "q = If (c) <then_branch = t () => (float[N,3] u) { ax = Constant<value_ints=[2]>() u = Squeeze(x, ax) }, "
            "else_branch = e () => (float[N,3,K] v) { v = Identity(x) }> z = Conv(q, w) }",
            w=numbers(4, 3, 3),
        )
        model = onnx.load(tmp_path / "net.onnx")
        del model.graph.input[1:]
        onnx.save(model, tmp_path / "net.onnx")
        net = agrees(tmp_path / "net.onnx", [numbers(2, 3, 7)], [numbers(3, 3, 7)], [numbers(2, 3, 9)], rtol=1e-4)
        path, _ = exported(net, tmp_path)
        assert "If" not in {n.op_type for n in onnx.load(path).graph.node}

    def test_one_for_other_sizes_that_does_not_run_is_no_fault(self, tmp_path):
        """As the two rates of a model of speech: each branch takes windows of its own."""
        save(
            tmp_path / "net.onnx",
            "g (float[N,K] x, int64 rate) => (float[a,b] y) { r = Constant<value_int=16>() c = Equal(rate, r) "
            "y = If (c) <then_branch = t () => (float[a1,b1] u) { "
            "s = Constant<value_ints=[-1,4,2]>() p = Reshape(x, s) m = Constant<value_ints=[2]>() "
            "u = ReduceSum<keepdims=0>(p, m) }, else_branch = e () => (float[a2,b2] v) { "
            "n = Constant<value_ints=[1]>() q = Squeeze(x, n) v0 = Unsqueeze(q, n) v = Concat<axis=1>(v0, v0) }> }",
        )
        net = agrees(
            tmp_path / "net.onnx",
            [numbers(2, 8), np.array(16)],
            [numbers(3, 8), np.array(16)],
            [numbers(2, 1), np.array(8)],
        )
        x = numbers(2, 8)
        net(mx.nd.array(x), mx.nd.array(np.array(16), dtype="int64"))
        path, _ = exported(net, tmp_path, sample_inputs=[x, np.array(16)])
        (y,) = Session(path, device="cpu").run({"x": x, "rate": np.array(16)}).values()
        np.testing.assert_allclose(y, x.reshape(2, 4, 2).sum(2), rtol=1e-6)


@pytest.mark.parametrize("by", ["sizes", "scales"])
@pytest.mark.parametrize(
    ("mode", "nearest", "length", "size"),
    [
        ("asymmetric", "floor", 20, 24),
        ("asymmetric", "floor", 3, 5),
        ("half_pixel", "floor", 7, 9),
        ("half_pixel", "ceil", 33, 9),
        ("pytorch_half_pixel", "round_prefer_floor", 5, 13),
        ("align_corners", "floor", 3, 61),
    ],
)
def test_resized_images_are_rounded_as_onnx_runtime_rounds(by, mode, nearest, length, size, tmp_path):
    given = {
        "sizes": ("x, , , s", np.array([1, 1, 1, size])),
        "scales": ("x, , s", np.array([1, 1, 1, np.float32(size) / np.float32(length)], np.float32)),
    }
    inputs, array = given[by]
    save(
        tmp_path / "net.onnx",
        f'g (float[1,1,1,{length}] x) => (float[a,b,c,d] y) {{ y = Resize<mode="nearest", '
        f'coordinate_transformation_mode="{mode}", nearest_mode="{nearest}">({inputs}) }}',
        19,
        s=array,
    )
    agrees(tmp_path / "net.onnx", [np.arange(length, dtype=np.float32).reshape(1, 1, 1, length)])


TWENTY = np.array(20, np.float32)


class Wrong:
    """A session whose outputs are too large by a factor."""

    def __init__(self, session, factor):
        self.session, self.factor = session, factor

    def run(self, feeds):
        return {name: array * self.factor for name, array in self.session.run(feeds).items()}


def opening_wrong(is_wrong_plain, factor):
    """Return what opens the sessions of a proof: the plain one is wrong, or the one that ships."""

    def opened(*args, is_plain=False):
        session = open_written(*args, is_plain=is_plain)
        return Wrong(session, factor) if is_plain == is_wrong_plain else session

    return opened


class TestProof:
    def test_half_precision_inside_is_held_to_its_own_tolerance(self, tmp_path):
        save(
            tmp_path / "net.onnx",
            "g (float[N,32] x) => (float[N,32] y) { a = Cast<to=10>(x) b = MatMul(a, w) c = Erf(b) "
            "d = MatMul(c, w) y = Cast<to=1>(d) }",
            w=numbers(32, 32).astype(np.float16),
        )
        net = agrees(tmp_path / "net.onnx", [numbers(2, 32)], rtol=0.05)
        path, _ = exported(net, tmp_path)
        replay(path)

    def test_integer_kernels_are_compared_as_onnx_defines_the_file(self, tmp_path, monkeypatch):
        text = "g (float[N,16] x) => (float[N,16] y) { "
        for k, (source, target) in enumerate([("x", "a"), ("a", "b"), ("b", "y")]):
            text += (
                f"q{k} = QuantizeLinear({source}, s, z) d{k} = DequantizeLinear(q{k}, s, z) "
                f"v{k} = DequantizeLinear(w, t, o) m{k} = MatMul(d{k}, v{k}) "
                f"r{k} = Sigmoid(m{k}) p{k} = QuantizeLinear(r{k}, s, z) {target} = DequantizeLinear(p{k}, s, z) "
            )
        save(
            tmp_path / "net.onnx",
            text + "}",
            s=np.array(0.01, np.float32),
            z=np.array(3, np.int8),
            t=np.array(0.02, np.float32),
            o=np.array(0, np.int8),
            w=RANDOM.integers(-128, 128, (16, 16)).astype(np.int8),
        )
        net = SymbolBlock.imports(tmp_path / "net.onnx")
        x = numbers(2, 16)
        (expected,) = Session(tmp_path / "net.onnx", device="cpu", optimization="basic").run({"x": x}).values()
        np.testing.assert_allclose(net(mx.nd.array(x)).asnumpy(), expected, rtol=1e-5)
        net.hybridize()
        net(mx.nd.array(x))
        path, _ = exported(net, tmp_path)
        replay(path)

        for is_wrong, factor in ((True, 1.002), (False, 1.2)):
            monkeypatch.setattr(export, "open_written", opening_wrong(is_wrong, np.float32(factor)))
            with pytest.raises(ExportError, match="computes something else"):
                net.export(str(tmp_path / "wrong"))
            assert not list(tmp_path.glob("wrong*"))

    def test_sigmoids_far_below_1_are_as_exact_as_at_1(self, tmp_path):
        save(tmp_path / "net.onnx", "g (float[N,64] x) => (float[N,64] y) { t = Sub(x, c) y = Sigmoid(t) }", c=TWENTY)
        net = SymbolBlock.imports(tmp_path / "net.onnx")
        net.hybridize()
        net(mx.nd.array(numbers(2, 64)))
        path, _ = exported(net, tmp_path)
        replay(path)

    def test_arrays_of_rank_1_are_no_shapes(self, tmp_path):
        save(
            tmp_path / "net.onnx",
            "g (float[N] x, float[M] y) => (float[M,5] z) "
            "{ m = Constant<value_ints=[-1]>() u = Unsqueeze(y, m) z = Sub(u, c) }",
            c=numbers(5),
        )
        net = SymbolBlock.imports(tmp_path / "net.onnx")
        net.hybridize()
        with pytest.warns(UserWarning, match="0-th input"):
            net(mx.nd.array(numbers(2)), mx.nd.array(numbers(9)))
        exported(net, tmp_path)


def test_no_number_is_quantized_as_far_down_as_it_goes(tmp_path):
    save(
        tmp_path / "net.onnx",
        "g (float[3] x, float s) => (int8[3] y) { z = Constant<value=int8 {0}>() y = QuantizeLinear(x, s, z) }",
    )
    agrees(tmp_path / "net.onnx", [np.array([0, -np.inf, np.inf], np.float32), np.array(np.inf, np.float32)])


def test_gradients_go_through_sequences(tmp_path):
    save(
        tmp_path / "net.onnx",
        "g (float[2,3] x) => (float[2,6] y) { p = Mul(x, w) q = SequenceConstruct(p, x) "
        "y = ConcatFromSequence<axis=1>(q) }",
        w=numbers(2, 3),
    )
    net = SymbolBlock.imports(tmp_path / "net.onnx")
    x = mx.nd.array(numbers(2, 3))
    with autograd.record():
        loss = net(x).sum()
    loss.backward()
    np.testing.assert_allclose(net.params["w"].grad().asnumpy(), x.asnumpy(), rtol=1e-6)


def test_operators_of_other_domains_are_named(tmp_path):
    model = save(tmp_path / "net.onnx", "g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }")
    model.graph.node[0].domain, model.graph.node[0].op_type = "com.microsoft", "QLinearAdd"
    model.graph.node[0].name = "add"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(FormatError, match=r"got com\.microsoft\.QLinearAdd \(`add`\)\. Run the model with gluonnx_run"):
        SymbolBlock.imports(tmp_path / "net.onnx")


def test_texts_are_no_numbers(tmp_path):
    model = save(tmp_path / "net.onnx", "g (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, [2]))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(FormatError, match=r"`words` is no array of numbers: expected one of .*, got STRING"):
        SymbolBlock.imports(tmp_path / "net.onnx")
