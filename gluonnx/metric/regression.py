"""Metrics of numbers: errors, correlations, and losses themselves."""

import math
from collections.abc import Sequence
from typing import Any

import numpy

from gluonnx.metric.base import Array, EvalMetric, Pairwise, alias, check_average, check_label_shapes, register
from gluonnx.ndarray.ndarray import NDArray

__all__ = ["MAE", "MSE", "RMSE", "Caffe", "Loss", "PearsonCorrelation", "Torch"]


class _Regression(Pairwise):
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
        check_average("PearsonCorrelation", average)
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


def _column(values: Array) -> Array:
    return values.reshape(-1, 1) if values.ndim == 1 else values
