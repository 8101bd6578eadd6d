"""Exports: proven, or not there."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from gluonnx_runtime import Session
from handmade import call, declare, dense, evaluate, numbers, var

from gluonnx.errors import ExportError, FileAccessError, FixedBatchError, FormatError, InputError, LoweringError
from gluonnx.onnx import export_graph, export_model, lower, prove, replay
from gluonnx.onnx.check import check_structure, difference
from gluonnx.onnx.export import ReferenceGraph
from gluonnx.onnx.proof import PROOF_KEY, check_record
from gluonnx.onnx.samples import InputSpec, listed_samples, resized_samples, seeded_array
from gluonnx.ops.table import TABLE
from gluonnx.symbol.symbol import Symbol

GIVEN = (["data"], [(2, 4)], ["float32"])


def files_in(folder):
    return sorted(p.name for p in folder.iterdir())


def test_an_export_runs_and_replays(mlp, tmp_path):
    heads, params = mlp
    path = tmp_path / "net.onnx"
    export_graph(path, heads, *GIVEN, params)
    assert files_in(tmp_path) == ["net.onnx"]
    session = Session(path, device="cpu")
    x = numbers(5, data=(6, 4))
    np.testing.assert_allclose(session.run(x)["fc2_output"], evaluate(heads, {**params, **x})[0], rtol=1e-5, atol=1e-6)
    replay(path)
    replay(path.read_bytes())


def test_the_same_model_has_the_same_bytes_in_every_process(mlp, tmp_path):
    root = Path(__file__).parents[2]
    code = (
        f"import sys; sys.path[:0] = {[str(root), str(root / 'runtime'), str(root / 'tests')]!r}\n"
        "import handmade\nfrom gluonnx.onnx import export_graph\n"
        "heads, params = handmade.mlp()\n"
        "export_graph(sys.argv[1], heads, ['data'], [(2, 4)], ['float32'], params)\n"
    )
    heads, params = mlp
    export_graph(tmp_path / "0", heads, *GIVEN, params)
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            env={"PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}"},
            check=True,
            cwd=tmp_path,
        )
    assert len({hashlib.sha256((tmp_path / n).read_bytes()).hexdigest() for n in ("0", "1", "2")}) == 1
    text = (tmp_path / "0").read_bytes()
    assert str(tmp_path).encode() not in text
    assert b"doc_string" not in text


@pytest.mark.parametrize(
    ("forward", "lowering", "fault"),
    [
        (
            lambda x: torch.relu(x),
            lambda g, x: g.op("LeakyRelu", x, alpha=0.001),
            r"largest difference 0\.000\d+, tolerance",
        ),
        (lambda x: x * 2, lambda g, x: g.op("Mul", x, g.scalar(2.00005, x)), r"largest difference .*, tolerance"),
        (lambda x: x.clone(), lambda g, x: g.cast(g.cast(x, "float16"), "float32"), "largest difference"),
        (lambda x: x / 0, lambda g, x: g.op("Div", x, g.scalar(-0.0, x)), "NaN and infinity in the same places"),
    ],
)
def test_a_wrong_lowering_is_refused_and_nothing_is_left(forward, lowering, fault, scratch, tmp_path):
    declare("_test_wrong", forward, lowering)
    heads = [(call("_test_wrong", "wrong0", var("data")), 0)]
    with pytest.raises(ExportError, match=f"mynet: .* output `wrong0_output` at batch size 1: .*{fault}"):
        export_graph(tmp_path / "net.onnx", heads, ["data"], [(2, 4)], ["float32"], {}, name="mynet")
    assert files_in(tmp_path) == []


def test_a_real_lowering_made_wrong_is_refused(mlp, tmp_path, monkeypatch):
    heads, params = mlp
    _, keywords = TABLE["FullyConnected"]._lowering

    def wrong(g, data, weight, bias=None, **attrs):
        return g.op("Gemm", data, weight, None if bias is None else g.op("Neg", bias), transB=1)

    monkeypatch.setattr(TABLE["FullyConnected"], "_lowering", (wrong, keywords))
    (tmp_path / "net.onnx").write_text("old")
    with pytest.raises(
        ExportError, match=r"computes something else: output `fc2_output` at batch size 1: largest diff"
    ):
        export_graph(tmp_path / "net.onnx", heads, *GIVEN, params)
    assert (tmp_path / "net.onnx").read_text() == "old"
    assert files_in(tmp_path) == ["net.onnx"]


def test_a_lowering_that_fixes_the_batch_is_refused(scratch, tmp_path):
    declare("_test_flat", lambda x: x.reshape(x.shape[0], -1), lambda g, x: g.op("Reshape", x, g.ints([2, 12])))
    heads = [(call("_test_flat", "flat0", var("data")), 0)]
    with pytest.raises(ExportError, match=r"net: (ONNX Runtime fails at batch size 1|not valid ONNX)"):
        export_graph(tmp_path / "net.onnx", heads, ["data"], [(2, 3, 4)], ["float32"], {})
    assert files_in(tmp_path) == []
    export_graph(tmp_path / "net.onnx", heads, ["data"], [(2, 3, 4)], ["float32"], {}, dynamic_batch=False)
    replay(tmp_path / "net.onnx")


def test_a_wrong_dtype_is_found_by_shape_inference(scratch):
    declare("_test_index", lambda x: x.argmax(1).float(), lambda g, x: g.op("ArgMax", x, axis=1, keepdims=0))
    heads = [(call("_test_index", "index0", var("data")), 0)]
    with pytest.raises(ExportError, match=r"not valid ONNX: .*index0/ArgMax"):
        check_structure(lower(heads, ["data"], [(2, 3)], ["float32"], {}))


def test_errors_of_the_lowering_leave_nothing(scratch, tmp_path):
    declare("_test_no", lambda x: x + 1).no_onnx("no reason")
    heads = [(call("_test_no", "no0", var("data")), 0)]
    with pytest.raises(LoweringError, match="no0"):
        export_graph(tmp_path / "net.onnx", heads, ["data"], [(2, 3)], ["float32"], {})
    declare("_test_fixed", lambda x: x.reshape(2, 3), lambda g, x: x)
    with pytest.raises(FixedBatchError, match="fixed0"):
        export_graph(
            tmp_path / "net.onnx",
            [(call("_test_fixed", "fixed0", var("data")), 0)],
            ["data"],
            [(2, 3)],
            ["float32"],
            {},
        )
    assert files_in(tmp_path) == []


def test_a_graph_that_needs_a_few_rows_is_reported(scratch, tmp_path):
    def tail(x):
        if x.shape[0] < 2:
            raise InputError("too few rows.")
        return x[1:]

    declare("_test_tail", tail, lambda g, x: g.op("Slice", x, g.ints([1]), g.ints([1 << 40]), g.ints([0])))
    heads = [(call("_test_tail", "tail0", var("data")), 0)]
    with pytest.raises(
        FixedBatchError, match=r"net: the batch axis is not free: .* got one that does not take 1: .*tail0"
    ):
        export_graph(tmp_path / "net.onnx", heads, ["data"], [(3, 4)], ["float32"], {})
    assert files_in(tmp_path) == []
    export_graph(tmp_path / "net.onnx", heads, ["data"], [(3, 4)], ["float32"], {}, dynamic_batch=False)


def test_unwritable_folders(mlp, tmp_path):
    heads, params = mlp
    with pytest.raises(FileAccessError, match=r"missing/net\.onnx: cannot be written"):
        export_graph(tmp_path / "missing" / "net.onnx", heads, *GIVEN, params)


def test_nan_everywhere_proves_nothing(scratch):
    declare("_test_nan", lambda x: x * float("nan"), lambda g, x: g.op("Mul", x, g.scalar(float("nan"), x)))
    heads = [(call("_test_nan", "nan0", var("data")), 0)]
    model = lower(heads, ["data"], [(2, 3)], ["float32"], {})
    graph = ReferenceGraph(heads, model, [(2, 3)], ["float32"])
    with pytest.raises(ExportError, match=r"net: the check saw no finite number: .* Pass `sample_inputs`"):
        prove(model, graph.reference, graph.specs)


def test_random_graphs_are_refused(scratch, tmp_path):
    declare("_test_noise", lambda x: x + torch.rand_like(x), lambda g, x: g.op("Add", x, g.op("RandomUniformLike", x)))
    heads = [(call("_test_noise", "noise0", var("data")), 0)]
    with pytest.raises(ExportError, match="noise0_output"):
        export_graph(tmp_path / "net.onnx", heads, ["data"], [(2, 3)], ["float32"], {})


def test_index_inputs_are_drawn_in_range(scratch, tmp_path):
    def embedding(data, weight, *, input_dim: int, output_dim: int):
        return torch.nn.functional.embedding(data.long(), weight)

    if "Embedding" in TABLE:
        del TABLE._rows["Embedding"]
    op = declare("Embedding", embedding, lambda g, data, weight: g.op("Gather", weight, g.cast(data, "int64"), axis=0))
    op.parameters(lambda data, *, input_dim, output_dim: {"weight": (input_dim, output_dim)})
    heads = [(call("Embedding", "embed0", var("data"), var("weight"), input_dim=3, output_dim=2), 0)]
    params = numbers(0, weight=(3, 2))
    for dtype in ("float32", "int32"):
        model = export_graph(tmp_path / "net.onnx", heads, ["data"], [(4, 9)], [dtype], params)
        graph = ReferenceGraph(heads, model, [(4, 9)], [dtype])
        assert graph.specs[0].values == (0, 3)
        drawn = seeded_array(graph.specs[0], 0, 0, 7)
        assert drawn.dtype == np.dtype(dtype)
        assert set(np.unique(drawn)) == {0, 1, 2}
        replay(tmp_path / "net.onnx")


def test_sample_inputs(mlp, tmp_path):
    heads, params = mlp
    sample = numbers(0, data=(3, 4))["data"]
    export_graph(tmp_path / "net.onnx", heads, *GIVEN, params, sample_inputs=[sample])
    assert PROOF_KEY not in Session(tmp_path / "net.onnx", device="cpu").metadata
    specs = [InputSpec("data", "float32", (2, 4), (0,))]
    np.testing.assert_array_equal(resized_samples(specs, [sample], 7)[0], sample[[0, 1, 2, 0, 1, 2, 0]])
    with pytest.raises(InputError, match=r"sample input `data`: wrong array: expected float32 \(3, 4\) .* got float64"):
        resized_samples(specs, [sample.astype(np.float64)], 1)
    with pytest.raises(InputError, match=r"sample inputs: wrong number: expected 1 \(data\), got 2"):
        listed_samples(["data"], [sample, sample])


def test_seeded_arrays_are_the_ones_of_the_definition():
    spec = InputSpec("x", "float32", (3,), ())
    # Computed with Python's integers from the published algorithm.
    mask = (1 << 64) - 1

    def splitmix(state):
        z = state & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    words = [splitmix(5 + (2 << 32) + (i + 1) * 0x9E3779B97F4A7C15) for i in range(3)]
    np.testing.assert_array_equal(seeded_array(spec, 2, 5, 1), [(w >> 40) / 2**23 - 1 for w in words])
    ints = InputSpec("x", "int32", (3,), (), (2, 9))
    np.testing.assert_array_equal(seeded_array(ints, 2, 5, 1), [2 + (w >> 32) % 7 for w in words])
    assert splitmix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF  # first output of SplitMix64 for seed 0


def test_float16_and_float64_exports(mlp, tmp_path):
    heads, params = mlp
    for dtype in ("float16", "float64"):
        cast = {k: v.astype(dtype) for k, v in params.items()}
        export_graph(tmp_path / dtype, heads, ["data"], [(2, 4)], [dtype], cast)
        replay(tmp_path / dtype)


def test_labels_are_not_needed(scratch, tmp_path):
    op = declare("_test_loss", lambda x, label: x.softmax(1), lambda g, x, label: g.op("Softmax", x, axis=1))
    op.parameters(lambda x: {"label": x[:1]})
    fc = dense("fc", var("data"), 3, no_bias=True)
    heads = [(call("_test_loss", "loss0", fc, var("label")), 0)]
    model = export_graph(tmp_path / "n.onnx", heads, ["data"], [(2, 4)], ["float32"], numbers(0, fc_weight=(3, 4)))
    assert model.input_names == ("data",)


def test_differences_in_words():
    a = np.array([1.0, 2.0], np.float32)
    assert difference(a, a) is None
    assert difference(a, a + np.float32(1e-6)) is None
    assert difference(a, a + np.float32(1e-4)) == "largest difference 0.0001, tolerance 2e-05 (1e-05 of 2)"
    assert difference(a, a.astype(np.float64)) == "expected float64 (2,), got float32 (2,)"
    assert difference(a, a[:1]) == "expected float32 (1,), got float32 (2,)"
    assert difference(np.array([1, 2]), np.array([1, 3])) == "expected equal values, got 1 of 2 different"
    nan = np.array([np.nan, 2.0], np.float32)
    assert difference(nan, nan) is None
    assert difference(nan, a).startswith("largest difference nan")
    assert difference(a, nan) == "expected NaN and infinity in the same places, got them elsewhere"


def test_a_replay_finds_what_changed(mlp, tmp_path):
    heads, params = mlp
    path = tmp_path / "net.onnx"
    export_graph(path, heads, *GIVEN, params)
    model = onnx.load(path)
    bias = next(t for t in model.graph.initializer if t.name == "fc2_bias")
    values = onnx.numpy_helper.to_array(bias).copy()
    values[1] += 1e-3
    bias.raw_data = values.tobytes()
    with pytest.raises(ExportError, match=r"the proof fails: output `fc2_output`: expected .*, got .* \(tolerance"):
        replay(model.SerializeToString())
    with pytest.raises(ExportError, match="expected it among the outputs, got none of this name"):
        check_record(_record(path), lambda feeds: {}, "x")
    with pytest.raises(ExportError, match=r"expected float32 \[2, 3\], got float32 \[1, 3\]"):
        check_record(_record(path), lambda feeds: {"fc2_output": np.zeros((1, 3), np.float32)}, "x")


def test_damaged_records(mlp, tmp_path):
    heads, params = mlp
    path = tmp_path / "net.onnx"
    export_graph(path, heads, *GIVEN, params)
    text = _record(path)
    with pytest.raises(FormatError, match=r"x: proof in the model is damaged: .* got .* \(JSONDecodeError\)"):
        check_record(text[:-1], lambda feeds: {}, "x")
    with pytest.raises(FormatError, match=r"x: proof in the model is damaged: .* got 'seed' \(KeyError\)"):
        check_record(text.replace('"seed"', '"sead"'), lambda feeds: {}, "x")
    with pytest.raises(
        FormatError, match=r"input `data` of the proof cannot be made again: expected SHA-256 [0-9a-f]{64}"
    ):
        check_record(text.replace('"seed":0', '"seed":1'), lambda feeds: {}, "x")
    model = onnx.load(path)
    del model.metadata_props[:]
    with pytest.raises(FormatError, match=r"no proof in the model: expected metadata `gluonnx\.proof`, got none"):
        replay(model.SerializeToString())


def _record(path):
    return Session(path, device="cpu").metadata[PROOF_KEY]


def test_export_model_takes_files_and_symbols(mlp, tmp_path):
    from gluonnx.formats import write_params

    heads, params = mlp
    symbol = Symbol(heads)
    symbol.save(tmp_path / "net-symbol.json")
    write_params(tmp_path / "net-0000.params", {f"arg:{k}": v for k, v in params.items()})
    a = export_model(
        str(tmp_path / "net-symbol.json"),
        str(tmp_path / "net-0000.params"),
        [(2, 4)],
        np.float32,
        str(tmp_path / "a.onnx"),
        dynamic=True,
        dynamic_input_shapes=[(None, 4)],
    )
    assert a == str(tmp_path / "a.onnx")
    export_model(symbol, params, [(2, 4)], [np.float32], tmp_path / "b.onnx", dynamic=True)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    export_model(symbol, params, [(2, 4)], onnx_file_path=tmp_path / "c.onnx")
    assert Session(tmp_path / "c.onnx", device="cpu").inputs[0].shape == (2, 4)


@pytest.mark.parametrize("act_type", ["leaky", "elu"])
def test_operators_whose_outputs_depend_on_attributes(act_type, tmp_path):
    heads = [(call("LeakyReLU", "act0", var("data"), act_type=act_type), 0)]
    export_graph(tmp_path / "net.onnx", heads, ["data"], [(2, 4)], ["float32"], {})
    replay(tmp_path / "net.onnx")


def test_export_model_errors(mlp, tmp_path):
    heads, params = mlp
    symbol = Symbol(heads)
    out = tmp_path / "net.onnx"
    with pytest.raises(ExportError, match=r"net: unknown opset: expected 9 to \d+, got opset=5"):
        export_model(symbol, params, [(2, 4)], onnx_file_path=out, opset=5)
    with pytest.raises(
        InputError, match=r"wrong number of input shapes: expected one for each of data, got in_shapes=\[\]"
    ):
        export_model(symbol, params, onnx_file_path=out)
    with pytest.raises(InputError, match=r"wrong number of input types: expected 1 \(data\)"):
        export_model(symbol, params, [(2, 4)], [np.float32] * 2, out)
    with pytest.raises(InputError, match=r"dynamic shape of `data` does not fit: .* got \(None, 5\)"):
        export_model(symbol, params, [(2, 4)], onnx_file_path=out, dynamic=True, dynamic_input_shapes=[(None, 5)])
    with pytest.raises(LoweringError, match=r"net: an axis is fixed: expected .* size of data_1, .* data_1=8.*fc1"):
        export_model(symbol, params, [(2, 4)], onnx_file_path=out, dynamic=True, dynamic_input_shapes=[(None, None)])
    with pytest.raises(InputError, match=r"wrong number of dynamic shapes: expected 1 \(data\)"):
        export_model(symbol, params, [(2, 4)], onnx_file_path=out, dynamic=True, dynamic_input_shapes=[])
    with pytest.raises(InputError, match="parameter `fc1_bias` is there twice"):
        export_model(symbol, {**params, "arg:fc1_bias": params["fc1_bias"]}, [(2, 4)], onnx_file_path=out)
    with pytest.raises(ExportError, match="parameter `fc1_bias` is not a dense array: expected one, got NoneType"):
        export_model(symbol, {**params, "fc1_bias": None}, [(2, 4)], onnx_file_path=out)
    assert files_in(tmp_path) == []
