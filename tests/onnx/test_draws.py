"""Exports of graphs that draw random numbers: what is proven, and what the file says of it."""

import json
import math

import numpy as np
import onnx
import pytest
import torch
from gluonnx_runtime import Session
from ops import matrix
from ops.samples import Array, RandomSample

import gluonnx as mx
from gluonnx.errors import ExportError, LoweringError
from gluonnx.gluon import nn
from gluonnx.onnx import export_graph, lower, replay
from gluonnx.onnx.proof import PROOF_KEY, check_record
from gluonnx.ops.table import TABLE


class Vae(nn.HybridBlock):
    """An encoder, a draw from what it says, a decoder."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.mean, self.deviation, self.decoder = nn.Dense(2), nn.Dense(2), nn.Dense(3)

    def hybrid_forward(self, F, x):
        mean, deviation = self.mean(x), F.exp(self.deviation(x))
        draw = mean + deviation * F.random.normal_like(mean)
        return F.sigmoid(self.decoder(draw)), mean, deviation


@pytest.fixture
def vae():
    mx.random.seed(5)
    net = Vae()
    net.initialize(mx.init.Normal(0.5))
    net.hybridize()
    net(mx.nd.ones((2, 4)))
    return net


def record_of(path):
    return json.loads({p.key: p.value for p in onnx.load(path).metadata_props}[PROOF_KEY])


def export(symbol, path, shapes, params=(), dtypes=None, **more):
    names = list(shapes)
    dtypes = dtypes or ["float32"] * len(names)
    return export_graph(path, symbol._heads, names, list(shapes.values()), dtypes, dict(params), **more)


def test_a_net_with_draws(vae, tmp_path):
    (_, _, path) = vae.export(str(tmp_path / "vae"))
    outputs = record_of(path)["outputs"]
    assert [("values" in o, o.get("drawn")) for o in outputs] == [(False, True), (True, None), (True, None)]
    replay(path)
    session = Session(path, device="cpu")
    x = np.random.RandomState(0).normal(size=(5000, 4)).astype(np.float32)
    drawn, mean, deviation = session.run({"data": x}).values()
    again = next(iter(session.run({"data": x}).values()))
    _, torchs_mean, torchs_deviation = (a.asnumpy() for a in vae(mx.nd.array(x)))
    np.testing.assert_allclose(mean, torchs_mean, rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(deviation, torchs_deviation, rtol=1e-6, atol=1e-6)
    assert not np.array_equal(drawn, again)
    torchs = vae(mx.nd.array(x))[0].asnumpy()
    np.testing.assert_allclose(drawn.mean(0), torchs.mean(0), atol=6 * torchs.std() * math.sqrt(2 / 5000))


def test_hybridized_blocks_draw_from_the_seed(vae):
    x = mx.nd.ones((3, 4))
    results = []
    for seed in (1, 1, 2):
        mx.random.seed(seed)
        results.append(vae(x)[0].asnumpy())
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_a_hybridized_dropout_that_always_draws_does_so_from_the_seed():
    class Net(nn.HybridBlock):
        def hybrid_forward(self, F, x):
            return F.Dropout(x, p=0.5, mode="always")

    net = Net()
    net.hybridize()
    results = []
    for _ in range(2):
        mx.random.seed(3)
        results.append(net(mx.nd.ones((4, 50))).asnumpy())
    np.testing.assert_array_equal(*results)
    assert set(np.unique(results[0])) == {0.0, 2.0}


def nets():
    x = mx.sym.var("x")
    positive = mx.sym.softmax(x)
    step = mx.sym.contrib.foreach(lambda d, s: (d + s + mx.sym.random.normal_like(d), s + d), x, mx.sym.zeros((4,)))
    return {
        "dropout": mx.sym.Dropout(mx.sym.tanh(x) * 3, p=0.3, mode="always") + 1,
        "shape of the batch": x + mx.sym.random.uniform(-1, 2, shape=(0, 4)),
        "gamma of the batch": x * mx.sym._internal._random_gamma(alpha=0.5, beta=2.0, shape=(0, 4)),
        "classes": mx.sym.sample_multinomial(positive, shape=(3,), get_prob=True),
        "one class": mx.sym.one_hot(mx.sym.sample_multinomial(positive), depth=4) * x,
        "shuffle": mx.sym.shuffle(mx.sym.tanh(x)) - x,
        "sampled": mx.sym.Group([mx.sym.sample_gamma(mx.sym.exp(x), mx.sym.exp(-x), shape=(2,)), mx.sym.exp(x)]),
        "counted": mx.sym.sample_poisson(mx.sym.exp(3 * x)),
        "loop": mx.sym.Group([step[0], step[1]]),
        "two": mx.sym.random.normal_like(x) * mx.sym._internal._random_exponential_like(x, lam=2.0),
        "one on the other": mx.sym.sample_normal(mx.sym.random.uniform_like(x), mx.sym.exp(x)),
    }


@pytest.mark.parametrize("name", nets())
def test_graphs_with_draws_are_proven(name, tmp_path):
    path = tmp_path / "net.onnx"
    before = torch.random.get_rng_state()
    dynamic = name != "loop"  # its batch is the number of steps
    export(nets()[name], path, {"x": (5, 4)}, dynamic_batch=dynamic)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert any("drawn" in o for o in record_of(path)["outputs"])
    replay(path)


def test_parameters_of_a_distribution_may_be_inputs(tmp_path):
    p = mx.sym.var("p")
    for kind in ("sample_multinomial", "sample_poisson", "sample_exponential"):
        path = tmp_path / kind
        export(getattr(mx.sym, kind)(p), path, {"p": (2, 3)})
        replay(path)


def test_the_same_bytes_every_time(tmp_path):
    net = nets()["two"]
    for name in ("a", "b"):
        export(net, tmp_path / name, {"x": (5, 4)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def lowered_as(monkeypatch):
    """Give an operator another lowering."""

    def change(name, lowering):
        _, keywords = TABLE[name]._lowering
        monkeypatch.setattr(TABLE[name], "_lowering", (lowering, keywords))

    return change


WRONG = {
    "scale": (
        "_random_normal_like",
        lambda g, x, **attrs: g.op("RandomNormalLike", x, scale=1.2),
        "two",
        r"_random_normal_like `\w+`: output 0: expected a mean square of [\d.]+ over 500 runs, got 1\.4",
    ),
    "mean": (
        "_random_exponential_like",
        lambda g, x, **attrs: g.op("RandomUniformLike", x),
        "two",
        r"_random_exponential_like `\w+`: output 0: expected a mean",
    ),
    "order": ("_shuffle", lambda g, x: g.op("Identity", x), "shuffle", r"_shuffle `\w+`: output 0: expected"),
    "after": (
        "_plus_scalar",
        lambda g, x, *, scalar, **attrs: g.op("Add", x, g.scalar(scalar + 0.01, x)),
        "dropout",
        r"something else from the same draws: `\w+_output` at batch size 1: largest difference 0\.01",
    ),
    "before": (
        "tanh",
        lambda g, x: g.op("Identity", x),
        "dropout",
        r"something else from the same draws: `\w+_output` at batch size 1: largest",
    ),
    "form": ("_shuffle", lambda g, x: g.op("Div", x, g.scalar(0, x)), "shuffle", "expected finite numbers, got NaN"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_lowerings_are_refused(fault, lowered_as, tmp_path):
    operator, lowering, name, message = WRONG[fault]
    lowered_as(operator, lowering)
    with pytest.raises(ExportError, match=message):
        export(nets()[name], tmp_path / "net.onnx", {"x": (5, 4)})
    assert list(tmp_path.iterdir()) == []


def test_a_replay_looks_at_the_form_of_draws(tmp_path):
    path = tmp_path / "net.onnx"
    export(nets()["two"], path, {"x": (5, 4)})
    text = {p.key: p.value for p in onnx.load(path).metadata_props}[PROOF_KEY]
    (name,) = (o["name"] for o in record_of(path)["outputs"])
    with pytest.raises(ExportError, match=r"expected float32 \[2, 4\], got float32 \[2, 3\]"):
        check_record(text, lambda feeds: {name: np.zeros((2, 3), np.float32)}, "x")
    with pytest.raises(ExportError, match="expected finite numbers, got NaN or infinity"):
        check_record(text, lambda feeds: {name: np.full((2, 4), np.nan, np.float32)}, "x")


def drawn(op, attrs, inputs=()):
    """What a seeded model of one operator draws."""
    arrays = tuple(Array(np.shape(v), dtype="float64", kind="values", values=tuple(np.ravel(v))) for v in inputs)
    sample = RandomSample(op, "x", attrs, 0.0, 1.0, inputs=arrays)
    model = matrix.seeded(matrix.onnx_model(TABLE[op], sample, sample.arrays()))
    return matrix.run(matrix.session(model), sample.arrays())


COUNT = 40_000


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.7, 9.9, 10.0, 11.5, 35.0, 1e4, 1e9])
@pytest.mark.parametrize("op", ["_random_poisson", "_sample_poisson"])
def test_poisson_numbers(op, mean):
    size = {"shape": (COUNT,), "dtype": "float64"}
    (values,) = drawn(op, {**size, "lam": mean}) if op == "_random_poisson" else drawn(op, size, [[mean]])
    assert (values == np.floor(values)).all()
    assert values.min() >= 0
    assert values.mean() == pytest.approx(mean, abs=5 * math.sqrt(mean / COUNT))
    # The variance of a sample variance is about (2 mean^2 + mean) / n.
    assert values.var() == pytest.approx(mean, abs=5 * math.sqrt((2 * mean**2 + mean) / COUNT))
    if 0 < mean < 40:
        for k in {0, int(mean), int(mean) + 3}:
            chance = math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1))
            assert (values == k).mean() == pytest.approx(chance, abs=5 * math.sqrt(chance / COUNT) + 1e-9)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 3.0, 200.0])
def test_gamma_numbers(alpha):
    (values,) = drawn("_random_gamma", {"alpha": alpha, "beta": 1.0, "shape": (COUNT,), "dtype": "float64"})
    assert values.min() >= 0
    assert values.mean() == pytest.approx(alpha, abs=5 * math.sqrt(alpha / COUNT))
    fourth = 3 * alpha**2 + 6 * alpha
    assert values.var() == pytest.approx(alpha, abs=5 * math.sqrt((fourth - alpha**2) / COUNT))
    generator = torch.Generator().manual_seed(0)
    torchs = torch._standard_gamma(torch.full((COUNT,), alpha, dtype=torch.float64), generator).numpy()
    levels = np.linspace(0.05, 0.95, 19)
    places = np.quantile(torchs, levels)
    # Kolmogorov and Smirnov: 2.5 sqrt(2 / n) is passed once in 100,000 times.
    assert abs((values[:, None] <= places).mean(0) - levels).max() < 2.5 * math.sqrt(2 / COUNT)


def test_numbers_without_a_distribution_end():
    nan = float("nan")
    for op, parameters in (
        ("_sample_gamma", [[nan, 0.0, -1.0, 2.0], [1.0] * 4]),
        ("_sample_poisson", [[nan, 0.0, -1.0, float("inf")]]),
        ("_sample_negative_binomial", [[0.0, 2.0, 2.0, nan], [0.5, 1.0, 0.0, 0.5]]),
    ):
        (values,) = drawn(op, {"shape": (3,)}, parameters)
        assert values.shape == (4, 3)
    (values,) = drawn("_sample_gamma", {"shape": (3,)}, [[0.0], [1.0]])
    assert not values.any()


def test_exponential_numbers_have_a_long_tail():
    (values,) = drawn("_random_exponential", {"lam": 0.5, "shape": (2_000_000,)})
    assert np.isfinite(values).all()
    assert 22 < values.max() < 70
    assert (values > 10).mean() == pytest.approx(math.exp(-5), rel=0.05)


def test_integers_are_even():
    (values,) = drawn("_random_randint", {"low": -2, "high": 5, "shape": (COUNT,)})
    assert np.bincount(values + 2, minlength=7) / COUNT == pytest.approx(1 / 7, abs=0.01)
    (wide,) = drawn("_random_randint", {"low": -(2**40), "high": 2**40, "shape": (COUNT,), "dtype": "int64"})
    assert wide.mean() == pytest.approx(0, abs=5 * 2**41 / math.sqrt(12 * COUNT))
    with pytest.raises(LoweringError, match="for so wide a range: expected at most 9007199254740992 integers, got low"):
        drawn("_random_randint", {"low": -(2**60), "high": 2**60, "shape": (2,), "dtype": "int64"})


def test_unique_draws_and_how_many_they_took():
    attrs = {"range_max": 6, "shape": (COUNT // 4, 4)}
    classes, tries = drawn("_sample_unique_zipfian", attrs)
    torchs = matrix.call(TABLE["_sample_unique_zipfian"], [], attrs).outputs
    wanted_classes, wanted_tries = (t.numpy() for t in torchs)
    assert all(len(set(row)) == 4 for row in classes)
    for place in range(4):
        ours, theirs = (np.bincount(c[:, place], minlength=6) / len(c) for c in (classes, wanted_classes))
        assert ours == pytest.approx(theirs, abs=0.035)
    assert tries.min() == 4
    error = math.sqrt(2 * wanted_tries.var() / len(tries))
    assert tries.mean() == pytest.approx(wanted_tries.mean(), abs=5 * error)
    assert tries.std() == pytest.approx(wanted_tries.std(), rel=0.1)
    with pytest.raises(LoweringError, match=r"so many classes, .*got range_max=1000000, shape=\(1000, 2\)"):
        drawn("_sample_unique_zipfian", {"range_max": 1_000_000, "shape": (1000, 2)})


def test_every_order_is_as_likely():
    sample = RandomSample("_shuffle", "x", {}, 0.0, 1.0, inputs=(Array((3,), kind="values", values=(0, 1, 2)),))
    model = matrix.seeded(matrix.onnx_model(TABLE["_shuffle"], sample, sample.arrays()))
    session = matrix.session(model)
    rows = np.array([matrix.run(session, sample.arrays())[0] for _ in range(3000)])
    orders, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(orders) == 6
    assert counts / 3000 == pytest.approx(1 / 6, abs=0.035)


def test_jitter_draws_order_and_factors():
    picture = Array((1, 2, 3), kind="values", values=(40, 80, 120, 10, 20, 200))

    def results(**attrs):
        attrs = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0} | attrs
        sample = RandomSample("_image_random_color_jitter", "x", attrs, 0.0, 1.0, inputs=(picture,))
        session = matrix.session(matrix.seeded(matrix.onnx_model(TABLE[sample.op], sample, sample.arrays())))
        return np.array([matrix.run(session, sample.arrays())[0] for _ in range(1500)])

    brightness = results(brightness=0.3)[:, 0, 0, 0] / 40
    assert 0.7 <= brightness.min() < 0.72
    assert 1.28 < brightness.max() <= 1.3
    assert brightness.mean() == pytest.approx(1.0, abs=5 * 0.6 / math.sqrt(12 * 1500))
    every = results(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)
    op = TABLE["_image_random_color_jitter"]
    attrs = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1}
    (array,) = RandomSample(op.name, "x", {}, 0, 1, inputs=(picture,)).arrays()
    torchs = np.array([matrix.call(op, matrix.tensors([array]), attrs, seed=s).outputs[0].numpy() for s in range(1500)])
    error = np.sqrt((every.var(0) + torchs.var(0)) / 1500)
    assert (abs(every.mean(0) - torchs.mean(0)) < 5 * error).all()
    np.testing.assert_allclose(every.std(0), torchs.std(0), rtol=0.12)


def test_a_shape_that_is_no_multiple_of_the_batch_is_refused():
    x = mx.sym.var("x")
    rest = mx.sym.slice_axis(x, axis=0, begin=1, end=None)
    symbol = rest + mx.sym.random.uniform(shape=(0, 4))
    with pytest.raises(LoweringError, match="its shape is no multiple of the batch size"):
        lower(symbol._heads, ["x"], [(5, 4)], ["float32"], {})
