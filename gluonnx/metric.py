"""Evaluation metrics (`mx.metric`).

A metric adds up a sum and a count over updates, once since `reset` (global) and once since `reset_local`; its value is
their quotient unless its docstring says otherwise. `labels` and `preds` are an array or a list of arrays.

Source: MXNet 1.9.1 python/mxnet/metric.py.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
import numpy.typing as npt

from gluonnx import registry
from gluonnx.errors import ArgumentError, InputError
from gluonnx.ndarray.ndarray import NDArray

__all__ = [
    "F1",
    "MAE",
    "MCC",
    "MSE",
    "PCC",
    "RMSE",
    "Accuracy",
    "Caffe",
    "CompositeEvalMetric",
    "CrossEntropy",
    "CustomMetric",
    "EvalMetric",
    "Loss",
    "NegativeLogLikelihood",
    "PearsonCorrelation",
    "Perplexity",
    "TopKAccuracy",
    "Torch",
    "alias",
    "check_label_shapes",
    "create",
    "np",
    "register",
]

AVERAGES = ("macro", "micro")
SMALLEST_PROBABILITY = 1e-10
"""What Perplexity takes for smaller probabilities."""

Array = npt.NDArray[Any]


def check_label_shapes(labels: Any, preds: Any, wrap: bool = False, shape: bool = False) -> tuple[Any, Any]:
    """Check that labels and predictions have the same length, or shape.

    Args:
        labels: Labels.
        preds: Predictions.
        wrap: Return single arrays in a list.
        shape: Compare shapes and not lengths.

    Raises:
        InputError: They differ.
    """
    own, other = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if own != other:
        raise InputError(f"Shape of labels {own} does not match shape of predictions {other}")
    if wrap:
        labels = [labels] if isinstance(labels, NDArray) else labels
        preds = [preds] if isinstance(preds, NDArray) else preds
    return labels, preds


class EvalMetric:
    """Base class: a subclass defines `update`.

    Args:
        name: Name for display.
        output_names: Predictions that `update_dict` uses; all if None.
        label_names: Labels that `update_dict` uses; all if None.
        **kwargs: Arguments of the subclass for `get_config`, and `has_global_stats`.
    """

    def __init__(
        self,
        name: str,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = str(name)
        self.output_names = output_names
        self.label_names = label_names
        self._has_global_stats = kwargs.pop("has_global_stats", False)
        self._kwargs = kwargs
        self.reset()

    def __str__(self) -> str:
        return f"EvalMetric: {dict(self.get_name_value())}"

    def get_config(self) -> dict[str, Any]:
        """Return what `create(**config)` makes an equal metric from."""
        return {
            **self._kwargs,
            "metric": type(self).__name__,
            "name": self.name,
            "output_names": self.output_names,
            "label_names": self.label_names,
        }

    def update_dict(self, label: Mapping[str, NDArray], pred: Mapping[str, NDArray]) -> None:
        """Update from arrays by name."""
        preds = list(pred.values()) if self.output_names is None else [pred[n] for n in self.output_names]
        labels = list(label.values()) if self.label_names is None else [label[n] for n in self.label_names]
        self.update(labels, preds)

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and predictions in."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must define update(labels, preds).")

    def _add(self, total: float, count: float) -> None:
        self.sum_metric += total
        self.global_sum_metric += total
        self.num_inst += count
        self.global_num_inst += count

    def reset(self) -> None:
        """Forget everything."""
        self.global_num_inst: float = 0
        self.global_sum_metric: float = 0.0
        self.reset_local()

    def reset_local(self) -> None:
        """Forget what the local value is made of."""
        self.num_inst: float = 0
        self.sum_metric: float = 0.0

    def get(self) -> tuple[Any, Any]:
        """Return (name, value), lists for several; the value is NaN before the first update."""
        return self.name, self._value(self.sum_metric, self.num_inst)

    def get_global(self) -> tuple[Any, Any]:
        """Return (name, value) since `reset`."""
        if not self._has_global_stats:
            return self.get()
        return self.name, self._value(self.global_sum_metric, self.global_num_inst)

    def _value(self, total: float, count: float) -> float:
        return float("nan") if count == 0 else total / count

    def get_name_value(self) -> list[tuple[str, float]]:
        """Return the (name, value) pairs."""
        return _zipped(*self.get())

    def get_global_name_value(self) -> list[tuple[str, float]]:
        """Return the (name, value) pairs since `reset`."""
        return _zipped(*self.get_global())


register = registry.get_register_func(EvalMetric, "metric")
alias = registry.get_alias_func(EvalMetric, "metric")
_create = registry.get_create_func(EvalMetric, "metric")


def create(metric: Any, *args: Any, **kwargs: Any) -> EvalMetric:
    """Return a metric.

    Args:
        metric: A name, an instance, a function of (label, pred), a config, or a list of such for a composite.
        *args: Arguments of a named metric.
        **kwargs: Arguments of a named metric.

    Raises:
        RegistryError: No metric has this name.
    """
    if callable(metric):
        return CustomMetric(metric, *args, **kwargs)
    if isinstance(metric, list):
        composite = CompositeEvalMetric()
        for child in metric:
            composite.add(create(child, *args, **kwargs))
        return composite
    created: EvalMetric = _create(metric, *args, **kwargs)
    return created


@register
@alias("composite")
class CompositeEvalMetric(EvalMetric):
    """Several metrics as one: names and values are lists.

    Args:
        metrics: What `create` takes for each.
        name: See EvalMetric.
        output_names: See EvalMetric.
        label_names: See EvalMetric.
    """

    def __init__(
        self,
        metrics: Sequence[Any] | None = None,
        name: str = "composite",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        self.metrics: list[EvalMetric] = []
        super().__init__(name, output_names, label_names, has_global_stats=True)
        self.metrics = [create(m) for m in metrics or []]

    def add(self, metric: Any) -> None:
        """Add a metric, given as `create` takes it."""
        self.metrics.append(create(metric))

    def get_metric(self, index: int) -> EvalMetric:
        """Return a metric by position.

        Raises:
            ArgumentError: There is none. (Differs: MXNet returns the error.)
        """
        if not -len(self.metrics) <= index < len(self.metrics):
            raise ArgumentError(
                f"CompositeEvalMetric: Metric index {index} is out of range 0 and {len(self.metrics)}: got {index}."
            )
        return self.metrics[index]

    def update_dict(self, labels: Mapping[str, NDArray], preds: Mapping[str, NDArray]) -> None:
        """Update every metric from arrays by name."""
        if self.label_names is not None:
            labels = {n: a for n, a in labels.items() if n in self.label_names}
        if self.output_names is not None:
            preds = {n: a for n, a in preds.items() if n in self.output_names}
        for metric in self.metrics:
            metric.update_dict(labels, preds)

    def update(self, labels: Any, preds: Any) -> None:
        """Update every metric."""
        for metric in self.metrics:
            metric.update(labels, preds)

    def reset(self) -> None:
        """Reset every metric."""
        for metric in self.metrics:
            metric.reset()

    def reset_local(self) -> None:
        """Reset the local values of every metric."""
        for metric in self.metrics:
            metric.reset_local()

    def get(self) -> tuple[list[str], list[float]]:
        """Return the names and values of all metrics."""
        return _joined([m.get_name_value() for m in self.metrics])

    def get_global(self) -> tuple[list[str], list[float]]:
        """Return the names and values of all metrics since `reset`."""
        return _joined([m.get_global_name_value() for m in self.metrics])

    def get_config(self) -> dict[str, Any]:
        """Return what `create(**config)` makes an equal metric from."""
        return {**super().get_config(), "metrics": [m.get_config() for m in self.metrics]}


class _Pairwise(EvalMetric):
    """A metric that is measured on each pair of a label and a prediction array."""

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and predictions in."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            self._add(*self._measure(label, pred))

    def _measure(self, label: NDArray, pred: NDArray) -> tuple[float, float]:
        """Return the sum and the count of a pair."""
        raise NotImplementedError


@register
@alias("acc")
class Accuracy(_Pairwise):
    """Share of predictions that are right.

    Predictions are classes, in the labels' shape, or a score for each class along `axis`.
    """

    def __init__(
        self,
        axis: int = 1,
        name: str = "accuracy",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names, label_names, axis=axis, has_global_stats=True)
        self.axis = axis

    def _measure(self, label: NDArray, pred: NDArray) -> tuple[float, float]:
        chosen = pred._plain()
        if pred.shape != label.shape:
            if not -pred.ndim <= self.axis < pred.ndim:
                raise InputError(
                    f"Accuracy: Shape of labels {label.shape} does not match shape of predictions {pred.shape}: "
                    f"expected classes along axis {self.axis}, got {pred.ndim} axes."
                )
            chosen = chosen.argmax(self.axis)
        chosen_classes = chosen.cpu().numpy().astype("int32").ravel()
        classes = label.asnumpy().astype("int32").ravel()
        check_label_shapes(classes, chosen_classes)
        return int((chosen_classes == classes).sum()), len(classes)


@register
@alias("top_k_accuracy", "top_k_acc")
class TopKAccuracy(_Pairwise):
    """Share of labels (N,) that are among the `top_k` largest of the predicted scores (N, C).

    Raises:
        ArgumentError: `top_k` is below 2.
    """

    def __init__(
        self,
        top_k: int = 1,
        name: str = "top_k_accuracy",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names, label_names, top_k=top_k, has_global_stats=True)
        if top_k <= 1:
            raise ArgumentError(f"TopKAccuracy: Please use Accuracy if top_k is no more than 1: got top_k={top_k}.")
        self.top_k = top_k
        self.name += f"_{top_k}"

    def get_config(self) -> dict[str, Any]:
        """Return what `create(**config)` makes an equal metric from."""
        return {**super().get_config(), "name": self.name.removesuffix(f"_{self.top_k}")}

    def _measure(self, label: NDArray, pred: NDArray) -> tuple[float, float]:
        if pred.ndim != 2:
            raise InputError(
                f"TopKAccuracy: Predictions should be no more than 2 dims: expected (N, C), got shape={pred.shape}."
            )
        scores = pred.asnumpy().astype("float32")
        classes = label.asnumpy().astype("int32").reshape(-1, 1)
        check_label_shapes(classes, scores)
        count = min(self.top_k, scores.shape[1])
        best = numpy.argpartition(scores, -count)[:, -count:]
        return int((best == classes).sum()), len(classes)


class _Binary(EvalMetric):
    """A score of the counts of a two-class confusion matrix.

    Args:
        name: See EvalMetric.
        output_names: See EvalMetric.
        label_names: See EvalMetric.
        average: `"macro"` for the mean of each update's score, `"micro"` for the score of everything.
    """

    def __init__(
        self,
        name: str,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        average: str = "macro",
    ) -> None:
        _check_average(type(self).__name__, average)
        self.average = average
        super().__init__(name, output_names, label_names, average=average, has_global_stats=True)

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels (N,) of 0 and 1 and scores (N, 2) in."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        counts = numpy.zeros((2, 2))
        for label, pred in zip(labels, preds, strict=True):
            counts += self._count(label.asnumpy().astype("int32"), pred.asnumpy())
        if self.average == "macro":
            self._add(self._score(counts), 1)
            return
        self._counts += counts
        self._global_counts += counts
        self.num_inst, self.global_num_inst = int(self._counts.sum()), int(self._global_counts.sum())
        self.sum_metric = self._score(self._counts) * self.num_inst
        self.global_sum_metric = self._score(self._global_counts) * self.global_num_inst

    def _count(self, label: Array, pred: Array) -> Array:
        """Return how often each (class, predicted class) occurs."""
        check_label_shapes(label, pred)
        found = numpy.unique(label)
        if len(found) > 2:
            raise InputError(
                f"{type(self).__name__} currently only supports binary classification: expected labels 0 and 1, "
                f"got {found[:5].tolist()}."
            )
        is_true = label.ravel() == 1
        is_chosen = pred.argmax(axis=1) == 1
        counts = numpy.zeros((2, 2))
        numpy.add.at(counts, (is_true.astype(int), is_chosen.astype(int)), 1)
        return counts

    def _score(self, counts: Array) -> float:
        raise NotImplementedError

    def reset(self) -> None:
        """Forget everything."""
        self._global_counts = numpy.zeros((2, 2))
        super().reset()

    def reset_local(self) -> None:
        """Forget what the local value is made of."""
        self._counts = numpy.zeros((2, 2))
        super().reset_local()


@register
class F1(_Binary):
    """Harmonic mean of precision and recall of class 1 against class 0; see `_Binary` for the arguments."""

    def __init__(
        self,
        name: str = "f1",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        average: str = "macro",
    ) -> None:
        super().__init__(name, output_names, label_names, average)

    def _score(self, counts: Array) -> float:
        (_, false_positive), (false_negative, true_positive) = counts.tolist()
        if not true_positive:
            return 0.0
        precision = true_positive / (true_positive + false_positive)
        recall = true_positive / (true_positive + false_negative)
        return float(2 * precision * recall / (precision + recall))


@register
class MCC(_Binary):
    """Matthews correlation of class 1 against class 0; factors 0 of its denominator count as 1. See `_Binary`."""

    def __init__(
        self,
        name: str = "mcc",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        average: str = "macro",
    ) -> None:
        super().__init__(name, output_names, label_names, average)

    def _score(self, counts: Array) -> float:
        (true_negative, false_positive), (false_negative, true_positive) = counts.tolist()
        sums = [*counts.sum(axis=0).tolist(), *counts.sum(axis=1).tolist()]
        divisor = math.sqrt(math.prod(s for s in sums if s))
        return float((true_positive * true_negative - false_positive * false_negative) / divisor)


@register
class Perplexity(EvalMetric):
    """Exponential of the mean negative log of the probability given to the label.

    Args:
        ignore_label: Label that does not count, None for no such label.
        axis: Axis of the classes.
        name: See EvalMetric.
        output_names: See EvalMetric.
        label_names: See EvalMetric.
    """

    def __init__(
        self,
        ignore_label: int | None,
        axis: int = -1,
        name: str = "perplexity",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names, label_names, ignore_label=ignore_label, axis=axis, has_global_stats=True)
        self.ignore_label = ignore_label
        self.axis = axis

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and probabilities in."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            probabilities = numpy.moveaxis(pred.asnumpy(), self.axis, -1)
            if label.size * probabilities.shape[-1] != probabilities.size:
                raise InputError(
                    f"Perplexity: shape mismatch: {label.shape} vs. {pred.shape}: expected a label for each "
                    f"distribution, got {label.size} labels."
                )
            classes = label.asnumpy().ravel()
            rows = probabilities.reshape(len(classes), -1)
            index = numpy.clip(classes.astype("int64"), 0, rows.shape[1] - 1)
            given = rows[numpy.arange(len(classes)), index]
            if self.ignore_label is not None:
                given = given[classes != self.ignore_label]
            logs = numpy.log(numpy.maximum(given, SMALLEST_PROBABILITY), dtype=numpy.float64)
            self._add(-float(logs.sum()), len(given))

    def _value(self, total: float, count: float) -> float:
        return float("nan") if count == 0 else math.exp(total / count)


class _Regression(_Pairwise):
    """A mean over updates of an error between label and prediction, both taken as columns if they are vectors."""

    def _measure(self, label: NDArray, pred: NDArray) -> tuple[float, float]:
        return float(self._error(_column(label.asnumpy()) - _column(pred.asnumpy()))), 1

    def _error(self, difference: Array) -> Any:
        raise NotImplementedError


@register
class MAE(_Regression):
    """Mean absolute error."""

    def __init__(
        self, name: str = "mae", output_names: Sequence[str] | None = None, label_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def _error(self, difference: Array) -> Any:
        return numpy.abs(difference).mean()


@register
class MSE(_Regression):
    """Mean squared error."""

    def __init__(
        self, name: str = "mse", output_names: Sequence[str] | None = None, label_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def _error(self, difference: Array) -> Any:
        return numpy.square(difference).mean()


@register
class RMSE(_Regression):
    """Mean over updates of the root of the mean squared error."""

    def __init__(
        self, name: str = "rmse", output_names: Sequence[str] | None = None, label_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def _error(self, difference: Array) -> Any:
        return numpy.sqrt(numpy.square(difference).mean())


class _LogLikelihood(_Pairwise):
    """Mean of `-log(p + eps)` over the probabilities `p` that predictions (N, C) give to labels (N,)."""

    def __init__(
        self,
        eps: float,
        name: str,
        output_names: Sequence[str] | None,
        label_names: Sequence[str] | None,
    ) -> None:
        super().__init__(name, output_names, label_names, eps=eps, has_global_stats=True)
        self.eps = eps

    def _measure(self, label: NDArray, pred: NDArray) -> tuple[float, float]:
        classes = label.asnumpy().ravel().astype("int64")
        probabilities = pred.asnumpy()
        check_label_shapes(classes, probabilities)
        given = probabilities[numpy.arange(len(classes)), classes]
        return float(-numpy.log(given + self.eps).sum()), len(classes)


@register
@alias("ce")
class CrossEntropy(_LogLikelihood):
    """Cross entropy; see `_LogLikelihood`."""

    def __init__(
        self,
        eps: float = 1e-12,
        name: str = "cross-entropy",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(eps, name, output_names, label_names)


@register
@alias("nll_loss")
class NegativeLogLikelihood(_LogLikelihood):
    """Negative log-likelihood; see `_LogLikelihood`."""

    def __init__(
        self,
        eps: float = 1e-12,
        name: str = "nll-loss",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(eps, name, output_names, label_names)


@register
@alias("pearsonr")
class PearsonCorrelation(EvalMetric):
    """Pearson's correlation of labels and predictions of one shape.

    Args:
        name: See EvalMetric.
        output_names: See EvalMetric.
        label_names: See EvalMetric.
        average: `"macro"` for the mean over pairs, `"micro"` for the correlation of everything.

    Differs: with `"micro"`, MXNet's `get_global` is always 0 and `reset_local` keeps everything; here the first is the
    correlation since `reset` and the second starts the local one again.
    """

    def __init__(
        self,
        name: str = "pearsonr",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        average: str = "macro",
    ) -> None:
        _check_average("PearsonCorrelation", average)
        self.average = average
        super().__init__(name, output_names, label_names, average=average, has_global_stats=True)

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and predictions in."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            check_label_shapes(label, pred, shape=True)
            pair = [pred.asnumpy().ravel().astype(numpy.float64), label.asnumpy().ravel().astype(numpy.float64)]
            if self.average == "macro":
                self._add(float(numpy.corrcoef(*pair)[0, 1]), 1)
            else:
                self._moments.add(numpy.stack(pair))
                self._global_moments.add(numpy.stack(pair))
                self._add(0.0, 1)

    def get(self) -> tuple[str, float]:
        """Return (name, correlation)."""
        return self.name, self._correlation(self._moments, self.sum_metric, self.num_inst)

    def get_global(self) -> tuple[str, float]:
        """Return (name, correlation) since `reset`."""
        return self.name, self._correlation(self._global_moments, self.global_sum_metric, self.global_num_inst)

    def _correlation(self, moments: "_Moments", total: float, count: float) -> float:
        if self.average == "macro" or count == 0:
            return self._value(total, count)
        return moments.correlation()

    def reset(self) -> None:
        """Forget everything."""
        self._global_moments = _Moments()
        super().reset()

    def reset_local(self) -> None:
        """Forget what the local value is made of."""
        self._moments = _Moments()
        super().reset_local()


class _Moments:
    """Running mean and scatter of pairs, which stay exact where sums of squares would cancel."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = numpy.zeros(2)
        self._scatter = numpy.zeros((2, 2))

    def add(self, values: Array) -> None:
        """Take values of shape (2, N) in.

        Source: Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances.
        """
        count = values.shape[1]
        if not count:
            return
        mean = values.mean(axis=1)
        away = values - mean[:, None]
        step = mean - self._mean
        total = self._count + count
        self._scatter += away @ away.T + numpy.outer(step, step) * (self._count * count / total)
        self._mean += step * (count / total)
        self._count = total

    def correlation(self) -> float:
        """Return the correlation of the two rows."""
        spread = math.sqrt(self._scatter[0, 0] * self._scatter[1, 1])
        return float(self._scatter[0, 1] / spread) if spread else float("nan")


