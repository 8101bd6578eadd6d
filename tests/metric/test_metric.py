import math

import numpy as np
import pytest
from metric import cases
from optimizer.golden import recorded

import gluonnx as mx
from gluonnx import metric
from gluonnx.errors import ArgumentError, InputError, RegistryError


class Namespace:
    nd = mx.nd
    metric = metric


@pytest.mark.parametrize("name", cases.METRICS)
def test_values_are_mxnets(name):
    np.testing.assert_allclose(cases.measure(Namespace, name), recorded("metrics")[name], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", [n for n, c in cases.METRICS.items() if isinstance(c[0], str)])
def test_config_makes_the_same_metric(name):
    kind, arguments, _ = cases.METRICS[name]
    made = metric.create(kind, **arguments)
    again = metric.create(made.get_config())
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    assert again.name == made.name


def test_config_of_a_composite():
    made = metric.create(["acc", "mae"])
    again = metric.create(made.get_config())
    assert [type(m) for m in again.metrics] == [metric.Accuracy, metric.MAE]


def test_nothing_yet_is_nan():
    for kind in ("acc", "f1", "mcc", "mae", "pcc", "pearsonr", "loss"):
        made = metric.create(kind)
        assert math.isnan(made.get()[1])
        assert math.isnan(made.get_global()[1])
    assert math.isnan(metric.Perplexity(None).get()[1])


def test_micro_correlation_is_that_of_everything():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=9) + 1e4, rng.normal(size=9)) for _ in range(4)]
    made = metric.PearsonCorrelation(average="micro")
    for label, pred in pairs:
        made.update(mx.nd.array(label, dtype="float64"), mx.nd.array(pred, dtype="float64"))
    joined = [np.concatenate(x) for x in zip(*pairs, strict=True)]
    assert made.get()[1] == pytest.approx(np.corrcoef(*joined)[0, 1], abs=1e-9)
    made.reset_local()
    made.update(*(mx.nd.array(x, dtype="float64") for x in pairs[0]))
    assert made.get()[1] == pytest.approx(np.corrcoef(*pairs[0])[0, 1], abs=1e-9)
    assert made.get_global()[1] != made.get()[1]


def test_update_by_name():
    made = metric.Accuracy(output_names=["out"], label_names=["label"])
    arrays = {"out": mx.nd.array([[0.1, 0.9]]), "state": mx.nd.array([[1, 2, 3]])}
    made.update_dict({"label": mx.nd.array([1]), "other": mx.nd.array([0])}, arrays)
    assert made.get() == ("accuracy", 1.0)
    assert str(made) == "EvalMetric: {'accuracy': 1.0}"
    made = metric.CompositeEvalMetric(["acc"], output_names=["out"], label_names=["label"])
    made.update_dict({"label": mx.nd.array([0]), "other": mx.nd.array([0])}, arrays)
    assert made.get() == (["accuracy"], [0.0])
    assert made.get_metric(0).get()[1] == 0.0
    made.reset()
    assert math.isnan(made.get_global()[1][0])


def test_custom_metrics():
    made = metric.np(lambda label, pred: float(np.abs(label - pred).sum()))
    made.update([mx.nd.array([1, 2])], [mx.nd.array([2, 4])])
    assert made.get() == ("custom(<lambda>)", 3.0)

    def share(label, pred):
        return float((label == pred).sum()), label.size

    made = metric.create(share, allow_extra_outputs=True)
    made.update([mx.nd.array([1, 2])], [mx.nd.array([2, 2]), mx.nd.array([0])])
    assert made.get() == ("share", 0.5)
    with pytest.raises(NotImplementedError, match="CustomMetric cannot be serialized"):
        made.get_config()


def test_single_arrays():
    made = metric.create("mae")
    made.update(mx.nd.array([1, 2, 3]), mx.nd.array([1, 2, 4]))
    assert made.get()[1] == pytest.approx(1 / 3)


def test_wrong_calls():
    two = mx.nd.ones((2,))
    with pytest.raises(ValueError, match="Shape of labels 1 does not match shape of predictions 2"):
        metric.Accuracy().update([two], [two, two])
    with pytest.raises(
        InputError, match=r"Shape of labels \(2,\) does not match .* expected classes along axis 1, got 1"
    ):
        metric.Accuracy().update([two], [mx.nd.ones((3,))])
    with pytest.raises(InputError, match="Shape of labels 2 does not match shape of predictions 3"):
        metric.Accuracy().update([two], [mx.nd.ones((3, 4))])
    with pytest.raises(InputError, match=r"Shape of labels \(2,\) does not match shape of predictions \(2, 1\)"):
        metric.PearsonCorrelation().update([two], [mx.nd.ones((2, 1))])
    with pytest.raises(ArgumentError, match="Please use Accuracy if top_k is no more than 1: got top_k=1"):
        metric.TopKAccuracy()
    with pytest.raises(InputError, match=r"Predictions should be no more than 2 dims: .* got shape=\(2,\)"):
        metric.TopKAccuracy(2).update([two], [two])
    with pytest.raises(ValueError, match=r"F1 currently only supports binary classification: .* got \[0, 1, 2\]"):
        metric.F1().update([mx.nd.array([0, 1, 2])], [mx.nd.ones((3, 2))])
    with pytest.raises(ArgumentError, match="MCC: expected one of macro, micro, got average='x'"):
        metric.MCC(average="x")
    with pytest.raises(InputError, match=r"Perplexity: shape mismatch: \(2,\) vs\. \(3, 4\)"):
        metric.Perplexity(None).update([two], [mx.nd.ones((3, 4))])
    with pytest.raises(ArgumentError, match="Metric index 3 is out of range 0 and 1"):
        metric.create(["acc"]).get_metric(3)
    with pytest.raises(RegistryError, match=r"create: unknown metric: expected one of .*accuracy.*, got 'nosuch'"):
        metric.create("nosuch")
    with pytest.raises(NotImplementedError, match="EvalMetric: a metric must define update"):
        metric.EvalMetric("x").update([], [])
