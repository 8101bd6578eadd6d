"""Metrics of classes: predicted ones, or probabilities of each."""

import math
from collections.abc import Sequence
from typing import Any

import numpy

from gluonnx.errors import ArgumentError, InputError
from gluonnx.metric.base import Array, EvalMetric, Pairwise, alias, check_average, check_label_shapes, register
from gluonnx.ndarray.ndarray import NDArray

__all__ = [
    "F1",
    "MCC",
    "PCC",
    "Accuracy",
    "CrossEntropy",
    "NegativeLogLikelihood",
    "Perplexity",
    "TopKAccuracy",
]

SMALLEST_PROBABILITY = 1e-10
"""What Perplexity takes for smaller probabilities."""


@register
@alias("acc")
class Accuracy(Pairwise):
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
class TopKAccuracy(Pairwise):
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
        check_average(type(self).__name__, average)
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


class _LogLikelihood(Pairwise):
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