@register
class PCC(EvalMetric):
    """Correlation of labels (N,) and predicted classes, (N,) or scores (N, C): Matthews correlation for many classes.

    Attributes:
        lcm: How often each (predicted class, class) occurred since `reset_local`.
        gcm: The same since `reset`.

    Source: Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient (2004).
    """

    lcm: Array
    gcm: Array

    def __init__(
        self,
        name: str = "pcc",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        has_global_stats: bool = True,
    ) -> None:
        super().__init__(name, output_names, label_names, has_global_stats=has_global_stats)

    @property
    def k(self) -> int:
        """Number of classes seen, at least 2."""
        return len(self.lcm)

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and predictions in."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            classes = label.asnumpy().astype("int64")
            scores = pred.asnumpy()
            chosen = scores.astype("int64") if scores.shape == classes.shape else scores.argmax(axis=1)
            check_label_shapes(classes.ravel(), chosen.ravel())
            size = int(max(chosen.max(), classes.max())) + 1
            self.lcm = _grown(self.lcm, size)
            self.gcm = _grown(self.gcm, size)
            for counts in (self.lcm, self.gcm):
                numpy.add.at(counts, (chosen.ravel(), classes.ravel()), 1)
        self._add(0.0, 1)

    def get(self) -> tuple[str, float]:
        """Return (name, correlation)."""
        return self.name, float("nan") if self.num_inst == 0 else _category_correlation(self.lcm)

    def get_global(self) -> tuple[str, float]:
        """Return (name, correlation) since `reset`."""
        if not self._has_global_stats:
            return self.get()
        return self.name, float("nan") if self.global_num_inst == 0 else _category_correlation(self.gcm)

    def reset(self) -> None:
        """Forget everything."""
        self.gcm = numpy.zeros((2, 2))
        super().reset()

    def reset_local(self) -> None:
        """Forget what the local value is made of."""
        self.lcm = numpy.zeros((2, 2))
        super().reset_local()


