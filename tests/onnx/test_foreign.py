"""Operators that stay ONNX's: values where onnx's own cases do not reach."""

import numpy as np
import onnx
import pytest
import torch
from gluonnx_runtime import Session
from onnx import helper, parser

from gluonnx.errors import InputError, MissingPackageError
from gluonnx.onnx import lift
from gluonnx.onnx.arrays import as_array, as_tensor
from gluonnx.ops.foreign import decoding, foreign_operator
from gluonnx.symbol.executor import GraphFunction


def run(model, *arrays):
    lifted = lift(onnx.ModelProto.FromString(model.SerializeToString()))
    results, _ = GraphFunction(lifted.heads, lifted.input_names)([as_tensor(as_array("x", a)) for a in arrays])
    return [as_array("y", r) for r in results]


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("skips", [0, 2])
def test_ngrams_are_counted_as_onnx_runtime_counts_them(mode, skips):
    attributes = {
        "mode": mode,
        "min_gram_length": 1,
        "max_gram_length": 3,
        "max_skip_count": skips,
        "ngram_counts": [0, 2, 6],
        "ngram_indexes": [0, 3, 2, 1, 4],
        "pool_int64s": [2, 3, 5, 4, 3, 2, 2, 2, 2],
        "weights": [1.0, 0.5, 2.0, 3.0, 0.25],
    }
    node = helper.make_node("TfIdfVectorizer", ["x"], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.INT64, [3, 9])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [3, 5])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=8)
    data = np.random.default_rng(3).integers(2, 6, (3, 9))
    (expected,) = Session(model.SerializeToString(), device="cpu").run({"x": data}).values()
    (got,) = run(model, data)
    assert expected.any()
    np.testing.assert_array_equal(got, expected)


def test_ngrams_that_do_not_fit_are_told():
    row = foreign_operator("TfIdfVectorizer").row
    attrs = {"max_gram_length": 2, "max_skip_count": 0, "min_gram_length": 1, "mode": "TF", "ngram_indexes": [0, 1]}
    with pytest.raises(InputError, match="the pool is of strings: expected pool_int64s"):
        row.forward(torch.ones(2), ngram_counts=[0], **attrs)
    with pytest.raises(InputError, match=r"wrong ngram_counts: .* a pool of 3 in n-grams, got ngram_counts=\[0, 2\]"):
        row.forward(torch.ones(2), ngram_counts=[0, 2], pool_int64s=[1, 2, 3], **attrs)


def test_images_are_decoded(monkeypatch):
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(0).integers(0, 256, (3, 4, 3)).astype(np.uint8)
    encoded = torch.from_numpy(cv2.imencode(".png", image)[1].reshape(-1))
    np.testing.assert_array_equal(decoding.image_decoder(encoded, pixel_format="BGR").numpy(), image)
    np.testing.assert_array_equal(decoding.image_decoder(encoded).numpy(), image[:, :, ::-1])
    gray = decoding.image_decoder(encoded, pixel_format="Grayscale").numpy()
    assert gray.shape == (3, 4, 1)
    np.testing.assert_allclose(gray[..., 0], image @ [0.114, 0.587, 0.299], atol=1)
    assert decoding.image_decoder(encoded[:20]).shape == (0, 0, 3)
    with pytest.raises(InputError, match="expected RGB, BGR or Grayscale, got pixel_format='CMYK'"):
        decoding.image_decoder(encoded, pixel_format="CMYK")

    def missing():
        raise MissingPackageError("OpenCV is missing")

    monkeypatch.setattr(decoding, "opencv", missing)
    with pytest.raises(MissingPackageError, match="OpenCV is missing"):
        decoding.image_decoder(encoded)


LOOP = (
    '<ir_version: 8, opset_import: ["" : 13]> g (float[3] x, int64 m) => (float[3] y, float[n,3] s) '
    "{{ t = Constant<value=bool {{1}}>() y, s = Loop (m, t, x) <body = b (int64 i, bool c, float[3] v) => "
    "(bool d, float[3] w, float[3] o) {{ d = Identity(c) w = Add(v, x) {step} }}> }}"
)


def test_a_loop_without_steps_gives_nothing_of_the_right_shape():
    model = parser.parse_model(LOOP.format(step="o = Mul(w, w)"))
    x = np.arange(3, dtype=np.float32)
    for count in (0, 2):
        feeds = {"x": x, "m": np.array(count)}
        expected = Session(model.SerializeToString(), device="cpu").run(feeds)
        for got, want in zip(run(model, *feeds.values()), expected.values(), strict=True):
            assert got.shape == want.shape
            np.testing.assert_array_equal(got, want)


def test_a_loop_without_steps_whose_body_fails_is_told():
    body = "k = Constant<value_ints=[7]>() o = Gather(w, k)"
    model = parser.parse_model(LOOP.format(step=body).replace("float[3] o", "float[1] o").replace("[n,3]", "[n,1]"))
    with pytest.raises(InputError, match=r"Loop: no steps: .* got 0 steps and a body that fails: .*out of range"):
        run(model, np.zeros(3, np.float32), np.array(0))


def test_a_scan_without_steps_gives_nothing_of_the_right_shape():
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 13]> g (float[2] s, float[2,n] x) => (float[2] t, float[2,n] y) '
        "{ t, y = Scan<num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1], "
        "body = b (float[2] a, float[2] v) => (float[2] c, float[2] d) { c = Add(a, v) d = Mul(c, v) }>(s, x) }"
    )
    state = np.ones(2, np.float32)
    last, stacked = run(model, state, np.zeros((2, 0), np.float32))
    np.testing.assert_array_equal(last, state)
    assert stacked.shape == (2, 0)