@register
class Loss(EvalMetric):
    """Mean of the predictions, which are losses; labels are ignored."""

    def __init__(
        self, name: str = "loss", output_names: Sequence[str] | None = None, label_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def update(self, labels: Any, preds: Any) -> None:
        """Take losses in."""
        for pred in [preds] if isinstance(preds, NDArray) else preds:
            self._add(float(pred._plain().sum()), pred.size)


@register
class Torch(Loss):
    """Loss under another name."""

    def __init__(
        self, name: str = "torch", output_names: Sequence[str] | None = None, label_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(name, output_names, label_names)


@register
class Caffe(Loss):
    """Loss under another name."""

    def __init__(
        self, name: str = "caffe", output_names: Sequence[str] | None = None, label_names: Sequence[str] | None = None
    ) -> None:
        super().__init__(name, output_names, label_names)


@register
class CustomMetric(EvalMetric):
    """A function of numpy arrays as a metric.

    Args:
        feval: Called with (label, pred); returns a value, or (sum, count).
        name: Name for display; the function's if None.
        allow_extra_outputs: Whether there may be more predictions than labels; the rest is ignored.
        output_names: See EvalMetric.
        label_names: See EvalMetric.
    """

    def __init__(
        self,
        feval: Callable[[Array, Array], Any],
        name: str | None = None,
        allow_extra_outputs: bool = False,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        if name is None:
            name = getattr(feval, "__name__", type(feval).__name__)
            if "<" in name:
                name = f"custom({name})"
        super().__init__(
            name,
            output_names,
            label_names,
            feval=feval,
            allow_extra_outputs=allow_extra_outputs,
            has_global_stats=True,
        )
        self._feval = feval
        self._allow_extra_outputs = allow_extra_outputs

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and predictions in."""
        if not self._allow_extra_outputs:
            labels, preds = check_label_shapes(labels, preds, wrap=True)
        for pred, label in zip(preds, labels, strict=False):
            value = self._feval(label.asnumpy(), pred.asnumpy())
            if isinstance(value, tuple):
                self._add(*value)
            else:
                self._add(value, 1)

    def get_config(self) -> dict[str, Any]:
        """Raise NotImplementedError: a function has no description."""
        raise NotImplementedError("CustomMetric cannot be serialized")


def np(
    numpy_feval: Callable[[Array, Array], Any], name: str | None = None, allow_extra_outputs: bool = False
) -> CustomMetric:
    """Return a metric from a function of numpy arrays; see CustomMetric."""
    return CustomMetric(numpy_feval, name, allow_extra_outputs)


def _check_average(where: str, average: str) -> None:
    if average not in AVERAGES:
        raise ArgumentError(f"{where}: expected one of {', '.join(AVERAGES)}, got average={average!r}.")


def _column(values: Array) -> Array:
    return values.reshape(-1, 1) if values.ndim == 1 else values


def _grown(counts: Array, size: int) -> Array:
    """Return a square matrix padded with zeros to at least `size`."""
    missing = max(0, size - len(counts))
    return numpy.pad(counts, ((0, missing), (0, missing)))


def _category_correlation(counts: Array) -> float:
    """Return the correlation of a confusion matrix, NaN if one side has a single class."""
    total, rows, columns = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    spread = (rows * (total - rows)).sum() * (columns * (total - columns)).sum()
    if spread == 0:
        return float("nan")
    return float((counts.diagonal() * total - rows * columns).sum() / math.sqrt(spread))


def _zipped(name: Any, value: Any) -> list[tuple[str, float]]:
    names = name if isinstance(name, list) else [name]
    values = value if isinstance(value, list) else [value]
    return list(zip(names, values, strict=True))


def _joined(pairs: Sequence[Sequence[tuple[str, float]]]) -> tuple[list[str], list[float]]:
    flat = [pair for some in pairs for pair in some]
    return [n for n, _ in flat], [v for _, v in flat]
